//! The beta distribution on 0..1: density, exact quantile, and a table that draws fast.

use statrs::function::beta::{checked_beta_reg, ln_beta};

/// Octaves of `u` below one half that the table covers; beyond `2^-13` the exact quantile answers.
const OCTAVES: usize = 12;

/// Intervals per octave, a power of two so that the bits of `u` are the index.
const PER_OCTAVE_BITS: usize = 3;
const PER_OCTAVE: usize = 1 << PER_OCTAVE_BITS;
const NODES: usize = OCTAVES * PER_OCTAVE + 1;

/// Density at `x`; 0 outside 0..1.
pub(super) fn density(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta(a, b)).exp()
}

/// Quantile for `u` strictly between 0 and 1.
///
/// Safeguarded Newton steps on `ln F` as a function of `ln x`, which is concave and, towards 0, straight.
/// The upper half is the mirror image, so both tails keep their relative precision.
pub(super) fn quantile(a: f64, b: f64, u: f64) -> f64 {
    let x = if u <= 0.5 { lower_quantile(a, b, u) } else { 1.0 - lower_quantile(b, a, 1.0 - u) };
    x.clamp(0.0, 1.0)
}

/// The quantile solved for from below; precise in relative terms for small results.
fn lower_quantile(a: f64, b: f64, u: f64) -> f64 {
    const TOLERANCE: f64 = 1e-15;
    let constant = ln_beta(a, b);
    // Where F(x) = x^a / (a B(a, b)), its limit near 0.
    let start = (u.ln() + a.ln() + constant) / a;
    solve(a, b, constant, u.ln(), start, TOLERANCE).0.exp()
}

/// Smallest logarithm of a quantile; below it the quantile is 0.
const SMALLEST_LN: f64 = -744.0;

/// The logarithm y of the quantile at `exp(target)`, and d ln F / dy there, from a first guess.
fn solve(a: f64, b: f64, constant: f64, target: f64, start: f64, tolerance: f64) -> (f64, f64) {
    if start < SMALLEST_LN {
        return (f64::NEG_INFINITY, a);
    }
    let (mut low, mut high) = (SMALLEST_LN, 0.0);
    let mut y = start.min(-1e-3);
    let mut slope = a;
    for _ in 0..200 {
        let x = y.exp();
        let cdf = checked_beta_reg(a, b, x).unwrap_or(0.0);
        let miss = cdf.ln() - target;
        if miss > 0.0 {
            high = y
        } else {
            low = y
        }
        slope = (a * y + (b - 1.0) * (-x).ln_1p() - constant).exp() / cdf;
        let newton = y - miss / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        let moved = (next - y).abs();
        y = next;
        if moved <= tolerance * (1.0 + y.abs()) {
            break;
        }
    }
    (y, slope)
}

/// The quantiles at the nodes, each solved for from where the one before it points to.
fn node_quantiles(a: f64, b: f64) -> Vec<f64> {
    // Newton's steps square the error, so that one that moves this little lands far within what the table keeps;
    // where the density is infinite at an end the square has a large factor, and the last digit is solved for.
    let tolerance = if a >= 1.0 && b >= 1.0 { 1e-8 } else { 1e-15 };
    let constant = ln_beta(a, b);
    let mut guess = (node_u(0).ln() + a.ln() + constant) / a;
    (0..NODES)
        .map(|k| {
            let target = node_u(k).ln();
            let (y, slope) = solve(a, b, constant, target, guess, tolerance);
            let next = if k + 1 < NODES { node_u(k + 1).ln() } else { target };
            let ahead = y + (next - target) / slope;
            guess = if ahead.is_finite() { ahead } else { (next + a.ln() + constant) / a };
            y.exp().clamp(0.0, 1.0)
        })
        .collect()
}

/// Quantiles of one beta distribution, prepared: cubic Hermite pieces over eight intervals per octave of
/// `u` towards each end, with exact values and slopes at the nodes.
///
/// Agrees with [`quantile`] to about 1e-6 of the width and is monotone.
#[derive(Clone, Debug)]
pub(super) struct Table {
    a: f64,
    b: f64,
    lower: Vec<Node>,
    upper: Vec<Node>,
}

/// The quantile at a node and its slope in `u`.
#[derive(Clone, Copy, Debug)]
struct Node {
    x: f64,
    slope: f64,
}

impl Table {
    pub(super) fn new(a: f64, b: f64) -> Self {
        Self { a, b, lower: nodes(a, b), upper: nodes(b, a) }
    }

    /// The quantile at `u`, strictly between 0 and 1.
    #[inline]
    pub(super) fn quantile(&self, u: f64) -> f64 {
        let x = if u < 0.5 { piece(&self.lower, u) } else { piece(&self.upper, 1.0 - u).map(|x| 1.0 - x) };
        x.unwrap_or_else(|| quantile(self.a, self.b, u))
    }
}

/// `u` of node `k`: `2^-13` times a power of two, in even steps within each octave.
fn node_u(k: usize) -> f64 {
    let octave = (k / PER_OCTAVE) as i32 - OCTAVES as i32 - 1;
    (1.0 + (k % PER_OCTAVE) as f64 / PER_OCTAVE as f64) * 2.0_f64.powi(octave)
}

fn nodes(a: f64, b: f64) -> Vec<Node> {
    let mut nodes: Vec<Node> = node_quantiles(a, b)
        .into_iter()
        .map(|x| {
            let density = density(a, b, x);
            Node { x, slope: if density > 0.0 { 1.0 / density } else { f64::INFINITY } }
        })
        .collect();
    // A cubic piece is monotone when neither end slope exceeds three times the chord (Fritsch, Carlson
    // 1980); a violation means a kink sharper than the grid, where the chord is the better guide.
    for k in 0..NODES {
        let before = (k > 0).then(|| chord(&nodes, k - 1));
        let after = (k + 1 < NODES).then(|| chord(&nodes, k));
        let most = 3.0 * before.into_iter().chain(after).fold(f64::INFINITY, f64::min);
        nodes[k].slope = nodes[k].slope.min(most);
    }
    nodes
}

fn chord(nodes: &[Node], k: usize) -> f64 {
    (nodes[k + 1].x - nodes[k].x) / (node_u(k + 1) - node_u(k))
}

/// The piece of `u` in 0..=0.5, found from the exponent and the leading bits of its mantissa.
#[inline]
fn piece(nodes: &[Node], u: f64) -> Option<f64> {
    const MANTISSA_BITS: usize = 52;
    let index = u.to_bits() >> (MANTISSA_BITS - PER_OCTAVE_BITS);
    let first = (1023 - (OCTAVES as u64 + 1)) << PER_OCTAVE_BITS;
    let k = index.checked_sub(first)? as usize;
    let [left, right] = *nodes.get(k..k + 2)? else {
        // Exactly one half is the last node itself.
        return None;
    };
    let start = f64::from_bits(index << (MANTISSA_BITS - PER_OCTAVE_BITS));
    let width = f64::from_bits((index + 1) << (MANTISSA_BITS - PER_OCTAVE_BITS)) - start;
    let t = (u - start) / width;
    let rise = right.x - left.x;
    let (s0, s1) = (left.slope * width, right.slope * width);
    Some(left.x + t * (s0 + t * ((3.0 * rise - 2.0 * s0 - s1) + t * (s0 + s1 - 2.0 * rise))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [(f64, f64); 9] = [
        (1.0, 1.0),
        (2.0, 5.0),
        (5.0, 1.0),
        (0.5, 0.5),
        (0.05, 3.0),
        (1.0, 5.0),
        (30.0, 70.0),
        (4.0, 4.0),
        (5e5, 2e5),
    ];

    #[test]
    fn the_quantile_undoes_the_distribution_function() {
        for (a, b) in SHAPES {
            for u in [1e-9, 1e-4, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0 - 1e-7] {
                let x = quantile(a, b, u);
                assert!((0.0..=1.0).contains(&x));
                if x > 0.0 && x < 1.0 {
                    let back = checked_beta_reg(a, b, x).unwrap();
                    assert!((back - u).abs() < 1e-8, "Beta({a}, {b}) at {u}: {x} gives {back}");
                }
            }
        }
    }

    #[test]
    fn a_beta_of_one_shape_equal_to_1_is_a_power() {
        for u in [1e-8, 0.1, 0.5, 0.9] {
            assert!((quantile(3.0, 1.0, u) - f64::powf(u, 1.0 / 3.0)).abs() < 1e-13);
            assert!((quantile(1.0, 1.0, u) - u).abs() < 1e-14);
        }
    }

    #[test]
    fn the_table_agrees_with_the_exact_quantile_and_is_monotone() {
        for (a, b) in SHAPES {
            let table = Table::new(a, b);
            let mut last = 0.0;
            for i in 1..20_000 {
                let u = f64::from(i) / 20_000.0;
                let (fast, exact) = (table.quantile(u), quantile(a, b, u));
                assert!((fast - exact).abs() < 2e-6, "Beta({a}, {b}) at {u}: {fast} {exact}");
                assert!(fast >= last - 1e-15, "Beta({a}, {b}) falls at {u}");
                last = fast;
            }
        }
    }
}
