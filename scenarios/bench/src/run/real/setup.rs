//! Puts a real-time bench together: platform, links, devices, observers, reader.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lastmeter_devices::DeviceFault;
use lastmeter_language::{DeviceRow, GatewayRow, ObserverRow, Order, Scenario, stagger};
use lastmeter_units::{HardwareId, SimDuration, SimTime, TenantName};
use lastmeter_wire::topics;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::access::PlatformAccess;
use super::applications::RealApplications;
use super::clocks::Clocks;
use super::field_sender::{FieldSender, FieldSenderParts};
use super::line_sender::{LineSender, LineSenderParts};
use super::links::Links;
use super::load::WatchedProcess;
use super::observer::{Devices, Observers, observe};
use super::reader;
use super::real_line::RealLine;
use super::recorder::Observer;
use super::sender::{Control, Sender, SenderParts};
use super::senders::Senders;
use super::workers::Workers;
use crate::run::board::{Boards, introduce};
use crate::run::device_setup::{DeviceSetup, device_setup};
use crate::run::error::BenchError;
use crate::run::field::{Field, FieldDevice};
use crate::run::field_setup::{adapter_field, field};
use crate::run::flows::FlowHearer;
use crate::run::hearing::Hearing;
use crate::run::injecting::ahead;
use crate::run::joining::Ledger;
use crate::run::mqtt_port::MqttPort;
use crate::run::run_platform::{Profile, StartOptions, UnderTest};
use crate::run::tenants::RestOfAll;

/// Everything that runs, before the schedule begins.
pub(crate) struct Parts<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) access: PlatformAccess,
    pub(super) ledger: Ledger,
    pub(super) senders: Senders,
    pub(super) observers: Observers,
    pub(super) workers: Workers,
    pub(super) clocks: Clocks,
    pub(super) applications: RealApplications,
    boards: Boards,
}

/// Starts the platform and opens every connection; the schedule does not begin yet.
pub(crate) async fn assemble<'a>(
    scenario: &'a Scenario,
    place: &StartOptions<'_>,
) -> Result<Parts<'a>, BenchError> {
    // Before anything is open: the limit holds for what is opened from then on.
    raise_file_limit(scenario);
    let workers = Workers::start(place.real_time_priority)?;
    let platform = UnderTest::start(&scenario.platform.choice, place).await?;
    let handle = workers.punctual.handle();
    let mut rest = RestOfAll::new(&platform)?;
    let upstream = platform.broker_address()?;
    let links = {
        let _within = handle.enter();
        Links::start(scenario, upstream, &workers.reporter)
    };
    let names = scenario.devices.iter().enumerate().map(|(index, row)| (row.name.clone(), index));
    let devices: Devices = Arc::new(names.collect());
    let watched = WatchedProcess {
        child: Arc::clone(&platform.child_id),
        is_unseen: !platform.is_own() && platform.is_here(),
        is_raised: place.real_time_priority,
    };
    let applications = if scenario.applications.is_empty() {
        RealApplications::default()
    } else {
        rest.require_empty().await?;
        RealApplications::register(scenario, &platform).await?
    };
    let mut parts = Parts {
        scenario,
        applications,
        access: PlatformAccess::new(platform, rest, links, handle),
        ledger: Ledger::of(scenario),
        senders: Senders::new(devices),
        observers: Observers::default(),
        workers,
        clocks: Clocks::new(scenario.schedule.start, watched),
        boards: place.boards.clone(),
    };
    parts.access.rest.require_empty().await?;
    for (index, row) in scenario.observers.iter().enumerate() {
        parts.open_observer(index, row).await?;
    }
    parts.open_devices().await?;
    parts.start_readers()?;
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

/// What an observer subscribes to as which tenant, by the names of its connections.
fn subscriptions(
    scenario: &Scenario,
    row: &ObserverRow,
    profile: &Profile,
) -> Vec<(TenantName, String, Vec<String>)> {
    let devices = row.devices.iter().map(|&device| &scenario.devices[device]);
    if !row.per_device {
        let tenants: BTreeSet<&TenantName> = devices.map(|device| &device.tenant).collect();
        let of = |tenant: &TenantName| {
            let [all, _batches, each] = topics::input_filters(profile.tenant(tenant).as_str());
            (tenant.clone(), row.name.clone(), vec![all, each])
        };
        return tenants.into_iter().map(of).collect();
    }
    let of = |device: &DeviceRow| {
        // Every name is a hardware id: names are stricter.
        let id = HardwareId::new(device.hardware_id());
        let tenant = profile.tenant(&device.tenant);
        let topic = id.map(|id| topics::device_input(tenant.as_str(), &id));
        let name = format!("{}.{}", row.name, device.name);
        (device.tenant.clone(), name, topic.into_iter().collect())
    };
    devices.map(of).collect()
}

/// The devices of a field, and their faults in order of time.
fn of_field(
    field: &Field,
    faults: &mut BTreeMap<usize, VecDeque<(SimTime, DeviceFault)>>,
) -> (Vec<usize>, VecDeque<(SimTime, usize, DeviceFault)>) {
    let own: Vec<usize> = field.devices.iter().map(|device| device.index).collect();
    let of_own = own.iter().filter_map(|index| Some((*index, faults.remove(index)?)));
    let of = |(device, faults): (usize, VecDeque<(SimTime, DeviceFault)>)| {
        faults.into_iter().map(move |(at, fault)| (at, device, fault))
    };
    let mut faults: Vec<_> = of_own.flat_map(of).collect();
    faults.sort_by_key(|(at, ..)| *at);
    (own, faults.into())
}

impl Parts<'_> {
    async fn open_observer(&mut self, index: usize, row: &ObserverRow) -> Result<(), BenchError> {
        let mut covers = vec![false; self.scenario.devices.len()];
        for &device in &row.devices {
            covers[device] = true;
        }
        self.observers.rows.push(Observer { name: row.name.clone(), covers });
        let all = subscriptions(self.scenario, row, &self.access.under_test.profile);
        for (tenant, name, subscriptions) in all {
            let mut options = self.access.session_options(&tenant, &name, row.via).await?;
            // Not the devices' secret, the token may subscribe to what devices send.
            options.password.clone_from(&self.access.under_test.profile_of(&tenant).token);
            options.subscriptions = subscriptions;
            let session = self.access.open(options);
            let (devices, reports) =
                (Arc::clone(&self.senders.by_name), self.workers.reporter.clone());
            let closing = self.workers.closing();
            let task =
                observe((index, format!("{tenant}/{name}")), session, devices, reports, closing);
            self.observers.wanted += 1;
            self.workers.spawn(async move {
                task.await;
                Ok(())
            });
        }
        Ok(())
    }

    async fn open_devices(&mut self) -> Result<(), BenchError> {
        let scenario = self.scenario;
        let mut faults: BTreeMap<usize, VecDeque<_>> = BTreeMap::new();
        let of_devices = ahead(scenario, |order| match order {
            Order::Fault { device, fault } => Some((device, fault)),
            _ => None,
        });
        for (injection, (device, fault)) in of_devices {
            faults.entry(device).or_default().push_back((injection.instant, fault));
        }
        let mut setups = Vec::new();
        for index in 0..scenario.devices.len() {
            let (setup, account) = device_setup(scenario, index, self.boards.crc32(index))?;
            self.ledger.accounts.push(account);
            setups.push(Some(setup));
        }
        // Who serves each device, in their order.
        let mut served: Vec<Option<(UnboundedSender<Control>, SimDuration)>> =
            vec![None; scenario.devices.len()];
        for (index, row) in scenario.devices.iter().enumerate().filter(|(_, row)| row.on.is_none())
        {
            let Some(setup) = setups[index].take() else { continue };
            let faults = faults.remove(&index).unwrap_or_default();
            served[index] = Some(self.open_device((index, row), setup, faults).await?);
        }
        for row in &scenario.gateways {
            let field = field(scenario, row, &mut setups)?;
            let (own, faults) = of_field(&field, &mut faults);
            let control = self.open_field(row, field, faults).await?;
            for index in own {
                served[index] = Some((control.clone(), SimDuration::ZERO));
            }
        }
        for network in scenario.foreign_masters() {
            let lines = if scenario.networks[network].carries_bytes() {
                self.open_line(network, &mut setups, &mut faults)
            } else {
                let field = adapter_field(scenario, network, &mut setups)?;
                self.open_adapter(network, field, &mut faults)
            };
            for (index, control) in lines {
                served[index] = Some((control, SimDuration::ZERO));
            }
        }
        for (control, lag) in served.into_iter().flatten() {
            self.senders.push(control, lag);
        }
        Ok(())
    }

    /// The devices on a real line that somebody else reads; who serves each, by its index.
    fn open_line(
        &mut self,
        network: usize,
        setups: &mut [Option<DeviceSetup>],
        faults: &mut BTreeMap<usize, VecDeque<(SimTime, DeviceFault)>>,
    ) -> Vec<(usize, UnboundedSender<Control>)> {
        let Some(line) = RealLine::of(&self.scenario.networks[network], 0) else {
            return Vec::new();
        };
        let mut devices = Vec::new();
        let mut own_faults = Vec::new();
        for (index, row) in self.scenario.devices.iter().enumerate() {
            let Some(setup) = setups[index].take_if(|_| row.on == Some(network)) else { continue };
            devices.push(FieldDevice {
                is_hardware: false,
                index,
                name: row.name.clone(),
                device: setup.device,
                feed: setup.feed,
                last_turn: None,
            });
            let faults = faults.remove(&index).unwrap_or_default();
            own_faults.extend(faults.into_iter().map(|(at, fault)| (at, index, fault)));
        }
        own_faults.sort_by_key(|(at, ..)| *at);
        let own: Vec<usize> = devices.iter().map(|device| device.index).collect();
        let (control_sender, control) = unbounded_channel();
        let schedule = &self.scenario.schedule;
        self.workers.spawn(LineSender::serve(LineSenderParts {
            line,
            devices,
            end: schedule.start + schedule.duration,
            faults: own_faults.into(),
            reports: self.workers.reporter.clone(),
            control,
        }));
        own.into_iter().map(|index| (index, control_sender.clone())).collect()
    }

    /// A simulated bus that somebody on a real line is on; who serves each device, by its index.
    fn open_adapter(
        &mut self,
        network: usize,
        field: Field,
        faults: &mut BTreeMap<usize, VecDeque<(SimTime, DeviceFault)>>,
    ) -> Vec<(usize, UnboundedSender<Control>)> {
        let (own, faults) = of_field(&field, faults);
        let tenant = self.access.under_test.profile.tenant(&TenantName::default());
        let (control_sender, control) = unbounded_channel();
        let schedule = &self.scenario.schedule;
        let sender = FieldSender::serve(FieldSenderParts {
            lines: RealLine::of(&self.scenario.networks[network], 1).into_iter().collect(),
            port: MqttPort::new(&tenant, false, field.names()),
            field,
            session: None,
            events: None,
            hearing: None,
            end: schedule.start + schedule.duration,
            faults,
            alarm: self.workers.alarm.clone(),
            reports: self.workers.reporter.clone(),
            control,
        });
        self.workers.spawn(sender);
        own.into_iter().map(|index| (index, control_sender.clone())).collect()
    }

    async fn open_field(
        &mut self,
        row: &GatewayRow,
        field: Field,
        faults: VecDeque<(SimTime, usize, DeviceFault)>,
    ) -> Result<UnboundedSender<Control>, BenchError> {
        let hearing = self.hearing(row).await?;
        let tenant = TenantName::default();
        let mut options = self.access.session_options(&tenant, &row.name, row.via).await?;
        let own = self.access.under_test.profile.tenant(&tenant);
        let port = MqttPort::new(&own, row.is_bound, field.names());
        options.subscriptions = port.subscriptions();
        options.nodelay = row.nodelay;
        options.keep_alive = row.keep_alive;
        options.acknowledge_limit = row.acknowledge_limit;
        let (session, events) = self.access.open(options);
        let (control_sender, control) = unbounded_channel();
        let schedule = &self.scenario.schedule;
        let networks = row.networks.iter().enumerate();
        let lines = networks
            .filter_map(|(place, &network)| RealLine::of(&self.scenario.networks[network], place));
        let lines = lines.chain(RealLine::of_nodes(&field)).collect();
        let sender = FieldSender::serve(FieldSenderParts {
            field,
            lines,
            port,
            session: Some(session),
            events: Some(events),
            hearing,
            end: schedule.start + schedule.duration,
            faults,
            alarm: self.workers.alarm.clone(),
            reports: self.workers.reporter.clone(),
            control,
        });
        self.workers.spawn(sender);
        Ok(control_sender)
    }

    /// Who hears topics that feed points of a gateway, if any do, behind the gateway's link.
    async fn hearing(&self, row: &GatewayRow) -> Result<Option<Hearing>, BenchError> {
        let platform = &self.access.under_test;
        let hearer = FlowHearer::register((self.scenario, row), platform).await?;
        let Some(hearer) = hearer else { return Ok(None) };
        let (tenant, id) = (TenantName::default(), &hearer.client_id);
        let of_device = self.access.session_options(&tenant, id, row.via).await?;
        let mut options = hearer.connect(of_device);
        options.nodelay = row.nodelay;
        options.keep_alive = row.keep_alive;
        hearer.hearing(self.access.open(options)).await.map(Some)
    }

    async fn open_device(
        &mut self,
        (index, row): (usize, &DeviceRow),
        mut setup: DeviceSetup,
        faults: VecDeque<(SimTime, DeviceFault)>,
    ) -> Result<(UnboundedSender<Control>, SimDuration), BenchError> {
        let (devices, duration) = (self.scenario.devices.len(), self.scenario.schedule.duration);
        let lag = stagger(index, devices, setup.period, duration);
        let mut options = self.access.session_options(&row.tenant, &row.name, row.via).await?;
        let own = std::iter::once(row.name.as_str());
        let tenant = self.access.under_test.profile.tenant(&row.tenant);
        let port = MqttPort::new(&tenant, row.is_bound, own);
        options.subscriptions = port.subscriptions();
        options.nodelay = row.nodelay;
        options.keep_alive = row.keep_alive;
        options.acknowledge_limit = row.acknowledge_limit;
        let mut board = self.boards.start(index, row).await?;
        if let Some(board) = &mut board {
            introduce(board, setup.device.as_mut(), self.scenario.schedule.start).await?;
        }
        let (session, events) = self.access.open(options);
        let (control_sender, control) = unbounded_channel();
        let schedule = &self.scenario.schedule;
        let sender = Sender::new(SenderParts {
            index,
            name: row.name.clone(),
            device: setup.device,
            feed: setup.feed,
            port,
            session,
            events,
            end: schedule.start + schedule.duration,
            lag,
            faults,
            alarm: self.workers.alarm.clone(),
            reports: self.workers.reporter.clone(),
            control,
            board,
        });
        self.workers.spawn(sender.run());
        Ok((control_sender, lag))
    }

    fn start_readers(&mut self) -> Result<(), BenchError> {
        let workers = &mut self.workers;
        for rest in RestOfAll::new(&self.access.under_test)?.into_each() {
            let (alarm, polls) = (workers.alarm.clone(), Arc::clone(&workers.polls));
            workers.spawn(reader::read(
                rest,
                alarm,
                polls,
                workers.reporter.clone(),
                workers.closing(),
            ));
        }
        Ok(())
    }
}
