//! What the structures need of an address as a number.

use std::fmt::{Debug, LowerHex};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ip_network_table::IpNetworkTable;
use ip_network_table_deps_treebitmap::address::Address;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ipnet_trie::IpnetTrie;
use iprange::ToNetwork;
use threatinsight::{Entry, Feed, Prefix};
use threatinsight_lists as lists;

/// `u32` for IPv4, `u128` for IPv6.
pub trait Family:
    Copy
    + Debug
    + LowerHex
    + Hash
    + Ord
    + Send
    + Sync
    + poptrie::Address
    + rangemap::StepLite
    + range_set_blaze::Integer
    + 'static
{
    /// As people call it.
    const NAME: &'static str;
    /// The length of a host's prefix.
    const WIDTH: u8;
    /// A prefix as most peers take it.
    type Net: Copy + Debug + prefix_trie::Prefix + iprange::IpNet + 'static;
    /// An address as most peers take it.
    type Address: Copy + Debug + Into<IpAddr> + Address + ToNetwork<Self::Net> + 'static;
    /// An `iptrie` set, level-compressed.
    type LevelCompressed: 'static;

    /// The number as an address.
    fn address(self) -> Self::Address;
    /// The number as an address of either family.
    #[inline(always)]
    fn ip(self) -> IpAddr {
        self.address().into()
    }
    /// The number as a prefix.
    fn net(self, length: u8) -> Self::Net;
    /// The number as a prefix of either family.
    fn ipnet(self, length: u8) -> IpNet;
    /// The first address of the prefix that this address is in.
    #[must_use]
    fn first(self, length: u8) -> Self;
    /// The last address of the prefix that this address is in.
    #[must_use]
    fn last(self, length: u8) -> Self;
    /// The next address, if this is not the last one.
    fn next(self) -> Option<Self>;
    /// The addresses of `feed` that are of this family.
    fn prefixes(feed: &Feed) -> Vec<(Self, u8)>;
    /// A generated list.
    fn list(count: usize) -> Vec<(Self, u8)>;
    /// The queries of each workload.
    fn workloads(list: &[(Self, u8)], count: usize) -> Vec<(&'static str, Vec<Self>)>;

    /// Adds to a table.
    fn add_to_table(self, length: u8, table: &mut IpNetworkTable<()>);
    /// Asks a table.
    fn in_table(self, table: &IpNetworkTable<()>) -> bool;
    /// Asks a trie.
    fn in_trie(self, trie: &IpnetTrie<()>) -> bool;
    /// Makes a set.
    fn level_compressed(list: &[(Self, u8)]) -> Self::LevelCompressed;
    /// Asks a set.
    fn in_level_compressed(self, set: &Self::LevelCompressed) -> bool;

    /// The prefix as the core has it.
    fn prefix(self, length: u8) -> Prefix {
        Prefix::new(self.ip(), length).expect("a length of the family")
    }

    /// A feed of `list`, each prefix with what an entry has that states nothing else.
    fn feed(list: &[(Self, u8)]) -> Feed {
        let prefixes = list.iter().map(|&(bits, length)| bits.prefix(length));
        let mut feed = Feed::new("bench");
        feed.extend(prefixes.map(Entry::new));
        feed
    }
}

macro_rules! family {
    ($bits:ty, $name:literal, $variant:ident, $address:ty, $net:ty, $iptrie:ty, $radix:ty,
     $lc:ty, $network:ty,
     $match:ident, $list:ident) => {
        type Net = $net;
        type Address = $address;
        /// Whether the whole address space is listed stands beside the set, whose root always is.
        type LevelCompressed = ($lc, bool);
        const NAME: &'static str = $name;
        const WIDTH: u8 = <$bits>::BITS as u8;

        #[inline(always)]
        fn address(self) -> $address {
            <$address>::from_bits(self)
        }
        #[inline(always)]
        fn net(self, length: u8) -> $net {
            <$net>::new_assert(self.address(), length)
        }
        #[inline(always)]
        fn ipnet(self, length: u8) -> IpNet {
            IpNet::$variant(self.net(length))
        }
        #[inline(always)]
        fn first(self, length: u8) -> Self {
            self & !<$bits>::MAX.checked_shr(length.into()).unwrap_or(0)
        }
        fn last(self, length: u8) -> Self {
            self | <$bits>::MAX.checked_shr(length.into()).unwrap_or(0)
        }
        fn next(self) -> Option<Self> {
            self.checked_add(1)
        }
        fn prefixes(feed: &Feed) -> Vec<(Self, u8)> {
            let of_family = |entry: Entry| match entry.prefix.address() {
                IpAddr::$variant(address) => Some((address.to_bits(), entry.prefix.length())),
                _ => None,
            };
            feed.entries().filter_map(of_family).collect()
        }
        fn list(count: usize) -> Vec<(Self, u8)> {
            lists::$list(count, 1)
        }

        fn add_to_table(self, length: u8, table: &mut IpNetworkTable<()>) {
            let network = <$network>::new(self.address(), length);
            table.insert(network.expect("no host bits"), ());
        }
        #[inline(always)]
        fn in_table(self, table: &IpNetworkTable<()>) -> bool {
            table.$match(self.address()).is_some()
        }
        #[inline(always)]
        fn in_trie(self, trie: &IpnetTrie<()>) -> bool {
            trie.$match(&self.net(Self::WIDTH)).is_some()
        }
        fn level_compressed(list: &[(Self, u8)]) -> Self::LevelCompressed {
            let prefix =
                |&(bits, length): &(Self, u8)| <$iptrie>::new(bits.address(), length).unwrap();
            let set: $radix = list.iter().map(prefix).collect();
            (set.compress(), list.iter().any(|prefix| prefix.1 == 0))
        }
        #[inline(always)]
        fn in_level_compressed(self, (set, everything): &Self::LevelCompressed) -> bool {
            *everything || iptrie::IpPrefix::len(set.lookup(&self.address())) > 0
        }
    };
}

impl Family for u32 {
    family!(
        u32,
        "IPv4",
        V4,
        Ipv4Addr,
        Ipv4Net,
        iptrie::Ipv4Prefix,
        iptrie::Ipv4RTrieSet,
        iptrie::Ipv4LCTrieSet,
        ip_network::Ipv4Network,
        longest_match_ipv4,
        list4
    );

    fn workloads(list: &[(Self, u8)], count: usize) -> Vec<(&'static str, Vec<Self>)> {
        let hits = lists::hits(list, count, 3, lists::within4);
        let clients = lists::uniform4(1_000_000, 4);
        vec![
            ("zipf", lists::zipf(&clients, &hits, count, 5)),
            ("rnd", lists::uniform4(count, 2)),
            ("hit", hits),
        ]
    }
}

impl Family for u128 {
    family!(
        u128,
        "IPv6",
        V6,
        Ipv6Addr,
        Ipv6Net,
        iptrie::Ipv6Prefix,
        iptrie::Ipv6RTrieSet,
        iptrie::Ipv6LCTrieSet,
        ip_network::Ipv6Network,
        longest_match_ipv6,
        list6
    );

    fn workloads(list: &[(Self, u8)], count: usize) -> Vec<(&'static str, Vec<Self>)> {
        let hits = lists::hits(list, count, 3, lists::within6);
        let clients = lists::uniform6(1_000_000, 4);
        vec![
            ("zipf", lists::zipf(&clients, &hits, count, 5)),
            ("near", lists::near6(list, count, 6)),
            ("rnd", lists::uniform6(count, 2)),
            ("hit", hits),
        ]
    }
}
