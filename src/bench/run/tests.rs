use std::cell::Cell;

use super::*;
use crate::bench::Processor;

/// A device of known speed that fails where it is told to.
struct Fake {
    device: Device,
    bytes: u64,
    fails: Option<(u64, CaseError)>,
    slows: bool,
    timed: Cell<u32>,
}

impl Fake {
    fn new() -> Self {
        let mut device = Processor::described();
        device.memory_bytes = Some(64 << 20);
        Self { device, bytes: 0, fails: None, slows: false, timed: Cell::new(0) }
    }
}

/// Bytes per second of the fake device.
const SPEED: f64 = 1e9;

impl Backend for Fake {
    fn device(&self) -> &Device {
        &self.device
    }
    fn kernels(&self) -> Vec<Kernel> {
        vec![Kernel::Read, Kernel::Copy]
    }
    fn prepare(&mut self, case: &Case) -> Result<Work, CaseError> {
        self.bytes = case.bytes;
        match &self.fails {
            Some((bytes, error)) if *bytes == case.bytes => Err(error.clone()),
            _ => Ok(Work { working_set_bytes: case.bytes, units: case.bytes as f64, variant: String::new() }),
        }
    }
    fn time(&mut self, passes: u32) -> Result<Timed, CaseError> {
        self.timed.set(self.timed.get() + 1);
        let factor = if self.slows && self.timed.get() > 60 { 1.5 } else { 1.0 };
        let secs = factor * f64::from(passes) * self.bytes as f64 / SPEED;
        Ok(Timed { secs, clock: Clock::HostClock })
    }
    fn release(&mut self) {}
}

fn run(fake: &mut Fake, ctl: &Ctl) -> (Run, u32) {
    let mut seen = 0;
    let run = measure(fake, &Settings::default(), "2026-11-24T21:00:00Z", ctl, &mut |_| seen += 1);
    (run, seen)
}

#[test]
fn every_case_is_a_point_or_skipped_with_a_reason() {
    let mut fake = Fake::new();
    fake.fails = Some((64 << 10, CaseError::OutOfMemory { need_bytes: 64 << 10 }));
    let wanted = cases(&fake, &Settings::default());
    let (run, seen) = run(&mut fake, &Ctl::default());
    assert_eq!(run.points.len() + run.skipped.len(), wanted.len());
    assert_eq!(run.skipped.len(), 1);
    assert_eq!((run.end, run.flags.len(), seen as usize), (End::Complete, 0, wanted.len() + 1));
}

#[test]
fn the_speed_of_a_steady_device_is_found_at_every_size() {
    let (run, _) = run(&mut Fake::new(), &Ctl::default());
    for point in &run.points {
        assert!((point.value / SPEED - 1.0).abs() < 1e-9 && point.steady, "{point:?}");
    }
    // An eighth of the memory, and the curve from the smallest working set.
    let curve = run.curve(Kernel::Read);
    assert_eq!((curve[0].working_set_bytes, curve[curve.len() - 1].working_set_bytes), (16 << 10, 8 << 20));
    assert_eq!(run.headline(Kernel::Read).unwrap().working_set_bytes, 8 << 20);
    assert_eq!(run.read_bytes_per_s(), Some(run.headline(Kernel::Read).unwrap().value));
}

#[test]
fn what_matters_most_is_measured_first() {
    let cases = cases(&Fake::new(), &Settings::default());
    assert_eq!(cases[0], Case { kernel: Kernel::Read, bytes: 8 << 20 });
    assert_eq!(cases[1], Case { kernel: Kernel::Copy, bytes: 8 << 20 });
}

#[test]
fn a_lost_device_ends_the_run_and_keeps_what_was_measured() {
    let mut fake = Fake::new();
    fake.fails = Some((64 << 10, CaseError::Lost { why: "it was unplugged".to_owned() }));
    let (run, _) = run(&mut fake, &Ctl::default());
    assert_eq!(run.end, End::Lost { why: "it was unplugged".to_owned() });
    assert!(!run.points.is_empty());
}

#[test]
fn a_stop_keeps_what_was_measured() {
    let ctl = Ctl::default();
    let (mut fake, token) = (Fake::new(), ctl.cancel.clone());
    let mut observe = |run: &Run| {
        if run.points.len() == 3 {
            token.cancel();
        }
    };
    let run = measure(&mut fake, &Settings::default(), "now", &ctl, &mut observe);
    assert_eq!((run.points.len(), run.end), (3, End::Stopped));
}

#[test]
fn a_device_that_slows_down_is_flagged() {
    let mut fake = Fake::new();
    fake.slows = true;
    let (run, _) = run(&mut fake, &Ctl::default());
    assert!(
        matches!(run.flags[..], [Flag::Slower { ratio }] if (ratio - 1.0 / 1.5).abs() < 1e-9),
        "{:?}",
        run.flags
    );
}

#[test]
fn a_run_is_read_back_from_its_file_as_it_was() {
    let (run, _) = run(&mut Fake::new(), &Ctl::default());
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
}

#[test]
fn a_run_far_from_three_earlier_ones_is_an_outlier() {
    let (run, _) = run(&mut Fake::new(), &Ctl::default());
    let mut slow = run.clone();
    for point in &mut slow.points {
        point.value *= 0.8;
    }
    let earlier = vec![run.clone(); 3];
    assert!(matches!(outlier(&slow, &earlier), Some(Flag::Outlier { ratio }) if (ratio - 0.8).abs() < 1e-9));
    assert_eq!((outlier(&run, &earlier), outlier(&slow, &earlier[..2])), (None, None));
}

#[test]
fn two_runs_at_once_are_refused() {
    let turn = Turn::take().unwrap();
    assert_eq!(Turn::take().map(|_| ()), Err(Occupied));
    drop(turn);
    assert!(Turn::take().is_ok());
}

#[test]
fn a_device_is_as_fast_as_itself() {
    let found = versus(
        &mut Fake::new(),
        &mut Fake::new(),
        &[Kernel::Copy, Kernel::FmaF32],
        1 << 20,
        3,
        &Ctl::default(),
    );
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    assert!((found[0].ratio - 1.0).abs() < 1e-9 && found[0].ratios.len() == 3);
}

#[test]
fn the_processor_computes_what_the_reference_does() {
    let mut processor = Processor::new().unwrap();
    for kernel in processor.kernels() {
        let work = processor.prepare(&Case { kernel, bytes: 300_000 }).unwrap();
        assert!(work.units > 0.0 && work.working_set_bytes > 0, "{kernel:?}");
        let timed = processor.time(2).unwrap();
        assert!(timed.secs > 0.0);
        processor.release();
        assert!(processor.time(1).is_err());
    }
}

#[test]
fn stream_counts_each_array_once() {
    let mut processor = Processor::new().unwrap();
    for (kernel, arrays) in [(Kernel::Read, 1), (Kernel::Copy, 2), (Kernel::Triad, 3)] {
        let work = processor.prepare(&Case { kernel, bytes: 3 << 20 }).unwrap();
        assert_eq!(work.units, work.working_set_bytes as f64);
        let off = (3 << 20) - work.working_set_bytes;
        assert!(off < 64 * 4 * arrays * 256, "{kernel:?}: {off} bytes are left out");
    }
}
