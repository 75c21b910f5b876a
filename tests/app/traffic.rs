//! The page *Traffic*: traces, two plans, the cursor.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use breakeven::app::{App, Places};

use super::{click, drag, drop_file, is_shown, press, trace, window};

fn traffic() -> Harness<'static, App> {
    let mut harness = window(1280.0, Places::default());
    press(&mut harness, Modifiers::COMMAND, Key::Num9);
    click(&mut harness, "1 hour");
    harness.run_steps(4);
    harness
}

fn choose(harness: &mut Harness<'static, App>, combo: &str, choice: &str) {
    harness.get_by_role_and_label(Role::ComboBox, combo).click();
    harness.run_steps(4);
    harness.get_by_role_and_label(Role::Button, choice).click();
    harness.run_steps(8);
}

#[test]
fn a_trace_that_is_dropped_on_traffic_is_looked_through_replayed_and_its_faults_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}2023-11-16 20:00:10,12k,5\n")).unwrap();
    let mut harness = traffic();
    let before = harness.state().draft().clone();
    drop_file(&mut harness, &path);
    assert_eq!(harness.state().page().text(), "Traffic");
    assert!(is_shown(&harness, "Azure LLM inference trace: 720 requests"), "its format and size are said");
    assert!(is_shown(&harness, "1 row left out"), "what cannot be played is counted");
    // Small enough to be played at once.
    assert!(is_shown(&harness, "720 calls of the trace played"));
    assert_eq!(harness.state().draft(), &before, "a replay changes nothing");
    click(&mut harness, "Modelled workload");
    harness.run_steps(6);
    assert!(!is_shown(&harness, "calls of the trace"));
}

#[test]
fn columns_that_nobody_knows_are_asked_for_and_then_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.csv");
    let rows: String = (0..50).map(|row| format!("{row},{},7\n", 100 + row)).collect();
    std::fs::write(&path, format!("begun,sent,got\n{rows}")).unwrap();
    let mut harness = traffic();
    drop_file(&mut harness, &path);
    assert!(is_shown(&harness, "no column for"), "the page says what is missing");
    choose(&mut harness, "Column of the time", "begun");
    choose(&mut harness, "Unit of the times", "seconds");
    choose(&mut harness, "Column of the prompt's tokens", "sent");
    choose(&mut harness, "Column of the answer's tokens", "got");
    assert!(is_shown(&harness, "request trace: 50 requests over 49 s"));
    assert!(is_shown(&harness, "50 calls of the trace played"));
}

#[test]
fn a_trace_that_is_not_there_is_said_on_the_page() {
    let mut harness = traffic();
    click(&mut harness, "Recorded trace");
    harness.get_by_role_and_label(Role::TextInput, "Path of the trace").focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, "Path of the trace").type_text("/nowhere/trace.csv");
    harness.run_steps(2);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.run_steps(4);
    assert!(is_shown(&harness, "/nowhere/trace.csv"));
    let simulate = harness.get_by_role_and_label(Role::Button, "Simulate");
    assert!(simulate.accesskit_node().is_disabled(), "there is nothing to replay");
}

#[test]
fn two_plans_stand_side_by_side_with_their_difference() {
    let mut harness = traffic();
    assert!(!is_shown(&harness, "Difference"));
    choose(&mut harness, "Plan beside it", "Self-hosted on GPUs");
    assert!(is_shown(&harness, "Difference"));
    for figure in ["Within targets", "First token P95", "Cost per hour", "GPUs paid for"] {
        assert!(is_shown(&harness, figure), "{figure}");
    }
    for strip in ["Cost per hour over hours", "GPUs paid for over hours"] {
        assert!(is_shown(&harness, strip), "{strip}");
    }
}

#[test]
fn the_cursor_is_dragged_stepped_and_played_back() {
    let mut harness = traffic();
    let slider = |harness: &Harness<'static, App>| {
        harness.get_by_role_and_label(Role::Slider, "Time in the window").accesskit_node().numeric_value()
    };
    let plot = harness.get_by_label("Calls per second over hours").rect();
    let at = plot.left_center() + vec2(0.25 * plot.width(), -10.0);
    drag(&mut harness, at, at + vec2(20.0, 0.0), 3);
    let dragged = slider(&harness).unwrap();
    assert!(dragged > 0.05 && dragged < 0.4, "{dragged} of an hour");
    harness.get_by_role_and_label(Role::Slider, "Time in the window").focus();
    harness.run_steps(2);
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    let stepped = slider(&harness).unwrap();
    assert!(stepped > dragged && stepped < dragged + 0.05, "{dragged} {stepped}");
    click(&mut harness, "Play back");
    assert!(is_shown(&harness, "Hold"));
    assert!(slider(&harness).unwrap() > stepped, "it moves by itself");
    click(&mut harness, "Hold");
    let held = slider(&harness);
    harness.run_steps(4);
    assert_eq!(slider(&harness), held);
}
