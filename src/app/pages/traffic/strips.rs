//! A simulated window over time, with a cursor that is dragged or played back, and its times as distributions.

use std::cell::Cell as Shared;

use eframe::egui::{Button, ComboBox, RichText, Slider, SliderClamping, Ui};
use egui_plot::PlotPoint;

use super::TrafficState;
use crate::app::plots::axis::log;
use crate::app::plots::strip::{Along, Figures, Pointed, Strip, StripLine, strip_ui};
use crate::app::theme::Theme;
use crate::app::traffic::{Played, Series, Span};
use crate::app::widgets::{Cell, columns, grid};
use crate::report;
use crate::scenario::ScenarioDraft;
use crate::stats::Estimate;
use crate::unit::HOURS_PER_WEEK;
use crate::unit::format::{self, Money};
use crate::workload::Slo;

/// Height of a strip, and least width.
const STRIP: f32 = 96.0;
const WIDTH: f32 = 250.0;

/// Seconds of the window per second of playing it back.
const SPEEDS: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// The cursor over the timelines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Playback {
    /// Where it stands, in hours after the start; nowhere at first.
    pub at: Option<f64>,
    /// Whether it moves by itself.
    pub playing: bool,
    /// How fast, as a place in [`SPEEDS`].
    speed: usize,
}

impl Default for Playback {
    fn default() -> Self {
        Self { at: None, playing: false, speed: 3 }
    }
}

impl Playback {
    /// Moves on by a frame of so many seconds, to `end` hours at the most.
    fn tick(&mut self, frame_secs: f64, end: f64) {
        if !self.playing {
            return;
        }
        let at = self.at.unwrap_or(0.0) + frame_secs * SPEEDS[self.speed.min(SPEEDS.len() - 1)] / 3_600.0;
        self.at = Some(at.min(end));
        self.playing = at < end;
    }

    /// Begins, from the start where it stands at the end; or holds.
    fn toggle(&mut self, end: f64) {
        self.playing ^= true;
        if self.playing && self.at.is_none_or(|at| at >= end) {
            self.at = Some(0.0);
        }
    }
}

/// When it is, in words: the hour of the week where the workload is modelled, and the time since the start.
fn moment(played: &Played, hours: f64) -> String {
    let since = format::secs((hours * 3_600.0).max(0.0));
    if played.traffic.replayed {
        return since;
    }
    let first = played.traffic.window.first_hour;
    let hour = (first + hours as usize) % HOURS_PER_WEEK;
    let minute = (hours.fract() * 60.0) as u32;
    let day = report::hour_of_week(hour);
    let day = day.strip_suffix("00").unwrap_or(&day);
    format!("{day}{minute:02}, {since}")
}

/// Draws what moves the cursor: play and hold, the time as a slider, the speed.
pub fn playback_ui(ui: &mut Ui, playback: &mut Playback, played: &[Played]) {
    let theme = Theme::of(ui.ctx());
    let Some(first) = played.first() else { return };
    let (end, step) = (end_of(played), first.traffic.timeline.bin_secs / 3_600.0);
    playback.tick(f64::from(ui.input(|input| input.stable_dt)), end);
    if playback.playing {
        ui.ctx().request_repaint();
    }
    ui.horizontal(|ui| {
        let text = if playback.playing { "Hold" } else { "Play back" };
        if ui.add(Button::new(text).min_size(eframe::egui::vec2(76.0, 24.0))).clicked() {
            playback.toggle(end);
        }
        let combo = ComboBox::from_id_salt("speed").selected_text(speed(playback.speed)).width(76.0);
        let shown = combo.show_ui(ui, |ui| {
            for place in 0..SPEEDS.len() {
                ui.selectable_value(&mut playback.speed, place, speed(place));
            }
        });
        super::label(ui, shown.response.id, "Speed of playing back");
        let words = playback.at.map_or_else(String::new, |at| moment(first, at));
        ui.spacing_mut().slider_width = (ui.available_width() - 190.0).max(80.0);
        let mut at = playback.at.unwrap_or(0.0);
        let slider = Slider::new(&mut at, 0.0..=end).show_value(false).step_by(step).trailing_fill(true);
        let slider = ui.add(slider.clamping(SliderClamping::Edits));
        super::label(ui, slider.id, "Time in the window");
        if slider.changed() {
            (playback.at, playback.playing) = (Some(at), false);
        }
        if slider.double_clicked() {
            playback.at = None;
        }
        slider.on_hover_text("Drag, or step with the arrow keys; double click: no cursor");
        let hint = if words.is_empty() { "no moment is picked" } else { &words };
        ui.label(RichText::new(hint).small().color(theme.text_weak));
    });
}

fn speed(place: usize) -> String {
    format!("x{}", format::tick(SPEEDS[place.min(SPEEDS.len() - 1)], 1.0))
}

/// Hours that the strips show.
fn end_of(played: &[Played]) -> f64 {
    played.iter().map(|one| one.traffic.window.secs / 3_600.0).fold(1e-3, f64::max)
}

/// A line for each plan, in its name and colour.
fn lines<'a>(
    played: &'a [Played],
    theme: &Theme,
    points: impl Fn(&'a Played) -> &'a [PlotPoint],
) -> Vec<StripLine<'a>> {
    let line = |one: &'a Played| StripLine {
        name: &one.traffic.name,
        color: theme.plan(one.plan),
        points: points(one),
    };
    played.iter().map(line).collect()
}

/// Draws what happened over time, all on one axis and under one cursor.
pub fn strips_ui(ui: &mut Ui, state: &mut TrafficState, played: &[Played], money: &Money) {
    let theme = Theme::of(ui.ctx());
    let end = end_of(played);
    let pointed = Shared::new(Pointed::default());
    let mark = state.hours.or(state.playback.at);
    let until = state.playback.playing.then_some(state.playback.at).flatten();
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for series in Series::ALL {
        let mut lines = lines(played, &theme, |one| one.line(series));
        lines.retain(|line| line.points.iter().any(|point| point.y > 0.0));
        if lines.is_empty() {
            continue;
        }
        let pointed = &pointed;
        cells.push(Box::new(move |ui: &mut Ui| {
            let figures = match series {
                series if series.is_share() => Figures::Shares,
                series if series.is_money() => Figures::Usd(money),
                _ => Figures::Numbers,
            };
            let strip = Strip {
                title: series.text(),
                height: STRIP,
                lines: &lines,
                along: Along::Hours,
                bounds: (0.0, end),
                figures,
                until,
                mark,
                targets: &[],
            };
            pointed.set(strip_ui(ui, &strip).or(pointed.get()));
        }));
    }
    grid(ui, WIDTH, cells);
    let Pointed { over, put } = pointed.get();
    state.hours = over;
    if put.is_some() {
        (state.playback.at, state.playback.playing) = (put, false);
    }
}

/// Draws the times that callers felt as distributions, with the tightest target.
pub fn curves_ui(ui: &mut Ui, draft: &ScenarioDraft, state: &mut TrafficState, played: &[Played]) {
    let theme = Theme::of(ui.ctx());
    let pointed = Shared::new(Pointed::default());
    let mark = state.seconds;
    let tightest = |of: fn(&Slo<Estimate>) -> f64| {
        let enabled = draft.workload.use_cases.iter().filter(|use_case| use_case.enabled);
        enabled.map(|use_case| of(&use_case.slo)).fold(f64::INFINITY, f64::min)
    };
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for span in Span::ALL {
        let mut lines = lines(played, &theme, |one| one.curve(span));
        lines.retain(|line| !line.points.is_empty());
        let ends = || lines.iter().flat_map(|line| line.points).map(|point| point.x);
        let bounds = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        if !bounds.0.is_finite() {
            continue;
        }
        let target = match span {
            Span::Ttft => tightest(|slo| slo.ttft_secs.point()),
            Span::Tpot => tightest(|slo| slo.tpot_secs.point()),
            Span::E2e => f64::INFINITY,
        };
        let pointed = &pointed;
        cells.push(Box::new(move |ui: &mut Ui| {
            let target = log(target.clamp(1e-6, 1e9));
            let targets = [target];
            let strip = Strip {
                title: span.text(),
                height: 1.3 * STRIP,
                lines: &lines,
                along: Along::Seconds,
                bounds: (bounds.0 - 0.1, bounds.1 + 0.1),
                figures: Figures::Shares,
                until: None,
                mark,
                targets: if target < 8.0 { &targets } else { &[] },
            };
            pointed.set(strip_ui(ui, &strip).or(pointed.get()));
        }));
    }
    columns(ui, (ui.available_width() / 3.2).max(WIDTH), cells);
    state.seconds = pointed.get().over;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playing_back_goes_to_the_end_and_begins_again_from_the_start() {
        let mut playback = Playback::default();
        playback.toggle(2.0);
        playback.tick(3.6, 2.0);
        assert_eq!(playback.at, Some(1.0), "a thousand seconds a second");
        playback.tick(3.7, 2.0);
        assert_eq!((playback.at, playback.playing), (Some(2.0), false));
        playback.toggle(2.0);
        assert_eq!((playback.at, playback.playing), (Some(0.0), true));
    }
}
