//! Bars of intervals, one row per plan.

use eframe::egui::{Align2, Response, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::paint::{Scale, interval_bar, plan_dot, text_ui};
use crate::app::theme::{self, Theme};
use crate::unit::format;

/// One row.
#[derive(Debug, Clone)]
pub struct BarRow {
    /// Name of the plan.
    pub name: String,
    /// Position of the plan in the scenario.
    pub plan: usize,
    /// P5, P25, median, P75, P95 in US dollars per month; all alike where there are no draws yet.
    pub values: [f64; 5],
    /// What stands at the right, one short phrase.
    pub note: String,
}

/// Height of one row, in points.
const ROW: f32 = 26.0;

/// Draws the rows on one scale from zero; returns the response of each, to be clicked.
pub fn interval_bars_ui(ui: &mut Ui, rows: &[BarRow]) -> Vec<Response> {
    let theme = Theme::of(ui.ctx());
    let top = rows.iter().flat_map(|row| row.values).filter(|v| v.is_finite()).fold(1.0, f64::max) * 1.02;
    let width = ui.available_width();
    let names = (0.32 * width).clamp(80.0, 240.0);
    let notes = 130.0;
    rows.iter()
        .map(|row| {
            let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
            let color = theme.plan(row.plan);
            if response.hovered() {
                ui.painter().rect_filled(rect, 4.0, theme.hover);
            }
            plan_dot(ui, pos2(rect.left() + 6.0, rect.center().y), color);
            let at = pos2(rect.left() + 18.0, rect.center().y);
            text_ui(ui, at, Align2::LEFT_CENTER, &row.name, &TextStyle::Body, theme.text, names - 24.0);
            let scale = Scale::new(0.0, top, rect.left() + names, rect.right() - notes);
            interval_bar(ui, rect, scale, row.values, color);
            let at = pos2(rect.right(), rect.center().y);
            text_ui(
                ui,
                at,
                Align2::RIGHT_CENTER,
                &row.note,
                &theme::figure(),
                theme.text_strong,
                notes - 8.0,
            );
            let [p5, _, p50, _, p95] = row.values;
            let words = format!(
                "{}: median {} a month, P5–P95 {}",
                row.name,
                format::usd(p50),
                format::usd_range(p5, p95)
            );
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
            response.on_hover_text(words)
        })
        .collect()
}
