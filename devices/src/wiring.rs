//! How a meter is wired to the plant: which transformers are there, which way round, and on which
//! phase each of its inputs is.
//!
//! A meter counts with the ratio that it is programmed with. With another transformer in the plant,
//! all it sees is larger by the one ratio over the other, at its terminals as well: it is clipped
//! earlier. A current that goes through its transformer from the other side has the other sign.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::{Block, ChannelSpectrum, Spectrum};

/// The words of phases.
pub(crate) const PHASE_WORDS: &[&str] = &["l1", "l2", "l3"];

/// Where an input of the meter gets its signal.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Source {
    /// The phase of the plant.
    phase: usize,
    /// What the signal is multiplied by.
    factor: f64,
}

/// The wiring of a meter that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wiring {
    voltages: Vec<Source>,
    currents: Vec<Source>,
}

impl Wiring {
    /// The wiring of a meter; `None` if nothing of it is wrong.
    pub(crate) fn of(values: &Values, phases: usize) -> Option<Self> {
        let inputs = |kind: &str| -> Vec<Source> {
            let order = values.text_list(&format!("{kind}_order"));
            let reversed = values.text_list(&format!("reversed_{kind}s"));
            let installed = values.si_list(&format!("installed_{kind}_ratio"));
            let programmed = values.si(&format!("{kind}_ratio"));
            let input = |number: usize| {
                let own = PHASE_WORDS[number];
                let from = order.get(number).copied().unwrap_or(own);
                let phase = PHASE_WORDS.iter().position(|word| *word == from).unwrap_or(number);
                let ratio = installed.get(number).or(installed.first());
                let sign = if reversed.contains(&own) { -1.0 } else { 1.0 };
                Source { phase, factor: sign * programmed / ratio.copied().unwrap_or(programmed) }
            };
            (0..phases).map(input).collect()
        };
        let wiring = Self { voltages: inputs("voltage"), currents: inputs("current") };
        let right = |(phase, source): (usize, &Source)| *source == Source { phase, factor: 1.0 };
        let all = [&wiring.voltages, &wiring.currents];
        let is_right = all.into_iter().all(|inputs| inputs.iter().enumerate().all(right));
        (!is_right).then_some(wiring)
    }

    /// The samples as the meter gets them.
    pub(crate) fn block(&self, block: Block) -> Block {
        let wired = |channels: &[Vec<f64>], inputs: &[Source]| -> Vec<Vec<f64>> {
            // A block of other channels is refused by the meter, as it came.
            if channels.len() != inputs.len() {
                return channels.to_vec();
            }
            let one = |source: &Source| {
                channels[source.phase].iter().map(|value| value * source.factor).collect()
            };
            inputs.iter().map(one).collect()
        };
        Block {
            voltages: wired(&block.voltages, &self.voltages),
            currents: wired(&block.currents, &self.currents),
            temperatures: block.temperatures,
        }
    }

    /// The tones as the meter gets them.
    pub(crate) fn spectrum(&self, spectrum: &Spectrum) -> Arc<Spectrum> {
        let wired = |channels: &[ChannelSpectrum], inputs: &[Source]| -> Vec<ChannelSpectrum> {
            if channels.len() != inputs.len() {
                return channels.to_vec();
            }
            inputs.iter().map(|source| scaled(&channels[source.phase], source.factor)).collect()
        };
        Arc::new(Spectrum {
            fundamental_hz: spectrum.fundamental_hz,
            voltages: wired(&spectrum.voltages, &self.voltages),
            currents: wired(&spectrum.currents, &self.currents),
        })
    }
}

fn scaled(channel: &ChannelSpectrum, factor: f64) -> ChannelSpectrum {
    let mut scaled = channel.clone();
    scaled.dc *= factor;
    scaled.noise_rms *= factor.abs();
    for tone in &mut scaled.tones {
        tone.rms *= factor.abs();
        if factor < 0.0 {
            tone.phase_rad += std::f64::consts::PI;
        }
    }
    scaled
}

/// Notes what of a wiring cannot be with so many phases.
pub(crate) fn check(values: &Values, phases: usize, diagnostics: &mut Diagnostics) {
    let known = &PHASE_WORDS[..phases];
    for kind in ["voltage", "current"] {
        let mut refuse = |key: String, message: String, label: &str| {
            diagnostics.report(Code::DOES_NOT_FIT, values.span_of(&key), message, label);
        };
        let installed = format!("installed_{kind}_ratio");
        let count = values.list(&installed).len();
        if count > 1 && count != phases {
            let message = format!("{count} ratios for a meter of {phases} phase(s)");
            refuse(installed, message, "expected one for all phases, or one for each");
        }
        let reversed = format!("reversed_{kind}s");
        if let Some(word) = values.text_list(&reversed).iter().find(|word| !known.contains(word)) {
            let message = format!("this meter has no phase {word}");
            refuse(reversed, message, "expected phases of the meter");
        }
        let order = format!("{kind}_order");
        let mut given = values.text_list(&order);
        given.sort_unstable();
        if !given.is_empty() && given != known {
            let message = format!("`{order}` has each phase of the meter once");
            refuse(order, message, "expected all of them, in the order of its inputs");
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_params::read_text;
    use lastmeter_sim::Tone;

    use super::*;
    use crate::model::WIRING;

    const RATIOS: [lastmeter_params::Field; 2] =
        [crate::model::VOLTAGE_RATIO, crate::model::CURRENT_RATIO];

    fn values(text: &str) -> Values {
        read_text(text, &[&WIRING, &RATIOS]).unwrap()
    }

    fn wiring(text: &str) -> Option<Wiring> {
        Wiring::of(&values(text), 3)
    }

    #[test]
    fn a_meter_that_is_wired_as_it_should_be_has_none() {
        assert_eq!(wiring("current_ratio = 20"), None);
        let same = "current_ratio = 20\ninstalled_current_ratio = [20]\n\
                    voltage_order = [\"l1\", \"l2\", \"l3\"]";
        assert_eq!(wiring(same), None);
    }

    #[test]
    fn ratios_signs_and_phases_are_those_of_the_wires() {
        let wired = wiring(
            "current_ratio = 20\ninstalled_current_ratio = [20, 40, 10]\n\
             reversed_currents = [\"l3\"]\nvoltage_order = [\"l2\", \"l1\", \"l3\"]",
        )
        .unwrap();
        let samples = |base: f64| (0..3).map(|phase| vec![base + f64::from(phase)]).collect();
        let block =
            Block { voltages: samples(10.0), currents: samples(1.0), temperatures: Vec::new() };
        let seen = wired.block(block);
        assert_eq!(seen.voltages, [[11.0], [10.0], [12.0]]);
        // A transformer of 40:1 gives half of what one of 20:1 would.
        assert_eq!(seen.currents, [[1.0], [1.0], [-6.0]]);
        let tone = |rms| ChannelSpectrum {
            tones: vec![Tone { frequency_hz: 50.0, rms, phase_rad: 0.0 }],
            dc: rms,
            noise_rms: rms,
        };
        let channels = |base: f64| (0..3).map(|phase| tone(base + f64::from(phase))).collect();
        let spectrum =
            Spectrum { fundamental_hz: 50.0, voltages: channels(10.0), currents: channels(1.0) };
        let seen = wired.spectrum(&spectrum);
        let rms = |of: &[ChannelSpectrum]| of.iter().map(|it| it.tones[0].rms).collect::<Vec<_>>();
        assert_eq!(
            (rms(&seen.voltages), rms(&seen.currents)),
            (vec![11.0, 10.0, 12.0], vec![1.0, 1.0, 6.0])
        );
        let last = &seen.currents[2];
        assert_eq!((last.dc, last.noise_rms), (-6.0, 6.0));
        assert_eq!(last.tones[0].phase_rad, std::f64::consts::PI);
    }

    #[test]
    fn what_cannot_be_wired_is_refused() {
        for (text, phases, expected) in [
            ("installed_current_ratio = [1, 2]", 3, "2 ratios for a meter of 3 phase(s)"),
            ("reversed_currents = [\"l2\"]", 1, "this meter has no phase l2"),
            ("voltage_order = [\"l1\", \"l1\", \"l2\"]", 3, "`voltage_order` has each phase"),
            ("current_order = [\"l2\"]", 1, "`current_order` has each phase"),
        ] {
            let mut out = Diagnostics::new();
            check(&values(text), phases, &mut out);
            let found = out.into_sorted();
            assert!(found.len() == 1 && found[0].message.starts_with(expected), "{found:?}");
        }
    }
}
