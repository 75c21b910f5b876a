//! Laws of estimates, their families and their samplers, through the public surface.

use super::estimate::PERCENTILES_SKEW_MAX;
use super::*;

/// One of each family, some of them leaning.
fn zoo() -> Vec<Estimate> {
    vec![
        Estimate::Fixed(3.0),
        Estimate::Uniform { low: -1.0, high: 4.0 },
        Estimate::Triangular { low: 1.0, mode: 2.0, high: 6.0 },
        Estimate::Triangular { low: 1.0, mode: 1.0, high: 6.0 },
        Estimate::Normal { mean: 5.0, sd: 2.0 },
        Estimate::Normal { mean: 5.0, sd: 0.0 },
        Estimate::LogNormal { median: 400.0, p95: 900.0 },
        Estimate::Beta { alpha: 0.5, beta: 2.0, low: 10.0, high: 20.0 },
        Estimate::Beta { alpha: 20.0, beta: 3.0, low: 0.0, high: 1.0 },
        Estimate::Pert { low: 1.0, mode: 1.5, high: 9.0 },
        Estimate::Pert { low: 1.0, mode: 9.0, high: 9.0 },
        Estimate::Percentiles { p5: 1.0, p50: 3.0, p95: 11.0 },
        Estimate::Percentiles { p5: -7.0, p50: 3.0, p95: 5.0 },
        Estimate::Percentiles { p5: 8.0, p50: 10.0, p95: 12.0 },
        Estimate::Empirical(vec![5.0, 1.0, 1.0, 2.0]),
    ]
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn draws_have_the_mean_and_the_spread_that_the_closed_form_says() {
    const N: usize = 200_000;
    for estimate in zoo() {
        assert_eq!(estimate.check(), Ok(()), "{estimate:?}");
        let sampler = Sampler::new(&estimate).unwrap();
        // The midpoints of N equal slices: the mean over them is the integral of the quantile.
        let draws: Vec<f64> = (0..N).map(|i| sampler.sample((i as f64 + 0.5) / N as f64)).collect();
        let summary = Summary::of(&draws).unwrap();
        assert!(close(summary.mean, estimate.mean(), 1e-4), "{estimate:?}: {}", summary.mean);
        assert!(close(summary.sd, estimate.sd(), 3e-3), "{estimate:?}: {}", summary.sd);
        assert_eq!(estimate.point(), estimate.mean());
    }
}

#[test]
fn a_sampler_agrees_with_the_quantile_alone_and_in_bulk() {
    for estimate in zoo() {
        let sampler = Sampler::new(&estimate).unwrap();
        let mut u = vec![0.0; 5000];
        Stream::new(3, "u").fill(0, &mut u);
        u.extend([0.0, 1.0, 0.5, 1e-300, f64::NAN, -1.0, 2.0]);
        let mut bulk = vec![0.0; u.len()];
        sampler.fill(&u, &mut bulk);
        for (u, bulk) in u.iter().zip(bulk) {
            let (fast, exact) = (sampler.sample(*u), estimate.quantile(*u));
            assert_eq!(fast, bulk);
            assert!(fast.is_finite(), "{estimate:?} at {u}");
            assert!(close(fast, exact, 1e-5), "{estimate:?} at {u}: {fast} {exact}");
        }
    }
}

#[test]
fn quantiles_never_fall() {
    for estimate in zoo() {
        let sampler = Sampler::new(&estimate).unwrap();
        let values: Vec<f64> = (1..4000).map(|i| sampler.sample(f64::from(i) / 4000.0)).collect();
        assert!(values.is_sorted(), "{estimate:?}");
    }
}

#[test]
fn three_percentiles_are_hit_exactly_and_the_point_moves_smoothly_through_the_symmetric_case() {
    for (p5, p50, p95) in [(1.0, 3.0, 11.0), (-7.0, 3.0, 5.0), (8.0, 10.0, 12.0), (0.0, 1.0, 100.0)] {
        let estimate = Estimate::Percentiles { p5, p50, p95 };
        assert!(close(estimate.quantile(0.05), p5, 1e-13), "{estimate:?}");
        assert_eq!(estimate.quantile(0.5), p50);
        assert!(close(estimate.quantile(0.95), p95, 1e-13), "{estimate:?}");
    }
    let mean = |p95: f64| Estimate::Percentiles { p5: 8.0, p50: 10.0, p95 }.mean();
    assert_eq!(mean(12.0), 10.0);
    for nudge in [1e-14, 1e-11, 1e-9, 1e-6] {
        assert!((mean(12.0 + nudge) - 10.0).abs() < nudge + 1e-13);
        assert!((mean(12.0 - nudge) - 10.0).abs() < nudge + 1e-13);
    }
}

#[test]
fn percentiles_in_proportion_are_a_log_normal() {
    let three = Estimate::Percentiles { p5: 1.0, p50: 10.0, p95: 100.0 };
    let two = Estimate::LogNormal { median: 10.0, p95: 100.0 };
    for u in [0.001, 0.2, 0.7, 0.999] {
        assert!(close(three.quantile(u), two.quantile(u), 1e-12));
    }
    assert!(close(three.mean(), two.mean(), 1e-12) && close(three.sd(), two.sd(), 1e-12));
}

#[test]
fn textbook_means_and_spreads_come_out() {
    let check = |estimate: Estimate, mean: f64, sd: f64| {
        assert!(close(estimate.mean(), mean, 1e-12), "{estimate:?} {}", estimate.mean());
        assert!(close(estimate.sd(), sd, 1e-12), "{estimate:?} {}", estimate.sd());
    };
    check(Estimate::Uniform { low: 0.0, high: 12.0 }, 6.0, 12.0_f64.sqrt());
    check(Estimate::Triangular { low: 0.0, mode: 0.0, high: 6.0 }, 2.0, 2.0_f64.sqrt());
    check(Estimate::Pert { low: 0.0, mode: 1.0, high: 2.0 }, 1.0, (4.0 / 28.0_f64).sqrt());
    check(Estimate::Beta { alpha: 1.0, beta: 3.0, low: 0.0, high: 4.0 }, 1.0, (0.6_f64).sqrt());
    check(Estimate::Empirical(vec![1.0, 3.0]), 2.0, 1.0);
}

#[test]
fn changing_family_keeps_the_centre_and_back_to_fixed_keeps_the_point() {
    for estimate in zoo() {
        for family in Family::ALL {
            let made = match estimate.to_family(family) {
                Ok(made) => made,
                Err(error) => panic!("{estimate:?} to {family}: {error}"),
            };
            assert_eq!(made.family(), family);
            assert_eq!(made.check(), Ok(()), "{made:?}");
            if family != Family::Percentiles {
                assert!(close(made.point(), estimate.point(), 1e-9), "{estimate:?} to {made:?}");
                assert_eq!(made.to_family(Family::Fixed), Ok(Estimate::Fixed(made.point())));
            }
            if family != Family::Fixed && family != estimate.family() {
                assert!(made.is_uncertain(), "{estimate:?} to {made:?}");
            }
        }
    }
}

#[test]
fn a_fixed_value_becomes_uncertain_by_a_fifth_and_comes_back() {
    for value in [10.0, 0.003, -5.0, 1e9] {
        for family in Family::ALL.into_iter().filter(|f| *f != Family::Fixed) {
            let Ok(made) = Estimate::Fixed(value).to_family(family) else {
                assert!(value < 0.0 && family == Family::LogNormal);
                continue;
            };
            let back = made.point();
            assert!((back / value - 1.0).abs() < 1e-9, "{value} as {made:?} is {back}");
            let half = (made.quantile(0.95) - made.quantile(0.05)) / 2.0 / value.abs();
            assert!((0.15..0.25).contains(&half), "{made:?} {half}");
        }
    }
}

#[test]
fn a_quantity_that_cannot_be_negative_does_not_become_so() {
    let wide = Estimate::LogNormal { median: 1.0, p95: 30.0 };
    for family in [Family::Uniform, Family::Triangular, Family::Pert, Family::Beta, Family::Empirical] {
        let made = wide.to_family(family).unwrap();
        assert!(made.quantile(0.0) >= 0.0, "{made:?}");
    }
}

#[test]
fn scaling_the_estimate_scales_every_quantile() {
    for estimate in zoo() {
        for factor in [2.5, 1e-6, -3.0] {
            let scaled = estimate.scaled(factor);
            for u in [0.013, 0.4, 0.77] {
                let mirrored = if factor < 0.0 { 1.0 - u } else { u };
                let (got, want) = (scaled.quantile(mirrored), factor * estimate.quantile(u));
                assert!((got - want).abs() <= 1e-9 * want.abs().max(factor.abs()), "{estimate:?} x {factor}");
            }
        }
        assert_eq!(estimate.scaled(0.0), Estimate::Fixed(0.0));
    }
}

#[test]
fn a_picture_has_an_area_of_about_one() {
    for estimate in zoo() {
        let curve = estimate.curve(400);
        if !estimate.is_uncertain() {
            assert!(curve.is_empty());
            continue;
        }
        let area: f64 = if matches!(estimate, Estimate::Empirical(_)) {
            curve.iter().map(|(_, d)| d * (curve[1].0 - curve[0].0)).sum()
        } else {
            curve.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum()
        };
        assert!((0.95..1.02).contains(&area), "{estimate:?}: {area}");
        assert!(curve.iter().all(|(x, d)| x.is_finite() && *d >= 0.0 && d.is_finite()));
    }
}

#[test]
fn a_file_reads_back_what_was_written() {
    for estimate in zoo() {
        let text = ron::to_string(&estimate).unwrap();
        assert_eq!(ron::from_str::<Estimate>(&text).unwrap(), estimate, "{text}");
    }
    let read = |text: &str| ron::from_str::<Estimate>(text);
    assert_eq!(read("Fixed(5000)").unwrap(), Estimate::Fixed(5000.0));
    assert_eq!(
        read("Pert(low: 1, mode: 2, high: 4)").unwrap(),
        Estimate::Pert { low: 1.0, mode: 2.0, high: 4.0 }
    );
    assert!(read("Normal(mean: 1, sd: 2, typo: 3)").is_err());
    assert!(read("Normal(mean: 1)").is_err());
    assert!(read("Gauss(mean: 1, sd: 2)").is_err());
}

#[test]
fn wrong_parameters_are_refused_with_what_to_write_instead() {
    let refused = |estimate: Estimate, says: &str| {
        let error = estimate.check().expect_err(&format!("{estimate:?}"));
        assert!(error.to_string().contains(says), "{estimate:?}: {error}");
        assert!(Sampler::new(&estimate).is_err());
        assert!(estimate.to_family(Family::Fixed).is_err());
    };
    refused(Estimate::Fixed(f64::NAN), "write a finite number");
    refused(Estimate::Uniform { low: 3.0, high: 1.0 }, "swap them");
    refused(Estimate::Uniform { low: 3.0, high: 3.0 }, "write Fixed(3)");
    refused(Estimate::Uniform { low: -1.7e308, high: 1.7e308 }, "narrow it");
    refused(Estimate::Triangular { low: 0.0, mode: 9.0, high: 1.0 }, "`mode` is 9, above `high` 1");
    refused(Estimate::Normal { mean: 0.0, sd: -1.0 }, "0 or more");
    refused(Estimate::LogNormal { median: 0.0, p95: 1.0 }, "positive median");
    refused(Estimate::LogNormal { median: 1e-300, p95: 1e300 }, "narrow it");
    refused(Estimate::Beta { alpha: 0.0, beta: 1.0, low: 0.0, high: 1.0 }, "write a shape from 0.01");
    refused(Estimate::Percentiles { p5: 1.0, p50: 1.0, p95: 2.0 }, "both 1");
    let far = 1.0 + 1.01 * PERCENTILES_SKEW_MAX;
    refused(Estimate::Percentiles { p5: 0.0, p50: 1.0, p95: far }, "at most 100 times");
    refused(Estimate::Empirical(vec![]), "at least one value");
    refused(Estimate::Empirical(vec![1.0, f64::INFINITY]), "write a finite number");
}
