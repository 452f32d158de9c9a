//! A network between two ends, whose connections can end as connections do while a process is frozen.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use std::future::pending;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::net::Server;

/// How the far end leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It closes the connection (FIN).
    Closing,
    /// It resets the connection (RST).
    Resetting,
    /// Nothing arrives any more in either direction, and nobody says so.
    Silently,
}

/// A tunnel to one address.
pub struct Tunnel {
    /// Where it begins.
    pub address: SocketAddr,
    leaving: watch::Sender<Option<Leaving>>,
    open: watch::Sender<usize>,
    _server: Server,
}

impl Tunnel {
    /// Digs a tunnel that ends at the `origin` of a server on this machine.
    pub async fn to(origin: &str) -> io::Result<Self> {
        let end = origin.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (leaving, open) = (watch::Sender::new(None), watch::Sender::new(0));
        let (leaves, opens) = (leaving.clone(), open.clone());
        let server = Server::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                opens.send_modify(|open| *open += 1);
                tokio::spawn(carry(near, end.clone(), leaves.subscribe(), opens.clone()));
            }
        });
        Ok(Self { address, leaving, open, _server: server })
    }

    /// What to call instead of the server.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends all connections that are open now. Those that are made later are as good as ever.
    pub async fn end_all(&self, how: Leaving) {
        self.leaving.send_replace(Some(how));
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

async fn carry(
    mut near: TcpStream,
    end: String,
    mut leaving: watch::Receiver<Option<Leaving>>,
    open: watch::Sender<usize>,
) {
    let ended = async {
        let Ok(mut far) = TcpStream::connect(end).await else { return None };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => None,
            _ = leaving.changed() => *leaving.borrow(),
        }
    };
    let how = ended.await;
    match how {
        Some(Leaving::Closing) => drop(near.shutdown().await),
        Some(Leaving::Resetting) => drop(near.set_zero_linger()),
        Some(Leaving::Silently) => {
            open.send_modify(|open| *open -= 1);
            return pending::<()>().await;
        }
        None => {}
    }
    drop(near);
    open.send_modify(|open| *open -= 1);
}
