//! An application in a process of its own: its settings, and what it prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lastmeter_apps::Need;
use lastmeter_link::mqtt::SessionOptions;
use lastmeter_params::{Value, quote};
use lastmeter_units::SimDuration;
use lastmeter_wire::rest::{Answer, Method, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::report_command;
use crate::host::wall_now;
use crate::run::applications::Running;
use crate::run::error::BenchError;
use crate::run::real::report::Report;
use crate::run::real::timeline::Timeline;
use crate::run::run_platform::own_program;

/// How long it may take to end once it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What is to be known of a line that it prints.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    path: String,
    #[serde(default)]
    status: u16,
    answer: Option<Box<RawValue>>,
}

/// What a process is started with.
pub(super) struct Process {
    name: String,
    kind: &'static str,
    prefix: String,
    settings: PathBuf,
}

impl Process {
    /// Writes its settings, with its secrets, into a folder that nobody else reads.
    pub(super) fn of(one: &Running, folder: &Path, timeline: Timeline) -> Result<Self, BenchError> {
        let settings = folder.join(format!("{}.toml", one.row.name));
        let cannot =
            |path: &Path, error| BenchError::file("cannot write settings", path.to_owned())(error);
        let pem = |ending: &str, text: &str| {
            let path = folder.join(format!("{}.{ending}.pem", one.row.name));
            std::fs::write(&path, text).map_err(|error| cannot(&path, error))?;
            Ok::<_, BenchError>(path.display().to_string())
        };
        let ahead = timeline.now() - wall_now();
        let mut text = text_of(one, ahead);
        let mut add = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {}", quote(value));
        };
        if let Some(tls) = &one.connect.tls {
            add("ca", &pem("ca", &tls.authority_pem)?);
            add("server_name", &tls.server_name);
            if let Some(identity) = &tls.identity {
                add("certificate", &pem("certificate", &identity.certificate_pem)?);
                add("certificate_key", &pem("key", &identity.key_pem)?);
            }
        }
        std::fs::write(&settings, text).map_err(|error| cannot(&settings, error))?;
        let (name, prefix) = (one.row.name.clone(), one.prefix.clone());
        Ok(Self { name, kind: one.row.kind.entry.name, prefix, settings })
    }

    /// Runs it until all are to end; dropped, it is killed.
    pub(super) async fn run(
        self,
        reports: &UnboundedSender<Report>,
        mut closing: watch::Receiver<bool>,
    ) -> Result<(), BenchError> {
        let failed = |what: String| BenchError::device(&self.name, what);
        let mut child = tokio::process::Command::new(own_program()?)
            .args(["app", self.kind, "--json", "--until-stdin-closes", "--config"])
            .arg(&self.settings)
            // Its end is bound to ours: however the bench dies, the pipe closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.expect("stdout was asked for as a pipe");
        let mut lines = BufReader::new(stdout).lines();
        loop {
            tokio::select! {
                () = async { _ = closing.wait_for(|closing| *closing).await } => break,
                line = lines.next_line() => {
                    let Ok(Some(line)) = line else {
                        let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
                        return Err(failed(format!("its process ended by itself ({status})")));
                    };
                    self.take(&line, reports);
                }
            }
        }
        drop(stdin);
        match tokio::time::timeout(STOP_LIMIT, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("its process ended with {status}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("its process did not end in time".to_owned())),
        }
    }

    /// Takes in what it has printed: commands that it has asked for.
    fn take(&self, line: &str, reports: &UnboundedSender<Report>) {
        let Ok(Line { path, status, answer: Some(answer) }) = serde_json::from_str(line) else {
            return;
        };
        let request = Request { number: 0, method: Method::Post, path, body: None, key: None };
        let answer = Answer { number: 0, status, body: answer.get().into() };
        report_command(reports, &self.prefix, &request, &answer);
    }
}

/// Its settings without certificates. Devices have their hardware ids there.
fn text_of(one: &Running, ahead: SimDuration) -> String {
    let SessionOptions { address, password, .. } = &one.connect;
    let (context, profile, key) = (&one.context, &one.profile, &one.key);
    let mut text = String::new();
    let own = [
        ("name", &context.name),
        ("tenant", &context.tenant),
        ("rest", &profile.rest),
        ("mqtt", address),
        ("password", password),
        ("key", key),
    ];
    let own = own.into_iter().chain(context.network.iter().map(|token| ("network", token)));
    for (key, value) in own {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{key} = {}", quote(value));
    }
    let ahead_s = ahead.0 as f64 / 1e9;
    let _ = writeln!(text, "start = {}\nahead = \"{ahead_s} s\"", context.start);
    let names_device = |name: &str| {
        one.row.kind.needs.iter().any(|need| match need {
            Need::Reads { device, .. } | Need::Commands(device) => *device == name,
            Need::Network { .. } => false,
        })
    };
    for (name, value) in one.row.values.iter() {
        if !one.row.kind.entry.fields.iter().any(|field| field.name == name) {
            continue;
        }
        let value = match value {
            Value::Text(device) if names_device(name) => quote(&context.device(device)),
            value => value.to_toml(),
        };
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}
