//! `lastmeter app` beside `lastmeter serve`, two processes: a reading leads to a command; killed at
//! any instant and started again it gives it once, and misses none; what it is refused by has a
//! name.
#![expect(clippy::disallowed_methods, reason = "how long a process takes is the machine's time")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use serde_json::{Value, json};

use crate::bench::{lastmeter, signal};
use crate::repeats::Served;

/// The longest that any one thing may take.
const LIMIT: Duration = Duration::from_mins(1);
/// In this time an application has looked several times.
const SEVERAL_PERIODS: Duration = Duration::from_millis(700);
const ALWAYS: (&str, &str) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");

/// A meter that sends voltages and hears of nothing.
struct Meter {
    session: Session,
    events: SessionEvents,
    serial: u64,
}

impl Meter {
    async fn connect(mqtt: &str) -> Self {
        let (session, events) =
            Session::open(SessionOptions::new(mqtt, "home", "default", "secret"));
        let mut meter = Self { session, events, serial: 0 };
        meter.until(|event| *event == SessionEvent::Connected).await;
        meter
    }

    async fn until(&mut self, is_it: impl Fn(&SessionEvent) -> bool) {
        loop {
            let event = tokio::time::timeout(LIMIT, self.events.recv()).await.unwrap().unwrap();
            if is_it(&event) {
                return;
            }
        }
    }

    /// Sends a voltage, and waits until it is durable.
    async fn send(&mut self, volts: f64) {
        self.serial += 1;
        let serial = self.serial;
        let reading = json!({
            "hardwareId": "home", "type": "DeviceMeasurements",
            "request": {
                "measurements": { "electricity.voltage.rms.l1": volts },
                "metadata": { "serial": serial.to_string(), "epoch": "1" },
            },
        });
        let topic = "default/SiteWhere/input/json";
        self.session.publish(serial, topic, reading.to_string().into()).await.unwrap();
        self.until(|event| *event == SessionEvent::Acknowledged { message: serial }).await;
    }
}

/// An application that runs, and what it prints.
struct Running {
    child: Child,
    lines: Receiver<Value>,
}

impl Running {
    fn start(config: &Path) -> Self {
        let mut child = lastmeter()
            .args(["app", "threshold", "--json", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// The next line that is it.
    fn until(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(LIMIT).unwrap();
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Waits until it knows what was before it.
    fn until_it_knows(&self) {
        self.until(|line| line["path"].as_str().is_some_and(|path| path.contains("/series?")));
    }

    fn until_it_commands(&self) -> Value {
        self.until(|line| line["method"] == "POST")
    }

    /// How it ended by itself: exit code and what it complained of.
    fn ended(self) -> (i32, String) {
        let done = self.child.wait_with_output().unwrap();
        (done.status.code().unwrap_or(-1), String::from_utf8(done.stderr).unwrap())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A platform by the clock on the wall.
fn serve(data: &Path) -> Served {
    let any = "127.0.0.1:0";
    let mut child = lastmeter()
        .args(["serve", "--token", "secret", "--until-stdin-closes", "--mqtt", any, "--rest", any])
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let text = |key: &str| ready[key].as_str().unwrap().to_owned();
    Served { child, mqtt: text("mqtt"), rest: text("rest") }
}

struct Registered {
    password: String,
    key: String,
}

async fn register(client: &Client) -> Registered {
    let post =
        async |path: &str, body: Value| -> Value { client.post_json(path, &body).await.unwrap() };
    post("/sitewhere/api/devices", json!({ "hardwareId": "home" })).await;
    post("/api/v1/applications", json!({ "token": "watch" })).await;
    let of = "app:watch";
    let credential = post("/api/v1/credentials", json!({ "of": of })).await;
    let actions = ["read", "write", "command"];
    let (from, until) = ALWAYS;
    let key = post("/api/v1/keys", json!({ "of": of, "actions": actions, "until": until })).await;
    let grant = json!({
        "to": of, "on": "device:home", "actions": ["read", "command"], "quantities": ["*"],
        "with_history": true, "from": from, "until": until, "purpose": "watch", "by": "bench",
    });
    post("/api/v1/grants", grant).await;
    let text = |of: &Value, key: &str| of[key].as_str().unwrap().to_owned();
    Registered { password: text(&credential, "secret"), key: text(&key, "key") }
}

fn config(folder: &Path, served: &Served, name: &str, registered: &Registered) -> PathBuf {
    let Registered { password, key } = registered;
    let text = format!(
        "name = \"watch\"\nrest = \"{}\"\nmqtt = \"{}\"\npassword = \"{password}\"\n\
         key = \"{key}\"\nevery = \"100 ms\"\nof = \"home\"\ndevice = \"home\"\n\
         quantity = \"electricity.voltage.rms.l1\"\nabove = \"250 V\"\n\
         command = {{ name = \"setReportingPeriod\", seconds = 5 }}\n",
        served.rest, served.mqtt
    );
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

/// What was acknowledged is durable, and readable a little later.
async fn until_readable(client: &Client, serial: u64) {
    let begun = Instant::now();
    loop {
        let page: Value = client.get_json("/api/v1/readings?after=0&limit=500").await.unwrap();
        if page["results"].as_array().unwrap().iter().any(|row| row["serial"] == serial) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{page}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn commands(client: &Client) -> usize {
    let of: Value = client.get_json("/sitewhere/api/devices/home/assignment").await.unwrap();
    let path = format!("/sitewhere/api/assignments/{}/invocations", of["token"].as_str().unwrap());
    let found: Value = client.get_json(&path).await.unwrap();
    found["results"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_killed_gives_each_command_once_and_misses_none() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve(&folder.path().join("data"));
    let client = Client::new(&served.rest, "secret").unwrap();
    let registered = register(&client).await;
    let settings = config(folder.path(), &served, "right", &registered);
    let mut meter = Meter::connect(&served.mqtt).await;
    meter.send(230.0).await;

    let begun = Instant::now();
    let app = Running::start(&settings);
    app.until_it_knows();
    meter.send(231.0).await;
    meter.send(255.0).await;
    let line = app.until_it_commands();
    assert_eq!(
        (&line["status"], &line["answer"]["commandToken"]),
        (&json!(201), &json!("setReportingPeriod"))
    );
    assert_eq!(commands(&client).await, 1);
    println!("a command {} ms after the start", begun.elapsed().as_millis());

    // Killed while it is too high, which it still is afterwards: that command was given.
    app.kill();
    meter.send(256.0).await;
    let app = Running::start(&settings);
    app.until_it_knows();
    meter.send(257.0).await;
    std::thread::sleep(SEVERAL_PERIODS);
    assert_eq!(commands(&client).await, 1);

    // Killed; meanwhile it falls and rises again, seen by more than one reading.
    app.kill();
    for volts in [230.0, 260.0, 261.0] {
        meter.send(volts).await;
    }
    until_readable(&client, meter.serial).await;
    let app = Running::start(&settings);
    app.until_it_commands();
    std::thread::sleep(SEVERAL_PERIODS);
    assert_eq!(commands(&client).await, 2);

    signal(&app.child, "TERM");
    let (code, complaint) = app.ended();
    assert_eq!((code, complaint.as_str()), (0, ""));

    let app = Running::start(&settings);
    app.until_it_knows();
    let other = Running::start(&settings);
    let (code, complaint) = app.ended();
    assert!(
        code == 2 && complaint.contains("`name`: another connection as `watch`"),
        "{complaint}"
    );
    other.kill();

    let wrong = |field: &str| {
        let mut wrong =
            Registered { password: registered.password.clone(), key: registered.key.clone() };
        let into = if field == "key" { &mut wrong.key } else { &mut wrong.password };
        *into = "not-the-one".to_owned();
        let (code, complaint) =
            Running::start(&config(folder.path(), &served, field, &wrong)).ended();
        let names = [&format!("{field}.toml: `{field}`: ")[..], "found", "expected"];
        assert!(code == 2 && names.iter().all(|name| complaint.contains(name)), "{complaint}");
        println!("{}", complaint.trim());
    };
    wrong("password");
    wrong("key");
    assert_eq!(commands(&client).await, 2);
}
