//! Recorded runs of a real engine, request by request, over the same requests at a simulated replica.

use eframe::egui::{Button, Color32, Grid, Label, RichText, Ui, vec2};

use crate::analysis::Severity;
use crate::analysis::fidelity::{MEAN_BAR, P95_BAR, ReplayedRun};
use crate::app::plots::strip::{Along, Figures, Strip, StripLine, strip_ui};
use crate::app::readings::{RunPicture, Study};
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::widgets::{Cell, grid, heading};
use crate::report;
use crate::unit::format;

/// Height of a picture, and its least width.
const HEIGHT: f32 = 132.0;
const WIDTH: f32 = 240.0;

/// How the two sides are called.
const SIDES: [&str; 2] = ["recorded", "simulated"];

/// The runs in a sentence.
pub fn answer(study: &Study) -> String {
    if study.runs.is_empty() {
        return "None of the recorded runs can be replayed.".to_owned();
    }
    let figures: Vec<ReplayedRun> = study.runs.iter().map(|run| run.replayed.clone()).collect();
    let runs = if figures.len() == 1 { "1 run".to_owned() } else { format!("{} runs", figures.len()) };
    format!("{runs} of a real engine, replayed: {}.", report::runs_sentence(&figures))
}

/// Draws the runs; `picked` is the place of the one in hand.
pub fn ui(ui: &mut Ui, picked: &mut usize, study: &Study) {
    let theme = Theme::of(ui.ctx());
    heading(ui, "Runs of a real engine, request by request", |_| {});
    ui.horizontal_wrapped(|ui| {
        for (place, run) in study.runs.iter().enumerate() {
            let tab = Button::selectable(*picked == place, &run.replayed.name).min_size(vec2(90.0, 26.0));
            if ui.add(tab).clicked() {
                *picked = place;
            }
        }
    });
    if let Some(run) = study.runs.get(*picked).or_else(|| study.runs.first()) {
        run_ui(ui, run, &theme);
    }
    for (file, why) in &study.runs_left_out {
        let text = format!("{} {file}: {why}", severity_sign(Severity::Warning));
        ui.add(Label::new(RichText::new(text).small().color(theme.warning)).wrap());
    }
}

fn run_ui(ui: &mut Ui, run: &RunPicture, theme: &Theme) {
    let replayed = &run.replayed;
    let reported = if replayed.kv_blocks.1 { "as the engine reported" } else { "by the model of memory" };
    let gpus = if replayed.gpus == 1 { String::new() } else { format!("{} x ", replayed.gpus) };
    let text = format!(
        "{} requests of {} on {gpus}{}, {} KV blocks {reported}. The simulation is given lengths and arrivals alone.",
        format::count(replayed.requests as f64),
        replayed.model,
        replayed.gpu,
        format::count(replayed.kv_blocks.0 as f64),
    );
    ui.add(Label::new(RichText::new(text).small().color(theme.text_weak)).wrap());
    let colors = [theme.text_strong, theme.accent];
    ui.horizontal(|ui| {
        for (name, color) in SIDES.into_iter().zip(colors) {
            ui.label(RichText::new("—").strong().color(color));
            ui.label(RichText::new(name).small().color(color));
        }
    });
    grid(ui, WIDTH, pictures(run, colors));
    ui.add_space(space::S);
    errors_ui(ui, replayed, theme);
}

/// The distributions, and throughput over time.
fn pictures(run: &RunPicture, colors: [Color32; 2]) -> Vec<Cell<'_>> {
    let picture = move |title, points: &'_ [Vec<_>; 2], along, ui: &mut Ui| {
        let lines: Vec<StripLine<'_>> = (0..2)
            .map(|side| StripLine { name: SIDES[side], color: colors[side], points: &points[side] })
            .collect();
        let ends = || points.iter().flatten().map(|point: &egui_plot::PlotPoint| point.x);
        let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        let bounds = if along == Along::Hours { (0.0, high) } else { (low - 0.1, high + 0.1) };
        let figures = if along == Along::Hours { Figures::Numbers } else { Figures::Shares };
        let (height, until, targets) = (HEIGHT, None, &[][..]);
        // What lies under the pointer is remembered from the frame before.
        let id = ui.scope_id().with(title);
        let mark = ui.data(|data| data.get_temp::<f64>(id));
        let strip = Strip { title, height, lines: &lines, along, bounds, figures, until, mark, targets };
        let over = strip_ui(ui, &strip).over;
        ui.data_mut(|data| match over {
            Some(over) => drop(data.insert_temp(id, over)),
            None => data.remove::<f64>(id),
        });
    };
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for (span, points) in &run.curves {
        cells.push(Box::new(move |ui: &mut Ui| picture(span.label(), points, Along::Seconds, ui)));
    }
    cells.push(Box::new(move |ui: &mut Ui| {
        picture("Output tokens per second", &run.throughput, Along::Hours, ui);
    }));
    cells
}

/// Errors of mean and P95, with a word where a bar is not kept.
fn errors_ui(ui: &mut Ui, run: &ReplayedRun, theme: &Theme) {
    let bars =
        format!("Bars: {} for the mean, {} for P95.", format::percent(MEAN_BAR), format::percent(P95_BAR));
    let error = |ui: &mut Ui, error: f64, kept: bool| {
        let (sign, color, word) = if kept {
            ("", theme.text_strong, "")
        } else {
            (severity_sign(Severity::Warning), theme.warning, " beyond the bar")
        };
        let text = format!("{sign} {}{word}", report::signed(error));
        ui.label(RichText::new(text.trim()).color(color));
    };
    Grid::new(("run errors", &run.name)).num_columns(7).spacing([18.0, 4.0]).show(ui, |ui| {
        for head in ["", "Mean recorded", "simulated", "off", "P95 recorded", "simulated", "off"] {
            ui.label(RichText::new(head).small().color(theme.text_weak));
        }
        ui.end_row();
        for span in &run.spans {
            ui.label(span.span.label());
            ui.label(format::secs(span.recorded.mean));
            ui.label(format::secs(span.simulated.mean));
            error(ui, span.mean_error, span.mean_kept());
            ui.label(format::secs(span.recorded.p95));
            ui.label(format::secs(span.simulated.p95));
            error(ui, span.p95_error, span.p95_kept());
            ui.end_row();
        }
        let throughput = &run.throughput;
        ui.label("Output tokens per second");
        ui.label("");
        ui.label("");
        error(ui, throughput.mean_error, throughput.mean_error.abs() <= MEAN_BAR);
        let kept = throughput.distance <= MEAN_BAR;
        let (sign, color, word) = if kept {
            ("", theme.text_weak, "")
        } else {
            (severity_sign(Severity::Warning), theme.warning, ", beyond the bar")
        };
        let apart = format!("{sign} {} apart over time{word}", format::percent(throughput.distance));
        ui.label(RichText::new(apart.trim()).small().color(color))
            .on_hover_text("Sum of the distances of both curves over the recorded tokens");
        ui.end_row();
    });
    ui.label(RichText::new(bars).small().color(theme.text_weak));
}
