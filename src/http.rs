//! The one HTTP stack: WeChat and AWS are called through the same client.
//!
//! The AWS SDK's own HTTP client loads the system's root certificates at start, which costs more than
//! everything else a start does, and brings a second connection pool. The SDK accepts any connector, so
//! it gets the one that is here anyway, with Mozilla's roots compiled in.

use std::error::Error;
use std::io;
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
use rustls::CertificateError;

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

/// Why the server of a request is not believed to be the one that was asked for; none if the fault is another, such as the
/// network.
pub(crate) fn untrusted(error: &reqwest::Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(error) => match error {
                    CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                        "its certificate has expired"
                    }
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                        "its certificate is for another name"
                    }
                    CertificateError::UnknownIssuer => {
                        "its certificate comes from an authority that browsers do not know"
                    }
                    _ => "its certificate is not valid",
                },
                _ => "it speaks no TLS, or has no certificate for this name",
            });
        }
        // An io::Error does not name as its source what it was made of.
        let made_of = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = made_of.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
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
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Why the server on the other end of a connection that `serve` takes is not trusted.
    async fn check_untrusted(serve: impl FnOnce(TcpListener) + Send + 'static, expected: Option<&str>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || serve(listener));
        let error = client().get(format!("https://localhost:{port}/")).send().await.expect_err("no answer");
        assert_eq!(untrusted(&error), expected);
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_vouches_for_is_no_fault_of_the_network() {
        // Valid for localhost, for a hundred years.
        let certificate = include_bytes!("../tests/tls/self-signed.der").as_slice();
        let key = include_bytes!("../tests/tls/self-signed.key.der").as_slice();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key.try_into().expect("a key"))
            .expect("the key is the certificate's");
        let serve = |listener: TcpListener| {
            let mut connection = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
            let (mut stream, _) = listener.accept().expect("a connection");
            while connection.complete_io(&mut stream).is_ok_and(|(read, written)| read + written > 0) {}
        };
        check_untrusted(serve, Some("its certificate comes from an authority that browsers do not know"))
            .await;
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_told_from_what_does_not_answer() {
        let answers = |listener: TcpListener| {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("it is sent");
        };
        check_untrusted(answers, Some("it speaks no TLS, or has no certificate for this name")).await;
        check_untrusted(drop, None).await;
    }

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
