//! How SASL travels in XML: the profile of RFC 6120 §6.4, and the shape of others (RFC 4422 §4).

use super::{Failure, Hash, Ht};
use crate::{
    device::{Agent, Issued, Use},
    parcel::Claim,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use wire::{Bare, Element, Jid, Payload, ns};

/// A profile: how SASL travels in XML.
pub trait Profile: Sync {
    /// What a client says by a first-level element; `None` when it is of another profile.
    ///
    /// # Errors
    /// It is of this one, and wrong.
    fn read(&self, element: Element<'_>) -> Option<Result<Said, Failure>>;

    /// Writes what we say.
    fn write(&self, says: Says<'_>, out: &mut Vec<u8>);
}

/// What a client says.
#[derive(Debug)]
pub enum Said {
    /// It begins (RFC 6120 §6.4.2).
    Auth(Auth),
    /// It answers a challenge (§6.4.3).
    Response(Vec<u8>),
    /// It gives up (§6.4.4).
    Abort,
    /// It begins a task: keys of this hash are to be added (XEP-0480 §3).
    Task(Option<Hash>),
    /// The salted password that the task asks for.
    Salted(Vec<u8>),
}

/// How a client begins.
#[derive(Debug, Default)]
pub struct Auth {
    /// The name of the mechanism.
    pub mechanism: String,
    /// The client's first message. Without it the client waits for an empty challenge.
    pub initial: Option<Vec<u8>>,
    /// What else it wants; `None` in a profile that restarts the stream after the login.
    pub wishes: Option<Box<Wishes>>,
}

/// What a client wants beside logging in, in one go.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Who it is.
    pub agent: Option<Agent>,
    /// It logs in by a token, and how.
    pub used: Option<Use>,
    /// A token for the next time.
    pub token: Option<Ht>,
    /// Keys of these hashes, if its account has none of them.
    pub upgrades: Vec<Hash>,
    /// A session that it had. The stream finds this on its own.
    pub claim: Option<Claim>,
    /// A resource, if that is not there any more.
    pub bind: Option<Bind>,
}

/// A wish for a resource.
#[derive(Clone, Debug, Default)]
pub struct Bind {
    /// What its name shall begin with.
    pub tag: Option<String>,
    /// What the session shall begin with.
    pub inline: Vec<Payload>,
}

/// What we say.
#[derive(Debug)]
pub enum Says<'a> {
    /// A challenge of the mechanism.
    Challenge(&'a str),
    /// It has logged in, but keys of this hash are to be added; the mechanism's last words.
    Task(Hash, Option<&'a [u8]>),
    /// What the keys are made with.
    Salt(&'a [u8], u32),
    /// It has logged in.
    Success(Granted<'a>),
    /// It has not.
    Failure(Failure),
}

/// What a login has come to.
#[derive(Debug)]
pub struct Granted<'a> {
    /// Of whom.
    pub account: &'a Bare,
    /// The mechanism's last words, unless they have been said.
    pub words: Option<&'a [u8]>,
    /// The resource, and what the session began with; none was asked for, or it was refused.
    pub bound: Option<(&'a Jid, &'a [Payload])>,
    /// What became of the session that it claimed; of whom it is, when it is its own again.
    pub claimed: Option<(Option<&'a Jid>, &'a Payload)>,
    /// A token for the next time.
    pub token: Option<&'a Issued>,
}

/// The profile of RFC 6120 §6.4.
pub struct Rfc6120;

impl Profile for Rfc6120 {
    fn read(&self, element: Element<'_>) -> Option<Result<Said, Failure>> {
        if element.ns() != ns::SASL {
            return None;
        }
        match element.local() {
            "auth" => Some(auth(element)),
            "response" => Some(decode_lone(&element.text()).map(Said::Response)),
            "abort" => Some(Ok(Said::Abort)),
            _ => None,
        }
    }

    fn write(&self, says: Says<'_>, out: &mut Vec<u8>) {
        let (name, content) = match says {
            Says::Challenge(message) => ("challenge", BASE64_STANDARD.encode(message)),
            Says::Success(Granted { words, .. }) => {
                ("success", words.map(|words| BASE64_STANDARD.encode(words)).unwrap_or_default())
            }
            Says::Failure(failure) => {
                let text = failure.text().map(|text| format!("<text xml:lang='en'>{text}</text>"));
                ("failure", format!("<{}/>{}", failure.as_str(), text.unwrap_or_default()))
            }
            // Nobody can wish for one here.
            Says::Task(..) | Says::Salt(..) => return,
        };
        let element = match &*content {
            "" => format!("<{name} xmlns='{}'/>", ns::SASL),
            _ => format!("<{name} xmlns='{}'>{content}</{name}>", ns::SASL),
        };
        out.extend_from_slice(element.as_bytes());
    }
}

fn auth(element: Element<'_>) -> Result<Said, Failure> {
    let mechanism = element.attribute("mechanism").unwrap_or_default().into_owned();
    let text = element.text();
    let initial = (!text.is_empty()).then(|| decode_lone(&text)).transpose()?;
    Ok(Said::Auth(Auth { mechanism, initial, wishes: None }))
}

/// A lone `=` is an empty message (§6.4.2).
fn decode_lone(text: &str) -> Result<Vec<u8>, Failure> {
    if text == "=" {
        return Ok(Vec::new());
    }
    decode(text)
}

/// Base64 without anything else in it (RFC 4648 §4).
///
/// # Errors
/// `incorrect-encoding`.
pub fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    BASE64_STANDARD.decode(text).map_err(|_| Failure::IncorrectEncoding)
}
