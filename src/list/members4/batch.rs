//! Many addresses at once, step by step: the node of each, its bucket, what that holds. So the buckets of many are on
//! their way from memory together, and much of a step is one instruction for several addresses.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "numbers of lines have 26 bits; lanes are below how many there are, a remainder below its divisor"
)]

use super::{
    Home, Members4, arena,
    line::{EMPTY, FIELD, Line},
};
use crate::list::lanes::{BATCH, Lanes};

/// For fewer addresses than this the steps cost more than they save.
const FEW_LANES: usize = BATCH / 4;

impl Members4 {
    /// Says in `listed` which addresses of `lanes` are listed.
    pub(crate) fn search_each(&self, lanes: &Lanes<u32>, listed: &mut [bool]) {
        let (addresses, ..) = lanes.kept();
        if addresses.len() < FEW_LANES {
            (0..addresses.len()).for_each(|lane| self.search_lane(lanes, lane, listed));
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if super::avx2::search_each(self, lanes, listed) {
            return;
        }
        self.search_together(lanes, listed, lists);
    }

    /// The same, where `lists` says what [`lists`] says.
    #[inline(always)]
    pub(super) fn search_together(
        &self,
        lanes: &Lanes<u32>,
        listed: &mut [bool],
        lists: impl Fn(&Line, u16) -> bool,
    ) {
        let (addresses, references, places) = lanes.kept();
        let asked = addresses.iter().zip(references);
        // In turn the place in a table, the node there, and that with its bucket for its first line.
        let mut numbers = [0; BATCH];
        let (numbers, _) = numbers.split_at_mut(addresses.len());
        if self.tables.len() > 1 {
            for (number, (address, &reference)) in numbers.iter_mut().zip(asked.clone()) {
                let place = arena::table(reference) as u32 * 16 + (address >> 12 & 15);
                *number = if arena::is_split(reference) { place } else { 0 };
            }
            let nodes = self.tables.as_flattened();
            for number in numbers.iter_mut() {
                *number = nodes.get(*number as usize).copied().unwrap_or(0);
            }
        }
        let mut cells = [0; BATCH];
        let homes = numbers.iter_mut().zip(&mut cells);
        for ((number, cell), (&address, &reference)) in homes.zip(asked) {
            let is_split = arena::is_split(reference);
            let node = if is_split { *number } else { reference };
            let home = Home::new(address, node);
            *cell = home.cell();
            *number = node + home.bucket as u32;
        }
        // Copied, so that all are on their way before the first is looked into.
        let mut buckets = [EMPTY; BATCH];
        for (bucket, &number) in buckets.iter_mut().zip(&*numbers) {
            let (lines, at) = self.arena.place(number);
            if let Some(line) = lines.get(at) {
                *bucket = *line;
            }
        }
        // What its bucket does not list may be in a bitmap, or in a covered /16.
        let mut left = [0_u8; BATCH];
        let mut count = 0;
        let buckets = buckets.iter().zip(&cells);
        for ((bucket, &cell), (&place, lane)) in buckets.zip(places.iter().zip(0..)) {
            let is_listed = lists(bucket, cell);
            if let Some(answer) = listed.get_mut(usize::from(place)) {
                *answer = is_listed;
            }
            left[count % BATCH] = lane;
            count += usize::from(!is_listed);
        }
        for &lane in left.iter().take(count) {
            self.search_lane(lanes, lane.into(), listed);
        }
    }

    /// The same for one lane alone.
    fn search_lane(&self, lanes: &Lanes<u32>, lane: usize, listed: &mut [bool]) {
        let (addresses, references, places) = lanes.kept();
        if let Some(answer) = listed.get_mut(usize::from(places[lane])) {
            *answer = self.search(addresses[lane], references[lane]);
        }
    }
}

/// Whether a bucket lists a host, for which this would be the cell, and not by a bitmap.
#[inline(always)]
fn lists(bucket: &Line, cell: u16) -> bool {
    bucket.lists(cell) & !bucket.names_bitmap(cell & !FIELD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Entry,
        bits::Bits,
        list::{sort::Sort, table::Family},
        prefix::PrefixBits,
        row::Row,
    };

    const NET: u32 = 0xc612_0000;

    fn address(number: u32) -> u32 {
        NET | number.wrapping_mul(0x9e37_79b9) >> 13 & 0x0003_ffff
    }

    /// Hosts, subnets, crowded and whole /24s, a /16 with a node for each /20, and a covered one.
    fn members() -> Members4 {
        let hosts = (0..900).map(|number| (address(number), 32));
        // More of its /24s are crowded than a node has numbers for bitmaps.
        let crowd = (0..5000).map(|number| (NET | address(number) & 0xffff, 32));
        let nets = (0..200).map(|number| {
            let length = 24 + number as u8 % 8;
            (address(3 * number) & u32::MAX << (32 - length), length)
        });
        let prefixes = hosts.chain(crowd).chain(nets).chain([(NET | 0x3_0000, 16)]);
        let row = |(bits, length)| {
            let prefix = PrefixBits { bits, length };
            Row::new(prefix, &Entry::new(u32::prefix(prefix)))
        };
        let rows: Vec<Row<u32>> = prefixes.map(row).collect();
        Members4::build(&u32::sorted(&[&rows]))
    }

    #[test]
    fn many_are_listed_as_one_by_one_with_and_without_avx2() {
        let members = members();
        assert!(members.tables.len() > 1);
        let (mut count, mut steps) = (0, 0);
        for first in (0..40_000).step_by(BATCH) {
            let mut lanes = Lanes::new();
            let asked: Vec<u32> = (first..first + 61).map(address).collect();
            for (&address, place) in asked.iter().zip(0..) {
                let (reference, is_worth_it) = u32::look(&members, address);
                lanes.push(address, reference, place, is_worth_it);
            }
            steps += usize::from(lanes.kept().0.len() >= FEW_LANES);
            let (mut portable, mut detected) = ([false; 62], [false; 62]);
            members.search_together(&lanes, &mut portable, lists);
            members.search_each(&lanes, &mut detected);
            for (at, &address) in asked.iter().enumerate() {
                let (reference, is_worth_it) = members.look(address);
                let is_listed = is_worth_it && members.search(address, reference);
                assert_eq!(portable[at], is_listed, "{address:x}");
                assert_eq!(detected[at], is_listed, "{address:x}");
                count += usize::from(is_listed);
            }
            assert!(!portable[61] && !detected[61], "there is no address for it");
        }
        assert!((5000..25_000).contains(&count), "{count} are listed");
        assert!(steps > 500, "{steps} times not one by one");
    }
}
