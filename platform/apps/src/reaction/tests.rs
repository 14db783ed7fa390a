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
        let status = if platform.is_away.is_some_and(|part| request.path.contains(part)) {
            503
        } else {
            200
        };
        let body = if status == 200 { platform.answer(&request, now) } else { String::new() };
        let answer = Answer { number: request.number, status, body: body.into_bytes() };
        machine.step(now, AppInput::Answer(answer), &mut out);
    }
    platform.commands.len() - before
}

/// What a platform has stored, with a clock that is years behind event time.
#[derive(Default)]
struct Platform {
    commands: Vec<String>,
    readings: Vec<(SimTime, f64)>,
    /// Paths with this in them are answered with 503.
    is_away: Option<&'static str>,
}

impl Platform {
    /// Series in pages of two readings.
    fn answer(&mut self, request: &Request, now: SimTime) -> String {
        let path = &request.path;
        if let Some(body) = &request.body {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let given: SimTime = body["metadata"]["given_at"].as_str().unwrap().parse().unwrap();
            assert!(given <= now && request.key == Some(format!("watch-{}", given.0)));
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

#[test]
fn before_its_past_is_known_it_gives_no_command() {
    let (mut machine, mut platform) = (threshold(), Platform::default());
    settled(machine.as_mut(), at(0), AppInput::Connected, &mut platform);
    hears(machine.as_mut(), &mut platform, at(1), 255.0);
    assert_eq!(settled(machine.as_mut(), at(2), AppInput::Wake, &mut platform), 1);
    // What it gave cannot be read after a restart, and the voltage is still too high.
    for part in ["/assignment", "/invocations", "/series"] {
        let mut machine = threshold();
        platform.is_away = Some(part);
        settled(machine.as_mut(), at(3), AppInput::Connected, &mut platform);
        hears(machine.as_mut(), &mut platform, at(4), 256.0);
        assert_eq!(settled(machine.as_mut(), at(5), AppInput::Wake, &mut platform), 0, "{part}");
        platform.is_away = None;
        assert_eq!(machine.wake_at(), Some(at(6)));
        for second in 6..12 {
            let given = settled(machine.as_mut(), at(second), AppInput::Wake, &mut platform);
            assert_eq!(given, 0, "{part}");
        }
        // It was read in the meantime, and it acts again.
        hears(machine.as_mut(), &mut platform, at(12), 230.0);
        settled(machine.as_mut(), at(13), AppInput::Wake, &mut platform);
        hears(machine.as_mut(), &mut platform, at(14), 256.0);
        assert_eq!(settled(machine.as_mut(), at(15), AppInput::Wake, &mut platform), 1, "{part}");
        platform.commands.truncate(1);
        platform.readings.truncate(1);
    }
}

#[test]
fn a_command_that_the_platform_did_not_take_is_given_again_under_its_key() {
    for part in ["/assignment", "/invocations"] {
        let (mut machine, mut platform) = (threshold(), Platform::default());
        settled(machine.as_mut(), at(0), AppInput::Connected, &mut platform);
        hears(machine.as_mut(), &mut platform, at(1), 255.0);
        platform.is_away = Some(part);
        assert_eq!(settled(machine.as_mut(), at(2), AppInput::Wake, &mut platform), 0);
        // Still wanted when the connection is lost and comes again, and once.
        settled(machine.as_mut(), at(3), AppInput::Connected, &mut platform);
        platform.is_away = None;
        let wakes = (4..12)
            .map(|second| settled(machine.as_mut(), at(second), AppInput::Wake, &mut platform));
        assert_eq!(wakes.sum::<usize>(), 1, "{part}");
        let command: serde_json::Value = serde_json::from_str(&platform.commands[0]).unwrap();
        assert_eq!(command["metadata"]["given_at"], at(2).to_string());
    }
}
