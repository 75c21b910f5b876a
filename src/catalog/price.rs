//! Price sheets: what a vendor asks for tokens, as printed, with the dates between which it holds.
//!
//! Missing is "not priced" and never zero; an explicit zero is a price. What a printed sheet means for one request is
//! worked out once, in [`PriceRow::rates`].

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Source;
use crate::unit::UsdPerMtok;

/// Service tier of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServiceTier {
    /// The list price.
    Standard,
    /// Answers within a day.
    Batch,
    /// Slower, cheaper.
    Flex,
    /// Faster, dearer.
    Priority,
}

/// What a model gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceMode {
    /// Text.
    Chat,
    /// A vector.
    Embedding,
}

/// How a provider's usage report counts input that came from a prompt cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenCounting {
    /// The input count includes cached tokens (OpenAI, Google, LiteLLM): subtract them before pricing the rest.
    InputIncludesCached,
    /// The input count leaves cached tokens out (Anthropic): add them for the length of the prompt.
    InputExcludesCached,
}

/// One API model as its vendor prints the price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSheet {
    /// Stable id, such as `gpt-5.6-luna` or `bedrock-llama-3.3-70b`. Ids that start with `ref-` are historic.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Who sends the bill.
    pub provider: String,
    /// Name of the model in the provider's API, or as LiteLLM keys it.
    pub api_name: String,
    /// What it gives back.
    pub mode: PriceMode,
    /// How usage reports count cached input.
    pub counting: TokenCounting,
    /// Prices by date, oldest first, without overlap; at least one.
    pub rows: Vec<PriceRow>,
    /// Longest prompt, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prompt_tokens: Option<u64>,
    /// Longest answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Shortest prefix that the prompt cache keeps, in tokens; `None`: unknown or no cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_min_tokens: Option<u64>,
    /// Most requests per minute at the tier that the source names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_requests_per_min: Option<f64>,
    /// Most tokens per minute at the tier that the source names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_tokens_per_min: Option<f64>,
    /// First day on which the provider no longer offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_on: Option<Date>,
    /// What to know before using the sheet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it came from.
    pub source: Source,
}

/// The prices of one sheet between two dates.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRow {
    /// First day; `None`: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// First day on which it no longer holds; `None`: no end is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// The list price.
    #[serde(default)]
    pub standard: TokenRates,
    /// Batch tier, where it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<TokenRates>,
    /// Flex tier, where it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<TokenRates>,
    /// Priority tier, where it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<TokenRates>,
    /// Prices of long prompts, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContext>,
    /// Hours with other prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeak>,
    /// Keeping a million tokens in an explicit cache for an hour, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_storage_usd_per_mtok_hour: Option<f64>,
    /// One web search by the model, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_usd_per_query: Option<f64>,
    /// One request, whatever its length, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_request: Option<f64>,
    /// Factor on every token rate for processing in a chosen region; >= 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_uplift: Option<f64>,
}

/// Rates as printed, in US dollars per million tokens. Missing is not priced.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRates {
    /// Input that came from no cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_usd_per_mtok: Option<f64>,
    /// Output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_usd_per_mtok: Option<f64>,
    /// Hidden reasoning, where it is priced apart from output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_output_usd_per_mtok: Option<f64>,
    /// Input read from the prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_read_usd_per_mtok: Option<f64>,
    /// Input written to the prompt cache for its shortest life (5 minutes at Anthropic).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_per_mtok: Option<f64>,
    /// Input written for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_usd_per_mtok: Option<f64>,
    /// Input written for twelve hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_12h_usd_per_mtok: Option<f64>,
}

/// A cliff: when the prompt is longer than the threshold, every token of the request pays these rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContext {
    /// Longest prompt at the ordinary price, in tokens.
    pub above_tokens: u64,
    /// The list price beyond it.
    pub standard: TokenRates,
    /// Batch tier beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<TokenRates>,
    /// Flex tier beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<TokenRates>,
    /// Priority tier beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<TokenRates>,
}

/// Hours in which every token rate is multiplied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffPeak {
    /// Factor on every token rate within the windows; > 0.
    pub factor: f64,
    /// When.
    pub windows: Vec<OffPeakWindow>,
}

/// The same hours on some days of the week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffPeakWindow {
    /// Days, Monday is 1 and Sunday 7.
    pub weekdays: Vec<u8>,
    /// First hour, 0..=23.
    pub from_hour_utc: u8,
    /// First hour after it, 1..=24.
    pub to_hour_utc: u8,
}

/// What one token of a request pays, resolved for a tier and a length of the prompt.
///
/// `None` is not priced: a bill that needs it says "at least".
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Input that came from no cache.
    pub input: Option<UsdPerMtok>,
    /// Output.
    pub output: Option<UsdPerMtok>,
    /// Hidden reasoning; the output rate where it is not priced apart.
    pub reasoning_output: Option<UsdPerMtok>,
    /// Input read from the prompt cache; the input rate where no other is printed.
    pub cached_read: Option<UsdPerMtok>,
    /// Input written to the prompt cache; the input rate where no other is printed.
    pub cache_write: Option<UsdPerMtok>,
    /// Input written for an hour; `None` where it is not offered.
    pub cache_write_1h: Option<UsdPerMtok>,
    /// Input written for twelve hours; `None` where it is not offered.
    pub cache_write_12h: Option<UsdPerMtok>,
}

impl From<&TokenRates> for Rates {
    fn from(printed: &TokenRates) -> Self {
        let per_mtok = |rate: Option<f64>| rate.map(UsdPerMtok);
        let input = per_mtok(printed.input_usd_per_mtok);
        let output = per_mtok(printed.output_usd_per_mtok);
        Self {
            input,
            output,
            reasoning_output: per_mtok(printed.reasoning_output_usd_per_mtok).or(output),
            cached_read: per_mtok(printed.cached_read_usd_per_mtok).or(input),
            cache_write: per_mtok(printed.cache_write_usd_per_mtok).or(input),
            cache_write_1h: per_mtok(printed.cache_write_1h_usd_per_mtok),
            cache_write_12h: per_mtok(printed.cache_write_12h_usd_per_mtok),
        }
    }
}

impl PriceSheet {
    /// The row that holds on `date`, or `None` when no price is known for it.
    ///
    /// An introductory price that ended without a known successor gives `None`: not priced.
    #[must_use]
    pub fn row_on(&self, date: Date) -> Option<&PriceRow> {
        self.rows.iter().find(|row| row.holds_on(date))
    }

    /// The row that holds on `date`; else the nearest one in time, marked as outdated.
    ///
    /// For planning beyond the end of an introductory price: whoever uses an outdated row says so.
    #[must_use]
    pub fn row_near(&self, date: Date) -> Option<(&PriceRow, RowFit)> {
        if let Some(row) = self.row_on(date) {
            return Some((row, RowFit::Holds));
        }
        let ended = self.rows.iter().rev().find(|row| row.valid_to.is_some_and(|end| end <= date));
        ended.or_else(|| self.rows.first()).map(|row| (row, RowFit::Outdated))
    }

    /// Whether the provider no longer offers the model on `date`.
    #[must_use]
    pub fn deprecated(&self, date: Date) -> bool {
        self.deprecated_on.is_some_and(|end| end <= date)
    }
}

/// How well a row fits a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFit {
    /// The vendor's price on that day.
    Holds,
    /// The last (or first) known price; the price of that day is unknown.
    Outdated,
}

impl PriceRow {
    /// Whether it holds on `date`.
    #[must_use]
    pub fn holds_on(&self, date: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date < to)
    }

    /// The longest prompt at the ordinary price, where there is a cliff.
    #[must_use]
    pub fn long_context_above(&self) -> Option<u64> {
        self.long_context.as_ref().map(|long| long.above_tokens)
    }

    /// What tokens pay at `tier`.
    ///
    /// A tier that is not offered, or not priced beyond the threshold, gives no rates at all. Without a cliff,
    /// `prompt_above_threshold` changes nothing.
    #[must_use]
    pub fn rates(&self, tier: ServiceTier, prompt_above_threshold: bool) -> Rates {
        let printed = match &self.long_context {
            Some(long) if prompt_above_threshold => match tier {
                ServiceTier::Standard => Some(&long.standard),
                ServiceTier::Batch => long.batch.as_ref(),
                ServiceTier::Flex => long.flex.as_ref(),
                ServiceTier::Priority => long.priority.as_ref(),
            },
            _ => match tier {
                ServiceTier::Standard => Some(&self.standard),
                ServiceTier::Batch => self.batch.as_ref(),
                ServiceTier::Flex => self.flex.as_ref(),
                ServiceTier::Priority => self.priority.as_ref(),
            },
        };
        printed.map(Rates::from).unwrap_or_default()
    }

    /// Whether the tier has a price.
    #[must_use]
    pub fn offers(&self, tier: ServiceTier) -> bool {
        match tier {
            ServiceTier::Standard => true,
            ServiceTier::Batch => self.batch.is_some(),
            ServiceTier::Flex => self.flex.is_some(),
            ServiceTier::Priority => self.priority.is_some(),
        }
    }
}

impl OffPeak {
    /// Factor on the token rates in an hour of the week: `factor` within a window, else 1.
    ///
    /// - `hour_of_week_utc`: 0..168, 0 is Monday 00:00-01:00 UTC; larger values wrap.
    #[must_use]
    pub fn factor_at(&self, hour_of_week_utc: usize) -> f64 {
        let hour = hour_of_week_utc % 24;
        let weekday = hour_of_week_utc / 24 % 7 + 1;
        let within = self.windows.iter().any(|window| {
            window.weekdays.iter().any(|day| usize::from(*day) == weekday)
                && (usize::from(window.from_hour_utc)..usize::from(window.to_hour_utc)).contains(&hour)
        });
        if within { self.factor } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::catalog::Catalog;
    use crate::unit::{Tokens, Usd};

    fn sheet(id: &str) -> &'static PriceSheet {
        Catalog::shipped().price(id).unwrap()
    }

    #[test]
    fn a_thousand_requests_to_gpt_4_turbo_cost_eleven_dollars() {
        let row = sheet("ref-gpt-4-turbo").row_on(date(2026, 1, 5)).unwrap();
        let rates = row.rates(ServiceTier::Standard, false);
        let bill = Tokens(500_000.0) * rates.input.unwrap() + Tokens(200_000.0) * rates.output.unwrap();
        assert!((bill - Usd(11.0)).get().abs() < 1e-9);
    }

    #[test]
    fn a_missing_cache_rate_is_the_input_rate_and_a_missing_output_stays_unpriced() {
        let printed = TokenRates { input_usd_per_mtok: Some(3.0), ..TokenRates::default() };
        let rates = Rates::from(&printed);
        assert_eq!(rates.cached_read, Some(UsdPerMtok(3.0)));
        assert_eq!(rates.cache_write, Some(UsdPerMtok(3.0)));
        assert_eq!(rates.output, None);
        assert_eq!(rates.cache_write_1h, None);
    }

    #[test]
    fn a_tier_that_is_not_offered_is_not_priced() {
        let row = sheet("mistral-large-3").row_on(date(2026, 11, 23)).unwrap();
        assert_eq!(row.rates(ServiceTier::Batch, false), Rates::default());
    }

    #[test]
    fn an_explicit_zero_is_a_price() {
        let row = sheet("text-embedding-3-small").row_on(date(2026, 11, 23)).unwrap();
        assert_eq!(row.rates(ServiceTier::Standard, false).output, Some(UsdPerMtok(0.0)));
    }

    #[test]
    fn beyond_the_threshold_every_token_of_the_request_pays_the_dearer_rate() {
        let row = sheet("gpt-5.6-luna").row_on(date(2026, 11, 23)).unwrap();
        assert_eq!(row.long_context_above(), Some(272_000));
        assert_eq!(row.rates(ServiceTier::Standard, false).input, Some(UsdPerMtok(0.2)));
        assert_eq!(row.rates(ServiceTier::Standard, true).input, Some(UsdPerMtok(0.4)));
        assert_eq!(row.rates(ServiceTier::Batch, true).output, Some(UsdPerMtok(0.9)));
    }

    #[test]
    fn a_price_cut_changes_the_row_on_its_day() {
        let luna = sheet("gpt-5.6-luna");
        let input = |day| luna.row_on(day).unwrap().rates(ServiceTier::Standard, false).input;
        assert_eq!(input(date(2026, 7, 29)), Some(UsdPerMtok(1.0)));
        assert_eq!(input(date(2026, 7, 30)), Some(UsdPerMtok(0.2)));
    }

    #[test]
    fn an_introductory_price_ends() {
        let flash = sheet("gemini-3.6-flash");
        let input = |day| flash.row_on(day).unwrap().rates(ServiceTier::Standard, false).input;
        assert_eq!(input(date(2026, 12, 31)), Some(UsdPerMtok(0.75)));
        assert_eq!(input(date(2027, 1, 1)), Some(UsdPerMtok(1.5)));

        let argon = sheet("gemini-4-argon");
        assert!(argon.row_on(date(2026, 11, 30)).is_some());
        assert_eq!(argon.row_on(date(2026, 12, 1)), None);
        assert!(matches!(argon.row_near(date(2027, 6, 1)), Some((_, RowFit::Outdated))));
    }

    #[test]
    fn off_peak_hours_of_deepseek_are_the_weekend_and_seventeen_hours_of_each_weekday() {
        let row = sheet("deepseek-flash").row_on(date(2026, 11, 23)).unwrap();
        let off_peak = row.off_peak.as_ref().unwrap();
        let cheap_hours = (0..168).filter(|hour| off_peak.factor_at(*hour) < 1.0).count();
        assert_eq!(cheap_hours, 5 * (1 + 2 + 14) + 2 * 24);
        assert_eq!(off_peak.factor_at(2), 1.0);
        assert_eq!(off_peak.factor_at(4), 0.5);
    }
}
