//! What jobs do, exchange by exchange.

use super::exchange::{Exchanged, Request};
use super::job::{Job, Outcome, Target};
use super::links::{Counted, Links};
use super::search::Search;
use crate::application::Application;
use crate::baud::BaudRate;
use crate::frame::{BROADCAST, Frame, SELECTED};
use crate::record::Item;

/// A job under way.
#[derive(Debug, Clone)]
pub(super) enum Program {
    Initialise { address: u8 },
    Read(Read),
    Send(Send),
    Scan(Scan),
    Search(Search),
    SetBaud(SetBaud),
}

/// What a program does next: a request, or what became of it.
type Next = Result<Request, Outcome>;

impl Program {
    pub(super) fn new(job: Job) -> Self {
        match job {
            Job::Initialise { address } => Self::Initialise { address },
            Job::Read { target, initialise } => Self::Read(Read {
                session: Session::new(target, initialise),
                asked: false,
                telegrams: Vec::new(),
            }),
            Job::Send { target, user_data } => {
                Self::Send(Send { session: Session::new(target, false), asked: false, user_data })
            }
            Job::Scan { first, last } => Self::Scan(Scan {
                next: Some(first).filter(|first| *first <= last),
                last,
                asked: None,
                found: Vec::new(),
                garbled: Vec::new(),
            }),
            Job::Search { among } => Self::Search(Search::new(among)),
            Job::SetBaud { address, baud } => {
                let session = Session::new(Target::Primary(address), false);
                Self::SetBaud(SetBaud { session, address, baud, step: Switch::Send })
            }
        }
    }

    pub(super) fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        match self {
            Self::Initialise { address } => match last {
                None => Ok(links.initialise(*address)),
                Some(answer) => {
                    if answer == Exchanged::Acknowledged {
                        links.restart(*address);
                    } else {
                        links.forget(*address);
                    }
                    Err(failure(&answer).unwrap_or(Outcome::Done))
                }
            },
            Self::Read(read) => read.next(last, links),
            Self::Send(send) => send.next(last.as_ref(), links),
            Self::Scan(scan) => scan.next(last, links),
            Self::Search(search) => search.next(last, links),
            Self::SetBaud(set) => set.next(last, links),
        }
    }
}

/// What became of a job whose exchange was not answered.
fn failure(answer: &Exchanged) -> Option<Outcome> {
    match answer {
        Exchanged::Silent => Some(Outcome::Silent),
        Exchanged::Garbled(garble) => Some(Outcome::Garbled(*garble)),
        Exchanged::Sent | Exchanged::Acknowledged | Exchanged::Response(_) => None,
    }
}

/// Where a job with one slave is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Opening,
    Open,
    Closing,
}

/// What comes before and after the requests of a job with one slave: it is initialised where that
/// is wanted or its frame count bits are not known, or it is selected and released.
#[derive(Debug, Clone)]
struct Session {
    target: Target,
    initialise: bool,
    phase: Phase,
    outcome: Option<Outcome>,
}

impl Session {
    const fn new(target: Target, initialise: bool) -> Self {
        Self { target, initialise, phase: Phase::Start, outcome: None }
    }

    const fn address(&self) -> u8 {
        match self.target {
            Target::Primary(address) => address,
            Target::Secondary(_) => SELECTED,
        }
    }

    /// What there is to do besides the job's own requests; nothing while those are due.
    fn besides(&mut self, last: Option<&Exchanged>, links: &mut Links) -> Option<Next> {
        let address = self.address();
        match (self.phase, last) {
            (Phase::Start, _) => match self.target {
                Target::Secondary(mask) => {
                    self.phase = Phase::Opening;
                    return Some(Ok(links.select(mask)));
                }
                Target::Primary(BROADCAST) => {}
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

    /// The job's own requests are over; who was selected is released, once.
    fn close(&mut self, outcome: Outcome, links: &mut Links) -> Next {
        if !matches!(outcome, Outcome::Done | Outcome::Telegrams { .. } | Outcome::Refused(_)) {
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
}

#[derive(Debug, Clone)]
pub(super) struct Read {
    session: Session,
    asked: bool,
    telegrams: Vec<Vec<u8>>,
}

impl Read {
    fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        if let Some(next) = self.session.besides(last.as_ref(), links) {
            return next;
        }
        let address = self.session.address();
        if std::mem::replace(&mut self.asked, true) {
            match last {
                Some(Exchanged::Response(bytes)) => {
                    links.toggle(address, Counted::RequestUserData2);
                    if let Some(outcome) = self.take(bytes, links.config.telegrams_max) {
                        return self.session.close(outcome, links);
                    }
                }
                other => {
                    let outcome = other.as_ref().and_then(failure).unwrap_or(Outcome::Silent);
                    return self.session.close(outcome, links);
                }
            }
        }
        Ok(links.read(address))
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
pub(super) struct Send {
    session: Session,
    asked: bool,
    user_data: Vec<u8>,
}

impl Send {
    fn next(&mut self, last: Option<&Exchanged>, links: &mut Links) -> Next {
        if let Some(next) = self.session.besides(last, links) {
            return next;
        }
        let address = self.session.address();
        if std::mem::replace(&mut self.asked, true) {
            links.toggle(address, Counted::SendUserData);
            let outcome = last.and_then(failure).unwrap_or(Outcome::Done);
            return self.session.close(outcome, links);
        }
        let invalid = "user data of 1 to 253 bytes, control information field included";
        links.send(address, &self.user_data).ok_or(Outcome::Invalid(invalid))
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
                Exchanged::Silent | Exchanged::Sent | Exchanged::Response(_) => {}
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

/// How far a switch of the rate is.
#[derive(Debug, Clone, PartialEq)]
enum Switch {
    Send,
    Sent,
    /// Asked at the new rate: the rate before, and what went wrong with the switch.
    Confirm {
        before: BaudRate,
        failed: Option<Outcome>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct SetBaud {
    session: Session,
    address: u8,
    baud: BaudRate,
    step: Switch,
}

impl SetBaud {
    fn next(&mut self, last: Option<Exchanged>, links: &mut Links) -> Next {
        if let Some(next) = self.session.besides(last.as_ref(), links) {
            return next;
        }
        let address = self.address;
        match (std::mem::replace(&mut self.step, Switch::Sent), last) {
            (Switch::Send, _) => links
                .send(address, &[self.baud.control_information()])
                .ok_or(Outcome::Invalid("a control information field")),
            (Switch::Sent, Some(Exchanged::Sent)) => {
                links.set_rate(BROADCAST, self.baud);
                Err(Outcome::Done)
            }
            // Also after silence: the slave may have switched while its answer was lost.
            (Switch::Sent, answer) => {
                let failed = answer.as_ref().and_then(failure);
                self.step = Switch::Confirm { before: links.rate(address), failed };
                links.forget(address);
                links.set_rate(address, self.baud);
                Ok(links.initialise(address))
            }
            (Switch::Confirm { before, failed }, answer) => {
                let Some(outcome) = answer.as_ref().and_then(failure) else {
                    links.restart(address);
                    return Err(Outcome::Done);
                };
                links.set_rate(address, before);
                Err(failed.unwrap_or(outcome))
            }
        }
    }
}
