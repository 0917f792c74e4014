/* The versions of the app, newest first, and the way back to each. */

import { html, nothing, repeat } from '../lit.js';
import { changes } from '../tools.js';
import { moment, plural } from '../format.js';
import { glyph, icon } from './glyphs.js';

function meta(version, session) {
  const turn = session.turns.find((one) => one.number === version.turn);
  const sum = turn ? changes(turn.items) : null;
  return html`<div class="ver-meta"><span class="num">${moment(version.at)}</span><span class="mono">${version.sha.slice(0, 7)}</span>
    ${sum && sum.files > 0 ? html`<span><span class="add">+${sum.added}</span> <span class="del">−${sum.removed}</span> in ${plural(sum.files, 'file')}</span>` : nothing}
    ${version.kind === 'restore' && version.restores !== null ? html`<span>the files of version ${version.restores}</span>` : nothing}</div>`;
}

function entry(version, model, act) {
  const { session } = model;
  const wait = session.running ? 'Waits for the running turn' : session.state === 'open' ? '' : 'The session has ended';
  return html`<li class="ver" aria-current=${version.current ? 'true' : nothing} data-version=${version.number}>
    <div><h3>Version ${version.number} ${version.current ? html`<span class="badge badge-ok">${glyph('ready')} now</span>` : nothing}</h3><p>${version.message}</p></div>
    ${meta(version, session)}
    ${version.current ? nothing : html`<div class="ver-body"><button class="btn btn-small" type="button" aria-disabled=${wait ? 'true' : nothing} title=${wait || nothing}
      @click=${() => !wait && act.ask({ kind: 'restore', number: version.number })}>Go to version ${version.number}</button></div>`}</li>`;
}

export function versions(model, act) {
  const { session, ui } = model;
  return html`
    ${ui.moving ? html`<p class="note" role="status">${glyph('creating')} <span>Putting the files of version ${ui.moving.target} back</span></p>` : nothing}
    ${session.versions.length === 0 ? html`<div class="state-body"><h3>No version yet</h3><p>Each turn that changes a file ends in one. You can go back to any of them.</p></div>` : html`<ol>
      ${repeat(session.versions, (version) => version.number, (version) => entry(version, model, act))}</ol>`}`;
}

/** Undo and redo, with the reason while they cannot be used. */
export function undoRedo(model, act) {
  const { session, history } = model;
  const button = (kind, name, target, none) => {
    const reason = session.state !== 'open' ? 'The session has ended' : session.running ? `${name} waits for the running turn` : target === null ? none : '';
    return html`<button class="btn btn-bare btn-icon not-phone" type="button" aria-label=${reason ? `${name}: ${reason}` : `${name}: go to version ${target}`}
      aria-disabled=${reason ? 'true' : nothing} title=${reason || `${name}: go to version ${target}`}
      @click=${() => !reason && act.ask({ kind, number: target })}>${icon(kind)}</button>`;
  };
  return html`${button('undo', 'Undo', history.undo, 'Nothing to undo')}${button('redo', 'Redo', history.redo, 'Nothing to redo')}`;
}
