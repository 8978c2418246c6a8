//! The nine states of a subscription and what moves between them (RFC 6121 Appendix A).

use crate::roster::State;

/// A presence that manages a subscription (RFC 6121 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// The sender wants to see the recipient's presence.
    Subscribe,
    /// The sender lets the recipient see its presence.
    Subscribed,
    /// The sender no longer wants to see it.
    Unsubscribe,
    /// The sender does not, or no longer, let the recipient see it.
    Unsubscribed,
}

impl Ask {
    /// The presence of this type; `None` for a presence that manages no subscription.
    pub fn parse(presence_type: &str) -> Option<Self> {
        let all = [Self::Subscribe, Self::Subscribed, Self::Unsubscribe, Self::Unsubscribed];
        all.into_iter().find(|ask| ask.as_str() == presence_type)
    }

    /// The presence's type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// One of the nine states (Appendix A.1), seen from the user. Never both `to` and `asked`, never
/// both `from` and `requested`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who sees whom, and the pending-out half.
    pub state: State,
    /// The contact waits for the user's answer: the pending-in half.
    pub requested: bool,
}

/// What a presence does to a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// It goes on: is routed to the contact when sent, delivered to the user when received.
    pub pass: bool,
    /// The standing after it.
    pub then: Standing,
    /// The contact may see the user already: the server says `subscribed` for the user (§3.1.3).
    pub reply: bool,
}

/// The user sends `ask` to the contact (Appendix A.2).
pub fn sent(at: Standing, ask: Ask) -> Move {
    match ask {
        // A.2.1
        Ask::Subscribe => on(Standing { state: State { asked: !at.state.to, ..at.state }, ..at }),
        // A.2.2
        Ask::Unsubscribe => on(without_to(at)),
        // A.2.3; nothing to approve: §3.4 decides, never the contact
        Ask::Subscribed if at.requested => {
            on(Standing { state: State { from: true, ..at.state }, requested: false })
        }
        // A.2.4
        Ask::Unsubscribed if at.state.from || at.requested => on(without_from(at)),
        Ask::Subscribed | Ask::Unsubscribed => stop(at),
    }
}

/// The contact's `ask` arrives (Appendix A.3).
pub fn received(at: Standing, ask: Ask) -> Move {
    match ask {
        // A.3.1
        Ask::Subscribe if at.state.from => Move { reply: true, ..stop(at) },
        Ask::Subscribe if !at.requested => on(Standing { requested: true, ..at }),
        // A.3.2
        Ask::Unsubscribe if at.state.from || at.requested => on(without_from(at)),
        // A.3.3
        Ask::Subscribed if at.state.asked => {
            on(Standing { state: State { to: true, asked: false, ..at.state }, ..at })
        }
        // A.3.4
        Ask::Unsubscribed if at.state.to || at.state.asked => on(without_to(at)),
        _ => stop(at),
    }
}

fn on(then: Standing) -> Move {
    Move { pass: true, then, reply: false }
}

fn stop(at: Standing) -> Move {
    Move { pass: false, then: at, reply: false }
}

fn without_to(at: Standing) -> Standing {
    Standing { state: State { to: false, asked: false, ..at.state }, ..at }
}

fn without_from(at: Standing) -> Standing {
    Standing { state: State { from: false, ..at.state }, requested: false }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// RFC 6121 Appendix A.2 and A.3, transcribed row by row. A cell is what the presence does:
    /// `+` it passes, `-` it does not, `!` it does not and is answered; then the new state, or
    /// `.` for the same one.
    const APPENDIX_A: &str = "
                    | out subscribe | out unsubscribe | out subscribed | out unsubscribed \
                    | in subscribe  | in unsubscribe  | in subscribed  | in unsubscribed
        None        | + None+PO     | + .             | - .            | - .       \
                    | + None+PI     | - .             | - .            | - .
        None+PO     | + .           | + None          | - .            | - .       \
                    | + None+PO+PI  | - .             | + To           | + None
        None+PI     | + None+PO+PI  | + .             | + From         | + None    \
                    | - .           | + None          | - .            | - .
        None+PO+PI  | + .           | + None+PI       | + From+PO      | + None+PO \
                    | - .           | + None+PO       | + To+PI        | + None+PI
        To          | + .           | + None          | - .            | - .       \
                    | + To+PI       | - .             | - .            | + None
        To+PI       | + .           | + None+PI       | + Both         | + To      \
                    | - .           | + To            | - .            | + None+PI
        From        | + From+PO     | + .             | - .            | + None    \
                    | ! .           | + None          | - .            | - .
        From+PO     | + .           | + From          | - .            | + None+PO \
                    | ! .           | + None+PO       | + Both         | + From
        Both        | + .           | + From          | - .            | + To      \
                    | ! .           | + To            | - .            | + From";

    pub(crate) fn standing(name: &str) -> Standing {
        let (base, pending) = name.split_once('+').unwrap_or((name, ""));
        let state = State {
            to: ["To", "Both"].contains(&base),
            from: ["From", "Both"].contains(&base),
            asked: pending.contains("PO"),
        };
        Standing { state, requested: pending.contains("PI") }
    }

    /// The head, and the rows.
    pub(crate) fn table() -> (Vec<String>, Vec<Vec<String>>) {
        let split = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let mut lines = APPENDIX_A.trim_start_matches('\n').lines().map(split);
        (lines.next().unwrap(), lines.collect())
    }

    #[test]
    fn every_cell_of_appendix_a_holds() {
        let (head, rows) = table();
        let mut cells = 0;
        for row in &rows {
            for (column, cell) in head.iter().zip(row).skip(1) {
                let (direction, ask) = column.split_once(' ').unwrap();
                let (sign, then) = cell.split_once(' ').unwrap();
                let at = standing(&row[0]);
                let walk = if direction == "out" { sent } else { received };
                let expected = Move {
                    pass: sign == "+",
                    then: if then == "." { at } else { standing(then) },
                    reply: sign == "!",
                };
                assert_eq!(walk(at, Ask::parse(ask).unwrap()), expected, "{} {column}", row[0]);
                cells += 1;
            }
        }
        assert_eq!(cells, 72);
    }

    #[test]
    fn no_walk_leaves_the_nine_states_of_a_1() {
        let nine: Vec<_> = table().1.iter().map(|row| standing(&row[0])).collect();
        let asks = [Ask::Subscribe, Ask::Subscribed, Ask::Unsubscribe, Ask::Unsubscribed];
        let (mut at, mut dice) = (Standing::default(), 1_u32);
        for _ in 0..10_000 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let ask = asks[(dice >> 20) as usize % 4];
            at = if dice >> 31 == 0 { sent(at, ask) } else { received(at, ask) }.then;
            assert!(nine.contains(&at), "{at:?}");
        }
    }

    #[test]
    fn both_sides_agree_after_any_conversation() {
        let asks = [Ask::Subscribe, Ask::Subscribed, Ask::Unsubscribe, Ask::Unsubscribed];
        let (mut sides, mut dice) = ([Standing::default(); 2], 7_u32);
        for _ in 0..10_000 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (who, ask) = ((dice >> 31) as usize, asks[(dice >> 20) as usize % 4]);
            let said = sent(sides[who], ask);
            sides[who] = said.then;
            if said.pass {
                sides[1 - who] = received(sides[1 - who], ask).then;
            }
            let [mine, theirs] = sides;
            assert_eq!(mine.state.to, theirs.state.from, "after {who} said {ask:?}");
            assert_eq!(mine.state.asked, theirs.requested, "after {who} said {ask:?}");
        }
    }

    #[test]
    fn only_the_four_types_of_section_3_manage_subscriptions() {
        assert_eq!(Ask::parse("unsubscribed"), Some(Ask::Unsubscribed));
        assert_eq!(Ask::parse("unavailable"), None);
        assert_eq!(Ask::parse(""), None);
    }
}
