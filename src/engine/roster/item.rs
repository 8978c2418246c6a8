//! One contact: what is known of it, and how its owner is shown it.

use super::{GROUP, ITEM, Item, Standing, State, query};
use wire::{Bare, Draft, Payload, escaped_len};

impl Item {
    /// A contact of whom nothing is known.
    pub(super) fn of(contact: &Bare) -> Self {
        Self {
            jid: contact.clone().into(),
            name: None,
            groups: Vec::new(),
            state: State::default(),
            approved: false,
            request: None,
            ver: 0,
        }
    }

    /// Its place among the nine states (Appendix A.1).
    pub fn standing(&self) -> Standing {
        Standing { state: self.state, requested: self.request.is_some() }
    }

    /// Whether it is shown to the user: not when it is no more than a stranger's request.
    pub fn is_listed(&self) -> bool {
        self.is_used() || self.request.is_none()
    }

    /// Whether nothing is known of it.
    pub(super) fn is_blank(&self) -> bool {
        !self.is_used() && self.request.is_none()
    }

    /// Whether the user, or the contact's answer to the user, has made anything of it.
    fn is_used(&self) -> bool {
        let labelled = self.name.is_some() || !self.groups.is_empty();
        labelled || self.approved || self.state != State::default()
    }

    /// What it says, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let labels = self.name.iter().chain(&self.groups).map(|label| label.len());
        self.jid.as_str().len() + labels.sum::<usize>() + self.request_bytes()
    }

    /// What the request takes that waits for an answer, in bytes.
    pub(super) fn request_bytes(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.wire_len())
    }

    /// What it takes in what its owner is told, in bytes; nothing when it is not shown. With every
    /// attribute that it may have: what the contact does makes it no longer.
    pub fn told_bytes(&self) -> usize {
        const TAGS: &str = "<item jid='' name='' subscription='none' ask='subscribe' \
                            approved='true'></item>";
        const GROUP_TAGS: &str = "<group></group>";
        if !self.is_listed() {
            return 0;
        }
        let said = self.name.iter().chain(&self.groups).map(|label| escaped_len(label));
        let said = escaped_len(self.jid.as_str()) + said.sum::<usize>();
        TAGS.len() + GROUP_TAGS.len() * self.groups.len() + said
    }

    /// A roster push of this item (§2.1.6).
    pub fn push(&self, ver: i64) -> Payload {
        query(ver).child(self.draft()).finish()
    }

    /// The `<item/>` that its owner sees (§2.1.2).
    pub fn draft(&self) -> Draft {
        let mut draft = Draft::new(ITEM).attribute("jid", self.jid.as_str());
        if let Some(name) = self.name.as_ref().filter(|name| !name.is_empty()) {
            draft = draft.attribute("name", name);
        }
        draft = draft.attribute("subscription", self.state.as_str());
        if self.state.asked {
            draft = draft.attribute("ask", "subscribe");
        }
        if self.approved {
            draft = draft.attribute("approved", "true");
        }
        let groups = self.groups.iter().map(|group| Draft::new(GROUP).text(group));
        groups.fold(draft, Draft::child)
    }
}

impl State {
    /// The value of `subscription` (§2.1.2.5).
    pub const fn as_str(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}
