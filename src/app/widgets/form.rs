//! Where in the scenario one is: fields find their label, unit, range, help and problems by their path.

use std::collections::HashMap;

use eframe::egui::{Response, RichText, Ui};

use super::quantity::quantity_ui;
use crate::app::theme::{Theme, severity_sign};
use crate::app::view::View;
use crate::scenario::labels::{FieldInfo, describe};
use crate::scenario::{Problem, Problems};
use crate::stats::Estimate;

/// The quantities as the scenario was opened, by path: what a field is reset to.
pub type Baseline = HashMap<String, Estimate>;

/// A place in the scenario, with what is wrong there.
#[derive(Debug, Clone)]
pub struct Form<'a> {
    path: String,
    problems: &'a Problems,
    baseline: &'a Baseline,
}

impl<'a> Form<'a> {
    /// The whole scenario.
    #[must_use]
    pub fn new(problems: &'a Problems, baseline: &'a Baseline) -> Self {
        Self { path: String::new(), problems, baseline }
    }

    /// The whole scenario that a page sees.
    #[must_use]
    pub fn of(view: &View<'a>) -> Self {
        Self::new(view.problems, view.opened)
    }

    /// A part of it: a field, the id of a list's item, or several joined with dots.
    #[must_use]
    pub fn at(&self, segment: &str) -> Self {
        let path = if self.path.is_empty() { segment.to_owned() } else { format!("{}.{segment}", self.path) };
        Self { path, problems: self.problems, baseline: self.baseline }
    }

    /// The path of this part.
    #[must_use]
    pub fn here(&self) -> &str {
        &self.path
    }

    /// The path of a field of this part.
    #[must_use]
    pub fn path(&self, field: &str) -> String {
        self.at(field).path
    }

    /// Label, unit, range and help of a field.
    #[must_use]
    pub fn info(&self, field: &str) -> FieldInfo {
        describe(&self.path(field))
    }

    /// The problems at or below a field.
    pub fn problems(&self, field: &str) -> Vec<&'a Problem> {
        let path = self.path(field);
        self.problems.items.iter().filter(|problem| is_at_or_below(&problem.path, &path)).collect()
    }

    /// The value of a field when the scenario was opened; the general default if it is new.
    #[must_use]
    pub fn opened(&self, field: &str) -> Estimate {
        let path = self.path(field);
        self.baseline.get(&path).cloned().unwrap_or_else(|| Estimate::Fixed(describe(&path).default))
    }

    /// The editor of a quantity, with everything that belongs to it.
    pub fn quantity(&self, ui: &mut Ui, field: &str, value: &mut Estimate) -> Response {
        ui.push_id(self.path(field), |ui| {
            let response = quantity_ui(ui, &self.info(field), &self.opened(field), value);
            problems_ui(ui, &self.problems(field));
            response
        })
        .inner
    }

    /// The editor of a quantity that may be absent, switched on by a box with the field's label.
    pub fn optional(&self, ui: &mut Ui, field: &str, value: &mut Option<Estimate>) {
        let info = self.info(field);
        let mut on = value.is_some();
        if ui.checkbox(&mut on, &info.label).on_hover_text(info.help).changed() {
            *value = on.then(|| self.opened(field));
        }
        if let Some(value) = value {
            self.quantity(ui, field, value);
        }
    }

    /// What is wrong with a field itself, where no editor of a quantity shows it.
    pub fn problems_of(&self, ui: &mut Ui, field: &str) {
        let path = self.path(field);
        let here: Vec<&Problem> = self.problems.items.iter().filter(|problem| problem.path == path).collect();
        problems_ui(ui, &here);
    }
}

/// Whether a problem's path is the field's or below it.
fn is_at_or_below(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Messages right below what they are about, each with a sign.
fn problems_ui(ui: &mut Ui, problems: &[&Problem]) {
    let theme = Theme::of(ui.ctx());
    for problem in problems {
        let severity = problem.severity;
        let text = format!("{} {}", severity_sign(severity), problem.message);
        ui.label(RichText::new(text).small().color(theme.severity(severity))).on_hover_text(&problem.remedy);
        if !problem.remedy.is_empty() {
            ui.label(RichText::new(&problem.remedy).small().color(theme.text_weak));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_belongs_to_its_field_and_to_what_holds_it_but_not_to_a_namesake() {
        assert!(is_at_or_below("plans.api.costs", "plans.api"));
        assert!(is_at_or_below("plans.api", "plans.api"));
        assert!(!is_at_or_below("plans.api2.costs", "plans.api"));
    }
}
