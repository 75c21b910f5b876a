//! Playing the window: several times, side by side on the machine's cores, the same whatever their number.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::scenario::Scenario;
use crate::sim::{SimReport, SimSpec, SimTime, Simulation, Source, StreamTally, Watcher};

use super::super::evaluate::header;
use super::super::results::Header;
use super::ask::{TrafficAsk, TrafficError};
use super::summary::{Batches, Traffic, sum_up};
use super::system::{AskedBefore, asked_before, people, system};

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
    // Replications differ in their seeds alone.
    let system = system(scenario, ask)?;
    let before = vec![asked_before(scenario, ask); replications as usize];
    let shares: Vec<AtomicU64> = (0..replications).map(|_| AtomicU64::new(0)).collect();
    let watcher = Mutex::new(watcher);
    let play = |(replication, before): (u32, AskedBefore)| -> Result<Played, TrafficError> {
        let seed = seed_of(ask.seed, replication);
        let spec = SimSpec { seed, ..system.clone() };
        let horizon = spec.horizon;
        let sources: Vec<Box<dyn Source + 'a>> = match trace {
            None => {
                people(scenario, ask, seed).into_iter().map(|source| source as Box<dyn Source + 'a>).collect()
            }
            Some(open) => vec![open()?],
        };
        let mut simulation = Simulation::new(spec, sources)?;
        if trace.is_none() {
            simulation.remember(before.0, before.1);
        }
        if replication == 0
            && let Ok(mut slot) = watcher.lock()
            && let Some(watcher) = slot.take()
        {
            simulation.watch(watcher);
        }
        let mut look = |simulation: &Simulation<'_>| {
            let share = (simulation.now().0 as f64 / horizon.0 as f64).min(1.0);
            shares[replication as usize].store((share * PARTS) as u64, Ordering::Relaxed);
            let played: u64 = shares.iter().map(|share| share.load(Ordering::Relaxed)).sum();
            listener.look(replication, simulation, played as f64 / PARTS / f64::from(replications));
            listener.stop()
        };
        let batches = batches(&mut simulation, ask, &mut look);
        let whole = simulation.run(&mut look);
        shares[replication as usize].store(PARTS as u64, Ordering::Relaxed);
        let report = simulation.report();
        let batches = Batches::ending_with(batches, &report);
        Ok(Played { report, batches, whole })
    };
    let played: Vec<_> = (0..replications).into_par_iter().zip(before).map(play).collect();
    let played = played.into_iter().collect::<Result<Vec<_>, _>>()?;
    let partial = played.iter().any(|one| !one.whole);
    let batches = played.first().and_then(|one| one.batches.clone()).filter(|_| !partial);
    let reports: Vec<SimReport> = played.into_iter().map(|one| one.report).collect();
    let header = Header { seed: ask.seed, ..header(scenario, replications) };
    Ok(sum_up(scenario, ask, header, (&reports, batches.as_ref()), (trace.is_some(), partial)))
}

struct Played {
    report: SimReport,
    batches: Option<Batches>,
    whole: bool,
}

/// Plays the counted time part by part; what was counted by the end of each but the last, which is played on until all is
/// answered. Empty without batches.
fn batches<'a>(
    simulation: &mut Simulation<'a>,
    ask: &TrafficAsk,
    look: &mut dyn FnMut(&Simulation<'a>) -> bool,
) -> Vec<Vec<StreamTally>> {
    let each = (ask.window_secs - ask.warmup()) / f64::from(ask.batches.max(1));
    let until = |part: u32| SimTime::from_secs(ask.warmup() + f64::from(part) * each);
    let mut stopped = false;
    let mut ends = Vec::new();
    for part in 1..ask.batches {
        let mut look = |simulation: &Simulation<'a>| {
            stopped |= look(simulation);
            stopped
        };
        simulation.run_until(until(part), &mut look);
        if stopped {
            break;
        }
        ends.push(simulation.report().streams);
    }
    ends
}

/// What a replication under way has come to, as the result of the whole would say it.
///
/// - `replayed`: whether it plays a trace.
#[must_use]
pub fn so_far(scenario: &Scenario, ask: &TrafficAsk, simulation: &Simulation<'_>, replayed: bool) -> Traffic {
    let header = Header { seed: ask.seed, ..header(scenario, 1) };
    sum_up(
        scenario,
        &TrafficAsk { replications: 1, ..ask.clone() },
        header,
        (&[simulation.report()], None),
        (replayed, true),
    )
}
