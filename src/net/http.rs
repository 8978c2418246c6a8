//! What is served by HTTP: XMPP for browsers, where to find it, and what Prometheus and
//! supervisors ask.

mod bosh;
mod guard;
mod guest;
mod host_meta;
mod upgrade;

pub(crate) use guest::{Guest, Visitor};

use crate::{
    limits::{HTTP_BUFFER_BYTES_MAX, HTTP_HEADERS_MAX},
    shell::Shell,
    writer::Queue,
};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// How often samples are moved into their buckets.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);

/// What the operator chose about HTTP.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// Whether `/metrics` is there at all.
    pub metrics: bool,
    /// Whether `/metrics` and `/health` are there for who comes by HTTPS, too.
    pub metrics_by_https: bool,
    /// What clients are told to begin with, instead of the host they asked: `https://…`.
    pub public_url: Option<String>,
    /// Of web pages that may use XMPP; none: all may.
    pub origins: Vec<String>,
}

/// What answers.
pub(crate) struct Web {
    pub(crate) shell: Arc<Shell>,
    plain: TowerToHyperService<Router>,
    secure: TowerToHyperService<Router>,
}

#[derive(Clone)]
struct Told {
    shell: Arc<Shell>,
    writer: Queue,
    pages: Arc<Pages>,
}

impl Told {
    /// Refuses to speak XMPP with who could be overheard.
    fn in_the_clear(&self, visitor: &Visitor) -> Response {
        self.shell.meters.refused("in_the_clear");
        tracing::debug!(peer = %visitor.peer, "xmpp by http in the clear refused");
        (StatusCode::FORBIDDEN, "XMPP wants TLS: ask by https\n").into_response()
    }
}

impl Web {
    pub(crate) fn new(shell: Arc<Shell>, writer: Queue, pages: Pages) -> Arc<Self> {
        let told = Told { shell: shell.clone(), writer, pages: Arc::new(pages) };
        let routes = |operators: bool| {
            let routes = match operators {
                true => public().merge(operated(told.pages.metrics)),
                false => public(),
            };
            let guard = middleware::from_fn_with_state(told.clone(), guard::guard);
            let guarded = routes.layer(guard);
            TowerToHyperService::new(guarded.with_state(told.clone()))
        };
        let (plain, secure) = (routes(true), routes(told.pages.metrics_by_https));
        Arc::new(Self { shell, plain, secure })
    }
}

/// For clients.
fn public() -> Router<Told> {
    Router::new()
        .route(upgrade::PATH, any(upgrade::answer))
        .route("/.well-known/acme-challenge/{token}", get(challenge))
        .route(bosh::PATH, post(bosh::answer).options(bosh::preflight).get(bosh::about))
        .route("/.well-known/host-meta", get(host_meta::xml).options(host_meta::preflight))
        .route("/.well-known/host-meta.json", get(host_meta::json).options(host_meta::preflight))
}

/// For operators.
fn operated(metrics: bool) -> Router<Told> {
    let routes = Router::new().route("/health", get(health));
    if metrics { routes.route("/metrics", get(render)) } else { routes }
}

/// Answers one connection, request by request: what a client sends ahead waits in the buffer,
/// and behind that in the kernel.
pub(crate) async fn serve(web: Arc<Web>, guest: Guest, mut stopping: watch::Receiver<bool>) {
    let visitor = guest.visitor.clone();
    let routes = match &visitor.tls {
        Some(_) => web.secure.clone(),
        None => web.plain.clone(),
    };
    let peer = visitor.peer;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(visitor.clone());
        routes.call(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(web.shell.limits.http_head_ms_max))
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(guest), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // An error: whoever could say it is gone, so it is over too.
        _ = stopping.wait_for(|stopping| *stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            // Requests that wait are answered now. Of one that is half there nobody knows when
            // the rest will come.
            let patience = web.shell.settings.load().limits.close_ms_max;
            let ended = timeout(Duration::from_millis(patience), connection).await;
            ended.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "http has ended");
    }
}

/// Keeps samples from piling up when nobody asks for them.
pub(crate) async fn settle(shell: Arc<Shell>) {
    loop {
        tokio::time::sleep(SETTLE_PAUSE).await;
        shell.meters.settle();
    }
}

async fn health(State(told): State<Told>) -> impl IntoResponse {
    match told.writer.is_away() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "the store is away\n"),
        false => (StatusCode::OK, "ok\n"),
    }
}

/// RFC 8555 §8.3.
async fn challenge(State(told): State<Told>, Path(token): Path<String>) -> impl IntoResponse {
    match told.shell.tls.challenges.answer(&token) {
        Some(answer) => Ok(([(header::CONTENT_TYPE, "application/octet-stream")], answer)),
        None => Err(StatusCode::NOT_FOUND),
    }
}

async fn render(State(Told { shell, writer, .. }): State<Told>) -> impl IntoResponse {
    let meters = &shell.meters;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let guests = shell.gate.guests();
    meters.connections.set(number(shell.gate.count().saturating_sub(guests)));
    meters.guests.set(number(guests));
    meters.bosh.set(number(shell.bosh.count()));
    meters.mailboxes.set(number(shell.post.mailboxes.waiting()));
    meters.inboxes.set(number(shell.post.waiting()));
    meters.units.set(number(writer.len()));
    meters.dropped.absolute(shell.post.dropped());
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, text)], meters.render())
}
