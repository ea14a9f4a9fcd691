//! The retired summaries on the wire. All figures are JSON integers without a decimal point: GitHub itself has sent `156.0` and
//! `19.4375`, which clients with integer fields refuse.

use billing::legacy::{ActionsBilling, PackagesBilling, SharedStorageBilling};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

#[derive(Debug, serde::Serialize)]
pub(crate) struct ActionsBillingUsage {
    total_minutes_used: i128,
    total_paid_minutes_used: i128,
    included_minutes: i128,
    minutes_used_breakdown: Breakdown,
}

/// An object whose keys keep their order.
#[derive(Debug)]
struct Breakdown(Vec<(String, i128)>);

impl Serialize for Breakdown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, minutes) in &self.0 {
            map.serialize_entry(key, minutes)?;
        }
        map.end()
    }
}

impl From<ActionsBilling> for ActionsBillingUsage {
    fn from(billing: ActionsBilling) -> ActionsBillingUsage {
        ActionsBillingUsage {
            total_minutes_used: billing.total_minutes_used,
            total_paid_minutes_used: billing.total_paid_minutes_used,
            included_minutes: billing.included_minutes,
            minutes_used_breakdown: Breakdown(billing.minutes_used_breakdown),
        }
    }
}

/// The names say bandwidth and mean it; GitHub's prose calls it storage.
#[derive(Debug, serde::Serialize)]
pub(crate) struct PackagesBillingUsage {
    total_gigabytes_bandwidth_used: i128,
    total_paid_gigabytes_bandwidth_used: i128,
    included_gigabytes_bandwidth: i128,
}

impl From<PackagesBilling> for PackagesBillingUsage {
    fn from(billing: PackagesBilling) -> PackagesBillingUsage {
        PackagesBillingUsage {
            total_gigabytes_bandwidth_used: billing.total_gigabytes_used,
            total_paid_gigabytes_bandwidth_used: billing.total_paid_gigabytes_used,
            included_gigabytes_bandwidth: billing.included_gigabytes,
        }
    }
}

#[derive(Debug, serde::Serialize)]
pub(crate) struct CombinedBillingUsage {
    days_left_in_billing_cycle: i128,
    estimated_paid_storage_for_month: i128,
    estimated_storage_for_month: i128,
}

impl From<SharedStorageBilling> for CombinedBillingUsage {
    fn from(billing: SharedStorageBilling) -> CombinedBillingUsage {
        CombinedBillingUsage {
            days_left_in_billing_cycle: billing.days_left_in_billing_cycle,
            estimated_paid_storage_for_month: billing.estimated_paid_storage_for_month,
            estimated_storage_for_month: billing.estimated_storage_for_month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_documentation_come_out_byte_for_byte() {
        let keys = [("UBUNTU", 205), ("MACOS", 10), ("WINDOWS", 90)].map(|(key, minutes)| (key.to_owned(), minutes));
        let actions = ActionsBilling {
            total_minutes_used: 305,
            total_paid_minutes_used: 0,
            included_minutes: 3000,
            minutes_used_breakdown: keys.to_vec(),
        };
        let packages = PackagesBilling { total_gigabytes_used: 50, total_paid_gigabytes_used: 40, included_gigabytes: 10 };
        let storage =
            SharedStorageBilling { days_left_in_billing_cycle: 20, estimated_paid_storage_for_month: 15, estimated_storage_for_month: 40 };
        assert_eq!(
            serde_json::to_string(&ActionsBillingUsage::from(actions)).unwrap(),
            r#"{"total_minutes_used":305,"total_paid_minutes_used":0,"included_minutes":3000,"minutes_used_breakdown":{"UBUNTU":205,"MACOS":10,"WINDOWS":90}}"#
        );
        assert_eq!(
            serde_json::to_string(&PackagesBillingUsage::from(packages)).unwrap(),
            r#"{"total_gigabytes_bandwidth_used":50,"total_paid_gigabytes_bandwidth_used":40,"included_gigabytes_bandwidth":10}"#
        );
        assert_eq!(
            serde_json::to_string(&CombinedBillingUsage::from(storage)).unwrap(),
            r#"{"days_left_in_billing_cycle":20,"estimated_paid_storage_for_month":15,"estimated_storage_for_month":40}"#
        );
    }
}
