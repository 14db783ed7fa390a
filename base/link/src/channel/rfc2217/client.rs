//! The client's side of RFC 2217, without I/O: Telnet (RFC 854, RFC 855) with binary transmission
//! (RFC 856) and COM-PORT-OPTION. Clauses are unverified.

use std::collections::VecDeque;

use super::super::{ChannelSettings, Parity};

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SUB_BEGIN: u8 = 250;
const SUB_END: u8 = 240;

/// The options that are understood (RFC 856, RFC 858, RFC 2217).
const BINARY: u8 = 0;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;

/// Commands of COM-PORT-OPTION; a server's answers are 100 higher (RFC 2217, 2).
const SET_BAUD_RATE: u8 = 1;
const SET_DATA_SIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOP_SIZE: u8 = 4;
const PURGE_DATA: u8 = 12;
const ANSWER: u8 = 100;
/// What the server has received from the line, and what it has not yet sent.
const PURGE_BOTH: u8 = 3;

/// No subnegotiation that is understood is longer; what is beyond is not kept.
const SUB_LIMIT: usize = 64;

/// What ends a connection to a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rfc2217Error {
    #[error(
        "the server refuses COM-PORT-OPTION (RFC 2217), so the serial line cannot be set; use \
         tcp: instead"
    )]
    NoOption,
    #[error(
        "the server refuses binary transmission, so it may alter bytes; expected Telnet's option \
         0 in both directions; use a server that has it"
    )]
    NotBinary,
    #[error("the server set {what} {found} where {asked} was asked for; use what its line can")]
    Other { what: &'static str, found: u32, asked: u32 },
    #[error("the server answered {what} with {found} bytes; expected {expected} (RFC 2217)")]
    Length { what: &'static str, found: usize, expected: usize },
}

/// Where in the stream from the server the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Data,
    /// Behind IAC.
    Command,
    /// Behind IAC and WILL, WONT, DO or DONT.
    Option(u8),
    Sub,
    /// Behind IAC in a subnegotiation.
    SubCommand,
}

/// One option at one end.
#[derive(Clone, Copy, Debug)]
struct OptionState {
    option: u8,
    /// Whether this end has asked for it or agreed to it.
    is_asked: bool,
    is_on: bool,
}

impl OptionState {
    const fn new(option: u8, is_asked: bool) -> Self {
        Self { option, is_asked, is_on: false }
    }
}

/// A setting of the line that the server confirms once it is set.
#[derive(Debug)]
struct Setting {
    command: u8,
    what: &'static str,
    /// How many bytes its value has.
    length: usize,
    /// What was asked for last.
    asked: u32,
    /// What was asked for and is not answered yet, oldest first.
    open: VecDeque<u32>,
}

/// The client of one connection.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    sub: Vec<u8>,
    /// Options at this end, and at the server's.
    ours: [OptionState; 3],
    theirs: [OptionState; 3],
    settings: [Setting; 4],
    /// Bytes for the server.
    out: Vec<u8>,
    /// Whether everything was agreed once.
    is_ready: bool,
}

impl Client {
    /// The client of a new connection, with what it begins with for the server.
    pub(super) fn new(settings: ChannelSettings) -> Self {
        let setting = |command, what, length, asked| Setting {
            command,
            what,
            length,
            asked,
            open: VecDeque::new(),
        };
        let parity = match settings.parity {
            Parity::None => 1,
            Parity::Odd => 2,
            Parity::Even => 3,
        };
        let mut client = Self {
            place: Place::Data,
            sub: Vec::new(),
            ours: [(BINARY, true), (SUPPRESS_GO_AHEAD, false), (COM_PORT, true)]
                .map(|(option, is_asked)| OptionState::new(option, is_asked)),
            theirs: [(BINARY, true), (SUPPRESS_GO_AHEAD, false), (COM_PORT, false)]
                .map(|(option, is_asked)| OptionState::new(option, is_asked)),
            settings: [
                setting(SET_BAUD_RATE, "the baud rate", 4, settings.baud),
                setting(SET_DATA_SIZE, "the data bits", 1, u32::from(settings.data_bits)),
                setting(SET_PARITY, "the parity (1 none, 2 odd, 3 even)", 1, parity),
                setting(SET_STOP_SIZE, "the stop bits", 1, u32::from(settings.stop_bits)),
            ],
            out: Vec::new(),
            is_ready: false,
        };
        for (verb, states) in [(WILL, client.ours), (DO, client.theirs)] {
            for state in states.iter().filter(|state| state.is_asked) {
                client.out.extend([IAC, verb, state.option]);
            }
        }
        client
    }

    /// Whether the line is set and carries bytes.
    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// What the server has not agreed to yet, and what to do if it never does.
    pub(super) fn missing(&self) -> Option<String> {
        let is_on = |states: &[OptionState], option| {
            states.iter().any(|state| state.option == option && state.is_on)
        };
        if !is_on(&self.ours, COM_PORT) {
            return Some(
                "agreement to COM-PORT-OPTION (RFC 2217); if the server has none, use tcp: instead"
                    .to_owned(),
            );
        }
        if !is_on(&self.ours, BINARY) || !is_on(&self.theirs, BINARY) {
            return Some("agreement to binary transmission; use a server that has it".to_owned());
        }
        let open = self.settings.iter().find(|setting| !setting.open.is_empty())?;
        Some(format!("answer that {} is set; look at the server's log", open.what))
    }

    /// What is to be sent to the server; whoever sends it drains it.
    pub(super) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Puts bytes for the serial line into what is to be sent.
    pub(super) fn send(&mut self, payload: &[u8]) {
        for piece in payload.split_inclusive(|&byte| byte == IAC) {
            self.out.extend(piece);
            if piece.ends_with(&[IAC]) {
                self.out.push(IAC);
            }
        }
    }

    /// Asks for another baud rate.
    pub(super) fn set_baud(&mut self, baud: u32) {
        self.settings[0].asked = baud;
        self.ask(0);
    }

    /// Takes bytes from the server, and appends those from the serial line to `payload`: none
    /// before the line is set, as they were received with other settings. After an error the
    /// connection is of no use any more.
    pub(super) fn receive(
        &mut self,
        mut wire: &[u8],
        payload: &mut Vec<u8>,
    ) -> Result<(), Rfc2217Error> {
        while let Some((&byte, behind)) = wire.split_first() {
            if matches!(self.place, Place::Data) && byte != IAC {
                let end = wire.iter().position(|&byte| byte == IAC).unwrap_or(wire.len());
                let (data, rest) = wire.split_at(end);
                self.deliver(data, payload);
                wire = rest;
                continue;
            }
            wire = behind;
            self.place = match self.place {
                Place::Data => Place::Command,
                Place::Command if byte == IAC => {
                    self.deliver(&[IAC], payload);
                    Place::Data
                }
                Place::Sub if byte == IAC => Place::SubCommand,
                Place::Sub => self.keep(byte),
                Place::SubCommand if byte == IAC => self.keep(byte),
                Place::SubCommand if byte == SUB_END => {
                    self.answered()?;
                    self.is_ready |= self.missing().is_none();
                    Place::Data
                }
                // In a subnegotiation these end it: its own end was lost.
                Place::Command | Place::SubCommand if (WILL..=DONT).contains(&byte) => {
                    Place::Option(byte)
                }
                Place::Command | Place::SubCommand if byte == SUB_BEGIN => {
                    self.sub.clear();
                    Place::Sub
                }
                Place::Option(verb) => {
                    self.negotiate(verb, byte)?;
                    self.is_ready |= self.missing().is_none();
                    Place::Data
                }
                // Commands without a meaning for a serial line.
                _ => Place::Data,
            };
        }
        Ok(())
    }

    fn deliver(&self, data: &[u8], payload: &mut Vec<u8>) {
        if self.is_ready {
            payload.extend(data);
        }
    }

    fn keep(&mut self, byte: u8) -> Place {
        // One byte beyond the limit shows that there were more.
        if self.sub.len() <= SUB_LIMIT {
            self.sub.push(byte);
        }
        Place::Sub
    }

    /// Sends one setting.
    fn ask(&mut self, index: usize) {
        let Some(setting) = self.settings.get_mut(index) else { return };
        setting.open.push_back(setting.asked);
        let bytes = setting.asked.to_be_bytes();
        let (command, length) = (setting.command, setting.length);
        self.subnegotiate(command, &bytes[bytes.len() - length..]);
    }

    fn subnegotiate(&mut self, command: u8, value: &[u8]) {
        self.out.extend([IAC, SUB_BEGIN, COM_PORT, command]);
        self.send(value);
        self.out.extend([IAC, SUB_END]);
    }

    /// The server offers, asks for or refuses an option (RFC 854, "The NVT").
    fn negotiate(&mut self, verb: u8, option: u8) -> Result<(), Rfc2217Error> {
        let is_ours = matches!(verb, DO | DONT);
        let (states, yes, no) =
            if is_ours { (&mut self.ours, WILL, WONT) } else { (&mut self.theirs, DO, DONT) };
        let agrees = matches!(verb, DO | WILL);
        let Some(state) = states.iter_mut().find(|state| state.option == option) else {
            if agrees {
                self.out.extend([IAC, no, option]);
            }
            return Ok(());
        };
        let before =
            std::mem::replace(state, OptionState { option, is_asked: agrees, is_on: agrees });
        if agrees && !before.is_asked {
            self.out.extend([IAC, yes, option]);
        } else if !agrees && before.is_on {
            self.out.extend([IAC, no, option]);
        }
        match option {
            BINARY if !agrees => return Err(Rfc2217Error::NotBinary),
            COM_PORT if is_ours && !agrees => return Err(Rfc2217Error::NoOption),
            COM_PORT if is_ours && !before.is_on => {
                (0..self.settings.len()).for_each(|index| self.ask(index));
                self.subnegotiate(PURGE_DATA, &[PURGE_BOTH]);
            }
            _ => {}
        }
        Ok(())
    }

    /// A subnegotiation has ended. What a server reports without being asked, such as the state of
    /// a modem, is passed over, and so is whether it purged.
    fn answered(&mut self) -> Result<(), Rfc2217Error> {
        let [COM_PORT, command, value @ ..] = &self.sub[..] else { return Ok(()) };
        let of = |setting: &&mut Setting| setting.command + ANSWER == *command;
        let Some(setting) = self.settings.iter_mut().find(of) else { return Ok(()) };
        let what = setting.what;
        if value.len() != setting.length {
            let (found, expected) = (value.len(), setting.length);
            return Err(Rfc2217Error::Length { what, found, expected });
        }
        let found = value.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
        // Answers come in the order of what was asked; without, the server changed it by itself.
        let asked = setting.open.pop_front().unwrap_or(setting.asked);
        if found == asked { Ok(()) } else { Err(Rfc2217Error::Other { what, found, asked }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: ChannelSettings = ChannelSettings::M_BUS;

    fn take(client: &mut Client) -> Vec<u8> {
        std::mem::take(client.out())
    }

    fn receive(client: &mut Client, wire: &[u8]) -> Result<Vec<u8>, Rfc2217Error> {
        let mut payload = Vec::new();
        client.receive(wire, &mut payload).map(|()| payload)
    }

    /// What a server that has everything sends once it is asked, typed in from the RFCs; the baud
    /// rate is 2400, the parity even.
    const AGREED: &[u8] = b"\xff\xfd\x2c\xff\xfd\x00\xff\xfb\x00\
        \xff\xfa\x2c\x65\x00\x00\x09\x60\xff\xf0\xff\xfa\x2c\x66\x08\xff\xf0\
        \xff\xfa\x2c\x67\x03\xff\xf0\xff\xfa\x2c\x68\x01\xff\xf0";

    fn ready() -> Client {
        let mut client = Client::new(DEFAULT);
        assert_eq!(receive(&mut client, AGREED), Ok(vec![]));
        assert!(client.is_ready(), "{client:?}");
        take(&mut client);
        client
    }

    #[test]
    fn the_line_is_set_as_the_rfc_has_it() {
        let mut client = Client::new(DEFAULT);
        assert_eq!(take(&mut client), b"\xff\xfb\x00\xff\xfb\x2c\xff\xfd\x00");
        assert!(client.missing().unwrap_or_default().contains("use tcp: instead"));
        // Bytes of the line before it is set are those of another setting.
        assert_eq!(receive(&mut client, b"noise\xff\xfd\x2cnoise"), Ok(vec![]));
        let set = b"\xff\xfa\x2c\x01\x00\x00\x09\x60\xff\xf0\xff\xfa\x2c\x02\x08\xff\xf0\
            \xff\xfa\x2c\x03\x03\xff\xf0\xff\xfa\x2c\x04\x01\xff\xf0\xff\xfa\x2c\x0c\x03\xff\xf0";
        assert_eq!(take(&mut client), set);
        assert!(client.missing().unwrap_or_default().contains("binary"));
        assert_eq!(receive(&mut client, &AGREED[3..26]), Ok(vec![]));
        let missing = client.missing().unwrap_or_default();
        assert!(missing.contains("the parity") && !client.is_ready(), "{missing}");
        let wire = [&AGREED[26..], b"a\xff\xffb\xff\xf1c"].concat();
        assert_eq!(receive(&mut client, &wire), Ok(b"a\xffbc".to_vec()));
        assert!(take(&mut client).is_empty());
    }

    #[test]
    fn a_baud_rate_with_the_byte_of_commands_is_escaped_both_ways() {
        let mut client = ready();
        client.set_baud(65_280);
        let asked = b"\xff\xfa\x2c\x01\x00\x00\xff\xff\x00\xff\xf0";
        assert_eq!(take(&mut client), asked);
        let mut answer = asked.to_vec();
        answer[3] = 101;
        assert_eq!(receive(&mut client, &answer), Ok(vec![]));
        // Two in a row are answered in a row.
        client.set_baud(2400);
        client.set_baud(65_280);
        assert_eq!(receive(&mut client, &AGREED[9..19]), Ok(vec![]));
        assert_eq!(receive(&mut client, &answer), Ok(vec![]));
    }

    #[test]
    fn another_value_than_asked_for_is_an_error() {
        let cases: [(&[u8], &str); 4] = [
            (b"\x65\x00\x00\x25\x80", "set the baud rate 9600 where 2400 was asked for"),
            (b"\x67\x01", "set the parity (1 none, 2 odd, 3 even) 1 where 3"),
            (b"\x68\x02", "set the stop bits 2 where 1"),
            (b"\x65\x01", "answered the baud rate with 1 bytes; expected 4"),
        ];
        for (answer, expected) in cases {
            let wire = [b"\xff\xfa\x2c", answer, b"\xff\xf0"].concat();
            let error = receive(&mut ready(), &wire).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_twice_agreed() {
        let mut client = ready();
        // ECHO, terminal type, and go-ahead, which is agreed to; then all of it once more.
        let asked = b"\xff\xfb\x01\xff\xfd\x18\xff\xfb\x03\xff\xfd\x03\xff\xfb\x2c";
        let refused = b"\xff\xfe\x01\xff\xfc\x18";
        receive(&mut client, asked).expect("nothing is wrong");
        let agreed = b"\xff\xfd\x03\xff\xfb\x03\xff\xfd\x2c";
        assert_eq!(take(&mut client), [&refused[..], agreed].concat());
        receive(&mut client, asked).expect("nothing is wrong");
        receive(&mut client, AGREED).expect("nothing is wrong");
        assert_eq!(take(&mut client), refused);
        receive(&mut client, b"\xff\xfe\x18\xff\xfc\x01\xff\xfc\x03").expect("a refusal");
        assert_eq!(take(&mut client), b"\xff\xfe\x03");
        // Notices of modem and line, and a subnegotiation of something else.
        let notices = b"\xff\xfa\x2c\x6b\xb0\xff\xf0\xff\xfa\x18\x01\xff\xf0\xff\xfa\xff\xf0";
        assert_eq!(receive(&mut client, notices), Ok(vec![]));
    }

    #[test]
    fn a_server_without_the_options_is_an_error() {
        let refused = receive(&mut Client::new(DEFAULT), b"\xff\xfe\x2c").expect_err("refused");
        assert!(refused.to_string().ends_with("use tcp: instead"), "{refused}");
        assert_eq!(receive(&mut ready(), b"\xff\xfe\x2c"), Err(Rfc2217Error::NoOption));
        for wire in [b"\xff\xfe\x00", b"\xff\xfc\x00"] {
            assert_eq!(receive(&mut ready(), wire), Err(Rfc2217Error::NotBinary));
        }
    }

    /// Bytes as they are, or what begins and ends commands.
    fn any_wire() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            240_u8..=255,
            prop::sample::select(vec![IAC, IAC, BINARY, COM_PORT, SUB_BEGIN, SUB_END, 101]),
        ];
        prop::collection::vec(byte, 0..400)
    }

    proptest! {
        #[test]
        fn every_byte_comes_back_however_it_is_cut(
            sent in prop::collection::vec(prop_oneof![any::<u8>(), Just(IAC)], 0..300),
            cut in 1_usize..9,
        ) {
            let mut client = ready();
            let mut wire = Vec::new();
            for piece in sent.chunks(7) {
                client.send(piece);
                // Both ways bytes are escaped alike; the server reports the state of a modem.
                wire.append(client.out());
                wire.extend(b"\xff\xfa\x2c\x6b\xff\xff\xff\xf0");
            }
            let mut payload = Vec::new();
            for piece in wire.chunks(cut) {
                prop_assert_eq!(client.receive(piece, &mut payload), Ok(()));
            }
            prop_assert_eq!(payload, sent);
            prop_assert!(client.out().is_empty());
        }

        #[test]
        fn nothing_makes_it_panic_and_cuts_mean_nothing(
            wire in any_wire(),
            cut in 1_usize..9,
            is_ready in any::<bool>(),
        ) {
            let run = |cut: usize| {
                let mut client = if is_ready { ready() } else { Client::new(DEFAULT) };
                let mut payload = Vec::new();
                let receive = |piece| client.receive(piece, &mut payload);
                let ended = wire.chunks(cut).try_for_each(receive);
                (payload, ended, take(&mut client))
            };
            prop_assert_eq!(run(cut), run(1000));
        }
    }
}
