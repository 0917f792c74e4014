/* What the components draw: the newest snapshot and the folded log laid over each other. Pure. */

import { legsOf } from './legs.js';

const FINAL = new Set(['done', 'failed', 'cancelled']);

function turnOf(told, logged, useLog) {
  const told_ = told && {
    number: told.number, prompt: told.prompt, state: told.state, startedAt: told.started_at, finishedAt: told.finished_at,
    durationMs: told.duration_ms, costUsd: told.cost_usd, summary: told.summary ?? '', items: [],
  };
  if (!logged) return told_;
  if (!told_ || useLog) return { ...logged, prompt: logged.prompt || told_?.prompt || '' };
  return { ...told_, items: logged.items };
}

function turnsOf(state, useLog) {
  const told = new Map((state.meta?.turns ?? []).map((turn) => [turn.number, turn]));
  const logged = new Map(state.log.turns.map((turn) => [turn.number, turn]));
  const numbers = [...new Set([...told.keys(), ...logged.keys()])].sort((a, b) => a - b);
  return numbers.map((number) => turnOf(told.get(number), logged.get(number), useLog));
}

function versionsOf(state) {
  const all = new Map();
  for (const version of state.log.versions) all.set(version.number, version);
  for (const version of state.meta?.versions ?? []) all.set(version.number, { ...all.get(version.number), ...version });
  const versions = [...all.values()].sort((a, b) => b.number - a.number);
  const newest = versions[0]?.number ?? 0;
  const known = Math.max(0, ...(state.meta?.versions ?? []).map((version) => version.number));
  const told = (state.meta?.versions ?? []).find((version) => version.current)?.number ?? null;
  const current = newest > known || told === null ? newest : told;
  return versions.map((version) => ({ ...version, current: version.number === current }));
}

function titleOf(state, turns) {
  const told = (state.log.title || (state.meta?.title ?? '')).trim();
  const first = (turns[0]?.prompt ?? '').trim().split('\n')[0];
  return told || first || 'New app';
}

/** The session as the pages show it, or null when there is none. */
export function view(state, local = {}) {
  if (state.slug === null || state.meta === null) return null;
  const { meta, log } = state;
  const useLog = state.seq >= state.metaSeq && state.seq > 0;
  const turns = turnsOf(state, useLog);
  const versions = versionsOf(state);
  const running = turns.findLast((turn) => !FINAL.has(turn.state)) ?? null;
  const closed = ['closed', 'closing'].find((one) => log.state === one || meta.state === one);
  const sandbox = useLog && log.sandbox ? log.sandbox : (meta.sandbox ?? log.sandbox);
  return {
    slug: state.slug, caughtUp: state.seq >= state.metaSeq, state: closed ?? 'open', title: titleOf(state, turns),
    createdAt: meta.created_at ?? log.openedAt, openedAt: log.openedAt ?? meta.created_at, expiresAt: meta.expires_at ?? null,
    prompted: meta.prompted_at !== null && meta.prompted_at !== undefined || turns.length > 0,
    legs: legsOf(log.legs, meta.resources, useLog, local),
    env: (useLog ? log.env?.names : null) ?? meta.env ?? log.env?.names ?? [],
    sandbox: sandbox ?? null,
    previewUrl: (useLog && log.preview ? log.preview.url : meta.preview_url ?? log.preview?.url) ?? null,
    turns, running, versions, current: versions.find((version) => version.current) ?? null,
    canUndo: Boolean(meta.can_undo), canRedo: Boolean(meta.can_redo),
    limits: meta.limits ?? {}, modelLocal: meta.model?.local ?? false, clone: meta.clone ?? null, notices: log.notices,
  };
}
