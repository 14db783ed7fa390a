//! Reading the body of a request whole, within a time and a size.
//!
//! Connections are few (`limits.rest_connections`); a client that begins a body and never ends it
//! must not hold one for ever. A handler therefore never sees a body that is still on its way.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Problem;

/// The request with its body read whole. The size is bounded by the router's `DefaultBodyLimit`.
///
/// # Errors
/// The answer to give instead: 408 `slow_body` if the body took longer than `limit`, 413
/// `body_too_large`, 400 `unreadable_body` if the client broke it off. The connection is closed
/// with it, for what is left of the body cannot be distinguished from a next request.
pub(crate) async fn read_whole(request: Request, limit: Duration) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let reading = Bytes::from_request(Request::from_parts(parts.clone(), body), &());
    let problem = match tokio::time::timeout(limit, reading).await {
        Ok(Ok(bytes)) => return Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(rejection)) => Problem::from(rejection),
        Err(_) => {
            let detail = format!(
                "the body was not whole after {} s, expected all of it within that time",
                limit.as_secs_f64()
            );
            Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", detail)
        }
    };
    let mut response = problem.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Err(response)
}
