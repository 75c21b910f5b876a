//! Replacing a file as a whole: who looks sees the old one or the new one, never a half.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::scenario::ScenarioDraft;

use super::{ScenarioFileError, parse, to_text};

/// Why a file was not saved; the old one is as it was.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The draft would make a file that cannot be read again (a number that is not finite).
    #[error("it would not be readable again: {0}")]
    Unreadable(ScenarioFileError),
    /// The disk says no.
    #[error("cannot {step} {}: {source}; the old file is unchanged", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes a scenario to the disk in place of what is there.
///
/// # Errors
/// [`SaveError`]; whatever the path held before is then still there, whole.
pub fn save(path: &Path, draft: &ScenarioDraft) -> Result<(), SaveError> {
    let text = to_text(draft);
    parse(&text, &path.display().to_string()).map_err(SaveError::Unreadable)?;
    replace(path, |file| file.write_all(text.as_bytes()))
}

/// Replaces a file by what `write` writes: into a new file beside it, to the disk, and only then over the old one.
///
/// A link is followed; the permissions of an old file are kept.
///
/// # Errors
/// [`SaveError::Io`]; the old file is then still there, whole.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), SaveError> {
    let mut new = Replacement::beside(path)?;
    let written = write(new.file());
    written.map_err(|source| SaveError::Io { step: "write", path: new.path.clone(), source })?;
    new.finish()
}

/// A new file beside an old one, which it replaces as a whole once it is finished; dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    folder: PathBuf,
    file: tempfile::NamedTempFile,
}

impl Replacement {
    /// An empty file beside `path`, where there may be a file or none.
    ///
    /// # Errors
    /// [`SaveError::Io`].
    pub fn beside(path: &Path) -> Result<Self, SaveError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".breakeven-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // Less the user's mask, as for any new file; the crate's own default is private to the user.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(&folder).map_err(|source| SaveError::Io {
            step: "create a file beside",
            path: path.clone(),
            source,
        })?;
        Ok(Self { path, folder, file })
    }

    /// The file that is replaced, links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The new file.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts the new file in place of the old one, once it is on the disk.
    ///
    /// # Errors
    /// [`SaveError::Io`]; the old file is then still there, whole.
    pub fn finish(self) -> Result<(), SaveError> {
        let Self { path, folder, file } = self;
        let fail = |step| {
            let path = path.clone();
            move |source| SaveError::Io { step, path, source }
        };
        if let Ok(old) = fs::metadata(&path) {
            file.as_file().set_permissions(old.permissions()).map_err(fail("set the permissions of"))?;
        }
        file.as_file().sync_all().map_err(fail("write"))?;
        file.persist(&path).map_err(|error| fail("replace")(error.error))?;
        // The new name is on the disk only when its folder is; not every system lets a folder be opened.
        if let Ok(folder) = File::open(&folder) {
            folder.sync_all().map_err(fail("write the folder of"))?;
        }
        Ok(())
    }
}
