//! The command line of `lastmeter serve`.

use std::path::PathBuf;

use clap::Args;

/// What `lastmeter serve` is asked with; what is left out comes from the file or the defaults.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter serve --data platform-data --token SECRET --device-token ANOTHER
  lastmeter serve --config platform.toml --clock driven
  lastmeter serve --data platform-data --token SECRET --limit mqtt_connections=2000
  lastmeter serve --data platform-data --token SECRET --mqtts 0.0.0.0:8883 \\
    --certificate tls/server.pem --key tls/server.key --client-authority tls/authority.pem

Limits (--limit NAME=N, or the table `limits` in --config) and their defaults:
  connections               100000    at a time on all ports; fewer if open files are fewer
  mqtt_connections          100000    at a time without TLS
  mqtt_connecting           1024      of these, without CONNECT yet
  mqtt_first_byte_s         5         time for the first byte
  mqtt_connect_s            10        time for the whole CONNECT
  mqtt_connect_bytes        16384     largest CONNECT
  tls_connections           20000     at a time over TLS
  tls_handshakes            256       of these, without CONNECT yet
  tls_handshake_s           10        time for the handshake, and again for CONNECT
  rest_connections          1024      at a time to REST
  rest_peer_connections     128       of these, from one address
  rest_header_s             10        time for a request's head, its body, 64 KiB of the answer
  rest_body_bytes           1048576   largest request
  rest_per_address_s        200       requests a second of one address, not on the loopback
  rest_per_principal_s      50        the same with one token but that of --token
  packet_bytes              262144    largest MQTT packet
  subscriber_messages       10000     waiting for one subscriber, which is disconnected beyond it
  subscriber_bytes          16777216  the same in bytes
  subscribers_bytes         67108864  waiting for all; beyond it the one that most waits for goes
  wrong_secrets             10        of one address, answered at once
  wrong_secrets_per_minute  60        answered beyond these
  wrong_secret_wait_s       5         longest wait for such an answer
  in_flight_bytes           4194304   between arrival and commit
  queue_messages            1024      waiting for the journal, and again for the store
  accept_wait_s             30        how long a message may wait for its turn
  batch_messages            1000      in one transaction
  batch_wait_ms             5         how long the store waits for a batch to fill
  segment_bytes             8388608   of the journal
  devices                   100000    that may register by sending
  query_s                   10        time for a query to REST, its waits included
  refused_content_bytes     268435456 content of refused readings that is kept
  command_expiry_s          3600      after which a command is expired
  command_retry_s           0         after which a command is sent again; 0 is never
  reading_days              0         after which what was received is removed; 0 is never
  rollup_days               0         after which sums of 15 minutes are removed; 0 is never
  shutdown_s                10        for stopping")]
pub struct ServeOptions {
    /// Configuration as TOML; the options below override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the platform's data
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of the MQTT broker; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtt: Option<String>,
    /// Address of MQTT over TLS; port 0 takes a free one [default: 127.0.0.1:8883, with a
    /// certificate]
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtts: Option<String>,
    /// The server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The server's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// CA certificates used to verify devices, PEM
    #[arg(long, value_name = "FILE")]
    pub client_authority: Option<PathBuf>,
    /// Refuse devices without a certificate
    #[arg(long)]
    pub require_client_certificate: bool,
    /// No MQTT without TLS
    #[arg(long)]
    pub no_plain: bool,
    /// Address of REST; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub rest: Option<String>,
    /// The certificate of REST, PEM, which then is HTTPS; wants --rest-key
    #[arg(long, value_name = "FILE")]
    pub rest_certificate: Option<PathBuf>,
    /// The private key of REST, PEM
    #[arg(long, value_name = "FILE")]
    pub rest_key: Option<PathBuf>,
    /// A proxy in front ends TLS: plain HTTP may listen beyond the loopback, under any name
    #[arg(long)]
    pub behind_proxy: bool,
    /// A further door for devices and where it listens, such as http=127.0.0.1:8090; port 0 takes
    /// a free one; may be repeated (`lastmeter list doors`)
    #[arg(long = "door", value_name = "KIND=HOST:PORT")]
    pub doors: Vec<String>,
    /// The platform's clock: the machine's, or driven by an administrator's calls
    #[arg(long, value_parser = ["wall", "driven"])]
    pub clock: Option<String>,
    /// Bearer token of REST; password of the devices as well, unless they have their own
    #[arg(long, env = "LASTMETER_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Password of the devices, which opens nothing of REST; the token then opens nothing of MQTT
    #[arg(long, env = "LASTMETER_DEVICE_TOKEN", hide_env_values = true)]
    pub device_token: Option<String>,
    /// A bound, by its name below; may be repeated
    #[arg(long = "limit", value_name = "NAME=N")]
    pub limits: Vec<String>,
    /// Accept the identifiers of Table 2 only, without the `x.*` namespace
    #[arg(long)]
    pub strict_table2: bool,
    /// End when standard input closes
    #[arg(long)]
    pub until_stdin_closes: bool,
    /// Ask for real-time priority (`SCHED_FIFO`), so that a busy machine does not slow it down, and
    /// report in the first line what was granted
    #[arg(long)]
    pub real_time_priority: bool,
}
