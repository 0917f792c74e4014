/* The app in a frame of its own origin, its address, its width, and what it says of itself. */

import { html, nothing } from '../lit.js';
import { ago, duration, moment, plural } from '../format.js';
import { VENDORS, elapsed } from '../legs.js';
import { glyph, icon } from './glyphs.js';
import { waterfall, measure } from './waterfall.js';

const SANDBOX = 'allow-scripts allow-forms allow-same-origin allow-popups allow-modals allow-downloads';
const WIDTHS = [
  ['desktop', 'Desktop, full width'],
  ['tablet', 'Tablet, 820 px'],
  ['phone', 'Phone, 390 px'],
];

function bar(model, act) {
  const { ui } = model;
  const base = ui.preview.base ? new URL(ui.preview.base) : null;
  return html`<div class="addr-bar">
    <button class="btn btn-bare btn-icon" type="button" aria-label="Reload the app" aria-disabled=${base ? nothing : 'true'}
      title=${base ? 'Reload the app' : 'There is no app to reload yet'} @click=${act.reloadPreview}>${icon('reload')}</button>
    <span class="addr">${icon('frame')}<span class="clip" title=${ui.preview.base || nothing}>${
      base ? html`<span class="only-roomy">${base.host}</span><b>${ui.preview.path}</b>` : html`<span>${model.session.state === 'open' ? 'no address yet' : 'no address any more'}</span>`}</span></span>
    <span class="seg" role="group" aria-label="Width of the app">${WIDTHS.map(([name, label]) => html`
      <button class="btn btn-icon" type="button" aria-pressed=${ui.width === name ? 'true' : 'false'} aria-label=${label} title=${label}
        @click=${() => act.setWidth(name)}>${icon(name)}</button>`)}</span>
    ${base ? html`<a class="btn btn-bare btn-icon" href=${ui.preview.base} target="_blank" rel="noopener" aria-label="Open the app in a new tab" title="Open the app in a new tab">${icon('ext')}</a>` : nothing}
  </div>`;
}

const stateBox = (body, extra = '') => html`<div class=${`stage-state ${extra}`}><div class="state-body">${body}</div></div>`;

const receiptOf = (slug) => `/s/${slug}/receipt`;

/** What was destroyed, and when it was looked for again. */
function receipt(told, slug) {
  const rows = told?.resources.filter((one) => one.verified_at) ?? [];
  return html`<h3>${glyph('gone')} Everything is gone</h3>
    ${rows.length > 0 ? html`<ul class="key">${rows.map((one) => html`<li>${glyph('gone')}<b>${VENDORS[one.provider]?.name ?? one.provider}</b>
      <span>${one.kind.replaceAll('_', ' ')}</span><span class="num faint">${new Date(one.verified_at).toLocaleTimeString('en-GB')}</span></li>`)}</ul>
      <p>Each was read again at that time and not found.</p>` : html`<p>The session has ended, and its sandbox with it.</p>`}
    <span class="btns"><a class="btn btn-main" href="/">Start a new app</a><a class="btn" href=${receiptOf(slug)}>Receipt</a></span>`;
}

/** What stands where the app will be: null when the app itself can. */
function instead(model, act) {
  const { session, ui, now } = model;
  if (session.state === 'closed') return stateBox(receipt(ui.receipt, session.slug));
  if (session.state === 'closing') return stateBox(html`<h3>${glyph('creating')} Ending</h3><p>The sandbox and everything else of this session is being deleted, and looked for again afterwards.</p>
    <span class="btns"><a class="btn" href=${receiptOf(session.slug)}>How far it is</a></span>`);
  const sandbox = session.sandbox?.state;
  if (sandbox === 'lost' || sandbox === 'gone') {
    return stateBox(html`<h3>${glyph('failed')} The sandbox is lost</h3><p>It no longer exists at its vendor. Another one is made and gets the files of the last version from the repository; the database is untouched.</p>`);
  }
  if (sandbox === 'paused') {
    return stateBox(html`<h3>${glyph('creating')} Waking the app</h3><p>Its sandbox slept while nobody looked. The app appears here as soon as it runs again, just as it was.</p>`);
  }
  const leg = session.legs.find((one) => one.provider === 'e2b');
  if (leg.state === 'failed') {
    return stateBox(html`<h3>${glyph('failed')} No sandbox</h3><p>${leg.error?.message ?? 'The sandbox could not be started.'} Without it nothing can be built.</p>
      <span class="btns"><button class="btn btn-main" type="button" @click=${() => act.retry('e2b')}>${icon('reload')} Retry E2B</button></span>`);
  }
  if (session.previewUrl === null) {
    const settled = session.legs.every((one) => one.state === 'ready' || one.state === 'failed');
    if (!settled) return html`<div class="stage-state"><div class="stage-fall"><h3 class="h-small">The backend is starting</h3>
      ${waterfall(measure(session.legs, session.openedAt, now, model.usual), model.deadlines)}</div></div>`;
    const since = elapsed(leg, now);
    return stateBox(html`<h3>${glyph('creating')} Starting the dev server</h3><p>The sandbox was up after ${duration(since ?? 0)}. The app appears here as soon as it answers.</p>`);
  }
  if (ui.preview.probe === 'unreachable') {
    return stateBox(html`<h3>${glyph('failed')} The preview does not answer</h3><p>This browser could not reach <span class="mono">${session.previewUrl}</span>. It is tried again every few seconds; the builder does not need it.</p>
      <span class="btns"><button class="btn btn-main" type="button" @click=${act.probeNow}>${icon('reload')} Try now</button></span>`);
  }
  if (!ui.preview.base) return stateBox(html`<h3>${glyph('creating')} Reaching the preview</h3><p>Asking <span class="mono">${session.previewUrl}</span>.</p>`);
  return null;
}

function strip(model) {
  const { session, ui, now } = model;
  const { preview } = ui;
  if (!preview.base) return nothing;
  const state = preview.ready ? 'ready' : 'creating';
  const said = preview.ready ? 'Ready' : preview.loaded ? 'Loaded, waiting for the app to say it is ready' : 'Loading';
  const version = session.current;
  return html`<div class="strip"><span class="with" role="status">${glyph(state)} <span>${said}</span></span>
    ${preview.ready && preview.title ? html`<span class="dim clip strip-title">${preview.title}</span>` : nothing}
    ${version ? html`<span class="dim only-roomy">version ${version.number}, ${ago(now - Date.parse(version.at))}</span>` : nothing}
    ${preview.fallback ? html`<span class="faint only-roomy" title="This browser does not resolve names below localhost">by its own port</span>` : nothing}
    ${preview.ready ? html`<span class="push faint num only-roomy">since ${moment(preview.readyAt)}</span>` : nothing}</div>`;
}

function complaints(model, act) {
  const { errors } = model.ui.preview;
  if (errors.length === 0) return nothing;
  const last = errors.at(-1);
  return html`<div class="strip strip-warn">${glyph('stuck', 'Warning')}
    <span class="clip"><b>${plural(errors.length, 'error')} in the app</b> <span class="mono">${last.message}${last.where ? `, ${last.where}` : ''}</span></span>
    <button class="btn btn-small push" type="button" @click=${act.proposeFix}>Put a fix in the prompt</button></div>`;
}

export function preview(model, act) {
  const { ui, session } = model;
  const other = instead(model, act);
  return html`${bar(model, act)}
    <div class="stage" data-width=${ui.width}>
      ${other ?? html`<iframe class="frame" id="app-frame" title=${`Preview of ${session.title}`} sandbox=${SANDBOX}
        src=${ui.preview.src} @load=${act.frameLoaded}></iframe>`}</div>
    ${other ? nothing : strip(model)} ${complaints(model, act)}`;
}
