//! `lastmeter app`: one application beside any platform, in wall time, until a signal.

mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_apps::APPLICATIONS;
use lastmeter_apps::shell::{self, ShellError, ShellEvent};
use lastmeter_bench::host::wall_now;
use lastmeter_bench::output::{broken, complain, print_err, print_out, read_text};
use lastmeter_bench::run::chain;
use lastmeter_params::nearest;
use lastmeter_reports::ExitCode;
use lastmeter_wire::rest::Method;
use serde_json::{Value, json};

use self::settings::{Secrets, Settings};
use crate::ending::{ends, length};
use crate::serve::ended;

/// Most complaints of a connection that are printed; a broker can make up any number.
const REPORTED_MAX: usize = 16;

/// Which application, and by what it is let in.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Without `password` or `password_file` in FILE, the password is taken from \
    the environment, as LASTMETER_APP_PASSWORD; the key for REST likewise from LASTMETER_APP_KEY. \
    `lastmeter explain KIND` describes the keys of a kind."
)]
pub struct AppOptions {
    /// The kind, such as threshold; `lastmeter list applications` has them all
    pub kind: String,
    /// Its settings: `name`, `rest`, `mqtt`, and the keys of its kind
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print what happens: one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// End by itself after so long; else at a signal
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    pub length: Option<Duration>,
    /// End as well when standard input closes, for whoever starts it as a child
    #[arg(long)]
    pub until_stdin_closes: bool,
}

/// Runs the application and returns the exit code.
pub fn app(options: &AppOptions) -> ExitCode {
    let Some(kind) = APPLICATIONS.iter().find(|kind| kind.entry.name == options.kind) else {
        let names: Vec<&str> = APPLICATIONS.iter().map(|kind| kind.entry.name).collect();
        let near = nearest(&options.kind, names.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let (kind, names) = (&options.kind, names.join(", "));
        return complain(&format!("no application `{kind}`, expected one of {names}{near}"));
    };
    let secrets = Secrets::of_environment();
    let read = read_text(&options.config).and_then(|text| {
        let settings = Settings::read(kind, &text, secrets, wall_now());
        settings.map_err(|mistakes| format!("{}: {mistakes}", options.config.display()))
    });
    let settings = match read {
        Ok(settings) => settings,
        Err(message) => return complain(&message),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("the runtime did not start: {error}")),
    };
    let served = runtime.block_on(serve(settings, options));
    // Standard input is read in a thread that may never come back.
    runtime.shutdown_background();
    served.unwrap_or_else(|message| broken(&message))
}

async fn serve(settings: Settings, options: &AppOptions) -> Result<ExitCode, String> {
    let at_signal = ends(options.length).map_err(|error| format!("signals: {error}"))?;
    let end = ended(at_signal, options.until_stdin_closes);
    let Settings { machine, session, rest, name, ahead } = settings;
    print_out(&json!({ "ready": true, "name": name, "kind": options.kind }).to_string());
    let clock = Box::new(move || wall_now() + ahead);
    let mut seen = Vec::new();
    let report = |event: ShellEvent| report(&event, options.json, &mut seen);
    let shell = shell::ShellOptions { session, rest, clock };
    let config = options.config.display();
    Ok(match shell::run(machine, shell, report, end).await {
        Ok(()) => ExitCode::Passed,
        Err(ShellError::Refused(why)) => complain(&format!("{config}: {why}")),
        Err(error) => broken(&chain(&error)),
    })
}

/// Prints what happened; each complaint once until it is connected again.
fn report(event: &ShellEvent, is_json: bool, seen: &mut Vec<String>) {
    if *event == ShellEvent::Connected {
        seen.clear();
    }
    let complaint = complaint(event);
    if let Some(text) = complaint.filter(|it| !seen.contains(it) && seen.len() < REPORTED_MAX) {
        print_err(&text);
        seen.push(text);
    }
    if is_json {
        print_out(&line(event).to_string());
    }
}

/// What is wrong, for people.
fn complaint(event: &ShellEvent) -> Option<String> {
    Some(match event {
        ShellEvent::Lost { reason } => format!("no connection to the broker: {reason}"),
        ShellEvent::Refused { topic, why } => {
            format!("the platform does not take a message on {topic}: {why}")
        }
        ShellEvent::Troubled { why } => format!("it cannot work: {why}"),
        ShellEvent::Answered { request, answer } if !(200..300).contains(&answer.status) => {
            let (method, path) = (request.method.word(), &request.path);
            match answer.status {
                0 => format!("{method} {path} was not answered"),
                status => format!("{method} {path} was answered {status}"),
            }
        }
        ShellEvent::Connected | ShellEvent::Answered { .. } | ShellEvent::Published { .. } => {
            return None;
        }
    })
}

/// What happened, for programs.
fn line(event: &ShellEvent) -> Value {
    let ShellEvent::Answered { request, answer } = event else { return json!(event) };
    let mut line = json!({
        "event": "answered", "method": request.method.word(), "path": request.path,
        "status": answer.status,
    });
    // What it reads can be long; what it has changed is what there is to see.
    if request.method != Method::Get {
        line["answer"] = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    }
    line
}
