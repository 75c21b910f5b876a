//! Usage to money: what a provider bills, and what owning or renting capacity costs.
//!
//! Knows price sheets and rates. Does not know queues or events; usage comes in as tokens, requests and hours.
//! [`api_bill`] and [`settle`] price an API, [`capacity_bill`] prices GPUs, [`costs_bill`] everything beside.

mod api;
mod bill;
mod capacity;
mod costs;
mod terms;

#[cfg(test)]
mod tests;

pub use api::{
    ApiTotal, ApiUsage, LongRates, MonthAtEndpoint, Rates, TokenUse, api_bill, api_total, price_factor,
    settle,
};
pub use bill::{Behaviour, Bill, Control, Driver, LINES, Line, Relation, Tags, Timing, Visibility};
pub use capacity::{CapacityWeek, StorageTerms, capacity_bill, capacity_usd, spot_rate};
pub use costs::{PlanUse, costs_bill};
pub use terms::{
    Api, Bracket, CapacityTerms, Commitment, CostItem, CustomPrice, Owned, PlanCosts, Provisioned,
    ReservedTerms, ServiceTier, SpotTerms,
};
