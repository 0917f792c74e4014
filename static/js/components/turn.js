/* One turn of the conversation: what was asked, what the agent said and did, and the card it ends in. */

import { html, nothing, repeat } from '../lit.js';
import { changes } from '../tools.js';
import { count, duration, money, plural } from '../format.js';
import { VENDORS } from '../legs.js';
import { glyph, icon } from './glyphs.js';
import { prose } from './prose.js';
import { tool } from './tool.js';

/* A prompt of this length may scroll in its box, on a phone; then the keyboard has to get at it. */
const LONG = /^(?:[^]{200}|(?:[^\n]*\n){5})/;

const NOTICE = { info: 'planned', warning: 'stuck', error: 'failed' };

/** Neighbouring tool calls make one block: [{kind, items | item}]. */
function blocks(items) {
  const made = [];
  for (const item of items) {
    const last = made.at(-1);
    if (item.kind !== 'tool') made.push({ kind: item.kind, item });
    else if (last?.kind === 'tools') last.items.push(item);
    else made.push({ kind: 'tools', items: [item] });
  }
  return made;
}

function drawn(block, now, over) {
  if (block.kind === 'tools') {
    return html`<div class="tools">${repeat(block.items, (item, index) => item.id || index, (item) => tool(item, now, over))}</div>`;
  }
  if (block.kind === 'notice') {
    return html`<p class=${`note note-${block.item.level}`} role=${block.item.level === 'error' ? 'alert' : nothing}>
      ${glyph(NOTICE[block.item.level] ?? 'planned')} <span>${block.item.text}</span></p>`;
  }
  return block.item.text.trim() ? prose(block.item.text) : nothing;
}

const HEADS = {
  done: (version) => (version ? `Version ${version.number} ${version.current ? 'is in the preview' : 'was made'}` : 'Finished, and no file changed'),
  failed: () => 'The turn failed',
  cancelled: () => 'Stopped',
};

function check(state, what, result, small = '') {
  return html`<li>${glyph(state)}<span>${what}</span><span class="num dim">${result}</span>${small ? html`<small>${small}</small>` : nothing}</li>`;
}

/** What is known about the result, and what is not: a check that nobody made is listed as not made. */
function checks(turn, sum, version, model) {
  const errors = model.preview.errors.length;
  const current = model.latest && model.session.state === 'open';
  const mail = model.session.legs.find((leg) => leg.provider === 'resend');
  return html`<ul class="checks">
    ${version ? check('ready', `Saved as version ${version.number}`, html`<code>${version.sha.slice(0, 7)}</code>`) : check('gone', 'Saved as a version', 'no', turn.state === 'done' ? 'Nothing differs from the version before' : 'Only a finished turn is saved')}
    ${sum.calls > 0 ? check(sum.failed > 0 ? 'stuck' : 'ready', plural(sum.calls, 'tool call'), sum.failed > 0 ? `${sum.failed} answered with an error` : 'all answered') : nothing}
    ${!current ? nothing : model.preview.ready ? check(errors > 0 ? 'failed' : 'ready', 'App runs in the preview', errors > 0 ? plural(errors, 'error') : 'no errors') : check('gone', 'App runs in the preview', 'not seen yet', 'This browser has not heard from the app since it was loaded')}
    ${mail?.state === 'failed' && current ? check('gone', 'Mail', 'skipped', VENDORS.resend.without) : nothing}
  </ul>`;
}

function card(turn, version, model) {
  const sum = changes(turn.items);
  const said = turn.items.some((item) => item.kind === 'text' && item.text.trim() && item.text.includes(turn.summary.trim()));
  const state = turn.state === 'done' ? 'ready' : turn.state === 'failed' ? 'failed' : 'gone';
  return html`<section class="proof" data-state=${turn.state} aria-label=${`Result of turn ${turn.number}`} role=${turn.state === 'failed' ? 'alert' : nothing}>
    <div class="proof-head">${glyph(state)} <b>${HEADS[turn.state]?.(version) ?? turn.state}</b><span class="push dim">turn ${turn.number}</span></div>
    ${turn.summary.trim() && !said ? html`<div class="proof-text">${prose(turn.summary)}</div>` : nothing}
    ${checks(turn, sum, version, model)}
    <dl class="proof-foot">
      <div class="fig"><dt>Time</dt><dd>${duration(turn.durationMs)}</dd></div>
      <div class="fig"><dt>Cost</dt><dd>${money(turn.costUsd ?? 0)}${model.session.modelLocal ? html` <small>stand-in model</small>` : nothing}</dd></div>
      <div class="fig"><dt>Files</dt><dd>${count(sum.files)}</dd></div>
      <div class="fig"><dt>Lines</dt><dd>${sum.files > 0 ? html`<span class="add">+${count(sum.added)}</span> <span class="del">−${count(sum.removed)}</span>` : 'none'}</dd></div>
    </dl></section>`;
}

function folded(turn, work, model) {
  const sum = changes(turn.items);
  const text = sum.calls > 0 ? `${plural(sum.calls, 'tool call')}${sum.files > 0 ? ` in ${plural(sum.files, 'file')}` : ''}` : 'Steps';
  return html`<details class="fold" ?open=${model.watched}><summary>${icon('right')} ${text}
    ${sum.files > 0 ? html`<span class="add">+${sum.added}</span> <span class="del">−${sum.removed}</span>` : nothing}</summary>
    <div class="fold-body">${work.map((block) => drawn(block, model.now, true))}</div></details>`;
}

/** `model`: {session, now, preview, latest, watched} */
export function turn(one, model) {
  const over = one.state !== 'running' && one.state !== 'queued';
  const version = model.session.versions.find((item) => item.turn === one.number && item.kind !== 'restore') ?? null;
  const all = blocks(one.items);
  const lastWork = all.findLastIndex((block) => block.kind === 'tools');
  const work = over ? all.slice(0, lastWork + 1) : [];
  const rest = over ? all.slice(lastWork + 1) : all;
  return html`<article class="turn" aria-label=${`Turn ${one.number}, ${one.state}`} data-turn=${one.number} data-state=${one.state}>
    <div class="said"><p tabindex=${LONG.test(one.prompt) ? 0 : nothing}>${one.prompt}</p></div>
    ${work.length > 0 ? folded(one, work, model) : nothing}
    ${rest.map((block) => drawn(block, model.now, over))}
    ${over ? card(one, version, model) : nothing}</article>`;
}
