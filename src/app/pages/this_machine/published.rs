//! Bandwidths that others published, row by row beside what was measured here.

use eframe::egui::{Button, Key, Label, RichText, TextEdit, Ui};
use egui_extras::{Column, TableBuilder};

use crate::analysis::Severity;
use crate::analysis::this_machine::{Beside, beside};
use crate::app::action::Action;
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::view::{Outbox, View};
use crate::unit::format;

/// Tallest that the table gets before it scrolls, and the height of a row, in points.
const HEIGHT: f32 = 260.0;
const ROW: f32 = 20.0;

/// The section's part of the session.
#[derive(Debug, Clone, Default)]
pub struct PublishedState {
    /// The path, as it is typed.
    typed: String,
    /// What stands in the search.
    search: String,
    /// The rows beside the run in hand, by what was read and the state of the run.
    rows: Option<((u64, u64), Vec<Beside>)>,
}

/// Draws where they come from, and the table.
pub fn ui(ui: &mut Ui, state: &mut PublishedState, view: &View<'_>, out: &mut Outbox) {
    let theme = Theme::of(ui.ctx());
    let read = view.errands.readings.bandwidths.as_ref();
    ui.horizontal(|ui| {
        ui.label(RichText::new("Tables").color(theme.text_weak));
        let width = (ui.available_width() - 230.0).clamp(120.0, 460.0);
        let hint = "A folder of *.csv (gpu, tool, metric, measured_gbs)";
        let field = ui.add(TextEdit::singleline(&mut state.typed).hint_text(hint).desired_width(width));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Folder of published bandwidths"));
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let ready = !state.typed.trim().is_empty();
        if ui.add_enabled(ready, Button::new("Show beside")).clicked() || (ready && entered) {
            out.send(Action::ReadBandwidths(Some(state.typed.trim().into())));
        }
        if ui.button("Choose a folder…").clicked() {
            out.send(Action::ReadBandwidths(None));
        }
    });
    let Some(read) = read else { return };
    let all = match &read.result {
        Ok(all) => all,
        Err(why) => {
            let text = format!("{} {why}", severity_sign(Severity::Error));
            ui.add(Label::new(RichText::new(text).color(theme.violation)).wrap());
            return;
        }
    };
    let key = (read.counted, view.machine.counted);
    if state.rows.as_ref().is_none_or(|(known, _)| *known != key) {
        state.rows = Some((key, beside(&all.rows, view.machine.run.as_deref(), view.catalog)));
        if state.typed.is_empty() {
            state.typed = read.path.display().to_string();
        }
    }
    let left_out: usize = all.left_out.values().sum();
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(&mut state.search).hint_text("Find a device").desired_width(160.0);
        let field = ui.add(field);
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Find a published device"));
        let text = format!("{} rows, {left_out} left out", all.rows.len());
        let why: Vec<String> = all.left_out.iter().map(|(why, count)| format!("{count}: {why}")).collect();
        ui.label(RichText::new(text).small().color(theme.text_weak)).on_hover_text(why.join("\n"));
    });
    ui.add_space(space::XS);
    let Some((_, rows)) = &state.rows else { return };
    let wanted = state.search.trim().to_lowercase();
    let found: Vec<&Beside> = rows
        .iter()
        .filter(|row| wanted.is_empty() || row.published.device.to_lowercase().contains(&wanted))
        .collect();
    if found.is_empty() {
        ui.label(RichText::new("No device of that name is in the tables.").color(theme.text_weak));
        return;
    }
    table_ui(ui, &found, &theme);
}

fn table_ui(ui: &mut Ui, rows: &[&Beside], theme: &Theme) {
    let rate = |bytes: f64| format!("{}/s", format::bytes(bytes));
    let or_none = |text: Option<String>| text.unwrap_or_else(|| format::NO_NUMBER.to_owned());
    TableBuilder::new(ui)
        .id_salt("published bandwidths")
        .striped(true)
        .max_scroll_height(HEIGHT)
        .column(Column::initial(230.0).at_least(120.0).clip(true))
        .column(Column::initial(150.0).at_least(80.0).clip(true))
        .column(Column::initial(230.0).at_least(100.0).clip(true))
        .columns(Column::exact(88.0).clip(true), 4)
        .header(22.0, |mut header| {
            for (head, means) in [
                ("Device", "As the table names it; this device first"),
                ("Tool", "Program that measured it"),
                ("What", "What it measured"),
                ("Published", "Bandwidth that was reached"),
                ("Of data sheet", "Share of the data sheet's bandwidth"),
                ("Here", "What the measured device reaches with the same work"),
                ("Of published", "Measured here over published"),
            ] {
                header.col(|ui| {
                    let text = RichText::new(head).small().color(theme.text_weak);
                    ui.add(Label::new(text).truncate()).on_hover_text(means);
                });
            }
        })
        .body(|body| {
            body.rows(ROW, rows.len(), |mut table| {
                let row = rows[table.index()];
                let published = &row.published;
                let color = if row.same_device { theme.accent } else { theme.text };
                table.col(|ui| {
                    let text = RichText::new(&published.device).color(color);
                    let about = [&published.note, &published.source].map(String::as_str).join("\n");
                    let from = format!("{about}\n{}, line {}", published.file, published.line);
                    ui.add(Label::new(text).truncate()).on_hover_text(from.trim());
                });
                for text in [
                    published.tool.clone(),
                    published.metric.clone(),
                    rate(published.bytes_per_s),
                    or_none(row.data_sheet_share.map(format::percent)),
                    or_none(row.measured_bytes_per_s.map(rate)),
                    or_none(row.ratio.map(format::percent)),
                ] {
                    table.col(|ui| drop(ui.add(Label::new(text).truncate())));
                }
            });
        });
}
