//! Many addresses at once: the planes of all, then the first lines of those that need one, then what these hold, so
//! that the lines of a group are on their way from memory together.

use super::{Members6, line::Line, planes::Look};
use crate::list::{blocks::Reference, lanes::Lanes};

/// Addresses in flight.
const GROUP: usize = 32;

/// An address that the planes do not decide.
#[derive(Clone, Copy, Default)]
struct Beneath<'a> {
    address: u128,
    at: u8,
    long: bool,
    middle: bool,
    first: Option<&'a Line>,
    /// Read from the line as soon as it is known where that is.
    is_all: bool,
}

impl Members6 {
    /// Says in `listed` which addresses of `lanes` are listed.
    pub(crate) fn search_each(&self, lanes: &Lanes<u128>, listed: &mut [bool]) {
        let (addresses, references, places) = lanes.kept();
        let references = references.chunks(GROUP).zip(places.chunks(GROUP));
        for (addresses, (references, places)) in addresses.chunks(GROUP).zip(references) {
            self.search_group(addresses, references, places, listed);
        }
    }

    fn search_group(
        &self,
        addresses: &[u128],
        references: &[Reference],
        places: &[u8],
        listed: &mut [bool],
    ) {
        let mut group = [Beneath::default(); GROUP];
        let mut free = group.iter_mut();
        for ((&address, &reference), &at) in addresses.iter().zip(references).zip(places) {
            let look = self.planes.look(address, reference);
            if let Look::Beneath { long, middle } = look
                && (long || middle)
                && let Some(lane) = free.next()
            {
                *lane = Beneath {
                    address,
                    at,
                    long,
                    middle,
                    ..Beneath::default()
                };
            } else if let Some(answer) = listed.get_mut(usize::from(at)) {
                *answer = matches!(look, Look::Listed);
            }
        }
        let used = GROUP - free.len();
        for lane in group.iter_mut().take(used).filter(|lane| lane.long) {
            lane.first = self.long.first(lane.address, 48);
            lane.is_all = lane.first.is_some_and(Line::is_all);
        }
        for lane in group.iter().take(used) {
            let address = lane.address;
            let is_listed = lane.first.is_some_and(|line| {
                line.covers(address) || !lane.is_all && self.long.search(address, 48, line)
            });
            if let Some(answer) = listed.get_mut(usize::from(lane.at)) {
                *answer = is_listed || lane.middle && self.middle.contain(address, 40);
            }
        }
    }
}
