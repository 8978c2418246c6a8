//! What must hold of the logs: A1, A2, A5, A6, and the order of A4.

use super::{Facts, Message, Verdict, Wrong};
use crate::audit::history::{Device, Log, Send};
use std::collections::{BTreeMap, HashMap};

impl Facts<'_> {
    pub(super) fn check_rows(&self, verdict: &mut Verdict) {
        for (id, message) in &self.messages {
            self.check_message(*id, message, verdict);
        }
        for (log, rows) in &self.rows {
            self.check_log(*log, rows, verdict);
        }
    }

    fn check_message(&self, id: Send, message: &Message, verdict: &mut Verdict) {
        let is_in = |log: &&Log| self.places.contains_key(&(**log, id));
        let (present, absent): (Vec<&Log>, Vec<&Log>) = message.logs.iter().partition(is_in);
        let from = self.device(message.device);
        if message.refused {
            for log in present {
                let why =
                    format!("{from} was told that {id} is refused, {} has it", self.log(*log));
                verdict.find(Wrong::Contradiction, Some(id), why);
            }
            return;
        }
        if message.acked {
            for log in absent {
                let why = format!("{id} of {from} was acknowledged, {} lacks it", self.log(*log));
                verdict.find(Wrong::Lost, Some(id), why);
            }
        } else if !present.is_empty() && !absent.is_empty() {
            let (has, lacks) = (present.len(), absent.len());
            let why = format!("{id} of {from} is in {has} of its logs, not in {lacks}");
            verdict.find(Wrong::Torn, Some(id), why);
        }
    }

    fn check_log(&self, log: Log, rows: &[(Send, &str)], verdict: &mut Verdict) {
        let mut first: HashMap<Send, &str> = HashMap::new();
        let mut names: HashMap<&str, Send> = HashMap::new();
        let mut last: BTreeMap<Device, (usize, Send)> = BTreeMap::new();
        let place = self.log(log);
        for (id, name) in rows {
            if let Some(other) = names.insert(name, *id) {
                let why = format!("{place}: {name} names {other} and {id}");
                verdict.find(Wrong::Duplicate, Some(*id), why);
            }
            if let Some(other) = first.insert(*id, name) {
                let why = format!("{place}: {id} is there as {other} and as {name}");
                verdict.find(Wrong::Duplicate, Some(*id), why);
                continue;
            }
            let Some(message) = self.messages.get(id) else { continue };
            let before = last.insert(message.device, (message.place, *id));
            if let Some((_, other)) = before.filter(|(other, _)| *other > message.place) {
                let from = self.device(message.device);
                let why = format!("{place}: {id} of {from} stands behind {other}, sent later");
                verdict.find(Wrong::Reorder, Some(*id), why);
            }
        }
    }
}
