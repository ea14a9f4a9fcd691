//! The start price book: GitHub's published prices, before 2026 and since, with the pools that they draw from.
//!
//! Prices of runners: GitHub's runner price tables of December 2025 (both columns) and of 2026. Storage prices are the monthly price
//! over a fixed 744 hours, as real exports show (0.25 USD and 0.07 USD for a gigabyte and month). Premium requests are open-ended and
//! the standard ARM runners hold before 2026 too (rulings A6). An empty price is one that GitHub has not published.

use super::{PoolCounts, PoolRule, PoolScope, PriceVersion, SkuPrice};
use crate::catalog::Unit::{
    self, AiCredits, GigabyteHours, GigabyteMonths, GigabyteSeconds, Gigabytes, Hours, Minutes, Requests, Seconds, Tokens, UserMonths,
};
use crate::{Day, Quantity, UnitPrice};

/// A row of the start book. Empty texts are absent values.
struct Row(
    /* product */ &'static str,
    /* sku */ &'static str,
    /* name */ &'static str,
    Unit,
    /* price before 2026 */ &'static str,
    /* price since 2026 */ &'static str,
    /* first day */ &'static str,
    /* pool */ &'static str,
    /* weight in the pool */ &'static str,
    /* free in public repositories */ bool,
);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row("actions", "actions_linux", "Actions Linux", Minutes, "0.008", "0.006", "", "actions_minutes", "1", true),
    Row("actions", "actions_windows", "Actions Windows", Minutes, "0.016", "0.010", "", "actions_minutes", "2", true),
    Row("actions", "actions_macos", "Actions macOS", Minutes, "0.080", "0.062", "", "actions_minutes", "10", true),
    Row("actions", "actions_linux_slim", "Actions Linux slim", Minutes, "0.002", "0.002", "", "actions_minutes", "0.25", true),
    Row("actions", "actions_linux_arm", "Actions Linux ARM", Minutes, "0.005", "0.005", "", "actions_minutes", "1", true),
    Row("actions", "actions_windows_arm", "Actions Windows ARM", Minutes, "0.010", "0.010", "", "actions_minutes", "2", true),
    Row("actions", "actions_linux_2_core_advanced", "Actions Linux 2-core advanced", Minutes, "0.008", "0.006", "", "", "1", false),
    Row("actions", "actions_linux_4_core", "Actions Linux 4-core", Minutes, "0.016", "0.012", "", "", "1", false),
    Row("actions", "actions_linux_8_core", "Actions Linux 8-core", Minutes, "0.032", "0.022", "", "", "1", false),
    Row("actions", "actions_linux_16_core", "Actions Linux 16-core", Minutes, "0.064", "0.042", "", "", "1", false),
    Row("actions", "actions_linux_32_core", "Actions Linux 32-core", Minutes, "0.128", "0.082", "", "", "1", false),
    Row("actions", "actions_linux_64_core", "Actions Linux 64-core", Minutes, "0.256", "0.162", "", "", "1", false),
    Row("actions", "actions_linux_96_core", "Actions Linux 96-core", Minutes, "0.384", "0.252", "", "", "1", false),
    Row("actions", "actions_windows_4_core", "Actions Windows 4-core", Minutes, "0.032", "0.022", "", "", "1", false),
    Row("actions", "actions_windows_8_core", "Actions Windows 8-core", Minutes, "0.064", "0.042", "", "", "1", false),
    Row("actions", "actions_windows_16_core", "Actions Windows 16-core", Minutes, "0.128", "0.082", "", "", "1", false),
    Row("actions", "actions_windows_32_core", "Actions Windows 32-core", Minutes, "0.256", "0.162", "", "", "1", false),
    Row("actions", "actions_windows_64_core", "Actions Windows 64-core", Minutes, "0.512", "0.322", "", "", "1", false),
    Row("actions", "actions_windows_96_core", "Actions Windows 96-core", Minutes, "0.768", "0.552", "", "", "1", false),
    Row("actions", "actions_macos_l", "Actions macOS large (12-core)", Minutes, "0.120", "0.077", "", "", "1", false),
    Row("actions", "actions_linux_2_core_arm", "Actions Linux 2-core ARM", Minutes, "0.005", "0.005", "", "", "1", false),
    Row("actions", "actions_linux_4_core_arm", "Actions Linux 4-core ARM", Minutes, "0.010", "0.008", "", "", "1", false),
    Row("actions", "actions_linux_8_core_arm", "Actions Linux 8-core ARM", Minutes, "0.020", "0.014", "", "", "1", false),
    Row("actions", "actions_linux_16_core_arm", "Actions Linux 16-core ARM", Minutes, "0.040", "0.026", "", "", "1", false),
    Row("actions", "actions_linux_32_core_arm", "Actions Linux 32-core ARM", Minutes, "0.080", "0.050", "", "", "1", false),
    Row("actions", "actions_linux_64_core_arm", "Actions Linux 64-core ARM", Minutes, "0.160", "0.098", "", "", "1", false),
    Row("actions", "actions_windows_2_core_arm", "Actions Windows 2-core ARM", Minutes, "0.010", "0.008", "", "", "1", false),
    Row("actions", "actions_windows_4_core_arm", "Actions Windows 4-core ARM", Minutes, "0.020", "0.014", "", "", "1", false),
    Row("actions", "actions_windows_8_core_arm", "Actions Windows 8-core ARM", Minutes, "0.040", "0.026", "", "", "1", false),
    Row("actions", "actions_windows_16_core_arm", "Actions Windows 16-core ARM", Minutes, "0.080", "0.050", "", "", "1", false),
    Row("actions", "actions_windows_32_core_arm", "Actions Windows 32-core ARM", Minutes, "0.160", "0.098", "", "", "1", false),
    Row("actions", "actions_windows_64_core_arm", "Actions Windows 64-core ARM", Minutes, "0.320", "0.194", "", "", "1", false),
    Row("actions", "actions_macos_xl", "Actions macOS XL (5-core M2 Pro)", Minutes, "0.160", "0.102", "", "", "1", false),
    Row("actions", "actions_linux_4_core_gpu", "Actions Linux 4-core GPU", Minutes, "0.070", "0.052", "", "", "1", false),
    Row("actions", "actions_windows_4_core_gpu", "Actions Windows 4-core GPU", Minutes, "0.140", "0.102", "", "", "1", false),
    Row("actions", "actions_windows_2_core", "Actions Windows 2-core", Minutes, "", "", "", "", "1", false),
    Row("actions", "actions_windows_2_core_advanced", "Actions Windows 2-core advanced", Minutes, "", "", "", "", "1", false),
    Row("actions", "actions_self_hosted_linux", "Actions self-hosted Linux", Minutes, "0", "0", "", "", "1", false),
    Row("actions", "actions_self_hosted_windows", "Actions self-hosted Windows", Minutes, "0", "0", "", "", "1", false),
    Row("actions", "actions_self_hosted_macos", "Actions self-hosted macOS", Minutes, "0", "0", "", "", "1", false),
    Row("actions", "actions_self_hosted_unknown", "Actions self-hosted unknown", Minutes, "0", "0", "", "", "1", false),
    Row("actions", "actions_unknown", "Actions unknown", Minutes, "", "", "", "", "1", false),
    Row("actions", "actions_storage", "Actions storage", GigabyteHours, "0.00033602", "0.00033602", "", "shared_storage", "1", true),
    Row("packages", "packages_storage", "Packages storage", GigabyteHours, "0.00033602", "0.00033602", "", "shared_storage", "1", true),
    Row("actions", "actions_cache_storage", "Actions cache storage", GigabyteHours, "0.000094086", "0.000094086", "", "actions_cache", "1", false),
    Row("actions", "actions_custom_image_storage", "Actions custom image storage", GigabyteHours, "0.000094086", "0.000094086", "", "custom_image", "1", false),
    Row("git_lfs", "git_lfs_storage", "Git LFS storage", GigabyteHours, "0.000094086", "0.000094086", "", "lfs_storage", "1", false),
    Row("git_lfs", "git_lfs_bandwidth", "Git LFS bandwidth", Gigabytes, "0.0875", "0.0875", "", "lfs_bandwidth", "1", false),
    Row("packages", "packages_bandwidth", "Packages data transfer", Gigabytes, "0.50", "0.50", "", "packages_transfer", "1", true),
    Row("codespaces", "codespaces_compute_d2", "Codespaces compute (2-core)", Hours, "0.18", "0.18", "", "codespaces_core_hours", "2", false),
    Row("codespaces", "codespaces_compute_d4", "Codespaces compute (4-core)", Hours, "0.36", "0.36", "", "codespaces_core_hours", "4", false),
    Row("codespaces", "codespaces_compute_d8", "Codespaces compute (8-core)", Hours, "0.72", "0.72", "", "codespaces_core_hours", "8", false),
    Row("codespaces", "codespaces_compute_d16", "Codespaces compute (16-core)", Hours, "1.44", "1.44", "", "codespaces_core_hours", "16", false),
    Row("codespaces", "codespaces_compute_d32", "Codespaces compute (32-core)", Hours, "2.88", "2.88", "", "codespaces_core_hours", "32", false),
    Row("codespaces", "codespaces_storage", "Codespaces storage", GigabyteHours, "0.000094086", "0.000094086", "", "codespaces_storage", "1", false),
    Row("codespaces", "codespaces_prebuild_storage", "Codespaces prebuild storage", GigabyteHours, "0.000094086", "0.000094086", "", "codespaces_storage", "1", false),
    Row("copilot", "copilot_premium_request", "Copilot premium request", Requests, "0.04", "0.04", "", "premium_requests", "1", false),
    Row("copilot", "coding_agent_premium_request", "Copilot coding (cloud) agent premium request", Requests, "0.04", "0.04", "", "premium_requests", "1", false),
    Row("spark", "spark_premium_request", "Spark premium request", Requests, "0.04", "0.04", "", "premium_requests", "1", false),
    Row("copilot", "copilot_ai_credit", "Copilot AI credits", AiCredits, "0.01", "0.01", "2026-06-01", "ai_credits", "1", false),
    Row("copilot", "coding_agent_ai_credit", "Copilot cloud agent AI credits", AiCredits, "0.01", "0.01", "2026-06-01", "ai_credits", "1", false),
    Row("spark", "spark_ai_credit", "Spark AI credits", AiCredits, "0.01", "0.01", "2026-06-01", "ai_credits", "1", false),
    Row("copilot", "copilot_for_business", "Copilot Business", UserMonths, "19", "19", "", "", "1", false),
    Row("copilot", "copilot_enterprise", "Copilot Enterprise", UserMonths, "39", "39", "", "", "1", false),
    Row("copilot", "copilot_standalone", "Copilot standalone", UserMonths, "", "", "", "", "1", false),
    Row("ghas", "ghas_secret_protection_licenses", "GitHub Secret Protection", UserMonths, "19", "19", "2025-04-01", "", "1", false),
    Row("ghas", "ghas_code_security_licenses", "GitHub Code Security", UserMonths, "30", "30", "2025-04-01", "", "1", false),
    Row("ghas", "ghas_licenses", "GitHub Advanced Security", UserMonths, "", "", "", "", "1", false),
    Row("ghec", "ghec_licenses", "GitHub Enterprise Cloud", UserMonths, "21", "21", "", "", "1", false),
    Row("code_quality", "code_quality_licenses", "GitHub Code Quality licences", UserMonths, "", "", "", "", "1", false),
    Row("code_quality", "code_quality_ai_credit", "GitHub Code Quality AI credits", AiCredits, "0.01", "0.01", "2026-07-20", "", "1", false),
    Row("models", "models_inference", "Models inference", Tokens, "0.00001", "0.00001", "", "", "1", false),
    Row("sandbox", "sandbox_linux", "Cloud sandbox compute", Seconds, "0.000024", "0.000024", "2026-06-01", "sandbox", "1", false),
    Row("sandbox", "sandbox_memory", "Cloud sandbox memory", GigabyteSeconds, "0.000003", "0.000003", "2026-06-01", "sandbox", "1", false),
    Row("sandbox", "sandbox_snapshot", "Cloud sandbox snapshot storage", GigabyteMonths, "0.005", "0.005", "2026-06-01", "sandbox", "1", false),
];

/// A pool, what it counts before and since 2026 (a unit price means money), and who shares it (rulings A2).
#[rustfmt::skip]
const POOLS: &[(&str, &str, &str, PoolScope)] = &[
    ("actions_minutes",       "",     "0.006", PoolScope::Payer),
    ("shared_storage",        "0.25", "0.25",  PoolScope::Payer),
    ("actions_cache",         "",     "",      PoolScope::RepositoryHour),
    ("custom_image",          "0.07", "0.07",  PoolScope::Payer),
    ("packages_transfer",     "",     "",      PoolScope::Payer),
    ("lfs_storage",           "0.07", "0.07",  PoolScope::Payer),
    ("lfs_bandwidth",         "",     "",      PoolScope::Payer),
    ("codespaces_core_hours", "",     "",      PoolScope::Payer),
    ("codespaces_storage",    "0.07", "0.07",  PoolScope::Payer),
    ("premium_requests",      "",     "",      PoolScope::User),
    ("ai_credits",            "",     "",      PoolScope::Licences),
    ("sandbox",               "1",    "1",     PoolScope::Payer),
];

/// Pages builds and Dependabot use standard runners for free.
const FREE_WORKFLOW_PATHS: [&str; 2] = ["dynamic/pages/", "dynamic/dependabot/"];

const VALID: &str = "the start book is checked by its tests";

pub(super) fn versions() -> Vec<PriceVersion> {
    let january_2026 = Day::parse("2026-01-01").expect(VALID);
    vec![version(1, "github-2025", Day::BEGINNING, false), version(2, "github-2026", january_2026, true)]
}

fn version(number: u32, name: &str, effective_from: Day, since_2026: bool) -> PriceVersion {
    let skus = ROWS.iter().map(|row| sku(row, since_2026)).map(|sku| (sku.sku.clone(), sku)).collect();
    let pools = POOLS.iter().map(|(pool, before, since, scope)| {
        let price = if since_2026 { since } else { before };
        let counts = optional_price(price).map_or(PoolCounts::Quantity, |unit_price| PoolCounts::Money { unit_price });
        ((*pool).into(), PoolRule { counts, scope: *scope })
    });
    PriceVersion {
        number,
        name: name.to_owned(),
        effective_from,
        skus,
        pools: pools.collect(),
        free_workflow_paths: FREE_WORKFLOW_PATHS.map(str::to_owned).to_vec(),
    }
}

fn sku(row: &Row, since_2026: bool) -> SkuPrice {
    let Row(product, sku, name, unit, before, since, first_day, pool, weight, free_in_public) = row;
    SkuPrice {
        product: (*product).into(),
        sku: (*sku).into(),
        display_name: (*name).into(),
        unit: *unit,
        price: optional_price(if since_2026 { since } else { before }),
        since: (!first_day.is_empty()).then(|| Day::parse(first_day).expect(VALID)),
        pool: (!pool.is_empty()).then(|| (*pool).into()),
        weight: Quantity::parse(weight).expect(VALID),
        free_in_public: *free_in_public,
        standard_runner: *pool == "actions_minutes",
    }
}

fn optional_price(text: &str) -> Option<UnitPrice> {
    (!text.is_empty()).then(|| UnitPrice::parse(text).expect(VALID))
}
