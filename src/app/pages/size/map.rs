//! The heat map: a row for each GPU, a column for the GPUs of a replica, a cell for the cheapest that keeps the targets.

use std::collections::BTreeSet;

use eframe::egui::{Button, Grid, RichText, ScrollArea, Stroke, Ui, vec2};

use super::gpu_name;
use crate::analysis::sizing::Candidate;
use crate::app::theme::Theme;
use crate::catalog::Catalog;
use crate::unit::format;

/// Draws the map; a click gives the candidate of a cell.
pub(super) fn map_ui(
    ui: &mut Ui,
    cells: &[Candidate],
    chosen: Option<&Candidate>,
    catalog: &Catalog,
) -> Option<Candidate> {
    let theme = Theme::of(ui.ctx());
    let counts: BTreeSet<u32> = cells.iter().map(|c| c.gpus_per_replica).collect();
    let mut gpus: Vec<(&str, f64)> = Vec::new();
    for cell in cells {
        match gpus.iter_mut().find(|(gpu, _)| *gpu == cell.gpu) {
            Some((_, usd)) => *usd = usd.min(cell.usd_per_month),
            None => gpus.push((&cell.gpu, cell.usd_per_month)),
        }
    }
    // Cheapest first.
    gpus.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
    let usd = || cells.iter().map(|c| c.usd_per_month.max(1e-9).ln());
    let (low, high) = (usd().fold(f64::MAX, f64::min), usd().fold(f64::MIN, f64::max));
    let mut picked = None;
    ScrollArea::horizontal().id_salt("map").show(ui, |ui| {
        Grid::new("map").spacing(vec2(2.0, 2.0)).show(ui, |ui| {
            ui.label(RichText::new("Stronger is cheaper").small().color(theme.text_weak));
            for count in &counts {
                ui.label(RichText::new(format!("{count} a replica")).small().color(theme.text_weak));
            }
            ui.end_row();
            for (gpu, _) in &gpus {
                let name = gpu_name(catalog, gpu);
                ui.label(RichText::new(&name).small());
                for count in &counts {
                    let cell = cells.iter().find(|c| c.gpu == *gpu && c.gpus_per_replica == *count);
                    match cell {
                        Some(cell) => {
                            let share = (cell.usd_per_month.max(1e-9).ln() - low) / (high - low).max(1e-9);
                            if cell_ui(ui, &theme, cell, &name, 1.0 - share, chosen == Some(cell)) {
                                picked = Some(cell.clone());
                            }
                        }
                        None => {
                            ui.label(RichText::new(format::NO_NUMBER).small().color(theme.text_weak))
                                .on_hover_text("Does not fit, or misses a target");
                        }
                    }
                }
                ui.end_row();
            }
        });
    });
    picked
}

fn cell_ui(ui: &mut Ui, theme: &Theme, cell: &Candidate, name: &str, cheap: f64, on: bool) -> bool {
    let fill = theme.accent.gamma_multiply(0.08 + 0.42 * cheap as f32);
    let stroke = if on { Stroke::new(2.0, theme.good) } else { Stroke::NONE };
    let text = RichText::new(format::usd(cell.usd_per_month)).small().color(theme.text_strong);
    let button = Button::new(text).fill(fill).stroke(stroke).min_size(vec2(92.0, 22.0));
    let hover = format!(
        "{} of {} × {}, {}, {}/{}: {} a month, {} a call",
        super::replicas_of(cell),
        cell.gpus_per_replica,
        name,
        cell.split(),
        cell.weights,
        cell.kv,
        format::usd(cell.usd_per_month),
        format::secs(cell.call_secs)
    );
    let response = ui.add(button).on_hover_text(hover);
    let spoken = format!("{} of {name}: {} a month", cell.gpus_per_replica, format::usd(cell.usd_per_month));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(spoken));
    response.clicked()
}
