//! Many addresses at once: each step is taken for a group of addresses before the next step of any, so that the reads
//! of a step are in flight together.
#![expect(
    clippy::indexing_slicing,
    reason = "lanes are below GROUP, the length of every array; a group is as long as its answers"
)]

use super::{
    Home, Members4,
    line::{self, EMPTY},
};
use crate::list::cover::COVERED;

/// Addresses in flight.
const GROUP: usize = 64;

impl Members4 {
    /// Whether each of `addresses` is listed, as far as `answers` reaches, if the directory does not rule it out.
    pub(crate) fn search_each(&self, addresses: &[u32], answers: &mut [bool]) {
        for (addresses, answers) in addresses.chunks(GROUP).zip(answers.chunks_mut(GROUP)) {
            self.search_group(addresses, answers);
        }
    }

    fn search_group(&self, addresses: &[u32], answers: &mut [bool]) {
        let mut nodes = [0; GROUP];
        for (node, &address) in nodes.iter_mut().zip(addresses) {
            let reference = self.directory.of(address).node;
            *node = reference & COVERED | self.node(address, reference);
        }
        // Copied, so that all are on their way before the first is looked into.
        let mut buckets = [EMPTY; GROUP];
        for ((bucket, node), &address) in buckets.iter_mut().zip(nodes).zip(addresses) {
            let (lines, start) = self.arena.place(node);
            let line = lines.get(start + Home::new(address, node).bucket);
            *bucket = *line.unwrap_or(&EMPTY);
        }
        // The lanes whose /24 has a marker, with it.
        let mut markers = [(0, 0); GROUP];
        let mut count = 0;
        for (lane, answer) in answers.iter_mut().enumerate().take(addresses.len()) {
            let home = Home::new(addresses[lane], nodes[lane]);
            let bucket = &buckets[lane];
            *answer = bucket.has(home.cell()) | (nodes[lane] & COVERED != 0);
            let marker = bucket.marker(home.tag);
            markers[count] = (lane, marker);
            count += usize::from(marker != 0);
        }
        for &(lane, marker) in &markers[..count] {
            let home = Home::new(addresses[lane], nodes[lane]);
            let (lines, start) = self.arena.place(nodes[lane]);
            answers[lane] |= match line::bitmap(marker) {
                Some(at) => lines
                    .get(start + home.bitmaps + 2 * at + home.half())
                    .is_some_and(|line| home.is_in(line)),
                None => marker & line::LOW == line::WHOLE,
            };
        }
    }
}
