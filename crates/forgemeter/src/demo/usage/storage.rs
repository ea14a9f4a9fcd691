//! What is stored, hour by hour, and what is downloaded.
//!
//! Levels are in MiB and grow slowly; an hour's usage is its level in gigabytes. Storage of a whole organization names no repository.

use super::{Draw, fraction};
use crate::demo::dice::Dice;
use crate::demo::world::{Owner, World};
use billing::{Quantity, UsageEvent};

const MIB_PER_GB: u64 = 1024;
const HOURS: i64 = 24;

/// Who stores something. The numbers are places in the lists of [`World`].
#[derive(Clone, Copy)]
enum Place {
    Repository(usize, usize),
    Organization(usize),
    User,
}

/// What is stored somewhere: the SKU, and the level in MiB on a first day.
const STORED: [(&str, Place, u64); 20] = [
    ("actions_storage", Place::Repository(0, 1), 9_000),
    ("actions_storage", Place::Repository(0, 3), 14_000),
    ("actions_storage", Place::Repository(1, 1), 22_000),
    ("actions_storage", Place::Repository(2, 1), 6_000),
    ("actions_storage", Place::Repository(3, 0), 5_000),
    ("actions_storage", Place::User, 700),
    ("packages_storage", Place::Repository(0, 0), 4_000),
    ("packages_storage", Place::Repository(1, 5), 36_000),
    ("packages_storage", Place::Repository(1, 6), 18_000),
    ("packages_storage", Place::Repository(3, 9), 2_600),
    ("actions_cache_storage", Place::Repository(0, 1), 9_500),
    ("actions_cache_storage", Place::Repository(1, 6), 15_000),
    ("actions_custom_image_storage", Place::Organization(1), 170_000),
    ("git_lfs_storage", Place::Repository(2, 0), 210_000),
    ("git_lfs_storage", Place::Repository(2, 4), 90_000),
    ("git_lfs_storage", Place::Repository(3, 1), 12_000),
    ("codespaces_storage", Place::Organization(0), 61_000),
    ("codespaces_storage", Place::User, 21_000),
    ("codespaces_prebuild_storage", Place::Organization(0), 24_000),
    ("codespaces_prebuild_storage", Place::Organization(1), 9_000),
];

/// What is downloaded: the SKU, how often on a usual day, and the usual MiB of one download.
const DOWNLOADED: [(&str, u64, u64); 2] = [("packages_bandwidth", 70, 90), ("git_lfs_bandwidth", 28, 420)];

pub(super) fn draw(draw: &mut Draw<'_>, world: &World) {
    let mut dice = draw.begin("storage");
    for (sku, place, level) in STORED {
        for hour in 0..HOURS {
            let event = hour_of_storage(draw, &mut dice, world, (sku, place, level), hour);
            draw.keep(event);
        }
    }
    let mut dice = draw.begin("transfer");
    for (sku, times, mib) in DOWNLOADED {
        for _ in 0..draw.times(times) {
            let event = download(draw, &mut dice, world, sku, mib);
            draw.keep(event);
        }
    }
}

fn hour_of_storage(draw: &mut Draw<'_>, dice: &mut Dice, world: &World, stored: (&str, Place, u64), hour: i64) -> UsageEvent {
    let (sku, place, first_level) = stored;
    let (owner, repository) = match place {
        Place::Repository(organization, repository) => {
            let owner = &world.organizations[organization];
            (owner, Some(&owner.repositories[repository]))
        }
        Place::Organization(organization) => (&world.organizations[organization], None),
        Place::User => (&world.user, Some(&world.user.repositories[1])),
    };
    // Two per mille a day, and a month's old things are deleted when it ends.
    let growth = first_level * 2 * u64::from(draw.day.day_of_month()) / 1000;
    let level = first_level + growth + dice.below(first_level / 50 + 1);
    let end_of_hour = draw.day.start().plus_seconds(hour * 3600 + 3599);
    let event = draw.event(owner, end_of_hour, sku, gigabytes(level));
    match repository {
        Some(repository) => UsageEvent { repository: Some(repository.name.clone()), visibility: repository.visibility, ..event },
        None => event,
    }
}

fn download(draw: &mut Draw<'_>, dice: &mut Dice, world: &World, sku: &str, mib: u64) -> UsageEvent {
    let owners: Vec<(u64, &Owner)> = world.organizations.iter().chain([&world.user]).map(|owner| (owner.weight, owner)).collect();
    let owner = *dice.weighted(&owners);
    let repository = dice.early_of(&owner.repositories);
    let time = draw.time(dice);
    let event = draw.event(owner, time, sku, gigabytes(dice.skewed(mib)));
    UsageEvent {
        repository: Some(repository.name.clone()),
        visibility: repository.visibility,
        username: super::name_of(&owner.people, dice),
        ..event
    }
}

fn gigabytes(mib: u64) -> Quantity {
    fraction(mib, MIB_PER_GB)
}
