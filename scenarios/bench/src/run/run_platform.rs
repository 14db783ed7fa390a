//! The platform a run reports to: embedded, a child process, or one that is already running.
//!
//! Whatever it is, the bench reaches it through MQTT and REST only. Embedded means the same
//! process and the same sockets; a child is this very program's `serve`, and can be killed.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lastmeter_language::{GivenAuthority, PlatformUse, TenantRow, TlsUse};
use lastmeter_link::http::{Client, HttpError};
use lastmeter_link::mqtt::SessionOptions;
use lastmeter_link::tls::{Authority, ClientTls};
use lastmeter_platform::{
    ClockSource, Config, DoorConfig, Pem, Platform, RestTlsConfig, Running, StoreConfig, TlsConfig,
    Token,
};
use lastmeter_units::TenantName;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::board::Boards;
use super::error::{BenchError, chain};
use super::own_runtime::{OwnRuntime, PLATFORM_LEVEL, Policy};
use super::own_settings::{door_table, rest_tls_table, store_table, tls_table};
use super::tenants::{self, TenantProfiles};

/// How long a platform may take to report that it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How long a child may take to end once it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Where a platform listens, and the secrets that open it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `host:port` of the MQTT broker.
    pub mqtt: String,
    /// `host:port` of MQTT over TLS, where there is any.
    #[serde(default)]
    pub mqtts: Option<String>,
    /// The authority that signed the broker's certificate: a PEM file, relative to the profile.
    #[serde(default)]
    pub tls_authority: Option<PathBuf>,
    /// That authority's key, a PEM file, where the platform asks devices for certificates that it
    /// has signed.
    #[serde(default)]
    pub tls_authority_key: Option<PathBuf>,
    /// The name in the broker's certificate; the host of `mqtts` unless given.
    #[serde(default)]
    pub tls_name: Option<String>,
    /// Base URL of REST, such as `http://127.0.0.1:8080`, or `https://...` with `tls_authority`.
    pub rest: String,
    /// What clients of REST need where it speaks TLS.
    #[serde(skip)]
    pub rest_tls: Option<ClientTls>,
    /// Where its further doors listen, by their kinds, as `host:port`.
    #[serde(default)]
    pub doors: BTreeMap<String, String>,
    /// Bearer token; password of the devices as well, unless they have their own.
    pub token: String,
    /// Password of the devices, where the platform wants another than the token.
    #[serde(default)]
    pub device_token: Option<String>,
    /// Whether each run has a tenant of its own, which is made before it and removed behind it; the
    /// token is an administrator's then.
    #[serde(default)]
    pub tenant_per_run: bool,
    /// What empties the platform before each run, as a program with its arguments.
    #[serde(default)]
    pub reset: Vec<String>,
    /// The tenant in which the scenario's `default` is, where it is another.
    #[serde(skip)]
    pub stands_in: Option<TenantName>,
}

/// What `serve` prints on its first line once it accepts connections.
#[derive(Debug, Default, Deserialize)]
struct Ready {
    mqtt: String,
    #[serde(default)]
    mqtts: Option<String>,
    rest: String,
    /// Where further doors listen, by their kinds, beside what else there is.
    #[serde(flatten)]
    doors: BTreeMap<String, serde_json::Value>,
    /// Under what its threads run, and why not under what was tried for.
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    policy_refused: Option<String>,
}

impl Profile {
    /// The platform's tenant that a scenario's stands for.
    pub(crate) fn tenant(&self, of_scenario: &TenantName) -> TenantName {
        let own = self.stands_in.as_ref().filter(|_| *of_scenario == TenantName::default());
        own.unwrap_or(of_scenario).clone()
    }

    /// Whether a run finds it empty, whatever ran before.
    pub fn is_renewed(&self) -> bool {
        self.tenant_per_run || !self.reset.is_empty()
    }

    /// The password of the devices.
    pub fn device_password(&self) -> &str {
        self.device_token.as_deref().unwrap_or(&self.token)
    }

    /// Reads a profile file.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(path)
            .map_err(BenchError::file("cannot read the platform's profile", path))?;
        let mut profile: Self = toml::from_str(&text).map_err(|error| {
            BenchError::PlatformStart(format!("its profile {}: {error}", path.display()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [&mut profile.tls_authority, &mut profile.tls_authority_key] {
            *file = file.take().map(|file| folder.join(file));
        }
        if let Some(rest) = profile.rest.strip_prefix("https://") {
            let why = "its `rest` is https and its profile lacks `tls_authority`";
            let missing = || BenchError::PlatformStart(why.to_owned());
            let pem = read_pem(profile.tls_authority.as_ref().ok_or_else(missing)?)?;
            let name = profile.tls_name.as_deref().unwrap_or_else(|| host(rest));
            profile.rest_tls = Some(ClientTls::new(&pem, name));
        }
        Ok(profile)
    }

    /// A client of its REST interface.
    pub(super) fn rest_client(&self) -> Result<Client, HttpError> {
        match &self.rest_tls {
            None => Client::new(&self.rest, &self.token),
            Some(tls) => Client::over_tls(&self.rest, &self.token, tls),
        }
    }
}

enum Kind {
    Embedded {
        running: Running,
        runtime: OwnRuntime,
    },
    Child {
        child: Child,
        stdin: Option<ChildStdin>,
        config: PathBuf,
        log: PathBuf,
        is_raised: bool,
    },
    External,
}

impl Kind {
    fn child_id(&self) -> u32 {
        match self {
            Self::Child { child, .. } => child.id().unwrap_or(0),
            Self::Embedded { .. } | Self::External => 0,
        }
    }
}

/// The platform of one run, started.
pub(crate) struct UnderTest {
    kind: Kind,
    pub(crate) profile: Profile,
    /// What makes and removes tenants, where the profile is that of one which was made.
    admin: Option<Profile>,
    /// Of the tenants that were made.
    pub(crate) tenants: TenantProfiles,
    security: Option<Security>,
    /// Under what its threads run; `None` of somebody else's.
    pub(crate) policy: Option<Policy>,
    /// The number of its process, which is another one after a restart; 0 if it has none of its
    /// own.
    pub(crate) child_id: Arc<AtomicU32>,
}

/// What a platform of the bench's own is started with.
pub(crate) struct StartOptions<'a> {
    pub(crate) data: &'a Path,
    pub(crate) logs: &'a Path,
    pub(crate) strict_table2: bool,
    /// Where its store is.
    pub(crate) store: StoreConfig,
    pub(crate) tenants: &'a [TenantRow],
    /// Its doors beside MQTT.
    pub(crate) doors: &'a [DoorConfig],
    /// The platform's clock: driven in virtual time, the machine's in real time.
    pub(crate) clock: ClockSource,
    pub(crate) tls: TlsUse,
    /// Certificate and key of the authority to use; the bench makes one without.
    pub(crate) authority: Option<GivenAuthority>,
    /// Whether its threads ask for real-time priority, as those of the bench do.
    pub(crate) real_time_priority: bool,
    pub(crate) boards: &'a Boards,
}

impl UnderTest {
    /// Starts the platform, or takes the one that runs, and makes the scenario's tenants.
    pub(crate) async fn start(
        choice: &PlatformUse,
        options: &StartOptions<'_>,
    ) -> Result<Self, BenchError> {
        let mut started = Self::start_without_tenants(choice, options).await?;
        if matches!(choice, PlatformUse::Profile(_)) {
            tenants::reset(&started.profile).await?;
            if started.profile.tenant_per_run {
                let admin = started.profile.clone();
                (started.profile, started.admin) = (tenants::make_own(&admin).await?, Some(admin));
            }
        }
        let admin = started.admin.as_ref().unwrap_or(&started.profile);
        started.tenants = tenants::make(admin, options.tenants).await?;
        Ok(started)
    }

    async fn start_without_tenants(
        choice: &PlatformUse,
        options: &StartOptions<'_>,
    ) -> Result<Self, BenchError> {
        let tenants = TenantProfiles::new();
        if let PlatformUse::Profile(file) = choice {
            let profile = Profile::read(file)?;
            let security = Security::of_profile(&profile, options)?;
            let (policy, child_id) = (None, Arc::default());
            let (kind, admin) = (Kind::External, None);
            return Ok(Self { kind, profile, admin, tenants, security, policy, child_id });
        }
        let security = Security::own(options)?;
        let config = own_config(options, security.as_ref())?;
        let (kind, mut profile, policy) = match choice {
            PlatformUse::Embedded => start_embedded(config, options.real_time_priority).await?,
            _ => start_child(&config, options).await?,
        };
        profile.rest_tls = security.as_ref().map(Security::client);
        let child_id = Arc::new(AtomicU32::new(kind.child_id()));
        Ok(Self { kind, profile, admin: None, tenants, security, policy, child_id })
    }

    /// How the platform is reached as a tenant.
    pub(crate) fn profile_of(&self, tenant: &TenantName) -> &Profile {
        self.tenants.get(tenant).unwrap_or(&self.profile)
    }

    /// Whether it runs on this machine, as far as its address shows.
    pub(crate) fn is_here(&self) -> bool {
        self.is_own()
            || self.broker_address().is_ok_and(|address| {
                // Only to an address of its own a machine can listen.
                address.ip().is_loopback() || std::net::UdpSocket::bind((address.ip(), 0)).is_ok()
            })
    }

    /// Whether it is the bench's own, on this machine and by its clock.
    pub(crate) fn is_own(&self) -> bool {
        !matches!(self.kind, Kind::External)
    }

    /// Where devices connect to: with TLS or without, by the scenario.
    pub(crate) fn broker_address(&self) -> Result<SocketAddr, BenchError> {
        let text = match (&self.security, &self.profile.mqtts) {
            (None, _) => &self.profile.mqtt,
            (Some(_), Some(mqtts)) => mqtts,
            (Some(_), None) => {
                let why = "the scenario wants TLS, and its profile has no `mqtts` address";
                return Err(BenchError::PlatformStart(why.to_owned()));
            }
        };
        let found = text.to_socket_addrs().map_err(|error| error.to_string());
        found
            .and_then(|mut found| found.next().ok_or_else(|| "no address".to_owned()))
            .map_err(|why| BenchError::PlatformStart(format!("its broker at {text}: {why}")))
    }

    /// What a client of this name needs in order to connect; `None` without TLS.
    fn client_tls(&self, client_id: &str) -> Result<Option<ClientTls>, BenchError> {
        let wrong = |error: lastmeter_link::tls::TlsError| {
            BenchError::PlatformStart(format!("a certificate for `{client_id}`: {}", chain(&error)))
        };
        let Some(security) = &self.security else { return Ok(None) };
        let tls = security.client();
        let signer = security.signer.as_ref().filter(|_| security.is_mutual);
        let identity = signer.map(|signer| signer.issue_device(client_id)).transpose();
        Ok(Some(match identity.map_err(wrong)? {
            Some(identity) => tls.with_identity(identity),
            None => tls,
        }))
    }

    /// How a tenant's client of this name connects at an address, that of the broker or of a link
    /// before it.
    pub(crate) fn session_options(
        &self,
        tenant: &TenantName,
        client_id: &str,
        address: SocketAddr,
    ) -> Result<SessionOptions, BenchError> {
        let (address, password) = (address.to_string(), self.profile_of(tenant).device_password());
        let user = self.profile.tenant(tenant);
        let mut options = SessionOptions::new(&address, client_id, user.as_str(), password);
        options.tls = self.client_tls(client_id)?;
        Ok(options)
    }

    /// Reports if a child has ended by itself.
    pub(crate) fn ensure_running(&mut self) -> Result<(), BenchError> {
        let Kind::Child { child, log, .. } = &mut self.kind else { return Ok(()) };
        let ended = child.try_wait().map_err(BenchError::file("cannot look after", "serve"))?;
        match ended {
            None => Ok(()),
            Some(status) => Err(BenchError::PlatformEnded(format!(
                "it ended by itself ({status}); see {}",
                log.display()
            ))),
        }
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
        let Kind::Child { child, stdin, config, log, is_raised } = &mut self.kind else {
            return Err(BenchError::PlatformStart("only a child process starts again".to_owned()));
        };
        let (new_child, new_stdin, _) = spawn(config, log, *is_raised).await?;
        (*child, *stdin) = (new_child, Some(new_stdin));
        self.child_id.store(self.kind.child_id(), Ordering::Relaxed);
        Ok(())
    }

    /// Ends a platform of the bench's own in an orderly way; that it could is part of its duty. One
    /// that runs on keeps no tenant that was made.
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
            Kind::External => {
                let admin = self.admin.as_ref().unwrap_or(&self.profile);
                let own = self.profile.stands_in.iter();
                tenants::remove(admin, own.chain(self.tenants.keys())).await
            }
        }
    }
}

/// How clients and platform know each other over TLS.
struct Security {
    /// Who signed the platform's certificate.
    authority_pem: String,
    name: String,
    /// Signs certificates: the platform's own, and those of clients.
    signer: Option<Box<Authority>>,
    /// Whether clients show certificates.
    is_mutual: bool,
}

/// The name in the certificate of a platform of the bench's own.
const OWN_NAME: &str = "localhost";

impl Security {
    /// For a platform of the bench's own; `None` without TLS.
    fn own(options: &StartOptions<'_>) -> Result<Option<Self>, BenchError> {
        if options.tls == TlsUse::None {
            return Ok(None);
        }
        let authority = match &options.authority {
            Some(GivenAuthority { certificate, key: Some(key) }) => {
                read_authority(certificate, key)?
            }
            Some(GivenAuthority { key: None, .. }) => {
                let why = "the bench cannot sign its certificate without `tls_authority_key`";
                return Err(BenchError::PlatformStart(why.to_owned()));
            }
            None => Authority::generate("lastmeter bench").map_err(|error| no_authority(&error))?,
        };
        Ok(Some(Self {
            authority_pem: authority.certificate_pem().to_owned(),
            name: OWN_NAME.to_owned(),
            signer: Some(Box::new(authority)),
            is_mutual: options.tls == TlsUse::Mutual,
        }))
    }

    /// What a client needs that shows no certificate.
    fn client(&self) -> ClientTls {
        ClientTls::new(&self.authority_pem, &self.name)
    }

    /// For a platform that runs already; `None` without TLS.
    fn of_profile(
        profile: &Profile,
        options: &StartOptions<'_>,
    ) -> Result<Option<Self>, BenchError> {
        let tls = options.tls;
        if tls == TlsUse::None {
            return Ok(None);
        }
        let missing = |what: &str| {
            BenchError::PlatformStart(format!("the scenario wants TLS; its profile lacks `{what}`"))
        };
        let mqtts = profile.mqtts.as_deref().ok_or_else(|| missing("mqtts"))?;
        // What the scenario states goes before what the profile states.
        let given = options.authority.as_ref();
        let certificate = given.map(|given| &given.certificate).or(profile.tls_authority.as_ref());
        let certificate = certificate.ok_or_else(|| missing("tls_authority"))?;
        let key = given.and_then(|given| given.key.as_ref()).or(profile.tls_authority_key.as_ref());
        let signer = match (key, tls) {
            (Some(key), TlsUse::Mutual) => Some(Box::new(read_authority(certificate, key)?)),
            (None, TlsUse::Mutual) => return Err(missing("tls_authority_key")),
            _ => None,
        };
        Ok(Some(Self {
            authority_pem: read_pem(certificate)?,
            name: profile.tls_name.clone().unwrap_or_else(|| host(mqtts).to_owned()),
            signer,
            is_mutual: tls == TlsUse::Mutual,
        }))
    }
}

/// The host of an address, which may have a path behind it.
fn host(address: &str) -> &str {
    let address = address.split('/').next().unwrap_or(address);
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn no_authority(error: &lastmeter_link::tls::TlsError) -> BenchError {
    BenchError::PlatformStart(format!("the authority of its certificates: {}", chain(error)))
}

fn read_pem(file: &Path) -> Result<String, BenchError> {
    let what = "cannot read the authority's certificate or key";
    let facts = std::fs::metadata(file).map_err(BenchError::file(what, file))?;
    if !facts.is_file() || facts.len() > PEM_BYTES_MAX {
        let why = format!("{} is not a PEM file of at most 1 MiB", file.display());
        return Err(BenchError::PlatformStart(why));
    }
    std::fs::read_to_string(file).map_err(BenchError::file(what, file))
}

fn read_authority(certificate: &Path, key: &Path) -> Result<Authority, BenchError> {
    let (certificate, key) = (read_pem(certificate)?, read_pem(key)?);
    Authority::from_pem(&certificate, &key).map_err(|error| no_authority(&error))
}

/// The largest PEM file that is read.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

const TOKEN: &str = "bench";
/// The secret of the devices: another one, so that every run shows that the two are apart.
const DEVICE_TOKEN: &str = "bench-device";

fn own_config(
    options: &StartOptions<'_>,
    security: Option<&Security>,
) -> Result<Config, BenchError> {
    let tls = match security.and_then(|security| Some((security, security.signer.as_ref()?))) {
        Some((security, signer)) => {
            let names = [security.name.as_str(), "127.0.0.1"];
            let server = signer.issue_server(&names).map_err(|error| no_authority(&error))?;
            let mut tls = TlsConfig::embedded(&server.certificate_pem, &server.key_pem);
            if security.is_mutual {
                tls.client_authority = Some(Pem::Text(security.authority_pem.clone()));
                tls.require_client_certificate = true;
            }
            Some(tls)
        }
        None => None,
    };
    let rest_tls = tls.as_ref().map(|TlsConfig { certificate, key, .. }| RestTlsConfig {
        certificate: certificate.clone(),
        key: key.clone(),
    });
    Ok(Config {
        device_token: Some(Token::new(DEVICE_TOKEN)),
        rest_tls,
        strict_table2: options.strict_table2,
        store: options.store.clone(),
        doors: options.doors.to_vec(),
        tls,
        ..Config::embedded(options.data, Token::new(TOKEN), options.clock)
    })
}

fn own_profile(ready: Ready) -> Profile {
    let address = |(kind, found): (String, serde_json::Value)| {
        found.as_str().map(|address| (kind, address.to_owned()))
    };
    Profile {
        doors: ready.doors.into_iter().filter_map(address).collect(),
        mqtt: ready.mqtt,
        mqtts: ready.mqtts,
        tls_authority: None,
        tls_authority_key: None,
        tls_name: None,
        rest: ready.rest,
        rest_tls: None,
        token: TOKEN.to_owned(),
        device_token: Some(DEVICE_TOKEN.to_owned()),
        tenant_per_run: false,
        reset: Vec::new(),
        stands_in: None,
    }
}

/// What a platform of the bench's own is reached by and runs under.
type Started = (Kind, Profile, Option<Policy>);

async fn start_embedded(config: Config, is_raised: bool) -> Result<Started, BenchError> {
    // A runtime of its own, so that the platform is no more than a neighbour of the bench.
    let runtime = OwnRuntime::start("platform", is_raised.then_some(PLATFORM_LEVEL))
        .map_err(|error| BenchError::PlatformStart(error.to_string()))?;
    let starting = runtime.handle().spawn(Platform::start(config));
    let starting = tokio::time::timeout(READY_LIMIT, starting);
    let started = starting
        .await
        .map_err(|_| BenchError::timed_out("the embedded platform to be ready", READY_LIMIT))?
        .map_err(|error| BenchError::PlatformStart(error.to_string()))?;
    let running = started.map_err(|error| BenchError::PlatformStart(chain(&error)))?;
    let policy = Some(runtime.policy().await);
    let address = |(kind, address): &(&'static str, SocketAddr)| {
        ((*kind).to_owned(), address.to_string().into())
    };
    let profile = own_profile(Ready {
        mqtt: running.mqtt_address().to_string(),
        mqtts: running.mqtts_address().map(|address| address.to_string()),
        rest: running.rest_url(),
        doors: running.door_addresses().iter().map(address).collect(),
        ..Ready::default()
    });
    Ok((Kind::Embedded { running, runtime }, profile, policy))
}

async fn start_child(config: &Config, options: &StartOptions<'_>) -> Result<Started, BenchError> {
    std::fs::create_dir_all(options.data)
        .map_err(BenchError::file("cannot create the platform's folder", options.data))?;
    let path = options.data.join("platform.toml");
    let log = options.logs.join("platform.log");
    let any_port = Ready {
        mqtt: "127.0.0.1:0".to_owned(),
        mqtts: Some("127.0.0.1:0".to_owned()),
        rest: "127.0.0.1:0".to_owned(),
        ..Ready::default()
    };
    let is_raised = options.real_time_priority;
    write_config(&path, config, &any_port)?;
    let (child, stdin, ready) = spawn(&path, &log, is_raised).await?;
    // Devices come back to the ports they know, so a restart must listen on the same ones.
    write_config(&path, config, &ready)?;
    let policy = ready.policy.clone().map(|policy| (policy, ready.policy_refused.clone()));
    let profile = own_profile(ready);
    Ok((Kind::Child { child, stdin: Some(stdin), config: path, log, is_raised }, profile, policy))
}

fn write_config(path: &Path, config: &Config, ready: &Ready) -> Result<(), BenchError> {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    set("data", config.data.display().to_string().into());
    set("mqtt_address", ready.mqtt.clone().into());
    set("rest_address", ready.rest.rsplit('/').next().unwrap_or_default().into());
    set("clock", if config.clock == ClockSource::Wall { "wall" } else { "driven" }.into());
    set("token", TOKEN.into());
    set("device_token", DEVICE_TOKEN.into());
    set("strict_table2", config.strict_table2.into());
    if let (Some(tls), Some(mqtts)) = (&config.tls, &ready.mqtts) {
        table.insert("tls".to_owned(), tls_table(tls, mqtts).into());
    }
    if let Some(tls) = &config.rest_tls {
        table.insert("rest_tls".to_owned(), rest_tls_table(tls).into());
    }
    if let Some(store) = store_table(&config.store) {
        table.insert("store".to_owned(), store.into());
    }
    let doors = config.doors.iter().map(|door| door_table(door, &ready.doors).into());
    table.insert("door".to_owned(), toml::Value::Array(doors.collect()));
    std::fs::write(path, table.to_string())
        .map_err(BenchError::file("cannot write the platform's configuration", path))
}

/// This very program, to be started as a child.
pub(super) fn own_program() -> Result<PathBuf, BenchError> {
    // Still this one if its file has been replaced meanwhile, by a build or an update.
    let itself = Path::new("/proc/self/exe");
    if itself.exists() {
        return Ok(itself.to_owned());
    }
    std::env::current_exe()
        .map_err(BenchError::file("cannot find this program's own file", "lastmeter"))
}

async fn spawn(
    config: &Path,
    log: &Path,
    is_raised: bool,
) -> Result<(Child, ChildStdin, Ready), BenchError> {
    let log_file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(BenchError::file("cannot open the platform's log", log))?;
    let mut child = tokio::process::Command::new(own_program()?)
        .arg("serve")
        .arg("--config")
        .arg(config)
        // Its end is bound to ours: however the bench dies, the pipe closes.
        .arg("--until-stdin-closes")
        .args(is_raised.then_some("--real-time-priority"))
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
            let what = "the platform's child process to report that it is ready";
            return Err(BenchError::timed_out(what, READY_LIMIT));
        }
    }
    let ready = serde_json::from_str(&line).map_err(|error| {
        BenchError::PlatformStart(format!("its first line is not the ready message: {error}"))
    })?;
    Ok((child, stdin, ready))
}
