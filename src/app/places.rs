//! Where preferences, recovered work and the user's own catalogue live.

use std::path::PathBuf;

/// Folders; none where the system names no home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Preferences and the user's catalogue.
    pub config: Option<PathBuf>,
    /// Unsaved work.
    pub state: Option<PathBuf>,
}

impl Places {
    /// The folders that the system gives to this program.
    #[must_use]
    pub fn of_the_system() -> Self {
        let Some(dirs) = directories::ProjectDirs::from("", "", "breakeven") else { return Self::default() };
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
        Self { config: Some(dirs.config_dir().to_owned()), state: Some(state.to_owned()) }
    }

    /// The file of the preferences.
    #[must_use]
    pub fn preferences(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|folder| folder.join("preferences.json"))
    }

    /// The user's own rows of the catalogue.
    #[must_use]
    pub fn catalog(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|folder| folder.join("catalog.ron"))
    }

    /// The folder of measurements.
    #[must_use]
    pub fn measurements(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("bench"))
    }

    /// The user's own constants of the serving model.
    #[must_use]
    pub fn calibration(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|folder| folder.join(crate::io::overlay::CALIBRATION))
    }

    /// The folder of unsaved work.
    #[must_use]
    pub fn recovery(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("unsaved"))
    }
}
