//! The server side of a node's clusters: what it answers to frames of the cluster library
//! (ZCL 075123, 2.4 and 2.5).

use lastmeter_units::SimTime;
use lastmeter_zigbee::bytes::EncodeError;
use lastmeter_zigbee::network::ApsFrame;
use lastmeter_zigbee::relay::FRAME_MAX;
use lastmeter_zigbee::zcl::cluster::PROFILE_HOME_AUTOMATION;
use lastmeter_zigbee::zcl::global::{
    DefaultResponse, ReadRecord, Record, ReportingRecord, ReportingStatus, WriteRecord, command,
};
use lastmeter_zigbee::zcl::{Attribute, Direction, Frame, FrameType, Global, Header, Status};

use super::attributes::Attributes;

/// The attributes of an endpoint, and what is asked of them.
#[derive(Clone, Debug)]
pub struct Server {
    /// The attributes.
    pub attributes: Attributes,
    endpoint: u8,
    sequence: u8,
}

/// Carries out a command of a cluster.
pub(super) type Carry<'a> = &'a mut dyn FnMut(&mut Attributes, u16, &Frame<'_>) -> Status;

impl Server {
    /// A server with these attributes.
    pub const fn new(endpoint: u8, attributes: Attributes) -> Self {
        Self { attributes, endpoint, sequence: 0 }
    }

    /// Takes a frame; what it answers. Commands of clusters are carried out by the caller.
    pub(super) fn receive(&mut self, aps: &ApsFrame, carry: Carry<'_>) -> Option<ApsFrame> {
        let is_own =
            aps.destination_endpoint == self.endpoint && aps.profile == PROFILE_HOME_AUTOMATION;
        let frame = Frame::decode(&aps.payload).ok().filter(|_| is_own)?;
        if frame.header.direction != Direction::ToServer {
            return None;
        }
        let answer = match frame.header.frame_type {
            FrameType::Global => self.global(aps.cluster, &frame),
            FrameType::Cluster => Err(carry(&mut self.attributes, aps.cluster, &frame)),
        };
        let payload = match answer {
            Ok(payload) => Some(payload),
            Err(Status::SUCCESS) if frame.header.disable_default_response => None,
            Err(status) => {
                let response = DefaultResponse { command: frame.header.command, status };
                let header = Header {
                    frame_type: FrameType::Global,
                    ..frame.header.answer(command::DEFAULT_RESPONSE)
                };
                header.with_records(&[response]).ok()
            }
        };
        payload.map(|payload| ApsFrame {
            source_endpoint: self.endpoint,
            destination_endpoint: aps.source_endpoint,
            payload,
            ..*aps
        })
    }

    /// Answers a global command; the error is the status of a default response.
    fn global(&mut self, cluster: u16, frame: &Frame<'_>) -> Result<Vec<u8>, Status> {
        let header = frame.header;
        if header.manufacturer.is_some() {
            return Err(Status::UNSUPPORTED_MANUFACTURER_GENERAL_COMMAND);
        }
        let unsupported = |_| Status::UNSUPPORTED_GENERAL_COMMAND;
        match Global::decode(frame).map_err(unsupported)? {
            Global::Read(ids) => {
                let of = |id| ReadRecord { id, result: self.attributes.read(cluster, id) };
                let records = taken(ids)?.into_iter().map(|id| of(id.0)).collect();
                as_many(header.answer(command::READ_RESPONSE), records)
            }
            Global::Write(attributes) => {
                let failed = taken(attributes)?.into_iter().filter_map(|it| {
                    let status = self.attributes.write(cluster, it.id, it.value);
                    let is_failed = status != Status::SUCCESS;
                    is_failed.then_some(WriteRecord::Failed { status, id: it.id })
                });
                let mut records: Vec<_> = failed.collect();
                if records.is_empty() {
                    records.push(WriteRecord::AllWritten);
                }
                as_many(header.answer(command::WRITE_RESPONSE), records)
            }
            Global::ConfigureReporting(asked) => {
                let failed = taken(asked)?.into_iter().filter_map(|record| {
                    let status = self.attributes.configure(cluster, &record);
                    let (direction, id) = match record {
                        ReportingRecord::Send { id, .. } => (0, id),
                        ReportingRecord::Expect { id, .. } => (1, id),
                    };
                    let is_failed = status != Status::SUCCESS;
                    is_failed.then_some(ReportingStatus::Failed { status, direction, id })
                });
                let mut records: Vec<_> = failed.collect();
                if records.is_empty() {
                    records.push(ReportingStatus::AllConfigured);
                }
                as_many(header.answer(command::CONFIGURE_REPORTING_RESPONSE), records)
            }
            // Answers and reports of others ask for nothing.
            _ => Err(Status::SUCCESS),
        }
    }

    /// A frame of a cluster to the coordinator that nothing has asked for.
    pub(super) fn unasked<'a, R: Record<'a>>(
        &mut self,
        cluster: u16,
        header: Header,
        records: &[R],
    ) -> Result<ApsFrame, EncodeError> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { sequence: self.sequence, ..header.without_default_response() };
        Ok(ApsFrame {
            profile: PROFILE_HOME_AUTOMATION,
            cluster,
            source_endpoint: self.endpoint,
            destination_endpoint: self.endpoint,
            payload: header.with_records(records)?,
        })
    }

    /// The reports of these clusters that are due now, one or more frames for each.
    pub(super) fn reports(&mut self, now: SimTime, of: impl Fn(u16) -> bool) -> Vec<ApsFrame> {
        let mut frames = Vec::new();
        for (cluster, values) in self.attributes.due(now, of) {
            let mut waiting: Vec<_> =
                values.into_iter().map(|(id, value)| Attribute { id, value }).collect();
            while !waiting.is_empty() {
                let header = Header::global(Direction::ToClient, 0, command::REPORT);
                let fitting = (1..=waiting.len())
                    .take_while(|&count| fits(header, &waiting[..count]))
                    .last()
                    .unwrap_or(1);
                let now: Vec<_> = waiting.drain(..fitting).collect();
                frames.extend(self.unasked(cluster, header, &now));
            }
        }
        frames
    }
}

/// All records of a list, if each can be read.
fn taken<'a, R: Record<'a>>(
    records: impl Iterator<Item = Result<R, lastmeter_zigbee::bytes::DecodeError>>,
) -> Result<Vec<R>, Status> {
    records.collect::<Result<_, _>>().map_err(|_| Status::MALFORMED_COMMAND)
}

fn fits<'a, R: Record<'a>>(header: Header, records: &[R]) -> bool {
    header.with_records(records).is_ok_and(|bytes| bytes.len() <= FRAME_MAX)
}

/// A frame with as many records as it can have, the first ones.
fn as_many<'a, R: Record<'a>>(header: Header, mut records: Vec<R>) -> Result<Vec<u8>, Status> {
    while !fits(header, &records) && !records.is_empty() {
        records.pop();
    }
    header.with_records(&records).map_err(|_| Status::FAILURE)
}
