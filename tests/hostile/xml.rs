//! What hostile XML does: an error by its name, and the end.

use crate::{
    assault::{Stage, assault},
    chance::Chance,
    client::{Client, HEADER},
    server::Server,
    watch::{Echo, files, is_calm, judge, memory, settled},
};
use conformance::tree::{Growth, Heard, Tree};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};

const SEED: u64 = 0x0a77_ac4e;

async fn start(more: &str) -> Arc<Server> {
    let server = Server::start(more).await;
    server.add("juliet@localhost", "secret").await;
    Arc::new(server)
}

/// A session that would be right.
fn session(stage: Stage) -> String {
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>\
                biwsbj1qdWxpZXQscj1hYmNkZWY=</auth>\
                <response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9YQ==</response>";
    match stage {
        Stage::Plain => {
            format!("{HEADER}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{HEADER}{auth}")
        }
        Stage::Offered => {
            format!("{auth}<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>")
        }
        Stage::Secure => format!("{HEADER}{auth}"),
        Stage::Mechanisms => auth.to_owned(),
        Stage::Bound => "<presence><priority>1</priority><show>away</show></presence>\
            <iq type='get' id='a'><query xmlns='jabber:iq:roster'/></iq>\
            <iq type='set' id='b'><query xmlns='jabber:iq:roster'>\
            <item jid='romeo@localhost' name='R'><group>g</group></item></query></iq>\
            <message to='juliet@localhost/echo' type='chat'><body>a &amp; b</body></message>\
            <iq type='get' id='c' to='localhost'>\
            <query xmlns='http://jabber.org/protocol/disco#info'/></iq>\
            <presence type='subscribe' to='nobody@localhost'/></stream:stream>"
            .to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_01_no_bytes_harm_the_server_or_others() {
    let server = start("").await;
    let mut echo = Echo::start(&server).await;
    let mut number = 0;
    let mut endings: BTreeMap<String, u32> = BTreeMap::new();
    for (stage, batches) in [
        (Stage::Plain, 12),
        (Stage::Offered, 8),
        (Stage::Secure, 4),
        (Stage::Mechanisms, 4),
        (Stage::Bound, 2),
    ] {
        for _ in 0..batches {
            let mut streams = JoinSet::new();
            for worker in 0..10u64 {
                let (server, first) = (server.clone(), number + worker * 10);
                streams.spawn(async move {
                    let mut endings = Vec::new();
                    for number in first..first + 10 {
                        endings.push(fuzz(&server, stage, number).await);
                    }
                    endings
                });
            }
            while let Some(done) = streams.join_next().await {
                done.unwrap().into_iter().for_each(|it| *endings.entry(it).or_default() += 1);
            }
            number += 100;
            echo.sounds().await;
        }
    }
    is_calm(&server);
    // Or it would be noise only that was tried.
    for ending in ["not-well-formed", "restricted-xml", "bad-format", "invalid-namespace", ""] {
        assert!(endings.contains_key(ending), "{ending} is not among {endings:?}");
    }
}

/// Returns the condition that ended it, if it was one.
async fn fuzz(server: &Server, stage: Stage, number: u64) -> String {
    let mut chance = Chance(SEED + number);
    let input = chance.input(&session(stage));
    let piece = 1 + chance.below(input.len().min(700));
    let said = assault(server, stage, &format!("fuzz{number}"), &input, piece).await;
    let judged = said.and_then(|said| judge(&said, stage.is_open()).map(|()| said));
    let shown = String::from_utf8_lossy(&input);
    let said = judged.unwrap_or_else(|flaw| {
        panic!("{stage:?}, seed {SEED:#x} + {number}: {flaw}\nafter {shown}");
    });
    ending(&said).unwrap_or_default()
}

/// The condition of the stream error in what was said, which must be its end.
fn condition(said: &[u8], stage: Stage, what: &str) -> String {
    judge(said, stage.is_open()).unwrap_or_else(|flaw| panic!("{stage:?}, {what}: {flaw}"));
    let none = || panic!("{stage:?}, {what}: no error in {:?}", String::from_utf8_lossy(said));
    ending(said).unwrap_or_else(none)
}

fn ending(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let (_, error) = said.split_once("<stream:error><")?;
    error.split_once(' ').map(|(condition, _)| condition.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_02_what_rfc6120_11_1_forbids_is_refused_by_its_name_and_nothing_is_fetched() {
    let server = start("").await;
    let bait = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", bait.local_addr().unwrap());
    let doctypes = [
        "<!DOCTYPE a [<!ENTITY a '1'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]>"
            .to_owned(),
        format!("<!DOCTYPE a [<!ENTITY x SYSTEM '{url}'>]>"),
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>".to_owned(),
        format!("<!DOCTYPE a SYSTEM '{url}'>"),
        format!("<!DOCTYPE a [<!ENTITY % x SYSTEM '{url}'>%x;]>"),
    ];
    let restricted = ["<!-- comment -->", "<?target data?>", "<?xml-stylesheet href='x'?>"];
    let (before, after) = HEADER.split_once("<stream").unwrap();
    for stage in Stage::ALL {
        for bad in doctypes.iter().map(String::as_str).chain(restricted) {
            let mut inputs = vec![format!("{bad}<x/>")];
            if !stage.is_open() {
                inputs.push(format!("{before}{bad}<stream{after}"));
                inputs.push(format!("{before}<stream{after}{bad}"));
            } else {
                inputs.push(format!("<message>{bad}</message>"));
            }
            for input in inputs {
                refused(&server, stage, &input, "restricted-xml").await;
            }
        }
        let entity = "&x;";
        let header = HEADER.replace("to='localhost'", &format!("to='{entity}'"));
        match stage.is_open() {
            false => refused(&server, stage, &header, "restricted-xml").await,
            true => {
                refused(&server, stage, "<message to='&x;'/>", "restricted-xml").await;
                refused(&server, stage, "<message>&x;</message>", "restricted-xml").await;
                refused(&server, stage, "<![CDATA[<message/>]]>", "restricted-xml").await;
            }
        }
    }
    let fetched = tokio::time::timeout(std::time::Duration::ZERO, bait.accept()).await;
    assert!(fetched.is_err(), "something was fetched");
    is_calm(&server);
}

async fn refused(server: &Server, stage: Stage, input: &str, expected: &str) {
    let said = assault(server, stage, "refused", input.as_bytes(), 4096).await.unwrap();
    assert_eq!(condition(&said, stage, input), expected, "{stage:?}: {input}");
}

#[tokio::test]
async fn at_03_compression_is_neither_offered_nor_done() {
    let server = start("").await;
    let mut plain = Client::connect(server.starttls()).await;
    plain.say(HEADER).await;
    assert!(!plain.hear("</stream:features>").await.contains("compress"));
    let mut secure = Client::starttls(&server).await;
    secure.say(HEADER).await;
    assert!(!secure.hear("</stream:features>").await.contains("compress"));
    drop((plain, secure));
    let before = memory(&server, "VmRSS");
    let compress = "<compress xmlns='http://jabber.org/protocol/compress'>\
                    <method>zlib</method></compress>";
    // The beginning of a stream of zlib, and a megabyte that it would inflate to a gigabyte.
    let mut bomb = compress.as_bytes().to_vec();
    bomb.extend_from_slice(&[0x78, 0xda, 0xec, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x80, 0x90]);
    bomb.resize(1 << 20, 0);
    for stage in [Stage::Offered, Stage::Mechanisms, Stage::Bound] {
        let said = assault(&server, stage, "bomb", &bomb, 16 << 10).await.unwrap();
        // What follows may be judged before the account has been heard.
        let why = condition(&said, stage, "bomb");
        assert!(["unsupported-stanza-type", "bad-format"].contains(&&*why), "{why}");
    }
    for stage in [Stage::Offered, Stage::Mechanisms] {
        refused(&server, stage, compress, "unsupported-stanza-type").await;
    }
    let mut bound = Client::starttls(&server).await;
    bound.login("balcony").await;
    bound.say(compress).await;
    let said = bound.hear_all().await;
    assert_eq!(condition(said.as_bytes(), Stage::Bound, compress), "unsupported-stanza-type");
    drop(bound);
    settled(&server, 0, before, files(&server)).await;
    is_calm(&server);
}

/// Each breaks one limit of a stanza, those of before and those of behind the login.
fn monsters() -> Vec<(&'static str, String)> {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect();
    let attributes: String = many(80_000, &|number| format!(" a{number}=''"));
    let namespaces: String = many(80_000, &|number| format!(" xmlns:n{number}='u'"));
    let huge = "x".repeat(1 << 20);
    vec![
        ("elements without end", format!("<message>{}", "<a/>".repeat(250_000))),
        ("text without end", format!("<message>{huge}")),
        ("depth", format!("<message>{}", "<a>".repeat(300_000))),
        ("attributes", format!("<message{attributes}/>")),
        ("namespaces", format!("<message{namespaces}/>")),
        ("a name", format!("<{huge}/>")),
        ("an attribute's name", format!("<message {huge}='1'/>")),
        ("a value", format!("<message id='{huge}'/>")),
        ("a value of a namespace", format!("<message xmlns:x='{huge}'/>")),
        ("space in a tag", format!("<message{}/>", " ".repeat(1 << 20))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_04_at_05_a_stanza_ends_at_its_limits_and_memory_comes_back() {
    let server = start("").await;
    let mut echo = Echo::start(&server).await;
    echo.sounds().await;
    let (memory_before, files_before) = (memory(&server, "VmRSS"), files(&server));
    for stage in [Stage::Offered, Stage::Mechanisms, Stage::Bound] {
        for (what, monster) in monsters() {
            for piece in [64 << 10, 333] {
                let said = assault(&server, stage, "monster", monster.as_bytes(), piece).await;
                assert_eq!(condition(&said.unwrap(), stage, what), "policy-violation", "{what}");
            }
            // One byte at a time, until the small limits are reached.
            if stage.is_before_auth() {
                let drip = &monster.as_bytes()[..monster.len().min(9000)];
                let said = assault(&server, stage, "drip", drip, 1).await.unwrap();
                assert_eq!(condition(&said, stage, what), "policy-violation", "{what}, dripping");
            }
        }
        echo.sounds().await;
    }
    settled(&server, 1, memory_before, files_before).await;
    is_calm(&server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_04_elements_that_nobody_knows_do_not_pile_up() {
    let server = start("").await;
    let before = memory(&server, "VmHWM");
    for number in 0..4 {
        let flood = "<a xmlns='b'/>".repeat(400_000);
        let resource = format!("flood{number}");
        let said = assault(&server, Stage::Bound, &resource, flood.as_bytes(), 1 << 20).await;
        let why = condition(&said.unwrap(), Stage::Bound, "nonzas");
        assert_eq!(why, "unsupported-stanza-type");
    }
    let most = memory(&server, "VmHWM");
    assert!(most < before + 2 * crate::watch::GROWTH_KIB_MAX, "from {before} KiB to {most} KiB");
    is_calm(&server);
}

const STRANGE: &str = "'\"<>&]]>\u{1f4a9}&amp;&#60;";

/// Hears until an element for which this holds comes.
async fn hear<S>(client: &mut Client<S>, end: &str, is: impl Fn(&Tree) -> bool) -> Tree
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let said = client.hear(end).await;
        let (heard, flaw) = Growth::new().read(format!("{HEADER}{said}").as_bytes());
        assert_eq!(flaw, None, "{said}");
        for heard in heard {
            match heard {
                Heard::Element(tree) if is(&tree) => return tree,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn at_08_strange_strings_arrive_as_they_are() {
    use conformance::tree::{CLIENT, escaped};
    let server = start("").await;
    let strange = escaped(STRANGE);
    let mut juliet = Client::starttls(&server).await;
    juliet.login("balcony").await;
    juliet.say("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>").await;
    hear(&mut juliet, "</iq>", |tree| tree.attribute("id") == Some("r")).await;
    let mut mallory = Client::starttls(&server).await;
    mallory.login(&strange).await;
    let from = format!("juliet@localhost/{STRANGE}");

    let message = format!(
        "<message to='juliet@localhost/balcony' id='{strange}' type='chat'>\
         <body>{strange}</body><x xmlns='{strange}' y='{strange}'/></message>"
    );
    mallory.say(&message).await;
    let came = hear(&mut juliet, "</message>", |tree| tree.local == "message").await;
    assert_eq!(came.attribute("id"), Some(STRANGE));
    assert_eq!(came.attribute("from"), Some(&*from));
    assert_eq!(came.child(CLIENT, "body").unwrap().text(), STRANGE);
    assert_eq!(came.child(STRANGE, "x").unwrap().attribute("y"), Some(STRANGE));

    mallory.say(&format!("<presence id='{strange}'><status>{strange}</status></presence>")).await;
    let came = hear(&mut juliet, "</presence>", |tree| tree.attribute("id") == Some(STRANGE)).await;
    assert_eq!(came.attribute("from"), Some(&*from));
    assert_eq!(came.child(CLIENT, "status").unwrap().text(), STRANGE);

    // A roster push, and what was kept.
    let item = format!("<item jid='a@b/c' name='{strange}'><group>{strange}</group></item>")
        .replace("a@b/c", "romeo@localhost");
    let set = format!(
        "<iq type='set' id='{strange}'><query xmlns='jabber:iq:roster'>{item}</query></iq>"
    );
    mallory.say(&set).await;
    let roster = "jabber:iq:roster";
    let check = |tree: &Tree| {
        let item = tree.child(roster, "query").unwrap().child(roster, "item").unwrap();
        assert_eq!(item.attribute("name"), Some(STRANGE));
        assert_eq!(item.child(roster, "group").unwrap().text(), STRANGE);
    };
    check(&hear(&mut juliet, "</iq>", |tree| tree.attribute("type") == Some("set")).await);
    juliet.say("<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>").await;
    check(&hear(&mut juliet, "</iq>", |tree| tree.attribute("id") == Some("r2")).await);

    // Errors repeat the id, and the address that could not be reached.
    let gone = format!("juliet@localhost/{STRANGE}gone");
    for (to, kind) in [(&*gone, "iq"), ("nobody@localhost", "iq"), ("localhost", "iq")] {
        let (to, id) = (escaped(to), &strange);
        let asked =
            format!("<{kind} type='get' to='{to}' id='{id}'><q xmlns='{strange}'/></{kind}>");
        mallory.say(&asked).await;
        let is = |tree: &Tree| tree.attribute("type") == Some("error");
        let came = hear(&mut mallory, "</iq>", is).await;
        assert_eq!(came.attribute("id"), Some(STRANGE));
        assert_eq!(escaped(came.attribute("from").unwrap()), to);
        assert_eq!(came.attribute("to"), Some(&*from));
    }
    is_calm(&server);
}
