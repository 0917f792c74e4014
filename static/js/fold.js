/* How each type of event changes what the log says. Pure, and forgiving: a field that is missing or of the wrong kind
   never throws, an unknown type changes nothing. */

/** What is known before the first event. */
export function emptyLog() {
  return {
    openedAt: null, state: 'open', rows: {}, env: null, sandbox: null, preview: null, turns: [], versions: [], notices: [],
  };
}

const text = (value) => (typeof value === 'string' ? value : value === null || value === undefined ? '' : String(value));
const number = (value) => (Number.isFinite(value) ? value : null);
const RESTING = new Set(['ready', 'failed', 'gone', 'stuck']);
const ENDING = new Set(['deleting', 'gone', 'stuck']);

function resourceChanged(log, data, at) {
  const provider = text(data.provider);
  const key = `${provider}/${text(data.kind)}`;
  const before = log.rows[key];
  const state = text(data.state);
  const starts = state === 'creating' && before?.state !== 'creating' && before?.state !== 'unknown';
  const row = {
    provider, kind: text(data.kind), name: text(data.name) || before?.name || '', state,
    startedAt: starts ? at : (before?.startedAt ?? (state === 'planned' ? null : at)),
    settledAt: RESTING.has(state) ? at : null,
    elapsedMs: number(data.elapsed_ms),
    url: text(data.url) || before?.url || '',
    error: data.error && typeof data.error === 'object' ? data.error : null,
  };
  return { ...log, rows: { ...settleOthers(log.rows, row, at), [key]: row } };
}

/* An event tells of the whole leg, and its kind is the step the leg is at: the steps before it are done, and an ending
   ends them all. */
function settleOthers(rows, row, at) {
  const ending = ENDING.has(row.state);
  return Object.fromEntries(Object.entries(rows).map(([key, other]) => {
    if (other.provider !== row.provider || other.kind === row.kind) return [key, other];
    if (ending) return [key, { ...other, state: row.state }];
    if (other.state === 'ready') return [key, other];
    const took = other.startedAt === null ? 0 : Math.max(0, Date.parse(at) - Date.parse(other.startedAt));
    return [key, { ...other, state: 'ready', settledAt: at, elapsedMs: took, error: null }];
  }));
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
  const turn = number(data.turn) ?? (data.kind === 'restore' ? null : (log.turns.at(-1)?.number ?? null));
  const version = {
    number: value, sha: text(data.sha), message: text(data.message), kind: text(data.kind) || 'turn', turn,
    restores: number(data.restores), at,
  };
  return { ...log, versions: [...log.versions, version] };
}

function noticed(log, data, at, seq) {
  const item = { kind: 'notice', seq, at, level: text(data.level) || 'info', text: text(data.text) };
  if (log.turns.length === 0) return { ...log, notices: [...log.notices, item] };
  return withTurn(log, null, (turn) => ({ ...turn, items: [...turn.items, item] }));
}

const FOLDS = {
  'session.opened': (log, data, at) => ({ ...log, openedAt: at }),
  'session.closing': (log) => ({ ...log, state: 'closing' }),
  'session.closed': (log) => ({ ...log, state: 'closed' }),
  'resource.changed': resourceChanged,
  'env.written': (log, data, at) => ({ ...log, env: { names: Array.isArray(data.names) ? data.names.map(text) : [], at } }),
  'sandbox.changed': (log, data, at) => ({ ...log, sandbox: { state: text(data.state), at } }),
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
