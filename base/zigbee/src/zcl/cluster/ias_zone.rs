//! The notification of a sensor such as a door contact (ZCL 075123, 8.2.2.4.1).

use crate::bytes::{DecodeError, EncodeError, Reader};
use crate::zcl::global::Record;

/// Zone status change notification, from server to client.
pub const STATUS_CHANGE: u8 = 0x00;
/// `ZoneType` of a contact switch (ZCL 075123, table 8-5).
pub const TYPE_CONTACT: u16 = 0x0015;
/// Bit of [`StatusChange::status`]: alarm 1, of a contact that it is open.
pub const ALARM_1: u16 = 1 << 0;
/// Bit of [`StatusChange::status`]: the casing was opened.
pub const TAMPER: u16 = 1 << 2;
/// Bit of [`StatusChange::status`]: the battery is low.
pub const BATTERY_LOW: u16 = 1 << 3;

/// The payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// Bits of the zone.
    pub status: u16,
    /// Reserved by the standard; 0.
    pub extended: u8,
    /// Number of the zone, 0xFF without one.
    pub zone: u8,
    /// How long ago it changed, in quarters of a second.
    pub delay_quarter_s: u16,
}

impl StatusChange {
    /// Whether a contact is open.
    pub const fn is_open(&self) -> bool {
        self.status & ALARM_1 != 0
    }
}

impl<'a> Record<'a> for StatusChange {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            status: reader.u16("zone status")?,
            extended: reader.u8("extended status")?,
            zone: reader.u8("zone identifier")?,
            delay_quarter_s: reader.u16("delay")?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.status.to_le_bytes());
        out.extend([self.extended, self.zone]);
        out.extend(self.delay_quarter_s.to_le_bytes());
        Ok(())
    }
}
