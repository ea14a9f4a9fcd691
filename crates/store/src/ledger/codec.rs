//! Bytes of blocks, lines and totals: variable-length integers and length-prefixed texts, written and read back.
//!
//! What the fields mean is left to the formats that use it. Reading never trusts a length: it ends in [`Broken`], not in a panic.

use billing::Name;
use std::collections::HashMap;

/// The bytes end early, or are not what a writer of this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its bytes are not what was written")]
pub(crate) struct Broken;

#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn number(&mut self, value: u64) {
        self.wide(u128::from(value));
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    pub(crate) fn wide(&mut self, mut value: u128) {
        loop {
            let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
            value >>= 7;
            if value == 0 {
                self.bytes.push(low);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.signed_wide(i128::from(value));
    }

    /// Small magnitudes of either sign stay short: the sign goes into the lowest bit.
    pub(crate) fn signed_wide(&mut self, value: i128) {
        let magnitude = value.unsigned_abs();
        self.wide((magnitude << 1) | u128::from(value < 0));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len().try_into().expect("a length fits 64 bits"));
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn number(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.wide()?).map_err(|_| Broken)
    }

    pub(crate) fn small(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.wide()?).map_err(|_| Broken)
    }

    pub(crate) fn size(&mut self) -> Result<usize, Broken> {
        usize::try_from(self.wide()?).map_err(|_| Broken)
    }

    pub(crate) fn wide(&mut self) -> Result<u128, Broken> {
        let mut value: u128 = 0;
        for shift in (0..126).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Broken)?;
            self.rest = rest;
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Broken> {
        i64::try_from(self.signed_wide()?).map_err(|_| Broken)
    }

    pub(crate) fn signed_wide(&mut self) -> Result<i128, Broken> {
        let value = self.wide()?;
        let magnitude = i128::try_from(value >> 1).map_err(|_| Broken)?;
        Ok(if value & 1 == 1 { -magnitude } else { magnitude })
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Broken> {
        let length = self.size()?;
        std::str::from_utf8(self.raw(length)?).map_err(|_| Broken)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Texts that repeat, each with its number in the order of first use. A writer's side of a dictionary.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    numbers: HashMap<Name, u32>,
    names: Vec<Name>,
}

impl Numbering {
    pub(crate) fn number(&mut self, name: &Name) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("a dictionary is closed long before 2^32 names");
        self.numbers.insert(name.clone(), number);
        self.names.push(name.clone());
        number
    }

    pub(crate) fn names(&self) -> &[Name] {
        &self.names
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Forgets every name from a number on: those of a block that was not committed.
    pub(crate) fn truncate(&mut self, length: usize) {
        for name in self.names.drain(length.min(self.names.len())..) {
            self.numbers.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(wide in any::<u64>(), signed in -(1_i128 << 120)..(1_i128 << 120), text in ".{0,40}") {
            let mut writer = Writer::default();
            writer.number(wide);
            writer.signed_wide(signed);
            writer.text(&text);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Ok(wide));
            prop_assert_eq!(reader.signed_wide(), Ok(signed));
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            prop_assert!(reader.is_done());
            for length in 0..bytes.len() {
                let mut cut = Reader::new(&bytes[..length]);
                let whole = cut.number().is_ok() && cut.signed_wide().is_ok() && cut.text().is_ok();
                prop_assert!(!whole, "bytes that end early were read as whole");
            }
        }
    }
}
