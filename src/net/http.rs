//! What Prometheus and supervisors ask, by HTTP.

use crate::{door::Door, shell::Shell, writer::Queue};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch};

/// How often samples are moved into their buckets.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Told {
    shell: Arc<Shell>,
    writer: Queue,
}

/// Answers until the server stops.
pub(crate) async fn serve(
    listener: TcpListener,
    shell: Arc<Shell>,
    writer: Queue,
    metrics: bool,
    mut stopping: watch::Receiver<bool>,
) {
    let mut routes = Router::new().route("/health", get(health));
    if metrics {
        routes = routes.route("/metrics", get(render));
    }
    let routes = routes.with_state(Told { shell, writer });
    let stopped = async move {
        // An error: whoever could say it is gone, so it is over too.
        drop(stopping.wait_for(|stopping| *stopping).await);
    };
    let served = axum::serve(Door::new(listener), routes).with_graceful_shutdown(stopped).await;
    if let Err(error) = served {
        tracing::error!(%error, "http has ended");
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

async fn render(State(Told { shell, writer }): State<Told>) -> impl IntoResponse {
    let meters = &shell.meters;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    meters.connections.set(number(shell.gate.count()));
    meters.mailboxes.set(number(shell.post.mailboxes.waiting()));
    meters.inboxes.set(number(shell.post.waiting()));
    meters.units.set(number(writer.len()));
    meters.dropped.absolute(shell.post.dropped());
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, text)], meters.render())
}
