//! The device models: from the fields of a scenario to a device.
//!
//! | file | purpose |
//! |---|---|
//! | `kind` | what a model is to a scenario: a row of `DEVICES` |
//! | `fields`, `build` | the fields that electricity meters share, and the meter built of them |
//! | `supply`, `tamper` | the same for the supply, voltage events and sensors of tampering |
//! | `pipe` | what meters of pipes share |
//! | all others | one model or family each: its own fields, defaults and row |

pub(crate) mod ade7953_1ph;
pub(crate) mod build;
pub(crate) mod can_dbc_board;
pub(crate) mod can_meter;
pub(crate) mod class_meter;
pub(crate) mod cvct_stm32f107;
pub(crate) mod external;
pub(crate) mod fault_recorder;
mod fields;
pub(crate) mod heat_meter;
pub(crate) mod ideal;
pub(crate) mod kind;
pub(crate) mod m_bus;
mod pipe;
pub(crate) mod reference;
pub(crate) mod room_sensor;
pub(crate) mod simulator_meter;
pub(crate) mod smart_plug;
pub(crate) mod stpm34_1ph;
pub(crate) mod stpm34_3ph;
mod supply;
pub(crate) mod switchgear;
mod tamper;
pub(crate) mod water_meter;

#[cfg(test)]
pub(crate) use fields::{CURRENT_RATIO, VOLTAGE_RATIO, WIRING};
