//! Text in, tokens out, and into the part of a use case that one picks.

use eframe::egui::{Button, CollapsingHeader, RichText, ScrollArea, TextEdit, Ui};

use super::counter;
use crate::app::action::Action;
use crate::app::theme::{self, Theme, space};
use crate::app::view::{Outbox, Session, View};
use crate::app::widgets::{choice, text_field};
use crate::stats::Estimate;
use crate::tokenizer::{Encoding, LengthSummary, Split};
use crate::unit::format;
use crate::workload::{Length, LengthSpread, UseCase};

/// Draws the section.
pub(super) fn ui(
    ui: &mut Ui,
    use_case: &mut UseCase<Estimate>,
    session: &mut Session,
    view: &View<'_>,
    out: &mut Outbox,
) {
    // A text that was dropped opens the section.
    let open = session.picks.remove("count").map(|_| true);
    let title = theme::section_text("Count the tokens of a text");
    CollapsingHeader::new(title).id_salt("count").open(open).show_unindented(ui, |ui| {
        let tag = counter(&use_case.id);
        let mut text = session.texts.get(&tag).cloned().unwrap_or_default();
        text_ui(ui, &mut text);
        ask_ui(ui, &tag, &text, session, view, out);
        match view.errands.tokens.get(&tag) {
            Some(Ok(counted)) => take_ui(ui, use_case, counted),
            Some(Err(message)) => {
                let theme = Theme::of(ui.ctx());
                ui.label(RichText::new(format!("⊗ {message}")).color(theme.violation));
            }
            None => {}
        }
        session.texts.insert(tag, text);
        ui.add_space(space::S);
    });
}

fn text_ui(ui: &mut Ui, text: &mut String) {
    let field = TextEdit::multiline(text)
        .hint_text("Paste a prompt or an answer, or drop a text file on the window")
        .desired_rows(4)
        .desired_width(f32::INFINITY);
    let field = ScrollArea::vertical().id_salt("text").max_height(120.0).show(ui, |ui| ui.add(field)).inner;
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Text to count"));
}

/// How it is counted, and the button.
fn ask_ui(ui: &mut Ui, tag: &str, text: &str, session: &mut Session, view: &View<'_>, out: &mut Outbox) {
    let mut encoding = session.picks.get("encoding").cloned().unwrap_or_else(|| Encoding::O200k.name());
    let encodings: Vec<(String, String)> =
        Encoding::BUILT_IN.iter().map(|known| (known.name(), known.name())).collect();
    let splits = [
        (Split::Whole, "One text".to_owned()),
        (Split::Paragraphs, "A text per paragraph".to_owned()),
        (Split::Lines, "A text per line".to_owned()),
    ];
    let picked = session.picks.get("split");
    let mut split =
        splits.iter().find(|(_, name)| Some(name) == picked).map_or(Split::Whole, |(split, _)| *split);
    ui.horizontal_wrapped(|ui| {
        ui.scope(|ui| {
            ui.set_max_width(170.0);
            choice(ui, "Tokenizer", &mut encoding, &encodings);
        });
        ui.scope(|ui| {
            ui.set_max_width(260.0);
            text_field(ui, "or the path of a tokenizer.json", &mut encoding);
        });
        ui.scope(|ui| {
            ui.set_max_width(190.0);
            choice(ui, "It holds", &mut split, &splits);
        });
        let ready = !text.trim().is_empty() && !view.errands.busy;
        if ui.add_enabled(ready, Button::new("Count")).clicked() {
            out.send(Action::CountTokens {
                tag: tag.to_owned(),
                text: text.to_owned(),
                encoding: encoding.clone(),
                split,
            });
        }
    });
    let name = splits.iter().find(|(option, _)| *option == split).map(|(_, name)| name.clone());
    session.picks.insert("split".to_owned(), name.unwrap_or_default());
    session.picks.insert("encoding".to_owned(), encoding);
}

/// The count, and the parts of the use case that may take it; the one that has it already is marked.
fn take_ui(ui: &mut Ui, use_case: &mut UseCase<Estimate>, counted: &LengthSummary) {
    let many = counted.texts > 1;
    let words = if many {
        format!(
            "{} texts: median {} tokens, P95 {}, mean {}",
            format::count(counted.texts as f64),
            format::count(counted.median.round()),
            format::count(counted.p95.round()),
            format::count(counted.mean.round())
        )
    } else {
        format!("{} tokens", format::count(counted.total as f64))
    };
    ui.label(theme::figure_text(words));
    // Bills are made of means: a part without a spread of its own takes the mean.
    let mean = Estimate::Fixed(counted.mean.round());
    let lengths = |before: &Length<Estimate>| lengths(before, counted);
    let (user, output) = (lengths(&use_case.user_tokens), lengths(&use_case.output_tokens));
    ui.horizontal_wrapped(|ui| {
        ui.label("Use as");
        part_ui(ui, "system prompt", &mut use_case.system_prompt_tokens, mean.clone());
        part_ui(ui, "retrieved context", &mut use_case.retrieved_tokens, mean);
        part_ui(ui, "user text", &mut use_case.user_tokens, user);
        part_ui(ui, "output", &mut use_case.output_tokens, output);
    });
}

fn part_ui<T: PartialEq>(ui: &mut Ui, name: &str, part: &mut T, value: T) {
    let button = ui.add(Button::selectable(*part == value, name));
    ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(format!("Use as {name}")));
    if button.on_hover_text("Undo takes it back").clicked() {
        *part = value;
    }
}

/// A length like the counted ones: with one text its median moves and the spread keeps its shape; with many, median
/// and P95 are theirs.
fn lengths(before: &Length<Estimate>, counted: &LengthSummary) -> Length<Estimate> {
    let median = counted.median.round().max(1.0);
    let (old_median, old_p95) = (before.median.point(), before.p95.point());
    let p95 = if counted.texts > 1 {
        counted.p95.round()
    } else if old_median > 0.0 {
        (median * old_p95 / old_median).round()
    } else {
        median
    };
    let mut length = before.clone();
    length.median = Estimate::Fixed(median);
    length.p95 = Estimate::Fixed(p95.max(median));
    let family = matches!(length.spread, LengthSpread::LogNormal | LengthSpread::Gamma);
    if counted.texts > 1 && p95 > median && !family {
        length.spread = LengthSpread::LogNormal;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_moves_the_median_and_many_give_the_spread() {
        let before = Length {
            median: Estimate::Fixed(100.0),
            p95: Estimate::Fixed(300.0),
            spread: LengthSpread::LogNormal,
        };
        let one = lengths(&before, &LengthSummary::of(vec![50]).unwrap());
        assert_eq!((one.median, one.p95), (Estimate::Fixed(50.0), Estimate::Fixed(150.0)));
        let many = lengths(&before, &LengthSummary::of((1..=101).collect()).unwrap());
        assert_eq!((many.median, many.p95), (Estimate::Fixed(51.0), Estimate::Fixed(96.0)));
    }
}
