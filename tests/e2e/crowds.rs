//! Crowds at the doors of `serve`: sockets that never speak, subscribers that never read, requests
//! that never end, passwords that are guessed, and a signal that comes early.
#![expect(clippy::disallowed_methods, reason = "how long a process takes is the machine's time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::Value;

use crate::bench::{call, lastmeter, library, signal};

/// The longest that anything may take that is not asked for in milliseconds.
const LIMIT: Duration = Duration::from_mins(1);
/// The administrators' secret.
const TOKEN: &str = "secret";
/// The meters'.
const DEVICE_TOKEN: &str = "of the meters";
const INPUT: &str = "default/SiteWhere/input/json";

/// A platform in a process of its own, with its log in a file.
struct Platform {
    child: Child,
    mqtt: String,
    rest: String,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Platform {
    /// Starts one under this limit of open files, as `ulimit` takes it: `-S -n 1024` is the soft
    /// limit alone.
    fn start(ulimit: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let program = lastmeter();
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")])
            .arg(program.get_program())
            .args(["serve", "--token", TOKEN, "--device-token", DEVICE_TOKEN])
            .args(["--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--until-stdin-closes"])
            .args(options)
            .arg("--data")
            .arg(folder.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("{error}: {line} {}", std::fs::read_to_string(&log).unwrap())
        });
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        Self { mqtt: text("mqtt"), rest: text("rest"), child, log, _folder: folder }
    }

    fn options(&self, client: &str) -> SessionOptions {
        SessionOptions::new(&self.mqtt, client, "default", DEVICE_TOKEN)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.mqtt).unwrap()
    }

    fn connect_rest(&self) -> TcpStream {
        TcpStream::connect(self.rest.trim_start_matches("http://")).unwrap()
    }

    /// A GET over a connection of its own: the status, and how long it took.
    fn get(&self, path: &str) -> (u16, String, Duration) {
        let begun = Instant::now();
        let mut stream = self.connect_rest();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A reset is no answer.
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        (status, answer, begun.elapsed())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A number of `/metrics`.
    fn metric(&self, name: &str) -> u64 {
        let (status, text, _) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Descriptors that are open, and the soft limit of them.
    fn descriptors(&self) -> (usize, usize) {
        let process = format!("/proc/{}", self.child.id());
        let open = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        (open, line.split_whitespace().nth(3).unwrap().parse().unwrap())
    }

    /// Most memory it ever had, MiB.
    fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may be gone already; that is for the test to judge.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This process needs sockets, too.
fn allow_myself_sockets() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).unwrap();
    assert!(limit.maximum.is_none_or(|most| most >= 4096), "{limit:?}: too few for the test");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A client of the platform's that publishes and waits for its PUBACK.
struct Honest {
    session: Session,
    events: SessionEvents,
    message: u64,
}

impl Honest {
    /// Connects, and tries again by itself as long as it may.
    async fn open(options: SessionOptions) -> Self {
        let (session, events) = Session::open(options);
        let mut honest = Self { session, events, message: 0 };
        while honest.next().await != SessionEvent::Connected {}
        honest
    }

    async fn next(&mut self) -> SessionEvent {
        let event = tokio::time::timeout(LIMIT, self.events.recv()).await;
        event.expect("nothing happened on the session").expect("the session ended")
    }

    async fn publish(&mut self, topic: &str, payload: Vec<u8>) {
        self.message += 1;
        let published = self.session.publish(self.message, topic, payload.into());
        tokio::time::timeout(LIMIT, published).await.expect("room in flight").unwrap();
    }

    async fn deliver(&mut self, device: &str) {
        let serial = self.message + 1;
        let reading = format!(
            r#"{{"hardwareId":"{device}","type":"DeviceMeasurements","request":{{"measurements":{{
            "electricity.frequency":50.01}},"metadata":{{"serial":"{serial}","epoch":"1"}}}}}}"#
        );
        self.publish(INPUT, reading.into_bytes()).await;
        assert_eq!(self.next().await, SessionEvent::Acknowledged { message: serial });
    }
}

/// 1,300 sockets that send nothing, or stop in the midst of their CONNECT.
fn silent_sockets(platform: &Platform) -> Vec<TcpStream> {
    (0..1300)
        .map(|number| {
            let mut stream = platform.connect();
            let sent: &[u8] = if number % 2 == 0 { b"" } else { b"\x10\x20\0\x04MQT" };
            // It may have been thrown out already.
            let _ = stream.write_all(sent);
            stream
        })
        .collect()
}

fn readings(platform: &Platform) -> usize {
    let (status, answer, _) = platform.get("/api/v1/readings?after=0&limit=100");
    assert_eq!(status, 200, "{answer}");
    answer.matches("\"serial\"").count()
}

fn silent_sockets_keep_nobody_out(ulimit: &str) {
    allow_myself_sockets();
    let platform = Platform::start(ulimit, &[]);
    let runtime = runtime();
    let mut early = runtime.block_on(Honest::open(platform.options("early")));
    runtime.block_on(early.deliver("early"));
    let silent = silent_sockets(&platform);
    // One that was there stays, one that comes gets in, and both get their PUBACK.
    runtime.block_on(early.deliver("early"));
    let begun = Instant::now();
    let mut late = runtime.block_on(Honest::open(platform.options("late")));
    runtime.block_on(late.deliver("late"));
    println!("{ulimit}: a client that came late was served after {:?}", begun.elapsed());
    // Acknowledged is durable; it is to be queried a moment later.
    let begun = Instant::now();
    while readings(&platform) < 3 {
        assert!(begun.elapsed() < LIMIT, "{}", readings(&platform));
    }
    let (open, limit) = platform.descriptors();
    println!("{ulimit}: {open} of {limit} descriptors are open");
    assert!(open + 32 <= limit, "{open} of {limit}");
    // Their time is over after ten seconds; each of them is counted once.
    let reason = |reason: &str| {
        platform.metric(&format!(
            "lastmeter_connections_refused_total{{door=\"mqtt\",reason=\"{reason}\"}}"
        ))
    };
    let until = Instant::now() + LIMIT;
    loop {
        let refused = ["silent", "slow", "crowded_out"].map(reason);
        if refused.iter().sum::<u64>() == 1300 {
            println!("{ulimit}: silent, slow, crowded out: {refused:?}");
            break;
        }
        assert!(Instant::now() < until, "{refused:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    runtime.block_on(early.deliver("early"));
    let log = platform.log();
    println!("{ulimit}: {} lines of log", log.lines().count());
    assert!(log.lines().count() < 100 && log.len() < 64 * 1024, "{log}");
    drop(silent);
}

#[test]
fn thirteen_hundred_silent_sockets_keep_nobody_out_at_a_soft_limit_of_1024() {
    silent_sockets_keep_nobody_out("-S -n 1024");
}

#[test]
fn thirteen_hundred_silent_sockets_keep_nobody_out_at_a_hard_limit_of_1024() {
    silent_sockets_keep_nobody_out("-n 1024");
}

/// A CONNECT and a SUBSCRIBE of MQTT 3.1.1 to a filter with QoS 1, put together by hand.
pub(crate) fn subscribe_and_read_nothing(
    address: &str,
    password: &str,
    client: &str,
    filter: &str,
) -> TcpStream {
    let text = |text: &str| {
        let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes
    };
    let mut connect = b"\0\x04MQTT\x04\xc2\0\0".to_vec();
    for field in [client, "default", password] {
        connect.extend(text(field));
    }
    let mut subscribe = vec![0, 1];
    subscribe.extend(text(filter));
    subscribe.push(1);
    let mut packets = vec![0x10, connect.len() as u8];
    packets.extend(connect);
    packets.extend([0x82, subscribe.len() as u8]);
    packets.extend(subscribe);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&packets).unwrap();
    // CONNACK and SUBACK: four and five bytes.
    let mut answers = [0; 9];
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.read_exact(&mut answers).unwrap();
    assert_eq!((answers[0], answers[3], answers[4], answers[8]), (0x20, 0, 0x90, 1));
    stream
}

#[test]
fn subscribers_that_never_read_cost_bounded_memory_and_are_disconnected() {
    const MESSAGES: u64 = 8000;
    const WINDOW: u64 = 50;
    let platform = Platform::start("-S -n 1024", &[]);
    let subscribe = |number: u64| {
        let client = format!("deaf-{number}");
        subscribe_and_read_nothing(&platform.mqtt, DEVICE_TOKEN, &client, "default/echo/#")
    };
    let mut deaf = vec![subscribe(0), subscribe(1)];
    runtime().block_on(async {
        let mut honest = Honest::open(platform.options("honest")).await;
        let mut acknowledged = 0;
        for message in 1..=MESSAGES {
            honest.publish("default/echo/honest", vec![b'x'; 64 * 1024]).await;
            if message > WINDOW {
                acknowledged += 1;
                let expected = SessionEvent::Acknowledged { message: acknowledged };
                assert_eq!(honest.next().await, expected);
            }
            // Thrown out, they come back.
            if message % 1000 == 0 {
                deaf.push(subscribe(message));
                deaf.push(subscribe(message + 1));
            }
        }
        for message in MESSAGES - WINDOW + 1..=MESSAGES {
            assert_eq!(honest.next().await, SessionEvent::Acknowledged { message });
        }
        honest.deliver_after(MESSAGES).await;
    });
    let peak = platform.peak_mib();
    let cut = platform.metric("lastmeter_broker_subscribers_cut_for_bytes_total");
    let waiting = platform.metric("lastmeter_queued_bytes");
    println!("peak {peak} MiB, {cut} disconnected, {waiting} bytes wait");
    assert!(peak < 200, "{peak} MiB");
    assert!(cut >= 2, "{cut}");
    assert!(waiting <= 64 << 20, "{waiting}");
    assert!(platform.log().lines().count() < 100);
    drop(deaf);
}

impl Honest {
    /// A reading after so many other messages.
    async fn deliver_after(&mut self, messages: u64) {
        assert_eq!(self.message, messages);
        self.deliver("honest").await;
    }
}

/// How soon health has to be answered, whatever REST does.
const AT_ONCE: Duration = Duration::from_millis(100);

/// As many REST sockets as there are seats and more, each of which has sent this and no more.
fn rest_crowd(platform: &Platform, sent: &[u8]) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = platform.connect_rest();
        // It may have been thrown out already.
        let _ = stream.write_all(sent);
        stream
    };
    (0..256).map(open).collect()
}

/// The longest that health and metrics take beside a crowd that has just come.
fn health_beside(platform: &Platform, sent: &[u8]) -> Duration {
    let crowd = rest_crowd(platform, sent);
    let answers = ["/healthz", "/readyz", "/metrics"].map(|path| {
        let (status, answer, time) = platform.get(path);
        assert_eq!(status, 200, "{path} {answer}");
        time
    });
    drop(crowd);
    answers.into_iter().max().unwrap_or_default()
}

#[test]
fn rest_sockets_that_send_nothing_or_half_a_head_hold_nothing() {
    allow_myself_sockets();
    let platform = Platform::start("-S -n 1024", &[]);
    let rounds: [(&str, &[u8]); 3] = [
        ("nothing", b""),
        ("half a head", b"GET /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nAuthor"),
        (
            "a wrong token and half a body",
            b"POST /api/v1/clock/advance HTTP/1.1\r\nHost: localhost\r\n\
          Authorization: Bearer wrong\r\nContent-Length: 1000\r\n\r\n{",
        ),
    ];
    for (what, sent) in rounds {
        let mut times = Vec::new();
        // What else the machine does must not decide this; with each try a new crowd comes.
        while times.len() < 8 && times.last().is_none_or(|time| *time >= AT_ONCE) {
            times.push(health_beside(&platform, sent));
        }
        println!("{what}: health and metrics after {times:?} at most");
        assert!(times.iter().any(|time| *time < AT_ONCE), "{what}: {times:?}");
        // The rest of REST has seats again as soon as theirs are given to others.
        let crowd = rest_crowd(&platform, sent);
        let until = Instant::now() + LIMIT;
        while platform.get("/api/v1/readings?after=0&limit=1").0 != 200 {
            assert!(Instant::now() < until, "{what}");
        }
        drop(crowd);
    }
    assert!(platform.log().lines().count() < 100);
}

/// Processor time that a process has used, of all its threads.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything: utime and stime are fields 14 and 15 (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = [11, 12].map(|field| fields[field].parse::<u64>().unwrap()).iter().sum();
    // A hundred a second, whatever the kernel's own is.
    Duration::from_millis(10 * ticks)
}

#[test]
fn where_no_descriptor_is_left_nothing_spins_and_the_log_stays_small() {
    let platform = Platform::start("-S -n 1024", &[]);
    runtime().block_on(async {
        let mut honest = Honest::open(platform.options("early")).await;
        honest.deliver("early").await;
        let (open, limit) = platform.descriptors();
        let pid = Pid::from_raw(platform.child.id().cast_signed());
        let limit_to = |soft: usize| {
            let limit = Rlimit { current: Some(soft as u64), ..getrlimit_of(&platform) };
            prlimit(pid, Resource::Nofile, limit).unwrap();
        };
        limit_to(open);
        let crowd: Vec<TcpStream> =
            (0..10).flat_map(|_| [platform.connect(), platform.connect_rest()]).collect();
        let before = processor_time(platform.child.id());
        std::thread::sleep(Duration::from_secs(4));
        let used = processor_time(platform.child.id()).saturating_sub(before);
        limit_to(limit);
        println!("used {used:?} of the processor in 4 s");
        assert!(used < Duration::from_secs(1), "{used:?}");
        let log = platform.log();
        assert!(log.contains("could not be accepted"), "{log}");
        assert!(log.lines().count() < 20, "{log}");
        // Then everybody is served.
        honest.deliver("early").await;
        let failures = ["mqtt", "rest"].map(|door| {
            platform.metric(&format!("lastmeter_accept_failures_total{{door=\"{door}\"}}"))
        });
        assert!(failures.iter().all(|count| (1..40).contains(count)), "{failures:?}");
        drop(crowd);
    });
}

/// The limits of open files that a platform has.
fn getrlimit_of(platform: &Platform) -> Rlimit {
    let limits = format!("/proc/{}/limits", platform.child.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().skip(3).map(|number| number.parse().ok());
    Rlimit { current: numbers.next().unwrap(), maximum: numbers.next().unwrap() }
}

#[test]
fn guesses_are_slow_counted_and_logged_now_and_then_and_the_right_secret_is_not() {
    let platform = Platform::start("-S -n 1024", &[]);
    let runtime = runtime();
    let begun = Instant::now();
    // Twenty guessers that go on guessing as fast as they are answered, at both doors.
    let guessers: Vec<_> = (0..20)
        .map(|number| {
            let (mqtt, rest) = (platform.mqtt.clone(), platform.rest.clone());
            std::thread::spawn(move || {
                let mut answers = 0;
                while begun.elapsed() < Duration::from_secs(6) {
                    let (address, sent): (&str, &[u8]) = if number % 2 == 0 {
                        (&mqtt, b"\x10\x19\0\x04MQTT\x04\xc2\0\0\0\x01g\0\x07default\0\x01x")
                    } else {
                        (
                            rest.trim_start_matches("http://"),
                            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                              Authorization: Bearer x\r\n\r\n",
                        )
                    };
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.write_all(sent).unwrap();
                    let mut answer = Vec::new();
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                    let _ = stream.read_to_end(&mut answer);
                    assert!(
                        answer == [0x20, 2, 0, 4] || answer.starts_with(b"HTTP/1.1 401 "),
                        "{answer:?}"
                    );
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    // Meanwhile devices with the right one come and go, behind the same address.
    let mut times: Vec<Duration> = (0..9)
        .map(|number| {
            let asked = Instant::now();
            runtime.block_on(async {
                let client = format!("honest-{number}");
                let mut honest = Honest::open(platform.options(&client)).await;
                honest.deliver(&client).await;
                honest.session.close().await;
            });
            asked.elapsed()
        })
        .collect();
    times.sort();
    let answers: u32 = guessers.into_iter().map(|guesser| guesser.join().unwrap()).sum();
    println!("{answers} guesses in 6 s, honest ones served in {:?} (median)", times[4]);
    // Ten at once; then each of the twenty waits five seconds for its answer, as does everybody on
    // this machine, and some of them are under way at the end.
    assert!(answers <= 10 + 3 * 20, "{answers}");
    // Far less than a guesser waits, on a busy machine too.
    assert!(times[4] < Duration::from_secs(4), "{times:?}");
    let counted = ["mqtt", "rest"]
        .map(|door| platform.metric(&format!("lastmeter_wrong_secrets_total{{door=\"{door}\"}}")));
    assert_eq!(counted.iter().sum::<u64>(), u64::from(answers), "{counted:?}");
    let log = platform.log();
    let lines = log.lines().filter(|line| line.contains("a wrong secret")).count();
    assert!((1..=4).contains(&lines), "{log}");
}

#[test]
fn a_meters_secret_opens_no_rest_and_the_token_opens_both() {
    let platform = Platform::start("-S -n 1024", &[]);
    runtime().block_on(async {
        for (password, opens_rest) in [(DEVICE_TOKEN, false), (TOKEN, true)] {
            // A session of one principal is not another's to take over, and may not have ended yet.
            let client = format!("meter-{opens_rest}");
            let options =
                SessionOptions { password: password.to_owned(), ..platform.options(&client) };
            let (session, mut events) = Session::open(options);
            let first = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
            assert_eq!(first, SessionEvent::Connected, "{password}");
            drop(session);
            let client = Client::new(&platform.rest, password).unwrap();
            let read: Result<Value, _> = client.get_json("/sitewhere/api/devices").await;
            assert_eq!(read.is_ok(), opens_rest, "{password}: {read:?}");
        }
    });
    assert!(!platform.log().contains("one secret"), "{}", platform.log());
}

#[test]
fn a_run_needs_the_devices_secret_that_its_profile_states() {
    let platform = Platform::start("-S -n 1024", &["--clock", "driven"]);
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, secrets: &str| {
        let profile = folder.path().join(format!("{name}.toml"));
        let text = format!("mqtt = \"{}\"\nrest = \"{}\"\n{secrets}", platform.mqtt, platform.rest);
        std::fs::write(&profile, text).unwrap();
        call(&[
            "run",
            &library("first-light"),
            "--set",
            "scenario.duration=\"10 s\"",
            "--platform",
            profile.to_str().unwrap(),
            "--out",
            folder.path().join(name).to_str().unwrap(),
        ])
    };
    let wrong = run("wrong", &format!("token = \"{TOKEN}\"\ndevice_token = \"guess\"\n"));
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(wrong.stderr.contains("password"), "{wrong:?}");
    let both = format!("token = \"{TOKEN}\"\ndevice_token = \"{DEVICE_TOKEN}\"\n");
    let two = run("two", &both);
    assert_eq!(two.code, 0, "{two:?}");
}

/// Starts `serve` with one secret, on free ports.
fn serve_alone(data: &Path, log: &Path) -> Child {
    lastmeter()
        .args(["serve", "--token", TOKEN, "--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"])
        .arg("--data")
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(log).unwrap())
        .spawn()
        .unwrap()
}

#[test]
fn signals_are_watched_before_anything_durable_begins_and_one_secret_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let mut child = serve_alone(&data, &log);
    let begun = Instant::now();
    while !data.exists() {
        assert!(begun.elapsed() < LIMIT, "no data folder");
        std::hint::spin_loop();
    }
    // The folder is the first that it makes. Bits 1 and 14 are SIGINT and SIGTERM (proc(5)).
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    assert_eq!(caught & 0x4002, 0x4002, "{caught:x}");
    // Stopped before it is ready, it ends in an orderly way all the same.
    signal(&child, "TERM");
    let mut printed = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut printed).unwrap();
    let status = child.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(status.code(), Some(0), "{status}: {log}");
    assert!(log.contains("stopped"), "{log}");
    assert!(log.contains("WARN") && log.contains("one secret"), "{log}");
}
