//! `breakeven bench` on the processor: every machine has one.

use super::*;

/// The processor is the last of the list.
fn processor(folder: &Path) -> String {
    let list = json(folder, &["bench", "--list", "--json"]);
    let devices = list["devices"].as_array().expect("devices");
    assert_eq!(devices.last().expect("one at least")["kind"], "cpu");
    (devices.len() - 1).to_string()
}

/// A run that is soon over.
fn short(folder: &Path, more: &[&str]) -> Output {
    let adapter = processor(folder);
    let mut args =
        vec!["bench", "--adapter", &adapter, "--max-mib", "1", "--kernel", "read", "--kernel", "fma-f32"];
    args.extend(more);
    program(folder).args(args).env("XDG_STATE_HOME", folder).output().expect("the program starts")
}

#[test]
fn a_measurement_is_printed_kept_and_exported() {
    let folder = folder();
    let at = folder.path();
    let output = short(at, &["--json", "--csv", "points.csv"]);
    assert!(output.status.success(), "{}", error(&output));
    let value: Value = serde_json::from_str(&text(&output)).expect("JSON");
    let points = value["run"]["points"].as_array().expect("points");
    assert!(points.iter().all(|point| point["value"].as_f64().is_some_and(|value| value > 0.0)));
    for kernel in ["read", "fma-f32"] {
        assert!(points.iter().any(|point| point["kernel"] == kernel), "{kernel}");
    }
    assert_eq!(value["run"]["end"]["end"], "complete");
    assert!(!value["would_serve"].as_array().expect("rows").is_empty());
    let csv = fs::read_to_string(at.join("points.csv")).expect("a table");
    assert_eq!(csv.lines().count(), points.len() + 1);

    let history = program(at).args(["bench", "--history", "--json"]).env("XDG_STATE_HOME", at).output();
    let history: Value = serde_json::from_str(&text(&history.expect("it starts"))).expect("JSON");
    assert_eq!(history["runs"].as_array().expect("runs").len(), 1);
}

#[test]
fn a_damaged_history_is_said_and_the_run_is_kept() {
    let folder = folder();
    let at = folder.path();
    assert!(short(at, &[]).status.success());
    let kept = at.join("breakeven/bench");
    let file = fs::read_dir(&kept).expect("a folder").map(|entry| entry.expect("an entry").path());
    let file =
        file.into_iter().find(|path| path.extension().is_some_and(|e| e == "json")).expect("a history");
    fs::write(&file, "{").expect("written");
    let output = short(at, &[]);
    assert!(output.status.success());
    assert!(error(&output).contains("put aside as"), "{}", error(&output));
    assert_eq!(fs::read_to_string(file.with_extension("json.damaged")).expect("kept"), "{");
}

#[test]
fn bad_questions_are_told_apart() {
    let folder = folder();
    let wrong = run(folder.path(), &["bench", "--kernel", "stride"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(error(&wrong).contains("triad"), "{}", error(&wrong));
    let none = run(folder.path(), &["bench", "--adapter", "999"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(error(&none).contains("no device 999"), "{}", error(&none));
    assert_eq!(run(folder.path(), &["bench", "--quick", "--full"]).status.code(), Some(2));
}
