//! What is under the pointer on one plot, shown on every other plot of the page.
//!
//! A plot draws a [`Mark`] where another one is pointed at, and answers what is pointed at on itself ([`Pointed`]).
//! The page says what the place of one plot means on another: a month is a volume, too.

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{CornerRadius, Rect, Stroke, StrokeKind, TextStyle, Ui, Vec2, vec2};
use egui_plot::{LineStyle, MarkerShape, PlotPoint, PlotTransform, PlotUi, Points, VLine};

use crate::app::money::money;
use crate::app::theme::{Theme, space};

/// How near the pointer is to a curve that it means, in points.
const NEAR: f32 = 12.0;

/// Values that a readout lists; a longer list hides what it is about.
const LISTED_MAX: usize = 8;

/// Height of a line of a readout, and the room around its text, in points.
const LINE: f32 = 15.0;
const PAD: Vec2 = vec2(7.0, 4.0);

/// What was pointed at on a page, as the last frame saw it. Of volume and month at most one is known: the one whose
/// plot is under the pointer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cursor {
    /// Volume, tokens per day.
    pub volume: Option<f64>,
    /// Month, from 0.
    pub month: Option<usize>,
    /// Cost of a month, US dollars.
    pub usd: Option<f64>,
    /// Position of a plan in the scenario.
    pub plan: Option<usize>,
}

/// A place on the horizontal axis that is shown with the value of every curve there.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The place: tokens per day, or the month from 0.
    pub at: f64,
    /// What it is, in words.
    pub title: String,
}

/// What is pointed at on a plot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pointed {
    /// The place on the horizontal axis, in its units.
    pub at: Option<f64>,
    /// The plan whose curve is meant.
    pub plan: Option<usize>,
}

/// The value of one curve at a place.
pub(super) struct Reading<'a> {
    /// Position of the plan in the scenario.
    pub plan: usize,
    /// Its name.
    pub name: &'a str,
    /// Where it is on the vertical axis.
    pub y: f64,
    /// US dollars per month.
    pub usd: f64,
}

/// The plan whose curve the pointer is near, if it is near one.
pub(super) fn near(plot: &PlotUi<'_>, x: f64, readings: &[Reading<'_>]) -> Option<usize> {
    let pointer = plot.pointer_coordinate()?;
    let at = plot.screen_from_plot(pointer);
    let distance =
        |reading: &Reading<'_>| (plot.screen_from_plot(PlotPoint::new(x, reading.y)).y - at.y).abs();
    let nearest = readings.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    (distance(nearest) < NEAR).then_some(nearest.plan)
}

/// Draws a line at `x` and a dot on each curve.
pub(super) fn mark_ui(plot: &mut PlotUi<'_>, x: f64, readings: &[Reading<'_>], theme: &Theme) {
    let line = VLine::new("", x).color(theme.text_weak).width(1.0).allow_hover(false);
    plot.vline(line.style(LineStyle::Dashed { length: 4.0 }));
    for reading in readings {
        let dot = Points::new("", vec![[x, reading.y]]).shape(MarkerShape::Circle).radius(3.5).filled(true);
        plot.points(dot.color(theme.plan(reading.plan)).allow_hover(false));
    }
}

/// Writes the values at `x` over a plot, the cheapest first, on the side where the line is not.
pub(super) fn readout_ui(
    ui: &Ui,
    transform: &PlotTransform,
    x: f64,
    title: &str,
    readings: &[Reading<'_>],
    theme: &Theme,
) {
    let (font, money) = (TextStyle::Small.resolve(ui.style()), money(ui.ctx()));
    let write = |text: String, color| ui.painter().layout_no_wrap(text, font.clone(), color);
    let mut sorted: Vec<&Reading<'_>> = readings.iter().collect();
    sorted.sort_by(|a, b| a.usd.total_cmp(&b.usd));
    sorted.truncate(LISTED_MAX);
    let frame = *transform.frame();
    let name_room = (0.45 * frame.width()).max(60.0);
    let title = write(title.to_owned(), theme.text_strong);
    let rows: Vec<_> = sorted
        .iter()
        .map(|reading| {
            let color = theme.plan(reading.plan);
            let mut job = LayoutJob::simple_singleline(reading.name.to_owned(), font.clone(), color);
            job.wrap = TextWrapping::truncate_at_width(name_room);
            (write(money.show(reading.usd), theme.text_strong), ui.painter().layout_job(job))
        })
        .collect();
    let figures = rows.iter().map(|(usd, _)| usd.size().x).fold(0.0, f32::max);
    let names = rows.iter().map(|(_, name)| name.size().x).fold(0.0, f32::max);
    let line = title.size().y.max(LINE);
    let width = title.size().x.max(figures + space::S + names);
    let size = vec2(width, line * (rows.len() + 1) as f32) + 2.0 * PAD;
    let left = transform.position_from_point(&PlotPoint::new(x, 0.0)).x > frame.center().x;
    let corner =
        if left { frame.left_top() } else { frame.right_top() - vec2(size.x, 0.0) } + vec2(0.0, space::XS);
    let box_rect = Rect::from_min_size(corner, size);
    let painter = ui.painter().with_clip_rect(frame);
    painter.rect(
        box_rect,
        CornerRadius::same(4),
        theme.raised.gamma_multiply(0.94),
        Stroke::new(1.0, theme.line),
        StrokeKind::Inside,
    );
    let mut at = corner + PAD;
    painter.galley(at, title, theme.text_strong);
    for (usd, name) in rows {
        at.y += line;
        painter.galley(at + vec2(figures - usd.size().x, 0.0), usd, theme.text_strong);
        painter.galley(at + vec2(figures + space::S, 0.0), name, theme.text);
    }
}
