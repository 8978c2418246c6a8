//! XEP-0030: Service Discovery. <https://xmpp.org/extensions/xep-0030.html>

pub mod xep_0115_caps;
pub mod xep_0157_contact;

use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    wire::*,
};
use xmpp_parsers::disco::{DiscoInfoQuery, DiscoItemsQuery};

/// What an entity is and can do.
pub const XEP: Xep = Xep {
    number: 30,
    name: "Service Discovery",
    version: "2.5.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, INFO.ns),
        Hook::Feature(Of::Host, ITEMS.ns),
        Hook::Feature(Of::Account, INFO.ns),
        Hook::Feature(Of::Account, ITEMS.ns),
        Hook::get(Of::Host, INFO, Answer::Pure(|iq, _, ctx| info(&HOST, iq, ctx))),
        Hook::get(Of::Host, ITEMS, Answer::Pure(|iq, _, ctx| items(&HOST, iq, ctx))),
        Hook::get(
            Of::Account,
            INFO,
            Answer::Pure(|iq, line, ctx| info(account(line.asked, ctx), iq, ctx)),
        ),
        Hook::get(Of::Account, ITEMS, Answer::Pure(|iq, _, ctx| items(&ACCOUNT, iq, ctx))),
        Hook::Feature(Of::Service, INFO.ns),
        Hook::Feature(Of::Service, ITEMS.ns),
        Hook::get(Of::Service, INFO, Answer::Pure(service)),
        Hook::Feature(Of::Room, INFO.ns),
        Hook::Feature(Of::Room, ITEMS.ns),
        Hook::At(Station::Guard, keep_strangers_out),
    ],
};

const INFO: Name = Name::new("http://jabber.org/protocol/disco#info", "query");
const IDENTITY: Name = Name::new(INFO.ns, "identity");
const FEATURE: Name = Name::new(INFO.ns, "feature");
const ITEMS: Name = Name::new("http://jabber.org/protocol/disco#items", "query");
const ITEM: Name = Name::new(ITEMS.ns, "item");

/// Somebody who can be asked, with the one identity that they have.
struct Entity {
    of: Of,
    category: &'static str,
    kind: &'static str,
    name: Option<&'static str>,
    /// What else is told of it (XEP-0128).
    form: fn(&Ctx<'_>) -> Option<Draft>,
}

const HOST: Entity = Entity {
    of: Of::Host,
    category: "server",
    kind: "im",
    name: Some("Waxwing"),
    form: xep_0157_contact::form,
};
const ACCOUNT: Entity =
    Entity { of: Of::Account, category: "account", kind: "registered", name: None, form: |_| None };
const GUEST: Entity = Entity { kind: "anonymous", ..ACCOUNT };

/// What this account is: XEP-0175 section 4 wants to hear of who stays unknown.
fn account(jid: &Bare, ctx: &Ctx<'_>) -> &'static Entity {
    if ctx.settings.is_anonymous(jid) { &GUEST } else { &ACCOUNT }
}

impl Entity {
    /// What it is and can do, as the answer to a question about `node`.
    fn info(&self, node: Option<&str>, ctx: &Ctx<'_>) -> Payload {
        let identity = identity(self.category, self.kind, self.name);
        let query =
            described(mirror(INFO, node), identity, ctx.hooks.features(self.of, ctx.settings));
        (self.form)(ctx).into_iter().fold(query, Draft::child).finish()
    }

    /// What a XEP tells of `node` (section 3.2).
    fn node(&self, node: &str, iq: &Stanza, ctx: &Ctx<'_>) -> Result<Node, StanzaError> {
        let found = ctx.hooks.node(self.of, node, iq, ctx);
        found.unwrap_or_else(|| Err(StanzaCondition::ItemNotFound.into()))
    }
}

/// Section 3. The node of our entity capabilities (XEP-0115) says the same as none.
fn info(entity: &Entity, iq: &Stanza, ctx: &Ctx<'_>) -> Replied {
    let query: DiscoInfoQuery = read(iq)?;
    let payload = match query.node.as_deref() {
        Some(name) if name != xep_0115_caps::node(entity, ctx) => {
            let node = entity.node(name, iq, ctx)?;
            let identity = identity(node.category, node.kind, Some(node.name));
            let features = node.features.iter().copied();
            described(mirror(INFO, Some(name)), identity, features).finish()
        }
        node => entity.info(node, ctx),
    };
    Ok(Reply::Payload(payload))
}

/// Section 4. Nothing stands below us but nodes, and services below a host; resources are told by
/// presence, not here.
fn items(entity: &Entity, iq: &Stanza, ctx: &Ctx<'_>) -> Replied {
    let query: DiscoItemsQuery = read(iq)?;
    let (Some(name), Some(to)) = (query.node, &iq.head.to) else {
        let services = match entity.of {
            Of::Host => services(iq, ctx),
            _ => Vec::new(),
        };
        let told = services.into_iter().fold(mirror(ITEMS, None), Draft::child);
        return Ok(Reply::Payload(told.finish()));
    };
    let items = entity.node(&name, iq, ctx)?.items.into_iter().map(|item| {
        let draft = Draft::new(ITEM).attribute("jid", to.as_str());
        draft.attribute("node", item.node).attribute("name", item.name)
    });
    Ok(Reply::Payload(items.fold(mirror(ITEMS, Some(&name)), Draft::child).finish()))
}

/// Our services: those of this host, where each host has its own.
fn services(iq: &Stanza, ctx: &Ctx<'_>) -> Vec<Draft> {
    let Some(host) = iq.head.to.as_ref().map(Jid::domain) else { return Vec::new() };
    let all = ctx.settings.services.iter().map(|(service, _)| service.domain());
    let is_below = |service: &str, host: &str| {
        service.strip_suffix(host).is_some_and(|prefix| prefix.ends_with('.'))
    };
    let is_others = |service: &str| {
        let mut others = ctx.settings.domains.iter().map(|domain| domain.domain());
        others.any(|other| other != host && is_below(service, other))
    };
    let ours = all.filter(|service| is_below(service, host) || !is_others(service));
    let told = ours.filter_map(|service| {
        let name = ctx.hooks.service(service, ctx.settings)?.identity().name;
        Some(Draft::new(ITEM).attribute("jid", service).attribute("name", name))
    });
    told.collect()
}

/// Section 3, of a service.
fn service(iq: &Stanza, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let query: DiscoInfoQuery = read(iq)?;
    let found = ctx.hooks.service(line.asked.domain(), ctx.settings);
    let (None, Some(found)) = (query.node, found) else {
        return Err(StanzaCondition::ItemNotFound.into());
    };
    let is = found.identity();
    let identity = identity(is.category, is.kind, Some(is.name));
    let features = ctx.hooks.features(Of::Service, ctx.settings);
    let told = described(mirror(INFO, None), identity, features);
    Ok(Reply::Payload(told.finish()))
}

fn identity(category: &str, kind: &str, name: Option<&str>) -> Draft {
    let identity = Draft::new(IDENTITY).attribute("category", category).attribute("type", kind);
    match name {
        Some(name) => identity.attribute("name", name),
        None => identity,
    }
}

fn described<'a>(query: Draft, identity: Draft, features: impl Iterator<Item = &'a str>) -> Draft {
    let features = features.map(|feature| Draft::new(FEATURE).attribute("var", feature));
    features.fold(query.child(identity), Draft::child)
}

/// Section 8: who may not see an account's presence must not learn that it exists. RFC 6121
/// §8.5.1 gives the error that an account which does not exist would give.
fn keep_strangers_out(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let iq = &passage.stanza;
    let asks = iq.kind() == Kind::Iq && iq.head.type_str() == "get";
    let asks = asks && iq.children().any(|child| child.is(INFO) || child.is(ITEMS));
    let of_account = iq.head.to.as_ref().is_some_and(|to| to.is_bare());
    if passage.walk != Walk::Received || !asks || !of_account {
        return Verdict::Go;
    }
    let from = iq.head.from.as_ref().map(Jid::bare);
    let account = &passage.account;
    if from.is_some_and(|from| account.roster.is_seen_by(&account.jid, &from)) {
        return Verdict::Go;
    }
    Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("disco by a stranger"))
}

/// What the question says, beyond its name.
fn read<T: FromXml>(iq: &Stanza) -> Result<T, StanzaError> {
    let query = iq.children().next().and_then(|query| query.read().ok());
    query.ok_or_else(|| StanzaCondition::BadRequest.into())
}

/// Section 3.2: the answer mirrors the node of the question.
fn mirror(query: Name, node: Option<&str>) -> Draft {
    match node {
        Some(node) => Draft::new(query).attribute("node", node),
        None => Draft::new(query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{self, JULIET, ROMEO};

    const INFO_QUERY: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    const ITEMS_QUERY: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

    fn asked(of: Of, query: &str) -> Result<String, StanzaCondition> {
        stage::asked(of, "get", query).map_err(|error| error.condition)
    }

    #[test]
    fn a_host_is_an_im_server_and_an_account_is_registered() {
        let host = asked(Of::Host, INFO_QUERY).unwrap();
        assert!(host.contains("<identity category='server' type='im' name='Waxwing'/>"), "{host}");
        assert!(host.contains("<feature var='http://jabber.org/protocol/disco#info'/>"), "{host}");
        let account = asked(Of::Account, INFO_QUERY).unwrap();
        assert!(account.contains("<identity category='account' type='registered'/>"), "{account}");
    }

    #[test]
    fn every_feature_of_every_xep_is_told_once() {
        for of in [Of::Host, Of::Account] {
            let info = asked(of, INFO_QUERY).unwrap();
            let hooks = crate::ALL.iter().flat_map(|xep| xep.hooks);
            for hook in hooks {
                let Hook::Feature(whose, feature) = hook else { continue };
                let told = info.matches(&format!("<feature var='{feature}'/>")).count();
                assert!(*whose != of || told == 1, "{feature} is told {told} times");
            }
        }
    }

    #[test]
    fn an_unknown_node_is_not_found() {
        for query in [INFO_QUERY, ITEMS_QUERY] {
            let query = query.replace("/>", " node='nowhere'/>");
            for of in [Of::Host, Of::Account] {
                assert_eq!(asked(of, &query).unwrap_err(), StanzaCondition::ItemNotFound);
            }
        }
    }

    #[test]
    fn without_items_the_answer_is_an_empty_query() {
        assert_eq!(asked(Of::Host, ITEMS_QUERY).unwrap(), ITEMS_QUERY);
        assert_eq!(asked(Of::Account, ITEMS_QUERY).unwrap(), ITEMS_QUERY);
    }

    #[test]
    fn the_node_of_our_capabilities_is_answered_and_mirrored() {
        for (of, entity) in [(Of::Host, &HOST), (Of::Account, &ACCOUNT)] {
            let node = stage::at(0, |ctx| xep_0115_caps::node(entity, ctx));
            let query = INFO_QUERY.replace("/>", &format!(" node='{node}'/>"));
            let with = asked(of, &query).unwrap();
            assert!(with.contains(&format!(" node='{node}'>")), "{with}");
            let without = asked(of, INFO_QUERY).unwrap();
            assert_eq!(with.replace(&format!(" node='{node}'"), ""), without);
        }
    }

    #[test]
    fn a_stranger_learns_nothing_of_an_account_section_8() {
        for query in [INFO_QUERY, ITEMS_QUERY] {
            let mut juliet = stage::Stage::of(JULIET);
            let iq = format!("<iq type='get' id='1' from='{ROMEO}/r' to='{JULIET}'>{query}</iq>");
            let answers = juliet.hears(&iq);
            assert_eq!(answers.len(), 1);
            let error = answers[0].children().find(|child| child.local() == "error").unwrap();
            assert!(error.as_str().contains("<service-unavailable "), "{error:?}");
        }
    }

    #[test]
    fn who_may_see_the_presence_of_an_account_may_ask() {
        for query in [INFO_QUERY, ITEMS_QUERY] {
            let mut juliet = stage::Stage::of(JULIET);
            juliet.hears(&format!("<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>"));
            juliet.says(&format!("<presence type='subscribed' to='{ROMEO}'/>"));
            let iq = format!("<iq type='get' id='1' from='{ROMEO}/r' to='{JULIET}'>{query}</iq>");
            let answers = juliet.hears(&iq);
            assert_eq!(answers.len(), 1);
            assert_eq!(answers[0].head.type_str(), "result");
        }
    }
}
