//! The check: from a draft that may be wrong to a list of everything that is wrong with it.

use std::collections::BTreeSet;

use crate::catalog::Catalog;
use crate::pricing::{Api, CapacityTerms};
use crate::routing::{Endpoint, Plan, Router, Serves};
use crate::serving::{Deployment, Engine, Preemption, Scaling};
use crate::stats::estimate::Estimate;
use crate::stats::quantities::{Path, Quantified as _};
use crate::unit::HOURS_PER_WEEK;
use crate::workload::{Growth, LengthSpread, Profile, UseCase};

use super::draft::{Currency, SCHEMA, ScenarioDraft};
use super::problem::Problems;
use super::range::Range;

/// Longest horizon that is planned, in months: ten years, beyond which no price row means anything.
const HORIZON_MAX: u32 = 120;

/// Most draws of a forecast: an hour of work on one core, and percentiles known to a ten-thousandth.
pub const TRIALS_MAX: u32 = 100_000_000;

/// Hours by which the clocks of the world are ahead of UTC. Source: IANA time zone database, Etc/GMT+12 to Etc/GMT-14.
pub const UTC_OFFSETS: std::ops::RangeInclusive<i32> = -12..=14;

/// Units of a currency that a US dollar may buy: no currency of ISO 4217 is near either end.
const PER_USD_RANGE: (f64, f64) = (1e-4, 1e8);

/// Characters of a currency's sign.
const SYMBOL_MAX: usize = 4;

/// From this age on a rate of exchange is worth a warning: half a year.
const RATE_AGE_DAYS: i32 = 183;

/// Shares that must add up to one may miss it by rounding.
const SHARE_TOLERANCE: f64 = 1e-6;

/// Requests per day above which a number is taken for a typing error: a hundred per person on Earth and day.
const REQUESTS_PER_DAY_MAX: f64 = 1e12;

/// No dollar, token or byte of a scenario is counted in more: all of the world's tokens of a year are about 10¹⁷, and
/// squares and products of what is allowed stay far from overflow.
const QUANTITY_MAX: f64 = 1e17;

/// Everything that is wrong with a draft.
pub(super) fn problems(draft: &ScenarioDraft, catalog: &Catalog) -> Problems {
    let mut found = Problems::default();
    document(draft, &mut found);
    quantities(draft, &mut found);
    for use_case in &draft.workload.use_cases {
        check_use_case(use_case, catalog, &mut found);
    }
    for plan in &draft.plans {
        check_plan(plan, draft, catalog, &mut found);
    }
    correlations(draft, &mut found);
    if let Some(currency) = &draft.settings.currency {
        check_currency(currency, draft, &mut found);
    }
    found
}

fn check_currency(currency: &Currency, draft: &ScenarioDraft, found: &mut Problems) {
    let Currency { code, symbol, per_usd, as_of } = currency;
    if code == "USD" {
        found.error(
            "settings.currency.code",
            "results are in US dollars anyway",
            "leave the currency out, or name another",
        );
    } else if code.len() != 3 || !code.chars().all(|c| c.is_ascii_uppercase()) {
        found.error(
            "settings.currency.code",
            format!("\"{code}\" is not the code of a currency"),
            "write the three capital letters of ISO 4217, such as EUR",
        );
    }
    if symbol.chars().count() > SYMBOL_MAX || symbol.chars().any(|c| c.is_numeric() || c.is_control()) {
        found.error(
            "settings.currency.symbol",
            format!("\"{symbol}\" cannot be the sign of a currency"),
            format!("write at most {SYMBOL_MAX} characters without digits, or leave it out"),
        );
    }
    if !(PER_USD_RANGE.0..=PER_USD_RANGE.1).contains(per_usd) {
        found.error(
            "settings.currency.per_usd",
            format!("found {per_usd} for a US dollar"),
            format!("write how many {code} a US dollar buys, such as 0.92 EUR or 150.0 JPY"),
        );
    }
    match as_of.parse::<jiff::civil::Date>() {
        Err(error) => found.error(
            "settings.currency.as_of",
            format!("\"{as_of}\" is not a date ({error})"),
            "write the day of the rate as year-month-day, such as 2026-11-20",
        ),
        Ok(day) => {
            let start = draft.start.parse::<jiff::civil::Date>();
            if start.is_ok_and(|start| (start - day).get_days() > RATE_AGE_DAYS) {
                found.warn(
                    "settings.currency.as_of",
                    format!("the rate is of {as_of}, the scenario starts {}", draft.start),
                    "look the rate up again",
                );
            }
        }
    }
}

fn document(draft: &ScenarioDraft, found: &mut Problems) {
    if draft.schema != SCHEMA {
        found.error(
            "schema",
            format!("schema is {}, this program reads {SCHEMA}", draft.schema),
            format!("write schema: {SCHEMA}"),
        );
    }
    if let Err(error) = draft.start.parse::<jiff::civil::Date>() {
        found.error(
            "start",
            format!("\"{}\" is not a date ({error})", draft.start),
            "write year-month-day, such as 2026-12-01",
        );
    }
    if !(1..=HORIZON_MAX).contains(&draft.horizon_months) {
        found.error(
            "horizon_months",
            format!("the horizon is {} months", draft.horizon_months),
            format!("write 1 to {HORIZON_MAX}"),
        );
    }
    if !UTC_OFFSETS.contains(&draft.settings.utc_offset_hours) {
        found.error(
            "settings.utc_offset_hours",
            format!("no clock is {} hours ahead of UTC", draft.settings.utc_offset_hours),
            format!("write {} to {}", UTC_OFFSETS.start(), UTC_OFFSETS.end()),
        );
    }
    if !(1..=TRIALS_MAX).contains(&draft.settings.trials) {
        found.error(
            "settings.trials",
            format!("found {} draws", draft.settings.trials),
            format!("write 1 to {TRIALS_MAX}"),
        );
    }
    if !draft.workload.use_cases.iter().any(|use_case| use_case.enabled) {
        found.error("workload.use_cases", "no use case is enabled", "add a use case, or enable one");
    }
    if draft.plans.is_empty() {
        found.error("plans", "there is no plan", "add a plan: an API, a deployment, or a mix");
    }
    ids("workload.use_cases", draft.workload.use_cases.iter().map(|item| item.id.as_str()), found);
    ids("plans", draft.plans.iter().map(|item| item.id.as_str()), found);
}

/// Whether a text can be an id: lower-case letters, digits, `-` and `_`, at least one.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(plain)
}

/// Ids name streams of random numbers and paths: they must be there, plain and unique.
fn ids<'a>(path: &str, ids: impl Iterator<Item = &'a str>, found: &mut Problems) {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !is_id(id) {
            found.error(
                format!("{path}.{id}"),
                format!("\"{id}\" cannot be an id"),
                "use lower-case letters, digits, - and _",
            );
        }
        if !seen.insert(id) {
            found.error(
                format!("{path}.{id}"),
                format!("the id \"{id}\" is used twice"),
                "give each one an id of its own",
            );
        }
    }
}

fn quantities(draft: &ScenarioDraft, found: &mut Problems) {
    draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
        let path = path.as_str();
        if let Err(error) = estimate.check() {
            // An error of a distribution says what is wrong and then what to write.
            let text = error.to_string();
            let (wrong, remedy) =
                text.split_once("; ").unwrap_or((&text, "correct the parameters of the distribution"));
            found.error(path, wrong, remedy);
            return;
        }
        let range = Range::of(path);
        let point = estimate.point();
        if !range.contains(point) {
            let what = if estimate.is_uncertain() { "the mean is" } else { "found" };
            found.error(path, format!("{what} {point}"), range.remedy());
        } else if estimate.is_uncertain() {
            let (low, high) = (estimate.quantile(0.001), estimate.quantile(0.999));
            if !range.contains(low) || !range.contains(high) {
                found.warn(
                    path,
                    format!(
                        "some draws ({low:.3} to {high:.3}) lie outside its range and are moved to its end"
                    ),
                    "narrow the distribution, or choose a bounded family such as beta",
                );
            }
        }
        if point.abs() > QUANTITY_MAX || estimate.quantile(0.999).abs() > QUANTITY_MAX {
            found.error(
                path,
                format!("{point:e} is beyond anything that is counted here"),
                format!("write at most {QUANTITY_MAX:e}"),
            );
        }
        if path.ends_with("requests_per_day") && point > REQUESTS_PER_DAY_MAX {
            found.error(
                path,
                format!("{point:e} requests a day"),
                format!("write at most {REQUESTS_PER_DAY_MAX:e}"),
            );
        }
    });
}

fn check_use_case(use_case: &UseCase<Estimate>, catalog: &Catalog, found: &mut Problems) {
    let path = format!("workload.use_cases.{}", use_case.id);
    for (name, length) in [("user_tokens", &use_case.user_tokens), ("output_tokens", &use_case.output_tokens)]
    {
        let (median, p95) = (length.median.point(), length.p95.point());
        if let LengthSpread::Empirical(table) = &length.spread
            && let Some(fault) = table.fault()
        {
            found.error(format!("{path}.{name}.spread"), fault.to_string(), fault.remedy());
        }
        if matches!(length.spread, LengthSpread::LogNormal | LengthSpread::Gamma) && p95 < median {
            found.error(
                format!("{path}.{name}.p95"),
                format!("the P95 of {p95} tokens is below the median of {median}"),
                "write a P95 of at least the median",
            );
        }
    }
    if let Growth::Table(table) = &use_case.growth
        && (table.0.is_empty() || table.0.iter().any(|factor| !(factor.is_finite() && *factor >= 0.0)))
    {
        found.error(
            format!("{path}.growth"),
            "the table of growth is empty or holds a factor below 0",
            "write one factor per month, 1.0 for the first month's volume",
        );
    }
    if let Profile::Hours(table) = &use_case.profile {
        let sum: f64 = table.0.iter().sum();
        let valid = table.0.iter().all(|weight| weight.is_finite() && *weight >= 0.0) && sum > 0.0;
        if table.0.len() != HOURS_PER_WEEK || !valid {
            found.error(
                format!("{path}.profile"),
                format!("the weekly profile has {} values with a sum of {sum}", table.0.len()),
                "write 168 weights of 0 or more, Monday 00:00 first, not all zero",
            );
        }
    }
    if let Some(embedding) = &use_case.embedding
        && let Err(unknown) = catalog.price(&embedding.price)
    {
        found.error(
            format!("{path}.embedding.price"),
            unknown.to_string(),
            "choose an embedding model from the catalogue",
        );
    }
}

fn check_plan(plan: &Plan<Estimate>, draft: &ScenarioDraft, catalog: &Catalog, found: &mut Problems) {
    let path = format!("plans.{}", plan.id);
    if plan.endpoints.is_empty() {
        found.error(
            format!("{path}.endpoints"),
            format!("the plan \"{}\" has no endpoint", plan.name),
            "add an API model or a deployment that answers",
        );
        return;
    }
    ids(&format!("{path}.endpoints"), plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()), found);
    for endpoint in &plan.endpoints {
        check_endpoint(endpoint, &format!("{path}.endpoints.{}", endpoint.id), catalog, found);
    }
    check_router(&plan.router, plan, &format!("{path}.router"), found);
    for route in &plan.routes {
        if !draft.workload.use_cases.iter().any(|use_case| use_case.id == route.use_case) {
            found.error(
                format!("{path}.routes"),
                format!("no use case has the id \"{}\"", route.use_case),
                "name a use case of the workload",
            );
        }
        check_router(&route.router, plan, &format!("{path}.routes"), found);
    }
}

fn check_endpoint(endpoint: &Endpoint<Estimate>, path: &str, catalog: &Catalog, found: &mut Problems) {
    match &endpoint.serves {
        Serves::Api(api) => check_api(api, path, catalog, found),
        Serves::SelfHosted(own) => {
            let deployment = &own.deployment;
            if let Err(unknown) = catalog.model(&deployment.model) {
                found.error(
                    format!("{path}.serves.deployment.model"),
                    unknown.to_string(),
                    "choose a model from the catalogue, or add it to your overlay",
                );
            }
            if let Err(unknown) = catalog.gpu(&deployment.gpu) {
                found.error(
                    format!("{path}.serves.deployment.gpu"),
                    unknown.to_string(),
                    "choose a GPU from the catalogue, or add it to your overlay",
                );
            }
            if deployment.engine == Some(Engine::LlamaCpp) {
                found.error(
                    format!("{path}.serves.deployment.engine"),
                    "llama.cpp is calibrated for one stream on one machine, not for a fleet that serves many",
                    "write Vllm, Sglang, TrtLlm or LmDeploy, or None to state efficiencies",
                );
            }
            if let Some(layout) = deployment.layout
                && layout.tensor(deployment.gpus_per_replica).is_none()
            {
                found.error(
                    format!("{path}.serves.deployment.layout"),
                    format!(
                        "pipeline {} x data {} do not divide {} GPUs of a replica",
                        layout.pipeline, layout.data, deployment.gpus_per_replica
                    ),
                    "write degrees of 1 or more whose product divides the GPUs, or None for tensor parallelism",
                );
            }
            for (name, count) in [
                ("gpus_per_replica", deployment.gpus_per_replica),
                ("max_sequences", deployment.max_sequences),
            ] {
                if count == 0 {
                    found.error(format!("{path}.serves.deployment.{name}"), "found 0", "write 1 or more");
                }
            }
            if deployment.fleet.scaling == Scaling::Fixed(0) {
                found.error(
                    format!("{path}.serves.deployment.fleet.scaling"),
                    "found a fleet of 0 replicas, which answers nothing",
                    "write 1 replica or more, or take the endpoint out of the plan",
                );
            }
            if let Scaling::Auto { min, max, .. } = deployment.fleet.scaling
                && (min > max || max == 0)
            {
                found.error(
                    format!("{path}.serves.deployment.fleet.scaling"),
                    format!("between {min} and {max} replicas"),
                    "write a maximum of at least 1 and at least the minimum",
                );
            }
            check_split(deployment, path, found);
            if let CapacityTerms::Reserved(reserved) = &own.terms
                && reserved.term_months == 0
            {
                found.error(format!("{path}.serves.terms.term_months"), "found 0", "write 1 or more months");
            }
        }
    }
}

/// What only the traffic simulation plays: swapped KV, and replicas for prompts alone.
fn check_split(deployment: &Deployment<Estimate>, path: &str, found: &mut Problems) {
    if let Some(Preemption::Swap { host_bytes_per_sec }) = deployment.preemption
        && !(host_bytes_per_sec > 0.0 && host_bytes_per_sec <= QUANTITY_MAX)
    {
        found.error(
            format!("{path}.serves.deployment.preemption.host_bytes_per_sec"),
            format!("found {host_bytes_per_sec}"),
            "write the bytes per second to host memory, such as 5e10, or None to compute again",
        );
    }
    let Some(prefill) = deployment.prefill else { return };
    let path = format!("{path}.serves.deployment.prefill");
    let fleet = match deployment.fleet.scaling {
        Scaling::Fixed(replicas) => Some(replicas),
        Scaling::Auto { max, .. } => Some(max),
        Scaling::Peak => None,
    };
    if prefill.replicas == 0 {
        found.error(
            format!("{path}.replicas"),
            "found 0",
            "write 1 or more, or None for replicas that do both",
        );
    } else if let Some(fleet) = fleet.filter(|fleet| *fleet <= prefill.replicas) {
        found.error(
            format!("{path}.replicas"),
            format!("{} of {fleet} replicas for prompts leave none to answer", prefill.replicas),
            "write fewer, or give the fleet more replicas",
        );
    }
    found.warn(
        path,
        "costs and latencies are computed as if every replica of the fleet did prompts and answers",
        "simulate the traffic (breakeven simulate, or the page Traffic): there prompts and answers are apart",
    );
}

fn check_api(api: &Api<Estimate>, path: &str, catalog: &Catalog, found: &mut Problems) {
    if api.custom.is_none()
        && let Err(unknown) = catalog.price(&api.price)
    {
        found.error(
            format!("{path}.serves.price"),
            unknown.to_string(),
            "choose a price sheet from the catalogue, or give prices of your own",
        );
    }
    let mut last = f64::NEG_INFINITY;
    for bracket in &api.brackets {
        let valid = bracket.above_usd_per_month.is_finite()
            && bracket.above_usd_per_month >= 0.0
            && bracket.above_usd_per_month > last
            && Range::BelowOne.contains(bracket.discount);
        if !valid {
            found.error(
                format!("{path}.serves.brackets"),
                format!("a discount of {} above ${} a month", bracket.discount, bracket.above_usd_per_month),
                "write rising thresholds with discounts from 0 to below 1",
            );
        }
        last = bracket.above_usd_per_month;
    }
}

fn check_router(router: &Router<Estimate>, plan: &Plan<Estimate>, path: &str, found: &mut Problems) {
    let mut known = |id: &str| {
        if !plan.endpoints.iter().any(|endpoint| endpoint.id == id) {
            let names: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
            found.error(
                path,
                format!("no endpoint of the plan has the id \"{id}\""),
                format!("write one of {}", names.join(", ")),
            );
        }
    };
    match router {
        Router::Single(id) => known(id),
        Router::Split(split) => {
            split.shares.iter().for_each(|share| known(&share.endpoint));
            let sum: f64 = split.shares.iter().map(|share| share.share.point()).sum();
            let uncertain = split.shares.iter().any(|share| share.share.is_uncertain());
            if split.shares.is_empty() || sum <= 0.0 {
                found.error(
                    path,
                    "the split sends nothing anywhere",
                    "give the tiers shares that add up to 1",
                );
            } else if (sum - 1.0).abs() > SHARE_TOLERANCE && !uncertain {
                found.error(
                    path,
                    format!("the shares add up to {sum:.4}"),
                    "change them so that they add up to 1",
                );
            }
        }
        Router::Cascade(cascade) => {
            cascade.steps.iter().for_each(|step| known(&step.endpoint));
            if cascade.steps.is_empty() {
                found.error(path, "the cascade has no tier", "add an endpoint that answers first");
            }
        }
        Router::Overflow(overflow) => {
            known(&overflow.primary);
            known(&overflow.fallback);
            let primary = plan.endpoints.iter().find(|endpoint| endpoint.id == overflow.primary);
            if primary.is_some_and(|endpoint| matches!(endpoint.serves, Serves::Api(_))) {
                found.error(
                    path,
                    format!("\"{}\" is an API; only own capacity can overflow", overflow.primary),
                    "make a self-hosted endpoint the primary",
                );
            }
            if overflow.primary == overflow.fallback {
                found.error(path, "primary and fallback are the same endpoint", "choose another fallback");
            }
        }
    }
}

fn correlations(draft: &ScenarioDraft, found: &mut Problems) {
    if draft.correlations.is_empty() {
        return;
    }
    let mut uncertain = BTreeSet::new();
    let mut fixed = BTreeSet::new();
    draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
        if estimate.is_uncertain() { &mut uncertain } else { &mut fixed }.insert(path.as_str().to_owned());
    });
    for (position, correlation) in draft.correlations.iter().enumerate() {
        let path = format!("correlations.{position}");
        for end in [&correlation.a, &correlation.b] {
            if fixed.contains(end) {
                found.warn(
                    &path,
                    format!("{end} is fixed, so the correlation does nothing"),
                    "make it uncertain",
                );
            } else if !uncertain.contains(end) {
                found.error(
                    &path,
                    format!("there is no quantity {end}"),
                    "write the path of a quantity, such as workload.use_cases.chat.requests_per_day",
                );
            }
        }
        if !(correlation.rank.is_finite() && (-1.0..=1.0).contains(&correlation.rank)) {
            found.error(
                &path,
                format!("the rank correlation is {}", correlation.rank),
                "write a number from -1 to 1",
            );
        }
    }
}
