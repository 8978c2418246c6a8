//! XEP-0484: tokens that were shown before, belong to others, are void, or are none.

use super::{Intruder, PASSWORD, Profile, besieged, encoded, plain};
use conformance::{driver::Transport, sasl};

const FAST: &str = "urn:xmpp:fast:0";

fn agent(device: u32) -> String {
    format!("<user-agent id='d4565fa7-4d72-4749-b3d3-{device:012}'/>")
}

/// A token for a device of romeo's.
pub fn token(intruder: &mut Intruder, kind: &str, device: u32) -> String {
    let wish = format!("{}<request-token xmlns='{FAST}' mechanism='{kind}'/>", agent(device));
    let said = intruder.login(Profile::Xep0388, "PLAIN", &plain("", PASSWORD), &wish);
    intruder.succeeded(&said);
    let token = said.child(FAST, "token").expect("a token");
    let token = token.attribute("token").unwrap().to_owned();
    intruder.told.secrets.push(token.clone());
    token
}

/// Shows a token, as one that this user has.
pub struct Shown<'a> {
    pub kind: &'a str,
    pub user: &'a str,
    pub token: &'a str,
    pub device: u32,
}

impl Shown<'_> {
    /// What shows it on a new stream.
    fn code(&self, intruder: &mut Intruder) -> String {
        intruder.connect();
        let channel = sasl::token_binding(self.kind).map(|kind| intruder.channel(kind));
        let channel = channel.unwrap_or_default();
        sasl::by_token(self.kind, self.user, self.token, &channel).unwrap().0
    }

    fn fast(&self, attributes: &str) -> String {
        format!("{}<fast xmlns='{FAST}' {attributes}/>", agent(self.device))
    }

    pub fn is_good(&self, intruder: &mut Intruder, attributes: &str) {
        let code = self.code(intruder);
        let fast = self.fast(attributes);
        let said = intruder.begin(Profile::Xep0388, self.kind, &code, &fast);
        intruder.succeeded(&said);
    }

    /// It is good, and what it is good for is the next one.
    pub fn becomes_another(&self, intruder: &mut Intruder, count: usize) -> String {
        let code = self.code(intruder);
        let wish = format!("<request-token xmlns='{FAST}' mechanism='{}'/>", self.kind);
        let more = self.fast(&format!("count='{count}'")) + &wish;
        let said = intruder.begin(Profile::Xep0388, self.kind, &code, &more);
        intruder.succeeded(&said);
        let token = said.child(FAST, "token").expect("a token");
        token.attribute("token").unwrap().to_owned()
    }

    pub fn is_refused(&self, intruder: &mut Intruder, attributes: &str) {
        self.is_refused_as("not-authorized", intruder, attributes);
    }

    pub fn is_refused_as(&self, condition: &str, intruder: &mut Intruder, attributes: &str) {
        let code = self.code(intruder);
        let fast = self.fast(attributes);
        let said = intruder.begin(Profile::Xep0388, self.kind, &code, &fast);
        intruder.refused(&said, condition, (self.kind, condition));
    }
}

fn shows_what_was_shown(intruder: &mut Intruder) {
    for (kind, number) in kinds(intruder) {
        let token = token(intruder, kind, number);
        let own = Shown { kind, user: "romeo", token: &token, device: number };
        let code = own.code(intruder);
        let fast = own.fast("count='1'");
        let said = intruder.begin(Profile::Xep0388, kind, &code, &fast);
        intruder.succeeded(&said);
        intruder.told.secrets.push(code.clone());
        // Byte for byte, and as somebody who has the token.
        let said = intruder.login(Profile::Xep0388, kind, &code, &fast);
        intruder.refused(&said, "not-authorized", (kind, "not-authorized"));
        for attributes in ["count='1'", "count='0'", ""] {
            own.is_refused(intruder, attributes);
        }
        if sasl::token_binding(kind) == Some("tls-exporter") {
            let said = intruder.login(Profile::Xep0388, kind, &code, &own.fast("count='2'"));
            intruder.refused(&said, "not-authorized", (kind, "not-authorized"));
        }
        own.is_good(intruder, "count='7'");
        own.is_refused(intruder, "count='6'");
        own.is_good(intruder, "count='8' invalidate='true'");
        own.is_refused(intruder, "count='9'");
    }
}

/// Mechanisms for tokens over this way, with a device for each.
pub fn kinds(intruder: &Intruder) -> Vec<(&'static str, u32)> {
    let kinds: &[_] = match intruder.over {
        Transport::Bosh => &["HT-SHA-256-NONE", "HT-SHA-512-NONE"],
        _ => &["HT-SHA-256-NONE", "HT-SHA-256-EXPR", "HT-SHA-512-ENDP"],
    };
    let first = 10 * intruder.over as u32;
    kinds.iter().copied().zip(first..).collect()
}

#[tokio::test]
async fn a_token_that_was_shown_or_given_up_is_not_good_again_whatever_the_way_in() {
    besieged(shows_what_was_shown).await;
}

fn shows_what_is_others(intruder: &mut Intruder) {
    for (kind, device) in kinds(intruder) {
        let token = token(intruder, kind, device);
        let own = Shown { kind, user: "romeo", token: &token, device };
        Shown { device: device + 1000, ..own }.is_refused(intruder, "count='1'");
        Shown { user: "juliet", ..own }.is_refused(intruder, "count='1'");
        Shown { user: "nobody", ..own }.is_refused(intruder, "count='1'");
        let longer = kind.replace("256", "512");
        if longer != kind {
            Shown { kind: &longer, ..own }.is_refused(intruder, "count='1'");
        }
        is_garbage(intruder, &own);
        own.is_good(intruder, "count='1'");
    }
}

fn is_garbage(intruder: &mut Intruder, own: &Shown<'_>) {
    let (kind, fast) = (own.kind, own.fast("count='1'"));
    let code = own.code(intruder);
    let encoding = ("none", "incorrect-encoding");
    let malformed = ("none", "malformed-request");
    let uncounted = own.fast("count='-1'");
    let nobodys = format!("<fast xmlns='{FAST}'/>");
    for (message, more, (mechanism, why)) in [
        ("!!!!", &fast, encoding),
        ("=", &fast, encoding),
        (&code[..code.len() - 1], &fast, encoding),
        (&*encoded("romeo"), &fast, (kind, "malformed-request")),
        (&*encoded(b"\xff\xfe\0code"), &fast, (kind, "malformed-request")),
        (&*encoded("romeo\0"), &fast, (kind, "not-authorized")),
        (&*encoded("romeo\0code"), &fast, (kind, "not-authorized")),
        (&*encoded("\0"), &fast, (kind, "not-authorized")),
        (&*code, &uncounted, malformed),
        (&*code, &nobodys, malformed),
    ] {
        let said = intruder.login(Profile::Xep0388, kind, message, more);
        intruder.refused(&said, why, (mechanism, why));
    }
}

#[tokio::test]
async fn a_token_of_another_device_or_account_or_none_is_refused_whatever_the_way_in() {
    besieged(shows_what_is_others).await;
}
