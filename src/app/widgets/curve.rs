//! What a distribution is edited by: its parameters as fields and as handles on its curve.

use crate::stats::{Estimate, Z95};
use crate::unit::format::Unit;

/// The parameters of an estimate with their labels; `true` where the parameter is a bare number without the unit.
pub(super) fn parameters(value: &mut Estimate) -> Vec<(&'static str, &mut f64, bool)> {
    match value {
        Estimate::Fixed(value) => vec![("value", value, false)],
        Estimate::Uniform { low, high } => vec![("from", low, false), ("to", high, false)],
        Estimate::Triangular { low, mode, high } | Estimate::Pert { low, mode, high } => {
            vec![("least", low, false), ("most likely", mode, false), ("greatest", high, false)]
        }
        Estimate::Normal { mean, sd } => vec![("mean", mean, false), ("sd", sd, false)],
        Estimate::LogNormal { median, p95 } => vec![("median", median, false), ("P95", p95, false)],
        Estimate::Beta { alpha, beta, low, high } => {
            vec![("alpha", alpha, true), ("beta", beta, true), ("from", low, false), ("to", high, false)]
        }
        Estimate::Percentiles { p5, p50, p95 } => {
            vec![("P5", p5, false), ("P50", p50, false), ("P95", p95, false)]
        }
        Estimate::Empirical(_) => Vec::new(),
    }
}

/// Places on the curve that can be dragged, from left to right.
pub(super) fn handles(value: &Estimate) -> Vec<(&'static str, f64)> {
    match *value {
        Estimate::Fixed(_) | Estimate::Empirical(_) => Vec::new(),
        Estimate::Uniform { low, high } | Estimate::Beta { low, high, .. } => {
            vec![("least", low), ("greatest", high)]
        }
        Estimate::Triangular { low, mode, high } | Estimate::Pert { low, mode, high } => {
            vec![("least", low), ("most likely", mode), ("greatest", high)]
        }
        Estimate::Normal { mean, .. } => vec![("mean", mean), ("P95", value.quantile(0.95))],
        Estimate::LogNormal { median, p95 } => vec![("median", median), ("P95", p95)],
        Estimate::Percentiles { p5, p50, p95 } => vec![("P5", p5), ("median", p50), ("P95", p95)],
    }
}

/// Smallest distance between two handles, as a share of their size: below it a family has no width.
const APART: f64 = 1e-3;

/// Moves a handle; it stops before its neighbours.
pub(super) fn set_handle(value: &mut Estimate, index: usize, to: f64) {
    if !to.is_finite() {
        return;
    }
    let places: Vec<f64> = handles(value).iter().map(|handle| handle.1).collect();
    let gap = APART * places.iter().fold(1e-9_f64, |size, place| size.max(place.abs()));
    let floor = index.checked_sub(1).and_then(|below| places.get(below)).map(|below| below + gap);
    let ceiling = places.get(index + 1).map(|above| above - gap);
    let to = ceiling.map_or(to, |ceiling| to.min(ceiling));
    let to = floor.map_or(to, |floor| to.max(floor));
    match value {
        Estimate::Fixed(_) | Estimate::Empirical(_) => {}
        Estimate::Uniform { low, high } | Estimate::Beta { low, high, .. } => *[low, high][index.min(1)] = to,
        Estimate::Triangular { low, mode, high } | Estimate::Pert { low, mode, high } => {
            *[low, mode, high][index.min(2)] = to;
        }
        Estimate::Normal { mean, sd } => {
            if index == 0 {
                *mean = to;
            } else {
                *sd = (to - *mean) / Z95;
            }
        }
        Estimate::LogNormal { median, p95 } => {
            if index > 0 {
                *p95 = to;
            } else if to > 0.0 {
                *median = to;
            }
        }
        Estimate::Percentiles { p5, p50, p95 } => *[p5, p50, p95][index.min(2)] = to,
    }
}

/// The interval in words: `P5 30,000 – P95 70,000/day · Log-normal`.
pub(super) fn interval_text(value: &Estimate, unit: Unit) -> String {
    let spread = value.spread();
    format!("P5 {} – P95 {} · {}", unit.show(spread.p5), unit.show(spread.p95), value.family().label())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Family;

    #[test]
    fn a_dragged_handle_never_makes_a_distribution_that_is_refused() {
        for family in Family::ALL {
            let Ok(start) = Estimate::Fixed(10.0).to_family(family) else { continue };
            for index in 0..handles(&start).len() {
                for to in [-1e9, 0.0, 9.99, 10.0, 10.01, 40.0] {
                    let mut value = start.clone();
                    set_handle(&mut value, index, to);
                    let places: Vec<f64> = handles(&value).iter().map(|handle| handle.1).collect();
                    assert!(places.is_sorted(), "{family:?} {index} {to}: {places:?}");
                }
            }
        }
    }

    #[test]
    fn the_p95_handle_of_a_normal_moves_its_p95_there() {
        let mut value = Estimate::Normal { mean: 10.0, sd: 1.0 };
        set_handle(&mut value, 1, 14.0);
        assert!((value.quantile(0.95) - 14.0).abs() < 1e-9);
    }
}
