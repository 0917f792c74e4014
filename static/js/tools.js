/* What a tool call of the agent is called, what it touched, and the change it made. Pure; inputs are not trusted. */

import { diffLines, tally } from './diff.js';

const VERBS = {
  Read: ['Reading', 'Read', 'read'], Write: ['Writing', 'Wrote', 'edit'], Edit: ['Editing', 'Edited', 'edit'],
  MultiEdit: ['Editing', 'Edited', 'edit'], NotebookEdit: ['Editing', 'Edited', 'edit'], Bash: ['Running', 'Ran', 'term'],
  BashOutput: ['Watching', 'Watched', 'term'], Grep: ['Searching', 'Searched', 'search'], Glob: ['Finding', 'Found', 'search'],
  LS: ['Listing', 'Listed', 'search'], TodoWrite: ['Planning', 'Planned', 'logs'], WebFetch: ['Fetching', 'Fetched', 'ext'],
  WebSearch: ['Searching', 'Searched', 'search'], Task: ['Delegating', 'Delegated', 'logs'],
};

const text = (value) => (typeof value === 'string' ? value : '');
const path = (value) => text(value).replace(/^\/app\//, '');

/** Pairs of texts the call put in each other's place. */
function edits(item) {
  const input = item.input && typeof item.input === 'object' ? item.input : {};
  if (item.name === 'Write') return [['', text(input.content)]];
  if (item.name === 'Edit') return [[text(input.old_string), text(input.new_string)]];
  if (item.name === 'MultiEdit' && Array.isArray(input.edits)) {
    return input.edits.map((edit) => [text(edit?.old_string), text(edit?.new_string)]);
  }
  return [];
}

const cache = new WeakMap();

/** {verb, what, icon, file, diff: rows | null, added, removed} of a tool item. */
export function describe(item) {
  const known = cache.get(item);
  if (known) return known;
  const input = item.input && typeof item.input === 'object' ? item.input : {};
  const browser = item.name.startsWith('mcp__') ? item.name.split('__').at(-1).replace(/^browser_/, '').replaceAll('_', ' ') : '';
  const [now, done, icon] = (Object.hasOwn(VERBS, item.name) ? VERBS[item.name] : null) ?? (browser ? ['Browser', 'Browser', 'frame'] : [item.name, item.name, 'logs']);
  const file = path(input.file_path ?? input.notebook_path);
  const pairs = edits(item);
  const rows = pairs.length > 0 ? pairs.flatMap(([before, after]) => diffLines(before, after)) : null;
  const made = {
    verb: item.until === null ? now : done, icon, file,
    what: file || text(input.command) || text(input.pattern) || text(input.url) || item.summary || browser,
    diff: rows, ...(rows ? tally(rows) : { added: 0, removed: 0 }),
  };
  cache.set(item, made);
  return made;
}

/** What a turn's edits add up to: {files, added, removed, calls, failed}. */
export function changes(items) {
  const sum = { files: 0, added: 0, removed: 0, calls: 0, failed: 0 };
  const files = new Set();
  for (const item of items) {
    if (item.kind !== 'tool') continue;
    sum.calls += 1;
    if (item.ok === false) sum.failed += 1;
    else if (describe(item).diff) {
      files.add(describe(item).file);
      sum.added += describe(item).added;
      sum.removed += describe(item).removed;
    }
  }
  sum.files = files.size;
  return sum;
}
