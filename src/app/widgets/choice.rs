//! Choices, switches and text.

use eframe::egui::{ComboBox, Response, RichText, TextEdit, Ui, vec2};

use super::number::name;
use crate::app::theme::Theme;

/// A choice of a few, with its label above; true when it changed.
pub fn choice<T: PartialEq + Clone>(
    ui: &mut Ui,
    label: &str,
    value: &mut T,
    options: &[(T, String)],
) -> bool {
    let current =
        options.iter().find(|(option, _)| option == value).map_or("Choose…", |(_, text)| text.as_str());
    let mut changed = false;
    ui.push_id(label, |ui| {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            caption(ui, label);
            let combo = ComboBox::from_id_salt("choice")
                .selected_text(current)
                .width((ui.available_width() - 8.0).max(80.0))
                .truncate()
                .show_ui(ui, |ui| {
                    for (option, text) in options {
                        if ui.selectable_label(option == value, text).clicked() && option != value {
                            *value = option.clone();
                            changed = true;
                        }
                    }
                });
            name(ui, &combo.response, label);
        });
    });
    changed
}

/// A line of text with its label above.
pub fn text_field(ui: &mut Ui, label: &str, text: &mut String) -> Response {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        caption(ui, label);
        let width = ui.available_width();
        let field = ui.add_sized(vec2(width, 24.0), TextEdit::singleline(text));
        name(ui, &field, label);
        field
    })
    .inner
}

/// A switch with its label beside it.
pub fn toggle(ui: &mut Ui, label: &str, on: &mut bool, help: &str) -> Response {
    let response = ui.checkbox(on, label);
    if help.is_empty() { response } else { response.on_hover_text(help) }
}

fn caption(ui: &mut Ui, label: &str) {
    let color = Theme::of(ui.ctx()).text_weak;
    ui.label(RichText::new(label).small().color(color));
}
