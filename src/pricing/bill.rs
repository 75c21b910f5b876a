//! The lines of a bill, and the ways in which people group them.

use serde::{Deserialize, Serialize};

use crate::stats::Num;

macro_rules! lines {
    ($($(#[$doc:meta])* $line:ident = $id:literal, $label:literal,
        $driver:ident $behaviour:ident $relation:ident $control:ident $timing:ident $visibility:ident;)+) => {
        /// A kind of cost. Every cent of a plan belongs to exactly one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Line {
            $($(#[$doc])* $line),+
        }

        impl Line {
            /// All of them, in the order in which a bill lists them.
            pub const ALL: &[Self] = &[$(Self::$line),+];

            /// Stable name in files and JSON.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$line => $id),+ }
            }

            /// Name for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$line => $label),+ }
            }

            /// How it is grouped.
            #[must_use]
            pub const fn tags(self) -> Tags {
                match self {
                    $(Self::$line => Tags {
                        driver: Driver::$driver,
                        behaviour: Behaviour::$behaviour,
                        relation: Relation::$relation,
                        control: Control::$control,
                        timing: Timing::$timing,
                        visibility: Visibility::$visibility,
                    }),+
                }
            }
        }
    };
}

lines! {
    /// Input tokens at the full rate.
    ApiInput = "api_input", "API input tokens", Input Variable Direct Controllable Monthly Visible;
    /// Input tokens beyond the system prompt that carry a conversation or an agent loop.
    ApiHistory = "api_history", "API context carried along", ContextWindow Variable Direct Controllable Monthly Visible;
    /// Input tokens read from a prompt cache.
    ApiCachedRead = "api_cached_read", "API cached input", Input Variable Direct Controllable Monthly Visible;
    /// Input tokens written to a prompt cache, above the plain input rate.
    ApiCacheWrite = "api_cache_write", "API cache writes", CacheMisses Variable Direct Controllable Monthly Visible;
    /// Output tokens.
    ApiOutput = "api_output", "API output tokens", Output Variable Direct Controllable Monthly Visible;
    /// Hidden reasoning tokens.
    ApiReasoning = "api_reasoning", "API reasoning tokens", Output Variable Direct Controllable Monthly Hidden;
    /// Failed attempts that are billed all the same.
    Retries = "retries", "Failed requests and retries", Retries Variable Direct Controllable Monthly Hidden;
    /// Fees per call, per tool call, per search.
    Fees = "fees", "Fees per call and tool", Volume Variable Direct Controllable Monthly Visible;
    /// Region premium on tokens.
    Region = "region", "Regional premium", Geography Variable Direct Controllable Monthly Visible;
    /// Discounts by contract and volume; negative.
    Discount = "discount", "Discounts", ModelChoice Variable Direct Controllable Monthly Visible;
    /// The part of a commitment that is not used.
    CommitmentShortfall = "commitment_shortfall", "Unused commitment", Infrastructure Fixed Direct Committed Monthly Visible;
    /// Provisioned throughput.
    Provisioned = "provisioned", "Provisioned throughput", Infrastructure Fixed Direct Committed Monthly Visible;
    /// Embeddings.
    Embeddings = "embeddings", "Embeddings", Input Variable Direct Controllable Monthly Visible;
    /// Vector store.
    VectorStore = "vector_store", "Vector store", Infrastructure Fixed Shared Controllable Monthly Visible;
    /// Router: classifying and verifying.
    Routing = "routing", "Routing and verification", ModelChoice Variable Shared Controllable Monthly Visible;
    /// Response caches.
    Caches = "caches", "Response caches", CacheMisses Step Shared Controllable Monthly Hidden;
    /// GPU hours that served load.
    GpuBusy = "gpu_busy", "GPU hours, busy", Infrastructure Step Direct Controllable Monthly Visible;
    /// GPU hours that were paid and idle.
    GpuIdle = "gpu_idle", "GPU hours, idle", Infrastructure Step Shared Controllable Monthly Hidden;
    /// Depreciation and capital of owned hardware.
    Hardware = "hardware", "Owned hardware", Infrastructure Step Shared Committed Upfront Visible;
    /// Electricity.
    Power = "power", "Electricity", Infrastructure Step Shared Controllable Monthly Visible;
    /// Colocation and maintenance.
    Housing = "housing", "Colocation and maintenance", Infrastructure Step Shared Committed Monthly Visible;
    /// Storage of weights and caches.
    Storage = "storage", "Storage", Infrastructure Step Shared Controllable Monthly Visible;
    /// Network: egress and fixed part.
    Network = "network", "Data transfer and network", Geography Variable Shared Controllable Monthly Hidden;
    /// Gateway, attribution, registry.
    Gateway = "gateway", "API gateway and attribution", Operations Step Shared Controllable Monthly Visible;
    /// Prompt engineering.
    PromptEngineering = "prompt_engineering", "Prompt engineering", Operations Fixed Overhead Controllable Monthly Hidden;
    /// Evaluation.
    Evaluation = "evaluation", "Quality assurance and evaluation", Operations Fixed Overhead Controllable Monthly Hidden;
    /// Monitoring.
    Monitoring = "monitoring", "Monitoring and observability", Operations Fixed Overhead Controllable Monthly Hidden;
    /// On-call.
    OnCall = "on_call", "On-call and operations", Operations Fixed Overhead Controllable Monthly Hidden;
    /// Training.
    Training = "training", "Training and skills", Operations Fixed Overhead Controllable Monthly Hidden;
    /// Opportunity cost.
    Opportunity = "opportunity", "Opportunity cost of engineers", Operations Fixed Opportunity Controllable Monthly Hidden;
    /// Compliance and security.
    Compliance = "compliance", "Compliance and security", Operations Fixed Overhead Committed Monthly Hidden;
    /// Paid once, in the first month.
    OneTime = "one_time", "Set-up, paid once", Operations Fixed Overhead Controllable Upfront Visible;
}

/// Number of [`Line`]s.
pub const LINES: usize = Line::ALL.len();

/// The six ways in which a cost line is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// Which of the ten cost drivers moves it.
    pub driver: Driver,
    /// How it follows volume.
    pub behaviour: Behaviour,
    /// How it belongs to a use case.
    pub relation: Relation,
    /// Whether somebody can change it this month.
    pub control: Control,
    /// When it is paid.
    pub timing: Timing,
    /// Whether it is usually seen.
    pub visibility: Visibility,
}

macro_rules! labelled {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $label:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }
        impl $name {
            /// All of them, in order of display.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// Name for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

labelled! {
    /// The ten cost drivers of the reference.
    Driver {
        /// Output tokens.
        Output = "Output tokens",
        /// Input tokens.
        Input = "Input tokens",
        /// Which model answers.
        ModelChoice = "Model choice",
        /// How many requests.
        Volume = "Request volume",
        /// How much context is carried.
        ContextWindow = "Context window",
        /// What the caches miss.
        CacheMisses = "Cache misses",
        /// Errors and retries.
        Retries = "Retries and errors",
        /// Capacity, used or not.
        Infrastructure = "Infrastructure",
        /// People and processes.
        Operations = "Operations",
        /// Regions and data transfer.
        Geography = "Geography",
    }
}
labelled! {
    /// How a line follows volume.
    Behaviour {
        /// The same at every volume.
        Fixed = "Fixed",
        /// In proportion to volume.
        Variable = "Variable",
        /// In steps.
        Step = "Step",
    }
}
labelled! {
    /// How a line belongs to a use case.
    Relation {
        /// Caused by one use case.
        Direct = "Direct",
        /// Used by several.
        Shared = "Shared",
        /// Caused by none of them.
        Overhead = "Overhead",
        /// Not paid, but lost.
        Opportunity = "Opportunity",
    }
}
labelled! {
    /// Whether a line can be changed this month.
    Control {
        /// Yes.
        Controllable = "Controllable",
        /// Bound by contract or purchase.
        Committed = "Committed",
    }
}
labelled! {
    /// When a line is paid.
    Timing {
        /// Month by month.
        Monthly = "Monthly",
        /// Before use.
        Upfront = "Up front",
    }
}
labelled! {
    /// Whether a line is usually seen.
    Visibility {
        /// On an invoice of its own.
        Visible = "Visible",
        /// Usually overlooked.
        Hidden = "Hidden",
    }
}

/// Amounts by line, US dollars: one month of one plan, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bill<N = f64>([N; LINES]);

impl<N: Num> Default for Bill<N> {
    fn default() -> Self {
        Self([N::of(0.0); LINES])
    }
}

impl<N: Num> Bill<N> {
    /// Adds to a line, US dollars.
    #[inline(always)]
    pub fn add(&mut self, line: Line, usd: N) {
        self.0[line as usize] += usd;
    }

    /// The amount of a line, US dollars.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, line: Line) -> N {
        self.0[line as usize]
    }

    /// The sum of all lines, US dollars, summed in the order of [`Line::ALL`].
    #[must_use]
    #[inline(always)]
    pub fn total(&self) -> N {
        self.0.iter().fold(N::of(0.0), |sum, usd| sum + *usd)
    }

    /// Adds `factor` times another bill.
    #[inline(always)]
    pub fn add_scaled(&mut self, other: &Self, factor: N) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += factor * *theirs;
        }
    }
}

impl Bill {
    /// The lines and their amounts, zeros included.
    pub fn lines(&self) -> impl Iterator<Item = (Line, f64)> + '_ {
        Line::ALL.iter().map(|&line| (line, self.get(line)))
    }
}

impl Serialize for Bill {
    /// A map from line id to US dollars, zeros included, with the total last.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(LINES + 1))?;
        for (line, usd) in self.lines() {
            map.serialize_entry(line.id(), &usd)?;
        }
        map.serialize_entry("total", &self.total())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_sum_to_the_total() {
        let mut bill = Bill::default();
        for (position, &line) in Line::ALL.iter().enumerate() {
            bill.add(line, position as f64);
        }
        let by_hand: f64 = bill.lines().map(|(_, usd)| usd).sum();
        assert_eq!(bill.total(), by_hand);
        assert_eq!(by_hand, (LINES * (LINES - 1) / 2) as f64);
    }

    #[test]
    fn every_driver_of_the_reference_has_a_line() {
        for driver in Driver::ALL {
            assert!(
                Line::ALL.iter().any(|line| line.tags().driver == *driver),
                "no line shows {}",
                driver.label()
            );
        }
    }
}
