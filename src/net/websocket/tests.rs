use super::*;

const MAX: usize = 1000;

/// A frame as a client sends it.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        short @ ..=125 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn message(text: &str) -> Option<Heard> {
    Some(Heard::Message(text.as_bytes().to_vec()))
}

/// What is heard until it is refused, or nothing more has come.
fn all(bytes: &[u8]) -> (Vec<Heard>, Option<Refused>) {
    let mut frames = Frames::after(bytes.to_vec());
    let mut heard = Vec::new();
    loop {
        match frames.next(MAX) {
            Ok(Some(one)) => heard.push(one),
            Ok(None) => return (heard, None),
            Err(refused) => return (heard, Some(refused)),
        }
    }
}

#[track_caller]
fn is_refused(bytes: &[u8], code: CloseCode) {
    let (heard, refused) = all(bytes);
    assert_eq!(refused.map(|refused| refused.code), Some(code), "{heard:?}");
}

#[test]
fn messages_come_out_however_they_are_cut() {
    let bytes = [client(0x81, b"<a/>"), client(0x01, b"<b"), client(0x80, b"/>")].concat();
    let mut frames = Frames::default();
    let mut heard = Vec::new();
    for byte in bytes {
        frames.read(vec![byte]);
        heard.extend(frames.next(MAX).unwrap());
    }
    assert_eq!(heard, ["<a/>", "<b/>"].map(|text| message(text).unwrap()));
    let held = [frames.unread.capacity(), frames.message.capacity()];
    assert_eq!(held, [0, 0], "nothing is held while nothing is under way");
}

#[test]
fn a_control_frame_may_come_between_fragments_rfc6455_5_4() {
    let bytes = [client(0x01, b"<a"), client(0x8a, b""), client(0x80, b"/>")].concat();
    let mut frames = Frames::after(bytes);
    assert_eq!(frames.next(MAX), Ok(message("<a/>")));
    assert_eq!(frames.next(MAX), Ok(None));
    // It takes no room from the message.
    let whole = [b'x'; MAX];
    let bytes = [client(0x01, &whole), client(0x89, b"ping"), client(0x80, b"")].concat();
    assert_eq!(all(&bytes), (vec![Heard::Message(whole.to_vec())], None));
}

#[test]
fn a_flood_of_pings_is_answered_by_one_pong_rfc6455_5_5_3() {
    let pings: Vec<u8> = (0..100_u8).flat_map(|number| client(0x89, &[number])).collect();
    let mut frames = Frames::after(pings);
    assert_eq!(frames.next(MAX), Ok(Some(Heard::Alive)));
    assert_eq!(frames.next(MAX), Ok(None));
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    frames.write(&mut bytes, &mut ends, false);
    assert_eq!(bytes, [0x8a, 1, 99]);
    bytes.clear();
    frames.write(&mut bytes, &mut ends, false);
    assert!(bytes.is_empty());
}

#[test]
fn each_element_is_a_message_and_goodbye_is_said_last_and_once() {
    let mut frames = Frames::default();
    let (mut bytes, mut ends) = (b"<a/><close/>".to_vec(), vec![4, 12]);
    frames.ping();
    frames.write(&mut bytes, &mut ends, true);
    assert_eq!(bytes, b"\x89\x00\x81\x04<a/>\x81\x08<close/>\x88\x02\x03\xe8");
    bytes.clear();
    frames.write(&mut bytes, &mut ends, true);
    assert!(bytes.is_empty());
}

#[test]
fn long_messages_have_longer_headers() {
    let mut frames = Frames::default();
    let (mut bytes, mut ends) = (vec![b'x'; 70_000], vec![200, 70_000]);
    frames.write(&mut bytes, &mut ends, false);
    assert_eq!(bytes[..4], [0x81, 126, 0, 200]);
    assert_eq!(bytes[204..214], [0x81, 127, 0, 0, 0, 0, 0, 1, 0x10, 0xa8]);
}

#[test]
fn at_54_a_frame_that_is_too_long_is_refused_before_it_has_come() {
    let mut endless = vec![0x81, 0x80 | 127];
    endless.extend((1_u64 << 63).to_be_bytes());
    endless.extend([0; 4]);
    is_refused(&endless, CloseCode::Size);
    is_refused(&client(0x81, &[b'x'; MAX + 1])[..8], CloseCode::Size);
    assert_eq!(all(&client(0x81, &[b'x'; MAX])).0.len(), 1);
}

#[test]
fn at_54_fragments_are_bounded_together_and_in_number() {
    let half = [b'x'; MAX / 2 + 1];
    is_refused(&[client(0x01, &half), client(0x80, &half)].concat(), CloseCode::Size);
    let empty = [client(0x01, b""), client(0x00, b"").repeat(FRAGMENTS_MAX)].concat();
    is_refused(&empty, CloseCode::Policy);
}

#[test]
fn at_54_what_is_no_text_of_a_client_is_refused() {
    for (bytes, code) in [
        (vec![0x81, 1, b'x'], CloseCode::Protocol),
        (client(0x82, b"<a/>"), CloseCode::Unsupported),
        (client(0xc1, b"<a/>"), CloseCode::Protocol),
        (client(0x83, b"<a/>"), CloseCode::Protocol),
        (client(0x80, b"<a/>"), CloseCode::Protocol),
        ([client(0x01, b"<a"), client(0x81, b"/>")].concat(), CloseCode::Protocol),
        (client(0x09, b""), CloseCode::Protocol),
        (client(0x89, &[0; 126]), CloseCode::Protocol),
    ] {
        is_refused(&bytes, code);
    }
}

#[test]
fn why_a_peer_is_refused_is_what_goodbye_says() {
    let mut frames = Frames::after(client(0x82, b"<a/>"));
    assert_eq!(frames.next(MAX), Err(Refused::BINARY));
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    frames.write(&mut bytes, &mut ends, true);
    assert_eq!(bytes, [0x88, 2, 0x03, 0xeb]);
}
