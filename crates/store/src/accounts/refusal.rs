//! Why a description is refused, and where: a place that the reader of the file turns into a line.
//!
//! Looking for the nearest known word is left to the program ([`Problem::unknown`]).

use billing::UtcTime;
use billing::account::AccountKind;
use billing::price_book::draft::DraftProblem;

/// An entry of [`super::AccountsFile`] by its list and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Account(usize),
    Plan(usize),
    Seat(usize),
    PriceVersion(usize),
}

/// A value of an entry. The key is written as in `owners[1]` and `included.actions_minutes`; of a slug it is `login`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub entry: Entry,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub place: Place,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("`{0}` cannot be a login: use 1 to 100 letters, digits, `-`, `_` and `.`, the first a letter or digit")]
    BadLogin(String),
    #[error("`{0}` cannot name a plan: use 1 to 100 letters, digits, `-` and `_`")]
    BadPlanName(String),
    #[error("is longer than 255 characters or holds control characters")]
    BadText,
    #[error("`{0}` is no mail address")]
    BadEmail(String),
    #[error("`{name}` stands in two entries; write one entry for it")]
    Twice { name: String, first: Place },
    #[error("`{login}` is already {}; choose another login", a(*.is))]
    OtherKind { login: String, is: AccountKind },
    #[error(
        "`{login}` is the former login of {kind} `{present}`; write `{present}` here, or give `{present}` an entry of its own, so that \
         another account may have its former name"
    )]
    Former { login: String, kind: AccountKind, present: String },
    #[error("`{previous}` belongs to {kind} `{present}`; two accounts cannot become one")]
    OfAnother { previous: String, kind: AccountKind, present: String },
    #[error("`{login}` is {}, not a user", a(*.is))]
    NotAUser { login: String, is: AccountKind },
    #[error("`{0}` is a user, not an organization; leave `organization` away for a licence that a user bought")]
    NotAnOrganization(String),
    #[error("plan `{plan}` is unknown")]
    UnknownPlan { plan: String, known: Vec<String> },
    #[error("pool `{pool}` is unknown to the price book")]
    UnknownPool { pool: String, known: Vec<String> },
    #[error("enterprise `{enterprise}` is unknown; add an `[[enterprise]]` entry for it")]
    UnknownEnterprise { enterprise: String, known: Vec<String> },
    #[error("organization `{organization}` is unknown; add an `[[organization]]` entry for it")]
    UnknownOrganization { organization: String, known: Vec<String> },
    #[error(transparent)]
    Price(DraftProblem),
    #[error(
        "price version `{name}` exists with other content ({}); a version is never edited: give this one a new name",
        .differences.join(", ")
    )]
    OtherContent { name: String, differences: Vec<String> },
    #[error("the seat ends at {until}, not after its beginning at {since}")]
    EndsBeforeItBegins { since: UtcTime, until: UtcTime },
}

impl Problem {
    /// The word that is unknown, and those that are known in its place.
    #[must_use]
    pub fn unknown(&self) -> Option<(&str, &[String])> {
        match self {
            Problem::UnknownPlan { plan: word, known }
            | Problem::UnknownPool { pool: word, known }
            | Problem::UnknownEnterprise { enterprise: word, known }
            | Problem::UnknownOrganization { organization: word, known } => Some((word, known)),
            Problem::Price(problem) => problem.unknown(),
            _ => None,
        }
    }
}

fn a(kind: AccountKind) -> String {
    let article = if kind == AccountKind::User { "a" } else { "an" };
    format!("{article} {kind}")
}
