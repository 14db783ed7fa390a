//! Frames on a CAN bus at an interface of `SocketCAN`.

use lastmeter_bench::output::{TextFormat, print_out};
use lastmeter_bench::stop::stop_signal;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::socketcan::{
    CanArrival, CanContent, CanInterface, InterfaceName, InterfaceNameError, PREFIX, SocketCanError,
};
use lastmeter_reports::ExitCode;
use serde_json::json;

use super::names::Names;
use super::node::MeterNode;
use super::{AdapterOptions, Work, after};

/// Sends frames at the interface, and shows what comes.
pub(super) async fn at_interface(
    name: &str,
    options: &AdapterOptions,
    names: &Names,
    work: &Work<'_>,
    mut node: Option<MeterNode>,
) -> Result<ExitCode, String> {
    let name: InterfaceName =
        name.parse().map_err(|error: InterfaceNameError| error.to_string())?;
    has_its_own_rate(&name, options)?;
    let port_fault = |error: SocketCanError| error.to_string();
    let mut interface = CanInterface::open(&name).map_err(port_fault)?;
    let begin_ns = monotonic_ns();
    let mut stop = stop_signal();
    for frame in work.frames {
        tokio::select! {
            sent = interface.send(frame) => sent.map_err(port_fault)?,
            _ = stop.changed() => return Ok(ExitCode::Passed),
        }
    }
    let end = after(work.length);
    tokio::pin!(end);
    let mut seen = 0;
    while work.count.is_none_or(|count| seen < count) {
        tokio::select! {
            arrival = interface.recv() => {
                let arrival = arrival.map_err(port_fault)?;
                seen += u64::from(matches!(arrival.content, CanContent::Frame(_)));
                print_out(&line(&arrival, begin_ns, options.format, names));
                let CanContent::Frame(frame) = &arrival.content else { continue };
                let answer = node.as_mut().and_then(|node| node.take(monotonic_ns(), frame));
                let Some(answer) = answer else { continue };
                interface.send(&answer).await.map_err(port_fault)?;
                let sent = CanArrival { content: CanContent::Frame(answer), ..arrival };
                print_out(&line(&sent, begin_ns, options.format, names));
            }
            () = &mut end => break,
            _ = stop.changed() => break,
        }
    }
    Ok(ExitCode::Passed)
}

/// What is set by `ip link` cannot be asked for here.
fn has_its_own_rate(name: &InterfaceName, options: &AdapterOptions) -> Result<(), String> {
    if let Some(bit_rate) = options.bit_rate {
        return Err(format!(
            "found --bit-rate {bit_rate} for {PREFIX}{name}, expected none: an interface has its \
             own; set it with `ip link set {name} type can bitrate {bit_rate}` while it is down"
        ));
    }
    if let Some(baud) = options.baud {
        return Err(format!(
            "found --baud {baud} for {PREFIX}{name}, expected none: it is not a serial line"
        ));
    }
    Ok(())
}

/// One line for a frame or an error, the time since `begin_ns`.
fn line(arrival: &CanArrival, begin_ns: i64, format: TextFormat, names: &Names) -> String {
    let seconds = arrival.at_ns.saturating_sub(begin_ns) as f64 * 1e-9;
    // Microseconds, as `candump` has them: a double holds no more of a time since 1970.
    let unix_seconds = arrival.unix_ns.div_euclid(1000) as f64 / 1e6;
    let (key, prefix, text, frame) = match &arrival.content {
        CanContent::Frame(frame) => ("frame", "", frame.to_string(), Some(frame)),
        CanContent::Error(words) => ("bus_error", "error: ", words.clone(), None),
    };
    match format {
        TextFormat::Human => {
            let named = frame.map(|frame| names.text(frame)).unwrap_or_default();
            format!("({seconds:.6}) {prefix}{text}{named}")
        }
        TextFormat::Json => {
            let mut line = json!({ "seconds": seconds, key: text, "unix_seconds": unix_seconds });
            if let Some(frame) = frame {
                names.add_to(frame, &mut line);
            }
            line.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::can::at_port;

    fn options(bit_rate: Option<u32>, baud: Option<u32>) -> AdapterOptions {
        let port = "can:can0".to_owned();
        AdapterOptions { port, bit_rate, baud, dbc: None, format: TextFormat::Human }
    }

    #[test]
    fn lines_have_the_frame_or_the_words_of_the_error() {
        let frame = CanContent::Frame("123#1122".parse().unwrap());
        let frame =
            CanArrival { at_ns: 3_500_000_000, unix_ns: 1_700_000_000_250_000_999, content: frame };
        let error =
            CanArrival { content: CanContent::Error("bus off".to_owned()), ..frame.clone() };
        let begin_ns = 2_000_000_000;
        let names = Names::open(None).unwrap();
        assert_eq!(line(&frame, begin_ns, TextFormat::Human, &names), "(1.500000) 123#1122");
        assert_eq!(line(&error, begin_ns, TextFormat::Human, &names), "(1.500000) error: bus off");
        let read = |arrival| -> serde_json::Value {
            serde_json::from_str(&line(arrival, begin_ns, TextFormat::Json, &names)).unwrap()
        };
        let time = 1_700_000_000.25;
        let expected = json!({ "seconds": 1.5, "frame": "123#1122", "unix_seconds": time });
        assert_eq!(read(&frame), expected);
        let expected = json!({ "seconds": 1.5, "bus_error": "bus off", "unix_seconds": time });
        assert_eq!(read(&error), expected);
    }

    #[test]
    fn rates_of_adapters_are_rejected_at_interfaces() {
        let name: InterfaceName = "can0".parse().unwrap();
        assert_eq!(has_its_own_rate(&name, &options(None, None)), Ok(()));
        let error = has_its_own_rate(&name, &options(Some(250_000), None)).unwrap_err();
        assert!(error.contains("`ip link set can0 type can bitrate 250000`"), "{error}");
        let error = has_its_own_rate(&name, &options(None, Some(9600))).unwrap_err();
        assert!(error.contains("--baud 9600 for can:can0"), "{error}");
    }

    fn opening(port: &str) -> String {
        let options = AdapterOptions { port: port.to_owned(), ..options(None, None) };
        let work = Work { length: Some(Duration::ZERO), ..Work::default() };
        let run = async { at_port(&options, &work).await };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run).unwrap_err()
    }

    #[test]
    fn what_cannot_be_opened_is_an_error_with_its_reason() {
        let why = opening("can:a name");
        assert!(why.contains("`a name` is not the name of a network interface"), "{why}");
        let why = opening("cn:can0");
        assert!(why.ends_with(", or `can:INTERFACE`"), "{why}");
        let why = opening("can:no-such-can");
        let expected = if cfg!(all(feature = "socketcan", target_os = "linux")) {
            // By kernel: without CAN, or without the interface.
            why.contains("this kernel has no SocketCAN")
                || why.contains("no such interface no-such-can")
        } else {
            why == "this build has no SocketCAN: build it with `--features socketcan`"
        };
        assert!(expected, "{why}");
    }
}
