//! Histograms: the mean month over the draws, and lengths.

use eframe::egui::{
    Align2, CornerRadius, Mesh, Rect, Role, Sense, Shape, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::paint::{Scale, text_ui};
use crate::analysis::PlanForecast;
use crate::app::money::money;
use crate::app::theme::Theme;
use crate::unit::format;

/// Draws how often each cost per month came out, with P5, median and P95 marked, on a scale shared by the plans.
///
/// - `mark`: a cost, US dollars per month, at which the share of the draws below is read off.
/// - Returns the cost that is pointed at.
pub fn mean_month_histogram_ui(
    ui: &mut Ui,
    plan: &PlanForecast,
    index: usize,
    bounds: (f64, f64),
    height: f32,
    mark: Option<f64>,
) -> Option<f64> {
    let (theme, shown) = (Theme::of(ui.ctx()), money(ui.ctx()));
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let axis = 15.0;
    let field = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - axis));
    let scale = Scale::new(bounds.0, bounds.1, field.left(), field.right());
    let most = plan.histogram.iter().copied().max().unwrap_or(0).max(1);
    let step = (plan.histogram_high - plan.histogram_low) / plan.histogram.len().max(1) as f64;
    for (bin, &count) in plan.histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = plan.histogram_low + step * bin as f64;
        let tall = field.height() * count as f32 / most as f32;
        let (left, right) = (scale.x(from), scale.x(from + step));
        let bar = Rect::from_min_max(
            pos2(left, field.bottom() - tall),
            pos2((right - 0.5).max(left + 0.5), field.bottom()),
        );
        ui.painter().rect_filled(bar, CornerRadius::ZERO, theme.plan_wash(index, 0.6));
    }
    ui.painter().line_segment([field.left_bottom(), field.right_bottom()], Stroke::new(1.0, theme.line));
    let spread = &plan.mean_month;
    let mut taken = f32::NEG_INFINITY;
    for (value, name) in [(spread.p5, "P5"), (spread.p50, "median"), (spread.p95, "P95")] {
        let x = scale.x(value);
        ui.painter().line_segment(
            [pos2(x, field.top()), pos2(x, field.bottom() + 3.0)],
            Stroke::new(1.0, theme.text),
        );
        let text = format!("{name} {}", shown.show(value));
        if x - 40.0 > taken {
            let at = pos2(x.clamp(field.left() + 40.0, field.right() - 40.0), field.bottom() + 1.0);
            let used = text_ui(ui, at, Align2::CENTER_TOP, &text, &TextStyle::Small, theme.text_weak, 110.0);
            taken = used.right();
        }
    }
    let words = format!(
        "{}: mean {} a month, P5–P95 {}",
        plan.name,
        shown.with_error(spread.mean, spread.mean_error),
        shown.range(spread.p5, spread.p95)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    if let Some(usd) = mark {
        mark_ui(ui, plan, field, scale, usd, &theme);
    }
    let pointed = response.hover_pos().map(|at| scale.value(at.x));
    let _ = response.on_hover_text(words);
    pointed
}

/// A line at a cost and the share of the draws below it.
fn mark_ui(ui: &Ui, plan: &PlanForecast, field: Rect, scale: Scale, usd: f64, theme: &Theme) {
    let x = scale.x(usd);
    ui.painter()
        .line_segment([pos2(x, field.top()), pos2(x, field.bottom())], Stroke::new(1.0, theme.accent));
    let text = format!("{} below {}", format::percent(share_below(plan, usd)), money(ui.ctx()).show(usd));
    let left = x > field.center().x;
    let anchor = if left { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
    let at = pos2(if left { x - 5.0 } else { x + 5.0 }, field.top());
    text_ui(ui, at, anchor, &text, &TextStyle::Small, theme.text, 160.0);
}

/// Share of the draws below a cost, to the width of a bar.
fn share_below(plan: &PlanForecast, usd: f64) -> f64 {
    let bins = plan.histogram.len().max(1) as f64;
    let step = (plan.histogram_high - plan.histogram_low) / bins;
    let all: u32 = plan.histogram.iter().sum();
    let whole = |bin: usize| {
        let from = plan.histogram_low + step * bin as f64;
        if step > 0.0 { ((usd - from) / step).clamp(0.0, 1.0) } else { f64::from(u8::from(usd >= from)) }
    };
    let below: f64 =
        plan.histogram.iter().enumerate().map(|(bin, count)| whole(bin) * f64::from(*count)).sum();
    below / f64::from(all.max(1))
}

/// Draws a density as a filled curve; `points` are (value, density) from left to right.
pub fn density(ui: &Ui, rect: Rect, scale: Scale, points: &[(f64, f64)], color: eframe::egui::Color32) {
    let most = points.iter().map(|point| point.1).filter(|d| d.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return;
    }
    let y = |density: f64| rect.bottom() - (rect.height() - 2.0) * (density / most).clamp(0.0, 1.0) as f32;
    let line: Vec<_> = points.iter().map(|&(value, d)| pos2(scale.x(value), y(d))).collect();
    // A mesh and not polygons: edges without width would be drawn as hairs.
    let mut area = Mesh::default();
    let wash = color.gamma_multiply(0.2);
    for (at, top) in line.iter().enumerate() {
        area.colored_vertex(*top, wash);
        area.colored_vertex(pos2(top.x, rect.bottom()), wash);
        if at > 0 {
            let last = 2 * at as u32;
            area.add_triangle(last - 2, last - 1, last);
            area.add_triangle(last - 1, last, last + 1);
        }
    }
    ui.painter().add(Shape::mesh(area));
    ui.painter().line(line, Stroke::new(1.5, color));
}
