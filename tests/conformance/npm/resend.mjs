/* Resend's Node client, over an ordinary life: mail, keys, segments and contacts, webhooks. */

import { createServer } from 'node:http';
import { Resend } from 'resend';
import { given, step } from './step.mjs';

const resend = new Resend(given.key, { baseUrl: given.base_url });
const mail = (more = {}) => ({ from: given.from, to: 'ada@example.com', subject: 'Hello', text: 'Hello', ...more });

/** What a call gave; a refusal is thrown. */
async function good(call) {
  const answer = await call;
  if (answer.error) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

/** The refusal a call must meet; it is checked by its status and name. */
async function refused(call, status, name) {
  const { error } = await call;
  if (error?.statusCode !== status || error?.name !== name) throw new Error(`${status} ${name}: ${JSON.stringify(error)}`);
}

function must(truth, seen) {
  if (!truth) throw new Error(JSON.stringify(seen));
}

async function until(look) {
  for (const end = Date.now() + 15000; Date.now() < end; await new Promise((go) => setTimeout(go, 30))) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error('it did not happen within 15 s');
}

// Mail

const made = await step('emails.send', async () => {
  const ids = [];
  for (const number of [0, 1, 2]) ids.push((await good(resend.emails.send(mail({ subject: `Mail ${number}` })))).id);
  return ids;
});
await step('emails.get', async () => {
  const read = await good(resend.emails.get(made[0]));
  must(read.subject === 'Mail 0' && read.text === 'Hello', read);
  await refused(resend.emails.get('00000000-0000-4000-8000-000000000000'), 404, 'not_found');
});
await step('emails.list', async () => {
  const first = await good(resend.emails.list({ limit: 2 }));
  must(first.data[0].id === made[2] && first.data[1].id === made[1] && first.has_more, first);
  const second = await good(resend.emails.list({ limit: 1, after: made[1] }));
  must(second.data[0].id === made[0], second);
});
await step('emails.send (idempotent)', async () => {
  const options = { idempotencyKey: crypto.randomUUID() };
  const [first, again] = [await good(resend.emails.send(mail(), options)), await good(resend.emails.send(mail(), options))];
  must(first.id === again.id, [first, again]);
  await refused(resend.emails.send(mail({ subject: 'Else' }), options), 409, 'invalid_idempotent_request');
});
await step('emails.update and cancel', async () => {
  const { id } = await good(resend.emails.send(mail({ scheduledAt: 'in 1 hour' })));
  await good(resend.emails.update({ id, scheduledAt: new Date(Date.now() + 7200e3).toISOString() }));
  await good(resend.emails.cancel(id));
  const read = await good(resend.emails.get(id));
  must(read.last_event === 'canceled', read);
});
await step('batch.send', async () => {
  const sent = await good(resend.batch.send([mail(), mail()]));
  must(sent.data.length === 2, sent);
});

// Keys

await step('apiKeys', async () => {
  const key = await good(resend.apiKeys.create({ name: given.name, permission: 'sending_access' }));
  const sender = new Resend(key.token, { baseUrl: given.base_url });
  await good(sender.emails.send(mail()));
  await refused(sender.emails.list(), 401, 'restricted_api_key');
  const listed = await good(resend.apiKeys.list({ limit: 1 }));
  must(listed.data[0].id === key.id && listed.data[0].last_used_at, listed);
  await good(resend.apiKeys.remove(key.id));
  await refused(sender.emails.send(mail()), 401, 'validation_error');
});

// Segments and contacts

const segment = await step('segments.create', () => good(resend.segments.create({ name: given.name })));
const contact = await step('contacts.create', () =>
  good(resend.contacts.create({ audienceId: segment.id, email: `${given.name}@example.com`, firstName: 'Ada' })));
await step('contacts.list', async () => {
  const listed = await good(resend.contacts.list({ segmentId: segment.id, limit: 1 }));
  must(listed.data[0].id === contact.id && !listed.has_more, listed);
  const past = await good(resend.contacts.list({ segmentId: segment.id, after: contact.id }));
  must(past.data.length === 0, past);
});
await step('contacts.update', () => good(resend.contacts.update({ id: contact.id, unsubscribed: true })));
await step('contacts.get', async () => {
  const read = await good(resend.contacts.get({ id: contact.id }));
  must(read.unsubscribed === true && read.first_name === 'Ada', read);
});
await step('contacts.segments', async () => {
  const listed = await good(resend.contacts.segments.list({ contactId: contact.id }));
  must(listed.data[0].id === segment.id, listed);
  await good(resend.contacts.segments.remove({ contactId: contact.id, segmentId: segment.id }));
  await good(resend.contacts.segments.add({ contactId: contact.id, segmentId: segment.id }));
});
await step('contacts.remove', async () => {
  await good(resend.contacts.remove({ id: contact.id }));
  await refused(resend.contacts.get({ id: contact.id }), 404, 'not_found');
});
await step('segments.list', async () => {
  const listed = await good(resend.segments.list({ limit: 1 }));
  must(listed.data[0].id === segment.id, listed);
});
await step('segments.remove', async () => {
  must((await good(resend.segments.remove(segment.id))).deleted);
  await refused(resend.segments.get(segment.id), 404, 'not_found');
});

// Webhooks

const told = [];
const endpoint = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => { told.push({ headers: request.headers, body }); response.writeHead(200).end(); });
});
await new Promise((go) => endpoint.listen(0, '127.0.0.1', go));
const hook = await step('webhooks.create', () => good(resend.webhooks.create({
  endpoint: `http://127.0.0.1:${endpoint.address().port}/`, events: ['email.complained'],
})));
await step('webhooks.list and get', async () => {
  const listed = await good(resend.webhooks.list({ limit: 1 }));
  must(listed.data[0].id === hook.id, listed);
  must((await good(resend.webhooks.get(hook.id))).signing_secret === hook.signing_secret);
});
await step('webhooks.verify', async () => {
  const { id } = await good(resend.emails.send(mail({ to: 'complained@resend.dev' })));
  const { headers, body } = await until(() => told[0]);
  const parts = { id: headers['svix-id'], timestamp: headers['svix-timestamp'], signature: headers['svix-signature'] };
  const read = resend.webhooks.verify({ payload: body, headers: parts, webhookSecret: hook.signing_secret });
  must(read.type === 'email.complained' && read.data.email_id === id, read);
  let caught;
  try {
    resend.webhooks.verify({ payload: `${body} `, headers: parts, webhookSecret: hook.signing_secret });
  } catch (error) { caught = error; }
  must(caught, 'a changed payload was taken');
});
await step('webhooks.events', async () => {
  const [event] = await until(async () => {
    const { data } = await good(resend.webhooks.events.list({ webhookId: hook.id }));
    return data[0]?.status === 'success' && data;
  });
  const ids = { webhookId: hook.id, eventId: event.id };
  must((await good(resend.webhooks.events.get(ids))).payload.type === 'email.complained');
  must((await good(resend.webhooks.events.attempts.list(ids))).data[0].http_status_code === 200);
  await good(resend.webhooks.events.replay(ids));
  await until(() => told[1]);
});
await step('webhooks.update and remove', async () => {
  await good(resend.webhooks.update(hook.id, { status: 'disabled' }));
  must((await good(resend.webhooks.get(hook.id))).status === 'disabled');
  must((await good(resend.webhooks.remove(hook.id))).deleted);
  await refused(resend.webhooks.get(hook.id), 404, 'not_found');
});
endpoint.close();
