//! The one way to write an item: what is set, what is removed, and what must be true before.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};

use super::item::{Item, number, string};
use super::{Key, Store};

/// An update of one item in the making. Each attribute may be written once.
#[derive(Debug, Default)]
pub(super) struct Update {
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

/// What must be true of the item as it is.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// The attribute is there.
    Present(&'static str),
    /// The attribute is not there.
    Absent(&'static str),
    /// The attribute is there and has this value.
    Equals(&'static str, AttributeValue),
    /// The attribute is not there, or has another value.
    Differs(&'static str, AttributeValue),
    /// The attribute is there and is not greater.
    AtMost(&'static str, AttributeValue),
    /// The attribute is there and is not less.
    AtLeast(&'static str, AttributeValue),
    /// The attribute is a set that has this text.
    Contains(&'static str, String),
    /// The attribute is not there, or has fewer than this many elements.
    FewerThan(&'static str, i64),
    /// The attribute is there and is greater.
    MoreThan(&'static str, AttributeValue),
    /// All of them are true.
    All(Vec<Condition>),
    /// At least one of them is true.
    Any(Vec<Condition>),
}

impl Condition {
    /// The attribute is not there, or not greater.
    pub(super) fn absent_or_at_most(attribute: &'static str, value: AttributeValue) -> Self {
        Self::Any(vec![Self::Absent(attribute), Self::AtMost(attribute, value)])
    }
}

impl Update {
    /// Sets the attribute.
    pub(super) fn set(mut self, attribute: &'static str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(attribute), self.value_of(attribute, value));
        self.set.push(format!("{name} = {value}"));
        self
    }

    /// Sets the attribute if there is a value; else leaves it as it is.
    pub(super) fn set_some(self, attribute: &'static str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    /// Sets the attribute if there is a value; else removes it.
    pub(super) fn set_or_remove(self, attribute: &'static str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    /// Sets the attribute unless it is there.
    pub(super) fn set_if_absent(self, attribute: &'static str, value: AttributeValue) -> Self {
        self.set_from(attribute, attribute, value)
    }

    /// Sets the attribute to the value of `other`, or to `otherwise` if there is no other.
    pub(super) fn set_from(
        mut self,
        attribute: &'static str,
        other: &'static str,
        otherwise: AttributeValue,
    ) -> Self {
        let (name, other) = (self.name(attribute), self.name(other));
        let value = self.value_of(attribute, otherwise);
        self.set.push(format!("{name} = if_not_exists({other}, {value})"));
        self
    }

    /// Raises the attribute by this much, from zero if it is not there.
    pub(super) fn increase(mut self, attribute: &'static str, by: i64) -> Self {
        let name = self.name(attribute);
        let (zero, by) = (self.value(number(0)), self.value(number(by)));
        self.set.push(format!("{name} = if_not_exists({name}, {zero}) + {by}"));
        self
    }

    /// Removes the attribute.
    pub(super) fn remove(mut self, attribute: &'static str) -> Self {
        let name = self.name(attribute);
        self.remove.push(name);
        self
    }

    /// Removes the attributes.
    pub(super) fn remove_all(self, attributes: &[&'static str]) -> Self {
        attributes.iter().fold(self, |update, attribute| update.remove(attribute))
    }

    /// Adds a text to a set, which may not be there yet.
    pub(super) fn add_to_set(mut self, attribute: &'static str, text: &str) -> Self {
        let name = self.name(attribute);
        let value = self.value_of(attribute, AttributeValue::Ss(vec![text.to_owned()]));
        self.add.push(format!("{name} {value}"));
        self
    }

    /// The update is made only if this is true; of several, if all are.
    pub(super) fn when(mut self, condition: Condition) -> Self {
        let condition = self.render(condition);
        self.conditions.push(condition);
        self
    }

    fn render(&mut self, condition: Condition) -> String {
        match condition {
            Condition::Present(attribute) => format!("attribute_exists({})", self.name(attribute)),
            Condition::Absent(attribute) => format!("attribute_not_exists({})", self.name(attribute)),
            Condition::Equals(attribute, value) => {
                format!("{} = {}", self.name(attribute), self.value(value))
            }
            Condition::Differs(attribute, value) => {
                let name = self.name(attribute);
                format!("(attribute_not_exists({name}) OR {name} <> {})", self.value(value))
            }
            Condition::AtMost(attribute, value) => {
                format!("{} <= {}", self.name(attribute), self.value(value))
            }
            Condition::AtLeast(attribute, value) => {
                format!("{} >= {}", self.name(attribute), self.value(value))
            }
            Condition::Contains(attribute, text) => {
                format!("contains({}, {})", self.name(attribute), self.value(string(text)))
            }
            Condition::FewerThan(attribute, most) => {
                let name = self.name(attribute);
                format!("(attribute_not_exists({name}) OR size({name}) < {})", self.value(number(most)))
            }
            Condition::MoreThan(attribute, value) => {
                format!("{} > {}", self.name(attribute), self.value(value))
            }
            Condition::All(conditions) => self.join(conditions, " AND "),
            Condition::Any(conditions) => self.join(conditions, " OR "),
        }
    }

    fn join(&mut self, conditions: Vec<Condition>, word: &str) -> String {
        let parts: Vec<String> = conditions.into_iter().map(|condition| self.render(condition)).collect();
        format!("({})", parts.join(word))
    }

    fn name(&mut self, attribute: &'static str) -> String {
        let name = format!("#{attribute}");
        self.names.insert(name.clone(), attribute.to_owned());
        name
    }

    /// The value that is written to an attribute.
    fn value_of(&mut self, attribute: &str, value: AttributeValue) -> String {
        let name = format!(":{attribute}");
        self.values.insert(name.clone(), value);
        name
    }

    /// The value that something is compared with, or added.
    fn value(&mut self, value: AttributeValue) -> String {
        let name = format!(":value{}", self.values.len());
        self.values.insert(name.clone(), value);
        name
    }

    fn expression(&self) -> String {
        let part = |verb: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{verb} {} ", parts.join(", ")) }
        };
        part("SET", &self.set) + &part("REMOVE", &self.remove) + &part("ADD", &self.add)
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    /// The request that makes this update alone. If the condition fails, DynamoDB returns the item.
    pub(super) fn request(self, store: &Store, key: Key) -> UpdateItemFluentBuilder {
        store
            .client
            .update_item()
            .table_name(store.name(key.table))
            .set_key(Some(key.item))
            .update_expression(self.expression())
            .set_condition_expression(self.condition())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_expression_attribute_names(Some(self.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(self.values).filter(|values| !values.is_empty()))
    }

    /// This update as one of a transaction. If its condition fails, DynamoDB returns the item.
    pub(super) fn in_transaction(self, store: &Store, key: Key) -> TransactWriteItem {
        let update = aws_sdk_dynamodb::types::Update::builder()
            .table_name(store.name(key.table))
            .set_key(Some(key.item))
            .update_expression(self.expression())
            .set_condition_expression(self.condition())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_expression_attribute_names(Some(self.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(self.values).filter(|values| !values.is_empty()))
            .build()
            .expect("table, key and expression are set");
        TransactWriteItem::builder().update(update).build()
    }
}
