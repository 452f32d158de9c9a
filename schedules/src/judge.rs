//! The oracle: knows what WeChat granted, and says which invariants do not hold.

use sandbox::Answer;

use crate::log;
use crate::notes::{Consent, Notes};
use crate::play::state_of;
use crate::product;
use crate::world::{MERCHANTS, World};

/// How long WeChat's tokens live, in seconds.
const LIFE: i64 = 7200;

/// By how many seconds a record may be wrong about a token's end.
const INEXACT: i64 = 60;

/// In how many seconds two consents may seem to come the other way round: the first is visited within two minutes, by a
/// clock that is nearly as far from the one that times the push of the second.
const UNORDERED: i64 = 240;

/// A page that somebody was shown: the merchant of the code, or a stranger.
pub fn page(world: &World, answer: &Answer, visitor: Option<(u8, &str)>) {
    let mut notes = world.notes.borrow_mut();
    for (merchant, account) in (0..).zip(&world.accounts) {
        let shown = answer.body.contains(&account.appid) || answer.body.contains(&account.nick_name);
        match visitor {
            _ if !shown => {}
            None => notes.broke("a stranger is shown a merchant's account"),
            Some((own, _)) if own != merchant => {
                notes.broke("a merchant is shown another merchant's account")
            }
            Some(_) => {}
        }
    }
    if let Some(error) = &answer.error {
        notes.broke(format!("an invocation of callback failed: {error}"));
    }
    if let Some((merchant, code)) = visitor {
        let exchanged = world.wire.facts(|facts| facts.exchanged.contains_key(code));
        // What was revoked since is over, although a later consent stands.
        let consented =
            notes.consents.values().find(|consent| consent.code == code).map(|consent| consent.at);
        let mut revocations = notes.revocations.values();
        let revoked =
            revocations.any(|revocation| revocation.merchant == merchant && Some(revocation.at) >= consented);
        let stands = world.sandbox.wechat.refresh_token(world.appid(merchant)).is_some() && !revoked;
        if exchanged && stands && product::says_that_it_failed(answer) {
            notes.broke(format!(
                "a page says “{}” to a merchant whose code WeChat has exchanged and whose authorization stands",
                product::title(answer)
            ));
        }
    }
    let text = format!("{answer:?}");
    if world.sandbox.wechat.secrets().iter().any(|secret| text.contains(secret.as_str())) {
        notes.broke("a page shows a secret");
    }
}

/// A push with a code was answered `success`.
pub fn pushed(world: &World, code: &str) {
    if product::claim_status(&world.tables, world.component(), code).is_empty() {
        world.notes.borrow_mut().broke("a push of an authorization was answered success and is not stored");
    }
}

/// A push of a revocation was answered `success`.
pub fn pushed_revocation(world: &World, merchant: u8, at: i64) {
    let record = world.record(merchant);
    // What cannot be told from an older one yet is due, and the refresh tells.
    let is_due = record.refresh_at.is_some_and(|refresh_at| refresh_at <= record.refreshed_at);
    let stored = record.authorized == Some(false) || record.authorized_at >= at || is_due;
    // What was granted since then is what counts.
    let since = world.sandbox.wechat.refresh_token(world.appid(merchant)).is_some();
    if !stored && !since {
        world.notes.borrow_mut().broke("a push of a revocation was answered success and is not stored");
    }
}

/// Whether `token` is right to give a service nothing that asked at `asked_at` and said that WeChat refuses `rejected`: it
/// does not believe that of so young a token; and the standing authorization's code may not have been exchanged, so that
/// WeChat takes no refresh token yet.
pub fn token_may_be_withheld(world: &World, merchant: u8, rejected: Option<&str>, asked_at: i64) -> bool {
    let is_known = world.wire.facts(|facts| facts.known.contains(world.appid(merchant)));
    let record = world.record(merchant);
    !is_known || rejected.is_some_and(|rejected| record.is_young(rejected, asked_at))
}

/// `token` gave a token to a service that asked at `asked_at`.
pub fn token(world: &World, merchant: u8, token: &str, asked_at: i64) {
    let record = world.record(merchant);
    // A token that WeChat refuses to refresh may be the only one there is.
    if record.is_failing {
        return;
    }
    let mut notes = world.notes.borrow_mut();
    let newest = world.newest_token(merchant);
    // While there is no other, the refused one may be the only one there is: who asked may not have been heard.
    let is_believed = notes.refused_tokens.contains(token) && !record.is_young(token, asked_at);
    // A revocation ends the newer one as well.
    let wechat = &world.sandbox.wechat;
    let is_authorized = wechat.refresh_token(world.appid(merchant)).is_some();
    if is_believed && is_authorized && newest.as_deref() != Some(token) {
        notes.broke(
            "token hands out an access token that it was told WeChat refuses, and there is a newer one",
        );
        return;
    }
    // A revocation ends the token, and nobody has told the platform of it yet.
    let mut revocations = notes.revocations.values();
    let untold = revocations.any(|revocation| revocation.merchant == merchant && !revocation.taken);
    let stands = is_authorized && !untold;
    // Which account's token a lost answer had is not known before the sweep.
    let is_known = product::pending_claims(&world.tables) == 0;
    if stands && is_known && !notes.ended_tokens.contains(token) && !wechat.accepts(token) {
        notes.broke("token hands out an access token that WeChat refuses");
    }
}

/// What is wrong with the tokens of authorized accounts, once `reconcile` has run. Of a code that nobody vouched for and
/// whose answer was lost, nobody can say which account's access token it superseded: the next refresh replaces that.
pub fn tokens(world: &World) -> Vec<String> {
    let has_refresh_token = |record: &product::Record, appid: &str| {
        record.refresh_token == world.sandbox.wechat.refresh_token(appid)
    };
    tokens_of(world, |code, record, appid| is_lost(world, code) && has_refresh_token(record, appid))
}

/// The same before `reconcile` has run: what such a code brought waits for it.
pub fn tokens_vouched_for(world: &World) -> Vec<String> {
    tokens_of(world, |code, _, _| is_lost(world, code))
}

/// Whether the answer to a code was lost, and neither WeChat's push nor a service vouched for it.
fn is_lost(world: &World, code: &str) -> bool {
    let is_vouched_for = world.notes.borrow().vouched_for.contains(code);
    !is_vouched_for && product::claim_status(&world.tables, world.component(), code) == "failed"
}

fn tokens_of(world: &World, is_excused: impl Fn(&str, &product::Record, &str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for merchant in 0..=MERCHANTS {
        let record = world.record(merchant);
        let appid = world.appid(merchant);
        let (known, newest) =
            world.wire.facts(|facts| (facts.known.contains(appid), facts.newest.get(appid).cloned()));
        if !known || record.authorized != Some(true) {
            continue;
        }
        let now = world.clock.now().as_secs();
        let due = record.refresh_at.is_some_and(|refresh_at| refresh_at <= now);
        let Some(newest) = newest.filter(|_| !due) else { continue };
        if record.access_token.as_ref() != Some(&newest.token) {
            if !newest.code.is_some_and(|code| is_excused(&code, &record, appid)) {
                broken.push(
                    "a record keeps an access token that is not WeChat's newest, and is not due".to_owned(),
                );
            }
        } else if record.expires_at > now - newest.at.elapsed().as_secs() as i64 + LIFE + INEXACT {
            broken.push("a record says that its access token lives longer than it does".to_owned());
        }
    }
    broken
}

/// Accounts whose last revocation was pushed and answered `success`, and is not in the table. Before `reconcile` has run.
pub fn revocations(world: &World) -> Vec<String> {
    let notes = world.notes.borrow();
    let is_told = |merchant: &u8| {
        let of_merchant = notes.revocations.values().filter(|revocation| revocation.merchant == *merchant);
        of_merchant.max_by_key(|revocation| revocation.at).is_some_and(|last| last.taken)
    };
    let stands = |merchant| world.sandbox.wechat.refresh_token(world.appid(merchant)).is_some();
    let lacks = |merchant: &u8| !stands(*merchant) && world.record(*merchant).authorized == Some(true);
    let lacking = (0..MERCHANTS).filter(|merchant| is_told(merchant) && lacks(merchant));
    lacking.map(|_| "a revocation that was pushed waits for reconcile".to_owned()).collect()
}

/// What is wrong with the records, once `reconcile` has run.
pub fn records(world: &World) -> Vec<String> {
    let mut broken = Vec::new();
    for merchant in 0..=MERCHANTS {
        let record = world.record(merchant);
        let appid = world.appid(merchant);
        let current = world.sandbox.wechat.refresh_token(appid);
        let known = world.wire.facts(|facts| facts.known.contains(appid));
        match (&current, record.authorized) {
            (Some(current), Some(true)) if known && record.refresh_token.as_ref() != Some(current) => {
                broken.push("a record keeps a refresh token that WeChat does not accept".to_owned());
            }
            (Some(_), None | Some(false)) if known => {
                broken.push("an account whose code was exchanged is not authorized in the table".to_owned());
            }
            (None, Some(true)) => {
                broken.push("an account that revoked is authorized in the table".to_owned());
            }
            _ => {}
        }
        if record.authorized == Some(false)
            && (record.refresh_token.is_some() || record.access_token.is_some())
        {
            broken.push("a revoked account has tokens".to_owned());
        }
        let own_states = world.notes.borrow().own_states.get(&merchant).cloned().unwrap_or_default();
        if record.state.is_some_and(|state| !own_states.contains(&state)) {
            broken.push("a record has a state of a launch that its account did not end".to_owned());
        }
    }
    broken
}

/// Accounts whose records lack what a service gave to their launch, although its grant is stored and nothing came after it.
/// Before `reconcile` has run, which knows of no launch.
pub fn states(world: &World) -> Vec<String> {
    let notes = world.notes.borrow();
    let owed = (0..MERCHANTS).filter_map(|merchant| Some((merchant, owed_state(world, &notes, merchant)?)));
    let lacks = |(merchant, state): &(u8, String)| {
        let record = world.record(*merchant);
        record.state.as_ref() != Some(state) || !record.is_bound
    };
    let lacking = owed.filter(lacks);
    lacking.map(|_| "a record lacks the state of the launch that its account ended".to_owned()).collect()
}

/// The state that a merchant's record must have: that of his only launch, if a code of it is exchanged and stored that came
/// to the launch, or by a push that named it. What he grants without a launch takes the state from nobody; what he
/// revokes, and a record that is lost, does. So may a consent shortly before, which clocks that differ make the later one.
fn owed_state(world: &World, notes: &Notes, merchant: u8) -> Option<String> {
    let of_merchant = notes.consents.values().filter(|consent| consent.merchant == merchant);
    let mut launched = of_merchant.filter_map(|consent| Some((consent, consent.launch?)));
    let (consent, launch) = launched.next()?;
    let is_over = notes.revocations.values().any(|revocation| revocation.merchant == merchant);
    let is_other = is_over || notes.lost.contains(&merchant) || !notes.launches.contains_key(&launch);
    let is_just_before = |other: &Consent| {
        other.merchant == merchant
            && other.launch.is_none()
            && (0..=UNORDERED).contains(&(consent.at - other.at))
    };
    let is_unordered = notes.consents.values().any(|other| other.has_redirect && is_just_before(other));
    if launched.next().is_some() || is_other || is_unordered {
        return None;
    }
    let is_stored = |code: &String| {
        notes.vouched_for.contains(code)
            && product::claim_status(&world.tables, world.component(), code) == "done"
    };
    [&consent.code, &consent.own_code].into_iter().any(is_stored).then(|| state_of(launch))
}

/// What is wrong with the permission sets and the profiles, once every account was compared with WeChat.
pub fn contents(world: &World) -> Vec<String> {
    let mut broken = Vec::new();
    for merchant in 0..=MERCHANTS {
        let record = world.record(merchant);
        let appid = world.appid(merchant);
        let known = world.wire.facts(|facts| facts.known.contains(appid));
        if !known || record.authorized != Some(true) || world.sandbox.wechat.refresh_token(appid).is_none() {
            continue;
        }
        let mut granted = world.sandbox.wechat.permission_set_ids(appid);
        granted.sort_unstable();
        if record.permission_set_ids != granted {
            broken.push("a record keeps other permission sets than WeChat has".to_owned());
        }
        if !record.has_profile {
            broken.push("a record does not say who the account is".to_owned());
        }
    }
    broken
}

/// What has not come to an end.
pub fn ends(world: &World) -> Vec<String> {
    let mut broken = Vec::new();
    let pending = product::pending_claims(&world.tables);
    if pending > 0 {
        broken.push(format!("a claim is still pending after {} hours", product::PAGE_ENDS.as_secs() / 3600));
    }
    for consent in world.notes.borrow().consents.values() {
        if let Some(status @ (202 | 500..)) = consent.visited {
            broken.push(format!("a page does not end: the merchant still reads {status}"));
        }
    }
    broken
}

/// Whether the log shows a secret.
pub fn secrets(world: &World) {
    let log = log::text();
    if world.sandbox.wechat.secrets().iter().any(|secret| log.contains(secret.as_str())) {
        world.notes.borrow_mut().broke("the log shows a secret");
    }
}
