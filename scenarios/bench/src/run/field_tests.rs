//! A field with devices that speak by themselves, and what becomes of a gateway that restarts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lastmeter_devices::household::record::Decided;
use lastmeter_devices::{
    CommandFault, Feed, GatewayEventKind, PageAnswer, PageMethod, PageRequest,
};
use lastmeter_link::medium::{LanesSpec, MediumSpec};
use lastmeter_sim::{ChannelSpectrum, MeteringPoint, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::{MeasurementId, SimDuration};
use lastmeter_wire::rest::{Answer, Method, Request};

use super::*;

const START: SimTime = SimTime(1_800_000_000_000_000_000);
const EVERY: SimDuration = SimDuration::from_seconds(7);

fn at(seconds: i64) -> SimTime {
    START + SimDuration::from_seconds(seconds)
}

/// Sends a byte every seven seconds.
struct Speaker {
    sent: u8,
}

impl Speaker {
    fn next(&self) -> SimTime {
        START + EVERY * (i64::from(self.sent) + 1)
    }
}

impl Device for Speaker {
    fn feed(&self) -> Feed {
        Feed::Spectrum
    }

    fn quantities(&self) -> &[MeasurementId] {
        &[]
    }

    fn wake_at(&self) -> Option<SimTime> {
        Some(self.next())
    }

    fn validate_command(&self, _: &str, _: &BTreeMap<String, String>) -> Option<CommandFault> {
        None
    }

    fn report_period(&self) -> SimDuration {
        EVERY
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        if matches!(input, Input::Spectrum { .. }) && self.next() <= now {
            self.sent += 1;
            let bytes = vec![self.sent];
            out.push(Output::Transmit { at: now, bits_per_second: 9600, bytes });
        }
    }

    fn unacknowledged(&self) -> usize {
        0
    }
}

type Heard = Arc<Mutex<Vec<(SimTime, Option<usize>, Vec<u8>)>>>;

/// Keeps what it hears, and counts how often it was made.
struct Listener {
    heard: Heard,
    kept: usize,
}

impl Gateway for Listener {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        match &input {
            // It asks for more until it is answered with an empty body.
            GatewayInput::Answer(answer) if !answer.body.is_empty() => {
                out.push(GatewayOutput::Request(request(answer.number + 1)));
            }
            GatewayInput::Page { number, request } => {
                let body = request.path.clone().into_bytes();
                let (location, set_cookie) = (Some(now.to_string()), None);
                let media_type = "text/plain";
                let answer = PageAnswer { status: 200, media_type, location, set_cookie, body };
                out.push(GatewayOutput::Page { number: *number, answer });
                out.push(GatewayOutput::Decided(Box::new(decided())));
            }
            _ => {}
        }
        if let GatewayInput::Bytes { lane, bytes, .. } = input {
            let number = u64::from(bytes[0]);
            out.push(GatewayOutput::Keep { number, record: bytes.clone() });
            let (kind, detail) = (GatewayEventKind::DeviceFound, self.kept.to_string());
            out.push(GatewayOutput::Event { kind, about: None, detail });
            self.heard.lock().unwrap().push((now, lane, bytes));
        }
    }

    fn wake_at(&self) -> Option<SimTime> {
        None
    }

    fn unacknowledged(&self) -> usize {
        0
    }
}

fn request(number: u64) -> Request {
    let (path, method) = ("/api/v1/feeds".to_owned(), Method::Get);
    Request { number, method, path, body: None, key: None }
}

fn decided() -> Decided {
    Decided {
        about: None,
        action: "open",
        reason: "price",
        strategy: "cheapest",
        net_w: Some(-7),
        limit_w: None,
        planned_for: Some(at(60)),
        detail: "a price".to_owned(),
    }
}

fn field(heard: &Heard) -> Field {
    let tone = Tone { frequency_hz: 50.0, rms: 230.0, phase_rad: 0.0 };
    let channel = ChannelSpectrum { dc: 0.0, tones: vec![tone], noise_rms: 0.0 };
    let (voltages, currents) = (vec![channel.clone()], vec![channel]);
    let spectrum = Spectrum { fundamental_hz: 50.0, voltages, currents };
    let streams = Streams::new(1);
    let terminal = Terminal::from_spectrum(spectrum, "s", &streams).unwrap();
    let point = MeteringPoint::from(terminal);
    let spec = LanesSpec { delay: SimDuration::ZERO, bits_per_second: f64::INFINITY };
    let medium = MediumSpec::Lanes(spec).open(2, START, &streams.stream("n"));
    let device = |index| FieldDevice {
        is_hardware: false,
        index,
        name: format!("speaker-{index}"),
        device: Box::new(Speaker { sent: 0 }),
        feed: SignalFeed::new(point.clone(), START),
        last_turn: None,
    };
    let heard = Arc::clone(heard);
    let make: MakeGateway = Box::new(move |kept| {
        Some(Box::new(Listener { heard: Arc::clone(&heard), kept: kept.len() }))
    });
    let networks = vec![FieldNetwork {
        medium: Some(medium),
        devices: vec![0, 1],
        simulator: None,
        exchanges: None,
        counters: None,
        captured_as: None,
    }];
    Field::new("cellar", START, make, networks, vec![device(0), device(1)]).unwrap()
}

#[test]
fn a_device_that_speaks_by_itself_is_heard_when_it_speaks() {
    let heard = Heard::default();
    let mut field = field(&heard);
    let mut out = Vec::new();
    // The bench comes to rest every minute only.
    while field.now < at(60) {
        field.step(at(60), &mut out);
    }
    let heard = heard.lock().unwrap();
    let expected: Vec<_> = (1..=8_u8)
        .flat_map(|number| [0, 1].map(|lane| (at(7 * i64::from(number)), Some(lane), vec![number])))
        .collect();
    assert_eq!(*heard, expected);
}

#[test]
fn a_gateway_that_restarts_gets_what_it_kept() {
    let heard = Heard::default();
    let mut field = field(&heard);
    let mut out = Vec::new();
    let kept = |out: &[ClientOutput]| {
        out.iter().rev().find_map(|out| match out {
            ClientOutput::Note { note, .. } => Some(note.detail.clone()),
            _ => None,
        })
    };
    while field.now < at(30) {
        field.step(at(30), &mut out);
    }
    assert_eq!(kept(&out).as_deref(), Some("0"));
    field.restart(&mut out);
    while field.now < at(40) {
        field.step(at(40), &mut out);
    }
    // Records one to four, each once though two devices made it.
    assert_eq!(kept(&out).as_deref(), Some("4"));
}

fn page() -> PageRequest {
    PageRequest {
        method: PageMethod::Get,
        path: "/x".to_owned(),
        cookie: None,
        origin: None,
        host: None,
        body: Vec::new(),
    }
}

#[test]
fn after_the_end_pages_are_asked_for_at_a_time_that_goes_on_and_nothing_else_does() {
    let heard = Heard::default();
    let mut field = field(&heard);
    while field.now < at(10) {
        field.step(at(10), &mut Vec::new());
    }
    let before = heard.lock().unwrap().len();
    for (asked, counts) in [(10, 10), (75, 75), (70, 75)] {
        let answer = field.page_aside(at(asked), page()).unwrap();
        assert_eq!(answer.location, Some(at(counts).to_string()));
    }
    assert_eq!(heard.lock().unwrap().len(), before);
}

#[test]
fn answers_and_pages_reach_the_gateway_and_what_it_wants_comes_out() {
    let mut field = field(&Heard::default());
    let mut out = Vec::new();
    let answer = |number, body: &str| {
        GatewayInput::Answer(Answer { number, status: 200, body: body.into() })
    };
    field.hand(answer(4, "x"), &mut out);
    field.hand(answer(5, ""), &mut out);
    let [ClientOutput::Asked(asked)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*asked, request(5));
    out.clear();
    field.hand(GatewayInput::Page { number: 9, request: page() }, &mut out);
    let [ClientOutput::Paged { number: 9, answer }, ClientOutput::Event(event)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(answer.body, b"/x");
    let line = serde_json::to_string(event).unwrap();
    let time = START.to_string();
    let expected = format!(
        "{{\"time\":\"{time}\",\"source\":\"cellar\",\"kind\":\"household_decision\",\
         \"about\":null,\"action\":\"open\",\"reason\":\"price\",\
         \"strategy\":\"cheapest\",\"net_w\":-7,\"limit_w\":null,\
         \"planned_for\":\"{}\",\"detail\":\"a price\"}}",
        at(60)
    );
    assert_eq!(line, expected);
}
