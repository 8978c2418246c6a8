//! From HTTP to a WebSocket (RFC 6455 §4.2) that speaks XMPP (RFC 7395 §3.1).

use super::{Guest, Told, Visitor, guard};
use crate::{
    arrival::Arrived,
    drive::{self, Begins},
    shell::Shell,
};
use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use engine::stream::machine::Tls;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc};
use tungstenite::handshake::derive_accept_key;

pub(super) const PATH: &str = "/ws";
/// The subprotocol (RFC 7395 §3.1).
const XMPP: &str = "xmpp";
/// The only version (RFC 6455 §4.1).
const VERSION: &str = "13";

/// Why there is no WebSocket.
type Refusal = (StatusCode, &'static str);

pub(super) async fn answer(
    State(told): State<Told>,
    Extension(visitor): Extension<Arc<Visitor>>,
    mut request: Request,
) -> Response {
    if !visitor.is_private() {
        return told.in_the_clear(&visitor);
    }
    let accept = match check(&request, &told.pages.origins) {
        Ok(key) => HeaderValue::try_from(derive_accept_key(key.as_bytes())),
        Err(refusal) => return refused(refusal),
    };
    let Ok(accept) = accept else { return StatusCode::BAD_REQUEST.into_response() };
    let client = SocketAddr::new(visitor.client(request.headers()), visitor.peer.port());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(become_stream(told.shell, visitor, client, upgrade));
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
        (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(XMPP)),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Whether there will be a WebSocket. Returns the client's key.
fn check<'a>(request: &'a Request, origins: &[String]) -> Result<&'a str, Refusal> {
    let headers = request.headers();
    if !guard::is_welcome(headers, origins) {
        return Err((StatusCode::FORBIDDEN, "pages of this origin may not use XMPP here\n"));
    }
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only GET by HTTP/1.1 opens a WebSocket\n"));
    }
    let asked = says(headers, &header::UPGRADE, "websocket")
        && says(headers, &header::CONNECTION, "upgrade");
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if !asked || version != Some(VERSION.as_bytes()) {
        return Err((StatusCode::UPGRADE_REQUIRED, "this is for WebSockets of version 13\n"));
    }
    if !says(headers, &header::SEC_WEBSOCKET_PROTOCOL, XMPP) {
        return Err((StatusCode::BAD_REQUEST, "the subprotocol must be xmpp (RFC 7395)\n"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.filter(|key| is_key(key)).ok_or((StatusCode::BAD_REQUEST, "there is no WebSocket key\n"))
}

fn refused((status, why): Refusal) -> Response {
    let mut response = (status, why).into_response();
    if status == StatusCode::UPGRADE_REQUIRED {
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

/// Whether a list, perhaps on several lines, has this word.
fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// 16 bytes in base64 (RFC 6455 §4.1).
fn is_key(key: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with("==") && key[..22].bytes().all(digit)
}

/// When the answer has left, the connection is a stream's: nothing of HTTP is left behind.
async fn become_stream(
    shell: Arc<Shell>,
    visitor: Arc<Visitor>,
    client: SocketAddr,
    upgrade: OnUpgrade,
) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Guest>>() else { return };
    let (mut arrived, unread) = parts.io.into_inner().leave();
    if client.ip() != visitor.peer.ip() || arrived.pass.is_of(&shell.reserve) {
        // By a web server beside us: it counts at its own address from now on. And a stream keeps
        // no place of those who watch the server.
        match shell.gate.admit(client.ip()) {
            Ok(pass) => arrived = Arrived { pass, peer: client, ..arrived },
            Err(why) => return shell.meters.refused(why),
        }
    }
    let tls = visitor.tls.clone().unwrap_or(Tls { version: "none", ..Tls::default() });
    let unread = [&parts.read_buf[..], &unread[..]].concat();
    drive::spawn(&shell, arrived, Begins::WebSocket(tls, unread));
}
