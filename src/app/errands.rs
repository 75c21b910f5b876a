//! Slow things that a page asks for: counting the tokens of a text, fitting a use case to a trace.

use crate::job::{JobEvent, Lane};
use crate::tokenizer::{Encoding, Tokenizer};

use super::live::Where;
use super::notice::Notices;
use super::view::Errands;

/// What comes back from counting: the tag and the tokens, or why not.
type Counted = (String, Result<u64, String>);

/// Runs errands and keeps their answers.
pub struct ErrandRunner {
    counts: Lane<Counted>,
    answers: Errands,
}

impl ErrandRunner {
    /// `notify` is called when an answer is there.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Send + Sync + 'static) -> Self {
        let counts = match place {
            Where::Threads => Lane::new("errands", notify),
            Where::Inline => Lane::inline(),
        };
        Self { counts, answers: Errands::default() }
    }

    /// Counts the tokens of a text; a newer text replaces one that waits.
    ///
    /// - `encoding`: `o200k_base`, `cl100k_base`, or the path of a `tokenizer.json`.
    pub fn count(&mut self, tag: String, text: String, encoding: &str) {
        let encoding = Encoding::BUILT_IN
            .into_iter()
            .find(|known| known.name() == encoding)
            .unwrap_or_else(|| Encoding::HuggingFace(encoding.into()));
        self.counts.submit(0, move |_| {
            let count = Tokenizer::load(&encoding).and_then(|tokenizer| tokenizer.count(&text));
            Ok((tag, count.map(|tokens| tokens as u64).map_err(|error| error.to_string())))
        });
    }

    /// Takes what is done.
    pub fn poll(&mut self, notices: &mut Notices) {
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
        self.answers.busy = self.counts.is_busy();
    }

    /// What came back.
    #[must_use]
    pub const fn answers(&self) -> &Errands {
        &self.answers
    }
}
