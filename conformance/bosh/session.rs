//! One session: what waits to be said, the requests under way, and what their answers say.

use super::{
    HTTPBIND,
    post::{Awaited, Post},
};
use crate::{
    framing::Said,
    tree::{Heard, STREAM, Tree, document, escaped},
};
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::RecvTimeoutError},
    time::Instant,
};

/// The namespace of what XMPP adds (XEP-0206 §9.1).
const XBOSH: &str = "urn:xmpp:xbosh";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// How long the server may hold a request back, in seconds (XEP-0124 §7).
const WAIT: u32 = 30;
/// When the answer to the first request names no number.
const REQUESTS: usize = 2;
/// The first `rid` is chosen at random, and no number may come above 2^53 (XEP-0124 §7).
const RID_BITS: u32 = 50;

pub(super) struct Session {
    post: Arc<Post>,
    stage: Stage,
    rid: u64,
    unsent: VecDeque<Said>,
    under_way: VecDeque<Awaited>,
    /// The stream is to begin anew, and has not.
    restarts: bool,
    /// What answers said that had to come before more could be said.
    heard: VecDeque<Result<Vec<Heard>, String>>,
}

enum Stage {
    New,
    Asked,
    Open {
        sid: String,
        from: String,
        requests: usize,
    },
    /// All is said; answers still come.
    Closing,
    Ended,
}

impl Session {
    pub(super) fn new(post: Arc<Post>) -> Self {
        let mut random = [0; 8];
        // Without chance the session is still one.
        let _ = getrandom::fill(&mut random);
        let rid = u64::from_be_bytes(random) >> (u64::BITS - RID_BITS);
        Self {
            post,
            stage: Stage::New,
            rid,
            unsent: VecDeque::new(),
            under_way: VecDeque::new(),
            restarts: false,
            heard: VecDeque::new(),
        }
    }

    /// A session does not end with a connection: who is gone says so, and waits for no answer.
    pub(super) fn leave(&mut self) {
        if matches!(self.stage, Stage::Open { .. }) {
            self.unsent.clear();
            let Stage::Open { sid, .. } = std::mem::replace(&mut self.stage, Stage::Ended) else {
                return;
            };
            self.request(&format!(" sid='{}' type='terminate'/>", escaped(&sid)));
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended) && self.heard.is_empty()
    }

    /// Says it all, if answers come before this moment where they must come first.
    pub(super) fn say(&mut self, said: Vec<Said>, until: Instant) {
        self.unsent.extend(said);
        self.send();
        while !self.unsent.is_empty() {
            let Some(heard) = self.answer(until).transpose() else { return };
            self.heard.push_back(heard);
        }
    }

    /// What the next answer says; `None`: none has come until then.
    pub(super) fn hear(&mut self, until: Instant) -> Result<Option<Vec<Heard>>, String> {
        if let Some(heard) = self.heard.pop_front() {
            return heard.map(Some);
        }
        self.send();
        if let (Stage::Open { sid, .. }, true) = (&self.stage, self.under_way.is_empty()) {
            let body = format!(" sid='{}'/>", escaped(sid));
            self.request(&body);
        }
        self.answer(until)
    }

    fn answer(&mut self, until: Instant) -> Result<Option<Vec<Heard>>, String> {
        let Some(first) = self.under_way.front() else { return Ok(None) };
        let answer = match first.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("a request that panicked".into()),
        };
        self.under_way.pop_front();
        let heard = answer.and_then(|answer| self.took(&answer));
        match &heard {
            Ok(_) => self.send(),
            Err(_) => self.stage = Stage::Ended,
        }
        heard.map(Some)
    }

    /// Sends what may be sent now.
    fn send(&mut self) {
        while !self.unsent.is_empty() {
            let (sid, requests) = match &self.stage {
                Stage::New => match self.unsent.pop_front() {
                    Some(Said::Header(header)) => {
                        self.create(&header);
                        continue;
                    }
                    _ => continue,
                },
                Stage::Open { sid, requests, .. } => (escaped(sid), *requests),
                Stage::Asked => return,
                Stage::Closing | Stage::Ended => return self.unsent.clear(),
            };
            if self.under_way.len() >= requests {
                return;
            }
            let body = self.next_body(&sid);
            self.request(&body);
        }
    }

    fn create(&mut self, header: &Tree) {
        let attributes = addresses(header);
        self.stage = Stage::Asked;
        self.request(&format!(
            "{attributes} wait='{WAIT}' hold='1' ver='1.11' xmlns:xmpp='{XBOSH}' \
             xmpp:version='1.0' content='text/xml; charset=utf-8'/>"
        ));
    }

    /// The rest of a `<body/>` with what is said next: elements, or one that says more than that.
    fn next_body(&mut self, sid: &str) -> String {
        let mut payload = Vec::new();
        while let Some(said) = self.unsent.pop_front() {
            match said {
                Said::Element(bytes) | Said::Rest(bytes) => payload.extend(bytes),
                Said::Header(header) if payload.is_empty() => {
                    self.restarts = true;
                    let restart = format!("xmlns:xmpp='{XBOSH}' xmpp:restart='true'");
                    return format!(" sid='{sid}'{} {restart}/>", addresses(&header));
                }
                Said::Close => {
                    self.stage = Stage::Closing;
                    let payload = String::from_utf8_lossy(&payload).into_owned();
                    return format!(" sid='{sid}' type='terminate'>{payload}</body>");
                }
                header @ Said::Header(_) => {
                    self.unsent.push_front(header);
                    break;
                }
            }
        }
        format!(" sid='{sid}'>{}</body>", String::from_utf8_lossy(&payload))
    }

    fn request(&mut self, rest: &str) {
        let body = format!("<body xmlns='{HTTPBIND}' rid='{}'{rest}", self.rid);
        self.rid += 1;
        self.under_way.push_back(self.post.send(body));
    }

    /// What an answer says, on a stream of TCP.
    fn took(&mut self, answer: &[u8]) -> Result<Vec<Heard>, String> {
        let shown = || String::from_utf8_lossy(answer).into_owned();
        let body = document(answer).map_err(|flaw| format!("{flaw}: {}", shown()))?;
        if !body.is(HTTPBIND, "body") {
            return Err(format!("an answer that is no <body/>: {body}"));
        }
        let mut heard = Vec::new();
        if matches!(self.stage, Stage::Asked) && body.attribute("type").is_none() {
            heard.push(self.created(&body)?);
        }
        if let Some(bare) = body.children().find(|child| child.ns == HTTPBIND) {
            return Err(format!("<{}> in no namespace of its own: {}", bare.local, shown()));
        }
        for child in body.children() {
            let restarted = child.is(STREAM, "features") && std::mem::take(&mut self.restarts);
            heard.extend(restarted.then(|| self.restarted()).flatten());
            heard.push(Heard::Element(child.clone()));
        }
        match body.attribute("type") {
            Some("terminate") => self.terminated(&body, &mut heard)?,
            Some(other) => return Err(format!("<body type='{other}'>")),
            None => {}
        }
        Ok(heard)
    }

    /// The header that a stream on TCP would have (XEP-0124 §8, XEP-0206 §4).
    fn created(&mut self, body: &Tree) -> Result<Heard, String> {
        let said = |name: &str| body.attribute(name).ok_or(format!("a session without {name}"));
        let (sid, from) = (said("sid")?.to_owned(), said("from")?.to_owned());
        for promised in ["wait", "hold", "inactivity", "ver"] {
            said(promised)?;
        }
        let requests = body.attribute("requests").map_or(Ok(REQUESTS), str::parse);
        let requests = requests.map_err(|error| format!("requests: {error}"))?;
        let version = body.attributes.get(&(XBOSH.to_owned(), "version".to_owned()));
        let version = version.ok_or("a session without xmpp:version")?;
        let header = header(&from, body.attribute("authid").unwrap_or(&sid), version);
        self.stage = Stage::Open { sid, from, requests };
        Ok(header)
    }

    /// Of a stream that begins anew nothing but its features is told.
    fn restarted(&self) -> Option<Heard> {
        match &self.stage {
            Stage::Open { from, sid, .. } => Some(header(from, sid, "1.0")),
            _ => None,
        }
    }

    /// XEP-0124 §13, §17.2
    fn terminated(&mut self, body: &Tree, heard: &mut Vec<Heard>) -> Result<(), String> {
        let has_error = body.children().any(|child| child.is(STREAM, "error"));
        let condition = body.attribute("condition");
        match condition {
            Some("remote-stream-error") if !has_error => {
                return Err("remote-stream-error without <stream:error/>".into());
            }
            Some("remote-stream-error") | None => {}
            Some(_) => {
                let nodes = Vec::new();
                heard.push(Heard::Element(Tree { nodes, ..body.clone() }));
            }
        }
        if has_error && condition != Some("remote-stream-error") {
            return Err(format!("<stream:error/> in {body}"));
        }
        self.stage = Stage::Ended;
        self.under_way.clear();
        heard.push(Heard::Close);
        Ok(())
    }
}

/// The attributes of a header that a `<body/>` has, too.
fn addresses(header: &Tree) -> String {
    let known = [("", "to", "to"), ("", "from", "from"), (XML, "lang", "xml:lang")];
    let written = known.iter().filter_map(|(ns, local, name)| {
        let value = header.attributes.get(&((*ns).to_owned(), (*local).to_owned()))?;
        Some(format!(" {name}='{}'", escaped(value)))
    });
    written.collect()
}

fn header(from: &str, id: &str, version: &str) -> Heard {
    let attributes = [("from", from), ("id", id), ("version", version)];
    let attributes =
        attributes.map(|(name, value)| ((String::new(), name.to_owned()), value.to_owned()));
    let (ns, local) = (STREAM.to_owned(), "stream".to_owned());
    Heard::Header(Tree { ns, local, attributes: attributes.into(), nodes: Vec::new() })
}
