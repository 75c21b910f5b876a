//! The simulator against real servers: the same requests, replayed.

use std::path::Path;

use breakeven::analysis::fidelity::replay;
use breakeven::catalog::Catalog;
use breakeven::io::recorded_runs::read_runs;
use breakeven::serving::Calibration;

/// A run of a real server: its files' name, and how far off the simulation may be in the mean and at the 95th percentile.
struct Run {
    name: &'static str,
    mean: f64,
    p95: f64,
}

/// No constant is fitted to these runs, though they showed what physics was missing: the bounds are what a simulator of a
/// real engine should keep.
const RUNS: [Run; 2] = [
    Run { name: "RTX4090_Llama-3.1-8B", mean: 0.10, p95: 0.20 },
    Run { name: "RTXPRO6000_Qwen3-32B", mean: 0.10, p95: 0.20 },
];

#[test]
fn runs_of_a_real_engine_are_replayed_within_their_bounds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.ancestors().skip(1).map(|a| a.join("shared/data/traces")).find(|p| p.is_dir());
    let Some(folder) = folder else {
        eprintln!("SKIPPED: the traces are not beside the checkout; runs of a real engine are not compared");
        return;
    };
    let recorded = read_runs(&folder).unwrap();
    for run in &RUNS {
        let Some(found) = recorded.runs.iter().find(|known| known.name.ends_with(run.name)) else {
            eprintln!("SKIPPED: the run {} is not in {}", run.name, folder.display());
            continue;
        };
        let replayed = replay(found, Catalog::shipped(), Calibration::shipped()).unwrap();
        for span in &replayed.spans {
            let (what, mean, p95) = (span.span.label(), span.mean_error, span.p95_error);
            println!("{}, {what}: mean {:+.1} %, P95 {:+.1} %", run.name, 100.0 * mean, 100.0 * p95);
            assert!(mean.abs() <= run.mean && p95.abs() <= run.p95, "{} {what}: {mean} {p95}", run.name);
        }
        let throughput = replayed.throughput;
        println!(
            "{}, throughput: {:+.1} %, stretch by stretch {:.1} %",
            run.name,
            100.0 * throughput.mean_error,
            100.0 * throughput.distance
        );
        assert!(throughput.mean_error.abs() <= run.mean, "{}: {}", run.name, throughput.mean_error);
    }
}
