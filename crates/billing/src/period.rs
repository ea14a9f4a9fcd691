//! Time as billing sees it: an instant in UTC, the UTC day and the calendar month that it falls in.
//!
//! Metered periods are UTC calendar months, a day is a UTC day (GitHub's billing cycles). Nothing here knows what time it is.

use jiff::civil;
use std::fmt;

/// An instant, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(i64);

/// A UTC day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// A UTC calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

/// A whole UTC hour, counted from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

/// The text is no instant or date of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("is not an RFC 3339 date-time such as 2026-11-03T10:15:00Z")]
    NotAnInstant,
    #[error("is not a date such as 2026-11-03")]
    NotADate,
    #[error("is outside the years 2000 to 9998")]
    OutOfRange,
}

const MICROSECONDS_PER_HOUR: i64 = 3_600_000_000;
const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

impl UtcTime {
    /// The first instant that usage may carry: 2000-01-01T00:00:00Z.
    pub const MIN: UtcTime = UtcTime(946_684_800_000_000);
    /// The first instant that is refused everywhere: 9999-01-01T00:00:00Z. It keeps every calendar step below in range.
    pub const END: UtcTime = UtcTime(253_370_764_800_000_000);

    /// An instant from its RFC 3339 text, with any offset; digits past the microsecond are cut. A leap second counts as the second
    /// before it.
    ///
    /// # Errors
    /// When the text is no RFC 3339 date-time with an offset, or lies outside [`UtcTime::MIN`] to [`UtcTime::END`].
    pub fn parse(text: &str) -> Result<UtcTime, TimeError> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() >= 20
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && matches!(bytes[10], b'T' | b't')
            && bytes[13] == b':'
            && bytes[16] == b':';
        if !shaped || text.contains('[') {
            return Err(TimeError::NotAnInstant);
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| TimeError::NotAnInstant)?;
        UtcTime::from_microseconds(timestamp.as_microsecond())
    }

    /// # Errors
    /// When it lies outside [`UtcTime::MIN`] to [`UtcTime::END`].
    pub fn from_microseconds(microseconds: i64) -> Result<UtcTime, TimeError> {
        let time = UtcTime(microseconds);
        if time < UtcTime::MIN || time >= UtcTime::END { Err(TimeError::OutOfRange) } else { Ok(time) }
    }

    #[must_use]
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(MICROSECONDS_PER_DAY)).expect("the range of UtcTime keeps its days within 32 bits"))
    }

    #[must_use]
    pub fn hour(self) -> Hour {
        Hour(self.0.div_euclid(MICROSECONDS_PER_HOUR))
    }

    #[must_use]
    pub fn month(self) -> Month {
        self.day().month()
    }

    /// This instant moved by a number of seconds, held within the range of the type.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> UtcTime {
        let moved = self.0.saturating_add(seconds.saturating_mul(1_000_000));
        UtcTime(moved.clamp(UtcTime::MIN.0, UtcTime::END.0.saturating_sub(1)))
    }

    /// `2026-11-03T10:15:00Z`: whole seconds, as GitHub writes its times.
    #[must_use]
    pub fn to_seconds_text(self) -> String {
        let date = self.day().civil();
        let second_of_day = self.0.rem_euclid(MICROSECONDS_PER_DAY) / 1_000_000;
        format!("{date}T{:02}:{:02}:{:02}Z", second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60)
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microsecond = self.0.rem_euclid(1_000_000);
        let seconds = self.to_seconds_text();
        if microsecond == 0 {
            return f.write_str(&seconds);
        }
        write!(f, "{}.{microsecond:06}Z", seconds.trim_end_matches('Z'))
    }
}

impl Hour {
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn from_number(number: i64) -> Hour {
        Hour(number)
    }

    #[must_use]
    pub fn previous(self) -> Hour {
        Hour(self.0.saturating_sub(1))
    }
}

impl Day {
    /// Before every day that usage can fall on.
    pub const BEGINNING: Day = Day(0);

    /// # Errors
    /// When the text is no `YYYY-MM-DD` date of the years 2000 to 9998.
    pub fn parse(text: &str) -> Result<Day, TimeError> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(TimeError::NotADate);
        }
        let date: civil::Date = text.parse().map_err(|_| TimeError::NotADate)?;
        if !(2000..9999).contains(&date.year()) {
            return Err(TimeError::OutOfRange);
        }
        Ok(Day::from_civil(date))
    }

    #[must_use]
    pub const fn from_number(number: i32) -> Day {
        Day(number)
    }

    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    fn from_civil(date: civil::Date) -> Day {
        let days = date.since(civil::Date::constant(1970, 1, 1)).map(|span| span.get_days());
        Day(days.expect("a span of days between two civil dates is always in range"))
    }

    fn civil(self) -> civil::Date {
        let span = jiff::Span::new().days(self.0);
        civil::Date::constant(1970, 1, 1)
            .checked_add(span)
            .expect("the range of UtcTime and Day::parse keeps days within years 1970 to 9998")
    }

    #[must_use]
    pub fn month(self) -> Month {
        let date = self.civil();
        Month { year: date.year(), month: date.month() }
    }

    /// 1 to 31.
    #[must_use]
    pub fn day_of_month(self) -> u8 {
        self.civil().day().unsigned_abs()
    }

    #[must_use]
    pub fn next(self) -> Day {
        Day(self.0.saturating_add(1))
    }

    #[must_use]
    pub fn minus_days(self, days: i32) -> Day {
        Day(self.0.saturating_sub(days))
    }

    /// The same day of the month so many months ago, or that month's last day when it is shorter.
    #[must_use]
    pub fn months_before(self, months: u8) -> Day {
        let earlier = self.civil().checked_sub(jiff::Span::new().months(months));
        Day::from_civil(earlier.expect("the calendar reaches further back than any day here by more than 255 months"))
    }

    /// The number of days from this one to `last`, both counted; negative or zero when `last` lies before.
    #[must_use]
    pub fn days_through(self, last: Day) -> i32 {
        last.0.saturating_sub(self.0).saturating_add(1)
    }

    #[must_use]
    pub fn start(self) -> UtcTime {
        UtcTime(i64::from(self.0).saturating_mul(MICROSECONDS_PER_DAY))
    }

    /// The last microsecond of this day.
    #[must_use]
    pub fn end(self) -> UtcTime {
        UtcTime(self.next().start().0.saturating_sub(1))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil())
    }
}

impl Month {
    /// # Errors
    /// When the text is no `YYYY-MM` month of the years 2000 to 9998.
    pub fn parse(text: &str) -> Result<Month, TimeError> {
        if text.len() != 7 {
            return Err(TimeError::NotADate);
        }
        Day::parse(&format!("{text}-01")).map(Day::month)
    }

    #[must_use]
    pub fn first_day(self) -> Day {
        Day::from_civil(civil::Date::constant(self.year, self.month, 1))
    }

    #[must_use]
    pub fn last_day(self) -> Day {
        Day::from_civil(civil::Date::constant(self.year, self.month, 1).last_of_month())
    }

    /// 28 to 31.
    #[must_use]
    pub fn days(self) -> u8 {
        self.last_day().day_of_month()
    }

    #[must_use]
    pub fn next(self) -> Month {
        self.last_day().next().month()
    }

    #[must_use]
    pub fn year(self) -> i16 {
        self.year
    }

    /// 1 to 12.
    #[must_use]
    pub fn number(self) -> u8 {
        self.month.unsigned_abs()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_falls_on_its_utc_day_whatever_its_offset() {
        let table = [
            ("2026-11-03T10:15:00Z", "2026-11-03", "2026-11-03T10:15:00Z"),
            ("2026-11-01T00:30:00+02:00", "2026-10-31", "2026-10-31T22:30:00Z"),
            ("2026-12-31T23:59:59.9999999Z", "2026-12-31", "2026-12-31T23:59:59.999999Z"),
            ("2024-02-29T12:00:00-11:30", "2024-02-29", "2024-02-29T23:30:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31", "2016-12-31T23:59:59Z"),
        ];
        for (text, day, canonical) in table {
            let time = UtcTime::parse(text).unwrap();
            assert_eq!((time.day().to_string(), time.to_string()), (day.to_owned(), canonical.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2026-11-03",
            "2026-11-03T10:15:00",
            "20261103T101500Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-03 10:15:00Z",
            "2026-11-03T10:15:00Z[UTC]",
            "now",
        ] {
            assert_eq!(UtcTime::parse(text), Err(TimeError::NotAnInstant), "{text}");
        }
        for text in ["1999-12-31T23:59:59Z", "9999-01-01T00:00:00Z"] {
            assert_eq!(UtcTime::parse(text), Err(TimeError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn months_know_their_days() {
        for (month, last, next) in
            [("2026-02", "2026-02-28", "2026-03"), ("2024-02", "2024-02-29", "2024-03"), ("2026-12", "2026-12-31", "2027-01")]
        {
            let month = Month::parse(month).unwrap();
            assert_eq!((month.last_day().to_string(), month.next().to_string()), (last.to_owned(), next.to_owned()));
        }
        assert_eq!(Day::parse("2026-01-01").unwrap().days_through(Day::parse("2026-01-31").unwrap()), 31);
        assert_eq!(Day::parse("2026-2-1"), Err(TimeError::NotADate));
        for (day, months, earlier) in [("2026-11-03", 24, "2024-11-03"), ("2026-03-31", 1, "2026-02-28"), ("2024-02-29", 12, "2023-02-28")]
        {
            assert_eq!(Day::parse(day).unwrap().months_before(months), Day::parse(earlier).unwrap(), "{day}");
        }
    }
}
