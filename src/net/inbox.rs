//! What an operator may see of the inbox of an account.

use crate::{
    clock::unix_ms,
    operator::{Answer, Operator},
};
use engine::{
    ctx::date_time, hook::World, inbox::Conversation, port::Fault, unit::Pos, wire::Bare,
};

impl Operator {
    /// Up to when it has been gathered, and a line for each conversation, the newest first.
    pub(crate) async fn inbox(&self, account: &Bare) -> Result<Answer, String> {
        let store = &self.accounts.store;
        let found = store.credentials(account).await.map_err(|fault| fault.to_string())?;
        found.ok_or_else(|| format!("{account} does not exist"))?;
        let mut inbox = store.inbox(account).await.map_err(|fault| fault.to_string())?;
        let rooms = self.rooms(account).await.map_err(|fault| fault.to_string())?;
        inbox.conversations.extend(rooms);
        inbox.conversations.sort_unstable_by_key(|one| std::cmp::Reverse(one.upto));
        let upto = format!("gathered up to {}", moment(inbox.upto));
        let lines = inbox.conversations.iter().map(line);
        Ok(Answer::Lines(std::iter::once(upto).chain(lines).collect()))
    }

    /// Nothing of them is gathered: they are read as they are now.
    async fn rooms(&self, account: &Bare) -> Result<Vec<Conversation>, Fault> {
        let settings = self.settings.load_full();
        let world = World {
            store: &*self.accounts.store,
            registrar: &self.accounts,
            account,
            peer: None,
            unix_ms: unix_ms(),
            settings: &settings,
            hooks: &self.hooks,
        };
        let mut rooms = Vec::new();
        for read in self.hooks.conversations() {
            rooms.extend(read(&world).await?);
        }
        Ok(rooms)
    }
}

fn line(one: &Conversation) -> String {
    let Conversation { peer, last, unread, displayed, .. } = one;
    format!("{peer}  {unread} unread  last {}  seen {}", moment(*last), moment(*displayed))
}

fn moment(pos: Pos) -> String {
    if pos == Pos::default() { "never".into() } else { date_time(pos.unix_ms()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Request;
    use engine::{
        hook::{Hook, Status, Xep},
        hooks::Hooks,
        inbox::Gathered,
        settings::Settings,
        unit::{Change, Credentials},
    };
    use std::sync::Arc;
    use store::Memory;

    /// Whoever asks is in one room.
    const ROOMS: Xep = Xep {
        number: 9998,
        name: "Rooms",
        version: "1",
        status: Status::Partial("tests"),
        hooks: &[Hook::Conversations(|world| {
            Box::pin(async {
                let peer = Bare::parse(&format!("{}@rooms.x", world.account.local().unwrap()));
                let (upto, last) = (at(1_000), at(1_000));
                let peer = peer.unwrap();
                Ok(vec![Conversation { peer, upto, last, unread: 7, displayed: at(0) }])
            })
        })],
    };

    fn at(ms: i64) -> Pos {
        Pos((1_767_225_600_000 + ms) << 20)
    }

    #[tokio::test]
    async fn an_operator_sees_who_waits_to_be_read() {
        let domains = vec![Bare::host("x").unwrap()];
        let (settings, hooks) = (Settings::of(domains, [0; 32]), Hooks::of(&[&ROOMS]));
        let operator = Operator::alone(settings, hooks, Arc::new(Memory::new(&[])));
        let operator = operator.await.unwrap();
        let ask = async || operator.answer(Request::UserInbox { jid: "juliet@x".into() }).await;
        assert!(matches!(ask().await, Answer::Failed(_)));
        let juliet = Bare::parse("juliet@x").unwrap();
        let create = Change::Create(juliet.clone(), Credentials::default());
        operator.accounts.writer.commit(create.into()).await.unwrap();
        let lines = |answer| match answer {
            Answer::Lines(lines) => lines,
            other => panic!("{other:?}"),
        };
        let room = "juliet@rooms.x  7 unread  last 2026-01-01T00:00:01Z  seen 2026-01-01T00:00:00Z";
        assert_eq!(lines(ask().await), ["gathered up to never", room]);
        let one = |peer: &str, upto, displayed| Conversation {
            peer: Bare::parse(peer).unwrap(),
            upto,
            last: at(0),
            unread: 2,
            displayed,
        };
        let conversations = vec![one("romeo@x", at(0), Pos(0)), one("nurse@x", at(2_000), at(0))];
        let gathered = Gathered { upto: at(2_000), oldest: Pos(0), conversations };
        let change = Change::Gathered(juliet, Box::new(gathered));
        operator.accounts.writer.commit(change.into()).await.unwrap();
        let first = "2026-01-01T00:00:00Z";
        assert_eq!(
            lines(ask().await),
            [
                "gathered up to 2026-01-01T00:00:02Z".to_owned(),
                format!("nurse@x  2 unread  last {first}  seen {first}"),
                room.to_owned(),
                format!("romeo@x  2 unread  last {first}  seen never"),
            ]
        );
    }
}
