use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use super::*;
use crate::sim::{BlockReplay, Source};

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("trace");
    fs::write(&path, content).expect("write");
    (folder, path)
}

/// Plays a text to its end; keeps the account's law.
fn played(content: &str, options: &ReplayOptions) -> (Vec<Request>, ReplayAccount) {
    played_bytes(content.as_bytes(), options)
}

fn played_bytes(content: &[u8], options: &ReplayOptions) -> (Vec<Request>, ReplayAccount) {
    let (_folder, path) = file(content);
    let mut replay = Replay::open(&path, options).unwrap_or_else(|error| panic!("{error}"));
    let requests: Vec<Request> = replay.by_ref().collect();
    assert!(replay.error().is_none(), "{:?}", replay.error());
    let account = replay.account().clone();
    lawful(&requests, &account);
    (requests, account)
}

fn lawful(requests: &[Request], account: &ReplayAccount) {
    assert!(requests.is_sorted_by_key(|request| request.at), "times ascend");
    assert!(requests.iter().all(|request| request.prompt_tokens >= 1 && request.output_tokens >= 1));
    assert_eq!(account.requests, requests.len() as u64);
    if account.passes == 1 {
        assert_eq!(account.rows, account.requests + account.dropped_total() + account.outside, "{account:?}");
    }
}

fn failure(content: &[u8], options: &ReplayOptions) -> String {
    let (_folder, path) = file(content);
    match Replay::open(&path, options) {
        Err(error) => error.to_string(),
        Ok(mut replay) => {
            replay.by_ref().for_each(drop);
            replay.error().expect("fails").to_string()
        }
    }
}

fn plain() -> ReplayOptions {
    ReplayOptions::default()
}

fn rows(requests: &[Request]) -> Vec<(f64, u32, u32)> {
    requests.iter().map(|r| ((r.at.secs() * 1e6).round() / 1e6, r.prompt_tokens, r.output_tokens)).collect()
}

/// A request each second, lengths that tell them apart.
fn seconds(n: u32) -> String {
    let mut text = "t_s,prompt_tokens,output_tokens\n".to_owned();
    for i in 0..n {
        writeln!(text, "{i},{},{}", 100 + i, 1 + i % 7).expect("text");
    }
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text).expect("packs");
    packer.finish().expect("packs")
}

#[test]
fn each_public_log_is_recognised() {
    let cases = [
        (
            "Azure LLM inference trace",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.6805900,396,109\n",
        ),
        (
            "BurstGPT",
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,374,44,418,Conversation log\n9,GPT-4,396,109,505,API log\n",
        ),
        (
            "Mooncake",
            "{\"timestamp\": 0, \"input_length\": 374, \"output_length\": 44, \"hash_ids\": [0]}\n{\"timestamp\": 4000, \"input_length\": 396, \"output_length\": 109, \"hash_ids\": [1]}\n",
        ),
        (
            "request trace",
            "{\"request_id\": \"b-0\", \"input_toks\": 374, \"output_toks\": 44, \"arrival_time\": 1787267980.0, \"queued_ts\": 27.5}\n{\"request_id\": \"b-1\", \"input_toks\": 396, \"output_toks\": 109, \"arrival_time\": 1787267984.0, \"queued_ts\": 31.5}\n",
        ),
        ("request trace", "time_ms;prompt_tokens;completion_tokens\r\n10;374;44\r\n4010;396;109\r\n"),
    ];
    for (format, content) in cases {
        let (requests, account) = played(content, &plain());
        assert_eq!(rows(&requests), [(0.0, 374, 44), (4.0, 396, 109)], "{content}");
        assert_eq!((account.format.as_str(), account.dropped_total()), (format, 0));
    }
}

#[test]
fn packed_traces_are_told_by_their_content() {
    let text = seconds(5_000);
    let expected = played(&text, &plain());
    let zstd =
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    for packed in [gzip(text.as_bytes()), zstd] {
        assert!(packed.len() < text.len());
        assert_eq!(played_bytes(&packed, &plain()), expected);
    }
}

#[test]
fn a_packed_trace_that_is_cut_off_is_an_error_after_the_rows_that_are_whole() {
    let packed = gzip(seconds(200_000).as_bytes());
    let (_folder, path) = file(&packed[..packed.len() * 9 / 10]);
    let mut replay = Replay::open(&path, &plain()).expect("begins");
    let watch = replay.watch();
    assert!(replay.by_ref().count() > 50_000);
    let message = replay.error().expect("cut off").to_string();
    assert!(
        message.contains("ends early or is damaged after") && message.contains("fetch it again"),
        "{message}"
    );
    drop(replay);
    assert_eq!(watch.error().expect("seen from outside").to_string(), message);
    assert!(failure(b"\x1f\x8b\x08rest", &plain()).contains("damaged after 0 rows"));
}

#[test]
fn columns_may_be_named() {
    let content = "begun,in,out,who,name,asked\n1000,5,6,ada,r1,q1\n3000,7,8,bob,r2,q2\n4000,9,9,ada,r3,q1\n";
    let columns = "time=begun,time_unit=ms,prompt=in,output=out,session=who,id=name,key=asked";
    let options = ReplayOptions { columns: columns.parse().expect("map"), ..plain() };
    let (requests, _) = played(content, &options);
    assert_eq!(rows(&requests), [(0.0, 5, 6), (2.0, 7, 8), (3.0, 9, 9)]);
    let [a, b, c] = requests.as_slice() else { panic!("three") };
    assert!(a.session == c.session && a.session != b.session && a.key == c.key && a.key != b.key);
    assert!(matches!(a.prefix, Prefix::Session { talk: Some(talk), .. } if talk.id == a.session));
    assert_eq!((a.note, c.note), (2, 4));
    let absent = ReplayOptions { columns: "session=whom".parse().expect("map"), ..plain() };
    let message = failure(seconds(1).as_bytes(), &absent);
    assert!(message.contains("whom") && message.contains("found t_s, prompt_tokens"), "{message}");
    for (text, part) in [
        ("time", "not a pair"),
        ("when=x", "\"when\" is not known"),
        ("id=a,id=b", "id is said twice"),
        ("time_unit=h", "\"h\" is not a unit"),
    ] {
        let message = text.parse::<ColumnMap>().expect_err("bad").to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn requests_without_a_session_are_sessions_of_their_own() {
    let (requests, _) = played(&seconds(100), &plain());
    let sessions: std::collections::BTreeSet<u64> = requests.iter().map(|r| r.session).collect();
    assert_eq!(sessions.len(), 100);
}

#[test]
fn every_fault_costs_its_row_and_is_counted_with_its_first_line() {
    let content = "request_id,t_s,prompt_tokens,output_tokens\na,0,10,1\nb,1,0,5\nc,2,20,0\nd,3,12k,5\ngarbage\n\
                   e,4,30,1\ne,4,30,1\ne,5,30,1\nf,6,2000000000,1\ng,7,900,200\nh,x,1,1\n\"i,8,1,1\nj,2000,40,1\n";
    let options = ReplayOptions { context_tokens: Some(1000), ..plain() };
    let (requests, account) = played(content, &options);
    assert_eq!(rows(&requests), [(0.0, 10, 1), (2.0, 20, 1), (4.0, 30, 1), (5.0, 30, 1), (2000.0, 40, 1)]);
    let found: Vec<_> = account.dropped.iter().map(|d| (d.reason, d.count, d.first_line)).collect();
    let expected = [
        (DropReason::NoPrompt, 1, 3),
        (DropReason::Tokens, 2, 5),
        (DropReason::Missing, 2, 6),
        (DropReason::Duplicate, 1, 8),
        (DropReason::Time, 1, 12),
        (DropReason::Context, 1, 11),
    ];
    assert_eq!(found, expected, "{:#?}", account.dropped);
    assert_eq!(account.ids_again, Seen { count: 1, first_line: 9 });
    assert_eq!(account.empty_answers, Seen { count: 1, first_line: 4 });
    assert_eq!((account.gaps, account.longest_gap_line), (Seen { count: 1, first_line: 14 }, 14));
    assert_eq!((account.longest_prompt, account.longest_prompt_line), (900, 11));
    let warnings = account.warnings().join("\n");
    for part in [
        "1 row left out (longer than the context); line 11: 900 + 200 tokens are more than 1000",
        "1 row with an answer of no tokens, taken as one token; first in line 4",
        "longest silence is 1993 s, before line 14",
    ] {
        assert!(warnings.contains(part), "{warnings}");
    }
}

#[test]
fn a_failure_that_burstgpt_logs_is_not_a_request() {
    let content = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,374,44,418,a\n6,ChatGPT,374,0,374,a\n";
    let (requests, account) = played(content, &plain());
    assert_eq!((requests.len(), account.dropped[0].reason), (1, DropReason::Failed));
}

#[test]
fn lines_that_are_not_json_cost_themselves() {
    let content = "{\"t_s\": 0, \"prompt_tokens\": 1, \"output_tokens\": 1}\n{\"t_s\": 1, \"prom\nnonsense\n[1]\n{\"t_s\": 2, \"prompt_tokens\": 3, \"output_tokens\": 1}\n";
    let (requests, account) = played(content, &plain());
    assert_eq!((requests.len(), account.dropped[0].count, account.dropped[0].first_line), (2, 3, 2));
}

#[test]
fn rows_a_little_out_of_order_are_sorted_and_those_far_out_are_left_out() {
    let (requests, account) =
        played("t_s,prompt_tokens,output_tokens\n5,1,1\n7,2,2\n6,3,3\n4,4,4\n6,5,5\n", &plain());
    assert_eq!(rows(&requests), [(0.0, 4, 4), (1.0, 1, 1), (2.0, 3, 3), (2.0, 5, 5), (3.0, 2, 2)]);
    assert_eq!(account.out_of_order, Seen { count: 3, first_line: 4 });
    let mut content = seconds(1_000);
    content += "950,7,7\n100,8,8\n";
    let options = ReplayOptions { waiting_rows: 100, ..plain() };
    let (requests, account) = played(&content, &options);
    assert_eq!((requests.len(), account.out_of_order.count), (1_001, 1));
    assert_eq!(
        account.dropped[0].to_string().split(':').next(),
        Some("1 row left out (too late to be sorted into place); line 1003")
    );
}

#[test]
fn sessions_with_clocks_of_their_own_are_refused_without_a_way_to_start_them() {
    let mut content = "t_s,prompt_tokens,output_tokens\n".to_owned();
    for _ in 0..3 {
        content += "0,1,1\n400,1,1\n";
    }
    let message = failure(content.as_bytes(), &plain());
    assert!(message.contains("goes back to the start 2 times, first in line 4"), "{message}");
}

#[test]
fn the_rows_that_wait_are_bounded_however_long_the_trace() {
    for n in [2_000, 20_000] {
        let options = ReplayOptions { waiting_rows: 300, ..plain() };
        let (requests, account) = played(&seconds(n), &options);
        assert_eq!((requests.len(), account.waiting_max), (n as usize, 300));
    }
}

#[test]
fn twice_the_rate_halves_the_times_and_longer_prompts_keep_their_share() {
    let text = seconds(1_000);
    let (once, _) = played(&text, &plain());
    let (twice, _) = played(&text, &ReplayOptions { rate: 2.0, prompt: 3.0, output: 0.5, ..plain() });
    for (a, b) in once.iter().zip(&twice) {
        assert!(a.at.0.abs_diff(2 * b.at.0) <= 1);
        assert_eq!(b.prompt_tokens, 3 * a.prompt_tokens);
        assert_eq!(b.output_tokens, (f64::from(a.output_tokens) * 0.5).round().max(1.0) as u32);
    }
    let content = "{\"timestamp\": 0, \"input_length\": 2000, \"output_length\": 4, \"hash_ids\": [1,2,3,4]}\n{\"timestamp\": 1, \"input_length\": 2000, \"output_length\": 4, \"hash_ids\": [1,2,5,6]}\n";
    for prompt in [1.0, 4.0] {
        let mut cache = BlockReplay::new(None, 16);
        for request in played(content, &ReplayOptions { prompt, ..plain() }).0 {
            cache.request(&request.prefix, u64::from(request.prompt_tokens));
        }
        assert_eq!(cache.found_tokens as f64, 1024.0 * prompt);
    }
}

#[test]
fn a_stretch_of_time_is_cut_out_and_what_is_outside_counted() {
    let text = seconds(100);
    let options = ReplayOptions { from_secs: 10.0, until_secs: Some(20.0), ..plain() };
    let (requests, account) = played(&text, &options);
    let expected: Vec<f64> = (0..10).map(f64::from).collect();
    assert_eq!(requests.iter().map(|r| r.at.secs()).collect::<Vec<_>>(), expected);
    assert_eq!((requests[0].prompt_tokens, account.outside), (110, 90));
    let after = ReplayOptions { from_secs: 1000.0, ..plain() };
    assert_eq!(played(&text, &after).1.outside, 100);
}

#[test]
fn a_repeated_trace_has_sessions_and_blocks_of_its_own_in_each_pass() {
    let content = "{\"timestamp\": 0, \"input_length\": 1000, \"output_length\": 4, \"hash_ids\": [1,2]}\n{\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 4, \"hash_ids\": [1,2,5]}\nnonsense\n";
    let options = ReplayOptions { repeat: 3, ..plain() };
    let (requests, account) = played(content, &options);
    let at: Vec<f64> = requests.iter().map(|r| r.at.secs()).collect();
    assert_eq!(at, [0.0, 3.0, 6.0, 9.0, 12.0, 15.0]);
    assert_eq!((account.passes, account.rows, account.dropped_total()), (3, 3, 1));
    let mut cache = BlockReplay::new(None, 512);
    let found: Vec<u64> =
        requests.iter().map(|r| cache.request(&r.prefix, u64::from(r.prompt_tokens))).collect();
    assert_eq!(found, [0, 2, 0, 2, 0, 2]);
    assert_ne!(requests[0].session, requests[2].session);
    let daily = ReplayOptions { repeat_every_secs: Some(86_400.0), rate: 2.0, ..options.clone() };
    assert_eq!(played(content, &daily).0[2].at.secs(), 43_200.0);
    let short = ReplayOptions { repeat_every_secs: Some(2.0), ..options };
    assert!(failure(content.as_bytes(), &short).contains("the next would begin after 2 s"));
}

#[test]
fn blocks_of_other_sizes_are_found_out_or_asked_about() {
    let line = |n: u32, ids: &str| {
        format!("{{\"timestamp\": 0, \"input_length\": {n}, \"output_length\": 4, \"hash_ids\": [{ids}]}}\n")
    };
    let tokens = |content: &str, options: &ReplayOptions| match &played(content, options).0[0].prefix {
        Prefix::Blocks { tokens, .. } => *tokens,
        other => panic!("{other:?}"),
    };
    assert_eq!(tokens(&line(600, "1,2"), &plain()), 512);
    assert_eq!(tokens(&line(40, "\"a\",\"b\",\"c\""), &plain()), 16);
    assert_eq!(tokens(&line(600, "1,2"), &ReplayOptions { block_tokens: Some(384), ..plain() }), 384);
    let message = failure(line(600, "1,2,3,4").as_bytes(), &plain());
    assert!(message.contains("line 1: 4 block hashes for a prompt of 600 tokens"), "{message}");
}

#[test]
fn what_is_no_trace_says_what_it_is_and_what_to_do() {
    for (content, part) in [
        (&b""[..], "empty"),
        (b"PAR1....", "Parquet table, which is not read; convert it"),
        (b"PK\x03\x04..", "unpack it first"),
        (b"t_s,prompt_tokens,output_tokens\n", "nothing after the header"),
        (b"t_s,prompt_tokens,output_tokens\nx,1,1\n", "line 2: t_s is \"x\"; write seconds"),
        (b"timestamp,input_tokens,output_tokens\n350,1,1\n", "in seconds or milliseconds?"),
        (b"when,ContextTokens,Cost\n1,2,3\n", "no column for the time"),
    ] {
        let message = failure(content, &plain());
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let text = seconds(3);
    for (options, part) in [
        (ReplayOptions { rate: 0.0, ..plain() }, "the rate is 0"),
        (ReplayOptions { prompt: f64::NAN, ..plain() }, "the prompt factor is NaN"),
        (ReplayOptions { from_secs: -1.0, ..plain() }, "the start is -1"),
        (ReplayOptions { from_secs: 5.0, until_secs: Some(5.0), ..plain() }, "seconds after the start"),
        (ReplayOptions { repeat: 0, ..plain() }, "repeat is 0"),
        (ReplayOptions { waiting_rows: 0, ..plain() }, "rows read ahead"),
        (ReplayOptions { sessions_per_hour: Some(0.0), ..plain() }, "sessions per hour"),
    ] {
        let message = failure(text.as_bytes(), &options);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_replay_is_a_source_that_gives_the_same_twice() {
    let text = seconds(500);
    let (_folder, path) = file(text.as_bytes());
    let mut source: Box<dyn Source> = Box::new(Replay::open(&path, &plain()).expect("opens"));
    let mut all = Vec::new();
    while let Some(request) = source.next() {
        all.push(request);
    }
    assert_eq!(all, played(&text, &plain()).0);
}

const SESSIONS: &str = "trace_id,subagent,req_index,t_s,input_tokens,output_tokens,n_blocks64,prefix_hit_blocks_same_session,api_time_s\n";

#[test]
fn an_agent_finds_what_its_file_says_and_a_subagent_starts_when_its_parent_was_answered() {
    // A context that grows, is cut to 3 blocks, grows another way, and a second agent that shares a block of the first.
    let content = SESSIONS.to_owned()
        + "s,main,0,0,650,10,10,0,5\ns,main,1,20,1290,10,20,10,5\ns,main,2,40,650,10,10,3,5\n\
           s,main,3,60,1300,10,20,10,5\ns,main/4,0,0,640,10,10,1,5\ns,main/4,1,10,700,10,10,10,5\ns,main,5,90,200,1,3,3,1\n\
           s,main,6,95,1300,1,20,3,1\n";
    let options = ReplayOptions { sessions_per_hour: Some(10.0), ..plain() };
    let (requests, account) = played(&content, &options);
    assert_eq!(account.format, "Claude Code sessions (WEKA)");
    let at: Vec<f64> = requests.iter().map(|r| r.at.secs()).collect();
    assert_eq!(at, [0.0, 20.0, 40.0, 60.0, 65.0, 75.0, 90.0, 95.0]);
    let mut cache = BlockReplay::new(None, 64);
    let found: Vec<u64> =
        requests.iter().map(|r| cache.request(&r.prefix, u64::from(r.prompt_tokens))).collect();
    assert_eq!(found, [0, 10, 3, 10, 1, 10, 3, 3]);
}

#[test]
fn sessions_start_as_often_as_asked_and_only_the_open_ones_are_held() {
    let mut content = SESSIONS.to_owned();
    for session in 0..2_000 {
        for turn in 0..5 {
            writeln!(content, "s{session},main,{turn},{},650,10,10,0,5", 60 * turn).expect("text");
        }
    }
    assert!(failure(content.as_bytes(), &plain()).contains("say how many sessions start per hour"));
    let options = ReplayOptions { sessions_per_hour: Some(100.0), ..plain() };
    let (requests, account) = played(&content, &options);
    assert_eq!(requests.len(), 10_000);
    // Open for 4 minutes each, 6.7 at a time on average; a session more is read to know when it starts.
    assert!(account.waiting_max < 150, "{}", account.waiting_max);
    // 2,000 gaps of a Poisson process: a standard error of 2.2 %.
    let hours = requests.last().expect("some").at.secs() / 3600.0;
    assert!((hours / 20.0 - 1.0).abs() < 0.1, "{hours}");
    let (other, _) = played(&content, &ReplayOptions { seed: 2, ..options.clone() });
    assert_ne!(other.last(), requests.last());
    assert_eq!(played(&content, &options).0, requests);
}

const RATES: &str = "pool,client,window_start_s,rate_req_s,cv\n";

#[test]
fn windows_expect_their_rate_whatever_the_variation() {
    // 200 windows of 100 s: rates 2 and 0 by turns for a bursty client, 1 throughout for a steady one.
    let mut content = RATES.to_owned();
    for window in 0..200 {
        writeln!(content, "p,a,{},{},3\np,b,{},1,1", 100 * window, 2 * (window % 2), 100 * window)
            .expect("text");
    }
    let options = ReplayOptions { lengths: Some(WindowLengths::Fixed { prompt: 50, output: 5 }), ..plain() };
    let mut total = 0;
    for seed in 0..20 {
        let (requests, _) = played(&content, &ReplayOptions { seed, ..options.clone() });
        total += requests.len();
    }
    // Per seed 20,000 and 20,000; the variance of a renewal count is cv² times its mean: 447 and 141 by seed, 105 for a
    // mean of twenty.
    assert!((total as f64 / 20.0 - 40_000.0).abs() < 4.0 * 105.0, "{total}");
    let (requests, account) = played(&content, &options);
    assert_eq!(played(&content, &options).0, requests);
    assert_eq!(account.format, "rates per window (ServeGen), pool p");
}

#[test]
fn the_variation_of_times_between_requests_is_the_one_asked_for() {
    let mut content = "window_start_s,rate_req_s,cv\n".to_owned();
    for window in 0..1_000 {
        writeln!(content, "{},1,2.5", 100 * window).expect("text");
    }
    let options = ReplayOptions { lengths: Some(WindowLengths::Fixed { prompt: 50, output: 5 }), ..plain() };
    let (requests, _) = played(&content, &options);
    let gaps: Vec<f64> = requests.windows(2).map(|pair| (pair[1].at - pair[0].at).secs()).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((variance.sqrt() / mean / 2.5 - 1.0).abs() < 0.05, "{}", variance.sqrt() / mean);
}

#[test]
fn rates_need_a_pool_and_lengths() {
    let content = RATES.to_owned() + "a,x,0,1,1\na,x,100,1,1\nb,x,0,1,1\nb,x,100,1,1\n";
    let lengths = Some(WindowLengths::Fixed { prompt: 50, output: 5 });
    let message = failure(content.as_bytes(), &ReplayOptions { lengths: lengths.clone(), ..plain() });
    assert!(message.contains("choose one of the pools a, b"), "{message}");
    let chosen = ReplayOptions { pool: Some("b".to_owned()), ..plain() };
    assert!(failure(content.as_bytes(), &chosen).contains("rates but no lengths"));
    let (_folder, table) = file(b"pool,client,window_start_s,in_mean,in_p50,in_p95,in_p99,out_mean,out_p50,out_p95,out_p99\nb,y,0,1,1,1,1,1,1,1,1\n");
    let other = ReplayOptions { lengths: Some(WindowLengths::File(table)), ..chosen.clone() };
    assert!(failure(content.as_bytes(), &other).contains("no client of pool b has lengths"));
    let bad = RATES.to_owned() + "a,x,0,fast,1\n";
    let message = failure(bad.as_bytes(), &ReplayOptions { lengths, ..plain() });
    assert!(message.contains("line 2: rate_req_s is \"fast\"; write a number"), "{message}");
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

fn published_requests(name: &str, options: &ReplayOptions) -> Option<(Vec<Request>, ReplayAccount)> {
    let path = published(name)?;
    let mut replay = Replay::open(&path, options).unwrap_or_else(|error| panic!("{error}"));
    let requests: Vec<Request> = replay.by_ref().collect();
    assert!(replay.error().is_none());
    lawful(&requests, replay.account());
    Some((requests, replay.account().clone()))
}

#[test]
fn mooncake_conversations_hit_as_an_independent_computation_says() {
    let Some((requests, _)) = published_requests("mooncake_conversation_trace.jsonl", &plain()) else {
        return;
    };
    let hits = |capacity: Option<u64>| {
        let mut cache = BlockReplay::new(capacity, 512);
        requests.iter().for_each(|r| {
            cache.request(&r.prefix, u64::from(r.prompt_tokens));
        });
        cache
    };
    // Published to three digits beside the trace (`cache_hit_tables.csv`).
    let cases = [(1_000, 0.045), (10_000, 0.212), (30_000, 0.326), (50_000, 0.355), (100_000, 0.364)];
    for (capacity, expected) in cases {
        let ratio = hits(Some(capacity)).block_hit_ratio();
        assert_eq!((ratio * 1e3).round(), (expected * 1e3_f64).round(), "{capacity}: {ratio}");
    }
    let all = hits(None);
    assert_eq!((all.block_hit_ratio() * 1e3).round(), 366.0, "{}", all.block_hit_ratio());
    assert_eq!((all.hit_ratio() * 1e3).round(), 374.0, "{}", all.hit_ratio());
    assert_eq!((all.hit_ratio_per_request() * 1e3).round(), 409.0, "{}", all.hit_ratio_per_request());
}

#[test]
fn claude_code_sessions_hit_as_an_independent_computation_says() {
    let options = ReplayOptions { sessions_per_hour: Some(20.0), ..plain() };
    let Some((requests, account)) = published_requests("weka_claude_code_requests.csv", &options) else {
        return;
    };
    let mut cache = BlockReplay::new(None, 64);
    for request in &requests {
        cache.request(&request.prefix, u64::from(request.prompt_tokens));
    }
    eprintln!("{} {} waiting {}", cache.block_hit_ratio(), cache.hit_ratio(), account.waiting_max);
    assert_eq!((requests.len(), account.dropped_total()), (28_452, 0));
    assert_eq!((cache.block_hit_ratio() * 1e3).round(), 963.0, "{}", cache.block_hit_ratio());
}

#[test]
fn the_published_logs_are_played_whole() {
    for (name, n, span) in [
        ("AzureLLMInferenceTrace_conv.csv", 19_366, 3501.722),
        ("mooncake_conversation_trace.jsonl", 12_031, 3536.999),
        ("llmservingsim_vllm_RTX4090_Llama-3.1-8B_requests.jsonl", 300, 29.101),
        ("llmservingsim_vllm_RTXPRO6000_Qwen3-32B_requests.jsonl", 300, 29.122),
    ] {
        let Some((requests, account)) = published_requests(name, &plain()) else { continue };
        assert_eq!((requests.len(), account.dropped_total()), (n, 0), "{name}");
        assert!((account.span_secs - span).abs() < 1e-3, "{name} {}", account.span_secs);
    }
}

#[test]
fn the_published_rates_are_met() {
    let (Some(_), Some(lengths)) =
        (published("servegen_client_windows_head.csv"), published("servegen_client_lengths.csv"))
    else {
        return;
    };
    let options = ReplayOptions {
        lengths: Some(WindowLengths::File(lengths)),
        pool: Some("m-large".to_owned()),
        until_secs: Some(86_400.0),
        ..plain()
    };
    let Some((requests, account)) = published_requests("servegen_client_windows_head.csv", &options) else {
        return;
    };
    let mean = |of: fn(&Request) -> u32| {
        requests.iter().map(|r| f64::from(of(r))).sum::<f64>() / requests.len() as f64
    };
    eprintln!(
        "{} requests, {} in, {} out, {:?}",
        requests.len(),
        mean(|r| r.prompt_tokens),
        mean(|r| r.output_tokens),
        account.notes
    );
    // Expected: the sum of rates times 600 s of the first day.
    let text =
        fs::read_to_string(published("servegen_client_windows_head.csv").expect("there")).expect("reads");
    let expected: f64 = text
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|c| c[0] == "m-large" && c[2].parse::<f64>().expect("number") < 86_400.0)
        .map(|c| 600.0 * c[3].parse::<f64>().expect("number"))
        .sum();
    assert!((requests.len() as f64 / expected - 1.0).abs() < 0.03, "{} {expected}", requests.len());
    assert!(account.notes[1].contains("have no lengths in the table"), "{:?}", account.notes);
}
