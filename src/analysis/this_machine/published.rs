//! Published bandwidths of devices, row by row, beside a device that was measured here.

use serde::Serialize;

use crate::bench::{Kernel, Run};
use crate::catalog::Catalog;

/// A bandwidth that somebody published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedBandwidth {
    /// File and line in which it stands, the header being line 1.
    pub file: String,
    /// See `file`.
    pub line: u64,
    /// Device as the file names it.
    pub device: String,
    /// Program that measured it.
    pub tool: String,
    /// What it measured, as the file says.
    pub metric: String,
    /// Bandwidth that was reached, in bytes per second; > 0.
    pub bytes_per_s: f64,
    /// Data-sheet bandwidth as the file has it, in bytes per second.
    pub data_sheet_bytes_per_s: Option<f64>,
    /// Remark of the file.
    pub note: String,
    /// Where the file has it from.
    pub source: String,
}

/// A published row beside the measured device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beside {
    /// What was published.
    pub published: PublishedBandwidth,
    /// Whether it is of the device that was measured, as far as names tell.
    pub same_device: bool,
    /// Share of its data sheet that it reaches; the catalogue's where the file has none.
    pub data_sheet_share: Option<f64>,
    /// The kernel that does the same work.
    pub kernel: Option<Kernel>,
    /// What the measured device reaches with it, in bytes per second.
    pub measured_bytes_per_s: Option<f64>,
    /// Measured over published.
    pub ratio: Option<f64>,
}

/// The kernel that does the work that a metric names; `None` where no kernel does, as for a stencil.
///
/// clpeak's global memory bandwidth and a read of a large data set sum an array; gpu-stream names its kernels.
#[must_use]
pub fn kernel_of(metric: &str) -> Option<Kernel> {
    let metric = metric.to_lowercase();
    let begins = |word: &str| metric.starts_with(word);
    match () {
        () if begins("read") || metric.contains("global memory bandwidth") => Some(Kernel::Read),
        () if begins("init") || begins("write") => Some(Kernel::Write),
        () if begins("copy") => Some(Kernel::Copy),
        () if begins("scale") || begins("mul") => Some(Kernel::Scale),
        () if begins("add") => Some(Kernel::Add),
        () if begins("triad") => Some(Kernel::Triad),
        () => None,
    }
}

/// Every published row beside a run: those of the same device first, then the fastest first.
#[must_use]
pub fn beside(rows: &[PublishedBandwidth], run: Option<&Run>, catalog: &Catalog) -> Vec<Beside> {
    let own = run.map(|run| run.device.name.as_str());
    let own_row = own.and_then(|name| catalog.gpu_named(name)).map(|gpu| &gpu.id);
    let one = |published: &PublishedBandwidth| {
        let row = catalog.gpu_named(&published.device);
        let same_name = own.is_some_and(|own| own.trim().eq_ignore_ascii_case(published.device.trim()));
        let same_row = own_row.is_some() && row.map(|row| &row.id) == own_row;
        let sheet = published.data_sheet_bytes_per_s.or(row.map(|row| row.bandwidth_bytes_per_s));
        let kernel = kernel_of(&published.metric);
        let point = run.zip(kernel).and_then(|(run, kernel)| run.headline(kernel));
        let measured = point.map(|point| point.value);
        Beside {
            same_device: same_name || same_row,
            data_sheet_share: sheet.map(|sheet| published.bytes_per_s / sheet),
            kernel,
            measured_bytes_per_s: measured,
            ratio: measured.map(|measured| measured / published.bytes_per_s),
            published: published.clone(),
        }
    };
    let mut all: Vec<Beside> = rows.iter().map(one).collect();
    all.sort_by(|a, b| {
        let fast = |row: &Beside| row.published.bytes_per_s;
        b.same_device.cmp(&a.same_device).then(fast(b).total_cmp(&fast(a)))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Clock, End, Pace, Point, Processor, SCHEMA};

    fn published(device: &str, metric: &str, bytes_per_s: f64) -> PublishedBandwidth {
        PublishedBandwidth {
            file: "a.csv".to_owned(),
            line: 2,
            device: device.to_owned(),
            tool: "clpeak".to_owned(),
            metric: metric.to_owned(),
            bytes_per_s,
            data_sheet_bytes_per_s: None,
            note: String::new(),
            source: String::new(),
        }
    }

    #[test]
    fn a_metric_is_compared_with_the_kernel_that_does_the_same_work() {
        for (metric, kernel) in [
            ("global memory bandwidth (max vector width)", Some(Kernel::Read)),
            ("read, data set > 1 GB (DRAM plateau, median)", Some(Kernel::Read)),
            ("init (max over occupancy)", Some(Kernel::Write)),
            ("triad (max over occupancy)", Some(Kernel::Triad)),
            ("5pt (max over occupancy)", None),
        ] {
            assert_eq!(kernel_of(metric), kernel, "{metric}");
        }
    }

    #[test]
    fn the_same_device_comes_first_with_its_ratio_and_its_share_of_the_data_sheet() {
        let device = crate::bench::Device { name: "NVIDIA H200".to_owned(), ..Processor::described() };
        let point = Point {
            kernel: Kernel::Read,
            working_set_bytes: 1 << 30,
            value: 4.2e12,
            low: 4.2e12,
            high: 4.2e12,
            samples: 5,
            passes: 1,
            pass_secs: 0.1,
            clock: Clock::HostClock,
            steady: true,
            variant: String::new(),
        };
        let run = Run {
            schema: SCHEMA,
            program: String::new(),
            began: String::new(),
            secs: 1.0,
            pace: Pace::Quick,
            device,
            points: vec![point],
            skipped: Vec::new(),
            flags: Vec::new(),
            end: End::Complete,
        };
        let rows = [
            published("b200_sxm", "read", 7e12),
            published("h200", "read", 4e12),
            published("h200", "5pt", 1e12),
        ];
        let all = beside(&rows, Some(&run), Catalog::shipped());
        assert_eq!(all.iter().map(|row| row.same_device).collect::<Vec<_>>(), [true, true, false]);
        assert!((all[0].ratio.unwrap() - 1.05).abs() < 1e-9);
        assert!((all[0].data_sheet_share.unwrap() - 4.0 / 4.8).abs() < 0.01);
        assert_eq!((all[1].kernel, all[1].ratio), (None, None), "no kernel does a stencil's work");
        let without = beside(&rows, None, Catalog::shipped());
        assert!(without.iter().all(|row| !row.same_device && row.ratio.is_none()));
    }
}
