//! What every plot has at its right end: its data, to the clipboard or into a file.

use eframe::egui::{Popup, Ui};

use crate::app::action::Action;
use crate::app::icons::{Icon, icon_button};
use crate::app::theme::Theme;
use crate::app::view::Outbox;
use crate::app::widgets::{heading, stale_badge};

/// The heading of a plot: its title, whether a newer answer is on its way, and its data.
pub(super) fn plot_heading(
    ui: &mut Ui,
    title: &str,
    stale: bool,
    out: &mut Outbox,
    csv: impl FnOnce() -> String,
) {
    heading(ui, title, |ui| {
        export_menu_ui(ui, title, out, csv);
        stale_badge(ui, stale);
    });
}

/// A small menu with the data of a plot; they are written out only when asked for.
///
/// - `name`: the plot, as it is read aloud and as its file is called.
pub(super) fn export_menu_ui(ui: &mut Ui, name: &str, out: &mut Outbox, csv: impl FnOnce() -> String) {
    let theme = Theme::of(ui.ctx());
    let button = icon_button(ui, &theme, Icon::Export, &format!("Data of {name}"), true);
    let button = button.on_hover_text("The numbers of this plot, as CSV");
    Popup::menu(&button).show(|ui| {
        ui.set_width(150.0);
        let copy = ui.button("Copy as CSV").clicked();
        let save = ui.button("Save as CSV…").clicked();
        if copy {
            out.send(Action::CopyTable { name: name.to_owned(), csv: csv() });
        } else if save {
            out.send(Action::SaveTable { name: name.to_owned(), csv: csv() });
        }
    });
}
