//! Points that fill a cube of uniforms evenly: Latin hypercube and Sobol'.
//!
//! For questions that need few, well spread evaluations, such as sensitivity indices. Draws of a forecast
//! come from [`Stream`](super::Stream), whose error is known without repeating.

use thiserror::Error;

use super::rng::Stream;

/// Dimensions that [`Sobol`] has.
pub const SOBOL_DIMENSIONS: usize = 64;

/// Bits of a coordinate, and the logarithm of the number of points.
const BITS: usize = 32;

/// Why there is no such design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DesignError {
    /// More dimensions than there are direction numbers.
    #[error(
        "the Sobol' design has {SOBOL_DIMENSIONS} dimensions, not {asked}; vary fewer quantities, or use a Latin hypercube"
    )]
    TooManyDimensions {
        /// How many were asked for.
        asked: usize,
    },
}

/// Sobol' points, each on its own by index.
///
/// The first `2^k` points put exactly one coordinate into each of `2^k` equal intervals, in every
/// dimension; for a smooth function the error of a mean falls nearly as `1/n`. Take powers of two.
///
/// A random digital shift keeps this and makes every point uniform, so that a few seeds give an error
/// estimate. Points are strictly inside 0..1, in the order of the Gray code.
///
/// Source: Sobol', USSR Comp. Math. Math. Phys. 7 (1967); direction numbers of Joe and Kuo, SIAM J. Sci.
/// Comput. 30 (2008), table `new-joe-kuo-6.21201`; recurrence of Bratley and Fox, ACM TOMS 14 (1988).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sobol {
    directions: Vec<[u32; BITS]>,
    shifts: Vec<u32>,
}

impl Sobol {
    /// The points without a shift: the same in every program.
    ///
    /// # Errors
    /// [`DesignError::TooManyDimensions`] above [`SOBOL_DIMENSIONS`].
    pub fn new(dimensions: usize) -> Result<Self, DesignError> {
        if dimensions > SOBOL_DIMENSIONS {
            return Err(DesignError::TooManyDimensions { asked: dimensions });
        }
        let directions = (0..dimensions).map(directions).collect();
        Ok(Self { directions, shifts: vec![0; dimensions] })
    }

    /// The points with a random digital shift per dimension.
    ///
    /// # Errors
    /// [`DesignError::TooManyDimensions`] above [`SOBOL_DIMENSIONS`].
    pub fn shifted(dimensions: usize, seed: u64) -> Result<Self, DesignError> {
        let mut sobol = Self::new(dimensions)?;
        let stream = Stream::new(seed, "design.sobol");
        for (dimension, shift) in sobol.shifts.iter_mut().enumerate() {
            *shift = (stream.bits(dimension as u64) >> BITS) as u32;
        }
        Ok(sobol)
    }

    /// Number of dimensions.
    #[must_use]
    pub const fn dimensions(&self) -> usize {
        self.directions.len()
    }

    /// Coordinate `dimension` of point `i`; one half beyond the last dimension.
    #[must_use]
    pub fn coordinate(&self, i: u32, dimension: usize) -> f64 {
        let (Some(directions), Some(shift)) = (self.directions.get(dimension), self.shifts.get(dimension))
        else {
            return 0.5;
        };
        let mut gray = i ^ (i >> 1);
        let mut bits = *shift;
        while gray != 0 {
            bits ^= directions[gray.trailing_zeros() as usize];
            gray &= gray - 1;
        }
        (f64::from(bits) + 0.5) / 2.0_f64.powi(BITS as i32)
    }

    /// Point `i`, into as many coordinates as `out` holds.
    pub fn point(&self, i: u32, out: &mut [f64]) {
        for (dimension, slot) in out.iter_mut().enumerate() {
            *slot = self.coordinate(i, dimension);
        }
    }
}

/// Direction numbers of a dimension, leading bit first.
fn directions(dimension: usize) -> [u32; BITS] {
    let mut v = [0_u32; BITS];
    let Some((polynomial, initial)) = dimension.checked_sub(1).and_then(|row| JOE_KUO.get(row)) else {
        // The first dimension is the sequence of van der Corput.
        for (j, slot) in v.iter_mut().enumerate() {
            *slot = 1 << (BITS - 1 - j);
        }
        return v;
    };
    let degree = initial.len();
    for j in 0..BITS {
        v[j] = if j < degree {
            initial[j] << (BITS - 1 - j)
        } else {
            let inner = (1..degree).filter(|k| polynomial >> (degree - 1 - k) & 1 == 1);
            inner.fold(v[j - degree] ^ (v[j - degree] >> degree), |sum, k| sum ^ v[j - k])
        };
    }
    v
}

/// A Latin hypercube: `n` points whose coordinates, in every dimension, fall one into each of `n` equal
/// intervals, at random within it and in random order. `columns[d][i]` is coordinate `d` of point `i`,
/// strictly inside 0..1.
///
/// Source: McKay, Beckman, Conover, Technometrics 21 (1979).
#[must_use]
pub fn latin_hypercube(n: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    (0..dimensions)
        .map(|dimension| {
            let places = Stream::new(seed, &format!("design.latin.place.{dimension}"));
            let order = permutation(n, &Stream::new(seed, &format!("design.latin.order.{dimension}")));
            let place = |(i, cell): (usize, usize)| (cell as f64 + places.uniform(i as u64)) / n as f64;
            // A coordinate that rounds up to 1 would have no quantile.
            order.into_iter().enumerate().map(place).map(super::law::inside).collect()
        })
        .collect()
}

/// `0..n` in random order, by the shuffle of Fisher and Yates (Durstenfeld, 1964).
fn permutation(n: usize, stream: &Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // Uneven by less than n / 2^52.
        let other = (stream.uniform(last as u64) * (last + 1) as f64) as usize;
        order.swap(last, other.min(last));
    }
    order
}

/// Inner coefficients of the primitive polynomial and the first direction numbers, from the second
/// dimension on.
#[rustfmt::skip]
const JOE_KUO: [(u32, &[u32]); SOBOL_DIMENSIONS - 1] = [
    (0, &[1]),
    (1, &[1, 3]),
    (1, &[1, 3, 1]),
    (2, &[1, 1, 1]),
    (1, &[1, 1, 3, 3]),
    (4, &[1, 3, 5, 13]),
    (2, &[1, 1, 5, 5, 17]),
    (4, &[1, 1, 5, 5, 5]),
    (7, &[1, 1, 7, 11, 19]),
    (11, &[1, 1, 5, 1, 1]),
    (13, &[1, 1, 1, 3, 11]),
    (14, &[1, 3, 5, 5, 31]),
    (1, &[1, 3, 3, 9, 7, 49]),
    (13, &[1, 1, 1, 15, 21, 21]),
    (16, &[1, 3, 1, 13, 27, 49]),
    (19, &[1, 1, 1, 15, 7, 5]),
    (22, &[1, 3, 1, 15, 13, 25]),
    (25, &[1, 1, 5, 5, 19, 61]),
    (1, &[1, 3, 7, 11, 23, 15, 103]),
    (4, &[1, 3, 7, 13, 13, 15, 69]),
    (7, &[1, 1, 3, 13, 7, 35, 63]),
    (8, &[1, 3, 5, 9, 1, 25, 53]),
    (14, &[1, 3, 1, 13, 9, 35, 107]),
    (19, &[1, 3, 1, 5, 27, 61, 31]),
    (21, &[1, 1, 5, 11, 19, 41, 61]),
    (28, &[1, 3, 5, 3, 3, 13, 69]),
    (31, &[1, 1, 7, 13, 1, 19, 1]),
    (32, &[1, 3, 7, 5, 13, 19, 59]),
    (37, &[1, 1, 3, 9, 25, 29, 41]),
    (41, &[1, 3, 5, 13, 23, 1, 55]),
    (42, &[1, 3, 7, 3, 13, 59, 17]),
    (50, &[1, 3, 1, 3, 5, 53, 69]),
    (55, &[1, 1, 5, 5, 23, 33, 13]),
    (56, &[1, 1, 7, 7, 1, 61, 123]),
    (59, &[1, 1, 7, 9, 13, 61, 49]),
    (62, &[1, 3, 3, 5, 3, 55, 33]),
    (14, &[1, 3, 1, 15, 31, 13, 49, 245]),
    (21, &[1, 3, 5, 15, 31, 59, 63, 97]),
    (22, &[1, 3, 1, 11, 11, 11, 77, 249]),
    (38, &[1, 3, 1, 11, 27, 43, 71, 9]),
    (47, &[1, 1, 7, 15, 21, 11, 81, 45]),
    (49, &[1, 3, 7, 3, 25, 31, 65, 79]),
    (50, &[1, 3, 1, 1, 19, 11, 3, 205]),
    (52, &[1, 1, 5, 9, 19, 21, 29, 157]),
    (56, &[1, 3, 7, 11, 1, 33, 89, 185]),
    (67, &[1, 3, 3, 3, 15, 9, 79, 71]),
    (70, &[1, 3, 7, 11, 15, 39, 119, 27]),
    (84, &[1, 1, 3, 1, 11, 31, 97, 225]),
    (97, &[1, 1, 1, 3, 23, 43, 57, 177]),
    (103, &[1, 3, 7, 7, 17, 17, 37, 71]),
    (115, &[1, 3, 1, 5, 27, 63, 123, 213]),
    (122, &[1, 1, 3, 5, 11, 43, 53, 133]),
    (8, &[1, 3, 5, 5, 29, 17, 47, 173, 479]),
    (13, &[1, 3, 3, 11, 3, 1, 109, 9, 69]),
    (16, &[1, 1, 1, 5, 17, 39, 23, 5, 343]),
    (22, &[1, 3, 1, 5, 25, 15, 31, 103, 499]),
    (25, &[1, 1, 1, 11, 11, 17, 63, 105, 183]),
    (44, &[1, 1, 5, 11, 9, 29, 97, 231, 363]),
    (47, &[1, 1, 5, 15, 19, 45, 41, 7, 383]),
    (52, &[1, 3, 7, 7, 31, 19, 83, 137, 221]),
    (55, &[1, 1, 1, 3, 23, 15, 111, 223, 83]),
    (59, &[1, 1, 5, 13, 31, 15, 55, 25, 161]),
    (62, &[1, 1, 3, 13, 25, 47, 39, 87, 257]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn one_in_each_interval(coordinates: impl Iterator<Item = f64>, n: usize) {
        let mut cells: Vec<usize> = coordinates
            .inspect(|x| assert!(*x > 0.0 && *x < 1.0, "{x}"))
            .map(|x| (x * n as f64) as usize)
            .collect();
        cells.sort_unstable();
        assert_eq!(cells, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_points_are_the_published_ones() {
        let sobol = Sobol::new(3).unwrap();
        let published = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.75, 0.25, 0.25], [0.25, 0.75, 0.75]];
        for (i, want) in published.iter().enumerate() {
            let mut point = [0.0; 3];
            sobol.point(i as u32, &mut point);
            assert!(point.iter().zip(want).all(|(x, w)| (x - w).abs() < 1e-9), "{i}: {point:?}");
        }
    }

    #[test]
    fn every_dimension_of_sobol_has_one_point_in_each_interval_with_any_shift() {
        for sobol in [Sobol::new(SOBOL_DIMENSIONS).unwrap(), Sobol::shifted(SOBOL_DIMENSIONS, 3).unwrap()] {
            for dimension in 0..SOBOL_DIMENSIONS {
                one_in_each_interval((0..1024).map(|i| sobol.coordinate(i, dimension)), 1024);
            }
        }
    }

    #[test]
    fn sobol_finds_a_smooth_mean_better_than_random_draws() {
        const N: u32 = 4096;
        const DIMENSIONS: usize = 8;
        // The mean of the product of (1 + (x - 1/2) / 2) is 1.
        let product = |x: &[f64]| x.iter().map(|x| 1.0 + (x - 0.5) / 2.0).product::<f64>();
        let sobol = Sobol::shifted(DIMENSIONS, 1).unwrap();
        let mut x = [0.0; DIMENSIONS];
        let mut sum = 0.0;
        for i in 0..N {
            sobol.point(i, &mut x);
            sum += product(&x);
        }
        let error = (sum / f64::from(N) - 1.0).abs();
        // Random draws have a standard error of sqrt((1 + 1/48)^8 - 1) / 64 = 0.0066.
        assert!(error < 0.0007, "{error}");
    }

    #[test]
    fn a_latin_hypercube_has_one_point_in_each_interval_of_each_dimension() {
        let columns = latin_hypercube(250, 5, 8);
        assert_eq!(columns.len(), 5);
        for column in &columns {
            one_in_each_interval(column.iter().copied(), 250);
        }
        let rho = crate::stats::spearman(&columns[0], &columns[1]).unwrap();
        assert!(rho.abs() < 4.0 / 250.0_f64.sqrt(), "{rho}");
        assert_eq!(columns, latin_hypercube(250, 5, 8));
        assert!(latin_hypercube(0, 2, 1).iter().all(Vec::is_empty));
    }

    #[test]
    fn more_dimensions_than_there_are_is_refused() {
        assert_eq!(Sobol::new(65), Err(DesignError::TooManyDimensions { asked: 65 }));
    }
}
