//! Laws of the scenario file, and one test per kind of bad input.

use std::fs;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::scenario::sample::everything;
use crate::stats::estimate::Estimate;
use crate::stats::quantities::Quantified as _;

fn refused(text: &str) -> ScenarioFileError {
    parse(text, "test.ron").expect_err("was read")
}

/// The text of the sample with one change.
fn changed(from: &str, to: &str) -> String {
    let text = to_text(&everything());
    assert!(text.contains(from), "the sample has no {from}");
    text.replacen(from, to, 1)
}

#[test]
fn what_is_written_reads_back_the_same() {
    let draft = everything();
    let text = to_text(&draft);
    assert_eq!(parse(&text, "test.ron").unwrap(), draft);
    assert_eq!(to_text(&parse(&text, "test.ron").unwrap()), text, "the text is stable");
}

#[test]
fn lines_are_short_and_indented_by_four() {
    let text = to_text(&everything());
    let outside_strings = text.lines().filter(|line| !line.contains('"') && line.starts_with(' '));
    for line in outside_strings {
        assert!(line.chars().count() <= 160, "{line}");
        assert_eq!(
            line.len() - line.trim_start().len(),
            (line.len() - line.trim_start().len()) / 4 * 4,
            "{line}"
        );
    }
    assert!(text.contains("retries: (failure: Fixed("), "a short structure stands on a line:\n{text}");
}

proptest! {
    #[test]
    fn any_numbers_and_names_read_back_the_same(
        name in any::<String>(),
        notes in "\\PC*[\"#\\\\\n\r\t]*",
        number in any::<f64>().prop_filter("finite", |v| v.is_finite()),
        seed in any::<u64>(),
    ) {
        let mut draft = everything();
        draft.name = name;
        draft.notes = notes;
        draft.settings.seed = seed;
        draft.each_mut(&mut |estimate: &mut Estimate| *estimate = Estimate::Fixed(number));
        let text = to_text(&draft);
        prop_assert_eq!(parse(&text, "test.ron").map_err(|e| e.to_string()), Ok(draft));
    }

    #[test]
    fn no_text_makes_it_panic(cut in 0.0..1.0_f64, noise in "[(){}\\[\\],:\"r#a-z0-9 .\\-/*\n]{0,40}") {
        let text = to_text(&everything());
        let at = text.char_indices().map(|(at, _)| at).nth((cut * text.chars().count() as f64) as usize).unwrap_or(0);
        let _ = parse(&format!("{}{noise}", &text[..at]), "noise");
        let _ = parse(&format!("{}{noise}{}", &text[..at], &text[at..]), "noise");
        let _ = parse(&noise, "noise");
    }
}

#[test]
fn a_truncated_file_says_what_is_open() {
    let text = to_text(&everything());
    let cut = text.find("burstiness_cv").unwrap();
    let error = refused(&text[..cut]);
    assert!(matches!(error.fault, Fault::Truncated { open: 4, .. }), "{error}");
    assert_eq!(error.field, "workload.use_cases.chat");
    let end = text.trim_end().len();
    for cut in (0..end).filter(|cut| text.is_char_boundary(*cut)).step_by(13) {
        let error = refused(&text[..cut]);
        let told = matches!(
            error.fault,
            Fault::Truncated { .. } | Fault::OpenText | Fault::Empty | Fault::NotAScenario { .. }
        );
        assert!(told && (error.place.is_some() || cut == 0), "cut at {cut}: {error}");
    }
}

#[test]
fn a_quote_that_is_missing_is_found_where_it_is_missing() {
    for (from, to, line) in [
        ("industry: \"Financial services\"", "industry: \"Financial services", "industry:"),
        ("industry: \"Financial services\"", "industry: Financial services\"", "industry:"),
    ] {
        let text = changed(from, to);
        let error = refused(&text);
        assert_eq!(error.fault, Fault::OpenText, "{error}");
        let place = error.place.unwrap();
        let found = text.lines().nth(place.line - 1).unwrap();
        assert!(found.trim_start().starts_with(line), "{error}: {found}");
    }
    let comment = to_text(&everything()).replacen("settings:", "/* settings:", 1);
    assert_eq!(refused(&comment).fault, Fault::OpenComment);
    assert_eq!(refused("(schema: 1, notes: r#\"never closed\")").fault, Fault::OpenText);
    let closed = changed("industry: \"Financial services\"", "industry: \"a\\\"\\nplans: b\"");
    assert_eq!(parse(&closed, "test.ron").unwrap().industry, "a\"\nplans: b", "a text may look like a field");
}

#[test]
fn what_is_no_scenario_is_said_to_be_none() {
    for text in ["hello world", "{\"schema\": 1}", "TIMESTAMP,ContextTokens\n1,2\n", "\0\0", "[1, 2]"] {
        assert!(matches!(refused(text).fault, Fault::NotAScenario { .. }), "{}", refused(text));
    }
    assert!(matches!(refused("Scenario(name: \"x\")").fault, Fault::NoSchema));
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let error = refused(&changed("requests_per_day:", "request_per_day:"));
    let place = error.place.unwrap();
    let line = changed("requests_per_day:", "request_per_day:");
    let line = line.lines().nth(place.line - 1).unwrap();
    assert!(line.trim_start().starts_with("request_per_day"), "{line}");
    assert_eq!(place.column, line.find("request_per_day").unwrap() + 1);
    assert_eq!(error.field, "workload.use_cases.chat.request_per_day");
    assert!(error.to_string().ends_with("did you mean \"requests_per_day\"?"), "{error}");
}

#[test]
fn a_mistyped_value_names_its_field_and_what_to_write() {
    let error = refused(&changed("horizon_months: 12", "horizon_months: \"12\""));
    assert_eq!(error.field, "horizon_months", "{error}");
    let error = refused(&changed("horizon_months: 12", "horizon_months: -3"));
    assert_eq!(error.field, "horizon_months", "{error}");
    let error = refused(&changed("requests_per_day: Fixed(10000.0)", "requests_per_day: \"12k\""));
    assert_eq!(error.field, "workload.use_cases.chat.requests_per_day", "{error}");
    let error = refused(&changed("requests_per_day: Fixed(10000.0)", "requests_per_day: 12"));
    assert_eq!(error.field, "workload.use_cases.chat.requests_per_day", "{error}");
    let error = refused(&changed("requests_per_day: Fixed(", "requests_per_day: Fixd("));
    assert!(error.to_string().contains("\"Fixed\""), "{error}");
    let error = refused(&changed("enabled: true", "enabled: yes"));
    assert_eq!(error.field, "workload.use_cases.chat.enabled", "{error}");
}

#[test]
fn a_missing_or_doubled_key_is_named() {
    let error = refused(&changed("burstiness_cv: Fixed(1.0),", ""));
    assert_eq!(error.field, "workload.use_cases.chat.burstiness_cv", "{error}");
    assert!(matches!(error.fault, Fault::MissingField { field: "burstiness_cv" }));
    let error = refused(&changed("horizon_months: 12,", "horizon_months: 12, horizon_months: 12,"));
    assert!(matches!(error.fault, Fault::DuplicateField { field: "horizon_months" }), "{error}");
}

#[test]
fn the_schema_is_read_first() {
    let newer = refused("(schema: 2, nonsense: [NotAThing(1)])");
    assert!(matches!(newer.fault, Fault::SchemaNewer { found: 2 }), "{newer}");
    assert!(matches!(refused("(schema: 0)").fault, Fault::SchemaUnknown { .. }));
    assert!(matches!(refused("(schema: \"one\")").fault, Fault::SchemaUnknown { .. }));
    assert!(matches!(refused("(schema: -1)").fault, Fault::SchemaUnknown { .. }));
    assert!(matches!(refused("(name: \"x\", inner: (schema: 1))").fault, Fault::NoSchema));
    assert!(matches!(refused("").fault, Fault::Empty));
    assert!(matches!(refused(" // only a comment\n").fault, Fault::Empty));
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let deep = format!("(schema: 1, name: {}{})", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(matches!(refused(&deep).fault, Fault::TooDeep { limit: DEPTH_MAX }));
    let comment = format!("{}{}(schema: 1)", "/*".repeat(100_000), "*/".repeat(100_000));
    assert!(matches!(refused(&comment).fault, Fault::MissingField { .. } | Fault::Mistyped { .. }));
}

#[test]
fn numbers_that_are_none_are_refused_with_their_place() {
    for number in ["NaN", "inf", "-inf", "1e999", "-1e999"] {
        let error = refused(&changed(
            "requests_per_day: Fixed(10000.0)",
            &format!("requests_per_day: Fixed({number})"),
        ));
        assert!(matches!(error.fault, Fault::NotFinite { .. }), "{number}: {error}");
        assert_eq!(error.field, "workload.use_cases.chat.requests_per_day", "{number}");
    }
    let named = changed("industry: \"Financial services\"", "industry: \"NaN inf 1e999\"");
    assert!(parse(&named, "test.ron").is_ok(), "text may say what it likes");
}

#[test]
fn bytes_that_are_not_text_are_refused_with_their_offset() {
    let mut bytes = to_text(&everything()).into_bytes();
    let at = bytes.windows(4).position(|window| window == b"plan").unwrap();
    bytes[at] = 0xFF;
    let error = parse_bytes(&bytes, "test.ron").unwrap_err();
    assert_eq!(error.fault, Fault::NotUtf8 { offset: at, byte: 0xFF });
    assert!(error.place.is_some());
}

#[test]
fn brackets_of_the_wrong_kind_are_refused() {
    assert!(matches!(
        refused("(schema: 1, plans: [)").fault,
        Fault::Mismatched { found: ')', expected: ']', .. }
    ));
    assert!(matches!(refused("(schema: 1))").fault, Fault::Unopened { found: ')' }));
}

#[test]
fn a_large_file_is_refused_by_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.ron");
    File::create(&path).unwrap().set_len(100_000_000).unwrap();
    let error = read(&path).unwrap_err();
    assert_eq!(error.fault, Fault::TooLarge { bytes: 100_000_000 });
    assert!(error.to_string().contains("100.0 MB"), "{error}");
    assert!(matches!(read(folder.path()).unwrap_err().fault, Fault::Directory));
    assert!(matches!(read(&folder.path().join("none.ron")).unwrap_err().fault, Fault::Unreadable { .. }));
}

#[test]
fn a_file_by_another_editor_is_read() {
    let text = to_text(&everything());
    let commented =
        format!("\u{feff}// a comment\n/* and /* nested */ */\r\n{}", text.replace("),\n", "),\r\n"));
    assert_eq!(parse(&commented, "test.ron").unwrap(), everything());
}

#[test]
fn a_saved_file_is_read_back_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.ron");
    save(&path, &everything()).unwrap();
    save(&path, &everything()).unwrap();
    assert_eq!(read(&path).unwrap(), everything());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_draft_that_could_not_be_read_again_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.ron");
    save(&path, &everything()).unwrap();
    let mut draft = everything();
    draft.settings.demand_noise_cv = Estimate::Fixed(f64::NAN);
    assert!(matches!(save(&path, &draft), Err(SaveError::Unreadable(_))));
    assert_eq!(read(&path).unwrap(), everything());
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.ron");
    save(&path, &everything()).unwrap();
    let full = |file: &mut File| {
        file.write_all(b"(schema: 1, half")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    assert!(matches!(replace(&path, full), Err(SaveError::Io { .. })));
    assert_eq!(read(&path).unwrap(), everything());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no half file stays behind");
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("scenario.ron"), folder.path().join("link.ron"));
    save(&path, &everything()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    save(&link, &everything()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

const SAVER: &str = "BREAKEVEN_TEST_SAVES_TO";

/// Not a test of its own: the process that the next test kills. It saves two drafts in turn until it dies.
#[test]
fn saves_for_ever_when_asked() {
    let Ok(path) = std::env::var(SAVER) else { return };
    let (one, other) = two_drafts();
    println!("ready");
    loop {
        save(Path::new(&path), &one).unwrap();
        save(Path::new(&path), &other).unwrap();
    }
}

fn two_drafts() -> (ScenarioDraft, ScenarioDraft) {
    let mut long = everything();
    long.notes = "a long note\n".repeat(20_000);
    (everything(), long)
}

#[test]
fn a_process_that_is_killed_while_it_saves_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.ron");
    let (one, other) = two_drafts();
    save(&path, &one).unwrap();
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "io::scenario::tests::saves_for_ever_when_asked", "--nocapture"])
            .env(SAVER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different moment in each round; whichever it is, the law holds.
        let mut said = String::new();
        let mut out = io::BufReader::new(child.stdout.take().unwrap());
        while !said.contains("ready") && io::BufRead::read_line(&mut out, &mut said).unwrap() > 0 {}
        assert!(said.contains("ready"), "the saving process did not start: {said}");
        let moment = std::time::Instant::now();
        while moment.elapsed().as_micros() < u128::from(300 + round * 1700) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let found = read(&path).unwrap();
        assert!(found == one || found == other, "a half file was left in round {round}");
    }
}
