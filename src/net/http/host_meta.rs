//! Where a domain is reached otherwise than by TCP: host-meta (RFC 6415), with the links of
//! XEP-0156.

use super::{Told, bosh, guard, upgrade};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};
use engine::wire::Bare;
use serde_json::json;

/// Relation, scheme, path.
const LINKS: &[(&str, &str, &str)] = &[
    ("urn:xmpp:alt-connections:websocket", "wss", upgrade::PATH),
    ("urn:xmpp:alt-connections:xbosh", "https", bosh::PATH),
];

/// Any page may read it, and none with the reader's cookies (XEP-0156 §5).
const ANY_ORIGIN: (header::HeaderName, HeaderValue) =
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));

/// As XRD.
pub(super) async fn xml(State(told): State<Told>, headers: HeaderMap) -> Response {
    let Some(links) = links(&told, &headers) else { return unknown() };
    let links = links.iter().map(|(rel, href)| format!("<Link rel='{rel}' href='{href}'/>"));
    let links: String = links.collect();
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n\
         <XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>{links}</XRD>\n"
    );
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/xrd+xml"));
    ([kind, ANY_ORIGIN], body).into_response()
}

/// As JRD.
pub(super) async fn json(State(told): State<Told>, headers: HeaderMap) -> Response {
    let Some(links) = links(&told, &headers) else { return unknown() };
    let links = links.iter().map(|(rel, href)| json!({ "rel": rel, "href": href }));
    let body = json!({ "links": links.collect::<Vec<_>>() });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind, ANY_ORIGIN], format!("{body}\n")).into_response()
}

/// What a page must know before it asks otherwise than plainly.
pub(super) async fn preflight() -> Response {
    let get = (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
    (StatusCode::NO_CONTENT, [ANY_ORIGIN, get]).into_response()
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, [ANY_ORIGIN], "this domain is not served here\n").into_response()
}

/// The links of the domain that is asked, if it is one of ours.
fn links(told: &Told, headers: &HeaderMap) -> Option<Vec<(&'static str, String)>> {
    let asked = guard::host(headers)?;
    let domain = Bare::host(asked.host()).ok()?;
    if !told.shell.settings.load().serves(domain.domain()) {
        return None;
    }
    let base = match &told.pages.public_url {
        Some(url) => url.trim_start_matches("https://").to_owned(),
        None => own(&asked),
    };
    let link = |&(rel, scheme, path): &(&'static str, &str, &str)| {
        (rel, format!("{scheme}://{base}{path}"))
    };
    Some(LINKS.iter().map(link).collect())
}

/// The host as it was asked. It is one of our domains, so nothing in it must be escaped.
fn own(asked: &Authority) -> String {
    match asked.port_u16() {
        Some(port) => format!("{}:{port}", asked.host()),
        None => asked.host().to_owned(),
    }
}
