//! Many addresses at once: each step is taken for a group of addresses before the next step of any, so that the reads
//! of a step are in flight together.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "lanes are below GROUP, the length of every array; parts of an address are cut to their width"
)]

use super::{
    Members4, arena,
    line::{self, EMPTY},
    marked,
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
            let hash = line::hash((address >> 8) as u8);
            let (lines, start) = self.arena.place(node);
            let line = lines.get(start + line::bucket(hash, arena::buckets(node)));
            *bucket = *line.unwrap_or(&EMPTY);
        }
        // The lanes whose /24 has a marker, with it.
        let mut markers = [(0, 0); GROUP];
        let mut count = 0;
        for (lane, ((&address, bucket), answer)) in
            (0_u8..).zip(addresses.iter().zip(&buckets).zip(answers.iter_mut()))
        {
            let tag = line::tag(line::hash((address >> 8) as u8));
            let is_covered = nodes[usize::from(lane)] & COVERED != 0;
            *answer = bucket.has(tag | address as u16 & 0xff) | is_covered;
            let marker = bucket.marker(tag);
            markers[count] = (lane, marker);
            count += usize::from(marker != 0);
        }
        for &(lane, marker) in &markers[..count] {
            let lane = usize::from(lane);
            let (lines, start) = self.arena.place(nodes[lane]);
            let bitmaps = start + arena::buckets(nodes[lane]);
            answers[lane] |= marked(marker, lines, bitmaps, addresses[lane] as u8);
        }
    }
}
