//! XEP-0440: SASL Channel-Binding Type Capability. <https://xmpp.org/extensions/xep-0440.html>

use engine::{ctx::Ctx, hook::*, stream::sasl::Advertised, wire::*};

/// What a client may bind its login to.
pub const XEP: Xep = Xep {
    number: 440,
    name: "SASL Channel-Binding Type Capability",
    version: "1.0.0",
    status: Status::Complete,
    hooks: &[Hook::StreamFeature(Stage::Authenticate, offer)],
};

const NS: &str = "urn:xmpp:sasl-cb:0";
const SASL_CHANNEL_BINDING: Name = Name::new(NS, "sasl-channel-binding");
const CHANNEL_BINDING: Name = Name::new(NS, "channel-binding");

/// Section 3: types without a mechanism that binds would look like an attack to a client (rule 5).
fn offer(_: &Ctx<'_>, advertised: &Advertised<'_>) -> Option<Payload> {
    let types = advertised.bindings();
    let types = types.map(|(of, _)| Draft::new(CHANNEL_BINDING).attribute("type", of.name()));
    advertised.binds().then(|| types.fold(Draft::new(SASL_CHANNEL_BINDING), Draft::child).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;
    use engine::stream::machine::Tls;

    fn offered(tls: &Tls) -> Option<String> {
        let offers = stage::offered(Stage::Authenticate, tls);
        let offer = offers.iter().find(|offer| offer.element().is(SASL_CHANNEL_BINDING));
        offer.map(|offer| offer.as_str().to_owned())
    }

    #[test]
    fn the_types_are_those_that_the_connection_has() {
        let end_point = Tls { end_point: Some([1].as_slice().into()), ..Tls::UNKNOWN };
        assert_eq!(
            offered(&end_point).unwrap(),
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-server-end-point'/></sasl-channel-binding>"
        );
        let both = Tls { exporter: Some([2; 32]), ..end_point };
        assert_eq!(
            offered(&both).unwrap(),
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-exporter'/>\
             <channel-binding type='tls-server-end-point'/></sasl-channel-binding>"
        );
    }

    #[test]
    fn where_nothing_binds_nothing_is_said() {
        assert_eq!(offered(&Tls::UNKNOWN), None);
    }
}
