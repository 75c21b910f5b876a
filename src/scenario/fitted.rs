//! A use case that takes over what a trace says about it.

use crate::stats::Estimate::{self, Fixed, Percentiles};
use crate::stats::Z95;
use crate::workload::fit::TraceFit;
use crate::workload::{FamilyFit, FitMethod, Length, LengthFit, LengthSpread, UseCase};

/// From this relative error on, symmetric percentiles would reach below zero.
const RATE_ERROR_MAX: f64 = 0.5;

/// What of a fit is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Requests per day, burstiness and, where the trace spans a day, the weekly profile.
    pub arrivals: bool,
    /// Hour of the week (0 is Monday 00:00) at which a trace without a clock starts.
    pub start_hour: usize,
    /// How lengths are described.
    pub lengths: TakenLengths,
}

/// How a scenario describes the lengths of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TakenLengths {
    /// By a family where one is good enough, else as they were observed: [`LengthFit::chosen`].
    #[default]
    Chosen,
    /// As they were observed.
    Empirical,
    /// By the log-normal whose mean is nearest.
    LogNormal,
    /// By the gamma.
    Gamma,
}

/// Writes a fit into a use case.
///
/// A trace holds whole prompts: the user's text takes their length, and system prompt, retrieved context, turns,
/// calls and hidden reasoning are set to none, since they are inside already. The requests per day are uncertain by
/// the error of the trace's rate, which says nothing about other days.
pub fn apply(fit: &TraceFit, use_case: &mut UseCase<Estimate>, taken: Taken) {
    use_case.user_tokens = length(&fit.prompt, taken.lengths);
    use_case.output_tokens = length(&fit.output, taken.lengths);
    use_case.system_prompt_tokens = Fixed(0.0);
    use_case.retrieved_tokens = Fixed(0.0);
    use_case.reasoning_tokens = Fixed(0.0);
    use_case.conversation.turns.mean = Fixed(1.0);
    use_case.agent.calls.mean = Fixed(1.0);
    use_case.early_stop.share = Fixed(0.0);
    use_case.max_tokens = None;
    if !taken.arrivals {
        return;
    }
    let arrivals = &fit.arrivals;
    let mean = arrivals.requests_per_day;
    use_case.requests_per_day = match arrivals.rate_error {
        Some(error) if error > 0.0 && error < RATE_ERROR_MAX => {
            let reach = mean * Z95 * error;
            Percentiles { p5: mean - reach, p50: mean, p95: mean + reach }
        }
        _ => Fixed(mean),
    };
    if let Some(cv) = arrivals.burstiness_cv() {
        use_case.burstiness_cv = Fixed(cv);
    }
    if let Some(shape) = &arrivals.shape {
        use_case.profile = shape.profile(taken.start_hour);
    }
}

/// The length that is asked for; lengths that are all alike are fixed whatever is asked for.
fn length(fit: &LengthFit, taken: TakenLengths) -> Length<Estimate> {
    let is_taken = |candidate: &&FamilyFit| match taken {
        TakenLengths::Chosen => candidate.method == fit.chosen,
        TakenLengths::Empirical => candidate.method == FitMethod::Empirical,
        TakenLengths::LogNormal => candidate.length.spread == LengthSpread::LogNormal,
        TakenLengths::Gamma => candidate.length.spread == LengthSpread::Gamma,
    };
    let nearest =
        |a: &&FamilyFit, b: &&FamilyFit| a.goodness.mean_error.abs().total_cmp(&b.goodness.mean_error.abs());
    let found = fit.fits.iter().filter(is_taken).min_by(nearest).or_else(|| fit.fit(fit.for_bill));
    let (median, p95, spread) = match found {
        Some(FamilyFit { length, .. }) => (length.median, length.p95, length.spread.clone()),
        None => (fit.median, fit.p95.max(fit.median), LengthSpread::LogNormal),
    };
    Length { median: Fixed(median), p95: Fixed(p95), spread }
}
