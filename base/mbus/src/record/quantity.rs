//! What a value information field can name: quantities and their units.

/// Makes an enumeration whose variants have a text.
macro_rules! named {
    ($(#[$head:meta])* $name:ident, $method:ident: $($variant:ident = $text:literal,)*) => {
        $(#[$head])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// Its text.
            pub const fn $method(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

named! {
    /// What a record measures or states (EN 13757-3, tables 8, 12 and 14).
    Quantity, name:
    Energy = "energy",
    ReactiveEnergy = "reactive energy",
    ApparentEnergy = "apparent energy",
    Volume = "volume",
    Mass = "mass",
    OnTime = "on time",
    OperatingTime = "operating time",
    Power = "power",
    ReactivePower = "reactive power",
    ApparentPower = "apparent power",
    MaximumPower = "cumulation of maximum power",
    VolumeFlow = "volume flow",
    MassFlow = "mass flow",
    FlowTemperature = "flow temperature",
    ReturnTemperature = "return temperature",
    TemperatureDifference = "temperature difference",
    ExternalTemperature = "external temperature",
    TemperatureLimit = "cold or warm temperature limit",
    RelativeHumidity = "relative humidity",
    Pressure = "pressure",
    Date = "date",
    DateTime = "date and time",
    HeatCostAllocation = "units for heat cost allocation",
    AveragingDuration = "averaging duration",
    ActualityDuration = "actuality duration",
    FabricationNumber = "fabrication number",
    EnhancedIdentification = "enhanced identification",
    Address = "address",
    PlainText = "plain text",
    Any = "any value information",
    ManufacturerSpecific = "manufacturer specific",
    Reserved = "reserved",
    Credit = "credit",
    Debit = "debit",
    AccessNumber = "access number",
    Medium = "device type",
    Manufacturer = "manufacturer",
    ParameterSet = "parameter set identification",
    Model = "model or version",
    HardwareVersion = "hardware version",
    FirmwareVersion = "firmware version",
    SoftwareVersion = "software version",
    CustomerLocation = "customer location",
    Customer = "customer",
    AccessCodeUser = "access code of the user",
    AccessCodeOperator = "access code of the operator",
    AccessCodeSystemOperator = "access code of the system operator",
    AccessCodeDeveloper = "access code of the developer",
    Password = "password",
    ErrorFlags = "error flags",
    ErrorMask = "error mask",
    SecurityKey = "security key",
    DigitalOutput = "digital output",
    DigitalInput = "digital input",
    BaudRate = "baud rate",
    ResponseDelay = "response delay time",
    Retry = "retry",
    RemoteControl = "remote control",
    FirstStorage = "first storage number of a cyclic storage",
    LastStorage = "last storage number of a cyclic storage",
    StorageSize = "size of the storage block",
    TariffDescriptor = "descriptor of tariff and subunit",
    StorageInterval = "storage interval",
    OperatorData = "operator specific data",
    TimePointSecond = "second of a time point",
    DurationSinceReadout = "duration since the last readout",
    TariffStart = "start of the tariff",
    TariffDuration = "duration of the tariff",
    TariffPeriod = "period of the tariff",
    Dimensionless = "dimensionless",
    WirelessContainer = "container of wireless M-Bus data",
    TransmissionPeriod = "period of nominal data transmissions",
    Voltage = "voltage",
    Current = "current",
    ResetCounter = "reset counter",
    CumulationCounter = "cumulation counter",
    ControlSignal = "control signal",
    DayOfWeek = "day of the week",
    WeekNumber = "week number",
    DayChange = "time point of the day change",
    ParameterActivation = "state of the parameter activation",
    SupplierInformation = "special supplier information",
    DurationSinceCumulation = "duration since the last cumulation",
    BatteryOperatingTime = "operating time of the battery",
    BatteryChange = "date and time of the battery change",
    RadioLevel = "radio level",
    DaylightSaving = "daylight saving",
    ListeningWindow = "management of the listening window",
    BatteryLifetime = "remaining lifetime of the battery",
    StopCounter = "number of times the meter was stopped",
    ManufacturerContainer = "container of manufacturer specific data",
    PhaseVoltageToVoltage = "phase angle, voltage to voltage",
    PhaseVoltageToCurrent = "phase angle, voltage to current",
    Frequency = "frequency",
    Time = "time of day",
    Temperature = "temperature",
}

named! {
    /// The unit to which the exponent of a record refers.
    Unit, symbol:
    None = "",
    WattHour = "Wh",
    VarHour = "varh",
    VoltAmpereHour = "VAh",
    Joule = "J",
    Calorie = "cal",
    CubicMetre = "m^3",
    Litre = "l",
    CubicFoot = "ft^3",
    Gallon = "gal(US)",
    Kilogram = "kg",
    Second = "s",
    Minute = "min",
    Hour = "h",
    Day = "d",
    Month = "months",
    Year = "a",
    Watt = "W",
    Var = "var",
    VoltAmpere = "VA",
    JoulePerHour = "J/h",
    CubicMetrePerHour = "m^3/h",
    CubicMetrePerMinute = "m^3/min",
    CubicMetrePerSecond = "m^3/s",
    LitrePerHour = "l/h",
    GallonPerMinute = "gal(US)/min",
    GallonPerHour = "gal(US)/h",
    KilogramPerHour = "kg/h",
    DegreeCelsius = "°C",
    DegreeFahrenheit = "°F",
    Kelvin = "K",
    Bar = "bar",
    Percent = "%",
    HeatCostUnit = "HCA units",
    Currency = "currency units",
    Baud = "baud",
    BitTime = "bit times",
    Volt = "V",
    Ampere = "A",
    Hertz = "Hz",
    DegreeOfArc = "°",
    DecibelMilliwatt = "dBm",
    Historic = "of the other counter, historic",
}

impl Quantity {
    /// Whether its integers are signed values (type B), the most negative of which is "not valid":
    /// what can be counted, numbered or coded in bits is not (types C and D), nor is what nobody
    /// but the manufacturer can read.
    pub const fn is_signed(self) -> bool {
        !matches!(
            self,
            Self::FabricationNumber
                | Self::EnhancedIdentification
                | Self::Address
                | Self::Any
                | Self::ManufacturerSpecific
                | Self::Reserved
                | Self::AccessNumber
                | Self::Medium
                | Self::Manufacturer
                | Self::ParameterSet
                | Self::Model
                | Self::HardwareVersion
                | Self::FirmwareVersion
                | Self::SoftwareVersion
                | Self::CustomerLocation
                | Self::Customer
                | Self::AccessCodeUser
                | Self::AccessCodeOperator
                | Self::AccessCodeSystemOperator
                | Self::AccessCodeDeveloper
                | Self::Password
                | Self::ErrorFlags
                | Self::ErrorMask
                | Self::SecurityKey
                | Self::DigitalOutput
                | Self::DigitalInput
                | Self::RemoteControl
                | Self::TariffDescriptor
                | Self::OperatorData
                | Self::WirelessContainer
                | Self::ControlSignal
                | Self::SupplierInformation
                | Self::ManufacturerContainer
        )
    }
}

/// Quantity, unit and power of ten of a value information field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What it is.
    pub quantity: Quantity,
    /// The unit that the scaled value has.
    pub unit: Unit,
    /// The power of ten that the integer is multiplied by.
    pub exponent: i8,
}

impl Meaning {
    pub(crate) const fn new(quantity: Quantity, unit: Unit, exponent: i8) -> Self {
        Self { quantity, unit, exponent }
    }
}
