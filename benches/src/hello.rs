//! The least that an HTTP server can do, with the same library and as many threads as the program: what answers are compared with.
//!
//! Runs as a process of its own, as the program does.

use anyhow::Result;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write;
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"Hello, world!\n";

/// Serves until the process is ended; the first line on standard output names the address.
pub(crate) fn serve() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(accept())
}

async fn accept() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) {
    let hello = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(ANSWER)))) });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), hello).await {
        eprintln!("benches: hello: {error}");
    }
}
