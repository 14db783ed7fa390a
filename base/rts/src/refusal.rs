//! Why a frame was not taken or not made: a stable word for each reason, and counters by reason.

lastmeter_units::words! {
    /// Why a frame that came was not taken, or one to be sent was not made.
    pub enum Refusal {
        /// The bytes are not a whole number of words.
        Remainder = "remainder",
        /// Fewer bytes than the header has.
        HeaderCut = "header-cut",
        /// Fewer bytes than the frame has, or than its header announces.
        FrameTooShort = "frame-too-short",
        /// More bytes than the frame has, or than its header announces.
        FrameTooLong = "frame-too-long",
        /// Fewer values than there are signals.
        TooFewValues = "too-few-values",
        /// More values than there are signals.
        TooManyValues = "too-many-values",
        /// The header announces a negative length.
        NegativeLength = "negative-length",
        /// The header announces a length that is not a whole number of values.
        UnevenLength = "uneven-length",
        /// The header announces more than the format carries.
        LengthTooLarge = "length-too-large",
        /// The frame is for another device.
        OtherDevice = "other-device",
        /// The stream ended within a frame.
        TruncatedFrame = "truncated-frame",
        /// Seconds that are negative, or that the field does not carry.
        SecondsOutOfRange = "seconds-out-of-range",
        /// Nanoseconds that are not those of one second.
        NanosecondsOutOfRange = "nanoseconds-out-of-range",
        /// The format needs a sequence number, and the sample has none.
        MissingSequence = "missing-sequence",
        /// The format needs a time, and the sample has none.
        MissingTime = "missing-time",
        /// An integer that the floating-point field would alter.
        InexactInteger = "inexact-integer",
        /// A finite number that the floating-point field would make infinite.
        FloatOverflow = "float-overflow",
        /// An integer that the field does not carry.
        IntegerOutOfRange = "integer-out-of-range",
        /// A fraction, an infinity or no number where the field carries integers.
        NotAnInteger = "not-an-integer",
        /// Neither true nor false, neither 1 nor 0.
        NotABoolean = "not-a-boolean",
        /// A complex number, which the format does not carry.
        ComplexValue = "complex-value",
        /// A point by an index that there is not.
        NoSuchPoint = "no-such-point",
        /// Sooner after the last frame than the card takes one.
        CardRateExceeded = "card-rate-exceeded",
        /// Nothing in it: no message, no sample.
        NoSample = "no-sample",
        /// More bytes than are looked at.
        InputTooLarge = "input-too-large",
        /// `villas.binary` of version 1, little endian, as sent until April 2017.
        VillasVersion1Little = "villas-version-one-little-endian",
        /// `villas.binary` of version 1, big endian, as sent until April 2017.
        VillasVersion1Big = "villas-version-one-big-endian",
        /// `villas.binary` of version 2 with the bit order of April to June 2017.
        VillasVersion2OldBits = "villas-version-two-old-bit-order",
        /// The first byte is that of no layout of the format.
        UnknownLayout = "unknown-layout",
        /// A sample that marks a start and carries no data.
        StartSample = "start-sample",
        /// A sample that marks a stop and carries no data.
        StopSample = "stop-sample",
        /// A sample of a kind that the format does not define.
        UnknownKind = "unknown-kind",
        /// A value of another type than its signal.
        TypeMismatch = "type-mismatch",
        /// A boolean, which the format does not carry.
        BooleanValue = "boolean-value",
        /// Null, or a place without a value, where a value is expected.
        MissingValue = "missing-value",
        /// Infinity or not a number, which the format does not carry.
        NotFinite = "not-finite",
        /// Text that is not JSON.
        MalformedJson = "malformed-json",
        /// JSON that has not the shape of a sample.
        NotASample = "not-a-sample",
        /// A time or a sequence number of another shape than the format has.
        MalformedField = "malformed-field",
        /// Bytes that are not protobuf, or not of the message.
        MalformedProtobuf = "malformed-protobuf",
    }
}

/// One refusal, with what was found, what was expected and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}: {detail}")]
pub struct Rejection {
    /// The reason, for counters and for programs.
    pub refusal: Refusal,
    /// What was found, what was expected, what to do; for people.
    pub detail: String,
}

impl Rejection {
    /// A refusal with its detail.
    pub const fn new(refusal: Refusal, detail: String) -> Self {
        Self { refusal, detail }
    }
}

/// How often each reason occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Default for Refusals {
    fn default() -> Self {
        Self([0; Refusal::ALL.len()])
    }
}

impl Refusals {
    /// Counts one more.
    pub const fn count(&mut self, refusal: Refusal) {
        let counter = &mut self.0[refusal as usize];
        *counter = counter.saturating_add(1);
    }

    /// How often a reason occurred.
    pub const fn of(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize]
    }

    /// How many there were of all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The reasons that occurred, in the order of their declaration, each with how often.
    pub fn by_reason(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().map(|refusal| (refusal, self.of(refusal))).filter(|(_, n)| *n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut refusals = Refusals::default();
        refusals.count(Refusal::Remainder);
        refusals.count(Refusal::CardRateExceeded);
        refusals.count(Refusal::Remainder);
        assert_eq!((refusals.total(), refusals.of(Refusal::Remainder)), (3, 2));
        let found: Vec<_> = refusals.by_reason().collect();
        assert_eq!(found, [(Refusal::Remainder, 2), (Refusal::CardRateExceeded, 1)]);
    }

    #[test]
    fn words_are_kebab_case_and_differ() {
        let words: std::collections::BTreeSet<_> = Refusal::WORDS.iter().collect();
        assert_eq!(words.len(), Refusal::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
