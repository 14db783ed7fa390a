//! The control field of a frame (EN 13757-2, 5.7.2).

/// What a control field asks or answers, by the standard's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// `SND_NKE`: initialise the link layer of the slave.
    SendReset,
    /// `SND_UD`: user data to the slave.
    SendUserData {
        /// The frame count bit, where the frame count valid bit is set.
        frame_count: Option<bool>,
    },
    /// `REQ_UD1`: request for class 1 data, alarms.
    RequestUserData1 {
        /// The frame count bit, where the frame count valid bit is set.
        frame_count: Option<bool>,
    },
    /// `REQ_UD2`: request for class 2 data, readings.
    RequestUserData2 {
        /// The frame count bit, where the frame count valid bit is set.
        frame_count: Option<bool>,
    },
    /// `RSP_UD`: user data of the slave.
    RespondUserData {
        /// The access demand bit: class 1 data waits.
        access_demand: bool,
        /// The data flow control bit: the slave can take no more data.
        data_flow_control: bool,
    },
}

const TO_SLAVE: u8 = 0x40;
const HIGH: u8 = 0x20;
const LOW: u8 = 0x10;

impl Control {
    /// The answer of a slave without alarms (08).
    pub const RESPONSE: Self =
        Self::RespondUserData { access_demand: false, data_flow_control: false };

    /// The meaning of a control field; nothing where the standard gives it none on a wired bus.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        if byte & 0x80 != 0 {
            return None;
        }
        if byte & TO_SLAVE == 0 {
            let answer = Self::RespondUserData {
                access_demand: byte & HIGH != 0,
                data_flow_control: byte & LOW != 0,
            };
            return if byte & 0x0F == 8 { Some(answer) } else { None };
        }
        let frame_count = if byte & LOW == 0 { None } else { Some(byte & HIGH != 0) };
        match byte & 0x0F {
            0 if byte == TO_SLAVE => Some(Self::SendReset),
            3 => Some(Self::SendUserData { frame_count }),
            0xA => Some(Self::RequestUserData1 { frame_count }),
            0xB => Some(Self::RequestUserData2 { frame_count }),
            _ => None,
        }
    }

    /// The control field.
    pub const fn byte(self) -> u8 {
        match self {
            Self::SendReset => TO_SLAVE,
            Self::SendUserData { frame_count } => count(3, frame_count),
            Self::RequestUserData1 { frame_count } => count(0xA, frame_count),
            Self::RequestUserData2 { frame_count } => count(0xB, frame_count),
            Self::RespondUserData { access_demand, data_flow_control } => {
                8 | if access_demand { HIGH } else { 0 } | if data_flow_control { LOW } else { 0 }
            }
        }
    }
}

const fn count(function: u8, frame_count: Option<bool>) -> u8 {
    TO_SLAVE
        | function
        | match frame_count {
            None => 0,
            Some(false) => LOW,
            Some(true) => HIGH | LOW,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_the_same_byte_again() {
        let known: Vec<u8> = (0..=255).filter(|&byte| Control::from_byte(byte).is_some()).collect();
        // A frame count bit without its valid bit (63, 6A, 6B) is read as not counted.
        let same = |byte: &u8| Control::from_byte(*byte).map(Control::byte) == Some(*byte);
        let (same, others): (Vec<u8>, Vec<u8>) = known.into_iter().partition(same);
        assert_eq!(
            same,
            [0x08, 0x18, 0x28, 0x38, 0x40, 0x43, 0x4A, 0x4B, 0x53, 0x5A, 0x5B, 0x73, 0x7A, 0x7B]
        );
        assert_eq!(others, [0x63, 0x6A, 0x6B]);
    }
}
