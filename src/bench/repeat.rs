//! How often to repeat: until the median is known within 2 %, or the time for the point is up.

use std::time::{Duration, Instant};

use crate::stats::Summary;

use super::result::Clock;

/// Half the width of the median's 95 % interval that counts as steady.
pub const STEADY: f64 = 0.02;

/// Fewest samples: of seven, the smallest and the largest enclose the median with 98 %.
pub const SAMPLES_MIN: usize = 7;

/// Most samples.
const SAMPLES_MAX: usize = 200;

/// A sample is at least so long, so that the cost of starting one (some 50 µs) stays below a percent.
const SAMPLE_SECS: f64 = 0.008;

/// A sample is at most about so long: systems reset a GPU that does not answer for two seconds.
pub const SAMPLE_SECS_MAX: f64 = 0.25;

/// Most passes in a sample.
const PASSES_MAX: u32 = 1 << 20;

/// One timed sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    /// Seconds of all passes together; > 0.
    pub secs: f64,
    /// How time was taken.
    pub clock: Clock,
}

/// What the samples say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Median of the seconds of a pass.
    pub pass_secs: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Samples.
    pub samples: u32,
    /// Passes in each.
    pub passes: u32,
    /// How time was taken; the host's clock if any sample used it.
    pub clock: Clock,
    /// Whether the interval is within 2 %.
    pub steady: bool,
    /// How long the system slept meanwhile, in seconds; 0 usually.
    pub slept_secs: f64,
}

/// How many passes make a sample long enough.
///
/// Grows from one pass; each trial run is also warm-up. `time` takes passes and returns their time.
fn passes<E>(time: &mut impl FnMut(u32) -> Result<Timed, E>, patience: Duration) -> Result<(u32, f64), E> {
    let begun = Instant::now();
    let mut passes = 1_u32;
    loop {
        let secs = time(passes)?.secs.max(1e-9);
        if secs >= SAMPLE_SECS || passes >= PASSES_MAX || begun.elapsed() > patience {
            return Ok((passes, secs / f64::from(passes)));
        }
        // Not by more than 16 at once: the first, cold pass may be far slower than the next, or the clock too coarse.
        let wanted = (1.25 * SAMPLE_SECS / secs).clamp(2.0, 16.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^24")]
        let grown = (f64::from(passes) * wanted) as u32;
        passes = grown.min(PASSES_MAX);
    }
}

/// Repeats samples until the median is steady or `patience` is over; at least [`SAMPLES_MIN`] of them unless `stop`.
///
/// - `time`: runs so many passes and returns their time.
/// - `stop`: asked between samples.
/// - `None`: stopped before there were three samples, of which nothing can be said.
///
/// # Errors
/// What `time` returns.
pub fn settle<E>(
    mut time: impl FnMut(u32) -> Result<Timed, E>,
    stop: impl Fn() -> bool,
    patience: Duration,
) -> Result<Option<Settled>, E> {
    let begun = Instant::now();
    let (passes, _) = passes(&mut time, patience)?;
    let (mut secs, mut clock, mut slept_secs) = (Vec::new(), Clock::DeviceTimestamps, 0.0);
    // One more sample to warm up at the final length.
    time(passes)?;
    loop {
        let sleep = Sleep::begin();
        let timed = time(passes)?;
        match sleep.slept() {
            Some(slept) => slept_secs += slept,
            None => {
                secs.push(timed.secs.max(1e-9) / f64::from(passes));
                if timed.clock == Clock::HostClock {
                    clock = Clock::HostClock;
                }
            }
        }
        let enough = secs.len() >= SAMPLES_MIN;
        let settled = summed(&secs, passes, clock, slept_secs);
        let over = stop() || secs.len() >= SAMPLES_MAX || (begun.elapsed() >= patience && enough);
        if over || (enough && settled.is_some_and(|settled| settled.steady)) {
            return Ok(settled.filter(|settled| settled.samples >= 3));
        }
        // A point whose single pass takes seconds still ends: three samples are the least.
        if begun.elapsed() >= patience * 4 && secs.len() >= 3 {
            return Ok(settled);
        }
    }
}

fn summed(secs: &[f64], passes: u32, clock: Clock, slept_secs: f64) -> Option<Settled> {
    let summary = Summary::of(secs).ok()?;
    let median = summary.percentile(50)?;
    let half = 0.5 * (median.high - median.low) / median.value;
    Some(Settled {
        pass_secs: median.value,
        low: median.low,
        high: median.high,
        samples: u32::try_from(secs.len()).unwrap_or(u32::MAX),
        passes,
        clock,
        steady: secs.len() >= SAMPLES_MIN && half <= STEADY,
        slept_secs,
    })
}

/// Notices that the system slept: the wall clock went on while the steady one stood still.
struct Sleep {
    steady: Instant,
    wall: std::time::SystemTime,
}

/// The wall clock may be set by a second or so while it is kept in step with the world.
const WALL_STEP_SECS: f64 = 2.0;

impl Sleep {
    fn begin() -> Self {
        Self { steady: Instant::now(), wall: std::time::SystemTime::now() }
    }

    fn slept(&self) -> Option<f64> {
        let wall = self.wall.elapsed().ok()?.as_secs_f64();
        let gone = wall - self.steady.elapsed().as_secs_f64();
        (gone > WALL_STEP_SECS).then_some(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    type Never = std::convert::Infallible;

    fn timed(secs: f64) -> Result<Timed, Never> {
        Ok(Timed { secs, clock: Clock::HostClock })
    }

    #[test]
    fn a_device_of_constant_speed_settles_with_the_fewest_samples_on_its_speed() {
        let settled = settle(|passes| timed(f64::from(passes) * 1e-4), || false, Duration::from_secs(1));
        let settled = settled.unwrap().unwrap();
        assert!((settled.pass_secs - 1e-4).abs() < 1e-12 && settled.steady);
        assert_eq!(settled.samples as usize, SAMPLES_MIN);
        assert!(f64::from(settled.passes) * 1e-4 >= SAMPLE_SECS);
    }

    #[test]
    fn a_device_that_never_settles_ends_with_a_wide_interval_that_says_so() {
        let i = Cell::new(0_u32);
        let time = |passes: u32| {
            i.set(i.get() + 1);
            timed(f64::from(passes) * 1e-2 * if i.get().is_multiple_of(2) { 1.0 } else { 2.0 })
        };
        let settled = settle(time, || false, Duration::ZERO).unwrap().unwrap();
        assert!(!settled.steady && settled.low < settled.high);
        assert!(settled.low >= 1e-2 && settled.high <= 2e-2);
    }

    #[test]
    fn a_stop_keeps_three_samples_and_drops_fewer() {
        let n = Cell::new(0_u32);
        let time = |_| {
            n.set(n.get() + 1);
            timed(0.01)
        };
        assert_eq!(settle(time, || true, Duration::from_secs(1)).unwrap(), None);
        n.set(0);
        // One trial and one warm-up come before the samples.
        let settled = settle(time, || n.get() >= 5, Duration::from_secs(1)).unwrap().unwrap();
        assert_eq!((settled.samples, settled.steady), (3, false));
    }
}
