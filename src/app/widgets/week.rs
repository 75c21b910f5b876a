//! The editor of a week: 7 days by 24 hours, painted by dragging.

use eframe::egui::{
    Align2, CornerRadius, EventFilter, Key, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, TextStyle,
    Ui, Vec2, WidgetInfo, pos2, vec2,
};

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

/// How much one stroke raises an hour, as a multiple of the mean hour.
const STEP: f64 = 0.5;

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
    let row = 15.0;
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
    if response.is_pointer_button_down_on() {
        paint(ui, profile, field, &response);
    } else {
        ui.data_mut(|data| data.remove::<Pos2>(response.id));
    }
    keyboard_ui(ui, profile, field, cell, &response);
    let hovered = response.hover_pos().and_then(|at| hour_at(field, at));
    if let Some(at) = hovered {
        let _ = response.on_hover_ui_at_pointer(|ui| {
            let weight = format::significant(weights[at], 2);
            ui.label(format!("{} {}:00, {weight} times the mean hour", DAYS[at / HOURS], at % HOURS));
            ui.small("Drag over hours to raise them, with Shift or the right button to lower them");
        });
    }
}

/// Raises or lowers every hour that the pointer passes over while it is down: once per pass, and none is skipped
/// however fast it moves.
fn paint(ui: &Ui, profile: &mut Profile, field: Rect, response: &Response) {
    let Some(pointer) = response.interact_pointer_pos() else { return };
    let last = ui.data(|data| data.get_temp::<Pos2>(response.id));
    ui.data_mut(|data| data.insert_temp(response.id, pointer));
    let lowers = ui.input(|input| input.modifiers.shift || input.pointer.secondary_down());
    let step = if lowers { -STEP } else { STEP };
    for at in passed(field, last, pointer) {
        change(profile, at, step);
    }
}

/// The hours on the way to a place, without the one in which the way began.
fn passed(field: Rect, from: Option<Pos2>, to: Pos2) -> Vec<usize> {
    let Some(from) = from else { return hour_at(field, to).into_iter().collect() };
    let mut last = hour_at(field, from);
    let mut hours = Vec::new();
    // Steps shorter than a cell is high or wide.
    let steps = ((to - from).length() / 2.0).ceil().clamp(1.0, 2000.0) as usize;
    for step in 1..=steps {
        let at = hour_at(field, from + (to - from) * (step as f32 / steps as f32));
        if at != last {
            hours.extend(at);
            last = at;
        }
    }
    hours
}

/// Makes one hour busier or quieter; the week becomes one painted by hand.
fn change(profile: &mut Profile, at: usize, step: f64) {
    if !matches!(profile, Profile::Hours(table) if table.0.len() == HOURS_PER_WEEK) {
        *profile = own(profile);
    }
    if let Profile::Hours(table) = profile
        && let Some(weight) = table.0.get_mut(at)
    {
        *weight = (*weight + step).clamp(0.0, PAINT_MAX.max(*weight));
    }
}

/// With the keys: arrows walk over the week, plus and minus change the hour.
fn keyboard_ui(ui: &Ui, profile: &mut Profile, field: Rect, cell: Vec2, response: &Response) {
    let id = response.id.with("hour");
    if !response.has_focus() {
        return;
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let mut at = ui.data(|data| data.get_temp::<usize>(id)).unwrap_or(0);
    let presses = |key| ui.input(|input| input.num_presses(key));
    let (right, left) = (presses(Key::ArrowRight), presses(Key::ArrowLeft));
    let (down, up) = (presses(Key::ArrowDown), presses(Key::ArrowUp));
    at = (at + right + HOURS * down + (HOURS_PER_WEEK - 1) * left + (HOURS_PER_WEEK - HOURS) * up)
        % HOURS_PER_WEEK;
    ui.data_mut(|data| data.insert_temp(id, at));
    let raised = presses(Key::Plus) + presses(Key::Equals);
    let lowered = presses(Key::Minus);
    if raised != lowered {
        change(profile, at, STEP * (raised as f64 - lowered as f64));
    }
    let corner = field.min + vec2(cell.x * (at % HOURS) as f32, cell.y * (at / HOURS) as f32);
    let edge = Stroke::new(1.5, Theme::of(ui.ctx()).text_strong);
    let hour = Rect::from_min_size(corner, cell - vec2(1.0, 1.0));
    ui.painter().rect_stroke(hour, CornerRadius::same(1), edge, StrokeKind::Outside);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn field() -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), vec2(240.0, 70.0))
    }

    #[test]
    fn a_fast_stroke_paints_every_hour_that_it_passes_once() {
        // From the middle of Monday 2:00 to the middle of Monday 8:00 in one frame.
        let (from, to) = (pos2(35.0, 25.0), pos2(95.0, 25.0));
        assert_eq!(passed(field(), None, from), [2]);
        assert_eq!(passed(field(), Some(from), to), [3, 4, 5, 6, 7, 8]);
        assert!(passed(field(), Some(to), pos2(96.0, 26.0)).is_empty());
        assert!(passed(field(), Some(pos2(0.0, 0.0)), pos2(5.0, 0.0)).is_empty());
    }

    #[test]
    fn a_painted_hour_keeps_the_others_as_they_were() {
        let mut profile = Profile::ConsumerEvening;
        let before = profile.weights();
        change(&mut profile, 100, STEP);
        let after = profile.weights();
        let ratio = after[0] / before[0];
        for hour in (0..HOURS_PER_WEEK).filter(|hour| *hour != 100) {
            assert!((after[hour] / before[hour] / ratio - 1.0).abs() < 0.02, "hour {hour}");
        }
        assert!(after[100] / before[100] > ratio);
    }
}
