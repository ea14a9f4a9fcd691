//! A tiny HTTP/1.1 client over one kept connection: as little work as possible beside the server that is measured.
//!
//! Knows answers with a content length and chunked ones; no redirects, no TLS. Many connections at once are left to [`crate::load`].

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

const READ_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    token: String,
    reader: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body as JSON, when the request was successful.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        ensure!((200..300).contains(&self.status), "the server answered {}: {}", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).context("the answer is no JSON")
    }
}

/// A whole request as bytes.
pub(crate) fn request(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let mut text = head(method, path, token, body.len()).into_bytes();
    text.extend_from_slice(body);
    text
}

fn head(method: &str, path: &str, token: &str, length: usize) -> String {
    let authorization = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let content = if length == 0 && method == "GET" { String::new() } else { format!("content-length: {length}\r\n") };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: benches\r\n{authorization}{content}\r\n")
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, token: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        Ok(Client { address, token: token.to_owned(), reader: BufReader::with_capacity(READ_BYTES, stream) })
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Response> {
        self.reader.get_mut().write_all(&request(method, path, &self.token, body))?;
        self.response()
    }

    pub(crate) fn get_json(&mut self, path: &str) -> Result<serde_json::Value> {
        self.send("GET", path, b"")?.json().with_context(|| path.to_owned())
    }

    /// Sends a range of a file; on Linux the kernel copies it without a detour through this process.
    pub(crate) fn post_file(&mut self, path: &str, file: &mut File, range: &Range<u64>) -> Result<Response> {
        let length = range.end - range.start;
        let head = head("POST", path, &self.token, usize::try_from(length).expect("a body fits memory"));
        file.seek(SeekFrom::Start(range.start))?;
        let stream = self.reader.get_mut();
        stream.write_all(head.as_bytes())?;
        let sent = std::io::copy(&mut file.take(length), stream)?;
        ensure!(sent == length, "the file of bodies is too short");
        self.response()
    }

    /// Reads an answer's body line by line.
    pub(crate) fn get_lines(&mut self, path: &str, mut line: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let response = self.send("GET", path, b"")?;
        ensure!(response.status == 200, "{path} answered {}", response.status);
        response.body.lines().try_for_each(|text| line(&text?))
    }

    fn response(&mut self) -> Result<Response> {
        let mut head = String::new();
        loop {
            let before = head.len();
            ensure!(self.reader.read_line(&mut head)? > 0, "{} closed the connection", self.address);
            if head[before..].trim_end().is_empty() {
                break;
            }
        }
        let status = status(head.as_bytes())?;
        let body = match header(&head, "content-length") {
            Some(length) => self.exactly(length.parse().context("content-length")?)?,
            None if header(&head, "transfer-encoding") == Some("chunked") => self.chunks()?,
            None if status == 204 || status == 304 => Vec::new(),
            None => bail!("an answer of unknown length: {head}"),
        };
        Ok(Response { status, body })
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim_end(), 16).context("the length of a chunk")?;
            body.extend(self.exactly(length)?);
            self.exactly(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

/// The status of an answer that begins with these bytes.
pub(crate) fn status(head: &[u8]) -> Result<u16> {
    let digits = head.get(9..12).context("an answer without a status")?;
    std::str::from_utf8(digits)?.parse().context("a status")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    head.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(answer: &'static str) -> Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let response = Client::connect(address, "t").unwrap().send("GET", "/", b"");
        thread.join().unwrap();
        response
    }

    #[test]
    fn answers_are_read_by_length_and_by_chunks() {
        let plain = answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        assert_eq!((plain.status, plain.body.as_slice()), (200, &b"hello"[..]));
        let chunked = answered("HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n").unwrap();
        assert_eq!((chunked.status, chunked.body.as_slice()), (503, &b"hello"[..]));
        assert!(chunked.json().is_err());
        assert!(answered("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn requests_are_whole() {
        let text = String::from_utf8(request("POST", "/v1/usage", "fmt_1", b"{}")).unwrap();
        assert!(text.starts_with("POST /v1/usage HTTP/1.1\r\n") && text.ends_with("content-length: 2\r\n\r\n{}"));
        assert!(text.contains("authorization: Bearer fmt_1\r\n"));
        assert!(!String::from_utf8(request("GET", "/", "", b"")).unwrap().contains("content-length"));
    }
}
