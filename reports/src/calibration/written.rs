//! What the bench wrote into the meter's registers, as its events tell.

use lastmeter_record::{Event, kind};

/// One coefficient that was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The step it belongs to.
    pub step: String,
    /// The register.
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

/// The coefficient an event tells of; `None` of any other event.
pub fn written(event: &Event) -> Option<Written> {
    if event.kind != kind::CALIBRATION {
        return None;
    }
    let text = |name: &str| Some(event.text(name)?.to_owned());
    let number = |name: &str| event.get(name)?.as_f64();
    Some(Written {
        step: text("step")?,
        register: text("register")?,
        meaning: text("meaning")?,
        unit: text("unit")?,
        before: (text("word_before")?, number("before")?),
        wanted: number("wanted")?,
        after: (text("word")?, number("after")?),
        response: text("response")?,
    })
}
