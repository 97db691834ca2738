//! From text to [`Filter`].

use std::str::FromStr;

use serde_json::Value;

use super::{Filter, FilterError, Operator};

/// The longest filter that is read, in bytes.
const LENGTH_LIMIT: usize = 4_096;

/// How deep parentheses may nest.
const DEPTH_LIMIT: usize = 32;

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let fail = |reason| FilterError {
            filter: text.chars().take(200).collect(),
            reason,
        };
        if text.len() > LENGTH_LIMIT {
            return Err(fail(format!(
                "{} bytes long, expected at most {LENGTH_LIMIT}",
                text.len()
            )));
        }
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let filter = parser.disjunction().map_err(fail)?;
        parser.blanks();
        match parser.rest() {
            "" => Ok(filter),
            rest => {
                let word = rest.split_whitespace().next().unwrap_or_default();
                let reason = format!(
                    "Unexpected '{word}' at position {}. Expected: and,or",
                    parser.at
                );
                Err(fail(reason))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// INVARIANT: at a character boundary of the text.
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, token: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    /// Eats `word` where it is a word of its own, in whatever case.
    fn eat_word(&mut self, word: &str) -> bool {
        self.blanks();
        let rest = self.rest();
        let Some((head, tail)) = rest.split_at_checked(word.len()) else {
            return false;
        };
        let found = head.eq_ignore_ascii_case(word) && !tail.starts_with(|c: char| is_name(c));
        if found {
            self.at += word.len();
        }
        found
    }

    fn disjunction(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.conjunction()?];
        while self.eat_word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn conjunction(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.term()?];
        while self.eat_word("and") {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, String> {
        let negated = self.eat_word("not");
        if self.eat('(') {
            if self.depth >= DEPTH_LIMIT {
                return Err(format!(
                    "more than {DEPTH_LIMIT} parentheses within each other"
                ));
            }
            self.depth += 1;
            let inner = self.disjunction()?;
            self.depth -= 1;
            if !self.eat(')') {
                return Err(format!("Expected: ) at position {}", self.at));
            }
            return Ok(if negated {
                Filter::Not(Box::new(inner))
            } else {
                inner
            });
        }
        if negated {
            return Err(format!("Expected: ( at position {}", self.at));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let path = self.name();
        if path.is_empty() {
            return Err(format!("Expected an attribute at position {}", self.at));
        }
        if path.split('.').any(str::is_empty) {
            return Err(format!("Malformed attribute '{path}'"));
        }
        self.blanks();
        let place = self.at;
        let word = self.name();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path.to_owned()));
        }
        let Some(operator) = operator(word) else {
            return Err(format!(
                "Unrecognized attribute operator '{word}' at position {place}. \
                 Expected: eq,co,sw,pr,gt,ge,lt,le"
            ));
        };
        let value = self.value()?;
        Ok(Filter::Compare(path.to_owned(), operator, value))
    }

    fn name(&mut self) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A JSON string, number, `true`, `false` or `null`.
    fn value(&mut self) -> Result<Value, String> {
        self.blanks();
        let rest = self.rest();
        let wrong = || format!("Expected a value at position {}", self.at);
        if !rest.starts_with('"') {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
            let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let value = serde_json::from_str::<Value>(word).map_err(|_| wrong())?;
            if value.is_array() || value.is_object() {
                return Err(wrong());
            }
            self.at += word.len();
            return Ok(value);
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let value = values.next().and_then(Result::ok).ok_or_else(wrong)?;
        self.at += values.byte_offset();
        if self.rest().starts_with(is_name) {
            return Err(format!(
                "Unexpected text after the value at position {}",
                self.at
            ));
        }
        Ok(value)
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '$')
}

fn operator(word: &str) -> Option<Operator> {
    const WORDS: [(&str, Operator); 9] = [
        ("eq", Operator::Equal),
        ("ne", Operator::NotEqual),
        ("co", Operator::Contains),
        ("sw", Operator::StartsWith),
        ("ew", Operator::EndsWith),
        ("gt", Operator::Greater),
        ("ge", Operator::GreaterOrEqual),
        ("lt", Operator::Less),
        ("le", Operator::LessOrEqual),
    ];
    let known = WORDS
        .into_iter()
        .find(|(known, _)| word.eq_ignore_ascii_case(known));
    known.map(|(_, operator)| operator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(filter: &str) -> String {
        filter.parse::<Filter>().unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_operator_is_named_with_its_place() {
        assert_eq!(
            error(r#"eventType eqq "x""#),
            "Invalid filter 'eventType eqq \"x\"': Unrecognized attribute operator 'eqq' at \
             position 10. Expected: eq,co,sw,pr,gt,ge,lt,le"
        );
    }

    #[test]
    fn what_is_not_a_filter_is_refused() {
        for filter in [
            "",
            "a",
            "a eq",
            "a eq x",
            r#"a eq "x"#,
            "a eq [1]",
            r#"(a eq "x""#,
            r#"a eq "x")"#,
            r#"a eq "x" and"#,
            r#"a eq "x" b eq "y""#,
            "not a pr",
            "a..b pr",
            "é pr",
            "a eq 1x",
        ] {
            assert!(filter.parse::<Filter>().is_err(), "{filter}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
        assert!(nested(DEPTH_LIMIT).parse::<Filter>().is_ok());
        assert!(error(&nested(DEPTH_LIMIT + 1)).contains("more than 32 parentheses"));
        assert!(error(&format!("a eq \"{}\"", "x".repeat(5_000))).contains("5007 bytes long"));
    }

    /// A filter and its text, written with redundant parentheses and in mixed case.
    fn filters() -> impl Strategy<Value = (String, Filter)> {
        let operators = prop::sample::select(vec![
            ("eq", Operator::Equal),
            ("NE", Operator::NotEqual),
            ("co", Operator::Contains),
            ("sW", Operator::StartsWith),
            ("ew", Operator::EndsWith),
            ("gt", Operator::Greater),
            ("GE", Operator::GreaterOrEqual),
            ("lt", Operator::Less),
            ("le", Operator::LessOrEqual),
        ]);
        let values = prop_oneof![
            any::<String>().prop_map(Value::String),
            any::<i32>().prop_map(|number| Value::Number(number.into())),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        let leaf = prop_oneof![
            "[a-z]{1,5}(\\.[a-zA-Z]{1,5}){0,2}"
                .prop_filter("a word of the grammar", |name| name != "not")
                .prop_map(|path| (format!("{path} pr"), Filter::Present(path))),
            ("[a-z]{2}X", operators, values).prop_map(|(path, (word, operator), value)| {
                (
                    format!("{path}  {word} {value}"),
                    Filter::Compare(path, operator, value),
                )
            }),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| {
                    let (texts, filters): (Vec<String>, Vec<Filter>) = parts.into_iter().unzip();
                    (format!("({})", texts.join(") aNd (")), Filter::And(filters))
                }),
                prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| {
                    let (texts, filters): (Vec<String>, Vec<Filter>) = parts.into_iter().unzip();
                    (format!("( {})", texts.join(" ) or (")), Filter::Or(filters))
                }),
                inner.prop_map(|(text, filter)| (
                    format!("not({text})"),
                    Filter::Not(Box::new(filter))
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read((text, filter) in filters()) {
            prop_assume!(text.len() <= LENGTH_LIMIT);
            prop_assert_eq!(text.parse::<Filter>().unwrap(), filter);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = text.parse::<Filter>();
        }

        #[test]
        fn no_text_of_the_grammars_words_makes_the_parser_panic(
            words in prop::collection::vec(
                prop::sample::select(vec!["(", ")", "not", "and", "or", "a", "eq", "pr", "\"x\"", "\"", "1", "é", "."]),
                0..40,
            ),
        ) {
            let _ = words.join(" ").parse::<Filter>();
            let _ = words.concat().parse::<Filter>();
        }
    }
}
