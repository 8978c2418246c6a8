//! XEP-0478: Stream Limits Advertisement. <https://xmpp.org/extensions/xep-0478.html>

use engine::{ctx::Ctx, hook::*, wire::*};

/// How much a client may say at once, and how long nothing.
pub const XEP: Xep = Xep {
    number: 478,
    name: "Stream Limits Advertisement",
    version: "0.2.0",
    status: Status::Partial("on the streams of clients"),
    hooks: &[
        Hook::StreamFeature(Stage::Authenticate, |ctx, _| Some(before_auth(ctx))),
        Hook::StreamFeature(Stage::Bind, |ctx, _| Some(after_auth(ctx))),
    ],
};

const NS: &str = "urn:xmpp:stream-limits:0";
const LIMITS: Name = Name::new(NS, "limits");

/// Without idle seconds: until a resource is bound a stream ends when its time is over, whether
/// it was idle or not.
fn before_auth(ctx: &Ctx<'_>) -> Payload {
    limits(ctx.settings.limits.before_auth).finish()
}

/// Section 4.1: after these idle seconds we look whether the client is there (RFC 6120 §4.6.2).
fn after_auth(ctx: &Ctx<'_>) -> Payload {
    let stream = ctx.settings.limits;
    let seconds = number("idle-seconds", stream.idle_ms_max / 1000);
    limits(stream.after_auth).child(seconds).finish()
}

fn limits(of: Limits) -> Draft {
    Draft::new(LIMITS).child(number("max-bytes", of.stanza_bytes_max as u64))
}

fn number(name: &'static str, number: u64) -> Draft {
    Draft::new(Name::new(NS, name)).text(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;
    use engine::stream::machine::Tls;

    fn offered(at: Stage) -> String {
        let offers = stage::offered(at, &Tls::UNKNOWN);
        let limits = offers.iter().find(|offer| offer.element().is(LIMITS));
        limits.unwrap().as_str().to_owned()
    }

    #[test]
    fn the_limits_are_those_of_the_stage() {
        let limits = stage::at(0, |ctx| ctx.settings.limits);
        let before = limits.before_auth.stanza_bytes_max;
        let after = limits.after_auth.stanza_bytes_max;
        assert_eq!(
            offered(Stage::Authenticate),
            format!("<limits xmlns='{NS}'><max-bytes>{before}</max-bytes></limits>")
        );
        assert_eq!(
            offered(Stage::Bind),
            format!(
                "<limits xmlns='{NS}'><max-bytes>{after}</max-bytes>\
                 <idle-seconds>{}</idle-seconds></limits>",
                limits.idle_ms_max / 1000
            )
        );
    }
}
