/* E2B's Node client, over the life of a sandbox, of a snapshot of it, and of a template. */

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthenticationError, BuildError, CommandExitError, FileNotFoundError, Sandbox, SandboxNotFoundError, Template,
  TimeoutError, waitForFile,
} from 'e2b';
import { given, step } from './step.mjs';

const api = { apiKey: given.key, apiUrl: given.api_url };
const options = { ...api, sandboxUrl: given.sandbox_url, timeoutMs: 120_000 };
const mark = { app: 'conformance 1', 'odd key&=': '100% ü' };

/** Wait until `look` gives something true. */
async function eventually(look, what) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((go) => setTimeout(go, 50))) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error(`it did not come to pass: ${what}`);
}

/** Every item of a paginator, and how many pages it took. */
async function all(pages) {
  const found = [];
  let count = 0;
  for (; pages.hasNext; count += 1) found.push(...(await pages.nextItems()));
  return { found, count };
}

const sandbox = await step('Sandbox.create', async () => {
  const made = await Sandbox.create('base', { ...options, metadata: mark, envs: { COLOUR: 'green' } });
  assert.match(made.sandboxId, /^i[a-z0-9]{20}$/);
  assert.equal(await made.isRunning(), true);
  return made;
});
const other = await step('Sandbox.create beside it', () => Sandbox.create('base', { ...options, metadata: mark }));

await step('Sandbox.list in pages, by metadata', async () => {
  const { found, count } = await all(Sandbox.list({ ...api, limit: 1, query: { metadata: mark } }));
  assert.deepEqual(found.map((one) => one.sandboxId), [other.sandboxId, sandbox.sandboxId]);
  assert.equal(count, 2);
  assert.deepEqual(found[0].metadata, mark);
  const none = await all(Sandbox.list({ ...api, query: { metadata: { app: 'conformance' } } }));
  assert.deepEqual(none.found, []);
});
await step('Paginator past its end', async () => {
  const pages = Sandbox.list({ ...api, limit: 100, query: { metadata: mark } });
  await pages.nextItems();
  assert.equal(pages.hasNext, false);
  await assert.rejects(pages.nextItems(), /No more items/);
});
await step('Sandbox.getInfo', async () => {
  const info = await sandbox.getInfo();
  assert.equal(info.state, 'running');
  assert.ok(info.endAt.getTime() - Date.now() > 100_000);
});
await step('Sandbox.setTimeout', async () => {
  await sandbox.setTimeout(600_000);
  assert.ok((await sandbox.getInfo()).endAt.getTime() - Date.now() < 601_000);
});
await step('Sandbox.connect', async () => {
  const again = await Sandbox.connect(sandbox.sandboxId, options);
  assert.equal((await again.commands.run('echo $COLOUR')).stdout, 'green\n');
});

await step('commands.run', async () => {
  const done = await sandbox.commands.run('echo out; echo err >&2; pwd', { cwd: '/app', envs: { A: 'b' } });
  assert.deepEqual([done.stdout, done.stderr, done.exitCode], ['out\n/app\n', 'err\n', 0]);
  const exited = (error) => error instanceof CommandExitError && error.exitCode === 3;
  await assert.rejects(sandbox.commands.run('exit 3'), exited);
});
await step('commands.run until its deadline', async () => {
  await assert.rejects(sandbox.commands.run('sleep 30.5', { timeoutMs: 500 }), TimeoutError);
  const left = async () => (await sandbox.commands.list()).some((one) => one.args.includes('sleep 30.5'));
  await eventually(async () => !(await left()), 'the command is killed');
});
await step('commands.run in the background, list, connect', async () => {
  const handle = await sandbox.commands.run('read go; echo late', { background: true, stdin: true, timeoutMs: 0 });
  assert.ok((await sandbox.commands.list()).some((one) => one.pid === handle.pid));
  const heard = await sandbox.commands.connect(handle.pid, { timeoutMs: 0 });
  await sandbox.commands.sendStdin(handle.pid, 'go\n');
  assert.deepEqual([(await handle.wait()).stdout, (await heard.wait()).stdout], ['late\n', 'late\n']);
});
await step('commands.sendStdin, closeStdin', async () => {
  const handle = await sandbox.commands.run('cat; echo end', { background: true, stdin: true, timeoutMs: 0 });
  await sandbox.commands.sendStdin(handle.pid, 'one\n');
  await sandbox.commands.closeStdin(handle.pid);
  assert.equal((await handle.wait()).stdout, 'one\nend\n');
});
await step('commands.kill', async () => {
  const handle = await sandbox.commands.run('sleep 100', { background: true, timeoutMs: 0 });
  assert.equal(await handle.kill(), true);
  await assert.rejects(handle.wait(), (error) => error instanceof CommandExitError && /killed/.test(error.message));
  assert.equal(await sandbox.commands.kill(999_999), false);
});
await step('processes of another sandbox are out of reach', async () => {
  const theirs = await other.commands.run('exec sleep 4242', { background: true, timeoutMs: 0 });
  const seen = await sandbox.commands.run('cat /proc/[0-9]*/cmdline | tr "\\0" " "');
  assert.ok(!seen.stdout.includes('4242'), seen.stdout);
  assert.equal(await sandbox.commands.kill(theirs.pid), false);
  assert.equal(await other.commands.kill(theirs.pid), true);
});
await step('pty.create, resize, sendInput', async () => {
  let seen = '';
  const decoder = new TextDecoder();
  const onData = (data) => { seen += decoder.decode(data); };
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, timeoutMs: 0, onData });
  const type = (text) => sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode(text));
  await type('stty size\n');
  await eventually(() => seen.includes('24 80'), '24 80');
  await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 40 });
  await type('stty size\n');
  await eventually(() => seen.includes('40 100'), '40 100');
  await type('exit 0\n');
  assert.equal((await terminal.wait()).exitCode, 0);
});

await step('files.write, read', async () => {
  await sandbox.files.write('/app/größe &.txt', 'größer\n');
  assert.equal(await sandbox.files.read('/app/größe &.txt'), 'größer\n');
  await sandbox.files.write([{ path: 'a/one', data: '1' }, { path: 'a/two', data: new Blob(['22']) }]);
  assert.equal((await sandbox.files.read('/home/user/a/two', { format: 'bytes' })).length, 2);
  await assert.rejects(sandbox.files.read('/app/none'), FileNotFoundError);
});
await step('files.makeDir, list, getInfo, rename, remove, exists', async () => {
  assert.equal(await sandbox.files.makeDir('/app/made/deep'), true);
  assert.equal(await sandbox.files.makeDir('/app/made'), false);
  await sandbox.files.write('/app/made/deep/file', '123');
  assert.deepEqual((await sandbox.files.list('/app/made', { depth: 2 })).map((one) => one.name), ['deep', 'file']);
  assert.equal((await sandbox.files.getInfo('/app/made/deep/file')).size, 3);
  assert.equal((await sandbox.files.rename('/app/made', '/app/moved')).path, '/app/moved');
  await sandbox.files.remove('/app/moved');
  assert.equal(await sandbox.files.exists('/app/moved'), false);
});
await step('files.watchDir', async () => {
  const seen = [];
  const note = (event) => { seen.push(`${event.type} ${event.name}`); };
  const watch = await sandbox.files.watchDir('/app', note, { recursive: true });
  await sandbox.commands.run('mkdir sub', { cwd: '/app' });
  await eventually(() => seen.includes('create sub'), 'create sub');
  await sandbox.commands.run('echo 1 > sub/new && rm sub/new', { cwd: '/app' });
  await eventually(() => seen.includes('create sub/new') && seen.includes('remove sub/new'), 'both of sub/new');
  await watch.stop();
});

await step('Sandbox.pause, connect again', async () => {
  const handle = await sandbox.commands.run('sleep 1000', { background: true, timeoutMs: 0 });
  assert.equal(await sandbox.pause(), true);
  assert.equal(await sandbox.pause(), false);
  assert.equal((await sandbox.getInfo()).state, 'paused');
  await assert.rejects(sandbox.commands.run('true'), SandboxNotFoundError);
  await assert.rejects(sandbox.files.read('a/one'), TimeoutError);
  await sandbox.connect();
  assert.equal(await sandbox.files.read('a/one'), '1');
  assert.ok((await sandbox.commands.list()).some((one) => one.pid === handle.pid));
});
const snapshot = await step('Sandbox.createSnapshot, listSnapshots', async () => {
  const taken = await sandbox.createSnapshot({ name: 'from-node' });
  assert.equal(taken.snapshotId, 'local/from-node:default');
  const { found } = await all(Sandbox.listSnapshots({ ...api, sandboxId: sandbox.sandboxId }));
  assert.deepEqual(found.map((one) => one.snapshotId), [taken.snapshotId]);
  return taken;
});
await step('Sandbox.create from a snapshot', async () => {
  const made = await Sandbox.create(snapshot.snapshotId, options);
  assert.equal(await made.files.read('a/one'), '1');
  assert.deepEqual(await made.commands.list(), []);
  await made.kill();
});
await step('Sandbox.deleteSnapshot', async () => {
  assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId, api), true);
  assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId, api), false);
});

await step('Template.build, boot', async () => {
  const context = mkdtempSync(join(tmpdir(), 'template-'));
  writeFileSync(join(context, 'greeting.txt'), 'hello\n');
  const template = Template({ fileContextPath: context }).fromBaseImage().setWorkdir('/app')
    .copy('greeting.txt', 'greeting.txt').runCmd('cat greeting.txt')
    .setStartCmd('touch ~/up; sleep 1000', waitForFile('/home/user/up'));
  const said = [];
  const built = await Template.build(template, 'node-built', { ...api, onBuildLogs: (line) => said.push(line.message) });
  assert.ok(said.some((line) => line.endsWith('[stdout]: hello')), said.join('\n'));
  const made = await Sandbox.create('node-built', options);
  assert.equal((await made.commands.run('cat greeting.txt')).stdout, 'hello\n');
  assert.equal((await made.getInfo()).templateId, built.templateId);
  await made.kill();
  assert.equal(await Template.exists('node-built', api), true);
  await Sandbox.deleteSnapshot('node-built', api);
  assert.equal(await Template.exists('node-built', api), false);
});
await step('Template.build that fails', async () => {
  await assert.rejects(Template.build(Template().fromPythonImage('3').runCmd('true'), 'node-failed', api),
    (error) => error instanceof BuildError && /fetches no images/.test(error.message));
  await Sandbox.deleteSnapshot('node-failed', api);
});

await step('keys are checked', async () => {
  await assert.rejects(Sandbox.create('base', { ...options, apiKey: `e2b_${'0'.repeat(40)}` }), AuthenticationError);
  await assert.rejects(Sandbox.create('nothing', options), /template 'nothing' not found/);
});
await step('Sandbox.kill during a command', async () => {
  const handle = await other.commands.run('sleep 100', { background: true, timeoutMs: 0 });
  const ended = assert.rejects(handle.wait(), TimeoutError);
  assert.equal(await other.kill(), true);
  await ended;
});
await step('Sandbox.kill, read again', async () => {
  assert.equal(await sandbox.kill(), true);
  assert.equal(await sandbox.kill(), false);
  assert.equal(await sandbox.isRunning(), false);
  await assert.rejects(Sandbox.getInfo(sandbox.sandboxId, api), SandboxNotFoundError);
  await assert.rejects(Sandbox.connect(sandbox.sandboxId, options), SandboxNotFoundError);
  await assert.rejects(sandbox.files.read('a/one'), TimeoutError);
});
