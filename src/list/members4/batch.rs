//! Many addresses at once: each step is taken for a group of addresses before the next step of any, so that the reads
//! of a step are in flight together and no branch depends on an answer.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "lanes are below GROUP, the length of every array; fields of a word are cut to their width"
)]

use super::{
    MIXED, Members4, leaf_holds,
    node::{self, BITMAP, EMPTY, LIVE},
};
use crate::list::cover::COVERED;

/// Addresses in flight.
const GROUP: usize = 32;

impl Members4 {
    /// Whether each of `addresses` is listed, as far as `answers` reaches.
    pub(crate) fn contains_batch(&self, addresses: &[u32], answers: &mut [bool]) {
        let (groups, rest) = addresses.as_chunks::<GROUP>();
        let (answer_groups, rest_answers) =
            answers.split_at_mut(answers.len().min(groups.len() * GROUP));
        let (answer_groups, tail) = answer_groups.as_chunks_mut::<GROUP>();
        for (addresses, answers) in groups.iter().zip(answer_groups.iter_mut()) {
            self.group(addresses, answers);
        }
        let done = answer_groups.len() * GROUP;
        let last = addresses.get(done..).unwrap_or_default();
        for (address, answer) in last.iter().zip(tail.iter_mut().chain(rest_answers)) {
            *answer = self.contains(*address);
        }
        let _ = rest;
    }

    fn group(&self, addresses: &[u32; GROUP], answers: &mut [bool; GROUP]) {
        let mut references = [0u32; GROUP];
        for (reference, address) in references.iter_mut().zip(addresses) {
            *reference = self
                .nodes
                .directory
                .get((address >> 16) as usize)
                .copied()
                .unwrap_or(0);
        }
        let mut live = [0u64; GROUP];
        let mut heads = [0u64; GROUP];
        let mut nodes: [&[u64]; GROUP] = [&[]; GROUP];
        let mut any_live = false;
        for lane in 0..GROUP {
            nodes[lane] = self.nodes.at(references[lane]);
            let head = nodes[lane].first_chunk().unwrap_or(&EMPTY);
            live[lane] = head[LIVE + (addresses[lane] >> 14 & 3) as usize];
            heads[lane] = head[0];
            any_live |= live[lane] >> (addresses[lane] >> 8 & 63) & 1 != 0;
        }
        if !any_live {
            for (answer, reference) in answers.iter_mut().zip(references) {
                *answer = reference & COVERED != 0;
            }
            return;
        }
        let mut leaves = [0u64; GROUP];
        for lane in 0..GROUP {
            let words = nodes[lane];
            let word = (addresses[lane] >> 14 & 3) as usize;
            let bit = addresses[lane] >> 8 & 63;
            let is_live = live[lane] >> bit & 1 != 0;
            let mut own = live[lane];
            let mut covered = references[lane] & COVERED != 0;
            let mut first = LIVE + BITMAP;
            if references[lane] & MIXED != 0 {
                let map = words.get(first + word).copied().unwrap_or(0);
                covered |= map >> bit & 1 != 0;
                own &= !map;
                first += BITMAP;
            }
            let rank = (heads[lane] >> (8 * word)) as usize & 0xff;
            let rank = rank + (own & ((1 << bit) - 1)).count_ones() as usize;
            answers[lane] = covered;
            let at = if is_live & !covered {
                first + rank
            } else {
                usize::MAX
            };
            // A leaf that is not there reads as one with an empty bitmap.
            leaves[lane] = words
                .get(at)
                .copied()
                .unwrap_or(node::without(addresses[lane] as u8));
        }
        for lane in 0..GROUP {
            answers[lane] |= leaf_holds(leaves[lane], heads[lane], nodes[lane], addresses[lane]);
        }
    }
}
