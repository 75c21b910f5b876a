//! A trace looked through, and played through a plan.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::{Replay, ReplayAccount, ReplayError, ReplayOptions, ReplayWatch};
use crate::analysis::traffic::{Listener, Traffic, TrafficAsk, TrafficError, simulate};
use crate::io::trace::{TraceError, delimiter_of, open};
use crate::scenario::Scenario;
use crate::sim::{self, Watcher};

/// Requests between two calls of a watcher.
const WATCH_REQUESTS: u64 = 4_096;

/// What a trace holds, read to its end and not played.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceLook {
    /// Rows, requests, and what was left out.
    pub account: ReplayAccount,
    /// Mean prompt, in tokens, scaled as asked.
    pub prompt_tokens: f64,
    /// Mean answer, likewise.
    pub output_tokens: f64,
}

/// Reads a trace to its end, as it would be played.
///
/// - `watch` is told now and then how many requests were read; it may stop the reading: what was read is the answer.
///
/// # Errors
/// [`ReplayError`] names the line or the option and what to write.
pub fn look(
    path: &Path,
    options: &ReplayOptions,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<TraceLook, Arc<ReplayError>> {
    let mut replay = Replay::open(path, options)?;
    let (mut prompts, mut outputs) = (0.0, 0.0);
    while let Some(request) = replay.next() {
        prompts += f64::from(request.prompt_tokens);
        outputs += f64::from(request.output_tokens);
        let read = replay.account().requests;
        if read % WATCH_REQUESTS == 0 && watch(read).is_break() {
            break;
        }
    }
    if let Some(error) = replay.error.take() {
        return Err(error);
    }
    let account = replay.account().clone();
    let requests = account.requests.max(1) as f64;
    Ok(TraceLook { account, prompt_tokens: prompts / requests, output_tokens: outputs / requests })
}

/// Names of a trace's columns, or of the fields of its first JSON line, in their order.
///
/// # Errors
/// [`TraceError`] for a file that cannot be read or is no text.
pub fn columns(path: &Path) -> Result<Vec<String>, TraceError> {
    let (reader, first) = open(path)?;
    let mut lines = super::Lines::new(reader);
    let read = |source| TraceError::Read { path: path.to_owned(), source };
    let Some(super::Line::Text(_, line)) = lines.next_quoted().map_err(read)? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches('\u{feff}');
    if first == b'{' {
        let fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        return Ok(fields.into_iter().map(|(name, _)| name).collect());
    }
    let mut quoted = csv::ByteRecord::new();
    let cells = super::lines::cells(text.as_bytes(), delimiter_of(text), &mut quoted);
    Ok(cells.into_iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect())
}

/// The stream of a use case by its id: where it stands among those that are enabled.
#[must_use]
pub fn stream_of(scenario: &Scenario, id: &str) -> Option<u16> {
    let use_cases = &scenario.point().workload.use_cases;
    let place = scenario.facts().use_cases.iter().position(|facts| use_cases[facts.position].id == id);
    place.and_then(|place| u16::try_from(place).ok())
}

/// Plays a trace through a plan in place of the modelled workload.
///
/// - `watcher`: sees every request of the first replication that is over.
///
/// # Errors
/// [`TrafficError`] says what cannot be simulated, or why the trace ended early, and what to write.
pub fn simulate_trace<'a>(
    scenario: &Scenario,
    ask: &TrafficAsk,
    (path, options): (&Path, &ReplayOptions),
    watcher: Option<Watcher<'a>>,
    listener: &dyn Listener,
) -> Result<(Traffic, ReplayAccount), TrafficError> {
    let first: Mutex<Option<ReplayWatch>> = Mutex::new(None);
    let factory = || -> Result<Box<dyn sim::Source>, TrafficError> {
        let replay = Replay::open(path, options).map_err(|error| TrafficError::Trace(error.to_string()))?;
        first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| replay.watch());
        Ok(Box::new(replay))
    };
    let traffic = simulate(scenario, ask, Some(&factory), watcher, listener)?;
    let watch = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = watch.as_ref().and_then(ReplayWatch::error) {
        return Err(TrafficError::Trace(error.to_string()));
    }
    Ok((traffic, watch.map(|watch| watch.account()).unwrap_or_default()))
}
