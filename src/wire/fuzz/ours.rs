//! Our own verdict.

use wire::{Content, Decoder, Flaw, Frame, Framing, Limits};

/// Limits that a fuzzer does not reach, so that verdicts are about XML.
pub const ROOMY: Limits = Limits {
    stanza_bytes_max: 1 << 24,
    depth_max: 200,
    elements_max: 1 << 20,
    attributes_max: 1 << 12,
    namespaces_max: 1 << 12,
    name_bytes_max: 1 << 14,
};

/// The canonical bytes of all frames of a document, in a stream again; `None` if it is not
/// complete.
pub fn canonical(document: &[u8]) -> Result<Option<Vec<u8>>, Flaw> {
    let mut decoder = Decoder::new(Content::Client, ROOMY);
    let mut input = document;
    let mut out = b"<s xmlns='jabber:client'>".to_vec();
    let mut closed = false;
    while let Some(frame) = decoder.next(&mut input)? {
        match frame {
            Frame::Open(_) => {}
            Frame::Stanza(stanza) => stanza.write(Framing::Stream, &mut out),
            Frame::Element(payload) => out.extend_from_slice(payload.as_str().as_bytes()),
            Frame::Close => closed = true,
        }
    }
    out.extend_from_slice(b"</s>");
    Ok(closed.then_some(out))
}
