//! Endpoints under way: a provider, or own GPUs.

use crate::unit::SimTime;

use super::api::Api;
use super::events::Event;
use super::job::Role;
use super::pool::{Pool, PoolSpec, ReplicaScaling};
use super::spec::{EndpointKind, SimSpec};

/// An endpoint of own GPUs, its prompts apart where they are.
pub(super) struct OwnEndpoint {
    pub pool: Pool,
    pub prefill: Option<(Pool, (f64, f64))>,
    pub front: SimTime,
}

/// Something that answers, under way.
pub(super) enum Endpoint {
    Api(Box<Api>),
    Own(Box<OwnEndpoint>),
}

/// The endpoint at a place, and what its pools want to be woken for.
pub(super) fn endpoint(spec: &SimSpec, at: usize, events: &mut Vec<(SimTime, Event)>) -> Endpoint {
    let endpoint = &spec.endpoints[at];
    let name = |part: &str| format!("sim.{}.{part}", endpoint.name);
    let pool_spec = match &endpoint.kind {
        EndpointKind::Api(api) => {
            return Endpoint::Api(Box::new(Api::new(api.clone(), spec.seed, &name("api"))));
        }
        EndpointKind::Own(pool) => pool.as_ref().clone(),
    };
    let mut wake = Vec::new();
    let front = SimTime::from_secs(pool_spec.front_secs);
    let prefill = pool_spec.prefill.clone().map(|prefill| {
        let apart = PoolSpec {
            limits: prefill.limits,
            pace: prefill.pace,
            scaling: ReplicaScaling::Fixed(prefill.replicas),
            prefill: None,
            ..pool_spec.clone()
        };
        (Pool::with_role(apart, Role::Prefill, spec.seed, &name("prefill"), &mut wake), prefill.transfer_secs)
    });
    events.extend(wake.drain(..).map(|(time, event)| (time, Event::Pool(at, true, event))));
    let pool = Pool::new(pool_spec, spec.seed, &name("pool"), &mut wake);
    events.extend(wake.into_iter().map(|(time, event)| (time, Event::Pool(at, false, event))));
    Endpoint::Own(Box::new(OwnEndpoint { pool, prefill, front }))
}
