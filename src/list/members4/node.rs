//! One node: taking it apart, changing it and putting it together.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "hosts and third bytes are below 256, buckets below the number of them, cells of a bucket at most 8"
)]

use std::ops::Range;

use super::{
    Table,
    arena::{self, Arena},
    directory::Touched,
    line::{self, BITMAPS, CELLS, EMPTY, FIELD, Line},
};
use crate::list::blocks::Reference;

/// Most buckets of a node: one for each /24.
const MOST: usize = 256;

/// Lines up to which a /16 has one node in a list of so many prefixes. In a short list it has one however long that is,
/// as far as its bitmaps have numbers, so that hardly any search has to ask; in a long one an update would copy too much.
pub(super) const fn longest(prefixes: usize) -> usize {
    if prefixes <= 1 << 17 { 2 * MOST } else { 24 }
}

/// Lines from which on it is split after all: a plan may take more than reckoned, and changes add to it.
const fn too_long(longest: usize) -> usize {
    longest + longest / 4 + 1
}

/// 256 bits: the hosts of a /24, or the /24s of a /16.
pub(super) type Map = [u64; 4];

/// Sets the bits `range` of a map.
pub(super) fn set(map: &mut Map, range: Range<usize>) {
    for (word, bits) in map.iter_mut().enumerate() {
        let low = range.start.max(word * 64);
        let high = range.end.min(word * 64 + 64);
        if low < high {
            *bits |= (u64::MAX >> (64 - (high - low))) << (low % 64);
        }
    }
}

/// The bits that are set, in order.
pub(super) fn ones(map: Map) -> impl Iterator<Item = u8> {
    map.into_iter().enumerate().flat_map(|(word, bits)| {
        let next = |bits: &u64| Some(bits & (bits - 1)).filter(|rest| *rest != 0);
        std::iter::successors(Some(bits).filter(|bits| *bits != 0), next)
            .map(move |bits| (word * 64) as u8 + bits.trailing_zeros() as u8)
    })
}

/// What is listed of one /24.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Leaf {
    /// Up to [`CELLS`] distinct hosts and subnets; not always the fewest, as a build takes them as they come.
    Few(Few),
    /// Any hosts.
    Many(Map),
}

/// Some hosts and subnets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Few {
    length: u8,
    /// Without a tag.
    cells: [u16; CELLS],
}

impl Few {
    pub(super) fn cells(&self) -> &[u16] {
        self.cells.get(..self.length.into()).unwrap_or_default()
    }

    /// Adds a cell that is not there; whether there was place for it.
    fn push_cell(&mut self, cell: u16) -> bool {
        let place = self.cells.get_mut(usize::from(self.length));
        let has_place = place.map(|place| *place = cell).is_some();
        self.length += u8::from(has_place);
        has_place
    }

    /// Adds the hosts from `first` on, as many as `size`, a power of two; whether there was place for them.
    pub(super) fn push(&mut self, first: u16, size: u16) -> bool {
        if size == 2 {
            return self.push(first, 1) && self.push(first + 1, 1);
        }
        self.push_cell(line::hosts(first, size))
    }

    fn map(&self) -> Map {
        let mut map = [0; 4];
        for &cell in self.cells() {
            let (first, size) = line::range(cell);
            set(&mut map, first.into()..usize::from(first + size));
        }
        map
    }
}

impl Leaf {
    pub(super) const NONE: Self = Self::Few(Few {
        length: 0,
        cells: [0; CELLS],
    });
    /// All hosts.
    pub(super) const WHOLE: Self = {
        let mut cells = [0; CELLS];
        cells[0] = line::hosts(0, 256);
        Self::Few(Few { length: 1, cells })
    };

    pub(super) fn from_map(map: Map) -> Self {
        let mut few = Few::default();
        if subnets(map).all(|(first, size)| few.push(first, size)) {
            Self::Few(few)
        } else {
            Self::Many(map)
        }
    }

    /// This leaf with more prefixes longer than 24 bits in it.
    pub(super) fn joined(self, more: impl Iterator<Item = (u32, u8)>) -> Self {
        let mut map = self.map();
        for (bits, length) in more {
            let host = (bits & 0xff) as usize;
            set(&mut map, host..host + (1 << (32 - length)));
        }
        Self::from_map(map)
    }

    fn map(&self) -> Map {
        match self {
            Self::Few(few) => few.map(),
            Self::Many(map) => *map,
        }
    }

    /// Cells it takes in a bucket.
    fn cells(&self) -> usize {
        match self {
            Self::Many(_) => 1,
            Self::Few(few) => few.length.into(),
        }
    }
}

/// The largest subnets that the hosts of a map make up, in order: the first host of each, and its size.
fn subnets(map: Map) -> impl Iterator<Item = (u16, u16)> {
    let others = map.map(|word| !word);
    let mut end = 0;
    std::iter::from_fn(move || {
        let first = next(&map, end);
        let run = next(&others, first) - first;
        let size = 1 << run.checked_ilog2()?.min(first.trailing_zeros());
        end = first + size;
        Some((first as u16, size as u16))
    })
}

/// The first bit from `from` on that is set, or 256.
fn next(map: &Map, from: usize) -> usize {
    let mut at = from;
    while let Some(word) = map.get(at / 64) {
        let bits = word >> (at % 64);
        if bits != 0 {
            return at + bits.trailing_zeros() as usize;
        }
        at = (at / 64 + 1) * 64;
    }
    256
}

/// What a node may have in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// The touched /24s of a /16.
    Whole(Touched),
    /// The /24s of the /20 with this number in its /16.
    Part(u8),
}

impl Reach {
    /// The bits of `map` that are within reach.
    pub(super) fn within(self, map: Map) -> Map {
        match self {
            Self::Whole(_) => map,
            Self::Part(number) => {
                let mut part = [0; 4];
                let word = usize::from(number / 4);
                part[word] = map[word] & 0xffff << (number % 4 * 16);
                part
            }
        }
    }

    /// The same with one more /24, which a part has anyway.
    fn with(self, net: u8) -> Self {
        match self {
            Self::Whole(mut touched) => {
                touched.insert(net);
                Self::Whole(touched)
            }
            Self::Part(_) => self,
        }
    }

    fn has(self, net: u8) -> bool {
        match self {
            Self::Whole(touched) => touched.has(net),
            Self::Part(number) => net >> 4 == number,
        }
    }

    /// With fewer buckets, a cell would not tell its /24 from the other one with its tag.
    const fn fewest(self) -> usize {
        match self {
            Self::Whole(touched) if !touched.tells_halves() => 2,
            Self::Whole(_) | Self::Part(_) => 1,
        }
    }
}

/// A node that can be changed.
#[derive(Debug)]
pub(super) struct Node {
    reach: Reach,
    buckets: Vec<Line>,
    bitmaps: Vec<[Line; 2]>,
}

impl Node {
    pub(super) fn load(reach: Reach, reference: Reference, arena: &Arena) -> Self {
        let (buckets, bitmaps) = arena.node(reference);
        let mut buckets = buckets.to_vec();
        if buckets.is_empty() {
            buckets.resize(reach.fewest(), EMPTY);
        }
        Self {
            reach,
            buckets,
            bitmaps: bitmaps.as_chunks().0.to_vec(),
        }
    }

    pub(super) fn push(&self, arena: &mut Arena) -> Reference {
        arena.push(&self.buckets, self.bitmaps.as_flattened())
    }

    /// Lines it takes.
    pub(super) fn length(&self) -> usize {
        self.buckets.len() + 2 * self.bitmaps.len()
    }

    /// Whether it had better be put together anew, or nothing is left of it.
    pub(super) fn is_unfit(&self, longest: usize) -> bool {
        let enough = match self.buckets.len() {
            0..=4 => 1,
            buckets => 2 * buckets,
        };
        let mut cells = 0;
        let is_enough = self.buckets.iter().any(|bucket| {
            cells += bucket.count();
            cells >= enough
        });
        !is_enough || matches!(self.reach, Reach::Whole(_)) && self.length() >= too_long(longest)
    }

    fn place(&self, net: u8) -> (usize, u16) {
        let hash = line::hash(net);
        (line::bucket(hash, self.buckets.len()), line::tag(hash))
    }

    /// What is listed of a /24.
    pub(super) fn get(&self, net: u8) -> Leaf {
        if !self.reach.has(net) {
            return Leaf::NONE;
        }
        let (bucket, tag) = self.place(net);
        let cells = self.buckets[bucket].cells();
        let mut few = Few::default();
        for cell in cells.filter(|cell| same_net(*cell, tag)) {
            if let Some(lines) = line::bitmap(cell).and_then(|at| self.bitmaps.get(at)) {
                return Leaf::Many(from_lines(lines));
            }
            few.push_cell(cell & FIELD);
        }
        Leaf::Few(few)
    }

    /// Whether anything of a /24 is listed.
    pub(super) fn has(&self, net: u8) -> bool {
        self.reach.has(net) && has_net(&self.buckets, self.buckets.len(), net)
    }

    /// Changes what is listed of a /24; whether there was place for it, as there always is for nothing. If not, nothing
    /// is changed.
    pub(super) fn set(&mut self, net: u8, leaf: &Leaf) -> bool {
        if *leaf == Leaf::NONE && !self.reach.has(net) {
            return true;
        }
        let reach = self.reach.with(net);
        if self.buckets.len() < reach.fewest() {
            return false;
        }
        let (bucket, tag) = self.place(net);
        let mut cells = Cells::default();
        let mut unused = None;
        for cell in self.buckets[bucket].cells() {
            if !same_net(cell, tag) {
                cells.push(cell);
            } else {
                unused = unused.or(line::bitmap(cell));
            }
        }
        let needs_bitmap = matches!(leaf, Leaf::Many(_)) && unused.is_none();
        let is_too_many = needs_bitmap && self.bitmaps.len() >= BITMAPS;
        if cells.length + leaf.cells() > CELLS || is_too_many {
            return false;
        }
        match leaf {
            Leaf::Few(few) => few.cells().iter().for_each(|cell| cells.push(tag | cell)),
            Leaf::Many(map) => {
                let at = unused.take().unwrap_or(self.bitmaps.len());
                cells.push(tag | line::marker(at));
                match self.bitmaps.get_mut(at) {
                    Some(place) => *place = to_lines(map),
                    None => self.bitmaps.push(to_lines(map)),
                }
            }
        }
        self.reach = reach;
        self.buckets[bucket] = cells.line();
        if let Some(at) = unused {
            self.drop_bitmap(at);
        }
        true
    }

    /// Drops a bitmap; the last one takes its place.
    fn drop_bitmap(&mut self, at: usize) {
        self.bitmaps.swap_remove(at);
        let last = self.bitmaps.len();
        let cells = self.buckets.iter_mut().flat_map(|bucket| &mut bucket.0);
        for cell in cells.filter(|cell| line::bitmap(**cell) == Some(last)) {
            *cell = *cell & !FIELD | line::marker(at);
        }
    }

    /// Everything listed, by the third byte of the address.
    pub(super) fn leaves(&self) -> Vec<(u8, Leaf)> {
        let mut nets = [0; 4];
        for (at, bucket) in self.buckets.iter().enumerate() {
            for net in bucket.cells().map(|cell| usize::from(self.net(at, cell))) {
                set(&mut nets, net..net + 1);
            }
        }
        ones(nets).map(|net| (net, self.get(net))).collect()
    }

    /// The third byte of the address of a cell in bucket `at`.
    fn net(&self, at: usize, cell: u16) -> u8 {
        let hash = (cell >> 9) as u8;
        let is_here = |hash: u8| {
            self.reach.has(line::net(hash)) && line::bucket(hash, self.buckets.len()) == at
        };
        line::net(if is_here(hash) { hash } else { hash | 0x80 })
    }

    /// The node for `leaves` that costs least, if there is one.
    pub(super) fn plan(reach: Reach, leaves: &[(u8, Leaf)]) -> Option<Self> {
        let cells: usize = leaves.iter().map(|(_, leaf)| leaf.cells()).sum();
        let mut best: Option<Plan> = None;
        let fewest = reach.fewest().max(cells.div_ceil(CELLS));
        for buckets in arena::sizes().skip_while(|size| *size < fewest) {
            if best.as_ref().is_some_and(|best| best.cost <= buckets) {
                break;
            }
            let Some(plan) = Plan::new(leaves, buckets) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| plan.cost < best.cost) {
                best = Some(plan);
            }
        }
        let plan = best?;
        let mut node = Self {
            reach,
            buckets: vec![EMPTY; plan.buckets],
            bitmaps: Vec::new(),
        };
        let mut buckets = vec![Cells::default(); plan.buckets];
        for (net, leaf) in leaves {
            let (bucket, tag) = node.place(*net);
            let cells = &mut buckets[bucket];
            match leaf {
                Leaf::Few(few) if !is_set(&plan.crowded, *net) => {
                    few.cells().iter().for_each(|cell| cells.push(tag | cell));
                }
                Leaf::Few(_) | Leaf::Many(_) => {
                    cells.push(tag | line::marker(node.bitmaps.len()));
                    node.bitmaps.push(to_lines(&leaf.map()));
                }
            }
        }
        for (bucket, cells) in node.buckets.iter_mut().zip(&buckets) {
            *bucket = cells.line();
        }
        Some(node)
    }
}

/// Where the nodes of a /16 are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Placed {
    Node(Reference),
    Split(Table),
}

/// Puts `leaves`, those of one /16 by the third byte of the address, into one node or one for each /20. They are
/// looked for where `touched` does not rule them out. One node has at most `longest` lines, give or take some.
pub(super) fn place(
    touched: Touched,
    leaves: &[(u8, Leaf)],
    longest: usize,
    arena: &mut Arena,
) -> Placed {
    if leaves.is_empty() {
        return Placed::Node(0);
    }
    let cells: usize = leaves.iter().map(|(_, leaf)| leaf.cells()).sum();
    let many = leaves
        .iter()
        .filter(|(_, leaf)| matches!(leaf, Leaf::Many(_)));
    // Buckets are three quarters full on average.
    if cells.div_ceil(CELLS * 3 / 4) + 2 * many.count() <= longest
        && let Some(node) = Node::plan(Reach::Whole(touched), leaves)
        && node.length() < too_long(longest)
    {
        return Placed::Node(node.push(arena));
    }
    let mut table = [0; 16];
    for part in leaves.chunk_by(|a, b| a.0 >> 4 == b.0 >> 4) {
        let number = part[0].0 >> 4;
        // The hash spreads the 16 over the buckets, so there is a plan; a test below tries all.
        table[usize::from(number)] = push(Reach::Part(number), part, arena).unwrap_or(0);
    }
    Placed::Split(table)
}

/// Puts `leaves` into one node, if they fit.
pub(super) fn push(reach: Reach, leaves: &[(u8, Leaf)], arena: &mut Arena) -> Option<Reference> {
    if leaves.is_empty() {
        return Some(0);
    }
    Node::plan(reach, leaves).map(|node| node.push(arena))
}

/// How leaves fit into so many buckets.
struct Plan {
    buckets: usize,
    /// Leaves with few hosts that get a bitmap, because their bucket would be too full.
    crowded: Map,
    /// In lines, as many as there are buckets and bitmaps of those leaves, which count twice: a search for a host in a
    /// bitmap takes longer.
    cost: usize,
}

impl Plan {
    fn new(leaves: &[(u8, Leaf)], buckets: usize) -> Option<Self> {
        let bucket = |net: u8| line::bucket(line::hash(net), buckets);
        // There is place for all cells in so many buckets, so one has at most 248 where they are less than 32, and else
        // at most those of eight leaves.
        let mut loads = [0_u8; MOST];
        let mut bitmaps = 0;
        for (net, leaf) in leaves {
            loads[bucket(*net)] += leaf.cells() as u8;
            bitmaps += usize::from(matches!(leaf, Leaf::Many(_)));
        }
        let mut crowded = [0; 4];
        let mut cost = buckets;
        for (at, load) in loads.iter_mut().enumerate().take(buckets) {
            while usize::from(*load) > CELLS {
                let inside = leaves
                    .iter()
                    .filter(|(net, _)| bucket(*net) == at && !is_set(&crowded, *net));
                let (net, leaf) = inside.max_by_key(|(_, leaf)| leaf.cells())?;
                if leaf.cells() < 2 {
                    return None;
                }
                set(&mut crowded, usize::from(*net)..usize::from(*net) + 1);
                *load -= leaf.cells() as u8 - 1;
                bitmaps += 1;
                cost += 4;
            }
        }
        (bitmaps <= BITMAPS).then_some(Self {
            buckets,
            crowded,
            cost,
        })
    }
}

pub(super) fn is_set(map: &Map, at: u8) -> bool {
    map[usize::from(at) / 64] >> (at % 64) & 1 != 0
}

/// Whether the node that `lines` start with has anything listed of a /24.
pub(super) fn has_net(lines: &[Line], buckets: usize, net: u8) -> bool {
    let hash = line::hash(net);
    let bucket = lines.get(line::bucket(hash, buckets));
    bucket.is_some_and(|bucket| bucket.cells().any(|cell| same_net(cell, line::tag(hash))))
}

fn same_net(cell: u16, tag: u16) -> bool {
    cell & !FIELD == tag
}

/// The distinct cells of a bucket in the making.
#[derive(Clone, Copy, Default)]
struct Cells {
    cells: [u16; CELLS],
    length: usize,
}

impl Cells {
    fn push(&mut self, cell: u16) {
        self.cells[self.length] = cell;
        self.length += 1;
    }

    fn line(&self) -> Line {
        if self.length == 0 {
            return EMPTY;
        }
        let mut cells = self.cells;
        let first = cells[0];
        cells[self.length..].fill(first);
        Line(cells)
    }
}

fn to_lines(map: &Map) -> [Line; 2] {
    let mut lines = [EMPTY; 2];
    for (at, cell) in lines.iter_mut().flat_map(|line| &mut line.0).enumerate() {
        *cell = (map[at / 4] >> (at % 4 * 16)) as u16;
    }
    lines
}

fn from_lines(lines: &[Line; 2]) -> Map {
    let mut map = [0; 4];
    for (at, cell) in lines.iter().flat_map(|line| line.0).enumerate() {
        map[at / 4] |= u64::from(cell) << (at % 4 * 16);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The leaf number `kind` of /24 `net`.
    fn leaf(net: u8, kind: u8) -> Leaf {
        let from = usize::from(net.wrapping_mul(37) % 100);
        let mut map = [0; 4];
        match kind % 6 {
            0 => {}
            1 => set(&mut map, from..from + 1),
            2 => set(&mut map, from..from + 23),
            3 => (0..CELLS).for_each(|at| set(&mut map, from + 3 * at..from + 3 * at + 1)),
            4 => (0..=CELLS).for_each(|at| set(&mut map, from + 3 * at..from + 3 * at + 1)),
            _ => set(&mut map, 0..256),
        }
        Leaf::from_map(map)
    }

    fn hosts(leaves: &[(u8, Leaf)]) -> Vec<(u8, Map)> {
        leaves
            .iter()
            .map(|(net, leaf)| (*net, leaf.map()))
            .collect()
    }

    #[test]
    fn few_are_the_fewest_subnets() {
        let few = |ranges: &[(usize, usize)]| {
            let mut map = [0; 4];
            ranges
                .iter()
                .for_each(|(first, end)| set(&mut map, *first..*end));
            assert_eq!(Leaf::from_map(map).map(), map);
            match Leaf::from_map(map) {
                Leaf::Few(few) => Some(few.cells().iter().map(|cell| line::range(*cell)).collect()),
                Leaf::Many(_) => None,
            }
        };
        assert_eq!(few(&[]), Some(vec![]));
        assert_eq!(few(&[(0, 256)]), Some(vec![(0, 256)]));
        assert_eq!(Leaf::from_map([u64::MAX; 4]), Leaf::WHOLE);
        assert_eq!(
            few(&[(1, 9)]),
            Some(vec![(1, 1), (2, 1), (3, 1), (4, 4), (8, 1)])
        );
        assert_eq!(few(&[(64, 200)]), Some(vec![(64, 64), (128, 64), (192, 8)]));
        assert_eq!(
            few(&[(0, 2), (255, 256)]),
            Some(vec![(0, 1), (1, 1), (255, 1)])
        );
        assert_eq!(few(&[(1, 255)]), None);
    }

    #[test]
    fn any_sixteen_neighbours_have_a_node() {
        for number in 0..16 {
            for kind in 1..6 {
                let nets = number * 16..=number * 16 + 15;
                let leaves: Vec<_> = nets.map(|net| (net, leaf(net, kind))).collect();
                let node = Node::plan(Reach::Part(number), &leaves).expect("a plan");
                assert_eq!(hosts(&node.leaves()), hosts(&leaves), "{number} {kind}");
            }
        }
    }

    #[test]
    fn a_changed_node_has_what_was_set_last() {
        type ReachOf = fn(&[(u8, Leaf)]) -> Reach;
        let touched: ReachOf = |leaves| Reach::Whole(leaves.iter().map(|(net, _)| *net).collect());
        let cases: [(ReachOf, Vec<u8>); 3] = [
            (|_| Reach::Whole(Touched::ALL), (0..=255).collect()),
            (|_| Reach::Part(11), (176..=191).collect()),
            // In one bucket the second and the third of these would be taken for the first and the fourth.
            (touched, vec![3, 131, 68, 196, 12]),
        ];
        for (reach, nets) in cases {
            let mut model: BTreeMap<u8, Leaf> = BTreeMap::new();
            let mut node = Node::load(reach(&[]), 0, &Arena::empty());
            let mut refused = 0;
            for step in 0..5000_usize {
                let net = nets[step * step / 3 % nets.len()];
                let leaf = leaf(net, (step / 7 % 6) as u8);
                if node.set(net, &leaf) {
                    model.remove(&net);
                    if leaf != Leaf::NONE {
                        model.insert(net, leaf);
                    }
                } else {
                    refused += 1;
                }
                let leaves: Vec<_> = model.iter().map(|(net, leaf)| (*net, *leaf)).collect();
                assert_eq!(hosts(&node.leaves()), hosts(&leaves), "step {step}");
                let listed = model.get(&net).copied().unwrap_or(Leaf::NONE);
                assert_eq!(node.get(net).map(), listed.map(), "step {step}");
                assert!(
                    nets.iter()
                        .all(|net| node.has(*net) == model.contains_key(net))
                );
                if step % 100 == 99 {
                    node = Node::plan(reach(&leaves), &leaves).unwrap_or(node);
                }
            }
            assert!(refused > 0, "the node was never full");
        }
    }
}
