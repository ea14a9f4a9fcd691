//! Everything but usage that an amount depends on, as it stood at one fact number: accounts, plans, seats and the price book.
//!
//! Facts are appended and never edited; each has a number, and [`Facts`] is what all facts up to a number add up to. So the same
//! usage with the same [`Facts`] gives the same amounts for ever.

use crate::UtcTime;
use crate::account::Accounts;
use crate::allowance::{Plans, Seats};
use crate::price_book::PriceBook;

/// The running number of the last fact that is taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactNumber(pub u64);

/// What all facts up to [`Facts::number`] add up to.
#[derive(Debug, Clone)]
pub struct Facts {
    pub number: FactNumber,
    pub accounts: Accounts,
    pub plans: Plans,
    pub seats: Seats,
    pub price_book: PriceBook,
}

impl Facts {
    /// No accounts, the built-in plans and the start price book: what a new folder knows.
    #[must_use]
    pub fn start() -> Facts {
        Facts {
            number: FactNumber(0),
            accounts: Accounts::default(),
            plans: Plans::start(),
            seats: Seats::default(),
            price_book: PriceBook::start(),
        }
    }

    /// The first instant after `time` at which a value that is already written begins to hold: until then, pools keep their sizes.
    #[must_use]
    pub fn next_change(&self, time: UtcTime) -> Option<UtcTime> {
        let of_accounts = self.accounts.iter().flat_map(|account| account.plan.changes().chain(account.enterprise.changes()));
        let of_seats = self.seats.iter().flat_map(|seat| std::iter::once(seat.since).chain(seat.until));
        of_accounts.chain(of_seats).chain(self.plans.changes()).filter(|change| *change > time).min()
    }
}
