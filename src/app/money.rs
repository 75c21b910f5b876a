//! The currency that the window shows.
//!
//! Results become text in the scenario's currency. What is typed in and what the catalogue states stays in US dollars,
//! as it is stored, and says so by its sign.

use std::sync::Arc;

use eframe::egui::{Context, Id};

use crate::scenario::Currency;
use crate::unit::format::Money;

/// How amounts are shown, and what their currency is called.
#[derive(Debug, Clone)]
struct Shown {
    money: Money,
    name: String,
}

fn id() -> Id {
    Id::unique("currency that is shown")
}

/// Shows results in a currency from now on; none is US dollars.
pub fn show_in(ctx: &Context, currency: Option<&Currency>) {
    let shown =
        currency.map(|currency| Arc::new(Shown { money: currency.money(), name: currency.code.clone() }));
    ctx.data_mut(|data| data.insert_temp(id(), shown));
}

fn shown(ctx: &Context) -> Option<Arc<Shown>> {
    ctx.data(|data| data.get_temp::<Option<Arc<Shown>>>(id())).flatten()
}

/// How amounts become text.
#[must_use]
pub fn money(ctx: &Context) -> Money {
    shown(ctx).map_or_else(Money::default, |shown| shown.money.clone())
}

/// What the currency is called on an axis.
#[must_use]
pub fn name(ctx: &Context) -> String {
    shown(ctx).map_or_else(|| "US dollars".to_owned(), |shown| shown.name.clone())
}
