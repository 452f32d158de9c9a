//! The functions as they are deployed, but for whom they trust: the benchmark's servers speak TLS, too.

use std::process::ExitCode;

use wechat_authorizer::{functions, http};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut roots = http::roots();
    roots
        .add(include_bytes!("../../../tests/tls/self-signed.der").as_slice().into())
        .expect("it is a certificate");
    functions::run(roots).await
}
