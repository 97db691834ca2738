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

/// The cell's low byte is not a host, but, where it is odd, a subnet of at least four: its first host and half of how
/// many it has, less one. Where it is even, it is twice the number of a bitmap, from 1 on, or [`NOTHING`].
pub(super) const MARKER: u16 = 1 << 8;
pub(super) const LOW: u16 = 0xff;
/// A marker of a bucket without cells.
pub(super) const NOTHING: u16 = 0xfe;
pub(super) const EMPTY: Line = Line([MARKER | NOTHING; CELLS]);

/// The marker of a /24, but for its tag, that names the bitmap at this place among those of its node.
#[expect(
    clippy::cast_possible_truncation,
    reason = "more bitmaps than there are numbers do not arise in a node"
)]
pub(super) const fn marker(bitmap: usize) -> u16 {
    debug_assert!(bitmap < 126);
    MARKER | (2 * (bitmap as u16 + 1))
}

/// The place of the bitmap that a cell names, if it does.
pub(super) fn bitmap(cell: u16) -> Option<usize> {
    usize::from(number(cell)).checked_sub(1)
}

/// The number of the bitmap that a cell names, or 0.
#[inline(always)]
fn number(cell: u16) -> u16 {
    let low = cell & LOW;
    let is_number = names_bitmap(cell & (MARKER | LOW)) & (low != NOTHING);
    ones_if(is_number) & (low / 2)
}

/// Whether a cell without its tag names a bitmap, or [`NOTHING`].
#[inline(always)]
const fn names_bitmap(cell: u16) -> bool {
    cell & !(LOW - 1) == MARKER
}

/// The marker, but for its tag, of the hosts from `first` on, as many as `size`, a power of two from 4 to 256.
pub(super) const fn subnet(first: u16, size: u16) -> u16 {
    MARKER | first | (size / 2 - 1)
}

/// How many hosts there are in the subnet that a marker stands for; none for a bitmap. Of any other cell it is some
/// number up to 256.
#[inline(always)]
const fn size(cell: u16) -> u16 {
    ((cell ^ cell.wrapping_add(1)) & LOW).wrapping_add(1) & !3
}

/// The first host and the size of what a cell, which does not name a bitmap, stands for.
pub(super) const fn hosts(cell: u16) -> (u16, u16) {
    if cell & MARKER == 0 {
        return (cell & LOW, 1);
    }
    let size = size(cell);
    (cell & LOW & !size.wrapping_sub(1), size)
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

    /// The cells of the /24 with this tag without it; those of others have some bit of a tag.
    #[inline(always)]
    pub(super) fn within(&self, tag: u16) -> Self {
        Self(self.0.map(|cell| cell ^ tag))
    }

    /// Whether there is this cell of a host, or one for a subnet that it is in.
    #[inline(always)]
    pub(super) fn lists(&self, host: u16) -> bool {
        // What differs is less than the size only in a marker of the same /24 whose subnet has the host's first bits:
        // to the cell of a host, or of another /24, at least bit 8 differs, and no size is more.
        let is_in = |cell: u16| size(cell).saturating_sub(cell ^ (host | MARKER)) != 0;
        self.any(|cell| ones_if((cell == host) | is_in(cell))) != 0
    }

    /// Whether there is, within a /24, a marker of a bitmap.
    #[inline(always)]
    pub(super) fn names_bitmap(&self) -> bool {
        self.any(|cell| ones_if(names_bitmap(cell))) != 0
    }

    /// The marker of a bitmap within a /24, which has no other cell then, or 0.
    #[inline(always)]
    pub(super) fn marker(&self) -> u16 {
        self.any(|cell| ones_if(names_bitmap(cell)) & cell)
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

    /// Whether one cell lists a host, and nothing else of its bucket does.
    fn lists(cell: u16, tag: u16, host: u16) -> bool {
        Line([cell; CELLS]).within(tag).lists(host)
    }

    #[test]
    fn a_cell_lists_the_hosts_it_stands_for() {
        let subnets = (2..=8).map(|bits| 1_u16 << bits);
        let subnets = subnets.flat_map(|size| {
            let starts = (0..256).step_by(size.into());
            starts.map(move |first| (subnet(first, size), first..first + size))
        });
        let single = (0..256).map(|host| (host, host..host + 1));
        let cells: Vec<_> = subnets.chain(single).collect();
        assert_eq!(cells.len(), 127 + 256);
        let tags = [0, 1, 42, 127].map(tag);
        for (cell, range) in cells {
            assert_eq!(hosts(cell), (range.start, range.end - range.start));
            assert_eq!(bitmap(cell), None);
            for (of, asked) in tags.iter().flat_map(|of| tags.map(|asked| (of, asked))) {
                for host in 0..256 {
                    let is_listed = *of == asked && range.contains(&host);
                    assert_eq!(lists(of | cell, asked, host), is_listed, "{cell:x} {host}");
                }
            }
        }
    }

    #[test]
    fn a_bitmap_lists_nothing_itself() {
        for number in 0..=125 {
            let cell = tag(3) | marker(number);
            assert_eq!(bitmap(cell), Some(number));
            let bucket = Line([cell; CELLS]);
            assert_eq!(Line::bitmaps(&[EMPTY, bucket]), number + 1);
            assert!(bucket.within(tag(3)).names_bitmap());
            assert_eq!(bitmap(bucket.within(tag(3)).marker()), Some(number));
            assert!(!bucket.within(tag(2)).names_bitmap());
            assert!((0..256).all(|host| !lists(cell, tag(3), host)));
        }
        assert_eq!(bitmap(EMPTY.within(0).marker()), None);
        assert_eq!(Line::bitmaps(&[EMPTY]), 0);
        assert!((0..256).all(|host| !EMPTY.lists(host)));
    }
}
