//! When requests come: renewal processes under a weekly profile, with bursts of a flash crowd on top.
//!
//! Gaps of mean 1 are drawn on a clock that runs with the rate, so that the number of arrivals follows the profile and
//! their irregularity the coefficient of variation, in quiet and in busy hours alike.

use rand_distr::{Distribution, Exp1, Gamma};

use crate::unit::{HOURS_PER_WEEK, NS_PER_SEC, SimTime};

use super::draws::Draws;

/// How irregular arrivals are within an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Renewal {
    /// Evenly spaced.
    Even,
    /// Poisson: the past says nothing.
    Poisson,
    /// Gamma gaps with this coefficient of variation.
    Gamma(f64),
    /// Weibull gaps with this coefficient of variation.
    Weibull(f64),
}

impl Renewal {
    /// The usual family for a coefficient of variation.
    #[must_use]
    pub fn of(cv: f64) -> Self {
        match cv {
            cv if cv < 0.01 => Self::Even,
            cv if (cv - 1.0).abs() < 1e-3 => Self::Poisson,
            cv => Self::Gamma(cv.min(CV_MAX)),
        }
    }
}

/// Largest coefficient of variation that is drawn with.
const CV_MAX: f64 = 100.0;

/// A flash crowd that comes and goes: the rate is multiplied while it is there.
///
/// A Markov-modulated process of two states. The mean rate stays what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowd {
    /// Rate while it is there over the rate while it is not; >= 1.
    pub factor: f64,
    /// Mean time until one comes, in seconds.
    pub calm_secs: f64,
    /// Mean time until it is gone, in seconds.
    pub stay_secs: f64,
}

#[derive(Clone, Copy, Debug)]
enum Gaps {
    Even,
    Poisson,
    Gamma(Gamma<f64>),
    /// Shape and scale.
    Weibull(f64, f64),
}

impl Gaps {
    fn of(renewal: Renewal) -> Self {
        match renewal {
            Renewal::Even => Self::Even,
            Renewal::Poisson => Self::Poisson,
            Renewal::Gamma(cv) => {
                let shape = 1.0 / (cv * cv).max(1e-6);
                Gamma::new(shape, 1.0 / shape).map_or(Self::Poisson, Self::Gamma)
            }
            Renewal::Weibull(cv) => {
                let shape = weibull_shape(cv.clamp(0.01, CV_MAX));
                Self::Weibull(shape, 1.0 / gamma_fn(1.0 + 1.0 / shape))
            }
        }
    }

    #[inline]
    fn draw(&self, draws: &mut Draws) -> f64 {
        match self {
            Self::Even => 1.0,
            Self::Poisson => Exp1.sample(draws),
            Self::Gamma(gamma) => gamma.sample(draws),
            Self::Weibull(shape, scale) => {
                let e: f64 = Exp1.sample(draws);
                scale * e.powf(1.0 / shape)
            }
        }
    }
}

fn gamma_fn(x: f64) -> f64 {
    statrs::function::gamma::gamma(x)
}

/// The shape whose coefficient of variation is `cv`, by bisection: it falls as the shape grows.
fn weibull_shape(cv: f64) -> f64 {
    let of = |shape: f64| {
        let mean = statrs::function::gamma::ln_gamma(1.0 + 1.0 / shape);
        let square = statrs::function::gamma::ln_gamma(1.0 + 2.0 / shape);
        ((square - 2.0 * mean).exp() - 1.0).max(0.0).sqrt()
    };
    let (mut low, mut high) = (0.05_f64, 200.0_f64);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if of(middle) > cv { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

/// Nanoseconds of an hour.
const HOUR_NS: f64 = 3600.0 * NS_PER_SEC;

#[derive(Clone, Debug)]
struct CrowdState {
    crowd: Crowd,
    there: bool,
    until: f64,
    /// What keeps the mean.
    calm_factor: f64,
}

/// Times of arrivals.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    gaps: Gaps,
    /// Arrivals per nanosecond in each hour of the week.
    rates: Box<[f64; HOURS_PER_WEEK]>,
    first_hour: usize,
    crowd: Option<CrowdState>,
    draws: Draws,
    /// Where the clock stands, in nanoseconds, and the end of the stretch of one rate.
    now: f64,
    stretch_end: f64,
    rate: f64,
    hour: u64,
}

impl Arrivals {
    /// - `per_sec`: mean rate over the week; below 0 counts as 0.
    /// - `weights`: share of a week's arrivals in each hour.
    /// - `first_hour`: hour of the week in which the simulation begins.
    pub fn new(
        per_sec: f64,
        weights: &[f64; HOURS_PER_WEEK],
        first_hour: usize,
        renewal: Renewal,
        crowd: Option<Crowd>,
        draws: Draws,
    ) -> Self {
        let hours = HOURS_PER_WEEK as f64;
        let rates = Box::new(weights.map(|share| per_sec.max(0.0) * share * hours / NS_PER_SEC));
        let crowd = crowd.map(|crowd| {
            let there = crowd.stay_secs / (crowd.stay_secs + crowd.calm_secs).max(1e-9);
            CrowdState {
                crowd,
                there: false,
                until: 0.0,
                calm_factor: 1.0 / (1.0 - there + there * crowd.factor.max(1.0)),
            }
        });
        let mut arrivals = Self {
            gaps: Gaps::of(renewal),
            rates,
            first_hour,
            crowd,
            draws,
            now: 0.0,
            stretch_end: 0.0,
            rate: 0.0,
            hour: 0,
        };
        arrivals.enter();
        arrivals
    }

    /// The stretch of one rate that begins at `now`.
    fn enter(&mut self) {
        let hour = (self.first_hour + self.hour as usize) % HOURS_PER_WEEK;
        self.rate = self.rates[hour];
        self.stretch_end = (self.hour + 1) as f64 * HOUR_NS;
        if let Some(state) = &mut self.crowd {
            if self.now >= state.until {
                state.there = if state.until == 0.0 { false } else { !state.there };
                let mean = if state.there { state.crowd.stay_secs } else { state.crowd.calm_secs };
                let e: f64 = Exp1.sample(&mut self.draws);
                state.until = self.now + (e * mean.max(1e-6) * NS_PER_SEC).max(1.0);
            }
            let factor = if state.there { state.crowd.factor.max(1.0) } else { 1.0 };
            self.rate *= factor * state.calm_factor;
            self.stretch_end = self.stretch_end.min(state.until);
        }
    }

    /// The next arrival; `None` when the rate is 0 for good.
    #[inline]
    pub fn next(&mut self) -> Option<SimTime> {
        let mut gap = self.gaps.draw(&mut self.draws);
        let mut empty_hours = 0;
        loop {
            let at = self.now + gap / self.rate;
            if at < self.stretch_end {
                self.now = at;
                return Some(SimTime::from_ns(at));
            }
            gap -= (self.stretch_end - self.now) * self.rate;
            self.now = self.stretch_end;
            if self.now >= (self.hour + 1) as f64 * HOUR_NS {
                self.hour += 1;
                empty_hours = if self.rate > 0.0 { 0 } else { empty_hours + 1 };
                if empty_hours > HOURS_PER_WEEK {
                    return None;
                }
            }
            self.enter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAT: [f64; HOURS_PER_WEEK] = [1.0 / HOURS_PER_WEEK as f64; HOURS_PER_WEEK];

    fn gaps(renewal: Renewal, crowd: Option<Crowd>, n: usize) -> Vec<f64> {
        let mut arrivals = Arrivals::new(50.0, &FLAT, 0, renewal, crowd, Draws::new(7, "test"));
        let times: Vec<f64> = (0..=n).map(|_| arrivals.next().unwrap().secs()).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn gaps_have_the_mean_of_the_rate_and_the_variation_of_the_family() {
        for (renewal, cv) in [
            (Renewal::Even, 0.0),
            (Renewal::Poisson, 1.0),
            (Renewal::Gamma(0.5), 0.5),
            (Renewal::Gamma(3.0), 3.0),
            (Renewal::Weibull(0.4), 0.4),
            (Renewal::Weibull(2.0), 2.0),
        ] {
            let n = 200_000;
            let gaps = gaps(renewal, None, n);
            let mean = gaps.iter().sum::<f64>() / n as f64;
            let var = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n as f64;
            // Five standard errors of the mean; the variation of heavy tails settles slowly.
            assert!((mean * 50.0 - 1.0).abs() < 5.0 * cv / (n as f64).sqrt() + 1e-6, "{renewal:?}: {mean}");
            assert!(
                (var.sqrt() / mean - cv).abs() < 0.03 * cv.max(0.01),
                "{renewal:?}: {}",
                var.sqrt() / mean
            );
        }
    }

    #[test]
    fn a_crowd_makes_the_stream_rougher_and_leaves_its_mean() {
        let crowd = Crowd { factor: 8.0, calm_secs: 20.0, stay_secs: 4.0 };
        let n = 400_000;
        let gaps = gaps(Renewal::Poisson, Some(crowd), n);
        let mean = gaps.iter().sum::<f64>() / n as f64;
        let var = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n as f64;
        assert!((mean * 50.0 - 1.0).abs() < 0.1, "{mean}");
        assert!(var.sqrt() / mean > 1.3, "{}", var.sqrt() / mean);
    }

    #[test]
    fn each_hour_gets_its_share_of_the_week() {
        let mut weights = [0.0; HOURS_PER_WEEK];
        for (hour, weight) in weights.iter_mut().enumerate() {
            *weight = if hour % 24 < 8 { 0.0 } else { (hour % 24) as f64 };
        }
        let all: f64 = weights.iter().sum();
        let weights = weights.map(|weight| weight / all);
        let mut arrivals = Arrivals::new(2.0, &weights, 30, Renewal::Poisson, None, Draws::new(1, "week"));
        let mut counts = [0.0; HOURS_PER_WEEK];
        let week = SimTime::from_secs(168.0 * 3600.0);
        while let Some(at) = arrivals.next().filter(|at| *at < week) {
            counts[(30 + (at.secs() / 3600.0) as usize) % HOURS_PER_WEEK] += 1.0;
        }
        let total: f64 = counts.iter().sum();
        assert!((total / (2.0 * 168.0 * 3600.0) - 1.0).abs() < 0.01, "{total}");
        for (hour, count) in counts.iter().enumerate() {
            let expected = weights[hour] * 2.0 * 168.0 * 3600.0;
            assert!((count - expected).abs() <= 5.0 * expected.sqrt(), "{hour}: {count} {expected}");
        }
    }

    #[test]
    fn without_a_rate_nothing_comes() {
        let mut arrivals = Arrivals::new(0.0, &FLAT, 0, Renewal::Poisson, None, Draws::new(1, "none"));
        assert_eq!(arrivals.next(), None);
    }
}
