//! What a device model is to a scenario, and how it is made.

use chacha20::ChaCha8Rng;
use lastmeter_params::{Diagnostics, Entry, NodeValue, Table, Values};
use lastmeter_units::Domain;

use crate::border::Device;
use crate::calibration::Register;
use crate::context::DeviceContext;
use crate::front_end::board_converter::BoardConverter;

/// What a device model can be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fits {
    /// A terminal with this number of phases.
    Electricity {
        /// How many phases the model has: 1 or 3.
        phases: usize,
    },
    /// A pipe of this domain.
    Pipe(Domain),
    /// A load or an infeed of the network that a simulator plays.
    Simulated,
    /// A switch of the network.
    Switch,
}

impl Fits {
    /// The domain of what it is connected to.
    pub const fn domain(self) -> Domain {
        match self {
            Self::Electricity { .. } | Self::Simulated | Self::Switch => Domain::Electricity,
            Self::Pipe(domain) => domain,
        }
    }

    /// How many phases an electricity meter has.
    pub const fn phases(self) -> Option<usize> {
        match self {
            Self::Electricity { phases } => Some(phases),
            Self::Pipe(_) | Self::Simulated | Self::Switch => None,
        }
    }
}

/// Makes the converter of a board. `None` if values do not fit together, which is then in the
/// diagnostics.
pub(crate) type BuildConverter =
    fn(&Values, &DeviceContext<'_>, &mut Diagnostics) -> Option<BoardConverter>;

/// Draws values of keys that a table does not state.
pub(crate) type Draw = fn(&Table, &mut ChaCha8Rng) -> Vec<(&'static str, NodeValue)>;

/// A device model: its place in the scenario language, and how it is made.
#[derive(Clone, Copy)]
pub struct DeviceKind {
    /// Name, texts and fields.
    pub entry: Entry,
    /// What it can be connected to.
    pub fits: Fits,
    /// The kind of network it speaks on; `None`: it speaks to the platform itself.
    pub on: Option<&'static str>,
    /// Makes the converter of an emulated board of this kind; `None`: no board is emulated by it.
    pub(crate) board_converter: Option<BuildConverter>,
    /// The registers by which one of a single phase is calibrated, in the order they are written;
    /// `None`: it has none, or more than one phase.
    pub registers: Option<&'static [Register]>,
    /// What the transducer of one with these values is like, as a table of its publication; `None`:
    /// it has none of its own.
    pub transducer: Option<fn(&Values) -> String>,
    /// What is drawn of one with a table that does not state it: keys with their values; `None`:
    /// nothing is.
    pub draws: Option<Draw>,
    /// Makes one. `None` if values do not fit together, which is then in the diagnostics.
    pub build: fn(&Values, &DeviceContext<'_>, &mut Diagnostics) -> Option<Box<dyn Device>>,
}

impl DeviceKind {
    /// A single-phase meter that speaks to the platform, with nothing particular, to begin a row
    /// with.
    pub(crate) const PLAIN: Self = Self {
        entry: Entry { name: "", summary: "", description: "", fields: &[] },
        fits: Fits::Electricity { phases: 1 },
        on: None,
        board_converter: None,
        registers: None,
        transducer: None,
        draws: None,
        build: |_, _, _| None,
    };
}
