//! What a request may ask of the form of the answer: GitHub's API version and the media type.
//!
//! Billing operations are the same in both versions, so a version is checked and named in the answer, and changes nothing else.
//! An absent version is the older one (GitHub's changelog of 2026-03-12).

use super::error::{ApiError, REST_DOCUMENTATION};
use super::json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

/// Newest first, as the error text lists them.
const SUPPORTED: [&str; 2] = ["2026-03-10", "2022-11-28"];
const DEFAULT: &str = SUPPORTED[1];

const VERSION_HEADER: &str = "x-github-api-version";

/// The version that a request selects.
pub(crate) fn select(headers: &HeaderMap) -> Result<&'static str, ApiError> {
    let named: Vec<String> =
        headers.get_all(VERSION_HEADER).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let named = named.join(", ");
    if named.is_empty() {
        return Ok(DEFAULT);
    }
    SUPPORTED.into_iter().find(|version| *version == named).ok_or_else(|| unsupported(&named))
}

/// `errors` is a text here, not a list: GitHub's body for an unknown version.
fn unsupported(named: &str) -> ApiError {
    let [newest, older] = SUPPORTED;
    let errors = format!(
        "The version you specified in the \"X-GitHub-API-Version\" request header, \"{named}\", is not a supported version. \
         The following versions are currently supported: \"{newest}\" (most recent) and \"{older}\"."
    );
    ApiError::new(StatusCode::BAD_REQUEST, "Bad Request").with_errors(errors.into()).documented_at(REST_DOCUMENTATION)
}

/// Refuses a request that takes no JSON. An empty `Accept`, as the `gh` command sends it, takes everything.
pub(crate) fn check_accept(headers: &HeaderMap) -> Result<(), ApiError> {
    let named: Vec<String> =
        headers.get_all(header::ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let named = named.join(", ");
    let media_type = |part: &str| part.split(';').next().map_or_else(String::new, |name| name.trim().to_ascii_lowercase());
    let takes_json = |name: &str| {
        name.is_empty() || ["*/*", "application/*", "application/json"].contains(&name) || name.starts_with("application/vnd.github")
    };
    if named.split(',').any(|part| takes_json(&media_type(part))) {
        return Ok(());
    }
    let message = format!("Unsupported 'Accept' header: '{named}'. Must accept 'application/json'.");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).documented_at("https://docs.github.com/v3/media"))
}

/// `GET /versions`: oldest first.
pub(crate) async fn list() -> Result<Response, ApiError> {
    let [newest, older] = SUPPORTED;
    json(StatusCode::OK, &[older, newest])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_version_is_named_exactly_or_not_at_all() {
        let table: [(&[&str], Option<&str>); 7] = [
            (&[], Some("2022-11-28")),
            (&[""], Some("2022-11-28")),
            (&["2022-11-28"], Some("2022-11-28")),
            (&["2026-03-10"], Some("2026-03-10")),
            (&["2019-01-01"], None),
            (&["2022-11-28,2026-03-10"], None),
            (&["2022-11-28", "2026-03-10"], None),
        ];
        for (values, selected) in table {
            assert_eq!(select(&headers("x-github-api-version", values)).ok(), selected, "{values:?}");
        }
        let error = select(&headers("x-github-api-version", &["2019-01-01"])).unwrap_err();
        let text = "The version you specified in the \"X-GitHub-API-Version\" request header, \"2019-01-01\", is not a supported version. The following versions are currently supported: \"2026-03-10\" (most recent) and \"2022-11-28\".";
        assert_eq!((error.message.as_str(), error.errors), ("Bad Request", Some(text.into())));
    }

    #[test]
    fn every_accept_header_of_a_real_client_takes_json() {
        for (accept, taken) in [
            ("", true),
            ("*/*", true),
            ("application/vnd.github+json", true),
            ("application/vnd.github.v3+json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("text/csv", false),
        ] {
            assert_eq!(check_accept(&headers("accept", &[accept])).is_ok(), taken, "{accept}");
        }
        assert!(check_accept(&HeaderMap::new()).is_ok());
        let error = check_accept(&headers("accept", &["text/csv"])).unwrap_err();
        assert_eq!(error.message, "Unsupported 'Accept' header: 'text/csv'. Must accept 'application/json'.");
    }
}
