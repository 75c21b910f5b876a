//! A fit over its data: how many lengths are at most so long, observed and fitted.

use eframe::egui::{Align2, Rect, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::axis;
use super::paint::{Scale, text_ui};
use crate::app::theme::Theme;
use crate::unit::format;
use crate::workload::LengthFit;

const HEIGHT: f32 = 130.0;

/// Draws the observed and the fitted cumulative distribution over the logarithm of the length, and how far apart they are.
pub fn cdf_ui(ui: &mut Ui, title: &str, lengths: &LengthFit) {
    let theme = Theme::of(ui.ctx());
    let chosen = lengths.fits.iter().position(|fit| fit.method == lengths.chosen);
    let words = chosen.and_then(|at| lengths.fits.get(at)).map_or_else(
        || format!("{title}: no family fits"),
        |fit| {
            format!(
                "{title}: {}, median {}, P95 {}, mean {} {}, largest distance {}",
                fit.method.name(),
                format::count(fit.length.median.round()),
                format::count(fit.length.p95.round()),
                format::percent(fit.goodness.mean_error.abs()),
                if fit.goodness.mean_error < 0.0 { "low" } else { "high" },
                format::significant(fit.goodness.ks, 2)
            )
        },
    );
    ui.small(&words);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let field = Rect::from_min_max(
        pos2(rect.left() + 34.0, rect.top() + 4.0),
        pos2(rect.right(), rect.bottom() - 16.0),
    );
    let (Some(first), Some(last)) = (lengths.curve.first(), lengths.curve.last()) else { return };
    let (low, high) = (axis::log(first.tokens.max(1.0)), axis::log(last.tokens.max(2.0)));
    let scale = Scale::new(low, high, field.left(), field.right());
    let y = |share: f64| field.bottom() - field.height() * share.clamp(0.0, 1.0) as f32;
    for share in [0.0, 0.5, 1.0] {
        let line = [pos2(field.left(), y(share)), pos2(field.right(), y(share))];
        ui.painter().line_segment(line, Stroke::new(1.0, theme.line));
        let at = pos2(field.left() - 4.0, y(share));
        text_ui(
            ui,
            at,
            Align2::RIGHT_CENTER,
            &format::percent(share),
            &TextStyle::Small,
            theme.text_weak,
            34.0,
        );
    }
    let mut decade = low.ceil();
    while decade <= high {
        let x = scale.x(decade);
        ui.painter()
            .line_segment([pos2(x, field.top()), pos2(x, field.bottom())], Stroke::new(1.0, theme.line));
        let label = format::tick(10f64.powf(decade), 0.0);
        let at = pos2(x.min(field.right() - 12.0), field.bottom() + 2.0);
        text_ui(ui, at, Align2::CENTER_TOP, &label, &TextStyle::Small, theme.text_weak, 40.0);
        decade += 1.0;
    }
    let place = |tokens: f64, share: f64| pos2(scale.x(axis::log(tokens.max(1.0))), y(share));
    let data: Vec<_> = lengths.curve.iter().map(|point| place(point.tokens, point.data)).collect();
    ui.painter().line(data, Stroke::new(2.0, theme.text));
    if let Some(at) = chosen {
        let fitted: Vec<_> = lengths
            .curve
            .iter()
            .map(|point| place(point.tokens, point.fits.get(at).copied().unwrap_or(0.0)))
            .collect();
        ui.painter().line(fitted, Stroke::new(2.0, theme.accent));
    }
    let corner = pos2(field.left() + 6.0, field.top() + 2.0);
    let used = text_ui(ui, corner, Align2::LEFT_TOP, "trace", &TextStyle::Small, theme.text, 60.0);
    let next = pos2(corner.x, used.bottom());
    text_ui(ui, next, Align2::LEFT_TOP, "fit", &TextStyle::Small, theme.accent, 60.0);
}
