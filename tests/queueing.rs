//! The simulator against queues whose law is known, and against a simulator that plays every step.
#![expect(clippy::unwrap_used, reason = "what cannot go on fails here, with its place")]

use breakeven::sim::{
    Balance, Done, EndpointKind, EndpointSpec, Job, KvWindow, Lost, Pace, PoolSpec, Prefix, Replica,
    ReplicaLimits, ReplicaScaling, Request, Role, Route, SimReport, SimSpec, SimTime, Simulation,
    StepConstants, StreamSpec,
};
use breakeven::stats::Stream;
use proptest::prelude::*;

/// One step, in seconds: small against a service, so that a slot of a step is no matter.
const STEP: f64 = 1e-3;
/// Mean answer, in steps.
const MEAN: f64 = 500.0;

fn limits(sequences: u32) -> ReplicaLimits {
    ReplicaLimits {
        sequences_max: sequences,
        step_tokens_max: 1 << 30,
        kv_blocks: 1 << 40,
        block_tokens: 16,
        context_max: 1 << 40,
        waiting_max: usize::MAX,
        window: None,
        swap_tokens_per_sec: None,
    }
}

fn pool(limits: ReplicaLimits, constants: StepConstants, replicas: u32, balance: Balance) -> PoolSpec {
    PoolSpec {
        pace: Pace::stated(constants, limits.sequences_max),
        limits,
        prefix_cache: false,
        balance,
        scaling: ReplicaScaling::Fixed(replicas),
        spot: None,
        front_secs: 0.0,
        prefill: None,
    }
}

fn system(pool: PoolSpec, warmup: SimTime) -> SimSpec {
    SimSpec {
        endpoints: vec![EndpointSpec {
            name: "gpu".into(),
            token_factor: 1.0,
            given_hit_share: 0.0,
            kind: EndpointKind::Own(Box::new(pool)),
        }],
        streams: vec![StreamSpec {
            name: "all".into(),
            route: Route::Single(0),
            cacheable: false,
            failure_share: 0.0,
            retries_max: 0,
            timeout_secs: None,
            backoff_secs: 1.0,
            expected_output: 1.0,
            ttft_slo_secs: 1e9,
            tpot_slo_secs: 1e9,
        }],
        exact: None,
        semantic: None,
        horizon: SimTime::NEVER,
        warmup,
        seed: 1,
    }
}

/// Poisson arrivals, answers of a length drawn from `length(u)`.
fn requests(
    seed: u64,
    n: u64,
    per_sec: f64,
    length: impl Fn(f64) -> f64 + Send + 'static,
) -> impl Iterator<Item = Request> + Send {
    let (gaps, lengths) = (Stream::new(seed, "gaps"), Stream::new(seed, "lengths"));
    let mut at = 0.0;
    (0..n).map(move |i| {
        at -= gaps.uniform(i).ln() / per_sec;
        let output = length(lengths.uniform(i)).round().max(1.0) as u32;
        Request::plain(SimTime::from_secs(at), 0, 1, output)
    })
}

fn run(spec: SimSpec, requests: impl Iterator<Item = Request> + Send) -> SimReport {
    let mut simulation = Simulation::new(spec, vec![Box::new(requests)]).unwrap();
    assert!(simulation.run(&mut |_| false));
    simulation.report()
}

fn geometric(u: f64) -> f64 {
    1.0 + (u.ln() / (-1.0 / MEAN).ln_1p()).floor()
}

/// Mean time in the queue over several seeds, with its standard error. A call that comes within a step waits for its
/// end when the replica is at work; that is taken off.
fn wait(servers: u32, load: f64, length: fn(f64) -> f64) -> (f64, f64) {
    let per_sec = load * f64::from(servers) / (MEAN * STEP);
    let means: Vec<f64> = (1..=12)
        .map(|seed| {
            let constants = StepConstants { step_secs: STEP, ..StepConstants::default() };
            let spec = system(
                pool(limits(servers), constants, 1, Balance::LeastLoaded),
                SimTime::from_secs(200.0 * MEAN * STEP),
            );
            let report = run(spec, requests(seed, 120_000, per_sec, length));
            report.streams[0].queue.mean_secs().unwrap()
        })
        .collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let var = means.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (var / n).sqrt())
}

/// Within four standard errors and the step at whose end a call can start.
fn agrees(what: &str, (found, error): (f64, f64), expected: f64) {
    assert!(
        found > expected - 4.0 * error && found < expected + 4.0 * error + STEP,
        "{what}: {found} +- {error}, expected {expected}"
    );
    assert!(error < 0.1 * expected.max(10.0 * STEP), "{what}: too few to tell, {found} +- {error}");
}

#[test]
fn one_server_waits_as_pollaczek_and_khinchine_say() {
    // W = lambda E[S^2] / (2 (1 - rho)); for the exponential rho S / (1 - rho), for the constant half of it.
    let service = MEAN * STEP;
    for load in [0.3, 0.7, 0.9] {
        let exponential = load * service / (1.0 - load);
        agrees("M/M/1", wait(1, load, geometric), exponential);
        agrees("M/D/1", wait(1, load, |_| MEAN), exponential / 2.0);
    }
    // Two lengths, 0.2 and 1.8 of the mean: E[S^2] = 1.64 of the mean's square.
    let two = |u: f64| if u < 0.5 { 0.2 * MEAN } else { 1.8 * MEAN };
    agrees("M/G/1", wait(1, 0.7, two), 1.64 * 0.7 * service / (2.0 * 0.3));
}

/// Probability that a call waits in M/M/c.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let mut blocked = 1.0;
    for k in 1..=servers {
        blocked = offered * blocked / (f64::from(k) + offered * blocked);
    }
    blocked / (1.0 - load * (1.0 - blocked))
}

#[test]
fn several_servers_wait_as_erlang_says() {
    for (servers, load) in [(2, 0.7), (8, 0.8), (32, 0.9)] {
        let expected = erlang_c(servers, load) * MEAN * STEP / (f64::from(servers) * (1.0 - load));
        agrees("M/M/c", wait(servers, load, geometric), expected);
    }
}

#[test]
fn what_is_inside_is_the_rate_times_the_time_inside() {
    // Little's law over the whole run: the integral of the number inside is the sum of the times inside.
    let constants = StepConstants { step_secs: STEP, ..StepConstants::default() };
    let (n, per_sec) = (50_000, 12.0);
    let spec = system(pool(limits(8), constants, 1, Balance::LeastLoaded), SimTime(0));
    let report = run(spec, requests(5, n, per_sec, geometric));
    let times = report.streams[0].e2e.mean_secs().unwrap() * n as f64;
    let mut arrivals = 0.0;
    let mut inside = 0.0;
    // From arrivals and answers alone, in each stretch of the timeline.
    let (mut came, mut left) = (0.0, 0.0);
    for bin in &report.timeline.bins {
        let before = came - left;
        came += bin.arrived as f64;
        left += bin.answered as f64;
        inside += 0.5 * (before + came - left) * report.timeline.bin_secs;
        arrivals += bin.arrived as f64;
    }
    assert_eq!((arrivals, came), (n as f64, left));
    // Within a stretch, arrivals and answers are taken as evenly spread.
    assert!((inside / times - 1.0).abs() < 0.03, "{inside} {times}");
}

/// The same scheduler, played step by step, with nothing clever: each sequence on its own.
///
/// A call whose caller waits no longer is out of the queue from then on, and out of the batch from the end of the step on.
fn played_step_by_step(
    limits: ReplicaLimits,
    c: StepConstants,
    jobs: &[Job],
    deadlines: &[u64],
) -> (Vec<(u64, u64, u64)>, u64) {
    struct Seq {
        job: usize,
        kv: u64,
        target: u64,
        answered: u64,
        first: Option<u64>,
    }
    let block = u64::from(limits.block_tokens);
    // In 64ths of a block; layers with a window hold no more than its blocks and one that is begun.
    let of = |tokens: u64| {
        let blocks = tokens.div_ceil(block);
        let windowed = limits.window.map_or(0, |window| (window.share * 64.0).round() as u64);
        let held = limits.window.map_or(blocks, |w| blocks.min(u64::from(w.tokens).div_ceil(block) + 1));
        (64 - windowed) * blocks + windowed * held
    };
    let kv_parts = 64 * limits.kv_blocks;
    let (mut now, mut next, mut preempted) = (0_u64, 0, 0);
    let mut waiting: std::collections::VecDeque<Seq> = Default::default();
    // In order of admission; the last one may be in its prompt.
    let mut running: Vec<Seq> = Vec::new();
    let mut out = Vec::new();
    let held = |running: &[Seq]| {
        running.iter().map(|s| of(if s.kv < s.target { s.target } else { s.kv })).sum::<u64>()
    };
    loop {
        if running.is_empty() && waiting.is_empty() {
            if next == jobs.len() {
                return (out, preempted);
            }
            now = now.max(jobs[next].arrival.0);
        }
        while next < jobs.len() && jobs[next].arrival.0 <= now {
            let target = u64::from(jobs[next].prompt_tokens.max(1));
            waiting.push_back(Seq { job: next, kv: 0, target, answered: 0, first: None });
            next += 1;
        }
        waiting.retain(|s| deadlines[s.job] > now);
        let decodes = |s: &Seq| s.kv >= s.target;
        let mut any_preempted = false;
        loop {
            let need: u64 = running.iter().filter(|s| decodes(s)).map(|s| of(s.kv + 1) - of(s.kv)).sum();
            if running.iter().filter(|s| decodes(s)).count() == 0 || held(&running) + need <= kv_parts {
                break;
            }
            let mut last = running.pop().unwrap();
            last.kv = 0;
            last.target = u64::from(jobs[last.job].prompt_tokens.max(1)) + last.answered;
            waiting.push_front(last);
            any_preempted = true;
            preempted += 1;
        }
        let decoding = running.iter().filter(|s| decodes(s)).count();
        let need: u64 = running.iter().filter(|s| decodes(s)).map(|s| of(s.kv + 1) - of(s.kv)).sum();
        let kv: u64 = running.iter().filter(|s| decodes(s)).map(|s| s.kv).sum();
        let mut left = u64::from(limits.step_tokens_max) - decoding as u64;
        let mut chunks: Vec<(usize, u64)> = Vec::new();
        for (at, s) in running.iter().enumerate().filter(|(_, s)| !decodes(s)) {
            let chunk = (s.target - s.kv).min(left);
            left -= chunk;
            chunks.push((at, chunk));
        }
        while !any_preempted && left > 0 && running.len() < limits.sequences_max as usize {
            let Some(front) = waiting.front() else { break };
            if held(&running) + need + of(front.target) > kv_parts {
                break;
            }
            let Some(seq) = waiting.pop_front() else { break };
            let chunk = seq.target.min(left);
            left -= chunk;
            running.push(seq);
            chunks.push((running.len() - 1, chunk));
        }
        if decoding == 0 && chunks.is_empty() {
            continue;
        }
        let prompt: u64 = chunks.iter().map(|(_, chunk)| chunk).sum();
        let mut secs = c.step_secs + decoding as f64 * c.per_sequence_secs + kv as f64 * c.per_kv_token_secs;
        if prompt > 0 {
            secs += c.prompt_step_secs + prompt as f64 * c.per_prompt_token_secs;
        }
        now += (secs * 1e9).round() as u64;
        let prompts: Vec<usize> = chunks.iter().map(|(at, _)| *at).collect();
        for (at, s) in running.iter_mut().enumerate() {
            if !prompts.contains(&at) {
                s.kv += 1;
                s.answered += 1;
            }
        }
        for (at, chunk) in chunks {
            let s = &mut running[at];
            s.kv += chunk;
            if s.kv >= s.target {
                s.answered += 1;
                s.first.get_or_insert(now);
            }
        }
        running.retain(|s| deadlines[s.job] > now);
        running.retain(|s| {
            let over = s.answered >= u64::from(jobs[s.job].output_tokens);
            if over {
                out.push((jobs[s.job].id, s.first.unwrap(), now));
            }
            !over
        });
    }
}

/// Answers, and preemptions. When all is over nothing is held.
fn replayed(
    limits: ReplicaLimits,
    constants: StepConstants,
    jobs: &[Job],
    deadlines: &[u64],
) -> (Vec<(u64, u64, u64)>, u64) {
    let pace = Pace::stated(constants, limits.sequences_max);
    let mut replica = Replica::new(limits, pace, Role::Both, false);
    let mut out = Vec::new();
    // Calls that come before calls that are taken back, as the engine plays them.
    let mut events: Vec<(u64, bool, usize)> =
        jobs.iter().enumerate().map(|(at, job)| (job.arrival.0, false, at)).collect();
    events.extend(deadlines.iter().enumerate().map(|(at, time)| (*time, true, at)));
    events.sort_unstable();
    let mut places = vec![0; jobs.len()];
    let (mut withdrawn, mut now) = (0, 0);
    for (time, back, at) in events.into_iter().filter(|(time, ..)| *time < u64::MAX) {
        while replica.next_event().is_some_and(|end| end.0 < time) {
            now = replica.next_event().unwrap().0;
            replica.advance(&mut |d: Done| out.push((d.job.id, d.first_token.0, d.finished.0)));
        }
        now = now.max(time);
        if back {
            // A call that is over is no longer found.
            withdrawn += u64::from(replica.withdraw(jobs[at].id, Some(places[at]), SimTime(time)));
        } else {
            places[at] = replica.enqueue(jobs[at].clone(), SimTime(time)).unwrap();
        }
    }
    while let Some(end) = replica.next_event() {
        now = end.0;
        replica.advance(&mut |d: Done| out.push((d.job.id, d.first_token.0, d.finished.0)));
    }
    let state = replica.state(SimTime(now));
    assert_eq!((state.waiting, state.running, state.kv_share), (0, 0, 0.0), "nothing is held");
    assert_eq!(replica.counts().withdrawn, withdrawn);
    assert_eq!(out.len() as u64 + withdrawn, jobs.len() as u64, "answered or taken back");
    (out, replica.counts().preemptions)
}

/// Answers of exactly one mean length, from a server with room for one.
fn impatient(timeout_secs: Option<f64>, retries_max: u32, load: f64) -> SimReport {
    let constants = StepConstants { step_secs: STEP, ..StepConstants::default() };
    let mut spec = system(pool(limits(1), constants, 1, Balance::LeastLoaded), SimTime(0));
    spec.streams[0].timeout_secs = timeout_secs;
    spec.streams[0].retries_max = retries_max;
    run(spec, requests(7, 20_000, load / (MEAN * STEP), |_| MEAN))
}

#[test]
fn who_waits_too_long_is_taken_back_and_tries_again_as_often_as_allowed() {
    let service = MEAN * STEP;
    let patient = impatient(None, 2, 0.8);
    assert_eq!((patient.streams[0].answered, patient.streams[0].retries), (20_000, 0));
    for (retries_max, load) in [(0, 0.8), (2, 0.8), (2, 3.0)] {
        let report = impatient(Some(3.0 * service), retries_max, load);
        let tally = &report.streams[0];
        let timed_out = tally.lost[&Lost::Timeout];
        assert_eq!(tally.answered + timed_out, 20_000, "answered or given up");
        assert_eq!(tally.lost_total(), timed_out);
        let used = report.endpoint_use(0);
        assert_eq!(
            used.failed_attempts,
            tally.retries + timed_out,
            "each failure is tried again or the last"
        );
        assert_eq!(report.pools[0].counts.withdrawn, used.failed_attempts);
        assert!(retries_max > 0 || tally.retries == 0);
        // The last attempt is answered within its patience; each one before took it all, and a wait of at most
        // 1 s, 2 s, ... before the next.
        let waits: f64 = (0..retries_max).map(|again| 3.0 * service + f64::from(1 << again)).sum();
        let longest = tally.e2e.quantile_secs(1.0).unwrap();
        assert!(longest <= (3.0 * service + waits) * 1.001, "{longest}");
        assert!(tally.e2e.quantile_secs(0.0).unwrap() >= 0.999 * service);
        assert_eq!((report.inside, report.pools[0].waiting), (0, 0.0));
    }
    // Nobody is answered who waits for less than an answer takes.
    let hopeless = impatient(Some(0.9 * service), 1, 0.5);
    assert_eq!((hopeless.streams[0].answered, hopeless.streams[0].lost[&Lost::Timeout]), (0, 20_000));
    assert_eq!(hopeless.streams[0].retries, 20_000);
}

#[test]
fn swapped_kv_is_not_computed_again_and_the_link_takes_its_time() {
    let constants =
        StepConstants { step_secs: STEP, per_prompt_token_secs: 1e-5, ..StepConstants::default() };
    // Eight answers at once need twice the blocks that there are.
    let tight = |swap_tokens_per_sec| ReplicaLimits { kv_blocks: 80, swap_tokens_per_sec, ..limits(8) };
    let played = |swap: Option<f64>| {
        let calls = (0..400).map(|i| Request::plain(SimTime::from_secs(f64::from(i) * 0.02), 0, 100, 200));
        let report = run(system(pool(tight(swap), constants, 1, Balance::LeastLoaded), SimTime(0)), calls);
        assert_eq!(report.streams[0].answered, 400);
        (report.pools[0].counts, report.streams[0].e2e.mean_secs().unwrap())
    };
    let (again, _) = played(None);
    let (swapped, fast) = played(Some(1e9));
    let (_, slow) = played(Some(1e4));
    assert!(again.preemptions > 0 && swapped.preemptions > 0, "{again:?} {swapped:?}");
    assert!(again.prompt_tokens > 400 * 100, "computed again");
    assert_eq!(swapped.prompt_tokens, 400 * 100, "each prompt once");
    assert!(slow > fast, "{slow} {fast}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn steps_summed_in_closed_form_are_the_steps_played_one_by_one(
        calls in prop::collection::vec((0_u64..40_000_000, 1_u32..90, 1_u32..60), 1..60),
        sequences in 1_u32..12,
        step_tokens in 12_u32..64,
        blocks in 12_u64..80,
        block_log in 0_u32..5,
        patience in prop::collection::vec(prop::option::of(0_u64..400_000), 60),
        patient in any::<bool>(),
        window in prop::option::of((1_u32..120, 0.0_f64..1.0)),
    ) {
        let limits = ReplicaLimits {
            sequences_max: sequences,
            step_tokens_max: step_tokens,
            kv_blocks: blocks.max(150_u64.div_ceil(1 << block_log)),
            block_tokens: 1 << block_log,
            window: window.map(|(tokens, share)| KvWindow { tokens, share }),
            ..limits(sequences)
        };
        // Whole nanoseconds, so that sums of steps and steps of sums are the same.
        let constants = StepConstants {
            step_secs: 900e-9,
            prompt_step_secs: 300e-9,
            per_prompt_token_secs: 17e-9,
            per_sequence_secs: 11e-9,
            per_kv_token_secs: 3e-9,
        };
        let mut at = 0;
        let jobs: Vec<Job> = calls.iter().enumerate().map(|(id, (gap, prompt, output))| {
            at += gap / 2_000;
            Job {
                id: id as u64,
                arrival: SimTime(at),
                prompt_tokens: *prompt,
                output_tokens: *output,
                prefix: Prefix::None,
                given_tokens: 0,
                first_token: None,
            }
        }).collect();
        let deadlines: Vec<u64> = jobs
            .iter()
            .zip(patience)
            .map(|(job, patience)| patience.filter(|_| !patient).map_or(u64::MAX, |ns| job.arrival.0 + ns))
            .collect();
        let (mut expected, preempted) = played_step_by_step(limits, constants, &jobs, &deadlines);
        let (mut found, preemptions) = replayed(limits, constants, &jobs, &deadlines);
        expected.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(preemptions, preempted);
    }
}
