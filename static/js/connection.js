/* The socket to the session: tells its state, comes back by itself, and asks only for what was missed. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const OPEN_WITHIN = 10_000;
const STEADY_AFTER = 5_000;

/** Milliseconds before try number `attempt` (from 1): doubling, capped, spread over the upper half so tabs do not march. */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** The address of the socket beside `page`, from the event after `after`. */
export function socketUrl(page, slug, after) {
  const url = new URL('/ws/session/', page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('after', String(after));
  if (slug) url.searchParams.set('slug', slug);
  return url.href;
}

/** Whether the page comes from this very machine, which a browser without a network still reaches. */
const fromHere = (page) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(page).hostname);

/** Keeps one socket open until `stop`. `status` is {state, since, attempt, nextAt}; state is one of
    connecting, open, waiting, offline, refused. */
export class Connection {
  constructor({ page, position, onFrame, onStatus, Socket = globalThis.WebSocket, scope = globalThis }) {
    Object.assign(this, { page, position, onFrame, onStatus, Socket, scope });
    this.attempt = 0;
    this.socket = null;
    this.timers = new Set();
    this.lostAt = null;
    this.status = { state: 'connecting', since: Date.now(), attempt: 0, nextAt: null };
    this.online = () => this.retryNow();
    this.offline = () => this.#lost(fromHere(page) ? 'waiting' : 'offline');
    this.visible = () => scope.document?.visibilityState === 'visible' && this.status.state === 'waiting' && this.retryNow();
  }

  start() {
    this.scope.addEventListener?.('online', this.online);
    this.scope.addEventListener?.('offline', this.offline);
    this.scope.document?.addEventListener('visibilitychange', this.visible);
    this.#open();
  }

  stop() {
    this.scope.removeEventListener?.('online', this.online);
    this.scope.removeEventListener?.('offline', this.offline);
    this.scope.document?.removeEventListener('visibilitychange', this.visible);
    this.#drop();
  }

  /** Send one frame; false when the line is down, and then nothing was sent. */
  send(frame) {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  retryNow() {
    if (this.status.state === 'open') return;
    this.#drop();
    this.#open();
  }

  /** Ask again from the present position: used when events were missed or another session is to be followed. */
  reopen() {
    this.#drop();
    this.#open();
  }

  #later(wait, act) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, wait);
    this.timers.add(timer);
  }

  #drop() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  #set(state, more = {}) {
    this.status = { state, since: this.lostAt ?? Date.now(), attempt: this.attempt, nextAt: null, ...more };
    this.onStatus(this.status);
  }

  #lost(state) {
    this.#drop();
    this.lostAt ??= Date.now();
    if (state === 'offline') return this.#set('offline'); // `online` brings it back
    this.attempt += 1;
    const wait = backoff(this.attempt);
    this.#set('waiting', { nextAt: Date.now() + wait });
    this.#later(wait, () => this.#open());
  }

  #open() {
    const { slug, after } = this.position();
    const socket = new this.Socket(socketUrl(this.page, slug, after));
    this.socket = socket;
    if (this.lostAt === null) this.#set('connecting');
    const mine = (act) => (event) => this.socket === socket && act(event);
    this.#later(OPEN_WITHIN, () => this.socket === socket && socket.readyState !== 1 && this.#lost('waiting'));
    socket.addEventListener('open', mine(() => {
      this.lostAt = null;
      this.#set('open');
      this.#later(STEADY_AFTER, () => { this.attempt = 0; });
    }));
    socket.addEventListener('message', mine((event) => {
      let frame;
      try {
        frame = JSON.parse(event.data);
      } catch {
        return; // not ours: the next frame may be
      }
      this.onFrame(frame);
    }));
    socket.addEventListener('close', mine((event) => {
      // 44xx: the server refuses this session for good (unknown, someone else's, wrong origin).
      if (event.code >= 4400 && event.code < 4500) {
        this.#drop();
        this.#set('refused', { code: event.code });
      } else this.#lost('waiting');
    }));
  }
}
