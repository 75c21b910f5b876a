//! Memory of a replica as one bar: what is in it, what is free, and by how much it does not fit.

use eframe::egui::{
    Align2, Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::paint::{Scale, text_ui, text_width};
use crate::app::theme::Theme;
use crate::unit::format;

/// A part of the memory.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Bytes; > 0.
    pub bytes: f64,
    /// Strength of its colour, 0..=1; 0 is free.
    pub strength: f32,
}

/// Memory of a replica.
#[derive(Debug, Clone)]
pub struct MemoryBar {
    /// Parts from left to right.
    pub parts: Vec<Part>,
    /// What the engine may use, in bytes.
    pub usable_bytes: f64,
    /// All that the GPUs have, in bytes.
    pub all_bytes: f64,
}

impl MemoryBar {
    /// What the parts take beyond what may be used, in bytes; 0 where it fits.
    #[must_use]
    pub fn excess_bytes(&self) -> f64 {
        let taken: f64 = self.parts.iter().filter(|part| part.strength > 0.0).map(|part| part.bytes).sum();
        (taken - self.usable_bytes).max(0.0)
    }
}

const BAR: f32 = 20.0;
const LABELS: f32 = 18.0;

/// Draws the bar; a click asks why.
pub fn memory_bar_ui(ui: &mut Ui, bar: &MemoryBar) -> Response {
    let theme = Theme::of(ui.ctx());
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, LABELS + BAR + LABELS), Sense::click());
    let excess = bar.excess_bytes();
    let taken: f64 = bar.parts.iter().map(|part| part.bytes).sum();
    let top = bar.all_bytes.max(taken) * if excess > 0.0 { 1.04 } else { 1.0 };
    let field = Rect::from_min_size(pos2(rect.left(), rect.top() + LABELS), vec2(width, BAR));
    let scale = Scale::new(0.0, top, field.left(), field.right());
    let whole = Rect::from_min_max(field.min, pos2(scale.x(bar.all_bytes), field.bottom()));
    ui.painter().rect_filled(whole, CornerRadius::same(3), theme.sunken);
    let color = if excess > 0.0 { theme.violation } else { theme.accent };
    parts_ui(ui, bar, field, scale, color, &theme);
    limit_ui(ui, bar, rect, scale, &theme);
    let words = words(bar);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    response.on_hover_text(words)
}

fn parts_ui(ui: &Ui, bar: &MemoryBar, field: Rect, scale: Scale, color: Color32, theme: &Theme) {
    let mut sum = 0.0;
    let mut label_from = field.left();
    for part in &bar.parts {
        let (left, right) = (scale.x(sum), scale.x(sum + part.bytes));
        sum += part.bytes;
        let shape =
            Rect::from_min_max(pos2(left, field.top()), pos2((right - 1.0).max(left + 1.0), field.bottom()));
        if part.strength > 0.0 {
            ui.painter().rect_filled(shape, CornerRadius::same(2), color.gamma_multiply(part.strength));
        }
        let text = format!("{} {}", part.name, format::bytes(part.bytes));
        let room = text_width(ui, &text, &TextStyle::Small);
        let at = left.max(label_from).min(field.right() - room).max(field.left());
        if at >= label_from - 1.0 {
            let place = pos2(at, field.bottom() + 2.0);
            text_ui(ui, place, Align2::LEFT_TOP, &text, &TextStyle::Small, theme.text_weak, room + 2.0);
            label_from = at + room + 14.0;
        }
    }
}

/// The line that what is taken must not cross.
fn limit_ui(ui: &Ui, bar: &MemoryBar, rect: Rect, scale: Scale, theme: &Theme) {
    let x = scale.x(bar.usable_bytes);
    let line = [pos2(x, rect.top() + LABELS - 3.0), pos2(x, rect.top() + LABELS + BAR + 3.0)];
    ui.painter().line_segment(line, Stroke::new(1.5, theme.text_strong));
    let excess = bar.excess_bytes();
    let (text, color) = if excess > 0.0 {
        (
            format!("⊗ {} too much; usable {}", format::bytes(excess), format::bytes(bar.usable_bytes)),
            theme.violation,
        )
    } else {
        (format!("usable {}", format::bytes(bar.usable_bytes)), theme.text_weak)
    };
    let room = text_width(ui, &text, &TextStyle::Small) + 2.0;
    let right = x - room > rect.left();
    let anchor = if right { Align2::RIGHT_TOP } else { Align2::LEFT_TOP };
    text_ui(ui, pos2(x, rect.top()), anchor, &text, &TextStyle::Small, color, room);
}

/// The bar in words.
fn words(bar: &MemoryBar) -> String {
    let parts: Vec<String> =
        bar.parts.iter().map(|part| format!("{} {}", part.name, format::bytes(part.bytes))).collect();
    let excess = bar.excess_bytes();
    let fits =
        if excess > 0.0 { format!("Does not fit by {}", format::bytes(excess)) } else { "Fits".to_owned() };
    format!("Memory: {fits}; {} of {} usable", parts.join(", "), format::bytes(bar.usable_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_beyond_the_usable_memory_is_the_excess() {
        let part = |bytes, strength| Part { name: "x", bytes, strength };
        let bar =
            MemoryBar { parts: vec![part(70e9, 1.0), part(9e9, 0.0)], usable_bytes: 60e9, all_bytes: 80e9 };
        assert_eq!(bar.excess_bytes(), 10e9);
        assert!(words(&bar).contains("Does not fit by 10 GB"));
    }
}
