//! `breakeven presets`: the scenarios that ship.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::io::presets::{self, load};
use crate::io::scenario::replace;
use crate::report::{Align, Table};

use super::error::CliError;
use super::output::{Output, say};

/// The scenarios that ship, to read or to start from.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints this preset's file.
    id: Option<String>,
    /// Writes the preset to a file instead.
    #[arg(long, value_name = "FILE", requires = "id")]
    write: Option<PathBuf>,
    /// Writes over a file that is there.
    #[arg(long, requires = "write")]
    force: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    id: &'static str,
    title: &'static str,
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
}

#[derive(Serialize)]
struct Rows {
    presets: Vec<Row>,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let row = |preset: &presets::ScenarioPreset, text| {
        let presets::ScenarioPreset { id, title, summary, .. } = *preset;
        Row { id, title, summary, text }
    };
    let Some(id) = &args.id else {
        if args.json {
            let presets = presets::scenarios().iter().map(|preset| row(preset, None)).collect();
            return output.json("presets", Rows { presets });
        }
        let mut table = Table::new(&[("Id", Align::Left), ("Scenario", Align::Left), ("", Align::Left)]);
        for preset in presets::scenarios() {
            table.row([preset.id, preset.title, preset.summary]);
        }
        return output.text(&table.to_string());
    };
    // Loading names the presets that there are if there is none of this id.
    load(id)?;
    let Some(preset) = presets::scenarios().iter().find(|preset| preset.id == id) else {
        return Ok(());
    };
    if let Some(path) = &args.write {
        if path.exists() && !args.force {
            return Err(CliError::Exists { path: path.clone() });
        }
        replace(path, |file| file.write_all(preset.text.as_bytes()))?;
        say(&format!("{} is written to {}", preset.title, path.display()));
    }
    match (args.json, &args.write) {
        (true, _) => output.json("presets", Rows { presets: vec![row(preset, Some(preset.text))] }),
        (false, None) => output.text(preset.text),
        (false, Some(_)) => Ok(()),
    }
}
