//! The window, driven by role and label as a person would, without a display.
//!
//! Answers are computed on the calling thread, so that nothing depends on the speed of the machine.

use breakeven::app::{App, AppOptions, Places, Prefs, Setup, Where};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

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
fn every_page_is_shown_by_its_key_in_a_wide_and_in_a_narrow_window() {
    for width in [1280.0, 720.0] {
        let mut harness = window(width, Places::default());
        let keys = [Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num1];
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
