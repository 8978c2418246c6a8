//! AT-58: what is secret, and went through the server, does not stand in its log.

use crate::{
    server::Server,
    watch::{is_calm, log},
};
use conformance::{
    run::{Untold, play},
    script::{Script, moved},
    tcp::{self, Tcp},
};
use std::{fs, path::Path, time::Duration};

/// Behind every password that is played with.
const MARK: &str = "-unheard-of";
/// Where passwords are made, changed, and wrong.
const SCRIPTS: [&str; 4] = ["xep_0077", "xep_0133", "xep_0133_all", "xep_0133_errors"];
const SETTINGS: &str = "[server]\nadmins = [\"admin@localhost\"]\n[log]\nlevel = \"trace\"\n\
    [xep.0077]\nregistration = \"open\"\naccounts_per_address_per_hour_max = 100\n";

/// A script whose passwords can be told from any other word.
fn marked(source: &str) -> String {
    let mut field = false;
    let lines = source.lines().map(|line| {
        let ends = line.contains("</field>") || line.contains("/>");
        field = (field || line.contains("var='password")) && !ends;
        let mark = |end: &str| line.replace(end, &format!("{MARK}{end}"));
        match line.trim() {
            said if said.starts_with("password: ") => format!("{line}{MARK}"),
            said if said.starts_with("<password>") => mark("</password>"),
            said if field && said.starts_with("<value>") => mark("</value>"),
            _ => line.to_owned(),
        }
    });
    lines.map(|line| line + "\n").collect()
}

fn script(name: &str, number: usize) -> (Script, usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/scripts");
    let source = marked(&fs::read_to_string(folder.join(format!("{name}.scs"))).unwrap());
    let source = moved(&source, &format!(".{number}"), "localhost").unwrap();
    (Script::parse(&source).unwrap(), source.matches(MARK).count())
}

#[tokio::test]
async fn at_58_a_password_that_is_made_changed_or_refused_is_never_logged() {
    let server = Server::start(SETTINGS).await;
    let at = tcp::Server {
        starttls: server.starttls(),
        direct: Some(server.direct()),
        domain: "localhost".into(),
        answer: Duration::from_secs(10),
        quiet: Duration::from_millis(150),
    };
    let mut marks = 0;
    for (number, name) in SCRIPTS.into_iter().enumerate() {
        let (script, count) = script(name, number);
        marks += count;
        for (account, password) in script.accounts() {
            if number == 1 || !account.starts_with("admin@") {
                server.add(account, password).await;
            }
        }
        let at = at.clone();
        let played = tokio::task::spawn_blocking(move || {
            play(&script, &mut Tcp::new(at).unwrap(), Untold::Wrong)
        });
        assert_eq!(played.await.unwrap(), Ok(Vec::new()), "{name}");
    }
    assert!(marks > 30, "only {marks} passwords");
    let log = log(&server);
    assert!(log.contains("client bound"), "{log}");
    let line = log.lines().find(|line| line.contains(MARK));
    assert_eq!(line, None);
    is_calm(&server);
}
