/* How each type of event changes what the log says. Pure, and forgiving: a field that is missing or of the wrong kind
   never throws, an unknown type changes nothing. */

/** What is known before the first event. */
export function emptyLog() {
  return {
    openedAt: null, state: 'open', legs: {}, env: null, sandbox: null, preview: null, turns: [], versions: [],
    notices: [],
  };
}

const text = (value) => (typeof value === 'string' ? value : value === null || value === undefined ? '' : String(value));
const number = (value) => (Number.isFinite(value) ? value : null);
const RESTING = new Set(['ready', 'failed', 'gone', 'stuck']);
const MAKING = new Set(['creating', 'unknown']);

/* The steps of a leg as far as the log tells them: each begins when its kind is first named while the leg is being made, and
   ends when the next one begins or the leg comes to rest. Made again after a failure, a leg begins anew. */
function stepsAfter(before, state, kind, at, elapsedMs) {
  const known = before && (MAKING.has(before.state) || !MAKING.has(state)) ? before.steps : [];
  const ended = (step) => (step.endedAt === null ? { ...step, endedAt: at } : step);
  if (MAKING.has(state)) {
    if (known.at(-1)?.kind === kind) return known;
    return [...known.map(ended), { kind, startedAt: at, endedAt: null }];
  }
  if (!RESTING.has(state)) return known;
  if (known.length > 0 || state === 'gone' || state === 'stuck') return known.map(ended);
  const began = Number.isFinite(Date.parse(at)) ? new Date(Date.parse(at) - (elapsedMs ?? 0)).toISOString() : at;
  return [{ kind, startedAt: began, endedAt: at }];
}

/** When the place comes that a leg waits for in its vendor's queue; null when it waits for none. */
function placeOf(state, inMs, at) {
  const told = Date.parse(at);
  return state === 'planned' && inMs !== null && Number.isFinite(told) ? new Date(told + Math.min(Math.max(inMs, 0), 1e9)).toISOString() : null;
}

/** An event tells of the whole leg; its kind is the step the leg is at. */
function resourceChanged(log, data, at) {
  const provider = text(data.provider);
  const before = Object.hasOwn(log.legs, provider) ? log.legs[provider] : null;
  const state = text(data.state);
  const kind = text(data.kind);
  const elapsedMs = number(data.elapsed_ms);
  const leg = {
    provider, kind, state, elapsedMs, name: text(data.name) || before?.name || '', url: text(data.url) || before?.url || '',
    startsAt: placeOf(state, number(data.starts_in_ms), at), steps: stepsAfter(before, state, kind, at, elapsedMs),
    error: data.error && typeof data.error === 'object' ? data.error : null,
  };
  return { ...log, legs: { ...log.legs, [provider]: leg } };
}

function withTurn(log, value, change) {
  const wanted = number(value) ?? (log.turns.at(-1)?.number ?? 1);
  const index = log.turns.findIndex((turn) => turn.number === wanted);
  const turn = index < 0
    ? { number: wanted, prompt: '', state: 'running', startedAt: null, finishedAt: null, durationMs: null, costUsd: null,
        summary: '', items: [] }
    : log.turns[index];
  const turns = index < 0 ? [...log.turns, change(turn)] : log.turns.with(index, change(turn));
  return { ...log, turns };
}

function agentText(turn, data, at) {
  const last = turn.items.at(-1);
  if (last?.kind === 'text') {
    return { ...turn, items: turn.items.with(-1, { ...last, text: last.text + text(data.text), until: at }) };
  }
  return { ...turn, items: [...turn.items, { kind: 'text', text: text(data.text), at, until: at }] };
}

function agentTool(turn, data, at) {
  const item = {
    kind: 'tool', id: text(data.id), name: text(data.name), summary: text(data.summary),
    input: data.input ?? null, at, ok: null, output: '', until: null,
  };
  return { ...turn, items: [...turn.items, item] };
}

function agentResult(turn, data, at) {
  const index = turn.items.findLastIndex((item) => item.kind === 'tool' && item.id === text(data.id));
  if (index < 0) return turn;
  const done = { ...turn.items[index], ok: data.ok !== false, output: text(data.output), until: at };
  return { ...turn, items: turn.items.with(index, done) };
}

function turnFinished(turn, data, at) {
  return {
    ...turn, state: text(data.state) || 'done', finishedAt: at, durationMs: number(data.duration_ms),
    costUsd: number(data.cost_usd), summary: text(data.summary), error: data.error ?? null,
  };
}

function versionCreated(log, data, at) {
  const value = number(data.number);
  if (value === null || log.versions.some((version) => version.number === value)) return log;
  const last = log.turns.at(-1)?.number ?? null;
  const taken = log.versions.some((version) => version.turn === last); // then this one repeats an older tree
  const turn = number(data.turn) ?? (data.kind === 'restore' || taken ? null : last);
  const version = {
    number: value, sha: text(data.sha), message: text(data.message), kind: text(data.kind) || 'turn', turn,
    restores: number(data.restores), at,
  };
  return { ...log, versions: [...log.versions, version], title: text(data.title) || log.title };
}

function noticed(log, data, at, seq) {
  const item = { kind: 'notice', seq, at, level: text(data.level) || 'info', text: text(data.text) };
  if (log.turns.length === 0) return { ...log, notices: [...log.notices, item] };
  return withTurn(log, null, (turn) => ({ ...turn, items: [...turn.items, item] }));
}

/** While the sandbox is in one of these, the address an earlier one had leads nowhere. */
const NO_PREVIEW = new Set(['booting', 'lost', 'gone']);

const FOLDS = {
  'session.opened': (log, data, at) => ({ ...log, openedAt: at }),
  'session.closing': (log) => ({ ...log, state: 'closing' }),
  'session.closed': (log) => ({ ...log, state: 'closed' }),
  'resource.changed': resourceChanged,
  'env.written': (log, data, at) => ({ ...log, env: { names: Array.isArray(data.names) ? data.names.map(text) : [], at } }),
  'sandbox.changed': (log, data, at) => ({ ...log, sandbox: { state: text(data.state), at },
    preview: NO_PREVIEW.has(data.state) ? { url: null, at } : log.preview }),
  'preview.ready': (log, data, at) => ({ ...log, preview: { url: text(data.url), at } }),
  'turn.started': (log, data, at) =>
    withTurn(log, data.turn, (turn) => ({ ...turn, prompt: text(data.prompt), state: 'running', startedAt: at })),
  'agent.text': (log, data, at) => withTurn(log, data.turn, (turn) => agentText(turn, data, at)),
  'agent.tool': (log, data, at) => withTurn(log, data.turn, (turn) => agentTool(turn, data, at)),
  'agent.result': (log, data, at) => withTurn(log, data.turn, (turn) => agentResult(turn, data, at)),
  'turn.finished': (log, data, at) => withTurn(log, data.turn, (turn) => turnFinished(turn, data, at)),
  'version.created': versionCreated,
  notice: noticed,
};

/** The log after one more event. */
export function foldEvent(log, event) {
  const fold = Object.hasOwn(FOLDS, event.type) ? FOLDS[event.type] : null;
  const data = event.data && typeof event.data === 'object' ? event.data : {};
  return fold ? fold(log, data, text(event.at), event.seq) : log;
}
