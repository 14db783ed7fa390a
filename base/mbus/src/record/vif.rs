//! Value information fields: the primary table and the extension tables FB and FD
//! (EN 13757-3, tables 8, 12 and 14).

use super::quantity::{Meaning, Quantity as Q, Unit as U};

/// What a record's value information block begins with. Codes have seven bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vif<'a> {
    /// The primary table, 7E (any) and 7F (manufacturer specific) included.
    Primary(u8),
    /// The extension table behind FD.
    Fd(u8),
    /// The extension table behind FB.
    Fb(u8),
    /// 7C or FC: the unit as text, Latin-1, last character first as transmitted.
    PlainText(&'a [u8]),
}

/// 7C with or without the extension bit: a text follows.
pub(crate) const PLAIN_TEXT: u8 = 0x7C;
/// 7B: with the extension bit, the FB table follows.
pub(crate) const TABLE_FB: u8 = 0x7B;
/// 7D: with the extension bit, the FD table follows.
pub(crate) const TABLE_FD: u8 = 0x7D;
/// What follows is the manufacturer's.
pub(crate) const MANUFACTURER: u8 = 0x7F;

/// Seconds, minutes, hours, days.
const fn time(n: u8) -> U {
    [U::Second, U::Minute, U::Hour, U::Day][(n & 3) as usize]
}

/// Hours, days, months, years.
const fn long_time(n: u8) -> U {
    [U::Hour, U::Day, U::Month, U::Year][(n & 3) as usize]
}

const fn primary(code: u8) -> Meaning {
    let n = (code & 7) as i8;
    let nn = (code & 3) as i8;
    match code {
        0x00..=0x07 => Meaning::new(Q::Energy, U::WattHour, n - 3),
        0x08..=0x0F => Meaning::new(Q::Energy, U::Joule, n),
        0x10..=0x17 => Meaning::new(Q::Volume, U::CubicMetre, n - 6),
        0x18..=0x1F => Meaning::new(Q::Mass, U::Kilogram, n - 3),
        0x20..=0x23 => Meaning::new(Q::OnTime, time(code), 0),
        0x24..=0x27 => Meaning::new(Q::OperatingTime, time(code), 0),
        0x28..=0x2F => Meaning::new(Q::Power, U::Watt, n - 3),
        0x30..=0x37 => Meaning::new(Q::Power, U::JoulePerHour, n),
        0x38..=0x3F => Meaning::new(Q::VolumeFlow, U::CubicMetrePerHour, n - 6),
        0x40..=0x47 => Meaning::new(Q::VolumeFlow, U::CubicMetrePerMinute, n - 7),
        0x48..=0x4F => Meaning::new(Q::VolumeFlow, U::CubicMetrePerSecond, n - 9),
        0x50..=0x57 => Meaning::new(Q::MassFlow, U::KilogramPerHour, n - 3),
        0x58..=0x5B => Meaning::new(Q::FlowTemperature, U::DegreeCelsius, nn - 3),
        0x5C..=0x5F => Meaning::new(Q::ReturnTemperature, U::DegreeCelsius, nn - 3),
        0x60..=0x63 => Meaning::new(Q::TemperatureDifference, U::Kelvin, nn - 3),
        0x64..=0x67 => Meaning::new(Q::ExternalTemperature, U::DegreeCelsius, nn - 3),
        0x68..=0x6B => Meaning::new(Q::Pressure, U::Bar, nn - 3),
        0x6C => Meaning::new(Q::Date, U::None, 0),
        0x6D => Meaning::new(Q::DateTime, U::None, 0),
        0x6E => Meaning::new(Q::HeatCostAllocation, U::HeatCostUnit, 0),
        0x70..=0x73 => Meaning::new(Q::AveragingDuration, time(code), 0),
        0x74..=0x77 => Meaning::new(Q::ActualityDuration, time(code), 0),
        0x78 => Meaning::new(Q::FabricationNumber, U::None, 0),
        0x79 => Meaning::new(Q::EnhancedIdentification, U::None, 0),
        0x7A => Meaning::new(Q::Address, U::None, 0),
        PLAIN_TEXT => PLAIN,
        0x7E => Meaning::new(Q::Any, U::None, 0),
        MANUFACTURER => Meaning::new(Q::ManufacturerSpecific, U::None, 0),
        _ => Meaning::new(Q::Reserved, U::None, 0),
    }
}

const PLAIN: Meaning = Meaning::new(Q::PlainText, U::None, 0);

const fn table_fd(code: u8) -> Meaning {
    let nn = (code & 3) as i8;
    let nnnn = (code & 15) as i8;
    match code {
        0x00..=0x03 => return Meaning::new(Q::Credit, U::Currency, nn - 3),
        0x04..=0x07 => return Meaning::new(Q::Debit, U::Currency, nn - 3),
        0x40..=0x4F => return Meaning::new(Q::Voltage, U::Volt, nnnn - 9),
        0x50..=0x5F => return Meaning::new(Q::Current, U::Ampere, nnnn - 12),
        _ => {}
    }
    let (quantity, unit) = match code {
        0x1C => (Q::BaudRate, U::Baud),
        0x1D => (Q::ResponseDelay, U::BitTime),
        0x24..=0x27 => (Q::StorageInterval, time(code)),
        0x28 => (Q::StorageInterval, U::Month),
        0x29 => (Q::StorageInterval, U::Year),
        0x2B => (Q::TimePointSecond, U::Second),
        0x2C..=0x2F => (Q::DurationSinceReadout, time(code)),
        0x31..=0x33 => (Q::TariffDuration, time(code)),
        0x34..=0x37 => (Q::TariffPeriod, time(code)),
        0x38 => (Q::TariffPeriod, U::Month),
        0x39 => (Q::TariffPeriod, U::Year),
        0x3C..=0x3F => (Q::TransmissionPeriod, time(code)),
        0x68..=0x6B => (Q::DurationSinceCumulation, long_time(code)),
        0x6C..=0x6F => (Q::BatteryOperatingTime, long_time(code)),
        0x71 => (Q::RadioLevel, U::DecibelMilliwatt),
        0x74 => (Q::BatteryLifetime, U::Day),
        _ => (table_fd_without_unit(code), U::None),
    };
    Meaning::new(quantity, unit, 0)
}

const fn table_fd_without_unit(code: u8) -> Q {
    match code {
        0x08 => Q::AccessNumber,
        0x09 => Q::Medium,
        0x0A => Q::Manufacturer,
        0x0B => Q::ParameterSet,
        0x0C => Q::Model,
        0x0D => Q::HardwareVersion,
        0x0E => Q::FirmwareVersion,
        0x0F => Q::SoftwareVersion,
        0x10 => Q::CustomerLocation,
        0x11 => Q::Customer,
        0x12 => Q::AccessCodeUser,
        0x13 => Q::AccessCodeOperator,
        0x14 => Q::AccessCodeSystemOperator,
        0x15 => Q::AccessCodeDeveloper,
        0x16 => Q::Password,
        0x17 => Q::ErrorFlags,
        0x18 => Q::ErrorMask,
        0x19 => Q::SecurityKey,
        0x1A => Q::DigitalOutput,
        0x1B => Q::DigitalInput,
        0x1E => Q::Retry,
        0x1F => Q::RemoteControl,
        0x20 => Q::FirstStorage,
        0x21 => Q::LastStorage,
        0x22 => Q::StorageSize,
        0x23 => Q::TariffDescriptor,
        0x2A => Q::OperatorData,
        0x30 => Q::TariffStart,
        0x3A => Q::Dimensionless,
        0x3B => Q::WirelessContainer,
        0x60 => Q::ResetCounter,
        0x61 => Q::CumulationCounter,
        0x62 => Q::ControlSignal,
        0x63 => Q::DayOfWeek,
        0x64 => Q::WeekNumber,
        0x65 => Q::DayChange,
        0x66 => Q::ParameterActivation,
        0x67 => Q::SupplierInformation,
        0x70 => Q::BatteryChange,
        0x72 => Q::DaylightSaving,
        0x73 => Q::ListeningWindow,
        0x75 => Q::StopCounter,
        0x76 => Q::ManufacturerContainer,
        _ => Q::Reserved,
    }
}

const fn table_fb(code: u8) -> Meaning {
    let n = (code & 1) as i8;
    let nn = (code & 3) as i8;
    let nnn = (code & 7) as i8;
    match code {
        0x00..=0x01 => Meaning::new(Q::Energy, U::WattHour, n + 5),
        0x02..=0x03 => Meaning::new(Q::ReactiveEnergy, U::VarHour, n + 3),
        0x04..=0x05 => Meaning::new(Q::ApparentEnergy, U::VoltAmpereHour, n + 3),
        0x08..=0x09 => Meaning::new(Q::Energy, U::Joule, n + 8),
        0x0C..=0x0F => Meaning::new(Q::Energy, U::Calorie, nn + 5),
        0x10..=0x11 => Meaning::new(Q::Volume, U::CubicMetre, n + 2),
        0x14..=0x17 => Meaning::new(Q::ReactivePower, U::Var, nn),
        0x18..=0x19 => Meaning::new(Q::Mass, U::Kilogram, n + 5),
        0x1A..=0x1B => Meaning::new(Q::RelativeHumidity, U::Percent, n - 1),
        0x20 => Meaning::new(Q::Volume, U::CubicFoot, 0),
        0x21 => Meaning::new(Q::Volume, U::CubicFoot, -1),
        0x22..=0x23 => Meaning::new(Q::Volume, U::Gallon, n - 1),
        0x24 => Meaning::new(Q::VolumeFlow, U::GallonPerMinute, -3),
        0x25 => Meaning::new(Q::VolumeFlow, U::GallonPerMinute, 0),
        0x26 => Meaning::new(Q::VolumeFlow, U::GallonPerHour, 0),
        0x28..=0x29 => Meaning::new(Q::Power, U::Watt, n + 5),
        0x2A => Meaning::new(Q::PhaseVoltageToVoltage, U::DegreeOfArc, -1),
        0x2B => Meaning::new(Q::PhaseVoltageToCurrent, U::DegreeOfArc, -1),
        0x2C..=0x2F => Meaning::new(Q::Frequency, U::Hertz, nn - 3),
        0x30..=0x31 => Meaning::new(Q::Power, U::JoulePerHour, n + 8),
        0x34..=0x37 => Meaning::new(Q::ApparentPower, U::VoltAmpere, nn),
        0x58..=0x5B => Meaning::new(Q::FlowTemperature, U::DegreeFahrenheit, nn - 3),
        0x5C..=0x5F => Meaning::new(Q::ReturnTemperature, U::DegreeFahrenheit, nn - 3),
        0x60..=0x63 => Meaning::new(Q::TemperatureDifference, U::DegreeFahrenheit, nn - 3),
        0x64..=0x67 => Meaning::new(Q::ExternalTemperature, U::DegreeFahrenheit, nn - 3),
        0x70..=0x73 => Meaning::new(Q::TemperatureLimit, U::DegreeFahrenheit, nn - 3),
        0x74..=0x77 => Meaning::new(Q::TemperatureLimit, U::DegreeCelsius, nn - 3),
        0x78..=0x7F => Meaning::new(Q::MaximumPower, U::Watt, nnn - 3),
        _ => Meaning::new(Q::Reserved, U::None, 0),
    }
}

type Table = [Meaning; 128];

macro_rules! table {
    ($row:ident) => {{
        let mut table = [PLAIN; 128];
        let mut code = 0;
        while code < 128 {
            table[code] = $row(code as u8);
            code += 1;
        }
        table
    }};
}

static PRIMARY: Table = table!(primary);
static FD: Table = table!(table_fd);
static FB: Table = table!(table_fb);

impl Vif<'_> {
    /// Quantity, unit and power of ten.
    pub fn meaning(&self) -> Meaning {
        match *self {
            Self::Primary(code) => PRIMARY[usize::from(code & 0x7F)],
            Self::Fd(code) => FD[usize::from(code & 0x7F)],
            Self::Fb(code) => FB[usize::from(code & 0x7F)],
            Self::PlainText(_) => PLAIN,
        }
    }
}
