//! `lastmeter can`: frames on a CAN bus, behind an SLCAN adapter or at an interface of `SocketCAN`.

use std::time::Duration;

use clap::{Args, Subcommand};
use lastmeter_bench::output::{TextFormat, complain, print_err, print_out};
use lastmeter_bench::stop::{block_on, or_never, stop_signal};
use lastmeter_can::frame::CanFrame;
use lastmeter_can::slcan::{BitRate, Command, Item, Reader, least_baud};
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent, ChannelSettings, Parity};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::socketcan::PREFIX;
use lastmeter_reports::ExitCode;
use serde_json::json;

mod interface;
mod names;
mod node;

use self::names::Names;
use self::node::{MeterNode, NodeOptions};

/// Bits per second on the bus behind an adapter, and on its serial line, where none are given.
const BIT_RATE: u32 = 125_000;
const BAUD: u32 = 1_000_000;
/// How long the adapter may take to be there, and to answer.
const OPEN: Duration = Duration::from_secs(3);

/// The adapter.
#[derive(Clone, Debug, Args)]
pub struct AdapterOptions {
    /// Its port: `tty:PATH` or `/dev/...`, `tcp:HOST:PORT`, `unix:PATH`; or
    /// `can:can0`, an interface of Linux, in builds with the feature `socketcan`
    pub port: String,
    /// Bits per second on the bus behind an SLCAN adapter [default: 125000]
    #[arg(long, value_name = "BIT/S")]
    pub bit_rate: Option<u32>,
    /// Baud rate of a serial line [default: 1000000]
    #[arg(long, value_name = "BAUD")]
    pub baud: Option<u32>,
    /// Names and values of what frames carry, by a DBC file; `metering` is that of the metering
    /// network
    #[arg(long, value_name = "FILE")]
    pub dbc: Option<String>,
    /// For people, or one JSON object per frame and line
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
}

/// What is done on the bus.
#[derive(Clone, Debug, Subcommand)]
pub enum CanCommand {
    /// Show what is on the bus, as `(seconds) 123#1122` or `123#R8`
    #[command(
        after_help = "Example:\n  lastmeter can dump /dev/serial/by-id/usb-EXAMPLE --for 10s"
    )]
    Dump {
        /// The adapter
        #[command(flatten)]
        adapter: AdapterOptions,
        /// End after so many frames
        #[arg(long, value_name = "FRAMES")]
        count: Option<u64>,
        /// End after so long; else at a signal
        #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
        length: Option<Duration>,
    },
    /// Send frames, and show what comes back
    #[command(after_help = "Example:\n  lastmeter can send /dev/serial/by-id/usb-EXAMPLE 321#R8")]
    Send {
        /// The adapter
        #[command(flatten)]
        adapter: AdapterOptions,
        /// Frames: `123#1122` with data, `123#R8` remote, eight digits before # for extended ones
        #[arg(required = true)]
        frames: Vec<CanFrame>,
        /// How long answers are waited for
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = crate::ending::length)]
        answer_within: Duration,
    },
    /// Be a node of the metering network: a meter with a steady load, which closes readings and
    /// answers requests for its registers
    #[command(after_help = "Example:\n  lastmeter can node pty:/tmp/riser --node 5 --current 4")]
    Node {
        /// The adapter; with `pty:PATH` or `tcp-listen:HOST:PORT` the node is behind an adapter of
        /// ours, for a host that opens that line
        #[command(flatten)]
        adapter: AdapterOptions,
        /// The node
        #[command(flatten)]
        node: NodeOptions,
        /// End after so long; else at a signal
        #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
        length: Option<Duration>,
    },
}

/// What is done at a port, until which end.
#[derive(Clone, Copy, Debug, Default)]
struct Work<'a> {
    frames: &'a [CanFrame],
    node: Option<NodeOptions>,
    count: Option<u64>,
    length: Option<Duration>,
}

/// Runs the subcommand and returns its exit code.
pub fn can(command: &CanCommand) -> ExitCode {
    let none = Work::default();
    let (adapter, work) = match command {
        CanCommand::Dump { adapter, count, length } => {
            (adapter, Work { count: *count, length: *length, ..none })
        }
        CanCommand::Send { adapter, frames, answer_within } => {
            (adapter, Work { frames, length: Some(*answer_within), ..none })
        }
        CanCommand::Node { adapter, node, length } => {
            (adapter, Work { node: Some(*node), length: *length, ..none })
        }
    };
    block_on(async { at_port(adapter, &work).await.unwrap_or_else(|why| complain(&why)) })
}

/// The bit rate of the bus and the baud rate of the line to its adapter.
fn rates(adapter: &AdapterOptions, address: &ChannelAddress) -> Result<(BitRate, u32), String> {
    let bits_per_second = adapter.bit_rate.unwrap_or(BIT_RATE);
    let baud = adapter.baud.unwrap_or(BAUD);
    let bit_rate = BitRate::from_bits_per_second(bits_per_second).ok_or_else(|| {
        let known = "10000, 20000, 50000, 100000, 125000, 250000, 500000, 800000 or 1000000";
        format!("found --bit-rate {bits_per_second}, expected {known}")
    })?;
    let least = least_baud(bits_per_second);
    if matches!(address, ChannelAddress::Tty(_)) && u64::from(baud) < least {
        print_err(&format!(
            "warning: {baud} baud do not carry a full bus of {bits_per_second} bit/s, which takes \
             {least}; frames may be lost in the adapter"
        ));
    }
    Ok((bit_rate, baud))
}

/// Ends after so long, or never.
async fn after(length: Option<Duration>) {
    let limit = or_never(length).await;
    // That it ends by its limit is what is wanted.
    let _ = tokio::time::timeout(limit, std::future::pending::<()>()).await;
}

async fn at_port(adapter: &AdapterOptions, work: &Work<'_>) -> Result<ExitCode, String> {
    let names = Names::open(adapter.dbc.as_deref())?;
    let node = work.node.map(|node| MeterNode::new(node, monotonic_ns())).transpose()?;
    match adapter.port.strip_prefix(PREFIX) {
        Some(name) => interface::at_interface(name, adapter, &names, work, node).await,
        None => on_bus(adapter, Bus::new(adapter.format, &names, node), work).await,
    }
}

async fn on_bus(
    adapter: &AdapterOptions,
    mut bus: Bus<'_>,
    work: &Work<'_>,
) -> Result<ExitCode, String> {
    let address: Result<ChannelAddress, _> = adapter.port.parse();
    let address = address.map_err(|error| format!("{error}, or `{PREFIX}INTERFACE`"))?;
    let (bit_rate, baud) = rates(adapter, &address)?;
    let settings = ChannelSettings { baud, parity: Parity::None, data_bits: 8, stop_bits: 1 };
    let port_fault = |error: lastmeter_link::channel::ChannelError| error.to_string();
    let mut port = Channel::open(&address, settings).await.map_err(port_fault)?;
    let is_own_end = matches!(address, ChannelAddress::Pty(_) | ChannelAddress::TcpListen(_));
    if bus.node.is_some() && is_own_end {
        node::behind_adapter(port, bit_rate, bus, work).await;
        return Ok(ExitCode::Passed);
    }
    let up = async { while !matches!(port.recv().await, ChannelEvent::Up) {} };
    if tokio::time::timeout(OPEN, up).await.is_err() {
        let limit = OPEN.as_secs();
        return Err(format!("nobody is at {address} within {limit} s"));
    }
    let opening =
        [Command::Empty, Command::Empty, Command::Close, Command::BitRate(bit_rate), Command::Open];
    let opening: Vec<u8> = opening.iter().flat_map(Command::encode).collect();
    port.send(&opening).await.map_err(port_fault)?;
    let mut stop = stop_signal();
    let end = after(work.length);
    tokio::pin!(end);
    let mut sent = work.frames.is_empty();
    let ended = loop {
        if !sent && bus.is_open {
            sent = true;
            let bytes: Vec<u8> =
                work.frames.iter().flat_map(|frame| Command::Transmit(*frame).encode()).collect();
            port.send(&bytes).await.map_err(port_fault)?;
        }
        if let Some(setting) = bus.refused_setting {
            break Err(format!(
                "the adapter refuses {setting} (BEL): it may be open already, or know other bit rates"
            ));
        }
        if work.count.is_some_and(|count| bus.frames >= count) {
            break Ok(());
        }
        tokio::select! {
            event = port.recv() => match event {
                ChannelEvent::Arrived { bytes, .. } => {
                    let answers = bus.take(&bytes);
                    if !answers.is_empty() {
                        port.send(&answers).await.map_err(port_fault)?;
                    }
                }
                ChannelEvent::Down { reason } => break Err(format!("the port is lost: {reason}")),
                ChannelEvent::Up => {}
            },
            () = &mut end => break Ok(()),
            _ = stop.changed() => break Ok(()),
        }
    };
    if ended.is_ok() {
        // The adapter leaves the bus, as far as it still listens.
        let _ = port.send(&Command::Close.encode()).await;
    }
    ended?;
    bus.summary(work.frames.len())
}

/// What is read of an adapter.
struct Bus<'a> {
    reader: Reader,
    names: &'a Names,
    /// Who answers what is heard.
    node: Option<MeterNode>,
    format: TextFormat,
    begin_ns: i64,
    is_open: bool,
    answers: u64,
    /// Which command of those that open the adapter it refused.
    refused_setting: Option<&'static str>,
    frames: u64,
    /// How many frames the node has answered with.
    answered: usize,
    confirmed: u64,
    refused: u64,
    garbage: u64,
}

/// Two empty lines, close, bit rate and open have each their answer.
const ANSWERS_TO_OPENING: u64 = 5;

/// What the answer of this number is to, if that has to succeed.
const fn setting(answer: u64) -> Option<&'static str> {
    match answer {
        4 => Some("the bit rate"),
        ANSWERS_TO_OPENING => Some("to open"),
        _ => None,
    }
}

impl<'a> Bus<'a> {
    fn new(format: TextFormat, names: &'a Names, node: Option<MeterNode>) -> Self {
        Self {
            reader: Reader::default(),
            names,
            node,
            format,
            begin_ns: monotonic_ns(),
            is_open: false,
            answers: 0,
            refused_setting: None,
            frames: 0,
            answered: 0,
            confirmed: 0,
            refused: 0,
            garbage: 0,
        }
    }

    /// Takes bytes of the adapter; what it is given for them.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut items, mut to_adapter) = (Vec::new(), Vec::new());
        self.reader.bytes(bytes, &mut items);
        for item in items {
            match item {
                Item::Frame { frame, timestamp_ms } => {
                    let answer = self.heard(&frame, timestamp_ms).map(Command::Transmit);
                    self.answered += usize::from(answer.is_some());
                    to_adapter.extend(answer.iter().flat_map(Command::encode));
                }
                Item::Refused if !self.is_open => {
                    self.answers += 1;
                    // A close that comes while it is closed is refused by some adapters.
                    self.refused_setting = self.refused_setting.or(setting(self.answers));
                }
                Item::Refused => self.refused += 1,
                Item::Garbage { .. } => self.garbage += 1,
                _ => {
                    self.answers += 1;
                    self.confirmed += u64::from(self.is_open);
                }
            }
            self.is_open |= self.answers >= ANSWERS_TO_OPENING && self.refused_setting.is_none();
        }
        to_adapter
    }

    /// Shows a frame, and what the node answers.
    fn heard(&mut self, frame: &CanFrame, timestamp_ms: Option<u16>) -> Option<CanFrame> {
        self.frame(frame, timestamp_ms);
        let answer = self.node.as_mut()?.take(monotonic_ns(), frame)?;
        self.frame(&answer, None);
        Some(answer)
    }

    fn frame(&mut self, frame: &CanFrame, timestamp_ms: Option<u16>) {
        self.frames += 1;
        let seconds = (monotonic_ns() - self.begin_ns) as f64 * 1e-9;
        match self.format {
            TextFormat::Human => {
                print_out(&format!("({seconds:.6}) {frame}{}", self.names.text(frame)));
            }
            TextFormat::Json => {
                let text = frame.to_string();
                let mut line = json!({
                    "seconds": seconds, "frame": text, "adapter_time_ms": timestamp_ms,
                });
                self.names.add_to(frame, &mut line);
                print_out(&line.to_string());
            }
        }
    }

    fn summary(&self, sent: usize) -> Result<ExitCode, String> {
        if !self.is_open {
            let why = "no SLCAN adapter answers; `lastmeter boards probe` finds out what does";
            return Err(why.to_owned());
        }
        if self.garbage > 0 {
            print_err(&format!(
                "warning: {} lines were none of SLCAN; check the baud rate",
                self.garbage
            ));
        }
        if self.refused > 0 {
            let why = format!(
                "the adapter refused {} of {} frames (BEL): its queue is full, or it has lost the \
                 bus",
                self.refused,
                sent + self.answered
            );
            return Err(why);
        }
        if sent > 0 && self.frames == 0 {
            print_err("warning: no frame came: nobody answered in time, or at another bit rate");
        }
        if self.confirmed < sent as u64 {
            return Err(format!("the adapter confirmed {} of {sent} frames", self.confirmed));
        }
        Ok(ExitCode::Passed)
    }
}
