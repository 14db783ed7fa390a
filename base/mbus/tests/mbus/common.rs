//! What the tests share: captured frames, hex.
//!
//! Captured frames are found through `LASTMETER_FRAMES`; a test that needs them and does not find
//! them prints that and returns, unless `LASTMETER_REQUIRE` asks for data.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The files of a folder of captured frames by name, or nothing with the reason printed.
pub(crate) fn captured(folder: &str) -> Option<BTreeMap<String, String>> {
    let root = std::env::var_os("LASTMETER_FRAMES").map(PathBuf::from);
    let read = root.ok_or("LASTMETER_FRAMES is not set".to_owned()).and_then(|root| {
        let folder = root.join(folder);
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            files.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(files)
    });
    match read {
        Ok(files) => Some(files),
        Err(reason) => {
            let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
            let needed = required.split(',').any(|tier| matches!(tier.trim(), "all" | "data"));
            assert!(!needed, "required data is missing: {reason}");
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// Bytes of hex digits with blanks between them; without blanks, two digits are a byte.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let byte = |digits: &str| u8::from_str_radix(digits, 16).expect("hex digits");
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        if word.len() <= 2 {
            bytes.push(byte(word));
        } else {
            bytes.extend((0..word.len() / 2).map(|at| byte(&word[2 * at..2 * at + 2])));
        }
    }
    bytes
}
