//! What must hold about connections: through which links they go, who observes whom, and how they
//! are protected. Each rule is one function and tells each mistake once, from what is written.

use std::path::PathBuf;

use lastmeter_link::tls::Authority;
use lastmeter_params::{Code, Diagnostics, NodeValue, Span, Table, Value};

use super::files::Files;
use super::names::Names;
use super::read::{Row, Single};
use super::scenario::{GivenAuthority, PlatformUse};
use super::sections::NO_LINK_WORD;
use super::semantics::FILE_START;

/// There is a mistake, which has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported;

/// Where connections go through: a link by its index, or straight to the platform.
pub(crate) type Via = Result<Option<usize>, Reported>;

/// The text of a key with its place, if it is there and text.
fn text<'a>(table: &'a Table, key: &str) -> Option<(&'a str, Span)> {
    let node = table.get(key)?;
    match &node.value {
        NodeValue::String(text) => Some((text, node.span)),
        _ => None,
    }
}

/// The word for no link stays free for it.
pub(crate) fn no_link_is_called_none<K>(links: &[Row<'_, K>], out: &mut Diagnostics) {
    for (name, span) in links.iter().filter_map(|row| row.text("name")) {
        if name == NO_LINK_WORD {
            let message = format!("`{name}` is no name for a link");
            let label = "`via` takes it as straight to the platform";
            out.report(Code::BAD_NAME, span, message, label);
        }
    }
}

/// The link that a table names.
pub(crate) fn via_of(table: &Table, links: &Names, out: &mut Diagnostics) -> Via {
    match text(table, "via") {
        None if table.get("via").is_some() => Err(Reported),
        None | Some((NO_LINK_WORD, _)) => Ok(None),
        Some((name, span)) => links.find(name, span, out).map(Some).ok_or(Reported),
    }
}

/// MQTT counts its keep-alive in whole seconds (3.1.1, 3.1.2.10).
pub(crate) fn keep_alive_is_whole<K>(devices: &[Row<'_, K>], out: &mut Diagnostics) {
    for values in devices.iter().filter_map(|row| row.values.as_ref()) {
        let seconds = values.si("keep_alive");
        if seconds != seconds.round() {
            let message = format!("a keep-alive of {seconds} s is none");
            let label = "MQTT counts it in whole seconds";
            out.report(Code::OUT_OF_RANGE, values.span_of("keep_alive"), message, label);
        }
    }
}

/// The devices an observer subscribes to.
pub(crate) fn observed<K>(
    observer: &Row<'_, K>,
    devices: &Names,
    out: &mut Diagnostics,
) -> Vec<usize> {
    let (pattern, span) = observer.text("devices").unwrap_or(("*", observer.span));
    devices.fitting(pattern, span, out)
}

/// An observer can have a connection for each device only where each publishes on a topic of its
/// own.
pub(crate) fn observer_can_tell_devices_apart<O, D>(
    observer: &Row<'_, O>,
    of: &[usize],
    names: &Names,
    table_of_device: &[usize],
    devices: &[Row<'_, D>],
    out: &mut Diagnostics,
) {
    let Some(("per-device", span)) = observer.text("connections") else { return };
    let is_bound = Some(&Value::Text("bound".to_owned()));
    let shared = of.iter().copied().find(|&device| {
        let values = table_of_device.get(device).and_then(|&table| devices[table].values.as_ref());
        values.is_some_and(|values| values.get("input_topic") != is_bound)
    });
    let Some(name) = shared.and_then(|device| names.get(device)) else { return };
    let message = format!("`{name}` publishes on a topic that it shares with others");
    let label = "a connection for each device needs a topic for each device";
    let help = "write `input_topic = \"bound\"` in the `[[device]]`, or `connections = \"one\"`";
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
}

/// The authority that `[platform]` gives.
pub(crate) fn authority(
    platform: Option<&Single<'_>>,
    choice: Option<&PlatformUse>,
    files: &Files<'_>,
    out: &mut Diagnostics,
) -> Result<Option<GivenAuthority>, Reported> {
    let Some(Single { table, .. }) = platform else { return Ok(None) };
    let certificate = text(table, "tls_authority");
    let key = text(table, "tls_authority_key");
    let tls = text(table, "tls").map_or("none", |(word, _)| word);
    let mistakes = out.len();
    let mut refuse = |span: Span, message: &str, label: &str, help: &str| {
        let help = Some(help.to_owned());
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
    };
    let with_tls = "write `tls = \"server\"` or `tls = \"mutual\"`, or leave the authority out";
    match (certificate.or(key), certificate, key) {
        (None, ..) => return Ok(None),
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
        out.report(Code::FILE_REFUSED, place, message, "with its key this is no authority");
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
