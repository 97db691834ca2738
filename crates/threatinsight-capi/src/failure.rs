//! What went wrong, and the boundary that no panic crosses.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::constants::{TI_MISUSED, TI_OK, TI_PANICKED, TI_REFUSED};

/// Why a function of the ABI did nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A pointer is null or not aligned.
    Pointer { name: &'static str },
    /// A number means nothing.
    OutOfRange { name: &'static str, found: u8 },
    /// A length is none that is expected.
    Length {
        name: &'static str,
        found: usize,
        expected: &'static str,
    },
    /// A text is not UTF-8.
    NotUtf8 { name: &'static str },
    /// An input does not read or compile.
    Refused(String),
    /// A panic, with its message.
    Panicked(String),
}

impl Failure {
    pub(crate) const fn out_of_range(name: &'static str, found: u8) -> Self {
        Self::OutOfRange { name, found }
    }

    pub(crate) fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused(reason.to_string())
    }

    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "without a message".to_owned()))
    }

    const fn status(&self) -> c_int {
        match self {
            Self::Pointer { .. }
            | Self::OutOfRange { .. }
            | Self::Length { .. }
            | Self::NotUtf8 { .. } => TI_MISUSED,
            Self::Refused(_) => TI_REFUSED,
            Self::Panicked(_) => TI_PANICKED,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer { name } => write!(f, "`{name}` is null or not aligned"),
            Self::OutOfRange { name, found } => {
                write!(f, "`{name}` is {found}, which means nothing")
            }
            Self::Length {
                name,
                found,
                expected,
            } => write!(f, "`{name}` is {found}, expected {expected}"),
            Self::NotUtf8 { name } => write!(f, "`{name}` is not UTF-8"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
        }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// The text of the last failure on this thread; empty when there was none. Never null. It stays
/// as it is until the next failure on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn ti_last_error() -> *const c_char {
    // A thread that is going down has no text any more.
    let text = LAST.try_with(|last| last.borrow().as_ptr());
    text.unwrap_or(c"".as_ptr())
}

/// Does `body`; a failure, or a panic, becomes a status and a text.
pub(crate) fn status(body: impl FnOnce() -> Result<(), Failure>) -> c_int {
    match guarded(body) {
        Ok(()) => TI_OK,
        Err(failure) => {
            remember(&failure);
            failure.status()
        }
    }
}

/// Does `body`; a failure, or a panic, becomes `otherwise` and a text.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> Result<T, Failure>) -> T {
    guarded(body).unwrap_or_else(|failure| {
        remember(&failure);
        otherwise
    })
}

/// Unwind safe, because nothing is seen half-done afterwards: an engine replaces what it serves by
/// one store at the end, and inputs take a feed or a policy when it is whole.
fn guarded<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        let failure = Failure::panicked(&*payload);
        // Dropping a payload can panic in its turn.
        std::mem::forget(payload);
        Err(failure)
    })
}

fn remember(failure: &Failure) {
    let text = failure.to_string().replace('\0', "\u{fffd}");
    // The text has no NUL, and a thread that is going down asks for none.
    if let Ok(text) = CString::new(text) {
        let _ = LAST.try_with(|last| *last.borrow_mut() = text);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_panic_ends_at_the_boundary() {
        assert_eq!(status(|| panic!("planted")), TI_PANICKED);
        // SAFETY: the text is this thread's, ends in NUL and stays until the next failure.
        let text = unsafe { CStr::from_ptr(ti_last_error()) };
        assert_eq!(text, c"panicked: planted");
        assert_eq!(value(7, || panic!("{}", 8)), 7);
    }
}
