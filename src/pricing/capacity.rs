//! GPU hours to money: rented, reserved, interruptible or owned.

use super::{Bill, CapacityTerms, Line, Owned, SpotTerms};
use crate::stats::Num;
use crate::unit::HOURS_PER_WEEK;

/// What a fleet did in a mean week; hours are replica-hours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CapacityWeek<N = f64> {
    /// Hours that replicas ran, by the scaling of the fleet.
    pub replica_hours: N,
    /// Of those, busy.
    pub busy_replica_hours: N,
    /// Most replicas at once, over the month or over the term where capacity is bought for a term.
    pub peak_replicas: N,
}

/// Storage of weights and caches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StorageTerms<N = f64> {
    /// GB (10⁹ bytes) per replica.
    pub gb_per_replica: N,
    /// US dollars per GB and month.
    pub usd_per_gb_month: N,
}

/// A month of capacity, US dollars.
///
/// - On demand: the hours that replicas ran.
/// - Reserved: every hour of the peak's replicas.
/// - Spot: lost work is run again, so an hour of work takes `1 / (1 - lost share)` hours; where there is no spot
///   capacity the stand-in runs. Interruptions count per GPU but stop the machine as one.
/// - Owned: straight-line depreciation to the residual, capital on the mean book value, power of busy and idle hours
///   (owned machines stay on), colocation by full load, maintenance.
///
/// Busy and idle hours are lines of their own for rented capacity. Storage is paid for the peak's replicas.
#[must_use]
pub fn capacity_bill(
    terms: &CapacityTerms<f64>,
    gpus_per_replica: u32,
    week: &CapacityWeek,
    storage: &StorageTerms,
    hours_per_month: f64,
) -> Bill {
    let mut bill = Bill::default();
    post_capacity(terms, gpus_per_replica, week, storage, hours_per_month, |line, usd| bill.add(line, usd));
    bill
}

/// The total of [`capacity_bill`], US dollars.
#[must_use]
#[inline(always)]
pub fn capacity_usd<N: Num>(
    terms: &CapacityTerms<N>,
    gpus_per_replica: u32,
    week: &CapacityWeek<N>,
    storage: &StorageTerms<N>,
    hours_per_month: f64,
) -> N {
    let mut total = N::of(0.0);
    post_capacity(terms, gpus_per_replica, week, storage, hours_per_month, |_, usd| total += usd);
    total
}

/// Hands each amount of a month of capacity to `post`.
#[inline(always)]
fn post_capacity<N: Num>(
    terms: &CapacityTerms<N>,
    gpus_per_replica: u32,
    week: &CapacityWeek<N>,
    storage: &StorageTerms<N>,
    hours_per_month: f64,
    mut post: impl FnMut(Line, N),
) {
    let gpus = f64::from(gpus_per_replica.max(1));
    let weeks = hours_per_month / HOURS_PER_WEEK as f64;
    let (replica_hours, peak) = (week.replica_hours.at_least(0.0), week.peak_replicas.at_least(0.0));
    let ran = replica_hours * weeks * gpus;
    let busy = week.busy_replica_hours.at_least(0.0).smaller(replica_hours) * weeks * gpus;
    let all_hours = peak * hours_per_month * gpus;
    post(Line::Storage, storage.gb_per_replica * peak * storage.usd_per_gb_month);
    let mut hours = |paid: N, usd_per_gpu_hour: N| {
        post(Line::GpuBusy, busy * usd_per_gpu_hour);
        post(Line::GpuIdle, (paid - busy).at_least(0.0) * usd_per_gpu_hour);
    };
    match terms {
        CapacityTerms::OnDemand(usd_per_gpu_hour) => hours(ran, *usd_per_gpu_hour),
        CapacityTerms::Reserved(reserved) => hours(all_hours.larger(ran), reserved.usd_per_gpu_hour),
        CapacityTerms::Spot(spot) => hours(ran, spot_rate(spot)),
        CapacityTerms::Owned(owned) => post_owned(owned, peak * gpus, busy, all_hours.larger(busy), post),
    }
}

/// US dollars per GPU and useful hour of interruptible capacity, its stand-in included.
#[must_use]
#[inline(always)]
pub fn spot_rate<N: Num>(spot: &SpotTerms<N>) -> N {
    // Beyond 95 % lost nothing would ever finish; the cap keeps the price finite.
    const LOST_MOST: f64 = 0.95;
    const MINUTES_PER_DAY: f64 = 24.0 * 60.0;
    let lost = spot.interruptions_per_day * spot.lost_minutes / MINUTES_PER_DAY;
    let lost = lost.at_least(0.0).at_most(LOST_MOST);
    let fallback = spot.fallback_share.at_least(0.0).at_most(1.0);
    fallback.rest() * spot.usd_per_gpu_hour / lost.rest() + fallback * spot.fallback_usd_per_gpu_hour
}

#[inline(always)]
fn post_owned<N: Num>(
    owned: &Owned<N>,
    devices: N,
    busy_hours: N,
    all_hours: N,
    mut post: impl FnMut(Line, N),
) {
    let price = owned.usd_per_gpu * devices;
    let months = owned.years.at_least(1.0 / 12.0) * 12.0;
    let residual = owned.residual_share.at_least(0.0).at_most(1.0);
    let depreciation = price * residual.rest() / months;
    let capital = price * 0.5 * (residual + 1.0) * owned.capital_rate / 12.0;
    post(Line::Hardware, depreciation + capital);

    let kilowatts = owned.watts_per_gpu / 1000.0;
    let idle_power = owned.idle_power_share.at_least(0.0).at_most(1.0);
    let loaded_hours = busy_hours + (all_hours - busy_hours) * idle_power;
    post(Line::Power, loaded_hours * kilowatts * owned.pue.at_least(1.0) * owned.usd_per_kwh);

    let colocation = devices * kilowatts * owned.colocation_usd_per_kw_month;
    let maintenance = price * owned.maintenance_share_per_year / 12.0;
    post(Line::Housing, colocation + maintenance);
}
