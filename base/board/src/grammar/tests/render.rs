//! The line that a simulated meter would send: the inverse of reading one.

use crate::grammar::number::DecimalSeparator;
use crate::grammar::pattern::{Gap, Part, Pattern};
use crate::grammar::{Answer, Meaning, Measured, NumberBase, Request};

/// Above this a double no longer holds every whole number.
const EXACT_MAX: f64 = (1_u64 << 53) as f64;

/// Why an answer cannot be written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum RenderError {
    /// The line has a field for a quantity that is not given.
    #[error("no value is given for `{quantity}` of field `{field}`")]
    NoValue { field: String, quantity: String },
    /// A value that the field cannot show.
    #[error("field `{field}` cannot show {si} (in the SI unit)")]
    NotWritable { field: String, si: f64 },
    /// A text that would be read back as another one, such as one with a line end.
    #[error("field `{field}` with `{text}` would not be read back")]
    NotReadable { field: String, text: String },
}

/// The line with its end, within the rounding to the `decimals` of each field. What `answer` has
/// more than the line is left out; without a sequence number it is 0, a status is the good one, and
/// another text that is not there is `-`. Values outside of the plausible range are written, since
/// a simulated meter may be a faulty one.
pub(super) fn render(request: &Request, answer: &Answer) -> Result<String, RenderError> {
    let mut texts = Vec::new();
    for field in &request.fields {
        let given = || answer.texts.iter().find(|text| text.field == field.name);
        texts.push(match &field.meaning {
            Meaning::Measured(measured) => {
                let own = answer.values.iter().find(|(id, _)| *id == measured.quantity);
                let (_, si) = own.ok_or_else(|| RenderError::NoValue {
                    field: field.name.clone(),
                    quantity: measured.quantity.name().to_owned(),
                })?;
                number(measured, *si, &field.name)?
            }
            Meaning::Sequence { modulo, base } => {
                whole(u64::from(answer.sequence.unwrap_or(0)) % modulo, *base)
            }
            Meaning::Status { good } => given().map_or(good, |given| &given.text).clone(),
            Meaning::Text(_) => given().map_or_else(|| "-".to_owned(), |it| it.text.clone()),
        });
    }
    let line = filled(&request.pattern, &texts);
    let found = request.pattern.read(&line).unwrap_or_default();
    let found = found.into_iter().map(Some).chain(std::iter::repeat(None));
    for ((field, text), found) in request.fields.iter().zip(&texts).zip(found) {
        let has_end = text.contains(|c: char| request.line_end.contains(c));
        if has_end || found != Some(text.as_str()) {
            let (field, text) = (field.name.clone(), text.clone());
            return Err(RenderError::NotReadable { field, text });
        }
    }
    Ok(line + &request.line_end)
}

/// A whole number without sign.
fn whole(number: u64, base: NumberBase) -> String {
    match base {
        NumberBase::Decimal => number.to_string(),
        NumberBase::Hexadecimal => format!("{number:X}"),
    }
}

/// The number of a value in the SI unit.
fn number(measured: &Measured, si: f64, field: &str) -> Result<String, RenderError> {
    let number = (si / measured.factor - measured.offset) / measured.scale;
    let cannot = || RenderError::NotWritable { field: field.to_owned(), si };
    if !number.is_finite() {
        return Err(cannot());
    }
    match measured.base {
        NumberBase::Hexadecimal => {
            let rounded = number.round();
            if !(0.0..=EXACT_MAX).contains(&rounded) {
                return Err(cannot());
            }
            Ok(whole(rounded as u64, measured.base))
        }
        NumberBase::Decimal => {
            let text = format!("{number:.*}", measured.decimals);
            // No meter shows a negative zero.
            let is_zero = !text.contains(|digit: char| ('1'..='9').contains(&digit));
            let text = if is_zero { text.trim_start_matches('-') } else { &text };
            Ok(text.replace(DecimalSeparator::Point.word(), measured.decimal.word()))
        }
    }
}

/// The line with these texts for its fields, in their order; as little as possible where anything
/// may stand.
fn filled(pattern: &Pattern, fields: &[String]) -> String {
    let mut line = String::new();
    push_parts(&pattern.first, &mut line);
    let mut is_behind_field = false;
    for (gap, parts) in &pattern.rest {
        match gap {
            Gap::Field(index) => line.push_str(fields.get(*index).map_or("", String::as_str)),
            // The blank that ends the field.
            Gap::Any if is_behind_field && matches!(parts.first(), Some(Part::Text(_))) => {
                line.push(' ');
            }
            Gap::Any => {}
        }
        is_behind_field = parts.is_empty();
        push_parts(parts, &mut line);
    }
    line
}

fn push_parts(parts: &[Part], line: &mut String) {
    for part in parts {
        line.push_str(match part {
            Part::Text(text) => text,
            Part::Blanks => " ",
        });
    }
}
