/* PostHog's Node client, over an ordinary life: captured, grouped, identified, asked for flags; then read and deleted. */

import { PostHog } from 'posthog-node';
import { given, step } from './step.mjs';

const { group } = given;
const groups = { app: group };
const posthog = new PostHog(given.key, { host: given.base_url, flushAt: 20, flushInterval: 60000 });

function must(truth, seen) {
  if (!truth) throw new Error(JSON.stringify(seen));
}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${given.personal}`, 'content-type': 'application/json' };
  const answer = await fetch(`${given.base_url}/api/projects/1${path}`, { ...options, headers });
  must(answer.ok || answer.status === 404, [answer.status, path]);
  return answer.status === 200 ? answer.json() : answer.status;
}

async function rows(query) {
  const body = JSON.stringify({ query: { kind: 'HogQLQuery', query, values: { group } } });
  return (await ask('/query/', { method: 'POST', body })).results;
}

const mine = 'properties.$groups.app = {group}';

await step('capture (batched)', async () => {
  for (let n = 0; n < 45; n += 1) posthog.capture({ distinctId: `${group}-${n % 3}`, event: 'visited', groups, properties: { n } });
  await posthog.flush();
  const [[count, people, sum]] = await rows(`SELECT count(), uniq(person_id), sum(properties.n) FROM events WHERE ${mine}`);
  must(count === 45 && people === 3 && sum === 990, [count, people, sum]);
});
await step('captureImmediate', async () => {
  await posthog.captureImmediate({ distinctId: `${group}-0`, event: 'at once', groups });
  must((await rows(`SELECT count() FROM events WHERE ${mine} AND event = 'at once'`))[0][0] === 1);
});
await step('identify and alias', async () => {
  posthog.identify({ distinctId: `${group}-ada`, properties: { plan: 'free' } });
  posthog.alias({ distinctId: `${group}-ada`, alias: `${group}-0` });
  await posthog.flush();
  const { results: [person] } = await ask(`/persons/?distinct_id=${group}-0`);
  must(person.properties.plan === 'free' && person.distinct_ids.length === 2, person);
  must((await rows(`SELECT uniq(person_id) FROM events WHERE ${mine}`))[0][0] === 3);
});
await step('groupIdentify', async () => {
  posthog.groupIdentify({ groupType: 'app', groupKey: group, properties: { name: 'Guestbook' } });
  await posthog.flush();
  const kinds = await ask('/groups_types/');
  const { group_type_index: place } = kinds.find((kind) => kind.group_type === 'app');
  const found = await ask(`/groups/find?group_type_index=${place}&group_key=${group}`);
  must(found.group_properties.name === 'Guestbook', found);
});
await step('flags', async () => {
  const flags = await posthog.evaluateFlags(`${group}-ada`);
  must(flags.isEnabled('beta') === false);
  must(Object.keys(await posthog.getAllFlags(`${group}-ada`)).length === 0);
});
await step('flags (local evaluation)', async () => {
  const local = new PostHog(given.key, { host: given.base_url, secretKey: given.personal });
  try {
    const loaded = new Promise((go, stop) => {
      local.on('localEvaluationFlagsLoaded', go);
      local.on('error', stop);
    });
    must((await loaded) === 0, 'flags were found where there are none');
    const flags = await local.evaluateFlags(`${group}-ada`, { onlyEvaluateLocally: true });
    must(!flags.isEnabled('beta'));
  } finally {
    await local.shutdown();
  }
});
await step('captureException', async () => {
  posthog.captureException(new Error('the shelf is empty'), `${group}-ada`, { $groups: groups });
  await posthog.flush();
  must((await rows(`SELECT count() FROM events WHERE ${mine} AND event = '$exception'`))[0][0] === 1);
});
await step('shutdown', async () => {
  posthog.capture({ distinctId: `${group}-1`, event: 'last', groups });
  await posthog.shutdown();
  must((await rows(`SELECT count() FROM events WHERE ${mine} AND event = 'last'`))[0][0] === 1);
});
await step('events and persons', async () => {
  const { results, next } = await ask(`/events/?distinct_id=${group}-1&limit=1`);
  must(results[0].event === 'last' && next, results);
  const { results: [person] } = await ask(`/persons/?distinct_id=${group}-1`);
  must((await ask(`/persons/${person.id}/?delete_events=true`, { method: 'DELETE' })) === 202);
  must((await ask(`/persons/${person.id}/`)) === 404);
  must((await rows(`SELECT count() FROM events WHERE ${mine} AND distinct_id = '${group}-1'`))[0][0] === 0);
});
