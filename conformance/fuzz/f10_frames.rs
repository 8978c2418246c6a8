//! A peer that sends anything at all over a WebSocket: however its bytes are cut, the same is
//! heard; limits hold; and what is said back is frames.
//!
//! `cargo +nightly fuzz run f10_frames` in `conformance`.

#![no_main]

#[rustfmt::skip] // its tests stand elsewhere, seen from here
#[path = "../../src/net/websocket.rs"]
mod websocket;

use arbitrary::Arbitrary;
use cap::Cap;
use libfuzzer_sys::fuzz_target;
use std::{alloc::System, io::Cursor};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};
use websocket::{Frames, Heard, Refused};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes of the longest header of a masked frame (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 14;
/// Bytes of the last ping, and what a Vec takes that holds next to nothing.
const SMALL_BYTES_MAX: usize = 256;
/// Bytes of elements around which the form of a header changes.
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

/// How the bytes come, and which they are: what is left of the input.
#[derive(Arbitrary, Debug)]
struct Peer<'a> {
    /// Its square is the limit: a small one is reached more often.
    bytes_max: u8,
    /// Lengths of pieces, one after the other, again and again.
    cuts: [u8; 4],
    /// Lengths of elements that are said, by their places.
    said: [u8; 2],
    bytes: &'a [u8],
}

/// What came of it.
struct End {
    frames: Frames,
    messages: Vec<Vec<u8>>,
    goodbye: bool,
    refused: Option<Refused>,
}

/// Reads as the driver of a stream does: until more is needed, it closes, or is refused.
fn hear<'a>(pieces: impl Iterator<Item = &'a [u8]>, bytes_max: usize) -> End {
    let mut end =
        End { frames: Frames::default(), messages: vec![], goodbye: false, refused: None };
    let before = MEMORY.allocated();
    let (mut outside, mut piece_bytes_max) = (0, 0);
    for piece in pieces {
        match piece_bytes_max {
            // What has come behind the request that asked for the WebSocket.
            0 => end.frames = Frames::after(piece.to_vec()),
            _ => end.frames.read(piece.to_vec()),
        }
        piece_bytes_max = piece_bytes_max.max(piece.len());
        let mut alive = 0;
        loop {
            match end.frames.next(bytes_max) {
                Ok(Some(Heard::Message(message))) => {
                    assert!(message.len() <= bytes_max, "{} bytes", message.len());
                    let capacity = end.messages.capacity();
                    outside += message.capacity();
                    end.messages.push(message);
                    outside += (end.messages.capacity() - capacity) * size_of::<Vec<u8>>();
                }
                Ok(Some(Heard::Alive)) => alive += 1,
                Ok(Some(Heard::Close)) => {
                    end.goodbye = true;
                    return end;
                }
                Ok(None) => break,
                Err(refused) => {
                    end.refused = Some(refused);
                    return end;
                }
            }
        }
        assert!(alive <= 1, "{alive} signs of life from one piece");
        // A Vec that grows may take twice what it needs: the unread bytes, and the message.
        let frame_bytes_max = bytes_max + HEADER_BYTES_MAX;
        let limit = 2 * (frame_bytes_max + piece_bytes_max) + 2 * bytes_max + SMALL_BYTES_MAX;
        let held = MEMORY.allocated().saturating_sub(before + outside);
        assert!(held <= limit, "{held} bytes are held, {limit} may be");
    }
    end
}

/// Pieces of these lengths; none is empty, as nothing that is read from a socket is.
fn pieces<'a>(mut bytes: &'a [u8], cuts: [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    let mut cuts = cuts.into_iter().cycle();
    std::iter::from_fn(move || {
        let length = usize::from(cuts.next()?).clamp(1, bytes.len().max(1));
        let piece = bytes.split_off(..length)?;
        Some(piece)
    })
}

/// The frames of a server: kinds and payloads.
fn parsed(bytes: &[u8]) -> Vec<(OpCode, &[u8])> {
    let mut all = Vec::new();
    let mut rest = Cursor::new(bytes);
    while usize::try_from(rest.position()).expect("is in memory") < bytes.len() {
        let (header, length) = FrameHeader::parse(&mut rest).expect("is a frame").expect("is all");
        assert!(header.is_final && header.mask.is_none(), "{header:?}");
        assert!(!header.rsv1 && !header.rsv2 && !header.rsv3, "{header:?}");
        let start = usize::try_from(rest.position()).expect("is in memory");
        let end = start + usize::try_from(length).expect("is in memory");
        all.push((header.opcode, &bytes[start..end]));
        rest.set_position(u64::try_from(end).expect("is in memory"));
    }
    all
}

/// Says these elements, and is silent afterwards.
fn say(frames: &mut Frames, elements: &[Vec<u8>], ping: bool, last: bool) -> Vec<u8> {
    let mut bytes = elements.concat();
    let mut end = 0;
    let mut ends = Vec::new();
    for element in elements {
        end += element.len();
        ends.push(end);
    }
    if ping {
        frames.ping();
    }
    frames.write(&mut bytes, &mut ends, last);
    assert!(ends.is_empty() || bytes.is_empty(), "an element is left");
    let (mut more, mut ends) = (Vec::new(), Vec::new());
    frames.write(&mut more, &mut ends, last);
    assert!(more.is_empty(), "it is said twice: {more:?}");
    bytes
}

/// What is said back: a pong, a ping, the elements, goodbye.
fn check_said(end: &mut End, elements: &[Vec<u8>], ping: bool) -> Vec<u8> {
    let refused = end.refused.is_some();
    let said = say(&mut end.frames, elements, ping, refused || end.goodbye);
    let mut all = parsed(&said).into_iter().peekable();
    let pong = OpCode::Control(Control::Pong);
    if let Some((_, payload)) = all.next_if(|(opcode, _)| *opcode == pong) {
        assert!(payload.len() <= 125, "a pong of {} bytes", payload.len());
    }
    if ping {
        assert_eq!(all.next(), Some((OpCode::Control(Control::Ping), &[][..])));
    }
    for element in elements {
        assert_eq!(all.next(), Some((OpCode::Data(Data::Text), &element[..])));
    }
    if refused || end.goodbye {
        let (opcode, code) = all.next().expect("says goodbye");
        assert_eq!(opcode, OpCode::Control(Control::Close));
        let code = u16::from_be_bytes(code.try_into().expect("a code and nothing else"));
        assert_eq!(refused, code != 1000, "refused, or not, with {code}");
    }
    assert_eq!(all.next(), None);
    said
}

fuzz_target!(|peer: Peer<'_>| {
    let bytes_max = usize::from(peer.bytes_max).pow(2);
    let mut whole = hear([peer.bytes].into_iter(), bytes_max);
    let mut cut = hear(pieces(peer.bytes, peer.cuts), bytes_max);
    assert_eq!(whole.messages, cut.messages);
    assert_eq!((whole.goodbye, &whole.refused), (cut.goodbye, &cut.refused));

    let made = peer.said.map(|place| LENGTHS.get(usize::from(place)).copied());
    let mut elements: Vec<_> =
        made.into_iter().flatten().map(|length| vec![b'x'; length]).collect();
    elements.extend_from_slice(&whole.messages);
    // Nothing is sent for an empty element alone.
    elements.retain(|element| !element.is_empty());
    let ping = peer.cuts[0] % 2 == 1;
    let said = check_said(&mut whole, &elements, ping);
    assert_eq!(said, check_said(&mut cut, &elements, ping), "the same is said back");
});
