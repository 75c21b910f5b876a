//! The verdict says what the results say, and no more.

use super::*;
use crate::analysis::{
    Curve, Finding, Header, Latency, MonthOutcome, PlanForecast, Probability, Spread, UseCaseOutcome,
};
use crate::pricing::Bill;

/// The verdict in US dollars.
fn verdict(outcome: &Outcome, forecast: Option<&Forecast>, break_even: Option<&BreakEven>) -> Verdict {
    super::verdict(outcome, forecast, break_even, &Money::default())
}

fn header(draws: u32) -> Header {
    let text = String::new;
    Header {
        program: text(),
        schema: 1,
        scenario: text(),
        catalog: text(),
        calibration: text(),
        seed: 1,
        draws,
        money: "USD",
        shown_in: None,
    }
}

fn plan(name: &str, usd: f64, quality: f64) -> PlanOutcome {
    PlanOutcome {
        id: name.to_lowercase(),
        name: name.to_owned(),
        months: vec![MonthOutcome { bill: Bill::default(), requests: 1.0, tokens: 1.0, served_share: 1.0 }],
        mean_month_usd: usd,
        run_rate: Bill::default(),
        by_use_case: Vec::new(),
        quality,
        latency: Latency::default(),
        endpoints: Vec::new(),
        cache_hit_share: 0.0,
        not_priced: Vec::new(),
        findings: Vec::new(),
    }
}

/// Two plans: API at $11,900, Own at `own`.
fn outcome(own: f64) -> Outcome {
    Outcome {
        header: header(0),
        use_cases: vec![UseCaseOutcome {
            id: "chat".to_owned(),
            name: "Support chat".to_owned(),
            requests: 1.0,
            calls_per_request: 1.0,
            prompt_tokens: 1.0,
            output_tokens: 1.0,
            peak_to_mean: 1.0,
        }],
        plans: vec![plan("API", 11_900.0, 0.9), plan("Own", own, 0.9)],
        tokens_per_day: 12e6,
        cheapest: Some(0),
    }
}

fn share(share: f64, draws: u32) -> Probability {
    let half = 1.96 * (share * (1.0 - share) / f64::from(draws)).sqrt();
    Probability { share, low: (share - half).max(0.0), high: (share + half).min(1.0) }
}

/// A forecast in which the first plan is the cheapest in this share of the draws.
fn forecast(outcome: &Outcome, cheapest: f64, draws: u32) -> Forecast {
    let plans = outcome.plans.iter().enumerate().map(|(index, plan)| PlanForecast {
        id: plan.id.clone(),
        name: plan.name.clone(),
        mean_month: Spread {
            mean: plan.mean_month_usd,
            p5: plan.mean_month_usd * 0.8,
            p95: plan.mean_month_usd * 1.2,
            ..Spread::default()
        },
        horizon: Spread::default(),
        cheapest: share(if index == 0 { cheapest } else { 1.0 - cheapest }, draws),
        months: Vec::new(),
        over_budget: None,
        histogram: Vec::new(),
        histogram_low: 0.0,
        histogram_high: 0.0,
    });
    let (a, b) = (share(cheapest, draws), share(1.0 - cheapest, draws));
    Forecast {
        header: header(draws),
        plans: plans.collect(),
        cheaper: vec![vec![share(0.0, draws), a], vec![b, share(0.0, draws)]],
        drivers: vec![("workload.use_cases.chat.requests_per_day".to_owned(), -0.712)],
        plan_drivers: vec![Vec::new(); 2],
        cheapest: Some(0),
        runner_up: Some(1),
    }
}

fn break_even(crossings: &[(usize, usize, f64)]) -> BreakEven {
    let curve = |id: &str, name: &str| Curve {
        id: id.to_owned(),
        name: name.to_owned(),
        usd: vec![1.0, 2.0],
        bands: Vec::new(),
    };
    let crossing = |&(cheaper_below, cheaper_above, tokens_per_day): &(usize, usize, f64)| Crossing {
        cheaper_below,
        cheaper_above,
        tokens_per_day,
        usd_per_month: 20_000.0,
        jump: false,
        band: Some((tokens_per_day * 0.8, tokens_per_day * 1.25)),
        decisive: true,
    };
    BreakEven {
        header: header(0),
        volumes: vec![1e5, 1e10],
        today: 12e6,
        plans: vec![curve("api", "API"), curve("own", "Own")],
        crossings: crossings.iter().map(crossing).collect(),
        limits: Vec::new(),
    }
}

fn said(verdict: &Verdict) -> String {
    format!("{}\n{}", verdict.headline, verdict.sentences.join("\n"))
}

#[test]
fn a_clear_answer_names_cost_certainty_crossing_saving_and_driver() {
    let outcome = outcome(23_800.0);
    let verdict =
        verdict(&outcome, Some(&forecast(&outcome, 0.99, 8192)), Some(&break_even(&[(0, 1, 38e6)])));
    assert_eq!(verdict.tone, Tone::Clear);
    assert_eq!(verdict.headline, "API is the cheapest: $11.9 K a month (P5–P95 $9.5–14.3 K)");
    assert_eq!(
        verdict.sentences,
        [
            "It is the cheapest in 99 % of 8,192 draws.",
            "Own becomes the cheapest above 38 M tokens/day (P5–P95 30.4 M to 47.5 M); you are at 12 M tokens/day, and 3.17 times as much would be needed.",
            "It saves $11.9 K a month against the runner-up, Own (50 % of that bill).",
            "What matters most to the difference: Support chat, requests per day (rank correlation 0.71).",
        ]
    );
}

#[test]
fn another_currency_converts_every_amount_and_nothing_else() {
    let outcome = outcome(23_800.0);
    let drawn = forecast(&outcome, 0.99, 8192);
    let bands = break_even(&[(0, 1, 38e6)]);
    let euro = super::verdict(&outcome, Some(&drawn), Some(&bands), &Money::new("€", 0.5));
    assert_eq!(euro.headline, "API is the cheapest: €5,950 a month (P5–P95 €4,760–7,140)");
    let dollars = verdict(&outcome, Some(&drawn), Some(&bands));
    assert_eq!((&euro.sentences[0], &euro.sentences[1]), (&dollars.sentences[0], &dollars.sentences[1]));
    assert!(euro.sentences[2].starts_with("It saves €5,950 a month"), "{:?}", euro.sentences);
    assert!(!said(&euro).contains('$'), "{euro:?}");
}

#[test]
fn the_claim_never_exceeds_the_draws() {
    let outcome = outcome(12_500.0);
    let tone = |share, draws| verdict(&outcome, Some(&forecast(&outcome, share, draws)), None).tone;
    assert_eq!(tone(1.0, 8192), Tone::Clear);
    assert_eq!(tone(0.97, 8192), Tone::Clear);
    assert_eq!(tone(0.97, 64), Tone::Likely, "a few draws claim less than many");
    assert_eq!(tone(0.9, 8192), Tone::Likely);
    assert_eq!(tone(0.82, 100), Tone::Close);
    assert_eq!(tone(0.6, 8192), Tone::Close);
    let close = verdict(&outcome, Some(&forecast(&outcome, 0.6, 8192)), None);
    assert!(close.headline.starts_with("Too close to call: API costs $11.9 K a month"), "{}", close.headline);
    assert!(said(&close).contains("API in 60 % and Own in 40 % of 8,192 draws"), "{}", said(&close));
    assert!(!said(&close).contains("saves"), "{}", said(&close));
}

#[test]
fn without_draws_the_answer_is_provisional() {
    let outcome = outcome(23_800.0);
    let verdict = verdict(&outcome, None, None);
    assert_eq!(verdict.tone, Tone::Provisional);
    assert_eq!(verdict.headline, "API costs $11.9 K a month, Own $23.8 K");
    assert!(verdict.sentences.is_empty());
}

#[test]
fn the_nearer_crossing_is_told_with_the_way_to_it() {
    let outcome = outcome(23_800.0);
    let told =
        |crossings: &[(usize, usize, f64)]| said(&verdict(&outcome, None, Some(&break_even(crossings))));
    assert!(told(&[(1, 0, 9e6), (0, 1, 900e6)]).contains("Own would be the cheapest below 9 M tokens/day"));
    assert!(told(&[(1, 0, 9e6), (0, 1, 900e6)]).contains("25 % less would be needed"));
    assert!(told(&[(1, 0, 1e6), (0, 1, 13e6)]).contains("Own becomes the cheapest above 13 M tokens/day"));
    assert!(told(&[]).contains("No volume from 100 K to 10 B tokens/day changes which plan is the cheapest"));
}

#[test]
fn a_limit_of_the_cheapest_plan_flips_the_answer_like_a_crossing() {
    let outcome = outcome(23_800.0);
    let told =
        |tokens_per_day: f64, decisive: bool, then: Option<usize>, crossings: &[(usize, usize, f64)]| {
            let reason = "in the busiest month 1 % of the requests find no capacity".to_owned();
            let limit = Limit { plan: 0, tokens_per_day, usd_per_month: 1.0, reason, decisive, then };
            let bands = BreakEven { limits: vec![limit], ..break_even(crossings) };
            said(&verdict(&outcome, None, Some(&bands)))
        };
    let full = "API can serve no more than 24 M tokens/day, Own is the cheapest above; you are at 12 M tokens/day, \
                and 2 times as much would be needed.";
    assert!(told(24e6, true, Some(1), &[]).contains(full), "{}", told(24e6, true, Some(1), &[]));
    assert!(told(24e6, true, None, &[]).contains("no more than 24 M tokens/day, no plan can;"));
    assert!(told(24e6, true, Some(1), &[(0, 1, 13e6)]).contains("Own becomes the cheapest above 13 M"));
    assert!(told(24e6, false, Some(1), &[]).contains("No volume from"));
    let room = "API would be the cheapest up to 6 M tokens/day, the most that it can serve; you are at 12 M tokens/day, \
                and 50 % less would be needed.";
    assert!(told(6e6, true, Some(1), &[]).contains(room), "{}", told(6e6, true, Some(1), &[]));
}

#[test]
fn what_is_wrong_is_said() {
    let mut outcome = outcome(23_800.0);
    outcome.plans[1].not_priced = vec!["gpt-x output".to_owned()];
    let text = said(&verdict(&outcome, None, None));
    assert!(text.contains("Own costs at least $23.8 K a month: gpt-x output is not priced."), "{text}");
    assert!(text.starts_with("API costs $11.9 K a month\n"), "{text}");
    outcome.plans[1].not_priced.clear();
    outcome.plans[1].months[0].served_share = 0.9;
    assert!(
        said(&verdict(&outcome, None, None)).contains("Own cannot serve everything: in its worst month 90 %")
    );
    outcome.plans[0].findings = vec![Finding {
        severity: Severity::Error,
        path: String::new(),
        message: "the model does not fit".to_owned(),
        remedy: String::new(),
    }];
    outcome.cheapest = None;
    let none = verdict(&outcome, None, None);
    assert_eq!((none.tone, none.headline.as_str()), (Tone::Wrong, "None of the 2 plans gives an answer yet"));
    assert!(said(&none).contains("API: the model does not fit."), "{}", said(&none));
    outcome.plans.clear();
    assert_eq!(verdict(&outcome, None, None).headline, "There is no plan to compare");
}

#[test]
fn results_of_other_plans_are_not_used() {
    let mut renamed = outcome(23_800.0);
    renamed.plans[1].id = "other".to_owned();
    let old = outcome(23_800.0);
    let verdict = verdict(&renamed, Some(&forecast(&old, 0.99, 8192)), Some(&break_even(&[(0, 1, 38e6)])));
    assert_eq!(verdict.tone, Tone::Provisional);
    assert!(verdict.sentences.is_empty(), "{verdict:?}");
}

#[test]
fn a_cheaper_but_worse_plan_is_not_shown_without_its_quality() {
    let mut outcome = outcome(23_800.0);
    outcome.plans[1].quality = 0.97;
    assert!(said(&verdict(&outcome, None, None)).contains("Its quality is 90 %; Own reaches 97 %."));
}
