/* The bar above the builder: name, backend at a glance, time left, versions, and what can be taken away. */

import { html, nothing } from '../lit.js';
import { moment, remaining } from '../format.js';
import { icon, glyph } from './glyphs.js';
import { dots, tally } from './chips.js';
import { undoRedo } from './versions.js';

const LATE = 15 * 60_000;

export const mark = html`<svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M1 2.5h7v2.4H1zM4 6.3h8v2.4H4zM4 10.1h5v2.4H4zM6 13.9h13v2.4H6z"/></svg>`;

function timeLeft(session, now) {
  if (session.state === 'closing') return html`<span class="badge badge-moving">${glyph('creating')} ending</span>`;
  if (session.state === 'closed') return html`<span class="badge badge-off">${glyph('gone')} ended</span>`;
  const left = Date.parse(session.expiresAt ?? '') - now;
  if (!Number.isFinite(left)) return nothing;
  const title = `Ends at ${moment(session.expiresAt)}. Everything it owns is then deleted.`;
  if (left > LATE) return html`<span class="tiny faint not-small num" title=${title}>ends in ${remaining(left)}</span>`;
  return html`<span class="badge badge-warn" title=${title} role="status">${glyph('stuck')} ends in ${remaining(left)}</span>`;
}

function menu(model, act) {
  const { session, ui } = model;
  return html`<details class="menu">
    <summary class="btn btn-main">${icon('out')} <span class="not-phone">Take away</span><span class="sr">the app</span></summary>
    <div class="menu-list">
      ${session.clone ? html`<button type="button" @click=${() => act.copy('clone', session.clone.command)}>${icon('repo')} ${ui.copied === 'clone' ? 'Clone command copied' : 'Copy the clone command'}<small>The repository, a commit for each version</small></button>` : nothing}
      <a href="#backend" @click=${act.closeMenu}>${icon('server')} Names and values of .env<small>What the app needs to run elsewhere</small></a>
      ${ui.preview.base ? html`<a href=${ui.preview.base} target="_blank" rel="noopener" @click=${act.closeMenu}>${icon('ext')} Open the app in a new tab<small>Without the builder around it</small></a>` : nothing}
      ${session.state === 'open' ? html`<hr><button type="button" @click=${() => act.ask({ kind: 'end' })}>${icon('trash')} End and delete everything<small>Each service, verified gone</small></button>` : nothing}
    </div></details>`;
}

export function topbar(model, act) {
  const { session, ui, now } = model;
  const number = session.current?.number ?? 0;
  return html`<header class="top">
    <a class="logo" href="/" aria-label="mk0r, home">${mark}</a>
    <h1 class="app-name"><span class="clip">${session.title}</span><small class="not-small">${session.slug}</small></h1>
    <a class="btn btn-bare legs-link" href="#backend" aria-label=${`Backend: ${tally(session.legs)}`}>${dots(session.legs)}<span class="not-small">${tally(session.legs)}</span></a>
    <span class="push"></span>${timeLeft(session, now)}
    <div class="btns btns-tight" role="group" aria-label="Versions">${undoRedo(model, act)}
      <button class="btn btn-bare" type="button" aria-expanded=${ui.rail ? 'true' : 'false'} @click=${act.toggleRail}><span>${
        number > 0 ? html`<span class="not-phone">Version </span><span class="only-phone">v</span>${number}` : html`<span class="not-phone">No version</span><span class="only-phone">v0</span>`
      }<span class="sr">, all versions</span></span> ${icon('down')}</button></div>
    <span class="rule not-phone"></span>${menu(model, act)}</header>`;
}
