//! What a load balancer says of who is behind it: the PROXY protocol, versions 1 and 2
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use crate::limits::PROXY_BYTES_MAX;
use ppp::{v1, v2};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A version 1 header, at its longest (section 2.1).
const TEXT_BYTES_MAX: usize = 107;
/// The part of a version 2 header that is always there (section 2.2).
const FIXED_BYTES: usize = 16;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether this one is among them.
    pub fn holds(&self, address: IpAddr) -> bool {
        let gap = |width: u32| width - self.bits;
        let cut = |bits: u128, gap: u32| bits.checked_shr(gap).unwrap_or(0);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let [ours, other] = [ours, other].map(|four| u128::from(four.to_bits()));
                cut(ours, gap(32)) == cut(other, gap(32))
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                cut(ours.to_bits(), gap(128)) == cut(other.to_bits(), gap(128))
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    /// `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(drop)?;
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// Reads the header and nothing behind it. `None`: the balancer speaks for itself, or does not
/// know for whom (`LOCAL`, `UNKNOWN`).
///
/// # Errors
/// What came is no such header.
pub(crate) async fn header(
    socket: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<SocketAddr>> {
    let mut bytes = vec![0; v2::PROTOCOL_PREFIX.len()];
    socket.read_exact(&mut bytes).await?;
    if bytes == v2::PROTOCOL_PREFIX {
        binary(socket, bytes).await
    } else if bytes.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        text(socket, bytes).await
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

async fn text(
    socket: &mut (impl AsyncRead + Unpin),
    mut bytes: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == TEXT_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.push(socket.read_u8().await?);
    }
    let header = v1::Header::try_from(&bytes[..]).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(four) => Some((four.source_address, four.source_port).into()),
        v1::Addresses::Tcp6(six) => Some((six.source_address, six.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

async fn binary(
    socket: &mut (impl AsyncRead + Unpin),
    mut bytes: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    let begun = bytes.len();
    bytes.resize(FIXED_BYTES, 0);
    socket.read_exact(&mut bytes[begun..]).await?;
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > PROXY_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    bytes.resize(FIXED_BYTES + length, 0);
    socket.read_exact(&mut bytes[FIXED_BYTES..]).await?;
    let header = v2::Header::try_from(&bytes[..]).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(four)) => {
            Some((four.source_address, four.source_port).into())
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(six)) => {
            Some((six.source_address, six.source_port).into())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, String) {
        let mut rest = bytes;
        let header = header(&mut rest).await;
        (header, String::from_utf8_lossy(rest).into_owned())
    }

    fn second(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = v2::PROTOCOL_PREFIX.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[tokio::test]
    async fn who_is_behind_the_balancer_is_told_and_nothing_behind_the_header_is_taken() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0x11, 0x11, 0x14, 0x66];
        // With a TLV behind the addresses.
        let more = [&four[..], &[4, 0, 1, 0]].concat();
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        for (header, told) in [
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 4369 5222\r\n".to_vec(), "192.0.2.7:4369"),
            (b"PROXY TCP6 2001:db8:: ::1 0 5222\r\n".to_vec(), "[2001:db8::]:0"),
            (second(1, 0x11, &four), "192.0.2.7:4369"),
            (second(1, 0x11, &more), "192.0.2.7:4369"),
            (second(1, 0x21, &six), "[2001:db8::]:0"),
        ] {
            let (read, rest) = read(&[&header[..], b"<stream"].concat()).await;
            assert_eq!(read.unwrap(), Some(told.parse().unwrap()), "{header:?}");
            assert_eq!(rest, "<stream", "{header:?}");
        }
    }

    #[tokio::test]
    async fn a_balancer_may_speak_for_itself() {
        for header in [
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY UNKNOWN ffff::1 ::1 1 2\r\n".to_vec(),
            second(0, 0, &[]),
            second(1, 0, &[]),
            second(1, 0x31, &[b'/'; 216]),
        ] {
            let (read, rest) = read(&[&header[..], b"<stream"].concat()).await;
            assert_eq!(read.unwrap(), None, "{header:?}");
            assert_eq!(rest, "<stream", "{header:?}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused_within_bounds() {
        let endless = format!("PROXY TCP4 {}", "1".repeat(200));
        for wrong in [
            b"<?xml version='1.0'?>".to_vec(),
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4369 99999\r\n".to_vec(),
            b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7".to_vec(),
            endless.into_bytes(),
            second(1, 0x11, &[1, 2, 3]),
            second(2, 0x11, &[0; 12]),
            second(1, 0x11, &vec![0; PROXY_BYTES_MAX + 1]),
            v2::PROTOCOL_PREFIX.to_vec(),
            Vec::new(),
        ] {
            assert!(read(&wrong).await.0.is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn networks_are_written_as_everywhere() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().holds(address.parse().unwrap())
        };
        assert!(holds("192.0.2.7", "192.0.2.7") && holds("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(!holds("192.0.2.7", "192.0.2.8") && !holds("192.0.2.7", "::1"));
        assert!(holds("10.0.0.0/8", "10.1.2.3") && !holds("10.0.0.0/8", "11.1.2.3"));
        assert!(holds("0.0.0.0/0", "255.1.2.3") && holds("::/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::") && !holds("2001:db8::/32", "2001:db9::"));
        for wrong in ["", "192.0.2", "192.0.2.0/33", "::/129", "192.0.2.0/-1", "localhost"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
