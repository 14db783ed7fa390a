//! The file of a program image (ZCL 075123, 11.4, unverified): a header, then elements, of which
//! the last is the integrity code: the AES-MMO hash of all bytes before it.
//!
//! The hash is that of ZigBee 05-3474, B.6: Matyas-Meyer-Oseas with AES-128, whose published values
//! are in the tests. That it covers the tag and the length of its own element is unverified.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

use crate::bytes::{DecodeError, Reader};
use crate::zcl::Record as _;
use crate::zcl::cluster::ota::ImageId;

const MAGIC: u32 = 0x0BEE_F11E;
const HEADER_VERSION: u16 = 0x0100;
/// A header without optional fields.
const HEADER_BYTES: usize = 56;
/// The stack that the image is for: ZigBee PRO.
const STACK: u16 = 2;
const NAME_BYTES: usize = 32;
/// Tag and length in front of each element.
const ELEMENT_HEAD_BYTES: usize = 6;
const TAG_PROGRAM: u16 = 0;
const TAG_INTEGRITY: u16 = 3;
const HASH_BYTES: usize = 16;

/// Why bytes are no image that may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// They are no file of an image.
    #[error("{0}; the file is cut off or is none of an image")]
    Malformed(#[from] DecodeError),
    /// It is the file of another image.
    #[error("the file has the image {found:?}, expected {expected:?}")]
    Other {
        /// What its header has.
        found: ImageId,
        /// Which one was asked for.
        expected: ImageId,
    },
    /// The header has another length than the file.
    #[error("the file has {found} bytes, its header {stated}; fetch it again")]
    Length {
        /// Bytes that are there.
        found: usize,
        /// Bytes by the header.
        stated: u32,
    },
    /// It has no integrity code as its last element.
    #[error("the file has no integrity code (element 3) at its end; build it with one")]
    NoIntegrity,
    /// The integrity code is that of other bytes.
    #[error("the integrity code does not match the file, which is damaged; fetch it again")]
    Damaged,
}

/// The AES-MMO hash of some bytes.
pub fn aes_mmo(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    // The length in bits stands in two bytes, or in six of a message that needs them.
    let bits = bytes.len() as u64 * 8;
    let length = bits.to_be_bytes();
    let length: &[u8] = if u16::try_from(bits).is_ok() {
        &length[6..]
    } else {
        &[length[4], length[5], length[6], length[7], 0, 0]
    };
    while !(padded.len() + length.len()).is_multiple_of(HASH_BYTES) {
        padded.push(0);
    }
    padded.extend_from_slice(length);
    let mut hash = [0; HASH_BYTES];
    for block in padded.chunks_exact(HASH_BYTES) {
        let mut sealed = [0; HASH_BYTES];
        sealed.copy_from_slice(block);
        let mut state = sealed.into();
        Aes128::new(&hash.into()).encrypt_block(&mut state);
        hash = state.into();
        hash.iter_mut().zip(sealed).for_each(|(byte, of_block)| *byte ^= of_block);
    }
    hash
}

/// The file of an image with a program.
pub fn file_of(image: ImageId, program: &[u8]) -> Vec<u8> {
    let total = HEADER_BYTES + 2 * ELEMENT_HEAD_BYTES + program.len() + HASH_BYTES;
    let mut out = Vec::with_capacity(total);
    out.extend(MAGIC.to_le_bytes());
    for field in [HEADER_VERSION, HEADER_BYTES as u16, 0, image.manufacturer, image.image_type] {
        out.extend(field.to_le_bytes());
    }
    out.extend(image.version.to_le_bytes());
    out.extend(STACK.to_le_bytes());
    out.extend([0; NAME_BYTES]);
    out.extend((total as u32).to_le_bytes());
    out.extend(TAG_PROGRAM.to_le_bytes());
    out.extend((program.len() as u32).to_le_bytes());
    out.extend(program);
    out.extend(TAG_INTEGRITY.to_le_bytes());
    out.extend((HASH_BYTES as u32).to_le_bytes());
    out.extend(aes_mmo(&out));
    out
}

/// A number that is the same in each file.
fn fixed(
    (what, at): (&'static str, usize),
    found: u32,
    wanted: u32,
    expected: &'static str,
) -> Result<(), DecodeError> {
    let is_it = found == wanted;
    let found = found.into();
    if is_it { Ok(()) } else { Err(DecodeError::Unexpected { what, at, found, expected }) }
}

/// Checks a file of an image: its header, its length, its elements and its integrity code.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(file: &[u8], expected: ImageId) -> Result<(), ImageError> {
    let mut reader = Reader::new(file);
    let magic = reader.u32("magic of an image")?;
    fixed(("magic of an image", 0), magic, MAGIC, "0BEEF11E")?;
    let version = reader.u16("header version")?.into();
    fixed(("header version", 4), version, HEADER_VERSION.into(), "0100")?;
    let header_bytes = usize::from(reader.u16("header length")?);
    let _field_control = reader.u16("field control")?;
    let found = ImageId::take(&mut reader)?;
    if found != expected {
        return Err(ImageError::Other { found, expected });
    }
    reader.take("stack version and name", 2 + NAME_BYTES)?;
    let stated = reader.u32("total image size")?;
    if stated as usize != file.len() {
        return Err(ImageError::Length { found: file.len(), stated });
    }
    reader.take("optional fields", header_bytes.saturating_sub(HEADER_BYTES))?;
    while reader.at() < file.len() {
        let tag = reader.u16("tag of an element")?;
        let length = reader.u32("length of an element")? as usize;
        let covered = reader.at();
        let content = reader.take("element of an image", length)?;
        if tag == TAG_INTEGRITY && reader.at() == file.len() {
            let is_whole = content == aes_mmo(&file[..covered]);
            return if is_whole { Ok(()) } else { Err(ImageError::Damaged) };
        }
    }
    Err(ImageError::NoIntegrity)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IMAGE: ImageId = ImageId { manufacturer: 0x1234, image_type: 1, version: 7 };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    #[test]
    fn hashes_are_the_published_ones() {
        // ZigBee 05-3474, C.5.1 and C.5.2.
        assert_eq!(hex(&aes_mmo(&[0xC0])), "ae3a102a28d43ee0d4a09e22788b206c");
        let sixteen: Vec<u8> = (0xC0..=0xCF).collect();
        assert_eq!(hex(&aes_mmo(&sixteen)), "a7977e88bc0b61e8210827109a228f2d");
        // Longer ones have another padding: values of another implementation.
        let long: Vec<u8> = (0..8_191_u32).map(|at| at as u8).collect();
        assert_eq!(hex(&aes_mmo(&long)), "24ec2fe75bbffcb34789bc0610e7f165");
        let long: Vec<u8> = (0..8_192_u32).map(|at| at as u8).collect();
        assert_eq!(hex(&aes_mmo(&long)), "dc6b0687f09f8607131c170b3bd31591");
    }

    proptest! {
        #[test]
        fn a_file_passes_and_none_that_differs_in_a_byte_or_is_cut(
            program in prop::collection::vec(any::<u8>(), 0..300),
            place: prop::sample::Index,
            flip in 1..=255_u8,
        ) {
            let file = file_of(IMAGE, &program);
            prop_assert_eq!(check(&file, IMAGE), Ok(()));
            prop_assert!(check(&file[..place.index(file.len())], IMAGE).is_err());
            let mut damaged = file;
            *place.get_mut(&mut damaged) ^= flip;
            prop_assert!(check(&damaged, IMAGE).is_err());
        }

        #[test]
        fn any_bytes_are_checked_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..99),
            place: prop::sample::Index,
        ) {
            let _ = check(&bytes, IMAGE);
            let mut file = file_of(IMAGE, &[1; 20]);
            file.splice(place.index(file.len()).., bytes);
            let _ = check(&file, IMAGE);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let file = file_of(IMAGE, b"program");
        let other = ImageId { version: 8, ..IMAGE };
        let expected = ImageError::Other { found: IMAGE, expected: other };
        assert_eq!(check(&file, other), Err(expected));
        let cut = ImageError::Length { found: 70, stated: file.len() as u32 };
        assert_eq!(check(&file[..70], IMAGE), Err(cut));
        let mut damaged = file.clone();
        damaged[65] ^= 1;
        assert_eq!(check(&damaged, IMAGE), Err(ImageError::Damaged));
        let mut without = file[..75 - 6].to_vec();
        without[52] = without.len() as u8;
        assert_eq!(check(&without, IMAGE), Err(ImageError::NoIntegrity));
        assert!(matches!(check(b"text", IMAGE), Err(ImageError::Malformed(_))));
    }
}
