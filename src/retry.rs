//! Trying again.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::id::random;
use crate::store::StoreError;

/// The pause before try number `tries + 1`: from 300 ms, growing three-fold, with jitter so that those who
/// failed together do not come back together.
pub(crate) fn backoff(tries: u32) -> Duration {
    let base = 300 * 3_u64.pow(tries.saturating_sub(1).min(4));
    Duration::from_millis(base * 3 / 4 + base / 2 * u64::from(random::<1>()[0]) / 256)
}

/// Makes a write of a table again until it succeeds or `deadline` passes: what WeChat gave is lost if it is not stored.
pub(crate) async fn until_written<T, F>(
    deadline: Deadline,
    mut write: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    /// The pauses grow no longer than this: the table may be back at any moment.
    const LONGEST_PAUSE: u32 = 3;
    let mut tries = 0;
    loop {
        match deadline.limit(write()).await {
            None => return Err(StoreError::late()),
            Some(Ok(written)) => return Ok(written),
            Some(Err(error)) => {
                tries += 1;
                if !deadline.pause(backoff(tries.min(LONGEST_PAUSE))).await {
                    return Err(error);
                }
            }
        }
    }
}
