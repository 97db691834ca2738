//! Feeds and a policy, collected before they are compiled.

use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File};
use std::io::Read as _;
use std::ptr;

use threatinsight::{
    Entry, Feed, FeedError, FeedParser, ParseOptions, ParsedFeed, Policy, Prefix, Timestamp,
};

use crate::constants::{TI_NEVER, admission_of, level_of, patterns_of};
use crate::failure::{Failure, status, value};
use crate::pointer;

/// Feeds and a policy, collected before they are compiled. For one thread at a time.
#[derive(Debug, Default)]
pub struct TiInputs {
    pub(crate) feeds: Vec<Feed>,
    policy: Option<Policy>,
    options: ParseOptions,
    rejected: Vec<CString>,
}

impl TiInputs {
    pub(crate) fn policy(&self) -> Result<&Policy, Failure> {
        let missing = || Failure::refused("no policy, expected one in the inputs");
        self.policy.as_ref().ok_or_else(missing)
    }

    fn take(&mut self, parsed: Result<ParsedFeed, FeedError>, place: &str) -> Result<(), Failure> {
        let refused = |error| Failure::refused(format_args!("{place}: {error}"));
        let ParsedFeed { feed, report } = parsed.map_err(refused)?;
        let rejected = report.rejected.iter().filter_map(|line| {
            let line = format!("{place}: {line}").replace('\0', "\u{fffd}");
            CString::new(line).ok()
        });
        self.rejected.extend(rejected);
        self.feeds.push(feed);
        Ok(())
    }

    fn take_policy(&mut self, text: &[u8], place: &str) -> Result<(), Failure> {
        let text = without_byte_order_mark(text);
        let policy = serde_json::from_slice(text);
        let refused = |error| Failure::refused(format_args!("{place}: {error}"));
        self.policy = Some(policy.map_err(refused)?);
        Ok(())
    }

    fn feed_named(&mut self, name: &str) -> &mut Feed {
        let place = self.feeds.iter().position(|feed| feed.name() == name);
        let place = place.unwrap_or_else(|| {
            self.feeds.push(Feed::new(name));
            self.feeds.len() - 1
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place is one that was found, or the last after a push"
        )]
        &mut self.feeds[place]
    }
}

/// Inputs without feeds and policy; null only after a panic.
#[unsafe(no_mangle)]
pub extern "C" fn ti_inputs_new() -> *mut TiInputs {
    value(ptr::null_mut(), || {
        Ok(Box::into_raw(Box::<TiInputs>::default()))
    })
}

/// Frees the inputs. Null is nothing to free.
///
/// # Safety
///
/// `inputs` is null, or comes from `ti_inputs_new` and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_free(inputs: *mut TiInputs) {
    value((), || {
        if !inputs.is_null() {
            // SAFETY: made by `Box::into_raw` in `ti_inputs_new` and not freed before, by the
            // caller's promise.
            drop(unsafe { Box::from_raw(inputs) });
        }
        Ok(())
    });
}

/// Which prefixes the feeds read from now on may hold: a `TI_ADMISSION_`. Guarded without it.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_admission(inputs: *mut TiInputs, admission: u8) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        inputs.options.admission = admission_of(admission)?;
        Ok(())
    })
}

/// Reads a feed from a file in one of the text formats: an address, prefix or range a line.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`; `name` and `path` end in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_feed_file(
    inputs: *mut TiInputs,
    name: *const c_char,
    path: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        // SAFETY: the caller's promise.
        let (name, path) = unsafe { (pointer::text(name, "name")?, pointer::text(path, "path")?) };
        let failed = |error: std::io::Error| Failure::refused(format_args!("{path}: {error}"));
        let mut file = File::open(path).map_err(failed)?;
        let mut parser = FeedParser::new(name, inputs.options);
        let mut block = Vec::new();
        loop {
            block.clear();
            // Unlike `read`, this goes on after a signal.
            let mut next = file.by_ref().take(1 << 16);
            if next.read_to_end(&mut block).map_err(failed)? == 0 {
                return inputs.take(parser.finish(), path);
            }
            if let Err(error) = parser.push(&block) {
                return inputs.take(Err(error), path);
            }
        }
    })
}

/// Reads a feed from memory, as `ti_inputs_feed_file` does from a file.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`; `name` ends in NUL; `text` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_feed_text(
    inputs: *mut TiInputs,
    name: *const c_char,
    text: *const c_char,
    length: usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        // SAFETY: the caller's promise.
        let name = unsafe { pointer::text(name, "name") }?;
        // SAFETY: the caller's promise.
        let text = unsafe { pointer::values(text.cast::<u8>(), length, "text") }?;
        let parsed = Feed::parse(name, text, &inputs.options);
        inputs.take(parsed, name)
    })
}

/// Adds one entry, as it is, to the feed of this name, which it makes if need be.
///
/// `prefix` is an address or a prefix; `level` a `TI_LEVEL_`, `patterns` a sum of `TI_PATTERN_`;
/// `expires` in seconds since the Unix epoch, or `TI_NEVER`.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`; `feed` and `prefix` end in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_entry(
    inputs: *mut TiInputs,
    feed: *const c_char,
    prefix: *const c_char,
    level: u8,
    patterns: u8,
    expires: u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        // SAFETY: the caller's promise.
        let (feed, text) = unsafe {
            (
                pointer::text(feed, "feed")?,
                pointer::text(prefix, "prefix")?,
            )
        };
        let refused = |error| Failure::refused(format_args!("{feed}: {error} in `{text}`"));
        let entry = Entry {
            prefix: text.parse::<Prefix>().map_err(refused)?,
            level: level_of(level)?,
            patterns: patterns_of(patterns)?,
            expires: (expires != TI_NEVER).then_some(Timestamp(expires)),
        };
        inputs.feed_named(feed).push(entry);
        Ok(())
    })
}

/// The line that was rejected at `index`, from 0, with the reason; null when there are no more.
/// It stays until the inputs are freed or read another feed.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_rejected(
    inputs: *const TiInputs,
    index: usize,
) -> *const c_char {
    value(ptr::null(), || {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::shared(inputs, "inputs") }?;
        let line = inputs.rejected.get(index);
        Ok(line.map_or(ptr::null(), |line| line.as_ptr()))
    })
}

/// Reads the policy from a JSON file, in place of any before it.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`; `path` ends in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_policy_file(
    inputs: *mut TiInputs,
    path: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        // SAFETY: the caller's promise.
        let path = unsafe { pointer::text(path, "path") }?;
        let text = fs::read(path);
        let text = text.map_err(|error| Failure::refused(format_args!("{path}: {error}")))?;
        inputs.take_policy(&text, path)
    })
}

/// Reads the policy from JSON in memory, in place of any before it.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`; `text` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_inputs_policy_text(
    inputs: *mut TiInputs,
    text: *const c_char,
    length: usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::exclusive(inputs, "inputs") }?;
        // SAFETY: the caller's promise.
        let text = unsafe { pointer::values(text.cast::<u8>(), length, "text") }?;
        inputs.take_policy(text, "policy")
    })
}

/// What editors on Windows put before a text is not part of it.
fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
