//! Who answers: endpoints, and the router that chooses among them.
//!
//! A [`Plan`] is one complete way to serve the whole workload: endpoints, a router, caches, and the costs around
//! them. Plans are the alternatives that a scenario compares.

mod plan;

pub use plan::{
    Cascade, CascadeStep, Endpoint, Overflow, Plan, Route, RouteShare, Router, SelfHosted, Serves, Split,
};
