//! Laws of the whole path: from a draft to a bill, a forecast, a crossing.

use breakeven::analysis::{SensitivityRow, break_even, evaluate, forecast, forecast_until, sensitivity};
use breakeven::cache::{CacheStack, HitRate, ResponseCache};
use breakeven::catalog::Catalog;
use breakeven::pricing::{CostItem, CustomPrice, PlanCosts};
use breakeven::routing::{Endpoint, Overflow, Plan, Router, Serves, Split};
use breakeven::scenario::{Scenario, ScenarioDraft};
use breakeven::serving::Scaling;
use breakeven::stats::Estimate::{self, Fixed};
use breakeven::stats::quantities::Table;
use breakeven::unit::{DAYS_PER_MONTH, HOURS_PER_MONTH};
use breakeven::workload::{Growth, Length, LengthSpread, Profile, UseCase};

/// A plan that costs nothing beside tokens and GPUs.
fn bare(mut plan: Plan<Estimate>) -> Plan<Estimate> {
    let none = || CostItem { usd_per_month: Fixed(0.0), fte: Fixed(0.0) };
    plan.costs = PlanCosts {
        prompt_engineering: none(),
        evaluation: none(),
        monitoring: none(),
        on_call: none(),
        training: none(),
        opportunity: none(),
        compliance: none(),
        network: none(),
        egress_usd_per_gb: Fixed(0.0),
        bytes_per_token: Fixed(0.0),
        gateway: none(),
        gateway_usd_per_request: Fixed(0.0),
        one_time_usd: Fixed(0.0),
    };
    plan
}

fn exactly(tokens: f64) -> Length<Estimate> {
    Length { median: Fixed(tokens), p95: Fixed(tokens), spread: LengthSpread::Fixed }
}

/// A use case of so many requests a month with fixed lengths and nothing else.
fn plain(requests_per_month: f64, prompt: f64, output: f64) -> UseCase<Estimate> {
    let mut use_case = UseCase::new("chat", "Chat");
    use_case.requests_per_day = Fixed(requests_per_month / DAYS_PER_MONTH);
    use_case.system_prompt_tokens = Fixed(0.0);
    use_case.user_tokens = exactly(prompt);
    use_case.output_tokens = exactly(output);
    use_case.early_stop.share = Fixed(0.0);
    use_case.retries.failure = Fixed(0.0);
    use_case
}

fn priced(id: &str, input: f64, output: f64) -> Endpoint<Estimate> {
    let mut endpoint = Endpoint::api(id, id, "ref-gpt-4-turbo");
    if let Serves::Api(api) = &mut endpoint.serves {
        api.custom = Some(CustomPrice {
            input_usd_per_mtok: Fixed(input),
            output_usd_per_mtok: Fixed(output),
            cached_read_usd_per_mtok: None,
            cache_write_usd_per_mtok: None,
        });
    }
    endpoint
}

fn draft(use_cases: Vec<UseCase<Estimate>>, plans: Vec<Plan<Estimate>>) -> ScenarioDraft {
    let mut draft = ScenarioDraft::new("Test");
    draft.settings.demand_noise_cv = Fixed(0.0);
    draft.workload.use_cases = use_cases;
    draft.plans = plans;
    draft
}

fn checked(draft: &ScenarioDraft) -> Scenario {
    Scenario::check(draft, Catalog::shipped()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn run_rate(draft: &ScenarioDraft) -> Vec<f64> {
    evaluate(&checked(draft)).plans.iter().map(|plan| plan.run_rate.total()).collect()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 0.005, "found {found}, expected {expected}");
}

#[test]
fn a_thousand_requests_of_500_in_and_200_out_at_10_and_30_dollars_cost_11_dollars() {
    let plan = bare(Plan::api("buy", "Buy", "ref-gpt-4-turbo"));
    near(run_rate(&draft(vec![plain(1000.0, 500.0, 200.0)], vec![plan]))[0], 11.0);
}

#[test]
fn a_cache_with_60_percent_hits_turns_10_000_dollars_into_4_500() {
    let mut plan = bare(Plan::single("buy", "Buy", priced("api", 10.0, 30.0)));
    plan.caches = CacheStack {
        exact: Some(ResponseCache {
            hit: HitRate::Given(Fixed(0.6)),
            lookup_usd_per_request: Fixed(0.0),
            lookup_secs: Fixed(0.0),
            usd_per_month: Fixed(500.0),
            false_hit_share: Fixed(0.0),
        }),
        semantic: None,
    };
    // $0.011 a request, 909,090.9 requests: $10,000.
    let mut use_case = plain(10_000.0 / 0.011, 500.0, 200.0);
    use_case.repetition.cacheable_share = Fixed(1.0);
    near(run_rate(&draft(vec![use_case], vec![plan]))[0], 4500.0);
}

#[test]
fn a_hundred_thousand_requests_split_70_25_5_cost_820_dollars_against_10_000() {
    // One output token a request: a rate of $1,000 per million is $0.001 a request.
    let tiers = [("small", 1e3), ("medium", 1e4), ("large", 1e5)];
    let mut tiered = bare(Plan::single("tiered", "Tiered", priced("small", 0.0, 1e3)));
    tiered.endpoints = tiers.iter().map(|(id, rate)| priced(id, 0.0, *rate)).collect();
    let mut split = Split::new(&[("small", 0.7), ("medium", 0.25), ("large", 0.05)]);
    split.classifier_usd_per_request = Fixed(0.0);
    tiered.router = Router::Split(split);
    let large = bare(Plan::single("large", "All large", priced("large", 0.0, 1e5)));
    let costs = run_rate(&draft(vec![plain(100_000.0, 1.0, 1.0)], vec![tiered, large]));
    near(costs[0], 820.0);
    near(costs[1], 10_000.0);
}

#[test]
fn requests_in_the_off_peak_hours_of_a_price_sheet_pay_their_factor() {
    // DeepSeek halves its prices outside 01:00-04:00 and 06:00-10:00 UTC on weekdays.
    let plan = || bare(Plan::api("buy", "Buy", "deepseek-v4-pro"));
    let at_hours = |hours: &[usize], ahead: i32| {
        let mut use_case = plain(100_000.0, 1_000.0, 300.0);
        let weights = (0..168).map(|hour| f64::from(u8::from(hours.contains(&hour)))).collect();
        use_case.profile = Profile::Hours(Table(weights));
        let mut draft = draft(vec![use_case], vec![plan()]);
        draft.settings.utc_offset_hours = ahead;
        run_rate(&draft)[0]
    };
    let (dear, cheap) = (at_hours(&[2, 7], 0), at_hours(&[0, 12, 130], 0));
    assert!((cheap / dear - 0.5).abs() < 1e-9, "{cheap} {dear}");
    // Half of the requests in each: three quarters of the price.
    assert!((at_hours(&[2, 12], 0) / dear - 0.75).abs() < 1e-9);
    // Two in the night in UTC is ten in the morning eight hours ahead of it.
    assert!((at_hours(&[10], 8) / dear - 1.0).abs() < 1e-9);
    assert!((at_hours(&[2], 8) / dear - 0.5).abs() < 1e-9);
}

#[test]
fn one_gpu_at_3_dollars_an_hour_costs_every_hour_of_the_month() {
    let mut plan = bare(Plan::self_hosted("build", "Build", "llama-3.1-8b", "a100-sxm-80gb", 1, 3.0));
    if let Serves::SelfHosted(own) = &mut plan.endpoints[0].serves {
        own.deployment.fleet.scaling = Scaling::Fixed(1);
        own.storage_gb = Fixed(0.0);
    }
    let cost = run_rate(&draft(vec![plain(1000.0, 500.0, 200.0)], vec![plan]))[0];
    near(cost, 3.0 * HOURS_PER_MONTH);
    // The reference's month has 720 hours: $2,160.
    near(cost * 720.0 / HOURS_PER_MONTH, 2160.0);
}

/// Three plans that cross, with something of everything that a trial touches.
fn mixed() -> ScenarioDraft {
    let mut chat = UseCase::new("chat", "Chat");
    chat.requests_per_day = Estimate::LogNormal { median: 40_000.0, p95: 80_000.0 };
    chat.growth = Growth::Compound(Estimate::Triangular { low: 0.0, mode: 0.03, high: 0.08 });
    let mut batch = UseCase::new("batch", "Batch");
    batch.profile = Profile::NightBatch;
    batch.output_tokens = Length::log_normal(80.0, 300.0);
    let buy = Plan::api("buy", "Buy", "gpt-5.6-terra");
    let build = bare(Plan::self_hosted("build", "Build", "llama-3.1-8b", "l40s", 1, 1.6));
    let mut hybrid = bare(Plan::self_hosted("hybrid", "Hybrid", "llama-3.1-8b", "l40s", 1, 1.6));
    hybrid.endpoints.push(Endpoint::api("api", "API", "gpt-5.6-terra"));
    hybrid.router = Router::Overflow(Overflow::new("own", "api"));
    if let Serves::SelfHosted(own) = &mut hybrid.endpoints[0].serves {
        own.deployment.fleet.scaling = Scaling::Fixed(1);
        own.deployment.capacity_factor = Estimate::LogNormal { median: 1.0, p95: 1.3 };
    }
    let mut draft = draft(vec![chat, batch], vec![buy, build, hybrid]);
    draft.settings.demand_noise_cv = Fixed(0.1);
    draft
}

#[test]
fn bill_lines_sum_to_the_total_and_use_cases_sum_to_the_plan() {
    for plan in &evaluate(&checked(&mixed())).plans {
        let total = plan.run_rate.total();
        let by_line: f64 = plan.run_rate.lines().map(|(_, usd)| usd).sum();
        let by_use_case: f64 = plan.by_use_case.iter().map(|bill| bill.total()).sum();
        assert!((by_line - total).abs() < 1e-9 * total, "{}: {by_line} of {total}", plan.id);
        assert!((by_use_case - total).abs() < 1e-9 * total, "{}: {by_use_case} of {total}", plan.id);
    }
}

#[test]
fn the_bill_rises_with_every_price() {
    let cost = |input: f64, output: f64| {
        let plan = bare(Plan::single("buy", "Buy", priced("api", input, output)));
        run_rate(&draft(vec![plain(1e6, 500.0, 200.0)], vec![plan]))[0]
    };
    let base = cost(1.0, 4.0);
    assert!(cost(1.5, 4.0) > base);
    assert!(cost(1.0, 5.0) > base);
    near(cost(2.0, 8.0), 2.0 * base);
}

#[test]
fn at_a_smooth_crossing_the_two_bills_agree_and_below_it_the_cheaper_one_is_cheaper() {
    let answer = break_even(&checked(&mixed()));
    assert!(!answer.crossings.is_empty(), "buy and build never cross");
    for crossing in &answer.crossings {
        let bills = |volume: f64| {
            let mut draft = mixed();
            for use_case in &mut draft.workload.use_cases {
                use_case.requests_per_day = Fixed(use_case.requests_per_day.point() * volume / answer.today);
            }
            let costs = run_rate(&draft);
            (costs[crossing.cheaper_below], costs[crossing.cheaper_above])
        };
        let (below, above) = bills(crossing.tokens_per_day);
        if !crossing.jump {
            assert!((below - above).abs() < 1e-3 * above, "{crossing:?}: {below} and {above}");
        }
        let (below, above) = bills(crossing.tokens_per_day * (1.0 - 1e-6));
        assert!(below <= above * (1.0 + 1e-6), "{crossing:?}: {below} and {above}");
    }
}

#[test]
fn doubling_every_price_and_every_cost_keeps_the_crossing_of_two_apis() {
    let crossing = |factor: f64| {
        let mut dear = bare(Plan::single("dear", "Dear", priced("api", 2.0 * factor, 8.0 * factor)));
        dear.costs.monitoring.usd_per_month = Fixed(100.0 * factor);
        let mut cheap = bare(Plan::single("cheap", "Cheap", priced("api", factor, 4.0 * factor)));
        cheap.costs.monitoring.usd_per_month = Fixed(2_000.0 * factor);
        let answer = break_even(&checked(&draft(vec![plain(1e6, 500.0, 200.0)], vec![dear, cheap])));
        assert_eq!(answer.crossings.len(), 1);
        answer.crossings[0].tokens_per_day
    };
    let (once, twice) = (crossing(1.0), crossing(2.0));
    assert!((once / twice - 1.0).abs() < 1e-6, "{once} and {twice}");
    // By hand: $0.0026 against $0.0013 a request of 700 tokens, $1,900 apart a month.
    let by_hand = 1900.0 / 0.0013 * 700.0 / DAYS_PER_MONTH;
    assert!((once / by_hand - 1.0).abs() < 1e-6, "{once}, by hand {by_hand}");
}

#[test]
fn same_seed_same_bytes_at_one_and_at_four_threads() {
    let scenario = checked(&mixed());
    let at = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| serde_json::to_string(&forecast(&scenario, 700)).expect("JSON"))
    };
    assert_eq!(at(1), at(4));
}

#[test]
fn a_stopped_forecast_is_the_whole_answer_of_fewer_draws() {
    let scenario = checked(&mixed());
    let watched = |go_on: bool| forecast_until(&scenario, 5000, &|| false, &mut |_| go_on);
    let stopped = watched(false);
    assert!(stopped.header.draws > 0 && stopped.header.draws < 5000);
    assert_eq!(stopped, forecast(&scenario, stopped.header.draws));
    assert_eq!(watched(true), forecast(&scenario, 5000));
}

#[test]
fn a_stop_within_a_block_keeps_what_was_drawn() {
    let scenario = checked(&mixed());
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 3
    };
    let stopped = forecast_until(&scenario, 50_000, &stop, &mut |_| true);
    assert!((256..4096).contains(&stopped.header.draws), "{}", stopped.header.draws);
    assert_eq!(stopped, forecast(&scenario, stopped.header.draws));
}

#[test]
fn the_mean_of_the_draws_agrees_with_the_closed_form_where_cost_is_linear() {
    let mut use_case = plain(1.0, 500.0, 200.0);
    use_case.requests_per_day = Estimate::LogNormal { median: 1000.0, p95: 2500.0 };
    let plan = bare(Plan::single("buy", "Buy", priced("api", 1.0, 4.0)));
    let scenario = checked(&draft(vec![use_case], vec![plan]));
    let closed = evaluate(&scenario).plans[0].mean_month_usd;
    let drawn = forecast(&scenario, 20_000).plans[0].mean_month;
    assert!((drawn.mean - closed).abs() < 4.0 * drawn.mean_error, "{drawn:?} against {closed}");
}

#[test]
fn another_uncertain_quantity_re_rolls_no_other() {
    let before = mixed();
    let mut after = before.clone();
    // Uncertain, and without influence on any bill.
    after.settings.discount_rate_per_year = Estimate::Uniform { low: 0.0, high: 0.1 };
    let plans = |draft: &ScenarioDraft| forecast(&checked(draft), 500).plans;
    assert_eq!(plans(&before), plans(&after));
}

#[test]
fn what_own_capacity_cannot_take_overflows_and_everything_is_served() {
    let mut scenario = mixed();
    scenario.workload.use_cases[0].requests_per_day = Fixed(1e6);
    let outcome = evaluate(&checked(&scenario));
    let hybrid = &outcome.plans[2];
    let asked: f64 = outcome.use_cases.iter().map(|row| row.requests * row.calls_per_request).sum();
    let answered: f64 = hybrid.endpoints.iter().map(|endpoint| endpoint.calls).sum();
    assert!((answered - asked).abs() < 1e-6 * asked, "{answered} of {asked}");
    assert!(hybrid.endpoints.iter().all(|endpoint| endpoint.calls > 0.0), "{:?}", hybrid.endpoints);
    assert!(hybrid.months.iter().all(|month| (month.served_share - 1.0).abs() < 1e-9));
}

#[test]
fn a_model_that_does_not_fit_is_no_answer_and_says_by_how_much() {
    let mut scenario = mixed();
    scenario.plans[1] = Plan::self_hosted("build", "Build", "llama-3.1-70b", "rtx-4090", 1, 0.1);
    let outcome = evaluate(&checked(&scenario));
    assert_ne!(outcome.cheapest, Some(1));
    let finding = &outcome.plans[1].findings[0];
    assert!(finding.message.contains("does not fit"), "{finding:?}");
    assert!(outcome.plans[1].mean_month_usd.is_finite());
}

#[test]
fn a_use_case_that_must_stay_at_home_rules_out_the_api_by_name() {
    let mut scenario = mixed();
    scenario.workload.use_cases[0].constraints.self_host_only = true;
    let outcome = evaluate(&checked(&scenario));
    assert_ne!(outcome.cheapest, Some(0));
    assert!(outcome.plans[0].findings.iter().any(|finding| finding.message.contains("must be self-hosted")));
}

#[test]
fn the_tornado_lists_every_uncertain_quantity_with_the_widest_swing_first() {
    let scenario = checked(&mixed());
    let tornado = sensitivity(&scenario);
    assert_eq!(tornado.rows.len(), scenario.variables().len());
    let swing = |row: &SensitivityRow| {
        row.usd_low.iter().zip(&row.usd_high).map(|(low, high)| (low - high).abs()).fold(0.0, f64::max)
    };
    assert!(tornado.rows.windows(2).all(|pair| swing(&pair[0]) >= swing(&pair[1])));
    assert!(swing(&tornado.rows[0]) > 0.0);
}

#[test]
fn misrouting_costs_quality_only_where_requests_are_hard() {
    let quality = |hard: f64| {
        let mut plan = bare(Plan::single("tiered", "Tiered", priced("small", 1.0, 4.0)));
        plan.endpoints.push(priced("large", 2.0, 8.0));
        let mut split = Split::new(&[("small", 0.7), ("large", 0.3)]);
        split.misroute_share = Fixed(0.1);
        split.misroute_quality_loss = Fixed(0.5);
        plan.router = Router::Split(split);
        let mut use_case = plain(1000.0, 500.0, 200.0);
        use_case.hard_share = Fixed(hard);
        evaluate(&checked(&draft(vec![use_case], vec![plan]))).plans[0].quality
    };
    assert!((quality(0.0) - quality(0.4) - 0.1 * 0.4 * 0.5).abs() < 1e-12);
}

#[test]
fn a_rate_limit_below_the_busiest_hour_is_no_answer_and_one_above_it_is() {
    let errors = |limit: f64| {
        let mut plan = bare(Plan::single("buy", "Buy", priced("api", 1.0, 4.0)));
        if let Serves::Api(api) = &mut plan.endpoints[0].serves {
            api.limit_tokens_per_min = Some(Fixed(limit));
        }
        let mut use_case = plain(HOURS_PER_MONTH * 60.0, 500.0, 200.0);
        use_case.profile = Profile::Flat;
        let outcome = evaluate(&checked(&draft(vec![use_case], vec![plan])));
        outcome.plans[0].findings.iter().filter(|finding| finding.message.contains("a minute")).count()
    };
    // One request of 700 tokens a minute.
    assert_eq!((errors(699.0), errors(701.0)), (1, 0));
}

#[test]
fn a_rate_limit_that_growth_reaches_later_is_named_with_its_month() {
    let finding = |months: u32, limit: f64| {
        let mut draft = limited(limit);
        draft.start = "2026-12-01".to_owned();
        draft.horizon_months = months;
        draft.workload.use_cases[0].growth = Growth::Linear(Fixed(0.1));
        let outcome = evaluate(&checked(&draft));
        let found = outcome.plans[0].findings.iter().find(|finding| finding.message.contains("a minute"));
        found.map(|finding| finding.message.clone())
    };
    // 700 tokens a minute in December, 70 more in each month after: 1,000 are exceeded in the sixth, May.
    assert_eq!(finding(5, 1_000.0), None);
    let message = finding(12, 1_000.0).expect("a finding");
    assert!(message.contains("from May 2027 on") && message.contains("1,470"), "{message}");
    let message = finding(12, 600.0).expect("a finding");
    assert!(message.contains("from the first month on"), "{message}");
}

/// A provider that is cheap up to a rate limit, and one that is dear without any.
fn limited(tokens_per_min: f64) -> ScenarioDraft {
    let mut cheap = bare(Plan::single("cheap", "Cheap", priced("api", 1.0, 4.0)));
    if let Serves::Api(api) = &mut cheap.endpoints[0].serves {
        api.limit_tokens_per_min = Some(Fixed(tokens_per_min));
    }
    let dear = bare(Plan::single("dear", "Dear", priced("api", 2.0, 8.0)));
    let mut use_case = plain(HOURS_PER_MONTH * 60.0, 500.0, 200.0);
    use_case.profile = Profile::Flat;
    draft(vec![use_case], vec![cheap, dear])
}

#[test]
fn the_answer_flips_where_the_cheapest_plan_reaches_its_rate_limit() {
    // Flat over the week: a limit of 7,000 tokens a minute is 1,440 times as much a day.
    let answer = break_even(&checked(&limited(7_000.0)));
    assert!(answer.crossings.is_empty(), "one is cheaper at every volume: {:?}", answer.crossings);
    let [limit] = answer.limits.as_slice() else { panic!("{:?}", answer.limits) };
    assert!((limit.tokens_per_day / (7_000.0 * 1_440.0) - 1.0).abs() < 1e-6, "{limit:?}");
    assert_eq!((limit.plan, limit.decisive, limit.then), (0, true, Some(1)));
    assert!(limit.reason.contains("tokens a minute"), "{limit:?}");
    assert!(break_even(&checked(&limited(1e12))).limits.is_empty());
}

#[test]
fn a_fixed_fleet_wins_no_crossing_beyond_what_it_can_serve() {
    let crossing_and_limit = |usd_per_mtok: f64| {
        let buy = bare(Plan::single("buy", "Buy", priced("api", usd_per_mtok, usd_per_mtok)));
        let mut build = bare(Plan::self_hosted("build", "Build", "llama-3.1-8b", "h100-sxm-80gb", 1, 3.0));
        if let Serves::SelfHosted(own) = &mut build.endpoints[0].serves {
            own.deployment.fleet.scaling = Scaling::Fixed(1);
        }
        let mut use_case = plain(1e6, 500.0, 200.0);
        use_case.profile = Profile::Flat;
        let answer = break_even(&checked(&draft(vec![use_case], vec![buy, build])));
        let [crossing] = answer.crossings.as_slice() else { panic!("{:?}", answer.crossings) };
        let [limit] = answer.limits.as_slice() else { panic!("{:?}", answer.limits) };
        assert_eq!((crossing.cheaper_above, limit.plan), (1, 1));
        assert!(limit.reason.contains("find no capacity"), "{limit:?}");
        (crossing.clone(), limit.clone())
    };
    // At $10 per million tokens the GPU pays early; its own limit then hands the answer back.
    let (crossing, limit) = crossing_and_limit(10.0);
    assert!(crossing.tokens_per_day < limit.tokens_per_day && crossing.decisive);
    assert_eq!((limit.decisive, limit.then), (true, Some(0)));
    // At 1 cent it would only pay where it is long overloaded: nothing flips.
    let (crossing, limit) = crossing_and_limit(0.01);
    assert!(crossing.tokens_per_day > limit.tokens_per_day && !crossing.decisive, "{crossing:?}");
    assert!(!limit.decisive);
}

#[test]
fn a_plan_that_growth_will_overload_has_its_limit_below_todays_volume() {
    let limit = |growth: Growth<Estimate>| {
        let mut scenario = limited(1e12);
        let mut build = bare(Plan::self_hosted("build", "Build", "llama-3.1-8b", "h100-sxm-80gb", 1, 3.0));
        if let Serves::SelfHosted(own) = &mut build.endpoints[0].serves {
            own.deployment.fleet.scaling = Scaling::Fixed(1);
        }
        scenario.plans[0] = build;
        scenario.workload.use_cases[0].growth = growth;
        let answer = break_even(&checked(&scenario));
        let found = answer.limits.iter().find(|limit| limit.plan == 0).map(|limit| limit.tokens_per_day);
        found.expect("a limit")
    };
    let flat = limit(Growth::Flat);
    let ratio_is = |growth: Growth<Estimate>, expected: f64| {
        let ratio = flat / limit(growth);
        assert!((ratio / expected - 1.0).abs() < 1e-5, "{ratio}, expected {expected}");
    };
    // After 11 months of 20 points each the last month has 3.2 times the first one's volume.
    ratio_is(Growth::Linear(Fixed(0.2)), 3.2);
    // A peak in the middle counts, and what shrinks is busiest at first.
    ratio_is(Growth::Table(Table(vec![1.0, 1.5, 4.0, 0.5])), 4.0);
    ratio_is(Growth::Compound(Fixed(-0.1)), 1.0);
}

/// A provider that starts after 0.9 s and writes 100 tokens a second, behind an exact and a semantic cache.
fn cached() -> ScenarioDraft {
    let mut plan = bare(Plan::single("buy", "Buy", priced("api", 1.0, 4.0)));
    if let Serves::Api(api) = &mut plan.endpoints[0].serves {
        (api.ttft_secs, api.output_tokens_per_sec) = (Fixed(0.9), Fixed(100.0));
    }
    let cache = |hit: f64, secs: f64| ResponseCache {
        hit: HitRate::Given(Fixed(hit)),
        lookup_secs: Fixed(secs),
        ..ResponseCache::semantic(hit)
    };
    plan.caches = CacheStack { exact: Some(cache(0.4, 0.01)), semantic: Some(cache(0.25, 0.03)) };
    let mut use_case = plain(1e5, 500.0, 201.0);
    use_case.repetition.cacheable_share = Fixed(0.8);
    draft(vec![use_case], vec![plan])
}

#[test]
fn mean_latency_counts_cached_answers_with_their_lookup() {
    // Of 100 requests 32 hit exactly after 10 ms and 12 by meaning after 40 ms; 36 have asked both in vain and 20 may
    // not be cached. Generating takes 0.9 s to the first token and 2 s for the other 200.
    let latency = evaluate(&checked(&cached())).plans[0].latency;
    let asking = 0.32 * 0.01 + 0.12 * 0.04 + 0.36 * 0.04;
    assert!((latency.ttft_secs - (asking + 0.56 * 0.9)).abs() < 1e-9, "{latency:?}");
    assert!((latency.e2e_secs - (asking + 0.56 * 2.9)).abs() < 1e-9, "{latency:?}");
    assert!((latency.tpot_secs - 0.01).abs() < 1e-12, "a cached answer has no pace: {latency:?}");
    let mut private = cached();
    private.workload.use_cases[0].constraints.no_shared_cache = true;
    let latency = evaluate(&checked(&private)).plans[0].latency;
    assert!((latency.ttft_secs - 0.9).abs() < 1e-9, "nothing is asked: {latency:?}");
}

#[test]
fn cached_answers_hide_no_missed_target() {
    let misses = |target: f64| {
        let mut scenario = cached();
        scenario.workload.use_cases[0].slo.ttft_secs = Fixed(target);
        let outcome = evaluate(&checked(&scenario));
        outcome.plans[0].findings.iter().filter(|finding| finding.message.contains("first token")).count()
    };
    // A generated answer starts after 0.94 s, lookups included, though the mean is 0.53 s.
    assert_eq!((misses(0.94), misses(0.9)), (0, 1));
}

#[test]
fn latency_over_use_cases_is_weighted_by_requests() {
    let mut scenario = cached();
    scenario.plans[0].caches = CacheStack { exact: None, semantic: None };
    let mut long = plain(3e5, 500.0, 401.0);
    long.id = "long".to_owned();
    // A loop of four calls a request counts once, with its mean call.
    long.agent.calls.mean = Fixed(4.0);
    scenario.workload.use_cases.push(long);
    let latency = evaluate(&checked(&scenario)).plans[0].latency;
    assert!((latency.e2e_secs - (0.25 * 2.9 + 0.75 * 4.9)).abs() < 1e-9, "{latency:?}");
}
