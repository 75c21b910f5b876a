//! Laws, closed forms and published figures of the serving model.

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;

fn llama_8b() -> ModelFacts {
    ModelFacts::dense(8.030_261e9, 32.0, 4096.0, (32.0, 8.0, 128.0), 128_256.0)
}

fn llama_70b() -> ModelFacts {
    ModelFacts::dense(70.553_706e9, 80.0, 8192.0, (64.0, 8.0, 128.0), 128_256.0)
}

fn mixtral() -> ModelFacts {
    let mut model = ModelFacts::dense(46.7e9, 32.0, 4096.0, (32.0, 8.0, 128.0), 32_000.0);
    model.experts =
        Some(ExpertFacts { count: 8.0, top_k: 2.0, params: 45.1e9, layers: 32.0, width: 14336.0 });
    model.active_params = 12.7e9;
    model
}

fn gpt_oss_20b() -> ModelFacts {
    let mut model = ModelFacts::dense(20.9e9, 24.0, 2880.0, (64.0, 8.0, 64.0), 201_088.0);
    let half = 12.0 * 2.0 * 8.0 * 64.0;
    model.kv_elements = half;
    model.sliding = Some(SlidingFacts { window: 128.0, layers: 12.0, kv_elements: half });
    model.experts =
        Some(ExpertFacts { count: 32.0, top_k: 4.0, params: 19.1e9, layers: 24.0, width: 2880.0 });
    model.active_params = 3.6e9;
    model
}

fn deepseek() -> ModelFacts {
    let mut model = ModelFacts::dense(671e9, 61.0, 7168.0, (128.0, 128.0, 128.0), 129_280.0);
    model.mla = Some(LatentFacts { latent: 512.0, rope: 64.0, nope: 128.0, value: 128.0 });
    model.kv_elements = 61.0 * 576.0;
    model.experts =
        Some(ExpertFacts { count: 256.0, top_k: 8.0, params: 653.9e9, layers: 58.0, width: 2048.0 });
    model.active_params = 37e9;
    model
}

fn gpu(memory_bytes: f64, bandwidth: f64, bf16: f64) -> GpuFacts {
    GpuFacts {
        memory_bytes,
        bandwidth_bytes_per_s: bandwidth,
        bf16_flops: bf16,
        vector_ops: bf16 / 8.0,
        fp8_flops: Some(2.0 * bf16),
        int8_ops: Some(2.0 * bf16),
        fp4_flops: None,
        link_bytes_per_s: 450e9,
        watts: None,
        make: Make::Hbm,
    }
}

fn rtx_4090() -> GpuFacts {
    gpu(25_250_627_584.0, 1.008e12, 165.2e12)
}

fn h100() -> GpuFacts {
    gpu(80e9, 3.35e12, 989.5e12)
}

pub(super) fn deployment(gpus: u32) -> Deployment<f64> {
    Deployment {
        model: String::new(),
        gpu: String::new(),
        gpus_per_replica: gpus,
        layout: None,
        weights: Precision::Bf16,
        kv_cache: Precision::Bf16,
        memory_share: 0.9,
        max_sequences: 256,
        engine: None,
        efficiency: Efficiency {
            prefill_mfu: 0.6,
            decode_mbu: 0.8,
            step_overhead_secs: 2e-3,
            all_reduce_secs: 8e-6,
        },
        capacity_factor: 1.0,
        speculative: None,
        preemption: None,
        prefill: None,
        fleet: Fleet { scaling: Scaling::Fixed(1), headroom: 0.3, spare_replicas: 0 },
    }
}

/// Everything reached, nothing lost on the host.
fn ideal(gpus: u32) -> Deployment<f64> {
    let mut d = deployment(gpus);
    d.efficiency =
        Efficiency { prefill_mfu: 1.0, decode_mbu: 1.0, step_overhead_secs: 0.0, all_reduce_secs: 0.0 };
    d
}

const CHAT: Shape =
    Shape { prompt_tokens: 800.0, context_tokens: 1000.0, output_tokens: 300.0, tpot_target_secs: 0.05 };

fn sustained(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<f64>, shape: &Shape) -> Steady {
    steady(model, gpu, &memory(model, gpu, d).unwrap(), d, shape)
}

fn close(found: f64, expected: f64, relative: f64) {
    assert!(
        (found - expected).abs() <= relative * expected.abs(),
        "found {found}, expected {expected} within {relative}"
    );
}

#[test]
fn loading_140_gb_at_2_tb_per_second_takes_70_ms_per_token() {
    let mut model = ModelFacts::dense(70e9, 80.0, 8192.0, (64.0, 8.0, 128.0), 0.0);
    model.kv_elements = 0.0;
    let card = gpu(200e9, 2e12, 1e24);
    close(decode_step_secs(&model, &card, &ideal(1), 1.0, 0.0), 0.070, 1e-6);
}

#[test]
fn a_token_of_llama_3_8b_leaves_131_072_bytes_and_of_deepseek_70_272() {
    assert_eq!(llama_8b().kv_bytes(1.0, Precision::Bf16), 131_072.0);
    assert_eq!(deepseek().kv_bytes(1.0, Precision::Bf16), 70_272.0);
}

#[test]
fn sliding_layers_stop_growing_at_their_window() {
    let model = gpt_oss_20b();
    let per_layer = 2.0 * 8.0 * 64.0 * 2.0;
    assert_eq!(model.kv_bytes(100.0, Precision::Bf16), 24.0 * per_layer * 100.0);
    assert_eq!(model.kv_bytes(1e4, Precision::Bf16), 12.0 * per_layer * (128.0 + 1e4));
}

#[test]
fn latent_kv_and_scarce_heads_are_copied_to_every_gpu() {
    assert_eq!(deepseek().kv_copies(8.0), 8.0);
    assert_eq!(llama_70b().kv_copies(8.0), 1.0);
    assert_eq!(llama_70b().kv_copies(16.0), 2.0);
}

#[test]
fn an_rtx_4090_leaves_llama_8b_about_41_408_kv_tokens() {
    // vLLM measured 41,408 with a memory share of 0.9.
    close(memory(&llama_8b(), &rtx_4090(), &deployment(1)).unwrap().kv_tokens, 41_408.0, 0.10);
}

#[test]
fn memory_adds_up() {
    let m = memory(&llama_70b(), &h100(), &deployment(4)).unwrap();
    close(m.weights_bytes + m.activation_bytes + m.kv_budget_bytes, m.usable_bytes, 1e-12);
    close(m.kv_tokens * m.kv_bytes_per_token, m.kv_budget_bytes, 1e-12);
}

#[test]
fn what_does_not_fit_says_both_sizes() {
    let Err(ServingError::DoesNotFit { need, have }) = memory(&llama_70b(), &h100(), &deployment(1)) else {
        panic!("141 GB cannot fit in 72 GB");
    };
    assert!(need.get() > 141e9 && need.get() < 144e9, "{need:?}");
    assert_eq!(have.get(), 72e9);
}

#[test]
fn heads_that_do_not_divide_are_refused() {
    assert_eq!(
        memory(&llama_8b(), &h100(), &deployment(3)),
        Err(ServingError::TensorParallel { heads: 32, gpus: 3 })
    );
}

#[test]
fn formats_take_the_bytes_of_their_weights_and_scales() {
    assert_eq!(Precision::Bf16.bytes_per_weight(), 2.0);
    assert_eq!(Precision::Fp8.bytes_per_weight(), 1.0);
    assert_eq!(Precision::Fp4.bytes_per_weight(), 0.5625);
    // 128 weights of 4 bits, one scale of 16 bits, one zero of 4 bits.
    close(Precision::Int4.bytes_per_weight(), (128.0 * 4.0 + 16.0 + 4.0) / 8.0 / 128.0, 1e-12);
}

#[test]
fn quantised_checkpoints_keep_embeddings_and_head_in_16_bit() {
    // Published checkpoints of Llama 3.1 8B: AWQ INT4 5.74 GB, FP8 9.08 GB, BF16 16.06 GB.
    close(llama_8b().weights_bytes(Precision::Int4), 5.74e9, 0.01);
    close(llama_8b().weights_bytes(Precision::Fp8), 9.08e9, 0.01);
    close(llama_8b().weights_bytes(Precision::Bf16), 16.06e9, 0.001);
}

#[test]
fn every_shipped_model_keeps_its_kv_and_its_weights_in_the_facts() {
    let mut off = Vec::new();
    for spec in &Catalog::shipped().models {
        let facts = ModelFacts::from_spec(spec);
        for context in [1.0, 100.0, 5000.0, 1e5] {
            let (found, expected) = (facts.kv_bytes(context, Precision::Bf16), spec.kv_bytes(context, 2.0));
            assert!((found - expected).abs() <= 1e-9 * expected, "{}: {found} {expected}", spec.id);
        }
        let idle = facts.experts.map_or(0.0, |e| e.params * (1.0 - e.top_k / e.count));
        let active = facts.total_params - facts.lookup_params - idle;
        // Totals are printed rounded, and what a model adds up to inherits that: 2 % of the total.
        let slack = (0.02 * facts.total_params).max(0.1 * facts.active_params);
        if (active - facts.active_params).abs() > slack {
            off.push(format!("{}: {:.2e} by parts, {:.2e} stated", spec.id, active, facts.active_params));
        }
        if let Some(bytes) = spec.checkpoint_bytes {
            let by_parts = ModelFacts {
                published: facts.published.map(|p| PublishedWeights { bytes: None, ..p }),
                ..facts
            };
            let format = by_parts.published.unwrap().format;
            let ratio = by_parts.weights_bytes(format) / bytes;
            if (ratio - 1.0).abs() > 0.1 {
                off.push(format!("{}: weights by parts are {ratio:.3} of the checkpoint", spec.id));
            }
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn every_shipped_gpu_and_model_gives_finite_numbers_or_says_why_not() {
    for card in &Catalog::shipped().gpus {
        let card = GpuFacts::from_spec(card);
        for spec in &Catalog::shipped().models {
            let model = ModelFacts::from_spec(spec);
            let mut d = deployment(8);
            d.weights = Precision::Fp8;
            match memory(&model, &card, &d) {
                Ok(fits) => {
                    let s = steady(&model, &card, &fits, &d, &CHAT);
                    assert!(s.calls_per_sec.is_finite() && s.tpot_secs > 0.0, "{}: {s:?}", spec.id);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn experts_touched_are_exact_at_small_cases() {
    close(experts_touched(8.0, 2.0, 1.0), 2.0, 1e-12);
    // Two tokens choose 2 of 8 each: 2 + 2 - 4/8 distinct in the mean.
    close(experts_touched(8.0, 2.0, 2.0), 3.5, 1e-12);
    close(experts_touched(8.0, 8.0, 1.0), 8.0, 1e-12);
    assert_eq!(experts_touched(8.0, 2.0, 0.0), 0.0);
    close(experts_touched(8.0, 2.0, 1e6), 8.0, 1e-12);
}

#[test]
fn a_large_batch_of_a_mixture_reads_all_experts_and_one_token_only_its_own() {
    let (model, card, mut d) = (mixtral(), gpu(640e9, 3.35e12, 1e24), ideal(1));
    d.efficiency.decode_mbu = 1.0;
    let secs = |batch| decode_step_cost(&model, &card, &d, batch, 0.0).expert_secs;
    close(secs(1.0), 45.1e9 * 2.0 * 0.25 / 3.35e12, 1e-6);
    close(secs(256.0), 45.1e9 * 2.0 / 3.35e12, 1e-6);
}

#[test]
fn speculative_decoding_yields_the_geometric_sum() {
    assert_eq!(accepted_tokens(0.0, 4.0), 1.0);
    assert_eq!(accepted_tokens(1.0, 4.0), 5.0);
    close(accepted_tokens(0.5, 2.0), 1.75, 1e-12);
}

#[test]
fn drafting_for_free_and_always_accepted_is_faster_and_never_accepted_is_slower() {
    let with = |acceptance, draft_cost_share| {
        let mut d = deployment(1);
        d.max_sequences = 4;
        d.speculative = Some(Speculative { acceptance, draft_tokens: 4.0, draft_cost_share });
        sustained(&llama_8b(), &h100(), &d, &CHAT).calls_per_sec
    };
    let mut plain = deployment(1);
    plain.max_sequences = 4;
    let plain = sustained(&llama_8b(), &h100(), &plain, &CHAT).calls_per_sec;
    assert!(with(1.0, 0.0) > 3.0 * plain, "{} against {plain}", with(1.0, 0.0));
    assert!(with(0.0, 0.1) < plain, "{} against {plain}", with(0.0, 0.1));
}

#[test]
fn the_rate_is_the_batch_over_the_time_that_a_call_takes() {
    let s = sustained(&llama_8b(), &h100(), &deployment(1), &CHAT);
    close(s.calls_per_sec, s.batch / (CHAT.output_tokens * s.step.total()), 1e-12);
    close(s.output_tokens_per_sec, s.calls_per_sec * 300.0, 1e-12);
    close(s.prompt_tokens_per_sec, s.calls_per_sec * 800.0, 1e-12);
}

#[test]
fn the_capacity_factor_multiplies_the_rate_and_nothing_else() {
    let mut d = deployment(1);
    let one = sustained(&llama_8b(), &h100(), &d, &CHAT);
    d.capacity_factor = 0.7;
    let less = sustained(&llama_8b(), &h100(), &d, &CHAT);
    close(less.calls_per_sec, 0.7 * one.calls_per_sec, 1e-12);
    assert_eq!((less.batch, less.tpot_secs), (one.batch, one.tpot_secs));
}

#[test]
fn the_limit_is_named() {
    let limit = |model: &ModelFacts, card: &GpuFacts, sequences, target| {
        let mut d = deployment(1);
        d.max_sequences = sequences;
        sustained(model, card, &d, &Shape { tpot_target_secs: target, ..CHAT })
    };
    let cards = (h100(), rtx_4090());
    assert_eq!(limit(&llama_8b(), &cards.0, 2, 1.0).limited_by, Limit::MaxSequences);
    assert_eq!(limit(&llama_8b(), &cards.1, 10_000, 1.0).limited_by, Limit::Memory);
    let kept = limit(&llama_8b(), &cards.0, 10_000, 0.02);
    assert_eq!(kept.limited_by, Limit::TpotTarget);
    close(kept.tpot_secs, 0.02, 1e-5);
    let missed = limit(&llama_8b(), &cards.1, 10_000, 0.001);
    assert_eq!((missed.limited_by, missed.batch), (Limit::TargetUnreachable, 1.0));
    assert!(missed.tpot_secs > 0.001);
}

#[test]
fn a_context_that_does_not_fit_serves_nothing_and_says_memory() {
    let long = Shape { prompt_tokens: 1e6, context_tokens: 1e6, ..CHAT };
    let s = sustained(&llama_8b(), &rtx_4090(), &deployment(1), &long);
    assert_eq!((s.calls_per_sec, s.batch, s.limited_by), (0.0, 0.0, Limit::Memory));
    assert_eq!(ttft(&s, &Load { calls_per_sec: 0.1, replicas: 9.0, arrival_cv: 1.0, service_cv: 1.0 }), None);
}

fn queue(load: f64, cv: f64) -> Option<Ttft> {
    let s = sustained(&llama_8b(), &h100(), &deployment(1), &CHAT);
    ttft(
        &s,
        &Load { calls_per_sec: load * 2.0 * s.calls_per_sec, replicas: 2.0, arrival_cv: cv, service_cv: 1.0 },
    )
}

#[test]
fn ttft_is_prefill_when_idle_grows_with_load_and_ends_at_the_capacity() {
    let idle = queue(0.0, 1.0).unwrap();
    close(idle.mean_secs, idle.prefill_secs, 1e-12);
    let mut last = 0.0;
    for load in [0.0, 0.3, 0.6, 0.9, 0.99, 0.999] {
        let now = queue(load, 1.0).unwrap();
        assert!(now.mean_secs > last && now.p95_secs.is_finite(), "{load}: {now:?}");
        assert!(queue(load, 3.0).unwrap().mean_secs >= now.mean_secs);
        last = now.mean_secs;
    }
    assert_eq!(queue(1.0, 1.0), None);
    assert_eq!(queue(1.5, 1.0), None);
}

#[test]
fn one_slot_with_poisson_arrivals_and_exponential_service_waits_as_m_m_1() {
    let mut s = sustained(&llama_8b(), &h100(), &deployment(1), &CHAT);
    (s.batch, s.calls_per_sec, s.prefill_secs, s.tpot_secs) = (1.0, 1.0, 0.0, 0.0);
    let found = ttft(&s, &Load { calls_per_sec: 0.8, replicas: 1.0, arrival_cv: 1.0, service_cv: 1.0 });
    // rho / (1 - rho) times the service time of 1 s.
    close(found.unwrap().wait_secs, 4.0, 1e-12);
    let even = ttft(&s, &Load { calls_per_sec: 0.8, replicas: 1.0, arrival_cv: 1.0, service_cv: 0.0 });
    close(even.unwrap().wait_secs, 2.0, 1e-12);
}

fn models() -> Vec<ModelFacts> {
    vec![llama_8b(), llama_70b(), mixtral(), gpt_oss_20b(), deepseek()]
}

proptest! {
    #[test]
    fn more_bandwidth_is_never_slower_and_a_longer_context_never_faster(
        which in 0_usize..5, batch in 1.0_f64..400.0, context in 0.0_f64..1e5,
        more in 1.0_f64..4.0, target in 0.005_f64..0.5,
    ) {
        let model = &models()[which];
        let slow = gpu(400e9, 2e12, 800e12);
        let fast = gpu(400e9, 2e12 * more, 800e12);
        let d = deployment(8);
        let step = |card, context| decode_step_secs(model, card, &d, batch, context);
        prop_assert!(step(&fast, context) <= step(&slow, context) * (1.0 + 1e-12));
        prop_assert!(step(&slow, context * more) >= step(&slow, context) * (1.0 - 1e-12));

        let shape = Shape {
            prompt_tokens: 500.0, context_tokens: 500.0 + context, output_tokens: 200.0, tpot_target_secs: target,
        };
        let longer = Shape { context_tokens: 500.0 + context * more, ..shape };
        let now = sustained(model, &slow, &d, &shape);
        let faster = sustained(model, &fast, &d, &shape);
        let later = sustained(model, &slow, &d, &longer);
        prop_assert!(faster.calls_per_sec >= now.calls_per_sec * (1.0 - 1e-4));
        prop_assert!(later.calls_per_sec <= now.calls_per_sec * (1.0 + 1e-4));
        if now.limited_by != Limit::TargetUnreachable {
            prop_assert!(now.tpot_secs <= target * (1.0 + 1e-9) && now.batch <= now.batch_max);
        }
    }

    #[test]
    fn a_looser_target_never_serves_less(which in 0_usize..5, target in 0.001_f64..0.3, more in 1.0_f64..3.0) {
        let (model, card, d) = (&models()[which], gpu(400e9, 3e12, 900e12), deployment(8));
        let rate = |target| sustained(model, &card, &d, &Shape { tpot_target_secs: target, ..CHAT }).calls_per_sec;
        prop_assert!(rate(target * more) >= rate(target) * (1.0 - 1e-4));
    }

    #[test]
    fn no_finite_input_makes_a_nan(
        which in 0_usize..5, numbers in prop::array::uniform12(prop_oneof![
            Just(0.0), Just(-1.0), Just(1.0), Just(1e300), Just(-1e300), Just(1e-300), -10.0_f64..1e6,
        ]),
    ) {
        let model = &models()[which];
        let card = gpu(4e11, numbers[0], numbers[1]);
        let mut d = deployment(8);
        d.efficiency = Efficiency {
            prefill_mfu: numbers[2], decode_mbu: numbers[3], step_overhead_secs: numbers[4], all_reduce_secs: numbers[5],
        };
        d.capacity_factor = numbers[6];
        d.speculative = Some(Speculative {
            acceptance: numbers[7], draft_tokens: numbers[8], draft_cost_share: numbers[9],
        });
        let shape = Shape {
            prompt_tokens: numbers[9], context_tokens: numbers[10],
            output_tokens: numbers[11], tpot_target_secs: numbers[0],
        };
        let s = sustained(model, &card, &d, &shape);
        for x in [s.calls_per_sec, s.batch, s.tpot_secs, s.prefill_secs, s.output_tokens_per_sec, s.step.total()] {
            prop_assert!(!x.is_nan(), "{s:?}");
        }
        let load = Load { calls_per_sec: numbers[1], replicas: numbers[2], arrival_cv: numbers[3], service_cv: numbers[4] };
        if let Some(t) = ttft(&s, &load) {
            prop_assert!(!t.mean_secs.is_nan() && !t.p95_secs.is_nan(), "{t:?}");
        }
    }
}

fn fleet(scaling: Scaling) -> Fleet<f64> {
    Fleet { scaling, headroom: 0.3, spare_replicas: 1 }
}

fn office() -> [f64; 168] {
    let mut load = [0.5; 168];
    for (hour, work) in load.iter_mut().enumerate() {
        if hour / 24 < 5 && (8..18).contains(&(hour % 24)) {
            *work = 7.3;
        }
    }
    load
}

#[test]
fn a_peak_fleet_has_whole_replicas_for_the_busiest_hour_and_a_spare() {
    // ceil(7.3 * 1.3) + 1
    let w = week(&office(), &fleet(Scaling::Peak), None);
    assert_eq!((w.peak_replicas, w.replica_hours), (11.0, 11.0 * 168.0));
    assert_eq!((w.served_share, w.dropped_share), (1.0, 0.0));
    close(w.busy_replica_hours, 50.0 * 7.3 + 118.0 * 0.5, 1e-12);
    close(w.peak_utilisation, 7.3 / 11.0, 1e-12);
}

#[test]
fn a_whole_number_of_replicas_is_not_rounded_up() {
    let exact = Fleet { scaling: Scaling::Peak, headroom: 0.0, spare_replicas: 0 };
    assert_eq!(week(&[3.0; 168], &exact, None).peak_replicas, 3.0);
    assert_eq!(week(&[3.001; 168], &exact, None).peak_replicas, 4.0);
    assert_eq!(week(&[0.0; 168], &exact, None).peak_replicas, 0.0);
}

#[test]
fn a_fleet_of_nothing_sends_everything_to_the_overflow_or_drops_it() {
    let none = fleet(Scaling::Fixed(0));
    let w = week(&office(), &none, Some(0.8));
    assert_eq!((w.served_share, w.overflow_share, w.replica_hours), (0.0, 1.0, 0.0));
    assert_eq!(week(&office(), &none, None).dropped_share, 1.0);
    assert_eq!(week(&[0.0; 168], &none, None).served_share, 1.0);
}

#[test]
fn starting_ahead_is_paid_once_for_each_rise() {
    let scaling = |startup_minutes| Scaling::Auto { min: 1, max: 20, startup_minutes };
    let at_once = week(&office(), &fleet(scaling(0)), None).replica_hours;
    // ceil(0.65) + 1 = 2 at night, 11 by day; five mornings.
    assert_eq!(at_once, 118.0 * 2.0 + 50.0 * 11.0);
    close(week(&office(), &fleet(scaling(20)), None).replica_hours, at_once + 5.0 * 9.0 / 3.0, 1e-12);
    close(week(&office(), &fleet(scaling(90)), None).replica_hours, at_once + 5.0 * 9.0 * 1.5, 1e-12);
}

proptest! {
    #[test]
    fn what_is_served_overflows_or_drops_is_all_the_work_and_paid_covers_busy(
        load in prop::collection::vec(-1.0_f64..30.0, 168), kind in 0_u32..3, size in 0_u32..20, extra in 0_u32..10,
        startup_minutes in 0_u32..300, fill in prop::option::of(0.0_f64..1.2),
    ) {
        let hours: [f64; 168] = load.try_into().unwrap();
        let scaling = match kind {
            0 => Scaling::Fixed(size),
            1 => Scaling::Peak,
            _ => Scaling::Auto { min: size, max: size + extra, startup_minutes },
        };
        let w = week(&hours, &fleet(scaling), fill);
        prop_assert!((w.served_share + w.overflow_share + w.dropped_share - 1.0).abs() < 1e-12);
        let unused = if fill.is_some() { w.dropped_share } else { w.overflow_share };
        prop_assert_eq!(unused, 0.0);
        prop_assert!(w.busy_replica_hours <= w.replica_hours + 1e-9);
        prop_assert!((0.0..=1.0 + 1e-12).contains(&w.peak_utilisation) && (0.0..=1.0 + 1e-12).contains(&w.mean_utilisation));
        if kind == 1 {
            prop_assert_eq!(w.served_share, 1.0);
        }
        if kind == 2 {
            let bounds = f64::from(size) * 168.0 - 1e-9..=f64::from(size + extra) * 168.0 + 1e-9;
            prop_assert!(bounds.contains(&w.replica_hours), "{} outside {bounds:?}", w.replica_hours);
        }
    }
}

/// The rows of a published table, or a loud skip where it is not beside the checkout.
fn published(name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        root.ancestors().skip(1).map(|a| a.join("shared/data/measured").join(name)).find(|p| p.exists());
    let Some(path) = found else {
        eprintln!("SKIPPED: {name} is not beside this checkout; nothing was compared with measurements");
        return Vec::new();
    };
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Prints each relative error and returns the median of their sizes; `None` without rows.
fn median_error(name: &str, errors: &[(String, f64)]) -> Option<f64> {
    for (row, error) in errors {
        eprintln!("{name}: {row}: {:+.1} %", 100.0 * error);
    }
    let mut sizes: Vec<f64> = errors.iter().map(|(_, error)| error.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let median = sizes.get(sizes.len() / 2).copied();
    eprintln!("{name}: median {:?} of {}", median, sizes.len());
    median
}

#[test]
fn the_rate_of_llama_8b_on_an_h100_is_near_what_tensorrt_llm_published() {
    // Given: lengths, and a share of peak and bandwidth as serving-class GPUs reach them; nothing is fitted to the rows.
    let rows = published("trtllm_throughput.csv");
    for (format, kept, bound) in [("FP16/BF16(mixed)", Precision::Bf16, 0.15), ("FP8", Precision::Fp8, 0.35)]
    {
        let mut d = deployment(1);
        (d.weights, d.kv_cache, d.max_sequences) = (kept, kept, 2048);
        let is = |row: &std::collections::HashMap<String, String>, key: &str, value: &str| row[key] == value;
        let chosen = rows.iter().filter(|row| {
            is(row, "model", "Llama 3.1 8B")
                && is(row, "gpu", "H100-SXM-80GB")
                && is(row, "engine_version", "v0.15.0")
                && is(row, "precision", format)
                && is(row, "tp", "1")
        });
        let errors: Vec<(String, f64)> = chosen
            .map(|row| {
                let number = |key: &str| row[key].parse::<f64>().unwrap();
                let (isl, osl) = (number("isl"), number("osl"));
                let shape = Shape {
                    prompt_tokens: isl,
                    context_tokens: isl,
                    output_tokens: osl,
                    tpot_target_secs: 1e9,
                };
                let found = sustained(&llama_8b(), &h100(), &d, &shape).output_tokens_per_sec;
                (format!("{isl}/{osl}"), found / number("output_tok_s_total") - 1.0)
            })
            .collect();
        if let Some(median) = median_error(&format!("TensorRT-LLM {format}"), &errors) {
            assert!(median < bound, "median error {median:.3}");
        }
    }
}

#[test]
fn single_stream_decode_of_llama_8b_is_near_what_llama_cpp_published() {
    let cards = [
        ("3090 24GB", 936.2e9, 71e12),
        ("4090 24GB", 1008e9, 165.2e12),
        ("RTX A6000 48GB", 768e9, 154.8e12),
        ("RTX 6000 Ada 48GB", 960e9, 364e12),
        ("L40S 48GB", 864e9, 362e12),
        ("A100 SXM 80GB", 2039e9, 312e12),
    ];
    let mut d = deployment(1);
    (d.efficiency.decode_mbu, d.efficiency.step_overhead_secs) = (0.85, 1e-3);
    let errors: Vec<(String, f64)> = published("llamacpp_local.csv")
        .iter()
        .filter_map(|row| {
            let card = cards.iter().find(|(name, ..)| row["gpu"] == *name)?;
            let wanted = row["model"] == "Llama 3 8B" && row["quant"] == "F16" && row["n_gpus"] == "1";
            let context =
                wanted.then(|| row["test"].strip_prefix("tg")?.parse::<f64>().ok()).flatten()? / 2.0;
            let secs = decode_step_secs(&llama_8b(), &gpu(80e9, card.1, card.2), &d, 1.0, context);
            Some((
                format!("{} {}", card.0, row["test"]),
                1.0 / secs / row["tok_s"].parse::<f64>().ok()? - 1.0,
            ))
        })
        .collect();
    if let Some(median) = median_error("llama.cpp F16", &errors) {
        assert!(median < 0.20, "median error {median:.3}");
    }
}
