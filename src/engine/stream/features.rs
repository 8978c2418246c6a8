//! `<stream:features/>` (RFC 6120 §4.3.2): what may be negotiated next.

use super::sasl::Advertised;
use crate::{ctx::Ctx, hook::Stage};
use wire::Framing;

/// On a port without TLS: TLS, and nothing else (§5.3.1).
pub fn insecure(out: &mut Vec<u8>) {
    let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
    write(Framing::Stream, out, |out| out.extend_from_slice(starttls.as_bytes()));
}

/// Under TLS: who are you (§6.3.3).
pub fn secure(ctx: &Ctx<'_>, advertised: &Advertised<'_>, framing: Framing, out: &mut Vec<u8>) {
    write(framing, out, |out| {
        out.extend_from_slice(b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
        for mechanism in &advertised.mechanisms {
            out.extend_from_slice(b"<mechanism>");
            out.extend_from_slice(mechanism.name().as_bytes());
            out.extend_from_slice(b"</mechanism>");
        }
        out.extend_from_slice(b"</mechanisms>");
        offers(ctx, Stage::Authenticate, advertised, out);
    });
}

/// Authenticated: which resource (§7.4), unless it is bound already. With it the session of RFC
/// 3921 that old clients ask for, and of RFC 6121 roster versions (§2.6) and pre-approval (§3.4).
pub fn authenticated(
    ctx: &Ctx<'_>,
    advertised: &Advertised<'_>,
    framing: Framing,
    is_bound: bool,
    out: &mut Vec<u8>,
) {
    write(framing, out, |out| {
        if !is_bound {
            out.extend_from_slice(
                b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
                  <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>",
            );
        }
        out.extend_from_slice(
            b"<ver xmlns='urn:xmpp:features:rosterver'/>\
              <sub xmlns='urn:xmpp:features:pre-approval'/>",
        );
        offers(ctx, Stage::Bind, advertised, out);
    });
}

fn offers(ctx: &Ctx<'_>, stage: Stage, advertised: &Advertised<'_>, out: &mut Vec<u8>) {
    for feature in ctx.hooks.offers(stage).filter_map(|offer| offer(ctx, advertised)) {
        out.extend_from_slice(feature.as_str().as_bytes());
    }
}

fn write(framing: Framing, out: &mut Vec<u8>, features: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"<stream:features");
    out.extend_from_slice(framing.declaration().as_bytes());
    out.push(b'>');
    features(out);
    out.extend_from_slice(b"</stream:features>");
}
