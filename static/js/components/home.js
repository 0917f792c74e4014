/* The home page's instrument: the sentence, the five services under it, and the waterfall that fills while it is written. */

import { html, live, nothing } from '../lit.js';
import { icon, glyph } from './glyphs.js';
import { chips } from './chips.js';
import { connectionLine } from './status.js';
import { measure, verdict, waterfall } from './waterfall.js';

export const EXAMPLES = [
  ['A sign-up sheet for a school fair', 'A sign-up sheet for our school fair: people leave a name, an e-mail address, what they bring (cake, drinks or games) and for how many hours they can help. List the newest first and send me a mail for each one.'],
  ['A log for a bike workshop', 'A repair log for a bike workshop. Each repair has a customer, a bicycle, a date it came in, a price and whether it is done. Let me add, edit and delete repairs.'],
  ['A reading list with ratings', 'A reading list: title, author, the date I finished it and a rating from 1 to 5. Show how many books there are at the top.'],
  ['A tool library for neighbours', 'A tool library for our street. Every tool has a name, an owner, a note and whether it is lent out right now. Neighbours can add tools and mark them as lent.'],
];

function hint(session, ui) {
  if (ui.refusal) return nothing;
  if (ui.status.state !== 'open' && (ui.building || (ui.begun && session === null))) return 'Connecting: your text is kept, and goes on as soon as the line is up.';
  if (session === null) return html`<span class="keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> builds</span>`;
  const open = session.legs.filter((leg) => leg.state !== 'ready' && leg.state !== 'failed').length;
  return open > 0 ? 'Build whenever you like: what is still starting joins when it is up.' : html`<span class="keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> builds</span>`;
}

export function home(model, act) {
  const { ui, session, now } = model;
  const m = session ? measure(session.legs, session.openedAt, now, model.usual) : null;
  const empty = ui.draft.trim() === '';
  return html`<div>
    ${connectionLine(ui, act)}
    <form class="sheet ask" aria-label="New app" @submit=${act.build}>
      <label class="sr" for="sentence">What should the app do?</label>
      <textarea id="sentence" rows="3" placeholder="What should the app do?" .value=${live(ui.draft)}
        @input=${act.typeSentence} @keydown=${act.sentenceKey} aria-describedby="sentence-note"></textarea>
      <div class="ask-foot"><span class="tiny faint" id="sentence-note">${hint(session, ui)}</span>
        <button class="btn btn-main push" type="submit" aria-disabled=${empty || ui.building ? 'true' : nothing} title=${empty ? 'Say first what the app should do' : 'Build it (Ctrl Enter)'}>
          ${ui.building ? html`${glyph('creating')} Starting` : html`Build ${icon('send')}`}</button></div>
      ${ui.refusal ? html`<p class="note note-error" role="alert">${glyph('failed')} <span>${ui.refusal.message}</span></p>` : nothing}
      <section class="ask-live" aria-labelledby="live-h">
        <div class=${`ask-head ${m ? '' : 'ask-head-rest'}`}><h2 class="h-small" id="live-h">${m ? 'Your backend' : 'Starts with your first keystroke'}</h2>${chips(model.legs, session !== null)}</div>
        ${m ? waterfall(m, model.deadlines) : nothing}
      </section>
      ${m ? html`<p class="ask-sum small dim" role="status">${verdict(m)}</p>` : nothing}
    </form>
    <div class="tries" role="group" aria-label="Examples"><span class="faint">Or start from:</span>
      ${EXAMPLES.map(([label, text]) => html`<button type="button" @click=${() => act.example(text)}>${label}</button>`)}</div>
  </div>`;
}
