//! The program as a user meets it in a terminal: real files, real exit codes, real bad input.
#![cfg(feature = "cli")]

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/simulate.rs"]
mod simulate;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const EXAMPLE: &str = "preset:customer-support-chatbot";

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakeven"));
    // No display, and no catalogue of the developer's own.
    command
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_CONFIG_HOME", folder)
        .env("HOME", folder);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let output = program(folder).args(args).output().expect("the program starts");
    assert!(!error(&output).contains("panicked"), "{args:?}: {}", error(&output));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command that must succeed.
fn done(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", error(&output));
    text(&output)
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let text = done(folder, args);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert!(!text.contains("NaN"));
    value
}

fn example(folder: &Path) -> String {
    done(folder, &["presets", "customer-support-chatbot"])
}

/// The example with one change, in a file.
fn changed(folder: &Path, from: &str, to: &str) -> PathBuf {
    let text = example(folder);
    assert!(text.contains(from), "the example has no {from}");
    let path = folder.join("changed.ron");
    fs::write(&path, text.replacen(from, to, 1)).expect("written");
    path
}

/// Runs a command that must be refused with exit code 1 and a message that holds all of `words`.
fn refused(folder: &Path, args: &[&str], words: &[&str]) {
    let output = run(folder, args);
    let said = format!("{}{}", text(&output), error(&output));
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
    }
}

fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no field {field} in {value}");
    }
}

#[test]
fn every_answer_as_json_has_its_stable_fields() {
    let folder = folder();
    let at = folder.path();
    let answer = ["document", "format", "scenario", "partial", "warnings", "verdict", "result"];
    let header = ["program", "schema", "scenario", "catalog", "seed", "draws"];

    let estimate = json(at, &["estimate", EXAMPLE, "--json"]);
    has(&estimate, &answer);
    assert_eq!((&estimate["document"], &estimate["format"]), (&"estimate".into(), &1.into()));
    has(&estimate["result"], &["header", "use_cases", "plans", "tokens_per_day", "cheapest"]);
    has(&estimate["result"]["header"], &header);
    has(&estimate["verdict"], &["headline", "sentences", "tone"]);
    let plan = &estimate["result"]["plans"][0];
    has(plan, &["id", "name", "months", "mean_month_usd", "run_rate", "by_use_case", "quality", "latency"]);
    has(plan, &["endpoints", "cache_hit_share", "not_priced", "findings"]);
    has(&plan["run_rate"], &["api_input", "gpu_busy", "on_call", "total"]);

    let forecast = json(at, &["forecast", EXAMPLE, "--json", "--trials", "256"]);
    has(&forecast, &answer);
    assert_eq!(forecast["result"]["header"]["draws"], 256);
    assert_eq!(forecast["partial"], false);
    has(
        &forecast["result"],
        &["header", "plans", "cheaper", "drivers", "plan_drivers", "cheapest", "runner_up"],
    );
    has(
        &forecast["result"]["plans"][0],
        &["id", "name", "mean_month", "horizon", "cheapest", "months", "over_budget"],
    );
    has(
        &forecast["result"]["plans"][0]["mean_month"],
        &["mean", "mean_error", "p5", "p25", "p50", "p75", "p95"],
    );

    let crossings = json(at, &["break-even", EXAMPLE, "--json"]);
    has(&crossings["result"], &["header", "volumes", "today", "plans", "crossings"]);
    let sensitivity = json(at, &["sensitivity", EXAMPLE, "--json"]);
    has(&sensitivity["result"], &["header", "base", "rows"]);
    has(&sensitivity["result"]["rows"][0], &["path", "low", "high", "usd_low", "usd_high", "flips"]);
    let decision = json(at, &["decide", EXAMPLE, "--json", "--set", "settings.trials=256"]);
    has(&decision["result"], &["estimate", "forecast", "break_even"]);
    let check = json(at, &["check", EXAMPLE, "--json", "--paths"]);
    has(&check, &["document", "format", "scenario", "valid", "errors", "warnings", "problems", "quantities"]);
    let catalog = json(at, &["catalog", "--json", "--search", "h100"]);
    has(&catalog, &["prices_as_of", "catalog", "gpus", "models", "prices", "rates"]);
    let presets = json(at, &["presets", "--json"]);
    has(&presets["presets"][0], &["id", "title", "summary"]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_one_and_at_four_threads() {
    let folder = folder();
    let drawn = |threads: &str, seed: &str| {
        let args = ["forecast", EXAMPLE, "--json", "--trials", "1500", "--seed", seed];
        let output =
            program(folder.path()).args(args).env("RAYON_NUM_THREADS", threads).output().expect("it runs");
        assert!(output.status.success(), "{}", error(&output));
        output.stdout
    };
    assert!(drawn("1", "7") == drawn("4", "7"));
    assert!(drawn("1", "7") != drawn("1", "8"));
}

#[test]
fn the_decision_is_printed_where_there_is_no_display() {
    let folder = folder();
    let path = changed(folder.path(), "trials: 8192", "trials: 512");
    let output = run(folder.path(), &[&path.display().to_string()]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(error(&output).contains("this is the decision as text"), "{}", error(&output));
    let text = text(&output);
    for part in ["Customer support chatbot at scale", "a month", "P5–P95", "Cheapest in", "512 draws, seed 1"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn an_override_is_used_by_every_question() {
    let folder = folder();
    let total = |sets: &[&str]| {
        let mut args = vec!["estimate", EXAMPLE, "--json"];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        json(folder.path(), &args)["result"]["plans"][0]["mean_month_usd"].as_f64().expect("a number")
    };
    let (once, twice) =
        (total(&["everyday.requests_per_day=200k"]), total(&["everyday.requests_per_day=400k"]));
    assert!(twice > 1.2 * once, "{once} {twice}");
    refused(folder.path(), &["estimate", EXAMPLE, "--set", "requests_per_day=1"], &["could be any of"]);
    refused(folder.path(), &["forecast", EXAMPLE, "--set", "everyday.request_per_day=1"], &["no quantity"]);
    refused(folder.path(), &["estimate", EXAMPLE, "--set", "hard_share=2"], &["any of"]);
    refused(folder.path(), &["estimate", EXAMPLE, "--set", "everyday.hard_share=2"], &["share from 0 to 1"]);
}

#[test]
fn a_command_that_is_not_understood_ends_with_2() {
    let folder = folder();
    for args in
        [&["estimate"][..], &["forecast", EXAMPLE, "--trials", "0"], &["catalog", "cars"], &["--nonsense"]]
    {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    let output = run(folder.path(), &["estimate", EXAMPLE, "--set", "nonsense"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(done(folder.path(), &["--help"]).contains("forecast"));
}

#[test]
fn a_broken_scenario_file_is_refused_with_place_and_remedy() {
    let folder = folder();
    let at = folder.path();
    let file = |name: &str, bytes: &[u8]| {
        let path = at.join(name);
        fs::write(&path, bytes).expect("written");
        path.display().to_string()
    };
    let whole = example(at);
    let half = whole.char_indices().nth(whole.chars().count() / 2).map_or(0, |(at, _)| at);
    let truncated = file("truncated.ron", &whole.as_bytes()[..half]);
    let deep = file("deep.ron", format!("(schema: 1, name: {}", "[".repeat(100_000)).as_bytes());
    let mut bytes = whole.clone().into_bytes();
    bytes[200] = 0xC0;
    let binary = file("binary.ron", &bytes);
    let newer = file("newer.ron", b"(schema: 99, something: [New(1)])");
    let empty = file("empty.ron", b"");
    let large = at.join("large.ron");
    fs::File::create(&large).and_then(|file| file.set_len(100_000_000)).expect("a large file");
    for question in ["estimate", "forecast", "check", "break-even", "sensitivity", "decide"] {
        refused(at, &[question, &truncated], &["line ", "open bracket"]);
    }
    refused(at, &["check", &deep], &["nested", "64"]);
    refused(at, &["check", &binary], &["byte 200", "UTF-8"]);
    refused(at, &["check", &newer], &["schema is 99"]);
    refused(at, &["check", &empty], &["empty"]);
    refused(at, &["check", &large.display().to_string()], &["100.0 MB", "8 MB"]);
    refused(at, &["check", "none.ron"], &["none.ron", "cannot be read"]);
    refused(at, &["check", &at.display().to_string()], &["folder"]);
    refused(at, &["check", "preset:none"], &["no preset \"none\"", "customer-support-chatbot"]);
    refused(at, &[&truncated], &["open bracket"]);
}

#[test]
fn a_wrong_value_is_refused_with_its_field_and_remedy() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "hard_share: Fixed(0.15)",
            "hard_shar: Fixed(0.15)",
            &["hard_shar", "did you mean \"hard_share\"", "line "],
        ),
        ("horizon_months: 24", "horizon_months: \"24\"", &["horizon_months", "line "]),
        ("horizon_months: 24", "horizon_months: 0", &["horizon_months", "1 to 120"]),
        ("horizon_months: 24", "horizon_months: 4000000000", &["horizon_months"]),
        ("burstiness_cv: Fixed(1.3)", "burstiness_cv: Fixed(-1.3)", &["burstiness_cv", "-1.3", "0 or more"]),
        ("burstiness_cv: Fixed(1.3)", "burstiness_cv: Fixed(NaN)", &["burstiness_cv", "NaN", "finite"]),
        ("burstiness_cv: Fixed(1.3)", "burstiness_cv: Fixed(inf)", &["burstiness_cv", "inf", "finite"]),
        ("burstiness_cv: Fixed(1.3)", "burstiness_cv: Fixed(1e999)", &["burstiness_cv", "1e999"]),
        ("p5: 220000.0, p50: 270000.0", "p5: 270000.0, p50: 220000.0", &["requests_per_day", "p50"]),
        (
            "Percentiles(p5: 220000.0, p50: 270000.0, p95: 350000.0)",
            "Fixed(0)",
            &["requests_per_day", "above 0"],
        ),
        (
            "Percentiles(p5: 220000.0, p50: 270000.0, p95: 350000.0)",
            "Fixed(1e30)",
            &["requests_per_day", "at most"],
        ),
        ("\"large\", share: Fixed(0.7)", "\"large\", share: Fixed(0.8)", &["routes", "add up to 1.1"]),
        ("gpu: \"h100-sxm-80gb\"", "gpu: \"h100-sxm-80g\"", &["gpu", "did you mean h100-sxm-80gb"]),
        ("price: \"gpt-5-mini\"", "price: \"gpt-5-minni\"", &["price", "did you mean gpt-5-mini"]),
        ("endpoint: \"small\"", "endpoint: \"smal\"", &["no endpoint", "smal"]),
        ("start: \"2026-12-01\"", "start: \"December\"", &["start", "2026-12-01"]),
        ("id: \"tiered\"", "id: \"before\"", &["used twice"]),
        ("zipf_alpha: Fixed(0.95)", "zipf_alpha: Fixed()", &["zipf_alpha", "line "]),
    ];
    let folder = folder();
    for (from, to, words) in cases {
        let path = changed(folder.path(), from, to).display().to_string();
        refused(folder.path(), &["check", &path], words);
        refused(folder.path(), &["estimate", &path], &words[..1]);
    }
}

#[test]
fn a_plan_without_endpoints_is_refused() {
    let folder = folder();
    let whole = example(folder.path());
    let from = whole.find("            endpoints: [").expect("endpoints");
    let to = whole[from..].find("            router:").expect("router") + from;
    let path = folder.path().join("none.ron");
    fs::write(&path, format!("{}            endpoints: [],\n{}", &whole[..from], &whole[to..]))
        .expect("written");
    refused(folder.path(), &["check", &path.display().to_string()], &["no endpoint", "add an API model"]);
}

#[test]
fn a_model_that_does_not_fit_is_said_not_to_fit() {
    let folder = folder();
    let path = changed(folder.path(), "gpu: \"h100-sxm-80gb\"", "gpu: \"l4\"").display().to_string();
    let output = run(folder.path(), &["estimate", &path]);
    let said = format!("{}{}", text(&output), error(&output));
    assert!(said.contains("does not fit") || said.contains("do not fit"), "{said}");
}

#[test]
fn a_check_with_problems_is_json_all_the_same() {
    let folder = folder();
    let path =
        changed(folder.path(), "hard_share: Fixed(0.15)", "hard_share: Fixed(1.5)").display().to_string();
    let output = run(folder.path(), &["check", &path, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_str(&text(&output)).expect("JSON");
    assert_eq!((&value["valid"], &value["errors"]), (&false.into(), &1.into()));
    has(&value["problems"][0], &["severity", "path", "message", "remedy"]);
    assert_eq!(value["problems"][0]["path"], "workload.use_cases.everyday.hard_share");
}

#[test]
fn a_preset_is_written_once_and_is_whole() {
    let folder = folder();
    let at = folder.path();
    let write = ["presets", "customer-support-chatbot", "--write", "mine.ron"];
    done(at, &write);
    assert_eq!(fs::read_to_string(at.join("mine.ron")).expect("text"), example(at));
    assert!(done(at, &["check", "mine.ron"]).contains("nothing is wrong"));
    refused(at, &write, &["is there already", "--force"]);
    done(at, &["presets", "customer-support-chatbot", "--write", "mine.ron", "--force"]);
    refused(at, &["presets", "none"], &["no preset"]);
}

#[test]
fn the_catalogue_is_searched_and_a_broken_overlay_is_named() {
    let folder = folder();
    let at = folder.path();
    assert!(done(at, &["catalog", "gpus", "--search", "h100 sxm"]).contains("h100-sxm-80gb"));
    assert!(!done(at, &["catalog", "models"]).contains("h100-sxm-80gb"));
    assert!(done(at, &["catalog", "prices", "--search", "gpt-4o-mini"]).contains("$0.15"));
    assert!(done(at, &["catalog", "rates", "--search", "lambda"]).contains("lambda/"));
    assert!(done(at, &["catalog", "--search", "nothing-is-called-so"]).is_empty());
    let config = at.join("breakeven");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("catalog.ron"), "(schema: 1, gpus: [(id: \"mine\")])").expect("written");
    if cfg!(target_os = "linux") {
        refused(at, &["catalog"], &["catalog.ron"]);
    }
}

/// A minute of requests, one a second, of 100 to 159 tokens in and 20 to 79 out.
fn trace(folder: &Path, name: &str, tail: &str) -> String {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for second in 0..60 {
        text.push_str(&format!(
            "2023-11-16 18:00:{second:02}.0000000,{},{}\n",
            100 + second,
            20 + second * 7 % 60
        ));
    }
    let path = folder.join(name);
    fs::write(&path, text + tail).expect("written");
    path.display().to_string()
}

#[test]
fn a_fitted_trace_ends_in_a_decision() {
    let folder = folder();
    let at = folder.path();
    let trace = trace(at, "trace.csv", "");
    let fit = json(at, &["fit", &trace, "--json"]);
    has(&fit, &["document", "format", "trace", "use_case", "written", "fit"]);
    has(&fit["fit"], &["arrivals", "prompt", "output", "notes"]);
    done(at, &["fit", &trace, "--into", EXAMPLE, "--use-case", "everyday", "-o", "fitted.ron"]);
    assert!(done(at, &["check", "fitted.ron"]).contains("fitted.ron"));
    let forecast = json(at, &["forecast", "fitted.ron", "--trials", "256", "--json"]);
    assert!(forecast["verdict"]["headline"].as_str().is_some_and(|headline| headline.contains('$')));
    done(at, &["fit", &trace, "--into", EXAMPLE, "--add", "traced", "-o", "added.ron"]);
    assert!(
        done(at, &["check", "added.ron", "--paths"]).contains("workload.use_cases.traced.requests_per_day")
    );
    refused(
        at,
        &["fit", &trace, "--into", EXAMPLE, "--use-case", "none", "-o", "x.ron"],
        &["none", "everyday"],
    );
    assert!(!at.join("x.ron").exists());
    assert_eq!(run(at, &["fit", &trace, "--into", EXAMPLE]).status.code(), Some(2));
}

#[test]
fn results_are_shown_in_the_currency_of_the_scenario_and_stay_dollars_in_json() {
    let folder = folder();
    let at = folder.path();
    let with = |currency: &str| {
        let changes = format!("currency: ({currency}),\n        seed: 1,");
        changed(at, "seed: 1,", &changes).display().to_string()
    };
    let euro = with("code: \"EUR\", per_usd: 0.5, as_of: \"2026-11-20\"");
    let estimate = |file: &str| json(at, &["estimate", file, "--json"]);
    let (dollars, euros) = (estimate(EXAMPLE), estimate(&euro));
    assert_eq!(euros["result"]["plans"], dollars["result"]["plans"], "amounts stay in US dollars");
    assert_eq!(euros["result"]["header"]["money"], "USD");
    assert_eq!(euros["result"]["header"]["shown_in"]["code"], "EUR");
    assert_eq!(dollars["result"]["header"]["shown_in"], Value::Null);
    assert!(euros["verdict"]["headline"].as_str().is_some_and(|it| it.contains('€') && !it.contains('$')));
    for question in ["estimate", "break-even", "sensitivity"] {
        assert!(done(at, &[question, &euro]).contains('€'), "{question}");
    }
    let decision = done(at, &["decide", &euro, "--set", "settings.trials=256"]);
    assert!(decision.contains("Results in EUR at 0.5 for a US dollar (2026-11-20)"), "{decision}");
    assert!(!decision.contains('$'), "{decision}");
    let franc = with("code: \"CHF\", per_usd: 0.8, as_of: \"2026-11-20\"");
    assert!(done(at, &["estimate", &franc]).contains("CHF "));
    for (currency, words) in [
        ("code: \"Euro\", per_usd: 0.9, as_of: \"2026-11-20\"", &["currency.code", "Euro", "EUR"][..]),
        ("code: \"USD\", per_usd: 1.0, as_of: \"2026-11-20\"", &["currency.code", "leave the currency out"]),
        ("code: \"EUR\", per_usd: 0.0, as_of: \"2026-11-20\"", &["currency.per_usd", "found 0", "0.92 EUR"]),
        ("code: \"EUR\", per_usd: -0.9, as_of: \"2026-11-20\"", &["currency.per_usd", "-0.9"]),
        ("code: \"EUR\", per_usd: 0.9, as_of: \"today\"", &["currency.as_of", "today", "2026-11-20"]),
        ("code: \"EUR\", per_usd: 0.9", &["\"as_of\" is missing"]),
        ("code: \"EUR\", rate: 0.9, as_of: \"2026-11-20\"", &["\"rate\" is not known"]),
        (
            "code: \"EUR\", symbol: \"12\", per_usd: 0.9, as_of: \"2026-11-20\"",
            &["currency.symbol", "digits"],
        ),
    ] {
        refused(at, &["check", &with(currency)], words);
    }
    let old = with("code: \"EUR\", per_usd: 0.9, as_of: \"2025-01-01\"");
    assert!(done(at, &["check", &old]).contains("look the rate up again"));
}

#[test]
fn a_fit_can_be_the_table_of_what_was_observed() {
    let folder = folder();
    let at = folder.path();
    let trace = trace(at, "trace.csv", "");
    let fit = ["fit", &trace, "--into", EXAMPLE, "--use-case", "everyday", "-o", "table.ron"];
    done(at, &[&fit[..], &["--lengths", "empirical"]].concat());
    let text = fs::read_to_string(at.join("table.ron")).expect("text");
    assert_eq!(text.matches("Empirical(").count(), 2, "prompts and outputs");
    // 100 to 159 tokens in: mean 129.5. The example's calls send nothing else after a fit.
    let estimate = json(at, &["estimate", "table.ron", "--json"]);
    let prompt = estimate["result"]["use_cases"][0]["prompt_tokens"].as_f64().expect("a number");
    assert!((prompt - 129.5).abs() < 0.01, "{prompt}");
    done(at, &[&fit[..], &["--lengths", "gamma"]].concat());
    assert!(fs::read_to_string(at.join("table.ron")).expect("text").contains("spread: Gamma"));
    assert_eq!(run(at, &[&fit[..], &["--lengths", "cauchy"]].concat()).status.code(), Some(2));

    for (table, words) in [
        ("shares: [0.0, 1.0], tokens: [1.0]", &["user_tokens.spread", "2 shares and 1 tokens"][..]),
        ("shares: [0.0, 0.9], tokens: [1.0, 2.0]", &["from 0 to 0.9", "end with 1"]),
        ("shares: [0.0, 0.5, 1.0], tokens: [1.0, 9.0, 2.0]", &["tokens fall from 9 to 2", "rising"]),
        ("shares: [0.0, 1.0], tokens: [-1.0, 2.0]", &["-1 tokens", "from 0"]),
        ("shares: [0.0, 0.7, 1.0], tokens: [0.0, 0.0, 2.0]", &["half of the lengths are 0"]),
        ("shares: [0.0, 1.0], token: [1.0, 2.0]", &["line ", "did you mean \"tokens\""]),
        ("shares: [0.0, 1.0]", &["line ", "\"tokens\" is missing"]),
    ] {
        let path = changed(at, "spread: LogNormal", &format!("spread: Empirical({table})"));
        refused(at, &["check", &path.display().to_string()], words);
    }
}

#[test]
fn a_bad_trace_is_refused_or_its_bad_lines_are_counted() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("columns.csv"), "TIMESTAMP,Tokens\n2023-11-16 18:00:00,5\n").expect("written");
    refused(at, &["fit", "columns.csv"], &["Cannot read the trace"]);
    fs::write(at.join("empty.csv"), "").expect("written");
    refused(at, &["fit", "empty.csv"], &["Cannot read the trace"]);
    refused(at, &["fit", "none.csv"], &["none.csv"]);
    fs::write(at.join("short.csv"), "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,5,5\n")
        .expect("written");
    refused(at, &["fit", "short.csv"], &["1 request;", "needs"]);
    let garbage =
        trace(at, "garbage.csv", "garbage\n2023-11-16 18:01:00.0,12k,5\n1700157661.5,5,5\n\u{1F600},,\n");
    let output = run(at, &["fit", &garbage]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(error(&output).contains("left out"), "{}", error(&output));
}

#[test]
fn tokens_are_counted_by_encoding_and_split() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("text.txt"), "hello world\nhello\n").expect("written");
    let whole = json(at, &["tokens", "text.txt", "--json"]);
    has(
        &whole,
        &["document", "format", "file", "encoding", "bytes", "texts", "total", "mean", "median", "p95"],
    );
    assert_eq!((&whole["texts"], &whole["encoding"]), (&1.into(), &"o200k_base".into()));
    let lines = json(at, &["tokens", "text.txt", "--json", "--split", "lines", "--encoding", "cl100k"]);
    assert_eq!((&lines["texts"], &lines["total"]), (&2.into(), &3.into()));
    refused(at, &["tokens", "none.txt"], &["none.txt"]);
    refused(at, &["tokens", "text.txt", "--encoding", "text.txt"], &["tokenizer.json"]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder();
    let mut child = program(folder.path())
        .args(["catalog", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 16];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("some output");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?} {}", output.status, error(&output));
    assert!(output.stderr.is_empty(), "{}", error(&output));
}

/// Waits until a process catches SIGINT, as Linux tells.
#[cfg(target_os = "linux")]
fn catches_interrupts(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & 0b10 != 0
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_keeps_what_was_drawn() {
    let folder = folder();
    let mut child = program(folder.path())
        .args(["forecast", EXAMPLE, "--trials", "100000000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    while !catches_interrupts(child.id()) {
        assert!(child.try_wait().expect("a state").is_none(), "it ended before it was asked to");
        std::thread::yield_now();
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?} {}", output.status, error(&output));
    let value: Value = serde_json::from_str(&text(&output)).expect("JSON");
    assert_eq!(value["partial"], true);
    let draws = value["result"]["header"]["draws"].as_u64().expect("a count");
    assert!(draws > 0 && draws < 100_000_000, "{draws}");
    assert!(error(&output).contains(&format!("stopped after {draws} of")), "{}", error(&output));
}

#[test]
fn perf_predicts_a_deployment_and_every_figure_has_a_name() {
    let at = folder();
    let args = [
        "perf",
        "--model",
        "llama-3.3-70b",
        "--gpu",
        "NVIDIA H100-SXM5-80GB",
        "--gpus",
        "4",
        "--weights",
        "fp8",
    ];
    let args =
        [&args[..], &["--kv", "fp8", "--input", "2048", "--output", "512", "--concurrency", "64", "--json"]]
            .concat();
    let value = json(at.path(), &args);
    assert_eq!((value["gpu"].as_str(), value["tensor_parallel"].as_u64()), (Some("h100-sxm-80gb"), Some(4)));
    let number = |name: &str| value[name].as_f64().unwrap_or_else(|| panic!("{name} in {value}"));
    let rate = number("output_tokens_per_sec");
    assert!((800.0..6000.0).contains(&rate), "{rate}");
    assert!((number("output_tokens_per_sec_per_gpu") * 4.0 - rate).abs() < 1e-6 * rate);
    assert!(number("ttft_secs") > 0.0 && number("tpot_secs") > 0.0 && number("calls_per_sec") > 0.0);
    assert!(value["memory"]["kv_bytes"].as_f64() > Some(0.0));
    assert!(value["served"]["step"]["dense_secs"].as_f64() > Some(0.0));
}

#[test]
fn perf_takes_a_hugging_face_configuration() {
    let at = folder();
    let path = at.path().join("config.json");
    fs::write(
        &path,
        r#"{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
        "num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"max_position_embeddings":131072}"#,
    )
    .expect("written");
    let rate = |model: &str| {
        let value =
            json(at.path(), &["perf", "--model", model, "--gpu", "h100", "--concurrency", "16", "--json"]);
        value["output_tokens_per_sec"].as_f64().expect("a rate")
    };
    let (file, row) = (rate(path.to_str().expect("a path")), rate("llama-3.1-8b"));
    assert!((file / row - 1.0).abs() < 0.01, "{file} {row}");
    fs::write(&path, r#"{"model_type":"mamba2"}"#).expect("written");
    let output = run(at.path(), &["perf", "--model", path.to_str().expect("a path"), "--gpu", "h100"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("mamba2") && error(&output).contains("llama"), "{}", error(&output));
}

#[test]
fn perf_says_what_is_wrong_and_what_to_write() {
    let at = folder();
    let check = |args: &[&str], needles: &[&str]| {
        let output = run(at.path(), &[&["perf"], args].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        for needle in needles {
            assert!(error(&output).contains(needle), "{args:?}: {}", error(&output));
        }
        assert!(output.stdout.is_empty());
    };
    check(&["--model", "llama-3.1-8b", "--gpu", "RTX 4080 Laptop"], &["no GPU \"RTX 4080 Laptop\""]);
    check(&["--model", "nope", "--gpu", "h100"], &["no model \"nope\"", "config.json"]);
    check(
        &["--model", "llama-3.1-8b", "--gpu", "h100", "--gpus", "3", "--tp", "3"],
        &["divide 32", "divisor"],
    );
    check(&["--model", "deepseek-r1", "--gpu", "h100"], &["does not fit", "GB"]);
    check(&["--model", "llama-3.1-8b", "--gpu", "h100", "--weights", "int3"], &["\"int3\"", "q4_k_m"]);
    check(&["--model", "llama-3.1-8b", "--gpu", "h100", "--engine", "abacus"], &["\"abacus\"", "sglang"]);
    check(&["--model", "llama-3.1-8b", "--gpu", "h100", "--input", "999999"], &["context of 131072"]);
    check(&["--model", "llama-3.1-8b", "--gpu", "h100", "--concurrency=-4"], &["concurrency is -4"]);
    check(
        &["--model", "llama-3.1-8b", "--gpu", "h100", "--gpus", "4", "--tp", "2"],
        &["multiply to the GPUs"],
    );
}

#[test]
fn a_table_of_questions_comes_out_whole_with_its_bad_rows_marked() {
    let at = folder();
    let (questions, answers) = (at.path().join("in.csv"), at.path().join("out.csv"));
    fs::write(
        &questions,
        "model,gpu,gpus,weights,input,output,concurrency,note\n\
         llama-3.1-8b,h100,1,bf16,1000,200,8,\"fine, thanks\"\n\
         llama-3.1-8b,abacus,1,bf16,1000,200,8,unknown\n\
         llama-3.1-8b,h100,1,bf16,many,200,8,words\n\
         llama-3.1-70b,h100,8,fp8,1000,200,,full load\n",
    )
    .expect("written");
    let paths = [questions.to_str().expect("a path"), answers.to_str().expect("a path")];
    let output = run(at.path(), &["perf", "--csv", paths[0], "-o", paths[1]]);
    assert!(
        output.status.success() && error(&output).contains("2 could not be predicted"),
        "{}",
        error(&output)
    );
    let written = fs::read_to_string(&answers).expect("a table");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[0].ends_with("limited_by,error") && lines[1].contains("\"fine, thanks\""), "{written}");
    assert!(lines[2].contains("abacus") && lines[2].contains("no GPU"));
    assert!(lines[3].contains("input is") && lines[3].contains("many"));
    assert!(lines[1].ends_with(',') && lines[4].ends_with(','), "{written}");
}

#[test]
fn own_measurements_move_the_constants_and_the_predictions_that_use_them() {
    let at = folder();
    let (table, constants) = (at.path().join("own.csv"), at.path().join("own.ron"));
    let ask = |more: &[&str]| {
        let base = [
            "perf",
            "--model",
            "llama-3.1-8b",
            "--gpu",
            "h100",
            "--input",
            "512",
            "--output",
            "256",
            "--json",
        ];
        let value = json(at.path(), &[&base[..], more].concat());
        value["tpot_secs"].as_f64().expect("a time")
    };
    let mut rows = String::from("model,gpu,gpus,weights,input,output,concurrency,measured_tpot_ms\n");
    for users in ["1", "4", "16", "64"] {
        let slow = 1.5e3 * ask(&["--weights", "bf16", "--concurrency", users]);
        rows.push_str(&format!("llama-3.1-8b,h100,1,bf16,512,256,{users},{slow}\n"));
    }
    fs::write(&table, rows).expect("written");
    let paths = [table.to_str().expect("a path"), constants.to_str().expect("a path")];
    let value = json(at.path(), &["calibrate", paths[0], "-o", paths[1], "--json"]);
    let median =
        |when: &str| value[when]["overall"]["scores"]["tpot"]["median_error"].as_f64().expect("an error");
    assert!(median("before") > 0.3 && median("after") < 0.12, "{} {}", median("before"), median("after"));
    let (before, after) =
        (ask(&["--concurrency", "16"]), ask(&["--concurrency", "16", "--calibration", paths[1]]));
    assert!(after > 1.2 * before, "{before} {after}");
    let installed = at.path().join("breakeven/calibration.ron");
    json(at.path(), &["calibrate", paths[0], "--install", "--json"]);
    assert_eq!(ask(&["--concurrency", "16"]), after, "what is installed counts where nothing is named");
    fs::write(&installed, "(schema: 1").expect("written");
    let output = run(at.path(), &["perf", "--model", "llama-3.1-8b", "--gpu", "h100", "--max"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("calibration.ron"), "{}", error(&output));
    fs::remove_file(&installed).expect("removed");
    assert_eq!(ask(&["--concurrency", "16"]), before, "without it what ships counts again");
    let output = run(at.path(), &["fidelity", at.path().join("nowhere").to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("nowhere"));
}

#[test]
fn fidelity_replays_recorded_runs_and_holds_them_to_their_bars() {
    let at = folder();
    let meta = r#"{"model": "meta-llama/Llama-3.1-8B", "engine_kwargs": {"max_num_seqs": 64}}"#;
    fs::write(at.path().join("H100_meta.json"), meta).expect("written");
    let row = |at: usize| {
        let (first, last) = (at + 5, at + 65);
        format!(
            "{{\"input_toks\": 300, \"output_toks\": 60, \"queued_ts\": {at}, \"first_token_ts\": {first}, \"last_token_ts\": {last}}}\n"
        )
    };
    fs::write(at.path().join("H100_requests.jsonl"), (0..40).map(row).collect::<String>()).expect("written");
    let path = at.path().display().to_string();
    let value = json(at.path(), &["fidelity", &path, "--json"]);
    let run = &value["runs"][0];
    assert_eq!((run["gpu"].as_str(), run["requests"].as_u64()), (Some("h100-sxm-80gb"), Some(40)));
    for span in run["spans"].as_array().expect("three times") {
        assert!(span["mean_error"].as_f64() < Some(-0.5), "such a slow H100 is not simulated: {span}");
    }
    let text = done(at.path(), &["fidelity", &path]);
    assert!(text.contains("0 of 3 means are within 10 %") && text.contains("beyond"), "{text}");
}

#[test]
fn size_finds_a_deployment_for_each_objective_within_the_targets() {
    let at = folder();
    let value = json(at.path(), &["size", EXAMPLE, "--model", "llama-3.1-8b", "--tpot-ms", "40", "--json"]);
    let best = value["best"].as_array().expect("choices");
    assert_eq!(best.len(), 5, "{value}");
    for choice in best {
        let c = &choice["candidate"];
        assert!(c["tpot_secs"].as_f64() <= Some(0.04) && c["usd_per_month"].as_f64() > Some(0.0), "{c}");
        assert_eq!(c["model"].as_str(), Some("llama-3.1-8b"));
    }
    assert!(!value["front"].as_array().expect("a front").is_empty());
    let output = run(at.path(), &["size", EXAMPLE, "--model", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("nope"), "{}", error(&output));
    let none = run(at.path(), &["size", EXAMPLE, "--model", "llama-3.1-8b", "--tpot-ms", "0.001"]);
    assert!(none.status.success() && error(&none).contains("loosen"), "{}", error(&none));
}
