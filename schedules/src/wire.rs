//! What both wires do round the work of their servers: record, fail on demand, let time pass.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::facts::Facts;
use crate::fault::{Fault, Planned, Side};
use crate::life::Life;
use crate::product;
use crate::refusal;

/// The wires of one world. Clones share everything.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Inner>>);

struct Inner {
    seed: u64,
    seen: Vec<Seen>,
    planned: Vec<Active>,
    lives: HashMap<u32, Life>,
    facts: Facts,
}

struct Active {
    planned: Planned,
    until: Option<Instant>,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The wire.
    pub side: Side,
    /// What it is about, without secrets.
    pub label: String,
    /// When it set out.
    pub at: Instant,
    /// Which process sent it.
    pub process: u32,
    /// What it met.
    pub fault: Option<Fault>,
}

/// A request on its way.
pub struct Request {
    /// The wire.
    pub side: Side,
    /// WeChat's endpoint or DynamoDB's operation.
    pub operation: String,
    /// The body.
    pub body: Vec<u8>,
    /// Which process sends it.
    pub process: u32,
}

/// An answer on its way.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What the sender of a request gets to see.
pub enum Arrival {
    /// The answer.
    Whole(Reply),
    /// Half of it, and the end of the connection.
    Half(Reply),
    /// The end of the connection.
    Nothing,
    /// Not even that: the sender is dead.
    Silence,
}

impl Wire {
    /// Wires without faults. The seed decides how long each request takes.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            seed,
            seen: Vec::new(),
            planned: Vec::new(),
            lives: HashMap::new(),
            facts: Facts::default(),
        })))
    }

    /// From now on `planned` lies in wait.
    pub fn plan(&self, planned: Planned) {
        self.inner().planned.push(Active { planned, until: None });
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.inner().planned.clear();
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner().seen.clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.inner().seen.len()
    }

    /// The faults that a process met after the first `count` requests.
    pub fn faults(&self, process: u32, count: usize) -> Vec<Fault> {
        let inner = self.inner();
        let seen = inner.seen[count..].iter().filter(|seen| seen.process == process);
        seen.filter_map(|seen| seen.fault).collect()
    }

    /// Makes a process known, so that faults can end it.
    pub fn born(&self, process: u32, life: &Life) {
        self.inner().lives.insert(process, life.clone());
    }

    /// What is known of WeChat's doing.
    pub fn facts<T>(&self, look: impl FnOnce(&mut Facts) -> T) -> T {
        look(&mut self.inner().facts)
    }

    /// The way of a request to its server, whose work is `effect`, and of the answer back.
    pub async fn pass(&self, request: Request, effect: impl Future<Output = Reply>) -> Arrival {
        let (fault, life, there, back) = self.arrive(&request);
        let carried_out = async {
            let reply = effect.await;
            self.inner().facts.observe(&request, &reply);
            reply
        };
        if fault == Some(Fault::KilledBefore) {
            life.kill();
            return Arrival::Silence;
        }
        sleep(there).await;
        let arrival = match fault {
            None => Arrival::Whole(carried_out.await),
            Some(Fault::LostBefore) => Arrival::Nothing,
            Some(Fault::LostAfter) => {
                carried_out.await;
                Arrival::Nothing
            }
            Some(Fault::Truncated) => Arrival::Half(carried_out.await),
            Some(Fault::LateBefore(seconds)) => {
                sleep(Duration::from_secs(seconds)).await;
                Arrival::Whole(carried_out.await)
            }
            Some(Fault::LateAfter(seconds)) => {
                let reply = carried_out.await;
                sleep(Duration::from_secs(seconds)).await;
                Arrival::Whole(reply)
            }
            Some(Fault::KilledBefore) => Arrival::Silence,
            Some(Fault::KilledAfter) => {
                carried_out.await;
                life.kill();
                Arrival::Silence
            }
            Some(Fault::FrozenAfter(seconds)) => {
                let reply = carried_out.await;
                life.freeze(Duration::from_secs(seconds));
                Arrival::Whole(reply)
            }
            Some(refusal) => Arrival::Whole(refusal::of(&request, refusal)),
        };
        sleep(back).await;
        self.inner().facts.answered(&request);
        arrival
    }

    fn arrive(&self, request: &Request) -> (Option<Fault>, Life, Duration, Duration) {
        let mut inner = self.inner();
        let label = product::label(request);
        let fault = inner.take_fault(request.side, &label);
        let life = inner.lives.get(&request.process).cloned().unwrap_or_default();
        inner.facts.arrived(request, &life);
        // Different every time, so that of two requests that set out together either may be the first.
        let dice = scatter(inner.seed ^ scatter(inner.seen.len() as u64));
        let (there, back) = match request.side {
            Side::WeChat => (40 + dice % 61, 20 + dice / 61 % 31),
            Side::DynamoDb => (1 + dice % 7, 1 + dice / 7 % 3),
        };
        let (side, at, process) = (request.side, Instant::now(), request.process);
        inner.seen.push(Seen { side, label, at, process, fault });
        (fault, life, Duration::from_millis(there), Duration::from_millis(back))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("not poisoned")
    }
}

impl Inner {
    fn take_fault(&mut self, side: Side, label: &str) -> Option<Fault> {
        let now = Instant::now();
        self.planned.retain(|active| active.until.is_none_or(|until| now < until));
        let mut meets = None;
        for (index, active) in self.planned.iter_mut().enumerate() {
            if !active.planned.means(side, label) {
                continue;
            }
            match active.planned.skip {
                0 => meets = meets.or(Some(index)),
                _ => active.planned.skip -= 1,
            }
        }
        let active = &mut self.planned[meets?];
        let fault = active.planned.fault;
        if active.planned.lasting > 0 {
            active.until.get_or_insert(now + active.planned.lasting());
        } else {
            self.planned.remove(meets?);
        }
        Some(fault)
    }
}

/// SplitMix64: one number becomes another that has nothing to do with it.
pub fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
