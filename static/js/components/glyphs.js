/* Two families of small drawings. Icons say what a thing is; status glyphs say what state it is in, each by its own outline. */

import { html, nothing, svg } from '../lit.js';
import { WORDS } from '../legs.js';

/** An icon of the sprite; silent, the text beside it speaks. */
export const icon = (name) => html`<svg class="i" aria-hidden="true"><use href=${`#i-${name}`}></use></svg>`;

const ARC = svg`<circle cx="7" cy="7" r="5.2" fill="none" stroke="currentColor" stroke-width="1.6" opacity=".28"/>
  <path class="arc" d="M7 1.8a5.2 5.2 0 0 1 5.2 5.2" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>`;
const SHAPES = {
  planned: 'planned', ready: 'ready', failed: 'failed', unknown: 'stuck', stuck: 'stuck', gone: 'gone', paused: 'paused',
};

/** The glyph of a state; with `label` it speaks for itself, without it the word beside it does. */
export function glyph(state, label = '') {
  const role = label ? 'img' : nothing;
  const hidden = label ? nothing : 'true';
  const kind = { unknown: 'stuck', deleting: 'creating', paused: 'gone' }[state] ?? state;
  if (kind === 'creating') {
    return html`<svg class="st st-creating" viewBox="0 0 14 14" role=${role} aria-label=${label || nothing}
      aria-hidden=${hidden}>${ARC}</svg>`;
  }
  return html`<svg class=${`st st-${kind}`} viewBox="0 0 14 14" role=${role} aria-label=${label || nothing}
    aria-hidden=${hidden}><use href=${`#s-${SHAPES[state] ?? 'planned'}`}></use></svg>`;
}

export const word = (state) => WORDS[state] ?? state;
