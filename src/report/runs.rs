//! Recorded runs of a real engine against their replays: errors of mean and P95, with the bars that they are held to.

use crate::analysis::fidelity::{MEAN_BAR, P95_BAR, ReplayedRun};
use crate::unit::format;

use super::table::{Align, Table};

/// The runs as tables; empty without any.
#[must_use]
pub fn runs(runs: &[ReplayedRun], left_out: &[(String, String)]) -> String {
    let mut text = String::new();
    if !runs.is_empty() {
        text.push_str(&format!("\nRuns of a real engine, replayed\n{}", table(runs)));
        text.push_str(&format!("  {}\n", sentence(runs)));
    }
    for (file, why) in left_out {
        text.push_str(&format!("  left out: {file}: {why}\n"));
    }
    text
}

/// How many of the figures keep their bars, in a sentence.
#[must_use]
pub fn sentence(runs: &[ReplayedRun]) -> String {
    let spans = || runs.iter().flat_map(|run| &run.spans);
    let all = spans().count();
    let means = spans().filter(|span| span.mean_kept()).count();
    let tails = spans().filter(|span| span.p95_kept()).count();
    let worst = spans().map(|span| span.mean_error).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    format!(
        "{means} of {all} means are within {} and {tails} of {all} P95 within {}; the worst mean is {} off",
        format::percent(MEAN_BAR),
        format::percent(P95_BAR),
        signed(worst)
    )
}

/// A relative error with its sign: `+3.2 %`.
#[must_use]
pub fn signed(error: f64) -> String {
    format!("{:+.1} %", 100.0 * error)
}

fn table(runs: &[ReplayedRun]) -> Table {
    let mut table = Table::new(&[
        ("  Run", Align::Left),
        ("", Align::Left),
        ("Mean recorded", Align::Right),
        ("Simulated", Align::Right),
        ("Off", Align::Right),
        ("", Align::Left),
        ("P95 recorded", Align::Right),
        ("Simulated", Align::Right),
        ("Off", Align::Right),
        ("", Align::Left),
    ]);
    let kept = |kept: bool| if kept { String::new() } else { "beyond".to_owned() };
    for run in runs {
        for (place, span) in run.spans.iter().enumerate() {
            table.row([
                if place == 0 { format!("  {}", run.name) } else { String::new() },
                span.span.label().to_owned(),
                format::secs(span.recorded.mean),
                format::secs(span.simulated.mean),
                signed(span.mean_error),
                kept(span.mean_kept()),
                format::secs(span.recorded.p95),
                format::secs(span.simulated.p95),
                signed(span.p95_error),
                kept(span.p95_kept()),
            ]);
        }
        let throughput = &run.throughput;
        table.row([
            String::new(),
            format!("Output tokens per second, {} apart in time", format::percent(throughput.distance)),
            String::new(),
            String::new(),
            signed(throughput.mean_error),
            kept(throughput.mean_error.abs().max(throughput.distance) <= MEAN_BAR),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    table
}
