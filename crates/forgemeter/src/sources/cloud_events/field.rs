//! The fields of an event, each read from its own JSON text: so a wrong one is named, and a number never passes through a float.
//!
//! `null` and a missing field are one thing, and an empty optional text is an absent one: some forges leave out what others send empty.

use super::Rejection;
use billing::{Name, Quantity, UtcTime, Visibility};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The JSON text of a field that may be missing.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// The greatest length of an id, a source, and every name of something.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// The greatest length of a workflow path: it may name a file of another repository at a ref.
pub(super) const PATH_BYTES_MAX: usize = 1024;
/// The greatest number of labels of a runner.
pub(super) const LABELS_MAX: usize = 100;
/// The greatest number of tokens of one event; far above any request, and a year of the greatest still fits into a sum.
pub(super) const TOKENS_MAX: u64 = 1_000_000_000_000;

const MISSING: &str = "is missing";

/// A text of at most `bytes_max` bytes without control characters; absent when missing or empty.
pub(super) fn optional_text<'a>(raw: Raw<'a>, field: &'static str, bytes_max: usize) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(raw) = raw else { return Ok(None) };
    let text = unquoted(raw.get(), field)?;
    if text.len() > bytes_max {
        return Err(Rejection::new(field, format!("is longer than {bytes_max} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Rejection::new(field, "holds a control character"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A text that has to be there.
pub(super) fn text<'a>(raw: Raw<'a>, field: &'static str, bytes_max: usize) -> Result<Cow<'a, str>, Rejection> {
    let empty = if raw.is_some() { "is empty" } else { MISSING };
    optional_text(raw, field, bytes_max)?.ok_or_else(|| Rejection::new(field, empty))
}

pub(super) fn name(raw: Raw<'_>, field: &'static str, bytes_max: usize) -> Result<Name, Rejection> {
    text(raw, field, bytes_max).map(|text| Name::from(&*text))
}

pub(super) fn optional_name(raw: Raw<'_>, field: &'static str, bytes_max: usize) -> Result<Option<Name>, Rejection> {
    Ok(optional_text(raw, field, bytes_max)?.map(|text| Name::from(&*text)))
}

fn unquoted<'a>(json: &'a str, field: &'static str) -> Result<Cow<'a, str>, Rejection> {
    let Some(inside) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(Rejection::new(field, "is not a string"));
    };
    if !inside.contains('\\') {
        return Ok(Cow::Borrowed(inside));
    }
    let unescaped: String = serde_json::from_str(json).map_err(|_| Rejection::new(field, "holds an escape that is no character"))?;
    Ok(Cow::Owned(unescaped))
}

/// An instant that has to be there.
pub(super) fn time(raw: Raw<'_>, field: &'static str) -> Result<UtcTime, Rejection> {
    optional_time(raw, field)?.ok_or_else(|| Rejection::new(field, MISSING))
}

pub(super) fn optional_time(raw: Raw<'_>, field: &'static str) -> Result<Option<UtcTime>, Rejection> {
    let Some(text) = optional_text(raw, field, NAME_BYTES_MAX)? else { return Ok(None) };
    UtcTime::parse(&text).map(Some).map_err(|error| Rejection::new(field, error.to_string()))
}

/// A quantity, as a number or as a string that holds one.
pub(super) fn quantity(raw: Raw<'_>, field: &'static str) -> Result<Quantity, Rejection> {
    let json = raw.ok_or_else(|| Rejection::new(field, MISSING))?.get();
    let text = if json.starts_with('"') { unquoted(json, field)? } else { Cow::Borrowed(json) };
    Quantity::parse(&text).map_err(|error| Rejection::new(field, error.to_string()))
}

/// A number that identifies something: a run, a job, an attempt.
pub(super) fn number(raw: Raw<'_>, field: &'static str) -> Result<u64, Rejection> {
    let json = raw.ok_or_else(|| Rejection::new(field, MISSING))?.get();
    json.parse().map_err(|_| Rejection::new(field, format!("is not a whole number from 0 to {}", u64::MAX)))
}

/// A count of tokens; none when missing.
pub(super) fn tokens(raw: Raw<'_>, field: &'static str) -> Result<u64, Rejection> {
    let Some(raw) = raw else { return Ok(0) };
    let count = raw.get().parse().ok().filter(|count| *count <= TOKENS_MAX);
    count.ok_or_else(|| Rejection::new(field, format!("is not a whole number from 0 to {TOKENS_MAX}")))
}

/// Private when missing (rulings B13).
pub(super) fn visibility(raw: Raw<'_>, field: &'static str) -> Result<Visibility, Rejection> {
    let Some(text) = optional_text(raw, field, NAME_BYTES_MAX)? else { return Ok(Visibility::Private) };
    Visibility::parse(&text).ok_or_else(|| Rejection::new(field, "is none of `private`, `internal`, `public`"))
}

pub(super) fn labels(raw: Raw<'_>, field: &'static str) -> Result<Vec<Name>, Rejection> {
    let json = raw.ok_or_else(|| Rejection::new(field, MISSING))?.get();
    let labels: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Rejection::new(field, "is not a list of strings"))?;
    if labels.len() > LABELS_MAX {
        return Err(Rejection::new(field, format!("holds more than {LABELS_MAX} labels")));
    }
    labels.into_iter().map(|label| name(Some(label), field, NAME_BYTES_MAX)).collect()
}
