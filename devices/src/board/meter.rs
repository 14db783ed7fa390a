//! The device around a board: what is due, what the board is given and asked, what it answers.

mod heard;

use std::collections::{BTreeMap, VecDeque};

use lastmeter_board::stimulus_port::{self, PAIRS_MAX, ToBoard};
use lastmeter_sim::{Block, DeclaredSpan, ElectricityFacts, Netting};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};

use super::lines::LineProtocol;
use super::node::NodeProtocol;
use crate::answer::{CommandFault, understood};
use crate::border::{
    BoardDevice, BoardFault, BoardInput, BoardOrder, BoardOutput, BoardPort, BoardWait, Device,
    DeviceFault, EventKind, Feed, Input, Output,
};
use crate::front_end::board_converter::BoardConverter;
use crate::outlet::{Outlet, event};
use crate::sampled::first_sample_at;

/// What a board does not take from the platform.
const NO_ORDERS: &str = "a board takes no commands of the platform";

/// How often something is sent again before the board counts as silent.
const TRIES_MAX: u8 = 2;

/// Events of one kind that a board may fill the record with.
const NOTES_MAX: u32 = 20;

/// Why a reading is left out that does not cover all of its time.
const PARTIAL: &str = "it has not measured all of the time";
/// Why a reading is left out of which nothing is new.
const NO_WINDOW: &str = "no window since the last reading";

/// What the board has to be, before it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) node: Option<u8>,
    pub(crate) version: Option<String>,
    /// The CRC-32 of its image.
    pub(crate) image: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct BoardParts {
    pub(crate) name: String,
    pub(crate) outlet: Box<dyn Outlet>,
    pub(crate) quantities: Vec<MeasurementId>,
    pub(crate) declared: DeclaredSpan,
    pub(crate) period: SimDuration,
    /// What its converter would take; `None`: it measures by itself.
    pub(crate) converter: Option<BoardConverter>,
    pub(crate) protocol: Protocol,
    pub(crate) expected: Expected,
    pub(crate) start_within: SimDuration,
    pub(crate) answer_within: SimDuration,
}

#[derive(Debug)]
pub(crate) enum Protocol {
    Node(NodeProtocol),
    Lines(Box<LineProtocol>),
}

/// Something that the board is to do, in order.
#[derive(Clone, Debug, PartialEq)]
enum Task {
    /// It starts, and shows who it is.
    Present,
    /// Measuring begins again.
    Begin,
    /// It takes samples.
    Samples(Vec<(u16, u16)>),
    /// It gives a reading that was due at this instant since the start.
    Poll { due: SimDuration },
    /// Something is done to it.
    Order(BoardOrder),
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// It has not shown who it is.
    Starting,
    Up,
    /// It does not answer; samples are not for it until it is asked again.
    Silent,
    Lost,
}

/// What is known of the board's measuring.
#[derive(Debug, Default)]
struct Account {
    /// Samples that it has been given since it began.
    samples: u32,
    /// Windows that it had completed when it last answered to samples.
    windows: u32,
    /// How many of these are in readings that were closed.
    windows_read: u32,
    /// The number of the last reading that was closed.
    number: Option<u32>,
    /// When that was, since the start.
    since: SimDuration,
    /// Bytes that it has lost since it started.
    lost: u32,
}

#[derive(Debug)]
pub(crate) struct BoardMeter {
    parts: BoardParts,
    state: State,
    fault: Option<String>,
    tasks: VecDeque<Task>,
    running: Option<(Task, u8)>,
    /// Samples of the feed taken so far.
    taken: u64,
    next_due: SimDuration,
    pairs: Vec<(u16, u16)>,
    stimulus: stimulus_port::Reader,
    number: u8,
    /// What its EEPROM holds.
    record: Vec<u8>,
    has_record: bool,
    /// Whether the reading under way lacks something.
    is_partial: bool,
    /// What of the board stands still, until when.
    stopped_until: Option<SimTime>,
    noise: u32,
    /// Whether the last frame was struck by it.
    is_noisy: bool,
    notes: BTreeMap<&'static str, u32>,
    account: Account,
    /// Starts since it has done anything.
    starts: u8,
    /// Bytes heard since it was last asked for something.
    unasked: usize,
    /// What was not fetched yet of what is for the board.
    to_board: Vec<BoardOutput>,
}

impl BoardMeter {
    pub(crate) fn new(parts: BoardParts, node: u8) -> Self {
        let mut tasks = VecDeque::new();
        if matches!(parts.protocol, Protocol::Node(_)) {
            tasks.push_back(Task::Present);
        }
        if parts.converter.is_some() {
            tasks.push_back(Task::Begin);
        } else if !tasks.is_empty() {
            // What it has measured up to now, perhaps for hours, is of no reading.
            tasks.push_back(Task::Poll { due: SimDuration::ZERO });
        }
        let state = if tasks.is_empty() { State::Up } else { State::Starting };
        Self {
            state,
            fault: None,
            tasks,
            running: None,
            taken: 0,
            next_due: parts.period,
            pairs: Vec::new(),
            stimulus: stimulus_port::Reader::default(),
            number: 0,
            // Blank, with the address switches.
            record: vec![node],
            has_record: false,
            is_partial: false,
            stopped_until: None,
            noise: 0,
            is_noisy: false,
            notes: BTreeMap::new(),
            account: Account::default(),
            starts: 0,
            unasked: 0,
            to_board: Vec::new(),
            parts,
        }
    }

    /// Notes something, as long as there is not too much of it.
    fn note(&mut self, kind: EventKind, detail: &str, out: &mut Vec<Output>) {
        let count = self.notes.entry(kind.word()).or_insert(0);
        *count += 1;
        let text = format!("board {}: {detail}", self.parts.name);
        match *count {
            NOTES_MAX => event(out, kind, &format!("{text}; more of this kind is not noted")),
            count if count < NOTES_MAX => event(out, kind, &text),
            _ => {}
        }
    }

    fn write(&mut self, port: BoardPort, mut bytes: Vec<u8>) {
        // Every other frame: what is sent again arrives.
        let has_samples = self.parts.converter.is_some();
        let struck = if has_samples { BoardPort::Stimulus } else { BoardPort::Network };
        self.is_noisy = port == struck && self.noise > 0 && !self.is_noisy;
        if self.is_noisy && !bytes.is_empty() {
            self.noise -= 1;
            let middle = bytes.len() / 2;
            // The lowest bit never makes the zero that ends a frame, nor takes one away.
            bytes[middle] ^= if bytes[middle] > 1 { 1 } else { 2 };
        }
        self.to_board.push(BoardOutput::Bytes { port, bytes });
    }

    fn samples(&mut self, first_sample: u64, block: &Block, out: &mut Vec<Output>) {
        let samples = block.voltages.first().map_or(0, Vec::len);
        let fits = [&block.voltages, &block.currents]
            .iter()
            .all(|channels| channels.len() == 1 && channels[0].len() == samples);
        if first_sample != self.taken || !fits {
            return event(
                out,
                EventKind::InputRefused,
                "samples that do not follow, or do not fit",
            );
        }
        let Some(feed_hz) = self.parts.converter.as_ref().map(|it| it.feed_hz) else {
            return;
        };
        self.taken += samples as u64;
        let mut from = 0;
        loop {
            let at_due = first_sample_at(self.next_due, feed_hz);
            let to = usize::try_from(at_due.saturating_sub(first_sample)).unwrap_or(usize::MAX);
            let to = to.min(samples);
            if let Some(converter) = &mut self.parts.converter {
                converter.push(block, (from, to), &mut self.pairs);
            }
            from = to;
            if first_sample + (from as u64) < at_due {
                break;
            }
            self.hand_over(true);
            self.due();
        }
        self.hand_over(false);
        let clipped =
            self.parts.converter.as_mut().map(BoardConverter::take_clipped).unwrap_or_default();
        for (channel, clipped) in clipped.into_iter().filter(|(_, clipped)| !clipped.by_supply) {
            let what = if channel == 0 { "voltage" } else { "current" };
            let detail = format!("the {what} is clipped from sample {} on", clipped.sample);
            event(out, EventKind::Clipped, &detail);
        }
    }

    /// Makes tasks of the pairs that wait: of all of them, or of whole frames.
    fn hand_over(&mut self, is_all: bool) {
        let whole = self.pairs.len() / PAIRS_MAX * PAIRS_MAX;
        let count = if is_all { self.pairs.len() } else { whole };
        let pairs: Vec<(u16, u16)> = self.pairs.drain(..count).collect();
        let frames = pairs.chunks(PAIRS_MAX).map(|frame| Task::Samples(frame.to_vec()));
        self.tasks.extend(frames);
    }

    fn due(&mut self) {
        let due = self.next_due;
        self.next_due = due + self.parts.period;
        let at = self.parts.outlet.start() + due;
        if self.stopped_until.is_some_and(|until| until <= at) {
            self.stopped_until = None;
            self.tasks.push_back(Task::Order(BoardOrder::Continue));
        }
        if !self.parts.outlet.is_frozen(due) {
            self.tasks.push_back(Task::Poll { due });
        }
    }

    /// Begins what is next, as far as nothing is waited for.
    fn advance(&mut self, now: SimTime, out: &mut Vec<Output>) {
        while self.running.is_none() {
            let Some(task) = self.tasks.pop_front() else { return };
            let is_for_nobody = match self.state {
                State::Lost => true,
                State::Silent => matches!(task, Task::Samples(_)),
                State::Starting | State::Up => false,
            };
            let is_for_nobody = is_for_nobody || self.fault.is_some();
            match (task, is_for_nobody) {
                (Task::Poll { due }, true) => self.leave_out(due, "it cannot be used", out),
                (_, true) => self.is_partial = true,
                (Task::Order(order), false) => self.to_board.push(BoardOutput::Order(order)),
                (task, false) => {
                    self.unasked = 0;
                    if let Task::Samples(_) = task {
                        // 0 is the number of the answer to `ToBoard::Begin`.
                        self.number = self.number.checked_add(1).unwrap_or(1);
                    }
                    let task = self.begin(task, now, out);
                    self.running = task.map(|task| (task, 1));
                }
            }
        }
    }

    /// Sends what a task begins with; nothing is left of one that waits for nothing.
    fn begin(&mut self, task: Task, now: SimTime, out: &mut Vec<Output>) -> Option<Task> {
        match &task {
            Task::Present => {
                // An emulated board asks for its record first; the thing itself is running.
                if self.parts.converter.is_none() || self.has_record {
                    self.open();
                }
            }
            Task::Begin => {
                let rate_mhz = self.parts.converter.as_ref().map_or(0, BoardConverter::rate_mhz);
                self.send_frame(&ToBoard::Begin { rate_mhz });
            }
            Task::Samples(pairs) => {
                let frame = ToBoard::Samples { number: self.number, pairs: pairs.clone() };
                self.send_frame(&frame);
            }
            Task::Poll { .. } if self.state == State::Silent && self.parts.converter.is_some() => {
                // Whether it is there again; what it has is not all of the time.
                self.tasks.push_front(task);
                return self.begin(Task::Begin, now, out);
            }
            Task::Poll { due } if self.has_no_window() => {
                self.leave_out(*due, if self.is_partial { PARTIAL } else { NO_WINDOW }, out);
                return None;
            }
            Task::Poll { .. } => match &mut self.parts.protocol {
                Protocol::Node(protocol) => {
                    let bytes = protocol.poll();
                    self.write(BoardPort::Network, bytes);
                }
                Protocol::Lines(protocol) => {
                    let heard = protocol.poll(nanoseconds(now));
                    self.running = Some((task.clone(), 1));
                    self.lines(heard, out);
                    return self.running.take().map(|(task, _)| task);
                }
            },
            Task::Order(_) => return None,
        }
        Some(task)
    }

    /// Whether a board that is given its samples has completed no window since the last reading.
    fn has_no_window(&self) -> bool {
        let is_read = self.account.windows == self.account.windows_read;
        is_read
            && self.parts.converter.is_some()
            && matches!(self.parts.protocol, Protocol::Node(_))
    }

    fn open(&mut self) {
        if let Protocol::Node(protocol) = &mut self.parts.protocol {
            let bytes = protocol.open();
            self.write(BoardPort::Network, bytes);
        }
    }

    fn send_frame(&mut self, frame: &ToBoard) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.write(BoardPort::Stimulus, bytes);
    }

    /// What is under way is done again, or given up.
    fn again(&mut self, now: SimTime, why: &str, out: &mut Vec<Output>) {
        let Some((task, tries)) = self.running.take() else { return };
        if tries < TRIES_MAX && self.state != State::Silent {
            self.note(EventKind::BoardRetried, why, out);
            self.unasked = 0;
            if task == Task::Present && self.parts.converter.is_some() && !self.has_record {
                self.send_record();
            }
            // Samples under the same number: those that were taken are not taken twice.
            self.running = self.begin(task, now, out).map(|task| (task, tries + 1));
            return;
        }
        match task {
            Task::Present => {
                let fault = format!("{why}; check its port, its baud rate and its firmware");
                self.note(EventKind::BoardSilent, &fault, out);
                self.fault = Some(format!("board {}: {fault}", self.parts.name));
            }
            Task::Poll { due } => {
                self.silent(why, out);
                self.leave_out(due, why, out);
            }
            Task::Begin | Task::Samples(_) | Task::Order(_) => self.silent(why, out),
        }
    }

    fn silent(&mut self, why: &str, out: &mut Vec<Output>) {
        if self.state != State::Silent {
            self.note(EventKind::BoardSilent, why, out);
        }
        if self.parts.converter.is_some() {
            self.state = State::Silent;
            self.is_partial = true;
        }
        if let Protocol::Node(protocol) = &mut self.parts.protocol {
            protocol.give_up();
        }
        // Whether it is there again is asked with the next reading.
        if self.state == State::Silent && matches!(self.tasks.front(), Some(Task::Poll { .. })) {
            let Some(Task::Poll { due }) = self.tasks.pop_front() else { return };
            self.leave_out(due, why, out);
        }
    }

    fn leave_out(&mut self, due: SimDuration, why: &str, out: &mut Vec<Output>) {
        if due == SimDuration::ZERO {
            return;
        }
        let at = self.parts.outlet.start() + due;
        let detail = format!("board {}: no reading at {at}: {why}", self.parts.name);
        event(out, EventKind::ReadingLeftOut, &detail);
    }

    fn unanswered(&mut self, now: SimTime, why: &str, out: &mut Vec<Output>) {
        if let (Protocol::Lines(protocol), Some((Task::Poll { .. }, _))) =
            (&mut self.parts.protocol, &self.running)
        {
            let at = protocol.wake_at_ns().unwrap_or(0).max(nanoseconds(now));
            let heard = protocol.tick(at);
            self.unasked = 0;
            return self.lines(heard, out);
        }
        self.again(now, why, out);
    }

    fn befall(&mut self, now: SimTime, fault: DeviceFault, out: &mut Vec<Output>) {
        let DeviceFault::Board(fault) = fault else {
            return self.parts.outlet.take(now, Input::Fault(fault), out);
        };
        match fault {
            BoardFault::Reset => {
                event(out, EventKind::FaultBegun, "board_reset");
                self.tasks.push_back(Task::Order(BoardOrder::Reset));
            }
            BoardFault::Stop { until } => {
                event(out, EventKind::FaultBegun, &format!("board_hang until {until}"));
                self.stopped_until = Some(until);
                self.tasks.push_back(Task::Order(BoardOrder::Stop));
            }
            BoardFault::Noise { frames } => {
                event(out, EventKind::FaultBegun, &format!("board_noise: {frames}"));
                self.noise = self.noise.saturating_add(frames);
            }
        }
    }

    fn received(&mut self, now: SimTime, payload: &[u8], out: &mut Vec<Output>) {
        let Some((invocation, order)) = self.parts.outlet.received(now, payload, out) else {
            return;
        };
        let refused = order.and_then(|_| Err(NO_ORDERS.to_owned()));
        self.parts.outlet.answer(now, invocation, refused, out);
    }
}

fn nanoseconds(now: SimTime) -> u64 {
    u64::try_from(now.as_nanoseconds()).unwrap_or(0)
}

impl Device for BoardMeter {
    fn feed(&self) -> Feed {
        self.parts
            .converter
            .as_ref()
            .map_or(Feed::Clock, |it| Feed::Samples { rate_hz: it.feed_hz })
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.parts.quantities
    }

    fn electricity(&self) -> Option<ElectricityFacts> {
        Some(ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None })
    }

    fn declared(&self) -> Option<DeclaredSpan> {
        Some(self.parts.declared)
    }

    fn board(&mut self) -> Option<&mut dyn BoardDevice> {
        Some(self)
    }

    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        let fault = understood(command, parameters).err();
        fault.or_else(|| Some(CommandFault::refused(None, NO_ORDERS.to_owned())))
    }

    fn report_period(&self) -> SimDuration {
        self.parts.period
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Samples { first_sample, block, .. } => self.samples(first_sample, &block, out),
            Input::Passed => {
                while self.parts.outlet.start() + self.next_due <= now {
                    self.due();
                }
            }
            Input::Fault(fault) => self.befall(now, fault, out),
            Input::Received { payload } => self.received(now, &payload, out),
            other => self.parts.outlet.take(now, other, out),
        }
        self.advance(now, out);
    }

    fn unacknowledged(&self) -> usize {
        self.parts.outlet.unacknowledged()
    }
}

impl BoardDevice for BoardMeter {
    fn board_wait(&self) -> Option<BoardWait> {
        let (task, _) = self.running.as_ref()?;
        let of_lines = match &self.parts.protocol {
            Protocol::Lines(protocol) => {
                SimDuration(i64::try_from(protocol.limit_ns()).unwrap_or(i64::MAX))
            }
            Protocol::Node(_) => SimDuration::ZERO,
        };
        let (limit, what) = match task {
            Task::Present => (self.parts.start_within, "who it is"),
            Task::Poll { .. } => (self.parts.answer_within.max(of_lines), "a reading"),
            _ => (self.parts.answer_within, "what it makes of samples"),
        };
        Some(BoardWait { limit, what: what.to_owned() })
    }

    fn board_fault(&self) -> Option<String> {
        self.fault.clone()
    }

    fn board_step(&mut self, now: SimTime, input: BoardInput, out: &mut Vec<Output>) {
        match input {
            BoardInput::Bytes { port, bytes } => self.heard(now, port, &bytes, out),
            BoardInput::Silent => {
                let limit = self.board_wait().map_or(SimDuration::ZERO, |wait| wait.limit);
                self.unanswered(now, &format!("no answer within {limit}"), out);
            }
            BoardInput::Lost { reason } => {
                if self.state != State::Lost {
                    self.note(EventKind::BoardLost, &reason, out);
                    self.state = State::Lost;
                    if let Some((Task::Poll { due }, _)) = self.running.take() {
                        self.leave_out(due, &reason, out);
                    }
                }
            }
        }
        self.advance(now, out);
    }

    fn take_board_output(&mut self) -> Vec<BoardOutput> {
        std::mem::take(&mut self.to_board)
    }
}
