//! The I/O around a board: its emulator or its port, its log, its lock, its end.
//!
//! Which board it is and what it sends is its device's affair; here bytes are carried.

pub(crate) mod commands;
pub(crate) mod firmware;
pub(crate) mod lock;
mod log;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha8Rng;
use lastmeter_board::description::{Hardware, PortRole};
use lastmeter_board::line::{Direction, Line};
use lastmeter_devices::{BoardInput, BoardOrder, BoardOutput, BoardPort, BoardWay, Device, Input};
use lastmeter_language::{BoardRow, DeviceRow, Scenario, emulated_of};
use lastmeter_link::channel::{
    Channel, ChannelAddress, ChannelError, ChannelEvent, ChannelSender, ChannelSettings, Parity,
};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::emulator::{Emulator, EmulatorError, EmulatorOptions};
use lastmeter_sim::Streams;
use lastmeter_units::{SimDuration, SimTime};
use rand::Rng as _;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::error::{BenchError, chain};
use crate::stop::or_never;
use firmware::Image;
use lock::Lock;
use log::SerialLog;

/// The boards that are on one line, by its name.
type Lines = Arc<Mutex<BTreeMap<String, Vec<ChannelSender>>>>;

/// The images of a run's boards, and where their logs go.
#[derive(Clone, Debug)]
pub(crate) struct Boards {
    folder: PathBuf,
    /// Who hears what is sent on a line that boards share.
    lines: Lines,
    streams: Streams,
    images: BTreeMap<usize, Image>,
}

impl Boards {
    /// Of a run that has none.
    pub(crate) fn none(scenario: &Scenario) -> Self {
        let (images, lines) = (BTreeMap::new(), Lines::default());
        Self { folder: PathBuf::new(), images, lines, streams: scenario.streams() }
    }

    /// Builds what the boards of a scenario run, into the run's folder.
    pub(crate) fn prepare(scenario: &Scenario, out: &Path) -> Result<Self, BenchError> {
        let folder = out.join("boards");
        let beside = scenario.written.path.parent().unwrap_or(Path::new(""));
        let mut made: BTreeMap<String, Image> = BTreeMap::new();
        let mut images = BTreeMap::new();
        for (index, row) in scenario.devices.iter().enumerate() {
            let emulated = row.board.as_ref().and_then(emulated_of);
            let Some(emulated) = emulated else { continue };
            let known = made.get(&emulated.firmware).cloned();
            let build = || firmware::image(&emulated.firmware, beside, &folder.join("firmware"));
            let image = known.map_or_else(build, Ok);
            let image =
                image.map_err(|why| BenchError::Board(format!("device `{}`: {why}", row.name)))?;
            made.insert(emulated.firmware.clone(), image.clone());
            images.insert(index, image);
        }
        Ok(Self { folder, images, lines: Lines::default(), streams: scenario.streams() })
    }

    /// What is in the board of a device, for the record.
    pub(crate) fn facts(&self, device: usize) -> Option<String> {
        self.images.get(&device).map(|image| image.facts.clone())
    }

    pub(crate) fn crc32(&self, device: usize) -> Option<u32> {
        self.images.get(&device)?.crc32
    }

    /// Starts the board of a device, if it is one.
    pub(crate) async fn start(
        &self,
        device: usize,
        row: &DeviceRow,
    ) -> Result<Option<BoardShell>, BenchError> {
        let Some(board) = &row.board else { return Ok(None) };
        let folder = self.folder.join(&row.name);
        let draws = self.streams.stream(&format!("board/{}/line", row.name));
        let started = BoardShell::start(board, self.images.get(&device), (&folder, draws)).await;
        let named = |error: BoardError| {
            BenchError::Board(format!("board of device `{}`: {}", row.name, chain(&error)))
        };
        let mut started = started.map_err(named)?;
        if let Some(line) = &board.line {
            let mut lines = self.lines.lock().await;
            lines.entry(line.clone()).or_default().push(started.network.sender());
            started.line = Some((line.clone(), Arc::clone(&self.lines)));
        }
        Ok(Some(started))
    }
}

/// How long a port may take to be there.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum BoardError {
    /// The emulator has failed.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// A port has failed.
    #[error(transparent)]
    Port(#[from] ChannelError),
    /// Nothing, in words.
    #[error("{0}")]
    Other(String),
}

/// A board, for the one device that it is.
#[derive(Debug)]
pub(crate) struct BoardShell {
    network: Channel,
    bench: Option<Channel>,
    /// The line that it shares, and all that are on lines.
    line: Option<(String, Lines)>,
    log: SerialLog,
    /// What the serial line of an emulated board does, with its random numbers.
    faults: Option<(Line, ChaCha8Rng)>,
    /// What has come over that line, and when it is all there.
    held: Option<(i64, Vec<u8>)>,
    emulator: Option<Emulator>,
    hardware: Option<Hardware>,
    /// Held as long as the board is used.
    _lock: Option<Lock>,
    _sockets: Option<TempDir>,
}

impl BoardShell {
    /// Starts a board, or opens the port of one that is there. `folder` is the run's for it.
    pub(crate) async fn start(
        row: &BoardRow,
        image: Option<&Image>,
        (folder, draws): (&Path, ChaCha8Rng),
    ) -> Result<Self, BoardError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| BoardError::Other(format!("{}: {error}", folder.display())))?;
        let log = SerialLog::create(folder).map_err(BoardError::Other)?;
        match row.way {
            BoardWay::Emulated => Self::emulated(row, image, (folder, draws), log).await,
            BoardWay::Hardware => Self::hardware(row, log).await,
        }
    }

    async fn emulated(
        row: &BoardRow,
        image: Option<&Image>,
        (folder, draws): (&Path, ChaCha8Rng),
        log: SerialLog,
    ) -> Result<Self, BoardError> {
        let missing = || BoardError::Other("the board has no `[emulated]`".to_owned());
        let emulated = row.description.emulated.as_ref().ok_or_else(missing)?;
        let image = image.ok_or_else(missing)?;
        let sockets = tempfile::Builder::new().prefix("lastmeter-").tempdir();
        let sockets = sockets.map_err(|error| BoardError::Other(error.to_string()))?;
        let options = EmulatorOptions {
            machine: &emulated.machine,
            image: &image.elf,
            ports: emulated.ports.len(),
            is_deterministic: emulated.is_deterministic,
            sockets: sockets.path(),
            log: &folder.join("emulator.log"),
        };
        let mut emulator = Emulator::start(&options)?;
        let socket = |role: PortRole| -> Option<PathBuf> {
            let place = emulated.ports.iter().position(|&port| port == role)?;
            emulator.socket(place).map(Path::to_owned)
        };
        let network = opened(&socket(PortRole::Network).ok_or_else(missing)?).await?;
        let bench = match socket(PortRole::Stimulus) {
            Some(path) => Some(opened(&path).await?),
            None => None,
        };
        emulator.go()?;
        Ok(Self {
            network,
            bench,
            line: None,
            log,
            faults: row.description.line.clone().map(|spec| (Line::new(spec), draws)),
            held: None,
            emulator: Some(emulator),
            hardware: None,
            _lock: None,
            _sockets: Some(sockets),
        })
    }

    async fn hardware(row: &BoardRow, log: SerialLog) -> Result<Self, BoardError> {
        let missing = || BoardError::Other("the board has no `[hardware]`".to_owned());
        let hardware = row.description.hardware.clone().ok_or_else(missing)?;
        let address: ChannelAddress =
            hardware.line.parse().map_err(|error: lastmeter_link::channel::AddressError| {
                BoardError::Other(format!("`line`: {error}"))
            })?;
        let lock = Lock::take(&row.description.name, &address).map_err(BoardError::Other)?;
        commands::prepare(&hardware).await.map_err(BoardError::Other)?;
        let mut network = Channel::open(&address, settings(&hardware)).await?;
        up(&mut network).await?;
        Ok(Self {
            network,
            bench: None,
            line: None,
            log,
            faults: None,
            held: None,
            emulator: None,
            hardware: Some(hardware),
            _lock: Some(lock),
            _sockets: None,
        })
    }

    /// Writes bytes on a port; the error is that the board is gone.
    pub(crate) async fn write(&mut self, port: BoardPort, bytes: &[u8]) -> Result<(), String> {
        self.log.note(port, "to", bytes);
        let mut struck = None;
        if let (BoardPort::Network, Some((line, draws))) = (port, &mut self.faults) {
            let now_ns = u64::try_from(monotonic_ns()).unwrap_or(0);
            let (ends_ns, bytes) =
                line.pass(Direction::ToBoard, now_ns, bytes, || draws.next_u64());
            until(ends_ns).await;
            struck = Some(bytes);
        }
        let bytes = struck.as_deref().unwrap_or(bytes);
        if let (BoardPort::Network, Some((line, lines))) = (port, &self.line) {
            // All that are on the line hear it; only the one that it is for answers.
            for board in lines.lock().await.get(line).into_iter().flatten() {
                board.send(bytes).await.map_err(|error| error.to_string())?;
            }
            return Ok(());
        }
        let channel = match (port, &self.bench) {
            (BoardPort::Network, _) => &self.network,
            (BoardPort::Stimulus, Some(bench)) => bench,
            (BoardPort::Stimulus, None) => {
                return Err("the board has no stimulus port (`bench`)".to_owned());
            }
        };
        channel.send(bytes).await.map_err(|error| error.to_string())
    }

    /// What comes next of the board within a limit.
    pub(crate) async fn next(&mut self, limit: SimDuration) -> BoardInput {
        let limit = Duration::from_nanos(u64::try_from(limit.0).unwrap_or(0));
        tokio::time::timeout(limit, self.news()).await.unwrap_or(BoardInput::Silent)
    }

    /// What comes next of the board; cancelling it loses nothing.
    pub(crate) async fn news(&mut self) -> BoardInput {
        loop {
            if let Some((ends_ns, _)) = self.held {
                until(u64::try_from(ends_ns).unwrap_or(0)).await;
                let bytes = self.held.take().map(|(_, bytes)| bytes).unwrap_or_default();
                return BoardInput::Bytes { port: BoardPort::Network, bytes };
            }
            let (port, event) = tokio::select! {
                biased;
                event = of(&mut self.bench) => (BoardPort::Stimulus, event),
                event = self.network.recv() => (BoardPort::Network, event),
            };
            match event {
                ChannelEvent::Arrived { bytes, .. } => {
                    if let (BoardPort::Network, Some((line, draws))) = (port, &mut self.faults) {
                        let now_ns = u64::try_from(monotonic_ns()).unwrap_or(0);
                        let (ends_ns, bytes) =
                            line.pass(Direction::FromBoard, now_ns, &bytes, || draws.next_u64());
                        self.log.note(port, "from", &bytes);
                        self.held = Some((i64::try_from(ends_ns).unwrap_or(i64::MAX), bytes));
                        continue;
                    }
                    self.log.note(port, "from", &bytes);
                    return BoardInput::Bytes { port, bytes };
                }
                ChannelEvent::Down { reason } => {
                    return BoardInput::Lost { reason: format!("its port is lost: {reason}") };
                }
                ChannelEvent::Up => {}
            }
        }
    }

    pub(crate) fn order(&mut self, order: BoardOrder) -> Result<(), String> {
        let Some(emulator) = &mut self.emulator else {
            return Err("the board is hardware, out of reach of injections".to_owned());
        };
        let done = match order {
            BoardOrder::Reset => emulator.reset(),
            BoardOrder::Stop => emulator.stop(),
            BoardOrder::Continue => emulator.go(),
        };
        done.map_err(|error| error.to_string())
    }

    /// Leaves the board in its safe state: without supply, where that can be taken away.
    pub(crate) async fn close(mut self) -> Result<(), String> {
        self.log.flush();
        match &self.hardware {
            Some(hardware) => commands::make_safe(hardware).await,
            None => Ok(()),
        }
    }
}

/// Lets a board show who it is, before anything is asked of it; what its device has to report.
pub(crate) async fn introduce(
    board: &mut BoardShell,
    device: &mut dyn Device,
    now: SimTime,
) -> Result<(), BenchError> {
    let mut out = Vec::new();
    device.step(now, Input::Passed, &mut out);
    // What is odd about its start ends in a fault, if it matters.
    while let Some(own) = device.board() {
        for output in own.take_board_output() {
            match output {
                BoardOutput::Bytes { port, bytes } => board.write(port, &bytes).await,
                BoardOutput::Order(order) => board.order(order),
            }
            .map_err(BenchError::Board)?;
        }
        if let Some(why) = own.board_fault() {
            return Err(BenchError::Board(why));
        }
        let Some(wait) = own.board_wait() else { break };
        let news = board.next(wait.limit).await;
        if let BoardInput::Lost { reason } = news {
            return Err(BenchError::Board(reason));
        }
        own.board_step(now, news, &mut out);
    }
    Ok(())
}

/// Waits until an instant of the monotonic clock: what is waited for is time itself.
async fn until(at_ns: u64) {
    let now_ns = u64::try_from(monotonic_ns()).unwrap_or(0);
    if at_ns > now_ns {
        let never = std::future::pending::<()>();
        // That it ends by the limit is what is wanted.
        let _ = tokio::time::timeout(Duration::from_nanos(at_ns - now_ns), never).await;
    }
}

async fn of(channel: &mut Option<Channel>) -> ChannelEvent {
    or_never(channel.as_mut()).await.recv().await
}

async fn opened(socket: &Path) -> Result<Channel, BoardError> {
    let address = ChannelAddress::Unix(socket.to_owned());
    let mut channel = Channel::open(&address, ChannelSettings::M_BUS).await?;
    up(&mut channel).await?;
    Ok(channel)
}

async fn up(channel: &mut Channel) -> Result<(), BoardError> {
    let mut last = "nobody is there".to_owned();
    let wait = async {
        loop {
            match channel.recv().await {
                ChannelEvent::Up => return,
                ChannelEvent::Down { reason } => last = reason,
                ChannelEvent::Arrived { .. } => {}
            }
        }
    };
    let is_up = tokio::time::timeout(OPEN_LIMIT, wait).await.is_ok();
    let place = channel.place();
    let late = || format!("{place} is not there within {} s: {last}", OPEN_LIMIT.as_secs());
    is_up.then_some(()).ok_or_else(|| BoardError::Other(late()))
}

/// How bytes are sent on the port of a board that is there.
pub(crate) fn settings(hardware: &Hardware) -> ChannelSettings {
    ChannelSettings {
        baud: hardware.baud,
        parity: Parity::from_word(&hardware.parity).unwrap_or(Parity::None),
        data_bits: hardware.data_bits,
        stop_bits: hardware.stop_bits,
    }
}
