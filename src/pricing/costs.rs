//! Everything beside tokens and GPUs: people, network, gateway, and what is paid once.

use super::{Bill, CostItem, Line, PlanCosts};
use crate::stats::Num;

/// What a plan's other costs depend on in one month.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlanUse<N = f64> {
    /// Requests.
    pub requests: N,
    /// Tokens of input and output that cross the network.
    pub tokens: N,
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
#[inline(always)]
pub fn costs_bill<N: Num>(costs: &PlanCosts<N>, usage: &PlanUse<N>, engineer_usd_per_year: N) -> Bill<N> {
    let mut bill = Bill::default();
    let mut item = |line: Line, item: &CostItem<N>| {
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

impl<N: Num> PlanCosts<N> {
    /// Egress per token of input and output, US dollars.
    #[must_use]
    #[inline(always)]
    pub fn usd_per_token(&self) -> N {
        const BYTES_PER_GB: f64 = 1e9;
        self.bytes_per_token / BYTES_PER_GB * self.egress_usd_per_gb
    }
}
