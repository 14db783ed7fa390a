//! Commands that would not be carried out are mistakes of the scenario, told where they stand.

use super::{changed, mistakes};

/// The valid scenario with another command.
fn with(command: &str) -> Vec<String> {
    mistakes(&changed("{ name = \"setReportingPeriod\", seconds = 5 }", command))
}

#[test]
fn what_cannot_be_given_or_would_be_refused_is_told_with_its_place() {
    for (command, told) in [
        (
            r#"{ name = "setReportingPeriod", second = 5 }"#,
            "S035 37:51 <5> `setReportingPeriod` has no parameter `second`; it has seconds",
        ),
        (
            r#"{ name = "setRegister", register = "CHV1" }"#,
            "S035 37:11 <{ name = \"setRegister\", register = \"CHV1\" }> `setRegister` needs the \
             parameter `value`",
        ),
        (
            r#"{ name = "setReportingPeriod", seconds = "soon" }"#,
            "S035 37:52 <\"soon\"> `seconds` is `soon`, expected a number above zero",
        ),
        (
            r#"{ name = "setReportingPeriod", seconds = 0.1 }"#,
            "S035 37:52 <0.1> `seconds` is 0.1, expected a number from 0.25 to 86400",
        ),
        (
            r#"{ name = "readRegister", register = "CHX1" }"#,
            "S035 37:47 <\"CHX1\"> unknown register `CHX1`; there are CHV1, CHC1, PHC1, OFA1, ...",
        ),
        (
            r#"{ name = "setRegister", register = "CHV1", value = 5000 }"#,
            "S035 37:62 <5000> `5000` does not fit CHV1: expected a whole number from 0 to 4095, or \
             its 12 bits",
        ),
        (
            r#"{ name = "setBreaker", state = "ajar" }"#,
            "S035 37:42 <\"ajar\"> `state` has to be `open` or `closed`",
        ),
        (
            r#"{ name = "setBreaker", state = "open" }"#,
            "S035 37:11 <{ name = \"setBreaker\", state = \"open\" }> this device has no breaker",
        ),
    ] {
        assert_eq!(with(command), [told], "{command}");
    }
    for command in [
        r#"{ name = "setRegister", register = "CHV1", value = 2048 }"#,
        r#"{ name = "setRegister", register = "CHV1", value = "0x800" }"#,
        r#"{ name = "readRegister", register = "CHV1" }"#,
    ] {
        assert_eq!(with(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_refusal_may_be_what_is_tested_but_what_cannot_be_given_stays_a_mistake() {
    let breaker = "{ name = \"setBreaker\", state = \"open\" }\nrefused = true";
    assert_eq!(with(breaker), Vec::<String>::new());
    let unknown = "{ name = \"setBraker\", state = \"open\" }\nrefused = true";
    assert_eq!(with(unknown).len(), 1);
}

/// The meter of the valid scenario reports every 10 s.
#[test]
fn no_command_comes_before_the_platform_knows_the_device() {
    let at = |at: &str| mistakes(&changed("at = \"2 min\"", &format!("at = \"{at}\"")));
    assert_eq!(at("10 s"), Vec::<String>::new());
    let early = "S035 34:6 <\"9.9 s\"> the platform does not know the device before 10 s";
    assert_eq!(at("9.9 s"), [early]);
}
