/* The socket's keeper, against sockets that do as a test says. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Connection, backoff, socketUrl } from '../../../static/js/connection.js';

class FakeSocket extends EventTarget {
  static made = [];
  constructor(url) {
    super();
    Object.assign(this, { url, readyState: 0, sent: [] });
    FakeSocket.made.push(this);
  }
  send(text) { this.sent.push(text); }
  close() { this.readyState = 3; }
  opens() { this.readyState = 1; this.dispatchEvent(new Event('open')); }
  says(data) { this.dispatchEvent(Object.assign(new Event('message'), { data })); }
  ends(code = 1006) { this.readyState = 3; this.dispatchEvent(Object.assign(new Event('close'), { code })); }
}

function rig(page = 'https://mk0r.example/s/s') {
  FakeSocket.made = [];
  const scope = new EventTarget();
  const seen = { frames: [], states: [] };
  const at = { slug: 's', after: 0 };
  const connection = new Connection({
    page, position: () => at, Socket: FakeSocket, scope,
    onFrame: (frame) => seen.frames.push(frame), onStatus: (status) => seen.states.push(status.state),
  });
  return { connection, scope, seen, at };
}

test('waits double, are capped, and are spread', () => {
  assert.equal(backoff(1, () => 1), 500);
  assert.equal(backoff(1, () => 0), 250);
  assert.equal(backoff(3, () => 1), 2000);
  assert.equal(backoff(50, () => 1), 15_000);
  assert.equal(socketUrl('https://a.example/s/x#panel', 'x', 7), 'wss://a.example/ws/session/?after=7&slug=x');
});

test('a lost line comes back by itself and asks only for what was missed', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { connection, seen, at } = rig();
  connection.start();
  FakeSocket.made[0].opens();
  FakeSocket.made[0].says('{"seq":1}');
  at.after = 1;
  FakeSocket.made[0].ends();
  assert.equal(connection.status.state, 'waiting');
  assert.equal(connection.send({ type: 'cancel' }), false);
  mock.timers.tick(500);
  assert.equal(FakeSocket.made.length, 2);
  assert.match(FakeSocket.made[1].url, /after=1/);
  FakeSocket.made[1].opens();
  assert.equal(connection.send({ type: 'cancel' }), true);
  assert.deepEqual(seen.states, ['connecting', 'open', 'waiting', 'open']);
  connection.stop();
  mock.timers.reset();
});

test('a socket that never opens is given up and tried again', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { connection } = rig();
  connection.start();
  mock.timers.tick(10_000);
  assert.equal(connection.status.state, 'waiting');
  mock.timers.tick(500);
  assert.equal(FakeSocket.made.length, 2);
  connection.stop();
  mock.timers.reset();
});

test('offline stops trying until the browser is online again', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { connection, scope } = rig();
  connection.start();
  FakeSocket.made[0].opens();
  scope.dispatchEvent(new Event('offline'));
  mock.timers.tick(120_000);
  assert.equal(connection.status.state, 'offline');
  assert.equal(FakeSocket.made.length, 1);
  scope.dispatchEvent(new Event('online'));
  assert.equal(FakeSocket.made.length, 2);
  connection.stop();
  mock.timers.reset();
});

test('a browser without a network comes back to this very machine by itself', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  for (const host of ['localhost:8000', '127.0.0.1:8000', '[::1]:8000']) {
    const { connection, scope } = rig(`http://${host}/s/s`);
    connection.start();
    FakeSocket.made[0].opens();
    scope.dispatchEvent(new Event('offline'));
    mock.timers.tick(500);
    FakeSocket.made[1].opens();
    assert.equal(connection.send({ type: 'cancel' }), true);
    connection.stop();
  }
  mock.timers.reset();
});

test('a refusal is final, garbage is passed over, and an old socket is no longer heard', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { connection, seen } = rig();
  connection.start();
  const [old] = FakeSocket.made;
  old.opens();
  old.says('{not json');
  assert.deepEqual(seen.frames, []);
  connection.reopen();
  old.says('{"seq":5}');
  assert.deepEqual(seen.frames, []);
  FakeSocket.made[1].ends(4404);
  mock.timers.tick(60_000);
  assert.equal(connection.status.state, 'refused');
  assert.equal(FakeSocket.made.length, 2);
  connection.stop();
  mock.timers.reset();
});
