//! What the client says.

use crate::world::{Login, PASSWORD, World};
use arbitrary::Arbitrary;
use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{
    stream::{machine::Tls, sasl::Ht},
    wire::Bare,
};

pub const EXPORTER: [u8; 32] = [0xe5; 32];
pub const END_POINT: [u8; 32] = [0xed; 32];

/// What TLS has found out. Certificates name romeo, somebody elsewhere, or who has no account.
#[derive(Arbitrary, Debug)]
pub struct Channel {
    exporter: bool,
    end_point: bool,
    stranger: bool,
    nobody: bool,
    pub romeo: bool,
}

impl Channel {
    pub fn tls(&self) -> Tls {
        let named = [
            (self.stranger, "juliet@montague.lit"),
            (self.nobody, "nobody@capulet.lit"),
            (self.romeo, "romeo@capulet.lit"),
        ];
        let named = named.into_iter().filter_map(|(is, name)| is.then_some(name));
        Tls {
            exporter: self.exporter.then_some(EXPORTER),
            end_point: self.end_point.then(|| END_POINT.as_slice().into()),
            identities: named.map(|name| Bare::parse(name).expect("is an address")).collect(),
            ..Tls::UNKNOWN
        }
    }
}

#[derive(Arbitrary, Debug)]
pub enum Mechanism {
    Plain,
    Sha1,
    Sha256,
    Sha512,
    Sha1Plus,
    Sha256Plus,
    Sha512Plus,
    External,
    Anonymous,
    Token(Kind),
    Other,
}

impl Mechanism {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
            Self::Sha1Plus => "SCRAM-SHA-1-PLUS",
            Self::Sha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Sha512Plus => "SCRAM-SHA-512-PLUS",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
            Self::Token(kind) => kind.name(),
            Self::Other => "DIGEST-MD5",
        }
    }
}

/// The mechanism of a token.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None256,
    Expr256,
    Endp256,
    None512,
    Expr512,
    Endp512,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::None256 => "HT-SHA-256-NONE",
            Self::Expr256 => "HT-SHA-256-EXPR",
            Self::Endp256 => "HT-SHA-256-ENDP",
            Self::None512 => "HT-SHA-512-NONE",
            Self::Expr512 => "HT-SHA-512-EXPR",
            Self::Endp512 => "HT-SHA-512-ENDP",
        }
    }

    pub fn ht(self) -> Ht {
        Ht::named(self.name()).expect("is known")
    }

    /// What it binds to.
    pub fn flag(self) -> Flag {
        match self {
            Self::None256 | Self::None512 => Flag::No,
            Self::Expr256 | Self::Expr512 => Flag::Exporter,
            Self::Endp256 | Self::Endp512 => Flag::EndPoint,
        }
    }

    /// What the connection has to bind it to.
    pub fn data(self, tls: &Tls) -> Option<Vec<u8>> {
        match self {
            Self::None256 | Self::None512 => Some(Vec::new()),
            Self::Expr256 | Self::Expr512 => tls.exporter.map(|data| data.to_vec()),
            Self::Endp256 | Self::Endp512 => tls.end_point.as_ref().map(|data| data.to_vec()),
        }
    }
}

/// What is under the base64, or instead of it.
#[derive(Arbitrary, Debug)]
pub enum Message<'a> {
    NotBase64(&'a str),
    Bytes(&'a [u8]),
    Plain { authzid: Name<'a>, user: Name<'a>, password: Password<'a> },
    First { flag: Flag, authzid: Option<Name<'a>>, user: Name<'a>, nonce: &'a str, more: &'a str },
    Final { binding: Flag, nonce: Option<&'a str>, more: &'a str, proof: Proof<'a> },
}

#[derive(Arbitrary, Debug)]
pub enum Password<'a> {
    Romeos,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
pub enum Name<'a> {
    None,
    Juliet,
    JulietsAddress,
    Romeo,
    RomeosAddress,
    NursesAddress,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
pub enum Flag {
    No,
    Yes,
    Exporter,
    EndPoint,
    Unique,
}

#[derive(Arbitrary, Debug)]
pub enum Proof<'a> {
    Zeros(u8),
    StoredKey,
    Bytes(&'a [u8]),
}

impl Name<'_> {
    pub fn text(&self) -> &str {
        match self {
            Self::None => "",
            Self::Juliet => "juliet",
            Self::JulietsAddress => "juliet@capulet.lit",
            Self::Romeo => "romeo",
            Self::RomeosAddress => "romeo@capulet.lit",
            Self::NursesAddress => "nurse@capulet.lit",
            Self::Other(name) => name,
        }
    }
}

impl Flag {
    fn text(&self) -> &str {
        match self {
            Self::No => "n",
            Self::Yes => "y",
            Self::Exporter => "p=tls-exporter",
            Self::EndPoint => "p=tls-server-end-point",
            Self::Unique => "p=tls-unique",
        }
    }

    /// What the channel has of it: a client knows that without the secret.
    pub fn data(&self) -> &'static [u8] {
        match self {
            Self::No | Self::Yes | Self::Unique => &[],
            Self::Exporter => &EXPORTER,
            Self::EndPoint => &END_POINT,
        }
    }
}

/// A client's device.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    None,
    Phone,
    Laptop,
}

impl Device {
    pub fn id(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Phone => Some("phone"),
            Self::Laptop => Some("laptop"),
        }
    }
}

/// What else it wants.
#[derive(Arbitrary, Debug)]
pub struct Wishes {
    pub device: Device,
    token: Option<Kind>,
    sha256: bool,
    sha512: bool,
    bind: bool,
}

impl Wishes {
    pub fn login(&self, uses: Option<(bool, u64, bool)>) -> Login {
        Login { device: self.device, wish: self.token, uses }
    }

    pub fn text(&self) -> String {
        let agent = self.device.id().map(|id| format!("<user-agent id='{id}'/>"));
        let request = self.token.map(|kind| {
            let mechanism = kind.name();
            format!("<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>")
        });
        let upgrade = |wanted: bool, bits: u32| {
            wanted.then(|| {
                format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-{bits}</upgrade>")
            })
        };
        let bind = self.bind.then(|| "<bind xmlns='urn:xmpp:bind:0'/>".to_owned());
        let all = [agent, request, upgrade(self.sha256, 256), upgrade(self.sha512, 512), bind];
        all.into_iter().flatten().collect()
    }
}

/// A token of romeo's, used right or wrong.
#[derive(Arbitrary, Debug)]
pub struct TokenUse<'a> {
    pub user: Name<'a>,
    /// Whose it is.
    pub device: Device,
    /// The one that it has been given last, or the one that it has used last.
    pub fresh: bool,
    /// Nothing that anybody was given.
    pub guessed: Option<&'a str>,
    pub kind: Kind,
    /// What only the server says.
    pub responder: bool,
    pub bound: Flag,
    pub count: Option<u8>,
    pub invalidate: bool,
}

impl TokenUse<'_> {
    pub fn text(&self) -> String {
        let count = self.count.map(|count| format!(" count='{count}'")).unwrap_or_default();
        let invalidate = if self.invalidate { " invalidate='true'" } else { "" };
        format!("<fast xmlns='urn:xmpp:fast:0'{count}{invalidate}/>")
    }
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

impl World {
    pub fn message(&self, message: &Message<'_>) -> String {
        encoded(match message {
            Message::NotBase64(text) => return (*text).to_owned(),
            Message::Bytes(bytes) => return encoded(bytes),
            Message::Plain { authzid, user, password } => {
                let password = match password {
                    Password::Romeos => PASSWORD,
                    Password::Other(password) => password,
                };
                format!("{}\0{}\0{password}", authzid.text(), user.text())
            }
            Message::First { flag, authzid, user, nonce, more } => {
                let authzid = authzid.as_ref().map(|name| format!("a={}", name.text()));
                let (flag, user) = (flag.text(), user.text());
                format!("{flag},{},n={user},r={nonce}{more}", authzid.unwrap_or_default())
            }
            Message::Final { binding, nonce, more, proof } => {
                let header = format!("{},,", binding.text());
                let binding = encoded([header.as_bytes(), binding.data()].concat());
                let nonce = nonce.unwrap_or(&self.nonce);
                let proof = match proof {
                    Proof::Zeros(length) => vec![0; usize::from(*length)],
                    Proof::StoredKey => self.stored_key(),
                    Proof::Bytes(bytes) => bytes.to_vec(),
                };
                format!("c={binding},r={nonce}{more},p={}", encoded(proof))
            }
        })
    }

    /// Whether it shows a secret.
    pub fn is_true(&self, message: &Message<'_>) -> bool {
        matches!(
            message,
            Message::Plain { user: Name::Romeo, password: Password::Romeos, .. }
                | Message::Plain { user: Name::Other(_), password: Password::Romeos, .. }
                | Message::Plain { password: Password::Other(PASSWORD), .. }
        )
    }

    /// The message that shows a token; and which it is, if that is right.
    pub fn token(&self, used: &TokenUse<'_>) -> (String, Option<(bool, u64, bool)>) {
        let given = self.given(used.device, used.fresh).filter(|_| used.guessed.is_none());
        let secret = given.map_or(used.guessed.unwrap_or_default(), |given| &given.secret);
        let code = match used.responder {
            true => used.kind.ht().responder(secret, used.bound.data()),
            false => used.kind.ht().initiator(secret, used.bound.data()),
        };
        let message = encoded([used.user.text().as_bytes(), b"\0", &*code].concat());
        let count = used.count.map_or(0, u64::from);
        let right = given.is_some_and(|given| {
            let bound = used.kind.data(&self.tls).is_some_and(|data| data == used.bound.data());
            let counted = count > given.count || given.count == 0;
            let alive = given.changed == self.romeo.changed && given.expires_ms > self.now.0;
            let romeo = matches!(used.user, Name::Romeo | Name::Other(_));
            romeo && bound && counted && alive && given.kind == used.kind && !used.responder
        });
        (message, right.then_some((used.fresh, count, used.invalidate)))
    }
}
