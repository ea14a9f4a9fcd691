//! Report exports on the wire: the body that creates one, and the object that shows one, with keys in GitHub's order.
//!
//! What is wrong with a body is told line by line in the form of GitHub's schema layer. Which days may be asked for is left to the
//! handler, which knows the day of today.

use crate::api::error::ApiError;
use axum::http::StatusCode;
use billing::Day;
use billing::report::ReportType;
use serde::Serialize;
use serde_json::{Map, Value};

/// One export.
#[derive(Debug, Serialize)]
pub(crate) struct UsageReportExport {
    pub(crate) id: String,
    pub(crate) report_type: &'static str,
    pub(crate) start_date: String,
    pub(crate) end_date: String,
    pub(crate) status: &'static str,
    /// Only of a completed export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) download_urls: Option<Vec<String>>,
    pub(crate) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct UsageReportExports {
    pub(crate) usage_report_exports: Vec<UsageReportExport>,
}

/// What a body asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CreateUsageReportExport {
    pub(crate) report_type: ReportType,
    pub(crate) start_date: Day,
    pub(crate) end_date: Option<Day>,
    pub(crate) send_email: bool,
}

/// Reads the body of a creation. No body counts as an empty object; unknown keys are ignored.
pub(crate) fn read(body: &[u8]) -> Result<CreateUsageReportExport, ApiError> {
    let value: Value = match body {
        [] => Value::Object(Map::new()),
        _ => serde_json::from_slice(body).map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?,
    };
    let Value::Object(fields) = value else { return Err(ApiError::new(StatusCode::BAD_REQUEST, "Body should be a JSON object")) };
    let mut lines = Vec::new();
    lines.extend(missing(&fields));
    let report_type = report_type(&fields, &mut lines);
    let start_date = date(&fields, "start_date", &mut lines);
    let end_date = date(&fields, "end_date", &mut lines);
    let send_email = flag(&fields, "send_email", &mut lines);
    match (report_type, start_date) {
        (Some(report_type), Some(start_date)) if lines.is_empty() => {
            Ok(CreateUsageReportExport { report_type, start_date, end_date, send_email })
        }
        _ => Err(ApiError::invalid_request(StatusCode::BAD_REQUEST, &lines)),
    }
}

fn missing(fields: &Map<String, Value>) -> Option<String> {
    let names: Vec<String> =
        ["report_type", "start_date"].iter().filter(|name| !fields.contains_key(**name)).map(|name| format!("\"{name}\"")).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("{} wasn't supplied.", names[0])),
        _ => Some(format!("{} weren't supplied.", names.join(", "))),
    }
}

fn report_type(fields: &Map<String, Value>, lines: &mut Vec<String>) -> Option<ReportType> {
    let text = string(fields, "report_type", lines)?;
    let known = ReportType::parse(text);
    if known.is_none() {
        let names: Vec<String> = ReportType::ALL.iter().map(|report| format!("\"{report}\"")).collect();
        lines.push(format!("For 'properties/report_type', {} is not a member of [{}].", shortened(text), names.join(", ")));
    }
    known
}

fn date(fields: &Map<String, Value>, name: &str, lines: &mut Vec<String>) -> Option<Day> {
    let text = string(fields, name, lines)?;
    let day = Day::parse(text);
    if let Err(error) = day {
        lines.push(format!("For 'properties/{name}', {} {error}.", shortened(text)));
    }
    day.ok()
}

fn flag(fields: &Map<String, Value>, name: &str, lines: &mut Vec<String>) -> bool {
    match fields.get(name) {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            lines.push(format!("For 'properties/{name}', {} is not a boolean.", shown(other)));
            false
        }
    }
}

fn string<'a>(fields: &'a Map<String, Value>, name: &str, lines: &mut Vec<String>) -> Option<&'a str> {
    match fields.get(name)? {
        Value::String(text) => Some(text),
        other => {
            lines.push(format!("For 'properties/{name}', {} is not a string.", shown(other)));
            None
        }
    }
}

/// A value as GitHub's messages show it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        other => shortened(&other.to_string()),
    }
}

/// The most characters of a caller's text that a message repeats.
const SHOWN_CHARS_MAX: usize = 100;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        read(body.as_bytes()).map_or_else(|error| error.message.replace("Invalid request.\n\n", ""), |read| format!("{read:?}"))
    }

    #[test]
    fn a_bad_body_is_told_what_is_wrong_with_it() {
        let table = [
            ("", "\"report_type\", \"start_date\" weren't supplied."),
            ("{}", "\"report_type\", \"start_date\" weren't supplied."),
            ("{\"report_type\":", "Problems parsing JSON"),
            ("\u{feff}{}", "Problems parsing JSON"),
            ("[]", "Body should be a JSON object"),
            ("\"detailed\"", "Body should be a JSON object"),
            ("{\"report_type\":\"detailed\"}", "\"start_date\" wasn't supplied."),
            ("{\"start_date\":\"2026-11-01\"}", "\"report_type\" wasn't supplied."),
            (
                "{\"report_type\":\"weekly\",\"start_date\":\"2026-11-01\"}",
                "For 'properties/report_type', weekly is not a member of [\"detailed\", \"summarized\", \"premium_request\", \"ai_credit\"].",
            ),
            ("{\"report_type\":42,\"start_date\":\"2026-11-01\"}", "For 'properties/report_type', 42 is not a string."),
            (
                "{\"report_type\":null,\"start_date\":[]}",
                "For 'properties/report_type', nil is not a string.\nFor 'properties/start_date', [] is not a string.",
            ),
            (
                "{\"report_type\":\"detailed\",\"start_date\":\"2026-02-29\"}",
                "For 'properties/start_date', 2026-02-29 is not a date such as 2026-11-03.",
            ),
            (
                "{\"report_type\":\"detailed\",\"start_date\":\"2026-11-01\",\"end_date\":\"1/11/2026\",\"send_email\":\"yes\"}",
                "For 'properties/end_date', 1/11/2026 is not a date such as 2026-11-03.\nFor 'properties/send_email', \"yes\" is not a boolean.",
            ),
            (
                "{\"report_type\":\"detailed\",\"start_date\":\"0001-01-01\"}",
                "For 'properties/start_date', 0001-01-01 is outside the years 2000 to 9998.",
            ),
        ];
        for (body, text) in table {
            assert_eq!(message(body), text, "{body}");
        }
    }

    #[test]
    fn a_good_body_is_read_and_unknown_keys_are_ignored() {
        let body = br#"{"report_type":"ai_credit","start_date":"2026-11-01","end_date":"2026-11-30","send_email":true,"format":"csv"}"#;
        let day = |text: &str| Day::parse(text).unwrap();
        let expected = CreateUsageReportExport {
            report_type: ReportType::AiCredit,
            start_date: day("2026-11-01"),
            end_date: Some(day("2026-11-30")),
            send_email: true,
        };
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn a_long_text_is_not_repeated_whole() {
        let body = format!("{{\"report_type\":\"{}\",\"start_date\":\"2026-11-01\"}}", "é".repeat(10_000));
        assert!(message(&body).len() < 500);
    }
}
