//! Writing what is looked at into a plan's deployment: what it can hold, and what it cannot.

use super::state::{Chosen, Computed, Inputs, ServingState};
use crate::catalog::ModelSpec;
use crate::routing::Serves;
use crate::scenario::{ScenarioDraft, fixed};
use crate::serving::{Deployment, Engine, Layout, Precision, Speculative, WeightFormat};
use crate::stats::Estimate;

/// A self-hosted endpoint of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Id of the plan.
    pub plan: String,
    /// Id of the endpoint.
    pub endpoint: String,
    /// Both in words.
    pub name: String,
    /// Name of the plan.
    pub plan_name: String,
}

/// Every self-hosted endpoint of the scenario.
#[must_use]
pub fn targets(draft: &ScenarioDraft) -> Vec<Target> {
    let mut found = Vec::new();
    for plan in &draft.plans {
        let own = plan.endpoints.iter().filter(|e| matches!(e.serves, Serves::SelfHosted(_)));
        let own: Vec<_> = own.collect();
        for endpoint in &own {
            let name = match own.len() {
                1 => plan.name.clone(),
                _ => format!("{}, {}", plan.name, endpoint.name),
            };
            found.push(Target {
                plan: plan.id.clone(),
                endpoint: endpoint.id.clone(),
                name,
                plan_name: plan.name.clone(),
            });
        }
    }
    found
}

/// The format that a plan keeps for weights; none where it has no such.
#[must_use]
pub const fn precision(format: WeightFormat) -> Option<Precision> {
    match format {
        WeightFormat::Fp32 => Some(Precision::Fp32),
        WeightFormat::Fp16 | WeightFormat::Bf16 => Some(Precision::Bf16),
        WeightFormat::Fp8 => Some(Precision::Fp8),
        WeightFormat::Int8 => Some(Precision::Int8),
        WeightFormat::Int4 => Some(Precision::Int4),
        WeightFormat::Mxfp4 | WeightFormat::Nvfp4 => Some(Precision::Fp4),
        WeightFormat::Gguf(_) => None,
    }
}

/// Why a plan cannot take it at all.
#[must_use]
pub fn refusal(inputs: &Inputs, model: &ModelSpec) -> Option<String> {
    if matches!(inputs.model, Chosen::Config(_)) {
        return Some(
            "A plan names its model by an id of the catalogue; add this one to your own catalogue first."
                .to_owned(),
        );
    }
    if inputs.engine == Engine::LlamaCpp {
        return Some(
            "A plan serves in batches; llama.cpp answers one stream. Choose another engine.".to_owned(),
        );
    }
    let format = inputs.format(model);
    precision(format).is_none().then(|| {
        format!("A plan has no {} weights; choose BF16, FP8, INT8, INT4 or a 4 bit float.", format.label())
    })
}

/// What a plan does not hold of what is looked at, each in a few words.
#[must_use]
pub fn not_held() -> Vec<String> {
    let mut lost = vec!["the year of the software: a plan has today's".to_owned()];
    lost.push("lengths, prefix hits and targets: those are the workload's and the endpoint's".to_owned());
    lost.push("the rate of a GPU hour: it stands in the plan's terms".to_owned());
    lost
}

/// Writes model, GPU, count, parallelism, engine, memory, formats and drafting into the deployment; false where the endpoint is gone.
pub fn write(draft: &mut ScenarioDraft, target: &Target, inputs: &Inputs, model: &ModelSpec) -> bool {
    let endpoint = draft
        .plans
        .iter_mut()
        .find(|plan| plan.id == target.plan)
        .and_then(|plan| plan.endpoints.iter_mut().find(|endpoint| endpoint.id == target.endpoint));
    let Some(Serves::SelfHosted(own)) = endpoint.map(|endpoint| &mut endpoint.serves) else { return false };
    let Some(weights) = precision(inputs.format(model)) else { return false };
    set(&mut own.deployment, inputs, model, weights);
    true
}

fn set(deployment: &mut Deployment<Estimate>, inputs: &Inputs, model: &ModelSpec, weights: Precision) {
    model.id.clone_into(&mut deployment.model);
    inputs.gpu.clone_into(&mut deployment.gpu);
    deployment.gpus_per_replica = inputs.gpus;
    (deployment.weights, deployment.kv_cache) = (weights, inputs.kv);
    deployment.engine = Some(inputs.engine);
    let layout = Layout { pipeline: inputs.pipeline, data: inputs.data, expert: inputs.expert };
    deployment.layout = (layout != Layout { pipeline: 1, data: 1, expert: false }).then_some(layout);
    deployment.memory_share = Estimate::Fixed(inputs.memory_share);
    if inputs.max_sequences > 0 {
        deployment.max_sequences = inputs.max_sequences;
    }
    deployment.speculative = (inputs.drafted > 0).then(|| Speculative {
        acceptance: Estimate::Fixed(inputs.acceptance),
        draft_tokens: Estimate::Fixed(f64::from(inputs.drafted)),
        draft_cost_share: deployment
            .speculative
            .as_ref()
            .map_or_else(|| fixed("speculative.draft_cost_share"), |s| s.draft_cost_share.clone()),
    });
}

/// Writes what is looked at into the chosen plan, and remembers it for the page.
pub fn use_in(draft: &mut ScenarioDraft, target: &Target, state: &mut ServingState, computed: &Computed) {
    let Some(model) = &computed.model else { return };
    if write(draft, target, &computed.inputs, model) {
        state.written = Some((computed.inputs.clone(), target.plan_name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::io::presets;

    #[test]
    fn a_plan_takes_what_it_can_hold_and_names_what_it_cannot() {
        let mut draft = presets::load(presets::DEFAULT).unwrap();
        let found = targets(&draft);
        let target = found.first().expect("the worked example has a plan with own GPUs").clone();
        let inputs = Inputs { drafted: 3, gpus: 8, pipeline: 2, ..Inputs::default() };
        let model = inputs.model(Catalog::shipped()).unwrap().clone();
        assert!(write(&mut draft, &target, &inputs, &model));
        let plan = draft.plans.iter().find(|plan| plan.id == target.plan).unwrap();
        let endpoint = plan.endpoints.iter().find(|e| e.id == target.endpoint).unwrap();
        let Serves::SelfHosted(own) = &endpoint.serves else { panic!("it was self-hosted") };
        let d = &own.deployment;
        assert_eq!((d.model.as_str(), d.gpus_per_replica, d.weights), ("llama-3.3-70b", 8, Precision::Fp8));
        assert_eq!(d.speculative.as_ref().map(|s| s.draft_tokens.point()), Some(3.0));
        assert_eq!(d.layout, Some(Layout { pipeline: 2, data: 1, expert: false }));
        assert!(!not_held().is_empty());
    }

    #[test]
    fn a_model_of_a_file_is_refused_with_what_to_do() {
        let spec = Catalog::shipped().models[0].clone();
        let inputs = Inputs { model: Chosen::Config(std::sync::Arc::new(spec.clone())), ..Inputs::default() };
        assert!(refusal(&inputs, &spec).unwrap().contains("catalogue"));
    }
}
