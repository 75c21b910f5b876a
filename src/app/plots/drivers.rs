//! Where the money goes: one stacked bar per plan, grouped by any of the six tags of a bill's lines.

use eframe::egui::{Align2, CornerRadius, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::paint::{Scale, plan_dot, text_ui, text_width};
use crate::app::theme::{self, Theme};
use crate::pricing::{Behaviour, Bill, Control, Driver, Line, Relation, Timing, Visibility};
use crate::unit::format;

/// By which tag the lines of a bill are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// What moves it.
    #[default]
    Driver,
    /// How it follows volume.
    Behaviour,
    /// How it belongs to a use case.
    Relation,
    /// Whether it can be changed this month.
    Control,
    /// When it is paid.
    Timing,
    /// Whether it is usually seen.
    Visibility,
    /// Line by line.
    Line,
}

impl Grouping {
    /// All of them, in order of display.
    pub const ALL: [Self; 7] = [
        Self::Driver,
        Self::Behaviour,
        Self::Relation,
        Self::Control,
        Self::Timing,
        Self::Visibility,
        Self::Line,
    ];

    /// Name for a menu.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Driver => "By cost driver",
            Self::Behaviour => "Fixed, variable, step",
            Self::Relation => "Direct, shared, overhead",
            Self::Control => "Controllable, committed",
            Self::Timing => "Monthly, up front",
            Self::Visibility => "Visible, hidden",
            Self::Line => "Line by line",
        }
    }

    /// The label of the group that a line belongs to.
    #[must_use]
    pub const fn of(self, line: Line) -> &'static str {
        let tags = line.tags();
        match self {
            Self::Driver => Driver::label(tags.driver),
            Self::Behaviour => Behaviour::label(tags.behaviour),
            Self::Relation => Relation::label(tags.relation),
            Self::Control => Control::label(tags.control),
            Self::Timing => Timing::label(tags.timing),
            Self::Visibility => Visibility::label(tags.visibility),
            Self::Line => line.label(),
        }
    }
}

/// The groups of a bill and their amounts in US dollars, largest first; groups of exactly zero are left out.
#[must_use]
pub fn grouped(bill: &Bill, grouping: Grouping) -> Vec<(&'static str, f64)> {
    let mut groups: Vec<(&'static str, f64)> = Vec::new();
    for (line, usd) in bill.lines() {
        let label = grouping.of(line);
        match groups.iter_mut().find(|(name, _)| *name == label) {
            Some((_, sum)) => *sum += usd,
            None => groups.push((label, usd)),
        }
    }
    groups.retain(|(_, usd)| *usd != 0.0 && usd.is_finite());
    groups.sort_by(|a, b| b.1.total_cmp(&a.1));
    groups
}

/// One plan's bill.
#[derive(Debug)]
pub struct DriverRow<'a> {
    /// Name of the plan.
    pub name: &'a str,
    /// Position of the plan in the scenario.
    pub plan: usize,
    /// Its bill of one month.
    pub bill: &'a Bill,
}

const BAR: f32 = 18.0;
const LABELS: f32 = 17.0;

/// Draws a bar per plan on one scale; the largest groups are named in or under their part.
pub fn drivers_ui(ui: &mut Ui, rows: &[DriverRow<'_>], grouping: Grouping) {
    let theme = Theme::of(ui.ctx());
    let positive = |bill: &Bill| bill.lines().map(|(_, usd)| usd.max(0.0)).sum::<f64>();
    let top = rows.iter().map(|row| positive(row.bill)).fold(1.0, f64::max);
    for row in rows {
        let groups = grouped(row.bill, grouping);
        let width = ui.available_width();
        let (rect, response) = ui.allocate_exact_size(vec2(width, LABELS + BAR + LABELS), Sense::hover());
        heading(ui, rect, row, &theme);
        let bar = Rect::from_min_size(pos2(rect.left(), rect.top() + LABELS), vec2(width, BAR));
        let under = bar.bottom() + 2.0;
        let scale = Scale::new(0.0, top, bar.left(), bar.right());
        let mut sum = 0.0;
        let mut label_from = bar.left();
        let mut hovered = None;
        for (position, &(name, usd)) in groups.iter().enumerate().filter(|(_, group)| group.1 > 0.0) {
            let part = Rect::from_min_max(
                pos2(scale.x(sum), bar.top()),
                pos2((scale.x(sum + usd) - 1.0).max(scale.x(sum) + 0.5), bar.bottom()),
            );
            sum += usd;
            let strength = (1.0 - 0.16 * position as f32).max(0.22);
            ui.painter().rect_filled(part, CornerRadius::same(2), theme.plan_wash(row.plan, strength));
            let text = format!("{name} {}", format::usd(usd));
            let room = text_width(ui, &text, &TextStyle::Small);
            let at = part.left().max(label_from);
            if at + room < bar.right() && position < 4 {
                let place = pos2(at, under);
                text_ui(ui, place, Align2::LEFT_TOP, &text, &TextStyle::Small, theme.text_weak, room + 2.0);
                label_from = at + room + 14.0;
            }
            if response.hover_pos().is_some_and(|at| part.x_range().contains(at.x)) {
                hovered = Some(text);
            }
        }
        let all: Vec<String> =
            groups.iter().map(|(name, usd)| format!("{name} {}", format::usd(*usd))).collect();
        let words = format!("{}: {}", row.name, all.join(", "));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        let _ = response.on_hover_ui_at_pointer(|ui| {
            if let Some(hovered) = hovered {
                ui.strong(hovered);
            }
            for line in &all {
                ui.small(line);
            }
        });
    }
}

fn heading(ui: &Ui, rect: Rect, row: &DriverRow<'_>, theme: &Theme) {
    let at = pos2(rect.left() + 5.0, rect.top() + LABELS / 2.0);
    plan_dot(ui, at, theme.plan(row.plan));
    let name = pos2(at.x + 10.0, at.y);
    text_ui(ui, name, Align2::LEFT_CENTER, row.name, &TextStyle::Small, theme.text, rect.width() - 90.0);
    let total = format::usd(row.bill.total());
    let right = pos2(rect.right(), at.y);
    text_ui(ui, right, Align2::RIGHT_CENTER, &total, &theme::figure(), theme.text_strong, 90.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_every_kind_sum_to_the_bill() {
        let mut bill = Bill::default();
        for (position, &line) in Line::ALL.iter().enumerate() {
            bill.add(line, (position + 1) as f64);
        }
        for grouping in Grouping::ALL {
            let sum: f64 = grouped(&bill, grouping).iter().map(|group| group.1).sum();
            assert!((sum - bill.total()).abs() < 1e-9, "{}", grouping.label());
        }
    }
}
