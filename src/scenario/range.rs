//! The range of each quantity, by the name of its field.

/// The values that make sense for a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// 0 or more.
    NonNegative,
    /// More than 0.
    Positive,
    /// 1 or more.
    AtLeastOne,
    /// A share, 0..=1.
    Share,
    /// A share of which something must be left or reached, more than 0 and at most 1.
    PositiveShare,
    /// A share below 1.
    BelowOne,
    /// A relative change: more than -1.
    Change,
    /// Any finite number.
    Any,
}

impl Range {
    /// The range of the quantity at `path`; fields not named here are amounts, 0 or more.
    pub(super) fn of(path: &str) -> Self {
        match path.rsplit('.').next().unwrap_or(path) {
            "requests_per_day"
            | "median"
            | "p95"
            | "tpot_secs"
            | "token_factor"
            | "output_tokens_per_sec"
            | "capacity_factor"
            | "ceiling"
            | "rise_months"
            | "years"
            | "ttl_secs"
            | "timeout_secs"
            | "max_tokens" => Self::Positive,
            "mean" | "distinct" | "capacity_items" | "pue" | "draft_tokens" => Self::AtLeastOne,
            "share"
            | "at_fraction"
            | "history_kept"
            | "billed_share"
            | "cacheable_share"
            | "hard_share"
            | "quality"
            | "false_hit_share"
            | "misroute_share"
            | "misroute_quality_loss"
            | "accept"
            | "fill_share"
            | "acceptance"
            | "fallback_share"
            | "residual_share"
            | "idle_power_share"
            | "hit"
            | "prompt_cache" => Self::Share,
            "memory_share" | "prefill_mfu" | "decode_mbu" => Self::PositiveShare,
            "discount" | "failure" => Self::BelowOne,
            "growth" | "price_change_per_year" => Self::Change,
            "midpoint_month" => Self::Any,
            "ttft_secs" if path.contains(".slo.") => Self::Positive,
            _ => Self::NonNegative,
        }
    }

    /// Whether a value lies inside.
    pub(super) fn contains(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::NonNegative => value >= 0.0,
                Self::Positive => value > 0.0,
                Self::AtLeastOne => value >= 1.0,
                Self::Share => (0.0..=1.0).contains(&value),
                Self::PositiveShare => value > 0.0 && value <= 1.0,
                Self::BelowOne => (0.0..1.0).contains(&value),
                Self::Change => value > -1.0,
                Self::Any => true,
            }
    }

    /// The nearest value inside: a draw that strays is moved here.
    pub(super) fn clamp(self, value: f64) -> f64 {
        const TINY: f64 = 1e-9;
        match self {
            Self::NonNegative => value.max(0.0),
            Self::Positive => value.max(TINY),
            Self::AtLeastOne => value.max(1.0),
            Self::Share => value.clamp(0.0, 1.0),
            Self::PositiveShare => value.clamp(TINY, 1.0),
            Self::BelowOne => value.clamp(0.0, 1.0 - TINY),
            Self::Change => value.max(TINY - 1.0),
            Self::Any => value,
        }
    }

    /// What to write.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::NonNegative => "write a number of 0 or more",
            Self::Positive => "write a number above 0",
            Self::AtLeastOne => "write a number of 1 or more",
            Self::Share => "write a share from 0 to 1 (30 % is 0.3)",
            Self::PositiveShare => "write a share above 0 and at most 1 (80 % is 0.8)",
            Self::BelowOne => "write a share from 0 to below 1 (10 % is 0.1)",
            Self::Change => "write a relative change above -1 (5 % more is 0.05)",
            Self::Any => "write a finite number",
        }
    }
}
