//! The draft: may be wrong, is what undo stores and what the file holds.

use serde::{Deserialize, Serialize};

use crate::routing::Plan;
use crate::stats::estimate::Estimate;
use crate::unit::format::Money;
use crate::workload::Workload;
use crate::{plain, quantified};

/// The schema that this program writes; older ones are migrated, newer ones refused.
pub const SCHEMA: u32 = 1;

/// A scenario as it is edited and stored.
pub type ScenarioDraft = ScenarioOf<Estimate>;

quantified! {
    /// Everything that one file holds. `ScenarioOf<Estimate>` is the draft, `ScenarioOf<f64>` one state of the world,
    /// `ScenarioOf<Lanes>` eight of them side by side.
    pub struct ScenarioOf<Q> {
        /// Version of the file's structure.
        pub schema: u32,
        /// Name for people.
        pub name: String,
        /// What it is about, where its numbers come from; Markdown.
        pub notes: String,
        /// Industry, for notes and defaults; may be empty.
        pub industry: String,
        /// First day of the first month, `2026-12-01`: which dated prices hold when.
        pub start: String,
        /// Months that are planned; >= 1.
        pub horizon_months: u32,
        /// What is asked for.
        pub workload: Workload<Q>,
        /// The alternatives, compared on the same workload and the same draws; two or more make a decision.
        pub plans: Vec<Plan<Q>>,
        /// Rank correlations between uncertain quantities.
        pub correlations: Vec<Correlation>,
        /// What belongs to all plans.
        pub settings: Settings<Q>,
    }

    /// What belongs to all plans.
    pub struct Settings<Q> {
        /// Seed of the random draws.
        pub seed: u64,
        /// Trials of a forecast.
        pub trials: u32,
        /// Hours by which the clock of the weekly profiles is ahead of UTC, -12..=14: price sheets with off-peak hours
        /// state them in UTC.
        #[serde(default)]
        pub utc_offset_hours: i32,
        /// Coefficient of variation of a month's volume around its expectation (log-normal, independent months).
        pub demand_noise_cv: Q,
        /// Discount rate per year for present values, as a share.
        pub discount_rate_per_year: Q,
        /// Fully loaded cost of one engineer per year, US dollars.
        pub engineer_usd_per_year: Q,
        /// Budget for all inference, US dollars per month, if there is one.
        pub budget_usd_per_month: Option<Q>,
        /// The currency that results are shown in; none is US dollars. What the scenario holds stays in US dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub currency: Option<Currency>,
    }
}

/// A currency and what a US dollar costs in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// Its ISO 4217 code, `EUR`.
    pub code: String,
    /// Its sign, where it is to be another one than usual.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub symbol: String,
    /// Units of it that a US dollar buys; > 0.
    pub per_usd: f64,
    /// Day of the rate, `2026-11-20`.
    pub as_of: String,
}

impl Currency {
    /// The formatter of amounts. Usual signs are those of English texts (Unicode CLDR); others show their code.
    #[must_use]
    pub fn money(&self) -> Money {
        let usual = match self.code.as_str() {
            "EUR" => "€",
            "GBP" => "£",
            "JPY" => "¥",
            "CNY" => "CN¥",
            "BRL" => "R$",
            "CAD" => "CA$",
            "AUD" => "A$",
            code => code,
        };
        Money::new(if self.symbol.is_empty() { usual } else { &self.symbol }, self.per_usd)
    }
}

impl<Q> Settings<Q> {
    /// How amounts become text: in the scenario's currency, or in US dollars.
    #[must_use]
    pub fn money(&self) -> Money {
        self.currency.as_ref().map_or_else(Money::default, Currency::money)
    }
}

/// A rank correlation between two uncertain quantities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Path of one quantity, `workload.use_cases.chat.requests_per_day`.
    pub a: String,
    /// Path of the other.
    pub b: String,
    /// Spearman's rho, -1..=1.
    pub rank: f64,
}

plain!(Correlation, Currency);
