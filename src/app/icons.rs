//! Signs for buttons, drawn as strokes: sharp at every zoom and the same on every machine.

use std::f32::consts::{FRAC_PI_2, PI};

use eframe::egui::{Color32, Painter, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};

use super::theme::{self, Theme};

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// Arrow back.
    Undo,
    /// Arrow forth.
    Redo,
    /// A window with a panel at its right.
    Inspector,
    /// Half light, half dark.
    Theme,
    /// Three lines.
    Menu,
    /// A lens.
    Search,
    /// A cross.
    Close,
    /// An arrow up.
    Up,
    /// An arrow down.
    Down,
    /// An arrow down to a line.
    Export,
}

/// A button that is a sign; the name is for the ear, the tooltip and tests.
pub fn icon_button(ui: &mut Ui, theme: &Theme, icon: Icon, name: &str, enabled: bool) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(theme::target(), sense);
    response.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, enabled, name));
    if enabled && (response.hovered() || response.has_focus()) {
        ui.painter().rect_filled(rect, 5.0, theme.hover);
    }
    let colour = if enabled { theme.text } else { theme.text_weak.gamma_multiply(0.55) };
    paint(ui.painter(), rect.center(), icon, colour);
    response
}

/// Draws a sign of 16 points around a centre.
pub fn paint(painter: &Painter, centre: Pos2, icon: Icon, colour: Color32) {
    let stroke = Stroke::new(1.5, colour);
    let at = |x: f32, y: f32| centre + vec2(x, y);
    match icon {
        Icon::Undo | Icon::Redo => {
            let side = if icon == Icon::Undo { 1.0 } else { -1.0 };
            let mirror = |x: f32, y: f32| at(side * x, y);
            let mut line = vec![mirror(-5.5, -2.5), mirror(1.0, -2.5)];
            line.extend(arc(Pos2::ZERO, 3.75, -FRAC_PI_2, FRAC_PI_2).map(|p| mirror(1.0 + p.x, 1.25 + p.y)));
            line.push(mirror(-2.0, 5.0));
            painter.add(Shape::line(line, stroke));
            painter.add(Shape::line(vec![mirror(-2.5, -5.5), mirror(-5.5, -2.5), mirror(-2.5, 0.5)], stroke));
        }
        Icon::Inspector => {
            let frame = Rect::from_center_size(centre, vec2(14.0, 12.0));
            painter.rect_stroke(frame, 2.0, stroke, eframe::egui::StrokeKind::Middle);
            let panel = Rect::from_min_max(pos2(centre.x + 2.0, frame.top()), frame.max);
            painter.rect_filled(panel, 1.0, colour.gamma_multiply(0.65));
        }
        Icon::Theme => {
            painter.circle_stroke(centre, 6.0, stroke);
            let mut half: Vec<Pos2> = arc(centre, 6.0, -FRAC_PI_2, FRAC_PI_2).collect();
            half.push(at(0.0, 6.0));
            painter.add(Shape::convex_polygon(half, colour, Stroke::NONE));
        }
        Icon::Menu => {
            for y in [-4.5, 0.0, 4.5] {
                painter.line_segment([at(-6.0, y), at(6.0, y)], stroke);
            }
        }
        Icon::Search => {
            painter.circle_stroke(at(-1.0, -1.0), 4.5, stroke);
            painter.line_segment([at(2.5, 2.5), at(6.0, 6.0)], stroke);
        }
        Icon::Up | Icon::Down => {
            let side = if icon == Icon::Up { 1.0 } else { -1.0 };
            painter.line_segment([at(0.0, -5.0), at(0.0, 5.0)], stroke);
            painter.line_segment([at(-4.0, -side), at(0.0, side * -5.0)], stroke);
            painter.line_segment([at(4.0, -side), at(0.0, side * -5.0)], stroke);
        }
        Icon::Export => {
            painter.line_segment([at(0.0, -5.5), at(0.0, 2.0)], stroke);
            painter.line_segment([at(-3.5, -1.5), at(0.0, 2.0)], stroke);
            painter.line_segment([at(3.5, -1.5), at(0.0, 2.0)], stroke);
            painter.line_segment([at(-5.0, 5.0), at(5.0, 5.0)], stroke);
        }
        Icon::Close => {
            painter.line_segment([at(-4.0, -4.0), at(4.0, 4.0)], stroke);
            painter.line_segment([at(-4.0, 4.0), at(4.0, -4.0)], stroke);
        }
    }
}

/// Points of an arc, angles clockwise from the right.
fn arc(centre: Pos2, radius: f32, from: f32, to: f32) -> impl Iterator<Item = Pos2> {
    let steps = ((to - from).abs() / PI * 16.0).ceil().max(1.0) as usize;
    (0..=steps).map(move |step| {
        let angle = from + (to - from) * step as f32 / steps as f32;
        centre + radius * Vec2::angled(angle)
    })
}
