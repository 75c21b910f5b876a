//! Rates per window of time, as ServeGen publishes them for its pools and clients.

use std::collections::BTreeMap;
use std::path::Path;

use super::{TraceError, found, open};
use crate::workload::{Window, WindowSeries};

/// Reads windows: columns `window_start_s`, `rate_req_s` and, where there are several, `pool`; rows of one pool
/// and window (its clients) are added up. Pools come in the order of their names.
///
/// Rows whose numbers cannot be read are an error here, not left out: a missing window would look like a quiet
/// hour.
///
/// # Errors
/// [`TraceError`] names the line and what to write.
pub fn read_windows(path: &Path) -> Result<Vec<WindowSeries>, TraceError> {
    let (reader, _) = open(path)?;
    let mut rows = csv::ReaderBuilder::new().from_reader(reader);
    let failed =
        |error: csv::Error| TraceError::Read { path: path.to_owned(), source: std::io::Error::other(error) };
    let names: Vec<String> = rows.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let position = |name: &str| names.iter().position(|n| n.trim().eq_ignore_ascii_case(name));
    let (Some(start_at), Some(rate_at)) = (position("window_start_s"), position("rate_req_s")) else {
        return Err(TraceError::MissingColumn {
            path: path.to_owned(),
            missing: "the windows".to_owned(),
            found: found(&names),
            expected: "window_start_s, rate_req_s and, for several, pool".to_owned(),
        });
    };
    let pool_at = position("pool");
    let mut pools: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    for record in rows.records() {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |at: usize| {
            let text = record.get(at).unwrap_or_default().trim();
            text.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0).ok_or_else(|| TraceError::NoRows {
                path: path.to_owned(),
                why: format!(
                    "line {line}: {} is \"{}\"; write a number from 0 on",
                    names.get(at).map_or("", String::as_str),
                    super::shortened(text)
                ),
            })
        };
        let pool = pool_at.and_then(|at| record.get(at)).unwrap_or("all").to_owned();
        // The bits of a number that is not negative sort as it does.
        *pools.entry(pool).or_default().entry(number(start_at)?.to_bits()).or_default() += number(rate_at)?;
    }
    Ok(pools.into_iter().filter_map(|(name, windows)| series(name, &windows)).collect())
}

/// Windows in order; their length is the least distance between two. `None` for a single one.
fn series(name: String, windows: &BTreeMap<u64, f64>) -> Option<WindowSeries> {
    let windows: Vec<Window> = windows
        .iter()
        .map(|(&at, &rate)| Window { at_secs: f64::from_bits(at), rate_per_sec: rate })
        .collect();
    let distances = windows.iter().zip(windows.iter().skip(1)).map(|(a, b)| b.at_secs - a.at_secs);
    let window_secs = distances.reduce(f64::min)?;
    Some(WindowSeries { name, window_secs, windows })
}
