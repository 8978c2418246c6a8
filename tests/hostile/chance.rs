//! Hostile bytes, the same for the same seed.

/// splitmix64.
pub struct Chance(pub u64);

/// What a tokenizer might stumble over, and what a stream is made of.
const TOKENS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "&",
    ";",
    "'",
    "\"",
    "=",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "&lol;",
    "&#0;",
    "&#xD800;",
    "&#x10FFFF;",
    "&#99999999999;",
    "xmlns='",
    "xmlns:stream='x'",
    "xmlns:xml='y'",
    "xml:lang=''",
    "stream:",
    "</stream:stream>",
    "<stream:stream",
    "<stream:error/>",
    "\u{0}",
    "\u{feff}",
    "\u{fffe}",
    "\u{c}",
    "\u{1f4a9}",
    "<?xml version='1.1'?>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "==",
    "\r\n",
    "type='error'",
    "id=''",
    "to='@/'",
    "to='localhost/\u{202e}'",
    "from='romeo@localhost'",
];

const NAMES: &[&str] = &[
    "message", "presence", "iq", "body", "query", "bind", "resource", "x", "error", "show", "item",
    "auth", "response", "abort", "starttls", "session", "ping", "priority", "thread", "features",
];

const NAMESPACES: &[&str] = &[
    "jabber:client",
    "jabber:iq:roster",
    "http://jabber.org/protocol/disco#info",
    "jabber:server",
    "http://jabber.org/protocol/disco#items",
    "urn:xmpp:ping",
    "urn:ietf:params:xml:ns:xmpp-bind",
    "urn:ietf:params:xml:ns:xmpp-sasl",
    "urn:ietf:params:xml:ns:xmpp-stanzas",
    "urn:xmpp:time",
    "jabber:iq:version",
    "http://etherx.jabber.org/streams",
    "urn:ietf:params:xml:ns:xmpp-session",
];

const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("type", &["get", "set", "result", "error", "chat", "groupchat", "headline", "subscribe"]),
    ("type", &["subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable", "", "x"]),
    ("to", &["juliet@localhost", "localhost", "", "nobody@localhost", "a@b@c", "x@example.org"]),
    ("to", &["juliet@localhost/fuzz", "juliet@localhost/ ", "[::1]", "@localhost", "localhost/"]),
    ("from", &["juliet@localhost", "localhost", "romeo@localhost/x", ""]),
    ("id", &["a", "", "&quot;&apos;&lt;&amp;", "\u{1f4a9}", "\t"]),
    ("xml:lang", &["en", "", "x-y-z-\u{e9}"]),
    ("jid", &["juliet@localhost", "romeo@localhost", "\u{fdfa}@localhost", "/"]),
    ("subscription", &["remove", "both", "none", ""]),
    ("node", &["", "a'b", "urn:x"]),
    ("mechanism", &["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL", "ANONYMOUS", ""]),
];

const TEXTS: &[&str] =
    &["", "-129", "99999999999", "AGEAYg==", "n,,n=a,r=b", "=", "x&amp;y", "\u{0301}"];

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Something hostile: noise, this session mutated, or elements made by a grammar.
    pub fn input(&mut self, session: &str) -> Vec<u8> {
        match self.below(3) {
            0 => self.noise(),
            1 => self.mutated(session),
            _ => {
                let mut xml = String::new();
                (0..=self.below(6)).for_each(|_| self.element(0, &mut xml));
                xml.into_bytes()
            }
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.below(1500);
        let ascii = self.below(2) == 0;
        let byte = |chance: &mut Self| (chance.next() & if ascii { 0x7f } else { 0xff }) as u8;
        let mut noise: Vec<u8> = (0..length).map(|_| byte(self)).collect();
        // Noise that begins like something gets further.
        if self.below(2) == 0 {
            noise.splice(0..0, self.pick(TOKENS).bytes());
        }
        noise
    }

    fn mutated(&mut self, session: &str) -> Vec<u8> {
        let mut bytes = session.as_bytes().to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            let end = bytes.len().min(at + self.below(40));
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                3 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, self.pick(TOKENS).bytes()).count()),
            }
        }
        bytes
    }

    fn element(&mut self, depth: usize, xml: &mut String) {
        let name = match depth {
            0 => self.pick(&NAMES[..3]),
            _ => self.pick(NAMES),
        };
        *xml += &format!("<{name}");
        if depth > 0 && self.below(2) == 0 {
            *xml += &format!(" xmlns='{}'", self.pick(NAMESPACES));
        }
        for _ in 0..self.below(4) {
            let (name, values) = ATTRIBUTES[self.below(ATTRIBUTES.len())];
            if !xml[xml.rfind('<').unwrap()..].contains(&format!(" {name}=")) {
                *xml += &format!(" {name}='{}'", self.pick(values));
            }
        }
        *xml += ">";
        for _ in 0..self.below(4) {
            match self.below(8) {
                0..4 if depth < 5 => self.element(depth + 1, xml),
                7 if self.below(20) == 0 => *xml += self.pick(TOKENS),
                _ => *xml += self.pick(TEXTS),
            }
        }
        *xml += &format!("</{name}>");
    }
}
