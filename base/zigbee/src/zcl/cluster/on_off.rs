//! Commands of the cluster On/Off (ZCL 075123, 3.8.2.3), and what a plug does at power-up.

use crate::zcl::frame::{Direction, Frame, FrameType, Header};
use crate::zcl::value::Value;

/// `OnOff`: whether the relay is closed.
pub const ON_OFF: u16 = 0x0000;
/// `StartUpOnOff`: what a plug does when power returns, a [`StartUp`].
pub const START_UP: u16 = 0x4003;

/// A command to the relay, without payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum OnOff {
    /// Open it.
    Off = 0,
    /// Close it.
    On = 1,
    /// Change it.
    Toggle = 2,
}

impl OnOff {
    /// The command of a frame to this cluster; `None` is another one, or one with a payload.
    pub fn of(frame: &Frame<'_>) -> Option<Self> {
        let header = frame.header;
        let is_ours = header.frame_type == FrameType::Cluster
            && header.direction == Direction::ToServer
            && header.manufacturer.is_none()
            && frame.payload.is_empty();
        match header.command {
            0 if is_ours => Some(Self::Off),
            1 if is_ours => Some(Self::On),
            2 if is_ours => Some(Self::Toggle),
            _ => None,
        }
    }

    /// A whole frame.
    pub fn frame(self, sequence: u8) -> Vec<u8> {
        let mut out = Vec::new();
        Header::cluster(Direction::ToServer, sequence, self as u8).encode(&mut out);
        out
    }
}

/// What a plug does when power returns (`StartUpOnOff`, ZCL 075123, 3.8.2.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartUp {
    /// It opens the relay.
    Off,
    /// It closes it.
    On,
    /// It changes it.
    Toggle,
    /// It leaves the relay as it was. On the wire this is FF, which is no value in other lists.
    Previous,
}

impl StartUp {
    /// Of the attribute's value, if that is one of them.
    pub const fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Enum8(Some(0)) => Some(Self::Off),
            Value::Enum8(Some(1)) => Some(Self::On),
            Value::Enum8(Some(2)) => Some(Self::Toggle),
            Value::Enum8(None) => Some(Self::Previous),
            _ => None,
        }
    }

    /// The attribute's value.
    pub const fn value(self) -> Value<'static> {
        Value::Enum8(match self {
            Self::Off => Some(0),
            Self::On => Some(1),
            Self::Toggle => Some(2),
            Self::Previous => None,
        })
    }
}
