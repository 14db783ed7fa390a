//! Why a bench could not be set up, broke, or was stopped by what is under test.

use std::path::PathBuf;
use std::time::Duration;

use lastmeter_record::Signal;

/// What ended a run before its end: exit code 3, unless it is the platform's doing.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file or folder of the run could not be written or read.
    #[error("{what} {}", path.display())]
    File {
        /// What was to be done, as "cannot create the run folder".
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The platform did not start, or not again.
    #[error("the platform did not start: {0}")]
    PlatformStart(String),
    /// The platform ended, or did not, otherwise than it should.
    #[error("the platform did not hold out: {0}")]
    PlatformEnded(String),
    /// The platform goes on reporting that it takes no messages, or does not commit them.
    #[error("the platform does not work: {0}")]
    PlatformTroubled(String),
    /// The platform's REST interface answered something else than what was asked for.
    #[error("the platform's REST interface: {0}")]
    Rest(String),
    /// The platform answered what its interface does not allow.
    #[error("the platform's REST interface answered wrongly: {0}")]
    WrongAnswer(String),
    /// The platform answered with an error of its own, again and again.
    #[error("the platform's REST interface does not work: {0}")]
    ServerError(String),
    /// The platform refused what it was asked to give to a device.
    #[error("the platform refused: {0}")]
    Refused(String),
    /// Something that was waited for did not come in time (ARCHITECTURE.md, "Every wait names what
    /// it waits for").
    #[error("waited {limit_s} s for {what}, which did not come")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long, in seconds of wall time.
        limit_s: u64,
    },
    /// The rounds of a sync point did not come to rest.
    #[error(
        "the bench did not become quiescent at {at}: messages still moved after {rounds} rounds"
    )]
    NoRest {
        /// The sync point.
        at: String,
        /// How many rounds were made.
        rounds: u32,
    },
    /// A device model panicked; its message is in the text.
    #[error("device `{device}` broke: {message}")]
    Device {
        /// Name of the device.
        device: String,
        /// The message of the panic.
        message: String,
    },
    /// A real line could not be opened.
    #[error("network `{network}`: {message}")]
    Line {
        /// The network that it is.
        network: String,
        /// What is in the way, and what to do.
        message: String,
    },
    /// A network has no solution after what its switches were ordered to do.
    #[error("the network cannot be played on: {0}")]
    Plant(String),
    /// A board is not there, or not the one that is wanted.
    #[error("{0}")]
    Board(String),
    /// A signal ended the run before the bench stood.
    #[error("{}", .0.cause())]
    Interrupted(Signal),
    /// The run took longer than `--timeout` allows.
    #[error("the run did not end within --timeout {0}")]
    Timeout(String),
    /// The record could not be written or judged.
    #[error("the run record: {0}")]
    Record(String),
}

impl BenchError {
    /// What the platform did wrong, where that is what ended the run, and not a broken bench.
    pub(crate) fn wrong_answer(&self) -> Option<&str> {
        match self {
            Self::WrongAnswer(what) | Self::ServerError(what) => Some(what),
            _ => None,
        }
    }

    /// A device that breaks the bench.
    pub(crate) fn device(device: &str, message: impl Into<String>) -> Self {
        Self::Device { device: device.to_owned(), message: message.into() }
    }

    /// A device that the language has let pass and that cannot be made.
    pub(crate) fn unmade(device: &str) -> Self {
        Self::device(device, "it could not be made, although the scenario was checked")
    }

    /// Something that did not come in time.
    pub(crate) fn timed_out(what: impl Into<String>, limit: Duration) -> Self {
        Self::TimedOut { what: what.into(), limit_s: limit.as_secs() }
    }

    /// A record that could not be written or judged.
    pub(crate) fn record(error: impl std::error::Error) -> Self {
        Self::Record(chain(&error))
    }

    /// A device whose task panicked.
    pub(crate) fn broken_device(device: &str, error: tokio::task::JoinError) -> Self {
        let message = match error.try_into_panic() {
            Ok(panic) => panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "panicked without a message".to_owned()),
            Err(error) => error.to_string(),
        };
        Self::device(device, message)
    }

    /// Wraps an I/O error with what was to be done.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

/// An error with everything that caused it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
