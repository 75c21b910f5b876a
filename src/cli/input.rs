//! The scenario that a command works on: a file or a preset, with overrides.

use std::path::Path as FilePath;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::io::{overlay, presets, scenario};
use crate::scenario::labels::describe;
use crate::scenario::{Scenario, ScenarioDraft, Severity};
use crate::stats::Estimate;
use crate::stats::quantities::{Path, Quantified as _};

use super::error::{CliError, SetError};
use super::output::say;

/// What names a preset.
const PRESET: &str = "preset:";

/// Suggestions for a path that is not known.
const SUGGESTIONS: usize = 5;

/// The scenario of a command.
#[derive(Debug, clap::Args)]
pub(super) struct ScenarioArgs {
    /// A scenario file, or preset:ID.
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: String,
    /// Sets a quantity, such as plans.tiered.endpoints.large.quality=90%; the end of a path is enough where it is
    /// unique. A bare number is taken as the file takes it (a share of 0.3), one with a unit by its unit (30%, 48k,
    /// $3/h, 70ms); Triangular(low: 1, mode: 2, high: 4) and the like make it uncertain. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
}

impl ScenarioArgs {
    /// The draft with its overrides.
    pub(super) fn draft(&self) -> Result<ScenarioDraft, CliError> {
        let mut draft = draft(&self.scenario)?;
        for text in &self.sets {
            set(&mut draft, text).map_err(|reason| CliError::Set { text: text.clone(), reason })?;
        }
        Ok(draft)
    }

    /// The checked scenario. Its warnings are said on stderr.
    pub(super) fn checked(&self) -> Result<Scenario, CliError> {
        checked(&self.draft()?, &self.scenario)
    }
}

/// The draft of a file or a preset.
pub(super) fn draft(name: &str) -> Result<ScenarioDraft, CliError> {
    match name.strip_prefix(PRESET) {
        Some(id) => Ok(presets::load(id)?),
        None => Ok(scenario::read(FilePath::new(name))?),
    }
}

/// The id of a preset, if that is what is named.
pub(super) fn preset_id(name: &str) -> Option<&str> {
    name.strip_prefix(PRESET)
}

/// Checks a draft against the catalogue with the user's own rows.
pub(super) fn checked(draft: &ScenarioDraft, name: &str) -> Result<Scenario, CliError> {
    let catalog: Catalog = overlay::catalog()?;
    let mut scenario = Scenario::check(draft, &catalog)
        .map_err(|problems| CliError::Problems { name: name.to_owned(), problems })?;
    let calibration = overlay::calibration()?;
    if !calibration.is_shipped() {
        say(&format!("own GPUs run at the speed of your calibration ({})", calibration.name()));
        scenario = scenario.with_calibration(Arc::new(calibration));
    }
    for warning in scenario.warnings().iter().filter(|problem| problem.severity >= Severity::Warning) {
        say(&format!("warning: {}: {}; {}", warning.path, warning.message, warning.remedy));
    }
    Ok(scenario)
}

/// The paths of all quantities, in the order of the document.
pub(super) fn paths(draft: &ScenarioDraft) -> Vec<String> {
    let mut paths = Vec::new();
    draft.each(&mut Path::default(), &mut |path, _: &Estimate| paths.push(path.as_str().to_owned()));
    paths
}

/// Applies one override, `path=value`.
fn set(draft: &mut ScenarioDraft, text: &str) -> Result<(), SetError> {
    let (path, value) = text.split_once('=').ok_or(SetError::NoEquals)?;
    let (path, value) = (path.trim(), value.trim());
    let whole = |value: &str| value.parse().map_err(|_| SetError::Whole { text: value.to_owned() });
    match path {
        "settings.seed" => {
            draft.settings.seed = value.parse().map_err(|_| SetError::Whole { text: value.to_owned() })?;
        }
        "settings.trials" => draft.settings.trials = whole(value)?,
        "horizon_months" => draft.horizon_months = whole(value)?,
        "start" => value.clone_into(&mut draft.start),
        "name" => value.clone_into(&mut draft.name),
        "settings.budget_usd_per_month" => {
            draft.settings.budget_usd_per_month = Some(estimate(path, value)?);
        }
        _ => {
            let paths = paths(draft);
            let leaf = find(&paths, path)?;
            let estimate = estimate(paths.get(leaf).map_or(path, String::as_str), value)?;
            let mut position = 0;
            draft.each_mut(&mut |quantity: &mut Estimate| {
                if position == leaf {
                    quantity.clone_from(&estimate);
                }
                position += 1;
            });
        }
    }
    Ok(())
}

/// The position of the one quantity whose path is, or ends with, what was written.
fn find(paths: &[String], wanted: &str) -> Result<usize, SetError> {
    if let Some(exact) = paths.iter().position(|path| path == wanted) {
        return Ok(exact);
    }
    let ends = |path: &String| path.strip_suffix(wanted).is_some_and(|head| head.ends_with('.'));
    let matching: Vec<usize> = (0..paths.len()).filter(|&at| paths.get(at).is_some_and(ends)).collect();
    match matching.as_slice() {
        [one] => Ok(*one),
        [] => {
            let last = wanted.rsplit('.').next().unwrap_or(wanted);
            let near = paths.iter().filter(|path| !last.is_empty() && path.contains(last));
            Err(SetError::Unknown { near: near.take(SUGGESTIONS).cloned().collect() })
        }
        several => {
            let matches = several.iter().filter_map(|&at| paths.get(at).cloned()).take(SUGGESTIONS);
            Err(SetError::Ambiguous { matches: matches.collect() })
        }
    }
}

/// A number in the file's own unit, a number with a unit, or a distribution.
fn estimate(path: &str, value: &str) -> Result<Estimate, SetError> {
    if let Ok(number) = value.parse::<f64>()
        && number.is_finite()
    {
        return Ok(Estimate::Fixed(number));
    }
    if value.contains('(') {
        return ron::from_str(value).map_err(|error| SetError::Distribution(error.to_string()));
    }
    Ok(Estimate::Fixed(describe(path).unit.parse(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sets: &[&str]) -> Result<ScenarioDraft, SetError> {
        let mut draft = presets::load(presets::DEFAULT).unwrap();
        sets.iter().try_for_each(|text| set(&mut draft, text)).map(|()| draft)
    }

    fn value(draft: &ScenarioDraft, wanted: &str) -> Option<Estimate> {
        let mut found = None;
        draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
            if path.as_str() == wanted {
                found = Some(estimate.clone());
            }
        });
        found
    }

    #[test]
    fn an_override_changes_one_quantity_and_nothing_else() {
        let before = after(&[]).unwrap();
        let path = "workload.use_cases.everyday.requests_per_day";
        let draft = after(&["everyday.requests_per_day=48k"]).unwrap();
        assert_eq!(value(&draft, path), Some(Estimate::Fixed(48_000.0)));
        for other in paths(&before).iter().filter(|other| *other != path) {
            assert_eq!(value(&draft, other), value(&before, other), "{other}");
        }
    }

    #[test]
    fn a_bare_share_is_a_fraction_and_a_percent_is_a_percent() {
        let path = "workload.use_cases.everyday.hard_share";
        assert_eq!(value(&after(&[&format!("{path}=0.3")]).unwrap(), path), Some(Estimate::Fixed(0.3)));
        assert_eq!(value(&after(&[&format!("{path}=30%")]).unwrap(), path), Some(Estimate::Fixed(0.3)));
        let triangular = after(&[&format!("{path}=Triangular(low: 0.1, mode: 0.2, high: 0.4)")]).unwrap();
        assert!(matches!(value(&triangular, path), Some(Estimate::Triangular { .. })));
    }

    #[test]
    fn an_override_that_is_not_understood_is_refused() {
        assert!(matches!(after(&["nonsense"]), Err(SetError::NoEquals)));
        assert!(matches!(after(&["requests_per_day=1"]), Err(SetError::Ambiguous { .. })));
        assert!(matches!(after(&["requests_per_dya=1"]), Err(SetError::Unknown { .. })));
        assert!(matches!(after(&["everyday.requests_per_day=many"]), Err(SetError::Number(_))));
        assert!(matches!(after(&["everyday.requests_per_day=NaN"]), Err(SetError::Number(_))));
        assert!(matches!(after(&["everyday.requests_per_day=Cauchy(1)"]), Err(SetError::Distribution(_))));
        assert!(matches!(after(&["settings.seed=-1"]), Err(SetError::Whole { .. })));
    }
}
