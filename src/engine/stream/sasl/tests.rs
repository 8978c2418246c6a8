//! The client's half of SCRAM.

use super::*;
use base64::{Engine, prelude::BASE64_STANDARD};

/// The client's final message with this GS2 header and channel binding, and the server's signature
/// that must follow (RFC 5802 §3).
pub(in crate::stream) fn client_final(
    hash: Hash,
    password: &str,
    gs2: &[u8],
    first: &str,
    server_first: &str,
) -> (String, String) {
    let value = |name: &str| {
        let found = server_first.split(',').find_map(|part| part.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {server_first}"))
    };
    let salt = BASE64_STANDARD.decode(value("s=")).unwrap();
    let iterations = value("i=").parse().unwrap();
    let without_proof = format!("c={},r={}", BASE64_STANDARD.encode(gs2), value("r="));
    let auth_message = format!("{first},{server_first},{without_proof}");
    let salted = hash.stretch(password.as_bytes(), &salt, iterations);
    let client_key = hash.hmac(&salted, &[b"Client Key"]);
    let stored_key = hash.digest(&client_key);
    let signature = hash.hmac(&stored_key, &[auth_message.as_bytes()]);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server_key = hash.hmac(&salted, &[b"Server Key"]);
    let signature = hash.hmac(&server_key, &[auth_message.as_bytes()]);
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    (format!("{without_proof},p={}", encode(&proof)), encode(&signature))
}

/// The hash function of a mechanism.
pub(in crate::stream) fn digest(hash: Hash, bytes: &[u8]) -> Vec<u8> {
    hash.digest(bytes)
}
