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
    let gpus = f64::from(gpus_per_replica.max(1));
    let weeks = hours_per_month / HOURS_PER_WEEK as f64;
    let ran = week.replica_hours.max(0.0) * weeks * gpus;
    let busy = week.busy_replica_hours.clamp(0.0, week.replica_hours.max(0.0)) * weeks * gpus;
    let all_hours = week.peak_replicas.max(0.0) * hours_per_month * gpus;
    let mut bill = Bill::default();
    let mut hours = |paid: f64, usd_per_gpu_hour: f64| {
        bill.add(Line::GpuBusy, busy * usd_per_gpu_hour);
        bill.add(Line::GpuIdle, (paid - busy).max(0.0) * usd_per_gpu_hour);
    };
    match terms {
        CapacityTerms::OnDemand(usd_per_gpu_hour) => hours(ran, *usd_per_gpu_hour),
        CapacityTerms::Reserved(reserved) => hours(all_hours.max(ran), reserved.usd_per_gpu_hour),
        CapacityTerms::Spot(spot) => hours(ran, spot_rate(spot)),
        CapacityTerms::Owned(owned) => {
            let devices = week.peak_replicas.max(0.0) * gpus;
            add_owned(&mut bill, owned, devices, busy, all_hours.max(busy));
        }
    }
    let stored_gb = storage.gb_per_replica * week.peak_replicas.max(0.0);
    bill.add(Line::Storage, stored_gb * storage.usd_per_gb_month);
    bill
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

fn add_owned(bill: &mut Bill, owned: &Owned<f64>, devices: f64, busy_hours: f64, all_hours: f64) {
    let price = owned.usd_per_gpu * devices;
    let months = 12.0 * owned.years.max(1.0 / 12.0);
    let residual = owned.residual_share.clamp(0.0, 1.0);
    let depreciation = price * (1.0 - residual) / months;
    let capital = price * 0.5 * (1.0 + residual) * owned.capital_rate / 12.0;
    bill.add(Line::Hardware, depreciation + capital);

    let kilowatts = owned.watts_per_gpu / 1000.0;
    let loaded_hours = busy_hours + (all_hours - busy_hours) * owned.idle_power_share.clamp(0.0, 1.0);
    bill.add(Line::Power, loaded_hours * kilowatts * owned.pue.max(1.0) * owned.usd_per_kwh);

    let colocation = devices * kilowatts * owned.colocation_usd_per_kw_month;
    let maintenance = price * owned.maintenance_share_per_year / 12.0;
    bill.add(Line::Housing, colocation + maintenance);
}
