//! A report from any server with GitHub's API: create an export, ask until it is done, download its files without the token.
//!
//! Servers differ in what they say beside the documented fields, so only those are read: an unknown status counts as still running.

use super::{Arguments, Failure, Written, WrittenFile};
use crate::cli::server_call::{self, CONNECT_TIME_MAX, USER_AGENT, pause};
use crate::report_csv::hex;
use billing::report::ReportType;
use indicatif::ProgressBar;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two questions.
const WAIT_MAX: Duration = Duration::from_secs(30);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
const DOWNLOAD_TIME_MAX: Duration = Duration::from_secs(3600);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Deserialize)]
struct Export {
    id: String,
    status: String,
    #[serde(default)]
    download_urls: Vec<String>,
}

struct Server {
    agent: Agent,
    reports: String,
    authorization: String,
}

pub(super) fn run(arguments: &Arguments, url: &str, bar: &ProgressBar) -> Result<Written, Failure> {
    if arguments.at.is_some() {
        return Err(Failure::Usage("`--at` needs `--data`: a server makes reports as of now".to_owned()));
    }
    let server = Server::new(url, arguments)?;
    let created = server.create(arguments)?;
    bar.set_message(format!("export {}", created.id));
    let export = server.wait_for(created, Duration::from_secs(arguments.wait))?;
    bar.set_message(format!("{} files", export.download_urls.len()));
    let files = match (&arguments.parts, &arguments.output) {
        (Some(folder), _) => server.download_each(&export, folder, arguments.report_type)?,
        (None, Some(file)) => {
            let out = File::create(file).map_err(failed(file))?;
            vec![server.download_all(&export, out, Some(file))?]
        }
        (None, None) => vec![server.download_all(&export, io::stdout().lock(), None)?],
    };
    Ok(Written { sequence: None, rows: None, files })
}

impl Server {
    fn new(url: &str, arguments: &Arguments) -> Result<Server, Failure> {
        let base = server_call::base_url(url)?;
        let slug = &arguments.enterprise;
        if slug.is_empty() || !slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(Failure::Usage(format!("`{slug}` is no slug of an enterprise")));
        }
        let token = arguments.token.as_deref().ok_or_else(|| Failure::Usage("a server needs a `--token`".to_owned()))?;
        let authorization = server_call::authorization(token)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_recv_response(Some(ANSWER_TIME_MAX))
            .timeout_recv_body(Some(DOWNLOAD_TIME_MAX));
        let reports = format!("{base}/enterprises/{slug}/settings/billing/reports");
        Ok(Server { agent: config.build().new_agent(), reports, authorization })
    }

    fn create(&self, arguments: &Arguments) -> Result<Export, Failure> {
        let mut body = serde_json::json!({"report_type": arguments.report_type.as_str(), "start_date": arguments.start.to_string()});
        if let Some(end) = arguments.end {
            body["end_date"] = end.to_string().into();
        }
        let request = self.agent.post(&self.reports).header("Authorization", &self.authorization);
        let request = request.header("Accept", "application/vnd.github+json").header("Content-Type", "application/json");
        let response = request.send(body.to_string()).map_err(|error| self.unreachable(&error))?;
        self.export(response)
    }

    /// Asks until the export has ended, for a bounded time. An answer that was lost is asked for again.
    fn wait_for(&self, created: Export, time: Duration) -> Result<Export, Failure> {
        let (mut export, mut waited, mut wait) = (created, Duration::ZERO, FIRST_WAIT);
        loop {
            match export.status.as_str() {
                "completed" => return Ok(export),
                "failed" => return Err(Failure::Failed(format!("the server could not make export {}", export.id))),
                _ if waited >= time => {
                    return Err(Failure::Failed(format!("export {} is not finished after {} s", export.id, waited.as_secs())));
                }
                _ => {}
            }
            pause(wait);
            waited += wait;
            wait = (wait * 2).min(WAIT_MAX);
            let request = self.agent.get(format!("{}/{}", self.reports, export.id)).header("Authorization", &self.authorization);
            match request.header("Accept", "application/vnd.github+json").call() {
                Ok(response) if response.status().is_server_error() => {}
                Ok(response) => export = self.export(response)?,
                Err(ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed) => {}
                Err(error) => return Err(self.unreachable(&error)),
            }
        }
    }

    fn export(&self, response: Response<Body>) -> Result<Export, Failure> {
        let status = response.status();
        let read = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = read.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            let export: Export = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::Failed(format!("`{}` answered no export: {error}", self.reports)))?;
            // It becomes part of an address.
            return match uuid::Uuid::try_parse(&export.id) {
                Ok(_) => Ok(export),
                Err(error) => Err(Failure::Failed(format!("`{}` answered an export without a UUID: {error}", self.reports))),
            };
        }
        let why = format!("`{}` answered {} {}", self.reports, status.as_u16(), server_call::message(&bytes)).trim_end().to_owned();
        Err(match status.as_u16() {
            401 | 403 => Failure::NotAuthorized(why),
            _ => Failure::Failed(why),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::Failed(format!("`{}` does not answer: {error}", self.reports))
    }

    /// A file of the export. The link is its own credential: the token stays here.
    fn open(&self, url: &str) -> Result<impl BufRead + use<>, Failure> {
        let response = self.agent.get(url).call().map_err(|error| Failure::Failed(format!("the download does not answer: {error}")))?;
        if response.status() != 200 {
            return Err(Failure::Failed(format!("the download was answered with {}", response.status().as_u16())));
        }
        Ok(BufReader::new(response.into_body().into_reader()))
    }

    fn download_each(&self, export: &Export, folder: &Path, report_type: ReportType) -> Result<Vec<WrittenFile>, Failure> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut files = Vec::new();
        for (number, url) in (1_u32..).zip(&export.download_urls) {
            let path = folder.join(format!("{report_type}_{}_{number}.csv", export.id));
            let mut out = Hashed::new(File::create(&path).map_err(failed(&path))?);
            io::copy(&mut self.open(url)?, &mut out).map_err(failed(&path))?;
            files.push(out.written(Some(&path)));
        }
        Ok(files)
    }

    /// All files as one: the header row of the first counts for all.
    fn download_all(&self, export: &Export, out: impl Write, path: Option<&Path>) -> Result<WrittenFile, Failure> {
        let shown = path.map_or_else(|| PathBuf::from("standard output"), Path::to_owned);
        let mut out = Hashed::new(out);
        for (index, url) in export.download_urls.iter().enumerate() {
            let mut file = self.open(url)?;
            if index > 0 {
                skip_line(&mut file).map_err(failed(&shown))?;
            }
            io::copy(&mut file, &mut out).map_err(failed(&shown))?;
        }
        out.flush().map_err(failed(&shown))?;
        Ok(out.written(path))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::Failed(format!("{path}: {error}"))
}

/// The longest header row that is skipped.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

fn skip_line(file: &mut impl BufRead) -> io::Result<()> {
    let mut line = Vec::new();
    file.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok(())
}

/// Counts and hashes what it passes on.
struct Hashed<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(out: W) -> Hashed<W> {
        Hashed { out, hash: Sha256::new(), bytes: 0 }
    }

    fn written(self, path: Option<&Path>) -> WrittenFile {
        WrittenFile { path: path.map(|path| path.display().to_string()), bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes = self.bytes.saturating_add(u64::try_from(count).map_err(io::Error::other)?);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
