//! The addresses of a batch that the directory does not decide.
#![expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]

use super::blocks::Reference;

/// Addresses of a batch that are looked at together.
pub(super) const BATCH: usize = 64;

/// Addresses of one family, where the directory leads from each, and their places in the batch.
#[derive(Debug)]
pub(crate) struct Lanes<A> {
    addresses: [A; BATCH],
    references: [Reference; BATCH],
    places: [u8; BATCH],
    used: usize,
}

impl<A: Copy + Default> Lanes<A> {
    pub(super) fn new() -> Self {
        Self {
            addresses: [A::default(); BATCH],
            references: [0; BATCH],
            places: [0; BATCH],
            used: 0,
        }
    }

    /// Fills the next lane, if there is one, and keeps it or not, without a branch.
    #[inline(always)]
    pub(super) fn push(&mut self, address: A, reference: Reference, place: u8, is_kept: bool) {
        let lane = self.used % BATCH;
        self.addresses[lane] = address;
        self.references[lane] = reference;
        self.places[lane] = place;
        self.used += usize::from(is_kept);
    }

    /// The lanes that are kept: addresses, references and places.
    #[inline(always)]
    pub(super) fn kept(&self) -> (&[A], &[Reference], &[u8]) {
        let used = self.used.min(BATCH);
        (
            self.addresses.split_at(used).0,
            self.references.split_at(used).0,
            self.places.split_at(used).0,
        )
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) const fn clear(&mut self) {
        self.used = 0;
    }
}
