//! The log: this crate's lines and nobody else's.
//!
//! Libraries log URLs, headers and bodies at their lower levels, and no level of theirs is worth a token in
//! a log. So the level that the operator sets is the level of this crate, and everything else is off.

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sets up the log on standard output. `level` and `format` are Lambda's own settings
/// (`AWS_LAMBDA_LOG_LEVEL`, `AWS_LAMBDA_LOG_FORMAT`); the defaults are INFO and text.
pub fn init(level: Option<&str>, format: Option<&str>) {
    tracing_subscriber::registry().with(layer(level, format, std::io::stdout)).init();
}

/// What [`init`] sets up, with another place to write to.
pub fn layer<S, W>(level: Option<&str>, format: Option<&str>, writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    let own_lines = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false).with_ansi(false);
    let lines = match format {
        Some("JSON") => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        _ => lines.without_time().boxed(),
    };
    lines.with_filter(own_lines)
}
