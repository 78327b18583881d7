#include "syncd/api_internal.h"

#define BASE "/api/v1/servers/localhost"

static const struct api_route routes[] = {
    {EVHTTP_REQ_GET, BASE "/status", CONFIG_API_READS, API_POOL, false, api_get_status,
     api_after_status,
     "This node: store, journal, authd, directories of zone files, and a count of zones by state."},
    {EVHTTP_REQ_GET, BASE "/zones", CONFIG_API_READS, API_POOL, false, api_get_zones, NULL,
     "All zones."},
    {EVHTTP_REQ_GET, BASE "/zones/{}", CONFIG_API_READS, API_POOL, false, api_get_zone,
     api_after_zone, "One zone, and what comes next for it."},
    {EVHTTP_REQ_DELETE, BASE "/zones/{}", CONFIG_API_ZONES, API_POOL, false, api_delete_zone, NULL,
     "Serve the zone no longer; its history stays. Query: reason, dry_run."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/undelete", CONFIG_API_ZONES, API_POOL, false,
     api_post_undelete, NULL, "Serve a removed zone again. Body: to, reason, dry_run."},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/refresh", CONFIG_API_ZONES, API_LOOP, false, api_put_refresh,
     NULL, "Ask the primaries for their serial now."},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/axfr-retrieve", CONFIG_API_ZONES, API_LOOP, false,
     api_put_retransfer, NULL, "Transfer the zone now, whatever the serial."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/log", CONFIG_API_READS, API_POOL, false, api_get_log, NULL,
     "Versions, newest first. Query: limit, before (a version number), since, until, origin, key, "
     "user, name, type."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/blame", CONFIG_API_READS, API_POOL, false, api_get_blame, NULL,
     "For each record that is served the version that brought it. Query: name, type."},
    {EVHTTP_REQ_GET, BASE "/log", CONFIG_API_READS, API_POOL, false, api_get_node_log, NULL,
     "Versions of all zones, newest first. Query: limit, before (a seq), since, until, origin, "
     "key, user, account, name, type."},
    {EVHTTP_REQ_GET, BASE "/actions", CONFIG_API_READS, API_POOL, false, api_get_acts, NULL,
     "What operators did, newest first. Query: limit, before (an id), since, until, user, action, "
     "zone."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/id", CONFIG_API_READS, API_POOL, false, api_get_id, NULL,
     "The content id of what the zone serves. Query: compute (true: from the content itself)."},
    {EVHTTP_REQ_GET, BASE "/ids", CONFIG_API_READS, API_POOL, false, api_get_ids, NULL,
     "The same of all zones that are served. Query: compute."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/diff", CONFIG_API_READS, API_POOL, false, api_get_diff, NULL,
     "What differs between two versions. Query: from, to, format (json, or git: text as git shows "
     "it)."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/export", CONFIG_API_READS, API_POOL, false, api_get_export,
     NULL, "A version as a zone file. Query: version (default: current)."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/rollback", CONFIG_API_ZONES, API_POOL, false,
     api_post_rollback, NULL,
     "Serve an old version again. Body: to, reason, dry_run, force, serial (auto, exact or local), "
     "and for the hold until_newer_than, until, for."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/hold", CONFIG_API_ZONES, API_POOL, false, api_post_hold, NULL,
     "Hold the zone at what it serves; of a held one: change its rule. Body: reason, "
     "until_newer_than (a serial), until (a time), for (a span)."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/release", CONFIG_API_ZONES, API_POOL, false, api_post_release,
     NULL,
     "End a hold, or say when it ends by itself. Body: reason, dry_run; or until_newer_than, "
     "until, "
     "for."},
    {EVHTTP_REQ_POST, BASE "/rollback/plan", CONFIG_API_READS, API_POOL, false, api_post_fleet_plan,
     NULL,
     "What it takes to bring zones back to a time. Body: to, account, catalog, match, "
     "serial."},
    {EVHTTP_REQ_GET, BASE "/quarantine", CONFIG_API_READS, API_POOL, false, api_get_quarantine,
     NULL, "Zones with a version that a guard did not let through."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/quarantine/approve", CONFIG_API_ZONES, API_POOL, false,
     api_post_approve_version, NULL, "Serve the quarantined version. Body: reason, dry_run."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/quarantine/reject", CONFIG_API_ZONES, API_POOL, false,
     api_post_reject_version, NULL, "Ask no more about the quarantined version. Body: reason."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/staged/reject", CONFIG_API_ZONES, API_POOL, false,
     api_post_reject_staged, NULL,
     "Serve none of the versions that wait for their time. Body: reason."},
    {EVHTTP_REQ_PUT, BASE "/zones/{}/import", CONFIG_API_ZONES, API_POOL, true, api_put_import,
     NULL,
     "A zone of our own from the zone file in the body. Query: file, serial (keep, increment or "
     "date), force, reason, dry_run."},
    {EVHTTP_REQ_GET, BASE "/primaries", CONFIG_API_READS, API_LOOP, false, api_get_primaries, NULL,
     "The primaries of the configuration, and how each does."},
    {EVHTTP_REQ_GET, BASE "/remotes", CONFIG_API_READS, API_LOOP, false, api_get_remotes, NULL,
     "Where the history is pushed to, and how far each remote is."},
    {EVHTTP_REQ_POST, BASE "/remotes/push", CONFIG_API_ADMIN, API_LOOP, false,
     api_post_remotes_push, NULL, "Push now, whatever the interval. Body: remote (default: all)."},
    {EVHTTP_REQ_POST, BASE "/remotes/verify", CONFIG_API_READS, API_LOOP, false,
     api_post_remotes_verify, api_after_remotes_verify,
     "Is all that a remote has in the history here? Body: remote."},
    {EVHTTP_REQ_GET, BASE "/journal/keys", CONFIG_API_READS, API_POOL, false, api_get_keys, NULL,
     "The keys that sign the history, and the file of allowed signers."},
    {EVHTTP_REQ_POST, BASE "/journal/keys", CONFIG_API_ADMIN, API_POOL, false, api_post_keys, NULL,
     "Make the first key: the history is signed from now on."},
    {EVHTTP_REQ_POST, BASE "/journal/keys/rotate", CONFIG_API_ADMIN, API_POOL, false,
     api_post_keys_rotate, NULL, "Make a new key, which signs from now on."},
    {EVHTTP_REQ_POST, BASE "/zones/{}/reindex", CONFIG_API_ADMIN, API_POOL, false, api_post_reindex,
     api_after_reindex,
     "Make some of the version index anew from the journal, and say what differed. Body: check "
     "(true: say it only), at (`next` of the answer before)."},
    {EVHTTP_REQ_POST, BASE "/journal/repair", CONFIG_API_ADMIN, API_LOOP, false, api_post_repair,
     api_after_repair,
     "Make again what the journal lost and the store knows. Body: zone, dry_run, fetched (true: "
     "also "
     "copy from what syncd --fetch brought)."},
    {EVHTTP_REQ_POST, BASE "/journal/thin", CONFIG_API_ADMIN, API_POOL, false, api_post_thin,
     api_after_thin,
     "Do now what the configured retention asks for, in the background. Body: dry_run."},
    {EVHTTP_REQ_GET, BASE "/catalogs", CONFIG_API_READS, API_LOOP, false, api_get_catalogs, NULL,
     "The catalog zones that this node follows."},
    {EVHTTP_REQ_GET, BASE "/catalogs/{}", CONFIG_API_READS, API_LOOP, false, api_get_catalog, NULL,
     "A catalog's members, and why one is refused."},
    {EVHTTP_REQ_POST, BASE "/catalogs/{}/approve", CONFIG_API_ADMIN, API_LOOP, false,
     api_post_approve, NULL, "The zones that a catalog lost, and that wait to be removed, may go."},
    {EVHTTP_REQ_GET, BASE "/autoprimaries", CONFIG_API_READS, API_LOOP, false,
     api_get_autoprimaries, NULL, "Who may bring zones, from the configuration and added here."},
    {EVHTTP_REQ_POST, BASE "/autoprimaries", CONFIG_API_ADMIN, API_LOOP, false,
     api_post_autoprimary, api_after_post_autoprimary,
     "Add one. Body: ip, nameserver, account, key, zones_max, zones_per_hour, suffixes."},
    {EVHTTP_REQ_DELETE, BASE "/autoprimaries/{*}/{*}", CONFIG_API_ADMIN, API_LOOP, false,
     api_delete_autoprimary, api_after_delete_autoprimary,
     "Remove one that was added here (ip, nameserver)."},
    {EVHTTP_REQ_GET, BASE "/zones/{}/autoprimary", CONFIG_API_READS, API_LOOP, false, api_get_why,
     api_after_why, "What a NOTIFY for this zone would do. Query: address, key."},
    {EVHTTP_REQ_GET, BASE "/stats", CONFIG_API_READS, API_LOOP, false, api_get_stats, NULL,
     "What authd has counted since it started. Query: zone (its answers alone)."},
    {EVHTTP_REQ_GET, BASE "/metrics", CONFIG_API_READS, API_LOOP, false, api_get_metrics, NULL,
     "The same, and the journal's state, as Prometheus reads it. Query: zones (true: each zone's "
     "numbers too)."},
    {EVHTTP_REQ_GET, "/metrics", CONFIG_API_READS, API_LOOP, false, api_get_metrics, NULL,
     "The same."},
    {EVHTTP_REQ_POST, BASE "/verify", CONFIG_API_READS, API_POOL, false, api_post_verify,
     api_after_verify,
     "Check that store, journal and authd agree, and the signatures. Body: since."},
};

const struct api_route *api_routes(size_t *n)
{
    *n = sizeof(routes) / sizeof(routes[0]);
    return routes;
}
