//! `breakeven catalog`: models, GPUs, prices and cloud rates.

use clap::ValueEnum;
use serde::Serialize;

use crate::catalog::{Catalog, CloudRate, GpuSpec, Hit, ModelSpec, PriceSheet, RowKind, ServiceTier};
use crate::io::overlay;
use crate::report::{Align, Table};
use crate::unit::format;

use super::error::CliError;
use super::output::{Output, say};

/// Models, GPUs, prices and cloud rates with their sources.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only rows of one kind.
    kind: Option<Kind>,
    /// Only rows that contain every one of these words.
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    search: String,
    /// Prints JSON with full precision and the sources.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Models,
    Gpus,
    Prices,
    Rates,
}

impl Kind {
    const fn of(self) -> RowKind {
        match self {
            Self::Models => RowKind::Model,
            Self::Gpus => RowKind::Gpu,
            Self::Prices => RowKind::Price,
            Self::Rates => RowKind::Rate,
        }
    }
}

#[derive(Serialize, Default)]
struct Rows<'a> {
    prices_as_of: Option<String>,
    catalog: String,
    gpus: Vec<&'a GpuSpec>,
    models: Vec<&'a ModelSpec>,
    prices: Vec<&'a PriceSheet>,
    rates: Vec<&'a CloudRate>,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), CliError> {
    let catalog = overlay::catalog()?;
    let rows = found(&catalog, args);
    if args.json {
        return output.json("catalog", rows);
    }
    let total = rows.gpus.len() + rows.models.len() + rows.prices.len() + rows.rates.len();
    if total == 0 {
        say(&format!("no row contains \"{}\"", args.search));
    }
    let mut first = true;
    for (title, table) in [
        ("GPUs", gpus(&rows.gpus)),
        ("Models", models(&rows.models)),
        ("Prices, US dollars per million tokens", prices(&rows.prices)),
        ("Cloud rates, US dollars per GPU and hour", rates(&rows.rates)),
    ] {
        if !table.is_empty() {
            let gap = if first { "" } else { "\n" };
            output.text(&format!("{gap}{title}\n{table}"))?;
            first = false;
        }
    }
    Ok(())
}

fn found<'a>(catalog: &'a Catalog, args: &Args) -> Rows<'a> {
    let mut rows = Rows {
        prices_as_of: catalog.prices_as_of().map(|date| date.to_string()),
        catalog: catalog.content_hash().to_owned(),
        ..Rows::default()
    };
    let wanted = |hit: &Hit<'_>| args.kind.is_none_or(|kind| kind.of() == hit.kind());
    for hit in catalog.search(&args.search).into_iter().filter(wanted) {
        match hit {
            Hit::Gpu(row) => rows.gpus.push(row),
            Hit::Model(row) => rows.models.push(row),
            Hit::Price(row) => rows.prices.push(row),
            Hit::Rate(row) => rows.rates.push(row),
        }
    }
    rows
}

fn gpus(rows: &[&GpuSpec]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("Id", Left),
        ("Name", Left),
        ("Memory", Right),
        ("Bandwidth", Right),
        ("BF16 dense", Right),
        ("FP8 dense", Right),
        ("Power", Right),
        ("Read", Left),
    ]);
    for row in rows {
        table.row([
            row.id.clone(),
            row.name.clone(),
            format::bytes(row.memory_bytes),
            format!("{}/s", format::bytes(row.bandwidth_bytes_per_s)),
            format::flops_per_sec(row.bf16_flops_dense),
            row.fp8_flops_dense.map(format::flops_per_sec).unwrap_or_default(),
            row.tdp_watts.map(format::watts).unwrap_or_default(),
            row.source.read.to_string(),
        ]);
    }
    table
}

fn models(rows: &[&ModelSpec]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("Id", Left),
        ("Name", Left),
        ("Parameters", Right),
        ("Active", Right),
        ("KV per token, 16 bit", Right),
        ("Context", Right),
        ("Read", Left),
    ]);
    for row in rows {
        table.row([
            row.id.clone(),
            row.name.clone(),
            format::short(row.total_params),
            format::short(row.active_params),
            format::bytes(row.kv_bytes_per_token(2.0)),
            format::count(f64::from(row.context_max)),
            row.source.read.to_string(),
        ]);
    }
    table
}

fn prices(rows: &[&PriceSheet]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("Id", Left),
        ("Name", Left),
        ("Provider", Left),
        ("Input", Right),
        ("Output", Right),
        ("Cached", Right),
        ("Valid", Left),
        ("Read", Left),
    ]);
    for sheet in rows {
        for row in &sheet.rows {
            let rates = row.rates(ServiceTier::Standard, false);
            let usd = |rate: Option<crate::unit::UsdPerMtok>| {
                rate.map_or_else(|| "not priced".to_owned(), |rate| format::usd_per_mtok(rate.get()))
            };
            let from = row.valid_from.map(|date| format!("from {date}"));
            let to = row.valid_to.map(|date| format!("to {date}"));
            table.row([
                sheet.id.clone(),
                sheet.name.clone(),
                sheet.provider.clone(),
                usd(rates.input),
                usd(rates.output),
                rates.cached_read.map(|rate| format::usd_per_mtok(rate.get())).unwrap_or_default(),
                [from, to].into_iter().flatten().collect::<Vec<_>>().join(" "),
                sheet.source.read.to_string(),
            ]);
        }
    }
    table
}

fn rates(rows: &[&CloudRate]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("Id", Left),
        ("GPU", Left),
        ("GPUs", Right),
        ("On demand", Right),
        ("1 year", Right),
        ("3 years", Right),
        ("Spot", Right),
        ("Read", Left),
    ]);
    for row in rows {
        let usd = |rate: Option<f64>| rate.map(format::usd).unwrap_or_default();
        table.row([
            row.id.clone(),
            row.gpu.clone(),
            row.gpus.to_string(),
            usd(row.on_demand_usd_per_gpu_hour),
            usd(row.reserved_1y_usd_per_gpu_hour),
            usd(row.reserved_3y_usd_per_gpu_hour),
            usd(row.spot_usd_per_gpu_hour),
            row.source.read.to_string(),
        ]);
    }
    table
}
