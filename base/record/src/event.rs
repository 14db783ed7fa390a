//! One thing that happened, as a line of `events.jsonl`.
//!
//! A line is a JSON object that begins with `time`, `source` and `kind`, followed by the fields of
//! its kind in the order they were given. All times are virtual times or event times, never the
//! wall clock.

use std::fmt;

use lastmeter_text::{Prose, append};
use lastmeter_units::SimTime;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident $word:literal,)*) => {
        /// What happened: the kinds of events this version writes, and others as they were read.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
            /// A kind of another version.
            Other(String),
        }

        impl EventKind {
            /// The word in the record.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$kind => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for EventKind {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$kind,)*
                    _ => Self::Other(word),
                }
            }
        }
    };
}

event_kinds! {
    /// The bench did something to the system: fields `inject`, `device`, `detail`, `until`.
    Inject "inject",
    /// A command was given: fields `id`, `device`, `name`.
    Command "command",
    /// A device acknowledged a command: fields `id`, `device`, `response`.
    Acknowledged "acknowledged",
    /// A device answered that it will not do what a command asks for: fields `id`, `device`,
    /// `response`.
    CommandRefused "command_refused",
    /// The platform gave a command up: fields `id`, `device`, `response`.
    CommandFailed "command_failed",
    /// A command got too old before a device answered: fields `id`, `device`, `response`.
    CommandExpired "command_expired",
    /// A reading is stored under a device that is not on the bench: field `device`.
    ForeignReading "foreign_reading",
    /// A reading is stored without any value the registry knows: fields `device`, `epoch`,
    /// `serial`.
    ValuelessReading "valueless_reading",
    /// A stored reading carries a value under an identifier nobody sent: fields `device`, `epoch`,
    /// `serial`, `name`.
    UnknownValue "unknown_value",
    /// The platform answered what its interface does not allow: field `detail`.
    WrongAnswer "wrong_answer",
    /// A device shows other values on its display: fields `device`, `shown` (texts by quantity).
    Display "display",
    /// The platform refused a message: fields `reason`, `device`, `topic`, `detail`.
    Refused "refused",
    /// The platform has an alert that a device or gateway sent: fields `device` (who sent it),
    /// `type`, `level`, `message`, `event_time` where that lies outside of what the record was
    /// still open for when the alert was read back, and of senders that have them `epoch`, `serial`
    /// and the facts as `metadata`.
    Alert "alert",
    /// The platform does not list alerts, so whether any came is unknown: field `detail`.
    AlertsUnreadable "alerts_unreadable",
    /// How many alerts and answers to commands the bench's own devices and gateways sent, and how
    /// many of them are stored as they were sent: fields `alerts_sent`, `alerts_stored`,
    /// `answers_sent`, `answers_stored`.
    Notices "notices",
    /// An alert that the platform had acknowledged is not stored: fields `device`, `type`, `level`,
    /// `epoch`, `serial`, `event_time`.
    AlertLost "alert_lost",
    /// An alert is stored otherwise than it was sent: the fields of `alert_lost` as they were sent,
    /// `fields` (what differs, a fact as `metadata.NAME`) and `found_type` (the type it is stored
    /// under).
    AlertAltered "alert_altered",
    /// An alert is stored that was never sent, or again under another number or with other
    /// content: fields `device`, `type`, `level`, `event_time`, and `epoch` and `serial` if stored.
    AlertForeign "alert_foreign",
    /// An answer to a command is not given back although the platform had acknowledged it: fields
    /// `id`, `device`.
    AnswerLost "answer_lost",
    /// An answer is given back otherwise than it was sent: fields `id`, `device`, `fields` (what
    /// differs).
    AnswerAltered "answer_altered",
    /// An answer is given back that the device did not send: fields `id`, `device`.
    AnswerForeign "answer_foreign",
    /// A link is as it was before an injection again, named by `link:NAME`: fields `inject` (which
    /// kind of injection is over) and `link`.
    Restored "restored",
    /// A process was killed: field `target`.
    Kill "kill",
    /// A process is there again: field `target`.
    Restarted "restarted",
    /// An observer lost its connection: field `detail`.
    Lost "lost",
    /// Something a device reported about itself: fields `what`, `detail`.
    Device "device",
    /// A reading rests on part of the samples that it should rest on: fields `device`, `epoch`,
    /// `serial`, `usable` (the share that could be used).
    ReadingShare "reading_share",
    /// A device of the bench answered somebody at the other end of its line: fields `device`,
    /// `values` (by identifier, in SI units).
    Answered "answered",
    /// A reading came of such a device that is none of its answers: fields `device`, `epoch`,
    /// `serial`, `what` (`not-asked`: it gave none about then; `other-values`).
    NotAnswered "not_answered",
    /// Something of the network was done, by whom it may: fields `element`, `what`, `detail`,
    /// `node` (of the fault, or of the switch's first end), and where a current made a protective
    /// device act `current_a`, `after_s`, `is_residual`.
    Operated "operated",
    /// A load of the network had no supply: fields `load`, `duration_s`, `is_over`, `unserved_wh`,
    /// `is_planned`, `customers`, `customers_total`.
    Interruption "interruption",
    /// The voltage that a device lives on fell away: fields `device`, `gasps`,
    /// `is_certain`.
    SupplyLost "supply_lost",
    /// It came back: fields `device`, `reports`, `boot_s`, `is_certain`, and `held_out` if the
    /// device was at work all the time.
    SupplyReturned "supply_returned",
    /// A voltage event that a meter had to see: fields `device`, `what`, `phase`, `duration_min_s`,
    /// `duration_max_s`, `residual_min_v`, `residual_max_v`, `declared_v`, `is_certain`, `spread_s`
    /// (by how much earlier or later alignments see it begin than `time`).
    VoltageEvent "voltage_event",
    /// Tampering began or was over that a meter has a sensor for: fields `device`, `what` (the type
    /// of its alert without `tamper.`), `spread_s` (how much later it may be seen), `is_certain`.
    Tamper "tamper",
    /// The bench computed a coefficient and sent it to a meter: fields `step`, `device`,
    /// `register`, `meaning`, `unit`, `word_before`, `before`, `wanted`, `word`, `after`,
    /// `response`, and what it rests on.
    Calibration "calibration",
    /// The bench sent a request over REST: fields `name`, `method`, `path`, `status` (0 without an
    /// answer), `expected`, `is_as_expected` and, if it is not, `detail`.
    Request "request",
    /// An attack on a CAN bus is over: fields `device` (against whom), `attack`, `sent`,
    /// `destroyed`.
    Attacked "attacked",
    /// The error counters of a node of a CAN bus, when its state has changed, or a counter has
    /// come into another eighth of its range, at most once a second: fields `device`, `state`,
    /// `transmit`, `receive`.
    ErrorCounters "error_counters",
    /// The aggregator of a household, which is the source, has decided something: fields `about`
    /// (the load or unit; `null`: the household), `action`, `reason`, `strategy`, `net_w`,
    /// `limit_w`, `planned_for`, `detail`.
    HouseholdDecision "household_decision",
    /// The bill of a household so far, by its aggregator, which is the source: fields `from`,
    /// `until`, `import_uj`, `export_uj`, `total_ucent`, `total_cent`, `currency`, `open_steps`.
    HouseholdBill "household_bill",
    /// What an application has concluded, as the platform gives it back: fields `device` (the
    /// application), `result` (its kind), `subject`, `from`, `until`, `content`, and `truth`: what
    /// the plant knows of it, where it does.
    Result "result",
    /// A remark of the bench: field `text`.
    Note "note",
    /// The run was interrupted here: field `detail`.
    Interrupted "interrupted",
}

impl From<&str> for EventKind {
    fn from(word: &str) -> Self {
        word.to_owned().into()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

macro_rules! fields {
    (
        $($name:ident $word:literal $doc:literal,)*;
        $($prose:ident $prose_word:literal $what:literal,)*
    ) => {
        /// The names of the fields of events.
        pub mod field {
            use super::ProseField;

            $(#[doc = $doc] pub const $name: &str = $word;)*
            $(#[doc = $what] pub const $prose: ProseField = ProseField($prose_word);)*
        }
    };
}

fields! {
ABOUT "about" "The load or unit that a decision is about.",
    ACTION "action" "What is done by a decision, in a word.",
    AFTER "after" "The coefficient afterwards.",
    AFTER_S "after_s" "How long the current flowed that made a protective device act, seconds.",
    ALERTS_SENT "alerts_sent" "How many alerts were sent.",
    ALERTS_STORED "alerts_stored" "How many of them are stored as they were sent.",
    ANSWERS_SENT "answers_sent" "How many answers to commands were sent.",
    ANSWERS_STORED "answers_stored" "How many of them are given back as they were sent.",
    ATTACK "attack" "What an attacker did.",
    BEFORE "before" "The coefficient before.",
    BOOT_S "boot_s" "How long a device takes to start, seconds.",
    CONTENT "content" "What a result states, in the form of its kind.",
    CURRENCY "currency" "The currency of a bill.",
    CURRENT_A "current_a" "The RMS current that made a protective device act.",
    CUSTOMERS "customers" "How many customers a load stands for.",
    CUSTOMERS_TOTAL "customers_total" "How many customers the network has.",
    DECLARED_V "declared_v" "The declared voltage, volts.",
    DESTROYED "destroyed" "How many frames of others an attacker destroyed by driving a bit.",
    DEVICE "device" "The device it is about.",
    DURATION_MAX_S "duration_max_s" "The longest that an event may be seen to last, seconds.",
    DURATION_MIN_S "duration_min_s" "The shortest likewise, seconds.",
    DURATION_S "duration_s" "How long it lasted, seconds.",
    ELEMENT "element" "An element of the network, as `fuse-link:NAME`.",
    EPOCH "epoch" "A reading's epoch.",
    EVENT_TIME "event_time" "An alert's own time, where its event stands at another one.",
    EXPECTED "expected" "What a command has to come to, if not to be obeyed; the status of an answer.",
    EXPORT_UJ "export_uj" "Energy fed in that a bill pays for, microjoules as a whole number in text.",
    FIELDS "fields" "What of it differs from what was sent.",
    FROM "from" "The reading that a bill begins with.",
    FOUND_TYPE "found_type" "The type that an altered alert is stored under.",
    GASPS "gasps" "Whether a device has to send a last gasp.",
    ID "id" "The number of a command.",
    IMPORT_UJ "import_uj" "Energy taken that a bill charges, likewise.",
    INJECT "inject" "The kind of an injection.",
    HELD_OUT "held_out" "Whether a device held out until its supply was back.",
    INJECTION "injection" "Which injection of the scenario, so that its end is found.",
    INTO "into" "Into which source, or which element of the network, something is injected.",
    IS_AS_EXPECTED "is_as_expected" "Whether an answer is the one that was expected.",
    IS_CERTAIN "is_certain" "Whether whoever looks for it has to see it.",
    IS_OVER "is_over" "Whether it ended before the run did.",
    IS_PLANNED "is_planned" "Whether it began by a planned outage, and by nothing else.",
    IS_RESIDUAL "is_residual" "Whether it is the residual current.",
    LANES "lanes" "Whose connections broke.",
    LEVEL "level" "How serious an alert is: Info, Warning, Error or Critical.",
    LIMIT_W "limit_w" "The net power that a household may take, W.",
    LINK "link" "The link.",
    LOAD "load" "A load of the network.",
    MEANING "meaning" "What a register corrects.",
    METADATA "metadata" "The facts of an alert, as its sender wrote them.",
    METHOD "method" "The method of a request.",
    MOST "most" "The most events as which one may be seen.",
    NAME "name" "The name of a command, of a value or of a request.",
    NET_W "net_w" "Net power of a household, W, positive where it is imported.",
    NODE "node" "A node of the network.",
    OPEN_STEPS "open_steps" "Steps of registers that a bill leaves open.",
    PARAMETERS "parameters" "The parameters of a command.",
    PATH "path" "The path of a request, as the scenario has it.",
    PHASE "phase" "A phase: l1, l2 or l3.",
    PLANNED_FOR "planned_for" "For when a decision plans.",
    REASON "reason" "The platform's word for why it refused; why a decision was made, in a word.",
    RECEIVE "receive" "The receive error counter.",
    REGISTER "register" "The register.",
    REPORTS "reports" "Whether a device has to report that its supply is back.",
    RESIDUAL_MAX_V "residual_max_v" "The highest that a residual voltage may be seen as, volts.",
    RESIDUAL_MIN_V "residual_min_v" "The lowest likewise, volts.",
    RESIDUAL_V "residual_v" "The residual voltage that was reported, volts.",
    RESPONSE "response" "What was answered.",
    RESULT "result" "The kind of a result of an application.",
    SENT "sent" "How many frames of an attacker were acknowledged.",
    SERIAL "serial" "A reading's serial number.",
    SHOWN "shown" "What a display shows, by quantity.",
    SPREAD_S "spread_s" "By how much it may be seen earlier or later, of tampering later, seconds.",
    STATE "state" "What a node of a CAN bus may do: error-active, error-passive or bus-off.",
    STATUS "status" "The status of an answer.",
    STEP "step" "The step of a calibration.",
    STRATEGY "strategy" "By which strategy a household's aggregator decides.",
    SUBJECT "subject" "What a result is about.",
    TARGET "target" "The process.",
    TOPIC "topic" "The topic of a message.",
    TOTAL_CENT "total_cent" "What is to be paid by a bill, hundredths of its currency, half to even.",
    TOTAL_UCENT "total_ucent" "The same in millionths of a cent, a whole number in text.",
    TRANSMIT "transmit" "The transmit error counter.",
    TRUTH "truth" "What the plant knows of what a result states.",
    TYPE "type" "The type of an alert, a word of its application.",
    UNIT "unit" "What coefficients are counted in.",
    UNSERVED_WH "unserved_wh" "Energy that was not supplied, watt-hours.",
    UNTIL "until" "Until when it lasts; the last reading in a bill.",
    USABLE "usable" "Which share of its samples a reading rests on, from 0 to 1.",
    VALUES "values" "Values by their identifiers, in SI units.",
    WANTED "wanted" "The coefficient that was wanted.",
    WHAT "what" "What a device reported, what was done, or which voltage event.",
    WORD "word" "The word of the register afterwards.",
    WORD_BEFORE "word_before" "The word of the register before.",
    ;
    DETAIL "detail" "More about it, for people.",
    MESSAGE "message" "The text of an alert.",
    TEXT "text" "The text of a remark.",
}

const TIME: &str = "time";
const SOURCE: &str = "source";
const KIND: &str = "kind";

/// The value of [`field::EXPECTED`] of a command that its device has to refuse.
const REFUSED: &str = "refused";
/// The value of [`field::WHAT`] where a device reports that its input may exceed what it models.
const BEYOND_RANGE: &str = "beyond_range";
/// Likewise where a command was written to a simulator that does not reflect it.
const NOT_REFLECTED: &str = "not_reflected";

/// The name of a field that is [`Prose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProseField(&'static str);

impl ProseField {
    const ALL: [Self; 3] = [field::DETAIL, field::MESSAGE, field::TEXT];

    fn is(name: &str) -> bool {
        Self::ALL.iter().any(|field| field.0 == name)
    }
}

/// What a field of an event holds.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// What programs read.
    Fact(Value),
    /// What people read.
    Prose(Prose),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in virtual time.
    pub time: SimTime,
    /// Who reports it: `bench`, `platform`, or a device's name.
    pub source: String,
    /// What kind of thing.
    pub kind: EventKind,
    /// What else there is to state, in the order of writing.
    pub fields: Vec<(String, FieldValue)>,
}

impl Event {
    /// An event without fields.
    pub fn new(time: SimTime, source: impl Into<String>, kind: impl Into<EventKind>) -> Self {
        Self { time, source: source.into(), kind: kind.into(), fields: Vec::new() }
    }

    /// The event with one more field.
    ///
    /// # Panics
    /// If the field is named `time`, `source` or `kind`, as one with text for people, or is there
    /// already.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        assert!(!ProseField::is(name), "{name} is text for people");
        self.with_field(name, FieldValue::Fact(value.into()))
    }

    /// The event with one more text for people.
    ///
    /// # Panics
    /// If the field is there already.
    #[must_use]
    pub fn with_prose(self, ProseField(name): ProseField, text: impl Into<Prose>) -> Self {
        self.with_field(name, FieldValue::Prose(text.into()))
    }

    fn with_field(mut self, name: &str, value: FieldValue) -> Self {
        assert!(![TIME, SOURCE, KIND].contains(&name), "an event's field must not be named {name}");
        let is_there = self.fields.iter().any(|(field, _)| field == name);
        assert!(!is_there, "the event has a field {name} already");
        self.fields.push((name.to_owned(), value));
        self
    }

    /// The bench did something to the system; add `until` with [`Self::with`] if it lasts.
    pub fn inject(time: SimTime, inject: &str, device: Option<&str>, detail: &str) -> Self {
        Self::new(time, "bench", EventKind::Inject)
            .with(field::INJECT, inject)
            .with(field::DEVICE, device)
            .with_prose(field::DETAIL, detail)
    }

    /// The platform answered what its interface does not allow.
    pub fn wrong_answer(time: SimTime, detail: &str) -> Self {
        Self::new(time, "platform", EventKind::WrongAnswer).with_prose(field::DETAIL, detail)
    }

    /// Command number `id` of this run was given to a device.
    pub fn command(time: SimTime, id: u64, device: &str, name: &str) -> Self {
        Self::new(time, "bench", EventKind::Command)
            .with(field::ID, id)
            .with(field::DEVICE, device)
            .with(field::NAME, name)
    }

    /// The command has to be refused by its device.
    #[must_use]
    pub fn must_be_refused(self) -> Self {
        self.with(field::EXPECTED, REFUSED)
    }

    /// Whether it is a command that its device has to refuse.
    pub fn is_to_be_refused(&self) -> bool {
        self.text(field::EXPECTED) == Some(REFUSED)
    }

    /// A device acknowledged command number `id`.
    pub fn acknowledged(time: SimTime, id: u64, device: &str, response: &str) -> Self {
        Self::ended((time, device), EventKind::Acknowledged, (id, device), response)
    }

    /// The platform reports that command number `id` was not obeyed, as this kind of event means.
    pub fn not_obeyed(
        time: SimTime,
        kind: EventKind,
        id: u64,
        device: &str,
        response: &str,
    ) -> Self {
        Self::ended((time, "platform"), kind, (id, device), response)
    }

    fn ended(
        (time, source): (SimTime, &str),
        kind: EventKind,
        (id, device): (u64, &str),
        response: &str,
    ) -> Self {
        Self::new(time, source, kind)
            .with(field::ID, id)
            .with(field::DEVICE, device)
            .with(field::RESPONSE, response)
    }

    /// The platform refused a message.
    pub fn refused(
        time: SimTime,
        reason: &str,
        device: Option<&str>,
        topic: &str,
        detail: &str,
    ) -> Self {
        Self::new(time, "platform", EventKind::Refused)
            .with(field::REASON, reason)
            .with(field::DEVICE, device)
            .with(field::TOPIC, topic)
            .with_prose(field::DETAIL, detail)
    }

    /// A link is as it was before an injection of this kind.
    pub fn restored(time: SimTime, link: &str, inject: &str) -> Self {
        Self::new(time, format!("link:{link}"), EventKind::Restored)
            .with(field::LINK, link)
            .with(field::INJECT, inject)
    }

    /// A process was killed.
    pub fn kill(time: SimTime, target: &str) -> Self {
        Self::new(time, "bench", EventKind::Kill).with(field::TARGET, target)
    }

    /// A process is there again.
    pub fn restarted(time: SimTime, target: &str) -> Self {
        Self::new(time, "bench", EventKind::Restarted).with(field::TARGET, target)
    }

    /// Something a device reported about itself.
    pub fn device(time: SimTime, device: &str, what: &str, detail: &str) -> Self {
        Self::new(time, device, EventKind::Device)
            .with(field::WHAT, what)
            .with_prose(field::DETAIL, detail)
    }

    /// A remark of the bench.
    pub fn note(time: SimTime, text: &str) -> Self {
        Self::new(time, "bench", EventKind::Note).with_prose(field::TEXT, text)
    }

    /// The run was interrupted here.
    pub fn interrupted(time: SimTime, detail: &str) -> Self {
        Self::new(time, "bench", EventKind::Interrupted).with_prose(field::DETAIL, detail)
    }

    /// A field's value, if it is no text for people.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self.fields.iter().find(|(field, _)| field == name) {
            Some((_, FieldValue::Fact(value))) => Some(value),
            _ => None,
        }
    }

    /// A text for people.
    pub fn prose(&self, ProseField(name): ProseField) -> Option<&Prose> {
        match self.fields.iter().find(|(field, _)| field == name) {
            Some((_, FieldValue::Prose(text))) => Some(text),
            _ => None,
        }
    }

    /// A fact of an alert, as its sender wrote it.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.get(field::METADATA)?.get(name)?.as_str()
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A field that is a truth value.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// A field that is a whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    /// The device it is about: the field `device`, or the source of a device's own event.
    pub fn about(&self) -> Option<&str> {
        let own = || (self.kind == EventKind::Device).then_some(self.source.as_str());
        self.text(field::DEVICE).or_else(own)
    }

    /// Its own time: that of an alert may lie before what its line stands at.
    pub fn own_time(&self) -> SimTime {
        self.text(field::EVENT_TIME).and_then(|time| time.parse().ok()).unwrap_or(self.time)
    }

    /// Whether a command of the device it is about was written to a simulator that shows nothing of
    /// it.
    pub fn is_not_reflected(&self) -> bool {
        self.kind == EventKind::Device && self.text(field::WHAT) == Some(NOT_REFLECTED)
    }

    /// Whether a device reports that its input may exceed what it models.
    pub fn is_beyond_range(&self) -> bool {
        self.kind == EventKind::Device && self.text(field::WHAT) == Some(BEYOND_RANGE)
    }

    /// The fields as `name value` pairs for people, without those that are `null` or empty; facts
    /// of an alert each by its own name.
    pub fn detail(&self) -> Prose {
        let mut all = Prose::default();
        let mut add = |name: &str, text: &dyn fmt::Display| {
            let separator = if all == Prose::default() { "" } else { ", " };
            append(&mut all, format_args!("{separator}{name} {text}"));
        };
        for (name, value) in &self.fields {
            match value {
                FieldValue::Prose(text) if *text == Prose::default() => {}
                FieldValue::Prose(text) => add(name, text),
                FieldValue::Fact(Value::Null) => {}
                FieldValue::Fact(Value::String(text)) if text.is_empty() => {}
                FieldValue::Fact(Value::String(text)) => add(name, text),
                FieldValue::Fact(Value::Object(facts)) => {
                    for (name, fact) in facts {
                        add(name, &fact.as_str().unwrap_or_default());
                    }
                }
                FieldValue::Fact(other) => add(name, other),
            }
        }
        all
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3 + self.fields.len()))?;
        map.serialize_entry(TIME, &self.time)?;
        map.serialize_entry(SOURCE, &self.source)?;
        map.serialize_entry(KIND, self.kind.word())?;
        for (name, value) in &self.fields {
            match value {
                FieldValue::Fact(value) => map.serialize_entry(name, value)?,
                FieldValue::Prose(text) => map.serialize_entry(name, text)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `time`, `source` and `kind`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let (mut time, mut source, mut kind, mut fields) = (None, None, None, Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                TIME => time = Some(map.next_value()?),
                SOURCE => source = Some(map.next_value()?),
                KIND => kind = Some(map.next_value::<String>()?.into()),
                _ => {
                    let value = match map.next_value()? {
                        Value::String(text) if ProseField::is(&name) => {
                            FieldValue::Prose(text.into())
                        }
                        value => FieldValue::Fact(value),
                    };
                    fields.push((name, value));
                }
            }
        }
        Ok(Event {
            time: time.ok_or_else(|| A::Error::missing_field(TIME))?,
            source: source.ok_or_else(|| A::Error::missing_field(SOURCE))?,
            kind: kind.ok_or_else(|| A::Error::missing_field(KIND))?,
            fields,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_stand_in_the_order_they_were_given() {
        let event = Event::new(SimTime(1_000_000_000), "meter", "device")
            .with("what", "freeze")
            .with("count", 3)
            .with("a", "last");
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"time":"1970-01-01T00:00:01.000Z","source":"meter","kind":"device","what":"freeze","count":3,"a":"last"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn what_lacks_time_source_or_kind_is_no_event() {
        for line in [
            "[]",
            "{}",
            r#"{"time":"1970-01-01T00:00:01Z","source":"m"}"#,
            r#"{"time":"yesterday","source":"m","kind":"note"}"#,
        ] {
            assert!(serde_json::from_str::<Event>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_reported() {
        let event = Event::refused(SimTime(0), "not_json", None, "t", "");
        assert_eq!(event.detail(), "reason not_json, topic t".into());
        assert_eq!(event.about(), None);
    }

    #[test]
    fn text_for_people_is_shown_and_written_but_is_no_field_for_programs() {
        let event = Event::inject(SimTime(0), "dip", None, "long");
        let line = serde_json::to_string(&event).unwrap();
        assert!(line.ends_with(r#""detail":"long"}"#), "{line}");
        let read: Event = serde_json::from_str(&line).unwrap();
        assert_eq!(read, event);
        assert_eq!((read.get("detail"), read.text("detail")), (None, None));
        assert_eq!(read.prose(field::DETAIL), Some(&"long".into()));
        assert_eq!(read.detail(), "inject dip, detail long".into());
    }
}
