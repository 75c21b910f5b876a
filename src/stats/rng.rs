//! Random numbers by position: draw `i` of a named stream, whoever asks and in whatever order.

/// The increment of the Weyl sequence of SplitMix64: the odd number nearest 2^64 / golden ratio.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// Offset basis of the 64-bit FNV-1a hash. Source: Fowler, Noll, Vo; RFC 9923.
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;

/// Prime of the 64-bit FNV-1a hash. Source: Fowler, Noll, Vo; RFC 9923.
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

/// Finaliser of SplitMix64, a bijection of 64 bits in which each input bit flips half of the output bits.
///
/// Source: Stafford's "Mix13", as used by Steele, Lea, Flood 2014.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A stream of uniform numbers, one per named variable, addressed by index.
///
/// Draw `i` depends on the seed, the name and `i` only: not on threads, on the size of a block, nor on
/// which other variables exist. Two plans that ask the same stream see the same draws, and a changed
/// parameter moves a result smoothly instead of re-rolling it.
///
/// The key is `mix(mix(seed) ^ fnv1a(name))`, and the output is SplitMix64 started at the key, `i`-th
/// value. Streams are segments of one sequence of period 2^64 at hashed offsets: a thousand streams of a
/// million draws overlap anywhere with probability below 1e-7.
///
/// ```
/// use breakeven::stats::Stream;
///
/// let growth = Stream::new(1, "workload.growth");
/// assert_eq!(growth.uniform(7), Stream::new(1, "workload.growth").uniform(7));
/// assert_ne!(growth.uniform(7), Stream::new(1, "workload.requests").uniform(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
}

impl Stream {
    /// The stream of the variable `name` under `seed`. Renaming a variable re-rolls it and no other.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let hash =
            name.bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        Self { key: mix(mix(seed.wrapping_add(GOLDEN_GAMMA)) ^ hash) }
    }

    /// The `i`-th 64 random bits.
    #[must_use]
    pub const fn bits(&self, i: u64) -> u64 {
        mix(self.key.wrapping_add(i.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA)))
    }

    /// The `i`-th uniform number, strictly between 0 and 1.
    ///
    /// Odd multiples of 2^-53: an inverse distribution function is never asked at 0 or 1.
    #[must_use]
    #[inline]
    pub fn uniform(&self, i: u64) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
        ((self.bits(i) >> 12) as f64 + 0.5) * STEP
    }

    /// Draws `i0`, `i0 + 1`, ... into `out`: the same numbers as [`Stream::uniform`], one by one.
    pub fn fill(&self, i0: u64, out: &mut [f64]) {
        for (offset, slot) in out.iter_mut().enumerate() {
            *slot = self.uniform(i0.wrapping_add(offset as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 100_000;

    fn draws(seed: u64, name: &str) -> Vec<f64> {
        let mut out = vec![0.0; N];
        Stream::new(seed, name).fill(0, &mut out);
        out
    }

    #[test]
    fn splitmix64_gives_the_published_first_outputs_of_seed_0() {
        // First outputs of the reference C code `splitmix64.c` (Vigna) for a state of 0.
        let stream = Stream { key: 0 };
        assert_eq!(stream.bits(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(stream.bits(1), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(stream.bits(2), 0x06C4_5D18_8009_454F);
    }

    #[test]
    fn the_key_of_a_name_never_changes_between_versions() {
        // Recorded from this code: a change re-rolls every saved result.
        assert_eq!(Stream::new(1, "workload.growth").bits(0), GOLDEN_GROWTH);
        assert_eq!(Stream::new(42, "").bits(3), GOLDEN_EMPTY);
    }
    const GOLDEN_GROWTH: u64 = 0x58E1_2F66_5BCB_E951;
    const GOLDEN_EMPTY: u64 = 0xF718_ECF8_0D3C_5381;

    #[test]
    fn draws_do_not_depend_on_the_size_of_the_block() {
        let stream = Stream::new(7, "x");
        let whole = draws(7, "x");
        for size in [1, 3, 64, 1000] {
            let mut out = vec![0.0; N];
            for (block, chunk) in out.chunks_mut(size).enumerate().rev() {
                stream.fill((block * size) as u64, chunk);
            }
            assert_eq!(whole, out, "block of {size}");
        }
    }

    #[test]
    fn uniforms_stay_strictly_inside_zero_and_one() {
        const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
        assert!(((u64::MAX >> 12) as f64 + 0.5) * STEP < 1.0);
        assert!(draws(3, "y").iter().all(|u| *u > 0.0 && *u < 1.0));
    }

    #[test]
    fn mean_variance_and_distribution_are_uniform() {
        for (seed, name) in [(0, "a"), (1, "a"), (2, "workload.requests"), (u64::MAX, "")] {
            let mut u = draws(seed, name);
            let n = N as f64;
            let mean = u.iter().sum::<f64>() / n;
            let var = u.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            // Four standard errors: sd of the mean is sqrt(1/12/n), of the variance sqrt(1/180/n).
            assert!((mean - 0.5).abs() < 4.0 * (1.0 / 12.0 / n).sqrt(), "{seed} {name}: mean {mean}");
            assert!((var - 1.0 / 12.0).abs() < 4.0 * (1.0 / 180.0 / n).sqrt(), "{seed} {name}: var {var}");
            u.sort_by(f64::total_cmp);
            let ks = u
                .iter()
                .enumerate()
                .map(|(i, x)| (x - i as f64 / n).abs().max(((i + 1) as f64 / n - x).abs()))
                .fold(0.0, f64::max);
            // Kolmogorov: exceeded with probability 0.001.
            assert!(ks < 1.95 / n.sqrt(), "{seed} {name}: KS {ks}");
        }
    }

    #[test]
    fn streams_of_other_names_seeds_and_lags_are_uncorrelated() {
        let x = draws(1, "a");
        let mut lagged = draws(1, "a");
        lagged.rotate_left(1);
        for y in [draws(1, "b"), draws(2, "a"), draws(1, "aa"), lagged] {
            let r = x.iter().zip(&y).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum::<f64>() * 12.0 / N as f64;
            assert!(r.abs() < 4.0 / (N as f64).sqrt(), "correlation {r}");
        }
    }
}
