//! The adapters of this machine: listing them, opening one, and what can go wrong with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pollster::block_on;
use thiserror::Error;

use super::result::{Device, DeviceKind};
use super::run::CaseError;

/// An adapter that could be opened.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it is.
    pub device: Device,
    adapter: wgpu::Adapter,
}

/// Why an adapter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The driver refuses a device.
    #[error("{name} could not be opened: {why}")]
    Refused {
        /// Its name.
        name: String,
        /// What the driver said.
        why: String,
    },
    /// It computes nothing.
    #[error("{name} cannot run compute shaders; choose another device")]
    NoCompute {
        /// Its name.
        name: String,
    },
}

/// Abilities that kernels use where they are there.
const OPTIONAL: &[(&str, wgpu::Features)] = &[
    ("time stamps", wgpu::Features::TIMESTAMP_QUERY),
    ("16 bit arithmetic", wgpu::Features::SHADER_F16),
    ("subgroups", wgpu::Features::SUBGROUP),
    ("64 bit numbers", wgpu::Features::SHADER_F64),
    ("matrix units", wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
];

/// Abilities that are asked for.
fn wanted() -> wgpu::Features {
    wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SHADER_F16 | wgpu::Features::SHADER_F64
}

/// Every adapter of every interface, fastest kind first; none on a machine without drivers.
///
/// The same GPU comes once per interface that reaches it. Takes some hundred milliseconds: drivers are loaded.
#[must_use]
pub fn adapters() -> Vec<Listed> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // Validation layers would be measured too.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut gpus = Memory::default();
    let mut listed: Vec<Listed> = adapters
        .into_iter()
        .map(|adapter| Listed { device: described(&adapter, &mut gpus), adapter })
        .collect();
    listed.sort_by_key(|listed| (rank(listed.device.kind), listed.device.backend == "GL"));
    listed
}

const fn rank(kind: DeviceKind) -> u8 {
    match kind {
        DeviceKind::Discrete => 0,
        DeviceKind::Integrated => 1,
        DeviceKind::Virtual => 2,
        DeviceKind::Other => 3,
        DeviceKind::Software => 4,
        DeviceKind::Cpu => 5,
    }
}

fn described(adapter: &wgpu::Adapter, memory: &mut Memory) -> Device {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
        wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        wgpu::DeviceType::Other => DeviceKind::Other,
    };
    let names = |there: bool| {
        let chosen = OPTIONAL.iter().filter(|(_, feature)| features.contains(*feature) == there);
        chosen.map(|(name, _)| (*name).to_owned()).collect()
    };
    let driver = format!("{} {}", info.driver, info.driver_info);
    Device {
        kind,
        name: info.name.trim().to_owned(),
        backend: match info.backend {
            wgpu::Backend::Vulkan => "Vulkan",
            wgpu::Backend::Metal => "Metal",
            wgpu::Backend::Dx12 => "DirectX 12",
            wgpu::Backend::Gl => "GL",
            wgpu::Backend::BrowserWebGpu => "WebGPU",
            wgpu::Backend::Noop => "none",
        }
        .to_owned(),
        driver: driver.trim().to_owned(),
        memory_bytes: memory.of(kind, &info.device_pci_bus_id),
        binding_bytes_max: Some(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)),
        features: names(true),
        missing: names(false),
    }
}

/// How much memory devices have, asked of the system when it is first needed.
#[derive(Default)]
struct Memory {
    gpus: Option<Vec<(String, u64)>>,
    system: Option<Option<u64>>,
}

impl Memory {
    /// Memory of a device: its own by its place on the bus, the system's where it is shared; `None` if nothing says it.
    fn of(&mut self, kind: DeviceKind, pci: &str) -> Option<u64> {
        if kind.is_processor() || kind == DeviceKind::Integrated {
            return *self.system.get_or_insert_with(|| {
                let mut system = sysinfo::System::new().ok()?;
                system.refresh_memory();
                Some(system.total_memory()).filter(|bytes| *bytes > 0)
            });
        }
        let gpus = self.gpus.get_or_insert_with(|| {
            let Ok(gpus) = sysinfo::Gpus::new_with_refreshed_list() else { return Vec::new() };
            gpus.iter().filter_map(|gpu| Some((gpu.pci().to_string(), gpu.total_memory()?))).collect()
        });
        let wanted = pci.to_lowercase();
        gpus.iter()
            .find(|(place, bytes)| place.to_lowercase() == wanted && *bytes > 0)
            .map(|(_, bytes)| *bytes)
    }
}

impl Listed {
    /// Opens the adapter with a device and a queue of its own.
    ///
    /// # Errors
    /// [`OpenError`] says why not.
    pub fn open(&self) -> Result<Gpu, OpenError> {
        let name = self.device.name.clone();
        let flags = self.adapter.get_downlevel_capabilities().flags;
        if !flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
            return Err(OpenError::NoCompute { name });
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("measure"),
            required_features: self.adapter.features() & wanted(),
            required_limits: self.adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = block_on(self.adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| OpenError::Refused { name, why: error.to_string() })?;
        let lost = Lost::default();
        let (on_loss, on_error) = (lost.clone(), lost.clone());
        device.set_device_lost_callback(move |_, why| on_loss.say(&why));
        // Without it an unexpected error would panic; here it ends the run with what was measured.
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error.say(&error.to_string())));
        let limits = device.limits();
        Ok(Gpu { info: self.device.clone(), features: device.features(), limits, device, queue, lost })
    }
}

/// What the driver said when the device was lost.
#[derive(Debug, Clone, Default)]
struct Lost(Arc<Mutex<Option<String>>>);

impl Lost {
    fn say(&self, why: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none() {
            let line = why.trim().lines().next().unwrap_or_default();
            *said =
                Some(if line.is_empty() { "the driver gives no reason".to_owned() } else { line.to_owned() });
        }
    }

    fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An opened adapter.
#[derive(Debug)]
pub struct Gpu {
    pub(super) info: Device,
    pub(super) features: wgpu::Features,
    pub(super) limits: wgpu::Limits,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    lost: Lost,
}

/// A device that does not answer for so long is given up. Systems reset a hung GPU after two to ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

impl Gpu {
    /// Waits until everything that was submitted is done.
    ///
    /// # Errors
    /// [`CaseError::Lost`] if the device is gone or does not answer.
    pub(super) fn wait(&self) -> Result<(), CaseError> {
        let waited =
            self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        self.alive()?;
        waited.map(|_| ()).map_err(|error| CaseError::Lost { why: error.to_string() })
    }

    /// Whether the device is still there.
    ///
    /// # Errors
    /// [`CaseError::Lost`] with what the driver said.
    pub(super) fn alive(&self) -> Result<(), CaseError> {
        self.lost.why().map_or(Ok(()), |why| Err(CaseError::Lost { why }))
    }

    /// Makes things; a refusal of the driver is an error instead of an end.
    ///
    /// # Errors
    /// [`CaseError::OutOfMemory`] or [`CaseError::Refused`].
    pub(super) fn guarded<T>(&self, need_bytes: u64, make: impl FnOnce() -> T) -> Result<T, CaseError> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = make();
        let said = |error: Option<wgpu::Error>| {
            error.map(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let invalid = said(block_on(invalid.pop()));
        let internal = said(block_on(internal.pop()));
        if block_on(memory.pop()).is_some() {
            return Err(CaseError::OutOfMemory { need_bytes });
        }
        match invalid.or(internal) {
            Some(why) => Err(CaseError::Refused { why }),
            None => self.alive().map(|()| made),
        }
    }
}
