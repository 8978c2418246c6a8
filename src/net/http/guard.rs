//! What browsers are kept from, whatever is asked.

use axum::{
    extract::Request,
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
/// origin that sends them has been made to (cross-site request forgery).
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    let lent = headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION);
    let mut response = match changes && lent && is_foreign(headers) {
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
