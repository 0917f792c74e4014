/* The reducer: whatever way the log arrives, the state is the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elapsed, isQueued, queuedFor } from '../../../static/js/legs.js';
import { initial, reduce } from '../../../static/js/store.js';
import { view } from '../../../static/js/view.js';
import { chance, snapshotAt, someLog } from './log.mjs';

const all = (frames, state = initial()) => frames.reduce(reduce, state);
const event = (seq, type, data) => ({ seq, type, at: '2026-01-01T00:00:00Z', data });

/** The log as a browser might get it: cut anywhere, each cut a reconnect with a new snapshot and a replay that overlaps. */
function asReceived(log, random) {
  const frames = [];
  let have = 0;
  while (have < log.length) {
    const known = have + Math.floor(random() * (log.length - have + 1));
    frames.push(snapshotAt(known));
    const from = Math.max(0, have - Math.floor(random() * 4));
    const to = Math.min(log.length, have + 1 + Math.floor(random() * 12));
    for (const each of log.slice(from, to)) {
      frames.push(each);
      if (random() < 0.1) frames.push(each); // told twice
      if (random() < 0.05) frames.push({ type: 'error', code: 'busy', message: 'no' });
    }
    have = Math.max(have, to);
  }
  frames.push(snapshotAt(log.length));
  return frames;
}

test('any split of the log into snapshot, replay and live gives the same state', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = chance(seed);
    const log = someLog(random, 5 + Math.floor(random() * 80));
    const once = all([snapshotAt(log.length), ...log]);
    const split = all(asReceived(log, random));
    assert.deepEqual(split, once, `seed ${seed}`);
    assert.deepEqual(view(split), view(once), `seed ${seed}`);
  }
});

test('an event that is missing is not skipped: the state asks for it and stays where it was', () => {
  const state = all([snapshotAt(9), event(1, 'session.opened', {}), event(3, 'env.written', { names: ['A'] })]);
  assert.equal(state.seq, 1);
  assert.equal(state.gap, true);
  assert.equal(reduce(state, snapshotAt(9)).gap, false); // what a new line begins with: it asked for the rest
  const mended = all([event(2, 'notice', { level: 'info', text: 'x' }), event(3, 'env.written', { names: ['A'] })], state);
  assert.equal(mended.gap, false);
  assert.deepEqual(mended.log.env.names, ['A']);
});

test('the state given is never changed in place', () => {
  const frozen = (value) => {
    if (value && typeof value === 'object' && !Object.isFrozen(value)) {
      Object.freeze(value);
      Object.values(value).forEach(frozen);
    }
    return value;
  };
  const log = someLog(chance(7), 120);
  let state = frozen(initial());
  for (const frame of [snapshotAt(120), ...log]) state = frozen(reduce(state, frozen(frame)));
  assert.equal(state.seq, 120);
});

test('another session starts from nothing, and no session is known as such', () => {
  const first = all([snapshotAt(2), event(1, 'session.opened', {}), event(2, 'turn.started', { turn: 1, prompt: 'p' })]);
  const second = reduce(first, snapshotAt(0, { slug: 'zzzzzzzz9999' }));
  assert.equal(second.seq, 0);
  assert.deepEqual(second.log.turns, []);
  const none = reduce(first, { type: 'snapshot', session: null, seq: 0 });
  assert.equal(none.known, true);
  assert.equal(view(none), null);
});

test('hostile and odd frames leave the state standing', () => {
  const state = all([snapshotAt(0)]);
  for (const frame of [null, 7, 'x', [], {}, { seq: 'one' }, { seq: NaN, type: 'notice' }, { type: 'error' }, { type: 'snapshot', session: 5 && null }]) {
    assert.doesNotThrow(() => reduce(state, frame));
  }
  for (const type of ['resource.changed', 'agent.tool', 'agent.result', 'turn.finished', 'version.created', 'env.written', 'hasOwnProperty']) {
    for (const data of [null, 5, [], { turn: 'x', names: 'no', number: {}, provider: '__proto__' }]) {
      assert.doesNotThrow(() => view(reduce(state, { seq: 1, type, at: null, data })));
    }
  }
});

test('a leg made in two steps keeps both, and begins anew when it is made again', () => {
  const change = (seq, kind, state, elapsed = null) => ({
    seq, type: 'resource.changed', at: new Date(1_700_000_000_000 + seq * 1000).toISOString(),
    data: { provider: 'resend', kind, name: 'n', state, elapsed_ms: elapsed },
  });
  const leg = (state) => view(state).legs.find((one) => one.provider === 'resend');
  let state = all([snapshotAt(0), change(1, 'audience', 'planned'), change(2, 'audience', 'creating')]);
  assert.equal(elapsed(leg(state), 1_700_000_003_500), 1500);
  state = all([change(3, 'api_key', 'creating'), change(4, 'api_key', 'failed', 1900)], state);
  assert.deepEqual(leg(state).steps.map((step) => step.kind), ['audience', 'api_key']);
  assert.equal(elapsed(leg(state), 0), 1900);
  state = all([change(5, 'api_key', 'planned'), change(6, 'api_key', 'creating'), change(7, 'api_key', 'ready', 900)], state);
  assert.deepEqual([leg(state).state, leg(state).steps.length, elapsed(leg(state), 0)], ['ready', 1, 900]);
  const atOnce = all([snapshotAt(0), change(1, 'audience', 'ready', 250)]);
  assert.deepEqual([leg(atOnce).steps.length, elapsed(leg(atOnce), 0)], [1, 250]);
});

test('a leg that queues says for how long, the same from the log and from a snapshot, and no longer once it begins', () => {
  const change = (seq, state, more = {}) => event(seq, 'resource.changed', { provider: 'github', kind: 'repository', name: 'n', state, ...more });
  const leg = (state) => view(state).legs.find((one) => one.provider === 'github');
  const at = Date.parse('2026-01-01T00:00:00Z');
  let state = all([snapshotAt(0), change(1, 'planned', { starts_in_ms: 12_000 })]);
  assert.equal(isQueued(leg(state)), true);
  assert.deepEqual([0, 300, 11_900, 12_500].map((past) => queuedFor(leg(state), at + past)), ['about 12 s', 'about 12 s', 'about 1 s', 'any moment now']);
  state = all([change(2, 'creating')], state);
  assert.equal(isQueued(leg(state)), false);
  state = all([change(3, 'planned', { starts_in_ms: 75_000 })], state); // refused: back in the queue
  assert.equal(queuedFor(leg(state), at), 'about 1 min 15 s');
  const told = { provider: 'github', kind: 'repository', name: 'n', state: 'planned', starts_at: '2026-01-01T00:00:12Z', elapsed_ms: 0 };
  const early = all([snapshotAt(9, { resources: [told] })]);
  assert.equal(queuedFor(leg(early), at), 'about 12 s');
  for (const odd of ['soon', null, -5, {}, NaN, 1e300]) assert.doesNotThrow(() => leg(all([snapshotAt(0), change(1, 'planned', { starts_in_ms: odd })])));
  assert.equal(isQueued(leg(all([snapshotAt(0), change(1, 'ready', { starts_in_ms: 5 })]))), false);
});

test('a newer snapshot speaks for what the log has not told yet, and the log for the rest', () => {
  const turns = [{ number: 1, prompt: 'p', state: 'done', started_at: null, finished_at: null, duration_ms: 9, cost_usd: 0, summary: 's' }];
  const behind = all([snapshotAt(40, { turns }), event(1, 'turn.started', { turn: 1, prompt: 'p' })]);
  assert.equal(view(behind).turns[0].state, 'done');
  assert.equal(view(behind).caughtUp, false);
  const stale = all([snapshotAt(0, { turns: [] }), event(1, 'turn.started', { turn: 1, prompt: 'p' })]);
  assert.equal(view(stale).turns[0].state, 'running');
});
