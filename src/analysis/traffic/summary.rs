//! What a plan's simulated window came to, with confidence intervals over its replications.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::scenario::Scenario;
use crate::sim::{EndpointUse, Lost, ReplicaCounts, SimReport, StreamTally, TimelineReport, Times};

use super::super::results::Header;
use super::ask::TrafficAsk;
use super::cost::{HourlyCost, costs};

/// A mean over replications with its 95 % confidence interval (Student's t); with one replication nothing is known of
/// the interval, unless it was cut into batches: then it is over these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The mean over the replications.
    pub mean: f64,
    /// Half the width of the interval; `None` for one replication that is not cut into batches.
    pub half_width: Option<f64>,
}

impl Interval {
    /// Of one value per replication; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let half_width = (values.len() > 1).then(|| {
            let var = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.96, |law| law.inverse_cdf(0.975));
            t * (var / n).sqrt()
        });
        Some(Self { mean, half_width })
    }
}

/// A time over requests, in seconds: percentiles of all replications together, intervals over the replications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Requests.
    pub count: u64,
    /// Mean.
    pub mean: Interval,
    /// Median.
    pub p50: Interval,
    /// 95th percentile.
    pub p95: Interval,
    /// 99th percentile.
    pub p99: Interval,
    /// Points (seconds, share of the requests within), for a picture.
    pub curve: Vec<(f64, f64)>,
}

/// Points of a curve.
const CURVE: usize = 100;

impl Percentiles {
    fn of(times: &[&Times]) -> Option<Self> {
        let mut all = Times::default();
        times.iter().for_each(|one| all.add(one));
        let over = |of: &dyn Fn(&Times) -> Option<f64>| {
            Interval::of(&times.iter().filter_map(|one| of(one)).collect::<Vec<_>>())
        };
        let quantile = |share: f64| {
            let interval = over(&|times: &Times| times.quantile_secs(share))?;
            Some(Interval { mean: all.quantile_secs(share)?, ..interval })
        };
        Some(Self {
            count: all.count(),
            mean: Interval { mean: all.mean_secs()?, ..over(&Times::mean_secs)? },
            p50: quantile(0.5)?,
            p95: quantile(0.95)?,
            p99: quantile(0.99)?,
            curve: all.curve(CURVE),
        })
    }
}

/// One stream of requests, or all together. Counts are sums over the replications, without the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamTraffic {
    /// The use case; `all` for all together.
    pub id: String,
    /// Calls that came.
    pub arrived: u64,
    /// Answered by an endpoint.
    pub answered: u64,
    /// Asked a response cache: those that may be answered from one.
    pub asked: u64,
    /// Answered from the exact cache.
    pub exact_hits: u64,
    /// Answered from the semantic cache.
    pub semantic_hits: u64,
    /// Of the hits, the wrong answer.
    pub false_hits: u64,
    /// Not answered, by reason.
    pub lost: BTreeMap<Lost, u64>,
    /// Attempts after the first.
    pub retries: u64,
    /// Went to the fallback of an overflow.
    pub overflowed: u64,
    /// Still inside when it was stopped.
    pub inside: u64,
    /// Share of the calls that came which were answered within both latency targets, cached answers included.
    pub slo_attainment: Option<Interval>,
    /// Calls per second answered within both targets by endpoints.
    pub goodput_calls_per_sec: Interval,
    /// Output tokens per second in answers within both targets.
    pub goodput_tokens_per_sec: Interval,
    /// Output tokens per second.
    pub output_tokens_per_sec: Interval,
    /// Time to first token; `None` if nothing was answered.
    pub ttft_secs: Option<Percentiles>,
    /// Time per output token after the first.
    pub tpot_secs: Option<Percentiles>,
    /// From the call to its last token.
    pub e2e_secs: Option<Percentiles>,
    /// Time in queues of own GPUs.
    pub queue_secs: Option<Percentiles>,
}

impl StreamTraffic {
    fn of(id: &str, tallies: &[StreamTally], secs: f64) -> Self {
        let mut sum = StreamTally::default();
        tallies.iter().for_each(|tally| sum.add(tally));
        let rate = |of: &dyn Fn(&StreamTally) -> u64| {
            let rates: Vec<f64> = tallies.iter().map(|tally| of(tally) as f64 / secs.max(1e-9)).collect();
            Interval::of(&rates).unwrap_or(Interval { mean: 0.0, half_width: None })
        };
        let attained: Vec<f64> = tallies
            .iter()
            .filter(|tally| tally.arrived > 0)
            .map(|tally| {
                (tally.within_slo + tally.exact_hits + tally.semantic_hits) as f64 / tally.arrived as f64
            })
            .collect();
        let times = |of: fn(&StreamTally) -> &Times| {
            let all: Vec<&Times> = tallies.iter().map(of).collect();
            Percentiles::of(&all)
        };
        Self {
            id: id.to_owned(),
            arrived: sum.arrived,
            answered: sum.answered,
            asked: sum.asked,
            exact_hits: sum.exact_hits,
            semantic_hits: sum.semantic_hits,
            false_hits: sum.false_hits,
            inside: sum.arrived.saturating_sub(sum.over()),
            lost: sum.lost,
            retries: sum.retries,
            overflowed: sum.overflowed,
            slo_attainment: Interval::of(&attained),
            goodput_calls_per_sec: rate(&|tally| tally.within_slo),
            goodput_tokens_per_sec: rate(&|tally| tally.good_output_tokens),
            output_tokens_per_sec: rate(&|tally| tally.output_tokens),
            ttft_secs: times(|tally| &tally.ttft),
            tpot_secs: times(|tally| &tally.tpot),
            e2e_secs: times(|tally| &tally.e2e),
            queue_secs: times(|tally| &tally.queue),
        }
    }

    /// Share of the calls that a response cache answered.
    #[must_use]
    pub fn hit_share(&self) -> f64 {
        (self.exact_hits + self.semantic_hits) as f64 / self.arrived.max(1) as f64
    }

    /// Share of the calls that came which were lost.
    #[must_use]
    pub fn lost_share(&self) -> f64 {
        self.lost.values().sum::<u64>() as f64 / self.arrived.max(1) as f64
    }
}

/// One endpoint, sums over the replications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndpointTraffic {
    /// Id within the plan.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Calls and tokens, in the endpoint's own, without the warm-up.
    pub usage: EndpointUse,
    /// Prompt tokens found in a prompt or prefix cache over prompt tokens sent.
    pub prompt_hit_share: f64,
    /// What its replicas did, if it is own GPUs.
    pub pool: Option<PoolTraffic>,
}

/// Replicas of an own endpoint over the window, the warm-up and the time until the last answer included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolTraffic {
    /// Replica-hours paid per hour: the mean number of replicas.
    pub replicas: Interval,
    /// Share of the paid time in which they worked.
    pub utilisation: Interval,
    /// Share of the time in which the busiest replica worked.
    pub busiest: Interval,
    /// Most calls that waited at once, at the times that were looked at.
    pub waiting_max: f64,
    /// Largest share of the KV in use, at the times that were looked at.
    pub kv_share_max: f64,
    /// Steps, preemptions, tokens.
    pub counts: ReplicaCounts,
    /// Spot interruptions.
    pub interruptions: u64,
    /// Replicas started by the autoscaler.
    pub starts: u64,
    /// Whether its queue grew all the time: it cannot keep up.
    pub falls_behind: bool,
}

/// The time that was simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrafficWindow {
    /// Month whose volume is taken, from 0.
    pub month: usize,
    /// Hour of the week in which it begins.
    pub first_hour: usize,
    /// Length, in seconds.
    pub secs: f64,
    /// Of it, not counted.
    pub warmup_secs: f64,
    /// How far the first replication came, in seconds.
    pub end_secs: f64,
}

/// A plan under simulated traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// What it was computed from; its draws are the replications.
    pub header: Header,
    /// Id of the plan.
    pub plan: String,
    /// Name for people.
    pub name: String,
    /// The time that was simulated.
    pub window: TrafficWindow,
    /// Times that it was played.
    pub replications: u32,
    /// Parts of the only replication over which the intervals of its streams are taken; 0: over replications.
    pub batches: u32,
    /// Correlation of the mean time of a whole answer in a part with that in the next one, -1..=1: well above 0 says that
    /// the parts are too short, or that the load changes within the window, and that the intervals are too narrow.
    pub batch_correlation: Option<f64>,
    /// Calls played, those of the warm-up included.
    pub played: u64,
    /// Whether a trace was played instead of the modelled workload.
    pub replayed: bool,
    /// Whether it was stopped before its end.
    pub partial: bool,
    /// All use cases together.
    pub total: StreamTraffic,
    /// By use case.
    pub streams: Vec<StreamTraffic>,
    /// By endpoint.
    pub endpoints: Vec<EndpointTraffic>,
    /// The first replication over time.
    pub timeline: TimelineReport,
    /// What each stretch of the timeline costs.
    pub costs: Vec<HourlyCost>,
}

impl Traffic {
    /// Mean cost of the window, its warm-up included; what is left to answer after it is not in it. `None` before there
    /// is anything.
    #[must_use]
    pub fn mean_cost(&self) -> Option<HourlyCost> {
        let bins = (self.window.secs.min(self.window.end_secs) / self.timeline.bin_secs.max(1e-9)).ceil();
        let costs = &self.costs[..(bins as usize).min(self.costs.len())];
        let mean = |of: fn(&HourlyCost) -> f64| costs.iter().map(of).sum::<f64>() / costs.len() as f64;
        (!costs.is_empty()).then(|| HourlyCost {
            provider_usd: mean(|cost| cost.provider_usd),
            gpu_usd: mean(|cost| cost.gpu_usd),
            gpu_hours: mean(|cost| cost.gpu_hours),
        })
    }
}

/// One replication cut into parts of equal length, after the warm-up.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    /// What each part counted, by stream.
    parts: Vec<Vec<StreamTally>>,
}

impl Batches {
    /// From what was counted by the end of each part but the last, and in all. `None` without such ends.
    pub fn ending_with(ends: Vec<Vec<StreamTally>>, all: &SimReport) -> Option<Self> {
        if ends.is_empty() {
            return None;
        }
        let begin = all.streams.iter().map(|_| StreamTally::default()).collect();
        let bounds: Vec<Vec<StreamTally>> =
            std::iter::once(begin).chain(ends).chain([all.streams.clone()]).collect();
        let part = |pair: &[Vec<StreamTally>]| {
            pair[1].iter().zip(&pair[0]).map(|(later, earlier)| later.since(earlier)).collect()
        };
        Some(Self { parts: bounds.windows(2).map(part).collect() })
    }

    fn total(part: &[StreamTally]) -> StreamTally {
        let mut sum = StreamTally::default();
        part.iter().for_each(|stream| sum.add(stream));
        sum
    }

    /// Correlation of the mean time of a whole answer in a part with that in the next one.
    fn correlation(&self) -> Option<f64> {
        let means: Option<Vec<f64>> =
            self.parts.iter().map(|part| Self::total(part).e2e.mean_secs()).collect();
        let means = means.filter(|means| means.len() > 2)?;
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        let off: Vec<f64> = means.iter().map(|x| x - mean).collect();
        let var: f64 = off.iter().map(|x| x * x).sum();
        (var > 0.0).then(|| off.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / var)
    }
}

/// - `batches`: parts of the only replication, whose spread the intervals tell.
/// - `replayed`, `partial`: whether a trace was played, and whether it was stopped.
pub(super) fn sum_up(
    scenario: &Scenario,
    ask: &TrafficAsk,
    header: Header,
    (reports, batches): (&[SimReport], Option<&Batches>),
    (replayed, partial): (bool, bool),
) -> Traffic {
    let state = scenario.point();
    let plan = &state.plans[ask.plan];
    let end_secs = reports.first().map_or(0.0, |report| report.end.secs());
    let secs = (end_secs.min(ask.window_secs) - ask.warmup()).max(0.0);
    let of = |id: &str, of: &dyn Fn(&[StreamTally]) -> StreamTally| match batches {
        Some(Batches { parts }) => {
            let parts: Vec<_> = parts.iter().map(|part| of(part)).collect();
            StreamTraffic::of(id, &parts, secs / parts.len() as f64)
        }
        None => {
            let each: Vec<_> = reports.iter().map(|report| of(&report.streams)).collect();
            StreamTraffic::of(id, &each, secs)
        }
    };
    let use_cases = scenario.facts().use_cases.iter().enumerate();
    let streams = use_cases
        .map(|(slot, facts)| {
            let id = &state.workload.use_cases[facts.position].id;
            of(id, &|streams: &[StreamTally]| streams.get(slot).cloned().unwrap_or_default())
        })
        .collect();
    let endpoints = plan.endpoints.iter().enumerate().map(|(at, endpoint)| {
        let mut usage = EndpointUse::default();
        reports.iter().for_each(|report| usage.add(&report.endpoint_use(at)));
        EndpointTraffic {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            usage,
            prompt_hit_share: usage.cached_tokens as f64 / usage.prompt_tokens.max(1) as f64,
            pool: pool(reports, at),
        }
    });
    let timeline = reports.first().map(|report| report.timeline.clone()).unwrap_or_default();
    Traffic {
        header,
        plan: plan.id.clone(),
        name: plan.name.clone(),
        window: TrafficWindow {
            month: ask.month,
            first_hour: ask.begins(scenario),
            secs: if ask.window_secs.is_finite() { ask.window_secs } else { end_secs },
            warmup_secs: ask.warmup(),
            end_secs,
        },
        replications: ask.replications.max(1),
        played: reports.iter().map(|report| report.played).sum(),
        replayed,
        partial,
        batches: batches.map_or(0, |batches| batches.parts.len() as u32),
        batch_correlation: batches.and_then(Batches::correlation),
        total: of("all", &Batches::total),
        streams,
        endpoints: endpoints.collect(),
        costs: costs(scenario, ask, &timeline),
        timeline,
    }
}

fn pool(reports: &[SimReport], endpoint: usize) -> Option<PoolTraffic> {
    let with = |report: &SimReport| report.pools.iter().position(|pool| pool.endpoint == endpoint);
    let place = reports.first().and_then(with)?;
    let pools: Vec<_> =
        reports.iter().filter_map(|report| Some((report, report.pools.get(place)?))).collect();
    let interval = |of: &dyn Fn(&SimReport, usize) -> f64| {
        Interval::of(&pools.iter().map(|(report, _)| of(report, place)).collect::<Vec<_>>())
    };
    let samples =
        || pools.iter().flat_map(|(report, _)| &report.timeline.bins).filter_map(|bin| bin.pools.get(place));
    let mut counts = ReplicaCounts::default();
    for (_, pool) in &pools {
        counts.add(&pool.counts);
    }
    Some(PoolTraffic {
        replicas: interval(&|report, at| {
            report.pools[at].replica_hours * 3600.0 / report.end.secs().max(1e-9)
        })?,
        busiest: interval(&|report, at| {
            (report.pools[at].busiest_hours * 3600.0 / report.end.secs().max(1e-9)).min(1.0)
        })?,
        utilisation: interval(&|report, at| report.pools[at].utilisation())?,
        waiting_max: samples().map(|sample| sample.waiting).fold(0.0, f64::max),
        kv_share_max: samples().map(|sample| sample.kv_share).fold(0.0, f64::max),
        counts,
        interruptions: pools.iter().map(|(_, pool)| pool.interruptions).sum(),
        starts: pools.iter().map(|(_, pool)| pool.starts).sum(),
        falls_behind: pools.iter().any(|(report, _)| report.falls_behind(place)),
    })
}
