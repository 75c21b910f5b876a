//! GPU hours to money: rented, reserved, interruptible or owned.

use super::{Bill, CapacityTerms, Line, Owned, SpotTerms};
use crate::unit::HOURS_PER_WEEK;

/// What a fleet did in a mean week; hours are replica-hours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CapacityWeek {
    /// Hours that replicas ran, by the scaling of the fleet.
    pub replica_hours: f64,
    /// Of those, busy.
    pub busy_replica_hours: f64,
    /// Most replicas at once, over the month or over the term where capacity is bought for a term.
    pub peak_replicas: f64,
}

/// Storage of weights and caches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StorageTerms {
    /// GB (10⁹ bytes) per replica.
    pub gb_per_replica: f64,
    /// US dollars per GB and month.
    pub usd_per_gb_month: f64,
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
pub fn capacity_usd(
    terms: &CapacityTerms<f64>,
    gpus_per_replica: u32,
    week: &CapacityWeek,
    storage: &StorageTerms,
    hours_per_month: f64,
) -> f64 {
    let mut total = 0.0;
    post_capacity(terms, gpus_per_replica, week, storage, hours_per_month, |_, usd| total += usd);
    total
}

/// Hands each amount of a month of capacity to `post`.
fn post_capacity(
    terms: &CapacityTerms<f64>,
    gpus_per_replica: u32,
    week: &CapacityWeek,
    storage: &StorageTerms,
    hours_per_month: f64,
    mut post: impl FnMut(Line, f64),
) {
    let gpus = f64::from(gpus_per_replica.max(1));
    let weeks = hours_per_month / HOURS_PER_WEEK as f64;
    let ran = week.replica_hours.max(0.0) * weeks * gpus;
    let busy = week.busy_replica_hours.clamp(0.0, week.replica_hours.max(0.0)) * weeks * gpus;
    let all_hours = week.peak_replicas.max(0.0) * hours_per_month * gpus;
    let stored_gb = storage.gb_per_replica * week.peak_replicas.max(0.0);
    post(Line::Storage, stored_gb * storage.usd_per_gb_month);
    let mut hours = |paid: f64, usd_per_gpu_hour: f64| {
        post(Line::GpuBusy, busy * usd_per_gpu_hour);
        post(Line::GpuIdle, (paid - busy).max(0.0) * usd_per_gpu_hour);
    };
    match terms {
        CapacityTerms::OnDemand(usd_per_gpu_hour) => hours(ran, *usd_per_gpu_hour),
        CapacityTerms::Reserved(reserved) => hours(all_hours.max(ran), reserved.usd_per_gpu_hour),
        CapacityTerms::Spot(spot) => hours(ran, spot_rate(spot)),
        CapacityTerms::Owned(owned) => {
            let devices = week.peak_replicas.max(0.0) * gpus;
            post_owned(owned, devices, busy, all_hours.max(busy), post);
        }
    }
}

/// US dollars per GPU and useful hour of interruptible capacity, its stand-in included.
#[must_use]
pub fn spot_rate(spot: &SpotTerms<f64>) -> f64 {
    // Beyond 95 % lost nothing would ever finish; the cap keeps the price finite.
    const LOST_MOST: f64 = 0.95;
    let lost = (spot.interruptions_per_day * spot.lost_minutes / (24.0 * 60.0)).clamp(0.0, LOST_MOST);
    let fallback = spot.fallback_share.clamp(0.0, 1.0);
    (1.0 - fallback) * spot.usd_per_gpu_hour / (1.0 - lost) + fallback * spot.fallback_usd_per_gpu_hour
}

fn post_owned(
    owned: &Owned<f64>,
    devices: f64,
    busy_hours: f64,
    all_hours: f64,
    mut post: impl FnMut(Line, f64),
) {
    let price = owned.usd_per_gpu * devices;
    let months = 12.0 * owned.years.max(1.0 / 12.0);
    let residual = owned.residual_share.clamp(0.0, 1.0);
    let depreciation = price * (1.0 - residual) / months;
    let capital = price * 0.5 * (1.0 + residual) * owned.capital_rate / 12.0;
    post(Line::Hardware, depreciation + capital);

    let kilowatts = owned.watts_per_gpu / 1000.0;
    let loaded_hours = busy_hours + (all_hours - busy_hours) * owned.idle_power_share.clamp(0.0, 1.0);
    post(Line::Power, loaded_hours * kilowatts * owned.pue.max(1.0) * owned.usd_per_kwh);

    let colocation = devices * kilowatts * owned.colocation_usd_per_kw_month;
    let maintenance = price * owned.maintenance_share_per_year / 12.0;
    post(Line::Housing, colocation + maintenance);
}
