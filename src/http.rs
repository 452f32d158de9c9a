//! The one HTTP stack: WeChat and AWS are called through the same client.
//!
//! The AWS SDK's own HTTP client loads the system's root certificates at start, which costs more than
//! everything else a start does, and brings a second connection pool. The SDK accepts any connector, so
//! it gets the one that is here anyway, with Mozilla's roots compiled in.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::{Response, StatusCode};
use aws_smithy_types::body::SdkBody;
use reqwest::redirect;

/// Both ends are a few milliseconds away (DynamoDB) or a few hundred (WeChat); what takes longer to
/// connect will not answer in time either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The limit of one request of any kind; callers that have less time say so per request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer may be gone: Lambda freezes an instance between invocations, and then
/// nobody hears the other end hang up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A client that follows no redirects, names itself, and knows Mozilla's root certificates.
pub fn client() -> reqwest::Client {
    builder().build().expect("the client's configuration is constant")
}

/// The same client before it is built: a test adds what it must know about the connections.
pub fn builder() -> reqwest::ClientBuilder {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        // WeChat's allow-list takes IPv4 addresses, and a dual-stack subnet would prefer the other kind.
        .local_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
}

/// The same client for the AWS SDK.
pub fn aws_client(client: reqwest::Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
            let request =
                request.try_into().map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
            let response = client.execute(request).await.map_err(connector_error)?;
            let status = StatusCode::try_from(response.status().as_u16())
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            let headers = response.headers().clone();
            let body = response.bytes().await.map_err(connector_error)?;
            let mut answer = Response::new(status, SdkBody::from(body));
            for (name, value) in &headers {
                if let Ok(value) = value.to_str() {
                    answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(answer)
        })
    }
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn no_call_leaves_by_ipv6() {
        // Somebody listens there, where the machine has IPv6 at all.
        let listener = TcpListener::bind("[::1]:0");
        let port =
            listener.as_ref().ok().and_then(|listener| listener.local_addr().ok()).map_or(9, |at| at.port());
        let refused = client().get(format!("http://[::1]:{port}/")).send().await.expect_err("no answer");
        assert!(refused.is_connect(), "{refused:?}");
    }
}
