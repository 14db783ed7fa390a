//! Boards: those that come with the program, and those of files beside a scenario.

mod list;
mod probe;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lastmeter_bench::output::TextFormat;
use lastmeter_board::description::Description;
use lastmeter_reports::ExitCode;

pub use probe::ProbeOptions;

/// What is asked about boards.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  lastmeter boards
  lastmeter boards desk-meter.toml
  lastmeter boards probe /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0")]
pub struct BoardsOptions {
    /// What to do instead of listing them
    #[command(subcommand)]
    pub command: Option<BoardsCommand>,
    /// Board files to list beside those that come with the program
    pub files: Vec<PathBuf>,
    /// For people, or one JSON document
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
}

/// What is done with a board.
#[derive(Clone, Debug, Subcommand)]
pub enum BoardsCommand {
    /// Find out what answers on a port; writes questions to it
    Probe(ProbeOptions),
}

/// Lists boards and serial lines, or probes a port, and returns the exit code.
pub fn boards(options: &BoardsOptions) -> ExitCode {
    match &options.command {
        None => list::list(options),
        Some(BoardsCommand::Probe(options)) => probe::probe(options),
    }
}

/// Reads a board file.
///
/// # Errors
/// If it cannot be read, or what is wrong with it.
fn read(file: &Path) -> Result<Description, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    Description::parse(&text).map_err(|error| error.to_string())
}
