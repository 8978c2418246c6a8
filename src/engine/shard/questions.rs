//! Requests to hosts that the store is read for: one after the other for each who asks, so that
//! what was asked first is done first (RFC 6120 §10.1).

use super::{Output, WorldAnswer};
use crate::request::{QUESTIONS_OF_ONE_MAX, have_one_asker};
use std::collections::BTreeMap;
use wire::{Bare, Stanza};

/// Requests to hosts that the store may be being read for.
const QUESTIONS_MAX: usize = 4096;

/// What hosts are asked, by number, in order.
#[derive(Default)]
pub(super) struct Questions {
    asked: BTreeMap<u64, Asked>,
    last: u64,
}

struct Asked {
    host: Bare,
    iq: Stanza,
    /// None: it is being read.
    read: Option<WorldAnswer>,
}

impl Questions {
    /// By all together, or by this one.
    pub fn are_too_many(&self, iq: &Stanza) -> bool {
        let of_one = self.asked.values().filter(|asked| have_one_asker(&asked.iq, iq)).count();
        self.asked.len() >= QUESTIONS_MAX || of_one >= QUESTIONS_OF_ONE_MAX
    }

    /// One more.
    pub fn ask(&mut self, host: Bare, iq: Stanza, read: WorldAnswer, out: &mut Vec<Output>) {
        self.last += 1;
        let asked = Asked { host, iq: iq.clone(), read: Some(read) };
        self.asked.insert(self.last, asked);
        self.go_on(&iq, out);
    }

    /// It has been read; the next of the same asker goes on.
    pub fn answered(&mut self, number: u64, out: &mut Vec<Output>) -> Option<Stanza> {
        let Asked { iq, .. } = self.asked.remove(&number)?;
        self.go_on(&iq, out);
        Some(iq)
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    fn go_on(&mut self, iq: &Stanza, out: &mut Vec<Output>) {
        let mut of_one = self.asked.iter_mut().filter(|(_, asked)| have_one_asker(&asked.iq, iq));
        let Some((&number, Asked { host, iq, read })) = of_one.next() else { return };
        if let Some(answer) = read.take() {
            out.push(Output::World { account: host.clone(), number, iq: iq.clone(), answer });
        }
    }
}
