//! SASL2 with Bind 2 (XEP-0388, XEP-0386): by a token (XEP-0484) in one flight, and the login by
//! a password that gives out the token.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use wire::{Element, Name, Payload};

use crate::connect::Secured;
use crate::device::{Device, Token};
use crate::hash::Hash;
use crate::scram::{Exchange, nonce};
use crate::target::Target;

const SASL2: &str = "urn:xmpp:sasl:2";
const BIND: &str = "urn:xmpp:bind:0";
const FAST: &str = "urn:xmpp:fast:0";
/// How a device without a token logs in.
const BY_PASSWORD: &str = "SCRAM-SHA-1";
/// What our device calls itself, the same for each account (XEP-0388 §2.3.1: a UUID).
const USER_AGENT: &str = "<user-agent id='2b94b2d8-5a3c-4d52-9a0f-64b7f5a0c1be'>\
                          <software>waxwing-bench</software></user-agent>";

/// Logs `user` in with the device's token, or gets it one; returns the full JID. `binding` is that
/// of the channel, if the token's mechanism binds to it.
///
/// # Errors
/// Says what went wrong.
pub async fn log_in(
    link: &mut Secured,
    target: &Target,
    device: &mut Device,
    user: &str,
    binding: Option<&[u8]>,
) -> Result<String> {
    match &mut device.token {
        Some(token) => {
            token.uses += 1;
            let success = by_token(link, target, token, user, binding.unwrap_or_default());
            let success = success.await.context("FAST")?;
            // A server renews a token when it likes (XEP-0484 §3.5).
            if let Some(renewed) = token_of(&success) {
                *token = renewed;
            }
            bound(link, &success).await
        }
        None => {
            let success = by_password(link, target, user).await.context("SASL2")?;
            device.token = Some(token_of(&success).context("no token was given out")?);
            bound(link, &success).await
        }
    }
}

/// Everything leaves at once, before the server has said a word.
async fn by_token(
    link: &mut Secured,
    target: &Target,
    token: &Token,
    user: &str,
    binding: &[u8],
) -> Result<Payload> {
    let mechanism = target.mechanism.as_str();
    let key = token.secret.as_bytes();
    let code = Hash::Sha256.hmac(key, &[b"Initiator", binding]);
    let initial = [user.as_bytes(), b"\0", &code].concat();
    let count = if target.count { format!(" count='{}'", token.uses) } else { String::new() };
    link.greet(target.domain());
    link.say(&authenticate(mechanism, &initial, &format!("<fast xmlns='{FAST}'{count}/>")));
    let features = link.features().await?;
    let offered = inline(&features).and_then(|inline| inline.child(Name::new(FAST, "fast")));
    ensure!(offers(offered, mechanism), "{mechanism} is not offered: {}", features.as_str());
    let success = link.expect(Name::new(SASL2, "success")).await?;
    let shown = additional(&success)?;
    let expected = Hash::Sha256.hmac(key, &[b"Responder", binding]);
    ensure!(shown == expected, "the server does not show that it has the token");
    Ok(success)
}

async fn by_password(link: &mut Secured, target: &Target, user: &str) -> Result<Payload> {
    let features = link.open(target.domain()).await?;
    let offered = features.element().child(Name::new(SASL2, "authentication"));
    ensure!(offers(offered, BY_PASSWORD), "not offered: {}", features.as_str());
    let mut exchange = Exchange::new(Hash::Sha1, None, user, target.password(), nonce()?);
    let mechanism = target.mechanism.as_str();
    let wish = format!("<request-token xmlns='{FAST}' mechanism='{mechanism}'/>");
    link.say(&authenticate(BY_PASSWORD, exchange.first().as_bytes(), &wish));
    let challenge = link.expect(Name::new(SASL2, "challenge")).await?;
    let challenge = decoded(&challenge.element().text())?;
    let last = exchange.last(&String::from_utf8(challenge)?, &target.salted)?;
    let last = BASE64_STANDARD.encode(last);
    link.say(&format!("<response xmlns='{SASL2}'>{last}</response>"));
    let success = link.expect(Name::new(SASL2, "success")).await?;
    exchange.verify(&String::from_utf8(additional(&success)?)?)?;
    Ok(success)
}

/// XEP-0388 §2.3.
fn authenticate(mechanism: &str, initial: &[u8], fast: &str) -> String {
    let initial = BASE64_STANDARD.encode(initial);
    format!(
        "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>\
         <initial-response>{initial}</initial-response>{USER_AGENT}{fast}\
         <bind xmlns='{BIND}'><tag>bench</tag></bind></authenticate>"
    )
}

/// The features of the bound stream follow at once (XEP-0388 §2.6.2).
async fn bound(link: &mut Secured, success: &Payload) -> Result<String> {
    let success = success.element();
    ensure!(success.child(Name::new(BIND, "bound")).is_some(), "nothing is bound");
    let jid = success.child(Name::new(SASL2, "authorization-identifier"));
    let jid = jid.context("success does not say for whom")?.text().into_owned();
    link.expect(crate::link::FEATURES).await?;
    Ok(jid)
}

fn inline(features: &Payload) -> Option<Element<'_>> {
    features.element().child(Name::new(SASL2, "authentication"))?.child(Name::new(SASL2, "inline"))
}

fn offers(list: Option<Element<'_>>, mechanism: &str) -> bool {
    list.is_some_and(|list| list.children().any(|offer| offer.text() == mechanism))
}

fn additional(success: &Payload) -> Result<Vec<u8>> {
    let data = success.element().child(Name::new(SASL2, "additional-data"));
    decoded(&data.context("success without additional data")?.text())
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    Ok(BASE64_STANDARD.decode(text.trim())?)
}

fn token_of(success: &Payload) -> Option<Token> {
    let token = success.element().child(Name::new(FAST, "token"))?;
    Some(Token { secret: token.attribute("token")?.into_owned(), uses: 0 })
}
