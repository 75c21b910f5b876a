//! The user's own catalogue rows: `catalog.ron` in the configuration folder, over what ships.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::catalog::{Catalog, CatalogError};

/// Largest overlay that is read, in bytes: several times what ships.
pub const BYTES_MAX: u64 = 8_000_000;

/// Why the user's rows could not be used.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// The disk says no, or it is not text.
    #[error("Cannot read your catalogue ({source}); correct or remove {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Above [`BYTES_MAX`].
    #[error("Your catalogue is larger than {} MB; shorten {}", BYTES_MAX / 1_000_000, path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Rows that are wrong.
    #[error(transparent)]
    Rows(#[from] CatalogError),
}

/// Where the user's rows are looked for; `None` on a system without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "breakeven")?;
    Some(folders.config_dir().join("catalog.ron"))
}

/// What ships with the user's rows over it; what ships alone if there are none.
///
/// # Errors
/// [`OverlayError`] names the file and what is wrong in it.
pub fn catalog() -> Result<Catalog, OverlayError> {
    match path() {
        Some(path) if path.exists() => read(Catalog::shipped(), &path),
        _ => Ok(Catalog::shipped().clone()),
    }
}

/// A catalogue with the rows of a file over it.
///
/// # Errors
/// As [`catalog`].
pub fn read(base: &Catalog, path: &Path) -> Result<Catalog, OverlayError> {
    let unreadable = |source| OverlayError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(OverlayError::TooLarge { path: path.to_owned() });
    }
    Ok(base.with_overlay(&text, &path.display().to_string())?)
}
