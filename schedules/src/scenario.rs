//! Short stories, in which each request of one act meets each fault.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::fault::{Fault, Planned, Side, Whom};
use crate::play::play;
use crate::schedule::{Schedule, Step, What};

/// A story, and the time of the act that meets faults.
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// The story.
    pub schedule: Schedule,
    /// From when until when requests meet faults, in milliseconds.
    pub act: Range<u64>,
}

/// One request of an act, and what it can meet.
pub struct Point {
    /// How many requests of the act come before it.
    pub skip: usize,
    /// The wire.
    pub side: Side,
    /// What it is about.
    pub label: String,
    /// What it meets.
    pub fault: Fault,
}

/// All stories.
pub fn all() -> Vec<Scenario> {
    use What::{
        Consent, Invalidate, Launch, Lose, Push, PushRevoked, Reconcile, Redirect, Refresh, Revoke, SetClock,
        Stranger, Token, Update,
    };
    let launch = Launch { launch: 0, merchant: 0 };
    let launched = Consent { consent: 0, merchant: 0, launch: Some(0) };
    let consent = |consent| Consent { consent, merchant: 0, launch: None };
    let redirect = |consent| Redirect { consent };
    let push = |consent| Push { consent, own_code: false, milliseconds: false };
    let own = Push { consent: 0, own_code: true, milliseconds: false };
    let odd = Push { consent: 0, own_code: false, milliseconds: true };
    let revoke = Revoke { revocation: 0, merchant: 0 };
    let revoked = PushRevoked { revocation: 0 };
    let lost = |fault| {
        let of = Whom::Label(Side::WeChat, "api_query_auth");
        What::Fault(Planned { of, skip: 0, fault, lasting: 0 })
    };
    let stranger = |state_of| Stranger { stranger: 0, state_of };
    let token = |refused| Token { merchant: 0, refused };
    vec![
        tell(
            "exchange",
            10..35,
            [(0, launch.clone()), (5, launched.clone()), (10, redirect(0)), (40, redirect(0)), (70, push(0))],
        ),
        cold(
            "exchange without a component token",
            10..35,
            [(0, consent(0)), (10, redirect(0)), (40, redirect(0))],
        ),
        tell(
            "exchange that WeChat does not push",
            410..435,
            [
                (0, consent(0)),
                (5, redirect(0)),
                (6, push(0)),
                (400, consent(2)),
                (410, redirect(2)),
                (440, redirect(2)),
            ],
        ),
        tell("push", 10..35, [(0, launch.clone()), (5, launched.clone()), (10, push(0)), (40, redirect(0))]),
        tell("push with a code of its own", 10..35, [(0, consent(0)), (10, own), (40, redirect(0))]),
        tell(
            "redirect and push at once",
            10..35,
            [(0, launch.clone()), (5, launched.clone()), (10, redirect(0)), (10, push(0)), (40, redirect(0))],
        ),
        tell("redirect twice at once", 10..35, [(0, consent(0)), (10, redirect(0)), (10, redirect(0))]),
        tell(
            "update",
            110..135,
            [(0, consent(0)), (5, redirect(0)), (100, Update { consent: 1, merchant: 0 }), (110, push(1))],
        ),
        tell("refresh", 6650..6750, [(0, consent(0)), (5, redirect(0)), (6, push(0)), (6650, Refresh)]),
        tell(
            "sweep",
            70..150,
            [
                (0, lost(Fault::KilledAfter)),
                (0, consent(0)),
                (5, redirect(0)),
                (70, Refresh),
                (160, redirect(0)),
            ],
        ),
        tell(
            "sweep of a code whose account is known",
            70..150,
            [(0, lost(Fault::LostAfter)), (0, consent(0)), (5, redirect(0)), (40, push(0)), (70, Refresh)],
        ),
        tell(
            "reconcile",
            30..100,
            [(0, consent(0)), (5, redirect(0)), (20, Lose { merchant: 0 }), (30, Reconcile)],
        ),
        tell(
            "reconcile after a revocation",
            30..100,
            [(0, consent(0)), (5, redirect(0)), (20, revoke.clone()), (30, Reconcile)],
        ),
        tell(
            "launch",
            0..25,
            [(0, launch.clone()), (30, launched.clone()), (35, redirect(0)), (36, push(0))],
        ),
        tell(
            "token that WeChat refuses",
            30..55,
            [
                (0, consent(0)),
                (5, redirect(0)),
                // A token that is less than a minute old is not replaced.
                (70, Invalidate { merchant: 0 }),
                (80, token(true)),
                (110, token(false)),
            ],
        ),
        tell(
            "revocation",
            21..45,
            [(0, consent(0)), (5, redirect(0)), (20, revoke.clone()), (21, revoked.clone())],
        ),
        tell(
            "exchange before a revocation",
            5..9,
            [(0, consent(0)), (5, redirect(0)), (10, revoke.clone()), (11, revoked.clone())],
        ),
        tell(
            "exchange that WeChat does not push, before a revocation",
            405..409,
            [
                (0, consent(0)),
                (5, redirect(0)),
                (6, push(0)),
                (400, consent(2)),
                (405, redirect(2)),
                (410, revoke.clone()),
                (411, revoked.clone()),
            ],
        ),
        tell(
            "revocation and consent by a clock that is ahead",
            27..60,
            [
                (0, consent(0)),
                (5, redirect(0)),
                (20, revoke.clone()),
                (21, revoked.clone()),
                (24, SetClock { seconds: -20 }),
                (25, consent(1)),
                (27, redirect(1)),
            ],
        ),
        tell(
            "two consents, the first pushed late",
            130..155,
            [(0, consent(0)), (120, consent(1)), (125, redirect(1)), (130, push(0))],
        ),
        tell(
            "push with milliseconds",
            10..35,
            [
                (0, consent(0)),
                (10, odd),
                (40, redirect(0)),
                (300, revoke),
                (301, revoked),
                (400, consent(2)),
                (405, redirect(2)),
            ],
        ),
        tell(
            "stranger",
            20..45,
            [
                (0, launch.clone()),
                (5, launched.clone()),
                (10, redirect(0)),
                (11, push(0)),
                (20, stranger(None)),
                (50, stranger(None)),
            ],
        ),
        tell(
            "stranger with a merchant's state",
            20..45,
            [
                (0, launch),
                (5, launched),
                (10, push(0)),
                (20, stranger(Some(0))),
                (50, stranger(Some(0))),
                (60, redirect(0)),
            ],
        ),
    ]
}

impl Scenario {
    /// Every request of the act, with every fault that it can meet.
    pub fn points(&self) -> Vec<Point> {
        let outcome = play(&self.schedule);
        let (from, until) = (self.act.start, self.act.end);
        let act = outcome.requests.into_iter().filter(|(at, ..)| (from..until).contains(at));
        let mut points = Vec::new();
        let mut known = BTreeSet::new();
        for (skip, (_, side, label)) in act.enumerate() {
            // The shards of an index are all the same.
            if label.starts_with("Query") && !known.insert(label.clone()) {
                continue;
            }
            let faults = side.faults(&label).into_iter();
            points.extend(faults.map(|fault| Point { skip, side, label: label.clone(), fault }));
        }
        points
    }

    /// The story with these faults in its act.
    pub fn with(&self, points: &[&Point]) -> Schedule {
        let mut schedule = self.schedule.clone();
        let faults = points.iter().map(|point| Step {
            at: self.act.start,
            what: What::Fault(Planned { of: Whom::Any, skip: point.skip, fault: point.fault, lasting: 0 }),
        });
        // Before whatever else happens then.
        let first = schedule.steps.iter().position(|step| step.at >= self.act.start).unwrap_or_default();
        schedule.steps.splice(first..first, faults);
        schedule
    }
}

/// A story with a component token, its times in seconds.
fn tell<const N: usize>(name: &'static str, act: Range<u64>, steps: [(u64, What); N]) -> Scenario {
    let steps = steps.into_iter().map(|(at, what)| Step { at: at * 1000, what }).collect();
    let schedule = Schedule { seed: 1, ahead: 0, warm: true, minutes: false, steps };
    Scenario { name, schedule, act: act.start * 1000..act.end * 1000 }
}

/// The same without a component token.
fn cold<const N: usize>(name: &'static str, act: Range<u64>, steps: [(u64, What); N]) -> Scenario {
    let mut scenario = tell(name, act, steps);
    scenario.schedule.warm = false;
    scenario
}
