//! The device models a scenario can name.

use crate::model::kind::DeviceKind;
use crate::model::{
    ade7953_1ph, cvct_stm32f107, heat_meter, ideal, m_bus, reference, simulator_meter, stpm34_1ph,
    stpm34_3ph, water_meter,
};

/// Every device model.
pub static DEVICES: &[DeviceKind] = &[
    stpm34_3ph::STPM34_3PH,
    stpm34_1ph::STPM34_1PH,
    ade7953_1ph::ADE7953_1PH,
    cvct_stm32f107::CVCT_STM32F107,
    ideal::IDEAL_1PH,
    ideal::IDEAL_3PH,
    reference::REFERENCE_1PH,
    reference::PXI_6123,
    heat_meter::HEAT_METER,
    water_meter::WATER_METER,
    m_bus::HEAT,
    m_bus::WATER,
    m_bus::ELECTRICITY,
    simulator_meter::SIMULATOR_METER,
];
