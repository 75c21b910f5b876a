//! The history of measurements: one file per device and driver in the state folder, and runs as JSON and CSV.
//!
//! A file is replaced whole, through a new one beside it. One that cannot be read is put aside under another name, and
//! said so; the history then begins anew.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bench::{Device, Kernel, Quantity, Run, SCHEMA};

use super::scenario::{SaveError, replace};

/// Runs that a file keeps; the oldest go first.
pub const RUNS_MAX: usize = 200;

/// Largest file that is read, in bytes.
const BYTES_MAX: u64 = 64_000_000;

/// A file of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    runs: Vec<Run>,
}

/// A history that could not be read, and where it is now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("The history {} could not be read ({why}); it was put aside as {}", path.display(), aside.display())]
pub struct Damaged {
    /// Where it was.
    pub path: PathBuf,
    /// Where it is.
    pub aside: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// Why a history cannot be kept.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The folder or a file in it cannot be used.
    #[error("Cannot use the history ({source}): {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A run cannot be written.
    #[error("Cannot keep the run\n{0}")]
    Save(#[from] SaveError),
    /// Another program measures.
    #[error(
        "Another measurement is running on this machine; two at once would measure each other. Wait for it, or stop it"
    )]
    Occupied,
}

/// Where histories are kept: `bench` in the state folder (the local data folder where a system has none); `None` on a
/// system without a home.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "breakeven")?;
    Some(folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).join("bench"))
}

fn file_of(folder: &Path, device: &Device) -> PathBuf {
    folder.join(format!("{}.json", device.key()))
}

/// The runs of a device and driver, oldest first, and what happened to a file that could not be read.
///
/// # Errors
/// [`HistoryError::Io`] where the disk says no.
pub fn read(folder: &Path, device: &Device) -> Result<(Vec<Run>, Option<Damaged>), HistoryError> {
    read_file(&file_of(folder, device))
}

/// Every run of every device, oldest first, and every file that could not be read.
///
/// # Errors
/// [`HistoryError::Io`] where the disk says no; a folder that is not there is an empty history.
pub fn read_all(folder: &Path) -> Result<(Vec<Run>, Vec<Damaged>), HistoryError> {
    let at = |source| HistoryError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        other => other.map_err(at)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(at)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    let (mut runs, mut damaged) = (Vec::new(), Vec::new());
    for file in files {
        let (found, wrong) = read_file(&file)?;
        runs.extend(found);
        damaged.extend(wrong);
    }
    runs.sort_by(|a: &Run, b: &Run| a.began.cmp(&b.began));
    Ok((runs, damaged))
}

fn read_file(path: &Path) -> Result<(Vec<Run>, Option<Damaged>), HistoryError> {
    let at = |source| HistoryError::Io { path: path.to_owned(), source };
    let size = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        other => other.map_err(at)?.len(),
    };
    let parsed = if size > BYTES_MAX {
        Err(format!("it has {} MB, more than {} MB", size / 1_000_000, BYTES_MAX / 1_000_000))
    } else {
        let bytes = fs::read(path).map_err(at)?;
        match serde_json::from_slice::<Kept>(&bytes) {
            Ok(kept) if kept.schema == SCHEMA => Ok(kept.runs),
            Ok(kept) => Err(format!("its schema is {}, this version reads {SCHEMA}", kept.schema)),
            Err(error) => Err(error.to_string()),
        }
    };
    match parsed {
        Ok(runs) => Ok((runs, None)),
        Err(why) => {
            let aside = free_name(path);
            fs::rename(path, &aside).map_err(at)?;
            Ok((Vec::new(), Some(Damaged { path: path.to_owned(), aside, why })))
        }
    }
}

/// A name beside a file that nothing has.
fn free_name(path: &Path) -> PathBuf {
    let name = |n: u32| {
        path.with_extension(if n == 1 { "json.damaged".to_owned() } else { format!("json.damaged-{n}") })
    };
    (1..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(1))
}

/// Adds a run to the history of its device.
///
/// # Errors
/// [`HistoryError`]; the old history is then still there, whole.
pub fn append(folder: &Path, run: &Run) -> Result<Option<Damaged>, HistoryError> {
    fs::create_dir_all(folder).map_err(|source| HistoryError::Io { path: folder.to_owned(), source })?;
    let (mut runs, damaged) = read(folder, &run.device)?;
    runs.push(run.clone());
    if runs.len() > RUNS_MAX {
        runs.drain(..runs.len() - RUNS_MAX);
    }
    let kept = Kept { schema: SCHEMA, runs };
    replace(&file_of(folder, &run.device), |file| {
        let mut writer = io::BufWriter::new(file);
        serde_json::to_writer(&mut writer, &kept).map_err(io::Error::from)?;
        writer.flush()
    })?;
    Ok(damaged)
}

/// The right to measure on this machine; given back when dropped.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

/// Takes the right to measure on this machine, so that two programs do not measure each other.
///
/// # Errors
/// [`HistoryError::Occupied`] while another program has it.
pub fn lock(folder: &Path) -> Result<MachineLock, HistoryError> {
    let path = folder.join("lock");
    let at = |source| HistoryError::Io { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(at)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(MachineLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(HistoryError::Occupied),
        Err(TryLockError::Error(source)) => Err(at(source)),
    }
}

/// The points of runs as a table: one line per point, units in the names of the columns.
#[must_use]
pub fn csv(runs: &[Run]) -> String {
    let mut text = String::from(
        "began,device,backend,driver,kernel,working_set_bytes,value,low,high,unit,samples,passes,clock,steady,variant\n",
    );
    for run in runs {
        let device = &run.device;
        for point in &run.points {
            let cells = [
                run.began.clone(),
                quoted(&device.name),
                quoted(&device.backend),
                quoted(&device.driver),
                point.kernel.id().to_owned(),
                point.working_set_bytes.to_string(),
                point.value.to_string(),
                point.low.to_string(),
                point.high.to_string(),
                unit(point.kernel).to_owned(),
                point.samples.to_string(),
                point.passes.to_string(),
                quoted(point.clock.label()),
                point.steady.to_string(),
                quoted(&point.variant),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    text
}

const fn unit(kernel: Kernel) -> &'static str {
    match kernel.quantity() {
        Quantity::Bandwidth => "bytes_per_s",
        Quantity::Compute => "flop_per_s",
        Quantity::Latency => "s",
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{End, Pace, Processor};

    fn run(began: &str) -> Run {
        Run {
            schema: SCHEMA,
            program: "0.1.0".to_owned(),
            began: began.to_owned(),
            secs: 1.0,
            pace: Pace::Quick,
            device: Processor::described(),
            points: Vec::new(),
            skipped: Vec::new(),
            flags: Vec::new(),
            end: End::Complete,
        }
    }

    #[test]
    fn runs_come_back_in_the_order_in_which_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        for began in ["2026-11-24T21:00:00Z", "2026-11-24T22:00:00Z"] {
            assert_eq!(append(folder.path(), &run(began)).unwrap(), None);
        }
        let (runs, damaged) = read(folder.path(), &Processor::described()).unwrap();
        assert_eq!((runs.len(), damaged), (2, None));
        assert!(runs[0].began < runs[1].began);
        assert_eq!(read_all(folder.path()).unwrap().0, runs);
    }

    #[test]
    fn a_damaged_history_is_explained_and_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_of(folder.path(), &Processor::described());
        for aside in ["json.damaged", "json.damaged-2"] {
            fs::write(&path, "{\"schema\": 1, \"runs\": [{").unwrap();
            let damaged = append(folder.path(), &run("2026-11-24T21:00:00Z")).unwrap().unwrap();
            assert!(damaged.aside.ends_with(path.with_extension(aside).file_name().unwrap()), "{damaged}");
            assert_eq!(fs::read_to_string(&damaged.aside).unwrap(), "{\"schema\": 1, \"runs\": [{");
            assert_eq!(read(folder.path(), &Processor::described()).unwrap().0.len(), 1);
        }
        let newer = format!("{{\"schema\": {}, \"runs\": []}}", SCHEMA + 1);
        fs::write(&path, newer).unwrap();
        let (_, damaged) = read(folder.path(), &Processor::described()).unwrap();
        assert!(damaged.unwrap().to_string().contains("schema"));
    }

    #[test]
    fn two_programs_do_not_measure_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(HistoryError::Occupied)));
        drop(held);
        assert!(lock(folder.path()).is_ok());
    }

    #[test]
    fn a_history_that_is_not_there_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_all(&folder.path().join("none")).unwrap(), (Vec::new(), Vec::new()));
    }
}
