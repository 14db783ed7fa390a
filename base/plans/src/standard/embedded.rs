//! The test plans that come along.

/// Test plans by name, as files.
pub static EMBEDDED: &[(&str, &str)] = &[
    ("iec-62053-21-2003", include_str!("../../test_plans/iec-62053-21-2003.toml")),
    ("iec-62053-22-2003", include_str!("../../test_plans/iec-62053-22-2003.toml")),
    ("iec-62053-23-2003", include_str!("../../test_plans/iec-62053-23-2003.toml")),
    ("en-50470-3-2006", include_str!("../../test_plans/en-50470-3-2006.toml")),
    ("mid-annex-v", include_str!("../../test_plans/mid-annex-v.toml")),
    ("oiml-r46-2012", include_str!("../../test_plans/oiml-r46-2012.toml")),
    ("iec-61000-4-30-a", include_str!("../../test_plans/iec-61000-4-30-a.toml")),
    ("iec-61000-4-30-s", include_str!("../../test_plans/iec-61000-4-30-s.toml")),
    ("iec-61000-4-7", include_str!("../../test_plans/iec-61000-4-7.toml")),
    ("iec-61000-4-15", include_str!("../../test_plans/iec-61000-4-15.toml")),
    ("paper-table-1-sinusoidal", include_str!("../../test_plans/paper-table-1-sinusoidal.toml")),
    (
        "paper-table-1-nonsinusoidal",
        include_str!("../../test_plans/paper-table-1-nonsinusoidal.toml"),
    ),
];

/// The text of a test plan that comes along.
pub fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The name of the transducer's curves (`part,x,voltage,current`) among those files.
pub const TRANSDUCER_FILE: &str = "transducer.csv";

/// What stands before a test plan's name among the files that a run was judged by.
pub const TEST_PLAN_FILE_PREFIX: &str = "suite:";
