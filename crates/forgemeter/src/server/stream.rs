//! A connection that may not stand still: it ends when its first bytes, or later any bytes at all, do not come in time.
//!
//! hyper counts time from the moment at which it reads a request's headers. What lies before, telling HTTP/2 from HTTP/1, and a
//! caller that stops reading its answer are bounded here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The preface of HTTP/2. Until so much was read, a connection may still be either protocol.
const PREFACE_BYTES: usize = 24;

#[derive(Debug)]
pub(super) struct TimedStream<S> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    idle: Duration,
    /// Until then the deadline does not move.
    preface_left: usize,
}

impl<S> TimedStream<S> {
    /// Gives the first bytes the time `preface`, and every pause after them the time `idle`.
    pub(super) fn new(stream: S, preface: Duration, idle: Duration) -> TimedStream<S> {
        TimedStream { stream, deadline: Box::pin(tokio::time::sleep(preface)), idle, preface_left: PREFACE_BYTES }
    }

    fn moved_on(&mut self) {
        let later = Instant::now() + self.idle;
        self.deadline.as_mut().reset(later);
    }

    fn expired(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            return self.expired(context);
        }
        self.preface_left = self.preface_left.saturating_sub(buffer.filled().len() - before);
        if self.preface_left == 0 {
            self.moved_on();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> TimedStream<S> {
    fn after_write<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            return match self.expired(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            };
        }
        self.preface_left = 0;
        self.moved_on();
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A flush of a socket moves nothing, so it neither waits nor counts as a sign of life.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const PREFACE: Duration = Duration::from_millis(200);
    const IDLE: Duration = Duration::from_millis(400);

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
    }

    #[test]
    fn first_bytes_that_trickle_in_do_not_extend_their_time() {
        run(async {
            let (server, mut client) = duplex(64);
            let mut stream = TimedStream::new(server, PREFACE, IDLE);
            let trickle = tokio::spawn(async move {
                for _ in 0..20 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    if client.write_all(b"G").await.is_err() {
                        return;
                    }
                }
            });
            let started = Instant::now();
            let error = stream.read_exact(&mut [0; 20]).await.unwrap_err();
            assert_eq!((error.kind(), started.elapsed()), (io::ErrorKind::TimedOut, PREFACE));
            trickle.abort();
        });
    }

    #[test]
    fn a_pause_ends_a_connection_and_progress_extends_it() {
        run(async {
            let (server, mut client) = duplex(64);
            let mut stream = TimedStream::new(server, PREFACE, IDLE);
            client.write_all(&[0; PREFACE_BYTES]).await.unwrap();
            stream.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
            for _ in 0..5 {
                tokio::time::sleep(IDLE - Duration::from_millis(1)).await;
                client.write_all(b"x").await.unwrap();
                stream.read_exact(&mut [0; 1]).await.unwrap();
            }
            let started = Instant::now();
            assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(started.elapsed(), IDLE);
        });
    }

    #[test]
    fn a_caller_that_stops_reading_is_let_go() {
        run(async {
            let (server, _client) = duplex(64);
            let mut stream = TimedStream::new(server, PREFACE, IDLE);
            assert_eq!(stream.write_all(&[0; 1000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
