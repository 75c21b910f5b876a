//! Errors of the serving model's constants on rows that the fit had not seen.

use eframe::egui::{Label, RichText, Ui};
use egui_extras::{Column, TableBuilder};

use super::{percent, signed, whole};
use crate::analysis::fidelity::Metric;
use crate::app::theme::{self, Theme, space};
use crate::app::widgets::heading;
use crate::serving::{Calibration, HeldOut};
use crate::unit::format;

/// The errors of a calibration in a sentence.
pub fn answer(calibration: &Calibration) -> String {
    let rows = || calibration.held_out.iter().filter(|held| held.figure == Metric::TokensPerSec.label());
    let by = |a: &&HeldOut, b: &&HeldOut| a.median.total_cmp(&b.median);
    let (Some(worst), Some(best)) = (rows().max_by(by), rows().min_by(by)) else {
        return "This calibration does not say how far off it is.".to_owned();
    };
    format!(
        "On rows that the fit had not seen, half the predictions of tokens per second are within {} ({}) to {} ({}).",
        percent(best.median),
        best.regime,
        percent(worst.median),
        worst.regime
    )
}

/// Errors of a calibration on rows that it was not fitted to.
pub fn ui(ui: &mut Ui, calibration: &Calibration) {
    let theme = Theme::of(ui.ctx());
    if !calibration.is_shipped() {
        let own = format!(
            "Every projection uses your calibration ({}). The errors below are those of the constants that it began with.",
            calibration.name()
        );
        ui.add(Label::new(own).wrap());
        ui.add_space(space::S);
    }
    heading(ui, "On rows that the fit had not seen, worst first", |_| {});
    let mut rows: Vec<&HeldOut> = calibration.held_out.iter().collect();
    rows.sort_by(|a, b| b.median.total_cmp(&a.median));
    TableBuilder::new(ui)
        .id_salt("held out")
        .vscroll(false)
        .column(Column::initial(230.0).at_least(140.0).clip(true))
        .column(Column::exact(84.0).clip(true))
        .column(Column::exact(84.0).clip(true))
        .columns(Column::exact(92.0).clip(true), 5)
        .header(22.0, |mut header| {
            for (head, means) in [
                ("Regime", "How the rows were loaded"),
                (
                    "Figure",
                    "Which figure was published: tokens per second, time per output token or to the first",
                ),
                (
                    "Left out by",
                    "Each GPU, or each family of models, was left out of a fit in turn and then predicted",
                ),
                ("Rows", "Rows that were predicted so"),
                ("Median error", "Half of the rows are at most so far off"),
                ("P90", "Nine of ten rows are at most so far off"),
                ("Within 30 %", "Share of rows"),
                ("Bias", "Median of predicted / published, less one: below zero is too low"),
            ] {
                header.col(|ui| {
                    let text = RichText::new(head).small().color(theme.text_weak);
                    ui.add(Label::new(text).truncate()).on_hover_text(means);
                });
            }
        })
        .body(|mut body| {
            for held in rows {
                body.row(22.0, |mut row| {
                    row.col(|ui| drop(ui.add(Label::new(theme::figure_text(&held.regime)).truncate())));
                    for cell in [
                        held.figure.clone(),
                        format!("each {}", held.by),
                        format::count(f64::from(held.rows)),
                        percent(held.median),
                        whole(held.p90),
                        whole(held.within_30),
                        signed(held.bias),
                    ] {
                        row.col(|ui| drop(ui.label(cell)));
                    }
                });
            }
        });
    ui.add_space(space::S);
    let rows = format::count(f64::from(calibration.rows));
    let fitted = format!("Fitted on {} to {rows} rows. {}", calibration.fitted, calibration.source);
    ui.add(Label::new(RichText::new(fitted).small().color(theme.text_weak)).wrap());
    let naive = "What is predicted is given model, GPU, count, formats, engine, lengths and load of a row, never its result.";
    ui.add(Label::new(RichText::new(naive).small().color(theme.text_weak)).wrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_errors_are_a_sentence_that_names_best_and_worst() {
        let text = answer(Calibration::shipped());
        let held = Calibration::shipped().held_out.iter().filter(|held| held.figure == "tokens/s");
        let worst = held.max_by(|a, b| a.median.total_cmp(&b.median)).unwrap();
        assert!(text.contains(&worst.regime) && text.contains('%'), "{text}");
    }
}
