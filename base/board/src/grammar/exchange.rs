//! Asking and answering on one port, as a state machine whose time is an argument.
//!
//! What must not happen is that an answer that comes too late is taken for that of the next
//! request. Therefore:
//!
//! - A line whose first byte came before the request is not its answer.
//! - After a request without answer, the next one waits until the port was silent for `settle`;
//!   every line until then is late. An answer with a sequence number of the missing request ends
//!   the wait at once.
//! - An answer whose sequence number is not newer than the last one is late.
//! - A number that the missing answer may have is late as well, whenever it comes. If the meter
//!   never got that request, this costs one more answer: the request times out, and the next one
//!   waits for `timeout` and `settle`, after which the numbers are taken as they come.
//!
//! What remains is a meter that answers later than `timeout` and `settle` together after the
//! request, or, with sequence numbers, than twice `timeout` and `settle`. Nothing on the line shows
//! that; a longer `settle` excludes it.

use super::{Answer, Grammar, LINE_BYTES_MAX, Line, LineReader, Meaning, Refusal, Request};

/// Sequence numbers at most this much older than the last one are late. What is further behind may
/// also be of a meter that has restarted.
const LATE_MAX: u64 = 16;
/// After so many old numbers in as many requests, each one more than the one before, the next one
/// is of a meter that has restarted, however near it is: what is late does not come once a request.
const OLD_RUN: u8 = 3;

/// What happened on the port.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A line that is the answer, or one that the meter sent by itself.
    Answered {
        /// The index of its request in the grammar.
        request: usize,
        /// What it carries.
        answer: Answer,
    },
    /// A line that is rejected. The request goes on, unless the line was its answer
    /// ([`Refusal::is_of_answer`]).
    Refused {
        /// The index of the request that is open, or of the one whose form the line has.
        request: usize,
        /// Reason of the refusal.
        why: Refusal,
    },
    /// No answer came in time.
    TimedOut {
        /// The index of the request.
        request: usize,
        /// Its time limit in nanoseconds.
        after_ns: u64,
    },
}

/// Why a request cannot be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The grammar has no request of this index.
    #[error("there is no request {0}")]
    NoSuchRequest(usize),
    /// The meter sends that line by itself.
    #[error("request {0} has no `send`: the meter sends that line by itself")]
    Spontaneous(usize),
    /// Another request is open.
    #[error("request {request} is open until {until_ns} ns")]
    Open {
        /// The index of the open request.
        request: usize,
        /// When it times out.
        until_ns: u64,
    },
    /// An earlier answer may still come.
    #[error("an answer of request {request} may still come, until {until_ns} ns at the earliest")]
    Settling {
        /// The index of the request without answer.
        request: usize,
        /// When the port will have been silent long enough, if nothing more comes.
        until_ns: u64,
    },
}

/// How many lines were what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers, and good lines that came unasked where such are expected.
    pub answered: u64,
    /// Rejected lines since the start.
    pub refused: u64,
    /// Requests without answer.
    pub timed_out: u64,
    /// Answers that came too late, and repeated ones. They are discarded.
    pub late: u64,
    /// Lines that were the request itself, from a port that echoes. They are discarded.
    pub echoed: u64,
    /// Other lines while no request was open and none was expected. They are discarded.
    pub unsolicited: u64,
    /// Lines whose begin came before the request, or before the port was opened. They are
    /// discarded.
    pub torn: u64,
    /// How often the sequence numbers began again.
    pub restarts: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    request: usize,
    deadline_ns: u64,
}

/// A request without answer, which may still come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    request: usize,
    until_ns: u64,
}

/// The sequence numbers of one request.
#[derive(Clone, Copy, Debug, Default)]
struct Numbering {
    last: Option<u32>,
    /// How many answers may have been numbered since without being seen.
    missing: u64,
    /// Whether a number came during the open request that may be of a missing answer.
    is_doubtful: bool,
    /// Whether there was one during the request before, and a long silence since: none of the
    /// missing ones will come any more.
    is_drained: bool,
    /// A number that was not newer, during the open request.
    old: Option<u32>,
    /// A number that was not newer, during an earlier request that got no other answer.
    old_before: Option<u32>,
    /// How many such numbers there were, each one more than the one before.
    old_run: u8,
}

/// By how much a number is newer than another one; `None` if it is not.
fn ahead(number: u32, last: u32, modulo: u64) -> Option<u64> {
    let difference = (modulo + u64::from(number) - u64::from(last) % modulo) % modulo;
    (1..=modulo / 2).contains(&difference).then_some(difference)
}

/// What a sequence number shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    New,
    Restarted,
    /// That of a missing answer, perhaps; by so much newer than the last one.
    Doubtful(u64),
    Old,
}

impl Numbering {
    fn age(&self, number: u32, modulo: u64) -> Age {
        let Some(last) = self.last else {
            return if self.missing == 0 || self.is_drained { Age::New } else { Age::Doubtful(1) };
        };
        match ahead(number, last, modulo) {
            Some(ahead) if ahead <= self.missing && !self.is_drained => {
                return Age::Doubtful(ahead);
            }
            Some(_) => return Age::New,
            None => {}
        }
        let behind = (modulo + u64::from(last) - u64::from(number)) % modulo;
        let by = self.old_before.and_then(|old| ahead(number, old, modulo));
        let is_run = by == Some(1) && self.old_run >= OLD_RUN;
        let is_far = by.is_some() && behind > LATE_MAX;
        if is_far || is_run { Age::Restarted } else { Age::Old }
    }

    /// The request is over, without an answer that counts.
    fn note_old(&mut self, modulo: Option<u64>) {
        let Some(old) = self.old.take() else { return };
        let by =
            self.old_before.zip(modulo).and_then(|(before, modulo)| ahead(old, before, modulo));
        self.old_run = if by == Some(1) { self.old_run.saturating_add(1) } else { 1 };
        self.old_before = Some(old);
    }

    /// Notes the number of a late answer, by so much newer than the last one.
    fn note_late(&mut self, number: u32, ahead: u64) {
        self.last = Some(number);
        self.missing = self.missing.saturating_sub(ahead);
    }

    fn accept(&mut self, number: u32) {
        *self = Self { last: Some(number), ..Self::default() };
    }
}

/// The state of one port.
#[derive(Clone, Debug)]
pub struct Exchange {
    grammar: Grammar,
    reader: LineReader,
    /// Whether the begin of the line that is being read may be missing, or came too early.
    is_torn: bool,
    open: Option<Open>,
    missing: Option<Missing>,
    /// One for each request.
    numbering: Vec<Numbering>,
    counts: Counts,
}

impl Exchange {
    /// A port that has just been opened.
    pub fn new(grammar: Grammar) -> Self {
        // Who listens from the middle of a line recognises that by the text at its begin.
        let can_hide =
            |request: &Request| request.is_spontaneous() && !request.pattern.begins_with_text();
        Self {
            reader: LineReader::new(&grammar.line_end),
            is_torn: grammar.requests.iter().any(can_hide),
            open: None,
            missing: None,
            numbering: vec![Numbering::default(); grammar.requests.len()],
            counts: Counts::default(),
            grammar,
        }
    }

    /// What is spoken on the port.
    pub fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    /// How many lines were what so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a line has begun that has not ended.
    pub fn is_within_line(&self) -> bool {
        self.reader.is_within_line()
    }

    /// The index of the request that is open.
    pub fn open_request(&self) -> Option<usize> {
        self.open.map(|open| open.request)
    }

    /// When [`Self::tick`] has something to do, or [`Self::begin`] may work again.
    pub fn wake_at_ns(&self) -> Option<u64> {
        let open = self.open.map(|open| open.deadline_ns);
        open.or(self.missing.map(|missing| missing.until_ns))
    }

    /// Opens a request; returns the bytes to send at `now_ns`. Whatever has been received before
    /// has to be given to [`Self::take`] before.
    ///
    /// # Errors
    /// If nothing may be sent now.
    pub fn begin(&mut self, request: usize, now_ns: u64) -> Result<Vec<u8>, BeginError> {
        let own = self.grammar.requests.get(request).ok_or(BeginError::NoSuchRequest(request))?;
        let send = own.send.clone().ok_or(BeginError::Spontaneous(request))?;
        if let Some(Open { request, deadline_ns }) = self.open {
            return Err(BeginError::Open { request, until_ns: deadline_ns });
        }
        if let Some(Missing { request, until_ns }) = self.missing
            && now_ns < until_ns
        {
            return Err(BeginError::Settling { request, until_ns });
        }
        self.missing = None;
        let deadline_ns = now_ns.saturating_add(own.timeout_ns);
        self.open = Some(Open { request, deadline_ns });
        self.is_torn |= self.reader.is_within_line();
        Ok(send)
    }

    /// Takes what was received until `now_ns`. Bytes at or after the end of the time limit are
    /// late.
    pub fn take(&mut self, bytes: &[u8], now_ns: u64) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = self.tick(now_ns).into_iter().collect();
        for byte in bytes {
            if let Some(line) = self.reader.push(*byte) {
                outcomes.extend(self.take_line(line));
            }
        }
        if let Some(missing) = self.missing.as_mut().filter(|_| !bytes.is_empty()) {
            let settle_ns = self.grammar.requests[missing.request].settle_ns;
            missing.until_ns = missing.until_ns.max(now_ns.saturating_add(settle_ns));
        }
        outcomes
    }

    /// Ends the request whose time is over.
    pub fn tick(&mut self, now_ns: u64) -> Option<Outcome> {
        let Open { request, deadline_ns } = self.open.filter(|open| now_ns >= open.deadline_ns)?;
        let own = &self.grammar.requests[request];
        let mut until_ns = deadline_ns.saturating_add(own.settle_ns);
        let numbering = &mut self.numbering[request];
        numbering.missing += 1;
        numbering.is_drained = std::mem::take(&mut numbering.is_doubtful);
        if numbering.is_drained {
            // Either the number was that of this request, or the meter is slow.
            until_ns = until_ns.saturating_add(own.timeout_ns);
        }
        self.open = None;
        self.missing = Some(Missing { request, until_ns });
        numbering.note_old(modulo(own));
        self.counts.timed_out += 1;
        Some(Outcome::TimedOut { request, after_ns: own.timeout_ns })
    }

    fn take_line(&mut self, line: Line) -> Option<Outcome> {
        let is_torn = std::mem::take(&mut self.is_torn);
        let is_blank = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_whitespace);
        let line = match line {
            Line::Whole(line) if is_blank(&line) => return None,
            _ if is_torn => {
                self.counts.torn += 1;
                return None;
            }
            Line::Whole(line) => line,
            Line::TooLong => return self.refuse_too_long(),
        };
        match self.open {
            Some(Open { request, .. }) => self.take_answer(request, &line),
            None => self.take_unasked(&line),
        }
    }

    fn refuse_too_long(&mut self) -> Option<Outcome> {
        let spontaneous = || self.grammar.requests.iter().position(Request::is_spontaneous);
        let Some(request) = self.open_request().or_else(spontaneous) else {
            self.counts.unsolicited += 1;
            return None;
        };
        Some(self.refused(request, Refusal::TooLong { bytes_max: LINE_BYTES_MAX }))
    }

    fn refused(&mut self, request: usize, why: Refusal) -> Outcome {
        self.counts.refused += 1;
        Outcome::Refused { request, why }
    }

    fn answered(&mut self, request: usize, answer: Answer) -> Outcome {
        self.counts.answered += 1;
        Outcome::Answered { request, answer }
    }

    fn take_answer(&mut self, request: usize, line: &[u8]) -> Option<Outcome> {
        let own = &self.grammar.requests[request];
        let sent = own.send.as_deref().unwrap_or_default();
        if line.trim_ascii() == sent.trim_ascii() {
            self.counts.echoed += 1;
            return None;
        }
        let read = own.read_line(line);
        let why = match read {
            Err(why) if !why.is_of_answer() => return self.take_other(request, line, why),
            read => {
                if !self.is_in_sequence(request, line) {
                    self.counts.late += 1;
                    return None;
                }
                self.open = None;
                match read {
                    Ok(answer) => return Some(self.answered(request, answer)),
                    Err(why) => why,
                }
            }
        };
        Some(self.refused(request, why))
    }

    /// Whether a line of the open request's form is newer than what came before. Its number is
    /// then the last one.
    fn is_in_sequence(&mut self, request: usize, line: &[u8]) -> bool {
        let own = &self.grammar.requests[request];
        let (Some(number), Some(modulo)) = (own.sequence_of(line), modulo(own)) else {
            return true;
        };
        let numbering = &mut self.numbering[request];
        match numbering.age(number, modulo) {
            Age::Old => {
                numbering.old = Some(number);
                return false;
            }
            Age::Doubtful(ahead) => {
                numbering.note_late(number, ahead);
                numbering.is_doubtful = true;
                return false;
            }
            Age::Restarted => self.counts.restarts += 1,
            Age::New => {}
        }
        numbering.accept(number);
        true
    }

    /// A line of another form than that of the open request.
    fn take_other(&mut self, request: usize, line: &[u8], why: Refusal) -> Option<Outcome> {
        let read = self.read_spontaneous(line);
        if let Some((index, Ok(answer))) = read {
            return Some(self.answered(index, answer));
        }
        if let Some((index, Err(why))) = read
            && why.is_of_answer()
        {
            return Some(self.refused(index, why));
        }
        if self.has_form_of_request(line) {
            self.counts.late += 1;
            return None;
        }
        Some(self.refused(request, why))
    }

    /// A line while no request is open.
    fn take_unasked(&mut self, line: &[u8]) -> Option<Outcome> {
        if let Some(missing) = self.missing
            && self.take_late(missing.request, line)
        {
            return None;
        }
        match self.read_spontaneous(line) {
            Some((request, Ok(answer))) => Some(self.answered(request, answer)),
            Some((request, Err(why))) if why.is_of_answer() => Some(self.refused(request, why)),
            _ if self.has_form_of_request(line) => {
                self.counts.late += 1;
                None
            }
            Some((request, Err(why))) => Some(self.refused(request, why)),
            None => {
                self.counts.unsolicited += 1;
                None
            }
        }
    }

    /// Discards a line that has the form of a missing answer.
    fn take_late(&mut self, request: usize, line: &[u8]) -> bool {
        let own = &self.grammar.requests[request];
        if own.read_line(line).is_err_and(|why| !why.is_of_answer()) {
            return false;
        }
        self.counts.late += 1;
        let numbering = &mut self.numbering[request];
        if let (Some(number), Some(modulo)) = (own.sequence_of(line), modulo(own))
            && let Some(ahead) = numbering.last.map_or(Some(1), |last| ahead(number, last, modulo))
        {
            numbering.note_late(number, ahead);
            // All that was asked is there.
            if numbering.missing == 0 {
                self.missing = None;
            }
        }
        true
    }

    /// A line as one that the meter sends by itself: of the first such request whose form it has,
    /// otherwise why it is not of the first one.
    fn read_spontaneous(&self, line: &[u8]) -> Option<(usize, Result<Answer, Refusal>)> {
        let requests = self.grammar.requests.iter().enumerate();
        let mut first = None;
        for (index, request) in requests.filter(|(_, request)| request.is_spontaneous()) {
            let read = request.read_line(line);
            if read.as_ref().map_or_else(Refusal::is_of_answer, |_| true) {
                return Some((index, read));
            }
            first = first.or(Some((index, read)));
        }
        first
    }

    /// Whether a line has the form of an answer that has to be asked for.
    fn has_form_of_request(&self, line: &[u8]) -> bool {
        let asked = self.grammar.requests.iter().filter(|request| !request.is_spontaneous());
        asked.map(|request| request.read_line(line)).any(|read| match read {
            Ok(_) => true,
            Err(why) => why.is_of_answer(),
        })
    }
}

fn modulo(request: &Request) -> Option<u64> {
    request.fields.iter().find_map(|field| match &field.meaning {
        Meaning::Sequence { modulo, .. } => Some(*modulo),
        _ => None,
    })
}
