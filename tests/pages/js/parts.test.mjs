/* The small pure parts: text, diffs, times, tools, the bridge, secrets, undo. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixPrompt, fromFrame, hear, silence } from '../../../static/js/bridge.js';
import { diffLines, tally } from '../../../static/js/diff.js';
import { duration, money, running } from '../../../static/js/format.js';
import { targets } from '../../../static/js/history.js';
import { parse } from '../../../static/js/markdown.js';
import { fallbackFor, reach } from '../../../static/js/probe.js';
import { parseEnv } from '../../../static/js/secrets.js';
import { changes, describe } from '../../../static/js/tools.js';
import { chance } from './log.mjs';

test('markdown keeps every character as text and links only to http', () => {
  const [block] = parse('<img src=x onerror=alert(1)> [x](javascript:alert(1)) [y](https://example.org) `<b>` **<i>**');
  assert.deepEqual(block.pieces.filter((piece) => piece.kind === 'link').map((piece) => piece.href), ['https://example.org']);
  assert.ok(block.pieces[0].text.includes('<img src=x onerror=alert(1)>'));
});

test('markdown never fails and never takes long, whatever is streamed into it', () => {
  const random = chance(3);
  const alphabet = ['`', '```\n', '*', '**', '[', '](http://a', ')', '\n', '- ', '1. ', '# ', 'word ', '<', '~~~', '  '];
  for (let run = 0; run < 300; run += 1) {
    let text = '';
    for (let at = 0; at < 200; at += 1) text += alphabet[Math.floor(random() * alphabet.length)];
    const began = performance.now();
    parse(text);
    assert.ok(performance.now() - began < 200);
  }
  const began = performance.now();
  parse('*'.repeat(20_000) + '`'.repeat(20_000) + '['.repeat(20_000));
  assert.ok(performance.now() - began < 2000);
});

test('a diff turns the old text into the new one', () => {
  const random = chance(11);
  for (let run = 0; run < 200; run += 1) {
    const some = () => Array.from({ length: 1 + Math.floor(random() * 12) }, () => 'abc'[Math.floor(random() * 3)]).join('\n');
    const [before, after] = [some(), some()];
    const rows = diffLines(before, after);
    assert.equal(rows.filter((row) => row.kind !== '+').map((row) => row.text).join('\n'), before);
    assert.equal(rows.filter((row) => row.kind !== '-').map((row) => row.text).join('\n'), after);
  }
  assert.deepEqual(tally(diffLines('', 'a\nb\n')), { added: 2, removed: 0 });
});

test('times and money read as a person says them', () => {
  assert.deepEqual([361, 999.7, 2300, 48_000, 64_000, 7_500_000].map(duration), ['361 ms', '1.0 s', '2.3 s', '48 s', '1 min 04 s', '2 h 05 min']);
  assert.deepEqual([0, 999, 1000, 61_500].map(running), ['0 s', '0 s', '1 s', '1 min 01 s']);
  assert.deepEqual([0, 0.004, 0.13].map(money), ['$0.00', '$0.004', '$0.13']);
});

test('tool calls say what they touched, and hostile inputs are only text', () => {
  const item = (name, input, until = 'x') => ({ kind: 'tool', id: '1', name, summary: 's', input, at: 'x', ok: true, output: '', until });
  assert.equal(describe(item('Edit', { file_path: '/app/src/a.ts', old_string: 'a', new_string: 'b' })).what, 'src/a.ts');
  assert.equal(describe(item('mcp__playwright__browser_click', {})).verb, 'Browser');
  for (const input of [null, 'x', [], { file_path: 5, old_string: {}, edits: 'no' }, { edits: [null, 3] }]) {
    for (const name of ['Edit', 'Write', 'MultiEdit', 'Bash', 'constructor', '__proto__']) assert.doesNotThrow(() => describe(item(name, input)));
  }
  const sum = changes([item('Write', { file_path: 'a', content: 'x\ny' }), item('Write', { file_path: 'a', content: 'z' })]);
  assert.deepEqual(sum, { files: 1, added: 3, removed: 0, calls: 2, failed: 0 });
});

test('only the frame itself, from its own origin, is heard', () => {
  const frame = { contentWindow: {} };
  const preview = { ...silence(), base: 'http://5173-x.localhost:8001/', fallback: false };
  const message = (more) => ({ source: frame.contentWindow, origin: 'http://5173-x.localhost:8001', data: { source: 'mk0r-preview', type: 'ready' }, ...more });
  assert.equal(fromFrame(message({}), frame, preview), true);
  assert.equal(fromFrame(message({ source: {} }), frame, preview), false);
  assert.equal(fromFrame(message({ origin: 'http://evil.example' }), frame, preview), false);
  assert.equal(fromFrame(message({ data: null }), frame, preview), false);
  assert.equal(fromFrame(message({ origin: 'http://127.0.0.1:4711' }), frame, { ...preview, fallback: true }), true);
});

test('what the app says is cut to size and never more than a few errors', () => {
  let preview = silence();
  for (let at = 0; at < 100; at += 1) preview = hear(preview, { type: 'error', message: 'x'.repeat(9000), where: {} }, 1);
  assert.equal(preview.errors.length, 20);
  assert.equal(preview.errors[0].message.length, 500);
  assert.match(fixPrompt(preview.errors), /^The app in the preview reports this error/);
  assert.equal(hear(preview, { type: 'ready', title: 5 }, 2).errors.length, 0);
});

test('a preview below localhost has a way by a loopback port; others have none', async () => {
  assert.equal(fallbackFor('http://5173-abc.localhost:8001/'), 'http://127.0.0.1:8001/e2b/preview/abc/5173');
  assert.equal(fallbackFor('https://5173-abc.e2b.app/'), null);
  const dead = async (url) => { if (url.includes('localhost')) throw new TypeError('no such name'); };
  assert.deepEqual(await reach('http://5173-abc.localhost:8001/', dead), { src: 'http://127.0.0.1:8001/e2b/preview/abc/5173', fallback: true });
  assert.equal(await reach('javascript:alert(1)', async () => {}), null);
  const own = 'https://mk0r.example';
  assert.equal(await reach(`${own}/s/abc`, async () => {}, own), null); // would run as the visitor, in a frame that keeps its origin
  assert.equal(await reach('https://mk0r.example:443/', async () => {}, own), null);
  assert.equal(await reach('https://mk0r.example@5173-abc.e2b.app/', async () => {}, own), null);
  assert.deepEqual(await reach('https://5173-abc.e2b.app/', async () => {}, own), { src: 'https://5173-abc.e2b.app/', fallback: false });
  assert.equal(await reach('http://x.example/', async () => { throw new TypeError(); }), null);
});

test('.env values are read as dotenv reads them', () => {
  const values = parseEnv('A="x y"\nB=\'q"q\'\nC=plain\n# no\nD="a\\"b\\$c"\nE=\n');
  assert.deepEqual([...values], [['A', 'x y'], ['B', 'q"q'], ['C', 'plain'], ['D', 'a"b$c'], ['E', '']]);
});

test('undo and redo lead along the line the restores draw', () => {
  const turn = (number) => ({ number, restores: null });
  const back = (number, restores) => ({ number, restores });
  assert.deepEqual(targets([]), { undo: null, redo: null });
  assert.deepEqual(targets([turn(1), turn(2)]), { undo: 1, redo: null });
  assert.deepEqual(targets([turn(1), turn(2), back(3, 1)]), { undo: null, redo: 2 });
  assert.deepEqual(targets([turn(1), turn(2), back(3, 1), back(4, 2)]), { undo: 1, redo: null });
  assert.deepEqual(targets([turn(1), turn(2), back(3, 1), turn(4)]), { undo: 1, redo: null });
});
