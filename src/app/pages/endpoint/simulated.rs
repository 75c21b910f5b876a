//! What only the page *Traffic* plays of a deployment: how sequences make room, and replicas for prompts alone.

use eframe::egui::{RichText, Ui};

use crate::app::theme::Theme;
use crate::app::widgets::{Form, choice, number, toggle, whole};
use crate::serving::{Preemption, PrefillReplicas};
use crate::unit::format::Unit;

/// Where swapping starts from: PCI Express 5.0 over 16 lanes, one way (PCI-SIG: 32 GT/s a lane, 128b/130b), in bytes
/// per second.
const HOST_BYTES_PER_SEC: f64 = 63e9;

/// Most replicas that can be asked for.
const REPLICAS_MAX: u32 = 10_000;

/// Draws both.
pub fn simulated_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    preemption: &mut Option<Preemption>,
    prefill: &mut Option<PrefillReplicas>,
) {
    let mut swaps = matches!(preemption, Some(Preemption::Swap { .. }));
    let ways = [(false, "Computes it again".to_owned()), (true, "Swaps it to host memory".to_owned())];
    if choice(ui, "When KV is full, a sequence", &mut swaps, &ways) {
        *preemption = swaps.then_some(Preemption::Swap { host_bytes_per_sec: HOST_BYTES_PER_SEC });
    }
    if let Some(Preemption::Swap { host_bytes_per_sec }) = preemption {
        ui.horizontal(|ui| {
            ui.label("To host memory");
            number(ui, "To host memory", host_bytes_per_sec, Unit::BytesPerSec);
        });
    }
    form.problems_of(ui, "preemption.host_bytes_per_sec");
    let mut apart = prefill.is_some();
    if toggle(ui, "Prompts on replicas of their own", &mut apart, "They compute prompts; the others answer")
        .changed()
    {
        *prefill = apart.then_some(PrefillReplicas { replicas: 1 });
    }
    if let Some(prefill) = prefill {
        ui.horizontal(|ui| {
            ui.label("Replicas for prompts");
            whole(ui, "Replicas for prompts", &mut prefill.replicas, 1..=REPLICAS_MAX);
        });
    }
    form.problems_of(ui, "prefill.replicas");
    form.problems_of(ui, "prefill");
    let words = "Played on the page Traffic; bills take every replica as doing both.";
    ui.label(RichText::new(words).small().color(Theme::of(ui.ctx()).text_weak));
}
