//! Playing the window: several times, side by side on the machine's cores, the same whatever their number.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::scenario::Scenario;
use crate::sim::{SimReport, Simulation, Source, Watcher};

use super::super::evaluate::header;
use super::super::results::Header;
use super::summary::{Traffic, sum_up};
use super::system::{TrafficAsk, TrafficError, asked_before, people, system};

/// Opens a trace anew for a replication: same requests each time.
pub type TraceFactory<'a> = &'a (dyn Fn() -> Result<Box<dyn Source>, TrafficError> + Sync);

/// Who follows a simulation.
pub trait Listener: Sync {
    /// Whether to stop with what there is.
    fn stop(&self) -> bool {
        false
    }

    /// A look at a replication under way, now and then. `share` is how much of the whole is played, 0..=1.
    fn look(&self, replication: u32, simulation: &Simulation<'_>, share: f64) {
        let _ = (replication, simulation, share);
    }
}

/// Nobody follows.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Listener for Unheard {}

/// Parts in which the share that is played is counted.
const PARTS: f64 = 1e6;

/// Seed of a replication: the first has the ask's own, so that one window looks the same alone and among others.
fn seed_of(seed: u64, replication: u32) -> u64 {
    seed.wrapping_add(u64::from(replication).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Plays a plan's window.
///
/// - `trace`: requests to play instead of the modelled workload; all take the route of the first use case.
/// - `watcher`: sees every request of the first replication that is over.
/// - Same ask, same result, at any number of threads; a stop gives what there is by then.
///
/// # Errors
/// [`TrafficError`] says what cannot be simulated and what to write.
pub fn simulate<'a>(
    scenario: &Scenario,
    ask: &TrafficAsk,
    trace: Option<TraceFactory<'a>>,
    watcher: Option<Watcher<'a>>,
    listener: &dyn Listener,
) -> Result<Traffic, TrafficError> {
    let replications = ask.replications.max(1);
    let shares: Vec<AtomicU64> = (0..replications).map(|_| AtomicU64::new(0)).collect();
    let watcher = Mutex::new(watcher);
    let play = |replication: u32| -> Result<(SimReport, bool), TrafficError> {
        let seed = seed_of(ask.seed, replication);
        let spec = system(scenario, ask, seed)?;
        let horizon = spec.horizon;
        let sources: Vec<Box<dyn Source + 'a>> = match trace {
            None => {
                people(scenario, ask, seed).into_iter().map(|source| source as Box<dyn Source + 'a>).collect()
            }
            Some(open) => vec![open()?],
        };
        let mut simulation = Simulation::new(spec, sources)?;
        if trace.is_none() {
            let (exact, semantic) = asked_before(scenario, ask);
            simulation.remember(exact, semantic);
        }
        if replication == 0
            && let Ok(mut slot) = watcher.lock()
            && let Some(watcher) = slot.take()
        {
            simulation.watch(watcher);
        }
        let whole = simulation.run(&mut |simulation| {
            let share = (simulation.now().0 as f64 / horizon.0 as f64).min(1.0);
            shares[replication as usize].store((share * PARTS) as u64, Ordering::Relaxed);
            let played: u64 = shares.iter().map(|share| share.load(Ordering::Relaxed)).sum();
            listener.look(replication, simulation, played as f64 / PARTS / f64::from(replications));
            listener.stop()
        });
        shares[replication as usize].store(PARTS as u64, Ordering::Relaxed);
        Ok((simulation.report(), whole))
    };
    let played: Vec<_> = (0..replications).into_par_iter().map(play).collect();
    let mut reports = Vec::with_capacity(played.len());
    let mut partial = false;
    for one in played {
        let (report, whole) = one?;
        partial |= !whole;
        reports.push(report);
    }
    let header = Header { seed: ask.seed, ..header(scenario, replications) };
    Ok(sum_up(scenario, ask, header, &reports, (trace.is_some(), partial)))
}

/// What a replication under way has come to, as the result of the whole would say it.
#[must_use]
pub fn so_far(scenario: &Scenario, ask: &TrafficAsk, simulation: &Simulation<'_>) -> Traffic {
    let header = Header { seed: ask.seed, ..header(scenario, 1) };
    sum_up(
        scenario,
        &TrafficAsk { replications: 1, ..ask.clone() },
        header,
        &[simulation.report()],
        (false, true),
    )
}
