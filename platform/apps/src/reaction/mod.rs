//! Applications that read one value and give one command: a threshold, and a controller.
//!
//! At whole multiples of `every` after the start the last value by event time is looked at, once.
//! After a restart it goes on where it stood: its last command, and the readings since then, are
//! asked for over REST before it acts. A command that the platform did not take is given again.

mod rule;
#[cfg(test)]
mod tests;

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use lastmeter_wire::rest::Answer;
use lastmeter_wire::topics;
use serde_json::json;

use self::rule::{Order, Rule};
use super::border::{AppInput, AppOutput, Application};
use super::client::{Client, encoded, is_lasting};
use super::kind::{AppContext, ApplicationKind, Need};
use super::platform::{Assignment, Invocation, LiveReading, Results, Series, body};

const EVERY: Field = Field::required(
    "every",
    Kind::Quantity { dimension: Dimension::Time, min: 0.01, max: 86_400.0 },
    "how often it acts",
);
const OF: Field = Field::required("of", Kind::Name, "the device whose values it reads");
const QUANTITY: Field = Field::required("quantity", Kind::Text, "which measurement identifier");
const DEVICE: Field =
    Field::required("device", Kind::Name, "the device to which it gives commands");

const LEVEL: Kind = Kind::QuantityOfAny(&[
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ReactivePower,
    Dimension::ApparentPower,
    Dimension::Frequency,
    Dimension::Ratio,
]);

const NUMBER: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: f64::MIN, max: f64::MAX };

/// The metadata of a command in which its event time stands: the platform's clock can be another.
const GIVEN_AT: &str = "given_at";

const NEEDS: &[Need] = &[
    Need::Reads { device: "of", quantity: "quantity", levels: &["below", "above", "target"] },
    Need::Commands("device"),
];

/// Gives a command when a value leaves a range.
pub(super) const THRESHOLD: ApplicationKind = ApplicationKind {
    entry: Entry {
        name: "threshold",
        summary: "gives a command when a value is below or above a level",
        description: "Gives its `command` when the value that it reads is below `below` or above \
            `above`, once for each time that happens: the value has to be back within before it \
            is given again.",
        fields: &[
            EVERY,
            OF,
            QUANTITY,
            DEVICE,
            Field::optional("below", LEVEL, "the level below which it acts"),
            Field::optional("above", LEVEL, "the level above which it acts"),
            Field::required("command", Kind::Texts, "`name`, and the command's parameters"),
        ],
    },
    needs: NEEDS,
    validate: rule::validate_threshold,
    build: |values, context| {
        Some(Box::new(Reaction::new(values, context, Rule::threshold(values))?))
    },
};

/// Holds a value at a target.
pub(super) const CONTROLLER: ApplicationKind = ApplicationKind {
    entry: Entry {
        name: "controller",
        summary: "holds a value at a target by a set-point: an integrating controller",
        description: "At each of its instants with a new value it adds `gain` times the relative \
            deviation from `target` to its set-point, limits that to `least` and `greatest`, and \
            gives it by the command `setPoint`. A gain of 1 takes the deviation away in one step \
            where the set-point acts in proportion; too large a gain makes the loop unstable.",
        fields: &[
            EVERY,
            OF,
            QUANTITY,
            DEVICE,
            Field::required("target", LEVEL, "the value to hold"),
            Field::required("gain", NUMBER, "change of the set-point per relative deviation"),
            Field::required("point", Kind::Name, "the point that is set"),
            Field::required("initial", NUMBER, "the set-point before the first change"),
            Field::required("least", NUMBER, "the least set-point"),
            Field::required("greatest", NUMBER, "the greatest set-point"),
        ],
    },
    needs: NEEDS,
    validate: rule::validate_controller,
    build: |values, context| {
        Some(Box::new(Reaction::new(values, context, Rule::controller(values))?))
    },
};

/// What a request was for.
enum Asked {
    /// The assignment of the device, and then the commands that it was given.
    Before,
    Commands,
    /// The readings since an instant.
    Readings(SimTime),
    /// The assignment of the device, to give the command that is wanted.
    Command,
    /// The command that was wanted at an instant.
    Given(SimTime),
}

struct Reaction {
    context: AppContext,
    /// Hardware ids: whose values it reads, and to whom it gives commands.
    of: String,
    device: String,
    quantity: Option<MeasurementId>,
    every: SimDuration,
    next: SimTime,
    /// The last value by event time, in the SI unit, if it was not acted on.
    value: Option<f64>,
    last_seen: Option<SimTime>,
    rule: Rule,
    /// Whether its last command, and the readings since then, are known: it acts on nothing before.
    is_read: bool,
    /// The command that the platform has not taken yet, and when it was decided.
    wanted: Option<(Order, SimTime)>,
    client: Client<Asked>,
}

impl Reaction {
    fn new(values: &Values, context: &AppContext, rule: Rule) -> Option<Self> {
        let every = values.duration("every");
        Some(Self {
            of: context.device(values.text("of")),
            device: context.device(values.text("device")),
            quantity: MeasurementId::lookup(values.text("quantity")),
            every,
            next: context.start + every,
            value: None,
            last_seen: None,
            rule,
            is_read: false,
            wanted: None,
            // It has no results.
            client: Client::new(context, "")?,
            context: context.clone(),
        })
    }

    fn take(&mut self, at: SimTime, value: f64) {
        let Some(quantity) = self.quantity else { return };
        if self.last_seen.is_none_or(|seen| at > seen) {
            self.last_seen = Some(at);
            self.value = Some(value * quantity.row().si_factor);
        }
    }

    /// Takes a value that was asked for, in their order.
    fn take_again(&mut self, at: SimTime, value: f64) {
        let Some(quantity) = self.quantity else { return };
        let is_known = self.last_seen.is_some_and(|seen| at <= seen);
        let is_pending = self.last_seen == Some(at) && self.value.is_some();
        let passed = if is_known { Some(value * quantity.row().si_factor) } else { self.value };
        if let Some(passed) = passed.filter(|_| !is_pending) {
            self.rule.passed(passed);
        }
        self.take(at, value);
    }

    fn act(&mut self, now: SimTime, out: &mut Vec<AppOutput>) {
        if now < self.next {
            return;
        }
        self.plan(now);
        if !self.is_read {
            return;
        }
        if let Some(order) = self.value.take().and_then(|value| self.rule.act(value)) {
            self.wanted = Some((order, now));
            self.give(out);
        }
    }

    /// Gives the command that is wanted, if there is one: the platform takes it once.
    fn give(&mut self, out: &mut Vec<AppOutput>) {
        if self.wanted.is_some() {
            let path = self.assignment();
            self.client.get(Asked::Command, path, out);
        }
    }

    /// It acts next at the next multiple of its period.
    fn plan(&mut self, now: SimTime) {
        let (start, every) = (self.context.start, self.every);
        self.next = start + every * ((now - start).0.div_euclid(every.0.max(1)) + 1);
    }

    fn assignment(&self) -> String {
        format!("/sitewhere/api/devices/{}/assignment", encoded(&self.device))
    }

    fn ask_readings(&mut self, since: SimTime, cursor: Option<&str>, out: &mut Vec<AppOutput>) {
        let Some(quantity) = self.quantity.map(MeasurementId::name) else { return };
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let of = encoded(&self.of);
        let path = format!("/api/v1/series?device={of}&quantity={quantity}&start={since}{cursor}");
        self.client.get(Asked::Readings(since), path, out);
    }

    /// Asks for all that it has to know before it acts.
    fn read_back(&mut self, out: &mut Vec<AppOutput>) {
        self.client.forget();
        self.is_read = false;
        let path = self.assignment();
        self.client.get(Asked::Before, path, out);
    }

    /// Takes its last command, and asks for the readings since then. One that is still wanted is
    /// later than that.
    fn gave(&mut self, own: Option<&Invocation>, out: &mut Vec<AppOutput>) {
        let mut since = self.context.start;
        if let Some(own) = own {
            let given = own.metadata.get(GIVEN_AT).and_then(|at| at.parse().ok());
            since = given.unwrap_or(own.event_date);
            self.rule.gave(&own.parameter_values);
        }
        if let Some(((_, parameters), at)) = &self.wanted {
            since = *at;
            self.rule.gave(parameters);
        }
        self.ask_readings(since, None, out);
    }

    fn answered(
        &mut self,
        now: SimTime,
        (asked, answer): (Asked, &Answer),
        out: &mut Vec<AppOutput>,
    ) {
        // What it may not know is as if it were not there; anything else is asked for again.
        let is_lasting = is_lasting(answer.status);
        match asked {
            Asked::Before => match body::<Assignment>(answer) {
                Some(Assignment { token }) => {
                    let path = format!("/sitewhere/api/assignments/{token}/invocations");
                    self.client.get(Asked::Commands, path, out);
                }
                None if is_lasting => self.gave(None, out),
                None => self.client.fail(now),
            },
            Asked::Commands => match body::<Results<Invocation>>(answer) {
                Some(Results { results, .. }) => {
                    let by = format!("app:{}", self.context.name);
                    let command = self.rule.command();
                    let is_own =
                        |it: &&Invocation| it.initiator_id == by && it.command_token == command;
                    // Newest first.
                    self.gave(results.iter().find(is_own), out);
                }
                None if is_lasting => self.gave(None, out),
                None => self.client.fail(now),
            },
            Asked::Readings(since) => match body::<Results<Series>>(answer) {
                Some(Results { results, next }) => {
                    let name = self.quantity.map(MeasurementId::name);
                    let own = |series: &Series| Some(&*series.quantity) == name;
                    for (at, value) in results.into_iter().filter(own).flat_map(|it| it.points) {
                        self.take_again(at, value);
                    }
                    match next {
                        Some(cursor) => self.ask_readings(since, Some(&cursor), out),
                        None => self.know(out),
                    }
                }
                None if is_lasting => self.know(out),
                None => self.client.fail(now),
            },
            Asked::Command => {
                let Some(((command, parameters), at)) = &self.wanted else { return };
                let Some(Assignment { token }) = body(answer) else {
                    return self.taken(now, *at, is_lasting);
                };
                let order = json!({
                    "commandToken": command, "parameterValues": parameters,
                    "metadata": { GIVEN_AT: at.to_string() },
                });
                let path = format!("/sitewhere/api/assignments/{token}/invocations");
                let key = format!("{}-{}", self.context.name, at.0);
                self.client.post(Asked::Given(*at), path, (&order, key), out);
            }
            Asked::Given(at) => {
                self.taken(now, at, is_lasting || (200..300).contains(&answer.status));
            }
        }
    }

    /// All is known: it may act.
    fn know(&mut self, out: &mut Vec<AppOutput>) {
        self.is_read = true;
        self.give(out);
    }

    /// The platform has taken the command of an instant, or refused it for what it is; or nobody
    /// has decided on it, and it is given again once it is known what has become of it.
    fn taken(&mut self, now: SimTime, at: SimTime, is_decided: bool) {
        if !is_decided {
            self.client.fail(now);
        } else if self.wanted.as_ref().is_some_and(|(_, wanted)| *wanted == at) {
            self.wanted = None;
        }
    }
}

impl Application for Reaction {
    fn step(&mut self, now: SimTime, input: AppInput, out: &mut Vec<AppOutput>) {
        match input {
            AppInput::Connected => {
                self.plan(now);
                self.read_back(out);
            }
            AppInput::Wake => {
                if self.client.again().is_some_and(|at| at <= now) {
                    self.read_back(out);
                }
                self.act(now, out);
            }
            AppInput::Message { payload, .. } => {
                let Ok(reading) = serde_json::from_slice::<LiveReading>(&payload) else { return };
                let value = self.quantity.and_then(|it| reading.values.get(it.name()));
                if let Some(value) = value {
                    self.take(reading.event_time, *value);
                }
            }
            AppInput::Answer(answer) => {
                if let Some(asked) = self.client.answered(now, &answer, out) {
                    self.answered(now, (asked, &answer), out);
                }
            }
        }
    }

    fn wake_at(&self) -> Option<SimTime> {
        [Some(self.next), self.client.again()].into_iter().flatten().min()
    }

    fn subscriptions(&self) -> Vec<String> {
        let of = HardwareId::new(self.of.as_str()).ok();
        of.map(|of| topics::live(&self.context.tenant, &of)).into_iter().collect()
    }
}
