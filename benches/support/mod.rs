//! What the benchmarks run on: the worked example made larger, and a scenario that a reference can compute too.

#![allow(dead_code, reason = "each benchmark uses a part")]
#![allow(clippy::expect_used, reason = "a benchmark without its scenario has nothing to say")]

use breakeven::cache::{HitRate, PromptCache, ResponseCache};
use breakeven::catalog::Catalog;
use breakeven::io::presets;
use breakeven::pricing::{Api, CapacityTerms, CustomPrice};
use breakeven::routing::{Endpoint, Overflow, Plan, Router, Serves, Split};
use breakeven::scenario::{Scenario, ScenarioDraft};
use breakeven::serving::{Deployment, Precision, Scaling};
use breakeven::stats::Estimate::{self, Fixed, LogNormal, Pert, Triangular, Uniform};
use breakeven::workload::{Count, CountKind, Growth, Length, LengthSpread, Profile, UseCase};

/// The id of the worked example.
const WORKED: &str = "customer-support-chatbot";

/// Checks a draft against the shipped catalogue.
pub fn checked(draft: &ScenarioDraft) -> Scenario {
    match Scenario::check(draft, Catalog::shipped()) {
        Ok(scenario) => scenario,
        Err(problems) => panic!("the benchmark's scenario is wrong: {problems:?}"),
    }
}

/// The worked example, with its use cases and plans repeated until there are so many, over so many months.
pub fn worked(use_cases: usize, plans: usize, months: u32) -> Scenario {
    let mut draft = presets::load(WORKED).expect("the worked example ships");
    draft.horizon_months = months;
    let (cases, alternatives) = (draft.workload.use_cases.clone(), draft.plans.clone());
    draft.workload.use_cases =
        repeated(&cases, use_cases, |case, copy| case.id = format!("{}-{copy}", case.id));
    draft.plans = repeated(&alternatives, plans, |plan, copy| plan.id = format!("{}-{copy}", plan.id));
    checked(&draft)
}

/// The first copy keeps its name.
fn repeated<T: Clone>(from: &[T], count: usize, rename: impl Fn(&mut T, usize)) -> Vec<T> {
    let mut all: Vec<T> = from.iter().cloned().cycle().take(count).collect();
    for (position, one) in all.iter_mut().enumerate().skip(from.len()) {
        rename(one, position);
    }
    all
}

/// Six use cases, four plans (large API, two tiers with a cache, own GPUs, own GPUs with overflow), 36 months, noise
/// on every month. Of each kind of formula one that `numpy_reference.py` computes as well; its numbers are there too.
pub fn comparable() -> ScenarioDraft {
    let mut draft = ScenarioDraft::new("Benchmark");
    draft.horizon_months = 36;
    draft.workload.use_cases = (0..6).map(use_case).collect();
    draft.plans = vec![large(), tiered(), own(), hybrid()];
    draft
}

fn use_case(position: u8) -> UseCase<Estimate> {
    let profiles = [Profile::OfficeHours, Profile::ConsumerEvening, Profile::NightBatch];
    let size = f64::from(position) + 1.0;
    let mut case = UseCase::new(&format!("case-{position}"), &format!("Case {position}"));
    case.profile = profiles[usize::from(position) % profiles.len()].clone();
    case.requests_per_day = LogNormal { median: 10_000.0 * size, p95: 16_000.0 * size };
    case.growth = Growth::Compound(Pert { low: -0.01, mode: 0.015, high: 0.05 });
    case.system_prompt_tokens = Fixed(1_000.0 + 200.0 * size);
    case.retrieved_tokens = Pert { low: 500.0, mode: 1_000.0, high: 2_000.0 };
    let length = |median: Estimate, p95| Length { median, p95: Fixed(p95), spread: LengthSpread::LogNormal };
    case.user_tokens = length(Uniform { low: 40.0, high: 80.0 }, 300.0);
    case.output_tokens = length(LogNormal { median: 180.0, p95: 240.0 }, 600.0);
    case.max_tokens = Some(Fixed(800.0));
    case.early_stop.share = Fixed(0.05);
    case.early_stop.at_fraction = Fixed(0.5);
    case.conversation.turns = Count { mean: Fixed(3.0), kind: CountKind::Fixed };
    case.conversation.gap_secs = Fixed(90.0);
    case.conversation.history_kept = Fixed(1.0);
    case.conversation.history_limit_tokens = None;
    case.retries.failure = Pert { low: 0.005, mode: 0.015, high: 0.04 };
    case.retries.max_retries = 2;
    case.retries.billed_share = Fixed(0.4);
    case.repetition.cacheable_share = Fixed(0.6);
    case.slo.tpot_secs = Fixed(0.05);
    case
}

fn api(id: &str, input: f64, output: f64) -> Endpoint<Estimate> {
    let custom = CustomPrice {
        input_usd_per_mtok: Fixed(input),
        output_usd_per_mtok: Fixed(output),
        cached_read_usd_per_mtok: Some(Fixed(0.1 * input)),
        cache_write_usd_per_mtok: Some(Fixed(1.25 * input)),
    };
    let terms = Api {
        custom: Some(custom),
        price_change_per_year: Triangular { low: -0.4, mode: -0.15, high: 0.05 },
        ..Api::new("claude-sonnet-5-5")
    };
    Endpoint {
        prompt_cache: PromptCache::ttl(300.0),
        token_factor: Fixed(1.0),
        serves: Serves::Api(terms),
        ..Endpoint::api(id, id, "claude-sonnet-5-5")
    }
}

fn semantic() -> ResponseCache<Estimate> {
    ResponseCache {
        hit: HitRate::Given(Pert { low: 0.15, mode: 0.3, high: 0.5 }),
        lookup_usd_per_request: Fixed(1e-5),
        usd_per_month: Fixed(200.0),
        ..ResponseCache::semantic(0.3)
    }
}

fn large() -> Plan<Estimate> {
    Plan::single("large", "Large API", api("large", 3.0, 15.0))
}

fn tiered() -> Plan<Estimate> {
    let mut plan = Plan::single("tiered", "Tiers with a cache", api("small", 0.25, 2.0));
    plan.endpoints.push(api("large", 3.0, 15.0));
    let mut split = Split::new(&[("small", 0.8), ("large", 0.2)]);
    split.classifier_usd_per_request = Fixed(5e-5);
    plan.router = Router::Split(split);
    plan.caches.semantic = Some(semantic());
    plan
}

fn gpus(scaling: Scaling) -> Endpoint<Estimate> {
    let mut endpoint = Endpoint::self_hosted("own", "Own", "llama-3.3-70b", "h100-sxm-80gb", 4, 3.0);
    endpoint.prompt_cache = PromptCache::ttl(600.0);
    if let Serves::SelfHosted(own) = &mut endpoint.serves {
        own.terms = CapacityTerms::OnDemand(Triangular { low: 2.2, mode: 2.95, high: 4.2 });
        own.storage_gb = Fixed(300.0);
        own.storage_usd_per_gb_month = Fixed(0.08);
        let mut deployment = Deployment::new("llama-3.3-70b", "h100-sxm-80gb", 4);
        // The reference computes with stated efficiencies.
        deployment.engine = None;
        deployment.weights = Precision::Fp8;
        deployment.kv_cache = Precision::Bf16;
        deployment.memory_share = Fixed(0.9);
        deployment.efficiency.prefill_mfu = Pert { low: 0.2, mode: 0.35, high: 0.5 };
        deployment.efficiency.decode_mbu = Pert { low: 0.35, mode: 0.5, high: 0.65 };
        deployment.efficiency.step_overhead_secs = Fixed(0.002);
        deployment.efficiency.all_reduce_secs = Fixed(1.5e-5);
        deployment.capacity_factor = Pert { low: 0.6, mode: 0.95, high: 1.2 };
        deployment.fleet.scaling = scaling;
        deployment.fleet.headroom = Fixed(0.3);
        deployment.fleet.spare_replicas = 1;
        own.deployment = deployment;
    }
    endpoint
}

fn own() -> Plan<Estimate> {
    let mut plan = Plan::single("own", "Own GPUs", gpus(Scaling::Peak));
    plan.caches.semantic = Some(semantic());
    plan.costs.on_call.fte = Pert { low: 0.6, mode: 1.0, high: 1.8 };
    plan
}

fn hybrid() -> Plan<Estimate> {
    let mut plan = Plan::single("hybrid", "Own GPUs, overflow", gpus(Scaling::Fixed(2)));
    plan.endpoints.push(api("spill", 0.25, 2.0));
    let mut overflow = Overflow::new("own", "spill");
    overflow.fill_share = Fixed(0.8);
    plan.router = Router::Overflow(overflow);
    plan
}
