//! Requests that gateways make to the platform's REST, each with the credential that it was given.
//!
//! What is outside of the platform's interfaces for programs is answered 400 here, what comes
//! without a credential 401; where nobody answers, the status is 0.

use lastmeter_link::http::{HttpError, JSON};
use lastmeter_wire::rest::{Answer, Request};

use super::run_platform::Profile;

/// What the paths that are passed on begin with.
const PATHS: [&str; 2] = ["/api/v1/", "/sitewhere/api/"];

/// Carries a request out by a bearer token, if there is one by now.
pub(crate) async fn ask(profile: &Profile, token: Option<&str>, request: &Request) -> Answer {
    let answer = |status, body| Answer { number: request.number, status, body };
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return answer(401, Vec::new());
    };
    if !PATHS.iter().any(|path| request.path.starts_with(path)) {
        return answer(400, Vec::new());
    }
    let Ok(client) = profile.rest_client() else { return answer(0, Vec::new()) };
    let body = request.body.as_deref().map(|body| (JSON, body));
    let who = (Some(token), request.key.as_deref());
    match client.ask_once(request.method.word(), &request.path, body, who).await {
        Ok((status, body)) => answer(status, body.into()),
        Err(HttpError::Request { .. }) => answer(400, Vec::new()),
        Err(_) => answer(0, Vec::new()),
    }
}

#[cfg(test)]
#[path = "gateway_rest_tests.rs"]
mod tests;
