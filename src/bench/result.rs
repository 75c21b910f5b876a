//! What a measurement says: the device, the points with their spread, and what was wrong.

use serde::{Deserialize, Serialize};

use super::kernel::{Kernel, Quantity};

/// Version of the form of [`Run`] in files.
pub const SCHEMA: u32 = 1;

/// What kind of device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// The processor, through threads of this program.
    Cpu,
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the system's memory.
    Integrated,
    /// A part of a GPU, lent by a hypervisor.
    Virtual,
    /// A GPU that the processor imitates.
    Software,
    /// The driver does not say.
    Other,
}

impl DeviceKind {
    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "processor",
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Software => "software GPU",
            Self::Other => "GPU of unknown kind",
        }
    }

    /// Whether the work is done by the processor's cores.
    #[must_use]
    pub const fn is_processor(self) -> bool {
        matches!(self, Self::Cpu | Self::Software)
    }
}

/// A device that can be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// What kind.
    pub kind: DeviceKind,
    /// Name, as the driver or the system states it.
    pub name: String,
    /// Interface that it is reached by: `Vulkan`, `Metal`, `threads`.
    pub backend: String,
    /// Driver with its version; empty where none is named.
    pub driver: String,
    /// Memory in bytes; `None` where nothing says it.
    pub memory_bytes: Option<u64>,
    /// Largest piece of memory that one kernel can see, in bytes.
    pub binding_bytes_max: Option<u64>,
    /// Optional abilities that are there.
    pub features: Vec<String>,
    /// Optional abilities that are not.
    pub missing: Vec<String>,
}

impl Device {
    /// What a history is kept under: the same device with the same driver.
    #[must_use]
    pub fn key(&self) -> String {
        let text = format!("{} {} {}", self.name, self.backend, self.driver);
        let mut key = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                key.push(c.to_ascii_lowercase());
            } else if !key.ends_with('-') && !key.is_empty() {
                key.push('-');
            }
        }
        key.truncate(100);
        key.trim_end_matches('-').to_owned()
    }
}

/// How time was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The device's own time stamps around the work.
    DeviceTimestamps,
    /// The host's clock around a long chain of the work.
    HostClock,
}

impl Clock {
    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::DeviceTimestamps => "device time stamps",
            Self::HostClock => "host clock around a long chain",
        }
    }
}

/// How thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Under half a minute.
    #[default]
    Quick,
    /// Every kernel at every size; some minutes.
    Full,
}

/// One measured point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Kernel.
    pub kernel: Kernel,
    /// Bytes that one pass touches.
    pub working_set_bytes: u64,
    /// Median over the samples: bytes per second, FLOP per second or seconds, by [`Kernel::quantity`]; > 0.
    pub value: f64,
    /// Lower end of the 95 % interval of the median.
    pub low: f64,
    /// Upper end of the 95 % interval of the median.
    pub high: f64,
    /// Samples taken.
    pub samples: u32,
    /// Passes in each sample.
    pub passes: u32,
    /// Seconds of one pass.
    pub pass_secs: f64,
    /// How time was taken.
    pub clock: Clock,
    /// Whether the interval is within 2 % of the median on either side.
    pub steady: bool,
    /// How the kernel was run, where there was a choice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Point {
    /// Half the width of the interval over the median; 0.02 is 2 %.
    #[must_use]
    pub fn spread(&self) -> f64 {
        0.5 * (self.high - self.low) / self.value
    }
}

/// A kernel that was not measured, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Kernel.
    pub kernel: Kernel,
    /// Bytes of the working set.
    pub working_set_bytes: u64,
    /// Why, in one sentence.
    pub why: String,
}

/// What to know before trusting a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "flag")]
pub enum Flag {
    /// The first point, measured again at the end, was slower: the device got hot, or something else began to work.
    Slower {
        /// Last over first, below 1.
        ratio: f64,
    },
    /// Samples of one point differ a lot: something else uses the device.
    Busy {
        /// Points whose interval is wider than 10 %.
        points: u32,
    },
    /// The system slept during the run; what was being timed then was thrown away.
    Slept {
        /// For how long.
        secs: f64,
    },
    /// Far from the median of earlier runs of this device and driver.
    Outlier {
        /// This run's read bandwidth over the median of the earlier ones.
        ratio: f64,
    },
    /// Device time stamps contradicted the host's clock; the host's clock was used.
    ClockDisagrees,
    /// The program was built without optimisation: the processor's own kernels are slow for that alone.
    DebugBuild,
}

impl Flag {
    /// One sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Slower { ratio } => format!(
                "The first point repeated at the end reached {:.0} % of its first value: the device throttled or became busy",
                ratio * 100.0
            ),
            Self::Busy { points } => format!(
                "{points} {} vary by more than 10 %: something else seems to use the device",
                if *points == 1 { "point" } else { "points" }
            ),
            Self::Slept { secs } => {
                format!(
                    "The system slept for {secs:.0} s in the middle; what was being timed was thrown away"
                )
            }
            Self::Outlier { ratio } => format!(
                "Read bandwidth is {:.0} % of the median of earlier runs of this device and driver",
                ratio * 100.0
            ),
            Self::ClockDisagrees => {
                "The device's time stamps contradict the host's clock; the host's clock was used".to_owned()
            }
            Self::DebugBuild => {
                "This is a debug build, in which the processor's kernels are slow; measure with a release build".to_owned()
            }
        }
    }
}

/// How a run ended. Whatever was measured before is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// It is still going on.
    Running,
    /// Everything was measured or skipped with a reason.
    Complete,
    /// Stopped on request.
    Stopped,
    /// The time was up.
    OutOfTime {
        /// Points that were not begun.
        left: u32,
    },
    /// The device was lost.
    Lost {
        /// What the driver said.
        why: String,
    },
}

impl End {
    /// One sentence; `None` where there is nothing to say.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Running | Self::Complete => None,
            Self::Stopped => Some("Stopped on request; what was measured is kept".to_owned()),
            Self::OutOfTime { left } => Some(format!(
                "Time was up with {left} {} to go; what was measured is kept",
                if *left == 1 { "point" } else { "points" }
            )),
            Self::Lost { why } => Some(format!("The device was lost ({why}); what was measured is kept")),
        }
    }
}

/// One run over a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub program: String,
    /// When it began, UTC, as `2026-11-24T21:00:00Z`.
    pub began: String,
    /// How long it took, in seconds.
    pub secs: f64,
    /// How thoroughly.
    pub pace: Pace,
    /// The device.
    pub device: Device,
    /// What was measured, in the order in which it was.
    pub points: Vec<Point>,
    /// What was not, and why.
    pub skipped: Vec<Skipped>,
    /// What to know before trusting it.
    pub flags: Vec<Flag>,
    /// How it ended.
    pub end: End,
}

impl Run {
    /// The points of a kernel, smallest working set first.
    #[must_use]
    pub fn curve(&self, kernel: Kernel) -> Vec<&Point> {
        let mut points: Vec<&Point> = self.points.iter().filter(|point| point.kernel == kernel).collect();
        points.sort_by_key(|point| point.working_set_bytes);
        points
    }

    /// The value of a kernel out of memory rather than caches: at its largest working set. For compute, the best.
    #[must_use]
    pub fn headline(&self, kernel: Kernel) -> Option<&Point> {
        let points = self.points.iter().filter(|point| point.kernel == kernel);
        match kernel.quantity() {
            Quantity::Compute => points.max_by(|a, b| a.value.total_cmp(&b.value)),
            Quantity::Bandwidth | Quantity::Latency => points.max_by_key(|point| point.working_set_bytes),
        }
    }

    /// Read bandwidth out of memory, in bytes per second: what decoding depends on. Where reading was not measured,
    /// the best of the other memory kernels' headlines.
    #[must_use]
    pub fn read_bytes_per_s(&self) -> Option<f64> {
        let value = |kernel: Kernel| self.headline(kernel).map(|point| point.value);
        value(Kernel::Read).or_else(|| {
            [Kernel::Triad, Kernel::Copy, Kernel::Add, Kernel::Scale]
                .into_iter()
                .filter_map(value)
                .max_by(f64::total_cmp)
        })
    }
}
