//! `breakeven simulate`: stable fields, the same bytes, traces, tables, and what is wrong with a wish.

use std::fs;

use super::{EXAMPLE, done, folder, json, refused, run};

const SHORT: [&str; 5] = ["simulate", EXAMPLE, "--window", "10m", "--json"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    SHORT.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn every_plan_is_simulated_with_stable_fields_and_the_same_bytes() {
    let folder = folder();
    let document = json(folder.path(), &with(&[]));
    assert_eq!(document["document"], "simulate");
    let plans = document["result"].as_array().expect("plans");
    assert_eq!(plans.len(), 4);
    for plan in plans {
        let total = &plan["total"];
        let count = |name: &str| total[name].as_u64().expect(name);
        let lost: u64 = total["lost"].as_object().expect("lost").values().filter_map(|v| v.as_u64()).sum();
        let over = count("answered") + count("exact_hits") + count("semantic_hits") + lost + count("inside");
        assert_eq!(count("arrived"), over);
        for times in ["ttft_secs", "tpot_secs", "e2e_secs"] {
            let p95 = total[times]["p95"]["mean"].as_f64().expect(times);
            assert!(p95 > 0.0 && p95 < 600.0, "{times} {p95}");
        }
        assert!(plan["effects"].as_array().is_some_and(|rows| !rows.is_empty()));
        assert!(plan["timeline"]["bins"].as_array().is_some_and(|bins| bins.len() > 10));
    }
    assert_eq!(done(folder.path(), &with(&[])), done(folder.path(), &with(&[])));
    assert_ne!(done(folder.path(), &with(&[])), done(folder.path(), &with(&["--seed", "9"])));
}

#[test]
fn replications_give_intervals_and_one_does_not() {
    let folder = folder();
    let half = |more: &[&'static str]| {
        let document = json(folder.path(), &with(more));
        document["result"][0]["total"]["e2e_secs"]["mean"]["half_width"].clone()
    };
    assert!(half(&["--plan", "tiered"]).is_null());
    let width = half(&["--plan", "tiered", "--replications", "4"]).as_f64().expect("an interval");
    assert!(width > 0.0 && width < 5.0, "{width}");
}

#[test]
fn a_trace_is_replayed_and_every_call_is_written() {
    let folder = folder();
    let rows: String =
        (0..200).map(|i| format!("{},{},{}\n", f64::from(i) * 0.25, 100 + i % 7, 20 + i % 5)).collect();
    let trace = folder.path().join("trace.csv");
    fs::write(&trace, format!("time_s,prompt_tokens,output_tokens\n{rows}bad,1,1\n")).expect("a trace");
    let out = folder.path().join("calls.csv");
    let args = [
        "simulate",
        EXAMPLE,
        "--plan",
        "self-hosted",
        "--trace",
        "trace.csv",
        "--requests",
        "calls.csv",
        "--json",
    ];
    let document = json(folder.path(), &args);
    let plan = &document["result"][0];
    assert_eq!(plan["total"]["arrived"], 200);
    assert_eq!(plan["trace"]["requests"], 200);
    assert_eq!(plan["trace"]["dropped"][0]["count"], 1);
    let written = fs::read_to_string(out).expect("the table");
    assert_eq!(written.lines().count(), 201);
    assert!(written.lines().skip(1).all(|line| line.ends_with("served")), "{written}");
}

/// Rows of a trace, without its header, and words of the refusal.
const NO_TRACES: [(&str, &[&str]); 4] = [
    ("", &["nothing after the header"]),
    ("0,0,0\n1,0,5\n", &["no request in the trace", "2 rows", "prompt of no tokens", "line 2"]),
    ("0,4000000000,5\n", &["prompt_tokens is \"4000000000\"", "0 to 1000000000"]),
    ("0,10,10\n500,10,10\n0,10,10\n500,10,10\n0,10,10\n", &["goes back to the start", "sorted by time"]),
];

#[test]
fn a_hostile_trace_is_refused_in_words_or_played_with_every_row_accounted_for() {
    let folder = folder();
    let at = folder.path();
    let write = |rows: &str| {
        let header = "time_s,prompt_tokens,output_tokens,request_id\n";
        fs::write(at.join("trace.csv"), format!("{header}{rows}")).expect("a trace");
    };
    for (rows, words) in NO_TRACES {
        write(&rows.replace('\n', ",x\n"));
        refused(at, &["simulate", EXAMPLE, "--trace", "trace.csv"], words);
    }
    for (name, bytes, words) in [
        ("empty.csv", Vec::new(), ["the file is empty", "header"]),
        ("columns.csv", b"a,b,c\n1,2,3\n".to_vec(), ["no column for the time", "prompt_tokens"]),
        (
            "cut.csv.gz",
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b],
            ["ends early or is damaged", "fetch it again"],
        ),
    ] {
        fs::write(at.join(name), bytes).expect("a file");
        refused(at, &["simulate", EXAMPLE, "--trace", name], &words);
    }

    // Duplicates, an id again, a silence, a time beyond all clocks, a request beyond every context, no answer.
    let rows =
        "0,100,20,a\n0,100,20,a\n1,100,20,a\n2,900000000,20,b\n3,100,0,c\n90000,100,20,d\n1e12,100,20,e\n";
    write(rows);
    let args = ["simulate", EXAMPLE, "--plan", "self-hosted", "--trace", "trace.csv", "--json"];
    let plan = json(at, &args)["result"][0].clone();
    let (trace, total) = (&plan["trace"], &plan["total"]);
    let dropped: u64 =
        trace["dropped"].as_array().expect("reasons").iter().filter_map(|d| d["count"].as_u64()).sum();
    assert_eq!(
        (trace["rows"].as_u64(), trace["requests"].as_u64(), dropped),
        (Some(7), Some(5), 2),
        "{trace}"
    );
    assert_eq!(trace["ids_again"]["count"], 1, "{trace}");
    assert_eq!(trace["empty_answers"]["count"], 1, "{trace}");
    assert!(trace["gaps"]["count"].as_u64() > Some(0), "{trace}");
    assert_eq!((total["arrived"].as_u64(), total["answered"].as_u64()), (Some(5), Some(4)), "{total}");
    assert_eq!(total["lost"]["too_long"], 1, "{total}");

    // Rows after the window are told.
    let windowed = [&args[..], &["--window", "60s"]].concat();
    let plan = json(at, &windowed)["result"][0].clone();
    assert_eq!(plan["trace"]["requests"], plan["total"]["arrived"]);
    assert!(plan["trace"]["outside"].as_u64() > Some(0), "{}", plan["trace"]);
}

#[test]
fn more_than_a_replica_can_do_is_told_and_bounded() {
    let folder = folder();
    fs::write(
        folder.path().join("rush.csv"),
        format!("time_s,prompt_tokens,output_tokens\n{}", "0,500,5\n".repeat(30_000)),
    )
    .expect("a trace");
    let args = ["simulate", EXAMPLE, "--plan", "self-hosted", "--trace", "rush.csv", "--replicas", "1"];
    let said = done(folder.path(), &args);
    assert!(said.contains("cannot keep up") && said.contains("more were turned away"), "{said}");
    assert!(said.contains("10.0 K calls") || said.contains("10,000 calls"), "{said}");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_what_to_write() {
    let folder = folder();
    refused(folder.path(), &["simulate", EXAMPLE, "--plan", "nothing"], &["no plan has the id", "tiered"]);
    refused(
        folder.path(),
        &["simulate", EXAMPLE, "--window", "10m", "--warmup", "1h"],
        &["less than the window"],
    );
    refused(folder.path(), &["simulate", EXAMPLE, "--window", "0s"], &["more than 0"]);
    refused(folder.path(), &["simulate", EXAMPLE, "--trace", "nowhere.csv"], &["nowhere.csv"]);
    let outage = ["simulate", EXAMPLE, "--window", "10m", "--outage", "nobody:1m:1m"];
    refused(folder.path(), &outage, &["nobody", "is not an API endpoint"]);
    for words in [["--window", "1y"], ["--crowd", "5:1m"], ["--balance", "random"]] {
        let output = run(folder.path(), &[&["simulate", EXAMPLE][..], &words[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}
