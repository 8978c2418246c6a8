//! What an operator may see of the inbox of an account.

use crate::operator::{Answer, Operator};
use engine::{ctx::date_time, inbox::Conversation, unit::Pos, wire::Bare};

impl Operator {
    /// Up to when it has been gathered, and a line for each conversation, the newest first.
    pub(crate) async fn inbox(&self, account: &Bare) -> Result<Answer, String> {
        let store = &self.accounts.store;
        let found = store.credentials(account).await.map_err(|fault| fault.to_string())?;
        found.ok_or_else(|| format!("{account} does not exist"))?;
        let mut inbox = store.inbox(account).await.map_err(|fault| fault.to_string())?;
        inbox.conversations.sort_unstable_by_key(|one| std::cmp::Reverse(one.upto));
        let upto = format!("gathered up to {}", moment(inbox.upto));
        let lines = inbox.conversations.iter().map(line);
        Ok(Answer::Lines(std::iter::once(upto).chain(lines).collect()))
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
        inbox::Gathered,
        unit::{Change, Credentials},
    };
    use std::sync::Arc;
    use store::Memory;

    #[tokio::test]
    async fn an_operator_sees_who_waits_to_be_read() {
        let domains = vec![Bare::host("x").unwrap()];
        let operator = Operator::alone(domains, Arc::new(Memory::new(&[])), <_>::default());
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
        assert_eq!(lines(ask().await), ["gathered up to never"]);
        let at = |ms: i64| Pos((1_767_225_600_000 + ms) << 20);
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
                format!("romeo@x  2 unread  last {first}  seen never"),
            ]
        );
    }
}
