//! A home's network behind a gateway that dials its platform.

use super::mistakes;

const HOME: &str = r#"
format = 1
[scenario]
name = "radio"
duration = "1 min"

[[source]]
name = "mains"
kind = "synthetic"
phases = 1
current = "1 A"

[[link]]
name = "up"

[[network]]
name = "radio"
kind = "zigbee"

[[gateway]]
name = "hub"
model = "zigbee-gateway"
on = "network:radio"
via = "up"

[[device]]
name = "plug"
at = "source:mains"
model = "smart-plug"
on = "network:radio"

[[device]]
name = "meter"
at = "source:mains"
model = "stpm34-1ph"

[[check]]
name = "all"
kind = "no_loss"
"#;

/// The mistakes after a change, each without its place.
fn after(from: &str, to: &str) -> Vec<String> {
    assert!(HOME.contains(from), "{from}");
    let found = mistakes(&HOME.replacen(from, to, 1));
    found.into_iter().map(|it| it.split_once("> ").map(|it| it.1.to_owned()).unwrap()).collect()
}

const CHECK: &str = "[[check]]\n";

fn inject(keys: &str) -> String {
    format!("[[inject]]\nat = \"10 s\"\n{keys}\n\n{CHECK}")
}

#[test]
fn a_plug_behind_a_gateway_that_dials_is_valid() {
    assert_eq!(mistakes(HOME), Vec::<String>::new());
    let away = inject("kind = \"node_away\"\ndevice = \"plug\"\nfor = \"5 s\"");
    assert_eq!(after(CHECK, &away), Vec::<String>::new());
    let firmware = inject("kind = \"firmware\"\ndevice = \"plug\"\nversion = 2");
    assert_eq!(after(CHECK, &firmware), Vec::<String>::new());
}

#[test]
fn what_it_cannot_do_is_reported() {
    let meter_away = inject("kind = \"node_away\"\ndevice = \"meter\"\nfor = \"5 s\"");
    let breaker = inject(
        "kind = \"command\"\ndevice = \"plug\"\ncommand = { name = \"setBreaker\", state = \"open\" }",
    );
    let meter_image = inject("kind = \"firmware\"\ndevice = \"meter\"\nversion = 2");
    let same_image = inject("kind = \"firmware\"\ndevice = \"plug\"\nversion = 1");
    for (from, to, message) in [
        ("duration", "time = \"real\"\nduration", "dials its platform in virtual time alone"),
        ("name = \"up\"", "name = \"up\"\nup = { delay = \"1 s\" }", "its gateway sends packets"),
        (
            "on = \"network:radio\"\nvia",
            "on = \"network:radio\"\neui64 = \"zz\"\nvia",
            "is not an EUI-64",
        ),
        (CHECK, meter_away.as_str(), "is on no network of kind `zigbee`"),
        (CHECK, meter_image.as_str(), "`meter` takes no program images"),
        (CHECK, same_image.as_str(), "`plug` runs version 1 from the start"),
        (CHECK, breaker.as_str(), "unknown command `setBreaker`"),
        ("model = \"smart-plug\"\non = \"network:radio\"", "model = \"smart-plug\"", "speaks on"),
    ] {
        let found = after(from, to);
        assert!(found.iter().any(|it| it.contains(message)), "{message}: {found:?}");
    }
}

/// A sensor of a room beside the plug, its contact sticking.
fn with_sensor(at: &str) -> Vec<String> {
    let sensor = format!(
        "[[source]]\nname = \"room\"\nkind = \"room\"\nopen = [{{ at = \"10 s\", for = \"5 s\" }}]\n\
         [[device]]\nname = \"window\"\nat = \"source:{at}\"\nmodel = \"room-sensor\"\n\
         on = \"network:radio\"\nreport_every = \"10 s\"\n[[inject]]\nat = \"20 s\"\n\
         kind = \"contact_sticks\"\ndevice = \"window\"\n{CHECK}"
    );
    after(CHECK, &sensor)
}

#[test]
fn a_sensor_senses_a_room_and_nothing_else() {
    assert_eq!(with_sensor("room"), Vec::<String>::new());
    let found = with_sensor("mains");
    assert!(found.len() == 1 && found[0].contains("room"), "{found:?}");
}
