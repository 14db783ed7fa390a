//! Injections into CAN buses: what they order, what is recorded, and what is wrong with them.

use lastmeter_link::medium::{Attack, CanAttack, CanFault, Protection};
use lastmeter_units::{SimDuration, SimTime};

use super::{load, mistakes};
use crate::Order;

const BUS: &str = r#"format = 1
[scenario]
name = "bus"
duration = "1 min"
start = 1970-01-01T00:00:00Z

[[source]]
name = "g"
kind = "synthetic"
phases = 1
voltage = "230 V"

[[network]]
name = "other"
kind = "m-bus"

[[network]]
name = "bus"
kind = "can"
detail = "bits"

[[device]]
name = "m"
count = 3
at = "source:g"
model = "can-meter"
on = "network:bus"

[[gateway]]
name = "a"
model = "can-aggregator"
on = "network:bus"

[[inject]]
at = "1 s"
network = "bus"
"#;

/// The scenario with an injection of these keys, which begin in line 37.
fn with(keys: &str) -> String {
    format!("{BUS}{keys}\n\n[[check]]\nname = \"c\"\nkind = \"no_loss\"\n")
}

fn orders(keys: &str) -> Order {
    ordered(&with(keys))
}

fn ordered(text: &str) -> Order {
    let scenario = load(text).unwrap_or_else(|failure| panic!("{failure:?}"));
    scenario.injections[0].begin().pop().unwrap()
}

#[test]
fn each_kind_orders_what_its_keys_state() {
    let never = SimTime(i64::MAX);
    let order = |device, fault, until| Order::Can { network: 1, device, fault, until };
    let until = SimTime(3_000_000_000);
    assert_eq!(
        orders("kind = \"can_cut\"\ndevice = \"m-2\"\nfor = \"2 s\""),
        order(Some(1), CanFault::Cut, until)
    );
    assert_eq!(
        orders("kind = \"can_short\"\nlevel = \"dominant\""),
        order(None, CanFault::Short { is_recessive: false }, never)
    );
    assert_eq!(
        orders("kind = \"can_babble\"\ndevice = \"m-3\""),
        order(Some(2), CanFault::Babble, never)
    );
    assert_eq!(
        orders("kind = \"can_bit_errors\"\nrate = \"0.1 %\"\nfor = \"2 s\""),
        order(None, CanFault::BitErrors { rate: 1e-3 }, until)
    );
    let attack = CanAttack {
        attack: Attack::Transplant,
        protection: Protection::Strong,
        register: 17,
        elsewhere: 0x221,
        times: 5,
        pause: SimDuration(10_000_000),
    };
    let keys = "kind = \"can_attack\"\ndevice = \"m-1\"\nattack = \"transplant\"\nregister = 0x11\n\
                elsewhere = 0x221\ntimes = 5\npause = \"10 ms\"\nprotection = \"strong\"";
    let on = "on = \"network:bus\"\n";
    let text = with(keys).replace(on, &format!("{on}authentication = \"strong\"\n"));
    assert_eq!(ordered(&text), order(Some(0), CanFault::Attack(attack), never));
}

#[test]
fn what_is_recorded_has_the_bus_and_the_device() {
    let scenario = load(&with("kind = \"can_cut\"\ndevice = \"m-2\"")).unwrap();
    let event = scenario.injections[0].begun(0, &scenario, SimTime(5)).unwrap();
    let line = serde_json::to_string(&event).unwrap();
    assert!(line.contains(r#""inject":"can_cut","device":"m-2""#), "{line}");
    assert!(line.contains(r#""into":"network:bus""#), "{line}");
}

#[test]
fn mistakes_are_found_at_their_place() {
    let short = "kind = \"can_short\"";
    let cases = [
        (
            with(short).replace("network = \"bus\"", "network = \"other\""),
            "S027 36:11 <\"other\"> `other` is a network of kind `m-bus`",
        ),
        (
            with(short).replace("network = \"bus\"", "network = \"us\""),
            "S018 36:11 <\"us\"> there is no network named `us`",
        ),
        (
            with("kind = \"can_attack\"\ndevice = \"m-1\"\nattack = \"drop-then-replay\"")
                .replace("detail = \"bits\"\n", ""),
            "S027 38:10 <\"drop-then-replay\"> `drop-then-replay` drives single bits, and `bus` is \
          calculated by frames",
        ),
        (
            with("kind = \"can_attack\"\ndevice = \"m-1\"\nattack = \"transplant\""),
            "S004 39:10 <\"transplant\"> `transplant` needs `elsewhere`, the identifier that it sends \
          under",
        ),
        (
            with(
                "kind = \"can_attack\"\ndevice = \"m-1\"\nattack = \"flood\"\nprotection = \"paper\"",
            ),
            "S027 40:14 <\"paper\"> `protection` is `paper`, and the device's messages have `none`",
        ),
        (
            with("kind = \"can_cut\"\ndevice = \"x\"")
                + "\n[[device]]\nname = \"x\"\nat = \
          \"source:g\"\nmodel = \"stpm34-1ph\"\n",
            "S027 38:10 <\"x\"> `x` is not on network `bus`",
        ),
        (
            with(&format!(
                "{short}\nfor = \"2 s\"\n\n[[inject]]\nat = \"2 s\"\nnetwork = \"bus\"\n{short}"
            )),
            "S031 41:6 <\"2 s\"> another `can_short` befalls the bus at that time",
        ),
    ];
    let found: Vec<Vec<String>> = cases.iter().map(|(text, _)| mistakes(text)).collect();
    let expected: Vec<Vec<String>> =
        cases.iter().map(|(_, message)| vec![(*message).to_owned()]).collect();
    assert_eq!(found, expected);
    let one_after_another =
        format!("{short}\nfor = \"1 s\"\n\n[[inject]]\nat = \"2 s\"\nnetwork = \"bus\"\n{short}");
    assert_eq!(mistakes(&with(&one_after_another)), [""; 0]);
}

/// What a medium or a gateway cannot be made of is a mistake of the file, not of the run.
#[test]
fn keys_that_fit_no_bus_or_no_node_are_reported_at_their_place() {
    let good = with("kind = \"can_cut\"\ndevice = \"m-2\"\nfor = \"1 s\"");
    load(&good).unwrap();
    for (key, change, code) in [
        ("detail = \"bits\"", "bit_rate = 125001", "S006"),
        ("detail = \"bits\"", "length_m = 501", "S027"),
        (
            "model = \"can-aggregator\"",
            "model = \"can-aggregator\"\nauthentication = \"strong\"",
            "S027",
        ),
    ] {
        let found = mistakes(&good.replacen(key, change, 1));
        assert!(found.iter().any(|it| it.starts_with(code)), "{change}: {found:?}");
    }
}
