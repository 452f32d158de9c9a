//! Exchanges that a visit or a push left unfinished.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt};

use super::{App, SHORTEST, Summary};
use crate::authorizer::{Compared, Refreshed};
use crate::deadline::Deadline;
use crate::evidence::Evidence;
use crate::exchange::Finished;
use crate::metric::{self, Door};
use crate::store::Reason;
use crate::wechat::{Appid, ListedAccount};

/// How many pending exchanges are finished at a time.
const FINISHING: usize = 32;

/// How many pending exchanges are taken up at a time, and how many times in one run.
const PENDING_PAGE: i32 = 100;
const PENDING_PAGES: u32 = 20;

/// Finishes what can be finished in time.
pub(super) async fn finish_pending(app: &App, summary: &mut Summary, deadline: Deadline) {
    let mut unknown = Vec::new();
    let stopped = AtomicBool::new(false);
    let in_time = || !stopped.load(Ordering::Relaxed) && deadline.remaining() > SHORTEST;
    // What WeChat or a service vouches for comes first.
    let mut kinds = [Evidence::Push, Evidence::Bare].into_iter();
    let mut kind = kinds.next();
    for _ in 0..PENDING_PAGES {
        let Some(evidence) = kind else { break };
        let now = app.services.clock.now();
        let digests = match app.services.store.pending(evidence, now, PENDING_PAGE).await {
            Ok(digests) => digests,
            Err(error) => {
                tracing::error!("{error}");
                break;
            }
        };
        let begun = digests.iter().take_while(|_| in_time());
        // What follows a grant is done here, too: in the loop below it would hold up the others, and their answers would come
        // too late to be read.
        let finishing = begun.map(|digest| async move {
            let finished = app.exchange.finish(digest, deadline).await;
            if let Ok(Finished::Stored(appid)) = &finished {
                get_token(app, appid, deadline).await;
            }
            finished
        });
        let mut finishing = stream::iter(finishing).buffer_unordered(FINISHING);
        while let Some(finished) = finishing.next().await {
            match finished {
                Ok(Finished::Stored(_)) => summary.pending_finished += 1,
                Ok(Finished::Unknown(claim)) => unknown.push(claim),
                // Those under way are finished; no other is begun.
                Ok(Finished::Stopped) => stopped.store(true, Ordering::Relaxed),
                Ok(Finished::Failed | Finished::Pending) => {}
                Err(error) => tracing::warn!("a pending exchange is left for the next run: {error}"),
            }
        }
        if !in_time() {
            break;
        }
        if digests.len() < PENDING_PAGE as usize {
            kind = kinds.next();
        }
    }
    if !unknown.is_empty() {
        let restored = match app.exchange.candidates(&unknown, deadline).await {
            Some(candidates) => restore(app, &candidates, deadline).await,
            None => false,
        };
        app.exchange.leave(unknown, restored).await;
    }
}

/// Restores the accounts that spent codes may be of: nothing is lost, although the merchants cannot be
/// shown their accounts. False if one of them could not be restored.
async fn restore(app: &App, accounts: &[ListedAccount], deadline: Deadline) -> bool {
    let mut all = true;
    for account in accounts {
        let appid = &account.authorizer_appid;
        let restored = match app.services.store.record(appid).await {
            Ok(record) => app.authorizers.restore(account, record.as_ref(), false, deadline).await,
            Err(error) => Err(error),
        };
        match restored {
            Ok(Compared::Restored) => metric::grant(Door::Refresh),
            Ok(Compared::Stopped(cause)) => {
                cause.report();
                return false;
            }
            Ok(Compared::Failed) => all = false,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(authorizer.appid = %appid, "{error}");
                all = false;
            }
        }
    }
    all
}

/// Gets the access token of a pending grant that is stored: one that was recovered has none yet.
async fn get_token(app: &App, appid: &Appid, deadline: Deadline) {
    let reason = Reason::DueBy(app.services.clock.now());
    match app.authorizers.refresh(appid, &reason, deadline).await {
        Ok(Refreshed::Stopped(cause)) => cause.report(),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(authorizer.appid = %appid, "the access token is left for the next run: {error}");
        }
    }
}
