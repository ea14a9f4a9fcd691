//! Sends one batch to a server and reads its answer; sends it again while the server cannot be reached or cannot take it.
//!
//! Sending again is safe because the ledger counts each event once. What the answers add up to is left to [`super`].

use super::Failure;
use crate::cli::server_call::{self, CONNECT_TIME_MAX, USER_AGENT, pause};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How often one batch is sent before the command gives up.
const ATTEMPTS_MAX: u32 = 6;
/// The wait after the first attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait, also when the server asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long sending a batch and waiting for its commit may take.
const CALL_TIME_MAX: Duration = Duration::from_secs(120);
/// The longest answer that is read: every event of a batch with its reason.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The server's answer to a batch.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) conflict: u64,
    pub(super) rejected: u64,
    pub(super) sequence: String,
    pub(super) events: Vec<Refused>,
}

/// An event that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.verdict)?;
        if let Some(field) = &self.field {
            write!(f, ": `{field}`")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " {reason}")?;
        }
        Ok(())
    }
}

/// A server and the right to send to it.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    authorization: String,
}

/// Why an attempt brought no answer.
enum Missed {
    /// Worth another attempt, after the wait that the server asked for.
    ForNow {
        why: String,
        wait: Option<Duration>,
    },
    ForGood(Failure),
}

impl Client {
    pub(super) fn new(url: &str, token: &str) -> Result<Client, Failure> {
        let base = server_call::base_url(url)?;
        let authorization = server_call::authorization(token)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(Some(CALL_TIME_MAX));
        Ok(Client { agent: config.build().new_agent(), url: format!("{base}/v1/usage"), authorization })
    }

    /// Sends a batch until it is answered, a bounded number of times; `tell` hears of each wait.
    pub(super) fn send(&self, batch: &[u8], tell: impl Fn(&str)) -> Result<Answer, Failure> {
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS_MAX {
            let (why, asked) = match self.attempt(batch) {
                Ok(answer) => return Ok(answer),
                Err(Missed::ForGood(failure)) => return Err(failure),
                Err(Missed::ForNow { why, wait }) => (why, wait),
            };
            if attempt == ATTEMPTS_MAX {
                return Err(Failure::Failed(format!("{why}; gave up after {ATTEMPTS_MAX} attempts")));
            }
            let now = asked.unwrap_or(wait).min(WAIT_MAX);
            tell(&format!("{why}; again in {} ms", now.as_millis()));
            pause(now);
            wait = (wait * 2).min(WAIT_MAX);
        }
        unreachable!("the last attempt returns")
    }

    fn attempt(&self, batch: &[u8]) -> Result<Answer, Missed> {
        let request =
            self.agent.post(&self.url).header("Authorization", &self.authorization).header("Content-Type", "application/x-ndjson");
        let response = request.send(batch).map_err(|error| self.no_answer(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            let bytes = read(response).map_err(|error| self.no_answer(&error))?;
            let text = "the answer is not one of a usage server";
            return serde_json::from_slice(&bytes)
                .map_err(|error| Missed::ForGood(Failure::Failed(format!("`{}`: {text}: {error}", self.url))));
        }
        let wait = retry_after(&response);
        let message = read(response).map_or_else(|_| String::new(), |bytes| server_call::message(&bytes));
        let why = format!("`{}` answered {status} {message}", self.url).trim_end().to_owned();
        Err(match status {
            // Who may not send is told that nothing is there.
            401 | 403 | 404 => Missed::ForGood(Failure::NotAuthorized(format!("{why}; the token needs the scope `usage:write`"))),
            429 | 500..=599 => Missed::ForNow { why, wait },
            _ => Missed::ForGood(Failure::Failed(why)),
        })
    }

    /// A connection may come back; an address or a certificate that is wrong stays wrong.
    fn no_answer(&self, error: &ureq::Error) -> Missed {
        let why = format!("`{}` does not answer: {error}", self.url);
        match error {
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
                Missed::ForNow { why, wait: None }
            }
            _ => Missed::ForGood(Failure::Failed(why)),
        }
    }
}

fn read(response: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec()
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_server_and_a_token_are_checked_before_anything_is_sent() {
        for (url, token) in [("127.0.0.1:8080", "fmt_x"), ("http://x", "")] {
            assert!(matches!(Client::new(url, token), Err(Failure::Usage(_))), "{url} {token}");
        }
        assert_eq!(Client::new("http://x:1/", "fmt_x").unwrap().url, "http://x:1/v1/usage");
    }

    /// A server that answers each connection in turn, with nothing at all where an answer is empty; then the bodies that it got.
    fn server(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move |answer: &&str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 10_000];
            let mut length = 0;
            let mut invited = false;
            while !request[..length].ends_with(b"the batch\n") {
                length += stream.read(&mut request[length..]).unwrap();
                if !invited && request[..length].ends_with(b"\r\n\r\n") {
                    if answer.contains(" 401 ") {
                        break;
                    }
                    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
                    invited = true;
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        };
        (url, std::thread::spawn(move || answers.iter().map(serve).collect()))
    }

    const TAKEN: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 84\r\n\r\n\
        {\"accepted\":0,\"duplicate\":1,\"conflict\":0,\"rejected\":0,\"sequence\":\"1-7\",\"events\":[]} ";

    #[test]
    fn the_same_batch_is_sent_again_until_it_is_answered() {
        const BUSY: &str = "HTTP/1.1 503 Busy\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
        let (url, requests) = server(&["", BUSY, TAKEN]);
        let told = std::cell::RefCell::new(Vec::new());
        let answer = Client::new(&url, "fmt_x").unwrap().send(b"the batch\n", |text| told.borrow_mut().push(text.to_owned())).unwrap();
        assert_eq!((answer.duplicate, answer.sequence.as_str()), (1, "1-7"));
        let requests = requests.join().unwrap();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.starts_with("POST /v1/usage ") && request.contains("Bearer fmt_x")));
        let told = told.into_inner();
        assert!(told[0].ends_with("again in 500 ms") && told[1].ends_with("answered 503; again in 0 ms"), "{told:?}");
    }

    #[test]
    fn what_no_repetition_mends_is_not_repeated() {
        const REFUSES: &[&str] = &["HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: 29\r\n\r\n{\"message\":\"Bad credentials\"}"];
        let (url, requests) = server(REFUSES);
        let sent = Client::new(&url, "fmt_x").unwrap().send(b"the batch\n", |_| panic!("it waits"));
        let Err(Failure::NotAuthorized(text)) = sent else { panic!("{sent:?}") };
        assert!(text.contains("answered 401 Bad credentials"), "{text}");
        assert_eq!(requests.join().unwrap().len(), 1);
    }

    #[test]
    fn a_refused_event_is_told_in_one_line() {
        let event: Refused = serde_json::from_str(r#"{"line":3,"verdict":"rejected","field":"time","reason":"is missing"}"#).unwrap();
        assert_eq!(event.to_string(), "line 3: rejected: `time` is missing");
    }
}
