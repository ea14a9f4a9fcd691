//! Files of finished exports, behind signed links that expire. The signature is the only credential: a link works without a token,
//! and a request that brings one is refused, as it is by the object storage behind GitHub's links.
//!
//! A signature covers export, part, file name and expiry under the folder's key, so a link cannot be bent to another file or a later
//! time. Start at [`Linker`] and [`download`].

use super::error::ApiError;
use crate::app::App;
use crate::config::Config;
use crate::jobs::export_report;
use crate::report_csv::hex;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use billing::UtcTime;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::path::PathBuf;
use std::sync::Arc;
use store::StoreError;
use store::exports::{ExportPart, ExportStatus};
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// How long a link in an answer of the API works.
pub(crate) const API_LINK_SECONDS: i64 = 3600;

/// How long a link in a mail works.
pub(crate) const MAIL_LINK_SECONDS: i64 = 24 * 3600;

/// Makes links.
pub(crate) struct Linker {
    key: [u8; 32],
    base_url: String,
    expires: i64,
}

impl Linker {
    /// Links that lead to a base address and work for so many seconds from now.
    pub(crate) fn new(app: &App, base_url: String, seconds: i64) -> Result<Linker, StoreError> {
        Ok(Linker { key: app.database.signing_key()?, base_url, expires: unix_seconds(app.clock.now().plus_seconds(seconds)) })
    }

    /// The links to all parts of an export.
    pub(crate) fn links(&self, export: &str, parts: &[ExportPart]) -> Vec<String> {
        (1_u64..).zip(parts).map(|(number, part)| self.link(&format!("{export}/{number}/{}", part.file_name))).collect()
    }

    fn link(&self, path: &str) -> String {
        let signature = hex(&mac(&self.key, path, self.expires).finalize().into_bytes());
        format!("{}/downloads/{path}?expires={}&signature={signature}", self.base_url, self.expires)
    }
}

fn unix_seconds(time: UtcTime) -> i64 {
    time.microseconds().div_euclid(1_000_000)
}

fn mac(key: &[u8; 32], path: &str, expires: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("download\n{path}\n{expires}").as_bytes());
    mac
}

/// Where links lead: the configured public address, else the address that the caller used.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<BaseUrl, ApiError> {
        base_url(&app.config, &parts.uri, &parts.headers).map(BaseUrl)
    }
}

fn base_url(config: &Config, uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
    if let Some(url) = &config.public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    // HTTP/2 has no Host header; its authority is part of the request's address.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority: Option<Authority> = host.or(uri.authority().map(Authority::as_str)).and_then(|host| host.parse().ok());
    match authority {
        Some(authority) if !authority.as_str().contains('@') => Ok(format!("http://{authority}")),
        _ => Err(ApiError::new(StatusCode::BAD_REQUEST, "the `Host` header is missing or malformed")),
    }
}

/// What a link carries.
#[derive(Debug, Deserialize)]
pub(crate) struct Signed {
    expires: String,
    signature: String,
}

pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Path((export, part, file)): Path<(String, String, String)>,
    signed: Result<Query<Signed>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "a download link is its own credential; send it without an `Authorization` header",
        ));
    }
    let Query(signed) = signed.map_err(|_| forbidden())?;
    let path = format!("{export}/{part}/{file}");
    check(&app.database.signing_key()?, &path, &signed, app.clock.now())?;
    let file_path = finished_file(&app, &export, &part, &file)?.ok_or_else(ApiError::not_found)?;
    // Ranges and HEAD are answered by the library; its error type has no value.
    let served = ServeFile::new(file_path).oneshot(request).await.map_err(ApiError::internal)?;
    if served.status() == StatusCode::NOT_FOUND {
        return Err(ApiError::not_found());
    }
    Ok(with_headers(served.map(Body::new).into_response(), &file))
}

fn check(key: &[u8; 32], path: &str, signed: &Signed, now: UtcTime) -> Result<(), ApiError> {
    let expires: i64 = signed.expires.parse().map_err(|_| forbidden())?;
    let signature = unhex(&signed.signature).ok_or_else(forbidden)?;
    // `verify_slice` takes as long for a wrong signature as for a right one.
    mac(key, path, expires).verify_slice(&signature).map_err(|_| forbidden())?;
    // A number is written in one way only, so that no second text has the same signature.
    if expires.to_string() != signed.expires || unix_seconds(now) >= expires {
        return Err(forbidden());
    }
    Ok(())
}

/// One text for every reason, so that nobody learns which part of a forged link was right.
fn forbidden() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "this download link is not valid or has expired; get the report again for a new one")
}

/// Where a part lies, by the record of its export alone: no text of the caller becomes a path.
fn finished_file(app: &App, export: &str, part: &str, file: &str) -> Result<Option<PathBuf>, StoreError> {
    let Some(export) = app.exports.find(export)? else { return Ok(None) };
    let ExportStatus::Completed { parts, .. } = &export.status else { return Ok(None) };
    let index = part.parse::<usize>().map_or(None, |number| number.checked_sub(1));
    let known = index.and_then(|index| parts.get(index)).filter(|known| known.file_name == file);
    Ok(known.map(|known| export_report::folder(app.database.folder(), &export.id).join(&known.file_name)))
}

fn with_headers(mut response: Response, file_name: &str) -> Response {
    let headers = response.headers_mut();
    // A refused range has no content and so no type.
    if headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    }
    let disposition =
        HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")).expect("file names are letters, digits, `_` and `.`");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).map_or(None, |pair| u8::from_str_radix(pair, 16).ok()));
    pairs.collect()
}

#[cfg(test)]
mod tests;
