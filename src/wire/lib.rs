//! Bytes to stanzas and back: one strict decoder for every transport, and canonical bytes.
//!
//! No clock, no I/O, no async. What comes out of the [`Decoder`] has been checked once, in full,
//! and is kept as *canonical* bytes: no prefixes on elements, one way of quoting and escaping.
//! What is routed later is a slice of those bytes, so no other parser can read something else
//! into them (stanza smuggling), and the body of a message is never serialized again.
//!
//! - in: [`Decoder`] gives [`Frame`]s or a [`Flaw`], the stream error to close with
//! - look: [`Stanza::child`] and [`Element`], views that cannot fail; [`Element::read`] for types
//! - out: [`Draft`] builds a [`Payload`]; [`Stanza::write`] renders the head and splices the rest

mod body;
mod canonical;
mod chars;
mod decoder;
mod draft;
mod element;
mod error;
mod escape;
mod frame;
mod head;
mod header;
mod jid;
mod limits;
mod name;
mod names;
mod prolog;
mod scope;
mod shared;
mod stanza;
mod tag;
mod text;

pub use bytestring::ByteString as Text;
pub use xso::{AsXml, FromXml};

pub use body::{Body, BodyDecoder, Wrapper};
pub use decoder::{Content, Decoder};
pub use draft::Draft;
pub use element::{Element, Payload};
pub use error::{ErrorType, Flaw, StanzaCondition, StanzaError, StreamCondition, StreamError};
pub use escape::escaped_len;
pub use frame::{Frame, Open};
pub use head::{Head, Kind};
pub use header::{CLOSE, Header};
pub use jid::{Bare, Jid, JidError};
pub use limits::Limits;
pub use name::{Name, ns};
pub use shared::Shared;
pub use stanza::{Framing, Stanza};
