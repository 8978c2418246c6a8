//! Roster get and set (RFC 6121 §2.2 to §2.6).

use super::*;

/// What a client wants of one item. Of `subscription` only `remove` counts; `ask` and `approved`
/// are the server's alone (§2.1.2).
struct Wish {
    jid: Jid,
    /// None: remove it.
    labels: Option<(Text, Vec<Text>)>,
}

impl Roster {
    /// Answers a roster get (§2.2, §2.6).
    pub fn get(&self, iq: &Stanza) -> RosterReply {
        let ver = iq.child(QUERY).and_then(|query| query.attribute("ver")?.parse().ok());
        match ver {
            Some(ver) if ver == self.ver => RosterReply::Empty,
            Some(ver) if self.remembers(ver) => self.since(ver),
            _ => self.whole(),
        }
    }

    fn whole(&self) -> RosterReply {
        let items = self.listed().map(Item::draft);
        RosterReply::Full(items.fold(query(self.ver), Draft::child).finish())
    }

    /// Does a roster set (§2.3, §2.4, §2.5). Whose roster it is about is checked by the caller.
    ///
    /// # Errors
    /// Those of §2.3.3; `item-not-found` for the removal of what is not there (§2.5.3);
    /// `resource-constraint` for one item too many, or for too much in them.
    pub fn set(&mut self, owner: &Bare, iq: &Stanza, ctx: &Ctx<'_>) -> Result<Set, StanzaError> {
        let Wish { jid, labels } = wish(iq)?;
        let Some((name, groups)) = labels else {
            return self.remove(owner, jid, ctx);
        };
        let before = self.item(&jid).cloned();
        let before = before.unwrap_or_else(|| Item { jid: jid.clone(), ..Item::of(owner) });
        let item = Item { name: Some(name), groups, ..before };
        if self.lacks_room(&item, ctx) {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        let ver = self.next_ver(ctx.unix_ms);
        let item = Item { ver, ..item };
        let push = item.push(ver);
        let changes = vec![self.write(owner, item)];
        Ok(Set { push, changes, sends: Vec::new(), contact: jid, lost_from: false })
    }

    fn remove(&mut self, owner: &Bare, jid: Jid, ctx: &Ctx<'_>) -> Result<Set, StanzaError> {
        let item = self.item(&jid).filter(|item| item.is_listed());
        let Standing { state, requested } = item.ok_or(StanzaCondition::ItemNotFound)?.standing();
        let mut sends = Vec::new();
        if state.to || state.asked {
            sends.push(Ask::Unsubscribe);
        }
        if state.from || requested {
            sends.push(Ask::Unsubscribed);
        }
        let ver = self.next_ver(ctx.unix_ms);
        let changes = vec![self.forget(owner, &jid, ver)];
        let push = removal(&jid, ver);
        Ok(Set { push, changes, sends, contact: jid, lost_from: state.from })
    }

    /// Whether all that happened since `ver` is known. Not of a version older than anything we
    /// know: it may be of another server, or of an account of the same name.
    fn remembers(&self, ver: i64) -> bool {
        let removed = self.removed.iter().map(|&(_, ver)| ver);
        let oldest = self.items().map(|item| item.ver).chain(removed).min();
        let forgotten = match self.removed.front() {
            Some(&(_, oldest)) if self.removed.len() >= REMOVED_ITEMS_MAX => oldest,
            _ => i64::MIN,
        };
        ver < self.ver && ver >= forgotten && oldest.is_some_and(|oldest| ver >= oldest)
    }

    /// The final states of what changed since `ver`, each with its own version, in order. When that
    /// is much, the whole roster instead (§2.6.3).
    fn since(&self, ver: i64) -> RosterReply {
        let changed = self.listed().filter(|item| item.ver > ver);
        let here = |jid| self.item(jid).is_some_and(Item::is_listed);
        let removed = self.removed.iter().filter(|(jid, at)| *at > ver && !here(jid));
        let pushes = changed.clone().count() + removed.clone().count();
        if pushes > PUSHES_MAX {
            return self.whole();
        }
        let changed = changed.map(|item| (item.ver, item.push(item.ver)));
        let removed = removed.map(|(jid, at)| (*at, removal(jid, *at)));
        let mut pushes: Vec<_> = changed.chain(removed).collect();
        pushes.sort_by_key(|&(ver, _)| ver);
        match pushes.is_empty() {
            true => RosterReply::Empty,
            false => RosterReply::Changed(pushes.into_iter().map(|(_, push)| push).collect()),
        }
    }
}

fn wish(iq: &Stanza) -> Result<Wish, StanzaError> {
    let query = iq.child(QUERY).ok_or(StanzaCondition::BadRequest)?;
    let mut items = query.children().filter(|child| child.is(ITEM));
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(StanzaCondition::BadRequest.into());
    };
    let jid = item.attribute("jid").ok_or(StanzaCondition::BadRequest)?;
    let jid = Jid::parse(&jid).map_err(|_| StanzaCondition::JidMalformed)?;
    if item.attribute("subscription").is_some_and(|value| value == "remove") {
        return Ok(Wish { jid, labels: None });
    }
    let name = item.attribute("name").unwrap_or_default();
    if name.len() > LABEL_BYTES_MAX {
        return Err(StanzaCondition::NotAcceptable.into());
    }
    Ok(Wish { jid, labels: Some((Text::from(name.as_ref()), groups(item)?)) })
}

fn groups(item: Element<'_>) -> Result<Vec<Text>, StanzaError> {
    let mut groups: Vec<Text> = Vec::new();
    for group in item.children().filter(|child| child.is(GROUP)) {
        let group = group.text();
        if group.is_empty() || group.len() > LABEL_BYTES_MAX || groups.len() >= GROUPS_MAX {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        if groups.iter().any(|other| *other == group.as_ref()) {
            return Err(StanzaCondition::BadRequest.into());
        }
        groups.push(Text::from(group.as_ref()));
    }
    Ok(groups)
}
