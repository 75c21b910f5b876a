//! What a plot shows, as rows of a table: CSV in full precision, one value of one plan per row.
//!
//! Money is US dollars, volume tokens per day, shares 0..=1; a value that does not exist is an empty cell.

use super::drivers::{Grouping, grouped};
use crate::analysis::{BreakEven, Forecast, Outcome, Sensitivity};

/// Rows below a head, as CSV.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // A vector in memory takes every byte, and each row has the cells of the head.
    let mut write = |cells: &[String]| {
        let written = writer.write_record(cells);
        debug_assert!(written.is_ok(), "{cells:?}");
    };
    write(&head.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    rows.into_iter().for_each(|cells| write(&cells));
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn cell(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

/// Cost over volume: each plan at each volume, with its bands where they are drawn.
#[must_use]
pub fn volume(break_even: &BreakEven) -> String {
    let head = ["tokens_per_day", "plan", "usd_per_month", "p5", "p25", "p50", "p75", "p95"];
    let rows = break_even.plans.iter().flat_map(|plan| {
        break_even.volumes.iter().enumerate().map(|(at, volume)| {
            let band = plan.bands.get(at);
            let mut cells = vec![cell(Some(*volume)), plan.name.clone(), cell(plan.usd.get(at).copied())];
            cells.extend(
                [
                    band.map(|b| b.p5),
                    band.map(|b| b.p25),
                    band.map(|b| b.p50),
                    band.map(|b| b.p75),
                    band.map(|b| b.p95),
                ]
                .map(cell),
            );
            cells
        })
    });
    table(&head, rows)
}

/// Cost over the months: each plan in each month, from 1, in closed form and over the draws.
#[must_use]
pub fn months(outcome: &Outcome, forecast: Option<&Forecast>) -> String {
    let head = ["month", "plan", "tokens", "usd_closed_form", "usd_mean", "p5", "p25", "p50", "p75", "p95"];
    let rows = outcome.plans.iter().flat_map(|plan| {
        let drawn = forecast.and_then(|forecast| forecast.plans.iter().find(|drawn| drawn.id == plan.id));
        plan.months.iter().enumerate().map(move |(at, month)| {
            let band = drawn.and_then(|drawn| drawn.months.get(at));
            let mut cells = vec![(at + 1).to_string(), plan.name.clone()];
            cells.extend(
                [
                    Some(month.tokens),
                    Some(month.bill.total()),
                    band.map(|b| b.mean),
                    band.map(|b| b.p5),
                    band.map(|b| b.p25),
                    band.map(|b| b.p50),
                    band.map(|b| b.p75),
                    band.map(|b| b.p95),
                ]
                .map(cell),
            );
            cells
        })
    });
    table(&head, rows)
}

/// The plans side by side.
#[must_use]
pub fn plans(outcome: &Outcome, forecast: Option<&Forecast>) -> String {
    let head = [
        "plan",
        "usd_per_month_closed_form",
        "usd_per_month_mean",
        "mean_error",
        "p5",
        "p50",
        "p95",
        "cheapest_share",
        "quality",
        "ttft_secs",
        "e2e_secs",
    ];
    let rows = outcome.plans.iter().map(|plan| {
        let drawn = forecast.and_then(|forecast| forecast.plans.iter().find(|drawn| drawn.id == plan.id));
        let spread = drawn.map(|drawn| drawn.mean_month);
        let mut cells = vec![plan.name.clone()];
        cells.extend(
            [
                Some(plan.mean_month_usd),
                spread.map(|s| s.mean),
                spread.map(|s| s.mean_error),
                spread.map(|s| s.p5),
                spread.map(|s| s.p50),
                spread.map(|s| s.p95),
                drawn.map(|drawn| drawn.cheapest.share),
                Some(plan.quality),
                Some(plan.latency.ttft_secs),
                Some(plan.latency.e2e_secs),
            ]
            .map(cell),
        );
        cells
    });
    table(&head, rows)
}

/// The first month of each plan, grouped as it is shown.
#[must_use]
pub fn drivers(outcome: &Outcome, grouping: Grouping) -> String {
    let rows = outcome.plans.iter().flat_map(|plan| {
        grouped(&plan.run_rate, grouping)
            .into_iter()
            .map(|(group, usd)| vec![plan.name.clone(), group.to_owned(), cell(Some(usd))])
    });
    table(&["plan", "group", "usd_in_first_month"], rows)
}

/// One at a time: each input at its P10 and P90, with the cost of each plan there. Inputs are named by their paths.
#[must_use]
pub fn tornado(sensitivity: &Sensitivity, names: &[String]) -> String {
    let head = ["input", "p10", "p90", "plan", "usd_at_p10", "usd_at_p90", "flips"];
    let rows = sensitivity.rows.iter().flat_map(|row| {
        names.iter().enumerate().map(|(plan, name)| {
            vec![
                row.path.clone(),
                cell(Some(row.low)),
                cell(Some(row.high)),
                name.clone(),
                cell(row.usd_low.get(plan).copied()),
                cell(row.usd_high.get(plan).copied()),
                row.flips.to_string(),
            ]
        })
    });
    table(&head, rows)
}

/// Rank correlation of each input with the cost of each plan.
#[must_use]
pub fn correlations(forecast: &Forecast) -> String {
    let rows = forecast.plans.iter().zip(&forecast.plan_drivers).flat_map(|(plan, drivers)| {
        drivers.iter().map(|(path, rank)| vec![plan.name.clone(), path.clone(), cell(Some(*rank))])
    });
    table(&["plan", "input", "rank_correlation"], rows)
}

/// How often the mean month of each plan came out between two costs.
#[must_use]
pub fn histograms(forecast: &Forecast) -> String {
    let rows = forecast.plans.iter().flat_map(|plan| {
        let step = (plan.histogram_high - plan.histogram_low) / plan.histogram.len().max(1) as f64;
        plan.histogram.iter().enumerate().map(move |(bin, count)| {
            let from = plan.histogram_low + step * bin as f64;
            vec![plan.name.clone(), cell(Some(from)), cell(Some(from + step)), count.to_string()]
        })
    });
    table(&["plan", "usd_from", "usd_to", "draws"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis;
    use crate::catalog::Catalog;
    use crate::io::presets;
    use crate::scenario::Scenario;

    /// Head and rows of a table, checked to be as wide as its head.
    fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        (head, rows)
    }

    #[test]
    fn a_table_has_a_row_for_each_value_and_the_value_in_full() {
        let draft = presets::load(presets::DEFAULT).unwrap();
        let scenario = Scenario::check(&draft, Catalog::shipped()).unwrap();
        let outcome = analysis::evaluate(&scenario);
        let break_even = analysis::break_even(&scenario);
        let forecast = analysis::forecast(&scenario, 64);
        let plans = outcome.plans.len();
        for (text, rows) in [
            (volume(&break_even), plans * break_even.volumes.len()),
            (months(&outcome, Some(&forecast)), plans * outcome.plans[0].months.len()),
            (super::plans(&outcome, None), plans),
            (histograms(&forecast), forecast.plans.iter().map(|plan| plan.histogram.len()).sum()),
            (correlations(&forecast), forecast.plan_drivers.iter().map(Vec::len).sum()),
        ] {
            assert_eq!(read(&text).1.len(), rows, "{}", text.lines().next().unwrap());
        }
        let (head, rows) = read(&super::plans(&outcome, None));
        let at = head.iter().position(|name| name == "usd_per_month_closed_form").unwrap();
        assert_eq!(rows[0][at].parse::<f64>().unwrap(), outcome.plans[0].mean_month_usd);
        let (_, groups) = read(&drivers(&outcome, Grouping::Driver));
        let sum: f64 = groups
            .iter()
            .filter(|row| row[0] == outcome.plans[0].name)
            .map(|row| row[2].parse::<f64>().unwrap())
            .sum();
        assert!((sum - outcome.plans[0].run_rate.total()).abs() < 1e-6);
    }

    #[test]
    fn a_name_with_commas_and_quotes_comes_back_as_it_was() {
        let name = "a, \"b\"\nc".to_owned();
        let (_, rows) = read(&table(&["name"], [vec![name.clone()]]));
        assert_eq!(rows, [[name]]);
    }
}
