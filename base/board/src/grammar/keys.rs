//! The keys of `[[request]]` and of `[request.field.NAME]`.

use lastmeter_params::{Dimension, Field, Kind};

use super::{DecimalSeparator, FieldRole};

/// A ratio without bounds: a bare number.
const NUMBER: Kind =
    Kind::Quantity { dimension: Dimension::Ratio, min: f64::NEG_INFINITY, max: f64::INFINITY };

/// A time of at least 1 ms and at most an hour.
const WAIT: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 3600.0 };

/// The keys of `[[request]]`. `field` holds one table for each field, with [`FIELD_KEYS`] and
/// [`range_keys`].
pub(super) static REQUEST_KEYS: &[Field] = &[
    Field::optional(
        "send",
        Kind::Text,
        "what asks for the answer; none if the meter sends by itself",
    ),
    Field::required(
        "answer",
        Kind::Text,
        "the line that is sent back, with `{name}` for its fields",
    ),
    Field::default("timeout", WAIT, "\"500 ms\"", "how long the whole answer may take"),
    Field::default(
        "settle",
        WAIT,
        "\"50 ms\"",
        "the silence that has to follow a request without answer before the next one is sent",
    ),
    Field::optional("field", Kind::Texts, "one table for each field: `[request.field.NAME]`"),
];

/// The keys of a field, besides its range.
pub(super) static FIELD_KEYS: &[Field] = &[
    Field::optional("quantity", Kind::Text, "the measurement identifier of what it carries"),
    Field::optional("unit", Kind::Text, "the unit of the value after `scale` and `offset`"),
    Field::default("scale", NUMBER, "1", "the number times this, plus `offset`, is the value"),
    Field::default("offset", NUMBER, "0", "what is added after `scale`, a number of `unit`"),
    Field::default(
        "decimals",
        Kind::Integer { min: 0, max: 15 },
        "3",
        "digits behind the decimal separator that a simulated meter writes",
    ),
    Field::default(
        "decimal",
        Kind::Choice(DecimalSeparator::WORDS),
        "\".\"",
        "between whole part and fraction",
    ),
    Field::default(
        "base",
        Kind::Integer { min: 10, max: 16 },
        "10",
        "10, or 16 for hexadecimal whole numbers",
    ),
    Field::optional("role", Kind::Choice(FieldRole::WORDS), "what it is if it is not a quantity"),
    Field::optional(
        "modulo",
        Kind::Integer { min: 2, max: 1 << 32 },
        "of a sequence: the number at which it starts again at 0, 2^32 unless given",
    ),
    Field::optional("good", Kind::Text, "of a status: the only text that is accepted"),
];

const fn range_of(dimension: Dimension) -> [Field; 2] {
    let value = Kind::Quantity { dimension, min: f64::NEG_INFINITY, max: f64::INFINITY };
    [
        Field::optional("least", value, "the least plausible value"),
        Field::optional("greatest", value, "the greatest plausible value"),
    ]
}

static RANGES: [[Field; 2]; Dimension::ALL.len()] = {
    let mut all = [range_of(Dimension::Ratio); Dimension::ALL.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = range_of(Dimension::ALL[at]);
        at += 1;
    }
    all
};

/// The keys of the plausible range of a field whose unit is of this dimension.
pub(super) fn range_keys(dimension: Dimension) -> &'static [Field] {
    &RANGES[dimension as usize]
}
