//! The week: how requests fall on its 168 hours, and how rough the minutes within an hour are.
//!
//! The shapes are our own: sums of smooth bumps on the clock, chosen for what they should say. They were held against
//! the public production rates of ServeGen (Alibaba, two weeks in 10-minute windows; pool `m-small`: busiest at
//! 20-22 h with 1.4 times the mean, quietest at 1-5 h with 0.7), which mix many customers and so are flatter than
//! one product's.

use std::f64::consts::TAU;

use super::Profile;
use crate::stats::Z95;
use crate::unit::HOURS_PER_WEEK;

impl Profile {
    /// Share of a week's requests in each hour, from Monday 00:00; the 168 shares are >= 0 and sum to 1.
    ///
    /// Weights of the user's own are repeated if there are fewer than 168 (24 make a day of every day); negative ones
    /// count as 0, and if none is left every hour is alike.
    #[must_use]
    pub fn weights(&self) -> [f64; HOURS_PER_WEEK] {
        let mut weights = [1.0; HOURS_PER_WEEK];
        for (at, weight) in weights.iter_mut().enumerate() {
            *weight = match self {
                Self::Flat => 1.0,
                Self::OfficeHours => office(at / 24, middle(at)),
                Self::ConsumerEvening => consumer(at / 24, middle(at)),
                Self::NightBatch => night(middle(at)),
                Self::Hours(table) if table.0.is_empty() => 1.0,
                Self::Hours(table) => table.0[at % table.0.len()].max(0.0).min(1e300),
            };
        }
        normalise(&mut weights);
        weights
    }

    /// Requests of the busiest hour over those of the mean hour; >= 1.
    #[must_use]
    pub fn peak_to_mean(&self) -> f64 {
        let busiest = self.weights().into_iter().fold(0.0, f64::max);
        (busiest * 168.0).max(1.0)
    }
}

/// How far the rate of a short window rises above the hour's mean rate in one window of twenty.
///
/// `1 + 1.645 cv / sqrt(n)`: the count of a renewal process over a window with n expected arrivals is nearly normal
/// with variance `cv² n`, so this is its 95th percentile over its mean.
///
/// - `cv`: coefficient of variation of the time between arrivals; below 0 counts as 0.
/// - `requests_in_window`: expected arrivals in the window; below 1 counts as 1 (the normal law says nothing there).
/// - Returns >= 1, finite.
///
/// Not modelled: drift of the rate within the hour, which makes real traffic rougher over minutes than its `cv` says.
/// Source: Cox, *Renewal Theory* (1962), section 3.3 (asymptotic normality of the number of renewals).
#[must_use]
pub fn burst_factor(cv: f64, requests_in_window: f64) -> f64 {
    1.0 + Z95 * cv.max(0.0).min(1e12) / requests_in_window.max(1.0).sqrt()
}

/// Middle of an hour on the day's clock.
#[expect(clippy::cast_precision_loss, reason = "hours of a day are small")]
fn middle(hour_of_week: usize) -> f64 {
    (hour_of_week % 24) as f64 + 0.5
}

/// Makes the weights sum to 1.
fn normalise(weights: &mut [f64; HOURS_PER_WEEK]) {
    // By the greatest first: the sum of 168 large weights could overflow.
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    if greatest <= 0.0 {
        weights.fill(1.0 / 168.0);
        return;
    }
    for weight in weights.iter_mut() {
        *weight /= greatest;
    }
    let sum: f64 = weights.iter().sum();
    for weight in weights.iter_mut() {
        *weight /= sum;
    }
}

/// A bump on the 24-hour clock (von Mises): 1 at `centre`, about a normal curve with standard deviation `width` hours.
fn bump(hour: f64, centre: f64, width: f64) -> f64 {
    let kappa = (24.0 / TAU / width).powi(2);
    (kappa * ((TAU * (hour - centre) / 24.0).cos() - 1.0)).exp()
}

/// Working days: people arrive from 8, a first peak before eleven, a dip at lunch, a second and longer one in the
/// afternoon, a few into the evening; a night at a few percent, a weekend at a tenth.
fn office(day: usize, hour: f64) -> f64 {
    let work = bump(hour, 10.5, 1.5) + bump(hour, 15.2, 1.8) + 0.10 * bump(hour, 20.0, 2.0);
    let presence = if day < 5 { 1.0 } else { 0.1 };
    0.02 + presence * work
}

/// A product for people at home: low at night, a plateau over the day, the peak near nine in the evening; Friday's a
/// little later, weekends fuller over the day and a tenth larger.
fn consumer(day: usize, hour: f64) -> f64 {
    let (daytime, evening, centre) = match day {
        5 | 6 => (0.75, 1.0, 20.5),
        4 => (0.45, 1.0, 21.2),
        _ => (0.45, 1.0, 20.7),
    };
    0.12 + daytime * bump(hour, 14.0, 3.2) + evening * bump(hour, centre, 2.3)
}

/// Jobs that start after the day's close and are through by the morning, every night; a trickle of repeats by day.
fn night(hour: f64) -> f64 {
    0.04 + bump(hour, 2.0, 2.4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantities::Table;

    fn presets() -> [Profile; 4] {
        [Profile::Flat, Profile::OfficeHours, Profile::ConsumerEvening, Profile::NightBatch]
    }

    #[test]
    fn the_hours_of_a_week_sum_to_one() {
        let own = [vec![], vec![0.0; 168], vec![f64::MAX; 168], vec![-1.0, 3.0], vec![f64::NAN, 1.0]];
        for profile in presets().into_iter().chain(own.map(|hours| Profile::Hours(Table(hours)))) {
            let weights = profile.weights();
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{profile:?}");
            assert!(weights.iter().all(|&weight| weight >= 0.0), "{profile:?}");
            assert!(profile.peak_to_mean() >= 1.0, "{profile:?}");
        }
    }

    #[test]
    fn only_the_ratios_of_own_weights_count() {
        let ramp: Vec<f64> = (0..168).map(f64::from).collect();
        let doubled = ramp.iter().map(|weight| weight * 2.0).collect();
        assert_eq!(Profile::Hours(Table(ramp)).weights(), Profile::Hours(Table(doubled)).weights());
        assert!((Profile::Flat.peak_to_mean() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn each_preset_says_what_its_name_says() {
        let weights = Profile::OfficeHours.weights();
        let working: f64 = (0..120).filter(|at| (8..18).contains(&(at % 24))).map(|at| weights[at]).sum();
        assert!(working > 0.8, "working hours hold {working}");
        assert!(weights[12] < weights[10] && weights[12] < weights[15], "no lunch dip");
        assert!(weights[3] < weights[10] / 20.0, "the night is not quiet");

        let weights = Profile::ConsumerEvening.weights();
        assert!((18..23).all(|at| weights[at] > weights[11]), "evenings are not the busiest");
        let (week, weekend) =
            (weights[..120].iter().sum::<f64>() / 5.0, weights[120..].iter().sum::<f64>() / 2.0);
        assert!(weekend > week, "weekends are not fuller");

        let weights = Profile::NightBatch.weights();
        let night: f64 = (0..168).filter(|at| at % 24 >= 21 || at % 24 < 7).map(|at| weights[at]).sum();
        assert!(night > 0.85, "the night holds {night}");
    }

    #[test]
    fn no_preset_jumps_from_hour_to_hour() {
        for profile in presets() {
            let weights = profile.weights();
            let peak = weights.iter().copied().fold(0.0, f64::max);
            for at in 0..168 {
                let jump = (weights[(at + 1) % 168] - weights[at]).abs() / peak;
                assert!(jump < 0.45, "{profile:?} jumps by {jump} after hour {at}");
            }
        }
    }

    #[test]
    fn bursts_fade_with_the_size_of_the_window_and_grow_with_the_cv() {
        assert!((burst_factor(1.0, 100.0) - 1.164_485_362_695_147_2).abs() < 1e-12);
        assert!((burst_factor(0.0, 5.0) - 1.0).abs() < 1e-15);
        assert!(burst_factor(2.0, 100.0) > burst_factor(1.0, 100.0));
        assert!(burst_factor(1.0, 1e12) - 1.0 < 1e-5);
        for value in [f64::MIN, 0.0, f64::MAX] {
            assert!(burst_factor(value, value).is_finite() && burst_factor(1.0, value).is_finite());
        }
    }
}
