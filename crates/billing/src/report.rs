//! Reports as values: their types, limits, rows and columns. Writing them as CSV is left to the program.
//!
//! A report is a stream of [`Row`]s, made by [`rows`] from rated lines and rendered column by column ([`ReportType::columns`]). All
//! reports of the same usage have the same total: they only group it differently.

mod columns;
mod rows;

pub use columns::Column;
pub use rows::{RowError, Rows, rows};

use crate::catalog::Unit;
use crate::rating::Rated;
use crate::usage::Tokens;
use crate::{Day, Name, Quantity, UnitPrice};
use std::fmt;

/// The four kinds of report that GitHub exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportType {
    Detailed,
    Summarized,
    PremiumRequest,
    AiCredit,
}

impl ReportType {
    pub const ALL: [ReportType; 4] = [ReportType::Detailed, ReportType::Summarized, ReportType::PremiumRequest, ReportType::AiCredit];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReportType::Detailed => "detailed",
            ReportType::Summarized => "summarized",
            ReportType::PremiumRequest => "premium_request",
            ReportType::AiCredit => "ai_credit",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<ReportType> {
        ReportType::ALL.into_iter().find(|report| report.as_str() == text)
    }

    /// The most days that one report covers, both ends counted: 31, or a year of 366 for the summarized one.
    #[must_use]
    pub fn days_max(self) -> i32 {
        match self {
            ReportType::Summarized => 366,
            ReportType::Detailed | ReportType::PremiumRequest | ReportType::AiCredit => 31,
        }
    }
}

impl fmt::Display for ReportType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The days of a report, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportDays {
    pub first: Day,
    pub last: Day,
}

/// One row of a report. Fields that a report type has no column for are empty or zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub day: Day,
    pub product: Name,
    pub sku: Name,
    pub quantity: Quantity,
    pub unit: Unit,
    pub price: UnitPrice,
    pub rated: Rated,
    pub username: Name,
    /// The owner's present login: an enterprise pays for organizations, and no owner's usage hides behind an empty name.
    pub organization: Name,
    /// Without its owner.
    pub repository: Name,
    pub workflow_path: Name,
    pub cost_center: Name,
    pub model: Name,
    pub tokens: Tokens,
    /// What the user's licence includes in the month of the day.
    pub monthly_quota: Quantity,
}
