//! Compile and evaluate: the line between the planes.
//!
//! Left of [`Snapshot::evaluate`] everything may fail and allocate; from it on nothing does.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::address::embedded_ipv4;
use crate::chain::Chain;
use crate::configuration::{Action, Configuration, Extensions, Policy};
use crate::decision::{Decision, Stage, Verdict};
use crate::digest::{Digest, Fact};
use crate::error::{CompileError, Warning};
use crate::feed::{Feed, Timestamp};
use crate::list::{List, Scope, Threat};
use crate::request::{Kind, Request};
use crate::zone::{Outline, ZoneSet, Zones};

/// How many hops of a chain zone membership looks at, from the right.
const ZONE_HOPS: usize = 5;

/// A list, zones and a configuration, compiled: what every request is judged by. Immutable.
///
/// Its three parts are shared, so that replacing one leaves the others as they are.
///
/// ```
/// use threatinsight::{Action, Chain, Feed, ParseOptions, Policy, Request, Timestamp, Verdict};
///
/// let feed = Feed::parse("scanners", b"203.0.113.0/24", &ParseOptions::default()).unwrap().feed;
/// let snapshot = Policy::new(Action::Block).compile(&[feed], Timestamp(0)).unwrap();
///
/// let listed = snapshot.evaluate(&Request::new(Chain::parse(b"203.0.113.7")));
/// assert_eq!(listed.verdict, Verdict::Block);
/// let unlisted = snapshot.evaluate(&Request::new(Chain::parse(b"198.51.100.7")));
/// assert_eq!(unlisted.verdict, Verdict::Allow);
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    generation: u64,
    list: Arc<List>,
    zones: Arc<Zones>,
    rules: Arc<Rules>,
}

/// A configuration, compiled against zones.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) configuration: Configuration,
    pub(crate) extensions: Extensions,
    pub(crate) blocklists: ZoneSet,
    pub(crate) excluded: ZoneSet,
    /// The exempt zone, alone or not at all.
    pub(crate) exempt: ZoneSet,
    /// The gateways of the blocklists and of the exempt zone, which decide whoever is listed.
    deciding: Arc<Outline>,
    /// The stage that decides a known client that is not listed, when no zone does.
    unlisted: Stage,
}

impl Policy {
    /// Compiles the policy and the entries that live at `now`. The generation is 1.
    ///
    /// # Errors
    ///
    /// When a part does not compile: see [`List::compile`], [`Zones::compile`] and
    /// [`Snapshot::new`].
    pub fn compile(&self, feeds: &[Feed], now: Timestamp) -> Result<Snapshot, CompileError> {
        Snapshot::new(
            List::compile(feeds, now)?,
            Zones::compile(&self.zones)?,
            &self.configuration,
            &self.extensions,
        )
    }
}

impl Snapshot {
    /// Puts compiled parts together. The generation is 1.
    ///
    /// # Errors
    ///
    /// When `excludeZones` or the exempt zone names a zone that does not exist.
    pub fn new(
        list: List,
        zones: Zones,
        configuration: &Configuration,
        extensions: &Extensions,
    ) -> Result<Self, CompileError> {
        let rules = Rules::compile(configuration, extensions, &zones)?;
        Ok(Self {
            generation: 1,
            list: Arc::new(list),
            zones: Arc::new(zones),
            rules: Arc::new(rules),
        })
    }

    /// The snapshot with another list.
    #[must_use]
    pub fn with_list(&self, list: List) -> Self {
        Self {
            list: Arc::new(list),
            ..self.clone()
        }
    }

    /// The snapshot with other zones, under the same configuration.
    ///
    /// # Errors
    ///
    /// When the configuration names a zone that is not among them.
    pub fn with_zones(&self, zones: Zones) -> Result<Self, CompileError> {
        let Rules {
            configuration,
            extensions,
            ..
        } = &*self.rules;
        let rules = Rules::compile(configuration, extensions, &zones)?;
        Ok(Self {
            zones: Arc::new(zones),
            rules: Arc::new(rules),
            ..self.clone()
        })
    }

    /// The snapshot with another configuration.
    ///
    /// # Errors
    ///
    /// When the configuration names a zone that does not exist.
    pub fn with_configuration(
        &self,
        configuration: &Configuration,
        extensions: &Extensions,
    ) -> Result<Self, CompileError> {
        let rules = Rules::compile(configuration, extensions, &self.zones)?;
        Ok(Self {
            rules: Arc::new(rules),
            ..self.clone()
        })
    }

    pub(crate) fn with_generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// The snapshot's number: 1 when compiled, then one more with every swap of an engine.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The list.
    #[must_use]
    pub fn list(&self) -> &List {
        &self.list
    }

    /// The zones.
    #[must_use]
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The configuration, as it was given.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.rules.configuration
    }

    /// The extensions, as they were given.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.rules.extensions
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// A digest of everything a verdict depends on: equal for the same entries, zones and
    /// configuration, in whatever order they came.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.list.digest() + self.zones.digest() + self.rules.digest()
    }

    /// What compiled and probably does not mean what it says.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.list
            .warnings()
            .chain(self.zones.warnings().iter().cloned())
    }

    /// Judges one request.
    ///
    /// Takes no lock, allocates nothing, makes no system call, and cannot fail.
    ///
    /// # Complexity
    ///
    /// One list look-up for a client that is not listed; two when an ACTIVE blocklist or exempt
    /// zone has gateways. For every hop that is read, one more look-up and the parsing of its
    /// text.
    // Always in the caller: a call would have every request written to memory and its address read back in other pieces
    // than it was written in, which stalls.
    #[inline(always)]
    pub fn evaluate<'s>(&'s self, request: &Request<'_>) -> Decision<'s> {
        // Most requests: nothing is known of the peer that sent them, and it speaks for itself.
        if let Some(address) = request.chain.lone_peer()
            && !self.rules.deciding.may_contain(address)
            && !self.list.may_know(address)
        {
            return Decision {
                verdict: Verdict::Allow,
                stage: self.rules.unlisted,
                client: Some(address),
                threat: None,
            };
        }
        self.evaluate_known(*request)
    }

    /// Judges a request of which something is known, or that came through other hops.
    #[inline(never)]
    fn evaluate_known(&self, request: Request<'_>) -> Decision<'_> {
        let scope = Scope::new(request.kind, &self.rules.extensions);
        self.decide(&request, &self.rules, scope)
    }

    /// Judges one request by other rules or another scope than the snapshot's own.
    #[inline]
    pub(crate) fn decide(
        &self,
        request: &Request<'_>,
        rules: &Rules,
        scope: Option<Scope>,
    ) -> Decision<'_> {
        self.decide_for(self.client(&request.chain), request, rules, scope)
    }

    /// The same, for a client that trusting other proxies may have found.
    #[inline]
    pub(crate) fn decide_for(
        &self,
        client: Option<Client>,
        request: &Request<'_>,
        rules: &Rules,
        scope: Option<Scope>,
    ) -> Decision<'_> {
        let chain = &request.chain;
        let address = client.map(|client| client.address);
        let decision = |stage, verdict, threat| Decision {
            verdict,
            stage,
            client: address,
            threat,
        };
        if rules.may_decide(chain) {
            match self.zones_first(chain, address, rules) {
                Some(Stage::Exempt) => return decision(Stage::Exempt, Verdict::Allow, None),
                Some(stage) => return decision(stage, Verdict::Block, None),
                None => {}
            }
        }
        let action = rules.configuration.action;
        let threat = match (address, scope) {
            (Some(address), Some(scope)) => self.list.threat(address, scope),
            (None, _) | (_, None) => None,
        };
        let (client, threat) = match (action, client, threat) {
            (Action::None, _, threat) => return decision(Stage::Disabled, Verdict::Allow, threat),
            (_, None, _) => {
                return decision(Stage::Unknown, rules.extensions.on_unknown_client, None);
            }
            (_, Some(_), None) => return decision(Stage::NotListed, Verdict::Allow, None),
            (Action::Audit | Action::Block, Some(client), Some(threat)) => (client, threat),
        };
        let excluded = self.inside(chain, client, embedded(client, &threat), &rules.excluded);
        let (stage, verdict) = if excluded {
            (Stage::Excluded, Verdict::Allow)
        } else if action == Action::Audit {
            (Stage::Audit, Verdict::Log)
        } else if threat.level() >= rules.extensions.enforce_from {
            (Stage::Block, Verdict::Block)
        } else {
            (Stage::Below, Verdict::Log)
        };
        decision(stage, verdict, Some(threat))
    }

    /// Judges many clients, each a request of one hop and of `kind`, into `decisions`: one for
    /// each address, in order. What was in `decisions` is gone; its memory is used again.
    ///
    /// With the `rayon` feature, batches that are worth it use the current thread pool.
    pub fn evaluate_batch<'s>(
        &'s self,
        addresses: &[IpAddr],
        kind: Kind,
        decisions: &mut Vec<Decision<'s>>,
    ) {
        let evaluate = |address: &IpAddr| self.evaluate(&Request::from(*address).with_kind(kind));
        #[cfg(feature = "rayon")]
        if addresses.len() >= PARALLEL_FROM {
            use rayon::iter::{
                IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
            };

            addresses
                .par_iter()
                .with_min_len(PARALLEL_FROM / 4)
                .map(evaluate)
                .collect_into_vec(decisions);
            return;
        }
        decisions.clear();
        decisions.extend(addresses.iter().map(evaluate));
    }

    /// The client: the first hop from the right that no zone trusts, or the leftmost. `None` when
    /// the walk meets a hop that does not parse.
    #[inline]
    pub(crate) fn client(&self, chain: &Chain<'_>) -> Option<Client> {
        self.client_behind(chain, |address| self.zones.proxies().lookup(address) != 0)
    }

    /// The same, where `is_trusted` says which proxies are.
    #[inline]
    pub(crate) fn client_behind(
        &self,
        chain: &Chain<'_>,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> Option<Client> {
        if chain.is_peer_only() {
            let address = chain.peer().address?;
            return Some(Client { address, place: 0 });
        }
        let mut hops = chain.hops().enumerate();
        let mut client = None;
        for (place, hop) in &mut hops {
            let address = hop.address?;
            client = Some(Client { address, place });
            if !is_trusted(address) {
                break;
            }
        }
        client
    }

    /// Stages 1 and 2.
    fn zones_first(
        &self,
        chain: &Chain<'_>,
        client: Option<IpAddr>,
        rules: &Rules,
    ) -> Option<Stage> {
        let gateways = self.zones.gateways();
        let is_exempt = |address| gateways.set(address).intersects(&rules.exempt);
        let mut exempt = client.is_some_and(is_exempt);
        let mut blocklisted = false;
        for address in chain.hops().filter_map(|hop| hop.address) {
            let set = gateways.set(address);
            if set.intersects(&rules.blocklists) {
                blocklisted = true;
                exempt &= set.intersects(&rules.exempt);
            }
        }
        match (exempt, blocklisted) {
            (true, _) => Some(Stage::Exempt),
            (false, true) => Some(Stage::Blocklist),
            (false, false) => None,
        }
    }

    /// Whether the chain is inside one of `zones`.
    fn inside(
        &self,
        chain: &Chain<'_>,
        client: Client,
        embedded: Option<Ipv4Addr>,
        zones: &ZoneSet,
    ) -> bool {
        (0..zones.words())
            .any(|word| self.inside_word(chain, client, embedded, word, zones.word(word)) != 0)
    }

    /// Which of the zones `among`, a word of a set, contain the chain.
    ///
    /// The walk of a zone goes left while the zone's own proxies vouch for the hop; all zones of
    /// a word walk together. At the client's hop, an `embedded` address in the gateways counts as
    /// well. The walk never goes on from it, because what is further left the client wrote.
    pub(crate) fn inside_word(
        &self,
        chain: &Chain<'_>,
        client: Client,
        embedded: Option<Ipv4Addr>,
        word: usize,
        among: u64,
    ) -> u64 {
        let gateways = self.zones.gateways();
        let proxies = self.zones.proxies();
        let mut walking = among;
        let mut inside = 0;
        for (place, hop) in chain.hops().take(ZONE_HOPS).enumerate() {
            let Some(address) = hop.address else { break };
            let mut here = gateways.set(address).word(word);
            if let Some(embedded) = embedded.filter(|_| place == client.place) {
                here |= gateways.set(embedded.into()).word(word);
            }
            inside |= walking & here;
            walking &= !here & proxies.set(address).word(word);
            if walking == 0 {
                break;
            }
        }
        inside
    }
}

/// The IPv4 address that `client` embeds, if that alone made it listed.
///
/// When the client is listed for itself too, being excluded by the embedded address would let an
/// additional entry make a verdict laxer.
pub(crate) fn embedded(client: Client, threat: &Threat<'_>) -> Option<Ipv4Addr> {
    match client.address {
        IpAddr::V6(v6) if threat.is_embedded_only() => embedded_ipv4(v6),
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    }
}

/// From how many addresses on a batch uses more than one thread.
#[cfg(feature = "rayon")]
const PARALLEL_FROM: usize = 1 << 13;

/// A known client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The canonical address.
    pub(crate) address: IpAddr,
    /// Its place in the chain, from the right.
    pub(crate) place: usize,
}

impl Client {
    /// A client that is no hop of any chain.
    pub(crate) const NOWHERE: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        place: usize::MAX,
    };
}

impl Rules {
    fn compile(
        configuration: &Configuration,
        extensions: &Extensions,
        zones: &Zones,
    ) -> Result<Self, CompileError> {
        let place = |member: String, id: &str| {
            zones
                .place(id)
                .ok_or_else(|| CompileError::unknown_zone(member, id))
        };
        let ids = configuration.exclude_zones.iter().enumerate();
        let excluded = ids
            .map(|(index, id)| place(format!("excludeZones[{index}]"), id))
            .collect::<Result<ZoneSet, _>>()?;
        let exempt = extensions.exempt_zone.iter();
        let exempt = exempt
            .map(|id| place("exemptZone".to_owned(), id))
            .collect::<Result<ZoneSet, _>>()?;
        Ok(Self {
            configuration: configuration.clone(),
            extensions: extensions.clone(),
            deciding: zones.outline(&exempt),
            blocklists: zones.blocklists().clone(),
            excluded,
            exempt,
            unlisted: match configuration.action {
                Action::None => Stage::Disabled,
                Action::Audit | Action::Block => Stage::NotListed,
            },
        })
    }

    /// Whether a hop may be in a blocklist or in the exempt zone; if not, none is.
    #[inline]
    fn may_decide(&self, chain: &Chain<'_>) -> bool {
        let mut addresses = chain.hops().filter_map(|hop| hop.address);
        !self.deciding.is_empty() && addresses.any(|address| self.deciding.may_contain(address))
    }

    fn digest(&self) -> Digest {
        let Self {
            configuration:
                Configuration {
                    action,
                    exclude_zones,
                    created: _,
                    last_updated: _,
                    links: _,
                },
            extensions:
                Extensions {
                    on_unknown_client,
                    enforce_from,
                    embedded_ipv4,
                    edition,
                    exempt_zone,
                    patterns_beyond_authentication,
                },
            // Follow from the configuration and the zones.
            blocklists: _,
            excluded: _,
            exempt: _,
            deciding: _,
            unlisted: _,
        } = self;
        let rules = Fact::new(3)
            .word(*action as u64)
            .word(*on_unknown_client as u64)
            .word(*enforce_from as u64)
            .word((*embedded_ipv4).into())
            .word(*edition as u64)
            .word(patterns_beyond_authentication.bits().into())
            .word(exempt_zone.is_some().into())
            .text(exempt_zone.as_deref().unwrap_or_default());
        let mut excluded: Vec<&str> = exclude_zones.iter().map(String::as_str).collect();
        excluded.sort_unstable();
        excluded.dedup();
        excluded
            .into_iter()
            .map(|id| Fact::new(4).text(id).digest())
            .fold(rules.digest(), |sum, digest| sum + digest)
    }
}
