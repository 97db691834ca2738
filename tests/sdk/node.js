// Drives the service with Okta's own Node SDK (npm `@okta/okta-sdk-nodejs`).
//
// The base URL is the first argument; the token is in THREATINSIGHT_TEST_TOKEN.
'use strict';

const assert = require('node:assert/strict');
const okta = require('@okta/okta-sdk-nodejs');

const connect = (token) => new okta.Client({ orgUrl: process.argv[2], token, cacheMiddleware: null });

async function collect(collection) {
  const all = [];
  await (await collection).each((each) => { all.push(each); });
  return all;
}

const refused = (status, errorCode) => (error) => {
  assert.equal(error.status, status);
  assert.equal(error.errorCode, errorCode);
  return true;
};

async function configuration(client) {
  const api = client.threatInsightApi;
  const update = (threatInsightConfiguration) => api.updateConfiguration({ threatInsightConfiguration });
  const fresh = await api.getCurrentConfiguration();
  assert.equal(fresh.action, 'none');
  const zone = await client.networkZoneApi.createNetworkZone({
    zone: {
      type: 'IP',
      name: 'node office',
      gateways: [{ type: 'CIDR', value: '203.0.113.4/24' }, { type: 'RANGE', value: '198.51.100.1' }],
      proxies: [{ type: 'CIDR', value: '192.0.2.1/32' }],
    },
  });
  assert.equal(zone.status, 'ACTIVE');
  const updated = await update({ action: 'block', excludeZones: [zone.id] });
  assert.deepEqual([...updated.excludeZones], [zone.id]);
  // The round trip sends every member, read-only ones too, and dates without milliseconds.
  const again = await update(await api.getCurrentConfiguration());
  assert.deepEqual([...again.excludeZones], [zone.id]);
  await assert.rejects(update({ action: 'BLOCK' }), refused(400, 'E0000003'));
  await assert.rejects(update({ action: 'block', excludeZones: ['nzoUnknown'] }), refused(400, 'E0000001'));
  assert.deepEqual([...(await update({ action: 'audit', excludeZones: [] })).excludeZones], []);
  return zone;
}

async function zones(client, zone) {
  const api = client.networkZoneApi;
  const zoneId = zone.id;
  // One zone a page: the SDK follows the links.
  const names = (await collect(api.listNetworkZones({ limit: 1 }))).map((each) => each.name);
  assert.deepEqual(names, ['node office', 'BlockedIpZone', 'LegacyIpZone']);
  const blocked = await collect(api.listNetworkZones({ filter: 'usage eq "BLOCKLIST"' }));
  assert.deepEqual(blocked.map((each) => each.name), ['BlockedIpZone']);

  zone.name = 'node branch';
  assert.equal((await api.replaceNetworkZone({ zoneId, zone })).name, 'node branch');
  await assert.rejects(api.deleteNetworkZone({ zoneId }), refused(400, 'E0000001'));
  assert.equal((await api.deactivateNetworkZone({ zoneId })).status, 'INACTIVE');
  assert.equal((await api.activateNetworkZone({ zoneId })).status, 'ACTIVE');
  assert.equal((await api.deactivateNetworkZone({ zoneId })).status, 'INACTIVE');
  await api.deleteNetworkZone({ zoneId });
  await assert.rejects(api.getNetworkZone({ zoneId }), refused(404, 'E0000007'));
}

async function logs(client) {
  const events = await collect(client.systemLogApi.listLogEvents({
    since: new Date(Date.now() - 3600_000).toISOString(),
    until: new Date(Date.now() + 3600_000).toISOString(),
    filter: 'actor.id eq "203.0.113.77" and eventType eq "security.threat.detected" and outcome.result eq "DENY"',
    limit: 1,
  }));
  assert.equal(events.length, 1);
  assert.equal(events[0].outcome.result, 'DENY');
  const updates = await collect(client.systemLogApi.listLogEvents({
    until: new Date(Date.now() + 3600_000).toISOString(),
    filter: 'eventType eq "security.threat.configuration.update"',
    limit: 2,
  }));
  assert.ok(updates.length > 2, `${updates.length} updates`);
}

async function main() {
  const client = connect(process.env.THREATINSIGHT_TEST_TOKEN);
  await zones(client, await configuration(client));
  await logs(client);
  await client.threatInsightApi.updateConfiguration({ threatInsightConfiguration: { action: 'none' } });
  const stranger = connect(`00${'x'.repeat(40)}`);
  await assert.rejects(stranger.threatInsightApi.getCurrentConfiguration(), refused(401, 'E0000011'));
  console.log('node: done');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
