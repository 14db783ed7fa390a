//! Tables against their fields: one located diagnostic for each mistake, and the values else.

use lastmeter_params::{Code, Dimension, Field, Kind, Value, Values, read_text};
use lastmeter_units::SimDuration;

pub(crate) static COMMON: &[Field] = &[
    Field::required("name", Kind::Name, "What others call it."),
    Field::optional("start", Kind::Instant, "When it begins."),
];

static HARMONIC: &[Field] = &[
    Field::required("order", Kind::Integer { min: 2, max: 50 }, "Which multiple."),
    Field::default(
        "share",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 },
        "\"1 %\"",
        "Relative to the fundamental.",
    ),
];

const ANY_RATIO: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: -1.0, max: 1.0 };

pub(crate) static OWN: &[Field] = &[
    Field::default(
        "voltage",
        Kind::Quantity { dimension: Dimension::Voltage, min: 0.0, max: 1e6 },
        "\"230 V\"",
        "RMS value.",
    ),
    Field::default(
        "every",
        Kind::Quantity { dimension: Dimension::Time, min: 0.1, max: f64::INFINITY },
        "\"10 s\"",
        "How often.",
    ),
    Field::optional(
        "limit",
        Kind::QuantityOfAny(&[Dimension::Ratio, Dimension::Voltage]),
        "Up to.",
    ),
    Field::default("mode", Kind::Choice(&["samples", "windows"]), "\"samples\"", "How."),
    Field::default("strict", Kind::Boolean, "false", "Whether."),
    Field::default("count", Kind::Integer { min: 1, max: i64::MAX }, "1", "How many."),
    Field::default("phases", Kind::List(&ANY_RATIO), "[0, 0.5]", "Weights."),
    Field::default("harmonics", Kind::List(&Kind::Table(HARMONIC)), "[]", "Harmonics."),
    Field::optional("note", Kind::Text, "Anything."),
    Field::retired("volts", "write `voltage`, with its unit"),
];

pub(crate) fn read(text: &str) -> Result<Values, Vec<lastmeter_params::Diagnostic>> {
    read_text(text, &[COMMON, OWN])
}

fn mistakes(text: &str) -> Vec<String> {
    read(text)
        .expect_err("the text has mistakes")
        .into_iter()
        .map(|found| {
            let marked = &text[found.span.start..found.span.end];
            let help = found.help.map(|help| format!(" | {help}")).unwrap_or_default();
            format!("{} <{marked}> {}: {}{help}", found.code, found.message, found.label)
        })
        .collect()
}

#[test]
fn values_are_in_si_units_and_defaults_stand_in() {
    let text = "name = \"g\"\nvoltage = \"1.5 kV\"\nlimit = \"0.5 %\"\nmode = \"windows\"\n\
                start = 2027-01-18T18:00:00+01:00\n\
                harmonics = [{ order = 5 }, { order = 7, share = \"3 %\" }]\n";
    let values = read(text).unwrap();
    assert_eq!(values.text("name"), "g");
    assert_eq!(values.si("voltage"), 1500.0);
    assert_eq!(values.duration("every"), SimDuration::from_seconds(10));
    assert!(values.is_default("every") && !values.is_default("voltage"));
    let written_out = read(&format!("{text}every = \"10 s\"\n")).unwrap();
    assert!(written_out.is_default("every"), "a default that is written out stays one");
    let limit =
        Value::Quantity { si: 0.005, dimension: Dimension::Ratio, written: "0.5 %".to_owned() };
    assert_eq!(values.get("limit"), Some(&limit));
    assert_eq!(values.instant_opt("start").unwrap().to_string(), "2027-01-18T17:00:00.000Z");
    assert_eq!(values.si_list("phases"), [0.0, 0.5]);
    let shares: Vec<f64> = values.tables("harmonics").iter().map(|row| row.si("share")).collect();
    assert_eq!(shares, [0.01, 0.03]);
    assert_eq!(values.text_opt("note"), None);
}

#[test]
fn a_resolved_table_writes_its_defaults_out() {
    let values =
        read("name = \"g\"\nnote = \"a \\\"b\\\" \\\\\\n\\u007f\"\n[[harmonics]]\norder = 5\n")
            .unwrap();
    assert_eq!(
        values.to_toml(),
        "name = \"g\"\nvoltage = \"230 V\"\nevery = \"10 s\"\nmode = \"samples\"\nstrict = false\n\
         count = 1\nphases = [\"0\", \"0.5\"]\nharmonics = [{ order = 5, share = \"1 %\" }]\n\
         note = \"a \\\"b\\\" \\\\\\n\\u007F\"\n"
    );
    assert!(read(&values.to_toml()).unwrap().same_values(&values));
}

#[test]
fn each_mistake_is_reported_once_where_it_stands() {
    let text = "name = \"a b\"\nvoltage = 230\nevery = \"10 ms\"\nlimit = \"-1 V\"\n\
                mode = \"window\"\nstrict = \"true\"\ncount = 0\nphases = [\"50 %\", \"x\", 3]\n\
                votlage = 1\n\
                harmonics = [{ ordre = 3, order = 51 }, 7]\nstart = 2027-01-18T17:00:00\n\
                note = 4\n";
    let expected = [
        "S013 <\"a b\"> this is no name: not usable as a name | letters, digits, `-`, `_` and `.`, \
         starting with a letter or digit, at most 64",
        "S008 <230> `230` has no unit: expected a voltage with its unit, as text \
         | write `\"230 V\"`",
        "S006 <\"10 ms\"> `every` is out of range: at least 100 ms",
        "S006 <\"-1 V\"> `limit` is out of range: must not be negative",
        "S007 <\"window\"> `mode` cannot be `window`: expected one of `samples`, `windows` \
         | did you mean `windows`?",
        "S005 <\"true\"> `strict` takes `true` or `false`, and this is text: expected `true` or \
         `false` | leave the quotes out",
        "S006 <0> `count` is out of range: at least 1",
        "S011 <\"x\"> `x` is not a number with a unit: expected a ratio such as `\"1 %\"` or \
         `0.01` | write for example `\"10 %\"`",
        "S006 <3> `phases` is out of range: from -1 to 1",
        "S003 <votlage> unknown key `votlage`: unexpected here",
        "S003 <ordre> unknown key `ordre`: unexpected here | keys that may stand here: `share`",
        "S006 <51> `order` is out of range: from 2 to 50",
        "S005 <7> `harmonics` takes a table, and this is a whole number: expected a table",
        "S015 <2027-01-18T17:00:00> this is no instant: expected a date with time and offset, in \
         the years 1678 to 2261 | write `2027-01-18T17:00:00Z`",
        "S005 <4> `note` takes text, and this is a whole number: expected text | text stands \
         between double quotes",
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn an_unknown_key_points_to_the_nearest_free_one() {
    let found = mistakes("name = \"a\"\nvotlage = \"1 V\"\n");
    let expected =
        "S003 <votlage> unknown key `votlage`: unexpected here | did you mean `voltage`?";
    assert_eq!(found, [expected]);
}

#[test]
fn a_misspelt_key_is_not_missing_as_well() {
    let expected = "S003 <naem> unknown key `naem`: unexpected here | did you mean `name`?";
    assert_eq!(mistakes("naem = \"a\"\n"), [expected]);
}

#[test]
fn a_key_of_earlier_versions_is_rejected_with_what_to_write_instead() {
    let expected = "S003 <volts> key `volts` is no longer supported: a key of earlier versions \
                    | write `voltage`, with its unit";
    assert_eq!(mistakes("name = \"a\"\nvolts = 230\n"), [expected]);
    assert_eq!(read("name = \"a\"\n").unwrap().get("volts"), None);
    let schema = lastmeter_params::schema::object(&[COMMON, OWN]);
    assert!(schema["properties"]["voltage"].is_object() && schema["properties"]["volts"].is_null());
}

#[test]
fn a_missing_key_is_reported_with_its_meaning() {
    let expected = "S004 <> key `name` is missing: needs a name | `name`: What others call it.";
    assert_eq!(mistakes("note = \"x\"\n"), [expected]);
}

#[test]
fn after_a_syntax_error_nothing_else_is_reported_of_the_keys() {
    let found = read("name = a\nvoltage = 230\n").expect_err("two mistakes");
    let codes: Vec<Code> = found.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::SYNTAX, Code::MISSING_UNIT]);
}
