//! What a line means: quantities, or the reason why it is rejected.

use lastmeter_units::MeasurementId;

use super::number::{self, NumberFault};
use super::reader::shown_bytes;
use super::{FieldRole, Meaning, Measured, Request};

/// A text of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerText {
    /// The field's name.
    pub field: String,
    /// What it is.
    pub role: FieldRole,
    /// Without the blanks around it.
    pub text: String,
}

/// What a line carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// In SI units, in the order of the line.
    pub values: Vec<(MeasurementId, f64)>,
    /// The number of the answer, if it has one.
    pub sequence: Option<u32>,
    /// Version, node, status and time stamp, in the order of the line.
    pub texts: Vec<AnswerText>,
}

/// Why a line is no answer. Lines are shown as by [`shown_bytes`], so that every byte is visible.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A line of more bytes than are kept.
    #[error("the line is longer than {bytes_max} bytes")]
    TooLong {
        /// The most bytes of a line.
        bytes_max: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("the line is not valid UTF-8: `{line}`; check the baud rate and the parity")]
    NotUtf8 {
        /// The line, lossily decoded.
        line: String,
    },
    /// A line of another form.
    #[error("the line `{line}` does not have the form `{}`", .answer.escape_default())]
    OtherForm {
        /// The line as it was received.
        line: String,
        /// The answer as the board file has it.
        answer: String,
    },
    /// No number where one should be.
    #[error("field `{field}`: `{found}` is not a number")]
    NotANumber {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
    },
    /// `nan` or `inf`.
    #[error("field `{field}`: `{found}` is not a finite number")]
    NotFinite {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
    },
    /// Beyond what a double holds.
    #[error("field `{field}`: `{found}` is too large")]
    Overflow {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
    },
    /// Outside of the plausible range.
    #[error("field `{field}`: `{found}` is {}, outside of the plausible range {}", .value, .range)]
    OutOfRange {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
        /// The value in the SI unit.
        value: String,
        /// The range in the SI unit.
        range: String,
    },
    /// A number that a sequence of this modulus does not have.
    #[error("field `{field}`: the sequence number {found} is not below {modulo}")]
    SequenceOutOfRange {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
        /// Sequence numbers are below this.
        modulo: u64,
    },
    /// Another status than the good one.
    #[error("field `{field}`: the status is `{found}`, expected `{good}`")]
    BadStatus {
        /// The field's name.
        field: String,
        /// The text in its place.
        found: String,
        /// What the board file expects.
        good: String,
    },
}

impl Refusal {
    /// Whether the line had the form of the answer, so that it is the answer, and a bad one.
    pub const fn is_of_answer(&self) -> bool {
        !matches!(self, Self::TooLong { .. } | Self::NotUtf8 { .. } | Self::OtherForm { .. })
    }
}

/// A text of a field, and the field's name.
#[derive(Clone, Copy)]
struct FieldText<'a> {
    field: &'a str,
    text: &'a str,
}

impl FieldText<'_> {
    fn refusal(self, fault: NumberFault) -> Refusal {
        let (field, found) = (self.field.to_owned(), shown_bytes(self.text.as_bytes()));
        match fault {
            NumberFault::NotANumber => Refusal::NotANumber { field, found },
            NumberFault::NotFinite => Refusal::NotFinite { field, found },
            NumberFault::Overflow => Refusal::Overflow { field, found },
        }
    }

    fn value(self, measured: &Measured) -> Result<f64, Refusal> {
        let number = number::parse(self.text, measured.base, measured.decimal);
        let number = number.map_err(|fault| self.refusal(fault))?;
        let si = (number * measured.scale + measured.offset) * measured.factor;
        if !si.is_finite() {
            return Err(self.refusal(NumberFault::Overflow));
        }
        let is_below = measured.least.is_some_and(|least| si < least);
        let is_above = measured.greatest.is_some_and(|greatest| si > greatest);
        if is_below || is_above {
            let shown = |si: f64| measured.dimension.display_si(si);
            let least = measured.least.map(|least| format!("from {}", shown(least)));
            let greatest = measured.greatest.map(|greatest| format!("to {}", shown(greatest)));
            let ends: Vec<String> = least.into_iter().chain(greatest).collect();
            let found = shown_bytes(self.text.as_bytes());
            let (field, value, range) = (self.field.to_owned(), shown(si), ends.join(" "));
            return Err(Refusal::OutOfRange { field, found, value, range });
        }
        Ok(si)
    }
}

impl Request {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// Why the line is no answer of this request.
    pub fn read_line(&self, line: &[u8]) -> Result<Answer, Refusal> {
        let Ok(text) = std::str::from_utf8(line) else {
            return Err(Refusal::NotUtf8 { line: shown_bytes(line) });
        };
        let Some(found) = self.pattern.read(text) else {
            let (line, answer) = (shown_bytes(line), self.answer.clone());
            return Err(Refusal::OtherForm { line, answer });
        };
        let mut answer = Answer::default();
        for (field, text) in self.fields.iter().zip(found) {
            let place = FieldText { field: &field.name, text };
            let mut keep = |role| {
                let (field, text) = (field.name.clone(), text.to_owned());
                answer.texts.push(AnswerText { field, role, text });
            };
            match &field.meaning {
                Meaning::Measured(measured) => {
                    answer.values.push((measured.quantity, place.value(measured)?));
                }
                Meaning::Sequence { modulo, base } => {
                    let number = number::parse_whole(text, *base);
                    let number = number.map_err(|fault| place.refusal(fault))?;
                    let fits = u32::try_from(number).ok().filter(|_| number < *modulo);
                    answer.sequence = Some(fits.ok_or_else(|| Refusal::SequenceOutOfRange {
                        field: field.name.clone(),
                        found: text.to_owned(),
                        modulo: *modulo,
                    })?);
                }
                Meaning::Status { good } if good == text => keep(FieldRole::Status),
                Meaning::Status { good } => {
                    let (field, good) = (field.name.clone(), good.clone());
                    let found = shown_bytes(text.as_bytes());
                    return Err(Refusal::BadStatus { field, found, good });
                }
                Meaning::Text(role) => keep(*role),
            }
        }
        Ok(answer)
    }

    /// The sequence number of a line, whatever else is wrong with it.
    pub(super) fn sequence_of(&self, line: &[u8]) -> Option<u32> {
        let found = self.pattern.read(std::str::from_utf8(line).ok()?)?;
        self.fields.iter().zip(found).find_map(|(field, text)| match &field.meaning {
            Meaning::Sequence { modulo, base } => {
                let number = number::parse_whole(text, *base).ok().filter(|it| it < modulo)?;
                u32::try_from(number).ok()
            }
            _ => None,
        })
    }
}
