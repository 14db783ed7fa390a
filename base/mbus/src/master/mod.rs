//! A master: what the reading end of the bus asks, and what it makes of answers
//! (EN 13757-2, 5.7; EN 13757-3, 11).
//!
//! Jobs are done one after another. The caller asks [`Master::step`] what to do now, sends what it
//! is given, hands in every byte with the time at which its stop bit ended, and asks again at the
//! time it was given or when bytes came.

mod config;
mod exchange;
mod job;
mod links;
mod program;
mod search;

use std::collections::VecDeque;

use lastmeter_units::SimTime;

pub use config::MasterConfig;
pub use exchange::Garble;
pub use job::{Job, Outcome, Target};

use crate::baud::{BITS_PER_BYTE, BaudRate};
use crate::frame::LENGTH_MAX;
use crate::reader::{GAP_BITS, Reader};
use crate::slave::{TURN_AROUND_MAX_BITS, TURN_AROUND_MAX_MORE};
use exchange::{Exchange, Exchanged};
use links::Links;
use program::Program;

/// Pieces of one answer that are kept; whoever sends more is no slave, and must not fill memory.
const RECEIVED_MAX: usize = 256;

/// What a caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes now, at this rate.
    Send {
        /// One frame, at most 261 bytes.
        bytes: Vec<u8>,
        /// The rate of these bytes.
        baud: BaudRate,
    },
    /// Ask again at this time, or when bytes came.
    Wait(SimTime),
    /// There is no job.
    Idle,
}

/// The master of one bus.
#[derive(Debug, Clone)]
pub struct Master {
    links: Links,
    jobs: VecDeque<Job>,
    running: Option<Program>,
    exchange: Option<Exchange>,
    reader: Reader,
    answered_at: Option<SimTime>,
    finished: VecDeque<Outcome>,
}

impl Master {
    /// A master that knows no slave yet.
    pub fn new(config: MasterConfig) -> Self {
        let reader = Reader::new(config.baud);
        Self {
            links: Links::new(config),
            jobs: VecDeque::new(),
            running: None,
            exchange: None,
            reader,
            answered_at: None,
            finished: VecDeque::new(),
        }
    }

    /// Adds a job behind those that wait.
    pub fn submit(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// What became of a job, in the order in which they ended.
    pub fn finished(&mut self) -> Option<Outcome> {
        self.finished.pop_front()
    }

    /// When the last byte of the last telegram was received; before the slave was released.
    pub const fn answered_at(&self) -> Option<SimTime> {
        self.answered_at
    }

    /// A byte was received; its stop bit ended at this time. Without a request under way it is
    /// ignored.
    pub fn byte(&mut self, now: SimTime, byte: u8) {
        let Some(exchange) = &mut self.exchange else { return };
        exchange.last_byte = Some(now);
        let received = self.reader.byte(now, byte).into_iter().flatten();
        let room = RECEIVED_MAX.saturating_sub(exchange.received.len());
        exchange.received.extend(received.take(room));
    }

    /// What to do now.
    pub fn step(&mut self, now: SimTime) -> Step {
        let mut answer = None;
        if let Some(exchange) = &mut self.exchange {
            exchange.received.extend(self.reader.silent(now));
            if let Some(until) = wait(exchange, &self.reader, now) {
                return Step::Wait(until);
            }
            exchange.received.extend(self.reader.end());
            let end = exchange.last_byte;
            answer = exchange.conclude();
            if let Some(Exchanged::Response(_)) = answer {
                self.answered_at = end;
            }
            if answer.is_none() {
                return self.send(now);
            }
            self.exchange = None;
        }
        loop {
            let Some(program) = &mut self.running else {
                let Some(job) = self.jobs.pop_front() else { return Step::Idle };
                self.running = Some(Program::new(job));
                continue;
            };
            let last: Option<Exchanged> = answer.take();
            match program.next(last, &mut self.links) {
                Ok(request) => {
                    self.exchange = Some(Exchange::new(request));
                    return self.send(now);
                }
                Err(outcome) => {
                    self.finished.push_back(outcome);
                    self.running = None;
                }
            }
        }
    }

    /// Sends the request under way, for the first time or again.
    fn send(&mut self, now: SimTime) -> Step {
        let (baud, patience) = (self.links.config.baud, self.links.config.patience);
        let Some(exchange) = &mut self.exchange else { return Step::Idle };
        let bytes = exchange.request.bytes.clone();
        self.reader = Reader::with_gap(baud.bits(GAP_BITS) + patience);
        let end = now + baud.bytes(bytes.len());
        // Until the end of the answer's first byte.
        let first = baud.bits(TURN_AROUND_MAX_BITS + BITS_PER_BYTE);
        exchange.deadline = end + first + TURN_AROUND_MAX_MORE + patience;
        // Two answers one behind the other; who goes on then is no slave.
        exchange.limit = exchange.deadline + baud.bytes(2 * LENGTH_MAX);
        Step::Send { bytes, baud }
    }
}

/// Until when the answer may still come or go on; nothing once it is over.
fn wait(exchange: &Exchange, reader: &Reader, now: SimTime) -> Option<SimTime> {
    if now >= exchange.limit {
        return None;
    }
    let open = exchange.request.collisions || exchange.last_byte.is_none();
    let answer = Some(exchange.deadline).filter(|_| open);
    let quiet = exchange.last_byte.map(|last| last + reader.gap());
    answer.into_iter().chain(quiet).max().filter(|until| now < *until)
}
