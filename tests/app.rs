//! The window, driven by role and label as a person would, without a display.
//!
//! Answers are computed on the calling thread, so that nothing depends on the speed of the machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use breakeven::app::{App, AppOptions, Places, Prefs, Setup, Where};
use breakeven::scenario::{Currency, ScenarioDraft};
use breakeven::stats::Estimate;
use breakeven::workload::Profile;
use eframe::egui::accesskit::Role;
use eframe::egui::{DroppedFile, Key, Modifiers, OutputCommand, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

#[path = "app/machine.rs"]
mod machine;
#[path = "app/traffic.rs"]
mod traffic;

/// A window of this size on the worked example, with few draws.
fn window(width: f32, places: Places) -> Harness<'static, App> {
    let harness = Harness::builder().with_size(vec2(width, 800.0)).build_eframe(move |creation| {
        let setup = Setup { places, place: Where::Inline, ..Setup::new(AppOptions::default()) };
        App::new(&creation.egui_ctx, setup)
    });
    settled(harness)
}

fn settled(mut harness: Harness<'static, App>) -> Harness<'static, App> {
    harness.run_steps(4);
    harness
}

fn press(harness: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(3);
}

fn type_text(harness: &mut Harness<'_, App>, label: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
    harness.run_steps(3);
}

fn click(harness: &mut Harness<'_, App>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(4);
}

#[test]
fn the_window_opens_on_the_worked_example_with_its_answer() {
    let harness = window(1280.0, Places::default());
    let verdict = harness.state().verdict().expect("an answer").headline.clone();
    assert!(verdict.contains('$'), "{verdict}");
    assert_eq!(harness.state().scenario_name(), "Customer support chatbot at scale");
    for page in ["Overview", "Break-even", "Sensitivity", "Workload", "Plans", "Catalogue"] {
        assert!(harness.query_all_by_label(page).next().is_some(), "{page} can be reached");
    }
}

#[test]
fn the_palette_opens_by_its_key_finds_a_page_and_goes_there() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::K);
    type_text(&mut harness, "Search for a command", "sensi");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().page().text(), "Sensitivity");
}

#[test]
fn traffic_is_simulated_beside_another_plan_and_written_into_the_plan() {
    let mut harness = settled(window(1280.0, Places::default()));
    press(&mut harness, Modifiers::COMMAND, Key::Num9);
    harness.run_steps(4);
    click(&mut harness, "1 hour");
    harness.run_steps(4);
    // What is played is the plan in hand, at once where nothing has to be waited for.
    assert!(is_shown(&harness, "Within targets"));
    assert!(is_shown(&harness, "Use in the plan"));
    let before = harness.state().draft().clone();
    // Below what is seen at this height.
    harness.get_by_label("Use in the plan").click_accesskit();
    harness.run_steps(4);
    assert_ne!(harness.state().draft(), &before);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    harness.run_steps(4);
    assert_eq!(harness.state().draft(), &before);
}

#[test]
fn this_machine_is_measured_and_becomes_part_of_a_plan() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::M);
    assert_eq!(harness.state().page().text(), "This machine");
    harness.run_steps(4);
    click(&mut harness, "Measure");
    harness.run_steps(4);
    assert!(harness.query_by_label("Bandwidth over working set").is_some(), "the curve is drawn");
    assert!(harness.query_by_label("What it would serve").is_some());
    click(&mut harness, "Use it in the plan");
    let gpus: Vec<String> = harness
        .state()
        .draft()
        .plans
        .iter()
        .flat_map(|plan| &plan.endpoints)
        .filter_map(|endpoint| match &endpoint.serves {
            breakeven::routing::Serves::SelfHosted(own) => Some(own.deployment.gpu.clone()),
            breakeven::routing::Serves::Api(_) => None,
        })
        .collect();
    assert!(gpus[0].starts_with("measured-"), "{gpus:?}");
    assert_eq!(harness.state().page().text(), "Plans");
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(!harness.state().draft().plans.iter().any(|plan| format!("{plan:?}").contains("measured-")));
}

#[test]
fn every_page_is_shown_by_its_key_in_a_wide_and_in_a_narrow_window() {
    for width in [1280.0, 720.0] {
        let mut harness = window(width, Places::default());
        let keys = [
            Key::Num2,
            Key::Num3,
            Key::Num4,
            Key::Num5,
            Key::Num6,
            Key::Num7,
            Key::Num8,
            Key::M,
            Key::Num9,
            Key::Num1,
        ];
        let mut seen = Vec::new();
        for key in keys {
            press(&mut harness, Modifiers::COMMAND, key);
            seen.push(harness.state().page());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), keys.len(), "{seen:?}");
    }
}

#[test]
fn an_edit_is_taken_back_and_done_again() {
    let mut harness = window(1280.0, Places::default());
    click(&mut harness, "Scenario");
    type_text(&mut harness, "Name of the scenario", " and more");
    assert!(harness.state().scenario_name().ends_with("and more"), "{}", harness.state().scenario_name());
    press(&mut harness, Modifiers::NONE, Key::Escape);
    click(&mut harness, "Undo");
    assert_eq!(harness.state().scenario_name(), "Customer support chatbot at scale");
    click(&mut harness, "Redo");
    assert!(harness.state().scenario_name().ends_with("and more"));
}

#[test]
fn the_theme_switches_and_back() {
    let mut harness = window(1280.0, Places::default());
    let dark = harness.ctx.theme() == eframe::egui::Theme::Dark;
    let (there, back) = if dark { ("Light theme", "Dark theme") } else { ("Dark theme", "Light theme") };
    click(&mut harness, there);
    assert_ne!(harness.ctx.theme() == eframe::egui::Theme::Dark, dark);
    click(&mut harness, back);
    assert_eq!(harness.ctx.theme() == eframe::egui::Theme::Dark, dark);
}

#[test]
fn unsaved_changes_are_asked_about_before_they_are_lost() {
    let mut harness = window(1280.0, Places::default());
    click(&mut harness, "Scenario");
    type_text(&mut harness, "Name of the scenario", "!");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    press(&mut harness, Modifiers::COMMAND, Key::N);
    assert!(harness.query_by_label("Save the changes?").is_some());
    click(&mut harness, "Cancel");
    assert!(harness.state().scenario_name().ends_with('!'), "nothing is lost by Cancel");
    press(&mut harness, Modifiers::COMMAND, Key::N);
    click(&mut harness, "Discard changes");
    assert_eq!(harness.state().scenario_name(), "New scenario");
}

#[test]
fn a_file_that_cannot_be_read_is_said_and_the_window_opens_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.ron");
    std::fs::write(&path, "(schema: 1, name: ").unwrap();
    let harness = Harness::builder().with_size(vec2(1280.0, 800.0)).build_eframe(move |creation| {
        let options = AppOptions { file: Some(path), preset: None };
        App::new(&creation.egui_ctx, Setup { place: Where::Inline, ..Setup::new(options) })
    });
    let harness = settled(harness);
    assert!(harness.query_by_label("Cannot open the scenario").is_some());
    assert!(harness.state().verdict().is_some(), "the worked example is there instead");
}

#[test]
fn a_scenario_without_plans_says_so_and_computes_nothing() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::N);
    assert_eq!(harness.state().scenario_name(), "New scenario");
    assert!(harness.state().verdict().is_none());
}

#[test]
fn preferences_survive_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places { config: Some(folder.path().to_owned()), state: None };
    let mut harness = window(1280.0, places.clone());
    press(&mut harness, Modifiers::COMMAND, Key::Plus);
    let (prefs, lost) = Prefs::read(&places.preferences().unwrap());
    assert!(lost.is_none());
    assert!((prefs.zoom - 1.1).abs() < 1e-3, "{}", prefs.zoom);
}

/// Presses at one place, moves to another and lets go, with a frame for each step.
fn drag(harness: &mut Harness<'_, App>, from: Pos2, to: Pos2, steps: usize) {
    harness.hover_at(from);
    harness.run_steps(2);
    harness.drag_at(from);
    harness.run_steps(1);
    for step in 1..=steps {
        harness.hover_at(from + (to - from) * (step as f32 / steps as f32));
        harness.run_steps(1);
    }
    harness.drop_at(to);
    harness.run_steps(4);
}

/// A file that is dropped onto the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

fn drop_file(harness: &mut Harness<'_, App>, path: &Path) {
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
    harness.run_steps(6);
}

fn requests(harness: &Harness<'_, App>) -> Estimate {
    harness.state().draft().workload.use_cases[0].requests_per_day.clone()
}

fn is_shown(harness: &Harness<'_, App>, label: &str) -> bool {
    harness.query_all_by_label_contains(label).next().is_some()
}

#[test]
fn a_whole_drag_of_a_slider_is_one_step_of_the_history() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num4);
    let before = requests(&harness);
    let rect = harness.get_by_role_and_label(Role::Slider, "Requests per day").rect();
    let thumb = rect.left_center() + vec2(rect.width() * 0.55, 0.0);
    drag(&mut harness, thumb, thumb - vec2(60.0, 0.0), 8);
    let moved = requests(&harness);
    assert_ne!(moved, before);
    click(&mut harness, "Undo");
    assert_eq!(requests(&harness), before);
    click(&mut harness, "Redo");
    assert_eq!(requests(&harness), moved);
}

#[test]
fn a_slider_with_the_focus_leaves_undo_to_the_window() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num4);
    let before = requests(&harness);
    harness.get_by_role_and_label(Role::Slider, "Requests per day").focus();
    harness.run_steps(2);
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_ne!(requests(&harness), before);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(requests(&harness), before);
}

#[test]
fn a_percentile_is_moved_by_its_handle_on_the_small_curve() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num4);
    let Estimate::Percentiles { p5, p50, p95 } = requests(&harness) else {
        panic!("{:?}", requests(&harness))
    };
    let handle = harness.get_by_label("P95 handle of Requests per day").rect().center();
    drag(&mut harness, handle, handle + vec2(15.0, 0.0), 5);
    let Estimate::Percentiles { p5: low, p50: middle, p95: high } = requests(&harness) else { panic!() };
    assert_eq!((low, middle), (p5, p50), "the other handles stay");
    assert!(high > p95, "{high} is above {p95}");
}

#[test]
fn a_week_is_painted_by_a_stroke_however_fast() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num4);
    let before = harness.state().draft().workload.use_cases[0].profile.weights();
    let rect = harness.get_by_label_contains("Week by hour").rect();
    // Along the first row, from the second hour to the last, in one frame.
    let at = |share: f32| rect.left_top() + vec2(30.0 + share * (rect.width() - 30.0), 5.0);
    drag(&mut harness, at(1.5 / 24.0), at(23.5 / 24.0), 1);
    let use_case = &harness.state().draft().workload.use_cases[0];
    assert!(matches!(use_case.profile, Profile::Hours(_)));
    let after = use_case.profile.weights();
    let ratio = |hour: usize| after[hour] / before[hour];
    for hour in 1..24 {
        assert!(ratio(hour) > 1.02 * ratio(30), "hour {hour} was painted");
    }
    assert!((ratio(0) / ratio(30) - 1.0).abs() < 0.05, "what was not passed over stays");
}

/// A trace of one request every ten seconds over two hours, prompts of 100 to 199 and outputs of 20 to 29 tokens.
fn trace(folder: &Path) -> PathBuf {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for row in 0..720 {
        let (minute, second) = (row / 6, row % 6 * 10);
        let time = format!("2023-11-16 {:02}:{:02}:{second:02}", 18 + minute / 60, minute % 60);
        text.push_str(&format!("{time},{},{}\n", 100 + row * 37 % 100, 20 + row * 7 % 10));
    }
    let path = folder.join("trace.csv");
    std::fs::write(&path, text).expect("a folder to write to");
    path
}

#[test]
fn a_dropped_trace_is_shown_first_applied_on_demand_and_taken_back_by_undo() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let mut harness = window(1280.0, Places::default());
    let before = harness.state().draft().clone();
    drop_file(&mut harness, &path);
    assert_eq!(harness.state().page().text(), "Workload");
    assert!(is_shown(&harness, "Fit to trace.csv, not applied yet"));
    assert!(is_shown(&harness, "largest distance"), "its goodness is shown");
    assert_eq!(harness.state().draft(), &before, "nothing changes before one says so");
    click(&mut harness, "Apply the fit");
    let requests = requests(&harness).point();
    assert!((requests - 8640.0).abs() < 60.0, "{requests} a day, one every ten seconds");
    assert!(is_shown(&harness, "Follows trace.csv"));
    click(&mut harness, "Undo");
    assert_eq!(harness.state().draft(), &before);
    assert!(is_shown(&harness, "Fit to trace.csv, not applied yet"));
    click(&mut harness, "Cancel");
    assert!(!is_shown(&harness, "Fit to trace.csv"));
}

#[test]
fn a_dropped_scenario_opens_and_garbage_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.ron");
    breakeven::io::scenario::save(&path, &ScenarioDraft::new("Dropped")).unwrap();
    let mut harness = window(1280.0, Places::default());
    drop_file(&mut harness, &path);
    assert_eq!(harness.state().scenario_name(), "Dropped");
    let garbage = folder.path().join("picture.png");
    std::fs::write(&garbage, [0x89, b'P', b'N', b'G', 0, 0xFF]).unwrap();
    drop_file(&mut harness, &garbage);
    assert!(is_shown(&harness, "Cannot open the scenario"));
    assert_eq!(harness.state().scenario_name(), "Dropped", "the last good state stays");
}

#[test]
fn a_dropped_text_is_counted_into_the_part_that_one_picks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompt.txt");
    std::fs::write(&path, "hello world hello world").unwrap();
    let mut harness = window(1280.0, Places::default());
    drop_file(&mut harness, &path);
    harness.get_by_label("Count").scroll_to_me();
    harness.run_steps(4);
    click(&mut harness, "Count");
    click(&mut harness, "Use as retrieved context");
    let use_case = &harness.state().draft().workload.use_cases[0];
    assert_eq!(use_case.retrieved_tokens, Estimate::Fixed(4.0));
    assert_ne!(use_case.system_prompt_tokens, Estimate::Fixed(4.0), "the other parts stay");
}

#[test]
fn a_month_under_the_pointer_is_marked_on_the_plot_of_volumes_too() {
    let mut harness = window(1280.0, Places::default());
    let rect = harness.get_by_label("Cost over the months").rect();
    harness.hover_at(rect.left_bottom() + vec2(250.0, 60.0));
    harness.run_steps(4);
    let cursor = harness.state().cursor();
    let month = cursor.month.expect("the pointer is over the months");
    assert!(month > 0 && cursor.volume.is_none(), "{cursor:?}");
    harness.hover_at(Pos2::new(5.0, 5.0));
    harness.run_steps(4);
    assert_eq!(harness.state().cursor().month, None);
}

#[test]
fn the_data_of_a_plot_are_copied_as_csv() {
    let mut harness = window(1280.0, Places::default());
    click(&mut harness, "Data of Cost over volume");
    harness.get_by_label("Copy as CSV").click();
    let mut copied = None;
    for _ in 0..4 {
        harness.step();
        copied =
            copied.or(harness.output().platform_output.commands.iter().find_map(|command| match command {
                OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            }));
    }
    let text = copied.expect("text in the clipboard");
    assert!(text.starts_with("tokens_per_day,plan,usd_per_month"), "{}", &text[..80]);
    let plans = harness.state().draft().plans.len();
    assert_eq!((text.lines().count() - 1) % plans, 0);
}

#[test]
fn a_scenario_that_cannot_be_computed_says_what_stands_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.ron");
    let mut draft = breakeven::io::presets::load(breakeven::io::presets::DEFAULT).unwrap();
    draft.workload.use_cases[0].requests_per_day = Estimate::Fixed(-1.0);
    breakeven::io::scenario::save(&path, &draft).unwrap();
    let mut harness = window(1280.0, Places::default());
    drop_file(&mut harness, &path);
    assert!(is_shown(&harness, "stands in the way of an answer"));
    click(&mut harness, "Show");
    assert_eq!(harness.state().page().text(), "Workload");
}

#[test]
fn results_are_shown_in_the_currency_of_the_scenario_on_every_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("euro.ron");
    let mut draft = breakeven::io::presets::load("customer-support-chatbot").unwrap();
    draft.settings.currency = Some(Currency {
        code: "EUR".to_owned(),
        symbol: String::new(),
        per_usd: 0.9,
        as_of: draft.start.clone(),
    });
    breakeven::io::scenario::save(&path, &draft).unwrap();
    let mut harness =
        settled(Harness::builder().with_size(vec2(1280.0, 800.0)).build_eframe(move |creation| {
            let options = AppOptions { file: Some(path), preset: None };
            App::new(&creation.egui_ctx, Setup { place: Where::Inline, ..Setup::new(options) })
        }));
    let verdict = harness.state().verdict().expect("an answer");
    let words = format!("{} {}", verdict.headline, verdict.sentences.join(" "));
    assert!(words.contains('€') && !words.contains('$'), "{words}");
    assert!(harness.query_all_by_label_contains("Plans, EUR a month").next().is_some());
    for key in [Key::Num1, Key::Num2, Key::Num3, Key::Num5] {
        press(&mut harness, Modifiers::COMMAND, key);
        assert!(harness.query_all_by_label_contains("€").next().is_some(), "{key:?}");
    }
    assert!(harness.query_all_by_label_contains("results in EUR").next().is_some());
}

#[test]
fn a_currency_is_chosen_asks_for_its_rate_and_is_taken_back() {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num4);
    click(&mut harness, "Scenario and settings");
    harness.get_by_role_and_label(Role::ComboBox, "Results are shown in").click();
    harness.run_steps(4);
    click(&mut harness, "EUR");
    assert!(harness.query_all_by_label_contains("how many EUR a US dollar buys").next().is_some());
    let words = harness.state().verdict().expect("the last good answer").headline.clone();
    assert!(words.contains('$'), "{words}");
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert!(harness.query_all_by_label("Units that a US dollar buys").next().is_none());
}
