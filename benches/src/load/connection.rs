//! One connection of the load generator: a request under way, written and read as far as the socket takes and gives.
//!
//! Reads just enough of an answer to know its status and its end.

use crate::http;
use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

const READ_BYTES: usize = 16 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    /// The request under way, how much of it is written, and when it was due.
    request: Option<(usize, usize, Instant)>,
    answer: Vec<u8>,
}

pub(crate) enum Progress {
    Waiting,
    Answered { due: Instant },
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, request: None, answer: Vec::with_capacity(READ_BYTES) })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn begin(&mut self, request: usize, due: Instant, requests: &[Vec<u8>]) -> Result<()> {
        self.request = Some((request, 0, due));
        self.answer.clear();
        self.write(requests)
    }

    /// Writes and reads what can be.
    pub(crate) fn advance(&mut self, requests: &[Vec<u8>]) -> Result<Progress> {
        if self.request.is_none() {
            return Ok(Progress::Waiting);
        }
        self.write(requests)?;
        self.read()?;
        let Some(end) = end_of_answer(&self.answer)? else { return Ok(Progress::Waiting) };
        if end > self.answer.len() {
            return Ok(Progress::Waiting);
        }
        let status = http::status(&self.answer)?;
        ensure!((200..300).contains(&status), "the server answered {status}: {}", String::from_utf8_lossy(&self.answer));
        let (_, _, due) = self.request.take().context("an answer to no request")?;
        Ok(Progress::Answered { due })
    }

    fn write(&mut self, requests: &[Vec<u8>]) -> Result<()> {
        while let Some((request, written, _)) = &mut self.request {
            let left = &requests[*request][*written..];
            if left.is_empty() {
                break;
            }
            match self.stream.write(left) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            // A short read has emptied the socket; the next edge tells of more.
            if end_of_answer(&self.answer)?.is_some_and(|end| end <= self.answer.len()) {
                return Ok(());
            }
        }
    }
}

/// Where the answer ends, once its head is there.
fn end_of_answer(answer: &[u8]) -> Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let named = |line: &&[u8]| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME);
    let line = answer[..head].split(|byte| *byte == b'\n').find(named).context("an answer without content-length")?;
    let length: usize = std::str::from_utf8(&line[NAME.len()..])?.trim().parse()?;
    Ok(Some(head + 4 + length))
}
