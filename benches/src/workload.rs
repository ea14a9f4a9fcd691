//! The made-up usage that everything is measured with: event `i` is a function of `i` and of nothing else.
//!
//! Owners, repositories, SKUs and members of a team follow Zipf's law, in integers. One event in a hundred comes late by up to two
//! days, one in two hundred is an earlier event once more. Ten million events make a calendar month, the first is January 2026; a
//! shorter run spreads its events over that one month. How an event is written down is left to [`written`].

mod calendar;
mod written;
mod zipf;

pub(crate) use calendar::Month;
pub(crate) use written::{Kind, Spelling, USER, owner_name};

use calendar::SECONDS_PER_DAY;
use std::ops::Range;
use zipf::Zipf;

pub(crate) const OWNERS: u32 = 200;
const REPOSITORIES: u32 = 20_000;
const USERS: u32 = 5_000;
const WORKFLOWS: u32 = 30_000;
/// People whose work starts the workflows of one repository.
const TEAM: u32 = 8;
/// SKUs that one workflow uses.
const VARIANTS: u32 = 3;

/// Events that make a calendar month of a long run.
const EVENTS_PER_MONTH: u64 = 10_000_000;
const LATE_PER_MILLE: u64 = 10;
const DUPLICATES_PER_MILLE: u64 = 5;
const LATE_SECONDS_MAX: u64 = 2 * SECONDS_PER_DAY;
/// How far back the original of a duplicate lies at most.
const REPEAT_DISTANCE_MAX: u64 = 1_000_000;

/// 25 SKUs of the price list, the most used first, and whether their quantities are whole numbers.
pub(crate) const SKUS: [(&str, bool); 25] = [
    ("actions_linux", true),
    ("actions_windows", true),
    ("actions_linux_4_core", true),
    ("actions_storage", false),
    ("actions_linux_arm", true),
    ("actions_macos", true),
    ("packages_storage", false),
    ("actions_linux_8_core", true),
    ("copilot_premium_request", true),
    ("actions_linux_slim", true),
    ("packages_bandwidth", false),
    ("actions_linux_16_core", true),
    ("actions_windows_4_core", true),
    ("git_lfs_storage", false),
    ("actions_cache_storage", false),
    ("actions_linux_2_core_arm", true),
    ("git_lfs_bandwidth", false),
    ("actions_windows_8_core", true),
    ("actions_linux_32_core", true),
    ("actions_macos_l", true),
    ("codespaces_compute_d4", false),
    ("actions_linux_4_core_arm", true),
    ("codespaces_storage", false),
    ("actions_macos_xl", true),
    ("actions_linux_64_core", true),
];

/// One draw of an event; each has its own sequence of random numbers.
#[derive(Debug, Clone, Copy)]
enum Draw {
    Identity = 1,
    IdentityLow,
    Owner,
    Repository,
    Member,
    Workflow,
    Sku,
    Quantity,
    Late,
    Lateness,
    Duplicate,
    Distance,
}

/// A usage event in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) identity: u128,
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) owner: u32,
    pub(crate) repository: u32,
    pub(crate) user: u32,
    pub(crate) workflow: u32,
    /// Place in [`SKUS`].
    pub(crate) sku: usize,
    pub(crate) thousandths: u64,
}

/// The parts that send other events into one folder, each its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share {
    Alone,
    Personal,
    BesideExports,
    BesideHistory,
    Tail,
}

/// All events of a run.
#[derive(Debug)]
pub(crate) struct Workload {
    salt: u64,
    events_per_month: u64,
    months: Vec<Month>,
    owners: Zipf,
    repositories: Zipf,
    team: Zipf,
    variants: Zipf,
    skus: Zipf,
}

impl Workload {
    /// The usage of a run of so many events.
    pub(crate) fn new(events: u64) -> Workload {
        Workload {
            salt: 0,
            events_per_month: events.clamp(1, EVENTS_PER_MONTH),
            months: calendar::months(events.div_ceil(EVENTS_PER_MONTH).max(1)),
            owners: Zipf::new(OWNERS),
            repositories: Zipf::new(REPOSITORIES / OWNERS),
            team: Zipf::new(TEAM),
            variants: Zipf::new(VARIANTS),
            skus: Zipf::new(u32::try_from(SKUS.len()).expect("there are 25 SKUs")),
        }
    }

    /// Other events over the same time: none of them is in the run.
    pub(crate) fn others(events: u64) -> Workload {
        Workload { salt: 0x5eed, ..Workload::new(events) }
    }

    /// So many numbers whose events end with the last month. Those of different shares do not meet.
    pub(crate) fn last(&self, events: u64, share: Share) -> Range<u64> {
        let end = (share as u64 + 1) * self.events_per_month * u64::try_from(self.months.len()).expect("few months");
        end - events..end
    }

    /// The month whose report is exported: the first one, which has 31 days.
    pub(crate) fn first_month(&self) -> &Month {
        &self.months[0]
    }

    pub(crate) fn last_month(&self) -> &Month {
        self.months.last().expect("a run has a month")
    }

    /// Events of the first month, duplicates counted.
    pub(crate) fn events_per_month(&self) -> u64 {
        self.events_per_month
    }

    /// Whether event `number` repeats an earlier one.
    pub(crate) fn is_duplicate(&self, number: u64) -> bool {
        number > 0 && self.draw(number, Draw::Duplicate) % 1000 < DUPLICATES_PER_MILLE
    }

    /// Event `number` of the run. Past the last month the events begin again in the first one, with identities of their own.
    pub(crate) fn event(&self, number: u64) -> Event {
        let number = self.original(number);
        let owner = self.owners.pick(self.draw(number, Draw::Owner));
        let repository = owner * (REPOSITORIES / OWNERS) + self.repositories.pick(self.draw(number, Draw::Repository));
        let member = self.team.pick(self.draw(number, Draw::Member));
        let workflow = workflow(repository, self.draw(number, Draw::Workflow));
        let sku = self.sku(workflow, self.draw(number, Draw::Sku));
        let quantity = self.draw(number, Draw::Quantity);
        Event {
            identity: u128::from(self.draw(number, Draw::Identity)) << 64 | u128::from(self.draw(number, Draw::IdentityLow)),
            time: self.time(number),
            owner,
            repository,
            user: below(mixed(u64::from(repository) << 32 | u64::from(member)), USERS),
            workflow,
            sku,
            thousandths: if SKUS[sku].1 { (1 + quantity % 30) * 1000 } else { 1 + quantity % 20_000 },
        }
    }

    /// A workflow uses few SKUs, always the same ones.
    fn sku(&self, workflow: u32, draw: u64) -> usize {
        let variant = self.variants.pick(draw);
        let sku = self.skus.pick(mixed(u64::from(workflow) << 8 | u64::from(variant)));
        usize::try_from(sku).expect("a small number")
    }

    /// The first event with the content of event `number`.
    fn original(&self, number: u64) -> u64 {
        let mut number = number;
        while self.is_duplicate(number) {
            number -= 1 + self.draw(number, Draw::Distance) % number.min(REPEAT_DISTANCE_MAX);
        }
        number
    }

    fn time(&self, number: u64) -> u64 {
        let months = u64::try_from(self.months.len()).expect("few months");
        let month = &self.months[usize::try_from(number / self.events_per_month % months).expect("few months")];
        let share = u128::from(number % self.events_per_month) * u128::from(month.seconds()) / u128::from(self.events_per_month);
        let offset = u64::try_from(share).expect("a part of a month");
        let late = if self.draw(number, Draw::Late) % 1000 < LATE_PER_MILLE {
            1 + self.draw(number, Draw::Lateness) % LATE_SECONDS_MAX
        } else {
            0
        };
        // Late events stay in their month, so that a month's report is the same however many months follow.
        month.first_second() + offset.saturating_sub(late)
    }

    fn draw(&self, number: u64, draw: Draw) -> u64 {
        mixed(mixed(number.wrapping_add(self.salt << 40)).wrapping_add(draw as u64))
    }
}

/// Each repository has one workflow, every second one a further one.
fn workflow(repository: u32, draw: u64) -> u32 {
    let further = REPOSITORIES + repository / 2;
    if repository.is_multiple_of(2) && draw.is_multiple_of(2) && further < WORKFLOWS { further } else { repository }
}

/// One round of SplitMix64: a bijection that scatters neighbouring numbers.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Scales a random number to `0..limit`.
fn below(random: u64, limit: u32) -> u32 {
    let scaled = (u128::from(random) * u128::from(limit)) >> 64;
    u32::try_from(scaled).expect("it is less than the limit")
}

#[cfg(test)]
mod tests;
