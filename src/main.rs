//! The one binary of all functions.

use std::process::ExitCode;

use wechat_authorizer::{functions, http};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    functions::run(http::roots()).await
}
