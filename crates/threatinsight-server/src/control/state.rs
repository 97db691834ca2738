//! What is stored, in memory: what every change is decided on.

use std::collections::BTreeMap;
use std::sync::Arc;

use threatinsight::{
    CompileError, Configuration, Extensions, Feed, NetworkZone, Prefix, Snapshot, ZoneStatus,
    ZoneUsage, Zones,
};

use super::Rules;
use crate::clock::Moment;
use crate::store::{Change, StoredConfiguration, StoredZone};

/// The name of the system zone that overrides the list and the blocklist zones.
pub(crate) const EXEMPT_ZONE: &str = "DefaultExemptIpZone";

/// Everything stored, at one revision.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) revision: i64,
    pub(crate) configuration: StoredConfiguration,
    /// Newest first.
    pub(crate) zones: Vec<StoredZone>,
    pub(crate) feeds: BTreeMap<String, Arc<LoadedFeed>>,
}

/// A feed, read.
#[derive(Debug)]
pub(crate) struct LoadedFeed {
    pub(crate) feed: Feed,
    pub(crate) revision: i64,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    pub(crate) lines: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: usize,
    pub(crate) distinct_ipv4: u128,
    pub(crate) distinct_ipv6: u128,
    /// Each distinct prefix in ascending order, with the second since when it is listed.
    pub(crate) since: Vec<(Prefix, u32)>,
}

impl LoadedFeed {
    pub(crate) fn since(&self, prefix: Prefix) -> Option<u32> {
        second_of(&self.since, prefix)
    }
}

/// The second beside `prefix`; `since` is in ascending order.
pub(super) fn second_of(since: &[(Prefix, u32)], prefix: Prefix) -> Option<u32> {
    let place = since
        .binary_search_by_key(&prefix, |(known, _)| *known)
        .ok()?;
    since.get(place).map(|(_, second)| *second)
}

impl State {
    /// The state before anything was loaded: an older one than every stored one.
    pub(super) const fn empty() -> Self {
        Self {
            revision: -1,
            configuration: StoredConfiguration {
                action: threatinsight::Action::None,
                exclude_zones: Vec::new(),
                created: Moment(0),
                updated: Moment(0),
            },
            zones: Vec::new(),
            feeds: BTreeMap::new(),
        }
    }

    pub(crate) fn zone(&self, id: &str) -> Option<&StoredZone> {
        self.zones.iter().find(|zone| zone.id() == id)
    }

    /// The ordinal of the next new zone.
    pub(crate) fn next_ordinal(&self) -> i64 {
        self.zones.first().map_or(1, |newest| newest.ordinal + 1)
    }

    /// The ids of the ACTIVE blocklist zones that would have to be asked about every request and
    /// are not, because what they match is not in them.
    pub(crate) fn not_enforced(&self) -> Vec<String> {
        let zones = self.zones.iter().filter(|zone| is_dynamic(&zone.zone));
        zones
            .filter(|zone| {
                let head = zone.zone.head();
                head.status == ZoneStatus::Active && head.usage == ZoneUsage::Blocklist
            })
            .map(|zone| zone.id().to_owned())
            .collect()
    }

    /// The state after `changes` to the configuration and the zones.
    pub(super) fn with(&self, changes: &[Change]) -> Self {
        let mut next = self.clone();
        for change in changes {
            match change {
                Change::Configuration(configuration) => next.configuration = configuration.clone(),
                Change::PutZone(zone) => {
                    let known = next.zones.iter_mut().find(|known| known.id() == zone.id());
                    match known {
                        Some(known) => known.clone_from(zone),
                        None => next.zones.insert(0, StoredZone::clone(zone)),
                    }
                }
                Change::DeleteZone(id) => next.zones.retain(|zone| zone.id() != id),
                // Feeds are put in with the list that is compiled from them.
                Change::PutFeed(_) | Change::DeleteFeed(_) => {}
            }
        }
        next
    }

    /// `current` with these zones and this configuration in place of its own.
    pub(super) fn compile(
        &self,
        current: &Snapshot,
        rules: &Rules,
    ) -> Result<Snapshot, CompileError> {
        let zones: Vec<NetworkZone> = self
            .zones
            .iter()
            .map(|zone| zone.zone.clone())
            .filter(|zone| !is_dynamic(zone))
            .collect();
        // A stored one that no option asks for any more is a zone like others.
        let asked_for = |zone: &&StoredZone| rules.exempt_zone && is_exempt_zone(&zone.zone);
        let exempt = self.zones.iter().find(asked_for);
        let extensions = Extensions {
            exempt_zone: exempt.map(|zone| zone.id().to_owned()),
            ..rules.extensions.clone()
        };
        // Zones and configuration may both have changed: neither need fit the other's old state.
        let nothing = Configuration::new(self.configuration.action);
        current
            .with_configuration(&nothing, &Extensions::default())?
            .with_zones(Zones::compile(&zones)?)?
            .with_configuration(&self.configuration.object(), &extensions)
    }

    /// Whether both have the same versions of the same feeds.
    pub(super) fn has_feeds(&self, feeds: &BTreeMap<String, Arc<LoadedFeed>>) -> bool {
        let mut pairs = self.feeds.iter().zip(feeds);
        self.feeds.len() == feeds.len() && pairs.all(|((_, a), (_, b))| Arc::ptr_eq(a, b))
    }

    /// Since when `feed` lists `prefix`, where that is known.
    pub(crate) fn listed_since(&self, feed: &str, prefix: Prefix) -> Option<Moment> {
        let since = self.feeds.get(feed)?.since(prefix)?;
        Some(Moment(i64::from(since) * 1_000))
    }
}

pub(crate) const fn is_dynamic(zone: &NetworkZone) -> bool {
    match zone {
        NetworkZone::Ip(_) => false,
        NetworkZone::Dynamic(_) | NetworkZone::DynamicV2(_) => true,
    }
}

pub(crate) fn is_exempt_zone(zone: &NetworkZone) -> bool {
    let head = zone.head();
    head.system && head.name == EXEMPT_ZONE
}
