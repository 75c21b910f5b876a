//! Usage to money: what a provider bills, and what owning or renting capacity costs.
//!
//! Knows price sheets and rates. Does not know queues or events; usage comes in as tokens, requests and hours.

mod bill;
mod terms;

pub use bill::{Behaviour, Bill, Control, Driver, LINES, Line, Relation, Tags, Timing, Visibility};

pub use terms::{
    Api, Bracket, CapacityTerms, Commitment, CostItem, CustomPrice, Owned, PlanCosts, Provisioned,
    ReservedTerms, ServiceTier, SpotTerms,
};
