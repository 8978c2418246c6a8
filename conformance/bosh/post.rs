//! `POST`, by hyper: what a session says, and what it is answered.

use crate::web::Server;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{fmt::Display, sync::Arc, sync::Mutex, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longer than the server may hold a request back.
const ANSWER_SECONDS_MAX: u64 = 90;

type Sender = SendRequest<Full<Bytes>>;

/// Where requests go, and the connections that wait for the next one.
pub(super) struct Post {
    server: Server,
    config: Arc<ClientConfig>,
}

/// Connections of one session that wait for the next request.
pub(super) type Idle = Arc<Mutex<Vec<Sender>>>;

impl Post {
    pub(super) fn new(server: &Server, config: Arc<ClientConfig>) -> Self {
        Self { server: server.clone(), config }
    }

    /// The body of the answer.
    pub(super) async fn send(&self, idle: &Idle, body: String) -> Result<Bytes, String> {
        let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        let answer = timeout(limit, self.exchange(idle, body)).await;
        answer.unwrap_or_else(|_| Err("no answer to a request".into()))
    }

    async fn exchange(&self, idle: &Idle, body: String) -> Result<Bytes, String> {
        let mut sender = self.sender(idle).await?;
        let request = Request::post(&self.server.endpoint.path)
            .header(HOST, &self.server.domain)
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .map_err(words)?;
        let answer = sender.send_request(request).await.map_err(words)?;
        judge(&answer)?;
        let body = answer.into_body().collect().await.map_err(words)?.to_bytes();
        idle.lock().expect("nobody panics with it").push(sender);
        Ok(body)
    }

    async fn sender(&self, idle: &Idle) -> Result<Sender, String> {
        loop {
            let waiting = idle.lock().expect("nobody panics with it").pop();
            let Some(mut sender) = waiting else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let socket = TcpStream::connect(self.server.endpoint.address).await.map_err(words)?;
        socket.set_nodelay(true).map_err(words)?;
        if !self.server.endpoint.secure {
            return connected(socket).await;
        }
        let name = ServerName::try_from(self.server.domain.clone()).map_err(words)?;
        let connector = TlsConnector::from(self.config.clone());
        connected(connector.connect(name, socket).await.map_err(words)?).await
    }
}

async fn connected<S>(socket: S) -> Result<Sender, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(socket)).await.map_err(words)?;
    // It ends with its sender; an error shows in the answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Errors are told in `<body/>`, not by HTTP (XEP-0124 §17.1); its type is XML (§4).
fn judge(answer: &Response<Incoming>) -> Result<(), String> {
    if answer.status() != StatusCode::OK {
        return Err(format!("an answer of HTTP status {}", answer.status()));
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase().replace(' ', "");
    if kind == "text/xml;charset=utf-8" {
        Ok(())
    } else {
        Err(format!("an answer of type '{kind}'"))
    }
}

fn words(error: impl Display) -> String {
    format!("HTTP: {error}")
}
