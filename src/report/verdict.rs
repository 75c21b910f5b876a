//! The answer in words, by a small grammar over the results.
//!
//! It claims no more than the draws support. A plan *is* the cheapest when it is so in at least 95 % of the draws,
//! *probably* from 80 % on; below that it is too close to call. Both bounds must hold for the lower end of the
//! Wilson interval, so that a few draws claim less than many.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::analysis::{BreakEven, Crossing, Forecast, Limit, Outcome, PlanOutcome, Severity};
use crate::scenario::labels;
use crate::unit::format::{self, Money};

/// From this probability on a plan is called the cheapest.
const SURE: f64 = 0.95;

/// From this probability on a plan is called probably the cheapest.
const LIKELY: f64 = 0.8;

/// A plan that is the cheapest in fewer draws than this is no contender.
const CONTENDER: f64 = 0.05;

/// A rank correlation below this explains too little to be named.
const DRIVER_MIN: f64 = 0.1;

/// A smaller difference in quality is within what anybody can judge.
const QUALITY_STEP: f64 = 0.02;

/// A share of requests not answered that is rounding rather than loss.
const SERVED_ALL: f64 = 0.9995;

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// One plan is the cheapest in at least 95 % of the draws.
    Clear,
    /// One plan is the cheapest in at least 80 % of the draws.
    Likely,
    /// Too close to call.
    Close,
    /// No draws yet: the answer at the expected values.
    Provisional,
    /// There is no answer: nothing is fully priced and serves everything.
    Wrong,
}

impl Tone {
    /// The word that stands beside the colour.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Clear => "Clear",
            Self::Likely => "Likely",
            Self::Close => "Too close to call",
            Self::Provisional => "Expected values only",
            Self::Wrong => "No answer",
        }
    }
}

/// The answer in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The answer in one sentence, without a full stop.
    pub headline: String,
    /// What qualifies it, most important first; whole sentences.
    pub sentences: Vec<String>,
    /// How sure it is.
    pub tone: Tone,
}

/// The answer to the scenario's question: which plan, at what cost, how certain, and where it flips.
///
/// `forecast` and `break_even` may be missing or of another revision's making as long as their plans are the same;
/// what does not fit the outcome is not used. `money` shows the amounts.
#[must_use]
pub fn verdict(
    outcome: &Outcome,
    forecast: Option<&Forecast>,
    break_even: Option<&BreakEven>,
    money: &Money,
) -> Verdict {
    let same = |ids: &mut dyn Iterator<Item = &String>| ids.eq(outcome.plans.iter().map(|plan| &plan.id));
    let forecast =
        forecast.filter(|it| it.header.draws > 0 && same(&mut it.plans.iter().map(|plan| &plan.id)));
    let break_even = break_even.filter(|it| same(&mut it.plans.iter().map(|plan| &plan.id)));
    let Some(winner) = outcome.cheapest.filter(|&index| index < outcome.plans.len()) else {
        return no_answer(outcome, money);
    };
    let answer = Answer { outcome, forecast, break_even, winner, money };
    let tone = answer.tone();
    let mut sentences = Vec::new();
    sentences.extend(answer.certainty(tone));
    sentences.extend(answer.crossing());
    sentences.extend(answer.saving(tone));
    sentences.extend(answer.driver());
    sentences.extend(answer.quality());
    sentences.extend(answer.budget());
    sentences.extend(answer.trouble());
    Verdict { headline: answer.headline(tone), sentences, tone }
}

fn no_answer(outcome: &Outcome, money: &Money) -> Verdict {
    let headline = match outcome.plans.len() {
        0 => "There is no plan to compare".to_owned(),
        1 => format!("{} gives no answer yet", outcome.plans.first().map_or("", |plan| &plan.name)),
        count => format!("None of the {count} plans gives an answer yet"),
    };
    let sentences = outcome
        .plans
        .iter()
        .map(|plan| left_out(plan, money).unwrap_or_else(|| format!("{} has no cost.", plan.name)));
    Verdict { headline, sentences: sentences.collect(), tone: Tone::Wrong }
}

/// Why a plan cannot win, in a sentence; `None` if it can.
fn left_out(plan: &PlanOutcome, money: &Money) -> Option<String> {
    let name = &plan.name;
    if let Some(error) = plan.findings.iter().find(|finding| finding.severity == Severity::Error) {
        return Some(format!("{name}: {}.", error.message.trim_end_matches('.')));
    }
    if !plan.not_priced.is_empty() {
        let at_least = money.show(plan.mean_month_usd);
        return Some(format!(
            "{name} costs at least {at_least} a month: {} not priced.",
            is_are(&plan.not_priced)
        ));
    }
    let served = plan.months.iter().map(|month| month.served_share).fold(1.0, f64::min);
    (served < SERVED_ALL).then(|| {
        format!(
            "{name} cannot serve everything: in its worst month {} of the requests.",
            format::percent(served)
        )
    })
}

struct Answer<'a> {
    outcome: &'a Outcome,
    forecast: Option<&'a Forecast>,
    break_even: Option<&'a BreakEven>,
    winner: usize,
    money: &'a Money,
}

impl Answer<'_> {
    fn name(&self, index: usize) -> &str {
        self.outcome.plans.get(index).map_or("", |plan| &plan.name)
    }

    /// Plans that can win, cheapest first.
    fn ranked(&self) -> Vec<usize> {
        let mut ranked: Vec<usize> =
            (0..self.outcome.plans.len()).filter(|&index| self.can_win(index)).collect();
        ranked.sort_by(|&a, &b| self.mean(a).total_cmp(&self.mean(b)).then(a.cmp(&b)));
        ranked
    }

    fn can_win(&self, index: usize) -> bool {
        self.outcome.plans.get(index).is_some_and(|plan| left_out(plan, self.money).is_none())
    }

    fn mean(&self, index: usize) -> f64 {
        let drawn = self.forecast.and_then(|it| it.plans.get(index)).map(|plan| plan.mean_month.mean);
        drawn
            .or_else(|| self.outcome.plans.get(index).map(|plan| plan.mean_month_usd))
            .unwrap_or(f64::INFINITY)
    }

    /// The plan that is spoken of: lowest mean over the draws, else at the expected values.
    fn leader(&self) -> usize {
        let drawn = self.forecast.and_then(|it| it.cheapest).filter(|&index| self.can_win(index));
        drawn.or_else(|| self.ranked().first().copied()).unwrap_or(self.winner)
    }

    fn second(&self) -> Option<usize> {
        self.ranked().into_iter().find(|&index| index != self.leader())
    }

    fn tone(&self) -> Tone {
        let Some(forecast) = self.forecast else {
            return Tone::Provisional;
        };
        let Some(second) = self.second() else {
            return Tone::Clear;
        };
        let leader = self.leader();
        let all = forecast.plans.get(leader).map_or(0.0, |plan| plan.cheapest.low);
        let pair = forecast.cheaper.get(leader).and_then(|row| row.get(second)).map_or(0.0, |pair| pair.low);
        match all.min(pair) {
            p if p >= SURE => Tone::Clear,
            p if p >= LIKELY => Tone::Likely,
            _ => Tone::Close,
        }
    }

    /// Plans that are the cheapest in a share of the draws worth naming, most often first.
    fn contenders(&self) -> Vec<(usize, f64)> {
        let Some(forecast) = self.forecast else {
            return Vec::new();
        };
        let shares = forecast.plans.iter().map(|plan| plan.cheapest.share).enumerate();
        let mut contenders: Vec<(usize, f64)> = shares.filter(|(_, share)| *share >= CONTENDER).collect();
        contenders.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        contenders
    }

    fn cost(&self, index: usize) -> String {
        match self.forecast.and_then(|it| it.plans.get(index)) {
            Some(plan) => {
                let spread = &plan.mean_month;
                let (mean, interval) =
                    (self.money.show(spread.mean), self.money.range(spread.p5, spread.p95));
                if mean == interval { mean } else { format!("{mean} a month (P5–P95 {interval})") }
            }
            None => format!("{} a month", self.money.show(self.mean(index))),
        }
    }

    fn headline(&self, tone: Tone) -> String {
        let leader = self.leader();
        let (name, cost) = (self.name(leader), with_month(self.cost(leader)));
        match (tone, self.second()) {
            (_, None) => format!("{name} costs {cost}"),
            (Tone::Clear, _) => format!("{name} is the cheapest: {cost}"),
            (Tone::Likely, _) => format!("{name} is probably the cheapest: {cost}"),
            (Tone::Close, Some(second)) => format!(
                "Too close to call: {name} costs {cost}, {} {}",
                self.name(second),
                with_month(self.cost(second))
            ),
            (_, Some(second)) => {
                format!("{name} costs {cost}, {} {}", self.name(second), self.money.show(self.mean(second)))
            }
        }
    }

    fn certainty(&self, tone: Tone) -> Option<String> {
        let forecast = self.forecast?;
        self.second()?;
        let draws = format::count(f64::from(forecast.header.draws));
        let leader = self.leader();
        let share = forecast.plans.get(leader)?.cheapest.share;
        if tone != Tone::Close {
            return Some(match share {
                s if s >= 1.0 => format!("It is the cheapest in all of {draws} draws."),
                s => format!("It is the cheapest in {} of {draws} draws.", format::percent(s)),
            });
        }
        let contenders: Vec<String> = self
            .contenders()
            .into_iter()
            .map(|(index, share)| format!("{} in {}", self.name(index), format::percent(share)))
            .collect();
        Some(format!("Cheapest of all is {} of {draws} draws.", listed(&contenders)))
    }

    fn crossing(&self) -> Option<String> {
        let bands = self.break_even?;
        let today = bands.today;
        if !(today.is_finite() && today > 0.0) || bands.plans.len() < 2 {
            return None;
        }
        let here = format::tokens_per_day(today);
        let crossings = bands.crossings.iter().filter(|it| it.decisive).map(Flip::Cost);
        let limits = bands.limits.iter().filter(|it| it.decisive).map(Flip::Limit);
        let mut flips: Vec<Flip<'_>> = crossings.chain(limits).collect();
        flips.sort_by(|a, b| a.volume().total_cmp(&b.volume()));
        let above = flips.iter().find(|flip| flip.volume() > today);
        let below = flips.iter().rfind(|flip| flip.volume() <= today);
        // The nearer one by ratio.
        let is_nearer =
            |above: &Flip<'_>| below.is_none_or(|it| above.volume() / today <= today / it.volume());
        Some(match (below, above.filter(|above| is_nearer(above))) {
            (_, Some(flip)) => {
                let times = format::short(flip.volume() / today);
                format!("{}; you are at {here}, and {times} times as much would be needed.", self.above(flip))
            }
            (Some(flip), None) => {
                let share = format::percent(1.0 - flip.volume() / today);
                format!("{}; you are at {here}, and {share} less would be needed.", self.below(flip))
            }
            (None, None) => {
                let (low, high) = (bands.volumes.first()?, bands.volumes.last()?);
                let range = format!("{} to {}", format::short(*low), format::tokens_per_day(*high));
                format!("No volume from {range} changes which plan is the cheapest; you are at {here}.")
            }
        })
    }

    /// What happens above a flip.
    fn above(&self, flip: &Flip<'_>) -> String {
        let volume = format::tokens_per_day(flip.volume());
        match flip {
            Flip::Cost(it) => {
                format!("{} becomes the cheapest above {volume}{}", self.name(it.cheaper_above), band(it))
            }
            Flip::Limit(it) => {
                let then = it.then.map_or_else(
                    || "no plan can".to_owned(),
                    |plan| format!("{} is the cheapest above", self.name(plan)),
                );
                format!("{} can serve no more than {volume}, {then}", self.name(it.plan))
            }
        }
    }

    /// What happens below a flip.
    fn below(&self, flip: &Flip<'_>) -> String {
        let volume = format::tokens_per_day(flip.volume());
        match flip {
            Flip::Cost(it) => {
                format!("{} would be the cheapest below {volume}{}", self.name(it.cheaper_below), band(it))
            }
            Flip::Limit(it) => {
                format!(
                    "{} would be the cheapest up to {volume}, the most that it can serve",
                    self.name(it.plan)
                )
            }
        }
    }

    fn saving(&self, tone: Tone) -> Option<String> {
        if !matches!(tone, Tone::Clear | Tone::Likely) {
            return None;
        }
        let second = self.second()?;
        let saved = self.mean(second) - self.mean(self.leader());
        let share = saved / self.mean(second);
        (saved > 0.0 && share.is_finite()).then(|| {
            format!(
                "It saves {} a month against the runner-up, {} ({} of that bill).",
                self.money.show(saved),
                self.name(second),
                format::percent(share)
            )
        })
    }

    fn driver(&self) -> Option<String> {
        let forecast = self.forecast?;
        let (path, correlation) = forecast.drivers.first().filter(|(_, rank)| rank.abs() >= DRIVER_MIN)?;
        self.second()?;
        let strength = format::significant(correlation.abs(), 2);
        Some(format!(
            "What matters most to the difference: {} (rank correlation {strength}).",
            named(path, self.outcome)
        ))
    }

    fn quality(&self) -> Option<String> {
        let leader = self.leader();
        let mine = self.outcome.plans.get(leader)?.quality;
        let best = self.ranked().into_iter().max_by(|&a, &b| {
            let quality = |index: usize| self.outcome.plans.get(index).map_or(0.0, |plan| plan.quality);
            quality(a).total_cmp(&quality(b)).then(b.cmp(&a))
        })?;
        let theirs = self.outcome.plans.get(best)?.quality;
        (best != leader && theirs - mine >= QUALITY_STEP).then(|| {
            let (mine, theirs) = (format::percent(mine), format::percent(theirs));
            format!("Its quality is {mine}; {} reaches {theirs}.", self.name(best))
        })
    }

    fn budget(&self) -> Option<String> {
        let over = self.forecast?.plans.get(self.leader())?.over_budget?;
        let name = self.name(self.leader());
        Some(match over.share {
            s if s <= 0.0 => format!("{name} stays within the budget in every draw."),
            s if s >= 1.0 => format!("{name} exceeds the budget in every draw."),
            s => format!("{name} exceeds the budget in {} of the draws.", format::percent(s)),
        })
    }

    /// What is wrong with the leader, and which plans are left out.
    fn trouble(&self) -> Vec<String> {
        let leader = self.leader();
        let worst = self.outcome.plans.get(leader).and_then(|plan| {
            let graver = |finding: &&crate::analysis::Finding| finding.severity >= Severity::Warning;
            plan.findings.iter().find(graver)
        });
        let worst = worst.map(|finding| format!("Note: {}.", finding.message.trim_end_matches('.')));
        worst
            .into_iter()
            .chain(self.outcome.plans.iter().filter_map(|plan| left_out(plan, self.money)))
            .collect()
    }
}

/// A volume at which the answer becomes another one.
#[derive(Clone, Copy)]
enum Flip<'a> {
    /// The bills cross.
    Cost(&'a Crossing),
    /// The cheapest plan reaches its limit.
    Limit(&'a Limit),
}

impl Flip<'_> {
    /// In tokens per day.
    const fn volume(&self) -> f64 {
        match self {
            Self::Cost(crossing) => crossing.tokens_per_day,
            Self::Limit(limit) => limit.tokens_per_day,
        }
    }
}

/// A cost that has become an interval of one number still says that it is monthly.
fn with_month(cost: String) -> String {
    if cost.contains("a month") { cost } else { format!("{cost} a month") }
}

fn band(crossing: &Crossing) -> String {
    match crossing.band {
        Some((low, high)) if low < high => {
            format!(" (P5–P95 {} to {})", format::short(low), format::short(high))
        }
        _ => String::new(),
    }
}

/// "a", "a and b", "a, b and c".
fn listed(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// "x is", "x and y are".
fn is_are(items: &[String]) -> String {
    format!("{} {}", listed(items), if items.len() == 1 { "is" } else { "are" })
}

/// A quantity with the names that the outcome knows: "Support chat: requests per day".
pub(super) fn named(path: &str, outcome: &Outcome) -> String {
    let label = labels::lower_first(&labels::describe(path).label);
    let below = |rest: &str, id: &str| rest.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'));
    if let Some(rest) = path.strip_prefix("workload.use_cases.")
        && let Some(use_case) = outcome.use_cases.iter().find(|item| below(rest, &item.id))
    {
        return format!("{}, {label}", use_case.name);
    }
    if let Some(rest) = path.strip_prefix("plans.")
        && let Some(plan) = outcome.plans.iter().find(|item| below(rest, &item.id))
    {
        let endpoint = rest.strip_prefix(&plan.id).and_then(|rest| rest.strip_prefix(".endpoints."));
        let endpoint = endpoint.and_then(|rest| plan.endpoints.iter().find(|item| below(rest, &item.id)));
        return match endpoint {
            Some(endpoint) if endpoint.name != plan.name => {
                format!("{}, {}, {label}", plan.name, endpoint.name)
            }
            _ => format!("{}, {label}", plan.name),
        };
    }
    label
}
