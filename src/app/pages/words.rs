//! Why a number is what it is: formulas with the numbers filled in.

use crate::analysis::{Crossing, Outcome, PlanOutcome};
use crate::app::widgets::Why;
use crate::pricing::Line;
use crate::unit::format::{self, Money};

/// What a plan costs in a month at the point values: its bill, line by line.
#[must_use]
pub fn why_plan(outcome: &Outcome, plan: &PlanOutcome, money: &Money) -> Why {
    let mut lines: Vec<_> = plan.run_rate.lines().filter(|(_, usd)| *usd != 0.0).collect();
    lines.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let total = plan.run_rate.total();
    let mut formula =
        vec![format!("{} in the first month = the {} lines below", money.show(total), lines.len())];
    let once: f64 = plan.months.iter().map(|month| month.bill.get(Line::OneTime)).sum();
    let sum: f64 = plan.months.iter().map(|month| month.bill.total()).sum();
    formula.push(format!(
        "{} = {} over {} months / {}",
        money.show(plan.mean_month_usd),
        money.show(sum),
        plan.months.len(),
        plan.months.len()
    ));
    if once > 0.0 {
        formula.push(format!("of which {} are paid once", money.show(once)));
    }
    let requests: f64 = outcome.use_cases.iter().map(|use_case| use_case.requests).sum();
    if requests > 0.0 {
        let each = money.show(total / requests);
        formula.push(format!(
            "{each} per request = {} / {} requests",
            money.show(total),
            format::count(requests)
        ));
    }
    if !plan.not_priced.is_empty() {
        formula.push(format!("At least: no price is known for {}", plan.not_priced.join(", ")));
    }
    Why {
        title: plan.name.clone(),
        value: format!("{} a month", money.show(plan.mean_month_usd)),
        formula,
        inputs: lines.into_iter().map(|(line, usd)| (line.label().to_owned(), money.show(usd))).collect(),
        source:
            "Closed form at the mean of every input. Prices and hardware come from the catalogue, with their \
                 sources there."
                .to_owned(),
    }
}

/// Why a plan answers with this latency and quality.
#[must_use]
pub fn why_service(plan: &PlanOutcome) -> Why {
    let latency = &plan.latency;
    let mut inputs = vec![
        ("Time to first token".to_owned(), format::secs(latency.ttft_secs)),
        ("Time per output token".to_owned(), format::secs(latency.tpot_secs)),
        ("Quality, weighted by requests".to_owned(), format::percent(plan.quality)),
        ("Answered by a response cache".to_owned(), format::percent(plan.cache_hit_share)),
    ];
    for endpoint in &plan.endpoints {
        inputs.push((endpoint.name.clone(), format!("{} calls a month", format::count(endpoint.calls))));
        if let Some(deployment) = &endpoint.deployment {
            inputs.push(("  bound by".to_owned(), deployment.limited_by.clone()));
            inputs.push((
                "  utilisation, busiest hour".to_owned(),
                format::percent(deployment.peak_utilisation),
            ));
        }
    }
    Why {
        title: format!("{}: latency and quality", plan.name),
        value: format!("{} to the whole answer", format::secs(latency.e2e_secs)),
        formula: vec![
            "mean over all requests in the busiest hour of the first month".to_owned(),
            "generated: time to first token + output tokens × time per output token".to_owned(),
            "from a response cache: whole after the lookup".to_owned(),
        ],
        inputs,
        source: "Quality is what the endpoints state; own GPUs by a roofline model with the efficiencies of the plan."
            .to_owned(),
    }
}

/// Why two plans cross where they do.
#[must_use]
pub fn why_crossing(names: &[String], crossing: &Crossing, money: &Money) -> Why {
    let name = |index: usize| names.get(index).cloned().unwrap_or_default();
    let mut formula = vec![format!(
        "Below it {} is cheaper, above it {}",
        name(crossing.cheaper_below),
        name(crossing.cheaper_above)
    )];
    if crossing.jump {
        formula.push("One bill jumps there: a replica more".to_owned());
    }
    if let Some((low, high)) = crossing.band {
        let (low, high) = (format::tokens_per_day(low), format::tokens_per_day(high));
        formula.push(format!("P5–P95 over the draws: {low} to {high}"));
    }
    Why {
        title: "Break-even".to_owned(),
        value: format::tokens_per_day(crossing.tokens_per_day),
        formula,
        inputs: vec![("Cost there".to_owned(), format!("{} a month", money.show(crossing.usd_per_month)))],
        source: "Both bills at this volume, everything else as today; found on the run rates by cutting the stretch between them."
            .to_owned(),
    }
}
