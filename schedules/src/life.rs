//! The life of a process: it can stand still, and it can end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The life of one process. Clones are the same one.
#[derive(Clone, Default)]
pub struct Life(Arc<Inner>);

#[derive(Default)]
struct Inner {
    dead: AtomicBool,
    died: Notify,
    thaws: Mutex<Option<Instant>>,
    was_frozen: AtomicBool,
}

impl Life {
    /// Ends it.
    pub fn kill(&self) {
        self.0.dead.store(true, Ordering::SeqCst);
        self.0.died.notify_waiters();
    }

    /// Nothing of it moves for so long.
    pub fn freeze(&self, time: Duration) {
        self.0.was_frozen.store(true, Ordering::SeqCst);
        *self.0.thaws.lock().expect("not poisoned") = Some(Instant::now() + time);
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.0.dead.load(Ordering::SeqCst)
    }

    /// Whether it ever stood still.
    pub fn was_frozen(&self) -> bool {
        self.0.was_frozen.load(Ordering::SeqCst)
    }

    /// The result of `work` in this process; none if the process dies, or stands still beyond the `limit` at which
    /// Lambda ends it.
    pub async fn live<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let ends = Instant::now() + limit;
        let mut died = pin!(self.0.died.notified());
        died.as_mut().enable();
        loop {
            if self.is_over() {
                return None;
            }
            let thaws = *self.0.thaws.lock().expect("not poisoned");
            if let Some(thaws) = thaws.filter(|thaws| *thaws > Instant::now()) {
                sleep_until(thaws).await;
                if thaws > ends {
                    self.kill();
                }
                continue;
            }
            let step = poll_fn(|context| {
                if died.as_mut().poll(context).is_ready() || self.is_frozen() {
                    return Poll::Ready(None);
                }
                let polled = work.as_mut().poll(context).map(Some);
                // What it has just done may have been its last.
                if self.is_over() { Poll::Ready(None) } else { polled }
            });
            if let Some(result) = step.await {
                return Some(result);
            }
        }
    }

    fn is_frozen(&self) -> bool {
        self.0.thaws.lock().expect("not poisoned").is_some_and(|thaws| thaws > Instant::now())
    }
}
