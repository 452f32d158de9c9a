//! What the platform has stored of WeChat: the ticket, and the note that a quota is used up.

use super::{Check, bounded};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::services::Services;
use crate::store::StoreError;

/// WeChat pushes a ticket every ten minutes; a ticket that is older than so many seconds has missed two.
const STALE: i64 = 1800;

pub(super) async fn checks(services: &Services, config: &Config, deadline: Deadline) -> [Check; 2] {
    let (ticket, quota_note) = tokio::join!(
        bounded("ticket", deadline, ticket(services, config)),
        bounded("quota_note", deadline, quota_note(services, config)),
    );
    [ticket, quota_note]
}

async fn ticket(services: &Services, config: &Config) -> Check {
    let name = "ticket";
    let ticket = match services.store.ticket().await {
        Ok(ticket) => ticket,
        Err(error) => return unread(name, &error),
    };
    let base = config.public_base_url.as_ref().map(|url| url.origin().ascii_serialization());
    let events_url = format!("{}/events", base.as_deref().unwrap_or("the API's origin, with the path "));
    let fix = format!(
        "set the authorization event URL (授权事件接收URL) in WeChat's console to {events_url}, in the live version \
         too (全网发布), and compare 消息校验Token and 消息加解密Key with the secret: the log of events says what is \
         refused. WeChat pushes a ticket every ten minutes"
    );
    let Some(ticket) = ticket else {
        return Check::bad(name, "no component_verify_ticket has arrived yet", fix);
    };
    let age = (services.clock.now() - ticket.create_time).max(0);
    if age > STALE {
        let detail = format!(
            "the newest component_verify_ticket is {} minutes old; after 12 hours it is dead",
            age / 60
        );
        return Check::bad(name, detail, fix);
    }
    Check::good(name, format!("the newest component_verify_ticket is {} minutes old", age / 60))
}

async fn quota_note(services: &Services, config: &Config) -> Check {
    let name = "quota_note";
    match services.store.is_quota_exceeded(services.clock.now()).await {
        Ok(false) => Check::good(name, "no quota is noted as used up"),
        Ok(true) => Check::bad(
            name,
            "the day's quota of api_authorizer_token is noted as used up: no token is refreshed until midnight in \
             Beijing",
            format!(
                "wait for midnight in Beijing; or reset the quota with clear_quota, and then delete the item \
                 quota#{} of the platform table",
                config.component_appid
            ),
        ),
        Err(error) => unread(name, &error),
    }
}

fn unread(name: &'static str, error: &StoreError) -> Check {
    Check::bad(
        name,
        error.to_string(),
        "mend platform_table first; if that is as it should be, give the function's role dynamodb:GetItem on it and \
         kms:Decrypt on its key",
    )
}
