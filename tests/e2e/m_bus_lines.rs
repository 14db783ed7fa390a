//! The concentrator of M-Bus meters by itself: on sockets and pseudo-terminals, with slaves that
//! this test plays from captured frames, through kills and without a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lastmeter_commands::gateway::RecordStore;
use lastmeter_mbus::application::Application;
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::header::{Identification, Identity, Manufacturer, Medium};
use lastmeter_mbus::reader::{Reader, Received};
use lastmeter_mbus::record::Item;
use lastmeter_mbus::slave::{Slave, SlaveConfig};
use lastmeter_units::{MeasurementId, SimTime};
use rustix::fs::{Mode, OFlags};
use serde_json::Value;

use crate::bench::{captured_frames, first_line, lastmeter};
use crate::doors::Served;

/// No wait of these tests is longer.
const LIMIT: Duration = Duration::from_secs(40);

/// Heat and water meters, two of which begin with the same digit of their identification.
const METERS: [&str; 6] = [
    "Elster-F2",
    "els_falcon",
    "itron_bm_+m",
    "kamstrup_multical_601",
    "sen_pollucom_e",
    "tch_telegramm1",
];

// --- slaves --------------------------------------------------------------------------------------

/// A slave, and what it counts from answer to answer, if it counts.
struct Meter {
    slave: Slave,
    litres: Option<u32>,
}

impl Meter {
    /// A water meter that counts a litre with each answer, as its access number does.
    fn counting(address: u8, identification: u32) -> Self {
        let identity = Identity {
            identification: Identification::from_number(identification).unwrap(),
            manufacturer: Manufacturer::from_letters("LMT").unwrap(),
            version: 1,
            medium: Medium::WATER,
        };
        let mut slave = Slave::new(SlaveConfig::new(address, identity), Vec::new());
        slave.set_telegrams(vec![litres(0)]);
        Self { slave, litres: Some(0) }
    }

    fn receive(&mut self, now: SimTime, frame: &[u8]) -> Option<Vec<u8>> {
        let answer = self.slave.receive(now, frame)?.bytes;
        if let (Some(count), Some(0x68)) = (&mut self.litres, answer.first()) {
            *count += 1;
            self.slave.set_telegrams(vec![litres(*count)]);
        }
        Some(answer)
    }
}

/// A telegram with a volume: a long header that the slave fills in, and litres as 32 bits.
fn litres(count: u32) -> Vec<u8> {
    [&[0x72][..], &[0; 12], &[0x04, 0x13], &count.to_le_bytes()].concat()
}

type Slaves = Arc<Mutex<Vec<Meter>>>;

fn slaves(of: impl Iterator<Item = Slave>) -> Slaves {
    Arc::new(Mutex::new(of.map(|slave| Meter { slave, litres: None }).collect()))
}

/// Slaves on one pair of wires, played until the other side is gone.
#[expect(clippy::disallowed_methods, reason = "a real line is waited for by the clock")]
fn play(slaves: &Slaves, mut from: impl Read, mut to: impl Write) {
    let begin = Instant::now();
    let mut reader = Reader::new(BaudRate::default());
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let now = SimTime(begin.elapsed().as_nanos() as i64);
        for byte in &buffer[..count] {
            for received in reader.byte(now, *byte).into_iter().flatten() {
                let Received::Frame { bytes, .. } = received else { continue };
                let mut all = slaves.lock().unwrap();
                let answers = all.iter_mut().filter_map(|meter| meter.receive(now, &bytes));
                let answer = on_one_line(answers);
                if to.write_all(&answer).is_err() {
                    return;
                }
            }
        }
    }
}

/// What is on the wires when several speak at once: a 0 bit wins (EN 13757-2, 4.3).
fn on_one_line(answers: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut line: Vec<u8> = Vec::new();
    for answer in answers {
        line.resize(line.len().max(answer.len()), 0xFF);
        for (on_line, byte) in line.iter_mut().zip(answer) {
            *on_line &= byte;
        }
    }
    line
}

/// Slaves behind a TCP port, for whoever connects, one after another.
fn serve_slaves(slaves: Slaves) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            stream.set_nodelay(true).unwrap();
            play(&slaves, &stream, &stream);
        }
    });
    address
}

/// A meter that was captured, and what the reference decoder reads in its frame.
struct Captured {
    /// The hardware id that the concentrator gives it.
    id: String,
    slave: Slave,
    /// In SI units.
    values: BTreeMap<&'static str, f64>,
}

impl Captured {
    fn read(folder: &Path, name: &str, address: u8) -> Self {
        let file = |ending: &str| std::fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
        let text = String::from_utf8_lossy(&file("hex")).into_owned();
        let bytes: Vec<u8> =
            text.split_whitespace().map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
        let Ok(Frame::Long { information, data, .. }) = Frame::decode(&bytes) else {
            panic!("{name} is no frame with user data")
        };
        let identity = Identity::from_bytes(data[..8].try_into().unwrap());
        let mut telegrams = vec![[&[information], data].concat()];
        if follows_more(&bytes) {
            // Only the first was captured; the last one, without any record, ends them.
            telegrams.push([&[information], &data[..12], &[0x0F]].concat());
        }
        let slave = Slave::new(SlaveConfig::new(address, identity), telegrams);
        let Identity { identification, manufacturer, version, medium } = identity;
        let id = format!("mbus-{identification}-{manufacturer}-{version:02x}-{:02x}", medium.0);
        let domain = if medium.0 == 0x04 { "heating" } else { "water" };
        // Its encoding is Latin-1, of which nothing here is beyond ASCII but the degree sign.
        let xml = String::from_utf8_lossy(&file("norm.xml")).into_owned();
        Self { id: id.to_lowercase(), slave, values: values(&xml, domain) }
    }
}

/// Whether a telegram is marked as not the last one.
fn follows_more(bytes: &[u8]) -> bool {
    let frame = Frame::decode(bytes).unwrap();
    let Ok(Application::Variable { mut records, .. }) = Application::decode(&frame) else {
        return false;
    };
    let more = |item| matches!(item, Item::Manufacturer { more_records_follow: true, .. });
    records.any(|item| item.is_ok_and(more))
}

/// The text of the first element of a name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

/// The current values of a meter in SI units, by identifier.
fn values(xml: &str, domain: &str) -> BTreeMap<&'static str, f64> {
    let mut values = BTreeMap::new();
    for record in xml.split("<DataRecord").skip(1) {
        let is = |name: &str, value: &str| element(record, name).unwrap_or(value) == value;
        let is_current = is("Function", "Instantaneous value") && is("StorageNumber", "0");
        if !is_current || !is("Tariff", "0") || !is("Device", "0") {
            continue;
        }
        let (id, factor) = match (domain, element(record, "Quantity"), element(record, "Unit")) {
            ("heating", Some("Energy"), Some("Wh")) => ("heating.energy", 3600.0),
            ("heating", Some("Power"), Some("W")) => ("heating.power", 1.0),
            ("heating", Some("Volume"), Some("m^3")) => ("heating.volume", 1.0),
            ("water", Some("Volume"), Some("m^3")) => ("water.volume", 1.0),
            ("heating", Some("Flow temperature"), _) => ("heating.temp.primary.inlet", 1.0),
            ("heating", Some("Return temperature"), _) => ("heating.temp.primary.outlet", 1.0),
            _ => continue,
        };
        let value: f64 = element(record, "Value").unwrap().parse().unwrap();
        values.entry(id).or_insert(value * factor);
    }
    values
}

// --- programs ------------------------------------------------------------------------------------

/// A concentrator that runs.
struct Concentrator {
    child: Child,
    ready: Value,
}

impl Concentrator {
    /// On lines, with a platform and a folder.
    fn start(lines: &[&str], broker: &str, folder: &Path, more: &[&str]) -> Self {
        let password = folder.join("password");
        std::fs::write(&password, "meters\n").unwrap();
        let log = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = lastmeter();
        command.args(["device", "m-bus-concentrator", "--mqtt", broker, "--mqtt-password-file"]);
        command.arg(password).arg("--data").arg(folder.join("outbox")).args(more);
        for line in lines {
            command.args(["--on", line]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let ready = first_line(&mut child);
        Self { child, ready }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Concentrator {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All readings that a platform has.
fn readings(served: &Served) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let request = format!("GET /api/v1/readings?after={after}&limit=1000");
        let (status, page) = served.ask("rest", "secret", &request, "", "");
        assert_eq!(status, 200, "{page}");
        all.extend(page["results"].as_array().unwrap().iter().cloned());
        after = page["last"].as_u64().unwrap();
        if page["more"] == false {
            return all;
        }
    }
}

/// Waits until something is so; else panics with what was found and the concentrator's log.
#[expect(clippy::disallowed_methods, reason = "a real line is waited for by the clock")]
fn wait_until<T>(folder: &Path, mut found: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match found() {
            Ok(found) => return found,
            Err(found) if begin.elapsed() > LIMIT => {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("{found}\n{log}");
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Waits for two readings of each meter, and holds their values against the reference decoder's.
fn expect_meters(served: &Served, folder: &Path, meters: &[Captured]) {
    let all = wait_until(folder, || {
        let all = readings(served);
        let count = |id: &str| all.iter().filter(|row| row["device"] == id).count();
        let counts: Vec<usize> = meters.iter().map(|meter| count(&meter.id)).collect();
        if counts.iter().all(|count| *count >= 2) { Ok(all) } else { Err(format!("{counts:?}")) }
    });
    for row in &all {
        let device = row["device"].as_str().unwrap();
        let meter = meters.iter().find(|meter| meter.id == device);
        let meter = meter.unwrap_or_else(|| panic!("nobody is {device}"));
        assert!(meter.values.contains_key("water.volume") || meter.values.len() >= 4, "{device}");
        for (id, expected) in &meter.values {
            let found = row["values"][*id].as_f64().unwrap_or_else(|| panic!("{id} not in {row}"));
            let found = found * MeasurementId::lookup(id).unwrap().row().si_factor;
            let difference = (found - expected).abs();
            assert!(difference <= 1e-12 * expected.abs(), "{device} {id}: {found}, {expected}");
        }
    }
}

fn captured_meters(test: &str, names: &[&str]) -> Option<Vec<Captured>> {
    let folder = captured_frames(test)?.join("mbus");
    let meters = names.iter().zip(1..);
    Some(meters.map(|(name, address)| Captured::read(&folder, name, address)).collect())
}

#[test]
fn captured_meters_behind_a_socket_are_found_and_read() {
    let Some(meters) = captured_meters("captured_meters_behind_a_socket", &METERS) else { return };
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let slaves = serve_slaves(slaves(meters.iter().map(|meter| meter.slave.clone())));
    let (line, broker) = (format!("tcp:{slaves}"), served.ready["mqtt"].as_str().unwrap());
    let set = ["--set", "poll_every=\"2 s\"", "--set", "repetitions=1"];
    let _concentrator = Concentrator::start(&[&line], broker, folder.path(), &set);
    expect_meters(&served, folder.path(), &meters);
}

#[test]
fn captured_meters_on_a_pseudo_terminal_are_found_and_read() {
    let names = &METERS[..2];
    let Some(meters) = captured_meters("captured_meters_on_a_pseudo_terminal", names) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap();
    let set = ["--set", "poll_every=\"2 s\"", "--set", "repetitions=1"];
    let concentrator = Concentrator::start(&["pty"], broker, folder.path(), &set);
    let place = concentrator.ready["lines"][0].as_str().unwrap();
    let path = place.strip_prefix("pty ").unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let side = File::from(rustix::fs::open(path, flags, Mode::empty()).unwrap());
    let slaves = slaves(meters.iter().map(|meter| meter.slave.clone()));
    std::thread::spawn(move || play(&slaves, &side, &side));
    expect_meters(&served, folder.path(), &meters);
}

// --- kills without a platform --------------------------------------------------------------------

/// A TCP relay to a platform, which can be cut.
struct CuttableRelay {
    address: SocketAddr,
    /// The connections while it is open; nothing while it is cut.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl CuttableRelay {
    fn to(platform: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let (streams, platform) = (Arc::clone(&open), platform.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().map(Result::unwrap) {
                let mut streams = streams.lock().unwrap();
                // Dropped while it is cut.
                let Some(streams) = streams.as_mut() else { continue };
                let far = TcpStream::connect(&platform).unwrap();
                for (mut from, mut to) in [(&near, &far), (&far, &near)]
                    .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
                {
                    std::thread::spawn(move || {
                        // Either end may be cut; then the other one is shut down.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                streams.extend([near, far]);
            }
        });
        Self { address, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().take().unwrap_or_default() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }
}

/// A reading: device, serial and litres.
type Counted = (String, u64, u64);

/// The reading in a message; alerts are none.
fn counted(message: &Value) -> Option<Counted> {
    let request = &message["request"];
    let cubic_metres = request["measurements"]["water.volume"].as_f64()?;
    let serial = request["metadata"]["serial"].as_str().unwrap().parse().unwrap();
    let device = message["hardwareId"].as_str().unwrap().to_owned();
    Some((device, serial, (cubic_metres * 1000.0).round() as u64))
}

/// The readings that are durable, looked up in a copy, so that whoever comes next finds the file as
/// the kill left it.
fn durable(folder: &Path) -> BTreeSet<Counted> {
    let copy = folder.join("copy");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(folder.join("outbox/kept.log"), copy.join("kept.log")).unwrap();
    let records = RecordStore::open(&copy).unwrap().records();
    let messages = records.iter().filter_map(|record| {
        let begin = record.windows(12).position(|bytes| bytes == b"{\"hardwareId")?;
        // A checksum of four bytes ends a record.
        let message: Value = serde_json::from_slice(&record[begin..record.len() - 4]).unwrap();
        counted(&message)
    });
    messages.collect()
}

/// Moments by a seed (Knuth's MMIX generator), in milliseconds below a limit.
fn moments(mut seed: u64, below: u64) -> impl Iterator<Item = Duration> {
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((seed >> 33) % below)
    })
}

#[test]
fn what_was_durable_arrives_once_through_twenty_kills_without_a_platform() {
    const KILLS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let relay = CuttableRelay::to(served.ready["mqtt"].as_str().unwrap());
    let meters = (1..=3).map(|number| Meter::counting(number, u32::from(number))).collect();
    let meters: Slaves = Arc::new(Mutex::new(meters));
    let (line, broker) =
        (format!("tcp:{}", serve_slaves(Arc::clone(&meters))), relay.address.to_string());
    let file = devices(folder.path(), &[1, 1, 1]);
    let more = ["--set", "poll_every=\"1 s\"", "--set", "search=\"never\"", "--devices", &file];
    let start = || Concentrator::start(&[&line], &broker, folder.path(), &more);

    let mut concentrator = start();
    wait_until(folder.path(), || {
        let found = readings(&served).len();
        if found >= 3 { Ok(()) } else { Err(format!("{found} readings")) }
    });
    relay.cut();
    let mut all = BTreeSet::new();
    // Polls begin a second after the start and take a tenth of one.
    for moment in moments(7, 250).take(KILLS) {
        std::thread::sleep(Duration::from_millis(950) + moment);
        concentrator.kill();
        let found = durable(folder.path());
        let lost: Vec<_> = all.difference(&found).collect();
        assert!(lost.is_empty(), "{lost:?}");
        all = found;
        concentrator = start();
    }
    relay.mend();
    // And killed a few times more while it makes up for them.
    for moment in moments(8, 40).take(3) {
        std::thread::sleep(moment);
        concentrator.kill();
        concentrator = start();
    }
    wait_until(folder.path(), || {
        let open =
            all.len() - readings(&served).iter().filter(|row| all.contains(&row_of(row))).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} are missing")) }
    });
    concentrator.kill();
    assert!(all.len() > KILLS, "{} readings", all.len());
    judge(&readings(&served), &meters, KILLS + 5);
}

/// A reading that the platform has.
fn row_of(row: &Value) -> Counted {
    let cubic_metres = row["values"]["water.volume"].as_f64().unwrap();
    let device = row["device"].as_str().unwrap().to_owned();
    (device, row["serial"].as_u64().unwrap(), (cubic_metres * 1000.0).round() as u64)
}

/// Every reading is there once, with what its meter reported under its number, in order; each kill
/// may have lost the one answer that was on its way.
fn judge(rows: &[Value], meters: &Slaves, lost_at_most: usize) {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        let (device, serial, litres) = row_of(row);
        // An access number of 0 at first makes 256.
        assert_eq!(serial, 256 + litres, "{device}");
        let before = last.insert(device.clone(), serial).unwrap_or(0);
        assert!(before < serial, "{device}: {serial} after {before}");
    }
    let answered: u32 = meters.lock().unwrap().iter().filter_map(|meter| meter.litres).sum();
    let lost = answered as usize - rows.len();
    assert!(lost <= lost_at_most, "{lost} of {answered} answers never became durable");
    println!("{} readings of {answered} answers", rows.len());
}

// --- what goes wrong -----------------------------------------------------------------------------

/// Calls the command; its code and its words.
fn call(folder: &Path, lines: &[&str], broker: &str, more: &[&str]) -> (i32, String) {
    let mut command = lastmeter();
    command.args(["device", "m-bus-concentrator", "--mqtt", broker, "--for", "100 ms", "--data"]);
    command.arg(folder.join("outbox")).args(more);
    for line in lines {
        command.args(["--on", line]);
    }
    let done = command.output().unwrap();
    (done.status.code().unwrap_or(-1), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn mistakes_are_reported_and_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _taken = TcpListener::bind(taken).unwrap();
    let (broker, line) = ("127.0.0.1:1", "tcp:127.0.0.1:1");
    let listen = format!("tcp-listen:{taken}");
    let devices = folder.path().join("devices.csv");
    let devices = devices.to_str().unwrap();
    let cases: [(&[&str], &str, &[&str], &str); 13] = [
        (&[line], broker, &["--set", "poll_evry=\"2 s\""], "poll_evry"),
        (&[line], broker, &["--set", "poll_every=\"0 s\""], "poll_every"),
        (&[line], broker, &["--set", "poll_every=\"1 s\"", "--set", "poll_offset=\"2 s\""], "poll"),
        (&[line], "nowhere", &[], "`--mqtt nowhere`: expected a host and a port"),
        (&[line], broker, &["--name", ""], "`--name `"),
        (&[line], broker, &["--mqtt-password-file", "/no/such/file"], "cannot read /no/such/file"),
        (&[line, line], broker, &[], "`--on tcp:127.0.0.1:1` is there twice"),
        (&[], broker, &[], "needs `--on LINE`"),
        (&["somewhere"], broker, &[], "`somewhere` is not the address of a channel"),
        (&["/dev/ttyNONE7"], broker, &[], "cannot open tty:/dev/ttyNONE7: No such file"),
        (&[&listen], broker, &[], "in use"),
        (&[line], broker, &["--devices", "/no/such/file"], "cannot read /no/such/file"),
        (&[line], broker, &["--devices", devices], "`heat-1` has the address `5`, expected"),
    ];
    std::fs::write(devices, "hardware_id,address\nheat-1,5\n").unwrap();
    for (lines, broker, more, word) in cases {
        let (code, printed) = call(folder.path(), lines, broker, more);
        assert_eq!(code, 2, "{word}: {printed}");
        assert!(printed.contains(word), "{word}: {printed}");
    }
    let _first = Concentrator::start(&[line], broker, folder.path(), &[]);
    let (code, printed) = call(folder.path(), &[line], broker, &[]);
    assert!(code == 2 && printed.contains("is in use by another gateway"), "{code}: {printed}");
}

fn times_logged(folder: &Path, what: &str) -> usize {
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    log.lines().filter(|line| line.contains(what)).count()
}

/// Nothing that goes on is logged again and again.
#[test]
fn a_refused_password_and_a_line_without_anybody_are_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap();
    let set = ["--mqtt-user", "nobody", "--set", "poll_every=\"1 s\""];
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = format!("tcp:{nobody}");
    let _concentrator = Concentrator::start(&[&line], broker, folder.path(), &set);
    std::thread::sleep(Duration::from_secs(4));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(times_logged(folder.path(), "no connection to the broker"), 1, "{log}");
    assert_eq!(times_logged(folder.path(), "line 1"), 1, "{log}");
}

/// Water meters `water-1` and so on, each at its line.
fn devices(folder: &Path, lines: &[usize]) -> String {
    let rows = lines
        .iter()
        .zip(1..)
        .map(|(line, number)| format!("water-{number},0000000{number}-LMT-01-07,{line}\n"));
    let file = folder.join("devices.csv");
    let rows = format!("hardware_id,address,line\n{}", rows.collect::<String>());
    std::fs::write(&file, rows).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Waits until a device has so many readings.
fn expect_readings(served: &Served, folder: &Path, device: &str, at_least: usize) {
    wait_until(folder, || {
        let count = readings(served).iter().filter(|row| row["device"] == device).count();
        if count >= at_least { Ok(()) } else { Err(format!("{count} readings of {device}")) }
    });
}

#[test]
fn a_line_that_floods_takes_no_memory_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let flood = TcpListener::bind("127.0.0.1:0").unwrap();
    let flooding = format!("tcp:{}", flood.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut stream = flood.accept().unwrap().0;
        // Each byte is a frame by itself, which is the worst there is.
        while stream.write_all(&[0xE5; 4096]).is_ok() {}
    });
    let meters = Arc::new(Mutex::new(vec![Meter::counting(2, 2)]));
    let line = format!("tcp:{}", serve_slaves(meters));
    let file = devices(folder.path(), &[1, 2]);
    let set = ["--set", "poll_every=\"1 s\"", "--set", "search=\"never\"", "--devices", &file];
    let broker = served.ready["mqtt"].as_str().unwrap();
    let concentrator = Concentrator::start(&[&flooding, &line], broker, folder.path(), &set);
    expect_readings(&served, folder.path(), "water-2", 4);
    let status = format!("/proc/{}/status", concentrator.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < 100 << 10, "{kibibytes} KiB");
    assert_eq!(times_logged(folder.path(), "device_unreachable: water-1"), 1);
}

/// Slaves behind a converter that holds every answer back for so long.
fn serve_slowly(meters: Slaves, late: Duration) -> SocketAddr {
    struct Late<'a>(&'a TcpStream, Duration);
    impl Write for Late<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            std::thread::sleep(self.1);
            self.0.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush()
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        play(&meters, &stream, Late(&stream, late));
    });
    address
}

#[test]
fn a_slow_converter_needs_patience() {
    for patience in ["0 ms", "1 s"] {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder.path().join("platform"));
        let meters = Arc::new(Mutex::new(vec![Meter::counting(1, 1), Meter::counting(2, 2)]));
        let line = format!("tcp:{}", serve_slowly(meters, Duration::from_millis(400)));
        let file = devices(folder.path(), &[1, 1]);
        let patience_is = format!("patience=\"{patience}\"");
        let set = ["--set", "poll_every=\"3 s\"", "--set", "search=\"never\"", "--devices", &file];
        let set = [&set[..], &["--set", &patience_is]].concat();
        let broker = served.ready["mqtt"].as_str().unwrap();
        let _concentrator = Concentrator::start(&[&line], broker, folder.path(), &set);
        if patience == "1 s" {
            expect_readings(&served, folder.path(), "water-1", 2);
            expect_readings(&served, folder.path(), "water-2", 2);
        } else {
            wait_until(folder.path(), || match times_logged(folder.path(), "device_unreachable") {
                0 => Err("nobody is unreachable".to_owned()),
                _ => Ok(()),
            });
        }
        // What comes late is nobody else's reading.
        for row in readings(&served) {
            let (device, serial, litres) = row_of(&row);
            assert_eq!(serial, 256 + litres, "{device}");
        }
    }
}

#[test]
fn a_line_where_somebody_comes_late_is_searched_then() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap();
    let set = ["--set", "poll_every=\"1 s\""];
    let line = ["tcp-listen:127.0.0.1:0"];
    let concentrator = Concentrator::start(&line, broker, folder.path(), &set);
    // Meanwhile the search at the start is over.
    std::thread::sleep(Duration::from_secs(3));
    let place = concentrator.ready["lines"][0].as_str().unwrap();
    let stream = TcpStream::connect(place.rsplit(' ').next().unwrap()).unwrap();
    let meters: Slaves = Arc::new(Mutex::new(vec![Meter::counting(1, 1)]));
    std::thread::spawn(move || play(&meters, &stream, &stream));
    expect_readings(&served, folder.path(), "mbus-00000001-lmt-01-07", 2);
}
