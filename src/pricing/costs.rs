//! Everything beside tokens and GPUs: people, network, gateway, and what is paid once.

use super::{Bill, CostItem, Line, PlanCosts};

/// What a plan's other costs depend on in one month.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlanUse {
    /// Requests.
    pub requests: f64,
    /// Tokens of input and output that cross the network.
    pub tokens: f64,
    /// Whether it is the first month: what is paid once is paid then.
    pub first_month: bool,
}

/// A month of a plan's other costs, US dollars.
///
/// Each item is its money plus its people, `fte x engineer_usd_per_year / 12`; egress is
/// `tokens x bytes_per_token / 10⁹ x usd_per_gb`; the gateway's fee is per request.
///
/// - `engineer_usd_per_year`: full cost of one engineer, US dollars; >= 0.
#[must_use]
pub fn costs_bill(costs: &PlanCosts<f64>, usage: &PlanUse, engineer_usd_per_year: f64) -> Bill {
    let mut bill = Bill::default();
    let mut item = |line: Line, item: &CostItem<f64>| {
        bill.add(line, item.usd_per_month + item.fte * engineer_usd_per_year / 12.0);
    };
    item(Line::PromptEngineering, &costs.prompt_engineering);
    item(Line::Evaluation, &costs.evaluation);
    item(Line::Monitoring, &costs.monitoring);
    item(Line::OnCall, &costs.on_call);
    item(Line::Training, &costs.training);
    item(Line::Opportunity, &costs.opportunity);
    item(Line::Compliance, &costs.compliance);
    item(Line::Network, &costs.network);
    item(Line::Gateway, &costs.gateway);
    bill.add(Line::Network, usage.tokens * costs.usd_per_token());
    bill.add(Line::Gateway, usage.requests * costs.gateway_usd_per_request);
    if usage.first_month {
        bill.add(Line::OneTime, costs.one_time_usd);
    }
    bill
}

impl PlanCosts<f64> {
    /// Egress per token of input and output, US dollars.
    #[must_use]
    pub fn usd_per_token(&self) -> f64 {
        const BYTES_PER_GB: f64 = 1e9;
        self.bytes_per_token / BYTES_PER_GB * self.egress_usd_per_gb
    }
}
