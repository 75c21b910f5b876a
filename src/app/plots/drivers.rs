//! Where the money goes: one stacked bar per plan, grouped by any of the six tags of a bill's lines.

use eframe::egui::{Align2, CornerRadius, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::paint::{Scale, plan_dot, text_ui, text_width};
use crate::app::money::money;
use crate::app::theme::{self, Theme};
use crate::pricing::{Behaviour, Bill, Control, Driver, Line, Relation, Timing, Visibility};

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

/// Height of a row in which name, bar and total share a line.
const LINE: f32 = 22.0;

/// Shares of such a line: the name, and room for the total in points.
const NAME_SHARE: f32 = 0.42;
const TOTAL: f32 = 58.0;

/// Height of all rows together, without the distances between them.
#[must_use]
pub fn drivers_height(rows: usize, compact: bool) -> f32 {
    rows as f32 * if compact { LINE } else { LABELS + BAR + LABELS }
}

/// Draws a bar per plan on one scale; the largest groups are named under their part, unless it is compact.
///
/// - Returns the plan under the pointer.
pub fn drivers_ui(ui: &mut Ui, rows: &[DriverRow<'_>], grouping: Grouping, compact: bool) -> Option<usize> {
    let (theme, money) = (Theme::of(ui.ctx()), money(ui.ctx()));
    let positive = |bill: &Bill| bill.lines().map(|(_, usd)| usd.max(0.0)).sum::<f64>();
    let top = rows.iter().map(|row| positive(row.bill)).fold(1.0, f64::max);
    let mut pointed = None;
    for row in rows {
        let groups = grouped(row.bill, grouping);
        let size = vec2(ui.available_width(), drivers_height(1, compact));
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let bar = heading(ui, rect, row, compact, &theme);
        let parts = parts(&groups, Scale::new(0.0, top, bar.left(), bar.right()), bar);
        for (position, part) in parts.iter().enumerate() {
            let strength = (1.0 - 0.16 * position as f32).max(0.22);
            ui.painter().rect_filled(*part, CornerRadius::same(2), theme.plan_wash(row.plan, strength));
        }
        if !compact {
            labels(ui, &groups, &parts, bar, &theme);
        }
        let all: Vec<String> =
            groups.iter().map(|(name, usd)| format!("{name} {}", money.show(*usd))).collect();
        let words = format!("{}: {}", row.name, all.join(", "));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        if response.hovered() {
            pointed = Some(row.plan);
        }
        let at = response.hover_pos();
        let hovered = parts.iter().position(|part| at.is_some_and(|at| part.x_range().contains(at.x)));
        let _ = response.on_hover_ui_at_pointer(|ui| {
            ui.strong(row.name);
            for (position, line) in all.iter().enumerate() {
                if hovered == Some(position) {
                    ui.strong(line)
                } else {
                    ui.small(line)
                };
            }
        });
    }
    pointed
}

/// Where each group of more than zero lies in the bar, in their order.
fn parts(groups: &[(&'static str, f64)], scale: Scale, bar: Rect) -> Vec<Rect> {
    let mut sum = 0.0;
    let part = |&(_, usd): &(&'static str, f64)| {
        let from = scale.x(sum);
        sum += usd;
        let to = (scale.x(sum) - 1.0).max(from + 0.5);
        Rect::from_min_max(pos2(from, bar.top()), pos2(to, bar.bottom()))
    };
    groups.iter().take_while(|group| group.1 > 0.0).map(part).collect()
}

/// Names the largest groups under their parts, as far as there is room.
fn labels(ui: &Ui, groups: &[(&'static str, f64)], parts: &[Rect], bar: Rect, theme: &Theme) {
    let mut from = bar.left();
    for ((name, usd), part) in groups.iter().zip(parts).take(4) {
        let text = format!("{name} {}", money(ui.ctx()).show(*usd));
        let room = text_width(ui, &text, &TextStyle::Small);
        let at = part.left().max(from);
        if at + room < bar.right() {
            let place = pos2(at, bar.bottom() + 2.0);
            text_ui(ui, place, Align2::LEFT_TOP, &text, &TextStyle::Small, theme.text_weak, room + 2.0);
            from = at + room + 14.0;
        }
    }
}

/// The name of the plan and its total; returns where its bar goes.
fn heading(ui: &Ui, rect: Rect, row: &DriverRow<'_>, compact: bool, theme: &Theme) -> Rect {
    let first = if compact { LINE } else { LABELS };
    let at = pos2(rect.left() + 5.0, rect.top() + first / 2.0);
    let bar = if compact {
        let left = rect.left() + NAME_SHARE * rect.width();
        Rect::from_min_max(pos2(left, rect.top() + 4.0), pos2(rect.right() - TOTAL, rect.bottom() - 4.0))
    } else {
        Rect::from_min_size(pos2(rect.left(), rect.top() + LABELS), vec2(rect.width(), BAR))
    };
    let name = pos2(at.x + 10.0, at.y);
    let room = if compact { bar.left() - name.x - 6.0 } else { rect.width() - 90.0 };
    plan_dot(ui, at, theme.plan(row.plan));
    text_ui(ui, name, Align2::LEFT_CENTER, row.name, &TextStyle::Small, theme.text, room);
    let total = money(ui.ctx()).show(row.bill.total());
    let right = pos2(rect.right(), at.y);
    text_ui(ui, right, Align2::RIGHT_CENTER, &total, &theme::figure(), theme.text_strong, 90.0);
    bar
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
