//! How SASL travels in XML (RFC 6120 §6.4).

use super::{Failure, Mechanism};
use base64::{Engine, prelude::BASE64_STANDARD};
use wire::{Element, ns};

/// What a client says.
#[derive(Debug)]
pub enum Said {
    /// It begins (§6.4.2). Without initial response it waits for an empty challenge.
    Auth(Mechanism, Option<Vec<u8>>),
    /// It answers a challenge (§6.4.3).
    Response(Vec<u8>),
    /// It gives up (§6.4.4).
    Abort,
}

/// Reads an element of the SASL namespace; `None` when a client has nothing to say by it.
pub fn read(element: Element<'_>) -> Option<Result<Said, Failure>> {
    if element.ns() != ns::SASL {
        return None;
    }
    match element.local() {
        "auth" => Some(auth(element)),
        "response" => Some(decode(&element.text()).map(Said::Response)),
        "abort" => Some(Ok(Said::Abort)),
        _ => None,
    }
}

fn auth(element: Element<'_>) -> Result<Said, Failure> {
    let name = element.attribute("mechanism");
    let mechanism = name.and_then(|name| Mechanism::named(&name));
    let mechanism = mechanism.ok_or(Failure::InvalidMechanism)?;
    let text = element.text();
    let initial = (!text.is_empty()).then(|| decode(&text)).transpose()?;
    Ok(Said::Auth(mechanism, initial))
}

/// Base64 without anything else in it (RFC 4648 §4); a lone `=` is an empty message.
fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    if text == "=" {
        return Ok(Vec::new());
    }
    BASE64_STANDARD.decode(text).map_err(|_| Failure::IncorrectEncoding)
}

/// `<challenge/>`.
pub fn challenge(message: &str, out: &mut Vec<u8>) {
    write("challenge", &BASE64_STANDARD.encode(message), out);
}

/// `<success/>`, with the mechanism's last words (§6.4.6).
pub fn success(message: Option<&str>, out: &mut Vec<u8>) {
    let message = message.map(|message| BASE64_STANDARD.encode(message));
    write("success", message.as_deref().unwrap_or_default(), out);
}

/// `<failure/>` (§6.4.5).
pub fn failure(failure: Failure, out: &mut Vec<u8>) {
    write("failure", &format!("<{}/>", failure.as_str()), out);
}

fn write(name: &str, content: &str, out: &mut Vec<u8>) {
    let element = match content {
        "" => format!("<{name} xmlns='{}'/>", ns::SASL),
        _ => format!("<{name} xmlns='{}'>{content}</{name}>", ns::SASL),
    };
    out.extend_from_slice(element.as_bytes());
}
