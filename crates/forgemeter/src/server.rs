//! The HTTP server: our own accept loop, in which everything has a bound with a name, and a stop that loses nothing.
//!
//! `axum::serve` sets no header time-out, so connections are served with hyper's own builder. TLS is left to a proxy in front. Start at
//! [`serve`]: it runs the server and the background jobs until SIGTERM or SIGINT, lets requests finish, and closes the ledger.

mod request_body;
mod stream;

use crate::api::headers::Connection;
use crate::api::health::Stopping;
use crate::app::App;
use crate::cli::Failure;
use crate::{api, jobs};
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::http::{Request, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use request_body::TimedBody;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IsTerminal as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use stream::TimedStream;
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tower::Service as _;

/// From the beginning of a request to the end of its headers; on HTTP/1 also how long a connection may wait for its next request,
/// because hyper counts from the moment at which it begins to wait.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// How long a connection may stand still in both directions.
const IDLE_TIME: Duration = Duration::from_secs(120);

/// Open connections; more wait in the system's queue. Most systems grant a process 1,024 files, and the folder's own need some.
const CONNECTIONS_MAX: usize = 768;

/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;

/// All headers of a request together, and what is read ahead of a body.
const HEADER_BYTES_MAX: u16 = u16::MAX;

/// How often an HTTP/2 connection is asked whether the other side still lives, and how long it may take to answer.
const PING_TIME: Duration = Duration::from_secs(30);
const PONG_TIME: Duration = Duration::from_secs(20);

/// Threads that wait for disks.
const BLOCKING_THREADS_MAX: usize = 64;

/// The pause after a connection could not be accepted, for instance because the process has no file left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long requests may take to finish after the signal to stop.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Serves an app until the process is told to stop, then closes its ledger. `ready` is called once with the address, when requests are
/// taken.
pub(crate) fn serve(app: Arc<App>, listener: TcpListener, ready: impl FnOnce(SocketAddr)) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("cannot serve: {error}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build().map_err(failed)?;
    let running = jobs::start(&app);
    let served = runtime.block_on(run(&app, listener, ready));
    runtime.shutdown_timeout(STOP_TIME);
    running.stop();
    // The seal can fail on a full disk; what was acknowledged is durable already and is replayed at the next start.
    let closed = app.ledger.close();
    served.map_err(failed)?;
    Ok(closed?)
}

/// Logs to standard error from now on, with colours only on a terminal. `filter` is in the form of `tracing`: `info`, `forgemeter=debug`.
pub(crate) fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let filter: tracing_subscriber::EnvFilter =
        filter.parse().map_err(|error| Failure::Usage(format!("`log` is `{filter}`: {error}; it must be a level such as `info`")))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    subscriber.try_init().map_err(|error| Failure::Failed(format!("cannot log: {error}")))
}

async fn run(app: &Arc<App>, listener: TcpListener, ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let mut stop = StopSignals::install()?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let stopping = Stopping::default();
    let connections = Connections::new(api::router(app, stopping.clone()));
    ready(listener.local_addr()?);
    let accepting = connections.accept_all(&listener);
    let signal = stop.received();
    either(accepting, signal).await;
    stopping.0.store(true, Ordering::Release);
    drop(listener);
    tracing::info!("stopping: requests under way may finish");
    if tokio::time::timeout(STOP_TIME, connections.graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = STOP_TIME.as_secs(), "requests did not finish in time and are dropped");
    }
    Ok(())
}

/// Waits for whichever of two ends first.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(context),
    })
    .await;
}

/// The signals that stop the server.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn install() -> io::Result<StopSignals> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        poll_fn(|context| match self.terminate.poll_recv(context) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.interrupt.poll_recv(context).map(|_| ()),
        })
        .await;
    }
}

/// What all connections share.
struct Connections {
    builder: auto::Builder<TokioExecutor>,
    router: Router,
    graceful: GracefulShutdown,
    free: Arc<Semaphore>,
}

impl Connections {
    fn new(router: Router) -> Connections {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Without a timer hyper's time-outs do nothing, and say nothing.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_BYTES_MAX.into());
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_TIME)
            .keep_alive_timeout(PONG_TIME)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX.into());
        Connections { builder, router, graceful: GracefulShutdown::new(), free: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }

    async fn accept_all(&self, listener: &tokio::net::TcpListener) {
        for number in 1_u64.. {
            let Ok(place) = Arc::clone(&self.free).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let served = self.connection(stream, peer, number);
                    tokio::spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection to its end.
    fn connection(&self, stream: TcpStream, peer: SocketAddr, number: u64) -> impl Future<Output = ()> + Send + 'static {
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            // A router with its state is always ready.
            let answering = router.clone().call(with_connection(request, peer, number));
            async move {
                let mut answer = answering.await?;
                if answer.status() == StatusCode::NOT_FOUND {
                    // axum names the methods of a known path; this answer says that there is none.
                    answer.headers_mut().remove(header::ALLOW);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let stream = TokioIo::new(TimedStream::new(stream, HEADER_TIME, IDLE_TIME));
        let connection = self.graceful.watch(self.builder.serve_connection(stream, service).into_owned());
        async move {
            if let Err(error) = connection.await {
                // Callers that hang up or send no HTTP are everyday life.
                tracing::debug!(connection = number, error, "connection ended early");
            }
        }
    }
}

/// A request as the routes see it: with its connection, and with a body that has to arrive in time.
fn with_connection(request: Request<Incoming>, peer: SocketAddr, number: u64) -> Request<Body> {
    let connection = Connection { peer_port: peer.port(), number, body_is_late: Arc::default() };
    let late = Arc::clone(&connection.body_is_late);
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(connection);
    let body = if body.is_end_stream() { Body::empty() } else { Body::new(TimedBody::new(body, late)) };
    Request::from_parts(parts, body)
}
