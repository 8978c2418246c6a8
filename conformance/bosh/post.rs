//! `POST`, by ureq: what a session says, and what it is answered.

use crate::web::Server;
use rustls::crypto::aws_lc_rs;
use std::{fmt::Display, net::SocketAddr, sync::Arc, sync::mpsc, thread, time::Duration};
use ureq::{
    Agent, Error,
    config::Config,
    http::{HeaderMap, Uri, header::CONTENT_TYPE},
    tls::{TlsConfig, TlsProvider},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// Longer than the server may hold a request back.
const ANSWER_SECONDS_MAX: u64 = 90;
const BODY_BYTES_MAX: u64 = 16 << 20;

/// An answer that may still come.
pub(super) type Awaited = mpsc::Receiver<Result<Vec<u8>, String>>;

/// Where requests go.
pub(super) struct Post {
    agent: Agent,
    url: String,
}

impl Post {
    pub(super) fn new(server: &Server) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .disable_verification(true)
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))
            .build();
        let endpoint = &server.endpoint;
        let scheme = if endpoint.secure { "https" } else { "http" };
        let url =
            format!("{scheme}://{}:{}{}", server.domain, endpoint.address.port(), endpoint.path);
        let connector = DefaultConnector::default();
        Self { agent: Agent::with_parts(config, connector, Fixed(endpoint.address)), url }
    }

    /// The body of the answer, when it comes.
    pub(super) fn send(&self, body: String) -> Awaited {
        let (tell, awaited) = mpsc::channel();
        let (agent, url) = (self.agent.clone(), self.url.clone());
        thread::spawn(move || {
            // Nobody may want to know it any more.
            let _ = tell.send(exchange(&agent, &url, &body));
        });
        awaited
    }
}

fn exchange(agent: &Agent, url: &str, body: &str) -> Result<Vec<u8>, String> {
    let request = agent.post(url).header(CONTENT_TYPE, "text/xml; charset=utf-8");
    let mut answer = request.send(body).map_err(words)?;
    // Errors are told in `<body/>`, not by HTTP (XEP-0124 §17.1).
    if answer.status() != 200 {
        return Err(format!("an answer of HTTP status {}", answer.status()));
    }
    judge(answer.headers())?;
    answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec().map_err(words)
}

/// XEP-0124 §4
fn judge(headers: &HeaderMap) -> Result<(), String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.to_ascii_lowercase().replace(' ', "").as_str() {
        "text/xml;charset=utf-8" => Ok(()),
        _ => Err(format!("an answer of type '{kind}'")),
    }
}

fn words(error: impl Display) -> String {
    format!("HTTP: {error}")
}

/// The domain is where we are told that it is.
#[derive(Debug)]
struct Fixed(SocketAddr);

impl Resolver for Fixed {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}
