//! The columns of each report type, in GitHub's order and spelling (the forms that its exports have had since late 2025), and the
//! text of a row in each of them. Quoting is left to whoever writes the file.

use super::{ReportType, Row};
use std::fmt;

/// One column of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    Date,
    Product,
    Sku,
    Quantity,
    UnitType,
    AppliedCostPerQuantity,
    GrossAmount,
    DiscountAmount,
    NetAmount,
    Username,
    Organization,
    Repository,
    WorkflowPath,
    CostCenterName,
    Model,
    ExceedsQuota,
    TotalMonthlyQuota,
    AicQuantity,
    AicGrossAmount,
    Input,
    Output,
    CacheRead,
    CacheWrite,
}

use Column::{
    AicGrossAmount, AicQuantity, AppliedCostPerQuantity, CacheRead, CacheWrite, CostCenterName, Date, DiscountAmount, ExceedsQuota,
    GrossAmount, Input, Model, NetAmount, Organization, Output, Product, Quantity, Repository, Sku, TotalMonthlyQuota, UnitType, Username,
    WorkflowPath,
};

const DETAILED: &[Column] = &[
    Date,
    Product,
    Sku,
    Quantity,
    UnitType,
    AppliedCostPerQuantity,
    GrossAmount,
    DiscountAmount,
    NetAmount,
    Username,
    Organization,
    Repository,
    WorkflowPath,
    CostCenterName,
];

const SUMMARIZED: &[Column] = &[
    Date,
    Product,
    Sku,
    Quantity,
    UnitType,
    AppliedCostPerQuantity,
    GrossAmount,
    DiscountAmount,
    NetAmount,
    Organization,
    Repository,
    CostCenterName,
];

const PREMIUM_REQUEST: &[Column] = &[
    Date,
    Username,
    Product,
    Sku,
    Model,
    Quantity,
    UnitType,
    AppliedCostPerQuantity,
    GrossAmount,
    DiscountAmount,
    NetAmount,
    ExceedsQuota,
    TotalMonthlyQuota,
    Organization,
    CostCenterName,
];

const AI_CREDIT: &[Column] = &[
    Date,
    Username,
    Product,
    Sku,
    Model,
    Quantity,
    UnitType,
    AppliedCostPerQuantity,
    GrossAmount,
    DiscountAmount,
    NetAmount,
    TotalMonthlyQuota,
    Organization,
    Repository,
    CostCenterName,
    AicQuantity,
    AicGrossAmount,
    Input,
    Output,
    CacheRead,
    CacheWrite,
];

impl ReportType {
    /// The columns of this type, in their order.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            ReportType::Detailed => DETAILED,
            ReportType::Summarized => SUMMARIZED,
            ReportType::PremiumRequest => PREMIUM_REQUEST,
            ReportType::AiCredit => AI_CREDIT,
        }
    }
}

impl Column {
    /// The name in the header row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Date => "date",
            Product => "product",
            Sku => "sku",
            Quantity => "quantity",
            UnitType => "unit_type",
            AppliedCostPerQuantity => "applied_cost_per_quantity",
            GrossAmount => "gross_amount",
            DiscountAmount => "discount_amount",
            NetAmount => "net_amount",
            Username => "username",
            Organization => "organization",
            Repository => "repository",
            WorkflowPath => "workflow_path",
            CostCenterName => "cost_center_name",
            Model => "model",
            ExceedsQuota => "exceeds_quota",
            TotalMonthlyQuota => "total_monthly_quota",
            AicQuantity => "aic_quantity",
            AicGrossAmount => "aic_gross_amount",
            Input => "input",
            Output => "output",
            CacheRead => "cache_read",
            CacheWrite => "cache_write",
        }
    }

    /// Writes the text of a row in this column: names as they are, numbers as their shortest exact decimals.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, row: &Row, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Date => write!(out, "{}", row.day),
            Product => out.write_str(&row.product),
            Sku => out.write_str(&row.sku),
            Quantity => write!(out, "{}", row.quantity),
            UnitType => out.write_str(row.unit.in_reports()),
            AppliedCostPerQuantity => write!(out, "{}", row.price),
            GrossAmount => write!(out, "{}", row.rated.gross),
            DiscountAmount => write!(out, "{}", row.rated.discount),
            NetAmount => write!(out, "{}", row.rated.net),
            Username => out.write_str(&row.username),
            Organization => out.write_str(&row.organization),
            Repository => out.write_str(&row.repository),
            WorkflowPath => out.write_str(&row.workflow_path),
            CostCenterName => out.write_str(&row.cost_center),
            Model => out.write_str(&row.model),
            ExceedsQuota => out.write_str(if row.rated.net > crate::Amount::ZERO { "True" } else { "False" }),
            TotalMonthlyQuota => write!(out, "{}", row.monthly_quota),
            // What premium requests would have cost in credits: shown by GitHub while both were sold; a credit row has none.
            AicQuantity | AicGrossAmount => out.write_str("0"),
            Input => write!(out, "{}", row.tokens.input),
            Output => write!(out, "{}", row.tokens.output),
            CacheRead => write!(out, "{}", row.tokens.cache_read),
            CacheWrite => write!(out, "{}", row.tokens.cache_write),
        }
    }
}
