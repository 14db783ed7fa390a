//! Tests of settings: every mistake names the field, what was found and what was expected.

use lastmeter_apps::APPLICATIONS;
use lastmeter_apps::shell::ShellEvent;
use lastmeter_units::SimTime;
use lastmeter_wire::rest::{Answer, Method, Request};

use super::settings::{Secrets, Settings};

const WHOLE: &str = "name = \"watch\"\nrest = \"http://127.0.0.1:8080\"\nmqtt = \"127.0.0.1:1883\"\n\
    every = \"1 s\"\nof = \"home\"\nquantity = \"electricity.voltage.rms.l1\"\nabove = \"250 V\"\n\
    device = \"home\"\ncommand = { name = \"setBreaker\", state = \"open\" }\n";

fn read(text: &str, password: Option<&str>) -> Result<Settings, String> {
    let kind = APPLICATIONS.iter().find(|kind| kind.entry.name == "threshold").unwrap();
    let of = |secret: Option<&str>| secret.map(str::to_owned);
    let secrets = Secrets { password: of(password), key: of(Some("a-key")) };
    let now = SimTime(1_800_000_000_000_000_000);
    Settings::read(kind, text, secrets, now).map_err(|mistakes| mistakes.to_string())
}

fn mistakes(text: &str, password: Option<&str>) -> String {
    read(text, password).err().unwrap()
}

#[test]
fn what_is_whole_becomes_an_application_of_its_tenant() {
    let text = format!("{WHOLE}tenant = \"works\"\nahead = \"90 s\"\n");
    let made = read(&text, Some("a-password")).unwrap();
    assert_eq!(made.session.username, "works/app/watch");
    assert_eq!(made.session.password, "a-password");
    assert_eq!(made.machine.subscriptions(), ["works/live/device/home"]);
    assert_eq!(made.ahead.0, 90_000_000_000);
    let text = format!("{WHOLE}password = \"another\"\n");
    assert_eq!(read(&text, Some("a-password")).unwrap().session.password, "another");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let none = mistakes(WHOLE, None);
    assert!(none.contains("found no `password`"), "{none}");
    assert!(none.contains("LASTMETER_APP_PASSWORD"), "{none}");
    let both = format!("{WHOLE}password = \"a\"\npassword_file = \"/dev/null\"\n");
    assert!(mistakes(&both, None).contains("both `password` and `password_file`"));
    let endless = format!("{WHOLE}password_file = \"/dev/zero\"\n");
    assert!(mistakes(&endless, None).contains("cannot read /dev/zero: it has more than 16 MiB"));
    for (found, instead, named) in [
        ("250 V", "250 A", "line 7: "),
        ("127.0.0.1:1883", "127.0.0.1", "`127.0.0.1` is no address of a broker"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "no address of REST"),
        ("electricity.voltage.rms.l1", "voltage", "unknown measurement identifier `voltage`"),
        ("setBreaker", "setBroker", "unknown command `setBroker`"),
        ("above", "abvoe", "`abvoe`"),
    ] {
        let text = mistakes(&WHOLE.replace(found, instead), Some("a"));
        assert!(text.contains(named), "{instead}: {text}");
    }
}

#[test]
fn what_happens_is_one_object_a_line() {
    let of = |event: ShellEvent| super::line(&event).to_string();
    let (topic, why) = ("t/x".to_owned(), "full".to_owned());
    assert_eq!(of(ShellEvent::Connected), r#"{"event":"connected"}"#);
    assert_eq!(of(ShellEvent::Lost { reason: why.clone() }), r#"{"event":"lost","reason":"full"}"#);
    let text = r#"{"event":"refused","topic":"t/x","why":"full"}"#;
    assert_eq!(of(ShellEvent::Refused { topic, why }), text);
    let (path, key) = ("/a".to_owned(), None);
    let request = Request { number: 1, method: Method::Post, path, body: None, key };
    let answer = Answer { number: 1, status: 201, body: br#"{"id":1}"#.to_vec() };
    let text = r#"{"answer":{"id":1},"event":"answered","method":"POST","path":"/a","status":201}"#;
    assert_eq!(of(ShellEvent::Answered { request, answer }), text);
}

#[test]
fn a_network_that_is_not_there_is_complained_of() {
    let path = "/api/v1/electric-networks/valley".to_owned();
    let of = |status| {
        let request =
            Request { number: 1, method: Method::Get, path: path.clone(), body: None, key: None };
        let event = ShellEvent::Answered {
            request,
            answer: Answer { number: 1, status, body: Vec::new() },
        };
        super::complaint(&event)
    };
    let text = "GET /api/v1/electric-networks/valley was answered 404";
    assert_eq!((of(404).as_deref(), of(200)), (Some(text), None));
    assert!(of(0).unwrap().ends_with("was not answered"));
}
