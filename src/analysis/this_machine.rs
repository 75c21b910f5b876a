//! What a measured device would serve: tokens per second, time to first token and price, model by model.
//!
//! A run's read bandwidth takes the place of the data sheet in the calibrated models of one stream ([`Local`]) and of
//! serving in batches ([`Perf`]). Their constants are shares of data-sheet bandwidth, so a measured bandwidth is first
//! turned into the data sheet that it stands for ([`achieved_share`]). What arithmetic a shader reaches is a lower bound:
//! it has no matrix units; where the catalogue knows the device, its data sheet is used for compute.
//!
//! Not modelled: llama.cpp's own batching, power other than what is given, heat. Processors are outside what the
//! constants were fitted to.

mod published;

use jiff::civil::Date;
use serde::Serialize;
use thiserror::Error;

use crate::bench::{DeviceKind, Kernel, Run};
use crate::catalog::{Catalog, GpuClass, GpuSpec, ModelSpec, PriceMode, ServiceTier, Source};
use crate::serving::{
    Calibration, Engine, GgufMix, GpuFacts, Lengths, Local, LocalSetup, Make, ModelFacts, Perf, Precision,
    ServingConstants, Setup, Spread, WeightFormat,
};

use super::perf::native;

pub use self::published::{Beside, PublishedBandwidth, beside, kernel_of};

/// What of a run the serving models need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredDevice {
    /// Name of the device.
    pub name: String,
    /// Kind of the device.
    pub kind: DeviceKind,
    /// Read bandwidth out of memory, in bytes per second; > 0.
    pub read_bytes_per_s: f64,
    /// Rate of 16 bit arithmetic, in FLOP per second; > 0.
    pub flops: f64,
    /// Whether that rate is a data sheet's rather than measured.
    pub flops_of_data_sheet: bool,
    /// Rate of 32 bit integers outside matrix units, in operations per second: the data sheet's where there is one, else
    /// half of `flops`, since a multiply-add counts as two; > 0.
    pub vector_ops: f64,
    /// Memory, in bytes; > 0.
    pub memory_bytes: f64,
    /// Id of the catalogue's row of this device, if it has one.
    pub gpu: Option<String>,
    /// Data-sheet bandwidth of that row, in bytes per second.
    pub data_sheet_bytes_per_s: Option<f64>,
}

/// Why a run is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotEnough {
    /// No bandwidth was measured.
    #[error("the run has no memory bandwidth; measure read, copy or triad")]
    Bandwidth,
    /// Nothing says what it computes.
    #[error("the run has no rate of arithmetic; measure fma-f32")]
    Compute,
    /// Nothing says how much memory there is.
    #[error("nothing says how much memory the device has")]
    Memory,
}

/// Share of its data-sheet bandwidth that reading reaches on a make of memory.
///
/// Source: gpu-benches and clpeak as published: A100 80 GB 1,776 of 2,039 GB/s, V100 867 of 900, H200 3,889 of 4,800;
/// L40 845 of 864, RTX 5060 424 of 448, P40 301 of 347; M1 Pro 184 of 200; MI300X 3,473-4,199 of 5,300; RX 6900 XT 508
/// of 512. Medians by make.
#[must_use]
pub const fn achieved_share(make: Make) -> f64 {
    match make {
        Make::Hbm => 0.87,
        Make::Gddr => 0.945,
        Make::Apple => 0.92,
        Make::AmdServer => 0.73,
        Make::AmdCard => 0.95,
    }
}

impl MeasuredDevice {
    /// What a run says.
    ///
    /// - `memory_bytes`: where the run does not know it and the user does.
    ///
    /// # Errors
    /// [`NotEnough`] says what is missing.
    pub fn of(run: &Run, catalog: &Catalog, memory_bytes: Option<f64>) -> Result<Self, NotEnough> {
        let read_bytes_per_s = run.read_bytes_per_s().ok_or(NotEnough::Bandwidth)?;
        let processor = run.device.kind.is_processor();
        let row = if processor { None } else { catalog.gpu_named(&run.device.name) };
        let measured = [Kernel::FmaF16, Kernel::GemmF16, Kernel::FmaF32, Kernel::GemmF32]
            .into_iter()
            .filter_map(|kernel| run.headline(kernel).map(|point| point.value))
            .max_by(f64::total_cmp);
        let flops = row.map(|row| row.bf16_flops_dense).or(measured).ok_or(NotEnough::Compute)?;
        #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
        let known = run.device.memory_bytes.map(|bytes| bytes as f64);
        let memory_bytes =
            memory_bytes.or(known).or(row.map(|row| row.memory_bytes)).ok_or(NotEnough::Memory)?;
        Ok(Self {
            name: run.device.name.clone(),
            kind: run.device.kind,
            read_bytes_per_s,
            flops,
            flops_of_data_sheet: row.is_some(),
            vector_ops: row.map_or(0.5 * flops, GpuSpec::vector_ops),
            memory_bytes,
            gpu: row.map(|row| row.id.clone()),
            data_sheet_bytes_per_s: row.map(|row| row.bandwidth_bytes_per_s),
        })
    }

    /// The make of its memory, by name and speed.
    #[must_use]
    pub fn make(&self) -> Make {
        let name = self.name.to_lowercase();
        let has = |word: &str| name.contains(word);
        if self.kind.is_processor() {
            Make::Gddr
        } else if has("apple") {
            Make::Apple
        } else if has("instinct") {
            Make::AmdServer
        } else if has("radeon") || has("amd") || has("intel") {
            Make::AmdCard
        } else if self.read_bytes_per_s > 1.15e12 && !has("rtx") && !has("geforce") {
            Make::Hbm
        } else {
            Make::Gddr
        }
    }

    /// The data sheet that the measurement stands for.
    #[must_use]
    pub fn facts(&self) -> GpuFacts {
        let make = self.make();
        GpuFacts {
            memory_bytes: self.memory_bytes,
            bandwidth_bytes_per_s: self.read_bytes_per_s / achieved_share(make),
            bf16_flops: self.flops,
            vector_ops: self.vector_ops,
            fp8_flops: None,
            int8_ops: None,
            fp4_flops: None,
            link_bytes_per_s: crate::serving::PCIE_BYTES_PER_S,
            watts: None,
            make,
        }
    }

    /// A row for the user's catalogue: the device as measured.
    #[must_use]
    pub fn row(&self, measured: Date) -> GpuSpec {
        let id: String = self
            .name
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let id = id.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        let facts = self.facts();
        let vendor = ["NVIDIA", "AMD", "Apple", "Intel"]
            .into_iter()
            .find(|vendor| self.name.to_lowercase().contains(&vendor.to_lowercase()))
            .unwrap_or("measured");
        GpuSpec {
            id: format!("measured-{id}"),
            name: format!("{} (measured)", self.name),
            vendor: vendor.to_owned(),
            class: match facts.make {
                Make::Apple => GpuClass::Apple,
                Make::Hbm | Make::AmdServer => GpuClass::DataCentre,
                Make::Gddr | Make::AmdCard => GpuClass::Workstation,
            },
            memory_bytes: facts.memory_bytes,
            bandwidth_bytes_per_s: facts.bandwidth_bytes_per_s,
            bf16_flops_dense: facts.bf16_flops,
            vector_ops: Some(facts.vector_ops),
            fp8_flops_dense: None,
            int8_ops_dense: None,
            fp4_flops_dense: None,
            link: "PCIe".to_owned(),
            link_bytes_per_s_per_dir: None,
            tdp_watts: None,
            street_price_usd: None,
            unverified: Vec::new(),
            notes: format!(
                "Bandwidth is what reading reached ({:.3} GB/s) over the {:.1} % of a data sheet that reading reaches on such memory.",
                self.read_bytes_per_s / 1e9,
                100.0 * achieved_share(facts.make)
            ),
            source: Source { citation: "measured on this machine".to_owned(), url: None, read: measured },
        }
    }
}

/// The question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServeAsk {
    /// Prompt of a call, in tokens; >= 1.
    pub prompt_tokens: f64,
    /// Output of a call, in tokens; >= 1.
    pub output_tokens: f64,
    /// Price of the device, in US dollars; >= 0.
    pub device_usd: f64,
    /// Years over which it is written off; > 0.
    pub years: f64,
    /// Power at work, in watts; >= 0.
    pub watts: f64,
    /// Price of energy, in US dollars per kWh; >= 0.
    pub usd_per_kwh: f64,
    /// Share of the hours in which it works, above 0 to 1.
    pub utilisation: f64,
}

impl Default for ServeAsk {
    /// A chat turn on a card of $1,500 that is busy a fifth of the time.
    fn default() -> Self {
        Self {
            prompt_tokens: 1024.0,
            output_tokens: 256.0,
            device_usd: 1500.0,
            years: 3.0,
            watts: 300.0,
            usd_per_kwh: 0.15,
            utilisation: 0.2,
        }
    }
}

/// Hours in a mean year.
const HOURS_PER_YEAR: f64 = 8766.0;

impl ServeAsk {
    /// What a busy hour costs, in US dollars: write-off spread over the busy hours, and energy.
    #[must_use]
    pub fn usd_per_busy_hour(&self) -> f64 {
        let busy = (self.years * HOURS_PER_YEAR * self.utilisation).max(1e-9);
        self.device_usd / busy + self.watts / 1000.0 * self.usd_per_kwh
    }
}

/// What a model does on the device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServeRow {
    /// Catalogue id of the model.
    pub model: String,
    /// Its name.
    pub name: String,
    /// Format of the weights: the widest that fits.
    pub weights: String,
    /// Bytes of the weights.
    pub weights_bytes: f64,
    /// Tokens per second of one stream, at the middle of the output.
    pub stream_tokens_per_sec: f64,
    /// Its 80 % band.
    pub stream_band: (f64, f64),
    /// Time to first token of one stream, in seconds.
    pub ttft_secs: f64,
    /// Output tokens per second with one call after the other, prompts included.
    pub alone_tokens_per_sec: f64,
    /// US dollars per million output tokens, one call after the other.
    pub alone_usd_per_mtok: f64,
    /// Output tokens per second at the best batch; `None` where no engine batches on such a device.
    pub batch_tokens_per_sec: Option<f64>,
    /// That batch.
    pub batch: Option<f64>,
    /// US dollars per million output tokens at the best batch.
    pub batch_usd_per_mtok: Option<f64>,
    /// The cheapest API that sells this model; `None` where the catalogue has none.
    pub api: Option<ApiPrice>,
}

/// What an API asks for the same work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiPrice {
    /// Id of the price sheet.
    pub sheet: String,
    /// Name of it.
    pub name: String,
    /// US dollars per million output tokens, the prompts that go with them included.
    pub usd_per_mtok: f64,
}

/// Formats that are tried, widest first, after the published one.
const FORMATS: &[WeightFormat] = &[WeightFormat::Gguf(GgufMix::Q8_0), WeightFormat::Gguf(GgufMix::Q4_K_M)];

/// Memory beside the weights that a stream needs at least: buffers and the system's own, as a share of all.
const BESIDE: f64 = 0.10;

/// Half of the 80 % band of one stream, as a factor. Source: the calibration's errors on published llama.cpp rows.
const BAND: f64 = 1.15;

/// Every model of the catalogue that fits, fastest first, at the speed of a calibration.
#[must_use]
pub fn would_serve(
    device: &MeasuredDevice,
    catalog: &Catalog,
    calibration: &Calibration,
    ask: &ServeAsk,
    today: Date,
) -> Vec<ServeRow> {
    let mut rows: Vec<ServeRow> = catalog
        .models
        .iter()
        .filter_map(|model| row(device, model, (catalog, calibration), ask, today))
        .collect();
    rows.sort_by(|a, b| {
        b.stream_tokens_per_sec.total_cmp(&a.stream_tokens_per_sec).then_with(|| a.model.cmp(&b.model))
    });
    rows
}

fn row(
    device: &MeasuredDevice,
    model: &ModelSpec,
    (catalog, calibration): (&Catalog, &Calibration),
    ask: &ServeAsk,
    today: Date,
) -> Option<ServeRow> {
    let (facts, gpu) = (ModelFacts::from_spec(model), device.facts());
    let lengths = Lengths::new(ask.prompt_tokens.max(1.0), ask.output_tokens.max(1.0));
    let tokens = lengths.context + lengths.output;
    if tokens > f64::from(model.context_max) {
        return None;
    }
    let formats = std::iter::once(native(model)).chain(FORMATS.iter().copied());
    let room = device.memory_bytes * (1.0 - BESIDE) - facts.kv_bytes(tokens, Precision::Bf16);
    let (weights, bytes) = formats
        .map(|format| {
            let published = model.checkpoint_bytes.filter(|_| format == native(model));
            (format, published.unwrap_or(facts.total_params * format.bytes_per_weight()))
        })
        .find(|(_, bytes)| *bytes <= room)?;
    let setup = LocalSetup { gpus: 1.0, spread: Spread::Layers, weights, weights_bytes: Some(bytes) };
    let mut constants = calibration.local;
    if device.kind.is_processor() {
        // A processor has no launches, and widens with the units that multiply: one operation per weight beside reading.
        (constants.layer_cuda_secs, constants.unpack, constants.unpack_knee) = (0.0, 1.0, 1.0);
    }
    let local = Local::with(&facts, &gpu, &setup, &constants).ok()?;
    let stream = local.decode_tokens_per_sec(lengths.context + 0.5 * lengths.output);
    let ttft_secs = lengths.context / local.prefill_tokens_per_sec(lengths.context);
    let alone = lengths.output / (ttft_secs + lengths.output / stream);
    let usd = |rate: f64| ask.usd_per_busy_hour() / (rate * 3600.0) * 1e6;
    let batched = batched(device, (&facts, &gpu), &calibration.serving, weights, &lengths);
    Some(ServeRow {
        model: model.id.clone(),
        name: model.name.clone(),
        weights: weights.label().to_owned(),
        weights_bytes: bytes,
        stream_tokens_per_sec: stream,
        stream_band: (stream / BAND, stream * BAND),
        ttft_secs,
        alone_tokens_per_sec: alone,
        alone_usd_per_mtok: usd(alone),
        batch_tokens_per_sec: batched.map(|(rate, _)| rate),
        batch: batched.map(|(_, batch)| batch),
        batch_usd_per_mtok: batched.map(|(rate, _)| usd(rate)),
        api: api(model, catalog, ask, today),
    })
}

/// Output rate and batch at full load, where a batching engine runs on such a device.
fn batched(
    device: &MeasuredDevice,
    (facts, gpu): (&ModelFacts, &GpuFacts),
    constants: &ServingConstants,
    weights: WeightFormat,
    lengths: &Lengths,
) -> Option<(f64, f64)> {
    if device.kind.is_processor() || gpu.make == Make::Apple {
        return None;
    }
    // The engines' own formats of the same width.
    let format = match weights {
        WeightFormat::Gguf(GgufMix::Q8_0) => WeightFormat::Int8,
        WeightFormat::Gguf(_) => WeightFormat::Int4,
        other => other,
    };
    let setup = Setup::new(1, format, Precision::Bf16, Engine::Vllm);
    let served = Perf::with(facts, gpu, &setup, constants).ok()?.at_full_load(lengths);
    (served.running >= 1.0).then_some((served.output_tokens_per_sec, served.running))
}

/// The cheapest sheet that sells a model.
fn api(model: &ModelSpec, catalog: &Catalog, ask: &ServeAsk, today: Date) -> Option<ApiPrice> {
    let sells = |name: &str| catalog.model_named(name).is_some_and(|row| row.id == model.id);
    let priced = |sheet: &crate::catalog::PriceSheet| -> Option<ApiPrice> {
        let rates = sheet.row_on(today)?.rates(ServiceTier::Standard, false);
        let (input, output) = (rates.input?.get(), rates.output?.get());
        let usd_per_mtok = output + input * ask.prompt_tokens / ask.output_tokens.max(1.0);
        Some(ApiPrice { sheet: sheet.id.clone(), name: sheet.name.clone(), usd_per_mtok })
    };
    catalog
        .prices
        .iter()
        .filter(|sheet| sheet.mode == PriceMode::Chat && !sheet.id.starts_with("ref-"))
        .filter(|sheet| {
            let last = sheet.api_name.rsplit('/').next().unwrap_or_default();
            sells(last) || sells(&sheet.api_name) || sells(&sheet.name)
        })
        .filter_map(priced)
        .min_by(|a, b| a.usd_per_mtok.total_cmp(&b.usd_per_mtok))
}

#[cfg(test)]
mod tests;
