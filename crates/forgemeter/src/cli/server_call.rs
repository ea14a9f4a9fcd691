//! What the verbs that ask a server share: checks of its address and of the token, what they say of themselves, and how they wait.
//!
//! Which operation is asked, how often and for how long is left to the verbs.

use super::Failure;
use serde::Deserialize;
use std::time::Duration;

pub(super) const USER_AGENT: &str = concat!("forgemeter/", env!("CARGO_PKG_VERSION"));

pub(super) const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// What an error message of a server may take on the terminal.
const MESSAGE_CHARS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
struct ErrorBody {
    message: String,
}

/// The address of a server without a slash at its end. Makes ready for TLS where it is needed.
pub(super) fn base_url(url: &str) -> Result<&str, Failure> {
    let base = url.trim_end_matches('/');
    if base.starts_with("https://") {
        // An error means that a provider is installed already, which is as well.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    } else if !base.starts_with("http://") {
        return Err(Failure::Usage(format!("`{url}` is no address of a server, such as http://127.0.0.1:8080")));
    }
    Ok(base)
}

/// The value of the `Authorization` header for a token.
pub(super) fn authorization(token: &str) -> Result<String, Failure> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::Usage("the token holds a character that no token has; see `forgemeter token create`".to_owned()));
    }
    Ok(format!("Bearer {token}"))
}

/// The message of an error's body on one line; empty when it has none.
pub(super) fn message(body: &[u8]) -> String {
    let message = serde_json::from_slice::<ErrorBody>(body).map_or_else(|_| String::new(), |body| body.message);
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().filter(|char| !char.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[expect(clippy::disallowed_methods, reason = "a client without connections to wait on leaves the server alone for a while")]
pub(super) fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_server_or_token_is_wrong_usage() {
        for url in ["127.0.0.1:8080", "ftp://x", ""] {
            assert!(matches!(base_url(url), Err(Failure::Usage(_))), "{url}");
        }
        assert_eq!(base_url("http://x:1/").unwrap(), "http://x:1");
        for token in ["", "fmt x\n", "fmt_\u{e9}"] {
            assert!(matches!(authorization(token), Err(Failure::Usage(_))), "{token}");
        }
        assert_eq!(authorization("fmt_x").unwrap(), "Bearer fmt_x");
    }

    #[test]
    fn a_message_fits_on_a_terminal() {
        assert_eq!(message(br#"{"message":"Invalid request.\n\n\"a\" wasn't supplied."}"#), "Invalid request. \"a\" wasn't supplied.");
        assert_eq!(message(b"<html>"), "");
        assert_eq!(message(format!(r#"{{"message":"\u001b[31m{}"}}"#, "x".repeat(10_000)).as_bytes()).len(), MESSAGE_CHARS_MAX);
    }
}
