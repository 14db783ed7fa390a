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

    /// It as a number, infinite or none also; a complex value is none.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(value),
            Self::Integer(value) => Some(value as f64),
            Self::Boolean(value) => Some(f64::from(u8::from(value))),
            Self::Complex(..) => None,
        }
    }

    /// It as a finite number.
    pub fn finite(self) -> Option<f64> {
        self.number().filter(|value| value.is_finite())
    }

    /// A number as a type carries it.
    pub fn of_word(word: f64, signal_type: SignalType) -> Self {
        match signal_type {
            SignalType::Integer => Self::Integer(word.round() as i64),
            SignalType::Boolean => Self::Boolean(word != 0.0),
            SignalType::Float => Self::Float(word),
            SignalType::Complex => Self::Complex(word, 0.0),
        }
    }
}

/// What one frame carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The number of the sample, where the format has one, as wide as the format has it.
    pub sequence: Option<u64>,
    /// When the simulator took it, seconds and nanoseconds of Unix time, where it is carried.
    pub origin: Option<(u64, u32)>,
    /// The values, in the order of the signals.
    pub values: Vec<Value>,
}
