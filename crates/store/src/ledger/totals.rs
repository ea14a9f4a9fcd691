//! Month totals of many payers, in memory and as bytes of the manifest.
//!
//! What a total is, and what it comes to, is left to `billing::month`.

use super::codec::{Broken, Reader, Writer};
use crate::StoreError;
use billing::month::{MonthTotals, TotalKey};
use billing::period::Hour;
use billing::rating::Priced;
use billing::{AccountId, Amount, Day, Facts, Month, Name, Quantity, UnitPrice, UsageEvent};
use std::collections::BTreeMap;

pub(crate) type TotalsByMonth = BTreeMap<(AccountId, Month), MonthTotals>;

/// Counts one priced event.
pub(crate) fn add(totals: &mut TotalsByMonth, event: &UsageEvent, priced: &Priced, facts: &Facts) -> Result<(), StoreError> {
    let month = event.used_at.month();
    Ok(totals.entry((priced.payer, month)).or_default().add(event, priced, facts)?)
}

pub(crate) fn encode(totals: &MonthTotals) -> Vec<u8> {
    let mut out = Writer::default();
    let count = |length: usize| u64::try_from(length).expect("a length fits 64 bits");
    out.number(count(totals.rows.len()));
    for (key, (quantity, gross)) in &totals.rows {
        out.signed(i64::from(key.day.number()));
        out.number(u64::from(key.owner.0));
        out.text(&key.sku);
        out.signed_wide(key.price.trillionths());
        out.number(u64::from(key.price_version));
        out.number(u64::from(key.free) | (u64::from(key.public) << 1));
        out.text(&key.user);
        out.signed_wide(quantity.billionths());
        out.signed_wide(gross.billionths());
    }
    out.number(count(totals.storage_hours.len()));
    for ((owner, hour), quantity) in &totals.storage_hours {
        out.number(u64::from(owner.0));
        out.signed(hour.number());
        out.signed_wide(quantity.billionths());
    }
    out.into_bytes()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<MonthTotals, Broken> {
    let mut reader = Reader::new(bytes);
    let mut totals = MonthTotals::default();
    for _ in 0..reader.number()? {
        let (day, owner) = (read_day(&mut reader)?, AccountId(reader.small()?));
        let sku = Name::from(reader.text()?);
        let price = UnitPrice::from_trillionths(reader.signed_wide()?);
        let price_version = reader.small()?;
        let flags = reader.number()?;
        let user = Name::from(reader.text()?);
        let key = TotalKey { day, owner, sku, price, price_version, free: flags & 1 == 1, public: flags & 2 == 2, user };
        let sums = (Quantity::from_billionths(reader.signed_wide()?), Amount::from_billionths(reader.signed_wide()?));
        totals.rows.insert(key, sums);
    }
    for _ in 0..reader.number()? {
        let key = (AccountId(reader.small()?), Hour::from_number(reader.signed()?));
        totals.storage_hours.insert(key, Quantity::from_billionths(reader.signed_wide()?));
    }
    if reader.is_done() { Ok(totals) } else { Err(Broken) }
}

pub(crate) fn read_day(reader: &mut Reader<'_>) -> Result<Day, Broken> {
    i32::try_from(reader.signed()?).map(Day::from_number).map_err(|_| Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_back_as_written() {
        let mut totals = MonthTotals::default();
        let day = Day::parse("2026-11-03").unwrap();
        for number in 0..100_u32 {
            let key = TotalKey {
                day,
                owner: AccountId(number),
                sku: "actions_linux".into(),
                price: UnitPrice::parse("0.006").unwrap(),
                price_version: 2,
                free: number.is_multiple_of(2),
                public: number.is_multiple_of(3),
                user: "mona".into(),
            };
            totals.rows.insert(key, (Quantity::whole(number), Amount::from_billionths(i128::from(number) << 80)));
            totals.storage_hours.insert((AccountId(number), day.start().hour()), Quantity::MAX);
        }
        let bytes = encode(&totals);
        assert_eq!(decode(&bytes), Ok(totals));
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
