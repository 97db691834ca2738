//! Sixteen bytes: a bucket of eight cells, half a bitmap, or a quarter of the references to nodes of /20s.

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

/// The cell's low byte is not a host, but says how the /24 is kept.
pub(super) const MARKER: u16 = 1 << 8;
/// A host, the number of a bitmap, from 1 on, or one of the two below.
pub(super) const LOW: u16 = 0xff;
/// A marker that says that the /24 is listed whole.
pub(super) const WHOLE: u16 = 0xff;
/// A marker of a bucket without cells.
pub(super) const NOTHING: u16 = 0xfe;
pub(super) const EMPTY: Line = Line([MARKER | NOTHING; CELLS]);

/// The marker of a /24, but for its tag, that names the bitmap at this place among those of its node.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a node has at most 253 bitmaps"
)]
pub(super) const fn marker(bitmap: usize) -> u16 {
    MARKER | (bitmap as u16 + 1)
}

/// The place of the bitmap that a cell names, if it does.
pub(super) fn bitmap(cell: u16) -> Option<usize> {
    let is_number = cell & MARKER != 0 && cell & LOW < NOTHING;
    let number = is_number.then_some(cell & LOW)?;
    usize::from(number).checked_sub(1)
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

/// The cell that says that the /24 of the host with this cell is listed whole.
#[inline]
pub(super) const fn whole(cell: u16) -> u16 {
    cell | MARKER | WHOLE
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

    /// Whether there is this cell of a host, or one for the whole of its /24.
    #[inline(always)]
    pub(super) fn lists(&self, host: u16) -> bool {
        self.any(|cell| ones_if((cell == host) | (cell == whole(host)))) != 0
    }

    /// Whether there is, within a /24, a marker with the number of a bitmap.
    #[inline(always)]
    pub(super) fn names_bitmap(&self) -> bool {
        self.any(|cell| ones_if(cell.wrapping_sub(MARKER) < NOTHING)) != 0
    }

    /// The marker within a /24, or 0.
    #[inline(always)]
    pub(super) fn marker(&self) -> u16 {
        self.any(|cell| ones_if(cell & !LOW == MARKER) & cell)
    }

    /// How many distinct cells there are.
    pub(super) fn count(&self) -> usize {
        if *self == EMPTY {
            return 0;
        }
        let others = self.0.map(|cell| u16::from(cell != self.0[0]));
        usize::from(others.into_iter().sum::<u16>()) + 1
    }

    /// The highest number of a bitmap in a cell.
    pub(super) fn bitmaps(&self) -> usize {
        let numbers = self.0.map(|cell| {
            let (kind, number) = (cell & MARKER, cell & LOW);
            u16::from(kind != 0 && number < NOTHING) * number
        });
        numbers.into_iter().fold(0, u16::max).into()
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
