/* Where the next prompt is written, and above it the line that says what is going on now. */

import { html, live, nothing } from '../lit.js';
import { describe } from '../tools.js';
import { duration, money, running } from '../format.js';
import { VENDORS, isSettled } from '../legs.js';
import { glyph, icon } from './glyphs.js';

/** What the running turn is doing, in words: {verb, what, more, code}; `code`: `what` is a path or a command. */
export function activity(turn, session, usual) {
  const last = turn.items.at(-1);
  if (!last) {
    const open = session.legs.filter((leg) => !isSettled(leg));
    if (open.length > 0) {
      const names = open.map((leg) => VENDORS[leg.provider].name).join(' and ');
      const longest = Math.max(...open.map((leg) => usual[leg.provider] ?? 0));
      return { verb: 'Waiting for', what: names, more: longest > 0 ? `usually ${duration(longest)}` : '' };
    }
    return { verb: 'Starting', what: 'the builder' };
  }
  if (last.kind === 'tool' && last.until === null) return { verb: describe(last).verb, what: describe(last).what, code: true };
  if (last.kind === 'text') return { verb: 'Writing', what: 'its answer' };
  return { verb: 'Thinking', what: 'about the next step' };
}

export function runningLine(model, act) {
  const { session, now, ui } = model;
  const turn = session.running;
  if (!turn) return nothing;
  const told = activity(turn, session, model.usual);
  const stopping = ui.stoppingTurn === turn.number;
  const { budget_usd: budget, spent_usd: spent } = session.limits;
  return html`<div class="run">
    ${glyph('creating', 'running')}
    <span class="run-what clip" role="status"><b>${stopping ? 'Stopping' : told.verb}</b>
      <span class=${told.code && !stopping ? 'mono' : ''}>${stopping ? 'at the next safe moment' : told.what}</span>${told.more && !stopping ? html`<small>${told.more}</small>` : nothing}</span>
    <span class="run-fig num">${running(now - Date.parse(turn.startedAt))}<small>turn ${turn.number}</small></span>
    <span class="run-fig num">${money(spent ?? 0)}<small>${budget ? `of ${money(budget)}` : session.modelLocal ? 'stand-in' : 'so far'}</small></span>
    <button class="btn" type="button" @click=${act.stop} aria-disabled=${stopping ? 'true' : nothing}
      title=${stopping ? 'Stop has been asked for' : 'Stop this turn (Esc)'}>${icon('stop')} Stop</button></div>`;
}

/** Why no prompt can be taken now, or ''. */
export function blocked(model) {
  const { session } = model;
  if (session.state !== 'open') return 'This session has ended: it takes no more prompts.';
  if (session.limits.turns_left === 0) return 'All turns of the last 24 hours are used. Your text is kept here.';
  const { budget_usd: budget, spent_usd: spent } = session.limits;
  if (budget && spent >= budget) return `The ${money(budget)} of this session are used. Your text is kept here.`;
  return '';
}

function footnote(model) {
  const { session, ui } = model;
  if (ui.sending) return 'Sending';
  const stop = blocked(model);
  if (stop) return stop;
  if (session.running) return 'Sent when this turn is done';
  if (ui.status.state !== 'open') return 'Sent once the line is back';
  const { turns_left: left, budget_usd: budget, spent_usd: spent } = session.limits;
  const parts = [];
  if (budget) parts.push(`${money(spent ?? 0)} of ${money(budget)} used`);
  if (Number.isInteger(left)) parts.push(`${left} ${left === 1 ? 'turn' : 'turns'} left today`);
  return parts.join(', ') || html`<span class="keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> sends</span>`;
}

function queue(model, act) {
  const { ui, session } = model;
  if (!ui.queued) return nothing;
  return html`<div class="queue"><b>Next</b><span class="clip dim">${ui.queued}</span>
    ${session.running ? nothing : html`<button class="btn btn-small push" type="button" @click=${act.sendQueued}>Send now</button>`}
    <button class=${`btn btn-bare btn-small ${session.running ? 'push' : ''}`} type="button" @click=${act.editQueued}>Edit</button>
    <button class="btn btn-bare btn-icon btn-small" type="button" aria-label="Remove from the queue" @click=${act.dropQueued}>${icon('x')}</button></div>`;
}

export function composer(model, act) {
  const { ui, session } = model;
  const stop = blocked(model);
  const queues = session.running !== null && !ui.queued;
  const full = session.running !== null && Boolean(ui.queued);
  const reason = stop || (full ? 'One prompt is waiting already: it goes first.' : '');
  const label = queues ? 'Queue' : 'Send';
  return html`<div class="compose">
    ${queue(model, act)}
    ${ui.refusal ? html`<p class="note note-error" role="alert">${glyph('failed')} <span>${ui.refusal.message}</span></p>` : nothing}
    <form class="box" aria-label="Prompt" @submit=${act.submitPrompt}>
      <label class="sr" for="prompt">Next prompt</label>
      <textarea id="prompt" rows="2" placeholder=${session.turns.length > 0 ? 'What should change next?' : 'What should the app do?'}
        .value=${live(ui.prompt)} @input=${act.typePrompt} @keydown=${act.promptKey} aria-describedby="prompt-note"></textarea>
      <div class="box-foot"><span id="prompt-note" class="num">${reason || footnote(model)}</span>
        <button class=${`btn push ${queues ? '' : 'btn-main'}`} type="submit" aria-disabled=${reason || ui.sending ? 'true' : nothing}
          title=${reason || nothing} aria-describedby="prompt-note">${icon(queues ? 'plus' : 'send')} ${label}</button></div>
    </form></div>`;
}
