//! `[platform]`: what a scenario runs against.

use std::path::PathBuf;

use lastmeter_link::tls::Authority;
use lastmeter_params::{Code, Diagnostics, Field, Kind, NodeValue, Span, Values, nearest};

use crate::draft::{Draft, FILE_START, Reported, Section};
use crate::files::Files;
use crate::references::GivenAuthority;

pub(crate) static PLATFORM: Section = Section {
    name: "platform",
    doc: "What it runs against.",
    fields: &[
        Field::default(
            "use",
            Kind::Text,
            "\"embedded\"",
            "embedded: in the bench's process; child: a process of its own; or a profile file with \
             the addresses of a platform",
        ),
        Field::default(
            "strict_table2",
            Kind::Boolean,
            "false",
            "whether the tenant accepts the identifiers of Table 2 only",
        ),
        Field::default(
            "store",
            Kind::Choice(StoreUse::WORDS),
            "\"sqlite\"",
            "where the tenant's store is. sqlite: a file of the run; postgres: a schema of its own \
             in the database that the variable LASTMETER_POSTGRES names",
        ),
        Field::default(
            "tls",
            Kind::Choice(TlsUse::WORDS),
            "\"none\"",
            "between devices and broker. none: plain TCP; server: TLS, devices verify the broker; \
             mutual: devices also show certificates that bear their hardware ids",
        ),
        Field::optional(
            "tls_authority",
            Kind::Text,
            "certificate of the authority to use, a PEM file; else the bench makes one for the run",
        ),
        Field::optional(
            "tls_authority_key",
            Kind::Text,
            "private key of that authority, a PEM file; issues what the run needs",
        ),
    ],
    is_implied: |_| true,
    ..Section::ONCE
};

/// The platform under test, and how the bench speaks to it.
#[derive(Clone)]
pub struct PlatformSetup {
    /// Which platform it is.
    pub choice: PlatformUse,
    /// Whether the tenant accepts the identifiers of Table 2 only.
    pub strict_table2: bool,
    /// Where the tenant's store is.
    pub store: StoreUse,
    /// What is between devices and broker.
    pub tls: TlsUse,
    /// Who vouches for them, unless the bench makes an authority for the run.
    pub authority: Option<GivenAuthority>,
}

/// Which platform a scenario runs against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformUse {
    /// In the bench's own process.
    Embedded,
    /// As a child process, which can be killed.
    Child,
    /// One that runs already; the file states where.
    Profile(PathBuf),
}

lastmeter_units::words! {
    /// Where a tenant's store is.
    pub enum StoreUse {
        /// In a file of the run.
        Sqlite = "sqlite",
        /// In a PostgreSQL database.
        Postgres = "postgres",
    }
}

/// The PostgreSQL database for stores of runs, if the environment names one.
pub fn postgres_address() -> Option<String> {
    std::env::var("LASTMETER_POSTGRES").ok().filter(|address| !address.is_empty())
}

impl PlatformSetup {
    /// What the environment lacks for a platform of the bench's own; `None`: nothing.
    pub(crate) fn missing(&self) -> Option<String> {
        let is_own = !matches!(self.choice, PlatformUse::Profile(_));
        let is_lacking = is_own && self.store == StoreUse::Postgres && postgres_address().is_none();
        is_lacking.then(|| "LASTMETER_POSTGRES names no PostgreSQL database".to_owned())
    }
}

lastmeter_units::words! {
    /// How devices and broker protect their messages.
    pub enum TlsUse {
        /// Not at all: plain TCP.
        None = "none",
        /// TLS; devices verify the broker's certificate.
        Server = "server",
        /// TLS; devices also show certificates, which bear their hardware ids.
        Mutual = "mutual",
    }
}

/// Which platform; `None` after a mistake.
pub(crate) fn platform_use(
    draft: &Draft<'_>,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<PlatformUse> {
    let Some(platform) = draft.single(&PLATFORM) else {
        return draft.is_left_out(&PLATFORM).then_some(PlatformUse::Embedded);
    };
    let Some(node) = platform.table.get("use") else { return Some(PlatformUse::Embedded) };
    let NodeValue::String(text) = &node.value else { return None };
    match text.as_str() {
        "embedded" => return Some(PlatformUse::Embedded),
        "child" => return Some(PlatformUse::Child),
        _ => {}
    }
    let file = files.path(text);
    if let Some(file) = file.filter(|file| file.is_file()) {
        return Some(PlatformUse::Profile(file));
    }
    if let Some(near) = nearest(text, ["embedded", "child"]) {
        let message = format!("`use` cannot be `{text}`");
        let label = "expected `embedded`, `child` or a profile file";
        let help = Some(format!("did you mean `{near}`?"));
        out.report_with_help(Code::UNKNOWN_WORD, node.span, message, label, help);
    } else {
        let message = format!("there is no profile file `{text}`");
        let help = "write `embedded` or `child`, or the path of a profile file".to_owned();
        let code = Code::FILE_UNREADABLE;
        out.report_with_help(code, node.span, message, "no such file", Some(help));
    }
    None
}

/// The platform of the values of its section.
pub(crate) fn platform(
    choice: PlatformUse,
    values: &Values,
    authority: Option<GivenAuthority>,
) -> PlatformSetup {
    let tls = TlsUse::from_word(values.text("tls")).unwrap_or(TlsUse::None);
    let store = StoreUse::from_word(values.text("store")).unwrap_or(StoreUse::Sqlite);
    PlatformSetup { choice, strict_table2: values.boolean("strict_table2"), store, tls, authority }
}

/// The authority that `[platform]` gives.
pub(crate) fn authority(
    draft: &Draft<'_>,
    choice: Option<&PlatformUse>,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Result<Option<GivenAuthority>, Reported> {
    let Some(platform) = draft.single(&PLATFORM) else { return Ok(None) };
    let certificate = platform.text("tls_authority");
    let key = platform.text("tls_authority_key");
    let tls = platform.text("tls").map_or("none", |(word, _)| word);
    let mistakes = out.len();
    let mut refuse = |span: Span, message: &str, label: &str, help: &str| {
        let help = Some(help.to_owned());
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    };
    let with_tls = "write `tls = \"server\"` or `tls = \"mutual\"`, or leave the authority out";
    match (certificate.or(key), certificate, key) {
        (None, ..) => return Ok(None), // the bench makes one of its own
        (Some((_, span)), ..) if tls == "none" => {
            refuse(span, "without TLS there is nothing to vouch for", "not used", with_tls);
        }
        (_, None, Some((_, span))) => {
            let help = "write `tls_authority` with the file of the certificate";
            refuse(span, "the key of an authority without its certificate", "half of it", help);
        }
        (_, Some((_, span)), None)
            if tls == "mutual" || !matches!(choice, Some(PlatformUse::Profile(_)) | None) =>
        {
            let help = "write `tls_authority_key` with the file of its private key";
            let message = "this authority can issue no certificates without its key";
            refuse(span, message, "the run needs some", help);
        }
        _ => {}
    }
    if out.len() > mistakes {
        return Err(Reported);
    }
    let place = certificate.map_or(FILE_START, |(_, span)| span);
    let certificate = certificate.and_then(|file| pem(file, "CERTIFICATE-----", files, out));
    let key = key.and_then(|file| pem(file, "PRIVATE KEY-----", files, out));
    if let (Some((_, certificate)), Some((_, key))) = (&certificate, &key)
        && let Err(error) = Authority::from_pem(certificate, key)
    {
        let message = format!("the authority is refused: {error}");
        out.report(Code::FILE_REFUSED, place, message, "not a certificate authority with this key");
    }
    let path = |(path, _): (PathBuf, String)| path;
    let (certificate, key) = (certificate.map(path), key.map(path));
    match certificate {
        Some(certificate) if out.len() == mistakes => Ok(Some(GivenAuthority { certificate, key })),
        _ => Err(Reported),
    }
}

/// A file that holds such a PEM block, and its text; `None` after a mistake.
fn pem(
    (name, span): (&str, Span),
    block: &str,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Option<(PathBuf, String)> {
    let bytes = match files.read(name) {
        Ok(bytes) => bytes,
        Err(why) => {
            let message = format!("`{name}` cannot be read: {why}");
            out.report(Code::FILE_UNREADABLE, span, message, "this file");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut begins = text.lines().filter(|line| line.starts_with("-----BEGIN "));
    if !begins.any(|line| line.trim_end().ends_with(block)) {
        let message = format!("`{name}` is refused: it holds no `-----BEGIN {block}` in PEM");
        out.report(Code::FILE_REFUSED, span, message, "expected a PEM file");
        return None;
    }
    Some((files.path(name)?, text))
}
