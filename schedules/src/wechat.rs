//! The way to the simulated WeChat: a separate server in front of it, with one connection for each request.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower_layer::Layer;
use tower_service::Service;
use wechat_authorizer::http::Http;

use crate::fault::Side;
use crate::time::{Moving, Time};
use crate::wire::{Arrival, Reply, Request, Wire};

/// Names the process that sends a request.
const PROCESS: &str = "x-process";

/// The server, and the sandbox's WeChat behind it.
#[derive(Clone)]
pub struct Front {
    /// Where the product finds it.
    pub base_url: String,
    time: Time,
    /// What is held while a connection is being made, until the server has read its request.
    departing: mpsc::UnboundedSender<Moving>,
}

#[derive(Clone)]
struct Behind {
    base_url: String,
    client: reqwest::Client,
    wire: Wire,
    time: Time,
    departed: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Moving>>>,
}

impl Front {
    /// Starts it in front of the WeChat at `base_url`.
    pub async fn start(base_url: &str, wire: &Wire, time: &Time) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (departing, departed) = mpsc::unbounded_channel();
        let behind = Behind {
            base_url: base_url.to_owned(),
            client: wechat_authorizer::http::client(),
            wire: wire.clone(),
            time: time.clone(),
            departed: Arc::new(tokio::sync::Mutex::new(departed)),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Every connection that is made is one request that departed.
                let moving = behind.departed.lock().await.recv().await;
                tokio::spawn(serve(behind.clone(), stream, moving));
            }
        });
        Self { base_url: format!("http://127.0.0.1:{port}"), time: time.clone(), departing }
    }

    /// The product's connections of one process.
    pub fn http(&self, process: u32) -> Http {
        let front = self.clone();
        // The clock on the wall is not the one of this world.
        Http::new(Duration::MAX, move || front.client(process))
    }

    fn client(&self, process: u32) -> reqwest::Client {
        let process = HeaderValue::from(process);
        wechat_authorizer::http::builder()
            .default_headers(HeaderMap::from_iter([(PROCESS.parse().expect("a name"), process)]))
            // A connection for each request: what is under way can be counted.
            .pool_max_idle_per_host(0)
            .connector_layer(Departures(self.clone()))
            .build()
            .expect("the client's configuration is constant")
    }
}

/// One request on a new connection.
async fn serve(behind: Behind, mut stream: TcpStream, mut moving: Option<Moving>) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let mut lines = head.split("\r\n");
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: HashMap<String, &str> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let process = headers.get(PROCESS).and_then(|process| process.parse().ok()).unwrap_or_default();
    let operation = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let request =
        Request { side: Side::WeChat, operation: operation.to_owned(), body: body.clone(), process };
    let effect = async {
        let _moving = behind.time.moving();
        let url = format!("{}{path}", behind.base_url);
        let answer = behind.client.post(url).body(body).send().await.expect("the sandbox's WeChat answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("the sandbox's WeChat answers in full").to_vec();
        Reply { status, content_type: "text/plain".to_owned(), body }
    };
    // It has arrived; from here on there is a timer for everything.
    moving.take();
    let arrival = behind.wire.pass(request, effect).await;
    let _moving = behind.time.moving();
    match arrival {
        Arrival::Whole(reply) => respond(&mut stream, &reply, reply.body.len()).await,
        Arrival::Half(reply) => respond(&mut stream, &reply, reply.body.len() / 2).await,
        Arrival::Nothing => {}
        // The sender is gone, and so is the connection.
        Arrival::Silence => return,
    }
    let _ = stream.shutdown().await;
    // The other end hangs up when it has seen this one's end.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// The head and the body of a request.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(END.len()).position(|window| window == END);
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .split("\r\n")
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, length)| length.trim().parse::<usize>().ok())
                .unwrap_or_default();
            let body = &bytes[end + END.len()..];
            if body.len() >= length {
                return Some((head, body.to_vec()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn respond(stream: &mut TcpStream, reply: &Reply, length: usize) {
    let head = format!(
        "HTTP/1.1 {} OK\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        reply.status,
        reply.content_type,
        reply.body.len(),
    );
    // The other end may have given up.
    let _ = stream.write_all(&[head.as_bytes(), &reply.body[..length]].concat()).await;
}

/// Counts the connections that are being made.
#[derive(Clone)]
struct Departures(Front);

#[derive(Clone)]
struct Departing<S> {
    inner: S,
    front: Front,
}

impl<S> Layer<S> for Departures {
    type Service = Departing<S>;

    fn layer(&self, inner: S) -> Departing<S> {
        Departing { inner, front: self.0.clone() }
    }
}

impl<S, R> Service<R> for Departing<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let moving = self.front.time.moving();
        let departing = self.front.departing.clone();
        let connecting = self.inner.call(request);
        Box::pin(async move {
            // The server takes it over with the connection, which is made at once: even if whoever wanted it is gone by then.
            let _ = departing.send(moving);
            connecting.await
        })
    }
}
