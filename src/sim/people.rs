//! Requests of a use case: people who ask, read, think and ask again, and agents that call until they are done.

use rand_distr::{Distribution, Exp1, Gamma, LogNormal, Zipf};

use crate::stats::Z95;
use crate::unit::SimTime;
use crate::workload::{Count, CountKind, Length, LengthSpread, Quantiles, UseCase};

use super::answers::KEY_BITS;
use super::arrivals::{Arrivals, Crowd, Renewal};
use super::draws::Draws;
use super::prefix::{Prefix, SPREAD, Talk};
use super::request::{AnsweredBy, Key, Request, Source};

/// Longest prompt or answer that is drawn, in tokens.
const TOKENS_MAX: f64 = 1e9;

/// Draws of a length.
#[derive(Clone, Debug)]
enum Lengths {
    Fixed(f64),
    LogNormal(LogNormal<f64>),
    Gamma(Gamma<f64>),
    Table(Quantiles, f64),
}

impl Lengths {
    fn of(length: &Length<f64>) -> Self {
        let median = length.median.clamp(0.0, TOKENS_MAX);
        let ratio = (length.p95 / median.max(1e-9)).clamp(1.0, 1e6);
        let sigma = ratio.ln() / Z95;
        let fixed = Self::Fixed(median);
        match &length.spread {
            LengthSpread::Fixed => fixed,
            _ if median <= 0.0 => fixed,
            LengthSpread::Empirical(table) if table.fault().is_none() => {
                Self::Table(table.clone(), median / table.median())
            }
            LengthSpread::LogNormal if sigma > 0.0 => {
                LogNormal::new(median.ln(), sigma).map_or(fixed, Self::LogNormal)
            }
            LengthSpread::Gamma if sigma > 0.0 => {
                // The mean and the variance of the log-normal.
                let shape = 1.0 / (sigma * sigma).exp_m1();
                let mean = median * (0.5 * sigma * sigma).exp();
                Gamma::new(shape, mean / shape).map_or(fixed, Self::Gamma)
            }
            _ => fixed,
        }
    }

    #[inline]
    fn draw(&self, draws: &mut Draws) -> f64 {
        let tokens = match self {
            Self::Fixed(tokens) => *tokens,
            Self::LogNormal(law) => law.sample(draws),
            Self::Gamma(law) => law.sample(draws),
            Self::Table(table, scale) => table.quantile(draws.uniform()) * scale,
        };
        tokens.min(TOKENS_MAX)
    }
}

fn draw_count(count: &Count<f64>, draws: &mut Draws) -> u32 {
    let mean = count.expectation();
    let drawn = match count.kind {
        CountKind::Fixed => mean.floor() + f64::from(u8::from(draws.happens(mean.fract()))),
        // From 1 on, each followed by another with probability 1 - 1 / mean.
        CountKind::Geometric if mean <= 1.0 => 1.0,
        CountKind::Geometric => 1.0 + (draws.uniform().ln() / (-1.0 / mean).ln_1p()).floor(),
    };
    drawn.clamp(1.0, 1e6) as u32
}

/// A conversation under way.
#[derive(Clone, Copy, Debug, Default)]
struct Under {
    /// The conversation, and who has it.
    session: u64,
    user_id: u64,
    turn: u32,
    turns_left: u32,
    calls_left: u32,
    history: f64,
    /// How often the history has lost its beginning.
    beginnings: u32,
    user: f64,
    /// What the agent's calls of this turn added.
    transcript: f64,
    /// Tokens of the call that is out.
    output: f64,
}

/// Who asks: so many users, some of them much more often than others.
///
/// The user at rank `k` asks in proportion to `k^-exponent` (Zipf): at 0 all alike, at 1 the first of 10,000 asks a tenth
/// of everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Users {
    /// How many; >= 1.
    pub count: u32,
    /// Zipf's exponent, 0 or more.
    pub exponent: f64,
}

/// What differs between simulations of a use case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeopleOptions {
    /// Factor on the use case's requests per day.
    pub rate_factor: f64,
    /// Hour of the week in which the simulation begins.
    pub first_hour: usize,
    /// Flash crowds on top of the week.
    pub crowd: Option<Crowd>,
    /// Who begins conversations: what affinity keeps together is then all that a user asks. `None`: each conversation is
    /// of a user of its own.
    pub users: Option<Users>,
    /// Users in a closed loop instead of arrivals at a rate, with their mean time to think in seconds.
    pub closed: Option<(u32, f64)>,
    /// Seed of all draws.
    pub seed: u64,
}

/// The requests of one use case.
pub struct People {
    stream: u16,
    arrivals: Option<Arrivals>,
    closed: Option<(u32, f64)>,
    started: u32,
    user: Lengths,
    output: Lengths,
    use_case: UseCase<f64>,
    popularity: Option<Zipf<f64>>,
    /// Who begins, with draws of its own: everything else is drawn as without.
    users: Option<(Zipf<f64>, Draws)>,
    draws: Draws,
    talks: Vec<Under>,
    free: Vec<u32>,
    sessions: u64,
    follows: bool,
    sends_again: bool,
}

impl People {
    /// The people of the use case at place `stream`.
    #[must_use]
    pub fn new(use_case: &UseCase<f64>, stream: u16, options: &PeopleOptions) -> Self {
        let name = |what: &str| format!("sim.{}.{what}", use_case.id);
        let turns = use_case.conversation.turns.expectation();
        let calls = use_case.agent.calls.expectation();
        let per_sec = use_case.requests_per_day * options.rate_factor / 86_400.0 / turns;
        let draws = |what| Draws::new(options.seed, &name(what));
        let arrivals = options.closed.is_none().then(|| {
            let renewal = Renewal::of(use_case.burstiness_cv);
            let weights = use_case.profile.weights();
            Arrivals::new(per_sec, &weights, options.first_hour, renewal, options.crowd, draws("arrivals"))
        });
        let repetition = &use_case.repetition;
        let popularity = Zipf::new(repetition.distinct.clamp(1.0, 1e15), repetition.zipf_alpha.max(0.0)).ok();
        Self {
            stream,
            arrivals,
            closed: options.closed,
            started: 0,
            user: Lengths::of(&use_case.user_tokens),
            output: Lengths::of(&use_case.output_tokens),
            popularity: popularity.filter(|_| repetition.cacheable_share > 0.0),
            users: options.users.and_then(|users| {
                let law = Zipf::new(f64::from(users.count.max(1)), users.exponent.max(0.0)).ok()?;
                Some((law, draws("users")))
            }),
            draws: draws("requests"),
            talks: Vec::new(),
            free: Vec::new(),
            sessions: 0,
            follows: turns > 1.0 || calls > 1.0 || options.closed.is_some(),
            sends_again: turns > 1.0 || calls > 1.0,
            use_case: use_case.clone(),
        }
    }

    /// What the next turn asks, if it may be answered from a response cache.
    ///
    /// Wording and meaning are drawn apart, each by the use case's popularity, as the closed form takes them: the semantic
    /// cache sees what the exact one does not answer as a stream of the same popularity.
    fn key(&mut self) -> Option<Key> {
        let law = self.popularity.as_ref()?;
        if !self.draws.happens(self.use_case.repetition.cacheable_share) {
            return None;
        }
        let stream = u64::from(self.stream) << KEY_BITS;
        let exact = stream ^ law.sample(&mut self.draws) as u64;
        Some(Key { exact, like: stream ^ law.sample(&mut self.draws) as u64 })
    }

    fn begin(&mut self, at: SimTime) -> Request {
        self.sessions += 1;
        let session = (u64::from(self.stream) << 48) + self.sessions;
        let user_id = match &mut self.users {
            Some((law, draws)) => (u64::from(self.stream) << 48) + law.sample(draws) as u64,
            None => session,
        };
        let mut talk = Under { session, user_id, ..Under::default() };
        if !self.follows {
            talk.calls_left = 1;
            talk.user = self.user.draw(&mut self.draws);
            return self.call(&mut talk, true, at, 0);
        }
        talk.turns_left = draw_count(&self.use_case.conversation.turns, &mut self.draws);
        let place = self.free.pop().unwrap_or_else(|| {
            self.talks.push(Under::default());
            (self.talks.len() - 1) as u32
        });
        let request = self.turn(&mut talk, at, place);
        self.talks[place as usize] = talk;
        request
    }

    fn turn(&mut self, talk: &mut Under, at: SimTime, place: u32) -> Request {
        talk.turns_left -= 1;
        talk.turn += 1;
        talk.calls_left = draw_count(&self.use_case.agent.calls, &mut self.draws);
        talk.user = self.user.draw(&mut self.draws);
        talk.transcript = 0.0;
        self.call(talk, true, at, place)
    }

    fn call(&mut self, talk: &mut Under, first: bool, at: SimTime, place: u32) -> Request {
        talk.calls_left -= 1;
        let key = if first { self.key() } else { None };
        let use_case = &self.use_case;
        let mut output = self.output.draw(&mut self.draws);
        if let Some(most) = use_case.max_tokens {
            output = output.min(most.max(0.0));
        }
        if self.draws.happens(use_case.early_stop.share) {
            output *= use_case.early_stop.at_fraction.clamp(0.0, 1.0);
        }
        talk.output = output;
        let system = use_case.system_prompt_tokens.max(0.0);
        let prompt = system + talk.history + use_case.retrieved_tokens.max(0.0) + talk.user + talk.transcript;
        Request {
            at,
            stream: self.stream,
            prompt_tokens: tokens(prompt).max(1),
            output_tokens: tokens(output + use_case.reasoning_tokens.max(0.0)).max(1),
            prefix: Prefix::Session {
                root: u64::from(self.stream) + 1,
                root_tokens: tokens(system),
                talk: self.sends_again.then(|| Talk {
                    id: talk.session.wrapping_add(u64::from(talk.beginnings).wrapping_mul(SPREAD)),
                    turn: talk.turn,
                    kept_tokens: self.kept_tokens(system, talk),
                }),
            },
            key,
            session: talk.user_id,
            note: u64::from(place),
        }
    }

    /// Leading tokens of this turn's prompts that the next turn's begin with too. All, where a turn only adds to what was
    /// said; up to the user's text, where only the agent's transcript is dropped; the system prompt and the history, where
    /// context is retrieved anew or the turn is shortened when it becomes history. (A history that outgrows its limit
    /// loses its beginning: see `remember`.)
    fn kept_tokens(&self, system: f64, talk: &Under) -> u32 {
        if self.use_case.retrieved_tokens > 0.0 || self.use_case.conversation.history_kept < 1.0 {
            tokens(system + talk.history)
        } else if !self.use_case.agent.transcript_kept && (talk.calls_left > 0 || talk.transcript > 0.0) {
            tokens(system + talk.history + talk.user)
        } else {
            u32::MAX
        }
    }

    /// What a finished turn leaves behind.
    fn remember(&self, talk: &mut Under) {
        let conversation = &self.use_case.conversation;
        let transcript = if self.use_case.agent.transcript_kept { talk.transcript } else { 0.0 };
        let kept = conversation.history_kept.clamp(0.0, 1.0);
        talk.history += kept * (talk.user + talk.output + transcript);
        if let Some(limit) = conversation.history_limit_tokens
            && talk.history > limit.max(0.0)
        {
            talk.history = limit.max(0.0);
            talk.beginnings += 1;
        }
    }

    fn after(&mut self, mean_secs: f64, now: SimTime) -> SimTime {
        let e: f64 = Exp1.sample(&mut self.draws);
        now + SimTime::from_secs(e * mean_secs.max(0.0))
    }
}

fn tokens(tokens: f64) -> u32 {
    tokens.round().clamp(0.0, TOKENS_MAX) as u32
}

impl Source for People {
    fn next(&mut self) -> Option<Request> {
        let at = match self.closed {
            Some((users, _)) if self.started >= users => return None,
            Some((users, think)) => {
                self.started += 1;
                // One after the other over the first time to think, as if they had been there before.
                let share = f64::from(self.started - 1) / f64::from(users);
                SimTime::from_secs(share * think.max(0.0))
            }
            None => self.arrivals.as_mut()?.next()?,
        };
        Some(self.begin(at))
    }

    fn over(&mut self, request: &Request, now: SimTime, by: AnsweredBy, then: &mut Vec<Request>) {
        if !self.follows {
            return;
        }
        let place = request.note as u32;
        let mut talk = self.talks[place as usize];
        let served = by != AnsweredBy::Nobody;
        // An answer from a cache is the answer of the whole turn.
        if by == AnsweredBy::Endpoint && talk.calls_left > 0 {
            talk.transcript += talk.output + self.use_case.agent.tool_result_tokens.max(0.0);
            let at = self.after(self.use_case.agent.tool_secs, now);
            then.push(self.call(&mut talk, false, at, place));
        } else if served && talk.turns_left > 0 {
            self.remember(&mut talk);
            let at = self.after(self.use_case.conversation.gap_secs, now);
            then.push(self.turn(&mut talk, at, place));
        } else {
            self.free.push(place);
            if let Some((_, think)) = self.closed {
                let at = self.after(think, now);
                then.push(self.begin(at));
            }
            return;
        }
        self.talks[place as usize] = talk;
    }

    fn follows(&self) -> bool {
        self.follows
    }
}
