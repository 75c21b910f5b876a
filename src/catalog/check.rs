//! What every row must satisfy, whoever wrote it.

use std::collections::HashSet;

use super::file::CatalogFile;
use super::price::{PriceRow, TokenRates};
use super::{Catalog, CloudRate, Fault, GpuSpec, ModelSpec, PriceSheet};

/// Everything that is wrong with the rows of `file` when they are laid over `base`. Lines are not known here.
pub(super) fn faults(file: &CatalogFile, base: &Catalog) -> Vec<Fault> {
    let mut faults = Vec::new();
    unique(file.gpus.iter().map(|row| &row.id), &mut faults);
    unique(file.models.iter().map(|row| &row.id), &mut faults);
    unique(file.prices.iter().map(|row| &row.id), &mut faults);
    unique(file.rates.iter().map(|row| &row.id), &mut faults);
    file.gpus.iter().for_each(|row| gpu(row, &mut Row::new(&row.id, &mut faults)));
    file.models.iter().for_each(|row| model(row, &mut Row::new(&row.id, &mut faults)));
    file.prices.iter().for_each(|row| price(row, &mut Row::new(&row.id, &mut faults)));
    let known: HashSet<&str> = base.gpus.iter().chain(&file.gpus).map(|row| row.id.as_str()).collect();
    file.rates.iter().for_each(|row| rate(row, &known, &mut Row::new(&row.id, &mut faults)));
    faults
}

fn unique<'a>(ids: impl Iterator<Item = &'a String>, faults: &mut Vec<Fault>) {
    let mut seen = HashSet::new();
    for id in ids {
        let mut row = Row::new(id, faults);
        if id.trim().is_empty() {
            row.fault("id", "it is empty", "write a short name of lower-case letters, digits and dashes");
        } else if !seen.insert(id) {
            row.fault("id", "it occurs twice in this file", "give each row its own id");
        }
    }
}

/// Collects the faults of one row.
struct Row<'a> {
    id: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Row<'a> {
    const fn new(id: &'a str, faults: &'a mut Vec<Fault>) -> Self {
        Self { id, faults }
    }

    fn fault(&mut self, field: &str, found: &str, remedy: &str) {
        self.faults.push(Fault {
            line: None,
            row: self.id.to_owned(),
            field: field.to_owned(),
            found: found.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    fn positive(&mut self, field: &str, value: f64) {
        if !(value.is_finite() && value > 0.0) {
            self.fault(
                field,
                &format!("{value} is not a positive number"),
                "write a number above 0, or leave it out",
            );
        }
    }

    fn price(&mut self, field: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            self.fault(
                field,
                &format!("{value} is not a price"),
                "write 0 or more, or leave it out if not priced",
            );
        }
    }

    fn said(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.fault(field, "it is empty", "say it in a few words");
        }
    }
}

fn gpu(spec: &GpuSpec, row: &mut Row<'_>) {
    row.positive("memory_bytes", spec.memory_bytes);
    row.positive("bandwidth_bytes_per_s", spec.bandwidth_bytes_per_s);
    row.positive("bf16_flops_dense", spec.bf16_flops_dense);
    let optional = [
        ("vector_ops", spec.vector_ops),
        ("fp8_flops_dense", spec.fp8_flops_dense),
        ("int8_ops_dense", spec.int8_ops_dense),
        ("fp4_flops_dense", spec.fp4_flops_dense),
        ("link_bytes_per_s_per_dir", spec.link_bytes_per_s_per_dir),
        ("tdp_watts", spec.tdp_watts),
        ("street_price_usd", spec.street_price_usd),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            row.positive(field, value);
        }
    }
    row.said("citation", &spec.source.citation);
}

fn model(spec: &ModelSpec, row: &mut Row<'_>) {
    row.positive("total_params", spec.total_params);
    row.positive("active_params", spec.active_params);
    if spec.active_params > spec.total_params {
        let found = format!("{} is more than all {} parameters", spec.active_params, spec.total_params);
        row.fault("active_params", &found, "write at most total_params");
    }
    let counts = [
        ("layers", spec.layers),
        ("hidden", spec.hidden),
        ("heads", spec.heads),
        ("kv_heads", spec.kv_heads),
        ("head_dim", spec.head_dim),
        ("vocab", spec.vocab),
        ("context_max", spec.context_max),
    ];
    for (field, count) in counts {
        row.positive(field, f64::from(count));
    }
    if spec.kv_layers.is_some_and(|layers| layers > spec.layers) {
        row.fault("kv_layers", "more layers with KV than layers", "write at most layers");
    }
    if let Some(sliding) = &spec.sliding_window
        && sliding.sliding_layers.checked_add(sliding.global_layers) != Some(spec.layers)
    {
        let found = format!(
            "{} and {} layers are not {}",
            sliding.sliding_layers, sliding.global_layers, spec.layers
        );
        row.fault("sliding_layers", &found, "make sliding and global layers add up to layers");
    }
    if let Some(moe) = &spec.moe {
        if moe.top_k == 0 || moe.top_k > moe.experts {
            let found = format!("{} of {} experts answer", moe.top_k, moe.experts);
            row.fault("top_k", &found, "write 1 up to the number of experts");
        }
        row.positive("every_n", f64::from(moe.every_n));
    }
    row.said("citation", &spec.source.citation);
}

fn price(sheet: &PriceSheet, row: &mut Row<'_>) {
    if sheet.rows.is_empty() {
        row.fault("rows", "there are none", "write at least one row with the prices");
    }
    for dated in &sheet.rows {
        price_row(dated, row);
    }
    for (earlier, later) in sheet.rows.iter().zip(sheet.rows.iter().skip(1)) {
        let apart = matches!((earlier.valid_to, later.valid_from), (Some(end), Some(start)) if end <= start);
        if !apart {
            let remedy = "order the rows by date and end each (valid_to) before the next begins (valid_from)";
            row.fault("valid_from", "two rows overlap or are out of order", remedy);
        }
    }
    row.said("citation", &sheet.source.citation);
}

fn price_row(dated: &PriceRow, row: &mut Row<'_>) {
    if matches!((dated.valid_from, dated.valid_to), (Some(from), Some(to)) if from >= to) {
        row.fault("valid_to", "the row ends before it begins", "write a day after valid_from");
    }
    let tiers = [Some(&dated.standard), dated.batch.as_ref(), dated.flex.as_ref(), dated.priority.as_ref()];
    tiers.into_iter().flatten().for_each(|rates| token_rates(rates, row));
    if let Some(long) = &dated.long_context {
        let tiers = [Some(&long.standard), long.batch.as_ref(), long.flex.as_ref(), long.priority.as_ref()];
        tiers.into_iter().flatten().for_each(|rates| token_rates(rates, row));
    }
    if let Some(off_peak) = &dated.off_peak {
        row.positive("factor", off_peak.factor);
        for window in &off_peak.windows {
            let days_ok = window.weekdays.iter().all(|day| (1..=7).contains(day));
            if !days_ok || window.from_hour_utc >= window.to_hour_utc || window.to_hour_utc > 24 {
                row.fault(
                    "windows",
                    "a window is outside of the week",
                    "write days 1..=7 and hours 0..=24, from < to",
                );
            }
        }
    }
    row.price("cache_storage_usd_per_mtok_hour", dated.cache_storage_usd_per_mtok_hour);
    row.price("search_usd_per_query", dated.search_usd_per_query);
    row.price("usd_per_request", dated.usd_per_request);
    if let Some(uplift) = dated.region_uplift {
        row.positive("region_uplift", uplift);
    }
}

fn token_rates(rates: &TokenRates, row: &mut Row<'_>) {
    row.price("input_usd_per_mtok", rates.input_usd_per_mtok);
    row.price("output_usd_per_mtok", rates.output_usd_per_mtok);
    row.price("reasoning_output_usd_per_mtok", rates.reasoning_output_usd_per_mtok);
    row.price("cached_read_usd_per_mtok", rates.cached_read_usd_per_mtok);
    row.price("cache_write_usd_per_mtok", rates.cache_write_usd_per_mtok);
    row.price("cache_write_1h_usd_per_mtok", rates.cache_write_1h_usd_per_mtok);
    row.price("cache_write_12h_usd_per_mtok", rates.cache_write_12h_usd_per_mtok);
}

fn rate(rate: &CloudRate, known: &HashSet<&str>, row: &mut Row<'_>) {
    if !known.contains(rate.gpu.as_str()) {
        let unknown = super::search::unknown(super::RowKind::Gpu, &rate.gpu, known.iter().copied());
        let remedy = if unknown.nearest.is_empty() {
            "write the id of a GPU of the catalogue, or add the GPU".to_owned()
        } else {
            format!("write {}, or add the GPU", unknown.nearest.join(" or "))
        };
        row.fault("gpu", &format!("\"{}\" is not in the catalogue", rate.gpu), &remedy);
    }
    row.positive("gpus", f64::from(rate.gpus));
    row.price("on_demand_usd_per_gpu_hour", rate.on_demand_usd_per_gpu_hour);
    row.price("reserved_1y_usd_per_gpu_hour", rate.reserved_1y_usd_per_gpu_hour);
    row.price("reserved_3y_usd_per_gpu_hour", rate.reserved_3y_usd_per_gpu_hour);
    row.price("spot_usd_per_gpu_hour", rate.spot_usd_per_gpu_hour);
    row.said("citation", &rate.source.citation);
}
