//! The device models, one file each.

pub(crate) mod ade7953_1ph;
pub(crate) mod build;
pub(crate) mod cvct_stm32f107;
mod fields;
pub(crate) mod heat_meter;
pub(crate) mod ideal;
pub(crate) mod kind;
pub(crate) mod m_bus;
mod pipe;
pub(crate) mod reference;
pub(crate) mod simulator_meter;
pub(crate) mod stpm34_1ph;
pub(crate) mod stpm34_3ph;
mod supply;
mod tamper;
pub(crate) mod water_meter;
