//! A slave: what a meter on the bus answers, and when (EN 13757-2, 5.7; EN 13757-3, 11).
//!
//! It takes frames with the time at which their last byte was received, and yields answers with
//! the time at which their first byte begins. A frame that is wrong is not answered.

use lastmeter_units::{SimDuration, SimTime};

use crate::application::{Application, ApplicationError, ERROR};
use crate::baud::BaudRate;
use crate::control::Control;
use crate::frame::{
    ACKNOWLEDGE, BROADCAST, Frame, PRIMARY_MAX, SELECTED, TEST_BROADCAST, UNCONFIGURED,
};
use crate::header::Identity;
use crate::record::{Item, Quantity, Record, Value};

/// Bit times and time after which a slave has to have begun its answer (EN 13757-2, 5.6).
pub const TURN_AROUND_MAX_BITS: u32 = 330;
/// What the slave may take beyond [`TURN_AROUND_MAX_BITS`].
pub const TURN_AROUND_MAX_MORE: SimDuration = SimDuration::from_milliseconds(50);

/// Time between the last byte of a request and the first of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnAround {
    /// Bit times, 11 to 330 in a slave that keeps to the standard.
    pub bits: u32,
    /// And as much time more, up to 50 ms.
    pub more: SimDuration,
}

impl Default for TurnAround {
    fn default() -> Self {
        Self { bits: 33, more: SimDuration::ZERO }
    }
}

/// What a slave is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaveConfig {
    /// Primary address, 0 to 250.
    pub address: u8,
    /// Secondary address.
    pub identity: Identity,
    /// The rate it begins with.
    pub baud: BaudRate,
    /// When it answers.
    pub turn_around: TurnAround,
}

impl SlaveConfig {
    /// A slave at 2400 baud that can be switched to all rates.
    pub fn new(address: u8, identity: Identity) -> Self {
        let (baud, turn_around) = (BaudRate::default(), TurnAround::default());
        Self { address, identity, baud, turn_around }
    }
}

/// Bytes that a slave sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the first byte begins.
    pub at: SimTime,
    /// The rate at which they go, which a baud switch leaves as it was for its acknowledgement.
    pub baud: BaudRate,
    /// One frame, at most 261 bytes.
    pub bytes: Vec<u8>,
}

/// Frame count bits, and the answer that is repeated when the bit did not toggle: each way of
/// addressing and each kind of request has its own.
#[derive(Debug, Clone, Default)]
struct Counted {
    last: Option<(bool, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addressed {
    /// By its primary address, or by the test broadcast.
    Primary = 0,
    Selected = 1,
    /// By the broadcast that is not answered.
    Silently = 2,
}

/// One slave on a bus.
#[derive(Debug, Clone)]
pub struct Slave {
    config: SlaveConfig,
    telegrams: Vec<Vec<u8>>,
    next_telegram: usize,
    /// Telegrams with a header so far; its low byte is the access number.
    access_count: u64,
    selected: bool,
    error: Option<ApplicationError>,
    /// By way of addressing, then requests of class 1, of class 2 and data to the slave.
    counted: [[Counted; 3]; 3],
}

const CLASS_1: usize = 0;
const CLASS_2: usize = 1;
const TO_SLAVE: usize = 2;

impl Slave {
    /// A slave that answers with these telegrams, one after another: each is user data from its
    /// control information field on ([`variable`](crate::application::variable) makes them).
    ///
    /// Of a long header, identity and access number are filled in when it is sent.
    pub fn new(config: SlaveConfig, telegrams: Vec<Vec<u8>>) -> Self {
        Self {
            config,
            telegrams,
            next_telegram: 0,
            access_count: 0,
            selected: false,
            error: None,
            counted: Default::default(),
        }
    }

    /// What it is now: a master may change address, identity and rate.
    pub const fn config(&self) -> &SlaveConfig {
        &self.config
    }

    /// Whether it was selected by its secondary address.
    pub const fn is_selected(&self) -> bool {
        self.selected
    }

    /// Other telegrams from the next request on; one that is repeated stays as it was.
    pub fn set_telegrams(&mut self, telegrams: Vec<Vec<u8>>) {
        self.telegrams = telegrams;
        self.next_telegram = 0;
    }

    /// An application error to answer the next request of class 2 with.
    pub const fn set_error(&mut self, error: Option<ApplicationError>) {
        self.error = error;
    }

    /// Telegrams with a header so far, from a first number on; the next one's access number is its
    /// low byte.
    pub const fn access_count(&self) -> u64 {
        self.access_count
    }

    /// Which number the next telegram with a header has.
    pub const fn set_access_count(&mut self, next: u64) {
        self.access_count = next;
    }

    /// Whether the next request of class 2 gets the first of its telegrams.
    pub const fn is_at_first(&self) -> bool {
        self.next_telegram == 0
    }

    /// Whether a frame asks this slave for user data of class 2.
    pub fn is_asked(&self, bytes: &[u8]) -> bool {
        let Ok(frame) = Frame::decode(bytes) else { return false };
        let is_request = matches!(frame.control(), Some(Control::RequestUserData2 { .. }));
        is_request
            && match frame.address() {
                Some(SELECTED) => self.selected,
                Some(TEST_BROADCAST) => true,
                address => address == Some(self.config.address),
            }
    }

    /// Takes a frame, of which the last byte was received at this time.
    pub fn receive(&mut self, now: SimTime, bytes: &[u8]) -> Option<Answer> {
        let frame = Frame::decode(bytes).ok()?;
        let (control, address) = (frame.control()?, frame.address()?);
        let baud = self.config.baud;
        // A selection concerns everybody: who does not match is selected no more.
        if let Some(answer) = self.select(&frame) {
            return self.answer(now, baud, answer);
        }
        let addressed = match address {
            SELECTED if self.selected => Addressed::Selected,
            BROADCAST => Addressed::Silently,
            TEST_BROADCAST => Addressed::Primary,
            UNCONFIGURED..=PRIMARY_MAX if address == self.config.address => Addressed::Primary,
            _ => return None,
        };
        let answer = match control {
            Control::SendReset => self.reset(addressed),
            Control::RequestUserData1 { frame_count } => {
                // There are no alarms here.
                self.counted(addressed, CLASS_1, frame_count, |_| vec![ACKNOWLEDGE])
            }
            Control::RequestUserData2 { frame_count } => {
                self.counted(addressed, CLASS_2, frame_count, Self::class_2)
            }
            Control::SendUserData { frame_count } => {
                self.counted(addressed, TO_SLAVE, frame_count, |slave| slave.user_data(&frame))
            }
            Control::RespondUserData { .. } => return None,
        };
        if addressed == Addressed::Silently { None } else { self.answer(now, baud, answer) }
    }

    fn answer(&self, now: SimTime, baud: BaudRate, bytes: Vec<u8>) -> Option<Answer> {
        let TurnAround { bits, more } = self.config.turn_around;
        let at = now + baud.bits(bits) + more;
        (!bytes.is_empty()).then_some(Answer { at, baud, bytes })
    }

    /// What a selection is answered with: nothing by who is not meant. None if it is none.
    fn select(&mut self, frame: &Frame<'_>) -> Option<Vec<u8>> {
        let Some(Control::SendUserData { .. }) = frame.control() else { return None };
        if frame.address() != Some(SELECTED) {
            return None;
        }
        let Ok(Application::Select { mask, records }) = Application::decode(frame) else {
            return None;
        };
        // Further conditions are not known here, so nobody meets them.
        self.selected = mask.selects(&self.config.identity) && records.bytes().is_empty();
        self.counted[Addressed::Selected as usize] = Default::default();
        if self.selected {
            self.next_telegram = 0;
        }
        Some(if self.selected { vec![ACKNOWLEDGE] } else { Vec::new() })
    }

    /// Initialises the link layer; whoever was selected is so no more.
    fn reset(&mut self, addressed: Addressed) -> Vec<u8> {
        let all = addressed == Addressed::Silently;
        for (way, counted) in self.counted.iter_mut().enumerate() {
            if all || way == addressed as usize {
                *counted = Default::default();
            }
        }
        if all || addressed == Addressed::Selected {
            self.selected = false;
        }
        self.next_telegram = 0;
        vec![ACKNOWLEDGE]
    }

    /// Answers as before if the frame count bit did not toggle.
    fn counted(
        &mut self,
        addressed: Addressed,
        kind: usize,
        frame_count: Option<bool>,
        answer: impl FnOnce(&mut Self) -> Vec<u8>,
    ) -> Vec<u8> {
        let way = addressed as usize;
        if let (Some(bit), Some((last, again))) = (frame_count, &self.counted[way][kind].last)
            && bit == *last
        {
            return again.clone();
        }
        let bytes = answer(self);
        let last = frame_count.map(|bit| (bit, bytes.clone()));
        self.counted[way][kind].last = last;
        bytes
    }

    fn class_2(&mut self) -> Vec<u8> {
        if let Some(error) = self.error.take() {
            return self.response(&[ERROR, error.code()]);
        }
        let place = self.next_telegram;
        let Some(mut telegram) = self.telegrams.get(place).cloned() else {
            return self.response(&[ERROR, ApplicationError::Unspecified.code()]);
        };
        self.next_telegram = (place + 1) % self.telegrams.len();
        self.fill_in(&mut telegram);
        self.response(&telegram)
    }

    /// Writes identity and access number into a header, as far as there is one.
    fn fill_in(&mut self, telegram: &mut [u8]) {
        let access = match telegram.first() {
            Some(0x72) => 9,
            Some(0x7A) => 1,
            _ => return,
        };
        if access == 9
            && let Some(identity) = telegram.get_mut(1..9)
        {
            identity.copy_from_slice(&self.config.identity.bytes());
        }
        if let Some(number) = telegram.get_mut(access) {
            *number = self.access_count.to_le_bytes()[0];
            self.access_count = self.access_count.wrapping_add(1);
        }
    }

    /// A frame with user data; nothing where that is too long for one.
    fn response(&self, user_data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(user_data.len() + 8);
        let Some((information, data)) = user_data.split_first() else { return bytes };
        let address = self.config.address;
        if let Ok(frame) = Frame::with_data(Control::RESPONSE, address, *information, data) {
            // What fits as data fits as a frame.
            let _ = frame.encode(&mut bytes);
        }
        bytes
    }

    /// Obeys data, and acknowledges; what is wrong with it is reported at the next request.
    fn user_data(&mut self, frame: &Frame<'_>) -> Vec<u8> {
        match Application::decode(frame) {
            Ok(Application::Reset { .. }) => {
                self.next_telegram = 0;
                self.error = None;
            }
            Ok(Application::SetBaud(baud)) => self.config.baud = baud,
            Ok(Application::Data { records }) => {
                for item in records {
                    match item {
                        Ok(Item::Record(record)) => self.write(&record),
                        Ok(Item::GlobalReadout) => self.next_telegram = 0,
                        Ok(Item::Manufacturer { .. }) => {}
                        Err(_) => self.error = Some(ApplicationError::PrematureEndOfRecord),
                    }
                }
            }
            Ok(Application::Synchronise) => {}
            Ok(_) | Err(_) => {
                self.error = Some(ApplicationError::UnimplementedControlInformation);
            }
        }
        vec![ACKNOWLEDGE]
    }

    /// Sets what a master may set: address and identification (EN 13757-3, annex E).
    fn write(&mut self, record: &Record<'_>) {
        let (Value::Integer { .. } | Value::Bcd { .. }, Some(value)) =
            (record.value, record.value.integer())
        else {
            return;
        };
        match (record.quantity(), record.value) {
            (Quantity::Address, _) => {
                // Addresses above 127 come as negative integers.
                let address = (value & 0xFF) as u8;
                if (-128..=255).contains(&value) && address <= PRIMARY_MAX {
                    self.config.address = address;
                }
            }
            (Quantity::EnhancedIdentification, Value::Integer { bytes: 8, .. }) => {
                self.config.identity = Identity::from_bytes(value.to_le_bytes());
            }
            (Quantity::EnhancedIdentification, Value::Bcd { digits: 8, .. }) => {
                let number = u32::try_from(value).ok();
                if let Some(id) = number.and_then(crate::header::Identification::from_number) {
                    self.config.identity.identification = id;
                }
            }
            _ => {}
        }
    }
}
