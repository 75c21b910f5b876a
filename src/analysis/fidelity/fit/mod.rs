//! Fitting every constant of the serving model to published rows, and what the fit is worth on rows that it had not
//! seen.
//!
//! Least squares (Levenberg and Marquardt) on ln(predicted / published), soft-L1 so that a wild row pulls no harder
//! than one that is somewhat off. Each constant has a start and bounds from data sheets and measured kernels, never
//! from an earlier fit, and is drawn to its start as weakly as half a row would; so a fit without some rows knows
//! nothing of them. Rows count by the square root of how many like them there are in their table. [`held_out`] leaves
//! one GPU, or one family of models, out at a time and predicts it.

mod constants;
mod cross;
mod solve;

pub use constants::{Constant, changed, neutral};
pub use cross::{Fold, HoldOut, Out, family_of, held_out, stated};
pub use solve::{Fit, fit};
pub(super) use solve::{least_squares, push, soft};
