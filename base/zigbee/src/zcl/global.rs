//! Global commands (ZCL 075123, 2.5) as lists of records that are read one by one.
//!
//! | command | records |
//! |---|---|
//! | read attributes | [`AttributeId`] |
//! | read response | [`ReadRecord`] |
//! | write, report | [`Attribute`] |
//! | write response | [`WriteRecord`] |
//! | configure reporting | [`ReportingRecord`] |
//! | its response | [`ReportingStatus`] |

use std::marker::PhantomData;

use crate::bytes::{DecodeError, EncodeError, Reader};
use crate::zcl::frame::{Frame, FrameType};
use crate::zcl::status::Status;
use crate::zcl::value::{Type, Value};

/// Command identifiers (ZCL 075123, table 2-3).
pub mod command {
    /// Read attributes.
    pub const READ: u8 = 0x00;
    /// Read attributes response.
    pub const READ_RESPONSE: u8 = 0x01;
    /// Write attributes.
    pub const WRITE: u8 = 0x02;
    /// Write attributes response.
    pub const WRITE_RESPONSE: u8 = 0x04;
    /// Configure reporting.
    pub const CONFIGURE_REPORTING: u8 = 0x06;
    /// Configure reporting response.
    pub const CONFIGURE_REPORTING_RESPONSE: u8 = 0x07;
    /// Report attributes.
    pub const REPORT: u8 = 0x0A;
    /// Default response.
    pub const DEFAULT_RESPONSE: u8 = 0x0B;
}

/// What a list of a global command consists of.
pub trait Record<'a>: Sized {
    /// Reads one.
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
    /// Writes one.
    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// A list, read one by one; it ends at the end of the bytes or behind the first error. Positions in
/// errors count from the start of the list.
#[derive(Debug, Clone)]
pub struct Records<'a, R> {
    reader: Reader<'a>,
    of: PhantomData<R>,
}

impl<'a, R> Records<'a, R> {
    /// A list in these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), of: PhantomData }
    }
}

impl<'a, R: Record<'a>> Iterator for Records<'a, R> {
    type Item = Result<R, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let record = R::take(&mut self.reader);
        if record.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(record)
    }
}

/// Writes a list.
pub fn encode<'a, R: Record<'a>>(records: &[R], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    records.iter().try_for_each(|record| record.put(out))
}

/// An attribute that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeId(pub u16);

impl<'a> Record<'a> for AttributeId {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.u16("attribute identifier").map(Self)
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.0.to_le_bytes());
        Ok(())
    }
}

/// An attribute with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Which.
    pub id: u16,
    /// Its value.
    pub value: Value<'a>,
}

impl<'a> Record<'a> for Attribute<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = reader.u16("attribute identifier")?;
        let kind = Type::take(reader)?;
        Ok(Self { id, value: Value::take(kind, reader)? })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.id.to_le_bytes());
        out.push(self.value.kind().code());
        self.value.put(out)
    }
}

/// The answer to one attribute that was asked for (ZCL 075123, 2.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRecord<'a> {
    /// Which.
    pub id: u16,
    /// Its value, or why there is none; never [`Status::SUCCESS`].
    pub result: Result<Value<'a>, Status>,
}

impl<'a> Record<'a> for ReadRecord<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = reader.u16("attribute identifier")?;
        let status = Status(reader.u8("status of an attribute")?);
        if status != Status::SUCCESS {
            return Ok(Self { id, result: Err(status) });
        }
        let kind = Type::take(reader)?;
        Ok(Self { id, result: Ok(Value::take(kind, reader)?) })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.id.to_le_bytes());
        match self.result {
            Ok(value) => {
                out.extend([Status::SUCCESS.0, value.kind().code()]);
                value.put(out)
            }
            Err(Status::SUCCESS) => Err(success_without_value("status of an attribute")),
            Err(status) => {
                out.push(status.0);
                Ok(())
            }
        }
    }
}

const fn success_without_value(what: &'static str) -> EncodeError {
    EncodeError::OutOfRange { what, found: 0, expected: "a status other than success (00)" }
}

/// The answer to a write (ZCL 075123, 2.5.5): all went well, or one that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteRecord {
    /// All attributes were written; the only record then.
    AllWritten,
    /// One was not.
    Failed {
        /// Why not.
        status: Status,
        /// Which.
        id: u16,
    },
}

impl<'a> Record<'a> for WriteRecord {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match all_or_failed(reader)? {
            Status::SUCCESS => Ok(Self::AllWritten),
            status => Ok(Self::Failed { status, id: reader.u16("attribute identifier")? }),
        }
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::AllWritten => out.push(Status::SUCCESS.0),
            Self::Failed { status: Status::SUCCESS, .. } => {
                return Err(success_without_value("status of a write"));
            }
            Self::Failed { status, id } => {
                out.push(status.0);
                out.extend(id.to_le_bytes());
            }
        }
        Ok(())
    }
}

/// A status of which success may only stand alone.
fn all_or_failed(reader: &mut Reader<'_>) -> Result<Status, DecodeError> {
    let (what, at) = ("status", reader.at());
    let status = Status(reader.u8(what)?);
    if status == Status::SUCCESS && !(at == 0 && reader.rest().is_empty()) {
        let expected = "success (00) as the only byte, or another status";
        return Err(DecodeError::Unexpected { what, at, found: 0, expected });
    }
    Ok(status)
}

/// How an attribute is to be reported (ZCL 075123, 2.5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportingRecord<'a> {
    /// The receiver sends reports (direction 00).
    Send {
        /// The attribute.
        id: u16,
        /// Time between two reports, at least.
        min_s: u16,
        /// Time between two reports, at most; 0xFFFF: none for this attribute.
        max_s: u16,
        /// The attribute's type and, if it [is analog](Type::is_analog), the change to report.
        change: Reportable<'a>,
    },
    /// The receiver gets reports (direction 01).
    Expect {
        /// The attribute.
        id: u16,
        /// Time without a report that is a fault; 0: none.
        timeout_s: u16,
    },
}

/// What is reported about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reportable<'a> {
    /// A change of this size, of an analog type.
    Change(Value<'a>),
    /// Every change, of a type that is not analog.
    Any(Type),
}

impl<'a> Record<'a> for ReportingRecord<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (what, at) = ("direction of a report", reader.at());
        let direction = reader.u8(what)?;
        let id = reader.u16("attribute identifier")?;
        match direction {
            0 => {
                let kind = Type::take(reader)?;
                let min_s = reader.u16("minimum reporting interval")?;
                let max_s = reader.u16("maximum reporting interval")?;
                let change = if kind.is_analog() {
                    Reportable::Change(Value::take(kind, reader)?)
                } else {
                    Reportable::Any(kind)
                };
                Ok(Self::Send { id, min_s, max_s, change })
            }
            1 => Ok(Self::Expect { id, timeout_s: reader.u16("timeout period")? }),
            found => {
                let (found, expected) = (found.into(), "00 or 01");
                Err(DecodeError::Unexpected { what, at, found, expected })
            }
        }
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::Send { id, min_s, max_s, change } => {
                let (kind, value) = match change {
                    Reportable::Change(value) => (value.kind(), Some(value)),
                    Reportable::Any(kind) => (kind, None),
                };
                if kind.is_analog() != value.is_some() {
                    let (what, found) = ("reportable change of a data type", kind.code().into());
                    let expected = "a change for an analog type, none for another";
                    return Err(EncodeError::OutOfRange { what, found, expected });
                }
                out.push(0);
                out.extend(id.to_le_bytes());
                out.push(kind.code());
                out.extend(min_s.to_le_bytes());
                out.extend(max_s.to_le_bytes());
                value.map_or(Ok(()), |value| value.put(out))
            }
            Self::Expect { id, timeout_s } => {
                out.push(1);
                out.extend(id.to_le_bytes());
                out.extend(timeout_s.to_le_bytes());
                Ok(())
            }
        }
    }
}

/// The answer to configured reporting (ZCL 075123, 2.5.8): all went well, or one that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportingStatus {
    /// All attributes are reported as asked; the only record then.
    AllConfigured,
    /// One is not.
    Failed {
        /// Why not.
        status: Status,
        /// The direction that was asked for: 0 to send, 1 to expect.
        direction: u8,
        /// Which.
        id: u16,
    },
}

impl<'a> Record<'a> for ReportingStatus {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match all_or_failed(reader)? {
            Status::SUCCESS => Ok(Self::AllConfigured),
            status => Ok(Self::Failed {
                status,
                direction: reader.u8("direction of a report")?,
                id: reader.u16("attribute identifier")?,
            }),
        }
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::AllConfigured => out.push(Status::SUCCESS.0),
            Self::Failed { status: Status::SUCCESS, .. } => {
                return Err(success_without_value("status of configured reporting"));
            }
            Self::Failed { status, direction, id } => {
                out.extend([status.0, direction]);
                out.extend(id.to_le_bytes());
            }
        }
        Ok(())
    }
}

/// The answer where no other answer is (ZCL 075123, 2.5.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultResponse {
    /// The command that is answered.
    pub command: u8,
    /// How it ended.
    pub status: Status,
}

impl<'a> Record<'a> for DefaultResponse {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let command = reader.u8("command that is answered")?;
        Ok(Self { command, status: Status(reader.u8("status of a command")?) })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend([self.command, self.status.0]);
        Ok(())
    }
}

/// A global command.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Global<'a> {
    Read(Records<'a, AttributeId>),
    ReadResponse(Records<'a, ReadRecord<'a>>),
    Write(Records<'a, Attribute<'a>>),
    WriteResponse(Records<'a, WriteRecord>),
    ConfigureReporting(Records<'a, ReportingRecord<'a>>),
    ConfigureReportingResponse(Records<'a, ReportingStatus>),
    Report(Records<'a, Attribute<'a>>),
    DefaultResponse(DefaultResponse),
}

impl<'a> Global<'a> {
    /// The command of a frame; its records are read later.
    pub fn decode(frame: &Frame<'a>) -> Result<Self, DecodeError> {
        if frame.header.frame_type != FrameType::Global {
            let (what, expected) = ("frame type in the frame control", "00, a global command");
            return Err(DecodeError::Unexpected { what, at: 0, found: 1, expected });
        }
        let payload = frame.payload;
        Ok(match frame.header.command {
            command::READ => Self::Read(Records::new(payload)),
            command::READ_RESPONSE => Self::ReadResponse(Records::new(payload)),
            command::WRITE => Self::Write(Records::new(payload)),
            command::WRITE_RESPONSE => Self::WriteResponse(Records::new(payload)),
            command::CONFIGURE_REPORTING => Self::ConfigureReporting(Records::new(payload)),
            command::CONFIGURE_REPORTING_RESPONSE => {
                Self::ConfigureReportingResponse(Records::new(payload))
            }
            command::REPORT => Self::Report(Records::new(payload)),
            command::DEFAULT_RESPONSE => {
                let mut reader = Reader::new(payload);
                let response = DefaultResponse::take(&mut reader)?;
                reader.end("default response")?;
                Self::DefaultResponse(response)
            }
            found => {
                // Frame control, a manufacturer's code if there is one, sequence number.
                let at = 2 + 2 * usize::from(frame.header.manufacturer.is_some());
                let (found, expected) = (found.into(), "00, 01, 02, 04, 06, 07, 0A or 0B");
                return Err(DecodeError::Unexpected {
                    what: "global command",
                    at,
                    found,
                    expected,
                });
            }
        })
    }
}
