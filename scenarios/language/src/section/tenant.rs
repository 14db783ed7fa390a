//! `[[tenant]]`: tenants of the platform beside `default`, which is always there.

use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Field, Kind};
use lastmeter_units::TenantName;

use super::device::DEVICE;
use super::keys::ON;
use super::platform::PLATFORM;
use crate::draft::{Draft, Part, Row, Section};

const LIMIT: Kind = Kind::Integer { min: 1, max: 4_000_000_000 };

pub(crate) static TENANT: Section = Section {
    name: "tenant",
    noun: "tenant",
    doc: "A tenant of the platform beside `default`, which is always there. The bench makes it \
        before the run, with the platform's administrator token, and removes it afterwards from a \
        platform that runs on. Its devices connect as its own, and are called TENANT.NAME in \
        checks, injections and the record; their hardware ids have no tenant, so that two tenants \
        may have devices of one id. Requests with `as = \"TENANT\"` carry its bearer token.",
    fields: &[
        Field::required("name", Kind::Name, "1 to 32 letters a to z, digits and hyphens"),
        Field::optional(
            "messages_per_s",
            LIMIT,
            "messages that are taken in a second; senders of more wait",
        ),
        Field::optional("mqtt_connections", LIMIT, "MQTT connections at a time"),
        Field::optional("devices", LIMIT, "devices that may register themselves"),
        Field::optional(
            "in_flight_bytes",
            LIMIT,
            "payload bytes that may be between arrival and commit",
        ),
    ],
    rules: &[report_unfit_names, report_unfit_devices],
    build: |rows| Some(Arc::new(rows.iter().map(tenant).collect::<Option<Vec<_>>>()?) as Part),
    ..Section::REPEATED
};

/// The key of whose device it is.
pub(super) const OF_DEVICE: Field = Field::optional(
    "tenant",
    Kind::Name,
    "the `[[tenant]]` whose device it is; left out, `default`. In checks, injections and the \
     record it is called TENANT.NAME then",
);

/// A tenant that the bench makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// Its name.
    pub name: TenantName,
    /// Its limits, by the names that the platform has for them.
    pub limits: Vec<(&'static str, i64)>,
}

/// What the names of a tenant's devices begin with; nothing for the one that is always there.
pub fn tenant_prefix(tenant: &TenantName) -> String {
    if *tenant == TenantName::default() { String::new() } else { format!("{tenant}.") }
}

/// The tenant of a device table; the one that is always there where none is given, or none that can
/// be.
pub(crate) fn tenant_of(device: &Row<'_>) -> TenantName {
    let named = device.text(OF_DEVICE.name).and_then(|(name, _)| TenantName::new(name).ok());
    named.unwrap_or_default()
}

fn report_unfit_names(draft: &Draft<'_>, out: &mut Diagnostics) {
    for (name, span) in draft.rows(&TENANT).iter().filter_map(|row| row.reference("name")) {
        match TenantName::new(name) {
            Err(why) => out.report(Code::BAD_NAME, span, why.to_string(), "no tenant's name"),
            Ok(own) if own == TenantName::default() => {
                let message = "the tenant `default` is always there".to_owned();
                out.report(Code::NAME_TAKEN, span, message, "give another name");
            }
            Ok(_) => {}
        }
    }
}

/// What a tenant's device cannot be, and names that only its devices may have.
fn report_unfit_devices(draft: &Draft<'_>, out: &mut Diagnostics) {
    let tls = draft.single(&PLATFORM).and_then(|platform| platform.text("tls"));
    let is_mutual = tls.is_some_and(|(word, _)| word == "mutual");
    let tenants: Vec<&str> = draft.rows(&TENANT).iter().filter_map(Row::name).collect();
    for row in draft.rows(&DEVICE) {
        let Some((tenant, span)) = row.text(OF_DEVICE.name).filter(|of| of.0 != "default") else {
            let Some((name, span)) = row.text("name") else { continue };
            let first = name.split_once('.').map_or("", |(first, _)| first);
            if let Some(tenant) = tenants.iter().find(|tenant| **tenant == first) {
                let message = format!("names of the devices of tenant `{tenant}` begin so");
                let help = Some(format!("give another name, or write `tenant = \"{tenant}\"`"));
                out.report_with_help(Code::NAME_TAKEN, span, message, "is of another tenant", help);
            }
            continue;
        };
        let why = if row.table.get(ON).is_some() {
            "what is on a field network is of the tenant of its gateway, `default`"
        } else if is_mutual {
            "certificates of the bench name no tenant, and are of `default`"
        } else {
            continue;
        };
        let label = format!("cannot be of `{tenant}`");
        out.report(Code::DOES_NOT_FIT, span, why.to_owned(), label);
    }
}

fn tenant(row: &Row<'_>) -> Option<TenantRow> {
    let values = row.values.as_ref()?;
    let limits = TENANT.fields.iter().filter(|field| field.name != "name");
    let limits = limits.filter_map(|field| Some((field.name, values.integer_opt(field.name)?)));
    Some(TenantRow { name: TenantName::new(values.text("name")).ok()?, limits: limits.collect() })
}
