//! A server that is far away and speaks TLS, in front of one on this machine that does not.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex, join};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

/// As much as a request has.
const BUFFER: usize = 64 * 1024;

/// The far server; it ends with this value.
pub(crate) struct Distance {
    /// What to call instead of the server behind it.
    pub(crate) origin: String,
    server: AbortHandle,
}

impl Distance {
    /// Puts `round_trip` between whoever calls and the server at `origin`: a new connection takes one for TCP and one for
    /// TLS 1.3, and each request one more.
    pub(crate) async fn to(origin: &str, round_trip: Duration) -> Result<Self, Box<dyn Error>> {
        let end = origin.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("https://localhost:{}", listener.local_addr()?.port());
        let acceptor = TlsAcceptor::from(Arc::new(tls()?));
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // A connection ends as it likes.
                let (end, acceptor) = (end.clone(), acceptor.clone());
                tokio::spawn(async move { drop(carry(near, &end, round_trip, acceptor).await) });
            }
        });
        Ok(Self { origin, server: server.abort_handle() })
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Valid for localhost; only [`build`](crate::artifact::build)'s `far-function` trusts it.
fn tls() -> Result<ServerConfig, Box<dyn Error>> {
    let certificate = include_bytes!("../../tests/tls/self-signed.der").as_slice();
    let key = include_bytes!("../../tests/tls/self-signed.key.der").as_slice();
    Ok(ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.try_into()?)?)
}

async fn carry(near: TcpStream, end: &str, round_trip: Duration, acceptor: TlsAcceptor) -> io::Result<()> {
    near.set_nodelay(true)?;
    sleep(round_trip).await;
    let (reader, writer) = near.into_split();
    let (arriving, arrived) = duplex(BUFFER);
    // The whole round trip is on the way there.
    let late = delay(reader, arriving, round_trip);
    let served = async {
        let mut near = acceptor.accept(join(arrived, writer)).await?;
        let mut far = TcpStream::connect(end).await?;
        far.set_nodelay(true)?;
        copy_bidirectional(&mut near, &mut far).await.map(|_| ())
    };
    tokio::try_join!(late, served).map(|_| ())
}

/// Passes on everything, each part of it `round_trip` after it came.
async fn delay(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    round_trip: Duration,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let reading = async move {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 || sender.send((Instant::now() + round_trip, buffer[..length].to_vec())).is_err() {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_| ())
}
