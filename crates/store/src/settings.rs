//! Single values that a folder keeps: what is neither a fact nor a record.
//!
//! What a value means is left to the module that owns it; the key that signs download links is made here.

use crate::database::Database;
use crate::{StoreError, random};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, ToSql};

const SIGNING_KEY: &str = "signing_key";

pub(crate) fn get<T: FromSql>(connection: &Connection, name: &str) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(crate) fn put(connection: &Connection, name: &str, value: &dyn ToSql) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )?;
    Ok(())
}

impl Database {
    /// The key that signs download links. It is made once for a folder, so that a link outlives a restart.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn signing_key(&self) -> Result<[u8; 32], StoreError> {
        let known = self.read(|connection| get(connection, SIGNING_KEY))?;
        match known {
            Some(key) => Ok(key),
            // Looked up again inside the transaction: another process may have made it since.
            None => self.write(|transaction| match get(transaction, SIGNING_KEY)? {
                Some(key) => Ok(key),
                None => {
                    let key = random::bytes::<32>();
                    put(transaction, SIGNING_KEY, &key)?;
                    Ok(key)
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_signing_key_for_every_process_and_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Database::open(folder.path()).unwrap(), Database::open(folder.path()).unwrap());
        let key = one.signing_key().unwrap();
        assert_eq!(other.signing_key().unwrap(), key);
        drop((one, other));
        assert_eq!(Database::open(folder.path()).unwrap().signing_key().unwrap(), key);
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(Database::open(elsewhere.path()).unwrap().signing_key().unwrap(), key);
    }
}
