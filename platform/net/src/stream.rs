//! A connection of MQTT 3 or 5, as packets: each module has what `rmqtt` sends and receives on one.

use std::time::Duration;

use tokio::time::timeout;

use crate::{MqttError, Result};

/// A connection of either version.
pub enum MqttStream<Io> {
    /// MQTT 3.1 or 3.1.1.
    V3(v3::MqttStream<Io>),
    /// MQTT 5.
    V5(v5::MqttStream<Io>),
}

/// Waits no longer than a limit for room in the socket.
async fn within<E>(
    limit: Duration,
    sending: impl Future<Output = std::result::Result<(), E>>,
) -> Result<()>
where
    MqttError: From<E>,
{
    match timeout(limit, sending).await {
        Ok(sent) => sent.map_err(|error| MqttError::from(error).into()),
        Err(_) => Err(MqttError::WriteTimeout.into()),
    }
}

/// What both versions have in common, each with its own packets.
macro_rules! stream {
    ($variant:ident: $($(#[$doc:meta])* $send:ident($($name:ident: $of:ty),*) = $packet:expr;)*) => {
        use std::net::SocketAddr;
        use std::pin::Pin;
        use std::sync::Arc;
        use std::task::{Context, Poll, ready};
        use std::time::Duration;

        use futures_core::Stream;
        use futures_util::{SinkExt as _, StreamExt as _};
        use rmqtt_codec::error::DecodeError;
        use rmqtt_codec::types::Publish;
        use rmqtt_codec::{MqttCodec, MqttPacket};
        use tokio::io::{AsyncRead, AsyncWrite};
        use tokio::time::timeout;
        use tokio_util::codec::Framed;

        use bytestring::ByteString;

        use crate::{Builder, Error, MqttError, Result, identifier};

        /// A connection as packets of this version.
        pub struct MqttStream<Io> {
            /// The bytes with the codec of this version.
            pub io: Framed<Io, MqttCodec>,
            /// Who is at the other end.
            pub remote_addr: SocketAddr,
            /// The listener's settings.
            pub cfg: Arc<Builder>,
            /// After the client's DISCONNECT nothing is read of it.
            is_ended: bool,
            /// Whether the client was accepted, of MQTT 5.
            pub is_accepted: bool,
            /// The identifier of a client that has left it to the broker; of MQTT 5, which reports
            /// it.
            pub assigned_client_id: Option<ByteString>,
        }

        impl<Io> MqttStream<Io> {
            pub(crate) fn new(
                io: Framed<Io, MqttCodec>,
                remote_addr: SocketAddr,
                cfg: Arc<Builder>,
            ) -> Self {
                let (is_ended, is_accepted, assigned_client_id) = (false, false, None);
                Self { io, remote_addr, cfg, is_ended, is_accepted, assigned_client_id }
            }
        }

        impl<Io: AsyncRead + AsyncWrite + Unpin> MqttStream<Io> {
            /// Waits for CONNECT with an identifier that a client may have, and scopes it by the
            /// user name.
            pub async fn recv_connect(&mut self, limit: Duration) -> Result<Box<Connect>> {
                match timeout(limit, self.next()).await {
                    Ok(Some(Ok(Packet::Connect(connect)))) => self.scoped(connect),
                    Ok(Some(Err(error))) => Err(error),
                    Ok(_) => Err(MqttError::InvalidProtocol.into()),
                    Err(_) => Err(MqttError::ReadTimeout.into()),
                }
            }

            fn scoped(&mut self, mut connect: Box<Connect>) -> Result<Box<Connect>> {
                identifier::check(&connect.client_id, &self.cfg)?;
                // The codec has seen to it that only clean sessions leave it to the broker.
                if connect.client_id.is_empty() {
                    connect.client_id = identifier::assign();
                    self.assigned_client_id = Some(connect.client_id.clone());
                }
                let user_name = connect.username.as_deref().unwrap_or_default();
                connect.client_id = identifier::scope(user_name, &connect.client_id).into();
                Ok(connect)
            }

            /// Sends one packet.
            pub async fn send(&mut self, packet: Packet) -> Result<()> {
                let packet = MqttPacket::$variant(packet);
                super::within(self.cfg.send_timeout, self.io.send(packet)).await
            }

            /// Sends PUBLISH.
            pub async fn send_publish(&mut self, publish: Box<Publish>) -> Result<()> {
                self.send(Packet::Publish(publish)).await
            }

            /// Sends PINGRESP.
            pub async fn send_ping_response(&mut self) -> Result<()> {
                self.send(Packet::PingResponse).await
            }

            $($(#[$doc])*
            pub async fn $send(&mut self, $($name: $of),*) -> Result<()> {
                self.send($packet).await
            })*

            async fn end(&mut self) -> Result<()> {
                super::within(self.cfg.send_timeout, self.io.close()).await
            }
        }

        impl<Io: AsyncRead + Unpin> Stream for MqttStream<Io> {
            type Item = Result<Packet>;

            fn poll_next(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                if self.is_ended {
                    return Poll::Ready(None);
                }
                let next = ready!(Pin::new(&mut self.io).poll_next(context));
                Poll::Ready(next.map(|read| match read {
                    Ok((MqttPacket::$variant(packet), _)) => {
                        self.is_ended = matches!(packet, Packet::Disconnect { .. });
                        Ok(packet)
                    }
                    Ok(_) => Err(MqttError::Decode(DecodeError::MalformedPacket).into()),
                    Err(error) => Err(Error::from(error)),
                }))
            }
        }
    };
}

/// MQTT 3.1 and 3.1.1.
pub mod v3 {
    use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode};
    use std::num::NonZeroU16;

    stream! { V3:
        /// Sends CONNACK.
        send_connect_ack(return_code: ConnectAckReason, session_present: bool) = Packet::ConnectAck(ConnectAck { session_present, return_code });
        /// Sends PUBACK.
        send_publish_ack(packet_id: NonZeroU16) = Packet::PublishAck { packet_id };
        /// Sends PUBREC.
        send_publish_received(packet_id: NonZeroU16) = Packet::PublishReceived { packet_id };
        /// Sends PUBREL.
        send_publish_release(packet_id: NonZeroU16) = Packet::PublishRelease { packet_id };
        /// Sends PUBCOMP.
        send_publish_complete(packet_id: NonZeroU16) = Packet::PublishComplete { packet_id };
        /// Sends SUBACK.
        send_subscribe_ack(packet_id: NonZeroU16, status: Vec<SubscribeReturnCode>) = Packet::SubscribeAck { packet_id, status };
        /// Sends UNSUBACK.
        send_unsubscribe_ack(packet_id: NonZeroU16) = Packet::UnsubscribeAck { packet_id };
    }

    impl<Io: AsyncRead + AsyncWrite + Unpin> MqttStream<Io> {
        /// Ends the connection once what was sent is in the socket.
        pub async fn close(&mut self) -> Result<()> {
            self.end().await
        }
    }
}

/// MQTT 5.
pub mod v5 {
    use rmqtt_codec::v5::{
        Connect, ConnectAck, ConnectAckReason, Disconnect, DisconnectReasonCode, Packet,
        PublishAck, PublishAck2, SubscribeAck, UnsubscribeAck,
    };

    stream! { V5:
        /// Sends PUBACK.
        send_publish_ack(ack: PublishAck) = Packet::PublishAck(ack);
        /// Sends PUBREC.
        send_publish_received(ack: PublishAck) = Packet::PublishReceived(ack);
        /// Sends PUBREL.
        send_publish_release(ack: PublishAck2) = Packet::PublishRelease(ack);
        /// Sends PUBCOMP.
        send_publish_complete(ack: PublishAck2) = Packet::PublishComplete(ack);
        /// Sends SUBACK.
        send_subscribe_ack(ack: SubscribeAck) = Packet::SubscribeAck(ack);
        /// Sends UNSUBACK.
        send_unsubscribe_ack(ack: UnsubscribeAck) = Packet::UnsubscribeAck(ack);
    }

    impl<Io: AsyncRead + AsyncWrite + Unpin> MqttStream<Io> {
        /// Sends CONNACK, with the identifier if it was assigned.
        pub async fn send_connect_ack(&mut self, mut ack: ConnectAck) -> Result<()> {
            self.is_accepted = ack.reason_code == ConnectAckReason::Success;
            if self.is_accepted {
                ack.assigned_client_id = self.assigned_client_id.take();
            }
            self.send(Packet::ConnectAck(Box::new(ack))).await
        }

        /// Ends the connection once what was sent is in the socket. `rmqtt` has the reason only
        /// afterwards, so a client that was accepted is left open for its DISCONNECT.
        pub async fn close(&mut self) -> Result<()> {
            if self.is_accepted && !self.is_ended {
                let flush = futures_util::SinkExt::<MqttPacket>::flush(&mut self.io);
                return super::within(self.cfg.send_timeout, flush).await;
            }
            self.end().await
        }

        /// Sends DISCONNECT, but to a client that has sent its own, and ends the connection.
        pub async fn send_disconnect(&mut self, disconnect: Disconnect) -> Result<()> {
            if self.is_ended {
                return Ok(());
            }
            let sent = self.send(Packet::Disconnect(with_right_code(disconnect))).await;
            sent.and(self.end().await)
        }
    }

    /// `rmqtt` names a client whose identifier another connection has taken "Kicked", with the code
    /// of one that is not authorised; MQTT 5 has a code for it (section 3.14.2.1).
    fn with_right_code(disconnect: Disconnect) -> Disconnect {
        let is_taken_over = disconnect.reason_code == DisconnectReasonCode::NotAuthorized
            && disconnect.reason_string.as_deref() == Some("Kicked");
        let code = DisconnectReasonCode::SessionTakenOver;
        let reason_code = if is_taken_over { code } else { disconnect.reason_code };
        Disconnect { reason_code, ..disconnect }
    }
}
