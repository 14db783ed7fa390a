//! Applications of a scenario in virtual time: machines of `lastmeter_apps`, each with a connection
//! and a credential of its own.
//!
//! At a sync point each is given what has come for it in the order of topic and content, and what
//! it wants is carried out one after the other; so what one sees never depends on the order in
//! which packets travel.

mod network;
pub(super) mod principal;

use std::collections::{BTreeMap, VecDeque};

use lastmeter_apps::AppContext;
use lastmeter_apps::border::{AppInput, AppOutput, Application};
use lastmeter_language::{ApplicationRow, Scenario};
use lastmeter_link::mqtt::{Session, SessionOptions};
use lastmeter_units::{SimTime, TenantName};
use lastmeter_wire::rest::{Answer, Method, Request};
use serde::Deserialize;

use self::principal::{Registered, Registrar, Secrets};
use super::error::BenchError;
use super::gateway_rest;
use super::hearing::{Hearer, Hearing};
use super::notices::{Notice, NoticeNews, SentMessage};
use super::results;
use super::run_platform::{Profile, UnderTest};

/// How a command is asked for over REST.
const INVOCATIONS: (&str, &str) = ("/sitewhere/api/assignments/", "/invocations");

/// A command that an application has asked for.
#[derive(Debug)]
pub(crate) struct AskedCommand {
    /// The device, by its name in the scenario.
    pub(crate) device: String,
    pub(crate) command: String,
    pub(crate) parameters: BTreeMap<String, String>,
    /// What the platform calls it.
    pub(crate) invocation: String,
}

#[derive(Default)]
pub(crate) struct Applications {
    all: Vec<Running>,
    acted: Acted,
}

/// What applications have done since it was taken.
#[derive(Default)]
pub(crate) struct Acted {
    /// What they have asked for.
    pub(crate) commands: Vec<AskedCommand>,
    /// What became of their alerts and results.
    pub(crate) news: Vec<NoticeNews>,
}

/// One application.
pub(super) struct Running {
    pub(super) row: ApplicationRow,
    pub(super) context: AppContext,
    /// What the names of its tenant's devices begin with.
    pub(super) prefix: String,
    pub(super) profile: Profile,
    pub(super) key: String,
    pub(super) connect: SessionOptions,
    /// Nothing while it is stopped.
    process: Option<Process>,
}

/// An application while it runs: its machine and its connection, which end with it.
struct Process {
    machine: Box<dyn Application>,
    hearing: Hearing,
}

impl Applications {
    /// Registers and connects the applications of a scenario.
    pub(crate) async fn start(
        scenario: &Scenario,
        platform: &UnderTest,
    ) -> Result<Self, BenchError> {
        let mut all = registered(scenario, platform).await?;
        for one in &mut all {
            one.start().await?;
        }
        Ok(Self { all, ..Self::default() })
    }

    /// When one of them acts next of itself.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.running().filter_map(|process| process.machine.wake_at()).min()
    }

    fn running(&self) -> impl Iterator<Item = &Process> {
        self.all.iter().filter_map(|one| one.process.as_ref())
    }

    /// Kills one, or starts it again.
    pub(crate) async fn run(
        &mut self,
        application: usize,
        runs: bool,
        now: SimTime,
    ) -> Result<(), BenchError> {
        let Some(one) = self.all.get_mut(application) else { return Ok(()) };
        if let Some(process) = one.process.take() {
            process.hearing.close().await;
        }
        if runs {
            one.start().await?;
            one.give(now, vec![AppInput::Connected], &mut self.acted).await?;
        }
        Ok(())
    }

    /// What they have done since this was asked last.
    pub(crate) fn take_acted(&mut self) -> Acted {
        std::mem::take(&mut self.acted)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes in how many messages went to each party.
    pub(crate) fn went_to(&mut self, parties: &BTreeMap<String, u64>) {
        for one in &mut self.all {
            let party = format!("{}app:{}", one.prefix, one.row.name);
            if let Some(process) = &mut one.process {
                process.hearing.sent += parties.get(&party).copied().unwrap_or(0);
            }
        }
    }

    /// Waits for their connections after the platform was killed and started again.
    pub(crate) async fn reconnected(&mut self) -> Result<(), BenchError> {
        for process in self.all.iter_mut().filter_map(|one| one.process.as_mut()) {
            process.hearing.reconnected().await?;
        }
        Ok(())
    }

    /// Gives each of them what has come for it; whether one wanted something of it.
    pub(crate) async fn deliver(&mut self, now: SimTime) -> Result<bool, BenchError> {
        let mut moved = false;
        for one in &mut self.all {
            let Some(process) = &mut one.process else { continue };
            let mut inbox = process.hearing.arrived().await?;
            inbox.sort();
            let inputs = inbox.into_iter().map(|(topic, payload)| {
                let payload = payload.to_vec();
                AppInput::Message { topic, payload }
            });
            // What is live around a lost connection comes or not by chance; all can be read.
            let is_again = std::mem::take(&mut process.hearing.is_new);
            let inputs = if is_again { vec![AppInput::Connected] } else { inputs.collect() };
            moved |= one.give(now, inputs, &mut self.acted).await?;
        }
        Ok(moved)
    }

    /// Lets those act whose time has come.
    pub(crate) async fn wake(&mut self, now: SimTime) -> Result<(), BenchError> {
        for one in &mut self.all {
            let wakes_at = one.process.as_ref().and_then(|process| process.machine.wake_at());
            if wakes_at.is_some_and(|at| at <= now) {
                one.give(now, vec![AppInput::Wake], &mut self.acted).await?;
            }
        }
        Ok(())
    }

    /// Lets all of them begin, at the start.
    pub(crate) async fn begin(&mut self, now: SimTime) -> Result<(), BenchError> {
        for one in &mut self.all {
            one.give(now, vec![AppInput::Connected], &mut self.acted).await?;
        }
        Ok(())
    }
}

/// The applications of a scenario as the platform knows them, none of which runs yet.
pub(super) async fn registered(
    scenario: &Scenario,
    platform: &UnderTest,
) -> Result<Vec<Running>, BenchError> {
    let (mut all, mut registrar) = (Vec::new(), Registrar::new(scenario, platform));
    for row in &scenario.applications {
        let tenant = tenant_of(scenario, row);
        let registered = registrar.make(&tenant, row).await?;
        all.push(Running::of(scenario, platform, row, (&tenant, registered))?);
    }
    Ok(all)
}

/// The tenant of the devices that it names.
pub(super) fn tenant_of(scenario: &Scenario, row: &ApplicationRow) -> TenantName {
    let position = |name: &str| scenario.devices.iter().position(|device| device.name == name);
    let [reads, commands] = row.devices(position);
    let first = reads.into_iter().chain(commands).next();
    first.map_or_else(TenantName::default, |device| scenario.devices[device].tenant.clone())
}

impl Running {
    fn of(
        scenario: &Scenario,
        platform: &UnderTest,
        row: &ApplicationRow,
        (tenant, registered): (&TenantName, Registered),
    ) -> Result<Self, BenchError> {
        let profile = platform.profile_of(tenant).clone();
        let named = platform.profile.tenant(tenant);
        let own = scenario.devices.iter().filter(|device| device.tenant == *tenant);
        let devices = own.map(|device| (device.name.clone(), device.hardware_id().to_owned()));
        let context = AppContext {
            tenant: named.to_string(),
            name: row.name.clone(),
            start: scenario.schedule.start,
            devices: devices.collect(),
            network: registered.network.map(|(token, _)| token),
        };
        let Secrets { password, key } = registered.secrets;
        let of_devices = platform.session_options(tenant, &row.name, platform.broker_address()?)?;
        let username = format!("{named}/app/{}", row.name);
        Ok(Self {
            row: row.clone(),
            context,
            prefix: lastmeter_language::tenant_prefix(tenant),
            profile,
            key,
            connect: SessionOptions { username, password, ..of_devices },
            process: None,
        })
    }

    /// A machine of its kind, in the state of one that begins.
    pub(super) fn machine(&self) -> Result<Box<dyn Application>, BenchError> {
        let machine = (self.row.kind.build)(&self.row.values, &self.context);
        let no_id = || BenchError::device(&self.row.name, "one of its names is no hardware id");
        machine.ok_or_else(no_id)
    }

    /// Starts it, and waits for its connection.
    async fn start(&mut self) -> Result<(), BenchError> {
        let machine = self.machine()?;
        let subscriptions = machine.subscriptions();
        let session = Session::open(SessionOptions { subscriptions, ..self.connect.clone() });
        let mut hearing = Hearing::new(Hearer::Application, &self.row.name, session);
        hearing.connected("to be connected").await?;
        // Whoever starts it gives it that.
        hearing.is_new = false;
        self.process = Some(Process { machine, hearing });
        Ok(())
    }

    /// Gives the machine something, and carries out what it wants, until it wants nothing more;
    /// whether it wanted anything.
    async fn give(
        &mut self,
        now: SimTime,
        inputs: Vec<AppInput>,
        acted: &mut Acted,
    ) -> Result<bool, BenchError> {
        let mut moved = false;
        let Some(process) = &mut self.process else { return Ok(false) };
        for input in inputs {
            let mut wanted = Vec::new();
            process.machine.step(now, input, &mut wanted);
            let mut wanted = VecDeque::from(wanted);
            while let Some(output) = wanted.pop_front() {
                moved = true;
                let mut more = Vec::new();
                match output {
                    AppOutput::Ask(request) => {
                        let token = Some(self.key.as_str());
                        let answer = gateway_rest::ask(&self.profile, token, &request).await;
                        acted.commands.extend(command(&self.prefix, &request, &answer));
                        process.machine.step(now, AppInput::Answer(answer), &mut more);
                    }
                    AppOutput::Publish { topic, payload } => {
                        let notice = notice(&topic, &payload);
                        let key = notice.as_ref().and_then(Notice::key);
                        acted.news.extend(notice.map(NoticeNews::Sent));
                        process.hearing.publish(&topic, payload.into()).await?;
                        acted.news.extend(key.map(NoticeNews::Acknowledged));
                    }
                }
                wanted.extend(more);
            }
        }
        Ok(moved)
    }
}

/// What is accounted for of a message of an application: an alert or a result.
fn notice(topic: &str, payload: &[u8]) -> Option<Notice> {
    if topic.ends_with("/input/result") {
        return results::sent(payload);
    }
    match SentMessage::read(topic, payload)? {
        SentMessage::Notice(notice) => Some(notice),
        SentMessage::Reading(_) => None,
    }
}

/// The command that was asked for, if that is what a request was, and it was added.
pub(super) fn command(prefix: &str, request: &Request, answer: &Answer) -> Option<AskedCommand> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Invoked {
        id: String,
        device_hardware_id: String,
        command_token: String,
        parameter_values: BTreeMap<String, String>,
    }
    let (before, behind) = INVOCATIONS;
    let is_command = answer.status == 201
        && request.method == Method::Post
        && request.path.starts_with(before)
        && request.path.ends_with(behind);
    let invoked: Invoked = serde_json::from_slice(&answer.body).ok().filter(|_| is_command)?;
    Some(AskedCommand {
        device: format!("{prefix}{}", invoked.device_hardware_id),
        command: invoked.command_token,
        parameters: invoked.parameter_values,
        invocation: format!("{prefix}{}", invoked.id),
    })
}
