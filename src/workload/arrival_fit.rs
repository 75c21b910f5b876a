//! How often requests come and how unevenly, as observed.

use serde::Serialize;

use super::Trace;
use super::shape::{HourlyShape, Moments, whole};

/// Windows in which the counts of requests are compared, in seconds.
const WINDOWS_SECS: [f64; 5] = [1.0, 10.0, 60.0, 300.0, 3600.0];

/// Fewest windows from which a variance is stated.
const WINDOWS_MIN: usize = 10;

/// Window within which arrivals count as near one another, in seconds, and the fewest gaps in it.
const LOCAL_SECS: f64 = 60.0;
const LOCAL_GAPS_MIN: u32 = 10;

/// Time stamps are too coarse for gaps when their step is more than this share of the mean gap.
const STEP_SHARE_MAX: f64 = 0.1;

const SECS_PER_DAY: f64 = 86_400.0;

/// How uneven the counts of requests per window are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Dispersion {
    /// Length of the windows, in seconds.
    pub window_secs: f64,
    /// How many full windows there are.
    pub windows: usize,
    /// Variance over mean of the counts: 1 for Poisson arrivals, the squared coefficient of variation of the
    /// gaps (over long windows) for independent gaps, and more where the rate drifts.
    pub index: f64,
    /// Largest count over the mean.
    pub peak_to_mean: f64,
}

/// How often requests come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArrivalFit {
    /// Requests in the trace.
    pub requests: usize,
    /// From first to last, in seconds; > 0.
    pub span_secs: f64,
    /// Mean requests per second: gaps over span.
    pub rate_per_sec: f64,
    /// The same per day of 86,400 s.
    pub requests_per_day: f64,
    /// Relative standard error of the mean rate, `sqrt(dispersion / requests)` with the dispersion of the longest
    /// windows; none where the trace is too short to state one.
    pub rate_error: Option<f64>,
    /// Coefficient of variation of the gaps between requests over the whole trace; 1 is Poisson.
    pub gap_cv: f64,
    /// The same within minutes, so that a drift of the rate is not counted; none if minutes hold too few requests.
    pub gap_cv_within_minute: Option<f64>,
    /// Step of the time stamps in seconds where it is so coarse that the gaps say nothing of burstiness.
    pub coarse_step_secs: Option<f64>,
    /// Unevenness at several windows, of which the trace holds at least ten each.
    pub dispersion: Vec<Dispersion>,
    /// How the volume falls on the hours, where the trace spans a day.
    pub shape: Option<HourlyShape>,
}

impl ArrivalFit {
    /// `None` when there are fewer than two requests or they all come at once.
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let times: Vec<f64> = trace.rows.iter().map(|row| row.at_secs).collect();
        let span_secs = trace.span_secs();
        if times.len() < 2 || span_secs <= 0.0 {
            return None;
        }
        let gaps: Vec<f64> = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b - a).collect();
        let mut moments = Moments::default();
        gaps.iter().for_each(|&gap| moments.add(gap));
        let rate_per_sec = gaps.len() as f64 / span_secs;
        let dispersion: Vec<_> =
            WINDOWS_SECS.iter().filter_map(|&window| dispersion(&times, span_secs, window)).collect();
        Some(Self {
            requests: times.len(),
            span_secs,
            rate_per_sec,
            requests_per_day: rate_per_sec * SECS_PER_DAY,
            rate_error: dispersion.last().map(|longest| (longest.index / times.len() as f64).sqrt()),
            gap_cv: moments.cv(),
            gap_cv_within_minute: cv_within(&times, &gaps),
            coarse_step_secs: coarse_step(&times, &gaps),
            dispersion,
            shape: HourlyShape::of_trace(trace).ok(),
        })
    }

    /// The burstiness for a scenario: the coefficient of variation of the gaps, if the time stamps show it.
    #[must_use]
    pub fn burstiness_cv(&self) -> Option<f64> {
        self.coarse_step_secs.is_none().then_some(self.gap_cv)
    }
}

fn dispersion(times: &[f64], span: f64, window_secs: f64) -> Option<Dispersion> {
    let windows = whole(span / window_secs);
    if windows < WINDOWS_MIN {
        return None;
    }
    let mut counts = vec![0_u32; windows];
    for &at in times {
        if let Some(count) = counts.get_mut(whole(at / window_secs)) {
            *count += 1;
        }
    }
    let mut moments = Moments::default();
    counts.iter().for_each(|&count| moments.add(f64::from(count)));
    let mean = moments.mean();
    let peak = counts.iter().copied().max().map_or(0.0, f64::from);
    (mean > 0.0).then(|| Dispersion {
        window_secs,
        windows,
        index: moments.variance() / mean,
        peak_to_mean: peak / mean,
    })
}

/// Mean over minutes of the squared coefficient of variation, weighted by gaps; its root.
fn cv_within(times: &[f64], gaps: &[f64]) -> Option<f64> {
    let (mut weighted, mut weight) = (0.0, 0.0);
    let mut minute = Moments::default();
    let mut current = 0;
    let mut close = |minute: &Moments| {
        if minute.n >= LOCAL_GAPS_MIN {
            let n = f64::from(minute.n);
            weighted += n * minute.cv().powi(2);
            weight += n;
        }
    };
    for (&at, &gap) in times.iter().zip(gaps) {
        let index = whole(at / LOCAL_SECS);
        if index != current {
            close(&minute);
            (minute, current) = (Moments::default(), index);
        }
        minute.add(gap);
    }
    close(&minute);
    (weight > 0.0).then(|| (weighted / weight).sqrt())
}

/// The step of time stamps that are multiples of one, where it is coarse and requests fall together.
fn coarse_step(times: &[f64], gaps: &[f64]) -> Option<f64> {
    const SLACK: f64 = 1e-4;
    let step = gaps.iter().copied().filter(|&gap| gap > 0.0).reduce(f64::min)?;
    let mean = times.last()? / gaps.len() as f64;
    let together = gaps.contains(&0.0);
    let on_grid = |at: &f64| (at / step - (at / step).round()).abs() < SLACK;
    (together && step > STEP_SHARE_MAX * mean && times.iter().all(on_grid)).then_some(step)
}
