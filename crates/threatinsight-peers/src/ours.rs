//! Our own list.

use threatinsight::{List, Timestamp};

use crate::family::Family;
use crate::structure::{Parsed, Queries, Structure};

/// Asked for one address at a time.
struct One(List);

/// Asked for many at once.
struct Many(List);

pub(crate) fn one<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
    Box::new(One(compile(list)))
}

pub(crate) fn many<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
    Box::new(Many(compile(list)))
}

fn compile<A>(list: &Parsed<A>) -> List {
    List::compile(&list.feed, Timestamp(0)).expect("within the limits")
}

impl<A: Family> Structure<A> for One {
    #[inline(always)]
    fn contains(&self, address: A) -> bool {
        self.0.contains(address.ip())
    }
}

impl<A: Family> Structure<A> for Many {
    fn contains(&self, address: A) -> bool {
        let mut listed = [false];
        self.0.contains_each(&[address.address()], &mut listed);
        listed[0]
    }

    fn hits(&self, queries: Queries<'_, A>) -> usize {
        let mut listed = [false; 256];
        let parts = queries.addresses.chunks(256).map(|part| {
            let listed = &mut listed[..part.len()];
            self.0.contains_each(part, listed);
            listed.iter().filter(|listed| **listed).count()
        });
        parts.sum()
    }
}
