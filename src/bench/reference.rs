//! CPU twins: what every kernel has to compute, written as plainly as possible.
//!
//! Shaders and the threaded kernels are held to these before any time is reported. Inputs come from a hash of the
//! index, so that no compiler can fold them and any element can be checked without keeping a copy.

/// The factor of scale and triad; exact in 16 and 32 bit.
pub const SCALAR: f32 = 3.0;

/// A hash of an index: the finaliser of MurmurHash3 by Austin Appleby (public domain).
#[must_use]
pub const fn hash(index: u32, seed: u32) -> u32 {
    let mut x = index ^ seed.wrapping_mul(0x9e37_79b9);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Element of an array of numbers: one of 256 values in -1..=1 that sums, products and 16 bit keep exactly.
///
/// A multiple of 1/128, so that triad is exact in 32 bit whatever the order.
#[must_use]
pub fn element(index: u32, seed: u32) -> f32 {
    let byte = hash(index, seed) & 0xff;
    // 0..=255 is exact in f32.
    #[expect(clippy::cast_precision_loss, reason = "at most 255")]
    let value = byte as f32;
    (value - 128.0) / 128.0
}

/// `a[i] = b[i]`.
#[must_use]
pub const fn copy(b: f32) -> f32 {
    b
}

/// `a[i] = s b[i]`.
#[must_use]
pub fn scale(b: f32) -> f32 {
    SCALAR * b
}

/// `a[i] = b[i] + c[i]`.
#[must_use]
pub fn add(b: f32, c: f32) -> f32 {
    b + c
}

/// `a[i] = b[i] + s c[i]`.
#[must_use]
pub fn triad(b: f32, c: f32) -> f32 {
    b + SCALAR * c
}

/// Sum of `count` elements of an array from `first`, in 64 bit: exact, as elements are multiples of 1/128.
#[must_use]
pub fn sum(first: u32, count: u32, seed: u32) -> f64 {
    (first..first + count).map(|i| f64::from(element(i, seed))).sum()
}

/// Dot product of a row of weights with a vector, in 64 bit.
#[must_use]
pub fn dot(weights: impl Iterator<Item = f64>, x: &[f32]) -> f64 {
    weights.zip(x).map(|(w, x)| w * f64::from(*x)).sum()
}

/// Weights per scale in the 8 and 4 bit matrices.
pub const GROUP: u32 = 128;

/// The scale of a group: a power of two, so that it is exact.
#[must_use]
pub fn group_scale(group: u32, seed: u32) -> f32 {
    // 2^-4 ..= 2^-1
    f32::from_bits((123 + hash(group, seed ^ 0x5ca1e) % 4) << 23)
}

/// An 8 bit weight of a packed word: bytes from the lowest, two's complement.
#[must_use]
pub fn int8(word: u32, lane: u32) -> f64 {
    f64::from(word.to_le_bytes()[(lane % 4) as usize].cast_signed())
}

/// A 4 bit weight of a packed word: nibbles from the lowest, less 8.
#[must_use]
pub fn int4(word: u32, lane: u32) -> f64 {
    f64::from((word >> (4 * (lane % 8))) & 0xf) - 8.0
}

/// Bits of a 16 bit number; exact for the elements of [`element`], which have 8 significant bits.
#[must_use]
pub fn f16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    let sign = (bits >> 16) & 0x8000;
    if value == 0.0 {
        return sign;
    }
    // Normal numbers of 2^-14 and more alone; the elements are multiples of 2^-7.
    let exponent = ((bits >> 23) & 0xff) - 112;
    sign | (exponent << 10) | ((bits >> 13) & 0x3ff)
}

/// A value after `steps` of `x = x * a + b` in 32 bit, each step rounded once.
#[must_use]
pub fn fma_chain(mut x: f32, a: f32, b: f32, steps: u32) -> f32 {
    for _ in 0..steps {
        x = x.mul_add(a, b);
    }
    x
}

/// A cycle through all of `lines` cache lines in an order that no prefetcher foresees; entry i is the line after i.
///
/// Sattolo's algorithm (1986) with [`hash`] for the draws: one cycle, whatever the seed.
#[must_use]
pub fn cycle(lines: u32, seed: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..lines).collect();
    for i in (1..lines).rev() {
        let j = hash(i, seed) % i;
        order.swap(i as usize, j as usize);
    }
    order
}

/// Where a walk of `steps` along a cycle ends, from line 0.
#[must_use]
pub fn walk(next: &[u32], steps: u32) -> u32 {
    (0..steps).fold(0, |at, _| next[at as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_exact_in_16_bit_and_spread_around_zero() {
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..4096 {
            let x = element(i, 1);
            assert!((-1.0..1.0).contains(&x));
            assert_eq!(x * 128.0, (x * 128.0).round());
            seen.insert((x * 128.0) as i32);
        }
        assert_eq!(seen.len(), 256);
        assert!((sum(0, 65_536, 1) / 65_536.0 + 1.0 / 256.0).abs() < 0.01);
    }

    #[test]
    fn sixteen_bits_hold_known_values() {
        // IEEE 754: 1 is 0x3c00, -0.5 is 0xb800, 1/128 is 0x2000.
        assert_eq!([1.0, -0.5, 1.0 / 128.0, 0.0].map(f16_bits), [0x3c00, 0xb800, 0x2000, 0]);
    }

    #[test]
    fn packed_integers_are_read_by_lane() {
        assert_eq!((0..4).map(|i| int8(0x80ff_7f01, i)).collect::<Vec<_>>(), [1.0, 127.0, -1.0, -128.0]);
        assert_eq!((0..8).map(|i| int4(0xf800_0007, i)).sum::<f64>(), -1.0 - 8.0 * 5.0 + 0.0 + 7.0);
    }

    #[test]
    fn a_cycle_visits_every_line_once() {
        for lines in [1, 2, 3, 64, 1000] {
            let next = cycle(lines, 7);
            let mut seen = vec![false; lines as usize];
            let mut at = 0;
            for _ in 0..lines {
                assert!(!std::mem::replace(&mut seen[at as usize], true), "{lines}: line {at} comes twice");
                at = next[at as usize];
            }
            assert_eq!(at, 0);
            assert_eq!(walk(&next, lines), 0);
        }
    }
}
