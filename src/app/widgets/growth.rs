//! The editor of growth: its kind, its parameters, and the curve over the horizon.

use eframe::egui::{Align2, Rect, Role, Sense, Stroke, TextEdit, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::number::name;
use super::{Form, choice};
use crate::app::plots::paint::text_ui;
use crate::app::theme::Theme;
use crate::stats::Estimate;
use crate::stats::quantities::{Instantiate as _, Table};
use crate::unit::format;
use crate::workload::{Growth, SCurve};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Flat,
    Compound,
    Linear,
    SCurve,
    Table,
}

/// Draws the editor; `months` is the horizon.
pub fn growth_ui(ui: &mut Ui, form: &Form<'_>, growth: &mut Growth<Estimate>, months: u32) {
    let before = kind(growth);
    let mut chosen = before;
    let options = [
        (Kind::Flat, "Flat".to_owned()),
        (Kind::Compound, "Compound, a share each month".to_owned()),
        (Kind::Linear, "Linear, a share of the first month".to_owned()),
        (Kind::SCurve, "S-curve, up to a ceiling".to_owned()),
        (Kind::Table, "Factors by month".to_owned()),
    ];
    if choice(ui, "Growth of volume", &mut chosen, &options) {
        *growth = started(chosen, growth, months);
    }
    match growth {
        Growth::Flat => {}
        // A choice adds no step to the path: the rate is the field itself.
        Growth::Compound(rate) | Growth::Linear(rate) => {
            form.quantity(ui, "growth", rate);
        }
        Growth::SCurve(curve) => {
            let form = form.at("growth");
            form.quantity(ui, "ceiling", &mut curve.ceiling);
            form.quantity(ui, "midpoint_month", &mut curve.midpoint_month);
            form.quantity(ui, "rise_months", &mut curve.rise_months);
        }
        Growth::Table(table) => table_ui(ui, table),
    }
    curve_ui(ui, &growth.instantiate(&mut Estimate::point), months);
}

fn kind(growth: &Growth<Estimate>) -> Kind {
    match growth {
        Growth::Flat => Kind::Flat,
        Growth::Compound(_) => Kind::Compound,
        Growth::Linear(_) => Kind::Linear,
        Growth::SCurve(_) => Kind::SCurve,
        Growth::Table(_) => Kind::Table,
    }
}

/// A growth of the chosen kind to start from, near the one before where that means something.
fn started(kind: Kind, before: &Growth<Estimate>, months: u32) -> Growth<Estimate> {
    let factors = before.instantiate(&mut Estimate::point);
    let last = factors.factor(months.saturating_sub(1)).max(1e-6);
    let steps = f64::from(months.saturating_sub(1).max(1));
    let fixed = |value: f64| Estimate::Fixed((value * 1e4).round() / 1e4);
    match kind {
        Kind::Flat => Growth::Flat,
        Kind::Compound => Growth::Compound(fixed(last.powf(1.0 / steps) - 1.0)),
        Kind::Linear => Growth::Linear(fixed((last - 1.0) / steps)),
        Kind::SCurve => Growth::SCurve(SCurve {
            ceiling: fixed(if last > 1.01 { last } else { 2.0 }),
            midpoint_month: fixed((steps / 2.0).round()),
            rise_months: fixed((steps / 2.0).round().max(1.0)),
        }),
        Kind::Table => {
            Growth::Table(Table((0..months.clamp(1, 60)).map(|month| factors.factor(month)).collect()))
        }
    }
}

/// Factors as text: one per month, separated by spaces or semicolons.
fn table_ui(ui: &mut Ui, table: &mut Table) {
    let id = ui.scope_id().with("factors");
    let shown = || table.0.iter().map(|factor| format!("{factor:.3}")).collect::<Vec<_>>().join(" ");
    let mut text = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(shown);
    let field = ui.add(TextEdit::multiline(&mut text).desired_rows(2).desired_width(f32::INFINITY));
    name(ui, &field, "Factors by month");
    if field.changed() {
        let read: Result<Vec<f64>, _> = text
            .split([' ', ';', '\n', '\t'])
            .filter(|part| !part.is_empty())
            .map(str::parse::<f64>)
            .collect();
        if let Ok(factors) = read {
            table.0 = factors;
        }
    }
    if field.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, text));
    } else {
        ui.data_mut(|data| data.remove::<String>(id));
    }
}

fn curve_ui(ui: &mut Ui, growth: &Growth<f64>, months: u32) {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::hover());
    let months = months.clamp(2, 240);
    let factors: Vec<f64> = (0..months).map(|month| growth.factor(month)).collect();
    let top = factors.iter().copied().fold(1.0, f64::max) * 1.1;
    let field =
        Rect::from_min_max(pos2(rect.left(), rect.top()), pos2(rect.right() - 52.0, rect.bottom() - 2.0));
    let points: Vec<_> = factors
        .iter()
        .enumerate()
        .map(|(month, factor)| {
            let x = field.left() + field.width() * month as f32 / (months - 1) as f32;
            pos2(x, field.bottom() - field.height() * (factor / top) as f32)
        })
        .collect();
    ui.painter().line_segment([field.left_bottom(), field.right_bottom()], Stroke::new(1.0, theme.line));
    let end = points.last().copied().unwrap_or(field.right_bottom());
    ui.painter().line(points, Stroke::new(1.8, theme.accent));
    let last = factors.last().copied().unwrap_or(1.0);
    let text = format!("×{}", format::significant(last, 3));
    let at = pos2(end.x + 6.0, end.y.clamp(rect.top() + 7.0, rect.bottom() - 7.0));
    text_ui(ui, at, Align2::LEFT_CENTER, &text, &TextStyle::Small, theme.text_weak, 50.0);
    let words =
        format!("Volume in month {months} is {} times that of the first", format::significant(last, 3));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let _ = response.on_hover_text(words);
}
