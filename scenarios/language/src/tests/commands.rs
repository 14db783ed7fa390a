//! Commands that would not be carried out are mistakes of the scenario, reported where they stand.

use super::{assert_printed, change, changed, load, mistakes};

/// The valid scenario with another command.
fn with(command: &str) -> String {
    changed("{ name = \"setReportingPeriod\", seconds = 5 }", command)
}

#[test]
fn invalid_commands_are_reported_with_their_span() {
    let commands = [
        r#"{ name = "setReportingPeriod", second = 5 }"#,
        r#"{ name = "setRegister", register = "CHV1" }"#,
        r#"{ name = "setReportingPeriod", seconds = "soon" }"#,
        r#"{ name = "setReportingPeriod", seconds = 0.1 }"#,
        r#"{ name = "readRegister", register = "CHX1" }"#,
        r#"{ name = "setRegister", register = "CHV1", value = 5000 }"#,
        r#"{ name = "setBreaker", state = "ajar" }"#,
        r#"{ name = "setBreaker", state = "open" }"#,
    ];
    let cases = commands.map(|command| (change("", command), load(&with(command))));
    assert_printed("commands", cases);
    for command in [
        r#"{ name = "setRegister", register = "CHV1", value = 2048 }"#,
        r#"{ name = "setRegister", register = "CHV1", value = "0x800" }"#,
        r#"{ name = "readRegister", register = "CHV1" }"#,
    ] {
        load(&with(command)).unwrap();
    }
}

#[test]
fn a_refusal_may_be_what_is_tested_but_what_cannot_be_given_stays_a_mistake() {
    let breaker = "{ name = \"setBreaker\", state = \"open\" }\nrefused = true";
    load(&with(breaker)).unwrap();
    let unknown = "{ name = \"setBraker\", state = \"open\" }\nrefused = true";
    assert_eq!(mistakes(&with(unknown)).len(), 1);
}

/// The meter of the valid scenario reports every 10 s.
#[test]
fn no_command_comes_before_the_platform_knows_the_device() {
    let at = |at: &str| mistakes(&changed("at = \"2 min\"", &format!("at = \"{at}\"")));
    assert_eq!(at("10 s"), Vec::<String>::new());
    let early = "S035 34:6 <\"9.9 s\"> the platform does not know the device before 10 s";
    assert_eq!(at("9.9 s"), [early]);
}
