//! The editor of every number: slider, field, reset, and its uncertainty in place.

use eframe::egui::{
    Align, Button, Color32, ComboBox, CursorIcon, Id, Layout, Rect, Response, RichText, Sense, Slider,
    SliderClamping, Stroke, Ui, pos2, vec2,
};

use super::curve::{handles, interval_text, parameters, set_handle};
use super::number::{name, number};
use crate::app::plots::histogram::density;
use crate::app::plots::paint::Scale;
use crate::app::theme::{Theme, space};
use crate::scenario::labels::FieldInfo;
use crate::stats::{Estimate, Family};
use crate::unit::format::Unit;

/// Share of the probability that the small curve shows; what is beyond is tail.
const TAIL: f64 = 0.985;

/// Points of the small curve.
const CURVE_POINTS: usize = 160;

/// Draws the editor; the response is the slider's.
pub(super) fn quantity_ui(
    ui: &mut Ui,
    info: &FieldInfo,
    opened: &Estimate,
    value: &mut Estimate,
) -> Response {
    let open_id = ui.scope_id().with("uncertainty open");
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        heading_ui(ui, info, opened, value, open_id);
        let response = slider_ui(ui, info, opened, value);
        if value.family() != Family::Fixed {
            uncertainty_ui(ui, info, value, open_id);
        }
        ui.add_space(space::XS);
        response
    })
    .inner
}

/// Label, dot, field, and the switch of uncertainty.
fn heading_ui(ui: &mut Ui, info: &FieldInfo, opened: &Estimate, value: &mut Estimate, open_id: Id) {
    let theme = Theme::of(ui.ctx());
    let field_width = 88.0;
    ui.horizontal(|ui| {
        ui.set_min_height(24.0);
        let room = (ui.available_width() - field_width - 34.0).max(60.0);
        ui.allocate_ui_with_layout(vec2(room, 24.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(room);
            ui.spacing_mut().item_spacing.x = 2.0;
            let text = RichText::new(&info.label).color(theme.text);
            let dot_room = if value == opened { 0.0 } else { 18.0 };
            ui.scope(|ui| {
                ui.set_max_width(room - dot_room);
                ui.add(eframe::egui::Label::new(text).truncate()).on_hover_text(help(info));
            });
            if value != opened {
                reset_ui(ui, info, opened, value, &theme);
            }
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            uncertainty_switch_ui(ui, info, value, open_id);
            let mut point = value.point();
            let before = point;
            ui.spacing_mut().interact_size.x = field_width - 14.0;
            if number(ui, &info.label, &mut point, info.unit).changed() {
                *value = moved(value, before, point);
            }
        });
    });
}

fn help(info: &FieldInfo) -> String {
    let typed = format!(
        "Default {}. Double click on the slider restores the value as opened.",
        info.unit.show(info.default)
    );
    if info.help.is_empty() { typed } else { format!("{}\n{typed}", info.help) }
}

/// The dot of a value that differs from the one that was opened.
fn reset_ui(ui: &mut Ui, info: &FieldInfo, opened: &Estimate, value: &mut Estimate, theme: &Theme) {
    let dot =
        ui.add(Button::new(RichText::new("•").color(theme.accent)).frame(false).min_size(vec2(14.0, 20.0)));
    name(ui, &dot, &format!("Reset {}", info.label));
    let was =
        if opened.is_uncertain() { interval_text(opened, info.unit) } else { info.unit.show(opened.point()) };
    if dot.on_hover_text(format!("Changed from {was}. Click to reset.")).clicked() {
        *value = opened.clone();
    }
}

fn uncertainty_switch_ui(ui: &mut Ui, info: &FieldInfo, value: &mut Estimate, open_id: Id) {
    let uncertain = value.family() != Family::Fixed;
    let theme = Theme::of(ui.ctx());
    let open = ui.data(|data| data.get_temp::<bool>(open_id)).unwrap_or(false);
    let fill = if uncertain && open { theme.accent_wash } else { Color32::TRANSPARENT };
    let sign = RichText::new("±").color(if uncertain { theme.accent } else { theme.text_weak });
    let switch = ui.add(Button::new(sign).fill(fill).min_size(vec2(22.0, 22.0)));
    name(ui, &switch, &format!("Uncertainty of {}", info.label));
    let hint =
        if uncertain { "Show or hide the uncertainty of this value" } else { "Make this value uncertain" };
    if switch.on_hover_text(hint).clicked() {
        if !uncertain && let Ok(made) = value.to_family(Family::Percentiles) {
            *value = made;
        }
        ui.data_mut(|data| data.insert_temp(open_id, !(uncertain && open)));
    }
}

fn slider_ui(ui: &mut Ui, info: &FieldInfo, opened: &Estimate, value: &mut Estimate) -> Response {
    let before = value.point();
    let mut point = before;
    let low = info.low.min(info.high);
    let high = info.high.max(low + f64::MIN_POSITIVE);
    ui.spacing_mut().slider_width = ui.available_width();
    let mut slider = Slider::new(&mut point, low..=high)
        .show_value(false)
        .clamping(SliderClamping::Edits)
        .logarithmic(info.logarithmic)
        .trailing_fill(true);
    if info.logarithmic {
        slider = slider.smallest_positive(smallest_positive(low, high));
    }
    let response = ui.add_sized(vec2(ui.available_width(), 16.0), slider);
    name(ui, &response, &info.label);
    if response.double_clicked() {
        *value = opened.clone();
    } else if point != before {
        *value = moved(value, before, point);
    }
    response
}

/// Where the logarithmic part of a slider from zero begins.
fn smallest_positive(low: f64, high: f64) -> f64 {
    if low > 0.0 { low } else { (high * 1e-6).max(1e-9) }
}

/// The value with its point moved: an uncertain one keeps its shape in proportion.
fn moved(value: &Estimate, before: f64, after: f64) -> Estimate {
    if value.family() == Family::Fixed || !after.is_finite() {
        return if after.is_finite() { Estimate::Fixed(after) } else { value.clone() };
    }
    // A slider that is held says its place anew in each frame, and the mean of what was scaled to it is that place but
    // for a rounding error: without the bound the scenario would change in every frame and never be drawn.
    const STILL: f64 = 1e-12;
    let factor = after / before;
    if before != 0.0 && factor > 0.0 && (factor - 1.0).abs() > STILL {
        value.scaled(factor)
    } else {
        value.clone()
    }
}

/// The interval in words and the curve; when open also the family and its parameters.
fn uncertainty_ui(ui: &mut Ui, info: &FieldInfo, value: &mut Estimate, open_id: Id) {
    let open = ui.data(|data| data.get_temp::<bool>(open_id)).unwrap_or(false);
    let theme = Theme::of(ui.ctx());
    if open {
        ui.horizontal(|ui| family_ui(ui, info, value));
        ui.horizontal_wrapped(|ui| parameters_ui(ui, info, value));
    }
    curve_ui(ui, info, value, if open { 46.0 } else { 22.0 });
    match value.check() {
        Ok(()) => {
            ui.label(RichText::new(interval_text(value, info.unit)).small().color(theme.text_weak));
        }
        Err(error) => {
            ui.label(RichText::new(format!("⊗ {error}")).small().color(theme.violation));
        }
    }
}

fn family_ui(ui: &mut Ui, info: &FieldInfo, value: &mut Estimate) {
    let current = value.family();
    let combo =
        ComboBox::from_id_salt("family").selected_text(current.label()).width(140.0).show_ui(ui, |ui| {
            for family in Family::ALL {
                let row = ui.selectable_label(family == current, family.label()).on_hover_text(family.hint());
                if row.clicked() && family != current {
                    match value.to_family(family) {
                        Ok(made) => *value = made,
                        Err(_) => *value = Estimate::Fixed(value.point()),
                    }
                }
            }
        });
    name(ui, &combo.response, &format!("Distribution of {}", info.label));
}

fn parameters_ui(ui: &mut Ui, info: &FieldInfo, value: &mut Estimate) {
    let theme = Theme::of(ui.ctx());
    if let Estimate::Empirical(values) = value {
        values_ui(ui, info, values);
        return;
    }
    for (label, slot, unitless) in parameters(value) {
        let unit = if unitless { Unit::Plain } else { info.unit };
        ui.spacing_mut().interact_size.x = 44.0;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            ui.label(RichText::new(label).small().color(theme.text_weak));
            number(ui, &format!("{label} of {}", info.label), slot, unit);
        });
    }
}

/// A list of values as text, separated by spaces or commas.
fn values_ui(ui: &mut Ui, info: &FieldInfo, values: &mut Vec<f64>) {
    let id = ui.scope_id().with("values");
    let shown = || values.iter().map(|value| format!("{value}")).collect::<Vec<_>>().join("; ");
    let mut text = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(shown);
    let field = ui.add(
        eframe::egui::TextEdit::singleline(&mut text).hint_text("1; 2.5; 4").desired_width(f32::INFINITY),
    );
    name(ui, &field, &format!("Values of {}", info.label));
    if field.changed() {
        let read: Result<Vec<f64>, _> = text
            .split([';', ' ', '\n'])
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .map(|v| info.unit.parse(v))
            .collect();
        if let Ok(read) = read {
            *values = read;
        }
    }
    if field.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, text));
    } else {
        ui.data_mut(|data| data.remove::<String>(id));
    }
}

/// The density, with a handle on each of its percentiles or parameters that can be dragged.
fn curve_ui(ui: &mut Ui, info: &FieldInfo, value: &mut Estimate, height: f32) {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let range_id = ui.scope_id().with("curve range");
    let mut points = value.curve(CURVE_POINTS);
    // A long tail would leave no room for the part that matters.
    let marks = handles(value);
    let tail = marks.iter().fold(value.quantile(TAIL), |tail, mark| tail.max(mark.1));
    points.retain(|point| point.0 <= tail);
    let held = ui.data(|data| data.get_temp::<(f64, f64)>(range_id));
    let natural = natural_range(&points, &marks);
    let (low, high) = held.unwrap_or(natural);
    let scale = Scale::new(low, high, rect.left() + 4.0, rect.right() - 4.0);
    density(ui, rect, scale, &points, theme.accent);
    ui.painter().line_segment([rect.left_bottom(), rect.right_bottom()], Stroke::new(1.0, theme.line));
    let mut dragging = false;
    for (index, (label, at)) in marks.iter().enumerate() {
        let x = scale.x(*at);
        let grip = Rect::from_center_size(pos2(x, rect.center().y), vec2(10.0, rect.height()));
        let handle = ui.interact(grip, response.id.with(index), Sense::drag());
        let strong = handle.hovered() || handle.dragged();
        let color = if strong { theme.text_strong } else { theme.accent };
        ui.painter()
            .line_segment([pos2(x, rect.top() + 3.0), pos2(x, rect.bottom())], Stroke::new(1.0, color));
        ui.painter().circle_filled(pos2(x, rect.bottom() - 1.0), if strong { 4.0 } else { 3.0 }, color);
        if handle.dragged()
            && let Some(pointer) = handle.interact_pointer_pos()
        {
            dragging = true;
            ui.data_mut(|data| data.insert_temp(range_id, widened((low, high), natural)));
            set_handle(value, index, scale.value(pointer.x));
        }
        name(ui, &handle, &format!("{label} handle of {}", info.label));
        handle
            .on_hover_cursor(CursorIcon::ResizeHorizontal)
            .on_hover_text(format!("{label} {}. Drag to move.", info.unit.show(*at)));
    }
    if !dragging && held.is_some() {
        ui.data_mut(|data| data.remove::<(f64, f64)>(range_id));
    }
}

/// While a handle is dragged the range stays, and only grows slowly when the curve leaves it.
fn widened(held: (f64, f64), natural: (f64, f64)) -> (f64, f64) {
    let toward = |from: f64, to: f64| from + 0.05 * (to - from);
    (held.0.min(toward(held.0, natural.0)), held.1.max(toward(held.1, natural.1)))
}

/// The span of the curve with room beside it, and all handles inside.
fn natural_range(points: &[(f64, f64)], marks: &[(&'static str, f64)]) -> (f64, f64) {
    let values = points.iter().map(|point| point.0).chain(marks.iter().map(|mark| mark.1));
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let room = 0.08 * (high - low);
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_slider_leaves_a_spread_value_alone() {
        let mut value = Estimate::Pert { low: 0.6, mode: 1.0, high: 1.8 };
        for place in [9.9, 9.281_25, 6.375, 0.37, 1e-3] {
            value = moved(&value, value.point(), place);
            let held = moved(&value, value.point(), place);
            assert_eq!(held, value, "{place}");
            assert!((value.point() / place - 1.0).abs() < 1e-9);
        }
    }
}
