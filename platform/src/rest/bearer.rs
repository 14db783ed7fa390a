//! The bearer token of a request, and what becomes of those who have none or a wrong one.

use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Problem, Visit};
use crate::gate::{Gate, Listener};

/// Whose token a request carries; a wrong one is answered late.
///
/// # Errors
/// The answer to give instead: 401, or 429 to an address that goes on guessing.
pub(crate) async fn check_bearer<T>(
    gate: &Gate,
    listener: Listener,
    visit: &Visit,
    headers: &HeaderMap,
    owner: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Response> {
    let given = headers.get(AUTHORIZATION).and_then(bearer);
    if given.is_some() && gate.is_shut_for(listener, visit.from()) {
        let detail = "too many wrong tokens came from your address; wait, then send the right one";
        let mut response =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_tokens", detail)
                .into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Err(response);
    }
    if let Some(owner) = given.and_then(owner) {
        visit.mark_authenticated();
        return Ok(owner);
    }
    if given.is_some() {
        let wait = gate.wrong_secret(listener, visit.from(), "");
        visit.wait(wait).await;
    }
    let detail = if given.is_some() {
        "the token is not valid here; administrators' and devices' tokens are not the same"
    } else {
        "send the header `Authorization: Bearer <token>`"
    };
    let mut response =
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    let scheme = HeaderValue::from_static("Bearer realm=\"lastmeter\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    Err(response)
}

/// Whether a request carries a token, right or wrong.
pub(super) fn has_bearer(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).and_then(bearer).is_some()
}

/// The secret of a bearer header; the scheme's name is case-insensitive (RFC 9110, 11.1).
fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, secret) = header.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(secret)
}
