//! Splits a body into its events: a JSON batch, one JSON value, or NDJSON. What is in an event is left to [`super::event`].
//!
//! The content type hints, the content decides: a body that begins with `[` is a batch, and one JSON value is one event, however many
//! lines it takes. Only where lines are promised each line stands alone.

use super::EVENTS_MAX;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// What the content type says about the form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// NDJSON: each line is an event.
    Lines,
    /// One event or a batch.
    Document,
    /// Nothing of use; the content decides alone.
    Unknown,
}

impl Form {
    /// The form that a `Content-Type` promises; parameters such as `charset` do not matter.
    pub(crate) fn of_content_type(content_type: &str) -> Form {
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Form::Lines,
            "application/cloudevents+json" | "application/cloudevents-batch+json" => Form::Document,
            _ => Form::Unknown,
        }
    }
}

/// Why a whole body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body holds more than {EVENTS_MAX} events; send them in several bodies")]
    TooManyEvents,
    #[error("Problems parsing JSON: {0}")]
    NotJson(String),
}

/// The bytes of one event, and where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) line: usize,
    pub(super) bytes: &'a [u8],
}

pub(super) fn split(body: &[u8], form: Form) -> Result<Vec<Part<'_>>, BodyError> {
    // Some programs begin every text file with a byte-order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let content = body.trim_ascii();
    if content.starts_with(b"[") {
        return match batch(content) {
            // Only a line is broken, where lines are promised.
            Err(BodyError::NotJson(_)) if form == Form::Lines => lines(body),
            batch => batch,
        };
    }
    if content.is_empty() {
        return Ok(Vec::new());
    }
    if form == Form::Lines {
        return lines(body);
    }
    // Of NDJSON this reads no more than the first line.
    match serde_json::from_slice::<&RawValue>(content) {
        Ok(_) => Ok(vec![Part { line: 1, bytes: content }]),
        Err(error) if form == Form::Document => Err(BodyError::NotJson(error.to_string())),
        Err(_) => lines(body),
    }
}

fn lines(body: &[u8]) -> Result<Vec<Part<'_>>, BodyError> {
    let mut parts = Vec::new();
    for (line, bytes) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        if parts.len() == EVENTS_MAX {
            return Err(BodyError::TooManyEvents);
        }
        parts.push(Part { line, bytes });
    }
    Ok(parts)
}

fn batch(content: &[u8]) -> Result<Vec<Part<'_>>, BodyError> {
    let mut elements = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(content);
    let read = reader.deserialize_seq(Elements { elements: &mut elements }).and_then(|()| reader.end());
    if elements.len() > EVENTS_MAX {
        return Err(BodyError::TooManyEvents);
    }
    read.map_err(|error| BodyError::NotJson(error.to_string()))?;
    Ok((1..).zip(elements).map(|(line, element)| Part { line, bytes: element.get().as_bytes() }).collect())
}

/// Collects the elements of a batch and stops at the first one too many: a body of `[1,1,1,…` would else grow in memory.
struct Elements<'c, 'a> {
    elements: &'c mut Vec<&'a RawValue>,
}

impl<'a> Visitor<'a> for Elements<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of events")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(element) = sequence.next_element()? {
            self.elements.push(element);
            if self.elements.len() > EVENTS_MAX {
                return Err(A::Error::custom("too many events"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_text(body: &str, form: Form) -> Result<Vec<(usize, &str)>, BodyError> {
        let parts = split(body.as_bytes(), form)?;
        Ok(parts.into_iter().map(|part| (part.line, std::str::from_utf8(part.bytes).unwrap())).collect())
    }

    #[test]
    fn the_content_decides_what_the_content_type_leaves_open() {
        use Form::{Document, Lines, Unknown};
        type Row<'a> = (&'a str, Form, &'a [(usize, &'a str)]);
        let table: [Row<'_>; 14] = [
            ("", Unknown, &[]),
            (" \n\n ", Lines, &[]),
            ("[]", Document, &[]),
            ("{}", Unknown, &[(1, "{}")]),
            ("{\n \"a\": 1\n}\n", Document, &[(1, "{\n \"a\": 1\n}")]),
            ("{\n \"a\": 1\n}\n", Unknown, &[(1, "{\n \"a\": 1\n}")]),
            ("{\n}", Lines, &[(1, "{"), (2, "}")]),
            ("{}\n{}", Unknown, &[(1, "{}"), (2, "{}")]),
            ("\n{}\r\n\r\n{}\r\n", Lines, &[(2, "{}"), (4, "{}")]),
            ("\u{feff}{}\n", Lines, &[(1, "{}")]),
            (" [ {} , 7 ]", Lines, &[(1, "{}"), (2, "7")]),
            ("[1,2]\n{}", Lines, &[(1, "[1,2]"), (2, "{}")]),
            ("{}\nnonsense\n{}", Unknown, &[(1, "{}"), (2, "nonsense"), (3, "{}")]),
            ("nonsense\n{}", Unknown, &[(1, "nonsense"), (2, "{}")]),
        ];
        for (body, form, parts) in table {
            assert_eq!(split_text(body, form), Ok(parts.to_vec()), "{body:?} as {form:?}");
        }
    }

    #[test]
    fn a_batch_that_breaks_off_is_refused_whole() {
        for body in ["[{}, {}", "[{}, {]", "[{}] {}", "[{},]", "[\"\u{1}\"]"] {
            assert!(matches!(split_text(body, Form::Unknown), Err(BodyError::NotJson(_))), "{body}");
        }
        assert!(matches!(split_text("{\"a\": ", Form::Document), Err(BodyError::NotJson(_))));
    }

    #[test]
    fn more_events_than_the_bound_are_refused_whole() {
        let lines = |count| "{}\n".repeat(count);
        let batch = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(split_text(&lines(EVENTS_MAX), Form::Lines).map(|parts| parts.len()), Ok(EVENTS_MAX));
        assert_eq!(split_text(&batch(EVENTS_MAX), Form::Document).map(|parts| parts.len()), Ok(EVENTS_MAX));
        assert_eq!(split_text(&lines(EVENTS_MAX + 1), Form::Lines), Err(BodyError::TooManyEvents));
        assert_eq!(split_text(&batch(EVENTS_MAX + 1), Form::Unknown), Err(BodyError::TooManyEvents));
    }

    #[test]
    fn content_types_are_compared_without_case_and_parameters() {
        let table = [
            ("application/x-ndjson", Form::Lines),
            ("Application/X-NDJSON; charset=utf-8", Form::Lines),
            ("application/cloudevents+json", Form::Document),
            ("application/cloudevents-batch+json; charset=utf-8", Form::Document),
            ("application/json", Form::Unknown),
            ("application/x-www-form-urlencoded", Form::Unknown),
            ("", Form::Unknown),
        ];
        for (content_type, form) in table {
            assert_eq!(Form::of_content_type(content_type), form, "{content_type}");
        }
    }
}
