//! `/v1/usage` takes usage in, `/v1/unrated` lists what waits for a price.
//!
//! A body is read, inflated and decoded whole before any of it goes to the ledger, and is answered when the commit that holds it is
//! durable. One refused event leaves the others standing; a body that breaks off or passes a bound stores nothing.

mod answer;
mod body;

use super::auth::Caller;
use super::error::ApiError;
use super::{blocking, json};
use crate::app::App;
use crate::sources::cloud_events::{self, BodyError, Entry, Form};
use answer::{Answer, Listed, Sent, UnratedAnswer};
use axum::extract::{Extension, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use billing::{AccountId, AccountKind, UsageEvent};
use body::Share;
pub(crate) use body::{BODIES_BYTES_MAX, BodyBudget};
use std::collections::HashMap;
use std::sync::Arc;
use store::StoreError;
use store::ledger::Committed;
use tokio::sync::oneshot;

/// Events in an answer of `/v1/unrated`, unless `per_page` says otherwise.
const UNRATED_DEFAULT: usize = 100;
/// The greatest `per_page` of `/v1/unrated`; a greater one counts as this.
const UNRATED_MAX: usize = 1000;

/// `POST /v1/usage`.
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let listed = if parameter(query.as_deref(), "verdicts") == Some("all") { Listed::All } else { Listed::NotAccepted };
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers);
    let mut share = app.bodies.share();
    let (bytes, encoding) = body::read(&parts.headers, body, &mut share).await?;
    let (answer, committed) = oneshot::channel();
    let hand_over = move || {
        let bytes = body::inflate(bytes, encoding, &mut share)?;
        let entries = decode(&app, &caller, &bytes, form)?;
        drop(bytes);
        commit(&app, entries, share, answer)
    };
    let sent = blocking(hand_over).await?;
    let committed = committed.await.map_err(|_| ApiError::internal("the ledger stopped before it answered"))??;
    json(StatusCode::OK, &Answer::new(&sent, &committed, listed))
}

fn form(headers: &HeaderMap) -> Form {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.map_or(Form::Unknown, Form::of_content_type)
}

fn decode(app: &App, caller: &Caller, bytes: &[u8], form: Form) -> Result<Vec<Entry>, ApiError> {
    // A body names few owners many times, and each answer takes a look at roles.
    let mut owners: HashMap<String, Option<AccountId>> = HashMap::new();
    let owner_of = |login: &str| {
        if let Some(known) = owners.get(login) {
            return *known;
        }
        let account = caller.facts.accounts.owner(login).map(|account| account.id);
        let owner = account.filter(|owner| caller.may_send_usage_of(app, *owner));
        owners.insert(login.to_owned(), owner);
        owner
    };
    cloud_events::decode(bytes, form, owner_of).map_err(|error| {
        let status = match error {
            BodyError::TooManyEvents => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::NotJson(_) => StatusCode::BAD_REQUEST,
        };
        ApiError::new(status, error.to_string())
    })
}

/// Hands the events that stand to the ledger. Their share of the budget goes back with its answer, which comes even when nobody waits
/// for it any more.
fn commit(
    app: &App,
    entries: Vec<Entry>,
    share: Share,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
) -> Result<Vec<Sent>, ApiError> {
    let mut events: Vec<UsageEvent> = Vec::with_capacity(entries.len());
    let mut sent = Vec::with_capacity(entries.len());
    for entry in entries {
        let (rejection, time_field) = match entry.event {
            Ok(event) => {
                let time_field = if event.used_at > event.time { "data.completed_at" } else { "time" };
                events.push(event);
                (None, time_field)
            }
            Err(rejection) => (Some(rejection), "time"),
        };
        sent.push(Sent { line: entry.line, id: entry.id, rejection, time_field });
    }
    app.ledger.submit(
        events,
        Box::new(move |committed| {
            drop(share);
            // Nobody listens when the sender has hung up; the usage is stored all the same, and a retry is told so.
            drop(answer.send(committed));
        }),
    )?;
    Ok(sent)
}

/// `GET /v1/unrated`.
pub(crate) async fn unrated(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let wanted = parameter(query.as_deref(), "per_page").and_then(|text| text.parse().ok()).filter(|count| *count > 0);
    let limit = wanted.unwrap_or(UNRATED_DEFAULT).min(UNRATED_MAX);
    let read = move || {
        let snapshot = app.ledger.snapshot()?;
        let owners: Vec<AccountId> = visible_owners(&app, &caller);
        let usage = snapshot.unrated(&owners, limit)?;
        json(StatusCode::OK, &UnratedAnswer::new(&usage, snapshot.facts(), snapshot.sequence().epoch))
    };
    blocking(read).await
}

/// The organizations and users whose billing the caller may see, or whose usage the caller may send.
fn visible_owners(app: &App, caller: &Caller) -> Vec<AccountId> {
    let owners = caller.facts.accounts.iter().filter(|account| account.kind != AccountKind::Enterprise);
    owners.map(|account| account.id).filter(|owner| caller.may_see_unrated_usage_of(app, *owner)).collect()
}

/// The first value of a query parameter. The values that are read here need no decoding.
fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
