//! The domains of the plant, and the metering point: where a device is connected, in its domain.
//!
//! Electricity is a [`Terminal`], with all that waves need. What flows in pipes, and what a room is
//! like, is constant from instant to instant, so that a device sees it as stretches
//! ([`PipeState`]), and its truth is a sum or the last value.
//! Each domain beside electricity is a folder here, with its state and truth; its source: `source`.

mod course;
pub(crate) mod daily;
pub(crate) mod heat;
pub(crate) mod room;
pub(crate) mod water;

use lastmeter_units::{Direction, Domain, MeasurementId, Phase, Quantity, SimDuration};
use serde::{Deserialize, Serialize};

use crate::energy::Netting;
use crate::grid::{LivePoint, SwitchPoint, SwitchState};
use crate::profile::ProfileIntervals;
use crate::terminal::Terminal;
use crate::truth::{ReferenceSpan, Truth};
use heat::{HeatCircuit, HeatState};
use room::{Room, RoomState};
use water::{WaterState, WaterSupply};

/// What the truth of an electricity meter's readings takes from the meter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElectricityFacts {
    /// How it makes totals.
    pub netting: Netting,
    /// The constant on its nameplate, in pulses per kWh and kvarh: what its pulse outputs are to be
    /// judged by, whatever they work by.
    pub pulse_constant: f64,
    /// The intervals of its power profile, if it has one.
    pub profile: Option<ProfileIntervals>,
}

/// What a pipe carries, what a room is like, or how a switch stands, constant for a while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipeState {
    /// Water that carries heat, in two pipes.
    Heat(HeatState),
    /// Drinking water.
    Water(WaterState),
    /// A room, which is no pipe, and as constant.
    Room(RoomState),
    /// A switch of a network, likewise.
    Switch(SwitchState),
}

/// What a pipe carries from an instant on, and when that changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipeStretch {
    /// What it carries.
    pub state: PipeState,
    /// Until when, since the scenario's start; `None`: forever.
    pub until: Option<SimDuration>,
}

/// Where a device is connected: cheap to clone, shared between threads; all clones are one.
#[derive(Clone, Debug)]
pub enum MeteringPoint {
    /// A terminal with voltages and currents.
    Electricity(Terminal),
    /// Flow and return pipe of a heat circuit.
    Heat(HeatCircuit),
    /// A pipe with drinking water.
    Water(WaterSupply),
    /// A room with its door or window.
    Room(Room),
    /// A switch of a network that is played while the run goes on.
    Switch(SwitchPoint),
    /// A load or a source of a network that is solved while time goes on: it has no terminal to
    /// sample, only values.
    Live(LivePoint),
}

impl MeteringPoint {
    /// The mean active power in W, consumed less injected, of an interval that began at or behind
    /// the scenario's start; `None` where that is not known.
    pub fn mean_power(
        &self,
        (from, to): (SimDuration, SimDuration),
        electricity: Option<ElectricityFacts>,
    ) -> Option<f64> {
        let truth = self.truth(ReferenceSpan { from, to, registers_from: from }, electricity);
        let of = |direction| {
            truth.value(MeasurementId::of(Quantity::ActivePower(direction), Phase::Total)?)
        };
        Some(of(Direction::Consumed)? - of(Direction::Injected)?)
    }

    /// The domain.
    pub fn domain(&self) -> Domain {
        match self {
            Self::Electricity(_) | Self::Live(_) | Self::Switch(_) => Domain::Electricity,
            Self::Heat(_) => Domain::Heat,
            Self::Water(_) => Domain::Water,
            Self::Room(_) => Domain::Room,
        }
    }

    /// The terminal, if it is an electrical one.
    pub fn terminal(&self) -> Option<&Terminal> {
        match self {
            Self::Electricity(terminal) => Some(terminal),
            _ => None,
        }
    }

    /// The place in a live network, if it is one.
    pub fn live(&self) -> Option<&LivePoint> {
        match self {
            Self::Live(point) => Some(point),
            _ => None,
        }
    }

    /// The switch of a network, if it is one.
    pub fn switch(&self) -> Option<&SwitchPoint> {
        match self {
            Self::Switch(point) => Some(point),
            _ => None,
        }
    }

    /// What its pipes carry, its room is like or its switch stands at, at an instant since the
    /// scenario's start, and how long that stays; `None` of voltages and currents.
    pub fn pipe(&self, at: SimDuration) -> Option<PipeStretch> {
        let (state, until) = match self {
            Self::Electricity(_) | Self::Live(_) => return None,
            Self::Heat(circuit) => {
                let (state, until) = circuit.state_at(at);
                (PipeState::Heat(state), until)
            }
            Self::Water(supply) => {
                let (state, until) = supply.state_at(at);
                (PipeState::Water(state), until)
            }
            Self::Room(room) => {
                let (state, until) = room.state_at(at);
                (PipeState::Room(state), until)
            }
            Self::Switch(point) => {
                let (state, until) = point.state_at(at);
                (PipeState::Switch(state), until)
            }
        };
        Some(PipeStretch { state, until })
    }

    /// The reference values of a span for a meter; `electricity` is what an electricity meter adds,
    /// without which nothing is known of its readings at a terminal. At a live point totals are
    /// then those of [`Netting::Net`].
    pub fn truth(
        &self,
        span: ReferenceSpan,
        electricity: Option<ElectricityFacts>,
    ) -> MeteringTruth<'_> {
        match self {
            Self::Electricity(terminal) => MeteringTruth::Electricity(electricity.map(|facts| {
                let truth = terminal.truth(span).with_pulse_constant(facts.pulse_constant);
                (Box::new(truth.with_profile(facts.profile)), facts.netting)
            })),
            Self::Heat(circuit) => MeteringTruth::Heat(circuit, span),
            Self::Water(supply) => MeteringTruth::Water(supply, span),
            Self::Room(room) => MeteringTruth::Room(room, span),
            Self::Switch(point) => MeteringTruth::Switch(point, span),
            Self::Live(point) => {
                let netting = electricity.map_or(Netting::Net, |facts| facts.netting);
                MeteringTruth::Live(point, span, netting)
            }
        }
    }
}

impl From<Terminal> for MeteringPoint {
    fn from(terminal: Terminal) -> Self {
        Self::Electricity(terminal)
    }
}

/// The reference values of one span at a metering point.
#[derive(Debug)]
pub enum MeteringTruth<'a> {
    /// Of a terminal, with how totals are made.
    Electricity(Option<(Box<Truth<'a>>, Netting)>),
    /// Of a heat circuit.
    Heat(&'a HeatCircuit, ReferenceSpan),
    /// Of a water supply.
    Water(&'a WaterSupply, ReferenceSpan),
    /// Of a room.
    Room(&'a Room, ReferenceSpan),
    /// Of a switch of a network.
    Switch(&'a SwitchPoint, ReferenceSpan),
    /// Of a network that is solved while time goes on, with how totals are made.
    Live(&'a LivePoint, ReferenceSpan, Netting),
}

impl MeteringTruth<'_> {
    /// The reference value of a quantity in the SI unit of its registry row; `None` where the
    /// metering point does not have it: a quantity of another domain, a mean over an empty span,
    /// what [`Truth::value`] leaves out, and what is not solved yet.
    pub fn value(&self, id: MeasurementId) -> Option<f64> {
        let quantity = id.row().quantity;
        match self {
            Self::Electricity(truth) => {
                let (truth, netting) = truth.as_ref()?;
                truth.value(id, *netting)
            }
            Self::Heat(circuit, span) => circuit.truth(quantity, *span),
            Self::Water(supply, span) => supply.truth(quantity, *span),
            Self::Room(room, span) => room.truth(quantity, *span),
            Self::Switch(point, span) => point.truth(quantity, *span),
            Self::Live(point, span, netting) => point.truth_value(*span, *netting, id),
        }
    }
}
