//! One at a time: how far each uncertain quantity moves the cost of a plan.

use eframe::egui::{Align2, CornerRadius, Rect, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::paint::{Scale, text_ui};
use crate::app::money::money;
use crate::app::theme::Theme;

/// One bar.
#[derive(Debug, Clone)]
pub struct TornadoRow {
    /// Name of the quantity.
    pub label: String,
    /// The quantity at its P10 and P90, with its unit.
    pub ends: (String, String),
    /// US dollars per month at its P10 and at its P90.
    pub usd: (f64, f64),
    /// Whether another plan is the cheapest at either end.
    pub flips: bool,
}

const ROW: f32 = 28.0;

/// Draws the bars around `base`, US dollars per month; returns the index of the row that was clicked.
pub fn tornado_ui(ui: &mut Ui, rows: &[TornadoRow], base: f64, plan: usize) -> Option<usize> {
    let (theme, money) = (Theme::of(ui.ctx()), money(ui.ctx()));
    let ends = rows.iter().flat_map(|row| [row.usd.0, row.usd.1]).chain([base]).filter(|v| v.is_finite());
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let margin = 0.02 * (high - low).max(1e-9);
    let width = ui.available_width();
    let labels = (0.40 * width).clamp(150.0, 420.0);
    let figures = 74.0;
    let mut clicked = None;
    for (index, row) in rows.iter().enumerate() {
        let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
        if response.hovered() {
            ui.painter().rect_filled(rect, 4.0, theme.hover);
        }
        let middle = rect.center().y;
        let flips = if row.flips { "  flips" } else { "" };
        let used = text_ui(
            ui,
            pos2(rect.left() + 4.0, middle),
            Align2::LEFT_CENTER,
            &row.label,
            &TextStyle::Body,
            theme.text,
            if row.flips { labels - 44.0 } else { labels - 8.0 },
        );
        let at = pos2(used.right(), middle);
        text_ui(ui, at, Align2::LEFT_CENTER, flips, &TextStyle::Small, theme.warning, 50.0);
        let scale = Scale::new(
            low - margin,
            high + margin,
            rect.left() + labels + figures,
            rect.right() - figures - 4.0,
        );
        let bar = |from: f64, to: f64, strength: f32| {
            let (left, right) = (scale.x(from.min(to)), scale.x(from.max(to)));
            let part =
                Rect::from_min_max(pos2(left, middle - 7.0), pos2(right.max(left + 1.0), middle + 7.0));
            ui.painter().rect_filled(part, CornerRadius::same(2), theme.plan_wash(plan, strength));
        };
        // The end at P10 is the fainter one, so that the direction of the effect is seen.
        bar(base, row.usd.0, 0.4);
        bar(base, row.usd.1, 0.9);
        let x = scale.x(base);
        ui.painter()
            .line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(1.0, theme.text_weak));
        let (left, right) = if row.usd.0 <= row.usd.1 {
            ((row.usd.0, &row.ends.0), (row.usd.1, &row.ends.1))
        } else {
            ((row.usd.1, &row.ends.1), (row.usd.0, &row.ends.0))
        };
        let left_at = pos2(scale.x(left.0.min(base)) - 5.0, middle);
        let right_at = pos2(scale.x(right.0.max(base)) + 5.0, middle);
        text_ui(ui, left_at, Align2::RIGHT_CENTER, left.1, &TextStyle::Small, theme.text_weak, figures);
        text_ui(ui, right_at, Align2::LEFT_CENTER, right.1, &TextStyle::Small, theme.text_weak, figures);
        let words = format!(
            "{}: {} a month at {}, {} at {}",
            row.label,
            money.show(row.usd.0),
            row.ends.0,
            money.show(row.usd.1),
            row.ends.1
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
        if response.on_hover_text(words).clicked() {
            clicked = Some(index);
        }
    }
    clicked
}
