//! What surrounds the page: the bar on top, the pages at the left, the inputs at the right.

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::{
    self, Align, Align2, Area, Button, Context, CornerRadius, Frame, Label, Layout, Margin, Order, Panel,
    Popup, PopupCloseBehavior, Rect, Response, RichText, ScrollArea, Sense, Stroke, TextEdit, Ui, pos2, vec2,
};

use super::action::{Action, Group, ThemeChoice};
use super::dropped::Dropped;
use super::icons::{Icon, icon_button};
use super::pages::{NAVIGATION, Page};
use super::theme::{self, Theme, space};
use super::view::Outbox;
use super::{App, palette};
use crate::analysis::Severity;
use crate::io::presets;
use crate::unit::format;

/// Height of the bar on top.
const TOP_HEIGHT: f32 = 46.0;

/// Width from which the bar has room for the search field and the words of its buttons.
const ROOMY: f32 = 900.0;

impl App {
    pub(super) fn top_bar_ui(&mut self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let frame = Frame::new().fill(theme.panel).inner_margin(Margin::symmetric(12, 0));
        Panel::top("top").exact_size(TOP_HEIGHT).resizable(false).frame(frame).show(ui, |ui| {
            let roomy = ui.available_width() >= ROOMY;
            ui.horizontal_centered(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                self.scenario_menu_ui(ui, theme, out);
                if let Some(outcome) = self.live.outcome()
                    && roomy
                {
                    let text = format::tokens_per_day(outcome.value.tokens_per_day);
                    ui.label(RichText::new(text).color(theme.text_weak))
                        .on_hover_text("Prompt and output tokens per day in the first month, before caches");
                    ui.add_space(space::S);
                }
                self.verb_button_ui(ui, theme, &Action::Undo, Icon::Undo, self.document.can_undo(), out);
                self.verb_button_ui(ui, theme, &Action::Redo, Icon::Redo, self.document.can_redo(), out);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = 6.0;
                    self.main_menu_ui(ui, theme, out);
                    self.share_menu_ui(ui, out);
                    self.theme_button_ui(ui, theme, out);
                    self.verb_button_ui(
                        ui,
                        theme,
                        &Action::ToggleInspector,
                        Icon::Inspector,
                        self.session.page.has_inspector(),
                        out,
                    );
                    self.search_ui(ui, theme, roomy, out);
                });
            });
        });
    }

    fn scenario_menu_ui(&mut self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let width = (ui.available_width() * 0.34).clamp(120.0, 420.0);
        let name = fit(ui, &self.document.draft.name, width);
        let text = theme::section_text(format!("{name}  ▾")).color(theme.text_strong);
        let menu = MenuButton::from_button(Button::new(text).fill(theme::CLEAR)).config(stays_open());
        let (response, _) = menu.ui(ui, |ui| {
            ui.set_width(300.0);
            ui.label(RichText::new("Name of the scenario").small().color(theme.text_weak));
            let edit = TextEdit::singleline(&mut self.document.draft.name)
                .desired_width(f32::INFINITY)
                .margin(vec2(8.0, 5.0));
            let response = ui.add(edit);
            name_field(&response, &self.document.draft.name, "Name of the scenario");
            if let Some(path) = self.document.path() {
                ui.add(
                    Label::new(RichText::new(path.display().to_string()).small().color(theme.text_weak))
                        .wrap(),
                );
            }
            ui.separator();
            for action in [Action::New, Action::Open, Action::Save, Action::SaveAs] {
                self.menu_item_ui(ui, &action, out);
            }
            ui.separator();
            ui.menu_button("Examples", |ui| {
                for preset in presets::scenarios() {
                    if ui.button(preset.title).on_hover_text(preset.summary).clicked() {
                        out.send(Action::OpenExample(preset.id.to_owned()));
                        ui.close();
                    }
                }
            });
            ui.add_enabled_ui(!self.prefs.recent.is_empty(), |ui| {
                ui.menu_button("Recent files", |ui| {
                    for path in &self.prefs.recent {
                        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                        if ui.button(name.as_ref()).on_hover_text(path.display().to_string()).clicked() {
                            out.send(Action::OpenPath(path.clone()));
                            ui.close();
                        }
                    }
                });
            });
        });
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Scenario"));
        response.on_hover_text(&self.document.draft.name);
    }

    /// A small button for a verb: a sign, with its name and key in the tooltip.
    fn verb_button_ui(
        &self,
        ui: &mut Ui,
        theme: &Theme,
        action: &Action,
        icon: Icon,
        enabled: bool,
        out: &mut Outbox,
    ) {
        let Some(verb) = self.verbs.iter().find(|verb| verb.action == *action) else { return };
        let response = icon_button(ui, theme, icon, verb.text, enabled);
        let key =
            verb.shortcut.map(|key| format!("  ({})", ui.ctx().format_shortcut(&key))).unwrap_or_default();
        let tip = format!("{}{key}\n{}", verb.text, verb.tooltip);
        if response.on_hover_text(tip).clicked() {
            out.send(action.clone());
        }
    }

    fn search_ui(&self, ui: &mut Ui, theme: &Theme, roomy: bool, out: &mut Outbox) {
        let key = palette::verb_of(&Action::Palette)
            .and_then(|verb| verb.shortcut)
            .map(|key| ui.ctx().format_shortcut(&key))
            .unwrap_or_default();
        let room = ui.available_width();
        let response = if roomy && room > 200.0 {
            let button = Button::new(RichText::new("Search or command").color(theme.text_weak))
                .right_text(RichText::new(key).small().color(theme.text_weak))
                .fill(theme.sunken)
                .min_size(vec2(room.min(260.0), 28.0));
            ui.add(button)
        } else {
            icon_button(ui, theme, Icon::Search, "Search or command", true)
        };
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Search or command"));
        if response.clicked() {
            out.send(Action::Palette);
        }
    }

    fn theme_button_ui(&self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let (other, name) =
            if theme.dark { (ThemeChoice::Light, "Light theme") } else { (ThemeChoice::Dark, "Dark theme") };
        let response = icon_button(ui, theme, Icon::Theme, name, true);
        if response.on_hover_text(name).clicked() {
            out.send(Action::Theme(other));
        }
    }

    fn share_menu_ui(&self, ui: &mut Ui, out: &mut Outbox) {
        ui.menu_button("Share", |ui| {
            for action in [Action::CopyDecision, Action::CopyScenario, Action::SaveAs] {
                self.menu_item_ui(ui, &action, out);
            }
        });
    }

    fn main_menu_ui(&self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        let response = icon_button(ui, theme, Icon::Menu, "Menu", true).on_hover_text("Menu");
        Popup::menu(&response).show(|ui| {
            ui.set_width(180.0);
            for group in Group::ALL {
                ui.menu_button(group.text(), |ui| {
                    for verb in self.verbs.iter().filter(|verb| verb.group == group) {
                        self.menu_item_ui(ui, &verb.action, out);
                    }
                });
            }
        });
    }

    fn menu_item_ui(&self, ui: &mut Ui, action: &Action, out: &mut Outbox) {
        let Some(verb) = self.verbs.iter().find(|verb| verb.action == *action) else { return };
        let enabled = match action {
            Action::Undo => self.document.can_undo(),
            Action::Redo => self.document.can_redo(),
            _ => true,
        };
        let mut button = Button::new(verb.text);
        if let Some(key) = verb.shortcut {
            button = button.shortcut_text(ui.ctx().format_shortcut(&key));
        }
        if ui.add_enabled(enabled, button).on_hover_text(verb.tooltip).clicked() {
            out.send(action.clone());
            ui.close();
        }
    }

    pub(super) fn navigation_ui(&mut self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        if !self.prefs.navigation {
            return;
        }
        let frame =
            Frame::new().fill(theme.panel).inner_margin(Margin { left: 10, right: 8, top: 8, bottom: 8 });
        let shown = Panel::left("navigation")
            .default_size(self.prefs.navigation_width)
            .size_range(140.0..=280.0)
            .resizable(true)
            .show_separator_line(false)
            .frame(frame)
            .show(ui, |ui| {
                ScrollArea::vertical().show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    for (group, pages) in NAVIGATION {
                        ui.add_space(space::S);
                        ui.horizontal(|ui| {
                            ui.add_space(10.0);
                            ui.label(RichText::new(group).small().color(theme.text_weak));
                        });
                        ui.add_space(2.0);
                        for page in pages {
                            self.page_button_ui(ui, theme, *page, out);
                        }
                    }
                });
            });
        self.prefs.navigation_width = shown.response.rect.width();
    }

    fn page_button_ui(&self, ui: &mut Ui, theme: &Theme, page: Page, out: &mut Outbox) {
        let current = self.session.page == page;
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 30.0), Sense::click());
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, current, page.text()));
        let painter = ui.painter();
        if current || response.hovered() {
            let fill = if current { theme.accent_wash } else { theme.hover };
            painter.rect_filled(rect, CornerRadius::same(5), fill);
        }
        if current {
            let bar = Rect::from_min_max(
                rect.left_top() + vec2(0.0, 6.0),
                pos2(rect.left() + 3.0, rect.bottom() - 6.0),
            );
            painter.rect_filled(bar, CornerRadius::same(2), theme.accent);
        }
        if response.has_focus() {
            painter.rect_stroke(
                rect,
                CornerRadius::same(5),
                Stroke::new(1.0, theme.accent),
                egui::StrokeKind::Inside,
            );
        }
        let colour = if current { theme.text_strong } else { theme.text };
        let font = egui::TextStyle::Body.resolve(ui.style());
        painter.text(
            rect.left_center() + vec2(12.0, 0.0),
            Align2::LEFT_CENTER,
            page.text(),
            font.clone(),
            colour,
        );
        if let Some(severity) = self.worst(page) {
            let sign = theme::severity_sign(severity);
            let at = rect.right_center() - vec2(8.0, 0.0);
            painter.text(at, Align2::RIGHT_CENTER, sign, font, theme.severity(severity));
        }
        if response.on_hover_text(page.tooltip()).clicked() {
            out.send(Action::Go(page));
        }
    }

    /// The gravest problem that is resolved on this page.
    fn worst(&self, page: Page) -> Option<Severity> {
        let path = match page {
            Page::Workload => "workload",
            Page::Plans => "plans",
            _ => return None,
        };
        let worst = self.live.problems().at(path).map(|problem| problem.severity).max();
        worst.filter(|severity| *severity > Severity::Note)
    }

    pub(super) fn inspector_panel_ui(&mut self, ui: &mut Ui, theme: &Theme, out: &mut Outbox) {
        if !self.prefs.inspector || !self.session.page.has_inspector() {
            return;
        }
        let shown = Panel::right("inspector")
            .default_size(self.prefs.inspector_width)
            .size_range(264.0..=460.0)
            .resizable(true)
            .show_separator_line(false)
            .frame(inspector_frame(theme))
            .show(ui, |ui| {
                ui.take_available_width();
                self.inspector_ui(ui, theme, out);
            });
        self.prefs.inspector_width = shown.response.rect.width();
    }

    /// The inspector over the page, in a window too narrow for both.
    pub(super) fn drawer_ui(&mut self, ctx: &Context, theme: &Theme, below: f32, out: &mut Outbox) {
        if !self.drawer || !self.session.page.has_inspector() {
            return;
        }
        let screen = ctx.content_rect();
        let height = screen.height() - TOP_HEIGHT - below;
        let width = self.prefs.inspector_width.min(screen.width() - 40.0);
        let area = Area::new(egui::Id::unique("drawer"))
            .order(Order::Middle)
            .fixed_pos(pos2(screen.right() - width, TOP_HEIGHT));
        area.show(ctx, |ui| {
            inspector_frame(theme).shadow(ui.visuals().window_shadow).show(ui, |ui| {
                ui.set_width(width - 28.0);
                ui.set_height(height - 20.0);
                ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
                    if icon_button(ui, theme, Icon::Close, "Close the inputs", true).clicked() {
                        self.drawer = false;
                    }
                });
                self.inspector_ui(ui, theme, out);
            });
        });
    }

    pub(super) fn palette_ui(&mut self, ctx: &Context, theme: &Theme, out: &mut Outbox) {
        if !self.palette.is_open() {
            return;
        }
        let examples: Vec<(String, String)> = presets::scenarios()
            .iter()
            .map(|preset| (preset.id.to_owned(), preset.title.to_owned()))
            .collect();
        let entries = palette::entries(ctx, &self.verbs, &self.document.draft, &examples, &self.prefs.recent);
        if let Some(action) = self.palette.ui(ctx, theme, &entries) {
            out.send(action);
        }
    }

    /// Says what dropping a file would do.
    pub(super) fn hovering_file_ui(&self, ctx: &Context, theme: &Theme) {
        let hovered = ctx.input(|input| {
            let first = input.raw.hovered_files.first()?;
            Some(first.path.as_deref().map_or(Dropped::Scenario, |path| Dropped::of(path, self.session.page)))
        });
        let Some(hovered) = hovered else { return };
        let screen = ctx.content_rect();
        let painter =
            ctx.layer_painter(egui::LayerId::new(Order::Foreground, egui::Id::unique("hovering file")));
        painter.rect_filled(screen, 0.0, theme.backdrop());
        let font = theme::display().resolve(&ctx.global_style());
        let words = painter.layout_no_wrap(hovered.text().to_owned(), font, theme.text_strong);
        let rect = Align2::CENTER_CENTER.anchor_size(screen.center(), words.size());
        painter.rect_filled(rect.expand2(vec2(28.0, 16.0)), CornerRadius::same(8), theme.raised);
        painter.galley(rect.min, words, theme.text_strong);
    }
}

/// Gives a text field the name by which it is read aloud and found in tests.
pub(super) fn name_field(response: &Response, text: &str, name: &str) {
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::text_edit(true, text, text, "");
        info.label = Some(name.to_owned());
        info
    });
}

/// A menu with a field or with text to read, which a click inside must not close.
pub(super) fn stays_open() -> MenuConfig {
    MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside)
}

fn inspector_frame(theme: &Theme) -> Frame {
    Frame::new().fill(theme.panel).inner_margin(Margin { left: 14, right: 14, top: 12, bottom: 8 })
}

/// The text, cut with an ellipsis to this width.
fn fit(ui: &Ui, text: &str, width: f32) -> String {
    let font = theme::section().resolve(ui.style());
    let wide = |text: &str| {
        ui.fonts_mut(|fonts| fonts.layout_no_wrap(text.to_owned(), font.clone(), theme::CLEAR).size().x)
    };
    if wide(text) <= width {
        return text.to_owned();
    }
    let mut cut: Vec<char> = text.chars().collect();
    while cut.len() > 1 && wide(&format!("{}…", cut.iter().collect::<String>())) > width {
        cut.pop();
    }
    format!("{}…", cut.into_iter().collect::<String>().trim_end())
}
