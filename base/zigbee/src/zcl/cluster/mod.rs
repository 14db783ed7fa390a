//! Clusters of a metering plug and of the sensors beside it: one table of attributes with type and
//! unit, and the commands of clusters that have some.
//!
//! Chapters are those of ZCL 075123, unverified against its text. Names and identifiers agree with
//! those of tshark (`tests/conformance/zigbee_tshark.py`); types are unverified.

pub mod ias_zone;
pub mod on_off;
pub mod ota;
pub mod plug;

use crate::zcl::value::Type;

/// Home automation, the profile of these clusters.
pub const PROFILE_HOME_AUTOMATION: u16 = 0x0104;

/// An attribute of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeRow {
    /// Its cluster.
    pub cluster: u16,
    /// Its identifier.
    pub id: u16,
    /// As the standard calls it.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// The unit of the number on the wire; `V` is a volt after multiplier and divisor where
    /// [`crate::scale`] has a rule for them. Empty: a number, bits or text.
    pub unit: &'static str,
}

macro_rules! clusters {
    ($($cluster:ident = $code:literal, $title:literal, $chapter:literal {
        $($id:literal $name:literal $kind:ident $unit:literal;)*
    })*) => {
        $(
            #[doc = concat!($title, " (", $chapter, ").")]
            pub const $cluster: u16 = $code;
        )*

        /// Clusters with their names.
        pub const CLUSTERS: &[(u16, &str)] = &[$(($cluster, $title)),*];

        /// Attributes, in the order of clusters and identifiers.
        pub const ATTRIBUTES: &[AttributeRow] = &[$($(AttributeRow {
            cluster: $cluster,
            id: $id,
            name: $name,
            kind: Type::$kind,
            unit: $unit,
        },)*)*];
    };
}

clusters! {
    BASIC = 0x0000, "Basic", "ZCL 075123, 3.2" {
        0x0000 "ZCLVersion" U8 "";
        0x0001 "ApplicationVersion" U8 "";
        0x0003 "HWVersion" U8 "";
        0x0004 "ManufacturerName" Text "";
        0x0005 "ModelIdentifier" Text "";
        0x0007 "PowerSource" Enum8 "";
        0x4000 "SWBuildID" Text "";
    }
    POWER_CONFIGURATION = 0x0001, "Power Configuration", "ZCL 075123, 3.3" {
        0x0020 "BatteryVoltage" U8 "100 mV";
        0x0021 "BatteryPercentageRemaining" U8 "0.5 %";
    }
    ON_OFF = 0x0006, "On/Off", "ZCL 075123, 3.8" {
        0x0000 "OnOff" Bool "";
        0x4003 "StartUpOnOff" Enum8 "";
    }
    OTA_UPGRADE = 0x0019, "OTA Upgrade", "ZCL 075123, 11" {
        0x0002 "CurrentFileVersion" U32 "";
        0x0004 "DownloadedFileVersion" U32 "";
        0x0006 "ImageUpgradeStatus" Enum8 "";
        0x0007 "ManufacturerID" U16 "";
        0x0008 "ImageTypeID" U16 "";
    }
    TEMPERATURE_MEASUREMENT = 0x0402, "Temperature Measurement", "ZCL 075123, 4.4" {
        0x0000 "MeasuredValue" I16 "0.01 °C";
        0x0001 "MinMeasuredValue" I16 "0.01 °C";
        0x0002 "MaxMeasuredValue" I16 "0.01 °C";
        0x0003 "Tolerance" U16 "0.01 °C";
    }
    IAS_ZONE = 0x0500, "IAS Zone", "ZCL 075123, 8.2" {
        0x0000 "ZoneState" Enum8 "";
        0x0001 "ZoneType" Enum16 "";
        0x0002 "ZoneStatus" Map16 "";
    }
    METERING = 0x0702, "Metering", "ZCL 075123, 10.4" {
        0x0000 "CurrentSummationDelivered" U48 "kWh";
        0x0001 "CurrentSummationReceived" U48 "kWh";
        0x0006 "PowerFactor" I8 "%";
        0x0200 "Status" Map8 "";
        0x0300 "UnitofMeasure" Enum8 "";
        0x0301 "Multiplier" U24 "";
        0x0302 "Divisor" U24 "";
        0x0303 "SummationFormatting" Map8 "";
        0x0304 "DemandFormatting" Map8 "";
        0x0306 "MeteringDeviceType" Map8 "";
        0x0400 "InstantaneousDemand" I24 "kW";
    }
    ELECTRICAL_MEASUREMENT = 0x0B04, "Electrical Measurement", "ZCL 075123, 4.9" {
        0x0000 "MeasurementType" Map32 "";
        0x0300 "ACFrequency" U16 "Hz";
        0x0304 "TotalActivePower" I32 "";
        0x0400 "ACFrequencyMultiplier" U16 "";
        0x0401 "ACFrequencyDivisor" U16 "";
        0x0402 "PowerMultiplier" U32 "";
        0x0403 "PowerDivisor" U32 "";
        0x0505 "RMSVoltage" U16 "V";
        0x0508 "RMSCurrent" U16 "A";
        0x050B "ActivePower" I16 "W";
        0x050E "ReactivePower" I16 "var";
        0x050F "ApparentPower" U16 "VA";
        0x0510 "PowerFactor" I8 "%";
        0x0600 "ACVoltageMultiplier" U16 "";
        0x0601 "ACVoltageDivisor" U16 "";
        0x0602 "ACCurrentMultiplier" U16 "";
        0x0603 "ACCurrentDivisor" U16 "";
        0x0604 "ACPowerMultiplier" U16 "";
        0x0605 "ACPowerDivisor" U16 "";
    }
    PLUG = 0xFC01, "waveform and calibration of a metering plug", "of this project" {
    }
}

/// The row of an attribute, if the table has it.
pub fn attribute(cluster: u16, id: u16) -> Option<&'static AttributeRow> {
    let row = ATTRIBUTES.binary_search_by_key(&(cluster, id), |row| (row.cluster, row.id)).ok()?;
    ATTRIBUTES.get(row)
}

/// The name of a cluster, if the table has it.
pub fn cluster_name(cluster: u16) -> Option<&'static str> {
    CLUSTERS.iter().find(|(code, _)| *code == cluster).map(|(_, name)| *name)
}
