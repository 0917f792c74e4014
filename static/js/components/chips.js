/* The five services as chips: state, and whether each is the vendor's own or a stand-in on this machine. */

import { html, nothing, repeat } from '../lit.js';
import { VENDORS, isMoving, isQueued } from '../legs.js';
import { glyph, word } from './glyphs.js';

export function where(local) {
  if (local === null) return nothing;
  const title = local ? 'A stand-in on this machine that speaks the same protocol' : "The vendor's own service";
  return html`<span class="where" title=${title}>${local ? 'local' : 'real'}</span>`;
}

function chip(leg, begun) {
  const tone = leg.state === 'failed' ? 'chip-failed' : isMoving(leg) ? 'chip-moving' : '';
  return html`<li class=${`chip ${tone}`} data-provider=${leg.provider} data-state=${begun ? leg.state : 'none'}>
    ${glyph(leg.state)} <b>${VENDORS[leg.provider].name}</b>
    ${begun ? html`<span class="chip-word">${isQueued(leg) ? 'queued' : word(leg.state)}</span>` : nothing} ${where(leg.local)}</li>`;
}

export const chips = (legs, begun) => html`<ul class="chips" aria-label="Status of each service">
  ${repeat(legs, (leg) => leg.provider, (leg) => chip(leg, begun))}</ul>`;

/** The same five as a row of small glyphs. */
export const dots = (legs) => html`<span class="legs">
  ${legs.map((leg) => glyph(leg.state, `${VENDORS[leg.provider].name} ${isQueued(leg) ? 'queued' : word(leg.state)}`))}</span>`;

/** "5 of 5 live". */
export function tally(legs) {
  return `${legs.filter((leg) => leg.state === 'ready').length} of ${legs.length} live`;
}
