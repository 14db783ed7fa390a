//! Program images for nodes, and their way to a node: what the door of gateways carries out.

use std::sync::Arc;

use lastmeter_fields::by_name;
use lastmeter_model::document::{Document, Edit, Expect, Transaction};
use lastmeter_model::entity::{
    Body as _, FieldNetwork, FirmwareContent, FirmwareImage, FirmwareTransfer, IMAGE_BYTES_MAX,
    Node, TransferState,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Caller;
use super::bounds::check;
use super::documents::{self, own_members};
use crate::access::{from_hex, hex};
use crate::problem::{Problem, wrong};

/// Digits of an image's hash that are its token unless one is given.
const TOKEN_DIGITS: usize = 32;

/// Takes an image in, if its bytes have the hash that was stated.
pub(crate) async fn upload(
    caller: &Caller,
    members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let kind = FirmwareImage::kind();
    let request = own_members(kind, members)?;
    let mut body = request.body.unwrap_or_default();
    let data = body.remove("data");
    let data = data.as_ref().and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let bytes = from_hex(&data).filter(|it| (1..=IMAGE_BYTES_MAX as usize).contains(&it.len()));
    let Some(bytes) = bytes else {
        let expected = format!(
            "{} characters, expected 1 to {IMAGE_BYTES_MAX} bytes as hexadecimal digits",
            data.len()
        );
        return Err(wrong("data", &expected));
    };
    let found = hex(&Sha256::digest(&bytes));
    let stated = body.get("sha256").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    if stated != found {
        let what = if stated.is_empty() { "missing" } else { "another" };
        let detail = format!("{what}, the bytes in `data` have `{found}`; send both again");
        return Err(wrong("sha256", &detail));
    }
    body.insert("sha256".to_owned(), json!(found));
    body.insert("size".to_owned(), json!(bytes.len()));
    let token = request.token.unwrap_or_else(|| found[..TOKEN_DIGITS].to_owned());
    documents::check_token(kind, &token)?;
    documents::permitted(caller, kind, &token, &json!(body))?;
    // What is checked holds until the image is there.
    let _alone = caller.tenant.changing.lock().await;
    check(caller, (kind, &token), None, &json!(body))?;
    let (token, body) = (Some(token), Some(json!(body)));
    let mut edits = vec![Edit { kind, token: token.clone(), expect: Expect::New, body }];
    let content = FirmwareContent::kind();
    if documents::newest(caller, content, &found).await?.is_none() {
        let body = Some(json!({ "data": data }));
        edits.push(Edit { kind: content, token: Some(found), expect: Expect::Anything, body });
    }
    let changed = caller.apply(Transaction::of(caller.name(), edits)).await?;
    if changed.conflict.is_some() {
        let token = token.unwrap_or_default();
        let detail = format!("there is or was one with the token `{token}`");
        return Err(Problem::conflict("token_is_taken", detail));
    }
    documents::edited(caller, kind, changed.documents.first()).await
}

/// Has an image wait for a node, which is given notice of it and fetches it.
pub(crate) async fn start(
    caller: &Caller,
    id: &str,
    members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let kind = FirmwareTransfer::kind();
    if let Some(name) = members.keys().find(|name| *name != "image") {
        return Err(wrong(name, "expected `image` alone, the token of one"));
    }
    let _alone = caller.tenant.changing.lock().await;
    let tenant = &caller.tenant;
    let named = members.get("image").and_then(Value::as_str).unwrap_or_default();
    let image = tenant.documents.body::<FirmwareImage>(named);
    let body = json!({
        "image": members.get("image"), "state": TransferState::Waiting, "confirmedBytes": 0,
        "size": image.map_or(0, |image| image.size), "repeatedBlocks": 0,
        "started": tenant.clock.now(),
    });
    documents::permitted(caller, kind, id, &body)?;
    let Some(node) = tenant.documents.body::<Node>(id) else {
        return Err(documents::unknown(Node::kind(), id));
    };
    let network = tenant.documents.body::<FieldNetwork>(node.field_network_token.as_str());
    let network_type = network.as_ref().and_then(|it| by_name(it.network_type.as_str()));
    if network_type.is_some_and(|it| it.supply.is_none()) {
        let detail = format!("nodes of the network type of `{id}` take no images");
        return Err(Problem::conflict("no_firmware", detail));
    }
    let before = tenant.documents.body::<FirmwareTransfer>(id);
    let is_open =
        |it: &FirmwareTransfer| matches!(it.state, TransferState::Waiting | TransferState::Sending);
    if before.as_deref().is_some_and(is_open) {
        let detail = format!("an image is on its way to `{id}`; remove that transfer first");
        return Err(Problem::conflict("transfer_under_way", detail));
    }
    check(caller, (kind, id), None, &body)?;
    let token = Some(id.to_owned());
    let edits = vec![Edit { kind, token, expect: Expect::Anything, body: Some(body) }];
    let changed = caller.apply(Transaction::of(caller.name(), edits)).await?;
    documents::edited(caller, kind, changed.documents.first()).await
}
