//! What every plot has at its right end: its data and its picture, to the clipboard or into a file.

use eframe::egui::{Id, Popup, Rect, Ui};

use crate::app::action::Action;
use crate::app::icons::{Icon, icon_button};
use crate::app::picture::Target;
use crate::app::theme::{Theme, space};
use crate::app::view::Outbox;
use crate::app::widgets::{heading, stale_badge};

/// A plot under its heading: title, whether a newer answer is on its way, and what can be taken along.
///
/// - `csv`: its data, written out only when they are asked for.
pub(super) fn plot_ui<R>(
    ui: &mut Ui,
    title: &str,
    stale: bool,
    out: &mut Outbox,
    csv: impl FnOnce() -> String,
    plot: impl FnOnce(&mut Ui) -> R,
) -> R {
    let right = |ui: &mut Ui, out: &mut Outbox, rect| {
        export_menu_ui(ui, title, rect, out, csv);
        stale_badge(ui, stale);
    };
    framed(ui, title, out, right, plot)
}

/// A heading with something at its right end, and a plot below; what is at the right learns where both were drawn in
/// the last frame.
pub(super) fn framed<R>(
    ui: &mut Ui,
    title: &str,
    out: &mut Outbox,
    right: impl FnOnce(&mut Ui, &mut Outbox, Rect),
    plot: impl FnOnce(&mut Ui) -> R,
) -> R {
    let id = Id::unique(("plot", title));
    let last = ui.data(|data| data.get_temp::<Rect>(id)).unwrap_or(Rect::NOTHING);
    let top = ui.cursor().left_top();
    heading(ui, title, |ui| right(ui, out, last));
    let shown = ui.scope(plot);
    let mut rect = Rect::from_two_pos(top, shown.response.rect.right_bottom()).expand(space::S);
    // The last label of an axis stands half outside of its plot.
    rect.max.x += space::M;
    let seen = rect.intersect(ui.clip_rect().expand(space::L));
    ui.data_mut(|data| data.insert_temp(id, seen));
    shown.inner
}

/// The menu of what can be taken along.
///
/// - `name`: the plot, as it is read aloud and as its file is called; `rect`: where it is in the window.
pub(super) fn export_menu_ui(
    ui: &mut Ui,
    name: &str,
    rect: Rect,
    out: &mut Outbox,
    csv: impl FnOnce() -> String,
) {
    let theme = Theme::of(ui.ctx());
    let button = icon_button(ui, &theme, Icon::Export, &format!("Data of {name}"), true);
    let button = button.on_hover_text("The data of this plot, or its picture");
    Popup::menu(&button).show(|ui| {
        ui.set_width(150.0);
        let mut picture = |ui: &mut Ui, text: &str, target| {
            if ui.button(text).clicked() {
                out.send(Action::Picture { name: name.to_owned(), rect, target });
            }
        };
        picture(ui, "Copy as picture", Target::Clipboard);
        picture(ui, "Save as PNG…", Target::File);
        ui.separator();
        let copy = ui.button("Copy as CSV").clicked();
        let save = ui.button("Save as CSV…").clicked();
        if copy {
            out.send(Action::CopyTable { name: name.to_owned(), csv: csv() });
        } else if save {
            out.send(Action::SaveTable { name: name.to_owned(), csv: csv() });
        }
    });
}
