//! Program images for nodes: made from the scenario's seed, and given to the platform.

use std::fmt::Write as _;

use lastmeter_link::http::Client;
use lastmeter_sim::Streams;
use lastmeter_zigbee::image;
use lastmeter_zigbee::zcl::cluster::ota::ImageId;
use rand::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::{BenchError, chain};

/// The file of an image, so many bytes long.
pub(crate) fn file_of(
    streams: Streams,
    device: &str,
    (image, bytes, is_damaged): (ImageId, usize, bool),
) -> Vec<u8> {
    let around = image::file_of(image, &[]).len();
    let mut program = vec![0; bytes.saturating_sub(around)];
    streams.stream(&format!("firmware/{device}/{}", image.version)).fill_bytes(&mut program);
    let mut file = image::file_of(image, &program);
    let middle = file.len() / 2;
    file[middle] ^= u8::from(is_damaged);
    file
}

/// Gives the platform an image, and has it sent to a node.
pub(crate) async fn give(
    client: &Client,
    (device, node): (&str, &str),
    (image, file): (ImageId, &[u8]),
) -> Result<(), BenchError> {
    let digits = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            // A text takes everything.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let token = format!("{device}-{}", image.version);
    let uploaded = json!({
        "token": token,
        "name": format!("version {} for {device}", image.version),
        "manufacturer": image.manufacturer,
        "imageType": image.image_type,
        "fileVersion": image.version,
        "data": digits(file),
        "sha256": digits(&Sha256::digest(file)),
    });
    let started = json!({ "image": token });
    let path = format!("/api/v1/nodes/{node}/firmware");
    for (path, body) in [("/api/v1/firmware", &uploaded), (path.as_str(), &started)] {
        client.post_json::<_, Value>(path, body).await.map_err(|error| {
            let why = chain(&error);
            BenchError::Rest(format!("the image for `{device}` is not taken: {why}"))
        })?;
    }
    Ok(())
}
