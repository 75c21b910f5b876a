//! Making a measured device part of the user's catalogue and of a plan.

use std::borrow::Cow;

use super::App;
use super::pages::Page;
use crate::catalog::GpuSpec;
use crate::io::overlay;
use crate::routing::{Plan, Serves};
use crate::stats::Estimate;

impl App {
    /// Puts a measured device into the user's catalogue, and onto the self-hosted endpoint of the plan in hand, or of the
    /// first plan that has one.
    pub(super) fn adopt_device(&mut self, row: GpuSpec) {
        let (id, name) = (row.id.clone(), row.name.clone());
        let added = match self.places.catalog() {
            Some(path) => overlay::add_gpu(&path, row),
            // Nothing is kept: it lasts as long as the window.
            None => overlay::with_gpu(&self.catalog, row),
        };
        match added {
            Ok(catalog) => self.catalog = Cow::Owned(catalog),
            Err(error) => {
                self.notices.error("The device could not be put into your catalogue", error.to_string());
                return;
            }
        }
        let in_hand = self.session.plan.clone();
        let plans = &mut self.document.draft.plans;
        let own = |plan: &Plan<Estimate>| {
            plan.endpoints.iter().position(|endpoint| matches!(endpoint.serves, Serves::SelfHosted(_)))
        };
        let found = plans
            .iter()
            .enumerate()
            .filter_map(|(at, plan)| Some((at, own(plan)?)))
            .min_by_key(|(at, _)| Some(&plans[*at].id) != in_hand.as_ref());
        let Some((plan, endpoint)) = found else {
            self.notices.note(format!(
                "{name} is in your catalogue; no plan hosts a model itself, add such a plan to use it"
            ));
            return;
        };
        let plan = &mut plans[plan];
        if let Serves::SelfHosted(own) = &mut plan.endpoints[endpoint].serves {
            (own.deployment.gpu, own.deployment.gpus_per_replica) = (id, 1);
        }
        self.notices.note(format!("{name} is in your catalogue and serves in the plan {}", plan.name));
        (self.session.page, self.session.plan) = (Page::Plans, Some(plan.id.clone()));
        // Also where the draft named the device before: its numbers are new.
        self.live.forget();
        self.document.observe(true);
        self.live.update(
            self.document.revision(),
            &self.document.snapshot(),
            &self.catalog,
            &self.calibration,
        );
    }
}
