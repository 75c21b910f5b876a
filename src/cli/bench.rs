//! `breakeven bench`: measures a device of this machine, and says what it would serve.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::analysis::this_machine::{Beside, MeasuredDevice, ServeAsk, beside, would_serve};
use crate::bench::{
    Backend, Choice, Device, End, Flag, Kernel, Pace, Quantity, Run, Settings, Versus, choices, levels,
    measure, outlier, versus,
};
use crate::io::bandwidths::read_bandwidths;
use crate::io::{machine, overlay};
use crate::job::Ctl;
use crate::report::{Align, Table};
use crate::unit::format;

use super::error::CliError;
use super::output::{Output, say};
use super::progress::{Steps, interrupt};

/// Measures bandwidth, compute, latency and transfers of a device, with their spread.
///
/// Exit codes: 0 it is measured (also what a stop left), 1 the device cannot be measured, was lost or computed something
/// wrong, 2 the command is not understood.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Lists the devices of this machine and ends.
    #[arg(long)]
    list: bool,
    /// The device, by its number in the list; the fastest kind if not given.
    #[arg(long, value_name = "N")]
    adapter: Option<usize>,
    /// Under half a minute (the usual).
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every kernel at every size; some minutes.
    #[arg(long)]
    full: bool,
    /// This kernel alone (may be repeated): read, write, copy, scale, add, triad, gemv-f16, fma-f32, latency, ...
    #[arg(long, value_name = "KERNEL", value_parser = Kernel::parse)]
    kernel: Vec<Kernel>,
    /// Largest working set, in MiB; a safe share of the memory if not given.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    max_mib: Option<u64>,
    /// Measures the memory kernels in turns with the processor's, so many rounds, and prints the ratios.
    #[arg(long, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    versus_cpu: Option<u32>,
    /// Prices energy and a device of so many US dollars in what it would serve.
    #[arg(long, value_name = "USD", default_value_t = 1500.0)]
    device_usd: f64,
    /// Power at work, in watts.
    #[arg(long, default_value_t = 300.0)]
    watts: f64,
    /// Share of the hours in which it works.
    #[arg(long, default_value_t = 0.2)]
    utilisation: f64,
    /// Shows the bandwidths that others published beside it: a folder or table (*.csv) with the columns gpu, tool, metric,
    /// measured_gbs.
    #[arg(long, value_name = "DIR|FILE")]
    published: Option<PathBuf>,
    /// Writes the points as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Prints earlier runs of this machine and ends.
    #[arg(long)]
    history: bool,
    /// Does not keep the run in the history.
    #[arg(long)]
    no_history: bool,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

fn open(choice: &Choice) -> Result<Box<dyn Backend>, CliError> {
    choice.open().map_err(|error| CliError::Bench(error.to_string()))
}

#[derive(serde::Serialize)]
struct Measured<'a> {
    run: &'a Run,
    levels: Vec<crate::bench::Level>,
    would_serve: Vec<crate::analysis::this_machine::ServeRow>,
    why_not: Option<String>,
    published: Vec<Beside>,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    if args.history {
        return history(args, output);
    }
    let choices = choices();
    if args.list {
        return list(&choices, args.json, output);
    }
    let chosen = args.adapter.unwrap_or(0);
    let Some(choice) = choices.get(chosen) else {
        return Err(CliError::Bench(format!(
            "there is no device {chosen}; `breakeven bench --list` shows 0 to {}",
            choices.len() - 1
        )));
    };
    if !(args.utilisation > 0.0 && args.utilisation <= 1.0 && args.device_usd >= 0.0 && args.watts >= 0.0) {
        let why = "utilisation must be above 0 and at most 1, price and power 0 or more";
        return Err(CliError::Bench(why.to_owned()));
    }
    // Read before anything is measured: a wrong path is said at once.
    let published = args.published.as_deref().map(read_bandwidths).transpose()?;
    let folder = machine::folder();
    let _lock = folder.as_deref().map(machine::lock).transpose()?;
    let mut backend = open(choice)?;
    if let Some(rounds) = args.versus_cpu {
        return against(args, rounds, backend.as_mut(), output);
    }
    let mut run = measured(args, backend.as_mut());
    if let Some(folder) = folder.filter(|_| !args.no_history) {
        keep(&folder, &mut run)?;
    }
    if let Some(path) = &args.csv {
        std::fs::write(path, machine::csv(std::slice::from_ref(&run)))?;
        say(&format!("The points are written to {}", path.display()));
    }
    let (catalog, calibration) = (overlay::catalog()?, overlay::calibration()?);
    let ask = ServeAsk {
        device_usd: args.device_usd,
        watts: args.watts,
        utilisation: args.utilisation,
        ..ServeAsk::default()
    };
    let device = MeasuredDevice::of(&run, &catalog, None);
    let serves = device.as_ref().map_or_else(
        |_| Vec::new(),
        |device| would_serve(device, &catalog, &calibration, &ask, day(&run.began)),
    );
    let document = Measured {
        levels: levels(&run.curve(Kernel::Read)),
        would_serve: serves,
        why_not: device.as_ref().err().map(ToString::to_string),
        published: published.map_or_else(Vec::new, |all| beside(&all.rows, Some(&run), &catalog)),
        run: &run,
    };
    if args.json {
        output.json("bench", &document)?;
    } else {
        output.text(&text(&document))?;
    }
    ended(&run)
}

/// What the exit code tells.
fn ended(run: &Run) -> Result<(), CliError> {
    if let End::Lost { why } = &run.end {
        return Err(CliError::Bench(format!(
            "the device was lost ({why}); what was measured before is above"
        )));
    }
    let wrong = run.skipped.iter().find(|skipped| skipped.why.contains("result is wrong"));
    if let Some(wrong) = wrong {
        return Err(CliError::Bench(format!("{}: {}", wrong.kernel.label(), wrong.why)));
    }
    if run.points.is_empty() && run.end != End::Stopped {
        return Err(CliError::Bench("nothing could be measured; the reasons are above".to_owned()));
    }
    Ok(())
}

fn measured(args: &Args, backend: &mut dyn Backend) -> Run {
    let settings = Settings {
        pace: if args.full { Pace::Full } else { Pace::Quick },
        kernels: args.kernel.clone(),
        bytes_max: args.max_mib.map(|mib| mib << 20),
    };
    let ctl = Ctl { cancel: interrupt().clone(), ..Ctl::default() };
    let mut steps = Steps::new("measure");
    let progress = ctl.progress.clone();
    let run = measure(backend, &settings, &now(), &ctl, &mut |run| {
        let at = progress.get();
        let last = run.points.last().map(|point| format!("{} {}", point.kernel.label(), value(point)));
        steps.show(at.done + 1, at.total, &last.unwrap_or_default());
    });
    drop(steps);
    run
}

/// The instant as files have it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The day of an instant as files have it; the first of the year 2000 of one that they do not have.
fn day(began: &str) -> Date {
    began.get(..10).and_then(|day| day.parse().ok()).unwrap_or(jiff::civil::date(2000, 1, 1))
}

/// Compares with earlier runs, and adds this one.
fn keep(folder: &std::path::Path, run: &mut Run) -> Result<(), CliError> {
    let (earlier, damaged) = machine::read(folder, &run.device)?;
    if let Some(damaged) = damaged {
        say(&damaged.to_string());
    }
    run.flags.extend(outlier(run, &earlier));
    if !run.points.is_empty() {
        machine::append(folder, run)?;
    }
    Ok(())
}

fn against(args: &Args, rounds: u32, backend: &mut dyn Backend, output: &mut Output) -> Result<(), CliError> {
    let kernels = if args.kernel.is_empty() {
        vec![Kernel::Read, Kernel::Copy, Kernel::Scale, Kernel::Add, Kernel::Triad, Kernel::Write]
    } else {
        args.kernel.clone()
    };
    let bytes = args.max_mib.unwrap_or(128) << 20;
    let ctl = Ctl { cancel: interrupt().clone(), ..Ctl::default() };
    let mut second = open(&Choice::processor())?;
    let found = versus(backend, second.as_mut(), &kernels, bytes, rounds, &ctl)
        .map_err(|error| CliError::Bench(error.to_string()))?;
    if args.json {
        return output.json("bench-versus", &found);
    }
    let mut table = Table::new(&[
        ("Kernel", Align::Left),
        ("Device", Align::Right),
        ("Processor", Align::Right),
        ("Ratio", Align::Right),
        ("Lowest", Align::Right),
        ("Highest", Align::Right),
    ]);
    for Versus { kernel, first, second, ratio, ratios, .. } in &found {
        let (low, high) = ratios.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), r| (l.min(*r), h.max(*r)));
        table.row([
            kernel.label().to_owned(),
            quantity(*kernel, *first),
            quantity(*kernel, *second),
            format!("{ratio:.2}"),
            format!("{low:.2}"),
            format!("{high:.2}"),
        ]);
    }
    let name = &backend.device().name;
    output.text(&format!("{name} in turns with the processor, {rounds} rounds, {} MiB\n{table}", bytes >> 20))
}

fn list(choices: &[Choice], json: bool, output: &mut Output) -> Result<(), CliError> {
    if json {
        let devices: Vec<&Device> = choices.iter().map(|choice| &choice.device).collect();
        return output.json("bench-list", serde_json::json!({ "devices": devices }));
    }
    let mut table = Table::new(&[
        ("", Align::Right),
        ("Device", Align::Left),
        ("Kind", Align::Left),
        ("Interface", Align::Left),
        ("Memory", Align::Right),
        ("Driver", Align::Left),
        ("Has not", Align::Left),
    ]);
    for (i, Choice { device, .. }) in choices.iter().enumerate() {
        table.row([
            i.to_string(),
            device.name.clone(),
            device.kind.label().to_owned(),
            device.backend.clone(),
            device
                .memory_bytes
                .map_or_else(|| "not known".to_owned(), |bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
            device.driver.clone(),
            device.missing.join(", "),
        ]);
    }
    if choices.len() == 1 {
        say("No GPU with a Vulkan, Metal, DirectX 12 or GL driver was found; the processor can be measured");
    }
    output.text(&table.to_string())
}

fn history(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let Some(folder) = machine::folder() else {
        return Err(CliError::Bench("this system has no folder to keep a history in".to_owned()));
    };
    let (runs, damaged) = machine::read_all(&folder)?;
    for damaged in damaged {
        say(&damaged.to_string());
    }
    if let Some(path) = &args.csv {
        std::fs::write(path, machine::csv(&runs))?;
        say(&format!("The points are written to {}", path.display()));
    }
    if args.json {
        return output.json("bench-history", serde_json::json!({ "runs": runs }));
    }
    let mut table = Table::new(&[
        ("When", Align::Left),
        ("Device", Align::Left),
        ("Driver", Align::Left),
        ("Points", Align::Right),
        ("Read", Align::Right),
        ("Spread", Align::Right),
        ("Remarks", Align::Left),
    ]);
    for run in &runs {
        let read = run.headline(Kernel::Read);
        table.row([
            run.began.clone(),
            run.device.name.clone(),
            run.device.driver.clone(),
            run.points.len().to_string(),
            read.map_or_else(String::new, value),
            read.map_or_else(String::new, |point| format!("{:.1} %", 100.0 * point.spread())),
            run.flags.iter().map(Flag::text).chain(run.end.text()).collect::<Vec<_>>().join("; "),
        ]);
    }
    output.text(&table.to_string())
}

fn value(point: &crate::bench::Point) -> String {
    quantity(point.kernel, point.value)
}

fn quantity(kernel: Kernel, value: f64) -> String {
    match kernel.quantity() {
        Quantity::Bandwidth => format!("{} GB/s", format::significant(value / 1e9, 3)),
        Quantity::Compute => format!("{} GFLOP/s", format::significant(value / 1e9, 3)),
        Quantity::Latency => format!("{} ns", format::significant(value * 1e9, 3)),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn text(document: &Measured<'_>) -> String {
    let run = document.run;
    let device = &run.device;
    let mut text =
        format!("{} ({}, {}) {}\n", device.name, device.kind.label(), device.backend, device.driver);
    if let Some(clock) = crate::bench::clock(run) {
        text.push_str(&format!(
            "Timed by {}; {} points in {:.1} s\n",
            clock.label(),
            run.points.len(),
            run.secs
        ));
    }
    for line in run.end.text().into_iter().chain(run.flags.iter().map(Flag::text)) {
        text.push_str(&format!("! {line}\n"));
    }
    let mut table = Table::new(&[
        ("Kernel", Align::Left),
        ("Working set", Align::Right),
        ("Median", Align::Right),
        ("95 % of the median", Align::Right),
        ("Settled", Align::Left),
        ("How", Align::Left),
    ]);
    for kernel in Kernel::ALL {
        for point in run.curve(*kernel) {
            table.row([
                kernel.label().to_owned(),
                size(point.working_set_bytes),
                value(point),
                format!("± {:.1} %", 100.0 * point.spread()),
                if point.steady { "within 2 %" } else { "not" }.to_owned(),
                point.variant.clone(),
            ]);
        }
    }
    text.push_str(&format!("\n{table}"));
    for skipped in &run.skipped {
        text.push_str(&format!(
            "{} at {} was not measured: {}\n",
            skipped.kernel.label(),
            size(skipped.working_set_bytes),
            skipped.why
        ));
    }
    if document.levels.len() > 1 {
        text.push_str("\nLevels of memory, by reading\n");
        for level in &document.levels {
            text.push_str(&format!(
                "  up to {}: {} GB/s\n",
                size(level.to_bytes),
                format::significant(level.bytes_per_s / 1e9, 3)
            ));
        }
    }
    match &document.why_not {
        Some(why) => text.push_str(&format!("\nWhat it would serve cannot be said: {why}\n")),
        None => text.push_str(&serves(document)),
    }
    if !document.published.is_empty() {
        text.push_str(&format!("\nPublished bandwidths beside it\n{}", published(&document.published)));
    }
    text
}

fn published(rows: &[Beside]) -> Table {
    let mut table = Table::new(&[
        ("Device", Align::Left),
        ("Tool", Align::Left),
        ("What", Align::Left),
        ("Published", Align::Right),
        ("Of data sheet", Align::Right),
        ("Measured here", Align::Right),
        ("Of published", Align::Right),
    ]);
    let rate = |bytes: f64| format!("{}/s", format::bytes(bytes));
    for row in rows {
        let published = &row.published;
        table.row([
            published.device.clone(),
            published.tool.clone(),
            published.metric.clone(),
            rate(published.bytes_per_s),
            row.data_sheet_share.map_or_else(String::new, format::percent),
            row.measured_bytes_per_s.map_or_else(String::new, rate),
            row.ratio.map_or_else(String::new, format::percent),
        ]);
    }
    table
}

/// Models that are printed, fastest first.
const SERVES_SHOWN: usize = 20;

fn serves(document: &Measured<'_>) -> String {
    let mut table = Table::new(&[
        ("Model", Align::Left),
        ("Weights", Align::Left),
        ("One stream", Align::Right),
        ("First token", Align::Right),
        ("$/M out", Align::Right),
        ("Best batch", Align::Right),
        ("$/M out", Align::Right),
        ("API $/M out", Align::Right),
    ]);
    let usd = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), format::usd);
    for row in document.would_serve.iter().take(SERVES_SHOWN) {
        table.row([
            row.name.clone(),
            row.weights.clone(),
            format!("{} tok/s", format::significant(row.stream_tokens_per_sec, 3)),
            format::secs(row.ttft_secs),
            format::usd(row.alone_usd_per_mtok),
            row.batch_tokens_per_sec
                .map_or_else(|| "-".to_owned(), |rate| format!("{} tok/s", format::significant(rate, 3))),
            usd(row.batch_usd_per_mtok),
            usd(row.api.as_ref().map(|api| api.usd_per_mtok)),
        ]);
    }
    let note = if document.run.device.kind.is_processor() {
        "; the model was fitted to GPUs, a processor is outside of it"
    } else {
        ""
    };
    let rest = document.would_serve.len().saturating_sub(SERVES_SHOWN);
    let rest = if rest > 0 {
        format!("{rest} more fit and are slower; --json has them all\n")
    } else {
        String::new()
    };
    format!("\nWhat it would serve, 1,024 tokens in and 256 out{note}\n{table}{rest}")
}
