/* The five services of a session: their order, their words, and one summary of each from its rows in the log. */

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
// The state of a leg is the first of these that any of its rows is in.
const PRECEDENCE = ['failed', 'stuck', 'unknown', 'creating', 'deleting', 'planned', 'ready', 'gone'];

export const isMoving = (leg) => MOVING.has(leg.state) || leg.state === 'unknown';
export const isSettled = (leg) => leg.state === 'ready' || leg.state === 'failed';
export const doing = (leg) => DOING[`${leg.provider}/${leg.step}`] ?? DOING[leg.provider] ?? '';

function fromRows(provider, rows, extra) {
  const state = PRECEDENCE.find((one) => rows.some((row) => row.state === one)) ?? rows[0].state;
  const steps = rows
    .filter((row) => row.startedAt !== null)
    .map((row) => ({
      kind: row.kind, state: row.state, startedAt: Date.parse(row.startedAt),
      elapsedMs: row.elapsedMs ?? (row.settledAt ? Date.parse(row.settledAt) - Date.parse(row.startedAt) : null),
      settled: row.settledAt !== null,
    }))
    .sort((a, b) => a.startedAt - b.startedAt);
  const named = rows.find((row) => row.state === state);
  return {
    provider, state, steps, name: rows[0].name, step: named?.kind ?? '',
    url: rows.find((row) => row.url)?.url ?? '', error: rows.find((row) => row.error)?.error ?? null, ...extra,
  };
}

function fromSnapshot(item) {
  const started = item.started_at ? Date.parse(item.started_at) : null;
  const settled = item.settled_at !== null && item.settled_at !== undefined;
  const elapsed = Number.isFinite(item.elapsed_ms) ? item.elapsed_ms : null;
  return {
    provider: item.provider, state: item.state, name: item.name ?? '', step: item.kind ?? '', url: item.url ?? '',
    error: item.error ?? null, local: item.local ?? null,
    steps: started === null ? [] : [{ kind: item.kind, state: item.state, startedAt: started, elapsedMs: elapsed, settled }],
  };
}

/** Milliseconds the leg has taken until `now`, or in all once it has settled; null before it began. */
export function elapsed(leg, now) {
  if (leg.steps.length === 0) return leg.state === 'ready' ? 0 : null;
  const first = leg.steps[0];
  const ends = leg.steps.map((step) => {
    if (step.settled && step.elapsedMs !== null) return step.startedAt + step.elapsedMs;
    return Math.max(step.startedAt, isMoving(leg) ? now : step.startedAt + (step.elapsedMs ?? 0));
  });
  return Math.max(0, Math.round(Math.max(...ends) - first.startedAt));
}

/** The legs in order: from the log where it knows one, else from the snapshot, else planned without a name. */
export function legsOf(rows, snapshot, useLog, local = {}) {
  return ORDER.map((provider) => {
    const told = (snapshot ?? []).find((item) => item.provider === provider);
    const extra = { local: told?.local ?? local[provider] ?? null };
    const mine = Object.values(rows).filter((row) => row.provider === provider);
    if (mine.length > 0 && (useLog || !told)) return fromRows(provider, mine, extra);
    if (told) return { ...fromSnapshot(told), ...extra };
    return { provider, state: 'planned', steps: [], name: '', step: '', url: '', error: null, ...extra };
  });
}
