//! A WeChat that grants every token, after a fixed time, and keeps nothing.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// A server; it ends with this value.
pub(crate) struct WeChat {
    /// The value of `WECHAT_API_BASE_URL`.
    pub(crate) base_url: String,
    server: AbortHandle,
}

impl WeChat {
    /// Answers each call after `latency`.
    pub(crate) async fn start(latency: Duration) -> Result<Self, Box<dyn Error>> {
        // As long as real ones.
        let component_token = format!(r#"{{"component_access_token":"{:c<138}","expires_in":7200}}"#, "");
        let authorizer_token = format!(
            r#"{{"authorizer_access_token":"{:a<138}","expires_in":7200,"authorizer_refresh_token":"refreshtoken@@@{:r<43}"}}"#,
            "", ""
        );
        let router = Router::new()
            .route("/cgi-bin/component/api_component_token", post(move || after(latency, component_token)))
            .route("/cgi-bin/component/api_authorizer_token", post(move || after(latency, authorizer_token)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = sandbox::origin(&listener);
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { base_url, server })
    }
}

impl Drop for WeChat {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn after(latency: Duration, answer: String) -> (StatusCode, String) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
    (StatusCode::OK, answer)
}
