//! The months of a run, from January 2026 on, and the text of an instant in them.
//!
//! Dates are looked up in a table of days, because writing millions of them is most of what the generator does.

use std::io::Write;

pub(crate) const SECONDS_PER_DAY: u64 = 86_400;
const FIRST_YEAR: u32 = 2026;
/// Days from 1970 to 2026.
const FIRST_DAY: u64 = 20_454;

/// A calendar month in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Month {
    first_day: u64,
    days: Vec<String>,
}

impl Month {
    pub(crate) fn first_second(&self) -> u64 {
        self.first_day * SECONDS_PER_DAY
    }

    pub(crate) fn seconds(&self) -> u64 {
        u64::try_from(self.days.len()).expect("a month has few days") * SECONDS_PER_DAY
    }

    /// Dates as `2026-01-31`, in order.
    pub(crate) fn days(&self) -> &[String] {
        &self.days
    }

    pub(crate) fn last_day(&self) -> &str {
        self.days.last().expect("a month has days")
    }
}

/// The first months of a run.
pub(crate) fn months(count: u64) -> Vec<Month> {
    let mut first_day = FIRST_DAY;
    let mut months = Vec::new();
    for (year, month) in (FIRST_YEAR..).flat_map(|year| (1..=12).map(move |month| (year, month))) {
        if u64::try_from(months.len()).is_ok_and(|made| made == count) {
            break;
        }
        let days: Vec<String> = (1..=length(year, month)).map(|day| format!("{year:04}-{month:02}-{day:02}")).collect();
        let next = first_day + u64::try_from(days.len()).expect("a month has few days");
        months.push(Month { first_day, days });
        first_day = next;
    }
    months
}

fn length(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Writes `2026-01-03T10:15:00Z`. The instant lies in one of the months.
pub(crate) fn write_time(months: &[Month], second: u64, out: &mut Vec<u8>) {
    let day = second / SECONDS_PER_DAY;
    let month = months[months.partition_point(|month| month.first_day <= day) - 1..].first().expect("an instant of the run");
    let in_day = second % SECONDS_PER_DAY;
    let date = &month.days[usize::try_from(day - month.first_day).expect("a day of a month")];
    write!(out, "{date}T{:02}:{:02}:{:02}Z", in_day / 3600, in_day / 60 % 60, in_day % 60).expect("memory takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(second: u64) -> String {
        let mut out = Vec::new();
        write_time(&months(30), second, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(text(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(text(1_767_225_600 + 31 * SECONDS_PER_DAY - 1), "2026-01-31T23:59:59Z");
        assert_eq!(text(1_772_323_200), "2026-03-01T00:00:00Z");
        assert_eq!(text(1_835_395_200 + 36_000), "2028-02-29T10:00:00Z");
    }

    #[test]
    fn months_follow_each_other() {
        let months = months(14);
        assert!(months.windows(2).all(|pair| pair[0].first_second() + pair[0].seconds() == pair[1].first_second()));
        assert_eq!((months[13].days()[0].as_str(), months[13].last_day()), ("2027-02-01", "2027-02-28"));
    }
}
