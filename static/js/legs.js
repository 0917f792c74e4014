/* The five services of a session: their order, their words, and one summary of each from its rows in the log. */

import { duration } from './format.js';

/** One order everywhere: shortest usual time first. */
export const ORDER = ['posthog', 'github', 'resend', 'e2b', 'neon'];

export const VENDORS = {
  posthog: { name: 'PostHog', role: 'Analytics', without: 'Page views are not counted.' },
  github: { name: 'GitHub', role: 'Repository', without: 'Versions are kept in the sandbox only.' },
  resend: { name: 'Resend', role: 'E-mail', without: 'The app works, but sends no mail.' },
  e2b: { name: 'E2B', role: 'Sandbox', without: 'Nothing can be built until it runs.' },
  neon: { name: 'Neon', role: 'Database', without: 'The app cannot keep any data.' },
};

/** What a leg is doing while it is made, by provider and, where there are two steps, by kind. */
const DOING = {
  posthog: 'Deriving the group name',
  github: 'Making an empty private repository',
  'resend/audience': 'Making the audience',
  'resend/api_key': 'Making a key that can only send',
  resend: 'Making the audience and a key',
  e2b: 'Booting the sandbox and its dev server',
  neon: 'Making the project and waiting until it accepts connections',
};

/** One plain word for each state of a resource. */
export const WORDS = {
  planned: 'planned', creating: 'creating', ready: 'live', failed: 'failed', unknown: 'slow', deleting: 'ending',
  gone: 'gone', stuck: 'stuck',
};

const MOVING = new Set(['creating', 'deleting']);
export const isMoving = (leg) => MOVING.has(leg.state) || leg.state === 'unknown';
export const isSettled = (leg) => leg.state === 'ready' || leg.state === 'failed';
export const isQueued = (leg) => leg.state === 'planned' && leg.startsAt !== null;
export const doing = (leg) => DOING[`${leg.provider}/${leg.step}`] ?? DOING[leg.provider] ?? '';

const moment = (value) => (value === null || value === undefined ? null : Date.parse(value));

function fromLog(leg) {
  const steps = leg.steps.map((step) => ({ kind: step.kind, startedAt: moment(step.startedAt), endedAt: moment(step.endedAt) }));
  return { ...leg, step: leg.kind, steps, startsAt: moment(leg.startsAt) };
}

function fromSnapshot(item) {
  const started = moment(item.started_at);
  const step = { kind: item.kind, startedAt: started, endedAt: moment(item.settled_at) };
  return {
    provider: item.provider, state: item.state, name: item.name ?? '', step: item.kind ?? '', url: item.url ?? '',
    startsAt: item.state === 'planned' ? moment(item.starts_at) : null, error: item.error ?? null, elapsedMs: Number.isFinite(item.elapsed_ms) ? item.elapsed_ms : null,
    steps: started === null ? [] : [step],
  };
}

/** Milliseconds the leg has taken until `now`, or in all once it has settled; null before it began. */
export function elapsed(leg, now) {
  if (leg.steps.length === 0) return leg.state === 'ready' ? (leg.elapsedMs ?? 0) : null;
  if (leg.state === 'creating' || leg.state === 'unknown') return Math.max(0, Math.round(now - leg.steps[0].startedAt));
  const last = leg.steps.at(-1);
  return leg.elapsedMs ?? Math.max(0, Math.round((last.endedAt ?? last.startedAt) - leg.steps[0].startedAt));
}

/** How long a leg still has to queue, in words: "about 12 s", "any moment now". */
export function queuedFor(leg, now) {
  const left = Math.ceil((leg.startsAt - now) / 1000);
  return left > 0 ? `about ${duration(left * 1000).replace('.0 s', ' s')}` : 'any moment now';
}

/** The legs in order: from the log where it knows one, else from the snapshot, else planned without a name. */
export function legsOf(logged, snapshot, useLog, local = {}) {
  return ORDER.map((provider) => {
    const told = (snapshot ?? []).find((item) => item.provider === provider);
    const extra = { local: told?.local ?? local[provider] ?? null };
    const mine = Object.hasOwn(logged, provider) ? logged[provider] : null;
    if (mine && (useLog || !told)) return { ...fromLog(mine), ...extra };
    if (told) return { ...fromSnapshot(told), ...extra };
    return { provider, state: 'planned', steps: [], name: '', step: '', url: '', startsAt: null, error: null, elapsedMs: null, ...extra };
  });
}
