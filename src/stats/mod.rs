//! Probability, and nothing else: random numbers, uncertain quantities, and what a set of draws says.
//!
//! Nothing here knows a price, a token or a plan. The path of one number is
//! [`Estimate`] (what the file holds) -> [`Sampler`] (prepared for speed), fed by
//! [`Stream::uniform`] (draw `i` of a named variable) through an optional [`Copula`] (which ties
//! variables together), and then [`Summary`] (percentiles with their Monte Carlo error).
//! Structures whose leaves are estimates are in [`quantities`]. Start with [`Estimate`].

pub mod estimate;
pub mod quantities;
pub mod severity;

mod beta;
mod copula;
mod design;
mod elementary;
mod family;
mod law;
mod normal;
mod num;
mod order;
mod rank;
mod rng;
mod sampler;
mod summary;
#[cfg(test)]
mod tests;

pub use copula::{Copula, CopulaError, RankPair};
pub use design::{DesignError, SOBOL_DIMENSIONS, Sobol, latin_hypercube};
pub use estimate::{Estimate, EstimateError, Spread};
pub use family::Family;
pub use normal::{Z95, normal_cdf, normal_quantile, normal_survival};
pub use num::{LANES, Lanes, Num, turn_by_turn};
pub use order::{order, order_statistics, sorted};
pub use rank::{rank_correlation, ranks, spearman};
pub use rng::Stream;
pub use sampler::Sampler;
pub use summary::{Histogram, Percentile, Probability, Summary, SummaryError, quantile_sorted};
