//! A list that was updated is the list that would have been compiled.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use proptest::prelude::*;
use threatinsight::{
    Action, Delta, Engine, Entry, Feed, Level, List, Pattern, Policy, Prefix, Request, Threat,
    Timestamp, Verdict,
};

const FEEDS: [&str; 3] = ["alpha", "beta", "gamma"];

/// What a list should hold: for a feed, a prefix, a level and patterns, the latest expiry.
type Model = BTreeMap<(&'static str, Prefix, Level, Pattern), Option<Timestamp>>;

#[derive(Clone, Debug)]
enum Step {
    Add(&'static str, Entry),
    Remove(&'static str, Prefix),
    /// Whatever the model holds at this place goes.
    RemoveHeld(prop::sample::Index),
    /// All of one /16 goes.
    Empty(u32),
    Expire(u64),
}

/// Few networks, so that prefixes nest, share blocks and come back; every length.
fn prefix4() -> impl Strategy<Value = Prefix> {
    let length = prop_oneof![
        2 => Just(32_u8), 2 => 25_u8..32, 1 => Just(24), 1 => 17_u8..24, 1 => Just(16), 1 => 0_u8..16,
    ];
    // Anywhere, in neighbouring /24s, or in /24s with few bits between them.
    let low = prop_oneof![Just(0xffff_u16), Just(0x010f), Just(0x8803)];
    let bits = (0_u32..3, any::<u16>(), low).prop_map(|(net, low, mask)| {
        let net = [0x0101_0000, 0x0102_0000, 0xdfff_0000][net as usize];
        net | u32::from(low & mask)
    });
    (bits, length)
        .prop_map(|(bits, length)| Prefix::new(Ipv4Addr::from_bits(bits).into(), length))
        .prop_map(Result::unwrap)
}

fn prefix6() -> impl Strategy<Value = Prefix> {
    let length = prop_oneof![
        2 => Just(128_u8), 2 => Just(64), 1 => 65_u8..128, 1 => 49_u8..64, 1 => 41_u8..49,
        1 => 33_u8..41, 1 => 17_u8..33, 1 => 0_u8..17,
    ];
    let bits = (0_u128..4, any::<u16>(), 0_u32..7, any::<u8>()).prop_map(|(net, low, at, host)| {
        let net = [0x2001_0db8, 0x2001_0db9, 0x2a00_0001, 0x2a00_ffff][net as usize] << 96;
        net | u128::from(low & 0x0303) << (at * 14) | u128::from(host)
    });
    // A crowded /48: hosts in one of its /64s, and many of those.
    let site = 0x2001_0db8 << 96;
    let of_site = prop_oneof![
        (0_u128..2, 0_u128..8).prop_map(move |(high, low)| (site | high << 8 | low, 128)),
        (0_u128..3, 0_u128..16).prop_map(move |(high, low)| (site | (high << 8 | low) << 64, 64)),
        (any::<u32>(), 65_u8..128)
            .prop_map(move |(bits, length)| (site | u128::from(bits) << 32, length)),
    ];
    prop_oneof![2 => (bits, length), 1 => of_site]
        .prop_map(|(bits, length)| Prefix::new(Ipv6Addr::from_bits(bits).into(), length))
        .prop_map(Result::unwrap)
}

fn prefix() -> impl Strategy<Value = Prefix> {
    prop_oneof![prefix4(), prefix6()]
}

fn entry() -> impl Strategy<Value = Entry> {
    let level = prop::sample::select(vec![Level::Low, Level::High]);
    let pattern = prop::sample::select(vec![Pattern::PasswordSpray, Pattern::NegativeIpReputation]);
    let expires = prop_oneof![3 => Just(None), 1 => (1_u64..50).prop_map(|s| Some(Timestamp(s)))];
    (prefix(), level, pattern, expires).prop_map(|(prefix, level, pattern, expires)| Entry {
        prefix,
        level,
        patterns: pattern.into(),
        expires,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let feed = || prop::sample::select(FEEDS.to_vec());
    prop_oneof![
        10 => (feed(), entry()).prop_map(|(feed, entry)| Step::Add(feed, entry)),
        2 => (feed(), prefix()).prop_map(|(feed, prefix)| Step::Remove(feed, prefix)),
        5 => any::<prop::sample::Index>().prop_map(Step::RemoveHeld),
        1 => prop::sample::select(vec![0x0101, 0x0102, 0xdfff]).prop_map(Step::Empty),
        1 => (0_u64..50).prop_map(Step::Expire),
    ]
}

/// Applies one step to both; `now` moves with expiries.
fn apply(list: &List, model: &mut Model, now: &mut Timestamp, step: &Step) -> List {
    let remove = |model: &mut Model, gone: &[(&'static str, Prefix)]| {
        model.retain(|(feed, prefix, ..), _| !gone.contains(&(*feed, *prefix)));
        let removals = gone;
        list.update(
            &Delta {
                removals,
                additions: &[],
            },
            *now,
        )
        .unwrap()
    };
    match step {
        Step::Add(feed, entry) => {
            if entry.expires.is_none_or(|expires| expires > *now) {
                let pattern = entry.patterns.iter().next().unwrap();
                let held = model.entry((feed, entry.prefix, entry.level, pattern));
                let expires = held.or_insert(entry.expires);
                *expires = expires.zip(entry.expires).map(|(a, b)| a.max(b));
            }
            let additions = &[(*feed, *entry)];
            list.update(
                &Delta {
                    removals: &[],
                    additions,
                },
                *now,
            )
            .unwrap()
        }
        Step::Remove(feed, prefix) => remove(model, &[(feed, *prefix)]),
        Step::RemoveHeld(which) => {
            let held: Vec<_> = model
                .keys()
                .map(|(feed, prefix, ..)| (*feed, *prefix))
                .collect();
            let gone = if held.is_empty() {
                None
            } else {
                Some(*which.get(&held))
            };
            remove(model, gone.as_slice())
        }
        Step::Empty(top) => {
            let whole = Prefix::new(Ipv4Addr::from_bits(top << 16).into(), 16).unwrap();
            let held = model.keys().map(|(feed, prefix, ..)| (*feed, *prefix));
            let gone: Vec<_> = held.filter(|(_, prefix)| whole.covers(*prefix)).collect();
            remove(model, &gone)
        }
        Step::Expire(later) => {
            *now = Timestamp(now.0.max(*later));
            model.retain(|_, expires| expires.is_none_or(|expires| expires > *now));
            list.expire(*now)
        }
    }
}

fn compiled(model: &Model, now: Timestamp) -> List {
    let feeds = FEEDS.map(|name| {
        let mut feed = Feed::new(name);
        let own = model.iter().filter(|((feed, ..), _)| *feed == name);
        feed.extend(own.map(|((_, prefix, level, pattern), expires)| Entry {
            prefix: *prefix,
            level: *level,
            patterns: (*pattern).into(),
            expires: *expires,
        }));
        feed
    });
    List::compile(&feeds, now).unwrap()
}

/// The ends of every prefix that was ever named, and their neighbours; of IPv4, the same host of other /24s too.
fn probes(steps: &[Step]) -> Vec<IpAddr> {
    let prefixes = steps.iter().filter_map(|step| match step {
        Step::Add(_, Entry { prefix, .. }) | Step::Remove(_, prefix) => Some(*prefix),
        Step::RemoveHeld(_) | Step::Empty(_) | Step::Expire(_) => None,
    });
    prefixes
        .flat_map(|prefix| match prefix.address() {
            IpAddr::V4(first) => {
                let first = first.to_bits();
                let last = first | u32::MAX.checked_shr(prefix.length().into()).unwrap_or(0);
                let twins = [first ^ 0x8000, first ^ 0x0800];
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .into_iter()
                    .chain(twins)
                    .map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
                    .collect::<Vec<_>>()
            }
            IpAddr::V6(first) => {
                let first = first.to_bits();
                let last = first | u128::MAX.checked_shr(prefix.length().into()).unwrap_or(0);
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
                    .to_vec()
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn updates_and_a_compile_from_scratch_give_one_list(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new();
        let mut now = Timestamp(0);
        let mut list = List::compile(&[], now).unwrap();
        for step in &steps {
            list = apply(&list, &mut model, &mut now, step);
        }
        let scratch = compiled(&model, now);
        prop_assert_eq!(list.digest(), scratch.digest());
        prop_assert_eq!(list.len(), scratch.len());
        prop_assert_eq!(list.distinct_ipv4(), scratch.distinct_ipv4());
        let told = |list: &List| {
            let mut told: Vec<_> = list.listings().map(|l| (l.feed.to_owned(), l.entry)).collect();
            told.sort_by_key(|(feed, e)| (e.prefix, feed.clone(), e.level, e.patterns));
            told
        };
        prop_assert_eq!(told(&list), told(&scratch));
        let addresses = probes(&steps);
        let mut each = vec![false; addresses.len()];
        list.contains_each(&addresses, &mut each);
        for (address, each) in addresses.iter().zip(each) {
            let held = model.keys().any(|(_, prefix, ..)| prefix.contains(*address));
            let canonical = threatinsight::address::canonical(*address);
            prop_assert_eq!(list.contains(*address), held, "{}", canonical);
            prop_assert_eq!(scratch.contains(*address), held, "{}", canonical);
            prop_assert_eq!(each, held, "{}", canonical);
        }
    }
}

/// A list so long that a /16 with much in it gets a node for each /20, with some hundred hosts where [`prefix4`] is.
fn long() -> (&'static List, Model) {
    static LONG: OnceLock<List> = OnceLock::new();
    let host = |bits: u32| Prefix::from(IpAddr::from(Ipv4Addr::from_bits(bits)));
    let low = |n: u32| n.wrapping_mul(0x9e37_79b1) >> 16;
    let near =
        || (0..120).flat_map(move |n| [0x0101_0000, 0xdfff_0000].map(|net| host(net | low(n))));
    let list = LONG.get_or_init(|| {
        let mut others = Feed::new("others");
        others.extend((0..140_000).map(|n| Entry::new(host(0x6440_0000 + n * 11))));
        let mut own = Feed::new("alpha");
        own.extend(near().map(Entry::new));
        List::compile(&[others, own], Timestamp(0)).unwrap()
    });
    let fact = |prefix| {
        let Entry {
            level, patterns, ..
        } = Entry::new(prefix);
        (
            ("alpha", prefix, level, patterns.iter().next().unwrap()),
            None,
        )
    };
    (list, near().map(fact).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_long_list_has_what_updates_left_in_it(steps in prop::collection::vec(step(), 1..60)) {
        let (list, mut model) = long();
        let mut list = list.clone();
        let mut now = Timestamp(0);
        for step in &steps {
            list = apply(&list, &mut model, &mut now, step);
        }
        let mut addresses = probes(&steps);
        addresses.extend(model.keys().map(|(_, prefix, ..)| prefix.address()));
        for address in addresses {
            let held = model.keys().any(|(_, prefix, ..)| prefix.contains(address));
            prop_assert_eq!(list.contains(address), held, "{}", address);
        }
    }
}

#[test]
fn a_covered_16_stays_covered_when_another_is_emptied() {
    let host = |bits: u32| IpAddr::from(Ipv4Addr::from_bits(bits));
    let hosts = |net: u32| (0..200).map(move |third| Prefix::from(host(net | third << 8)));
    let (gone, stays) = (0x0a00_0000, 0xc801_0000);
    let all = Prefix::new(host(stays), 16).unwrap();
    let added = hosts(gone).chain(hosts(stays)).chain([all]);
    let additions: Vec<_> = added.map(|prefix| ("alpha", Entry::new(prefix))).collect();
    let removals: Vec<_> = hosts(gone).map(|prefix| ("alpha", prefix)).collect();
    let mut list = long().0.clone();
    for (removals, additions) in [(&[][..], &additions[..]), (&removals, &[])] {
        let delta = Delta {
            removals,
            additions,
        };
        list = list.update(&delta, Timestamp(0)).unwrap();
        assert!(list.contains(host(stays | 0xff77)));
        assert_eq!(list.contains(host(gone | 0x0700)), removals.is_empty());
    }
}

#[test]
fn a_crowded_ipv6_network_keeps_every_host() {
    let host = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + n * 0x1_0000_0001));
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    for chunk in 0..40_u128 {
        let hosts = (chunk * 50..chunk * 50 + 50).map(|n| ("alpha", Entry::new(host(n).into())));
        let additions = &hosts.collect::<Vec<_>>();
        list = list
            .update(
                &Delta {
                    removals: &[],
                    additions,
                },
                Timestamp(0),
            )
            .unwrap();
    }
    assert!((0..2_000).all(|n| list.contains(host(n))));
    assert!((2_000..2_100).all(|n| !list.contains(host(n))));
    for n in (0..2_000).step_by(2) {
        let removals = &[("alpha", Prefix::from(host(n)))];
        list = list
            .update(
                &Delta {
                    removals,
                    additions: &[],
                },
                Timestamp(0),
            )
            .unwrap();
    }
    assert!((0..2_000).all(|n| list.contains(host(n)) == (n % 2 == 1)));
}

#[test]
fn every_28_of_an_ipv6_16_can_be_listed_and_taken_off() {
    // A /32 in each /28, in no order that a directory would like better than another.
    let address = |n: u32, next: u32| {
        let n = n.wrapping_mul(0x9d5) & 0xfff;
        let top = (0x2a00_0000 | n << 4 | n >> 8) + next;
        IpAddr::from(Ipv6Addr::from_bits(u128::from(top) << 96))
    };
    let network = |n| Prefix::new(address(n, 0), 32).unwrap();
    let holds = |list: &List, listed: std::ops::Range<u32>| {
        (0..1 << 12).all(|n| {
            list.contains(address(n, 0)) == listed.contains(&n) && !list.contains(address(n, 1))
        })
    };
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    let mut from = 0;
    for to in [1, 8, 9, 100, 300, 1 << 11, 1 << 12] {
        let additions: Vec<_> = (from..to)
            .map(|n| ("alpha", Entry::new(network(n))))
            .collect();
        let delta = Delta {
            removals: &[],
            additions: &additions,
        };
        list = list.update(&delta, Timestamp(0)).unwrap();
        assert!(holds(&list, 0..to), "{to} listed");
        from = to;
    }
    for to in [1 << 11, 300, 9, 8, 1, 0] {
        let removals: Vec<_> = (to..from).map(|n| ("alpha", network(n))).collect();
        let delta = Delta {
            removals: &removals,
            additions: &[],
        };
        list = list.update(&delta, Timestamp(0)).unwrap();
        assert!(holds(&list, 0..to), "{to} left");
        from = to;
    }
    assert!(list.is_empty());
}

/// Prefixes of every length around one address: each goes and comes back, and what the others cover stays.
#[test]
fn ipv6_prefixes_of_all_lengths_nest() {
    let address = 0x2a00_1357_9bdf_0246_8ace_1357_9bdf_0247_u128;
    let prefix = |length| Prefix::new(Ipv6Addr::from_bits(address).into(), length).unwrap();
    // In a prefix, but not in the next longer one.
    let beside = |length: u8| {
        let bits = address ^ (1_u128 << 127).checked_shr(length.into()).unwrap_or(0);
        IpAddr::from(Ipv6Addr::from_bits(bits))
    };
    let everything = (1..=128).map(|length| Entry::new(prefix(length)));
    let mut feed = Feed::new("alpha");
    feed.extend(everything);
    let all = List::compile(&[feed], Timestamp(0)).unwrap();
    for shortest in 1..=128 {
        let removals: Vec<_> = (1..shortest).map(|l| ("alpha", prefix(l))).collect();
        let delta = Delta {
            removals: &removals,
            additions: &[],
        };
        let list = all.update(&delta, Timestamp(0)).unwrap();
        for length in 1..=128 {
            let held = length >= shortest;
            assert_eq!(
                list.contains(beside(length)),
                held,
                "{length} of {shortest}"
            );
        }
        let lone = [("alpha", Entry::new(prefix(shortest)))];
        let (one, none) = (prefix(shortest), List::compile(&[], Timestamp(0)).unwrap());
        let delta = Delta {
            removals: &[],
            additions: &lone,
        };
        let list = none.update(&delta, Timestamp(0)).unwrap();
        for length in 0..=128 {
            let other = beside(length);
            assert_eq!(
                list.contains(other),
                one.contains(other),
                "{length} of {shortest}"
            );
        }
    }
}

#[test]
fn every_host_of_a_16_can_be_listed_and_taken_off_one_block_at_a_time() {
    let host = |n: u32| IpAddr::from(Ipv4Addr::from_bits(0xc633_0000 | n));
    let all: Vec<_> = (0..1 << 16)
        .map(|n| ("alpha", Entry::new(host(n).into())))
        .collect();
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    list = list
        .update(
            &Delta {
                removals: &[],
                additions: &all,
            },
            Timestamp(0),
        )
        .unwrap();
    assert_eq!(list.distinct_ipv4(), 1 << 16);
    for third in (0..256).rev() {
        let gone = all
            .iter()
            .skip(third << 8)
            .take(256)
            .map(|(feed, e)| (*feed, e.prefix));
        let removals = &gone.collect::<Vec<_>>();
        list = list
            .update(
                &Delta {
                    removals,
                    additions: &[],
                },
                Timestamp(0),
            )
            .unwrap();
        assert!(!list.contains(host((third as u32) << 8)));
        assert_eq!(
            list.contains(host(((third as u32) << 8).wrapping_sub(1) & 0xffff)),
            third > 0
        );
    }
    assert!(list.is_empty());
    assert_eq!(
        list.digest(),
        List::compile(&[], Timestamp(0)).unwrap().digest()
    );
}

/// Every third host of some /24s of a /16, one after the other and all at once.
#[test]
fn any_number_of_24s_can_be_crowded() {
    let host = |net: u32, at: u32| IpAddr::from(Ipv4Addr::from_bits(0xc633_0000 | net << 8 | at));
    let crowd = |net: u32| {
        let hosts = (0..256).step_by(3).map(move |at| host(net, at));
        hosts.map(|host| ("alpha", Entry::new(host.into())))
    };
    let holds = |list: &List, nets: u32| {
        let listed = |net, at| list.contains(host(net, at)) == (net < nets && at % 3 == 0);
        (0..256).all(|net| (0..256).all(|at| listed(net, at)))
    };
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    for net in 0..256 {
        let additions: Vec<_> = crowd(net).collect();
        let delta = Delta {
            removals: &[],
            additions: &additions,
        };
        list = list.update(&delta, Timestamp(0)).unwrap();
        let nets = net + 1;
        if (120..136).contains(&nets) || nets == 256 {
            let mut feed = Feed::new("alpha");
            feed.extend((0..nets).flat_map(crowd).map(|(_, entry)| entry));
            let scratch = List::compile(&[feed], Timestamp(0)).unwrap();
            assert!(holds(&scratch, nets), "{nets} compiled");
            assert!(holds(&list, nets), "{nets} added");
        }
    }
}

#[test]
fn memory_does_not_creep_over_many_updates() {
    let four = |n: u32| IpAddr::from(Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b1) >> 1));
    let six = |n: u32| {
        let site = u128::from(n.wrapping_mul(0x9e37_79b1) >> 9) << 80;
        IpAddr::from(Ipv6Addr::from_bits(0x2001 << 112 | site | 1))
    };
    for address in [four, six] {
        for (changes, updates) in [(1, 2000), (40, 400), (600, 100)] {
            const LENGTH: u32 = 20_000;
            let entry = |n| Entry::new(address(n).into());
            let compiled = |first| {
                let mut feed = Feed::new("alpha");
                feed.extend((first..first + LENGTH).map(entry));
                List::compile(&[feed], Timestamp(0)).unwrap()
            };
            let first = compiled(0);
            let mut list = first.clone();
            for update in 0..updates {
                let range = |from| (from..from + changes).map(entry);
                let removed = range(update * changes);
                let removals: Vec<_> = removed.map(|entry| ("alpha", entry.prefix)).collect();
                let added = range(LENGTH + update * changes);
                let additions: Vec<_> = added.map(|entry| ("alpha", entry)).collect();
                let delta = Delta {
                    removals: &removals,
                    additions: &additions,
                };
                list = list.update(&delta, Timestamp(0)).unwrap();
                let (now, then) = (list.bytes(), first.bytes());
                assert!(now < then * 2, "{now} after {then}, {update} of {changes}");
            }
            let expected = compiled(updates * changes);
            assert_eq!(list.digest(), expected.digest());
            let all = 0..LENGTH + updates * changes;
            let mut wrong = all.filter(|n| {
                let is_listed = list.contains(address(*n));
                let is_there = *n >= updates * changes;
                is_listed != is_there || first.contains(address(*n)) != (*n < LENGTH)
            });
            assert_eq!(wrong.next(), None);
        }
    }
}

#[test]
fn a_source_that_stands_by_its_feed_keeps_expired_entries_alive() {
    let mut feed = Feed::new("alpha");
    feed.push(Entry {
        expires: Some(Timestamp(10)),
        ..Entry::new("203.0.113.7".parse().unwrap())
    });
    let list = List::compile(&[feed], Timestamp(0)).unwrap();
    let client = "203.0.113.7".parse().unwrap();
    assert!(!list.expire(Timestamp(20)).contains(client));
    let asserted = list.assert("alpha", Some(Timestamp(30)));
    assert!(asserted.expire(Timestamp(20)).contains(client));
    assert!(!asserted.expire(Timestamp(30)).contains(client));
}

#[test]
fn an_engine_changes_and_expires_its_list() {
    let snapshot = Policy::new(Action::Block)
        .compile(&[], Timestamp(0))
        .unwrap();
    let engine = Engine::new(snapshot);
    let request = Request::from("203.0.113.7".parse::<IpAddr>().unwrap());
    let entry = Entry {
        expires: Some(Timestamp(10)),
        ..Entry::new("203.0.113.0/24".parse().unwrap())
    };
    let delta = Delta {
        removals: &[],
        additions: &[("alpha", entry)],
    };
    engine.change_list(&delta, Timestamp(0)).unwrap();
    assert_eq!(engine.load().evaluate(&request).verdict, Verdict::Block);
    engine.expire_list(Timestamp(10));
    assert_eq!(engine.load().evaluate(&request).verdict, Verdict::Allow);
    assert_eq!(engine.load().generation(), 3);
}

/// Entries of every length over a few networks, so many that the directory widens and narrows.
#[test]
fn a_list_that_grows_and_shrinks_by_updates_is_the_list_that_is_compiled() {
    let mut number = 0_u64;
    let mut random = || {
        number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 29
    };
    let mut prefix = || {
        let word = random();
        let length = |width: u64, usual: u64| {
            let length = if word >> 58 < 40 {
                usual
            } else {
                (word >> 48) % (width + 1)
            };
            u8::try_from(length).unwrap()
        };
        if word % 3 == 0 {
            let bits = 0x2a00 << 112 | u128::from(random()) << 40 | u128::from(word >> 60);
            Prefix::new(Ipv6Addr::from_bits(bits).into(), length(128, 64)).unwrap()
        } else {
            // A network of hosts side by side, one of scattered ones, and the whole space.
            let bits = match word >> 16 & 3 {
                0 => 0xc633_0000 | u32::try_from(random() & 0x3ff).unwrap(),
                1 => 0xcb00_0000 | u32::try_from(random() & 0xff_ffff).unwrap(),
                _ => u32::try_from(random() >> 32).unwrap(),
            };
            Prefix::new(Ipv4Addr::from_bits(bits).into(), length(32, 32)).unwrap()
        }
    };
    let mut model = Model::new();
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    let mut change = |model: &mut Model, gone: usize, come: usize| {
        let held = model.keys().map(|(feed, prefix, ..)| (*feed, *prefix));
        let step = (model.len() / gone.max(1)).max(1);
        let removals: Vec<_> = held.step_by(step).take(gone).collect();
        model.retain(|(feed, prefix, ..), _| removals.binary_search(&(*feed, *prefix)).is_err());
        let additions: Vec<_> = (0..come)
            .map(|n| {
                let mut entry = Entry::new(prefix());
                entry.expires = (n % 5 == 0).then(|| Timestamp(10 + n as u64 % 7));
                entry.patterns = Pattern::PasswordSpray.into();
                (FEEDS[n % 3], entry)
            })
            .collect();
        for (feed, entry) in &additions {
            let key = (*feed, entry.prefix, entry.level, Pattern::PasswordSpray);
            let held = model.entry(key).or_insert(entry.expires);
            *held = held.zip(entry.expires).map(|(a, b)| a.max(b));
        }
        let delta = Delta {
            removals: &removals,
            additions: &additions,
        };
        list = list.update(&delta, Timestamp(0)).unwrap();
        let scratch = compiled(model, Timestamp(0));
        assert_eq!(list.digest(), scratch.digest());
        assert_eq!(list.len(), model.len());
        assert!(
            list.listings().eq(scratch.listings()),
            "{} entries",
            list.len()
        );
        let snapshot = Policy::new(Action::Block)
            .compile(&[], Timestamp(0))
            .unwrap();
        let snapshot = snapshot.with_list(list.clone());
        for (_, prefix, ..) in model.keys().step_by(1 + model.len() / 40) {
            let address = prefix.address();
            let covering = model
                .keys()
                .filter(|(_, prefix, ..)| prefix.contains(address));
            let mut covering: Vec<_> = covering
                .map(|(feed, prefix, ..)| (prefix.length(), *feed))
                .collect();
            covering.sort_unstable();
            let decision = snapshot.evaluate(&Request::from(address));
            let told = decision.threat.iter().flat_map(Threat::listings);
            let told: Vec<_> = told.map(|l| (l.entry.prefix.length(), l.feed)).collect();
            assert_eq!(told, covering, "{address} among {}", list.len());
        }
        let expired = list.expire(Timestamp(13));
        let living = model
            .values()
            .filter(|expires| expires.is_none_or(|at| at > Timestamp(13)));
        assert_eq!(expired.len(), living.count());
        assert_eq!(expired.digest(), scratch.expire(Timestamp(13)).digest());
    };
    for come in [100, 2_000, 10_000, 60_000, 1] {
        change(&mut model, 0, come);
    }
    change(&mut model, 20_000, 20_000);
    for left in [40_000, 5_000, 500, 30, 0] {
        let gone = model.len() - left;
        change(&mut model, gone, 0);
    }
    assert!(list.is_empty());
}

#[test]
fn one_address_may_have_any_number_of_entries() {
    let names: Vec<String> = (0..300).map(|n| format!("feed {n:03}")).collect();
    let entry = |n: usize, text: &str| Entry {
        expires: Some(Timestamp(100 + n as u64 % 90)),
        ..Entry::new(text.parse().unwrap())
    };
    let texts = [
        "203.0.113.7",
        "203.0.113.0/30",
        "203.0.112.0/20",
        "192.0.0.0/5",
        "2001:db8::7",
    ];
    let additions: Vec<_> = names
        .iter()
        .enumerate()
        .flat_map(|(n, name)| texts.map(|text| (name.as_str(), entry(n, text))))
        .collect();
    let list = List::compile(&[], Timestamp(0)).unwrap();
    let update = |list: &List, removals: &[(&str, Prefix)], additions: &[(&str, Entry)]| {
        let delta = Delta {
            removals,
            additions,
        };
        list.update(&delta, Timestamp(0)).unwrap()
    };
    let list = update(&list, &[], &additions);
    assert_eq!(list.len(), 1_500);
    let told = |list: &List| {
        list.listings()
            .map(|l| (l.entry.prefix, l.feed.to_owned()))
            .collect::<Vec<_>>()
    };
    let mut expected: Vec<_> = additions
        .iter()
        .map(|(feed, e)| (e.prefix, (*feed).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(told(&list), expected);
    assert_eq!(list.expire(Timestamp(188)).len(), 5 * 3);
    let removals: Vec<_> = additions
        .iter()
        .step_by(2)
        .map(|(feed, e)| (*feed, e.prefix))
        .collect();
    let list = update(&list, &removals, &[]);
    let expected: Vec<_> = expected
        .into_iter()
        .filter(|(prefix, feed)| !removals.contains(&(feed.as_str(), *prefix)))
        .collect();
    assert_eq!(told(&list), expected);
}

/// Whole networks go, and nothing is written in their place.
#[test]
fn memory_goes_with_the_networks_that_go() {
    let hosts = |net: u32| {
        let host =
            move |at: u32| IpAddr::from(Ipv4Addr::from_bits(((0x0101 + net) << 16) | (at * 97)));
        (0..100).map(move |at| Prefix::from(host(at)))
    };
    let list_of = |nets: &[u32]| {
        let mut feed = Feed::new("alpha");
        feed.extend(nets.iter().copied().flat_map(hosts).map(Entry::new));
        List::compile(&[feed], Timestamp(0)).unwrap()
    };
    let (stay, go): (Vec<u32>, Vec<u32>) = (0..1_000).partition(|net| net % 50 == 7);
    let all: Vec<u32> = (0..1_000).collect();
    let scratch = list_of(&stay);
    for nets in [1, go.len()] {
        let mut list = list_of(&all);
        for gone in go.chunks(nets) {
            let gone = gone.iter().copied().flat_map(hosts);
            let removals: Vec<_> = gone.map(|prefix| ("alpha", prefix)).collect();
            let delta = Delta {
                removals: &removals,
                additions: &[],
            };
            list = list.update(&delta, Timestamp(0)).unwrap();
        }
        assert_eq!(list.digest(), scratch.digest());
        let (bytes, least) = (list.bytes(), scratch.bytes());
        assert!(bytes < 2 * least, "{bytes} of {least}, {nets} at once");
    }
}

/// Each of the prefixes that are added is told from those that are there one level above the one before.
#[test]
fn a_crowd_is_written_once_however_many_nodes_are_put_above_it() {
    let crowd = |site: u128| (0x2000 + site) << 112 | 0x0001_0203_0405_0607_0809_0a0b_0c00;
    let prefix = |bits, length| Prefix::new(Ipv6Addr::from_bits(bits).into(), length).unwrap();
    let mut feeds: Vec<_> = (0..300)
        .map(|n| Feed::new(format!("feed {n:03}")))
        .collect();
    for feed in &mut feeds {
        feed.extend((0..20).map(|site| Entry::new(prefix(crowd(site), 120))));
    }
    let mut hosts = Feed::new("hosts");
    hosts.extend((0..20).map(|site| Entry::new(prefix(crowd(site) | 1 << 9, 128))));
    feeds.push(hosts);
    let list = List::compile(&feeds, Timestamp(0)).unwrap();
    let levels = |site| {
        (17..114)
            .step_by(4)
            .map(move |bit| crowd(site) ^ 1 << (127 - bit))
    };
    let added = (0..20).flat_map(levels);
    let additions: Vec<_> = added
        .map(|bits| ("hosts", Entry::new(prefix(bits, 128))))
        .collect();
    let delta = Delta {
        removals: &[],
        additions: &additions,
    };
    let next = list.update(&delta, Timestamp(0)).unwrap();
    let hosts = additions.iter().map(|(_, entry)| *entry);
    feeds.last_mut().unwrap().extend(hosts);
    let scratch = List::compile(&feeds, Timestamp(0)).unwrap();
    assert!(next.listings().eq(scratch.listings()));
    let (bytes, least) = (next.bytes(), scratch.bytes());
    assert!(bytes < 2 * least, "{bytes} of {least}");
}

/// A list that is changed so that blocks are left alone in their segments: each update adds something in a place where
/// nothing changes again, and replaces what the update before it added elsewhere.
struct Hermits {
    list: List,
    rest: Vec<Prefix>,
    updates: u32,
    hermit: fn(u32) -> Prefix,
    crowd: u32,
    /// One of the crowd, in one of two shapes.
    one_of: fn(u32, bool) -> Prefix,
}

impl Hermits {
    fn of(rest: Vec<Prefix>) -> List {
        let mut feed = Feed::new("alpha");
        feed.extend(rest.into_iter().map(Entry::new));
        List::compile(&[feed], Timestamp(0)).unwrap()
    }

    fn check(self) {
        let crowd = |shape| (0..self.crowd).map(move |n| (self.one_of)(n, shape));
        let mut list = self.list;
        for n in 0..self.updates {
            let shape = n % 2 == 0;
            let removals: Vec<_> = crowd(!shape).map(|prefix| ("alpha", prefix)).collect();
            let added = crowd(shape).chain([(self.hermit)(n)]);
            let additions: Vec<_> = added.map(|prefix| ("alpha", Entry::new(prefix))).collect();
            let delta = Delta {
                removals: &removals,
                additions: &additions,
            };
            list = list.update(&delta, Timestamp(0)).unwrap();
        }
        let last = crowd(self.updates % 2 == 1);
        let hermits = (0..self.updates).map(self.hermit);
        let scratch = Self::of(self.rest.into_iter().chain(last).chain(hermits).collect());
        assert_eq!(list.digest(), scratch.digest());
        let split = |list: &List| {
            [
                list.membership_bytes(),
                list.bytes() - list.membership_bytes(),
            ]
        };
        for (bytes, least) in split(&list).into_iter().zip(split(&scratch)) {
            assert!(bytes < 5 * least / 2 + 20_000, "{bytes} of {least}");
        }
    }
}

fn v4(bits: u32, length: u8) -> Prefix {
    Prefix::new(Ipv4Addr::from_bits(bits).into(), length).unwrap()
}

#[test]
fn a_lone_node_keeps_no_segment() {
    let rest: Vec<_> = (0..1500).map(|n| v4((0x0b00 + n) << 16 | 1, 32)).collect();
    Hermits {
        list: Hermits::of(rest.clone()),
        rest,
        updates: 1500,
        hermit: |n| v4((0x0b00 + n) << 16 | 2, 32),
        crowd: 100,
        one_of: |n, shape| v4((0x2000 + n) << 16 | u32::from(shape), 32),
    }
    .check();
}

#[test]
fn a_lone_node_of_a_split_16_keeps_no_segment() {
    let rest: Vec<_> = (0..140_000).map(|n| v4(0x6440_0000 + n * 11, 32)).collect();
    Hermits {
        list: Hermits::of(rest.clone()),
        rest,
        updates: 736,
        hermit: |n| v4(0x6440_0001 + ((n % 368) << 12) + n / 368, 32),
        crowd: 300,
        one_of: |n, shape| v4((0x2000 + n) << 16 | u32::from(shape), 32),
    }
    .check();
}

#[test]
fn a_lone_own_leaf_keeps_no_segment() {
    let site = |n: u32| {
        (0..40)
            .map(move |host| v4((n << 23) | (host * 6), 32))
            .chain([v4(n << 23, 24)])
    };
    let rest: Vec<_> = (0..500).flat_map(site).collect();
    Hermits {
        list: Hermits::of(rest.clone()),
        rest,
        updates: 400,
        hermit: |n| v4(n << 23, 25),
        crowd: 100,
        one_of: |n, shape| v4((400 + n) << 23 | 0x61 | u32::from(shape) << 1, 32),
    }
    .check();
}

#[test]
fn a_lone_page_of_lines_keeps_no_segment() {
    fn v6(site: u32, net: u32) -> Prefix {
        let bits = 0x2001_0db8 << 96 | u128::from(site) << 80 | u128::from(net) << 64;
        Prefix::new(Ipv6Addr::from_bits(bits).into(), 64).unwrap()
    }
    let rest: Vec<_> = (0..20_000).map(|n| v6(n, 0)).collect();
    Hermits {
        list: Hermits::of(rest.clone()),
        rest,
        updates: 1000,
        hermit: |n| v6(n * 17, 1),
        crowd: 12,
        one_of: |n, shape| v6(n * 1511 + 5, 2 + u32::from(shape)),
    }
    .check();
}

/// A node of one bucket is written anew when its /16 is covered.
#[test]
fn memory_does_not_creep_when_networks_come_and_go() {
    let v6 = |n: u32| Prefix::new(Ipv6Addr::from_bits(u128::from(n) << 112).into(), 40).unwrap();
    let nets = (0..256).flat_map(|n| [v4(0x0a00_0007 | n << 16, 32), v6(0x2a00 + n)]);
    let nets: Vec<_> = nets.map(|net| ("alpha", net)).collect();
    let listed: Vec<_> = nets
        .iter()
        .map(|(feed, net)| (*feed, Entry::new(*net)))
        .collect();
    let all = v4(0x0a00_0000, 8);
    let mut list = List::compile(&[], Timestamp(0)).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..20 {
        for (removals, additions) in [
            (&[][..], &listed[..]),
            (&[], &[("alpha", Entry::new(all))]),
            (&[("alpha", all)], &[]),
            (&nets, &[]),
        ] {
            let delta = Delta {
                removals,
                additions,
            };
            list = list.update(&delta, Timestamp(0)).unwrap();
        }
        assert!(list.is_empty());
        bytes.push(list.bytes());
    }
    assert_eq!(bytes.first(), bytes.last());
}
