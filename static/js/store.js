/* The one store of the pages. `reduce` is pure: a snapshot or an event in, the next state out, the same for first paint,
   replay and live. What events say is folded into `log`; what only a snapshot knows (limits, clone command, expiry) stays
   in `meta`. `view.js` lays the two over each other. */

import { foldEvent, emptyLog } from './fold.js';

/** The state before the first frame: `known` is false until a snapshot has said whether there is a session at all. */
export function initial() {
  return { known: false, slug: null, seq: 0, gap: false, meta: null, metaSeq: -1, log: emptyLog() };
}

function applySnapshot(state, frame) {
  const session = frame.session ?? null;
  if (session === null) return { ...initial(), known: true };
  const seq = Number.isInteger(frame.seq) ? frame.seq : (session.last_seq ?? 0);
  if (session.slug !== state.slug) {
    return { ...initial(), known: true, slug: session.slug, meta: session, metaSeq: seq };
  }
  const mended = { ...state, known: true, gap: false }; // a new line begins with one, and tells next what was missed
  if (seq < state.metaSeq) return mended; // an older answer came in late
  return { ...mended, meta: session, metaSeq: seq };
}

function applyEvent(state, event) {
  if (!Number.isInteger(event.seq) || event.seq <= state.seq) return state; // seen: a replay overlaps what was live
  if (event.seq !== state.seq + 1) return state.gap ? state : { ...state, gap: true }; // the socket asks again from `seq`
  return { ...state, seq: event.seq, gap: false, log: foldEvent(state.log, event) };
}

/** Fold one server frame. Frames that are neither a snapshot nor an event leave the state as it is. */
export function reduce(state, frame) {
  if (frame === null || typeof frame !== 'object') return state;
  if (frame.type === 'snapshot') return applySnapshot(state, frame);
  if ('seq' in frame) return applyEvent(state, frame);
  return state;
}

/** A holder of the current state that tells its listeners after each change. */
export function createStore(state = initial()) {
  const listeners = new Set();
  return {
    get state() {
      return state;
    },
    dispatch(frame) {
      const next = reduce(state, frame);
      if (next === state) return;
      const before = state;
      state = next;
      for (const listener of listeners) listener(state, before, frame);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
