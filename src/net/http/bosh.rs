//! The requests of BOSH (XEP-0124 §5), and what browsers must be told so that their pages may make
//! them.

use super::{Told, Visitor, guard};
use crate::{
    arrival::{Arrived, Near},
    bosh::{Line, Wait},
    drive::{self, Begins},
    shell::Shell,
    socket::Socket,
};
use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::{
    stream::{
        bosh::{Condition, Reply},
        machine::Tls,
    },
    wire::{self, BodyDecoder, Flaw, StreamCondition},
};
use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::time::timeout;

pub(super) const PATH: &str = "/bosh";
/// How long a browser may remember what it was told, in seconds.
const REMEMBERED_SECONDS: &str = "86400";
const TEXT_XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// For who looks at the address with a browser.
pub(super) async fn about() -> &'static str {
    "XMPP over HTTP (BOSH, XEP-0124). Point a chat client here.\n"
}

/// What a browser asks before a page may ask (the Fetch standard, CORS).
pub(super) async fn preflight(State(told): State<Told>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    welcome(&mut response, &headers, &told.pages.origins);
    response
}

/// One request.
pub(super) async fn answer(
    State(told): State<Told>,
    Extension(visitor): Extension<Arc<Visitor>>,
    request: Request,
) -> Response {
    let origins = &told.pages.origins;
    let headers = request.headers().clone();
    if !visitor.is_private() {
        return told.in_the_clear(&visitor);
    }
    if !guard::is_welcome(&headers, origins) {
        let why = "pages of this origin may not use XMPP here\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let client = SocketAddr::new(visitor.client(&headers), visitor.peer.port());
    let answered = converse(&told.shell, &visitor, client, request.into_body()).await;
    let mut response = match answered {
        Ok((reply, content)) => render(reply, content),
        Err(status) => status.into_response(),
    };
    welcome(&mut response, &headers, origins);
    response
}

/// What was read of a request: a session that there is, or none, and a wrapper, or why it is none.
struct Read {
    line: Option<Arc<Line>>,
    body: Result<wire::Body, Condition>,
}

/// From the request to its response.
async fn converse(
    shell: &Arc<Shell>,
    visitor: &Visitor,
    client: SocketAddr,
    body: Body,
) -> Result<(Reply, Option<String>), StatusCode> {
    let time = Duration::from_millis(shell.limits.http_head_ms_max);
    let read = timeout(time, read(shell, visitor, body)).await;
    let Read { line, body } = read.map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
    match (line, body) {
        (Some(line), body) => Ok(line.request(body).reply().await),
        (None, Err(condition)) => Ok((Reply::terminal(condition, false), None)),
        (None, Ok(body)) => match begin(shell, visitor, client, body) {
            Ok(wait) => Ok(wait.reply().await),
            Err(reply) => Ok((reply, None)),
        },
    }
}

/// Reads a wrapper, within the limits of the session that it names.
async fn read(shell: &Shell, visitor: &Visitor, mut body: Body) -> Result<Read, StatusCode> {
    let mut decoder = BodyDecoder::new(shell.settings.load().limits.before_auth);
    let mut line = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // The connection is lost, not the session.
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        let mut rest = &data[..];
        match decoder.read(&mut rest) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(flaw) => return Ok(Read { line, body: Err(refusal(flaw)) }),
        }
        if let Some(sid) = decoder.attribute("sid") {
            let Some(named) = shell.bosh.find(&sid) else {
                return Ok(Read { line: None, body: Err(Condition::ItemNotFound) });
            };
            // What began in private goes on in private; nobody else may end it (§19.1).
            if named.secure && visitor.tls.is_none() {
                return Err(StatusCode::FORBIDDEN);
            }
            decoder.set_limits(named.limits());
            line = Some(named);
        }
        if let Err(flaw) = decoder.read(&mut rest) {
            return Ok(Read { line, body: Err(refusal(flaw)) });
        }
    }
    Ok(Read { line, body: decoder.finish().map_err(refusal) })
}

fn refusal(flaw: Flaw) -> Condition {
    match flaw.condition {
        StreamCondition::PolicyViolation => Condition::PolicyViolation,
        _ => Condition::BadRequest,
    }
}

/// A session begins, and with it the task of its stream.
fn begin(
    shell: &Arc<Shell>,
    visitor: &Visitor,
    peer: SocketAddr,
    body: wire::Body,
) -> Result<Wait, Reply> {
    let pass = shell.bosh.admit(peer.ip()).map_err(|limit| {
        shell.meters.refused(limit);
        Reply::terminal(Condition::PolicyViolation, body.attribute("ver").is_none())
    })?;
    let (line, wait) = Line::begin(shell, visitor.tls.is_some(), body)?;
    // Other requests may come by other connections, so none is bound to a channel.
    let version = visitor.tls.as_ref().map_or("none", |tls| tls.version);
    let tls = Tls { version, ..Tls::default() };
    let arrived = Arrived { socket: Socket::Gone, peer, pass, near: Near::Far };
    drive::spawn(shell, arrived, Begins::Bosh(tls, line));
    Ok(wait)
}

fn render(Reply { status, body }: Reply, content: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let content = content.and_then(|content| HeaderValue::try_from(content).ok());
    let kind = (header::CONTENT_TYPE, content.unwrap_or(TEXT_XML));
    (status, [kind], body.into_bytes()).into_response()
}

/// Tells a browser which pages may see this; never together with what it knows of its user.
fn welcome(response: &mut Response, asked: &HeaderMap, origins: &[String]) {
    let origin = asked.get(header::ORIGIN).filter(|_| guard::is_welcome(asked, origins));
    let allowed = match (origins, origin) {
        ([], _) => HeaderValue::from_static("*"),
        (_, Some(origin)) => origin.clone(),
        (_, None) => return,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if !origins.is_empty() {
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
}
