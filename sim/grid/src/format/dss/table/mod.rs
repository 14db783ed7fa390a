//! What the reader does with every command, option, class and property of `OpenDSS`.
//!
//! The reader looks up here whatever a script sets: what is not here is unknown, what is here is
//! obeyed, left out with a note, or rejected. `docs/opendss.md` is the same table for people, and
//! `tests/conformance/grid_opendss_walk.py` sets one entry after the other and compares with
//! `OpenDSS`. Names are those of `OpenDSS` 9 (DSS C-API 0.14.5), in its order, by which values
//! without a name and abbreviations go.

mod commands;
mod options;

pub(super) use commands::{COMMANDS, NOTED_CLASSES};
pub(super) use options::OPTIONS;

use super::value::Value;

/// What is answered where a class does not know what its table names.
pub(super) const UNSUPPORTED: &str = "unsupported";

/// What becomes of something that a script sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It counts as in `OpenDSS`.
    Obeyed,
    /// It is left out with a note: it has no influence on a power flow of one moment.
    Noted,
    /// It has one and is unsupported.
    Rejected,
}

/// What of something that is rejected is accepted all the same, because it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Except {
    Nothing,
    Values(&'static [&'static str]),
    CircuitFrequency,
    /// What its class finds harmless; the remark states what that is.
    Checked,
}

/// One command, option or property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    /// As `OpenDSS` spells it.
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Limits of what is obeyed, why something is left out, why it is rejected.
    pub(super) remark: &'static str,
    pub(super) except: Except,
    /// Whether its value is read although it is noted, since some values are rejected.
    pub(super) is_read: bool,
}

pub(super) const fn obeyed(name: &'static str) -> Entry {
    obeyed_as(name, "")
}

/// The same with a remark on its limits.
pub(super) const fn obeyed_as(name: &'static str, remark: &'static str) -> Entry {
    Entry { name, fate: Fate::Obeyed, remark, except: Except::Nothing, is_read: true }
}

pub(super) const fn noted(name: &'static str, remark: &'static str) -> Entry {
    Entry { name, fate: Fate::Noted, remark, except: Except::Nothing, is_read: false }
}

/// Noted, but read: the class rejects some values.
pub(super) const fn noted_and_read(name: &'static str, remark: &'static str) -> Entry {
    Entry { name, fate: Fate::Noted, remark, except: Except::Nothing, is_read: true }
}

pub(super) const fn rejected(name: &'static str, remark: &'static str) -> Entry {
    Entry { name, fate: Fate::Rejected, remark, except: Except::Nothing, is_read: false }
}

pub(super) const fn rejected_but(
    name: &'static str,
    values: &'static [&'static str],
    remark: &'static str,
) -> Entry {
    Entry { name, fate: Fate::Rejected, remark, except: Except::Values(values), is_read: false }
}

pub(super) const fn rejected_unless_checked(name: &'static str, remark: &'static str) -> Entry {
    Entry { name, fate: Fate::Rejected, remark, except: Except::Checked, is_read: true }
}

/// Rejected but for the circuit's own frequency.
pub(super) const fn circuit_frequency(name: &'static str) -> Entry {
    let remark = "other frequencies than the circuit's are unsupported";
    Entry { name, fate: Fate::Rejected, remark, except: Except::CircuitFrequency, is_read: false }
}

/// The base frequency of an object, for which its reactances hold.
pub(super) const fn base_frequency() -> Entry {
    circuit_frequency("BaseFreq")
}

// Reasons that many entries share.
pub(super) const RATING: &str = "a rating";
pub(super) const RELIABILITY: &str = "counts for reliability";
pub(super) const HARMONICS: &str = "counts for harmonics";
pub(super) const MOMENT: &str = "counts for runs over time; the network is solved once, as it \
                                 stands (mode=snapshot)";
pub(super) const REPORT: &str = "counts for reports";

impl Entry {
    /// Whether it is called so, in any case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn begins(&self, name: &str) -> bool {
        self.name.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
    }

    /// Whether a value of something that is rejected changes nothing.
    pub(super) fn is_harmless(&self, value: Value<'_>, circuit_hz: f64) -> bool {
        match self.except {
            Except::Nothing | Except::Checked => false,
            Except::CircuitFrequency => value.number().is_ok_and(|hertz| hertz == circuit_hz),
            Except::Values(values) => values.iter().any(|&harmless| is_same(value, harmless)),
        }
    }
}

/// Whether a value is this one: as a number, a truth, or a word that may be abbreviated.
fn is_same(value: Value<'_>, harmless: &str) -> bool {
    if let Ok(number) = harmless.parse::<f64>() {
        let mut numbers = value.list().map(Value::number);
        let all = numbers.by_ref().all(|own| own == Ok(number));
        return all && !value.text.trim().is_empty();
    }
    if harmless == "no" {
        return value.truth() == Ok(false);
    }
    let text = value.text.trim();
    let begin = harmless.get(..text.len());
    !text.is_empty() && begin.is_some_and(|begin| begin.eq_ignore_ascii_case(text))
}

/// The entry of this name or, where there is none, the first that begins so; and its place.
pub(super) fn find(table: &'static [Entry], name: &str) -> Option<(usize, &'static Entry)> {
    let exact = table.iter().enumerate().find(|(_, entry)| entry.is(name));
    let begun = || table.iter().enumerate().find(|(_, entry)| entry.begins(name));
    exact.or_else(|| if name.is_empty() { None } else { begun() })
}
