//! The shape of every stream: one verb in, a list out, time as an argument. When the machine
//! needs the world it stops in a state and asks.

use crate::{
    ctx::{Ctx, Moment},
    hook::Replied,
    parcel::{Said, Say},
    port::{self, Fault},
    shard::WorldAnswer,
    stream::sasl::Failure,
    unit::{Credentials, Pos},
};
use std::sync::Arc;
use wire::{Bare, Stanza, StreamCondition, Text};

/// What happens to a stream.
pub enum Input<'a> {
    /// The peer said these bytes: of a stream, cut anywhere; of a stream in messages (RFC 7395),
    /// one whole message, which wants a machine that is hungry.
    Bytes(&'a [u8]),
    /// The peer is there: it has answered `Act::Ping`, or takes what has waited for it.
    Alive,
    /// The TLS handshake that `Act::StartTls` asked for, or the listener began with, is done.
    Secured(Tls),
    /// An answer to `Act::Ask`.
    Fact(Fact),
    /// The account says something.
    Say(Say),
    /// The moment of `Act::Wake` has come.
    Tick,
    /// The socket has ended or failed.
    Gone,
    /// The server stops: `system-shutdown`.
    Shutdown,
}

/// What the shell knows of a secured connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`, for log lines.
    pub version: &'static str,
    /// The channel binding `tls-exporter` (RFC 9266); none for TLS 1.2.
    pub exporter: Option<[u8; 32]>,
    /// The channel binding `tls-server-end-point` (RFC 5929 §4), of the certificate that was
    /// served; none when it is undefined for that one.
    pub end_point: Option<Arc<[u8]>>,
    /// The addresses that the client has proven to be its own, by a certificate that somebody
    /// vouches for whom the operator trusts (RFC 6120 §13.7.1.4).
    pub identities: Vec<Bare>,
}

impl Tls {
    /// Nothing is known.
    pub const UNKNOWN: Self =
        Self { version: "", exporter: None, end_point: None, identities: Vec::new() };
}

/// What the world is asked. One question at a time.
#[derive(Debug)]
pub enum Question {
    /// What is kept of this account's password.
    Credentials(Bare),
    /// What is kept of this account's password, and of its device of this id.
    Device(Bare, Text),
    /// Whether there is this account, and not disabled: somebody else, who may, wants to act as it.
    Account(Bare),
    /// The ends of what this account's archive shows.
    Ends(Bare),
    /// That the account's device of this id, of which the store has this, becomes that; at most
    /// `DEVICES_MAX` of them stay. Fails when the store has something else meanwhile.
    Settle {
        /// Of whom.
        account: Bare,
        /// The device.
        id: Text,
        /// What the store has.
        old: Option<Vec<u8>>,
        /// What it shall have.
        new: Vec<u8>,
    },
    /// That the account has these keys too. Fails when its password is another meanwhile.
    Upgrade(Bare, Credentials),
    /// Whether this password, prepared, is the one that is kept. Costs milliseconds of CPU, or
    /// the memory of Argon2id: not on the event loop.
    Verify {
        /// Whose it may be. What is kept of it may be brought up to date when it is.
        account: Bare,
        /// As the client sent it.
        password: Secret,
        /// What is kept; nothing when there is no such account.
        kept: Credentials,
        /// What is tried besides, so that every wrong password costs the same.
        made_up: Credentials,
    },
    /// Whether an account of this name may be made for somebody who stays unknown; it is.
    Guest(Bare),
    /// What a request is answered that came before login.
    Request {
        /// The host that is asked.
        host: Bare,
        /// The request.
        iq: Stanza,
        /// By whom it is answered.
        answer: WorldAnswer,
    },
}

impl Question {
    /// The account that somebody wants to log in to. Each login asks such a question, before it
    /// can know whether what was shown is right.
    pub fn logs_in(&self) -> Option<&Bare> {
        match self {
            Self::Credentials(of) | Self::Device(of, _) => Some(of),
            _ => None,
        }
    }
}

/// A password in memory. Its `Debug` tells nothing.
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The answers.
#[derive(Debug)]
pub enum Fact {
    /// To `Question::Credentials`; `None`: no such account.
    Credentials(Result<Option<Credentials>, Fault>),
    /// To `Question::Device`; `None`: no such account.
    Device(Result<Option<port::Device>, Fault>),
    /// To `Question::Account`.
    Account(Result<bool, Fault>),
    /// To `Question::Ends`; `None`: it shows nothing.
    Ends(Result<Option<(Pos, Pos)>, Fault>),
    /// To `Question::Settle` and `Question::Upgrade`.
    Settled(Result<(), Fault>),
    /// To `Question::Verify`.
    Verified(bool),
    /// To any question: too much is asked at once.
    Busy,
    /// To `Question::Credentials`: too many logins have failed.
    Throttled,
    /// To `Question::Guest`: whether it has been made.
    Guest(bool),
    /// To `Question::Request`.
    Replied(Replied),
}

/// What the shell must do: write `bytes` first, then the acts in order.
#[derive(Debug, Default)]
pub struct Out {
    /// For the peer.
    pub bytes: Vec<u8>,
    /// Where in `bytes` its elements end; header and footer are such too. A transport that has
    /// messages makes one of each (RFC 7395 §3.3).
    pub ends: Vec<usize>,
    /// For the shell.
    pub acts: Vec<Act>,
}

impl Out {
    /// Says one element, a header or a footer.
    pub fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

/// One thing for the shell to do.
#[derive(Debug)]
pub enum Act {
    /// Wrap the socket in TLS as its server, then `Input::Secured`. Bytes that the peer sent
    /// before are never seen again (RFC 6120 §5.4.3.3: they were not protected).
    StartTls,
    /// Find out and come back with a `Fact`.
    Ask(Question),
    /// Hand this to the account; the shell adds the link.
    Submit(Bare, Said),
    /// Who logs in as this account is that one: for the log.
    Impersonates(Bare, Bare),
    /// A login has been tried by this mechanism: for the log and its metric.
    Tried(&'static str, Result<(), Failure>),
    /// Ask the peer by the means of the transport whether it is there (RFC 7395 §3.8).
    Ping,
    /// Remove this account, which `Question::Guest` has made: nobody came to bind a resource.
    Forget(Bare),
    /// Come back with `Tick` then. The last one counts.
    Wake(Moment),
    /// Flush, close the socket (with `close_notify`), forget the machine.
    Close(Closed),
}

/// Why a stream ended, for the log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Either side said `</stream:stream>`.
    Properly,
    /// A stream error, sent by us.
    Error(StreamCondition, &'static str),
    /// The peer's stream error, or its socket's end.
    Peer,
}

/// A stream, seen from the shell.
pub trait Machine: Send {
    /// The one verb.
    fn handle(&mut self, ctx: &Ctx<'_>, input: Input<'_>, out: &mut Out);

    /// Whether it can take bytes now. While it waits for a fact or a bind, the socket is not
    /// read; what it has been given already it keeps.
    fn hungry(&self) -> bool;
}
