//! What is served.

use std::ffi::c_int;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use threatinsight::{
    Action, CompileError, Configuration, Engine, Extensions, List, Policy, Snapshot, Timestamp,
    Zones,
};

use crate::failure::{Failure, status, value};
use crate::inputs::TiInputs;
use crate::pointer;

/// What is served. For any number of threads at once.
#[derive(Debug)]
pub struct TiEngine {
    pub(crate) engine: Engine,
    /// Held while a policy is put in place in several steps, so that no other swap is lost between.
    swapping: Mutex<()>,
}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<TiEngine>();
};

impl TiEngine {
    fn swapping(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data.
        self.swapping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles the inputs, with the entries that live at `now`, in seconds since the Unix epoch.
/// Null when they do not compile; `ti_last_error` says why.
///
/// # Safety
///
/// `inputs` comes from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_new(inputs: *const TiInputs, now: u64) -> *mut TiEngine {
    value(ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let inputs = unsafe { pointer::shared(inputs, "inputs") }?;
        let engine = TiEngine {
            engine: Engine::new(compile(inputs, now)?),
            swapping: Mutex::default(),
        };
        Ok(Box::into_raw(Box::new(engine)))
    })
}

/// Frees the engine. Null is nothing to free.
///
/// # Safety
///
/// `engine` is null, or comes from `ti_engine_new`, and no thread uses it now or again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_free(engine: *mut TiEngine) {
    value((), || {
        if !engine.is_null() {
            // SAFETY: made by `Box::into_raw` in `ti_engine_new` and not freed before, by the
            // caller's promise.
            drop(unsafe { Box::from_raw(engine) });
        }
        Ok(())
    });
}

/// How often something was swapped, from 1; 0 when `engine` is null.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_generation(engine: *const TiEngine) -> u64 {
    value(0, || {
        // SAFETY: the caller's promise.
        let engine = unsafe { pointer::shared(engine, "engine") }?;
        Ok(engine.engine.load().generation())
    })
}

/// Serves the inputs in place of everything that was served. What starts to be judged after this
/// returns is judged by them.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_swap(
    engine: *const TiEngine,
    inputs: *const TiInputs,
    now: u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let (engine, inputs) = unsafe { handles(engine, inputs) }?;
        let snapshot = compile(inputs, now)?;
        let _swapping = engine.swapping();
        engine.engine.swap(snapshot);
        Ok(())
    })
}

/// Serves the inputs' feeds under the policy that is served.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_swap_list(
    engine: *const TiEngine,
    inputs: *const TiInputs,
    now: u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let (engine, inputs) = unsafe { handles(engine, inputs) }?;
        let list = List::compile(&inputs.feeds, Timestamp(now)).map_err(Failure::refused)?;
        let _swapping = engine.swapping();
        engine.engine.update_list(list);
        Ok(())
    })
}

/// Serves the inputs' policy with the list that is served; the inputs' feeds are not read.
///
/// # Safety
///
/// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ti_engine_swap_policy(
    engine: *const TiEngine,
    inputs: *const TiInputs,
) -> c_int {
    status(|| {
        // SAFETY: the caller's promise.
        let (engine, inputs) = unsafe { handles(engine, inputs) }?;
        let policy = inputs.policy()?;
        let _swapping = engine.swapping();
        let next = with_policy(&engine.engine.load(), policy).map_err(Failure::refused)?;
        engine.engine.swap(next);
        Ok(())
    })
}

/// # Safety
///
/// The promise of [`pointer`].
unsafe fn handles<'a>(
    engine: *const TiEngine,
    inputs: *const TiInputs,
) -> Result<(&'a TiEngine, &'a TiInputs), Failure> {
    // SAFETY: the caller's promise.
    let engine = unsafe { pointer::shared(engine, "engine") }?;
    // SAFETY: the caller's promise.
    let inputs = unsafe { pointer::shared(inputs, "inputs") }?;
    Ok((engine, inputs))
}

fn compile(inputs: &TiInputs, now: u64) -> Result<Snapshot, Failure> {
    let compiled = inputs.policy()?.compile(&inputs.feeds, Timestamp(now));
    compiled.map_err(Failure::refused)
}

/// The snapshot with another policy. In between it has a configuration that names no zone, because
/// the old one may name zones that are gone and the new one zones that are not there yet.
fn with_policy(snapshot: &Snapshot, policy: &Policy) -> Result<Snapshot, CompileError> {
    let Policy {
        configuration,
        extensions,
        zones,
    } = policy;
    let zones = Zones::compile(zones)?;
    let nothing = Configuration::new(Action::None);
    let snapshot = snapshot.with_configuration(&nothing, &Extensions::default())?;
    snapshot
        .with_zones(zones)?
        .with_configuration(configuration, extensions)
}
