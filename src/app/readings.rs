//! Files that a page asks for and a worker reads: the configuration of a model, a folder of measurements.

use std::path::PathBuf;
use std::sync::Arc;

use egui_plot::PlotPoint;

use super::live::Where;
use super::plots::axis::log;
use crate::analysis::fidelity::{
    Compared, Fidelity, Figures, Metric, ReplayedRun, RunSpan, compare, predict_with, replay,
};
use crate::catalog::{Catalog, ModelSpec};
use crate::io::bandwidths::{Bandwidths, read_bandwidths};
use crate::io::hf_config;
use crate::io::measured::{MeasuredError, Tables, read_folder};
use crate::io::recorded_runs::read_runs;
use crate::job::{JobEvent, Lane, Progress};
use crate::serving::Calibration;

/// Rows between two looks at whether to stop.
const ROWS_PER_LOOK: usize = 64;

/// What came of reading a file or folder.
#[derive(Debug)]
pub struct Read<T> {
    /// Counts what was read; a page that remembers it knows what is new.
    pub counted: u64,
    /// Where it is.
    pub path: PathBuf,
    /// What it says, or why it could not be read.
    pub result: Result<Arc<T>, String>,
}

/// What was read last.
#[derive(Debug, Default)]
pub struct Readings {
    /// The last `config.json`.
    pub config: Option<Read<ModelSpec>>,
    /// The last folder of measurements.
    pub study: Option<Read<Study>>,
    /// The last published bandwidths.
    pub bandwidths: Option<Read<Bandwidths>>,
    /// The folder that is being read, if one is.
    pub studying: Option<PathBuf>,
}

/// Predicted against published, for every row of a folder.
#[derive(Debug)]
pub struct Study {
    /// Summed up.
    pub fidelity: Fidelity,
    /// Row by row.
    pub compared: Vec<Compared>,
    /// Tables of the folder that measure something else.
    pub other: Vec<String>,
    /// Points to draw, by figure and regime.
    pub clouds: Vec<(Metric, Vec<Cloud>)>,
    /// Recorded runs of a real engine, replayed request by request.
    pub runs: Vec<RunPicture>,
    /// File and reason of runs and requests that were left out.
    pub runs_left_out: Vec<(String, String)>,
}

/// A replayed run with what a picture of it needs.
#[derive(Debug)]
pub struct RunPicture {
    /// What came of it.
    pub replayed: ReplayedRun,
    /// Points (logarithm of seconds, share of the requests) of recorded and simulated times.
    pub curves: Vec<(RunSpan, [Vec<PlotPoint>; 2])>,
    /// Points (hours, output tokens per second), recorded and simulated.
    pub throughput: [Vec<PlotPoint>; 2],
}

impl RunPicture {
    fn new(replayed: ReplayedRun) -> Self {
        let curve = |points: &[(f64, f64)]| -> Vec<PlotPoint> {
            points.iter().map(|(secs, share)| PlotPoint::new(log(secs.max(1e-4)), *share)).collect()
        };
        let curves = replayed
            .spans
            .iter()
            .map(|span| (span.span, [curve(&span.recorded.curve), curve(&span.simulated.curve)]))
            .collect();
        let stretch_hours = replayed.throughput.stretch_secs / 3_600.0;
        let line = |rates: &[f64]| -> Vec<PlotPoint> {
            let place = |(at, rate): (usize, &f64)| PlotPoint::new((at as f64 + 0.5) * stretch_hours, *rate);
            rates.iter().enumerate().map(place).collect()
        };
        let throughput = [line(&replayed.throughput.recorded), line(&replayed.throughput.simulated)];
        Self { replayed, curves, throughput }
    }
}

/// The rows of one regime that publish one figure.
#[derive(Debug)]
pub struct Cloud {
    /// The regime.
    pub regime: &'static str,
    /// Logarithms of published and predicted.
    pub points: Vec<PlotPoint>,
    /// Positions of the points' rows in [`Study::compared`].
    pub rows: Vec<usize>,
}

/// The figure of a row, if it is there and above zero.
#[must_use]
pub fn figure(metric: Metric, figures: &Figures) -> Option<f64> {
    metric.of(figures)
}

impl Study {
    fn new(compared: Vec<Compared>, fidelity: Fidelity, other: Vec<String>) -> Self {
        let clouds = Metric::ALL.iter().map(|metric| (*metric, clouds(*metric, &compared, &fidelity)));
        let clouds = clouds.collect();
        Self { fidelity, compared, other, clouds, runs: Vec::new(), runs_left_out: Vec::new() }
    }

    /// The points of a figure, by regime, worst regime first.
    #[must_use]
    pub fn clouds(&self, metric: Metric) -> &[Cloud] {
        self.clouds.iter().find(|(known, _)| *known == metric).map_or(&[], |(_, clouds)| clouds.as_slice())
    }
}

fn clouds(metric: Metric, compared: &[Compared], fidelity: &Fidelity) -> Vec<Cloud> {
    let mut clouds: Vec<Cloud> = Vec::new();
    for (row, both) in compared.iter().enumerate() {
        let pair = (figure(metric, &both.row.published), figure(metric, &both.predicted.figures));
        let (Some(published), Some(predicted)) = pair else { continue };
        let (regime, point) = (both.row.load.regime(), PlotPoint::new(log(published), log(predicted)));
        match clouds.iter_mut().find(|cloud| cloud.regime == regime) {
            Some(cloud) => {
                cloud.points.push(point);
                cloud.rows.push(row);
            }
            None => clouds.push(Cloud { regime, points: vec![point], rows: vec![row] }),
        }
    }
    let rank = |cloud: &Cloud| fidelity.by_regime.iter().position(|group| group.name == cloud.regime);
    clouds.sort_by_key(|cloud| (rank(cloud), cloud.regime));
    clouds
}

/// Reads on workers and keeps what was read.
pub struct Reader {
    configs: Lane<(PathBuf, Result<Arc<ModelSpec>, String>)>,
    bandwidths: Lane<(PathBuf, Result<Arc<Bandwidths>, String>)>,
    studies: Lane<Study>,
    counted: u64,
}

impl Reader {
    /// `notify` is called when something was read.
    #[must_use]
    pub fn new(place: Where, notify: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        let (configs, bandwidths, studies) = match place {
            Where::Threads => (
                Lane::new("config", notify.clone()),
                Lane::new("bandwidths", notify.clone()),
                Lane::new("measurements", notify),
            ),
            Where::Inline => (Lane::inline(), Lane::inline(), Lane::inline()),
        };
        Self { configs, bandwidths, studies, counted: 0 }
    }

    /// Reads a `config.json`, or the one in a folder.
    pub fn read_config(&self, path: PathBuf) {
        self.configs.submit(0, move |_| {
            let read = hf_config::read(&path).map(Arc::new).map_err(|error| error.to_string());
            Ok((path, read))
        });
    }

    /// Reads published bandwidths, a folder of tables or one.
    pub fn read_bandwidths(&self, path: PathBuf) {
        self.bandwidths.submit(0, move |_| {
            let read = read_bandwidths(&path).map(Arc::new).map_err(|error| error.to_string());
            Ok((path, read))
        });
    }

    /// Reads a folder of measurements and predicts every row of it.
    pub fn study(&self, folder: PathBuf, calibration: Arc<Calibration>, answers: &mut Readings) {
        answers.studying = Some(folder.clone());
        self.studies.submit(0, move |ctl| {
            ctl.progress(0, 0, "reading the tables");
            let catalog = Catalog::shipped();
            let mut recorded = read_runs(&folder)?;
            let mut runs = Vec::with_capacity(recorded.runs.len());
            for (at, run) in recorded.runs.iter().enumerate() {
                ctl.check_stop()?;
                ctl.progress(at as u64, recorded.runs.len() as u64, "replaying recorded runs");
                match replay(run, catalog, &calibration) {
                    Ok(replayed) => runs.push(RunPicture::new(replayed)),
                    Err(error) => recorded.left_out.push((run.name.clone(), error.to_string())),
                }
            }
            let tables = match read_folder(&folder) {
                Err(MeasuredError::Nothing { .. }) if !runs.is_empty() => Tables::default(),
                read => read?,
            };
            let mut left_out = tables.unread.clone();
            let mut compared = Vec::with_capacity(tables.rows.len());
            for (at, row) in tables.rows.into_iter().enumerate() {
                if at % ROWS_PER_LOOK == 0 {
                    ctl.check_stop()?;
                    ctl.progress(at as u64, 0, "predicting the measured rows");
                }
                match predict_with(&row, catalog, &calibration) {
                    Ok(predicted) => compared.push(Compared { row, predicted }),
                    Err(reason) => left_out.push((row.file.clone(), reason.to_string())),
                }
            }
            let fidelity = compare(&compared, &tables.filtered, &left_out);
            let study = Study::new(compared, fidelity, tables.other);
            Ok(Study { runs, runs_left_out: recorded.left_out, ..study })
        });
    }

    /// What is being done.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.studies.progress().map(|(_, progress)| progress)
    }

    /// Stops reading measurements.
    pub fn stop(&self) {
        self.studies.cancel();
    }

    /// Takes what is done.
    pub fn poll(&mut self, answers: &mut Readings) {
        for (_, event) in self.configs.poll() {
            if let JobEvent::Done((path, result)) = event {
                self.counted += 1;
                answers.config = Some(Read { counted: self.counted, path, result });
            }
        }
        for (_, event) in self.bandwidths.poll() {
            if let JobEvent::Done((path, result)) = event {
                self.counted += 1;
                answers.bandwidths = Some(Read { counted: self.counted, path, result });
            }
        }
        for (_, event) in self.studies.poll() {
            let result = match event {
                JobEvent::Done(study) => Ok(Arc::new(study)),
                JobEvent::Failed(error) => Err(error.to_string()),
                JobEvent::Panicked(message) => Err(format!("predicting the rows broke off: {message}")),
                // A folder that waits in the place of this one is still being read.
                JobEvent::Partial(_) | JobEvent::Cancelled => continue,
            };
            self.counted += 1;
            let path = answers.studying.clone().unwrap_or_default();
            answers.study = Some(Read { counted: self.counted, path, result });
        }
        if !self.studies.is_busy() {
            answers.studying = None;
        }
    }
}
