//! Numbers that answer: large, with unit and interval, and a way to their formula.

use eframe::egui::{Align, Button, Label, Layout, Response, RichText, Ui, vec2};

use super::number::name;
use crate::app::theme::{Theme, display, figure_text, section_text, space};

/// Where a number comes from: what is shown when it is clicked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Why {
    /// What the number is.
    pub title: String,
    /// The number, with its unit.
    pub value: String,
    /// The formula with the numbers filled in, line by line.
    pub formula: Vec<String>,
    /// What it was computed from, name and value.
    pub inputs: Vec<(String, String)>,
    /// Where the facts and the formula come from.
    pub source: String,
}

/// A figure: a caption, the number, and what qualifies it.
#[derive(Debug, Clone, Default)]
pub struct Figure<'a> {
    /// What it is.
    pub caption: &'a str,
    /// The number with its unit.
    pub value: String,
    /// The interval, or another qualification; may be empty.
    pub interval: String,
}

/// Draws a figure; a click asks why.
pub fn figure_ui(ui: &mut Ui, figure: &Figure<'_>) -> Response {
    let theme = Theme::of(ui.ctx());
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.label(RichText::new(figure.caption).small().color(theme.text_weak));
        let value = figure_text(&figure.value).size(17.0).color(theme.text_strong);
        let response = ui.add(Button::new(value).frame(false)).on_hover_text("Click: why?");
        name(ui, &response, &format!("Why {}", figure.caption));
        if !figure.interval.is_empty() {
            ui.label(RichText::new(&figure.interval).small().color(theme.text_weak));
        }
        response
    })
    .inner
}

/// A row of figures, each a value above its caption; wraps where the room ends.
pub fn figures_ui(ui: &mut Ui, figures: &[(&str, String)]) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        for (caption, value) in figures {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.label(figure_text(value).size(16.0).color(theme.text_strong));
                ui.label(RichText::new(*caption).small().color(theme.text_weak));
            });
        }
    });
}

/// The sentence that a page begins with: large, and never cut.
pub fn sentence(ui: &mut Ui, text: &str) {
    let theme = Theme::of(ui.ctx());
    ui.add(Label::new(RichText::new(text).text_style(display()).color(theme.text_strong)).wrap());
}

/// Says that a newer answer is on its way; takes no room that would make the page jump.
pub fn stale_badge(ui: &mut Ui, stale: bool) {
    let theme = Theme::of(ui.ctx());
    let text = RichText::new("updating…").small();
    let color = if stale { theme.text_weak } else { theme.text_weak.gamma_multiply(0.0) };
    let label = ui.label(text.color(color));
    if stale {
        label.on_hover_text(
            "These results are of the scenario before your last edit; new ones are being computed",
        );
    }
}

/// The explanation of a number, for the inspector.
pub fn why_ui(ui: &mut Ui, why: &Why) {
    let theme = Theme::of(ui.ctx());
    ui.add(Label::new(section_text(&why.title)).wrap());
    ui.label(figure_text(&why.value).size(17.0).color(theme.text_strong));
    for line in &why.formula {
        ui.add(Label::new(RichText::new(line).color(theme.text)).wrap().selectable(true));
    }
    ui.add_space(space::XS);
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.spacing_mut().interact_size.y = 17.0;
    for (input, value) in &why.inputs {
        ui.horizontal(|ui| {
            let room = 0.62 * ui.available_width();
            ui.allocate_ui_with_layout(vec2(room, 16.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(room);
                ui.add(Label::new(RichText::new(input).small().color(theme.text_weak)).truncate());
            });
            ui.add(Label::new(RichText::new(value).small()).truncate()).on_hover_text(value);
        });
    }
    if !why.source.is_empty() {
        ui.add(Label::new(RichText::new(&why.source).small().color(theme.text_weak)).wrap());
    }
}
