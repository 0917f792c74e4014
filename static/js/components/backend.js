/* The backend: five legs with state and time, what failed and what that means, and under its tab the names in `.env`
   and the repository. */

import { html, nothing, repeat } from '../lit.js';
import { duration } from '../format.js';
import { VENDORS, elapsed, isMoving, isQueued, queuedFor } from '../legs.js';
import { glyph, icon, word } from './glyphs.js';
import { where } from './chips.js';
import { measure, verdict, waterfall } from './waterfall.js';

/** An error in four parts: what stopped, what still works, what to do, a reference. */
function why(leg, act) {
  const vendor = VENDORS[leg.provider];
  const error = leg.error ?? {};
  const next = error.next || (error.retryable === false ? '' : 'Press Retry to try it again; the other services stay as they are.');
  return html`<div class="back-why" role="alert" data-provider=${leg.provider}>${glyph('failed')}
    <div><p><b>${error.message || `${vendor.name} could not be made.`}</b></p>
      <p>${error.message ? '' : vendor.without} ${next} ${error.reference ? html`<span class="mono tiny">ref ${error.reference}</span>` : nothing}</p></div>
    <span class="btns"><button class="btn btn-main" type="button" @click=${() => act.retry(leg.provider)}>${icon('reload')} Retry ${vendor.name}</button></span></div>`;
}

/** The word of a leg's state and, behind it, how long: what it took, or how long it still queues. */
function standing(leg, now) {
  if (isQueued(leg)) return html`queued<span class="num">, ${queuedFor(leg, now)}</span>`;
  const time = elapsed(leg, now);
  const shown = isMoving(leg) ? duration(Math.floor(time / 100) * 100) : duration(time);
  return html`${word(leg.state)}${time === null || leg.state === 'gone' ? nothing : html`<span class="num">, ${shown}</span>`}`;
}

function cell(leg, now) {
  return html`<div class=${`back-leg ${leg.state === 'failed' ? 'is-failed' : ''}`} data-provider=${leg.provider} data-state=${leg.state}>
    <b>${glyph(leg.state)} ${VENDORS[leg.provider].name}</b>${standing(leg, now)}</div>`;
}

/** The strip above the panel: there while anything is not at rest, so that a finished backend takes no room. `drawn`: the
    waterfall is in sight anyway, and the strip waits until something failed. */
export function backendStrip(model, act, drawn) {
  const { session, now } = model;
  if (session.state !== 'open' || session.legs.every((leg) => leg.state === 'ready')) return nothing;
  const failed = session.legs.filter((leg) => leg.state === 'failed');
  if (drawn && failed.length === 0) return nothing;
  return html`<section class="back" aria-label="Backend">
    <div class="back-legs">${session.legs.map((leg) => cell(leg, now))}</div>
    ${repeat(failed, (leg) => leg.provider, (leg) => why(leg, act))}</section>`;
}

function row(leg, now) {
  const vendor = VENDORS[leg.provider];
  const time = elapsed(leg, now);
  return html`<tr data-provider=${leg.provider}><th scope="row"><span class="with">${glyph(leg.state)} ${vendor.role}</span></th>
    <td>${isQueued(leg) ? `queued, ${queuedFor(leg, now)}` : word(leg.state)}</td><td>${vendor.name} ${where(leg.local)}</td><td class="end num">${time === null ? '' : duration(time)}</td>
    <td class="mono fill clip">${leg.url ? html`<a href=${/^https?:/.test(leg.url) ? leg.url : nothing} target="_blank" rel="noopener noreferrer">${leg.name}</a>` : leg.name}</td></tr>`;
}

const HIDDEN = html`<span class="faint" role="img" aria-label="hidden">••••••••••••</span>`;

function secretRow(name, model, act) {
  const { secrets, copied } = model.ui;
  const value = secrets.values?.get(name);
  return html`<tr><th scope="row" class="mono">${name}</th>
    <td class="mono fill secret">${secrets.values ? (value ?? html`<span class="faint">not in the file</span>`) : HIDDEN}</td>
    <td class="end">${value === undefined ? nothing : html`<button class="btn btn-bare btn-small" type="button" aria-label=${`Copy the value of ${name}`}
      @click=${() => act.copy(`env:${name}`, value)}>${icon('copy')} <span class="only-roomy">${copied === `env:${name}` ? 'Copied' : 'Copy'}</span></button>`}</td></tr>`;
}

function environment(model, act) {
  const { session, ui } = model;
  const { secrets } = ui;
  if (session.env.length === 0) {
    return html`<p class="dim small">${session.state === 'open' ? 'Written once the services have settled.' : 'Nothing is left to show: the credentials were revoked.'}</p>`;
  }
  const left = secrets.values ? Math.max(0, Math.ceil((secrets.until - Date.now()) / 1000)) : 0;
  return html`
    <div class="part-head"><p class="dim small">${session.env.length} names in <code>/app/.env</code>. The values stay in the sandbox until you ask for them.</p>
      <span class="btns push">
        ${secrets.values ? html`<button class="btn btn-small" type="button" @click=${() => act.copy('env', secrets.text)}>${icon('copy')} ${ui.copied === 'env' ? 'Copied' : 'Copy file'}</button>` : nothing}
        <button class="btn btn-small" type="button" aria-pressed=${secrets.values ? 'true' : 'false'} @click=${secrets.values ? act.hideSecrets : act.revealSecrets}>
          ${icon('read')} ${secrets.values ? `Hide, ${left} s left` : secrets.loading ? 'Reading' : 'Show values'}</button></span></div>
    ${secrets.error ? html`<p class="note note-error" role="alert">${glyph('failed')} <span>${secrets.error}</span></p>` : nothing}
    <div class="scroll" tabindex="0" role="region" aria-label="Names in .env"><table class="grid"><caption class="sr">Names and values of the .env file</caption>
      <tbody>${repeat(session.env, (name) => name, (name) => secretRow(name, model, act))}</tbody></table></div>`;
}

function repository(model, act) {
  const { clone } = model.session;
  const git = model.session.legs.find((leg) => leg.provider === 'github');
  if (!clone || git.state !== 'ready' || model.session.state !== 'open') return html`<p class="dim small">${git.state === 'failed' ? VENDORS.github.without : 'There is no repository to clone yet.'}</p>`;
  const { copied } = model.ui;
  return html`<div class="copy-line"><code class="clip">${clone.command}</code>
    <button class="btn btn-small" type="button" @click=${() => act.copy('clone', clone.command)}>${icon('copy')} ${copied === 'clone' ? 'Copied' : 'Copy'}</button></div>
    <div class="part-head"><p class="dim small">One commit for each version. Git asks for a password, which ends with the session.</p>
      <button class="btn btn-small push" type="button" @click=${act.copyClone}>${icon('copy')} ${copied === 'clone-key' ? 'Copied' : 'Copy with the password'}</button></div>`;
}

/** The whole tab. */
export function backend(model, act) {
  const { session, now } = model;
  const m = measure(session.legs, session.openedAt, now, model.usual);
  return html`<div class="parts" tabindex="0" role="region" aria-label="Backend details">
    <section class="part" aria-labelledby="legs-h"><h2 class="h-small" id="legs-h">Services</h2>
      <div class="scroll" tabindex="0" role="region" aria-label="Services of this session"><table class="grid">
        <thead><tr><th scope="col">Service</th><th scope="col">State</th><th scope="col">Vendor</th><th scope="col" class="end">Took</th><th scope="col">Name there</th></tr></thead>
        <tbody>${session.legs.map((leg) => row(leg, now))}</tbody></table></div></section>
    <section class="part" aria-labelledby="env-h"><h2 class="h-small" id="env-h">Environment</h2>${environment(model, act)}</section>
    <section class="part" aria-labelledby="repo-h"><h2 class="h-small" id="repo-h">Repository</h2>${repository(model, act)}</section>
    ${session.state === 'open' && m.wall > 0 ? html`<section class="part" aria-labelledby="fall-h"><h2 class="h-small" id="fall-h">How it started</h2>
      ${waterfall(m, model.deadlines)}<p class="small dim">${verdict(m)}</p></section>` : nothing}</div>`;
}
