//! Meters of what flows in pipes: heat and water.
//!
//! They see their pipe as stretches in which nothing changes, and integrate what they make of them.
//! A reading covers the time since the last one, exactly; its registers have counted since the
//! start. What the meters of one domain have of their own stands in a file each.

pub(crate) mod heat;
mod integrator;
pub(crate) mod water;
mod water_table;

use std::collections::BTreeMap;

use lastmeter_sim::{DeclaredSpan, PipeState, ReferenceSpan};
use lastmeter_units::{Domain, MeasurementId, Phase, Quantity, SimDuration, SimTime};
use lastmeter_wire::commands::Order;

use crate::answer::{CommandFault, NO_BREAKER, NO_POINTS, period, understood};
use crate::border::{Device, EventKind, Feed, Input, Output};
use crate::outlet::{Outlet, event};
use crate::window::PERIOD_MIN;
use heat::HeatMeter;
use integrator::Integrator;
use water::WaterMeter;

/// The answer to a command about what these meters do not have.
const NO_REGISTERS: &str = "this device has no registers that can be read or written by command";

/// What distinguishes the meters of one domain from those of another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    Heat(HeatMeter),
    Water(WaterMeter),
}

impl Core {
    fn domain(&self) -> Domain {
        match self {
            Self::Heat(_) => Domain::Heat,
            Self::Water(_) => Domain::Water,
        }
    }

    /// What is integrated: volume flow, and thermal power where there is one. `None` of another
    /// domain's pipe.
    fn rates(&self, state: &PipeState) -> Option<[f64; 2]> {
        match (self, state) {
            (Self::Heat(meter), PipeState::Heat(state)) => Some(meter.rates(state)),
            (Self::Water(meter), PipeState::Water(state)) => Some([meter.rate(*state), 0.0]),
            (Self::Heat(_) | Self::Water(_), _) => None,
        }
    }

    fn value(
        &self,
        quantity: Quantity,
        sums: [f64; 2],
        means: [f64; 2],
        state: &PipeState,
    ) -> Option<f64> {
        match (self, state) {
            (Self::Heat(meter), PipeState::Heat(state)) => {
                meter.value(quantity, sums, means, state)
            }
            (Self::Water(meter), PipeState::Water(_)) => meter.value(quantity, sums[0], means[0]),
            (Self::Heat(_) | Self::Water(_), _) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct PipeMeter {
    core: Core,
    quantities: Vec<MeasurementId>,
    outlet: Box<dyn Outlet>,
    period: SimDuration,
    next_due: SimDuration,
    integrals: Integrator<2>,
    /// The instant of the last reading, and the integrals then.
    last: (SimDuration, [f64; 2]),
}

impl PipeMeter {
    pub(crate) fn new(core: Core, outlet: Box<dyn Outlet>, period: SimDuration) -> Self {
        let period = period.max(PERIOD_MIN);
        let of_domain = |id: &MeasurementId| {
            let row = id.row();
            row.quantity.domain() == Some(core.domain()) && row.phase == Phase::None
        };
        Self {
            core,
            quantities: MeasurementId::all().filter(of_domain).collect(),
            outlet,
            period,
            next_due: period,
            integrals: Integrator::new(),
            last: (SimDuration::ZERO, [0.0; 2]),
        }
    }

    fn pipe(&mut self, until: SimDuration, state: &PipeState, out: &mut Vec<Output>) {
        let Some(rates) = self.core.rates(state) else {
            let detail = format!("a pipe of another domain than {}", self.core.domain());
            return event(out, EventKind::InputRefused, &detail);
        };
        if until < self.integrals.until {
            let detail = format!("a pipe up to {until}, after {}", self.integrals.until);
            return event(out, EventKind::InputRefused, &detail);
        }
        while self.next_due <= until {
            self.integrals.hold(self.next_due, rates);
            self.reading_due(state, out);
        }
        self.integrals.hold(until, rates);
    }

    fn reading_due(&mut self, state: &PipeState, out: &mut Vec<Output>) {
        let to = self.next_due;
        self.next_due = to + self.period;
        if self.outlet.is_frozen(to) {
            return;
        }
        let sums = self.integrals.sums();
        let (from, before) = std::mem::replace(&mut self.last, (to, sums));
        let seconds = (to - from).as_seconds_f64();
        let means = std::array::from_fn(|rate| (sums[rate] - before[rate]) / seconds);
        let value = |&id: &MeasurementId| {
            let row = id.row();
            let si = self.core.value(row.quantity, sums, means, state)?;
            Some((id, si / row.si_factor))
        };
        let values = self.quantities.iter().filter_map(value).collect();
        let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
        self.outlet.reading(to, span, values, out);
    }

    fn received(&mut self, now: SimTime, payload: &[u8], out: &mut Vec<Output>) {
        if let Some((invocation, order)) = self.outlet.received(now, payload, out) {
            let obeyed = order.and_then(|order| self.obey(now, &order));
            self.outlet.answer(now, invocation, obeyed, out);
        }
    }

    /// Carries out a command; what to answer.
    fn obey(&mut self, now: SimTime, order: &Order) -> Result<String, String> {
        let Order::SetPeriod { seconds } = order else { return Err(refusal(order).to_owned()) };
        self.period = period(*seconds, PERIOD_MIN)?;
        self.next_due = now - self.outlet.start() + self.period;
        Ok(format!("reporting period set to {}", self.period))
    }
}

/// What these meters answer to an order that they cannot carry out.
fn refusal(order: &Order) -> &'static str {
    match order {
        Order::SetBreaker { .. } => NO_BREAKER,
        Order::SetPoint { .. } => NO_POINTS,
        _ => NO_REGISTERS,
    }
}

impl Device for PipeMeter {
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
            Ok(_) if self.outlet.refusal().is_some() => self.outlet.refusal(),
            Ok(Order::SetPeriod { seconds }) => {
                let what = period(seconds, PERIOD_MIN).err()?;
                Some(CommandFault::refused(Some("seconds"), what))
            }
            Ok(order) => Some(CommandFault::refused(None, refusal(&order).to_owned())),
        }
    }

    fn network_address(&self) -> Option<String> {
        self.outlet.network_address()
    }

    fn declared(&self) -> Option<DeclaredSpan> {
        self.outlet.declared()
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.outlet.wake_at(self.outlet.start() + self.next_due)
    }

    fn report_period(&self) -> SimDuration {
        self.period
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Pipe { until, state } => self.pipe(until, &state, out),
            Input::Samples { .. } | Input::Spectrum { .. } => {
                event(out, EventKind::InputRefused, "voltages and currents for a meter of a pipe");
            }
            Input::Received { payload } => self.received(now, &payload, out),
            other => self.outlet.take(now, other, out),
        }
    }

    fn unacknowledged(&self) -> usize {
        self.outlet.unacknowledged()
    }
}
