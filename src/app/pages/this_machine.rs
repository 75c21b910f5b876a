//! *This machine*: measure a device, and see what it would serve.

mod published;

use eframe::egui::{Button, Grid, Label, ProgressBar, RichText, ScrollArea, Ui};

use crate::analysis::Severity;
use crate::analysis::this_machine::{MeasuredDevice, ServeAsk, ServeRow, would_serve};
use crate::app::action::Action;
use crate::app::machine::Machine;
use crate::app::plots::bandwidth::{Mark, bandwidth_plot_ui};
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, columns, heading, number, section, sentence};
use crate::bench::{Device, Flag, Kernel, Level, Pace, Point, Quantity, Run, clock, levels};
use crate::catalog::Catalog;
use crate::io::machine;
use crate::unit::format::{self, Unit};

/// The page's part of the session.
#[derive(Debug, Clone, Default)]
pub struct MachineState {
    /// Position of the chosen device.
    device: usize,
    pace: Pace,
    ask: ServeAsk,
    /// Memory of the device, where the user says it.
    memory_bytes: Option<f64>,
    /// The earlier run that is compared with, by when it began.
    compared: Option<String>,
    published: published::PublishedState,
    /// Whether every model is shown that it would serve.
    all_models: bool,
    answer: Option<Answer>,
}

/// What a run says, worked out when it or the question changes.
#[derive(Debug, Clone)]
struct Answer {
    counted: u64,
    ask: ServeAsk,
    memory_bytes: Option<f64>,
    levels: Vec<Level>,
    marks: Vec<Mark>,
    device: Result<MeasuredDevice, String>,
    rows: Vec<ServeRow>,
}

/// Models that are shown at first.
const MODELS: usize = 10;

/// Height of the plot, in points.
const PLOT: f32 = 300.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let shown = view.machine;
    if shown.devices.is_none() {
        out.send(Action::ListDevices);
    }
    let state = &mut session.machine;
    if let Some(run) = &shown.run {
        keep_answer(state, shown.counted, run, view);
    }
    sentence(ui, &verdict(shown));
    ui.add_space(space::S);
    controls_ui(ui, state, shown, view.theme, out);
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let Some(run) = shown.run.clone() else {
            let text = "What is measured here: how fast memory, caches, arithmetic and transfers of a device are, with \
                        their spread. From it follows which models it would serve, how fast, and at what price.";
            ui.add(Label::new(RichText::new(text).color(view.theme.text_weak)).wrap());
            ui.add_space(space::L);
            published::ui(ui, &mut state.published, view, out);
            ui.add_space(space::S);
            section(ui, "Earlier runs", true, |ui| history_ui(ui, state, shown, out));
            return;
        };
        remarks_ui(ui, &run, view.theme);
        let before = state
            .compared
            .as_ref()
            .and_then(|began| shown.history.iter().find(|run| run.began == *began))
            .filter(|before| before.began != run.began);
        if let Some(answer) = &state.answer {
            let before = before.map(AsRef::as_ref);
            bandwidth_plot_ui(ui, &run, before, &answer.levels, &answer.marks, PLOT);
        }
        let compared = before.map(|before| compared_words(before));
        if let Some(words) = compared {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(words).color(view.theme.text));
                if ui.button("Compare no more").clicked() {
                    state.compared = None;
                }
            });
        }
        ui.add_space(space::M);
        serves_ui(ui, state, &run, view.theme, out);
        ui.add_space(space::M);
        section(ui, "Every kernel", true, |ui| kernels_ui(ui, &run, before.map(AsRef::as_ref)));
        section(ui, "Published bandwidths", true, |ui| published::ui(ui, &mut state.published, view, out));
        section(ui, "Earlier runs", true, |ui| history_ui(ui, state, shown, out));
    });
}

fn keep_answer(state: &mut MachineState, counted: u64, run: &Run, view: &View<'_>) {
    let catalog = view.catalog;
    let same = |answer: &Answer| {
        answer.counted == counted && answer.ask == state.ask && answer.memory_bytes == state.memory_bytes
    };
    if state.answer.as_ref().is_some_and(same) {
        return;
    }
    let device = MeasuredDevice::of(run, catalog, state.memory_bytes).map_err(|error| error.to_string());
    let day = run.began.get(..10).and_then(|day| day.parse().ok()).unwrap_or(jiff::civil::date(2000, 1, 1));
    let serves = |device: &MeasuredDevice| would_serve(device, catalog, view.calibration, &state.ask, day);
    let rows = device.as_ref().map_or_else(|_| Vec::new(), serves);
    state.answer = Some(Answer {
        counted,
        ask: state.ask,
        memory_bytes: state.memory_bytes,
        levels: levels(&run.curve(Kernel::Read)),
        marks: marks(run, device.as_ref().ok(), catalog),
        device,
        rows,
    });
}

/// The device's own data sheet, and the devices of the catalogue that are nearest above and below.
fn marks(run: &Run, device: Option<&MeasuredDevice>, catalog: &Catalog) -> Vec<Mark> {
    let Some(read) = run.read_bytes_per_s() else { return Vec::new() };
    let own = device.and_then(|device| device.gpu.clone());
    let mut marks: Vec<Mark> = Vec::new();
    if let Some(bytes_per_s) = device.and_then(|device| device.data_sheet_bytes_per_s) {
        marks.push(Mark { name: "its data sheet".to_owned(), bytes_per_s, own: true });
    }
    let mut others: Vec<_> = catalog.gpus.iter().filter(|gpu| Some(&gpu.id) != own.as_ref()).collect();
    let far = |bytes_per_s: f64| (bytes_per_s / read).ln().abs();
    others.sort_by(|a, b| far(a.bandwidth_bytes_per_s).total_cmp(&far(b.bandwidth_bytes_per_s)));
    let mut chosen: Vec<Mark> = Vec::new();
    for gpu in others {
        let apart = |mark: &Mark| (mark.bytes_per_s / gpu.bandwidth_bytes_per_s).ln().abs() > 0.4;
        if chosen.iter().all(apart) && chosen.len() < 3 {
            chosen.push(Mark { name: gpu.name.clone(), bytes_per_s: gpu.bandwidth_bytes_per_s, own: false });
        }
    }
    marks.extend(chosen);
    marks.sort_by(|a, b| b.bytes_per_s.total_cmp(&a.bytes_per_s));
    marks
}

/// The page in a sentence.
fn verdict(shown: &Machine) -> String {
    let Some(run) = &shown.run else {
        return match &shown.devices {
            None => "Looking for the devices of this machine.".to_owned(),
            Some(devices) => match devices.len() {
                1 => "No GPU with a driver was found; the processor can be measured.".to_owned(),
                count => format!("{count} devices can be measured; nothing was yet."),
            },
        };
    };
    let name = &run.device.name;
    match run.headline(Kernel::Read) {
        Some(point) => format!(
            "{name} reads {}/s out of memory (± {:.1} %{}).",
            format::bytes(point.value),
            100.0 * point.spread(),
            if point.steady { "" } else { ", not settled within 2 %" }
        ),
        None if shown.is_measuring() => format!("Measuring {name}."),
        None => format!("{name} was measured without reading."),
    }
}

fn device_text(device: &Device) -> String {
    let memory = device.memory_bytes.map_or_else(String::new, |bytes| {
        #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
        let bytes = bytes as f64;
        format!(", {}", format::bytes(bytes))
    });
    format!("{} ({}, {}{memory})", device.name, device.kind.label(), device.backend)
}

fn controls_ui(ui: &mut Ui, state: &mut MachineState, shown: &Machine, theme: &Theme, out: &mut Outbox) {
    let devices = shown.devices.as_deref().unwrap_or_default();
    ui.horizontal_wrapped(|ui| {
        ui.allocate_ui(eframe::egui::vec2(380.0, 44.0), |ui| {
            let options: Vec<(usize, String)> = devices.iter().map(device_text).enumerate().collect();
            choice(ui, "Device", &mut state.device, &options);
        });
        ui.allocate_ui(eframe::egui::vec2(170.0, 44.0), |ui| {
            let options = [
                (Pace::Quick, "Quick, under 30 s".to_owned()),
                (Pace::Full, "Full, some minutes".to_owned()),
            ];
            choice(ui, "Thoroughness", &mut state.pace, &options);
        });
        if let Some(progress) = &shown.progress {
            if ui.button("Stop").on_hover_text("What was measured is kept").clicked() {
                out.send(Action::StopMeasuring);
            }
            let share = progress.share().unwrap_or(0.0);
            #[expect(clippy::cast_possible_truncation, reason = "a share")]
            let bar =
                ProgressBar::new(share as f32).desired_width(120.0).desired_height(6.0).fill(theme.accent);
            ui.add(bar);
            ui.label(format!("{} of {}, {}", progress.done, progress.total, progress.what));
        } else {
            let may = devices.get(state.device).is_some();
            if ui.add_enabled(may, Button::new("Measure")).clicked() {
                state.compared = None;
                out.send(Action::MeasureDevice { device: state.device, pace: state.pace });
            }
        }
        if let Some(run) = shown.run.as_ref().filter(|run| !run.points.is_empty() && !shown.is_measuring()) {
            if ui.button("Save CSV…").clicked() {
                let csv = machine::csv(std::slice::from_ref(run.as_ref()));
                out.send(Action::SaveTable { name: "measurement".to_owned(), csv });
            }
            let json = || crate::io::json::to_text("bench", run.as_ref());
            if ui.button("Save JSON…").clicked()
                && let Ok(json) = json()
            {
                out.send(Action::SaveJson { name: "measurement".to_owned(), json });
            }
            if ui.button("Copy JSON").clicked()
                && let Ok(csv) = json()
            {
                out.send(Action::CopyTable { name: "The measurement".to_owned(), csv });
            }
        }
    });
    if let Some(device) = devices.get(state.device) {
        let missing = if device.missing.is_empty() {
            String::new()
        } else {
            format!("; has no {}", device.missing.join(", "))
        };
        let driver = if device.driver.is_empty() { "no driver" } else { &device.driver };
        ui.add(Label::new(RichText::new(format!("{driver}{missing}")).small().color(theme.text_weak)).wrap());
    }
    if let Some(failure) = &shown.failure {
        remark_ui(ui, Severity::Error, failure, theme);
    }
}

fn remark_ui(ui: &mut Ui, severity: Severity, text: &str, theme: &Theme) {
    let color = if severity == Severity::Error { theme.violation } else { theme.warning };
    ui.add(Label::new(RichText::new(format!("{} {text}", severity_sign(severity))).color(color)).wrap());
}

fn remarks_ui(ui: &mut Ui, run: &Run, theme: &Theme) {
    let device = &run.device;
    let clock = clock(run).map_or_else(String::new, |clock| format!(", timed by {}", clock.label()));
    let text = format!(
        "{} on {}: {} points in {}{clock}",
        device.name,
        run.began,
        run.points.len(),
        format::secs(run.secs)
    );
    ui.add(Label::new(RichText::new(text).small().color(theme.text_weak)).wrap());
    for line in run.end.text().into_iter().chain(run.flags.iter().map(Flag::text)) {
        remark_ui(ui, Severity::Warning, &line, theme);
    }
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for skipped in &run.skipped {
        match reasons.iter_mut().find(|(why, _)| *why == skipped.why) {
            Some((_, kernels)) => kernels.push(skipped.kernel.label()),
            None => reasons.push((skipped.why.clone(), vec![skipped.kernel.label()])),
        }
    }
    for (why, mut kernels) in reasons {
        kernels.dedup();
        remark_ui(ui, Severity::Warning, &format!("{} not measured: {why}", kernels.join(", ")), theme);
    }
}

/// Which run is compared with, in words.
fn compared_words(before: &Run) -> String {
    format!(
        "Compared with {} of {}: faint in the plot, a column in the table.",
        before.device.name, before.began
    )
}

/// How far a point is from the same kernel of another run: as a share, or that both spreads hold it.
fn against(point: &Point, other: &Point) -> String {
    let change = point.value / other.value - 1.0;
    let spread = point.spread() + other.spread();
    let within = if change.abs() <= spread { ", within the spread" } else { "" };
    format!("{:+.1} %{within}", 100.0 * change)
}

/// A value in the unit of its kernel.
fn value(kernel: Kernel, value: f64) -> String {
    match kernel.quantity() {
        Quantity::Bandwidth => format!("{}/s", format::bytes(value)),
        Quantity::Compute => format::flops_per_sec(value),
        Quantity::Latency => format!("{} ns", format::significant(value * 1e9, 3)),
    }
}

fn kernels_ui(ui: &mut Ui, run: &Run, before: Option<&Run>) {
    Grid::new("kernels").striped(true).spacing([space::L, 3.0]).show(ui, |ui| {
        for title in ["Kernel", "Working set", "Median", "95 % of the median", "Run as"] {
            ui.strong(title);
        }
        if before.is_some() {
            ui.strong("Other run");
            ui.strong("Against it");
        }
        ui.end_row();
        for kernel in Kernel::ALL {
            let Some(point) = run.headline(*kernel) else { continue };
            point_ui(ui, point, before);
            ui.end_row();
        }
    });
}

fn point_ui(ui: &mut Ui, point: &Point, before: Option<&Run>) {
    ui.label(point.kernel.label());
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    ui.label(format::bytes(point.working_set_bytes as f64));
    ui.label(value(point.kernel, point.value));
    let settled = if point.steady { "" } else { ", not settled" };
    ui.label(format!("± {:.1} %{settled}", 100.0 * point.spread()));
    ui.label(&point.variant);
    if let Some(before) = before {
        let none = || format::NO_NUMBER.to_owned();
        let other = before.headline(point.kernel);
        ui.label(other.map_or_else(none, |other| value(other.kernel, other.value)));
        ui.label(other.map_or_else(none, |other| against(point, other)));
    }
}

fn serves_ui(ui: &mut Ui, state: &mut MachineState, run: &Run, theme: &Theme, out: &mut Outbox) {
    heading(ui, "What it would serve", |_| {});
    let ask = &mut state.ask;
    let fields = vec![
        field("Prompt", &mut ask.prompt_tokens, Unit::Tokens, 1.0, 1e6),
        field("Output", &mut ask.output_tokens, Unit::Tokens, 1.0, 1e6),
        field("Price of the device", &mut ask.device_usd, Unit::Usd, 0.0, 1e7),
        field("Power at work", &mut ask.watts, Unit::Watts, 0.0, 1e5),
        field("Price of energy", &mut ask.usd_per_kwh, Unit::UsdPerKwh, 0.0, 100.0),
        field("Share of hours at work", &mut ask.utilisation, Unit::Percent, 0.001, 1.0),
    ];
    columns(ui, 190.0, fields);
    let Some(answer) = &state.answer else { return };
    let device = match &answer.device {
        Ok(device) => device,
        Err(why) => {
            remark_ui(ui, Severity::Warning, why, theme);
            if why.contains("how much memory") {
                let mut bytes = state.memory_bytes.unwrap_or(16e9);
                ui.horizontal(|ui| {
                    ui.label("Memory of the device");
                    number(ui, "Memory of the device", &mut bytes, Unit::Bytes);
                });
                state.memory_bytes = Some(bytes.clamp(1e8, 1e13));
            }
            return;
        }
    };
    let ground = if device.kind.is_processor() {
        "The model of serving was fitted to GPUs; a processor is outside of it. "
    } else if device.flops_of_data_sheet {
        "Bandwidth is measured; arithmetic is the data sheet's. "
    } else {
        "Bandwidth and arithmetic are measured; shaders have no matrix units, so prompts may be faster. "
    };
    let text = format!(
        "{ground}{} models fit; $ per million output tokens hold the prompts too.",
        answer.rows.len()
    );
    ui.add(Label::new(RichText::new(text).color(theme.text_weak)).wrap());
    let row = device
        .row(run.began.get(..10).and_then(|day| day.parse().ok()).unwrap_or(jiff::civil::date(2000, 1, 1)));
    if ui
        .button("Use it in the plan")
        .on_hover_text("Adds the device, as measured, to your catalogue and sets it on the self-hosted endpoint of the plan in hand")
        .clicked()
    {
        out.send(Action::AdoptDevice(Box::new(row)));
    }
    ui.add_space(space::S);
    Grid::new("serves").striped(true).spacing([space::L, 3.0]).show(ui, |ui| {
        for title in [
            "Model",
            "Weights",
            "One stream",
            "First token",
            "$/M out",
            "Best batch",
            "$/M out",
            "API, $/M out",
        ] {
            ui.strong(title);
        }
        ui.end_row();
        let shown = if state.all_models { usize::MAX } else { MODELS };
        for row in answer.rows.iter().take(shown) {
            serve_ui(ui, row);
            ui.end_row();
        }
    });
    if answer.rows.len() > MODELS {
        let text = if state.all_models {
            "Show the first".to_owned()
        } else {
            format!("Show all {}", answer.rows.len())
        };
        if ui.button(text).clicked() {
            state.all_models ^= true;
        }
    }
}

fn serve_ui(ui: &mut Ui, row: &ServeRow) {
    let rate = |rate: f64| format!("{} tok/s", format::significant(rate, 3));
    let none = || format::NO_NUMBER.to_owned();
    ui.label(&row.name);
    ui.label(format!("{}, {}", row.weights, format::bytes(row.weights_bytes)));
    let (low, high) = row.stream_band;
    ui.label(rate(row.stream_tokens_per_sec)).on_hover_text(format!(
        "80 % band {} to {}",
        format::significant(low, 2),
        format::significant(high, 2)
    ));
    ui.label(format::secs(row.ttft_secs));
    ui.label(format::usd(row.alone_usd_per_mtok));
    let batch = row.batch_tokens_per_sec.zip(row.batch);
    ui.label(batch.map_or_else(none, |(tokens, batch)| {
        format!("{} at {}", rate(tokens), format::significant(batch, 2))
    }));
    ui.label(row.batch_usd_per_mtok.map_or_else(none, format::usd));
    match &row.api {
        Some(api) => ui.label(format::usd(api.usd_per_mtok)).on_hover_text(&api.name),
        None => ui.label(none()).on_hover_text("No API of the catalogue sells this model"),
    };
}

fn field<'a>(
    name: &'static str,
    value: &'a mut f64,
    unit: Unit,
    low: f64,
    high: f64,
) -> Box<dyn FnOnce(&mut Ui) + 'a> {
    Box::new(move |ui| {
        ui.horizontal(|ui| {
            ui.label(name);
            number(ui, name, value, unit);
            *value = if value.is_finite() { value.clamp(low, high) } else { low };
        });
    })
}

fn history_ui(ui: &mut Ui, state: &mut MachineState, shown: &Machine, out: &mut Outbox) {
    if shown.history.is_empty() {
        ui.label("None yet; each run is kept by device and driver.");
        return;
    }
    let in_hand = shown.run.as_ref().map(|run| run.began.clone());
    if ui.button("Save the history as CSV…").clicked() {
        let runs: Vec<Run> = shown.history.iter().map(|run| run.as_ref().clone()).collect();
        out.send(Action::SaveTable { name: "measurements".to_owned(), csv: machine::csv(&runs) });
    }
    Grid::new("history").striped(true).spacing([space::L, 3.0]).show(ui, |ui| {
        for title in ["When", "Device", "Read", "Spread", "Remarks", ""] {
            ui.strong(title);
        }
        ui.end_row();
        for run in shown.history.iter().rev().take(50) {
            ui.push_id(&run.began, |ui| {
                if ui.link(&run.began).on_hover_text("Show this run").clicked() {
                    out.send(Action::ShowRun(run.began.clone()));
                }
            });
            ui.label(&run.device.name).on_hover_text(&run.device.driver);
            let read = run.headline(Kernel::Read);
            let none = || format::NO_NUMBER.to_owned();
            ui.label(read.map_or_else(none, |point| value(Kernel::Read, point.value)));
            ui.label(read.map_or_else(none, |point| format!("± {:.1} %", 100.0 * point.spread())));
            let remarks = run.flags.len() + usize::from(run.end.text().is_some());
            let texts: Vec<String> = run.flags.iter().map(Flag::text).chain(run.end.text()).collect();
            ui.label(if remarks == 0 { none() } else { remarks.to_string() }).on_hover_text(texts.join("\n"));
            let mut on = state.compared.as_ref() == Some(&run.began);
            ui.push_id((&run.began, "compare"), |ui| {
                if in_hand.as_ref() == Some(&run.began) {
                    ui.label("in hand");
                } else if ui.checkbox(&mut on, "Compare").changed() {
                    state.compared = on.then(|| run.began.clone());
                }
            });
            ui.end_row();
        }
    });
}
