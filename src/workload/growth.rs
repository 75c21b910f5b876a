//! How the volume develops over the months.

use super::{Growth, SCurve};

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
