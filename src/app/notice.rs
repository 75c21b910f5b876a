//! Notices: what happened, in a sentence, at the lower right. Errors stay until they are closed.

use std::time::{Duration, Instant};

use eframe::egui::{self, Align2, Area, Frame, Label, Margin, Order, RichText, Stroke, vec2};

use super::icons::{Icon, icon_button};
use super::theme::{self, Theme, space};
use crate::analysis::Severity;

/// How long a note is shown.
const NOTE_FOR: Duration = Duration::from_secs(5);

/// Notices shown at once; older ones wait below.
const SHOWN_MAX: usize = 4;

/// One notice.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How grave.
    pub severity: Severity,
    /// What failed or happened, one sentence.
    pub text: String,
    /// Why, what to do; the path last. May be empty.
    pub details: String,
    born: Instant,
}

/// The notices that are shown.
#[derive(Debug, Default)]
pub struct Notices {
    items: Vec<Notice>,
}

impl Notices {
    /// Shows a notice; one with the same words is shown once, anew.
    pub fn add(&mut self, severity: Severity, text: impl Into<String>, details: impl Into<String>) {
        let (text, details) = (text.into(), details.into());
        self.items.retain(|known| known.text != text || known.details != details);
        self.items.push(Notice { severity, text, details, born: Instant::now() });
    }

    /// Says that something was done.
    pub fn note(&mut self, text: impl Into<String>) {
        self.add(Severity::Note, text, "");
    }

    /// Says that something failed.
    pub fn error(&mut self, text: impl Into<String>, details: impl Into<String>) {
        self.add(Severity::Error, text, details);
    }

    /// Draws them above everything else.
    pub fn ui(&mut self, ctx: &egui::Context, theme: &Theme, above: f32) {
        self.items.retain(|notice| notice.severity != Severity::Note || notice.born.elapsed() < NOTE_FOR);
        if self.items.iter().any(|notice| notice.severity == Severity::Note) {
            ctx.request_repaint_after(Duration::from_millis(250));
        }
        let mut closed = None;
        let area = Area::new(egui::Id::unique("notices")).order(Order::Foreground);
        area.anchor(Align2::RIGHT_BOTTOM, vec2(-space::M, -above - space::M)).show(ctx, |ui| {
            ui.set_max_width(380.0);
            for (position, notice) in self.items.iter().enumerate().rev().take(SHOWN_MAX) {
                if notice_ui(ui, notice, theme) {
                    closed = Some(position);
                }
                ui.add_space(space::XS);
            }
        });
        if let Some(position) = closed {
            self.items.remove(position);
        }
    }
}

/// Draws one; returns whether it was closed.
fn notice_ui(ui: &mut egui::Ui, notice: &Notice, theme: &Theme) -> bool {
    let colour = theme.severity(notice.severity);
    let frame = Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, colour.gamma_multiply(0.55)))
        .corner_radius(7)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin::symmetric(12, 8));
    frame
        .show(ui, |ui| {
            ui.set_width(340.0);
            ui.horizontal_top(|ui| {
                ui.label(RichText::new(theme::severity_sign(notice.severity)).color(colour));
                ui.with_layout(egui::Layout::right_to_left(egui::Align::TOP), |ui| {
                    let response = icon_button(ui, theme, Icon::Close, "Close the notice", true);
                    ui.with_layout(egui::Layout::top_down(egui::Align::LEFT), |ui| {
                        ui.add(Label::new(RichText::new(&notice.text).color(theme.text_strong)).wrap());
                        if !notice.details.is_empty() {
                            ui.add(
                                Label::new(RichText::new(&notice.details).small().color(theme.text_weak))
                                    .wrap(),
                            );
                        }
                    });
                    response.clicked()
                })
                .inner
            })
            .inner
        })
        .inner
}
