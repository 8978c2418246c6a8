//! From nothing to a bound session: TCP, TLS, SASL, bind (RFC 6120 §4–§7).

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use wire::{Frame, Name, Payload, Stanza, ns};

use crate::link::Link;
use crate::scram::Exchange;
use crate::session::Session;
use crate::target::{Mechanism, Secure, Target};

/// How long one login may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Secured = Link<TlsStream<TcpStream>>;

/// Logs account `index` in, up to and including bind; no presence is sent.
///
/// # Errors
/// Says which account, and at which step what went wrong.
pub async fn connect(target: &Target, index: usize) -> Result<Session> {
    let user = target.user(index);
    timeout(PATIENCE, negotiate(target, &user))
        .await
        .context("no answer in time")
        .flatten()
        .with_context(|| format!("login of {user}@{}", target.domain()))
}

async fn negotiate(target: &Target, user: &str) -> Result<Session> {
    let socket = TcpStream::connect(target.address).await.context("connecting")?;
    socket.set_nodelay(true)?;
    let socket = match target.secure {
        Secure::Direct => socket,
        Secure::Starttls => starttls(socket, target.domain()).await.context("STARTTLS")?,
    };
    let mut link = Link::new(target.tls.handshake(socket).await.context("TLS")?);
    let features = link.open(target.domain()).await?;
    authenticate(&mut link, &features, target, user).await.context("SASL")?;
    let features = link.open(target.domain()).await?;
    let jid = bind(&mut link).await.context("bind")?;
    if wants_session(&features) {
        let ask = format!("<session xmlns='{}'/>", ns::SESSION);
        request(&mut link, &ask).await.context("session")?;
    }
    Ok(Session::new(link, jid))
}

/// RFC 6120 §5.4.2.
async fn starttls(socket: TcpStream, domain: &str) -> Result<TcpStream> {
    let mut link = Link::new(socket);
    let features = link.open(domain).await?;
    let offered = features.element().child(Name::new(ns::TLS, "starttls")).is_some();
    ensure!(offered, "not offered: {}", features.as_str());
    link.say(&format!("<starttls xmlns='{}'/>", ns::TLS));
    link.expect(Name::new(ns::TLS, "proceed")).await?;
    link.into_socket()
}

/// RFC 6120 §6.4.
async fn authenticate(
    link: &mut Secured,
    features: &Payload,
    target: &Target,
    user: &str,
) -> Result<()> {
    let mechanism = target.mechanism.as_str();
    ensure!(offers(features, mechanism), "{mechanism} is not offered: {}", features.as_str());
    let auth = |initial: &str| {
        let initial = BASE64_STANDARD.encode(initial);
        format!("<auth xmlns='{}' mechanism='{mechanism}'>{initial}</auth>", ns::SASL)
    };
    if target.mechanism == Mechanism::Plain {
        link.say(&auth(&format!("\0{user}\0{}", target.password())));
        link.expect(Name::new(ns::SASL, "success")).await?;
        return Ok(());
    }
    let mut exchange = Exchange::new(user, target.password(), nonce()?);
    link.say(&auth(&exchange.first()));
    let challenge = link.expect(Name::new(ns::SASL, "challenge")).await?;
    let last = exchange.last(&decoded(&challenge)?, &target.salted)?;
    let last = BASE64_STANDARD.encode(last);
    link.say(&format!("<response xmlns='{}'>{last}</response>", ns::SASL));
    let success = link.expect(Name::new(ns::SASL, "success")).await?;
    exchange.verify(&decoded(&success)?)
}

fn offers(features: &Payload, mechanism: &str) -> bool {
    let Some(mechanisms) = features.element().child(Name::new(ns::SASL, "mechanisms")) else {
        return false;
    };
    mechanisms.children().any(|offer| offer.text() == mechanism)
}

fn nonce() -> Result<String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn decoded(payload: &Payload) -> Result<String> {
    let bytes = BASE64_STANDARD.decode(payload.element().text().trim())?;
    Ok(String::from_utf8(bytes)?)
}

/// RFC 6120 §7.6: the server chooses the resource, so that no login takes another's place.
async fn bind(link: &mut Secured) -> Result<String> {
    let answer = request(link, &format!("<bind xmlns='{}'/>", ns::BIND)).await?;
    let bound = answer.child(Name::new(ns::BIND, "bind")).context("no <bind/> in the result")?;
    let jid = bound.child(Name::new(ns::BIND, "jid")).context("no <jid/> in <bind/>")?;
    Ok(jid.text().into_owned())
}

/// RFC 3921 §3; newer servers say that it is optional, and then nobody asks.
fn wants_session(features: &Payload) -> bool {
    let Some(session) = features.element().child(Name::new(ns::SESSION, "session")) else {
        return false;
    };
    session.child(Name::new(ns::SESSION, "optional")).is_none()
}

async fn request(link: &mut Secured, payload: &str) -> Result<Stanza> {
    link.say(&format!("<iq type='set' id='setup'>{payload}</iq>"));
    match link.frame().await? {
        Frame::Stanza(stanza) if stanza.head.type_str() == "result" => Ok(stanza),
        Frame::Stanza(stanza) => bail!("{}", stanza.to_text()),
        Frame::Element(payload) => bail!("{}", payload.as_str()),
        Frame::Open(_) | Frame::Close => bail!("the stream ended"),
    }
}
