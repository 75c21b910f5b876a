//! Where to start: the worked examples, and the files that were open before.

use eframe::egui::{Label, RichText, ScrollArea, Sense, Ui, vec2};

use crate::app::action::Action;
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Outbox, View};
use crate::app::widgets::{heading, sentence};
use crate::io::presets::{ScenarioPreset, scenarios};

/// Width of the list, in points: further apart, a button is no longer beside its example.
const WIDTH: f32 = 860.0;

/// Draws the page.
pub fn ui(ui: &mut Ui, view: &View<'_>, out: &mut Outbox) {
    let presets = scenarios();
    let count = match presets.len() {
        1 => "One worked example".to_owned(),
        count => format!("{count} worked examples"),
    };
    sentence(ui, &format!("{count} to start from, or a scenario of your own."));
    ui.add_space(space::S);
    ui.horizontal(|ui| {
        if ui.button("New scenario").clicked() {
            out.send(Action::New);
        }
        if ui.button("Open…").clicked() {
            out.send(Action::Open);
        }
        if ui.button("Save as…").clicked() {
            out.send(Action::SaveAs);
        }
    });
    ui.add_space(space::M);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(WIDTH.min(ui.available_width()));
        for preset in presets {
            preset_ui(ui, preset, out);
        }
        if view.recent.is_empty() {
            return;
        }
        ui.add_space(space::M);
        heading(ui, "Open before", |_| {});
        for path in view.recent {
            let name = path
                .file_name()
                .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
            if ui.link(name).on_hover_text(path.display().to_string()).clicked() {
                out.send(Action::OpenPath(path.clone()));
            }
        }
    });
}

/// One example: title, summary, and the way in; its notes fold out.
fn preset_ui(ui: &mut Ui, preset: &ScenarioPreset, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    ui.push_id(preset.id, |ui| {
        ui.horizontal_top(|ui| {
            let room = (ui.available_width() - 90.0).max(200.0);
            ui.allocate_ui(vec2(room, 0.0), |ui| {
                ui.vertical(|ui| {
                    ui.set_width(room);
                    ui.spacing_mut().item_spacing.y = 2.0;
                    let title = theme::section_text(preset.title).color(theme.text_strong);
                    let open =
                        ui.add(Label::new(title).sense(Sense::click())).on_hover_text("Open this example");
                    if open.clicked() {
                        out.send(Action::OpenExample(preset.id.to_owned()));
                    }
                    ui.add(Label::new(RichText::new(preset.summary).color(theme.text)).wrap());
                });
            });
            let button = ui.button("Open");
            ui.ctx()
                .accesskit_node_builder(button.id, |node| node.set_label(format!("Open {}", preset.title)));
            if button.clicked() {
                out.send(Action::OpenExample(preset.id.to_owned()));
            }
        });
        ui.add_space(space::S);
        ui.separator();
    });
}
