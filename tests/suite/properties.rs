//! Laws.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use threatinsight::{
    Action, AddressRange, Admission, Delta, Edition, Entry, Explanation, Feed, FeedError,
    FeedParser, Kind, Level, List, NetworkZone, ParseOptions, ParsedFeed, Pattern, Patterns,
    Policy, Prefix, Reason, Request, Stage, Timestamp, Verdict, ZoneStatus, ZoneUsage,
};
use threatinsight_lists as lists;
use threatinsight_oracle::{Judgement, Listing, Oracle, address, inside};

use crate::corpus::judgement;
use crate::generate::{Asked, NOW, World, address, asked, listing, prefix, world};

fn requests() -> impl Strategy<Value = Vec<Asked>> {
    prop::collection::vec(asked(), 1..12)
}

/// What can be told from outside but which prefix it was.
fn outcome(world: &World, asked: &[Asked]) -> Vec<Judgement> {
    let snapshot = world.snapshot();
    asked
        .iter()
        .map(|asked| asked.by_library(&snapshot))
        .collect()
}

proptest! {
    #[test]
    fn core_agrees_with_oracle(world in world(), asked in requests()) {
        let (snapshot, oracle) = (world.snapshot(), world.oracle());
        for asked in asked {
            prop_assert_eq!(asked.by_library(&snapshot), asked.by_oracle(&oracle), "{:?}", asked);
        }
    }

    #[test]
    fn explain_agrees_with_evaluate(world in world(), asked in requests()) {
        let snapshot = world.snapshot();
        for asked in asked {
            let found = asked.with_request(|request| snapshot.explain(request));
            let decided = asked.by_library(&snapshot);
            prop_assert_eq!(
                (found.verdict, found.reason, found.stage, found.client),
                (decided.verdict, decided.reason, decided.stage, decided.client)
            );
            if decided.stage >= Stage::Disabled {
                let counting = found.entries.iter().filter(|entry| entry.counts);
                let feeds: BTreeSet<_> = counting.map(|entry| entry.feed.clone()).collect();
                prop_assert_eq!(
                    (found.level, found.patterns, feeds),
                    (decided.level, decided.patterns, decided.feeds)
                );
            }
            prop_assert_eq!(found.chain.len(), asked.chain().len());
        }
    }

    #[test]
    fn explain_tells_every_zone_that_contains_the_chain(world in world(), asked in requests()) {
        let snapshot = world.snapshot();
        for asked in asked {
            let found = asked.with_request(|request| snapshot.explain(request));
            for zone in &world.policy.zones {
                let NetworkZone::Ip(zone) = zone else { continue };
                let told = found.zones.iter().any(|z| z.id == zone.head.id && z.contains_chain);
                let contains = inside(zone, &asked.chain());
                prop_assert!(
                    told == contains || found.embedded_ipv4.is_some() && told,
                    "{:?} {:?}", zone, asked
                );
            }
        }
    }

    #[test]
    fn explain_tells_the_truth_about_changes(world in world(), asked in asked()) {
        let found = asked.with_request(|request| world.snapshot().explain(request));
        for (change, oracle, kind) in alterations(&world, &asked, &found) {
            let then = oracle.decide(&asked.chain(), kind);
            let told = found.changes.iter().find(|told| told.change == change);
            prop_assert_eq!(
                told.map(|told| (told.verdict, told.reason)),
                (then.verdict != found.verdict).then_some((then.verdict, then.reason)),
                "{}", change
            );
        }
    }

    #[test]
    fn order_changes_nothing(
        world in world(),
        keys in prop::collection::vec(any::<u32>(), 40),
        asked in requests(),
    ) {
        let mut other = world.clone();
        shuffle(&mut other.entries, &keys);
        shuffle(&mut other.policy.zones, &keys);
        shuffle(&mut other.policy.configuration.exclude_zones, &keys);
        let mut feeds = other.feeds();
        feeds.reverse();
        let backwards = other.policy.compile(&feeds, Timestamp(NOW)).unwrap();
        prop_assert_eq!(world.snapshot().digest(), backwards.digest());
        prop_assert_eq!(outcome(&world, &asked), outcome(&other, &asked));
    }

    #[test]
    fn repeated_entries_and_host_bits_change_nothing(
        world in world(),
        again in any::<Index>(),
        host_bits in any::<u128>(),
        asked in requests(),
    ) {
        let mut other = world.clone();
        if !other.entries.is_empty() {
            let repeated = again.get(&other.entries).clone();
            other.entries.push(repeated);
        }
        for entry in &mut other.entries {
            entry.prefix.address = with_host_bits(entry.prefix, host_bits);
        }
        prop_assert_eq!(world.snapshot().digest(), other.snapshot().digest());
        prop_assert_eq!(outcome(&world, &asked), outcome(&other, &asked));
    }

    #[test]
    fn splitting_a_prefix_into_halves_changes_no_answer(
        world in world(),
        which in any::<Index>(),
        asked in requests(),
    ) {
        let mut other = world.clone();
        if !other.entries.is_empty() {
            let place = which.index(other.entries.len());
            let whole = other.entries.remove(place);
            for prefix in halves(whole.prefix) {
                let mut half = whole.clone();
                half.prefix = prefix;
                other.entries.push(half);
            }
        }
        prop_assert_eq!(outcome(&world, &asked), outcome(&other, &asked));
    }

    #[test]
    fn expiring_a_list_is_compiling_it_later(
        world in world(),
        wait in 0..4_u64,
        stands_by in prop::option::of(0..4_u64),
        asked in requests(),
    ) {
        // Before the first of the random expiries.
        let start = NOW - 2;
        let mut world = world;
        let mut list = List::compile(&world.feeds(), Timestamp(start)).unwrap();
        if let Some(until) = stands_by.map(|more| start + more) {
            list = list.assert("alpha", Some(Timestamp(until)));
            let alpha = world.entries.iter_mut().filter(|entry| entry.feed == "alpha");
            alpha.for_each(|entry| entry.asserted_until = Some(until));
        }
        let later = Timestamp(start + wait);
        let expired = list.expire(later);
        let compiled = List::compile(&world.feeds(), later).unwrap();
        prop_assert_eq!(expired.digest(), compiled.digest());
        let snapshot = world.snapshot().with_list(expired);
        let oracle = Oracle { now: later.0, ..world.oracle() };
        for asked in asked {
            prop_assert_eq!(asked.by_library(&snapshot), asked.by_oracle(&oracle), "{:?}", asked);
        }
    }

    #[test]
    fn adding_an_entry_never_makes_a_verdict_laxer(
        world in world(),
        more in listing(),
        asked in requests(),
    ) {
        let mut other = world.clone();
        let asserted = other.entries.iter().find(|entry| entry.feed == more.feed);
        let asserted_until = asserted.and_then(|entry| entry.asserted_until);
        other.entries.push(Listing { asserted_until, ..more });
        for (before, after) in outcome(&world, &asked).iter().zip(outcome(&other, &asked)) {
            prop_assert!(after.verdict >= before.verdict, "{:?} then {:?}", before, after);
        }
    }

    #[test]
    fn excluding_a_zone_never_makes_a_verdict_stricter(
        world in world(),
        which in any::<Index>(),
        asked in requests(),
    ) {
        let ids = world.zone_ids();
        let mut other = world.clone();
        if !ids.is_empty() {
            other.policy.configuration.exclude_zones.push(which.get(&ids).clone());
        }
        for (before, after) in outcome(&world, &asked).iter().zip(outcome(&other, &asked)) {
            prop_assert!(after.verdict <= before.verdict, "{:?} then {:?}", before, after);
        }
    }

    #[test]
    fn what_a_client_writes_only_a_blocklist_reads(
        world in world(),
        asked in asked(),
        written in prop::collection::vec("[ -~]{0,20}", 0..4),
    ) {
        let snapshot = world.snapshot();
        let client = world.oracle().client(&asked.chain());
        // A hop left of the client, or of the garbage that makes it unknown.
        let mut other = asked.clone();
        other.hops.splice(0..0, written);
        let (before, after) = (asked.by_library(&snapshot), other.by_library(&snapshot));
        if client.is_none_or(|(place, _)| place > 0) && after.reason != Reason::Blocklisted {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn different_answers_have_different_digests(
        world in world(),
        which in any::<Index>(),
        asked in requests(),
    ) {
        let answers = |world: &World| -> Vec<Judgement> {
            asked.iter().map(|asked| asked.by_oracle(&world.oracle())).collect()
        };
        let (digest, before) = (world.snapshot().digest(), answers(&world));
        for (place, alter) in ALTERATIONS.iter().enumerate() {
            let mut other = world.clone();
            alter(&mut other, which);
            if answers(&other) != before {
                prop_assert_ne!(other.snapshot().digest(), digest, "alteration {}", place);
            }
        }
    }

    #[test]
    fn a_batch_decides_as_its_requests_do(
        world in world(),
        addresses in prop::collection::vec(address(), 0..20),
    ) {
        let snapshot = world.snapshot();
        for kind in [Kind::Authentication, Kind::Other] {
            let mut decisions = Vec::new();
            snapshot.evaluate_batch(&addresses, kind, &mut decisions);
            prop_assert_eq!(decisions.len(), addresses.len());
            for (decision, address) in decisions.iter().zip(&addresses) {
                let alone = [Some(address::canonical(*address))];
                prop_assert_eq!(
                    judgement(decision),
                    world.oracle().decide(&alone, kind)
                );
            }
        }
    }

    #[test]
    fn every_line_is_counted_once_however_the_text_is_cut(
        lines in prop::collection::vec(line(), 0..30),
        end in prop::sample::select(vec!["", "\n", "\r\n"]),
        sizes in prop::collection::vec(1..2_000_usize, 1..20),
        max_rejected in prop_oneof![Just(1_000_usize), 0..5_usize],
        open in any::<bool>(),
    ) {
        let mut text = lines.join(&b'\n');
        text.extend_from_slice(end.as_bytes());
        let options = ParseOptions {
            max_rejected,
            admission: if open { Admission::Open } else { Admission::Guarded },
            ..ParseOptions::default()
        };
        let whole = Feed::parse("feed", &text, &options);
        let pieces = in_pieces(&text, &sizes, options);
        match (&whole, &pieces) {
            (Ok(whole), Ok(pieces)) => {
                prop_assert_eq!(&whole.report, &pieces.report);
                prop_assert!(whole.feed.entries().eq(pieces.feed.entries()));
            }
            (Err(whole), Err(pieces)) => prop_assert_eq!(whole, pieces),
            (Ok(_), Err(error)) | (Err(error), Ok(_)) => prop_assert!(false, "cut: {}", error),
        }
        if let Ok(parsed) = whole {
            let report = parsed.report;
            let breaks = text.iter().filter(|byte| **byte == b'\n').count();
            let lines = breaks + usize::from(text.last().is_some_and(|byte| *byte != b'\n'));
            prop_assert_eq!(report.lines, lines as u64);
            let rejected = report.rejected.len() as u64;
            prop_assert_eq!(report.lines, report.blank + report.comments + report.accepted + rejected);
            prop_assert!(report.rejected.is_sorted_by(|a, b| a.line < b.line));
            prop_assert!(parsed.feed.len() as u64 >= report.accepted);
        }
    }

    #[test]
    fn a_prefix_reads_back_as_it_displays(prefix in prefix()) {
        let prefix = Prefix::new(prefix.address, prefix.length).unwrap();
        prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
    }

    #[test]
    fn a_prefix_contains_what_its_bits_say(prefix in prefix(), address in address()) {
        let canonical = Prefix::new(prefix.address, prefix.length).unwrap();
        prop_assert_eq!(canonical.contains(address), prefix.contains(address));
    }

    #[test]
    fn a_range_is_covered_exactly_by_the_fewest_prefixes(
        base in address(),
        before in 0..300_u32,
        count in 0..300_u32,
    ) {
        let (first, last) = (plus(base, before), plus(base, before + count));
        let range = AddressRange::new(first, last).unwrap();
        let prefixes: Vec<Prefix> = range.prefixes().collect();
        for offset in 0..before + count + 300 {
            let covering = prefixes.iter().filter(|prefix| prefix.contains(plus(base, offset)));
            let wanted = usize::from((before..=before + count).contains(&offset));
            prop_assert_eq!(covering.count(), wanted, "{}", plus(base, offset));
        }
        let size: u128 = prefixes.iter().map(|prefix| 1 << (width(*prefix) - prefix.length())).sum();
        prop_assert_eq!(size, u128::from(count) + 1);
        prop_assert_eq!(prefixes.len(), fewest(bits(first), bits(last), 0, 128));
    }
}

/// Laws over requests that all end at one stage would hold of anything.
#[test]
fn random_requests_reach_every_stage() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<Stage, usize> = BTreeMap::new();
    for _ in 0..400 {
        let (world, asked) = (world(), requests())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        for asked in asked {
            *reached
                .entry(asked.by_oracle(&world.oracle()).stage)
                .or_default() += 1;
        }
    }
    assert_eq!(reached.len(), 9, "{reached:?}");
    assert!(reached.values().all(|times| *times >= 20), "{reached:?}");
}

/// On 16 cores and more, a compile once gave its parts more segments than references can name, and
/// listed prefixes were not found.
#[test]
fn a_compile_on_many_cores_lists_every_prefix() {
    let prefixes = lists::list4(60_000, 1).into_iter().map(lists::prefix4);
    let v6 = lists::list6(60_000, 1).into_iter().map(lists::prefix6);
    let prefixes: Vec<_> = prefixes.chain(v6).collect();
    let feeds = [lists::feed(prefixes.iter().copied())];
    for threads in [2, 64] {
        let list = in_pool(threads, || List::compile(&feeds, Timestamp(0)).unwrap());
        for prefix in &prefixes {
            assert!(
                list.contains(prefix.address()),
                "{threads} threads, {prefix}"
            );
        }
        // Every block moves: most are changed, and change back.
        let removals: Vec<_> = prefixes
            .iter()
            .step_by(2)
            .map(|p| (feeds[0].name(), *p))
            .collect();
        let additions: Vec<_> = removals
            .iter()
            .map(|(feed, p)| (*feed, Entry::new(*p)))
            .collect();
        let fewer = list.update(
            &Delta {
                removals: &removals,
                additions: &[],
            },
            Timestamp(0),
        );
        let delta = Delta {
            removals: &[],
            additions: &additions,
        };
        let again = fewer.unwrap().update(&delta, Timestamp(0)).unwrap();
        assert_eq!(again.digest(), list.digest());
        for prefix in &prefixes {
            assert!(
                again.contains(prefix.address()),
                "{threads} threads, {prefix}"
            );
        }
    }
}

#[test]
fn serial_and_parallel_compile_give_equal_snapshots() {
    let world = many_entries(70_000);
    let feeds = world.feeds();
    let compile = || world.policy.compile(&feeds, Timestamp(0)).unwrap();
    let alone = in_pool(1, compile);
    let together = in_pool(2, compile);
    assert_eq!(alone.digest(), together.digest());
    assert!(alone.list().listings().eq(together.list().listings()));
    let oracle = Oracle {
        entries: world.entries.clone(),
        policy: world.policy.clone(),
        now: 0,
    };
    for entry in world.entries.iter().step_by(1_009) {
        let expected = oracle.decide(
            &[Some(address::canonical(entry.prefix.address))],
            Kind::Other,
        );
        for snapshot in [&alone, &together] {
            let request = Request::from(entry.prefix.address).with_kind(Kind::Other);
            assert_eq!(judgement(&snapshot.evaluate(&request)), expected);
        }
    }
}

#[test]
fn a_large_batch_decides_as_its_requests_do() {
    let world = many_entries(2_000);
    let snapshot = world.snapshot();
    let addresses: Vec<IpAddr> = (0..40_000)
        .map(|n| plus([203, 0, 0, 0].into(), n))
        .collect();
    let mut decisions = Vec::new();
    in_pool(2, || {
        snapshot.evaluate_batch(&addresses, Kind::Authentication, &mut decisions);
    });
    assert_eq!(decisions.len(), addresses.len());
    for (decision, address) in decisions.iter().zip(&addresses) {
        let alone = snapshot.evaluate(&(*address).into());
        assert_eq!(judgement(decision), judgement(&alone), "{address}");
    }
    assert!(
        decisions
            .iter()
            .any(|decision| decision.verdict == Verdict::Block)
    );
    assert!(
        decisions
            .iter()
            .any(|decision| decision.verdict == Verdict::Allow)
    );
}

/// What `explain` proposes to change, with the oracle under that change.
fn alterations(world: &World, asked: &Asked, found: &Explanation) -> Vec<(String, Oracle, Kind)> {
    let mut altered = Vec::new();
    let mut alter = |change: String, kind: Kind, alter: &dyn Fn(&mut Oracle)| {
        let mut oracle = world.oracle();
        alter(&mut oracle);
        altered.push((change, oracle, kind));
    };
    let kind = asked.kind;
    for (name, action) in [
        ("none", Action::None),
        ("audit", Action::Audit),
        ("block", Action::Block),
    ] {
        alter(format!("action `{name}`"), kind, &|o| {
            o.policy.configuration.action = action;
        });
    }
    for level in [Level::Low, Level::Medium, Level::High] {
        alter(format!("enforceFrom `{level}`"), kind, &|o| {
            o.policy.extensions.enforce_from = level;
        });
    }
    for (name, edition) in [("full", Edition::Full), ("trial", Edition::Trial)] {
        alter(format!("edition `{name}`"), kind, &|o| {
            o.policy.extensions.edition = edition;
        });
    }
    for on in [true, false] {
        alter(format!("embeddedIpv4 `{on}`"), kind, &|o| {
            o.policy.extensions.embedded_ipv4 = on;
        });
    }
    for verdict in [Verdict::Allow, Verdict::Log, Verdict::Block] {
        alter(format!("onUnknownClient `{verdict}`"), kind, &|o| {
            o.policy.extensions.on_unknown_client = verdict;
        });
    }
    for (name, other) in [
        ("authentication", Kind::Authentication),
        ("other", Kind::Other),
    ] {
        alter(format!("kind `{name}`"), other, &|_| {});
    }
    for zone in &found.zones {
        let id = zone.id.clone().unwrap();
        let name = &zone.name;
        if zone.excluded {
            alter(format!("zone `{name}` no longer excluded"), kind, &|o| {
                o.policy
                    .configuration
                    .exclude_zones
                    .retain(|excluded| *excluded != id);
            });
        } else {
            alter(format!("zone `{name}` excluded"), kind, &|o| {
                o.policy.configuration.exclude_zones.push(id.clone());
            });
        }
    }
    // Also of those that are not told of, because only their proxies matter.
    for (place, zone) in world.policy.zones.iter().enumerate() {
        let change = format!("zone `{}` inactive", zone.head().name);
        alter(change, kind, &|o| {
            let zone = o.policy.zones.get_mut(place).unwrap();
            zone.head_mut().status = ZoneStatus::Inactive;
        });
    }
    let counting: Vec<_> = found.entries.iter().filter(|entry| entry.counts).collect();
    for feed in counting
        .iter()
        .map(|entry| &entry.feed)
        .collect::<BTreeSet<_>>()
    {
        alter(format!("without feed `{feed}`"), kind, &|o| {
            o.entries.retain(|e| e.feed != *feed);
        });
    }
    if let [entry] = *counting {
        let change = format!("without entry {} of feed `{}`", entry.prefix, entry.feed);
        alter(change, kind, &|o| {
            o.entries.retain(|e| {
                Prefix::new(e.prefix.address, e.prefix.length) != Ok(entry.prefix)
                    || e.feed != entry.feed
            });
        });
    }
    altered
}

type Alteration = fn(&mut World, Index);

/// Changes of one thing each.
const ALTERATIONS: [Alteration; 15] = [
    |w, which| w.entries = without(&w.entries, which),
    |w, which| {
        of(&mut w.entries, which, |e| e.feed = "gamma".to_owned());
    },
    |w, which| {
        of(&mut w.entries, which, |e| e.level = Level::Medium);
    },
    |w, which| {
        of(&mut w.entries, which, |e| e.patterns = Patterns::NONE);
    },
    |w, which| {
        of(&mut w.entries, which, |e| e.expires = Some(NOW));
    },
    |w, which| {
        of(&mut w.entries, which, |e| {
            e.prefix.length = e.prefix.length.max(1) - 1;
        });
    },
    |w, which| {
        of(&mut w.policy.zones, which, |z| {
            z.head_mut().status = ZoneStatus::Inactive;
        });
    },
    |w, which| {
        of(&mut w.policy.zones, which, |z| {
            z.head_mut().usage = ZoneUsage::Blocklist;
        });
    },
    |w, _| w.policy.configuration.exclude_zones.clear(),
    |w, _| w.policy.configuration.action = Action::Block,
    |w, _| w.policy.extensions.exempt_zone = None,
    |w, _| w.policy.extensions.edition = Edition::Trial,
    |w, _| w.policy.extensions.embedded_ipv4 = false,
    |w, _| w.policy.extensions.enforce_from = Level::High,
    |w, _| w.policy.extensions.on_unknown_client = Verdict::Block,
];

fn of<T>(items: &mut [T], which: Index, change: fn(&mut T)) {
    if !items.is_empty() {
        change(which.get_mut(items));
    }
}

fn without(entries: &[Listing], which: Index) -> Vec<Listing> {
    let mut entries = entries.to_vec();
    if !entries.is_empty() {
        entries.remove(which.index(entries.len()));
    }
    entries
}

fn shuffle<T: Clone>(items: &mut [T], keys: &[u32]) {
    let mut keyed: Vec<(u32, T)> = keys
        .iter()
        .copied()
        .cycle()
        .zip(items.iter().cloned())
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    for (item, (_, shuffled)) in items.iter_mut().zip(keyed) {
        *item = shuffled;
    }
}

fn with_host_bits(prefix: address::Prefix, host_bits: u128) -> IpAddr {
    let length = u32::from(prefix.length);
    match prefix.address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shr(length).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() | (host_bits & u128::from(mask)) as u32).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shr(length).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() | (host_bits & mask)).into()
        }
    }
}

/// The two prefixes that a prefix is made of. One address has no halves; nor has `::fffe:0:0/95`,
/// because one half of it is all of IPv4, which it itself does not contain.
fn halves(whole: address::Prefix) -> Vec<address::Prefix> {
    let length = whole.length + 1;
    let second = match whole.address {
        IpAddr::V4(_) if length > 32 => return vec![whole],
        IpAddr::V6(_) if length > 128 || length == 96 => return vec![whole],
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ (1 << (32 - length))).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ (1 << (128 - length))).into(),
    };
    [whole.address, second]
        .map(|address| address::Prefix { address, length })
        .to_vec()
}

/// A line of a feed, sound or not, without its end.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let addresses = prop_oneof![
        prefix().prop_map(|prefix| format!("{}/{}", prefix.address, prefix.length)),
        address().prop_map(|address| address.to_string()),
        (address(), 0..40_u32).prop_map(|(first, more)| format!("{first} - {}", plus(first, more))),
        (address(), 0..9_u32).prop_map(|(address, count)| format!("{address}\t{count}")),
    ];
    let comment = prop::sample::select(vec!["", " # seen", ";SBL1", "\r", "  ", " and more"]);
    let sound = (addresses, comment).prop_map(|(addresses, comment)| addresses + comment);
    let header = (0..3_u32, 0..600_u32).prop_map(|(subnets, addresses)| {
        format!("# Entries : {subnets} subnets, {addresses} unique IPs")
    });
    let other = prop::sample::select(vec![
        "",
        " ",
        "\r",
        "# comment",
        "; comment",
        "\u{feff}",
        "<p>",
        "garbage",
    ]);
    let long = (1_000..1_100_usize, 0..4_u8).prop_map(|(length, end)| match end {
        0 => " ".repeat(length) + "203.0.113.7",
        1 => "203.0.113.7".to_owned() + &" ".repeat(length) + "x",
        2 => " ".repeat(length) + "# comment",
        _ => "#".repeat(length),
    });
    let bytes = prop::collection::vec(
        any::<u8>().prop_filter("no line feed", |byte| *byte != b'\n'),
        0..40,
    );
    prop_oneof![
        8 => sound.prop_map(String::into_bytes),
        2 => other.prop_map(|text| text.as_bytes().to_vec()),
        1 => header.prop_map(String::into_bytes),
        1 => long.prop_map(String::into_bytes),
        1 => bytes,
    ]
}

fn in_pieces(text: &[u8], sizes: &[usize], options: ParseOptions) -> Result<ParsedFeed, FeedError> {
    let mut parser = FeedParser::new("feed", options);
    let mut rest = text;
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(rest.len().min(*size));
        parser.push(piece)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    parser.finish()
}

/// How many prefixes it takes to cover `first` to `last`, by trying from the shortest on: a prefix
/// that is partly outside is needed in halves.
fn fewest(first: u128, last: u128, begin: u128, free_bits: u32) -> usize {
    let end = begin
        | 1_u128
            .checked_shl(free_bits)
            .map_or(u128::MAX, |size| size - 1);
    if end < first || last < begin {
        return 0;
    }
    if first <= begin && end <= last {
        return 1;
    }
    let half = 1 << (free_bits - 1);
    fewest(first, last, begin, free_bits - 1) + fewest(first, last, begin | half, free_bits - 1)
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn width(prefix: Prefix) -> u8 {
    if prefix.address().is_ipv4() { 32 } else { 128 }
}

fn plus(address: IpAddr, more: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + more).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(more)).into(),
    }
}

/// A world of one action and many entries, the same for the same `count`.
fn many_entries(count: usize) -> World {
    let mut state = 1_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let entries = (0..count).map(|_| {
        let low = random() as u32;
        let v4 = Ipv4Addr::from_bits(0xcb00_0000 | low & 0x000f_ffff);
        let v6 = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low & 0xffff) << 64);
        let (address, length) = match random() % 4 {
            0 => (v6.into(), 64 - (random() % 9) as u8),
            1 => (v4.into(), 24 - (random() % 5) as u8),
            _ => (v4.into(), 32),
        };
        Listing {
            feed: ["alpha", "beta", "gamma"][random() as usize % 3].to_owned(),
            prefix: address::Prefix { address, length },
            level: [Level::Low, Level::Medium, Level::High][random() as usize % 3],
            patterns: Pattern::ALL[random() as usize % 4].into(),
            expires: None,
            asserted_until: None,
        }
    });
    World {
        entries: entries.collect(),
        policy: Policy::new(Action::Block),
    }
}

#[cfg(feature = "rayon")]
fn in_pool<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(f)
}

#[cfg(not(feature = "rayon"))]
fn in_pool<T>(_threads: usize, f: impl FnOnce() -> T) -> T {
    f()
}
