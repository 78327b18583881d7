/* The configuration: one file for both daemons, read with libconfuse into plain structs.
 *
 * A struct config is immutable and counted; a reload makes a new one and swaps it only when the
 * whole file is right. Every item is a row of a table in config.c (name, type, range, default,
 * help), from which `--help-config` and docs/zoneledger.conf.md come. Unknown items, wrong types
 * and bad values are ERR_FORMAT with file:line and the item in the text.
 * Secrets are not read here: a key names the file that holds its secret; syncd alone opens it.
 */
#ifndef ZL_BASE_CONFIG_H
#define ZL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/bytes.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

struct config_key {
    char *name; /* presentation form, as in the file; made a name by whoever uses it */
    char *algorithm;
    char *secret_file;
};

/* SHA-256 of a public key, as its certificate has it (SubjectPublicKeyInfo, DER). */
struct config_pin {
    uint8_t sha256[32];
};

/* How a primary is reached by TLS, and known (RFC 9103). */
struct config_tls {
    bool on;
    char *hostname; /* that its certificate is for; "": the pins alone say who it is */
    char *ca;       /* file in PEM; "": the system's */
    struct config_pin *pins;
    size_t pin_count;
    char *certificate; /* ours to show: files in PEM; "": none */
    char *key;
};

/* Somebody who shows a certificate to us (authd). */
struct config_client {
    char *name;
    char **names; /* in the certificate, which tls_client_ca vouches for */
    size_t name_count;
    struct config_pin *pins;
    size_t pin_count;
};

enum config_clients { CONFIG_CLIENTS_NOT_ASKED, CONFIG_CLIENTS_ACCEPTED, CONFIG_CLIENTS_DEMANDED };

/* What a transfer of a zone must come by. */
enum config_transport {
    CONFIG_ANY_TRANSPORT,
    CONFIG_TLS,
    CONFIG_TLS_CERTIFICATE, /* and the client shows a certificate that we trust */
};

/* What a guard does about something that looks wrong in a new version. */
enum config_guard {
    CONFIG_IGNORE,
    CONFIG_ALERT,      /* served, with a warning in the log */
    CONFIG_QUARANTINE, /* kept aside until an operator says */
};

/* Under which serial an old version of a zone from primaries is served (syncd/series.h). */
enum config_rollback_serial {
    CONFIG_ROLLBACK_AUTO, /* ours, if the content bears it */
    CONFIG_ROLLBACK_EXACT,
    CONFIG_ROLLBACK_LOCAL,
};

/* What is done when the serial at the primaries goes back for good. */
enum config_serial_back {
    CONFIG_BACK_IGNORE,
    CONFIG_BACK_ALERT,  /* a warning, once */
    CONFIG_BACK_ACCEPT, /* it is taken, when no primary has another one for a while */
};

/* Whether the digest in a zone (ZONEMD) is looked at. */
enum config_zonemd {
    CONFIG_ZONEMD_OFF,
    CONFIG_ZONEMD_IF_PRESENT, /* it must be right if it is there and can be checked */
    CONFIG_ZONEMD_REQUIRED,   /* and it must be there */
};

/* Whether the signatures in a zone, and its chains of NSEC or NSEC3, are looked at. */
enum config_dnssec {
    CONFIG_DNSSEC_OFF,
    CONFIG_DNSSEC_IF_SIGNED, /* they must be right if it is signed, and it must stay signed */
    CONFIG_DNSSEC_REQUIRED,  /* and it must be signed */
};

/* Guards on new versions that come from primaries; 0: off. */
struct config_guards {
    uint32_t shrink_percent, shrink_records; /* less by more than both of these that are given */
    uint32_t growth_percent, growth_records;
    uint32_t serial_jump; /* further ahead than this */
    enum config_guard apex_ns;
    enum config_zonemd zonemd;
    enum config_dnssec dnssec;
    uint32_t dnssec_life_s; /* signatures must be good for so much longer */
    char **anchors;         /* lines of zone files: DS, DNSKEY; of any zones */
    size_t anchor_count;
    enum config_serial_back serial_back;
    uint32_t serial_back_s; /* CONFIG_BACK_ACCEPT: for so long */
};

#define CONFIG_COMMAND_MAX 1000 /* octets of config_command_text */

/* A program that judges new versions. */
struct config_command {
    char **args;      /* the first is its absolute path; none has control characters */
    size_t arg_count; /* 0: there is none */
    uint32_t time_s;
    bool failure_serves; /* what it could not judge is served, not quarantined */
};

struct config_primary {
    char *name;
    struct addr address;
    struct addr source; /* family 0: any */
    int key;            /* index into keys, or -1 */
    bool ixfr;          /* ask for increments */
    bool ixfr_udp;      /* first by UDP */
    struct config_tls tls;
    const struct config_client *client; /* its NOTIFYs come by TLS and show this; NULL: need not */
};

/* Who is told of changes, and may transfer. */
struct config_secondary {
    char *name;
    struct addr address; /* where NOTIFYs go; transfers come from there, from any port */
    struct addr source;  /* of our NOTIFYs; family 0: any */
    int key;             /* index into keys, or -1: signs NOTIFYs, must sign transfers */
    bool notify;
    bool tls;                           /* its transfers come by TLS */
    const struct config_client *client; /* and show this; NULL: need not */
};

/* Who may change what by UPDATE, in the zones that name it. */
struct config_update_policy {
    char *name;
    int line;
    int *keys; /* indices into keys; none: unsigned too */
    size_t key_count;
    struct addr_prefix *from; /* none: from anywhere */
    size_t from_count;
    int *clients; /* indices into clients; none: without a certificate too */
    size_t client_count;
    bool tls;     /* by TLS alone */
    char **names; /* as in a zone file; "*.x": all below x; none: all */
    size_t name_count;
    char **types; /* none: all but SOA, NS, RRSIG, NSEC, NSEC3 */
    size_t type_count;
};

/* How long versions keep their content. */
enum config_thin { CONFIG_THIN_DAY, CONFIG_THIN_WEEK, CONFIG_THIN_MONTH };
struct config_retention {
    bool set;            /* something stands there */
    uint32_t days;       /* younger ones are all kept; 0: so are the others */
    enum config_thin to; /* of the older ones the last in each day, week or month */
    uint32_t later_days; /* of those that are older than this ... ; 0: the same */
    enum config_thin later_to;
};
#define CONFIG_RETENTION_FORM                                                                      \
    "retention should be all, or as '90d then day' or '90d then day, 730d then month'"
/* "" (not set), "all", "90d then day", "90d then day, 730d then month"; false if it is none. */
bool config_retention_read(struct config_retention *out, const char *text);

struct config_zone {
    char *name;                             /* presentation form */
    int line;                               /* in the file, for messages */
    const struct config_catalog *catalog;   /* the section, if this is a catalog zone; else NULL */
    const struct config_producer *producer; /* the section, if it is a catalog that we make */

    int *primaries; /* indices into config.primaries, in order of preference */
    size_t primary_count;

    int *notify_keys; /* keys (beside those of its primaries) whose NOTIFY is accepted from anywhere
                       */
    size_t notify_key_count;
    int *notify_clients; /* the same for those who show a certificate */
    size_t notify_client_count;

    int *secondaries; /* indices into config.secondaries */
    size_t secondary_count;
    int *transfer_keys; /* indices into keys: who holds one may transfer, from anywhere */
    size_t transfer_key_count;
    int *transfer_clients; /* indices into clients: who shows this may transfer, from anywhere */
    size_t transfer_client_count;
    struct addr_prefix *transfer_from; /* from there anybody may transfer */
    size_t transfer_from_count;
    struct addr_prefix *transfer_from_tls; /* the same, but by TLS alone */
    size_t transfer_from_tls_count;
    enum config_transport transfer_tls; /* whoever asks */
    bool notify_ns;                     /* its nameservers are told of changes */
    int *updates;                       /* indices into config.update_policies */
    size_t update_count;
    bool forward_updates;
    const struct config_producer *member_of; /* the catalog of ours that lists it, or NULL */
    char *catalog_group;                     /* its group there; "": none */

    struct config_retention retention; /* set: instead of the node's */

    uint32_t refresh_min_s, refresh_max_s; /* bounds on what the SOA asks for */
    uint32_t retry_min_s, retry_max_s;
    uint32_t expire_max_s; /* 0: as the SOA says */
    uint32_t tolerance_s;  /* of the primary that it came from; 0: whoever has more is asked */
    struct config_guards guards;
    struct config_command command; /* the last of the guards */
    uint32_t stage_s; /* so long a version that passed them waits to be served; 0: not at all */
    enum config_rollback_serial rollback_serial;
};

/* Where zones may come from by themselves. Its title is the account of its zones. */
struct config_autoprimary {
    char *account;
    int line;
    char **nameservers; /* presentation form */
    size_t nameserver_count;
    char **suffixes;
    size_t suffix_count;
    uint32_t zones_max;
    uint32_t zones_per_hour;
    struct config_zone zone; /* what its zones are configured as; without a name */
    size_t speaker_count;    /* so many of its primaries, the first ones, may bring zones */
    bool added;              /* by an operator (config_extend): it has one nameserver */
};

/* What zones of a catalog's group are configured as. */
struct config_template {
    char *name;
    struct config_zone zone; /* without a name */
};

/* A group of a catalog zone, and its template. */
struct config_group {
    char *name;
    int template; /* index into config.templates */
};

/* A catalog zone (RFC 9432) that we follow: its zones appear and go with it. The zone itself is one
 * of config.zones. */
struct config_catalog {
    char *name; /* presentation form */
    int line;
    char *account;           /* of its zones; "": none */
    struct config_zone zone; /* what its zones are configured as; without a name */
    struct config_group *groups;
    size_t group_count;
    bool hold_unknown; /* zones with groups, none of them above, wait for the operator */
    char **suffixes;
    size_t suffix_count;
    uint32_t zones_max;
    uint32_t removals_free, removals_percent; /* more in an hour wait for the operator */
};

/* A catalog zone (RFC 9432) that we make, of the zones that name it. The zone itself is one of
 * config.zones. */
struct config_producer {
    char *name; /* presentation form */
    int line;
    uint32_t coo_wait_s; /* a zone from another catalog of ours is listed so long after that has
                            said so */
    uint32_t coo_s;      /* a zone that moved to another catalog stays listed so long (4.3.1) */
};

/* What to do about serials when a zone of our own changes by a zone file. */
enum config_serial {
    CONFIG_SERIAL_KEEP,      /* the file's, and none that is not newer */
    CONFIG_SERIAL_INCREMENT, /* the file's if it is newer, otherwise ours goes forward by one */
    CONFIG_SERIAL_DATE,      /* YYYYMMDDnn of today (UTC), unless the file's, or ours, is newer */
};

/* A directory whose files NAME.zone are zones of our own. */
struct config_directory {
    char *path; /* absolute, without a slash at its end */
    int line;
    char *account; /* of its zones; "": none */
    enum config_serial serial;
    bool remove;             /* a zone goes with its file */
    uint32_t settle_ms;      /* a file is read when nobody has written it for so long */
    uint32_t interval_s;     /* between two looks at everything, whatever the system tells us */
    struct config_zone zone; /* what its zones are configured as; without a name */
};

/* What the holder of a key of the control surface may do; each may do what stands before it. */
enum config_api_role {
    CONFIG_API_READS,
    CONFIG_API_ZONES, /* acts on zones: rollback, hold, import ... */
    CONFIG_API_ADMIN, /* everything */
};

/* Who may use the control surface by TCP (api_key.h). */
struct config_api_key {
    char *name;
    char *hash; /* of api_key_hash's form */
    enum config_api_role role;
    struct addr_prefix *from; /* none: from anywhere */
    size_t from_count;
};

/* A git server, or a repository, that the history is pushed to. */
struct config_remote {
    char *name;
    char *url;         /* without a password */
    char *ssh_key;     /* files; "": none */
    char *known_hosts; /* beside the system's */
    char *credentials; /* as git-credential-store has it */
    char *user;        /* that git runs as, if syncd is root; "": its own */
    uint32_t interval_s, retry_max_s, time_limit_s;
};

struct config {
    char *path;
    char *node;     /* this node's name in the journal */
    char *data_dir; /* store and journal */
    char *run_dir;  /* sockets */
    bool sandbox;   /* see cage.h */

    enum log_level log_level;
    enum log_format log_format;

    /* authd */
    struct addr *listen;
    size_t listen_count;
    struct addr *listen_tls;
    size_t listen_tls_count;
    char *tls_certificate; /* files in PEM; both are set if listen_tls is */
    char *tls_key;
    char *tls_client_ca; /* file in PEM; "": none vouches for names */
    enum config_clients tls_clients;
    uint32_t tls_handshake_ms;      /* from the connection to the end of its handshake */
    struct addr_prefix *proxy_from; /* balancers: what comes from there has a PROXY header */
    size_t proxy_from_count;
    uint32_t workers;        /* 0: one a core */
    uint32_t udp_payload;    /* octets, RFC 9715: 1232 */
    uint32_t tcp_clients;    /* in all */
    uint32_t tcp_per_source; /* from one IPv4 address or IPv6 /64 */
    uint32_t tcp_idle_ms;
    uint32_t tcp_first_ms;      /* until the first whole message */
    uint32_t tcp_message_ms;    /* from a message's first octet to its last */
    uint32_t tcp_write_ms;      /* for the peer to take what waits for it */
    uint32_t tcp_pipeline;      /* unanswered queries on one connection */
    uint32_t tcp_queries;       /* on one connection, in all; 0: any number */
    char *version_text;         /* answer to version.bind; "": refused */
    char *server_id;            /* answer to id.server and NSID; "": none */
    bool cookies;               /* DNS cookies, RFC 7873 */
    char *cookie_secret_file;   /* "": random ones */
    bool rrl;                   /* response-rate limiting, see rrl.h */
    uint32_t rrl_rate;          /* answers with data a second; 0 in any of these: any number */
    uint32_t rrl_negative_rate; /* NXDOMAIN and NODATA of a zone */
    uint32_t rrl_referral_rate;
    uint32_t rrl_error_rate;
    uint32_t rrl_slip; /* of those over it, each so manieth is sent truncated */
    uint32_t rrl_ipv4_prefix, rrl_ipv6_prefix; /* bits */
    struct addr_prefix *rrl_exempt;
    size_t rrl_exempt_count;
    bool rrl_log_only;
    uint64_t rrl_buckets;
    bool zone_counters;
    char *authd_user; /* drop to this user after the sockets are bound; "": stay */
    char *authd_group;

    /* syncd */
    uint32_t transfers_in;          /* at the same time */
    uint32_t transfers_per_primary; /* of those, from one primary */
    uint32_t transfers_out;         /* connections that secondaries transfer on, at the same time */
    uint32_t transfers_per_client;  /* of those, from one address */
    uint32_t probe_timeout_ms;
    uint32_t orphan_after_s;   /* of no primary that serves it; 0: never */
    uint32_t orphan_remove_s;  /* a zone that came by itself, so long an orphan; 0: never */
    uint32_t transfer_idle_ms; /* no octet for so long: give up */
    uint32_t transfer_max_s;   /* one transfer in all */
    uint64_t max_zone_bytes;
    uint64_t max_zone_records;
    uint32_t max_rrset_records;
    uint32_t max_owner_types;
    uint64_t change_log_bytes; /* change sets kept in the store once journaled */
    char *retention_text;      /* of the history; as `retention` has it */
    struct config_retention retention;
    bool checkpoints; /* signed, instead of each version */
    uint32_t checkpoint_commits, checkpoint_time_s;
    uint64_t zone_cache_bytes; /* kept in memory for the next increment */
    uint32_t pool_threads;
    uint32_t probe_rate;             /* SOA probes a second, overall */
    uint32_t probe_rate_per_primary; /* of those, to one address; 0: any number */
    struct addr *resolvers;          /* for the addresses of nameservers; none: the system's */
    size_t resolver_count;
    uint32_t notify_ns_port;      /* where nameservers are told of changes */
    char *guard_user;             /* that guard commands run as, if syncd is root; "": its own */
    uint32_t guard_commands;      /* at the same time */
    uint32_t signature_warning_s; /* before those of zones end that wait for an operator */
    char *socket_group;           /* group that may use zonectl; "": the daemon's own */

    /* api */
    struct addr *api_listen; /* the control surface by TLS; none: by its Unix socket alone */
    size_t api_listen_count;
    char *api_certificate; /* files in PEM; both are set if api_listen is */
    char *api_certificate_key;
    struct config_api_key *api_keys;
    size_t api_key_count;

    struct config_key *keys;
    size_t key_count;
    struct config_client *clients;
    size_t client_count;
    struct config_primary *primaries;
    size_t primary_count;
    struct config_secondary *secondaries;
    size_t secondary_count;
    struct config_autoprimary *autoprimaries;
    size_t autoprimary_count;
    struct config *base, *more; /* what config_extend made it of; else NULL */
    struct config_update_policy *update_policies;
    size_t update_policy_count;
    struct config_template *templates;
    size_t template_count;
    struct config_catalog *catalogs;
    size_t catalog_count;
    struct config_producer *producers;
    size_t producer_count;
    struct config_directory *directories;
    size_t directory_count;
    struct config_remote *remotes;
    size_t remote_count;
    struct config_zone *zones; /* those of catalogs and producers too */
    size_t zone_count;
};

/* Reads and checks the whole file. On error nothing is left over; the text has file:line. */
MUST_USE enum err config_load(struct config **out, const char *path, struct errinfo *e);
/* `base` and the sections primary and autoprimary in `text` (which may name keys of `base`), behind
 * those that it has. The new configuration holds a reference to `base`, which is not extended
 * itself. ERR_FORMAT. */
MUST_USE enum err config_extend(struct config **out, struct config *base, const char *text,
                                struct errinfo *e);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);

/* The directory in which a file (an absolute path) lies, not below it; NULL: none of them. */
const struct config_directory *config_directory_of(const struct config *c, const char *file);
/* The command on one line an argument, for comparing; and the one of some section that is this,
 * with this time limit (`text` NULL: any one). Lent; NULL: there is none. */
void config_command_text(char out[CONFIG_COMMAND_MAX + 1], const struct config_command *cmd);
const struct config_command *config_command_find(const struct config *c, const char *text,
                                                 uint32_t time_s);
bool config_remote_is_ssh(const struct config_remote *r);
/* "keep", "increment" or "date". */
bool config_serial_from_text(enum config_serial *out, const char *text);

/* "auto", "exact" or "local". */
bool config_rollback_serial_from_text(enum config_rollback_serial *out, const char *text);

/* The reference of all items, as Markdown, from the table. */
void config_help(struct buf *out);

#endif
