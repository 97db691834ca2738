//! Many addresses at once: the planes of all, then the lines of those that need one.

use super::{Members6, line::Levels, planes::Look};

/// Addresses in flight.
const GROUP: usize = 32;

impl Members6 {
    /// Whether each of `addresses` is listed, as far as `answers` reaches.
    pub(crate) fn contains_batch(&self, addresses: &[u128], answers: &mut [bool]) {
        for (addresses, answers) in addresses.chunks(GROUP).zip(answers.chunks_mut(GROUP)) {
            let mut levels: [Levels; GROUP] = [0; GROUP];
            for ((address, answer), levels) in
                addresses.iter().zip(answers.iter_mut()).zip(&mut levels)
            {
                (*answer, *levels) = match self.planes.look(*address) {
                    Look::Listed => (true, 0),
                    Look::Nothing => (false, 0),
                    Look::Lines(levels) => (false, levels),
                };
            }
            for ((address, answer), levels) in addresses.iter().zip(answers.iter_mut()).zip(levels)
            {
                if levels != 0 {
                    *answer = self.lines.contain(*address, levels);
                }
            }
        }
    }
}
