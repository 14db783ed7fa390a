//! The device models and the faults of devices that a scenario can name.

use crate::fault::{self, InjectionKind};
use crate::model::kind::DeviceKind;
use crate::model::{
    ade7953_1ph, can_dbc_board, can_meter, class_meter, cvct_stm32f107, external, fault_recorder,
    heat_meter, ideal, m_bus, reference, room_sensor, simulator_meter, smart_plug, stpm34_1ph,
    stpm34_3ph, switchgear, water_meter,
};
use crate::tamper;

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
    class_meter::CLASS_METER_1PH,
    class_meter::CLASS_METER_3PH,
    external::EXTERNAL,
    smart_plug::SMART_PLUG,
    room_sensor::ROOM_SENSOR,
    can_meter::CAN_METER,
    can_dbc_board::CAN_DBC_BOARD,
    switchgear::SWITCH,
    switchgear::RECLOSER,
    fault_recorder::FAULT_RECORDER,
];

/// Every fault a device can play.
pub static INJECTIONS: &[InjectionKind] = &[
    fault::SKIP_READING,
    fault::RENUMBER_READING,
    fault::UNKNOWN_IDENTIFIER,
    fault::FALSE_GASP,
    fault::FREEZE,
    fault::NODE_AWAY,
    fault::NODE_TASK,
    fault::NODE_POWER_LOSS,
    fault::DISPLAY_STICKS,
    fault::SCALING,
    fault::CONTACT_STICKS,
    fault::SWITCH_STICKS,
    fault::BOARD_RESET,
    fault::BOARD_HANG,
    fault::BOARD_NOISE,
    tamper::INJECTION,
    tamper::SENSOR_INJECTION,
];
