//! The answer in a sentence, and the figures with their numbers filled in.

use super::state::{Computed, Inputs, Trouble};
use crate::analysis::perf::{Answer, AskError, native};
use crate::analysis::serving_curve::{Binding, Curve, Operating};
use crate::app::widgets::Why;
use crate::catalog::ModelSpec;
use crate::serving::{ModelFacts, PerfError, PerfMemory, PerfStep, Precision, accepted_tokens};
use crate::unit::format;

/// What one million output tokens cost, for people.
fn usd(value: f64) -> String {
    format::usd(value)
}

/// Tokens per second, for people.
#[must_use]
pub fn rate(value: f64) -> String {
    format!("{} tokens/s", format::count(round3(value)))
}

/// Three digits: a prediction has no more.
fn round3(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powf(value.log10().floor() - 2.0);
    (value / scale).round() * scale
}

/// Users, for people.
#[must_use]
pub fn users(value: f64) -> String {
    let shown = format::count(if value < 100.0 { (value * 10.0).round() / 10.0 } else { value.round() });
    if value == 1.0 { "1 user".to_owned() } else { format!("{shown} users") }
}

/// The replica in words: `Llama 3.3 70B in FP8 on 4 × H100 SXM`.
#[must_use]
pub fn deployment(computed: &Computed) -> String {
    let Inputs { gpus, .. } = computed.inputs;
    let model = computed.model.as_ref().map_or("the model", |m| m.name.as_str());
    let format = computed.model.as_ref().map_or("", |m| computed.inputs.format(m).label());
    let gpu = computed.gpu.as_ref().map_or(computed.inputs.gpu.as_str(), |g| g.name.as_str());
    format!("{model} in {format} on {gpus} × {gpu}")
}

/// The answer in one sentence.
#[must_use]
pub fn answer(computed: &Computed) -> String {
    let subject = deployment(computed);
    let curve = match &computed.result {
        Ok(curve) => curve,
        Err(trouble) => return refused(&subject, trouble),
    };
    let at = &curve.at;
    let price = computed
        .usd_per_mtok(at.output_tokens_per_sec)
        .map_or_else(String::new, |value| format!(", {} per million output tokens", usd(value)));
    if curve.binding == Binding::OneStream {
        return format!(
            "{subject} answers one stream at {}, {} per token{price}; the first token comes after {}.",
            rate(at.output_tokens_per_sec),
            format::secs(at.tpot_secs),
            format::secs(at.ttft_secs)
        );
    }
    format!(
        "{subject} serves {} at {} per token to {}{price}; {}.",
        rate(at.output_tokens_per_sec),
        format::secs(at.tpot_secs),
        users(curve.users),
        limits(curve)
    )
}

/// Why there is no answer, short: what to do stands below.
fn refused(subject: &str, trouble: &Trouble) -> String {
    match trouble {
        Trouble::Ask(AskError::Perf(PerfError::DoesNotFit { need_bytes, have_bytes }), _) => format!(
            "{subject} does not fit: {} are needed, {} may be used.",
            format::bytes(*need_bytes),
            format::bytes(*have_bytes)
        ),
        Trouble::Ask(AskError::NoRoom { tokens }, _) => {
            format!(
                "{subject} leaves no room for the KV of a single call of {} tokens.",
                format::count(*tokens)
            )
        }
        _ => format!("{subject} cannot be served so."),
    }
}

/// What keeps it from more, and where one is.
#[must_use]
pub fn limits(curve: &Curve) -> String {
    let most = users(curve.users_most);
    let label = curve.binding.label();
    let reach = !matches!(curve.binding, Binding::TpotOutOfReach | Binding::TtftOutOfReach);
    if !reach {
        return format!("the targets ask for {label}");
    }
    if curve.users < curve.users_most {
        format!("{most} would be the most, limited by {label}")
    } else if curve.users > curve.users_most {
        format!("that is beyond the {most} that {label} allows")
    } else {
        format!("limited by {label}")
    }
}

/// The explanation that was asked for.
#[must_use]
pub fn why(which: &str, computed: &Computed) -> Option<Why> {
    let curve = computed.result.as_ref().ok()?;
    let model = computed.model.as_ref()?;
    match which {
        "memory" => memory(computed, model, curve),
        "throughput" | "per_gpu" => Some(throughput(computed, curve)),
        "users" => Some(most_users(computed, curve)),
        "ttft" => Some(ttft(computed, curve)),
        "tpot" => Some(tpot(computed, curve)),
        "price" => price(computed, curve),
        "roofline" => Some(roofline(curve)),
        _ => None,
    }
}

/// Where formula and constants come from.
fn source(computed: &Computed) -> String {
    format!(
        "Roofline of the data sheet with a calibration ({}); see “How far to trust this”.",
        computed.calibration.name()
    )
}

fn gb(bytes: f64) -> String {
    format!("{} GB", format::significant(bytes / 1e9, 3))
}

/// KV of the running sequences at their mean context, in bytes.
#[must_use]
pub fn kv_used(inputs: &Inputs, memory: &PerfMemory, running: f64) -> f64 {
    running * sequence_bytes(memory, inputs.prompt_tokens + 0.5 * inputs.output_tokens)
}

fn sequence_bytes(memory: &PerfMemory, tokens: f64) -> f64 {
    memory.kv_bytes_per_token * tokens + memory.kv_bytes_per_token_window * tokens.min(memory.window)
}

fn memory(computed: &Computed, model: &ModelSpec, curve: &Curve) -> Option<Why> {
    let Some(m) = curve.at.memory else { return stream_memory(computed) };
    let (inputs, gpu) = (&computed.inputs, computed.gpu.as_ref()?);
    let running = curve.at.served.map_or(1.0, |s| s.running);
    let tokens = inputs.prompt_tokens + 0.5 * inputs.output_tokens;
    let used = kv_used(inputs, &m, running);
    let share = m.usable_bytes / (f64::from(inputs.gpus) * gpu.memory_bytes).max(1.0);
    Some(Why {
        title: "Memory of the replica".to_owned(),
        value: format!("{} of {} for KV in use", gb(used), gb(m.kv_bytes)),
        formula: vec![
            format!(
                "usable {} = {} GPUs × {} × {} that the engine may use",
                gb(m.usable_bytes),
                inputs.gpus,
                gb(gpu.memory_bytes),
                format::percent(share)
            ),
            format!(
                "KV {} = usable {} - weights {} - working {}",
                gb(m.kv_bytes),
                gb(m.usable_bytes),
                gb(m.weights_bytes),
                gb(m.working_bytes)
            ),
            format!(
                "a sequence {} = {} tokens × {} per token",
                format::bytes(sequence_bytes(&m, tokens)),
                format::count(tokens),
                format::bytes(sequence_bytes(&m, tokens) / tokens.max(1.0))
            ),
            format!(
                "in use {} = {} running × {}",
                gb(used),
                format::significant(running, 3),
                format::bytes(sequence_bytes(&m, tokens))
            ),
        ],
        inputs: vec![
            ("Weights".to_owned(), gb(m.weights_bytes)),
            ("  parameters".to_owned(), format::short(model.total_params)),
            ("  format".to_owned(), inputs.format(model).label().to_owned()),
            ("Runtime, graphs, activations".to_owned(), gb(m.working_bytes)),
            ("KV format".to_owned(), curve.at.kv.clone()),
        ],
        source:
            "Embedding and head stay in 16 bit in quantised checkpoints; data-parallel copies are counted."
                .to_owned(),
    })
}

/// Bytes of the weights of one stream, and of the KV of its longest context.
#[must_use]
pub fn stream_bytes(computed: &Computed) -> Option<(f64, f64)> {
    let (inputs, model) = (&computed.inputs, computed.model.as_ref()?);
    let format = inputs.format(model);
    let published = model.checkpoint_bytes.filter(|_| format == native(model));
    let weights = published.unwrap_or(model.total_params * format.bytes_per_weight());
    let tokens = inputs.prompt_tokens + inputs.output_tokens;
    Some((weights, ModelFacts::from_spec(model).kv_bytes(tokens, Precision::Bf16)))
}

fn stream_memory(computed: &Computed) -> Option<Why> {
    let (inputs, gpu) = (&computed.inputs, computed.gpu.as_ref()?);
    let (weights, kv) = stream_bytes(computed)?;
    let tokens = inputs.prompt_tokens + inputs.output_tokens;
    Some(Why {
        title: "Memory of one stream".to_owned(),
        value: format!("{} of {}", gb(weights + kv), gb(f64::from(inputs.gpus) * gpu.memory_bytes)),
        formula: vec![
            format!("weights {}", gb(weights)),
            format!("+ KV {} of {} tokens, in 16 bit", gb(kv), format::count(tokens)),
        ],
        inputs: Vec::new(),
        source: "Bytes of the published file where they are known, else parameters × bytes of the format."
            .to_owned(),
    })
}

fn throughput(computed: &Computed, curve: &Curve) -> Why {
    let (at, inputs) = (&curve.at, &computed.inputs);
    let (low, high) = at.output_tokens_per_sec_band;
    let output = format::count(inputs.output_tokens);
    let calls = format::significant(at.calls_per_sec, 3);
    let mut formula =
        vec![format!("{} = {calls} calls/s × {output} output tokens", rate(at.output_tokens_per_sec))];
    let full = at.served.is_some_and(|s| curve.users > s.running_max);
    formula.push(if full {
        let running = at.served.map_or(0.0, |s| s.running);
        format!(
            "{calls} calls/s = {} running / ({output} × {}); the other users wait",
            format::significant(running, 3),
            format::secs(at.tpot_secs)
        )
    } else {
        format!(
            "{calls} calls/s = {} / ({} + ({output} - 1) × {})",
            users(curve.users),
            format::secs(at.ttft_secs),
            format::secs(at.tpot_secs)
        )
    });
    formula.push(format!(
        "per GPU {} = {} / {}",
        rate(at.output_tokens_per_sec_per_gpu),
        rate(at.output_tokens_per_sec),
        at.gpus
    ));
    let mut inputs = vec![(
        "80 % band".to_owned(),
        format!("{} – {}", format::significant(low, 3), format::significant(high, 3)),
    )];
    if let Some(served) = &at.served {
        inputs.push(("Sequences that run, in the mean".to_owned(), format::significant(served.running, 3)));
        inputs.push(("At most".to_owned(), format::significant(served.running_max, 3)));
    }
    Why {
        title: "Tokens per second".to_owned(),
        value: rate(at.output_tokens_per_sec),
        formula,
        inputs,
        source: source(computed),
    }
}

fn most_users(computed: &Computed, curve: &Curve) -> Why {
    let targets = computed.inputs.targets;
    let mut inputs = vec![
        ("Target, time to first token".to_owned(), format::secs(targets.ttft_secs)),
        ("Target, time per output token".to_owned(), format::secs(targets.tpot_secs)),
    ];
    if let Some(served) = &curve.at.served {
        inputs.push(("Sequences that fit".to_owned(), format::significant(served.running_max, 3)));
    }
    Why {
        title: "Users at once".to_owned(),
        value: users(curve.users),
        formula: vec![
            format!(
                "at most {}: the largest whole number at which both mean latencies keep their targets and every call runs",
                users(curve.users_most)
            ),
            format!("limited by {}", curve.binding.label()),
            "each user has one call under way and sends the next when it is answered".to_owned(),
        ],
        inputs,
        source: source(computed),
    }
}

fn ttft(computed: &Computed, curve: &Curve) -> Why {
    let at = &curve.at;
    let c = &computed.calibration.serving;
    let mut formula = Vec::new();
    let queued = at.served.filter(|s| curve.users > s.running_max);
    if let Some(served) = queued {
        formula.push(format!(
            "{} = {} / {} calls/s - {} tokens × {}: what does not run waits",
            format::secs(at.ttft_secs),
            users(curve.users),
            format::significant(at.calls_per_sec, 3),
            format::count(computed.inputs.output_tokens),
            format::secs(served.tpot_secs)
        ));
    } else if at.served.is_some() {
        formula.push("fixed part of the engine".to_owned());
        formula
            .push(format!("+ {} × what the prompt adds to a step", format::significant(c.ttft_prefill, 3)));
        formula.push(format!("+ half a step, {}", format::secs(0.5 * at.tpot_secs)));
        formula.push(format!(
            "+ {} × {} other prompts of the same wave",
            format::significant(c.ttft_wave, 2),
            format::count((curve.users - 1.0).max(0.0).round())
        ));
    } else {
        formula.push("the prompt through every layer, one stream".to_owned());
    }
    let fresh = computed.inputs.prompt_tokens * (1.0 - computed.inputs.prefix_hit);
    Why {
        title: "Time to first token".to_owned(),
        value: format::secs(at.ttft_secs),
        formula,
        inputs: vec![
            ("Prompt alone on an idle replica".to_owned(), format::secs(at.prefill_secs)),
            ("Tokens to prefill".to_owned(), format::count(fresh.round())),
            ("A whole call".to_owned(), format::secs(at.call_secs)),
        ],
        source: source(computed),
    }
}

/// The parts of a step, largest first.
#[must_use]
pub fn parts(step: &PerfStep) -> Vec<(&'static str, f64)> {
    let mut parts = vec![
        ("Dense weights and head", step.dense_secs),
        ("Experts", step.expert_secs),
        ("Attention, reading KV", step.attention_secs),
        ("Activations", step.activation_secs),
        ("Collectives between GPUs", step.collective_secs),
        ("Launches and host", step.overhead_secs),
    ];
    parts.retain(|(_, secs)| *secs > 0.0);
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    parts
}

fn tpot(computed: &Computed, curve: &Curve) -> Why {
    let at = &curve.at;
    let Some(served) = at.served else { return one_stream(computed, at) };
    let step = served.step.total();
    let yielded = computed.inputs.ask().draft.map_or(1.0, |(tokens, p)| accepted_tokens(p, tokens));
    let mut formula = Vec::new();
    if yielded > 1.0 {
        formula.push(format!(
            "a step yields {} tokens: {} drafted, each accepted with {}",
            format::significant(yielded, 3),
            computed.inputs.drafted,
            format::percent(computed.inputs.acceptance)
        ));
    }
    formula.push(format!(
        "{} = step {}{} + {} for others' prompts and drafts",
        format::secs(at.tpot_secs),
        format::secs(step),
        if yielded > 1.0 { format!(" / {}", format::significant(yielded, 3)) } else { String::new() },
        format::secs((at.tpot_secs - step / yielded).max(0.0))
    ));
    formula.push(format!(
        "step at {} running sequences = the parts below",
        format::significant(served.running, 3)
    ));
    Why {
        title: "Time per output token".to_owned(),
        value: format::secs(at.tpot_secs),
        formula,
        inputs: parts(&served.step)
            .into_iter()
            .map(|(name, secs)| {
                (
                    name.to_owned(),
                    format!(
                        "{}, {}",
                        format::secs(secs),
                        format::percent((secs / step * 100.0).round() / 100.0)
                    ),
                )
            })
            .collect(),
        source: source(computed),
    }
}

fn one_stream(computed: &Computed, at: &Answer) -> Why {
    Why {
        title: "Time per output token".to_owned(),
        value: format::secs(at.tpot_secs),
        formula: vec![
            format!("{} = 1 / {}", format::secs(at.tpot_secs), rate(at.output_tokens_per_sec)),
            "a token reads all weights it meets, unpacks them, reads the KV, and pays an overhead per layer"
                .to_owned(),
        ],
        inputs: Vec::new(),
        source: source(computed),
    }
}

fn price(computed: &Computed, curve: &Curve) -> Option<Why> {
    let price = computed.price.as_ref()?;
    let tokens = curve.at.output_tokens_per_sec;
    let value = computed.usd_per_mtok(tokens)?;
    Some(Why {
        title: "Price of a million output tokens".to_owned(),
        value: usd(value),
        formula: vec![
            format!(
                "{} = {}/h × {} GPUs / {} M tokens an hour",
                usd(value),
                usd(price.usd_per_gpu_hour),
                curve.at.gpus,
                format::significant(tokens * 3600.0 / 1e6, 3)
            ),
            "at this load all the time; idle hours cost the same and make it dearer".to_owned(),
        ],
        inputs: vec![("A GPU hour".to_owned(), usd(price.usd_per_gpu_hour))],
        source: format!("GPU hour: {}.", price.source),
    })
}

/// One kind of step in words.
#[must_use]
pub fn operating(step: &Operating, roof: f64) -> String {
    format!(
        "{} FLOP per byte, {}, {} of the roof",
        format::significant(step.intensity(), 3),
        format::flops_per_sec(step.flops_per_sec()),
        format::percent((step.flops_per_sec() / roof * 100.0).round() / 100.0)
    )
}

fn roofline(curve: &Curve) -> Why {
    let r = &curve.roofline;
    let peak = r.flops_native.unwrap_or(r.flops_16);
    let roof = |step: &Operating| peak.min(step.intensity() * r.bytes_per_sec);
    let line = |name: &str, step: &Operating| {
        format!(
            "{name}: {} FLOP / {} read in {}",
            format::short(step.flops),
            format::bytes(step.bytes),
            format::secs(step.secs)
        )
    };
    Why {
        title: "Roofline".to_owned(),
        value: operating(&r.decode, roof(&r.decode)),
        formula: vec![
            "roof = the lesser of peak and bandwidth × FLOP per byte".to_owned(),
            line("Decode", &r.decode),
            line("Prefill", &r.prefill),
            format!("Prefill reaches {}", operating(&r.prefill, roof(&r.prefill))),
        ],
        inputs: vec![
            ("Bandwidth, all GPUs".to_owned(), format!("{}/s", format::bytes(r.bytes_per_sec))),
            ("16 bit peak, all GPUs".to_owned(), format::flops_per_sec(r.flops_16)),
            (
                "Peak of the weights' format".to_owned(),
                r.flops_native.map_or_else(|| "none of its own".to_owned(), format::flops_per_sec),
            ),
        ],
        source: "Work: 2 operations per weight and token and attention by pairs; weights and KV read once. \
                 Activations are left out. Peaks are the data sheet's, dense."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::pages::serving::state::ServingState;
    use crate::catalog::Catalog;
    use crate::serving::Calibration;

    fn shipped() -> Arc<Calibration> {
        Arc::new(Calibration::shipped().clone())
    }

    #[test]
    fn the_sentence_names_model_gpus_rate_users_price_and_limit() {
        let computed = ServingState::default().computed(Catalog::shipped(), &shipped());
        let text = answer(&computed);
        for part in ["Llama-3.3-70B", "FP8", "4 ×", "tokens/s", "users", "per million", "limited by"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn every_figure_has_its_formula() {
        let computed = ServingState::default().computed(Catalog::shipped(), &shipped());
        for which in ["memory", "throughput", "users", "ttft", "tpot", "price", "roofline"] {
            let why = why(which, &computed).unwrap_or_default();
            assert!(!why.formula.is_empty(), "{which}");
            assert!(!why.source.is_empty(), "{which}");
        }
    }

    #[test]
    fn one_stream_has_its_sentence_its_memory_and_its_formulas() {
        let mut state = ServingState::default();
        state.inputs.engine = crate::serving::Engine::LlamaCpp;
        let computed = state.computed(Catalog::shipped(), &shipped());
        assert!(answer(&computed).contains("one stream"), "{}", answer(&computed));
        for which in ["memory", "throughput", "ttft", "tpot", "price", "roofline"] {
            assert!(why(which, &computed).is_some_and(|why| !why.formula.is_empty()), "{which}");
        }
    }

    #[test]
    fn a_prediction_is_shown_with_three_digits() {
        assert_eq!(rate(2314.7), "2,310 tokens/s");
        assert_eq!(users(1.0), "1 user");
    }
}
