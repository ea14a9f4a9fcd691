//! The only place where an error becomes a status and a body, in GitHub's form.
//!
//! What the caller reads and what only the log shows are two fields. The body of an unexpected failure names the request and nothing
//! else. A handler returns [`ApiError`]; the outermost layer, which knows the request's number and the operation's page in GitHub's
//! documentation, writes it with [`ApiError::respond`].

use super::headers::RequestId;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// What errors name as documentation when they do not belong to one operation.
pub(crate) const REST_DOCUMENTATION: &str = "https://docs.github.com/rest";

/// When to come back to a server that has no room: queues are short here.
const RETRY_AFTER_SECONDS: &str = "1";

/// What a handler answers instead of its result.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// What the caller reads.
    pub(crate) message: String,
    /// What only the log shows.
    pub(crate) cause: Option<String>,
    /// GitHub's `errors`: a list, for an unknown version a text.
    pub(crate) errors: Option<Value>,
    /// In place of the operation's page.
    pub(crate) documentation_url: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), cause: None, errors: None, documentation_url: None }
    }

    /// Also what a caller gets who may not know that something exists.
    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn forbidden(message: &str) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, message)
    }

    /// No credential where one is needed.
    pub(crate) fn requires_authentication() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "Requires authentication").documented_at(REST_DOCUMENTATION)
    }

    /// A credential that is unknown, expired or revoked.
    pub(crate) fn bad_credentials() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "Bad credentials").documented_at(REST_DOCUMENTATION)
    }

    /// `Invalid request.` with one line for each thing to mend.
    pub(crate) fn invalid_request(status: StatusCode, lines: &[String]) -> ApiError {
        ApiError::new(status, format!("Invalid request.\n\n{}", lines.join("\n")))
    }

    pub(crate) fn internal(cause: impl std::fmt::Display) -> ApiError {
        ApiError { cause: Some(cause.to_string()), ..ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error") }
    }

    pub(crate) fn with_errors(self, errors: Value) -> ApiError {
        ApiError { errors: Some(errors), ..self }
    }

    pub(crate) fn documented_at(self, url: &'static str) -> ApiError {
        ApiError { documentation_url: Some(url), ..self }
    }

    /// Writes the body and logs the cause; the one time that a failed request is logged. `page` is the operation's documentation.
    pub(crate) fn respond(&self, page: Option<&str>, id: &RequestId, response: &mut Response) {
        if let Some(cause) = &self.cause {
            tracing::error!(request.id = %id, status = self.status.as_u16(), cause, "request failed");
        }
        let message = match self.status {
            StatusCode::INTERNAL_SERVER_ERROR => format!("{} (request {id})", self.message),
            _ => self.message.clone(),
        };
        // GitHub's description of 503 has a `code` and no `status`; every other error has it the other way round.
        let unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let body = ErrorBody {
            code: unavailable.then_some("service_unavailable"),
            message: &message,
            errors: self.errors.as_ref(),
            documentation_url: self.documentation_url.or(page),
            status: (!unavailable).then(|| self.status.as_u16().to_string()),
        };
        let text = serde_json::to_vec(&body).expect("texts and JSON values can always be written as JSON");
        *response.status_mut() = self.status;
        *response.body_mut() = Body::from(text);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
    }
}

/// The order of the keys is GitHub's.
#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> ApiError {
        match error {
            store::StoreError::DiskFull => ApiError::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
            store::StoreError::Busy => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            other => ApiError::internal(other),
        }
    }
}

impl From<billing::Overflow> for ApiError {
    fn from(overflow: billing::Overflow) -> ApiError {
        ApiError::internal(overflow)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Extensions;

    fn body(error: &ApiError, page: Option<&str>) -> String {
        let mut response = Response::new(Body::empty());
        error.respond(page, &RequestId::next(&Extensions::new(), 0), &mut response);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(axum::body::to_bytes(response.into_body(), 10_000)).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn bodies_have_githubs_keys_in_githubs_order() {
        let page = Some("https://docs.github.com/rest/billing/billing#x");
        let table = [
            (
                ApiError::not_found(),
                r#"{"message":"Not Found","documentation_url":"https://docs.github.com/rest/billing/billing#x","status":"404"}"#,
            ),
            (
                ApiError::bad_credentials(),
                r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}"#,
            ),
            (
                ApiError::requires_authentication(),
                r#"{"message":"Requires authentication","documentation_url":"https://docs.github.com/rest","status":"401"}"#,
            ),
            (
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed").with_errors(serde_json::json!(["no"])),
                r#"{"message":"Validation Failed","errors":["no"],"documentation_url":"https://docs.github.com/rest/billing/billing#x","status":"422"}"#,
            ),
            (
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "later"),
                r#"{"code":"service_unavailable","message":"later","documentation_url":"https://docs.github.com/rest/billing/billing#x"}"#,
            ),
        ];
        for (error, text) in table {
            assert_eq!(body(&error, page), text);
        }
        assert_eq!(body(&ApiError::not_found(), None), r#"{"message":"Not Found","status":"404"}"#);
    }

    #[test]
    fn who_finds_no_room_is_told_when_to_come_back() {
        let retry_after = |status| {
            let mut response = Response::new(Body::empty());
            ApiError::new(status, "").respond(None, &RequestId::next(&Extensions::new(), 0), &mut response);
            response.headers().get(header::RETRY_AFTER).cloned()
        };
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE), Some(HeaderValue::from_static(RETRY_AFTER_SECONDS)));
        assert_eq!(retry_after(StatusCode::INSUFFICIENT_STORAGE), None);
    }

    #[test]
    fn the_cause_of_a_failure_stays_in_the_log() {
        let text = body(&ApiError::internal("SQLite: /secret/path"), None);
        assert!(text.starts_with(r#"{"message":"Server Error (request 0:"#), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
