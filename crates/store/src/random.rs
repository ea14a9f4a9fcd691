//! Randomness from the operating system: keys, ids and the secrets of tokens.
//!
//! The only place that asks for it, so that everything else can be repeated.

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The greatest multiple of 62 that a byte can hold. Bytes from here on are thrown away: keeping them would favour the first digits.
const FAIR_BYTES: u8 = 248;

/// Random bytes, fit for keys.
///
/// # Panics
/// When the operating system has none: nothing that needs a key may go on then.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A random UUID (version 4), in lower case.
#[must_use]
pub fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Random letters and digits, each equally likely.
#[must_use]
pub fn base_62(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let fair = bytes::<32>().into_iter().filter(|byte| *byte < FAIR_BYTES);
        text.extend(fair.take(length - text.len()).map(|byte| char::from(BASE_62[usize::from(byte % 62)])));
    }
    text
}

/// A number as base-62 digits, the most significant first, with zeros in front up to a length.
#[must_use]
pub fn number_as_base_62(mut number: u32, length: usize) -> String {
    let mut digits = vec![b'0'; length];
    for digit in digits.iter_mut().rev() {
        *digit = BASE_62[usize::try_from(number % 62).expect("a digit fits")];
        number /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        for _ in 0..100 {
            let uuid = uuid();
            let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
    }

    #[test]
    fn base_62_has_its_length_and_only_letters_and_digits() {
        for length in [0, 1, 30, 1000] {
            let text = base_62(length);
            assert!(text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
        }
        assert_ne!(base_62(30), base_62(30));
        assert_eq!([number_as_base_62(0, 6), number_as_base_62(61, 6), number_as_base_62(u32::MAX, 6)], ["000000", "00000z", "4gfFC3"]);
    }
}
