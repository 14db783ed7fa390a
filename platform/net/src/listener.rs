//! From a stream that the platform hands over to one of MQTT 3 or 5.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::v3::Codec as CodecV3;
use rmqtt_codec::v5::Codec as CodecV5;
use rmqtt_codec::version::{ProtocolVersion, VersionCodec};
use rmqtt_codec::{MqttCodec, MqttPacket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, mpsc};
use tokio_util::codec::{Framed, FramedParts};

use crate::stream::{MqttStream, v3, v5};
use crate::{Builder, MqttError, Result};

/// What a connection is made of: bytes both ways.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection that somebody has accepted.
pub struct Arrived {
    /// The connection, behind whatever transport.
    pub wire: Box<dyn Wire>,
    /// What was read of it already, which is what the broker reads first.
    pub read: BytesMut,
    /// Who is at the other end.
    pub from: SocketAddr,
}

/// Where accepted connections go in. A listener whose entry is gone gets no more of them.
pub type Entry = mpsc::Sender<Arrived>;

/// How a listener's connections come; `rmqtt` looks at it, and there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerType {
    /// Bytes, whatever carries them.
    TCP,
}

/// Gives the broker the connections that are put into its [`Entry`].
pub struct Listener {
    /// How its connections come.
    pub typ: ListenerType,
    /// Settings of the listener.
    pub cfg: Arc<Builder>,
    arrived: Mutex<mpsc::Receiver<Arrived>>,
}

impl Listener {
    /// A listener, and where so many connections may wait for it.
    pub fn new(settings: Builder, waiting: usize) -> (Self, Entry) {
        let (entry, arrived) = mpsc::channel(waiting);
        let (typ, cfg) = (ListenerType::TCP, Arc::new(settings));
        (Self { typ, cfg, arrived: Mutex::new(arrived) }, entry)
    }

    /// The next connection; waits for ever once nobody can bring one.
    pub async fn accept(&self) -> Result<Acceptor> {
        match self.arrived.lock().await.recv().await {
            Some(arrived) => {
                let (remote_addr, cfg) = (arrived.from, Arc::clone(&self.cfg));
                Ok(Acceptor { remote_addr, arrived, cfg })
            }
            None => std::future::pending().await,
        }
    }
}

/// One connection on its way to the broker.
pub struct Acceptor {
    /// Who is at the other end.
    pub remote_addr: SocketAddr,
    arrived: Arrived,
    cfg: Arc<Builder>,
}

impl Acceptor {
    /// The connection as one that speaks MQTT of a version still to be found.
    pub fn tcp(self) -> Result<Dispatcher> {
        let Arrived { wire, read, from } = self.arrived;
        let mut parts = FramedParts::new::<MqttPacket>(wire, MqttCodec::Version(VersionCodec));
        parts.read_buf = read;
        let mut io = Framed::from_parts(parts);
        // It begins with 8 KiB, of which most connections never need more than a PUBACK's.
        *io.write_buffer_mut() = BytesMut::new();
        Ok(Dispatcher { io, remote_addr: from, cfg: self.cfg })
    }
}

/// A connection whose version is to be found.
pub struct Dispatcher {
    io: Framed<Box<dyn Wire>, MqttCodec>,
    remote_addr: SocketAddr,
    cfg: Arc<Builder>,
}

impl Dispatcher {
    /// Reads the version in CONNECT and takes the codec for it.
    pub async fn mqtt(mut self) -> Result<MqttStream<Box<dyn Wire>>> {
        let Some(Ok((MqttPacket::Version(version), _))) = self.io.next().await else {
            return Err(MqttError::Decode(DecodeError::InvalidProtocol).into());
        };
        let limit = self.cfg.max_packet_size;
        *self.io.codec_mut() = match version {
            ProtocolVersion::MQTT3 => MqttCodec::V3(CodecV3::new(limit)),
            ProtocolVersion::MQTT5 => MqttCodec::V5(CodecV5::new(limit, limit)),
        };
        let Self { io, remote_addr, cfg } = self;
        Ok(match version {
            ProtocolVersion::MQTT3 => MqttStream::V3(v3::MqttStream::new(io, remote_addr, cfg)),
            ProtocolVersion::MQTT5 => MqttStream::V5(v5::MqttStream::new(io, remote_addr, cfg)),
        })
    }
}
