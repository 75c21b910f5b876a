//! The tidy test: the walls that one package does not have by itself.
//!
//! Reads `src/**/*.rs` and fails on an import that runs up the layers, on the window's crates below the window, on
//! a colour written outside the theme, on talk outside the terminal, on shortcuts that may stop the program, and
//! on files or functions that have grown long without being listed here by name. The checks are functions from
//! text to findings, held to small bad inputs at the end, so that each of them is known to be able to fail.

#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use source::{Source, functions};

/// The layers and how high they stand; one imports only from below itself. Layers of one height do not see each
/// other.
const LAYERS: &[(&str, u32)] = &[
    ("unit", 0),
    ("stats", 1),
    ("job", 1),
    ("catalog", 2),
    ("tokenizer", 2),
    ("bench", 2),
    ("workload", 3),
    ("cache", 4),
    ("serving", 4),
    ("pricing", 4),
    ("routing", 5),
    ("sim", 6),
    ("scenario", 7),
    ("analysis", 8),
    ("report", 9),
    ("io", 10),
    ("cli", 11),
    ("app", 11),
];

/// Layers that stand beside the tower and may see only these.
const NARROW: &[(&str, &[&str])] = &[("tokenizer", &["unit"]), ("bench", &["unit", "stats", "job"])];

/// Arrows that have to be there although the order says no, each with its reason.
const ARROWS_ALLOWED: &[(&str, &str, &str)] = &[];

/// Crates that only the window and the measuring of this machine may name.
const WINDOW_CRATES: &[&str] = &["egui", "eframe", "egui_extras", "egui_plot", "egui_tiles", "wgpu", "rfd"];

/// Above this many lines a file is listed in [`LONG_FILES`] or split.
const FILE_LINES: usize = 600;

/// Above this many lines a function is listed in [`LONG_FUNCTIONS`] or split.
const FUNCTION_LINES: usize = 120;

/// Files that are long for a reason.
const LONG_FILES: &[(&str, &str)] =
    &[("src/app/pages/endpoint.rs", "one form for two kinds of endpoint, a short function per section")];

/// Functions that are long for a reason: file, name, reason.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

/// A finding: where, and what is wrong.
type Findings = Vec<String>;

// --- the checks ------------------------------------------------------------------------------------------------

/// The height of a layer.
fn height(layer: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, height)| *height)
}

/// The layer of a file: its first folder, or the name of a file beside `lib.rs`.
fn layer_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then_some(name)
}

/// Whether `from` may name `to`.
fn may_see(from: &str, to: &str) -> bool {
    if from == to || ARROWS_ALLOWED.iter().any(|(a, b, _)| *a == from && *b == to) {
        return true;
    }
    if let Some((_, seen)) = NARROW.iter().find(|(name, _)| *name == from) {
        return seen.contains(&to);
    }
    match (height(from), height(to)) {
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

/// Arrows that run up or sideways, and folders that have no place in the order.
fn arrows(file: &Source) -> Findings {
    let Some(layer) = layer_of(&file.path) else { return Vec::new() };
    if height(layer).is_none() {
        return vec![format!("{}: `{layer}` has no place in the order of layers", file.path)];
    }
    let mut found = Vec::new();
    for (line, name) in file.crate_paths() {
        if height(&name).is_some() && !may_see(layer, &name) {
            found.push(format!(
                "{}:{line}: `{layer}` names `crate::{name}`, which is not below it",
                file.path
            ));
        }
    }
    found
}

/// Crates of the window below the window.
fn window_crates(file: &Source) -> Findings {
    if ["src/app/", "src/bench/"].iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let starts = |line: &str, name: &str| {
        source::words(line).any(|(at, word)| {
            word == name
                && (line[at + word.len()..].starts_with("::") || line.trim_start().starts_with("use "))
        })
    };
    file.lines_where(|line| WINDOW_CRATES.iter().any(|name| starts(line, name)))
        .map(|line| format!("{}:{line}: names a crate of the window outside `app` and `bench`", file.path))
        .collect()
}

/// Colours outside the theme. The type may be passed on, and "no colour" is not a colour.
fn colours(file: &Source) -> Findings {
    if file.path == "src/app/theme.rs" || file.path.starts_with("src/app/theme/") {
        return Vec::new();
    }
    let in_window = file.path.starts_with("src/app/");
    let written = |line: &str| {
        ["Color32::", "Rgba::", "Hsva::", "hex_color!"].iter().any(|maker| {
            line.match_indices(maker).any(|(at, _)| {
                let made = &line[at + maker.len()..];
                !["TRANSPARENT", "PLACEHOLDER"].iter().any(|none| made.starts_with(none))
            })
        })
    };
    file.lines_where(|line| written(line) || (!in_window && line.contains("Color32")))
        .map(|line| format!("{}:{line}: a colour outside src/app/theme.rs", file.path))
        .collect()
}

/// Talk and exits outside the terminal.
fn talk(file: &Source) -> Findings {
    if file.path.starts_with("src/cli/") || file.path == "src/main.rs" {
        return Vec::new();
    }
    let talks = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "process::exit"];
    file.lines_where(|line| {
        talks.iter().any(|talk| {
            line.match_indices(talk)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    })
    .map(|line| format!("{}:{line}: prints or exits outside `cli` and `main`", file.path))
    .collect()
}

/// What stops the program or leaves a hole.
fn shortcuts(file: &Source) -> Findings {
    let bad = [".unwrap()", ".expect(", "todo!(", "unimplemented!(", "unwrap_err()", "#[allow("];
    file.lines_where(|line| bad.iter().any(|bad| line.contains(bad)))
        .map(|line| format!("{}:{line}: unwraps, leaves a hole or allows a lint", file.path))
        .collect()
}

/// Functions that fail with text. A sentence that is kept to be shown is the window's affair.
fn text_errors(file: &Source) -> Findings {
    let code = file.code();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("Result<") {
        let before =
            code[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ':').trim_end();
        if !before.ends_with("->") {
            continue;
        }
        let parts = source::type_arguments(&code[at + "Result".len()..]);
        if parts.get(1).is_some_and(|error| matches!(error.as_str(), "String" | "&str" | "&'static str")) {
            found.push(format!("{}:{}: an error that is only text", file.path, source::line_of(code, at)));
        }
    }
    found
}

/// Names of the place where the program happens to be written.
fn places(path: &str, text: &str) -> Findings {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    text.lines()
        .enumerate()
        .filter(|(_, line)| places.iter().any(|place| line.contains(place)))
        .map(|(line, _)| format!("{path}:{}: names a folder of one machine", line + 1))
        .collect()
}

/// A file above the length, unless it is listed.
fn long_file(path: &str, text: &str) -> Findings {
    let lines = text.lines().count();
    let listed = LONG_FILES.iter().any(|(name, _)| *name == path);
    if lines > FILE_LINES && !listed { vec![format!("{path}: {lines} lines")] } else { Vec::new() }
}

/// Functions above the length, unless listed.
fn long_functions(file: &Source) -> Findings {
    functions(file.code())
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES)
        .filter(|function| {
            !LONG_FUNCTIONS.iter().any(|(path, name, _)| *path == file.path && *name == function.name)
        })
        .map(|function| format!("{}: `{}` has {} lines", file.path, function.name, function.lines))
        .collect()
}

// --- the program ------------------------------------------------------------------------------------------------

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, sorted, with its path from the root and its text; what is not text is left out.
fn texts(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((from_root(&path), text));
            }
        }
    }
    files.sort();
    files
}

fn from_root(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The program's own sources without their tests.
fn program() -> Vec<Source> {
    let texts: Vec<_> = texts("src").into_iter().filter(|(path, _)| path.ends_with(".rs")).collect();
    assert!(texts.len() > 50, "only {} source files under src", texts.len());
    let tests: BTreeSet<String> =
        texts.iter().flat_map(|(path, text)| source::test_files(path, text)).collect();
    texts
        .iter()
        .filter(|(path, _)| !tests.iter().any(|test| path.starts_with(test.as_str())))
        .map(|(path, text)| Source::new(path, text))
        .collect()
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n  {}", findings.len(), findings.join("\n  "));
}

fn hold(check: fn(&Source) -> Findings) {
    assert_none(&program().iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn imports_run_only_down_the_layers() {
    hold(arrows);
}

#[test]
fn the_core_does_not_know_the_window() {
    hold(window_crates);
}

#[test]
fn colours_are_written_in_the_theme_alone() {
    hold(colours);
}

#[test]
fn only_the_terminal_prints_and_exits() {
    hold(talk);
}

#[test]
fn nothing_unwraps_or_is_left_to_do_outside_tests() {
    hold(shortcuts);
}

#[test]
fn errors_are_types_that_carry_their_numbers() {
    hold(text_errors);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let folders = ["src", "tests", "benches", "presets", "shaders", "scripts", ".ci"];
    let mut found: Findings = folders
        .iter()
        .flat_map(|folder| texts(folder))
        .flat_map(|(path, text)| places(&path, &text))
        .collect();
    for name in ["README.md", "Cargo.toml", "clippy.toml"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap_or_default();
        found.extend(places(name, &text));
    }
    assert_none(&found);
}

#[test]
fn files_and_functions_are_short_or_listed_by_name() {
    let mut found: Findings = texts("src")
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .flat_map(|(path, text)| long_file(path, text))
        .collect();
    found.extend(program().iter().flat_map(long_functions));
    assert_none(&found);
}

#[test]
fn lists_of_exceptions_hold_nothing_that_is_gone() {
    let files = texts("src");
    let text = |path: &str| files.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str());
    for (path, reason) in LONG_FILES {
        let lines = text(path).map_or(0, |text| text.lines().count());
        assert!(lines > FILE_LINES, "{path} is listed as long ({reason}) and has {lines} lines");
    }
    for (path, name, reason) in LONG_FUNCTIONS {
        let source = Source::new(path, text(path).unwrap_or_default());
        let lines = functions(source.code()).iter().find(|f| f.name == *name).map_or(0, |f| f.lines);
        assert!(
            lines > FUNCTION_LINES,
            "{name} of {path} is listed as long ({reason}) and has {lines} lines"
        );
    }
}

// --- the checks can fail ----------------------------------------------------------------------------------------

/// How many findings a check has on a text.
fn count(check: fn(&Source) -> Findings, path: &str, text: &str) -> usize {
    check(&Source::new(path, text)).len()
}

#[test]
fn an_arrow_that_runs_up_or_sideways_is_found() {
    let check = |path, text| count(arrows, path, text);
    assert_eq!(check("src/unit/money.rs", "use crate::stats::Estimate;"), 1);
    assert_eq!(check("src/cache/mod.rs", "use crate::serving::Steady;"), 1);
    assert_eq!(check("src/cli/run.rs", "fn f() { crate::app::open(); }"), 1);
    assert_eq!(check("src/tokenizer/mod.rs", "use crate::catalog::Catalog;"), 1);
    assert_eq!(check("src/analysis/a.rs", "use crate::{unit::Usd, io::{a, b}, cli};"), 2);
    assert_eq!(check("src/pricing/a.rs", "use crate::{\n    unit::Usd,\n    scenario::Plan,\n};"), 1);
    assert_eq!(check("src/misc/mod.rs", ""), 1);
    assert_eq!(check("src/analysis/a.rs", "use crate::unit::Usd; use crate::scenario::Scenario;"), 0);
    assert_eq!(
        check("src/unit/a.rs", "// use crate::io;\n/// [`crate::io`]\nconst A: &str = \"crate::io\";"),
        0
    );
    assert_eq!(check("src/unit/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::stats::Q;\n}\n"), 0);
    assert_eq!(check("src/unit/a.rs", "#[cfg(test)]\nmod tests {}\nuse crate::stats::Q;\n"), 1);
}

#[test]
fn a_window_crate_below_the_window_is_found() {
    let check = |path, text| count(window_crates, path, text);
    assert_eq!(check("src/report/a.rs", "use eframe::egui::Ui;"), 1);
    assert_eq!(check("src/report/a.rs", "use egui;"), 1);
    assert_eq!(check("src/report/a.rs", "fn f(ui: &mut egui::Ui) {}"), 1);
    assert_eq!(check("src/app/a.rs", "use eframe::egui::Ui;"), 0);
    assert_eq!(check("src/report/a.rs", "let legui::x = 1; // egui::Ui"), 0);
}

#[test]
fn a_colour_outside_the_theme_is_found() {
    let check = |path, text| count(colours, path, text);
    assert_eq!(check("src/app/pages/a.rs", "let c = Color32::from_rgb(1, 2, 3);"), 1);
    assert_eq!(check("src/app/pages/a.rs", "let c = Color32::RED;"), 1);
    assert_eq!(check("src/report/a.rs", "fn f(c: Color32) {}"), 1);
    assert_eq!(check("src/app/pages/a.rs", "fn f(c: Color32) { paint(Color32::TRANSPARENT) }"), 0);
    assert_eq!(check("src/app/theme.rs", "let c = Color32::from_rgb(1, 2, 3);"), 0);
}

#[test]
fn talk_outside_the_terminal_is_found() {
    let check = |path, text| count(talk, path, text);
    assert_eq!(check("src/io/a.rs", "println!(\"x\");"), 1);
    assert_eq!(check("src/io/a.rs", "eprintln!(\"x\");"), 1);
    assert_eq!(check("src/app/a.rs", "std::process::exit(1);"), 1);
    assert_eq!(check("src/cli/a.rs", "println!(\"x\");"), 0);
    assert_eq!(check("src/io/a.rs", "my_println!(x); // println!(x)"), 0);
}

#[test]
fn a_shortcut_is_found() {
    let check = |text| count(shortcuts, "src/io/a.rs", text);
    assert_eq!(check("a.unwrap();"), 1);
    assert_eq!(check("todo!()"), 1);
    assert_eq!(check("#[allow(dead_code)]"), 1);
    assert_eq!(check("a.unwrap_or(1); \"a.unwrap()\";"), 0);
    assert_eq!(check("#[cfg(test)]\nmod tests {\n fn a() { b.unwrap(); }\n}"), 0);
}

#[test]
fn an_error_that_is_text_is_found() {
    let check = |text| count(text_errors, "src/io/a.rs", text);
    assert_eq!(check("fn a() -> Result<(), String> {}"), 1);
    assert_eq!(check("fn a() -> Result<Vec<(u8, u8)>, &'static str> {}"), 1);
    assert_eq!(check("fn a() -> std::result::Result<(), String> {}"), 1);
    assert_eq!(check("fn a() -> Result<String, Error> {}"), 0);
    assert_eq!(check("fn a() -> Result<HashMap<u8, String>, Error> {}"), 0);
}

#[test]
fn a_folder_of_one_machine_is_found() {
    assert_eq!(places("a", concat!("x\n/wo", "rk/main\n")).len(), 1);
    assert_eq!(places("a", "a/workload/b, network/").len(), 0);
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    assert_eq!(long_file("src/a.rs", &"//\n".repeat(FILE_LINES + 1)).len(), 1);
    assert_eq!(long_file("src/a.rs", &"//\n".repeat(FILE_LINES)).len(), 0);
    let long =
        format!("fn short() {{}}\nfn long(a: [u8; 2]) -> u8 {{\n{}}}\n", "    a();\n".repeat(FUNCTION_LINES));
    assert_eq!(count(long_functions, "src/a.rs", &long), 1);
    let just = format!("fn just() {{\n{}}}\n", "    a('{');\n".repeat(FUNCTION_LINES - 2));
    assert_eq!(count(long_functions, "src/a.rs", &just), 0);
}
