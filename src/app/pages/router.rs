//! The editor of routing: everything to one, by share, small model first, or own capacity first.

use eframe::egui::{Button, RichText, Ui};

use super::plans::FIELD;
use crate::app::theme::{Theme, space};
use crate::app::widgets::{Form, choice, columns};
use crate::routing::{
    Cascade, CascadeStep, Endpoint, Overflow, Plan, Route, RouteShare, Router, Serves, Split,
};
use crate::stats::Estimate;
use crate::unit::format;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Single,
    Split,
    Cascade,
    Overflow,
}

/// Draws the router of the plan, and those of use cases that are routed otherwise.
pub fn ui(ui: &mut Ui, form: &Form<'_>, plan: &mut Plan<Estimate>, use_cases: &[(String, String)]) {
    let names: Vec<(String, String)> =
        plan.endpoints.iter().map(|endpoint| (endpoint.id.clone(), endpoint.name.clone())).collect();
    router_ui(ui, &form.at("router"), "All requests", &mut plan.router, &names, &plan.endpoints);
    form.problems_of(ui, "router");
    let mut removed = None;
    for (index, route) in plan.routes.iter_mut().enumerate() {
        let name =
            use_cases.iter().find(|(id, _)| *id == route.use_case).map_or(&route.use_case, |(_, name)| name);
        let title = format!("Only {name}");
        ui.push_id(&route.use_case, |ui| {
            ui.add_space(space::S);
            let form = form.at("routes").at(&index.to_string()).at("router");
            router_ui(ui, &form, &title, &mut route.router, &names, &plan.endpoints);
            if ui.small_button("Route like the rest").clicked() {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        plan.routes.remove(index);
    }
    let free: Vec<&(String, String)> =
        use_cases.iter().filter(|(id, _)| !plan.routes.iter().any(|route| route.use_case == *id)).collect();
    if use_cases.len() > 1 && !free.is_empty() && !names.is_empty() {
        ui.menu_button("Route a use case otherwise…", |ui| {
            for (id, name) in free {
                if ui.button(name).clicked() {
                    let router = Router::Single(names[0].0.clone());
                    plan.routes.push(Route { use_case: id.clone(), router });
                    ui.close();
                }
            }
        });
    }
}

fn kind(router: &Router<Estimate>) -> Kind {
    match router {
        Router::Single(_) => Kind::Single,
        Router::Split(_) => Kind::Split,
        Router::Cascade(_) => Kind::Cascade,
        Router::Overflow(_) => Kind::Overflow,
    }
}

/// The endpoints that a router names.
#[must_use]
pub fn endpoints(router: &Router<Estimate>) -> Vec<&str> {
    match router {
        Router::Single(id) => vec![id],
        Router::Split(split) => split.shares.iter().map(|share| share.endpoint.as_str()).collect(),
        Router::Cascade(cascade) => cascade.steps.iter().map(|step| step.endpoint.as_str()).collect(),
        Router::Overflow(overflow) => vec![&overflow.primary, &overflow.fallback],
    }
}

/// Takes an endpoint that is gone out of a router; what is left names one that is there.
pub fn forget(router: &mut Router<Estimate>, gone: &str, left: &[Endpoint<Estimate>]) {
    let Some(first) = left.first() else { return };
    match router {
        Router::Split(split) if split.shares.len() > 1 => {
            split.shares.retain(|share| share.endpoint != gone);
            normalise(split);
        }
        Router::Cascade(cascade) if cascade.steps.len() > 1 => {
            cascade.steps.retain(|step| step.endpoint != gone)
        }
        _ => {}
    }
    if endpoints(router).contains(&gone) || endpoints(router).is_empty() {
        *router = Router::Single(first.id.clone());
    }
}

/// Scales fixed shares so that they add up to 1.
fn normalise(split: &mut Split<Estimate>) {
    let sum: f64 = split.shares.iter().map(|share| share.share.point()).sum();
    if sum > 0.0 && (sum - 1.0).abs() > 1e-9 {
        split.shares.iter_mut().for_each(|share| share.share = share.share.scaled(1.0 / sum));
    }
}

/// A router of the chosen kind over the endpoints that are there.
fn started(
    kind: Kind,
    names: &[(String, String)],
    endpoints: &[Endpoint<Estimate>],
) -> Option<Router<Estimate>> {
    let ids: Vec<&str> = names.iter().map(|(id, _)| id.as_str()).collect();
    let first = *ids.first()?;
    Some(match kind {
        Kind::Single => Router::Single(first.to_owned()),
        Kind::Split => {
            let each = 1.0 / ids.len() as f64;
            Router::Split(Split::new(&ids.iter().map(|id| (*id, each)).collect::<Vec<_>>()))
        }
        Kind::Cascade => {
            Router::Cascade(Cascade::new(&ids.iter().map(|id| (*id, ACCEPTED)).collect::<Vec<_>>()))
        }
        Kind::Overflow => {
            let own = |endpoint: &&Endpoint<Estimate>| matches!(endpoint.serves, Serves::SelfHosted(_));
            let primary = endpoints.iter().find(own).map_or(first, |endpoint| endpoint.id.as_str());
            let fallback = ids.iter().find(|id| **id != primary).copied().unwrap_or(first);
            Router::Overflow(Overflow::new(primary, fallback))
        }
    })
}

/// Share of answers of a smaller model that a new cascade starts from; shown, and meant to be replaced.
const ACCEPTED: f64 = 0.75;

fn router_ui(
    ui: &mut Ui,
    form: &Form<'_>,
    title: &str,
    router: &mut Router<Estimate>,
    names: &[(String, String)],
    endpoints: &[Endpoint<Estimate>],
) {
    let mut chosen = kind(router);
    let options = [
        (Kind::Single, "To one endpoint".to_owned()),
        (Kind::Split, "Split by share".to_owned()),
        (Kind::Cascade, "Cascade: small model first".to_owned()),
        (Kind::Overflow, "Overflow: own GPUs first, an API for the rest".to_owned()),
    ];
    ui.scope(|ui| {
        ui.set_max_width(340.0);
        if choice(ui, title, &mut chosen, &options)
            && let Some(made) = started(chosen, names, endpoints)
        {
            *router = made;
        }
    });
    match router {
        Router::Single(id) => {
            ui.scope(|ui| {
                ui.set_max_width(340.0);
                choice(ui, "Endpoint", id, names);
            });
        }
        Router::Split(split) => split_ui(ui, form, split, names),
        Router::Cascade(cascade) => cascade_ui(ui, form, cascade, names),
        Router::Overflow(overflow) => columns(
            ui,
            FIELD,
            vec![
                Box::new(|ui: &mut Ui| {
                    choice(ui, "Own GPUs", &mut overflow.primary, names);
                    choice(ui, "The rest goes to", &mut overflow.fallback, names);
                }),
                Box::new(|ui: &mut Ui| drop(form.quantity(ui, "fill_share", &mut overflow.fill_share))),
            ],
        ),
    }
}

fn split_ui(ui: &mut Ui, form: &Form<'_>, split: &mut Split<Estimate>, names: &[(String, String)]) {
    let theme = Theme::of(ui.ctx());
    let mut removed = None;
    let count = split.shares.len();
    for (index, share) in split.shares.iter_mut().enumerate() {
        ui.push_id(index, |ui| {
            let form = form.at("shares").at(&index.to_string());
            let gone = tier_ui(ui, "Tier", &mut share.endpoint, names, count > 1, |ui| {
                form.quantity(ui, "share", &mut share.share);
            });
            if gone {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        split.shares.remove(index);
        normalise(split);
    }
    let sum: f64 = split.shares.iter().map(|share| share.share.point()).sum();
    ui.horizontal(|ui| {
        let even = (sum - 1.0).abs() < 1e-6;
        let color = if even { theme.text_weak } else { theme.warning };
        let sign = if even { "" } else { "▲ " };
        ui.label(
            RichText::new(format!("{sign}The shares add up to {}", format::percent(sum)))
                .small()
                .color(color),
        );
        if !even && ui.small_button("Make it 100 %").clicked() {
            normalise(split);
        }
        if split.shares.len() < names.len() && ui.add(Button::new("Add a tier").small()).clicked() {
            let unused = names.iter().find(|(id, _)| !split.shares.iter().any(|share| share.endpoint == *id));
            if let Some((id, _)) = unused {
                split.shares.push(RouteShare { endpoint: id.clone(), share: Estimate::Fixed(0.0) });
            }
        }
    });
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "classifier_usd_per_request", &mut split.classifier_usd_per_request);
                form.quantity(ui, "classifier_secs", &mut split.classifier_secs);
            }),
            Box::new(|ui: &mut Ui| {
                form.quantity(ui, "misroute_share", &mut split.misroute_share);
                form.quantity(ui, "misroute_quality_loss", &mut split.misroute_quality_loss);
            }),
        ],
    );
}

fn cascade_ui(ui: &mut Ui, form: &Form<'_>, cascade: &mut Cascade<Estimate>, names: &[(String, String)]) {
    let count = cascade.steps.len();
    let mut removed = None;
    for (index, step) in cascade.steps.iter_mut().enumerate() {
        ui.push_id(index, |ui| {
            let form = form.at("steps").at(&index.to_string());
            let title = if index + 1 == count { "Last, always accepted" } else { "Then" };
            let title = if index == 0 && count > 1 { "First" } else { title };
            let gone = tier_ui(ui, title, &mut step.endpoint, names, count > 1, |ui| {
                if index + 1 < count {
                    form.quantity(ui, "accept", &mut step.accept);
                }
            });
            if gone {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        cascade.steps.remove(index);
    }
    if cascade.steps.len() < names.len() && ui.add(Button::new("Add a step").small()).clicked() {
        let unused = names.iter().find(|(id, _)| !cascade.steps.iter().any(|step| step.endpoint == *id));
        if let Some((id, _)) = unused {
            cascade.steps.push(CascadeStep { endpoint: id.clone(), accept: Estimate::Fixed(ACCEPTED) });
        }
    }
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                drop(form.quantity(ui, "verifier_usd_per_answer", &mut cascade.verifier_usd_per_answer));
            }),
            Box::new(|ui: &mut Ui| drop(form.quantity(ui, "verifier_secs", &mut cascade.verifier_secs))),
        ],
    );
}

/// A tier: its endpoint, its number, and the way out; true when it is to be removed.
fn tier_ui(
    ui: &mut Ui,
    title: &str,
    endpoint: &mut String,
    names: &[(String, String)],
    removable: bool,
    number: impl FnOnce(&mut Ui),
) -> bool {
    let mut removed = false;
    columns(
        ui,
        FIELD,
        vec![
            Box::new(|ui: &mut Ui| {
                choice(ui, title, endpoint, names);
                if removable {
                    removed = ui.small_button("Remove").clicked();
                }
            }),
            Box::new(number),
        ],
    );
    removed
}
