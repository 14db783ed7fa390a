//! The examples of docs/examples start what there is.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: ServeOptions,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs/examples").join(name)).unwrap()
}

/// The values of a key, in order.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(key)).map(str::trim).collect()
}

/// The options of `serve` in a command line that begins with the program.
fn options(words: &[&str]) -> ServeOptions {
    assert_eq!(words[..2], ["/usr/bin/lastmeter", "serve"]);
    Line::try_parse_from(&words[1..]).unwrap_or_else(|error| panic!("{error}")).options
}

#[test]
fn the_unit_starts_the_program_as_nobody_and_ends_it_in_an_orderly_way() {
    let unit = example("lastmeter.service");
    let [started] = values(&unit, "ExecStart=")[..] else { panic!("one ExecStart") };
    let options = options(&started.split(' ').collect::<Vec<_>>());
    assert_eq!(options.config, Some("%d/platform.toml".into()));
    assert_eq!(options.data, Some("%S/lastmeter".into()));
    assert_eq!(values(&unit, "StateDirectory="), ["lastmeter"]);
    let credentials = values(&unit, "LoadCredential=");
    assert_eq!(credentials, ["platform.toml:/etc/lastmeter/platform.toml"]);
    for hardening in [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "KillSignal=SIGTERM",
        "UMask=0077",
    ] {
        assert!(unit.lines().any(|line| line == hardening), "{hardening}");
    }
    let number = |key| values(&unit, key)[0].parse::<u64>().unwrap();
    let limits = lastmeter_platform::Limits::default();
    assert!(number("TimeoutStopSec=") > limits.shutdown_s);
    assert!(number("LimitNOFILE=") >= 4 * limits.rest_connections as u64);
    assert_eq!(number("RestartPreventExitStatus="), ExitCode::BadInput as u64);
}

#[test]
fn the_container_is_built_from_what_there_is_and_runs_without_root() {
    let file = example("Containerfile");
    let toolchain: toml::Table =
        std::fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap().parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let from = values(&file, "FROM ");
    assert!(from[0].contains(&format!("rust:{channel}-slim-bookworm AS build")), "{from:?}");
    assert!(from[1].contains("debian:bookworm-slim"), "{from:?}");
    let workspace = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("name = \"lastmeter\""), "the program that is copied");
    assert_eq!(
        values(&file, "COPY --from=build "),
        ["/src/target/release/lastmeter /usr/bin/lastmeter"]
    );
    assert_eq!(values(&file, "USER "), ["lastmeter"]);
    assert_eq!(values(&file, "STOPSIGNAL "), ["SIGTERM"]);
    let words = |key| serde_json::from_str::<Vec<String>>(values(&file, key)[0]).unwrap();
    let line = [words("ENTRYPOINT "), words("CMD ")].concat();
    let options = options(&line.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(options.config, Some("/etc/lastmeter/platform.toml".into()));
    assert_eq!(values(&file, "VOLUME "), [options.data.unwrap().display().to_string()]);
}
