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
        saved_percent: 64.0,
        usd_per_request: ["$0.0114", "$0.0040"],
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
        saved_percent: 69.0,
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
        saved_percent: 61.0,
        usd_per_request: ["$0.0206", "$0.0038"],
    },
    Story {
        id: "clinical-decision-support",
        before: "before",
        after: "self-hosted",
        stated: "No figure is given",
        saved_percent: -114.0,
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
        let forecast = forecast(&scenario, TRIALS);
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
    let mut broken = Vec::new();
    for story in STORIES {
        let scenario = preset(story.id);
        let notes = &scenario.draft().notes;
        let outcome = evaluate(&scenario);
        let (before, after) = (plan(&outcome, story.before), plan(&outcome, story.after));
        let saved = 100.0 * (1.0 - after.mean_month_usd / before.mean_month_usd);
        let mut hold =
            |holds: bool, what: String| broken.extend((!holds).then(|| format!("{}: {what}", story.id)));
        hold(
            (saved - story.saved_percent).abs() <= SAVING_TOLERANCE,
            format!("the notes say {} %, computed {saved:.1} %", story.saved_percent),
        );
        let quoted = if story.saved_percent < 0.0 {
            format!("costs {} % more", -story.saved_percent)
        } else {
            format!("saves {} %", story.saved_percent)
        };
        hold(notes.contains(&quoted), format!("the notes do not say {quoted:?}"));
        hold(notes.contains(story.stated), format!("the notes do not say {:?}", story.stated));
        let requests: f64 = outcome.use_cases.iter().map(|use_case| use_case.requests).sum();
        for (plan, printed) in [before, after].into_iter().zip(story.usd_per_request) {
            hold(notes.contains(printed), format!("the notes do not say {printed}"));
            let printed: f64 = printed[1..].parse().expect("dollars");
            let computed = plan.run_rate.total() / requests;
            hold(
                (computed / printed - 1.0).abs() <= UNIT_TOLERANCE,
                format!("{}: the notes say ${printed} per request, computed ${computed:.6}", plan.id),
            );
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_preset_has_a_story() {
    let told: Vec<&str> = STORIES.iter().map(|story| story.id).collect();
    let shipped: Vec<&str> = scenarios().iter().map(|preset| preset.id).collect();
    assert_eq!(told, shipped);
}

/// A sentence of the notes that a number of the model must bear out.
struct Claim {
    id: &'static str,
    /// As the notes say it.
    words: &'static str,
    computed: fn(&Outcome, &BreakEven) -> f64,
    /// What the words mean, with how far the number may be off.
    expected: f64,
    tolerance: f64,
}

/// Mean month of a plan.
fn mean(outcome: &Outcome, id: &str) -> f64 {
    plan(outcome, id).mean_month_usd
}

/// The first month's bill without people and the other lines beside tokens, GPUs and caches.
fn without_people(outcome: &Outcome, id: &str) -> f64 {
    let bill = &plan(outcome, id).run_rate;
    let people = ["prompt_engineering", "evaluation", "monitoring", "on_call", "training", "opportunity"];
    let people = people.iter().chain(&["compliance", "network", "gateway"]);
    let beside: f64 =
        people.map(|line| bill.lines().find(|(it, _)| it.id() == *line).map_or(0.0, |it| it.1)).sum();
    bill.total() - beside
}

/// Share of the answered requests that goes to an endpoint, response caches included in the whole.
fn share_of(outcome: &Outcome, id: &str, endpoint: &str) -> f64 {
    let plan = plan(outcome, id);
    let calls: f64 = plan.endpoints.iter().map(|endpoint| endpoint.calls).sum();
    let mine = plan.endpoints.iter().find(|it| it.id == endpoint).map_or(0.0, |endpoint| endpoint.calls);
    mine / calls * (1.0 - plan.cache_hit_share)
}

/// Volume over today's at which the two plans cross.
fn reach(outcome: &Outcome, answer: &BreakEven, below: &str, above: &str) -> f64 {
    let position = |id: &str| outcome.plans.iter().position(|plan| plan.id == id);
    let (below, above) = (position(below), position(above));
    let pair = |(a, b): (usize, usize)| Some(a) == below && Some(b) == above;
    let found = answer.crossings.iter().find(|it| pair((it.cheaper_below, it.cheaper_above)));
    found.map_or(f64::NAN, |crossing| crossing.tokens_per_day / answer.today)
}

/// Mean utilisation of a plan's deployment.
fn busy(outcome: &Outcome, id: &str) -> f64 {
    let deployments = plan(outcome, id).endpoints.iter().filter_map(|it| it.deployment.as_ref());
    deployments.map(|it| it.mean_utilisation).fold(0.0, f64::max)
}

fn saved(outcome: &Outcome, before: &str, after: &str) -> f64 {
    1.0 - mean(outcome, after) / mean(outcome, before)
}

fn saved_without_people(outcome: &Outcome, before: &str, after: &str) -> f64 {
    1.0 - without_people(outcome, after) / without_people(outcome, before)
}

macro_rules! claim {
    ($id:literal, $words:literal, $computed:expr, $expected:literal ~ $tolerance:literal) => {
        Claim { id: $id, words: $words, computed: $computed, expected: $expected, tolerance: $tolerance }
    };
}

const CLAIMS: &[Claim] = &[
    claim!("customer-support-chatbot", "without people 74 %",
        |it, _| saved_without_people(it, "before", "tiered"), 0.74 ~ 0.01),
    claim!("customer-support-chatbot", "About 16 % of the turns come from the cache",
        |it, _| plan(it, "tiered").cache_hit_share, 0.16 ~ 0.01),
    claim!("customer-support-chatbot", "66 % from the small model", |it, _| share_of(it, "tiered", "small"), 0.66 ~ 0.01),
    claim!("customer-support-chatbot", "about 1.9 times today's volume",
        |it, at| reach(it, at, "tiered", "self-hosted"), 1.9 ~ 0.05),
    claim!("ecommerce-product-descriptions", "86 % of tokens and caches alone",
        |it, _| saved_without_people(it, "before", "tiered-batch"), 0.86 ~ 0.01),
    claim!("ecommerce-product-descriptions", "answers a third of all requests",
        |it, _| plan(it, "tiered-batch").cache_hit_share, 0.333 ~ 0.01),
    claim!("ecommerce-product-descriptions", "about 1.3 times today's volume",
        |it, at| reach(it, at, "tiered-batch", "self-hosted"), 1.3 ~ 0.05),
    claim!("ecommerce-product-descriptions", "some 6 points of 100",
        |it, _| 100.0 * (plan(it, "before").quality - plan(it, "tiered-batch").quality), 6.0 ~ 0.5),
    claim!("code-review-assistant", "74 % of tokens alone",
        |it, _| saved_without_people(it, "before", "tiered"), 0.74 ~ 0.01),
    claim!("code-review-assistant", "without prefix caching, save 28 %",
        |it, _| saved(it, "before", "tiered-uncached"), 0.28 ~ 0.01),
    claim!("code-review-assistant", "about 2.8 times this volume",
        |it, at| reach(it, at, "tiered", "self-hosted"), 2.8 ~ 0.1),
    claim!("code-review-assistant", "less than two percent of the time", |it, _| busy(it, "self-hosted"), 0.016 ~ 0.004),
    claim!("legal-document-analysis", "follow the hours, 73 %",
        |it, _| saved(it, "before", "self-hosted-elastic"), 0.73 ~ 0.01),
    claim!("legal-document-analysis", "Without people it is 87 %",
        |it, _| saved_without_people(it, "before", "self-hosted"), 0.87 ~ 0.01),
    claim!("legal-document-analysis", "would already save 53 %", |it, _| saved(it, "before", "api-tiers"), 0.53 ~ 0.01),
    claim!("legal-document-analysis", "about three quarters of this volume",
        |it, at| reach(it, at, "api-tiers", "self-hosted"), 0.75 ~ 0.05),
    claim!("content-moderation", "88 % of tokens and caches alone",
        |it, _| saved_without_people(it, "before", "screen"), 0.88 ~ 0.01),
    claim!("content-moderation", "answers 28 % of all posts", |it, _| plan(it, "screen").cache_hit_share, 0.28 ~ 0.01),
    claim!("content-moderation", "about a quarter more money",
        |it, _| mean(it, "own-screen") / mean(it, "screen") - 1.0, 0.25 ~ 0.02),
    claim!("content-moderation", "about 1.4 times today's volume",
        |it, at| reach(it, at, "screen", "hybrid"), 1.4 ~ 0.05),
    claim!("enterprise-knowledge-base", "it is 70 % of the first month's bill",
        |it, _| saved_without_people(it, "before", "cached-tiers"), 0.70 ~ 0.01),
    claim!("enterprise-knowledge-base", "answer 63 % of all questions",
        |it, _| plan(it, "cached-tiers").cache_hit_share, 0.63 ~ 0.01),
    claim!("enterprise-knowledge-base", "without tiers, save 40 %", |it, _| saved(it, "before", "cached"), 0.40 ~ 0.01),
    claim!("enterprise-knowledge-base", "almost four times this volume",
        |it, at| reach(it, at, "cached-tiers", "self-hosted"), 3.8 ~ 0.2),
    claim!("startup-mvp", "about 1.6 times the first month's volume",
        |it, at| reach(it, at, "api-only", "api-tiers"), 1.6 ~ 0.05),
    claim!("startup-mvp", "from about 15 times", |it, at| reach(it, at, "api-tiers", "hybrid"), 15.0 ~ 0.5),
    claim!("clinical-decision-support", "53 % more in place of 114 %", |it, _| -saved(it, "before", "owned"), 0.53 ~ 0.01),
    claim!("clinical-decision-support", "about what the API costs",
        |it, _| mean(it, "self-hosted-120b") / mean(it, "before"), 1.05 ~ 0.05),
    claim!("clinical-decision-support", "four points lower",
        |it, _| 100.0 * (plan(it, "self-hosted").quality - plan(it, "self-hosted-120b").quality), 4.0 ~ 0.5),
    claim!("clinical-decision-support", "busy a tenth of the time", |it, _| busy(it, "self-hosted"), 0.1 ~ 0.02),
];

#[test]
fn every_claim_of_the_notes_is_borne_out_by_the_model() {
    let mut broken = Vec::new();
    for claim in CLAIMS {
        let scenario = preset(claim.id);
        let found = (claim.computed)(&evaluate(&scenario), &break_even(&scenario));
        let Claim { id, words, expected, tolerance, .. } = claim;
        if !scenario.draft().notes.contains(words) {
            broken.push(format!("{id}: the notes do not say {words:?}"));
        }
        if (found - expected).abs() > *tolerance || found.is_nan() {
            broken.push(format!("{id}: {words:?}, computed {found}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_claims_about_spread_and_latency_are_borne_out() {
    let startup = preset("startup-mvp");
    let drawn = &forecast(&startup, 4096).plans[1];
    assert!((drawn.mean_month.p50 / 3_200.0 - 1.0).abs() < 0.04, "{:?}", drawn.mean_month);
    assert!((18_000.0..21_000.0).contains(&drawn.mean_month.p95), "{:?}", drawn.mean_month);
    assert!(
        drawn.over_budget.is_some_and(|over| (over.share - 0.30).abs() < 0.02),
        "{:?}",
        drawn.over_budget
    );
    for words in ["$3,200 a month", "over $18,000", "in three of ten futures"] {
        assert!(startup.draft().notes.contains(words), "{words}");
    }
    let moderation = preset("content-moderation");
    let outcome = evaluate(&moderation);
    let told =
        |id: &str, words: &str| plan(&outcome, id).findings.iter().any(|it| it.message.contains(words));
    assert!(moderation.draft().notes.contains("a P95 of 182 ms"));
    assert!(told("own-screen", "182 ms") && told("screen", "first token"), "{outcome:?}");
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
        let forecast = forecast(&scenario, TRIALS);
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
