//! What browsers find: host-meta (XEP-0156) and what it names.

use super::{
    finding::Finding,
    probe::Failure,
    records::{Kind, Record, Records},
    trust::Trust,
    web::{Ask, Page, parts},
};
use hyper::StatusCode;
use std::net::SocketAddr;

const WHAT: &str = "host-meta";
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";
const MEND: &str = "let the web server of the domain pass /.well-known/host-meta and \
                    host-meta.json on to listen.http or listen.https";
/// Where host-meta is asked for (RFC 6415 §2): the port is that of https.
pub const PORT: u16 = 443;

/// Asks a domain's web server, and whoever it names.
pub async fn check(
    records: &dyn Records,
    domain: &str,
    address: SocketAddr,
    trust: &Trust,
) -> Vec<Finding> {
    let ask = |path| Ask { address, host: domain, path };
    let json = ask("/.well-known/host-meta.json").get(trust).await;
    let xml = ask("/.well-known/host-meta").get(trust).await;
    let (mut findings, websocket) = judge(domain, &xml, &json);
    if let Some(href) = websocket {
        findings.push(socket(records, &href, trust).await);
    }
    findings
}

/// What the two answers mean, and the WebSocket that they name.
fn judge(
    domain: &str,
    xml: &Result<Page, Failure>,
    json: &Result<Page, Failure>,
) -> (Vec<Finding>, Option<String>) {
    let warning = |found: String, mend: &str| Finding::warning(WHAT, found, mend);
    let xml = match page(domain, "host-meta", xml) {
        Ok(page) => page,
        Err(finding) => return (vec![finding], None),
    };
    let mut findings = Vec::new();
    // Every implementation must have XRD, and should have JRD (XEP-0156 §3.2).
    let links = match page(domain, "host-meta.json", json).map(|page| (page, links(&page.body))) {
        Err(finding) => {
            findings.push(finding);
            Vec::new()
        }
        Ok((_, None)) => {
            findings.push(warning(format!("{domain}: host-meta.json is no JRD (RFC 6415)"), MEND));
            Vec::new()
        }
        Ok((page, Some(links))) => {
            if !page.open || !xml.open {
                let found = format!("{domain}: pages of other origins cannot read it");
                findings.push(warning(found, "send Access-Control-Allow-Origin: *"));
            }
            links
        }
    };
    let mut websocket = None;
    for (rel, name) in [(WEBSOCKET, "WebSocket"), (BOSH, "BOSH")] {
        let in_xml = xml.body.contains(rel);
        let link = links.iter().find(|(named, _)| named == rel).map(|(_, href)| href);
        match link {
            Some(href) if parts(href).is_none() => {
                let found = format!("{domain}: {name} is at {href}");
                findings.push(warning(found, "name it by https: or wss: (XEP-0156 §3.2)"));
            }
            Some(href) if in_xml => {
                findings.push(Finding::ok(WHAT, format!("{domain}: {name} is at {href}")));
                websocket = websocket.or_else(|| (rel == WEBSOCKET).then(|| href.clone()));
            }
            None if in_xml && links.is_empty() => {
                findings.push(Finding::ok(WHAT, format!("{domain}: {name} is named")));
            }
            Some(_) | None => {
                let found = format!("{domain}: {name} is not named, or only in one of the two");
                findings.push(warning(found, MEND));
            }
        }
    }
    (findings, websocket)
}

fn page<'a>(domain: &str, file: &str, got: &'a Result<Page, Failure>) -> Result<&'a Page, Finding> {
    let warning = |found: String| {
        let found = format!("https://{domain}/.well-known/{file}: {found}");
        Finding::warning(WHAT, format!("{found}: browsers do not find the way"), MEND)
    };
    match got {
        Ok(page) if page.status == StatusCode::OK => Ok(page),
        Ok(page) => match &page.location {
            Some(to) => Err(warning(format!("leads to {to}, which is not followed here"))),
            None => Err(warning(page.status.to_string())),
        },
        Err(failure) => Err(warning(why(failure))),
    }
}

/// The links of a JRD: relation and address.
fn links(body: &str) -> Option<Vec<(String, String)>> {
    let jrd: serde_json::Value = serde_json::from_str(body).ok()?;
    let link = |link: &serde_json::Value| {
        let text = |key| link.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        text("rel").zip(text("href"))
    };
    Some(jrd.get("links")?.as_array()?.iter().filter_map(link).collect())
}

/// Whether the WebSocket is where host-meta says.
async fn socket(records: &dyn Records, href: &str, trust: &Trust) -> Finding {
    let mend = "let the web server pass the upgrade on to listen.http or listen.https";
    let wrong = |why: &str| Finding::warning(WHAT, format!("{href}: {why}"), mend);
    let Some((host, port, path)) = parts(href) else { return wrong("no address of https or wss") };
    let found = records.ask(&host, Kind::Address).await.unwrap_or_default();
    let address = found.iter().find_map(|record| match record {
        Record::Address(ip) => Some(SocketAddr::new(*ip, port)),
        _ => None,
    });
    let Some(address) = address else { return wrong("its host has no address") };
    match (Ask { address, host: &host, path: &path }).upgrade(trust).await {
        Ok(()) => Finding::ok(WHAT, format!("{href}: a WebSocket of XMPP answers")),
        Err(failure) => wrong(&why(&failure)),
    }
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(why) | Failure::Strange(why) => why.clone(),
        Failure::Certificate(why) => format!("the certificate is refused: {why}"),
        Failure::NoTls => "no TLS".to_owned(),
        Failure::NoAlpn => "no HTTP by ALPN".to_owned(),
        _ => "no answer".to_owned(),
    }
}

#[cfg(test)]
#[path = "host_meta/tests.rs"]
mod tests;
