//! A switch or a recloser of the network as a device: its drive obeys orders over the platform, and
//! what it reports is read back from the network.
//!
//! It sees how its switch stands as stretches in which nothing changes. What it is ordered to do it
//! hands on at once, and answers when its contact has had time to move, by what stands then: an
//! order that was not reached is answered with an error. What moved the switch without an order is
//! an alert.

use std::collections::BTreeMap;

use lastmeter_sim::grid::SwitchState;
use lastmeter_sim::{PipeState, ReferenceSpan};
use lastmeter_units::{MeasurementId, Phase, Quantity, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use crate::answer::{CommandFault, NO_POINTS, period, understood};
use crate::border::{Device, DeviceFault, EventKind, Feed, Input, Output};
use crate::message::Alert;
use crate::outlet::{Outlet, event};
use crate::window::PERIOD_MIN;

const NO_REGISTERS: &str = "this device has no registers that can be read or written by command";
const IS_MOVING: &str = "its drive is carrying out another order";

/// Its types of alerts: the switch has moved without an order.
const OPENED: &str = "switch.opened";
const CLOSED: &str = "switch.closed";
const LOCKED_OUT: &str = "switch.locked_out";

/// An order whose answer is due.
#[derive(Clone, Debug)]
struct PendingOrder {
    invocation: String,
    is_closed: bool,
    /// When what stands is read back, since the start.
    due: SimDuration,
}

/// The contact does not follow the drive.
#[derive(Clone, Copy, Debug)]
struct StuckContact {
    until: Option<SimTime>,
    /// Whether the auxiliary contact follows it all the same.
    is_unnoticed: bool,
}

/// A switch's drive with what it talks by.
#[derive(Debug)]
pub(crate) struct Switchgear {
    outlet: Box<dyn Outlet>,
    quantities: Vec<MeasurementId>,
    period: SimDuration,
    /// From an order until what stands is read back.
    answer_after: SimDuration,
    /// Up to when it has seen its switch.
    seen: SimDuration,
    last_due: SimDuration,
    next_due: SimDuration,
    /// How its switch stood last; none before it was seen.
    state: Option<SwitchState>,
    pending: Option<PendingOrder>,
    stuck: Option<StuckContact>,
    /// What the auxiliary contact shows where that is not how the switch stands.
    shown: Option<bool>,
}

impl Switchgear {
    /// One that reports so often, and answers orders so long after them.
    pub(crate) fn new(
        outlet: Box<dyn Outlet>,
        period: SimDuration,
        answer_after: SimDuration,
    ) -> Self {
        let period = period.max(PERIOD_MIN);
        Self {
            outlet,
            quantities: MeasurementId::of(Quantity::BreakerClosed, Phase::None)
                .into_iter()
                .collect(),
            period,
            answer_after,
            seen: SimDuration::ZERO,
            last_due: SimDuration::ZERO,
            next_due: period,
            state: None,
            pending: None,
            stuck: None,
            shown: None,
        }
    }

    /// Its switch stood like this since it was last seen.
    fn see(&mut self, until: SimDuration, state: SwitchState, out: &mut Vec<Output>) {
        let since = std::mem::replace(&mut self.seen, until);
        let before = self.state.replace(state);
        if let Some(before) = before.filter(|before| *before != state) {
            self.shown = None;
            self.moved(since, (before, state), out);
        }
        let shown = |is_closed| SwitchState { is_closed, is_open: !is_closed, ..state };
        let state = self.shown.map_or(state, shown);
        loop {
            let answer = self.pending.as_ref().map(|it| it.due).filter(|due| *due <= until);
            let reading = Some(self.next_due).filter(|due| *due <= until);
            match (answer, reading) {
                (Some(at), reading) if reading.is_none_or(|due| at <= due) => {
                    self.read_back(at, state, out);
                }
                (_, Some(_)) => self.reading_due(state.is_closed, out),
                _ => break,
            }
        }
    }

    /// Reports what moved its switch, unless it was ordered to.
    fn moved(
        &mut self,
        at: SimDuration,
        (before, state): (SwitchState, SwitchState),
        out: &mut Vec<Output>,
    ) {
        let is_ordered = self.pending.as_ref().is_some_and(|it| it.is_closed == state.is_closed);
        if (is_ordered && !state.is_locked_out) || self.outlet.is_frozen(at) {
            return;
        }
        let (kind, level, text) = match state {
            SwitchState { is_locked_out: true, .. } => {
                (LOCKED_OUT, AlertLevel::Warning, "opened for good without an order")
            }
            SwitchState { is_closed: true, .. } => {
                (CLOSED, AlertLevel::Info, "closed without an order")
            }
            _ if before.is_closed => (OPENED, AlertLevel::Info, "opened without an order"),
            // It was locked out, and is open still.
            _ => return,
        };
        let facts = vec![(fact::KIND, kind.replace("switch.", ""))];
        self.outlet.alert(at, Alert { kind, level, text: text.to_owned(), facts }, out);
    }

    /// Answers an order by what stands at an instant.
    fn read_back(&mut self, at: SimDuration, state: SwitchState, out: &mut Vec<Output>) {
        let Some(mut pending) = self.pending.take() else { return };
        if self.outlet.is_frozen(at) {
            pending.due = at + self.answer_after;
            self.pending = Some(pending);
            return;
        }
        let (found, is_reached) = match state {
            SwitchState { is_closed: true, .. } => (word(true), pending.is_closed),
            SwitchState { is_open: true, .. } => (word(false), !pending.is_closed),
            _ => ("open at some of its poles", false),
        };
        let answer = if is_reached {
            Ok(found.to_owned())
        } else {
            let locked_out = if state.is_locked_out { " and is locked out" } else { "" };
            let ordered = word(pending.is_closed);
            Err(format!("ordered {ordered}, it stands {found}{locked_out}"))
        };
        self.outlet.answer(self.outlet.start() + at, pending.invocation, answer, out);
    }

    fn reading_due(&mut self, is_closed: bool, out: &mut Vec<Output>) {
        let to = self.next_due;
        self.next_due = to + self.period;
        if self.outlet.is_frozen(to) {
            return;
        }
        let from = std::mem::replace(&mut self.last_due, to);
        let value = f64::from(u8::from(is_closed));
        let values = self.quantities.iter().map(|id| (*id, value)).collect();
        let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
        self.outlet.reading(to, span, values, out);
    }

    fn received(&mut self, now: SimTime, payload: &[u8], out: &mut Vec<Output>) {
        let Some((invocation, order)) = self.outlet.received(now, payload, out) else { return };
        let obeyed = match order {
            Ok(Order::SetBreaker { .. }) if self.pending.is_some() => Err(IS_MOVING.to_owned()),
            Ok(Order::SetBreaker { is_open }) => {
                self.drive(now, invocation, !is_open, out);
                return;
            }
            Ok(Order::SetPeriod { seconds }) => period(seconds, PERIOD_MIN).map(|period| {
                self.period = period;
                self.next_due = now - self.outlet.start() + period;
                format!("reporting period set to {period}")
            }),
            Ok(order) => Err(refusal(&order).to_owned()),
            Err(why) => Err(why),
        };
        self.outlet.answer(now, invocation, obeyed, out);
    }

    /// Moves, as far as its contact follows.
    fn drive(&mut self, now: SimTime, invocation: String, is_closed: bool, out: &mut Vec<Output>) {
        self.stuck = self.stuck.filter(|it| it.until.is_none_or(|until| now < until));
        match self.stuck {
            None => {
                self.shown = None;
                out.push(Output::Switched { is_closed });
            }
            Some(stuck) if stuck.is_unnoticed => self.shown = Some(is_closed),
            Some(_) => {}
        }
        let due = now - self.outlet.start() + self.answer_after;
        self.pending = Some(PendingOrder { invocation, is_closed, due });
    }
}

const fn word(is_closed: bool) -> &'static str {
    if is_closed { "closed" } else { "open" }
}

/// What it answers to an order that it cannot carry out.
fn refusal(order: &Order) -> &'static str {
    match order {
        Order::SetPoint { .. } => NO_POINTS,
        _ => NO_REGISTERS,
    }
}

impl Device for Switchgear {
    fn feed(&self) -> Feed {
        Feed::Pipe
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.quantities
    }

    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        match understood(command, parameters) {
            Err(fault) => Some(fault),
            Ok(Order::SetBreaker { .. }) => None,
            Ok(Order::SetPeriod { seconds }) => {
                let what = period(seconds, PERIOD_MIN).err()?;
                Some(CommandFault::refused(Some("seconds"), what))
            }
            Ok(order) => Some(CommandFault::refused(None, refusal(&order).to_owned())),
        }
    }

    /// An order that it carries out.
    fn awaits_answer(&self) -> bool {
        self.pending.is_some()
    }

    fn report_period(&self) -> SimDuration {
        self.period
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Pipe { until, state: PipeState::Switch(state) } if until >= self.seen => {
                self.see(until, state, out);
            }
            Input::Pipe { .. } | Input::Samples { .. } | Input::Spectrum { .. } => {
                event(out, EventKind::InputRefused, "no switch for a device at one");
            }
            Input::Received { payload } => self.received(now, &payload, out),
            Input::Fault(DeviceFault::SwitchSticks { until, is_unnoticed }) => {
                self.stuck = Some(StuckContact { until, is_unnoticed });
                event(out, EventKind::FaultBegun, "its contact sticks");
            }
            other => self.outlet.take(now, other, out),
        }
    }

    fn unacknowledged(&self) -> usize {
        self.outlet.unacknowledged()
    }
}
