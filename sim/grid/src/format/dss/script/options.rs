//! What `set` and `solve` set.

use super::{Runner, rejection};
use crate::format::dss::lex::Tokens;
use crate::format::dss::table::{Except, Fate, OPTIONS, find};
use crate::format::dss::value::{Value, ValueResult};

impl Runner<'_> {
    pub(super) fn options(&mut self, tokens: Tokens<'_>) -> ValueResult<()> {
        for parameter in tokens {
            let Some(name) = &parameter.name else {
                return Err(format!("set {:?}: name=value is expected", parameter.value));
            };
            let Some((_, option)) = find(OPTIONS, name) else {
                return Err(format!("set {name}: unknown option {name}"));
            };
            let value = Value { text: &parameter.value, quoted: parameter.quoted };
            let is_harmless = option.is_harmless(value, self.state.frequency_hz);
            match option.fate {
                Fate::Rejected if option.except != Except::Checked && !is_harmless => {
                    return Err(format!("set {name}: {}", rejection("option", option)));
                }
                Fate::Noted if option.is("mode") && is_snapshot(value) => {}
                Fate::Noted if option.is("mode") && is_direct(value) => {
                    return Err(format!("set {name}: mode {:?} is unsupported", value.text));
                }
                Fate::Noted => self.note("option", option),
                Fate::Rejected | Fate::Obeyed => {
                    let name = option.name.to_ascii_lowercase();
                    self.option(&name, value).map_err(|what| format!("set {name}: {what}"))?;
                }
            }
        }
        Ok(())
    }

    /// Rejects a frequency that is not the circuit's.
    fn is_of_circuit(&self, hertz: f64) -> ValueResult<()> {
        let own = self.state.frequency_hz;
        if hertz == own {
            return Ok(());
        }
        Err(format!("the circuit is of {own} Hz; set DefaultBaseFrequency before it"))
    }

    fn option(&mut self, name: &str, value: Value<'_>) -> ValueResult<()> {
        if self.state.circuit.is_none() && !matches!(name, "defaultbasefrequency" | "datapath") {
            return Err("there is no circuit yet; set it behind \"new circuit.NAME\"".to_owned());
        }
        match name {
            "defaultbasefrequency" if self.state.circuit.is_none() => {
                self.default_hz = value.positive()?;
            }
            "defaultbasefrequency" | "frequency" | "basefrequency" => {
                self.is_of_circuit(value.positive()?)?;
            }
            "voltagebases" => self.state.voltage_bases_kv = value.numbers()?,
            "loadmult" => self.state.load_multiplier = value.number()?,
            "year" => self.state.year = value.whole(0, 1000)?,
            "%growth" => self.state.growth = 1.0 + value.number()? / 100.0,
            "controlmode" => self.state.controlled = is_controlled(value)?,
            "datapath" => self.change_folder(value.text),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a mode of solution is that of one moment.
fn is_snapshot(mode: Value<'_>) -> bool {
    mode.text.trim().bytes().next().is_some_and(|first| first.eq_ignore_ascii_case(&b's'))
}

/// Whether loads are impedances in a mode of solution.
fn is_direct(mode: Value<'_>) -> bool {
    mode.text.trim().get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case("di"))
}

fn is_controlled(mode: Value<'_>) -> ValueResult<bool> {
    match mode.text.trim().bytes().next().map(|first| first.to_ascii_lowercase()) {
        Some(b'o') => Ok(false),
        Some(b's') => Ok(true),
        _ => Err(format!("{:?} is unsupported; static or off is expected", mode.text)),
    }
}
