//! The accounts, and the events that writers send: each follows from the seed and its number alone.
//!
//! Most events have a workflow of their own, so that a report has a row for each of them; the rest share rows. Two events in a row
//! have one id under two sources.

use crate::dice::Dice;

/// Small plans, so that pools run out.
pub const ACCOUNTS: &str = r#"
[[plan]]
name = "small"
included = { actions_minutes = 3000, packages_transfer = 40, shared_storage = 2 }

[[user]]
login = "mona"
plan = "small"
email = "mona@example.test"

[[enterprise]]
slug = "acme-corp"
name = "Acme"
plan = "small"
owners = ["mona"]

[[organization]]
login = "acme"
enterprise = "acme-corp"
owners = ["mona"]

[[organization]]
login = "globex"
enterprise = "acme-corp"
owners = ["mona"]
"#;

pub const NOW: &str = "2026-11-20T10:00:00Z";
pub const ENTERPRISE: &str = "acme-corp";
/// Organizations of the enterprise, and a user who pays for herself.
pub const OWNERS: [&str; 3] = ["acme", "globex", "mona"];
pub const SCOPES: &str = "admin:org,user,manage_billing:enterprise,usage:write";

/// The SKUs, with price in trillionths of a dollar and pool.
pub const SKUS: [Sku; 8] = [
    Sku { name: "actions_linux", price: 6_000_000_000, pool: Pool::Minutes, key: "UBUNTU", weight: 1 },
    Sku { name: "actions_windows", price: 10_000_000_000, pool: Pool::Minutes, key: "WINDOWS", weight: 2 },
    Sku { name: "actions_macos", price: 62_000_000_000, pool: Pool::Minutes, key: "MACOS", weight: 10 },
    Sku { name: "actions_linux_8_core", price: 22_000_000_000, pool: Pool::None, key: "ubuntu_8_core", weight: 1 },
    Sku { name: "packages_bandwidth", price: 500_000_000_000, pool: Pool::Transfer, key: "", weight: 1 },
    Sku { name: "actions_storage", price: 336_020_000, pool: Pool::Storage, key: "", weight: 1 },
    Sku { name: "packages_storage", price: 336_020_000, pool: Pool::Storage, key: "", weight: 1 },
    Sku { name: "no_such_sku", price: 0, pool: Pool::None, key: "", weight: 1 },
];

/// The SKU without a price.
pub const UNRATED: &str = "no_such_sku";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    None,
    /// Money: 3,000 minutes of Linux.
    Minutes,
    /// Gigabytes: 40.
    Transfer,
    /// Money: 2 gigabytes for a month.
    Storage,
}

#[derive(Debug, Clone, Copy)]
pub struct Sku {
    pub name: &'static str,
    pub price: i128,
    pub pool: Pool,
    /// What the retired summary of Actions calls it; empty when it is no runner.
    pub key: &'static str,
    pub weight: i128,
}

/// One event, as it was sent first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub number: u64,
    pub source: String,
    pub id: String,
    /// Days from 1 October 2026.
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub owner: &'static str,
    pub repository: String,
    pub sku: usize,
    /// In billionths.
    pub quantity: i128,
    pub username: String,
    pub workflow: String,
    pub is_public: bool,
}

const OCTOBER_DAYS: u64 = 31;
/// Usage goes up to the day of [`NOW`].
const DAYS: u64 = OCTOBER_DAYS + 20;

impl Event {
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Event {
        let mut dice = Dice::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let owner = *dice.pick(&[OWNERS[0], OWNERS[0], OWNERS[1], OWNERS[2]]);
        let sku = usize::try_from(dice.below(8)).unwrap();
        let runner = !SKUS[sku].key.is_empty();
        let repository = *dice.pick(&["Web", "api", "Infra", "web", "docs"]);
        Event {
            number,
            source: format!("/crash/{}", number % 2),
            id: format!("e{}", number / 2),
            // Most usage is of this month; some is late.
            day: if dice.percent(15) { dice.below(OCTOBER_DAYS) } else { OCTOBER_DAYS + dice.below(DAYS - OCTOBER_DAYS) },
            hour: dice.below(24),
            minute: dice.below(60),
            owner,
            repository: repository.to_owned(),
            sku,
            quantity: if runner { i128::from(1 + dice.below(5)) * 1_000_000_000 } else { i128::from(1 + dice.below(60_000_000)) * 10 },
            username: (*dice.pick(&["mona", "Hubot", "octo"])).to_owned(),
            workflow: if dice.percent(75) { format!("w{number}.yml") } else { "ci.yml".to_owned() },
            is_public: dice.percent(10),
        }
    }

    #[must_use]
    pub fn month(&self) -> &'static str {
        if self.day < OCTOBER_DAYS { "2026-10" } else { "2026-11" }
    }

    #[must_use]
    pub fn date(&self) -> String {
        let day = if self.day < OCTOBER_DAYS { self.day } else { self.day - OCTOBER_DAYS };
        format!("{}-{:02}", self.month(), day + 1)
    }

    /// Whole minutes of this month that the summary of Actions of the enterprise counts; 0 for everything else.
    #[must_use]
    pub fn enterprise_minutes(&self) -> i128 {
        let counts = self.day >= OCTOBER_DAYS && self.owner != "mona" && !self.is_public && !SKUS[self.sku].key.is_empty();
        if counts { self.quantity / 1_000_000_000 } else { 0 }
    }

    /// As CloudEvents JSON on one line; with another quantity it conflicts with itself.
    #[must_use]
    pub fn json(&self, more: i128) -> String {
        let visibility = if self.is_public { "public" } else { "private" };
        let quantity = decimal(self.quantity + more);
        format!(
            concat!(
                r#"{{"specversion":"1.0","type":"usage.recorded","source":"{}","id":"{}","time":"{}T{:02}:{:02}:00Z","subject":"{}/{}","#,
                r#""data":{{"sku":"{}","quantity":"{}","username":"{}","workflow_path":"{}","visibility":"{}"}}}}"#
            ),
            self.source,
            self.id,
            self.date(),
            self.hour,
            self.minute,
            self.owner,
            self.repository,
            SKUS[self.sku].name,
            quantity,
            self.username,
            self.workflow,
            visibility,
        )
    }
}

/// Billionths as a decimal.
#[must_use]
pub fn decimal(billionths: i128) -> String {
    format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000)
}

/// A decimal as billionths.
#[must_use]
pub fn billionths(text: &str) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return None;
    }
    let padded = format!("{fraction:0<9}");
    let (Ok(whole), Ok(fraction)) = (whole.parse::<i128>(), padded.parse::<i128>()) else { return None };
    Some(sign * (whole * 1_000_000_000 + fraction))
}
