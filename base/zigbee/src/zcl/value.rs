//! Typed values of attributes (ZCL 075123, 2.6.2, table 2-10, unverified).
//!
//! Each type but bitmaps has one pattern of bits that stands for "no value": it is read as `None`,
//! written from `None`, and never passes for a number.

use std::fmt;

use crate::bytes::{DecodeError, EncodeError, Reader};

macro_rules! types {
    ($(
        $(#[$doc:meta])* $name:ident($content:ty) = $code:literal, analog: $is_analog:literal;
    )*) => {
        /// The type of a value, by its code on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Type {
            $($(#[$doc])* $name = $code,)*
        }

        /// A value with its type; `None` is "no value".
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Value<'a> {
            $($(#[$doc])* $name($content),)*
        }

        impl Type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Whether its values are amounts, so that a report can wait for a change (ZCL 075123,
            /// 2.6.2).
            pub const fn is_analog(self) -> bool {
                match self {
                    $(Self::$name => $is_analog,)*
                }
            }
        }

        impl Value<'_> {
            /// Its type.
            pub const fn kind(&self) -> Type {
                match self {
                    $(Self::$name(_) => Type::$name,)*
                }
            }
        }
    };
}

types! {
    /// True or false.
    Bool(Option<bool>) = 0x10, analog: false;
    /// Eight bits.
    Map8(u8) = 0x18, analog: false;
    /// Sixteen bits.
    Map16(u16) = 0x19, analog: false;
    /// Thirty-two bits.
    Map32(u32) = 0x1B, analog: false;
    /// Unsigned, 8 bits.
    U8(Option<u8>) = 0x20, analog: true;
    /// Unsigned, 16 bits.
    U16(Option<u16>) = 0x21, analog: true;
    /// Unsigned, 24 bits.
    U24(Option<u32>) = 0x22, analog: true;
    /// Unsigned, 32 bits.
    U32(Option<u32>) = 0x23, analog: true;
    /// Unsigned, 48 bits.
    U48(Option<u64>) = 0x25, analog: true;
    /// Signed, 8 bits.
    I8(Option<i8>) = 0x28, analog: true;
    /// Signed, 16 bits.
    I16(Option<i16>) = 0x29, analog: true;
    /// Signed, 24 bits.
    I24(Option<i32>) = 0x2A, analog: true;
    /// Signed, 32 bits.
    I32(Option<i32>) = 0x2B, analog: true;
    /// One of a list, 8 bits.
    Enum8(Option<u8>) = 0x30, analog: false;
    /// One of a list, 16 bits.
    Enum16(Option<u16>) = 0x31, analog: false;
    /// At most 254 bytes.
    Octets(Option<&'a [u8]>) = 0x41, analog: false;
    /// At most 254 bytes that should be UTF-8.
    Text(Option<&'a [u8]>) = 0x42, analog: false;
    /// Seconds since 2000-01-01 00:00:00 UTC.
    Utc(Option<u32>) = 0xE2, analog: true;
}

/// What a type code may be.
const TYPES: &str = "one of 10, 18, 19, 1B, 20 to 23, 25, 28 to 2B, 30, 31, 41, 42, E2";

impl Type {
    /// Its code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Reads a code.
    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (what, at) = ("data type", reader.at());
        let code = reader.u8(what)?;
        let kind = Self::ALL.iter().copied().find(|kind| kind.code() == code);
        let (found, expected) = (u64::from(code), TYPES);
        kind.ok_or(DecodeError::Unexpected { what, at, found, expected })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({:02X})", self.code())
    }
}

impl<'a> Value<'a> {
    /// An amount, a member of a list or a bitmap as a number; a truth as 1 or 0. `None` is no
    /// value, a time or a string.
    pub fn number(&self) -> Option<i64> {
        match *self {
            Self::Bool(value) => value.map(i64::from),
            Self::Map8(value) => Some(value.into()),
            Self::Map16(value) => Some(value.into()),
            Self::Map32(value) => Some(value.into()),
            Self::U8(value) | Self::Enum8(value) => value.map(i64::from),
            Self::U16(value) | Self::Enum16(value) => value.map(i64::from),
            Self::U24(value) | Self::U32(value) => value.map(i64::from),
            Self::U48(value) => value.and_then(|value| value.try_into().ok()),
            Self::I8(value) => value.map(i64::from),
            Self::I16(value) => value.map(i64::from),
            Self::I24(value) | Self::I32(value) => value.map(i64::from),
            Self::Octets(_) | Self::Text(_) | Self::Utc(_) => None,
        }
    }

    /// A character string, if it is one, has a value and is UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        let Self::Text(Some(bytes)) = *self else { return None };
        std::str::from_utf8(bytes).ok()
    }

    /// Reads a value of this type.
    pub fn take(kind: Type, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let what = "attribute value";
        Ok(match kind {
            Type::Bool => Self::Bool(truth(reader)?),
            Type::Map8 => Self::Map8(reader.u8(what)?),
            Type::Map16 => Self::Map16(reader.u16(what)?),
            Type::Map32 => Self::Map32(reader.u32(what)?),
            Type::U8 => Self::U8(unless(reader.u8(what)?, u8::MAX)),
            Type::U16 => Self::U16(unless(reader.u16(what)?, u16::MAX)),
            Type::U24 => Self::U24(unless(reader.u24(what)?, U24_NONE)),
            Type::U32 => Self::U32(unless(reader.u32(what)?, u32::MAX)),
            Type::U48 => Self::U48(unless(reader.u48(what)?, U48_NONE)),
            Type::I8 => Self::I8(unless(reader.u8(what)?.cast_signed(), i8::MIN)),
            Type::I16 => Self::I16(unless(reader.u16(what)?.cast_signed(), i16::MIN)),
            // The sign is that of bit 23.
            Type::I24 => {
                let shifted = (reader.u24(what)? << 8).cast_signed();
                Self::I24(unless(shifted >> 8, I24_NONE))
            }
            Type::I32 => Self::I32(unless(reader.u32(what)?.cast_signed(), i32::MIN)),
            Type::Enum8 => Self::Enum8(unless(reader.u8(what)?, u8::MAX)),
            Type::Enum16 => Self::Enum16(unless(reader.u16(what)?, u16::MAX)),
            Type::Octets => Self::Octets(string(reader)?),
            Type::Text => Self::Text(string(reader)?),
            Type::Utc => Self::Utc(unless(reader.u32(what)?, u32::MAX)),
        })
    }

    /// Writes the value without its type. A number that stands for no value on the wire is refused.
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::Bool(value) => out.push(value.map_or(u8::MAX, u8::from)),
            Self::Map8(value) => out.push(value),
            Self::Map16(value) => out.extend(value.to_le_bytes()),
            Self::Map32(value) => out.extend(value.to_le_bytes()),
            Self::U8(value) | Self::Enum8(value) => {
                put(value.map(i64::from), (0, 0xFE), 0xFF, 1, out)?;
            }
            Self::U16(value) | Self::Enum16(value) => {
                put(value.map(i64::from), (0, 0xFFFE), 0xFFFF, 2, out)?;
            }
            Self::U24(value) => put(value.map(i64::from), (0, 0xFF_FFFE), U24_NONE, 3, out)?,
            Self::U32(value) | Self::Utc(value) => {
                put(value.map(i64::from), (0, 0xFFFF_FFFE), u32::MAX, 4, out)?;
            }
            Self::U48(value) => {
                let number = value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
                put(number, (0, U48_NONE as i64 - 1), U48_NONE as i64, 6, out)?;
            }
            Self::I8(value) => put(value.map(i64::from), (-0x7F, 0x7F), i8::MIN, 1, out)?,
            Self::I16(value) => put(value.map(i64::from), (-0x7FFF, 0x7FFF), i16::MIN, 2, out)?,
            Self::I24(value) => {
                put(value.map(i64::from), (-0x7F_FFFF, 0x7F_FFFF), I24_NONE, 3, out)?;
            }
            Self::I32(value) => {
                put(value.map(i64::from), (-0x7FFF_FFFF, 0x7FFF_FFFF), i32::MIN, 4, out)?;
            }
            Self::Octets(value) | Self::Text(value) => put_string(value, out)?,
        }
        Ok(())
    }
}

const U24_NONE: u32 = 0xFF_FFFF;
const U48_NONE: u64 = 0xFFFF_FFFF_FFFF;
const I24_NONE: i32 = -0x80_0000;
const STRING_MAX: usize = 254;

fn unless<T: PartialEq + Copy>(value: T, none: T) -> Option<T> {
    (value != none).then_some(value)
}

fn truth(reader: &mut Reader<'_>) -> Result<Option<bool>, DecodeError> {
    let (what, at) = ("boolean", reader.at());
    match reader.u8(what)? {
        0 => Ok(Some(false)),
        1 => Ok(Some(true)),
        0xFF => Ok(None),
        found => {
            let (found, expected) = (u64::from(found), "00, 01 or FF");
            Err(DecodeError::Unexpected { what, at, found, expected })
        }
    }
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    match reader.u8("length of a string")? {
        0xFF => Ok(None),
        length => reader.take("string", length.into()).map(Some),
    }
}

/// Writes the low `size` bytes of a number of a span, or of the pattern for no value.
fn put(
    value: Option<i64>,
    (low, high): (i64, i64),
    none: impl Into<i64>,
    size: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if let Some(found) = value.filter(|value| !(low..=high).contains(value)) {
        let expected = "a number of its type that does not stand for no value";
        return Err(EncodeError::OutOfRange { what: "attribute value", found, expected });
    }
    out.extend(value.unwrap_or(none.into()).to_le_bytes().into_iter().take(size));
    Ok(())
}

fn put_string(value: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Some(bytes) = value else {
        out.push(0xFF);
        return Ok(());
    };
    if bytes.len() > STRING_MAX {
        let (found, max) = (bytes.len(), STRING_MAX);
        return Err(EncodeError::TooLong { what: "string", found, max });
    }
    out.push(bytes.len() as u8);
    out.extend(bytes);
    Ok(())
}
