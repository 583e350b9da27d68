//! Entries, holds and accounts as rows.
//!
//! An entry is kept whole as JSON; the other columns of its row repeat what is searched by,
//! and its output, so that a plan of thousands of legs reads no more than it needs.

use std::collections::HashSet;

use castline_core::ledger::{Account, Booking, Entry, Held, OwnerId, RunId, State};
use castline_core::{Digest, Key, MicroUsd, Output, PredictionId, ProviderName};
use jiff::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;

use super::writer::{FileSeen, LinkSeen};

/// Milliseconds of the rolling account.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

/// What can go wrong with rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{cause}")]
    Unreadable { key: String, cause: String },
}

impl RowError {
    pub(crate) fn into_store(self, doing: &'static str, path: &std::path::Path) -> StoreError {
        match self {
            Self::Sql(cause) => StoreError::database(doing, path)(cause),
            Self::Store(error) => error,
            Self::Unreadable { key, cause } => StoreError::Unreadable { key, cause },
        }
    }
}

/// The part of an entry that a plan looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// How far it has come.
    pub state: State,
    /// The number of its claim.
    pub claim: u64,
    /// The provider's name for it.
    pub prediction: Option<PredictionId>,
    /// What it gave.
    pub output: Option<Output>,
}

pub(crate) fn entry(db: &Connection, key: &Key) -> Result<Option<Entry>, RowError> {
    let mut find = db.prepare_cached("SELECT entry FROM entries WHERE key = ?1")?;
    let text: Option<String> = find.query_row([&key.0.as_bytes()[..]], |row| row.get(0)).optional()?;
    text.map(|text| parse(&text, || key.to_string())).transpose()
}

pub(crate) fn brief(db: &Connection, key: &Key) -> Result<Option<Brief>, RowError> {
    let mut find =
        db.prepare_cached("SELECT state, claim, prediction, output FROM entries WHERE key = ?1")?;
    let mut rows = find.query([&key.0.as_bytes()[..]])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let output = row.get_ref(3)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    Ok(Some(Brief {
        state: state_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, key)?,
        claim: row.get::<_, i64>(1)?.cast_unsigned(),
        prediction: row.get::<_, Option<String>>(2)?.map(PredictionId),
        output: output.map(|text| parse(text, || key.to_string())).transpose()?,
    }))
}

/// Removes an entry; its creates stay in the books, and are counted on from its last claim.
pub(crate) fn forget(db: &Connection, key: &Key, claim: u64) -> Result<(), RowError> {
    let key = &key.0.as_bytes()[..];
    db.prepare_cached("DELETE FROM entries WHERE key = ?1")?.execute([key])?;
    db.prepare_cached("INSERT OR REPLACE INTO forgotten (key, claim) VALUES (?1, ?2)")?
        .execute(params![key, claim.cast_signed()])?;
    Ok(())
}

/// The number of the last claim of an entry that was removed; 0 when none was.
pub(crate) fn forgotten(db: &Connection, key: &Key) -> Result<u64, RowError> {
    let mut find = db.prepare_cached("SELECT claim FROM forgotten WHERE key = ?1")?;
    let claim: Option<i64> = find.query_row([&key.0.as_bytes()[..]], |row| row.get(0)).optional()?;
    Ok(claim.unwrap_or_default().cast_unsigned())
}

/// True when any entry was ever removed.
pub(crate) fn any_forgotten(db: &Connection) -> Result<bool, RowError> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM forgotten)", [], |row| row.get(0))?)
}

/// These files are about to be removed: they have not reached the disk any more, and no file
/// of the user's is known to be one of them.
pub(crate) fn forget_blobs(db: &Connection, digests: &HashSet<Digest>) -> Result<(), RowError> {
    for digest in digests {
        db.prepare_cached("DELETE FROM blobs WHERE digest = ?1")?.execute([&digest.as_bytes()[..]])?;
    }
    let mut find = db.prepare_cached("SELECT path, json_extract(artifact, '$.digest') FROM files")?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known: Vec<(String, Option<String>)> = rows.collect::<Result<_, _>>()?;
    let is_gone = |digest: &str| digest.parse().is_ok_and(|digest| digests.contains(&digest));
    for (path, _) in known.iter().filter(|(_, digest)| digest.as_deref().is_none_or(is_gone)) {
        db.prepare_cached("DELETE FROM files WHERE path = ?1")?.execute([path])?;
    }
    Ok(())
}

/// State and owner alone, for those who wait.
pub(crate) fn hands(db: &Connection, key: &Key) -> Result<Option<(State, OwnerId)>, RowError> {
    let mut find = db.prepare_cached("SELECT state, owner FROM entries WHERE key = ?1")?;
    let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Option<(String, String)> = find.query_row([&key.0.as_bytes()[..]], columns).optional()?;
    found.map(|(state, owner)| Ok((state_of(&state, key)?, OwnerId::from(owner.as_str())))).transpose()
}

/// True when this prediction of a provider is, or once was, an entry's.
pub(crate) fn knows_prediction(
    db: &Connection,
    provider: &ProviderName,
    id: &PredictionId,
) -> Result<bool, RowError> {
    let mut find = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM predictions WHERE provider = ?1 AND prediction = ?2)",
    )?;
    Ok(find.query_row(params![&*provider.0, id.0], |row| row.get(0))?)
}

/// The other entries of a model at a provider whose creates have no answer. What is in doubt for
/// longer than predictions are listed with their inputs does not matter any more.
pub(crate) fn unresolved(db: &Connection, entry: &Entry, now: Timestamp) -> Result<Vec<Entry>, RowError> {
    let find = "SELECT key, entry FROM entries WHERE model = ?1 AND state IN ('intended', 'in-doubt') \
                AND provider = ?2 AND key <> ?3 AND (state = 'intended' OR intended > ?4)";
    let values = [
        Sql::from(entry.request.model.path()),
        Sql::from(entry.provider().0.to_string()),
        Sql::from(entry.key().0.as_bytes().to_vec()),
        Sql::from(now.as_millisecond() - HOUR),
    ];
    several(db, find, &values)
}

/// Remembers a prediction beyond the entry that has it now.
pub(crate) fn put_prediction(
    db: &Connection,
    provider: &ProviderName,
    id: &PredictionId,
) -> Result<(), RowError> {
    let mut put =
        db.prepare_cached("INSERT OR IGNORE INTO predictions (provider, prediction) VALUES (?1, ?2)")?;
    put.execute(params![&*provider.0, id.0])?;
    Ok(())
}

/// A prediction turned out to be another's, which may be named yet.
pub(crate) fn forget_prediction(
    db: &Connection,
    provider: &ProviderName,
    id: &PredictionId,
) -> Result<(), RowError> {
    let mut forget = db.prepare_cached("DELETE FROM predictions WHERE provider = ?1 AND prediction = ?2")?;
    forget.execute(params![&*provider.0, id.0])?;
    Ok(())
}

/// The owners who wait for an entry, the dead ones among them.
pub(crate) fn wants(db: &Connection, key: &Key) -> Result<Vec<OwnerId>, RowError> {
    let mut find = db.prepare_cached("SELECT owner FROM wants WHERE key = ?1")?;
    let rows = find.query_map([&key.0.as_bytes()[..]], |row| row.get::<_, String>(0))?;
    Ok(rows.map(|owner| owner.map(|owner| OwnerId::from(owner.as_str()))).collect::<Result<_, _>>()?)
}

pub(crate) fn put_want(db: &Connection, key: &Key, owner: &OwnerId) -> Result<(), RowError> {
    let mut put = db.prepare_cached("INSERT OR IGNORE INTO wants (key, owner) VALUES (?1, ?2)")?;
    put.execute(params![&key.0.as_bytes()[..], &*owner.0])?;
    Ok(())
}

pub(crate) fn forget_want(db: &Connection, key: &Key, owner: &OwnerId) -> Result<(), RowError> {
    let mut forget = db.prepare_cached("DELETE FROM wants WHERE key = ?1 AND owner = ?2")?;
    forget.execute(params![&key.0.as_bytes()[..], &*owner.0])?;
    Ok(())
}

/// It has ended: nobody waits any more.
pub(crate) fn forget_wants(db: &Connection, key: &Key) -> Result<(), RowError> {
    db.prepare_cached("DELETE FROM wants WHERE key = ?1")?.execute([&key.0.as_bytes()[..]])?;
    Ok(())
}

/// A user's file as it was when it was read. One that cannot be understood is as good as
/// forgotten.
pub(crate) fn file(db: &Connection, path: &str) -> Result<Option<FileSeen>, RowError> {
    let mut find = db.prepare_cached("SELECT bytes, modified, inode, artifact FROM files WHERE path = ?1")?;
    let mut rows = find.query([path])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let artifact = row.get_ref(3)?.as_str().ok().and_then(|text| serde_json::from_str(text).ok());
    let Some(artifact) = artifact else { return Ok(None) };
    Ok(Some(FileSeen {
        path: path.to_owned(),
        bytes: row.get::<_, i64>(0)?.cast_unsigned(),
        modified: row.get(1)?,
        inode: row.get::<_, i64>(2)?.cast_unsigned(),
        artifact,
    }))
}

/// Where a provider reads an artifact beyond `now`.
pub(crate) fn link(
    db: &Connection,
    digest: &Digest,
    whose: &str,
    now: Timestamp,
) -> Result<Option<String>, RowError> {
    let mut find = db.prepare_cached(
        "SELECT url FROM links WHERE digest = ?1 AND whose = ?2 AND (until IS NULL OR until > ?3)",
    )?;
    let values = params![&digest.as_bytes()[..], whose, now.as_millisecond()];
    Ok(find.query_row(values, |row| row.get(0)).optional()?)
}

/// Writes a link over a former one, and forgets those that have expired.
pub(crate) fn put_link(db: &Connection, link: &LinkSeen, now: Timestamp) -> Result<(), RowError> {
    db.prepare_cached("DELETE FROM links WHERE until <= ?1")?.execute([now.as_millisecond()])?;
    let mut put = db
        .prepare_cached("INSERT OR REPLACE INTO links (digest, whose, url, until) VALUES (?1, ?2, ?3, ?4)")?;
    let until = link.until.map(Timestamp::as_millisecond);
    put.execute(params![&link.digest.as_bytes()[..], link.whose, link.url, until])?;
    Ok(())
}

fn state_of(word: &str, key: &Key) -> Result<State, RowError> {
    let known = State::ALL.into_iter().find(|state| state.word() == word);
    known.ok_or_else(|| RowError::Unreadable {
        key: key.to_string(),
        cause: format!("no state is called `{word}`"),
    })
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, key: impl FnOnce() -> String) -> Result<T, RowError> {
    serde_json::from_str(text).map_err(|cause| RowError::Unreadable { key: key(), cause: cause.to_string() })
}

fn json<T: serde::Serialize>(value: &T, key: &Key) -> Result<String, RowError> {
    serde_json::to_string(value)
        .map_err(|cause| RowError::Unreadable { key: key.to_string(), cause: cause.to_string() })
}

/// Writes an entry over the former one.
pub(crate) fn put(db: &Connection, entry: &Entry) -> Result<(), RowError> {
    let key = entry.key();
    let output = entry.output.as_ref().map(|output| json(output, &key)).transpose()?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO entries (key, state, owner, claim, model, provider, prediction, intended, ended, \
         predict_seconds, output, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        &key.0.as_bytes()[..],
        entry.state.word(),
        &*entry.claim.owner.0,
        entry.claim.number.cast_signed(),
        entry.request.model.path(),
        &*entry.provider().0,
        entry.prediction.as_ref().map(|id| id.0.as_str()),
        entry.intended.as_millisecond(),
        entry.ended.map(Timestamp::as_millisecond),
        entry.predict_seconds,
        output,
        json(entry, &key)?,
    ])?;
    Ok(())
}

/// Writes what an entry's last create holds. Former creates keep their own rows.
pub(crate) fn put_hold(db: &Connection, entry: &Entry) -> Result<(), RowError> {
    let mut put = db.prepare_cached(
        "INSERT OR REPLACE INTO holds (account, key, attempt, at, reserved, settled, run, model, provider) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for account in &entry.hold.accounts {
        put.execute(params![
            account.to_string(),
            &entry.key().0.as_bytes()[..],
            entry.hold.attempt.cast_signed(),
            entry.hold.at.as_millisecond(),
            entry.hold.reserved.map(micros),
            entry.hold.settled.map(micros),
            &*entry.made_by.0,
            entry.request.model.path(),
            &*entry.provider().0,
        ])?;
    }
    Ok(())
}

/// Writes a create of another ledger down, unless it is there.
pub(crate) fn put_booking(db: &Connection, booking: &Booking) -> Result<(), RowError> {
    let mut put = db.prepare_cached(
        "INSERT OR IGNORE INTO holds (account, key, attempt, at, reserved, settled, run, model, provider) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    put.execute(params![
        booking.account.to_string(),
        &booking.key.0.as_bytes()[..],
        booking.attempt.cast_signed(),
        booking.at.as_millisecond(),
        booking.reserved.map(micros),
        booking.settled.map(micros),
        &*booking.run.0,
        booking.model,
        &*booking.provider.0,
    ])?;
    Ok(())
}

const BOOKINGS: &str = "SELECT account, key, attempt, at, reserved, settled, run, model, provider FROM holds";

/// Every create on every account that was reserved since then, oldest first.
pub(crate) fn bookings(db: &Connection, since: Timestamp) -> Result<Vec<Booking>, RowError> {
    let mut find = db.prepare_cached(&format!("{BOOKINGS} WHERE at >= ?1 ORDER BY at, key, attempt"))?;
    collect(&mut find.query([since.as_millisecond()])?)
}

/// The creates of an entry on every account, oldest first.
pub(crate) fn bookings_of(db: &Connection, key: &Key) -> Result<Vec<Booking>, RowError> {
    let mut find = db.prepare_cached(&format!("{BOOKINGS} WHERE key = ?1 ORDER BY attempt, account"))?;
    collect(&mut find.query([&key.0.as_bytes()[..]])?)
}

fn collect(rows: &mut rusqlite::Rows<'_>) -> Result<Vec<Booking>, RowError> {
    let mut bookings = Vec::new();
    while let Some(row) = rows.next()? {
        bookings.push(booking(row)?);
    }
    Ok(bookings)
}

fn booking(row: &Row<'_>) -> Result<Booking, RowError> {
    let key = Key(Digest::from_sha256(row.get(1)?));
    let unreadable = |cause: String| RowError::Unreadable { key: key.to_string(), cause };
    let text = |column| row.get::<_, String>(column);
    Ok(Booking {
        account: text(0)?.parse::<Account>().map_err(|e| unreadable(e.to_string()))?,
        key,
        attempt: row.get::<_, i64>(2)?.cast_unsigned(),
        at: Timestamp::from_millisecond(row.get(3)?).map_err(|e| unreadable(e.to_string()))?,
        reserved: row.get::<_, Option<i64>>(4)?.map(amount),
        settled: row.get::<_, Option<i64>>(5)?.map(amount),
        run: RunId::from(text(6)?.as_str()),
        model: text(7)?,
        provider: text(8)?.as_str().into(),
    })
}

/// Hands out every entry, oldest first, until `each` answers false.
pub(crate) fn each_entry(
    db: &Connection,
    mut each: impl FnMut(Entry) -> Result<bool, RowError>,
) -> Result<(), RowError> {
    let mut find = db.prepare_cached("SELECT key, entry FROM entries ORDER BY intended, key")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let (key, text): (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
        if !each(parse(&text, || key_text(&key))?)? {
            break;
        }
    }
    Ok(())
}

fn micros(amount: MicroUsd) -> i64 {
    i64::try_from(amount.0).unwrap_or(i64::MAX)
}

fn amount(micros: i64) -> MicroUsd {
    MicroUsd(u64::try_from(micros).unwrap_or_default())
}

/// An account with all that is held against it. The rolling one forgets after a day, but
/// not what is still open.
pub(crate) fn held(db: &Connection, account: &Account, now: Timestamp) -> Result<Held, RowError> {
    let name = account.to_string();
    let since = match account {
        Account::Run(_) | Account::Watch(_) => i64::MIN,
        Account::Day => now.as_millisecond() - DAY,
    };
    let mut sum = db.prepare_cached(
        "SELECT (SELECT coalesce(sum(coalesce(settled, reserved, 0)), 0) FROM holds WHERE account = ?1 AND at > ?2) \
         + (SELECT coalesce(sum(reserved), 0) FROM holds WHERE account = ?1 AND at <= ?2 AND settled IS NULL), \
         (SELECT coalesce(sum(settled - reserved), 0) FROM holds WHERE account = ?1 AND at > ?2 AND settled > reserved)",
    )?;
    let (held, overcharge) = sum.query_row(params![name, since], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let limit = limit(db, account)?;
    Ok(Held { account: account.clone(), limit, held: amount(held), overcharge: amount(overcharge) })
}

fn limit(db: &Connection, account: &Account) -> Result<Option<MicroUsd>, RowError> {
    let mut find = db.prepare_cached("SELECT most FROM accounts WHERE account = ?1")?;
    let found: Option<Option<i64>> = find.query_row([account.to_string()], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(amount))
}

pub(crate) fn put_limit(db: &Connection, account: &Account, limit: Option<MicroUsd>) -> Result<(), RowError> {
    db.prepare_cached("INSERT OR REPLACE INTO accounts (account, most) VALUES (?1, ?2)")?
        .execute(params![account.to_string(), limit.map(micros)])?;
    Ok(())
}

/// Model seconds of the last successes, newest first.
pub(crate) fn seconds(
    db: &Connection,
    model: &str,
    provider: &str,
    most: usize,
) -> Result<Vec<f64>, RowError> {
    let mut find = db.prepare_cached(
        "SELECT predict_seconds FROM entries WHERE model = ?1 AND state = 'succeeded' AND provider = ?2 \
         AND predict_seconds IS NOT NULL ORDER BY intended DESC LIMIT ?3",
    )?;
    let rows = find.query_map(params![model, provider, most.cast_signed() as i64], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Successes of a model, newest first.
pub(crate) fn successes(db: &Connection, model: &str, most: usize) -> Result<Vec<Entry>, RowError> {
    let find = "SELECT key, entry FROM entries WHERE model = ?1 AND state = 'succeeded' \
                ORDER BY intended DESC LIMIT ?2";
    several(db, find, &[Sql::from(model.to_owned()), Sql::from(most.cast_signed() as i64)])
}

/// Entries in these states, newest first.
pub(crate) fn in_states(db: &Connection, states: &[State], most: usize) -> Result<Vec<Entry>, RowError> {
    let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
    let find = format!(
        "SELECT key, entry FROM entries WHERE state IN ('{}') ORDER BY intended DESC LIMIT ?1",
        words.join("', '")
    );
    several(db, &find, &[Sql::from(most.cast_signed() as i64)])
}

fn several(db: &Connection, find: &str, values: &[Sql]) -> Result<Vec<Entry>, RowError> {
    let mut find = db.prepare_cached(find)?;
    let mut rows = find.query(rusqlite::params_from_iter(values))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, text): (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
        entries.push(parse(&text, || key_text(&key))?);
    }
    Ok(entries)
}

fn key_text(bytes: &[u8]) -> String {
    let digest = bytes.try_into().map(Digest::from_sha256);
    digest.map_or_else(|_| "an unknown key".to_owned(), |digest| digest.to_string())
}

/// Every key that begins with these hex digits, at most two.
pub(crate) fn keys_like(db: &Connection, prefix: &str) -> Result<Vec<Key>, RowError> {
    let mut find =
        db.prepare_cached("SELECT key FROM entries WHERE lower(hex(key)) LIKE ?1 || '%' LIMIT 2")?;
    let rows = find.query_map([prefix.to_lowercase()], |row| row.get::<_, [u8; 32]>(0))?;
    Ok(rows.map(|bytes| bytes.map(|bytes| Key(Digest::from_sha256(bytes)))).collect::<Result<_, _>>()?)
}
