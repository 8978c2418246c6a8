//! Any bytes in any chunks: the same frames and the same flaw, bounded memory, no panic; and
//! canonical bytes that read back to themselves.
#![no_main]

use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};
use wire::{Content, Decoder, Flaw, Frame, Limits, Stanza};

fuzz_target!(|data: &[u8]| {
    // The last 16 bytes choose chunks and limits, so that the document itself stays readable.
    let (document, choices) = data.split_at(data.len().saturating_sub(16));
    let mut choices = Unstructured::new(choices);
    let bytes_max = usize::from(choices.arbitrary::<u8>().unwrap_or(255)) * 16 + 16;
    let small = Limits { stanza_bytes_max: bytes_max, ..Limits::BEFORE_AUTH };
    for limits in [small, Limits::CLIENT] {
        let whole = decode(document, limits, |_| usize::MAX);
        let sizes: [u8; 8] = choices.arbitrary().unwrap_or([3; 8]);
        for sizes in [sizes, [1; 8]] {
            let cut = |document| decode(document, limits, |turn| sizes[turn % 8].into());
            if cut(document) == whole {
                continue;
            }
            // A flaw in a long tag may be told later, but no later than at the limit.
            let tail = vec![b'x'; limits.stanza_bytes_max + 1];
            let longer = [document, &tail].concat();
            let whole = decode(&longer, limits, |_| usize::MAX);
            assert_eq!(cut(&longer), whole, "in chunks of {sizes:?}");
        }
    }
});

/// The frames as text, and the flaw if there was one.
fn decode(
    document: &[u8],
    limits: Limits,
    size: impl Fn(usize) -> usize,
) -> (Vec<String>, Option<Flaw>) {
    let mut decoder = Decoder::new(Content::Client, limits);
    let mut frames = Vec::new();
    let mut rest = document;
    for turn in 0.. {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(size(turn).clamp(1, rest.len()));
        rest = after;
        let mut input = chunk;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => frames.push(describe(&frame)),
                Ok(None) => break,
                Err(flaw) => {
                    assert_eq!(decoder.next(&mut &b"<a/>"[..]).expect_err("final"), flaw);
                    return (frames, Some(flaw));
                }
            }
        }
        assert!(input.is_empty(), "all input is taken");
        let held = decoder.held_bytes();
        assert!(held <= 5 * limits.stanza_bytes_max + 64 * 1024, "holds {held} bytes");
    }
    (frames, None)
}

fn describe(frame: &Frame) -> String {
    match frame {
        Frame::Stanza(stanza) => {
            let text = stanza.to_text();
            assert!(text.len() <= stanza.wire_len() + 6 * text.len(), "length");
            let mut plain = stanza.clone();
            plain.head.to_malformed = false;
            plain.head.from_malformed = false;
            plain.head.to_respelled = false;
            assert_eq!(Stanza::parse_one(&text).as_ref(), Ok(&plain));
            walk(stanza.children());
        }
        Frame::Element(payload) => {
            walk(std::iter::once(payload.element()));
            let wrapped = format!("<message>{}</message>", payload.as_str());
            let stanza = Stanza::parse_one(&wrapped).expect("canonical");
            assert_eq!(stanza.to_text(), wrapped.as_str());
        }
        Frame::Open(open) => walk(std::iter::once(open.element())),
        Frame::Close => {}
    }
    format!("{frame:?}")
}

fn walk<'e>(elements: impl Iterator<Item = wire::Element<'e>>) {
    let mut all: Vec<_> = elements.collect();
    while let Some(element) = all.pop() {
        assert!(!element.local().is_empty());
        let _ = (element.ns(), element.text(), element.attribute("id"));
        all.extend(element.children());
    }
}
