//! The headers of every answer, entity tags, preflight requests, and the writing of errors: the outermost layer of all routes.
//!
//! Names and values are those that GitHub was seen to send. Left out on purpose: `x-ratelimit-*`, because rate limits are off as on
//! self-managed servers, and `deprecation`, which makes octokit log a warning on each call.

use super::admission::Admitted;
use super::error::{ApiError, REST_DOCUMENTATION};
use crate::app::App;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The greatest body that gets an entity tag; longer ones are sent as they come.
const TAGGED_BYTES_MAX: usize = 1 << 20;

const HSTS: (&str, &str) = ("strict-transport-security", "max-age=31536000; includeSubdomains; preload");

const ON_EVERY_ANSWER: [(&str, &str); 8] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, \
         X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, \
         X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset",
    ),
    ("x-frame-options", "deny"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "0"),
    ("referrer-policy", "origin-when-cross-origin, strict-origin-when-cross-origin"),
    ("content-security-policy", "default-src 'none'"),
    ("vary", "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With"),
];

const ON_PREFLIGHT: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-allow-headers",
        "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since, X-GitHub-OTP, X-Requested-With, \
         User-Agent, X-GitHub-Api-Version",
    ),
    ("access-control-allow-methods", "GET, POST, PATCH, PUT, DELETE"),
    ("access-control-max-age", "86400"),
];

/// Where a request came in; the accept loop puts it into the request.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) peer_port: u16,
    /// The running number of the connection.
    pub(crate) number: u64,
    /// Set when the body did not arrive in time.
    pub(crate) body_is_late: Arc<AtomicBool>,
}

/// The number of a request, in the form of GitHub's: five hexadecimal groups, the last the time in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// No chance in it: port, connection, process and a running number are unique while the log is of interest.
    pub(crate) fn next(request: &Extensions, seconds: i64) -> RequestId {
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let (port, connection) = request.get::<Connection>().map_or((0, 0), |connection| (connection.peer_port, connection.number));
        RequestId(format!("{port:X}:{connection:X}:{:X}:{number:X}:{seconds:08X}", std::process::id()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The outermost layer: names the request, runs it, writes its error, and dresses the answer.
pub(crate) async fn dress(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::next(request.extensions(), app.clock.now().microseconds() / 1_000_000);
    if request.method() == Method::OPTIONS {
        return preflight(&id);
    }
    let asked = Asked::of(&request);
    request.extensions_mut().insert(id.clone());
    let started = std::time::Instant::now();
    let mut response = next.run(request).await;
    let admitted = response.extensions_mut().remove::<Admitted>();
    write_error(&mut response, admitted.as_ref(), &asked, &id);
    let is_api = admitted.as_ref().is_none_or(Admitted::is_api);
    if is_api && asked.reads() && response.status() == StatusCode::OK {
        tag(&mut response, asked.if_none_match.as_ref()).await;
    }
    set_headers(&mut response, admitted.as_ref(), &asked, &id);
    if app.config.public_url.as_deref().is_some_and(|url| url.starts_with("https:")) {
        // RFC 6797 section 7.2 forbids it on an answer over plain HTTP; here a proxy in front speaks TLS.
        put(response.headers_mut(), &[HSTS]);
    }
    let path = admitted.as_ref().map_or("(no route)", |admitted| admitted.operation.path);
    let duration_ms = started.elapsed().as_millis();
    tracing::debug!(request.id = %id, method = %asked.method, path, status = response.status().as_u16(), duration_ms, "answered");
    response
}

/// What an answer depends on after the request is gone.
#[derive(Debug)]
struct Asked {
    method: Method,
    if_none_match: Option<HeaderValue>,
    body_is_late: Option<Arc<AtomicBool>>,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        Asked {
            method: request.method().clone(),
            if_none_match: request.headers().get(header::IF_NONE_MATCH).cloned(),
            body_is_late: request.extensions().get::<Connection>().map(|connection| Arc::clone(&connection.body_is_late)),
        }
    }

    fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

fn preflight(id: &RequestId) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    put(response.headers_mut(), &ON_PREFLIGHT);
    put_text(response.headers_mut(), "x-github-request-id", &id.to_string());
    response
}

/// Writes the body of an error: that of the handler, or one in place of axum's own plain text.
fn write_error(response: &mut Response, admitted: Option<&Admitted>, asked: &Asked, id: &RequestId) {
    let error = response.extensions_mut().remove::<ApiError>();
    let is_api = admitted.is_none_or(Admitted::is_api);
    let late = asked.body_is_late.as_ref().is_some_and(|late| late.load(Ordering::Acquire));
    let error = match error {
        _ if late => {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Some(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time"))
        }
        None if is_api => refused_by_axum(response),
        error => error,
    };
    let Some(error) = error else { return };
    let page = match admitted {
        Some(admitted) => admitted.operation.documentation_url(),
        None => Some(REST_DOCUMENTATION.to_owned()),
    };
    error.respond(page.as_deref(), id, response);
}

/// The error of an answer that axum made itself: a path that is no text is no known path; others keep their status.
fn refused_by_axum(response: &Response) -> Option<ApiError> {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let status = response.status();
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(match status {
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => ApiError::not_found(),
        StatusCode::INTERNAL_SERVER_ERROR => ApiError::internal("an extractor of a handler does not fit its route"),
        status => ApiError::new(status, status.canonical_reason().unwrap_or("Refused")),
    })
}

/// Gives an answer its weak entity tag, or makes it 304 when the caller has it already.
async fn tag(response: &mut Response, if_none_match: Option<&HeaderValue>) {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let short =
        response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).is_some_and(|bytes| bytes <= TAGGED_BYTES_MAX);
    if !is_json || !short {
        return;
    }
    let body = std::mem::replace(response.body_mut(), Body::empty());
    let Ok(bytes) = axum::body::to_bytes(body, TAGGED_BYTES_MAX).await else {
        // A body of known length is in memory; that it breaks off is our mistake, and the connection says so.
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return;
    };
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    put_text(response.headers_mut(), "etag", &format!("W/\"{digest}\""));
    if if_none_match.is_some_and(|tags| is_named(tags, &digest)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    } else {
        *response.body_mut() = Body::from(bytes);
    }
}

/// Weak comparison: `W/` does not matter.
fn is_named(tags: &HeaderValue, digest: &str) -> bool {
    let tags = String::from_utf8_lossy(tags.as_bytes()).into_owned();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == digest)
}

fn set_headers(response: &mut Response, admitted: Option<&Admitted>, asked: &Asked, id: &RequestId) {
    let fresh = asked.reads() && (response.status() == StatusCode::OK || response.status() == StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    put(headers, &ON_EVERY_ANSWER);
    put_text(headers, "x-github-request-id", &id.to_string());
    let Some(admitted) = admitted else {
        put(headers, &[("cache-control", "no-cache"), ("x-github-media-type", "github.v3; format=json")]);
        return;
    };
    if !admitted.is_api() {
        put(headers, &[("cache-control", "no-store")]);
        return;
    }
    put(headers, &[("x-github-media-type", "github.v3; format=json")]);
    let cache = match fresh {
        _ if !admitted.operation.is_githubs() => "no-cache",
        true if admitted.token.is_some() => "private, max-age=60, s-maxage=60",
        true => "public, max-age=60, s-maxage=60",
        false => "no-cache",
    };
    put(headers, &[("cache-control", cache)]);
    for (name, value) in admitted.headers() {
        put_text(headers, name, &value);
    }
}

/// Sets headers that the handler did not set itself.
fn put(headers: &mut HeaderMap, values: &[(&'static str, &'static str)]) {
    for (name, value) in values {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
}

fn put_text(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.entry(HeaderName::from_static(name)).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_five_groups_that_end_in_the_time() {
        let mut request = Extensions::new();
        request.insert(Connection { peer_port: 0xB646, number: 0x3E, body_is_late: Arc::default() });
        let (one, two) = (RequestId::next(&request, 0x69A9_546A), RequestId::next(&request, 0x69A9_546A));
        assert_ne!(one, two);
        let groups: Vec<String> = one.to_string().split(':').map(str::to_owned).collect();
        assert_eq!((groups.len(), groups[0].as_str(), groups[1].as_str(), groups[4].as_str()), (5, "B646", "3E", "69A9546A"));
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        for (tags, named) in
            [("W/\"ab\"", true), ("\"ab\"", true), ("\"cd\", W/\"ab\"", true), ("*", true), ("\"abc\"", false), ("", false)]
        {
            assert_eq!(is_named(&HeaderValue::from_static(tags), "ab"), named, "{tags}");
        }
    }
}
