//! Files of captured packets: pcapng as written here (draft-ietf-opsawg-pcapng, blocks of sections
//! 4.1 to 4.3), and read besides it the older pcap (draft-ietf-opsawg-pcap), of either byte order.
//! Pure: bytes in, bytes out.

/// What a file of this program names as its maker.
pub(super) const MAKER: &str = concat!("lastmeter ", env!("CARGO_PKG_VERSION"));

/// What all versions of it begin with there.
const OWN: &[u8] = b"lastmeter ";

/// Packets that begin with an IP header.
pub(super) const LINK_RAW: u16 = 101;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const ORDER: u32 = 0x1A2B_3C4D;
/// Options of blocks.
const END_OF_OPTIONS: u16 = 0;
const NAME: u16 = 2;
const APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
/// No packet of a capture is larger.
const PACKET_LIMIT: usize = 1 << 26;

/// A captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When, nanoseconds of Unix time.
    pub at_ns: u64,
    /// The type of its link, as tcpdump numbers them.
    pub link: u16,
    /// The packet from its link's header on.
    pub bytes: Vec<u8>,
    /// Whether its end was not captured.
    pub is_cut: bool,
}

fn block(kind: u32, body: &[u8], out: &mut Vec<u8>) {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = (12 + body.len() + padding) as u32;
    out.extend(kind.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(body);
    out.extend(std::iter::repeat_n(0, padding));
    out.extend(length.to_le_bytes());
}

fn option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    out.extend(std::iter::repeat_n(0, value.len().next_multiple_of(4) - value.len()));
}

/// The begin of a file: one section, one interface with its type of link and its name (none if it
/// is empty), time in nanoseconds.
pub(super) fn head(link: u16, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = Vec::new();
    section.extend(ORDER.to_le_bytes());
    section.extend([1_u16, 0].map(u16::to_le_bytes).concat());
    // Of unknown length.
    section.extend((-1_i64).to_le_bytes());
    option(APPLICATION, MAKER.as_bytes(), &mut section);
    option(END_OF_OPTIONS, &[], &mut section);
    block(SECTION, &section, &mut out);
    let mut interface = Vec::new();
    interface.extend([link, 0].map(u16::to_le_bytes).concat());
    // Packets are not cut.
    interface.extend(0_u32.to_le_bytes());
    if !name.is_empty() {
        option(NAME, name.as_bytes(), &mut interface);
    }
    option(TIME_RESOLUTION, &[9], &mut interface);
    option(END_OF_OPTIONS, &[], &mut interface);
    block(INTERFACE, &interface, &mut out);
    out
}

/// A packet of the interface of [`head`].
pub(super) fn packet(at_ns: u64, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(bytes.len() + 32);
    let length = bytes.len() as u32;
    for word in [0, (at_ns >> 32) as u32, at_ns as u32, length, length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(bytes);
    let mut out = Vec::with_capacity(bytes.len() + 48);
    block(ENHANCED_PACKET, &body, &mut out);
    out
}

/// What a file holds, up to what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// In the order of the file.
    pub packets: Vec<Packet>,
    /// Whether this program made it.
    pub is_own: bool,
    /// Where and how it is damaged, if it is.
    pub damage: Option<String>,
}

/// Reads a file whole. What cannot be read ends it, with the place.
pub fn read(file: &[u8]) -> Captured {
    let mut found = Captured::default();
    let mut reader = Reader { file, at: 0, is_big: false };
    let done = match file.get(..4) {
        Some([0x0A, 0x0D, 0x0D, 0x0A]) => reader.pcapng(&mut found),
        Some([0xA1, 0xB2, 0xC3, 0xD4] | [0xA1, 0xB2, 0x3C, 0x4D]) => reader.pcap(true, &mut found),
        Some([0xD4, 0xC3, 0xB2, 0xA1] | [0x4D, 0x3C, 0xB2, 0xA1]) => reader.pcap(false, &mut found),
        _ => Err("it begins like no pcap and no pcapng file".to_owned()),
    };
    found.damage = done.err();
    found
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    is_big: bool,
}

/// An interface: the type of its link, and how many units of time a second has.
#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    units_per_second: u64,
}

impl Reader<'_> {
    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.is_big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn short(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let two: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.is_big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    /// The classic form: a header of 24 bytes, one of 16 before each packet.
    fn pcap(&mut self, is_big: bool, found: &mut Captured) -> Result<(), String> {
        self.is_big = is_big;
        let head = self.file.get(..24).ok_or("cut within its header")?;
        // The magic number names the resolution of time.
        let is_nano = self.word(head, 0) == Some(0xA1B2_3C4D);
        let link = self.word(head, 20).unwrap_or(0) as u16;
        self.at = 24;
        while self.at < self.file.len() {
            let at = self.at;
            let cut = || format!("cut or damaged at byte {at}");
            let fields: Vec<u32> =
                (0..4).map_while(|field| self.word(self.file, at + 4 * field)).collect();
            let &[seconds, parts, length, whole] = fields.as_slice() else { return Err(cut()) };
            let (length, is_cut) = (length as usize, whole > length);
            let bytes = self.file.get(at + 16..at.saturating_add(16).saturating_add(length));
            let bytes = bytes.filter(|_| length <= PACKET_LIMIT).ok_or_else(cut)?.to_vec();
            let parts_ns = u64::from(parts) * if is_nano { 1 } else { 1000 };
            let at_ns = u64::from(seconds) * 1_000_000_000 + parts_ns;
            found.packets.push(Packet { at_ns, link, bytes, is_cut });
            self.at += 16 + length;
        }
        Ok(())
    }

    fn pcapng(&mut self, found: &mut Captured) -> Result<(), String> {
        let mut interfaces: Vec<Interface> = Vec::new();
        while self.at < self.file.len() {
            let at = self.at;
            let cut = || format!("cut or damaged at byte {at}");
            let rest = self.file.get(at..).unwrap_or_default();
            if rest.get(..4) == Some(&SECTION.to_le_bytes()) {
                let order = rest.get(8..12).ok_or_else(cut)?;
                self.is_big = order == ORDER.to_be_bytes();
                if !self.is_big && order != ORDER.to_le_bytes() {
                    return Err(cut());
                }
                interfaces.clear();
            }
            let kind = self.word(rest, 0).ok_or_else(cut)?;
            let length = self.word(rest, 4).ok_or_else(cut)? as usize;
            let body = (12..=PACKET_LIMIT).contains(&length).then(|| rest.get(8..length - 4));
            let body = body.flatten().ok_or_else(cut)?;
            match kind {
                SECTION => {
                    let maker = self.option(body, 16, APPLICATION);
                    found.is_own = maker.is_some_and(|maker| maker.starts_with(OWN));
                }
                INTERFACE => interfaces.push(self.interface(body).ok_or_else(cut)?),
                ENHANCED_PACKET => {
                    found.packets.push(self.enhanced(body, &interfaces).ok_or_else(cut)?);
                }
                SIMPLE_PACKET => return Err(format!("packets without a time at byte {at}")),
                _ => {}
            }
            self.at += length.next_multiple_of(4);
        }
        Ok(())
    }

    /// The value of an option behind the fields of a block.
    fn option<'b>(&self, body: &'b [u8], mut at: usize, wanted: u16) -> Option<&'b [u8]> {
        loop {
            let (code, length) = (self.short(body, at)?, usize::from(self.short(body, at + 2)?));
            if code == END_OF_OPTIONS {
                return None;
            }
            if code == wanted {
                return body.get(at + 4..at + 4 + length);
            }
            at += 4 + length.next_multiple_of(4);
        }
    }

    fn interface(&self, body: &[u8]) -> Option<Interface> {
        // A power of ten, or with the highest bit of two; without it microseconds.
        let resolution = self.option(body, 8, TIME_RESOLUTION).and_then(|value| value.first());
        let units_per_second = match resolution {
            None => 1_000_000,
            Some(power) if power & 0x80 == 0 => 10_u64.checked_pow(u32::from(*power))?,
            Some(power) => 2_u64.checked_pow(u32::from(power & 0x7F))?,
        };
        Some(Interface { link: self.short(body, 0)?, units_per_second })
    }

    fn enhanced(&self, body: &[u8], interfaces: &[Interface]) -> Option<Packet> {
        let interface = interfaces.get(self.word(body, 0)? as usize)?;
        let units = u64::from(self.word(body, 4)?) << 32 | u64::from(self.word(body, 8)?);
        let length = self.word(body, 12)? as usize;
        let bytes = body.get(20..20_usize.checked_add(length)?)?.to_vec();
        let at_ns = u128::from(units) * 1_000_000_000 / u128::from(interface.units_per_second);
        let is_cut = self.word(body, 16)? as usize > length;
        Some(Packet { at_ns: u64::try_from(at_ns).ok()?, link: interface.link, bytes, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(name: &str, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let blocks = packets.iter().map(|(at_ns, bytes)| packet(*at_ns, bytes));
        std::iter::once(head(LINK_RAW, name)).chain(blocks).flatten().collect()
    }

    #[test]
    fn a_file_of_others_is_read_in_either_byte_order_and_resolution() {
        // As tcpdump writes it: little-endian, microseconds, Ethernet.
        let mut classic = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0];
        classic.extend([0; 8]);
        classic.extend([0, 0, 4, 0, 1, 0, 0, 0]);
        classic.extend([5, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0xAA, 0xBB]);
        let one = Packet { at_ns: 5_000_007_000, link: 1, bytes: vec![0xAA, 0xBB], is_cut: false };
        assert_eq!(read(&classic).packets, std::slice::from_ref(&one));
        // The same, big-endian and in nanoseconds.
        let mut big = vec![0xA1, 0xB2, 0x3C, 0x4D, 0, 2, 0, 4];
        big.extend([0; 8]);
        big.extend([0, 4, 0, 0, 0, 0, 0, 1]);
        big.extend([0, 0, 0, 5, 0, 0, 0x1B, 0x58, 0, 0, 0, 2, 0, 0, 0, 2, 0xAA, 0xBB]);
        assert_eq!(read(&big), Captured { packets: vec![one.clone()], ..Captured::default() });
        // As dumpcap writes it: no resolution, which is microseconds.
        let mut next = Vec::new();
        let section = [&ORDER.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
        block(SECTION, &section, &mut next);
        block(INTERFACE, &[1, 0, 0, 0, 0, 0, 4, 0], &mut next);
        let time = 5_000_007_u64;
        let words = [0, (time >> 32) as u32, time as u32, 2, 2].map(u32::to_le_bytes).concat();
        block(ENHANCED_PACKET, &[&words[..], &[0xAA, 0xBB]].concat(), &mut next);
        assert_eq!(read(&next), Captured { packets: vec![one], ..Captured::default() });
    }

    #[test]
    fn what_is_no_capture_is_named() {
        assert_eq!(read(b"").damage.unwrap(), "it begins like no pcap and no pcapng file");
        assert_eq!(read(b"\xD4\xC3\xB2\xA1").damage.unwrap(), "cut within its header");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_as_far_as_the_file_goes(
            packets in prop::collection::vec(
                (any::<u64>(), prop::collection::vec(any::<u8>(), 0..50)), 0..8
            ),
            name in "[a-z]{0,9}",
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = file(&name, &packets);
            let found = read(&whole);
            prop_assert!(found.is_own && found.damage.is_none());
            let expected = packets.into_iter();
            let expected: Vec<Packet> = expected
                .map(|(at_ns, bytes)| Packet { at_ns, link: LINK_RAW, bytes, is_cut: false })
                .collect();
            prop_assert_eq!(&found.packets, &expected);
            let cut = read(&whole[..cut.index(whole.len())]);
            prop_assert_eq!(&cut.packets[..], &expected[..cut.packets.len()]);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..4) {
            let magics = [SECTION.to_le_bytes(), [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D]];
            if let Some(magic) = magics.get(at as usize) {
                bytes.splice(0..0, *magic);
            }
            if at == 0 {
                bytes.splice(4..4, [28, 0, 0, 0].into_iter().chain(ORDER.to_le_bytes()));
            }
            let _ = read(&bytes);
        }
    }
}
