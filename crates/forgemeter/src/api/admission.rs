//! What every request passes before its handler, in the order in which GitHub was seen to check: a wrong credential (401), an unknown
//! API version (400), no credential where one is needed (401). An unknown route was 404 before; the account (404, 403) is checked by
//! the handler through [`Caller`], and the body last of all.

use super::Operation;
use super::auth::{Caller, OperationKind};
use super::error::ApiError;
use super::versions;
use crate::app::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use std::sync::Arc;
use store::tokens::{Access, Grant, Token};

/// What the layer of one operation works with.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) operation: &'static Operation,
}

/// What became of the checks; the outermost layer writes it into the headers of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) operation: &'static Operation,
    pub(crate) token: Option<Token>,
    version: Option<&'static str>,
}

impl Admitted {
    /// Whether the answer is one of an API, and not a file or a sign of life.
    pub(crate) fn is_api(&self) -> bool {
        self.operation.kind != OperationKind::Open
    }

    /// The headers that depend on the operation, the token and the version.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(version) = self.version {
            headers.push(("x-github-api-version-selected", version.to_owned()));
        }
        let Some(token) = &self.token else { return headers };
        match &token.grant {
            Grant::Scopes(scopes) => {
                headers.push(("x-oauth-scopes", scopes.iter().map(String::as_str).collect::<Vec<_>>().join(", ")));
                headers.push(("x-accepted-oauth-scopes", self.operation.kind.scopes().join(", ")));
            }
            Grant::Permissions(_) => headers.push(("x-accepted-github-permissions", permissions_as_header(self.operation.kind))),
        }
        if let Some(expires_at) = token.expires_at {
            // 2025-04-29 18:00:09 UTC
            let expiration = expires_at.to_seconds_text().replace('T', " ").replace('Z', " UTC");
            headers.push(("github-authentication-token-expiration", expiration));
        }
        headers
    }
}

/// A semicolon separates alternatives (GitHub's troubleshooting page).
fn permissions_as_header(kind: OperationKind) -> String {
    let level = |access: &Access| if *access == Access::Write { "write" } else { "read" };
    kind.permissions().iter().map(|(name, access)| format!("{name}={}", level(access))).collect::<Vec<_>>().join("; ")
}

/// The layer of one operation.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let mut admitted = Admitted { operation: gate.operation, token: None, version: None };
    let mut response = match check(&gate, &mut admitted, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(admitted);
    response
}

async fn check(gate: &Gate, admitted: &mut Admitted, request: &mut Request) -> Result<(), ApiError> {
    let kind = gate.operation.kind;
    if kind == OperationKind::Open {
        return Ok(());
    }
    let caller = match credential(request.headers()) {
        Some(text) => Some(find_caller(Arc::clone(&gate.app), text, kind).await?),
        None => None,
    };
    admitted.token = caller.as_ref().map(|caller| caller.token.clone());
    admitted.version = Some(versions::select(request.headers())?);
    versions::check_accept(request.headers())?;
    match caller {
        Some(caller) => {
            if matches!(kind, OperationKind::Usage | OperationKind::Unrated) {
                caller.check_token()?;
            }
            request.extensions_mut().insert(caller);
            Ok(())
        }
        None if kind == OperationKind::Public => Ok(()),
        None => Err(ApiError::requires_authentication()),
    }
}

async fn find_caller(app: Arc<App>, text: String, kind: OperationKind) -> Result<Caller, ApiError> {
    super::blocking(move || {
        let token = app.tokens.find(&text, app.clock.now())?.ok_or_else(ApiError::bad_credentials)?;
        Ok(Caller { user: token.user, token, facts: app.facts.current()?, kind })
    })
    .await
}

/// The token that a request carries: `Bearer T`, `token T` in any case, or HTTP Basic with the token as password, or as user name
/// beside an empty password or `x-oauth-basic` (both forms are in use against GitHub). A header that cannot be read counts as none.
fn credential(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.trim().split_once(' ')?;
    let rest = rest.trim();
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => rest.to_owned(),
        "basic" => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
            let decoded = String::from_utf8(decoded).ok()?;
            let (user, password) = decoded.split_once(':')?;
            if password.is_empty() || password == "x-oauth-basic" { user.to_owned() } else { password.to_owned() }
        }
        _ => return None,
    };
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_token_comes_in_any_form_that_clients_of_github_use() {
        let table = [
            ("Bearer fmt_x", Some("fmt_x")),
            ("token fmt_x", Some("fmt_x")),
            ("TOKEN  fmt_x ", Some("fmt_x")),
            ("Basic bW9uYTpmbXRfeA==", Some("fmt_x")),
            ("basic Zm10X3g6", Some("fmt_x")),
            ("Basic Zm10X3g6eC1vYXV0aC1iYXNpYw==", Some("fmt_x")),
            ("Basic !", None),
            ("Digest fmt_x", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("fmt_x", None),
        ];
        for (text, token) in table {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(text))]);
            assert_eq!(credential(&headers).as_deref(), token, "{text}");
        }
        assert_eq!(credential(&HeaderMap::new()), None);
    }

    #[test]
    fn accepted_permissions_name_all_alternatives() {
        assert_eq!(permissions_as_header(OperationKind::Organization), "organization_administration=read");
        assert_eq!(permissions_as_header(OperationKind::EnterpriseRead), "enterprise_administration=write; enterprise_billing=read");
    }
}
