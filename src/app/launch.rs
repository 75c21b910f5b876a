//! Starting the window on whatever can draw it: a GPU, or a processor alone.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{ViewportBuilder, vec2};
use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew};
use eframe::wgpu;

use super::places::Places;
use super::prefs::{Prefs, WINDOW_MIN};
use super::{App, Setup};

/// What the window opens on; with neither, on the worked example.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppOptions {
    /// A scenario file.
    pub file: Option<PathBuf>,
    /// Id of a worked example.
    pub preset: Option<String>,
}

/// The window could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no display to show it on.
    #[error(
        "there is no display for a window ({reason}); `breakeven estimate` prints the decision in a terminal"
    )]
    NoDisplay {
        /// What was missing.
        reason: String,
    },
    /// Nothing on this machine could draw it.
    #[error("nothing here can draw a window: {}", .attempts.join("; "))]
    NoRenderer {
        /// What was tried, and what it said.
        attempts: Vec<String>,
    },
    /// The window broke off.
    #[error("the window broke off: {0}")]
    Window(String),
}

/// Opens the window and returns when it is closed.
///
/// Drawing is tried on all adapters, the fastest first, then on OpenGL alone, then on Vulkan alone: an adapter may be
/// listed and still not make a device.
///
/// # Errors
/// [`AppError::NoDisplay`] without a display, so that the caller can print the decision instead;
/// [`AppError::NoRenderer`] when every attempt failed.
pub fn run(options: &AppOptions) -> Result<(), AppError> {
    if let Some(reason) = missing_display() {
        return Err(AppError::NoDisplay { reason });
    }
    let places = Places::of_the_system();
    let mut attempts = Vec::new();
    for backends in chain() {
        match attempt(options, &places, backends) {
            Ok(()) => return Ok(()),
            Err(eframe::Error::Wgpu(error)) => attempts.push(format!("{backends:?}: {error}")),
            Err(eframe::Error::WinitEventLoop(error)) => {
                // What comes before names a line of a library.
                let text = error.to_string();
                let reason = text.rsplit(": ").next().unwrap_or(&text).trim_end_matches(')').to_owned();
                return Err(AppError::NoDisplay { reason });
            }
            Err(error) => return Err(AppError::Window(error.to_string())),
        }
    }
    Err(AppError::NoRenderer { attempts })
}

/// The user's wish comes first: `WGPU_BACKEND`.
fn chain() -> Vec<wgpu::Backends> {
    match wgpu::Backends::from_env() {
        Some(wish) => vec![wish],
        None => {
            vec![wgpu::Backends::PRIMARY | wgpu::Backends::GL, wgpu::Backends::GL, wgpu::Backends::PRIMARY]
        }
    }
}

/// Why there is no display, if there is none.
fn missing_display() -> Option<String> {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return None;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let any = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(set);
    (!any).then(|| "neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned())
}

fn attempt(options: &AppOptions, places: &Places, backends: wgpu::Backends) -> Result<(), eframe::Error> {
    let (prefs, lost) = match places.preferences() {
        Some(path) => Prefs::read(&path),
        None => (Prefs::default(), None),
    };
    let native = eframe::NativeOptions {
        renderer: eframe::Renderer::Wgpu,
        viewport: ViewportBuilder::default()
            .with_title("Breakeven")
            .with_app_id("breakeven")
            .with_inner_size(vec2(prefs.window[0], prefs.window[1]))
            .with_min_inner_size(vec2(WINDOW_MIN[0], WINDOW_MIN[1]))
            .with_maximized(prefs.maximized)
            .with_drag_and_drop(true),
        wgpu_options: WgpuConfiguration { wgpu_setup: setup(backends), ..WgpuConfiguration::default() },
        persist_window: false,
        ..eframe::NativeOptions::default()
    };
    let setup = Setup { prefs, lost, places: places.clone(), ..Setup::new(options.clone()) };
    eframe::run_native(
        "Breakeven",
        native,
        Box::new(move |creation| Ok(Box::new(App::new(&creation.egui_ctx, setup)))),
    )
}

fn setup(backends: wgpu::Backends) -> WgpuSetup {
    let mut new = WgpuSetupCreateNew::without_display_handle();
    new.instance_descriptor.backends = backends;
    new.native_adapter_selector = Some(Arc::new(|adapters, surface| {
        let mut able: Vec<&wgpu::Adapter> = adapters
            .iter()
            .filter(|adapter| surface.is_none_or(|surface| adapter.is_surface_supported(surface)))
            .collect();
        able.sort_by_key(|adapter| rank(&adapter.get_info()));
        let chosen = able.first().map(|adapter| (*adapter).clone());
        chosen.ok_or_else(|| format!("none of {} adapters can draw into this window", adapters.len()))
    }));
    new.device_descriptor = Arc::new(|adapter| {
        let have = adapter.limits();
        let base = match adapter.get_info().backend {
            wgpu::Backend::Gl => wgpu::Limits::downlevel_webgl2_defaults(),
            _ => wgpu::Limits::default(),
        };
        let side = have.max_texture_dimension_2d.min(8192);
        wgpu::DeviceDescriptor {
            label: Some("breakeven window"),
            required_limits: wgpu::Limits {
                max_texture_dimension_2d: side,
                ..base.or_worse_values_from(&have)
            },
            ..Default::default()
        }
    });
    new.into()
}

/// Lower is tried first: hardware before software, and the sparing GPU before the fast one, as a form needs little.
fn rank(info: &wgpu::AdapterInfo) -> (u8, u8) {
    let device = match info.device_type {
        wgpu::DeviceType::IntegratedGpu => 0,
        wgpu::DeviceType::DiscreteGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (device, u8::from(info.backend == wgpu::Backend::Gl))
}
