//! What is fuzzed: every decoder of bytes from outside, by name, with inputs to begin from.
//!
//! A target takes any bytes: it neither panics nor asks for memory that they do not justify. The
//! fuzzers under `fuzz_targets` and the test `tests/decoders.rs` run the same ones.

use std::path::Path;

use lastmeter_can::bus::{Bus, Change, Detail, Happening};
use lastmeter_can::controller::{
    AttemptEnd, Controller, ControllerConfiguration, FIFO_DEPTH, FifoNumber, FilterBank,
    FilterForm, Mask16, OverrunPolicy, TransmitOrder,
};
use lastmeter_can::dbc::Database;
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan;
use lastmeter_grid::format::{dss, pgm, toml};
use lastmeter_language::{LoadOptions, Scenario};
use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::record::{Item, Records};
use lastmeter_params::{Diagnostics, SourceId, parse_document, parse_override};
use lastmeter_plans::standard::TestPlan;
use lastmeter_rts::point_map::{
    Plausibility, PointDirection, PointMap, WireFormat, listed_points, unnoticeable_shifts,
    villas_points,
};
use lastmeter_rts::villas::{Decoded, binary, json, protobuf};
use lastmeter_rts::{
    AsyncIp, ByteOrder, FieldType, Format, FrameDescription, FrameField, Framing, Gtnet,
    GtnetHeader, GtnetPoint, Reassembly, Rejection, Sample, SignalType, Wire,
};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_waveform::{Recording, comtrade, csv, spectrum};
use lastmeter_wire::flexmeter::{self, DecodeRules, Limits};

#[path = "../../base/wire/tests/tools/batch.rs"]
mod batch;
#[path = "../../base/wire/tests/tools/numbered.rs"]
mod numbered;
#[path = "../../base/zigbee/tests/tools/exercise.rs"]
mod relayed;

pub use numbered::{block, result};

/// A decoder.
pub struct Target {
    /// As its binary is called.
    pub name: &'static str,
    /// Decodes; whether that went well.
    pub run: fn(&[u8]) -> bool,
    /// What is decoded without a mistake.
    pub seeds: &'static [&'static [u8]],
}

const fn target(
    name: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: &'static [&'static [u8]],
) -> Target {
    Target { name, run, seeds }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("comtrade", comtrade, &[COMTRADE_ASCII, COMTRADE_BINARY, COMTRADE_CFF]),
    target("csv", csv, &[CSV, b"Ua_V,Ia_A\n2.5,1\n4,2\n6,3\n"]),
    target("spectrum", spectrum, &[SPECTRUM]),
    target("dss", dss, &[DSS]),
    target("pgm", pgm, &[PGM]),
    target("grid_toml", grid_toml, &[GRID_TOML]),
    target(
        "scenario",
        scenario,
        &[
            include_bytes!("../../scenarios/library/source-disturbances.toml"),
            include_bytes!("../../scenarios/library/energy-reversal.toml"),
        ],
    ),
    target("params", params, &[b"a = \"230 V\"\n[[b]]\nc = [1, 2.5]\nd = { e = 1e3 }\n"]),
    target(
        "test_plan",
        test_plan,
        &[include_bytes!("../../base/plans/test_plans/iec-61000-4-7.toml")],
    ),
    target("flexmeter", flexmeter, &[MEASUREMENTS, ALERT, COMMAND]),
    target("jsonbatch", jsonbatch, &[BATCH]),
    target("result", result, &[numbered::RESULT]),
    target("block", block, &[numbered::BLOCK]),
    target("journal", journal, &[SEGMENT]),
    target("mbus", mbus, &[MBUS_VARIABLE, MBUS_FIXED]),
    target("slcan_host", slcan_host, &[SLCAN_ANSWERS]),
    target("slcan_adapter", slcan_adapter, &[SLCAN_COMMANDS]),
    target("can_bus", can_bus, &[CAN_FLIPS]),
    target("dbc", dbc, &[DATABASE]),
    target("can_controller", can_controller, &[CAN_CONTROLLER]),
    target("gtnet_skt", gtnet_skt, &[GTNET, GTNET_HEADER]),
    target("opal_asyncip", opal_asyncip, &[ASYNC_IP]),
    target("described_frame", described_frame, &[DESCRIBED]),
    target("villas_binary", villas_binary, &[VILLAS_BINARY]),
    target("villas_json", villas_json, &[VILLAS_JSON]),
    target("villas_protobuf", villas_protobuf, &[VILLAS_PROTOBUF]),
    target("rts_stream", rts_stream, &[ASYNC_IP, GTNET]),
    target("point_map", point_map, &[POINT_MAP, POINT_MAP_FRAME]),
    target("point_import", point_import, &[VILLAS_NODE, b"Name,Type\nu1,float,kV\nn,int\n"]),
    target("zigbee", zigbee, &[ZIGBEE_REPORT, ZIGBEE_READ, ZIGBEE_IMAGE, ZIGBEE_ANNOUNCE]),
];

/// Ends the header and begins the data of a COMTRADE input; no header has an empty line.
const BETWEEN: &[u8] = b"\n\n";

const COMTRADE_ASCII: &[u8] =
    b"s,d,2013\n2,1A,1D\n1,UA,A,,kV,0.5,1,0,-9,9,10,2,S\n1,D,,,0\n50\n1\n\
    1000,3\n01/02/2003,04:05:06.000007\n01/02/2003,04:05:06.000007\nASCII\n1\n0,0\n0,0\n\n\
    1,0,7,0\n2,1000,14,1\n3,2000,21,0\n";
const COMTRADE_BINARY: &[u8] = b"s,d,1999\n1,1A,0D\n1,UA,A,,V,0.5,1,0,-9,9,10,2,P\n50\n1\n1000,2\n\
    01/02/2003,04:05:06.000007\n01/02/2003,04:05:06.000007\nBINARY\n1\n\n\
    \x01\0\0\0\0\0\0\0\x07\0\x02\0\0\0\xe8\x03\0\0\x0e\0";
const COMTRADE_CFF: &[u8] = b"--- file type: CFG ---\ns,d,2013\n1,1A,0D\n\
    1,UA,A,,V,0.5,1,0,-9,9,10,2,P\n50\n1\n1000,3\n01/02/2003,04:05:06.000007\n\
    01/02/2003,04:05:06.000007\nASCII\n1\n0,0\n0,0\n--- file type: DAT ASCII ---\n\
    1,0,7\n2,1000,14\n3,2000,21\n";
const CSV: &[u8] = b"Time_UTC,Va_V,Vb_kV,Ia_A\n2020-02-24 18:15:21.499998208,1,-2,3e2\n\
    2020-02-24 18:15:21.500018208,4,5.5,-6\n2020-02-24 18:15:21.500038209,7,8,9\n";
const SPECTRUM: &[u8] = b"# lastmeter spectrum table, format 1\n# fundamental_hz = 50\n\
    channel,phase,unit,order,rms,phase_deg\nVa,a,V,0,-1,0\nVa,a,V,1,230,0\nIa,a,mA,2.5,16,-30\n";
const DSS: &[u8] = b"clear\nnew circuit.c basekv=11 pu=1.02 mvasc3=200\n\
    new linecode.lc nphases=3 rmatrix=[.1|.02 .1|.02 .02 .1] xmatrix=[.2|.1 .2|.1 .1 .2] units=km\n\
    new loadshape.day npts=4 interval=6 mult=(.4 .6 1 .7)\n\
    new transformer.t buses=[sourcebus 1] conns=[delta wye] kvs=[11 .4] kvas=[400 400] xhl=4\n\
    new regcontrol.r transformer=t winding=2 vreg=120 band=2 ptratio=2 maxtapchange=1\n\
    new line.one bus1=1 bus2=2 linecode=lc length=120 units=m\n\
    new capacitor.k bus1=2 kvar=10 kv=.4\nnew reactor.n bus1=1.4 bus2=1.0 phases=1 r=5 x=0\n\
    new load.l bus1=2.2 phases=1 kv=.23 kw=8 pf=.95 model=8 zipv=(.3 .3 .4 .3 .3 .4 0) daily=day\n\
    ~ vminpu=.8\nset voltagebases=[11 .4]\ncalcvoltagebases\nset loadmult=.9\nsolve\n";
const PGM: &[u8] = br#"{"version":"1.0","type":"input","is_batch":false,"attributes":
    {"node":["id","u_rated"]},"data":{"node":[[1,10500],[2,400],[3,400]],"line":[{"id":5,
    "from_node":2,"to_node":3,"from_status":1,"to_status":1,"r1":0.1,"x1":0.1,"c1":1e-8,"tan1":0,
    "i_n":100}],"source":[{"id":6,"node":1,"status":1,"u_ref":1.02,"sk":1e9,"rx_ratio":0.1}],
    "transformer":[{"id":7,"from_node":1,"to_node":2,"from_status":1,"to_status":1,"u1":10500,
    "u2":400,"sn":4e5,"uk":0.04,"pk":4600,"i0":0.01,"p0":600,"winding_from":2,"winding_to":1,
    "clock":5,"tap_side":0,"tap_pos":0,"tap_min":-2,"tap_max":2,"tap_size":250}],"sym_load":[
    {"id":8,"node":3,"status":1,"type":0,"p_specified":2500,"q_specified":500}]}}"#;
const GRID_TOML: &[u8] = b"format = 1\nname = \"g\"\nvoltage = \"400 V\"\n[[node]]\nname = \"a\"\n\
    voltage = \"10 kV\"\n[[node]]\nname = \"b\"\nwires = \"abcn\"\nat = [1, 2]\n[[node]]\n\
    name = \"c\"\nwires = \"abcn\"\n[[code]]\nname = \"k\"\nr1 = \"0.6 ohm/km\"\n\
    x1 = \"0.08 ohm/km\"\nr0 = \"2.4 ohm/km\"\nx0 = \"0.3 ohm/km\"\n[[source]]\nnode = \"a\"\n\
    short_circuit_power = \"250 MVA\"\n[[transformer]]\nname = \"T\"\nfrom = \"a\"\nto = \"b\"\n\
    group = \"Dyn5\"\nvoltages = [\"10 kV\", \"400 V\"]\npower = \"400 kVA\"\nuk = \"4 %\"\n\
    copper_loss = \"4.6 kW\"\n[[line]]\nname = \"l\"\nfrom = \"b\"\nto = \"c\"\ncode = \"k\"\nlength = \"90 m\"\n\
    [[load]]\nnode = \"c\"\nwires = \"b\"\np = \"2.5 kW\"\npower_factor = 0.95\n[[earthing]]\n\
    node = \"b\"\nresistance = \"2 ohm\"\n";
const MEASUREMENTS: &[u8] = br#"{"hardwareId":"m1","type":"DeviceMeasurements","request":
    {"measurements":{"electricity.power.active.consumed.l1":87.1},"updateState":true,
    "eventDate":"2020-02-24T18:15:21.499Z","metadata":{"serial":"7","epoch":"2","k":"v"}}}"#;
const ALERT: &[u8] = br#"{"hardwareId":"m1","type":"DeviceAlert","originator":"o","request":
    {"type":"t","level":"Warning","message":"m","eventDate":"2020-02-24T18:15:21Z","extra":[1,null],
    "metadata":{"serial":"3","epoch":"1","kind":"dip","phase":"l1","residual_v":"81.2"}}}"#;
const COMMAND: &[u8] = br#"{"command":{"command":{"name":"read","parameters":[{"name":"a","type":
    "Int32","required":true}]},"invocation":{"id":"7","eventDate":"2016-02-13T13:57:08.274-0500",
    "parameterValues":{"a":"1"},"status":"Pending"},"parameters":{"a":1}}}"#;
const BATCH: &[u8] = br#"[{"hardwareId":"m1","originator":"o","register":true,"measurements":[
    {"measurements":{"electricity.power.active.consumed.l1":87.1},"updateState":true,
    "metadata":{"serial":"7","epoch":"2"}},{"measurements":{"electricity.frequency":50}}]},
    {"hardwareId":"m2","alerts":[{"type":"t","level":"Info","message":"m"}],"acknowledgements":
    [{"originatingEventId":"7","response":"ok","eventDate":"2020-02-24T18:15:21Z"}]}]"#;
/// A head and two records, of 2 bytes each.
const SEGMENT: &[u8] =
    b"LMJRNL1\n\0\0\0\0\0\0\0\0\x06\xfb@\xe5\x02\0\0\0t \xc4h\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\x01{}\x02\0\0\0\xac\x0b\xb2H\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02no";

/// A relayed report of a power and a voltage.
const ZIGBEE_REPORT: &[u8] =
    b"\x1A\x2B\0\x12\x4B\0\x01\x02\x03\x04\x01\x01\x01\x04\x0B\x04\xC8\x09\
    \x18\x07\x0A\x0B\x05\x29\xD2\x04\x05\x05\x21\xFD\x08";
/// An answer with no value and a status.
const ZIGBEE_READ: &[u8] = b"\x1A\x2B\0\x12\x4B\0\x01\x02\x03\x04\x01\x01\x01\x04\x0B\x04\xC8\x09\
    \x08\x01\x01\x05\x05\0\x21\xFF\xFF\xFF\x05\x86";
/// A block of an image.
const ZIGBEE_IMAGE: &[u8] = b"\x1A\x2B\0\x12\x4B\0\x01\x02\x03\x04\x01\x01\x01\x04\0\x19\xC8\x09\
    \x19\x06\x05\0\x01\0\x02\0\x04\x03\x02\x01\x30\0\0\0\x03\x0A\x0B\x0C";
/// A node that has joined.
const ZIGBEE_ANNOUNCE: &[u8] = b"\x1A\x2B\0\x12\x4B\0\x01\x02\x03\x04\0\0\0\0\0\x13\xC8\x09\
    \x05\x2B\x1A\x04\x03\x02\x01\0\x4B\x12\0\x8E";

/// What an adapter may write.
const SLCAN_ANSWERS: &[u8] = b"\rz\rZ\r\x07V1013\rNLM01\rt10021133\r\
    t10021133EA5F\rr3010\rT0000001080102030405060708\rR1FFFFFFF80000\r";

const SLCAN_COMMANDS: &[u8] = b"\r\rS4\rM24600000\rmFFFFFFFF\rZ1\rO\rt10021133\rr3018\r\
    T0000001080102030405060708\rF\rV\rN\rC\r";
/// Bits that are read wrongly, counted from the one before, and by whom.
const CAN_FLIPS: &[u8] = &[200, 0, 150, 1, 90, 2, 60, 3];
/// Messages with both orders of bytes, a multiplexer, names of values and a floating point number.
const DATABASE: &[u8] = b"VERSION \"1\"\n\nNS_ :\n\nBS_:\n\nBU_: Master Meter\n\n\
    BO_ 513 Meter_Voltage: 8 Meter\n \
    SG_ Voltage : 7|32@0+ (1e-06,0) [0|4294] \"V\" Master\n \
    SG_ Current : 32|16@1- (0.01,-5) [0|0] \"A\" Master\n\n\
    BO_ 2147484000 Meter_Kind: 8 Meter\n \
    SG_ Kind M : 0|8@1+ (1,0) [0|255] \"\" Master\n \
    SG_ Power m1 : 8|32@1- (1,0) [0|0] \"W\" Master\n\n\
    CM_ SG_ 513 Voltage \"of the phase\";\n\
    VAL_ 2147484000 Kind 1 \"power\" 2 \"other\" ;\n\
    SIG_VALTYPE_ 2147484000 Power : 1;\n";
/// A filter bank, and calls of a controller: a request, its attempt, and a frame.
const CAN_CONTROLLER: &[u8] = b"\x41\0\0\0\0\0\0\0\0\0\x00\x12\x34\x00\x01\x00\x01\x55\x55\
    \x03\0\0\x04\0\0\x07\0\0";

/// A heat meter's answer with an energy, a date, an invalid flow and a text.
const MBUS_VARIABLE: &[u8] = b"h**h\x08\x02rxV4\x12$@\x01\x04U\0\0\0\x0c\x06'\x04\x85\x02\x04m\
    \x1e\x97\x9f,\x8b`\xbbp\x12\xd4V\x0d\xfd\x10\x03ABC\x1fW\x16";
/// Two counters in a fixed structure.
const MBUS_FIXED: &[u8] = b"h\x13\x13h\x08\x05sxV4\x12\n\0\xe9~\x01\0\0\x005\x01\0\0<\x16";

/// An integer and a float, and the same behind sequence and time.
const GTNET: &[u8] = b"\xff\xff\xff\xfd\x3f\x80\0\0";
const GTNET_HEADER: &[u8] = b"\0\0\0\x07\x01\0\0\0\0\0\0\x05\xff\xff\xff\xfd\x3f\x80\0\0";
/// Device 1, message 7, two values.
const ASYNC_IP: &[u8] = b"\x01\0\x07\0\0\0\x10\0\0\0\0\0\0\xd0\x6c\x40\0\0\0\0\0\0\xf0\xbf";
/// A truth, 7 bits, a float, and 3 bytes.
const DESCRIBED: &[u8] = b"\xd5\x3f\xc0\0\0\x01\x02\x03";
const VILLAS_BINARY: &[u8] =
    b"\x20\0\0\x02\0\0\0\x07\0\0\0\x01\x1d\xcd\x65\0\x3f\x80\0\0\xff\xff\xff\xfd";
const VILLAS_JSON: &[u8] =
    br#"[{"ts":{"origin":[1,500000000]},"sequence":7,"data":[0.5,3]},{"data":[1e3,-2]}]"#;
/// A sample of sequence 7 at a second and 5 ns: 0.5 and 3.
const VILLAS_PROTOBUF: &[u8] = b"\x0a\x1b\x08\x01\x10\x07\x1a\x04\x08\x01\x10\x05\
    \xa2\x06\x09\x09\0\0\0\0\0\0\xe0\x3f\xa2\x06\x02\x10\x03";
const POINT_MAP: &[u8] = br#"format = 1
[simulator]
name = "feeder"
wire_format = "gtnet-skt"
card = "gtnetx2"
sample_rate = "100 Hz"
[[point]]
name = "u1"
direction = "from-simulator"
type = "float"
unit = "kV"
scale = 2
offset = "3 V"
least = "0 V"
greatest = "300 V"
device = "house-1"
quantity = "electricity.voltage.rms.l1"
[[point]]
name = "mode"
direction = "from-simulator"
type = "integer"
role = "mode"
[[point]]
name = "tap"
direction = "to-simulator"
type = "integer"
least = -8
greatest = 8
greatest_change_per_second = 1
initial = 0
safe_value = 0
blocked_by_mode = true
"#;
const POINT_MAP_FRAME: &[u8] = br#"format = 1
[simulator]
name = "rack"
wire_format = "frame"
sample_rate = "1 kHz"
byte_order = "big"
frame_bytes_from_simulator = 20
[[point]]
name = "on"
direction = "from-simulator"
type = "boolean"
bits = 1
[[point]]
name = "count"
direction = "from-simulator"
type = "integer"
bits = 15
unsigned = true
[[point]]
name = "u"
direction = "from-simulator"
type = "float"
bits = 64
byte_offset = 4
byte_order = "little"
[[point]]
name = "phase"
direction = "from-simulator"
type = "integer"
byte_offset = 12
bit_offset = 3
bits = 12
least = -180
greatest = 180
"#;
const VILLAS_NODE: &[u8] = br#"{"nodes":{"opal":{"type":"socket","format":{"type":"raw","bits":64,
    "endianess":"big"},"in":{"signals":[{"name":"u","unit":"V"},{"type":"integer"}]},
    "out":{"signals":{"count":2,"type":"float"}}}}}"#;

fn check(recording: &Recording, bytes: &[u8]) {
    let values = recording.samples() * (recording.channels.len() + recording.digital.len());
    assert!(values <= 64 + 64 * bytes.len(), "{values} values of {} bytes", bytes.len());
}

/// Both files, with an empty line between them, or one that holds both.
pub fn comtrade(bytes: &[u8]) -> bool {
    let at = bytes.windows(BETWEEN.len()).position(|two| two == BETWEEN);
    let two = at.map(|at| comtrade::read(&bytes[..=at], &bytes[at + BETWEEN.len()..]));
    let read = [two.and_then(Result::ok), comtrade::read_cff(bytes).ok()];
    read.iter().flatten().map(|recording| check(recording, bytes)).count() > 0
}

/// A recording as text.
pub fn csv(bytes: &[u8]) -> bool {
    let read = |rate_hz| csv::read(bytes, &csv::CsvOptions { rate_hz, ..Default::default() }).ok();
    let read = [None, Some(1000.0)].map(read);
    read.iter().flatten().map(|recording| check(recording, bytes)).count() > 0
}

/// A table of orders; what is read is read the same again as it is written.
pub fn spectrum(bytes: &[u8]) -> bool {
    let Ok(table) = spectrum::read(bytes) else { return false };
    assert_eq!(spectrum::read(&spectrum::write(&table)).as_ref(), Ok(&table));
    true
}

/// An `OpenDSS` script that finds no other file.
pub fn dss(bytes: &[u8]) -> bool {
    let none = &mut |_: &str| Err("there is none".to_owned());
    dss::read("fuzz.dss", &String::from_utf8_lossy(bytes), none).is_ok()
}

/// A network of power-grid-model; what is read can be asked for as such a file again.
pub fn pgm(bytes: &[u8]) -> bool {
    let read = pgm::read("fuzz.json", &String::from_utf8_lossy(bytes));
    read.map(|document| pgm::write(&document.network)).is_ok()
}

/// A network as tables.
pub fn grid_toml(bytes: &[u8]) -> bool {
    toml::read("fuzz.toml", &String::from_utf8_lossy(bytes)).is_ok()
}

/// A scenario; every mistake has a text.
pub fn scenario(bytes: &[u8]) -> bool {
    let read = Scenario::from_bytes(Path::new("fuzz.toml"), bytes, &LoadOptions::default());
    read.map_err(|failure| assert!(!failure.to_string().is_empty())).is_ok()
}

/// What all of the language is made of.
pub fn params(bytes: &[u8]) -> bool {
    let (text, mut diagnostics) = (String::from_utf8_lossy(bytes), Diagnostics::new());
    let _ = parse_document(&text, SourceId(0), &mut diagnostics);
    let _ = parse_override(&text, 0, SourceId(0));
    diagnostics.is_empty()
}

/// A test plan of a standard.
pub fn test_plan(bytes: &[u8]) -> bool {
    TestPlan::read(&String::from_utf8_lossy(bytes)).is_ok()
}

/// A message of a device, or one to it; what is read is read the same again as it is written.
pub fn flexmeter(bytes: &[u8]) -> bool {
    let rules = DecodeRules::default();
    if let Ok(request) = flexmeter::decode(bytes, &rules) {
        let mut again = Vec::new();
        flexmeter::encode(&request, &mut again);
        assert_eq!(flexmeter::decode(&again, &rules).as_ref(), Ok(&request));
        return true;
    }
    flexmeter::decode_command(bytes, &Limits::default()).is_ok()
}

/// A batch; what is read is read the same again as it is written.
pub fn jsonbatch(bytes: &[u8]) -> bool {
    let rules = DecodeRules { limits: Limits::BATCH, ..DecodeRules::default() };
    let Ok(elements) = flexmeter::decode_batch(bytes, &rules) else { return false };
    let mut again = Vec::new();
    batch::encode_batch(&elements, &mut again);
    // Written it may be longer than one may be.
    if again.len() <= rules.limits.bytes_max {
        assert_eq!(flexmeter::decode_batch(&again, &rules), Ok(elements));
    }
    true
}

/// A segment of the platform's journal.
pub fn journal(bytes: &[u8]) -> bool {
    let records = lastmeter_platform::bench::records_in(bytes);
    assert!(records <= bytes.len());
    records > 0
}

/// An M-Bus frame; what it holds is read the same again as it is written.
pub fn mbus(bytes: &[u8]) -> bool {
    for item in Records::new(bytes).flatten() {
        let mut again = Vec::new();
        assert_eq!(item.encode(&mut again), Ok(()));
        // The manufacturer's rest goes to the end of what is read.
        if !matches!(item, Item::Manufacturer { .. }) {
            assert_eq!(Records::new(&again).next(), Some(Ok(item)));
        }
    }
    let Ok(frame) = Frame::decode(bytes) else { return false };
    let mut again = Vec::new();
    assert_eq!(frame.encode(&mut again), Ok(()));
    assert_eq!(Frame::decode(&again), Ok(frame));
    Application::decode_all(&frame).is_ok()
}

/// What a gateway relays, and the frames of nodes; what is read is written as it came.
pub fn zigbee(bytes: &[u8]) -> bool {
    relayed::exercise(bytes)
}

/// What an adapter wrote; a frame is read the same again as a host writes it.
pub fn slcan_host(bytes: &[u8]) -> bool {
    let (mut reader, mut items) = (slcan::Reader::default(), Vec::new());
    reader.bytes(bytes, &mut items);
    for item in &items {
        let slcan::Item::Frame { frame, .. } = item else { continue };
        let mut again = Vec::new();
        slcan::Reader::default().bytes(&slcan::Command::Transmit(*frame).encode(), &mut again);
        assert_eq!(again, [slcan::Item::Frame { frame: *frame, timestamp_ms: None }]);
    }
    let is_garbage = |item: &slcan::Item| matches!(item, slcan::Item::Garbage { .. });
    !items.is_empty() && !items.iter().any(is_garbage)
}

/// What a host wrote: each line has one answer, and none is refused without a reason in it.
pub fn slcan_adapter(bytes: &[u8]) -> bool {
    let (mut adapter, mut answers, mut orders) = Default::default();
    slcan::Adapter::bytes(&mut adapter, bytes, &mut answers, &mut orders);
    let count = |bytes: &[u8], end: u8| bytes.split(|byte| *byte == end).count() - 1;
    let refused = count(&answers, slcan::BEL);
    assert_eq!(count(&answers, b'\r') + refused, count(bytes, b'\r'));
    !answers.is_empty() && refused == 0
}

/// A filter bank of 9 bytes: form, FIFO and activity, then its words.
fn filter_bank(bytes: &[u8; 9]) -> FilterBank {
    let long = |at: usize| u32::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let mask = |at| Mask16 { identifier: short(at), mask: short(at + 2) };
    let form = match bytes[0] & 3 {
        0 => FilterForm::Mask32 { identifier: long(1), mask: long(5) },
        1 => FilterForm::List32([long(1), long(5)]),
        2 => FilterForm::Mask16([mask(1), mask(5)]),
        _ => FilterForm::List16([1, 3, 5, 7].map(short)),
    };
    let fifo = if bytes[0] & 4 == 0 { FifoNumber::Fifo0 } else { FifoNumber::Fifo1 };
    FilterBank { form, fifo, is_active: bytes[0] & 8 == 0 }
}

/// A controller whose filters are in the bytes, as many as the first one has, and calls of it.
pub fn can_controller(bytes: &[u8]) -> bool {
    let Some((&head, bytes)) = bytes.split_first() else { return false };
    let (banks, calls) = bytes.split_at(bytes.len().min(usize::from(head & 15) * 9));
    let bit = |number: u8| head >> number & 1 == 1;
    let configuration = ControllerConfiguration {
        transmit_order: [TransmitOrder::ByIdentifier, TransmitOrder::ByRequest]
            [usize::from(bit(4))],
        is_one_shot: bit(5),
        overrun_policy: [OverrunPolicy::OverwriteLast, OverrunPolicy::DiscardNewest]
            [usize::from(bit(6))],
        has_automatic_bus_off_recovery: bit(7),
        filter_banks: banks.as_chunks().0.iter().map(filter_bank).collect(),
    };
    let Ok(mut controller) = Controller::new(configuration) else { return false };
    let (mut handles, mut ended) = (Vec::new(), 0);
    for &[call, high, low] in calls.as_chunks().0 {
        let value = u32::from(high) << 8 | u32::from(low);
        let id = CanId::standard(value >> 5).or(CanId::extended(value << 13));
        let frame = id.and_then(|id| CanFrame::remote(id, low & 7));
        let fifo = if low & 1 == 0 { FifoNumber::Fifo0 } else { FifoNumber::Fifo1 };
        match call % 8 {
            0 => handles.extend(frame.ok().and_then(|frame| controller.request(frame).ok())),
            1 => _ = frame.map(|frame| controller.receive(frame)),
            2 => _ = handles.get(usize::from(low)).map(|handle| controller.abort(*handle)),
            3 => {
                let pending = controller.pending().copied();
                assert_eq!(controller.begin_attempt().ok(), pending);
            }
            4 => _ = controller.end_attempt(AttemptEnd::Sent),
            5 => _ = controller.end_attempt(AttemptEnd::LostArbitration),
            6 => controller.set_bus_off(low & 8 == 8),
            _ => _ = controller.fifo_mut(fifo).release(),
        }
        ended += std::iter::from_fn(|| controller.next_end()).count();
        // What was requested waits or has ended, once.
        assert_eq!(handles.len() - ended, 3 - controller.empty_mailbox_count());
        assert!(controller.fifo(fifo).pending_count() <= FIFO_DEPTH);
    }
    true
}

/// A database of messages; each of its messages is decoded from a frame of zeros and one of ones.
pub fn dbc(bytes: &[u8]) -> bool {
    let Ok(database) = Database::from_bytes(bytes) else { return false };
    for message in database.messages() {
        for data in [[0; 8], [0xFF; 8]] {
            let frame = CanFrame::data(message.id, &data).ok();
            let _ = frame.map(|frame| database.decode(&frame));
        }
    }
    true
}

/// Bits of a bus that are read wrongly: frame by frame the same happens as bit by bit, and after
/// the last one a frame goes through.
pub fn can_bus(bytes: &[u8]) -> bool {
    const BIT: i64 = 8_000;
    const NODES: usize = 3;
    let play = |detail: Detail| {
        let mut bus = Bus::new(detail, SimDuration(BIT), SimTime(0), NODES);
        let mut at = 0;
        for pair in bytes.as_chunks::<2>().0 {
            at += i64::from(pair[0]) * BIT;
            let node = usize::from(pair[1]);
            let change = if node < NODES { Change::Flip(node) } else { Change::FlipAll };
            bus.schedule(SimTime(at), change);
        }
        let frames = ["123#1122334455667788", "122#R8", "00000123#00"];
        for (node, frame) in frames.into_iter().enumerate() {
            bus.offer(node, SimTime(20 * BIT), frame.parse::<CanFrame>().ok());
        }
        // Who was bus-off comes back after 128 times 11 bits.
        let until = SimTime(at.saturating_add(20_000 * BIT));
        std::iter::from_fn(|| bus.pop(until)).collect::<Vec<_>>()
    };
    let events = play(Detail::Frames);
    assert_eq!(events, play(Detail::Bits));
    let sent = events.iter().filter(|event| matches!(event.what, Happening::Sent(_))).count();
    assert_eq!(sent, NODES);
    true
}

/// A frame of a simulator; what is read is written back as it came.
fn frame(format: &Format, bytes: &[u8]) -> bool {
    let mut sample = Sample::default();
    if format.decode(bytes, &mut sample).is_err() {
        return false;
    }
    let mut again = Vec::new();
    assert_eq!(format.encode(&sample, &mut again), Ok(()));
    assert_eq!(again, bytes);
    true
}

fn gtnet(header: GtnetHeader) -> Option<Format> {
    let points = vec![GtnetPoint::Int32, GtnetPoint::Float32];
    Gtnet::new(header, points).ok().map(Format::GtnetSkt)
}

/// A frame of a GTNET-SKT component, without a header and with one.
pub fn gtnet_skt(bytes: &[u8]) -> bool {
    let headers = [GtnetHeader::None, GtnetHeader::SequenceAndTime];
    headers.into_iter().filter_map(gtnet).any(|format| frame(&format, bytes))
}

/// A frame of `AsyncIP`, with as many values as its length makes.
pub fn opal_asyncip(bytes: &[u8]) -> bool {
    let values = bytes.len().saturating_sub(8) / 8;
    frame(&Format::OpalAsyncIp(AsyncIp::new(values, 1, Some(1))), bytes)
}

/// A described frame of which every bit is used.
pub fn described_frame(bytes: &[u8]) -> bool {
    let field = |at, bits, of| FrameField::new(at, bits, ByteOrder::Big, of);
    let fields = vec![
        field(0, 1, FieldType::Boolean),
        FrameField { bit_offset: 1, ..field(0, 7, FieldType::Unsigned) },
        field(1, 32, FieldType::Float32),
        FrameField { byte_order: ByteOrder::Little, ..field(5, 24, FieldType::Signed) },
    ];
    frame(&Format::DescribedFrame(FrameDescription::new(fields, None)), bytes)
}

/// What the signals of messages of `VILLASnode` are here.
const SIGNALS: &[SignalType] = &[SignalType::Float, SignalType::Integer];

/// Messages; what is read and can be written is then written the same again. At least one was read.
fn messages(
    bytes: &[u8],
    decode: fn(&[u8]) -> Vec<Decoded>,
    encode: fn(&[Sample]) -> Result<Vec<u8>, Rejection>,
) -> bool {
    let samples: Vec<Sample> = decode(bytes).into_iter().flatten().collect();
    if let Ok(written) = encode(&samples) {
        let again: Vec<Sample> = decode(&written).into_iter().flatten().collect();
        assert_eq!(again.len(), samples.len());
        assert_eq!(encode(&again), Ok(written));
    }
    !samples.is_empty()
}

/// Messages as `villas.binary`.
pub fn villas_binary(bytes: &[u8]) -> bool {
    messages(
        bytes,
        |bytes| binary::decode(bytes, SIGNALS),
        |samples| binary::encode(samples, SIGNALS),
    )
}

/// Messages as JSON.
pub fn villas_json(bytes: &[u8]) -> bool {
    messages(
        bytes,
        |bytes| json::decode(bytes, SIGNALS),
        |samples| json::encode(samples, SIGNALS).map(String::into_bytes),
    )
}

/// Messages as Protocol Buffers.
pub fn villas_protobuf(bytes: &[u8]) -> bool {
    messages(
        bytes,
        |bytes| protobuf::decode(bytes, SIGNALS),
        |samples| protobuf::encode(samples, SIGNALS),
    )
}

/// A stream of frames in pieces: nothing is lost or doubled between them.
pub fn rts_stream(bytes: &[u8]) -> bool {
    let mut found = 0;
    for framing in [Framing::Fixed(8), Framing::AsyncIp] {
        let (mut stream, mut taken, mut lost) = (Reassembly::new(framing), Vec::new(), 0);
        for piece in bytes.chunks(5).map(Some).chain([None]) {
            match piece {
                Some(piece) => stream.push(piece),
                None => stream.close(),
            }
            while let Some(next) = stream.next_frame() {
                match next {
                    Ok(frame) => taken.extend_from_slice(frame),
                    Err(_) => lost += 1,
                }
            }
        }
        assert!(bytes.starts_with(&taken) && lost <= 1, "{lost} lost");
        assert_eq!(lost == 0, taken == bytes);
        found += taken.len();
    }
    found > 0
}

/// A point map; every mistake has a line and a text, and what is taken can be put to work.
pub fn point_map(bytes: &[u8]) -> bool {
    let map = match PointMap::parse(&String::from_utf8_lossy(bytes)) {
        Ok(map) => map,
        Err(error) => {
            assert!(!error.0.is_empty());
            assert!(error.0.iter().all(|one| one.line > 0 && !one.diagnostic.message.is_empty()));
            return false;
        }
    };
    assert!(unnoticeable_shifts(&map).len() < map.points.len().max(1));
    let mut watcher = Plausibility::new(&map);
    match Wire::new(&map, false) {
        Ok(mut wire) => {
            for sample in wire.arrived(bytes).into_iter().flatten() {
                let _ = watcher.observe(&sample);
            }
        }
        // Nobody sends what has no points; a frame of words may be too long for any card.
        Err(error) => assert!(
            map.simulator.wire_format != WireFormat::Frame
                || map.of_direction(PointDirection::FromSimulator).next().is_none(),
            "{error}"
        ),
    }
    true
}

/// A node of `VILLASnode` in JSON, or a list of points; what is made of it can be read as a map
/// with mistakes.
pub fn point_import(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let made = [villas_points(&text, None), listed_points(&text)];
    for map in made.iter().flatten() {
        assert!(PointMap::parse(map).is_err(), "without a rate no map is whole");
    }
    made.iter().any(Result::is_ok)
}
