/* A tool call of the agent: one line, which opens to the change it made, or to what went in and what came out. */

import { html, nothing } from '../lit.js';
import { describe } from '../tools.js';
import { duration, running } from '../format.js';
import { glyph, icon } from './glyphs.js';

const SHOWN = 400; // lines of a diff or an output put into the page

function diff(rows, file) {
  let before = 0;
  let after = 0;
  const numbered = rows.slice(0, SHOWN).map((row) => {
    if (row.kind !== '+') before += 1;
    if (row.kind !== '-') after += 1;
    const number = row.kind === '-' ? before : after;
    const tone = row.kind === '+' ? 'plus' : row.kind === '-' ? 'minus' : '';
    return html`<span class=${tone}><i>${number}</i><b>${row.kind}</b> ${row.text}</span>`;
  });
  const rest = rows.length - SHOWN;
  return html`<div class="diff" tabindex="0" role="region" aria-label=${`Change in ${file}`}>${numbered}${
    rest > 0 ? html`<span class="faint">${rest} more lines</span>` : nothing}</div>`;
}

function block(title, text) {
  if (!text) return nothing;
  return html`<div class="tool-part"><h4>${title}</h4><pre class="lines" tabindex="0">${text}</pre></div>`;
}

function inputOf(item) {
  if (item.input === null || typeof item.input !== 'object') return '';
  if (typeof item.input.command === 'string') return item.input.command;
  const text = JSON.stringify(item.input, null, 2);
  return text === '{}' ? '' : text;
}

/** What opens below the fold is brought into sight. */
const toggled = (event) => event.target.open && event.target.scrollIntoView({ block: 'nearest' });

/** One call; `now` runs its clock while it has no result. `over`: its turn has ended. */
export function tool(item, now, over) {
  const told = describe(item);
  const going = item.until === null && !over;
  const took = item.until === null ? (over ? '' : running(now - Date.parse(item.at))) : duration(Date.parse(item.until) - Date.parse(item.at));
  return html`<details class="tool" data-tool=${item.name} @toggle=${toggled}>
    <summary>
      ${going ? glyph('creating', 'running') : item.ok === false ? glyph('failed', 'failed') : icon(told.icon)}
      <span class="verb">${told.verb}</span><span class="what clip">${told.what}</span>
      <span class="num tiny">${told.diff ? html`<span class="add">+${told.added}</span>${told.removed > 0 ? html` <span class="del">−${told.removed}</span>` : nothing}` : nothing}</span>
      <span class="ms num">${took}</span>
    </summary>
    <div class="tool-body">
      ${told.diff ? diff(told.diff, told.file) : block('In', inputOf(item))}
      ${block(item.ok === false ? 'Error' : 'Out', told.diff && item.ok !== false ? '' : item.output)}
      ${item.until === null ? html`<p class="tool-note">${going ? 'No answer yet.' : 'The turn ended before this answered.'}</p>` : nothing}
    </div></details>`;
}
