//! What the user keeps in the configuration folder: catalogue rows over what ships (`catalog.ron`), constants of the
//! serving model in place of those that ship (`calibration.ron`).

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::scenario::{SaveError, replace};
use crate::catalog::{Catalog, CatalogError, CatalogFile, GpuSpec, SCHEMA};
use crate::serving::{Calibration, CalibrationError};

/// Largest overlay that is read, in bytes: several times what ships.
pub const BYTES_MAX: u64 = 8_000_000;

/// Why the user's rows could not be used.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// The disk says no, or it is not text.
    #[error("Cannot read {} ({source}); correct or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Above [`BYTES_MAX`].
    #[error("{} is larger than {} MB; shorten it", path.display(), BYTES_MAX / 1_000_000)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Rows that are wrong.
    #[error(transparent)]
    Rows(#[from] CatalogError),
    /// The file cannot be replaced.
    #[error("Cannot write your catalogue\n{0}")]
    Save(#[from] SaveError),
    /// A row has no text form, which no number that passed a check has.
    #[error("Cannot write your catalogue: {0}")]
    Text(#[from] ron::Error),
    /// Constants that are wrong.
    #[error("{0}; correct it, fit it again with `breakeven calibrate`, or remove it")]
    Constants(#[from] CalibrationError),
}

/// Where the user's rows are looked for; `None` on a system without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    Some(folder()?.join("catalog.ron"))
}

/// Where the user's constants of the serving model are looked for; `None` on a system without a home.
#[must_use]
pub fn calibration_path() -> Option<PathBuf> {
    Some(folder()?.join(CALIBRATION))
}

/// Name of the file of constants in the configuration folder.
pub const CALIBRATION: &str = "calibration.ron";

fn folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "breakeven")?.config_dir().to_owned())
}

/// The user's constants of the serving model; what ships if there are none.
///
/// # Errors
/// [`OverlayError`] names the file and what is wrong in it.
pub fn calibration() -> Result<Calibration, OverlayError> {
    match calibration_path() {
        Some(path) if path.exists() => read_calibration(&path),
        _ => Ok(Calibration::shipped().clone()),
    }
}

/// The constants of a file.
///
/// # Errors
/// As [`calibration`].
pub fn read_calibration(path: &Path) -> Result<Calibration, OverlayError> {
    let text = text(path)?;
    Ok(Calibration::parse(&text, &path.display().to_string())?)
}

/// Writes constants to where every command and the window find them; the file is replaced whole or not at all.
///
/// - Returns where that is.
///
/// # Errors
/// What the disk says, or that there is no home.
pub fn install_calibration(calibration: &Calibration) -> io::Result<PathBuf> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "this system has no configuration folder");
    let path = calibration_path().ok_or_else(none)?;
    let folder = path.parent().ok_or_else(none)?;
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(calibration.to_text().as_bytes())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
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
    Ok(base.with_overlay(&text(path)?, &path.display().to_string())?)
}

/// The text of a file that is not too large.
fn text(path: &Path) -> Result<String, OverlayError> {
    let unreadable = |source| OverlayError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(OverlayError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

fn text_of(file: &CatalogFile) -> Result<String, OverlayError> {
    let style = ron::ser::PrettyConfig::new().extensions(ron::extensions::Extensions::IMPLICIT_SOME);
    Ok(ron::ser::to_string_pretty(file, style)?)
}

fn only(gpus: Vec<GpuSpec>) -> CatalogFile {
    CatalogFile { schema: SCHEMA, gpus, models: Vec::new(), prices: Vec::new(), rates: Vec::new() }
}

/// A catalogue with one more accelerator, or with another in the place of the one with its id.
///
/// # Errors
/// [`OverlayError::Rows`] if the row is wrong.
pub fn with_gpu(base: &Catalog, row: GpuSpec) -> Result<Catalog, OverlayError> {
    Ok(base.with_overlay(&text_of(&only(vec![row]))?, "the measured device")?)
}

/// Adds an accelerator to the user's file, or replaces the one with its id; returns the whole catalogue.
///
/// The file is written anew, without comments; the one before is kept beside it as `catalog.ron.before`.
///
/// # Errors
/// As [`catalog`], and [`OverlayError::Save`]; the old file is then still there, whole.
pub fn add_gpu(path: &Path, row: GpuSpec) -> Result<Catalog, OverlayError> {
    let unreadable = |source| OverlayError::Unreadable { path: path.to_owned(), source };
    let name = path.display().to_string();
    let mut file = if path.exists() {
        // Checked as a whole first, so that a file that is wrong is not made to look right.
        read(Catalog::shipped(), path)?;
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        std::fs::copy(path, path.with_extension("ron.before")).map_err(unreadable)?;
        CatalogFile::from_ron(&text, &name)?
    } else {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unreadable)?;
        }
        only(Vec::new())
    };
    match file.gpus.iter_mut().find(|known| known.id == row.id) {
        Some(known) => *known = row,
        None => file.gpus.push(row),
    }
    let text = text_of(&file)?;
    let catalog = Catalog::shipped().with_overlay(&text, &name)?;
    replace(path, |file| io::Write::write_all(file, text.as_bytes()))?;
    Ok(catalog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accelerator_is_added_and_replaced_and_the_file_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breakeven/catalog.ron");
        let mut row = Catalog::shipped().gpus[0].clone();
        row.id = "mine".to_owned();
        let count = Catalog::shipped().gpus.len() + 1;
        assert_eq!(add_gpu(&path, row.clone()).unwrap().gpus.len(), count);
        row.bandwidth_bytes_per_s *= 0.5;
        let catalog = add_gpu(&path, row.clone()).unwrap();
        assert_eq!((catalog.gpus.len(), catalog.gpu("mine").unwrap()), (count, &row));
        assert!(path.with_extension("ron.before").exists());
        assert_eq!(read(Catalog::shipped(), &path).unwrap().gpu("mine").unwrap(), &row);
    }

    #[test]
    fn a_file_that_is_wrong_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.ron");
        std::fs::write(&path, "(schema: 1, gpus: [").unwrap();
        assert!(add_gpu(&path, Catalog::shipped().gpus[0].clone()).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "(schema: 1, gpus: [");
    }
}
