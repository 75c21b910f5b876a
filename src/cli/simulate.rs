//! `breakeven simulate`: plans under simulated traffic, request by request.

mod words;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;

use crate::analysis::traffic::{
    Effect, Listener, Outage, ReplicasNeeded, Traffic, TrafficAsk, effect, replicas_needed, simulate,
};
use crate::io::json::Answer;
use crate::io::overlay;
use crate::io::replay::{ColumnMap, ReplayAccount, ReplayOptions, WindowLengths, simulate_trace, stream_of};
use crate::io::requests::{RequestsError, RequestsWriter};
use crate::report::{self, TrafficAnswer};
use crate::scenario::Scenario;
use crate::sim::{BLOCK_TOKENS, Balance, Crowd, Eviction, Over, Simulation, Users};
use crate::unit::HOURS_PER_WEEK;

use self::words::{balance, crowd, eviction, outage, popularity, span};
use super::error::CliError;
use super::input::ScenarioArgs;
use super::output::{Output, say};
use super::progress::{Progress, interrupt};

/// Plays requests one by one through a plan's caches, router, APIs and replicas.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// A plan, by id (may be repeated: side by side on the same arrivals); all plans if not given.
    #[arg(long, value_name = "ID")]
    plan: Vec<String>,
    /// How long: 90s, 30m, 1h, 1d, 1w; a day if not given, or until the trace ends.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    window: Option<f64>,
    /// Replays a request trace instead of the modelled workload: Azure, BurstGPT, Mooncake, agent sessions, engine logs,
    /// rates per window, or any CSV or JSON lines with --columns; gzip and zstd are read as they are.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Which column of the trace is what: time=when,prompt=tokens_in,output=tokens_out (also time_unit, session, id,
    /// blocks, key).
    #[arg(long, value_name = "MAP", requires = "trace")]
    columns: Option<ColumnMap>,
    /// Use case whose route and targets the trace takes, by id; the first if not given.
    #[arg(long, value_name = "ID", requires = "trace")]
    use_case: Option<String>,
    /// Factor on the length of the trace's prompts.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "trace")]
    prompt_factor: f64,
    /// Factor on the length of the trace's answers.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "trace")]
    output_factor: f64,
    /// Where in the trace to begin.
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "trace")]
    from: Option<f64>,
    /// How often the trace is played, one pass after the other.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "trace", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Sessions that start per hour, for a trace whose sessions have clocks of their own.
    #[arg(long, value_name = "N", requires = "trace")]
    sessions_per_hour: Option<f64>,
    /// Lengths of requests, for a trace of rates without them: tokens as PROMPT:OUTPUT, or a table of lengths per client.
    #[arg(long, value_name = "P:O|FILE", requires = "trace")]
    lengths: Option<WindowLengths>,
    /// The pool to play, for a trace of rates of several.
    #[arg(long, value_name = "NAME", requires = "trace")]
    pool: Option<String>,
    /// Tokens of a KV block of own replicas.
    #[arg(long, value_name = "N", default_value_t = BLOCK_TOKENS, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block_tokens: u32,
    /// Writes a row per call of the first plan's first replication, as .csv or .parquet.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Month whose volume is taken; 1 is the first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    month: u32,
    /// Hour of the week in which the window begins, 0 (Monday 00:00) to 167; so that it holds the busiest hour if not
    /// given.
    #[arg(long, value_name = "HOUR", value_parser = clap::value_parser!(u32).range(0..HOURS_PER_WEEK as i64))]
    start_hour: Option<u32>,
    /// Part of the window that is played and not counted; a tenth of it, at most 10 minutes, if not given.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    warmup: Option<f64>,
    /// Seed of the draws; the scenario's own if not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Times that the window is played with other draws; more than one gives confidence intervals.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    replications: u32,
    /// Parts into which the counted time of the only replication is cut, for confidence intervals from one long run; for a
    /// window of even load.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    batches: u32,
    /// Factor on the volume.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    rate: f64,
    /// Flash crowds: factor on the rate, time until one comes, time it stays, as in 5:20m:2m.
    #[arg(long, value_name = "F:CALM:STAY", value_parser = crowd)]
    crowd: Option<Crowd>,
    /// How many users a use case's conversations come from and how unevenly (Zipf's exponent), as in 10000:1: what session
    /// balance keeps together.
    #[arg(long, value_name = "USERS:EXPONENT", value_parser = popularity)]
    popularity: Option<Users>,
    /// So many users per use case who wait for their answer and think before they ask again, instead of arrivals at a
    /// rate.
    #[arg(long, value_name = "N")]
    users: Option<u32>,
    /// Mean time that such a user thinks.
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span, requires = "users")]
    think: f64,
    /// Which replica gets a call: least-loaded, round-robin, prefix-aware, session.
    #[arg(long, value_name = "HOW", default_value = "least-loaded", value_parser = balance)]
    balance: Balance,
    /// Replicas of every own endpoint, instead of the plan's fleet.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    replicas: Option<u32>,
    /// What goes first from a full response cache: lru or lfu.
    #[arg(long, value_name = "WHICH", default_value = "lru", value_parser = eviction)]
    eviction: Eviction,
    /// Coefficient of variation of providers' times over calls; a scenario states means only.
    #[arg(long, value_name = "CV", default_value_t = 0.0)]
    api_cv: f64,
    /// An outage of a provider: endpoint, begin, length, as in large:10m:5m (may be repeated).
    #[arg(long, value_name = "ID:FROM:SPAN", value_parser = outage)]
    outage: Vec<Outage>,
    /// Also searches how many replicas keep the targets in the busiest hour.
    #[arg(long)]
    needed: bool,
    /// Prints JSON with full precision.
    #[arg(long)]
    json: bool,
}

/// One plan in JSON.
#[derive(Serialize)]
struct PlanDocument {
    #[serde(flatten)]
    traffic: Traffic,
    /// What the simulation found against what the closed form had.
    effects: Vec<Effect>,
    /// Replicas that keep the targets.
    needed: Vec<ReplicasNeeded>,
    /// What the trace gave and what was left out of it; none without a trace.
    trace: Option<ReplayAccount>,
}

/// The usual window, in seconds.
const DAY: f64 = 86_400.0;

/// Parts of the bar.
const PARTS: f64 = 1_000.0;

/// A bar over all plans; stops on Ctrl-C.
struct Bar {
    progress: Mutex<Progress>,
    before: AtomicU32,
    plans: f64,
}

impl Listener for Bar {
    fn stop(&self) -> bool {
        interrupt().is_cancelled()
    }

    fn look(&self, _: u32, _: &Simulation<'_>, share: f64) {
        let done = (f64::from(self.before.load(Ordering::Relaxed)) + share) / self.plans;
        if let Ok(mut progress) = self.progress.try_lock() {
            progress.go_on((done * PARTS) as u32);
        }
    }
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let scenario = args.scenario.checked()?;
    let catalog = overlay::catalog()?;
    let plans = places(args, &scenario)?;
    let bar = Bar {
        progress: Mutex::new(Progress::of("simulate", PARTS as u32, "thousandths")),
        before: AtomicU32::new(0),
        plans: plans.len() as f64,
    };
    let mut documents = Vec::new();
    for (done, plan) in plans.into_iter().enumerate() {
        bar.before.store(done as u32, Ordering::Relaxed);
        let ask = ask(args, &scenario, plan);
        let mut table = table(args.requests.as_deref().filter(|_| done == 0), &scenario, plan)?;
        let (traffic, trace) = play(args, &scenario, &ask, table.as_mut(), &bar)?;
        if let Some(table) = table {
            let rows = table.finish()?;
            say(&format!("{rows} calls written"));
        }
        let needed = if args.needed { replicas_needed(&scenario, &ask, &bar)? } else { Vec::new() };
        let effects =
            effect(&scenario, &catalog, &traffic, &needed).map_err(|problems| CliError::Problems {
                name: format!("{} with what was simulated", args.scenario.scenario),
                problems,
            })?;
        documents.push(PlanDocument { traffic, effects, needed, trace });
        if bar.stop() {
            break;
        }
    }
    drop(bar);
    let partial = documents.iter().any(|document| document.traffic.partial);
    if partial {
        say("stopped: the figures hold for the part that was played");
    }
    let draft = scenario.draft();
    if args.json {
        let warnings = scenario.warnings();
        let answer = Answer { scenario: &draft.name, partial, warnings, verdict: None, result: &documents };
        return output.json("simulate", answer);
    }
    let answers: Vec<TrafficAnswer<'_>> = documents
        .iter()
        .map(|one| TrafficAnswer { traffic: &one.traffic, effects: &one.effects, needed: &one.needed })
        .collect();
    output.text(&format!("{}\n{}", draft.name, report::traffic(&answers, &draft.settings.money())))
}

/// The table of calls that is asked for.
fn table(path: Option<&Path>, scenario: &Scenario, plan: usize) -> Result<Option<RequestsWriter>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let names = scenario.draft().plans[plan].endpoints.iter().map(|endpoint| endpoint.id.clone());
    Ok(Some(RequestsWriter::create(path, names.collect())?))
}

/// Plays one plan, the modelled workload or a trace, and writes its calls.
fn play(
    args: &Args,
    scenario: &Scenario,
    ask: &TrafficAsk,
    table: Option<&mut RequestsWriter>,
    bar: &Bar,
) -> Result<(Traffic, Option<ReplayAccount>), CliError> {
    let failed: Mutex<Option<RequestsError>> = Mutex::new(None);
    let watcher = table.map(|table| {
        let (failed, mut rows) = (&failed, 0);
        Box::new(move |over: &Over<'_>| {
            let written = table.write(&over.record(rows));
            rows += 1;
            if let (Err(error), Ok(mut slot)) = (written, failed.lock()) {
                slot.get_or_insert(error);
            }
        }) as Box<dyn FnMut(&Over<'_>) + Send + '_>
    });
    let (traffic, account) = match &args.trace {
        None => (simulate(scenario, ask, None, watcher, bar)?, None),
        Some(path) => {
            let options = replay_options(args, scenario)?;
            let (traffic, account) = simulate_trace(scenario, ask, (path, &options), watcher, bar)?;
            (traffic, Some(account))
        }
    };
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(error.into());
    }
    for warning in account.iter().flat_map(ReplayAccount::warnings) {
        say(&format!("trace: {warning}"));
    }
    Ok((traffic, account))
}

fn replay_options(args: &Args, scenario: &Scenario) -> Result<ReplayOptions, CliError> {
    let stream = match &args.use_case {
        None => 0,
        Some(id) => stream_of(scenario, id).ok_or_else(|| {
            let enabled = scenario.facts().use_cases.iter();
            let known = enabled.map(|facts| scenario.point().workload.use_cases[facts.position].id.clone());
            CliError::NoUseCase { id: id.clone(), known: known.collect() }
        })?,
    };
    let from_secs = args.from.unwrap_or(0.0);
    Ok(ReplayOptions {
        rate: args.rate,
        prompt: args.prompt_factor,
        output: args.output_factor,
        from_secs,
        // Rows after the window count as outside; a trace that is repeated goes on into it.
        until_secs: args
            .window
            .filter(|secs| args.repeat == 1 && *secs > 0.0)
            .map(|secs| from_secs + secs * args.rate),
        repeat: args.repeat,
        columns: args.columns.clone().unwrap_or_default(),
        seed: args.seed.unwrap_or(scenario.draft().settings.seed),
        stream,
        sessions_per_hour: args.sessions_per_hour,
        lengths: args.lengths.clone(),
        pool: args.pool.clone(),
        ..ReplayOptions::default()
    })
}

/// Places of the plans that are asked for.
fn places(args: &Args, scenario: &Scenario) -> Result<Vec<usize>, CliError> {
    let plans = &scenario.draft().plans;
    if args.plan.is_empty() {
        return Ok((0..plans.len()).collect());
    }
    let place = |id: &String| {
        plans.iter().position(|plan| plan.id == *id).ok_or_else(|| CliError::NoPlan {
            id: id.clone(),
            known: plans.iter().map(|plan| plan.id.clone()).collect(),
        })
    };
    args.plan.iter().map(place).collect()
}

fn ask(args: &Args, scenario: &Scenario, plan: usize) -> TrafficAsk {
    TrafficAsk {
        month: args.month as usize - 1,
        window_secs: args.window.unwrap_or(if args.trace.is_some() { f64::INFINITY } else { DAY }),
        first_hour: args.start_hour.map(|hour| hour as usize),
        // A trace is counted from its first request on, unless one says otherwise.
        warmup_secs: args.warmup.or(args.trace.is_some().then_some(0.0)),
        replications: args.replications,
        batches: args.batches,
        rate_factor: args.rate,
        crowd: args.crowd,
        users: args.popularity,
        closed: args.users.map(|users| (users, args.think)),
        balance: args.balance,
        replicas: args.replicas,
        eviction: args.eviction,
        api_cv: args.api_cv,
        outages: args.outage.clone(),
        block_tokens: args.block_tokens,
        ..TrafficAsk::new(plan, args.seed.unwrap_or(scenario.draft().settings.seed))
    }
}
