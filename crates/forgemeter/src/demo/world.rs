//! The demonstration's accounts: an enterprise with three organizations, one organization of its own, and the people in them.
//!
//! What they use is left to [`super::usage`]. Everybody is invented.

use billing::account::AccountKind;
use billing::{AccountId, Day, Facts, Name, Visibility};
use store::accounts::{AccountEntry, AccountsFile, SeatEntry};

pub(crate) const ENTERPRISE: &str = "acme-inc";
/// The owner of the enterprise and of all its organizations.
pub(crate) const ENTERPRISE_OWNER: &str = "ada-winter";
pub(crate) const BILLING_MANAGER: &str = "bruno-fields";
/// The owner of the first organization.
pub(crate) const ORGANIZATION_OWNER: &str = "carla-moss";
pub(crate) const MEMBER: &str = "dmitri-lake";
/// A person with repositories and a plan of their own.
pub(crate) const USER: &str = "mona";
/// The collector of usage: it manages the billing of every organization, so that it may send their usage.
pub(crate) const USAGE_WRITER: &str = "usage-collector";

pub(super) struct Organization {
    pub(super) login: &'static str,
    name: &'static str,
    in_enterprise: bool,
    pub(super) plan: &'static str,
    /// Its share of all jobs.
    pub(super) weight: u64,
    repositories: [&'static str; 12],
    /// As many of its first repositories are public, and as many of its last are internal.
    public: usize,
    internal: usize,
}

pub(super) const ORGANIZATIONS: [Organization; 4] = [
    Organization {
        login: "acme",
        name: "Acme",
        in_enterprise: true,
        plan: "ghec",
        weight: 40,
        repositories: [
            "sdk",
            "web",
            "api",
            "payments",
            "search",
            "mobile",
            "notifications",
            "catalog",
            "checkout",
            "identity",
            "reports",
            "handbook",
        ],
        public: 1,
        internal: 2,
    },
    Organization {
        login: "acme-platform",
        name: "Acme Platform",
        in_enterprise: true,
        plan: "ghec",
        weight: 35,
        repositories: [
            "cli",
            "infrastructure",
            "runners",
            "gateway",
            "observability",
            "registry",
            "images",
            "database",
            "queue",
            "deploy",
            "secrets",
            "runbooks",
        ],
        public: 1,
        internal: 3,
    },
    Organization {
        login: "acme-labs",
        name: "Acme Labs",
        in_enterprise: true,
        plan: "ghec",
        weight: 15,
        repositories: [
            "models",
            "vision",
            "speech",
            "ranking",
            "datasets",
            "notebooks",
            "annotator",
            "evaluations",
            "simulator",
            "robot",
            "papers",
            "sandbox",
        ],
        public: 0,
        internal: 4,
    },
    Organization {
        login: "acme-community",
        name: "Acme Community",
        in_enterprise: false,
        plan: "team",
        weight: 10,
        repositories: [
            "forge-kit",
            "docs",
            "examples",
            "plugins",
            "themes",
            "website",
            "i18n",
            "benchmarks",
            "charter",
            "forum",
            "events",
            "moderation",
        ],
        public: 8,
        internal: 0,
    },
];

const USER_REPOSITORIES: [&str; 3] = ["dotfiles", "synthesizer", "garden"];

/// Those with a role come first; the others are members.
const PEOPLE: [&str; 36] = [
    ENTERPRISE_OWNER,
    BILLING_MANAGER,
    ORGANIZATION_OWNER,
    MEMBER,
    USER,
    "elif-stone",
    "farid-brook",
    "greta-hill",
    "hugo-vale",
    "ines-reed",
    "jonas-birch",
    "kira-frost",
    "lamar-dune",
    "mei-harbor",
    "nadia-cliff",
    "oskar-fern",
    "priya-shore",
    "quentin-ash",
    "rosa-field",
    "samir-glen",
    "tess-rowan",
    "umar-ridge",
    "vera-pond",
    "wen-orchard",
    "ximena-bay",
    "yusuf-heath",
    "zoe-marsh",
    "arno-peak",
    "bea-creek",
    "cem-willow",
    "dora-flint",
    "emil-cove",
    "fatou-sand",
    "gil-thorn",
    "hana-cedar",
    "ivo-meadow",
];

/// Licences of the first organization's people; every third of them the greater one.
pub(super) const SEATS: usize = 30;

pub(super) struct Repository {
    pub(super) name: Name,
    pub(super) visibility: Visibility,
}

/// An owner of usage, with what its usage is about.
pub(super) struct Owner {
    pub(super) id: AccountId,
    pub(super) weight: u64,
    pub(super) repositories: Vec<Repository>,
    pub(super) people: Vec<Name>,
}

/// The accounts as the generator of usage sees them.
pub(super) struct World {
    /// The organizations in their order.
    pub(super) organizations: Vec<Owner>,
    pub(super) user: Owner,
}

impl World {
    /// # Panics
    /// When the accounts of [`accounts`] were not applied.
    pub(super) fn new(facts: &Facts) -> World {
        let id = |login: &str| facts.accounts.owner(login).expect("the accounts were applied").id;
        let organizations = ORGANIZATIONS.iter().map(|organization| Owner {
            id: id(organization.login),
            weight: organization.weight,
            repositories: repositories(organization),
            people: members(organization).into_iter().map(Name::from).collect(),
        });
        let visibility = |place| if place == 0 { Visibility::Public } else { Visibility::Private };
        let own = USER_REPOSITORIES.iter().enumerate();
        let user = Owner {
            id: id(USER),
            weight: 2,
            repositories: own.map(|(place, name)| Repository { name: (*name).into(), visibility: visibility(place) }).collect(),
            people: vec![USER.into()],
        };
        World { organizations: organizations.collect(), user }
    }
}

fn repositories(organization: &Organization) -> Vec<Repository> {
    let count = organization.repositories.len();
    let visibility = |place| match place {
        _ if place < organization.public => Visibility::Public,
        _ if place >= count - organization.internal => Visibility::Internal,
        _ => Visibility::Private,
    };
    let named = organization.repositories.iter().enumerate();
    named.map(|(place, name)| Repository { name: (*name).into(), visibility: visibility(place) }).collect()
}

/// The enterprise's people work in its organizations, in two of three each; everybody takes part in the community.
fn members(organization: &Organization) -> Vec<&'static str> {
    let place = ORGANIZATIONS.iter().position(|other| other.login == organization.login);
    let works_here = |person: &usize| !organization.in_enterprise || place == Some(0) || Some(person % 3 + 1) != place;
    (0..PEOPLE.len()).filter(works_here).map(|person| PEOPLE[person]).collect()
}

/// What is applied to a new folder, for usage from `first` on.
pub(super) fn accounts(first: Day) -> AccountsFile {
    let enterprise = AccountEntry {
        name: Some("Acme Inc.".to_owned()),
        plan: Some("ghec".to_owned()),
        owners: Some(logins(&[ENTERPRISE_OWNER])),
        billing_managers: Some(logins(&[BILLING_MANAGER, USAGE_WRITER])),
        ..AccountEntry::new(AccountKind::Enterprise, ENTERPRISE)
    };
    let mut accounts = vec![enterprise];
    accounts.extend(PEOPLE.iter().chain([&USAGE_WRITER]).map(|login| AccountEntry {
        plan: Some(if *login == USER { "pro" } else { "free_user" }.to_owned()),
        email: Some(format!("{login}@acme.example")),
        ..AccountEntry::new(AccountKind::User, login)
    }));
    accounts.extend(ORGANIZATIONS.iter().map(organization_entry));
    AccountsFile { accounts, seats: seats(first), ..AccountsFile::default() }
}

fn organization_entry(organization: &Organization) -> AccountEntry {
    let owners: &[&str] =
        if organization.login == ORGANIZATIONS[0].login { &[ENTERPRISE_OWNER, ORGANIZATION_OWNER] } else { &[ENTERPRISE_OWNER] };
    let with_role = |login: &&str| owners.contains(login) || *login == BILLING_MANAGER;
    let members: Vec<&str> = members(organization).into_iter().filter(|login| !with_role(login)).collect();
    AccountEntry {
        name: Some(organization.name.to_owned()),
        plan: Some(organization.plan.to_owned()),
        enterprise: Some(organization.in_enterprise.then(|| ENTERPRISE.to_owned())),
        owners: Some(logins(owners)),
        billing_managers: Some(logins(&[BILLING_MANAGER, USAGE_WRITER])),
        members: Some(logins(&members)),
        ..AccountEntry::new(AccountKind::Organization, organization.login)
    }
}

/// Who has a Copilot licence of the first organization, and whether it is the greater one.
pub(super) fn seat_holders() -> impl Iterator<Item = (&'static str, bool)> {
    PEOPLE.iter().take(SEATS).enumerate().map(|(place, login)| (*login, place % 3 == 2))
}

fn seats(first: Day) -> Vec<SeatEntry> {
    let since = first.start();
    let seat = |user: &str, organization: Option<&str>, plan: &str| SeatEntry {
        user: user.to_owned(),
        organization: organization.map(str::to_owned),
        plan: plan.to_owned(),
        since,
        until: None,
    };
    let plan = |greater| if greater { "copilot_enterprise" } else { "copilot_business" };
    let granted = seat_holders().map(|(login, greater)| seat(login, Some(ORGANIZATIONS[0].login), plan(greater)));
    granted.chain([seat(USER, None, "copilot_pro")]).collect()
}

fn logins(list: &[&str]) -> Vec<String> {
    list.iter().map(|login| (*login).to_owned()).collect()
}

/// The organizations' logins, the one with the most usage first.
pub(crate) fn organizations() -> impl Iterator<Item = &'static str> {
    ORGANIZATIONS.iter().map(|organization| organization.login)
}

/// All users' logins, the one with usage of their own first.
pub(crate) fn users() -> impl Iterator<Item = &'static str> {
    let others = PEOPLE.into_iter().filter(|login| *login != USER);
    [USER].into_iter().chain(others).chain([USAGE_WRITER])
}
