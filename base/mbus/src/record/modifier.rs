//! Combinable value information field extensions (EN 13757-3, tables 15 and 16).

/// The codes of a record's combinable extensions, seven bits each; bit 7 is ignored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vifes<'a>(pub &'a [u8]);

impl PartialEq for Vifes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.codes().eq(other.codes())
    }
}

impl Eq for Vifes<'_> {}

/// The meaning of one extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// 00 to 1F in an answer: what is wrong with the record, or how it is to be read.
    Record(&'static str),
    /// What the value refers to, counts or is divided by.
    Reference(&'static str),
    /// The value is a date, or date and time.
    TimePoint(&'static str),
    /// 70 to 77 and 7D: the value times a power of ten.
    Multiply {
        /// The power of ten.
        exponent: i8,
    },
    /// 78 to 7B: the value plus a power of ten, in its unit.
    Add {
        /// The power of ten.
        exponent: i8,
    },
    /// A code of the table behind FC.
    Extended(&'static str),
    /// 7F: what follows, and the value, is the manufacturer's.
    Manufacturer,
    /// A code behind 7F.
    ManufacturerCode(u8),
    /// Nothing that the standard defines.
    Reserved(u8),
}

/// 7C with the extension bit: the next code is from the second table.
const SECOND_TABLE: u8 = 0x7C;

impl<'a> Vifes<'a> {
    /// Their codes, of seven bits.
    pub fn codes(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.0.iter().map(|byte| byte & 0x7F)
    }

    /// Their meanings, one for each (two codes where the second table is announced).
    pub fn modifiers(&self) -> Modifiers<'a> {
        Modifiers { rest: self.0, manufacturer: false }
    }

    /// Whether one makes the value a date, or date and time.
    pub(crate) fn is_time_point(&self) -> bool {
        !self.0.is_empty() && self.modifiers().any(|one| matches!(one, Modifier::TimePoint(_)))
    }
}

/// The meanings of extensions, in their order.
#[derive(Debug, Clone)]
pub struct Modifiers<'a> {
    rest: &'a [u8],
    manufacturer: bool,
}

impl Iterator for Modifiers<'_> {
    type Item = Modifier;

    fn next(&mut self) -> Option<Modifier> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let code = first & 0x7F;
        if self.manufacturer {
            return Some(Modifier::ManufacturerCode(code));
        }
        if code == 0x7F {
            self.manufacturer = true;
            return Some(Modifier::Manufacturer);
        }
        if code == SECOND_TABLE
            && let Some((&second, rest)) = self.rest.split_first()
        {
            self.rest = rest;
            let text = second_table(second & 0x7F);
            return Some(text.map_or(Modifier::Reserved(second & 0x7F), Modifier::Extended));
        }
        Some(modifier(code))
    }
}

fn modifier(code: u8) -> Modifier {
    match code {
        0x00..=0x1F => record(code).map_or(Modifier::Reserved(code), Modifier::Record),
        0x39 => Modifier::TimePoint("start of"),
        0x42 | 0x46 => Modifier::TimePoint("begin of the lower limit exceed"),
        0x43 | 0x47 => Modifier::TimePoint("end of the lower limit exceed"),
        0x4A | 0x4E => Modifier::TimePoint("begin of the upper limit exceed"),
        0x4B | 0x4F => Modifier::TimePoint("end of the upper limit exceed"),
        0x6A | 0x6E => Modifier::TimePoint("begin of"),
        0x6B | 0x6F => Modifier::TimePoint("end of"),
        0x70..=0x77 => Modifier::Multiply { exponent: (code & 7) as i8 - 6 },
        0x78..=0x7B => Modifier::Add { exponent: (code & 3) as i8 - 3 },
        0x7D => Modifier::Multiply { exponent: 3 },
        _ => reference(code).map_or(Modifier::Reserved(code), Modifier::Reference),
    }
}

fn record(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "no error",
        0x01 => "too many DIFE",
        0x02 => "storage number not implemented",
        0x03 => "subunit not implemented",
        0x04 => "tariff not implemented",
        0x05 => "function not implemented",
        0x06 => "data class not implemented",
        0x07 => "data size not implemented",
        0x0B => "too many VIFE",
        0x0C => "illegal VIF group",
        0x0D => "illegal VIF exponent",
        0x0E => "VIF and DIF do not fit",
        0x0F => "action not implemented",
        0x12 => "average value",
        0x13 => "inverse compact profile",
        0x14 => "relative deviation",
        0x15 => "no data available",
        0x16 => "data overflow",
        0x17 => "data underflow",
        0x18 => "data error",
        0x1C => "premature end of the record",
        0x1D => "standard conforming data content",
        0x1E => "compact profile with register numbers",
        0x1F => "compact profile",
        _ => return None,
    })
}

fn reference(code: u8) -> Option<&'static str> {
    Some(match code {
        0x20 => "per second",
        0x21 => "per minute",
        0x22 => "per hour",
        0x23 => "per day",
        0x24 => "per week",
        0x25 => "per month",
        0x26 => "per year",
        0x27 => "per revolution or measurement",
        0x28 | 0x29 => "increment per input pulse",
        0x2A | 0x2B => "increment per output pulse",
        0x2C => "per litre",
        0x2D => "per cubic metre",
        0x2E => "per kilogram",
        0x2F => "per kelvin",
        0x30 => "per kilowatt hour",
        0x31 => "per gigajoule",
        0x32 => "per kilowatt",
        0x33 => "per kelvin and litre",
        0x34 => "per volt",
        0x35 => "per ampere",
        0x36 => "times second",
        0x37 => "times second per volt",
        0x38 => "times second per ampere",
        0x3A => "uncorrected unit",
        0x3B => "accumulation only if positive",
        0x3C => "accumulation of the absolute value only if negative",
        0x3D => "alternate unit system",
        0x3E => "value at base conditions",
        0x3F => "OBIS declaration",
        0x40 => "lower limit",
        0x48 => "upper limit",
        0x41 => "number of lower limit exceeds",
        0x49 => "number of upper limit exceeds",
        0x50..=0x57 => "duration of a lower limit exceed",
        0x58..=0x5F => "duration of an upper limit exceed",
        0x60..=0x67 => "duration of",
        0x68 => "value during a lower limit exceed",
        0x6C => "value during an upper limit exceed",
        0x69 => "leakage",
        0x6D => "overflow",
        0x7E => "future value",
        _ => return None,
    })
}

fn second_table(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "at phase L1",
        0x02 => "at phase L2",
        0x03 => "at phase L3",
        0x04 => "at neutral",
        0x05 => "between phases L1 and L2",
        0x06 => "between phases L2 and L3",
        0x07 => "between phases L3 and L1",
        0x08 => "at quadrant Q1",
        0x09 => "at quadrant Q2",
        0x0A => "at quadrant Q3",
        0x0B => "at quadrant Q4",
        0x0C => "difference of import and export",
        0x10 => "accumulation of the absolute value",
        0x11 => "data presented with type C",
        0x12 => "data presented with type D",
        0x13 => "direction from the communication partner to the meter",
        0x14 => "direction from the meter to the communication partner",
        _ => return None,
    })
}
