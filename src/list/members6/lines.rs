//! The hash table of lines: looking, filing, and refiling what is crowded.
#![expect(
    clippy::cast_possible_truncation,
    reason = "fields of a word are cut to their width, a `u128` is taken apart; levels are below 32"
)]

use super::{
    Lengths,
    line::{Item, Levels, Line, level},
};
use crate::bits::Bits;
use crate::list::blocks::Blocks;

/// Lines that are copied together when one changes.
pub(super) const PAGE: usize = 8;
/// Cells of one network in the lines of one level from which it is filed by more bits.
const CROWDED: usize = 12;
/// Prefixes that are not worth the two cells of a marker.
const FEW: usize = 4;

/// Lines, in pages that versions share.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) pages: Blocks<Line>,
    /// Of which lengths prefixes are kept.
    pub(super) lengths: Lengths,
    pub(super) shape: Shape,
    pub(super) tally: Tally,
    /// Cells in use from which on an update builds a new table.
    pub(super) most: usize,
}

/// What is counted as lines are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Cells in use.
    pub(super) cells: usize,
    /// The longest chain of lines that was followed to file something.
    pub(super) longest: usize,
    /// Passers by that left and were not taken back, because their line had stopped counting.
    pub(super) lost: usize,
}

impl Lines {
    /// Whether a prefix filed by the first `filed` bits of `address`, or by more if there are markers, covers it.
    #[inline(always)]
    pub(super) fn contain(&self, address: u128, filed: u8) -> bool {
        let Some(line) = self.first(address, filed) else {
            return false;
        };
        line.covers(address) || !line.is_all() && self.search(address, filed, line)
    }

    /// The line where such a prefix is likely to be.
    #[inline]
    pub(super) fn first(&self, address: u128, filed: u8) -> Option<&Line> {
        self.line(home(address, filed, self.shape))
    }

    /// The same as [`contain`](Self::contain), after the first `line`, of which it is known that it does not cover
    /// `address`, and that it is not all.
    #[inline(never)]
    pub(super) fn search<'a>(&'a self, address: u128, mut filed: u8, mut line: &'a Line) -> bool {
        let mut start = home(address, filed, self.shape);
        let mut at = start;
        let mut levels = 0;
        loop {
            levels |= line.levels(address, filed);
            at = if at + 1 < self.shape.count as usize {
                at + 1
            } else {
                0
            };
            if !line.was_passed() || at == start {
                if levels == 0 {
                    return false;
                }
                filed = levels.trailing_zeros() as u8 * 4;
                levels &= levels - 1;
                start = home(address, filed, self.shape);
                at = start;
            }
            let Some(next) = self.line(at) else {
                return false;
            };
            if next.covers(address) {
                return true;
            }
            line = next;
        }
    }

    #[inline]
    fn line(&self, at: usize) -> Option<&Line> {
        let reference = *self.pages.directory.get(at / PAGE)?;
        let (lines, start) = self.pages.place(reference);
        lines.get(start + at % PAGE)
    }

    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        self.pages.bytes()
    }
}

/// How addresses are spread over lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Lines there are.
    pub(super) count: u64,
    /// Odd. Another one spreads them otherwise.
    pub(super) factor: u64,
}

impl Shape {
    /// The usual factor: 2^64 divided by the golden ratio, which spreads neighbours.
    pub(super) const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
}

/// The line that everything agreeing with `bits` in the first `filed` bits starts in.
#[inline]
fn home(bits: u128, filed: u8, Shape { count, factor }: Shape) -> usize {
    const OTHER: u64 = 0xd6e8_feb8_6659_fd93;
    let high = (bits >> 64) as u64;
    let key = if filed <= 64 {
        high >> (64 - filed)
    } else {
        // Which halves have a key in common depends on the factor too.
        high.wrapping_mul(factor).rotate_left(23)
            ^ (bits as u64 >> (128 - filed)).wrapping_mul(OTHER)
    };
    let hash = (key ^ u64::from(filed) << 57).wrapping_mul(factor);
    let hash = (hash ^ hash >> 32).wrapping_mul(OTHER);
    ((u128::from(hash) * u128::from(count)) >> 64) as usize
}

/// The lines in which something filed by the first `filed` bits of `bits` may be, nearest first.
#[inline]
fn chain(bits: u128, filed: u8, shape: Shape) -> impl Iterator<Item = usize> {
    let home = home(bits, filed, shape);
    (home..shape.count as usize).chain(0..home)
}

/// Lines being written: a whole new table, or the changed pages of one.
pub(super) trait Writable {
    fn shape(&self) -> Shape;
    fn line(&self, at: usize) -> Line;
    fn line_mut(&mut self, at: usize) -> &mut Line;
    fn tally(&mut self) -> &mut Tally;

    /// Files a prefix that is not there yet.
    fn insert(&mut self, bits: u128, length: u8) {
        for bits_there in places(bits, length).skip(1) {
            self.push(Item::Prefix { bits, length }, bits_there, 40);
        }
        let mut filed = first_level(length);
        let mut seen = 0;
        loop {
            let group = self.group(bits, filed);
            seen |= group.levels;
            if let Some(by) = group.levels_up_to(length) {
                filed = by;
            } else if group.cells < CROWDED || !self.refile(bits, filed, seen & !up_to(filed)) {
                break;
            }
        }
        self.push(Item::Prefix { bits, length }, bits, filed);
    }

    /// Takes a prefix out; it is there.
    fn remove(&mut self, bits: u128, length: u8) {
        for bits_there in places(bits, length).skip(1) {
            self.take(Item::Prefix { bits, length }, bits_there, 40);
        }
        let mut filed = first_level(length);
        while let Some(by) = self.group(bits, filed).levels_up_to(length) {
            filed = by;
        }
        self.take(Item::Prefix { bits, length }, bits, filed);
    }

    fn push(&mut self, item: Item, bits: u128, filed: u8) {
        for (followed, at) in chain(bits, filed, self.shape()).enumerate() {
            let line = self.line_mut(at);
            if line.push(item) {
                let longest = &mut self.tally().longest;
                *longest = followed.max(*longest);
                break;
            }
            line.pass();
        }
        self.tally().cells += item.cells();
    }

    fn take(&mut self, item: Item, bits: u128, filed: u8) {
        let mut passed = 0;
        for at in chain(bits, filed, self.shape()) {
            let line = self.line(at);
            if line.items().any(|other| other == item) {
                self.line_mut(at).remove(item);
                break;
            }
            if !line.was_passed() {
                return;
            }
            passed += 1;
        }
        for at in chain(bits, filed, self.shape()).take(passed) {
            let is_counted = self.line_mut(at).unpass();
            self.tally().lost += usize::from(!is_counted);
        }
        self.tally().cells -= item.cells();
    }

    /// Everything in the lines that the first `filed` bits of `bits` lead to.
    fn each_item(&self, bits: u128, filed: u8, mut visit: impl FnMut(Item)) {
        for at in chain(bits, filed, self.shape()) {
            let line = self.line(at);
            line.items().for_each(&mut visit);
            if !line.was_passed() {
                return;
            }
        }
    }

    /// What is filed under the first `filed` bits of `bits`.
    fn group(&self, bits: u128, filed: u8) -> Group {
        let mut group = Group {
            cells: 0,
            levels: 0,
        };
        let network = bits.masked(filed);
        self.each_item(bits, filed, |item| match item {
            Item::Prefix {
                bits: other,
                length,
            } => {
                if length >= filed && other.masked(filed) == network {
                    group.cells += item.cells();
                }
            }
            Item::Marker {
                bits: other,
                filed: of,
                by,
            } => {
                if of == filed && other == network {
                    group.levels |= level(by);
                }
            }
        });
        group
    }

    /// From now on files what is under the first `filed` bits of `bits`, and long enough, by more bits than that;
    /// `false` if nothing is. Whatever is long enough for one of `levels` is filed by it already, or by one yet longer:
    /// those that markers name on the way here, at shorter levels too.
    fn refile(&mut self, bits: u128, filed: u8, levels: Levels) -> bool {
        let next = filed + if filed >= 120 { 4 } else { 8 };
        let lowest = if levels == 0 {
            u8::MAX
        } else {
            levels.trailing_zeros() as u8 * 4
        };
        if filed < 48 || next > 124 {
            return false;
        }
        let network = bits.masked(filed);
        let mut long = Vec::new();
        self.each_item(bits, filed, |item| match item {
            Item::Prefix { bits, length }
                if (next..lowest).contains(&length) && bits.masked(filed) == network =>
            {
                long.push((bits, length));
            }
            Item::Prefix { .. } | Item::Marker { .. } => {}
        });
        if long.len() < FEW {
            return false;
        }
        let Some(&(first, _)) = long.first() else {
            return false;
        };
        // Hosts of one subnet often share most of the next bits too.
        let shared = long
            .iter()
            .map(|(bits, length)| bits.shared(first).min(*length))
            .min()
            .unwrap_or(0);
        let by = next.max(shared.min(124) / 4 * 4);
        long.retain(|(_, length)| *length >= by);
        for &(bits, length) in &long {
            self.take(Item::Prefix { bits, length }, network, filed);
        }
        self.push(
            Item::Marker {
                bits: network,
                filed,
                by,
            },
            network,
            filed,
        );
        for (bits, length) in long {
            self.insert(bits, length);
        }
        true
    }
}

/// The level at which the search for a prefix of `length` bits starts.
pub(super) fn first_level(length: u8) -> u8 {
    if length < 48 { 40 } else { 48 }
}

/// The networks whose lines a prefix is filed in: itself, or its /40s if it is shorter than that.
pub(super) fn places(bits: u128, length: u8) -> impl Iterator<Item = u128> {
    let last = (1 << 40_u8.saturating_sub(length)) - 1;
    (0..=last).map(move |place: u128| bits | place << 88)
}

/// What is filed under some network at one level.
#[derive(Debug)]
pub(super) struct Group {
    cells: usize,
    levels: Levels,
}

impl Group {
    /// The longest level, of those there are markers for, that a prefix of `length` is filed by.
    fn levels_up_to(&self, length: u8) -> Option<u8> {
        let fitting = self.levels & up_to(length);
        (fitting != 0).then(|| (fitting.ilog2() * 4) as u8)
    }
}

/// All levels of at most `length` bits.
fn up_to(length: u8) -> Levels {
    Levels::MAX >> (31 - (length / 4).min(31))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::list::members6::LONG;

    /// So many /48s that the first factor lets start in line `at` of `count`.
    pub(in super::super) fn pile(count: u64, at: usize, length: usize) -> Vec<(u128, u8)> {
        let factor = Shape::FACTOR;
        let sites = (0..).map(|site: u128| 0x2001 << 112 | site << 80);
        let here = sites.filter(|site| home(*site, 48, Shape { count, factor }) == at);
        here.take(length).map(|site| (site, 48)).collect()
    }

    /// How many lines are such.
    pub(in super::super) fn count(lines: &Lines, is_such: fn(&Line) -> bool) -> usize {
        let all = (0..lines.shape.count as usize).filter_map(|at| lines.line(at));
        all.filter(|line| is_such(line)).count()
    }

    #[test]
    fn another_factor_spreads_what_one_piles_up() {
        const LENGTH: usize = 2000;
        let count_of = Lines::build(&pile(700, 40, LENGTH), LONG).shape.count;
        let pile = pile(count_of, 40, LENGTH);
        let lines = Lines::build(&pile, LONG);
        assert_eq!(lines.shape.count, count_of);
        assert_ne!(lines.shape.factor, Shape::FACTOR);
        let passed = count(&lines, Line::was_passed);
        assert!(passed < 100, "{passed} of {count_of}");
        assert!(pile.iter().all(|(bits, _)| lines.contain(*bits, 48)));
        assert!(!lines.contain(pile[0].0 ^ 1 << 112, 48));
    }

    #[test]
    fn another_factor_parts_hosts_that_share_a_key() {
        // 1 / FACTOR: the number of right bits doubles with each step.
        let inverse = (0..6).fold(1_u64, |x, _| {
            x.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(Shape::FACTOR)))
        });
        let host = |number: u64| {
            let key = number.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_right(23);
            u128::from(key.wrapping_mul(inverse)) << 64 | u128::from(number) << 32
        };
        let homes = |factor| {
            let shape = Shape {
                count: 1 << 20,
                factor,
            };
            let homes = (0..100).map(|number| home(host(number), 96, shape));
            homes.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(homes(Shape::FACTOR), 1);
        assert_eq!(homes(Shape::FACTOR ^ 2), 100);
    }

    /// Sites of a /64 to a /48, some of them crowded with hosts: lines that are full, passed and marked.
    fn prefixes() -> Vec<(u128, u8)> {
        let site = |site: u128| 0x2001_0db8 << 96 | site << 80;
        let hosts = (0..40).flat_map(|at| (0..at * 2).map(move |host| (site(at) | host << 3, 125)));
        let nets = (0..400).flat_map(|at| (0..at % 9).map(move |net| (site(at) | net << 66, 64)));
        let mut prefixes: Vec<_> = hosts.chain(nets).collect();
        prefixes.sort_unstable();
        prefixes
    }

    #[test]
    fn what_passed_full_lines_is_found() {
        let prefixes = prefixes();
        let lines = Lines::build(&prefixes, LONG);
        let passed = count(&lines, Line::was_passed);
        let marked = count(&lines, |line| !line.was_passed() && !line.is_all());
        assert!(passed > 20 && marked > 5, "{passed} {marked}");
        for &(bits, length) in &prefixes {
            assert!(lines.contain(bits, 48), "{bits:x}/{length}");
            assert!(lines.contain(bits | 7, 48), "{bits:x}/{length}");
            let (beside, above) = (bits ^ 1 << 65, bits ^ 1 << 84);
            for address in [beside, above, bits ^ 1 << 40] {
                let covers = |&(bits, length): &(u128, u8)| address.masked(length) == bits;
                assert_eq!(
                    lines.contain(address, 48),
                    prefixes.iter().any(covers),
                    "{address:x}"
                );
            }
        }
    }
}
