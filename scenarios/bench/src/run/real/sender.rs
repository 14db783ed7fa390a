//! One device in real time: woken at its instants, feeding it the plant, carrying its messages.
//!
//! The schedule is open: each instant follows from the beginning and the period alone, never from
//! when something was answered, and a wake-up that comes late is reported with its lateness. What
//! cannot be handed to the link at once waits in a queue of this device alone.

use std::collections::VecDeque;
use std::pin::Pin;

use lastmeter_devices::{
    BoardInput, BoardOutput, Device, DeviceFault, EventKind, Feed, Input, Output, PageAnswer,
    PageRequest,
};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::rest::Answer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::outgoing::Outgoing;
use super::report::Report;
use super::timeline::Timeline;
use crate::run::alarm::Alarm;
use crate::run::board::BoardShell;
use crate::run::device_note::DeviceNote;
use crate::run::error::BenchError;
use crate::run::ledger::AnnouncedReading;
use crate::run::mqtt_port::MqttPort;
use crate::run::schedule::Schedule;
use crate::run::signal_feed::SignalFeed;

/// How often a device that works on samples is fed between its readings.
const SLICE: SimDuration = SimDuration::from_milliseconds(20);

/// What a sender receives.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    Begin(Timeline),
    /// No reading is made any more; what waits is still sent.
    Finish,
    /// A gateway loses its supply and starts again.
    Restart,
    /// What came of a request that a gateway made to REST.
    Answer(Answer),
    /// Somebody asks a gateway for a page, which goes where it is waited for.
    Page {
        request: PageRequest,
        reply: UnboundedSender<PageAnswer>,
    },
    /// The connection ends in an orderly way.
    Close,
}

pub(crate) struct SenderParts {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) device: Box<dyn Device>,
    pub(crate) feed: SignalFeed,
    pub(crate) port: MqttPort,
    pub(crate) session: Session,
    pub(crate) events: SessionEvents,
    /// Up to and including when readings are made.
    pub(crate) end: SimTime,
    /// How far it lags behind the scenario's clock.
    pub(crate) lag: SimDuration,
    /// Faults by the event time at which they begin, in order.
    pub(crate) faults: VecDeque<(SimTime, DeviceFault)>,
    pub(crate) alarm: Alarm,
    pub(crate) reports: UnboundedSender<Report>,
    pub(crate) control: UnboundedReceiver<Control>,
    /// The board that the device is.
    pub(crate) board: Option<BoardShell>,
}

/// One device with its connection, at work.
pub(crate) struct Sender {
    parts: SenderParts,
    schedule: Schedule,
    timeline: Option<Timeline>,
    is_finished: bool,
    has_reported_end: bool,
    output: Vec<Output>,
    /// Why its device cannot go on.
    failure: Option<String>,
    outgoing: Outgoing,
    was_idle: bool,
    /// Until when its board is waited for, on the monotonic clock.
    board_until_ns: Option<i64>,
}

impl Sender {
    pub(crate) fn new(parts: SenderParts) -> Self {
        let schedule = Schedule::new(parts.feed.now(), parts.device.report_period());
        Self {
            parts,
            schedule,
            timeline: None,
            is_finished: false,
            has_reported_end: false,
            output: Vec::new(),
            failure: None,
            outgoing: Outgoing::default(),
            was_idle: true,
            board_until_ns: None,
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more: the run has ended.
        let _ = self.parts.reports.send(report);
    }

    /// Serves the device until it is asked to close. An error breaks the bench.
    pub(crate) async fn run(mut self) -> Result<(), BenchError> {
        let mut sleep: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(std::future::pending());
        let mut planned = None;
        loop {
            let next = self.next_instant();
            if next != planned {
                planned = next;
                sleep = self.parts.alarm.sleep(next);
            }
            let has_waiting = !self.outgoing.is_empty();
            let has_board = self.parts.board.is_some();
            tokio::select! {
                biased;
                () = &mut sleep => {
                    planned = None;
                    sleep = Box::pin(std::future::pending());
                    self.wake()?;
                }
                control = self.parts.control.recv() => match control {
                    Some(Control::Begin(timeline)) => self.timeline = Some(timeline),
                    Some(Control::Finish) => self.finish()?,
                    // Of gateways only.
                    Some(Control::Restart | Control::Answer(_) | Control::Page { .. }) => {}
                    Some(Control::Close) | None => {
                        self.parts.session.close().await;
                        return match self.parts.board.take() {
                            Some(board) => board.close().await.map_err(BenchError::Board),
                            None => Ok(()),
                        };
                    }
                },
                event = self.parts.events.recv() => match event {
                    Some(event) => self.take(event)?,
                    None => return Err(self.broken("its connection ended for good")),
                },
                handed = self.outgoing.hand_over(&self.parts.session), if has_waiting => {
                    self.outgoing.handed(handed).map_err(|why| self.broken(why))?;
                }
                news = board_news(&mut self.parts.board, self.board_until_ns), if has_board => {
                    self.board_until_ns = None;
                    self.of_board(news);
                }
            }
            self.serve_board().await?;
            self.send_what_waits()?;
            self.report_if_idle();
        }
    }

    fn broken(&self, message: impl Into<String>) -> BenchError {
        BenchError::device(&self.parts.name, message)
    }

    /// When to wake up next, on the monotonic clock.
    fn next_instant(&mut self) -> Option<i64> {
        let timeline = self.timeline.filter(|_| !self.is_finished)?;
        let next = self.next_event_time()?;
        Some(timeline.instant(next, self.parts.lag))
    }

    /// The next event time at which something is to be done.
    fn next_event_time(&mut self) -> Option<SimTime> {
        let due = Some(self.schedule.next());
        let fault = self.parts.faults.front().map(|(at, _)| *at);
        let slice = match self.parts.device.feed() {
            Feed::Samples { .. } => Some(self.parts.feed.now() + SLICE),
            Feed::Spectrum | Feed::Pipe | Feed::Nothing | Feed::Clock => None,
        };
        // Where nothing is due before the end, its windows still close there.
        let next = [due, fault, slice].into_iter().flatten().min()?.min(self.parts.end);
        (self.parts.feed.now() < self.parts.end).then_some(next)
    }

    /// Does everything whose instant has come, one instant after the other.
    fn wake(&mut self) -> Result<(), BenchError> {
        let Some(timeline) = self.timeline else { return Ok(()) };
        while let Some(next) = self.next_event_time() {
            let now_ns = monotonic_ns();
            let intended_ns = timeline.instant(next, self.parts.lag);
            if intended_ns > now_ns {
                break;
            }
            let is_due = self.schedule.next() == next;
            let period = self.parts.device.report_period();
            if is_due {
                self.schedule.take_until(next);
            }
            self.parts.feed.run_to(self.parts.device.as_mut(), next, &mut self.output);
            while let Some((_, fault)) = self.parts.faults.pop_front_if(|(at, _)| *at <= next) {
                self.parts.device.step(next, Input::Fault(fault), &mut self.output);
            }
            self.carry();
            self.send_what_waits()?;
            if is_due {
                // What the bench itself took until the message was handed over counts too.
                let at_ns = monotonic_ns();
                self.report(Report::Due { at_ns, lateness_ns: at_ns - intended_ns, period });
            }
        }
        Ok(())
    }

    /// Does what has come due until now, and returns how many due instants were never served.
    fn finish(&mut self) -> Result<(), BenchError> {
        if self.is_finished {
            return Ok(());
        }
        self.wake()?;
        self.is_finished = true;
        let count = self.schedule.take_until(self.parts.end).len() as u64;
        if count > 0 {
            self.report(Report::Unserved { count });
        }
        Ok(())
    }

    /// The event time at this very moment, not beyond the end.
    fn event_time(&self) -> SimTime {
        let now = self.timeline.map_or(self.parts.feed.now(), |timeline| {
            timeline.event_time(monotonic_ns(), self.parts.lag)
        });
        now.clamp(self.parts.feed.now(), self.parts.end.max(self.parts.feed.now()))
    }

    /// Takes note of what the device has put out, and queues what is for the network.
    fn carry(&mut self) {
        for output in std::mem::take(&mut self.output) {
            match output {
                Output::Send { message, payload } => {
                    let topic = self.parts.port.topic(&self.parts.name, &payload);
                    self.outgoing.push(message, Some(self.parts.index), topic, payload.into());
                }
                // It has a connection of its own, and is on no network.
                // Breakers of homes act in virtual time alone.
                Output::Transmit { .. }
                | Output::Offer { .. }
                | Output::Stage { .. }
                | Output::Supply { .. }
                | Output::Answered { .. }
                | Output::Reported { .. }
                | Output::Shown { .. }
                | Output::Switched { .. } => {}
                Output::Failed { why } => self.failure = Some(why),
                Output::Reading { epoch, serial, at, span } => {
                    self.was_idle = false;
                    let made = AnnouncedReading { epoch, serial, at, span };
                    self.report(Report::Reading { device: self.parts.index, made });
                }
                Output::Obeyed { invocation } => self.obeyed(invocation),
                Output::Event { kind, detail } => self.note(kind, detail),
            }
        }
    }

    /// Hands on what its board has done.
    fn of_board(&mut self, input: BoardInput) {
        let now = self.event_time();
        if let Some(own) = self.parts.device.board() {
            own.board_step(now, input, &mut self.output);
        }
        self.carry();
    }

    /// Does what its board is to get, and minds until when an answer is waited for.
    async fn serve_board(&mut self) -> Result<(), BenchError> {
        let Some(own) = self.parts.device.board() else { return Ok(()) };
        for output in own.take_board_output() {
            let Some(board) = &mut self.parts.board else { break };
            match output {
                BoardOutput::Bytes { port, bytes } => {
                    if let Err(reason) = board.write(port, &bytes).await {
                        self.of_board(BoardInput::Lost { reason });
                    }
                }
                BoardOutput::Order(order) => {
                    if let Err(why) = board.order(order) {
                        self.note(EventKind::InputRefused, why);
                    }
                }
            }
        }
        let Some(own) = self.parts.device.board() else { return Ok(()) };
        match own.board_wait() {
            Some(wait) if self.board_until_ns.is_none() => {
                self.board_until_ns = Some(monotonic_ns().saturating_add(wait.limit.0));
            }
            Some(_) => {}
            None => self.board_until_ns = None,
        }
        match own.board_fault() {
            Some(why) => Err(BenchError::Board(why)),
            None => Ok(()),
        }
    }

    fn obeyed(&mut self, invocation: String) {
        let (at, at_ns) = (self.parts.feed.now(), monotonic_ns());
        let period = self.parts.device.report_period();
        self.schedule.change_period(at, period);
        self.report(Report::Obeyed { device: self.parts.index, invocation, at, at_ns });
    }

    fn note(&mut self, kind: EventKind, detail: String) {
        let at = self.parts.feed.now();
        let note = DeviceNote::new(at, kind.word(), detail);
        self.report(Report::Note { of: self.parts.name.clone(), note });
    }

    /// Hands over what the link takes without waiting.
    fn send_what_waits(&mut self) -> Result<(), BenchError> {
        if let Some(why) = self.failure.take() {
            return Err(self.broken(why));
        }
        let sent = self.outgoing.send_what_waits(&self.parts.session, &self.parts.reports);
        sent.map_err(|why| self.broken(why))
    }

    fn take(&mut self, event: SessionEvent) -> Result<(), BenchError> {
        let at_ns = monotonic_ns();
        let now = self.event_time();
        match event {
            SessionEvent::Connected => {
                self.report(Report::Connected { device: self.parts.index, at_ns });
                self.parts.device.step(now, Input::Connected, &mut self.output);
            }
            SessionEvent::Disconnected { reason } => {
                self.outgoing.clear();
                self.report(Report::Disconnected { device: self.parts.index, reason, at_ns });
                self.parts.device.step(now, Input::Disconnected, &mut self.output);
            }
            SessionEvent::Acknowledged { message } | SessionEvent::Refused { message, .. } => {
                if let Some(report) = self.outgoing.acknowledged(message, at_ns) {
                    self.report(report);
                }
                self.parts.device.step(now, Input::Acknowledged { message }, &mut self.output);
            }
            SessionEvent::Received { topic, payload } => {
                self.report(Report::Delivered { device: self.parts.index });
                // What lies before it has been seen, and sent, when it is obeyed.
                self.wake()?;
                let now = self.event_time().min(self.schedule.next() - SimDuration(1));
                self.parts.feed.run_to(self.parts.device.as_mut(), now, &mut self.output);
                self.carry();
                if self.parts.port.recipient(&topic).is_some() {
                    let input = Input::Received { payload: payload.to_vec() };
                    self.parts.device.step(now, input, &mut self.output);
                } else {
                    let what = format!("a message under `{topic}`, which was not subscribed");
                    self.note(EventKind::InputRefused, what);
                }
            }
            SessionEvent::TakenOver => {}
        }
        self.carry();
        self.send_what_waits()
    }

    /// Reports once when the device holds nothing more.
    fn report_if_idle(&mut self) {
        let is_idle = self.parts.device.unacknowledged() == 0
            && self.outgoing.is_empty()
            && self.parts.device.board().is_none_or(|own| own.board_wait().is_none());
        if is_idle && !self.was_idle {
            self.report(Report::Idle { device: self.parts.index, at_ns: monotonic_ns() });
        }
        self.was_idle = is_idle;
        if is_idle && self.is_finished && !std::mem::replace(&mut self.has_reported_end, true) {
            self.report(Report::Finished);
        }
    }
}

/// What comes next of a board, or that nothing has come until an instant.
async fn board_news(board: &mut Option<BoardShell>, until_ns: Option<i64>) -> BoardInput {
    let Some(board) = board else { return std::future::pending().await };
    match until_ns {
        None => board.news().await,
        Some(until_ns) => {
            let left = SimDuration(until_ns.saturating_sub(monotonic_ns()).max(0));
            board.next(left).await
        }
    }
}
