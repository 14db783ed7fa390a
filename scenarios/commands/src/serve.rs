//! The platform alone: settings from a file and the command line, a line when it is ready, and an
//! orderly end at a signal.

mod options;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lastmeter_bench::output::{broken, complain, print_out, read_text};
use lastmeter_bench::run::{Policy, chain, own_policy};
use lastmeter_platform::{Config, Platform, PlatformError};
use lastmeter_reports::ExitCode;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

pub use options::ServeOptions;

use crate::ending::ends;
use crate::log::log_to_stderr;

/// Runs the platform until it is asked to end and returns the exit code.
pub fn serve(options: &ServeOptions) -> ExitCode {
    log_to_stderr();
    let config = match settings(options) {
        Ok(config) => config,
        Err(message) => return complain(&message),
    };
    // Threads take it over from the one that starts them.
    let policy = options.real_time_priority.then(own_policy);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("the runtime did not start: {error}")),
    };
    raise_file_limit();
    let code = runtime.block_on(run(config, options.until_stdin_closes, policy));
    // Standard input is read in a thread that may never come back.
    runtime.shutdown_background();
    code
}

/// Every connection takes a descriptor, and the soft limit of most systems is from another time:
/// the hard one is what this process may have.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, ..limit };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, soft = limit.current, "the limit of open files stays as it is");
        }
    }
}

async fn run(config: Config, until_stdin_closes: bool, policy: Option<Policy>) -> ExitCode {
    // Before anything durable begins: from here on a signal ends the platform in an orderly way.
    let at_signal = match ends(None) {
        Ok(at_signal) => at_signal,
        Err(error) => return broken(&format!("signals cannot be waited for: {error}")),
    };
    let running = match Platform::start(config).await {
        Ok(running) => running,
        Err(error) => {
            let is_input = matches!(error, PlatformError::Config(_));
            return if is_input { complain(&chain(&error)) } else { broken(&chain(&error)) };
        }
    };
    let mut ready = json!({
        "ready": true,
        "rest": running.rest_url(),
    });
    for (door, address) in running.door_addresses() {
        ready[*door] = address.to_string().into();
    }
    if let Some((word, refused)) = policy {
        ready["policy"] = word.into();
        ready["policy_refused"] = refused.into();
    }
    print_out(&ready.to_string());
    ended(at_signal, until_stdin_closes).await;
    if running.shutdown().await {
        ExitCode::Passed
    } else {
        broken("the platform could not store everything in time; it will at the next start")
    }
}

/// Returns when what serves is to end: at a signal, or when standard input closes.
pub(crate) async fn ended(at_signal: impl Future<Output = ()>, until_stdin_closes: bool) {
    let stdin_closes = async {
        if !until_stdin_closes {
            std::future::pending::<()>().await;
        }
        let mut stdin = tokio::io::stdin();
        let mut buffer = [0; 64];
        while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    tokio::select! {
        () = stdin_closes => {}
        () = at_signal => {}
    }
}

fn settings(options: &ServeOptions) -> Result<Config, String> {
    let mut table = match &options.config {
        Some(path) => read_table(path)?,
        None => toml::Table::new(),
    };
    let mut set = |key: &str, value: Option<toml::Value>| {
        if let Some(value) = value {
            table.insert(key.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(toml::Value::from);
    set("data", options.data.as_ref().map(|path| path.display().to_string().into()));
    set("mqtt_address", address("--mqtt", options.mqtt.as_deref())?);
    set("rest_address", address("--rest", options.rest.as_deref())?);
    set("clock", text(&options.clock));
    set("token", text(&options.token));
    set("device_token", text(&options.device_token));
    set("behind_proxy", options.behind_proxy.then(|| true.into()));
    set("strict_table2", options.strict_table2.then(|| true.into()));
    set_tls(&mut table, options)?;
    for (key, file) in [("certificate", &options.rest_certificate), ("key", &options.rest_key)] {
        if let Some(file) = file {
            let tls = table_within(&mut table, "rest_tls")?;
            tls.insert(key.to_owned(), file.display().to_string().into());
        }
    }
    set_doors(&mut table, &options.doors)?;
    set_limits(&mut table, &options.limits)?;
    if !table.contains_key("data") {
        return Err(
            "where its data lies is not given: use --data DIR or `data` in --config".to_owned()
        );
    }
    Config::from_toml(&table.to_string()).map_err(|error| chain(&error))
}

/// A table of this name in another, which is made if it is not there.
fn table_within<'a>(table: &'a mut toml::Table, name: &str) -> Result<&'a mut toml::Table, String> {
    let within = table.entry(name).or_insert_with(|| toml::Table::new().into());
    within.as_table_mut().ok_or_else(|| format!("`{name}` in --config is not a table"))
}

/// Puts the options of TLS into its table, which is made if it is not there.
fn set_tls(table: &mut toml::Table, options: &ServeOptions) -> Result<(), String> {
    let path = |path: &Option<PathBuf>| {
        path.as_ref().map(|path| toml::Value::from(path.display().to_string()))
    };
    let values = [
        ("address", address("--mqtts", options.mqtts.as_deref())?),
        ("certificate", path(&options.certificate)),
        ("key", path(&options.key)),
        ("client_authority", path(&options.client_authority)),
        ("require_client_certificate", options.require_client_certificate.then_some(true.into())),
        ("plain", options.no_plain.then_some(false.into())),
    ];
    let values: Vec<_> =
        values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if values.is_empty() {
        return Ok(());
    }
    let tls = table_within(table, "tls")?;
    for (key, value) in values {
        tls.insert(key.to_owned(), value);
    }
    for (key, option) in [("certificate", "--certificate"), ("key", "--key")] {
        if !tls.contains_key(key) {
            return Err(format!(
                "TLS needs a server's {key}: use {option} FILE or `tls.{key}` in --config; \
                 `lastmeter certificates` makes them"
            ));
        }
    }
    Ok(())
}

/// Puts doors into their list, which is made if it is not there; the command line has the last word
/// on where one listens.
fn set_doors(table: &mut toml::Table, doors: &[String]) -> Result<(), String> {
    for door in doors {
        let (kind, place) = door.split_once('=').ok_or_else(|| {
            format!("--door: expected KIND=HOST:PORT, such as http=127.0.0.1:8090, found `{door}`")
        })?;
        let place = address("--door", Some(place))?.unwrap_or_else(|| place.into());
        let all = table.entry("door").or_insert_with(|| toml::Value::Array(Vec::new()));
        let all = all.as_array_mut().ok_or("`door` in --config is not a list of tables")?;
        let is_it =
            |door: &&mut toml::Value| door.get("kind").and_then(|k| k.as_str()) == Some(kind);
        if let Some(toml::Value::Table(known)) = all.iter_mut().find(is_it) {
            known.insert("address".to_owned(), place);
        } else {
            let keys = [("kind".to_owned(), kind.into()), ("address".to_owned(), place)];
            all.push(toml::Table::from_iter(keys).into());
        }
    }
    Ok(())
}

/// Puts bounds into their table, which is made if it is not there.
fn set_limits(table: &mut toml::Table, limits: &[String]) -> Result<(), String> {
    if limits.is_empty() {
        return Ok(());
    }
    let known = limit_names();
    let into = table_within(table, "limits")?;
    for limit in limits {
        let expected = "expected NAME=N, such as mqtt_connections=2000";
        let (name, number) =
            limit.split_once('=').ok_or_else(|| format!("--limit: {expected}, found `{limit}`"))?;
        if !known.contains_key(name) {
            let names = known.keys().map(String::as_str);
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(format!("--limit: there is no limit `{name}`; there is {names}"));
        }
        let number: i64 = number
            .parse()
            .map_err(|_| format!("--limit {name}: expected a whole number, found `{number}`"))?;
        into.insert(name.to_owned(), number.into());
    }
    Ok(())
}

/// The bounds by name, with their defaults.
pub fn limit_names() -> toml::Table {
    toml::Table::try_from(lastmeter_platform::Limits::default())
        .expect("a table of whole numbers is TOML")
}

/// A file of settings.
pub(crate) fn read_table(path: &Path) -> Result<toml::Table, String> {
    read_text(path)?.parse().map_err(|error| format!("{}: {error}", path.display()))
}

fn address(option: &str, text: Option<&str>) -> Result<Option<toml::Value>, String> {
    let Some(text) = text else { return Ok(None) };
    let address: SocketAddr = text.parse().map_err(|_| {
        format!("{option}: expected an address such as 127.0.0.1:1883, found `{text}`")
    })?;
    Ok(Some(address.to_string().into()))
}
