//! The checked scenario: everything resolved, every quantity in range, ready to be evaluated.

use std::sync::{Arc, OnceLock};

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::cache::PromptCache;
use crate::catalog::{Catalog, PriceRow, RowFit};
use crate::pricing::{Api, Rates};
use crate::routing::{Endpoint, Plan, Router, Serves};
use crate::serving::{Calibration, GpuFacts, ModelFacts, WeekShape};
use crate::stats::quantities::{Instantiate as _, Path, Quantified as _};
use crate::stats::{Copula, Estimate, Lanes, Num, RankPair, Sampler, Stream, normal_quantile, turn_by_turn};
use crate::unit::HOURS_PER_WEEK;

use super::draft::{ScenarioDraft, ScenarioOf};
use super::problem::{Problem, Problems};
use super::range::Range;

/// A scenario that can be evaluated. Made only by [`Scenario::check`]; never stored.
#[derive(Debug, Clone)]
pub struct Scenario {
    draft: Arc<ScenarioDraft>,
    point: ScenarioOf<f64>,
    variables: Vec<Variable>,
    copula: Option<Copula>,
    warnings: Problems,
    facts: Facts,
    catalog_hash: String,
    draft_hash: String,
    calibration: Option<Arc<Calibration>>,
}

/// One uncertain quantity.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its path: the stable name of its stream of random numbers.
    pub path: String,
    /// Its distribution.
    pub estimate: Estimate,
    leaf: usize,
    range: Range,
    /// Made at the first draw: tables of beta and PERT cost half a millisecond, which the instant answer spares.
    sampler: OnceLock<Option<Sampler>>,
    stream: Stream,
}

impl Variable {
    /// The value at each uniform number; the estimate has passed its check, so that the second path is never taken.
    #[inline(always)]
    fn sample<N: Num>(&self, uniform: N) -> N {
        match self.sampler.get_or_init(|| Sampler::new(&self.estimate).ok()) {
            Some(sampler) => sampler.sample(uniform).map(|value| self.range.clamp(value)),
            None => uniform.map(|uniform| self.range.clamp(self.estimate.quantile(uniform))),
        }
    }
}

/// What the catalogue says about a scenario, looked up once.
#[derive(Debug, Clone)]
pub struct Facts {
    /// First day of each month of the horizon.
    pub months: Vec<Date>,
    /// One per enabled use case.
    pub use_cases: Vec<UseCaseFacts>,
    /// One per plan.
    pub plans: Vec<PlanFacts>,
    /// Which of the distinct weeks each enabled use case has; the positions count in order of first use.
    pub profiles: Vec<usize>,
    /// Made when it is first asked for: the instant answer spares it.
    week_shape: OnceLock<WeekShape>,
}

impl Facts {
    /// The distinct weeks of the use cases, prepared.
    #[must_use]
    pub fn week_shape(&self) -> &WeekShape {
        self.week_shape.get_or_init(|| {
            let mut distinct = Vec::new();
            for (use_case, profile) in self.use_cases.iter().zip(&self.profiles) {
                if *profile == distinct.len() {
                    distinct.push(use_case.weights);
                }
            }
            WeekShape::new(&distinct)
        })
    }
}

/// Numbers the distinct weeks in order of first use.
fn profiles(use_cases: &[UseCaseFacts]) -> Vec<usize> {
    let mut distinct: Vec<&[f64; HOURS_PER_WEEK]> = Vec::new();
    use_cases
        .iter()
        .map(|use_case| {
            distinct.iter().position(|weights| **weights == use_case.weights).unwrap_or_else(|| {
                distinct.push(&use_case.weights);
                distinct.len() - 1
            })
        })
        .collect()
}

/// What never changes about a use case.
#[derive(Debug, Clone)]
pub struct UseCaseFacts {
    /// Its position in the scenario's list.
    pub position: usize,
    /// 168 weights that sum to 1.
    pub weights: [f64; HOURS_PER_WEEK],
    /// Price of its embeddings, US dollars per million tokens; none if not priced or not used.
    pub embedding_usd_per_mtok: Option<f64>,
}

/// What never changes about a plan.
#[derive(Debug, Clone)]
pub struct PlanFacts {
    /// One per endpoint.
    pub endpoints: Vec<EndpointFacts>,
    /// One per enabled use case.
    pub routes: Vec<RouteFacts>,
}

/// Where the requests of one use case go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFacts {
    /// Position in the plan's list of exceptions; none is the plan's own router.
    pub exception: Option<usize>,
    /// Endpoint of each tier, in the router's order.
    pub tiers: Vec<usize>,
}

/// What never changes about an endpoint.
#[derive(Debug, Clone)]
pub enum EndpointFacts {
    /// A provider's model.
    Api(ApiFacts),
    /// A deployment.
    Own(Box<OwnFacts>),
}

/// The price rows of an API endpoint.
#[derive(Debug, Clone)]
pub struct ApiFacts {
    /// The rates of each row of the price sheet, at the endpoint's tier.
    pub rates: Vec<Rates>,
    /// For each month, the row that holds on its first day; the nearest one where none does.
    pub rates_of_month: Vec<Option<usize>>,
    /// Whether all months have the same row.
    pub one_row: bool,
    /// Shortest prefix that the provider caches, in the model's tokens; 0 if there is no minimum.
    pub cache_min_tokens: f64,
    /// Name of the model.
    pub name: String,
    /// For each row, by use case: mean factor on the token rates over the hours of its week; empty where hours do not
    /// differ.
    pub hour_factors: Vec<Vec<f64>>,
}

impl ApiFacts {
    /// The rates of a row as a use case pays them in the mean of its week.
    #[must_use]
    pub fn rates_of(&self, row: usize, use_case: usize) -> Rates {
        match self.hour_factors[row].get(use_case) {
            Some(factor) => self.rates[row].scaled(*factor),
            None => self.rates[row],
        }
    }
}

/// Model and GPU of a deployment.
#[derive(Debug, Clone)]
pub struct OwnFacts {
    /// The model, as the serving maths wants it.
    pub model: ModelFacts,
    /// The GPU, as the serving maths wants it.
    pub gpu: GpuFacts,
    /// Name of the model.
    pub model_name: String,
    /// Name of the GPU.
    pub gpu_name: String,
}

impl Scenario {
    /// Checks a draft and looks up everything that it names.
    ///
    /// # Errors
    /// All [`Problems`], warnings included, when at least one is an error.
    pub fn check(draft: &ScenarioDraft, catalog: &Catalog) -> Result<Self, Problems> {
        let mut found = super::check::problems(draft, catalog);
        if found.has_errors() {
            return Err(found);
        }
        let variables = variables(draft);
        let copula = copula(draft, &variables, &mut found);
        let facts = facts(draft, catalog, &mut found);
        match facts {
            Some(facts) if !found.has_errors() => Ok(Self {
                point: point(draft),
                draft: Arc::new(draft.clone()),
                variables,
                copula,
                warnings: found,
                facts,
                catalog_hash: catalog.content_hash().to_owned(),
                draft_hash: draft_hash(draft),
                calibration: None,
            }),
            _ => Err(found),
        }
    }

    /// The draft that it was made from.
    #[must_use]
    pub fn draft(&self) -> &ScenarioDraft {
        &self.draft
    }

    /// Every quantity at its point value, the mean.
    #[must_use]
    pub fn point(&self) -> &ScenarioOf<f64> {
        &self.point
    }

    /// What is likely to mislead, though it can be computed.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings.items
    }

    /// The uncertain quantities, in the order of the document.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What the catalogue says.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// SHA-256 of the catalogue, hexadecimal.
    #[must_use]
    pub fn catalog_hash(&self) -> &str {
        &self.catalog_hash
    }

    /// The same scenario, own GPUs at the speed of another calibration than the shipped one.
    #[must_use]
    pub fn with_calibration(self, calibration: Arc<Calibration>) -> Self {
        Self { calibration: Some(calibration), ..self }
    }

    /// What the speed of own GPUs is computed with.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        self.calibration.as_deref().unwrap_or_else(|| Calibration::shipped())
    }

    /// SHA-256 of the draft's canonical form, hexadecimal.
    #[must_use]
    pub fn draft_hash(&self) -> &str {
        &self.draft_hash
    }

    /// Whether anything is uncertain at all, the noise of the months included.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        !self.variables.is_empty() || self.point.settings.demand_noise_cv > 0.0
    }

    /// A place for draws: the states of the world that trials overwrite.
    #[must_use]
    pub fn draw<N: Num>(&self) -> Draw<N> {
        Draw {
            state: self.draft.instantiate(&mut |estimate| N::of(estimate.point())),
            values: vec![N::of(0.0); self.variables.len()],
            noise: vec![N::of(1.0); self.facts.months.len()],
            noise_stream: Stream::new(self.point.settings.seed, "settings.demand_noise"),
            scores: Vec::new(),
        }
    }

    /// Point states side by side, in each of which one uncertain quantity has another value.
    ///
    /// - `moved`: for each lane, the position in [`Scenario::variables`] and the value; lanes beyond are point states.
    #[must_use]
    pub fn states_with(&self, moved: &[(usize, f64)]) -> ScenarioOf<Lanes> {
        let mut state = self.point_lanes();
        let mut leaf = 0;
        state.each_mut(&mut |quantity: &mut Lanes| {
            for (lane, (variable, value)) in quantity.0.iter_mut().zip(moved) {
                if let Some(variable) = self.variables.get(*variable).filter(|of| of.leaf == leaf) {
                    *lane = variable.range.clamp(*value);
                }
            }
            leaf += 1;
        });
        state
    }

    /// The point state in every lane.
    #[must_use]
    pub fn point_lanes(&self) -> ScenarioOf<Lanes> {
        self.draft.instantiate(&mut |estimate| Lanes::of(estimate.point()))
    }
}

/// States of the world, one per lane, overwritten trial by trial.
#[derive(Debug, Clone)]
pub struct Draw<N = f64> {
    /// The states.
    pub state: ScenarioOf<N>,
    /// The values of the uncertain quantities, in the order of [`Scenario::variables`].
    pub values: Vec<N>,
    /// Factor on each month's volume, mean 1.
    pub noise: Vec<N>,
    noise_stream: Stream,
    scores: Vec<N>,
}

impl<N: Num> Draw<N> {
    /// Becomes the trials from `first` on, one per lane: each quantity is `F⁻¹(u(seed, path, index))`, so no other
    /// quantity, thread or block size changes it.
    #[inline(always)]
    pub fn become_trials(&mut self, scenario: &Scenario, first: u64) {
        for (value, variable) in self.values.iter_mut().zip(&scenario.variables) {
            *value = N::from_fn(|lane| variable.stream.uniform(first + lane as u64));
        }
        if let Some(copula) = &scenario.copula {
            copula.apply(&mut self.values, &mut self.scores);
        }
        for (value, variable) in self.values.iter_mut().zip(&scenario.variables) {
            *value = variable.sample(*value);
        }
        let mut pending = self.values.iter().zip(&scenario.variables);
        let mut next = pending.next();
        let mut leaf = 0;
        self.state.each_mut(&mut |quantity: &mut N| {
            if let Some((value, variable)) = next
                && variable.leaf == leaf
            {
                *quantity = *value;
                next = pending.next();
            }
            leaf += 1;
        });
        self.draw_noise(first);
    }

    /// Log-normal with mean 1: exp(sigma z - sigma²/2), sigma² = ln(1 + cv²).
    #[inline(always)]
    fn draw_noise(&mut self, first: u64) {
        let cv = self.state.settings.demand_noise_cv;
        if !cv.any_above(0.0) {
            self.noise.fill(N::of(1.0));
            return;
        }
        let variance = (cv * cv).map(f64::ln_1p);
        let (sigma, half) = (variance.root(), variance * 0.5);
        let months = self.noise.len() as u64;
        for (factor, month) in self.noise.iter_mut().zip(0..) {
            turn_by_turn();
            let uniform =
                N::from_fn(|lane| self.noise_stream.uniform((first + lane as u64) * months + month));
            *factor = (sigma * normal_quantile(uniform) - half).e_to();
        }
    }
}

/// The canonical form is compact JSON: field order is that of the structures, floats are shortest round-trip.
fn draft_hash(draft: &ScenarioDraft) -> String {
    use std::fmt::Write as _;

    use sha2::{Digest as _, Sha256};
    let canonical = serde_json::to_vec(draft).unwrap_or_default();
    Sha256::digest(&canonical).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn point(draft: &ScenarioDraft) -> ScenarioOf<f64> {
    draft.instantiate(&mut Estimate::point)
}

fn variables(draft: &ScenarioDraft) -> Vec<Variable> {
    let mut variables = Vec::new();
    let mut leaf = 0;
    draft.each(&mut Path::default(), &mut |path, estimate: &Estimate| {
        if estimate.is_uncertain() {
            variables.push(Variable {
                path: path.as_str().to_owned(),
                estimate: estimate.clone(),
                leaf,
                range: Range::of(path.as_str()),
                sampler: OnceLock::new(),
                stream: Stream::new(draft.settings.seed, path.as_str()),
            });
        }
        leaf += 1;
    });
    variables
}

fn copula(draft: &ScenarioDraft, variables: &[Variable], found: &mut Problems) -> Option<Copula> {
    let position = |path: &str| variables.iter().position(|variable| variable.path == path);
    let pairs: Vec<RankPair> = draft
        .correlations
        .iter()
        .filter_map(|correlation| {
            Some(RankPair {
                a: position(&correlation.a)?,
                b: position(&correlation.b)?,
                rho: correlation.rank,
            })
        })
        .collect();
    if pairs.is_empty() {
        return None;
    }
    match Copula::new(variables.len(), &pairs) {
        Ok(copula) => Some(copula),
        Err(error) => {
            found.error(
                "correlations",
                error.to_string(),
                "weaken the correlations that contradict each other",
            );
            None
        }
    }
}

fn facts(draft: &ScenarioDraft, catalog: &Catalog, found: &mut Problems) -> Option<Facts> {
    let start: Date = draft.start.parse().ok()?;
    let first = start.first_of_month();
    let months: Option<Vec<Date>> =
        (0..draft.horizon_months).map(|month| first.checked_add(i64::from(month).months()).ok()).collect();
    let Some(months) = months else {
        found.error(
            "start",
            format!("\"{}\" is too late a date", draft.start),
            "write a date before 9000-01-01",
        );
        return None;
    };
    let use_cases: Vec<UseCaseFacts> = draft
        .workload
        .use_cases
        .iter()
        .enumerate()
        .filter(|(_, use_case)| use_case.enabled)
        .map(|(position, use_case)| UseCaseFacts {
            position,
            weights: use_case.profile.weights(),
            embedding_usd_per_mtok: use_case.embedding.as_ref().and_then(|embedding| {
                let sheet = catalog.price(&embedding.price).ok()?;
                sheet.row_near(first)?.0.standard.input_usd_per_mtok
            }),
        })
        .collect();
    let plans = draft
        .plans
        .iter()
        .map(|plan| plan_facts(plan, draft, &use_cases, catalog, &months, found))
        .collect::<Option<Vec<_>>>()?;
    Some(Facts { months, profiles: profiles(&use_cases), use_cases, plans, week_shape: OnceLock::new() })
}

fn plan_facts(
    plan: &Plan<Estimate>,
    draft: &ScenarioDraft,
    use_cases: &[UseCaseFacts],
    catalog: &Catalog,
    months: &[Date],
    found: &mut Problems,
) -> Option<PlanFacts> {
    let mut endpoints = Vec::with_capacity(plan.endpoints.len());
    for endpoint in &plan.endpoints {
        let path = format!("plans.{}.endpoints.{}", plan.id, endpoint.id);
        endpoints.push(match &endpoint.serves {
            Serves::Api(api) => EndpointFacts::Api(api_facts(
                endpoint,
                api,
                catalog,
                months,
                (use_cases, draft.settings.utc_offset_hours),
                &path,
                found,
            )),
            Serves::SelfHosted(own) => {
                let model = catalog.model(&own.deployment.model).ok()?;
                let gpu = catalog.gpu(&own.deployment.gpu).ok()?;
                EndpointFacts::Own(Box::new(OwnFacts {
                    model: ModelFacts::from_spec(model),
                    gpu: GpuFacts::from_spec(gpu),
                    model_name: model.name.clone(),
                    gpu_name: gpu.name.clone(),
                }))
            }
        });
    }
    let routes = use_cases
        .iter()
        .map(|facts| {
            let id = &draft.workload.use_cases[facts.position].id;
            let exception = plan.routes.iter().position(|route| route.use_case == *id);
            let router = exception.map_or(&plan.router, |position| &plan.routes[position].router);
            Some(RouteFacts { exception, tiers: tiers(router, plan)? })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(PlanFacts { endpoints, routes })
}

fn api_facts(
    endpoint: &Endpoint<Estimate>,
    api: &Api<Estimate>,
    catalog: &Catalog,
    months: &[Date],
    (use_cases, ahead): (&[UseCaseFacts], i32),
    path: &str,
    found: &mut Problems,
) -> ApiFacts {
    let Ok(sheet) = catalog.price(&api.price) else {
        // Prices of the user's own need no sheet.
        return ApiFacts {
            rates: Vec::new(),
            rates_of_month: vec![None; months.len()],
            one_row: true,
            cache_min_tokens: 0.0,
            name: endpoint.name.clone(),
            hour_factors: Vec::new(),
        };
    };
    let ttl_secs = match &endpoint.prompt_cache {
        PromptCache::Derived(ttl) => ttl.ttl_secs.point(),
        PromptCache::Off | PromptCache::Given(_) => 0.0,
    };
    let mut outdated = None;
    let rates_of_month: Vec<Option<usize>> = months
        .iter()
        .map(|day| {
            let (row, fit) = sheet.row_near(*day)?;
            if fit == RowFit::Outdated {
                outdated.get_or_insert(*day);
            }
            sheet.rows.iter().position(|candidate| std::ptr::eq(candidate, row))
        })
        .collect();
    if let (Some(day), None) = (outdated, &api.custom) {
        found.warn(
            format!("{path}.serves.price"),
            format!("no price of {} is known for {day}; the nearest known one is used", sheet.name),
            "check the vendor's page, or give prices of your own",
        );
    }
    if api.custom.is_none() && !sheet.rows.iter().all(|row| row.offers(api.tier)) {
        found.warn(
            format!("{path}.serves.tier"),
            format!("{} is not priced at the {:?} tier", sheet.name, api.tier),
            "choose another tier, or give prices of your own",
        );
    }
    ApiFacts {
        rates: sheet.rows.iter().map(|row| Rates::from_row(row, api.tier, ttl_secs)).collect(),
        one_row: rates_of_month.windows(2).all(|pair| pair[0] == pair[1]),
        rates_of_month,
        cache_min_tokens: sheet.cache_min_tokens.map_or(0.0, |tokens| tokens as f64),
        name: sheet.name.clone(),
        hour_factors: sheet.rows.iter().map(|row| hour_factors(row, use_cases, ahead)).collect(),
    }
}

/// Mean factor on the token rates over the week of each use case, whose clock is `ahead` hours ahead of UTC; nothing
/// where all hours cost the same.
fn hour_factors(row: &PriceRow, use_cases: &[UseCaseFacts], ahead: i32) -> Vec<f64> {
    let Some(off_peak) = &row.off_peak else { return Vec::new() };
    let mean = |weights: &[f64; HOURS_PER_WEEK]| {
        let in_utc = |hour: i32| (hour - ahead).rem_euclid(HOURS_PER_WEEK as i32) as usize;
        weights.iter().zip(0..).map(|(weight, hour)| weight * off_peak.factor_at(in_utc(hour))).sum()
    };
    use_cases.iter().map(|use_case| mean(&use_case.weights)).collect()
}

fn tiers(router: &Router<Estimate>, plan: &Plan<Estimate>) -> Option<Vec<usize>> {
    let position = |id: &String| plan.endpoints.iter().position(|endpoint| endpoint.id == *id);
    match router {
        Router::Single(id) => Some(vec![position(id)?]),
        Router::Split(split) => split.shares.iter().map(|share| position(&share.endpoint)).collect(),
        Router::Cascade(cascade) => cascade.steps.iter().map(|step| position(&step.endpoint)).collect(),
        Router::Overflow(overflow) => Some(vec![position(&overflow.primary)?, position(&overflow.fallback)?]),
    }
}
