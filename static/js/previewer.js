/* Keeps the frame on the preview: finds an address that answers, listens to the app in it, tries again when none does. */

import { fromFrame, hear, silence } from './bridge.js';
import { reach } from './probe.js';

const AGAIN = 4000;

export class Previewer {
  constructor({ get, set }) {
    this.get = get; // the present preview part of the ui
    this.set = set;
    this.round = 0;
    this.timer = null;
    addEventListener('message', (event) => {
      if (!fromFrame(event, this.frame(), this.get())) return;
      this.set({ ...this.get(), ...hear(this.get(), event.data, Date.now()) });
    });
  }

  frame() {
    return document.getElementById('app-frame');
  }

  /** Follow this address from now on; null: there is none. */
  follow(url) {
    if ((url ?? '') === this.get().url) return;
    clearTimeout(this.timer);
    this.round += 1;
    this.set({ ...silence(), url: url ?? '', base: '', src: '', probe: 'idle', fallback: false });
    if (url) this.probe();
  }

  async probe() {
    clearTimeout(this.timer);
    const { url } = this.get();
    if (!url) return;
    const round = ++this.round;
    const found = await reach(url);
    if (round !== this.round) return; // another address by now
    if (found) this.set({ ...this.get(), probe: 'ok', base: found.src, src: found.src, fallback: found.fallback });
    else {
      this.set({ ...this.get(), probe: 'unreachable' });
      this.timer = setTimeout(() => this.probe(), AGAIN);
    }
  }

  loaded() {
    if (this.get().base) this.set({ ...this.get(), loaded: true });
  }

  reload() {
    const frame = this.frame();
    if (!frame) return;
    this.set({ ...this.get(), ...silence() });
    frame.src = this.get().src; // the only way to reload a frame of another origin
  }
}
