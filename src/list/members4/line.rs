//! Sixteen bytes: a bucket of eight cells, or half a bitmap.

/// Eight cells of a bucket.
///
/// INVARIANT of a bucket: its distinct cells come first, and the first of them again in the rest; one without any is
/// [`EMPTY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct Line(pub(super) [u16; CELLS]);

const _: () = assert!(size_of::<Line>() == 16);

/// Cells of a bucket.
pub(super) const CELLS: usize = 8;

/// A cell without its tag: the hosts it lists, as [`hosts`] says, or the number of a bitmap.
pub(super) const FIELD: u16 = 0x1ff;
/// What the last two bits of a cell that names a bitmap are.
const NAMES: u16 = 0b01;
const KIND: u16 = 0b11;
/// A bucket without cells, with a number that no bitmap has.
pub(super) const EMPTY: Line = Line([marker(BITMAPS); CELLS]);
/// Most bitmaps of a node.
pub(super) const BITMAPS: usize = 127;

/// The cell of the bitmap at this place among those of its node, but for its tag.
#[expect(
    clippy::cast_possible_truncation,
    reason = "more bitmaps than there are numbers do not arise in a node"
)]
pub(super) const fn marker(bitmap: usize) -> u16 {
    debug_assert!(bitmap <= BITMAPS);
    (bitmap as u16) << 2 | NAMES
}

/// The place of the bitmap that a cell names, if it does.
pub(super) fn bitmap(cell: u16) -> Option<usize> {
    usize::from(number(cell)).checked_sub(1)
}

/// Whether a cell names the bitmap of the /24 with this tag.
#[inline(always)]
const fn names_for(cell: u16, tag: u16) -> bool {
    cell & !(FIELD & !KIND) == tag | NAMES
}

/// One more than the number of the bitmap that a cell names, or 0.
#[inline(always)]
fn number(cell: u16) -> u16 {
    let is_number = (cell & KIND == NAMES) & (cell & FIELD != EMPTY.0[0]);
    ones_if(is_number) & (((cell & FIELD) >> 2) + 1)
}

/// The cell, but for its tag, of the hosts from `first` on, as many as `size`, a power of two: the bits that they have in
/// common, a zero, and a one for each of the others. Of two hosts it would be a bitmap's, so they are a cell each.
pub(super) const fn hosts(first: u16, size: u16) -> u16 {
    first << 1 | (size - 1)
}

/// The bits of a cell that do not tell its hosts from others.
#[inline(always)]
const fn open(cell: u16) -> u16 {
    cell ^ cell.wrapping_add(1)
}

/// The first host and the number of those that a cell, which does not name a bitmap, stands for.
pub(super) const fn range(cell: u16) -> (u16, u16) {
    let open = open(cell);
    ((cell & FIELD & !open) >> 1, open / 2 + 1)
}

/// Near 256 divided by the golden ratio, so that neighbours come to lie far from each other, and odd.
const FACTOR: u8 = 157;
const INVERSE: u8 = 181;
const _: () = assert!(FACTOR.wrapping_mul(INVERSE) == 1);

/// The hash of the third byte of an address: a bijection.
#[inline]
pub(super) const fn hash(net: u8) -> u8 {
    net.wrapping_mul(FACTOR)
}

/// The byte with this hash.
pub(super) const fn net(hash: u8) -> u8 {
    hash.wrapping_mul(INVERSE)
}

/// The bucket for a hash: a range of successive hashes each.
#[inline]
pub(super) const fn bucket(hash: u8, buckets: usize) -> usize {
    (hash as usize * buckets) >> 8
}

/// The part of a cell that tells the /24s of a bucket apart.
#[inline]
pub(super) const fn tag(hash: u8) -> u16 {
    (hash as u16) << 9
}

/// All bits, or none.
#[inline(always)]
fn ones_if(is: bool) -> u16 {
    u16::from(is).wrapping_neg()
}

impl Line {
    /// The bits that any cell gives.
    #[inline(always)]
    fn any(&self, bits: impl Fn(u16) -> u16) -> u16 {
        self.0.map(bits).into_iter().fold(0, |any, one| any | one)
    }

    /// Whether there is this cell of a host, or one of a subnet that it is in, in a /24 without a bitmap.
    #[inline(always)]
    pub(super) fn lists(&self, host: u16) -> bool {
        self.any(|cell| ones_if((cell ^ host) & !open(cell) == 0)) != 0
    }

    /// Whether there is, for the /24 with this tag, a cell that names a bitmap.
    #[inline(always)]
    pub(super) fn names_bitmap(&self, tag: u16) -> bool {
        self.any(|cell| ones_if(names_for(cell, tag))) != 0
    }

    /// That cell, or 0.
    #[inline(always)]
    pub(super) fn marker(&self, tag: u16) -> u16 {
        self.any(|cell| ones_if(names_for(cell, tag)) & cell)
    }

    /// How many distinct cells there are.
    pub(super) fn count(&self) -> usize {
        if *self == EMPTY {
            return 0;
        }
        let others = self.0.map(|cell| u16::from(cell != self.0[0]));
        usize::from(others.into_iter().sum::<u16>()) + 1
    }

    /// The highest number of a bitmap that a cell of `buckets` names.
    pub(super) fn bitmaps(buckets: &[Self]) -> usize {
        // Cell by cell of all buckets, and signed, as the oldest vectors have no greatest of unsigned ones.
        let most = buckets.iter().fold([0_i16; CELLS], |mut most, bucket| {
            for (most, &cell) in most.iter_mut().zip(&bucket.0) {
                *most = number(cell).cast_signed().max(*most);
            }
            most
        });
        most.into_iter().fold(0, i16::max).unsigned_abs().into()
    }

    /// The distinct cells.
    pub(super) fn cells(&self) -> impl Iterator<Item = u16> {
        let (first, rest) = (self.0[0], self.0);
        let rest = rest
            .into_iter()
            .skip(1)
            .take_while(move |cell| *cell != first);
        (*self != EMPTY).then_some(first).into_iter().chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_lists_the_hosts_it_stands_for() {
        let sizes = (0..=8).map(|bits| 1_u16 << bits).filter(|size| *size != 2);
        let cells = sizes.flat_map(|size| {
            let starts = (0..256).step_by(size.into());
            starts.map(move |first| (hosts(first, size), first..first + size))
        });
        let cells: Vec<_> = cells.collect();
        assert_eq!(cells.len(), 127 + 256);
        let tags = [0, 1, 42, 127].map(tag);
        for (cell, hosts) in cells {
            assert_eq!(range(cell), (hosts.start, hosts.end - hosts.start));
            assert_eq!(bitmap(cell), None);
            for (of, asked) in tags.iter().flat_map(|of| tags.map(|asked| (of, asked))) {
                let bucket = Line([of | cell; CELLS]);
                assert!(!bucket.names_bitmap(asked));
                for host in 0..256 {
                    let is_listed = *of == asked && hosts.contains(&host);
                    let lists = bucket.lists(asked | super::hosts(host, 1));
                    assert_eq!(lists, is_listed, "{cell:x} {host}");
                }
            }
        }
    }

    #[test]
    fn a_bitmap_is_named_for_its_own_net() {
        for number in 0..BITMAPS {
            let cell = tag(3) | marker(number);
            assert_eq!(bitmap(cell), Some(number));
            let bucket = Line([cell; CELLS]);
            assert_eq!(Line::bitmaps(&[EMPTY, bucket]), number + 1);
            assert!(bucket.names_bitmap(tag(3)));
            assert_eq!(bucket.marker(tag(3)), cell);
            assert!(!bucket.names_bitmap(tag(2)));
            assert!((0..256).all(|host| !bucket.lists(tag(2) | hosts(host, 1))));
        }
        assert_eq!(bitmap(EMPTY.marker(0)), None);
        assert_eq!(Line::bitmaps(&[EMPTY]), 0);
        assert!((1..128).all(|net| !EMPTY.names_bitmap(tag(net))));
        assert!((0..256).all(|host| !EMPTY.lists(tag(1) | hosts(host, 1))));
    }
}
