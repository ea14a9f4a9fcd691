//! One event: the envelope of CloudEvents and the data of its type, checked field by field in the order of the format's description.
//!
//! Attributes that are not ours are ignored, as CloudEvents asks; a field that stands twice is refused, because it says two things.

use super::Rejection;
use super::field::{self, NAME_BYTES_MAX, PATH_BYTES_MAX, Raw};
use billing::usage::{Job, Tokens, job_minutes};
use billing::{AccountId, Name, UsageEvent, UtcTime, catalog};
use serde::Deserialize;

const SPECVERSION: &str = "1.0";
const USAGE_RECORDED: &str = "usage.recorded";
const CI_JOB_COMPLETED: &str = "ci.job.completed";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Raw<'a>,
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    source: Raw<'a>,
    #[serde(borrow)]
    time: Raw<'a>,
    #[serde(borrow)]
    subject: Raw<'a>,
    #[serde(borrow)]
    data: Raw<'a>,
    #[serde(borrow)]
    data_base64: Raw<'a>,
}

#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow)]
    sku: Raw<'a>,
    #[serde(borrow)]
    quantity: Raw<'a>,
    #[serde(borrow)]
    username: Raw<'a>,
    #[serde(borrow)]
    workflow_path: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    visibility: Raw<'a>,
    #[serde(borrow)]
    input_tokens: Raw<'a>,
    #[serde(borrow)]
    output_tokens: Raw<'a>,
    #[serde(borrow)]
    cache_read_tokens: Raw<'a>,
    #[serde(borrow)]
    cache_write_tokens: Raw<'a>,
}

#[derive(Deserialize)]
struct JobCompleted<'a> {
    #[serde(borrow)]
    runner_labels: Raw<'a>,
    #[serde(borrow)]
    runner_group: Raw<'a>,
    #[serde(borrow)]
    started_at: Raw<'a>,
    #[serde(borrow)]
    completed_at: Raw<'a>,
    #[serde(borrow)]
    conclusion: Raw<'a>,
    #[serde(borrow)]
    run_id: Raw<'a>,
    #[serde(borrow)]
    run_attempt: Raw<'a>,
    #[serde(borrow)]
    job_id: Raw<'a>,
    #[serde(borrow)]
    workflow_path: Raw<'a>,
    #[serde(borrow)]
    username: Raw<'a>,
    #[serde(borrow)]
    visibility: Raw<'a>,
}

/// What an event's envelope says.
struct Origin {
    source: Name,
    id: Name,
    time: UtcTime,
    owner: AccountId,
    repository: Option<Name>,
}

/// Reads one event. `id` is set as soon as it is known, for answers about refused events.
pub(super) fn decode(
    json: &str,
    id: &mut Option<Name>,
    owner_of: &mut impl FnMut(&str) -> Option<AccountId>,
) -> Result<UsageEvent, Rejection> {
    let envelope: Envelope<'_> = object(json, "event")?;
    let event_id = field::name(envelope.id, "id", NAME_BYTES_MAX);
    *id = event_id.as_ref().ok().cloned();
    let specversion = field::text(envelope.specversion, "specversion", NAME_BYTES_MAX)?;
    if specversion != SPECVERSION {
        return Err(Rejection::new("specversion", format!("is not `{SPECVERSION}`")));
    }
    let kind = field::text(envelope.kind, "type", NAME_BYTES_MAX)?;
    if kind != USAGE_RECORDED && kind != CI_JOB_COMPLETED {
        return Err(Rejection::new("type", format!("is none of `{USAGE_RECORDED}`, `{CI_JOB_COMPLETED}`")));
    }
    let event_id = event_id?;
    let source = field::name(envelope.source, "source", NAME_BYTES_MAX)?;
    let time = field::time(envelope.time, "time")?;
    let (owner, repository) = subject(envelope.subject, owner_of)?;
    if envelope.data_base64.is_some() {
        return Err(Rejection::new("data_base64", "is not read; send `data` as a JSON object"));
    }
    let data = envelope.data.ok_or_else(|| Rejection::new("data", "is missing"))?.get();
    let origin = Origin { source, id: event_id, time, owner, repository };
    if kind == USAGE_RECORDED { recorded(origin, &object(data, "data")?) } else { job_completed(origin, &object(data, "data")?) }
}

/// An object of JSON. The check of the first character keeps serde from reading a list as an object's values in order.
fn object<'a, T: Deserialize<'a>>(json: &'a str, field: &'static str) -> Result<T, Rejection> {
    if !json.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok() {
        return Err(Rejection::new(field, "is not a JSON object"));
    }
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or("");
        let place = if error.line() > 1 {
            format!("line {}, column {}", error.line(), error.column())
        } else {
            format!("column {}", error.column())
        };
        Rejection::new(field, format!("is not valid: {what}, at {place}"))
    })
}

/// `owner/repository` or `owner`.
fn subject(raw: Raw<'_>, owner_of: &mut impl FnMut(&str) -> Option<AccountId>) -> Result<(AccountId, Option<Name>), Rejection> {
    let text = field::text(raw, "subject", 2 * NAME_BYTES_MAX + 1)?;
    let (login, repository) = match text.split_once('/') {
        Some((login, repository)) => (login, Some(repository)),
        None => (&*text, None),
    };
    if login.is_empty() || repository.is_some_and(|name| name.is_empty() || name.contains('/')) {
        return Err(Rejection::new("subject", "is neither `owner/repository` nor `owner`"));
    }
    if login.len() > NAME_BYTES_MAX || repository.is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(Rejection::new("subject", format!("names an owner or a repository longer than {NAME_BYTES_MAX} bytes")));
    }
    let owner = owner_of(login).ok_or_else(|| Rejection::new("subject", "names no owner that this token may send usage of"))?;
    Ok((owner, repository.map(Name::from)))
}

fn recorded(origin: Origin, data: &Recorded<'_>) -> Result<UsageEvent, Rejection> {
    let sku = field::text(data.sku, "data.sku", catalog::SKU_LENGTH_MAX)?;
    if !catalog::is_sku(&sku) {
        return Err(Rejection::new("data.sku", "is no SKU: lower-case letters, digits and `_`, beginning with a letter"));
    }
    Ok(UsageEvent {
        used_at: origin.time,
        sku: Name::from(&*sku),
        quantity: field::quantity(data.quantity, "data.quantity")?,
        username: field::optional_name(data.username, "data.username", NAME_BYTES_MAX)?,
        workflow_path: field::optional_name(data.workflow_path, "data.workflow_path", PATH_BYTES_MAX)?,
        model: field::optional_name(data.model, "data.model", NAME_BYTES_MAX)?,
        visibility: field::visibility(data.visibility, "data.visibility")?,
        tokens: Tokens {
            input: field::tokens(data.input_tokens, "data.input_tokens")?,
            output: field::tokens(data.output_tokens, "data.output_tokens")?,
            cache_read: field::tokens(data.cache_read_tokens, "data.cache_read_tokens")?,
            cache_write: field::tokens(data.cache_write_tokens, "data.cache_write_tokens")?,
        },
        job: None,
        source: origin.source,
        id: origin.id,
        time: origin.time,
        owner: origin.owner,
        repository: origin.repository,
    })
}

/// A job's minutes, used when it was completed, whatever `time` says (rulings B13).
fn job_completed(origin: Origin, data: &JobCompleted<'_>) -> Result<UsageEvent, Rejection> {
    let job = Job {
        runner_labels: field::labels(data.runner_labels, "data.runner_labels")?,
        runner_group: field::optional_name(data.runner_group, "data.runner_group", NAME_BYTES_MAX)?,
        started_at: field::optional_time(data.started_at, "data.started_at")?,
        completed_at: field::time(data.completed_at, "data.completed_at")?,
        conclusion: field::optional_name(data.conclusion, "data.conclusion", NAME_BYTES_MAX)?,
        run_id: field::number(data.run_id, "data.run_id")?,
        run_attempt: field::number(data.run_attempt, "data.run_attempt")?,
        job_id: field::number(data.job_id, "data.job_id")?,
    };
    let minutes = job_minutes(job.started_at, job.completed_at, job.conclusion.as_deref());
    let sku = catalog::runner_sku(&job.runner_labels);
    if !catalog::is_sku(&sku) {
        return Err(Rejection::new("data.runner_labels", "names a runner size that is no part of a SKU"));
    }
    Ok(UsageEvent {
        used_at: job.completed_at,
        sku: Name::from(sku),
        quantity: minutes.map_err(|error| Rejection::new("data.completed_at", error.to_string()))?,
        username: field::optional_name(data.username, "data.username", NAME_BYTES_MAX)?,
        workflow_path: field::optional_name(data.workflow_path, "data.workflow_path", PATH_BYTES_MAX)?,
        model: None,
        visibility: field::visibility(data.visibility, "data.visibility")?,
        tokens: Tokens::default(),
        job: Some(job),
        source: origin.source,
        id: origin.id,
        time: origin.time,
        owner: origin.owner,
        repository: origin.repository,
    })
}
