//! What a replica makes of many requests at once.

use super::perf::Perf;
use super::regimes::{Lengths, Served};
use super::roofline::within;

/// Points of the integral over the end of a burst.
const POINTS: u32 = 6;

impl Perf {
    /// So many requests at once, until the last is answered.
    ///
    /// ```text
    /// duration = max(host, prompts + waves × O × step(full) + end)
    /// end      = O ∫ step(full e^-s) ds, s = 0..ln(full)        exponential lengths
    /// ```
    ///
    /// Prompts are worked off one after the other, and delay whoever decodes by then; answers of one length end
    /// together, answers that vary leave an ever smaller batch behind. The front end of the server takes requests one
    /// at a time.
    ///
    /// - `vary`: whether the outputs have lengths of their own.
    #[must_use]
    pub fn in_burst(&self, requests: f64, vary: bool, lengths: &Lengths) -> Served {
        let lengths = lengths.bounded();
        let requests = within(requests, 1.0);
        let (running_max, limit) = self.running_max(&lengths);
        if running_max < 1.0 {
            return self.nothing(&lengths, running_max);
        }
        let c = &self.constants;
        let batch = running_max.min(requests);
        let times = self.times(batch, &lengths);
        let step = self.with_drafts(times.step.total()) / self.yielded;
        // Prompts go together into steps, so that what a step costs beyond them is shared.
        let prompt = (times.prompt_secs - self.prompt_fixed).max(0.5 * times.prompt_secs);
        let level = requests / batch * lengths.output * step;
        let spread = if vary { c.burst_tail.clamp(0.0, 1.0) } else { 0.0 };
        let end = if spread > 0.0 { lengths.output * self.end(batch, &lengths) } else { 0.0 };
        let varied = (requests - batch) / batch * lengths.output * step + end;
        let decoding = (1.0 - spread) * level + spread * varied.max(level);
        let host = requests * c.request_secs;
        let duration = within((requests * prompt + decoding).max(host), 1e-9);
        let mut served = self.served(batch, running_max, &lengths, requests / duration, limit, &times);
        // Who comes early waits for the prompts of the rest of the first batch, who comes late for a place.
        let early = 0.5 * batch * prompt;
        let late = batch * prompt + 0.5 * (duration - batch * prompt).max(0.0) * (1.0 - batch / requests);
        let waits = (batch * early + (requests - batch) * late) / requests;
        served.ttft_secs = waits.max(0.5 * host) + self.ttft_fixed;
        served.tpot_secs = step + prompt * batch / lengths.output * (1.0 - 0.5 * batch / requests);
        served
    }

    /// The integral of a step over a batch that ends one by one, in steps of the mean output.
    fn end(&self, batch: f64, lengths: &Lengths) -> f64 {
        let most = batch.max(1.0).ln();
        let middle = |i: u32| (f64::from(i) + 0.5) / f64::from(POINTS) * most;
        let step = |s: f64| self.step(batch * (-s).exp(), lengths.decoding(), 0.0, 0.0).total();
        (0..POINTS).map(|i| self.with_drafts(step(middle(i))) / self.yielded).sum::<f64>() * most
            / f64::from(POINTS)
    }
}
