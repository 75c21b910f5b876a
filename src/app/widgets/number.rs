//! A number that is shown as people read it, edited exactly, and typed with or without its unit.

use std::cell::RefCell;

use eframe::egui::emath::Numeric;
use eframe::egui::{DragValue, Id, Response, RichText, Ui};

use crate::analysis::Severity;
use crate::app::theme::{Theme, severity_sign};
use crate::unit::format::Unit;

/// How far one point of dragging moves a number, as a share of it.
const DRAG_SHARE: f64 = 0.01;

/// Smallest step of dragging, for a number at zero.
const DRAG_MIN: f64 = 1e-3;

/// A field that one drags or types into (`48k`, `1.2M`, `$3/h`, `30%`). What cannot be read is said below.
///
/// - `label`: what a screen reader and a test call it.
pub fn number(ui: &mut Ui, label: &str, value: &mut f64, unit: Unit) -> Response {
    ui.scope(|ui| {
        // The field takes the next automatic id: known before, so that it shows all digits while one edits it.
        let id = ui.next_auto_id();
        let editing = ui.memory(|memory| memory.has_focus(id));
        let failure: RefCell<Option<String>> = RefCell::new(None);
        let read = |text: &str| match unit.parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                *failure.borrow_mut() = Some(error.to_string());
                None
            }
        };
        let show = |value: f64, _: std::ops::RangeInclusive<usize>| {
            if editing { unit.edit(value) } else { unit.show(value) }
        };
        let speed = (value.abs() * DRAG_SHARE).max(if *value == 0.0 { 0.01 } else { DRAG_MIN * value.abs() });
        let response = ui.add(
            DragValue::new(value)
                .speed(speed)
                .max_decimals(15)
                .custom_formatter(show)
                .custom_parser(read)
                .update_while_editing(false),
        );
        name(ui, &response, label);
        remember_failure(ui, id, &response, failure.into_inner());
        response
    })
    .inner
}

/// A whole number within bounds.
pub fn whole<N: Numeric>(
    ui: &mut Ui,
    label: &str,
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
) -> Response {
    let response = ui.add(DragValue::new(value).range(range).speed(0.05).update_while_editing(false));
    name(ui, &response, label);
    response
}

/// Gives a control its spoken label.
pub(super) fn name(ui: &Ui, response: &Response, label: &str) {
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label.to_owned()));
}

/// Keeps what could not be read until the field is edited again, and shows it.
fn remember_failure(ui: &mut Ui, id: Id, response: &Response, failure: Option<String>) {
    let key = id.with("unreadable");
    if response.changed() || response.gained_focus() {
        ui.data_mut(|data| data.remove::<String>(key));
    }
    if let Some(failure) = failure {
        ui.data_mut(|data| data.insert_temp(key, failure));
    }
    if let Some(message) = ui.data(|data| data.get_temp::<String>(key)) {
        let color = Theme::of(ui.ctx()).severity(Severity::Error);
        let sign = severity_sign(Severity::Error);
        ui.label(RichText::new(format!("{sign} {message}")).small().color(color));
    }
}
