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
