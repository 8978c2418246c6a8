//! SCRAM (RFC 5802, RFC 7677), the server's side, with channel binding (§6) and without. What the
//! server says first has a hash of what was offered, so that a client notices when some of that was
//! taken away (XEP-0474).
//!
//! ```text
//!   First ──client-first──▶ Keys ──keys──▶ Final ──client-final──▶ success or failure
//! ```

use super::{
    Advertised, Exchange, Failure, Hash, Kept, Step, Success, account, authorization, key,
};
use crate::{
    ctx::Ctx,
    stream::machine::{Fact, Question},
    unit::ScramKeys,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;
use wire::Bare;

/// Where the exchange is.
pub struct Scram {
    hash: Hash,
    state: State,
}

enum State {
    /// The client's first message is awaited.
    First { domain: Bare, channel: Channel },
    /// The account's keys are awaited.
    Keys { identity: Identity, first: First, advertised: String },
    /// The client's final message is awaited.
    Final { identity: Identity, known: bool, of: Kept, keys: ScramKeys, said: Said },
}

/// Who the client says that it is.
struct Identity {
    account: Bare,
    /// As whom it wants to act.
    other: Option<Bare>,
}

/// What the connection gives to bind to.
struct Channel {
    /// The mechanism is one of those that bind.
    plus: bool,
    /// Some of those are offered.
    offered: bool,
    /// Types, and the data of each.
    bindings: Vec<(&'static str, Box<[u8]>)>,
    /// The hash of XEP-0474 §5.1.
    advertised: String,
}

/// What the client's first message leaves behind.
struct First {
    /// The GS2 header and the channel's binding in base64, which `c=` must repeat.
    binding: String,
    bare: String,
    nonce: String,
}

/// What both have said before the client's final message.
struct Said {
    binding: String,
    /// Both nonces.
    nonce: String,
    /// `client-first-message-bare "," server-first-message ","`.
    auth_message: String,
}

impl Scram {
    pub(super) fn new(hash: Hash, plus: bool, advertised: &Advertised<'_>) -> Self {
        let bindings = advertised.bindings().map(|(binding, data)| (binding.name(), data.into()));
        let channel = Channel {
            plus,
            offered: advertised.binds(),
            bindings: bindings.collect(),
            advertised: advertised.hash(hash),
        };
        Self { hash, state: State::First { domain: advertised.domain.clone(), channel } }
    }

    pub(super) fn response(self, ctx: &Ctx<'_>, message: &str) -> Result<Step, Failure> {
        let hash = self.hash;
        match self.state {
            State::First { domain, channel } => {
                let ClientFirst { authzid, user, first } = read_first(message, &channel)?;
                let account = account(&user, &domain)?;
                let other = authorization::other(ctx, &authzid, &account)?;
                let question = Question::Credentials(account.clone());
                let first = First { nonce: first.nonce + &ctx.token(), ..first };
                let advertised = channel.advertised;
                let identity = Identity { account, other };
                let next = Self { hash, state: State::Keys { identity, first, advertised } };
                Ok(Step::Ask(Exchange::Scram(Box::new(next)), question))
            }
            State::Final { identity: Identity { account, other }, known, of, keys, said } => {
                let signature = prove(hash, &keys, &said, message);
                match signature {
                    Ok(signature) if known => {
                        let success = Success::of(account, &of, Some(signature));
                        Ok(Step::Success(success.wanting(other)))
                    }
                    Ok(_) => Err(Failure::NotAuthorized),
                    Err(failure) => Err(failure),
                }
            }
            State::Keys { .. } => Err(Failure::MalformedRequest),
        }
    }

    pub(super) fn fact(self, ctx: &Ctx<'_>, fact: Fact) -> Result<Step, Failure> {
        let (State::Keys { identity, first, advertised }, Fact::Credentials(Ok(found))) =
            (self.state, fact)
        else {
            return Err(Failure::TemporaryAuthFailure);
        };
        let made_up = key::made_up(&ctx.settings.secret, &identity.account);
        let of = found.as_ref().map_or_else(Kept::default, Kept::from);
        let found = found.as_ref().and_then(|found| self.hash.keys(found));
        let known = found.is_some();
        let keys = found.or(self.hash.keys(&made_up)).cloned();
        let keys = keys.expect("keys are made up for every hash");
        let server_first = server_first(&first.nonce, &keys, &advertised);
        let said = Said {
            auth_message: format!("{},{server_first},", first.bare),
            binding: first.binding,
            nonce: first.nonce,
        };
        let state = State::Final { identity, known, of, keys, said };
        let next = Self { hash: self.hash, state };
        Ok(Step::Challenge(Exchange::Scram(Box::new(next)), server_first))
    }
}

/// A client's first message, read.
struct ClientFirst {
    authzid: String,
    user: String,
    first: First,
}

impl Channel {
    /// What the client must know of the channel (RFC 5802 §6).
    fn bound(&self, flag: &str) -> Result<&[u8], Failure> {
        match (flag, flag.strip_prefix("p="), self.plus) {
            // It can bind, and has not seen that we can.
            ("y", _, false) if self.offered => Err(Failure::ChannelBindingStripped),
            ("n" | "y", _, false) => Ok(&[]),
            (_, Some(kind), true) => {
                let found = self.bindings.iter().find(|(name, _)| *name == kind);
                found.map(|(_, data)| &**data).ok_or(Failure::ChannelBindingUnsupported)
            }
            (_, Some(_), false) => Err(Failure::ChannelBindingUnsupported),
            _ => Err(Failure::MalformedRequest),
        }
    }
}

/// `gs2-header client-first-message-bare` (RFC 5802 §7).
fn read_first(message: &str, channel: &Channel) -> Result<ClientFirst, Failure> {
    let malformed = Failure::MalformedRequest;
    let (flag, rest) = message.split_once(',').ok_or(malformed)?;
    let bound = channel.bound(flag)?;
    let (authzid, bare) = rest.split_once(',').ok_or(malformed)?;
    let header = &message[..message.len() - bare.len()];
    let authzid = match authzid.strip_prefix("a=") {
        Some(name) => unescape(name).ok_or(malformed)?,
        None if authzid.is_empty() => String::new(),
        None => return Err(malformed),
    };
    // A mandatory extension stands where `n=` is looked for, and so is refused (§5.1, `m`).
    let mut attributes = bare.split(',');
    let user = attributes.next().and_then(|user| user.strip_prefix("n=")).ok_or(malformed)?;
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(malformed)?;
    let user = unescape(user).filter(|user| !user.is_empty()).ok_or(malformed)?;
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed);
    }
    let binding = BASE64_STANDARD.encode([header.as_bytes(), bound].concat());
    let first = First { binding, bare: bare.to_owned(), nonce: nonce.to_owned() };
    Ok(ClientFirst { authzid, user, first })
}

/// `server-first-message` (RFC 5802 §7), with the hash of XEP-0474 §5.1.
fn server_first(nonce: &str, keys: &ScramKeys, advertised: &str) -> String {
    let salt = BASE64_STANDARD.encode(&keys.salt);
    format!("r={nonce},s={salt},i={},h={advertised}", keys.iterations)
}

/// Checks `client-final-message`; the server's signature when the proof is right.
fn prove(hash: Hash, keys: &ScramKeys, said: &Said, message: &str) -> Result<String, Failure> {
    let malformed = Failure::MalformedRequest;
    let (without_proof, proof) = message.rsplit_once(",p=").ok_or(malformed)?;
    let mut attributes = without_proof.split(',');
    let binding = attributes.next().and_then(|binding| binding.strip_prefix("c="));
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
    let (binding, nonce) = (binding.ok_or(malformed)?, nonce.ok_or(malformed)?);
    let proof = BASE64_STANDARD.decode(proof).map_err(|_| malformed)?;
    if binding != said.binding {
        return Err(Failure::ChannelBindingMismatch);
    }
    if nonce != said.nonce {
        return Err(Failure::NotAuthorized);
    }
    let auth_message = [said.auth_message.as_bytes(), without_proof.as_bytes()];
    let signature = hash.hmac(&keys.stored_key, &auth_message);
    if proof.len() != signature.len() {
        return Err(Failure::NotAuthorized);
    }
    let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    if !bool::from(hash.digest(&client_key).ct_eq(&keys.stored_key)) {
        return Err(Failure::NotAuthorized);
    }
    let signature = hash.hmac(&keys.server_key, &auth_message);
    Ok(format!("v={}", BASE64_STANDARD.encode(signature)))
}

/// `saslname`: `=2C` is a comma, `=3D` an equals sign, and no other `=` may stand there (§5.1).
fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = part
            .strip_prefix("2C")
            .map(|rest| (',', rest))
            .or_else(|| part.strip_prefix("3D").map(|rest| ('=', rest)))?;
        plain.push(sign);
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole exchange as printed in a specification: the client's first message, what the
    /// server says, the client's final message, the server's signature.
    struct Vector {
        hash: Hash,
        salt: &'static str,
        client_first: &'static str,
        nonce: &'static str,
        proof: &'static str,
        signature: &'static str,
    }

    impl Vector {
        fn holds(&self) {
            let salt = BASE64_STANDARD.decode(self.salt).unwrap();
            let keys = key::derive("pencil", &salt, 4096, self.hash);
            let first = read_first(self.client_first, &unbound()).ok().unwrap().first;
            let server_first = format!("r={},s={},i=4096", self.nonce, self.salt);
            let said = Said {
                binding: first.binding,
                nonce: self.nonce.to_owned(),
                auth_message: format!("{},{server_first},", first.bare),
            };
            let client_final = format!("c=biws,r={},p={}", self.nonce, self.proof);
            let signature = format!("v={}", self.signature);
            assert_eq!(prove(self.hash, &keys, &said, &client_final), Ok(signature));
            let forged = client_final.replacen("p=", "x=y,p=", 1);
            let refused = Err(Failure::NotAuthorized);
            assert_eq!(prove(self.hash, &keys, &said, &forged), refused);
        }
    }

    fn unbound() -> Channel {
        let (bindings, advertised) = Default::default();
        Channel { plus: false, offered: false, bindings, advertised }
    }

    #[test]
    fn the_exchange_of_rfc5802_5() {
        Vector {
            hash: Hash::Sha1,
            salt: "QSXCR+Q6sek8bf92",
            client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            nonce: "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            signature: "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        }
        .holds();
    }

    #[test]
    fn the_exchange_of_rfc7677_3() {
        Vector {
            hash: Hash::Sha256,
            salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            nonce: "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        }
        .holds();
    }

    /// No specification prints one for SHA-512: the salt and nonces of RFC 7677, proof and
    /// signature computed by Python's hashlib and hmac.
    #[test]
    fn an_exchange_of_scram_sha_512() {
        Vector {
            hash: Hash::Sha512,
            salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            nonce: "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            proof: "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw\
                    +3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            signature: "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0v\
                        SVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        }
        .holds();
    }

    /// Bound to data that is made up.
    #[test]
    fn the_exchange_of_xep_0474_5_3() {
        let salt = BASE64_STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
        let keys = key::derive("pencil", &salt, 4096, Hash::Sha1);
        let channel = Channel {
            plus: true,
            offered: true,
            bindings: vec![("tls-exporter", b"THIS IS FAKE CB DATA".as_slice().into())],
            advertised: "G6k/rBLDqgOhRRaCuuatSDFkJ08=".to_owned(),
        };
        let theirs = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
        let nonce = format!("{theirs}a09117a6-ac50-4f2f-93f1-93799c2bddf6");
        let message = format!("p=tls-exporter,,n=user,r={theirs}");
        let first = read_first(&message, &channel).ok().unwrap().first;
        let server_first = server_first(&nonce, &keys, &channel.advertised);
        let said = Said {
            auth_message: format!("{},{server_first},", first.bare),
            binding: first.binding,
            nonce: nonce.clone(),
        };
        let last = format!(
            "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r={nonce},\
             x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4="
        );
        let signature = "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=".to_owned();
        assert_eq!(prove(Hash::Sha1, &keys, &said, &last), Ok(signature));
    }

    #[test]
    fn a_saslname_is_unescaped_rfc5802_5_1() {
        assert_eq!(unescape("juliet").as_deref(), Some("juliet"));
        assert_eq!(unescape("a=2Cb=3Dc").as_deref(), Some("a,b=c"));
        assert_eq!(unescape("=3D2C").as_deref(), Some("=2C"));
        for bad in ["a=", "a=2", "a=2c", "a=3d", "a==3D", "=41"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_first_message_is_read_rfc5802_7() {
        let channel = unbound();
        let read = |message| read_first(message, &channel).map(|first| (first.authzid, first.user));
        let user = |authzid: &str| Ok((authzid.to_owned(), "user".to_owned()));
        assert_eq!(read("n,,n=user,r=abc"), user(""));
        assert_eq!(read("y,,n=user,r=abc"), user(""));
        assert_eq!(read("n,,n=user,r=abc,x=optional"), user(""));
        assert_eq!(read("n,a=user@a=2Cb,n=user,r=abc"), user("user@a,b"));
        // Channel binding is not offered (§6).
        let unsupported = Err(Failure::ChannelBindingUnsupported);
        assert_eq!(read("p=tls-exporter,,n=user,r=abc"), unsupported);
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "x,,n=user,r=abc",
            "n,user,n=user,r=abc",
            "n,a=x=y,n=user,r=abc",
            "n,,m=must,n=user,r=abc",
            "n,,r=abc,n=user",
            "n,,n=,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=user,r=",
            "n,,n=user,r=a b",
            "n,,n=user,r=ä",
            "n,,n=user",
        ] {
            assert_eq!(read(bad), Err(Failure::MalformedRequest), "{bad}");
        }
    }

    #[test]
    fn the_final_message_must_repeat_binding_and_nonce_rfc5802_5_1() {
        let keys = key::derive("pencil", b"salt", 1, Hash::Sha1);
        let said = Said {
            binding: "biws".to_owned(),
            nonce: "abc123".to_owned(),
            auth_message: "n=user,r=abc,r=abc123,s=c2FsdA==,i=1,".to_owned(),
        };
        let prove = |message: &str| prove(Hash::Sha1, &keys, &said, message);
        let proof = BASE64_STANDARD.encode([0; 20]);
        let other = format!("c=eSws,r=abc123,p={proof}");
        assert_eq!(prove(&other), Err(Failure::ChannelBindingMismatch));
        for wrong in [
            format!("c=biws,r=abc,p={proof}"),
            format!("c=biws,r=abc1234,p={proof}"),
            format!("c=biws,r=abc123,p={proof}"),
            "c=biws,r=abc123,p=".to_owned(),
            "c=biws,r=abc123,p=AAAA".to_owned(),
        ] {
            assert_eq!(prove(&wrong), Err(Failure::NotAuthorized), "{wrong}");
        }
        for malformed in [
            "",
            "c=biws,r=abc123",
            "r=abc123,c=biws,p=AAAA",
            "c=biws,p=AAAA",
            "c=biws,r=abc123,p=*",
            "m=x,c=biws,r=abc123,p=AAAA",
        ] {
            assert_eq!(prove(malformed), Err(Failure::MalformedRequest), "{malformed}");
        }
    }
}
