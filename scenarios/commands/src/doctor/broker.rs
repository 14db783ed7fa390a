//! The floor of the embedded platform, over plain TCP and over TLS.

use std::path::Path;
use std::time::Duration;

use lastmeter_bench::floor::{self, FloorOptions};
use lastmeter_bench::run::{OwnRuntime, chain};
use lastmeter_link::mqtt::SessionOptions;
use lastmeter_link::priority;
use lastmeter_link::tls::{Authority, ClientTls};
use lastmeter_platform::{ClockSource, Config, Platform, Running, TENANT, TlsConfig, Token};
use lastmeter_record::Floor;
use lastmeter_sim::Streams;
use tokio::runtime::Handle;

use super::finding::{Finding, Section, ms};
use super::{BrokerFloor, Effort};

/// How long the platform may take to start, and to stop.
const PLATFORM_LIMIT: Duration = Duration::from_secs(30);
/// The secrets of a platform that lives for seconds, on loopback only.
const TOKEN: &str = "doctor";
const DEVICE_TOKEN: &str = "doctor-device";
/// The 99th percentile up to which all classes from TT5 on can be judged.
const GOOD_P99_NS: i64 = 1_000_000;

/// Starts a platform in a temporary folder and measures the way through its broker.
pub(super) fn measure(effort: Effort, streams: Streams) -> (Vec<BrokerFloor>, Vec<Finding>) {
    match try_measure(effort, streams) {
        Ok(measured) => {
            let findings = measured.iter().map(|(name, measured)| match measured {
                Ok(floor) => finding(name, floor),
                Err(why) => unmeasured(name, why),
            });
            let findings = findings.collect();
            (measured.into_iter().filter_map(|(_, floor)| floor.ok()).collect(), findings)
        }
        Err(why) => {
            (Vec::new(), vec![unmeasured("echo_plain", &why), unmeasured("echo_tls", &why)])
        }
    }
}

fn unmeasured(name: &'static str, why: &str) -> Finding {
    let advice = "without it no class can be judged here; see the system's message";
    Section::Broker.topic(name).unmeasured(why, advice)
}

type Measurements = Vec<(&'static str, Result<BrokerFloor, String>)>;

fn try_measure(effort: Effort, streams: Streams) -> Result<Measurements, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let authority = Authority::generate("lastmeter doctor").map_err(|error| chain(&error))?;
    let runtime = |name: &str, level: Option<u8>| {
        let runtime = OwnRuntime::start(name, level);
        runtime.map_err(|error| error.to_string())
    };
    // With normal priority, as the platform of a run has.
    let platforms = runtime("platform", None)?;
    let running = start(&platforms.handle(), folder.path(), &authority)?;
    // In real time where that is granted, as the bench's are.
    let bench = runtime("doctor", Some(priority::DEFAULT_LEVEL))?;
    let (policy, _) = bench.handle().block_on(bench.policy());
    let tls = ClientTls::new(authority.certificate_pem(), "localhost");
    let places = [
        ("echo_plain", "plain", Some(running.mqtt_address()), None),
        ("echo_tls", "tls", running.mqtts_address(), Some(tls)),
    ];
    let mut measured = Vec::new();
    for (name, transport, address, tls) in places {
        let floor = match address {
            Some(address) => {
                let options = options(&address.to_string(), tls.as_ref(), effort);
                let rng = streams.stream(&format!("doctor/floor/{transport}"));
                // On a worker, whose priority is raised; this thread's is not.
                let measuring =
                    bench.handle().spawn(async move { floor::measure(&options, rng).await });
                match bench.handle().block_on(measuring) {
                    Ok(measured) => measured.map_err(|error| chain(&error)),
                    Err(panic) => Err(panic.to_string()),
                }
            }
            None => Err("the platform does not listen for it".to_owned()),
        };
        let named = |floor| BrokerFloor { transport, policy: policy.clone(), floor };
        measured.push((name, floor.map(named)));
    }
    platforms.handle().block_on(async {
        // What it could not store in time nobody needs.
        let _ = tokio::time::timeout(PLATFORM_LIMIT, running.shutdown()).await;
    });
    Ok(measured)
}

fn start(platforms: &Handle, folder: &Path, authority: &Authority) -> Result<Running, String> {
    let server = authority.issue_server(&["localhost"]).map_err(|error| chain(&error))?;
    let config = Config {
        tls: Some(TlsConfig::embedded(&server.certificate_pem, &server.key_pem)),
        device_token: Some(Token::new(DEVICE_TOKEN)),
        ..Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall)
    };
    let starting = platforms.spawn(Platform::start(config));
    let started =
        platforms.block_on(async { tokio::time::timeout(PLATFORM_LIMIT, starting).await });
    match started {
        Ok(Ok(started)) => started.map_err(|error| chain(&error)),
        Ok(Err(panic)) => Err(panic.to_string()),
        Err(_) => Err(format!("the platform was not ready within {PLATFORM_LIMIT:?}")),
    }
}

fn options(address: &str, tls: Option<&ClientTls>, effort: Effort) -> FloorOptions {
    let session = |client: &str, password: &str| SessionOptions {
        tls: tls.cloned(),
        ..SessionOptions::new(address, client, TENANT, password)
    };
    FloorOptions {
        messages: effort.echoes,
        probes: effort.floor_probes,
        ..FloorOptions::new(session("doctor-out", DEVICE_TOKEN), session("doctor-in", TOKEN))
    }
}

fn finding(name: &'static str, measured: &BrokerFloor) -> Finding {
    let BrokerFloor { policy, floor, .. } = measured;
    let Floor { timer, echo, .. } = floor;
    let echo = echo.unwrap_or_default();
    let steal = floor.steal.map_or_else(String::new, |share| format!(", {share:.1} % stolen"));
    let found = format!(
        "p50 {}, p99 {}, max {} (n {}, timer p99 {}, {policy}{steal})",
        ms(echo.p50_ns),
        ms(echo.p99_ns),
        ms(echo.max_ns),
        echo.n,
        ms(timer.p99_ns),
    );
    let advice = "get real-time rights or a quieter machine; strict classes are inconclusive here";
    Section::Broker.topic(name).graded(floor.p99_ns() <= GOOD_P99_NS, found, advice)
}
