//! What would change a verdict, found by judging again under each change.

use super::{Change, ExplainedZone};
use crate::configuration::{Action, Edition};
use crate::decision::{Decision, Verdict};
use crate::list::{Listing, Scope};
use crate::request::{Kind, Request};
use crate::snapshot::{Client, Rules, Snapshot};
use crate::threat::Level;

/// Every change that alone gives `request` another verdict.
pub(super) fn all(
    snapshot: &Snapshot,
    request: &Request<'_>,
    zones: &[(usize, ExplainedZone)],
    counting: &[Listing<'_>],
) -> Vec<Change> {
    let mut trial = Trial {
        snapshot,
        request,
        verdict: snapshot.evaluate(request).verdict,
        changes: Vec::new(),
    };
    for action in [Action::None, Action::Audit, Action::Block] {
        trial.rules(format!("action `{action}`"), |rules| {
            rules.configuration.action = action;
        });
    }
    for (place, zone) in zones {
        if zone.excluded {
            let change = format!("zone `{}` no longer excluded", zone.name);
            trial.rules(change, |rules| rules.excluded.remove(*place));
        } else if zone.id.is_some() {
            let change = format!("zone `{}` excluded", zone.name);
            trial.rules(change, |rules| rules.excluded.extend([*place]));
        }
    }
    trial.inactive_zones(zones);
    for level in [Level::Low, Level::Medium, Level::High] {
        trial.rules(format!("enforceFrom `{level}`"), |rules| {
            rules.extensions.enforce_from = level;
        });
    }
    trial.entries(counting);
    for kind in [Kind::Authentication, Kind::Other] {
        let decision = snapshot.evaluate(&request.with_kind(kind));
        trial.consider(format!("kind `{kind}`"), decision);
    }
    for edition in [Edition::Full, Edition::Trial] {
        trial.rules(format!("edition `{edition}`"), |rules| {
            rules.extensions.edition = edition;
        });
    }
    for judged in [true, false] {
        let change = format!("embeddedIpv4 `{judged}`");
        trial.rules(change, |rules| rules.extensions.embedded_ipv4 = judged);
    }
    for verdict in [Verdict::Allow, Verdict::Log, Verdict::Block] {
        let change = format!("onUnknownClient `{verdict}`");
        trial.rules(change, |rules| rules.extensions.on_unknown_client = verdict);
    }
    trial.changes
}

struct Trial<'t> {
    snapshot: &'t Snapshot,
    request: &'t Request<'t>,
    verdict: Verdict,
    changes: Vec<Change>,
}

impl Trial<'_> {
    fn consider(&mut self, change: String, decision: Decision<'_>) {
        if decision.verdict != self.verdict {
            self.changes.push(Change {
                change,
                verdict: decision.verdict,
                reason: decision.reason(),
            });
        }
    }

    /// Considers other rules.
    fn rules(&mut self, change: String, alter: impl FnOnce(&mut Rules)) {
        let client = self.snapshot.client(&self.request.chain);
        self.rules_for(client, change, alter);
    }

    /// Considers other rules for whom other proxies may have found to be the client.
    fn rules_for(
        &mut self,
        client: Option<Client>,
        change: String,
        alter: impl FnOnce(&mut Rules),
    ) {
        let mut rules = self.snapshot.rules().clone();
        alter(&mut rules);
        let scope = Scope::new(self.request.kind, &rules.extensions);
        let decision = self
            .snapshot
            .decide_for(client, self.request, &rules, scope);
        self.consider(change, decision);
    }

    /// Considers every zone that has a say in the chain being INACTIVE: then nothing is in it, and its proxies are not
    /// trusted either.
    fn inactive_zones(&mut self, told: &[(usize, ExplainedZone)]) {
        let Self {
            snapshot, request, ..
        } = *self;
        let zones = snapshot.zones();
        for (place, zone) in zones.all().iter().enumerate() {
            let mut hops = request.chain.hops().filter_map(|hop| hop.address);
            if told.iter().any(|(told, _)| *told == place)
                || hops.any(|address| zones.proxies().set(address).contains(place))
            {
                let client = snapshot.client_behind(&request.chain, |address| {
                    let mut trusting = zones.proxies().set(address).places();
                    trusting.any(|other| other != place)
                });
                let change = format!("zone `{}` inactive", zone.head().name);
                self.rules_for(client, change, |rules| {
                    rules.blocklists.remove(place);
                    rules.excluded.remove(place);
                    rules.exempt.remove(place);
                });
            }
        }
    }

    /// Considers the list without each feed that lists the client, and without its only entry.
    fn entries(&mut self, counting: &[Listing<'_>]) {
        let Self {
            snapshot, request, ..
        } = *self;
        let rules = snapshot.rules();
        for (name, feed) in snapshot.list().feeds().zip(0..=u16::MAX) {
            if counting.iter().any(|listing| listing.feed == name) {
                let scope = Scope::new(request.kind, &rules.extensions);
                let scope = scope.map(|scope| scope.without(feed));
                let decision = snapshot.decide(request, rules, scope);
                self.consider(format!("without feed `{name}`"), decision);
            }
        }
        if let [Listing { feed, entry }] = counting {
            let change = format!("without entry {} of feed `{feed}`", entry.prefix);
            self.consider(change, snapshot.decide(request, rules, None));
        }
    }
}
