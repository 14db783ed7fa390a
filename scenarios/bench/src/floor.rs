//! The floor: what the bench, the machine and the broker add on their own, measured before and
//! after a run in real time.
//!
//! Terms: a *probe* is one wait of the timer that the schedule uses; an *echo* is a message that
//! the broker passes from a session of ours to another one and stores nowhere; its latency runs
//! from the instant it was scheduled for (open loop), not from when it was handed over. A class
//! whose limit is below ten times the floor's 99th percentile cannot be judged here, by rule.
//!
//! The floor is never subtracted from a result. It is measured on the runtime, and so under the
//! scheduling policy, of whoever calls.

mod arrivals;
mod echo;
mod kernel;
mod loopback;
mod options;

use std::path::Path;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
pub(crate) use kernel::Processors;
pub use kernel::{ROOT, load, pressure, text};
use lastmeter_link::timer::{self, TimerKind};
use lastmeter_record::{Floor, Summary};
use lastmeter_wire::topics;

use arrivals::Plan;
use echo::EchoError;
pub use options::{FloorError, FloorOptions};

/// Probes that run beside each other, so that two thousand of them do not take a quarter of a
/// minute. Their wakes seldom meet: each takes some 10 us every 6.5 ms.
const PROBE_LANES: u32 = 4;

/// Measures the floor: first the timer, whose waits are drawn from `rng`, then the echo. Takes
/// about 1.6 ms per probe, `pace` per echo, and at most the limits of the options beyond that.
///
/// A broker that does not pass echoes on (somebody else's, as a rule) is replaced by a TCP
/// connection on loopback, by `echo_kind`. Lost echoes count as infinitely late.
///
/// # Errors
/// [`FloorError`]; no wait is without a limit.
pub async fn measure(options: &FloorOptions, rng: ChaCha8Rng) -> Result<Floor, FloorError> {
    let root = Path::new(ROOT);
    let before = Processors::now(root);
    let timer = timer_lateness(options.probes, rng).await?;
    let (echo, echo_kind) = echo_latency(options).await?;
    Ok(Floor {
        timer,
        echo,
        echo_kind,
        load: load(root),
        pressure: pressure(root),
        steal: Processors::now(root).zip(before).and_then(|(now, before)| now.stolen_since(before)),
    })
}

/// How late the schedule's own timer fires.
async fn timer_lateness(probes: u32, mut rng: ChaCha8Rng) -> Result<Summary, FloorError> {
    let system = |source| FloorError::System { what: "a timer", source };
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..PROBE_LANES {
        let count = probes / PROBE_LANES + u32::from(lane < probes % PROBE_LANES);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let draws = ChaCha8Rng::from_seed(seed);
        lanes.spawn(timer::probe(TimerKind::Timerfd, count as usize, draws));
    }
    let mut late_ns = Vec::with_capacity(probes as usize);
    while let Some(lane) = lanes.join_next().await {
        let lane = lane.map_err(|panic| system(std::io::Error::other(panic)))?;
        late_ns.extend(lane.map_err(system)?);
    }
    Ok(Summary::of(&mut late_ns).unwrap_or_default())
}

async fn echo_latency(options: &FloorOptions) -> Result<(Option<Summary>, String), FloorError> {
    let plan = Plan::of(options);
    let how = format!("{} bytes every {:?}", plan.payload_bytes, options.pace);
    let own = topics::echo(&options.publisher.username, &options.publisher.client_id);
    let topic = options.topic.clone().or(own);
    let why_not = match topic {
        None => "the client's identifier cannot stand in a topic".to_owned(),
        Some(topic) => match echo::latencies(options, &topic, plan).await {
            Ok(mut latencies_ns) => {
                let tls = if options.publisher.tls.is_some() { ", TLS" } else { "" };
                let kind = format!("MQTT QoS 1 on `{topic}`, {how}{tls}");
                return Ok((Summary::of(&mut latencies_ns), kind));
            }
            Err(EchoError::NotPassedOn(why)) => why,
            Err(EchoError::Failed(error)) => return Err(error),
        },
    };
    let latencies = loopback::latencies(plan, options.grace).await;
    let mut latencies_ns = latencies
        .map_err(|source| FloorError::System { what: "a connection on loopback", source })?;
    let what = Floor::LOOPBACK;
    let kind = format!("{what}, {how}, as the broker passes no echoes on: {why_not}");
    Ok((Summary::of(&mut latencies_ns), kind))
}

#[cfg(test)]
mod tests;
