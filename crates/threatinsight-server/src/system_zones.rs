//! The zones that an organisation has from the start.
//!
//! Source: Okta help, "Network zones": the first two are in every organisation, the others depend
//! on features.

use threatinsight::{
    DynamicV2Zone, IpZone, NetworkZone, Selection, ZoneHead, ZoneStatus, ZoneUsage,
};

use crate::clock::Moment;
use crate::control::{EXEMPT_ZONE, Rules};
use crate::identifier;

/// The system zones that `rules` ask for, oldest first.
pub(crate) fn wanted(rules: &Rules, now: Moment) -> Vec<NetworkZone> {
    let mut zones = vec![
        address_zone("LegacyIpZone", ZoneUsage::Policy, now),
        address_zone("BlockedIpZone", ZoneUsage::Blocklist, now),
    ];
    if rules.exempt_zone {
        zones.push(address_zone(EXEMPT_ZONE, ZoneUsage::Policy, now));
    }
    if rules.enhanced_zone {
        zones.push(NetworkZone::DynamicV2(DynamicV2Zone {
            head: ZoneHead {
                status: ZoneStatus::Inactive,
                ..head("DefaultEnhancedDynamicZone", ZoneUsage::Blocklist, now)
            },
            locations: Selection::default(),
            ip_service_categories: Selection {
                include: vec!["ALL_ANONYMIZERS".to_owned()],
                exclude: Vec::new(),
            },
            asns: Selection::default(),
            links: None,
        }));
    }
    zones
}

fn address_zone(name: &str, usage: ZoneUsage, now: Moment) -> NetworkZone {
    NetworkZone::Ip(IpZone {
        head: head(name, usage, now),
        gateways: None,
        proxies: None,
        links: None,
    })
}

fn head(name: &str, usage: ZoneUsage, now: Moment) -> ZoneHead {
    ZoneHead {
        usage,
        created: Some(now.to_second()),
        last_updated: Some(now.to_second()),
        system: true,
        ..ZoneHead::new(identifier::zone(), name)
    }
}
