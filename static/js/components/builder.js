/* The builder page: bar, conversation, split, panel with its tabs, versions, and the two panes of a phone. */

import { html, nothing } from '../lit.js';
import { running } from '../format.js';
import { icon, glyph } from './glyphs.js';
import { tally } from './chips.js';
import { topbar } from './topbar.js';
import { conversation } from './conversation.js';
import { preview } from './preview.js';
import { backend, backendStrip } from './backend.js';
import { versions } from './versions.js';
import { dialog } from './dialogs.js';
import { connectionLine } from './status.js';

const TABS = [
  ['preview', 'Preview', 'frame', 'panel'],
  ['backend', 'Backend', 'server', 'backend'],
  ['versions', 'Versions', 'repo', 'versions'],
];

/** Which tab the address names, and whether it names the panel at all (on a phone one of two panes is shown). */
export function place(hash) {
  const name = hash.replace(/^#/, '');
  const tab = TABS.find(([, , , id]) => id === name);
  return { tab: tab ? tab[0] : 'preview', panel: tab !== undefined };
}

function tabs(model, act, tab) {
  const failed = model.session.legs.some((leg) => leg.state === 'failed');
  const extra = {
    backend: failed ? glyph('failed', 'one service failed') : nothing,
    versions: model.session.versions.length > 0 ? html`<span class="tally">${model.session.versions.length}<span class="sr"> versions</span></span>` : nothing,
  };
  return html`<div class="tabs" role="tablist" aria-label="The app" @keydown=${act.tabKey}>${TABS.map(([name, label, sign, id]) => html`
    <button class="tab" type="button" role="tab" id=${`tab-${name}`} aria-controls="pane" aria-selected=${tab === name ? 'true' : 'false'} tabindex=${tab === name ? nothing : '-1'}
      @click=${() => act.go(id)}>${icon(sign)} ${label} ${extra[name] ?? nothing}</button>`)}</div>`;
}

const closedNote = (session) => session.state === 'open' ? nothing : html`<div class="line-status line-quiet" role="status">${
  session.state === 'closing' ? html`${glyph('creating')} <span><b>Ending.</b> Each service is deleted and looked for again.</span>`
    : html`${glyph('gone')} <span><b>This session has ended.</b> Everything it owned is verified gone. The conversation can still be read.</span><a class="btn btn-small push" href="/">Start a new app</a>`}</div>`;

function panes(model, onPanel) {
  const { session, ui, now } = model;
  const turn = session.running;
  const doing = turn ? `running, ${running(now - Date.parse(turn.startedAt))}` : session.current ? `version ${session.current.number}` : 'nothing asked yet';
  const shown = ui.preview.ready ? 'Preview, ready' : tally(session.legs);
  return html`<nav class="panes" aria-label="Panes">
    <a href="#conversation" aria-current=${onPanel ? nothing : 'true'}>Conversation<small>${doing}</small></a>
    <a href="#panel" aria-current=${onPanel ? 'true' : nothing}>App<small>${shown}</small></a></nav>`;
}

function rail(model, act) {
  return html`<aside class="rail" aria-label="Versions">
    <div class="rail-head"><h2 class="h-small">Versions</h2><button class="btn btn-bare btn-icon btn-small push" type="button" aria-label="Close the versions" @click=${act.toggleRail}>${icon('x')}</button></div>
    ${versions(model, act)}</aside>`;
}

export function builder(model, act) {
  const { ui } = model;
  const { tab, panel } = place(ui.hash);
  const hidden = (name) => (tab === name ? nothing : 'hidden');
  const showRail = ui.rail && tab !== 'versions';
  return html`<div class=${`builder ${showRail ? 'with-rail' : ''}`} data-pane=${panel ? 'panel' : 'conversation'}>
    <a class="skip" href="#prompt">Skip to the prompt</a>
    ${topbar(model, act)}
    <div class="lines-status">${connectionLine(ui, act)}${closedNote(model.session)}</div>
    <main class="bench">
      ${conversation(model, act)}
      <div class="split" role="separator" tabindex="0" aria-orientation="vertical" aria-label="Width of the conversation" aria-controls="conversation"
        aria-valuenow=${ui.split} aria-valuemin="20" aria-valuemax="60" aria-valuetext=${`${ui.split} percent`} @pointerdown=${act.splitDown} @keydown=${act.splitKey}></div>
      <div class="live" id="panel-side">
        ${backendStrip(model, act, tab === 'preview' && model.session.previewUrl === null)}
        <section class="panel" aria-label="The app">${tabs(model, act, tab)}
          <div class="pane" id="pane" role="tabpanel" aria-labelledby=${`tab-${tab}`}>
            <div class="pane-in" ?hidden=${hidden('preview') !== nothing}>${preview(model, act)}</div>
            ${tab === 'backend' ? backend(model, act) : nothing}
            ${tab === 'versions' ? html`<div class="parts" tabindex="0" role="region" aria-label="Versions">${versions(model, act)}</div>` : nothing}
          </div></section></div>
      ${showRail ? rail(model, act) : nothing}
    </main>
    ${panes(model, panel)}${dialog(model, act)}</div>`;
}
