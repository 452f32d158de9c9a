//! The network of this machine: who listens where, how HTTP is served, and how AWS is reached.

mod connection;

use std::io;
use std::net::IpAddr;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use wechat_authorizer::http::Http;

pub(crate) use connection::Connection;

/// Listens on `port`, or on a free one where it is taken. Panics where this machine does not have the address.
pub async fn bind(address: IpAddr, port: u16) -> TcpListener {
    listen(address, port).await.expect("a port is free")
}

/// Listens on `port`, or on a free one where it is taken. Fails where this machine does not have the address.
pub async fn listen(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((address, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((address, 0)).await,
    }
}

/// Where this machine reaches a listener.
pub fn origin(listener: &TcpListener) -> String {
    let port = listener.local_addr().expect("a bound listener has an address").port();
    format!("http://127.0.0.1:{port}")
}

/// A task that serves; it ends with this handle.
pub(crate) struct Server(AbortHandle);

impl Server {
    pub(crate) fn spawn(serving: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(serving).abort_handle())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves HTTP. Handlers find their [`Connection`] as connect info.
pub(crate) fn serve(listener: TcpListener, router: Router) -> Server {
    let router = router.into_make_service_with_connect_info::<Connection>();
    let listener = connection::Listener(listener);
    Server::spawn(async { axum::serve(listener, router).await.expect("serving never ends") })
}

/// The AWS configuration of a client that finds DynamoDB at `endpoint`.
pub(crate) fn sdk_config(endpoint: &str, http: Http) -> SdkConfig {
    let credentials = Credentials::new("sandbox", "sandbox", None, None, "sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::standard())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(wechat_authorizer::http::aws_client(http))
        .build()
}
