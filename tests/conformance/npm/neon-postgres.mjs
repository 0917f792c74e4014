/* postgres.js against a database of the Neon stand-in: what an app does with it. */

import postgres from 'postgres';
import { given, step } from './step.mjs';

const sql = postgres(given.uri, { max: 2, onnotice: () => {} });

/** Throw unless both are the same. */
function same(left, right) {
  if (JSON.stringify(left) !== JSON.stringify(right)) throw new Error(`${JSON.stringify(left)} is not ${JSON.stringify(right)}`);
}

await step('connect', async () => same((await sql`SELECT current_user AS me`)[0].me, new URL(given.uri).username));
await step('create', () => sql`CREATE TABLE cake (id serial PRIMARY KEY, name text, made timestamptz DEFAULT now(), more jsonb)`);
await step('insert', async () => {
  const cakes = [{ name: 'plum', more: sql.json({ price: 3 }) }, { name: 'rye', more: sql.json({ price: 4 }) }];
  same((await sql`INSERT INTO cake ${sql(cakes)} RETURNING id`).map((row) => row.id), [1, 2]);
});
await step('select', async () => {
  const [row] = await sql`SELECT name, more, made FROM cake WHERE name = ${'rye'}`;
  same([row.name, row.more.price, row.made instanceof Date], ['rye', 4, true]);
});
await step('begin', async () => {
  const failed = await sql.begin(async (held) => {
    await held`DELETE FROM cake`;
    throw new Error('not meant');
  }).catch((error) => error.message);
  same([failed, (await sql`SELECT count(*)::int AS number FROM cake`)[0].number], ['not meant', 2]);
});
await step('cursor', async () => {
  const seen = [];
  for await (const [row] of sql`SELECT name FROM cake ORDER BY id`.cursor(1)) seen.push(row.name);
  same(seen, ['plum', 'rye']);
});
await step('listen', async () => {
  let told;
  const heard = new Promise((hear) => { told = hear; });
  const { unlisten } = await sql.listen('news', told);
  await sql.notify('news', 'baked');
  same(await heard, 'baked');
  await unlisten();
});
await step('error', async () => {
  const code = await sql`SELECT nothing FROM cake`.catch((error) => error.code);
  same(code, '42703');
});
await step('reconnect', async () => {
  const suspended = await fetch(`${given.base_url}/projects/${given.project}/endpoints/${given.endpoint}/suspend`, {
    method: 'POST', headers: { Authorization: `Bearer ${given.key}` },
  });
  same(suspended.status, 200);
  await new Promise((wake) => setTimeout(wake, 500));
  same((await sql`SELECT count(*)::int AS number FROM cake`)[0].number, 2);
});
await sql.end();
