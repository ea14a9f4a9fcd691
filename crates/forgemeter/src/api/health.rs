//! Signs of life for whoever watches the server, and the root that says what it is. None of it needs a token, and none of it looks
//! into the data folder.

use super::error::ApiError;
use super::json;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the server begins to stop: from then on it is alive, and not ready for new work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopping(pub(crate) Arc<AtomicBool>);

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Result<Response, ApiError> {
    json(StatusCode::OK, &BTreeMap::from([("status", "ok")]))
}

/// `GET /readyz`: it may be sent requests. An open folder is ready; only stopping ends that.
pub(crate) async fn ready(Extension(stopping): Extension<Stopping>) -> Result<Response, ApiError> {
    if stopping.0.load(Ordering::Acquire) {
        return json(StatusCode::SERVICE_UNAVAILABLE, &BTreeMap::from([("status", "stopping")]));
    }
    json(StatusCode::OK, &BTreeMap::from([("status", "ready")]))
}

/// `GET /`: where everything is, as GitHub's root has it.
pub(crate) async fn root() -> Result<Response, ApiError> {
    let paths: BTreeMap<String, &str> = super::OPERATIONS
        .iter()
        .filter(|operation| !operation.name.is_empty())
        .map(|operation| (format!("{}_url", operation.name), operation.path))
        .collect();
    json(StatusCode::OK, &paths)
}
