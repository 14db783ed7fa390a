//! Addresses and forms of a browser: `name=value&...` with `+` for a space and `%41` for a byte
//! (WHATWG URL, application/x-www-form-urlencoded). What cannot be is read as it stands.

/// The most fields that are read.
const FIELDS_MAX: usize = 16;

/// Fields of a query or of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Of a query or a body.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let parts = bytes.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
        let fields = parts.take(FIELDS_MAX).map(|part| {
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let [name, value] = [halves.next(), halves.next()].map(Option::unwrap_or_default);
            (decoded(name), decoded(value))
        });
        Self(fields.collect())
    }

    /// The first field of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(of, value)| (of == name).then_some(value.as_str()))
    }
}

/// Path and query of an address.
pub(super) fn address(of: &str) -> (&str, Fields) {
    let (path, query) = of.split_once('?').unwrap_or((of, ""));
    (path, Fields::of(query.as_bytes()))
}

fn decoded(bytes: &[u8]) -> String {
    let digit = |place: usize| char::from(*bytes.get(place)?).to_digit(16);
    let (mut out, mut place) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(place) {
        let escaped = digit(place + 1).zip(digit(place + 2)).filter(|_| *byte == b'%');
        match (byte, escaped) {
            (_, Some((high, low))) => {
                out.push((high << 4 | low) as u8);
                place += 3;
                continue;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(*byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value as it may stand in an address.
pub(super) fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            lastmeter_text::append(&mut out, format_args!("%{byte:02X}"));
        }
    }
    out
}
