//! The command palette: everything that can be done or shown, found by a few letters.

use eframe::egui::{
    self, Align, Align2, Area, Button, Context, Event, Frame, Key, Modifiers, Order, RichText, ScrollArea,
    TextEdit, vec2,
};

use super::action::{self, Action, Verb};
use super::chrome::name_field;
use super::theme::{self, Theme, space};
use crate::scenario::ScenarioDraft;

/// Rows that are worth showing; a longer list asks for another letter.
const ROWS_MAX: usize = 60;

/// One thing to pick.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is.
    pub text: String,
    /// What kind of thing, or what it does.
    pub detail: String,
    /// Its key, as text.
    pub key: String,
    /// What picking it does.
    pub action: Action,
}

/// The palette while it is open.
#[derive(Debug, Default)]
pub struct Palette {
    open: bool,
    just_opened: bool,
    query: String,
    cursor: usize,
}

impl Palette {
    /// Opens it, empty.
    pub fn open(&mut self) {
        *self = Self { open: true, just_opened: true, query: String::new(), cursor: 0 };
    }

    /// Whether it is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it; returns what was picked.
    pub fn ui(&mut self, ctx: &Context, theme: &Theme, entries: &[Entry]) -> Option<Action> {
        if !self.open {
            return None;
        }
        if self.just_opened {
            // What was typed in the frame of the key itself, before the field has the focus.
            for event in ctx.input(|input| input.events.clone()) {
                if let Event::Text(text) = event {
                    self.query.push_str(&text);
                }
            }
        }
        let found = matches(entries, &self.query);
        let (up, down, enter, escape) = ctx.input_mut(|input| {
            (
                input.consume_key(Modifiers::NONE, Key::ArrowUp),
                input.consume_key(Modifiers::NONE, Key::ArrowDown),
                input.consume_key(Modifiers::NONE, Key::Enter),
                input.consume_key(Modifiers::NONE, Key::Escape),
            )
        });
        let last = found.len().saturating_sub(1);
        if up {
            self.cursor = self.cursor.checked_sub(1).unwrap_or(last);
        }
        if down {
            self.cursor = if self.cursor >= last { 0 } else { self.cursor + 1 };
        }
        self.cursor = self.cursor.min(last);
        let mut picked = if enter { found.get(self.cursor).map(|entry| entry.action.clone()) } else { None };
        let moved = up || down;

        let frame = Frame::popup(&ctx.global_style()).inner_margin(8);
        let width = (ctx.content_rect().width() - 80.0).clamp(280.0, 560.0);
        let area = Area::new(egui::Id::unique("palette"))
            .order(Order::Foreground)
            .anchor(Align2::CENTER_TOP, vec2(0.0, 64.0));
        let shown = area.show(ctx, |ui| {
            frame.show(ui, |ui| {
                ui.set_width(width);
                let edit = TextEdit::singleline(&mut self.query)
                    .hint_text("Search commands, pages, plans and examples")
                    .desired_width(f32::INFINITY)
                    .margin(vec2(10.0, 7.0));
                let response = ui.add(edit);
                name_field(&response, &self.query, "Search for a command");
                if self.just_opened {
                    response.request_focus();
                }
                if response.changed() {
                    self.cursor = 0;
                }
                ui.add_space(space::XS);
                if found.is_empty() {
                    ui.label(
                        RichText::new(format!("Nothing is called “{}”", self.query)).color(theme.text_weak),
                    );
                }
                ScrollArea::vertical().max_height(380.0).auto_shrink([false, true]).show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    for (row, entry) in found.iter().enumerate() {
                        let response = entry_ui(ui, theme, entry, row == self.cursor);
                        if row == self.cursor && moved {
                            response.scroll_to_me(Some(Align::Center));
                        }
                        if response.clicked() {
                            picked = Some(entry.action.clone());
                        }
                    }
                });
            });
        });
        let outside = shown.response.clicked_elsewhere() && !self.just_opened;
        self.just_opened = false;
        if picked.is_some() || escape || outside {
            self.open = false;
        }
        picked
    }
}

fn entry_ui(ui: &mut egui::Ui, theme: &Theme, entry: &Entry, current: bool) -> egui::Response {
    let fill = if current { theme.accent_wash } else { theme::CLEAR };
    let text = RichText::new(&entry.text).color(theme.text_strong);
    let right = if entry.key.is_empty() { &entry.detail } else { &entry.key };
    let mut button = Button::new(text).fill(fill).min_size(vec2(ui.available_width(), 28.0)).truncate();
    if !right.is_empty() {
        button = button.right_text(RichText::new(right).small().color(theme.text_weak));
    }
    let response = ui.add(button);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &entry.text));
    if entry.key.is_empty() || entry.detail.is_empty() {
        response
    } else {
        response.on_hover_text(&entry.detail)
    }
}

/// Everything that can be picked: verbs, use cases, plans, examples and recent files.
#[must_use]
pub fn entries(
    ctx: &Context,
    verbs: &[Verb],
    draft: &ScenarioDraft,
    examples: &[(String, String)],
    recent: &[std::path::PathBuf],
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = verbs
        .iter()
        .filter(|verb| verb.action != Action::Palette)
        .map(|verb| Entry {
            text: verb.text.to_owned(),
            detail: verb.tooltip.to_owned(),
            key: verb.shortcut.map(|shortcut| ctx.format_shortcut(&shortcut)).unwrap_or_default(),
            action: verb.action.clone(),
        })
        .collect();
    let mut add = |text: &str, detail: &str, action| {
        entries.push(Entry { text: text.to_owned(), detail: detail.to_owned(), key: String::new(), action });
    };
    for plan in &draft.plans {
        add(&plan.name, "Plan", Action::GoPlan(plan.id.clone()));
    }
    for use_case in &draft.workload.use_cases {
        add(&use_case.name, "Use case", Action::GoUseCase(use_case.id.clone()));
    }
    for (id, title) in examples {
        add(title, "Example", Action::OpenExample(id.clone()));
    }
    for path in recent {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        add(&name, "Recent file", Action::OpenPath(path.clone()));
    }
    entries
}

/// The entries that match, best first; all in their order for an empty query.
fn matches<'a>(entries: &'a [Entry], query: &str) -> Vec<&'a Entry> {
    let mut scored: Vec<(u32, &Entry)> =
        entries.iter().filter_map(|entry| score(&entry.text, query).map(|score| (score, entry))).collect();
    // Stable: equals keep the order of the list.
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, entry)| entry).take(ROWS_MAX).collect()
}

/// How well a text matches: every letter of the query in order; runs and beginnings of words count more.
///
/// - Returns `None` if a letter is missing; more is better.
fn score(text: &str, query: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let whole = match text.find(query.to_lowercase().trim()) {
        Some(0) => 300,
        Some(at) if text[..at].ends_with(|before: char| !before.is_alphanumeric()) => 200,
        Some(_) => 100,
        None => 0,
    };
    let text: Vec<char> = text.chars().collect();
    let mut from = 0;
    let mut run = 0;
    let mut total = 0;
    for letter in query.to_lowercase().chars().filter(|letter| !letter.is_whitespace()) {
        let at = from + text[from..].iter().position(|other| *other == letter)?;
        let starts_word = at == 0 || !text[at - 1].is_alphanumeric();
        run = if at == from && at > 0 { run + 1 } else { 0 };
        total += 1 + 3 * run + if starts_word { 6 } else { 0 } + if at == 0 { 4 } else { 0 };
        from = at + 1;
    }
    Some(whole + total)
}

/// The action of a key that was pressed, if it is the key of a verb.
#[must_use]
pub fn pressed(ctx: &Context, verbs: &[Verb]) -> Option<Action> {
    // The keys with the most modifiers first: otherwise Ctrl+Shift+Z would be taken for Ctrl+Z.
    let mut keyed: Vec<&Verb> = verbs.iter().filter(|verb| verb.shortcut.is_some()).collect();
    keyed.sort_by_key(|verb| verb.shortcut.is_none_or(|shortcut| !shortcut.modifiers.shift));
    // A slider or a button that has the focus does not type.
    let typing = ctx.text_edit_focused();
    keyed.into_iter().find_map(|verb| {
        // A field that is being typed in has an undo of its own.
        if typing && matches!(verb.action, Action::Undo | Action::Redo) {
            return None;
        }
        let shortcut = verb.shortcut?;
        ctx.input_mut(|input| input.consume_shortcut(&shortcut)).then(|| verb.action.clone())
    })
}

/// The verb of an action.
#[must_use]
pub fn verb_of(action: &Action) -> Option<Verb> {
    action::verbs().into_iter().find(|verb| verb.action == *action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> Vec<String> {
        let entries: Vec<Entry> = action::verbs()
            .into_iter()
            .map(|verb| Entry {
                text: verb.text.to_owned(),
                detail: String::new(),
                key: String::new(),
                action: verb.action,
            })
            .collect();
        matches(&entries, query).into_iter().map(|entry| entry.text.clone()).collect()
    }

    #[test]
    fn a_few_letters_find_the_command_that_one_means() {
        for (query, expected) in [
            ("dark", "Dark theme"),
            ("ark", "Dark theme"),
            ("sens", "Sensitivity"),
            ("brk", "Break-even"),
            ("save as", "Save as…"),
        ] {
            assert_eq!(found(query).first().map(String::as_str), Some(expected), "{query}");
        }
    }

    #[test]
    fn what_lacks_a_letter_is_not_found_and_an_empty_query_finds_all() {
        assert!(found("zzzqqq").is_empty());
        assert_eq!(found("").len(), action::verbs().len().min(ROWS_MAX));
    }
}
