"""Drives the service with Okta's own Python SDK (PyPI `okta`).

The base URL is the first argument; the token is in THREATINSIGHT_TEST_TOKEN.
"""

import asyncio
import os
import sys
from datetime import datetime, timedelta, timezone

# Only read from the environment: the SDK refuses plain HTTP without it.
os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"

from okta.client import Client  # noqa: E402
from okta.models import IPNetworkZone, ThreatInsightConfiguration  # noqa: E402


def done(result):
    """The data of an answer that was to be a success."""
    error = result[-1]
    assert error is None, error
    return result[0]


def refused(result):
    """The status of an answer that was to be a refusal, and Okta's code."""
    error = result[-1]
    assert error is not None, result
    return error.status, error.error_code


async def configuration(client):
    fresh = done(await client.get_current_configuration())
    assert (fresh.action, fresh.exclude_zones) == ("none", []), fresh

    zone = done(
        await client.create_network_zone(
            IPNetworkZone.from_dict(
                {
                    "name": "python office",
                    "type": "IP",
                    "gateways": [
                        {"type": "CIDR", "value": "203.0.113.4/24"},
                        {"type": "RANGE", "value": "198.51.100.1"},
                    ],
                    "proxies": [{"type": "CIDR", "value": "192.0.2.1/32"}],
                }
            )
        )
    )
    assert zone.status == "ACTIVE" and zone.usage == "POLICY", zone
    assert zone.gateways[1].value == "198.51.100.1-198.51.100.1", zone

    update = ThreatInsightConfiguration(action="block", exclude_zones=[zone.id])
    updated = done(await client.update_configuration(update))
    assert (updated.action, updated.exclude_zones) == ("block", [zone.id]), updated
    assert updated.created == fresh.created

    # The SDK drops an empty list, so this clears the zones only if an update replaces everything.
    updated = done(
        await client.update_configuration(ThreatInsightConfiguration(action="audit", exclude_zones=[]))
    )
    assert updated.exclude_zones == [], updated
    round_trip = done(await client.get_current_configuration())
    done(await client.update_configuration(round_trip))
    again = done(await client.get_current_configuration())
    assert again.action == "audit", again

    unknown = ThreatInsightConfiguration(action="block", exclude_zones=["nzoUnknown"])
    assert refused(await client.update_configuration(unknown)) == (400, "E0000001")
    return zone


async def zones(client, zone):
    listed = done(await client.list_network_zones(limit=2))
    assert [type(each).__name__ for each in listed] == ["IPNetworkZone"] * 2, listed
    assert listed[0].id == zone.id
    blocked = done(await client.list_network_zones(filter='usage eq "BLOCKLIST"'))
    assert [each.name for each in blocked] == ["BlockedIpZone"], blocked
    assert blocked[0].system is True

    zone.name = "python branch"
    replaced = done(await client.replace_network_zone(zone.id, zone))
    assert replaced.name == "python branch" and replaced.proxies[0].value == "192.0.2.1/32"
    assert done(await client.get_network_zone(zone.id)).name == "python branch"

    assert refused(await client.delete_network_zone(zone.id)) == (400, "E0000001")
    assert done(await client.deactivate_network_zone(zone.id)).status == "INACTIVE"
    assert done(await client.activate_network_zone(zone.id)).status == "ACTIVE"
    assert done(await client.deactivate_network_zone(zone.id)).status == "INACTIVE"
    done(await client.delete_network_zone(zone.id))
    assert refused(await client.get_network_zone(zone.id)) == (404, "E0000007")


async def logs(client):
    events = done(
        await client.list_log_events(
            since=(datetime.now(timezone.utc) - timedelta(hours=1)).isoformat(),
            filter='eventType eq "security.threat.detected" and outcome.result eq "DENY"',
            limit=10,
            sort_order="DESCENDING",
        )
    )
    assert len(events) == 1, events
    event = events[0]
    assert event.actor.id == "203.0.113.77" and event.outcome.result == "DENY", event
    assert event.request.ip_chain[0].ip == "203.0.113.77", event
    updates = done(
        await client.list_log_events(filter='eventType eq "security.threat.configuration.update"')
    )
    assert updates and updates[0].target[0].change_details.to, updates


async def main():
    client = Client({"orgUrl": sys.argv[1], "token": os.environ["THREATINSIGHT_TEST_TOKEN"]})
    await zones(client, await configuration(client))
    await logs(client)
    done(await client.update_configuration(ThreatInsightConfiguration(action="none")))

    stranger = Client({"orgUrl": sys.argv[1], "token": "00" + "x" * 40})
    assert refused(await stranger.get_current_configuration()) == (401, "E0000011")
    print("python: done")


asyncio.run(main())
