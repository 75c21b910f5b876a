//! Single steps of a prepared deployment, for who plays requests one by one.

use super::perf::Perf;

impl Perf {
    /// A step in which `batch` sequences decode over a mean context of `context` tokens, drafting included, in seconds.
    #[must_use]
    pub fn decode_secs(&self, batch: f64, context: f64) -> f64 {
        self.with_drafts(self.step(batch, context, 0.0, 0.0).total())
    }

    /// The same step with `prompt_tokens` prefilled in it, each of which looks back on `looked_back` tokens in the mean,
    /// in seconds.
    #[must_use]
    pub fn mixed_secs(&self, batch: f64, context: f64, prompt_tokens: f64, looked_back: f64) -> f64 {
        self.with_drafts(self.step(batch, context, prompt_tokens, looked_back).total())
    }

    /// Output tokens of a sequence and step; 1 without speculative decoding.
    #[must_use]
    pub fn yielded(&self) -> f64 {
        self.yielded
    }

    /// What the engine's front adds to the time to first token, in seconds.
    #[must_use]
    pub fn front_secs(&self) -> f64 {
        self.ttft_fixed
    }

    /// Most sequences that the engine runs at once.
    #[must_use]
    pub fn sequences_max(&self) -> f64 {
        self.sequences_max
    }
}
