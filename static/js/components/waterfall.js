/* The waterfall: one ruler, every leg on it, and below it what the same work would have cost one after another. Bars are
   SVG rects placed by attributes in percent, so no inline style is needed. */

import { html, nothing, repeat, svg } from '../lit.js';
import { VENDORS, doing, elapsed, isMoving, isQueued, isSettled, queuedFor } from '../legs.js';
import { count, duration } from '../format.js';
import { glyph, word } from './glyphs.js';

const STEPS = [100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];
const APART = 30_000; // a leg begun this much later is a second try: it is drawn from the ruler's start

/** Everything the drawing needs, in milliseconds since the first call left. Pure. */
export function measure(legs, openedAt, now, usual) {
  const begun = legs.flatMap((leg) => leg.steps.map((step) => step.startedAt));
  const opened = Date.parse(openedAt ?? '');
  const zero = begun.length > 0 ? Math.min(...begun, Number.isFinite(opened) ? opened : Infinity) : opened || now;
  const rows = legs.map((leg) => {
    const spent = elapsed(leg, now);
    const start = leg.steps[0] ? leg.steps[0].startedAt - zero : 0;
    return { leg, spent, start: start > APART || start < 0 ? 0 : start, usual: usual[leg.provider] ?? null };
  });
  const wall = Math.max(0, ...rows.map((row) => (row.spent === null ? 0 : row.start + row.spent)));
  const sum = rows.reduce((total, row) => total + (row.spent ?? 0), 0);
  const moving = legs.some((leg) => isMoving(leg));
  const expected = moving ? Math.max(0, ...rows.map((row) => (isMoving(row.leg) ? row.start + (row.usual ?? 0) : 0))) : 0;
  const step = STEPS.find((one) => Math.max(sum, wall, expected, 400) / one <= 8) ?? 120_000;
  const full = Math.ceil((Math.max(sum, wall, expected, 400) * 1.02) / step) * step;
  return { now, rows, wall, sum, full, step, moving, settled: legs.every((leg) => isSettled(leg)) };
}

const share = (value, full) => `${Math.min(100, Math.max(0, (value / full) * 100)).toFixed(2)}%`;
const ms = (value, full) => (full > 60_000 ? duration(value) : count(Math.round(value)));

function ruler(m) {
  const marks = [];
  for (let at = 0; at <= m.full; at += m.step) marks.push(at);
  const every = Math.ceil(marks.length / 5);
  const near = (at) => m.moving && Math.abs(at - m.wall) < m.full * 0.09;
  const shown = marks.filter((at, index) => (index % every === 0 || at === m.full) && !near(at));
  const anchor = (at) => (at === 0 ? 'start' : at === m.full ? 'end' : 'middle');
  return html`
    <svg class="fall-grid" aria-hidden="true">
      ${marks.map((at) => svg`<line x1=${share(at, m.full)} x2=${share(at, m.full)} y1="0" y2="100%"/>`)}
      ${m.moving ? svg`<line class="now" x1=${share(m.wall, m.full)} x2=${share(m.wall, m.full)} y1="0" y2="100%"/>` : nothing}
    </svg>
    <div class="fall-row fall-ruler" role="presentation"><svg aria-hidden="true">
      ${shown.map((at) => svg`<text x=${share(at, m.full)} y="12" text-anchor=${anchor(at)}>${at === 0 ? '0 ms' : ms(at, m.full)}</text>`)}
      ${m.moving ? svg`<text class="now-label" x=${share(m.wall, m.full)} y="12" text-anchor=${m.wall < m.full * 0.04 ? 'start' : 'middle'}>now</text>` : nothing}
    </svg></div>`;
}

function bars(row, m) {
  const { leg } = row;
  if (row.spent === null) return nothing;
  const width = (value) => share(Math.max(value, m.full * 0.0075), m.full);
  const tone = leg.state === 'failed' ? 'bar-failed' : leg.state === 'planned' ? 'bar-unreal' : isMoving(leg) ? 'bar-moving' : 'bar';
  const second = leg.steps.length > 1 ? leg.steps[1].startedAt - leg.steps[0].startedAt : 0;
  const first = second > 0 && second < row.spent ? second : row.spent;
  const rest = isMoving(leg) && row.usual !== null && row.usual > row.spent ? row.usual - row.spent : 0;
  return svg`
    <rect class=${first < row.spent && tone !== 'bar-moving' ? 'bar' : tone} x=${share(row.start, m.full)} y="0" width=${width(first)} height="12" rx="1.5"/>
    ${first < row.spent ? svg`<rect class=${tone === 'bar' ? 'bar-next' : tone} x=${share(row.start + first, m.full)} y="0" width=${width(row.spent - first)} height="12" rx="1.5"/>` : nothing}
    ${rest > 0 ? svg`<rect class="bar-usual" x=${share(row.start + row.spent, m.full)} y="0" width=${share(rest, m.full)} height="12" rx="1.5"/>` : nothing}`;
}

/** Why a leg is not there yet: what it waits for, what is usual, and what happens if it does not come. */
function waiting(row, deadlines, now) {
  const { leg } = row;
  const vendor = VENDORS[leg.provider];
  if (leg.state === 'failed') return `${leg.error?.message ?? 'It could not be made.'} ${vendor.without}`;
  if (isQueued(leg)) {
    const meanwhile = leg.provider === 'e2b' ? vendor.without : 'It joins when it is up.';
    return `Queued, ${queuedFor(leg, now)}: ${vendor.name} takes only so many at a time. ${meanwhile}`;
  }
  if (leg.state === 'unknown') return 'No clear answer yet: looking for what was made, and going on from there.';
  if (leg.state !== 'creating') return '';
  const usual = row.usual ? ` Usually ${duration(row.usual)}.` : '';
  const limit = deadlines[leg.provider];
  return `${doing(leg)}.${usual}${limit ? ` After ${limit} s the app goes on without it.` : ''}`;
}

function legRow(row, m, deadlines) {
  const { leg } = row;
  const vendor = VENDORS[leg.provider];
  // A line below the bar is shown only once a leg takes noticeably long: rows that come and go in a blink would jump.
  const late = leg.state === 'failed' || leg.state === 'unknown' || isQueued(leg) || (row.spent !== null && row.spent > 1500);
  const why = late ? waiting(row, deadlines, m.now) : '';
  return html`<div class="fall-row" role="listitem" data-provider=${leg.provider} data-state=${leg.state}>
    <span class="fall-what">${glyph(leg.state, isQueued(leg) ? 'queued' : word(leg.state))} <b>${vendor.role}</b> <span>${vendor.name}</span></span>
    <svg class="fall-track" aria-hidden="true">${bars(row, m)}</svg>
    <span class="fall-ms">${row.spent === null ? html`<span class="faint">–</span>` : html`<span class="num">${ms(row.spent, m.full)}<span class="unit">ms</span></span>`}</span>
    ${why ? html`<p class="fall-wait">${why}</p>` : nothing}</div>`;
}

function sequence(m) {
  let at = 0;
  const parts = m.rows.filter((row) => row.spent).map((row) => {
    const rect = svg`<rect class="bar-unreal" x=${share(at, m.full)} y="27" width=${share(row.spent, m.full)} height="12" rx="1.5"/>`;
    at += row.spent;
    return rect;
  });
  const saved = m.sum - m.wall;
  const wide = saved / m.full > 0.22;
  const middle = (m.sum + m.wall) / 2;
  return html`<div class="fall-row fall-seq" role="listitem">
    <span class="fall-what dim">One after another</span>
    <svg class="fall-track" aria-hidden="true">${parts}
      ${saved > m.full * 0.02 ? svg`<line class="bracket" x1=${share(m.wall, m.full)} x2=${share(m.sum, m.full)} y1="18" y2="18"/>
        <line class="bracket" x1=${share(m.wall, m.full)} x2=${share(m.wall, m.full)} y1="14" y2="22"/>
        <line class="bracket" x1=${share(m.sum, m.full)} x2=${share(m.sum, m.full)} y1="14" y2="22"/>
        <text class="saved-label" x=${share(wide ? middle : m.sum, m.full)} y="11" text-anchor=${wide ? 'middle' : 'end'}>${count(Math.round(saved))} ms saved${m.moving ? ' so far' : ''}</text>` : nothing}
    </svg>
    <span class="fall-ms dim"><span class="num">${ms(m.sum, m.full)}<span class="unit">ms</span></span></span></div>`;
}

/** The drawing itself. */
export function waterfall(m, deadlines) {
  return html`<div class="fall-box"><div class="fall" role="list" aria-label="Backend, by time since it began">
    ${ruler(m)} ${repeat(m.rows, (row) => row.leg.provider, (row) => legRow(row, m, deadlines))} ${sequence(m)}</div></div>`;
}

/** Two sentences about it, spoken when the number of live legs changes and not with every tick. */
export function verdict(m) {
  const live = m.rows.filter((row) => row.leg.state === 'ready').length;
  const failed = m.rows.filter((row) => row.leg.state === 'failed');
  const names = failed.map((row) => VENDORS[row.leg.provider].name).join(' and ');
  if (failed.length > 0 && m.settled) return html`<b>${live} of 5 live.</b> ${names} failed, and can be retried without touching the others.`;
  if (m.settled) return html`<b>5 of 5 live in ${duration(m.wall)}.</b> One after another the same work takes ${duration(m.sum)}.`;
  return html`<b>${live} of 5 live.</b>`;
}
