use super::*;
use crate::workload::{Length, LengthSpread};

/// Even spread over the unit interval in an order that neither rises nor falls (Weyl).
fn uniform(i: u32, step: f64) -> f64 {
    (0.5 + f64::from(i) * step).fract()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test lengths are small")]
fn trace(n: u32, gap: impl Fn(u32) -> f64) -> Trace {
    let prompts = Length { median: 800.0, p95: 3000.0, spread: LengthSpread::LogNormal };
    let outputs = Length { median: 150.0, p95: 500.0, spread: LengthSpread::LogNormal };
    let mut at_secs = 0.0;
    let rows = (0..n).map(|i| {
        let row = TraceRow {
            at_secs,
            prompt_tokens: prompts.quantile(uniform(i, 0.618_033_988_75)).round() as u32,
            output_tokens: outputs.quantile(uniform(i, 0.414_213_562_37)).round() as u32,
        };
        at_secs += gap(i);
        row
    });
    Trace { format: "test".into(), rows: rows.collect(), ..Trace::default() }
}

/// Independent exponential gaps: a Poisson stream.
fn exponential(i: u32) -> f64 {
    // A multiplicative hash, so that neighbours are unrelated.
    let hash = (u64::from(i) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ (hash >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let u = ((hash ^ (hash >> 29)) >> 11) as f64 / (1_u64 << 53) as f64;
    -(1.0 - u).ln()
}

fn notes(fit: &TraceFit) -> String {
    fit.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_poisson_stream_has_cv_1_and_dispersion_1() {
    let fit = fit(&trace(20_000, exponential)).expect("fits");
    assert!((fit.arrivals.rate_per_sec - 1.0).abs() < 0.03, "{:?}", fit.arrivals);
    assert!((fit.arrivals.gap_cv - 1.0).abs() < 0.03, "{:?}", fit.arrivals);
    // The minute's own mean is fitted, which takes some of the variance.
    assert!((fit.arrivals.gap_cv_within_minute.expect("minutes") - 1.0).abs() < 0.05, "{:?}", fit.arrivals);
    for dispersion in fit.arrivals.dispersion.iter().filter(|d| d.windows > 300) {
        assert!((dispersion.index - 1.0).abs() < 0.25, "{dispersion:?}");
    }
    assert!(!notes(&fit).contains("drifts"), "{}", notes(&fit));
    assert!((fit.arrivals.requests_per_day - 86_400.0).abs() < 0.03 * 86_400.0);
}

#[test]
fn a_rate_that_drifts_shows_in_the_dispersion_and_not_in_the_gaps_of_a_minute() {
    let drifting =
        trace(20_000, |i| exponential(i) * if (i / 2_000).is_multiple_of(2) { 0.25 } else { 1.75 });
    let fit = fit(&drifting).expect("fits");
    let longest = fit.arrivals.dispersion.last().expect("windows");
    assert!(longest.index > 30.0, "{longest:?}");
    assert!(fit.arrivals.gap_cv_within_minute.expect("minutes") < 1.1 && fit.arrivals.gap_cv > 1.2);
    assert!(notes(&fit).contains("The rate drifts"), "{}", notes(&fit));
}

#[test]
fn regular_arrivals_have_no_spread() {
    let fit = fit(&trace(1_000, |_| 0.5)).expect("fits");
    assert!(fit.arrivals.gap_cv < 1e-9 && (fit.arrivals.requests_per_day - 172_800.0).abs() < 1e-6);
    assert_eq!(fit.arrivals.burstiness_cv(), Some(fit.arrivals.gap_cv));
    assert!(notes(&fit).contains("less than a day"));
}

#[test]
fn coarse_time_stamps_give_no_burstiness() {
    let fit = fit(&trace(1_000, |i| if i % 5 == 4 { 3.0 } else { 0.0 })).expect("fits");
    assert_eq!((fit.arrivals.coarse_step_secs, fit.arrivals.burstiness_cv()), (Some(3.0), None));
    assert!(notes(&fit).contains("steps of 3 s"), "{}", notes(&fit));
}

#[test]
fn a_day_has_a_profile_and_a_week_has_a_weekly_one() {
    let spanning = |days: f64| fit(&trace(5_000, move |_| days * 86_400.0 / 4_999.0)).expect("fits");
    assert!(spanning(0.9).arrivals.shape.is_none());
    assert_eq!(spanning(1.5).arrivals.shape.expect("day").weights.len(), 24);
    assert_eq!(spanning(8.0).arrivals.shape.expect("week").weights.len(), 168);
}

#[test]
fn doubling_the_pace_doubles_the_rate_and_keeps_the_shape() {
    let (once, twice) = (fit(&trace(2_000, exponential)), fit(&trace(2_000, |i| exponential(i) / 2.0)));
    let (once, twice) = (once.expect("fits"), twice.expect("fits"));
    assert!((twice.arrivals.requests_per_day / once.arrivals.requests_per_day - 2.0).abs() < 1e-9);
    assert!((twice.arrivals.gap_cv - once.arrivals.gap_cv).abs() < 1e-9);
    assert_eq!((&once.prompt, &once.output), (&twice.prompt, &twice.output));
}

#[test]
fn lengths_that_go_together_are_said_to() {
    let mut together = trace(500, exponential);
    assert!(fit(&together).expect("fits").rank_correlation.expect("varies").abs() < 0.1);
    for row in &mut together.rows {
        row.output_tokens = row.prompt_tokens / 4;
    }
    let fit = fit(&together).expect("fits");
    assert!(fit.rank_correlation.expect("varies") > 0.99 && notes(&fit).contains("go together"));
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let message = |trace: &Trace| fit(trace).expect_err("no fit").to_string();
    assert_eq!(message(&Trace::default()), "the trace has 0 requests; a fit needs 20");
    assert!(message(&trace(50, |_| 0.0)).contains("all 50 requests come at the same time"));
    let mut silent = trace(50, |_| 1.0);
    silent.rows.iter_mut().for_each(|row| row.output_tokens = 0);
    assert!(message(&silent).contains("fewer than two of 50 outputs"));
}

#[test]
fn a_fit_is_json_without_nulls_for_numbers() {
    let fit = fit(&trace(2_000, exponential)).expect("fits");
    let json = serde_json::to_string(&fit).expect("json");
    let back: serde_json::Value = serde_json::from_str(&json).expect("parses");
    assert_eq!(back["arrivals"]["requests"], 2_000);
    assert!(back["prompt"]["fits"].as_array().expect("fits").iter().all(|f| f["goodness"]["ks"].is_f64()));
    assert!(back["notes"][0].as_str().expect("text").contains("less than a day"));
}
