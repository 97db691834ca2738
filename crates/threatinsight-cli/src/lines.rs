//! Lines out of the blocks that a file or a pipe delivers.

use std::io::{self, BufRead, BufReader, Read};
use std::mem;

/// How many bytes are asked for at once.
const BLOCK: usize = 64 * 1024;

/// Hands over what `input` delivers, as it arrives.
pub(crate) fn each_block<E>(
    input: impl Read,
    failed: impl FnOnce(io::Error) -> E,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut input = BufReader::with_capacity(BLOCK, input);
    loop {
        match input.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(block) => {
                each(block)?;
                let read = block.len();
                input.consume(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The longest line that is taken as it is, in bytes: many times what any gateway lets through.
pub(crate) const LINE_LIMIT: usize = 16 << 20;

/// Cuts blocks into lines, without their LF or CRLF. Of a line longer than [`LINE_LIMIT`] it keeps
/// one byte more than that, so that a line without an end does not fill the memory.
pub(crate) struct Lines {
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self {
            partial: Vec::new(),
        }
    }

    /// Hands over every line that ends in `block`.
    pub(crate) fn push<E>(
        &mut self,
        block: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for piece in block.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if self.partial.is_empty() => each(without_return(line))?,
                Some(end) => {
                    self.hold(end);
                    each(without_return(&self.partial))?;
                    self.partial.clear();
                }
                None => self.hold(piece),
            }
        }
        Ok(())
    }

    /// Hands over the last line, when nothing ended it.
    pub(crate) fn finish<E>(&mut self, each: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match mem::take(&mut self.partial).as_slice() {
            [] => Ok(()),
            line => each(without_return(line)),
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = (LINE_LIMIT + 1).saturating_sub(self.partial.len());
        self.partial.extend(piece.iter().take(room));
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
