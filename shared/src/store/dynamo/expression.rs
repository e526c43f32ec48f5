//! Update and condition expressions of writes, built together with their placeholders.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// A string attribute (S).
pub(in crate::store) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute (N).
pub(in crate::store) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A string set (SS).
pub(in crate::store) fn ids(members: impl IntoIterator<Item = String>) -> AttributeValue {
    AttributeValue::Ss(members.into_iter().collect())
}

/// The changes and the condition of one write. Attribute names always go through placeholders, because many of them are
/// reserved words of DynamoDB.
///
/// Methods that begin with `when_` add a condition; all conditions must hold. The other methods add a change.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    delete: Vec<String>,
    conditions: Vec<String>,
}

impl Expression {
    fn name(&mut self, attribute: &str) -> String {
        let is_plain = attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let known = self.names.iter().find(|(_, name)| name.as_str() == attribute);
        let placeholder = match known {
            Some((placeholder, _)) => placeholder.clone(),
            None if is_plain => format!("#{attribute}"),
            None => format!("#n{}", self.names.len()),
        };
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    pub(in crate::store) fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        let clause = format!("{} = {}", self.name(attribute), self.value(value));
        self.set.push(clause);
        self
    }

    /// Sets the attribute, or removes it when there is no value.
    pub(in crate::store) fn set_or_remove(self, attribute: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    /// Sets the attribute if there is a value.
    pub(in crate::store) fn set_or_keep(self, attribute: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    pub(in crate::store) fn add(mut self, attribute: &str, change: i64) -> Self {
        if change != 0 {
            let clause = format!("{} {}", self.name(attribute), self.value(number(change)));
            self.add.push(clause);
        }
        self
    }

    pub(in crate::store) fn remove(mut self, attribute: &str) -> Self {
        let clause = self.name(attribute);
        self.remove.push(clause);
        self
    }

    /// Adds members to a set, which is created if it does not exist.
    pub(in crate::store) fn add_to_set(mut self, attribute: &str, members: AttributeValue) -> Self {
        let clause = format!("{} {}", self.name(attribute), self.value(members));
        self.add.push(clause);
        self
    }

    pub(in crate::store) fn delete_from_set(mut self, attribute: &str, members: AttributeValue) -> Self {
        let clause = format!("{} {}", self.name(attribute), self.value(members));
        self.delete.push(clause);
        self
    }

    /// Requires that a set contains the member, or that a string contains the substring.
    pub(in crate::store) fn when_contains(mut self, attribute: &str, member: AttributeValue) -> Self {
        let clause = format!("contains({}, {})", self.name(attribute), self.value(member));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_absent(mut self, attribute: &str) -> Self {
        let clause = format!("attribute_not_exists({})", self.name(attribute));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_exists(mut self, attribute: &str) -> Self {
        let clause = format!("attribute_exists({})", self.name(attribute));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_equal(mut self, attribute: &str, value: AttributeValue) -> Self {
        let clause = format!("{} = {}", self.name(attribute), self.value(value));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_absent_or_equal(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        let clause = format!("(attribute_not_exists({name}) OR {name} = {})", self.value(value));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_absent_or_less(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        let clause = format!("(attribute_not_exists({name}) OR {name} < {})", self.value(value));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_absent_or_at_most(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        let clause = format!("(attribute_not_exists({name}) OR {name} <= {})", self.value(value));
        self.conditions.push(clause);
        self
    }

    /// Requires that the attribute `first` is absent, or that `other` is at most `value`.
    pub(in crate::store) fn when_absent_or_other_at_most(
        mut self,
        first: &str,
        other: &str,
        value: AttributeValue,
    ) -> Self {
        let (first, other) = (self.name(first), self.name(other));
        let clause = format!("(attribute_not_exists({first}) OR {other} <= {})", self.value(value));
        self.conditions.push(clause);
        self
    }

    /// Requires that `first` is absent, or that it is less than `less` and `second` is greater than `greater`.
    pub(in crate::store) fn when_absent_or_less_while_greater(
        mut self,
        first: &str,
        less: AttributeValue,
        second: &str,
        greater: AttributeValue,
    ) -> Self {
        let (first, second) = (self.name(first), self.name(second));
        let (less, greater) = (self.value(less), self.value(greater));
        let clause =
            format!("(attribute_not_exists({first}) OR ({first} < {less} AND {second} > {greater}))");
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_absent_or_greater(mut self, attribute: &str, value: AttributeValue) -> Self {
        let name = self.name(attribute);
        let clause = format!("(attribute_not_exists({name}) OR {name} > {})", self.value(value));
        self.conditions.push(clause);
        self
    }

    /// Requires that a set is absent or has fewer than `count` members.
    pub(in crate::store) fn when_absent_or_fewer(mut self, attribute: &str, count: AttributeValue) -> Self {
        let name = self.name(attribute);
        let clause = format!("(attribute_not_exists({name}) OR size({name}) < {})", self.value(count));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_greater(mut self, attribute: &str, value: AttributeValue) -> Self {
        let clause = format!("{} > {}", self.name(attribute), self.value(value));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn when_less(mut self, attribute: &str, value: AttributeValue) -> Self {
        let clause = format!("{} < {}", self.name(attribute), self.value(value));
        self.conditions.push(clause);
        self
    }

    pub(in crate::store) fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    pub(in crate::store) fn update(&self) -> Option<String> {
        let clauses =
            [("SET", &self.set), ("ADD", &self.add), ("REMOVE", &self.remove), ("DELETE", &self.delete)];
        let parts = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let parts: Vec<String> = parts.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    pub(in crate::store) fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    pub(in crate::store) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_joins_its_clauses_and_uses_one_placeholder_a_name() {
        let expression = Expression::default()
            .set("name", text("x"))
            .add("count", 2)
            .add("unchanged", 0)
            .remove("old")
            .when_exists("pk")
            .when_equal("name", text("y"));
        assert_eq!(expression.update().unwrap(), "SET #name = :v0 ADD #count :v1 REMOVE #old");
        assert_eq!(expression.condition().unwrap(), "attribute_exists(#pk) AND #name = :v2");
        assert_eq!(expression.names().unwrap().len(), 4);
    }
}
