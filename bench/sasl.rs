//! SASL, then bind (RFC 6120 §6, §7).

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use wire::{Frame, Name, Payload, Stanza, ns};

use crate::connect::Secured;
use crate::scram::{Exchange, nonce};
use crate::target::Target;

/// Logs `user` in and binds a resource; returns the full JID. `binding` is that of the channel, if
/// the mechanism binds to it.
///
/// # Errors
/// Says at which step what went wrong.
pub async fn log_in(
    link: &mut Secured,
    target: &Target,
    user: &str,
    binding: Option<&[u8]>,
) -> Result<String> {
    let features = link.open(target.domain()).await?;
    authenticate(link, &features, target, user, binding).await.context("SASL")?;
    let features = link.open(target.domain()).await?;
    let jid = bind(link).await.context("bind")?;
    if wants_session(&features) {
        let ask = format!("<session xmlns='{}'/>", ns::SESSION);
        request(link, &ask).await.context("session")?;
    }
    Ok(jid)
}

/// RFC 6120 §6.4.
async fn authenticate(
    link: &mut Secured,
    features: &Payload,
    target: &Target,
    user: &str,
    binding: Option<&[u8]>,
) -> Result<()> {
    let mechanism = target.mechanism.as_str();
    ensure!(offers(features, mechanism), "{mechanism} is not offered: {}", features.as_str());
    let auth = |initial: &str| {
        let initial = BASE64_STANDARD.encode(initial);
        format!("<auth xmlns='{}' mechanism='{mechanism}'>{initial}</auth>", ns::SASL)
    };
    let Some(hash) = target.mechanism.scram() else {
        link.say(&auth(&format!("\0{user}\0{}", target.password())));
        link.expect(Name::new(ns::SASL, "success")).await?;
        return Ok(());
    };
    let mut exchange = Exchange::new(hash, binding, user, target.password(), nonce()?);
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
