//! What a command prints: the one place from which standard output and standard error are written.

use std::io::Write;
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

/// A line to standard error; that nobody reads it is no reason to stop.
pub fn print_err(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A mistake of whoever called, to standard error.
pub(crate) fn complain(message: &str) -> ExitCode {
    print_err(&format!("error: {message}"));
    ExitCode::BadInput
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

/// Whether something meant for standard output could not be written: the disk is full, say.
pub fn output_was_lost() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}
