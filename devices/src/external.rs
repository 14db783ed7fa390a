//! Devices that are programs of others: the simulator shows them the terminal, asks them for
//! readings when those are due, and sends what they answer as any meter does.
//!
//! What is asked and answered are lines of JSON (`docs/external.md`), each question with one
//! answer; who starts the program and carries the lines is the bench. A program that answers what
//! makes no sense, or nothing, ends the run as one that broke, and is named.

use std::collections::BTreeMap;

use lastmeter_sim::{Block, ElectricityFacts, ReferenceSpan, Spectrum};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use crate::answer::CommandFault;
use crate::border::{Device, EventKind, Exchange, Feed, Input, Output, ProgramDevice, ProgramSpec};
use crate::outlet::{Outlet, event};
use crate::sampled::first_sample_at;

/// The version of the lines that are exchanged.
pub(crate) const VERSION: u32 = 1;

const NO_COMMANDS: &str = "a program of somebody else's takes no commands";

/// What a program is shown and asked.
#[derive(Serialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Question<'a> {
    Begin(&'a Begin),
    Spectrum {
        until_s: f64,
        celsius: f64,
        #[serde(flatten)]
        spectrum: &'a Spectrum,
    },
    Samples {
        first_sample: u64,
        rate_hz: f64,
        voltages: Vec<&'a [f64]>,
        currents: Vec<&'a [f64]>,
    },
    Read {
        at_s: f64,
    },
}

/// What a program is told of itself before anything else.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Begin {
    pub(crate) lastmeter: u32,
    pub(crate) device: String,
    pub(crate) hardware_id: String,
    pub(crate) start: String,
    pub(crate) phases: usize,
    pub(crate) report_every_s: f64,
    pub(crate) quantities: Vec<&'static str>,
    pub(crate) settings: BTreeMap<String, String>,
}

/// What it answers; which keys have to be there depends on the question.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    lastmeter: Option<u32>,
    values: Option<BTreeMap<String, f64>>,
    from_s: Option<f64>,
    registers_from_s: Option<f64>,
    error: Option<String>,
}

#[derive(Debug)]
pub(crate) struct ExternalParts {
    pub(crate) program: ProgramSpec,
    pub(crate) begin: Begin,
    pub(crate) outlet: Box<dyn Outlet>,
    pub(crate) quantities: Vec<MeasurementId>,
    pub(crate) feed: Feed,
    pub(crate) electricity: ElectricityFacts,
    pub(crate) period: SimDuration,
}

/// The beginning of what a program wrote, on one line.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// A device that is a program.
pub(crate) struct External {
    parts: ExternalParts,
    exchange: Option<Box<dyn Exchange>>,
    next_due: SimDuration,
    /// When it was read last.
    last: SimDuration,
    taken: u64,
    /// Whether it did something wrong, which is reported once.
    is_broken: bool,
}

impl External {
    pub(crate) fn new(parts: ExternalParts) -> Self {
        Self {
            next_due: parts.period,
            exchange: None,
            last: SimDuration::ZERO,
            taken: 0,
            is_broken: false,
            parts,
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<Answer, String> {
        let Some(exchange) = &mut self.exchange else {
            return Err("its program was not started".to_owned());
        };
        let line = serde_json::to_string(question).map_err(|error| error.to_string())?;
        let line = exchange.ask(&line)?;
        let answer: Answer = serde_json::from_str(&line).map_err(|error| {
            let line = shown(&line);
            format!("expected one JSON object of its answer, found `{line}`: {error}")
        })?;
        match answer.error {
            Some(error) => Err(format!("it reports an error: {}", shown(&error))),
            None => Ok(answer),
        }
    }

    /// Reads it, and hands the reading on.
    fn read(&mut self, out: &mut Vec<Output>) -> Result<(), String> {
        let at = self.next_due;
        let answer = self.ask(&Question::Read { at_s: at.as_seconds_f64() })?;
        let Some(values) = answer.values else {
            return Err("expected `values` in the answer to `read`".to_owned());
        };
        let mut read = Vec::with_capacity(values.len());
        for (name, value) in &values {
            let id = MeasurementId::lookup(name).filter(|id| self.parts.quantities.contains(id));
            let Some(id) = id else {
                return Err(format!("`{name}` is not among the quantities of the device"));
            };
            read.push((id, value / id.row().si_factor));
        }
        read.sort_by_key(|(id, _)| self.parts.quantities.iter().position(|own| own == id));
        let instant = |seconds: Option<f64>, otherwise: SimDuration| {
            let within = |at: &f64| (0.0..=self.next_due.as_seconds_f64()).contains(at);
            match seconds {
                None => Ok(otherwise),
                Some(seconds) if within(&seconds) => Ok(SimDuration::from_seconds_f64(seconds)),
                Some(seconds) => Err(format!("{seconds} s lies outside of what there was so far")),
            }
        };
        let from = instant(answer.from_s, self.last)?;
        let registers_from = instant(answer.registers_from_s, SimDuration::ZERO)?;
        let span = ReferenceSpan { from, to: at, registers_from };
        self.last = at;
        self.next_due = at + self.parts.period;
        if !self.parts.outlet.is_frozen(at) {
            self.parts.outlet.reading(at, span, read, out);
        }
        Ok(())
    }

    fn spectrum(
        &mut self,
        until: SimDuration,
        (spectrum, celsius): (&Spectrum, f64),
        out: &mut Vec<Output>,
    ) -> Result<(), String> {
        let shown = |until: SimDuration| Question::Spectrum {
            until_s: until.as_seconds_f64(),
            celsius,
            spectrum,
        };
        while self.next_due <= until {
            self.ask(&shown(self.next_due))?;
            self.read(out)?;
        }
        if self.last < until {
            self.ask(&shown(until))?;
        }
        Ok(())
    }

    fn samples(
        &mut self,
        rate_hz: f64,
        block: &Block,
        out: &mut Vec<Output>,
    ) -> Result<(), String> {
        let samples = block.voltages.first().map_or(0, Vec::len);
        let first = self.taken;
        let mut from = 0;
        loop {
            let due = first_sample_at(self.next_due, rate_hz).saturating_sub(first);
            let to = usize::try_from(due).unwrap_or(usize::MAX).min(samples);
            if to > from {
                let cut = |channels: &[Vec<f64>]| -> Vec<Vec<f64>> {
                    channels.iter().map(|channel| channel[from..to].to_vec()).collect()
                };
                let (voltages, currents) = (cut(&block.voltages), cut(&block.currents));
                self.ask(&Question::Samples {
                    first_sample: first + from as u64,
                    rate_hz,
                    voltages: voltages.iter().map(Vec::as_slice).collect(),
                    currents: currents.iter().map(Vec::as_slice).collect(),
                })?;
                from = to;
            }
            if first + from as u64 >= first_sample_at(self.next_due, rate_hz) {
                self.read(out)?;
            } else {
                break;
            }
        }
        self.taken += samples as u64;
        Ok(())
    }
}

impl Device for External {
    fn feed(&self) -> Feed {
        self.parts.feed
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.parts.quantities
    }

    fn electricity(&self) -> Option<ElectricityFacts> {
        Some(self.parts.electricity)
    }

    fn validate_command(&self, _: &str, _: &BTreeMap<String, String>) -> Option<CommandFault> {
        Some(CommandFault::refused(None, NO_COMMANDS.to_owned()))
    }

    fn report_period(&self) -> SimDuration {
        self.parts.period
    }

    fn program(&mut self) -> Option<&mut dyn ProgramDevice> {
        Some(self)
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        if self.is_broken {
            return;
        }
        let done = match input {
            Input::Spectrum { until, spectrum, celsius } => {
                self.spectrum(until, (&spectrum, celsius), out)
            }
            Input::Samples { rate_hz, block, .. } => self.samples(rate_hz, &block, out),
            Input::Received { payload } => {
                if let Some((invocation, _)) = self.parts.outlet.received(now, &payload, out) {
                    self.parts.outlet.answer(now, invocation, Err(NO_COMMANDS.to_owned()), out);
                }
                Ok(())
            }
            Input::Pipe { .. } => {
                event(out, EventKind::InputRefused, "a pipe's state for an electricity meter");
                Ok(())
            }
            other => {
                self.parts.outlet.take(now, other, out);
                Ok(())
            }
        };
        if let Err(why) = done {
            self.is_broken = true;
            out.push(Output::Failed { why });
        }
    }

    fn unacknowledged(&self) -> usize {
        self.parts.outlet.unacknowledged()
    }
}

impl ProgramDevice for External {
    fn spec(&self) -> &ProgramSpec {
        &self.parts.program
    }

    fn connect(&mut self, exchange: Box<dyn Exchange>) -> Result<(), String> {
        self.exchange = Some(exchange);
        let begin = self.parts.begin.clone();
        match self.ask(&Question::Begin(&begin))?.lastmeter {
            Some(VERSION) => Ok(()),
            Some(other) => {
                Err(format!("it speaks version {other} of these lines, and the bench {VERSION}"))
            }
            None => Err(format!("expected `{{\"lastmeter\": {VERSION}}}` as its first answer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use lastmeter_sim::{ChannelSpectrum, Netting, Tone};
    use lastmeter_units::HardwareId;

    use super::*;
    use crate::context::DeviceContext;
    use crate::outlet::reporter::Reporter;

    /// Answers by a list, and keeps what it was asked.
    struct Scripted {
        answers: Vec<&'static str>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Exchange for Scripted {
        fn ask(&mut self, request: &str) -> Result<String, String> {
            self.asked.lock().unwrap().push(request.to_owned());
            if self.answers.is_empty() {
                return Err("silent".to_owned());
            }
            Ok(self.answers.remove(0).to_owned())
        }
    }

    fn external() -> External {
        let streams = lastmeter_sim::Streams::new(1);
        let context = DeviceContext {
            name: "home",
            hardware_id: HardwareId::new("home").unwrap(),
            start: SimTime(0),
            streams: &streams,
            node: None,
            phases: 1,
            has_spectrum: true,
        };
        let id = MeasurementId::lookup("electricity.voltage.rms.l1").unwrap();
        External::new(ExternalParts {
            program: ProgramSpec::default(),
            begin: Begin {
                lastmeter: VERSION,
                device: "home".to_owned(),
                hardware_id: "home".to_owned(),
                start: "2027".to_owned(),
                phases: 1,
                report_every_s: 10.0,
                quantities: vec![id.name()],
                settings: BTreeMap::new(),
            },
            outlet: Reporter::uplink(&context, false),
            quantities: vec![id],
            feed: Feed::Spectrum,
            electricity: ElectricityFacts {
                netting: Netting::Net,
                pulse_constant: 1000.0,
                profile: None,
            },
            period: SimDuration::from_seconds(10),
        })
    }

    fn stepped(answers: &[&'static str]) -> (Vec<Output>, Vec<String>, Result<(), String>) {
        let (mut device, mut out) = (external(), Vec::new());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scripted = Scripted { answers: answers.to_vec(), asked: Arc::clone(&asked) };
        let begun = device.connect(Box::new(scripted));
        device.step(SimTime(0), Input::Connected, &mut out);
        let tones = vec![Tone { frequency_hz: 50.0, rms: 230.0, phase_rad: 0.0 }];
        let channel = ChannelSpectrum { tones, ..ChannelSpectrum::default() };
        let spectrum = Arc::new(Spectrum {
            fundamental_hz: 50.0,
            voltages: vec![channel.clone()],
            currents: vec![channel],
        });
        let until = SimDuration::from_seconds(15);
        device.step(SimTime(0), Input::Spectrum { until, spectrum, celsius: 23.0 }, &mut out);
        drop(device);
        let asked = Arc::into_inner(asked).unwrap().into_inner().unwrap();
        (out, asked, begun)
    }

    #[test]
    fn a_program_is_shown_the_terminal_and_read_when_that_is_due() {
        let read = r#"{"values": {"electricity.voltage.rms.l1": 231.5}, "from_s": 2}"#;
        let (out, asked, begun) = stepped(&[r#"{"lastmeter": 1}"#, "{}", read, "{}"]);
        begun.unwrap();
        let asks: Vec<serde_json::Value> =
            asked.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = asks.iter().filter_map(|ask| ask["ask"].as_str()).collect();
        assert_eq!(kinds, ["begin", "spectrum", "read", "spectrum"]);
        assert_eq!(
            (asks[1]["until_s"].as_f64(), asks[3]["until_s"].as_f64()),
            (Some(10.0), Some(15.0))
        );
        assert_eq!(asks[1]["voltages"][0]["tones"][0]["rms"], 230.0);
        let span = out.iter().find_map(|output| match output {
            Output::Reading { span, .. } => Some(*span),
            _ => None,
        });
        let seconds = SimDuration::from_seconds;
        let registers_from = SimDuration::ZERO;
        assert_eq!(span, Some(ReferenceSpan { from: seconds(2), to: seconds(10), registers_from }));
        let sent = out.iter().any(|output| {
            matches!(output, Output::Send { payload, .. }
                if String::from_utf8_lossy(payload).contains("231.5"))
        });
        assert!(sent, "{out:?}");
    }

    #[test]
    fn what_makes_no_sense_ends_it_once() {
        for (answers, expected) in [
            (&["{}"][..], "silent"),
            (&["{}", "nonsense"], "expected one JSON object of its answer, found `nonsense`"),
            (&["{}", "{}", "{}"], "expected `values` in the answer"),
            (&["{}", "{}", r#"{"values": {"speed": 1}}"#], "`speed` is not among"),
            (&["{}", "{}", r#"{"values": {}, "from_s": 99}"#], "99 s lies outside"),
            (&["{}", r#"{"error": "no licence"}"#], "it reports an error: no licence"),
            (&["{}", r#"{"vlaues": {}}"#], "expected one JSON object"),
        ] {
            let (out, _, begun) = stepped(answers);
            assert!(begun.unwrap_err().starts_with("expected `{\"lastmeter\": 1}`"));
            let why = out.iter().find_map(|output| match output {
                Output::Failed { why } => Some(why.as_str()),
                _ => None,
            });
            assert!(why.is_some_and(|why| why.starts_with(expected)), "{why:?}");
        }
        let (.., begun) = stepped(&[r#"{"lastmeter": 2}"#]);
        assert!(begun.unwrap_err().starts_with("it speaks version 2"));
    }
}
