//! Which request is answered when, and with what (XEP-0124 §8 to §14).

use super::{
    Bosh, Kept, Phase,
    reply::{Answer, Attributes, Condition, Reply, Ticket},
    request::Request,
};
use crate::ctx::Moment;
use std::mem;
use wire::Wrapper;

impl Bosh {
    /// Answers what can be answered now.
    pub(super) fn settle(&mut self, now: Moment, out: &mut Vec<Answer>) {
        if self.phase == Phase::Ended && self.waiting.iter().any(Request::is_held) {
            return self.take_leave(out);
        }
        while self.is_due(now) {
            let Some(request) = self.waiting.pop_front() else { break };
            self.respond(now, request, out);
        }
    }

    /// Whether the oldest request must wait no longer. They are answered in order.
    fn is_due(&self, now: Moment) -> bool {
        let Some(first) = self.waiting.front().filter(|first| first.done) else { return false };
        let held = || self.waiting.iter().filter(|request| request.is_held());
        let late = |request: &Request| now >= request.since.after(self.terms.wait_ms);
        let said = !self.said.payloads.is_empty();
        match self.phase {
            // The end of the stream follows, and is told in the same response (XEP-0206 §6).
            _ if self.said.error => false,
            // The features are worth waiting for (XEP-0206 §4).
            Phase::Beginning => said || self.terms.wait_ms > 0 && late(first),
            Phase::Open | Phase::Leaving => {
                let takes = |request: &Request| request.pause_ms.is_none();
                said && held().any(takes)
                    || self.waiting.len() > self.terms.hold
                    || held().any(late)
                    || self.pause_ms.is_some()
                    || self.report.is_some()
            }
            Phase::Ended | Phase::Over => false,
        }
    }

    fn respond(&mut self, now: Moment, request: Request, out: &mut Vec<Answer>) {
        let mut attributes = Attributes::default();
        let begins = self.phase == Phase::Beginning;
        if begins {
            self.terms.tell(&self.sid, &mut attributes);
        }
        if begins || self.received != request.rid {
            attributes.number("ack", self.received);
        }
        if let Some((rid, ms)) = self.report.take() {
            attributes.number("report", rid);
            attributes.number("time", ms);
        }
        // What nobody takes, and a pause, gets no payloads (§10).
        let takes = request.is_held() && request.pause_ms.is_none();
        let said = if takes { mem::take(&mut self.said) } else { Default::default() };
        let reply = Reply::of(Wrapper {
            attributes: &attributes.0,
            streams: begins || said.streams,
            payloads: &said.payloads,
        });
        self.last.in_vain = said.payloads.is_empty();
        if begins {
            self.phase = Phase::Open;
        }
        if request.pause_ms.is_none() {
            let kept = Kept { rid: request.rid, key: request.key, reply: reply.clone(), at: now };
            self.kept.push_back(kept);
        }
        if self.kept.len() > self.terms.requests {
            self.kept.pop_front();
        }
        if let Some(ticket) = request.ticket {
            out.push(Answer { ticket, reply });
        }
        self.note_quiet(now);
    }

    /// The stream has ended: the oldest request that is held is told so, the others nothing
    /// (§13).
    fn take_leave(&mut self, out: &mut Vec<Answer>) {
        let said = mem::take(&mut self.said);
        let mut attributes = Attributes::default();
        attributes.text("type", "terminate");
        if said.error {
            attributes.text("condition", Condition::RemoteStreamError.as_str());
        }
        let last = Reply::of(Wrapper {
            attributes: &attributes.0,
            streams: said.streams,
            payloads: &said.payloads,
        });
        let held = mem::take(&mut self.waiting).into_iter().filter_map(|request| request.ticket);
        let replies = std::iter::once(last).chain(std::iter::repeat_with(Reply::empty));
        out.extend(held.zip(replies).map(|(ticket, reply)| Answer { ticket, reply }));
        self.terminate(Condition::OtherRequest, None, out);
    }

    /// Ends the session at once. The request at fault, if there is one, is told why.
    pub(super) fn terminate(
        &mut self,
        condition: Condition,
        fault: Option<Ticket>,
        out: &mut Vec<Answer>,
    ) {
        let legacy = self.terms.version.is_none();
        let others = mem::take(&mut self.waiting)
            .into_iter()
            .chain(mem::take(&mut self.early).into_values());
        let others = others.filter_map(|request| request.ticket).filter(|&one| Some(one) != fault);
        let reason = if fault.is_some() { Condition::OtherRequest } else { condition };
        let other = Reply::terminal(reason, legacy);
        out.extend(others.map(|ticket| Answer { ticket, reply: other.clone() }));
        let fault = fault.map(|ticket| {
            let reply = Reply::terminal(condition, legacy);
            Answer { ticket, reply }
        });
        out.extend(fault);
        self.kept.clear();
        self.said = Default::default();
        self.phase = Phase::Over;
    }
}
