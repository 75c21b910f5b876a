//! The editor of a length: median, P95, family, and a small picture of the lengths that follow.

use eframe::egui::{Align2, CornerRadius, Rect, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::{Form, choice};
use crate::app::plots::paint::{Scale, text_ui};
use crate::app::theme::Theme;
use crate::stats::Estimate;
use crate::stats::quantities::Instantiate as _;
use crate::unit::format;
use crate::workload::{Length, LengthSpread};

/// Bars of the small picture.
const BINS: usize = 36;

/// Draws the editor; `title` names the length.
pub fn length_ui(ui: &mut Ui, form: &Form<'_>, title: &str, length: &mut Length<Estimate>) {
    form.quantity(ui, "median", &mut length.median);
    if matches!(length.spread, LengthSpread::LogNormal | LengthSpread::Gamma) {
        form.quantity(ui, "p95", &mut length.p95);
    }
    let mut options = vec![
        (LengthSpread::Fixed, "All alike".to_owned()),
        (LengthSpread::LogNormal, "Log-normal".to_owned()),
        (LengthSpread::Gamma, "Gamma".to_owned()),
    ];
    // A table comes from a trace or a file; it is there to stay or to be left, not to be made here.
    if let LengthSpread::Empirical(table) = &length.spread {
        options.push((length.spread.clone(), format!("As observed ({} knots)", table.knots())));
    }
    choice(ui, &format!("Spread of {title}"), &mut length.spread, &options);
    picture_ui(ui, title, &length.instantiate(&mut Estimate::point));
}

/// A histogram of the lengths at the point values, with its mean.
fn picture_ui(ui: &mut Ui, title: &str, length: &Length<f64>) {
    let theme = Theme::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::hover());
    let field = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - 15.0));
    let high = (length.quantile(0.985) * 1.05).max(1.0);
    let scale = Scale::new(0.0, high, field.left(), field.right());
    let step = high / BINS as f64;
    let shares: Vec<f64> = (0..BINS)
        .map(|bin| length.survival(step * bin as f64) - length.survival(step * (bin + 1) as f64))
        .collect();
    let most = shares.iter().copied().fold(1e-12, f64::max);
    for (bin, share) in shares.iter().enumerate() {
        let tall = field.height() * (share / most) as f32;
        let (left, right) = (scale.x(step * bin as f64), scale.x(step * (bin + 1) as f64) - 1.0);
        let bar = Rect::from_min_max(
            pos2(left, field.bottom() - tall),
            pos2(right.max(left + 0.5), field.bottom()),
        );
        ui.painter().rect_filled(bar, CornerRadius::ZERO, theme.accent.gamma_multiply(0.45));
    }
    ui.painter().line_segment([field.left_bottom(), field.right_bottom()], Stroke::new(1.0, theme.line));
    let mean = length.mean();
    let x = scale.x(mean);
    ui.painter().line_segment([pos2(x, field.top()), pos2(x, field.bottom())], Stroke::new(1.5, theme.text));
    let text = format!("mean {} tokens", format::count(mean.round()));
    let at =
        pos2(x.clamp(field.left() + 60.0, (field.right() - 60.0).max(field.left() + 60.0)), field.bottom());
    text_ui(ui, at, Align2::CENTER_TOP, &text, &TextStyle::Small, theme.text_weak, 160.0);
    let words = format!("{title}: {text}, 99 % below {}", format::count(length.quantile(0.99).round()));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let _ = response.on_hover_text(words);
}
