//! Preferences: how the window looks. Lenient, and may be lost: what cannot be read is put aside and said.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::action::ThemeChoice;

/// Scenario files that are remembered.
const RECENT_MAX: usize = 12;

/// Smallest and largest zoom.
pub const ZOOM: std::ops::RangeInclusive<f32> = 0.6..=2.5;

/// Smallest size of the window, points.
pub const WINDOW_MIN: [f32; 2] = [640.0, 420.0];

/// How the window looks. A missing field has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prefs {
    /// Light or dark.
    pub theme: ThemeChoice,
    /// Size of everything, 1 is usual.
    pub zoom: f32,
    /// Inner size of the window, points.
    pub window: [f32; 2],
    /// Whether the window fills the screen.
    pub maximized: bool,
    /// Whether the pages at the left are shown.
    pub navigation: bool,
    /// Whether the inputs at the right are shown.
    pub inspector: bool,
    /// Width of the pages at the left, points.
    pub navigation_width: f32,
    /// Width of the inputs at the right, points.
    pub inspector_width: f32,
    /// Scenario files that were open, latest first.
    pub recent: Vec<PathBuf>,
    /// The file that was open when the window closed.
    pub last: Option<PathBuf>,
}

impl Default for Prefs {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::System,
            zoom: 1.0,
            window: [1280.0, 800.0],
            maximized: false,
            navigation: true,
            inspector: true,
            navigation_width: 168.0,
            inspector_width: 292.0,
            recent: Vec::new(),
            last: None,
        }
    }
}

/// Preferences that could not be read, and where they are now.
#[derive(Debug, thiserror::Error)]
#[error("Cannot read the preferences, the usual ones are used: {reason}; the file was kept as {}", .kept.display())]
pub struct PrefsLost {
    /// Why.
    pub reason: String,
    /// The file as it was.
    pub kept: PathBuf,
}

impl Prefs {
    /// Reads them; a missing file gives the defaults.
    ///
    /// - Returns what was wrong with the file beside the preferences, if something was.
    #[must_use]
    pub fn read(path: &Path) -> (Self, Option<PrefsLost>) {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => {
                let lost = PrefsLost { reason: error.to_string(), kept: path.to_owned() };
                return (Self::default(), Some(lost));
            }
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(prefs) => (prefs.within_reason(), None),
            Err(error) => {
                let aside = path.with_extension("json.broken");
                let kept = if fs::rename(path, &aside).is_ok() { aside } else { path.to_owned() };
                (Self::default(), Some(PrefsLost { reason: error.to_string(), kept }))
            }
        }
    }

    /// Writes them, whole or not at all.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.persist(path)?;
        Ok(())
    }

    /// Puts a file at the head of the recent ones.
    pub fn remember(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.recent.retain(|known| *known != path);
        self.recent.insert(0, path);
        self.recent.truncate(RECENT_MAX);
    }

    /// Numbers that a window can have.
    fn within_reason(mut self) -> Self {
        let usual = Self::default();
        let sane = |value: f32, low: f32, high: f32, usual: f32| {
            if value.is_finite() { value.clamp(low, high) } else { usual }
        };
        self.zoom = sane(self.zoom, *ZOOM.start(), *ZOOM.end(), usual.zoom);
        for ((size, least), usual) in self.window.iter_mut().zip(WINDOW_MIN).zip(usual.window) {
            *size = sane(*size, least, 16_384.0, usual);
        }
        self.navigation_width = sane(self.navigation_width, 120.0, 400.0, usual.navigation_width);
        self.inspector_width = sane(self.inspector_width, 264.0, 640.0, usual.inspector_width);
        self.recent.truncate(RECENT_MAX);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/preferences.json");
        let mut prefs = Prefs { zoom: 1.25, theme: ThemeChoice::Dark, ..Prefs::default() };
        prefs.remember(Path::new("/a.ron"));
        prefs.write(&path).unwrap();
        let (read, lost) = Prefs::read(&path);
        assert_eq!(read, prefs);
        assert!(lost.is_none());
    }

    #[test]
    fn a_broken_file_is_put_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.json");
        fs::write(&path, b"{\"zoom\": \xff").unwrap();
        let (prefs, lost) = Prefs::read(&path);
        assert_eq!(prefs, Prefs::default());
        assert!(
            lost.is_some_and(|lost| lost.kept.ends_with("preferences.json.broken") && lost.kept.exists())
        );
        assert!(!path.exists());
    }

    #[test]
    fn unknown_fields_are_skipped_and_absurd_numbers_tamed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.json");
        fs::write(&path, r#"{"zoom": 1e9, "window": [0, -4], "later": true}"#).unwrap();
        let (prefs, lost) = Prefs::read(&path);
        assert!(lost.is_none());
        assert_eq!(prefs.zoom, *ZOOM.end());
        assert_eq!(prefs.window, WINDOW_MIN);
    }

    #[test]
    fn a_file_is_remembered_once_and_the_latest_first() {
        let mut prefs = Prefs::default();
        for name in ["/a.ron", "/b.ron", "/a.ron"] {
            prefs.remember(Path::new(name));
        }
        assert_eq!(prefs.recent, [PathBuf::from("/a.ron"), PathBuf::from("/b.ron")]);
    }
}
