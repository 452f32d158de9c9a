//! Virtual time: seconds that cost nothing, for everything in one world.
//!
//! A world has a runtime of one thread whose clock stands still and jumps to the next timer when nothing is left to
//! do. Bytes on a socket are something to do that the runtime does not see, so whoever sends some holds a [`Moving`]
//! until they have arrived, and as long as there is one the runtime looks for bytes and does not jump.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use wechat_authorizer::time::Clock;

/// When every world begins, in epoch seconds: noon in Beijing, far from the day's end, and after the real today, so
/// that nothing that is written has expired.
const EPOCH: i64 = 2_000_088_000;

/// No world takes so long to compute.
const STUCK: Duration = Duration::from_secs(60);

/// The time of one world. Clones share it.
#[derive(Clone, Default)]
pub struct Time(Arc<Inner>);

#[derive(Default)]
struct Inner {
    real: OnceLock<std::time::Instant>,
    began: OnceLock<Instant>,
    /// The clocks of the world, and by how many seconds each is ahead.
    clocks: Mutex<Vec<(Clock, i64)>>,
    moving: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

/// Work is under way that no timer knows about.
pub struct Moving(Time);

impl Time {
    /// A runtime that keeps this time.
    pub fn runtime(&self) -> Runtime {
        let (parking, parked) = (self.clone(), self.clone());
        Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .on_thread_park(move || parking.look_again())
            .on_thread_unpark(move || parked.set_clocks())
            .build()
            .expect("a runtime of one thread can be built")
    }

    /// Begins to count, on the world's runtime.
    pub fn begin(&self) {
        let _ = self.0.began.set(Instant::now());
        let time = self.clone();
        // Nothing but a reason not to wait for the next timer.
        tokio::spawn(std::future::poll_fn(move |context| {
            *time.0.waker.lock().expect("not poisoned") = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
    }

    /// Makes `clock` one of the world's, `ahead` seconds before the others.
    pub fn drive(&self, clock: &Clock, ahead: i64) {
        self.0.clocks.lock().expect("not poisoned").push((clock.clone(), ahead));
        self.set_clocks();
    }

    /// Sets the clock with this index ahead by `seconds` more than it is.
    pub fn step(&self, index: usize, seconds: i64) {
        self.0.clocks.lock().expect("not poisoned")[index].1 += seconds;
        self.set_clocks();
    }

    /// What is under way until the guard is dropped.
    pub fn moving(&self) -> Moving {
        self.0.moving.fetch_add(1, Ordering::SeqCst);
        Moving(self.clone())
    }

    /// Seconds since the world began, with their thousandths.
    pub fn elapsed(&self) -> f64 {
        self.0.began.get().map_or(0.0, |began| began.elapsed().as_secs_f64())
    }

    fn look_again(&self) {
        let real = self.0.real.get_or_init(std::time::Instant::now).elapsed();
        assert!(real < STUCK, "a world takes {real:?}: something is under way and never arrives");
        if self.0.moving.load(Ordering::SeqCst) > 0
            && let Some(waker) = &*self.0.waker.lock().expect("not poisoned")
        {
            waker.wake_by_ref();
        }
    }

    /// Real seconds pass, too, while a world is computed; they do not count.
    fn set_clocks(&self) {
        let Some(began) = self.0.began.get() else { return };
        let now = EPOCH + began.elapsed().as_secs() as i64;
        for (clock, ahead) in &*self.0.clocks.lock().expect("not poisoned") {
            clock.advance(now + ahead - clock.now().as_secs());
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.0.moving.fetch_sub(1, Ordering::SeqCst);
    }
}
