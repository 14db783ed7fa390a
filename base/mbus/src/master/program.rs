//! What jobs do, exchange by exchange.

use super::exchange::{Exchanged, Request};
use super::job::{Job, Outcome, Target};
use super::links::Links;
use super::search::Search;
use crate::application::Application;
use crate::frame::{Frame, SELECTED};
use crate::record::Item;

#[derive(Debug, Clone)]
pub(super) enum Program {
    Read(Read),
    Scan(Scan),
    Search(Search),
}

/// What a program does next: a request, or what became of it.
type Next = Result<Request, Outcome>;

impl Program {
    pub(super) fn new(job: Job) -> Self {
        match job {
            Job::Read { target, initialise } => Self::Read(Read {
                target,
                initialise,
                phase: Phase::Start,
                asked: false,
                telegrams: Vec::new(),
                outcome: None,
            }),
            Job::Scan { first, last } => Self::Scan(Scan {
                next: Some(first).filter(|first| *first <= last),
                last,
                asked: None,
                found: Vec::new(),
                garbled: Vec::new(),
            }),
            Job::Search { among } => Self::Search(Search::new(among)),
        }
    }

    pub(super) fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        match self {
            Self::Read(read) => read.next(last, links),
            Self::Scan(scan) => scan.next(last, links),
            Self::Search(search) => search.next(last, links),
        }
    }
}

/// What became of a job whose exchange was not answered.
fn failure(answer: &Exchanged) -> Option<Outcome> {
    match answer {
        Exchanged::Silent => Some(Outcome::Silent),
        Exchanged::Garbled(garble) => Some(Outcome::Garbled(*garble)),
        Exchanged::Acknowledged | Exchanged::Response(_) => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Opening,
    Open,
    Closing,
}

/// Reads a slave: it is initialised before where that is wanted or its frame count bits are not
/// known, or it is selected before and released behind.
#[derive(Debug, Clone)]
pub(super) struct Read {
    target: Target,
    initialise: bool,
    phase: Phase,
    asked: bool,
    telegrams: Vec<Vec<u8>>,
    outcome: Option<Outcome>,
}

impl Read {
    const fn address(&self) -> u8 {
        match self.target {
            Target::Primary(address) => address,
            Target::Secondary(_) => SELECTED,
        }
    }

    fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        if let Some(next) = self.besides(last.as_ref(), links) {
            return next;
        }
        let address = self.address();
        if std::mem::replace(&mut self.asked, true) {
            match last {
                Some(Exchanged::Response(bytes)) => {
                    links.toggle(address);
                    if let Some(outcome) = self.take(bytes, links.config.telegrams_max) {
                        return self.close(outcome, links);
                    }
                }
                other => {
                    let outcome = other.as_ref().and_then(failure).unwrap_or(Outcome::Silent);
                    return self.close(outcome, links);
                }
            }
        }
        Ok(links.read(address))
    }

    /// What there is to do besides requests for data; nothing while those are due.
    fn besides(&mut self, last: Option<&Exchanged>, links: &mut Links) -> Option<Next> {
        let address = self.address();
        match (self.phase, last) {
            (Phase::Start, _) => match self.target {
                Target::Secondary(mask) => {
                    self.phase = Phase::Opening;
                    return Some(Ok(links.select(mask)));
                }
                Target::Primary(_) if self.initialise || !links.is_known(address) => {
                    self.phase = Phase::Opening;
                    return Some(Ok(links.initialise(address)));
                }
                Target::Primary(_) => {}
            },
            (Phase::Opening, Some(answer)) => {
                if let Some(outcome) = failure(answer) {
                    links.forget(address);
                    return Some(Err(outcome));
                }
                links.restart(address);
            }
            (Phase::Open, _) => return None,
            (Phase::Opening | Phase::Closing, _) => {
                return Some(Err(self.outcome.take().unwrap_or(Outcome::Silent)));
            }
        }
        self.phase = Phase::Open;
        None
    }

    /// The requests for data are over; who was selected is released, once.
    fn close(&mut self, outcome: Outcome, links: &mut Links) -> Next {
        if !matches!(outcome, Outcome::Telegrams { .. } | Outcome::Refused(_)) {
            links.forget(self.address());
        }
        match self.target {
            Target::Primary(_) => Err(outcome),
            Target::Secondary(_) => {
                (self.phase, self.outcome) = (Phase::Closing, Some(outcome));
                Ok(Request { after_silence: 0, after_garble: 0, ..links.initialise(SELECTED) })
            }
        }
    }

    /// Keeps a telegram; the outcome where it is the last one.
    fn take(&mut self, bytes: Vec<u8>, most: usize) -> Option<Outcome> {
        let application = Frame::decode(&bytes).ok().and_then(|frame| {
            Application::decode(&frame).ok().map(|application| match application {
                Application::Error(error) => Err(error),
                Application::Variable { records, .. } => Ok(records.last().is_some_and(|item| {
                    matches!(item, Ok(Item::Manufacturer { more_records_follow: true, .. }))
                })),
                _ => Ok(false),
            })
        });
        if let Some(Err(error)) = application {
            return Some(Outcome::Refused(error));
        }
        self.telegrams.push(bytes);
        let more = application == Some(Ok(true));
        if more && self.telegrams.len() < most {
            return None;
        }
        let telegrams = std::mem::take(&mut self.telegrams);
        Some(Outcome::Telegrams { telegrams, complete: !more })
    }
}

#[derive(Debug, Clone)]
pub(super) struct Scan {
    next: Option<u8>,
    last: u8,
    asked: Option<u8>,
    found: Vec<u8>,
    garbled: Vec<u8>,
}

impl Scan {
    fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        if let (Some(address), Some(answer)) = (self.asked, last) {
            match answer {
                Exchanged::Acknowledged => {
                    links.restart(address);
                    self.found.push(address);
                }
                Exchanged::Garbled(_) => self.garbled.push(address),
                Exchanged::Silent | Exchanged::Response(_) => {}
            }
        }
        let Some(address) = self.next else {
            let found = std::mem::take(&mut self.found);
            return Err(Outcome::Scanned { found, garbled: std::mem::take(&mut self.garbled) });
        };
        self.asked = Some(address);
        self.next = address.checked_add(1).filter(|next| *next <= self.last);
        Ok(Request { collisions: true, ..links.initialise(address) })
    }
}
