//! Batches (`jsonbatch`): several readings, alerts and answers of one or several devices in one
//! JSON document, after SiteWhere 1.9's `DeviceEventBatch`.
//!
//! ```json
//! [{ "hardwareId": "meter-1", "register": true,
//!    "measurements": [{ "measurements": { "electricity.frequency": 50 }, "eventDate": "..." }],
//!    "alerts": [{ "type": "...", "level": "Info", "message": "..." }],
//!    "acknowledgements": [{ "originatingEventId": "...", "response": "..." }] }]
//! ```
//!
//! The document is one such object or a list of them. Each element is what stands in `request` of a
//! message of its kind, with its own serial and epoch, and is judged by the same rules. An element
//! that is refused refuses the whole batch, with its place: a sender has one answer to one
//! document, and half a batch that is taken looks like a whole one. Beyond the rules of single
//! messages, a key that no batch has is refused and not left out (a misspelt list would be lost
//! without a word), `locations` among them, which nothing here stores.

use std::borrow::Cow;
use std::fmt;

use lastmeter_units::HardwareId;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::decode::{
    Judged, acknowledge, alert, as_text, hardware_id, measurements, not_read, optional_text, wrong,
};
use super::message::Request;
use super::reader::{Key, Problem, RequestFields, Room, Skip, Slot, SlotSeed, Slotted, visits};
use super::refusal::{DecodeRules, Limits, Refusal, RefusalReason, excerpt};

/// One element of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// `"register": true`: the device is there, whether or not it has something to report.
    Registration(HardwareId),
    /// What would otherwise be a message of its own.
    Request(Request),
}

/// A batch that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct BatchRefusal {
    /// Why, with the place of the first element that is refused.
    pub refusal: Refusal,
    /// How many elements are right in themselves and are refused with it.
    pub sound: usize,
}

/// Decodes a batch: its elements, in the order in which they stand, by object first the
/// registration, then measurements, alerts, acknowledgements.
///
/// # Errors
/// [`BatchRefusal`] for every payload that is not exactly such a batch with at least one element.
pub fn decode_batch(payload: &[u8], rules: &DecodeRules) -> Result<Vec<Element>, BatchRefusal> {
    let mut batch = Batch { rules, elements: Vec::new(), sound: 0, objects: 0, problem: None };
    if let Err((reason, detail)) = read(payload, rules.limits, &mut batch) {
        let device = batch.problem.take().and_then(|(_, device)| device);
        batch.problem = Some(((reason, detail), device));
    }
    let sound = batch.sound;
    match batch.problem {
        None => Ok(batch.elements),
        Some(((reason, detail), hardware_id)) => {
            Err(BatchRefusal { refusal: Refusal { reason, detail, hardware_id }, sound })
        }
    }
}

fn read(payload: &[u8], limits: Limits, batch: &mut Batch<'_>) -> Judged<()> {
    let text = as_text(payload, &limits)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let root = Root { batch, room: Room::new(limits), is_inner: false };
    root.deserialize(&mut deserializer).map_err(|error| not_read(&error))?;
    deserializer.end().map_err(|error| (RefusalReason::TrailingData, error.to_string()))?;
    if batch.problem.is_none() && batch.elements.is_empty() {
        let detail = "the batch has no element".to_owned();
        return Err((RefusalReason::NoMeasurements, detail));
    }
    Ok(())
}

struct Batch<'r> {
    rules: &'r DecodeRules,
    elements: Vec<Element>,
    sound: usize,
    objects: usize,
    /// The first thing wrong with it, and whose it is.
    problem: Option<(Problem, Option<HardwareId>)>,
}

/// One object of a batch, as it stands there.
#[derive(Default)]
struct BatchFields<'de> {
    hardware_id: Slot<Cow<'de, str>>,
    originator: Slot<Cow<'de, str>>,
    register: Slot<bool>,
    measurements: Slot<List<'de>>,
    alerts: Slot<List<'de>>,
    acknowledgements: Slot<List<'de>>,
    problem: Option<Problem>,
}

/// The elements of one list; beyond the limit they are counted only.
struct List<'de> {
    elements: Vec<Slot<RequestFields<'de>>>,
    count: usize,
}

impl<'de> Slotted<'de> for List<'de> {
    fn list<A: SeqAccess<'de>>(mut list: A, room: Room) -> Result<Slot<Self>, A::Error> {
        let (mut elements, mut count) = (Vec::new(), 0);
        while count < room.limits.elements_max
            && let Some(element) = list.next_element_seed(SlotSeed::new(room))?
        {
            elements.push(element);
            count += 1;
        }
        while list.next_element_seed(Skip(room))?.is_some() {
            count += 1;
        }
        Ok(Slot::There(Self { elements, count }))
    }
}

/// Reads one object of a batch, or the list of them.
struct Root<'b, 'r> {
    batch: &'b mut Batch<'r>,
    room: Room,
    /// It stands in the list.
    is_inner: bool,
}

impl Root<'_, '_> {
    /// Where this object stands, which is counted with it.
    fn place(&mut self) -> String {
        self.batch.objects += 1;
        let number = self.batch.objects;
        if self.is_inner { format!("object {number}: ") } else { String::new() }
    }

    fn refuse(mut self, found: &str) {
        let place = self.place();
        let detail = format!("{place}{found}, expected an object with `hardwareId`");
        self.batch.problem.get_or_insert(((RefusalReason::NotAnObject, detail), None));
    }
}

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { batch, room, is_inner } = self;
        let found = deserializer.deserialize_any(Root { batch: &mut *batch, room, is_inner })?;
        if let Some(found) = found {
            Root { batch, room, is_inner }.refuse(found);
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    /// What was found instead of an object.
    type Value = Option<&'static str>;

    visits! { Option<&'static str>:
        visit_str(&str) = |_| Some("a text"),
        visit_bool(bool) = |_| Some("a boolean"),
        visit_i64(i64) = |_| Some("a number"),
        visit_u64(u64) = |_| Some("a number"),
        visit_f64(f64) = |_| Some("a number"),
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let room = self.room.inside()?;
        if self.is_inner {
            while list.next_element_seed(Skip(room))?.is_some() {}
            return Ok(Some("a list"));
        }
        let batch = self.batch;
        while list.next_element_seed(Root { batch: &mut *batch, room, is_inner: true })?.is_some() {
        }
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let room = self.room.inside()?;
        let fields = read_object(&mut map, room)?;
        let place = self.place();
        self.batch.judge(fields, &place);
        Ok(None)
    }
}

const KEYS: [&str; 6] =
    ["hardwareId", "originator", "register", "measurements", "alerts", "acknowledgements"];

fn read_object<'de, A: MapAccess<'de>>(
    map: &mut A,
    room: Room,
) -> Result<BatchFields<'de>, A::Error> {
    let mut fields = BatchFields::default();
    let mut seen = [false; KEYS.len()];
    let find = |name: &str| KEYS.iter().position(|key| *key == name).ok_or_else(|| excerpt(name));
    while let Some(key) = map.next_key_seed(Key(find))? {
        let problem = match key {
            Ok(key) if !std::mem::replace(&mut seen[key], true) => {
                match key {
                    0 => fields.hardware_id = map.next_value_seed(SlotSeed::new(room))?,
                    1 => fields.originator = map.next_value_seed(SlotSeed::new(room))?,
                    2 => fields.register = map.next_value_seed(SlotSeed::new(room))?,
                    3 => fields.measurements = map.next_value_seed(SlotSeed::new(room))?,
                    4 => fields.alerts = map.next_value_seed(SlotSeed::new(room))?,
                    _ => fields.acknowledgements = map.next_value_seed(SlotSeed::new(room))?,
                }
                continue;
            }
            Ok(key) => (RefusalReason::DuplicateKey, format!("`{}` stands twice", KEYS[key])),
            Err(name) => {
                let detail =
                    format!("`{name}` is not a key of a batch, expected {}", KEYS.join(", "));
                (RefusalReason::UnknownType, detail)
            }
        };
        map.next_value_seed(Skip(room))?;
        fields.problem.get_or_insert(problem);
    }
    Ok(fields)
}

impl Batch<'_> {
    /// Takes the elements of one object, or notes what is wrong with the first that is refused.
    fn judge(&mut self, fields: BatchFields<'_>, place: &str) {
        let device = match (hardware_id(fields.hardware_id), fields.problem) {
            (Ok(device), None) => device,
            (Ok(device), Some((reason, detail))) => {
                return self.refuse((reason, format!("{place}{detail}")), Some(&device));
            }
            (Err(problem), None) | (Err(_), Some(problem)) => {
                return self.refuse((problem.0, format!("{place}{}", problem.1)), None);
            }
        };
        let originator = match optional_text(fields.originator, "originator") {
            Ok(originator) => originator.map(Cow::into_owned),
            Err((reason, detail)) => {
                return self.refuse((reason, format!("{place}{detail}")), Some(&device));
            }
        };
        match fields.register {
            Slot::There(true) => self.take(Ok(Element::Registration(device.clone())), &device),
            Slot::There(false) | Slot::Absent => {}
            Slot::Wrong(found) => {
                let (reason, detail) = wrong("register", found, "true or false");
                self.refuse((reason, format!("{place}{detail}")), Some(&device));
            }
        }
        let rules = self.rules;
        self.list(fields.measurements, (place, "measurements"), &device, |request| {
            measurements(request, device.clone(), originator.clone(), rules)
                .map(Request::Measurements)
        });
        self.list(fields.alerts, (place, "alerts"), &device, |request| {
            alert(request, device.clone(), originator.clone()).map(Request::Alert)
        });
        self.list(fields.acknowledgements, (place, "acknowledgements"), &device, |request| {
            acknowledge(request, device.clone()).map(Request::Acknowledge)
        });
    }

    fn list(
        &mut self,
        list: Slot<List<'_>>,
        (place, key): (&str, &str),
        device: &HardwareId,
        judge: impl Fn(RequestFields<'_>) -> Judged<Request>,
    ) {
        let list = match list {
            Slot::Absent => return,
            Slot::Wrong(found) => {
                let (reason, detail) = wrong(key, found, "a list");
                return self.refuse((reason, format!("{place}{detail}")), Some(device));
            }
            Slot::There(list) => list,
        };
        let limit = self.rules.limits.elements_max;
        if list.count > limit {
            let detail = format!("{place}`{key}` has {} elements, at most {limit} are taken", {
                list.count
            });
            return self.refuse((RefusalReason::TooManyValues, detail), Some(device));
        }
        for (index, element) in list.elements.into_iter().enumerate() {
            let judged = match element {
                Slot::There(RequestFields { duplicate: Some(key), .. }) => {
                    Err((RefusalReason::DuplicateKey, format!("`{key}` stands twice")))
                }
                Slot::There(request) => judge(request),
                Slot::Wrong(found) => Err((RefusalReason::WrongType, found.to_owned())),
                Slot::Absent => Err((RefusalReason::WrongType, "null".to_owned())),
            };
            let located = judged.map(Element::Request).map_err(|(reason, detail)| {
                let detail = detail.replace("`request.", "`");
                (reason, format!("{place}{key}[{index}]: {detail}"))
            });
            self.take(located, device);
        }
    }

    /// Once something is wrong elements are counted only.
    fn take(&mut self, element: Judged<Element>, device: &HardwareId) {
        match element {
            Ok(_) if self.sound >= self.rules.limits.elements_max => {
                let limit = self.rules.limits.elements_max;
                let detail = format!("more than {limit} elements");
                self.refuse((RefusalReason::TooManyValues, detail), Some(device));
            }
            Ok(element) => {
                self.sound += 1;
                if self.problem.is_none() {
                    self.elements.push(element);
                }
            }
            Err(problem) => self.refuse(problem, Some(device)),
        }
    }

    fn refuse(&mut self, problem: Problem, device: Option<&HardwareId>) {
        if self.problem.is_none() {
            self.problem = Some((problem, device.cloned()));
            self.elements = Vec::new();
        }
    }
}
