//! XML, to an archive, to XML: messages with anything in them, spelled in any way, are heard and
//! found in the archives of both sides as they were said (XEP-0313), by another's parser. What the
//! server adds is `from`, the language of the stream where none is said (RFC 6120 §8.1.5), and to
//! what is heard the name that it has in the archive (XEP-0359).
//!
//! `cargo +nightly fuzz run f12_archive_xml` in `conformance`: the archive is in SQLite, or in the
//! store at the URL in `ARCHIVE_STORE`, which is to be empty.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::{cell::RefCell, fs, path::Path};
use waxwing_conformance_fuzz::{
    exchange::{Exchange, LANG},
    infoset::{message, spelled},
    tree::{CLIENT, Node, Tree},
};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const MAM: &str = "urn:xmpp:mam:2";
const SID: &str = "urn:xmpp:sid:0";
/// Messages that are said before the archives are asked.
const MESSAGES_MAX: usize = 4;
/// Messages between two purges.
const PURGE_MESSAGES: usize = 2_000;

struct Bed {
    exchange: Exchange,
    said: usize,
}

thread_local! {
    static BED: RefCell<Bed> = RefCell::new(Bed { exchange: Exchange::new(&url()), said: 0 });
}

/// A file that goes when the next run begins: this one does not end in peace.
fn url() -> String {
    if let Ok(url) = std::env::var("ARCHIVE_STORE") {
        return url;
    }
    let folder = std::env::temp_dir();
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("waxwing-f12-"));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    let folder = folder.join(format!("waxwing-f12-{}", std::process::id()));
    format!("sqlite:{}", folder.join("waxwing.db").display())
}

impl Bed {
    fn exchanges(&mut self, choices: &mut Unstructured<'_>) -> Result<()> {
        let mut wanted = Vec::new();
        for _ in 0..choices.int_in_range(1..=MESSAGES_MAX)? {
            let (to, prepared) =
                *choices.choose(&[("romeo@x", "romeo@x"), ("ROMEO@X/a", "romeo@x/a")])?;
            let said = message(to, self.said, choices)?;
            let xml = spelled(&said, choices)?;
            self.said += 1;
            self.exchange.says(0, &xml);
            let wants = passed(said, prepared);
            let heard = self.exchange.heard(1);
            let heard: Vec<_> = heard.into_iter().map(unnamed).collect();
            assert_eq!(heard, [wants.clone()], "{xml}");
            wanted.push(wants);
        }
        self.exchange.heard(0);
        for who in 0..2 {
            assert_eq!(self.archived(who, wanted.len()), wanted, "in the archive of {who}");
        }
        if self.said % PURGE_MESSAGES < MESSAGES_MAX {
            self.exchange.forgets();
        }
        Ok(())
    }

    /// The newest messages of an archive.
    fn archived(&mut self, who: usize, count: usize) -> Vec<Tree> {
        let set = format!("<max>{count}</max><before/>");
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
        self.exchange
            .says(who, &format!("<iq type='set' id='q'><query xmlns='{MAM}'>{set}</query></iq>"));
        let told = self.exchange.heard(who);
        let results = told.iter().filter_map(|told| told.child(MAM, "result"));
        let forwarded = results.filter_map(|one| one.child("urn:xmpp:forward:0", "forwarded"));
        forwarded.filter_map(|one| one.child(CLIENT, "message").cloned()).collect()
    }
}

/// What becomes of it on its way.
fn passed(mut said: Tree, to: &str) -> Tree {
    let own = |name: &str| (String::new(), name.to_owned());
    said.attributes.insert(own("from"), "juliet@x/a".to_owned());
    said.attributes.insert(own("to"), to.to_owned());
    let lang = (XML.to_owned(), "lang".to_owned());
    said.attributes.entry(lang).or_insert_with(|| LANG.to_owned());
    said
}

/// Without its name in the archive, which it must have.
fn unnamed(mut heard: Tree) -> Tree {
    let is_name = |node: &Node| {
        matches!(node, Node::Tree(tree)
            if tree.is(SID, "stanza-id") && tree.attribute("by") == Some("romeo@x"))
    };
    let before = heard.nodes.len();
    heard.nodes.retain(|node| !is_name(node));
    assert_eq!(heard.nodes.len() + 1, before, "{heard:?}");
    heard
}

fuzz_target!(|bytes: &[u8]| {
    BED.with_borrow_mut(|bed| {
        // Where the bytes end, the first is chosen.
        let _ = bed.exchanges(&mut Unstructured::new(bytes));
    });
});
