//! The routes of the HTTP API, which select the function for a request.

use std::{collections::HashMap, sync::Arc};

use http::Method;
use percent_encoding::percent_decode_str;

use crate::lambda::Function;

/// The routes of the HTTP API.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    routes: Vec<RouteEntry>,
}

#[derive(Debug)]
struct RouteEntry {
    /// The method; `None` means `ANY`.
    method: Option<Method>,
    /// The key as in the template: `GET /api/conversations/{id}`.
    key: String,
    segments: Vec<Segment>,
    function: Arc<Function>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// Exactly this text. Earlier variants take precedence over later ones.
    Exact(String),
    /// `{name}`: one segment.
    Parameter(String),
    /// `{name+}`: this segment and all following ones.
    Greedy(String),
}

/// A route that matches a request.
#[derive(Debug)]
pub(crate) struct Match<'a> {
    pub(crate) key: &'a str,
    pub(crate) function: &'a Arc<Function>,
    /// The percent-decoded path parameters.
    pub(crate) parameters: HashMap<&'a str, String>,
}

impl Routes {
    /// Adds a route. If two routes match equally well, the first one is used.
    pub(crate) fn add(&mut self, method: &str, path: &str, function: Arc<Function>) {
        let segments = path.split('/').skip(1).map(Segment::parse).collect();
        let method_of = (method != "ANY").then(|| Method::from_bytes(method.as_bytes()).unwrap_or_default());
        self.routes.push(RouteEntry {
            method: method_of,
            key: format!("{method} {path}"),
            segments,
            function,
        });
    }

    /// The most specific route for a request. In each segment, text takes precedence over `{parameter}`, and that over
    /// `{greedy+}`; then a method takes precedence over `ANY`.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Match<'_>> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let matching = self.routes.iter().filter(|route| route.matches(method, &parts));
        let best = matching.min_by_key(|route| {
            let ranks: Vec<u8> = route.segments.iter().map(Segment::rank).collect();
            (ranks, route.method.is_none())
        })?;
        Some(Match { key: &best.key, function: &best.function, parameters: best.parameters(&parts) })
    }
}

impl RouteEntry {
    fn matches(&self, method: &Method, parts: &[&str]) -> bool {
        if self.method.as_ref().is_some_and(|own| own != method) {
            return false;
        }
        match self.segments.split_last() {
            Some((Segment::Greedy(_), before)) => {
                parts.len() >= self.segments.len()
                    && before.iter().zip(parts).all(|(own, part)| own.matches(part))
            }
            _ => {
                parts.len() == self.segments.len()
                    && self.segments.iter().zip(parts).all(|(own, part)| own.matches(part))
            }
        }
    }

    fn parameters(&self, parts: &[&str]) -> HashMap<&str, String> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut parameters = HashMap::new();
        for (position, segment) in self.segments.iter().enumerate() {
            let value = match segment {
                Segment::Exact(_) => continue,
                Segment::Parameter(_) => parts.get(position).map(|part| decoded(part)),
                Segment::Greedy(_) => parts.get(position..).map(|rest| decoded(&rest.join("/"))),
            };
            if let (Segment::Parameter(name) | Segment::Greedy(name), Some(value)) = (segment, value) {
                parameters.insert(name.as_str(), value);
            }
        }
        parameters
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(greedy) => Self::Greedy(greedy.to_owned()),
                None => Self::Parameter(name.to_owned()),
            },
            None => Self::Exact(text.to_owned()),
        }
    }

    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Exact(text) => text == part,
            Self::Parameter(_) | Self::Greedy(_) => !part.is_empty(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Exact(_) => 0,
            Self::Parameter(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}
