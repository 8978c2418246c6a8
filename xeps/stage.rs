//! Where the tests of XEPs play: all hooks, one account, a store that commits at once.

use engine::{
    account::{Account, Input, Output},
    ctx::{Ctx, Moment, Random},
    hook::{IqKind, Of, Reply},
    hooks::Hooks,
    parcel::{Link, Parcel, Said, Say},
    port::{Loaded, Node},
    request::{Found, Line, answer},
    settings::Settings,
    unit::Committed,
    wire::*,
};

pub const ROMEO: &str = "romeo@wax.example";
pub const JULIET: &str = "juliet@wax.example";

/// 2006-12-19T17:58:35.999Z.
const NOW: u64 = 1_166_551_115_999;
const LINK: Link = Link { node: Node(1), number: 1 };

struct Zero;

impl Random for Zero {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// What an operator has who chose nothing.
pub fn settings() -> Settings {
    Settings::of(vec![Bare::host("wax.example").unwrap()], [0; 32])
}

/// Runs `with` at this moment.
pub fn at<T>(now: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    under(&settings(), now, with)
}

/// Runs `with` at this moment, with these settings.
pub fn under<T>(settings: &Settings, now: u64, with: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let hooks = Hooks::of(crate::ALL);
    with(&Ctx { now: Moment(now), unix_ms: NOW, random: &Zero, settings, hooks: &hooks })
}

/// What a stranger hears who asks this of the host or of an account; `""` is an empty result.
pub fn asked(of: Of, kind: &str, query: &str) -> Result<String, StanzaError> {
    asked_under(&settings(), of, kind, query)
}

/// The same with these settings.
pub fn asked_under(
    settings: &Settings,
    of: Of,
    kind: &str,
    query: &str,
) -> Result<String, StanzaError> {
    let of_whom = if of == Of::Host { "wax.example" } else { JULIET };
    let iq = format!("<iq type='{kind}' id='1' from='{ROMEO}/r' to='{of_whom}'>{query}</iq>");
    let iq = Stanza::parse_one(&iq).unwrap();
    let asked = Bare::parse(of_whom).unwrap();
    let kind = if kind == "get" { IqKind::Get } else { IqKind::Set };
    let line = Line::of_host(&asked);
    match under(settings, 0, |ctx| answer(of, kind, &iq, line, ctx)) {
        Found::Now(Ok(Reply::Payload(payload)), _) => Ok(payload.as_str().to_owned()),
        Found::Now(Ok(Reply::Empty), _) => Ok(String::new()),
        Found::Now(Err(error), _) => Err(error),
        _ => panic!("{iq:?} is answered in another way"),
    }
}

/// An account with one resource, `balcony`.
pub struct Stage {
    account: Account,
}

impl Stage {
    pub fn of(jid: &str) -> Self {
        let account = Account::load(Bare::parse(jid).unwrap(), Loaded::default());
        let mut stage = Self { account };
        stage.plays(Input::Said(LINK, Said::Bind(Some("balcony".into()))));
        stage
    }

    pub fn jid(&self) -> Jid {
        self.account.sessions[0].jid.clone()
    }

    /// Its client says this. Returns all that leaves the account, to whomever.
    pub fn says(&mut self, xml: &str) -> Vec<Stanza> {
        let mut stanza = Stanza::parse_one(xml).unwrap();
        stanza.head.from = Some(self.jid());
        self.plays(Input::Said(LINK, Said::Stanza(stanza)))
    }

    /// Somebody else says this to it.
    pub fn hears(&mut self, xml: &str) -> Vec<Stanza> {
        self.plays(Input::Routed(Stanza::parse_one(xml).unwrap(), None))
    }

    fn plays(&mut self, input: Input) -> Vec<Stanza> {
        let (mut inputs, mut left) = (vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            at(0, |ctx| self.account.handle(ctx, input, &mut out));
            for output in out {
                match output {
                    Output::Commit(ticket, _) => {
                        inputs.push(Input::Committed(ticket, Ok(Committed::default())));
                    }
                    Output::Parcel(Parcel::ToSocket(_, Say::Stanza(stanza)))
                    | Output::Parcel(Parcel::Routed { stanza, .. }) => left.push(stanza),
                    _ => {}
                }
            }
        }
        left
    }
}
