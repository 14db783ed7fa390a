//! Requests to the platform's REST, one after the other.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::http::{Client, HttpError, JSON, Stage};
use lastmeter_link::timer::Timer;
use lastmeter_wire::rest::{Answer, Method, Request};

/// How long a request may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long it is sent again for where nobody answers: a platform that starts takes its time.
const REPEAT_NS: i64 = 20_000_000_000;
/// From one attempt to the next.
const REPEAT_EVERY_NS: i64 = 200_000_000;
/// The status of an answer of a platform that is not there yet.
const UNAVAILABLE: u16 = 503;
/// The status where a request could not be formed.
const BAD_REQUEST: u16 = 400;

type Asking = Pin<Box<dyn Future<Output = (Request, Answer)> + Send>>;

pub(super) struct Requests {
    rest: Arc<Client>,
    waiting: VecDeque<Request>,
    /// The one that is under way.
    asking: Option<Asking>,
}

impl Requests {
    pub(super) fn new(rest: Client) -> Self {
        let rest = Arc::new(rest.with_time_limit(ANSWER_LIMIT));
        Self { rest, waiting: VecDeque::new(), asking: None }
    }

    pub(super) fn push(&mut self, request: Request) {
        self.waiting.push_back(request);
    }

    pub(super) fn are_empty(&self) -> bool {
        self.asking.is_none() && self.waiting.is_empty()
    }

    /// The next answer, with what it answers; may be cancelled.
    pub(super) async fn next(&mut self) -> (Request, Answer) {
        if self.asking.is_none()
            && let Some(request) = self.waiting.pop_front()
        {
            self.asking = Some(Box::pin(ask(Arc::clone(&self.rest), request)));
        }
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let answered = asking.await;
        self.asking = None;
        answered
    }
}

async fn ask(rest: Arc<Client>, request: Request) -> (Request, Answer) {
    let deadline_ns = monotonic_ns().saturating_add(REPEAT_NS);
    loop {
        let body = request.body.as_deref().map(|body| (JSON, body));
        let (method, key) = (request.method.word(), request.key.as_deref());
        let asked = rest.ask_once(method, &request.path, body, (None, key)).await;
        let repeats = may_repeat(&request, &asked) && monotonic_ns() < deadline_ns;
        if repeats && waited(REPEAT_EVERY_NS).await {
            continue;
        }
        let (status, body) = match asked {
            Ok((status, body)) => (status, body.into()),
            Err(HttpError::Request { .. }) => (BAD_REQUEST, Vec::new()),
            Err(_) => (0, Vec::new()),
        };
        let number = request.number;
        return (request, Answer { number, status, body });
    }
}

/// Whether it can be sent again without acting twice, and that can help.
fn may_repeat<T>(request: &Request, asked: &Result<(u16, T), HttpError>) -> bool {
    let acts_once = request.method != Method::Post || request.key.is_some();
    match asked {
        Ok((status, _)) => *status == UNAVAILABLE,
        Err(HttpError::Connection { stage, .. } | HttpError::TimeLimit { stage, .. }) => {
            acts_once || *stage == Stage::Connection
        }
        Err(_) => false,
    }
}

/// Waits so long; `false` where there is no timer for it.
async fn waited(ns: i64) -> bool {
    let Ok(mut timer) = Timer::new() else { return false };
    timer.until(monotonic_ns().saturating_add(ns)).await.is_ok()
}
