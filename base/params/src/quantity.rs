//! Numbers with units as people write them: `230 V`, `0.5 %`, `1 h 30 min`.
//!
//! Case matters (`mW` is not `MW`). Decimal prefixes shift the decimal point before the text
//! becomes a binary number, so `0.3 %` is the double nearest to 0.003, not a product's rounding.

use lastmeter_units::SiUnit;

use crate::code::Code;
use crate::field::Dimension;
use crate::nearest::nearest;

/// A unit people may write.
pub(crate) struct Unit {
    pub(crate) symbol: &'static str,
    pub(crate) dimension: Dimension,
    /// A power of ten ...
    exponent: i64,
    /// ... times this gives the SI unit.
    factor: f64,
}

const fn unit(symbol: &'static str, dimension: Dimension, exponent: i64, factor: f64) -> Unit {
    Unit { symbol, dimension, exponent, factor }
}

use Dimension as D;

/// Every unit; of one dimension, the SI unit comes first.
pub(crate) static UNITS: &[Unit] = &[
    unit("V", D::Voltage, 0, 1.0),
    unit("kV", D::Voltage, 3, 1.0),
    unit("mV", D::Voltage, -3, 1.0),
    unit("uV", D::Voltage, -6, 1.0),
    unit("A", D::Current, 0, 1.0),
    unit("kA", D::Current, 3, 1.0),
    unit("mA", D::Current, -3, 1.0),
    unit("uA", D::Current, -6, 1.0),
    unit("W", D::ActivePower, 0, 1.0),
    unit("mW", D::ActivePower, -3, 1.0),
    unit("kW", D::ActivePower, 3, 1.0),
    unit("MW", D::ActivePower, 6, 1.0),
    unit("GW", D::ActivePower, 9, 1.0),
    unit("var", D::ReactivePower, 0, 1.0),
    unit("kvar", D::ReactivePower, 3, 1.0),
    unit("Mvar", D::ReactivePower, 6, 1.0),
    unit("VA", D::ApparentPower, 0, 1.0),
    unit("kVA", D::ApparentPower, 3, 1.0),
    unit("MVA", D::ApparentPower, 6, 1.0),
    unit("Hz", D::Frequency, 0, 1.0),
    unit("mHz", D::Frequency, -3, 1.0),
    unit("kHz", D::Frequency, 3, 1.0),
    unit("MHz", D::Frequency, 6, 1.0),
    unit("s", D::Time, 0, 1.0),
    unit("ms", D::Time, -3, 1.0),
    unit("us", D::Time, -6, 1.0),
    unit("ns", D::Time, -9, 1.0),
    unit("min", D::Time, 0, 60.0),
    unit("h", D::Time, 0, 3_600.0),
    unit("d", D::Time, 0, 86_400.0),
    unit("%", D::Ratio, -2, 1.0),
    unit("ppm", D::Ratio, -6, 1.0),
    unit("rad", D::Angle, 0, 1.0),
    unit("mrad", D::Angle, -3, 1.0),
    unit("deg", D::Angle, 0, std::f64::consts::PI / 180.0),
    unit("ohm", D::Resistance, 0, 1.0),
    unit("mohm", D::Resistance, -3, 1.0),
    unit("kohm", D::Resistance, 3, 1.0),
    unit("J", D::ActiveEnergy, 0, 1.0),
    unit("kJ", D::ActiveEnergy, 3, 1.0),
    unit("MJ", D::ActiveEnergy, 6, 1.0),
    unit("Ws", D::ActiveEnergy, 0, 1.0),
    unit("Wh", D::ActiveEnergy, 0, 3_600.0),
    unit("kWh", D::ActiveEnergy, 3, 3_600.0),
    unit("MWh", D::ActiveEnergy, 6, 3_600.0),
    unit("vars", D::ReactiveEnergy, 0, 1.0),
    unit("varh", D::ReactiveEnergy, 0, 3_600.0),
    unit("kvarh", D::ReactiveEnergy, 3, 3_600.0),
    unit("Mvarh", D::ReactiveEnergy, 6, 3_600.0),
    unit("VAs", D::ApparentEnergy, 0, 1.0),
    unit("VAh", D::ApparentEnergy, 0, 3_600.0),
    unit("kVAh", D::ApparentEnergy, 3, 3_600.0),
    unit("MVAh", D::ApparentEnergy, 6, 3_600.0),
    unit("°C", D::Temperature, 0, 1.0),
    unit("K", D::TemperatureDifference, 0, 1.0),
    unit("mK", D::TemperatureDifference, -3, 1.0),
    unit("m3", D::Volume, 0, 1.0),
    unit("l", D::Volume, -3, 1.0),
    unit("ml", D::Volume, -6, 1.0),
    unit("m3/s", D::VolumeFlow, 0, 1.0),
    unit("m3/h", D::VolumeFlow, 0, 1.0 / 3_600.0),
    unit("l/h", D::VolumeFlow, -3, 1.0 / 3_600.0),
    unit("l/min", D::VolumeFlow, -3, 1.0 / 60.0),
    unit("l/s", D::VolumeFlow, -3, 1.0),
    unit("Pa", D::Pressure, 0, 1.0),
    unit("kPa", D::Pressure, 3, 1.0),
    unit("mbar", D::Pressure, 2, 1.0),
    unit("bar", D::Pressure, 5, 1.0),
];

/// Other ways to write a unit, and the symbol they stand for.
const SYNONYMS: &[(&str, &str)] = &[
    ("µV", "uV"),
    ("μV", "uV"),
    ("µA", "uA"),
    ("μA", "uA"),
    ("µs", "us"),
    ("μs", "us"),
    ("°", "deg"),
    // The Greek letter, and the sign for the unit.
    ("\u{3a9}", "ohm"),
    ("\u{2126}", "ohm"),
    ("m\u{3a9}", "mohm"),
    ("m\u{2126}", "mohm"),
    ("k\u{3a9}", "kohm"),
    ("k\u{2126}", "kohm"),
    ("degC", "°C"),
    ("m³", "m3"),
    ("m³/s", "m3/s"),
    ("m³/h", "m3/h"),
    ("L", "l"),
    ("sec", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
];

impl Dimension {
    /// The SI unit's symbol; empty for a ratio.
    pub fn si_symbol(self) -> &'static str {
        match self {
            Self::Ratio => "",
            _ => UNITS.iter().find(|unit| unit.dimension == self).map_or("", |unit| unit.symbol),
        }
    }

    /// The symbols of its units, the SI unit first.
    pub fn unit_symbols(self) -> impl Iterator<Item = &'static str> {
        UNITS.iter().filter(move |unit| unit.dimension == self).map(|unit| unit.symbol)
    }

    /// All ways to write its units, for patterns.
    pub(crate) fn unit_spellings(self) -> impl Iterator<Item = &'static str> {
        let is_ours = move |symbol: &str| self.unit_symbols().any(|ours| ours == symbol);
        let synonyms = SYNONYMS.iter().filter(move |(_, symbol)| is_ours(symbol));
        self.unit_symbols().chain(synonyms.map(|(other, _)| *other))
    }

    /// A value in the SI unit, written with it (`230 V`, `0.01`).
    pub fn display_si(self, si: f64) -> String {
        format!("{si} {}", self.si_symbol()).trim_end().to_owned()
    }

    /// A value in the SI unit, written in the unit that the author used, if that is one of this
    /// dimension: who wrote percent is not answered in fractions.
    pub(crate) fn display_like(self, written: &str, si: f64) -> String {
        let number = number_prefix(written.trim());
        let symbol = written.trim()[number.len()..].trim();
        let symbol =
            SYNONYMS.iter().find(|(other, _)| *other == symbol).map_or(symbol, |(_, it)| it);
        let unit = UNITS.iter().find(|unit| unit.dimension == self && unit.symbol == symbol);
        let Some(unit) = unit.filter(|_| si.is_finite()) else { return self.display_si(si) };
        let value = si / unit.factor / power_of_ten(unit.exponent);
        // Without the digits that come of binary fractions.
        let value: f64 = format!("{value:.12e}").parse().unwrap_or(value);
        // Not in a unit that makes a row of zeros of it.
        let is_readable = value == 0.0 || (1e-3..1e7).contains(&value.abs());
        if is_readable { format!("{value} {symbol}") } else { self.display_si(si) }
    }

    /// The dimension in which values of a registered measurement are written.
    pub const fn of_unit(unit: SiUnit) -> Self {
        match unit {
            SiUnit::Watt => Self::ActivePower,
            SiUnit::Var => Self::ReactivePower,
            SiUnit::VoltAmpere => Self::ApparentPower,
            SiUnit::Joule => Self::ActiveEnergy,
            SiUnit::VarSecond => Self::ReactiveEnergy,
            SiUnit::VoltAmpereSecond => Self::ApparentEnergy,
            SiUnit::Ampere => Self::Current,
            SiUnit::Volt => Self::Voltage,
            SiUnit::Hertz => Self::Frequency,
            SiUnit::Radian => Self::Angle,
            SiUnit::One => Self::Ratio,
            SiUnit::DegreeCelsius => Self::Temperature,
            SiUnit::Kelvin => Self::TemperatureDifference,
            SiUnit::CubicMetre => Self::Volume,
            SiUnit::CubicMetrePerSecond => Self::VolumeFlow,
            SiUnit::Pascal => Self::Pressure,
        }
    }

    /// The units people would most likely write, for suggestions, the likeliest first. Angles are
    /// in radians in SI, and in degrees in everybody's head; flows and pressures likewise.
    fn usual_symbols(self) -> &'static [&'static str] {
        match self {
            Self::Ratio => &["%"],
            Self::Angle => &["deg", "rad"],
            Self::VolumeFlow => &["m3/h"],
            Self::Pressure => &["bar"],
            _ => UNITS
                .iter()
                .find(|unit| unit.dimension == self)
                .map_or(&[], |unit| std::slice::from_ref(&unit.symbol)),
        }
    }
}

/// A power of ten; exact for the exponents of units.
fn power_of_ten(exponent: i64) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

/// Why a text is no quantity of the expected dimension.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// No number where one should be.
    #[error("`{found}` is not a number with a unit")]
    NotANumber {
        /// The text that was to be a quantity.
        found: String,
        /// A quantity that would do.
        example: String,
    },
    /// A decimal comma or thousands separators.
    #[error("`{found}` contains a comma")]
    Comma {
        /// The text that was to be a quantity.
        found: String,
    },
    /// Beyond what a double holds, `nan` or `inf`.
    #[error("`{found}` is not a finite number")]
    NotFinite {
        /// The text that was to be a quantity.
        found: String,
    },
    /// A bare number.
    #[error("`{number}` has no unit")]
    MissingUnit {
        /// The number as it is written.
        number: String,
        /// The units that would do.
        suggestions: Vec<String>,
    },
    /// No unit of that name.
    #[error("`{unit}` is not a unit")]
    UnknownUnit {
        /// What stands there.
        unit: String,
        /// The unit that may have been meant.
        nearest: Option<&'static str>,
        /// What may be measured here.
        expected: Vec<Dimension>,
    },
    /// A unit of something else.
    #[error("`{unit}` is a unit of {found}, not of {}", one_of(.expected))]
    WrongDimension {
        /// The unit as it is written.
        unit: String,
        /// What it measures.
        found: Dimension,
        /// What should be measured.
        expected: Vec<Dimension>,
    },
    /// Several parts in something else than a time.
    #[error("`{found}` has several parts, and only a time may")]
    SeveralParts {
        /// The text that was to be a quantity.
        found: String,
    },
}

impl QuantityError {
    /// The code under which it is reported.
    pub fn code(&self) -> Code {
        match self {
            Self::NotANumber { .. }
            | Self::Comma { .. }
            | Self::NotFinite { .. }
            | Self::SeveralParts { .. } => Code::BAD_NUMBER,
            Self::MissingUnit { .. } => Code::MISSING_UNIT,
            Self::UnknownUnit { .. } => Code::UNKNOWN_UNIT,
            Self::WrongDimension { .. } => Code::WRONG_DIMENSION,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotANumber { example, .. } => Some(format!("write for example `\"{example}\"`")),
            Self::Comma { .. } => {
                Some("use a decimal point, and no thousands separators".to_owned())
            }
            Self::NotFinite { .. } => None,
            Self::MissingUnit { suggestions, .. } => {
                let quoted: Vec<String> =
                    suggestions.iter().map(|text| format!("`\"{text}\"`")).collect();
                Some(format!("write {}", quoted.join(" or ")))
            }
            Self::UnknownUnit { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownUnit { nearest: None, expected, .. }
            | Self::WrongDimension { expected, .. } => {
                let symbols: Vec<&str> =
                    expected.iter().flat_map(|dimension| dimension.unit_symbols()).collect();
                Some(format!("units that fit: {}", symbols.join(", ")))
            }
            Self::SeveralParts { .. } => Some("write one number with one unit".to_owned()),
        }
    }
}

/// The names of some dimensions, joined for a sentence.
pub(crate) fn one_of(dimensions: &[Dimension]) -> String {
    let names: Vec<String> = dimensions.iter().map(Dimension::to_string).collect();
    names.join(" or ")
}

/// Reads a number with a unit of one of the dimensions; the result is in that dimension's SI unit.
/// Where only a ratio can be meant it may be a bare number; a time may have several parts.
pub fn parse_quantity(
    text: &str,
    dimensions: &[Dimension],
) -> Result<(f64, Dimension), QuantityError> {
    let text = text.trim();
    if text.contains(',') {
        return Err(QuantityError::Comma { found: text.to_owned() });
    }
    let (mut total, dimension, mut rest) = parse_part(text, text, dimensions)?;
    while !rest.is_empty() {
        if dimension != Dimension::Time {
            return Err(QuantityError::SeveralParts { found: text.to_owned() });
        }
        let (part, _, after) = parse_part(rest, text, &[Dimension::Time])?;
        // A sign belongs to the whole: `-1 h 30 min` is ninety minutes before.
        if rest.starts_with(['+', '-']) {
            return Err(not_a_number(text, dimensions));
        }
        total += part.copysign(total);
        rest = after;
    }
    if total.is_finite() {
        Ok((total, dimension))
    } else {
        Err(QuantityError::NotFinite { found: text.to_owned() })
    }
}

/// A unit as somebody wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenUnit {
    /// As it is spelt; empty for a bare number.
    pub symbol: String,
    /// What it measures.
    pub dimension: Dimension,
    /// One of it in the dimension's SI unit.
    pub factor: f64,
}

impl WrittenUnit {
    /// Of a bare number.
    pub const BARE: Self = Self { symbol: String::new(), dimension: Dimension::Ratio, factor: 1.0 };

    /// A unit by its symbol; `1` is that of a bare number.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let symbol = text.trim();
        if symbol == "1" {
            return Ok(Self::BARE);
        }
        // `1 h 30 min` would be read as a time of several parts.
        let is_one_word = !symbol.is_empty()
            && !symbol.contains(|c: char| c.is_whitespace() || matches!(c, '.' | '+' | '-'))
            && (symbol.starts_with("m3") || !symbol.contains(|c: char| c.is_ascii_digit()));
        if !is_one_word {
            let (unit, expected) = (text.to_owned(), Vec::new());
            return Err(QuantityError::UnknownUnit { unit, nearest: None, expected });
        }
        let (factor, dimension) = parse_quantity(&format!("1 {symbol}"), &Dimension::ALL)?;
        Ok(Self { symbol: symbol.to_owned(), dimension, factor })
    }
}

/// Reads one number and its unit from the start of `text`, and returns what follows.
fn parse_part<'a>(
    text: &'a str,
    whole: &str,
    dimensions: &[Dimension],
) -> Result<(f64, Dimension, &'a str), QuantityError> {
    let number = number_prefix(text);
    if number.is_empty() {
        let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
        if ["nan", "inf"].iter().any(|special| word.starts_with(special)) {
            return Err(QuantityError::NotFinite { found: whole.to_owned() });
        }
        return Err(not_a_number(whole, dimensions));
    }
    let rest = text[number.len()..].trim_start();
    let ends = |c: char| c.is_whitespace() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    // The only digit in a unit is that of the cubic metre.
    let cubed = if rest.starts_with("m3") { 2 } else { 0 };
    let end = rest[cubed..].find(ends).map_or(rest.len(), |end| cubed + end);
    let (symbol, after) = (&rest[..end], rest[end..].trim_start());
    if symbol.is_empty() {
        if !rest.is_empty() {
            return Err(not_a_number(whole, dimensions));
        }
        // Where a limit may be in percent or in volts, `0.5` would be a guess.
        if dimensions == [Dimension::Ratio] {
            return Ok((shifted(number, 0), Dimension::Ratio, after));
        }
        let symbols = dimensions.iter().flat_map(|dimension| dimension.usual_symbols());
        return Err(QuantityError::MissingUnit {
            number: number.to_owned(),
            suggestions: symbols.map(|symbol| format!("{number} {symbol}")).collect(),
        });
    }
    let unit = find_unit(symbol, dimensions)?;
    Ok((shifted(number, unit.exponent) * unit.factor, unit.dimension, after))
}

fn not_a_number(found: &str, dimensions: &[Dimension]) -> QuantityError {
    let symbols = dimensions.first().map(|dimension| dimension.usual_symbols());
    let symbol = symbols.and_then(|symbols| symbols.first().copied()).unwrap_or_default();
    let example = match symbol {
        "V" => "230 V".to_owned(),
        "Hz" => "50 Hz".to_owned(),
        _ => format!("10 {symbol}"),
    };
    QuantityError::NotANumber { found: found.to_owned(), example }
}

fn find_unit(symbol: &str, dimensions: &[Dimension]) -> Result<&'static Unit, QuantityError> {
    let canonical =
        SYNONYMS.iter().find(|(other, _)| *other == symbol).map_or(symbol, |(_, unit)| unit);
    let fitting = || UNITS.iter().filter(|unit| dimensions.contains(&unit.dimension));
    if let Some(unit) = fitting().find(|unit| unit.symbol == canonical) {
        return Ok(unit);
    }
    match UNITS.iter().find(|unit| unit.symbol == canonical) {
        Some(unit) => Err(QuantityError::WrongDimension {
            unit: symbol.to_owned(),
            found: unit.dimension,
            expected: dimensions.to_vec(),
        }),
        None => Err(QuantityError::UnknownUnit {
            unit: symbol.to_owned(),
            nearest: nearest(symbol, fitting().map(|unit| unit.symbol)),
            expected: dimensions.to_vec(),
        }),
    }
}

/// The longest start of a text that is a decimal number: sign, digits, point, digits, exponent.
fn number_prefix(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digits_from = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let start = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole_end = digits_from(start);
    let mut end = whole_end;
    let mut digits = whole_end - start;
    if bytes.get(end) == Some(&b'.') {
        end = digits_from(whole_end + 1);
        digits += end - whole_end - 1;
    }
    if digits == 0 {
        return "";
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent_end = digits_from(end + 1 + sign);
        if exponent_end > end + 1 + sign {
            end = exponent_end;
        }
    }
    &text[..end]
}

/// The double nearest to a decimal number times a power of ten.
fn shifted(number: &str, exponent: i64) -> f64 {
    let (mantissa, written) = match number.split_once(['e', 'E']) {
        // An exponent of twenty digits is as good as infinite.
        Some((mantissa, digits)) => (
            mantissa,
            digits.parse().unwrap_or(if digits.starts_with('-') { -100_000 } else { 100_000_i64 }),
        ),
        None => (number, 0),
    };
    format!("{mantissa}e{}", written.saturating_add(exponent)).parse().unwrap_or(f64::NAN)
}
