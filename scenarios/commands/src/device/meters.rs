//! Simulated meters on a real line, for any master: each answers as it would on its own network.
//!
//! What is asked for is written as a scenario and read by its language, so that keys, bounds and
//! mistakes are the same. Answers go as soon as they are ready, whatever the rate of the line;
//! those of several meters to one request overlap, and what is sent is the AND of their bits, as
//! currents that add up make it.

use std::fmt::Write as _;
use std::path::Path;

use lastmeter_bench::host::wall_now;
use lastmeter_bench::lines::together;
use lastmeter_bench::output::{broken, complain, print_err, print_out};
use lastmeter_bench::run::{SignalFeed, Timeline, chain, device_setup};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_devices::{Device, DeviceKind, Input, Output};
use lastmeter_language::{LoadOptions, Scenario};
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent, ChannelSettings};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_params::quote;
use lastmeter_reports::ExitCode;
use lastmeter_units::{Domain, SimDuration, SimTime};
use serde_json::json;

use super::DeviceOptions;
use crate::ending::ends;

/// The kind of network whose meters run by themselves.
const M_BUS: &str = "m-bus";

struct Meter {
    name: String,
    address: String,
    device: Box<dyn Device>,
    feed: SignalFeed,
}

/// Runs meters of a model on one line until a signal, or for so long.
pub(super) fn run(kind: &DeviceKind, network: &str, options: &DeviceOptions) -> ExitCode {
    let prepared = is_bus(kind, network).and_then(|()| meters(kind, network, options));
    let prepared = prepared.and_then(|meters| {
        let [line] = options.on.as_slice() else {
            let count = options.on.len();
            return Err(format!("{count} lines, expected one `--on LINE`, such as `--on pty`"));
        };
        Ok((meters, line.parse::<ChannelAddress>().map_err(|error| error.to_string())?))
    });
    let (meters, line) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return complain(&message),
    };
    match on_this_thread(serve(meters, &line, options)) {
        Ok(()) => ExitCode::Passed,
        Err(message) => broken(&message),
    }
}

/// Only lines on which meters are asked are played alone.
fn is_bus(kind: &DeviceKind, network: &str) -> Result<(), String> {
    if network == M_BUS {
        return Ok(());
    }
    let model = kind.entry.name;
    Err(format!(
        "`{model}` is on a network of kind `{network}`, expected a model for `{M_BUS}`: others run \
         in scenarios, with their gateway"
    ))
}

/// What is asked for as a scenario that begins at an instant, or less than a second before.
fn scenario_text(
    kind: &DeviceKind,
    network: &str,
    options: &DeviceOptions,
    start: SimTime,
) -> String {
    let source = match kind.fits.domain() {
        Domain::Electricity => "synthetic",
        Domain::Heat => "heat-circuit",
        Domain::Water => "water",
        Domain::Room => "room",
    };
    let phases =
        kind.fits.phases().map_or_else(String::new, |phases| format!("phases = {phases}\n"));
    let start = start.0.div_euclid(1_000_000_000) * 1_000_000_000;
    let mut text = format!(
        "format = 1\n[scenario]\nname = \"device\"\nstart = {}\nduration = \"100 d\"\nseed = {}\n\
         [[network]]\nname = \"line\"\nkind = {}\n\
         [[gateway]]\nname = \"nobody\"\nmodel = \"m-bus-concentrator\"\non = \"network:line\"\n\
         [[check]]\nname = \"once\"\nkind = \"no_loss\"\n\
         [[source]]\nname = \"plant\"\nkind = \"{source}\"\n{phases}{}\n",
        SimTime(start),
        options.seed,
        quote(network),
        options.plant.join("\n"),
    );
    for number in 1..=options.count {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[device]]\nname = \"meter-{number}\"\nat = \"source:plant\"\nmodel = {}\n\
             on = \"network:line\"\nprimary_address = {}\n{}\n",
            quote(kind.entry.name),
            number.min(250),
            options.set.join("\n"),
        );
        if number <= options.collide {
            // They differ in the last digits only, so that a search meets them together.
            let _ = writeln!(text, "identification = {}", 12_345_670 + u64::from(number));
        }
    }
    text
}

/// The meters, which have measured when they are first asked, as one on a wall has: they begin as
/// much earlier as what they measured last may be old.
fn meters(kind: &DeviceKind, network: &str, options: &DeviceOptions) -> Result<Vec<Meter>, String> {
    let now = wall_now();
    let declared = |meter: &Meter| meter.device.declared().map(|span| span.earliest);
    let all = meters_from(kind, network, options, now)?;
    let lead = all.iter().filter_map(declared).max().unwrap_or(SimDuration::ZERO);
    let mut all = meters_from(kind, network, options, now - lead)?;
    for Meter { device, feed, .. } in &mut all {
        feed.run_to(device.as_mut(), now, &mut Vec::new());
    }
    Ok(all)
}

fn meters_from(
    kind: &DeviceKind,
    network: &str,
    options: &DeviceOptions,
    start: SimTime,
) -> Result<Vec<Meter>, String> {
    let text = scenario_text(kind, network, options, start);
    let scenario =
        Scenario::from_bytes(Path::new("device"), text.as_bytes(), &LoadOptions::default())
            .map_err(|failure| {
                let all = failure.diagnostics().iter().map(|mistake| mistake.message.as_str());
                let mut all: Vec<&str> = all.collect();
                all.dedup();
                all.join("; ")
            })?;
    let meter = |index: usize| {
        let (setup, _) = device_setup(&scenario, index, None).map_err(|error| chain(&error))?;
        Ok(Meter {
            name: scenario.devices[index].name.clone(),
            address: setup.device.network_address().unwrap_or_default(),
            device: setup.device,
            feed: setup.feed,
        })
    };
    (0..scenario.devices.len()).map(meter).collect()
}

async fn serve(
    mut meters: Vec<Meter>,
    line: &ChannelAddress,
    options: &DeviceOptions,
) -> Result<(), String> {
    let mut channel =
        Channel::open(line, ChannelSettings::M_BUS).await.map_err(|error| chain(&error))?;
    let listed = meters.iter().map(|meter| json!({ "name": meter.name, "address": meter.address }));
    let listed: Vec<serde_json::Value> = listed.collect();
    let ready = json!({
        "ready": true, "model": options.model, "lines": [channel.place()], "meters": listed,
    });
    print_out(&ready.to_string());
    let clock = Timeline { start: wall_now(), origin_ns: monotonic_ns() };
    let mut ended = std::pin::pin!(ends(options.length).map_err(|error| error.to_string())?);
    loop {
        let event = tokio::select! {
            () = &mut ended => return Ok(()),
            event = channel.recv() => event,
        };
        let ChannelEvent::Arrived { at_ns, bytes } = event else { continue };
        let now = clock.event_time(at_ns, SimDuration::ZERO);
        let answers: Vec<Vec<u8>> =
            meters.iter_mut().filter_map(|meter| meter.answer(now, &bytes)).collect();
        if let Some(answer) = together(&answers)
            && let Err(error) = channel.send(&answer).await
        {
            print_err(&format!("{}: {error}", channel.place()));
        }
    }
}

impl Meter {
    /// What it sends when these bytes have arrived.
    fn answer(&mut self, now: SimTime, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.feed.run_to(self.device.as_mut(), now, &mut out);
        self.device.step(now, Input::Heard { bytes: bytes.to_vec() }, &mut out);
        let mut sent = Vec::new();
        for output in out {
            match output {
                Output::Transmit { bytes, .. } => sent.extend(bytes),
                Output::Event { kind, detail } => {
                    print_err(&format!("{} {}: {detail}", self.name, kind.word()));
                }
                Output::Reading { .. }
                | Output::Answered { .. }
                | Output::Reported { .. }
                | Output::Shown { .. }
                | Output::Obeyed { .. }
                | Output::Failed { .. }
                | Output::Send { .. }
                // It is on no CAN bus here.
                | Output::Offer { .. }
                | Output::Stage { .. }
                | Output::Supply { .. }
                | Output::Switched { .. } => {}
            }
        }
        (!sent.is_empty()).then_some(sent)
    }
}
