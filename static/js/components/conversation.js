/* The conversation: turns, the running line, the composer. */

import { html, nothing, repeat } from '../lit.js';
import { glyph } from './glyphs.js';
import { composer, runningLine } from './composer.js';
import { turn } from './turn.js';

function nothingYet(model) {
  const done = model.session.legs.every((leg) => leg.state === 'ready');
  return html`<div class="talk-empty"><h2 class="h-small">Nothing asked yet</h2>
    <p class="dim">${done ? 'The backend is live.' : 'The backend is starting.'} Say what the app should do, and the builder begins.</p></div>`;
}

function unsent(text) {
  return html`<article class="turn" aria-label="Prompt being sent"><div class="said"><p>${text}</p></div>
    <p class="turn-head">${glyph('creating')} <span>Sending</span></p></article>`;
}

export function conversation(model, act) {
  const { session, ui, now } = model;
  const last = session.turns.at(-1)?.number;
  const one = (item) => turn(item, {
    session, now, preview: ui.preview, latest: item.number === last, watched: ui.watched.has(item.number),
  });
  const empty = session.turns.length === 0 && !ui.sending;
  return html`<section class="chat" id="conversation" aria-label="Conversation">
    <div class="talk" tabindex="0" role="log" aria-label="Messages" aria-live="off">
      ${session.notices.map((item) => html`<p class=${`note note-${item.level}`}>${glyph(item.level === 'error' ? 'failed' : 'stuck')} <span>${item.text}</span></p>`)}
      ${empty ? nothingYet(model) : repeat(session.turns, (item) => item.number, one)}
      ${ui.sending ? unsent(ui.sending.text) : nothing}
    </div>
    ${runningLine(model, act)} ${composer(model, act)}</section>`;
}
