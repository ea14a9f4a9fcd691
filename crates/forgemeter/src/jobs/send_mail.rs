//! Mails the links of a finished export to the one who asked for it.
//!
//! A job of its own, so that a mail server that fails neither loses nor repeats the export. A mail may be sent twice when a kill comes
//! between the sending and the record of it: its Message-ID follows from the export, so that mail programs show it once. What is
//! missing here (mail settings, an address) is not waited for.

use super::JobError;
use crate::api::downloads::{Linker, MAIL_LINK_SECONDS};
use crate::app::App;
use crate::config::{Mail, MailTls};
use billing::UtcTime;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};
use store::exports::{Export, ExportPart, ExportStatus};
use store::jobs::Job;

/// How long one step of the talk with the mail server may take.
const SMTP_TIME_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(app: &App, job: &Job) -> Result<(), JobError> {
    if let Some(export) = app.exports.find(&job.export)?
        && let ExportStatus::Completed { parts, .. } = &export.status
    {
        send(app, &export, parts)?;
    }
    if !app.jobs.finish(job)? {
        return Err(JobError::PutDown);
    }
    Ok(())
}

fn send(app: &App, export: &Export, parts: &[ExportPart]) -> Result<(), JobError> {
    let settings = app.config.mail.as_ref().ok_or_else(|| JobError::for_good("there are no mail settings"))?;
    let now = app.clock.now();
    let base_url = app.config.public_url.as_ref().unwrap_or(&export.base_url).trim_end_matches('/').to_owned();
    let linker = Linker::new(app, base_url, MAIL_LINK_SECONDS)?;
    let facts = app.facts.current()?;
    let actor = facts.accounts.get(export.actor);
    let address = actor
        .and_then(|actor| actor.email.as_deref())
        .ok_or_else(|| JobError::for_good("the account of the requester has no e-mail address"))?;
    let enterprise = facts.accounts.get(export.enterprise).map_or("", |enterprise| enterprise.login());
    let report =
        Report { enterprise, export, parts, links: linker.links(&export.id, parts), links_work_until: now.plus_seconds(MAIL_LINK_SECONDS) };
    let message = message(settings, address, now, &report).map_err(JobError::for_good)?;
    // An SMTP server that refuses may have been set up wrongly, which somebody mends: tried again, a bounded number of times.
    transport(settings).map_err(JobError::again)?.send(&message).map_err(JobError::again)?;
    tracing::info!(export.id = %export.id, "mailed");
    Ok(())
}

/// What a mail tells.
struct Report<'a> {
    enterprise: &'a str,
    export: &'a Export,
    parts: &'a [ExportPart],
    links: Vec<String>,
    links_work_until: UtcTime,
}

fn message(settings: &Mail, address: &str, now: UtcTime, report: &Report<'_>) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"));
    let (from, to) = (mailbox(&settings.from)?, mailbox(address)?);
    let message_id = format!("<{}@{}>", report.export.id, from.email.domain());
    let date = SystemTime::UNIX_EPOCH + Duration::from_micros(now.microseconds().unsigned_abs());
    let builder = Message::builder().from(from).to(to).date(date).message_id(Some(message_id));
    // Nobody sits behind the sender's address; without this, out-of-office programs answer it.
    let builder = builder.subject(subject(report)).header(ContentType::TEXT_PLAIN).raw_header(auto_submitted());
    builder.body(text(report)).map_err(|error| error.to_string())
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned())
}

fn subject(report: &Report<'_>) -> String {
    format!("Usage report of {}, {} to {}", report.enterprise, report.export.days.first, report.export.days.last)
}

fn text(report: &Report<'_>) -> String {
    let Report { enterprise, export, .. } = report;
    let rows: u64 = report.parts.iter().map(|part| part.rows).sum();
    let mut text = format!(
        "The {} usage report of {enterprise} from {} to {} is ready: {rows} rows.\n\n",
        export.report_type.as_str().replace('_', " "),
        export.days.first,
        export.days.last
    );
    for (link, part) in report.links.iter().zip(report.parts) {
        write!(text, "{link}\n{} bytes, SHA-256 {}\n\n", part.bytes, part.sha256).expect("writing to a string cannot fail");
    }
    let until = report.links_work_until.to_seconds_text();
    writeln!(text, "The links work until {until}, without a token: whoever has them can read the report.")
        .expect("writing to a string cannot fail");
    writeln!(text, "Export {}, as of sequence {}.", export.id, export.sequence).expect("writing to a string cannot fail");
    text
}

fn transport(settings: &Mail) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
    let parameters = || TlsParameters::new(settings.host.clone());
    let tls = match settings.tls {
        MailTls::None => Tls::None,
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder = SmtpTransport::builder_dangerous(&settings.host).port(settings.port).tls(tls).timeout(Some(SMTP_TIME_MAX));
    if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
        builder = builder.credentials(Credentials::new(username.clone(), password.clone()));
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing::report::{ReportDays, ReportType};
    use billing::{AccountId, Day, FactNumber};
    use store::Sequence;

    #[test]
    fn a_mail_says_what_is_ready_where_and_until_when() {
        let time = |text: &str| UtcTime::parse(text).unwrap();
        let day = |text: &str| Day::parse(text).unwrap();
        let parts = [ExportPart { file_name: "usageReport_1_ab.csv".to_owned(), rows: 12, bytes: 3456, sha256: "cd".repeat(32) }];
        let export = Export {
            id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".to_owned(),
            enterprise: AccountId(1),
            report_type: ReportType::PremiumRequest,
            days: ReportDays { first: day("2026-11-01"), last: day("2026-11-03") },
            actor: AccountId(2),
            send_email: true,
            base_url: "http://127.0.0.1:8080".to_owned(),
            created_at: time("2026-11-03T10:00:00Z"),
            sequence: Sequence { epoch: 1, number: 2734 },
            facts: FactNumber(4),
            price_version: 2,
            rows_per_part: 1,
            status: ExportStatus::Processing,
        };
        let settings = Mail {
            host: "localhost".to_owned(),
            port: 25,
            from: "Forgemeter <billing@example.com>".to_owned(),
            tls: MailTls::None,
            username: None,
            password: None,
        };
        let report = Report {
            enterprise: "acme",
            export: &export,
            parts: &parts,
            links: vec!["http://127.0.0.1:8080/downloads/x".to_owned()],
            links_work_until: time("2026-11-04T10:00:00Z"),
        };
        let message = message(&settings, "Mona <mona@example.org>", time("2026-11-03T10:00:00Z"), &report).unwrap();
        let formatted = String::from_utf8(message.formatted()).unwrap().replace("=\r\n", "").replace("\r\n", "\n");
        for line in [
            "From: Forgemeter <billing@example.com>",
            "To: Mona <mona@example.org>",
            "Date: Tue, 03 Nov 2026 10:00:00 +0000",
            "Message-ID: <a1b2c3d4-e5f6-7890-abcd-ef1234567890@example.com>",
            "Subject: Usage report of acme, 2026-11-01 to 2026-11-03",
            "The premium request usage report of acme from 2026-11-01 to 2026-11-03 is ready: 12 rows.",
            "http://127.0.0.1:8080/downloads/x",
            "The links work until 2026-11-04T10:00:00Z, without a token: whoever has them can read the report.",
            "Export a1b2c3d4-e5f6-7890-abcd-ef1234567890, as of sequence 1-2734.",
        ] {
            assert!(formatted.lines().any(|found| found == line), "{line}\n--\n{formatted}");
        }
    }
}
