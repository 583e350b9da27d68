//! The server itself: a socket and its connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::api::{Answer, Api};
use crate::options::ServerOptions;

/// The sandbox behind the routes of Replicate.
///
/// A command needs three lines: bind, print [`SandboxServer::base_url`], run. The server
/// listens from the moment it is bound, so that whoever reads the line can call at once.
#[derive(Debug)]
pub struct SandboxServer {
    listener: std::net::TcpListener,
    addr: SocketAddr,
    api: Arc<Api>,
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up, as it was asked to")]
struct HungUp;

impl SandboxServer {
    /// Takes an address to listen at; with port 0 a free one is found.
    pub fn bind(addr: SocketAddr, options: ServerOptions) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, api: Arc::new(Api::new(options)) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to configure as `base_url`. Any prefix before `/v1` works as well.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Serves until `shutdown` is done; then open connections end as they are.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, self.api.clone()));
                    }
                    // Too many open files: the next one may find a place.
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                },
            }
        }
    }
}

async fn serve(stream: TcpStream, api: Arc<Api>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let api = api.clone();
        async move {
            match api.answer(request.map(Body::new)).await {
                Answer::Response(response) => Ok(response),
                Answer::HangUp => Err(HungUp),
            }
        }
    });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended");
    }
}
