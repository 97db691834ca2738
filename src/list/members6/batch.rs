//! Many addresses at once: the planes of all, then the first lines of those that need one, then what these hold, so
//! that the lines of a group are on their way from memory together.

use super::{Members6, line::Line, planes::Look};

/// Addresses in flight.
const GROUP: usize = 32;

/// An address that the planes do not decide.
#[derive(Clone, Copy, Default)]
struct Lane<'a> {
    address: u128,
    at: usize,
    long: bool,
    middle: bool,
    first: Option<&'a Line>,
    /// Read from the line as soon as it is known where that is.
    is_all: bool,
}

impl Members6 {
    /// Whether each of `addresses` is listed, as far as `answers` reaches.
    pub(crate) fn search_each(&self, addresses: &[u128], answers: &mut [bool]) {
        for (addresses, answers) in addresses.chunks(GROUP).zip(answers.chunks_mut(GROUP)) {
            self.search_group(addresses, answers);
        }
    }

    fn search_group(&self, addresses: &[u128], answers: &mut [bool]) {
        let mut lanes = [Lane::default(); GROUP];
        let mut free = lanes.iter_mut();
        for (at, (&address, answer)) in addresses.iter().zip(answers.iter_mut()).enumerate() {
            *answer = match self.planes.look(address, self.planes.node(address)) {
                Look::Listed => true,
                Look::Nothing => false,
                Look::Beneath { long, middle } => {
                    if (long || middle)
                        && let Some(lane) = free.next()
                    {
                        *lane = Lane {
                            address,
                            at,
                            long,
                            middle,
                            ..Lane::default()
                        };
                    }
                    false
                }
            };
        }
        let used = GROUP - free.len();
        for lane in lanes.iter_mut().take(used).filter(|lane| lane.long) {
            lane.first = self.long.first(lane.address, 48);
            lane.is_all = lane.first.is_some_and(Line::is_all);
        }
        for lane in lanes.iter().take(used) {
            let address = lane.address;
            let is_listed = lane.first.is_some_and(|line| {
                line.covers(address) || !lane.is_all && self.long.search(address, 48, line)
            });
            if let Some(answer) = answers.get_mut(lane.at) {
                *answer = is_listed || lane.middle && self.middle.contain(address, 40);
            }
        }
    }
}
