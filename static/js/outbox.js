/* The prompt on its way. Until the log has it, it is kept for this tab, so that neither a refusal nor a reload loses a
   word. `app` is the controller of app.js. */

import { keepTab } from './keep.js';

const CONFIRM_WITHIN = 15_000;
const HIDDEN = '•••'; // what the server writes in place of a secret
const LINE_DOWN = 'Not sent: the line is down. Your text is kept; send it again when the line is back.';
const UNCONFIRMED = 'The server has not confirmed this prompt. Your text is kept; send it again if it does not appear.';

const bare = (text) => text.replace(/[\s\p{Cc}]+/gu, '');

/** Whether a prompt {text, after} is among the turns: behind turn `after`, and in its own words unless a secret was taken
    out of them. A turn in other words is another tab's, and the server is about to refuse this one. Pure. */
export function hasArrived({ text, after }, turns) {
  const wanted = bare(text);
  return turns.some((turn) => turn.number > after && (bare(turn.prompt) === wanted || turn.prompt.includes(HIDDEN)));
}

/** What the box holds once `text` is back in it, before what was written meanwhile. Pure. */
export function putBack(text, box) {
  const rest = box.trim();
  return rest === '' || rest === text ? text : `${text}\n${rest}`;
}

export class Outbox {
  constructor(app) {
    this.app = app;
    this.timer = null;
  }

  /** Look after what this tab was sending when it was left: the log has it, or it goes back into the box. */
  open() {
    let sending = null;
    try {
      sending = JSON.parse(keepTab.get(this.#key(), 'null'));
    } catch {
      // Not ours: as good as nothing.
    }
    if (typeof sending?.text !== 'string') return;
    this.app.set({ sending });
    if (!this.#confirmed(this.app.session())) this.takeBack();
  }

  /** Send a prompt; false when the line is down, and then the visitor is told. */
  send(text) {
    const sending = { text, after: this.app.session()?.turns.at(-1)?.number ?? 0 };
    if (!this.app.connection.send({ type: 'prompt', text })) {
      this.app.set({ refusal: { message: LINE_DOWN } });
      return false;
    }
    keepTab.set(this.#key(), JSON.stringify(sending));
    this.app.set({ sending, refusal: null });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#silent(sending), CONFIRM_WITHIN);
    return true;
  }

  /** After each frame: note what has arrived, and send what is queued once the turn before it is done. After one that
      failed or was stopped, the visitor decides. */
  settle(session) {
    this.#confirmed(session);
    const { queued, sending } = this.app.ui;
    const due = session.state === 'open' && session.caughtUp && session.turns.at(-1)?.state === 'done';
    if (queued && !sending && due && this.app.connection.status.state === 'open' && this.send(queued)) this.app.act.dropQueued();
  }

  /** What was sent did not arrive: it goes back into the box. */
  takeBack() {
    const { sending, prompt } = this.app.ui;
    if (!sending) return;
    keepTab.set(this.#key(), '');
    this.app.set({ sending: null });
    this.app.write(putBack(sending.text, prompt));
  }

  #key() {
    return `sending.${this.app.slug}`;
  }

  #confirmed(session) {
    const { sending, prompt } = this.app.ui;
    if (!sending || !hasArrived(sending, session.turns)) return false;
    clearTimeout(this.timer);
    keepTab.set(this.#key(), '');
    if (prompt.trim() === sending.text) this.app.write('');
    this.app.set({ sending: null });
    this.app.refreshSoon(150);
    return true;
  }

  #silent(sending) {
    if (this.app.ui.sending !== sending) return;
    this.app.refused({ code: 'unconfirmed', message: UNCONFIRMED });
    this.app.connection.reopen(); // a line that is silent may be dead; a new one tells what is true
  }
}
