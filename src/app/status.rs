//! The bar at the bottom: how sure the numbers are, what is wrong, how old the prices are, whether it is saved.

use eframe::egui::containers::menu::MenuButton;
use eframe::egui::{
    self, Align, Button, Frame, Label, Layout, Margin, Panel, ProgressBar, RichText, ScrollArea, Ui, vec2,
};

use super::App;
use super::action::Action;
use super::chrome::stays_open;
use super::pages::findings::finding_ui;
use super::theme::{self, Theme, space};
use super::view::Outbox;
use crate::analysis::Severity;
use crate::scenario::Problem;
use crate::unit::format;

/// Its height.
const HEIGHT: f32 = 28.0;

/// Half-width of a 95 % interval in standard errors.
const Z95: f64 = 1.959_964;

impl App {
    /// Draws it; returns its height.
    pub(super) fn status_bar_ui(&mut self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) -> f32 {
        let frame = Frame::new().fill(theme.panel).inner_margin(Margin::symmetric(12, 0));
        Panel::bottom("status").exact_size(HEIGHT).resizable(false).frame(frame).show(ui, |ui| {
            ui.style_mut().override_text_style = Some(egui::TextStyle::Small);
            ui.spacing_mut().interact_size.y = 20.0;
            ui.spacing_mut().button_padding = vec2(6.0, 1.0);
            ui.horizontal_centered(|ui| {
                ui.spacing_mut().item_spacing.x = space::L;
                self.forecast_status_ui(ui, theme, out);
                self.findings_ui(ui, theme, out);
                if let Some(progress) = self.errands.progress() {
                    ui.spinner();
                    ui.label(RichText::new(&progress.what).color(theme.text_weak));
                    if ui.button("Stop").clicked() {
                        self.errands.stop();
                    }
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    self.saved_ui(ui, theme, out);
                    if let Some(currency) = self.live.currency() {
                        let text = format!("results in {}", currency.code);
                        ui.label(RichText::new(text).color(theme.text_weak)).on_hover_text(format!(
                            "At {} a US dollar, {}. What is typed in and the catalogue stay in US dollars.",
                            format::significant(currency.per_usd, 4),
                            currency.as_of
                        ));
                    }
                    if let Some(day) = self.catalog.prices_as_of() {
                        ui.label(RichText::new(format!("prices of {day}")).color(theme.text_weak))
                            .on_hover_text(
                                "The latest day on which a price of the catalogue was read at its source",
                            );
                    }
                });
            });
        });
        HEIGHT
    }

    fn forecast_status_ui(&self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let weak = |text: String| Label::new(RichText::new(text).color(theme.text_weak));
        let forecast = self.live.forecast();
        let error = forecast.and_then(|shown| {
            let plan = shown.value.plans.get(shown.value.cheapest?)?;
            let spread = plan.mean_month;
            (spread.mean.abs() > 0.0).then(|| (Z95 * spread.mean_error / spread.mean).abs())
        });
        if let Some(shown) = forecast {
            let draws = format::count(f64::from(shown.value.header.draws));
            let text = match error {
                Some(error) => format!("{draws} draws, ±{}", format::percent(error)),
                None => format!("{draws} draws"),
            };
            ui.add(weak(text)).on_hover_text(format!(
                "Monte Carlo forecast with seed {}: the 95 % error of the cheapest plan's mean cost from the number of draws alone. The closed form of the last change took {}.",
                shown.value.header.seed,
                format::secs(self.live.closed_form().as_secs_f64())
            ));
        }
        match self.live.progress() {
            Some(progress) => {
                let share = progress.share().unwrap_or(0.0) as f32;
                let bar = ProgressBar::new(share).desired_width(96.0).desired_height(6.0).fill(theme.accent);
                ui.add(bar);
                let text = format!(
                    "drawing {} of {}",
                    format::count(progress.done as f64),
                    format::count(progress.total as f64)
                );
                ui.add(weak(text));
                if ui.button("Stop").on_hover_text("What was drawn until now stays").clicked() {
                    out.send(Action::StopForecast);
                }
            }
            None if self.live.is_stopped() => {
                ui.add(weak("stopped".to_owned()));
                if ui.button("Draw the rest").clicked() {
                    out.send(Action::RunForecast);
                }
            }
            None if forecast.is_some_and(|shown| shown.stale) => {
                ui.label(RichText::new("↻ last good answer").color(theme.warning))
                    .on_hover_text("The draft has problems; these are the answers of the last one without");
            }
            None => {}
        }
    }

    fn findings_ui(&self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let problems = self.live.problems();
        let findings: Vec<Problem> = self
            .live
            .outcome()
            .into_iter()
            .flat_map(|shown| &shown.value.plans)
            .flat_map(|plan| &plan.findings)
            .map(|finding| Problem {
                severity: finding.severity,
                path: finding.path.clone(),
                message: finding.message.clone(),
                remedy: finding.remedy.clone(),
            })
            .collect();
        let mut all: Vec<&Problem> = problems.items.iter().chain(&findings).collect();
        let mut known: Vec<(&str, &str)> = Vec::new();
        all.retain(|problem| {
            let key = (problem.path.as_str(), problem.message.as_str());
            let new = !known.contains(&key);
            known.push(key);
            new
        });
        all.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        let Some(worst) = all.first().map(|problem| problem.severity) else {
            ui.label(RichText::new("no findings").color(theme.text_weak));
            return;
        };
        let word = match (worst, all.len()) {
            (Severity::Error, 1) => "1 problem".to_owned(),
            (Severity::Error, many) => format!("{many} problems and findings"),
            (_, 1) => "1 finding".to_owned(),
            (_, many) => format!("{many} findings"),
        };
        let text =
            RichText::new(format!("{} {word}", theme::severity_sign(worst))).color(theme.severity(worst));
        let button = MenuButton::from_button(Button::new(text).fill(theme::CLEAR)).config(stays_open());
        button.ui(ui, |ui| {
            ui.set_width(440.0);
            ScrollArea::vertical().max_height(320.0).auto_shrink([false, true]).show(ui, |ui| {
                for problem in all {
                    if finding_ui(ui, problem, out) {
                        ui.close();
                    }
                }
            });
        });
    }

    fn saved_ui(&self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        if self.document.is_dirty() {
            let button = Button::new(RichText::new("● unsaved").color(theme.text)).fill(theme::CLEAR);
            if ui.add(button).on_hover_text("Save (Ctrl+S)").clicked() {
                out.send(Action::Save);
            }
        } else {
            let word = if self.document.path().is_some() { "saved" } else { "unchanged" };
            ui.label(RichText::new(word).color(theme.text_weak));
        }
    }
}
