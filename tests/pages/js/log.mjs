/* A made-up session's log, and a small seeded source of chance: what fails here fails again. */

export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const pick = (random, list) => list[Math.floor(random() * list.length)];

/** `length` events in the order the server writes them, of every type, with some nobody knows. */
export function someLog(random, length) {
  const log = [];
  let turn = 0;
  let version = 0;
  let calls = 0;
  const add = (type, data) => log.push({
    seq: log.length + 1, type, at: new Date(1_700_000_000_000 + log.length * 137).toISOString(), data,
  });
  add('session.opened', {});
  while (log.length < length) {
    const kind = Math.floor(random() * 12);
    if (kind <= 1) {
      add('resource.changed', {
        provider: pick(random, ['posthog', 'github', 'resend', 'e2b', 'neon']), kind: pick(random, ['a', 'b']), name: 'mk0r-x',
        state: pick(random, ['planned', 'creating', 'ready', 'failed', 'unknown', 'gone']), elapsed_ms: Math.floor(random() * 4000),
        ...(random() < 0.3 ? { starts_in_ms: Math.floor(random() * 90_000) } : {}),
      });
    } else if (kind === 2) add('env.written', { names: ['DATABASE_URL', 'RESEND_API_KEY'].slice(0, 1 + Math.floor(random() * 2)) });
    else if (kind === 3) add('sandbox.changed', { state: pick(random, ['booting', 'running', 'paused', 'lost']) });
    else if (kind === 4) add('preview.ready', { url: `http://5173-${Math.floor(random() * 9)}.localhost:8001/` });
    else if (kind === 5) add('turn.started', { turn: (turn += 1), prompt: `prompt ${turn}` });
    else if (kind === 6 || kind === 7) add('agent.text', { turn, text: pick(random, ['so ', 'then\n', '**x**', '']) });
    else if (kind === 8) add('agent.tool', { turn, id: `c${(calls += 1)}`, name: pick(random, ['Read', 'Edit', 'Bash']), summary: 's', input: {} });
    else if (kind === 9) add('agent.result', { turn, id: `c${Math.max(1, calls - Math.floor(random() * 3))}`, ok: random() > 0.3, output: 'o' });
    else if (kind === 10) {
      if (random() > 0.5) add('version.created', { number: (version += 1), sha: 'a'.repeat(40), message: 'm' });
      else add('turn.finished', { turn, state: pick(random, ['done', 'failed', 'cancelled']), duration_ms: 5, cost_usd: 0, summary: 's' });
    } else add(pick(random, ['notice', 'of.tomorrow', '__proto__', 'constructor']), { level: 'info', text: 'n' });
  }
  return log;
}

/** The snapshot of that log at event `seq`. */
export function snapshotAt(seq, more = {}) {
  return {
    type: 'snapshot', seq,
    session: {
      slug: 'abcdefgh1234', state: 'open', title: '', created_at: '2023-11-14T22:13:20Z', expires_at: '2023-11-15T22:13:20Z',
      prompted_at: null, last_seq: seq, resources: [], errors: [], sandbox: null, preview_url: null, env: [], turns: [], versions: [],
      can_undo: false, can_redo: false, limits: { turns_left: null, budget_usd: null, spent_usd: 0 }, model: { local: true },
      clone: { url: 'u', command: 'c' }, ...more,
    },
  };
}
