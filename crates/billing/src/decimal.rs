//! Decimal text to and from fixed-point integers, exactly.
//!
//! The newtypes of money and quantity rest on it; it knows nothing of either, and nothing of units or limits.

/// Why a text is no decimal number of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecimalError {
    #[error("is not a decimal number")]
    Malformed,
    #[error("is too large")]
    TooLarge,
}

/// Digits that a number may be written with, before any is dropped. JSON allows any length; a number that needs more than this is
/// hostile, and reading it must stay cheap.
const DIGITS_MAX: usize = 64;

/// The greatest exponent that is read. 10^18 already leaves the range of every type here.
const EXPONENT_MAX: i32 = 64;

/// Reads JSON's number grammar (optional sign, digits, fraction, exponent) as an integer of 10^-`scale`. Digits past the scale are
/// cut, not rounded (rulings A3).
pub(crate) fn parse(text: &str, scale: u32) -> Result<i128, DecimalError> {
    parse_cut(text, scale).map(|(value, _)| value)
}

/// [`parse`], and whether the integer is the whole number that was written: no digit but zeros was cut.
pub(crate) fn parse_cut(text: &str, scale: u32) -> Result<(i128, bool), DecimalError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = split_exponent(unsigned)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let bad_fraction = mantissa.contains('.') && fraction.is_empty();
    if whole.is_empty() || bad_fraction || (whole.len() > 1 && whole.starts_with('0')) {
        return Err(DecimalError::Malformed);
    }
    if whole.len().saturating_add(fraction.len()) > DIGITS_MAX {
        return Err(DecimalError::TooLarge);
    }
    let mut digits = Vec::with_capacity(DIGITS_MAX);
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Malformed);
        }
        digits.push(byte.wrapping_sub(b'0'));
    }
    let fraction_length = i32::try_from(fraction.len()).map_err(|_| DecimalError::TooLarge)?;
    let scale = i32::try_from(scale).map_err(|_| DecimalError::TooLarge)?;
    let shift = scale.saturating_add(exponent).saturating_sub(fraction_length);
    let (value, whole) = shifted(&digits, shift)?;
    Ok((if negative { value.checked_neg().ok_or(DecimalError::TooLarge)? } else { value }, whole))
}

fn split_exponent(text: &str) -> Result<(&str, i32), DecimalError> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return Ok((text, 0)) };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Malformed);
    }
    let value: i32 = digits.parse().map_err(|_| DecimalError::TooLarge)?;
    if value > EXPONENT_MAX {
        return Err(DecimalError::TooLarge);
    }
    Ok((mantissa, if exponent.starts_with('-') { value.saturating_neg() } else { value }))
}

/// The digits as an integer, times 10^`shift`; a negative shift drops digits from the end. Then whether all of those were zeros.
fn shifted(digits: &[u8], shift: i32) -> Result<(i128, bool), DecimalError> {
    let dropped = usize::try_from(shift.min(0).unsigned_abs()).map_err(|_| DecimalError::TooLarge)?;
    let kept = digits.len().saturating_sub(dropped);
    let mut value: i128 = 0;
    for digit in &digits[..kept] {
        value = push_digit(value, *digit)?;
    }
    if value != 0 {
        for _ in 0..shift.max(0) {
            value = push_digit(value, 0)?;
        }
    }
    Ok((value, digits[kept..].iter().all(|digit| *digit == 0)))
}

fn push_digit(value: i128, digit: u8) -> Result<i128, DecimalError> {
    value.checked_mul(10).and_then(|tens| tens.checked_add(i128::from(digit))).ok_or(DecimalError::TooLarge)
}

/// Writes an integer of 10^-`scale` as the shortest exact decimal: `0.072`, `12`, `-3.5`.
pub(crate) fn write(value: i128, scale: u32, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    let unit = 10_u128.pow(scale);
    let magnitude = value.unsigned_abs();
    let (whole, fraction) = (magnitude.checked_div(unit).ok_or(std::fmt::Error)?, magnitude.checked_rem(unit).ok_or(std::fmt::Error)?);
    if value < 0 {
        out.write_char('-')?;
    }
    write!(out, "{whole}")?;
    if fraction != 0 {
        let width = usize::try_from(scale).map_err(|_| std::fmt::Error)?;
        let digits = format!("{fraction:0width$}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json_numbers_exactly_and_cuts_past_the_scale() {
        let table = [
            ("0", 0),
            ("-0", 0),
            ("12", 12_000_000_000),
            ("12.0", 12_000_000_000),
            ("0.057339173", 57_339_173),
            ("0.0573391739", 57_339_173),
            ("1e3", 1_000_000_000_000),
            ("1.5E-3", 1_500_000),
            ("9.4086E-05", 94_086),
            ("-2.5", -2_500_000_000),
            ("0.0000000001", 0),
            ("0e64", 0),
        ];
        for (text, nanos) in table {
            assert_eq!(parse(text, 9), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn tells_whether_digits_were_cut() {
        for (text, whole) in [("0.25", true), ("0.250", true), ("25e-2", true), ("0.255", false), ("1e-3", false), ("0e-9", true)] {
            assert_eq!(parse_cut(text, 2).map(|(_, whole)| whole), Ok(whole), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number_or_cannot_be_held() {
        for text in ["", "-", ".5", "5.", "01", "+1", "1e", "1e+", "NaN", "Infinity", "0x10", "1_000", " 1", "1 ", "--1", "1.2.3"] {
            assert_eq!(parse(text, 9), Err(DecimalError::Malformed), "{text}");
        }
        let long = "9".repeat(10_000);
        for text in ["1e400", "1e65", "1e31", long.as_str()] {
            assert_eq!(parse(text, 9), Err(DecimalError::TooLarge), "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn writes_the_shortest_exact_text() {
        for (nanos, text) in [(0, "0"), (72_000_000, "0.072"), (12_000_000_000, "12"), (-3_500_000_000, "-3.5"), (1, "0.000000001")] {
            let mut out = String::new();
            write(nanos, 9, &mut out).unwrap();
            assert_eq!(out, text);
        }
    }
}
