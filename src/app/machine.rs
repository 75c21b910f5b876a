//! Measuring this machine on a worker, with what was measured so far and before.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::live::Where;
use super::notice::Notices;
use crate::bench::{Choice, Device, Kernel, Pace, Run, Settings, Turn, choices, measure, outlier};
use crate::io::machine;
use crate::job::{JobEvent, Lane, Progress};

/// What the page *This machine* shows.
#[derive(Debug, Default)]
pub struct Machine {
    /// The devices, in the order of the list; `None` before they are known.
    pub devices: Option<Vec<Device>>,
    /// The run in hand: the one that grows, the last one, or an earlier one that was picked.
    pub run: Option<Arc<Run>>,
    /// Counts the states of the run: changes with every point.
    pub counted: u64,
    /// How far the measurement is, while there is one.
    pub progress: Option<Progress>,
    /// Earlier runs of every device, oldest first.
    pub history: Vec<Arc<Run>>,
    /// Why the last measurement did not begin.
    pub failure: Option<String>,
}

impl Machine {
    /// Whether something is being measured.
    #[must_use]
    pub const fn is_measuring(&self) -> bool {
        self.progress.is_some()
    }
}

/// What comes back from the list: devices and earlier runs, and what was wrong with files.
struct Found {
    choices: Vec<Choice>,
    history: Vec<Run>,
    damaged: Vec<String>,
}

/// What comes back from a run: it, whether it is over, and what went wrong in keeping it.
struct Measured {
    run: Run,
    over: bool,
    trouble: Vec<String>,
}

/// Lists and measures, and keeps what came of it.
pub struct MachineRunner {
    lists: Lane<Found>,
    runs: Lane<Measured>,
    choices: Vec<Choice>,
    folder: Option<PathBuf>,
    asked: bool,
    place: Where,
    shown: Machine,
}

impl MachineRunner {
    /// `notify` is called when there is something to show; `folder` keeps the history, if there is one.
    #[must_use]
    pub fn new(
        place: Where,
        folder: Option<PathBuf>,
        notify: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Self {
        let (lists, runs) = match place {
            Where::Threads => (Lane::new("devices", notify.clone()), Lane::new("measure", notify)),
            Where::Inline => (Lane::inline(), Lane::inline()),
        };
        Self { lists, runs, choices: Vec::new(), folder, asked: false, place, shown: Machine::default() }
    }

    /// What the page shows.
    #[must_use]
    pub const fn shown(&self) -> &Machine {
        &self.shown
    }

    /// Looks for devices and earlier runs, once.
    pub fn list(&mut self) {
        if std::mem::replace(&mut self.asked, true) {
            return;
        }
        let (folder, place) = (self.folder.clone(), self.place);
        self.lists.submit(0, move |_| {
            let choices = match place {
                Where::Threads => choices(),
                // Tests must not depend on the drivers of the machine.
                Where::Inline => vec![Choice::processor()],
            };
            let (history, damaged) = match folder.as_deref().map(machine::read_all) {
                None => (Vec::new(), Vec::new()),
                Some(Ok((runs, damaged))) => (runs, damaged.iter().map(ToString::to_string).collect()),
                Some(Err(error)) => (Vec::new(), vec![error.to_string()]),
            };
            Ok(Found { choices, history, damaged })
        });
    }

    /// Measures a device of the list.
    pub fn measure(&mut self, device: usize, pace: Pace) {
        let Some(choice) = self.choices.get(device).cloned() else { return };
        if self.runs.is_busy() {
            return;
        }
        self.shown.failure = None;
        let settings = match self.place {
            Where::Threads => Settings { pace, ..Settings::default() },
            // Soon over: the calling thread waits for it.
            Where::Inline => Settings {
                pace,
                kernels: vec![Kernel::Read, Kernel::Triad, Kernel::FmaF32],
                bytes_max: Some(256 << 10),
            },
        };
        let folder = self.folder.clone();
        self.runs.submit(0, move |ctl| {
            let _turn = Turn::take()?;
            let _lock = folder.as_deref().map(machine::lock).transpose()?;
            let mut backend = choice.open()?;
            let began = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let mut run = measure(backend.as_mut(), &settings, &began, ctl.ctl(), &mut |run| {
                ctl.partial(Measured { run: run.clone(), over: false, trouble: Vec::new() });
            });
            let mut trouble = Vec::new();
            if let Some(folder) = &folder {
                match machine::read(folder, &run.device) {
                    Ok((earlier, damaged)) => {
                        run.flags.extend(outlier(&run, &earlier));
                        trouble.extend(damaged.map(|damaged| damaged.to_string()));
                    }
                    Err(error) => trouble.push(error.to_string()),
                }
                if !run.points.is_empty()
                    && let Err(error) = machine::append(folder, &run)
                {
                    trouble.push(error.to_string());
                }
            }
            Ok(Measured { run, over: true, trouble })
        });
    }

    /// Stops measuring; what was measured stays.
    pub fn stop(&self) {
        self.runs.cancel();
    }

    /// Shows an earlier run.
    pub fn pick(&mut self, began: &str) {
        if let Some(run) = self.shown.history.iter().find(|run| run.began == began) {
            self.shown.run = Some(Arc::clone(run));
            self.shown.counted += 1;
        }
    }

    /// Takes what is there.
    pub fn poll(&mut self, notices: &mut Notices) {
        for (_, event) in self.lists.poll() {
            match event {
                JobEvent::Done(found) => {
                    for damaged in found.damaged {
                        notices.error("A history of measurements was put aside", damaged);
                    }
                    self.shown.devices =
                        Some(found.choices.iter().map(|choice| choice.device.clone()).collect());
                    self.choices = found.choices;
                    self.shown.history = found.history.into_iter().map(Arc::new).collect();
                    if self.shown.run.is_none() {
                        self.shown.run = self.shown.history.last().cloned();
                        self.shown.counted += 1;
                    }
                }
                JobEvent::Failed(error) => {
                    notices.error("The devices could not be listed", error.to_string())
                }
                JobEvent::Panicked(message) => {
                    // A driver that breaks off leaves the processor to measure.
                    notices.error("Listing the devices broke off; the processor can be measured", message);
                    self.choices = vec![Choice::processor()];
                    self.shown.devices = Some(vec![self.choices[0].device.clone()]);
                }
                JobEvent::Partial(_) | JobEvent::Cancelled => {}
            }
        }
        for (_, event) in self.runs.poll() {
            match event {
                JobEvent::Partial(measured) | JobEvent::Done(measured) => {
                    for trouble in measured.trouble {
                        notices.error("The measurement could not be kept as usual", trouble);
                    }
                    let run = Arc::new(measured.run);
                    if measured.over && !run.points.is_empty() {
                        self.shown.history.push(Arc::clone(&run));
                    }
                    self.shown.run = Some(run);
                    self.shown.counted += 1;
                }
                JobEvent::Failed(error) => self.shown.failure = Some(error.to_string()),
                JobEvent::Panicked(message) => {
                    self.shown.failure = Some(format!("The driver broke off: {message}"));
                }
                JobEvent::Cancelled => {}
            }
        }
        self.shown.progress = self.runs.progress().map(|(_, progress)| progress);
    }
}
