//! Tests of thresholds and controllers: what they know again after a restart.

use lastmeter_params::read_text;
use lastmeter_wire::rest::Request;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> SimTime {
    SimTime(1_800_000_000 * SECOND + seconds * SECOND)
}

fn threshold() -> Box<dyn Application> {
    let text = "every = \"1 s\"\nof = \"meter\"\nquantity = \"electricity.voltage.rms.l1\"\n\
                device = \"meter\"\nabove = \"250 V\"\n\
                command = { name = \"setBreaker\", state = \"open\" }";
    let values = read_text(text, &[THRESHOLD.entry.fields]).unwrap();
    let context = AppContext { name: "watch".to_owned(), start: at(0), ..AppContext::default() };
    (THRESHOLD.build)(&values, &context).unwrap()
}

/// Answers what it asks until it asks nothing more; how many commands it has given.
fn settled(
    machine: &mut dyn Application,
    now: SimTime,
    input: AppInput,
    platform: &mut Platform,
) -> usize {
    let before = platform.commands.len();
    let mut out = Vec::new();
    machine.step(now, input, &mut out);
    while let Some(AppOutput::Ask(request)) = out.pop() {
        let body = platform.answer(&request, now);
        let answer = Answer { number: request.number, status: 200, body: body.into_bytes() };
        machine.step(now, AppInput::Answer(answer), &mut out);
    }
    platform.commands.len() - before
}

/// What a platform has stored, with a clock that is years behind event time.
#[derive(Default)]
struct Platform {
    commands: Vec<String>,
    readings: Vec<(SimTime, f64)>,
}

impl Platform {
    /// Series in pages of two readings.
    fn answer(&mut self, request: &Request, now: SimTime) -> String {
        let path = &request.path;
        if let Some(body) = &request.body {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["metadata"]["given_at"], now.to_string());
            self.commands.push(
                json!({
                    "eventDate": "2001-01-01T00:00:00Z", "initiatorId": "app:watch",
                    "commandToken": body["commandToken"], "metadata": body["metadata"],
                    "parameterValues": body["parameterValues"],
                })
                .to_string(),
            );
            return "{}".to_owned();
        }
        if path.ends_with("/invocations") {
            let newest: Vec<&str> = self.commands.iter().rev().map(String::as_str).collect();
            return format!("{{\"results\":[{}]}}", newest.join(","));
        }
        let Some((_, query)) = path.split_once("&start=") else {
            return "{\"token\":\"a-1\"}".to_owned();
        };
        let (start, cursor) = query.split_once("&cursor=").unwrap_or((query, "0"));
        let (start, cursor): (SimTime, usize) = (start.parse().unwrap(), cursor.parse().unwrap());
        let own = self.readings.iter().filter(|(at, _)| *at >= start).skip(cursor);
        let page: Vec<_> = own.clone().take(2).collect();
        let next = (own.count() > 2).then(|| (cursor + 2).to_string());
        let quantity = "electricity.voltage.rms.l1";
        json!({ "results": [{ "quantity": quantity, "points": page }], "next": next }).to_string()
    }
}

fn hears(machine: &mut dyn Application, platform: &mut Platform, when: SimTime, volts: f64) {
    platform.readings.push((when, volts));
    let values = json!({ "electricity.voltage.rms.l1": volts });
    let payload = json!({ "event_time": when, "values": values }).to_string().into_bytes();
    let message = AppInput::Message { topic: String::new(), payload };
    settled(machine, when, message, platform);
}

#[test]
fn what_left_while_it_was_away_is_acted_on_once_however_many_readings_there_are() {
    let (mut machine, mut platform) = (threshold(), Platform::default());
    settled(machine.as_mut(), at(0), AppInput::Connected, &mut platform);
    hears(machine.as_mut(), &mut platform, at(1), 255.0);
    assert_eq!(settled(machine.as_mut(), at(2), AppInput::Wake, &mut platform), 1);
    // Still too high: given before, whatever instants the platform's clock has.
    let mut machine = threshold();
    platform.readings.extend([(at(3), 256.0), (at(4), 257.0)]);
    settled(machine.as_mut(), at(5), AppInput::Connected, &mut platform);
    assert_eq!(settled(machine.as_mut(), at(6), AppInput::Wake, &mut platform), 0);
    // Back within and out again, over more than one page.
    let mut machine = threshold();
    for (second, volts) in [(7, 230.0), (8, 255.0), (9, 256.0), (10, 257.0), (11, 258.0)] {
        platform.readings.push((at(second), volts));
    }
    settled(machine.as_mut(), at(12), AppInput::Connected, &mut platform);
    assert_eq!(settled(machine.as_mut(), at(13), AppInput::Wake, &mut platform), 1);
    assert_eq!(settled(machine.as_mut(), at(14), AppInput::Wake, &mut platform), 0);
}

#[test]
fn a_connection_that_comes_again_changes_nothing_of_what_it_knew() {
    let (mut machine, mut platform) = (threshold(), Platform::default());
    settled(machine.as_mut(), at(0), AppInput::Connected, &mut platform);
    hears(machine.as_mut(), &mut platform, at(1), 255.0);
    assert_eq!(settled(machine.as_mut(), at(2), AppInput::Wake, &mut platform), 1);
    // A value that nobody has acted on yet is acted on once.
    hears(machine.as_mut(), &mut platform, at(3), 230.0);
    settled(machine.as_mut(), at(4), AppInput::Wake, &mut platform);
    hears(machine.as_mut(), &mut platform, at(5), 260.0);
    settled(machine.as_mut(), at(5), AppInput::Connected, &mut platform);
    assert_eq!(settled(machine.as_mut(), at(6), AppInput::Wake, &mut platform), 1);
    settled(machine.as_mut(), at(7), AppInput::Connected, &mut platform);
    hears(machine.as_mut(), &mut platform, at(8), 261.0);
    assert_eq!(settled(machine.as_mut(), at(9), AppInput::Wake, &mut platform), 0);
    // It was back within when the connection was lost: the next time counts.
    hears(machine.as_mut(), &mut platform, at(10), 230.0);
    settled(machine.as_mut(), at(11), AppInput::Wake, &mut platform);
    settled(machine.as_mut(), at(12), AppInput::Connected, &mut platform);
    hears(machine.as_mut(), &mut platform, at(13), 262.0);
    assert_eq!(settled(machine.as_mut(), at(14), AppInput::Wake, &mut platform), 1);
}
