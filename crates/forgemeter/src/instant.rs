//! Instants and lengths of time as people write them on a command line or in a file: `2026-11-03`, `2026-11-03T10:00:00Z`, `90d`.
//!
//! Times of usage events are read more strictly, by [`UtcTime::parse`] alone.

use billing::{Day, UtcTime};

/// An RFC 3339 date-time with an offset, or a date, which is its first instant in UTC.
pub(crate) fn parse(text: &str) -> Result<UtcTime, String> {
    let day = Day::parse(text).map(Day::start);
    day.or_else(|_| UtcTime::parse(text)).map_err(|error| format!("`{text}` {error}; a date such as 2026-11-03 will do as well"))
}

/// A whole number of seconds, minutes, hours, days or weeks, in seconds.
pub(crate) fn parse_seconds(text: &str) -> Result<i64, String> {
    let refused = || format!("`{text}` is no length of time such as 30m, 12h or 90d (units: s, m, h, d, w)");
    let unit_seconds: i64 = match text.bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        Some(b'w') => 7 * 86_400,
        _ => return Err(refused()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let count: i64 = digits.parse().map_err(|_| refused())?;
    count.checked_mul(unit_seconds).filter(|seconds| *seconds > 0).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_instant_and_a_date_time_needs_its_offset() {
        for (text, time) in [("2026-11-03", "2026-11-03T00:00:00Z"), ("2026-11-03T10:00:00+02:00", "2026-11-03T08:00:00Z")] {
            assert_eq!(parse(text).map(|time| time.to_string()), Ok(time.to_owned()), "{text}");
        }
        for text in ["", "now", "2026-11-03T10:00:00", "2026-02-30", "1999-01-01"] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(&format!("`{text}` is")), "{message}");
        }
    }

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, seconds) in [("1s", 1), ("30m", 1800), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600)] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for text in ["", "d", "90", "-1d", "+1d", "1.5h", "0d", "1y", "90 d", "99999999999999999999d", "9223372036854775807w", "9é"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
