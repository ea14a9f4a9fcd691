//! A usage event: one fact that something was used. Reading it from JSON, a webhook or a file is left to the program; storing it to
//! the store. Start at [`UsageEvent`].

use crate::{AccountId, Quantity, UtcTime};
use std::sync::Arc;

/// A shared text: the names of events repeat millions of times.
pub type Name = Arc<str>;

/// Who can see the repository. Internal counts as private (rulings A1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    Private,
    Internal,
    Public,
}

impl Visibility {
    #[must_use]
    pub fn parse(text: &str) -> Option<Visibility> {
        match text {
            "private" => Some(Visibility::Private),
            "internal" => Some(Visibility::Internal),
            "public" => Some(Visibility::Public),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Private => "private",
            Visibility::Internal => "internal",
            Visibility::Public => "public",
        }
    }
}

/// Tokens of an AI request, by class; summed in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Tokens {
    /// # Errors
    /// On overflow.
    pub fn plus(self, other: Tokens) -> Result<Tokens, crate::Overflow> {
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or(crate::Overflow);
        Ok(Tokens {
            input: sum(self.input, other.input)?,
            output: sum(self.output, other.output)?,
            cache_read: sum(self.cache_read, other.cache_read)?,
            cache_write: sum(self.cache_write, other.cache_write)?,
        })
    }
}

/// The job behind an event of type `ci.job.completed`; kept so that the event can be printed again as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub runner_labels: Vec<Name>,
    pub runner_group: Option<Name>,
    pub conclusion: Option<Name>,
    pub run_id: u64,
    pub run_attempt: u64,
    pub job_id: u64,
    /// Absent when the job never started on a runner; then it uses nothing.
    pub started_at: Option<UtcTime>,
    pub completed_at: UtcTime,
}

/// One fact that something was used. Its SKU and quantity are those of `usage.recorded`, or follow from the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// Who says so; with `id` and the owner the event's identity.
    pub source: Name,
    pub id: Name,
    /// What the sender wrote as `time`.
    pub time: UtcTime,
    /// When it was used: `time`, or a job's `completed_at`.
    pub used_at: UtcTime,
    pub owner: AccountId,
    /// The repository's name without its owner.
    pub repository: Option<Name>,
    pub sku: Name,
    pub quantity: Quantity,
    pub username: Option<Name>,
    pub workflow_path: Option<Name>,
    pub model: Option<Name>,
    pub visibility: Visibility,
    pub tokens: Tokens,
    pub job: Option<Job>,
}

/// The minutes of a job: its time on the runner, rounded up to whole minutes for each job on its own; a job of no length that did
/// start counts one minute, a job that was skipped or never started none (rating M1 to M3).
///
/// # Errors
/// When it ended before it started.
pub fn job_minutes(started_at: Option<UtcTime>, completed_at: UtcTime, conclusion: Option<&str>) -> Result<Quantity, EndsBeforeStart> {
    let Some(started_at) = started_at else { return Ok(Quantity::ZERO) };
    if conclusion == Some("skipped") {
        return Ok(Quantity::ZERO);
    }
    let microseconds = completed_at.microseconds().saturating_sub(started_at.microseconds());
    if microseconds < 0 {
        return Err(EndsBeforeStart);
    }
    let minutes = microseconds.saturating_add(59_999_999) / 60_000_000;
    let minutes = u32::try_from(minutes.max(1)).expect("the range of UtcTime is shorter than 2^32 minutes only when bounded");
    Ok(Quantity::whole(minutes))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("lies before `started_at`")]
pub struct EndsBeforeStart;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_is_rounded_up_to_whole_minutes_on_its_own() {
        let start = UtcTime::parse("2026-11-03T10:00:00Z").unwrap();
        let table = [(0, 1), (1, 1), (59, 1), (60, 1), (61, 2), (600, 10), (601, 11), (86_400, 1440)];
        for (seconds, minutes) in table {
            let end = start.plus_seconds(seconds);
            assert_eq!(job_minutes(Some(start), end, Some("failure")), Ok(Quantity::whole(minutes)), "{seconds} s");
        }
        assert_eq!(job_minutes(None, start, Some("cancelled")), Ok(Quantity::ZERO));
        assert_eq!(job_minutes(Some(start), start.plus_seconds(90), Some("skipped")), Ok(Quantity::ZERO));
        assert_eq!(job_minutes(Some(start), start.plus_seconds(-1), None), Err(EndsBeforeStart));
    }

    #[test]
    fn a_failed_run_and_its_re_run_count_both() {
        // Rating example W4: 5 minutes until the failure, 10 minutes again.
        let start = UtcTime::parse("2026-11-03T10:00:00Z").unwrap();
        let failed = job_minutes(Some(start), start.plus_seconds(300), Some("failure")).unwrap();
        let again = job_minutes(Some(start), start.plus_seconds(600), Some("success")).unwrap();
        assert_eq!(failed.plus(again), Ok(Quantity::whole(15)));
    }
}
