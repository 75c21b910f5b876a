//! The results, as data. Money in US dollars, tokens in the workload's own tokens, shares in 0..=1.

use serde::Serialize;

use crate::pricing::Bill;
use crate::scenario::Currency;
pub use crate::stats::severity::Severity;

/// What a result was computed from: same header, same bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Header {
    /// Version of the program.
    pub program: String,
    /// Schema of the scenario.
    pub schema: u32,
    /// SHA-256 of the draft's canonical text, hexadecimal.
    pub scenario: String,
    /// SHA-256 of the catalogue, hexadecimal.
    pub catalog: String,
    /// SHA-256 of the constants of the serving model, hexadecimal.
    pub calibration: String,
    /// Seed of the draws.
    pub seed: u64,
    /// Number of draws; 0 for a closed-form answer.
    pub draws: u32,
    /// The currency of every amount of a result: always `USD`.
    pub money: &'static str,
    /// The currency in which text shows them, with its rate, where it is another one.
    pub shown_in: Option<Currency>,
}

/// The closed-form answer at the point values (means) of every quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What it was computed from.
    pub header: Header,
    /// One per enabled use case, in the order of the scenario.
    pub use_cases: Vec<UseCaseOutcome>,
    /// One per plan, in the order of the scenario.
    pub plans: Vec<PlanOutcome>,
    /// Tokens (prompt and output) per day in the first month.
    pub tokens_per_day: f64,
    /// Index of the plan with the lowest mean monthly cost, if any plan is fully priced and serves everything.
    pub cheapest: Option<usize>,
}

/// What a use case asks for in the first month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UseCaseOutcome {
    /// Id of the use case.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Requests per month.
    pub requests: f64,
    /// Model calls per request.
    pub calls_per_request: f64,
    /// Prompt tokens per request, all calls.
    pub prompt_tokens: f64,
    /// Output tokens per request, all calls, reasoning included.
    pub output_tokens: f64,
    /// Busiest hour of the week against the mean hour.
    pub peak_to_mean: f64,
}

/// One plan at the point values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanOutcome {
    /// Id of the plan.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Month by month.
    pub months: Vec<MonthOutcome>,
    /// Mean cost per month over the horizon, one-time costs included.
    pub mean_month_usd: f64,
    /// First month without one-time costs: the rate at today's volume.
    pub run_rate: Bill,
    /// The run rate by use case (same order as [`Outcome::use_cases`]); shared and overhead lines by share of tokens.
    pub by_use_case: Vec<Bill>,
    /// Quality of the answers, weighted by requests, 0..=1.
    pub quality: f64,
    /// Latency in the busiest hour of the first month, means over all requests that are answered.
    pub latency: Latency,
    /// The endpoints in the first month.
    pub endpoints: Vec<EndpointOutcome>,
    /// Share of requests answered by a response cache in the first month.
    pub cache_hit_share: f64,
    /// What has no price: then the total is "at least".
    pub not_priced: Vec<String>,
    /// What is wrong or worth knowing.
    pub findings: Vec<Finding>,
}

/// One month of one plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonthOutcome {
    /// The cost, by line.
    pub bill: Bill,
    /// Requests of the month.
    pub requests: f64,
    /// Tokens of the month, prompt and output, before caches.
    pub tokens: f64,
    /// Share of the requests that are answered at all.
    pub served_share: f64,
}

/// Latency as a reader feels it, in seconds: means over all requests that are answered, those from a response cache
/// included (whole after the lookup). A request that takes several calls counts with its mean call.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// Time to first token.
    pub ttft_secs: f64,
    /// Time per output token after the first, over generated answers only: a cached one comes as a whole.
    pub tpot_secs: f64,
    /// Time to the whole answer.
    pub e2e_secs: f64,
}

/// One endpoint of a plan in the first month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointOutcome {
    /// Id within the plan.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Calls per month, retries not counted.
    pub calls: f64,
    /// Prompt tokens per month in this model's tokens.
    pub prompt_tokens: f64,
    /// Of them, read from a prompt cache.
    pub cached_tokens: f64,
    /// Output tokens per month in this model's tokens.
    pub output_tokens: f64,
    /// Cost of this endpoint per month.
    pub usd: f64,
    /// The deployment, if it is self-hosted.
    pub deployment: Option<DeploymentOutcome>,
}

/// What a deployment does in the first month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeploymentOutcome {
    /// Name of the model.
    pub model: String,
    /// Name of the GPU.
    pub gpu: String,
    /// GPUs of one replica.
    pub gpus_per_replica: u32,
    /// Weights per replica, bytes.
    pub weights_bytes: f64,
    /// Memory that the engine may use per replica, bytes.
    pub usable_bytes: f64,
    /// Memory left for KV per replica, bytes; negative when the model does not fit.
    pub kv_budget_bytes: f64,
    /// KV per token, bytes.
    pub kv_bytes_per_token: f64,
    /// Sustained calls per second per replica at the latency target.
    pub calls_per_sec: f64,
    /// Sequences that run at once in steady state.
    pub batch: f64,
    /// What bounds the batch, in words.
    pub limited_by: String,
    /// Seconds to prefill one call's prompt.
    pub prefill_secs: f64,
    /// Seconds per output token.
    pub tpot_secs: f64,
    /// Output tokens per second per replica.
    pub output_tokens_per_sec: f64,
    /// Replicas in the busiest hour.
    pub peak_replicas: f64,
    /// Replica hours paid per month.
    pub replica_hours: f64,
    /// Load against capacity, mean over the paid hours.
    pub mean_utilisation: f64,
    /// Load against capacity in the busiest hour.
    pub peak_utilisation: f64,
    /// Share of its calls that go to an overflow endpoint.
    pub overflow_share: f64,
    /// Cost of capacity per million tokens served (prompt and output).
    pub usd_per_mtok: f64,
}

/// Something worth saying about a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// What it is about: a path in the scenario.
    pub path: String,
    /// One sentence with the figures.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// The spread of a number over the draws.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Monte Carlo standard error of the mean.
    pub mean_error: f64,
    /// 5th percentile.
    pub p5: f64,
    /// 25th percentile.
    pub p25: f64,
    /// Median.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Monte Carlo standard error of the 5th percentile.
    pub p5_error: f64,
    /// Monte Carlo standard error of the median.
    pub p50_error: f64,
    /// Monte Carlo standard error of the 95th percentile.
    pub p95_error: f64,
}

/// A band of a curve at one place.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Band {
    /// 5th percentile.
    pub p5: f64,
    /// 25th percentile.
    pub p25: f64,
    /// Median.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Mean.
    pub mean: f64,
}

/// A probability estimated from draws, with its 95 % Wilson interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Probability {
    /// Share of the draws.
    pub share: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The Monte Carlo answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// What it was computed from.
    pub header: Header,
    /// One per plan.
    pub plans: Vec<PlanForecast>,
    /// `cheaper[a][b]`: probability that plan a has a lower mean month than plan b, on the same draws.
    pub cheaper: Vec<Vec<Probability>>,
    /// Uncertain quantities and their rank correlation with the difference between the cheapest plan and the
    /// runner-up, strongest first: what to find out more about.
    pub drivers: Vec<(String, f64)>,
    /// The same with each plan's own mean month: `plan_drivers[plan]`, strongest first.
    pub plan_drivers: Vec<Vec<(String, f64)>>,
    /// Index of the plan with the lowest mean among those that serve everything and break no constraint (all, if none
    /// does).
    pub cheapest: Option<usize>,
    /// Index of the plan with the second lowest mean among them.
    pub runner_up: Option<usize>,
}

/// One plan over the draws.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanForecast {
    /// Id of the plan.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Mean cost per month over the horizon, one-time costs included.
    pub mean_month: Spread,
    /// Cost of the whole horizon.
    pub horizon: Spread,
    /// Probability that no other plan is cheaper over the horizon; 0 for a plan that breaks a constraint or leaves
    /// requests unanswered, unless all do.
    pub cheapest: Probability,
    /// Month by month.
    pub months: Vec<Band>,
    /// Probability that the mean month exceeds the budget, if there is one.
    pub over_budget: Option<Probability>,
    /// Counts of the mean month in equal bins from `histogram_low` to `histogram_high`.
    pub histogram: Vec<u32>,
    /// Lower end of the histogram, US dollars per month.
    pub histogram_low: f64,
    /// Upper end of the histogram, US dollars per month.
    pub histogram_high: f64,
}

/// Cost over volume, and where plans cross.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakEven {
    /// What it was computed from.
    pub header: Header,
    /// Volumes, tokens per day (prompt and output, before caches), ascending, log-spaced.
    pub volumes: Vec<f64>,
    /// Volume of the first month, tokens per day.
    pub today: f64,
    /// One curve per plan.
    pub plans: Vec<Curve>,
    /// All crossings of all pairs at the point values, by volume.
    pub crossings: Vec<Crossing>,
    /// Volumes from which on a plan is no answer any more, by volume.
    pub limits: Vec<Limit>,
}

/// A volume from which on a plan no longer serves everything or breaks a rule, though it does not below.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// Index of the plan.
    pub plan: usize,
    /// Volume of the first month, in tokens per day.
    pub tokens_per_day: f64,
    /// US dollars per month of the plan just below.
    pub usd_per_month: f64,
    /// What goes wrong at a tenth more, in a sentence with its figures.
    pub reason: String,
    /// Whether the plan is the cheapest answer just below: this limit changes the decision.
    pub decisive: bool,
    /// Index of the plan that is the cheapest answer from there on; none if no plan is one.
    pub then: Option<usize>,
}

/// A plan's monthly run rate over volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Id of the plan.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// US dollars per month at each volume, at the point values.
    pub usd: Vec<f64>,
    /// Bands over the draws; empty in a closed-form answer.
    pub bands: Vec<Band>,
}

/// A volume at which the cheaper of two plans changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crossing {
    /// Index of the plan that is cheaper below.
    pub cheaper_below: usize,
    /// Index of the plan that is cheaper above.
    pub cheaper_above: usize,
    /// Volume in tokens per day.
    pub tokens_per_day: f64,
    /// US dollars per month of the plan that is cheaper above, at the crossing.
    pub usd_per_month: f64,
    /// Whether one of the two bills jumps there (a replica more), so that they pass without being equal.
    pub jump: bool,
    /// P5 and P95 of the first volume at which the pair flips, over the draws that flip within the range.
    pub band: Option<(f64, f64)>,
    /// Whether both plans are the cheapest there of all that serve everything and break no rule at that volume: this
    /// crossing changes the decision.
    pub decisive: bool,
}

/// One at a time: what each uncertain quantity does to the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensitivity {
    /// What it was computed from.
    pub header: Header,
    /// Mean month of each plan at the point values.
    pub base: Vec<f64>,
    /// Rows, widest swing of any plan first.
    pub rows: Vec<SensitivityRow>,
}

/// One quantity moved from its P10 to its P90, everything else at its point value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SensitivityRow {
    /// Path of the quantity.
    pub path: String,
    /// Its P10.
    pub low: f64,
    /// Its P90.
    pub high: f64,
    /// Mean month of each plan at the P10.
    pub usd_low: Vec<f64>,
    /// Mean month of each plan at the P90.
    pub usd_high: Vec<f64>,
    /// Whether the cheapest plan is another one at either end.
    pub flips: bool,
}
