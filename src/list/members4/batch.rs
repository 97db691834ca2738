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
const GROUP: usize = 32;

impl Members4 {
    /// Whether each of `addresses` is listed, as far as `answers` reaches.
    pub(crate) fn contains_batch(&self, addresses: &[u32], answers: &mut [bool]) {
        for (addresses, answers) in addresses.chunks(GROUP).zip(answers.chunks_mut(GROUP)) {
            self.group(addresses, answers);
        }
    }

    fn group(&self, addresses: &[u32], answers: &mut [bool]) {
        // The addresses whose /21 is touched, and their places in the group.
        let mut lanes = [(0, 0); GROUP];
        let mut nodes = [0; GROUP];
        let mut count = 0;
        for (at, (&address, answer)) in (0_u8..).zip(addresses.iter().zip(answers.iter_mut())) {
            *answer = false;
            let slot = self.slot(address);
            lanes[count] = (address, at);
            nodes[count] = slot.node;
            count += (slot.touched >> (address >> 11 & 31) & 1) as usize;
        }
        let lanes = &lanes[..count];
        for (node, (address, _)) in nodes.iter_mut().zip(lanes) {
            *node = *node & COVERED | self.node(*address, *node);
        }
        // Copied, so that all are on their way before the first is looked into.
        let mut buckets = [EMPTY; GROUP];
        for ((bucket, node), (address, _)) in buckets.iter_mut().zip(nodes).zip(lanes) {
            let hash = line::hash((address >> 8) as u8);
            let (lines, start) = self.arena.place(node);
            let line = lines.get(start + line::bucket(hash, arena::buckets(node)));
            *bucket = *line.unwrap_or(&EMPTY);
        }
        // The lanes whose /24 has a marker, with it.
        let mut markers = [(0, 0); GROUP];
        let mut marker_count = 0;
        for (lane, ((address, at), bucket)) in (0_u8..).zip(lanes.iter().zip(&buckets)) {
            let tag = line::tag(line::hash((address >> 8) as u8));
            let is_covered = nodes[usize::from(lane)] & COVERED != 0;
            answers[usize::from(*at)] = bucket.has(tag | *address as u16 & 0xff) | is_covered;
            let marker = bucket.marker(tag);
            markers[marker_count] = (lane, marker);
            marker_count += usize::from(marker != 0);
        }
        for &(lane, marker) in &markers[..marker_count] {
            let ((address, at), node) = (lanes[usize::from(lane)], nodes[usize::from(lane)]);
            let (lines, start) = self.arena.place(node);
            let bitmaps = start + arena::buckets(node);
            answers[usize::from(at)] |= marked(marker, lines, bitmaps, address as u8);
        }
    }
}
