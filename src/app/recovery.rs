//! Unsaved work that outlives a crash.
//!
//! While a document is dirty, a copy is written every few seconds in the background, together with a note of where
//! it belongs. A clean end removes both; what is left behind by a process that is gone is offered at the next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::io::scenario as file;
use crate::job::{JobEvent, Lane};
use crate::scenario::ScenarioDraft;

/// Time between copies of a document that keeps changing.
const EVERY: Duration = Duration::from_secs(4);

/// Where a copy belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Process that wrote it.
    process: u32,
    /// The file of the document, if it has one.
    path: Option<PathBuf>,
    /// Name of the scenario.
    name: String,
}

/// Unsaved work that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The copy.
    pub copy: PathBuf,
    /// The file it belongs to, if any.
    pub path: Option<PathBuf>,
    /// Name of the scenario.
    pub name: String,
    /// When it was written, if the system says.
    pub written: Option<std::time::SystemTime>,
}

/// Writes copies of unsaved work.
pub struct Autosave {
    folder: Option<PathBuf>,
    lane: Lane<()>,
    written: Option<Arc<ScenarioDraft>>,
    last: Option<Instant>,
}

impl Autosave {
    /// Copies go to `folder`; with none there are no copies.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, lane: Lane::new("autosave", || ()), written: None, last: None }
    }

    fn copy(folder: &Path) -> PathBuf {
        folder.join(format!("{}.ron", std::process::id()))
    }

    /// Writes a copy if it is time to.
    ///
    /// - Returns what went wrong with an earlier one, once, as a sentence's end.
    pub fn tick(&mut self, draft: &Arc<ScenarioDraft>, dirty: bool, path: Option<&Path>) -> Option<String> {
        let failure = self.lane.poll().into_iter().find_map(|(_, event)| match event {
            JobEvent::Failed(error) => Some(error.to_string()),
            JobEvent::Panicked(message) => Some(message),
            JobEvent::Partial(()) | JobEvent::Done(()) | JobEvent::Cancelled => None,
        });
        if !dirty {
            self.forget();
            return failure;
        }
        let same = self.written.as_ref().is_some_and(|written| Arc::ptr_eq(written, draft));
        let waited = self.last.is_none_or(|last| last.elapsed() >= EVERY);
        if let Some(folder) = self.folder.clone()
            && !same
            && waited
        {
            self.written = Some(Arc::clone(draft));
            self.last = Some(Instant::now());
            let note = Note {
                process: std::process::id(),
                path: path.map(Path::to_owned),
                name: draft.name.clone(),
            };
            let draft = Arc::clone(draft);
            self.lane.submit(0, move |_| Ok(write(&folder, &draft, &note)?));
        }
        failure
    }

    /// When the next copy is due, so that the window wakes for it; `None` when the copy is of this very draft: an idle
    /// window must not wake at all.
    #[must_use]
    pub fn due_in(&self, draft: &Arc<ScenarioDraft>) -> Option<Duration> {
        if self.written.as_ref().is_some_and(|written| Arc::ptr_eq(written, draft)) {
            return None;
        }
        let left = self.last.map_or(EVERY, |last| EVERY.saturating_sub(last.elapsed()));
        Some(left + Duration::from_millis(50))
    }

    /// Removes the copy: it was saved, or the user does not want it.
    pub fn forget(&mut self) {
        if self.written.take().is_none() {
            return;
        }
        self.lane.cancel();
        if let Some(folder) = self.folder.clone() {
            // On the same lane, so that a copy that is being written cannot come after.
            self.lane.submit(0, move |_| {
                discard(&Self::copy(&folder));
                Ok(())
            });
        }
    }

    /// [`Autosave::forget`] before the process ends.
    pub fn finish(mut self) {
        let folder = self.folder.take();
        drop(self.lane);
        if let Some(folder) = folder {
            discard(&Self::copy(&folder));
        }
    }
}

/// The copy could not be written.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Save(#[from] file::SaveError),
    #[error(transparent)]
    Note(#[from] serde_json::Error),
}

fn write(folder: &Path, draft: &ScenarioDraft, note: &Note) -> Result<(), CopyError> {
    fs::create_dir_all(folder)?;
    let copy = Autosave::copy(folder);
    fs::write(copy.with_extension("json"), serde_json::to_vec(note)?)?;
    file::save(&copy, draft)?;
    Ok(())
}

/// Removes a copy and its note.
pub fn discard(copy: &Path) {
    drop(fs::remove_file(copy));
    drop(fs::remove_file(copy.with_extension("json")));
}

/// Unsaved work of processes that are gone, latest first.
#[must_use]
pub fn find(folder: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Found> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .filter_map(|copy| {
            let note = fs::read(copy.with_extension("json")).ok()?;
            let Note { process, path, name } = serde_json::from_slice(&note).ok()?;
            let written = fs::metadata(&copy).and_then(|data| data.modified()).ok();
            (!is_alive(process)).then_some(Found { copy, path, name, written })
        })
        .collect();
    found.sort_by(|a, b| b.written.cmp(&a.written).then_with(|| a.copy.cmp(&b.copy)));
    found
}

/// Whether another process of this program has this number; where the system does not say, it is taken to be gone.
///
/// A number alone is not enough: it may be of an unrelated process by now, or of a dead one that nobody has buried.
fn is_alive(process: u32) -> bool {
    let stat = |process: &str| fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok();
    let (Some(other), Some(own)) = (stat(&process.to_string()), stat("self")) else { return false };
    process != std::process::id() && !is_dead(&other) && program(&other) == program(&own)
}

/// The name of the program in a line of `/proc/*/stat`, which stands in brackets and may itself hold some.
fn program(stat: &str) -> Option<&str> {
    stat.get(stat.find('(')? + 1..stat.rfind(')')?)
}

/// Whether the process has ended and only its entry is left.
fn is_dead(stat: &str) -> bool {
    let state = stat.rfind(')').and_then(|end| stat[end + 1..].trim_start().chars().next());
    matches!(state, Some('Z' | 'X') | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No system hands out this process number: Linux stops at 2²².
    const GONE: u32 = u32::MAX;

    #[test]
    fn work_of_a_process_that_is_gone_is_found_with_its_file_and_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let draft = ScenarioDraft::new("lost work");
        let note = Note { process: GONE, path: Some("/home/a.ron".into()), name: "lost work".to_owned() };
        write(folder.path(), &draft, &note).unwrap();
        let found = find(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, Some(PathBuf::from("/home/a.ron")));
        assert_eq!(file::read(&found[0].copy).unwrap(), draft);
        discard(&found[0].copy);
        assert!(find(folder.path()).is_empty());
    }

    #[test]
    fn a_dead_process_that_nobody_has_buried_counts_as_gone() {
        assert!(is_dead("42 (breakeven) Z 1 42"));
        assert!(!is_dead("42 (a) b) S 1 42"));
        assert_eq!(program("42 (a) b) S 1 42"), Some("a) b"));
    }

    #[test]
    fn garbage_in_the_folder_is_not_offered() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.ron"), "x").unwrap();
        fs::write(folder.path().join("2.json"), "{").unwrap();
        assert!(find(folder.path()).is_empty());
        assert!(find(&folder.path().join("absent")).is_empty());
    }

    #[test]
    fn an_idle_window_does_not_wake_for_a_copy_that_is_current() {
        let folder = tempfile::tempdir().unwrap();
        let mut autosave = Autosave::new(Some(folder.path().to_owned()));
        let (copied, changed) = (Arc::new(ScenarioDraft::new("a")), Arc::new(ScenarioDraft::new("b")));
        assert!(autosave.due_in(&copied).is_some());
        assert_eq!(autosave.tick(&copied, true, None), None);
        assert_eq!(autosave.due_in(&copied), None);
        assert!(autosave.due_in(&changed).is_some());
        autosave.finish();
    }

    #[test]
    fn a_clean_end_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut autosave = Autosave::new(Some(folder.path().to_owned()));
        assert_eq!(autosave.tick(&Arc::new(ScenarioDraft::new("a")), true, None), None);
        autosave.finish();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
