//! What one frame carries.

lastmeter_units::words! {
    /// How a signal is carried.
    pub enum SignalType {
        /// A floating-point number.
        Float = "float",
        /// A whole number.
        Integer = "integer",
        /// True or false.
        Boolean = "boolean",
        /// A complex number.
        Complex = "complex",
    }
}

/// The value of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A floating-point number.
    Float(f64),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Real and imaginary part.
    Complex(f64, f64),
}

impl Value {
    /// The type it is of.
    pub const fn signal_type(self) -> SignalType {
        match self {
            Self::Float(_) => SignalType::Float,
            Self::Integer(_) => SignalType::Integer,
            Self::Boolean(_) => SignalType::Boolean,
            Self::Complex(..) => SignalType::Complex,
        }
    }
}

/// What one frame carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The number of the sample, where the format has one, as wide as the format has it.
    pub sequence: Option<u64>,
    /// When the simulator took it, seconds and nanoseconds of Unix time, where the format says so.
    pub origin: Option<(u64, u32)>,
    /// The values, in the order of the signals.
    pub values: Vec<Value>,
}
