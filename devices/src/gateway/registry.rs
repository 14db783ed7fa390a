//! The gateway models a scenario can name.

use super::can_aggregator::CAN_AGGREGATOR;
use super::can_dbc_reader::CAN_DBC_READER;
use super::concentrator::M_BUS_CONCENTRATOR;
use super::kind::GatewayKind;
use super::simulator::SIMULATOR_ADAPTER;
use super::transparent::ZIGBEE_GATEWAY;

/// Every gateway model.
pub static GATEWAYS: &[GatewayKind] =
    &[M_BUS_CONCENTRATOR, SIMULATOR_ADAPTER, ZIGBEE_GATEWAY, CAN_AGGREGATOR, CAN_DBC_READER];
