/* The controller of both pages: one store, one socket, one render. It reads the first state the server wrote into the page,
   follows the log, and turns the home page into the builder without a reload. */

import { actions } from './actions.js';
import { now, observe } from './clock.js';
import { Connection } from './connection.js';
import { targets } from './history.js';
import { keep, keepTab } from './keep.js';
import { isMoving, isQueued, legsOf } from './legs.js';
import { render } from './lit.js';
import { Outbox, putBack } from './outbox.js';
import { Previewer } from './previewer.js';
import { hiddenSecrets } from './secrets.js';
import { createStore } from './store.js';
import { createUi, storedPrompt } from './ui.js';
import { view } from './view.js';
import { apps } from './components/apps.js';
import { builder } from './components/builder.js';
import { home } from './components/home.js';

const PATIENCE_WITH_REPLAY = 1500; // then the page is drawn with what there is
const REFRESH_WHILE_RUNNING = 10_000; // cost and limits are no events
const REFRESH_WHILE_SPENT = 60_000; // the next turn becomes free with time alone
const REFRESHING = new Set(['version.created', 'turn.finished', 'session.closed', 'notice']);

export class App {
  constructor(page) {
    this.page = page;
    this.at = page.page; // home | builder
    this.store = createStore();
    Object.assign(this, createUi(location.hash, () => this.schedule()));
    this.act = actions(this);
    this.outbox = new Outbox(this);
    this.startedAt = performance.now();
    this.previewer = new Previewer({ get: () => this.ui.preview, set: (preview) => this.set({ preview }) });
    this.connection = new Connection({
      page: location.href, onStatus: (status) => this.set({ status }), onFrame: (frame) => this.receive(frame),
      position: () => (this.at === 'builder' ? { slug: this.slug, after: this.store.state.seq } : { slug: null, after: 0 }),
    });
    if (page.now) observe(page.now, Date.now());
    if (page.session) this.store.dispatch({ type: 'snapshot', session: page.session, seq: page.session.last_seq });
    this.slug = this.at === 'builder' ? page.session.slug : null; // the session the socket is bound to, once there is one
  }

  start() {
    if (this.at === 'builder') this.openSession();
    addEventListener('hashchange', () => this.set({ hash: location.hash }));
    addEventListener('popstate', () => (this.at === 'builder') !== location.pathname.startsWith('/s/') && location.reload());
    addEventListener('keydown', (event) => this.key(event));
    addEventListener('pagehide', () => this.set({ secrets: hiddenSecrets() }));
    document.addEventListener('click', (event) => {
      const menu = document.querySelector('details.menu[open]');
      if (menu && !menu.contains(event.target)) menu.removeAttribute('open');
    });
    this.connection.start();
    if (this.at === 'home') this.schedule();
    setTimeout(() => this.schedule(), PATIENCE_WITH_REPLAY);
  }

  openSession() {
    this.set({ ...storedPrompt(this.slug) });
    this.outbox.open();
    this.setSplit(this.ui.split);
  }

  // --- what comes in ---------------------------------------------------------------------------------------------

  receive(frame) {
    if (frame === null || typeof frame !== 'object') return;
    if (frame.type === 'error') return this.refused(frame);
    if (frame.type === 'snapshot' && !frame.session && this.at === 'builder') return this.set({ status: { ...this.ui.status, state: 'refused' } });
    if (typeof frame.at === 'string') observe(frame.at);
    this.store.dispatch(frame);
    if (this.store.state.gap) return this.connection.reopen();
    // A new line: what was asked for on the last one may never have been heard, and may be asked for again.
    if (frame.type === 'snapshot') {
      this.beginSent = false;
      this.set({ moving: null, stoppingTurn: null });
    }
    this.flush();
    if (REFRESHING.has(frame.type)) this.refreshSoon(150);
    this.settle(frame);
    this.schedule();
  }

  /** Frames that say what came of something this page asked for. */
  settle(frame) {
    const session = this.session();
    if (!session) return;
    const { moving, stoppingTurn } = this.ui;
    this.outbox.settle(session);
    const restored = moving && (session.versions[0]?.number ?? 0) > moving.newest;
    const unmoved = frame.type === 'notice' && frame.data?.level === 'error';
    if (moving && (restored || unmoved)) this.set({ moving: null });
    if (session.running) this.ui.watched.add(session.running.number);
    else if (stoppingTurn !== null) this.set({ stoppingTurn: null });
  }

  write(prompt) {
    keep.set(`prompt.${this.slug}`, prompt);
    this.set({ prompt });
  }

  refused(frame) {
    const message = String(frame.message ?? 'The server refused this without saying why.').slice(0, 500);
    if (frame.code !== 'not_found') this.outbox.takeBack(); // a prompt is never refused as not found
    this.beginSent = false;
    this.set({ refusal: { code: frame.code, message }, building: null, moving: null, stoppingTurn: null, begun: false });
  }

  // --- what goes out ---------------------------------------------------------------------------------------------

  /** The session that the home page may build in: open and without a prompt yet. */
  homeSession() {
    const session = view(this.store.state, this.page.local);
    return session && session.state === 'open' && !session.prompted ? session : null;
  }

  /** On the home page: send what is due, once the line is up and the server has said how things are. */
  flush() {
    if (this.at !== 'home' || !this.store.state.known) return;
    const session = this.homeSession();
    if (session) {
      this.slug = session.slug;
      if (this.ui.building && this.connection.status.state === 'open') this.enter(this.ui.building);
      return;
    }
    if (this.slug !== null) this.letGo();
    if (this.ui.begun && !this.beginSent) this.beginSent = this.connection.send({ type: 'begin' });
  }

  /** What was begun here has ended, or another tab builds in it: the next sign of intent begins another. */
  letGo() {
    this.slug = null;
    this.beginSent = false;
    this.set({ begun: this.ui.building !== null });
  }

  /** The home page becomes the builder. */
  enter(text) {
    this.at = 'builder';
    this.drawn = false;
    history.pushState(null, '', `/s/${this.slug}`);
    keep.set('draft', '');
    this.set({ hash: '', building: null, draft: '' });
    this.openSession();
    if (!this.outbox.send(text)) this.write(putBack(text, this.ui.prompt));
    scrollTo(0, 0);
    requestAnimationFrame(() => document.getElementById('prompt')?.focus({ preventScroll: true }));
  }

  refreshSoon(wait) {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = setTimeout(() => this.refresh(), wait);
  }

  /** Read again what events do not carry: limits, cost, which version is current. */
  async refresh() {
    if (!this.slug) return;
    try {
      const answer = await fetch(`/api/sessions/${this.slug}`, { cache: 'no-store', credentials: 'same-origin' });
      if (answer.ok) {
        const session = await answer.json();
        if (session.slug === this.slug) this.store.dispatch({ type: 'snapshot', session, seq: session.last_seq });
      }
    } catch {
      // The socket tells when the line is down; the next event asks again.
    }
    this.refreshedAt = Date.now();
    this.schedule();
  }

  /** What was destroyed, once there is nothing left. Asked for once. */
  async readReceipt() {
    if (this.askedReceipt) return;
    this.askedReceipt = true;
    try {
      const answer = await fetch(`/api/sessions/${this.slug}/receipt`, { cache: 'no-store', credentials: 'same-origin' });
      if (answer.ok) this.set({ receipt: await answer.json() });
    } catch {
      this.askedReceipt = false;
    }
  }

  // --- the page ----------------------------------------------------------------------------------------------------

  key(event) {
    if (event.key !== 'Escape' || event.isComposing || this.at !== 'builder' || event.defaultPrevented || this.ui.ask) return;
    const menu = document.querySelector('details.menu[open]');
    if (menu) {
      menu.removeAttribute('open');
      menu.querySelector('summary')?.focus();
    } else if (this.ui.rail && this.narrow(1200)) this.act.toggleRail();
    else this.act.stop();
  }

  narrow(width = 768) {
    return matchMedia(`(max-width: ${width - 0.02}px)`).matches;
  }

  go(id) {
    location.hash = id;
  }

  setSplit = (split) => {
    keep.set('split', split);
    document.documentElement.style.setProperty('--chat', `${split}vw`);
    this.set({ split });
  };

  session() {
    return view(this.store.state, this.page.local);
  }

  model() {
    const session = this.at === 'home' ? this.homeSession() : this.session();
    return {
      session, ui: this.ui, now: now(), usual: this.page.usual ?? {}, deadlines: this.page.deadlines ?? {},
      history: session ? targets(session.versions) : { undo: null, redo: null },
      legs: session?.legs ?? legsOf({}, null, false, this.page.local),
    };
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  /** Draw, and come back when a clock on the page has to move. */
  draw() {
    const model = this.model();
    if (this.at === 'home') this.drawHome(model);
    else if (!this.drawBuilder(model)) return;
    if (this.ui.secrets.values && Date.now() > this.ui.secrets.until) this.set({ secrets: hiddenSecrets() });
    clearTimeout(this.tick);
    this.tick = setTimeout(() => this.schedule(), this.pace(model));
  }

  pace({ session, ui }) {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (session?.legs.some((leg) => isMoving(leg))) return still ? 1000 : 100;
    if (session?.legs.some((leg) => isQueued(leg))) return 1000;
    if (session?.running || ui.secrets.values || ui.status.state !== 'open') return 1000;
    return 15_000;
  }

  drawHome(model) {
    this.mount('home-live', home(model, this.act));
    if (!this.drawn && this.ui.draft === '' && !this.narrow()) document.getElementById('sentence')?.focus();
    this.drawn = true;
    this.mount('home-apps', apps(this.page.apps ?? [], model.now));
  }

  drawBuilder(model) {
    const waited = performance.now() - this.startedAt > PATIENCE_WITH_REPLAY;
    if (!model.session || (!this.drawn && !model.session.caughtUp && !waited)) return false; // no half a conversation
    const follow = this.#atFoot();
    const { state, sandbox, previewUrl } = model.session;
    if (state === 'closed') this.readReceipt();
    const awake = state === 'open' && sandbox?.state !== 'paused'; // asleep, its address leads to the vendor's “not found”
    this.previewer.follow(awake ? previewUrl : null);
    this.mount('page', builder(this.model(), this.act));
    this.drawn = true;
    document.title = `${model.session.title.slice(0, 60)}, mk0r`;
    this.#dialogs();
    if (follow) this.#toFoot();
    this.#keepUp(model.session);
    return true;
  }

  /** Ask now and then for what changes without an event. */
  #keepUp({ running, limits }) {
    const every = running ? REFRESH_WHILE_RUNNING : limits.turns_left === 0 ? REFRESH_WHILE_SPENT : Infinity;
    if (Date.now() - (this.refreshedAt ?? 0) <= every) return;
    this.refreshedAt = Date.now();
    this.refresh();
  }

  mount(id, template) {
    const element = document.getElementById(id);
    if (!element) return;
    if (!element.dataset.live) {
      element.replaceChildren(); // what the server wrote is drawn again from the same state
      element.dataset.live = 'yes';
    }
    render(template, element);
  }

  #dialogs() {
    const box = document.querySelector('dialog.ask-box');
    if (!box) return;
    if (this.ui.ask && !box.open) box.showModal();
    else if (!this.ui.ask && box.open) box.close();
  }

  #atFoot() {
    const talk = document.querySelector('.talk');
    return !talk || !this.drawn || talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
  }

  #toFoot() {
    const talk = document.querySelector('.talk');
    if (talk) talk.scrollTop = talk.scrollHeight;
  }
}

const data = document.getElementById('state');
if (data) {
  const app = new App(JSON.parse(data.textContent));
  app.start();
}

