//! Worked identities and laws of pricing.

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::unit::HOURS_PER_MONTH;

fn terms() -> Api<f64> {
    Api {
        price: String::new(),
        custom: None,
        tier: ServiceTier::Standard,
        regional_factor: 1.0,
        discount: 0.0,
        price_change_per_year: 0.0,
        brackets: Vec::new(),
        commitment: None,
        provisioned: None,
        usd_per_call: 0.0,
        ttft_secs: 0.5,
        output_tokens_per_sec: 80.0,
        limit_tokens_per_min: None,
    }
}

fn rates(input: f64, output: f64) -> Rates {
    Rates { input: Some(input), output: Some(output), ..Rates::default() }
}

fn usage(calls: f64, input_per_call: f64, output_per_call: f64) -> ApiUsage {
    ApiUsage {
        calls,
        tokens: TokenUse {
            fresh_tokens: calls * input_per_call,
            output_tokens: calls * output_per_call,
            ..TokenUse::default()
        },
        ..ApiUsage::default()
    }
}

fn month(bill: &Bill) -> MonthAtEndpoint<'_> {
    MonthAtEndpoint { bill, tokens: TokenUse::default(), hours: None, hours_per_month: 720.0 }
}

/// What is paid: the list bill and what the contract makes of it.
fn paid(terms: &Api<f64>, month: &MonthAtEndpoint<'_>) -> f64 {
    month.bill.total() + settle(terms, month).total()
}

fn cents(found: f64, expected: f64) {
    assert!((found - expected).abs() < 0.005, "found {found}, expected {expected}");
}

#[test]
fn a_thousand_requests_of_500_in_and_200_out_at_10_and_30_cost_11_dollars() {
    let (bill, not_priced) = api_bill(&rates(10.0, 30.0), &terms(), &usage(1000.0, 500.0, 200.0), 0.0);
    cents(bill.total(), 11.0);
    cents(bill.get(Line::ApiInput), 5.0);
    assert!(!not_priced);
}

#[test]
fn a_gpu_at_3_dollars_costs_2_160_a_month_and_4_30_per_million_of_500_million_tokens() {
    let week = CapacityWeek { replica_hours: 168.0, busy_replica_hours: 60.0, peak_replicas: 1.0 };
    let bill = capacity_bill(&CapacityTerms::OnDemand(3.0), 1, &week, &StorageTerms::default(), 720.0);
    cents(bill.total(), 2160.0);
    cents(bill.get(Line::GpuBusy), 2160.0 * 60.0 / 168.0);
    assert!((bill.total() / 500.0 - 4.30).abs() < 0.05);
}

#[test]
fn a_hundred_thousand_requests_split_70_25_5_cost_820_and_10_000_all_large() {
    // $0.001, $0.01 and $0.10 per request of 100 output tokens.
    let tier = |requests, per_request: f64| {
        api_bill(&rates(0.0, per_request * 1e4), &terms(), &usage(requests, 0.0, 100.0), 0.0).0.total()
    };
    cents(tier(70_000.0, 0.001) + tier(25_000.0, 0.01) + tier(5_000.0, 0.10), 820.0);
    cents(tier(100_000.0, 0.10), 10_000.0);
}

#[test]
fn a_missing_cached_read_pays_the_input_rate_and_a_missing_reasoning_the_output_rate() {
    let mut used = usage(0.0, 0.0, 0.0);
    used.tokens.read_tokens = 2e6;
    used.tokens.reasoning_tokens = 1e6;
    let (bill, not_priced) = api_bill(&rates(3.0, 15.0), &terms(), &used, 0.0);
    cents(bill.get(Line::ApiCachedRead), 6.0);
    cents(bill.get(Line::ApiReasoning), 15.0);
    assert!(!not_priced);
}

#[test]
fn a_missing_price_is_flagged_only_where_tokens_were_used() {
    let no_output = Rates { input: Some(1.0), ..Rates::default() };
    let flag = |rates: &Rates, output| api_bill(rates, &terms(), &usage(10.0, 100.0, output), 0.0).1;
    assert!(flag(&no_output, 5.0));
    assert!(!flag(&no_output, 0.0));
    assert!(flag(&Rates::default(), 0.0));
    let mut written = usage(0.0, 0.0, 0.0);
    (written.tokens.fresh_tokens, written.tokens.written_tokens) = (10.0, 10.0);
    assert!(api_bill(&Rates { cache_write: Some(1.0), ..Rates::default() }, &terms(), &written, 0.0).1);
}

#[test]
fn a_sheet_gives_the_rates_of_its_tier_and_of_the_life_of_its_cache() {
    let row = |id: &str| {
        let sheet = Catalog::shipped().price(id).unwrap();
        sheet.row_on(jiff::civil::date(2026, 11, 23)).unwrap()
    };
    let luna = row("gpt-5.6-luna");
    let standard = Rates::from_row(luna, ServiceTier::Standard, 300.0);
    assert_eq!(standard.input, Some(0.2));
    let long = standard.long.unwrap();
    assert_eq!((long.threshold_tokens, long.input), (272_000.0, Some(0.4)));
    assert_eq!(standard.scaled(0.5).long.unwrap().input, Some(0.2));
    let unknown = Rates::from_row(row("mistral-large-3"), ServiceTier::Batch, 300.0);
    assert!(api_bill(&unknown, &terms(), &usage(1.0, 1.0, 1.0), 0.0).1);

    let rate = |usd| Some(usd);
    let mut anthropic = crate::catalog::PriceRow::default();
    anthropic.standard.input_usd_per_mtok = rate(3.0);
    anthropic.standard.cache_write_usd_per_mtok = rate(3.75);
    anthropic.standard.cache_write_1h_usd_per_mtok = rate(6.0);
    let write = |ttl| Rates::from_row(&anthropic, ServiceTier::Standard, ttl).cache_write;
    assert_eq!([write(300.0), write(301.0), write(1e6)], [rate(3.75), rate(6.0), rate(6.0)]);
}

#[test]
fn an_explicit_zero_is_a_price() {
    let (bill, not_priced) = api_bill(&rates(0.0, 0.0), &terms(), &usage(1e6, 1e3, 1e3), 0.0);
    assert_eq!((bill.total(), not_priced), (0.0, false));
}

#[test]
fn written_tokens_pay_the_write_rate_once() {
    let mut used = usage(0.0, 0.0, 0.0);
    (used.tokens.fresh_tokens, used.tokens.written_tokens) = (3e6, 1e6);
    let priced = Rates { cache_write: Some(3.75), ..rates(3.0, 15.0) };
    let (bill, _) = api_bill(&priced, &terms(), &used, 0.0);
    cents(bill.get(Line::ApiCacheWrite), 0.75);
    cents(bill.total(), 2.0 * 3.0 + 3.75);
}

#[test]
fn beyond_the_threshold_every_token_of_the_call_pays_the_dearer_rate() {
    let priced = Rates {
        long: Some(LongRates {
            threshold_tokens: 200_000.0,
            input: Some(6.0),
            output: Some(22.5),
            ..LongRates::default()
        }),
        ..rates(3.0, 15.0)
    };
    let mut used = usage(2.0, 0.0, 0.0);
    used.tokens = TokenUse { fresh_tokens: 400_000.0, output_tokens: 2000.0, ..TokenUse::default() };
    used.long = Some(TokenUse { fresh_tokens: 300_000.0, output_tokens: 1000.0, ..TokenUse::default() });
    let by_hand = 0.1 * 3.0 + 0.001 * 15.0 + 0.3 * 6.0 + 0.001 * 22.5;
    cents(api_bill(&priced, &terms(), &used, 0.0).0.total(), by_hand);
    // A sheet without a cliff charges all of them alike.
    cents(api_bill(&rates(3.0, 15.0), &terms(), &used, 0.0).0.total(), 0.4 * 3.0 + 0.002 * 15.0);
}

#[test]
fn a_billed_failure_costs_what_a_call_costs_region_and_fee_included() {
    let mut api = terms();
    (api.regional_factor, api.usd_per_call) = (1.1, 0.01);
    let mut used = usage(1000.0, 500.0, 200.0);
    (used.failed_billed, used.tool_usd) = (0.05, 2.0);
    let (bill, _) = api_bill(&rates(10.0, 30.0), &api, &used, 0.0);
    cents(bill.get(Line::Region), 1.1);
    cents(bill.get(Line::Fees), 12.0);
    cents(bill.get(Line::Retries), 0.05 * (11.0 * 1.1 + 10.0));
}

#[test]
fn rates_that_fall_30_percent_a_year_are_at_70_percent_after_twelve_months() {
    let mut api = terms();
    api.price_change_per_year = -0.3;
    let at = |months| api_bill(&rates(10.0, 30.0), &api, &usage(1000.0, 500.0, 200.0), months).0.total();
    cents(at(0.0), 11.0);
    cents(at(12.0), 7.7);
    cents(at(6.0), 11.0 * 0.7_f64.sqrt());
}

#[test]
fn brackets_discount_only_the_part_above_each_threshold_in_any_order() {
    let (bill, _) = api_bill(&rates(10.0, 0.0), &terms(), &usage(1e6, 3000.0, 0.0), 0.0);
    cents(bill.total(), 30_000.0);
    let low = Bracket { above_usd_per_month: 10_000.0, discount: 0.1 };
    let high = Bracket { above_usd_per_month: 25_000.0, discount: 0.2 };
    for brackets in [vec![low, high], vec![high, low]] {
        let api = Api { brackets, ..terms() };
        cents(paid(&api, &month(&bill)), 30_000.0 - 0.1 * 15_000.0 - 0.2 * 5_000.0);
    }
}

#[test]
fn provisioned_units_take_their_share_off_the_list_and_the_rest_spills_over() {
    let used = usage(1e6, 1000.0, 100.0);
    let (bill, _) = api_bill(&rates(3.0, 15.0), &terms(), &used, 0.0);
    // 1e9 + 4 * 1e8 weighted tokens in 720 h; a unit serves 720 * 60 * 10,000 = 432e6 of them.
    let units = |units| Provisioned {
        units,
        usd_per_unit_hour: 2.0,
        tokens_per_min_per_unit: 10_000.0,
        output_weight: 4.0,
        cached_weight: 0.1,
    };
    let with = |n, hours| {
        let api = Api { provisioned: Some(units(n)), ..terms() };
        paid(&api, &MonthAtEndpoint { bill: &bill, tokens: used.tokens, hours, hours_per_month: 720.0 })
    };
    cents(with(1.0, None), 1440.0 + 4500.0 * (1.0 - 432.0 / 1400.0));
    cents(with(10.0, None), 14_400.0);
    // All demand in half of the hours: a unit then serves half as much.
    let mut half = [0.0; 168];
    half[..84].fill(2.0);
    cents(with(1.0, Some(&half)), 1440.0 + 4500.0 * (1.0 - 216.0 / 1400.0));
}

#[test]
fn a_reserved_fleet_pays_all_hours_at_its_peak() {
    let week = CapacityWeek { replica_hours: 300.0, busy_replica_hours: 200.0, peak_replicas: 4.0 };
    let reserved = CapacityTerms::Reserved(ReservedTerms { usd_per_gpu_hour: 2.0, term_months: 12 });
    let storage = StorageTerms { gb_per_replica: 100.0, usd_per_gb_month: 0.1 };
    let bill = capacity_bill(&reserved, 8, &week, &storage, HOURS_PER_MONTH);
    cents(bill.get(Line::GpuBusy) + bill.get(Line::GpuIdle), 4.0 * 8.0 * 2.0 * HOURS_PER_MONTH);
    cents(bill.get(Line::Storage), 40.0);
}

#[test]
fn spot_runs_lost_work_again_and_pays_the_stand_in() {
    let spot = SpotTerms {
        usd_per_gpu_hour: 1.0,
        interruptions_per_day: 2.0,
        lost_minutes: 72.0,
        fallback_share: 0.2,
        fallback_usd_per_gpu_hour: 3.0,
    };
    // A tenth of the hours is lost: 0.8 / 0.9 + 0.2 * 3.
    assert!((spot_rate(&spot) - (0.8 / 0.9 + 0.6)).abs() < 1e-12);
    assert!(spot_rate(&SpotTerms { lost_minutes: 1e9, ..spot }).is_finite());
}

fn owned() -> Owned<f64> {
    Owned {
        usd_per_gpu: 36_000.0,
        years: 3.0,
        residual_share: 0.1,
        capital_rate: 0.08,
        usd_per_kwh: 0.12,
        pue: 1.3,
        watts_per_gpu: 1_000.0,
        idle_power_share: 0.3,
        colocation_usd_per_kw_month: 150.0,
        maintenance_share_per_year: 0.05,
    }
}

#[test]
fn owned_hardware_is_written_off_powered_housed_and_maintained() {
    let week = CapacityWeek { replica_hours: 168.0, busy_replica_hours: 84.0, peak_replicas: 1.0 };
    let terms = CapacityTerms::Owned(owned());
    let bill = capacity_bill(&terms, 2, &week, &StorageTerms::default(), 720.0);
    // 72,000 of which 90 % in 36 months; 8 % a year on a mean book value of 39,600.
    cents(bill.get(Line::Hardware), 1800.0 + 264.0);
    // 720 GPU-hours busy and 720 idle at 30 %, 1 kW each.
    cents(bill.get(Line::Power), (720.0 + 720.0 * 0.3) * 1.3 * 0.12);
    cents(bill.get(Line::Housing), 2.0 * 150.0 + 300.0);
    assert_eq!(bill.get(Line::GpuBusy) + bill.get(Line::GpuIdle), 0.0);
}

fn item(usd_per_month: f64, fte: f64) -> CostItem<f64> {
    CostItem { usd_per_month, fte }
}

fn costs() -> PlanCosts<f64> {
    PlanCosts {
        prompt_engineering: item(0.0, 0.25),
        evaluation: item(200.0, 0.0),
        monitoring: item(300.0, 0.1),
        on_call: item(0.0, 0.5),
        training: item(50.0, 0.0),
        opportunity: item(0.0, 0.2),
        compliance: item(400.0, 0.0),
        network: item(100.0, 0.0),
        egress_usd_per_gb: 0.09,
        bytes_per_token: 8.0,
        gateway: item(20.0, 0.0),
        gateway_usd_per_request: 1e-6,
        one_time_usd: 5000.0,
    }
}

#[test]
fn people_network_and_gateway_are_billed_and_the_set_up_once() {
    let first = PlanUse { requests: 1e6, tokens: 1e9, first_month: true };
    let bill = costs_bill(&costs(), &first, 180_000.0);
    cents(bill.get(Line::OnCall), 7500.0);
    cents(bill.get(Line::Monitoring), 1800.0);
    cents(bill.get(Line::Network), 100.0 + 8.0 * 0.09);
    cents(bill.get(Line::Gateway), 21.0);
    cents(bill.get(Line::OneTime), 5000.0);
    let later = costs_bill(&costs(), &PlanUse { first_month: false, ..first }, 180_000.0);
    cents(bill.total() - later.total(), 5000.0);
}

#[test]
fn every_item_of_a_plan_reaches_its_own_line() {
    let all = costs_bill(&costs(), &PlanUse::default(), 120_000.0);
    let expected = [
        (Line::PromptEngineering, 2500.0),
        (Line::Evaluation, 200.0),
        (Line::Monitoring, 1300.0),
        (Line::OnCall, 5000.0),
        (Line::Training, 50.0),
        (Line::Opportunity, 2000.0),
        (Line::Compliance, 400.0),
        (Line::Network, 100.0),
        (Line::Gateway, 20.0),
    ];
    for (line, usd) in expected {
        cents(all.get(line), usd);
    }
    cents(all.total(), expected.iter().map(|(_, usd)| usd).sum());
}

/// All kinds of tokens, a long part, fees and failures.
fn everything(scale: f64) -> ApiUsage {
    let tokens = TokenUse {
        fresh_tokens: 9e8 * scale,
        history_tokens: 3e8 * scale,
        read_tokens: 5e8 * scale,
        written_tokens: 2e8 * scale,
        output_tokens: 1e8 * scale,
        reasoning_tokens: 4e7 * scale,
    };
    let long = TokenUse {
        fresh_tokens: 1e8 * scale,
        history_tokens: 1e7 * scale,
        read_tokens: 2e7 * scale,
        written_tokens: 1e7 * scale,
        output_tokens: 1e6 * scale,
        reasoning_tokens: 1e6 * scale,
    };
    ApiUsage {
        calls: 1e6 * scale,
        tokens,
        long: Some(long),
        stored_mtok_hours: 100.0,
        failed_billed: 0.02,
        tool_usd: 0.0,
    }
}

/// Eleven token rates, in the order input, output, reasoning, read, write, storage, and the same five when long.
fn all_rates(r: &[f64; 11]) -> Rates {
    Rates {
        input: Some(r[0]),
        output: Some(r[1]),
        reasoning: Some(r[2]),
        cached_read: Some(r[3]),
        cache_write: Some(r[4]),
        cache_storage_per_hour: Some(r[5]),
        usd_per_request: None,
        long: Some(LongRates {
            threshold_tokens: 2e5,
            input: Some(r[6]),
            output: Some(r[7]),
            reasoning: Some(r[8]),
            cached_read: Some(r[9]),
            cache_write: Some(r[10]),
        }),
    }
}

proptest! {
    #[test]
    fn cost_is_monotone_in_every_rate_and_doubles_with_all_of_them(
        list in prop::array::uniform11(0.0_f64..100.0), which in 0_usize..11, dearer in 0.0_f64..50.0,
        discount in 0.0_f64..0.9, region in 1.0_f64..1.5, fee in 0.0_f64..0.1,
    ) {
        let cost = |list: &[f64; 11], fee| {
            let api = Api { regional_factor: region, usd_per_call: fee, discount, ..terms() };
            let (bill, not_priced) = api_bill(&all_rates(list), &api, &everything(1.0), 0.0);
            assert!(!not_priced);
            paid(&api, &month(&bill))
        };
        let now = cost(&list, fee);
        let mut higher = list;
        higher[which] += dearer;
        prop_assert!(cost(&higher, fee) >= now - 1e-9 * now.abs());
        prop_assert!(cost(&list, fee + 0.01) >= now);
        let double = cost(&list.map(|rate| 2.0 * rate), 2.0 * fee);
        prop_assert!((double - 2.0 * now).abs() <= 1e-9 * double.abs());
    }

    #[test]
    fn a_commitment_costs_the_larger_of_itself_and_the_discounted_usage(
        scale in 0.0_f64..3.0, committed in 0.0_f64..20_000.0, contract in 0.0_f64..0.5, discount in 0.0_f64..0.6,
    ) {
        let api = Api {
            discount: contract,
            usd_per_call: 0.0001,
            brackets: vec![Bracket { above_usd_per_month: 1000.0, discount: 0.1 }],
            ..terms()
        };
        let (bill, _) = api_bill(&rates(3.0, 15.0), &api, &everything(scale), 0.0);
        let usage = paid(&api, &month(&bill)) - bill.get(Line::Storage);
        let bound = Api { commitment: Some(Commitment { usd_per_month: committed, discount }), ..api };
        let found = paid(&bound, &month(&bill)) - bill.get(Line::Storage);
        let expected = committed.max(usage * (1.0 - discount));
        prop_assert!((found - expected).abs() <= 1e-9 * expected.max(1.0), "{found} {expected}");
    }

    #[test]
    fn capacity_is_monotone_in_every_price_and_doubles_with_all_of_them(
        hours in 0.0_f64..5000.0, busy_share in 0.0_f64..1.0, replicas in 30.0_f64..60.0, factor in 1.0_f64..3.0,
        prices in prop::array::uniform8(0.01_f64..10.0),
    ) {
        let week = CapacityWeek { replica_hours: hours, busy_replica_hours: hours * busy_share, peak_replicas: replicas };
        let cost = |terms: &CapacityTerms<f64>| {
            let bill = capacity_bill(terms, 4, &week, &StorageTerms::default(), HOURS_PER_MONTH);
            let lines: f64 = bill.lines().map(|(_, usd)| usd).sum();
            assert!((bill.total() - lines).abs() < 1e-6 && bill.lines().all(|(_, usd)| usd >= 0.0));
            bill.total()
        };
        let spot = |p: &[f64; 8]| CapacityTerms::Spot(SpotTerms {
            usd_per_gpu_hour: p[0], interruptions_per_day: 1.0, lost_minutes: 30.0, fallback_share: 0.3,
            fallback_usd_per_gpu_hour: p[1],
        });
        let own = |p: &[f64; 8]| CapacityTerms::Owned(Owned {
            usd_per_gpu: p[2] * 1e3, usd_per_kwh: p[3], colocation_usd_per_kw_month: p[4], ..owned()
        });
        let reserved = |p: &[f64; 8]| CapacityTerms::Reserved(ReservedTerms { usd_per_gpu_hour: p[5], term_months: 12 });
        let on_demand = |p: &[f64; 8]| CapacityTerms::OnDemand(p[6]);
        type Kind<'a> = &'a dyn Fn(&[f64; 8]) -> CapacityTerms<f64>;
        let kinds: [Kind<'_>; 4] = [&spot, &own, &reserved, &on_demand];
        for kind in kinds {
            let now = cost(&kind(&prices));
            for one in 0..8 {
                let mut dearer = prices;
                dearer[one] *= factor;
                prop_assert!(cost(&kind(&dearer)) >= now * (1.0 - 1e-12));
            }
            let double = cost(&kind(&prices.map(|price| 2.0 * price)));
            prop_assert!((double - 2.0 * now).abs() <= 1e-9 * double);
        }
    }
}
