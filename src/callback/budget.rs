//! The allowance of exchanges that nobody vouches for.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::App;
use crate::claim::Authorization;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::exchange::{Looked, Outcome};
use crate::retry::backoff;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// How long a visit without an allowance waits for the push, which is signed and brings the same grant.
const WAIT_FOR_PUSH: Duration = Duration::from_secs(3);

/// What is left of it, in this instance and for all.
#[derive(Debug)]
pub(super) struct Budget {
    store: Store,
    per_second: u32,
    per_day: u32,
    /// How many exchanges this instance may begin at once, and when that was counted.
    bucket: Mutex<(f64, Instant)>,
}

impl Budget {
    pub(super) fn new(config: &Config, store: Store) -> Self {
        let (per_second, per_day) = (config.unvouched_per_second, config.unvouched_per_day);
        Self { store, per_second, per_day, bucket: Mutex::new((f64::from(per_second), Instant::now())) }
    }

    /// Takes one exchange. False if there is none left: in this second here, or of the day for all.
    pub(super) async fn take(&self, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.take_here() && self.store.take_unvouched(self.per_day, now).await?)
    }

    fn take_here(&self) -> bool {
        let mut bucket = self.bucket.lock().expect("nobody panics while holding it");
        let most = f64::from(self.per_second);
        let filled = (bucket.0 + bucket.1.elapsed().as_secs_f64() * most).min(most);
        let takes = filled >= 1.0;
        *bucket = (if takes { filled - 1.0 } else { filled }, Instant::now());
        takes
    }

    /// Looks for a while whether somebody else finishes the exchange. None if nobody has even claimed the code.
    pub(super) async fn wait(
        &self,
        app: &App,
        authorization: Authorization<'_>,
        deadline: Deadline,
    ) -> Result<Option<Outcome>, StoreError> {
        let waiting = deadline.within(WAIT_FOR_PUSH);
        let mut tries = 0;
        loop {
            let looked = app.exchange.look(&authorization.code.digest(), authorization.binding).await?;
            match looked {
                Looked::Known(outcome) if !matches!(outcome, Outcome::Pending) => return Ok(Some(outcome)),
                _ => {}
            }
            tries += 1;
            if !waiting.pause(backoff(tries)).await {
                return Ok(Some(Outcome::Pending).filter(|_| !matches!(looked, Looked::Unclaimed)));
            }
        }
    }
}
