//! What a request proves who sends it by, and what becomes of those who present nothing or what is
//! wrong.

use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Problem, Visit};
use crate::access::NotProved;
use crate::gate::{Gate, Listener};

/// What a header presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderCredential {
    /// A token.
    Bearer(Vec<u8>),
    /// A user name and a password (RFC 7617).
    Basic(String, Vec<u8>),
}

/// Who sends a request by what it presents; what is wrong is answered late.
///
/// # Errors
/// The answer to give instead: 401, or 429 to an address that goes on guessing, or for an account
/// with too many wrong passwords.
pub(crate) async fn check_credential<T>(
    gate: &Gate,
    listener: Listener,
    visit: &Visit,
    headers: &HeaderMap,
    identify: impl AsyncFnOnce(HeaderCredential) -> Result<T, NotProved>,
) -> Result<T, Response> {
    let Some(given) = given(headers) else { return Err(unauthorised(headers, false)) };
    if gate.is_shut_for(listener, visit.from()) {
        let detail = "too many wrong tokens came from your address; wait, then send the right one";
        let mut response =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_tokens", detail)
                .into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Err(response);
    }
    match identify(given).await {
        Ok(found) => {
            visit.mark_authenticated();
            Ok(found)
        }
        Err(NotProved::Wrong) => {
            let wait = gate.wrong_secret(listener, visit.from(), "");
            visit.wait(wait).await;
            Err(unauthorised(headers, true))
        }
        Err(NotProved::Locked(wait)) => {
            let detail = "too many wrong passwords came for this user; wait, then send the right \
                          one";
            let status = StatusCode::TOO_MANY_REQUESTS;
            let problem = Problem::new(status, "too_many_wrong_passwords", detail);
            Err(problem.retry_after(wait).into_response())
        }
    }
}

/// The answer to who has proved nothing. Browsers, which would ask their user for a password and
/// send it by themselves from then on, are offered none.
pub(super) fn unauthorised(headers: &HeaderMap, has_given: bool) -> Response {
    let detail = if has_given {
        "the token is not valid here; administrators' and devices' tokens are not the same"
    } else {
        "send the header `Authorization: Bearer <token>`"
    };
    let mut response =
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    let schemes = response.headers_mut();
    schemes.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"lastmeter\""));
    if !headers.contains_key("Sec-Fetch-Mode") {
        let basic = HeaderValue::from_static("Basic realm=\"lastmeter\", charset=\"UTF-8\"");
        schemes.append(WWW_AUTHENTICATE, basic);
    }
    response
}

/// What a request presents. A password that a page from elsewhere has a browser send is none.
pub(super) fn given(headers: &HeaderMap) -> Option<HeaderCredential> {
    let is_foreign = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
    match headers.get(AUTHORIZATION).and_then(read)? {
        HeaderCredential::Basic(..) if headers.get("Sec-Fetch-Site").is_some_and(is_foreign) => {
            None
        }
        given => Some(given),
    }
}

/// Takes a header apart; the scheme's name is case-insensitive (RFC 9110, 11.1).
fn read(header: &HeaderValue) -> Option<HeaderCredential> {
    let after = |scheme: &[u8]| {
        let (found, rest) = header.as_bytes().split_at_checked(scheme.len())?;
        found.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    if let Some(token) = after(b"bearer ") {
        return Some(HeaderCredential::Bearer(token.to_vec()));
    }
    // RFC 7617: the user name has no colon.
    let pair = decoded(after(b"basic ")?)?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(pair[..colon].to_vec()).ok()?;
    Some(HeaderCredential::Basic(user, pair[colon + 1..].to_vec()))
}

/// Base64 (RFC 4648 section 4), with or without padding.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (mut bits, mut bytes) = (0_u32, Vec::with_capacity(text.len()));
    for (index, byte) in text[..end].iter().enumerate() {
        let value = ALPHABET.iter().position(|letter| letter == byte)?;
        bits = bits << 6 | value as u32;
        if index % 4 != 0 {
            bytes.push((bits >> (6 - 2 * (index % 4))) as u8);
        }
    }
    (end % 4 != 1).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_carries_a_token_or_a_name_with_a_password() {
        // RFC 7617 section 2 has the second.
        let header = |text: &'static str| HeaderValue::from_static(text);
        assert_eq!(read(&header("beaRer t")), Some(HeaderCredential::Bearer(b"t".to_vec())));
        let pair = HeaderCredential::Basic("Aladdin".to_owned(), b"open sesame".to_vec());
        assert_eq!(read(&header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), Some(pair.clone()));
        for wrong in ["Basic", "Basic QQ", "Basic !!!!", "Basic Q", "Digest x", ""] {
            assert_eq!(read(&header(wrong)), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"));
        assert_eq!(given(&headers), Some(pair.clone()));
        for (site, expected) in [("same-origin", Some(pair)), ("cross-site", None)] {
            headers.insert("Sec-Fetch-Site", header(site));
            assert_eq!(given(&headers), expected, "{site}");
        }
    }
}
