//! How the volume develops over the months.

use super::{Growth, SCurve};
use crate::stats::{Num, turn_by_turn};

/// Largest factor that is computed with; growth beyond it counts as this.
const FACTOR_MAX: f64 = 1e12;

impl Growth<f64> {
    /// Volume of month `month` (0 is the first) as a multiple of the first month's: finite, 0 ..= 10¹².
    ///
    /// Month 0 is 1 except where a table says otherwise. Draws that stray are clamped: a compound rate below -1 counts
    /// as -1, a linear decline ends at 0, table entries below 0 count as 0; an empty table is flat.
    #[must_use]
    pub fn factor(&self, month: u32) -> f64 {
        let m = f64::from(month);
        let factor = match self {
            Self::Flat => 1.0,
            Self::Compound(rate) if month > 0 => (1.0 + rate.max(-1.0)).powf(m),
            Self::Compound(_) => 1.0,
            Self::Linear(share) => 1.0 + share * m,
            Self::SCurve(curve) => curve.factor(m),
            Self::Table(table) => {
                let last = table.0.len().saturating_sub(1);
                let at = usize::try_from(month).unwrap_or(last).min(last);
                table.0.get(at).copied().unwrap_or(1.0)
            }
        };
        factor.max(0.0).min(FACTOR_MAX)
    }
}

impl<N: Num> Growth<N> {
    /// The factors of the first months. Compound growth is a product from month to month, which is cheaper than a power
    /// each and differs from [`Growth::factor`] in the last digits.
    #[inline(always)]
    pub fn fill(&self, months: &mut [N]) {
        if let Self::Compound(rate) = self {
            let step = rate.at_least(-1.0) + 1.0;
            let mut next = N::of(1.0);
            for factor in months {
                turn_by_turn();
                *factor = next.at_least(0.0).at_most(FACTOR_MAX);
                next *= step;
            }
            return;
        }
        for (factor, month) in months.iter_mut().zip(0..) {
            *factor = N::from_fn(|lane| self.lane(lane).factor(month));
        }
    }

    /// The growth of one lane.
    fn lane(&self, lane: usize) -> Growth<f64> {
        match self {
            Self::Flat => Growth::Flat,
            Self::Compound(rate) => Growth::Compound(rate.lane(lane)),
            Self::Linear(share) => Growth::Linear(share.lane(lane)),
            Self::SCurve(curve) => Growth::SCurve(SCurve {
                ceiling: curve.ceiling.lane(lane),
                midpoint_month: curve.midpoint_month.lane(lane),
                rise_months: curve.rise_months.lane(lane),
            }),
            Self::Table(table) => Growth::Table(table.clone()),
        }
    }
}

impl SCurve<f64> {
    /// `1 + (ceiling - 1) g(m)` with `g(m) = (1 - e^(-m/s)) / (1 + e^((h-m)/s) - 2 e^(-m/s))`, s = `rise_months` / 4.
    ///
    /// The logistic curve, shifted and scaled so that nothing has grown at month 0, half at the midpoint h and all in
    /// the end. Far from month 0 it is the plain logistic, where 12 % and 88 % are `rise_months` apart.
    fn factor(&self, m: f64) -> f64 {
        if m <= 0.0 {
            return 1.0;
        }
        let scale = (self.rise_months / 4.0).max(1e-6);
        let midpoint = self.midpoint_month.max(0.0);
        let rest = (-m / scale).exp();
        let grown = -(-m / scale).exp_m1() / (1.0 + ((midpoint - m) / scale).exp() - 2.0 * rest);
        1.0 + (self.ceiling.max(0.0).min(FACTOR_MAX) - 1.0) * grown.max(0.0).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantities::Table;

    fn curve(ceiling: f64, midpoint_month: f64, rise_months: f64) -> Growth<f64> {
        Growth::SCurve(SCurve { ceiling, midpoint_month, rise_months })
    }

    #[test]
    fn no_growth_by_any_name_is_flat() {
        let flats = [
            Growth::Flat,
            Growth::Compound(0.0),
            Growth::Linear(0.0),
            curve(1.0, 6.0, 4.0),
            Growth::Table(Table(vec![])),
        ];
        for growth in flats {
            assert!((0..36).all(|month| (growth.factor(month) - 1.0).abs() < 1e-15), "{growth:?}");
        }
    }

    #[test]
    fn growth_starts_from_the_first_month() {
        for growth in
            [Growth::Compound(0.3), Growth::Linear(-0.2), curve(8.0, 9.0, 6.0), curve(8.0, 0.0, 6.0)]
        {
            assert!((growth.factor(0) - 1.0).abs() < 1e-15, "{growth:?}");
        }
    }

    #[test]
    fn ten_percent_a_month_is_more_than_triple_in_a_year() {
        assert!((Growth::Compound(0.1).factor(12) - 3.138_428_376_721).abs() < 1e-9);
        assert!((Growth::Linear(0.1).factor(12) - 2.2).abs() < 1e-12);
    }

    #[test]
    fn an_s_curve_is_half_way_at_its_midpoint_and_ends_at_its_ceiling() {
        for midpoint in [1.0, 6.0, 24.0] {
            for rise in [0.5, 6.0, 30.0] {
                let growth = curve(5.0, midpoint, rise);
                assert!((growth.factor(midpoint as u32) - 3.0).abs() < 1e-9, "{midpoint} {rise}");
                assert!((growth.factor(10_000) - 5.0).abs() < 1e-9, "{midpoint} {rise}");
                assert!(
                    (0..60).all(|month| growth.factor(month + 1) >= growth.factor(month)),
                    "{midpoint} {rise}"
                );
            }
        }
    }

    #[test]
    fn a_late_s_curve_rises_from_12_to_88_percent_in_its_rise() {
        let growth = curve(2.0, 60.0, 8.0);
        assert!((growth.factor(56) - 1.12).abs() < 1e-3);
        assert!((growth.factor(64) - 1.88).abs() < 1e-3);
    }

    #[test]
    fn the_last_row_of_a_table_holds_on() {
        let growth = Growth::Table(Table(vec![1.0, 1.5, 0.7]));
        assert_eq!([0, 1, 2, 3, 99].map(|month| growth.factor(month)), [1.0, 1.5, 0.7, 0.7, 0.7]);
    }

    #[test]
    fn no_finite_input_gives_nan() {
        let values = [f64::MIN, -1.0, 0.0, 1e-300, 1.0, f64::MAX];
        for a in values {
            for b in values {
                for c in values {
                    for growth in [Growth::Compound(a), Growth::Linear(a), curve(a, b, c)] {
                        for month in [0, 1, 7, u32::MAX] {
                            assert!(
                                (0.0..=FACTOR_MAX).contains(&growth.factor(month)),
                                "{growth:?} at {month}"
                            );
                        }
                    }
                }
            }
        }
    }
}
