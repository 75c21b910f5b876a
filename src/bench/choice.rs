//! The devices of this machine that can be measured, in one list.

use thiserror::Error;

use super::result::Device;
use super::run::Backend;
use super::stream::{NoThreads, Processor};

/// A device that can be measured.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What it is.
    pub device: Device,
    #[cfg(feature = "gpu")]
    listed: Option<super::device::Listed>,
}

/// Why a device cannot be measured.
#[derive(Debug, Error)]
pub enum ChoiceError {
    /// The system gives no threads.
    #[error(transparent)]
    Threads(#[from] NoThreads),
    /// The driver gives no device.
    #[cfg(feature = "gpu")]
    #[error(transparent)]
    Open(#[from] super::device::OpenError),
}

/// Every adapter, fastest kind first, and the processor last. Drivers are loaded: some hundred milliseconds.
#[must_use]
pub fn choices() -> Vec<Choice> {
    let all = std::iter::once(Choice::processor());
    #[cfg(feature = "gpu")]
    let all = super::device::adapters()
        .into_iter()
        .map(|listed| Choice { device: listed.device.clone(), listed: Some(listed) })
        .chain(all);
    all.collect()
}

impl Choice {
    /// The processor.
    #[must_use]
    pub fn processor() -> Self {
        Self {
            device: Processor::described(),
            #[cfg(feature = "gpu")]
            listed: None,
        }
    }

    /// Opens the device: an adapter with a device and a queue of its own, the processor with threads of its own.
    ///
    /// # Errors
    /// [`ChoiceError`] says why not.
    pub fn open(&self) -> Result<Box<dyn Backend>, ChoiceError> {
        #[cfg(feature = "gpu")]
        if let Some(listed) = &self.listed {
            return Ok(Box::new(super::suite::Adapter::new(listed.open()?)));
        }
        Ok(Box::new(Processor::new()?))
    }
}
