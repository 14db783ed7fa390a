//! A board that QEMU emulates: started stopped, its ports connected, then let go.
//!
//! The emulated USARTs drop bytes until the firmware has set them up, so the machine begins
//! stopped, and only goes on once whoever talks to it is connected ([`Emulator::go`]). It is
//! ordered over QEMU's control socket (QMP). It ends with this process, whatever ends that: the
//! kernel kills it when the thread that started it ends, which is therefore one that lives as long
//! as the process.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::monotonic_ns;

/// The program, and the package that has it.
pub const PROGRAM: &str = "qemu-system-arm";

/// How long an order may take to be carried out.
const ORDER_LIMIT: Duration = Duration::from_secs(5);
/// How long the program may take to open its sockets.
const START_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is emulated.
#[derive(Clone, Debug)]
pub struct EmulatorOptions<'a> {
    /// QEMU's name of the machine.
    pub machine: &'a str,
    /// The ELF file that runs.
    pub image: &'a Path,
    /// How many serial ports are connected, in the machine's order.
    pub ports: usize,
    /// Whether instructions are counted, 32 ns each, so that the firmware's own clock repeats
    /// itself.
    pub is_deterministic: bool,
    /// A folder for its sockets, of a path so short that a socket's has at most 107 bytes.
    pub sockets: &'a Path,
    /// Where what the program prints goes.
    pub log: &'a Path,
}

/// Why an emulator does not do what it is to do.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// There is no such program.
    #[error("{PROGRAM} not found (install {PROGRAM})")]
    Missing,
    /// It could not be started.
    #[error("cannot start {PROGRAM}")]
    Start(#[source] io::Error),
    /// It ended by itself.
    #[error("{PROGRAM} has ended: {0}")]
    Ended(String),
    /// It did not do something in time.
    #[error("{PROGRAM} did not {what} within {} s", .limit.as_secs())]
    Late {
        /// What it did not do.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// It refused an order, or its control socket failed.
    #[error("{PROGRAM} refused `{order}`: {why}")]
    Refused {
        /// The order that was refused.
        order: String,
        /// What it answered.
        why: String,
    },
}

/// An emulated board.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    control: BufReader<UnixStream>,
    sockets: Vec<PathBuf>,
    log: PathBuf,
}

/// Where a program of this name is.
#[must_use]
pub fn found(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

impl Emulator {
    /// Starts a machine, which waits for [`Self::go`].
    ///
    /// # Errors
    /// If the program is missing, or does not open its sockets.
    pub fn start(options: &EmulatorOptions<'_>) -> Result<Self, EmulatorError> {
        if !found(PROGRAM) {
            return Err(EmulatorError::Missing);
        }
        let port = |number: usize| options.sockets.join(format!("port{number}"));
        let sockets: Vec<PathBuf> = (0..options.ports).map(port).collect();
        let control = options.sockets.join("control");
        let socket = |path: &Path| format!("unix:{},server=on,wait=off", escaped(path));
        // Its parent's death is the emulator's: see the module.
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "--",
            PROGRAM,
            "-accel",
            "tcg",
            "-M",
            options.machine,
        ]);
        command.arg("-kernel").arg(options.image).args(["-S", "-nodefaults", "-display", "none"]);
        command.args(["-monitor", "none", "-qmp", &socket(&control)]);
        for path in &sockets {
            command.args(["-serial", &socket(path)]);
        }
        if options.is_deterministic {
            command.args(["-icount", "shift=5,sleep=on"]);
        }
        let log = File::create(options.log).map_err(EmulatorError::Start)?;
        let errors = log.try_clone().map_err(EmulatorError::Start)?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = spawn(command).map_err(EmulatorError::Start)?;
        let log = options.log.to_owned();
        let mut started = Starting { child: Some(child), log };
        let stream = started.connected(&control)?;
        for path in &sockets {
            started.wait_for(path)?;
        }
        let timeouts = [
            stream.set_read_timeout(Some(ORDER_LIMIT)),
            stream.set_write_timeout(Some(ORDER_LIMIT)),
        ];
        timeouts.into_iter().collect::<io::Result<()>>().map_err(EmulatorError::Start)?;
        let (child, log) = started.into_parts();
        let mut emulator = Self { child, control: BufReader::new(stream), sockets, log };
        emulator.greeting()?;
        emulator.order("qmp_capabilities")?;
        Ok(emulator)
    }

    /// The socket of a serial port, by its place in the machine's order.
    #[must_use]
    pub fn socket(&self, port: usize) -> Option<&Path> {
        self.sockets.get(port).map(PathBuf::as_path)
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its clock goes on.
    ///
    /// # Errors
    /// If it does not obey.
    pub fn go(&mut self) -> Result<(), EmulatorError> {
        self.order("cont")
    }

    /// Its clock stops.
    ///
    /// # Errors
    /// If it does not obey.
    pub fn stop(&mut self) -> Result<(), EmulatorError> {
        self.order("stop")
    }

    /// Its reset line is pulled.
    ///
    /// # Errors
    /// If it does not obey.
    pub fn reset(&mut self) -> Result<(), EmulatorError> {
        self.order("system_reset")
    }

    fn greeting(&mut self) -> Result<(), EmulatorError> {
        self.message("greet").map(drop)
    }

    fn order(&mut self, order: &str) -> Result<(), EmulatorError> {
        let line = format!("{}\n", json!({ "execute": order }));
        let written = self.control.get_mut().write_all(line.as_bytes());
        written.map_err(|error| self.failed(order, &error))?;
        loop {
            let message = self.message(order)?;
            if let Some(error) = message.get("error") {
                let why = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(EmulatorError::Refused {
                    order: order.to_owned(),
                    why: why.to_owned(),
                });
            }
            // Events come in between.
            if message.get("return").is_some() {
                return Ok(());
            }
        }
    }

    fn message(&mut self, order: &str) -> Result<Value, EmulatorError> {
        let mut line = String::new();
        match self.control.read_line(&mut line) {
            Ok(0) => Err(EmulatorError::Ended(end_of(&self.log))),
            Ok(_) => serde_json::from_str(&line).map_err(|error| EmulatorError::Refused {
                order: order.to_owned(),
                why: error.to_string(),
            }),
            Err(error) => Err(self.failed(order, &error)),
        }
    }

    fn failed(&self, order: &str, error: &io::Error) -> EmulatorError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                EmulatorError::Late { what: format!("obey `{order}`"), limit: ORDER_LIMIT }
            }
            _ => EmulatorError::Ended(format!("{error}; {}", end_of(&self.log))),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // One that has ended already is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program whose sockets are not there yet; it ends if they never are.
struct Starting {
    child: Option<Child>,
    log: PathBuf,
}

impl Starting {
    fn into_parts(mut self) -> (Child, PathBuf) {
        let child = self.child.take().expect("there until here");
        (child, std::mem::take(&mut self.log))
    }

    fn connected(&mut self, path: &Path) -> Result<UnixStream, EmulatorError> {
        self.until("open its control socket", || UnixStream::connect(path).ok())
    }

    fn wait_for(&mut self, path: &Path) -> Result<(), EmulatorError> {
        self.until("open its serial ports", || path.exists().then_some(()))
    }

    fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, EmulatorError> {
        let limit_ns = i64::try_from(START_LIMIT.as_nanos()).unwrap_or(i64::MAX);
        let end_ns = monotonic_ns().saturating_add(limit_ns);
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                let output = end_of(&self.log);
                return Err(EmulatorError::Ended(format!("{status}; {output}")));
            }
            if monotonic_ns() > end_ns {
                return Err(EmulatorError::Late { what: what.to_owned(), limit: START_LIMIT });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // As in `Emulator`.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The last line that the program printed.
fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| "it printed nothing".to_owned(), str::to_owned)
}

/// QEMU reads commas as separators, and two of them as one.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a program from a thread that lives as long as this process.
fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || {
            for (mut command, answer) in jobs {
                // Whoever does not wait any more has given up.
                let _ = answer.send(command.spawn());
            }
        };
        // Without a thread the sender fails, which is reported below.
        let _ = std::thread::Builder::new().name("emulators".to_owned()).spawn(work);
        sender
    });
    let gone = || io::Error::other("the thread that starts emulators has ended");
    let (sender, answer) = mpsc::channel();
    jobs.send((command, sender)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
