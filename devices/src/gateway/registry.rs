//! The gateway models a scenario can name.

use super::concentrator::M_BUS_CONCENTRATOR;
use super::kind::GatewayKind;

/// Every gateway model.
pub static GATEWAYS: &[GatewayKind] = &[M_BUS_CONCENTRATOR];
