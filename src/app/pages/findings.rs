//! What is wrong or worth knowing, and the way to the place where it is mended.

use eframe::egui::{Label, RichText, ScrollArea, Ui};

use super::Page;
use crate::analysis::Severity;
use crate::app::action::Action;
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Outbox, View};
use crate::app::widgets::sentence;
use crate::scenario::Problem;

/// In place of an answer that cannot be computed: everything that stands in its way, each with its remedy.
///
/// - Returns false, with nothing drawn, where nothing stands in the way.
pub fn unanswered_ui(ui: &mut Ui, view: &View<'_>, out: &mut Outbox) -> bool {
    let errors: Vec<&Problem> =
        view.problems.items.iter().filter(|problem| problem.severity == Severity::Error).collect();
    if errors.is_empty() {
        return false;
    }
    sentence(ui, &headline(errors.len()));
    ui.add_space(space::M);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        for problem in errors {
            finding_ui(ui, problem, out);
        }
    });
    true
}

fn headline(count: usize) -> String {
    match count {
        1 => "One thing stands in the way of an answer.".to_owned(),
        many => format!("{many} things stand in the way of an answer."),
    }
}

/// One finding: its sign and words, what to do about it, and a link to its place.
///
/// - Returns whether the link was followed.
pub fn finding_ui(ui: &mut Ui, problem: &Problem, out: &mut Outbox) -> bool {
    let theme = Theme::of(ui.ctx());
    let mut followed = false;
    ui.horizontal_top(|ui| {
        let sign = theme::severity_sign(problem.severity);
        ui.label(RichText::new(sign).color(theme.severity(problem.severity)));
        ui.vertical(|ui| {
            ui.add(Label::new(RichText::new(capitalised(&problem.message)).color(theme.text_strong)).wrap());
            if !problem.remedy.is_empty() {
                let remedy = RichText::new(capitalised(&problem.remedy)).small().color(theme.text_weak);
                ui.add(Label::new(remedy).wrap());
            }
            ui.horizontal(|ui| {
                if let Some(action) = place(&problem.path)
                    && ui.link(RichText::new("Show").small()).clicked()
                {
                    out.send(action);
                    followed = true;
                }
                ui.add(Label::new(RichText::new(&problem.path).small().color(theme.text_weak)).truncate());
            });
        });
    });
    ui.add_space(space::S);
    followed
}

/// A sentence that stands alone and not behind a path.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Where a path of the scenario is edited.
fn place(path: &str) -> Option<Action> {
    let mut parts = path.split('.');
    match (parts.next()?, parts.next(), parts.next()) {
        ("plans", Some(plan), _) => Some(Action::GoPlan(plan.to_owned())),
        ("plans", None, _) => Some(Action::Go(Page::Plans)),
        ("workload", Some("use_cases"), Some(id)) => Some(Action::GoUseCase(id.to_owned())),
        ("workload", ..) => Some(Action::Go(Page::Workload)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_leads_to_the_page_where_it_is_resolved() {
        for (path, expected) in [
            ("plans.api.endpoints.x.quality", Some(Action::GoPlan("api".to_owned()))),
            ("plans", Some(Action::Go(Page::Plans))),
            ("workload.use_cases.chat.slo", Some(Action::GoUseCase("chat".to_owned()))),
            ("settings.seed", None),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }
}
