//! Status codes (ZCL 075123, 2.6.3, unverified).

use std::fmt;

/// How a command ended. Any byte is one; those with a name are constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// As the standard calls it, if it does.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($word),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// Done.
    SUCCESS = 0x00, "success";
    /// Not done, without a reason.
    FAILURE = 0x01, "failure";
    /// The sender may not do that.
    NOT_AUTHORIZED = 0x7E, "not authorized";
    /// A field is missing or has a value that is not allowed.
    MALFORMED_COMMAND = 0x80, "malformed command";
    /// The cluster has no such command.
    UNSUPPORTED_CLUSTER_COMMAND = 0x81, "unsupported cluster command";
    /// There is no such global command.
    UNSUPPORTED_GENERAL_COMMAND = 0x82, "unsupported general command";
    /// The manufacturer has no such command of this cluster.
    UNSUPPORTED_MANUFACTURER_CLUSTER_COMMAND = 0x83, "unsupported manufacturer cluster command";
    /// The manufacturer has no such global command.
    UNSUPPORTED_MANUFACTURER_GENERAL_COMMAND = 0x84, "unsupported manufacturer general command";
    /// A field has a value that is not allowed.
    INVALID_FIELD = 0x85, "invalid field";
    /// The cluster has no such attribute.
    UNSUPPORTED_ATTRIBUTE = 0x86, "unsupported attribute";
    /// The value is out of range.
    INVALID_VALUE = 0x87, "invalid value";
    /// The attribute cannot be written.
    READ_ONLY = 0x88, "read only";
    /// There is no room for it.
    INSUFFICIENT_SPACE = 0x89, "insufficient space";
    /// The entry is there already.
    DUPLICATE_EXISTS = 0x8A, "duplicate exists";
    /// There is no such entry.
    NOT_FOUND = 0x8B, "not found";
    /// The attribute is never reported.
    UNREPORTABLE_ATTRIBUTE = 0x8C, "unreportable attribute";
    /// The type is not that of the attribute.
    INVALID_DATA_TYPE = 0x8D, "invalid data type";
    /// It took too long.
    TIMEOUT = 0x94, "timeout";
    /// The transfer of an image was ended.
    ABORT = 0x95, "abort";
    /// The image failed its check.
    INVALID_IMAGE = 0x96, "invalid image";
    /// The server has no block yet.
    WAIT_FOR_DATA = 0x97, "wait for data";
    /// There is no image for the client.
    NO_IMAGE_AVAILABLE = 0x98, "no image available";
    /// A further image is needed.
    REQUIRE_MORE_IMAGE = 0x99, "require more image";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:02X})", self.0),
            None => write!(f, "status 0x{:02X}", self.0),
        }
    }
}
