use super::*;
use crate::bench::device::{Listed, adapters};
use crate::bench::run::{Settings, cases, measure};
use crate::bench::{End, Pace};
use crate::job::Ctl;

/// The adapters that kernels can be tried on; none, loudly, on a machine without drivers.
fn opened() -> Vec<Adapter> {
    let listed = adapters();
    let vulkan = |listed: &&Listed| listed.device.backend != "GL";
    let chosen: Vec<Listed> = listed.iter().filter(vulkan).take(2).cloned().collect();
    let opened: Vec<Adapter> = chosen.iter().filter_map(|l| l.open().ok()).map(Adapter::new).collect();
    if opened.is_empty() {
        eprintln!("SKIPPED: no adapter that runs compute shaders; kernels are not held to their twins here");
    }
    opened
}

#[test]
fn every_kernel_computes_what_its_twin_does_or_says_why_not() {
    for mut adapter in opened() {
        for kernel in adapter.kernels() {
            for bytes in [20_000, 3 << 20] {
                match adapter.prepare(&Case { kernel, bytes }) {
                    Ok(work) => {
                        assert!(work.units > 0.0);
                        let timed = adapter.time(2).unwrap();
                        assert!(timed.secs > 0.0, "{kernel:?}");
                    }
                    Err(CaseError::Unsupported { what }) => {
                        eprintln!("SKIPPED: {} has no {what}: {kernel:?}", adapter.device().name);
                    }
                    Err(error) => panic!("{kernel:?} at {bytes} bytes: {error}"),
                }
                adapter.release();
            }
        }
    }
}

#[test]
fn arrays_beyond_the_binding_limit_are_split_and_right() {
    for mut adapter in opened() {
        // As if the adapter let a kernel see no more than 1 MiB.
        adapter.gpu.limits.max_storage_buffer_binding_size = 1 << 20;
        for kernel in [Kernel::Read, Kernel::Triad, Kernel::GemvInt4] {
            let work = adapter.prepare(&Case { kernel, bytes: 7 << 20 }).unwrap();
            let Some(Prepared::Shader(shader)) = &adapter.prepared else { panic!("no shader") };
            assert!(shader.steps.len() >= 3, "{kernel:?} has {} pieces", shader.steps.len());
            assert!(work.working_set_bytes > 6 << 20, "{kernel:?}: {}", work.working_set_bytes);
        }
    }
}

#[test]
fn a_wrong_result_is_found_before_any_time_is_reported() {
    for adapter in opened() {
        let gpu = &adapter.gpu;
        let poisoned = buffers::filled(gpu, 4096, buffers::Content::Poison, 0, 0).unwrap();
        let found = buffers::numbers(gpu, &poisoned, 0, 1).unwrap()[0];
        assert!(buffers::hold(0, f64::from(found), 0.0, 1e9).is_err(), "poison passes as a number");
        assert!(buffers::hold(0, 1.0, 1.5, 0.4).is_err() && buffers::hold(0, 1.0, 1.5, 0.6).is_ok());
    }
}

#[test]
fn memory_that_is_not_there_is_an_error_and_the_device_lives_on() {
    for mut adapter in opened() {
        let error = buffers::buffer(&adapter.gpu, 1 << 60).unwrap_err();
        assert!(matches!(error, CaseError::OutOfMemory { .. } | CaseError::Refused { .. }), "{error}");
        assert!(adapter.prepare(&Case { kernel: Kernel::Copy, bytes: 1 << 20 }).is_ok());
    }
}

#[test]
fn a_destroyed_device_ends_the_run() {
    for mut adapter in opened() {
        adapter.gpu.device.destroy();
        let settings = Settings { pace: Pace::Quick, kernels: vec![Kernel::Read], bytes_max: Some(1 << 20) };
        assert!(!cases(&adapter, &settings).is_empty());
        let run = measure(&mut adapter, &settings, "now", &Ctl::default(), &mut |_| ());
        assert!(run.points.is_empty());
        let lost = matches!(run.end, End::Lost { .. });
        assert!(lost || run.skipped.len() > 3, "{:?} {:?}", run.end, run.skipped);
    }
}
