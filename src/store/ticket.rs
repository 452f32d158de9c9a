//! The newest `component_verify_ticket`.

use secrecy::{ExposeSecret, SecretString};

use super::item::{integer, number, string, text};
use super::{Store, StoreError, written};

/// WeChat is asked for a new ticket at most once in so many seconds.
const BETWEEN_REQUESTS: i64 = 3600;

/// What WeChat pushes every ten minutes, to be exchanged for the component token.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The ticket.
    pub component_verify_ticket: SecretString,
    /// When WeChat made it, in epoch seconds.
    pub create_time: i64,
}

impl Store {
    /// The newest ticket; none before WeChat's first push.
    pub async fn ticket(&self) -> Result<Option<Ticket>, StoreError> {
        let item = self.platform_item("read the ticket", self.platform_key("ticket")).await?;
        Ok(item.and_then(|item| {
            Some(Ticket {
                component_verify_ticket: text(&item, "component_verify_ticket")?.into(),
                create_time: integer(&item, "create_time")?,
            })
        }))
    }

    /// Stores a ticket unless a newer one is there. False if one is.
    pub async fn put_ticket(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        let result = self
            .update_platform(self.platform_key("ticket"))
            .update_expression("SET component_verify_ticket = :ticket, create_time = :create_time")
            .condition_expression("attribute_not_exists(create_time) OR create_time <= :create_time")
            .expression_attribute_values(":ticket", string(ticket.component_verify_ticket.expose_secret()))
            .expression_attribute_values(":create_time", number(ticket.create_time))
            .send()
            .await;
        written("store the ticket", result)
    }

    /// Whether WeChat may be asked for a ticket now; if so, that is noted.
    pub async fn may_request_ticket(&self, now: i64) -> Result<bool, StoreError> {
        let result = self
            .update_platform(self.platform_key("ticket"))
            .update_expression("SET requested_at = :now")
            .condition_expression("attribute_not_exists(requested_at) OR requested_at <= :before")
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":before", number(now - BETWEEN_REQUESTS))
            .send()
            .await;
        written("note the request for a ticket", result)
    }
}
