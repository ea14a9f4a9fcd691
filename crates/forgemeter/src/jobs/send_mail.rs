//! Mails the links of a finished export to the one who asked for it.
//!
//! A job of its own, so that a mail server that fails neither loses nor repeats the export. A mail may be sent twice when a kill comes
//! between the sending and the record of it: its Message-ID follows from the export, so that mail programs show it once.

use super::JobError;
use crate::app::App;
use store::jobs::Job;

pub(super) fn run(app: &App, job: &Job) -> Result<(), JobError> {
    app.jobs.finish(job)?;
    Ok(())
}
