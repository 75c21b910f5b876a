//! What a frame costs the processor while one drags, and how soon after an edit the first band is there.
//!
//! `cargo bench --features window-tests --bench window [-- frame|band]`
//!
//! Frames are run without a display: layout, painting into shapes and the closed-form answer count, rasterising does
//! not. The forecast runs on its threads meanwhile, as in the program. A mean hides what one feels, so that median
//! and 99th percentile are printed, and not criterion's estimate; beside the wall clock stands the time for which the
//! thread had a processor, which other programs do not add to.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use breakeven::app::{App, AppOptions, Setup};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

/// Frames of one drag.
const FRAMES: usize = 400;

/// Edits whose first band is awaited.
const EDITS: usize = 40;

fn window(preset: &str) -> Harness<'static, App> {
    let options = AppOptions { file: None, preset: Some(preset.to_owned()) };
    let mut harness = Harness::builder()
        .with_size(vec2(1920.0, 1080.0))
        .build_eframe(move |creation| App::new(&creation.egui_ctx, Setup::new(options)));
    harness.run_steps(20);
    harness
}

/// Presses on the slider of a use case's first quantity; returns where.
fn grasp(harness: &mut Harness<'_, App>) -> Pos2 {
    let slider =
        harness.query_all_by_role(Role::Slider).next().map(|node| node.rect()).expect("a page with a slider");
    let at = slider.center();
    harness.hover_at(at);
    harness.run_steps(2);
    harness.drag_at(at);
    harness.run_steps(2);
    at
}

/// Time for which this thread has had a processor; none where the system does not say.
fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// A message each time the window asks to be drawn again.
fn wakes(harness: &Harness<'_, App>) -> Receiver<()> {
    let (wake, woken) = channel();
    harness.ctx.set_request_repaint_callback(move |_| {
        let _ = wake.send(());
    });
    woken
}

/// Back and forth over a quarter of the slider.
fn place(at: Pos2, frame: usize) -> Pos2 {
    at + vec2(50.0 * (frame as f32 / 12.0).sin(), 0.0)
}

fn drag(preset: &str, page: Key, name: &str) {
    let mut harness = window(preset);
    harness.key_press_modifiers(Modifiers::COMMAND, page);
    harness.run_steps(4);
    let at = grasp(&mut harness);
    let mut times = Vec::with_capacity(FRAMES);
    let mut worked = Vec::with_capacity(FRAMES);
    for frame in 0..FRAMES {
        harness.hover_at(place(at, frame));
        let (began, before) = (Instant::now(), processor());
        harness.step();
        times.push(began.elapsed());
        worked.extend(processor().zip(before).map(|(now, before)| now.saturating_sub(before)));
    }
    harness.drop_at(at);
    report(&format!("frame, {preset}, {name}, wall clock"), &mut times);
    report(&format!("frame, {preset}, {name}, on the processor"), &mut worked);
}

fn first_band(preset: &str) {
    let mut harness = window(preset);
    let at = grasp(&mut harness);
    let woken = wakes(&harness);
    let mut times = Vec::with_capacity(EDITS);
    for edit in 0..EDITS {
        harness.hover_at(place(at, 7 * edit + 3));
        let began = Instant::now();
        harness.step();
        while !harness.state().is_drawn() && began.elapsed() < Duration::from_secs(5) {
            // As the program does: it sleeps until there is something to show.
            let _ = woken.recv_timeout(Duration::from_millis(50));
            harness.step();
        }
        times.push(began.elapsed());
    }
    report(&format!("first band after an edit, {preset}"), &mut times);
}

fn report(name: &str, times: &mut [Duration]) {
    if times.is_empty() {
        return;
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    // Some systems count a thread's time in ticks of some milliseconds: then the mean alone is to be trusted.
    let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64 * 1e3;
    println!(
        "{name}: mean {mean:.2} ms, median {:.2} ms, P99 {:.2} ms, most {:.2} ms ({} times)",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |what: &str| only.as_deref().is_none_or(|only| only == what);
    for preset in ["customer-support-chatbot", "code-review-assistant"] {
        for (page, name) in [(Key::Num1, "Overview"), (Key::Num2, "Break-even"), (Key::Num4, "Workload")] {
            if wanted("frame") {
                drag(preset, page, name);
            }
        }
        if wanted("band") {
            first_band(preset);
        }
    }
}
