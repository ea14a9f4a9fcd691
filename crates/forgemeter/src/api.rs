//! Every route in one table, grouped by who calls it.
//!
//! An [`Operation`] says what it needs of its caller and where GitHub documents it; the checks before a handler and the headers of its
//! answer follow from that. Operations of GitHub are served at `/…` and at `/api/v3/…`, because some clients add the prefix of
//! self-managed servers by themselves and some drop it. A trailing slash or an unsupported method is an unknown route: 404.

pub(crate) mod admission;
pub(crate) mod auth;
pub(crate) mod downloads;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod health;
pub(crate) mod legacy;
pub(crate) mod reports;
pub(crate) mod usage;
pub(crate) mod versions;
pub(crate) mod wire;

use crate::app::App;
use admission::Gate;
use auth::OperationKind;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router, middleware};
use error::ApiError;
use health::Stopping;
use serde::Serialize;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// The prefix of self-managed servers.
const PREFIX: &str = "/api/v3";

/// The greatest body of an operation of GitHub. Theirs are a handful of fields; sent usage has bounds of its own.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The key that the root lists it under; empty for what is no entry point.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The page below `https://docs.github.com`; empty for operations of our own.
    page: &'static str,
    pub(crate) kind: OperationKind,
    route: fn(MethodFilter) -> MethodRouter<Arc<App>>,
}

impl Operation {
    /// GitHub has this operation, so it is served below the prefix as well.
    pub(crate) fn is_githubs(&self) -> bool {
        !self.page.is_empty()
    }

    /// What errors of this operation name as documentation; nothing for our own.
    pub(crate) fn documentation_url(&self) -> Option<String> {
        self.is_githubs().then(|| format!("https://docs.github.com{}", self.page))
    }
}

const fn operation(
    name: &'static str,
    method: Method,
    path: &'static str,
    (kind, page): (OperationKind, &'static str),
    route: fn(MethodFilter) -> MethodRouter<Arc<App>>,
) -> Operation {
    Operation { name, method, path, page, kind, route }
}

use OperationKind::{EnterpriseRead, EnterpriseWrite, Open, Organization, Public, Unrated, Usage, User};

#[rustfmt::skip]
pub(crate) static OPERATIONS: &[Operation] = &[
    // Organizations: their owners and billing managers.
    operation("organization_actions_billing", Method::GET, "/orgs/{org}/settings/billing/actions",
        (Organization, "/rest/billing/billing#get-github-actions-billing-for-an-organization"), |method| on(method, legacy::organization_actions)),
    operation("organization_packages_billing", Method::GET, "/orgs/{org}/settings/billing/packages",
        (Organization, "/rest/billing/billing#get-github-packages-billing-for-an-organization"), |method| on(method, legacy::organization_packages)),
    operation("organization_shared_storage_billing", Method::GET, "/orgs/{org}/settings/billing/shared-storage",
        (Organization, "/rest/billing/billing#get-shared-storage-billing-for-an-organization"), |method| on(method, legacy::organization_shared_storage)),

    // Users: each for themselves.
    operation("user_actions_billing", Method::GET, "/users/{username}/settings/billing/actions",
        (User, "/rest/billing/billing#get-github-actions-billing-for-a-user"), |method| on(method, legacy::user_actions)),
    operation("user_packages_billing", Method::GET, "/users/{username}/settings/billing/packages",
        (User, "/rest/billing/billing#get-github-packages-billing-for-a-user"), |method| on(method, legacy::user_packages)),
    operation("user_shared_storage_billing", Method::GET, "/users/{username}/settings/billing/shared-storage",
        (User, "/rest/billing/billing#get-shared-storage-billing-for-a-user"), |method| on(method, legacy::user_shared_storage)),

    // Enterprises: their owners and billing managers.
    operation("enterprise_actions_billing", Method::GET, "/enterprises/{enterprise}/settings/billing/actions",
        (EnterpriseRead, "/enterprise-cloud@latest/rest/billing/billing#get-github-actions-billing-for-an-enterprise"), |method| on(method, legacy::enterprise_actions)),
    operation("enterprise_packages_billing", Method::GET, "/enterprises/{enterprise}/settings/billing/packages",
        (EnterpriseRead, "/enterprise-cloud@latest/rest/billing/billing#get-github-packages-billing-for-an-enterprise"), |method| on(method, legacy::enterprise_packages)),
    operation("enterprise_shared_storage_billing", Method::GET, "/enterprises/{enterprise}/settings/billing/shared-storage",
        (EnterpriseRead, "/enterprise-cloud@latest/rest/billing/billing#get-shared-storage-billing-for-an-enterprise"), |method| on(method, legacy::enterprise_shared_storage)),
    operation("usage_report_exports", Method::GET, "/enterprises/{enterprise}/settings/billing/reports",
        (EnterpriseRead, "/enterprise-cloud@latest/rest/billing/usage-reports#list-usage-report-exports"), |method| on(method, reports::list)),
    operation("", Method::POST, "/enterprises/{enterprise}/settings/billing/reports",
        (EnterpriseWrite, "/enterprise-cloud@latest/rest/billing/usage-reports#create-a-usage-report-export"), |method| on(method, reports::create)),
    operation("usage_report_export", Method::GET, "/enterprises/{enterprise}/settings/billing/reports/{report_id}",
        (EnterpriseRead, "/enterprise-cloud@latest/rest/billing/usage-reports#get-a-usage-report-export"), |method| on(method, reports::get)),

    // Senders of usage.
    operation("usage", Method::POST, "/v1/usage", (Usage, ""), |method| on(method, usage::send).layer(DefaultBodyLimit::disable())),
    operation("unrated_usage", Method::GET, "/v1/unrated", (Unrated, ""), |method| on(method, usage::unrated)),

    // Whoever holds a signed link.
    operation("", Method::GET, "/downloads/{export}/{part}/{file}", (Open, ""), |method| on(method, downloads::download)),

    // Everybody.
    operation("", Method::GET, "/", (Public, "/rest"), |method| on(method, health::root)),
    operation("versions", Method::GET, "/versions", (Public, "/rest/meta/meta#get-all-api-versions"), |method| on(method, versions::list)),
    operation("", Method::GET, "/healthz", (Open, ""), |method| on(method, health::alive)),
    operation("", Method::GET, "/readyz", (Open, ""), |method| on(method, health::ready)),
];

/// All routes with their layers.
pub(crate) fn router(app: &Arc<App>, stopping: Stopping) -> Router {
    let mut router = Router::new();
    for operation in OPERATIONS {
        let gate = Gate { app: Arc::clone(app), operation };
        let method = MethodFilter::try_from(operation.method.clone()).expect("the table names methods that axum knows");
        let route = (operation.route)(method).route_layer(middleware::from_fn_with_state(gate, admission::admit));
        if operation.is_githubs() {
            let prefixed = format!("{PREFIX}{}", operation.path.trim_end_matches('/'));
            router = router.route(&prefixed, route.clone());
        }
        router = router.route(operation.path, route);
    }
    with_layers(router, app, stopping)
}

/// What all routes share, from the inside out.
fn with_layers(router: Router<Arc<App>>, app: &Arc<App>, stopping: Stopping) -> Router {
    router
        .method_not_allowed_fallback(unknown_route)
        .fallback(unknown_route)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(stopping))
        // A handler that panics fails its own request and no other.
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| ApiError::internal("the handler panicked").into_response()))
        .layer(middleware::from_fn_with_state(Arc::clone(app), headers::dress))
        .with_state(Arc::clone(app))
}

async fn unknown_route() -> ApiError {
    ApiError::not_found()
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    Ok(response)
}

/// Runs work that reads files or waits for the disk on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ApiError::internal(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use axum::http::Request;
    use axum::routing::{get, post};
    use std::collections::BTreeSet;
    use store::ledger::LedgerLimits;
    use tower::ServiceExt as _;

    #[test]
    fn each_operation_has_one_row_and_its_account_in_its_path() {
        let mut seen = BTreeSet::new();
        for operation in OPERATIONS {
            assert!(seen.insert((operation.method.to_string(), operation.path)), "{} {}", operation.method, operation.path);
            let account = match operation.kind {
                OperationKind::Organization => "/orgs/{org}/",
                OperationKind::User => "/users/{username}/",
                OperationKind::EnterpriseRead | OperationKind::EnterpriseWrite => "/enterprises/{enterprise}/",
                OperationKind::Usage | OperationKind::Unrated => "/v1/",
                OperationKind::Open | OperationKind::Public => "/",
            };
            assert!(operation.path.starts_with(account), "{}", operation.path);
            assert_eq!(
                operation.kind == OperationKind::EnterpriseWrite,
                operation.method != Method::GET && operation.is_githubs(),
                "{}",
                operation.path
            );
        }
    }

    /// Status, body and `connection` header of each request to these routes.
    fn answers(routes: Router<Arc<App>>, requests: Vec<Request<Body>>) -> Vec<(u16, String, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let app = Arc::new(App::open(folder.path(), Config::default(), LedgerLimits::default()).unwrap());
        let router = with_layers(routes, &app, Stopping::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ask = |request: Request<Body>| {
            let answer = runtime.block_on(router.clone().oneshot(request)).unwrap();
            let (status, closes) = (answer.status().as_u16(), answer.headers().contains_key(header::CONNECTION));
            let body = runtime.block_on(axum::body::to_bytes(answer.into_body(), 10_000)).unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap(), closes)
        };
        let answers = requests.into_iter().map(ask).collect();
        app.ledger.close().unwrap();
        answers
    }

    #[test]
    fn a_handler_that_panics_fails_its_own_request_alone() {
        let routes = Router::new().route("/panic", get(async || -> Response { panic!("a secret") })).route("/healthz", get(health::alive));
        let requests = ["/panic", "/healthz"].map(|path| Request::get(path).body(Body::empty()).unwrap());
        let answers = answers(routes, requests.into());
        let (status, body, _) = &answers[0];
        assert_eq!(*status, 500);
        assert!(body.starts_with(r#"{"message":"Server Error (request "#) && !body.contains("secret"), "{body}");
        assert_eq!(answers[1], (200, r#"{"status":"ok"}"#.to_owned(), false));
    }

    #[test]
    fn a_body_that_came_too_late_is_408_and_ends_the_connection() {
        let routes = Router::new().route("/", post(async || StatusCode::BAD_REQUEST));
        let connection = headers::Connection { peer_port: 1, number: 1, body_is_late: Arc::new(true.into()) };
        let request = Request::post("/").extension(connection).body(Body::empty()).unwrap();
        let body =
            r#"{"message":"the request's body did not arrive in time","documentation_url":"https://docs.github.com/rest","status":"408"}"#;
        assert_eq!(answers(routes, vec![request]), [(408, body.to_owned(), true)]);
    }
}
