//! The search for the best deployment, off the UI thread.

use std::sync::Arc;

use super::live::Where;
use crate::analysis::sizing::{SizeAsk, Sizes, asked, hosted, size_watched};
use crate::catalog::Catalog;
use crate::job::{JobEvent, Lane, Progress};
use crate::scenario::Scenario;
use crate::serving::{Calibration, Engine};

/// What is wished, beside the scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeWish {
    /// Catalogue id of the model; every model that the scenario hosts itself if not given.
    pub model: Option<String>,
    /// Engine.
    pub engine: Engine,
    /// Capacity kept free above the peak, as a share.
    pub headroom: f64,
    /// Time to first token to keep, in seconds; the tightest of the use cases if not given.
    pub ttft_secs: Option<f64>,
    /// Time per output token to keep, in seconds; the tightest of the use cases if not given.
    pub tpot_secs: Option<f64>,
}

/// The last search.
#[derive(Debug, Default)]
pub struct Sizing {
    /// What was wished last, and for which revision of the document.
    pub asked: Option<(u64, SizeWish)>,
    /// What was found, or why nothing could be searched for.
    pub result: Option<Result<Arc<Sizes>, String>>,
    /// How far a search is that is under way.
    pub progress: Option<Progress>,
    /// Whether the last search was stopped before its end.
    pub stopped: bool,
}

/// Runs searches: one at a time, the newest wish last.
pub struct Sizer {
    lane: Lane<Arc<Sizes>>,
}

impl Sizer {
    /// `notify` is called when an answer is there.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Send + Sync + 'static) -> Self {
        let lane = match place {
            Where::Threads => Lane::new("size", notify),
            Where::Inline => Lane::inline(),
        };
        Self { lane }
    }

    /// Starts a search.
    pub fn search(
        &self,
        wish: SizeWish,
        revision: u64,
        scenario: Option<Arc<Scenario>>,
        catalog: Catalog,
        calibration: &Arc<Calibration>,
        answer: &mut Sizing,
    ) {
        answer.asked = Some((revision, wish.clone()));
        answer.stopped = false;
        let Some(scenario) = scenario else {
            answer.result =
                Some(Err("The scenario cannot be computed yet; see what is wrong with it.".to_owned()));
            return;
        };
        let calibration = Arc::clone(calibration);
        self.lane.submit(revision, move |ctl| {
            let models = match &wish.model {
                Some(id) => {
                    let own = hosted(&scenario, &catalog).into_iter().find(|(model, _)| model.id == *id);
                    vec![match own {
                        Some(known) => known,
                        None => (catalog.model(id)?.clone(), 1.0),
                    }]
                }
                None => hosted(&scenario, &catalog),
            };
            let of = asked(&scenario, wish.engine, wish.headroom);
            let ask = SizeAsk {
                ttft_secs: wish.ttft_secs.unwrap_or(of.ttft_secs),
                tpot_secs: wish.tpot_secs.unwrap_or(of.tpot_secs),
                ..of
            };
            let sizes = size_watched(&models, &ask, &catalog, &calibration, &mut |done, all| {
                ctl.progress(done as u64, all as u64, "kinds of GPU searched");
                !ctl.should_stop()
            })?;
            Ok(Arc::new(sizes))
        });
    }

    /// How far the search is.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.lane.progress().map(|(_, progress)| progress)
    }

    /// Stops the search.
    pub fn stop(&self) {
        self.lane.cancel();
    }

    /// Takes what is done.
    pub fn poll(&self, answer: &mut Sizing) {
        for (_, event) in self.lane.poll() {
            match event {
                JobEvent::Done(sizes) => answer.result = Some(Ok(sizes)),
                JobEvent::Failed(error) => answer.result = Some(Err(error.to_string())),
                JobEvent::Panicked(message) => {
                    answer.result = Some(Err(format!("The search broke off: {message}")));
                }
                JobEvent::Cancelled => answer.stopped = true,
                JobEvent::Partial(_) => {}
            }
        }
        answer.progress = self.progress();
    }
}
