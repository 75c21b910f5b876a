//! Laws of simulated plans.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails here, with its place")]

use std::sync::OnceLock;

use breakeven::analysis::evaluate;
use breakeven::analysis::traffic::{
    Outage, Traffic, TrafficAsk, Unheard, effect, replicas_needed, simulate, with_findings,
};
use breakeven::catalog::Catalog;
use breakeven::io::presets;
use breakeven::pricing::Line;
use breakeven::routing::{Plan, Serves};
use breakeven::scenario::{Scenario, ScenarioDraft};
use breakeven::serving::{Deployment, PrefillReplicas, Scaling};
use breakeven::sim::{Balance, Bin, Lost, Users};
use breakeven::stats::Estimate;
use breakeven::workload::{Count, CountKind, LengthSpread, Profile, UseCase};

fn preset(id: &str) -> (ScenarioDraft, Scenario) {
    let draft = presets::load(id).unwrap();
    let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap_or_else(|found| panic!("{found:#?}"));
    (draft, scenario)
}

fn chatbot() -> &'static (ScenarioDraft, Scenario) {
    static LOADED: OnceLock<(ScenarioDraft, Scenario)> = OnceLock::new();
    LOADED.get_or_init(|| preset(presets::DEFAULT))
}

fn ask(plan: usize, window_secs: f64) -> TrafficAsk {
    TrafficAsk { window_secs, ..TrafficAsk::new(plan, 1) }
}

fn run(scenario: &Scenario, ask: &TrafficAsk) -> Traffic {
    simulate(scenario, ask, None, None, &Unheard).unwrap()
}

/// The chatbot's everyday questions and nothing else.
fn everyday_alone() -> ScenarioDraft {
    let mut draft = chatbot().0.clone();
    draft.workload.use_cases.truncate(1);
    draft.correlations.clear();
    draft.plans.iter_mut().for_each(|plan| plan.routes.clear());
    draft
}

#[test]
fn every_preset_and_plan_is_simulated_and_no_call_is_lost_sight_of() {
    for preset_row in presets::scenarios() {
        let id = preset_row.id;
        let (draft, scenario) = preset(id);
        for plan in 0..draft.plans.len() {
            let traffic = run(&scenario, &ask(plan, 300.0));
            for stream in traffic.streams.iter().chain([&traffic.total]) {
                let lost: u64 = stream.lost.values().sum();
                let over = stream.answered + stream.exact_hits + stream.semantic_hits + lost + stream.inside;
                assert_eq!(stream.arrived, over, "{id} {plan} {}", stream.id);
                assert_eq!(stream.inside, 0, "what is inside is played to its end");
                for times in [&stream.ttft_secs, &stream.tpot_secs, &stream.e2e_secs].into_iter().flatten() {
                    let ordered = [times.p50.mean, times.p95.mean, times.p99.mean];
                    assert!(
                        ordered.is_sorted() && ordered[0] > 0.0,
                        "{id} {plan} {}: {ordered:?}",
                        stream.id
                    );
                }
            }
            let with = with_findings(&draft, &traffic, &[]);
            let checked = Scenario::check(&with, Catalog::shipped());
            assert!(checked.is_ok(), "{id} {plan}: {:#?}", checked.err());
            for effect in effect(&scenario, Catalog::shipped(), &traffic, &[]).unwrap() {
                let finite = effect.closed_form.is_finite() && effect.simulated.is_finite();
                assert!(finite, "{id} {plan}: {effect:?}");
            }
        }
    }
}

#[test]
fn same_ask_same_bytes_at_any_number_of_threads() {
    let (_, scenario) = chatbot();
    let asked = TrafficAsk { replications: 3, api_cv: 0.5, ..ask(3, 600.0) };
    let text = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let traffic = pool.install(|| run(scenario, &asked));
        serde_json::to_string(&traffic).unwrap()
    };
    let one = text(1);
    assert_eq!(one, text(4));
    let other = run(scenario, &TrafficAsk { seed: 2, ..asked.clone() });
    assert_ne!(one, serde_json::to_string(&other).unwrap());
}

#[test]
fn all_plans_see_the_same_conversations_begin() {
    // Single calls do not depend on the answers, so every plan meets the very same ones.
    let (draft, scenario) = preset("content-moderation");
    let counts: Vec<Vec<u64>> = (0..draft.plans.len())
        .map(|plan| run(&scenario, &ask(plan, 120.0)).streams.iter().map(|stream| stream.arrived).collect())
        .collect();
    assert!(counts[0].iter().all(|count| *count > 100), "{counts:?}");
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn without_queues_a_call_takes_what_its_provider_states() {
    let (_, scenario) = chatbot();
    let traffic = run(scenario, &ask(0, 600.0));
    let state = scenario.point();
    let Serves::Api(api) = &state.plans[0].endpoints[0].serves else { panic!("an API") };
    let ttft = traffic.total.ttft_secs.unwrap();
    assert!((ttft.p50.mean / api.ttft_secs - 1.0).abs() < 2e-3, "{}", ttft.p50.mean);
    let tpot = traffic.total.tpot_secs.unwrap();
    assert!((tpot.p50.mean * api.output_tokens_per_sec - 1.0).abs() < 2e-3, "{}", tpot.p50.mean);
}

#[test]
fn what_was_found_as_a_stated_hit_rate_answers_as_many_calls() {
    let draft = everyday_alone();
    let plan = draft.plans.iter().position(|plan| plan.id == "tiered").unwrap();
    let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap();
    let traffic = run(&scenario, &TrafficAsk { window_secs: 3_600.0, ..ask(plan, 0.0) });
    let found = with_findings(&draft, &traffic, &[]);
    let stated = evaluate(&Scenario::check(&found, Catalog::shipped()).unwrap()).plans[plan].cache_hit_share;
    assert!(traffic.total.asked < traffic.total.arrived, "some may not be cached");
    assert!(
        (stated / traffic.total.hit_share() - 1.0).abs() < 0.02,
        "{stated} {}",
        traffic.total.hit_share()
    );
}

#[test]
fn simulated_hits_of_response_caches_are_those_of_the_closed_form() {
    let (draft, scenario) = preset("content-moderation");
    let plan = draft.plans.iter().position(|plan| plan.caches.exact.is_some()).unwrap();
    let closed = evaluate(&scenario).plans[plan].cache_hit_share;
    let traffic = run(&scenario, &TrafficAsk { window_secs: 1_800.0, ..ask(plan, 0.0) });
    let found = traffic.total.hit_share();
    assert!((found / closed - 1.0).abs() < 0.1, "{found} {closed}");
}

/// Prompt tokens that a provider's cache answers, in closed form and simulated, however a conversation is laid out.
#[test]
fn simulated_hits_of_prompt_caches_are_those_of_the_closed_form() {
    type Layout = (&'static str, fn(&mut UseCase<Estimate>));
    let layouts: [Layout; 6] = [
        ("context retrieved for each turn", |_| ()),
        ("nothing retrieved", |of| of.retrieved_tokens = Estimate::Fixed(0.0)),
        ("shortened", |of| {
            of.retrieved_tokens = Estimate::Fixed(0.0);
            of.conversation.history_kept = Estimate::Fixed(0.5);
        }),
        ("cut at a limit", |of| {
            of.retrieved_tokens = Estimate::Fixed(0.0);
            of.conversation.history_limit_tokens = Some(Estimate::Fixed(1_500.0));
        }),
        ("an agent that forgets its steps", |of| {
            of.retrieved_tokens = Estimate::Fixed(0.0);
            of.agent.calls = Count { mean: Estimate::Fixed(3.0), kind: CountKind::Fixed };
        }),
        ("an agent that keeps them", |of| {
            of.retrieved_tokens = Estimate::Fixed(0.0);
            of.agent.calls = Count { mean: Estimate::Fixed(3.0), kind: CountKind::Fixed };
            of.agent.transcript_kept = true;
        }),
    ];
    let plan = chatbot().0.plans.iter().position(|plan| plan.id == "tiered").unwrap();
    for (name, lay_out) in layouts {
        let mut draft = everyday_alone();
        let use_case = &mut draft.workload.use_cases[0];
        use_case.profile = Profile::Flat;
        use_case.requests_per_day = Estimate::Fixed(100_000.0);
        use_case.conversation.turns = Count { mean: Estimate::Fixed(5.0), kind: CountKind::Geometric };
        use_case.conversation.gap_secs = Estimate::Fixed(100.0);
        // As long as their means: the closed form holds a limit against the mean history.
        use_case.user_tokens.spread = LengthSpread::Fixed;
        use_case.output_tokens.spread = LengthSpread::Fixed;
        lay_out(use_case);
        let scenario =
            Scenario::check(&draft, Catalog::shipped()).unwrap_or_else(|found| panic!("{found:#?}"));
        let closed = evaluate(&scenario).plans[plan].clone();
        let asked = TrafficAsk { warmup_secs: Some(3_600.0), ..ask(plan, 6.0 * 3_600.0) };
        let traffic = run(&scenario, &asked);
        for (closed, found) in closed.endpoints.iter().zip(&traffic.endpoints) {
            let expected = closed.cached_tokens / closed.prompt_tokens;
            let found = found.prompt_hit_share;
            eprintln!("{name}, {}: {expected:.4}, simulated {found:.4}", closed.id);
            assert!((found - expected).abs() < 0.015, "{name}, {}: {expected}, simulated {found}", closed.id);
        }
    }
}

#[test]
fn the_replicas_needed_keep_the_targets_and_one_less_does_not() {
    let (draft, scenario) = preset("legal-document-analysis");
    let plan =
        draft.plans.iter().position(|plan| plan.endpoints.len() == 1 && plan.endpoints[0].id == "general");
    let asked = ask(plan.unwrap(), 600.0);
    let needed = replicas_needed(&scenario, &asked, &Unheard).unwrap();
    let replicas = needed[0].simulated.unwrap();
    assert!(replicas > 1, "{needed:?}");
    let attained = |replicas: u32| {
        let hour = TrafficAsk {
            window_secs: 3_600.0,
            warmup_secs: Some(300.0),
            replicas: Some(replicas),
            ..asked.clone()
        };
        let traffic = run(&scenario, &hour);
        traffic.streams.iter().map(|stream| stream.slo_attainment.unwrap().mean).fold(1.0, f64::min)
    };
    assert!(attained(replicas) > attained(replicas - 1));
}

#[test]
fn a_plan_that_cannot_keep_up_is_told_and_bounded() {
    let (draft, scenario) = preset("legal-document-analysis");
    let plan =
        draft.plans.iter().position(|plan| plan.endpoints.len() == 1 && plan.endpoints[0].id == "general");
    let asked = TrafficAsk { replicas: Some(1), rate_factor: 4.0, ..ask(plan.unwrap(), 3_600.0) };
    let traffic = run(&scenario, &asked);
    let pool = traffic.endpoints[0].pool.as_ref().unwrap();
    assert!(pool.falls_behind, "{pool:?}");
    // As many as may wait, and those of the batch that were preempted and wait in front.
    assert!(pool.waiting_max <= 20_000.0 + 512.0, "{}", pool.waiting_max);
}

#[test]
fn impatient_callers_are_counted_and_no_call_is_lost_sight_of() {
    let (mut draft, _) = preset("legal-document-analysis");
    let plan =
        draft.plans.iter().position(|plan| plan.endpoints.len() == 1 && plan.endpoints[0].id == "general");
    for use_case in &mut draft.workload.use_cases {
        use_case.retries.timeout_secs = Some(Estimate::Fixed(40.0));
    }
    let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap();
    let asked = TrafficAsk { replicas: Some(1), rate_factor: 4.0, ..ask(plan.unwrap(), 1_800.0) };
    let traffic = run(&scenario, &asked);
    for stream in traffic.streams.iter().chain([&traffic.total]) {
        let lost: u64 = stream.lost.values().sum();
        assert_eq!(stream.arrived, stream.answered + lost, "{}", stream.id);
        assert!(stream.lost[&Lost::Timeout] > 0, "{}: {:?}", stream.id, stream.lost);
    }
    let pool = traffic.endpoints[0].pool.as_ref().unwrap();
    // The pool counts the warm-up too.
    assert!(pool.counts.withdrawn >= traffic.total.retries + traffic.total.lost[&Lost::Timeout]);
}

/// The first plan with one endpoint of own GPUs, and its deployment changed.
fn own(change: impl Fn(&mut Deployment<Estimate>)) -> (usize, Scenario) {
    let (mut draft, _) = preset("legal-document-analysis");
    let plan =
        draft.plans.iter().position(|plan| plan.endpoints.len() == 1 && plan.endpoints[0].id == "general");
    for endpoint in &mut draft.plans[plan.unwrap()].endpoints {
        let Serves::SelfHosted(own) = &mut endpoint.serves else { panic!("own GPUs") };
        change(&mut own.deployment);
    }
    (plan.unwrap(), Scenario::check(&draft, Catalog::shipped()).unwrap_or_else(|found| panic!("{found:#?}")))
}

#[test]
fn replicas_for_prompts_alone_keep_them_from_delaying_answers() {
    let fleet = |prompts: Option<u32>| {
        let (plan, scenario) = own(|deployment| {
            deployment.fleet.scaling = Scaling::Fixed(8);
            deployment.prefill = prompts.map(|replicas| PrefillReplicas { replicas });
        });
        let warned = scenario.warnings().iter().any(|problem| problem.path.ends_with("deployment.prefill"));
        assert_eq!(warned, prompts.is_some(), "the closed form says that it does not split");
        let traffic = run(&scenario, &ask(plan, 1_800.0));
        assert_eq!(traffic.total.arrived, traffic.total.answered);
        let pool = traffic.endpoints[0].pool.clone().unwrap();
        assert!((pool.replicas.mean - 8.0).abs() < 1e-6, "all are paid: {}", pool.replicas.mean);
        traffic.total.tpot_secs.unwrap().p99.mean
    };
    let (together, apart) = (fleet(None), fleet(Some(4)));
    assert!(apart < 0.9 * together, "{apart} {together}");
    let (plan, scenario) = own(|deployment| deployment.prefill = Some(PrefillReplicas { replicas: 2 }));
    let few = TrafficAsk { replicas: Some(2), ..ask(plan, 60.0) };
    let error = simulate(&scenario, &few, None, None, &Unheard).unwrap_err().to_string();
    assert!(error.contains("more than compute prompts alone"), "{error}");
}

#[test]
fn batches_of_one_run_sum_up_to_it_and_tell_its_spread() {
    let (_, scenario) = preset("content-moderation");
    let hour = TrafficAsk { first_hour: Some(34), api_cv: 0.5, ..ask(0, 1_200.0) };
    let whole = run(&scenario, &hour);
    let cut = run(&scenario, &TrafficAsk { batches: 20, ..hour.clone() });
    assert_eq!((whole.batches, cut.batches), (0, 20));
    assert_eq!((whole.total.arrived, whole.total.answered), (cut.total.arrived, cut.total.answered));
    let (of_whole, of_cut) = (whole.total.e2e_secs.unwrap(), cut.total.e2e_secs.unwrap());
    assert_eq!((of_whole.mean.mean, of_whole.p95.mean), (of_cut.mean.mean, of_cut.p95.mean));
    assert_eq!(of_whole.mean.half_width, None);
    // Calls of an API do not wait for each other: the spread of the mean is that of single calls over their root.
    let half = of_cut.mean.half_width.unwrap();
    let replications = run(&scenario, &TrafficAsk { replications: 20, ..hour.clone() });
    let of_all = replications.total.e2e_secs.unwrap().mean.half_width.unwrap();
    let of_one = of_all * 20_f64.sqrt();
    assert!((0.5..2.0).contains(&(half / of_one)), "{half} {of_one}");
    let refused =
        |asked: TrafficAsk| simulate(&scenario, &asked, None, None, &Unheard).unwrap_err().to_string();
    assert!(refused(TrafficAsk { batches: 1, ..hour.clone() }).contains("2 to 100"));
    assert!(refused(TrafficAsk { batches: 20, replications: 2, ..hour }).contains("either batches or"));
}

#[test]
fn sessions_of_users_who_ask_often_load_a_replica_more_than_others() {
    let (draft, scenario) = preset("legal-document-analysis");
    let plan =
        draft.plans.iter().position(|plan| plan.endpoints.len() == 1 && plan.endpoints[0].id == "general");
    let busiest = |users: Option<Users>| {
        let asked =
            TrafficAsk { replicas: Some(6), balance: Balance::Session, users, ..ask(plan.unwrap(), 1_800.0) };
        let traffic = run(&scenario, &asked);
        let pool = traffic.endpoints[0].pool.clone().unwrap();
        (traffic.total.arrived, pool.busiest.mean / pool.utilisation.mean)
    };
    let (calls, alone) = busiest(None);
    let (same, even) = busiest(Some(Users { count: 100_000, exponent: 0.0 }));
    let (again, few) = busiest(Some(Users { count: 1_000, exponent: 1.5 }));
    assert_eq!((calls, calls), (same, again), "who asks changes nothing else");
    assert!(even < 1.3 * alone && few > 1.3 * even, "{alone} {even} {few}");
}

#[test]
fn what_cannot_be_is_refused_with_its_remedy() {
    let (_, scenario) = chatbot();
    let refused =
        |asked: TrafficAsk| simulate(scenario, &asked, None, None, &Unheard).unwrap_err().to_string();
    assert!(refused(ask(99, 60.0)).contains("the scenario has 4"));
    assert!(refused(ask(0, f64::NAN)).contains("more than 0"));
    assert!(refused(TrafficAsk { warmup_secs: Some(60.0), ..ask(0, 60.0) }).contains("less than the window"));
    assert!(refused(TrafficAsk { rate_factor: -1.0, ..ask(0, 60.0) }).contains("0 or more"));
    let outage = Outage { endpoint: "nowhere".into(), from_secs: 0.0, secs: 1.0 };
    assert!(refused(TrafficAsk { outages: vec![outage], ..ask(0, 60.0) }).contains("nowhere"));
}

#[test]
fn the_providers_bill_over_time_is_that_of_the_closed_form() {
    let (_, scenario) = chatbot();
    let outcome = evaluate(scenario);
    let calls: f64 = outcome.use_cases.iter().map(|one| one.requests * one.calls_per_request).sum();
    let api: f64 = Line::ALL
        .iter()
        .filter(|line| line.id().starts_with("api_") || matches!(line, Line::Region | Line::Retries))
        .map(|line| outcome.plans[0].run_rate.get(*line))
        .sum();
    // A whole week, so that the use cases have their shares, at part of the volume.
    let week = TrafficAsk { warmup_secs: Some(0.0), rate_factor: 0.2, ..ask(0, 7.0 * 86_400.0) };
    let traffic = run(scenario, &week);
    let hours = traffic.timeline.bin_secs / 3_600.0;
    let spent: f64 = traffic.costs.iter().map(|cost| cost.provider_usd * hours).sum();
    let (simulated, closed) = (spent / traffic.total.arrived as f64, api / calls);
    assert!((simulated / closed - 1.0).abs() < 0.05, "{simulated} {closed} US dollars per call");
}

#[test]
fn twice_the_replicas_are_twice_the_gpu_hours_and_their_cost() {
    let (draft, scenario) = chatbot();
    let own =
        |plan: &Plan<Estimate>| plan.endpoints.iter().all(|end| matches!(end.serves, Serves::SelfHosted(_)));
    let plan = draft.plans.iter().position(own).unwrap();
    let cost = |replicas: u32| {
        let asked = TrafficAsk { replicas: Some(replicas), ..ask(plan, 600.0) };
        run(scenario, &asked).mean_cost().unwrap()
    };
    let (two, four) = (cost(2), cost(4));
    assert!(two.gpu_usd > 0.0 && two.provider_usd == 0.0, "{two:?}");
    assert!((four.gpu_hours / two.gpu_hours - 2.0).abs() < 1e-9, "{two:?} {four:?}");
    assert!((four.gpu_usd / two.gpu_usd - 2.0).abs() < 0.01, "{two:?} {four:?}");
}

#[test]
fn the_stretches_of_a_timeline_sum_to_the_whole() {
    let (draft, scenario) = preset("legal-document-analysis");
    let general = draft.plans.iter().position(|plan| plan.endpoints[0].id == "general").unwrap();
    let asked =
        TrafficAsk { replicas: Some(1), rate_factor: 4.0, warmup_secs: Some(0.0), ..ask(general, 3_600.0) };
    let traffic = run(&scenario, &asked);
    let sum = |of: fn(&Bin) -> u64| traffic.timeline.bins.iter().map(of).sum::<u64>();
    assert_eq!(sum(|bin| bin.arrived), traffic.total.arrived);
    assert_eq!(sum(|bin| bin.lost), traffic.total.lost.values().sum::<u64>());
    assert_eq!(sum(|bin| bin.retries), traffic.total.retries);
    assert!(sum(|bin| bin.rejected + bin.timed_out) <= sum(|bin| bin.lost));
    let calls: u64 = traffic.endpoints.iter().map(|endpoint| endpoint.usage.calls).sum();
    assert_eq!(sum(|bin| bin.usage.iter().map(|used| used.calls).sum()), calls);
}
