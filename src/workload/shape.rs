//! The shape of days and weeks: how a volume falls on its hours, and how many observations say so.

use jiff::civil::DateTime;
use serde::Serialize;
use thiserror::Error;

use super::{Profile, Trace};
use crate::stats::quantities::Table;
use crate::unit::HOURS_PER_WEEK;

const SECS_PER_HOUR: f64 = 3600.0;
const HOURS_PER_DAY: usize = 24;

/// Width of the windows into which a trace is counted, as in the published window traces.
const WINDOW_SECS: f64 = 600.0;

/// Share of a day or week that must be covered for it to count as one: a trace ends with its last request.
const COVERED: f64 = 0.99;

/// A mean rate over a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Start, in seconds since the start of the record; finite, >= 0.
    pub at_secs: f64,
    /// Requests per second within it; finite, >= 0.
    pub rate_per_sec: f64,
}

/// Rates of one pool of servers or one stream, in windows of equal length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowSeries {
    /// Whose rate it is.
    pub name: String,
    /// Length of a window, in seconds; > 0.
    pub window_secs: f64,
    /// Ascending by time, none twice; windows without a record are absent.
    pub windows: Vec<Window>,
}

/// What the first hour of a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// Monday 00:00 (a day: 00:00) by the record's own clock.
    Clock,
    /// The start of the record, whose hour and weekday are not known.
    Start,
}

/// How requests fall on the hours of a day or a week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HourlyShape {
    /// What hour 0 is.
    pub anchor: Anchor,
    /// Weight of each hour, 24 or 168 of them, with mean 1; an hour without a window gets the mean of its
    /// neighbours and has support 0.
    pub weights: Vec<f64>,
    /// Windows that each hour rests on.
    pub support: Vec<u32>,
    /// Coefficient of variation of the rates of each hour's windows: how far the hour differs from week to week.
    pub cv: Vec<f64>,
    /// Length of the windows, in seconds.
    pub window_secs: f64,
    /// Mean rate over all windows, in requests per second.
    pub rate_per_sec: f64,
}

/// Why there is no shape.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ShapeError {
    /// Less than a day.
    #[error("the record spans {hours:.1} h; the shape of a day needs 24 h")]
    TooShort {
        /// Its span.
        hours: f64,
    },
    /// Nothing ever came.
    #[error("all {windows} windows have a rate of 0")]
    NoRequests {
        /// How many windows.
        windows: usize,
    },
}

impl HourlyShape {
    /// The shape of a trace, counted in windows of ten minutes; the last, unfinished one is not counted.
    ///
    /// # Errors
    /// [`ShapeError::TooShort`] below a day.
    pub fn of_trace(trace: &Trace) -> Result<Self, ShapeError> {
        let span = trace.span_secs();
        let full = (1..).take_while(|&i: &u32| f64::from(i) * WINDOW_SECS <= span).count();
        let mut counts = vec![0_u32; full];
        for row in &trace.rows {
            if let Some(count) = counts.get_mut(whole(row.at_secs / WINDOW_SECS)) {
                *count += 1;
            }
        }
        let windows = (0_u32..)
            .zip(&counts)
            .map(|(i, &count)| Window {
                at_secs: f64::from(i) * WINDOW_SECS,
                rate_per_sec: f64::from(count) / WINDOW_SECS,
            })
            .collect();
        Self::of(&WindowSeries { name: trace.format.clone(), window_secs: WINDOW_SECS, windows }, trace.start)
    }

    /// The shape of windows: of a week when they span one, else of a day.
    ///
    /// - `start`: wall clock of second 0, if known; it anchors hour 0 to Monday 00:00 (or midnight).
    ///
    /// # Errors
    /// [`ShapeError`] when the windows span less than a day, or hold nothing.
    pub fn of(series: &WindowSeries, start: Option<DateTime>) -> Result<Self, ShapeError> {
        let WindowSeries { window_secs, windows, .. } = series;
        let begin = windows.first().map_or(0.0, |w| w.at_secs);
        let hours = windows.last().map_or(0.0, |w| (w.at_secs + window_secs - begin) / SECS_PER_HOUR);
        let length = match hours {
            h if h >= COVERED * HOURS_PER_WEEK as f64 => HOURS_PER_WEEK,
            h if h >= COVERED * HOURS_PER_DAY as f64 => HOURS_PER_DAY,
            _ => return Err(ShapeError::TooShort { hours }),
        };
        let offset = start.map_or(0.0, secs_since_monday);
        let mut moments = vec![Moments::default(); length];
        let mut all = Moments::default();
        for window in windows {
            let hour = whole((window.at_secs + offset + window_secs / 2.0) / SECS_PER_HOUR) % length;
            if let Some(moments) = moments.get_mut(hour) {
                moments.add(window.rate_per_sec);
            }
            all.add(window.rate_per_sec);
        }
        let rates = filled(&moments);
        let mean = rates.iter().sum::<f64>() / length as f64;
        if mean <= 0.0 {
            return Err(ShapeError::NoRequests { windows: windows.len() });
        }
        Ok(Self {
            anchor: if start.is_some() { Anchor::Clock } else { Anchor::Start },
            weights: rates.iter().map(|rate| rate / mean).collect(),
            support: moments.iter().map(|m| m.n).collect(),
            cv: moments.iter().map(Moments::cv).collect(),
            window_secs: *window_secs,
            rate_per_sec: all.mean(),
        })
    }

    /// The busiest hour as a multiple of the mean.
    #[must_use]
    pub fn peak_to_mean(&self) -> f64 {
        self.weights.iter().copied().fold(0.0, f64::max)
    }

    /// The profile of a week for a scenario; a day is repeated seven times.
    ///
    /// - `start_hour`: hour of the week (0 = Monday 00:00) at which the record starts; counts only for a shape
    ///   that is not anchored by a clock.
    #[must_use]
    pub fn profile(&self, start_hour: usize) -> Profile {
        let shift = if self.anchor == Anchor::Clock { 0 } else { start_hour % HOURS_PER_WEEK };
        let hours = (0..HOURS_PER_WEEK).map(|hour| {
            let from = (hour + HOURS_PER_WEEK - shift) % self.weights.len().max(1);
            self.weights.get(from).copied().unwrap_or(1.0)
        });
        Profile::Hours(Table(hours.collect()))
    }
}

/// Count, mean and spread, by Welford's recurrence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub n: u32,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub fn add(&mut self, v: f64) {
        self.n += 1;
        let from_mean = v - self.mean;
        self.mean += from_mean / f64::from(self.n);
        self.squares += from_mean * (v - self.mean);
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Sample variance; 0 of fewer than two.
    pub fn variance(&self) -> f64 {
        if self.n < 2 { 0.0 } else { self.squares / f64::from(self.n - 1) }
    }

    /// Coefficient of variation; 0 where the mean is.
    pub fn cv(&self) -> f64 {
        if self.mean > 0.0 { self.variance().sqrt() / self.mean } else { 0.0 }
    }
}

/// Mean rate per hour; an hour without windows lies on the line between the nearest ones that have some.
fn filled(moments: &[Moments]) -> Vec<f64> {
    let n = moments.len();
    let nearest = |from: usize, step: usize| {
        (1..n).find_map(|k| {
            let m = moments.get((from + k * step) % n)?;
            (m.n > 0).then_some((k as f64, m.mean))
        })
    };
    (0..n)
        .map(|hour| match moments.get(hour) {
            Some(m) if m.n > 0 => m.mean,
            _ => match (nearest(hour, n - 1), nearest(hour, 1)) {
                (Some((back, before)), Some((ahead, after))) => {
                    (before * ahead + after * back) / (back + ahead)
                }
                _ => 0.0,
            },
        })
        .collect()
}

fn secs_since_monday(at: DateTime) -> f64 {
    let days = f64::from(at.weekday().to_monday_zero_offset());
    let secs = f64::from(at.hour()) * SECS_PER_HOUR + f64::from(at.minute()) * 60.0 + f64::from(at.second());
    days * HOURS_PER_DAY as f64 * SECS_PER_HOUR + secs + f64::from(at.subsec_nanosecond()) * 1e-9
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates; input is >= 0"
)]
pub(super) fn whole(v: f64) -> usize {
    v as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(windows: u32, rate: impl Fn(f64) -> f64) -> WindowSeries {
        let windows = (0..windows).map(|i| f64::from(i) * 600.0);
        WindowSeries {
            name: "test".into(),
            window_secs: 600.0,
            windows: windows.map(|at| Window { at_secs: at, rate_per_sec: rate(at / 3600.0) }).collect(),
        }
    }

    #[test]
    fn two_weeks_give_a_week_whose_hours_rest_on_twelve_windows_each() {
        let shape = HourlyShape::of(&series(2016, |hour| 5.0 + (hour % 24.0).floor()), None).expect("shape");
        assert_eq!(shape.weights.len(), 168);
        assert!(shape.support.iter().all(|&n| n == 12), "{:?}", shape.support);
        assert!((shape.weights.iter().sum::<f64>() / 168.0 - 1.0).abs() < 1e-12);
        assert!((shape.weights[30] / shape.weights[24] - 11.0 / 5.0).abs() < 1e-12);
        assert!((shape.rate_per_sec - 16.5).abs() < 1e-9);
        assert_eq!(shape.anchor, Anchor::Start);
    }

    #[test]
    fn a_day_gives_a_day_and_less_gives_none() {
        assert_eq!(HourlyShape::of(&series(144, |_| 1.0), None).expect("day").weights, [1.0; 24]);
        assert_eq!(HourlyShape::of(&series(72, |_| 1.0), None), Err(ShapeError::TooShort { hours: 12.0 }));
        assert_eq!(
            HourlyShape::of(&series(144, |_| 0.0), None),
            Err(ShapeError::NoRequests { windows: 144 })
        );
    }

    #[test]
    fn the_clock_puts_the_hours_where_they_belong() {
        // Thursday 2023-11-16 18:00: the record's hour 0 is hour 3 * 24 + 18 of the week.
        let start = "2023-11-16T18:00:00".parse().expect("date");
        let record = series(1008, |hour| if hour < 1.0 { 2.0 } else { 1.0 });
        let shape = HourlyShape::of(&record, Some(start)).expect("shape");
        let peak = shape.weights.iter().position(|&w| w > 1.5);
        assert_eq!(peak, Some(90));
        let unanchored = HourlyShape::of(&record, None).expect("shape");
        assert_eq!(unanchored.profile(90), shape.profile(0));
    }

    #[test]
    fn an_hour_without_windows_lies_between_its_neighbours_and_says_so() {
        let mut record = series(144, |hour| hour.floor());
        record.windows.retain(|w| !(7.0..9.0).contains(&(w.at_secs / 3600.0)));
        let shape = HourlyShape::of(&record, None).expect("shape");
        assert_eq!((shape.support[7], shape.support[8], shape.support[9]), (0, 0, 6));
        let hour = shape.weights[23] / 23.0;
        assert!((shape.weights[7] / hour - 7.0).abs() < 1e-9 && (shape.weights[8] / hour - 8.0).abs() < 1e-9);
    }
}
