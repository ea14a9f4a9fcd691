//! Reports as values: their types, limits, row keys and columns. Writing them as CSV is left to the program.

use crate::Day;
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
