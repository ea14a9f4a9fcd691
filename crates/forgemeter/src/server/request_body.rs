//! A request's body that has to arrive in time: a fixed time for all of it, and more only for bytes that did come.
//!
//! How large a body may be is left to whoever reads it.

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long a body may take, however small it is.
const BODY_TIME: Duration = Duration::from_secs(60);

/// What a slow line must carry beyond that: the greatest body of sent usage (16 MiB) may take some 17 minutes, and no longer.
const BODY_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

#[derive(Debug)]
pub(super) struct TimedBody<B> {
    body: B,
    started: Instant,
    deadline: Pin<Box<Sleep>>,
    received: u64,
    late: Arc<AtomicBool>,
}

impl<B> TimedBody<B> {
    /// `late` is set when the time is up, so that the answer can say so.
    pub(super) fn new(body: B, late: Arc<AtomicBool>) -> TimedBody<B> {
        TimedBody { body, started: Instant::now(), deadline: Box::pin(tokio::time::sleep(BODY_TIME)), received: 0, late }
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.received = self.received.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let deadline = self.started + BODY_TIME + Duration::from_secs(self.received / BODY_BYTES_PER_SECOND_MIN);
        self.deadline.as_mut().reset(deadline);
    }
}

impl<B> HttpBody for TimedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.count(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if self.deadline.as_mut().poll(context).is_ready() => {
                self.late.store(true, Ordering::Release);
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::convert::Infallible;

    /// Bytes at a fixed interval, for ever.
    struct Trickle {
        bytes: usize,
        interval: tokio::time::Interval,
    }

    impl HttpBody for Trickle {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let bytes = self.bytes;
            self.interval.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from(vec![0; bytes])))))
        }
    }

    fn time_of(bytes: usize) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let late = Arc::new(AtomicBool::new(false));
            let started = Instant::now();
            let mut body = TimedBody::new(Trickle { bytes, interval: tokio::time::interval(Duration::from_secs(1)) }, Arc::clone(&late));
            let mut left = 100_000;
            while let Some(Ok(_)) = body.frame().await {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            assert_eq!(late.load(Ordering::Acquire), left > 0);
            started.elapsed()
        })
    }

    #[test]
    fn a_body_has_a_minute_and_then_a_least_rate() {
        assert_eq!(time_of(0), BODY_TIME);
        assert_eq!(time_of(8 * 1024).as_secs(), 120, "half the rate earns half the time");
        assert!(time_of(16 * 1024) > Duration::from_secs(90_000), "the full rate is never cut off");
    }
}
