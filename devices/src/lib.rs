//! What turns truth into a reported value: front ends, meters, and how they talk.
//!
//! A device is a synchronous state machine behind a border of messages ([`Input`], [`Output`]),
//! so that it can be a thread of the bench, a process of its own, or a program nobody here wrote.
//! It sees the plant only through its metering point, and time only as an argument.
//!
//! Terms: a *metering point* is where a device is connected, of electricity a *terminal*; a
//! *window* is the measurement interval of 10 or 12 cycles (IEC 61000-4-30); a *reading* is one
//! report, made of all windows completed since the last one; the *outbox* holds what the platform
//! has not acknowledged yet.
//!
//! A room uses rooms below its own only; inputs go down the table, readings come up to `outlet`:
//!
//! | rooms | purpose |
//! |---|---|
//! | `registry` | the slices [`DEVICES`] and [`INJECTIONS`], one line for each row |
//! | `model`, `board` | from fields to a device: models one file each; boards, emulated or real |
//! | `gateway` | concentrator and simulator adapter, behind a border of their own; [`GATEWAYS`] |
//! | `external` | a device that is somebody else's program |
//! | `meter`, `pipe` | meters of electricity, of heat and water: readings on schedule, commands |
//! | `room` | a sensor of a room on a ZigBee network |
//! | `switchgear` | switches and reclosers of the network |
//! | `fault_recorder` | samples around a fault, as one block |
//! | `sampled`, `windows` | samples, or spectra in closed form, to measurement windows (`window`) |
//! | `front_end` | transformers, filters, converters: from the terminal to what is measured |
//! | `reading`, `register`, `display` | from windows to values: energies, calibration, resolution |
//! | `class_errors`, `wiring` | errors of an accuracy class; transformers and wires as installed |
//! | `supply`, `tamper`, `voltage_events`, `fault` | outages, tampering, events, planted faults |
//! | `outlet`, `outbox`, `message`, `answer` | the way out: messages, telegrams, commands |
//! | `gaussian`, `running_mean` | draws from the normal distribution; means over recent samples |
//! | `border`, `context` | messages between runner and device, and the place that a device gets |
//! | [`household`] | the energy aggregator of a household: decisions, bill, pages, display |
//! | `can` | what a node on a CAN bus is made of: its controller, the time that software takes |
//! | [`zigbee`] | nodes of a ZigBee network: application and radio, without a metering point |
//! | [`calibration`], [`endpoint`] | registers that correct errors; the simulator's end of a line |
//!
//! No I/O, no clock. Nothing here computes a reference value: what a device reports and what it
//! is judged against share no code (ARCHITECTURE.md, invariants).

mod answer;
mod board;
mod border;
pub mod calibration;
mod can;
mod class_errors;
mod context;
mod display;
pub mod endpoint;
mod external;
mod fault;
mod fault_recorder;
#[cfg(test)]
mod fidelity_tests;
mod front_end;
mod gateway;
mod gaussian;
pub mod household;
mod message;
mod meter;
mod model;
mod outbox;
mod outlet;
mod pipe;
mod reading;
mod register;
mod registry;
mod room;
mod running_mean;
mod sampled;
mod supply;
mod switchgear;
mod tamper;
mod voltage_events;
mod window;
mod windows;
mod wiring;
pub mod zigbee;

pub use answer::{CommandFault, ERROR_PREFIX};
pub use board::{BoardContext, BoardWay, board_device};
pub use border::{
    BoardDevice, BoardFault, BoardInput, BoardOrder, BoardOutput, BoardPort, BoardWait, Device,
    DeviceFault, EventFacts, EventKind, Exchange, ExchangeStage, Feed, Input, NodeTask, Output,
    PageAnswer, PageMethod, PageRequest, ProgramDevice, ProgramSpec, ScaledQuantity, ScalingChange,
    SupplyFacts, TamperFacts, TamperKind, TamperSensorFault, VoltageEventKind,
};
pub use context::DeviceContext;
pub use fault::InjectionKind;
pub use front_end::{cvct::Cvct, full_scale};
pub use gateway::{
    BuildGateway, DispatcherUplink, GATEWAYS, Gateway, GatewayContext, GatewayEventKind,
    GatewayInput, GatewayKind, GatewayOutput, Metric, MetricKind, NetworkContext,
    measured_of_waveforms, slcan_adapter, slcan_host,
};
pub use message::EPOCH;
pub use model::kind::{DeviceKind, Fits};
pub use outbox::{Message, Outbox};
pub use reading::group_of;
pub use registry::{DEVICES, INJECTIONS};
