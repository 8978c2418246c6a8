//! What survives a kill: the logs, and the sessions that can be resumed.

use std::collections::HashMap;

/// A message, as all logs have it.
#[derive(Clone)]
pub struct Message {
    /// Bare JIDs.
    pub from: String,
    pub to: String,
    /// The full JIDs of sender and addressee; the latter may be bare.
    pub sender: String,
    pub addressee: String,
    /// What is inside the stanza, and its `id`.
    pub inside: String,
    pub id: String,
}

/// A session that can be resumed.
#[derive(Clone, Default)]
pub struct Session {
    pub account: String,
    pub jid: String,
    /// Stanzas of the client that are settled.
    pub h: u32,
    /// Stanzas that the client has acknowledged.
    pub acked: u32,
    /// The first place of the log that it was not sent.
    pub cursor: usize,
    /// The first place that the client has not acknowledged.
    pub mark: usize,
}

#[derive(Default)]
pub struct Kept {
    logs: HashMap<String, Vec<(u64, Message)>>,
    sessions: HashMap<String, Session>,
    names: u64,
}

impl Kept {
    pub fn begin(&mut self, account: &str, jid: &str) -> String {
        self.names += 1;
        let id = format!("s{}", self.names);
        let cursor = self.rows(account);
        let (account, jid) = (account.to_owned(), jid.to_owned());
        let session = Session { account, jid, cursor, mark: cursor, ..Session::default() };
        self.sessions.insert(id.clone(), session);
        id
    }

    pub fn knows(&self, session: &str) -> bool {
        self.sessions.contains_key(session)
    }

    pub fn forget(&mut self) {
        self.sessions.clear();
    }

    pub fn session(&self, session: &str) -> &Session {
        &self.sessions[session]
    }

    pub fn session_mut(&mut self, session: &str) -> &mut Session {
        self.sessions.get_mut(session).unwrap()
    }

    /// Settles stanzas up to this one, and tells how many are.
    pub fn settle(&mut self, session: &str, h: u32) -> u32 {
        let session = self.session_mut(session);
        session.h = session.h.max(h);
        session.h
    }

    pub fn moved(&mut self, session: &str, cursor: usize) {
        self.session_mut(session).cursor = cursor;
    }

    pub fn rows(&self, account: &str) -> usize {
        self.logs.get(account).map_or(0, Vec::len)
    }

    /// A message that is there already is not kept again.
    pub fn keep(&mut self, message: Message, once: bool) {
        self.names += 1;
        for log in [message.from.clone(), message.to.clone()] {
            let log = self.logs.entry(log).or_default();
            let again = log.iter().rev().any(|(_, row)| row.id == message.id);
            if !(once && again) {
                log.push((self.names, message.clone()));
            }
        }
    }

    /// Rows behind the one of this name: the place, the name, the stanza.
    pub fn page(&self, account: &str, after: Option<&str>, max: usize) -> Vec<(String, String)> {
        let rows = self.logs.get(account).map(Vec::as_slice).unwrap_or_default();
        let behind = after.and_then(|after| {
            rows.iter().position(|(name, _)| format!("n{name}") == after).map(|at| at + 1)
        });
        let rows = rows.iter().skip(behind.unwrap_or(0)).take(max);
        rows.map(|(name, row)| (format!("n{name}"), row.text())).collect()
    }

    /// What a device gets of a row; nothing, if it has sent it itself.
    pub fn stanza(&self, at: &Session, place: usize, delay: bool, mark: &str) -> Option<String> {
        let (name, row) = self.logs.get(&at.account)?.get(place)?;
        if row.sender == at.jid {
            return None;
        }
        let named = format!(
            "<stanza-id xmlns='urn:xmpp:sid:0' by='{}' id='n{name}{mark}'/>{}",
            at.account,
            if delay { "<delay xmlns='urn:xmpp:delay'/>" } else { "" }
        );
        let text = row.with(&named);
        let carbon = match (row.from == at.account, row.addressee == at.jid) {
            (true, _) => "sent",
            (false, false) if row.addressee != at.account => "received",
            _ => return Some(text),
        };
        Some(format!(
            "<message from='{}'><{carbon} xmlns='urn:xmpp:carbons:2'><forwarded \
             xmlns='urn:xmpp:forward:0'>{text}</forwarded></{carbon}></message>",
            at.account
        ))
    }
}

impl Message {
    fn text(&self) -> String {
        self.with("")
    }

    fn with(&self, more: &str) -> String {
        format!(
            "<message xmlns='jabber:client' type='chat' id='{}' from='{}' to='{}'>{}{more}\
             </message>",
            self.id, self.sender, self.addressee, self.inside
        )
    }
}
