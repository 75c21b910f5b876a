//! Predicted against published, row by row, as CSV.

use std::io::Write;

use crate::analysis::fidelity::Compared;

/// Columns of the table.
const COLUMNS: [&str; 16] = [
    "file",
    "line",
    "regime",
    "engine",
    "model",
    "gpu",
    "model_id",
    "gpu_id",
    "published_tok_s",
    "predicted_tok_s",
    "published_tpot_ms",
    "predicted_tpot_ms",
    "published_ttft_ms",
    "predicted_ttft_ms",
    "published_kernel_us",
    "predicted_kernel_us",
];

/// Writes one row per compared row; what is not published or not predicted is empty.
///
/// # Errors
/// What `out` says.
pub fn write(out: impl Write, compared: &[Compared]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    let number = |x: Option<f64>, scale: f64| x.map_or_else(String::new, |x| format!("{}", x * scale));
    for c in compared {
        let (published, predicted) = (&c.row.published, &c.predicted.figures);
        writer.write_record([
            c.row.file.clone(),
            c.row.line.to_string(),
            c.row.load.regime().to_owned(),
            c.predicted.engine.label().to_owned(),
            c.row.model.clone(),
            c.row.gpu.clone(),
            c.predicted.model.clone(),
            c.predicted.gpu.clone(),
            number(published.tokens_per_sec, 1.0),
            number(predicted.tokens_per_sec, 1.0),
            number(published.tpot_secs, 1e3),
            number(predicted.tpot_secs, 1e3),
            number(published.ttft_secs, 1e3),
            number(predicted.ttft_secs, 1e3),
            number(published.kernel_secs, 1e6),
            number(predicted.kernel_secs, 1e6),
        ])?;
    }
    writer.flush()
}
