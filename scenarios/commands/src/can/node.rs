//! A node of the metering network at a real line: it closes readings and answers requests for
//! their registers as a meter with a steady load does.
//!
//! What it has no value for it does not answer, as a node without such a register: switching unit,
//! power profile, dips, status, version, calibration, and all that is authenticated. Frames are
//! made by the DBC file of the network.

use clap::Args;
use lastmeter_bench::output::print_err;
use lastmeter_bench::stop::stop_signal;
use lastmeter_board::meter_node::{READING, Register};
use lastmeter_can::dbc::Rounding;
use lastmeter_can::dbc::metering::metering_network;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan::{Adapter, BitRate, BitTiming, Order};
use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;

use super::{Bus, Work, after};

/// Cycles in a window, and the most windows that an answer has room for.
const WINDOW_CYCLES: f64 = 10.0;
const WINDOWS_MAX: f64 = 16_777_215.0;

/// The node and its steady load.
#[derive(Clone, Copy, Debug, Args)]
pub struct NodeOptions {
    /// Its number, 1 to 31
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=31))]
    pub node: u8,
    /// RMS voltage, V
    #[arg(long, value_name = "V", default_value_t = 230.0)]
    pub voltage: f64,
    /// RMS current, A
    #[arg(long, value_name = "A", default_value_t = 5.0)]
    pub current: f64,
    /// Power factor, -1 to 1; negative: the power flows back
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    pub power_factor: f64,
    /// Frequency, Hz
    #[arg(long, value_name = "HZ", default_value_t = 50.0)]
    pub frequency: f64,
}

/// A meter on the bus, whose registers stood at 0 at an instant of the monotonic clock.
#[derive(Debug)]
pub(super) struct MeterNode {
    load: NodeOptions,
    begin_ns: i64,
    reading: Option<Reading>,
}

/// A reading that is closed.
#[derive(Clone, Copy, Debug)]
struct Reading {
    number: u32,
    at_ns: i64,
    windows: f64,
    token: u8,
}

impl MeterNode {
    /// A meter whose registers begin at 0 now.
    ///
    /// # Errors
    /// If a value is beyond what its register holds.
    pub(super) fn new(load: NodeOptions, now_ns: i64) -> Result<Self, String> {
        if !(-1.0..=1.0).contains(&load.power_factor) {
            return Err(format!("found --power-factor {}, expected -1 to 1", load.power_factor));
        }
        let node = Self { load, begin_ns: now_ns, reading: None };
        let first = node.closed(now_ns, 0);
        let registers = READING.iter().filter_map(|register| node.encoded(*register, &first));
        registers.collect::<Result<Vec<_>, _>>()?;
        Ok(node)
    }

    /// Takes a frame; its answer, if it has one.
    pub(super) fn take(&mut self, now_ns: i64, frame: &CanFrame) -> Option<CanFrame> {
        let identifier = Some(frame.id()).filter(|id| !id.is_extended())?.value();
        let (register, node) = Register::of_identifier(u16::try_from(identifier).ok()?)?;
        let own = self.load.node;
        let is_asked = match (register, frame.bytes()) {
            (Register::Freeze, &[token, ..]) if [0, own].contains(&node) => {
                self.reading = Some(self.closed(now_ns, token));
                true
            }
            // A data frame asks all nodes, or the one that its byte names.
            (_, &[]) if node == 0 => !frame.is_remote(),
            (_, &[asked]) if node == 0 => [0, own].contains(&asked),
            _ => node == own && frame.is_remote(),
        };
        self.reading.filter(|_| is_asked).and_then(|reading| self.encoded(register, &reading)?.ok())
    }

    fn closed(&self, now_ns: i64, token: u8) -> Reading {
        let (number, since_ns) =
            self.reading.map_or((0, self.begin_ns), |before| (before.number, before.at_ns));
        let cycles = (now_ns - since_ns) as f64 * 1e-9 * self.load.frequency;
        let windows = (cycles / WINDOW_CYCLES).floor().min(WINDOWS_MAX);
        Reading { number: number.wrapping_add(1), at_ns: now_ns, windows, token }
    }

    /// The answer that a register has of a reading; none if it has none.
    fn encoded(&self, register: Register, of: &Reading) -> Option<Result<CanFrame, String>> {
        let network = metering_network();
        let id = CanId::standard(register.identifier(self.load.node).into()).ok()?;
        let message = network.message(id)?;
        let named = message.signals.iter().map(|it| Some((&*it.name, self.value(&it.name, of)?)));
        let values: Vec<_> = named.collect::<Option<_>>()?;
        let frame = network.encode(&message.name, &values, Rounding::Nearest);
        Some(frame.map_err(|error| error.to_string()))
    }

    /// The value of a signal in the unit of the DBC file.
    fn value(&self, signal: &str, of: &Reading) -> Option<f64> {
        let NodeOptions { voltage, current, power_factor, frequency, .. } = self.load;
        let apparent_va = voltage * current;
        let active_w = apparent_va * power_factor;
        let energy_j = active_w * (of.at_ns - self.begin_ns) as f64 * 1e-9;
        Some(match signal {
            "Voltage" => voltage,
            "Current" => current,
            "ActivePower" => active_w,
            "ApparentPower" => apparent_va,
            "NonActivePower" => apparent_va * (1.0 - power_factor * power_factor).sqrt(),
            "PowerFactor" => power_factor,
            "Frequency" => frequency,
            "ConsumedEnergy" => energy_j.max(0.0),
            "InjectedEnergy" => (-energy_j).max(0.0),
            "Number" => of.number.into(),
            "Windows" => of.windows,
            "Token" => of.token.into(),
            "Unsynchronised" | "VoltageDistortion" | "CurrentDistortion" => 0.0,
            _ => return None,
        })
    }
}

/// Is the adapter of whoever opens the line, with the node behind it, until the time is over.
pub(super) async fn behind_adapter(
    mut line: Channel,
    rate: BitRate,
    mut bus: Bus<'_>,
    work: &Work<'_>,
) {
    print_err(&format!("the node waits for a host of SLCAN at {}", line.place()));
    let (mut adapter, mut takes_part, mut stop) = (Adapter::default(), false, stop_signal());
    let end = after(work.length);
    tokio::pin!(end);
    loop {
        let (mut to_host, mut orders) = (Vec::new(), Vec::new());
        tokio::select! {
            event = line.recv() => match event {
                ChannelEvent::Arrived { bytes, .. } => {
                    adapter.bytes(&bytes, &mut to_host, &mut orders);
                }
                ChannelEvent::Up => adapter.reset(&mut orders),
                ChannelEvent::Down { .. } => {}
            },
            () = &mut end => return,
            _ = stop.changed() => return,
        }
        for order in orders {
            match order {
                Order::Open { timing, listens_only } => {
                    takes_part = timing == BitTiming::Rate(rate) && !listens_only;
                    if !takes_part {
                        print_err("warning: it is opened at another bit rate, or only listens");
                    }
                }
                Order::Close => takes_part = false,
                Order::Transmit(frame) if takes_part => {
                    let now_ms = monotonic_ns().unsigned_abs() / 1_000_000;
                    if let Some(answer) = bus.heard(&frame, None) {
                        adapter.frame(&answer, now_ms, &mut to_host);
                    }
                }
                Order::Transmit(_) => {}
            }
        }
        // A host that is gone meanwhile comes again, and asks again.
        let _ = line.send(&to_host).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: NodeOptions =
        NodeOptions { node: 5, voltage: 230.0, current: 5.0, power_factor: 1.0, frequency: 50.0 };
    const HOUR_NS: i64 = 3_600_000_000_000;

    /// Bytes by `struct.pack` of Python.
    #[test]
    fn it_answers_with_what_its_load_has_when_the_reading_is_closed() {
        let mut node = MeterNode::new(LOAD, 0).unwrap();
        let mut ask = |at_ns, text: &str| {
            let answer = node.take(at_ns, &text.parse().unwrap());
            answer.map_or_else(|| "-".to_owned(), |frame| frame.to_string())
        };
        assert_eq!(ask(1, "205#R8"), "-", "no reading is closed");
        assert_eq!(ask(HOUR_NS, "020#07"), "025#0000000100465007", "18000 windows in an hour");
        for (asked, answer) in [
            ("205#R8", "205#0DB58580004C4B40"),
            ("225#R8", "225#00000000448B9B80"),
            ("245#R8", "245#00118C3000000000"),
            ("265#R8", "265#000F424002FAF080"),
            ("285#R8", "285#00000000F6C36300"),
            ("2A5#R8", "2A5#0000000000000000"),
            ("2C5#R8", "2C5#0000000100000000"),
            ("200#", "205#0DB58580004C4B40"),
            ("200#05", "205#0DB58580004C4B40"),
            ("200#06", "-"),
            ("200#R8", "-"),
            ("205#0DB58580004C4B40", "-"),
            ("206#R8", "-"),
            ("305#R8", "-"),
            ("405#R8", "-"),
            ("00000205#R8", "-"),
        ] {
            assert_eq!(ask(2 * HOUR_NS, asked), answer, "{asked}");
        }
        assert_eq!(ask(2 * HOUR_NS, "025#08"), "025#0000000200465008");
    }

    #[test]
    fn a_load_that_its_registers_do_not_hold_is_an_error() {
        let error = |load| MeterNode::new(load, 0).unwrap_err();
        assert!(error(NodeOptions { power_factor: 1.5, ..LOAD }).contains("expected -1 to 1"));
        let error = error(NodeOptions { voltage: 5000.0, ..LOAD });
        assert!(error.contains("Node5_VoltageCurrent is out of range"), "{error}");
    }
}
