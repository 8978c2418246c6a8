//! HTTP, as a browser would speak it, as far as host-meta, the upgrade to a WebSocket and a session
//! of BOSH.

use super::{
    probe::{CALL_SECONDS_MAX, Failure, connect, secure},
    trust::Trust,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_TYPE, HOST, LOCATION, ORIGIN,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::rustls::pki_types::CertificateDer;

/// What a host-meta may have.
const BODY_BYTES_MAX: usize = 65_536;
/// Sixteen bytes in Base64; that they are chosen newly each time is for caches (RFC 6455 §10.3).
const KEY: &str = "d2F4d2luZyBsb29rcyBpbg==";
const BOSH: &str = "http://jabber.org/protocol/httpbind";

/// What a web server has answered.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// Where it sends who asks.
    pub location: Option<String>,
    /// Pages of all origins may read it (XEP-0156 §3.3).
    pub open: bool,
    /// The protocol inside a WebSocket, where one has been agreed upon.
    pub protocol: Option<String>,
    /// What it says.
    pub body: String,
    /// The certificate that was shown.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Where to ask, and for what.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The address of the host.
    pub address: SocketAddr,
    /// The host, in ASCII.
    pub host: &'a str,
    /// The path, with its query.
    pub path: &'a str,
    /// Whoever listens there takes us for a load balancer.
    pub as_balancer: bool,
}

impl Ask<'_> {
    /// Gets a page over TLS.
    ///
    /// # Errors
    /// What is there instead.
    pub async fn get(&self, trust: &Trust) -> Result<Page, Failure> {
        // Browsers say where they come from.
        let request = self.request(Method::GET).header(ORIGIN, "https://client.invalid");
        self.over_tls(request, String::new(), trust).await
    }

    /// Whether a WebSocket of XMPP is there (RFC 7395 §3.1).
    ///
    /// # Errors
    /// What is there instead.
    pub async fn upgrade(&self, trust: &Trust) -> Result<Page, Failure> {
        let request = self
            .request(Method::GET)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, KEY)
            .header(SEC_WEBSOCKET_PROTOCOL, "xmpp");
        let page = self.over_tls(request, String::new(), trust).await?;
        match (page.status, page.protocol.as_deref()) {
            (StatusCode::SWITCHING_PROTOCOLS, Some("xmpp")) => Ok(page),
            (StatusCode::SWITCHING_PROTOCOLS, _) => {
                Err(Failure::Strange("a WebSocket, but not of XMPP".to_owned()))
            }
            (status, _) => Err(Failure::Strange(format!("the upgrade is answered with {status}"))),
        }
    }

    /// Whether sessions of BOSH begin there (XEP-0124 §7); that one is ended at once.
    ///
    /// # Errors
    /// What is there instead.
    pub async fn session(&self, domain: &str, trust: &Trust) -> Result<Page, Failure> {
        let begun = self
            .post(
                &format!(
                    "rid='1' to='{domain}' ver='1.6' wait='1' hold='1' xmpp:version='1.0' \
                     xmlns:xmpp='urn:xmpp:xbosh'"
                ),
                trust,
            )
            .await?;
        match (begun.status, attribute(&begun.body, "sid"), attribute(&begun.body, "condition")) {
            (StatusCode::OK, Some(sid), None) if begun.body.contains(BOSH) => {
                // What is not heard any more ends by itself.
                drop(self.post(&format!("rid='2' sid='{sid}' type='terminate'"), trust).await);
                Ok(begun)
            }
            (StatusCode::OK, _, Some(condition)) => {
                Err(Failure::Strange(format!("the session is refused: {condition}")))
            }
            (StatusCode::OK, ..) => Err(Failure::Strange("no session of BOSH".to_owned())),
            (status, ..) => Err(Failure::Strange(format!("the request is answered with {status}"))),
        }
    }

    async fn post(&self, attributes: &str, trust: &Trust) -> Result<Page, Failure> {
        let request = self.request(Method::POST).header(CONTENT_TYPE, "text/xml; charset=utf-8");
        let body = format!("<body xmlns='{BOSH}' {attributes}/>");
        self.over_tls(request, body, trust).await
    }

    /// The host, and the port unless it is the usual one.
    pub fn authority(&self) -> String {
        match self.address.port() {
            443 => self.host.to_owned(),
            port => format!("{}:{port}", self.host),
        }
    }

    fn request(&self, method: Method) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(self.path).header(HOST, self.authority())
    }

    async fn over_tls(
        &self,
        request: hyper::http::request::Builder,
        body: String,
        trust: &Trust,
    ) -> Result<Page, Failure> {
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| Failure::Strange(error.to_string()))?;
        let asked = async {
            let socket = connect(self.address, self.as_balancer).await?;
            let socket = secure(socket, trust, self.host, &["http/1.1"]).await?;
            let shown = socket.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = shown.map(|first| first.clone().into_owned());
            Ok(Page { certificate, ..exchange(socket, request).await? })
        };
        let time = Duration::from_secs(CALL_SECONDS_MAX);
        timeout(time, asked).await.unwrap_or(Err(Failure::Mute))
    }
}

async fn exchange<S>(socket: S, request: Request<Full<Bytes>>) -> Result<Page, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let strange = |error: hyper::Error| Failure::Strange(format!("no HTTP: {error}"));
    let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await.map_err(strange)?;
    // Ends when the sender is gone; what it has to say, the answer says too.
    let driver = tokio::spawn(driver);
    let answer = sender.send_request(request).await.map_err(strange)?;
    let (head, body) = answer.into_parts();
    let header = |name| text(&head.headers, name);
    let (location, origin) = (header(LOCATION), header(ACCESS_CONTROL_ALLOW_ORIGIN));
    let body = match head.status {
        StatusCode::SWITCHING_PROTOCOLS => Bytes::new(),
        _ => {
            let whole = Limited::new(body, BODY_BYTES_MAX).collect().await;
            whole.map_err(|error| Failure::Strange(error.to_string()))?.to_bytes()
        }
    };
    driver.abort();
    Ok(Page {
        status: head.status,
        location,
        open: origin.as_deref() == Some("*"),
        protocol: header(SEC_WEBSOCKET_PROTOCOL),
        body: String::from_utf8_lossy(&body).into_owned(),
        certificate: None,
    })
}

fn text(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The value of an attribute, as it is written.
fn attribute<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!(" {name}="))?;
    let quote = rest.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
    rest[1..].split_once(quote).map(|(value, _)| value)
}

/// Why a request was in vain.
pub fn why(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(why) | Failure::Strange(why) => why.clone(),
        Failure::Certificate(why) => format!("the certificate is refused: {why}"),
        Failure::NoTls => "no TLS".to_owned(),
        Failure::NoAlpn => "no HTTP by ALPN".to_owned(),
        _ => "no answer".to_owned(),
    }
}

/// Host, port and path of a `https:` or `wss:` address.
pub fn parts(address: &str) -> Option<(String, u16, String)> {
    let uri: Uri = address.parse().ok()?;
    let secure = matches!(uri.scheme_str(), Some("https" | "wss"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let host = uri.host().filter(|_| secure)?.to_ascii_lowercase();
    Some((host, uri.port_u16().unwrap_or(443), path))
}

#[cfg(test)]
#[path = "web/tests.rs"]
mod tests;
