//! stub
use serde::{Deserialize, Serialize};
/// stub
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Estimate {
    /// f
    Fixed(f64),
}
