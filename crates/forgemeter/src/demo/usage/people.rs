//! What people use beside CI: codespaces, Copilot, Spark, models and sandboxes; and the licences that they hold.
//!
//! Until 2026-05-31 Copilot counts premium requests, weighted by model, since then AI credits by their tokens. Who has bought a licence
//! of their own, or is on an annual licence, stays with premium requests.

use super::{Draw, fraction};
use crate::demo::dice::Dice;
use crate::demo::world::{ORGANIZATIONS, Owner, World, seat_holders};
use billing::usage::Tokens;
use billing::{Day, Name, Quantity, UsageEvent};

/// The first day of AI credits.
const AI_CREDITS_SINCE: &str = "2026-06-01";

/// A model: its name, the hundredths of a premium request that one use takes, and US cents for a million tokens read and written.
struct Model(&'static str, u64, u64, u64);

const MODELS: [Model; 5] = [
    Model("GPT-5.4", 100, 250, 1_500),
    Model("Claude Sonnet 4.6", 100, 300, 1_500),
    Model("Claude Haiku 4.5", 33, 100, 500),
    Model("Claude Opus 4.6", 300, 500, 2_500),
    Model("GPT-5.4 nano", 25, 20, 125),
];

/// A way to use models: how often on a usual day, the SKUs before and since AI credits, and how many thousand tokens one use reads.
struct Assistant(u64, &'static str, &'static str, u64);

const ASSISTANTS: [Assistant; 3] = [
    Assistant(210, "copilot_premium_request", "copilot_ai_credit", 60),
    Assistant(40, "coding_agent_premium_request", "coding_agent_ai_credit", 300),
    Assistant(22, "spark_premium_request", "spark_ai_credit", 80),
];

/// Machines of codespaces; the greater ones are rare.
const CODESPACES: [&str; 5] =
    ["codespaces_compute_d2", "codespaces_compute_d4", "codespaces_compute_d8", "codespaces_compute_d16", "codespaces_compute_d32"];

/// Tools without people's names: the SKU, how often on a usual day, and the usual quantity in thousandths.
const TOOLS: [(&str, u64, u64); 5] = [
    ("models_inference", 16, 4_000_000),
    ("sandbox_linux", 10, 900_000),
    ("sandbox_memory", 10, 3_600_000),
    ("sandbox_snapshot", 2, 250),
    ("code_quality_ai_credit", 8, 6_000),
];

pub(super) fn draw(draw: &mut Draw<'_>, world: &World) {
    assistants(draw, world);
    codespaces(draw, world);
    tools(draw, world);
    licences(draw, world);
}

fn assistants(draw: &mut Draw<'_>, world: &World) {
    let credits = Day::parse(AI_CREDITS_SINCE).is_ok_and(|since| draw.day >= since);
    let holders: Vec<Name> = seat_holders().map(|(login, _)| login.into()).collect();
    let mut dice = draw.begin("assistant");
    for Assistant(times, request, credit, kilotokens) in ASSISTANTS {
        for _ in 0..draw.times(times) {
            let own = dice.below(20) == 0;
            let owner = if own { &world.user } else { &world.organizations[0] };
            let annual = dice.below(8) == 0;
            let sku = if credits && !own && !annual { credit } else { request };
            let event = model_use(draw, &mut dice, owner, sku, kilotokens);
            let username = if own { Some(world.user.people[0].clone()) } else { super::name_of(&holders, &mut dice) };
            let repository = dice.early_of(&owner.repositories).name.clone();
            draw.keep(UsageEvent { username, repository: Some(repository), ..event });
        }
    }
}

fn model_use(draw: &mut Draw<'_>, dice: &mut Dice, owner: &Owner, sku: &str, kilotokens: u64) -> UsageEvent {
    let Model(model, hundredths, read_cents, written_cents) = dice.early_of(&MODELS);
    let time = draw.time(dice);
    if !sku.ends_with("ai_credit") {
        let event = draw.event(owner, time, sku, fraction(*hundredths, 100));
        return UsageEvent { model: Some((*model).into()), ..event };
    }
    let input = dice.skewed(kilotokens * 1000);
    let tokens = Tokens { input, output: dice.skewed(kilotokens * 40), cache_read: input / 2, cache_write: 0 };
    // A credit is a cent, so the cents of the tokens are the credits; what was cached costs a tenth.
    let micro_credits = tokens.input * read_cents + tokens.output * written_cents + tokens.cache_read * read_cents / 10;
    let event = draw.event(owner, time, sku, fraction(micro_credits, 1_000_000));
    UsageEvent { model: Some((*model).into()), tokens, ..event }
}

fn codespaces(draw: &mut Draw<'_>, world: &World) {
    let mut dice = draw.begin("codespace");
    for _ in 0..draw.times(55) {
        let owner = if dice.below(6) == 0 { &world.user } else { dice.early_of(&world.organizations[..3]) };
        let sku = *dice.early_of(&CODESPACES);
        let time = draw.time(&mut dice);
        let event = draw.event(owner, time, sku, fraction(dice.skewed(75), 60));
        let repository = dice.early_of(&owner.repositories);
        let username = super::name_of(&owner.people, &mut dice);
        draw.keep(UsageEvent { repository: Some(repository.name.clone()), visibility: repository.visibility, username, ..event });
    }
}

fn tools(draw: &mut Draw<'_>, world: &World) {
    let mut dice = draw.begin("tool");
    for (sku, times, thousandths) in TOOLS {
        for _ in 0..draw.times(times) {
            let owner = dice.early_of(&world.organizations[..3]);
            let time = draw.time(&mut dice);
            let event = draw.event(owner, time, sku, fraction(dice.skewed(thousandths), 1000));
            let repository = dice.early_of(&owner.repositories);
            let username = super::name_of(&owner.people, &mut dice);
            draw.keep(UsageEvent { repository: Some(repository.name.clone()), visibility: repository.visibility, username, ..event });
        }
    }
}

/// Each licence counts every day, by the share of the day in its month.
fn licences(draw: &mut Draw<'_>, world: &World) {
    draw.begin("licence");
    let first = &world.organizations[0];
    for (login, greater) in seat_holders() {
        licence(draw, first, if greater { "copilot_enterprise" } else { "copilot_for_business" }, &login.into());
    }
    for (place, owner) in world.organizations.iter().enumerate().filter(|(place, _)| ORGANIZATIONS[*place].plan == "ghec") {
        // A person counts where they are met first.
        let known = |person: &Name| world.organizations[..place].iter().any(|before| before.people.contains(person));
        for person in owner.people.iter().filter(|person| !known(person)) {
            licence(draw, owner, "ghec_licenses", person);
        }
    }
    for person in first.people.iter().take(14) {
        licence(draw, first, "ghas_secret_protection_licenses", person);
        licence(draw, first, "ghas_code_security_licenses", person);
    }
}

fn licence(draw: &mut Draw<'_>, owner: &Owner, sku: &str, person: &Name) {
    let share = Quantity::from_billionths(super::ONE / i128::from(draw.day.month().days()));
    let event = draw.event(owner, draw.day.start(), sku, share);
    draw.keep(UsageEvent { username: Some(person.clone()), ..event });
}
