//! What a link in real time costs, and how exact it is, beside a bare connection in the same run.
//!
//! Prints tables, and asserts nothing: the figures are the machine's as much as the code's.
//! `cargo bench -p lastmeter-link --bench link [-- quick]`.
//!
//! Messages of 1.3 kB go one way, from a sender on an open-loop schedule to a receiver, both plain
//! threads with blocking sockets; the proxy is a thread of its own, so that its processor time is
//! its own. Everything is done as an ordinary process first, then under `SCHED_FIFO`.

#![expect(clippy::print_stdout, reason = "a benchmark talks to who runs it")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use chacha20::ChaCha8Rng;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::impair::{LegSpec, LinkSpec};
use lastmeter_link::priority::{policy_word, raise_this_thread};
use lastmeter_link::proxy::{Proxy, ProxyOptions, ProxyReport};
use lastmeter_link::timer::{TimerKind, probe};
use rand::SeedableRng as _;
use rustix::time::{ClockId, Timespec};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const MESSAGE_BYTES: usize = 1300;
const ANSWER_BYTES: usize = 4;
const LEVEL: u8 = 10;

/// How messages are sent.
#[derive(Clone, Copy)]
struct Load {
    lanes: usize,
    messages: usize,
    period_ns: i64,
    answered: bool,
}

fn main() -> Outcome<()> {
    let quick = std::env::args().any(|argument| argument == "quick");
    let scale = if quick { 10 } else { 1 };
    for fifo in [false, true] {
        let raised = if fifo { raise_this_thread(LEVEL) } else { Ok(()) };
        if let Err(reason) = raised {
            println!("\n{reason}");
            break;
        }
        println!("\n{}, load {}", policy_word(), load_average());
        timers(800 / scale)?;
        transfers(scale, fifo)?;
    }
    Ok(())
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

fn timers(count: usize) -> Outcome<()> {
    println!("\ntimer error, us {:34} p50      p99    p99.9      max", "");
    // A thread of a runtime inherits the policy of the thread that makes it.
    for (runtime, kinds) in
        [("one thread", &TimerKind::ALL[..]), ("two threads", &TimerKind::ALL[..2])]
    {
        let made = if runtime == "one thread" {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?
        };
        for &kind in kinds {
            let probing = made.spawn(probe(kind, count, ChaCha8Rng::from_seed([1; 32])));
            let late = made.block_on(probing)??;
            println!("  {:<20} {runtime:<12} n = {count:<6} {}", kind.word(), microseconds(late));
        }
    }
    Ok(())
}

fn transfers(scale: usize, fifo: bool) -> Outcome<()> {
    let delayed = |delay_ns: f64| LinkSpec {
        up: LegSpec { delay_ns, ..LegSpec::PERFECT },
        ..LinkSpec::PERFECT
    };
    let nagle = LinkSpec { nodelay: false, two_writes: true, ..LinkSpec::PERFECT };
    let idle = Load { lanes: 1, messages: 2000 / scale, period_ns: 2_000_000, answered: false };
    let loaded = Load { lanes: 50, messages: 20_000 / scale, period_ns: 400_000, ..idle };
    let slow = Load { messages: 60 / scale.min(6), period_ns: 500_000_000, answered: true, ..idle };
    for (what, load, links) in [
        ("1 connection, a message every 2 ms", idle, &[None, Some(0.0), Some(20e6)][..]),
        ("50 connections, 2500 messages per second", loaded, &[None, Some(0.0), Some(20e6)]),
    ] {
        println!("\n{what}; one way, us {:20} p50      p99    p99.9      max", "");
        for delay in links {
            let name = match delay {
                None => "direct".to_owned(),
                Some(delay) => format!("through the link, {} ms", delay / 1e6),
            };
            run(&name, &load, delay.map(delayed).as_ref(), fifo)?;
        }
    }
    println!(
        "\n1 connection, a message every 500 ms, answered {:12} p50      p99    p99.9      max",
        ""
    );
    run("two writes, nodelay", &slow, Some(&LinkSpec { nodelay: true, ..nagle }), fifo)?;
    run("two writes, Nagle's algorithm", &slow, Some(&nagle), fifo)?;
    Ok(())
}

/// One row: messages over bare connections, or through a link.
fn run(name: &str, load: &Load, spec: Option<&LinkSpec>, fifo: bool) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let platform = listener.local_addr()?;
    let link = spec.map(|spec| Link::start(platform, spec, load.lanes, fifo)).transpose()?;
    let (lateness_of, latencies) = mpsc::channel();
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for lane in 0..load.lanes {
        let address = link.as_ref().map_or(platform, |link| link.addresses[lane]);
        let near = TcpStream::connect(address)?;
        near.set_nodelay(true)?;
        senders.push(near);
        let (far, _) = listener.accept()?;
        far.set_nodelay(true)?;
        receivers.push(receive(far, load.answered, lateness_of.clone()));
    }
    drop(lateness_of);
    let cpu_before = link.as_ref().map(Link::cpu_ns).transpose()?;
    send(senders, load)?;
    for receiver in receivers {
        receiver.join().map_err(|_| "a receiver panicked")??;
    }
    let late: Vec<i64> = latencies.iter().collect();
    println!("  {name:<42} n = {:<6} {}", late.len(), microseconds(late));
    if let (Some(link), Some(cpu_before)) = (link, cpu_before) {
        let cpu_ns = link.cpu_ns()? - cpu_before;
        let report = link.stop()?;
        let error = report.release_error;
        println!(
            "  {:<42} processor {:.1} us per message, release error p50 {:.1}, p99 {:.1}, p99.9 {:.1}, \
             max {:.1} us",
            "",
            cpu_ns as f64 / 1e3 / load.messages as f64,
            error.p50_ns as f64 / 1e3,
            error.p99_ns as f64 / 1e3,
            error.p999_ns as f64 / 1e3,
            error.max_ns as f64 / 1e3,
        );
    }
    Ok(())
}

/// Sends on all connections in turn, each message at its instant, and ends them.
fn send(mut senders: Vec<TcpStream>, load: &Load) -> Outcome<()> {
    let start = monotonic_ns() + 10_000_000;
    let mut message = [0; MESSAGE_BYTES];
    let count = senders.len();
    for number in 0..load.messages {
        let at = start + number as i64 * load.period_ns;
        let until = Timespec { tv_sec: at / 1_000_000_000, tv_nsec: at % 1_000_000_000 };
        rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &until)?;
        message[..8].copy_from_slice(&monotonic_ns().to_le_bytes());
        let sender = &mut senders[number % count];
        sender.write_all(&message)?;
        if load.answered {
            sender.read_exact(&mut [0; ANSWER_BYTES])?;
        }
    }
    Ok(())
}

/// Takes messages until the end of the stream, and returns how long each took.
fn receive(
    mut far: TcpStream,
    answered: bool,
    latencies: mpsc::Sender<i64>,
) -> JoinHandle<Outcome<()>> {
    thread::spawn(move || {
        let mut message = [0; MESSAGE_BYTES];
        while far.read_exact(&mut message).is_ok() {
            let now = monotonic_ns();
            let mut sent = [0; 8];
            sent.copy_from_slice(&message[..8]);
            latencies.send(now - i64::from_le_bytes(sent))?;
            if answered {
                far.write_all(&[0; ANSWER_BYTES])?;
            }
        }
        Ok(())
    })
}

/// A link in a thread of its own.
struct Link {
    addresses: Vec<SocketAddr>,
    questions: tokio_mpsc::UnboundedSender<oneshot::Sender<i64>>,
    thread: JoinHandle<Outcome<ProxyReport>>,
}

impl Link {
    fn start(upstream: SocketAddr, spec: &LinkSpec, lanes: usize, fifo: bool) -> Outcome<Self> {
        let spec = *spec;
        let (ready, addresses) = mpsc::channel();
        let (questions, mut asked) = tokio_mpsc::unbounded_channel::<oneshot::Sender<i64>>();
        let thread = thread::spawn(move || {
            if fifo {
                raise_this_thread(LEVEL)?;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let stream = |_: &str| ChaCha8Rng::from_seed([1; 32]);
                let stream = Box::new(stream);
                let proxy = Proxy::new(ProxyOptions {
                    name: "bench",
                    upstream,
                    spec,
                    stream,
                    records: None,
                });
                let mut addresses = Vec::new();
                for lane in 0..lanes {
                    addresses.push(proxy.lane(&lane.to_string()).await?);
                }
                ready.send(addresses)?;
                while let Some(answer) = asked.recv().await {
                    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
                    // Whoever asked waits for it.
                    let _ = answer.send(time.tv_sec * 1_000_000_000 + time.tv_nsec);
                }
                let report = proxy.report();
                proxy.stop().await;
                Ok(report)
            })
        });
        Ok(Self { addresses: addresses.recv()?, questions, thread })
    }

    /// Processor time the thread has used so far.
    fn cpu_ns(&self) -> Outcome<i64> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(answer)?;
        Ok(answered.blocking_recv()?)
    }

    fn stop(self) -> Outcome<ProxyReport> {
        drop(self.questions);
        self.thread.join().map_err(|_| "the link's thread panicked")?
    }
}

fn microseconds(mut values_ns: Vec<i64>) -> String {
    values_ns.sort_unstable();
    let at = |quantile: f64| {
        let rank = (values_ns.len() as f64 * quantile).ceil() as usize;
        values_ns.get(rank.max(1) - 1).map_or(f64::NAN, |&value| value as f64 / 1e3)
    };
    format!("{:8.1} {:8.1} {:8.1} {:8.1}", at(0.5), at(0.99), at(0.999), at(1.0))
}
