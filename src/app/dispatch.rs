//! Where every action ends: opening, saving, moving, and the like.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use eframe::egui::{Context, ViewportCommand};

use super::action::Action;
use super::dialog::Dialog;
use super::document::{Document, Origin};
use super::files::{Answer, Purpose, proposed_name};
use super::notice::Notices;
use super::pages::Page;
use super::places::Places;
use super::prefs::ZOOM;
use super::recovery::{self, Found};
use super::widgets::Baseline;
use super::{App, AppOptions};
use crate::analysis::Severity;
use crate::catalog::Catalog;
use crate::io::{fidelity_rows, overlay, presets, scenario as file};
use crate::report;
use crate::scenario::ScenarioDraft;
use crate::scenario::fitted::{Taken, TakenLengths, apply};
use crate::stats::quantities::{self, Quantified as _};
use crate::workload::fit::TraceFit;

/// One step of zoom.
const ZOOM_STEP: f32 = 0.1;

/// The catalogue, with the user's own rows if there are any.
pub(super) fn catalog(places: &Places, notices: &mut Notices) -> Cow<'static, Catalog> {
    let shipped = Catalog::shipped();
    let Some(path) = places.catalog().filter(|path| path.exists()) else { return Cow::Borrowed(shipped) };
    match overlay::read(shipped, &path) {
        Ok(catalog) => Cow::Owned(catalog),
        Err(why) => {
            notices.error("Your own catalogue was left out", why.to_string());
            Cow::Borrowed(shipped)
        }
    }
}

/// The quantities of a draft by their paths: what a field is reset to.
pub(super) fn baseline(draft: &ScenarioDraft) -> Baseline {
    let mut opened = Baseline::new();
    draft.each(&mut quantities::Path::default(), &mut |path, value| {
        opened.insert(path.as_str().to_owned(), value.clone());
    });
    opened
}

/// What the window opens on.
pub(super) fn first_document(options: &AppOptions, last: Option<&Path>, notices: &mut Notices) -> Document {
    let last = last.filter(|path| options.preset.is_none() && path.exists());
    if let Some(path) = options.file.as_deref().or(last) {
        match file::read(path) {
            Ok(draft) => return Document::new(draft, Origin::File(path.to_owned()), 1),
            Err(error) => notices.error("Cannot open the scenario", with_remedy(&error)),
        }
    }
    let id = options.preset.as_deref().unwrap_or(presets::DEFAULT);
    match presets::load(id) {
        Ok(draft) => Document::new(draft, Origin::Example(id.to_owned()), 1),
        Err(error) => {
            notices.error("Cannot open the example", error.to_string());
            match presets::load(presets::DEFAULT) {
                Ok(draft) => Document::new(draft, Origin::Example(presets::DEFAULT.to_owned()), 1),
                Err(_) => Document::new(ScenarioDraft::new("New scenario"), Origin::New, 1),
            }
        }
    }
}

/// What a thing that is dropped on the window is for: a model's configuration, measurements, or a scenario.
pub(super) fn dropped(path: PathBuf, page: Page) -> Action {
    let ends = |end: &str| path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case(end));
    if path.is_dir() && !path.join("config.json").exists() {
        Action::Measure(Some(path))
    } else if path.is_dir() || ends("json") {
        Action::ReadConfig(path)
    } else if ends("csv") && page == Page::Trust {
        Action::Measure(Some(path.parent().map_or_else(PathBuf::new, Path::to_owned)))
    } else {
        Action::OpenPath(path)
    }
}

fn with_remedy(error: &file::ScenarioFileError) -> String {
    error.to_string()
}

impl App {
    /// Does what was asked for by menu, key, palette or page.
    pub(super) fn act(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::New | Action::Open | Action::OpenPath(_) | Action::OpenExample(_) | Action::Quit => {
                self.leave_for(ctx, action);
            }
            Action::Save => self.save(ctx),
            Action::SaveAs => self.ask_where_to_save(),
            Action::Undo => self.step(Document::undo),
            Action::Redo => self.step(Document::redo),
            Action::Palette => self.palette.open(),
            Action::Go(page) => self.session.page = page,
            Action::GoUseCase(id) => {
                (self.session.page, self.session.use_case) = (Page::Workload, Some(id));
            }
            Action::GoPlan(id) => (self.session.page, self.session.plan) = (Page::Plans, Some(id)),
            Action::Theme(choice) => {
                self.prefs.theme = choice;
                self.looks_changed(ctx);
            }
            Action::ZoomIn => self.zoom(ctx, self.prefs.zoom + ZOOM_STEP),
            Action::ZoomOut => self.zoom(ctx, self.prefs.zoom - ZOOM_STEP),
            Action::ZoomReset => self.zoom(ctx, 1.0),
            Action::ToggleNavigation => self.prefs.navigation ^= true,
            Action::ToggleInspector => {
                if ctx.content_rect().width() < super::NARROW {
                    self.drawer ^= true;
                } else {
                    self.prefs.inspector ^= true;
                }
            }
            Action::StopForecast => self.live.stop(),
            Action::RunForecast => self.live.draw(),
            Action::CopyDecision => self.copy_decision(ctx),
            Action::CopyScenario => {
                ctx.copy_text(file::to_text(&self.document.draft));
                self.notices.note("The scenario is in the clipboard");
            }
            Action::CountTokens { tag, text, encoding } => self.errands.count(tag, text, &encoding),
            Action::FitTrace { use_case, path: Some(path) } => self.errands.fit(use_case, path),
            Action::FitTrace { use_case, path: None } => self.ask_for(&Purpose::Trace(use_case), ""),
            Action::ReadConfig(path) => {
                self.errands.read_config(path);
                self.session.page = Page::Serving;
            }
            Action::Measure(Some(folder)) => {
                self.errands.study(folder);
                self.session.page = Page::Trust;
            }
            Action::Measure(None) => self.ask_for(&Purpose::Measurements, ""),
            Action::SaveRows => self.ask_for(&Purpose::Rows, "predicted-against-published.csv"),
            Action::Help => self.dialog = Some(Dialog::Help),
            Action::About => self.dialog = Some(Dialog::About),
        }
    }

    fn step(&mut self, which: impl FnOnce(&mut Document) -> bool) {
        if which(&mut self.document) {
            self.live.update(self.document.revision(), &self.document.snapshot(), &self.catalog);
        }
    }

    fn zoom(&mut self, ctx: &Context, zoom: f32) {
        self.prefs.zoom = ((zoom * 10.0).round() / 10.0).clamp(*ZOOM.start(), *ZOOM.end());
        self.looks_changed(ctx);
    }

    fn looks_changed(&mut self, ctx: &Context) {
        self.apply_looks(ctx);
        self.write_prefs();
    }

    /// Leaves the document; asks first if something would be lost.
    fn leave_for(&mut self, ctx: &Context, action: Action) {
        self.document.observe(true);
        if self.document.is_dirty() {
            self.dialog = Some(Dialog::Unsaved(action));
        } else {
            self.leave(ctx, action);
        }
    }

    /// Leaves the document, whatever becomes of it.
    pub(super) fn leave(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::New => self.show(ScenarioDraft::new("New scenario"), Origin::New, Page::Workload),
            Action::Open => self.ask_for(&Purpose::Open, ""),
            Action::OpenPath(path) => self.open(&path),
            Action::OpenExample(id) => match presets::load(&id) {
                Ok(draft) => self.show(draft, Origin::Example(id), Page::Overview),
                Err(error) => self.notices.error("Cannot open the example", error.to_string()),
            },
            Action::Quit => {
                self.may_close = true;
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            other => self.act(ctx, other),
        }
    }

    fn show(&mut self, draft: ScenarioDraft, origin: Origin, page: Page) {
        self.opened = baseline(&draft);
        self.document = Document::new(draft, origin, self.document.revision() + 1);
        // What was looked at beside the document stays in hand.
        let (serving, trust) = (self.session.serving.clone(), self.session.trust.clone());
        self.session = super::view::Session { page, serving, trust, ..Default::default() };
        self.live.forget();
        self.live.update(self.document.revision(), &self.document.snapshot(), &self.catalog);
    }

    fn open(&mut self, path: &Path) {
        match file::read(path) {
            Ok(draft) => {
                self.prefs.remember(path);
                self.write_prefs();
                self.show(draft, Origin::File(path.to_owned()), Page::Overview);
            }
            Err(error) => self.notices.error("Cannot open the scenario", with_remedy(&error)),
        }
    }

    /// Opens unsaved work that was found.
    pub(super) fn recover(&mut self, found: &Found) {
        match file::read(&found.copy) {
            Ok(draft) => {
                self.show(draft, Origin::Recovered(found.path.clone()), Page::Overview);
                recovery::discard(&found.copy);
                self.notices.note("Recovered; save it to keep it");
            }
            Err(error) => self.notices.error("Cannot recover the unsaved work", with_remedy(&error)),
        }
    }

    fn folder(&self) -> Option<PathBuf> {
        let of = |path: &Path| path.parent().filter(|folder| folder.is_dir()).map(Path::to_owned);
        self.document.path().and_then(of).or_else(|| self.prefs.recent.first().and_then(|path| of(path)))
    }

    fn ask_for(&mut self, purpose: &Purpose, name: &str) {
        if !self.files.is_open() {
            self.files.ask(purpose, self.folder().as_deref(), name);
        }
    }

    fn ask_where_to_save(&mut self) {
        let name = self.document.path().and_then(Path::file_name).map_or_else(
            || proposed_name(&self.document.draft.name),
            |name| name.to_string_lossy().into_owned(),
        );
        self.ask_for(&Purpose::Save, &name);
    }

    /// Saves, and then does what waited for it.
    pub(super) fn save(&mut self, ctx: &Context) {
        match self.document.path().map(Path::to_owned) {
            Some(path) => self.save_to(ctx, path),
            None => self.ask_where_to_save(),
        }
    }

    fn save_to(&mut self, ctx: &Context, path: PathBuf) {
        self.document.observe(true);
        let snapshot = self.document.snapshot();
        match file::save(&path, &snapshot) {
            Ok(()) => {
                self.prefs.remember(&path);
                self.write_prefs();
                self.notices.note(format!("Saved to {}", path.display()));
                self.document.saved_as(path, snapshot);
                if let Some(action) = self.after_save.take() {
                    self.leave(ctx, action);
                }
            }
            Err(error) => {
                self.after_save = None;
                self.notices.error("Cannot save the scenario", error.to_string());
            }
        }
    }

    /// Saves first, then leaves.
    pub(super) fn save_then(&mut self, ctx: &Context, action: Action) {
        self.after_save = Some(action);
        self.save(ctx);
    }

    /// A dialog of the system, or our own field, was answered.
    pub(super) fn file_answered(&mut self, ctx: &Context, purpose: Purpose, answer: Answer) {
        match answer {
            Answer::Picked(path) => match purpose {
                Purpose::Open => self.open(&path),
                Purpose::Save => {
                    let path = if path.extension().is_none() { path.with_extension("ron") } else { path };
                    self.save_to(ctx, path);
                }
                Purpose::Trace(use_case) => self.errands.fit(use_case, path),
                Purpose::Measurements => self.act(ctx, Action::Measure(Some(path))),
                Purpose::Rows => self.save_rows(&path),
            },
            Answer::Nothing => self.after_save = None,
            Answer::NoDialog => {
                let folder = self.folder().unwrap_or_else(|| std::env::current_dir().unwrap_or_default());
                let text = match &purpose {
                    Purpose::Save => folder.join(proposed_name(&self.document.draft.name)),
                    Purpose::Rows => folder.join("predicted-against-published.csv"),
                    Purpose::Open | Purpose::Trace(_) | Purpose::Measurements => folder.join(""),
                };
                self.dialog = Some(Dialog::Path { purpose, text: text.display().to_string() });
            }
        }
    }

    /// Writes predicted against published, row by row.
    fn save_rows(&mut self, path: &Path) {
        let Some(Ok(study)) = self.errands.answers().readings.study.as_ref().map(|read| &read.result) else {
            self.notices.error("There are no rows to write yet", "Choose a folder of measured tables first.");
            return;
        };
        let rows = study.compared.len();
        let written = std::fs::File::create(path)
            .and_then(|file| fidelity_rows::write(std::io::BufWriter::new(file), &study.compared));
        match written {
            Ok(()) => self.notices.note(format!("{rows} rows are written to {}", path.display())),
            Err(error) => {
                self.notices.error("Cannot write the rows", format!("{error}: {}", path.display()));
            }
        }
    }

    /// Takes over what a trace says about a use case, once it has been read.
    pub(super) fn trace_fitted(&mut self, use_case: &str, path: &Path, fit: &TraceFit) {
        let found = self.document.draft.workload.use_cases.iter_mut().find(|known| known.id == use_case);
        let Some(found) = found else {
            self.notices.error("The trace was read, but its use case is gone", path.display().to_string());
            return;
        };
        apply(fit, found, Taken { arrivals: true, start_hour: 0, lengths: TakenLengths::Chosen });
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let mut details = format!("{} requests; prompts and answers as in the trace.", fit.arrivals.requests);
        for note in &fit.notes {
            details.push_str(&format!(" {note}"));
        }
        self.notices.add(Severity::Note, format!("“{}” now follows {name}", found.name), details);
        self.document.observe(true);
        self.live.update(self.document.revision(), &self.document.snapshot(), &self.catalog);
    }

    fn copy_decision(&mut self, ctx: &Context) {
        let Some(outcome) = self.live.outcome() else {
            self.notices
                .error("There is no decision to copy yet", "Resolve the problems of the scenario first.");
            return;
        };
        let forecast = self.live.forecast().map(|shown| shown.value);
        let break_even = self.live.break_even().map(|shown| shown.value);
        ctx.copy_text(report::decision(&self.document.draft.name, outcome.value, forecast, break_even));
        self.notices.note("The decision is in the clipboard");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_decides_what_is_done_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let measured = folder.path().to_owned();
        let config = measured.join("config.json");
        assert_eq!(dropped(measured.clone(), Page::Overview), Action::Measure(Some(measured.clone())));
        assert_eq!(dropped(config.clone(), Page::Overview), Action::ReadConfig(config.clone()));
        let table = measured.join("a.csv");
        assert_eq!(dropped(table, Page::Trust), Action::Measure(Some(measured.clone())));
        let scenario = measured.join("a.ron");
        assert_eq!(dropped(scenario.clone(), Page::Trust), Action::OpenPath(scenario));
        std::fs::write(&config, "{}").unwrap();
        assert_eq!(dropped(measured.clone(), Page::Overview), Action::ReadConfig(measured));
    }
}
