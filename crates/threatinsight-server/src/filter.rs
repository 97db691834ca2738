//! Filter expressions: the SCIM subset (RFC 7644, section 3.4.2.2) that the System Log and the
//! zones list take.
//!
//! Parsing is bounded in length and depth. Operators and the words `and`, `or` and `not` are read
//! without regard to case, attribute names and values with it.

mod parse;

use std::fmt;

use serde_json::Value;

/// A filter expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    Compare(String, Operator, Value),
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterError {
    filter: String,
    reason: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid filter '{}': {}", self.filter, self.reason)
    }
}

impl Filter {
    /// Whether `object` is what the filter asks for.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(object)),
            Self::Or(any) => any.iter().any(|filter| filter.matches(object)),
            Self::Not(filter) => !filter.matches(object),
            Self::Present(path) => any(object, path, &mut is_present),
            Self::Compare(path, operator, literal) => {
                let mut matches = |value: &Value| compare(value, *operator, literal);
                match operator {
                    // What is absent equals nothing, and so differs from everything.
                    Operator::NotEqual => !any(object, path, &mut |value| {
                        compare(value, Operator::Equal, literal)
                    }),
                    Operator::Equal if literal.is_null() => !any(object, path, &mut is_present),
                    Operator::Equal
                    | Operator::Contains
                    | Operator::StartsWith
                    | Operator::EndsWith
                    | Operator::Greater
                    | Operator::GreaterOrEqual
                    | Operator::Less
                    | Operator::LessOrEqual => any(object, path, &mut matches),
                }
            }
        }
    }

    /// Every comparison in the expression: its attribute, and its operator; none is presence.
    pub(crate) fn attributes(&self) -> Vec<(&str, Option<Operator>)> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::attributes).collect(),
            Self::Not(part) => part.attributes(),
            Self::Present(path) => vec![(path, None)],
            Self::Compare(path, operator, _) => vec![(path, Some(*operator))],
        }
    }

    /// The texts that an attribute must equal in whatever matches, by attribute.
    pub(crate) fn necessary_equalities(&self) -> Vec<(&str, &str)> {
        match self {
            Self::And(parts) => parts.iter().flat_map(Self::necessary_equalities).collect(),
            Self::Compare(path, Operator::Equal, Value::String(text)) => vec![(path, text)],
            Self::Or(_) | Self::Not(_) | Self::Present(_) | Self::Compare(..) => Vec::new(),
        }
    }
}

/// Whether one of the values at `path` passes; a list has the values of its elements.
fn any(value: &Value, path: &str, test: &mut impl FnMut(&Value) -> bool) -> bool {
    if let Value::Array(elements) = value {
        return elements.iter().any(|element| any(element, path, test));
    }
    if path.is_empty() {
        return test(value);
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    value.get(name).is_some_and(|value| any(value, rest, test))
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => true,
    }
}

fn compare(value: &Value, operator: Operator, literal: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};

    let (Some(found), Some(wanted)) = (text(value), text(literal)) else {
        return false;
    };
    let order = match (value.as_f64(), literal.as_f64()) {
        (Some(found), Some(wanted)) => found.partial_cmp(&wanted),
        _ => Some(found.as_str().cmp(wanted.as_str())),
    };
    match operator {
        Operator::Equal => order == Some(Equal),
        Operator::NotEqual => order != Some(Equal),
        Operator::Contains => found.contains(&wanted),
        Operator::StartsWith => found.starts_with(&wanted),
        Operator::EndsWith => found.ends_with(&wanted),
        Operator::Greater => order == Some(Greater),
        Operator::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        Operator::Less => order == Some(Less),
        Operator::LessOrEqual => matches!(order, Some(Less | Equal)),
    }
}

/// A value as it is compared; lists and objects are not.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(filter: &str) -> bool {
        let event = json!({
            "actor": {"id": "203.0.113.7", "detailEntry": null},
            "eventType": "security.threat.detected",
            "outcome": {"result": "DENY", "reason": "Password Spray, Login Failures"},
            "authenticationContext": {"authenticationStep": 0},
            "target": [{"id": "a", "type": "User"}, {"id": "b", "type": "App"}],
        });
        filter.parse::<Filter>().unwrap().matches(&event)
    }

    #[test]
    fn the_filter_of_support_staff_matches() {
        assert!(matches(
            r#"actor.id eq "203.0.113.7" and eventType eq "security.threat.detected" and outcome.result eq "DENY""#
        ));
        assert!(!matches(
            r#"actor.id eq "203.0.113.8" and eventType eq "security.threat.detected" and outcome.result eq "DENY""#
        ));
    }

    #[test]
    fn every_operator_matches_what_it_says() {
        for (filter, expected) in [
            (r#"outcome.result eq "DENY""#, true),
            (r#"outcome.result EQ "DENY""#, true),
            (r#"outcome.result eq "deny""#, false),
            (r#"outcome.result ne "DENY""#, false),
            (r#"outcome.missing ne "DENY""#, true),
            (r#"outcome.reason co "Spray""#, true),
            (r#"outcome.reason co "spray""#, false),
            (r#"eventType sw "security.""#, true),
            (r#"eventType ew ".detected""#, true),
            (r#"eventType ew ".detect""#, false),
            (r#"actor.id pr"#, true),
            (r#"actor.detailEntry pr"#, false),
            (r#"actor.detailEntry eq null"#, true),
            (r#"authenticationContext.authenticationStep lt 1"#, true),
            (r#"authenticationContext.authenticationStep ge 0"#, true),
            (r#"authenticationContext.authenticationStep gt 0"#, false),
            (r#"outcome.result le "DENY""#, true),
            (r#"outcome.result gt "ALLOW""#, true),
            (r#"target.id eq "b""#, true),
            (r#"target.id eq "c""#, false),
        ] {
            assert_eq!(matches(filter), expected, "{filter}");
        }
    }

    #[test]
    fn and_binds_closer_than_or_and_parentheses_closer_than_both() {
        assert!(matches(
            r#"actor.id pr or actor.id eq "x" and actor.id eq "y""#
        ));
        assert!(!matches(
            r#"(actor.id pr or actor.id eq "x") and actor.id eq "y""#
        ));
        assert!(matches(r#"not (actor.id eq "x")"#));
        assert!(matches(r#"NOT(actor.id eq "x") AND actor.id pr"#));
    }

    #[test]
    fn only_what_every_match_has_is_a_necessary_equality() {
        let filter: Filter = r#"a eq "1" and (b eq "2" or c eq "3") and not (d eq "4") and e eq 5"#
            .parse()
            .unwrap();
        assert_eq!(filter.necessary_equalities(), [("a", "1")]);
    }
}
