//! Mistakes that people make in files, and what the program says: the place, what was found, what to write.

use std::fs;
use std::process::Output;

use serde_json::Value;

use super::{EXAMPLE, changed, error, example, folder, refused, run, text, trace};

/// A change of the example file that is a mistake, and words that the answer must hold.
type Mistake = (&'static str, &'static str, &'static [&'static str]);

const REQUESTS: &str = "Percentiles(p5: 220000.0, p50: 270000.0, p95: 350000.0)";

const SOLO: &str = "speculative: None,";

const MISTAKES: &[Mistake] = &[
    // Punctuation.
    ("start: \"2026-12-01\"", "start: \"2026-12-01", &["line 29,", "start", "not closed", "quote"]),
    ("start: \"2026-12-01\"", "start: '2026-12-01'", &["line 29,", "start", "text in quotes"]),
    ("start: \"2026-12-01\"", "start: 2026-12-01", &["line 29,", "start", "text in quotes"]),
    ("horizon_months: 24,", "horizon_months: 24", &["line 31,", "comma before the next field"]),
    ("horizon_months: 24,", "horizon_months = 24,", &["line 30,", "colon"]),
    ("schema: 1,", "/* schema: 1,", &["line 2,", "comment", "*/"]),
    // Numbers.
    ("horizon_months: 24", "horizon_months: 24.5", &["found 24.5", "whole number"]),
    ("horizon_months: 24", "horizon_months: -24", &["found -24", "0 or more"]),
    ("horizon_months: 24", "horizon_months: 99999999999", &["found 99999999999", "not so large"]),
    ("horizon_months: 24", "horizon_months: Fixed(24)", &["found Fixed(24", "whole number"]),
    ("trials: 8192", "trials: 0", &["settings.trials", "0 draws", "1 to 100000000"]),
    ("seed: 1", "seed: -1", &["settings.seed", "found -1"]),
    // Quantities.
    (REQUESTS, "270000", &["requests_per_day", "found 270000", "Fixed(270000)"]),
    (REQUESTS, "\"270000\"", &["requests_per_day", "found \"270000\"", "Fixed(3.0)"]),
    (REQUESTS, "Fixed(270k)", &["requests_per_day", "found 270k", "without a unit"]),
    (REQUESTS, "Fixed(\"270\")", &["requests_per_day", "found \"270\"", "a number"]),
    (REQUESTS, "Percentiles(1.0, 2.0, 3.0)", &["requests_per_day", "found 1.0", "name of a field"]),
    (REQUESTS, "Percentile(p5: 1.0)", &["\"Percentile\" is not known", "\"Percentiles\""]),
    (REQUESTS, "Percentiles(p5: 1.0, p50: 2.0)", &["requests_per_day.p95", "missing"]),
    (REQUESTS, "Uniform(low: 5.0, high: 1.0)", &["`low` is 5, above `high` 1; swap them"]),
    (REQUESTS, "Triangular(low: 1.0, mode: 9.0, high: 5.0)", &["requests_per_day", "`mode`", "swap"]),
    (REQUESTS, "Normal(mean: 5.0, sd: -1.0)", &["requests_per_day", "`sd` is -1", "0 or more"]),
    (REQUESTS, "Beta(alpha: 0.0, beta: 1.0, low: 1.0, high: 2.0)", &["requests_per_day", "`alpha` is 0"]),
    (REQUESTS, "Empirical([])", &["requests_per_day", "the list of values is empty", "at least one"]),
    (REQUESTS, "None", &["requests_per_day", "\"None\" is not known", "Fixed"]),
    (REQUESTS, "Fixed(1e18)", &["requests_per_day", "1e18", "at most"]),
    (REQUESTS, "Fixed(-0.5)", &["requests_per_day", "found -0.5", "above 0"]),
    // What the traffic simulation alone reads.
    (
        "max_retries: 2,",
        "max_retries: 2, timeout_secs: Some(Fixed(0.0)),",
        &["timeout_secs", "found 0", "above 0"],
    ),
    (
        "max_retries: 2,",
        "max_retries: 2, timeout: Some(Fixed(60.0)),",
        &["\"timeout\" is not known", "timeout_secs"],
    ),
    (SOLO, "prefill: Some(replicas: 0), speculative: None,", &["prefill.replicas", "found 0", "1 or more"]),
    (
        SOLO,
        "preemption: Some(Swap(host_bytes_per_sec: -1.0)), speculative: None,",
        &["preemption", "found -1", "5e10"],
    ),
    (SOLO, "preemption: Some(Swap), speculative: None,", &["preemption", "field: value"]),
    (SOLO, "prefill: Some(replicas: 1, gpus: 2), speculative: None,", &["\"gpus\" is not known", "replicas"]),
    ("scaling: Peak", "scaling: Fixed(0)", &["fleet.scaling", "0 replicas", "1 replica or more"]),
    // Names and choices.
    ("spread: LogNormal", "spread: Lognormal", &["user_tokens.spread", "did you mean \"LogNormal\""]),
    ("enabled: true", "enabled: True", &["everyday.enabled", "found True", "true or false"]),
    ("id: \"everyday\"", "id: \"Every day\"", &["\"Every day\" cannot be an id", "lower-case"]),
    ("schema: 1", "schema: 1.0", &["line 2,", "schema is 1.0", "write schema: 1"]),
    ("schema: 1", "schema: 2", &["line 2,", "schema is 2", "reads up to 1", "newer"]),
    ("schema: 1,", "", &["does not say its schema", "schema: 1"]),
];

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_write() {
    let folder = folder();
    for (from, to, words) in MISTAKES {
        let path = changed(folder.path(), from, to).display().to_string();
        refused(folder.path(), &["check", &path], words);
        refused(folder.path(), &["forecast", &path, "--json"], words);
    }
}

#[test]
fn what_is_no_scenario_is_said_to_be_none() {
    let folder = folder();
    let at = folder.path();
    let cases: [(&[u8], &[&str]); 6] = [
        (b"hello world", &["\"hello world\"", "no scenario", "breakeven presets"]),
        (b"{\"schema\": 1, \"name\": \"x\"}", &["no scenario", "(schema: 1"]),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", &["no scenario", "breakeven fit"]),
        (b"\xff\xfe(\0s\0", &["byte 0 (0xFF)", "UTF-8"]),
        (b"\0\0\0\0", &["no scenario"]),
        (b"(schema: 1)", &["\"name\" is missing"]),
    ];
    for (bytes, words) in cases {
        fs::write(at.join("x.ron"), bytes).expect("written");
        refused(at, &["check", "x.ron"], words);
    }
}

#[test]
fn a_preset_cut_anywhere_is_refused_with_a_place() {
    let folder = folder();
    let at = folder.path();
    let whole = example(at);
    let end = whole.trim_end().len();
    for part in 1..40 {
        let cut = (1..=end * part / 40).rev().find(|cut| whole.is_char_boundary(*cut)).unwrap_or(0);
        fs::write(at.join("cut.ron"), &whole[..cut]).expect("written");
        refused(at, &["check", "cut.ron"], &["cut.ron, line ", "lost"]);
    }
}

#[test]
fn a_bad_use_case_id_is_refused_before_anything_is_written() {
    let folder = folder();
    let at = folder.path();
    let trace = trace(at, "trace.csv", "");
    let output = run(at, &["fit", &trace, "--into", EXAMPLE, "--add", "My Case", "-o", "out.ron"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("lower-case"), "{}", error(&output));
    assert!(!at.join("out.ron").exists());
}

#[test]
fn a_misspelt_command_is_named_with_the_one_that_is_meant() {
    let folder = folder();
    for (args, words) in [
        (&["estmate", EXAMPLE][..], "\"estimate\""),
        (&["Forecast", EXAMPLE], "\"forecast\""),
        (&["preset"], "\"presets\""),
    ] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(error(&output).contains(words) && output.stdout.is_empty(), "{args:?}: {}", error(&output));
    }
    // A file may be called so.
    fs::write(folder.path().join("preset"), example(folder.path())).expect("written");
    assert!(run(folder.path(), &["check", "preset"]).status.success());
    assert!(!error(&run(folder.path(), &["preset"])).contains("no command"));
}

/// Whether stdout holds nothing, or one JSON document.
fn is_json_only(output: &Output) -> bool {
    let text = text(output);
    text.is_empty() || serde_json::from_str::<Value>(&text).is_ok()
}

#[test]
fn with_json_stdout_holds_json_or_nothing() {
    let folder = folder();
    let at = folder.path();
    let trace = trace(at, "trace.csv", "garbage\n");
    fs::write(at.join("broken.ron"), "(schema: 1, name: ").expect("written");
    fs::write(at.join("text.txt"), "hello").expect("written");
    let wrong = changed(at, "hard_share: Fixed(0.15)", "hard_share: Fixed(1.5)").display().to_string();
    let fit = ["fit", &trace, "--into", EXAMPLE, "-o", "out.ron"];
    let commands: [&[&str]; 10] = [
        &["estimate", EXAMPLE],
        &["forecast", EXAMPLE, "--trials", "64"],
        &["break-even", EXAMPLE, "--trials", "64"],
        &["sensitivity", EXAMPLE],
        &["decide", EXAMPLE, "--set", "settings.trials=64"],
        &["check", EXAMPLE],
        &["catalog", "gpus"],
        &["presets"],
        &fit,
        &["tokens", "text.txt"],
    ];
    for command in commands {
        let output = run(at, &[command, &["--json"]].concat());
        assert!(output.status.success(), "{command:?}: {}", error(&output));
        assert!(is_json_only(&output) && !output.stdout.is_empty(), "{command:?}: {}", text(&output));
    }
    for question in ["estimate", "forecast", "break-even", "sensitivity", "decide", "check"] {
        for file in ["broken.ron", "none.ron", wrong.as_str()] {
            let output = run(at, &[question, file, "--json"]);
            assert_eq!(output.status.code(), Some(1), "{question} {file}");
            assert!(
                is_json_only(&output) && !output.stderr.is_empty(),
                "{question} {file}: {}",
                text(&output)
            );
        }
    }
    for command in [&["fit", "none.csv"][..], &["tokens", "none.txt"], &["presets", "none"]] {
        let output = run(at, &[command, &["--json"]].concat());
        assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}: {}", text(&output));
    }
}
