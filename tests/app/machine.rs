//! The page *This machine*: earlier runs, comparing them, published bandwidths.

use std::path::Path;

use breakeven::app::{App, Places};
use breakeven::bench::{Clock, End, Kernel, Pace, Point, Processor, Run, SCHEMA};
use breakeven::io::machine;
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::{click, drop_file, is_shown, press, window};

/// A run of the processor that reads so many bytes per second.
fn run(began: &str, bytes_per_s: f64) -> Run {
    let point = Point {
        kernel: Kernel::Read,
        working_set_bytes: 1 << 28,
        value: bytes_per_s,
        low: 0.99 * bytes_per_s,
        high: 1.01 * bytes_per_s,
        samples: 9,
        passes: 1,
        pass_secs: 0.1,
        clock: Clock::HostClock,
        steady: true,
        variant: "2 threads".to_owned(),
    };
    Run {
        schema: SCHEMA,
        program: "0".to_owned(),
        began: began.to_owned(),
        secs: 1.0,
        pace: Pace::Quick,
        device: Processor::described(),
        points: vec![point],
        skipped: Vec::new(),
        flags: Vec::new(),
        end: End::Complete,
    }
}

/// The page with two earlier runs, the later in hand.
fn page(state: &Path) -> Harness<'static, App> {
    let places = Places { config: None, state: Some(state.to_owned()) };
    let folder = places.measurements().expect("a folder");
    for (began, bytes_per_s) in [("2026-11-20T08:00:00Z", 1e10), ("2026-11-21T08:00:00Z", 1.2e10)] {
        assert_eq!(machine::append(&folder, &run(began, bytes_per_s)).expect("kept"), None);
    }
    let mut harness = window(1280.0, places);
    press(&mut harness, Modifiers::COMMAND, Key::M);
    harness.run_steps(4);
    harness
}

#[test]
fn earlier_runs_are_listed_shown_and_compared() {
    let state = tempfile::tempdir().unwrap();
    let mut harness = page(state.path());
    harness.get_by_label("2026-11-21T08:00:00Z").click_accesskit();
    harness.run_steps(4);
    assert!(is_shown(&harness, "reads 12 GB/s"));
    assert!(is_shown(&harness, "in hand"));
    harness.get_by_role_and_label(Role::CheckBox, "Compare").click_accesskit();
    harness.run_steps(4);
    assert!(is_shown(&harness, "of 2026-11-20T08:00:00Z: faint in the plot"));
    assert!(is_shown(&harness, "+20.0 %"));
    click(&mut harness, "Compare no more");
    assert!(!is_shown(&harness, "+20.0 %"));
}

#[test]
fn published_bandwidths_stand_beside_the_measured_device_and_the_rest_is_counted() {
    let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("published.csv");
    let table = "gpu,tool,metric,theoretical_gbs,measured_gbs,note,source\n\
                 h200,stream,\"read, large\",4800,4000,,s\n\
                 h200,stream,5pt stencil,4800,3000,,s\n\
                 h200,sheet,memory bandwidth (theoretical),4800,,,s\n";
    std::fs::write(&path, table).unwrap();
    let mut harness = page(state.path());
    harness.get_by_label("2026-11-21T08:00:00Z").click_accesskit();
    harness.run_steps(4);
    drop_file(&mut harness, &path);
    assert_eq!(harness.state().page().text(), "This machine");
    assert!(is_shown(&harness, "2 rows, 1 left out"));
    let search = harness.get_by_role_and_label(Role::TextInput, "Find a published device");
    search.scroll_to_me();
    harness.run_steps(4);
    assert!(is_shown(&harness, "83.3 %"), "4,000 of the data sheet's 4,800 GB/s");
    assert!(is_shown(&harness, "0.3 %"), "12 GB/s here against 4,000");
    harness.get_by_role_and_label(Role::TextInput, "Find a published device").focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, "Find a published device").type_text("abacus");
    harness.run_steps(4);
    assert!(is_shown(&harness, "No device of that name"));
}
