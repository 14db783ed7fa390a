//! How long a command goes on: times on the command line, and what ends one that serves.

use std::time::Duration;

use lastmeter_bench::stop::or_never;
use lastmeter_params::{Dimension, parse_quantity};
use tokio::signal::unix::{SignalKind, signal};

/// A time with its unit, such as `90 s`.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let (seconds, _) = parse_quantity(text, &[Dimension::Time])
        .map_err(|_| "expected a time with its unit, such as `90 s`".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What ends it: a signal, or its time.
#[expect(clippy::disallowed_methods, reason = "it ends by itself after so long")]
pub(crate) fn ends(length: Option<Duration>) -> Result<impl Future<Output = ()>, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let time = async { tokio::time::sleep(or_never(length).await).await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = time => {}
        }
    })
}
