//! Every mistake of a grammar is reported with its line, and all at once.

use super::{grammar, mistakes};

/// Line and begin of each mistake of the faulty grammar.
const FAULTS: &[(&str, &str)] = &[
    ("line 2", "S006: `send` is empty"),
    ("line 3", "S017: field `u` stands twice in `answer`"),
    ("line 3", "S018: field `lost` of `answer` is not described"),
    ("line 3", "S027: there is nothing between `{i}` and `{p}`"),
    ("line 3", "S027: `answer` has no line end"),
    ("line 5", "S014: unknown quantity `electricity.voltage.rms.l9`"),
    ("line 8", "S010: `V` is a unit of voltage, not of current"),
    ("line 10", "S017: two fields carry `electricity.current.rms.l1`"),
    ("line 11", "S009: unknown unit `kw`"),
    ("line 12", "S018: field `spare` does not stand in `answer`"),
    ("line 15", "S006: `least` of field `spare` lies above its `greatest`"),
    ("line 19", "S006: `modulo`"),
    ("line 26", "S027: `timeout` without `send`"),
    ("line 27", "S027: this answer ends in `\\r`, and the first one in `\\n`"),
    ("line 28", "S004: field `a` has neither `quantity` nor `role`"),
    ("line 30", "S004: a status without `good`"),
    ("line 33", "S017: two fields carry `electricity.frequency`"),
];

#[test]
fn all_mistakes_are_reported_at_once_each_with_its_line() {
    let text = include_str!("mistakes.toml");
    let found = mistakes(text);
    for (line, begin) in FAULTS {
        let expected = format!("{line}: {begin}");
        assert!(found.iter().any(|one| one.starts_with(&expected)), "{expected}\n{found:#?}");
    }
    assert_eq!(found.len(), FAULTS.len(), "{found:#?}");
}

/// A grammar of one request that answers so, with one field `u` with these keys.
fn of(answer: &str, keys: &str) -> String {
    format!("[[request]]\nsend = \"?\"\nanswer = \"{answer}\"\n[request.field.u]\n{keys}\n")
}

const VOLTAGE: &str = "quantity = \"electricity.voltage.rms.l1\"\nunit = \"V\"";

#[test]
fn each_mistake_of_an_answer_is_found() {
    for (answer, expected) in [
        ("U={u}V", "`answer` has no line end"),
        ("U={u}V%", "`answer` has no line end"),
        ("U={u}V*", "`answer` has no line end"),
        ("U={u}\\nV\\n", "the line end stands within `answer`"),
        ("U={u};V;", "the line end stands within `answer`"),
        ("U={u\\n", "a brace of `answer` has no other"),
        ("U={u}}\\n", "a brace of `answer` has no other"),
        ("{u} {}\\n", "a field of `answer` has no name"),
        ("*{u}\\n", "there is nothing between `*` and `{u}`"),
        ("{u}{u}\\n", "there is nothing between `{u}` and `{u}`"),
        ("{u}0\\n", "`0` behind `{u}` may be part of its number"),
        ("{u}.V\\n", "`.` behind `{u}` may be part of its number"),
        ("{u}*\\n", "whatever stands behind a number would be ignored"),
        ("{u} V *\\n", "whatever stands behind a number would be ignored"),
        ("{u}* V\\n", "whatever stands behind a number would be ignored"),
        ("{u}eV\\n", "`e` behind `{u}` may be part of its number"),
    ] {
        let found = mistakes(&of(answer, VOLTAGE));
        let placed = |one: &String| one.starts_with("line 3: ") && one.contains(expected);
        assert!(found.iter().any(placed), "{answer}: {found:#?}");
    }
    for answer in ["", "\\r\\n", "  \\n", "*\\n"] {
        let found = mistakes(&of(answer, VOLTAGE));
        assert!(found[0].starts_with("line 3: S027: `answer` is empty"), "{answer}: {found:#?}");
    }
    let hexadecimal = mistakes(&of("{u}A\\n", &format!("{VOLTAGE}\nbase = 16")));
    assert!(hexadecimal[0].contains("`A` behind `{u}` may be part"), "{hexadecimal:#?}");
    // What looks like a mistake and is none.
    for answer in [
        "{u}A\\n",
        "{u},V\\n",
        "{u} 0\\n",
        "{{{u}}}\\n",
        "{*}{u}{*}\\n",
        "* {u}\\u0003",
        "{u} V * A\\n",
    ] {
        grammar(&of(answer, VOLTAGE));
    }
}

#[test]
fn each_mistake_of_a_field_is_found() {
    for (keys, line, expected) in [
        (format!("{VOLTAGE}\nscale = 0"), 7, "the scale of field `u` is 0"),
        (format!("{VOLTAGE}\nbase = 12"), 7, "numbers of base 12 are unsupported"),
        (format!("{VOLTAGE}\nleast = \"1 A\""), 7, "`A` is a unit of current"),
        (format!("{VOLTAGE}\nleast = 1"), 7, "`1` has no unit"),
        (format!("{VOLTAGE}\nmodulo = 9"), 7, "`modulo` is a key of fields of role `sequence`"),
        (format!("{VOLTAGE}\nrole = \"node\""), 5, "`quantity` is a key of fields that carry"),
        (format!("{VOLTAGE}\ndecimals = 99"), 7, "`decimals`"),
        (format!("{VOLTAGE}\ndecimal = \";\""), 7, "`decimal` cannot be `;`"),
        (VOLTAGE.replace("unit", "untt"), 6, "did you mean `unit`?"),
        ("quantity = \"electricity.voltage.rms.l1\"".to_owned(), 4, "field `u` has no `unit`"),
        ("role = \"sequense\"".to_owned(), 5, "did you mean `sequence`?"),
        ("role = \"status\"".to_owned(), 4, "a status without `good`"),
        ("role = \"sequence\"\nmodulo = 0".to_owned(), 6, "`modulo`"),
        ("role = \"version\"\nbase = 16".to_owned(), 6, "`base` is a key of fields that are"),
    ] {
        let found = mistakes(&of("{u}\\n", &keys));
        let begin = format!("line {line}: ");
        let placed = |one: &String| one.starts_with(&begin) && one.contains(expected);
        assert!(found.iter().any(placed), "{keys}: {found:#?}");
    }
    let twice = "[[request]]\nanswer = \"{a} {b}\\n\"\n[request.field.a]\nrole = \"sequence\"\n\
                 [request.field.b]\nrole = \"sequence\"\n";
    let expected = "line 5: S017: two fields are of role `sequence`: already the role of field `a`";
    assert_eq!(mistakes(twice), [expected]);
}

#[test]
fn the_section_is_written_as_it_should_be() {
    for (text, expected) in [
        ("", "line 1: S004: there is no request"),
        ("request = []", "line 1: S005: `request` is a section whose tables repeat"),
        ("[request]\nanswer = \"x\\n\"", "write `[[request]]` with double brackets"),
        ("[[reqest]]\nanswer = \"x\\n\"", "did you mean `request`?"),
        ("[[request]]\nsend = \"?\"", "key `answer` is missing"),
        ("[[request]]\nanswer = \"x\\n\"\nfield = 3", "a field is described by a table"),
        ("[[request]]\nanswer = \"{x}\\n\"\nfield.x = 3", "a field is described by a table"),
        ("[[request]]\nanswer = \"x\\n\"\nevery = \"1 s\"", "unknown key `every`"),
    ] {
        let found = mistakes(text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:#?}");
    }
}
