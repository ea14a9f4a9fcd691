//! The retired summaries of Actions minutes, Packages transfer and shared storage, as a projection of a rated month (rulings A1, A10).
//!
//! They agree with the reports in what is paid, not digit by digit: minutes carry weights, and every figure is a whole number. Counted
//! is usage of private and internal repositories alone. Which account and which month are shown, the caller decides.

use crate::month::{RatedMonth, RatedTotal};
use crate::period::Hour;
use crate::rating::Rated;
use crate::{AccountId, Overflow, Quantity, UtcTime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose usage a summary shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The same month of every account that paid for it: more than one when an organization has changed its enterprise.
    pub months: &'a [Arc<RatedMonth>],
    /// One organization or user; nothing for all that the payer pays for.
    pub owner: Option<AccountId>,
}

/// Whether minutes carry the weights of their operating system. GitHub describes the summaries of organizations and users as weighted
/// and rounded up, those of enterprises as neither; whole numbers they are all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Minutes {
    Weighted,
    AsUsed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionsBilling {
    pub total_minutes_used: i128,
    pub total_paid_minutes_used: i128,
    pub included_minutes: i128,
    /// In the order of GitHub's schema. The three standard systems are always there, larger runners once they were used.
    pub minutes_used_breakdown: Vec<(String, i128)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackagesBilling {
    pub total_gigabytes_used: i128,
    pub total_paid_gigabytes_used: i128,
    pub included_gigabytes: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedStorageBilling {
    pub days_left_in_billing_cycle: i128,
    pub estimated_paid_storage_for_month: i128,
    pub estimated_storage_for_month: i128,
}

impl<'a> Shown<'a> {
    fn totals(self) -> impl Iterator<Item = &'a RatedTotal> {
        let totals = self.months.iter().flat_map(|month| &month.totals);
        totals.filter(move |total| !total.public && self.owner.is_none_or(|owner| total.owner == owner))
    }

    /// Gigabyte-hours by hour: the average level of that hour.
    fn storage_hours(self) -> impl Iterator<Item = (Hour, Quantity)> {
        let hours = self.months.iter().flat_map(|month| &month.storage_hours);
        hours.filter(move |((owner, _), _)| self.owner.is_none_or(|wanted| *owner == wanted)).map(|((_, hour), level)| (*hour, *level))
    }
}

/// The keys of GitHub's schema, in its order.
const KEYS: [&str; 14] = [
    "UBUNTU",
    "MACOS",
    "WINDOWS",
    "ubuntu_4_core",
    "ubuntu_8_core",
    "ubuntu_16_core",
    "ubuntu_32_core",
    "ubuntu_64_core",
    "windows_4_core",
    "windows_8_core",
    "windows_16_core",
    "windows_32_core",
    "windows_64_core",
    "macos_12_core",
];

/// The keys of the standard runners, which are shown even when nothing was used.
const STANDARD_KEYS: usize = 3;

/// Minutes of GitHub-hosted runners. Each key is rounded up once, after weighting; the total is the sum of the keys. Paid are the
/// minutes of each line in the proportion of net to gross.
///
/// # Errors
/// On overflow.
pub fn actions_billing(shown: Shown<'_>, minutes: Minutes, included: Quantity) -> Result<ActionsBilling, Overflow> {
    let standard = KEYS.iter().take(STANDARD_KEYS).enumerate();
    let mut keys: BTreeMap<(usize, String), Quantity> = standard.map(|(place, key)| ((place, (*key).to_owned()), Quantity::ZERO)).collect();
    let mut paid = Quantity::ZERO;
    for total in shown.totals() {
        let Some((key, weight)) = runner_key(&total.sku) else { continue };
        let weight = if minutes == Minutes::Weighted { weight } else { 1 };
        let weighted = total.quantity.times_ratio(weight, 1)?;
        let place = KEYS.iter().position(|known| *known == key).unwrap_or(KEYS.len());
        let sum = keys.entry((place, key)).or_insert(Quantity::ZERO);
        *sum = sum.plus(weighted)?;
        paid = paid.plus(paid_part(weighted, total.rated)?)?;
    }
    let used = |(place, _): &(usize, String), sum: &Quantity| *place < STANDARD_KEYS || !sum.is_zero();
    let shown_keys = keys.into_iter().filter(|(key, sum)| used(key, sum));
    let breakdown: Vec<(String, i128)> = shown_keys.map(|((_, key), sum)| (key, sum.rounded_up())).collect();
    let total = breakdown.iter().try_fold(0_i128, |total, (_, minutes)| total.checked_add(*minutes)).ok_or(Overflow)?;
    Ok(ActionsBilling {
        total_minutes_used: total,
        total_paid_minutes_used: paid.rounded_up(),
        included_minutes: included.rounded_half_up(),
        minutes_used_breakdown: breakdown,
    })
}

/// The key that a SKU is shown under and the weight of its minutes (the multipliers that GitHub published until 2025: Linux 1,
/// Windows 2, macOS 10, larger runners 1). Nothing for self-hosted runners, storage, and SKUs of no known system.
fn runner_key(sku: &str) -> Option<(String, i128)> {
    let (key, weight) = match sku {
        "actions_linux" | "actions_linux_slim" | "actions_linux_arm" => ("UBUNTU", 1),
        "actions_windows" | "actions_windows_arm" => ("WINDOWS", 2),
        "actions_macos" => ("MACOS", 10),
        "actions_macos_l" => ("macos_12_core", 1),
        _ => return larger_runner_key(sku).map(|key| (key, 1)),
    };
    Some((key.to_owned(), weight))
}

/// `actions_linux_8_core` is `ubuntu_8_core`; runners that the schema does not know get a key of the same pattern.
fn larger_runner_key(sku: &str) -> Option<String> {
    let systems = [("actions_linux_", "ubuntu_"), ("actions_windows_", "windows_"), ("actions_macos_", "macos_")];
    systems.into_iter().find_map(|(prefix, system)| sku.strip_prefix(prefix).map(|rest| format!("{system}{rest}")))
}

/// Transfer of Packages out of private repositories. Paid is the net quantity: what was used past the included quantity.
///
/// # Errors
/// On overflow.
pub fn packages_billing(shown: Shown<'_>, included: Quantity) -> Result<PackagesBilling, Overflow> {
    let (mut used, mut paid) = (Quantity::ZERO, Quantity::ZERO);
    for total in shown.totals().filter(|total| &*total.sku == "packages_bandwidth") {
        used = used.plus(total.quantity)?;
        paid = paid.plus(paid_part(total.quantity, total.rated)?)?;
    }
    Ok(PackagesBilling {
        total_gigabytes_used: used.rounded_half_up(),
        total_paid_gigabytes_used: paid.rounded_half_up(),
        included_gigabytes: included.rounded_half_up(),
    })
}

/// The part of a quantity that is paid for. It is cut at the ninth decimal; a sum of such parts is rounded afterwards, so this shows
/// only where the exact sum lies within a billionth of the edge.
fn paid_part(quantity: Quantity, rated: Rated) -> Result<Quantity, Overflow> {
    if rated.gross.is_zero() {
        return Ok(Quantity::ZERO);
    }
    quantity.times_ratio(rated.net.billionths(), rated.gross.billionths())
}

/// What shared storage of private repositories comes to at the month's end when its level stays as it was in the last full hour.
/// In the first hour of a month that hour lies in the month before, whose months are then needed as well.
///
/// # Errors
/// On overflow.
pub fn shared_storage_billing(shown: Shown<'_>, quota: Quantity, now: UtcTime) -> Result<SharedStorageBilling, Overflow> {
    let month = now.month();
    let (first, current) = (month.first_day().start().hour(), now.hour());
    let hours = i128::from(month.next().first_day().start().hour().number()).checked_sub(first.number().into()).ok_or(Overflow)?;
    let hours_gone = i128::from(current.number()).checked_sub(first.number().into()).ok_or(Overflow)?;
    let hours_left = hours.checked_sub(hours_gone).ok_or(Overflow)?;
    let (mut so_far, mut level) = (Quantity::ZERO, Quantity::ZERO);
    for (hour, quantity) in shown.storage_hours() {
        if (first..current).contains(&hour) {
            so_far = so_far.plus(quantity)?;
        }
        if hour == current.previous() {
            level = level.plus(quantity)?;
        }
    }
    let estimate = so_far.plus(level.times_ratio(hours_left, 1)?)?;
    let past_quota = estimate.minus(quota.times_ratio(hours, 1)?)?.max(Quantity::ZERO);
    Ok(SharedStorageBilling {
        days_left_in_billing_cycle: i128::from(month.days()).checked_sub(now.day().day_of_month().into()).ok_or(Overflow)?,
        estimated_paid_storage_for_month: average_half_up(past_quota, hours)?,
        estimated_storage_for_month: average_half_up(estimate, hours)?,
    })
}

/// Gigabyte-hours ÷ hours as whole gigabytes: the one rounding of an estimate. A half goes up.
fn average_half_up(quantity: Quantity, hours: i128) -> Result<i128, Overflow> {
    let whole = Quantity::whole(1).billionths();
    let doubled = |value: i128| value.checked_mul(2);
    let divisor = hours.checked_mul(whole).ok_or(Overflow)?;
    let dividend = doubled(quantity.billionths()).and_then(|value| value.checked_add(divisor)).ok_or(Overflow)?;
    doubled(divisor).and_then(|divisor| dividend.checked_div_euclid(divisor)).ok_or(Overflow)
}

#[cfg(test)]
mod tests;
