//! The terms under which inference is bought and capacity is paid, as the scenario holds them.

use serde::{Deserialize, Serialize};

pub use crate::catalog::ServiceTier;
use crate::{plain, quantified};

quantified! {
    /// A model behind a provider's API.
    pub struct Api<Q> {
        /// Catalogue id of the price sheet; the rates come from its row of the month.
        pub price: String,
        /// Rates of the user's own that replace the sheet's where given.
        pub custom: Option<CustomPrice<Q>>,
        /// Service tier.
        pub tier: ServiceTier,
        /// Factor on every token rate for the region; 1 is none.
        pub regional_factor: Q,
        /// Discount on every token rate by contract, 0..1.
        pub discount: Q,
        /// Expected change of the rates per year, as a share (-0.3 is 30 % cheaper each year); > -1.
        pub price_change_per_year: Q,
        /// Volume brackets: discount on the part of the month's spend above each threshold.
        pub brackets: Vec<Bracket>,
        /// Spend that is paid even when unused.
        pub commitment: Option<Commitment<Q>>,
        /// Capacity bought by the hour; the rest spills over at list price.
        pub provisioned: Option<Provisioned<Q>>,
        /// Fee per call, US dollars.
        pub usd_per_call: Q,
        /// Time to first token, in seconds.
        pub ttft_secs: Q,
        /// Output tokens per second of one stream; > 0.
        pub output_tokens_per_sec: Q,
        /// Limit of tokens per minute, if there is one.
        pub limit_tokens_per_min: Option<Q>,
    }

    /// Rates in US dollars per million tokens. A missing cache rate means the input rate.
    pub struct CustomPrice<Q> {
        /// Input.
        pub input_usd_per_mtok: Q,
        /// Output.
        pub output_usd_per_mtok: Q,
        /// Input read from the prompt cache.
        pub cached_read_usd_per_mtok: Option<Q>,
        /// Input written to the prompt cache.
        pub cache_write_usd_per_mtok: Option<Q>,
    }

    /// Committed spend: the discount applies to the whole spend, and at least the commitment is paid.
    pub struct Commitment<Q> {
        /// US dollars per month, paid even when unused.
        pub usd_per_month: Q,
        /// Discount on the usage, 0..1.
        pub discount: Q,
    }

    /// Provisioned throughput: a fixed fee for so many weighted tokens per minute.
    pub struct Provisioned<Q> {
        /// Units bought.
        pub units: Q,
        /// US dollars per unit and hour.
        pub usd_per_unit_hour: Q,
        /// Weighted tokens per minute and unit.
        pub tokens_per_min_per_unit: Q,
        /// How many input tokens one output token counts for.
        pub output_weight: Q,
        /// How many input tokens one cached input token counts for.
        pub cached_weight: Q,
    }

    /// How the GPUs of a deployment are paid.
    pub enum CapacityTerms<Q> {
        /// By the hour, US dollars per GPU.
        OnDemand(Q),
        /// Reserved: every hour is paid, used or not.
        Reserved(ReservedTerms<Q>),
        /// Interruptible.
        Spot(SpotTerms<Q>),
        /// Bought, powered and housed.
        Owned(Owned<Q>),
    }

    /// Reserved capacity.
    pub struct ReservedTerms<Q> {
        /// US dollars per GPU and hour, for all hours of the term.
        pub usd_per_gpu_hour: Q,
        /// Term in months; the capacity is bought for the peak of the term.
        pub term_months: u32,
    }

    /// Interruptible capacity. Lost work is done again; where no spot capacity is to be had, on-demand stands in.
    pub struct SpotTerms<Q> {
        /// US dollars per GPU and hour.
        pub usd_per_gpu_hour: Q,
        /// Interruptions per GPU and day.
        pub interruptions_per_day: Q,
        /// Work and start-up lost with each interruption, in minutes.
        pub lost_minutes: Q,
        /// Share of hours without spot capacity, 0..=1, filled at the on-demand rate.
        pub fallback_share: Q,
        /// US dollars per GPU and hour of the stand-in.
        pub fallback_usd_per_gpu_hour: Q,
    }

    /// Owned hardware.
    pub struct Owned<Q> {
        /// Price per GPU, US dollars, its share of server, network and installation included.
        pub usd_per_gpu: Q,
        /// Years over which it is written off, straight line; > 0.
        pub years: Q,
        /// Share of the price that the hardware is worth in the end, 0..1.
        pub residual_share: Q,
        /// Cost of capital per year, as a share, on the mean book value.
        pub capital_rate: Q,
        /// Electricity, US dollars per kWh.
        pub usd_per_kwh: Q,
        /// Power usage effectiveness of the building; >= 1.
        pub pue: Q,
        /// Power at the wall per GPU at full load, in watts, its share of the server included.
        pub watts_per_gpu: Q,
        /// Share of that power which is drawn when idle, 0..=1.
        pub idle_power_share: Q,
        /// Colocation, US dollars per kW of full load and month.
        pub colocation_usd_per_kw_month: Q,
        /// Maintenance per year, as a share of the price.
        pub maintenance_share_per_year: Q,
    }

    /// A cost line that people forget: money and time. Zero is a value that is shown.
    pub struct CostItem<Q> {
        /// US dollars per month.
        pub usd_per_month: Q,
        /// People, in full-time equivalents.
        pub fte: Q,
    }

    /// What a plan costs beside tokens and GPUs. The ten hidden costs of the reference: eight here, and retries and
    /// cache infrastructure, which are computed.
    pub struct PlanCosts<Q> {
        /// Engineering time for prompts and their upkeep.
        pub prompt_engineering: CostItem<Q>,
        /// Quality assurance and evaluation.
        pub evaluation: CostItem<Q>,
        /// Monitoring and observability.
        pub monitoring: CostItem<Q>,
        /// On-call and operations.
        pub on_call: CostItem<Q>,
        /// Training and skills.
        pub training: CostItem<Q>,
        /// What the engineers would have earned elsewhere.
        pub opportunity: CostItem<Q>,
        /// Compliance and security.
        pub compliance: CostItem<Q>,
        /// Fixed network costs.
        pub network: CostItem<Q>,
        /// Egress, US dollars per GB (10⁹ bytes).
        pub egress_usd_per_gb: Q,
        /// Bytes that leave per token of input and output, request framing included.
        pub bytes_per_token: Q,
        /// API gateway, attribution and registry: fixed part.
        pub gateway: CostItem<Q>,
        /// API gateway: US dollars per request.
        pub gateway_usd_per_request: Q,
        /// Paid once, in the first month: migration, integration, hardware set-up.
        pub one_time_usd: Q,
    }
}

/// The part of a month's spend above a threshold is discounted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bracket {
    /// US dollars of list spend per month from which on the discount applies.
    pub above_usd_per_month: f64,
    /// Discount on the part above, 0..1.
    pub discount: f64,
}

plain!(Bracket, ServiceTier);
