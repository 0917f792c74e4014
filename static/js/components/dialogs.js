/* The questions asked before something cannot simply be taken back. */

import { html, nothing } from '../lit.js';
import { VENDORS } from '../legs.js';
import { plural } from '../format.js';
import { glyph } from './glyphs.js';

function going(session, ask) {
  const current = session.current?.number ?? 0;
  const [newest] = session.versions;
  const saved = newest?.restores === ask.number ? `, as they are saved in version ${newest.number}.` : `, saved as version ${(newest?.number ?? 0) + 1}.`;
  return {
    title: `Go to version ${ask.number}?`,
    body: html`<p>The files become exactly those of version ${ask.number}${saved}${
      current !== ask.number ? ` Version ${current} stays in the list, so you can come back.` : ''}</p>
      <p class="dim">Only files go back. Rows in the database stay as they are, and so do tables and columns that were added since.</p>`,
    act: `Go to version ${ask.number}`,
  };
}

function ending(session) {
  const made = session.legs.filter((leg) => !['planned', 'gone', 'failed'].includes(leg.state) && leg.provider !== 'posthog');
  return {
    title: 'End this session and delete everything?',
    body: html`<p>This deletes ${plural(made.length, 'service')}, each at its vendor, and looks for it again until it is proven gone:</p>
      <ul class="key">${made.map((leg) => html`<li>${glyph('gone')}<b>${VENDORS[leg.provider].name}</b> ${VENDORS[leg.provider].role.toLowerCase()} <span class="mono">${leg.name}</span></li>`)}</ul>
      <p class="dim">The rows in the database and all versions are lost. Clone the repository first if you want to keep the app.</p>`,
    act: 'End and delete everything',
  };
}

export function dialog(model, act) {
  const ask = model.ui.ask;
  const told = ask === null ? null : ask.kind === 'end' ? ending(model.session) : going(model.session, ask);
  return html`<dialog class="ask-box sheet" aria-labelledby="ask-h" @close=${act.dismiss}>
    ${told === null ? nothing : html`<form method="dialog"><h2 class="h-part" id="ask-h">${told.title}</h2>${told.body}
      <div class="btns ask-btns"><button class="btn" type="submit" value="no">Keep things as they are</button>
        <button class=${`btn btn-main ${ask.kind === 'end' ? 'btn-danger' : ''}`} type="button" @click=${act.confirm}>${told.act}</button></div></form>`}
  </dialog>`;
}
