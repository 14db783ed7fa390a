//! Program images for nodes of field networks, and transfers of them.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use lastmeter_model::entity::{FirmwareImage, FirmwareTransfer};

use super::devices::List;
use super::documents::{DocumentJson, Members, TOKEN, described, list_of, one_of, remove_of};
use super::extract::{Body, Call};
use super::networks::NODE;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Gives, routes};
use super::{Answer, Made};
use crate::ops::documents::shown;
use crate::ops::firmware;

const IMAGE: &str = r#"{"token":"x.a","name":"Plug 2.1","manufacturer":4660,"imageType":1,
    "fileVersion":7,"data":"00","sha256":
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"}"#;
const START: &str = r#"{"image":"x.a"}"#;

routes! {
    "networks" {
        Get "/api/v1/firmware" => list: "Program images, by token",
            To(Firmware, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/firmware" => upload:
            "Takes a program image in: its bytes as hexadecimal digits in `data`, with their \
             `sha256`; an image stays as it is",
            To(Firmware, Write), [], takes |_| described(IMAGE),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/api/v1/firmware/{token}" => one: "One of them, without its bytes",
            To(Firmware, Read), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [500];
        Post "/api/v1/nodes/{hardwareId}/firmware" => start:
            "Gives a node notice of an image, which the node fetches, checks and runs",
            Within(Firmware, Write), [NODE], takes |_| described(START),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/api/v1/nodes/{hardwareId}/firmware" => transfer:
            "How far an image has come to a node, as of the last sixteenth of it",
            Within(Firmware, Read), [NODE],
            gives Gives::json::<DocumentJson>(200), refuses [500];
        Delete "/api/v1/nodes/{hardwareId}/firmware" => end:
            "Ends it: the node is given no more blocks",
            Within(Firmware, Write), [NODE],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

async fn list(call: Call) -> Answer<List<DocumentJson>> {
    list_of::<FirmwareImage>(call).await
}

async fn upload(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let made = firmware::upload(&call.caller(), members).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

async fn one(call: Call) -> Answer<DocumentJson> {
    one_of::<FirmwareImage>(call).await
}

async fn transfer(call: Call) -> Answer<DocumentJson> {
    one_of::<FirmwareTransfer>(call).await
}

async fn start(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let made = firmware::start(&call.caller(), &call.variable, members).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

async fn end(call: Call, headers: HeaderMap) -> Answer<DocumentJson> {
    remove_of::<FirmwareTransfer>(call, headers).await
}
