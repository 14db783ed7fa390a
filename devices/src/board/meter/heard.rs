//! What a board answers, and what follows from it.

use lastmeter_board::stimulus_port::{FromBoard, ToBoard};
use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{MeasurementId, Quantity, SimDuration, SimTime};

use super::{BoardMeter, NO_WINDOW, PARTIAL, Protocol, State, TRIES_MAX, Task, nanoseconds};
use crate::board::{lines, node};
use crate::border::{BoardPort, EventKind, Output};

/// Bytes that a board may send without answering what it was asked.
const UNASKED_BYTES_MAX: usize = 1 << 16;

/// How often a board may start without having done anything in between.
const STARTS_MAX: u8 = 8;

impl BoardMeter {
    /// Takes bytes of the board, if it can be used at all.
    pub(super) fn heard(
        &mut self,
        now: SimTime,
        port: BoardPort,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) {
        if self.state == State::Lost || self.fault.is_some() {
            return;
        }
        self.unasked = self.unasked.saturating_add(bytes.len());
        match port {
            BoardPort::Network => self.network_heard(now, bytes, out),
            BoardPort::Stimulus if self.parts.converter.is_some() => {
                self.stimulus_heard(now, bytes, out);
            }
            BoardPort::Stimulus => {
                let what = "bytes on a port that it does not have";
                self.note(EventKind::BoardDiscarded, what, out);
            }
        }
        if self.unasked > UNASKED_BYTES_MAX && self.running.is_some() {
            let why = format!("{} bytes that are no answer", self.unasked);
            self.unanswered(now, &why, out);
        }
    }

    fn stimulus_heard(&mut self, now: SimTime, bytes: &[u8], out: &mut Vec<Output>) {
        for found in self.stimulus.take(bytes) {
            match found {
                Ok(FromBoard::WantsRecord) => self.started(out),
                Ok(FromBoard::Keep(record)) => {
                    self.record = record;
                    let is_first = !std::mem::replace(&mut self.has_record, true);
                    if is_first && matches!(self.running, Some((Task::Present, _))) {
                        self.open();
                    }
                }
                Ok(FromBoard::Taken { number, samples, windows, lost }) => {
                    self.taken_by_board(number, (samples, windows, lost), out);
                }
                Ok(FromBoard::Refused(why)) => {
                    let why = match why {
                        1 => "it refused what was no frame",
                        2 => "it refused a frame with a wrong CRC",
                        _ => "it refused a frame that it does not know",
                    };
                    self.again(now, why, out);
                }
                Err(why) => self.note(EventKind::BoardDiscarded, &why.to_string(), out),
            }
        }
    }

    /// The board has answered to what it was given: samples and windows since it began to measure,
    /// bytes lost since it started.
    fn taken_by_board(
        &mut self,
        number: u8,
        (samples, windows, lost): (u32, u32, u32),
        out: &mut Vec<Output>,
    ) {
        let expected = match &self.running {
            Some((Task::Begin, _)) if number == 0 => 0,
            Some((Task::Samples(pairs), _)) if number == self.number => {
                // At most `PAIRS_MAX`.
                self.account.samples.wrapping_add(pairs.len() as u32)
            }
            _ => return self.note(EventKind::BoardDiscarded, "a late answer to samples", out),
        };
        if lost != self.account.lost {
            self.account.lost = lost;
            self.note(EventKind::BoardDiscarded, "it has lost bytes", out);
            self.is_partial = true;
        }
        let is_begin = matches!(self.running.take(), Some((Task::Begin, _)));
        self.account.samples = expected;
        self.account.windows = windows;
        if is_begin {
            self.state = State::Up;
            self.account.windows_read = windows;
            // The reading that is asked for has lost all that was before; the next one has not.
            if let Some(&Task::Poll { due }) = self.tasks.front() {
                self.tasks.pop_front();
                self.leave_out(due, PARTIAL, out);
                self.account.since = due;
                self.is_partial = false;
            }
            return;
        }
        self.starts = 0;
        if samples != expected {
            let what = format!("it counts {samples} samples, expected {expected}");
            self.note(EventKind::BoardDiscarded, &what, out);
            self.is_partial = true;
            self.tasks.push_front(Task::Begin);
        }
    }

    pub(super) fn send_record(&mut self) {
        let record = self.record.clone();
        self.send_frame(&ToBoard::Record(record));
    }

    /// The board has started, at first or again.
    fn started(&mut self, out: &mut Vec<Output>) {
        self.starts += 1;
        if self.starts > STARTS_MAX {
            let fault = format!("it has started {STARTS_MAX} times and done nothing in between");
            self.fault = Some(format!("board {}: {fault}; check its firmware", self.parts.name));
            if let Some((Task::Poll { due }, _)) = self.running.take() {
                self.leave_out(due, &fault, out);
            }
            return;
        }
        self.has_record = false;
        self.account.lost = 0;
        if let Protocol::Node(protocol) = &mut self.parts.protocol {
            // What it answered before it started is of nothing that will be asked.
            protocol.give_up();
        }
        self.send_record();
        if self.state == State::Starting {
            return;
        }
        self.note(EventKind::BoardRestarted, "it has restarted", out);
        self.is_partial = true;
        if let Some((Task::Poll { due }, _)) = self.running.take() {
            self.leave_out(due, "it has restarted", out);
            self.account.since = due;
            self.is_partial = false;
        }
        self.tasks.push_front(Task::Begin);
        if matches!(self.parts.protocol, Protocol::Node(_)) {
            self.tasks.push_front(Task::Present);
        }
        self.state = State::Starting;
    }

    fn network_heard(&mut self, now: SimTime, bytes: &[u8], out: &mut Vec<Output>) {
        match &mut self.parts.protocol {
            Protocol::Node(protocol) => {
                for heard in protocol.heard(bytes) {
                    self.node(now, heard, out);
                }
            }
            Protocol::Lines(protocol) => {
                let heard = protocol.heard(bytes, nanoseconds(now));
                self.lines(heard, out);
            }
        }
    }

    fn node(&mut self, now: SimTime, heard: node::Reply, out: &mut Vec<Output>) {
        match heard {
            node::Reply::Ask(bytes) => self.write(BoardPort::Network, bytes),
            node::Reply::Present { version, node, image } => {
                self.running = None;
                match self.unfit(&version, node, image) {
                    None => self.state = State::Up,
                    Some(why) => self.fault = Some(format!("board {}: {why}", self.parts.name)),
                }
            }
            node::Reply::Reading { number, windows, values } => {
                let Some((Task::Poll { due }, _)) = self.running else { return };
                self.running = None;
                self.starts = 0;
                self.node_reading(due, (number, windows), &values, out);
            }
            node::Reply::Refused => self.reopen(now, out),
            node::Reply::Discarded(what) => {
                // What a board sends while it starts, and the banner, is not of the protocol.
                if self.state != State::Starting {
                    self.note(EventKind::BoardDiscarded, &what, out);
                }
            }
        }
    }

    /// The adapter was closed while a reading was asked for.
    fn reopen(&mut self, now: SimTime, out: &mut Vec<Output>) {
        const WHY: &str = "its adapter was closed";
        match (&mut self.running, &mut self.parts.protocol) {
            (Some((Task::Poll { .. }, tries)), Protocol::Node(protocol)) if *tries < TRIES_MAX => {
                *tries += 1;
                let bytes = protocol.reopen();
                self.note(EventKind::BoardRetried, WHY, out);
                self.write(BoardPort::Network, bytes);
            }
            _ => self.again(now, WHY, out),
        }
    }

    fn node_reading(
        &mut self,
        due: SimDuration,
        (number, windows): (u32, u32),
        values: &[(Quantity, f64)],
        out: &mut Vec<Output>,
    ) {
        self.account.windows_read = self.account.windows;
        let before = self.account.number.replace(number);
        let since = std::mem::replace(&mut self.account.since, due);
        let is_partial = std::mem::take(&mut self.is_partial);
        if due == SimDuration::ZERO {
            return;
        }
        // One that is given samples is known to have completed a window.
        let measures_itself = self.parts.converter.is_none();
        if windows == 0 || (measures_itself && before == Some(number)) {
            self.account.since = since;
            return self.leave_out(due, NO_WINDOW, out);
        }
        let follows = before.is_some_and(|before| number == before.wrapping_add(1));
        if is_partial || (measures_itself && !follows) {
            return self.leave_out(due, PARTIAL, out);
        }
        if let Some(what) = node::implausible(values) {
            return self.leave_out(due, &what, out);
        }
        let find = |wanted: Quantity| values.iter().find(|(found, _)| *found == wanted);
        let ids = self.parts.quantities.iter();
        let values = ids.filter_map(|&id| Some((id, find(id.row().quantity)?.1))).collect();
        self.reading((since, due), values, out);
    }

    /// Why a board that is there is not the one that is wanted.
    fn unfit(&self, version: &str, node: u8, image: u32) -> Option<String> {
        let expected = &self.parts.expected;
        if let Some(wanted) = expected.node.filter(|&wanted| wanted != node) {
            return Some(format!("node {node} answers, expected node {wanted}"));
        }
        if let Some(wanted) = expected.version.as_deref().filter(|&wanted| wanted != version) {
            return Some(format!("its firmware is version {version}, expected {wanted}"));
        }
        let wanted = expected.image.filter(|&wanted| wanted != image)?;
        Some(format!("its image has the CRC-32 {image:08x}, expected {wanted:08x}: flash it"))
    }

    pub(super) fn lines(&mut self, heard: Vec<lines::Reply>, out: &mut Vec<Output>) {
        for heard in heard {
            match heard {
                lines::Reply::Ask(bytes) => self.write(BoardPort::Network, bytes),
                lines::Reply::Reading(values) => {
                    let Some((Task::Poll { due }, _)) = self.running else { continue };
                    self.running = None;
                    let is_wanted = |id: &MeasurementId| self.parts.quantities.contains(id);
                    let values = values.into_iter().filter(|(id, _)| is_wanted(id));
                    let from = due - self.parts.period;
                    self.reading((from, due), values.collect(), out);
                }
                lines::Reply::Missed(why) => {
                    let Some((Task::Poll { due }, _)) = self.running else { continue };
                    self.running = None;
                    self.note(EventKind::BoardSilent, &why, out);
                    self.leave_out(due, &why, out);
                }
                lines::Reply::Discarded(what) => self.note(EventKind::BoardDiscarded, &what, out),
            }
        }
    }

    /// Reports values in SI units.
    fn reading(
        &mut self,
        (from, due): (SimDuration, SimDuration),
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    ) {
        let in_message = |(id, si): (MeasurementId, f64)| (id, si / id.row().si_factor);
        let values = values.into_iter().map(in_message).collect();
        // The declared span counts; this is what it would be exactly.
        let span = ReferenceSpan { from, to: due, registers_from: SimDuration::ZERO };
        self.parts.outlet.reading(due, span, values, out);
    }
}
