//! The peers that are crates, each at the settings that suit it best.

use std::marker::PhantomData;

use ip_network_table::IpNetworkTable;
use ip_network_table_deps_treebitmap::IpLookupTable;
use ipnet_trie::IpnetTrie;
use iprange::IpRange;
use maxminddb_writer::{Database, metadata::IpVersion, paths::IpAddrWithMask};
use poptrie::Poptrie;
use prefix_trie::PrefixMap;
use range_set_blaze::RangeSetBlaze;
use rangemap::RangeInclusiveSet;
use roaring::RoaringBitmap;
use ts_bart::{RoutingTable, SimpleTable};

use crate::family::Family;
use crate::oracle::ranges;
use crate::structure::{Parsed, Structure};

/// A function that makes a peer, from what it is, how it is built and how it is asked.
macro_rules! peer {
    ($name:ident, $type:ty, |$list:pat_param| $build:expr, |$peer:pat_param, $address:ident| $answer:expr) => {
        pub(crate) fn $name<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
            struct Peer<A: Family>($type, PhantomData<A>);
            impl<A: Family> Structure<A> for Peer<A> {
                #[inline(always)]
                fn contains(&self, $address: A) -> bool {
                    let $peer = &self.0;
                    $answer
                }
            }
            let $list = &list.prefixes;
            Box::new(Peer::<A>($build, PhantomData))
        }
    };
}

peer!(
    prefix_trie_get_lpm,
    PrefixMap<A::Net, ()>,
    |list| prefix_map(list),
    |map, address| map.get_lpm(&address.net(A::WIDTH)).is_some()
);

peer!(
    prefix_trie_is_covered,
    PrefixMap<A::Net, ()>,
    |list| prefix_map(list),
    |map, address| map.is_covered(&address.net(A::WIDTH))
);

fn prefix_map<A: Family>(list: &[(A, u8)]) -> PrefixMap<A::Net, ()> {
    let net = |&(bits, length): &(A, u8)| (bits.net(length), ());
    list.iter().map(net).collect()
}

peer!(
    ts_bart,
    SimpleTable<()>,
    |list| {
        let mut table = SimpleTable::default();
        for (bits, length) in list {
            table.insert(bits.ipnet(*length), ());
        }
        table
    },
    |table, address| table.contains(address.ip())
);

peer!(
    network_table,
    IpNetworkTable<()>,
    |list| {
        let mut table = IpNetworkTable::new();
        for (bits, length) in list {
            bits.add_to_table(*length, &mut table);
        }
        table
    },
    |table, address| address.in_table(table)
);

peer!(
    treebitmap,
    IpLookupTable<A::Address, ()>,
    |list| {
        let mut table = IpLookupTable::with_capacity(list.len());
        for (bits, length) in list {
            table.insert(bits.address(), u32::from(*length), ());
        }
        table
    },
    |table, address| table.longest_match(address.address()).is_some()
);

peer!(
    poptrie,
    Poptrie<(A, u8), ()>,
    |list| list.iter().map(|prefix| (*prefix, ())).collect(),
    |trie, address| trie.lookup(address).is_some()
);

peer!(
    iptrie,
    A::LevelCompressed,
    |list| A::level_compressed(list),
    |set, address| address.in_level_compressed(set)
);

peer!(
    ipnet_trie,
    IpnetTrie<()>,
    |list| {
        let mut trie = IpnetTrie::new();
        for (bits, length) in list {
            trie.insert(bits.ipnet(*length), ());
        }
        trie
    },
    |trie, address| address.in_trie(trie)
);

peer!(
    iprange,
    IpRange<A::Net>,
    |list| {
        let mut range: IpRange<A::Net> = list
            .iter()
            .map(|(bits, length)| bits.net(*length))
            .collect();
        range.simplify();
        range
    },
    |range, address| range.contains(&address.address())
);

peer!(
    maxminddb,
    maxminddb::Reader<Vec<u8>>,
    |list| {
        let mut database = Database::default();
        database.metadata.ip_version = match A::WIDTH {
            32 => IpVersion::V4,
            _ => IpVersion::V6,
        };
        database.metadata.database_type = "listed".into();
        database.metadata.binary_format_major_version = 2;
        let listed = database.insert_value(1_u32).expect("a value");
        for (bits, length) in outermost(list) {
            database.insert_node(IpAddrWithMask::new(bits.ip(), length), listed);
        }
        let bytes = database.write_to(Vec::new()).expect("memory");
        maxminddb::Reader::from_source(bytes).expect("what was just written")
    },
    |reader, address| reader
        .lookup(address.ip())
        .is_ok_and(|found| found.has_data())
);

/// The prefixes that no shorter one covers, ascending: the format wants no other.
fn outermost<A: Family>(list: &[(A, u8)]) -> Vec<(A, u8)> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    let mut end: Option<A> = None;
    sorted.retain(|&(bits, length)| {
        let is_inner = end.is_some_and(|end| bits <= end);
        if !is_inner {
            end = Some(bits.last(length));
        }
        !is_inner
    });
    sorted
}

peer!(
    rangemap,
    RangeInclusiveSet<A>,
    |list| list
        .iter()
        .map(|&(bits, length)| bits..=bits.last(length))
        .collect(),
    |set, address| set.contains(&address)
);

peer!(
    range_set_blaze,
    RangeSetBlaze<A>,
    |list| list
        .iter()
        .map(|&(bits, length)| bits..=bits.last(length))
        .collect(),
    |set, address| set.contains(address)
);

/// Roaring bitmaps hold 32 bits, so there is none for IPv6.
pub(crate) fn roaring(list: &Parsed<u32>) -> Box<dyn Structure<u32>> {
    struct Roaring(RoaringBitmap);
    impl Structure<u32> for Roaring {
        #[inline(always)]
        fn contains(&self, address: u32) -> bool {
            self.0.contains(address)
        }
    }
    let mut bitmap = RoaringBitmap::new();
    for (first, last) in ranges(&list.prefixes) {
        bitmap.insert_range(first..=last);
    }
    bitmap.optimize();
    Box::new(Roaring(bitmap))
}
