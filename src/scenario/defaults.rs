//! Starting points: what a new use case, plan, endpoint or scenario holds before anybody has thought about it.
//!
//! They are neutral rather than clever: one turn, one call, no cache, no discount, and the people that a service of
//! its kind needs. Each value can be seen and changed in the form.

use crate::cache::{CacheStack, HitRate, PromptCache, PromptTtl, ResponseCache};
use crate::pricing::{Api, CapacityTerms, CostItem, Owned, PlanCosts, ReservedTerms, ServiceTier, SpotTerms};
use crate::routing::{
    Cascade, CascadeStep, Endpoint, Overflow, Plan, RouteShare, Router, SelfHosted, Serves, Split,
};
use crate::serving::{Calibration, Deployment, Efficiency, Engine, Fleet, Precision, Scaling};
use crate::stats::estimate::Estimate::{self, Fixed};
use crate::workload::{
    Agent, Constraints, Conversation, Count, CountKind, EarlyStop, Growth, Length, LengthSpread, Profile,
    Repetition, Retries, Slo, UseCase, Workload,
};

use super::draft::{SCHEMA, ScenarioDraft, Settings};
use super::labels::describe;

/// Trials of a new scenario: the P5 and P95 of a bill are then known to about 1 % of their distance.
const TRIALS: u32 = 8192;

/// Seed of a new scenario; any number does.
const SEED: u64 = 1;

/// The default of a quantity, fixed; `path` as [`describe`] takes it.
#[must_use]
pub fn fixed(path: &str) -> Estimate {
    Fixed(describe(path).default)
}

impl ScenarioDraft {
    /// A scenario with nothing in it yet, from 2026-12-01 over a year.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            schema: SCHEMA,
            name: name.to_owned(),
            notes: String::new(),
            industry: String::new(),
            start: "2026-12-01".to_owned(),
            horizon_months: 12,
            workload: Workload { use_cases: Vec::new() },
            plans: Vec::new(),
            correlations: Vec::new(),
            settings: Settings::new(),
        }
    }
}

impl Settings<Estimate> {
    /// A month's volume strays by 10 %; an engineer costs $180,000 a year with everything included.
    #[must_use]
    pub fn new() -> Self {
        Self {
            seed: SEED,
            trials: TRIALS,
            utc_offset_hours: 0,
            demand_noise_cv: fixed("demand_noise_cv"),
            discount_rate_per_year: fixed("discount_rate_per_year"),
            engineer_usd_per_year: fixed("engineer_usd_per_year"),
            budget_usd_per_month: None,
            currency: None,
        }
    }
}

impl Default for Settings<Estimate> {
    fn default() -> Self {
        Self::new()
    }
}

impl Length<Estimate> {
    /// A log-normal length through its median and P95, in tokens.
    #[must_use]
    pub const fn log_normal(median: f64, p95: f64) -> Self {
        Self { median: Fixed(median), p95: Fixed(p95), spread: LengthSpread::LogNormal }
    }
}

impl Count<Estimate> {
    /// Always this many.
    #[must_use]
    pub const fn exactly(mean: f64) -> Self {
        Self { mean: Fixed(mean), kind: CountKind::Fixed }
    }
}

impl UseCase<Estimate> {
    /// Chat of one turn in office hours, 10,000 requests a day, no cacheable repetition.
    ///
    /// Lengths are of the order of published chat traces: a few hundred tokens in and out.
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            team: String::new(),
            enabled: true,
            requests_per_day: fixed("requests_per_day"),
            growth: Growth::Flat,
            profile: Profile::OfficeHours,
            burstiness_cv: fixed("burstiness_cv"),
            system_prompt_tokens: fixed("system_prompt_tokens"),
            retrieved_tokens: Fixed(0.0),
            user_tokens: Length::log_normal(
                describe("user_tokens.median").default,
                describe("user_tokens.p95").default,
            ),
            output_tokens: Length::log_normal(
                describe("output_tokens.median").default,
                describe("output_tokens.p95").default,
            ),
            reasoning_tokens: Fixed(0.0),
            max_tokens: None,
            early_stop: EarlyStop {
                share: fixed("early_stop.share"),
                at_fraction: fixed("early_stop.at_fraction"),
            },
            conversation: Conversation {
                turns: Count::exactly(1.0),
                gap_secs: fixed("conversation.gap_secs"),
                history_kept: fixed("conversation.history_kept"),
                history_limit_tokens: None,
            },
            agent: Agent {
                calls: Count::exactly(1.0),
                tool_result_tokens: fixed("agent.tool_result_tokens"),
                tool_secs: fixed("agent.tool_secs"),
                tool_usd: fixed("agent.tool_usd"),
                transcript_kept: false,
            },
            retries: Retries {
                failure: fixed("retries.failure"),
                max_retries: 2,
                timeout_secs: None,
                billed_share: fixed("retries.billed_share"),
            },
            embedding: None,
            repetition: Repetition {
                distinct: fixed("repetition.distinct"),
                zipf_alpha: fixed("repetition.zipf_alpha"),
                cacheable_share: fixed("repetition.cacheable_share"),
            },
            hard_share: fixed("hard_share"),
            slo: Slo { ttft_secs: fixed("slo.ttft_secs"), tpot_secs: fixed("slo.tpot_secs") },
            constraints: Constraints::default(),
        }
    }
}

impl Plan<Estimate> {
    /// A plan that sends everything to one endpoint.
    #[must_use]
    pub fn single(id: &str, name: &str, endpoint: Endpoint<Estimate>) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            notes: String::new(),
            router: Router::Single(endpoint.id.clone()),
            costs: match endpoint.serves {
                Serves::Api(_) => PlanCosts::buy(),
                Serves::SelfHosted(_) => PlanCosts::build(),
            },
            endpoints: vec![endpoint],
            routes: Vec::new(),
            caches: CacheStack { exact: None, semantic: None },
        }
    }

    /// Everything to one model behind an API; `price` is the catalogue id of its price sheet.
    #[must_use]
    pub fn api(id: &str, name: &str, price: &str) -> Self {
        Self::single(id, name, Endpoint::api("api", name, price))
    }

    /// Everything to one deployment on rented GPUs, with the people that it needs; ids are the catalogue's.
    #[must_use]
    pub fn self_hosted(
        id: &str,
        name: &str,
        model: &str,
        gpu: &str,
        gpus_per_replica: u32,
        usd_per_gpu_hour: f64,
    ) -> Self {
        Self::single(
            id,
            name,
            Endpoint::self_hosted("own", name, model, gpu, gpus_per_replica, usd_per_gpu_hour),
        )
    }
}

impl Endpoint<Estimate> {
    /// A model behind an API at list price.
    #[must_use]
    pub fn api(id: &str, name: &str, price: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            token_factor: fixed("token_factor"),
            quality: fixed("quality"),
            prompt_cache: PromptCache::Off,
            region: String::new(),
            serves: Serves::Api(Api::new(price)),
        }
    }

    /// A model on GPUs that are rented by the hour.
    #[must_use]
    pub fn self_hosted(
        id: &str,
        name: &str,
        model: &str,
        gpu: &str,
        gpus_per_replica: u32,
        usd_per_gpu_hour: f64,
    ) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            token_factor: fixed("token_factor"),
            quality: fixed("quality"),
            // Prefix caching is on by default in today's engines and costs nothing.
            prompt_cache: PromptCache::ttl(600.0),
            region: String::new(),
            serves: Serves::SelfHosted(SelfHosted {
                deployment: Deployment::new(model, gpu, gpus_per_replica),
                terms: CapacityTerms::OnDemand(Fixed(usd_per_gpu_hour)),
                storage_gb: fixed("storage_gb"),
                storage_usd_per_gb_month: fixed("storage_usd_per_gb_month"),
            }),
        }
    }
}

impl PromptCache<Estimate> {
    /// Hit rate computed from arrivals and gaps against a time to live, in seconds.
    #[must_use]
    pub const fn ttl(secs: f64) -> Self {
        Self::Derived(PromptTtl { ttl_secs: Fixed(secs) })
    }
}

impl Api<Estimate> {
    /// At list price, standard tier, without contract.
    #[must_use]
    pub fn new(price: &str) -> Self {
        Self {
            price: price.to_owned(),
            custom: None,
            tier: ServiceTier::Standard,
            regional_factor: fixed("regional_factor"),
            discount: fixed("serves.discount"),
            price_change_per_year: Fixed(0.0),
            brackets: Vec::new(),
            commitment: None,
            provisioned: None,
            usd_per_call: fixed("usd_per_call"),
            ttft_secs: fixed("serves.ttft_secs"),
            output_tokens_per_sec: fixed("output_tokens_per_sec"),
            limit_tokens_per_min: None,
        }
    }
}

impl Deployment<Estimate> {
    /// 8-bit weights under vLLM, up to 256 sequences, as many replicas as the peak needs with 30 % headroom and one to
    /// spare. The capacity strays as much as the calibrated model was off on rows that it had not seen.
    #[must_use]
    pub fn new(model: &str, gpu: &str, gpus_per_replica: u32) -> Self {
        Self {
            model: model.to_owned(),
            gpu: gpu.to_owned(),
            gpus_per_replica,
            layout: None,
            weights: Precision::Fp8,
            kv_cache: Precision::Fp8,
            memory_share: fixed("memory_share"),
            max_sequences: 256,
            engine: Some(Engine::Vllm),
            efficiency: Efficiency {
                prefill_mfu: fixed("efficiency.prefill_mfu"),
                decode_mbu: fixed("efficiency.decode_mbu"),
                step_overhead_secs: fixed("efficiency.step_overhead_secs"),
                all_reduce_secs: fixed("efficiency.all_reduce_secs"),
            },
            capacity_factor: Estimate::LogNormal { median: 1.0, p95: Calibration::shipped().residual_p95() },
            speculative: None,
            preemption: None,
            prefill: None,
            fleet: Fleet { scaling: Scaling::Peak, headroom: fixed("fleet.headroom"), spare_replicas: 1 },
        }
    }
}

impl CapacityTerms<Estimate> {
    /// Reserved for a year, US dollars per GPU and hour.
    #[must_use]
    pub const fn reserved(usd_per_gpu_hour: f64) -> Self {
        Self::Reserved(ReservedTerms { usd_per_gpu_hour: Fixed(usd_per_gpu_hour), term_months: 12 })
    }

    /// Spot, with on-demand standing in at `fallback`, both US dollars per GPU and hour.
    #[must_use]
    pub fn spot(usd_per_gpu_hour: f64, fallback: f64) -> Self {
        Self::Spot(SpotTerms {
            usd_per_gpu_hour: Fixed(usd_per_gpu_hour),
            interruptions_per_day: fixed("terms.interruptions_per_day"),
            lost_minutes: fixed("terms.lost_minutes"),
            fallback_share: fixed("terms.fallback_share"),
            fallback_usd_per_gpu_hour: Fixed(fallback),
        })
    }

    /// Bought, US dollars per GPU with its share of the server.
    #[must_use]
    pub fn owned(usd_per_gpu: f64) -> Self {
        Self::Owned(Owned {
            usd_per_gpu: Fixed(usd_per_gpu),
            years: fixed("terms.years"),
            residual_share: fixed("terms.residual_share"),
            capital_rate: fixed("terms.capital_rate"),
            usd_per_kwh: fixed("terms.usd_per_kwh"),
            pue: fixed("terms.pue"),
            watts_per_gpu: fixed("terms.watts_per_gpu"),
            idle_power_share: fixed("terms.idle_power_share"),
            colocation_usd_per_kw_month: fixed("terms.colocation_usd_per_kw_month"),
            maintenance_share_per_year: fixed("terms.maintenance_share_per_year"),
        })
    }
}

impl CostItem<Estimate> {
    /// Money per month, US dollars, and people in full-time equivalents.
    #[must_use]
    pub const fn new(usd_per_month: f64, fte: f64) -> Self {
        Self { usd_per_month: Fixed(usd_per_month), fte: Fixed(fte) }
    }
}

impl PlanCosts<Estimate> {
    /// Beside an API: somebody keeps prompts and checks answers; nobody runs machines.
    #[must_use]
    pub fn buy() -> Self {
        let item = |name: &str| CostItem {
            usd_per_month: fixed(&format!("{name}.usd_per_month")),
            fte: fixed(&format!("{name}.fte")),
        };
        Self {
            prompt_engineering: item("prompt_engineering"),
            evaluation: item("evaluation"),
            monitoring: item("monitoring"),
            on_call: CostItem::new(0.0, 0.0),
            training: item("training"),
            opportunity: item("opportunity"),
            compliance: item("compliance"),
            network: item("network"),
            // Providers do not charge for the bytes of an answer.
            egress_usd_per_gb: Fixed(0.0),
            bytes_per_token: fixed("bytes_per_token"),
            gateway: item("gateway"),
            gateway_usd_per_request: fixed("gateway_usd_per_request"),
            one_time_usd: fixed("one_time_usd"),
        }
    }

    /// Beside own GPUs: half an engineer runs them, more monitoring, egress, and a month of set-up.
    #[must_use]
    pub fn build() -> Self {
        Self {
            monitoring: CostItem::new(300.0, 0.1),
            on_call: CostItem::new(0.0, 0.5),
            egress_usd_per_gb: fixed("egress_usd_per_gb"),
            one_time_usd: Fixed(15_000.0),
            ..Self::buy()
        }
    }
}

impl ResponseCache<Estimate> {
    /// An exact cache whose hit rate follows from the repetition of the workload.
    #[must_use]
    pub fn exact() -> Self {
        Self {
            hit: HitRate::Derived(crate::cache::DerivedHit {
                capacity_items: fixed("hit.capacity_items"),
                ttl_secs: fixed("hit.ttl_secs"),
            }),
            lookup_usd_per_request: Fixed(0.0),
            lookup_secs: Fixed(0.002),
            usd_per_month: fixed("exact.usd_per_month"),
            false_hit_share: Fixed(0.0),
        }
    }

    /// A semantic cache with a stated hit rate, 0..=1; 3 % of its hits answer another question.
    ///
    /// Wrong hits: measured precision above 97 % at a cosine threshold of 0.8 (arXiv 2411.05276).
    #[must_use]
    pub fn semantic(hit: f64) -> Self {
        Self {
            hit: HitRate::Given(Fixed(hit)),
            lookup_usd_per_request: fixed("lookup_usd_per_request"),
            lookup_secs: fixed("lookup_secs"),
            usd_per_month: fixed("semantic.usd_per_month"),
            false_hit_share: Fixed(0.03),
        }
    }
}

impl Split<Estimate> {
    /// Tiers by share; endpoint ids with their shares.
    #[must_use]
    pub fn new(shares: &[(&str, f64)]) -> Self {
        Self {
            shares: shares
                .iter()
                .map(|(endpoint, share)| RouteShare {
                    endpoint: (*endpoint).to_owned(),
                    share: Fixed(*share),
                })
                .collect(),
            classifier_usd_per_request: fixed("classifier_usd_per_request"),
            classifier_secs: fixed("classifier_secs"),
            misroute_share: fixed("misroute_share"),
            misroute_quality_loss: fixed("misroute_quality_loss"),
        }
    }
}

impl Cascade<Estimate> {
    /// Tiers from small to large; endpoint ids with the probability that their answer is accepted.
    #[must_use]
    pub fn new(steps: &[(&str, f64)]) -> Self {
        Self {
            steps: steps
                .iter()
                .map(|(endpoint, accept)| CascadeStep {
                    endpoint: (*endpoint).to_owned(),
                    accept: Fixed(*accept),
                })
                .collect(),
            verifier_usd_per_answer: fixed("verifier_usd_per_answer"),
            verifier_secs: fixed("verifier_secs"),
        }
    }
}

impl Overflow<Estimate> {
    /// Own capacity first, the API for the rest; endpoint ids.
    #[must_use]
    pub fn new(primary: &str, fallback: &str) -> Self {
        Self { primary: primary.to_owned(), fallback: fallback.to_owned(), fill_share: fixed("fill_share") }
    }
}
