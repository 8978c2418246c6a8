//! What leads browsers: host-meta (XEP-0156).

use super::{
    browser::{Link, Way},
    finding::Finding,
    probe::Failure,
    trust::Trust,
    web::{Ask, Page, parts, why},
};
use hyper::StatusCode;

pub const WHAT: &str = "host-meta";
const MEND: &str = "let the web server of the domain pass /.well-known/host-meta and \
                    host-meta.json on to listen.http or listen.https";
/// Where host-meta is asked for (RFC 6415 §2): the port is that of https.
pub const PORT: u16 = 443;

/// Asks for it, and says what it names. `at` says where that was.
pub async fn check(ask: &Ask<'_>, at: &str, trust: &Trust) -> (Vec<Finding>, Vec<Link>) {
    let json = Ask { path: "/.well-known/host-meta.json", ..*ask }.get(trust).await;
    let xml = Ask { path: "/.well-known/host-meta", ..*ask }.get(trust).await;
    judge(at, &xml, &json)
}

/// What the two answers mean, and what they name.
fn judge(
    at: &str,
    xml: &Result<Page, Failure>,
    json: &Result<Page, Failure>,
) -> (Vec<Finding>, Vec<Link>) {
    let warning = |found: String, mend: &str| Finding::warning(WHAT, found, mend);
    let xml = match page(at, "host-meta", xml) {
        Ok(page) => page,
        Err(finding) => return (vec![finding], Vec::new()),
    };
    let mut findings = Vec::new();
    // Every implementation must have XRD, and should have JRD (XEP-0156 §3.2).
    let jrd = match page(at, "host-meta.json", json).map(|page| (page, links(&page.body))) {
        Err(finding) => {
            findings.push(finding);
            Vec::new()
        }
        Ok((_, None)) => {
            findings.push(warning(format!("{at}: host-meta.json is no JRD (RFC 6415)"), MEND));
            Vec::new()
        }
        Ok((page, Some(links))) => {
            if !page.open || !xml.open {
                let found = format!("{at}: pages of other origins cannot read it");
                findings.push(warning(found, "send Access-Control-Allow-Origin: *"));
            }
            links
        }
    };
    let mut links = Vec::new();
    for way in Way::ALL {
        let (rel, name) = (way.rel(), way.name());
        let in_xml = xml.body.contains(rel);
        let link = jrd.iter().find(|(named, _)| named == rel).map(|(_, href)| href);
        match link {
            Some(href) if parts(href).is_none() => {
                let found = format!("{at}: {name} is at {href}");
                findings.push(warning(found, "name it by https: or wss: (XEP-0156 §3.2)"));
            }
            Some(href) if in_xml => {
                findings.push(Finding::ok(WHAT, format!("{at}: {name} is at {href}")));
                links.push(Link { way, href: href.clone() });
            }
            None if in_xml && jrd.is_empty() => {
                findings.push(Finding::ok(WHAT, format!("{at}: {name} is named")));
            }
            Some(_) | None => {
                let found = format!("{at}: {name} is not named, or only in one of the two");
                findings.push(warning(found, MEND));
            }
        }
    }
    (findings, links)
}

fn page<'a>(at: &str, file: &str, got: &'a Result<Page, Failure>) -> Result<&'a Page, Finding> {
    let warning = |found: String| {
        let found = format!("{at}: /.well-known/{file}: {found}: browsers do not find the way");
        Finding::warning(WHAT, found, MEND)
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

#[cfg(test)]
#[path = "host_meta/tests.rs"]
mod tests;
