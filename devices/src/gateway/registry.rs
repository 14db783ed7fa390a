//! The gateway models a scenario can name.

use super::kind::GatewayKind;

/// Every gateway model.
pub static GATEWAYS: &[GatewayKind] = &[];
