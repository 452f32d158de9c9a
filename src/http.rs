//! The one HTTP stack: WeChat and AWS are called through the same client.
//!
//! The AWS SDK's own HTTP client loads the system's root certificates at start, which costs more than
//! everything else a start does, and brings a second connection pool. The SDK accepts any connector, so
//! it gets the one that is here anyway, with Mozilla's roots compiled in.

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::{Response as AwsResponse, StatusCode};
use aws_smithy_types::body::SdkBody;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Request, Response, redirect};
use rustls::{CertificateError, RootCertStore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

// Without it, the first random number of a process takes 23 ms of processor time instead of one, in every cold start. So a
// build that does not honour .cargo/config.toml, `sam build` included, makes no artifact; and the artifact says how it was
// built, for the gate to see.
#[used]
static BUILT_WITH: &str = concat!(
    "AWS_LC_SYS_NO_JITTER_ENTROPY=",
    env!(
        "AWS_LC_SYS_NO_JITTER_ENTROPY",
        "build this in the project's folder: cargo must read .cargo/config.toml"
    )
);

/// Both ends are a few milliseconds away (DynamoDB) or a few hundred (WeChat); what takes longer to
/// connect will not answer in time either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The limit of one request of any kind; callers that have less time say so per request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is not used. On some hosts this clock stands still while the process is frozen.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// After this long without an answer, by the wall clock, the idle connections may be dead: Lambda freezes an instance
/// between invocations, and a frozen process does not notice that the other end has closed a connection.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// How long a repeatable request may take on a connection that may be dead.
const ON_STALE: Duration = Duration::from_millis(700);

/// The connections to one place: WeChat, or AWS. Clones share them.
#[derive(Clone)]
pub struct Http(Arc<Connections>);

struct Connections {
    connect: Box<dyn Fn() -> Client + Send + Sync>,
    stale_after: Duration,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    client: Client,
    /// When the last answer arrived on one of these connections, or when there were none yet.
    alive_at: SystemTime,
}

impl Http {
    /// No connections yet. `connect` makes a client without any; after `stale_after` idle ones may be dead.
    pub fn new(stale_after: Duration, connect: impl Fn() -> Client + Send + Sync + 'static) -> Self {
        let current = Mutex::new(Current { client: connect(), alive_at: SystemTime::now() });
        Self(Arc::new(Connections { connect: Box::new(connect), stale_after, current }))
    }

    /// A client whose connections are all known to be alive, for a request that must not be made twice.
    pub(crate) fn alive(&self) -> Client {
        let mut current = self.current();
        if current.is_stale(self.0.stale_after) {
            *current = Current { client: (self.0.connect)(), alive_at: SystemTime::now() };
        }
        current.client.clone()
    }

    /// Makes a request that must not be made twice.
    pub(crate) async fn once(&self, request: Request) -> Result<Response, reqwest::Error> {
        self.noted(self.alive().execute(request).await)
    }

    /// Makes a request that can be repeated: at once on a new connection, if an old one turns out to be dead.
    pub(crate) async fn repeatable(&self, request: Request) -> Result<Response, reqwest::Error> {
        let current = self.current().clone();
        if current.is_stale(self.0.stale_after)
            && let Some(first) = request.try_clone()
            && let Ok(Ok(response)) = timeout(ON_STALE, current.client.execute(first)).await
        {
            return self.noted(Ok(response));
        }
        self.once(request).await
    }

    fn noted(&self, answer: Result<Response, reqwest::Error>) -> Result<Response, reqwest::Error> {
        if answer.is_ok() {
            self.current().alive_at = SystemTime::now();
        }
        answer
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().expect("nobody panics while holding it")
    }
}

impl Current {
    /// A clock that was set back counts as fresh.
    fn is_stale(&self, after: Duration) -> bool {
        SystemTime::now().duration_since(self.alive_at).map_or(true, |idle| idle >= after)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Http")
    }
}

/// Mozilla's root certificates.
pub fn roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// The connections to WeChat and to AWS: two separate pools that share TLS sessions.
pub fn wires(roots: RootCertStore) -> (Http, Http) {
    let tls = tls(roots);
    let connect = move || built(builder_with(tls.clone()));
    (Http::new(STALE_AFTER, connect.clone()), Http::new(STALE_AFTER, connect))
}

/// A client that follows no redirects, names itself, and knows Mozilla's root certificates.
pub fn client() -> Client {
    built(builder())
}

/// The same client before it is built, so that a test can add a hook to its connections.
pub fn builder() -> ClientBuilder {
    builder_with(tls(roots()))
}

fn builder_with(tls: rustls::ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        // No variable of the environment decides where the tokens go.
        .no_proxy()
        .dns_resolver(Arc::new(Ipv4))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
}

fn built(builder: ClientBuilder) -> Client {
    builder.build().expect("the client's configuration is constant")
}

fn tls(roots: RootCertStore) -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Finds IPv4 addresses only: WeChat's allow-list takes no others, and a dual-stack subnet would prefer them.
struct Ipv4;

impl Resolve for Ipv4 {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The URL's port replaces this one.
            let addresses = spawn_blocking(move || (name.as_str(), 0).to_socket_addrs()).await??;
            Ok(Box::new(addresses.filter(SocketAddr::is_ipv4)) as Addrs)
        })
    }
}

/// Why the server's certificate was not accepted; none if the error has another cause, such as the network.
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
        // The source of an io::Error is not the error inside it.
        let made_of = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = made_of.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// The same for the AWS SDK, which repeats failed requests itself.
pub fn aws_client(http: Http) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(http));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Http);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
            let request =
                request.try_into().map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
            let response = http.repeatable(request).await.map_err(connector_error)?;
            let status = StatusCode::try_from(response.status().as_u16())
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            let headers = response.headers().clone();
            let body = response.bytes().await.map_err(connector_error)?;
            let mut answer = AwsResponse::new(status, SdkBody::from(body));
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
    async fn a_name_is_resolved_to_ipv4_only() {
        let name = "localhost".parse().expect("a name");
        let addresses: Vec<_> = Ipv4.resolve(name).await.expect("it is known everywhere").collect();
        assert!(!addresses.is_empty() && addresses.iter().all(SocketAddr::is_ipv4), "{addresses:?}");
    }
}
