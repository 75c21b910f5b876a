//! A narrow plot of something over time or of a distribution: one line per plan, many of them on a page.

use eframe::egui::{Color32, Label, Rangef, RichText, Role, Sense, TextStyle, Ui, Vec2b, WidgetInfo};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotPoint, PlotPoints, VLine, uniform_grid_spacer};

use super::axis;
use crate::app::theme::Theme;
use crate::unit::format::{self, Money};

/// How strongly a line is drawn that is yet to be played back.
const TO_COME: f32 = 0.3;

/// Height of a label with its axis' share of the strip, in points.
const LABEL: f32 = 23.0;

/// Longer than any line, in points.
const ENDLESS: f32 = 1e5;

/// A line of a plan, or of whatever else is compared.
#[derive(Debug, Clone, Copy)]
pub struct StripLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its colour.
    pub color: Color32,
    /// Its points.
    pub points: &'a [PlotPoint],
}

/// What runs along a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Hours since the start, linear.
    Hours,
    /// Seconds, logarithmic: points carry the logarithm.
    Seconds,
}

/// What the figures of a strip are.
#[derive(Debug, Clone, Copy)]
pub enum Figures<'a> {
    /// Plain numbers.
    Numbers,
    /// Shares of one.
    Shares,
    /// US dollars, shown as money of the scenario.
    Usd(&'a Money),
}

impl Figures<'_> {
    /// A figure, as a person reads it.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Numbers => format::significant(value, 3),
            Self::Shares => format::percent(value),
            Self::Usd(money) => money.show(value),
        }
    }

    fn tick(self, value: f64, step: f64) -> String {
        match self {
            Self::Numbers => format::tick(value, step),
            Self::Shares => format::percent(value),
            Self::Usd(money) => money.tick(money.convert(value), money.convert(step)),
        }
    }
}

/// Where one points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pointed {
    /// What lies under the pointer.
    pub over: Option<f64>,
    /// Where the cursor is put: by a click, or by dragging.
    pub put: Option<f64>,
}

impl Pointed {
    /// The later of two, as far as it says something.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { over: self.over.or(other.over), put: self.put.or(other.put) }
    }
}

/// A strip.
pub struct Strip<'a> {
    /// Its title, and its id.
    pub title: &'a str,
    /// Height of the plot in points.
    pub height: f32,
    /// The lines.
    pub lines: &'a [StripLine<'a>],
    /// What runs along.
    pub along: Along,
    /// Bounds along, so that all strips of a row agree.
    pub bounds: (f64, f64),
    /// What its figures are.
    pub figures: Figures<'a>,
    /// Until where it is played back; all of it if not given.
    pub until: Option<f64>,
    /// A place to mark on all strips.
    pub mark: Option<f64>,
    /// Targets to draw, along.
    pub targets: &'a [f64],
}

/// Draws it; returns where it is pointed at.
pub fn strip_ui(ui: &mut Ui, strip: &Strip<'_>) -> Pointed {
    let theme = Theme::of(ui.ctx());
    let value = |points: &[PlotPoint], at: f64| {
        let next = points.partition_point(|point| point.x < at);
        points.get(next.min(points.len().saturating_sub(1))).map(|point| point.y)
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(strip.title).color(theme.text_strong));
        if let Some(at) = strip.mark {
            for line in strip.lines {
                let Some(v) = value(line.points, at) else { continue };
                let text = RichText::new(strip.figures.show(v)).small().color(line.color);
                ui.add(Label::new(text).extend());
            }
        }
    });
    let top = strip.lines.iter().flat_map(|line| line.points).map(|point| point.y).fold(0.0, f64::max);
    let top = if strip.along == Along::Seconds {
        1.02
    } else {
        (top * 1.12).max(if matches!(strip.figures, Figures::Shares) { 0.01 } else { 1e-3 })
    };
    let small = TextStyle::Small.resolve(ui.style());
    let figures = strip.figures;
    let y = AxisHints::new_y()
        .label_spacing(Rangef::new(9.0, 14.0))
        .tick_label_color(theme.text_weak)
        .tick_label_font(small.clone())
        .formatter(move |mark, _| figures.tick(mark.value, mark.step_size));
    let along = strip.along;
    let x = AxisHints::new_x()
        .label_spacing(Rangef::new(20.0, 34.0))
        .tick_label_color(theme.text_weak)
        .tick_label_font(small)
        .formatter(move |mark, range| match along {
            Along::Hours => {
                let (unit, name) = unit_of(range.end() - range.start());
                format!("{} {name}", format::tick(mark.value / unit, mark.step_size / unit))
            }
            Along::Seconds if axis::is_labelled(mark, range) => format::secs(10f64.powf(mark.value)),
            Along::Seconds => String::new(),
        });
    let mut plot = Plot::new(strip.title)
        .height(strip.height)
        .show_background(false)
        .grid_color(theme.line)
        // The pointer alone: what it does here the keys do on the slider of the window.
        .sense(Sense::CLICK | Sense::DRAG)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .auto_bounds(Vec2b::FALSE)
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![y])
        .y_axis_min_width(40.0)
        .show_crosshair(false)
        .label_formatter(|_| None);
    // As many lines across, at round figures, as have room for their labels.
    let step = round_step_from(top * f64::from(LABEL / strip.height));
    plot = plot.y_grid_spacer(uniform_grid_spacer(move |_| [step, step, step]));
    if along == Along::Seconds {
        plot = plot.x_grid_spacer(axis::log_marks);
    } else {
        let (unit, _) = unit_of(strip.bounds.1 - strip.bounds.0);
        let step = unit * round_step((strip.bounds.1 - strip.bounds.0) / unit / 2.0);
        plot = plot.x_grid_spacer(uniform_grid_spacer(move |_| [step, step, step]));
    }
    let shown = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(strip.bounds.0..=strip.bounds.1.max(strip.bounds.0 + 1e-3));
        plot.set_plot_bounds_y(0.0..=top);
        for target in strip.targets {
            plot.vline(VLine::new("", *target).color(theme.warning).width(1.0).allow_hover(false));
        }
        for (place, line) in strip.lines.iter().enumerate() {
            // The first is solid: alone it needs no dash, and beside others it is told apart by having none.
            let style = match (place, along) {
                // One dash that never ends, piece by piece: an upright piece of a solid line is filled, not drawn.
                (0, Along::Seconds) => LineStyle::Dashed { length: ENDLESS },
                (0, Along::Hours) => LineStyle::Solid,
                _ => LineStyle::dashed_dense(),
            };
            let color = line.color;
            let mut draw = |points, color| {
                let points = PlotPoints::Borrowed(points);
                plot.line(Line::new(line.name, points).color(color).width(1.6).style(style));
            };
            if let Some(until) = strip.until {
                draw(line.points, color.gamma_multiply(TO_COME));
                draw(&line.points[..line.points.partition_point(|point| point.x <= until)], color);
            } else {
                draw(line.points, color);
            }
        }
        if let Some(at) = strip.mark {
            plot.vline(VLine::new("", at).color(theme.text_weak).width(1.0).allow_hover(false));
        }
        let response = plot.response();
        let at = plot.pointer_coordinate().map(|at| at.x.clamp(strip.bounds.0, strip.bounds.1));
        let put = response.clicked() || response.dragged();
        Pointed { over: at.filter(|_| response.hovered()), put: at.filter(|_| put) }
    });
    let words = format!("{} over {}", strip.title, if along == Along::Hours { "hours" } else { "seconds" });
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    shown.inner
}

/// The unit of an axis of so many hours: its length in hours, and its name.
fn unit_of(hours: f64) -> (f64, &'static str) {
    match hours {
        hours if hours < 2.0 / 60.0 => (1.0 / 3_600.0, "s"),
        hours if hours < 2.0 => (1.0 / 60.0, "min"),
        hours if hours < 72.0 => (1.0, "h"),
        _ => (24.0, "d"),
    }
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `most`.
fn round_step(most: f64) -> f64 {
    let power = 10f64.powf(most.max(1e-9).log10().floor());
    let times = most / power;
    power
        * if times >= 5.0 {
            5.0
        } else if times >= 2.0 {
            2.0
        } else {
            1.0
        }
}

/// The smallest of 1, 2, 5 and 10 times a power of ten that is not below `least`.
fn round_step_from(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-9).log10().floor());
    let enough = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least);
    power * enough.unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_not_below_what_has_room() {
        for (least, step) in [(0.4, 0.5), (1.0, 1.0), (4.9, 5.0), (5.1, 10.0), (130.0, 200.0)] {
            assert!((round_step_from(least) - step).abs() < 1e-12, "{least}: {}", round_step_from(least));
        }
    }

    #[test]
    fn steps_are_round_and_not_above_what_is_wanted() {
        for (most, step) in [(0.4, 0.2), (1.0, 1.0), (4.9, 2.0), (5.0, 5.0), (130.0, 100.0), (0.06, 0.05)] {
            assert!((round_step(most) - step).abs() < 1e-12, "{most}: {}", round_step(most));
        }
    }
}
