//! Why a payload is not accepted: a closed list of reasons with stable words.

use lastmeter_units::HardwareId;

lastmeter_units::words! {
    /// Why a payload is refused. The words are counted, stored and compared, so they do not
    /// change from version to version.
    #[derive(Hash)]
    pub enum RefusalReason in files {
        /// More bytes than [`Limits::bytes_max`].
        TooLarge = "too_large",
        /// The bytes are not UTF-8.
        NotUtf8 = "not_utf8",
        /// The text is not JSON (RFC 8259), or ends too early.
        NotJson = "not_json",
        /// Something follows the JSON value.
        TrailingData = "trailing_data",
        /// Objects and lists are nested deeper than [`Limits::depth_max`].
        TooDeep = "too_deep",
        /// The message is JSON, but not an object.
        NotAnObject = "not_an_object",
        /// A key stands twice in one object.
        DuplicateKey = "duplicate_key",
        /// A required field is absent, `null`, or an empty text.
        MissingField = "missing_field",
        /// A field is of another JSON type than it has to be.
        WrongType = "wrong_type",
        /// The hardware id is too long or could not stand in a topic.
        BadHardwareId = "bad_hardware_id",
        /// `type` is none of the message types.
        UnknownType = "unknown_type",
        /// A reading without a single measurement.
        NoMeasurements = "no_measurements",
        /// More measurements than [`Limits::values_max`].
        TooManyValues = "too_many_values",
        /// A measurement identifier that is not in the registry, or not in Table 2 where only that
        /// counts.
        UnknownIdentifier = "unknown_identifier",
        /// A measurement that is no finite number.
        NotANumber = "not_a_number",
        /// A measurement beyond what is believed of its unit (`SiUnit::greatest`).
        Implausible = "implausible_value",
        /// A date in none of the three forms that are read, or beyond the years 1677 to 2262.
        BadDate = "bad_date",
        /// An alert level other than Info, Warning, Error, Critical.
        BadAlertLevel = "bad_alert_level",
        /// Metadata that is no map of texts, has too many entries, or has a serial or epoch that is
        /// no decimal number.
        BadMetadata = "bad_metadata",
        /// A result with a key that no result has, or whose kind, subject or span is not what it
        /// may be.
        BadResult = "bad_result",
        /// A block of samples that breaks its form, or has no channels, samples, rate or scale
        /// that can be.
        BadBlock = "bad_block",
    }
}

/// A payload that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// The reason, for counting.
    pub reason: RefusalReason,
    /// What was found and what was expected, for people; at most a few hundred bytes.
    pub detail: String,
    /// The device the payload claims to come from, as far as that could be read.
    pub hardware_id: Option<HardwareId>,
}

/// Sizes beyond which a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a payload.
    pub bytes_max: usize,
    /// Nesting of objects and lists; the format itself needs three. At most 100 is honoured.
    pub depth_max: usize,
    /// Measurements in a reading.
    pub values_max: usize,
    /// Entries of a metadata map.
    pub metadata_max: usize,
    /// Elements of a batch, of all its devices together.
    pub elements_max: usize,
}

impl Limits {
    /// Those of a batch (`jsonbatch`): as large as an MQTT packet of the platform may be.
    pub const BATCH: Self = Self { bytes_max: 256 * 1024, ..Self::ONE };

    /// Those of one message.
    pub const ONE: Self = Self {
        bytes_max: 64 * 1024,
        depth_max: 16,
        values_max: 512,
        metadata_max: 64,
        elements_max: 1000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::ONE
    }
}

/// What a decoder accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeRules {
    /// Accept the identifiers of Table 2 only, not the project's own `x.*`.
    pub strict_table2: bool,
    /// Accept no value beyond what is believed of its unit (`SiUnit::greatest`).
    pub plausible_only: bool,
    /// Limits on sizes of the message.
    pub limits: Limits,
}

/// At most the first `bytes` of a text from outside, for use in a detail.
pub(super) fn excerpt(text: &str) -> String {
    const BYTES: usize = 80;
    if text.len() <= BYTES {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(BYTES)])
}
