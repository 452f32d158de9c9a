//! What happens once all faults have ended: by itself everything must come right.

use std::time::Duration;

use sandbox::gateway::HttpRequest;
use tokio::time::sleep;

use crate::judge;
use crate::product::{self, Function};
use crate::world::World;

/// How often `refresh` runs at most until everything must be right: a failed refresh is tried again after ten
/// minutes, and after another twenty.
const RUNS: usize = 32;

/// WeChat pushes a ticket every ten minutes; after how many runs it does here.
const TICKET_EVERY: usize = 10;

/// Ends all faults, lets the schedule run, and judges.
pub async fn settle(world: &World) {
    world.wire.clear();
    // What is still under way arrives.
    sleep(Duration::from_secs(30)).await;
    deliver_the_rest(world).await;
    reload(world).await;
    for run in 0..RUNS {
        sleep(Duration::from_secs(60)).await;
        if run % TICKET_EVERY == 0 {
            world.ticket().await;
        }
        world.run(Function::Refresh).await;
        if run >= 2
            && product::pending_claims(&world.tables) == 0
            && judge::tokens_vouched_for(world).is_empty()
            && judge::revocations(world).is_empty()
        {
            break;
        }
    }
    note(world, judge::tokens_vouched_for(world));
    note(world, judge::revocations(world));
    note(world, judge::states(world));
    world.run(Function::Reconcile).await;
    for _ in 0..2 {
        world.run(Function::Refresh).await;
        sleep(Duration::from_secs(60)).await;
    }
    note(world, judge::tokens(world));
    note(world, judge::records(world));
    let mut waited = Duration::ZERO;
    while product::pending_claims(&world.tables) > 0 && waited < product::PAGE_ENDS {
        sleep(Duration::from_secs(3600)).await;
        waited += Duration::from_secs(3600);
        world.ticket().await;
        world.run(Function::Refresh).await;
    }
    reload(world).await;
    note(world, judge::ends(world));
    note(world, judge::records(world));
    // By then every account has had its turn.
    sleep(Duration::from_hours(8 * 24)).await;
    world.ticket().await;
    world.run(Function::Reconcile).await;
    note(world, judge::records(world));
    note(world, judge::contents(world));
}

/// The pushes that WeChat has not sent yet, in the order of what they tell.
async fn deliver_the_rest(world: &World) {
    let mut rest: Vec<(i64, Result<u8, u8>)> = Vec::new();
    {
        let notes = world.notes.borrow();
        let consents = notes.consents.iter().filter(|(_, consent)| !consent.pushed);
        rest.extend(consents.map(|(number, consent)| (consent.at, Ok(*number))));
        let revocations = notes.revocations.iter().filter(|(_, revocation)| !revocation.pushed);
        rest.extend(revocations.map(|(number, revocation)| (revocation.at, Err(*number))));
    }
    rest.sort_by_key(|(at, _)| *at);
    for (_, push) in rest {
        match push {
            Ok(consent) => world.push(consent, false, false).await,
            Err(revocation) => world.push_revoked(revocation).await,
        }
    }
}

/// Everybody who was told to wait, or to come back, does so. So do the strangers.
async fn reload(world: &World) {
    let waiting: Vec<u8> = {
        let notes = world.notes.borrow();
        let waiting = notes.consents.iter().filter(|(_, consent)| consent.visited.is_some());
        waiting.map(|(number, _)| *number).collect()
    };
    for consent in waiting {
        world.redirect(consent).await;
    }
    let strangers: Vec<String> = world.notes.borrow().strangers.values().cloned().collect();
    for path in strangers {
        if let Some(answer) = world.request(Function::Callback, HttpRequest::get(&path)).await {
            judge::page(world, &answer, None);
        }
    }
}

fn note(world: &World, broken: Vec<String>) {
    for what in broken {
        world.notes.borrow_mut().broke(what);
    }
}
