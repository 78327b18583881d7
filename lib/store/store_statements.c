/* Every SQL statement of the store but the schema and the checks: values are always parameters. */
#include "lib/store/store_internal.h"

#define ZONE_COLUMNS                                                                               \
    "id, name, kind, source, account, serial, version, last_version, seq, records, tip_oid, "      \
    "expired, removed, held_version, held_at, held_by, held_reason, primary_serial, last_check, "  \
    "last_success, next_check, expires_at, failures, last_error, last_primary, renewal, "          \
    "catalog, member, nameserver, unserved_since, orphan, file, quarantine_version, "              \
    "quarantine_at, quarantine_reason, quarantine_rejected, staged_version, staged_rejected, "     \
    "source_serial, hold_serial, hold_until"
#define SELECT_ZONE "SELECT " ZONE_COLUMNS " FROM zone "

#define SELECT_CHANGE                                                                              \
    "SELECT " CHANGE_COLUMNS " FROM change c JOIN zone z ON z.id = c.zone_id"                      \
    " LEFT JOIN version v ON v.zone_id = c.zone_id AND v.version = c.version "
#define SELECT_VERSION "SELECT " VERSION_COLUMNS " FROM version v "

/* The number of the zone's renewal, when `what` changes. Rows stay for ever, so the largest number
 * only grows. */
#define RENEWAL(what)                                                                              \
    " renewal = CASE WHEN " what " THEN (SELECT max(renewal) + 1 FROM zone) ELSE renewal END"

/* A waiting change is needed while its version may still be served: see store_prune. */
#define PINNED                                                                                     \
    "EXISTS (SELECT 1 FROM version v JOIN zone z ON z.id = v.zone_id"                              \
    " WHERE v.zone_id = change.zone_id AND v.version = change.version"                             \
    " AND v.waiting = 1 AND v.version > z.version)"

const char *const statement_texts[ST_COUNT] = {
    [ST_BEGIN_READ] = "BEGIN DEFERRED",
    [ST_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_SAVEPOINT] = "SAVEPOINT part",
    [ST_RELEASE] = "RELEASE part",
    [ST_ROLLBACK_TO] = "ROLLBACK TO part",

    [ST_LOG_GET] = "SELECT last_seq, first_seq FROM log",
    [ST_LOG_NEXT] = "UPDATE log SET last_seq = last_seq + 1 RETURNING last_seq",
    [ST_LOG_RESTORE] = "UPDATE log SET last_seq = ?1, first_seq = ?1 + 1",
    [ST_LOG_SET_FIRST] = "UPDATE log SET first_seq = ?1",

    [ST_META_GET] = "SELECT value FROM metadata WHERE key = ?1",
    [ST_META_PUT] = "INSERT INTO metadata (key, value) VALUES (?1, ?2)"
                    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",

    [ST_ZONE_BY_NAME] = SELECT_ZONE "WHERE name = ?1",
    [ST_ZONE_BY_ID] = SELECT_ZONE "WHERE id = ?1",
    [ST_ZONE_EACH] = SELECT_ZONE "ORDER BY id",
    [ST_ZONE_ASIDE] = SELECT_ZONE "WHERE removed = 0 AND (held_version IS NOT NULL OR "
                                  "quarantine_version > version) ORDER BY id",
    [ST_ZONE_RENEWED] = SELECT_ZONE "WHERE renewal > ?1 ORDER BY renewal LIMIT ?2",
    /* Parameters 1 to 11 are the same in the next three. */
    [ST_ZONE_RULED] = SELECT_ZONE "WHERE held_version IS NOT NULL"
                                  " AND (hold_serial IS NOT NULL OR hold_until <> 0) ORDER BY id",
    [ST_ZONE_INSERT] =
        "INSERT INTO zone (name, primary_serial, last_check, last_success, next_check, "
        "expires_at,"
        " failures, last_error, last_primary, unserved_since, orphan, kind, source, account,"
        " expired, removed, held_version, held_at, held_by, held_reason, catalog, member,"
        " nameserver, file, quarantine_version, quarantine_at, quarantine_reason,"
        " quarantine_rejected, hold_serial, hold_until, version, last_version, seq, records)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
        "?18,"
        " ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, 0, 0, 0, 0)",
    [ST_ZONE_UPDATE] =
        "UPDATE zone SET primary_serial = ?2, last_check = ?3, last_success = ?4,"
        " next_check = ?5, expires_at = ?6, failures = ?7, last_error = ?8, last_primary = ?9,"
        " unserved_since = ?10, orphan = ?11, kind = ?12, source = ?13, account = ?14,"
        " expired = ?15, removed = ?16, held_version = ?17, held_at = ?18, held_by = ?19,"
        " held_reason = ?20, catalog = ?21, member = ?22, nameserver = ?23, file = ?24,"
        " quarantine_version = ?25, quarantine_at = ?26, quarantine_reason = ?27,"
        " quarantine_rejected = ?28, hold_serial = ?29, hold_until = ?30," RENEWAL(
            "expires_at <> ?6 OR (held_version IS NULL) <> (?17 IS NULL)") " WHERE name = ?1",
    [ST_ZONE_UPDATE_STATE] =
        "UPDATE zone SET primary_serial = ?2, last_check = ?3, last_success = ?4, next_check = "
        "?5,"
        " expires_at = ?6, failures = ?7, last_error = ?8, last_primary = ?9,"
        " unserved_since = ?10, orphan = ?11," RENEWAL("expires_at <> ?6") " WHERE name = ?1",
    [ST_ZONE_SET_SERVED] = "UPDATE zone SET serial = ?2, version = ?3, last_version = ?3, seq = ?4,"
                           " records = ?5, source_serial = ?6, expired = 0 WHERE id = ?1",
    [ST_ZONE_SET_STAGED] = "UPDATE zone SET staged_version = ?2, staged_rejected = ?3"
                           " WHERE id = ?1",
    [ST_ZONE_SET_LAST_VERSION] = "UPDATE zone SET last_version = ?2 WHERE id = ?1",
    [ST_ZONE_SET_TIP] = "UPDATE zone SET tip_oid = ?3 WHERE id = ?1 AND NOT EXISTS ("
                        "SELECT 1 FROM version v WHERE v.zone_id = ?1 AND v.version > ?2"
                        " AND v.oid IS NOT NULL)",

    [ST_PAGES] = "SELECT key, sum, data FROM page WHERE zone_id = ?1 ORDER BY key LIMIT ?2",
    [ST_PAGE_OF] = "SELECT key, sum, data FROM page WHERE zone_id = ?1 AND key <= ?2"
                   " ORDER BY key DESC LIMIT 1",
    [ST_PAGE_INSERT] = "INSERT INTO page (zone_id, key, sum, data) VALUES (?1, ?2, ?3, ?4)",
    [ST_PAGE_UPDATE] = "UPDATE page SET sum = ?3, data = ?4 WHERE zone_id = ?1 AND key = ?2",
    [ST_PAGE_DELETE] = "DELETE FROM page WHERE zone_id = ?1 AND key = ?2",

    [ST_CHANGE_INSERT] = "INSERT INTO change (seq, zone_id, kind, version, at, sum, data)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ST_CHANGE_EACH] = SELECT_CHANGE "WHERE c.seq > ?1 AND c.seq >= (SELECT first_seq FROM log)"
                                     " ORDER BY c.seq LIMIT ?2",
    [ST_CHANGE_UNJOURNALED] =
        "SELECT " CHANGE_COLUMNS " FROM version v INDEXED BY version_unjournaled"
        " JOIN change c ON c.seq = v.seq JOIN zone z ON z.id = c.zone_id"
        " WHERE v.oid IS NULL ORDER BY v.seq LIMIT ?1",
    [ST_CHANGE_COUNT_UNJOURNALED] =
        "SELECT count(*) FROM version v INDEXED BY version_unjournaled WHERE v.oid IS NULL",
    [ST_VERSION_UNJOURNALED_OF] =
        "SELECT 1 FROM version v INDEXED BY version_unjournaled WHERE v.oid IS NULL"
        " AND v.zone_id = ?1 LIMIT 1",
    [ST_CHANGE_REPLACED] = "SELECT coalesce(max(version), 0) FROM change"
                           " WHERE zone_id = ?1 AND kind = 2 AND length(data) = 0",
    [ST_CHANGES_BACK] = SELECT_CHANGE "WHERE c.zone_id = ?1 AND c.version > ?2 AND c.version <= ?3"
                                      " AND v.waiting = 0 ORDER BY c.version DESC",
    [ST_CHANGES_WAITING] = SELECT_CHANGE
    "WHERE c.zone_id = ?1 AND c.version > ?2 AND c.version <= ?3 AND v.waiting = 1"
    " ORDER BY c.version",
    /* length() of a blob reads only its header. */
    [ST_CHANGE_WEIGHT] = "SELECT coalesce(sum(coalesce(length(data), 0) + ?1), 0) FROM change"
                         " WHERE seq >= (SELECT first_seq FROM log)",
    [ST_CHANGE_OLDEST] =
        "SELECT c.seq, coalesce(length(c.data), 0), c.version IS NULL OR v.oid IS NOT NULL,"
        " v.waiting = 1 AND v.version > z.version"
        " FROM change c JOIN zone z ON z.id = c.zone_id"
        " LEFT JOIN version v ON v.zone_id = c.zone_id AND v.version = c.version"
        " WHERE c.seq >= (SELECT first_seq FROM log) ORDER BY c.seq",
    [ST_CHANGE_DELETE] = "DELETE FROM change WHERE seq < ?1 AND NOT " PINNED,

    [ST_VERSION_INSERT] =
        "INSERT INTO version (zone_id, version, seq, from_serial, serial, at, origin, who, "
        "source,"
        " key_name, transport, reason, added, removed, records, waiting, act, quarantined,"
        " source_serial)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
        "?18,"
        " ?19)",
    [ST_VERSION_PUT] =
        "INSERT INTO version (zone_id, version, seq, from_serial, serial, at, origin, who, "
        "source,"
        " key_name, transport, reason, added, removed, records, waiting, act, quarantined,"
        " source_serial)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
        "?18,"
        " ?19)"
        " ON CONFLICT (zone_id, version) DO UPDATE SET seq = ?3, from_serial = ?4, serial = ?5,"
        " at = ?6, origin = ?7, who = ?8, source = ?9, key_name = ?10, transport = ?11,"
        " reason = ?12, added = ?13, removed = ?14, records = ?15, waiting = ?16, act = ?17,"
        " quarantined = ?18, source_serial = ?19",
    [ST_VERSION_EACH] =
        SELECT_VERSION "WHERE v.zone_id = ?1 AND v.version < ?2 ORDER BY v.version DESC LIMIT ?3",
    [ST_VERSION_GET] = SELECT_VERSION "WHERE v.zone_id = ?1 AND v.version = ?2",
    [ST_VERSION_BY_SEQ] = "SELECT v.zone_id, " VERSION_COLUMNS " FROM version v WHERE v.seq = ?1",
    [ST_VERSION_BY_SERIAL] =
        SELECT_VERSION "WHERE v.zone_id = ?1 AND v.serial = ?2 ORDER BY v.version DESC LIMIT 1",
    [ST_VERSION_BY_TIME] = SELECT_VERSION
    "WHERE v.zone_id = ?1 AND v.at <= ?2 AND v.waiting = 0 ORDER BY v.version DESC LIMIT 1",
    [ST_VERSION_BY_OID] = SELECT_VERSION
    "WHERE v.zone_id = ?1 AND v.oid BETWEEN ?2 AND ?3 ORDER BY v.version DESC LIMIT 2",
    [ST_VERSION_NEWEST_WAITING] = SELECT_VERSION
    "WHERE v.zone_id = ?1 AND v.version > ?2 AND v.waiting = 1 ORDER BY v.version DESC LIMIT 1",
    [ST_VERSION_SERVED_BEFORE] = SELECT_VERSION
    "WHERE v.zone_id = ?1 AND v.version < ?2 AND v.waiting = 0 ORDER BY v.version DESC LIMIT 1",
    [ST_VERSION_SET_OID] = "UPDATE version SET oid = ?3, content_oid = ?4"
                           " WHERE zone_id = ?1 AND version = ?2",
    [ST_VERSION_SET_LOST] = "UPDATE version SET lost = ?3 WHERE zone_id = ?1 AND version = ?2",
    [ST_VERSION_COUNT_LOST] =
        "SELECT count(*) FROM version v INDEXED BY version_lost WHERE v.lost = 1",
    [ST_VERSION_THIN] = "UPDATE version SET thinned = 1"
                        " WHERE zone_id = ?1 AND version = ?2 AND oid IS NOT NULL",
    [ST_VERSION_THINNED] = "SELECT oid FROM version WHERE thinned = 1",
    [ST_VERSION_KEPT_AFTER] =
        SELECT_VERSION "WHERE v.zone_id = ?1 AND v.version > ?2 AND v.waiting = 0 AND v.thinned = 0"
                       " ORDER BY v.version LIMIT 1",
    [ST_VERSION_ALL] = "SELECT v.zone_id, " VERSION_COLUMNS
                       " FROM version v WHERE v.seq < ?1 ORDER BY v.seq DESC LIMIT ?2",
    [ST_STAGED_INSERT] = "INSERT INTO staged (zone_id, version, since_ms) VALUES (?1, ?2, ?3)",
    [ST_STAGED_DELETE] = "DELETE FROM staged WHERE zone_id = ?1 AND version <= ?2",
    [ST_STAGED_EACH] = "SELECT t.version, t.since_ms, v.serial FROM staged t JOIN version v"
                       " ON v.zone_id = t.zone_id AND v.version = t.version"
                       " WHERE t.zone_id = ?1 AND t.version > ?2 ORDER BY t.version",
    [ST_TOUCHED_INSERT] = "INSERT OR IGNORE INTO touched (zone_id, owner, version, kind)"
                          " VALUES (?1, ?2, ?3, ?4)",
    [ST_TOUCHED_DELETE] = "DELETE FROM touched"
                          " WHERE zone_id = ?1 AND owner = ?2 AND version = ?3 AND kind = ?4",
    /* ?5 to ?6 are the kinds; both parts walk the primary key backwards and end early. */
    [ST_TOUCHED_EACH] =
        "SELECT version, max(sure) FROM ("
        "SELECT * FROM (SELECT version, max(kind BETWEEN ?5 AND ?6) AS sure FROM touched"
        " WHERE zone_id = ?1 AND owner = ?2 AND version < ?3"
        " AND (kind BETWEEN ?5 AND ?6 OR kind = 0)"
        " GROUP BY version ORDER BY version DESC LIMIT ?4)"
        " UNION ALL SELECT * FROM (SELECT version, 0 AS sure FROM touched WHERE zone_id = ?1"
        " AND owner = x'' AND version < ?3 ORDER BY version DESC LIMIT ?4))"
        " GROUP BY version ORDER BY version DESC LIMIT ?4",
    [ST_TOUCHED_ROWS] =
        "SELECT owner, version, kind, EXISTS (SELECT 1 FROM version v"
        " WHERE v.zone_id = ?1 AND v.version = t.version) FROM touched t"
        " WHERE zone_id = ?1 AND version BETWEEN ?2 AND ?3 ORDER BY owner, version, kind",
    [ST_VERSION_BEHIND] = "SELECT count(*), (SELECT at FROM version WHERE seq > ?1 ORDER BY seq"
                          " LIMIT 1) FROM version WHERE seq > ?1",

    [ST_AUTOPRIMARY_EACH] = "SELECT ip, nameserver, account, key_name, zones_max, zones_per_hour,"
                            " suffixes, added_at, added_by, retired FROM autoprimary"
                            " ORDER BY nameserver, account, ip",
    [ST_AUTOPRIMARY_INSERT] =
        "INSERT INTO autoprimary (ip, nameserver, account, key_name, zones_max, zones_per_hour,"
        " suffixes, added_at, added_by, retired) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)"
        " ON CONFLICT (nameserver, ip) DO UPDATE SET account = ?3, key_name = ?4, zones_max = "
        "?5,"
        " zones_per_hour = ?6, suffixes = ?7, added_at = ?8, added_by = ?9, retired = 0"
        " WHERE retired = 1",
    [ST_AUTOPRIMARY_LIMITS] = "UPDATE autoprimary SET zones_max = ?3, zones_per_hour = ?4,"
                              " suffixes = ?5 WHERE nameserver = ?1 AND account = ?2",
    /* Its zones go on having it as a primary; a row without any is not needed. */
    [ST_AUTOPRIMARY_RETIRE] =
        "UPDATE autoprimary SET retired = 1 WHERE ip = ?1 AND nameserver = ?2 AND retired = 0",
    [ST_AUTOPRIMARY_SWEEP] =
        "DELETE FROM autoprimary WHERE retired = 1 AND NOT EXISTS (SELECT 1 FROM zone z"
        " WHERE z.nameserver = autoprimary.nameserver AND z.account = autoprimary.account)",

    [ST_ACT_EACH] = "SELECT id, at, who, action, zone, detail, reason, version FROM operator_log"
                    " WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    [ST_ACT_INSERT] = "INSERT INTO operator_log (at, who, action, zone, detail, reason, version)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ST_ACT_SWEEP] = "DELETE FROM operator_log WHERE id <= last_insert_rowid() - ?1",
};
