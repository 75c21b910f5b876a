//! The best deployment for the scenario's workload: what to optimise, the front of cost against latency and quality,
//! a heat map of GPU and count, a table, and the choice written into a plan.
//!
//! The search runs beside the window; it starts by itself when the workload or a wish changed.

mod map;

use std::sync::Arc;

use eframe::egui::{Button, Label, ProgressBar, RichText, ScrollArea, Ui, vec2};
use egui_extras::{Column, TableBuilder};
use egui_plot::PlotPoint;

use super::Page;
use super::serving::plan::{self, Target};
use crate::analysis::sizing::{Candidate, Objective, Sizes};
use crate::app::action::Action;
use crate::app::plots::axis::log;
use crate::app::plots::front::{self, Figure, FrontPlot};
use crate::app::sizing::SizeWish;
use crate::app::theme::{Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, columns, heading, number, sentence};
use crate::catalog::Catalog;
use crate::routing::Serves;
use crate::scenario::ScenarioDraft;
use crate::serving::Engine;
use crate::unit::format::{self, Unit};

/// The page's part of the session.
#[derive(Debug, Clone)]
pub struct SizeState {
    /// What is wished.
    pub wish: SizeWish,
    /// What is best.
    pub objective: Objective,
    /// A candidate that was picked by hand; the best of the objective if not.
    pub picked: Option<Candidate>,
    /// The plan and endpoint that a choice is written to.
    pub target: Option<(String, String)>,
    /// What was last written, and the plan's name.
    pub written: Option<(Candidate, String)>,
}

impl Default for SizeState {
    fn default() -> Self {
        let wish =
            SizeWish { model: None, engine: Engine::Vllm, headroom: 0.3, ttft_secs: None, tpot_secs: None };
        Self { wish, objective: Objective::Cost, picked: None, target: None, written: None }
    }
}

/// Height of a plot, in points.
const PLOT: f32 = 220.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let mut state = std::mem::take(&mut session.size);
    let sizing = &view.errands.sizing;
    let current = sizing.asked.as_ref().is_some_and(|(at, wish)| *at == view.revision && *wish == state.wish);
    if !current && view.outcome.is_some() {
        out.send(Action::Size(state.wish.clone()));
    }
    let sizes = sizing.result.as_ref().and_then(|result| result.as_ref().ok());
    let chosen = sizes.and_then(|sizes| chosen(sizes, &state));
    sentence(ui, &answer(sizes, chosen.as_ref(), view));
    ui.add_space(space::S);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        wishes_ui(ui, &mut state, draft, view);
        progress_ui(ui, view, out);
        if let Some(Err(why)) = &sizing.result {
            ui.label(RichText::new(why).color(view.theme.violation));
        }
        if let Some(sizes) = sizes {
            objectives_ui(ui, &mut state, sizes);
            if let Some(chosen) = &chosen {
                use_ui(ui, draft, &mut state, chosen, view, out);
            }
            found_ui(ui, &mut state, sizes, chosen.as_ref(), view);
        }
    });
    session.size = state;
}

/// What is looked at: picked by hand if it is still among what was found, the best of the objective else.
fn chosen(sizes: &Sizes, state: &SizeState) -> Option<Candidate> {
    let best = sizes.best.iter().find(|best| best.objective == state.objective).map(|best| &best.candidate);
    let known = |picked: &&Candidate| sizes.front.contains(picked) || sizes.by_gpu.contains(picked);
    state.picked.as_ref().filter(known).or(best).cloned()
}

fn gpu_name(catalog: &Catalog, id: &str) -> String {
    catalog.gpu(id).map_or_else(|_| id.to_owned(), |gpu| gpu.name.clone())
}

fn replicas_of(c: &Candidate) -> String {
    if c.replicas <= 1.0 { "1 replica".to_owned() } else { format!("{} replicas", format::count(c.replicas)) }
}

fn answer(sizes: Option<&Arc<Sizes>>, chosen: Option<&Candidate>, view: &View<'_>) -> String {
    let Some(sizes) = sizes else { return "Searching the best deployment for this workload.".to_owned() };
    let Some(c) = chosen else {
        return format!(
            "None of {} configurations keeps the targets; loosen them, or shorten prompts.",
            format::count(sizes.tried as f64)
        );
    };
    format!(
        "{} of {} × {} ({}, {} weights): {} calls a second at the peak for {} a month; first token after {}, then one every {}.",
        replicas_of(c),
        c.gpus_per_replica,
        gpu_name(view.catalog, &c.gpu),
        c.split(),
        c.weights,
        format::significant(sizes.ask.peak_calls_per_sec, 3),
        format::usd(c.usd_per_month),
        format::secs(c.ttft_secs),
        format::secs(c.tpot_secs)
    )
}

/// Model, engine, headroom and targets.
fn wishes_ui(ui: &mut Ui, state: &mut SizeState, draft: &ScenarioDraft, view: &View<'_>) {
    let mut models = vec![(None, "Every model that a plan hosts".to_owned())];
    models.extend(view.catalog.models.iter().map(|row| (Some(row.id.clone()), row.name.clone())));
    let served = Engine::ALL.iter().filter(|engine| **engine != Engine::LlamaCpp);
    let engines: Vec<_> = served.map(|engine| (*engine, engine.label().to_owned())).collect();
    let slos = || draft.workload.use_cases.iter().filter(|u| u.enabled).map(|u| &u.slo);
    let ttft = slos().map(|s| s.ttft_secs.point()).fold(f64::INFINITY, f64::min);
    let tpot = slos().map(|s| s.tpot_secs.point()).fold(f64::INFINITY, f64::min);
    ui.horizontal_wrapped(|ui| {
        let part = |ui: &mut Ui, width: f32, draw: &mut dyn FnMut(&mut Ui)| {
            ui.allocate_ui(vec2(width, 46.0), |ui| {
                ui.set_width(width);
                draw(ui);
            });
        };
        part(ui, 210.0, &mut |ui| {
            choice(ui, "Model to serve", &mut state.wish.model, &models);
        });
        part(ui, 130.0, &mut |ui| {
            choice(ui, "Engine to serve with", &mut state.wish.engine, &engines);
        });
        part(ui, 120.0, &mut |ui| {
            captioned(ui, "Headroom", &mut state.wish.headroom, Unit::Percent);
            state.wish.headroom = state.wish.headroom.clamp(0.0, 10.0);
        });
        part(ui, 120.0, &mut |ui| target_ui(ui, "First token within", &mut state.wish.ttft_secs, ttft));
        part(ui, 120.0, &mut |ui| target_ui(ui, "Each token within", &mut state.wish.tpot_secs, tpot));
        if (state.wish.ttft_secs.is_some() || state.wish.tpot_secs.is_some())
            && ui.button("Targets of the use cases").clicked()
        {
            (state.wish.ttft_secs, state.wish.tpot_secs) = (None, None);
        }
    });
}

fn captioned(ui: &mut Ui, caption: &str, value: &mut f64, unit: Unit) {
    let color = Theme::of(ui.ctx()).text_weak;
    ui.label(RichText::new(caption).small().color(color));
    number(ui, caption, value, unit);
}

/// A target: the tightest of the use cases until another is typed.
fn target_ui(ui: &mut Ui, caption: &str, own: &mut Option<f64>, of_scenario: f64) {
    let before = own.unwrap_or(of_scenario);
    let mut secs = before;
    captioned(ui, caption, &mut secs, Unit::Secs);
    if secs != before && secs.is_finite() && secs > 0.0 {
        *own = Some(secs);
    }
}

fn progress_ui(ui: &mut Ui, view: &View<'_>, out: &mut Outbox) {
    let sizing = &view.errands.sizing;
    if let Some(progress) = &sizing.progress {
        ui.horizontal(|ui| {
            let share = progress.share().unwrap_or(0.0) as f32;
            let text = format!("{} of {} {}", progress.done, progress.total, progress.what);
            ui.add(ProgressBar::new(share).desired_width(300.0).text(text));
            if ui.button("Stop").clicked() {
                out.send(Action::StopErrands);
            }
        });
    } else if sizing.stopped {
        ui.horizontal(|ui| {
            ui.label("The search was stopped.");
            if ui.button("Search again").clicked()
                && let Some((_, wish)) = &sizing.asked
            {
                out.send(Action::Size(wish.clone()));
            }
        });
    }
}

/// The best by objective: a click looks at it.
fn objectives_ui(ui: &mut Ui, state: &mut SizeState, sizes: &Sizes) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Best by").color(Theme::of(ui.ctx()).text_weak));
        for best in &sizes.best {
            let on = state.objective == best.objective && state.picked.is_none();
            let hover = in_a_line(&best.candidate);
            if ui.add(Button::selectable(on, best.objective.label())).on_hover_text(hover).clicked() {
                (state.objective, state.picked) = (best.objective, None);
            }
        }
        let text = format!(
            "{} configurations tried: {} do not fit, {} are too slow",
            format::count(sizes.tried as f64),
            format::count(sizes.impossible as f64),
            format::count(sizes.too_slow as f64)
        );
        ui.label(RichText::new(text).small().color(Theme::of(ui.ctx()).text_weak));
    });
}

/// Writes what is looked at into a plan.
fn use_ui(
    ui: &mut Ui,
    draft: &mut ScenarioDraft,
    state: &mut SizeState,
    chosen: &Candidate,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let targets = plan::targets(draft);
    let id = |target: &Target| Some((target.plan.clone(), target.endpoint.clone()));
    let Some(first) = targets.first() else {
        ui.horizontal(|ui| {
            ui.label("No plan has own GPUs yet; add one to use a choice.");
            if ui.button("Go to the plans").clicked() {
                out.send(Action::Go(Page::Plans));
            }
        });
        return;
    };
    let mut target = targets.iter().find(|target| id(target) == state.target).unwrap_or(first).clone();
    ui.horizontal(|ui| {
        ui.allocate_ui(vec2(240.0, 46.0), |ui| {
            ui.set_width(240.0);
            let options: Vec<_> =
                targets.iter().map(|target| (target.clone(), target.name.clone())).collect();
            if choice(ui, "Plan to write to", &mut target, &options) {
                state.target = id(&target);
            }
        });
        let hint = "Writes model, GPU, count, parallelism, engine and formats; Undo takes it back";
        if ui.button("Use this choice").on_hover_text(hint).clicked()
            && write(draft, &target, chosen, state.wish.engine)
        {
            state.written = Some((chosen.clone(), target.plan_name.clone()));
        }
        if let Some((_, name)) = state.written.as_ref().filter(|(written, _)| written.gpu == chosen.gpu) {
            ui.label(RichText::new(format!("Written to “{name}”")).small().color(view.theme.good));
            if ui.link("Show the plan").clicked() {
                out.send(Action::GoPlan(target.plan.clone()));
            }
        }
    });
}

/// Writes a candidate into a deployment; false where the endpoint is gone or has no such format.
fn write(draft: &mut ScenarioDraft, target: &Target, chosen: &Candidate, engine: Engine) -> bool {
    let endpoints = draft.plans.iter_mut().filter(|plan| plan.id == target.plan);
    let endpoint =
        endpoints.flat_map(|plan| &mut plan.endpoints).find(|endpoint| endpoint.id == target.endpoint);
    let Some(Serves::SelfHosted(own)) = endpoint.map(|endpoint| &mut endpoint.serves) else { return false };
    let Some(weights) = plan::precision(chosen.formats.0) else { return false };
    let d = &mut own.deployment;
    (d.model, d.gpu) = (chosen.model.clone(), chosen.gpu.clone());
    (d.gpus_per_replica, d.layout, d.engine) = (chosen.gpus_per_replica, chosen.layout, Some(engine));
    (d.weights, d.kv_cache) = (weights, chosen.formats.1);
    true
}

fn found_ui(ui: &mut Ui, state: &mut SizeState, sizes: &Sizes, chosen: Option<&Candidate>, view: &View<'_>) {
    let mut picked = None;
    {
        let picked = std::cell::RefCell::new(&mut picked);
        let latency = |ui: &mut Ui| {
            heading(ui, "Cost against time of a call", |_| {});
            let time = |c: &Candidate| log(c.call_secs);
            let figure = Figure { name: "time of a call", is_log: true, tick: format::secs };
            if let Some(c) = front_ui(ui, "Cost against time of a call", sizes, chosen, &time, figure) {
                **picked.borrow_mut() = Some(c);
            }
        };
        let quality = |ui: &mut Ui| {
            heading(ui, "Cost against quality", |_| {});
            let value = |c: &Candidate| c.quality;
            let alike = sizes
                .front
                .iter()
                .all(|c| sizes.front.first().is_some_and(|first| first.quality == c.quality));
            if let Some(first) = sizes.front.first().filter(|_| alike) {
                let words = format!(
                    "All have the quality that is entered for the model, {}; models of another quality make a choice of it.",
                    format::percent(first.quality)
                );
                ui.label(RichText::new(words).color(Theme::of(ui.ctx()).text_weak));
                return;
            }
            let figure = Figure { name: "quality", is_log: false, tick: format::percent };
            if let Some(c) = front_ui(ui, "Cost against quality", sizes, chosen, &value, figure) {
                **picked.borrow_mut() = Some(c);
            }
        };
        columns(ui, 330.0, vec![Box::new(latency), Box::new(quality)]);
    }
    ui.add_space(space::S);
    heading(ui, "Cheapest by GPU and GPUs of a replica", |_| {});
    picked = map::map_ui(ui, &sizes.by_gpu, chosen, view.catalog).or(picked);
    ui.add_space(space::S);
    heading(ui, "Nothing is cheaper and faster and as good", |_| {});
    picked = table_ui(ui, &sizes.front, chosen, view.catalog).or(picked);
    if picked.is_some() {
        state.picked = picked;
    }
}

/// The front with cost upwards; a click picks the nearest.
fn front_ui(
    ui: &mut Ui,
    title: &str,
    sizes: &Sizes,
    chosen: Option<&Candidate>,
    value: &dyn Fn(&Candidate) -> f64,
    figure: Figure,
) -> Option<Candidate> {
    let point = |c: &Candidate| PlotPoint::new(value(c), log(c.usd_per_month));
    let hover = |at: usize| sizes.front.get(at).map(in_a_line);
    let plot = FrontPlot {
        title,
        figure,
        behind: sizes.by_gpu.iter().map(point).collect(),
        front: sizes.front.iter().map(point).collect(),
        chosen: chosen.map(point),
        height: PLOT,
        hover: &hover,
    };
    front::front_ui(ui, &plot).and_then(|at| sizes.front.get(at).cloned())
}

/// A choice in a line.
fn in_a_line(c: &Candidate) -> String {
    format!(
        "{} of {} × {}, {} a month, first token after {}",
        replicas_of(c),
        c.gpus_per_replica,
        c.gpu,
        format::usd(c.usd_per_month),
        format::secs(c.ttft_secs)
    )
}

/// Heads of the table.
const HEADS: [(&str, f32); 9] = [
    ("Model", 120.0),
    ("GPUs", 170.0),
    ("Split", 80.0),
    ("Weights/KV", 90.0),
    ("Replicas", 60.0),
    ("Cost/month", 80.0),
    ("First token", 80.0),
    ("Per token", 80.0),
    ("Quality", 60.0),
];

fn table_ui(
    ui: &mut Ui,
    rows: &[Candidate],
    chosen: Option<&Candidate>,
    catalog: &Catalog,
) -> Option<Candidate> {
    let theme = Theme::of(ui.ctx());
    let mut picked = None;
    ScrollArea::horizontal().id_salt("front").show(ui, |ui| {
        let mut table =
            TableBuilder::new(ui).id_salt("front").vscroll(false).sense(eframe::egui::Sense::click());
        for (_, width) in HEADS {
            table = table.column(Column::exact(width).clip(true));
        }
        table
            .header(22.0, |mut header| {
                for (name, _) in HEADS {
                    header.col(|ui| {
                        ui.label(RichText::new(name).small().color(theme.text_weak));
                    });
                }
            })
            .body(|mut body| {
                for c in rows {
                    body.row(22.0, |mut row| {
                        row.set_selected(chosen == Some(c));
                        for cell in cells(c, catalog) {
                            row.col(|ui| {
                                ui.add(Label::new(RichText::new(&cell).small()).truncate().selectable(false))
                                    .on_hover_text(&cell);
                            });
                        }
                        if row.response().clicked() {
                            picked = Some(c.clone());
                        }
                    });
                }
            });
    });
    picked
}

fn cells(c: &Candidate, catalog: &Catalog) -> [String; 9] {
    [
        c.model.clone(),
        format!("{} × {}", c.gpus_per_replica, gpu_name(catalog, &c.gpu)),
        c.split(),
        format!("{}/{}", c.weights, c.kv),
        format::count(c.replicas),
        format::usd(c.usd_per_month),
        format::secs(c.ttft_secs),
        format::secs(c.tpot_secs),
        format::percent(c.quality),
    ]
}
