/* What this browser has built so far. */

import { html, nothing } from '../lit.js';
import { ago, moment, running } from '../format.js';
import { glyph } from './glyphs.js';

const STATES = {
  building: (app, now) => ['creating', `Building, ${running(now - Date.parse(app.since))} so far`],
  live: (app, now) => ['ready', `Live, last used ${ago(now - Date.parse(app.since))}`],
  failed: () => ['failed', 'The last turn failed'],
  asleep: () => ['paused', 'Asleep, wakes when it is opened'],
  closing: () => ['creating', 'Ending'],
  closed: (app) => ['gone', `Ended ${moment(app.since)}`],
};

const ENDED = new Set(['closing', 'closed']);

function entry(app, now) {
  const [state, text] = (STATES[app.status] ?? STATES.live)(app, now);
  const version = app.version > 0 ? `Version ${app.version}` : 'No version yet';
  const rest = ENDED.has(app.status) ? '' : ` · ${app.live} of 5 live`;
  return html`<li><a class="app" href=${`/s/${app.slug}`}><b class="clip">${app.title}</b><span class="app-state">${glyph(state)} ${text}</span>
    <span class="tiny faint">${version}${rest}</span></a>${ENDED.has(app.status) ? html`<a class="app-receipt" href=${`/s/${app.slug}/receipt`}>Receipt<span class="sr"> of ${app.title}</span></a>` : nothing}</li>`;
}

export function apps(list, now) {
  return html`${list.length === 0
    ? html`<p class="small dim"><b>Nothing here yet.</b> What you build in this browser is listed here.</p>`
    : html`<ul class="apps">${list.map((app) => entry(app, now))}</ul>`}
    ${list.length > 0 ? html`<p class="small dim">Known by a cookie of this browser only.</p>` : nothing}`;
}
