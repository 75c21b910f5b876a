//! Simulated traffic in words and a table: what a plan's users met, beside what the closed form had said.

use crate::analysis::traffic::{Effect, Interval, Percentiles, ReplicasNeeded, StreamTraffic, Traffic};
use crate::sim::Lost;
use crate::unit::format::{self, Money};

use super::table::{Align, Table};

/// One plan's simulation with what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct TrafficAnswer<'a> {
    /// The simulation.
    pub traffic: &'a Traffic,
    /// What it changes.
    pub effects: &'a [Effect],
    /// Replicas that keep the targets.
    pub needed: &'a [ReplicasNeeded],
}

/// The plans side by side, each on the same arrivals.
#[must_use]
pub fn traffic(answers: &[TrafficAnswer<'_>], money: &Money) -> String {
    let mut text = String::new();
    if let Some(first) = answers.first() {
        text.push_str(&window(first.traffic));
    }
    text.push_str(&plans(answers, money).to_string());
    for answer in answers {
        text.push_str(&format!("\n{}\n", answer.traffic.name));
        for sentence in sentences(answer) {
            text.push_str(&format!("  {sentence}\n"));
        }
        if !answer.effects.is_empty() {
            text.push_str(&indented(&effects(answer.effects, money).to_string()));
        }
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// An hour of the week as people say it: `Monday 09:00`.
#[must_use]
pub fn hour_of_week(hour: usize) -> String {
    format!("{} {:02}:00", DAYS[hour / 24 % 7], hour % 24)
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn window(traffic: &Traffic) -> String {
    let window = &traffic.window;
    let times = match traffic.replications {
        1 if traffic.batches > 0 => format!("once, ± over {} batches of it", traffic.batches),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let played_of = if traffic.replayed {
        "of a trace".to_owned()
    } else {
        format!("from {}", hour_of_week(window.first_hour))
    };
    format!(
        "{} {played_of}, the first {} not counted, played {times} (seed {})\n",
        format::secs(window.secs),
        format::secs(window.warmup_secs),
        traffic.header.seed,
    )
}

fn plans(answers: &[TrafficAnswer<'_>], money: &Money) -> Table {
    let mut table = Table::new(&[
        ("Plan", Align::Left),
        ("Calls", Align::Right),
        ("From cache", Align::Right),
        ("Lost", Align::Right),
        ("Overflow", Align::Right),
        ("Within targets", Align::Right),
        ("First token P50", Align::Right),
        ("P95", Align::Right),
        ("P99", Align::Right),
        ("Per token P95", Align::Right),
        ("Whole answer P95", Align::Right),
        ("Cost per hour", Align::Right),
    ]);
    for answer in answers {
        let total = &answer.traffic.total;
        let share = |part: u64| {
            if part == 0 { String::new() } else { format::percent(part as f64 / total.arrived.max(1) as f64) }
        };
        let of = |times: &Option<Percentiles>, of: fn(&Percentiles) -> Interval| {
            times.as_ref().map_or_else(|| "none".to_owned(), |times| secs_interval(of(times)))
        };
        table.row([
            answer.traffic.name.clone(),
            format::count(total.arrived as f64),
            share(total.exact_hits + total.semantic_hits),
            share(total.lost.values().sum()),
            share(total.overflowed),
            total.slo_attainment.map_or_else(String::new, |share| format::percent(share.mean)),
            of(&total.ttft_secs, |times| times.p50),
            of(&total.ttft_secs, |times| times.p95),
            of(&total.ttft_secs, |times| times.p99),
            of(&total.tpot_secs, |times| times.p95),
            of(&total.e2e_secs, |times| times.p95),
            answer.traffic.mean_cost().map_or_else(String::new, |cost| money.show(cost.usd())),
        ]);
    }
    table
}

fn secs_interval(interval: Interval) -> String {
    match interval.half_width {
        Some(half) if half > 0.0 => format!("{} ± {}", format::secs(interval.mean), format::secs(half)),
        _ => format::secs(interval.mean),
    }
}

/// Correlation of neighbouring batches above which their interval is no longer to be trusted: at 0.3 it is about a
/// quarter too narrow (a variance of the mean of (1 + r) / (1 - r) times what is taken, for a chain with that r).
const CORRELATED: f64 = 0.3;

/// By how much more of the time the busiest replica works than all do, before it is worth a word.
const UNEVEN: f64 = 0.05;

/// What is lost, and why, in words.
fn lost_words(lost: Lost) -> &'static str {
    match lost {
        Lost::TooLong => "longer than a replica's context or KV",
        Lost::QueueFull => "turned away from a full queue",
        Lost::RateLimit => "refused by a rate limit after all retries",
        Lost::Error => "not answered for errors, after all retries",
        Lost::Outage => "lost in an outage after all retries",
        Lost::Timeout => "given up after waiting too long, after all retries",
    }
}

/// What a reader should know, the gravest first.
#[must_use]
pub fn sentences(answer: &TrafficAnswer<'_>) -> Vec<String> {
    let traffic = answer.traffic;
    let mut said = Vec::new();
    if let Some(correlation) = traffic.batch_correlation.filter(|correlation| *correlation > CORRELATED) {
        said.push(format!(
            "batches that follow each other are alike (correlation {}): the load changes within the window or they are \
             too short, and ± is too narrow; take an hour of even load, fewer batches, or replications",
            format::significant(correlation, 2)
        ));
    }
    for endpoint in &traffic.endpoints {
        let Some(pool) = &endpoint.pool else { continue };
        if pool.falls_behind {
            let then = if traffic.total.lost.contains_key(&Lost::QueueFull) {
                "more were turned away"
            } else {
                "was growing still"
            };
            said.push(format!(
                "{} cannot keep up: its queue grew to {} calls and {then}",
                endpoint.name,
                format::count(pool.waiting_max)
            ));
        }
    }
    for (why, count) in &traffic.total.lost {
        let share = *count as f64 / traffic.total.arrived.max(1) as f64;
        said.push(format!(
            "{} ({}) {} {}",
            if *count == 1 { "1 call".to_owned() } else { format!("{} calls", format::count(*count as f64)) },
            format::percent(share),
            if *count == 1 { "was" } else { "were" },
            lost_words(*why)
        ));
    }
    said.extend(traffic.streams.iter().filter_map(missed));
    for needed in answer.needed {
        said.push(match needed.simulated {
            Some(replicas) => format!(
                "{}: {replicas} replicas keep the targets in the busiest hour; the closed form takes {} with its headroom",
                needed.endpoint, needed.closed_form
            ),
            None => format!(
                "{}: not even {} replicas keep the targets in the busiest hour",
                needed.endpoint, needed.tried_max
            ),
        });
    }
    for endpoint in &traffic.endpoints {
        let Some(pool) = &endpoint.pool else { continue };
        let mut text = format!(
            "{}: {} replicas in the mean, at work {} of the time",
            endpoint.name,
            format::significant(pool.replicas.mean, 3),
            format::percent(pool.utilisation.mean)
        );
        if pool.busiest.mean > pool.utilisation.mean + UNEVEN {
            text.push_str(&format!(", the busiest {}", format::percent(pool.busiest.mean)));
        }
        if pool.counts.withdrawn > 0 {
            let count = format::count(pool.counts.withdrawn as f64);
            text.push_str(&format!(", {count} attempts given up by their callers"));
        }
        if pool.counts.preemptions > 0 {
            text.push_str(&format!(", {} preemptions", format::count(pool.counts.preemptions as f64)));
        }
        if pool.interruptions > 0 {
            text.push_str(&format!(", {} spot interruptions", format::count(pool.interruptions as f64)));
        }
        if endpoint.prompt_hit_share > 0.0 {
            let share = format::percent(endpoint.prompt_hit_share);
            text.push_str(&format!(", {share} of the prompt tokens from the prefix cache"));
        }
        said.push(text);
    }
    said
}

/// A use case whose targets are missed.
fn missed(stream: &StreamTraffic) -> Option<String> {
    let attained = stream.slo_attainment?.mean;
    (attained < 0.95).then(|| {
        format!(
            "{}: only {} of the calls are answered within the targets",
            stream.id,
            format::percent(attained)
        )
    })
}

/// What the simulation found against what the closed form had.
#[must_use]
pub fn effects(rows: &[Effect], money: &Money) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("Closed form", Align::Right),
        ("Simulated", Align::Right),
        ("", Align::Right),
    ]);
    for row in rows {
        let show = |v: f64| effect_value(row, v, money);
        let change = if row.closed_form > 0.0 {
            /// A change that rounding could make.
            const NONE: f64 = 5e-4;
            let change = row.simulated / row.closed_form - 1.0;
            let sign = if change < 0.0 { "-" } else { "+" };
            if change.abs() < NONE {
                "same".to_owned()
            } else {
                format!("{sign}{}", format::percent(change.abs()))
            }
        } else {
            String::new()
        };
        table.row([row.what.clone(), show(row.closed_form), show(row.simulated), change]);
    }
    table
}

/// A figure of an effect, as a person reads it.
#[must_use]
pub fn effect_value(row: &Effect, v: f64, money: &Money) -> String {
    if row.path == "cost" {
        money.show(v)
    } else if row.path.starts_with("latency") {
        format::secs(v)
    } else if row.path.ends_with("replicas") {
        format::count(v)
    } else {
        format::percent(v)
    }
}
