//! What use cases answer that is not a success, as `application/problem+json` (RFC 9457).

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use lastmeter_model::entity::FieldError;
use lastmeter_store::StoreError;
use serde_json::{Map, Value, json};

use crate::commands::InvokeError;
use crate::error::BarrierError;
use crate::journal::JournalStopped;
use crate::tenant::AdvanceError;

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    members: Map<String, Value>,
    /// Seconds after which it is worth asking again.
    retry_after_s: Option<u32>,
}

/// What is sent with it where a query took too long: others may be done by then.
const RETRY_AFTER_S: u32 = 5;

impl Problem {
    /// A problem with a stable word and what was found and expected.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), members: Map::new(), retry_after_s: None }
    }

    /// A problem of the request's parameters.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// A thing that is not there.
    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// What is hidden, or not there at all.
    pub(crate) fn nothing() -> Self {
        Self::not_found("no_such_path", "there is nothing here")
    }

    /// What does not go with what there is.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A tenant without room for what was asked; nothing of it is done.
    pub(crate) fn limit_reached(limit: &str) -> Self {
        let detail = format!("the tenant has reached its limit of `{limit}`; remove some");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "limit_reached", detail)
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Its word for programs.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What was found and expected.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The field of a body that is wrong, if it is about one.
    pub(crate) fn field(&self) -> Option<&str> {
        self.members.get("field").and_then(Value::as_str)
    }

    /// With a member of its own (RFC 9457, 3.2).
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// With a time after which it is worth asking again, rounded up to seconds.
    pub(crate) fn retry_after(self, wait: std::time::Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u32;
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Something of ours failed; what exactly is in the log, not in the answer.
    pub(crate) fn unavailable(code: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, cause = error.source().map(ToString::to_string), code);
        let detail = "the platform cannot answer now; its log has the cause";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

/// A body of which a field is wrong.
pub(crate) fn wrong(field: &str, detail: &str) -> Problem {
    let detail = format!("{field}: {detail}");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail);
    problem.with("field", json!(field))
}

/// SiteWhere's numbers of errors, by our words.
const SITEWHERE_CODES: &[(&str, u16)] = &[
    ("unauthorized", 130),
    ("no_such_tenant", 143),
    ("device_exists", 500),
    ("unknown_device", 501),
    ("unknown_assignment", 521),
    ("already_assigned", 600),
    ("assignment_in_force", 600),
    ("device_is_assigned", 603),
    ("missing_parameter", 650),
];

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Value::Object(body) = &mut body {
            body.extend(self.members);
        }
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some((_, number)) = SITEWHERE_CODES.iter().find(|(code, _)| *code == self.code) {
            response.headers_mut().insert("x-sitewhere-error-code", HeaderValue::from(*number));
            // Of a text that no header can have there is only the number.
            if let Ok(text) = HeaderValue::from_str(&self.detail) {
                response.headers_mut().insert("x-sitewhere-error", text);
            }
        }
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "not_json_content",
            StatusCode::UNPROCESSABLE_ENTITY => "wrong_body",
            _ => "unreadable_body",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            _ => "unreadable_body",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "unreadable_query", rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "unreadable_path", rejection.body_text())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DamagedPart(damage) => {
                let detail = format!(
                    "what is stored there is damaged ({damage}) and not given; what lies before and \
                     behind it can be read; see /api/v1/losses"
                );
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged_store", detail)
                    .with("part", json!(damage.part))
                    .with("key", json!(damage.key))
            }
            StoreError::TooSlow { limit_s } => {
                let detail = format!(
                    "the query took longer than {limit_s} s (`limits.query_s`); ask for a shorter \
                     range, fewer series or a smaller page"
                );
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem = Self::new(status, "query_too_slow", detail);
                Self { retry_after_s: Some(RETRY_AFTER_S), ..problem }
            }
            error @ StoreError::Postgres(_) => {
                let problem = Self::unavailable("store_unavailable", &error);
                let detail = "the database of the store does not answer; each request tries \
                              again; the platform's log has the cause";
                Self { detail: detail.into(), retry_after_s: Some(RETRY_AFTER_S), ..problem }
            }
            error => Self::unavailable("store_unavailable", &error),
        }
    }
}

impl From<InvokeError> for Problem {
    fn from(error: InvokeError) -> Self {
        let detail = error.to_string();
        match error {
            InvokeError::UnknownCommand { .. } => Self::not_found("unknown_command", detail),
            InvokeError::TooManyCauses { causes } => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "too_many_causes", detail).with("causes", json!(causes))
            }
            InvokeError::Door(_) => Self::unavailable("door_unavailable", &error),
            InvokeError::Arguments(_) => Self::bad_request("wrong_parameter", detail),
            InvokeError::NoRoom(limit) => Self::limit_reached(limit),
            InvokeError::Store(source) => source.into(),
            InvokeError::Stopped(source) => Self::unavailable("stopping", &source),
        }
    }
}

impl From<JournalStopped> for Problem {
    fn from(error: JournalStopped) -> Self {
        Self::unavailable("stopping", &error)
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", error.to_string());
        problem.with("field", json!(error.field))
    }
}

impl From<BarrierError> for Problem {
    fn from(error: BarrierError) -> Self {
        Self::unavailable("not_committed", &error)
    }
}

impl From<AdvanceError> for Problem {
    fn from(error: AdvanceError) -> Self {
        let detail = error.to_string();
        match error {
            AdvanceError::NotDriven => Self::conflict("clock_not_driven", detail),
            AdvanceError::Backwards { now, to } => Self::conflict("clock_backwards", detail)
                .with("now", json!(now))
                .with("to", json!(to)),
            AdvanceError::Invoke(error) => error.into(),
            AdvanceError::Barrier(error) => error.into(),
        }
    }
}
