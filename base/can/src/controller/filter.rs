//! Acceptance filters: banks of masks and lists, and which FIFO takes a frame (24.7.4).

use super::fifo::FifoNumber;
use crate::frame::{CanFrame, CanId};

/// Filter banks of a controller. An STM32F107 has 28 for its two (24.2); that each has 14 of them
/// after reset (CAN2SB in 24.9.4) was read in RM0090.
pub const FILTER_BANK_COUNT: usize = 14;

/// IDE and EXID in the words of a 32-bit and of a 16-bit filter.
const IDE_32: u32 = 1 << 2;
const EXTENSION_32: u32 = 0x3_FFFF << 3;
const IDE_16: u32 = 1 << 3;
const EXTENSION_16: u32 = 0b111;

/// Why a controller cannot be configured so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// More banks than there are.
    #[error("{found} filter banks, expected at most 14; lists take more identifiers than masks")]
    FilterBankCount {
        /// How many were given.
        found: usize,
    },
    /// A filter that asks for a bit that no frame has.
    #[error(
        "filter bank {bank}, filter {filter}: bit 0 of the 32-bit identifier {identifier:08X} is \
         set, expected 0, as in every frame; shift the identifier to bits 21 to 31 (11 bits) or 3 \
         to 31 (29 bits)"
    )]
    ReservedBit {
        /// The bank's number.
        bank: usize,
        /// The filter's number within the bank.
        filter: usize,
        /// What was given.
        identifier: u32,
    },
    /// A filter that asks for bits of an extended identifier, and not for such identifiers.
    ///
    /// Which bits a frame of the base format has there is not documented, so it is not modelled.
    #[error(
        "filter bank {bank}, filter {filter}: the identifier {identifier:X} with the mask {mask:X} \
         has bits of the extended identifier set and accepts frames of the base format, expected \
         IDE set in both; set IDE, or clear these bits"
    )]
    ExtensionWithoutIde {
        /// The bank's number.
        bank: usize,
        /// The filter's number within the bank.
        filter: usize,
        /// The identifier given.
        identifier: u32,
        /// The mask given; in a list all bits are set.
        mask: u32,
    },
}

/// A 16-bit filter in mask form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mask16 {
    /// The bits expected.
    pub identifier: u16,
    /// Which of them are compared.
    pub mask: u16,
}

/// The registers of a filter bank by scale and mode; [`filter_word_32`] and [`filter_word_16`]
/// make the words. Its filters are numbered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterForm {
    /// One 32-bit filter.
    Mask32 {
        /// The bits expected.
        identifier: u32,
        /// Which of them are compared.
        mask: u32,
    },
    /// Two 32-bit identifiers.
    List32([u32; 2]),
    /// Two 16-bit filters.
    Mask16([Mask16; 2]),
    /// Four 16-bit identifiers.
    List16([u16; 4]),
}

/// A filter bank. By default as after reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterBank {
    /// Scale, mode and registers.
    pub form: FilterForm,
    /// Which FIFO takes what it accepts.
    pub fifo: FifoNumber,
    /// Whether it accepts anything; its filters are numbered also if not.
    pub is_active: bool,
}

impl Default for FilterBank {
    fn default() -> Self {
        let form = FilterForm::Mask16([Mask16::default(); 2]);
        Self { form, fifo: FifoNumber::Fifo0, is_active: false }
    }
}

impl FilterBank {
    /// An active bank.
    pub const fn active(form: FilterForm, fifo: FifoNumber) -> Self {
        Self { form, fifo, is_active: true }
    }

    /// A bank that accepts every frame.
    pub const fn accept_all(fifo: FifoNumber) -> Self {
        Self::active(FilterForm::Mask32 { identifier: 0, mask: 0 }, fifo)
    }
}

/// The word of a 32-bit filter: STID 10 to 0, EXID 17 to 0, IDE, RTR, 0 (24.7.4, scale).
pub const fn filter_word_32(id: CanId, is_remote: bool) -> u32 {
    let identifier = if id.is_extended() { id.value() << 3 | IDE_32 } else { id.value() << 21 };
    identifier | (is_remote as u32) << 1
}

/// The word of a 16-bit filter: STID 10 to 0, RTR, IDE, EXID 17 to 15 (24.7.4, scale).
pub const fn filter_word_16(id: CanId, is_remote: bool) -> u16 {
    let identifier = if id.is_extended() {
        (id.value() >> 18) << 5 | IDE_16 | (id.value() >> 15 & EXTENSION_16)
    } else {
        id.value() << 5
    };
    (identifier | (is_remote as u32) << 4) as u16
}

/// Scale and mode of a filter, in the order in which they take priority (24.7.4, filter priority
/// rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FilterKind {
    List32,
    Mask32,
    List16,
    Mask16,
}

impl FilterForm {
    const fn kind(&self) -> FilterKind {
        match self {
            Self::Mask32 { .. } => FilterKind::Mask32,
            Self::List32(_) => FilterKind::List32,
            Self::Mask16(_) => FilterKind::Mask16,
            Self::List16(_) => FilterKind::List16,
        }
    }

    /// Identifier and mask of each filter.
    fn words(&self) -> Vec<(u32, u32)> {
        match *self {
            Self::Mask32 { identifier, mask } => vec![(identifier, mask)],
            Self::List32(list) => list.map(|identifier| (identifier, u32::MAX)).to_vec(),
            Self::Mask16(masks) => masks.map(|it| (it.identifier.into(), it.mask.into())).to_vec(),
            Self::List16(list) => list.map(|word| (word.into(), u16::MAX.into())).to_vec(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Filter {
    kind: FilterKind,
    identifier: u32,
    mask: u32,
    fifo: FifoNumber,
    match_index: u8,
}

/// The active filters, those with priority first.
#[derive(Clone, Debug)]
pub(super) struct AcceptanceFilters(Vec<Filter>);

impl AcceptanceFilters {
    /// Numbers the filters of each FIFO, inactive ones too (24.7.4, filter match index).
    ///
    /// Of equal scale and mode the lower filter number has priority. Numbers of different FIFOs
    /// do not compare: there the lower bank has it (unverified).
    pub(super) fn new(banks: &[FilterBank]) -> Result<Self, ConfigurationError> {
        if banks.len() > FILTER_BANK_COUNT {
            return Err(ConfigurationError::FilterBankCount { found: banks.len() });
        }
        let (mut filters, mut next_index) = (Vec::new(), [0_u8; 2]);
        for (bank, FilterBank { form, fifo, is_active }) in banks.iter().enumerate() {
            let kind = form.kind();
            for (filter, (identifier, mask)) in form.words().into_iter().enumerate() {
                check(kind, bank, filter, (identifier, mask))?;
                let match_index = next_index[fifo.index()];
                next_index[fifo.index()] += 1;
                if *is_active {
                    let identifier = identifier & mask;
                    filters.push(Filter { kind, identifier, mask, fifo: *fifo, match_index });
                }
            }
        }
        filters.sort_by_key(|filter| filter.kind);
        Ok(Self(filters))
    }

    /// Which FIFO takes a frame, and the number of the filter that accepts it.
    pub(super) fn find(&self, frame: &CanFrame) -> Option<(FifoNumber, u8)> {
        let word_32 = filter_word_32(frame.id(), frame.is_remote());
        let word_16 = u32::from(filter_word_16(frame.id(), frame.is_remote()));
        let accepts = |filter: &&Filter| {
            let word = match filter.kind {
                FilterKind::List32 | FilterKind::Mask32 => word_32,
                FilterKind::List16 | FilterKind::Mask16 => word_16,
            };
            word & filter.mask == filter.identifier
        };
        self.0.iter().find(accepts).map(|filter| (filter.fifo, filter.match_index))
    }
}

/// Rejects a filter that no frame passes, or that asks for what is not documented.
const fn check(
    kind: FilterKind,
    bank: usize,
    filter: usize,
    (identifier, mask): (u32, u32),
) -> Result<(), ConfigurationError> {
    let compared = identifier & mask;
    let (reserved, ide, extension) = match kind {
        FilterKind::List32 | FilterKind::Mask32 => (1, IDE_32, EXTENSION_32),
        FilterKind::List16 | FilterKind::Mask16 => (0, IDE_16, EXTENSION_16),
    };
    if compared & reserved != 0 {
        return Err(ConfigurationError::ReservedBit { bank, filter, identifier });
    }
    if compared & extension != 0 && compared & ide == 0 {
        let error = ConfigurationError::ExtensionWithoutIde { bank, filter, identifier, mask };
        return Err(error);
    }
    Ok(())
}
