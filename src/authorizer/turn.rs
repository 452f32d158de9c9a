//! When an account is next compared with WeChat's data, and how many accounts one run compares.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::Authorizers;
use super::schedule::day_in_beijing;
use crate::deadline::Deadline;
use crate::id::sha256;
use crate::time::Timestamp;
use crate::wechat::{Appid, Quota};

/// In how many days every account is compared once. A week costs a 98th of the calls that refreshing the same accounts
/// takes, which is 14 a day for each, and what a lost push said is missing for a week at most.
const DAYS: i64 = 7;

/// Comparing takes one part in this many of the day's quota. The rest is for grants and recoveries, and an alarm goes off
/// when half of the quota is used.
const SHARE: i64 = 3;

/// How many accounts are compared in a run if WeChat does not tell the quota: a third of the smallest that was seen.
const UNTOLD: i64 = 3_000;

/// How long asking for the quota may take.
const FOR_QUOTA: Duration = Duration::from_secs(10);

/// The turns of one run.
#[derive(Debug)]
pub(crate) struct Turns {
    /// In how many days each account has one.
    days: i64,
    /// Whether each account has one in this run.
    all: bool,
    left: AtomicI64,
    said: AtomicBool,
}

impl Authorizers {
    /// The turns of a run over this many accounts, by what is left of the day's quota of `api_get_authorizer_info`.
    pub(crate) async fn turns(&self, accounts: usize, all: bool, deadline: Deadline) -> Turns {
        let request = |token, limit| async move {
            self.services.wechat.quota(&token, "api_get_authorizer_info", limit).await
        };
        let answer = self.services.component.call(None, deadline.within(FOR_QUOTA), request).await;
        Turns { all, ..Turns::new(accounts, answer.ok().map(|called| called.answer)) }
    }
}

impl Turns {
    fn new(accounts: usize, quota: Option<Quota>) -> Self {
        let (share, left) = match quota.filter(|quota| quota.daily_limit > 0) {
            Some(Quota { daily_limit, remain }) => {
                let share = daily_limit / SHARE;
                let reserved = daily_limit - share;
                (share, remain.min(daily_limit).saturating_sub(reserved).max(0))
            }
            None => (UNTOLD, UNTOLD),
        };
        let accounts = i64::try_from(accounts).unwrap_or(i64::MAX);
        // Half of the share is for turns that were missed. The days are doubled and not counted exactly: then each account
        // keeps every other of its turns, and a table that grows brings no wave of turns.
        let mut days = DAYS;
        while days.saturating_mul(share) / 2 < accounts && days < i64::MAX / 4 {
            days *= 2;
        }
        Self { days, all: false, left: AtomicI64::new(left), said: AtomicBool::new(false) }
    }

    /// Whether the turn of the account has come since it was compared. Turns are spread by the appid, so that accounts
    /// that came on one day are not compared on one day.
    pub(super) fn has_come(
        &self,
        authorizer_appid: &Appid,
        compared_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let Some(compared_at) = compared_at.filter(|_| !self.all) else { return true };
        let [.., a, b, c, d] = sha256(authorizer_appid.as_str());
        let own = i64::from(u32::from_be_bytes([a, b, c, d]));
        let today = day_in_beijing(now);
        let last_turn = today - (today - own).rem_euclid(self.days);
        day_in_beijing(compared_at) < last_turn
    }

    /// Takes a turn. False if none is left; said once.
    pub(super) fn take(&self) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left - 1).filter(|left| *left >= 0)
        });
        if taken.is_err() && !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "some accounts are not compared today: two thirds of the quota of api_get_authorizer_info are kept for grants"
            );
        }
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn appids(count: u32) -> Vec<Appid> {
        (0..count).map(|i| Appid::parse(&format!("wx{i:016x}")).expect("an appid")).collect()
    }

    fn quota(daily_limit: i64, remain: i64) -> Option<Quota> {
        Some(Quota { daily_limit, remain })
    }

    /// How many of the accounts have their turn on each day, if all were compared at once and each turn is taken.
    fn played(accounts: &[Appid], turns: &Turns, days: u32) -> Vec<usize> {
        let start = Timestamp::from_secs(1_795_420_164);
        let mut compared = vec![start; accounts.len()];
        let mut counts = Vec::new();
        for day in 1..=days {
            let now = start + DAY * day;
            let mut count = 0;
            for (appid, at) in accounts.iter().zip(&mut compared) {
                if turns.has_come(appid, Some(*at), now) {
                    *at = now;
                    count += 1;
                }
            }
            counts.push(count);
        }
        counts
    }

    #[test]
    fn each_account_has_one_turn_a_week_and_a_day_has_a_seventh_of_them() {
        let accounts = appids(7_000);
        let turns = Turns::new(accounts.len(), quota(1_000_000, 1_000_000));
        let counts = played(&accounts, &turns, 14);
        assert_eq!(counts.iter().sum::<usize>(), 2 * accounts.len());
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_turn_that_was_missed_is_taken_later() {
        let [account] = &appids(1)[..] else { unreachable!() };
        let turns = Turns::new(1, None);
        let now = Timestamp::from_secs(1_795_420_164);
        assert!(turns.has_come(account, None, now));
        assert!(turns.has_come(account, Some(now - DAY * 8), now));
        assert!(!turns.has_come(account, Some(now), now));
    }

    #[test]
    fn two_thirds_of_the_quota_are_left_to_grants() {
        let taken = |quota| {
            let turns = Turns::new(1, quota);
            (0..20_000).filter(|_| turns.take()).count()
        };
        assert_eq!(taken(quota(30, 30)), 10);
        assert_eq!(taken(quota(30, 25)), 5);
        assert_eq!(taken(quota(30, 20)), 0);
        assert_eq!(taken(quota(30, -5)), 0);
        assert_eq!(taken(quota(30, 99)), 10);
        assert_eq!(taken(None), 3_000);
        assert_eq!(taken(quota(0, 0)), 3_000);
    }

    #[test]
    fn a_small_quota_makes_turns_rarer_and_leaves_none_out() {
        let accounts = appids(3_000);
        let turns = Turns::new(accounts.len(), quota(300, 300));
        let days = u32::try_from(turns.days).expect("few days");
        assert_eq!(days, 112);
        let counts = played(&accounts, &turns, days);
        assert_eq!(counts.iter().sum::<usize>(), accounts.len());
        assert!(counts.iter().all(|count| *count <= 100), "{counts:?}");
        assert!(Turns::new(usize::MAX, quota(1, 1)).days > 0);
    }
}
