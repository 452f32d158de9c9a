//! The newest `component_verify_ticket`.

use std::time::Duration;

use super::attribute::{COMPONENT_VERIFY_TICKET, CREATE_TIME, REQUESTED_AT};
use super::item::{string, text, time, timestamp};
use super::update::{Condition, Update};
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::wechat::{AHEAD, ComponentVerifyTicket};

/// WeChat is asked for a new ticket at most once in this time.
const BETWEEN_REQUESTS: Duration = Duration::from_hours(1);

/// What WeChat pushes every ten minutes, to be exchanged for the component token.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// The ticket.
    pub component_verify_ticket: ComponentVerifyTicket,
    /// When WeChat made it.
    pub create_time: Timestamp,
}

impl Store {
    /// The newest ticket; none before WeChat's first push.
    pub(crate) async fn ticket(&self) -> Result<Option<Ticket>, StoreError> {
        let item = self.item("read the ticket", self.platform_key("ticket")).await?;
        Ok(item.and_then(|item| {
            Some(Ticket {
                component_verify_ticket: ComponentVerifyTicket::new(text(&item, COMPONENT_VERIFY_TICKET)?),
                create_time: timestamp(&item, CREATE_TIME)?,
            })
        }))
    }

    /// Stores a ticket unless a newer one is there. False if one is. A stored one whose time cannot be is not newer.
    pub(crate) async fn put_ticket(&self, ticket: &Ticket, now: Timestamp) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(COMPONENT_VERIFY_TICKET, string(ticket.component_verify_ticket.expose()))
            .set(CREATE_TIME, time(ticket.create_time))
            .when(Condition::Any(vec![
                Condition::absent_or_at_most(CREATE_TIME, time(ticket.create_time)),
                Condition::MoreThan(CREATE_TIME, time(now + AHEAD)),
            ]));
        self.write("store the ticket", self.platform_key("ticket"), update).await
    }

    /// Whether WeChat may be asked for a ticket now; if so, that is noted.
    pub(crate) async fn may_request_ticket(&self, now: Timestamp) -> Result<bool, StoreError> {
        let update = Update::default()
            .set(REQUESTED_AT, time(now))
            .when(Condition::absent_or_at_most(REQUESTED_AT, time(now - BETWEEN_REQUESTS)));
        self.write("note the request for a ticket", self.platform_key("ticket"), update).await
    }
}
