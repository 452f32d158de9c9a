//! What an invocation does after it has sent its answer, so that nobody waits for it.
//!
//! Lambda freezes a process that asks for its next event, and may kill it at any time. So this work is done before the
//! process asks, and losing it is harmless: something else does it later.

use std::cell::RefCell;
use std::pin::Pin;

use futures_util::future::join_all;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

tokio::task_local! {
    static LEFT: RefCell<Vec<Work>>;
}

/// What an invocation has left to do. Dropped, it stays undone.
#[must_use]
pub struct AfterWork(Vec<Work>);

/// Runs an invocation up to its answer, and returns what it has left for afterwards.
pub async fn gather<T>(invocation: impl Future<Output = T>) -> (T, AfterWork) {
    let gathering = async {
        let answer = invocation.await;
        (answer, AfterWork(LEFT.with(RefCell::take)))
    };
    LEFT.scope(RefCell::default(), gathering).await
}

/// Leaves `work` for after the answer of the invocation in which this is called.
pub(crate) fn leave(work: impl Future<Output = ()> + Send + 'static) {
    LEFT.with(|left| left.borrow_mut().push(Box::pin(work)));
}

impl AfterWork {
    /// Does all of it.
    pub async fn run(self) {
        join_all(self.0).await;
    }
}
