//! What a command prints: the one place from which standard output and standard error are written.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use lastmeter_reports::ExitCode;

/// What to print measured quantities as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    #[value(alias = "human")]
    Table,
    /// One JSON document
    Json,
    /// One row per window and phase, or per element and wire
    Csv,
}

/// What to print results as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For people
    Human,
    /// For programs
    Json,
}

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, and without `NO_COLOR` in the environment
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether standard output is coloured.
    pub fn on_stdout(self) -> bool {
        self.is_wanted(std::io::stdout().is_terminal())
    }

    /// Whether standard error is coloured.
    pub fn on_stderr(self) -> bool {
        self.is_wanted(std::io::stderr().is_terminal())
    }

    fn is_wanted(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// A line to standard error; that nobody reads it is no reason to stop.
pub fn print_err(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A mistake of whoever called, to standard error.
pub fn complain(message: &str) -> ExitCode {
    print_err(&format!("error: {message}"));
    ExitCode::BadInput
}

/// What broke, to standard error.
pub fn broken(message: &str) -> ExitCode {
    print_err(&format!("error: {message}"));
    ExitCode::Broken
}

/// Most that a file has that the command line or settings name; a device may have no end.
const TEXT_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a file that the command line or settings name.
///
/// # Errors
/// If it cannot be read, or has more than 16 MiB.
pub fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(TEXT_MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > TEXT_MAX_BYTES => {
            Err(format!("cannot read {}: it has more than 16 MiB", path.display()))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// A line to standard output. That nobody reads it is no reason to stop (`| head`); that it could
/// not be written is remembered, see [`output_was_lost`].
pub fn print_out(text: &str) {
    write_out(|out| writeln!(out, "{text}"));
}

/// As [`print_out`], for what is too long for one text.
pub fn write_out(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Err(error) = write(&mut out).and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        OUTPUT_LOST.store(true, Ordering::Relaxed);
    }
}

static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Whether something meant for standard output could not be written: the disk is full, for example.
pub fn output_was_lost() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}
