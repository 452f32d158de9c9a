//! The newest `component_verify_ticket`, which tells whether pushes arrive.

use std::time::Duration;

use super::{Check, bounded};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::services::Services;
use crate::wechat::is_too_far_ahead;

const TICKET: &str = "ticket";

/// WeChat pushes a ticket every ten minutes; after a ticket that is older than this, two did not arrive.
const STALE: Duration = Duration::from_mins(30);

pub(super) async fn check(services: &Services, config: &Config, deadline: Deadline) -> Check {
    bounded(TICKET, deadline, newest(services, config)).await
}

async fn newest(services: &Services, config: &Config) -> Check {
    let ticket = match services.store.ticket().await {
        Ok(ticket) => ticket,
        Err(error) => return Check::unread(TICKET, &error),
    };
    let base = config.public_base_url.as_ref().map(|url| url.origin().ascii_serialization());
    let base = base.as_deref().unwrap_or("the API's origin, with the path ");
    let events_url = format!("{base}/{}", config.events_path);
    let fix = format!(
        "set the authorization event URL (授权事件接收URL) in WeChat's console to {events_url}, in the live version \
         too (全网发布), and compare 消息校验Token and 消息加解密Key with the secret: the log of events says what is \
         refused. WeChat pushes a ticket every ten minutes"
    );
    let Some(ticket) = ticket else {
        return Check::bad(TICKET, "no component_verify_ticket has arrived yet", fix);
    };
    let now = services.clock.now();
    if is_too_far_ahead(ticket.create_time, now) {
        let detail = format!(
            "the stored component_verify_ticket has a time in the future ({}), so its age is not known",
            ticket.create_time
        );
        return Check::bad(TICKET, detail, fix);
    }
    let age = now.since(ticket.create_time);
    if age > STALE {
        let detail = format!(
            "the newest component_verify_ticket is {} minutes old; it ends after 12 hours",
            age.as_secs() / 60
        );
        return Check::bad(TICKET, detail, fix);
    }
    Check::good(TICKET, format!("the newest component_verify_ticket is {} minutes old", age.as_secs() / 60))
}
