/* Octokit over a repository's life: with a personal token, then as an App by its JWT and its installation's tokens. */

import assert from 'node:assert/strict';
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from 'octokit';
import { given, step } from './step.mjs';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const common = { baseUrl: given.base_url, log: quiet, throttle: { enabled: false } };
const octokit = new Octokit({ ...common, auth: given.key });
const { data: me } = await octokit.rest.users.getAuthenticated();
const at = { owner: me.login, repo: given.name };

async function refused(status, work) {
  await assert.rejects(work, (error) => {
    assert.equal(error.status, status, error.message);
    return true;
  });
}

const made = await step('repos.createForAuthenticatedUser', async () => {
  const { data, headers } = await octokit.rest.repos.createForAuthenticatedUser({
    name: given.name, private: true, auto_init: true,
  });
  assert.equal(data.full_name, `${me.login}/${given.name}`);
  assert.equal(headers['x-ratelimit-resource'], 'core');
  assert.equal(Number(headers['x-ratelimit-used']) + Number(headers['x-ratelimit-remaining']), 5000);
  return data;
});
await step('repos.createForAuthenticatedUser: taken', () =>
  refused(422, () => octokit.rest.repos.createForAuthenticatedUser({ name: given.name })));
await step('paginate repos.listForAuthenticatedUser', async () => {
  for (const number of [1, 2]) await octokit.rest.repos.createForAuthenticatedUser({ name: `${given.name}-${number}` });
  const all = await octokit.paginate(octokit.rest.repos.listForAuthenticatedUser, { per_page: 1, sort: 'created' });
  const ours = all.filter((one) => one.name.startsWith(given.name)).map((one) => one.name);
  assert.deepEqual(ours, [`${given.name}-2`, `${given.name}-1`, given.name]);
  const { data: past } = await octokit.rest.repos.listForAuthenticatedUser({ per_page: 100, page: 99 });
  assert.deepEqual(past, []);
});
await step('repos.get', async () => {
  const { data } = await octokit.rest.repos.get(at);
  assert.equal(data.id, made.id);
});
await step('repos.getContent', async () => {
  const { data } = await octokit.rest.repos.getContent({ ...at, path: 'README.md' });
  assert.equal(Buffer.from(data.content, 'base64').toString(), `# ${given.name}\n`);
});
await step('repos.listCommits', async () => {
  const commits = await octokit.paginate(octokit.rest.repos.listCommits, at);
  assert.deepEqual(commits.map((one) => one.commit.message), ['Initial commit']);
});
await step('repos.listBranches', async () => {
  const { data } = await octokit.rest.repos.listBranches(at);
  assert.deepEqual(data.map((one) => one.name), ['main']);
});
await step('actions.setGithubActionsPermissionsRepository', async () => {
  await octokit.rest.actions.setGithubActionsPermissionsRepository({ owner: at.owner, repo: at.repo, enabled: false });
  const { data } = await octokit.rest.actions.getGithubActionsPermissionsRepository(at);
  assert.equal(data.enabled, false);
});
await step('repos.update: a new name', async () => {
  const { data } = await octokit.rest.repos.update({ ...at, name: `${given.name}-new` });
  assert.equal(data.full_name, `${me.login}/${given.name}-new`);
});
await step('repos.get: the old name leads on', async () => {
  const { data, url } = await octokit.rest.repos.get(at);
  assert.equal(data.name, `${given.name}-new`);
  assert.equal(url, `${given.base_url}/repositories/${made.id}`);
  const { data: file } = await octokit.rest.repos.getContent({ ...at, path: 'README.md' });
  assert.equal(file.name, 'README.md');
});
await step('repos.delete', async () => {
  for (const repo of [`${given.name}-new`, `${given.name}-1`, `${given.name}-2`]) {
    const { status } = await octokit.rest.repos.delete({ owner: me.login, repo });
    assert.equal(status, 204);
  }
  await refused(404, () => octokit.rest.repos.get({ owner: me.login, repo: `${given.name}-new` }));
  await refused(404, () => octokit.rest.repos.delete(at));
});
await step('users.getAuthenticated: a wrong key', () =>
  refused(401, () => new Octokit({ ...common, auth: 'ghp_wrong' }).rest.users.getAuthenticated()));

const { id: appId, private_key: privateKey, installation_id: installationId, installation_owner: org } = given.app;
const app = new Octokit({ ...common, authStrategy: createAppAuth, auth: { appId, privateKey } });
await step('apps.getAuthenticated, by JWT', async () => {
  const { data } = await app.rest.apps.getAuthenticated();
  assert.equal(String(data.id), appId);
});
await step('apps.listInstallations, getInstallation', async () => {
  const all = await app.paginate(app.rest.apps.listInstallations, { per_page: 1 });
  assert.equal(all.length, Object.keys(given.app.installations).length);
  const { data } = await app.rest.apps.getInstallation({ installation_id: Number(installationId) });
  assert.equal(data.account.login, org);
  await refused(404, () => app.rest.apps.getInstallation({ installation_id: 1 }));
});
const installed = new Octokit({ ...common, authStrategy: createAppAuth, auth: { appId, privateKey, installationId } });
const one = await step('repos.createInOrg, by an installation', async () => {
  const { data } = await installed.rest.repos.createInOrg({ org, name: given.name, private: true });
  return data;
});
await step('repos.createForAuthenticatedUser, by an installation: refused', () =>
  refused(403, () => installed.rest.repos.createForAuthenticatedUser({ name: given.name })));
await step('auth-app: token for one repository', async () => {
  const { data: other } = await installed.rest.repos.createInOrg({ org, name: `${given.name}-other`, private: true });
  const { token } = await installed.auth({
    type: 'installation', repositoryNames: [one.name], permissions: { contents: 'write' },
  });
  const narrow = new Octokit({ ...common, auth: token });
  assert.equal((await narrow.rest.repos.get({ owner: org, repo: one.name })).data.id, one.id);
  await refused(404, () => narrow.rest.repos.get({ owner: org, repo: other.name }));
  await refused(403, () => narrow.rest.repos.delete({ owner: org, repo: one.name }));
  const { data: listed } = await narrow.rest.apps.listReposAccessibleToInstallation();
  assert.deepEqual(listed.repositories.map((each) => each.name), [one.name]);
  await narrow.rest.apps.revokeInstallationAccessToken();
  await refused(401, () => narrow.rest.repos.get({ owner: org, repo: one.name }));
  for (const repo of [one.name, other.name]) await installed.rest.repos.delete({ owner: org, repo });
});
await step('auth-app: a wrong clock is put right', async () => {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length ? given : [RealDate.now() - 3_600_000]));
    }

    static now() {
      return RealDate.now() - 3_600_000;
    }
  };
  try {
    const late = new Octokit({ ...common, authStrategy: createAppAuth, auth: { appId, privateKey } });
    assert.equal((await late.rest.apps.getAuthenticated()).status, 200);
  } finally {
    globalThis.Date = RealDate;
  }
});
