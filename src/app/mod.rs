//! The window: pages that edit a draft and read results, drawn with egui.
//!
//! [`App`] holds the document, the session, the preferences and the live answers; `logic` moves them on, `ui` draws.
//! A page gets `&mut` the draft, `&` everything else ([`view::View`]) and an [`view::Outbox`]; it does no I/O and
//! spawns nothing. What is asked for by menu, key, palette or page is one [`action::Action`] and goes through one
//! place. Colours are written in [`theme`] and nowhere else. Start with [`run`].

pub mod action;
mod adopt;
mod chrome;
mod dialog;
mod dispatch;
mod document;
mod dropped;
mod errands;
mod files;
mod icons;
mod launch;
mod live;
pub mod machine;
mod money;
mod notice;
mod own;
pub mod pages;
mod palette;
mod picture;
mod places;
pub mod plots;
mod prefs;
pub mod readings;
mod recovery;
pub mod sizing;
mod status;
pub mod theme;
pub mod traffic;
pub mod view;
pub mod widgets;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, CentralPanel, Context, Frame, ThemePreference, ViewportCommand};

use crate::catalog::Catalog;
use crate::scenario::ScenarioDraft;
use crate::serving::Calibration;

pub use self::launch::{AppError, AppOptions, run};
pub use self::live::Where;
pub use self::places::Places;
pub use self::prefs::Prefs;

use self::action::{Action, ThemeChoice, Verb};
use self::dialog::Dialog;
use self::document::{Document, Origin};
use self::errands::ErrandRunner;
use self::files::Files;
use self::live::Live;
use self::machine::MachineRunner;
use self::notice::Notices;
use self::palette::Palette;
use self::picture::Pictures;
use self::prefs::PrefsLost;
use self::recovery::Autosave;
use self::theme::Theme;
use self::traffic::TrafficRunner;
use self::view::{Outbox, Session, View};
use self::widgets::Baseline;

/// Below this width, in points, the inspector is a drawer over the page.
const NARROW: f32 = 1000.0;

/// Typing that pauses for so long is a step of the history of its own.
const TYPING_PAUSE: Duration = Duration::from_millis(700);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Setup {
    /// What it opens on.
    pub options: AppOptions,
    /// How it looks.
    pub prefs: Prefs,
    /// What was wrong with the preferences.
    pub lost: Option<PrefsLost>,
    /// Where it keeps things; nowhere by default.
    pub places: Places,
    /// Where slow answers are computed.
    pub place: Where,
}

impl Setup {
    /// Usual preferences, nothing kept, answers on threads.
    #[must_use]
    pub fn new(options: AppOptions) -> Self {
        Self {
            options,
            prefs: Prefs::default(),
            lost: None,
            places: Places::default(),
            place: Where::Threads,
        }
    }
}

/// The window's state.
pub struct App {
    document: Document,
    /// The quantities as the document was opened.
    opened: Baseline,
    session: Session,
    prefs: Prefs,
    live: Live,
    catalog: Cow<'static, Catalog>,
    calibration: Arc<Calibration>,
    places: Places,
    verbs: Vec<Verb>,
    palette: Palette,
    notices: Notices,
    dialog: Option<Dialog>,
    files: Files,
    errands: ErrandRunner,
    traffic: TrafficRunner,
    machine: MachineRunner,
    pictures: Pictures,
    autosave: Option<Autosave>,
    /// What to do once the document is saved.
    after_save: Option<Action>,
    /// Whether the drawer with the inspector is open in a narrow window.
    drawer: bool,
    /// Whether the window may close although something is unsaved.
    may_close: bool,
    /// When the draft last changed.
    changed_at: Instant,
    title: String,
    prefs_written: Prefs,
}

impl App {
    /// The window on what `setup` names; what cannot be opened is said in a notice and the worked example is shown.
    #[must_use]
    pub fn new(ctx: &Context, setup: Setup) -> Self {
        let Setup { options, prefs, lost, places, place } = setup;
        theme::install(ctx);
        let wake = |ctx: &Context| {
            let ctx = ctx.clone();
            move || ctx.request_repaint()
        };
        let mut notices = Notices::default();
        if let Some(lost) = lost {
            notices.add(
                crate::analysis::Severity::Warning,
                "The preferences were put back to usual",
                lost.to_string(),
            );
        }
        let catalog = own::catalog(&places, &mut notices);
        let calibration = own::calibration(&places, &mut notices);
        let document = dispatch::first_document(&options, prefs.last.as_deref(), &mut notices);
        let mut app = Self {
            opened: dispatch::baseline(&document.draft),
            document,
            session: Session::default(),
            live: Live::new(place, wake(ctx)),
            catalog,
            calibration,
            verbs: action::verbs(),
            palette: Palette::default(),
            notices,
            dialog: None,
            files: Files::new(wake(ctx)),
            errands: ErrandRunner::new(place, wake(ctx)),
            traffic: TrafficRunner::new(place, wake(ctx)),
            machine: MachineRunner::new(place, places.measurements(), wake(ctx)),
            pictures: Pictures::default(),
            autosave: places.recovery().map(|folder| Autosave::new(Some(folder))),
            after_save: None,
            drawer: false,
            may_close: false,
            changed_at: Instant::now(),
            title: String::new(),
            prefs_written: prefs.clone(),
            prefs,
            places,
        };
        if let Origin::File(path) = app.document.origin() {
            app.prefs.remember(&path.clone());
        }
        if let Some(found) = app.places.recovery().map(|folder| recovery::find(&folder))
            && !found.is_empty()
        {
            app.dialog = Some(Dialog::Recovery(found));
        }
        app.apply_looks(ctx);
        app.live.update(app.document.revision(), &app.document.snapshot(), &app.catalog, &app.calibration);
        app
    }

    /// The page that is shown.
    #[must_use]
    pub const fn page(&self) -> pages::Page {
        self.session.page
    }

    /// The scenario as it is edited.
    #[must_use]
    pub const fn draft(&self) -> &ScenarioDraft {
        &self.document.draft
    }

    /// Whether draws of the scenario as it stands are shown, be it the first block of them.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.live.forecast().is_some_and(|shown| !shown.stale)
    }

    /// What is pointed at, as every plot of the page shows it.
    #[must_use]
    pub const fn cursor(&self) -> plots::cursor::Cursor {
        self.session.cursor
    }

    /// Name of the scenario as it is edited.
    #[must_use]
    pub fn scenario_name(&self) -> &str {
        &self.document.draft.name
    }

    /// The answer in words, if the scenario has one.
    #[must_use]
    pub const fn verdict(&self) -> Option<&crate::report::Verdict> {
        self.live.verdict()
    }

    fn apply_looks(&self, ctx: &Context) {
        ctx.set_theme(match self.prefs.theme {
            ThemeChoice::System => ThemePreference::System,
            ThemeChoice::Light => ThemePreference::Light,
            ThemeChoice::Dark => ThemePreference::Dark,
        });
        if (ctx.zoom_factor() - self.prefs.zoom).abs() > f32::EPSILON {
            ctx.set_zoom_factor(self.prefs.zoom);
        }
    }

    /// Looks at the draft: a new revision is answered at once, a draft at rest becomes a step of the history.
    fn observe(&mut self, ctx: &Context) {
        let dragging = ctx.input(|input| input.pointer.any_down());
        let typing = ctx.egui_wants_keyboard_input() && self.changed_at.elapsed() < TYPING_PAUSE;
        if self.document.observe(!dragging && !typing) {
            self.changed_at = Instant::now();
            self.live.update(
                self.document.revision(),
                &self.document.snapshot(),
                &self.catalog,
                &self.calibration,
            );
            ctx.request_repaint();
            ctx.request_repaint_after(TYPING_PAUSE + Duration::from_millis(20));
        }
    }

    fn poll(&mut self, ctx: &Context) {
        let (failures, again) = self.live.poll();
        for failure in failures {
            self.notices.error(failure, "The last answers are kept. Change something to try again.");
        }
        if let Some(again) = again {
            ctx.request_repaint_after(again);
        }
        self.traffic.poll();
        if let Some(fitted) = self.errands.poll(&mut self.notices) {
            self.trace_fitted(&fitted);
        }
        self.machine.poll(&mut self.notices);
        if let Some((purpose, answer)) = self.files.poll() {
            self.file_answered(ctx, purpose, answer);
        }
        self.session.still = self.pictures.is_waiting();
        if let Some(taken) = self.pictures.tick(ctx) {
            self.picture_taken(ctx, taken);
        }
        if self.files.is_open() {
            ctx.request_repaint_after(Duration::from_secs(1));
        }
        let dirty = self.document.is_dirty();
        if let Some(autosave) = &mut self.autosave {
            let snapshot = self.document.snapshot();
            if let Some(why) = autosave.tick(&snapshot, dirty, self.document.path()) {
                self.notices.error("Unsaved work could not be put aside for recovery", why);
            }
            if dirty && let Some(due) = autosave.due_in(&snapshot) {
                ctx.request_repaint_after(due);
            }
        }
    }

    fn title(&mut self, ctx: &Context) {
        let mark = if self.document.is_dirty() { "• " } else { "" };
        let title = format!("{mark}{} – Breakeven", self.document.draft.name);
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// A window that wants to close while something is unsaved is asked to wait.
    fn guard_close(&mut self, ctx: &Context) {
        if !ctx.input(|input| input.viewport().close_requested()) {
            return;
        }
        self.document.observe(true);
        if self.document.is_dirty() && !self.may_close {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.dialog = Some(Dialog::Unsaved(Action::Quit));
        }
    }

    fn take_drops(&mut self, ctx: &Context) {
        let dropped = ctx.input(|input| {
            input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect::<Vec<_>>()
        });
        if dropped.len() > 1 {
            self.notices.note(format!("{} files were dropped; the first one is taken", dropped.len()));
        }
        if let Some(path) = dropped.first() {
            self.dropped(ctx, path);
        }
    }

    fn remember_window(&mut self, ctx: &Context) {
        let (size, maximized) = ctx.input(|input| {
            let viewport = input.viewport();
            (viewport.inner_rect.map(|rect| rect.size()), viewport.maximized)
        });
        self.prefs.maximized = maximized.unwrap_or(false);
        // The rectangle is in points of the current zoom; the window is made in points of the screen.
        if let Some(size) = size.filter(|size| !self.prefs.maximized && size.min_elem() > 0.0) {
            self.prefs.window = [size.x * self.prefs.zoom, size.y * self.prefs.zoom];
        }
    }

    fn write_prefs(&mut self) {
        if let Some(path) = self.places.preferences()
            && self.prefs != self.prefs_written
        {
            self.prefs_written = self.prefs.clone();
            if let Err(error) = self.prefs.write(&path) {
                self.notices
                    .error("The preferences could not be kept", format!("{error}: {}", path.display()));
            }
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.poll(ctx);
        self.guard_close(ctx);
        self.title(ctx);
        self.remember_window(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let theme = Theme::of(&ctx);
        money::show_in(&ctx, self.live.currency());
        let modal = self.dialog.is_some();
        if !modal {
            self.take_drops(&ctx);
            if let Some(action) = palette::pressed(&ctx, &self.verbs) {
                self.act(&ctx, action);
            }
        }
        let mut out = Outbox::default();
        self.top_bar_ui(ui, &theme, &mut out);
        let status_height = self.status_bar_ui(ui, &theme, &mut out);
        self.navigation_ui(ui, &theme, &mut out);
        let narrow = ctx.content_rect().width() < NARROW;
        if !narrow {
            self.inspector_panel_ui(ui, &theme, &mut out);
            self.observe(&ctx);
        }
        let frame = Frame::new().fill(theme.surface).inner_margin(theme::page_margin());
        CentralPanel::default().frame(frame).show(ui, |ui| self.page_ui(ui, &theme, &mut out));
        if narrow {
            self.drawer_ui(&ctx, &theme, status_height, &mut out);
        }
        self.observe(&ctx);
        self.palette_ui(&ctx, &theme, &mut out);
        self.dialog_ui(&ctx, &theme, &mut out);
        self.late_dialog_ui(&ctx, &theme);
        self.hovering_file_ui(&ctx, &theme);
        self.notices.ui(&ctx, &theme, status_height);
        for action in out.take() {
            self.act(&ctx, action);
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn on_exit(&mut self) {
        self.prefs.last = self.document.path().map(std::path::Path::to_owned);
        self.write_prefs();
        if let Some(autosave) = self.autosave.take() {
            autosave.finish();
        }
    }
}

/// Draws a part of the window that edits the draft and reads results.
type Seen = fn(&mut egui::Ui, &mut ScenarioDraft, &mut Session, &View<'_>, &mut Outbox);

impl App {
    fn page_ui(&mut self, ui: &mut egui::Ui, theme: &Theme, out: &mut Outbox) {
        self.seen_ui(ui, theme, out, pages::ui);
    }

    fn inspector_ui(&mut self, ui: &mut egui::Ui, theme: &Theme, out: &mut Outbox) {
        self.seen_ui(ui, theme, out, pages::inspector_ui);
    }

    /// Draws with everything that a page may see.
    fn seen_ui(&mut self, ui: &mut egui::Ui, theme: &Theme, out: &mut Outbox, draw: Seen) {
        let Self {
            document,
            opened,
            session,
            live,
            catalog,
            calibration,
            errands,
            traffic,
            machine,
            prefs,
            ..
        } = self;
        let view = View {
            outcome: live.outcome(),
            forecast: live.forecast(),
            break_even: live.break_even(),
            sensitivity: live.sensitivity(),
            verdict: live.verdict(),
            problems: live.problems(),
            opened,
            catalog,
            calibration,
            revision: document.revision(),
            theme,
            errands: errands.answers(),
            traffic: traffic.shown(),
            machine: machine.shown(),
            recent: &prefs.recent,
        };
        ui.push_id(session.page, |ui| draw(ui, &mut document.draft, session, &view, out));
    }
}
