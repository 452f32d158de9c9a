//! Playing a schedule: each step as it happens.

use std::rc::Rc;
use std::time::Duration;

use sandbox::gateway::HttpRequest;
use serde_json::json;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep};

use crate::fault::Side;
use crate::judge;
use crate::notes::{Consent, Revocation};
use crate::product::{self, Function};
use crate::schedule::{Schedule, What};
use crate::time::Time;
use crate::wire::{Seen, scatter};
use crate::world::{MERCHANTS, OUR_CLOCK, World};
use crate::{log, settle};

/// What merchants grant: every other consent is for something else than the one before.
const SETS: [&[i64]; 2] = [&[1, 2, 24], &[1, 2, 7, 24]];

/// The consent of the account that nothing happens to.
const BYSTANDER: u8 = u8::MAX;

/// Before a schedule begins, so long ago that account authorized; or so long ago that all tokens have ended.
const LONG_AGO: Duration = Duration::from_secs(1500);
const ENDED: Duration = Duration::from_secs(7300);

/// The outcome of a schedule.
pub struct Outcome {
    /// The invariants that do not hold.
    pub broken: Vec<String>,
    /// The product's requests from the schedule's beginning until its faults ended: when, in milliseconds after the
    /// beginning, on which wire, and what about.
    pub requests: Vec<(u64, Side, String)>,
}

/// Plays a schedule in a separate world, on this thread, and judges the outcome.
pub fn play(schedule: &Schedule) -> Outcome {
    log::begin();
    let time = Time::default();
    let runtime = time.runtime();
    let schedule = schedule.clone();
    LocalSet::new().block_on(&runtime, async move {
        let world = Rc::new(World::new(&time, schedule.seed, schedule.ahead).await);
        world.begin(schedule.warm).await;
        let began = Instant::now();
        steps(&world, &schedule).await;
        let requests = world.wire.seen().into_iter().filter(|seen| seen.at >= began);
        let requests =
            requests.map(|Seen { side, label, at, .. }| ((at - began).as_millis() as u64, side, label));
        let requests = requests.collect();
        settle::settle(&world).await;
        judge::secrets(&world);
        let mut broken = std::mem::take(&mut world.notes.borrow_mut().broken);
        broken.extend(world.wire.facts(|facts| std::mem::take(&mut facts.broken)));
        broken.sort();
        broken.dedup();
        Outcome { broken, requests }
    })
}

async fn steps(world: &Rc<World>, schedule: &Schedule) {
    let began = world.time.elapsed();
    let mut playing = JoinSet::new();
    let minutes = schedule.minutes.then(|| {
        let world = world.clone();
        tokio::task::spawn_local(async move {
            loop {
                world.run(Function::Refresh).await;
                sleep(Duration::from_secs(60)).await;
            }
        })
    });
    for step in &schedule.steps {
        let due = began + step.at as f64 / 1000.0;
        sleep(Duration::from_secs_f64((due - world.time.elapsed()).max(0.0))).await;
        let (world, what) = (world.clone(), step.what.clone());
        playing.spawn_local(async move { world.step(what).await });
    }
    while let Some(played) = playing.join_next().await {
        if let Err(error) = played {
            world.notes.borrow_mut().broke(format!("a function panicked: {error}"));
        }
    }
    if let Some(minutes) = minutes {
        minutes.abort();
    }
}

impl World {
    /// A platform at work: an account that nothing happens to authorized it long ago.
    async fn begin(&self, warm: bool) {
        self.ticket().await;
        self.consent(BYSTANDER, MERCHANTS, None);
        self.push(BYSTANDER, false, false).await;
        sleep(if warm { LONG_AGO } else { ENDED }).await;
        self.ticket().await;
        if warm {
            self.run(Function::Refresh).await;
        }
    }

    async fn step(&self, what: What) {
        match what {
            What::Launch { launch, merchant } => self.launch(launch, merchant).await,
            What::Consent { consent, merchant, launch } => self.consent(consent, merchant, launch),
            What::Redirect { consent } => self.redirect(consent).await,
            What::Push { consent, own_code, milliseconds } => {
                self.push(consent, own_code, milliseconds).await;
            }
            What::Update { consent, merchant } => self.update(consent, merchant),
            What::Revoke { revocation, merchant } => self.revoke(revocation, merchant),
            What::PushRevoked { revocation } => self.push_revoked(revocation).await,
            What::Stranger { stranger, state_of } => self.stranger(stranger, state_of).await,
            What::Refresh => self.run(Function::Refresh).await,
            What::Reconcile => self.run(Function::Reconcile).await,
            What::Token { merchant, refused } => self.token(merchant, refused).await,
            What::Invalidate { merchant } => self.invalidate(merchant),
            What::Lose { merchant } => {
                self.notes.borrow_mut().lost.insert(merchant);
                product::lose_record(&self.tables, self.component(), self.appid(merchant));
            }
            What::SetClock { seconds } => self.time.step(OUR_CLOCK, seconds),
            What::Fault(planned) => self.wire.plan(planned),
        }
    }

    async fn launch(&self, launch: u8, merchant: u8) {
        let state = state_of(launch);
        // A service that gets none asks once more.
        for _ in 0..2 {
            let answer = self.invoke(Function::Launch, product::launch_event(&state)).await;
            if let Some(launched) = answer.and_then(Result::ok).and_then(|answer| product::launched(&answer))
            {
                let mut notes = self.notes.borrow_mut();
                notes.launches.insert(launch, launched);
                notes.launched_by.insert(launch, merchant);
                return;
            }
            sleep(Duration::from_secs(5)).await;
        }
    }

    fn consent(&self, consent: u8, merchant: u8, launch: Option<u8>) {
        let mut notes = self.notes.borrow_mut();
        if let Some(launch) = launch {
            let used = notes.consents.values().any(|consent| consent.launch == Some(launch));
            if used || notes.launched_by.get(&launch) != Some(&merchant) {
                return;
            }
            notes.own_states.entry(merchant).or_default().insert(state_of(launch));
        }
        let (wechat, appid) = (&self.sandbox.wechat, self.appid(merchant));
        let is_update = wechat.refresh_token(appid).is_some();
        let granted = SETS[usize::from(consent) % SETS.len()];
        // WeChat pushes nothing about a consent that changes nothing.
        let pushed = is_update && wechat.permission_set_ids(appid) == granted;
        let code = wechat.authorize(appid, granted);
        self.wire.facts(|facts| facts.known.remove(appid));
        let consent_ = Consent {
            merchant,
            code,
            own_code: wechat.mint_code(appid),
            launch,
            at: self.sandbox.clock.now().as_secs(),
            is_update,
            has_redirect: true,
            silent: pushed,
            pushed,
            visited: None,
        };
        notes.consents.insert(consent, consent_);
    }

    fn update(&self, consent: u8, merchant: u8) {
        let (wechat, appid) = (&self.sandbox.wechat, self.appid(merchant));
        if wechat.refresh_token(appid).is_none() {
            return;
        }
        // Different from what any consent grants.
        let code = wechat.update(appid, &[1, 2, 3, i64::from(consent) + 100]);
        let consent_ = Consent {
            merchant,
            own_code: code.clone(),
            code,
            launch: None,
            at: self.sandbox.clock.now().as_secs(),
            is_update: true,
            has_redirect: false,
            silent: false,
            pushed: false,
            visited: None,
        };
        self.notes.borrow_mut().consents.insert(consent, consent_);
    }

    /// The browser visits the redirect's target.
    pub async fn redirect(&self, consent: u8) {
        let found = {
            let notes = self.notes.borrow();
            notes.consents.get(&consent).filter(|consent| consent.has_redirect).map(|consent| {
                let launched = consent.launch.and_then(|launch| notes.launches.get(&launch));
                let callback = launched.map(|launched| launched.callback.clone());
                (callback, consent.merchant, consent.code.clone())
            })
        };
        let Some((callback, merchant, code)) = found else { return };
        if callback.is_some() {
            self.notes.borrow_mut().vouched_for.insert(code.clone());
        }
        let path = product::redirect(&callback.unwrap_or_else(product::bare_callback), &code);
        let answer = self.request(Function::Callback, HttpRequest::get(&path)).await;
        // A process that died is a page of API Gateway's.
        let status = answer.as_ref().map_or(502, |answer| answer.status);
        if let Some(consent) = self.notes.borrow_mut().consents.get_mut(&consent) {
            consent.visited = Some(status);
        }
        if let Some(answer) = answer {
            judge::page(self, &answer, Some((merchant, &code)));
        }
    }

    /// WeChat pushes a consent.
    pub async fn push(&self, consent: u8, own_code: bool, milliseconds: bool) {
        let push = {
            let mut notes = self.notes.borrow_mut();
            let pre_auth_code = notes.consents.get(&consent).and_then(|consent| consent.launch);
            let pre_auth_code =
                pre_auth_code.and_then(|launch| Some(notes.launches.get(&launch)?.pre_auth_code.clone()));
            let Some(consent) = notes.consents.get_mut(&consent).filter(|consent| !consent.silent) else {
                return;
            };
            consent.pushed = true;
            let code = if own_code { &consent.own_code } else { &consent.code };
            let (wechat, appid) = (&self.sandbox.wechat, self.appid(consent.merchant));
            let push = match consent.is_update {
                true => wechat.push_updateauthorized(appid, code, pre_auth_code.as_deref()),
                false => wechat.push_authorized(appid, code, pre_auth_code.as_deref()),
            };
            let factor = if milliseconds { 1000 } else { 1 };
            (push.created_at(consent.at * factor), code.clone())
        };
        let (push, code) = push;
        if self.deliver(push.request()).await {
            self.notes.borrow_mut().vouched_for.insert(code.clone());
            judge::pushed(self, &code);
        }
    }

    fn revoke(&self, revocation: u8, merchant: u8) {
        let (wechat, appid) = (&self.sandbox.wechat, self.appid(merchant));
        if wechat.refresh_token(appid).is_none() {
            return;
        }
        wechat.revoke(appid);
        self.wire.facts(|facts| facts.known.remove(appid));
        let at = self.sandbox.clock.now().as_secs();
        let revocation_ = Revocation { merchant, at, pushed: false, taken: false };
        self.notes.borrow_mut().revocations.insert(revocation, revocation_);
    }

    /// WeChat pushes a revocation.
    pub async fn push_revoked(&self, number: u8) {
        let (merchant, at) = {
            let mut notes = self.notes.borrow_mut();
            let Some(revocation) = notes.revocations.get_mut(&number) else { return };
            revocation.pushed = true;
            (revocation.merchant, revocation.at)
        };
        let push = self.sandbox.wechat.push_unauthorized(self.appid(merchant)).created_at(at);
        if self.deliver(push.request()).await {
            if let Some(revocation) = self.notes.borrow_mut().revocations.get_mut(&number) {
                revocation.taken = true;
            }
            judge::pushed_revocation(self, merchant, at);
        }
    }

    /// Whether WeChat takes the push as received: it hangs up after five seconds.
    async fn deliver(&self, push: HttpRequest) -> bool {
        let began = self.time.elapsed();
        let answer = self.request(Function::Events, push).await;
        let in_time = self.time.elapsed() - began < 5.0;
        answer.is_some_and(|answer| in_time && answer.status == 200 && answer.body == "success")
    }

    async fn stranger(&self, stranger: u8, state_of_launch: Option<u8>) {
        let path = {
            let mut notes = self.notes.borrow_mut();
            let path = notes.strangers.entry(stranger).or_insert_with(|| {
                let state = state_of_launch.map_or_else(|| format!("stranger-{stranger}"), state_of);
                let made_up = scatter(u64::from(stranger) + 77);
                let code = format!("queryauthcode@@@made-up-{made_up:016x}-{:016x}", scatter(made_up));
                product::redirect(&product::forged_callback(&state), &code)
            });
            path.clone()
        };
        if let Some(answer) = self.request(Function::Callback, HttpRequest::get(&path)).await {
            judge::page(self, &answer, None);
        }
    }

    async fn token(&self, merchant: u8, refused: bool) {
        let asked_at = self.clock.now().as_secs();
        let stored = self.record(merchant).access_token.filter(|_| refused);
        let is_superseded = stored.is_some() && stored != self.newest_token(merchant);
        let event = product::token_event(self.appid(merchant), stored.as_deref());
        let may_refuse = || judge::token_may_be_withheld(self, merchant, stored.as_deref(), asked_at);
        let answer = self.ask(Function::Token, event, may_refuse).await;
        // Whoever refuses WeChat's newest token is wrong, and a token that is less than a minute old is not replaced then.
        if is_superseded || matches!(answer, Some(Ok(_))) {
            self.notes.borrow_mut().refused_tokens.extend(stored);
        }
        if let Some(Ok(answer)) = answer {
            judge::token(self, merchant, product::token_of(&answer), asked_at);
        }
    }

    fn invalidate(&self, merchant: u8) {
        self.sandbox.wechat.invalidate_access_tokens(self.appid(merchant));
        self.notes.borrow_mut().ended_tokens.extend(self.newest_token(merchant));
    }

    /// The newest access token that WeChat made for the merchant's account.
    pub fn newest_token(&self, merchant: u8) -> Option<String> {
        self.wire.facts(|facts| facts.newest.get(self.appid(merchant)).map(|made| made.token.clone()))
    }

    /// A run of the schedule's functions.
    pub async fn run(&self, function: Function) {
        // An error's name is the operator's alarm; the next run comes by itself.
        let _ = self.invoke(function, json!({})).await;
    }

    /// WeChat pushes a new ticket.
    pub async fn ticket(&self) {
        let push = self.sandbox.wechat.push_ticket();
        self.deliver(push.request()).await;
    }
}

/// The state that the platform gives to a launch.
pub fn state_of(launch: u8) -> String {
    format!("state-of-launch-{launch}")
}
