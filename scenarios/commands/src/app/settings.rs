//! The settings of an application that runs by itself: one TOML file, with the keys of its kind
//! beside those that all have.

use std::path::Path;

use lastmeter_apps::border::Application;
use lastmeter_apps::{AppContext, ApplicationKind, Need};
use lastmeter_bench::output::read_text;
use lastmeter_bench::run::chain;
use lastmeter_link::http::Client;
use lastmeter_link::mqtt::SessionOptions;
use lastmeter_link::tls::{ClientTls, Identity};
use lastmeter_params::{
    Code, Diagnostics, Dimension, Field, Kind, Mistakes, SourceId, Span, Values, parse_document,
    read_named_table,
};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use crate::gateway::password;

const DAY_NS: i64 = 86_400_000_000_000;
const CENTURY_S: f64 = 3_155_760_000.0;

/// The keys that all applications have.
const COMMON: &[Field] = &[
    Field::required("name", Kind::Name, "its name, and the device as which it publishes"),
    Field::required("rest", Kind::Text, "the platform's REST, such as `http://127.0.0.1:8080`"),
    Field::required("mqtt", Kind::Text, "the platform's broker, such as `127.0.0.1:1883`"),
    Field::default("tenant", Kind::Name, "\"default\"", "the tenant that it is in"),
    Field::optional("password", Kind::Text, "the secret of its credential for MQTT"),
    Field::optional("password_file", Kind::Text, "a file with that"),
    Field::optional("key", Kind::Text, "its key for REST"),
    Field::optional("key_file", Kind::Text, "a file with that"),
    Field::optional("network", Kind::Name, "the token of the electric network it is given"),
    Field::optional(
        "ca",
        Kind::Text,
        "a PEM file with the certificates of who signed the platform's: the broker then \
         speaks TLS, and REST where its address is https",
    ),
    Field::optional("server_name", Kind::Text, "the name in the platform's certificate"),
    Field::optional("certificate", Kind::Text, "a PEM file with its own certificate for MQTT"),
    Field::optional("certificate_key", Kind::Text, "a PEM file with the key of that"),
    Field::optional(
        "start",
        Kind::Instant,
        "the instant from which it counts its periods, and before which nothing concerns it; \
         without it, midnight (UTC) before the day on which it starts",
    ),
    Field::default(
        "ahead",
        Kind::Quantity { dimension: Dimension::Time, min: -CENTURY_S, max: CENTURY_S },
        "\"0 s\"",
        "by how much event time is ahead of the clock of this machine",
    ),
];

/// What lets an application in where its file does not have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    pub(super) password: Option<String>,
    pub(super) key: Option<String>,
}

impl Secrets {
    pub(super) fn of_environment() -> Self {
        let of = |name| std::env::var(name).ok();
        Self { password: of("LASTMETER_APP_PASSWORD"), key: of("LASTMETER_APP_KEY") }
    }
}

/// An application that was read, ready to run.
pub(super) struct Settings {
    pub(super) machine: Box<dyn Application>,
    pub(super) session: SessionOptions,
    pub(super) rest: Client,
    pub(super) name: String,
    pub(super) ahead: SimDuration,
}

impl Settings {
    /// Reads a file of settings.
    pub(super) fn read(
        kind: &ApplicationKind,
        text: &str,
        secrets: Secrets,
        now: SimTime,
    ) -> Result<Self, Mistakes> {
        let mut out = Diagnostics::new();
        let table = parse_document(text, SourceId::FILE, &mut out);
        let span = Span::default();
        let groups = [COMMON, kind.entry.fields];
        let values = read_named_table(&table, span, (Some(kind.entry.name), &groups), &mut out);
        let made = values.and_then(|values| {
            kind.check(&values, &mut out);
            made(kind, &values, secrets, now, &mut out)
        });
        made.filter(|_| out.is_empty()).ok_or_else(|| out.located_in(text))
    }
}

fn made(
    kind: &ApplicationKind,
    values: &Values,
    secrets: Secrets,
    now: SimTime,
    out: &mut Diagnostics,
) -> Option<Settings> {
    let needs_network = kind.needs.iter().any(|need| matches!(need, Need::Network { .. }));
    let network = values.text_opt("network").map(str::to_owned);
    if needs_network && network.is_none() {
        let message = format!("`{}` works on an electric network", kind.entry.name);
        out.report(Code::MISSING_KEY, values.span, message, "expected its token as `network`");
    }
    let name = values.text("name").to_owned();
    if let Err(error) = HardwareId::new(&name) {
        out.report(Code::DOES_NOT_FIT, values.span_of("name"), error.to_string(), "as a device");
    }
    let password = secret(values, ["password", "password_file"], secrets.password, out)?;
    let key = secret(values, ["key", "key_file"], secrets.key, out)?;
    let [of_rest, of_broker] = tls(values, out)?;
    let rest = values.text("rest");
    let client = match &of_rest {
        Some(tls) => Client::over_tls(rest, &key, tls),
        None => Client::new(rest, &key),
    };
    let client = client.map_err(|error| {
        out.report(Code::DOES_NOT_FIT, values.span_of("rest"), chain(&error), "no address of REST");
    });
    let (mqtt, tenant) = (values.text("mqtt"), values.text("tenant"));
    let port = mqtt.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        let message = format!("`{mqtt}` is no address of a broker");
        let label = "expected a host and a port, such as localhost:1883";
        out.report(Code::DOES_NOT_FIT, values.span_of("mqtt"), message, label);
    }
    let ahead = values.duration("ahead");
    let day = (now + ahead).0.div_euclid(DAY_NS) - 1;
    let context = AppContext {
        tenant: tenant.to_owned(),
        name: name.clone(),
        start: values.instant_opt("start").unwrap_or(SimTime(day * DAY_NS)),
        network,
        ..AppContext::default()
    };
    // What is wrong was reported, and a machine is made of what is right only.
    let rest = client.ok().filter(|_| out.is_empty())?;
    let user = format!("{tenant}/app/{name}");
    let session = SessionOptions::new(mqtt, &name, &user, &password);
    let session = SessionOptions { tls: of_broker, ..session };
    let machine = (kind.build)(values, &context)?;
    Some(Settings { machine, session, rest, name, ahead })
}

/// A secret: as it stands, in a file, or what the environment has.
fn secret(
    values: &Values,
    [own, file]: [&'static str; 2],
    environment: Option<String>,
    out: &mut Diagnostics,
) -> Option<String> {
    let in_file = values.text_opt(file).map(|path| password(Path::new(path)));
    match (values.text_opt(own), in_file) {
        (Some(text), None) => Some(text.to_owned()),
        (None, Some(Ok(text))) => Some(text),
        (None, None) if environment.is_some() => environment,
        (None, Some(Err(why))) => {
            out.report(Code::DOES_NOT_FIT, values.span_of(file), why, "cannot be read");
            None
        }
        (Some(_), Some(_)) => {
            let message = format!("both `{own}` and `{file}`");
            out.report(Code::DOES_NOT_FIT, values.span_of(file), message, "expected one of them");
            None
        }
        (None, None) => {
            let message = format!("found no `{own}`");
            let variable = own.to_uppercase();
            let label = format!(
                "expected `{own}` or `{file}` here, or LASTMETER_APP_{variable} in the environment"
            );
            out.report(Code::MISSING_KEY, values.span, message, label);
            None
        }
    }
}

/// What REST and the broker need over TLS; `None` where something is wrong.
fn tls(values: &Values, out: &mut Diagnostics) -> Option<[Option<ClientTls>; 2]> {
    let mut pem = |key: &str| {
        let read = values.text_opt(key).map(|path| read_text(Path::new(path))).transpose();
        let read = read.map_err(|why| {
            out.report(Code::DOES_NOT_FIT, values.span_of(key), why, "cannot be read");
        });
        read.ok()
    };
    let (ca, certificate, key) = (pem("ca")?, pem("certificate")?, pem("certificate_key")?);
    let Some(ca) = ca else { return Some([None, None]) };
    let broker = values.text("mqtt");
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let name = values.text_opt("server_name").unwrap_or(host);
    let server = ClientTls::new(&ca, name);
    let of_rest = values.text("rest").starts_with("https://").then(|| server.clone());
    let of_broker = match (certificate, key) {
        (Some(certificate_pem), Some(key_pem)) => {
            server.with_identity(Identity { certificate_pem, key_pem })
        }
        (None, None) => server,
        (Some(_), None) | (None, Some(_)) => {
            let message = "a certificate and its key belong together";
            let label = "expected both `certificate` and `certificate_key`, or neither";
            out.report(Code::MISSING_KEY, values.span, message, label);
            return None;
        }
    };
    Some([of_rest, Some(of_broker)])
}
