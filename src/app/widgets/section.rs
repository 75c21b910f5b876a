//! The frame of a page: headings, quiet sections that fold, columns, and what stands where there is nothing yet.

use eframe::egui::{
    CollapsingHeader, Color32, Layout, Rect, Response, Role, Sense, Ui, UiBuilder, WidgetInfo, vec2,
};

use crate::app::theme::{Theme, section_text, space};

/// A section that folds; open at first if `open`.
pub fn section(ui: &mut Ui, title: &str, open: bool, content: impl FnOnce(&mut Ui)) {
    ui.add_space(space::XS);
    CollapsingHeader::new(section_text(title)).id_salt(title).default_open(open).show_unindented(ui, |ui| {
        ui.add_space(2.0);
        content(ui);
        ui.add_space(space::S);
    });
}

/// The heading of a part of a page, with something at its right end.
pub fn heading(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.label(section_text(title).color(Theme::of(ui.ctx()).text_strong));
        ui.with_layout(Layout::right_to_left(eframe::egui::Align::Center), right);
    });
}

/// What is drawn in a column.
pub type Cell<'a> = Box<dyn FnOnce(&mut Ui) + 'a>;

/// Lays cells out in as many columns as fit, each at least `least` points wide; fills column by column.
pub fn columns(ui: &mut Ui, least: f32, mut cells: Vec<Cell<'_>>) {
    let gap = space::L;
    let width = ui.available_width();
    let count = (((width + gap) / (least + gap)).floor() as usize).clamp(1, 4).min(cells.len().max(1));
    let each = (width - gap * (count as f32 - 1.0)) / count as f32;
    let per_column = cells.len().div_ceil(count);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        for _ in 0..count {
            let rest = cells.split_off(per_column.min(cells.len()));
            let column = std::mem::replace(&mut cells, rest);
            let builder = UiBuilder::new().layout(Layout::top_down(eframe::egui::Align::Min));
            ui.allocate_ui(vec2(each, 0.0), |ui| {
                ui.scope_builder(builder, |ui| {
                    ui.set_width(each);
                    for cell in column {
                        cell(ui);
                    }
                });
            });
        }
    });
}

/// Lays cells out row by row, in as many columns as fit, each at least `least` points wide.
pub fn grid(ui: &mut Ui, least: f32, cells: Vec<Cell<'_>>) {
    let gap = space::L;
    let width = ui.available_width();
    let count = (((width + gap) / (least + gap)).floor() as usize).clamp(1, 4);
    let each = (width - gap * (count as f32 - 1.0)) / count as f32;
    let mut cells = cells.into_iter().peekable();
    while cells.peek().is_some() {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for cell in cells.by_ref().take(count) {
                let builder = UiBuilder::new().layout(Layout::top_down(eframe::egui::Align::Min));
                ui.allocate_ui(vec2(each, 0.0), |ui| {
                    ui.scope_builder(builder, |ui| {
                        ui.set_width(each);
                        cell(ui);
                    });
                });
            }
        });
    }
}

/// A row of a list that can be picked, without its text: a wash and a bar at the left when it is.
pub fn list_row(ui: &mut Ui, name: &str, picked: bool, height: f32) -> Response {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, picked, name));
    let fill = match (picked, response.hovered() || response.has_focus()) {
        (true, _) => theme.accent_wash,
        (false, true) => theme.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, 4.0, fill);
    if picked {
        let bar = Rect::from_min_size(rect.min + vec2(0.0, 4.0), vec2(3.0, height - 8.0));
        ui.painter().rect_filled(bar, 1.5, theme.accent);
    }
    response
}

/// What a page answers and the one thing that fills it; true when its button was pressed.
pub fn empty_state(ui: &mut Ui, what: &str, button: &str) -> bool {
    let theme = Theme::of(ui.ctx());
    let mut pressed = false;
    ui.vertical_centered(|ui| {
        ui.add_space(48.0);
        ui.label(section_text(what).color(theme.text_weak));
        ui.add_space(space::M);
        if !button.is_empty() {
            pressed = ui.button(button).clicked();
        }
    });
    pressed
}
