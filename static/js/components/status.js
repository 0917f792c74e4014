/* The line that is there only when the connection is not. */

import { html, nothing } from '../lit.js';
import { running } from '../format.js';
import { glyph } from './glyphs.js';

export function connectionLine(ui, act) {
  const { status } = ui;
  const lost = status.state === 'waiting' || status.state === 'offline' || (status.state === 'connecting' && status.attempt > 0);
  if (status.state === 'refused') {
    return html`<div class="line-status" role="alert">${glyph('failed')} <span><b>This session is not open to this browser.</b> It may have been removed, or the cookie it belongs to is gone.</span><a class="btn btn-small push" href="/">Start a new app</a></div>`;
  }
  if (!lost || Date.now() - status.since < 700) return nothing; // a blink is not worth a line
  const offline = status.state === 'offline';
  return html`<div class="line-status"><span class="with" role="status">${glyph('creating')} <b>${offline ? 'Offline' : 'Reconnecting'}</b></span>
    <span class="num">${running(Date.now() - status.since)}</span><span class="dim not-small">Work goes on without you; what happens meanwhile appears here in order.</span>
    <button class="btn btn-small push" type="button" @click=${act.reconnect}>Try now</button></div>`;
}
