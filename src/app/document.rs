//! The document: the draft that the form edits, its history, and the file it belongs to.
//!
//! The form changes [`Document::draft`] in place, as often as it likes. [`Document::observe`] looks once a frame: a
//! changed draft is a new revision (what results answer to); a draft that has come to rest is a step of the history.
//! So a whole drag of a slider is one undo step, and results follow it all the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::scenario::ScenarioDraft;

/// Steps that are kept; the oldest is forgotten first. A step is a few kilobytes.
const UNDO_STEPS_MAX: usize = 500;

/// Where a document came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Begun empty.
    New,
    /// A worked example, by id.
    Example(String),
    /// A file.
    File(PathBuf),
    /// Unsaved work of a session that ended without a word; the file it belonged to, if any.
    Recovered(Option<PathBuf>),
}

/// The draft with its history.
#[derive(Debug)]
pub struct Document {
    /// What the form edits; may be wrong.
    pub draft: ScenarioDraft,
    /// The draft at the last revision.
    seen: Arc<ScenarioDraft>,
    /// The draft at the last step of the history.
    committed: Arc<ScenarioDraft>,
    undo: Vec<Arc<ScenarioDraft>>,
    redo: Vec<Arc<ScenarioDraft>>,
    revision: u64,
    /// What the file holds; none when there is no file, or it never held this document.
    saved: Option<Arc<ScenarioDraft>>,
    origin: Origin,
}

impl Document {
    /// A document that has just been opened. Recovered work counts as unsaved, everything else as saved or untouched.
    ///
    /// - `revision`: where to go on counting, so that results of an older document are never taken for this one's.
    #[must_use]
    pub fn new(draft: ScenarioDraft, origin: Origin, revision: u64) -> Self {
        let seen = Arc::new(draft.clone());
        let saved = if matches!(origin, Origin::Recovered(_)) { None } else { Some(Arc::clone(&seen)) };
        Self {
            draft,
            committed: Arc::clone(&seen),
            seen,
            undo: Vec::new(),
            redo: Vec::new(),
            revision,
            saved,
            origin,
        }
    }

    /// Looks at the draft, once a frame.
    ///
    /// - `at_rest`: whether nothing is being dragged or typed; only then is a step of the history made.
    /// - Returns whether there is a new revision.
    pub fn observe(&mut self, at_rest: bool) -> bool {
        let changed = *self.seen != self.draft;
        if changed {
            self.seen = Arc::new(self.draft.clone());
            self.revision += 1;
        }
        if at_rest {
            self.commit();
        }
        changed
    }

    /// Makes what was changed since the last step a step of its own.
    pub fn commit(&mut self) {
        if Arc::ptr_eq(&self.seen, &self.committed) {
            return;
        }
        if *self.seen == *self.committed {
            self.seen = Arc::clone(&self.committed);
            return;
        }
        self.undo.push(std::mem::replace(&mut self.committed, Arc::clone(&self.seen)));
        self.redo.clear();
        if self.undo.len() > UNDO_STEPS_MAX {
            self.undo.remove(0);
        }
    }

    /// Takes back the last step, or what was changed since. Returns whether there was one.
    pub fn undo(&mut self) -> bool {
        self.observe(true);
        let Some(before) = self.undo.pop() else { return false };
        self.redo.push(std::mem::replace(&mut self.committed, before));
        self.show_committed();
        true
    }

    /// Does the step again that was taken back last. Returns whether there was one.
    pub fn redo(&mut self) -> bool {
        self.observe(true);
        let Some(after) = self.redo.pop() else { return false };
        self.undo.push(std::mem::replace(&mut self.committed, after));
        self.show_committed();
        true
    }

    fn show_committed(&mut self) {
        self.seen = Arc::clone(&self.committed);
        self.draft = (*self.committed).clone();
        self.revision += 1;
    }

    /// Whether there is something to take back.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty() || !Arc::ptr_eq(&self.seen, &self.committed)
    }

    /// Whether there is something to do again.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty() && Arc::ptr_eq(&self.seen, &self.committed)
    }

    /// Counts the states of the draft.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The draft at the last revision, shared.
    #[must_use]
    pub fn snapshot(&self) -> Arc<ScenarioDraft> {
        Arc::clone(&self.seen)
    }

    /// Whether there is something that no file holds.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        match &self.saved {
            Some(saved) => !Arc::ptr_eq(saved, &self.seen) && **saved != *self.seen,
            None => true,
        }
    }

    /// Where it came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The file that `Save` writes, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) | Origin::Recovered(Some(path)) => Some(path),
            Origin::New | Origin::Example(_) | Origin::Recovered(None) => None,
        }
    }

    /// Remembers that `written` now stands in the file at `path`.
    pub fn saved_as(&mut self, path: PathBuf, written: Arc<ScenarioDraft>) {
        self.origin = Origin::File(path);
        self.saved = Some(written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document::new(ScenarioDraft::new("first"), Origin::New, 0)
    }

    fn rename(document: &mut Document, name: &str, at_rest: bool) {
        name.clone_into(&mut document.draft.name);
        document.observe(at_rest);
    }

    #[test]
    fn a_whole_drag_is_one_undo_step_and_every_frame_of_it_a_revision() {
        let mut document = document();
        for name in ["a", "b", "c"] {
            rename(&mut document, name, false);
        }
        document.observe(true);
        assert_eq!(document.revision(), 3);
        assert!(document.undo());
        assert_eq!(document.draft.name, "first");
        assert!(!document.can_undo());
    }

    #[test]
    fn undo_then_redo_restores_every_step_in_order() {
        let mut document = document();
        for name in ["a", "b", "c"] {
            rename(&mut document, name, true);
        }
        for name in ["b", "a", "first"] {
            assert!(document.undo());
            assert_eq!(document.draft.name, name);
        }
        assert!(!document.undo());
        for name in ["a", "b", "c"] {
            assert!(document.redo());
            assert_eq!(document.draft.name, name);
        }
        assert!(!document.redo());
    }

    #[test]
    fn undo_in_the_middle_of_an_edit_takes_back_that_edit() {
        let mut document = document();
        rename(&mut document, "half typed", false);
        assert!(document.undo());
        assert_eq!(document.draft.name, "first");
        assert!(document.redo());
        assert_eq!(document.draft.name, "half typed");
    }

    #[test]
    fn a_new_edit_forgets_what_was_taken_back() {
        let mut document = document();
        rename(&mut document, "a", true);
        document.undo();
        rename(&mut document, "b", true);
        assert!(!document.can_redo());
        assert!(!document.redo());
    }

    #[test]
    fn a_drag_that_ends_where_it_began_leaves_no_step() {
        let mut document = document();
        rename(&mut document, "away", false);
        rename(&mut document, "first", false);
        document.observe(true);
        assert!(!document.can_undo());
        assert!(!document.is_dirty());
    }

    #[test]
    fn a_document_is_dirty_exactly_while_its_file_holds_something_else() {
        let mut document = document();
        assert!(!document.is_dirty());
        rename(&mut document, "a", true);
        assert!(document.is_dirty());
        document.saved_as(PathBuf::from("a.ron"), document.snapshot());
        assert!(!document.is_dirty());
        document.undo();
        assert!(document.is_dirty());
        document.redo();
        assert!(!document.is_dirty());
    }

    #[test]
    fn recovered_work_counts_as_unsaved() {
        let document = Document::new(ScenarioDraft::new("lost"), Origin::Recovered(None), 7);
        assert!(document.is_dirty());
        assert_eq!(document.revision(), 7);
    }
}
