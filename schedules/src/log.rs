//! What the functions logged in one world.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    /// A world runs on a separate thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Begins a new log of this thread, at the most talkative level.
pub fn begin() {
    static CAPTURE: Once = Once::new();
    CAPTURE.call_once(|| {
        let layer = wechat_authorizer::log::layer(Some("TRACE"), Some("JSON"), || Capture);
        tracing_subscriber::registry().with(layer).init();
    });
    LOG.with_borrow_mut(Vec::clear);
}

/// The log of this thread so far.
pub fn text() -> String {
    LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
}

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
