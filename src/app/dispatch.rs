//! Where every action ends: opening, saving, moving, and the like.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Context, ViewportCommand};

use super::action::Action;
use super::dialog::Dialog;
use super::document::{Document, Origin};
use super::errands::Fitted;
use super::files::{Answer, Purpose, proposed_name};
use super::notice::Notices;
use super::pages::Page;
use super::picture::{self, Taken as Picture, Target};
use super::prefs::ZOOM;
use super::recovery::{self, Found};
use super::widgets::Baseline;
use super::{App, AppOptions};
use crate::analysis::Severity;
use crate::io::{fidelity_rows, presets, scenario as file};
use crate::report;
use crate::scenario::ScenarioDraft;
use crate::scenario::fitted::{Taken, apply};
use crate::stats::quantities::{self, Quantified as _};

/// What to do about a file that cannot be written.
const ELSEWHERE: &str = "Choose a folder that exists and that you may write to.";

/// One step of zoom.
const ZOOM_STEP: f32 = 0.1;

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

/// A file name for a plot.
fn plot_name(scenario: &str, plot: &str, extension: &str) -> String {
    proposed_name(&format!("{scenario} {plot}"), extension)
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
            Action::CopyTable { name, csv } => {
                ctx.copy_text(csv);
                self.notices.note(format!("{name}: the data are in the clipboard"));
            }
            Action::SaveTable { name, csv } => {
                self.save_plot(name, csv.into_bytes(), "csv");
            }
            Action::SaveJson { name, json } => self.save_plot(name, json.into_bytes(), "json"),
            Action::Picture { name, rect, target } => self.pictures.want(name, rect, target),
            Action::CountTokens { tag, text, encoding, split } => {
                self.errands.count(tag, text, &encoding, split);
            }
            Action::FitTrace { use_case, path: Some(path) } => self.errands.fit(use_case, path),
            Action::FitTrace { use_case, path: None } => self.ask_for(&Purpose::Trace(use_case), ""),
            Action::ApplyFit { use_case, taken } => self.apply_fit(&use_case, taken),
            Action::DropFit { use_case } => self.errands.forget_fit(&use_case),
            Action::ReadConfig(path) => {
                self.errands.read_config(path);
                self.session.page = Page::Serving;
            }
            Action::Size(wish) => {
                let (scenario, revision) = (self.live.scenario(), self.document.revision());
                self.errands.size(
                    wish,
                    revision,
                    scenario,
                    self.catalog.clone().into_owned(),
                    &self.calibration,
                );
            }
            Action::StopErrands => self.errands.stop(),
            Action::Measure(Some(folder)) => {
                self.errands.study(folder, Arc::clone(&self.calibration));
                self.session.page = Page::Trust;
            }
            Action::Measure(None) => self.ask_for(&Purpose::Measurements, ""),
            Action::ReadBandwidths(Some(path)) => {
                self.errands.read_bandwidths(path);
                self.session.page = Page::ThisMachine;
            }
            Action::ReadBandwidths(None) => self.ask_for(&Purpose::Bandwidths, ""),
            Action::SaveRows => self.ask_for(&Purpose::Rows, "predicted-against-published.csv"),
            Action::Simulate { asks, trace, needed } => {
                if let Some(scenario) = self.live.scenario() {
                    let (revision, catalog) =
                        (self.document.revision(), self.catalog.clone().into_owned().into());
                    self.traffic.start(revision, scenario, catalog, asks, trace, needed);
                }
            }
            Action::ChooseReplay => self.ask_for(&Purpose::Replay, ""),
            Action::LookAtTrace(ask) => self.traffic.look(*ask),
            Action::PauseSimulation(paused) => self.traffic.pause(paused),
            Action::StopSimulation => self.traffic.stop(),
            Action::UseSimulated(plan) => self.use_simulated(&plan),
            Action::ListDevices => self.machine.list(),
            Action::MeasureDevice { device, pace } => self.machine.measure(device, pace),
            Action::StopMeasuring => self.machine.stop(),
            Action::ShowRun(began) => self.machine.pick(&began),
            Action::AdoptDevice(row) => self.adopt_device(*row),
            Action::Help => self.dialog = Some(Dialog::Help),
            Action::About => self.dialog = Some(Dialog::About),
        }
    }

    /// Takes a trace in hand on the page *Traffic*.
    pub(super) fn replay(&mut self, path: PathBuf) {
        self.session.traffic.trace.take(path);
        self.session.page = Page::Traffic;
    }

    /// Writes what was simulated into a plan: a step that can be taken back.
    fn use_simulated(&mut self, plan: &str) {
        let shown = self.traffic.shown();
        let Some(played) = shown.played.iter().find(|played| played.traffic.plan == plan) else { return };
        self.document.draft =
            crate::analysis::traffic::with_findings(&self.document.draft, &played.traffic, &played.needed);
        self.notices
            .note(format!("{}: computed with what was simulated; undo takes it back", played.traffic.name));
    }

    fn step(&mut self, which: impl FnOnce(&mut Document) -> bool) {
        if which(&mut self.document) {
            self.live.update(
                self.document.revision(),
                &self.document.snapshot(),
                &self.catalog,
                &self.calibration,
            );
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
        self.errands.forget();
        self.traffic.forget();
        self.live.forget();
        self.live.update(
            self.document.revision(),
            &self.document.snapshot(),
            &self.catalog,
            &self.calibration,
        );
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
            || proposed_name(&self.document.draft.name, "ron"),
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
                self.notices.error("Cannot save the scenario", format!("{error}. {ELSEWHERE}"));
            }
        }
    }

    /// Asks where a plot is to be saved.
    fn save_plot(&mut self, name: String, bytes: Vec<u8>, extension: &'static str) {
        let proposed = plot_name(&self.document.draft.name, &name, extension);
        self.ask_for(&Purpose::Plot { name, bytes, extension }, &proposed);
    }

    /// A picture was taken.
    pub(super) fn picture_taken(&mut self, ctx: &Context, taken: Picture) {
        let Picture { name, target, image } = taken;
        let Some(image) = image else {
            let why = "It is not in the window; scroll to it and ask again.";
            self.notices.error(format!("{name}: there is no picture"), why);
            return;
        };
        match target {
            Target::Clipboard => {
                ctx.copy_image(image);
                self.notices.note(format!("{name}: the picture is in the clipboard"));
            }
            Target::File => match picture::png(&image) {
                Ok(bytes) => self.save_plot(name, bytes, "png"),
                Err(error) => self.notices.error("Cannot save the plot", error.to_string()),
            },
        }
    }

    /// Writes a plot that was asked for.
    fn write_plot(&mut self, name: &str, path: &Path, bytes: &[u8]) {
        match file::replace(path, |file| file.write_all(bytes)) {
            Ok(()) => self.notices.note(format!("{name}: saved to {}", path.display())),
            Err(error) => {
                self.notices.error("Cannot save the plot", format!("{error}. {ELSEWHERE}"));
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
            Answer::Picked(path) => {
                let bare = purpose.writes() && path.extension().is_none();
                let path = if bare { path.with_extension(purpose.extension()) } else { path };
                match purpose {
                    Purpose::Open => self.open(&path),
                    Purpose::Save => self.save_to(ctx, path),
                    Purpose::Trace(use_case) => self.errands.fit(use_case, path),
                    Purpose::Replay => self.replay(path),
                    Purpose::Plot { name, bytes, .. } => self.write_plot(&name, &path, &bytes),
                    Purpose::Measurements => self.act(ctx, Action::Measure(Some(path))),
                    Purpose::Bandwidths => self.act(ctx, Action::ReadBandwidths(Some(path))),
                    Purpose::Rows => self.save_rows(&path),
                }
            }
            Answer::Nothing => self.after_save = None,
            Answer::NoDialog => {
                let folder = self.folder().unwrap_or_else(|| std::env::current_dir().unwrap_or_default());
                let text = match &purpose {
                    Purpose::Save => folder.join(proposed_name(&self.document.draft.name, "ron")),
                    Purpose::Plot { name, extension, .. } => {
                        folder.join(plot_name(&self.document.draft.name, name, extension))
                    }
                    Purpose::Rows => folder.join("predicted-against-published.csv"),
                    Purpose::Open
                    | Purpose::Trace(_)
                    | Purpose::Replay
                    | Purpose::Measurements
                    | Purpose::Bandwidths => folder.join(""),
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

    /// Shows what a trace says, once it has been read; nothing is changed by it.
    pub(super) fn trace_fitted(&mut self, fitted: &Fitted) {
        let Fitted { use_case, path, .. } = fitted;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        if !self.document.draft.workload.use_cases.iter().any(|known| known.id == *use_case) {
            self.errands.forget_fit(use_case);
            self.notices.error("The trace was read, but its use case is gone", path.display().to_string());
        } else if self.session.page == Page::Workload {
            self.session.use_case = Some(use_case.clone());
        } else {
            self.notices.note(format!("{name} was read: its fit waits on the page Workload"));
        }
    }

    /// Takes over what a trace says about a use case: one step of the history.
    fn apply_fit(&mut self, use_case: &str, taken: Taken) {
        let Some((path, fit)) = self.errands.answers().fits.get(use_case) else { return };
        let found = self.document.draft.workload.use_cases.iter_mut().find(|known| known.id == use_case);
        let Some(found) = found else { return };
        apply(fit, found, taken);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let text = format!("“{}” now follows {name}", found.name);
        self.notices.add(Severity::Note, text, "Undo takes it back.");
        self.document.observe(true);
        self.live.update(
            self.document.revision(),
            &self.document.snapshot(),
            &self.catalog,
            &self.calibration,
        );
    }

    fn copy_decision(&mut self, ctx: &Context) {
        let Some(outcome) = self.live.outcome() else {
            self.notices
                .error("There is no decision to copy yet", "Resolve the problems of the scenario first.");
            return;
        };
        let forecast = self.live.forecast().map(|shown| shown.value);
        let break_even = self.live.break_even().map(|shown| shown.value);
        let (name, money) = (&self.document.draft.name, self.document.draft.settings.money());
        ctx.copy_text(report::decision(name, outcome.value, forecast, break_even, &money));
        self.notices.note("The decision is in the clipboard");
    }
}
