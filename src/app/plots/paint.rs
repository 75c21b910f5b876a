//! What painted plots share: text that is cut where its room ends, and a bar of an interval.

use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Align2, Color32, CornerRadius, FontId, Pos2, Rect, Stroke, TextStyle, Ui, pos2, vec2};

/// Writes text at a place and cuts it with `…` where `width` ends; returns the room that it took.
pub fn text_ui(
    ui: &Ui,
    at: Pos2,
    anchor: Align2,
    text: &str,
    style: &TextStyle,
    color: Color32,
    width: f32,
) -> Rect {
    let font = style.resolve(ui.style());
    text_in(ui, at, anchor, text, font, color, width)
}

/// The same with a font.
pub fn text_in(
    ui: &Ui,
    at: Pos2,
    anchor: Align2,
    text: &str,
    font: FontId,
    color: Color32,
    width: f32,
) -> Rect {
    let mut job = LayoutJob::single_section(text.to_owned(), TextFormat::simple(font, color));
    job.wrap = TextWrapping::truncate_at_width(width.max(1.0));
    let galley = ui.painter().layout_job(job);
    let rect = anchor.anchor_size(at, galley.size());
    ui.painter().galley(rect.min, galley, color);
    rect
}

/// The width that a text takes on one line.
#[must_use]
pub fn text_width(ui: &Ui, text: &str, style: &TextStyle) -> f32 {
    let font = style.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

/// A linear scale from values to points.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    left: f32,
    right: f32,
}

impl Scale {
    /// From `low..high` to `left..right`; a range without width is widened.
    #[must_use]
    pub fn new(low: f64, high: f64, left: f32, right: f32) -> Self {
        let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { low, high, left, right }
    }

    /// Where a value is, held inside.
    #[must_use]
    pub fn x(&self, value: f64) -> f32 {
        let share = if value.is_finite() { (value - self.low) / (self.high - self.low) } else { 0.0 };
        self.left + (self.right - self.left) * share.clamp(0.0, 1.0) as f32
    }

    /// Which value is at a place, held inside.
    #[must_use]
    pub fn value(&self, x: f32) -> f64 {
        let share = f64::from((x - self.left) / (self.right - self.left).max(1.0)).clamp(0.0, 1.0);
        self.low + share * (self.high - self.low)
    }
}

/// A bar from `low` to `high` with a stronger part between the quartiles and a tick at the middle.
pub fn interval_bar(ui: &Ui, row: Rect, scale: Scale, values: [f64; 5], color: Color32) {
    let [p5, p25, p50, p75, p95] = values.map(|value| scale.x(value));
    let middle = row.center().y;
    let painter = ui.painter();
    let part = |left: f32, right: f32, height: f32| {
        Rect::from_min_max(
            pos2(left, middle - height / 2.0),
            pos2(right.max(left + 1.0), middle + height / 2.0),
        )
    };
    painter.rect_filled(part(p5, p95, 8.0), CornerRadius::same(3), color.gamma_multiply(0.28));
    painter.rect_filled(part(p25, p75, 8.0), CornerRadius::same(2), color.gamma_multiply(0.55));
    painter.line_segment([pos2(p50, middle - 7.0), pos2(p50, middle + 7.0)], Stroke::new(2.0, color));
}

/// How strongly a plan is drawn while another one is looked at.
#[must_use]
pub fn strength(plan: usize, looked_at: Option<usize>) -> f32 {
    if looked_at.is_none_or(|looked_at| looked_at == plan) { 1.0 } else { 0.3 }
}

/// A dot with the colour of a plan.
pub fn plan_dot(ui: &Ui, at: Pos2, color: Color32) {
    ui.painter().rect_filled(Rect::from_center_size(at, vec2(9.0, 9.0)), CornerRadius::same(2), color);
}
