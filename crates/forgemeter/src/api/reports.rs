//! Report exports: list, create, get. Creating one only queues it; [`crate::jobs::export_report`] makes it.
//!
//! Limits beyond GitHub's published ones are stated where they are checked. There is no 409: exports queue.

use super::auth::Caller;
use super::downloads::{API_LINK_SECONDS, BaseUrl, Linker};
use super::error::ApiError;
use super::wire::reports::{self as wire, CreateUsageReportExport, UsageReportExport, UsageReportExports};
use super::{blocking, json};
use crate::app::App;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use billing::report::ReportDays;
use billing::{AccountId, Day, Facts};
use std::sync::Arc;
use store::exports::{Created, Export, ExportStatus};
use uuid::Uuid;

/// How far back a report may begin, in months: as far as GitHub's exports and usage endpoints reach.
const MONTHS_BACK_MAX: u8 = 24;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(enterprise): Path<String>,
    BaseUrl(base): BaseUrl,
) -> Result<Response, ApiError> {
    let enterprise = caller.enterprise(&app, &enterprise)?;
    blocking(move || {
        let linker = Linker::new(&app, base, API_LINK_SECONDS)?;
        let exports = app.exports.list(enterprise)?;
        let shown = exports.iter().map(|export| shown(export, &caller.facts, &linker)).collect();
        json(StatusCode::OK, &UsageReportExports { usage_report_exports: shown })
    })
    .await
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(enterprise): Path<String>,
    BaseUrl(base): BaseUrl,
    body: Bytes,
) -> Result<Response, ApiError> {
    let enterprise = caller.enterprise(&app, &enterprise)?;
    let wanted = wire::read(&body)?;
    blocking(move || {
        let export = new_export(&app, &caller, enterprise, &wanted, base)?;
        if app.exports.create(&export)? == Created::QueueFull {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many report exports are waiting; try again when some are done",
            ));
        }
        app.nudge.nudge();
        let linker = Linker::new(&app, export.base_url.clone(), API_LINK_SECONDS)?;
        json(StatusCode::ACCEPTED, &shown(&export, &caller.facts, &linker))
    })
    .await
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((enterprise, id)): Path<(String, String)>,
    BaseUrl(base): BaseUrl,
) -> Result<Response, ApiError> {
    let enterprise = caller.enterprise(&app, &enterprise)?;
    // A UUID counts in either case; what is none names no export.
    let id = Uuid::try_parse(&id).map_err(|_| ApiError::not_found())?.hyphenated().to_string();
    blocking(move || {
        let export = app.exports.get(enterprise, &id)?.ok_or_else(ApiError::not_found)?;
        let linker = Linker::new(&app, base, API_LINK_SECONDS)?;
        json(StatusCode::OK, &shown(&export, &caller.facts, &linker))
    })
    .await
}

/// The export as asked for, at a mark of its own: from there the same report can be made again for ever.
fn new_export(
    app: &App,
    caller: &Caller,
    enterprise: AccountId,
    wanted: &CreateUsageReportExport,
    base_url: String,
) -> Result<Export, ApiError> {
    let days = days(wanted, app.clock.now().day())?;
    let snapshot = app.ledger.mark()?;
    Ok(Export {
        id: store::random::uuid(),
        enterprise,
        report_type: wanted.report_type,
        days,
        actor: caller.user,
        send_email: wanted.send_email,
        base_url,
        created_at: snapshot.time(),
        sequence: snapshot.sequence(),
        facts: snapshot.facts().number,
        price_version: snapshot.facts().price_book.in_force(days.last).number,
        rows_per_part: app.config.reports.rows_per_part,
        status: ExportStatus::Processing,
    })
}

/// The days of a report: up to today when no end or a later one was asked for.
fn days(wanted: &CreateUsageReportExport, today: Day) -> Result<ReportDays, ApiError> {
    let invalid = |line: String| Err(ApiError::invalid_request(StatusCode::BAD_REQUEST, &[line]));
    let days = ReportDays { first: wanted.start_date, last: wanted.end_date.unwrap_or(today).min(today) };
    let asked_last = wanted.end_date.unwrap_or(today);
    if days.first > today {
        return invalid(format!("\"start_date\" lies in the future; today is {today} in UTC."));
    }
    if asked_last < days.first {
        return invalid("\"end_date\" lies before \"start_date\".".to_owned());
    }
    if days.first < today.months_before(MONTHS_BACK_MAX) {
        return invalid(format!("\"start_date\" lies more than {MONTHS_BACK_MAX} months back."));
    }
    let (length, most) = (days.first.days_through(days.last), wanted.report_type.days_max());
    if length > most {
        return invalid(format!("A \"{}\" report covers at most {most} days, {length} were asked for.", wanted.report_type));
    }
    Ok(days)
}

fn shown(export: &Export, facts: &Facts, linker: &Linker) -> UsageReportExport {
    let (status, download_urls) = match &export.status {
        ExportStatus::Processing => ("processing", None),
        ExportStatus::Completed { parts, .. } => ("completed", Some(linker.links(&export.id, parts))),
        ExportStatus::Failed { .. } => ("failed", None),
    };
    UsageReportExport {
        id: export.id.clone(),
        report_type: export.report_type.as_str(),
        start_date: export.days.first.to_string(),
        end_date: export.days.last.to_string(),
        status,
        download_urls,
        created_at: export.created_at.to_seconds_text(),
        actor: facts.accounts.get(export.actor).map(|account| account.login().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing::report::ReportType;

    #[test]
    fn the_days_of_a_report_have_limits() {
        let today = Day::parse("2026-11-03").unwrap();
        let table = [
            ("detailed", "2026-10-04", None, "2026-10-04 to 2026-11-03"),
            ("detailed", "2026-10-03", None, "A \"detailed\" report covers at most 31 days, 32 were asked for."),
            ("detailed", "2026-01-01", Some("2026-01-31"), "2026-01-01 to 2026-01-31"),
            ("ai_credit", "2026-01-01", Some("2026-02-01"), "A \"ai_credit\" report covers at most 31 days, 32 were asked for."),
            ("summarized", "2025-11-03", None, "2025-11-03 to 2026-11-03"),
            ("summarized", "2025-11-02", None, "A \"summarized\" report covers at most 366 days, 367 were asked for."),
            ("premium_request", "2026-11-03", Some("2099-12-31"), "2026-11-03 to 2026-11-03"),
            ("detailed", "2026-11-04", None, "\"start_date\" lies in the future; today is 2026-11-03 in UTC."),
            ("detailed", "2026-11-02", Some("2026-11-01"), "\"end_date\" lies before \"start_date\"."),
            ("detailed", "2024-11-03", Some("2024-11-30"), "2024-11-03 to 2024-11-30"),
            ("detailed", "2024-11-02", Some("2024-11-30"), "\"start_date\" lies more than 24 months back."),
        ];
        for (report_type, start, end, expected) in table {
            let wanted = CreateUsageReportExport {
                report_type: ReportType::parse(report_type).unwrap(),
                start_date: Day::parse(start).unwrap(),
                end_date: end.map(|end| Day::parse(end).unwrap()),
                send_email: false,
            };
            let answer = match days(&wanted, today) {
                Ok(days) => format!("{} to {}", days.first, days.last),
                Err(error) => error.message.replace("Invalid request.\n\n", ""),
            };
            assert_eq!(answer, expected, "{report_type} {start} {end:?}");
        }
    }
}
