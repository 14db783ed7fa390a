//! A gateway with its field networks in real time: the same machine as in virtual time, woken when
//! its next event is due, with a real connection to the platform.
//!
//! What is late happens late: an event that a busy machine serves late delays what follows from it,
//! as it would on a real line.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;

use bytes::Bytes;
use lastmeter_devices::{DeviceFault, GatewayInput, PageAnswer, PageRequest};
use lastmeter_link::channel::ChannelEvent;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{PublishError, Session, SessionEvent, SessionEvents};
use lastmeter_record::SimulatorFacts;
use lastmeter_units::{SimDuration, SimTime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::outgoing::Outgoing;
use super::real_line::{RealLine, line_note};
use super::report::Report;
use super::sender::Control;
use super::timeline::Timeline;
use crate::lines::Lines;
use crate::output::print_err;
use crate::run::alarm::Alarm;
use crate::run::client_output::{ClientOutput, LinkEvent};
use crate::run::error::BenchError;
use crate::run::field::Field;
use crate::run::hearing::Hearing;
use crate::run::mqtt_port::MqttPort;
use crate::run::network;
use crate::run::steps::Steps;

/// Pieces that are kept of what arrives on a line before the schedule begins.
const EARLY_MAX: usize = 64;

/// What a field's sender is made of.
pub(crate) struct FieldSenderParts {
    pub(crate) field: Field,
    /// Its networks that are real lines.
    pub(crate) lines: Vec<RealLine>,
    pub(crate) port: MqttPort,
    /// `None`, as the events: what it carries, somebody on one of its lines takes to the platform.
    pub(crate) session: Option<Session>,
    pub(crate) events: Option<SessionEvents>,
    /// Where topics come from that feed points of its gateway.
    pub(crate) hearing: Option<Hearing>,
    /// Up to and including when something happens on the networks.
    pub(crate) end: SimTime,
    /// Faults of devices by the event time at which they begin, in order.
    pub(crate) faults: VecDeque<(SimTime, usize, DeviceFault)>,
    pub(crate) alarm: Alarm,
    pub(crate) reports: UnboundedSender<Report>,
    pub(crate) control: UnboundedReceiver<Control>,
}

/// A gateway with its connection, at work.
pub(crate) struct FieldSender {
    parts: FieldSenderParts,
    timeline: Option<Timeline>,
    is_finished: bool,
    has_reported_end: bool,
    lines: Lines,
    /// For each real line whether somebody is there.
    are_up: Vec<bool>,
    /// For each real line whether somebody has been there.
    were_up: Vec<bool>,
    /// When it was first connected, until that is reported: once there is somebody on each line.
    connected_ns: Option<i64>,
    to_lines: Vec<(usize, u32, Vec<u8>)>,
    /// What somebody without whom nothing begins sent before it began, by line.
    early: Vec<(usize, Vec<u8>)>,
    /// Lines to be opened again.
    to_reopen: Vec<usize>,
    outputs: Vec<ClientOutput>,
    outgoing: Outgoing,
    /// Requests for pages so far, and where the answer of the present one goes.
    pages: u64,
    asked: BTreeMap<u64, UnboundedSender<PageAnswer>>,
    was_idle: bool,
    /// How late the steps of each simulator are played.
    steps: Vec<Steps>,
}

impl FieldSender {
    fn new(parts: FieldSenderParts, lines: Lines) -> Self {
        let steps =
            parts.field.simulators().map(|simulator| Steps::every(simulator.endpoint.period()));
        Self {
            steps: steps.collect(),
            are_up: vec![false; lines.count()],
            were_up: vec![false; lines.count()],
            lines,
            connected_ns: parts.session.is_none().then(monotonic_ns),
            to_lines: Vec::new(),
            early: Vec::new(),
            to_reopen: Vec::new(),
            parts,
            timeline: None,
            is_finished: false,
            has_reported_end: false,
            outputs: Vec::new(),
            outgoing: Outgoing::default(),
            pages: 0,
            asked: BTreeMap::new(),
            was_idle: true,
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more: the run has ended.
        let _ = self.parts.reports.send(report);
    }

    /// Reports the same of every device of the field.
    fn report_of_all(&self, report: impl Fn(usize) -> Report) {
        self.parts.field.devices.iter().for_each(|device| self.report(report(device.index)));
    }

    /// Opens its real lines and serves the field until it is asked to close. An error breaks the
    /// bench.
    pub(crate) async fn serve(parts: FieldSenderParts) -> Result<(), BenchError> {
        let mut lines = Vec::new();
        for line in &parts.lines {
            lines.push((line.open().await?, line.settings.baud));
        }
        Self::new(parts, Lines::serve(lines)).run().await
    }

    async fn run(mut self) -> Result<(), BenchError> {
        let mut sleep: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(std::future::pending());
        let mut planned = None;
        loop {
            let next = self.next_instant();
            if next != planned {
                planned = next;
                sleep = self.parts.alarm.sleep(next);
            }
            let has_waiting = !self.outgoing.is_empty();
            tokio::select! {
                biased;
                () = &mut sleep => {
                    planned = None;
                    sleep = Box::pin(std::future::pending());
                    self.wake();
                }
                control = self.parts.control.recv() => match control {
                    Some(Control::Begin(timeline)) => self.begin(timeline),
                    Some(Control::Finish) => {
                        self.wake();
                        self.is_finished = true;
                    }
                    Some(Control::Restart) => {
                        self.parts.field.restart(&mut self.outputs);
                        self.carry();
                    }
                    Some(Control::Answer(answer)) => {
                        self.wake();
                        self.hand(GatewayInput::Answer(answer));
                    }
                    Some(Control::Page { request, reply }) => {
                        // What has happened by now is on the page.
                        self.wake();
                        self.page(request, reply);
                    }
                    Some(Control::Close) | None => {
                        if let Some(session) = self.parts.session.take() {
                            session.close().await;
                        }
                        if let Some(hearing) = self.parts.hearing.take() {
                            hearing.close().await;
                        }
                        return Ok(());
                    }
                },
                event = next_event(&mut self.parts.events) => match event {
                    Some(event) => self.take(event),
                    None => return Err(self.broken("its connection ended for good")),
                },
                heard = next_heard(&mut self.parts.hearing) => self.feed(heard?),
                (line, event) = self.lines.recv() => self.on_line(line, event),
                handed = hand_over(&self.outgoing, self.parts.session.as_ref()), if has_waiting => {
                    self.outgoing.handed(handed).map_err(|why| self.broken(why))?;
                }
            }
            for (line, rate, bytes) in std::mem::take(&mut self.to_lines) {
                self.lines.send(line, rate, bytes).await;
            }
            for line in std::mem::take(&mut self.to_reopen) {
                self.lines.reopen(line).await;
            }
            self.send_what_waits()?;
            self.report_if_idle();
        }
    }

    /// Hands the gateway something that is on no line and no session.
    fn hand(&mut self, input: GatewayInput) {
        self.parts.field.hand(input, &mut self.outputs);
        self.carry();
    }

    /// Hands the gateway messages of topics that feed its points. What comes after the end is for
    /// nobody.
    fn feed(&mut self, heard: Vec<(String, Bytes)>) {
        self.wake();
        let is_over = self.is_finished;
        for (topic, payload) in heard.into_iter().filter(|_| !is_over) {
            self.hand(GatewayInput::Flow { topic, payload: payload.to_vec() });
        }
    }

    /// Asks the gateway for a page, and answers with it at once or not at all.
    fn page(&mut self, request: PageRequest, reply: UnboundedSender<PageAnswer>) {
        if let Some(timeline) = self.timeline.filter(|_| self.is_finished) {
            let now = timeline.event_time(monotonic_ns(), SimDuration::ZERO);
            if let Some(answer) = self.parts.field.page_aside(now, request) {
                // Who asked may have gone away.
                let _ = reply.send(answer);
            }
            return;
        }
        self.pages += 1;
        self.asked.insert(self.pages, reply);
        self.hand(GatewayInput::Page { number: self.pages, request });
        self.asked.clear();
    }

    fn begin(&mut self, timeline: Timeline) {
        // Each device's order comes here, and one is enough.
        if self.timeline.replace(timeline).is_some() {
            return;
        }
        for line in 0..self.parts.lines.len() {
            self.line_up(line, timeline.start);
        }
        for (line, bytes) in std::mem::take(&mut self.early) {
            self.on_line(line, ChannelEvent::Arrived { at_ns: monotonic_ns(), bytes });
        }
    }

    fn line_up(&mut self, line: usize, at: SimTime) {
        let network = self.parts.lines[line].network;
        let input = GatewayInput::LineUp { network };
        self.parts.field.on_line((at, network), input, &mut self.outputs);
        self.carry();
    }

    /// What happens on a real line. Before the schedule only who is there is of interest.
    fn on_line(&mut self, line: usize, event: ChannelEvent) {
        let event_time = |at_ns| {
            let timeline = self.timeline?;
            Some(timeline.event_time(at_ns, SimDuration::ZERO).min(self.parts.end))
        };
        let RealLine { network, ref name, .. } = self.parts.lines[line];
        match event {
            ChannelEvent::Arrived { at_ns, bytes } => {
                // Whoever opens an adapter does so once, as soon as there is a line.
                let is_early = self.timeline.is_none() && self.parts.session.is_none();
                if is_early && self.early.len() < EARLY_MAX {
                    return self.early.push((line, bytes));
                }
                // What comes after the end is for nobody.
                let Some(at) = event_time(at_ns).filter(|_| !self.is_finished) else { return };
                let input = GatewayInput::Bytes { network, lane: None, bytes };
                self.parts.field.on_line((at, network), input, &mut self.outputs);
                self.carry();
            }
            ChannelEvent::Up => {
                self.are_up[line] = true;
                if !std::mem::replace(&mut self.were_up[line], true) {
                    print_err(&format!("network `{name}`: somebody is there"));
                }
                if let Some(at) = event_time(monotonic_ns()) {
                    let note = line_note(at, "line_up", name, "");
                    self.report(Report::Note { of: self.parts.field.name.clone(), note });
                    self.line_up(line, at);
                }
                self.report_if_connected();
            }
            ChannelEvent::Down { reason } => {
                self.are_up[line] = false;
                if let Some(at) = event_time(monotonic_ns()) {
                    let note = line_note(at, "line_down", name, &reason);
                    self.report(Report::Note { of: self.parts.field.name.clone(), note });
                    let input = GatewayInput::LineDown { network };
                    self.parts.field.on_line((at, network), input, &mut self.outputs);
                    self.carry();
                }
            }
        }
    }

    /// Reports its connection once there is also somebody on each line: the schedule waits for it.
    fn report_if_connected(&mut self) {
        if !self.are_up.iter().all(|is_up| *is_up) {
            return;
        }
        if let Some(at_ns) = self.connected_ns.take() {
            self.report_of_all(|device| Report::Connected { device, at_ns });
        }
    }

    fn broken(&self, message: impl Into<String>) -> BenchError {
        BenchError::device(&self.parts.field.name, message)
    }

    /// When to wake up next, on the monotonic clock.
    fn next_instant(&self) -> Option<i64> {
        let timeline = self.timeline.filter(|_| !self.is_finished)?;
        if self.parts.field.now >= self.parts.end {
            return None;
        }
        let fault = self.parts.faults.front().map(|(at, ..)| *at);
        let next = self.parts.field.next_event().into_iter().chain(fault).min();
        let next = next.unwrap_or(self.parts.end).min(self.parts.end);
        Some(timeline.instant(next, SimDuration::ZERO))
    }

    /// Does everything whose instant has come.
    fn wake(&mut self) {
        let Some(timeline) = self.timeline else { return };
        let now = timeline.event_time(monotonic_ns(), SimDuration::ZERO).min(self.parts.end);
        for (simulator, steps) in self.parts.field.simulators().zip(&mut self.steps) {
            simulator.endpoint.due_until(now).for_each(|due| steps.served(now - due));
        }
        while let Some((at, device, fault)) = self.parts.faults.pop_front_if(|(at, ..)| *at <= now)
        {
            self.move_to(at);
            self.parts.field.fault(device, fault, &mut self.outputs);
        }
        self.move_to(now);
        self.carry();
    }

    fn move_to(&mut self, until: SimTime) {
        while self.parts.field.now < until {
            self.parts.field.step(until, &mut self.outputs);
        }
    }

    /// Takes note of what was put out, and queues what is for the platform.
    fn carry(&mut self) {
        for output in std::mem::take(&mut self.outputs) {
            match output {
                ClientOutput::Send { message, owner, payload, .. } => {
                    let topic = self.parts.port.topic(&owner, &payload);
                    let device = self.parts.field.device(&owner);
                    self.outgoing.push(message, device, topic, payload.into());
                }
                ClientOutput::Reading { device, made } => {
                    self.was_idle = false;
                    self.report(Report::Reading { device, made });
                }
                ClientOutput::Event(event) => self.report(Report::Event(event)),
                ClientOutput::Captured { network, at, captured } => {
                    self.report(Report::Captured(network, at, captured));
                }
                // A program of somebody else's is on no network; breakers of homes act and
                // gateways dial a dispatcher in virtual time alone.
                ClientOutput::Failed { .. }
                | ClientOutput::Switched { .. }
                | ClientOutput::Sent { .. }
                | ClientOutput::Exchanged { .. }
                | ClientOutput::Carried { .. } => {}
                // What a gateway of the bench carries is compared with what it was given.
                ClientOutput::Answered { device, at, values } => {
                    if self.parts.session.is_none() {
                        self.report(Report::Answered { device, at, values });
                    }
                }
                ClientOutput::Asked(request) => {
                    let device = self.parts.field.devices.first().map(|device| device.index);
                    let of = self.parts.field.name.clone();
                    if let Some(device) = device {
                        self.report(Report::Asked { of, device, request });
                    }
                }
                ClientOutput::Paged { number, answer } => {
                    if let Some(reply) = self.asked.remove(&number) {
                        // Who asked may have gone away.
                        let _ = reply.send(answer);
                    }
                }
                ClientOutput::Note { of, note } => self.report(Report::Note { of, note }),
                ClientOutput::ToLine { network, bits_per_second, bytes } => {
                    let line = self.parts.lines.iter().position(|line| line.network == network);
                    self.to_lines.extend(line.map(|line| (line, bits_per_second, bytes)));
                }
                ClientOutput::Reopen { network } => {
                    let line = self.parts.lines.iter().position(|line| line.network == network);
                    self.to_reopen.extend(line);
                }
            }
        }
    }

    /// Hands over what the link takes without waiting.
    fn send_what_waits(&mut self) -> Result<(), BenchError> {
        let Some(session) = &self.parts.session else { return Ok(()) };
        let sent = self.outgoing.send_what_waits(session, &self.parts.reports);
        sent.map_err(|why| self.broken(why))
    }

    fn take(&mut self, event: SessionEvent) {
        let at_ns = monotonic_ns();
        self.wake();
        let what = match event {
            SessionEvent::Connected => {
                self.connected_ns = Some(at_ns);
                self.report_if_connected();
                LinkEvent::Connected
            }
            SessionEvent::Disconnected { reason } => {
                self.outgoing.clear();
                self.connected_ns = None;
                let reason =
                    |device| Report::Disconnected { device, reason: reason.clone(), at_ns };
                self.report_of_all(reason);
                LinkEvent::Disconnected
            }
            SessionEvent::Acknowledged { message } | SessionEvent::Refused { message, .. } => {
                if let Some(report) = self.outgoing.acknowledged(message, at_ns) {
                    self.report(report);
                }
                LinkEvent::Acknowledged { message }
            }
            SessionEvent::Received { topic, payload } => {
                let Some(owner) = self.parts.port.recipient(&topic).cloned() else { return };
                if let Some(device) = self.parts.field.device(owner.as_str()) {
                    self.report(Report::Delivered { device });
                }
                LinkEvent::Received { owner, payload: payload.to_vec() }
            }
            SessionEvent::TakenOver => return,
        };
        self.parts.field.on_link_event(what, &mut self.outputs);
        self.carry();
    }

    /// Reports once when the gateway holds nothing more.
    fn report_if_idle(&mut self) {
        let is_idle = self.parts.field.unacknowledged() == 0 && self.outgoing.is_empty();
        if is_idle && !self.was_idle {
            let at_ns = monotonic_ns();
            self.report_of_all(|device| Report::Idle { device, at_ns });
        }
        self.was_idle = is_idle;
        if is_idle && self.is_finished && !std::mem::replace(&mut self.has_reported_end, true) {
            for (simulator, steps) in self.parts.field.simulators().zip(&self.steps) {
                let facts = SimulatorFacts { name: simulator.name.clone(), steps: steps.facts() };
                let played = simulator.endpoint.grid().played();
                let grid = played.map(|played| Box::new(network::record(&played)));
                self.report(Report::Played { facts, grid });
            }
            self.report_of_all(|_| Report::Finished);
        }
    }
}

/// What happens next on its connection; never without one.
async fn next_event(events: &mut Option<SessionEvents>) -> Option<SessionEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// What topics bring next; never where none are heard.
async fn next_heard(hearing: &mut Option<Hearing>) -> Result<Vec<(String, Bytes)>, BenchError> {
    match hearing {
        Some(hearing) => hearing.next().await,
        None => std::future::pending().await,
    }
}

/// Hands over the first message that waits; never without a connection.
async fn hand_over(outgoing: &Outgoing, session: Option<&Session>) -> Result<(), PublishError> {
    match session {
        Some(session) => outgoing.hand_over(session).await,
        None => std::future::pending().await,
    }
}
