//! The description of what may be written: fields, their kinds, and registry entries.

lastmeter_units::words! {
    /// The physical dimension of a value; it decides which units may stand behind the number.
    pub enum Dimension {
        /// A bare number, or a share in `%` or `ppm`.
        Ratio = "ratio",
        /// Time in seconds.
        Time = "time",
        /// Frequency in hertz.
        Frequency = "frequency",
        /// Voltage in volts.
        Voltage = "voltage",
        /// Current in amperes.
        Current = "current",
        /// Active power in watts.
        ActivePower = "active power",
        /// Reactive power in vars.
        ReactivePower = "reactive power",
        /// Apparent power in volt-amperes.
        ApparentPower = "apparent power",
        /// Active energy in joules.
        ActiveEnergy = "active energy",
        /// Reactive energy in var-seconds.
        ReactiveEnergy = "reactive energy",
        /// Apparent energy in volt-ampere-seconds.
        ApparentEnergy = "apparent energy",
        /// Plane angle in radians.
        Angle = "angle",
        /// Resistance in ohms.
        Resistance = "resistance",
        /// A temperature in degrees Celsius.
        Temperature = "temperature",
        /// A difference of temperatures in kelvins.
        TemperatureDifference = "temperature difference",
        /// Volume in cubic metres.
        Volume = "volume",
        /// Volume flow in cubic metres per second.
        VolumeFlow = "volume flow",
        /// Pressure in pascals.
        Pressure = "pressure",
    }
}

impl Dimension {
    /// Its name with an article, for a sentence.
    pub(crate) fn with_article(self) -> String {
        let article = if self.word().starts_with('a') { "an" } else { "a" };
        format!("{article} {self}")
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A name others refer to: letters, digits, `-`, `_`, `.`; at most 64 characters.
    Name,
    /// A name, a pattern with `*`, or a list of them; `!` before one leaves out what it fits. As a
    /// text commas stand between them.
    Pattern,
    /// `true` or `false`.
    Boolean,
    /// A whole number within the bounds, both included.
    Integer {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A number with a unit, as text (`"230 V"`); a ratio may also be a bare number. The bounds
    /// are in the dimension's SI unit and included.
    Quantity {
        /// Its dimension.
        dimension: Dimension,
        /// Smallest allowed.
        min: f64,
        /// Largest allowed.
        max: f64,
    },
    /// Like `Quantity`, in any of several dimensions (a limit in `%` or in `V`), not negative and
    /// never a bare number.
    QuantityOfAny(&'static [Dimension]),
    /// A date with time and offset, as a TOML date-time.
    Instant,
    /// One of the listed words.
    Choice(&'static [&'static str]),
    /// A list of values of one kind.
    List(&'static Self),
    /// A table with keys of the author's choice and plain values, which are kept as text, such as
    /// the parameters of a command.
    Texts,
    /// A table with keys of the author's choice and any values, for whoever reads the document.
    Open,
    /// A table with these fields.
    Table(&'static [Field]),
}

/// Whether a field has to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Presence {
    /// Leaving it out is an error.
    Required,
    /// It may be left out, and then nothing stands in its place.
    Optional,
    /// Left out, this TOML value stands in its place (written as in a file: `"\"10 s\""`, `"3"`).
    Default(&'static str),
    /// A key of earlier versions: writing it is an error, whose help is [`Field::doc`].
    Retired,
}

/// One key of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The key as it is written.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it has to be there.
    pub presence: Presence,
    /// One sentence for help and schema.
    pub doc: &'static str,
}

impl Field {
    /// A key that has to be there.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, presence: Presence::Required, doc }
    }

    /// A key that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, presence: Presence::Optional, doc }
    }

    /// A key with a default, given as a TOML value.
    pub const fn default(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, presence: Presence::Default(default), doc }
    }

    /// A key of earlier versions; `help` states what to write instead.
    pub const fn retired(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Text, presence: Presence::Retired, doc: help }
    }

    /// Whether it may be written.
    pub fn is_current(&self) -> bool {
        self.presence != Presence::Retired
    }
}

/// One registered thing: what every registry slice (sources, devices, injections, checks) lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The word in the scenario.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// The long text of `lastmeter explain`.
    pub description: &'static str,
    /// The fields it adds to its table, besides those every table of its section has.
    pub fields: &'static [Field],
}
