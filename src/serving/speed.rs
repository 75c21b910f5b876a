//! The speed of a deployment in a scenario: by the calibrated model of its engine, or by stated efficiencies.

use super::{
    Calibration, Deployment, Draft, GpuFacts, Memory, ModelFacts, Perf, PerfError, ServingError, Setup,
    Shape, Steady, memory, steady,
    steady::{calls_per_sec, tpot_of},
};
use crate::stats::Num;
use crate::unit::Bytes;

/// A deployment, prepared for many shapes of calls.
#[derive(Debug, Clone)]
pub enum Speed<N = f64> {
    /// The roofline with the efficiencies that the deployment states.
    Stated(Memory<N>),
    /// The model that is calibrated to published measurements of the engine.
    Calibrated(Box<(Perf<N>, Memory<N>)>),
}

impl<N: Num> Speed<N> {
    /// Prepares a deployment with the shipped calibration, see [`Speed::with`].
    ///
    /// # Errors
    /// [`ServingError`] where the model does not fit or cannot be split so.
    #[inline(always)]
    pub fn prepare(model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<N>) -> Result<Self, ServingError> {
        Self::with(model, gpu, d, Calibration::shipped())
    }

    /// Prepares a deployment: with [`Deployment::engine`] by the calibrated model, without by its efficiencies.
    ///
    /// # Errors
    /// [`ServingError`] where the model does not fit or cannot be split so.
    #[inline(always)]
    pub fn with(
        model: &ModelFacts,
        gpu: &GpuFacts,
        d: &Deployment<N>,
        calibration: &Calibration,
    ) -> Result<Self, ServingError> {
        let Some(engine) = d.engine else { return Ok(Self::Stated(memory(model, gpu, d)?)) };
        let mut setup =
            Setup::new(d.gpus_per_replica.max(1), model.weight_format(d.weights), d.kv_cache, engine);
        if let Some(layout) = d.layout {
            // What does not divide is a problem of the scenario; here it is refused as zero GPUs would be.
            setup.tensor_parallel = layout.tensor(d.gpus_per_replica).unwrap_or(0);
            (setup.pipeline_parallel, setup.data_parallel) = (layout.pipeline, layout.data);
            setup.expert_parallel = layout.expert;
        }
        setup.memory_share = d.memory_share;
        setup.max_sequences = Some(f64::from(d.max_sequences.max(1)));
        setup.draft = d.speculative.as_ref().map(|s| {
            Draft::accepted(s.draft_tokens.at_least(0.0).at_most(64.0), s.acceptance, s.draft_cost_share)
        });
        let perf = Perf::with(model, gpu, &setup, &calibration.serving)?;
        let m = perf.memory;
        let memory = Memory {
            weights_bytes: m.weights_bytes,
            kv_bytes_per_token: m.kv_bytes_per_token + m.kv_bytes_per_token_window,
            activation_bytes: m.working_bytes,
            usable_bytes: m.usable_bytes,
            kv_budget_bytes: m.kv_bytes,
            kv_tokens: m.kv_bytes / (m.kv_bytes_per_token + m.kv_bytes_per_token_window).max(1e-3),
        };
        Ok(Self::Calibrated(Box::new((perf, memory))))
    }

    /// What fits.
    #[must_use]
    #[inline(always)]
    pub fn memory(&self) -> &Memory<N> {
        match self {
            Self::Stated(memory) => memory,
            Self::Calibrated(prepared) => &prepared.1,
        }
    }

    /// Calls per second that a replica sustains: those of [`Speed::steady`], 0 where the model does not fit.
    #[must_use]
    #[inline(always)]
    pub fn calls_per_sec(
        &self,
        model: &ModelFacts,
        gpu: &GpuFacts,
        d: &Deployment<N>,
        shape: &Shape<N>,
    ) -> N {
        match self {
            Self::Stated(memory) => calls_per_sec(model, gpu, memory, d, shape),
            Self::Calibrated(prepared) => prepared.0.calls_per_sec(shape, d.capacity_factor),
        }
    }
}

impl Speed {
    /// What a replica sustains of one shape of calls.
    #[must_use]
    pub fn steady(&self, model: &ModelFacts, gpu: &GpuFacts, d: &Deployment<f64>, shape: &Shape) -> Steady {
        match self {
            Self::Stated(memory) => steady(model, gpu, memory, d, shape),
            Self::Calibrated(prepared) => prepared.0.steady(shape, d.capacity_factor),
        }
    }

    /// Time per output token of a replica to which `calls_per_sec` come, in seconds: that of a lone sequence and of those
    /// that run beside it, at most that of a batch of `most`.
    #[must_use]
    pub fn tpot_at_rate(
        &self,
        (model, gpu, d): (&ModelFacts, &GpuFacts, &Deployment<f64>),
        shape: &Shape,
        calls_per_sec: f64,
        most: f64,
    ) -> f64 {
        match self {
            Self::Stated(_) => tpot_of(model, gpu, d, shape, (calls_per_sec, most)),
            Self::Calibrated(prepared) => {
                prepared.0.tpot_at_rate(shape, d.capacity_factor, calls_per_sec, most)
            }
        }
    }
}

impl From<PerfError> for ServingError {
    fn from(error: PerfError) -> Self {
        match error {
            PerfError::DoesNotFit { need_bytes, have_bytes } => {
                Self::DoesNotFit { need: Bytes(need_bytes), have: Bytes(have_bytes) }
            }
            PerfError::Heads { heads, tensor } => Self::TensorParallel { heads, gpus: tensor },
            other => Self::Refused(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::deployment;
    use super::*;
    use crate::catalog::Catalog;
    use crate::serving::{Engine, Lengths, Limit, Precision};

    /// Llama 3.3 70B in FP8 on four H100.
    fn case() -> (ModelFacts, GpuFacts, Deployment<f64>) {
        let catalog = Catalog::shipped();
        let model = ModelFacts::from_spec(catalog.model("llama-3.3-70b").unwrap());
        let gpu = GpuFacts::from_spec(catalog.gpu("h100-sxm-80gb").unwrap());
        let mut d = deployment(4);
        (d.engine, d.weights, d.kv_cache) = (Some(Engine::Vllm), Precision::Fp8, Precision::Fp8);
        (model, gpu, d)
    }

    fn shape(tpot_target_secs: f64) -> Shape {
        Shape { prompt_tokens: 1500.0, context_tokens: 2000.0, output_tokens: 300.0, tpot_target_secs }
    }

    #[test]
    fn without_a_target_a_calibrated_replica_serves_its_full_load() {
        let (model, gpu, d) = case();
        let speed = Speed::prepare(&model, &gpu, &d).unwrap();
        let steady = speed.steady(&model, &gpu, &d, &shape(1e9));
        let Speed::Calibrated(prepared) = &speed else { panic!("{speed:?}") };
        let full = prepared.0.at_full_load(&Lengths { prompt: 1500.0, context: 2000.0, output: 300.0 });
        assert!((steady.output_tokens_per_sec / full.output_tokens_per_sec - 1.0).abs() < 1e-9);
        assert!((steady.batch - full.running).abs() < 1e-9);
    }

    #[test]
    fn a_tighter_target_is_kept_and_serves_less() {
        let (model, gpu, d) = case();
        let speed = Speed::prepare(&model, &gpu, &d).unwrap();
        let mut last = f64::INFINITY;
        for target in [0.2, 0.06, 0.04, 0.03] {
            let steady = speed.steady(&model, &gpu, &d, &shape(target));
            assert!(steady.tpot_secs <= target, "{target}: {steady:?}");
            assert!(steady.output_tokens_per_sec <= last, "{target}: {steady:?}");
            last = steady.output_tokens_per_sec;
        }
        let hopeless = speed.steady(&model, &gpu, &d, &shape(1e-4));
        assert_eq!((hopeless.limited_by, hopeless.batch), (Limit::TargetUnreachable, 1.0));
    }

    #[test]
    fn a_token_takes_as_long_as_those_that_run_beside_it_make_it_from_alone_to_full() {
        let (model, gpu, mut d) = case();
        for engine in [Some(Engine::Vllm), None] {
            d.engine = engine;
            let speed = Speed::prepare(&model, &gpu, &d).unwrap();
            let steady = speed.steady(&model, &gpu, &d, &shape(0.05));
            let at = |rate: f64| speed.tpot_at_rate((&model, &gpu, &d), &shape(0.05), rate, steady.batch);
            let mut last = at(0.0);
            assert!(last < 0.6 * steady.tpot_secs, "{last} {steady:?}");
            for share in [0.1, 0.5, 0.9, 0.99] {
                let now = at(share * steady.calls_per_sec);
                assert!(now > last && now <= steady.tpot_secs * (1.0 + 1e-9), "{share}: {now} {steady:?}");
                last = now;
            }
            assert!((at(2.0 * steady.calls_per_sec) / steady.tpot_secs - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_capacity_factor_multiplies_a_calibrated_rate_and_nothing_else() {
        let (model, gpu, mut d) = case();
        let of = |d: &Deployment<f64>| {
            Speed::prepare(&model, &gpu, d).unwrap().steady(&model, &gpu, d, &shape(0.05))
        };
        let plain = of(&d);
        d.capacity_factor = 0.7;
        let held = of(&d);
        assert!((held.calls_per_sec / plain.calls_per_sec - 0.7).abs() < 1e-12);
        assert_eq!((held.tpot_secs, held.batch), (plain.tpot_secs, plain.batch));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_size_and_stated_speeds_are_left_alone() {
        let (model, gpu, mut d) = case();
        d.gpus_per_replica = 1;
        d.weights = Precision::Bf16;
        let (need, have) = Speed::prepare(&model, &gpu, &d).unwrap_err().sizes().unwrap();
        assert!(need > 141e9 && have < 80e9, "{need} {have}");
        let (.., mut d) = case();
        d.engine = None;
        let speed = Speed::prepare(&model, &gpu, &d).unwrap();
        let stated = steady(&model, &gpu, speed.memory(), &d, &shape(0.05));
        assert_eq!(speed.steady(&model, &gpu, &d, &shape(0.05)), stated);
    }
}
