//! Jobs of CI on every kind of runner: standard, larger and self-hosted ones, in public and private repositories.
//!
//! A few run on a runner that no price book knows: their minutes wait for a price.

use super::{Draw, small};
use crate::demo::dice::Dice;
use crate::demo::world::{Owner, World};
use billing::catalog::{self, Unit};
use billing::usage::{Job, job_minutes};
use billing::{Name, UsageEvent};

/// Jobs of a usual day.
const JOBS: u64 = 1_400;

const WORKFLOWS: [(u64, &str); 5] = [
    (60, ".github/workflows/ci.yml"),
    (15, ".github/workflows/release.yml"),
    (12, ".github/workflows/nightly.yml"),
    (8, ".github/workflows/deploy.yml"),
    (5, "dynamic/dependabot/dependabot-updates"),
];

const CONCLUSIONS: [(u64, &str); 4] = [(88, "success"), (8, "failure"), (3, "cancelled"), (1, "skipped")];

#[derive(Clone, Copy)]
enum Runner {
    /// A runner by its labels, with the usual seconds of a job on it.
    Labelled(&'static [&'static str], u64),
    Larger,
}

const RUNNERS: [(u64, Runner); 14] = [
    (5_000, Runner::Labelled(&["ubuntu-latest"], 170)),
    (800, Runner::Labelled(&["ubuntu-slim"], 60)),
    (600, Runner::Labelled(&["ubuntu-24.04-arm"], 150)),
    (700, Runner::Labelled(&["windows-latest"], 240)),
    (150, Runner::Labelled(&["windows-11-arm"], 240)),
    (250, Runner::Labelled(&["macos-15"], 300)),
    (60, Runner::Labelled(&["macos-latest-large"], 420)),
    (60, Runner::Labelled(&["macos-latest-xlarge"], 300)),
    (700, Runner::Larger),
    (1_200, Runner::Labelled(&["self-hosted", "linux", "x64"], 400)),
    (200, Runner::Labelled(&["self-hosted", "windows"], 400)),
    (120, Runner::Labelled(&["self-hosted", "macos", "arm64"], 500)),
    (40, Runner::Labelled(&["self-hosted", "freebsd"], 300)),
    (2, Runner::Labelled(&["quantum-runner"], 90)),
];

pub(super) fn draw(draw: &mut Draw<'_>, world: &World) {
    let mut dice = draw.begin("job");
    let larger = larger_runners(draw);
    let owners: Vec<(u64, &Owner)> = world.organizations.iter().chain([&world.user]).map(|owner| (owner.weight, owner)).collect();
    for _ in 0..draw.times(JOBS) {
        let owner = *dice.weighted(&owners);
        let event = job(draw, &mut dice, owner, &larger);
        draw.keep(event);
    }
}

fn job(draw: &mut Draw<'_>, dice: &mut Dice, owner: &Owner, larger: &[Name]) -> UsageEvent {
    let (labels, usual_seconds): (Vec<Name>, u64) = match dice.weighted(&RUNNERS) {
        Runner::Labelled(labels, seconds) => (labels.iter().map(|label| Name::from(*label)).collect(), *seconds),
        Runner::Larger => (vec![dice.early_of(larger).clone()], 360),
    };
    let started_at = draw.time(dice);
    let completed_at = started_at.plus_seconds(i64::from(small(dice.skewed(usual_seconds))));
    let conclusion = *dice.weighted(&CONCLUSIONS);
    let minutes = job_minutes(Some(started_at), completed_at, Some(conclusion)).expect("a job ends after it started");
    let repository = dice.early_of(&owner.repositories);
    let event = draw.event(owner, completed_at, &catalog::runner_sku(&labels), minutes);
    let number = u64::from(draw.day.number().unsigned_abs()) * 100_000 + u64::from(draw.count);
    let self_hosted = labels.iter().any(|label| &**label == "self-hosted");
    UsageEvent {
        repository: Some(repository.name.clone()),
        visibility: repository.visibility,
        username: super::name_of(&owner.people, dice),
        workflow_path: Some((*dice.weighted(&WORKFLOWS)).into()),
        job: Some(Job {
            runner_labels: labels,
            runner_group: Some(if self_hosted { "own" } else { "hosted" }.into()),
            conclusion: Some(conclusion.into()),
            run_id: number / 3,
            run_attempt: 1 + dice.below(20) / 19,
            job_id: number,
            started_at: Some(started_at),
            completed_at,
        }),
        ..event
    }
}

/// A label for each larger runner with a price, the smaller ones first.
fn larger_runners(draw: &Draw<'_>) -> Vec<Name> {
    let version = draw.facts.price_book.in_force(draw.day);
    let larger = version.skus.values().filter(|sku| {
        let hosted = &*sku.product == "actions" && sku.unit == Unit::Minutes && !sku.sku.starts_with("actions_self_hosted");
        hosted && sku.pool.is_none() && sku.price.is_some()
    });
    let mut larger: Vec<_> = larger.map(|sku| (sku.price, sku.sku.strip_prefix("actions_").unwrap_or(&sku.sku))).collect();
    larger.sort_unstable();
    let labels = larger.into_iter().filter(|(_, label)| !label.starts_with("macos"));
    labels.map(|(_, label)| Name::from(label)).collect()
}
