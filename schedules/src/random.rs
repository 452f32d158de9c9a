//! Schedules from seeds.

use fastrand::Rng;

use crate::fault::{Fault, Planned, Side, Whom};
use crate::schedule::{Schedule, Step, What};
use crate::world::MERCHANTS;

/// The schedule of a seed: the same every time.
pub fn schedule(seed: u64) -> Schedule {
    let mut dice =
        Dice { rng: Rng::with_seed(seed), steps: Vec::new(), launches: 0, consents: 0, revocations: 0 };
    let merchants = 1 + dice.rng.u8(..MERCHANTS);
    for _ in 0..1 + dice.rng.u8(..4) {
        let merchant = dice.rng.u8(..merchants);
        dice.story(merchant);
    }
    for stranger in 0..[0, 0, 1, 1, 2][dice.rng.usize(..5)] {
        dice.stranger(stranger);
    }
    for _ in 0..dice.rng.u8(..4) {
        dice.service(merchants);
    }
    for _ in 0..dice.rng.u8(..6) {
        dice.fault();
    }
    if dice.one_in(4) {
        let seconds = dice.rng.i64(-45..=45);
        dice.at(0..400, What::SetClock { seconds });
    }
    let ahead = if dice.one_in(3) { dice.rng.i64(-60..=60) } else { 0 };
    let (warm, minutes) = (dice.rng.bool(), !dice.one_in(3));
    Schedule { seed, ahead, warm, minutes, steps: dice.steps }.sorted()
}

struct Dice {
    rng: Rng,
    steps: Vec<Step>,
    launches: u8,
    consents: u8,
    revocations: u8,
}

impl Dice {
    fn one_in(&mut self, sides: u8) -> bool {
        self.rng.u8(..sides) == 0
    }

    /// At a moment of this span, in seconds.
    fn at(&mut self, span: std::ops::Range<u64>, what: What) -> u64 {
        let at = self.rng.u64(span.start * 1000..span.end * 1000);
        self.steps.push(Step { at, what });
        at
    }

    /// A merchant's way through an authorization, with what can follow.
    fn story(&mut self, merchant: u8) {
        let begins = self.rng.u64(..300);
        let launch = (!self.one_in(3)).then_some(self.launches);
        if let Some(launch) = launch {
            self.launches += 1;
            self.at(begins..begins + 1, What::Launch { launch, merchant });
        }
        let consent = self.consents;
        self.consents += 1;
        let consented = self.at(begins + 15..begins + 25, What::Consent { consent, merchant, launch }) / 1000;
        if !self.one_in(5) {
            let redirect = What::Redirect { consent };
            let at = self.at(consented + 1..consented + 3, redirect.clone());
            for _ in 0..[0, 1, 1, 2][self.rng.usize(..4)] {
                match self.one_in(2) {
                    true => self.steps.push(Step { at, what: redirect.clone() }),
                    false => drop(self.at(consented + 3..consented + 120, redirect.clone())),
                }
            }
        }
        for _ in 0..[0, 1, 1, 1, 2][self.rng.usize(..5)] {
            let (own_code, milliseconds) = (self.one_in(3), self.one_in(25));
            let late = if self.one_in(3) { 240 } else { 5 };
            self.at(consented + 1..consented + 2 + late, What::Push { consent, own_code, milliseconds });
        }
        if self.one_in(4) {
            let consent = self.consents;
            self.consents += 1;
            let at = self.at(consented + 5..consented + 200, What::Update { consent, merchant }) / 1000;
            self.at(at + 1..at + 60, What::Push { consent, own_code: false, milliseconds: false });
        }
        if self.one_in(3) {
            let revocation = self.revocations;
            self.revocations += 1;
            let at = self.at(consented + 2..consented + 150, What::Revoke { revocation, merchant }) / 1000;
            for _ in 0..self.rng.u8(..3) {
                self.at(at + 1..at + 60, What::PushRevoked { revocation });
            }
        }
    }

    fn stranger(&mut self, stranger: u8) {
        let state_of = (self.launches > 0 && self.one_in(2)).then(|| self.rng.u8(..self.launches));
        let begins = self.rng.u64(..350);
        for _ in 0..1 + self.rng.u8(..3) {
            self.at(begins..begins + 100, What::Stranger { stranger, state_of });
        }
    }

    fn service(&mut self, merchants: u8) {
        let merchant = self.rng.u8(..merchants);
        let at = self.rng.u64(10..500);
        match self.rng.u8(..8) {
            0 => drop(self.at(at..at + 1, What::Reconcile)),
            1 => drop(self.at(at..at + 1, What::Refresh)),
            2 => drop(self.at(at..at + 1, What::Lose { merchant })),
            3 | 4 => {
                self.at(at..at + 1, What::Invalidate { merchant });
                self.at(at + 2..at + 30, What::Token { merchant, refused: true });
                self.at(at + 31..at + 90, What::Token { merchant, refused: false });
            }
            _ => drop(self.at(at..at + 1, What::Token { merchant, refused: false })),
        }
    }

    fn fault(&mut self) {
        const ENDPOINTS: [&str; 6] = [
            "api_query_auth",
            "api_query_auth",
            "api_authorizer_token",
            "api_get_authorizer_info",
            "api_component_token",
            "api_get_authorizer_list",
        ];
        const OPERATIONS: [&str; 5] =
            ["UpdateItem", "TransactWriteItems", "GetItem", "Query", "UpdateItem code"];
        let (side, label) = match self.rng.bool() {
            true => (Side::WeChat, ENDPOINTS[self.rng.usize(..ENDPOINTS.len())]),
            false => (Side::DynamoDb, OPERATIONS[self.rng.usize(..OPERATIONS.len())]),
        };
        let of = if self.one_in(3) { Whom::Side(side) } else { Whom::Label(side, label) };
        let faults = side.faults(label);
        let fault = match faults[self.rng.usize(..faults.len())] {
            Fault::FrozenAfter(_) => Fault::FrozenAfter(self.rng.u64(2..40)),
            Fault::LateBefore(_) => Fault::LateBefore(self.rng.u64(1..20)),
            fault => fault,
        };
        let lasting = if self.one_in(4) { self.rng.u64(5..40) } else { 0 };
        let skip = if self.one_in(2) { 0 } else { self.rng.usize(..4) };
        self.at(0..400, What::Fault(Planned { of, skip, fault, lasting }));
    }
}
