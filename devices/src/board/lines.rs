//! Asks a meter that speaks lines of text: each of its requests in turn makes one reading.

use lastmeter_board::grammar::{BeginError, Exchange, Grammar, Outcome, Request};
use lastmeter_units::MeasurementId;

/// What came of bytes that were heard, or of time that has passed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Ask(Vec<u8>),
    /// A reading is there, in SI units.
    Reading(Vec<(MeasurementId, f64)>),
    /// No answer came, or none that could be used; the reading is not made.
    Missed(String),
    /// Something that was not asked for, or does not fit.
    Discarded(String),
}

/// The asking side.
#[derive(Debug)]
pub(super) struct LineProtocol {
    exchange: Exchange,
    /// The index of the request under way.
    at: Option<usize>,
    values: Vec<(MeasurementId, f64)>,
}

impl LineProtocol {
    pub(super) fn new(grammar: Grammar) -> Self {
        Self { exchange: Exchange::new(grammar), at: None, values: Vec::new() }
    }

    /// Begins a reading; what is to be sent first, if anything is.
    pub(super) fn poll(&mut self, now_ns: u64) -> Vec<Reply> {
        self.values.clear();
        self.begin(0, now_ns)
    }

    fn begin(&mut self, request: usize, now_ns: u64) -> Vec<Reply> {
        let requests = &self.exchange.grammar().requests;
        let Some(next) = requests.get(request) else {
            self.at = None;
            return vec![Reply::Reading(std::mem::take(&mut self.values))];
        };
        self.at = Some(request);
        if next.is_spontaneous() {
            return Vec::new();
        }
        match self.exchange.begin(request, now_ns) {
            Ok(bytes) => vec![Reply::Ask(bytes)],
            // It is begun as soon as late answers are over.
            Err(BeginError::Settling { .. }) => Vec::new(),
            Err(why) => {
                self.at = None;
                vec![Reply::Missed(why.to_string())]
            }
        }
    }

    /// When time has to be looked at again, whatever is heard.
    pub(super) fn wake_at_ns(&self) -> Option<u64> {
        self.exchange.wake_at_ns()
    }

    /// How long the request under way may take, in nanoseconds.
    pub(super) fn limit_ns(&self) -> u64 {
        let request = self.at.and_then(|at| self.exchange.grammar().requests.get(at));
        request.map_or(0, |request| request.timeout_ns)
    }

    pub(super) fn heard(&mut self, bytes: &[u8], now_ns: u64) -> Vec<Reply> {
        let before = self.exchange.counts();
        let outcomes = self.exchange.take(bytes, now_ns);
        let mut heard: Vec<Reply> =
            outcomes.into_iter().flat_map(|outcome| self.outcome(outcome, now_ns)).collect();
        let late = self.exchange.counts().late - before.late;
        if late > 0 {
            heard.push(Reply::Discarded(format!("{late} late line(s)")));
        }
        heard
    }

    pub(super) fn tick(&mut self, now_ns: u64) -> Vec<Reply> {
        if let Some(outcome) = self.exchange.tick(now_ns) {
            return self.outcome(outcome, now_ns);
        }
        let requests = &self.exchange.grammar().requests;
        match self.at {
            Some(at) if requests.get(at).is_some_and(Request::is_spontaneous) => {
                self.at = None;
                vec![Reply::Missed("no line of the meter's own".to_owned())]
            }
            // What waited for late answers to be over.
            Some(request) if self.exchange.open_request().is_none() => self.begin(request, now_ns),
            _ => Vec::new(),
        }
    }

    fn outcome(&mut self, outcome: Outcome, now_ns: u64) -> Vec<Reply> {
        match outcome {
            Outcome::Answered { request, answer } if self.at == Some(request) => {
                self.values.extend(answer.values);
                self.begin(request + 1, now_ns)
            }
            // A line that comes by itself between two readings.
            Outcome::Answered { .. } => Vec::new(),
            Outcome::Refused { request, why } if self.at == Some(request) && why.is_of_answer() => {
                self.at = None;
                vec![Reply::Missed(why.to_string())]
            }
            Outcome::Refused { why, .. } => vec![Reply::Discarded(why.to_string())],
            Outcome::TimedOut { after_ns, .. } => {
                self.at = None;
                let after_ms = after_ns / 1_000_000;
                let cut =
                    if self.exchange.is_within_line() { ", but a line without end" } else { "" };
                vec![Reply::Missed(format!("no answer within {after_ms} ms{cut}"))]
            }
        }
    }
}
