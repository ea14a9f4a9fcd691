//! Tables of lines and the report rows that they become, for a billing person to check. A line is written as
//! `day sku owner/repository cost-center username workflow model price quantity gross discount`, where `-` is an empty name.

use super::super::ReportType;
use super::{RowError, rows};
use crate::account::{Account, AccountKind};
use crate::allowance::Seat;
use crate::line::{LineKey, LineSums, RatedLine};
use crate::usage::Tokens;
use crate::{AccountId, Amount, Day, Facts, Name, Quantity, UnitPrice, UtcTime};

const ENTERPRISE: AccountId = AccountId(1);

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

fn facts() -> Facts {
    let mut facts = Facts::start();
    let mut acme = Account::new(AccountId(2), AccountKind::Organization, "acme".into());
    acme.enterprise.write(None, Some(ENTERPRISE));
    facts.accounts.put(Account::new(ENTERPRISE, AccountKind::Enterprise, "acme-group".into()));
    facts.accounts.put(acme);
    facts.accounts.put(Account::new(AccountId(3), AccountKind::User, "Mona".into()));
    let seat = |plan: &str, since: &str| Seat {
        user: AccountId(3),
        organization: AccountId(2),
        plan: plan.into(),
        since: time(since),
        until: None,
    };
    facts.seats.put(seat("copilot_business", "2026-01-01T00:00:00Z"));
    facts.seats.put(seat("copilot_enterprise", "2026-11-02T00:00:00Z"));
    facts
}

fn line(text: &str) -> RatedLine {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [day, sku, place, cost_center, username, workflow, model, price, quantity, gross, discount] = words[..] else { panic!("{text}") };
    let name = |text: &str| -> Name { if text == "-" { "".into() } else { text.replace('_', " ").into() } };
    let (owner, repository) = place.split_once('/').unwrap();
    let day = Day::parse(day).unwrap();
    let amount = |text: &str| Amount::from_billionths(Quantity::parse(text).unwrap().billionths());
    let facts = facts();
    let version = facts.price_book.in_force(day);
    RatedLine {
        day,
        key: LineKey {
            payer: ENTERPRISE,
            product: version.skus.get(sku).map_or_else(|| "actions".into(), |sku| sku.product.clone()),
            sku: sku.into(),
            owner_login: owner.into(),
            repository: name(repository),
            cost_center: name(cost_center),
            username: name(username),
            workflow_path: name(workflow),
            model: name(model),
            price: UnitPrice::parse(price).unwrap(),
            price_version: version.number,
            free: false,
            public: false,
            owner: AccountId(2),
        },
        sums: LineSums {
            quantity: Quantity::parse(quantity).unwrap(),
            gross: amount(gross),
            tokens: Tokens { input: 100, output: 20, cache_read: 3, cache_write: 4 },
            first_used_at: day.start(),
        },
        discount: amount(discount),
    }
}

/// The report as comma-separated text without quotes and header.
fn report(report_type: ReportType, mut lines: Vec<RatedLine>) -> Result<Vec<String>, RowError> {
    lines.sort_by(|a, b| (a.day, &a.key).cmp(&(b.day, &b.key)));
    let facts = facts();
    let rows = rows(report_type, ENTERPRISE, &facts, time("2026-11-03T12:00:00Z"), lines.into_iter().map(Ok::<_, RowError>));
    rows.map(|row| {
        let row = row?;
        let texts = report_type.columns().iter().map(|column| {
            let mut text = String::new();
            column.write(&row, &mut text).unwrap();
            text
        });
        Ok(texts.collect::<Vec<String>>().join(","))
    })
    .collect()
}

fn check(report_type: ReportType, lines: &[&str], expected: &[&str]) {
    let header: Vec<&str> = report_type.columns().iter().map(|column| column.name()).collect();
    let rows = report(report_type, lines.iter().map(|text| line(text)).collect()).unwrap();
    assert_eq!([vec![header.join(",")], rows].concat(), expected, "{report_type}");
}

const ACTIONS: &[&str] = &[
    "2026-11-02 actions_linux acme/web - mona .github/workflows/ci.yml - 0.006 10 0.06 0.06",
    "2026-11-02 actions_linux acme/web - mona .github/workflows/deploy.yml - 0.006 5 0.03 0.01",
    "2026-11-02 actions_linux acme/web - hubot .github/workflows/ci.yml - 0.006 2 0.012 0",
    "2026-11-02 actions_linux acme/web Web_team mona .github/workflows/ci.yml - 0.006 1 0.006 0.006",
    "2026-11-02 actions_storage acme/- - - - - 0.00033602 24 0.00806448 0.00806448",
    "2026-11-01 actions_windows acme/api - - .github/workflows/ci.yml - 0.01 3 0.03 0.03",
    "2026-11-01 actions_self_hosted_linux acme/api - mona .github/workflows/ci.yml - 0 600 0 0",
    "2026-11-01 actions_linux acme/api - mona .github/workflows/ci.yml - 0.006 0 0 0",
];

#[test]
fn a_detailed_row_has_one_person_workflow_and_price() {
    check(
        ReportType::Detailed,
        ACTIONS,
        &[
            "date,product,sku,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,username,organization,repository,workflow_path,cost_center_name",
            "2026-11-01,actions,actions_self_hosted_linux,600,minutes,0,0,0,0,mona,acme,api,.github/workflows/ci.yml,",
            "2026-11-01,actions,actions_windows,3,minutes,0.01,0.03,0.03,0,,acme,api,.github/workflows/ci.yml,",
            "2026-11-02,actions,actions_linux,2,minutes,0.006,0.012,0,0.012,hubot,acme,web,.github/workflows/ci.yml,",
            "2026-11-02,actions,actions_linux,10,minutes,0.006,0.06,0.06,0,mona,acme,web,.github/workflows/ci.yml,",
            "2026-11-02,actions,actions_linux,5,minutes,0.006,0.03,0.01,0.02,mona,acme,web,.github/workflows/deploy.yml,",
            "2026-11-02,actions,actions_linux,1,minutes,0.006,0.006,0.006,0,mona,acme,web,.github/workflows/ci.yml,Web team",
            "2026-11-02,actions,actions_storage,24,gigabyte-hours,0.00033602,0.00806448,0.00806448,0,,acme,,,",
        ],
    );
}

#[test]
fn a_summarized_row_sums_over_people_and_workflows() {
    check(
        ReportType::Summarized,
        ACTIONS,
        &[
            "date,product,sku,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,organization,repository,cost_center_name",
            "2026-11-01,actions,actions_self_hosted_linux,600,minutes,0,0,0,0,acme,api,",
            "2026-11-01,actions,actions_windows,3,minutes,0.01,0.03,0.03,0,acme,api,",
            "2026-11-02,actions,actions_linux,17,minutes,0.006,0.102,0.07,0.032,acme,web,",
            "2026-11-02,actions,actions_linux,1,minutes,0.006,0.006,0.006,0,acme,web,Web team",
            "2026-11-02,actions,actions_storage,24,gigabyte-hours,0.00033602,0.00806448,0.00806448,0,acme,,",
        ],
    );
}

const REQUESTS: &[&str] = &[
    "2026-11-02 copilot_premium_request acme/- - Mona - Claude 0.04 4 0.16 0.16",
    "2026-11-02 copilot_premium_request acme/web - Mona - Claude 0.04 1.5 0.06 0.02",
    "2026-11-02 copilot_premium_request acme/web - hubot - Claude 0.04 2 0.08 0",
    "2026-11-02 copilot_premium_request acme/web - Mona - Auto:_Haiku 0.04 0.33 0.0132 0.0132",
    "2026-11-01 spark_premium_request acme/- - mona - Claude 0.04 4 0.16 0.16",
    "2026-10-31 copilot_premium_request acme/- - mona - Claude 0.04 1 0.04 0.04",
    "2026-11-02 actions_linux acme/web - mona .github/workflows/ci.yml - 0.006 10 0.06 0.06",
    "2026-11-02 copilot_ai_credit acme/web - mona - Claude 0.01 19.678995 0.19678995 0.19678995",
];

#[test]
fn a_premium_request_row_has_one_person_and_model_and_says_whether_the_quota_was_passed() {
    check(
        ReportType::PremiumRequest,
        REQUESTS,
        &[
            "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,exceeds_quota,total_monthly_quota,organization,cost_center_name",
            "2026-10-31,mona,copilot,copilot_premium_request,Claude,1,requests,0.04,0.04,0.04,0,False,300,acme,",
            "2026-11-01,mona,spark,spark_premium_request,Claude,4,requests,0.04,0.16,0.16,0,False,1000,acme,",
            "2026-11-02,Mona,copilot,copilot_premium_request,Auto: Haiku,0.33,requests,0.04,0.0132,0.0132,0,False,1000,acme,",
            "2026-11-02,Mona,copilot,copilot_premium_request,Claude,5.5,requests,0.04,0.22,0.18,0.04,True,1000,acme,",
            "2026-11-02,hubot,copilot,copilot_premium_request,Claude,2,requests,0.04,0.08,0,0.08,True,0,acme,",
        ],
    );
}

#[test]
fn an_ai_row_also_has_the_repository_and_the_tokens() {
    let lines = [
        REQUESTS,
        &[
            "2026-11-02 copilot_ai_credit acme/web - mona ci.yml Claude 0.01 1 0.01 0",
            "2026-11-02 copilot_ai_credit acme/api - mona - Claude 0.01 2 0.02 0.02",
        ],
    ];
    check(
        ReportType::AiCredit,
        &lines.concat(),
        &[
            "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,total_monthly_quota,organization,repository,cost_center_name,aic_quantity,aic_gross_amount,input,output,cache_read,cache_write",
            "2026-11-02,mona,copilot,copilot_ai_credit,Claude,2,ai-credits,0.01,0.02,0.02,0,3900,acme,api,,0,0,100,20,3,4",
            "2026-11-02,mona,copilot,copilot_ai_credit,Claude,20.678995,ai-credits,0.01,0.20678995,0.19678995,0.01,3900,acme,web,,0,0,200,40,6,8",
        ],
    );
}

#[test]
fn lines_that_differ_in_model_free_flag_or_visibility_become_one_detailed_row() {
    let base = "2026-11-02 actions_linux acme/web - mona ci.yml";
    let mut lines: Vec<RatedLine> = ["a 0.006 1 0.006 0", "b 0.006 2 0.012 0", "c 0.006 4 0.024 0.024", "c 0.006 8 0.048 0.048"]
        .iter()
        .map(|rest| line(&format!("{base} {rest}")))
        .collect();
    (lines[2].key.free, lines[3].key.public) = (true, true);
    let rows = report(ReportType::Detailed, lines).unwrap();
    assert_eq!(rows, ["2026-11-02,actions,actions_linux,15,minutes,0.006,0.09,0.072,0.018,mona,acme,web,ci.yml,"]);
}

#[test]
fn prices_stay_apart_even_where_models_lie_between_them() {
    let base = "2026-11-02 actions_linux acme/web - mona ci.yml";
    let texts = ["a 0.006 1 0.006 0", "a 0.008 1 0.008 0", "b 0.006 2 0.012 0", "b 0.008 2 0.016 0"];
    let rows = report(ReportType::Detailed, texts.iter().map(|rest| line(&format!("{base} {rest}"))).collect()).unwrap();
    assert_eq!(
        rows,
        [
            "2026-11-02,actions,actions_linux,3,minutes,0.006,0.018,0,0.018,mona,acme,web,ci.yml,",
            "2026-11-02,actions,actions_linux,3,minutes,0.008,0.024,0,0.024,mona,acme,web,ci.yml,",
        ]
    );
}

#[test]
fn the_unit_is_that_of_the_lines_own_price_version() {
    let mut unpriced = line("2026-11-02 actions_linux acme/web - mona ci.yml - 0.006 1 0.006 0");
    unpriced.key.price_version = 99;
    let expected = RowError::UnknownPrice { sku: "actions_linux".into(), version: 99 };
    assert_eq!(report(ReportType::Detailed, vec![unpriced]), Err(expected));
}

#[test]
fn an_error_among_the_lines_ends_the_group_and_is_passed_on() {
    let facts = facts();
    let good = || Ok(line("2026-11-02 actions_linux acme/web - mona ci.yml - 0.006 1 0.006 0"));
    let mut rows = rows(ReportType::Detailed, ENTERPRISE, &facts, time("2026-11-03T12:00:00Z"), [good(), Err(RowError::Overflow), good()]);
    assert!(rows.next().unwrap().is_ok());
    assert_eq!(rows.next().unwrap(), Err(RowError::Overflow));
}

/// Every report of the same usage has the same totals of its SKUs, however it groups them.
#[test]
fn every_grouping_has_the_same_total() {
    let lines: Vec<RatedLine> = [ACTIONS, REQUESTS].concat().iter().map(|text| line(text)).collect();
    let facts = facts();
    let total = |report_type: ReportType, product: &str| {
        let mut lines: Vec<RatedLine> = lines.iter().filter(|line| &*line.key.sku == product).cloned().collect();
        lines.sort_by(|a, b| (a.day, &a.key).cmp(&(b.day, &b.key)));
        let rows = rows(report_type, ENTERPRISE, &facts, time("2026-11-03T12:00:00Z"), lines.into_iter().map(Ok::<_, RowError>));
        let mut sums = (Quantity::ZERO, Amount::ZERO, Amount::ZERO, Amount::ZERO);
        for row in rows.map(Result::unwrap) {
            let rated = row.rated;
            sums = (
                sums.0.plus(row.quantity).unwrap(),
                sums.1.plus(rated.gross).unwrap(),
                sums.2.plus(rated.discount).unwrap(),
                sums.3.plus(rated.net).unwrap(),
            );
        }
        assert_eq!(sums.1.minus(sums.2).unwrap(), sums.3);
        sums
    };
    for sku in ["actions_linux", "actions_windows", "copilot_premium_request", "copilot_ai_credit"] {
        assert_eq!(total(ReportType::Detailed, sku), total(ReportType::Summarized, sku), "{sku}");
    }
    assert_eq!(total(ReportType::Detailed, "copilot_premium_request"), total(ReportType::PremiumRequest, "copilot_premium_request"));
    assert_eq!(total(ReportType::Detailed, "copilot_ai_credit"), total(ReportType::AiCredit, "copilot_ai_credit"));
}
