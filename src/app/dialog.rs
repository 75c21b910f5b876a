//! Dialogs that stop everything else: unsaved changes, recovery, a path, help, about.

use eframe::egui::{
    self, Button, Context, Grid, Id, Key, KeyboardShortcut, Label, Modal, Modifiers, RichText, ScrollArea,
    TextEdit, vec2,
};

use super::App;
use super::action::{Action, Group, Verb};
use super::chrome::name_field;
use super::files::{Answer, Purpose};
use super::recovery::{self, Found};
use super::theme::{self, Theme, space};
use super::view::Outbox;

/// The dialog that is open.
#[derive(Debug, Clone)]
pub(super) enum Dialog {
    /// Something would be lost by doing this.
    Unsaved(Action),
    /// Work of a session that ended without a word.
    Recovery(Vec<Found>),
    /// Our own field for a path, where no dialog of the system answers.
    Path {
        /// What it is asked for.
        purpose: Purpose,
        /// What stands in the field.
        text: String,
    },
    /// Where to begin, and the keys.
    Help,
    /// Version and licence.
    About,
}

/// What a person did in a dialog.
enum Choice {
    Stay,
    Close,
    Save(Action),
    Discard(Action),
    Recover(Found),
    DropRecovered(Vec<Found>),
    Path(Purpose, String),
}

impl App {
    pub(super) fn dialog_ui(&mut self, ctx: &Context, theme: &Theme, out: &mut Outbox) {
        let Some(mut dialog) = self.dialog.take() else { return };
        let name = self.document.draft.name.clone();
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(20);
        let modal = Modal::new(Id::unique("dialog")).frame(frame).backdrop_color(theme.backdrop());
        let modal = modal.show(ctx, |ui| {
            ui.spacing_mut().item_spacing.y = space::S;
            match &mut dialog {
                Dialog::Unsaved(action) => unsaved_ui(ui, theme, &name, action),
                Dialog::Recovery(found) => recovery_ui(ui, theme, found),
                Dialog::Path { purpose, text } => path_ui(ui, theme, purpose, text),
                Dialog::Help => self.help_ui(ui, theme),
                Dialog::About => self.about_ui(ui, theme),
            }
        });
        let escaped = modal.should_close();
        match modal.inner {
            Choice::Stay if escaped && !matches!(dialog, Dialog::Recovery(_)) => self.after_save = None,
            Choice::Stay => self.dialog = Some(dialog),
            Choice::Close => self.after_save = None,
            Choice::Save(action) => self.save_then(ctx, action),
            Choice::Discard(action) => self.leave(ctx, action),
            Choice::Recover(found) => self.recover(&found),
            Choice::DropRecovered(found) => found.iter().for_each(|found| recovery::discard(&found.copy)),
            Choice::Path(purpose, text) => {
                self.file_answered(ctx, purpose, Answer::Picked(text.trim().into()));
            }
        }
        let _ = out;
    }

    /// Offers our own field when the system's dialog is nowhere to be seen.
    pub(super) fn late_dialog_ui(&mut self, ctx: &Context, theme: &Theme) {
        let Some(purpose) = self.files.late().cloned() else { return };
        let mut own = false;
        let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(10);
        egui::Area::new(Id::unique("late dialog")).anchor(egui::Align2::CENTER_TOP, vec2(0.0, 60.0)).show(
            ctx,
            |ui| {
                frame.show(ui, |ui| {
                    ui.horizontal(|ui| {
                        ui.label(
                            RichText::new("Waiting for the system's file dialog.").color(theme.text_weak),
                        );
                        own = ui.button("Type a path instead").clicked();
                    });
                });
            },
        );
        if own {
            self.files.ignore();
            self.file_answered(ctx, purpose, Answer::NoDialog);
        }
    }

    fn help_ui(&self, ui: &mut egui::Ui, theme: &Theme) -> Choice {
        ui.set_width(560.0);
        title(ui, theme, "Where to begin");
        for sentence in [
            "Overview answers which plan to take, what it costs a month and with what certainty.",
            "Workload says what is asked of the models, Plans how it may be served: bought from an API, built on own GPUs, or mixed.",
            "Every number can be made uncertain in place: its range then shows in the answer. Double-click a slider for its default.",
            "Break-even shows the volume at which the answer flips, Sensitivity the inputs that decide it.",
        ] {
            ui.add(Label::new(RichText::new(sentence).color(theme.text)).wrap());
        }
        ui.add_space(space::S);
        ui.label(theme::section_text("Keys").color(theme.text_strong));
        let keyed: Vec<(&Verb, KeyboardShortcut)> = Group::ALL
            .into_iter()
            .flat_map(|group| self.verbs.iter().filter(move |verb| verb.group == group))
            .filter_map(|verb| Some((verb, verb.shortcut?)))
            .collect();
        // Two columns, read downwards, so that all keys are seen at once.
        let rows = keyed.len().div_ceil(2);
        let height = (ui.ctx().content_rect().height() - 330.0).max(120.0);
        ScrollArea::vertical()
            .max_height(height)
            .min_scrolled_height(height)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().interact_size.y = 18.0;
                Grid::new("keys").num_columns(4).spacing(vec2(space::XL, 4.0)).show(ui, |ui| {
                    for row in 0..rows {
                        for (verb, shortcut) in [keyed.get(row), keyed.get(rows + row)].into_iter().flatten()
                        {
                            ui.label(RichText::new(verb.text).color(theme.text));
                            ui.label(
                                RichText::new(ui.ctx().format_shortcut(shortcut)).color(theme.text_weak),
                            );
                        }
                        ui.end_row();
                    }
                });
            });
        close_row(ui)
    }

    fn about_ui(&self, ui: &mut egui::Ui, theme: &Theme) -> Choice {
        ui.set_width(440.0);
        title(ui, theme, &format!("Breakeven {}", env!("CARGO_PKG_VERSION")));
        ui.add(Label::new("Buy LLM inference from an API, build it on own GPUs, or mix the two: what it costs, with what certainty, and at which volume the answer flips.").wrap());
        let catalog = &self.catalog;
        let as_of = catalog.prices_as_of().map_or_else(|| "an unknown day".to_owned(), |day| day.to_string());
        ui.add(
            Label::new(
                RichText::new(format!(
                    "{} API prices as of {as_of}, {} open models, {} accelerators, {} cloud rates, each with its source.",
                    catalog.prices.len(),
                    catalog.models.len(),
                    catalog.gpus.len(),
                    catalog.rates.len(),
                ))
                .color(theme.text_weak),
            )
            .wrap(),
        );
        ui.label(
            RichText::new("MIT OR Apache-2.0. Noto Sans under the SIL Open Font License.")
                .color(theme.text_weak),
        );
        close_row(ui)
    }
}

fn title(ui: &mut egui::Ui, theme: &Theme, text: &str) {
    ui.label(RichText::new(text).heading().color(theme.text_strong));
}

/// A button for what one most likely wants.
fn main_button(ui: &mut egui::Ui, theme: &Theme, text: &str) -> bool {
    let button = Button::new(RichText::new(text).color(theme.on_accent)).fill(theme.accent);
    ui.add(button.min_size(vec2(84.0, 28.0))).clicked()
}

fn other_button(ui: &mut egui::Ui, text: &str) -> bool {
    ui.add(Button::new(text).min_size(vec2(84.0, 28.0))).clicked()
}

fn buttons<R>(ui: &mut egui::Ui, add: impl FnOnce(&mut egui::Ui) -> R) -> R {
    ui.add_space(space::S);
    // From the right: the main one stands at the edge.
    let height = 30.0;
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), height),
        egui::Layout::right_to_left(egui::Align::Center),
        add,
    )
    .inner
}

fn close_row(ui: &mut egui::Ui) -> Choice {
    buttons(ui, |ui| if other_button(ui, "Close") { Choice::Close } else { Choice::Stay })
}

fn unsaved_ui(ui: &mut egui::Ui, theme: &Theme, name: &str, action: &Action) -> Choice {
    ui.set_width(420.0);
    title(ui, theme, "Save the changes?");
    ui.add(Label::new(format!("“{name}” has changes that no file holds.")).wrap());
    buttons(ui, |ui| {
        if main_button(ui, theme, "Save") {
            Choice::Save(action.clone())
        } else if other_button(ui, "Cancel") {
            Choice::Close
        } else if other_button(ui, "Discard changes") {
            Choice::Discard(action.clone())
        } else {
            Choice::Stay
        }
    })
}

fn recovery_ui(ui: &mut egui::Ui, theme: &Theme, found: &[Found]) -> Choice {
    ui.set_width(460.0);
    title(ui, theme, "Unsaved work was found");
    ui.add(Label::new("The program ended last time before these were saved.").wrap());
    let mut choice = Choice::Stay;
    for found in found {
        ui.horizontal(|ui| {
            if ui.button("Recover").clicked() {
                choice = Choice::Recover(found.clone());
            }
            let of = found
                .path
                .as_ref()
                .map_or_else(|| "never saved".to_owned(), |path| path.display().to_string());
            ui.vertical(|ui| {
                ui.add(Label::new(RichText::new(&found.name).color(theme.text_strong)).truncate());
                ui.add(
                    Label::new(RichText::new(format!("{}, {of}", age(found))).small().color(theme.text_weak))
                        .truncate(),
                );
            });
        });
    }
    buttons(ui, |ui| {
        if other_button(ui, "Discard all") {
            choice = Choice::DropRecovered(found.to_vec());
        }
        if other_button(ui, "Later") {
            choice = Choice::Close;
        }
    });
    choice
}

fn age(found: &Found) -> String {
    match found.written.and_then(|written| written.elapsed().ok()) {
        Some(age) => format!("{} ago", crate::unit::format::secs(age.as_secs_f64().max(1.0).round())),
        None => "some time ago".to_owned(),
    }
}

fn path_ui(ui: &mut egui::Ui, theme: &Theme, purpose: &Purpose, text: &mut String) -> Choice {
    ui.set_width(520.0);
    title(ui, theme, purpose.title());
    ui.add(
        Label::new(
            RichText::new(
                "The system's file dialog does not answer here (no desktop portal). Type the path instead.",
            )
            .color(theme.text_weak),
        )
        .wrap(),
    );
    let response = ui.add(TextEdit::singleline(text).desired_width(f32::INFINITY).margin(vec2(8.0, 6.0)));
    name_field(&response, text, "Path");
    if ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
    let path = std::path::Path::new(text.trim());
    let (reading, chosen) = (!purpose.writes(), purpose.is_folder());
    let there = if chosen { path.is_dir() } else { path.is_file() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let lost = folder.is_some_and(|folder| !folder.is_dir());
    let able = !text.trim().is_empty() && (chosen || !path.is_dir()) && if reading { there } else { !lost };
    let (hint, colour) = match (able, reading) {
        (false, _) if lost => ("There is no such folder", theme.warning),
        (false, true) if chosen => ("There is no folder at this path", theme.text_weak),
        (false, true) => ("There is no file at this path", theme.text_weak),
        (false, false) => ("Write the name of a file", theme.text_weak),
        (true, false) if path.exists() => ("A file is there; it will be replaced", theme.warning),
        (true, _) => ("", theme.text_weak),
    };
    ui.label(RichText::new(hint).small().color(colour));
    let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    buttons(ui, |ui| {
        let verb = if reading { "Open" } else { "Save" };
        let clicked = ui.add_enabled_ui(able, |ui| main_button(ui, theme, verb)).inner;
        if able && (clicked || enter) {
            Choice::Path(purpose.clone(), text.clone())
        } else if other_button(ui, "Cancel") {
            Choice::Close
        } else {
            Choice::Stay
        }
    })
}
