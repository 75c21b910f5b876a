//! Where a figure came from.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Where a row came from and when it was read. A number without a source is a bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Who printed the figure, in words.
    pub citation: String,
    /// Address of the page, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Day on which the figure was known to stand there.
    pub read: Date,
}
