//! What the demonstration promises: the same usage again, enough of it, every product, and pools that run out.
//!
//! Facts are made in memory from the same description that a folder gets.

use super::*;
use crate::demo::world::{self, ORGANIZATIONS};
use billing::account::{Account, AccountKind};
use billing::allowance::{PoolKey, Seat};
use billing::month::MonthTotals;
use billing::{AccountId, Month};
use std::collections::{BTreeMap, BTreeSet};
