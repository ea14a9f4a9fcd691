//! The words and rules of metered billing, as pure functions of their arguments.
//!
//! No clock, disk, network, async, SQL, JSON or float: `now`, facts and usage come in as arguments, and the same input gives the
//! same output. Start at [`rating`]: usage, a price book and included quantities become rated amounts.
//!
//! The glossary, in reading order (GitHub's own billing words):
//!
//! | word | meaning |
//! |---|---|
//! | account | an enterprise, an organization or a user; it keeps its id through renames |
//! | owner | the organization or user whose repository used something |
//! | payer | the account that is billed: the owner's enterprise at the time of the usage, else the owner |
//! | usage event | one fact that something was used: who, what, how much, when |
//! | SKU | what is counted and priced, such as `actions_linux`; it belongs to a product |
//! | price book | all price versions; the version in force on a day prices the usage of that day |
//! | gross, discount, net | quantity × price; the part that is free or included; the rest, which is paid |
//! | pool | an included quantity of a payer and month, drawn in order of time until it is used up |
//! | line | usage of one day with the same SKU, owner, repository, user, workflow, model and price, summed |
//! | plan | the included quantities that an account has bought |
//! | seat | a person's Copilot licence, which brings included requests and credits |

#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may stop at the first surprise"))]

pub mod account;
pub mod allowance;
pub mod amount;
pub mod catalog;
mod decimal;
pub mod facts;
pub mod legacy;
pub mod line;
pub mod month;
pub mod period;
pub mod price_book;
pub mod quantity;
pub mod rating;
pub mod report;
pub mod repricing;
pub mod usage;

pub use account::{Account, AccountId, AccountKind, Accounts, Role};
pub use amount::{Amount, UnitPrice};
pub use facts::{FactNumber, Facts};
pub use period::{Day, Month, UtcTime};
pub use quantity::Quantity;
pub use usage::{Name, UsageEvent, Visibility};

/// A sum or product left the range of its type. At the limits of [`Quantity::MAX`] and [`UnitPrice::MAX`] no realistic month can
/// reach it; where it still happens the figure is refused, never wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum leaves the range of exact amounts")]
pub struct Overflow;
