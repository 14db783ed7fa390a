//! `[[link]]`: what is between devices or observers and the platform.

use lastmeter_link::impair::{self, LinkSpec, PRESETS};
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind};

use crate::draft::{Draft, Reported, Row, Section, joined};
use crate::names::Names;
use crate::references::Via;

pub(crate) static LINK: Section = Section {
    name: "link",
    noun: "link",
    doc: "What is between devices or observers and the platform, leg by leg: `up` is towards \
        the platform, `down` from it. Each device and each observer's connection has a lane of \
        its own, so that none waits behind another's messages. In real time a TCP proxy on \
        this machine does it, in virtual time the same law is computed. It ends TCP: the \
        kernels see the loopback interface, not the link.",
    fields: &FIELDS,
    entries: || PRESETS.iter().map(of_preset).collect(),
    heading: "links",
    rules: &[report_reserved_link_name],
    ..Section::REPEATED
};

/// Its name, and the keys that the package of the links reads.
static FIELDS: [Field; 1 + impair::LINK_FIELDS.len()] = joined(&[
    &[Field::required("name", Kind::Name, "what `via` and injections refer to")],
    impair::LINK_FIELDS,
]);

fn of_preset(preset: &'static impair::Preset) -> Entry {
    let impair::Preset { name, summary, description, .. } = *preset;
    Entry { name, summary, description, fields: &[] }
}

/// The word for no link; no link may be called so.
const NO_LINK: &str = "none";

/// The key of everything that has connections.
pub(super) const VIA: Field = Field::default(
    "via",
    Kind::Name,
    "\"none\"",
    "the link its connections go through; `none`: straight to the platform",
);

/// A link between devices or observers and the platform.
#[derive(Clone)]
pub struct LinkRow {
    /// The link's name.
    pub name: String,
    /// What it does to what passes it.
    pub spec: LinkSpec,
    /// The preset it begins with; `own`: none.
    pub preset: String,
}

/// The word for no link stays free for it.
fn report_reserved_link_name(draft: &Draft<'_>, out: &mut Diagnostics) {
    for (name, span) in draft.rows(&LINK).iter().filter_map(|row| row.text("name")) {
        if name == NO_LINK {
            let message = format!("`{name}` is not a name for a link");
            let label = "`via` takes it as straight to the platform";
            out.report(Code::BAD_NAME, span, message, label);
        }
    }
}

/// The link that a table names.
pub(crate) fn via_of(row: &Row<'_>, links: &Names, out: &mut Diagnostics) -> Via {
    match row.text("via") {
        None if row.table.get("via").is_some() => Err(Reported),
        None | Some((NO_LINK, _)) => Ok(None),
        Some((name, span)) => links.find(name, span, out).map(Some).ok_or(Reported),
    }
}

pub(crate) fn link((row, spec): (&Row<'_>, Option<LinkSpec>)) -> Option<LinkRow> {
    let values = row.values.as_ref()?;
    let preset = values.text_opt("preset").unwrap_or("own").to_owned();
    Some(LinkRow { name: values.text("name").to_owned(), spec: spec?, preset })
}
