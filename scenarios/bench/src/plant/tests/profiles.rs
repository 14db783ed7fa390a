//! `[[grid.load]]` from tables: standard load profiles, and rows of powers with their times.

use super::grid::{Folder, with};
use super::{assert_printed, change, difference};
use lastmeter_language::Scenario;

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// A standard load profile of our own figures: 20 kWh, and a kWh more for each month that has
/// begun, 2 on Saturdays, 3 on Sundays, 1 on other days, and 0.01 more for each quarter. Its year
/// has 35,040 quarters of 20 + 2382 / 365 + 10 / 7 + 0.475 kWh on average: 996,173.1 kWh.
fn published() -> String {
    let columns = || (1..=12_u32).flat_map(|month| [(month, 2_u32), (month, 3), (month, 1)]);
    let clock = |quarter: u32| format!("{:02}:{:02}", quarter / 4 % 24, quarter % 4 * 15);
    let row = |first: String, field: &dyn Fn(u32, u32) -> String| {
        let fields = columns().map(|(month, day)| field(month, day));
        std::iter::once(first).chain(fields).collect::<Vec<_>>().join(",")
    };
    let mut rows = vec![
        row(String::new(), &|month, _| MONTHS[month as usize - 1].to_owned()),
        row("[kWh]".to_owned(), &|_, day| ["WT", "SA", "FT"][day as usize - 1].to_owned()),
    ];
    for quarter in 0..96_u32 {
        let energy = |month, day| {
            let hundredths = (20 + month + day) * 100 + quarter;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        };
        rows.push(row(format!("{}-{}", clock(quarter), clock(quarter + 1)), &energy));
    }
    rows.join("\n") + "\n"
}

fn folder(file: &str, text: &str) -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join(file), text).unwrap();
    folder
}

/// A load with the profile of [`published`].
fn standard(more: &str) -> String {
    let own = "[[grid.load]]\nname = \"h1\"\nprofile = \"standard\"\nfile = \"own.csv\"\n\
               annual_energy = \"3500 kWh\"\n";
    with(&format!("{own}{more}\n"))
}

/// What the first load draws in each step, W and var.
fn drawn(scenario: &Scenario) -> Vec<(f64, f64)> {
    let steps = scenario.feeder().unwrap().steps();
    steps.iter().map(|step| (step.loads[0].power_va[0].re, step.loads[0].power_va[0].im)).collect()
}

fn close(found: &[(f64, f64)], expected: &[f64]) {
    let near = |(found, expected): (&(f64, f64), &f64)| (found.0 - expected).abs() < 1e-3;
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(found.iter().zip(expected).all(near), "{found:?}, expected {expected:?}");
}

/// The power of 3500 kWh a year in a quarter of so many kWh of a year of a million.
fn watts(kwh: f64) -> f64 {
    kwh * 3500.0 / 1e6 * 4.0 * 1e3
}

#[test]
fn a_standard_load_profile_is_played_by_month_day_type_and_quarter() {
    let folder = folder("own.csv", &published());
    let watts_of = |text: &str| drawn(&folder.load(text).unwrap());
    // 11 h on Monday 21 June 2027, the 45th quarter: 20 + 6 + 1 + 0.44.
    close(&watts_of(&standard("")), &[watts(27.44), watts(27.44)]);
    close(&watts_of(&standard("holidays = [\"2027-06-21\"]")), &[watts(29.44); 2]);
    close(&watts_of(&standard("holidays = [\"2027-06-20\"]")), &[watts(27.44); 2]);
    // Midnight on Tuesday, and three quarters of an hour before on Monday.
    close(&watts_of(&standard("utc_offset = \"13 h\"")), &[watts(27.0); 2]);
    close(&watts_of(&standard("utc_offset = \"-12 h\"")), &[watts(29.92); 2]);
    // The 172nd day of the year.
    let factor = -3.92e-10 * 172_f64.powi(4) + 3.2e-7 * 172_f64.powi(3) - 7.02e-5 * 172_f64.powi(2)
        + 0.0021 * 172.0
        + 1.24;
    close(&watts_of(&standard("dynamic = true")), &[factor * watts(27.44); 2]);
    let lagging = watts_of(&standard("power_factor = 0.8"));
    assert!((lagging[0].1 - 0.75 * watts(27.44)).abs() < 1e-3, "{lagging:?}");
    let scenario = folder.load(&standard("holidays = [\"2027-06-21\"]")).unwrap();
    assert!(scenario.written.files.contains_key("own.csv"));
    let again = folder.load(&scenario.resolved_toml()).unwrap();
    assert_eq!(again.resolved_toml(), scenario.resolved_toml());
}

#[test]
fn a_step_takes_the_mean_of_the_quarters_it_spans_wherever_it_begins() {
    let folder = folder("own.csv", &published());
    let changed = |from: &str, to: &str| standard("").replacen(from, to, 1);
    // 10 min from 11:10 on have 5 min of one quarter and 5 min of the next.
    let late = changed("11:00:00Z", "11:10:00Z").replacen("\"5 min\"", "\"10 min\"", 1);
    close(&drawn(&folder.load(&late).unwrap()), &[watts(27.445)]);
    // Two hours over midnight: 4 quarters of Monday from 92 on, 4 of Tuesday.
    let long = changed("11:00:00Z", "23:00:00Z").replacen("\"5 min\"", "\"2 h\"", 1);
    let long = long.replacen("\"10 min\"", "\"2 h\"", 1);
    close(&drawn(&folder.load(&long).unwrap()), &[watts(27.475)]);
}

#[test]
fn invalid_standard_load_profiles_are_reported_with_their_span() {
    let whole = published();
    let without = |line: usize| {
        let kept = whole.lines().enumerate().filter(|(at, _)| at + 1 != line);
        kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    };
    let replaced = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1)
    };
    let texts = [
        replaced("[kWh]", "[W]"),
        replaced(",März", ",March"),
        replaced("WT", "WD"),
        replaced("SA,FT", "SA,SA"),
        replaced("11:00-", "11:05-"),
        replaced("23.00", "23,00"),
        replaced("24.00", "n/a"),
        without(98),
        without(50),
        whole
            .replace(",Dezember", "")
            .lines()
            .map(|line| line.split(',').take(34).collect::<Vec<_>>().join(",") + "\n")
            .collect(),
        "a,b\n".to_owned(),
    ];
    let load =
        |text: String| (difference(&whole, &text), folder("own.csv", &text).load(&standard("")));
    assert_printed("standard_load_profiles", texts.map(load));
    let folder = folder("own.csv", &whole);
    let found = folder.mistake(&standard("profile_energy = \"1000 kWh\""));
    assert!(
        found.starts_with("S027 <\"own.csv\"> a year of `own.csv` has 996173.1 kWh"),
        "{found}"
    );
    for date in ["2027-02-29", "24.12.2027", "2027-12-24T00:00:00Z", "2027-1-1"] {
        let found = folder.mistake(&standard(&format!("holidays = [\"2027-01-01\", \"{date}\"]")));
        assert!(found.ends_with(&format!("<\"{date}\"> `{date}` is not a date")), "{found}");
    }
    let found = folder.mistake(&standard("").replace("own.csv", "other.csv"));
    assert!(found.starts_with("S025 <\"other.csv\"> `other.csv` cannot be read"), "{found}");
}

/// A load with a table of powers.
fn rows(more: &str) -> String {
    with(&format!("[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"own.csv\"\n{more}\n"))
}

#[test]
fn the_times_of_a_table_determine_how_long_a_row_holds() {
    // Steps of 5 min; rows of 150 s, so each step has the mean of two.
    for text in [
        "time,h1\n0,100\n150,200\n300,300\n450,500\n",
        "h1,Time\n100,0\n200,150\n300,300\n500,450\n",
        "t,h1\n10,100\n160,200\n310,300\n460,500\n",
        "label,h1\n23:55,100\n23:57:30,200\n00:00,300\n00:02:30,500\n",
        "when,h1\n2027-01-18 23:55,100\n2027-01-18 23:57:30,200\n2027-01-19 00:00,300\n\
         2027-01-19 00:02:30,500\n",
        "Zeit,h1\n18.01.2027 23:55,100\n18.01.2027 23:57:30,200\n19.1.2027 00:00,300\n\
         19.01.2027 00:02:30,500\n",
        "when,h1\n2027-03-28T01:57:30+01:00,100\n2027-03-28T03:00:00+02:00,200\n\
         2027-03-28T03:02:30+02:00,300\n2027-03-28T03:05:00+02:00,500\n",
    ] {
        let folder = folder("own.csv", text);
        close(&drawn(&folder.load(&rows("")).unwrap()), &[150.0, 400.0]);
        close(&drawn(&folder.load(&rows("every = \"150 s\"")).unwrap()), &[150.0, 400.0]);
        let found = folder.mistake(&rows("every = \"5 min\""));
        assert!(
            found.starts_with("S027 <\"5 min\"> rows of `own.csv` follow each other"),
            "{found}"
        );
        assert!(found.contains("every 150 s, by `"), "{found}");
    }
    // No times: numbers may be powers. A row holds for a step, or `every`.
    for text in [
        "h2,h1\n0,100\n150,200\n300,300\n450,500\n",
        "h1\n100\n200\n300\n500\n",
        "time,h1\n0,100\n",
    ] {
        let folder = folder("own.csv", text);
        if text.lines().count() > 2 {
            close(&drawn(&folder.load(&rows("")).unwrap()), &[100.0, 200.0]);
            let every = rows("every = \"150 s\"");
            close(&drawn(&folder.load(&every).unwrap()), &[150.0, 400.0]);
        } else {
            close(&drawn(&folder.load(&rows("every = \"10 min\"")).unwrap()), &[100.0, 100.0]);
        }
    }
    // Words are times that nobody understands: they are reported, unless `every` states how
    // long a row holds.
    for (name, first, second) in [
        ("time", "18.01.2027", "19.01.2027"),
        ("Zeit", "18.1.27 00:00", "18.1.27 00:15"),
        ("day", "Monday", "Tuesday"),
        ("h", "1.2.3.2027 00:00", "1.2.3.2027 00:15"),
    ] {
        let folder = folder("own.csv", &format!("{name},h1\n{first},100\n{second},200\n"));
        close(&drawn(&folder.load(&rows("every = \"5 min\"")).unwrap()), &[100.0, 200.0]);
        let found = folder.mistake(&rows(""));
        let expected = format!("`own.csv`, line 2, column 1: `{first}` is not a supported time");
        assert!(found.starts_with(&format!("S026 <\"own.csv\"> {expected}")), "{found}");
    }
}

#[test]
fn milliseconds_are_recognised() {
    let hint = "(seconds since 1970 have ten digits: are these milliseconds?)";
    for (name, text) in [
        ("time", "1800000000000,100\n1800000060000,200\n"),
        ("timestamp", "9000000000,100\n9300000000,200\n"),
    ] {
        let folder = folder("own.csv", &format!("{name},h1\n{text}"));
        let found = folder.mistake(&rows(""));
        assert!(found.starts_with("S026 <\"own.csv\"> `own.csv`, line "), "{found}");
        assert!(found.contains(hint), "{found}");
    }
    // Under another name it is a power, however large.
    let folder = folder("own.csv", "x,h1\n1e13,100\n1e13,200\n");
    close(&drawn(&folder.load(&rows("")).unwrap()), &[100.0, 200.0]);
}

#[test]
fn units_in_headers_are_obeyed() {
    let own = |header: &str, row: &str, more: &str| {
        let text = format!("time,{header}\n0,{row}\n300,{row}\n600,{row}\n");
        drawn(&folder("own.csv", &text).load(&rows(more)).unwrap())[0]
    };
    let near = |found: (f64, f64), expected: (f64, f64)| {
        let off = (found.0 - expected.0).abs().max((found.1 - expected.1).abs());
        assert!(off < 1e-3, "{found:?} is not {expected:?}");
    };
    let q = |p: &str, q: &str| format!("column = \"{p}\"\nreactive_column = \"{q}\"");
    near(own("P [kW]", "1.5", "column = \"P [kW]\""), (1500.0, 0.0));
    near(own("P (MW)", "0.0015", "column = \"P (MW)\""), (1500.0, 0.0));
    near(own("P_kW", "1.5", "column = \"P_kW\""), (1500.0, 0.0));
    near(own("P / W", "1.5", "column = \"P / W\""), (1.5, 0.0));
    near(own("P [kW]", "1.5", "unit = \"kW\"\ncolumn = \"P [kW]\""), (1500.0, 0.0));
    near(own("h1 [kW]", "2", "column = \"{load} [kW]\""), (2000.0, 0.0));
    near(own("P [kW],Q [var]", "1,200", &q("P [kW]", "Q [var]")), (1000.0, 200.0));
    let unit = |p: &str| format!("unit = \"kW\"\n{}", q(p, "Q"));
    near(own("P [kW],Q", "1,2", &unit("P [kW]")), (1000.0, 2000.0));
    // What stands in brackets and is no unit is a remark, if `unit` states what the unit is.
    near(own("P [north]", "1", "unit = \"kW\"\ncolumn = \"P [north]\""), (1000.0, 0.0));
    let cases = [
        ("P [kW]", "unit = \"W\"\ncolumn = \"P [kW]\"".to_owned()),
        ("P [kWh]", "column = \"P [kWh]\"".to_owned()),
        ("P [kWh]", "unit = \"kW\"\ncolumn = \"P [kWh]\"".to_owned()),
        ("P [north]", "column = \"P [north]\"".to_owned()),
        ("P [kW],Q", q("P [kW]", "Q")),
    ];
    let load = |(header, more): (&str, String)| {
        let text = format!("time,{header}\n0,1,1\n300,1,1\n600,1,1\n");
        let text = if header.contains(',') { text } else { text.replace(",1,1", ",1") };
        (change("", &format!("{header}\n{more}")), folder("own.csv", &text).load(&rows(&more)))
    };
    assert_printed("units_in_headers", cases.map(load));
}

#[test]
fn units_of_times_are_obeyed() {
    // Rows of 150 s: a step of 5 min takes the mean of two.
    for (name, numbers) in [
        ("time", ["0", "150", "300", "450"]),
        ("t [ms]", ["0", "150000", "300000", "450000"]),
        ("time_ms", ["0", "150000", "300000", "450000"]),
        ("Time (min)", ["0", "2.5", "5", "7.5"]),
        ("timestamp [ms]", ["1800000000000", "1800000150000", "1800000300000", "1800000450000"]),
        ("time [UTC]", ["00:00:00", "00:02:30", "00:05:00", "00:07:30"]),
    ] {
        let powers = ["100", "200", "300", "500"];
        let body: Vec<String> =
            numbers.iter().zip(powers).map(|(time, power)| format!("{time},{power}\n")).collect();
        let folder = folder("own.csv", &format!("{name},h1\n{}", body.concat()));
        close(&drawn(&folder.load(&rows("")).unwrap()), &[150.0, 400.0]);
    }
    let found = folder("own.csv", "t [fortnight],h1\n0,1\n1,1\n").mistake(&rows(""));
    let expected = "S026 <\"own.csv\"> `own.csv`, line 1, column 1: the times of column \
                    `t [fortnight]` are numbers of `fortnight`, which is not a unit of time";
    assert!(found.starts_with(expected), "{found}");
}

/// Codes and messages of the warnings.
fn warned(text: &str, scenario: &str) -> Vec<String> {
    let scenario = folder("own.csv", text).load(scenario).unwrap();
    scenario.written.warnings.iter().map(|it| format!("{} {}", it.code, it.message)).collect()
}

#[test]
fn tables_that_are_hardly_what_was_meant_are_warned_of() {
    let whole = "time,h1\n0,100\n300,200\n";
    assert_eq!(warned(whole, &rows("")), [""; 0]);
    let found = warned(whole.trim_end(), &rows(""));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("W004 `own.csv`: the last line has no end, so it may be cut"));
    // Milliseconds that are read as seconds: one row lasts longer than the scenario.
    let found = warned("time,h1\n0,100\n300000,200\n600000,300\n", &rows(""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("W004 `own.csv`: its rows follow each other every "), "{found:?}");
    assert!(found[0].ends_with("plays the first of 3 rows and no other"), "{found:?}");
    // Rows of an hour, and of a day, are meant.
    for usual in ["time,h1\n0,100\n3600,200\n", "time,h1\n0,100\n86400,200\n"] {
        assert_eq!(warned(usual, &rows("")), [""; 0], "{usual}");
    }
}

#[test]
fn networks_that_are_hardly_what_was_meant_are_warned_of() {
    let folder = Folder::new();
    let path = folder.0.path().join("net.toml");
    let network = std::fs::read_to_string(&path).unwrap();
    let warned = |network: &str| {
        std::fs::write(&path, network).unwrap();
        let scenario = folder.load(&with("")).unwrap();
        let warnings = scenario.written.warnings.iter();
        warnings.filter(|it| it.code.to_string() == "W004").map(|it| it.message.clone()).collect()
    };
    let found: Vec<String> = warned(&network);
    assert_eq!(found, [""; 0]);
    let bus = "node = \"bus\"\n";
    let found: Vec<String> = warned(&network.replace(bus, &format!("{bus}voltage = \"690 V\"\n")));
    assert_eq!(found.len(), 1);
    let expected = "`net.toml`: line 7: source `supply`: its voltage is 690 V, and node `bus` is";
    assert!(found[0].starts_with(expected), "{found:?}");
    // A line between voltages is a mistake.
    let end = "name = \"end\"\n";
    std::fs::write(&path, network.replace(end, &format!("{end}voltage = \"230 V\"\n"))).unwrap();
    let found = folder.mistake(&with(""));
    let expected = "S026 <\"net.toml\"> net.toml:15: line L1: node bus is rated for 400 V and node";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn uneven_times_are_reported_as_far_as_a_scenario_needs_them() {
    let texts = [
        "time,h1\n0,1\n150,1\n301,1\n450,1\n",
        "time,h1\n0,1\n150,1\nx,1\n450,1\n",
        "time,h1\n0,1\n\n00:05,1\n",
        "a,time,h1\n0,300,1\n0,0,1\n",
        // A hole that the first rows are beside, behind all that the scenario needs.
        "a,h1\n00:00,1\n00:30,1\n00:45,1\n",
        "a,h1\n10:00,1\n09:45,1\n09:30,1\n",
        "a,h1\n00:00,1\n00:00,1\n",
        "a,h1\n00:00,1\n00:02,1\n00:04,1\n00:02,1\n00:04,1\n",
    ];
    for (name, more) in [("uneven_times", ""), ("uneven_times_with_every", "every = \"150 s\"")] {
        let load = |text: &str| (change("", text), folder("own.csv", text).load(&rows(more)));
        assert_printed(name, texts.map(load));
    }
    // The hour that a clock is set on by, behind what is needed.
    let text = "time,h1\n01:50,100\n01:55,200\n03:00,300\n";
    close(&drawn(&folder("own.csv", text).load(&rows("")).unwrap()), &[100.0, 200.0]);
}

#[test]
fn two_columns_of_one_name_are_refused_where_a_load_draws_from_them() {
    let folder = folder("own.csv", "h1,h2,h1,q,q\n1,2,3,4,5\n1,2,3,4,5\n");
    let found = folder.mistake(&rows(""));
    assert!(found.ends_with("columns 1 and 3 of `own.csv` are both called `h1`"), "{found}");
    let found = folder.mistake(&rows("column = \"h2\"\nreactive_column = \"q\""));
    assert_eq!(found, "S026 <\"q\"> columns 4 and 5 of `own.csv` are both called `q`");
    close(&drawn(&folder.load(&rows("column = \"h2\"")).unwrap()), &[2.0, 2.0]);
}

#[test]
fn non_numeric_fields_are_reported_with_line_and_column() {
    let texts = [
        "t,h2,h1\n0,1,2\n\n300,1,2 kW\n",
        "h1\n1\nnan\n",
        "h2,h1\n1,\n1,2\n",
        "h2,h1\n1,2\n1\n",
        "t;h2;h1\n0;1,5;2\n",
        "h1\n1\n",
    ];
    let load = |text: &str| (change("", text), folder("own.csv", text).load(&rows("")));
    assert_printed("non_numeric_fields", texts.map(load));
    // What a scenario does not need is not looked at.
    let folder = folder("own.csv", "h2,h1\n0,1\nx,2\nx,x\n");
    close(&drawn(&folder.load(&rows("")).unwrap()), &[1.0, 2.0]);
}

/// A generator's column that is not turned round makes it a load, which has to be meant.
#[test]
fn a_generator_that_would_draw_its_column_needs_a_scale() {
    let folder = folder("own.csv", "h1,h2\n100,1\n200,-1\n");
    let path = folder.0.path().join("net.toml");
    let network = std::fs::read_to_string(&path).unwrap();
    let generator = network.replacen("[[load]]\nname = \"h1\"", "[[generator]]\nname = \"h1\"", 1);
    std::fs::write(&path, generator.replacen("[[load]]", "[[generator]]", 1)).unwrap();
    let first = |more: &str| {
        let scenario = folder.load(&rows(more)).unwrap();
        let feeder = scenario.feeder().unwrap();
        let loads = &feeder.network().loads;
        let at = loads.iter().position(|load| &*load.name == "h1").unwrap();
        assert!(loads[at].generator);
        feeder.steps()[0].loads[at].power_va[0].re.round()
    };
    let found = folder.mistake(&rows(""));
    assert!(found.starts_with("S027 "), "{found}");
    assert!(
        found.ends_with("generator `h1` would draw what its column holds, all the time"),
        "{found}"
    );
    assert!((first("scale = -1") + 100.0).abs() < 1e-9);
    assert!((first("scale = 1") - 100.0).abs() < 1e-9);
    // What is delivered now and then is no slip of the sign.
    assert!((first("column = \"h2\"") - 1.0).abs() < 1e-9);
}

/// A household's or a standard profile is always drawn; a pattern easily fits a roof as well.
#[test]
fn generators_draw_no_profile_of_homes() {
    let folder = folder("own.csv", "h1\n100\n200\n");
    let path = folder.0.path().join("net.toml");
    let network = std::fs::read_to_string(&path).unwrap();
    let generator = network.replacen("[[load]]\nname = \"h1\"", "[[generator]]\nname = \"h1\"", 1);
    std::fs::write(&path, generator).unwrap();
    let row = |name: &str, profile: &str| {
        with(&format!("[[grid.load]]\nname = \"{name}\"\nprofile = {profile}\n"))
    };
    for (name, profile) in [("*", "household"), ("h*", "household"), ("h1", "household")] {
        let found = folder.mistake(&row(name, &format!("\"{profile}\"")));
        let expected = format!("generator `h1` would draw the profile `{profile}`");
        assert_eq!(found, format!("S027 <\"{name}\"> {expected}"));
    }
    let standard = "\"standard\"\nfile = \"own.csv\"\nannual_energy = \"1 kWh\"";
    let found = folder.mistake(&row("*", standard));
    assert_eq!(found, "S027 <\"*\"> generator `h1` would draw the profile `standard`");
    for profile in ["\"constant\"", "\"solar\"\npeak = \"1 kW\""] {
        assert!(folder.load(&row("h1", profile)).is_ok());
    }
    assert!(folder.load(&row("h2", "\"household\"")).is_ok());
}

#[test]
fn what_is_constant_has_the_parts_of_the_file_and_not_shares_of_their_sum() {
    let folder = Folder::new();
    let path = folder.0.path().join("net.toml");
    let network = std::fs::read_to_string(&path).unwrap();
    let uneven = "p = [\"3 kW\", \"-3 kW\", \"0 kW\"]\nq = [\"0 kvar\", \"0 kvar\", \"2 kvar\"]";
    std::fs::write(&path, network.replace("p = \"9 kW\"", uneven)).unwrap();
    let constant = "[[grid.load]]\nname = \"shop\"\nprofile = \"constant\"\n";
    let parts = |more: &str| {
        let scenario = folder.load(&with(more)).unwrap();
        let found = scenario.feeder().unwrap().steps()[0].loads[2].power_va;
        found.map(|part| (part.re.round(), part.im.round()))
    };
    assert_eq!(parts(""), [(3000.0, 0.0), (-3000.0, 0.0), (0.0, 2000.0)]);
    assert_eq!(parts(constant), parts(""));
}
