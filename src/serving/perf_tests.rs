//! Laws, closed forms and a step worked out by hand, of the calibrated model.

use super::tests::deployment as stated;
use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;

fn model(id: &str) -> ModelFacts {
    ModelFacts::from_spec(Catalog::shipped().model(id).unwrap())
}

fn gpu(id: &str) -> GpuFacts {
    GpuFacts::from_spec(Catalog::shipped().gpu(id).unwrap())
}

fn h100() -> GpuFacts {
    gpu("h100-sxm-80gb")
}

fn setup(tp: u32) -> Setup {
    Setup::new(tp, WeightFormat::Fp8, Precision::Fp8, Engine::Vllm)
}

fn prepared(id: &str, tp: u32) -> Perf {
    Perf::prepare(&model(id), &gpu("b200-sxm-180gb"), &setup(tp)).unwrap()
}

const CHAT: Lengths = Lengths { prompt: 1024.0, context: 1024.0, output: 512.0 };

fn close(found: f64, expected: f64, relative: f64) {
    let off = (found - expected).abs() / expected.abs().max(1e-300);
    assert!(off <= relative, "found {found}, expected {expected} within {relative}");
}

#[test]
fn the_shipped_calibration_is_read_and_written_as_it_is() {
    let shipped = Calibration::shipped();
    assert_eq!(Calibration::parse(&shipped.to_text(), "text").as_ref(), Ok(shipped));
    assert!(shipped.rows > 1000 && !shipped.held_out.is_empty());
    for by in ["GPU", "family"] {
        let rows = shipped.held_out.iter().filter(|h| h.by == by);
        let worst: Vec<f64> = rows.map(|h| h.median).collect();
        assert!(worst.len() > 5 && worst.is_sorted_by(|a, b| a >= b), "{by}, worst first: {worst:?}");
    }
    let error = Calibration::parse("(schema: 1", "my.ron").unwrap_err();
    assert!(error.to_string().contains("my.ron") && error.to_string().contains("line"), "{error}");
}

#[test]
fn loading_140_gb_at_2_tb_per_second_takes_70_ms() {
    // 70e9 weights of 2 bytes at the data sheet's rate, no KV, nothing lost.
    let mut facts = ModelFacts::dense(70e9, 80.0, 8192.0, (64.0, 8.0, 128.0), 0.0);
    facts.kv_elements = 0.0;
    let mut card = h100();
    (card.memory_bytes, card.bandwidth_bytes_per_s, card.bf16_flops) = (200e9, 2e12, 1e24);
    let plain = Setup::new(1, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    let perf = Perf::with(&facts, &card, &plain, &ServingConstants::IDEAL).unwrap();
    close(perf.step(1.0, 0.0, 0.0, 0.0).total(), 0.070, 1e-6);
}

#[test]
fn a_decode_step_of_llama_3_1_8b_is_as_worked_out_by_hand() {
    // Weights in 16 bit: attention 32 * 4096 * 128 * 2 * (32 + 8) = 1.342e9, head 128256 * 4096 = 0.525e9,
    // feed-forward 32 * 3 * 4096 * 14336 = 5.637e9; 15.0 GB in all. 32 sequences of 1,000 tokens hold
    // 32 * 1000 * 131072 B = 4.19 GB. At 3.35 TB/s: 4.48 + 1.25 ms.
    let plain = Setup::new(1, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    let mut card = h100();
    card.bf16_flops = 1e24;
    let perf = Perf::with(&model("llama-3.1-8b"), &card, &plain, &ServingConstants::IDEAL).unwrap();
    let step = perf.step(32.0, 1000.0, 0.0, 0.0);
    close(step.dense_secs, (1.342e9 + 0.525e9 + 5.637e9) * 2.0 / 3.35e12, 2e-3);
    close(step.attention_secs, 32.0 * 1000.0 * 131_072.0 / 3.35e12, 1e-9);
    close(step.total(), 5.73e-3, 5e-3);
}

#[test]
fn a_closed_loop_serves_users_over_the_time_of_a_call() {
    let perf = prepared("llama-3.1-70b", 2);
    let served = perf.at_concurrency(32.0, &CHAT);
    let call = served.ttft_secs + served.tpot_secs * (CHAT.output - 1.0);
    close(served.calls_per_sec, 32.0 / call, 1e-9);
    close(served.output_tokens_per_sec, served.calls_per_sec * CHAT.output, 1e-12);
    assert!(served.running < 32.0);
}

#[test]
fn beyond_what_fits_users_wait_and_the_rate_stays() {
    let perf = prepared("llama-3.1-70b", 1);
    let (most, _) = perf.running_max(&CHAT);
    let full = perf.at_concurrency(most, &CHAT);
    let over = perf.at_concurrency(3.0 * most, &CHAT);
    close(over.output_tokens_per_sec, perf.at_full_load(&CHAT).output_tokens_per_sec, 0.1);
    assert!(over.output_tokens_per_sec >= full.output_tokens_per_sec);
    assert!(over.ttft_secs > 2.0 * full.ttft_secs, "{} {}", over.ttft_secs, full.ttft_secs);
    // Little's law: users = rate * time in the system.
    close(over.calls_per_sec * (over.ttft_secs + CHAT.output * over.tpot_secs), 3.0 * most, 1e-6);
}

#[test]
fn a_rate_below_capacity_is_served_and_one_above_is_not() {
    let perf = prepared("llama-3.1-70b", 2);
    let full = perf.at_full_load(&CHAT);
    let half = perf.at_rate(0.5 * full.calls_per_sec, None, &CHAT);
    close(half.calls_per_sec, 0.5 * full.calls_per_sec, 1e-12);
    assert!(half.tpot_secs < full.tpot_secs);
    // Little's law again: what decodes is the rate times the decoding time.
    close(half.running, half.calls_per_sec * CHAT.output * half.tpot_secs, 1e-2);
    close(perf.at_rate(9.0 * full.calls_per_sec, None, &CHAT).calls_per_sec, full.calls_per_sec, 1e-12);
}

#[test]
fn a_target_is_kept_or_said_to_be_out_of_reach() {
    let perf = prepared("llama-3.1-70b", 1);
    let kept = perf.within_tpot(0.04, &CHAT);
    assert!(kept.tpot_secs <= 0.04 && kept.limited_by == Limit::TpotTarget, "{kept:?}");
    assert_eq!(perf.within_tpot(1e-4, &CHAT).limited_by, Limit::TargetUnreachable);
    assert!(perf.within_tpot(0.08, &CHAT).output_tokens_per_sec > kept.output_tokens_per_sec);
}

#[test]
fn what_cannot_run_is_refused_with_its_sizes() {
    let big = model("deepseek-r1");
    let refused = Perf::prepare(&big, &h100(), &setup(8)).unwrap_err();
    let PerfError::DoesNotFit { need_bytes, have_bytes } = refused else { panic!("{refused}") };
    assert!(need_bytes > 660e9 && have_bytes < 640e9 && refused.to_string().contains("host memory"));
    let heads = Perf::prepare(&model("llama-3.1-8b"), &h100(), &setup(3)).unwrap_err();
    assert_eq!(heads, PerfError::Heads { heads: 32, tensor: 3 });
    assert_eq!(
        Perf::prepare(&model("llama-3.1-8b"), &h100(), &setup(0)).unwrap_err(),
        PerfError::NoParallelism { what: "tensor parallelism" }
    );
    let mut empty = h100();
    empty.bandwidth_bytes_per_s = 0.0;
    let error = Perf::prepare(&model("llama-3.1-8b"), &empty, &setup(1)).unwrap_err();
    assert!(error.to_string().contains("memory bandwidth"), "{error}");
    let mut deep = setup(1);
    deep.pipeline_parallel = 33;
    assert_eq!(
        Perf::prepare(&model("llama-3.1-8b"), &h100(), &deep).unwrap_err(),
        PerfError::Layers { layers: 32, pipeline: 33 }
    );
}

#[test]
fn a_sequence_that_does_not_fit_serves_nothing_and_says_memory() {
    let perf = Perf::prepare(&model("llama-3.1-8b"), &gpu("rtx-4090"), &setup(1)).unwrap();
    let served = perf.at_full_load(&Lengths::new(2e6, 10.0));
    assert_eq!((served.output_tokens_per_sec, served.limited_by), (0.0, Limit::Memory));
}

#[test]
fn prefix_hits_save_prefill_and_no_memory() {
    let perf = prepared("llama-3.1-70b", 1);
    let hit = Lengths { prompt: 256.0, ..CHAT };
    assert!(perf.prefill_secs(&hit) < 0.5 * perf.prefill_secs(&CHAT));
    assert_eq!(perf.running_max(&hit), perf.running_max(&CHAT));
    let (with, without) = (perf.at_full_load(&hit), perf.at_full_load(&CHAT));
    assert!(with.output_tokens_per_sec > without.output_tokens_per_sec);
}

#[test]
fn drafts_help_when_they_are_accepted_and_hurt_when_they_are_not() {
    let served = |draft| {
        let mut s = setup(2);
        s.draft = draft;
        let perf = Perf::prepare(&model("llama-3.1-70b"), &gpu("b200-sxm-180gb"), &s).unwrap();
        perf.at_concurrency(4.0, &CHAT).output_tokens_per_sec
    };
    let plain = served(None);
    assert!(served(Some(Draft::accepted(3.0, 0.8, 0.02))) > 1.5 * plain);
    assert!(served(Some(Draft::accepted(3.0, 0.0, 0.1))) < plain);
}

#[test]
fn more_gpus_make_a_step_shorter_but_less_than_in_proportion() {
    let step = |tp| prepared("llama-3.1-70b", tp).step(32.0, 1000.0, 0.0, 0.0).total();
    let (one, two, four, eight) = (step(1), step(2), step(4), step(8));
    assert!(one > two && two > four && four > eight, "{one} {two} {four} {eight}");
    assert!(two > 0.5 * one && eight > 0.125 * one);
}

#[test]
fn a_slow_link_costs_what_the_wire_costs() {
    let mut slow = gpu("b200-sxm-180gb");
    slow.link_bytes_per_s /= 3.0;
    let fast = gpu("b200-sxm-180gb");
    let facts = model("llama-3.1-70b");
    let prefill = |card: &GpuFacts| {
        Perf::prepare(&facts, card, &setup(8)).unwrap().step(0.0, 0.0, 8000.0, 4000.0).collective_secs
    };
    let latency = |card: &GpuFacts| {
        Perf::prepare(&facts, card, &setup(8)).unwrap().step(0.0, 0.0, 0.0, 0.0).collective_secs
    };
    close(prefill(&slow) - latency(&slow), 3.0 * (prefill(&fast) - latency(&fast)), 1e-9);
}

#[test]
fn a_mixture_reads_few_experts_for_few_tokens_and_all_of_them_for_many() {
    let perf = Perf::with(
        &model("mixtral-8x7b"),
        &gpu("b200-sxm-180gb"),
        &setup(1),
        &ServingConstants { knee: 64.0, ..ServingConstants::IDEAL },
    )
    .unwrap();
    let experts = model("mixtral-8x7b").experts.unwrap().params;
    let all = experts / 7.7e12;
    // 2 of 8 for one token.
    close(perf.step(1.0, 10.0, 0.0, 0.0).expert_secs, 0.25 * all, 1e-3);
    close(perf.step(64.0, 10.0, 0.0, 0.0).expert_secs, all, 1e-3);
}

#[test]
fn disaggregated_decoding_is_not_delayed_by_prompts() {
    let perf = prepared("llama-3.1-70b", 2);
    let long = Lengths::new(8192.0, 512.0);
    let together = perf.at_concurrency(64.0, &long);
    let apart = perf.disaggregated(1.0, &perf, 1.0, 64.0, 900e9, &long);
    assert!(apart.tpot_secs < together.tpot_secs, "{} {}", apart.tpot_secs, together.tpot_secs);
    // One prefill replica bounds the rate.
    assert!(apart.calls_per_sec <= 1.0 / perf.prefill_secs(&long) + 1e-9);
}

#[test]
fn older_software_is_slower() {
    let at = |year| {
        let s = Setup { year, ..setup(1) };
        Perf::prepare(&model("llama-3.1-8b"), &h100(), &s).unwrap().at_concurrency(8.0, &CHAT).tpot_secs
    };
    assert!(at(2023.8) > at(2025.0) && at(2025.0) > at(2026.2));
}

#[test]
fn one_stream_never_beats_the_bandwidth_and_a_longer_context_slows_it() {
    let catalog = Catalog::shipped();
    for id in ["rtx-3090", "rtx-4090", "rtx-5090", "apple-m1-max", "a100-sxm-80gb", "rx-7900-xtx"] {
        let card = GpuFacts::from_spec(catalog.gpu(id).unwrap());
        let facts = model("llama-3-8b");
        for weights in
            [WeightFormat::Fp16, WeightFormat::Gguf(GgufMix::Q8_0), WeightFormat::Gguf(GgufMix::Q4_K_M)]
        {
            let setup = LocalSetup { gpus: 1.0, spread: Spread::Layers, weights, weights_bytes: None };
            let local = Local::prepare(&facts, &card, &setup).unwrap();
            let floor = card.bandwidth_bytes_per_s
                / ((facts.total_params - facts.lookup_params) * weights.bytes_per_weight());
            let rate = local.decode_tokens_per_sec(0.0);
            assert!(rate < floor && rate > 0.2 * floor, "{id} {weights:?}: {rate} of {floor}");
            assert!(local.decode_tokens_per_sec(8000.0) < rate);
            let work = 2.0 * facts.active_params;
            let peak = card.int8_ops.unwrap_or(2.0 * card.bf16_flops);
            assert!(local.prefill_tokens_per_sec(2048.0) < peak / work);
        }
    }
}

#[test]
fn several_cards_split_by_layers_hold_more_and_are_not_faster() {
    let facts = model("llama-3-70b");
    let card = gpu("rtx-4090");
    let on = |gpus| {
        let weights = WeightFormat::Gguf(GgufMix::Q4_K_M);
        Local::prepare(
            &facts,
            &card,
            &LocalSetup { gpus, spread: Spread::Layers, weights, weights_bytes: None },
        )
    };
    assert!(matches!(on(1.0), Err(PerfError::DoesNotFit { .. })));
    assert!(on(4.0).unwrap().decode_tokens_per_sec(512.0) < on(2.0).unwrap().decode_tokens_per_sec(512.0));
}

fn deployment(gpus: u32, engine: Option<Engine>) -> Deployment<f64> {
    Deployment { engine, ..stated(gpus) }
}

#[test]
fn an_engine_that_is_named_takes_the_calibrated_constants_and_the_shape_of_the_laws_stays() {
    let (llama, card) = (model("llama-3.1-70b"), h100());
    let sustained = |d: &Deployment<f64>| {
        let shape = Shape {
            prompt_tokens: 800.0,
            context_tokens: 1000.0,
            output_tokens: 300.0,
            tpot_target_secs: 0.05,
        };
        Speed::prepare(&llama, &card, d).unwrap().steady(&llama, &card, d, &shape)
    };
    let d = deployment(4, Some(Engine::Vllm));
    let s = sustained(&d);
    // Within the band of the calibrated closed loop at the same batch.
    let mut setup = Setup::new(4, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    setup.max_sequences = Some(s.batch);
    let perf = Perf::prepare(&llama, &card, &setup).unwrap();
    let full = perf.at_full_load(&Lengths { prompt: 800.0, context: 1000.0, output: 300.0 });
    close(s.output_tokens_per_sec, full.output_tokens_per_sec, 0.15);
    let stated = sustained(&deployment(4, None));
    assert!((s.output_tokens_per_sec / stated.output_tokens_per_sec).ln().abs() < 1.0);
    let mut halved = d.clone();
    halved.efficiency.decode_mbu = 0.1;
    assert_eq!(sustained(&halved), s, "stated efficiencies are not read");
    assert!(s.tpot_secs <= 0.05 * (1.0 + 1e-9));
}

const MODELS: &[&str] =
    &["llama-3.1-8b", "llama-3.1-70b", "mixtral-8x7b", "gpt-oss-120b", "qwen3-next-80b-a3b", "gemma-3-27b"];

proptest! {
    #[test]
    fn no_step_is_faster_than_the_data_sheet(
        which in 0..MODELS.len(), tp in 0_u32..3, batch in 1.0_f64..600.0, context in 1.0_f64..20_000.0,
        prompt in 0.0_f64..6000.0,
    ) {
        let (facts, card, s) = (model(MODELS[which]), gpu("b200-sxm-180gb"), setup(1 << tp));
        let real = Perf::prepare(&facts, &card, &s).unwrap().step(batch, context, prompt, prompt / 2.0);
        let ideal = Perf::with(&facts, &card, &s, &ServingConstants::IDEAL).unwrap();
        let ideal = ideal.step(batch, context, prompt, prompt / 2.0);
        // Skewed routing touches fewer experts than independent routing: that part is no floor.
        prop_assert!(real.dense_secs >= ideal.dense_secs * (1.0 - 1e-9));
        prop_assert!(real.attention_secs >= ideal.attention_secs * (1.0 - 1e-9));
        prop_assert!(real.collective_secs >= ideal.collective_secs * (1.0 - 1e-9));
    }

    #[test]
    fn a_step_grows_with_its_work_and_shrinks_with_bandwidth(
        which in 0..MODELS.len(), batch in 1.0_f64..600.0, context in 1.0_f64..20_000.0, prompt in 0.0_f64..6000.0,
        more in 1.0_f64..4.0,
    ) {
        let (facts, card) = (model(MODELS[which]), gpu("b200-sxm-180gb"));
        let perf = Perf::prepare(&facts, &card, &setup(2)).unwrap();
        let step = |p: &Perf, b: f64, c: f64, n: f64| p.step(b, c, n, n / 2.0).total();
        let now = step(&perf, batch, context, prompt);
        prop_assert!(now.is_finite() && now > 0.0);
        prop_assert!(step(&perf, batch * more, context, prompt) >= now * (1.0 - 1e-12));
        prop_assert!(step(&perf, batch, context * more, prompt) >= now * (1.0 - 1e-12));
        prop_assert!(step(&perf, batch, context, prompt * more) >= now * (1.0 - 1e-12));
        let mut wide = card;
        wide.bandwidth_bytes_per_s *= more;
        let faster = Perf::prepare(&facts, &wide, &setup(2)).unwrap();
        prop_assert!(step(&faster, batch, context, prompt) <= now * (1.0 + 1e-12));
    }

    #[test]
    fn more_users_never_serve_less_and_never_wait_less(
        which in 0..MODELS.len(), users in 1.0_f64..300.0, more in 1.0_f64..3.0,
        input in 16.0_f64..8000.0, output in 16.0_f64..2000.0,
    ) {
        let perf = Perf::prepare(&model(MODELS[which]), &gpu("b200-sxm-180gb"), &setup(2)).unwrap();
        let lengths = Lengths::new(input, output);
        let (few, many) = (perf.at_concurrency(users, &lengths), perf.at_concurrency(users * more, &lengths));
        prop_assert!(many.output_tokens_per_sec >= few.output_tokens_per_sec * 0.97, "{few:?} {many:?}");
        prop_assert!(many.tpot_secs >= few.tpot_secs * 0.999);
        prop_assert!(few.running <= few.running_max * (1.0 + 1e-9));
    }

    #[test]
    fn no_number_makes_a_nan(
        numbers in prop::array::uniform8(prop_oneof![
            Just(0.0), Just(-1.0), Just(1.0), Just(1e300), Just(-1e300), Just(1e-300), Just(f64::NAN), -10.0_f64..1e6,
        ]),
    ) {
        let perf = prepared("gpt-oss-120b", 2);
        let lengths = Lengths { prompt: numbers[0], context: numbers[1], output: numbers[2] };
        for served in [
            perf.at_concurrency(numbers[3], &lengths),
            perf.at_full_load(&lengths),
            perf.in_fixed_batch(numbers[4], &lengths),
            perf.in_burst(numbers[5], numbers[0] > 1.0, &lengths),
            perf.at_rate(numbers[6], Some(numbers[7]), &lengths),
            perf.within_tpot(numbers[7], &lengths),
        ] {
            for x in [served.output_tokens_per_sec, served.calls_per_sec, served.ttft_secs, served.tpot_secs, served.running] {
                prop_assert!(!x.is_nan(), "{served:?}");
            }
        }
    }
}

#[test]
fn experts_take_about_what_published_kernels_take() {
    // vLLM's fused experts of Qwen3 30B-A3B on an H100 SXM, bfloat16, all 48 layers: aiconfigurator 095f58a,
    // systems/data/h100_sxm/moe, power law 1.01.
    let plain = Setup::new(1, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    let perf = Perf::prepare(&model("qwen3-30b-a3b"), &h100(), &plain).unwrap();
    for (tokens, kernels) in [(16.0, 10.88e-3), (64.0, 18.78e-3), (128.0, 20.56e-3)] {
        close(perf.step(tokens, 800.0, 0.0, 0.0).expert_secs, kernels, 0.12);
    }
    close(perf.step(0.0, 0.0, 2048.0, 0.0).expert_secs, 46.67e-3, 0.25);
}

#[test]
fn power_holds_the_clock_of_a_server_down_and_a_card_may_exceed_its_data_sheet() {
    let clock = |id: &str| gpu(id).clock(0.3, 0.8);
    assert!(clock("b200-sxm-180gb") < clock("h100-sxm-80gb") && clock("h100-sxm-80gb") < 1.0);
    assert_eq!(clock("a100-sxm-80gb"), 1.0, "power does not bind it");
    assert_eq!(clock("rtx-4090"), 1.1);
    assert!(clock("l40s") < clock("rtx-pro-6000-server") && clock("rtx-pro-6000-server") < 1.0);
    let mut unknown = h100();
    unknown.watts = None;
    assert_eq!(unknown.clock(0.3, 0.8), 1.0);
}

#[test]
fn vllm_leaves_for_kv_what_its_runs_report() {
    // 41,408 tokens on an RTX 4090 with 256 sequences at once (LLMServingSim's run of vLLM 0.19).
    let mut plain = Setup::new(1, WeightFormat::Bf16, Precision::Bf16, Engine::Vllm);
    plain.max_sequences = Some(256.0);
    let held = |gpu: &GpuFacts, setup: &Setup| {
        let memory = Perf::prepare(&model("llama-3.1-8b"), gpu, setup).unwrap().memory;
        (memory.kv_bytes / memory.kv_bytes_per_token, memory.working_bytes)
    };
    let card = held(&gpu("rtx-4090"), &plain);
    close(card.0, 41_408.0, 0.05);
    plain.max_sequences = None;
    assert_eq!(held(&gpu("rtx-4090"), &plain), card, "256 is the default of a card");
    // 4.76 GiB of activations and 0.14 GiB beside them on an H100.
    close(held(&h100(), &plain).1, 4.90 * 1_073_741_824.0, 0.01);
    // gpt-oss-120b is made for one H100.
    let mxfp4 = Setup::new(1, WeightFormat::Mxfp4, Precision::Bf16, Engine::Vllm);
    let served = Perf::prepare(&model("gpt-oss-120b"), &h100(), &mxfp4).unwrap().at_full_load(&CHAT);
    assert!(served.running > 16.0, "{served:?}");
}

#[test]
fn gpus_without_nvlink_sum_through_their_host_and_the_more_the_slower() {
    let per_token = |tp: u32| {
        let perf = Perf::prepare(&model("qwen3-32b"), &gpu("rtx-pro-6000-server"), &setup(tp)).unwrap();
        let collective = |tokens: f64| perf.step(0.0, 0.0, tokens, 0.0).collective_secs;
        collective(2000.0) - collective(1000.0)
    };
    // A ring alone would take 1.5 times as long on four GPUs as on two.
    assert!(per_token(4) > 1.5 * per_token(2));
}
