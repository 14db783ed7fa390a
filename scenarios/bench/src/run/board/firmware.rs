//! The images that boards run: built here from their sources, or a file's.

use std::path::{Path, PathBuf};
use std::process::Command;

use lastmeter_language::IMAGE_ENDING;
use sha2::{Digest, Sha256};

macro_rules! sources {
    ($($name:literal),*) => {
        /// The sources of the firmware `meter`.
        const METER: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!("../../../../../devices/firmware/meter/", $name)),
        )),*];
    };
}

sources![
    "build.sh",
    "line.h",
    "measure.c",
    "measure.h",
    "meter.c",
    "slcan.c",
    "stimulus.c",
    "stm32f1.ld"
];

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) elf: PathBuf,
    /// What it is, for the record.
    pub(crate) facts: String,
    /// The CRC-32 of what lies in the flash, where that is known.
    pub(crate) crc32: Option<u32>,
}

/// The image of a firmware: built into a folder, or the file of this path.
pub(crate) fn image(firmware: &str, beside: &Path, folder: &Path) -> Result<Image, String> {
    if firmware.ends_with(IMAGE_ENDING) {
        let elf = beside.join(firmware);
        let bytes = std::fs::read(&elf)
            .map_err(|error| format!("the image {} cannot be read: {error}", elf.display()))?;
        let facts = format!("{firmware}, sha256 {}", hexadecimal(&Sha256::digest(&bytes)));
        return Ok(Image { elf, facts, crc32: None });
    }
    if firmware != "meter" {
        return Err(format!(
            "there is no firmware `{firmware}`; write `meter`, or the path of an ELF file"
        ));
    }
    let source = folder.join(firmware);
    let out = source.join("out");
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", source.display());
    std::fs::create_dir_all(&source).map_err(failed)?;
    for (name, text) in METER {
        std::fs::write(source.join(name), text).map_err(failed)?;
    }
    let built = Command::new("sh").arg(source.join("build.sh")).arg(&out).output();
    let built =
        built.map_err(|error| format!("cannot build the firmware `{firmware}`: {error}"))?;
    if !built.status.success() {
        let output = String::from_utf8_lossy(&built.stderr).trim().to_owned();
        return Err(format!("the firmware `{firmware}` does not build: {output}"));
    }
    let binary = std::fs::read(out.join("meter.bin")).map_err(failed)?;
    let crc32 = crc32(&binary);
    let hash = hexadecimal(&Sha256::digest(&binary));
    Ok(Image {
        elf: out.join("meter.elf"),
        facts: format!("{firmware}, image {crc32:08x}, sha256 {hash}"),
        crc32: Some(crc32),
    })
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// CRC-32/ISO-HDLC, which the firmware computes of its own image.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_is_no_image_is_refused_with_the_reason() {
        let folder = Path::new("/nonexistent");
        let found = image("kettle", folder, folder).unwrap_err();
        assert!(found.contains("no firmware `kettle`"), "{found}");
        let found = image("x.elf", folder, folder).unwrap_err();
        assert!(found.contains("cannot be read"), "{found}");
    }
}
