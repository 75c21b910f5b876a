//! How long one prediction takes: preparing a deployment, evaluating it, and a straightforward evaluation layer by
//! layer in the same run.
//!
//! `cargo bench --no-default-features --bench perf`

use std::hint::black_box;

use breakeven::catalog::Catalog;
use breakeven::serving::{
    Calibration, Engine, GpuFacts, Lengths, ModelFacts, Perf, Precision, ServingConstants, Setup,
    WeightFormat,
};
use criterion::{Criterion, criterion_group, criterion_main};

/// A step written down the obvious way: every matrix of every layer on its own, each time.
fn layer_by_layer(
    model: &ModelFacts,
    gpu: &GpuFacts,
    c: &ServingConstants,
    tp: f64,
    batch: f64,
    context: f64,
    prompt: f64,
) -> f64 {
    let tokens = batch + prompt;
    let meet = |a: f64, b: f64| (a.powf(c.knee) + b.powf(c.knee)).powf(1.0 / c.knee);
    let gemm = |rows: f64, columns: f64, tokens: f64| {
        let bytes = rows * columns / tp / (gpu.bandwidth_bytes_per_s * c.stream_narrow);
        let flops =
            2.0 * rows * columns * tokens / tp / (gpu.fp8_flops.unwrap_or(gpu.bf16_flops) * c.compute_8);
        meet(bytes, flops)
    };
    let width = model.heads * model.head_dim;
    let narrow = model.kv_heads * model.head_dim;
    let intermediate = (model.active_params - model.attention_params - model.head_params)
        / model.layers
        / (3.0 * model.hidden);
    let mut secs = 0.0;
    for layer in 0..model.layers as usize {
        // Layers differ in general: none is taken from the one before.
        let tokens = black_box(tokens) + 0.0 * black_box(layer) as f64;
        secs += gemm(model.hidden, width, tokens)
            + 2.0 * gemm(model.hidden, narrow, tokens)
            + gemm(width, model.hidden, tokens);
        secs += 3.0 * gemm(model.hidden, intermediate, tokens);
        let read = batch * context * 2.0 * narrow / tp / (gpu.bandwidth_bytes_per_s * c.stream_kv);
        let scored = batch * context * 4.0 * width / tp / (gpu.bf16_flops * c.compute_attention);
        secs += meet(read, scored);
        secs += prompt * prompt * 0.5 * 4.0 * width / tp / (gpu.bf16_flops * c.compute_attention);
        let ring = 2.0 * (tp - 1.0) / tp * model.hidden * 2.0 / (gpu.link_bytes_per_s * c.link);
        secs += 2.0 * (c.all_reduce_secs + tokens * ring);
        secs += tokens * model.hidden * 2.0 * c.activation_passes / gpu.bandwidth_bytes_per_s;
        secs += c.layer_secs.vllm;
    }
    secs + c.step_secs.vllm + batch * c.sequence_secs.vllm
}

fn obvious(model: &ModelFacts, gpu: &GpuFacts, users: f64, lengths: &Lengths) -> f64 {
    let c = &Calibration::shipped().serving;
    let mut running = users;
    let mut rate = 0.0;
    for _ in 0..6 {
        let context = lengths.context + lengths.output / 2.0;
        let step = layer_by_layer(model, gpu, c, 4.0, running, context, 0.0);
        let prompt = layer_by_layer(model, gpu, c, 4.0, running, context, lengths.prompt) - step;
        let tpot = step + running / lengths.output * prompt;
        running = users * lengths.output * tpot / (prompt + lengths.output * tpot);
        rate = running / tpot;
    }
    rate
}

fn predictions(criterion: &mut Criterion) {
    let catalog = Catalog::shipped();
    let (Ok(model), Ok(gpu)) = (catalog.model("llama-3.3-70b"), catalog.gpu("h100-sxm-80gb")) else {
        panic!("the catalogue ships both");
    };
    let (model, gpu) = (ModelFacts::from_spec(model), GpuFacts::from_spec(gpu));
    let setup = Setup::new(4, WeightFormat::Fp8, Precision::Fp8, Engine::Vllm);
    let Ok(perf) = Perf::prepare(&model, &gpu, &setup) else { panic!("70 GB fit on four H100") };
    let lengths = Lengths::new(2048.0, 512.0);
    criterion.bench_function("prepare a deployment", |bencher| {
        bencher.iter(|| Perf::prepare(black_box(&model), black_box(&gpu), black_box(&setup)));
    });
    criterion.bench_function("one prediction at a concurrency, prepared", |bencher| {
        bencher.iter(|| perf.at_concurrency(black_box(64.0), black_box(&lengths)));
    });
    criterion.bench_function("one prediction at full load, prepared", |bencher| {
        bencher.iter(|| perf.at_full_load(black_box(&lengths)));
    });
    criterion.bench_function("one prediction under a latency target, prepared", |bencher| {
        bencher.iter(|| perf.within_tpot(black_box(0.02), black_box(&lengths)));
    });
    criterion.bench_function("one prediction at a concurrency, layer by layer", |bencher| {
        bencher.iter(|| obvious(black_box(&model), black_box(&gpu), black_box(64.0), black_box(&lengths)));
    });
}

criterion_group!(perf, predictions);
criterion_main!(perf);
