//! What clouds ask for an hour of a GPU.

use serde::{Deserialize, Serialize};

use super::Source;

/// Price of one machine type in one region, per GPU and hour in US dollars.
///
/// A missing price is unknown or not offered, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudRate {
    /// Stable id: `provider/instance/region`.
    pub id: String,
    /// Cloud.
    pub provider: String,
    /// Region as the cloud names it; `all` where the price is the same everywhere.
    pub region: String,
    /// Id of the [`GpuSpec`](super::GpuSpec).
    pub gpu: String,
    /// Machine type as the cloud names it.
    pub instance: String,
    /// GPUs of one machine; >= 1.
    pub gpus: u32,
    /// On demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand_usd_per_gpu_hour: Option<f64>,
    /// Reserved for one year, all hours paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_1y_usd_per_gpu_hour: Option<f64>,
    /// Reserved for three years, all hours paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_3y_usd_per_gpu_hour: Option<f64>,
    /// Interruptible, in the cheapest zone of the region at the time of reading. Equal to on demand: no discount then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_usd_per_gpu_hour: Option<f64>,
    /// What to know before using the row.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it came from.
    pub source: Source,
}
