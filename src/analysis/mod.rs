//! Questions asked of a scenario: what does each plan cost, how surely, where does the answer flip, and why.
//!
//! Everything goes through one evaluation of one state of the world: point values give the instant answer,
//! draws give the forecast. Results are data ([`results`]); how they are shown is decided elsewhere.

mod breakeven;
mod columns;
mod evaluate;
mod evaluator;
pub mod fidelity;
mod findings;
mod latency;
mod montecarlo;
mod month;
pub mod perf;
mod rates;
pub mod results;
mod sensitivity;
pub mod serving_curve;
mod situation;
pub mod sizing;
mod spread;
mod standing;
pub mod this_machine;
pub mod traffic;
mod wide;

pub use breakeven::{BAND_TRIALS, break_even, break_even_bands, break_even_bands_beside};
pub use evaluate::evaluate;
pub use montecarlo::{forecast, forecast_until};
pub use sensitivity::sensitivity;

pub use results::{
    Band, BreakEven, Crossing, Curve, DeploymentOutcome, EndpointOutcome, Finding, Forecast, Header, Latency,
    Limit, MonthOutcome, Outcome, PlanForecast, PlanOutcome, Probability, Sensitivity, SensitivityRow,
    Severity, Spread, UseCaseOutcome,
};

#[cfg(test)]
mod tests;
