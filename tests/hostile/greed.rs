//! AT-61, AT-64, AT-68: one account that wants more of everything than it may have. What is too
//! much is refused by its name, costs little, and keeps nobody else waiting.

use crate::{
    client::Client,
    server::Server,
    watch::{Echo, GROWTH_KIB_MAX, is_calm, memory},
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Times that it wants each.
const WISHES: usize = 10_000;
/// Said at once; then it is listened to, and others speak.
const BATCH: usize = 250;
const CONSTRAINT: &str = "<resource-constraint ";

/// Romeo, and what he has heard.
struct Greedy {
    client: Client<TlsStream<TcpStream>>,
    echo: Echo,
    server: Server,
    memory_before: u64,
}

impl Greedy {
    async fn start() -> Self {
        let server = Server::start("").await;
        for who in ["juliet", "romeo", "nurse"] {
            server.add(&format!("{who}@localhost"), "secret").await;
        }
        let mut client = Client::starttls(&server).await;
        client.login_as("romeo", "orchard").await;
        client.say("<presence/>").await;
        let mut echo = Echo::start(&server).await;
        echo.sounds().await;
        let memory_before = memory(&server, "VmRSS");
        Self { client, echo, server, memory_before }
    }

    /// Wishes so often, each time followed by `last` at the end of a batch, whose answer has its
    /// `id`. All that is heard of it.
    async fn wishes(&mut self, wish: impl Fn(usize) -> String, last: &str) -> String {
        let mut heard = String::new();
        for batch in 0..WISHES / BATCH {
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            let id = format!("last-{batch}");
            let said: String = numbers.map(&wish).collect();
            self.client.say(&(said + &last.replace("ID", &id))).await;
            heard += &self.client.hear(&format!("id='{id}'")).await;
            self.echo.sounds().await;
        }
        heard
    }

    fn is_modest(&self) {
        let (before, now) = (self.memory_before, memory(&self.server, "VmRSS"));
        assert!(now < before + GROWTH_KIB_MAX, "from {before} KiB to {now} KiB");
        is_calm(&self.server);
    }
}

/// Asks for nothing; the answer comes behind that of all before it from the account.
const NOTHING: &str =
    "<iq type='get' id='ID'><query xmlns='jabber:iq:private'><n xmlns='n'/></query></iq>";

/// How many presences were: there is no room for them, or they are to so many that the account is
/// to wait.
fn refused(heard: &str) -> usize {
    heard.matches(CONSTRAINT).count() + heard.matches("<policy-violation ").count()
}

#[tokio::test]
async fn at_61_directed_presence_has_an_end() {
    let mut romeo = Greedy::start().await;
    let direct = |number| format!("<presence to='n{number}@localhost/r'/>");
    let heard = romeo.wishes(direct, NOTHING).await;
    // `directed_max`.
    assert_eq!(refused(&heard), WISHES - 1_000);
    romeo.is_modest();
}

#[tokio::test]
async fn at_61_a_roster_has_an_end() {
    let mut romeo = Greedy::start().await;
    let item = |number| {
        let item = format!("<item jid='n{number}@localhost' name='Number {number}'/>");
        format!("<iq type='set' id='r'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    };
    let heard = romeo.wishes(item, NOTHING).await;
    // `roster_items_max`.
    assert_eq!(heard.matches(CONSTRAINT).count(), WISHES - 2_000);
    romeo.is_modest();
}

#[tokio::test]
async fn at_61_requests_for_subscription_have_an_end() {
    let mut romeo = Greedy::start().await;
    let ask = |number| format!("<presence type='subscribe' to='n{number}@localhost'/>");
    let heard = romeo.wishes(ask, NOTHING).await;
    assert_eq!(refused(&heard), WISHES - 2_000);
    romeo.is_modest();
}

#[tokio::test]
async fn at_61_private_xml_has_an_end() {
    let mut romeo = Greedy::start().await;
    let element = |number| {
        let element = format!("<n xmlns='urn:n:{number}'>{number}</n>");
        format!("<iq type='set' id='p'><query xmlns='jabber:iq:private'>{element}</query></iq>")
    };
    let heard = romeo.wishes(element, NOTHING).await;
    // `private_elements_max`.
    assert_eq!(heard.matches(CONSTRAINT).count(), WISHES - 256);
    romeo.is_modest();
}

#[tokio::test]
async fn at_61_a_blocklist_has_an_end() {
    let mut romeo = Greedy::start().await;
    let block = |number| {
        let item = format!("<item jid='n{number}@localhost'/>");
        format!("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'>{item}</block></iq>")
    };
    let last = "<iq type='get' id='ID'><blocklist xmlns='urn:xmpp:blocking'/></iq>";
    let heard = romeo.wishes(block, last).await;
    // `BLOCKED_ITEMS_MAX`.
    assert_eq!(heard.matches(CONSTRAINT).count(), WISHES - 1_000);
    romeo.is_modest();
}

/// They stand in the log, which costs the disk and no memory; `store.keep_entries_max` bounds it.
#[tokio::test]
async fn at_61_messages_for_who_is_away_cost_no_memory() {
    let mut romeo = Greedy::start().await;
    let message = |number| {
        format!("<message to='nurse@localhost' type='chat'><body>{number}</body></message>")
    };
    let last = "<message to='nurse@localhost' type='groupchat' id='ID'/>";
    let heard = romeo.wishes(message, last).await;
    // Only the last of each batch is never kept, and not heard to its end.
    assert_eq!(heard.matches("<service-unavailable ").count(), WISHES / BATCH - 1);
    romeo.is_modest();
}

/// Each is answered (XEP-0198 §4), which costs no more than it does to ask.
#[tokio::test]
async fn at_64_however_often_it_asks_for_its_count_it_is_told_and_others_are_served() {
    let mut romeo = Greedy::start().await;
    romeo.client.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
    romeo.client.hear("<enabled ").await;
    let heard = romeo.wishes(|_| "<r xmlns='urn:xmpp:sm:3'/>".repeat(10), NOTHING).await;
    // Besides, it is told what was asked for and not durable then.
    let told = heard.matches("<a xmlns='urn:xmpp:sm:3'").count();
    assert!((10 * WISHES..11 * WISHES).contains(&told), "{told}");
    romeo.is_modest();
}

/// The archive is told page by page, whatever is asked for at once.
#[tokio::test]
async fn at_68_an_archive_is_told_page_by_page_however_much_it_asks_for() {
    const ENTRIES: usize = 1_000;
    const QUESTIONS: usize = 40;
    let mut romeo = Greedy::start().await;
    let body = "x".repeat(1_000);
    for _ in 0..ENTRIES / BATCH {
        let message = format!("<message to='romeo@localhost'><body>{body}</body></message>");
        romeo.client.say(&(message.repeat(BATCH) + &NOTHING.replace("ID", "said"))).await;
        romeo.client.hear("id='said'").await;
    }
    let asks = |number| {
        format!(
            "<iq type='set' id='q{number}'><query xmlns='urn:xmpp:mam:2'>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>1000000000</max></set></query></iq>"
        )
    };
    let all: String = (0..QUESTIONS).map(asks).collect();
    romeo.client.say(&all).await;
    for number in 0..QUESTIONS {
        let page = romeo.client.hear(&format!("id='q{number}'")).await;
        // `PAGE_ENTRIES_MAX`, and `PAGE_BYTES_MAX` with what is around it.
        assert_eq!(page.matches("<result ").count(), 250);
        assert!(page.len() < 640 << 10, "{}", page.len());
        romeo.echo.sounds().await;
    }
    romeo.is_modest();
}
