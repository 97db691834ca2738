//! What a decision leaves for the System Log: gathered beside the request, rendered by the writer.

use std::net::IpAddr;

use threatinsight::{Chain, Decision, Level, Pattern, Stage, Threat, Verdict};

use super::{Account, LogEvent, Party};
use crate::clock::Moment;
use crate::identifier;

/// How many characters of a hop, a user agent or an address are kept.
const HOP_LIMIT: usize = 64;
const TEXT_LIMIT: usize = 1_024;

/// What is known about the request beside its chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestContext {
    pub(crate) user_agent: Option<String>,
    pub(crate) uri: Option<String>,
}

/// One request that was logged or blocked.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    published: Moment,
    verdict: Verdict,
    stage: Stage,
    client: Option<IpAddr>,
    /// What the client was seen doing; a feed may list it without a word of that.
    detections: Vec<(Pattern, Level)>,
    /// The feeds that list the client.
    feeds: Vec<String>,
    chain: Vec<String>,
    context: RequestContext,
    /// How many requests like this one were folded into it.
    repeated: u64,
}

/// Requests that are folded into one event when the log folds.
pub(crate) type Likeness = (Option<IpAddr>, Verdict, Stage);

impl Observation {
    /// What to write about `decision`: nothing when the request was simply allowed.
    pub(crate) fn of(
        decision: &Decision<'_>,
        chain: &Chain<'_>,
        context: impl FnOnce() -> RequestContext,
    ) -> Option<Self> {
        match decision.verdict {
            Verdict::Allow => return None,
            Verdict::Log | Verdict::Block => {}
        }
        let mut detections: Vec<(Pattern, Level)> = Vec::new();
        let threat = decision.threat.as_ref();
        for listing in threat.into_iter().flat_map(Threat::listings) {
            for pattern in listing.entry.patterns.iter() {
                match detections.iter_mut().find(|(known, _)| *known == pattern) {
                    Some((_, level)) => *level = listing.entry.level.max(*level),
                    None => detections.push((pattern, listing.entry.level)),
                }
            }
        }
        let mut hops: Vec<String> = chain
            .hops()
            .map(|hop| cut(&hop.to_string(), HOP_LIMIT))
            .collect();
        hops.reverse();
        let context = context();
        Some(Self {
            published: Moment::now(),
            verdict: decision.verdict,
            stage: decision.stage,
            client: decision.client,
            detections,
            feeds: threat
                .map(|t| t.feeds().map(str::to_owned).collect())
                .unwrap_or_default(),
            chain: hops,
            context: RequestContext {
                user_agent: context.user_agent.map(|text| cut(&text, TEXT_LIMIT)),
                uri: context.uri.map(|text| cut(&text, TEXT_LIMIT)),
            },
            repeated: 0,
        })
    }

    pub(super) const fn likeness(&self) -> Likeness {
        (self.client, self.verdict, self.stage)
    }

    pub(super) const fn published(&self) -> Moment {
        self.published
    }

    /// The same observation, as the last of `repeated` more.
    pub(super) const fn repeat(mut self, repeated: u64) -> Self {
        self.repeated = repeated;
        self
    }

    pub(super) fn event(self) -> LogEvent {
        let request_id = identifier::request();
        let client = self
            .client
            .map_or_else(|| "unknown".to_owned(), |client| client.to_string());
        let (event_type, message, reason) = match self.stage {
            Stage::Blocklist => (
                "security.request.blocked",
                format!("Blocked request from IP [{client}]"),
                "NETWORK_ZONE_BLOCKLIST".to_owned(),
            ),
            Stage::Unknown if self.verdict == Verdict::Block => (
                "security.request.blocked",
                "Blocked request from an unknown client".to_owned(),
                "UNKNOWN_CLIENT".to_owned(),
            ),
            Stage::Unknown => (
                "security.threat.detected",
                "Request from an unknown client".to_owned(),
                "UNKNOWN_CLIENT".to_owned(),
            ),
            Stage::Exempt
            | Stage::Disabled
            | Stage::NotListed
            | Stage::Excluded
            | Stage::Audit
            | Stage::Block
            | Stage::Below => {
                let names: Vec<String> =
                    self.detections.iter().map(|(p, _)| p.to_string()).collect();
                let reason = if names.is_empty() {
                    "LISTED".to_owned()
                } else {
                    names.join(", ")
                };
                (
                    "security.threat.detected",
                    "Request from suspicious actor".to_owned(),
                    reason,
                )
            }
        };
        LogEvent::new(Account {
            event_type,
            message,
            severity: "WARN",
            published: self.published,
            actor: Party {
                id: client.clone(),
                kind: "IP address",
                alternate_id: "unknown".to_owned(),
                display_name: client,
                detail_entry: None,
                change_details: None,
            },
            result: match self.verdict {
                Verdict::Block => "DENY",
                Verdict::Log | Verdict::Allow => "ALLOW",
            },
            reason: Some(reason),
            client: self.client,
            debug: self.debug(&request_id),
            request_id,
            token: None,
            user_agent: self.context.user_agent,
            chain: self.chain,
            target: None,
        })
    }

    fn debug(&self, request_id: &str) -> Vec<(&'static str, String)> {
        let mut debug = vec![("requestId", request_id.to_owned())];
        if let Some(uri) = &self.context.uri {
            let path = uri.split('?').next().unwrap_or_default();
            debug.push(("requestUri", path.to_owned()));
            debug.push(("url", uri.clone()));
        }
        let suspected = !self.feeds.is_empty();
        debug.push(("threatSuspected", suspected.to_string()));
        if suspected {
            let levels = self.detections.iter();
            let levels: serde_json::Map<String, serde_json::Value> = levels
                .map(|(pattern, level)| {
                    (pattern.to_string(), level.to_string().to_uppercase().into())
                })
                .collect();
            debug.push((
                "threatDetections",
                serde_json::Value::Object(levels).to_string(),
            ));
            debug.push(("feeds", self.feeds.join(", ")));
        }
        if self.repeated > 0 {
            debug.push(("repeated", self.repeated.to_string()));
        }
        debug
    }
}

fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
