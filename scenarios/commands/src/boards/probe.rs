//! `lastmeter boards probe`: what answers on a port.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::output::{complain, print_out};
use lastmeter_bench::run::{BoardLock, hexadecimal};
use lastmeter_board::description::{Description, Speech};
use lastmeter_board::grammar::{Exchange, Outcome};
use lastmeter_board::meter_node::Register;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan::{BitRate, Command, Item, Reader};
use lastmeter_language::shipped_boards::SHIPPED;
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent, ChannelSettings, Parity};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_reports::ExitCode;

use super::read;

/// Baud rates that are tried on a serial line.
const BAUDS: [u32; 6] = [115_200, 9600, 19_200, 38_400, 57_600, 2400];
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_millis(400);
/// How long the other party of a socket may take to be there.
const OPEN: Duration = Duration::from_secs(3);
/// Of what comes unasked so much is shown.
const SHOWN_BYTES: usize = 200;

/// What is probed.
#[derive(Clone, Debug, Args)]
pub struct ProbeOptions {
    /// The port: `tty:PATH` or `/dev/...`, `tcp:HOST:PORT`, `unix:PATH`
    pub port: String,
    /// Baud rates to try, instead of the usual ones
    #[arg(long, value_delimiter = ',', value_name = "BAUD")]
    pub baud: Vec<u32>,
    /// Board files whose requests are tried beside those that come with the program
    #[arg(long, value_name = "FILE")]
    pub board: Vec<PathBuf>,
    /// How long to listen before anything is sent
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = crate::ending::length)]
    pub listen: Duration,
}

/// Probes a port and prints what answered. The exit code: nothing evaluated if nothing did.
pub(super) fn probe(options: &ProbeOptions) -> ExitCode {
    let address: ChannelAddress = match options.port.parse() {
        Ok(address) => address,
        Err(error) => return complain(&error.to_string()),
    };
    let mut boards = Vec::new();
    for file in &options.board {
        match read(file) {
            Ok(board) => boards.push(board),
            Err(why) => return complain(&format!("{}: {why}", file.display())),
        }
    }
    boards.extend(SHIPPED.iter().filter_map(|shipped| Description::parse(shipped.text).ok()));
    let lock = format!("probe-{}", std::process::id());
    let _lock = match BoardLock::take(&lock, &address) {
        Ok(lock) => lock,
        Err(why) => return complain(&why),
    };
    let _removed = LockFileGuard(lastmeter_bench::run::board_lock_path(&lock));
    let is_serial = matches!(address, ChannelAddress::Tty(_));
    let bauds: Vec<u32> = match (&options.baud[..], is_serial) {
        ([], true) => BAUDS.to_vec(),
        ([], false) => vec![115_200], // a socket has no rate: any will do, once
        (given, _) => given.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return complain("the runtime did not start") };
    let mut answered = false;
    for baud in &bauds {
        let settings =
            ChannelSettings { baud: *baud, parity: Parity::None, data_bits: 8, stop_bits: 1 };
        if is_serial {
            print_out(&format!("{address} at {baud} baud, 8 data bits, no parity"));
        } else {
            print_out(&format!("{address}"));
        }
        match runtime.block_on(at(&address, settings, &boards, options.listen)) {
            Ok(found) => {
                answered |= found;
                if found {
                    break;
                }
            }
            Err(why) => return complain(&why),
        }
    }
    if answered {
        return ExitCode::Passed;
    }
    let tried: Vec<String> = bauds.iter().map(u32::to_string).collect();
    let of_serial =
        if is_serial { format!(" at {} baud", tried.join(", ")) } else { String::new() };
    print_out(&format!(
        "nothing answered{of_serial}: no line came by itself, no SLCAN adapter, none of the requests \
         of {} board files. Check the wiring (transmit and receive crossed, common ground), the \
         supply, parity, and whether the meter wants another request: `--board FILE` tries yours.",
        boards.len()
    ));
    ExitCode::NothingEvaluated
}

struct LockFileGuard(PathBuf);

impl Drop for LockFileGuard {
    fn drop(&mut self) {
        // What is left behind means nothing.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether anything answers with these settings.
async fn at(
    address: &ChannelAddress,
    settings: ChannelSettings,
    boards: &[Description],
    listen: Duration,
) -> Result<bool, String> {
    let mut port = Channel::open(address, settings).await.map_err(|error| error.to_string())?;
    let up = async { while !matches!(port.recv().await, ChannelEvent::Up) {} };
    if tokio::time::timeout(OPEN, up).await.is_err() {
        return Err(format!("nobody is at {address} within {} s", OPEN.as_secs()));
    }
    let unasked = heard(&mut port, listen).await?;
    if !unasked.is_empty() {
        let shown =
            lastmeter_board::grammar::shown_bytes(&unasked[..unasked.len().min(SHOWN_BYTES)]);
        print_out(&format!("  by itself   {} bytes: {shown}", unasked.len()));
    }
    let slcan = slcan(&mut port).await?;
    let lines = if slcan { false } else { lines(&mut port, boards, &unasked).await? };
    let is_text = unasked.iter().filter(|byte| byte.is_ascii_graphic()).count();
    Ok(slcan || lines || (is_text > 0 && 2 * is_text > unasked.len()))
}

/// What comes within a time.
async fn heard(port: &mut Channel, time: Duration) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let mut lost = None;
    let hear = async {
        loop {
            match port.recv().await {
                ChannelEvent::Arrived { bytes, .. } => all.extend(bytes),
                ChannelEvent::Down { reason } => {
                    lost = Some(reason);
                    return;
                }
                ChannelEvent::Up => {}
            }
        }
    };
    // That it ends by its limit is what is wanted.
    let _ = tokio::time::timeout(time, hear).await;
    lost.map_or(Ok(all), |why| Err(format!("the port is lost: {why}")))
}

async fn ask(port: &mut Channel, bytes: &[u8]) -> Result<Vec<u8>, String> {
    port.send(bytes).await.map_err(|error| error.to_string())?;
    heard(port, ANSWER).await
}

/// Whether an SLCAN adapter answers, and which meter nodes are behind it.
async fn slcan(port: &mut Channel) -> Result<bool, String> {
    let commands =
        [Command::Empty, Command::Empty, Command::Close, Command::Version, Command::SerialNumber];
    let bytes: Vec<u8> = commands.iter().flat_map(Command::encode).collect();
    let answer = ask(port, &bytes).await?;
    let mut items = Vec::new();
    Reader::default().bytes(&answer, &mut items);
    let version = items.iter().find_map(|item| match item {
        Item::Version(version) => Some(*version),
        _ => None,
    });
    let Some(version) = version else { return Ok(false) };
    let serial = items.iter().find_map(|item| match item {
        Item::SerialNumber(number) => Some(number.to_string()),
        _ => None,
    });
    let serial = serial.unwrap_or_else(|| "none".to_owned());
    print_out(&format!("  SLCAN       version {version}, serial number {serial}"));
    let mut bytes = [Command::BitRate(BitRate::S4), Command::Open].map(|it| it.encode()).concat();
    for node in 1..=31 {
        let id = CanId::standard(u32::from(Register::Version.identifier(node))).ok();
        let frame = id.and_then(|id| CanFrame::remote(id, 8).ok());
        bytes.extend(frame.into_iter().flat_map(|frame| Command::Transmit(frame).encode()));
    }
    let answer = ask(port, &bytes).await?;
    let mut items = Vec::new();
    Reader::default().bytes(&answer, &mut items);
    for item in items {
        let Item::Frame { frame, .. } = item else { continue };
        if let ([major, minor, node, _, image @ ..], 8) = (frame.bytes(), frame.bytes().len()) {
            let image = hexadecimal(image);
            print_out(&format!(
                "  meter node {node}: firmware {major}.{minor}, image {image} (bus at 125 \
                 kbit/s)"
            ));
        }
    }
    ask(port, &Command::Close.encode()).await?;
    Ok(true)
}

/// Whether the request of a board is answered, or a line of it comes by itself: in what was heard
/// `unasked`, or after it.
async fn lines(port: &mut Channel, boards: &[Description], unasked: &[u8]) -> Result<bool, String> {
    let mut any = false;
    for board in boards {
        let Speech::Lines(grammar) = &board.speech else { continue };
        for request in 0..grammar.requests.len() {
            let mut exchange = Exchange::new(grammar.clone());
            let outcomes = if let Ok(bytes) = exchange.begin(request, now()) {
                asked(port, &mut exchange, &bytes).await?
            } else {
                // It comes by itself.
                let mut outcomes = exchange.take(unasked, now());
                if !outcomes.iter().any(is_answer) {
                    let more = heard(port, 3 * ANSWER).await?;
                    outcomes.extend(exchange.take(&more, now()));
                }
                outcomes
            };
            any |= outcomes.iter().any(is_answer);
            shown(board, &outcomes);
        }
    }
    Ok(any)
}

fn now() -> u64 {
    u64::try_from(monotonic_ns()).unwrap_or(0)
}

const fn is_answer(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered { .. })
}

/// What became of a request within the time that its board file gives it.
async fn asked(
    port: &mut Channel,
    exchange: &mut Exchange,
    bytes: &[u8],
) -> Result<Vec<Outcome>, String> {
    port.send(bytes).await.map_err(|error| error.to_string())?;
    let mut outcomes = Vec::new();
    while exchange.open_request().is_some() {
        let left = exchange.wake_at_ns().unwrap_or_default().saturating_sub(now());
        match tokio::time::timeout(Duration::from_nanos(left), port.recv()).await {
            Ok(ChannelEvent::Arrived { at_ns, bytes }) => {
                outcomes.extend(exchange.take(&bytes, u64::try_from(at_ns).unwrap_or(0)));
            }
            Ok(ChannelEvent::Down { reason }) => return Err(format!("the port is lost: {reason}")),
            Ok(ChannelEvent::Up) => {}
            Err(_) => outcomes.extend(exchange.tick(now())),
        }
    }
    Ok(outcomes)
}

/// Shows answers, and what nearly was one; that nothing came is no news.
fn shown(board: &Description, outcomes: &[Outcome]) {
    for outcome in outcomes {
        match outcome {
            Outcome::Answered { answer, .. } => {
                let value = |(id, si): &(lastmeter_units::MeasurementId, f64)| {
                    format!("{} = {si} {}", id.name(), id.row().si_unit.word())
                };
                let values: Vec<String> = answer.values.iter().map(value).collect();
                print_out(&format!("  {:11} {}", board.name, values.join(", ")));
            }
            Outcome::Refused { why, .. } => {
                print_out(&format!("  {:11} an answer that does not fit: {why}", board.name));
            }
            Outcome::TimedOut { .. } => {}
        }
    }
}
