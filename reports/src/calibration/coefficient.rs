//! What the bench wrote into the meter's registers, as its events state.

use lastmeter_record::{Event, EventKind, field};

/// One coefficient that was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficient {
    /// The step it belongs to.
    pub step: String,
    /// The register that holds it.
    pub register: String,
    /// What it corrects.
    pub meaning: String,
    /// What coefficients are counted in.
    pub unit: String,
    /// Word and coefficient before.
    pub before: (String, f64),
    /// What was wanted.
    pub wanted: f64,
    /// Word and coefficient after; the word is empty if the register cannot hold it.
    pub after: (String, f64),
    /// What the meter answered; empty if it did not.
    pub response: String,
}

/// The coefficient in an event; `None` of any other event.
pub fn coefficient_of(event: &Event) -> Option<Coefficient> {
    if event.kind != EventKind::Calibration {
        return None;
    }
    let text = |name: &str| Some(event.text(name)?.to_owned());
    let number = |name: &str| event.get(name)?.as_f64();
    Some(Coefficient {
        step: text(field::STEP)?,
        register: text(field::REGISTER)?,
        meaning: text(field::MEANING)?,
        unit: text(field::UNIT)?,
        before: (text(field::WORD_BEFORE)?, number(field::BEFORE)?),
        wanted: number(field::WANTED)?,
        after: (text(field::WORD)?, number(field::AFTER)?),
        response: text(field::RESPONSE)?,
    })
}
