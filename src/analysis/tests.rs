//! Whatever a form or a file can hold either is refused with a reason or gives finite answers.

use crate::catalog::Catalog;
use crate::routing::Serves;
use crate::scenario::{Scenario, ScenarioDraft, Severity, sample};
use crate::stats::Estimate::{self, Fixed};
use crate::stats::quantities::{Path, Quantified as _};
use crate::stats::{LANES, Lanes, Num as _};

use super::evaluate::Lines;
use super::evaluator::Evaluator;
use super::rates::Rates;
use super::{break_even, evaluate, forecast};

/// Values that people type by mistake, and a few that no mistake explains.
const ODD: [f64; 12] =
    [0.0, -1.0, 0.5, 1.0, 1e-300, 1e-9, 1e6, 1e12, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

fn leaves(draft: &ScenarioDraft) -> Vec<String> {
    let mut paths = Vec::new();
    draft.each(&mut Path::default(), &mut |path, _: &Estimate| paths.push(path.as_str().to_owned()));
    paths
}

fn with_leaf(draft: &ScenarioDraft, leaf: usize, value: f64) -> ScenarioDraft {
    let mut changed = draft.clone();
    let mut position = 0;
    changed.each_mut(&mut |estimate: &mut Estimate| {
        if position == leaf {
            *estimate = Fixed(value);
        }
        position += 1;
    });
    changed
}

fn assert_finite(scenario: &Scenario, what: &str) {
    let outcome = evaluate(scenario);
    for plan in &outcome.plans {
        assert!(!plan.mean_month_usd.is_nan(), "{what}: {} costs NaN", plan.id);
        assert!(!plan.quality.is_nan() && !plan.latency.e2e_secs.is_nan(), "{what}: {}", plan.id);
        for (line, usd) in plan.run_rate.lines() {
            assert!(!usd.is_nan(), "{what}: {} of {} is NaN", line.id(), plan.id);
        }
    }
}

#[test]
fn an_odd_value_in_any_field_is_refused_by_name_or_gives_a_number() {
    let draft = sample::everything();
    let catalog = Catalog::shipped();
    for (leaf, path) in leaves(&draft).into_iter().enumerate() {
        for value in ODD {
            let what = format!("{path} = {value}");
            match Scenario::check(&with_leaf(&draft, leaf, value), catalog) {
                Ok(scenario) => assert_finite(&scenario, &what),
                Err(problems) => assert!(
                    problems
                        .items
                        .iter()
                        .any(|problem| problem.severity == Severity::Error && !problem.remedy.is_empty()),
                    "{what}: {problems:?}"
                ),
            }
        }
    }
}

#[test]
fn not_a_number_and_infinity_are_refused_at_their_field() {
    let draft = sample::everything();
    for (leaf, path) in leaves(&draft).into_iter().enumerate() {
        for value in [f64::NAN, f64::INFINITY] {
            let problems = Scenario::check(&with_leaf(&draft, leaf, value), Catalog::shipped()).err();
            let named = problems.is_some_and(|problems| problems.at(&path).count() > 0);
            assert!(named, "{path} = {value} is not refused");
        }
    }
}

#[test]
fn a_scenario_with_everything_in_it_is_forecast_and_crosses_without_a_nan() {
    let scenario = Scenario::check(&sample::everything(), Catalog::shipped())
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_finite(&scenario, "everything");
    let forecast = forecast(&scenario, 64);
    assert!(forecast.plans.iter().all(|plan| !plan.mean_month.mean.is_nan()));
    let crossing = break_even(&scenario);
    assert!(crossing.plans.iter().all(|curve| curve.usd.iter().all(|usd| !usd.is_nan())));
}

/// One thing wrong with a draft, and where the check must say so.
type Spoiled = (&'static str, fn(&mut ScenarioDraft), &'static str);

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let cases: [Spoiled; 12] = [
        ("no use case", |d| d.workload.use_cases.clear(), "workload.use_cases"),
        ("no plan", |d| d.plans.clear(), "plans"),
        ("no endpoint", |d| d.plans[0].endpoints.clear(), "plans.tiered.endpoints"),
        ("no such date", |d| d.start = "2026-13-01".to_owned(), "start"),
        ("no month", |d| d.horizon_months = 0, "horizon_months"),
        ("a thousand years", |d| d.horizon_months = 12_000, "horizon_months"),
        ("another schema", |d| d.schema = 99, "schema"),
        ("an id with a space", |d| d.plans[0].id = "my plan".to_owned(), "plans.my plan"),
        ("twins", |d| d.plans[1].id = d.plans[0].id.clone(), "plans.tiered"),
        (
            "a profile of a day",
            |d| {
                d.workload.use_cases[0].profile =
                    crate::workload::Profile::Hours(crate::stats::quantities::Table(vec![1.0; 24]));
            },
            "workload.use_cases.chat.profile",
        ),
        ("no such quantity", |d| d.correlations[0].a = "weather".to_owned(), "correlations.0"),
        ("more than all", |d| d.correlations[0].rank = 1.5, "correlations.0"),
    ];
    let whole = sample::everything();
    for (what, spoil, path) in cases {
        let mut draft = whole.clone();
        spoil(&mut draft);
        match Scenario::check(&draft, Catalog::shipped()) {
            Ok(_) => panic!("{what} is accepted"),
            Err(problems) => {
                let said = problems.items.iter().any(|problem| problem.path == path);
                assert!(said, "{what}: nothing is said at {path}, but {problems:#?}");
            }
        }
    }
}

/// Scenarios in which every way to be billed is used.
fn billed() -> Vec<ScenarioDraft> {
    let mut priced = sample::everything();
    for plan in &mut priced.plans {
        for endpoint in &mut plan.endpoints {
            if let Serves::Api(api) = &mut endpoint.serves {
                api.price_change_per_year = Fixed(-0.2);
                api.usd_per_call = Fixed(1e-4);
            }
        }
    }
    let ids = crate::io::presets::scenarios().iter().map(|preset| preset.id);
    let mut drafts: Vec<ScenarioDraft> = ids.map(|id| crate::io::presets::load(id).unwrap()).collect();
    drafts.push(priced);
    drafts
}

fn assert_same(total: f64, lines: f64, what: &str) {
    assert!((total - lines).abs() <= 1e-9 * lines.abs(), "{what}: {total} in total, {lines} by line");
}

#[test]
fn a_month_costs_the_same_whether_its_lines_are_kept_or_only_their_sum() {
    for draft in billed() {
        let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap();
        let (mut draws, mut draw) = (scenario.draw::<Lanes>(), scenario.draw::<f64>());
        let (mut side_by_side, mut evaluator) = (Evaluator::new(&scenario), Evaluator::new(&scenario));
        let months = scenario.facts().months.len();
        draws.become_trials(&scenario, 0);
        side_by_side.take_in(&draws.state);
        let mut totals = vec![Lanes::default(); draft.plans.len() * months];
        side_by_side.all_months(&draws.state, Some(&draws.noise), &mut totals);
        for trial in 0..LANES {
            draw.become_trials(&scenario, trial as u64);
            evaluator.prepare(&draw.state);
            for (at, total) in totals.iter().enumerate() {
                let (plan, month) = (at / months, at % months);
                let mut lines = Lines::default();
                evaluator.month(&draw.state, plan, month, draw.noise[month], month == 0, &mut lines);
                let what = format!("{}, {}, month {month}, trial {trial}", draft.name, draft.plans[plan].id);
                assert_same(total.lane(trial), lines.0.total(), &what);
            }
        }
    }
}

#[test]
fn a_volume_costs_the_same_whether_its_lines_are_kept_or_only_their_sum() {
    let scales = [1e-6, 1e-3, 0.3, 1.0, 1.0, 40.0, 3e4];
    for draft in billed() {
        let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap();
        let mut evaluator = Evaluator::new(&scenario);
        evaluator.prepare(scenario.point());
        let today = evaluator.tokens_per_day();
        let mut rates = Rates::new(&scenario, today);
        for plan in 0..draft.plans.len() {
            let totals = rates.at(plan, &scales.map(|scale| scale * today));
            for (scale, total) in scales.into_iter().zip(totals) {
                let mut lines = Lines::default();
                evaluator.month(scenario.point(), plan, 0, scale, false, &mut lines);
                let what = format!("{}, {}, {scale} times", draft.name, draft.plans[plan].id);
                assert_same(total, lines.0.total(), &what);
            }
        }
    }
}

#[test]
fn own_gpus_run_at_the_speed_of_the_calibration_and_the_header_says_which() {
    use std::sync::Arc;

    use crate::serving::Calibration;

    let draft = sample::everything();
    let scenario = || Scenario::check(&draft, Catalog::shipped()).unwrap();
    let mut slow = Calibration::shipped().clone();
    slow.serving.stream_narrow *= 0.25;
    slow.serving.stream_16 *= 0.25;
    slow.serving.compute_8 *= 0.25;
    slow.serving.compute_16 *= 0.25;
    slow.serving.compute_widened *= 0.25;
    let shipped = evaluate(&scenario());
    let same = evaluate(&scenario().with_calibration(Arc::new(Calibration::shipped().clone())));
    let own = evaluate(&scenario().with_calibration(Arc::new(slow)));
    assert_eq!(shipped, same, "the shipped constants by another way change nothing");
    assert_ne!(shipped.header.calibration, own.header.calibration);
    let dearer = shipped.plans.iter().zip(&own.plans).any(|(a, b)| b.mean_month_usd > a.mean_month_usd);
    assert!(dearer, "a machine of a quarter of the speed needs more replicas somewhere");
}
