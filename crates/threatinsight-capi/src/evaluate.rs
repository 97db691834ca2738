//! Verdicts.

use std::ffi::{CString, c_char, c_int};
use std::net::IpAddr;
use std::ptr;

use threatinsight::{Chain, Request, Snapshot};

use crate::constants::{TI_SYNTAX_CHAIN, kind_of};
use crate::engine::TiEngine;
use crate::failure::{Failure, status};
use crate::layout::{TiAddress, TiDecision, TiRequest, TiText};
use crate::pointer;

/// Judges a request. On failure the decision's verdict is 0.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`; `request` and `decision` point to one each; `lines` has
/// `line_count` texts and each of them `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_evaluate(
    engine: *const TiEngine,
    request: *const TiRequest,
    decision: *mut TiDecision,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let decision = unsafe { pointer::room(decision, "decision") }?;
        decision.write(TiDecision::default());
        // SAFETY: the caller's promise.
        let (engine, request) = unsafe { handles(engine, request) }?;
        let snapshot = engine.engine.load();
        // SAFETY: the caller's promise.
        decision.write(unsafe { request.judge(|request| decide(&snapshot, request)) }?);
        Ok(())
    })
}

/// Judges a chain, hops between commas, the client's side first and the peer last. On failure the
/// decision's verdict is 0.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`; `chain` has `length` bytes; `decision` points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_evaluate_chain(
    engine: *const TiEngine,
    chain: *const c_char,
    length: usize,
    kind: u8,
    decision: *mut TiDecision,
) -> c_int {
    let line = TiText {
        data: chain,
        length,
    };
    let request = TiRequest {
        peer: TiAddress::default(),
        kind,
        syntax: TI_SYNTAX_CHAIN,
        lines: &raw const line,
        line_count: 1,
    };
    // SAFETY: the caller's promise; the request is this function's own.
    unsafe { ti_evaluate(engine, &raw const request, decision) }
}

/// Judges a client by its address, of 4 or 16 bytes in network order: a peer that sent no header,
/// or a client that the gateway has already resolved. On failure the decision's verdict is 0.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`; `address` has `length` bytes; `decision` points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_evaluate_address(
    engine: *const TiEngine,
    address: *const u8,
    length: usize,
    kind: u8,
    decision: *mut TiDecision,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let decision = unsafe { pointer::room(decision, "decision") }?;
        decision.write(TiDecision::default());
        // SAFETY: the caller's promise.
        let engine = unsafe { pointer::shared(engine, "engine") }?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { pointer::values(address, length, "address") }?;
        let request = Request::from(address_of(bytes)?).with_kind(kind_of(kind)?);
        decision.write(decide(&engine.engine.load(), &request));
        Ok(())
    })
}

/// Judges many clients by one and the same generation, each as `ti_evaluate_address` does; an
/// address of family none is an unknown client. On failure every decision's verdict is 0.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`; `addresses` and `decisions` have `count` values each
/// and do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_evaluate_many(
    engine: *const TiEngine,
    addresses: *const TiAddress,
    count: usize,
    kind: u8,
    decisions: *mut TiDecision,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let decisions = unsafe { pointer::rooms(decisions, count, "decisions") }?;
        for decision in decisions.iter_mut() {
            decision.write(TiDecision::default());
        }
        // SAFETY: the caller's promise.
        let engine = unsafe { pointer::shared(engine, "engine") }?;
        // SAFETY: the caller's promise.
        let addresses = unsafe { pointer::values(addresses, count, "addresses") }?;
        let kind = kind_of(kind)?;
        // All of them are read before the first is judged: some verdicts would look like all.
        for address in addresses {
            address.address()?;
        }
        let snapshot = engine.engine.load();
        for (address, decision) in addresses.iter().zip(decisions) {
            let chain = Chain::x_forwarded_for(address.address()?, &[]);
            let request = Request::new(chain).with_kind(kind);
            decision.write(decide(&snapshot, &request));
        }
        Ok(())
    })
}

/// Explains the verdict on a request, to the last prefix, as JSON into `json`; to be freed with
/// `ti_string_free`. On failure `json` is null.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`; `request` is as for `ti_evaluate`; `json` points to one
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_explain(
    engine: *const TiEngine,
    request: *const TiRequest,
    json: *mut *mut c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let json = unsafe { pointer::room(json, "json") }?;
        json.write(ptr::null_mut());
        // SAFETY: the caller's promise.
        let (engine, request) = unsafe { handles(engine, request) }?;
        let snapshot = engine.engine.load();
        // SAFETY: the caller's promise.
        let explanation = unsafe { request.judge(|request| snapshot.explain(request)) }?;
        let text = serde_json::to_vec(&explanation).map_err(Failure::refused)?;
        json.write(CString::new(text).map_err(Failure::refused)?.into_raw());
        Ok(())
    })
}

/// Frees a text that `ti_explain` made. Null is nothing to free.
///
/// # Safety
///
/// `text` is null, or comes from `ti_explain`, was not changed in length, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: made by `CString::into_raw` in `ti_explain` and not freed before, by the caller's
        // promise.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// # Safety
///
/// The promise of [`pointer`].
unsafe fn handles<'a>(
    engine: *const TiEngine,
    request: *const TiRequest,
) -> Result<(&'a TiEngine, &'a TiRequest), Failure> {
    // SAFETY: the caller's promise.
    let engine = unsafe { pointer::shared(engine, "engine") }?;
    // SAFETY: the caller's promise.
    let request = unsafe { pointer::shared(request, "request") }?;
    Ok((engine, request))
}

fn decide(snapshot: &Snapshot, request: &Request<'_>) -> TiDecision {
    TiDecision::new(&snapshot.evaluate(request), snapshot.generation())
}

fn address_of(bytes: &[u8]) -> Result<IpAddr, Failure> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map_err(|_| Failure::Length {
        name: "length",
        found: bytes.len(),
        expected: "4 or 16",
    })
}
