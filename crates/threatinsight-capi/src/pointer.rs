//! Pointers from C into references, checked as far as they can be.
//!
//! What cannot be checked is the caller's promise, made once for the whole ABI: a pointer that is
//! not null points to what its type says, for as long as the function runs; nobody else changes
//! it meanwhile; handles come from the function that makes them and were not freed.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::slice;

use crate::failure::Failure;

/// What `pointer` points to.
///
/// # Safety
///
/// The promise of this module, for `'a`.
pub(crate) unsafe fn shared<'a, T>(
    pointer: *const T,
    name: &'static str,
) -> Result<&'a T, Failure> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::Pointer { name });
    }
    // SAFETY: not null and aligned as just checked; the rest is the caller's promise.
    Ok(unsafe { &*pointer })
}

/// What `pointer` points to, to change it.
///
/// # Safety
///
/// The promise of this module, for `'a`; and nobody else reads it meanwhile.
pub(crate) unsafe fn exclusive<'a, T>(
    pointer: *mut T,
    name: &'static str,
) -> Result<&'a mut T, Failure> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::Pointer { name });
    }
    // SAFETY: not null and aligned as just checked; the rest is the caller's promise.
    Ok(unsafe { &mut *pointer })
}

/// The `length` values from `pointer` on; nothing is read when `length` is 0.
///
/// # Safety
///
/// The promise of this module, for `'a` and each of the values.
pub(crate) unsafe fn values<'a, T>(
    pointer: *const T,
    length: usize,
    name: &'static str,
) -> Result<&'a [T], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    fits::<T>(length, name)?;
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::Pointer { name });
    }
    // SAFETY: not null, aligned, and no longer than an allocation can be, as just checked; the
    // rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// Room for one value, which need not be initialised.
///
/// # Safety
///
/// The promise of this module, for `'a`; and nobody else reads it meanwhile.
pub(crate) unsafe fn room<'a, T>(
    pointer: *mut T,
    name: &'static str,
) -> Result<&'a mut MaybeUninit<T>, Failure> {
    // SAFETY: the caller's promise; any bytes are a `MaybeUninit`.
    unsafe { exclusive(pointer.cast::<MaybeUninit<T>>(), name) }
}

/// Room for `length` values from `pointer` on, which need not be initialised.
///
/// # Safety
///
/// The promise of this module, for `'a` and each of the values; and nobody else reads them
/// meanwhile.
pub(crate) unsafe fn rooms<'a, T>(
    pointer: *mut T,
    length: usize,
    name: &'static str,
) -> Result<&'a mut [MaybeUninit<T>], Failure> {
    if length == 0 {
        return Ok(&mut []);
    }
    fits::<T>(length, name)?;
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::Pointer { name });
    }
    // SAFETY: as for `values`; any bytes are a `MaybeUninit`, and nobody else reads them, by the
    // caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(pointer.cast(), length) })
}

/// The text up to the NUL.
///
/// # Safety
///
/// The promise of this module, for `'a` and every byte up to the NUL, which there is.
pub(crate) unsafe fn text<'a>(
    pointer: *const c_char,
    name: &'static str,
) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(Failure::Pointer { name });
    }
    // SAFETY: not null as just checked; the NUL is the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Failure::NotUtf8 { name })
}

/// Whether so many values can be in one allocation.
fn fits<T>(length: usize, name: &'static str) -> Result<(), Failure> {
    let bytes = length.checked_mul(size_of::<T>());
    if bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
        return Ok(());
    }
    Err(Failure::Length {
        name,
        found: length,
        expected: "no more than memory holds",
    })
}
