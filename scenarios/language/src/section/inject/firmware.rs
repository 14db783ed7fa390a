//! `firmware`: a device is given a program image, which it fetches, checks and runs.

use lastmeter_devices::zigbee::{ImageId, PLUG_PROGRAM};
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};

use super::injection::Injection;
use super::kind::{InjectKind, PlacedDevice};
use super::order::Order;
use super::target::Places;
use crate::draft::Row;
use crate::references::Target;

pub(super) struct Firmware;

impl InjectKind for Firmware {
    fn entry(&self) -> Entry {
        Entry {
            name: "firmware",
            summary: "a program image for a node of a radio network, given to the platform",
            description: "The bench gives the platform an image whose program is drawn from the \
                seed, and has it sent to the device, as the operator would. The device is given \
                notice, asks for what it lacks block by block, checks the whole and runs it; the \
                record has `image_installed` or `image_refused` of the device. How far it has come \
                is a `[[request]]` for `/api/v1/nodes/EUI64/firmware`.",
            fields: FIELDS,
        }
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        places.device(row)
    }

    /// The device has to take images, and to run another one.
    fn validate_target(&self, row: &Row<'_>, device: &PlacedDevice<'_>, out: &mut Diagnostics) {
        let (Some(values), Some(model)) = (&row.values, device.device) else { return };
        let (name, span) = row.text("device").unwrap_or(("", row.span));
        let Some(running) = model.image() else {
            let message = format!("`{name}` takes no program images");
            let label = "expected a device of a model that does: `smart-plug`";
            return out.report(Code::DOES_NOT_FIT, span, message, label);
        };
        if running.version == version_of(values) {
            let message = format!("`{name}` runs version {} from the start", running.version);
            let label = "expected a `version` that differs from its `program_version`";
            out.report(Code::DOES_NOT_FIT, span, message, label);
        }
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let values = &injection.values;
        let image = ImageId { version: version_of(values), ..PLUG_PROGRAM };
        let bytes = usize::try_from(values.integer("bytes")).unwrap_or_default();
        let is_damaged = values.boolean("damaged");
        let order = |device| Order::Firmware { device, image, bytes, is_damaged };
        injection.device().map(order).into_iter().collect()
    }
}

fn version_of(values: &Values) -> u32 {
    u32::try_from(values.integer("version")).unwrap_or_default()
}

const FIELDS: &[Field] = &[
    Field::required("device", Kind::Name, "the device it is for"),
    Field::required(
        "version",
        Kind::Integer { min: 0, max: u32::MAX as i64 },
        "the version of the image",
    ),
    Field::default(
        "bytes",
        Kind::Integer { min: 200, max: 500_000 },
        "200000",
        "the length of the image's file",
    ),
    Field::default(
        "damaged",
        Kind::Boolean,
        "false",
        "whether one of its bytes is another than its integrity code is of; the device has to \
         refuse it",
    ),
];
