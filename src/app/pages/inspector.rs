//! The inputs that matter to a page, most sensitive first, and why the last number that was clicked is what it is.

use eframe::egui::{RichText, ScrollArea, Ui};

use super::{break_even, overview};
use crate::app::money::money;
use crate::app::pages::Page;
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Session, View};
use crate::app::widgets::{Form, section, why_ui};
use crate::scenario::ScenarioDraft;
use crate::scenario::labels::owner;
use crate::stats::Estimate;
use crate::stats::quantities::{Path, Quantified as _};

/// How many inputs are shown: more is a form, and there is a page for that.
const INPUTS: usize = 8;

/// What matters in nearly every scenario, for when nothing has been computed yet: ends of paths.
const USUAL: [&str; 9] = [
    "requests_per_day",
    "output_tokens.median",
    "system_prompt_tokens",
    "retrieved_tokens",
    "output_usd_per_mtok",
    "discount",
    "usd_per_gpu_hour",
    "efficiency.decode_mbu",
    "on_call.fte",
];

/// Draws the inspector.
pub fn ui(ui: &mut Ui, draft: &mut ScenarioDraft, session: &mut Session, view: &View<'_>) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        explanation_ui(ui, session, view);
        // What is being touched stays where it is: the order changes while one looks elsewhere.
        let touched = ui.rect_contains_pointer(ui.clip_rect())
            || ui.input(|input| input.pointer.any_down())
            || ui.ctx().egui_wants_keyboard_input();
        if session.inputs.is_empty() || !touched {
            session.inputs = paths(draft, view);
        }
        let paths = session.inputs.clone();
        let title = if view.sensitivity.is_some() || view.forecast.is_some() {
            "What the answer hangs on most"
        } else {
            "The usual suspects"
        };
        ui.label(theme::section_text(title));
        ui.add_space(space::XS);
        quantities_ui(ui, draft, view, &paths);
    });
}

fn explanation_ui(ui: &mut Ui, session: &mut Session, view: &View<'_>) {
    let whys = match session.page {
        Page::BreakEven => {
            break_even::why(session, view.break_even.map(|shown| shown.value), &money(ui.ctx()))
        }
        _ => overview::why(session, view.outcome.map(|shown| shown.value), &money(ui.ctx())),
    };
    if whys.is_empty() {
        return;
    }
    section(ui, "Why?", true, |ui| {
        for (index, why) in whys.iter().enumerate() {
            ui.push_id(index, |ui| why_ui(ui, why));
            ui.add_space(space::S);
        }
        if ui.small_button("Close").clicked() {
            session.why = None;
        }
    });
}

/// Paths of the inputs to show, strongest first.
#[must_use]
pub fn paths(draft: &ScenarioDraft, view: &View<'_>) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let mut add = |path: &str| {
        if paths.len() < INPUTS && !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    };
    if let Some(forecast) = view.forecast {
        forecast.value.drivers.iter().take(INPUTS - 2).for_each(|(path, _)| add(path));
    }
    if let Some(sensitivity) = view.sensitivity {
        sensitivity.value.rows.iter().take(INPUTS - 2).for_each(|row| add(&row.path));
    }
    let mut all: Vec<String> = Vec::new();
    draft.each(&mut Path::default(), &mut |path: &Path, _: &Estimate| all.push(path.as_str().to_owned()));
    for end in USUAL {
        all.iter().filter(|path| path.ends_with(end)).take(2).for_each(|path| add(path));
    }
    paths
}

/// Editors of quantities anywhere in the draft, by their paths.
pub fn quantities_ui(ui: &mut Ui, draft: &mut ScenarioDraft, view: &View<'_>, paths: &[String]) {
    let theme = Theme::of(ui.ctx());
    let mut found: Vec<Option<(usize, Estimate)>> = vec![None; paths.len()];
    let mut position = 0;
    draft.each(&mut Path::default(), &mut |path: &Path, value: &Estimate| {
        if let Some(slot) = paths.iter().position(|wanted| wanted == path.as_str()) {
            found[slot] = Some((position, value.clone()));
        }
        position += 1;
    });
    let form = Form::of(view);
    let mut edits: Vec<(usize, Estimate)> = Vec::new();
    for (path, found) in paths.iter().zip(found) {
        let Some((position, before)) = found else { continue };
        if let Some(owner) = owner(path, draft) {
            ui.label(RichText::new(owner).small().color(theme.text_weak));
        }
        let mut value = before.clone();
        form.quantity(ui, path, &mut value);
        if value != before {
            edits.push((position, value));
        }
    }
    if edits.is_empty() {
        return;
    }
    let mut position = 0;
    draft.each_mut(&mut |value: &mut Estimate| {
        if let Some((_, edited)) = edits.iter().find(|(at, _)| *at == position) {
            *value = edited.clone();
        }
        position += 1;
    });
}
