//! The editor of a week: 7 days by 24 hours, painted by dragging.

use eframe::egui::{Align2, CornerRadius, Pos2, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::choice;
use crate::app::plots::paint::text_ui;
use crate::app::theme::Theme;
use crate::stats::quantities::Table;
use crate::unit::HOURS_PER_WEEK;
use crate::unit::format;
use crate::workload::Profile;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HOURS: usize = 24;

/// Room for the names of the days.
const NAMES: f32 = 30.0;

/// Most that one hour can be painted to, as a multiple of the mean hour.
const PAINT_MAX: f64 = 4.0;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Flat,
    OfficeHours,
    ConsumerEvening,
    NightBatch,
    Own,
}

/// Draws the editor: presets, and a map of the week on which dragging up and down raises and lowers hours.
pub fn week_ui(ui: &mut Ui, profile: &mut Profile) {
    let mut chosen = kind(profile);
    let options = [
        (Kind::Flat, "Flat".to_owned()),
        (Kind::OfficeHours, "Office hours".to_owned()),
        (Kind::ConsumerEvening, "Evenings and weekends".to_owned()),
        (Kind::NightBatch, "Batch at night".to_owned()),
        (Kind::Own, "Painted by hand".to_owned()),
    ];
    if choice(ui, "Weekly profile", &mut chosen, &options) {
        *profile = match chosen {
            Kind::Flat => Profile::Flat,
            Kind::OfficeHours => Profile::OfficeHours,
            Kind::ConsumerEvening => Profile::ConsumerEvening,
            Kind::NightBatch => Profile::NightBatch,
            Kind::Own => own(profile),
        };
    }
    map_ui(ui, profile);
}

fn kind(profile: &Profile) -> Kind {
    match profile {
        Profile::Flat => Kind::Flat,
        Profile::OfficeHours => Kind::OfficeHours,
        Profile::ConsumerEvening => Kind::ConsumerEvening,
        Profile::NightBatch => Kind::NightBatch,
        Profile::Hours(_) => Kind::Own,
    }
}

/// The same week as weights of one's own, where 1 is the mean hour.
fn own(profile: &Profile) -> Profile {
    let rounded = |weight: f64| (weight * HOURS_PER_WEEK as f64 * 100.0).round() / 100.0;
    Profile::Hours(Table(profile.weights().map(rounded).to_vec()))
}

fn map_ui(ui: &mut Ui, profile: &mut Profile) {
    let theme = Theme::of(ui.ctx());
    let weights = profile.weights().map(|weight| weight * HOURS_PER_WEEK as f64);
    let most = weights.iter().copied().fold(1.0, f64::max);
    let row = 13.0;
    let size = vec2(ui.available_width(), row * 7.0 + 16.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let field =
        Rect::from_min_size(pos2(rect.left() + NAMES, rect.top()), vec2(rect.width() - NAMES, row * 7.0));
    let cell = vec2(field.width() / HOURS as f32, row);
    for (day, name) in DAYS.iter().enumerate() {
        let at = pos2(rect.left(), field.top() + row * (day as f32 + 0.5));
        text_ui(ui, at, Align2::LEFT_CENTER, name, &TextStyle::Small, theme.text_weak, NAMES);
        for hour in 0..HOURS {
            let corner = field.min + vec2(cell.x * hour as f32, cell.y * day as f32);
            let share = (weights[day * HOURS + hour] / most).clamp(0.0, 1.0) as f32;
            let color = theme.accent.gamma_multiply(0.06 + 0.94 * share);
            ui.painter().rect_filled(
                Rect::from_min_size(corner, cell - vec2(1.0, 1.0)),
                CornerRadius::same(1),
                color,
            );
        }
    }
    for hour in [0, 6, 12, 18] {
        let at = pos2(field.left() + cell.x * hour as f32, field.bottom() + 1.0);
        text_ui(ui, at, Align2::LEFT_TOP, &format!("{hour}:00"), &TextStyle::Small, theme.text_weak, 40.0);
    }
    let words = format!(
        "Week by hour, busiest hour {} times the mean",
        format::significant(profile.peak_to_mean(), 2)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    if response.dragged()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        paint(ui, profile, field, pointer, &response);
    }
    let hovered = response.hover_pos().and_then(|at| hour_at(field, at));
    if let Some(at) = hovered {
        let _ = response.on_hover_ui_at_pointer(|ui| {
            let weight = format::significant(weights[at], 2);
            ui.label(format!("{} {}:00, {weight} times the mean hour", DAYS[at / HOURS], at % HOURS));
            ui.small("Drag over hours to raise them, with Shift to lower them");
        });
    }
}

/// Raises the hour under the pointer while it is dragged over; lowers it with Shift.
fn paint(ui: &Ui, profile: &mut Profile, field: Rect, pointer: Pos2, response: &eframe::egui::Response) {
    let Some(at) = hour_at(field, pointer) else { return };
    if !matches!(profile, Profile::Hours(table) if table.0.len() == HOURS_PER_WEEK) {
        *profile = own(profile);
    }
    let last_id = response.id.with("last painted");
    let last = ui.data(|data| data.get_temp::<usize>(last_id));
    if last == Some(at) && !response.drag_started() {
        return;
    }
    ui.data_mut(|data| data.insert_temp(last_id, at));
    let step = if ui.input(|input| input.modifiers.shift) { -0.5 } else { 0.5 };
    if let Profile::Hours(table) = profile
        && let Some(weight) = table.0.get_mut(at)
    {
        *weight = (*weight + step).clamp(0.0, PAINT_MAX);
    }
}

/// The hour of the week at a place.
fn hour_at(field: Rect, at: Pos2) -> Option<usize> {
    if !field.contains(at) {
        return None;
    }
    let day = ((at.y - field.top()) / field.height() * 7.0).clamp(0.0, 6.0) as usize;
    let hour = ((at.x - field.left()) / field.width() * 24.0).clamp(0.0, 23.0) as usize;
    Some(day * HOURS + hour)
}
