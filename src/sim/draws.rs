//! Random numbers of one source, drawn one after the other from its named stream.

use std::convert::Infallible;

use rand::rand_core::TryRng;

use crate::stats::Stream;

/// A stream with the place of its next number.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    /// The stream of `name` under `seed`, from its beginning.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        Self { stream: Stream::new(seed, name), next: 0 }
    }

    #[inline]
    fn bits(&mut self) -> u64 {
        let bits = self.stream.bits(self.next);
        self.next = self.next.wrapping_add(1);
        bits
    }

    /// Strictly between 0 and 1.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        let u = self.stream.uniform(self.next);
        self.next = self.next.wrapping_add(1);
        u
    }

    /// Strictly between 0 and 1, always the same for the same thing.
    #[must_use]
    #[inline]
    pub fn uniform_of(&self, thing: u64) -> f64 {
        self.stream.uniform(thing)
    }

    /// Whether something of this probability happens; certain things take no number.
    #[inline]
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && (probability >= 1.0 || self.uniform() < probability)
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
