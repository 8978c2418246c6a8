//! What happened: every send, acknowledgement, receipt and archive row, in the order in which it
//! was seen. A history is kept as lines of JSON, one for each event.

mod stay;

use serde::{Deserialize, Serialize};
pub use stay::{Does, Wish};
use std::io::{self, BufRead, Write};

/// A log: the archive of an account or of a room.
pub type Log = u16;
/// A client program of an account, through all of its sessions.
pub type Device = u16;
/// A message that a device has sent; its origin-id is made of this.
pub type Send = u64;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Since the beginning of the run, by one monotonic clock.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// There is a log of this address.
    Log {
        /// Its number.
        log: Log,
        /// Its address.
        jid: String,
        /// Whether it is a room's.
        #[serde(default)]
        room: bool,
    },
    /// There is a device, which is to hear of all that enters these logs.
    Device {
        /// Its number.
        device: Device,
        /// Its full JID.
        jid: String,
        /// The archive of its account, then the rooms where it is.
        hears: Vec<Log>,
    },
    /// A device has a session.
    Session {
        /// Whose.
        device: Device,
        /// Whether it is a new one.
        how: How,
        /// From the first try to connect.
        took_us: u64,
        /// How often the server had forgotten when it connected: what answers may be its last word
        /// before it is made to again.
        forgot: u32,
    },
    /// The connection of a device has ended.
    End {
        /// Whose.
        device: Device,
    },
    /// A device sends a message, for the first time or again.
    Send {
        /// Who.
        device: Device,
        /// Which.
        id: Send,
        /// Where it must be when it was acknowledged.
        logs: Vec<Log>,
    },
    /// The server has taken responsibility for these (XEP-0198 §4).
    Acked {
        /// Who was told.
        device: Device,
        /// Its count.
        h: u32,
        /// Those that it covers, and no earlier one did.
        ids: Vec<Send>,
    },
    /// The device has told the server that it has these (XEP-0198 §4).
    Told {
        /// Who.
        device: Device,
        /// Those that no earlier count covered.
        ids: Vec<Send>,
    },
    /// A message arrived.
    Recv {
        /// Where.
        device: Device,
        /// Which.
        id: Send,
        /// The log that gave it a stanza-id, or would have.
        log: Log,
        /// Its stanza-id (XEP-0359).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stanza_id: Option<String>,
        /// On which way.
        via: Via,
        /// Whether it says that it was delayed (XEP-0203).
        #[serde(default)]
        delay: bool,
    },
    /// The server has refused a message.
    Refused {
        /// Whose.
        device: Device,
        /// Which.
        id: Send,
        /// With this condition.
        condition: String,
    },
    /// A row of a log, as MAM shows it at the end (XEP-0313), in order.
    Row {
        /// Of which log.
        log: Log,
        /// Its archive id.
        stanza_id: String,
        /// The message.
        id: Send,
    },
    /// Something about a room.
    Room {
        /// Who does or sees it.
        device: Device,
        /// The log of the room.
        log: Log,
        /// What.
        #[serde(flatten)]
        does: Does,
    },
    /// What was done to the server.
    Fault {
        /// What.
        fault: Fault,
    },
    /// Something that no server may say.
    Wrong {
        /// To whom.
        device: Device,
        /// In words.
        why: String,
    },
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The first one.
    New,
    /// The one before goes on (XEP-0198 §5).
    Resumed,
    /// Another one, because the one before could not be resumed.
    Renewed,
}

/// On which way a message arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// As it comes.
    Live,
    /// The same, to a device that need not be available yet: to itself alone (RFC 6121 §8.5.3.1),
    /// and in no order with what waits for it to be.
    Early,
    /// As a carbon copy (XEP-0280).
    Carbon,
    /// With a delay, in a session that was not resumed.
    Offline,
    /// With a delay, in a session that was resumed.
    SmResend,
    /// In an answer of the archive, because the device asked.
    Mam,
}

/// What is done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// `kill -9`.
    Kill,
    /// `kill -9`, and what was not synced is gone.
    PowerLoss,
    /// SIGTERM, and the store was put back from a copy: what it knew of sessions is gone.
    Restore,
    /// SIGTERM: an orderly end.
    Drain,
    /// Connections are cut, the server runs on.
    Cut,
    /// The database ends and starts again.
    Database,
    /// Anything else that takes nothing from the server's memory.
    Other,
}

impl Fault {
    /// Whether the server has forgotten what it told to whom.
    pub fn forgets(self) -> bool {
        matches!(self, Self::Kill | Self::PowerLoss | Self::Restore)
    }
}

/// How many messages the server has taken responsibility for here.
pub fn acked(events: &[Event]) -> usize {
    let ids = |event: &Event| match &event.what {
        What::Acked { ids, .. } => ids.len(),
        _ => 0,
    };
    events.iter().map(ids).sum()
}

/// Writes one event as a line.
///
/// # Errors
/// What the writer says.
pub fn write(event: &Event, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, event)?;
    to.write_all(b"\n")
}

/// Reads a history that was kept.
///
/// # Errors
/// What the reader says, or the line that is none.
pub fn read(from: &mut dyn BufRead) -> io::Result<Vec<Event>> {
    let lines = from.lines().filter(|line| !line.as_ref().is_ok_and(String::is_empty));
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_room(at_us: u64, does: Does) -> Event {
        Event { at_us, what: What::Room { device: 1, log: 2, does } }
    }

    #[test]
    fn a_history_that_was_kept_is_read_as_it_was() {
        let recv = What::Recv {
            device: 1,
            id: 7,
            log: 2,
            stanza_id: Some("x".into()),
            via: Via::SmResend,
            delay: true,
        };
        let history = [
            Event { at_us: 1, what: What::Fault { fault: Fault::PowerLoss } },
            Event { at_us: 2, what: recv },
            Event { at_us: 3, what: What::Acked { device: 1, h: 3, ids: vec![4, 5] } },
            in_room(4, Does::Asks { account: 3, wish: Wish::Outcast }),
            in_room(5, Does::Affiliates { accounts: vec![(3, Wish::Outcast)] }),
            in_room(6, Does::Inside),
        ];
        let mut kept = Vec::new();
        history.iter().for_each(|event| write(event, &mut kept).unwrap());
        assert!(kept.starts_with(b"{\"at_us\":1,\"event\":\"fault\",\"fault\":\"power-loss\"}\n"));
        assert_eq!(read(&mut &kept[..]).unwrap(), history);
        assert!(read(&mut &b"{}"[..]).is_err());
    }
}
