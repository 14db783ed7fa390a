//! Puts a real-time bench together: platform, links, devices, observers, reader.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lastmeter_link::mqtt::{Session, SessionEvents, SessionOptions};
use lastmeter_platform::TENANT;
use lastmeter_units::{SimDuration, SimTime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::alarm::Alarm;
use super::links::Links;
use super::load::Watched;
use super::observer::{Devices, observe};
use super::recorder::Observer;
use super::report::Report;
use super::sender::{Control, Sender, SenderParts};
use super::stagger;
use super::{Punctual, reader};
use crate::floor::FloorOptions;
use crate::language::{Action, Scenario};
use crate::run::due_every;
use crate::run::error::BenchError;
use crate::run::ledger::{Account, AccountStart};
use crate::run::rest::Rest;
use crate::run::under_test::{StartOptions, UnderTest};

/// Everything that runs, before the schedule begins.
pub(super) struct Parts {
    pub(super) platform: UnderTest,
    pub(super) rest: Rest,
    pub(super) accounts: Vec<Account>,
    pub(super) lags: Vec<SimDuration>,
    pub(super) controls: Vec<UnboundedSender<Control>>,
    pub(super) observers: Vec<Observer>,
    /// Connections of all observers together.
    pub(super) observer_connections: usize,
    pub(super) links: Links,
    pub(super) alarm: Alarm,
    pub(super) devices: Devices,
    pub(super) reports: UnboundedReceiver<Report>,
    /// For tasks that are started later.
    pub(super) teller: UnboundedSender<Report>,
    pub(super) tasks: JoinSet<Result<(), BenchError>>,
    pub(super) closing: watch::Sender<bool>,
    pub(super) polls: Arc<AtomicBool>,
    pub(super) handle: tokio::runtime::Handle,
    /// Whose waits for a processor are watched.
    pub(super) watched: Watched,
}

/// Starts the platform and opens every connection; the schedule does not begin yet.
pub(super) async fn assemble(
    scenario: &Scenario,
    place: &StartOptions<'_>,
    punctual: &Punctual,
) -> Result<Parts, BenchError> {
    raise_file_limit(scenario);
    let platform = UnderTest::start(&scenario.platform.choice, place).await?;
    let handle = punctual.handle();
    let rest = Rest::new(platform.profile())?;
    let (teller, reports) = unbounded_channel();
    let (closing, closing_seen) = watch::channel(false);
    let (alarm, alarm_task) = {
        let _within = handle.enter();
        Alarm::start().map_err(BenchError::file("cannot make a timer", "timerfd"))?
    };
    let upstream = platform.broker_address()?;
    let links = {
        let _within = handle.enter();
        Links::start(scenario, upstream, &teller)
    };
    let names = scenario.devices.iter().enumerate().map(|(index, row)| (row.name.clone(), index));
    let devices: Devices = Arc::new(names.collect());
    let watched = Watched {
        child: platform.child_id(),
        is_unseen: !platform.is_own() && platform.is_here(),
        is_raised: place.real_time_priority,
    };
    let mut parts = Parts {
        watched,
        platform,
        rest,
        accounts: Vec::new(),
        lags: Vec::new(),
        controls: Vec::new(),
        observers: Vec::new(),
        observer_connections: 0,
        links,
        alarm,
        devices,
        reports,
        teller,
        tasks: JoinSet::new(),
        closing,
        polls: Arc::new(AtomicBool::new(false)),
        handle,
    };
    parts.tasks.spawn_on(
        async move {
            match alarm_task.await {
                Ok(error) => Err(BenchError::file("cannot wait with", "timerfd")(error)),
                Err(error) => Err(BenchError::Record(format!("the bench's timer: {error}"))),
            }
        },
        &parts.handle,
    );
    parts.rest.require_empty().await?;
    parts.open_observers(scenario, &closing_seen).await?;
    parts.open_devices(scenario).await?;
    parts.start_reader(closing_seen)?;
    Ok(parts)
}

/// A connection takes a file descriptor here and, with an embedded platform, one more there.
fn raise_file_limit(scenario: &Scenario) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = 256 + 4 * scenario.devices.len() as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = limit.maximum.map(|maximum| maximum.max(needed.min(maximum)));
        // Without it connecting fails with a message of its own.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

impl Parts {
    /// Where the owner of a connection connects to, and as whom.
    async fn session_options(
        &self,
        client_id: &str,
        via: Option<usize>,
    ) -> Result<SessionOptions, BenchError> {
        let profile = self.platform.profile();
        let address = match via {
            Some(link) => self.lane(link, client_id).await?.to_string(),
            None => self.platform.broker_address()?.to_string(),
        };
        let mut options =
            SessionOptions::new(&address, client_id, TENANT, profile.device_password());
        options.tls = self.platform.client_tls(client_id)?;
        if let Some(link) = via {
            // Connecting takes several ways there and back.
            let spec = self.links.spec(link);
            let way_ns = (spec.up.delay_ns + spec.down.delay_ns).max(0.0);
            options.connect_limit += Duration::from_nanos(way_ns as u64).saturating_mul(8);
        }
        Ok(options)
    }

    async fn lane(&self, link: usize, owner: &str) -> Result<SocketAddr, BenchError> {
        // The lane's tasks belong to the punctual runtime.
        let (links, owner) = (self.links.clone(), owner.to_owned());
        self.handle
            .spawn(async move { links.lane(link, &owner).await })
            .await
            .map_err(|error| BenchError::Record(format!("a link's lane: {error}")))?
    }

    fn open(&self, options: SessionOptions) -> (Session, SessionEvents) {
        let _within = self.handle.enter();
        Session::open(options)
    }

    async fn open_observers(
        &mut self,
        scenario: &Scenario,
        closing: &watch::Receiver<bool>,
    ) -> Result<(), BenchError> {
        for (index, row) in scenario.observers.iter().enumerate() {
            let mut covers = vec![false; scenario.devices.len()];
            for &device in &row.devices {
                covers[device] = true;
            }
            self.observers.push(Observer { name: row.name.clone(), covers });
            let connections: Vec<(String, Vec<String>)> = if row.per_device {
                let of = |&device: &usize| {
                    let device = &scenario.devices[device].name;
                    let topic = format!("{TENANT}/device/{device}/input/json");
                    (format!("{}.{device}", row.name), vec![topic])
                };
                row.devices.iter().map(of).collect()
            } else {
                let topics = vec![
                    format!("{TENANT}/SiteWhere/input/json"),
                    format!("{TENANT}/device/+/input/json"),
                ];
                vec![(row.name.clone(), topics)]
            };
            for (client_id, subscriptions) in connections {
                let mut options = self.session_options(&client_id, row.via).await?;
                options.subscriptions = subscriptions;
                let session = self.open(options);
                let (devices, reports) = (Arc::clone(&self.devices), self.teller.clone());
                let who = (index, client_id);
                let task = observe(who, session, devices, reports, closing.clone());
                self.observer_connections += 1;
                self.tasks.spawn_on(
                    async move {
                        task.await;
                        Ok(())
                    },
                    &self.handle,
                );
            }
        }
        Ok(())
    }

    async fn open_devices(&mut self, scenario: &Scenario) -> Result<(), BenchError> {
        let mut faults: BTreeMap<usize, VecDeque<_>> = BTreeMap::new();
        let mut injections: Vec<_> = scenario.injections.iter().collect();
        injections.sort_by_key(|injection| injection.at);
        for injection in injections {
            if let Action::Device { device, fault } = &injection.action {
                let at = scenario.schedule.start + injection.at;
                faults.entry(*device).or_default().push_back((at, fault.clone()));
            }
        }
        let end = scenario.schedule.start + scenario.schedule.duration;
        for index in 0..scenario.devices.len() {
            let parts = faults.remove(&index).unwrap_or_default();
            self.open_device(scenario, index, parts, end).await?;
        }
        Ok(())
    }

    async fn open_device(
        &mut self,
        scenario: &Scenario,
        index: usize,
        faults: VecDeque<(SimTime, lastmeter_devices::DeviceFault)>,
        end: SimTime,
    ) -> Result<(), BenchError> {
        let row = &scenario.devices[index];
        let terminal = scenario.plant.sources[row.source].terminal.clone();
        let (Some(device), Some(terminal)) = (scenario.build_device(index), terminal) else {
            return Err(BenchError::Device {
                device: row.name.clone(),
                message: "it could not be made, although the scenario was checked".to_owned(),
            });
        };
        let period = due_every(row, device.as_ref())?;
        self.accounts.push(Account::open(&AccountStart {
            device: &row.name,
            index,
            terminal: terminal.clone(),
            netting: device.netting(),
            pulse_constant: device.pulse_constant(),
            quantities: device.quantities(),
            start: scenario.schedule.start,
            period,
        }));
        let lag = stagger(index, scenario.devices.len(), period);
        self.lags.push(lag);
        let mut options = self.session_options(&row.name, row.via).await?;
        options.subscriptions = device.subscriptions();
        options.nodelay = row.nodelay;
        options.keep_alive = row.keep_alive;
        options.acknowledge_limit = row.acknowledge_limit;
        let (session, events) = self.open(options);
        let (control_sender, control) = unbounded_channel();
        self.controls.push(control_sender);
        let sender = Sender::new(SenderParts {
            index,
            name: row.name.clone(),
            device,
            terminal,
            session,
            events,
            start: scenario.schedule.start,
            end,
            lag,
            faults,
            alarm: self.alarm.clone(),
            reports: self.teller.clone(),
            control,
        });
        self.tasks.spawn_on(sender.run(), &self.handle);
        Ok(())
    }

    /// How the floor of this bench is measured: two sessions like those of devices and observers.
    pub(super) async fn floor_options(
        &self,
        scenario: &Scenario,
    ) -> Result<FloorOptions, BenchError> {
        let row = &scenario.floor;
        let publisher = self.session_options("floor-out", row.via).await?;
        let subscriber = self.session_options("floor-in", None).await?;
        let mut options = FloorOptions::new(publisher, subscriber);
        options.messages = row.messages;
        options.probes = row.messages;
        options.pace = row.period;
        Ok(options)
    }

    fn start_reader(&mut self, closing: watch::Receiver<bool>) -> Result<(), BenchError> {
        let rest = Rest::new(self.platform.profile())?;
        let (alarm, polls) = (self.alarm.clone(), Arc::clone(&self.polls));
        let task = reader::read(rest, alarm, polls, self.teller.clone(), closing);
        self.tasks.spawn_on(task, &self.handle);
        Ok(())
    }
}
