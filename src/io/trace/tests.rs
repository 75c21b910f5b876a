use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::workload::HourlyShape;

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("trace.csv");
    fs::write(&path, content).expect("write");
    (folder, path)
}

fn trace(content: &str) -> Trace {
    read(&file(content.as_bytes()).1).unwrap_or_else(|error| panic!("{error}\n{content}"))
}

fn error(content: &[u8]) -> String {
    read(&file(content).1).expect_err("is not a trace").to_string()
}

fn rows(trace: &Trace) -> Vec<(f64, u32, u32)> {
    trace.rows.iter().map(|r| ((r.at_secs * 1e6).round() / 1e6, r.prompt_tokens, r.output_tokens)).collect()
}

#[test]
fn each_public_format_is_recognised_with_its_unit_of_time() {
    let cases = [
        (
            "Azure LLM inference trace",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.6805900,396,109\n",
        ),
        (
            "Azure LLM inference trace",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.5+00:00,374,44\n2024-05-10 00:00:04.5+00:00,396,109\n",
        ),
        (
            "BurstGPT",
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,374,44,418,Conversation log\n9,GPT-4,396,109,505,API log\n",
        ),
        (
            "Mooncake",
            "{\"timestamp\": 0, \"input_length\": 374, \"output_length\": 44, \"hash_ids\": [0]}\n\n{\"timestamp\": 4000, \"input_length\": 396, \"output_length\": 109, \"hash_ids\": [0]}",
        ),
        ("request trace", "time_ms;prompt_tokens;completion_tokens\r\n10;374;44\r\n4010;396;109.0\r\n"),
        ("request trace", "\u{feff}output tokens\tinput tokens\tt (s)\n44\t374\t10\n109\t396\t14\n"),
        (
            "request trace",
            "{\"arrival_time\": 1787267980.0, \"input_toks\": 374, \"output_toks\": 44}\n{\"arrival_time\": 1787267984.0, \"input_toks\": 396, \"output_toks\": 109}",
        ),
    ];
    for (format, content) in cases {
        let trace = trace(content);
        assert_eq!(rows(&trace), [(0.0, 374, 44), (4.0, 396, 109)], "{content}");
        assert_eq!((trace.format.as_str(), trace.dropped_total()), (format, 0), "{content}");
    }
}

#[test]
fn the_wall_clock_of_the_first_request_is_kept_where_there_is_one() {
    let start = |content: &str| trace(content).start.map(|at| at.to_string());
    let header = "timestamp,input_tokens,output_tokens";
    assert_eq!(
        start(&format!("{header}\n2023-11-16 18:15:46.5,1,1")).as_deref(),
        Some("2023-11-16T18:15:46.5")
    );
    assert_eq!(
        start(&format!("{header}\n2023-11-16T18:15:46+02:00,1,1")).as_deref(),
        Some("2023-11-16T16:15:46")
    );
    assert_eq!(start(&format!("{header}\n1700000000,1,1")).as_deref(), Some("2023-11-14T22:13:20"));
    assert_eq!(start(&format!("{header}\n1700000000000,1,1")).as_deref(), Some("2023-11-14T22:13:20"));
    assert_eq!(start("t_s,input_tokens,output_tokens\n5,1,1"), None);
}

#[test]
fn rows_that_cannot_be_read_are_counted_with_the_line_of_the_first() {
    let mut content = String::from("TIMESTAMP,ContextTokens,GeneratedTokens\n");
    for i in 0..39 {
        writeln!(content, "2023-11-16 18:15:{i:02},100,10").expect("text");
    }
    content += "2023-11-16 18:16:00,12k,10\n2023-11-16 18:16:01,-5,10\n2023-11-16 18:16:02,1.5,10\n\
                2023-11-16 18:16:03,,10\nyesterday,1,1\n1700000000,1,1\ngarbage\n2023-11-16 18:16:04,7,7\n";
    let trace = trace(&content);
    assert_eq!((trace.rows.len(), trace.dropped_total()), (40, 7));
    let shown: Vec<String> = trace.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "3 rows left out (token count not readable); line 41: ContextTokens is \"12k\"; write 12000",
            "2 rows left out (value missing); line 44: ContextTokens is empty; write its value",
            "1 row left out (time not readable); line 45: TIMESTAMP is \"yesterday\"; write a time such as 2023-11-16 18:15:00",
            "1 row left out (time written differently from the rows before); line 46: TIMESTAMP is \"1700000000\"; write it as in the rows before: 2023-11-16 18:15:00",
        ]
    );
}

#[test]
fn bytes_that_are_not_utf_8_cost_their_row_only() {
    let (_folder, path) = file(b"t_s,prompt_tokens,output_tokens,note\n0,1,1,caf\xe9\n1,\xff,1,x\n2,3,1,y\n");
    let trace = read(&path).expect("reads");
    assert_eq!((trace.rows.len(), trace.dropped[0].reason), (2, DropReason::NotText));
}

#[test]
fn a_missing_column_lists_what_is_there_and_what_is_expected() {
    let message = error(b"when,ContextTokens,Cost\n1,2,3\n");
    for part in [
        "no column for the time and the output's tokens",
        "found when, ContextTokens, Cost",
        "GeneratedTokens",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(error(b"374,44\n396,109\n").contains("found 374, 44"));
    assert!(error(b"{\"timestamp\": 1}\n").contains("found timestamp"));
}

#[test]
fn a_number_whose_unit_is_not_known_is_asked_about() {
    let message = error(b"timestamp,input_tokens,output_tokens\n350,1,1\n");
    assert!(message.contains("line 2: timestamp is 350, in seconds or milliseconds? rename"), "{message}");
    assert!(message.contains("timestamp_s or timestamp_ms"), "{message}");
}

#[test]
fn late_rows_are_sorted_and_counted_but_restarting_clocks_are_refused() {
    let sorted = trace("t_s,prompt_tokens,output_tokens\n5,1,1\n7,2,2\n6,3,3\n4,4,4\n");
    assert_eq!(rows(&sorted), [(0.0, 4, 4), (1.0, 1, 1), (2.0, 3, 3), (3.0, 2, 2)]);
    assert_eq!((sorted.out_of_order, sorted.first_out_of_order_line), (2, Some(4)));
    let message = error(b"t_s,prompt_tokens,output_tokens\n0,1,1\n7,2,2\n0,3,3\n4,4,4\n0,3,3\n");
    assert!(message.contains("goes back to the start 2 times, first in line 4"), "{message}");
}

#[test]
fn what_is_no_trace_says_what_it_is() {
    let cases: [(&[u8], &str); 8] = [
        (b"", "the file is empty"),
        (b"  \n \n", "the file is empty"),
        (b"\x1f\x8b\x08rest", "trace.csv"),
        (b"PAR1....", "Parquet table, which is not read; convert it"),
        (b"\xff\xfet\x00", "UTF-16"),
        (b"a\x00b", "binary"),
        (b"caf\xe9,b\n", "not UTF-8"),
        (b"t_s,prompt_tokens,output_tokens\n", "nothing after the header"),
    ];
    for (content, expected) in cases {
        let message = error(content);
        assert!(message.contains(expected), "{message}");
    }
    assert!(
        error(b"t_s,prompt_tokens,output_tokens\nx,1,1\n").contains("line 2: t_s is \"x\"; write seconds")
    );
    assert!(error(b"{\"a\n{\"b\n").contains("line 1:"));
    let folder = tempfile::tempdir().expect("folder");
    assert!(read(folder.path()).expect_err("folder").to_string().contains("a folder"));
    assert!(read(&folder.path().join("none")).expect_err("absent").to_string().ends_with("none"));
}

#[test]
fn reading_stops_when_it_is_asked_to() {
    let content = "t_s,prompt_tokens,output_tokens\n".to_owned() + &"1,1,1\n".repeat(10_000);
    let (_folder, path) = file(content.as_bytes());
    let error = read_watched(&path, &mut |_| ControlFlow::Break(())).expect_err("stopped");
    assert!(matches!(error, TraceError::Stopped { rows: 4096, .. }), "{error}");
}

#[test]
fn windows_of_clients_add_up_to_their_pool() {
    let content =
        "pool,client,window_start_s,rate_req_s\nb,0,0,1\na,0,600,2\na,1,600,3\na,0,0,1\nb,0,600,1\n";
    let series = read_windows(&file(content.as_bytes()).1).expect("windows");
    assert_eq!(series.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(series[0].window_secs, 600.0);
    assert_eq!(series[0].windows.iter().map(|w| w.rate_per_sec).collect::<Vec<_>>(), [1.0, 5.0]);
    let message = read_windows(&file(b"window_start_s,rate_req_s\n0,x\n").1).expect_err("bad").to_string();
    assert!(message.contains("line 2: rate_req_s is \"x\""), "{message}");
    assert!(read_windows(&file(b"a,b\n0,1\n").1).expect_err("columns").to_string().contains("found a, b"));
}

/// The published data beside the repository; absent on most machines.
fn published(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        root.ancestors().skip(1).map(|a| a.join("shared/data/traces").join(name)).find(|p| p.exists());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not in ../shared/data/traces");
    }
    found
}

#[test]
fn the_published_traces_have_their_published_sizes() {
    let cases = [
        ("AzureLLMInferenceTrace_conv.csv", 19_366, 3501.722, 1154.7, 211.13),
        ("mooncake_conversation_trace.jsonl", 12_031, 3536.999, 12_035.06, 342.62),
        ("llmservingsim_vllm_RTX4090_Llama-3.1-8B_requests.jsonl", 300, 29.101, 857.46, 652.51),
    ];
    for (name, n, span, prompt, output) in cases {
        let Some(path) = published(name) else { continue };
        let trace = read(&path).expect("reads");
        let mean = |of: fn(&TraceRow) -> u32| {
            trace.rows.iter().map(|r| f64::from(of(r))).sum::<f64>() / f64::from(n)
        };
        assert_eq!((trace.rows.len(), trace.dropped_total()), (n as usize, 0), "{name}");
        assert!((trace.span_secs() - span).abs() < 1e-3, "{name} {}", trace.span_secs());
        assert!(
            (mean(|r| r.prompt_tokens) - prompt).abs() < 0.05
                && (mean(|r| r.output_tokens) - output).abs() < 0.05
        );
    }
    if let Some(path) = published("weka_claude_code_requests.csv") {
        let error = read(&path).expect_err("sessions with their own clocks");
        assert!(matches!(error, TraceError::ClockRestarts { .. }), "{error}");
    }
}

#[test]
fn the_published_windows_give_two_weeks_and_a_day() {
    let Some(path) = published("servegen_pool_windows.csv") else { return };
    let series = read_windows(&path).expect("reads");
    let shapes: Vec<_> =
        series.iter().map(|s| (s.name.as_str(), HourlyShape::of(s, None).expect("shape"))).collect();
    for (name, shape) in &shapes {
        let expected = if *name == "mm-image" { 24 } else { 168 };
        assert_eq!(shape.weights.len(), expected, "{name}");
        eprintln!(
            "{name}: {:.2}/s, peak {:.2}x, support {:?}",
            shape.rate_per_sec,
            shape.peak_to_mean(),
            shape.support.iter().min()
        );
    }
    assert_eq!(shapes.len(), 3);
}

#[test]
fn the_azure_conversations_fit_as_published() {
    let Some(path) = published("AzureLLMInferenceTrace_conv.csv") else { return };
    let fit = crate::workload::fit::fit(&read(&path).expect("reads")).expect("fits");
    // The published figures divide the squares by n, an unbiased variance by n - 1: with 11 windows of 300 s
    // that is 56.1 against 61.7.
    let index = |secs: f64| {
        let of = |d: &crate::workload::Dispersion| d.index * (d.windows as f64 - 1.0) / d.windows as f64;
        fit.arrivals.dispersion.iter().find(|d| d.window_secs == secs).map_or(f64::NAN, of)
    };
    let close =
        |v: f64, expected: f64, share: f64| assert!((v / expected - 1.0).abs() < share, "{v} {expected}");
    close(fit.arrivals.rate_per_sec, 5.530, 1e-3);
    close(fit.arrivals.gap_cv, 1.0942, 1e-3);
    close(index(10.0), 3.857, 1e-3);
    close(index(60.0), 16.128, 1e-3);
    close(index(300.0), 56.095, 1e-3);
    close(fit.prompt.mean, 1154.7, 1e-3);
    close(fit.output.mean, 211.13, 1e-3);
    close(fit.prompt.p95, 4083.0, 1e-3);
    for lengths in [&fit.prompt, &fit.output] {
        assert!(lengths.fit(lengths.for_bill).expect("made").goodness.mean_error.abs() < 0.05);
        // No family is within 10 points of probability; the table is within the noise of half the rows of the rows
        // that it has not seen, and within rounding of its own.
        assert!(lengths.fit(lengths.best).expect("made").goodness.ks > 0.1);
        assert_eq!(lengths.chosen, crate::workload::FitMethod::Empirical);
        let table = lengths.fit(lengths.chosen).expect("made").goodness;
        assert!(table.ks < lengths.ks_noise && table.mean_error.abs() < 0.02, "{table:?}");
        assert!(lengths.table.ks < 0.002 && lengths.table.mean_error.abs() < 1e-3, "{:?}", lengths.table);
        assert!(lengths.table.p99_error.abs() < 0.005, "{:?}", lengths.table);
        for f in &lengths.fits {
            eprintln!(
                "{:32} {:?} shape {:.3} mean {:.1} {:.3?}",
                f.method.name(),
                f.length,
                f.shape,
                f.mean,
                f.goodness
            );
        }
        eprintln!(
            "empirical {:.4?} table {:.5?} noise {:.4} drift {:.4} best {:?} bill {:?}",
            lengths.empirical,
            lengths.table,
            lengths.ks_noise,
            lengths.drift_ks,
            lengths.best,
            lengths.for_bill
        );
    }
    eprintln!("{:#?}\nrho {:?}", fit.arrivals, fit.rank_correlation);
    fit.notes.iter().for_each(|note| eprintln!("{note}"));
}
