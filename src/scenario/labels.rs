//! What each quantity is called, counted in and usually worth: one table for the window and the terminal.

mod fields;

use crate::unit::format::Unit;

use super::draft::ScenarioDraft;
use fields::{FIELDS, Field};

/// A quantity in words.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldInfo {
    /// Its name, in sentence case: "Requests per day".
    pub label: String,
    /// What it counts: how it is shown and read.
    pub unit: Unit,
    /// What it means, in a sentence.
    pub help: &'static str,
    /// Lower end of a slider; above 0 if the slider is logarithmic.
    pub low: f64,
    /// Upper end of a slider.
    pub high: f64,
    /// Whether the slider's steps are ratios. A logarithmic field may still be 0 where its range allows it.
    pub logarithmic: bool,
    /// The value to start from.
    pub default: f64,
}

/// Describes the quantity at a path; one that nobody described gets its field's name as a label.
///
/// ```
/// use breakeven::scenario::labels::describe;
/// assert_eq!(describe("workload.use_cases.chat.requests_per_day").label, "Requests per day");
/// ```
#[must_use]
pub fn describe(path: &str) -> FieldInfo {
    match field(path) {
        Some(Field { label, unit, help, low, high, logarithmic, default, .. }) => FieldInfo {
            label: (*label).to_owned(),
            unit: *unit,
            help,
            low: *low,
            high: *high,
            logarithmic: *logarithmic,
            default: *default,
        },
        None => FieldInfo {
            label: in_words(path),
            unit: Unit::Plain,
            help: "",
            low: 0.0,
            high: 1.0,
            logarithmic: false,
            default: 0.0,
        },
    }
}

/// The row with the longest path that ends this one.
fn field(path: &str) -> Option<&'static Field> {
    let ends = |field: &&Field| {
        path.strip_suffix(field.path).is_some_and(|head| head.is_empty() || head.ends_with('.'))
    };
    FIELDS.iter().filter(ends).max_by_key(|field| field.path.len())
}

/// The last segment of a path as words.
fn in_words(path: &str) -> String {
    let words = path.rsplit('.').next().unwrap_or(path).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The name of the quantity with what it belongs to: "Support chat: requests per day", "Tiered API, small model:
/// output price". Ids that the draft does not have are shown as they are.
#[must_use]
pub fn qualified(path: &str, draft: &ScenarioDraft) -> String {
    let label = describe(path).label;
    match owner(path, draft) {
        Some(owner) => format!("{owner}: {}", lower_first(&label)),
        None => label,
    }
}

/// The name of the use case, or of the plan and its endpoint, that a path lies in.
#[must_use]
pub fn owner(path: &str, draft: &ScenarioDraft) -> Option<String> {
    if let Some(rest) = path.strip_prefix("workload.use_cases.") {
        let known = draft.workload.use_cases.iter().find(|item| below(rest, &item.id).is_some());
        return Some(known.map_or_else(|| first(rest), |item| item.name.clone()));
    }
    let rest = path.strip_prefix("plans.")?;
    let known = draft.plans.iter().find_map(|plan| below(rest, &plan.id).map(|rest| (plan, rest)));
    let Some((plan, rest)) = known else {
        return Some(first(rest));
    };
    let tier = match rest.strip_prefix("endpoints.") {
        Some(rest) => {
            plan.endpoints.iter().find(|item| below(rest, &item.id).is_some()).map(|e| e.name.clone())
        }
        None => tier(rest, plan),
    };
    Some(match tier {
        Some(tier) => format!("{}, {tier}", plan.name),
        None => plan.name.clone(),
    })
}

/// The endpoint that a share or a step of a router is about.
fn tier(rest: &str, plan: &crate::routing::Plan<crate::stats::estimate::Estimate>) -> Option<String> {
    use crate::routing::Router;
    let mut segments = rest.split('.');
    let router = match segments.next()? {
        "router" => &plan.router,
        "routes" => {
            let position: usize = segments.next()?.parse().ok()?;
            segments.next();
            &plan.routes.get(position)?.router
        }
        _ => return None,
    };
    let list = segments.next()?;
    let position: usize = segments.next()?.parse().ok()?;
    let id = match (router, list) {
        (Router::Split(split), "shares") => &split.shares.get(position)?.endpoint,
        (Router::Cascade(cascade), "steps") => &cascade.steps.get(position)?.endpoint,
        _ => return None,
    };
    plan.endpoints.iter().find(|endpoint| &endpoint.id == id).map(|endpoint| endpoint.name.clone())
}

/// What follows an id in a path, if the path begins with it.
fn below<'a>(rest: &'a str, id: &str) -> Option<&'a str> {
    let rest = rest.strip_prefix(id)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

fn first(rest: &str) -> String {
    rest.split('.').next().unwrap_or(rest).to_owned()
}

/// The first letter made small, unless the word is written in capitals (GPU, P95).
pub(crate) fn lower_first(label: &str) -> String {
    let mut letters = label.chars();
    let (Some(head), tail) = (letters.next(), letters.as_str()) else {
        return String::new();
    };
    if tail.chars().next().is_some_and(|second| second.is_lowercase() || second == ' ') {
        format!("{}{tail}", head.to_lowercase())
    } else {
        label.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::sample::everything;
    use crate::stats::estimate::Estimate;
    use crate::stats::quantities::{Path, Quantified as _};

    fn paths() -> Vec<String> {
        let mut paths = Vec::new();
        everything()
            .each(&mut Path::default(), &mut |path, _: &Estimate| paths.push(path.as_str().to_owned()));
        paths
    }

    #[test]
    fn every_quantity_of_a_scenario_is_described() {
        for path in paths() {
            let info = describe(&path);
            assert!(field(&path).is_some(), "{path} has no row");
            assert!(info.help.len() > 15 && info.help.ends_with('.'), "{path}: {}", info.help);
            assert!(info.low < info.high && info.default <= info.high, "{path}");
            assert!(!info.logarithmic || info.low > 0.0, "{path} has a logarithmic slider from {}", info.low);
            assert!(info.logarithmic || info.default >= info.low, "{path}");
        }
    }

    #[test]
    fn every_row_describes_a_quantity_that_exists() {
        let used: BTreeSet<&str> =
            paths().iter().filter_map(|path| field(path)).map(|row| row.path).collect();
        for row in FIELDS {
            assert!(used.contains(row.path), "no quantity ends with {}", row.path);
        }
    }

    #[test]
    fn a_quantity_is_named_with_what_it_belongs_to() {
        let draft = everything();
        let cases = [
            ("workload.use_cases.chat.requests_per_day", "Support chat: requests per day"),
            (
                "plans.tiered.endpoints.large.serves.custom.output_usd_per_mtok",
                "Tiered API, Large model: output price",
            ),
            ("plans.tiered.router.shares.0.share", "Tiered API, Small model: share"),
            ("plans.tiered.routes.0.router.steps.1.accept", "Tiered API, Large model: accepted"),
            ("plans.built.endpoints.own.serves.terms", "Built, Built: GPU price"),
            ("plans.built.costs.on_call.fte", "Built: on-call staff"),
            ("settings.demand_noise_cv", "Demand noise"),
            ("workload.use_cases.gone.requests_per_day", "gone: requests per day"),
            ("plans.gone", "gone: gone"),
            ("", ""),
        ];
        for (path, expected) in cases {
            assert_eq!(qualified(path, &draft), expected, "{path}");
        }
    }
}
