//! What a deployment serves over the number of its users: curves, where the targets bind, and the roofline.
//!
//! [`curve`] asks [`answer`] along a logarithmic scale of users. Everything is closed form: a picture takes some sixty
//! predictions, so that a slider may ask for one in every frame.

use super::perf::{Answer, Ask, AskError, AskLoad, answer, native};
use crate::catalog::{GpuSpec, ModelSpec};
use crate::serving::{
    Calibration, Engine, GpuFacts, Limit, ModelFacts, PerfError, Precision, WeightFormat, experts_touched,
};

/// Latencies that are to be kept, in the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// Time to first token, in seconds; > 0.
    pub ttft_secs: f64,
    /// Time per output token, in seconds; > 0.
    pub tpot_secs: f64,
}

/// The replica at one number of users.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Users, each with one call under way.
    pub users: f64,
    /// Tokens generated per second by the replica.
    pub output_tokens_per_sec: f64,
    /// Mean time to first token, in seconds.
    pub ttft_secs: f64,
    /// Mean time per output token, in seconds.
    pub tpot_secs: f64,
}

/// What ends the rise of users first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The target of the time per output token.
    Tpot,
    /// The target of the time to first token.
    Ttft,
    /// Memory for KV.
    Memory,
    /// Sequences that the engine runs at once.
    Sequences,
    /// Not even one user gets a token within the target.
    TpotOutOfReach,
    /// Not even one user gets the first token within the target.
    TtftOutOfReach,
    /// One stream at a time: there is no batch.
    OneStream,
}

impl Binding {
    /// In words, after "limited by".
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tpot => "the target of the time per output token",
            Self::Ttft => "the target of the time to first token",
            Self::Memory => "memory for KV",
            Self::Sequences => "the sequences that the engine runs at once",
            Self::TpotOutOfReach => "a time per output token that not even one user gets",
            Self::TtftOutOfReach => "a time to first token that not even one user gets",
            Self::OneStream => "one stream at a time",
        }
    }
}

/// One kind of step against the roofline: work of the whole replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operating {
    /// Floating-point operations of the step.
    pub flops: f64,
    /// Bytes of weights and KV that it reads.
    pub bytes: f64,
    /// How long it takes, in seconds.
    pub secs: f64,
}

impl Operating {
    /// Operations per byte read.
    #[must_use]
    pub fn intensity(&self) -> f64 {
        self.flops / self.bytes.max(1.0)
    }

    /// Operations per second that are reached.
    #[must_use]
    pub fn flops_per_sec(&self) -> f64 {
        self.flops / self.secs.max(1e-12)
    }
}

/// The roofs of the data sheet, all GPUs together, and the two kinds of step below them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// Memory bandwidth, in bytes per second.
    pub bytes_per_sec: f64,
    /// Dense 16 bit rate, in FLOP/s.
    pub flops_16: f64,
    /// Dense rate of the format of the weights, where the hardware has it.
    pub flops_native: Option<f64>,
    /// A decode step at the chosen users.
    pub decode: Operating,
    /// Prefill of one prompt on an idle replica.
    pub prefill: Operating,
}

/// A deployment over its users.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// From one user to twice what fits, on a logarithmic scale; empty for one stream at a time.
    pub points: Vec<Point>,
    /// Most users that keep the targets; at least 1.
    pub users_most: f64,
    /// What keeps it from more.
    pub binding: Binding,
    /// Users that `at` answers.
    pub users: f64,
    /// The answer at the chosen users.
    pub at: Answer,
    /// Against the data sheet.
    pub roofline: Roofline,
}

/// Points of a curve.
const POINTS: usize = 41;

/// Halvings of the search for the users that keep the targets.
const HALVINGS: usize = 14;

/// Answers a question over users.
///
/// - `users`: those that [`Curve::at`] answers; `None` is the most that keep the targets.
///
/// # Errors
/// [`AskError`] says what is wrong and what to write instead.
pub fn curve(
    model: &ModelSpec,
    gpu: &GpuSpec,
    ask: &Ask,
    targets: &Targets,
    users: Option<f64>,
    calibration: &Calibration,
) -> Result<Curve, AskError> {
    let with = |load: AskLoad| answer(model, gpu, &Ask { load, ..ask.clone() }, calibration);
    let full = with(AskLoad::Max)?;
    let Some(served) = full.served else {
        let roofline = roofline(model, gpu, ask, &full);
        let binding = Binding::OneStream;
        return Ok(Curve { points: Vec::new(), users_most: 1.0, binding, users: 1.0, at: full, roofline });
    };
    let most = served.running_max.max(1.0);
    let (users_most, binding) = within_targets(&with, targets, most, served.limited_by)?;
    let users = users.unwrap_or(users_most);
    let at = with(AskLoad::Concurrency(users))?;
    let top = (2.0 * most.max(users)).clamp(8.0, 1e5);
    let mut points = Vec::with_capacity(POINTS);
    for step in 0..POINTS {
        let users = top.powf(step as f64 / (POINTS - 1) as f64);
        let answer = with(AskLoad::Concurrency(users))?;
        points.push(Point {
            users,
            output_tokens_per_sec: answer.output_tokens_per_sec,
            ttft_secs: answer.ttft_secs,
            tpot_secs: answer.tpot_secs,
        });
    }
    let roofline = roofline(model, gpu, ask, &at);
    Ok(Curve { points, users_most, binding, users, at, roofline })
}

/// The most users up to `most` that keep both targets, a whole number, and what keeps it from more.
fn within_targets(
    with: &impl Fn(AskLoad) -> Result<Answer, AskError>,
    targets: &Targets,
    most: f64,
    limit: Limit,
) -> Result<(f64, Binding), AskError> {
    let broken = |users: f64| -> Result<Option<Binding>, AskError> {
        let answer = with(AskLoad::Concurrency(users))?;
        Ok(if answer.tpot_secs > targets.tpot_secs {
            Some(Binding::Tpot)
        } else if answer.ttft_secs > targets.ttft_secs {
            Some(Binding::Ttft)
        } else {
            None
        })
    };
    match broken(1.0)? {
        Some(Binding::Ttft) => return Ok((1.0, Binding::TtftOutOfReach)),
        Some(_) => return Ok((1.0, Binding::TpotOutOfReach)),
        None => {}
    }
    let Some(mut binding) = broken(most)? else {
        let held = if limit == Limit::Memory { Binding::Memory } else { Binding::Sequences };
        return Ok((most.floor().max(1.0), held));
    };
    let (mut low, mut high) = (1.0, most);
    for _ in 0..HALVINGS {
        let middle = f64::sqrt(low * high);
        match broken(middle)? {
            Some(found) => (high, binding) = (middle, found),
            None => low = middle,
        }
    }
    Ok((low.floor().max(1.0), binding))
}

/// The smallest replica that holds the model, degrees other than tensor parallelism as asked; more GPUs than now.
#[must_use]
pub fn smallest_fit(model: &ModelSpec, gpu: &GpuSpec, ask: &Ask, calibration: &Calibration) -> Option<u32> {
    let others = ask.pipeline.max(1).saturating_mul(ask.data.max(1));
    let sizes = [1_u32, 2, 4, 8, 16, 32, 64].into_iter().map(|tensor| tensor.saturating_mul(others));
    let fits = |gpus: u32| {
        let wish = Ask { gpus, tensor: None, load: AskLoad::Max, ..ask.clone() };
        answer(model, gpu, &wish, calibration).is_ok()
    };
    sizes.filter(|gpus| *gpus > ask.gpus).find(|gpus| fits(*gpus))
}

/// Whether the error is about memory: more GPUs or smaller formats resolve it.
#[must_use]
pub const fn is_about_memory(error: &AskError) -> bool {
    matches!(error, AskError::Perf(PerfError::DoesNotFit { .. }) | AskError::NoRoom { .. })
}

/// Work of both kinds of step: 2 operations per weight and token, attention by pairs; weights once per pass, the
/// experts that are touched, and the KV that is looked back on. Activations are left out.
fn roofline(model: &ModelSpec, gpu: &GpuSpec, ask: &Ask, at: &Answer) -> Roofline {
    let (facts, device) = (ModelFacts::from_spec(model), GpuFacts::from_spec(gpu));
    let gpus = f64::from(ask.gpus.max(1));
    let weights = ask.weights.unwrap_or_else(|| native(model));
    let passes = f64::from(ask.pipeline.max(1)) * f64::from(ask.data.max(1));
    let read = Reads::new(&facts, weights, passes);
    let kv = if ask.engine == Engine::LlamaCpp { Precision::Bf16 } else { ask.kv };
    let running = at.served.map_or(1.0, |s| s.running);
    let drafted = ask.draft.map_or(0.0, |(tokens, _)| tokens);
    let context = ask.input + 0.5 * ask.output;
    let verified = running * (1.0 + drafted);
    let decode = Operating {
        flops: verified * (2.0 * facts.active_params + attention_flops(&facts, context, true)),
        bytes: read.weights(verified) + running * facts.kv_bytes(context, kv),
        secs: at.served.map_or(at.tpot_secs, |s| s.step.total()),
    };
    let prompt = (ask.input * (1.0 - ask.prefix_hit)).max(1.0);
    let looked = (ask.input - 0.5 * prompt).max(0.5 * prompt);
    let prefill = Operating {
        flops: prompt
            * (2.0 * (facts.active_params - facts.head_params).max(0.0)
                + attention_flops(&facts, looked, false)),
        bytes: read.weights(prompt) + facts.kv_bytes(ask.input, kv),
        secs: at.prefill_secs,
    };
    let flops_native = match weights {
        WeightFormat::Fp8 => device.fp8_flops,
        WeightFormat::Int8 => device.int8_ops,
        WeightFormat::Mxfp4 | WeightFormat::Nvfp4 => device.fp4_flops,
        _ => None,
    };
    Roofline {
        bytes_per_sec: gpus * device.bandwidth_bytes_per_s,
        flops_16: gpus * device.bf16_flops,
        flops_native: flops_native.map(|rate| gpus * rate),
        decode,
        prefill,
    }
}

/// Bytes of weights that a step reads.
struct Reads<'a> {
    facts: &'a ModelFacts,
    dense_bytes: f64,
    expert_bytes: f64,
}

impl<'a> Reads<'a> {
    /// - `passes`: how often dense weights are read in a step, by copies and by micro-batches.
    fn new(facts: &'a ModelFacts, weights: WeightFormat, passes: f64) -> Self {
        let each = weights.bytes_per_weight();
        // Published mixtures in 4 bit keep all but the experts wider.
        let rest = facts.published.filter(|p| p.format != p.rest && each < 1.0);
        let rest_each = rest.map_or(each, |p| p.rest.bytes_per_weight());
        let experts = facts.experts.map_or(0.0, |e| e.params);
        let dense = (facts.total_params - facts.lookup_params - facts.head_params - experts).max(0.0);
        Self {
            facts,
            dense_bytes: passes * (dense * rest_each + facts.head_params * each.max(2.0)),
            expert_bytes: experts * each,
        }
    }

    fn weights(&self, tokens: f64) -> f64 {
        let touched =
            self.facts.experts.map_or(0.0, |e| experts_touched(e.count, e.top_k, tokens) / e.count.max(1.0));
        self.dense_bytes + touched * self.expert_bytes
    }
}

/// Operations of attention of one token that looks back on `context` tokens, all layers.
fn attention_flops(facts: &ModelFacts, context: f64, decoding: bool) -> f64 {
    let grouped = 4.0 * facts.heads * facts.head_dim;
    let pair = facts.mla.map_or(grouped, |m| {
        if decoding {
            2.0 * facts.heads * (2.0 * m.latent + m.rope)
        } else {
            2.0 * facts.heads * (m.nope + m.rope + m.value)
        }
    });
    let (window, sliding) = facts.sliding.map_or((f64::INFINITY, 0.0), |s| (s.window, s.layers));
    let full = (facts.attention_layers - sliding).max(0.0);
    let windowed = if sliding > 0.0 { sliding * context.min(window) } else { 0.0 };
    pair * (full * context + windowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    const TARGETS: Targets = Targets { ttft_secs: 2.0, tpot_secs: 0.05 };

    fn ask(gpus: u32) -> Ask {
        Ask { gpus, weights: Some(WeightFormat::Fp8), input: 2048.0, output: 512.0, ..Ask::default() }
    }

    fn of(model: &str, ask: &Ask, targets: &Targets, users: Option<f64>) -> Result<Curve, AskError> {
        let catalog = Catalog::shipped();
        let (model, gpu) = (catalog.model(model).unwrap(), catalog.gpu("h100-sxm-80gb").unwrap());
        curve(model, gpu, ask, targets, users, Calibration::shipped())
    }

    #[test]
    fn throughput_and_time_per_token_never_fall_as_users_are_added() {
        for model in ["llama-3.3-70b", "gpt-oss-120b", "deepseek-v3"] {
            let asked = Ask { gpus: 16, ..ask(16) };
            let curve = of(model, &asked, &TARGETS, None).unwrap();
            for pair in curve.points.windows(2) {
                assert!(pair[1].output_tokens_per_sec >= pair[0].output_tokens_per_sec * (1.0 - 1e-3));
                assert!(pair[1].tpot_secs >= pair[0].tpot_secs * (1.0 - 1e-3));
            }
        }
    }

    #[test]
    fn the_most_users_keep_the_targets_and_one_more_does_not() {
        let tight = Targets { tpot_secs: 0.02, ..TARGETS };
        let curve = of("llama-3.3-70b", &ask(4), &tight, None).unwrap();
        assert_eq!(curve.binding, Binding::Tpot);
        assert!(curve.at.tpot_secs <= tight.tpot_secs);
        let next = of("llama-3.3-70b", &ask(4), &tight, Some(curve.users_most + 1.0)).unwrap();
        assert!(next.at.tpot_secs > tight.tpot_secs);
    }

    #[test]
    fn a_target_that_no_user_gets_is_said_to_be_out_of_reach() {
        let tight = Targets { tpot_secs: 1e-4, ..TARGETS };
        let curve = of("llama-3.3-70b", &ask(4), &tight, None).unwrap();
        assert_eq!((curve.users_most, curve.binding), (1.0, Binding::TpotOutOfReach));
    }

    #[test]
    fn no_step_is_above_its_roof() {
        for model in ["llama-3.3-70b", "gpt-oss-120b", "deepseek-v3"] {
            for users in [1.0, 16.0, 256.0] {
                let curve = of(model, &Ask { gpus: 16, ..ask(16) }, &TARGETS, Some(users)).unwrap();
                let r = curve.roofline;
                let peak = r.flops_native.unwrap_or(r.flops_16).max(r.flops_16);
                for step in [r.decode, r.prefill] {
                    let roof = peak.min(step.intensity() * r.bytes_per_sec);
                    assert!(step.flops_per_sec() <= roof, "{model}, {users} users: {step:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_proposed_for_a_model_that_does_not_fit_does_fit() {
        let catalog = Catalog::shipped();
        let (model, gpu) = (catalog.model("llama-3.3-70b").unwrap(), catalog.gpu("h100-sxm-80gb").unwrap());
        let asked = Ask { weights: Some(WeightFormat::Bf16), ..ask(1) };
        let calibration = Calibration::shipped();
        let error = curve(model, gpu, &asked, &TARGETS, None, calibration).unwrap_err();
        assert!(is_about_memory(&error));
        let gpus = smallest_fit(model, gpu, &asked, calibration).unwrap();
        assert!(curve(model, gpu, &Ask { gpus, ..asked }, &TARGETS, None, calibration).is_ok());
    }

    #[test]
    fn one_stream_at_a_time_has_no_curve_but_a_roofline() {
        let asked = Ask { engine: Engine::LlamaCpp, weights: Some(WeightFormat::Int4), ..ask(1) };
        let curve = of("llama-3.1-8b", &asked, &TARGETS, None).unwrap();
        assert!(curve.points.is_empty());
        assert_eq!(curve.binding, Binding::OneStream);
        assert!(curve.roofline.decode.intensity() < 10.0);
    }
}
