//! Money in US dollars: amounts with nine decimals, unit prices with twelve, and the one place where a product is cut.
//!
//! GitHub's exports show that a line's amount is quantity × price with everything past the ninth decimal dropped, and that day,
//! month and report figures are exact sums of such lines. So the cut happens here, once per event, and nowhere else.

use crate::decimal::{self, DecimalError};
use crate::{Overflow, Quantity};
use std::fmt;

/// An amount of US dollars in units of 10⁻⁹.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// The price of one unit of a SKU in US dollars, in units of 10⁻¹².
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(i128);

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("is not a decimal number")]
    Malformed,
    #[error("is negative")]
    Negative,
    #[error("is greater than 10^6")]
    TooLarge,
    #[error("has more than twelve decimals")]
    TooFine,
}

impl Amount {
    pub const ZERO: Amount = Amount(0);

    #[must_use]
    pub const fn from_billionths(billionths: i128) -> Amount {
        Amount(billionths)
    }

    #[must_use]
    pub const fn billionths(self) -> i128 {
        self.0
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// # Errors
    /// On overflow.
    pub fn plus(self, other: Amount) -> Result<Amount, Overflow> {
        self.0.checked_add(other.0).map(Amount).ok_or(Overflow)
    }

    /// # Errors
    /// On overflow.
    pub fn minus(self, other: Amount) -> Result<Amount, Overflow> {
        self.0.checked_sub(other.0).map(Amount).ok_or(Overflow)
    }

    /// The quantity that this amount buys, cut to nine decimals; nothing at a price of zero.
    ///
    /// # Errors
    /// On overflow.
    pub fn quantity_at(self, price: UnitPrice) -> Result<Quantity, Overflow> {
        if price.0 == 0 {
            return Ok(Quantity::ZERO);
        }
        times_ratio(self.0, PICOS_PER_UNIT, price.0).map(Quantity::from_billionths)
    }
}

const PICOS_PER_UNIT: i128 = 1_000_000_000_000;

impl UnitPrice {
    pub const ZERO: UnitPrice = UnitPrice(0);
    /// The greatest price of one unit: 10⁶ US dollars.
    pub const MAX: UnitPrice = UnitPrice(1_000_000 * PICOS_PER_UNIT);

    /// A price from its text.
    ///
    /// # Errors
    /// When the text is no JSON number, is negative, or passes [`UnitPrice::MAX`].
    pub fn parse(text: &str) -> Result<UnitPrice, PriceError> {
        let value = decimal::parse(text, 12).map_err(|error| match error {
            DecimalError::Malformed => PriceError::Malformed,
            DecimalError::TooLarge => PriceError::TooLarge,
        })?;
        match UnitPrice(value) {
            price if price < UnitPrice::ZERO => Err(PriceError::Negative),
            price if price > UnitPrice::MAX => Err(PriceError::TooLarge),
            price => Ok(price),
        }
    }

    /// A price that somebody writes down: what cannot be kept to the last digit is refused instead of cut.
    ///
    /// # Errors
    /// As [`UnitPrice::parse`], and with more than twelve decimals.
    pub fn parse_exact(text: &str) -> Result<UnitPrice, PriceError> {
        let price = UnitPrice::parse(text)?;
        let whole = decimal::parse_cut(text, 12).is_ok_and(|(_, whole)| whole);
        if whole { Ok(price) } else { Err(PriceError::TooFine) }
    }

    #[must_use]
    pub const fn from_trillionths(trillionths: i128) -> UnitPrice {
        UnitPrice(trillionths)
    }

    #[must_use]
    pub const fn trillionths(self) -> i128 {
        self.0
    }

    /// Quantity × price, computed wide and cut to nine decimals.
    ///
    /// # Errors
    /// On overflow, which no quantity and price within their limits reach.
    pub fn amount_of(self, quantity: Quantity) -> Result<Amount, Overflow> {
        times_ratio(quantity.billionths(), self.0, PICOS_PER_UNIT).map(Amount)
    }
}

/// `value × numerator ÷ denominator`, cut towards zero, for values that are not negative or all of one sign. The product may pass
/// 128 bits (10¹² units × 10⁶ dollars is 10³⁹ at full scale), so the value is split at the denominator first.
pub(crate) fn times_ratio(value: i128, numerator: i128, denominator: i128) -> Result<i128, Overflow> {
    if let Some(product) = value.checked_mul(numerator) {
        return product.checked_div(denominator).ok_or(Overflow);
    }
    let whole = value.checked_div(denominator).ok_or(Overflow)?;
    let rest = value.checked_rem(denominator).ok_or(Overflow)?;
    let high = whole.checked_mul(numerator).ok_or(Overflow)?;
    let low = rest.checked_mul(numerator).and_then(|product| product.checked_div(denominator)).ok_or(Overflow)?;
    high.checked_add(low).ok_or(Overflow)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(self.0, 9, f)
    }
}

impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(self.0, 12, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(quantity: &str, price: &str) -> String {
        UnitPrice::parse(price).unwrap().amount_of(Quantity::parse(quantity).unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_product_is_cut_at_the_ninth_decimal_as_real_exports_show() {
        // Rows of a real export (rating.md section 14, X1, X5, X6, X12).
        assert_eq!(amount("0.057339173", "0.0875"), "0.005017177");
        assert_eq!(amount("0.033333333", "39"), "1.299999987");
        assert_eq!(amount("0.033333333", "19"), "0.633333327");
        assert_eq!(amount("12.62", "0.04"), "0.5048");
        assert_eq!(amount("2", "0.256"), "0.512");
    }

    #[test]
    fn a_price_that_somebody_writes_is_kept_whole_or_refused() {
        let table = [
            ("0.002", Ok("0.002")),
            ("1e-12", Ok("0.000000000001")),
            ("1000000", Ok("1000000")),
            ("1000000.000000000001", Err(PriceError::TooLarge)),
            ("0.0000000000001", Err(PriceError::TooFine)),
            ("-0.01", Err(PriceError::Negative)),
            ("free", Err(PriceError::Malformed)),
        ];
        for (text, expected) in table {
            assert_eq!(UnitPrice::parse_exact(text).map(|price| price.to_string()), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn the_greatest_quantity_at_the_greatest_price_does_not_overflow() {
        assert_eq!(UnitPrice::MAX.amount_of(Quantity::MAX).unwrap().to_string(), "1000000000000000000");
        assert_eq!(amount("999999999999.999999999", "999999.999999999999"), "999999999999999998.999");
    }

    #[test]
    fn a_discount_becomes_a_quantity_again() {
        let price = UnitPrice::parse("0.000094086").unwrap();
        let discount = Amount::from_billionths(155_244_300);
        assert_eq!(discount.quantity_at(price).unwrap().to_string(), "1650.025508577");
        assert_eq!(discount.quantity_at(UnitPrice::ZERO).unwrap(), Quantity::ZERO);
    }
}
