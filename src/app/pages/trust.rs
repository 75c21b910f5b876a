//! How far to trust the serving model: its errors on rows that the fit had not seen, worst first, and, for a folder
//! of published measurements, predicted against published for every row.

mod held_out;
mod runs;

use eframe::egui::{
    Align2, Button, Key, Label, Response, RichText, Role, ScrollArea, Sense, TextEdit, TextStyle, Ui,
    WidgetInfo, pos2, vec2,
};
use egui_extras::{Column, TableBuilder};
use egui_plot::PlotPoint;

use crate::analysis::Severity;
use crate::analysis::fidelity::{Group, LeftOut, Metric, Scores};
use crate::app::action::Action;
use crate::app::plots::paint::{text_ui, text_width};
use crate::app::plots::scatter::{Dots, Scatter, marker, scatter_ui};
use crate::app::readings::{Cloud, Study, figure};
use crate::app::theme::{self, Theme, severity_sign, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{heading, section, sentence};
use crate::unit::format;

/// By what rows are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// How it was loaded.
    Regime,
    /// Engine.
    Engine,
    /// GPU.
    Gpu,
    /// Model.
    Model,
    /// File.
    File,
}

impl By {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Regime, "By regime"),
        (Self::Engine, "By engine"),
        (Self::Gpu, "By GPU"),
        (Self::Model, "By model"),
        (Self::File, "By file"),
    ];

    const fn groups(self, study: &Study) -> &Vec<Group> {
        match self {
            Self::Regime => &study.fidelity.by_regime,
            Self::Engine => &study.fidelity.by_engine,
            Self::Gpu => &study.fidelity.by_gpu,
            Self::Model => &study.fidelity.by_model,
            Self::File => &study.fidelity.by_file,
        }
    }

    /// The group of a row.
    fn of(self, study: &Study, row: usize) -> Option<&str> {
        let both = study.compared.get(row)?;
        Some(match self {
            Self::Regime => both.row.load.regime(),
            Self::Engine => both.predicted.engine.label(),
            Self::Gpu => &both.predicted.gpu,
            Self::Model => &both.predicted.model,
            Self::File => &both.row.file,
        })
    }
}

/// The page's part of the session.
#[derive(Debug, Clone)]
pub struct TrustState {
    /// The path of a folder, as it is typed.
    pub folder: String,
    /// Which figure is shown.
    pub metric: Metric,
    /// By what rows are grouped.
    pub by: By,
    /// The group in hand: its rows stand out.
    pub picked: Option<String>,
    /// The run in hand, by its place.
    run: usize,
    /// The last reading that was looked at, counted.
    seen: u64,
}

impl Default for TrustState {
    fn default() -> Self {
        Self {
            folder: String::new(),
            metric: Metric::TokensPerSec,
            by: By::Regime,
            picked: None,
            run: 0,
            seen: 0,
        }
    }
}

/// Width of a number in the tables, and of the name of a group, in points.
const CELL: f32 = 46.0;
const NAME: f32 = 136.0;

/// From this width on, in points, the scatter stands beside the table.
const BESIDE: f32 = 900.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let readings = &view.errands.readings;
    let state = &mut session.trust;
    if let Some(read) = readings.study.as_ref().filter(|read| read.counted != state.seen) {
        state.seen = read.counted;
        state.folder = read.path.display().to_string();
        (state.picked, state.run) = (None, 0);
    }
    let study = readings.study.as_ref().and_then(|read| read.result.as_ref().ok());
    sentence(ui, &study.map_or_else(|| held_out::answer(view.calibration), |study| study_answer(study)));
    ui.add_space(space::S);
    folder_ui(ui, state, view, out);
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if let Some(study) = study {
            if study.fidelity.rows > 0 {
                study_ui(ui, state, study, out);
                ui.add_space(space::L);
            }
            if !study.runs.is_empty() || !study.runs_left_out.is_empty() {
                runs::ui(ui, &mut state.run, study);
                ui.add_space(space::L);
            }
        }
        held_out::ui(ui, view.calibration);
    });
}

fn percent(share: f64) -> String {
    let digits = if share.abs() < 0.0995 { 1 } else { 0 };
    format!("{:.digits$} %", 100.0 * share)
}

fn signed(share: f64) -> String {
    format!("{:+.1} %", 100.0 * share)
}

/// Predicted against published in a sentence.
fn study_answer(study: &Study) -> String {
    let fidelity = &study.fidelity;
    if fidelity.rows == 0 {
        return runs::answer(study);
    }
    let count = |rows: usize| format::count(rows as f64);
    let scores = Metric::ALL.iter().find_map(|metric| Some((*metric, fidelity.overall.scores.get(metric)?)));
    let Some((metric, scores)) = scores else {
        return format!("None of the {} published rows can be predicted.", count(fidelity.rows));
    };
    let side = if scores.bias < 0.0 { "low" } else { "high" };
    let naive = scores.baseline_median_error.map_or_else(String::new, |error| {
        format!("; one constant for all rows would be {} off", percent(error))
    });
    format!(
        "{} of {} published rows are predicted: half of their {} are within {}, {} within 30 %, {} {side} in the middle{naive}.",
        count(fidelity.covered),
        count(fidelity.rows),
        metric.label(),
        percent(scores.median_error),
        percent(scores.within_30),
        percent(scores.bias.abs())
    )
}

/// Which folder is held against the model.
fn folder_ui(ui: &mut Ui, state: &mut TrustState, view: &View<'_>, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    let readings = &view.errands.readings;
    ui.horizontal(|ui| {
        ui.label(RichText::new("Measured tables").color(theme.text_weak));
        let width = (ui.available_width() - 220.0).clamp(120.0, 520.0);
        let hint = "A folder of *.csv, or of runs; type its path, or drop it here";
        let field = ui.add(TextEdit::singleline(&mut state.folder).hint_text(hint).desired_width(width));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Folder of measured tables"));
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let ready = !state.folder.trim().is_empty();
        let read = ui.add_enabled(ready, Button::new("Compare"));
        if ready && (read.clicked() || entered) {
            out.send(Action::Measure(Some(state.folder.trim().into())));
        }
        if ui.button("Choose a folder…").clicked() {
            out.send(Action::Measure(None));
        }
        if readings.studying.is_some() {
            ui.spinner();
        }
    });
    if let Some(Err(why)) = readings.study.as_ref().map(|read| &read.result) {
        let text = format!("{} {why}", severity_sign(Severity::Error));
        ui.add(Label::new(RichText::new(text).small().color(theme.violation)).wrap());
    }
}

fn study_ui(ui: &mut Ui, state: &mut TrustState, study: &Study, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        for metric in Metric::ALL {
            if !study.fidelity.overall.scores.contains_key(metric) {
                continue;
            }
            let name = metric_name(*metric);
            let tab = Button::selectable(state.metric == *metric, name).min_size(vec2(90.0, 26.0));
            if ui.add(tab).clicked() {
                state.metric = *metric;
            }
        }
        ui.add_space(space::M);
        let hint = "Published and predicted figures of every row, as CSV";
        if ui.button("Write the rows…").on_hover_text(hint).clicked() {
            out.send(Action::SaveRows);
        }
    });
    let note = "The shipped constants were fitted to rows of published tables: where these are among them, the errors here are those of the fit. Errors on rows that it had not seen stand below.";
    ui.add(Label::new(RichText::new(note).small().color(theme.text_weak)).wrap());
    ui.add_space(space::S);
    let table = NAME + 10.0 * (CELL + 8.0);
    if ui.available_width() >= BESIDE {
        ui.horizontal_top(|ui| {
            let left = (ui.available_width() - table - space::L).max(300.0);
            ui.vertical(|ui| {
                ui.set_width(left);
                picture_ui(ui, state, study, left.min(620.0));
            });
            ui.add_space(space::S);
            ui.vertical(|ui| groups_ui(ui, state, study));
        });
    } else {
        picture_ui(ui, state, study, 360.0);
        groups_ui(ui, state, study);
    }
    ui.add_space(space::M);
    left_out_ui(ui, study);
}

const fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::TokensPerSec => "Tokens per second",
        Metric::Tpot => "Time per output token",
        Metric::Ttft => "Time to first token",
        Metric::Kernel => "Single kernels",
    }
}

/// The place of a regime in the palette: the same whatever figure is shown.
fn kind(study: &Study, regime: &str) -> usize {
    study.fidelity.by_regime.iter().position(|group| group.name == regime).unwrap_or(0)
}

fn picture_ui(ui: &mut Ui, state: &mut TrustState, study: &Study, height: f32) {
    heading(ui, "Predicted against published", |_| {});
    let clouds = study.clouds(state.metric);
    legend_ui(ui, state, study, clouds);
    let picked = state.picked.as_deref();
    let kept: Vec<(Vec<PlotPoint>, Vec<usize>)> = match picked {
        Some(name) => clouds.iter().map(|cloud| kept(study, state.by, name, cloud)).collect(),
        None => Vec::new(),
    };
    let mut dots = Vec::with_capacity(2 * clouds.len());
    if picked.is_some() {
        // What was not picked stays as a shadow, and keeps the bounds.
        dots.extend(clouds.iter().map(|cloud| Dots { name: "", points: &cloud.points, kind: None }));
    }
    let shadows = dots.len();
    for (index, cloud) in clouds.iter().enumerate() {
        let points = kept.get(index).map_or(cloud.points.as_slice(), |kept| kept.0.as_slice());
        dots.push(Dots { name: cloud.regime, points, kind: Some(kind(study, cloud.regime)) });
    }
    let hover = |kind: usize, index: usize| {
        let cloud = kind.checked_sub(shadows)?;
        let rows =
            kept.get(cloud).map_or_else(|| clouds.get(cloud).map(|c| &c.rows), |kept| Some(&kept.1))?;
        row_words(study, state.metric, *rows.get(index)?)
    };
    let (unit, tick): (_, fn(f64) -> String) = match state.metric {
        Metric::TokensPerSec => ("tokens/s", |value| format::tick(value, 0.0)),
        Metric::Tpot | Metric::Ttft | Metric::Kernel => ("time", format::secs),
    };
    scatter_ui(ui, &Scatter { dots: &dots, height, unit, tick, hover: &hover });
    let hint =
        "Drag to move, double click to go back. Bands: 10, 25 and 50 % off. Point at a row for its name.";
    ui.label(RichText::new(hint).small().color(Theme::of(ui.ctx()).text_weak));
}

/// The points of a cloud that belong to a group.
fn kept(study: &Study, by: By, name: &str, cloud: &Cloud) -> (Vec<PlotPoint>, Vec<usize>) {
    let both = cloud.points.iter().zip(&cloud.rows);
    both.filter(|(_, row)| by.of(study, **row) == Some(name)).map(|(point, row)| (*point, *row)).unzip()
}

/// One row in words.
fn row_words(study: &Study, metric: Metric, row: usize) -> Option<String> {
    let both = study.compared.get(row)?;
    let (published, predicted) =
        (figure(metric, &both.row.published)?, figure(metric, &both.predicted.figures)?);
    let show = |value: f64| match metric {
        Metric::TokensPerSec => format!("{} tokens/s", format::short(value)),
        Metric::Tpot | Metric::Ttft | Metric::Kernel => format::secs(value),
    };
    let row = &both.row;
    Some(format!(
        "{} on {}, {}\n{}, {} in, {} out, {}\npublished {}, predicted {} ({})\n{}, line {}",
        row.model,
        row.gpu,
        row.engine,
        row.weights,
        format::count(row.input.round()),
        format::count(row.output.round()),
        row.load.regime(),
        show(published),
        show(predicted),
        signed(predicted / published - 1.0),
        row.file,
        row.line
    ))
}

/// Colour and marker of each regime; a click lets its rows stand out.
fn legend_ui(ui: &mut Ui, state: &mut TrustState, study: &Study, clouds: &[Cloud]) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::S, 2.0);
        for cloud in clouds {
            let picked = state.by == By::Regime && state.picked.as_deref() == Some(cloud.regime);
            let text = format!("{} {}", cloud.regime, format::count(cloud.rows.len() as f64));
            if key_ui(ui, &theme, kind(study, cloud.regime), &text, picked).clicked() {
                state.picked = (!picked).then(|| cloud.regime.to_owned());
                state.by = By::Regime;
            }
        }
    });
}

/// A marker with its regime, which can be picked.
fn key_ui(ui: &mut Ui, theme: &Theme, kind: usize, text: &str, picked: bool) -> Response {
    const MARK: f32 = 16.0;
    let room = text_width(ui, text, &TextStyle::Small);
    let (rect, response) = ui.allocate_exact_size(vec2(MARK + room + 6.0, 20.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, picked, text));
    if picked || response.hovered() || response.has_focus() {
        let fill = if picked { theme.accent_wash } else { theme.hover };
        ui.painter().rect_filled(rect, 4.0, fill);
    }
    marker(ui.painter(), pos2(rect.left() + 8.0, rect.center().y), kind, theme);
    let at = pos2(rect.left() + MARK, rect.center().y);
    text_ui(ui, at, Align2::LEFT_CENTER, text, &TextStyle::Small, theme.text, room + 2.0);
    response
}

/// Errors by group, worst first.
fn groups_ui(ui: &mut Ui, state: &mut TrustState, study: &Study) {
    let metric = state.metric;
    ui.horizontal_wrapped(|ui| {
        for (by, name) in By::ALL {
            if ui.add(Button::selectable(state.by == by, name)).clicked() && state.by != by {
                (state.by, state.picked) = (by, None);
            }
        }
    });
    let mut rows: Vec<(&str, &Scores)> = state
        .by
        .groups(study)
        .iter()
        .filter_map(|group| Some((group.name.as_str(), group.scores.get(&metric)?)))
        .collect();
    rows.sort_by(|a, b| b.1.median_error.total_cmp(&a.1.median_error).then_with(|| a.0.cmp(b.0)));
    let all = study.fidelity.overall.scores.get(&metric).map(|scores| ("all", scores));
    ScrollArea::horizontal().id_salt("groups").show(ui, |ui| scores_ui(ui, state, &rows, all));
}

/// Heads of the scores, with what they mean.
const SCORES: [(&str, &str); 10] = [
    ("Rows", "Rows that publish this figure"),
    ("Median", "Half of the rows are at most so far off: |predicted / published - 1|"),
    ("P90", "Nine of ten rows are at most so far off"),
    ("in 10 %", "Share of rows at most 10 % off"),
    ("in 25 %", "Share of rows at most 25 % off"),
    ("in 30 %", "Share of rows at most 30 % off"),
    ("in 50 %", "Share of rows at most 50 % off"),
    ("Bias", "Median of predicted / published, less one: below zero is too low"),
    ("Rank", "Spearman's rank correlation of predicted and published"),
    ("Naive", "Median error of one efficiency constant on the data sheet, fitted to these very rows"),
];

fn cells(scores: &Scores) -> [String; 10] {
    let none = || format::NO_NUMBER.to_owned();
    [
        format::count(scores.rows as f64),
        percent(scores.median_error),
        percent(scores.p90_error),
        whole(scores.within_10),
        whole(scores.within_25),
        whole(scores.within_30),
        whole(scores.within_50),
        signed(scores.bias),
        scores.rank_correlation.map_or_else(none, |rank| format!("{rank:.3}")),
        scores.baseline_median_error.map_or_else(none, whole),
    ]
}

fn whole(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn scores_ui(ui: &mut Ui, state: &mut TrustState, rows: &[(&str, &Scores)], all: Option<(&str, &Scores)>) {
    let theme = Theme::of(ui.ctx());
    TableBuilder::new(ui)
        .id_salt("scores")
        .vscroll(false)
        .sense(Sense::click())
        .column(Column::exact(NAME).clip(true))
        .columns(Column::exact(CELL).clip(true), SCORES.len())
        .header(22.0, |mut header| {
            header.col(|ui| {
                ui.label(RichText::new("Worst first").small().color(theme.text_weak));
            });
            for (name, means) in SCORES {
                header.col(|ui| {
                    ui.add(Label::new(RichText::new(name).small().color(theme.text_weak)).truncate())
                        .on_hover_text(means);
                });
            }
        })
        .body(|mut body| {
            for (name, scores) in rows.iter().copied().chain(all) {
                body.row(22.0, |mut row| {
                    let total = all.is_some_and(|all| std::ptr::eq(all.1, scores));
                    let picked = !total && state.picked.as_deref() == Some(name);
                    row.set_selected(picked);
                    row.col(|ui| {
                        let text = if total { theme::figure_text("All rows") } else { RichText::new(name) };
                        ui.add(Label::new(text).truncate().selectable(false)).on_hover_text(name);
                    });
                    for cell in cells(scores) {
                        row.col(|ui| {
                            ui.add(Label::new(RichText::new(cell).small()).truncate().selectable(false));
                        });
                    }
                    if row.response().clicked() && !total {
                        state.picked = (!picked).then(|| name.to_owned());
                    }
                });
            }
        });
}

/// Rows that are not compared, with their reasons.
fn left_out_ui(ui: &mut Ui, study: &Study) {
    let count = |rows: &[LeftOut]| {
        let rows = rows.iter().map(|row| row.rows).sum::<usize>();
        if rows == 1 { "1 row".to_owned() } else { format!("{} rows", format::count(rows as f64)) }
    };
    let fidelity = &study.fidelity;
    for (rows, what) in
        [(&fidelity.left_out, "could not be predicted"), (&fidelity.filtered, "taken out by the filters")]
    {
        if !rows.is_empty() {
            let title = format!("{} {what}", count(rows));
            section(ui, &title, false, |ui| reasons_ui(ui, what, rows));
        }
    }
    if !study.other.is_empty() {
        let title = format!("{} tables measure something else", study.other.len());
        section(ui, &title, false, |ui| {
            ui.add(Label::new(study.other.join(", ")).wrap());
        });
    }
}

fn reasons_ui(ui: &mut Ui, name: &str, rows: &[LeftOut]) {
    let theme = Theme::of(ui.ctx());
    let mut rows: Vec<&LeftOut> = rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.rows));
    TableBuilder::new(ui)
        .id_salt(name)
        .max_scroll_height(260.0)
        .column(Column::exact(60.0))
        .column(Column::initial(180.0).at_least(100.0).clip(true))
        .column(Column::remainder().clip(true))
        .header(20.0, |mut header| {
            for head in ["Rows", "File", "Why"] {
                header.col(|ui| {
                    ui.label(RichText::new(head).small().color(theme.text_weak));
                });
            }
        })
        .body(|body| {
            body.rows(20.0, rows.len(), |mut line| {
                let Some(row) = rows.get(line.index()) else { return };
                line.col(|ui| drop(ui.label(format::count(row.rows as f64))));
                line.col(|ui| drop(ui.add(Label::new(&row.file).truncate())));
                line.col(|ui| {
                    ui.add(Label::new(&row.reason).truncate()).on_hover_text(&row.reason);
                });
            });
        });
}
