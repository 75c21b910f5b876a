//! What the page plays: the modelled workload, or a recorded trace with how it is replayed.

use std::path::PathBuf;

use eframe::egui::{Button, ComboBox, Key, Label, RichText, TextEdit, Ui};

use crate::analysis::Severity;
use crate::app::action::Action;
use crate::app::theme::{Theme, severity_sign, space};
use crate::app::traffic::{Looked, Need, TraceAsk};
use crate::app::view::{Outbox, View};
use crate::app::widgets::{number, whole};
use crate::io::replay::{ColumnMap, ReplayAccount, ReplayOptions, TraceLook};
use crate::scenario::ScenarioDraft;
use crate::unit::format::{self, Unit};

/// A recorded trace as the page has it in hand.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceWish {
    /// Whether it is played in place of the modelled workload.
    pub on: bool,
    /// The path, as it is typed.
    typed: String,
    /// The file that was chosen.
    path: Option<PathBuf>,
    /// Which column is what, where the names do not tell.
    columns: ColumnMap,
    /// Length of prompts and answers against the trace's.
    prompt: f64,
    output: f64,
    /// Where in the trace to begin, in seconds.
    from_secs: f64,
    /// How often it is played.
    repeat: u32,
    /// Id of the use case whose route and targets it takes.
    use_case: Option<String>,
    /// New sessions per hour.
    sessions_per_hour: f64,
    /// `PROMPT:OUTPUT` or the path of a table, as typed.
    lengths: String,
    /// The pool to play, as typed.
    pool: String,
}

impl Default for TraceWish {
    fn default() -> Self {
        Self {
            on: false,
            typed: String::new(),
            path: None,
            columns: ColumnMap::default(),
            prompt: 1.0,
            output: 1.0,
            from_secs: 0.0,
            repeat: 1,
            use_case: None,
            sessions_per_hour: 0.0,
            lengths: String::new(),
            pool: String::new(),
        }
    }
}

impl TraceWish {
    /// Takes a file in hand; what was said about the columns of another is forgotten.
    pub fn take(&mut self, path: PathBuf) {
        if self.path.as_ref() != Some(&path) {
            self.columns = ColumnMap::default();
        }
        self.typed = path.display().to_string();
        self.path = Some(path);
        self.on = true;
    }

    /// What is to be replayed, at so many requests per time against the trace's; `None` while no file is chosen.
    pub fn ask(&self, rate: f64, seed: u64) -> Option<TraceAsk> {
        let options = ReplayOptions {
            rate,
            prompt: self.prompt,
            output: self.output,
            from_secs: self.from_secs.max(0.0),
            repeat: self.repeat.max(1),
            columns: self.columns.clone(),
            sessions_per_hour: (self.sessions_per_hour > 0.0).then_some(self.sessions_per_hour),
            lengths: if self.lengths.trim().is_empty() { None } else { self.lengths.parse().ok() },
            pool: Some(self.pool.trim().to_owned()).filter(|pool| !pool.is_empty()),
            seed,
            ..ReplayOptions::default()
        };
        Some(TraceAsk { path: self.path.clone()?, options, use_case: self.use_case.clone() })
    }

    /// What has to be read to say what is in the file: neither rate nor lengths nor repetition change that.
    fn look(&self) -> Option<TraceAsk> {
        let plain =
            Self { prompt: 1.0, output: 1.0, from_secs: 0.0, repeat: 1, use_case: None, ..self.clone() };
        plain.ask(1.0, 1)
    }

    /// What was read of it, if that is of the file as it is in hand.
    pub fn read<'a>(&self, view: &View<'a>) -> Option<&'a Looked> {
        let look = self.look()?;
        view.traffic.look.as_ref().filter(|looked| looked.ask == look)
    }
}

/// Draws the choice of the source, and of the trace.
pub fn source_ui(
    ui: &mut Ui,
    draft: &ScenarioDraft,
    wish: &mut TraceWish,
    view: &View<'_>,
    out: &mut Outbox,
) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Play").color(theme.text_weak));
        ui.selectable_value(&mut wish.on, false, "Modelled workload");
        ui.selectable_value(&mut wish.on, true, "Recorded trace")
            .on_hover_text("Azure, BurstGPT, Mooncake, agent sessions, engine logs, rates per window, or any CSV or JSON lines");
        if wish.on {
            file_ui(ui, wish, out);
        }
    });
    if !wish.on {
        return;
    }
    if let Some(look) = wish.look().filter(|look| view.traffic.looked_at() != Some(look)) {
        out.send(Action::LookAtTrace(Box::new(look)));
    }
    let looked = wish.read(view);
    if let (Some((_, read)), None) = (&view.traffic.looking, looked) {
        ui.horizontal(|ui| {
            ui.spinner();
            let text = format!("Reading the trace: {} requests", format::count(*read as f64));
            ui.label(RichText::new(text).small().color(theme.text_weak));
        });
    }
    let Some(looked) = looked else { return };
    match &looked.result {
        Ok(look) => {
            let text = look_words(look);
            ui.add(Label::new(RichText::new(text).color(theme.text)).wrap());
            faults_ui(ui, &look.account);
            ui.horizontal_wrapped(|ui| {
                needs_ui(ui, wish, looked);
                how_ui(ui, draft, wish);
            });
        }
        Err(unread) => {
            let text = format!("{} {}", severity_sign(Severity::Error), unread.why);
            ui.add(Label::new(RichText::new(text).color(theme.violation)).wrap());
            ui.horizontal_wrapped(|ui| needs_ui(ui, wish, looked));
        }
    }
}

fn file_ui(ui: &mut Ui, wish: &mut TraceWish, out: &mut Outbox) {
    let hint = "A trace; type its path, or drop it here";
    let width = (ui.available_width() - 200.0).clamp(140.0, 420.0);
    let field = ui.add(TextEdit::singleline(&mut wish.typed).hint_text(hint).desired_width(width));
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Path of the trace"));
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let ready = !wish.typed.trim().is_empty();
    if ui.add_enabled(ready, Button::new("Read")).clicked() || (entered && ready) {
        wish.take(wish.typed.trim().into());
    }
    if ui.button("Choose a trace…").clicked() {
        out.send(Action::ChooseReplay);
    }
}

/// What is in a trace, in a sentence.
fn look_words(look: &TraceLook) -> String {
    let account = &look.account;
    let rate = account.requests as f64 / account.span_secs.max(1e-9);
    let rate = if account.span_secs > 0.0 {
        format!(" over {}, {} per second", format::secs(account.span_secs), format::significant(rate, 3))
    } else {
        String::new()
    };
    let start = account.start.map_or_else(String::new, |start| format!(", from {start}"));
    format!(
        "{}: {} requests{rate}{start}; {} tokens sent and {} answered in the mean.",
        account.format,
        format::count(account.requests as f64),
        format::count(look.prompt_tokens),
        format::count(look.output_tokens),
    )
}

/// What was left out or changed of a trace, and how it was understood.
pub fn faults_ui(ui: &mut Ui, account: &ReplayAccount) {
    let theme = Theme::of(ui.ctx());
    for warning in account.warnings() {
        let text = format!("{} {warning}", severity_sign(Severity::Warning));
        ui.add(Label::new(RichText::new(text).small().color(theme.warning)).wrap());
    }
    for note in &account.notes {
        ui.add(Label::new(RichText::new(note).small().color(theme.text_weak)).wrap());
    }
}

/// Fields for what the file does not say, where it lacks it or where it was said before.
fn needs_ui(ui: &mut Ui, wish: &mut TraceWish, looked: &Looked) {
    let theme = Theme::of(ui.ctx());
    let need = looked.result.as_ref().err().map(|unread| unread.need);
    let weak = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(theme.text_weak));
    if need == Some(Need::Columns) || wish.columns != ColumnMap::default() {
        for (label, place) in [
            ("Column of the time", &mut wish.columns.time),
            ("Column of the prompt's tokens", &mut wish.columns.prompt),
            ("Column of the answer's tokens", &mut wish.columns.output),
            ("Column of the session", &mut wish.columns.session),
        ] {
            weak(ui, label);
            column_ui(ui, label, &looked.columns, place);
        }
        weak(ui, "Times in");
        unit_ui(ui, &mut wish.columns.time_scale);
    }
    if need == Some(Need::Sessions) || wish.sessions_per_hour > 0.0 {
        weak(ui, "Sessions per hour");
        number(ui, "Sessions per hour", &mut wish.sessions_per_hour, Unit::Count);
    }
    if need == Some(Need::Lengths) || !wish.lengths.is_empty() {
        weak(ui, "Lengths");
        let hint = "500:200, or the path of a table";
        later_ui(ui, "Lengths of the requests", hint, &mut wish.lengths);
    }
    if need == Some(Need::Pool) || !wish.pool.is_empty() {
        weak(ui, "Pool");
        later_ui(ui, "Pool of the trace", "its name", &mut wish.pool);
    }
}

/// A text that counts once the field is left: until then the trace is not read again with every letter.
fn later_ui(ui: &mut Ui, label: &str, hint: &str, text: &mut String) {
    let id = ui.scope_id().with(label);
    let mut typed = ui.data_mut(|data| data.get_temp::<String>(id)).unwrap_or_else(|| text.clone());
    let field = ui.add(TextEdit::singleline(&mut typed).hint_text(hint).desired_width(180.0));
    super::label(ui, field.id, label);
    if field.lost_focus() {
        text.clone_from(&typed);
    }
    ui.data_mut(|data| data.insert_temp(id, typed));
}

fn column_ui(ui: &mut Ui, label: &str, columns: &[String], chosen: &mut Option<String>) {
    let text = chosen.as_deref().unwrap_or("by its name");
    let combo = ComboBox::from_id_salt(label).selected_text(text).width(120.0).truncate();
    let shown = combo.show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, "by its name");
        for column in columns {
            ui.selectable_value(chosen, Some(column.clone()), column);
        }
    });
    super::label(ui, shown.response.id, label);
}

fn unit_ui(ui: &mut Ui, scale: &mut Option<f64>) {
    const UNITS: [(&str, Option<f64>); 5] = [
        ("as the name says", None),
        ("seconds", Some(1.0)),
        ("milliseconds", Some(1e-3)),
        ("microseconds", Some(1e-6)),
        ("nanoseconds", Some(1e-9)),
    ];
    let text = UNITS.iter().find(|(_, unit)| unit == scale).map_or("as the name says", |(name, _)| name);
    let shown = ComboBox::from_id_salt("unit of times").selected_text(text).width(120.0).show_ui(ui, |ui| {
        for (name, unit) in UNITS {
            ui.selectable_value(scale, unit, name);
        }
    });
    super::label(ui, shown.response.id, "Unit of the times");
}

/// How it is replayed: lengths, begin, repetition, whose route.
fn how_ui(ui: &mut Ui, draft: &ScenarioDraft, wish: &mut TraceWish) {
    let theme = Theme::of(ui.ctx());
    let weak = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(theme.text_weak));
    for (text, label, factor) in [
        ("Prompts", "Factor on the length of prompts", &mut wish.prompt),
        ("answers", "Factor on the length of answers", &mut wish.output),
    ] {
        weak(ui, text);
        super::factor_ui(ui, label, factor);
    }
    weak(ui, "from");
    number(ui, "Where in the trace to begin", &mut wish.from_secs, Unit::Secs);
    wish.from_secs = if wish.from_secs.is_finite() { wish.from_secs.max(0.0) } else { 0.0 };
    weak(ui, "times");
    whole(ui, "How often the trace is played", &mut wish.repeat, 1..=1_000);
    ui.add_space(space::S);
    weak(ui, "as");
    let enabled = || draft.workload.use_cases.iter().filter(|use_case| use_case.enabled);
    let current = wish.use_case.as_ref().and_then(|id| enabled().find(|known| known.id == *id));
    let text = current.or_else(|| enabled().next()).map_or("no use case", |use_case| use_case.name.as_str());
    let shown = ComboBox::from_id_salt("as use case").selected_text(text).width(150.0).truncate();
    let shown = shown.show_ui(ui, |ui| {
        for use_case in enabled() {
            let picked = current.is_some_and(|current| current.id == use_case.id);
            if ui.selectable_label(picked, &use_case.name).clicked() {
                wish.use_case = Some(use_case.id.clone());
            }
        }
    });
    super::label(ui, shown.response.id, "Use case whose route and targets the trace takes");
}
