//! Tokens to money at one API endpoint in one month, and what the contract makes of the month's spend.

use super::{Api, Bill, Bracket, CustomPrice, Line, ServiceTier};
use crate::catalog::{self, PriceRow};
use crate::stats::Num;
use crate::unit::{HOURS_PER_WEEK, TOKENS_PER_MTOK, UsdPerMtok};

/// The rates that hold for one endpoint in one month, in US dollars per million tokens, before region and contract.
///
/// `None` is not priced, never zero. Missing reasoning is the output rate, missing cache rates are the input rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates<N = f64> {
    /// Input.
    pub input: Option<N>,
    /// Output.
    pub output: Option<N>,
    /// Hidden reasoning.
    pub reasoning: Option<N>,
    /// Input read from the prompt cache.
    pub cached_read: Option<N>,
    /// Input written to the prompt cache, the whole rate (not the surplus).
    pub cache_write: Option<N>,
    /// Keeping a million tokens cached for an hour; `None` where nothing is asked for it.
    pub cache_storage_per_hour: Option<N>,
    /// The sheet's fee per request, US dollars; `None` where nothing is asked for it. The terms' fee comes on top.
    pub usd_per_request: Option<N>,
    /// What calls with a long prompt pay, for all of their tokens.
    pub long: Option<LongRates<N>>,
}

/// Rates of calls whose prompt is longer than a threshold: a cliff, every token of the call pays them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LongRates<N = f64> {
    /// The longest prompt at the ordinary rates, in tokens.
    pub threshold_tokens: f64,
    /// Input.
    pub input: Option<N>,
    /// Output.
    pub output: Option<N>,
    /// Hidden reasoning.
    pub reasoning: Option<N>,
    /// Input read from the prompt cache.
    pub cached_read: Option<N>,
    /// Input written to the prompt cache.
    pub cache_write: Option<N>,
}

/// Tokens of one kind of calls in one month.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TokenUse<N = f64> {
    /// Input not read from the prompt cache; written tokens and history are part of it.
    pub fresh_tokens: N,
    /// The part of `fresh_tokens` that carries a conversation or an agent loop.
    pub history_tokens: N,
    /// Input read from the prompt cache.
    pub read_tokens: N,
    /// The part of `fresh_tokens` that is written to the prompt cache.
    pub written_tokens: N,
    /// Visible output.
    pub output_tokens: N,
    /// Hidden reasoning, not part of `output_tokens`.
    pub reasoning_tokens: N,
}

/// Usage of one use case at one API endpoint in one month.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApiUsage<N = f64> {
    /// Calls that were answered.
    pub calls: N,
    /// Tokens of all calls, long ones included.
    pub tokens: TokenUse<N>,
    /// The part of `tokens` that belongs to calls above the long-context threshold; without it, or without long
    /// rates, all tokens pay the ordinary rates.
    pub long: Option<TokenUse<N>>,
    /// Million token-hours in the cache.
    pub stored_mtok_hours: N,
    /// Failed attempts that are billed, per answered call; >= 0.
    pub failed_billed: N,
    /// Fees of tools, in US dollars.
    pub tool_usd: N,
}

impl<N: Num> TokenUse<N> {
    #[inline(always)]
    fn scaled_sum(&self, other: &Self, factor: N) -> Self {
        Self {
            fresh_tokens: self.fresh_tokens + factor * other.fresh_tokens,
            history_tokens: self.history_tokens + factor * other.history_tokens,
            read_tokens: self.read_tokens + factor * other.read_tokens,
            written_tokens: self.written_tokens + factor * other.written_tokens,
            output_tokens: self.output_tokens + factor * other.output_tokens,
            reasoning_tokens: self.reasoning_tokens + factor * other.reasoning_tokens,
        }
    }

    /// Adds another use.
    pub fn add(&mut self, other: &Self) {
        self.add_scaled(other, N::of(1.0));
    }

    /// Adds `factor` times another use.
    #[inline(always)]
    pub fn add_scaled(&mut self, other: &Self, factor: N) {
        *self = self.scaled_sum(other, factor);
    }
}

impl<N: Num> Rates<N> {
    /// A user's own rates: they replace the sheet's, long-context rates included.
    #[must_use]
    #[inline(always)]
    pub fn custom(custom: &CustomPrice<N>) -> Self {
        Self {
            input: Some(custom.input_usd_per_mtok),
            output: Some(custom.output_usd_per_mtok),
            cached_read: custom.cached_read_usd_per_mtok,
            cache_write: custom.cache_write_usd_per_mtok,
            ..Self::default()
        }
    }

    #[inline(always)]
    fn ordinary(&self) -> LongRates<N> {
        LongRates {
            threshold_tokens: 0.0,
            input: self.input,
            output: self.output,
            reasoning: self.reasoning,
            cached_read: self.cached_read,
            cache_write: self.cache_write,
        }
    }
}

impl Rates {
    /// The rates of a sheet's row at a tier. A tier that is not offered gives no rates: not priced.
    ///
    /// Off-peak hours are left out: multiply with [`Rates::scaled`] by the mean factor over the hours of use.
    ///
    /// - `cache_ttl_secs`: life of a cached prefix; it chooses the write rate: up to 5 minutes, up to an hour, beyond.
    ///   A life that the sheet does not name pays the next shorter one.
    #[must_use]
    pub fn from_row(row: &PriceRow, tier: ServiceTier, cache_ttl_secs: f64) -> Self {
        let usual = printed(&row.rates(tier, false), cache_ttl_secs);
        let long = row.long_context_above().map(|above| LongRates {
            threshold_tokens: above as f64,
            ..printed(&row.rates(tier, true), cache_ttl_secs)
        });
        Self {
            input: usual.input,
            output: usual.output,
            reasoning: usual.reasoning,
            cached_read: usual.cached_read,
            cache_write: usual.cache_write,
            cache_storage_per_hour: row.cache_storage_usd_per_mtok_hour,
            usd_per_request: row.usd_per_request,
            long,
        }
    }

    /// The same rates times a factor, the fee per request as it is: the mean of off-peak hours, for one.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let times = |rate: Option<f64>| rate.map(|rate| rate * factor);
        Self {
            input: times(self.input),
            output: times(self.output),
            reasoning: times(self.reasoning),
            cached_read: times(self.cached_read),
            cache_write: times(self.cache_write),
            cache_storage_per_hour: times(self.cache_storage_per_hour),
            usd_per_request: self.usd_per_request,
            long: self.long.map(|long| LongRates {
                threshold_tokens: long.threshold_tokens,
                input: times(long.input),
                output: times(long.output),
                reasoning: times(long.reasoning),
                cached_read: times(long.cached_read),
                cache_write: times(long.cache_write),
            }),
        }
    }

    /// The same rates in every lane.
    #[must_use]
    #[inline(always)]
    pub fn each<N: Num>(&self) -> Rates<N> {
        let each = |rate: Option<f64>| rate.map(N::of);
        Rates {
            input: each(self.input),
            output: each(self.output),
            reasoning: each(self.reasoning),
            cached_read: each(self.cached_read),
            cache_write: each(self.cache_write),
            cache_storage_per_hour: each(self.cache_storage_per_hour),
            usd_per_request: each(self.usd_per_request),
            long: self.long.map(|long| LongRates {
                threshold_tokens: long.threshold_tokens,
                input: each(long.input),
                output: each(long.output),
                reasoning: each(long.reasoning),
                cached_read: each(long.cached_read),
                cache_write: each(long.cache_write),
            }),
        }
    }
}

fn printed(rates: &catalog::Rates, cache_ttl_secs: f64) -> LongRates {
    const SHORTEST: f64 = 5.0 * 60.0;
    const HOUR: f64 = 3600.0;
    let bare = |rate: Option<UsdPerMtok>| rate.map(UsdPerMtok::get);
    let hour = rates.cache_write_1h.or(rates.cache_write);
    let write = if cache_ttl_secs <= SHORTEST {
        rates.cache_write
    } else if cache_ttl_secs <= HOUR {
        hour
    } else {
        rates.cache_write_12h.or(hour)
    };
    LongRates {
        threshold_tokens: 0.0,
        input: bare(rates.input),
        output: bare(rates.output),
        reasoning: bare(rates.reasoning_output),
        cached_read: bare(rates.cached_read),
        cache_write: bare(write),
    }
}

/// The lines that are token spend: what region, discount, brackets and provisioned throughput act on.
const TOKEN_LINES: [Line; 8] = [
    Line::ApiInput,
    Line::ApiHistory,
    Line::ApiCachedRead,
    Line::ApiCacheWrite,
    Line::ApiOutput,
    Line::ApiReasoning,
    Line::Retries,
    Line::Region,
];

/// What takes the amounts of a bill. No closure: that would not be inlined into the versions for wide vectors.
trait Post<N> {
    fn post(&mut self, line: Line, usd: N);
}

impl<N: Num> Post<N> for Bill<N> {
    fn post(&mut self, line: Line, usd: N) {
        self.add(line, usd);
    }
}

/// Only the sum.
struct Sum<N>(N);

impl<N: Num> Post<N> for Sum<N> {
    #[inline(always)]
    fn post(&mut self, _: Line, usd: N) {
        self.0 += usd;
    }
}

/// What tokens cost: their sum, and whether a rate was missing for tokens that were used.
struct TokenCosts<N> {
    usd: N,
    not_priced: bool,
}

impl<N: Num> TokenCosts<N> {
    #[inline(always)]
    fn add(&mut self, post: &mut impl Post<N>, line: Line, tokens: N, rate: Option<N>, factor: N) {
        match rate {
            Some(rate) => {
                let usd = tokens * rate * factor / TOKENS_PER_MTOK;
                self.usd += usd;
                post.post(line, usd);
            }
            None => self.not_priced |= tokens.any_above(0.0),
        }
    }

    /// Posts tokens at their rates.
    #[inline(always)]
    fn add_all(&mut self, post: &mut impl Post<N>, rates: &LongRates<N>, tokens: &TokenUse<N>, factor: N) {
        let input = rates.input;
        self.add(post, Line::ApiInput, tokens.fresh_tokens - tokens.history_tokens, input, factor);
        self.add(post, Line::ApiHistory, tokens.history_tokens, input, factor);
        self.add(post, Line::ApiCachedRead, tokens.read_tokens, rates.cached_read.or(input), factor);
        // Written tokens are fresh tokens too: what they pay beyond the input rate is the write.
        let surplus = match (rates.cache_write, input) {
            (Some(write), Some(input)) => Some(write - input),
            (None, Some(_)) => Some(N::of(0.0)),
            (_, None) => None,
        };
        self.add(post, Line::ApiCacheWrite, tokens.written_tokens, surplus, factor);
        self.add(post, Line::ApiOutput, tokens.output_tokens, rates.output, factor);
        let reasoning = rates.reasoning.or(rates.output);
        self.add(post, Line::ApiReasoning, tokens.reasoning_tokens, reasoning, factor);
    }
}

/// Factor on token rates after so many months of the expected change: `(1 + change)^(months / 12)`.
#[must_use]
pub fn price_factor(change_per_year: f64, months_from_start: f64) -> f64 {
    (1.0 + change_per_year.max(-1.0)).powf(months_from_start.max(0.0) / 12.0)
}

/// The month's bill of one use case at list price, and whether it is only "at least": true when tokens were used that
/// have no rate.
///
/// The price change acts on token rates and cache storage, not on fees per call. Region is a line of its own; failed
/// attempts that are billed cost what an answered call costs in tokens and fee. Contract effects on the whole spend of
/// the endpoint come from [`settle`].
///
/// - `months_from_start`: >= 0; at 0 the rates are as given.
#[must_use]
pub fn api_bill<N: Num>(
    rates: &Rates<N>,
    terms: &Api<N>,
    usage: &ApiUsage<N>,
    months_from_start: f64,
) -> (Bill<N>, bool) {
    let factor = terms.price_change_per_year.map(|change| price_factor(change, months_from_start));
    let mut bill = Bill::default();
    let (_, not_priced) = post_api(rates, terms, usage, factor, &mut bill);
    (bill, not_priced)
}

/// A bill of which only the sum is kept, US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApiTotal<N = f64> {
    /// What follows the price change: tokens, with what region, failed attempts and storage add.
    pub usd: N,
    /// Fees per call, those of failed attempts included: no price change touches them.
    pub fees: N,
}

/// The total of [`api_bill`] at the rates as given.
#[must_use]
#[inline(always)]
pub fn api_total<N: Num>(rates: &Rates<N>, terms: &Api<N>, usage: &ApiUsage<N>) -> ApiTotal<N> {
    let mut total = Sum(N::of(0.0));
    let (fees, _) = post_api(rates, terms, usage, N::of(1.0), &mut total);
    ApiTotal { usd: total.0 - fees, fees }
}

/// Hands each amount of an API's bill to `post`, token rates times `factor`. Returns the fees, those of failed attempts
/// included, and whether tokens were used that have no rate.
#[inline(always)]
fn post_api<N: Num>(
    rates: &Rates<N>,
    terms: &Api<N>,
    usage: &ApiUsage<N>,
    factor: N,
    bill: &mut impl Post<N>,
) -> (N, bool) {
    let mut costs = TokenCosts { usd: N::of(0.0), not_priced: false };
    match (&rates.long, &usage.long) {
        (Some(long_rates), Some(long)) => {
            let short = usage.tokens.scaled_sum(long, N::of(-1.0));
            costs.add_all(bill, &rates.ordinary(), &short, factor);
            costs.add_all(bill, long_rates, long, factor);
        }
        _ => costs.add_all(bill, &rates.ordinary(), &usage.tokens, factor),
    }
    let TokenCosts { usd: tokens, not_priced } = costs;
    let zero = N::of(0.0);
    let region = tokens * (terms.regional_factor.at_least(0.0) - 1.0);
    let calls = usage.calls * (terms.usd_per_call + rates.usd_per_request.unwrap_or(zero));
    let failed = usage.failed_billed.at_least(0.0);
    bill.post(Line::Region, region);
    bill.post(Line::Retries, failed * (tokens + region + calls));
    bill.post(Line::Fees, calls + usage.tool_usd);
    let stored = rates.cache_storage_per_hour.map_or(zero, |rate| rate * usage.stored_mtok_hours * factor);
    bill.post(Line::Storage, stored);
    ((calls + usage.tool_usd) + calls * failed, not_priced)
}

/// A month of one endpoint, all use cases together: what a contract looks at.
#[derive(Debug, Clone, Copy)]
pub struct MonthAtEndpoint<'a, N = f64> {
    /// Sum of the [`api_bill`]s.
    pub bill: &'a Bill<N>,
    /// Sum of the tokens.
    pub tokens: TokenUse<N>,
    /// Share of the month's tokens in each hour of the week relative to the mean hour; `None` is flat. Only
    /// provisioned throughput looks at it.
    pub hours: Option<&'a [N; HOURS_PER_WEEK]>,
    /// Hours of the month.
    pub hours_per_month: f64,
}

impl<N: Num> Api<N> {
    /// Whether anything acts on the month's whole spend, so that [`settle`] changes something.
    #[must_use]
    pub fn has_contract(&self) -> bool {
        self.discount != N::of(0.0)
            || !self.brackets.is_empty()
            || self.commitment.is_some()
            || self.provisioned.is_some()
    }
}

/// What the contract adds to (and takes off) the month's list bill at one endpoint; the sum of both is what is paid.
///
/// In this order: provisioned units serve what they can, hour by hour, and take it off the token lines for their fee;
/// the contract's discount acts on the token spend that is left; volume brackets discount the part of that list spend
/// above each threshold; a commitment discounts the whole rest, fees included, and at least the commitment is paid.
/// The fee of provisioned units does not count toward the commitment.
#[must_use]
pub fn settle<N: Num>(terms: &Api<N>, month: &MonthAtEndpoint<'_, N>) -> Bill<N> {
    let mut change = Bill::default();
    let covered = terms.provisioned.as_ref().map_or(N::of(0.0), |units| {
        change.add(Line::Provisioned, units.units * units.usd_per_unit_hour * month.hours_per_month);
        let weighted = month.tokens.fresh_tokens
            + units.cached_weight * month.tokens.read_tokens
            + units.output_weight * (month.tokens.output_tokens + month.tokens.reasoning_tokens);
        covered_share(
            weighted / month.hours_per_month.max(1.0),
            units.units * units.tokens_per_min_per_unit * 60.0,
            month.hours,
        )
    });
    let mut token_spend = N::of(0.0);
    for line in TOKEN_LINES {
        let list = month.bill.get(line);
        if covered.any_above(0.0) {
            change.add(line, -covered * list);
        }
        token_spend += covered.rest() * list;
    }
    let kept = terms.discount.at_least(0.0).at_most(1.0).rest();
    let contract = token_spend * kept.rest();
    let volume = kept * bracket_discount(&terms.brackets, token_spend);
    change.add(Line::Discount, -(contract + volume));
    if let Some(commitment) = &terms.commitment {
        let usage = token_spend - contract - volume + month.bill.get(Line::Fees);
        let discount = usage * commitment.discount.at_least(0.0).at_most(1.0);
        let shortfall = commitment.usd_per_month - (usage - discount);
        change.add(Line::Discount, -discount);
        change.add(Line::CommitmentShortfall, shortfall.at_least(0.0));
    }
    change
}

/// Share of the demand that a capacity serves, hour by hour, both per hour.
fn covered_share<N: Num>(mean_demand: N, capacity: N, hours: Option<&[N; HOURS_PER_WEEK]>) -> N {
    let (zero, week) = (N::of(0.0), HOURS_PER_WEEK as f64);
    let ratio = (capacity / mean_demand).at_least(0.0);
    let covered = match hours {
        None => ratio.at_most(1.0),
        Some(hours) => {
            let all = hours.iter().fold(zero, |sum, hour| sum + *hour);
            let relative = all.pick_above(zero, N::of(week) / all, zero);
            let served = hours.iter().fold(zero, |sum, hour| sum + (*hour * relative).smaller(ratio));
            (served / week).at_least(0.0).at_most(1.0)
        }
    };
    mean_demand.pick_above(zero, covered, zero)
}

/// US dollars off: each bracket discounts the part of the spend from its threshold to the next one.
fn bracket_discount<N: Num>(brackets: &[Bracket], spend: N) -> N {
    let next = |from: f64| {
        let above = brackets.iter().map(|other| other.above_usd_per_month).filter(|other| *other > from);
        above.fold(f64::INFINITY, f64::min)
    };
    let part = |bracket: &Bracket| {
        let top = spend.at_most(next(bracket.above_usd_per_month));
        (top - bracket.above_usd_per_month.max(0.0)).at_least(0.0) * bracket.discount.clamp(0.0, 1.0)
    };
    brackets.iter().fold(N::of(0.0), |sum, bracket| sum + part(bracket))
}
