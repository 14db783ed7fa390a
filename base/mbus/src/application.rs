//! What a frame's control information field announces (EN 13757-3, 4 to 11).

use thiserror::Error;

use crate::baud::BaudRate;
use crate::frame::{DATA_MAX, Frame};
use crate::header::{Header, Identity};
use crate::record::{EncodeError, FIXED_LENGTH, Fixed, Item, RecordError, Records};

/// Control information: reset of the application layer.
pub const RESET: u8 = 0x50;
/// Control information: data to the slave.
pub const DATA: u8 = 0x51;
/// Control information: selection of a slave.
pub const SELECT: u8 = 0x52;
/// Control information: synchronise action.
pub const SYNCHRONISE: u8 = 0x5C;
/// Control information: report of an application error.
pub const ERROR: u8 = 0x70;
/// Control information: report of the alarm status.
pub const ALARM: u8 = 0x71;
/// Control information: variable data structure with a long header.
pub const LONG_HEADER: u8 = 0x72;
/// Control information: fixed data structure, low byte first.
pub const FIXED: u8 = 0x73;
/// Control information: fixed data structure, high byte first.
pub const FIXED_HIGH_FIRST: u8 = 0x77;
/// Control information: variable data structure without a header.
pub const NO_HEADER: u8 = 0x78;
/// Control information: variable data structure with a short header.
pub const SHORT_HEADER: u8 = 0x7A;

/// Bytes of a frame before its user data.
const FRAME_HEAD: usize = 7;

/// What an application error is (EN 13757-3, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum ApplicationError {
    /// 0, or a report without a code.
    #[error("unspecified error")]
    Unspecified,
    /// 1.
    #[error("unimplemented control information field")]
    UnimplementedControlInformation,
    /// 2.
    #[error("buffer too long, truncated")]
    BufferTooLong,
    /// 3.
    #[error("too many records")]
    TooManyRecords,
    /// 4.
    #[error("premature end of record")]
    PrematureEndOfRecord,
    /// 5.
    #[error("more than 10 DIFE")]
    TooManyDife,
    /// 6.
    #[error("more than 10 VIFE")]
    TooManyVife,
    /// 7.
    #[error("reserved error 7")]
    Reserved,
    /// 8.
    #[error("application too busy for the readout request")]
    Busy,
    /// 9.
    #[error("too many readouts")]
    TooManyReadouts,
    /// 10.
    #[error("access denied")]
    AccessDenied,
    /// 11 and above, which this edition does not define.
    #[error("error code {0}")]
    Other(u8),
}

impl ApplicationError {
    const GENERAL: [Self; 11] = [
        Self::Unspecified,
        Self::UnimplementedControlInformation,
        Self::BufferTooLong,
        Self::TooManyRecords,
        Self::PrematureEndOfRecord,
        Self::TooManyDife,
        Self::TooManyVife,
        Self::Reserved,
        Self::Busy,
        Self::TooManyReadouts,
        Self::AccessDenied,
    ];

    /// The error with this code.
    pub fn from_code(code: u8) -> Self {
        Self::GENERAL.get(usize::from(code)).copied().unwrap_or(Self::Other(code))
    }

    /// Its code as it is sent.
    pub fn code(self) -> u8 {
        match self {
            Self::Other(code) => code,
            known => Self::GENERAL.iter().position(|one| *one == known).unwrap_or(0) as u8,
        }
    }
}

/// What a frame with user data means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application<'a> {
    /// CI 50: reset of the application layer.
    Reset {
        /// What to reset, or which data to answer with from now on; all where it is absent.
        subcode: Option<u8>,
    },
    /// CI 51: data to the slave.
    Data {
        /// Data records for the slave.
        records: Records<'a>,
    },
    /// CI 52: selection of a slave; digits F and bytes FF are wildcards.
    Select {
        /// Address with wildcards.
        mask: Identity,
        /// Further conditions, such as a fabrication number.
        records: Records<'a>,
    },
    /// CI 5C: synchronise action.
    Synchronise,
    /// CI 70: the slave reports an error.
    Error(ApplicationError),
    /// CI 71: the slave reports its alarm status.
    Alarm(u8),
    /// CI 72, 7A and 78: variable data structure.
    Variable {
        /// What stands before the records.
        header: Header,
        /// Data records of the slave.
        records: Records<'a>,
    },
    /// CI 73 and 77: fixed data structure.
    Fixed {
        /// Status, medium and two counters.
        fixed: Fixed,
        /// CI 77: fields have their high byte first.
        high_first: bool,
    },
    /// CI B8 to BF: switch of the baud rate.
    SetBaud(BaudRate),
}

/// Why a frame's user data has no meaning. Positions count from the start of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ApplicationDecodeError {
    /// The frame has no control information field.
    #[error("a frame without user data, expected a control information field")]
    NoUserData,
    /// The control information field is none of those read here.
    #[error("control information {found:02X} at byte 6 is unsupported")]
    ControlInformation {
        /// The control information field.
        found: u8,
    },
    /// The data is shorter than its header or its fixed structure.
    #[error(
        "{found} bytes from byte 7 on, expected {needed} behind control information {information:02X}"
    )]
    TooShort {
        /// The control information field.
        information: u8,
        /// Bytes there have to be.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The data is longer than what its control information field announces.
    #[error(
        "{count} unexpected bytes from byte {at} on, behind control information {information:02X}"
    )]
    Trailing {
        /// The control information field.
        information: u8,
        /// Where they begin.
        at: usize,
        /// How many they are.
        count: usize,
    },
    /// A record is wrong; only where all are read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl<'a> Application<'a> {
    /// What the user data of a frame means; records are read later.
    pub fn decode(frame: &Frame<'a>) -> Result<Self, ApplicationDecodeError> {
        let Some((information, data)) = frame.user_data() else {
            return Err(ApplicationDecodeError::NoUserData);
        };
        let short = |needed| {
            let found = data.len();
            ApplicationDecodeError::TooShort { information, needed, found }
        };
        let records = |data, read: usize| Records::within(data, FRAME_HEAD + read);
        match information {
            RESET => optional(information, data).map(|subcode| Self::Reset { subcode }),
            DATA => Ok(Self::Data { records: records(data, 0) }),
            SELECT => {
                let (&mask, rest) = data.split_first_chunk().ok_or_else(|| short(8))?;
                let mask = Identity::from_bytes(mask);
                Ok(Self::Select { mask, records: records(rest, 8) })
            }
            SYNCHRONISE => Ok(Self::Synchronise),
            ERROR => optional(information, data).map(|code| {
                Self::Error(code.map_or(ApplicationError::Unspecified, ApplicationError::from_code))
            }),
            ALARM => optional(information, data)?.map(Self::Alarm).ok_or_else(|| short(1)),
            LONG_HEADER => {
                let (&head, rest) = data.split_first_chunk().ok_or_else(|| short(12))?;
                let header = Header::long_from_bytes(head);
                Ok(Self::Variable { header, records: records(rest, 12) })
            }
            SHORT_HEADER => {
                let (&head, rest) = data.split_first_chunk().ok_or_else(|| short(4))?;
                let header = Header::short_from_bytes(head);
                Ok(Self::Variable { header, records: records(rest, 4) })
            }
            NO_HEADER => Ok(Self::Variable { header: Header::None, records: records(data, 0) }),
            FIXED | FIXED_HIGH_FIRST => {
                let (&bytes, rest) = data.split_first_chunk().ok_or_else(|| short(FIXED_LENGTH))?;
                none_behind(information, rest, FIXED_LENGTH)?;
                // CI 77 has the fields of CI 73 with their bytes swapped: one layout is decoded.
                let high_first = information == FIXED_HIGH_FIRST;
                let bytes = if high_first { Fixed::swapped(bytes) } else { bytes };
                Ok(Self::Fixed { fixed: Fixed::from_bytes(bytes), high_first })
            }
            found => match BaudRate::from_control_information(found) {
                Some(baud) => none_behind(information, data, 0).map(|()| Self::SetBaud(baud)),
                None => Err(ApplicationDecodeError::ControlInformation { found }),
            },
        }
    }

    /// The same, and reads all records, so that a mistake in one is found.
    pub fn decode_all(frame: &Frame<'a>) -> Result<Self, ApplicationDecodeError> {
        let application = Self::decode(frame)?;
        if let Some(records) = application.records() {
            for item in records.clone() {
                item?;
            }
        }
        Ok(application)
    }

    /// The records, where there may be any.
    pub const fn records(&self) -> Option<&Records<'a>> {
        match self {
            Self::Variable { records, .. }
            | Self::Data { records }
            | Self::Select { records, .. } => Some(records),
            _ => None,
        }
    }

    /// The control information field.
    pub const fn control_information(&self) -> u8 {
        match self {
            Self::Reset { .. } => RESET,
            Self::Data { .. } => DATA,
            Self::Select { .. } => SELECT,
            Self::Synchronise => SYNCHRONISE,
            Self::Error(_) => ERROR,
            Self::Alarm(_) => ALARM,
            Self::Variable { header, .. } => header.control_information(),
            Self::Fixed { high_first: false, .. } => FIXED,
            Self::Fixed { high_first: true, .. } => FIXED_HIGH_FIRST,
            Self::SetBaud(baud) => baud.control_information(),
        }
    }

    /// Appends the control information field and what follows it.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = out.len();
        out.push(self.control_information());
        match self {
            Self::Reset { subcode } => out.extend(subcode),
            Self::Error(error) => out.push(error.code()),
            Self::Alarm(status) => out.push(*status),
            Self::Select { mask, .. } => out.extend(mask.bytes()),
            Self::Variable { header, .. } => header.encode(out),
            Self::Fixed { fixed, high_first } => {
                let Some(bytes) = fixed.bytes() else {
                    out.truncate(before);
                    return Err(EncodeError::Coding);
                };
                out.extend(if *high_first { Fixed::swapped(bytes) } else { bytes });
            }
            Self::Data { .. } | Self::Synchronise | Self::SetBaud(_) => {}
        }
        if let Some(records) = self.records() {
            out.extend(records.bytes());
        }
        let found = out.len() - before - 1;
        if found > DATA_MAX {
            out.truncate(before);
            return Err(EncodeError::Telegram { found });
        }
        Ok(())
    }
}

/// A variable data structure as user data: control information field, header, records.
pub fn variable(header: &Header, items: &[Item<'_>]) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![header.control_information()];
    header.encode(&mut out);
    items.iter().try_for_each(|item| item.encode(&mut out))?;
    let found = out.len() - 1;
    if found > DATA_MAX { Err(EncodeError::Telegram { found }) } else { Ok(out) }
}

/// One byte, or none.
fn optional(information: u8, data: &[u8]) -> Result<Option<u8>, ApplicationDecodeError> {
    none_behind(information, data.get(1..).unwrap_or_default(), 1)?;
    Ok(data.first().copied())
}

fn none_behind(information: u8, rest: &[u8], read: usize) -> Result<(), ApplicationDecodeError> {
    if rest.is_empty() {
        return Ok(());
    }
    let (at, count) = (FRAME_HEAD + read, rest.len());
    Err(ApplicationDecodeError::Trailing { information, at, count })
}
