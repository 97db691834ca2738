//! What a query of the log may say.

use crate::clock::Moment;
use crate::filter::{Filter, Operator};
use crate::refusal::{Code, Refusal};
use crate::store::Order;

use super::attributes::{is_attribute, stored_in};

const DAY: i64 = 24 * 60 * 60 * 1_000;
const DEFAULT_LIMIT: usize = 100;
const GREATEST_LIMIT: usize = 1_000;
const KEYWORDS: usize = 10;
const KEYWORD_LENGTH: usize = 40;

/// What a query of the log says.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    pub(super) since: Moment,
    /// The first moment that no longer counts.
    pub(super) until: Option<Moment>,
    pub(super) after: Option<(Moment, i64)>,
    pub(super) filter: Option<Filter>,
    /// In lower case.
    pub(super) keywords: Vec<String>,
    pub(super) limit: usize,
    pub(super) order: Order,
}

impl Parameters {
    pub(super) fn read(query: &[(String, String)], now: Moment) -> Result<Self, Refusal> {
        let value = |wanted: &str| {
            let pair = query.iter().find(|(name, _)| name == wanted);
            pair.map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let until = value("until")
            .map(|text| moment("until", text))
            .transpose()?;
        let descending = value("sortOrder").map_or(Ok(false), descending)?;
        let order = match (descending, until) {
            (true, _) => Order::PublishedDescending,
            (false, Some(_)) => Order::Published,
            (false, None) => Order::Position,
        };
        let after = value("after").map(cursor).transpose()?;
        let since = match (value("since"), order, after) {
            (Some(text), _, _) => Some(moment("since", text)?),
            // A poll goes on from a place; before the first event that is a moment.
            (None, Order::Position, Some((since, 0))) => Some(since),
            (None, Order::Position, Some(_)) => None,
            (None, _, _) => Some(Moment(until.unwrap_or(now).0.saturating_sub(7 * DAY))),
        };
        // A poll that goes on was in time when it began.
        let goes_on = order == Order::Position && after.is_some();
        if !goes_on && since.is_some_and(|since| since.0 < now.0 - 180 * DAY) {
            let detail =
                "Invalid parameter: The since parameter is over 180 days prior to the current day.";
            return Err(Refusal::with_detail(Code::Filter, detail));
        }
        let since = since.unwrap_or(Moment(0));
        if until.is_some_and(|until| until < since) {
            return Err(Refusal::validation("until", ["must not be before since"]));
        }
        Ok(Self {
            since,
            until,
            after,
            filter: value("filter").map(filter).transpose()?,
            keywords: value("q").map_or_else(|| Ok(Vec::new()), keywords)?,
            limit: value("limit").map_or(Ok(DEFAULT_LIMIT), limit)?,
            order,
        })
    }

    /// What the database can select by itself.
    pub(super) fn equalities(&self) -> Vec<(&'static str, &str)> {
        let filter = self.filter.iter();
        let equalities = filter.flat_map(Filter::necessary_equalities);
        equalities
            .filter_map(|(path, text)| Some((stored_in(path)?, text)))
            // PostgreSQL has no text with it, and so no event.
            .filter(|(_, text)| !text.contains('\0'))
            .collect()
    }
}

fn moment(name: &str, text: &str) -> Result<Moment, Refusal> {
    // A plus sign that was not escaped arrives as a blank.
    Moment::parse(&text.replace(' ', "+")).ok_or_else(|| {
        Refusal::validation(name, ["The date format in your query is not recognized. Please enter dates using ISO8601 string format."])
    })
}

fn descending(text: &str) -> Result<bool, Refusal> {
    if text.eq_ignore_ascii_case("ASCENDING") {
        Ok(false)
    } else if text.eq_ignore_ascii_case("DESCENDING") {
        Ok(true)
    } else {
        Err(Refusal::validation(
            "sortOrder",
            ["expected ASCENDING or DESCENDING"],
        ))
    }
}

fn limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok().filter(|limit| *limit <= GREATEST_LIMIT);
    limit.ok_or_else(|| {
        Refusal::validation(
            "limit",
            [format!("expected a number from 0 to {GREATEST_LIMIT}")],
        )
    })
}

fn cursor(text: &str) -> Result<(Moment, i64), Refusal> {
    let read = || {
        let (published, position) = text.split_once('_')?;
        Some((Moment(published.parse().ok()?), position.parse().ok()?))
    };
    read().ok_or_else(|| Refusal::new(Code::Paging).because("Invalid cursor."))
}

fn keywords(text: &str) -> Result<Vec<String>, Refusal> {
    let keywords: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    if keywords.len() > KEYWORDS {
        return Err(Refusal::validation(
            "q",
            [format!("expected at most {KEYWORDS} keywords")],
        ));
    }
    if keywords
        .iter()
        .any(|keyword| keyword.chars().count() > KEYWORD_LENGTH)
    {
        let message = format!("expected keywords of at most {KEYWORD_LENGTH} characters");
        return Err(Refusal::validation("q", [message]));
    }
    Ok(keywords)
}

fn filter(text: &str) -> Result<Filter, Refusal> {
    let refuse = |detail: String| Refusal::with_detail(Code::Filter, detail);
    let filter: Filter = text
        .parse()
        .map_err(|error: crate::filter::FilterError| refuse(error.to_string()))?;
    for (name, operator) in filter.attributes() {
        if !is_attribute(name) {
            return Err(refuse(format!("field is not valid: {name}")));
        }
        let unsupported = matches!(
            name,
            "debugContext.debugData.url" | "debugContext.debugData.requestUri"
        );
        if unsupported && operator == Some(Operator::Contains) {
            let detail = format!(
                "The supplied combination of operator and field is not currently supported. \
                 Operator: co, Field: {name}"
            );
            return Err(Refusal::with_detail(Code::Search, detail));
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_771_396_501_789);

    fn read(query: &str) -> Result<Parameters, String> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Parameters::read(&pairs, NOW).map_err(|refusal| {
            let error = serde_json::to_value(refusal.object()).unwrap();
            format!(
                "{} {}",
                error["errorCode"].as_str().unwrap(),
                error["errorSummary"].as_str().unwrap()
            )
        })
    }

    #[test]
    fn until_or_descending_order_bounds_a_query() {
        assert_eq!(read("limit=1").unwrap().order, Order::Position);
        assert_eq!(
            read("until=2026-02-18T00:00:00Z").unwrap().order,
            Order::Published
        );
        assert_eq!(
            read("sortOrder=DESCENDING").unwrap().order,
            Order::PublishedDescending
        );
    }

    #[test]
    fn since_is_seven_days_before_until_unless_it_is_said() {
        assert_eq!(read("").unwrap().since, Moment(NOW.0 - 7 * DAY));
        let until = read("until=2026-02-10T00:00:00Z").unwrap();
        assert_eq!(until.since.to_second(), "2026-02-03T00:00:00.000Z");
    }

    #[test]
    fn a_poll_that_goes_on_has_no_bound_but_its_place() {
        let old = NOW.0 - 60 * DAY;
        let since = |query: &str| read(query).unwrap().since;
        assert_eq!(since(&format!("after={old}_17")), Moment(0));
        // As long as nothing was read, the place is the moment from which it was to be.
        assert_eq!(since(&format!("after={old}_0")), Moment(old));
        assert_eq!(
            since(&format!("after={old}_17&since=2026-02-10T00:00:00Z")).to_second(),
            "2026-02-10T00:00:00.000Z"
        );
        // Its links stay good however long it goes on.
        assert_eq!(
            since(&format!("after={old}_17&since=2020-01-01T00:00:00Z")).to_second(),
            "2020-01-01T00:00:00.000Z"
        );
        assert!(
            read(&format!(
                "after={old}_17&since=2020-01-01T00:00:00Z&sortOrder=DESCENDING"
            ))
            .is_err()
        );
        // A page of a bounded query stays within its bounds.
        let page = format!("after={old}_17&sortOrder=DESCENDING");
        assert_eq!(since(&page), Moment(NOW.0 - 7 * DAY));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_oktas_code() {
        for (query, expected) in [
            ("limit=1001", "E0000001 Api validation failed: limit"),
            ("limit=-1", "E0000001 Api validation failed: limit"),
            ("since=yesterday", "E0000001 Api validation failed: since"),
            (
                "since=2020-01-01T00:00:00Z",
                "E0000053 Invalid parameter: The since parameter is over 180 days prior to the current day.",
            ),
            ("after=x", "E0000029 Invalid paging request."),
            ("sortOrder=UP", "E0000001 Api validation failed: sortOrder"),
            (
                "q=1 2 3 4 5 6 7 8 9 10 11",
                "E0000001 Api validation failed: q",
            ),
            (
                "filter=some_invalid_field eq \"x\"",
                "E0000053 field is not valid: some_invalid_field",
            ),
            (
                "filter=published gt \"x\"",
                "E0000053 field is not valid: published",
            ),
            (
                "filter=debugContext.debugData.url co \"x\"",
                "E0000031 The supplied combination of operator and field is not currently supported. Operator: co, Field: debugContext.debugData.url",
            ),
        ] {
            assert_eq!(read(query).unwrap_err(), expected, "{query}");
        }
    }
}
