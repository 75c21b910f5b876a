//! `breakeven tokens`: the tokens of a text.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use crate::tokenizer::{Encoding, LengthSummary, Split, Tokenizer};
use crate::unit::format;

use super::error::CliError;
use super::output::Output;

/// Counts the tokens of a text.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text; - reads stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// o200k, cl100k, or the path of a Hugging Face tokenizer.json.
    #[arg(long, value_name = "ENCODING", default_value = "o200k")]
    encoding: String,
    /// What counts as one text.
    #[arg(long, value_enum, default_value_t = Parts::Whole)]
    split: Parts,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Parts {
    /// The whole file.
    Whole,
    /// Every line.
    Lines,
    /// Every block between blank lines.
    Paragraphs,
}

#[derive(Serialize)]
struct Counted<'a> {
    file: String,
    encoding: &'a str,
    bytes: usize,
    texts: usize,
    total: usize,
    mean: f64,
    median: f64,
    p95: f64,
    min: usize,
    max: usize,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let text = read(&args.file)?;
    let tokenizer = Tokenizer::load(&encoding(&args.encoding))?;
    let split = match args.split {
        Parts::Whole => Split::Whole,
        Parts::Lines => Split::Lines,
        Parts::Paragraphs => Split::Paragraphs,
    };
    let parts = split.parts(&text);
    let counts = parts.iter().map(|part| tokenizer.count(part)).collect::<Result<Vec<_>, _>>()?;
    let nothing = LengthSummary {
        texts: 0,
        total: 0,
        min: 0,
        max: 0,
        mean: 0.0,
        median: 0.0,
        p95: 0.0,
        sorted: Vec::new(),
    };
    let LengthSummary { texts, total, min, max, mean, median, p95, .. } =
        LengthSummary::of(counts).unwrap_or(nothing);
    if args.json {
        let (file, encoding, bytes) = (args.file.display().to_string(), tokenizer.name(), text.len());
        return output
            .json("tokens", Counted { file, encoding, bytes, texts, total, mean, median, p95, min, max });
    }
    let name = tokenizer.name();
    if texts <= 1 {
        return output.text(&format!("{total} tokens ({name})\n"));
    }
    output.text(&format!(
        "{total} tokens in {texts} texts ({name}): median {}, P95 {}, mean {}, {min} to {max}\n",
        format::count(median),
        format::count(p95),
        format::count(mean)
    ))
}

fn encoding(name: &str) -> Encoding {
    match name.to_lowercase().as_str() {
        "o200k" | "o200k_base" => Encoding::O200k,
        "cl100k" | "cl100k_base" => Encoding::Cl100k,
        _ => Encoding::HuggingFace(PathBuf::from(name)),
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    if path.as_os_str() != "-" {
        return fs::read_to_string(path).map_err(failed);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
