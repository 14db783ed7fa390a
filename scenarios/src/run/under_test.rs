//! The platform a run reports to: embedded, a child process, or one that is already running.
//!
//! Whatever it is, the bench reaches it through MQTT and REST only. Embedded means the same
//! process and the same sockets; a child is this very program's `serve`, and can be killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lastmeter_platform::{ClockSource, Config, Limits, Platform, Running, Token};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::error::{BenchError, chain};
use crate::language::PlatformUse;

/// How long a platform may take to say that it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How long a child may take to end once it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Where a platform listens, and the secret that opens it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `host:port` of the MQTT broker.
    pub mqtt: String,
    /// Base URL of REST, such as `http://127.0.0.1:8080`.
    pub rest: String,
    /// Bearer token, and password of the devices.
    pub token: String,
}

/// What `serve` prints on its first line once it accepts connections.
#[derive(Debug, Deserialize)]
struct Ready {
    mqtt: String,
    rest: String,
}

impl Profile {
    /// Reads a profile file.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(path)
            .map_err(BenchError::file("cannot read the platform's profile", path))?;
        toml::from_str(&text).map_err(|error| {
            BenchError::PlatformStart(format!("its profile {}: {error}", path.display()))
        })
    }
}

enum Kind {
    Embedded { running: Running, runtime: OwnRuntime },
    Child { child: Child, stdin: Option<ChildStdin>, config: PathBuf, log: PathBuf },
    External,
}

/// The platform of one run, started.
pub(crate) struct UnderTest {
    kind: Kind,
    profile: Profile,
}

/// What a platform of the bench's own is started with.
pub(crate) struct StartOptions<'a> {
    pub(crate) data: &'a Path,
    pub(crate) logs: &'a Path,
    pub(crate) strict_table2: bool,
}

impl UnderTest {
    /// Starts the platform, or takes the one that runs.
    pub(crate) async fn start(
        choice: &PlatformUse,
        options: &StartOptions<'_>,
    ) -> Result<Self, BenchError> {
        match choice {
            PlatformUse::Embedded => start_embedded(own_config(options)).await,
            PlatformUse::Child => start_child(&own_config(options), options).await,
            PlatformUse::Profile(file) => {
                Ok(Self { kind: Kind::External, profile: Profile::read(file)? })
            }
        }
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Kills the child with SIGKILL, as a power loss of the process would. That it was running
    /// until then is part of what a kill shows.
    pub(crate) async fn kill(&mut self) -> Result<(), BenchError> {
        let Kind::Child { child, log, .. } = &mut self.kind else {
            return Err(BenchError::PlatformStart("only a child process can be killed".to_owned()));
        };
        let cannot =
            |source| BenchError::file("cannot kill the platform's process", "serve")(source);
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Err(BenchError::PlatformEnded(format!(
                "it had ended by itself before it was to be killed ({status}); see {}",
                log.display()
            )));
        }
        child.kill().await.map_err(cannot)
    }

    /// Starts the killed child again, on the same data and the same ports.
    pub(crate) async fn restart(&mut self) -> Result<(), BenchError> {
        let Kind::Child { child, stdin, config, log } = &mut self.kind else {
            return Err(BenchError::PlatformStart("only a child process starts again".to_owned()));
        };
        let (new_child, new_stdin, _) = spawn(config, log).await?;
        (*child, *stdin) = (new_child, Some(new_stdin));
        Ok(())
    }

    /// Ends a platform of the bench's own in an orderly way; that it could is part of its duty.
    pub(crate) async fn stop(self) -> Result<(), BenchError> {
        match self.kind {
            Kind::Embedded { running, runtime } => {
                let stored = running.shutdown().await;
                drop(runtime);
                if stored {
                    return Ok(());
                }
                let what = "it could not store everything within its time for stopping";
                Err(BenchError::PlatformEnded(what.to_owned()))
            }
            Kind::Child { mut child, stdin, log, .. } => {
                drop(stdin);
                let why = match tokio::time::timeout(STOP_LIMIT, child.wait()).await {
                    Ok(Ok(status)) if status.success() => return Ok(()),
                    Ok(Ok(status)) => format!("it ended with {status}"),
                    Ok(Err(error)) => format!("how it ended is not known: {error}"),
                    Err(_) => {
                        // It had its time; nothing of it is needed any more.
                        let _ = child.kill().await;
                        format!("it did not end within {} s", STOP_LIMIT.as_secs())
                    }
                };
                Err(BenchError::PlatformEnded(format!("{why}; see {}", log.display())))
            }
            Kind::External => Ok(()),
        }
    }
}

/// A runtime that may be dropped inside another one.
///
/// Dropping a runtime blocks until its tasks have ended, which another runtime forbids.
struct OwnRuntime(Option<tokio::runtime::Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

const TOKEN: &str = "bench";

fn own_config(options: &StartOptions<'_>) -> Config {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        data: options.data.to_owned(),
        mqtt_address: any_port,
        rest_address: any_port,
        clock: ClockSource::Driven,
        token: Token::new(TOKEN),
        strict_table2: options.strict_table2,
        tls: None,
        limits: Limits::default(),
    }
}

fn own_profile(mqtt: String, rest: String) -> Profile {
    Profile { mqtt, rest, token: TOKEN.to_owned() }
}

async fn start_embedded(config: Config) -> Result<UnderTest, BenchError> {
    // A runtime of its own, so that the platform is no more than a neighbour of the bench.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("platform")
        .enable_all()
        .build()
        .map_err(|error| BenchError::PlatformStart(error.to_string()))?;
    let starting = tokio::time::timeout(READY_LIMIT, runtime.spawn(Platform::start(config)));
    let runtime = OwnRuntime(Some(runtime));
    let started = starting
        .await
        .map_err(|_| BenchError::TimedOut {
            what: "the embedded platform to be ready".to_owned(),
            limit_s: READY_LIMIT.as_secs(),
        })?
        .map_err(|error| BenchError::PlatformStart(error.to_string()))?;
    let running = started.map_err(|error| BenchError::PlatformStart(chain(&error)))?;
    let profile = own_profile(
        running.mqtt_address().to_string(),
        format!("http://{}", running.rest_address()),
    );
    let kind = Kind::Embedded { running, runtime };
    Ok(UnderTest { kind, profile })
}

async fn start_child(config: &Config, options: &StartOptions<'_>) -> Result<UnderTest, BenchError> {
    std::fs::create_dir_all(options.data)
        .map_err(BenchError::file("cannot create the platform's folder", options.data))?;
    let path = options.data.join("platform.toml");
    let log = options.logs.join("platform.log");
    write_config(&path, config, "127.0.0.1:0", "127.0.0.1:0")?;
    let (child, stdin, ready) = spawn(&path, &log).await?;
    // Devices come back to the ports they know, so a restart must listen on the same ones.
    write_config(&path, config, &ready.mqtt, ready.rest.trim_start_matches("http://"))?;
    let profile = own_profile(ready.mqtt, ready.rest);
    Ok(UnderTest { kind: Kind::Child { child, stdin: Some(stdin), config: path, log }, profile })
}

fn write_config(path: &Path, config: &Config, mqtt: &str, rest: &str) -> Result<(), BenchError> {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    set("data", config.data.display().to_string().into());
    set("mqtt_address", mqtt.into());
    set("rest_address", rest.into());
    set("clock", "driven".into());
    set("token", TOKEN.into());
    set("strict_table2", config.strict_table2.into());
    std::fs::write(path, table.to_string())
        .map_err(BenchError::file("cannot write the platform's configuration", path))
}

async fn spawn(config: &Path, log: &Path) -> Result<(Child, ChildStdin, Ready), BenchError> {
    // Still this very program if its file has been replaced meanwhile, by a build or an update.
    let itself = Path::new("/proc/self/exe");
    let program = if itself.exists() {
        itself.to_owned()
    } else {
        std::env::current_exe()
            .map_err(BenchError::file("cannot find this program's own file", "lastmeter"))?
    };
    let log_file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(BenchError::file("cannot open the platform's log", log))?;
    let mut child = tokio::process::Command::new(program)
        .arg("serve")
        .arg("--config")
        .arg(config)
        // Its end is bound to ours: however the bench dies, the pipe closes.
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| BenchError::PlatformStart(error.to_string()))?;
    let stdin = child.stdin.take().expect("stdin was asked for as a pipe");
    let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
    let mut line = String::new();
    let mut reader = BufReader::new(stdout);
    let read = tokio::time::timeout(READY_LIMIT, reader.read_line(&mut line)).await;
    match read {
        Ok(Ok(count)) if count > 0 => {}
        Ok(_) => {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let last = text.lines().rev().find(|line| !line.is_empty()).unwrap_or("no message");
            return Err(BenchError::PlatformStart(format!("the child process ended: {last}")));
        }
        Err(_) => {
            return Err(BenchError::TimedOut {
                what: "the platform's child process to say that it is ready".to_owned(),
                limit_s: READY_LIMIT.as_secs(),
            });
        }
    }
    let ready = serde_json::from_str(&line).map_err(|error| {
        BenchError::PlatformStart(format!("its first line is not the ready message: {error}"))
    })?;
    Ok((child, stdin, ready))
}
