use super::*;
use crate::check::finding::Level::{self, Ok as Fine, Warning};

const XRD: &str = "<Link rel='urn:xmpp:alt-connections:websocket' href='wss://example.org/ws'/>\
                   <Link rel='urn:xmpp:alt-connections:xbosh' href='https://example.org/bosh'/>";
const JRD: &str = r#"{"links":[
    {"rel":"urn:xmpp:alt-connections:websocket","href":"wss://example.org/ws"},
    {"rel":"lrdd"},
    {"rel":"urn:xmpp:alt-connections:xbosh","href":"https://example.org/bosh"}]}"#;

fn got(body: &str) -> Result<Page, Failure> {
    let (location, protocol) = (None, None);
    let (status, body) = (StatusCode::OK, body.to_owned());
    Ok(Page { status, location, open: true, protocol, body, certificate: None })
}

fn worst(xml: &Result<Page, Failure>, json: &Result<Page, Failure>) -> (Level, String) {
    let (findings, _) = judge("example.org", xml, json);
    let worst = findings.into_iter().max_by_key(|finding| finding.level).unwrap();
    (worst.level, worst.to_string())
}

#[test]
fn both_formats_name_both_ways_xep_0156() {
    let (findings, links) = judge("example.org", &got(XRD), &got(JRD));
    assert!(findings.iter().all(|finding| finding.level == Fine), "{findings:?}");
    let links: Vec<_> = links.iter().map(|link| (link.way, link.href.as_str())).collect();
    let expected =
        [(Way::WebSocket, "wss://example.org/ws"), (Way::Bosh, "https://example.org/bosh")];
    assert_eq!(links, expected);
}

#[test]
fn what_browsers_cannot_use_is_told() {
    let status = |status| got(XRD).map(|page| Page { status, ..page });
    let (level, said) = worst(&status(StatusCode::NOT_FOUND), &got(JRD));
    assert_eq!((level, said.contains("404")), (Warning, true), "{said}");
    let moved = got(XRD).map(|page| Page {
        status: StatusCode::FOUND,
        location: Some("https://www.example.org/".to_owned()),
        ..page
    });
    assert!(worst(&moved, &got(JRD)).1.contains("leads to https://www.example.org/"));
    let closed = got(JRD).map(|page| Page { open: false, ..page });
    assert!(worst(&got(XRD), &closed).1.contains("Access-Control-Allow-Origin"));
    let refused = Err(Failure::Certificate("expired".to_owned()));
    assert!(worst(&refused, &got(JRD)).1.contains("refused: expired"));
    assert!(worst(&got(XRD), &got("<html>")).1.contains("no JRD"));
    let plain = JRD.replace("wss:", "ws:");
    assert!(worst(&got(XRD), &got(&plain)).1.contains("by https: or wss:"));
    assert!(worst(&got(""), &got(JRD)).1.contains("only in one of the two"));
}

#[test]
fn an_address_has_a_host_a_port_and_a_path() {
    let part = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
    assert_eq!(parts("wss://a.example/ws?x"), part("a.example", 443, "/ws?x"));
    assert_eq!(parts("https://a.example:5281"), part("a.example", 5281, "/"));
    assert_eq!(parts("ws://a.example/ws"), None);
    assert_eq!(parts("nonsense"), None);
}
