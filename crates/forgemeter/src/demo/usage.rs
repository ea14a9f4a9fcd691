//! The demonstration's usage: what its people use on one day, the same for the same seed, day and accounts.
//!
//! Every product of the price book has usage on every day that it has a price on, and some pools run out within each month. Kinds of
//! usage: jobs of CI here and in [`jobs`], storage and transfer in [`storage`], people's tools and licences in [`people`].

mod jobs;
mod people;
mod storage;

use super::dice::Dice;
use super::world::{Owner, World};
use billing::rating::{self, Unrated};
use billing::usage::Tokens;
use billing::{Day, Facts, Name, Quantity, UsageEvent, UtcTime, Visibility};

const ONE: i128 = 1_000_000_000;

/// Everything that is used on a day, up to an instant.
pub(super) fn events_of(world: &World, facts: &Facts, seed: u64, day: Day, until: UtcTime) -> Vec<UsageEvent> {
    let mut events = Vec::with_capacity(4_000);
    let mut draw = Draw { facts, seed, day, kind: "", source: Name::from(""), count: 0, events: &mut events };
    jobs::draw(&mut draw, world);
    storage::draw(&mut draw, world);
    people::draw(&mut draw, world);
    events.retain(|event| event.used_at <= until && event.time <= until);
    events
}

/// The drawing of one day's usage.
struct Draw<'a> {
    facts: &'a Facts,
    seed: u64,
    day: Day,
    kind: &'static str,
    source: Name,
    count: u32,
    events: &'a mut Vec<UsageEvent>,
}

impl Draw<'_> {
    /// Begins another kind of usage, with dice of its own.
    fn begin(&mut self, kind: &'static str) -> Dice {
        self.kind = kind;
        self.source = format!("/demo/{kind}").into();
        self.count = 0;
        let name = kind.bytes().fold(0, |number: u64, byte| number.wrapping_mul(257).wrapping_add(u64::from(byte)));
        Dice::new([self.seed, name, u64::from(self.day.number().unsigned_abs())])
    }

    /// How many of a day's usual number there are today: fewer at the weekend.
    fn times(&self, usual: u64) -> u64 {
        // 1970-01-01 was a Thursday.
        let weekend = matches!(self.day.number().rem_euclid(7), 2 | 3);
        usual * if weekend { 50 } else { 120 } / 100
    }

    /// An instant of the day, most often in working hours.
    fn time(&self, dice: &mut Dice) -> UtcTime {
        const HOURS: [(u64, i64); 6] = [(6, 0), (10, 4), (40, 8), (40, 12), (24, 16), (10, 20)];
        let hour = *dice.weighted(&HOURS) + i64::from(small(dice.below(4)));
        self.day.start().plus_seconds(hour * 3600 + i64::from(small(dice.below(3600))))
    }

    /// An event of the present kind, without anything that is not always there.
    fn event(&mut self, owner: &Owner, time: UtcTime, sku: &str, quantity: Quantity) -> UsageEvent {
        self.count += 1;
        UsageEvent {
            source: self.source.clone(),
            id: format!("{}-{}-{}", self.kind, self.day, self.count).into(),
            time,
            used_at: time,
            owner: owner.id,
            repository: None,
            sku: sku.into(),
            quantity,
            username: None,
            workflow_path: None,
            model: None,
            visibility: Visibility::Private,
            tokens: Tokens::default(),
            job: None,
        }
    }

    /// Keeps an event, unless its SKU gets its price on a later day: then the product does not exist yet.
    fn keep(&mut self, event: UsageEvent) {
        if rating::price(&event, self.facts).err() != Some(Unrated::NotYetPriced) {
            self.events.push(event);
        }
    }
}

/// A fraction of whole units, cut to the last place of a quantity.
fn fraction(numerator: u64, denominator: u64) -> Quantity {
    Quantity::from_billionths(i128::from(numerator) * ONE / i128::from(denominator))
}

fn small(number: u64) -> u32 {
    u32::try_from(number).expect("it was drawn below a small bound")
}

fn name_of(list: &[Name], dice: &mut Dice) -> Option<Name> {
    Some(dice.early_of(list).clone())
}

#[cfg(test)]
mod tests;
