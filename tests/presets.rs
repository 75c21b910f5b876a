//! Every scenario that ships is checked, computed and held to what its notes say.

use breakeven::analysis::{BreakEven, Outcome, PlanOutcome, break_even, evaluate, forecast};
use breakeven::catalog::Catalog;
use breakeven::io::presets::{load, scenarios};
use breakeven::io::scenario::{parse, to_text};
use breakeven::scenario::Scenario;

/// Draws of the forecast: enough to meet the tails that break things.
const TRIALS: u32 = 256;

/// Percentage points by which a quoted saving may be off.
const SAVING_TOLERANCE: f64 = 1.0;

/// Relative error of a quoted cost per request: two digits are printed.
const UNIT_TOLERANCE: f64 = 0.05;

/// What the notes of a scenario quote.
struct Story {
    id: &'static str,
    before: &'static str,
    after: &'static str,
    /// The outcome that the reference states, as the notes say it.
    stated: &'static str,
    /// Saving of the mean month, in percent; negative where the plan after costs more.
    saved_percent: f64,
    /// US dollars per request in the first month before and after, as the notes print them.
    usd_per_request: [&'static str; 2],
}

const STORIES: &[Story] = &[
    Story {
        id: "customer-support-chatbot",
        before: "before",
        after: "tiered",
        stated: "from $0.15 to $0.04",
        saved_percent: 67.0,
        usd_per_request: ["$0.0114", "$0.0037"],
    },
    Story {
        id: "ecommerce-product-descriptions",
        before: "before",
        after: "tiered-batch",
        stated: "65 % cheaper",
        saved_percent: 74.0,
        usd_per_request: ["$0.0093", "$0.0022"],
    },
    Story {
        id: "code-review-assistant",
        before: "before",
        after: "tiered",
        stated: "55 % cheaper",
        saved_percent: 57.0,
        usd_per_request: ["$0.60", "$0.25"],
    },
    Story {
        id: "legal-document-analysis",
        before: "before",
        after: "self-hosted",
        stated: "80 % less",
        saved_percent: 68.0,
        usd_per_request: ["$0.0219", "$0.0091"],
    },
    Story {
        id: "content-moderation",
        before: "before",
        after: "screen",
        stated: "$0.0001 per decision",
        saved_percent: 74.0,
        usd_per_request: ["$0.00057", "$0.00015"],
    },
    Story {
        id: "enterprise-knowledge-base",
        before: "before",
        after: "cached-tiers",
        stated: "60 % of the questions come from the cache and a question costs 70 % less",
        saved_percent: 55.0,
        usd_per_request: ["$0.034", "$0.016"],
    },
    Story {
        id: "startup-mvp",
        before: "build-first",
        after: "api-only",
        stated: "There is no figure",
        saved_percent: 66.0,
        usd_per_request: ["$0.0206", "$0.0035"],
    },
    Story {
        id: "clinical-decision-support",
        before: "before",
        after: "self-hosted",
        stated: "No figure is given",
        saved_percent: -118.0,
        usd_per_request: ["$0.142", "$0.290"],
    },
];

fn preset(id: &str) -> Scenario {
    let draft = load(id).unwrap_or_else(|error| panic!("{error}"));
    Scenario::check(&draft, Catalog::shipped())
        .unwrap_or_else(|problems| panic!("{id}: {:?}", problems.items))
}

fn plan<'a>(outcome: &'a Outcome, id: &str) -> &'a PlanOutcome {
    outcome.plans.iter().find(|plan| plan.id == id).unwrap_or_else(|| panic!("no plan {id}"))
}

fn finite(outcome: &Outcome) -> bool {
    outcome.tokens_per_day.is_finite()
        && outcome.plans.iter().all(|plan| {
            let latency = plan.latency;
            let months = plan
                .months
                .iter()
                .all(|month| month.bill.total().is_finite() && month.served_share.is_finite());
            let others = [plan.quality, plan.cache_hit_share, latency.ttft_secs, latency.tpot_secs];
            months && plan.mean_month_usd.is_finite() && others.iter().all(|x| x.is_finite())
        })
}

fn finite_curves(answer: &BreakEven) -> bool {
    answer.plans.iter().all(|curve| curve.usd.iter().all(|usd| usd.is_finite()))
}

#[test]
fn every_preset_is_checked_without_a_word_and_round_trips() {
    for preset in scenarios() {
        let draft = load(preset.id).expect("a preset is read");
        let scenario = Scenario::check(&draft, Catalog::shipped()).expect("a preset has no errors");
        assert!(scenario.warnings().is_empty(), "{}: {:?}", preset.id, scenario.warnings());
        assert_eq!(parse(&to_text(&draft), preset.id).expect("its text is read"), draft);
    }
}

#[test]
fn every_preset_is_a_decision_with_finite_numbers() {
    for preset in scenarios() {
        let scenario = self::preset(preset.id);
        let outcome = evaluate(&scenario);
        assert!(outcome.plans.len() >= 2 && outcome.cheapest.is_some(), "{}", preset.id);
        assert!(finite(&outcome), "{}", preset.id);
        let forecast = forecast(&scenario, TRIALS, &mut |_| true);
        assert_eq!(forecast.header.draws, TRIALS, "{} has nothing uncertain", preset.id);
        for plan in &forecast.plans {
            let Some(over) = plan.over_budget else { panic!("{} has no budget", preset.id) };
            let month = plan.mean_month;
            let all = [month.p5, month.p50, month.p95, month.mean, month.mean_error, over.share];
            assert!(all.iter().all(|x| x.is_finite()), "{}: {}", preset.id, plan.id);
            assert!(month.p5 < month.p95, "{}: {} is certain", preset.id, plan.id);
        }
        let answer = break_even(&scenario);
        assert!(finite_curves(&answer), "{}", preset.id);
        assert!(!answer.crossings.is_empty(), "{}: no two plans cross", preset.id);
    }
}

#[test]
fn what_the_notes_quote_is_what_the_model_computes() {
    for story in STORIES {
        let scenario = preset(story.id);
        let notes = &scenario.draft().notes;
        let outcome = evaluate(&scenario);
        let (before, after) = (plan(&outcome, story.before), plan(&outcome, story.after));
        let saved = 100.0 * (1.0 - after.mean_month_usd / before.mean_month_usd);
        assert!(
            (saved - story.saved_percent).abs() <= SAVING_TOLERANCE,
            "{}: the notes say {} %, computed {saved:.1} %",
            story.id,
            story.saved_percent
        );
        let quoted = if story.saved_percent < 0.0 {
            format!("costs {} % more", -story.saved_percent)
        } else {
            format!("saves {} %", story.saved_percent)
        };
        assert!(notes.contains(&quoted), "{}: the notes do not say \"{quoted}\"", story.id);
        assert!(notes.contains(story.stated), "{}: the notes do not say \"{}\"", story.id, story.stated);
        let requests: f64 = outcome.use_cases.iter().map(|use_case| use_case.requests).sum();
        for (plan, printed) in [before, after].into_iter().zip(story.usd_per_request) {
            assert!(notes.contains(printed), "{}: the notes do not say {printed}", story.id);
            let printed: f64 = printed[1..].parse().expect("dollars");
            let computed = plan.run_rate.total() / requests;
            assert!(
                (computed / printed - 1.0).abs() <= UNIT_TOLERANCE,
                "{}, {}: the notes say ${printed} per request, computed ${computed:.6}",
                story.id,
                plan.id
            );
        }
    }
}

#[test]
fn every_preset_has_a_story() {
    let told: Vec<&str> = STORIES.iter().map(|story| story.id).collect();
    let shipped: Vec<&str> = scenarios().iter().map(|preset| preset.id).collect();
    assert_eq!(told, shipped);
}

/// The worked example must pose a question: a clear winner today, another one within reach.
#[test]
fn the_worked_example_flips_within_ten_times_todays_volume() {
    let scenario = preset("customer-support-chatbot");
    let outcome = evaluate(&scenario);
    let winner = outcome.cheapest.expect("an answer");
    assert!((20_000.0..50_000.0).contains(&outcome.plans[winner].mean_month_usd));
    let answer = break_even(&scenario);
    let flips = answer.crossings.iter().any(|crossing| {
        let reach = crossing.tokens_per_day / answer.today;
        crossing.decisive && crossing.cheaper_below == winner && (1.5..10.0).contains(&reach)
    });
    assert!(flips, "{:?}", answer.crossings);
}

#[test]
fn a_plan_that_breaks_a_rule_is_never_called_the_cheapest() {
    for id in ["legal-document-analysis", "clinical-decision-support"] {
        let scenario = preset(id);
        let forecast = forecast(&scenario, TRIALS, &mut |_| true);
        let broken = forecast.plans.iter().position(|plan| plan.id == "before");
        assert!(broken.is_some() && forecast.cheapest != broken && forecast.runner_up != broken, "{id}");
        assert!(forecast.plans[0].cheapest.share.abs() < f64::EPSILON, "{id}");
        let answer = break_even(&scenario);
        let decides = |index: usize| Some(index) == broken;
        assert!(
            !answer
                .crossings
                .iter()
                .any(|c| c.decisive && (decides(c.cheaper_below) || decides(c.cheaper_above)))
        );
    }
}
