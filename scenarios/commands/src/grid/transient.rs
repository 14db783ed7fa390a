//! Transients of a network: played from its steady state on, with what happens on the way.

mod event;
mod fuse;
mod watch;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use lastmeter_bench::output::Format;
use lastmeter_grid::flow;
use lastmeter_grid::motion::step_remark_with;
use lastmeter_grid::network::{Network, Wire};
use lastmeter_grid::transient::{Loads, Options, Transient};
use lastmeter_text::number;
use lastmeter_waveform::comtrade::{DataKind, Revision, write};
use lastmeter_waveform::{Channel, ChannelKind, Recording};

use super::GridOptions;
use super::faults::as_it_stands;
use event::Event;
use fuse::Operation;
use lastmeter_language::network_file::Read;
use watch::Trace;

/// So many values at most are kept, which is 0.8 GB.
const VALUES_MAX: f64 = 1e8;

/// So many values of a period at least show its peak to 2 % and its RMS value.
const PER_PERIOD_MIN: f64 = 16.0;

/// What was watched: channels at whole multiples of a time from 0 on.
struct Curves {
    every_s: f64,
    channels: Vec<(Trace, Vec<f64>)>,
    factored: u64,
    steps: u64,
    operations: Vec<Operation>,
}

/// Plays it and prints the result.
pub(super) fn answer(
    read: &mut Read,
    options: &GridOptions,
    length: Duration,
    choices: &flow::Options,
) -> Result<String, String> {
    let shown = options.file.display();
    let failed = |why: &dyn std::fmt::Display| format!("error: {shown}: {why}");
    let before = flow::Options { phases: flow::Phases::All, ..*choices };
    let mut network = as_it_stands(&read.network, &before).map_err(|why| failed(&why))?;
    let mut events = Vec::new();
    let whole = network.clone();
    for text in &options.transients.events {
        let event = event::read(&mut network, &whole, text).map_err(|why| failed(&why))?;
        if event.at_s > length.as_secs_f64() {
            return Err(failed(&format!("--event `{text}`: it comes behind the end of --play")));
        }
        events.push(event);
    }
    let step_s = options.transients.step.as_secs_f64();
    let faults: Vec<_> = events.iter().filter_map(|it| it.fault.as_ref()).collect();
    let faults: Vec<_> = faults.iter().map(|it| it.node).collect();
    let remark = step_remark_with(&network, step_s, &faults);
    read.notes.extend(remark.map(|it| format!("W005: {it}")));
    let has_neutral = network.nodes.iter().any(|it| it.wires.contains(Wire::Neutral));
    let asked = Request { network: &network, events: &events, options, length, before: &before };
    let played = if has_neutral { asked.play::<4>() } else { asked.play::<3>() };
    let played = played.map_err(|why| failed(&why))?;
    if let Some(path) = &options.transients.comtrade {
        written(path, &options.file, &played, network.frequency_hz).map_err(|why| failed(&why))?;
    }
    Ok(match options.format {
        Format::Table => table(&played, &network, options),
        Format::Csv => csv(&played),
        Format::Json => json(&played),
    })
}

struct Request<'a> {
    network: &'a Network,
    events: &'a [Event],
    options: &'a GridOptions,
    length: Duration,
    before: &'a flow::Options,
}

impl Request<'_> {
    /// A table has peaks and RMS values, which few values of a period hide.
    fn keeps_peaks(&self, every_s: f64) -> Result<(), String> {
        let finest_s = 1.0 / self.network.frequency_hz / PER_PERIOD_MIN;
        if self.options.format != Format::Table || every_s <= finest_s * (1.0 + 1e-9) {
            return Ok(());
        }
        let [asked_ms, finest_ms] = [every_s, finest_s].map(|it| number(it * 1e3));
        Err(format!(
            "--every {asked_ms} ms: the table has peaks and RMS values, expected {finest_ms} ms or \
             less, or --format csv"
        ))
    }

    fn play<const N: usize>(&self) -> Result<Curves, String> {
        let text = |why: &dyn std::fmt::Display| why.to_string();
        let wanted = &self.options.transients;
        let step_s = wanted.step.as_secs_f64();
        let every_s = wanted.every.map_or(step_s, |every| every.as_secs_f64());
        let length_s = self.length.as_secs_f64();
        if every_s <= 0.0 {
            return Err("a --step or --every of 0 s: expected a time above it".to_owned());
        }
        let watched = watch::read(self.network, &wanted.watch, self.events)?;
        let rows = length_s / every_s + 1.0;
        if !(rows.is_finite() && rows * watched.len() as f64 <= VALUES_MAX) {
            return Err(format!(
                "{} values of each of {} channels are more than can be kept: lengthen --every, or \
                 shorten --play",
                number(rows),
                watched.len()
            ));
        }
        let flow = flow::solve(self.network, self.before).map_err(|why| text(&why))?;
        let loads = Loads::AsFlow(&flow);
        let mut transient =
            Transient::<N>::new(self.network, &Options { step_s, loads, saturations: &[] })
                .map_err(|why| text(&why))?;
        self.keeps_peaks(every_s)?;
        for event in self.events {
            for action in &event.actions {
                transient.schedule(event.at_s, *action).map_err(|why| text(&why))?;
            }
        }
        let asked = wanted.fuses.iter().map(|it| fuse::read(self.network, it));
        let mut fuses = asked.collect::<Result<Vec<_>, _>>()?;
        if let Some(name) = fuse::repeated(&fuses) {
            return Err(format!("--fuse: switch `{name}` has two; expected one of each switch"));
        }
        for fuse in &mut fuses {
            fuse.begin(&transient).map_err(|why| text(&why))?;
        }
        let mut channels: Vec<(Trace, Vec<f64>)> =
            watched.into_iter().map(|it| (it, Vec::new())).collect();
        let mut before: Vec<f64> = channels.iter().map(|(it, _)| it.value(&transient)).collect();
        let (mut at_s, mut row, mut steps) = (0.0, 0_u64, 0);
        loop {
            // Between two instants of the solution values go straight.
            let now_s = transient.time_s();
            let now: Vec<f64> = channels.iter().map(|(it, _)| it.value(&transient)).collect();
            loop {
                let shown_s = row as f64 * every_s;
                if shown_s > now_s + 1e-9 * step_s || shown_s > length_s + 1e-9 * step_s {
                    break;
                }
                let share =
                    if now_s > at_s { ((shown_s - at_s) / (now_s - at_s)).min(1.0) } else { 1.0 };
                for ((_, values), (before, now)) in channels.iter_mut().zip(before.iter().zip(&now))
                {
                    values.push(before + (now - before) * share);
                }
                row += 1;
            }
            if now_s >= length_s - 1e-9 * step_s {
                break;
            }
            (at_s, before) = (now_s, now);
            transient.advance().map_err(|why| text(&why))?;
            for fuse in &mut fuses {
                fuse.look(now_s, &mut transient).map_err(|why| text(&why))?;
            }
            steps += 1;
        }
        let operations = fuses.iter().flat_map(fuse::Fuses::operations).collect();
        Ok(Curves { every_s, channels, factored: transient.factored(), steps, operations })
    }
}

/// Extremes of each channel, and what is left at the end.
fn table(played: &Curves, network: &Network, options: &GridOptions) -> String {
    let names = played.channels.iter().map(|(it, _)| it.name.chars().count());
    let width = names.max().unwrap_or(0).max(7);
    let wanted = &options.transients;
    let mut text = format!(
        "{}\nplayed {} steps of {} us, {} factorisations\n",
        options.file.display(),
        played.steps,
        number(wanted.step.as_secs_f64() * 1e6),
        played.factored
    );
    for event in &wanted.events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {event}");
    }
    for Operation { name, melted_s, cleared_s } in &played.operations {
        let cleared = cleared_s.map_or_else(
            || "still conducts by its arc".to_owned(),
            |it| format!("the current ended at {it:.6} s"),
        );
        let _ = writeln!(text, "  fuse {name} melted at {melted_s:.6} s, {cleared}");
    }
    let _ = writeln!(
        text,
        "\n{:<width$}  {:>12}  {:>10}  {:>14}  {:>14}",
        "channel", "peak", "at s", "RMS, 1st cycle", "RMS, last cycle"
    );
    let cycle = (1.0 / network.frequency_hz / played.every_s).round().max(1.0) as usize;
    for (channel, values) in &played.channels {
        let peak = values.iter().enumerate().fold((0, 0.0_f64), |peak, (at, value)| {
            if value.abs() > peak.1.abs() { (at, *value) } else { peak }
        });
        let of = |values: &[f64]| {
            let sum: f64 = values.iter().map(|it| it * it).sum();
            (sum / values.len().max(1) as f64).sqrt()
        };
        let first = of(&values[..cycle.min(values.len())]);
        let last = of(&values[values.len().saturating_sub(cycle)..]);
        let unit = channel.unit;
        let shown = |value: f64| format!("{value:.3} {unit}");
        let _ = writeln!(
            text,
            "{:<width$}  {:>12}  {:>10.6}  {:>14}  {:>14}",
            channel.name,
            shown(peak.1),
            peak.0 as f64 * played.every_s,
            shown(first),
            shown(last)
        );
    }
    text
}

fn csv(played: &Curves) -> String {
    let mut text = String::from("time_s");
    for (channel, _) in &played.channels {
        let _ = write!(text, ",{}", channel.name.replace([',', '"', '\n'], "_"));
    }
    text.push('\n');
    let rows = played.channels.first().map_or(0, |(_, values)| values.len());
    for row in 0..rows {
        let _ = write!(text, "{}", row as f64 * played.every_s);
        for (_, values) in &played.channels {
            let _ = write!(text, ",{}", values[row]);
        }
        text.push('\n');
    }
    text
}

fn json(played: &Curves) -> String {
    let channels = played.channels.iter().map(|(channel, values)| {
        serde_json::json!({ "name": channel.name, "unit": channel.unit, "values": values })
    });
    let operations = played.operations.iter().map(|it| {
        let Operation { name, melted_s, cleared_s } = it;
        serde_json::json!({ "fuse": name, "melted_s": melted_s, "cleared_s": cleared_s })
    });
    let document = serde_json::json!({
        "every_s": played.every_s, "steps": played.steps, "factorisations": played.factored,
        "operations": operations.collect::<Vec<_>>(), "channels": channels.collect::<Vec<_>>(),
    });
    format!("{document}\n")
}

/// Writes a recording, but never over the network it comes from.
fn written(path: &Path, file: &Path, played: &Curves, nominal_hz: f64) -> Result<(), String> {
    let channel = |(channel, values): &(Trace, Vec<f64>)| Channel {
        name: channel.name.clone(),
        phase: channel.wire.map_or_else(String::new, |wire| wire.to_string()),
        unit: channel.unit.to_owned(),
        kind: if channel.unit == "V" { ChannelKind::Voltage } else { ChannelKind::Current },
        skew_s: 0.0,
        samples: values.clone(),
    };
    let recording = Recording {
        rate_hz: 1.0 / played.every_s,
        nominal_hz: Some(nominal_hz),
        channels: played.channels.iter().map(channel).collect(),
        ..Recording::default()
    };
    let written = write(&recording, DataKind::Float32, Revision::R2013)
        .map_err(|why| format!("{}: {why}", path.display()))?;
    super::write_file(path, file, &String::from_utf8_lossy(&written.cfg))?;
    let data = path.with_extension("dat");
    std::fs::write(&data, &written.dat).map_err(|why| format!("{}: {why}", data.display()))
}
