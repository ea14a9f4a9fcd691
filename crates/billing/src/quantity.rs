//! How much was used: an exact decimal with nine places.
//!
//! The unit (minutes, gigabyte-hours, requests, …) belongs to the SKU; money is in [`crate::amount`]. Start at [`Quantity::parse`].

use crate::Overflow;
use crate::decimal::{self, DecimalError};
use std::fmt;

/// A quantity in units of 10⁻⁹. The unit itself belongs to the SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// One whole unit, in billionths.
const ONE: i128 = 1_000_000_000;

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("is not a decimal number")]
    Malformed,
    #[error("is negative")]
    Negative,
    #[error("is greater than 10^12")]
    TooLarge,
}

impl Quantity {
    pub const ZERO: Quantity = Quantity(0);
    /// The greatest quantity of one event: 10¹².
    pub const MAX: Quantity = Quantity(1_000_000_000_000 * ONE);

    /// A quantity from its text; digits past the ninth decimal are cut (rulings A3).
    ///
    /// # Errors
    /// When the text is no JSON number, is negative, or passes [`Quantity::MAX`].
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        let value = match decimal::parse(text, 9) {
            Ok(value) => value,
            Err(DecimalError::Malformed) => return Err(QuantityError::Malformed),
            Err(DecimalError::TooLarge) if text.starts_with('-') => return Err(QuantityError::Negative),
            Err(DecimalError::TooLarge) => return Err(QuantityError::TooLarge),
        };
        match Quantity(value) {
            quantity if quantity < Quantity::ZERO => Err(QuantityError::Negative),
            quantity if quantity > Quantity::MAX => Err(QuantityError::TooLarge),
            quantity => Ok(quantity),
        }
    }

    #[must_use]
    pub const fn from_billionths(billionths: i128) -> Quantity {
        Quantity(billionths)
    }

    #[must_use]
    pub const fn billionths(self) -> i128 {
        self.0
    }

    #[must_use]
    pub fn whole(units: u32) -> Quantity {
        Quantity(i128::from(units).saturating_mul(ONE))
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// # Errors
    /// On overflow.
    pub fn plus(self, other: Quantity) -> Result<Quantity, Overflow> {
        self.0.checked_add(other.0).map(Quantity).ok_or(Overflow)
    }

    /// # Errors
    /// On overflow.
    pub fn minus(self, other: Quantity) -> Result<Quantity, Overflow> {
        self.0.checked_sub(other.0).map(Quantity).ok_or(Overflow)
    }

    /// This quantity times a weight, cut to nine decimals.
    ///
    /// # Errors
    /// On overflow.
    pub fn weighted(self, weight: Quantity) -> Result<Quantity, Overflow> {
        self.times_ratio(weight.0, ONE)
    }

    /// This quantity divided by a weight, cut to nine decimals.
    ///
    /// # Errors
    /// On overflow, or a weight of zero.
    pub fn unweighted(self, weight: Quantity) -> Result<Quantity, Overflow> {
        self.times_ratio(ONE, weight.0)
    }

    /// This quantity × numerator ÷ denominator, cut to nine decimals. The operands of one event and of a month's sums fit: their
    /// product stays under 10³⁸ for up to 10¹⁹ billionths on each side.
    ///
    /// # Errors
    /// On overflow, or a denominator of zero.
    pub fn times_ratio(self, numerator: i128, denominator: i128) -> Result<Quantity, Overflow> {
        crate::amount::times_ratio(self.0, numerator, denominator).map(Quantity)
    }

    /// The next whole number that is not smaller.
    #[must_use]
    pub fn rounded_up(self) -> i128 {
        let whole = self.0.div_euclid(ONE);
        if self.0.rem_euclid(ONE) == 0 { whole } else { whole.saturating_add(1) }
    }

    /// The nearest whole number; a half goes up.
    #[must_use]
    pub fn rounded_half_up(self) -> i128 {
        self.0.saturating_add(ONE / 2).div_euclid(ONE)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(self.0, 9, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_zero_to_ten_to_the_twelfth() {
        assert_eq!(Quantity::parse("1e12"), Ok(Quantity::MAX));
        assert_eq!(Quantity::parse("1000000000000.000000001"), Err(QuantityError::TooLarge));
        assert_eq!(Quantity::parse("-0.000000001"), Err(QuantityError::Negative));
        assert_eq!(Quantity::parse("-1e400"), Err(QuantityError::Negative));
        assert_eq!(Quantity::parse("1e400"), Err(QuantityError::TooLarge));
        assert_eq!(Quantity::parse("NaN"), Err(QuantityError::Malformed));
        assert_eq!(Quantity::parse("12.0").unwrap(), Quantity::parse("12").unwrap());
    }

    #[test]
    fn whole_numbers_are_reached_upwards_or_half_up() {
        for (text, up, half_up) in [("0", 0, 0), ("0.000000001", 1, 0), ("1", 1, 1), ("1.5", 2, 2), ("1.499999999", 2, 1)] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!((quantity.rounded_up(), quantity.rounded_half_up()), (up, half_up), "{text}");
        }
    }
}
