//! The client's side of SASL: PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), also bound to the
//! channel, and with the hash of what was offered (XEP-0474).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{EagerHash, Hmac, KeyInit, Mac, digest::Digest};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// From weak to strong, but for PLAIN, which costs the server most and us nothing.
const KNOWN: [&str; 4] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"];

/// The first mechanism we know of those offered.
pub fn choose<'a>(offered: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| offered.clone().any(|offer| offer == *known))
}

/// PLAIN's one message, in base64.
pub fn plain(local: &str, password: &str) -> String {
    BASE64.encode(format!("\0{local}\0{password}"))
}

/// What shows a token (draft-schmaus-kitten-sasl-ht): the client's message, and the answer of a
/// server that has the token, too; both in base64.
pub fn by_token(
    mechanism: &str,
    local: &str,
    token: &str,
    channel: &[u8],
) -> Option<(String, String)> {
    let hash = match mechanism.rsplit_once('-')?.0 {
        "HT-SHA-256" => Hash::of::<Sha256>(),
        "HT-SHA-512" => Hash::of::<Sha512>(),
        _ => return None,
    };
    let code = |role: &[u8]| (hash.mac)(token.as_bytes(), &[role, channel].concat());
    let message = [local.as_bytes(), &[0], &code(b"Initiator")].concat();
    Some((BASE64.encode(message), BASE64.encode(code(b"Responder"))))
}

/// The type of channel binding that a mechanism for tokens is named after, if it binds.
pub fn token_binding(mechanism: &str) -> Option<&'static str> {
    match mechanism.rsplit_once('-')?.1 {
        "EXPR" => Some("tls-exporter"),
        "ENDP" => Some("tls-server-end-point"),
        _ => None,
    }
}

/// What a client has seen of its connection before it logs in.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// A type of channel binding and its data, for mechanisms that bind.
    pub channel: Option<(String, Vec<u8>)>,
    /// The mechanisms that were offered.
    pub mechanisms: Vec<String>,
    /// The types of channel binding that were offered (XEP-0440).
    pub types: Vec<String>,
}

impl Seen {
    /// What XEP-0474 §5.1 hashes.
    fn listed(&self) -> String {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.join("\u{1e}")
        };
        match &self.types[..] {
            [] => sorted(&self.mechanisms),
            types => format!("{}\u{1f}{}", sorted(&self.mechanisms), sorted(types)),
        }
    }
}

/// A SCRAM exchange, seen from the client.
pub struct Scram {
    hash: Hash,
    password: String,
    first: String,
    /// The GS2 header and what binds the channel.
    binding: Vec<u8>,
    /// XEP-0474 §5.2: what the server must have hashed, if it hashes anything.
    listed: String,
    told: bool,
    server_signature: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Hash {
    mac: fn(&[u8], &[u8]) -> Vec<u8>,
    digest: fn(&[u8]) -> Vec<u8>,
    derive: fn(&[u8], &[u8], u32) -> Vec<u8>,
}

/// Passwords that were salted: password, salt, rounds and the length of the hash to the result.
type Salted = HashMap<(String, Vec<u8>, u32, usize), Vec<u8>>;

impl Hash {
    /// What RFC 5802 §3 derives from a password. A client that comes back keeps it (section 5.1).
    fn salted(&self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        static KNOWN: LazyLock<Mutex<Salted>> = LazyLock::new(Mutex::default);
        let length = (self.digest)(&[]).len();
        let key = (password.to_owned(), salt.to_vec(), rounds, length);
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let salted = (self.derive)(password.as_bytes(), salt, rounds);
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(key, salted.clone());
            salted
        })
    }

    fn of<D: EagerHash<Core: Sync> + Digest>() -> Self {
        Self {
            mac: |key, data| {
                let mac = Hmac::<D>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.chain_update(data).finalize().into_bytes().to_vec()
            },
            digest: |data| D::digest(data).to_vec(),
            derive: |password, salt, rounds| {
                let mut key = D::digest([]).to_vec();
                pbkdf2::pbkdf2_hmac::<D>(password, salt, rounds, &mut key);
                key
            },
        }
    }
}

impl Scram {
    /// Begins; gives the first message in base64.
    pub fn start(
        mechanism: &str,
        local: &str,
        password: &str,
        seen: &Seen,
    ) -> Option<(Self, String)> {
        Self::start_as(mechanism, local, "", password, seen)
    }

    /// The same, to act as `authzid`; where that is empty, as itself.
    pub fn start_as(
        mechanism: &str,
        local: &str,
        authzid: &str,
        password: &str,
        seen: &Seen,
    ) -> Option<(Self, String)> {
        let acts = if authzid.is_empty() { String::new() } else { format!("a={authzid}") };
        let plus = mechanism.strip_suffix("-PLUS");
        let (header, bound) = match (plus, &seen.channel) {
            (Some(_), Some((kind, data))) => (format!("p={kind},{acts},"), data.as_slice()),
            (Some(_), None) => return None,
            (None, _) => (format!("n,{acts},"), [].as_slice()),
        };
        let hash = match plus.unwrap_or(mechanism) {
            "SCRAM-SHA-1" => Hash::of::<Sha1>(),
            "SCRAM-SHA-256" => Hash::of::<Sha256>(),
            "SCRAM-SHA-512" => Hash::of::<Sha512>(),
            _ => return None,
        };
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).ok()?;
        let first = format!("n={local},r={}", BASE64.encode(nonce));
        let message = BASE64.encode(format!("{header}{first}"));
        let (password, listed) = (password.to_owned(), seen.listed());
        let binding = [header.as_bytes(), bound].concat();
        let (told, server_signature) = (false, Vec::new());
        Some((Self { hash, password, first, binding, listed, told, server_signature }, message))
    }

    /// Whether the server has told what it offered (XEP-0474).
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Answers the server's first message; both in base64.
    pub fn answer(&mut self, challenge: &str) -> Option<String> {
        let challenge = String::from_utf8(BASE64.decode(challenge).ok()?).ok()?;
        let field = |name| challenge.split(',').find_map(|part| part.strip_prefix(name));
        let (nonce, salt) = (field("r=")?, BASE64.decode(field("s=")?).ok()?);
        let ours = self.first.split_once(",r=")?.1;
        if !nonce.starts_with(ours) || nonce.len() <= ours.len() {
            return None;
        }
        if let Some(told) = field("h=") {
            if told != BASE64.encode((self.hash.digest)(self.listed.as_bytes())) {
                return None;
            }
            self.told = true;
        }
        let rounds = field("i=")?.parse().ok()?;
        let salted = self.hash.salted(&self.password, &salt, rounds);
        let client_key = (self.hash.mac)(&salted, b"Client Key");
        let server_key = (self.hash.mac)(&salted, b"Server Key");
        let last = format!("c={},r={nonce}", BASE64.encode(&self.binding));
        let message = format!("{},{challenge},{last}", self.first);
        let signature = (self.hash.mac)(&(self.hash.digest)(&client_key), message.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
        self.server_signature = (self.hash.mac)(&server_key, message.as_bytes());
        Some(BASE64.encode(format!("{last},p={}", BASE64.encode(proof))))
    }

    /// Whether the server's last message proves that it knows the password, too.
    pub fn is_proven(&self, last: &str) -> bool {
        let signature = format!("v={}", BASE64.encode(&self.server_signature));
        !self.server_signature.is_empty()
            && BASE64.decode(last).is_ok_and(|last| last == signature.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 §5
    #[test]
    fn the_example_of_the_rfc_works() {
        let (mut scram, _) =
            Scram::start("SCRAM-SHA-1", "user", "pencil", &Seen::default()).unwrap();
        scram.first = "n=user,r=fyko+d2lbbFgONRv9qkxdawL".into();
        let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let answer = scram.answer(&BASE64.encode(challenge)).unwrap();
        let answer = String::from_utf8(BASE64.decode(answer).unwrap()).unwrap();
        assert!(answer.ends_with(",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), "{answer}");
        assert!(scram.is_proven(&BASE64.encode("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")));
        assert!(!scram.is_proven(&BASE64.encode("v=AAAA")));
    }

    #[test]
    fn the_example_of_xep_0474_works_and_one_that_was_tampered_with_does_not() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let seen = Seen {
            channel: Some(("tls-exporter".into(), b"THIS IS FAKE CB DATA".into())),
            mechanisms: list(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]),
            types: list(&["tls-server-end-point", "tls-exporter"]),
        };
        let stripped = Seen { types: list(&["tls-server-end-point"]), ..seen.clone() };
        for (seen, whole) in [(seen, true), (stripped, false)] {
            let (mut scram, first) =
                Scram::start("SCRAM-SHA-1-PLUS", "user", "pencil", &seen).unwrap();
            let first = String::from_utf8(BASE64.decode(first).unwrap()).unwrap();
            assert!(first.starts_with("p=tls-exporter,,n=user,r="), "{first}");
            scram.first = "n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6".into();
            let challenge = "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-\
                93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=";
            let answer = scram.answer(&BASE64.encode(challenge));
            assert_eq!(answer.is_some(), whole);
            assert_eq!(scram.is_told(), whole);
            let binding = "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,";
            let begins = |answer| BASE64.decode(answer).unwrap().starts_with(binding.as_bytes());
            assert!(answer.is_none_or(begins));
        }
    }
}
