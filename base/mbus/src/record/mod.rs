//! Data records (EN 13757-3, 6): data information, value information, value.
//!
//! | file | purpose |
//! |---|---|
//! | `model` | a record: its fields, and the items of a telegram |
//! | `decode`, `encode` | records from and to bytes, with `error` |
//! | `vif`, `modifier`, `quantity` | value information: codes and extensions to quantity and unit |
//! | `value`, `decimal`, `date` | what a value can be; exact decimals; dates and times |
//! | `fixed` | the fixed data structure of two counters |

mod date;
mod decimal;
mod decode;
mod encode;
mod error;
mod fixed;
mod model;
mod modifier;
mod quantity;
mod value;
mod vif;

pub use date::{Date, DateTime, DateTimeSecond, Time};
pub use decimal::Decimal;
pub use decode::Records;
pub use error::{EncodeError, Part, RecordError};
pub use fixed::{Counter, FIXED_LENGTH, Fixed, FixedStatus};
pub use model::{EXTENSIONS_MAX, Function, Item, Record};
pub use modifier::{Modifier, Modifiers, Vifes};
pub use quantity::{Meaning, Quantity, Unit};
pub use value::{Digits, Text, Value};
pub use vif::Vif;
