//! Settings: flags over environment (`FORGEMETER_…`) over one TOML file. The only place that reads the environment.
//!
//! A setting is written once, as text with its origin ([`Written`]), and used in another form, complete and typed ([`Settings`]).
//! Unknown keys of the file are refused with file, line and the nearest known key. A setting never holds a component.

use crate::cli::Failure;
use crate::toml_file::{self, Reading};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use store::ledger::LedgerLimits;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every setting: its key in the file, with the table before the dot. The variable of `mail.host` is `FORGEMETER_MAIL_HOST`.
const KEYS: [&str; 17] = [
    "data",
    "listen",
    "public_url",
    "retired_endpoints",
    "log",
    "ledger.seal_events",
    "ledger.seal_seconds",
    "ledger.tail_events_max",
    "ledger.merge_segments",
    "reports.rows_per_part",
    "mail.host",
    "mail.port",
    "mail.from",
    "mail.tls",
    "mail.username",
    "mail.password",
    "mail.password_file",
];

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

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
#[derive(Clone)]
pub(crate) struct Mail {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) from: String,
    pub(crate) tls: MailTls,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

/// Without the password: settings end up in logs.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mail { host, port, from, tls, username, password: _ } = self;
        write!(f, "Mail {{ host: {host:?}, port: {port}, from: {from:?}, tls: {tls:?}, username: {username:?} }}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailTls {
    None,
    StartTls,
    Tls,
}

/// All that a server needs to start.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: String,
    /// What is logged, in the form of `tracing`: `info`, `forgemeter=debug`.
    pub(crate) log: String,
    pub(crate) limits: LedgerLimits,
    pub(crate) config: Config,
}

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag,
    Variable(String),
    File { path: String, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("on the command line"),
            Origin::Variable(name) => write!(f, "in the environment (`{name}`)"),
            Origin::File { path, line } => write!(f, "in {path}:{line}"),
        }
    }
}

/// The settings as they were written, the strongest origin of each.
#[derive(Default)]
struct Written {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Settings {
    /// Reads the settings of a server: those given on the command line, the environment, and the file, if there is one.
    pub(crate) fn load(flags: Vec<(&'static str, Option<String>)>, file: Option<&Path>) -> Result<Settings, Failure> {
        let mut written = Written::default();
        for (key, value) in flags {
            written.put(key, value, Origin::Flag);
        }
        for key in KEYS {
            let name = variable_of(key);
            written.put(key, variable(&name)?, Origin::Variable(name));
        }
        if let Some(path) = file {
            written.read_file(path)?;
        }
        written.settings()
    }
}

fn variable_of(key: &str) -> String {
    format!("FORGEMETER_{}", key.replace('.', "_").to_uppercase())
}

/// Plants the fault that the environment names, in a build that can have one.
#[cfg(feature = "planted")]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn plant() {
    if let Ok(name) = std::env::var("FORGEMETER_PLANTED") {
        store::planted::plant(name);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::Usage(format!("`{name}` in the environment is no text"))),
    }
}

impl Written {
    /// Origins come from the strongest to the weakest: what is written already stays.
    fn put(&mut self, key: &'static str, value: Option<String>, origin: Origin) {
        if let Some(value) = value {
            self.values.entry(key).or_insert((value, origin));
        }
    }

    fn read_file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("cannot read the settings in `{name}`: {error}")))?;
        let read = toml_file::read(&text, in_document)
            .map_err(|mistakes| Failure::Usage(mistakes.of_file(&name, "the server was not started").to_string()))?;
        for (key, value, line) in read {
            self.put(key, Some(value), Origin::File { path: name.clone(), line });
        }
        Ok(())
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let data = self.text("data").ok_or_else(|| Failure::Usage("which data folder? Say `--data DIR`".to_owned()))?;
        let defaults = LedgerLimits::default();
        let limits = LedgerLimits {
            seal_events: self.number("ledger.seal_events")?.unwrap_or(defaults.seal_events),
            seal_seconds: self.number("ledger.seal_seconds")?.unwrap_or(defaults.seal_seconds),
            tail_events_max: self.number("ledger.tail_events_max")?.unwrap_or(defaults.tail_events_max),
            merge_segments: self.number("ledger.merge_segments")?.unwrap_or(defaults.merge_segments),
        };
        let config = Config {
            public_url: self.parsed("public_url", "an address such as https://billing.example.com", public_url)?,
            retired_gone: self.parsed("retired_endpoints", "200 or 410", retired_gone)?.unwrap_or(false),
            mail: self.mail()?,
            reports: Reports { rows_per_part: self.number("reports.rows_per_part")?.unwrap_or(ROWS_PER_PART) },
        };
        Ok(Settings {
            data: data.into(),
            listen: self.text("listen").unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
            log: self.text("log").unwrap_or_else(|| "info".to_owned()),
            limits,
            config,
        })
    }

    /// Without a host there is no mail; with one, whatever a mail cannot do without.
    fn mail(&self) -> Result<Option<Mail>, Failure> {
        let Some(host) = self.text("mail.host") else {
            let orphan = self.values.iter().find(|(key, _)| key.starts_with("mail."));
            return orphan.map_or(Ok(None), |(key, (_, origin))| Err(Failure::Usage(format!("`{key}` {origin} needs a `mail.host`"))));
        };
        let from = self.text("mail.from").ok_or_else(|| Failure::Usage("`mail.host` needs a `mail.from`".to_owned()))?;
        let tls = self.parsed("mail.tls", "none, starttls or tls", mail_tls)?.unwrap_or(MailTls::StartTls);
        let port = self.number("mail.port")?.unwrap_or(match tls {
            MailTls::None => 25,
            MailTls::StartTls => 587,
            MailTls::Tls => 465,
        });
        Ok(Some(Mail { host, port, from, tls, username: self.text("mail.username"), password: self.password()? }))
    }

    fn password(&self) -> Result<Option<String>, Failure> {
        let Some((path, origin)) = self.values.get("mail.password_file") else { return Ok(self.text("mail.password")) };
        if self.values.contains_key("mail.password") {
            return Err(Failure::Usage("`mail.password` and `mail.password_file` are both set; one is enough".to_owned()));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("`mail.password_file` {origin}: cannot read `{path}`: {error}")))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.values.get(key).map(|(text, _)| text.clone())
    }

    fn number<T: std::str::FromStr + PartialOrd + From<u8>>(&self, key: &str) -> Result<Option<T>, Failure> {
        let positive = |text: &str| text.parse().map_or(None, |number| Some(number).filter(|number| *number >= T::from(1)));
        self.parsed(key, "a whole number from 1 on", positive)
    }

    fn parsed<T>(&self, key: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Failure> {
        let Some((text, origin)) = self.values.get(key) else { return Ok(None) };
        let value = parse(text).ok_or_else(|| Failure::Usage(format!("`{key}` {origin} is `{text}`; it must be {wanted}")))?;
        Ok(Some(value))
    }
}

fn public_url(text: &str) -> Option<String> {
    let Ok(url) = text.parse::<axum::http::Uri>() else { return None };
    let known = url.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
    (known && url.authority().is_some() && url.query().is_none()).then(|| text.trim_end_matches('/').to_owned())
}

fn retired_gone(text: &str) -> Option<bool> {
    match text {
        "200" => Some(false),
        "410" => Some(true),
        _ => None,
    }
}

fn mail_tls(text: &str) -> Option<MailTls> {
    match text {
        "none" => Some(MailTls::None),
        "starttls" => Some(MailTls::StartTls),
        "tls" => Some(MailTls::Tls),
        _ => None,
    }
}

/// The values of a file, each with its line.
fn in_document(reading: &mut Reading, document: &DeTable<'_>) -> Vec<(&'static str, String, usize)> {
    let mut values = Vec::new();
    let tables: Vec<&str> = KEYS.iter().filter_map(|key| key.split_once('.').map(|(table, _)| table)).collect();
    let plain: Vec<&str> = KEYS.into_iter().filter(|key| !key.contains('.')).collect();
    let known: Vec<&str> = plain.iter().chain(&tables).copied().collect();
    reading.check_keys("the settings", document, &known);
    in_table(reading, document, "", &mut values);
    for (name, value) in document.iter().filter(|(name, _)| tables.contains(&name.get_ref().as_ref())) {
        let Some(table) = value.get_ref().as_table() else {
            reading.refuse(&value.span(), format!("`{}` is a table: write [{}] above its keys", name.get_ref(), name.get_ref()));
            continue;
        };
        let prefix = format!("{}.", name.get_ref());
        let known: Vec<&str> = KEYS.iter().filter_map(|key| key.strip_prefix(prefix.as_str())).collect();
        reading.check_keys(&format!("[{}]", name.get_ref()), table, &known);
        in_table(reading, table, &prefix, &mut values);
    }
    values
}

fn in_table(reading: &mut Reading, table: &DeTable<'_>, prefix: &str, values: &mut Vec<(&'static str, String, usize)>) {
    for key in KEYS {
        let Some(name) = key.strip_prefix(prefix).filter(|name| !name.contains('.')) else { continue };
        let Some(value) = table.get(name) else { continue };
        match plain_text(value) {
            Some(text) => values.push((key, text, reading.line(&value.span()))),
            None => reading.refuse(&value.span(), format!("`{name}` must be a string or a whole number")),
        }
    }
}

fn plain_text(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        _ => None,
    }
}

/// Where the system lets programs put what goes when they end.
pub(crate) fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&'static str, &str)], file: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.toml");
        std::fs::write(&path, file).unwrap();
        let mut written = Written::default();
        for (key, value) in flags {
            written.put(key, Some((*value).to_owned()), Origin::Flag);
        }
        let name = path.display().to_string();
        let loaded = written.read_file(&path).and_then(|()| written.settings());
        loaded.map_err(|failure| match failure {
            Failure::Usage(text) => text.replace(&name, "f.toml"),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_flag_is_stronger_than_the_file_and_both_than_the_default() {
        let file = "
            data = \"/srv/billing\"
            listen = \"0.0.0.0:80\"
            retired_endpoints = 410
            public_url = \"https://billing.example.com/\"
            [ledger]
            seal_events = 10_000
            [reports]
            rows_per_part = 7
            [mail]
            host = \"mail.example.com\"
            from = \"Billing <billing@example.com>\"
            tls = \"tls\"";
        let settings = load(&[("listen", "127.0.0.1:0")], file).unwrap();
        assert_eq!((settings.data, settings.listen.as_str(), settings.log.as_str()), ("/srv/billing".into(), "127.0.0.1:0", "info"));
        assert_eq!((settings.limits.seal_events, settings.limits.merge_segments), (10_000, LedgerLimits::default().merge_segments));
        assert_eq!((settings.config.retired_gone, settings.config.reports.rows_per_part), (true, 7));
        assert_eq!(settings.config.public_url.as_deref(), Some("https://billing.example.com"));
        let mail = settings.config.mail.unwrap();
        assert_eq!((mail.port, mail.tls, mail.username), (465, MailTls::Tls, None));
    }

    /// Flags, the file, what is told.
    type Case<'a> = (&'a [(&'static str, &'a str)], &'a str, &'a str);

    #[test]
    fn mistakes_name_key_place_and_remedy() {
        let table: [Case<'_>; 10] = [
            (&[], "", "which data folder? Say `--data DIR`"),
            (
                &[],
                "data = 'x'\nlisen = 'y'\n",
                "one mistake in `f.toml`; the server was not started\nf.toml:2: unknown key `lisen` in the settings; the nearest known is `listen`",
            ),
            (
                &[],
                "data = 'x'\n[mail]\nhosts = 'y'\n",
                "one mistake in `f.toml`; the server was not started\nf.toml:3: unknown key `hosts` in [mail]; the nearest known is `host`",
            ),
            (
                &[],
                "mail = 'x'\n",
                "one mistake in `f.toml`; the server was not started\nf.toml:1: `mail` is a table: write [mail] above its keys",
            ),
            (
                &[],
                "data = true\n",
                "one mistake in `f.toml`; the server was not started\nf.toml:1: `data` must be a string or a whole number",
            ),
            (&[], "data = 'x'\nretired_endpoints = 404\n", "`retired_endpoints` in f.toml:2 is `404`; it must be 200 or 410"),
            (
                &[("data", "x"), ("ledger.seal_events", "0")],
                "",
                "`ledger.seal_events` on the command line is `0`; it must be a whole number from 1 on",
            ),
            (&[("data", "x")], "[mail]\nport = 25\n", "`mail.port` in f.toml:2 needs a `mail.host`"),
            (&[("data", "x")], "[mail]\nhost = 'm'\n", "`mail.host` needs a `mail.from`"),
            (
                &[("data", "x")],
                "public_url = 'billing.example.com'",
                "`public_url` in f.toml:1 is `billing.example.com`; it must be an address such as https://billing.example.com",
            ),
        ];
        for (flags, file, mistake) in table {
            assert_eq!(load(flags, file).map(|_| ()), Err(mistake.to_owned()));
        }
    }

    #[test]
    fn a_password_comes_from_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "s3cret\n").unwrap();
        let mail = "data = 'x'\n[mail]\nhost = 'm'\nfrom = 'f'\n";
        let with_file = format!("{mail}password_file = '{}'\n", secret.display());
        let settings = load(&[], &with_file).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert_eq!(settings.config.mail.unwrap().password.as_deref(), Some("s3cret"));
        assert!(load(&[], &format!("{with_file}password = 'x'\n")).unwrap_err().contains("one is enough"));
        assert!(load(&[], &format!("{mail}password_file = '/no/such'\n")).unwrap_err().contains("cannot read `/no/such`"));
    }

    #[test]
    fn each_key_has_its_variable() {
        assert_eq!(variable_of("mail.password_file"), "FORGEMETER_MAIL_PASSWORD_FILE");
        assert_eq!(variable_of("public_url"), "FORGEMETER_PUBLIC_URL");
    }
}
