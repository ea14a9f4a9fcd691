//! The summaries by tables: usage in, whole figures out. Months are put together by hand, without rating, so that each table shows
//! all that its figures depend on.

use super::*;
use crate::{Amount, Day, UnitPrice};
use std::fmt::Write as _;

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

fn usd(text: &str) -> Amount {
    Amount::from_billionths(quantity(text).billionths())
}

/// A month by lines of owner, SKU, visibility, quantity, price, discount in dollars (`all` for the whole gross amount).
fn month(table: &str) -> Arc<RatedMonth> {
    let mut month = RatedMonth::default();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [owner, sku, visibility, used, price, discount] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (used, price) = (quantity(used), UnitPrice::parse(price).unwrap());
        let gross = price.amount_of(used).unwrap();
        let discount = if discount == "all" { gross } else { usd(discount) };
        month.totals.push(RatedTotal {
            owner: AccountId(owner.parse().unwrap()),
            sku: sku.into(),
            price,
            free: false,
            public: visibility == "public",
            quantity: used,
            rated: Rated::new(gross, discount).unwrap(),
        });
    }
    Arc::new(month)
}

fn of(owner: u32) -> Option<AccountId> {
    Some(AccountId(owner))
}

fn minutes(table: &str, owner: Option<AccountId>, minutes: Minutes) -> String {
    let months = [month(table)];
    let billing = actions_billing(Shown { months: &months, owner }, minutes, quantity("3000")).unwrap();
    let mut text =
        format!("{} total, {} paid, {} included:", billing.total_minutes_used, billing.total_paid_minutes_used, billing.included_minutes);
    for (key, minutes) in billing.minutes_used_breakdown {
        write!(text, " {key} {minutes}").unwrap();
    }
    text
}

#[test]
fn the_example_of_the_documentation() {
    let usage = "
        7 actions_linux   private 205 0.006 all
        7 actions_macos   private 1   0.062 all
        7 actions_windows private 45  0.010 all";
    assert_eq!(minutes(usage, of(7), Minutes::Weighted), "305 total, 0 paid, 3000 included: UBUNTU 205 MACOS 10 WINDOWS 90");
    assert_eq!(minutes(usage, None, Minutes::AsUsed), "251 total, 0 paid, 3000 included: UBUNTU 205 MACOS 1 WINDOWS 45");
}

#[test]
fn no_usage_shows_the_three_standard_systems() {
    assert_eq!(minutes("", of(7), Minutes::Weighted), "0 total, 0 paid, 3000 included: UBUNTU 0 MACOS 0 WINDOWS 0");
}

#[test]
fn public_and_self_hosted_usage_and_that_of_others_does_not_count() {
    let usage = "
        7 actions_linux             private 10 0.006   all
        7 actions_linux             public  99 0.006   all
        7 actions_self_hosted_linux private 99 0       0
        7 actions_storage           private 99 0.00033602 0
        7 actions_unknown           private 99 0.001   0
        7 copilot_premium_request   private 99 0.04    0
        8 actions_linux             private 5  0.006   all";
    assert_eq!(minutes(usage, of(7), Minutes::Weighted), "10 total, 0 paid, 3000 included: UBUNTU 10 MACOS 0 WINDOWS 0");
    assert_eq!(minutes(usage, None, Minutes::Weighted), "15 total, 0 paid, 3000 included: UBUNTU 15 MACOS 0 WINDOWS 0");
}

#[test]
fn slim_and_arm_count_with_their_system_and_larger_runners_for_themselves() {
    let usage = "
        7 actions_linux_slim        private 1 0.002 all
        7 actions_linux_arm         private 2 0.005 all
        7 actions_windows_arm       private 3 0.010 all
        7 actions_macos_xl          private 4 0.102 0
        7 actions_macos_l           private 5 0.077 0
        7 actions_linux_4_core_gpu  private 6 0.052 0
        7 actions_windows_64_core   private 7 0.322 0
        7 actions_linux_96_core     private 8 0.252 0
        7 actions_linux_16_core     private 9 0.042 0
        7 actions_linux_4_core      private 2 0.012 0
        7 actions_windows_4_core    public  9 0.022 0";
    let shown = "49 total, 41 paid, 3000 included: UBUNTU 3 MACOS 0 WINDOWS 6 ubuntu_4_core 2 ubuntu_16_core 9 windows_64_core 7 macos_12_core 5 \
                 macos_xl 4 ubuntu_4_core_gpu 6 ubuntu_96_core 8";
    assert_eq!(minutes(usage, of(7), Minutes::Weighted), shown.replace("49", "50"));
    assert_eq!(minutes(usage, of(7), Minutes::AsUsed), shown.replace("49", "47").replace("WINDOWS 6", "WINDOWS 3"));
}

#[test]
fn each_key_is_rounded_up_once_after_weighting() {
    let usage = "
        7 actions_linux      private 1.2 0.006 all
        7 actions_linux_slim private 1.2 0.002 all
        7 actions_macos      private 0.11 0.062 all
        7 actions_windows    private 0.5 0.010 all";
    // 2.4, 1.1 and 1 minutes: rounded up first they would be 3, 10 and 2.
    assert_eq!(minutes(usage, of(7), Minutes::Weighted), "6 total, 0 paid, 3000 included: UBUNTU 3 MACOS 2 WINDOWS 1");
}

#[test]
fn paid_minutes_are_weighted_in_the_proportion_of_net_to_gross() {
    // 18 of 30 dollars are included: 2000 of 5000 minutes are paid.
    assert_eq!(
        minutes("7 actions_linux private 5000 0.006 18", of(7), Minutes::Weighted),
        "5000 total, 2000 paid, 3000 included: UBUNTU 5000 MACOS 0 WINDOWS 0"
    );
    // A third of 100 Windows minutes, weighted: 66.7; two thirds of 10 macOS minutes: 66.7. Together 133.3, rounded up once.
    let thirds = "
        7 actions_windows private 100 0.03 2
        7 actions_macos   private 10  0.03 0.1";
    assert_eq!(minutes(thirds, of(7), Minutes::Weighted), "300 total, 134 paid, 3000 included: UBUNTU 0 MACOS 100 WINDOWS 200");
    // A third and two thirds are exactly one.
    let parts = "
        7 actions_linux     private 1 0.003 0.002
        7 actions_linux_arm private 1 0.003 0.001";
    assert_eq!(minutes(parts, of(7), Minutes::Weighted), "2 total, 1 paid, 3000 included: UBUNTU 2 MACOS 0 WINDOWS 0");
}

#[test]
fn usage_of_an_organization_counts_whoever_paid() {
    let months =
        [month("7 actions_linux private 10 0.006 all"), month("7 actions_linux private 5 0.006 0\n8 actions_linux private 3 0.006 0")];
    let billing = actions_billing(Shown { months: &months, owner: of(7) }, Minutes::Weighted, quantity("2000")).unwrap();
    assert_eq!((billing.total_minutes_used, billing.total_paid_minutes_used), (15, 5));
}

fn packages(table: &str, owner: Option<AccountId>, included: &str) -> (i128, i128, i128) {
    let months = [month(table)];
    let billing = packages_billing(Shown { months: &months, owner }, quantity(included)).unwrap();
    (billing.total_gigabytes_used, billing.total_paid_gigabytes_used, billing.included_gigabytes)
}

#[test]
fn packages_show_what_was_transferred_and_what_went_past_the_included_quantity() {
    // The example of the documentation: 50 used, 10 included, 40 paid.
    assert_eq!(packages("7 packages_bandwidth private 50 0.50 5", of(7), "10"), (50, 40, 10));
    assert_eq!(packages("7 packages_bandwidth private 10.5 0.50 5", of(7), "10"), (11, 1, 10), "a half goes up, at the very end");
    assert_eq!(packages("7 packages_bandwidth private 10.4 0.50 5", of(7), "10"), (10, 0, 10));
    let others = "
        7 packages_bandwidth private 3 0.50 all
        7 packages_bandwidth public 99 0.50 all
        7 git_lfs_bandwidth  private 99 0.0875 0
        8 packages_bandwidth private 20 0.50 3.5";
    assert_eq!(packages(others, of(7), "10"), (3, 0, 10));
    assert_eq!(packages(others, None, "10"), (23, 13, 10), "the whole account: used less included");
    assert_eq!(packages("", of(7), "1"), (0, 0, 1));
}

/// Storage of owner 7 by lines of the first hour, the hour after the last, and the level in GB; owner 8 holds 1000 GB all the time.
fn storage(table: &str, quota: &str, now: &str) -> (i128, i128, i128) {
    let mut month = RatedMonth::default();
    let hour = |text: &str| UtcTime::parse(&format!("{text}:00:00Z")).unwrap().hour().number();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [from, to, level] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        for number in hour(from)..hour(to) {
            month.storage_hours.insert((AccountId(7), Hour::from_number(number)), quantity(level));
            month.storage_hours.insert((AccountId(8), Hour::from_number(number)), quantity("1000"));
        }
    }
    let months = [Arc::new(month)];
    let shown = Shown { months: &months, owner: of(7) };
    let billing = shared_storage_billing(shown, quantity(quota), UtcTime::parse(now).unwrap()).unwrap();
    (billing.estimated_storage_for_month, billing.estimated_paid_storage_for_month, billing.days_left_in_billing_cycle)
}

#[test]
fn a_level_that_stays_is_the_estimate() {
    // The example of the documentation, on a plan with 25 GB.
    assert_eq!(storage("2026-11-01T00 2026-11-10T12 40", "25", "2026-11-10T12:34:56Z"), (40, 15, 20));
    assert_eq!(storage("", "25", "2026-11-10T12:34:56Z"), (0, 0, 20));
}

#[test]
fn an_estimate_is_the_hours_so_far_and_the_last_level_until_the_end() {
    // 239 hours of 10 GB, one of 40, and 480 more of 40: 21,630 GB-hours in 720 hours.
    let grown = "2026-11-01T00 2026-11-10T23 10\n2026-11-10T23 2026-11-11T00 40";
    assert_eq!(storage(grown, "2", "2026-11-11T00:00:00Z"), (30, 28, 19), "30.04 and 28.04");
    // What was used in the running hour is not full yet; what was deleted counts until it was.
    assert_eq!(
        storage("2026-11-01T00 2026-11-02T00 72\n2026-11-03T00 2026-11-03T01 99", "0", "2026-11-03T00:30:00Z"),
        (2, 2, 27),
        "1728 / 720 = 2.4"
    );
}

#[test]
fn the_first_hour_of_a_month_goes_on_from_the_last_of_the_month_before() {
    assert_eq!(storage("2026-10-31T23 2026-11-01T00 12", "10", "2026-11-01T00:10:00Z"), (12, 2, 29));
    assert_eq!(storage("2026-10-31T22 2026-10-31T23 12", "10", "2026-11-01T00:10:00Z"), (0, 0, 29));
}

#[test]
fn estimates_are_rounded_at_the_very_end() {
    for (level, quota, estimate, paid) in
        [("2.5", "0", 3, 3), ("2.499999999", "0", 2, 2), ("2.7", "1.3", 3, 1), ("2.7", "0.48828125", 3, 2), ("0.4", "1", 0, 0)]
    {
        let table = format!("2026-11-01T00 2026-11-10T12 {level}");
        assert_eq!(storage(&table, quota, "2026-11-10T12:00:00Z"), (estimate, paid, 20), "{level} GB, {quota} included");
    }
}

#[test]
fn days_left_count_down_to_zero_on_the_last_day() {
    for (now, left) in
        [("2026-10-31T10:00:00Z", 0), ("2026-11-01T00:00:00Z", 29), ("2028-02-01T00:00:00Z", 28), ("2026-12-01T00:00:00Z", 30)]
    {
        assert_eq!(storage("", "0", now).2, left, "{now}");
        assert_eq!(
            UtcTime::parse(now).map(UtcTime::day).map(Day::month).unwrap().days(),
            u8::try_from(left).unwrap() + Day::parse(&now[..10]).unwrap().day_of_month()
        );
    }
}
