//! How long an answer takes: the instant one, the first band of a forecast, and a whole forecast on one core.
//!
//! `cargo bench --no-default-features --bench analysis`

mod support;

use std::hint::black_box;
use std::time::Duration;

use breakeven::analysis::{evaluate, forecast};
use breakeven::scenario::Scenario;
use criterion::{Criterion, criterion_group, criterion_main};

/// Runs on one thread, whatever the machine has.
fn on_one_core<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(run),
        Err(error) => panic!("no pool of one thread: {error}"),
    }
}

fn instant(criterion: &mut Criterion) {
    let scenario = support::worked(10, 6, 36);
    criterion.bench_function("evaluate, 10 use cases x 6 plans x 36 months", |bencher| {
        bencher.iter(|| evaluate(black_box(&scenario)));
    });
    let draft = scenario.draft().clone();
    criterion.bench_function("check, 10 use cases x 6 plans x 36 months", |bencher| {
        bencher.iter(|| support::checked(black_box(&draft)));
    });
}

fn bench_forecast(criterion: &mut Criterion, name: &str, scenario: &Scenario, trials: u32) {
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| on_one_core(|| forecast(black_box(scenario), trials)));
    });
}

fn bands(criterion: &mut Criterion) {
    let worked = support::worked(6, 4, 36);
    let comparable = support::checked(&support::comparable());
    bench_forecast(criterion, "first band (256 trials), worked example x 3, one core", &worked, 256);
    bench_forecast(criterion, "10,000 trials, worked example x 3, one core", &worked, 10_000);
    bench_forecast(criterion, "10,000 trials, comparable scenario, one core", &comparable, 10_000);
}

fn few() -> Criterion {
    Criterion::default().sample_size(10).measurement_time(Duration::from_secs(5))
}

criterion_group!(name = small; config = Criterion::default(); targets = instant);
criterion_group!(name = large; config = few(); targets = bands);
criterion_main!(small, large);
