//! What of the logs of the parts is shown, on standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The platform's own from `info` on, its libraries' from `warn` on, as a platform alone shows
/// them.
pub(crate) fn log_to_stderr() {
    show(
        Targets::new().with_default(LevelFilter::WARN).with_target("lastmeter", LevelFilter::INFO),
    );
}

/// What `-v` asks for, given so many times: nothing without it; once what happens, twice
/// everything.
pub fn show_log(verbose: u8) {
    match verbose {
        0 => {}
        1 => log_to_stderr(),
        _ => show(
            Targets::new()
                .with_default(LevelFilter::DEBUG)
                .with_target("lastmeter", LevelFilter::TRACE),
        ),
    }
}

fn show(levels: Targets) {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // Only the first of a process can be the subscriber: what was asked for on the command line.
    let _ = tracing_subscriber::registry().with(lines).with(levels).try_init();
}
