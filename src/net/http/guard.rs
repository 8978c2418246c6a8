//! What browsers are kept from, whatever is asked.

use super::Told;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Nothing here is a page. It may not be taken for one, nor shown in one.
const NO_PAGE: [(header::HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// No answer depends on cookies or on passwords that a browser adds by itself, so a page of another
/// origin that sends them has been made to (cross-site request forgery), unless the operator has
/// named it: the host that was asked may have been lost in a proxy.
pub(super) async fn guard(State(told): State<Told>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    let lent = headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION);
    let named = &told.pages.origins;
    let is_foreign = is_foreign(headers) && (named.is_empty() || !is_welcome(headers, named));
    let mut response = match changes && lent && is_foreign {
        true => StatusCode::FORBIDDEN.into_response(),
        false => next.run(request).await,
    };
    response.headers_mut().extend(NO_PAGE);
    response
}

/// Whether a page of another host asks.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let origin = origin.as_bytes();
    let at = origin.windows(3).position(|three| three == b"://");
    at.is_none_or(|at| Some(&origin[at + 3..]) != own)
}

/// Whether a page of this origin may use XMPP. Who says none is no page.
pub(super) fn is_welcome(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    origins.is_empty() || origins.iter().any(|welcome| welcome.as_bytes() == origin.as_bytes())
}

/// The host that is asked, without its port.
pub(super) fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("chat.example:5443"));
        origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_static(origin)));
        headers
    }

    #[test]
    fn at_53_a_page_of_another_host_or_of_none_is_foreign() {
        for own in [None, Some("https://chat.example:5443")] {
            assert!(!is_foreign(&of(own)), "{own:?}");
        }
        for foreign in ["https://chat.example", "https://evil.example:5443", "null", ""] {
            assert!(is_foreign(&of(Some(foreign))), "{foreign}");
        }
    }

    #[test]
    fn the_operator_says_whose_pages_may_use_xmpp() {
        let chosen = ["https://chat.example".to_owned()];
        let is = |origin, chosen: &[String]| is_welcome(&of(origin), chosen);
        assert!(is(None, &chosen) && is(Some("https://chat.example"), &chosen));
        assert!(!is(Some("http://chat.example"), &chosen) && !is(Some("null"), &chosen));
        assert!(is(Some("https://any.example"), &[]));
    }

    #[test]
    fn the_host_that_is_asked_has_no_port() {
        assert_eq!(host(&of(None)).unwrap().host(), "chat.example");
        assert_eq!(host(&HeaderMap::new()), None);
    }
}
