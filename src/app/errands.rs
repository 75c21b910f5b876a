//! Slow things that a page asks for: counting the tokens of a text, fitting a use case to a trace.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::io::trace;
use crate::job::{JobEvent, Lane, Progress};
use crate::scenario::Scenario;
use crate::serving::Calibration;
use crate::tokenizer::{Encoding, LengthSummary, Split, Tokenizer};
use crate::workload::fit::{self, TraceFit};

use super::live::Where;
use super::notice::Notices;
use super::readings::Reader;
use super::sizing::{SizeWish, Sizer};
use super::view::Errands;

/// What comes back from counting: the tag and the lengths, or why not.
type Counted = (String, Result<LengthSummary, String>);

/// A use case's id, the trace it follows, and what the trace says.
pub struct Fitted {
    /// Id of the use case.
    pub use_case: String,
    /// The trace.
    pub path: PathBuf,
    /// What it says.
    pub fit: TraceFit,
}

/// Runs errands and keeps their answers.
pub struct ErrandRunner {
    counts: Lane<Counted>,
    fits: Lane<Fitted>,
    reader: Reader,
    sizer: Sizer,
    answers: Errands,
}

impl ErrandRunner {
    /// `notify` is called when an answer is there.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        let reader = Reader::new(place, notify.clone());
        let sizer = Sizer::new(place, notify.clone());
        let (counts, fits) = match place {
            Where::Threads => (Lane::new("tokens", notify.clone()), Lane::new("trace", notify)),
            Where::Inline => (Lane::inline(), Lane::inline()),
        };
        Self { counts, fits, reader, sizer, answers: Errands::default() }
    }

    /// Counts the tokens of a text; a newer text replaces one that waits.
    ///
    /// - `encoding`: `o200k_base`, `cl100k_base`, or the path of a `tokenizer.json`.
    pub fn count(&mut self, tag: String, text: String, encoding: &str, split: Split) {
        let encoding = Encoding::BUILT_IN
            .into_iter()
            .find(|known| known.name() == encoding)
            .unwrap_or_else(|| Encoding::HuggingFace(encoding.into()));
        self.counts.submit(0, move |_| {
            let count =
                Tokenizer::load(&encoding).and_then(|tokenizer| tokenizer.summary(split.parts(&text)));
            let lengths = match count {
                Ok(Some(lengths)) => Ok(lengths),
                Ok(None) => Err("there is no text to count".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            Ok((tag, lengths))
        });
    }

    /// Reads a trace and fits lengths and arrivals to it.
    pub fn fit(&mut self, use_case: String, path: PathBuf) {
        self.fits.submit(0, move |ctl| {
            ctl.progress(0, 0, "reading the trace");
            let trace = trace::read_watched(&path, &mut |_| {
                if ctl.should_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            ctl.check_stop()?;
            ctl.progress(0, 0, "fitting the trace");
            let fit = fit::fit(&trace)?;
            Ok(Fitted { use_case, path, fit })
        });
    }

    /// What is being done, for the status bar.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.fits
            .progress()
            .map(|(_, progress)| progress)
            .or_else(|| self.reader.progress())
            .or_else(|| self.sizer.progress())
    }

    /// Reads the `config.json` of a model.
    pub fn read_config(&self, path: PathBuf) {
        self.reader.read_config(path);
    }

    /// Reads published bandwidths.
    pub fn read_bandwidths(&self, path: PathBuf) {
        self.reader.read_bandwidths(path);
    }

    /// Holds the serving model against the measurements of a folder.
    pub fn study(&mut self, folder: PathBuf, calibration: Arc<Calibration>) {
        self.reader.study(folder, calibration, &mut self.answers.readings);
    }

    /// Searches the best deployment for a scenario.
    pub fn size(
        &mut self,
        wish: SizeWish,
        revision: u64,
        scenario: Option<Arc<Scenario>>,
        catalog: Catalog,
        calibration: &Arc<Calibration>,
    ) {
        self.sizer.search(wish, revision, scenario, catalog, calibration, &mut self.answers.sizing);
    }

    /// Stops reading a trace or measurements, or searching.
    pub fn stop(&self) {
        self.fits.cancel();
        self.reader.stop();
        self.sizer.stop();
    }

    /// Forgets the trace of a use case.
    pub fn forget_fit(&mut self, use_case: &str) {
        self.answers.fits.remove(use_case);
    }

    /// Forgets everything about a document that is left.
    pub fn forget(&mut self) {
        self.fits.cancel();
        self.counts.cancel();
        self.answers.fits.clear();
        self.answers.tokens.clear();
    }

    /// Takes what is done.
    ///
    /// - Returns a fit that has just been made.
    pub fn poll(&mut self, notices: &mut Notices) -> Option<Fitted> {
        for (_, event) in self.counts.poll() {
            match event {
                JobEvent::Done((tag, count)) => {
                    self.answers.tokens.insert(tag, count);
                }
                JobEvent::Failed(error) => notices.error("The text could not be counted", error.to_string()),
                JobEvent::Panicked(message) => notices.error("Counting the text broke off", message),
                JobEvent::Partial(_) | JobEvent::Cancelled => {}
            }
        }
        let mut fitted = None;
        for (_, event) in self.fits.poll() {
            match event {
                JobEvent::Done(done) => {
                    self.answers.fits.insert(done.use_case.clone(), (done.path.clone(), done.fit.clone()));
                    fitted = Some(done);
                }
                JobEvent::Failed(error) => notices.error("Cannot fit to the trace", error.to_string()),
                JobEvent::Panicked(message) => notices.error("Fitting to the trace broke off", message),
                JobEvent::Partial(_) | JobEvent::Cancelled => {}
            }
        }
        self.reader.poll(&mut self.answers.readings);
        self.sizer.poll(&mut self.answers.sizing);
        self.answers.busy = self.counts.is_busy() || self.fits.is_busy();
        fitted
    }

    /// What came back.
    #[must_use]
    pub const fn answers(&self) -> &Errands {
        &self.answers
    }
}
