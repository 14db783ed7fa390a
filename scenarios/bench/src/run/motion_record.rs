//! What is written down of a network in motion: waveforms, curves of protective devices, and how
//! far the dark area reached.

use lastmeter_grid::diagram::{self, Mark};
use lastmeter_grid::motion::{Operation, OperationKind, ProbeAt};
use lastmeter_grid::network::{Network, NodeId};
use lastmeter_record::{GridRecord, file, sha256, write_number};
use lastmeter_sim::Streams;
use lastmeter_sim::grid::{RecordedExcerpt, Recorder, SolvedNetwork};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_waveform::comtrade::{self, DataKind, Origin, Revision};
use lastmeter_waveform::{Channel, ChannelKind, DigitalChannel, Recording};

/// Currents between which curves are written, amperes.
const CURRENTS_A: (f64, f64) = (1.0, 1e5);

/// Points of curves above this time are of no use, seconds.
const LONGEST_S: f64 = 1e5;

/// Adds it to what is written of a network.
///
/// # Errors
/// If waveforms cannot be made or written down, as text.
pub(crate) fn add(
    record: &mut GridRecord,
    feeder: &SolvedNetwork,
    (start, streams): (SimTime, Streams),
) -> Result<(), String> {
    if let Some(curves) = curves(feeder) {
        record.further.push((file::GRID_CURVES, curves));
    }
    if let Some(picture) = dark(feeder, start) {
        record.further.push((file::GRID_DARK, picture.into_bytes()));
    }
    let mut index = String::from(
        "recorder,file,from,samples,rate_hz,cfg_sha256,dat_sha256,place,keeps_currents\n",
    );
    for (place, recorder) in feeder.recorders().iter().enumerate() {
        let failed = |why: &dyn std::fmt::Display| format!("recorder `{}`: {why}", recorder.name);
        let place_name = where_it_is(feeder.network(), recorder.at);
        let (kept, left_out) = feeder.kept(place, streams).map_err(|why| failed(&why))?;
        for (number, kept) in (1..).zip(&kept) {
            let mut recording = recording(recorder, kept, feeder.operations(), start);
            recording.nominal_hz = Some(feeder.network().frequency_hz);
            let length = SimDuration::from_seconds_f64(recording.duration_s());
            let origin = Origin {
                station: &feeder.network().name,
                device: &recorder.name,
                trigger: trigger(feeder.operations(), (kept.from, length)).map(|it| start + it),
            };
            let (kind, revision) = (DataKind::Float32, Revision::R2013);
            let written = comtrade::write_of(&recording, &origin, kind, revision);
            let written = written.map_err(|why| failed(&why))?;
            let name = format!("{}-{number}", recorder.name);
            let from = start + kept.from;
            let [cfg, dat] = [&written.cfg, &written.dat].map(|it| sha256(it));
            let (samples, rate_hz) = (recording.samples(), recorder.rate_hz);
            let keeps_currents = !matches!(recorder.at, ProbeAt::Node(_));
            let place = format!("\"{place_name}\",{keeps_currents}");
            let line = format!(
                "{},{name},{from},{samples},{rate_hz},{cfg},{dat},{place}\n",
                recorder.name
            );
            index.push_str(&line);
            record.waveforms.push((format!("{name}.cfg"), written.cfg));
            record.waveforms.push((format!("{name}.dat"), written.dat));
        }
        if left_out > 0 {
            // Nobody is to take what is there for all that there was.
            let line = format!("{},,{left_out} more had no room,,,,,,false\n", recorder.name);
            index.push_str(&line);
        }
    }
    if !feeder.recorders().is_empty() {
        record.further.push((file::GRID_WAVEFORMS, index.into_bytes()));
    }
    Ok(())
}

/// Where a recorder is, and of which side its voltages are; as a field in quotes.
fn where_it_is(network: &Network, at: ProbeAt) -> String {
    let node = |node: NodeId| &network.nodes[node.index()].name;
    let place = match at {
        ProbeAt::Node(it) => format!("node {}", node(it)),
        ProbeAt::Load(it) => format!("load {}", network.loads[it].name),
        ProbeAt::Source(it) => format!("source {}, on its own side", network.sources[it].name),
        ProbeAt::Switch(it) => {
            let switch = &network.switches[it];
            let from = node(switch.from.node);
            format!("switch {}, voltages on the side of {from}, currents from there", switch.name)
        }
    };
    place.replace('"', "\"\"")
}

/// The first thing that was done in an excerpt.
fn trigger(
    operations: &[Operation],
    (from, length): (SimDuration, SimDuration),
) -> Option<SimDuration> {
    let mut done = operations.iter().filter(|it| it.kind.switches());
    let first = done.find(|it| (from.0..from.0 + length.0).contains(&it.at_ns));
    first.map(|it| SimDuration(it.at_ns))
}

/// An excerpt with what was done in it as digital channels.
fn recording(
    recorder: &Recorder,
    kept: &RecordedExcerpt,
    operations: &[Operation],
    start: SimTime,
) -> Recording {
    let analogue = |kind: ChannelKind, letter: &str, unit: &str, all: &[Vec<f64>]| {
        let channels = all.iter().zip(["a", "b", "c"]);
        // A wire that the node does not have.
        let channels = channels.filter(|(samples, _)| samples.iter().any(|it| *it != 0.0));
        let channels = channels.map(|(samples, phase)| Channel {
            name: format!("{letter}{}", phase.to_uppercase()),
            phase: phase.to_owned(),
            unit: unit.to_owned(),
            kind,
            samples: samples.clone(),
            ..Channel::default()
        });
        channels.collect::<Vec<_>>()
    };
    let mut channels = analogue(ChannelKind::Voltage, "U", "V", &kept.voltages_v);
    channels.extend(analogue(ChannelKind::Current, "I", "A", &kept.currents_a));
    let samples = kept.voltages_v.first().map_or(0, Vec::len);
    if channels.is_empty() {
        // Dark all the time, which is something to be seen, too.
        let (name, phase, unit) = ("UA".to_owned(), "a".to_owned(), "V".to_owned());
        let (kind, samples) = (ChannelKind::Voltage, vec![0.0; samples]);
        channels.push(Channel { name, phase, unit, kind, samples, ..Channel::default() });
    }
    Recording {
        start: Some(start + kept.from),
        rate_hz: recorder.rate_hz,
        channels,
        digital: digital(recorder, (kept.from, samples), operations),
        ..Recording::default()
    }
}

/// What is on: a fault that burns, an element that somebody or something has opened.
fn digital(
    recorder: &Recorder,
    (from, samples): (SimDuration, usize),
    operations: &[Operation],
) -> Vec<DigitalChannel> {
    let length_ns = (samples as f64 / recorder.rate_hz * 1e9) as i64;
    let until_ns = from.0 + length_ns;
    let mut names: Vec<&str> = Vec::new();
    for it in operations.iter().filter(|it| it.kind.switches()) {
        if (from.0..until_ns).contains(&it.at_ns) && !names.contains(&&*it.element) {
            names.push(&it.element);
        }
    }
    let channel = |name: &str| {
        let mut states = vec![false; samples];
        for it in operations.iter().filter(|it| &*it.element == name) {
            let is_on = match it.kind {
                OperationKind::Ignited
                | OperationKind::Blown
                | OperationKind::Opened
                | OperationKind::LockedOut => true,
                OperationKind::Cleared | OperationKind::Closed => false,
                OperationKind::Tripped | OperationKind::Melted | OperationKind::Idle => continue,
            };
            let place = ((it.at_ns - from.0) as f64 * 1e-9 * recorder.rate_hz).ceil().max(0.0);
            let place = (place as usize).min(samples);
            states[place..].fill(is_on);
        }
        DigitalChannel { name: name.to_owned(), normal: false, states }
    };
    names.into_iter().map(channel).collect()
}

/// Curve by curve, point by point.
fn curves(feeder: &SolvedNetwork) -> Option<Vec<u8>> {
    let mut text = b"element,curve,current_a,time_s\n".to_vec();
    let header = text.len();
    for protector in feeder.protectors() {
        for (name, points) in protector.device.curves(CURRENTS_A.0, CURRENTS_A.1) {
            for (current_a, time_s) in points.into_iter().filter(|it| it.1 <= LONGEST_S) {
                text.extend(format!("{},\"{name}\",", protector.name).into_bytes());
                // Writing into memory does not fail.
                let _ = write_number(&mut text, current_a);
                text.push(b',');
                let _ = write_number(&mut text, time_s);
                text.push(b'\n');
            }
        }
    }
    (text.len() > header).then_some(text)
}

/// The network at the instant that the scenario asks for, or else when most supply was missing,
/// with the faults that burnt then.
fn dark(feeder: &SolvedNetwork, start: SimTime) -> Option<String> {
    let supply = feeder.dark_area()?;
    let network = feeder.network();
    let mut burning: Vec<&Operation> = Vec::new();
    for it in feeder.operations().iter().filter(|it| it.at_ns <= supply.at.0) {
        match it.kind {
            OperationKind::Ignited => burning.push(it),
            OperationKind::Cleared => burning.retain(|other| other.element != it.element),
            _ => {}
        }
    }
    let node_of = |it: &Operation| network.nodes.iter().position(|node| node.name == it.node);
    let marks: Vec<Mark> = burning
        .into_iter()
        .filter_map(|it| {
            let node = NodeId(u32::try_from(node_of(it)?).ok()?);
            Some(Mark { node, text: it.element.to_string() })
        })
        .collect();
    let (loads, dark) = (network.loads.len(), supply.dark);
    let time = SimTime((start + supply.at).0.div_euclid(1000) * 1000);
    let which = if supply.is_asked_for {
        "the instant that dark_at asks for"
    } else {
        "the first instant at which most supply was missing"
    };
    let about = format!("{time}, {dark} of {loads} loads without a full supply: {which}");
    Some(diagram::supply_svg(network, &supply.alive, &supply.closed, &marks, &about))
}
