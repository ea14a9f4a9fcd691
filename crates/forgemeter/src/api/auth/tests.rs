//! The decision as a table, cell by cell, and standings in a small enterprise. Whoever changes a rule changes the cells that it moves,
//! and sees them all.

use super::*;
use std::fmt::Write as _;

fn scopes(text: &str) -> Grant {
    Grant::Scopes(text.split(',').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

fn permission(name: &str, access: Access) -> Grant {
    Grant::Permissions([(name.to_owned(), access)].into())
}

fn cell(kind: OperationKind, grant: &Grant, standing: Standing) -> &'static str {
    match decide(kind, grant, standing) {
        Ok(()) => "ok",
        Err(Refusal::Hidden) => "404",
        Err(Refusal::NoPermission) => "403 token",
        Err(Refusal::NoRole) => "403 role",
    }
}

#[test]
fn every_cell_of_the_decision() {
    use OperationKind::{EnterpriseRead, EnterpriseWrite, Organization, Usage, User};
    let tokens: [(&str, Grant); 13] = [
        ("no scope", scopes("")),
        ("repo", scopes("repo,read:org,gist")),
        ("admin:org", scopes("admin:org")),
        ("user", scopes("user")),
        ("manage_billing", scopes("manage_billing:enterprise")),
        ("admin:enterprise", scopes("admin:enterprise")),
        ("usage:write", scopes("usage:write")),
        ("org_admin:read", permission("organization_administration", Access::Read)),
        ("plan:read", permission("plan", Access::Read)),
        ("ent_admin:read", permission("enterprise_administration", Access::Read)),
        ("ent_admin:write", permission("enterprise_administration", Access::Write)),
        ("ent_billing:read", permission("enterprise_billing", Access::Read)),
        ("usage=write", permission("usage", Access::Write)),
    ];
    let kinds = [("org", Organization), ("user", User), ("ent read", EnterpriseRead), ("ent write", EnterpriseWrite), ("usage", Usage)];
    let standings = [Standing::Stranger, Standing::Member, Standing::BillingManager, Standing::Owner];
    let mut table = String::new();
    for (kind_name, kind) in kinds {
        for (token, grant) in &tokens {
            write!(table, "\n{kind_name:9} {token:16}").unwrap();
            for standing in standings {
                write!(table, " | {:9}", cell(kind, grant, standing)).unwrap();
            }
            assert_eq!(cell(kind, grant, Standing::Own), cell(kind, grant, Standing::Owner), "an own account is like an owned one");
        }
    }
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(&table), lines(EVERY_CELL));
}

/// Operation, token | stranger | member | billing manager | owner.
const EVERY_CELL: &str = "
    org       no scope         | 404       | 404       | 404       | 404
    org       repo             | 404       | 404       | ok        | ok
    org       admin:org        | 404       | 404       | ok        | ok
    org       user             | 404       | 404       | 404       | 404
    org       manage_billing   | 404       | 404       | 404       | 404
    org       admin:enterprise | 404       | 404       | 404       | 404
    org       usage:write      | 404       | 404       | 404       | 404
    org       org_admin:read   | 404       | 404       | ok        | ok
    org       plan:read        | 404       | 403 token | 403 token | 403 token
    org       ent_admin:read   | 404       | 403 token | 403 token | 403 token
    org       ent_admin:write  | 404       | 403 token | 403 token | 403 token
    org       ent_billing:read | 404       | 403 token | 403 token | 403 token
    org       usage=write      | 404       | 403 token | 403 token | 403 token
    user      no scope         | 404       | 404       | 404       | 404
    user      repo             | 404       | 404       | 404       | 404
    user      admin:org        | 404       | 404       | 404       | 404
    user      user             | 404       | 404       | ok        | ok
    user      manage_billing   | 404       | 404       | 404       | 404
    user      admin:enterprise | 404       | 404       | 404       | 404
    user      usage:write      | 404       | 404       | 404       | 404
    user      org_admin:read   | 404       | 403 token | 403 token | 403 token
    user      plan:read        | 404       | 404       | ok        | ok
    user      ent_admin:read   | 404       | 403 token | 403 token | 403 token
    user      ent_admin:write  | 404       | 403 token | 403 token | 403 token
    user      ent_billing:read | 404       | 403 token | 403 token | 403 token
    user      usage=write      | 404       | 403 token | 403 token | 403 token
    ent read  no scope         | 404       | 404       | 404       | 404
    ent read  repo             | 404       | 404       | 404       | 404
    ent read  admin:org        | 404       | 404       | 404       | 404
    ent read  user             | 404       | 404       | 404       | 404
    ent read  manage_billing   | 404       | 403 role  | ok        | ok
    ent read  admin:enterprise | 404       | 403 role  | ok        | ok
    ent read  usage:write      | 404       | 404       | 404       | 404
    ent read  org_admin:read   | 404       | 403 token | 403 token | 403 token
    ent read  plan:read        | 404       | 403 token | 403 token | 403 token
    ent read  ent_admin:read   | 404       | 403 token | 403 token | 403 token
    ent read  ent_admin:write  | 404       | 403 role  | ok        | ok
    ent read  ent_billing:read | 404       | 403 role  | ok        | ok
    ent read  usage=write      | 404       | 403 token | 403 token | 403 token
    ent write no scope         | 404       | 404       | 404       | 404
    ent write repo             | 404       | 404       | 404       | 404
    ent write admin:org        | 404       | 404       | 404       | 404
    ent write user             | 404       | 404       | 404       | 404
    ent write manage_billing   | 404       | 403 role  | ok        | ok
    ent write admin:enterprise | 404       | 403 role  | ok        | ok
    ent write usage:write      | 404       | 404       | 404       | 404
    ent write org_admin:read   | 404       | 403 token | 403 token | 403 token
    ent write plan:read        | 404       | 403 token | 403 token | 403 token
    ent write ent_admin:read   | 404       | 403 token | 403 token | 403 token
    ent write ent_admin:write  | 404       | 403 role  | ok        | ok
    ent write ent_billing:read | 404       | 403 token | 403 token | 403 token
    ent write usage=write      | 404       | 403 token | 403 token | 403 token
    usage     no scope         | 404       | 404       | 404       | 404
    usage     repo             | 404       | 404       | 404       | 404
    usage     admin:org        | 404       | 404       | 404       | 404
    usage     user             | 404       | 404       | 404       | 404
    usage     manage_billing   | 404       | 404       | 404       | 404
    usage     admin:enterprise | 404       | 404       | 404       | 404
    usage     usage:write      | 404       | 404       | ok        | ok
    usage     org_admin:read   | 404       | 403 token | 403 token | 403 token
    usage     plan:read        | 404       | 403 token | 403 token | 403 token
    usage     ent_admin:read   | 404       | 403 token | 403 token | 403 token
    usage     ent_admin:write  | 404       | 403 token | 403 token | 403 token
    usage     ent_billing:read | 404       | 403 token | 403 token | 403 token
    usage     usage=write      | 404       | 404       | ok        | ok
";

#[test]
fn whoever_may_look_at_some_account_may_ask_what_is_unrated() {
    for kind in [OperationKind::Organization, OperationKind::User, OperationKind::EnterpriseRead, OperationKind::Usage] {
        assert!(kind.scopes().iter().all(|scope| OperationKind::Unrated.is_covered_by(&scopes(scope))), "{kind:?}");
        assert!(
            kind.permissions().iter().all(|(name, access)| OperationKind::Unrated.is_covered_by(&permission(name, *access))),
            "{kind:?}"
        );
    }
    assert!(!OperationKind::Unrated.is_covered_by(&scopes("gist,read:org")));
}

/// Enterprise 1 with organization 2; organization 3 alone; users 10 (enterprise owner), 11 (enterprise billing manager), 12 (owner of 2),
/// 13 (billing manager of 2), 14 (member of 2), 15 (owner of 3).
fn facts() -> Facts {
    let mut facts = Facts::start();
    let ids = |ids: &[u32]| ids.iter().copied().map(AccountId).collect::<Vec<_>>();
    let mut enterprise = Account::new(AccountId(1), AccountKind::Enterprise, "big".into());
    enterprise.owners.write(None, ids(&[10]));
    enterprise.billing_managers.write(None, ids(&[11]));
    let mut inside = Account::new(AccountId(2), AccountKind::Organization, "inside".into());
    inside.enterprise.write(None, Some(AccountId(1)));
    inside.owners.write(None, ids(&[12]));
    inside.billing_managers.write(None, ids(&[13]));
    inside.members.write(None, ids(&[14]));
    let mut alone = Account::new(AccountId(3), AccountKind::Organization, "alone".into());
    alone.owners.write(None, ids(&[15]));
    for account in [enterprise, inside, alone] {
        facts.accounts.put(account);
    }
    for user in 10..=15 {
        facts.accounts.put(Account::new(AccountId(user), AccountKind::User, format!("user-{user}")));
    }
    facts
}

#[test]
fn roles_of_an_enterprise_reach_its_organizations_and_membership_reaches_up() {
    use Standing::{BillingManager, Member, Own, Owner, Stranger};
    let facts = facts();
    let time = UtcTime::parse("2026-11-03T10:00:00Z").unwrap();
    let table = [
        (10, [Owner, Owner, Stranger, Own]),
        (11, [BillingManager, BillingManager, Stranger, Stranger]),
        (12, [Member, Owner, Stranger, Stranger]),
        (13, [Member, BillingManager, Stranger, Stranger]),
        (14, [Member, Member, Stranger, Stranger]),
        (15, [Stranger, Stranger, Owner, Stranger]),
    ];
    for (user, expected) in table {
        let standings =
            [1, 2, 3, 10].map(|account| Standing::of(&facts, AccountId(user), facts.accounts.get(AccountId(account)).unwrap(), time));
        assert_eq!(standings, expected, "user {user}");
    }
}
