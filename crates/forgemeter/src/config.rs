//! Settings: flags over environment (`FORGEMETER_…`) over one TOML file. The only place that reads the environment.
//!
//! Unknown keys are refused with file, line and the nearest known key.

/// The settings as the program uses them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// The address that mails and download links name, such as `https://billing.example.com`. Without it links go to the address
    /// that the request came to.
    pub(crate) public_url: Option<String>,
    /// Answer the retired summaries with 410, as GitHub does today.
    pub(crate) retired_gone: bool,
    pub(crate) mail: Option<Mail>,
    pub(crate) reports: Reports,
}

/// How report exports are written.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    /// The rows after which a report goes on in another file.
    pub(crate) rows_per_part: u64,
}

/// A file of a million rows is some 150 MB and still opens in a spreadsheet, whose limit is 1,048,576 rows.
pub(crate) const ROWS_PER_PART: u64 = 1_000_000;

impl Default for Reports {
    fn default() -> Reports {
        Reports { rows_per_part: ROWS_PER_PART }
    }
}

/// How mail is sent.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) from: String,
    pub(crate) tls: MailTls,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailTls {
    None,
    StartTls,
    Tls,
}
