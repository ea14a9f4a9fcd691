//! The only place where an error becomes a status and a body, in GitHub's form.
//!
//! A 5xx body shows a request id and nothing else; the private cause goes to the log.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// What a handler answers instead of its result.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// What the caller reads.
    pub(crate) message: String,
    /// What only the log shows.
    pub(crate) cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), cause: None }
    }

    /// Also what a caller gets who may not know that something exists.
    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// `Invalid request.` with one line for each thing to mend.
    pub(crate) fn invalid_request(status: StatusCode, lines: &[String]) -> ApiError {
        ApiError::new(status, format!("Invalid request.\n\n{}", lines.join("\n")))
    }

    pub(crate) fn internal(cause: impl std::fmt::Display) -> ApiError {
        ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, message: "Server Error".into(), cause: Some(cause.to_string()) }
    }
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

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // The documentation address and the headers are added by the layer that knows the matched route.
        (self.status, self.message).into_response()
    }
}
