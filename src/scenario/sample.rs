//! A draft in which every optional part is there, every choice of every enum included: what laws are tested on.

use crate::cache::{CacheStack, HitRate, PromptCache, ResponseCache};
use crate::pricing::{Api, Bracket, CapacityTerms, Commitment, CustomPrice, Provisioned};
use crate::routing::{Cascade, Endpoint, Overflow, Plan, Route, Router, Serves, Split};
use crate::serving::{Preemption, PrefillReplicas, Speculative};
use crate::stats::estimate::Estimate::{self, Fixed};
use crate::stats::quantities::Table;
use crate::workload::{Embedding, Growth, Length, LengthSpread, Profile, Quantiles, SCurve, UseCase};

use super::{Correlation, Currency, ScenarioDraft};

/// A draft with everything in it.
pub(crate) fn everything() -> ScenarioDraft {
    let mut draft = ScenarioDraft::new("Everything, \"quoted\" \\ and\nbroken");
    draft.notes = "# Notes\n\nWith `code`, a # and \"quotes\".\n".to_owned();
    draft.industry = "Financial services".to_owned();
    draft.settings.seed = u64::MAX;
    draft.settings.utc_offset_hours = -8;
    draft.settings.budget_usd_per_month = Some(Fixed(20_000.0));
    draft.settings.currency = Some(Currency {
        code: "EUR".to_owned(),
        symbol: "Euro".to_owned(),
        per_usd: 0.92,
        as_of: "2026-11-20".to_owned(),
    });
    draft.workload.use_cases = use_cases();
    draft.plans = vec![bought(), built("built", "Built", CapacityTerms::OnDemand(Fixed(3.0)))];
    draft.plans.extend([
        built("reserved", "Reserved", CapacityTerms::reserved(2.0)),
        built("spot", "Spot", CapacityTerms::spot(1.2, 3.0)),
        built("owned", "Owned", CapacityTerms::owned(35_000.0)),
    ]);
    draft.correlations = vec![Correlation {
        a: "workload.use_cases.chat.requests_per_day".to_owned(),
        b: "workload.use_cases.agent.requests_per_day".to_owned(),
        rank: 0.5,
    }];
    draft
}

fn use_cases() -> Vec<UseCase<Estimate>> {
    let mut chat = UseCase::new("chat", "Support chat");
    chat.growth = Growth::Compound(Fixed(0.05));
    chat.max_tokens = Some(Fixed(512.0));
    chat.retries.timeout_secs = Some(Fixed(600.0));
    chat.conversation.history_limit_tokens = Some(Fixed(4000.0));
    chat.embedding = Some(Embedding {
        price: "text-embedding-3-small".to_owned(),
        query_tokens: Fixed(60.0),
        ingested_tokens_per_month: Fixed(1e7),
        vector_store_usd_per_month: Fixed(90.0),
    });
    chat.constraints.region = Some("eu".to_owned());
    chat.profile = Profile::Hours(Table((0..168).map(f64::from).collect()));
    let mut agent = UseCase::new("agent", "Agent");
    agent.growth = Growth::Linear(Fixed(0.1));
    agent.output_tokens = Length::log_normal(1e-7, 1.23e12);
    let mut curve = UseCase::new("curve", "Saturating");
    curve.growth =
        Growth::SCurve(SCurve { ceiling: Fixed(4.0), midpoint_month: Fixed(9.0), rise_months: Fixed(6.0) });
    let mut table = UseCase::new("table", "By table");
    table.growth = Growth::Table(Table(vec![1.0, 1.5, 2.25]));
    let observed = Quantiles::new(vec![0.0, 0.25, 0.25, 0.9, 1.0], vec![3.5, 91.5, 120.5, 1300.0, 4000.5]);
    table.user_tokens.spread = LengthSpread::Empirical(observed);
    vec![chat, agent, curve, table]
}

fn bought() -> Plan<Estimate> {
    let api = Api {
        custom: Some(CustomPrice {
            input_usd_per_mtok: Fixed(1.0),
            output_usd_per_mtok: Fixed(4.0),
            cached_read_usd_per_mtok: Some(Fixed(0.1)),
            cache_write_usd_per_mtok: Some(Fixed(1.25)),
        }),
        brackets: vec![Bracket { above_usd_per_month: 10_000.0, discount: 0.05 }],
        commitment: Some(Commitment { usd_per_month: Fixed(5000.0), discount: Fixed(0.1) }),
        provisioned: Some(Provisioned {
            units: Fixed(15.0),
            usd_per_unit_hour: Fixed(1.0),
            tokens_per_min_per_unit: Fixed(3000.0),
            output_weight: Fixed(5.0),
            cached_weight: Fixed(0.1),
        }),
        limit_tokens_per_min: Some(Fixed(2e6)),
        ..Api::new("large-model")
    };
    let large = Endpoint {
        prompt_cache: PromptCache::ttl(300.0),
        serves: Serves::Api(api),
        ..Endpoint::api("large", "Large model", "large-model")
    };
    let small = Endpoint {
        prompt_cache: PromptCache::Given(Fixed(0.4)),
        ..Endpoint::api("small", "Small model", "gpt-5.6-luna")
    };
    let mut plan = Plan::single("tiered", "Tiered API", large);
    plan.endpoints.push(small);
    plan.router = Router::Split(Split::new(&[("small", 0.8), ("large", 0.2)]));
    plan.routes = vec![Route {
        use_case: "agent".to_owned(),
        router: Router::Cascade(Cascade::new(&[("small", 0.7), ("large", 1.0)])),
    }];
    let given = ResponseCache { hit: HitRate::Given(Fixed(0.05)), ..ResponseCache::exact() };
    let derived = ResponseCache { hit: ResponseCache::exact().hit, ..ResponseCache::semantic(0.2) };
    plan.caches = CacheStack { exact: Some(given), semantic: Some(derived) };
    plan
}

fn built(id: &str, name: &str, terms: CapacityTerms<Estimate>) -> Plan<Estimate> {
    let mut plan = Plan::self_hosted(id, name, "llama-3.1-70b", "h100-sxm-80gb", 2, 3.0);
    if let Some(Endpoint { serves: Serves::SelfHosted(own), .. }) = plan.endpoints.first_mut() {
        own.terms = terms;
        own.deployment.preemption = Some(Preemption::Swap { host_bytes_per_sec: 5e10 });
        own.deployment.prefill = Some(PrefillReplicas { replicas: 1 });
        own.deployment.speculative = Some(Speculative {
            acceptance: Fixed(0.7),
            draft_tokens: Fixed(4.0),
            draft_cost_share: Fixed(0.05),
        });
    }
    plan.endpoints.push(Endpoint::api("spill", "Overflow API", "gpt-5.6-luna"));
    plan.router = Router::Overflow(Overflow::new("own", "spill"));
    plan.caches =
        CacheStack { exact: Some(ResponseCache::exact()), semantic: Some(ResponseCache::semantic(0.2)) };
    plan
}
