//! The whole answer as text: verdict, plans, crossings, drivers, findings.

use crate::analysis::{BreakEven, Forecast, Outcome, Severity};
use crate::unit::format::{self, Money};

use super::table::{Align, Table};
use super::verdict::{named, verdict};

/// What the columns of latency are.
const LATENCY: &str =
    "Latency is the mean over all requests in the busiest hour, answers from caches included.";

/// Drivers that are listed.
const DRIVERS: usize = 6;

/// Crossings that are listed.
const CROSSINGS: usize = 8;

/// The decision as text: what a terminal prints and a clipboard takes.
///
/// Ends with a line that says what it was computed from.
#[must_use]
pub fn decision(
    name: &str,
    outcome: &Outcome,
    forecast: Option<&Forecast>,
    break_even: Option<&BreakEven>,
    money: &Money,
) -> String {
    let verdict = verdict(outcome, forecast, break_even, money);
    let mut text = format!("{name}\n\n{}.\n", verdict.headline);
    for sentence in &verdict.sentences {
        text.push_str(&format!("{sentence}\n"));
    }
    text.push_str(&format!("\n{}{LATENCY}\n", plans(outcome, forecast, money)));
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("\n{title}\n{body}"));
        }
    };
    let rows = |table: Option<Table>| {
        table.filter(|table| !table.is_empty()).map(|table| table.to_string()).unwrap_or_default()
    };
    section("Where plans cross", rows(break_even.map(|it| crossings(it, money))));
    section("What plans can serve", rows(break_even.map(limits)));
    section("What matters", rows(forecast.map(|it| drivers(it, outcome))));
    section("Findings", findings(outcome));
    text.push_str(&format!("\n{}{}\n", currency(outcome, money), footer(outcome, forecast)));
    text
}

/// The plans side by side, in the order of the scenario; `*` marks the one with the lowest mean.
///
/// Latencies are means over all requests in the busiest hour, answers from response caches included.
#[must_use]
pub fn plans(outcome: &Outcome, forecast: Option<&Forecast>, money: &Money) -> Table {
    let mut table = Table::new(&[
        ("Plan", Align::Left),
        ("Cost/month", Align::Right),
        ("P5–P95", Align::Right),
        ("Cheapest in", Align::Right),
        ("Quality", Align::Right),
        ("First token", Align::Right),
        ("Whole answer", Align::Right),
    ]);
    let leader = forecast.and_then(|it| it.cheapest).or(outcome.cheapest);
    for (index, plan) in outcome.plans.iter().enumerate() {
        let drawn = forecast.and_then(|it| it.plans.get(index)).filter(|drawn| drawn.id == plan.id);
        let at_least = if plan.not_priced.is_empty() { "" } else { "≥ " };
        let mean = drawn.map_or(plan.mean_month_usd, |drawn| drawn.mean_month.mean);
        let (interval, cheapest) = match drawn {
            Some(drawn) => {
                let spread = &drawn.mean_month;
                (money.range(spread.p5, spread.p95), format::percent(drawn.cheapest.share))
            }
            None => (String::new(), String::new()),
        };
        let marker = if leader == Some(index) { "* " } else { "  " };
        table.row([
            format!("{marker}{}", plan.name),
            format!("{at_least}{}", money.show(mean)),
            interval,
            cheapest,
            format::percent(plan.quality),
            format::secs(plan.latency.ttft_secs),
            format::secs(plan.latency.e2e_secs),
        ]);
    }
    table
}

/// The crossings by volume, those first that change which plan is the cheapest.
#[must_use]
pub fn crossings(break_even: &BreakEven, money: &Money) -> Table {
    let mut table = Table::new(&[
        ("Volume", Align::Right),
        ("P5–P95", Align::Right),
        ("Cheaper below", Align::Left),
        ("Cheaper above", Align::Left),
        ("Cost there", Align::Right),
        ("", Align::Left),
    ]);
    let name = |index: usize| break_even.plans.get(index).map_or("", |plan| &plan.name).to_owned();
    let mut listed: Vec<_> = break_even.crossings.iter().collect();
    listed.sort_by(|a, b| b.decisive.cmp(&a.decisive).then(a.tokens_per_day.total_cmp(&b.tokens_per_day)));
    for crossing in listed.into_iter().take(CROSSINGS) {
        let band =
            crossing.band.map(|(low, high)| format!("{} to {}", format::short(low), format::short(high)));
        let note = match (crossing.decisive, crossing.jump) {
            (true, true) => "changes the answer, at a step of a bill",
            (true, false) => "changes the answer",
            (false, true) => "at a step of a bill",
            (false, false) => "",
        };
        table.row([
            format::tokens_per_day(crossing.tokens_per_day),
            band.unwrap_or_default(),
            name(crossing.cheaper_below),
            name(crossing.cheaper_above),
            format!("{}/month", money.show(crossing.usd_per_month)),
            note.to_owned(),
        ]);
    }
    if table.is_empty() { Table::default() } else { table }
}

/// The plans that are no answer any more from some volume on, and why, by volume.
#[must_use]
pub fn limits(break_even: &BreakEven) -> Table {
    let mut table = Table::new(&[
        ("Up to", Align::Right),
        ("Plan", Align::Left),
        ("Cheapest from there on", Align::Left),
        ("At a tenth more", Align::Left),
    ]);
    let name = |index: usize| break_even.plans.get(index).map_or("", |plan| &plan.name).to_owned();
    for limit in &break_even.limits {
        let then = match (limit.decisive, limit.then) {
            (false, _) => "as before".to_owned(),
            (true, Some(plan)) => name(plan),
            (true, None) => "no plan".to_owned(),
        };
        table.row([
            format::tokens_per_day(limit.tokens_per_day),
            name(limit.plan),
            then,
            limit.reason.clone(),
        ]);
    }
    if table.is_empty() { Table::default() } else { table }
}

/// The uncertain quantities that move the difference between the two cheapest plans most.
#[must_use]
pub fn drivers(forecast: &Forecast, outcome: &Outcome) -> Table {
    let mut table = Table::new(&[("Uncertain quantity", Align::Left), ("Rank correlation", Align::Right)]);
    for (path, rank) in forecast.drivers.iter().take(DRIVERS) {
        table.row([named(path, outcome), format::significant(*rank, 2)]);
    }
    if table.is_empty() { Table::default() } else { table }
}

/// Findings of all plans, gravest first, a line each.
#[must_use]
pub fn findings(outcome: &Outcome) -> String {
    let mut listed: Vec<_> = outcome
        .plans
        .iter()
        .flat_map(|plan| plan.findings.iter().map(move |finding| (plan, finding)))
        .collect();
    listed.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    let mut text = String::new();
    for (plan, finding) in listed {
        let sign = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text.push_str(&format!("{sign}: {}: {}; {}\n", plan.name, finding.message, finding.remedy));
    }
    text
}

/// What is shown in another currency, and at which rate; nothing where amounts are US dollars.
fn currency(outcome: &Outcome, money: &Money) -> String {
    match &outcome.header.shown_in {
        Some(shown) if *money != Money::default() => format!(
            "Results in {} at {} for a US dollar ({}); what the scenario holds is in US dollars.\n",
            shown.code, shown.per_usd, shown.as_of
        ),
        _ => String::new(),
    }
}

fn footer(outcome: &Outcome, forecast: Option<&Forecast>) -> String {
    let header = forecast.map_or(&outcome.header, |it| &it.header);
    let short = |hash: &str| hash.chars().take(8).collect::<String>();
    let drawn = match header.draws {
        0 => "closed form".to_owned(),
        draws => format!("{} draws, seed {}", format::count(f64::from(draws)), header.seed),
    };
    format!(
        "breakeven {}, {drawn}, scenario {}, prices {}",
        header.program,
        short(&header.scenario),
        short(&header.catalog)
    )
}
