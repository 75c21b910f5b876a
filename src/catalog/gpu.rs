//! Accelerators as their data sheets state them.

use serde::{Deserialize, Serialize};

use super::Source;
use crate::unit::{Bytes, BytesPerSec, FlopsPerSec};

/// Where an accelerator is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpuClass {
    /// Servers.
    DataCentre,
    /// Professional desktop cards.
    Workstation,
    /// Gaming cards.
    Consumer,
    /// Apple silicon with unified memory.
    Apple,
    /// Google's tensor processing units.
    Tpu,
}

impl GpuClass {
    /// All of them, in order of display.
    pub const ALL: &[Self] = &[Self::DataCentre, Self::Workstation, Self::Consumer, Self::Apple, Self::Tpu];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::DataCentre => "Data centre",
            Self::Workstation => "Workstation",
            Self::Consumer => "Consumer",
            Self::Apple => "Apple silicon",
            Self::Tpu => "TPU",
        }
    }
}

/// One accelerator. All rates are dense: no structured sparsity. Matrix rates accumulate in 32 bits.
///
/// A missing number is unknown, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuSpec {
    /// Stable id, such as `h100-sxm-80gb`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Manufacturer.
    pub vendor: String,
    /// Where it is at home.
    pub class: GpuClass,
    /// Memory that a process can use, in bytes; > 0.
    pub memory_bytes: f64,
    /// Data-sheet memory bandwidth, in bytes per second; > 0.
    pub bandwidth_bytes_per_s: f64,
    /// Dense BF16 (or FP16) rate, in FLOP/s; > 0.
    pub bf16_flops_dense: f64,
    /// Rate of 32 bit integers outside the matrix units: lanes times boost clock, in operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_ops: Option<f64>,
    /// Dense FP8 rate, in FLOP/s; `None` where the hardware has none or it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp8_flops_dense: Option<f64>,
    /// Dense INT8 rate, in operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8_ops_dense: Option<f64>,
    /// Dense FP4 rate, in FLOP/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp4_flops_dense: Option<f64>,
    /// Link to the neighbours, in words.
    pub link: String,
    /// Bandwidth of that link in one direction, in bytes per second; `None` for a lone device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bytes_per_s_per_dir: Option<f64>,
    /// Board power, in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tdp_watts: Option<f64>,
    /// Price of one device, in US dollars, where a source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street_price_usd: Option<f64>,
    /// Names of the fields that no source confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<String>,
    /// What to know before using the row.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it came from.
    pub source: Source,
}

impl GpuSpec {
    /// Memory that a process can use.
    #[must_use]
    pub const fn memory(&self) -> Bytes {
        Bytes(self.memory_bytes)
    }

    /// Data-sheet memory bandwidth.
    #[must_use]
    pub const fn bandwidth(&self) -> BytesPerSec {
        BytesPerSec(self.bandwidth_bytes_per_s)
    }

    /// Dense BF16 rate.
    #[must_use]
    pub const fn bf16(&self) -> FlopsPerSec {
        FlopsPerSec(self.bf16_flops_dense)
    }

    /// Rate of 32 bit integers outside the matrix units, in operations per second; > 0.
    ///
    /// Where it is not stated, the part of the 16 bit rate that is usual in its class: the lanes of Apple silicon do both,
    /// matrix units do 8 times as much on gaming cards, 16 times on workstations (A6000), 32 times in servers (A100).
    #[must_use]
    pub fn vector_ops(&self) -> f64 {
        let times = match self.class {
            GpuClass::Apple => 2.0,
            GpuClass::Consumer => 8.0,
            GpuClass::Workstation => 16.0,
            GpuClass::DataCentre | GpuClass::Tpu => 32.0,
        };
        self.vector_ops.unwrap_or(self.bf16_flops_dense / times)
    }

    /// Link bandwidth in one direction, if there is a link.
    #[must_use]
    pub fn link(&self) -> Option<BytesPerSec> {
        self.link_bytes_per_s_per_dir.map(BytesPerSec)
    }
}
