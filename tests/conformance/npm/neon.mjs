/* Neon's own API client, over an ordinary life: projects, branches, snapshots, computes, roles, databases; and postgres.js
   to see that what the answers say is so. */

import { createApiClient } from '@neondatabase/api-client';
import postgres from 'postgres';
import { given, step } from './step.mjs';

const api = createApiClient({ apiKey: given.key, baseURL: given.base_url });
const friend = createApiClient({ apiKey: given.friend_key, baseURL: given.base_url });
const state = {};

/** Throw unless both are the same. */
function same(left, right) {
  if (JSON.stringify(left) !== JSON.stringify(right)) throw new Error(`${JSON.stringify(left)} is not ${JSON.stringify(right)}`);
}

/** The refusal that a call must end in. */
async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { status: error.response?.status, ...error.response?.data };
  }
  throw new Error('was not refused');
}

/** Wait until all operations of the project have ended. */
async function settled(id = state.id) {
  for (let tries = 0; tries < 600; tries += 1) {
    const { data } = await api.listProjectOperations({ projectId: id });
    if (data.operations.some((one) => one.status === 'failed')) throw new Error(JSON.stringify(data.operations));
    if (data.operations.every((one) => one.status === 'finished')) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error('the operations did not finish');
}

/** Rows of one statement. */
async function rows(uri, statement) {
  const sql = postgres(uri, { max: 1, onnotice: () => {} });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}

const words = async (uri) => (await rows(uri, 'SELECT word FROM said ORDER BY word')).map((row) => row.word);
const say = (uri, word) => rows(uri, `CREATE TABLE IF NOT EXISTS said (word text); INSERT INTO said VALUES ('${word}')`);
const uriOf = async (branchId, database = 'neondb', role = 'neondb_owner') =>
  (await api.getConnectionUri({ projectId: state.id, branch_id: branchId, database_name: database, role_name: role })).data.uri;

await step('getCurrentUserInfo', async () => same((await api.getCurrentUserInfo()).data.login, 'localcloud'));
await step('createProject', async () => {
  const answer = await api.createProject({ project: { name: given.name, settings: { quota: { logical_size_bytes: 512e6 } } } });
  same(answer.status, 201);
  state.id = answer.data.project.id;
  state.main = answer.data.branch.id;
  state.uri = answer.data.connection_uris[0].connection_uri;
  await settled();
  await say(state.uri, 'first');
});
await step('listProjectOperations', async () => {
  const { data } = await api.listProjectOperations({ projectId: state.id, limit: 1 });
  const next = await api.listProjectOperations({ projectId: state.id, limit: 1, cursor: data.pagination.cursor });
  state.operation = next.data.operations[0];
  same([data.operations[0].action, state.operation.action], ['start_compute', 'create_timeline']);
});
await step('getProjectOperation', async () =>
  same((await api.getProjectOperation(state.id, state.operation.id)).data.operation, state.operation));
await step('getProject', async () =>
  same((await api.getProject(state.id)).data.project.settings.quota, { logical_size_bytes: 512e6 }));
await step('updateProject', async () =>
  same((await api.updateProject(state.id, { project: { history_retention_seconds: 60 } })).data.project.history_retention_seconds, 60));
await step('listProjects', async () => {
  await api.createProject({ project: { name: `${given.name}-other` } });
  const found = [];
  for (let cursor; ; ) {
    const { data } = await api.listProjects({ search: given.name, limit: 1, cursor });
    if (!data.projects.length) break;
    found.push(data.projects[0].name);
    cursor = data.pagination.cursor;
  }
  same(found, [given.name, `${given.name}-other`]);
});

await step('createProjectBranch', async () => {
  const answer = await api.createProjectBranch(state.id, { branch: { name: 'dev' }, endpoints: [{ type: 'read_write' }] });
  same([answer.status, answer.data.branch.current_state, answer.data.branch.parent_id], [201, 'init', state.main]);
  state.dev = answer.data.branch.id;
  state.devUri = answer.data.connection_uris[0].connection_uri;
  state.compute = answer.data.endpoints[0].id;
  const locked = await refused(api.createProjectBranch(state.id, {}));
  same([locked.status, locked.message.includes('running operations')], [423, true]);
  await settled();
  await say(state.devUri, 'branched');
  same([await words(state.uri), await words(state.devUri)], [['first'], ['branched', 'first']]);
});
await step('getProjectBranch', async () => {
  const { data } = await api.getProjectBranch(state.id, state.dev);
  same([data.branch.current_state, data.branch.default, data.annotation.object.id], ['ready', false, state.dev]);
});
await step('listProjectBranches', async () => {
  const query = { projectId: state.id, sort_by: 'name', sort_order: 'asc', limit: 1 };
  const { data } = await api.listProjectBranches(query);
  const next = await api.listProjectBranches({ ...query, cursor: data.pagination.next });
  same([data.branches[0].name, next.data.branches[0].name, next.data.pagination.next], ['dev', 'main', undefined]);
});
await step('countProjectBranches', async () => same((await api.countProjectBranches({ projectId: state.id })).data.count, 2));
await step('updateProjectBranch', async () =>
  same((await api.updateProjectBranch(state.id, state.dev, { branch: { name: 'next' } })).data.branch.name, 'next'));
await step('setDefaultProjectBranch', async () => {
  same((await api.setDefaultProjectBranch(state.id, state.dev)).data.branch.default, true);
  await api.setDefaultProjectBranch(state.id, state.main);
});
await step('getConnectionUri', async () => same([await uriOf(state.main), await uriOf(state.dev)], [state.uri, state.devUri]));

await step('restoreProjectBranch', async () => {
  await api.restoreProjectBranch(state.id, state.dev, { source_branch_id: state.main, preserve_under_name: 'kept' });
  await settled();
  same(await words(state.devUri), ['first']);
  const { data } = await api.listProjectBranches({ projectId: state.id, search: 'kept' });
  state.kept = data.branches[0].id;
  const past = { source_branch_id: state.main, source_timestamp: '2024-02-26T12:00:00Z' };
  same((await refused(api.restoreProjectBranch(state.id, state.dev, past))).status, 501);
});
await step('createSnapshot', async () => {
  state.snapshot = (await api.createSnapshot({ projectId: state.id, branchId: state.main, name: 'friday' })).data.snapshot.id;
  await settled();
  await say(state.uri, 'later');
});
await step('listSnapshots', async () => {
  const { snapshots } = (await api.listSnapshots(state.id)).data;
  same(snapshots.map((one) => one.name), ['friday']);
  const point = { branch: { name: 'then', parent_lsn: snapshots[0].lsn }, endpoints: [{ type: 'read_write' }] };
  const { data } = await api.createProjectBranch(state.id, point);
  await settled();
  same(await words(data.connection_uris[0].connection_uri), ['first']);
});
await step('updateSnapshot', async () =>
  same((await api.updateSnapshot(state.id, state.snapshot, { snapshot: { name: 'week' } })).data.snapshot.name, 'week'));
await step('restoreSnapshot', async () => {
  await api.restoreSnapshot({ projectId: state.id, snapshotId: state.snapshot }, { finalize_restore: true, name: 'away' });
  await settled();
  same(await words(state.uri), ['first']);
});
await step('deleteSnapshot', async () => {
  same((await api.deleteSnapshot(state.id, state.snapshot)).status, 202);
  await settled();
  same((await api.listSnapshots(state.id)).data.snapshots, []);
});

await step('createProjectEndpoint', async () => {
  const { data } = await api.createProjectEndpoint(state.id, { endpoint: { branch_id: state.kept, type: 'read_write' } });
  state.other = data.endpoint.id;
  await settled();
  same(await words(await uriOf(state.kept)), ['branched', 'first']);
});
await step('listProjectBranchEndpoints', async () =>
  same((await api.listProjectBranchEndpoints(state.id, state.kept)).data.endpoints.map((one) => one.id), [state.other]));
await step('listProjectEndpoints', async () => same((await api.listProjectEndpoints(state.id)).data.endpoints.length, 4));
await step('updateProjectEndpoint', async () => {
  const { data } = await api.updateProjectEndpoint(state.id, state.other, { endpoint: { suspend_timeout_seconds: 60 } });
  same(data.endpoint.suspend_timeout_seconds, 60);
  await settled();
});
await step('suspendProjectEndpoint', async () => {
  await api.suspendProjectEndpoint(state.id, state.other);
  await settled();
});
await step('getProjectEndpoint', async () =>
  same((await api.getProjectEndpoint(state.id, state.other)).data.endpoint.current_state, 'idle'));
for (const verb of ['start', 'restart']) {
  await step(`${verb}ProjectEndpoint`, async () => {
    await api[`${verb}ProjectEndpoint`](state.id, state.other);
    await settled();
    same((await api.getProjectEndpoint(state.id, state.other)).data.endpoint.current_state, 'active');
  });
}
await step('deleteProjectEndpoint', async () => {
  await api.deleteProjectEndpoint(state.id, state.other);
  await settled();
  same((await refused(api.getProjectEndpoint(state.id, state.other))).status, 404);
});

await step('createProjectBranchRole', async () => {
  const { data } = await api.createProjectBranchRole(state.id, state.dev, { role: { name: 'clerk' } });
  [state.role, state.password] = [data.role.name, data.role.password];
  await settled();
});
await step('listProjectBranchRoles', async () =>
  same((await api.listProjectBranchRoles(state.id, state.dev)).data.roles.map((one) => one.name).includes(state.role), true));
await step('getProjectBranchRole', async () =>
  same((await api.getProjectBranchRole(state.id, state.dev, 'clerk')).data.role.name, state.role));
await step('getProjectBranchRolePassword', async () =>
  same((await api.getProjectBranchRolePassword(state.id, state.dev, state.role)).data.password, state.password));
await step('resetProjectBranchRolePassword', async () => {
  const { data } = await api.resetProjectBranchRolePassword(state.id, state.dev, state.role);
  same(data.role.password === state.password, false);
  await settled();
});
await step('createProjectBranchDatabase', async () => {
  const wished = { database: { name: 'shop', owner_name: state.role } };
  state.database = (await api.createProjectBranchDatabase(state.id, state.dev, wished)).data.database.name;
  await settled();
  await say(await uriOf(state.dev, 'shop', 'clerk'), 'sold');
});
await step('listProjectBranchDatabases', async () =>
  same((await api.listProjectBranchDatabases(state.id, state.dev)).data.databases.length, 2));
await step('updateProjectBranchDatabase', async () => {
  await api.updateProjectBranchDatabase(state.id, state.dev, state.database, { database: { name: 'store' } });
  await settled();
  same(await words(await uriOf(state.dev, 'store', 'clerk')), ['sold']);
});
await step('getProjectBranchDatabase', async () =>
  same((await api.getProjectBranchDatabase(state.id, state.dev, 'store')).data.database.owner_name, state.role));
await step('deleteProjectBranchDatabase', async () => {
  await api.deleteProjectBranchDatabase(state.id, state.dev, 'store');
  await settled();
});
await step('deleteProjectBranchRole', async () => {
  await api.deleteProjectBranchRole(state.id, state.dev, 'clerk');
  await settled();
  same((await refused(api.getProjectBranchRole(state.id, state.dev, 'clerk'))).status, 404);
});
await step('deleteProjectBranch', async () => {
  same((await refused(api.deleteProjectBranch({ projectId: state.id, branchId: state.main }))).status, 422);
  await api.deleteProjectBranch({ projectId: state.id, branchId: state.kept });
  await settled();
  same((await refused(api.getProjectBranch(state.id, state.kept))).message, 'branch not found');
});

await step('deleteProject', async () => {
  same((await api.deleteProject(state.id)).data.project.id, state.id);
  const gone = await refused(api.getProject(state.id));
  same([gone.status, gone.code, gone.message], [404, '', 'project not found']);
  const { data } = await api.listProjects({ search: state.id, recoverable: true });
  same([data.projects.length, data.projects[0].deleted_at < data.projects[0].recoverable_until], [1, true]);
});
await step('recoverProject', async () => {
  same((await api.recoverProject(state.id)).data.project.id, state.id);
  same(await words(state.uri), ['first']);
});
await step('createProjectTransferRequest', async () => {
  const { data } = await api.createProjectTransferRequest(state.id, { ttl_seconds: 60 });
  state.request = data.id;
});
await step('acceptProjectTransferRequest', async () => {
  same((await friend.acceptProjectTransferRequest(state.id, state.request, {})).status, 204);
  same((await refused(api.getProject(state.id))).status, 404);
  same((await friend.getProject(state.id)).data.project.id, state.id);
  same(await words(state.uri), ['first']);
});
