//! Many addresses at once: what can be answered from a bucket is, without a branch, so that the buckets of many
//! addresses are on their way from memory together; the rest is searched for one by one.

use super::{Home, Members4, line::EMPTY};
use crate::list::table::{BATCH, Lane};

impl Members4 {
    /// Says in `listed` which addresses of `lanes` are listed; the lanes are used up.
    pub(crate) fn search_each(&self, lanes: &mut [Lane<u32>], listed: &mut [bool]) {
        // Copied, so that all are on their way before the first is looked into.
        let mut buckets = [EMPTY; BATCH];
        for (bucket, lane) in buckets.iter_mut().zip(&*lanes) {
            let node = self.node(lane.address, lane.reference);
            let (lines, start) = self.arena.place(node);
            let line = lines.get(start + Home::new(lane.address, node).bucket);
            *bucket = *line.unwrap_or(&EMPTY);
        }
        let mut left = 0;
        for (at, bucket) in (0..lanes.len()).zip(&buckets) {
            let Some(&lane) = lanes.get(at) else { break };
            let home = Home::new(lane.address, 0);
            let is_listed = bucket.lists(home.tag, home.host);
            if let Some(answer) = listed.get_mut(usize::from(lane.at)) {
                *answer = is_listed;
            }
            if let Some(place) = lanes.get_mut(left) {
                *place = lane;
            }
            left += usize::from(!is_listed);
        }
        for lane in lanes.iter().take(left) {
            if let Some(answer) = listed.get_mut(usize::from(lane.at)) {
                *answer = self.search(lane.address, lane.reference);
            }
        }
    }
}
