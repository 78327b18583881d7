#include "lib/base/config_items.h"

#include <string.h>

#define AT(field) offsetof(struct config, field)
#define NONE CONFIG_NO_OFFSET
#define DAY 86400u

/* Who is told of a zone's changes, and may have it. */
#define TRANSFER_ITEMS(section)                                                                      \
    {section,    "secondaries",                                                                      \
     ITEM_NAMES, 0,                                                                                  \
     0,          "",                                                                                 \
     NONE,       "Secondaries by name: told of each change, and allowed to transfer."},              \
        {section,                                                                                    \
         "notify-ns",                                                                                \
         ITEM_FLAG,                                                                                  \
         0,                                                                                          \
         0,                                                                                          \
         "no",                                                                                       \
         NONE,                                                                                       \
         "Tell the zone's own nameservers (its NS records, but for the one that its SOA names as "   \
         "primary) of each change, unsigned, beside the secondaries. That alone allows them "        \
         "nothing."},                                                                                \
        {section,    "transfer-keys",                                                                \
         ITEM_NAMES, 0,                                                                              \
         0,          "",                                                                             \
         NONE,       "Keys that allow transfers from any address."},                                 \
        {section,    "transfer-clients",                                                             \
         ITEM_NAMES, 0,                                                                              \
         0,          "",                                                                             \
         NONE,       "Clients by name: who shows their certificate may transfer from any address."}, \
        {section,                                                                                    \
         "transfer-from",                                                                            \
         ITEM_NAMES,                                                                                 \
         0,                                                                                          \
         0,                                                                                          \
         "",                                                                                         \
         NONE,                                                                                       \
         "Networks from which anybody may transfer, unsigned too. Nobody, unless it stands "         \
         "here."},                                                                                   \
        {section,    "transfer-from-tls",                                                            \
         ITEM_NAMES, 0,                                                                              \
         0,          "",                                                                             \
         NONE,       "Networks from which anybody may transfer, but only by TLS."},                  \
    {                                                                                                \
        section, "transfer-tls", ITEM_TEXT, 0, 0, "no", NONE,                                        \
            "What every transfer of the zone must come by, whoever asks. no: anything; yes: TLS; "   \
            "certificate: TLS, with a client certificate that tls-client-ca vouches for, or that "   \
            "is "                                                                                    \
            "one of the clients'."                                                                   \
    }

/* What a new version from a primary must pass before it is served. */
#define GUARD_ITEMS(section)                                                                       \
    {section,                                                                                      \
     "retention",                                                                                  \
     ITEM_TEXT,                                                                                    \
     0,                                                                                            \
     0,                                                                                            \
     "",                                                                                           \
     NONE,                                                                                         \
     "The same as syncd's retention, for the history of these zones; empty: as that says."},       \
        {section,                                                                                  \
         "guard-shrink-percent",                                                                   \
         ITEM_U32,                                                                                 \
         0,                                                                                        \
         100,                                                                                      \
         "0",                                                                                      \
         NONE,                                                                                     \
         "A new version with fewer records is quarantined if more than so many per cent are "      \
         "gone; 0: "                                                                               \
         "off. With guard-shrink-records too, it must be more than both."},                        \
        {section, "guard-shrink-records", ITEM_U32, 0, 1000000000, "0",                            \
         NONE,    "The same, in records."},                                                        \
        {section,                                                                                  \
         "guard-growth-percent",                                                                   \
         ITEM_U32,                                                                                 \
         0,                                                                                        \
         1000000000,                                                                               \
         "0",                                                                                      \
         NONE,                                                                                     \
         "A new version with more records is quarantined if so many per cent are exceeded; 0: "    \
         "off. With guard-growth-records too, it must be more than both."},                        \
        {section, "guard-growth-records", ITEM_U32, 0, 1000000000, "0",                            \
         NONE,    "The same, in records."},                                                        \
        {section,                                                                                  \
         "guard-serial-jump",                                                                      \
         ITEM_U32,                                                                                 \
         0,                                                                                        \
         2147483647,                                                                               \
         "0",                                                                                      \
         NONE,                                                                                     \
         "A new version whose serial is further ahead than so much is quarantined; 0: off."},      \
        {section,                                                                                  \
         "guard-serial-back",                                                                      \
         ITEM_TEXT,                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         "ignore",                                                                                 \
         NONE,                                                                                     \
         "When the serial at all primaries that answer is behind ours: ignore, alert (a warning "  \
         "in "                                                                                     \
         "the log, once) or accept: the whole zone is taken from "                                 \
         "there when no primary has had ours, or a newer one, for guard-serial-back-after."},      \
        {section,      "guard-serial-back-after",                                                  \
         ITEM_SECONDS, 0,                                                                          \
         28 * DAY,     "1h",                                                                       \
         NONE,         "With guard-serial-back = accept: for so long; 0: at once."},               \
        {section,                                                                                  \
         "rollback-serial",                                                                        \
         ITEM_TEXT,                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         "auto",                                                                                   \
         NONE,                                                                                     \
         "The serial under which a zone from primaries is rolled back, unless the operator says "  \
         "it: exact (the old one, which secondaries that have a newer one do not take), local (a " \
         "newer one of our own, not for signed zones) or auto: local where the zone bears it."},   \
        {section,                                                                                  \
         "guard-zonemd",                                                                           \
         ITEM_TEXT,                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         "off",                                                                                    \
         NONE,                                                                                     \
         "A new version whose digest (ZONEMD, RFC 8976) is wrong is quarantined: off, if-present " \
         "or required. A first version is refused."},                                              \
        {section,                                                                                  \
         "guard-dnssec",                                                                           \
         ITEM_TEXT,                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         "off",                                                                                    \
         NONE,                                                                                     \
         "A new version that a validator would not believe (a signature missing, wrong or not in " \
         "force, a chain of NSEC or NSEC3 broken, no signatures any more) is quarantined: off, "   \
         "if-signed or required. A first version is refused."},                                    \
        {section,      "guard-dnssec-life",                                                        \
         ITEM_SECONDS, 0,                                                                          \
         366 * DAY,    "0",                                                                        \
         NONE,         "For so long from now on its signatures must be good."},                    \
        {section,                                                                                  \
         "guard-dnssec-anchor",                                                                    \
         ITEM_NAMES,                                                                               \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         NONE,                                                                                     \
         "What must vouch for its keys: DS or DNSKEY records, each as a line of a zone file. A "   \
         "zone with one must be signed; those of other names are for other zones. Empty: its own " \
         "keys do."},                                                                              \
    {                                                                                              \
        section, "guard-apex-ns", ITEM_TEXT, 0, 0, "ignore", NONE,                                 \
            "When the NS records of the zone's own name change: ignore, alert (a warning in the "  \
            "log) or quarantine."                                                                  \
    }

/* A program that is asked about it last. */
#define COMMAND_ITEMS(section)                                                                     \
    {section,                                                                                      \
     "guard-command",                                                                              \
     ITEM_NAMES,                                                                                   \
     0,                                                                                            \
     0,                                                                                            \
     "",                                                                                           \
     NONE,                                                                                         \
     "A program (absolute path, and arguments) that judges each new version last: it exits with "  \
     "0, "                                                                                         \
     "or the version is quarantined. Empty: none."},                                               \
        {section, "guard-command-time",         ITEM_SECONDS, 1, 3600, "30s",                      \
         NONE,    "It is killed after so long."},                                                  \
    {                                                                                              \
        section, "guard-command-failure", ITEM_TEXT, 0, 0, "quarantine", NONE,                     \
            "What becomes of a version that it could not judge (killed, too slow, not there): "    \
            "quarantine or serve."                                                                 \
    }

/* What a zone may have, its own or one that its autoprimary's section gives it. */
#define ZONE_ITEMS(section)                                                                        \
    {section,    "notify-keys",                                                                    \
     ITEM_NAMES, 0,                                                                                \
     0,          "",                                                                               \
     NONE,       "Keys whose NOTIFY is accepted from any address."},                               \
        {section,                                                                                  \
         "notify-clients",                                                                         \
         ITEM_NAMES,                                                                               \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         NONE,                                                                                     \
         "Clients by name: whose NOTIFY comes by TLS and shows their certificate, it is accepted " \
         "from any address."},                                                                     \
        TRANSFER_ITEMS(section),                                                                   \
        {section,   "forward-updates",                                                             \
         ITEM_FLAG, 0,                                                                             \
         0,         "no",                                                                          \
         NONE,      "Pass signed UPDATEs on to the zone's primary, which checks the signature."},  \
        {section,      "refresh-min",                                                              \
         ITEM_SECONDS, 1,                                                                          \
         28 * DAY,     "30s",                                                                      \
         NONE,         "Shortest refresh interval, whatever the SOA says."},                       \
        {section,  "refresh-max", ITEM_SECONDS, 1,                                                 \
         28 * DAY, "1d",          NONE,         "Longest refresh interval."},                      \
        {section, "retry-min", ITEM_SECONDS, 1, 28 * DAY, "5s", NONE, "Shortest retry interval."}, \
        {section, "retry-max", ITEM_SECONDS, 1, 28 * DAY, "2h", NONE, "Longest retry interval."},  \
        {section,                                                                                  \
         "primary-tolerance",                                                                      \
         ITEM_SECONDS,                                                                             \
         0,                                                                                        \
         28 * DAY,                                                                                 \
         "0",                                                                                      \
         NONE,                                                                                     \
         "With several primaries: stay with the one that the zone came from, and take a newer "    \
         "version from another only if it has not got it after so long; then all of the zone. 0: " \
         "take the newest from whoever has it."},                                                  \
        {section, "catalog", ITEM_TEXT, 0,                                                         \
         0,       "",        NONE,      "The producer section whose catalog zone lists it."},      \
        {section,   "catalog-group",                                                               \
         ITEM_TEXT, 0,                                                                             \
         0,         "",                                                                            \
         NONE,      "Its group in that catalog (RFC 9432 4.3.2)."},                                \
        GUARD_ITEMS(section), COMMAND_ITEMS(section),                                              \
        {section,                                                                                  \
         "stage-time",                                                                             \
         ITEM_SECONDS,                                                                             \
         0,                                                                                        \
         28 * DAY,                                                                                 \
         "0",                                                                                      \
         NONE,                                                                                     \
         "Each new version that passed all guards is served so long after it came, unless an "     \
         "operator releases or rejects it before; 0: at once. A first version always is."},        \
                                                                                                   \
    {                                                                                              \
        section, "expire-max", ITEM_SECONDS, 0, 366 * DAY, "0", NONE,                              \
            "Longest time without a primary before the zone expires; 0: as the SOA says."          \
    }

static const struct config_item items[] = {
    {"root", "node", ITEM_TEXT, 0, 0, "", AT(node),
     "Name of this node in the journal (committer). Empty: the host name."},
    {"root", "data-dir", ITEM_TEXT, 0, 0, "/var/lib/zoneledger", AT(data_dir),
     "Directory of the store and the journal; syncd writes it, authd reads the store."},
    {"root", "run-dir", ITEM_TEXT, 0, 0, "/run/zoneledger", AT(run_dir),
     "Directory of the Unix sockets (hand-over and control)."},
    {"root", "sandbox", ITEM_FLAG, 0, 0, "yes", AT(sandbox),
     "Once they have started, both daemons give up what they do not need: capabilities, system "
     "calls (seccomp), and other files than theirs (Landlock), as far as the kernel has them."},

    {"log", "level", ITEM_LOG_LEVEL, 0, 0, "info", AT(log_level), "error, warning, info or debug."},
    {"log", "format", ITEM_LOG_FORMAT, 0, 0, "text", AT(log_format),
     "text (key=value) or json, to stderr."},

    {"authd", "listen", ITEM_NAMES, 0, 0, "", NONE,
     "Addresses to answer on, ADDRESS or ADDRESS@PORT. Nothing listens unless it stands here."},
    {"authd", "listen-tls", ITEM_NAMES, 0, 0, "", NONE,
     "Addresses for DNS over TLS (RFC 7858), ADDRESS or ADDRESS@PORT; port 853 if none is given."},
    {"authd", "tls-certificate", ITEM_TEXT, 0, 0, "", AT(tls_certificate),
     "Certificate and what follows it to the root, in PEM. SIGHUP reads it and the key again."},
    {"authd", "tls-key", ITEM_TEXT, 0, 0, "", AT(tls_key),
     "Its private key, in PEM, without a password; mode 0600 or 0640."},
    {"authd", "tls-clients", ITEM_TEXT, 0, 0, "no", NONE,
     "Whether clients are asked for a certificate. no; accept: those who have one show it; demand: "
     "without one (of tls-client-ca, if that is given) there is no connection."},
    {"authd", "tls-client-ca", ITEM_TEXT, 0, 0, "", AT(tls_client_ca),
     "Certificates of the authorities that vouch for the names of clients, in PEM. Empty: clients "
     "are known by pins alone. SIGHUP reads it again."},
    {"authd", "tls-handshake", ITEM_MS, 100, 3600000, "5s", AT(tls_handshake_ms),
     "Time for a TLS handshake, from the connection on."},
    {"authd", "proxy-from", ITEM_NAMES, 0, 0, "", NONE,
     "Load balancers, ADDRESS or NETWORK/LENGTH: each connection and each datagram from there must "
     "begin with a PROXY header, version 2, which says who the client is."},
    {"authd", "workers", ITEM_U32, 0, 256, "0", AT(workers),
     "Worker threads; 0 is one for each processor."},
    {"authd", "udp-payload", ITEM_U32, 512, 4096, "1232", AT(udp_payload),
     "Largest UDP answer in octets (RFC 9715)."},
    {"authd", "tcp-clients", ITEM_U32, 1, 1000000, "1000", AT(tcp_clients),
     "TCP and TLS connections at the same time. When there are so many, the one that has been idle "
     "longest is closed for each new one."},
    {"authd", "tcp-per-source", ITEM_U32, 1, 1000000, "100", AT(tcp_per_source),
     "Of those, from one IPv4 address or IPv6 /64."},
    {"authd", "tcp-idle", ITEM_MS, 100, 3600000, "10s", AT(tcp_idle_ms),
     "A TCP connection without traffic is closed after this time (RFC 7766 6.2.3)."},
    {"authd", "tcp-first", ITEM_MS, 100, 3600000, "3s", AT(tcp_first_ms),
     "Time for the first whole message on a TCP connection (on TLS: after the handshake)."},
    {"authd", "tcp-message", ITEM_MS, 100, 3600000, "5s", AT(tcp_message_ms),
     "Time for any message on a TCP connection, from its first octet to its last."},
    {"authd", "tcp-write", ITEM_MS, 100, 3600000, "10s", AT(tcp_write_ms),
     "Time for a TCP client to take the answers that wait for it (128 KiB at most)."},
    {"authd", "tcp-pipeline", ITEM_U32, 1, 10000, "100", AT(tcp_pipeline),
     "Unanswered queries on one TCP connection; more are not read meanwhile."},
    {"authd", "tcp-queries", ITEM_U32, 0, UINT32_MAX, "0", AT(tcp_queries),
     "Queries on one TCP connection before it is closed; 0: any number."},
    {"authd", "cookies", ITEM_FLAG, 0, 0, "yes", AT(cookies),
     "DNS cookies (RFC 7873, 9018): who shows one that was made for its address is not "
     "rate-limited."},
    {"authd", "cookie-secret-file", ITEM_TEXT, 0, 0, "", AT(cookie_secret_file),
     "File with the secrets of cookies, 32 hex digits a line, mode 0600 or 0640, the same on all "
     "servers of an address: the first makes cookies, all are accepted. SIGHUP reads it again. "
     "Empty: "
     "a random one, new each day."},
    {"authd", "rrl", ITEM_FLAG, 0, 0, "yes", AT(rrl),
     "Response-rate limiting of UDP answers: the rates below are for each network, kind of answer "
     "and name. TCP and TLS are not limited."},
    {"authd", "rrl-rate", ITEM_U32, 0, 100000, "200", AT(rrl_rate),
     "Answers with data a second to one network from one name (wildcard, alias); 0: any number, "
     "here and in the next three."},
    {"authd", "rrl-negative-rate", ITEM_U32, 0, 100000, "200", AT(rrl_negative_rate),
     "NXDOMAIN and NODATA a second to one network from one zone."},
    {"authd", "rrl-referral-rate", ITEM_U32, 0, 100000, "200", AT(rrl_referral_rate),
     "Referrals a second to one network for one delegated zone."},
    {"authd", "rrl-error-rate", ITEM_U32, 0, 100000, "200", AT(rrl_error_rate),
     "Errors (REFUSED, FORMERR, SERVFAIL ...) a second to one network."},
    {"authd", "rrl-slip", ITEM_U32, 0, 15, "2", AT(rrl_slip),
     "Of the answers over the rate, each second (third ...) one is sent empty and truncated, so "
     "that "
     "a real client comes by TCP; the others are dropped. 1: all are sent so; 0: all are dropped."},
    {"authd", "rrl-ipv4-prefix", ITEM_U32, 1, 32, "24", AT(rrl_ipv4_prefix),
     "Bits of an IPv4 address that make a network."},
    {"authd", "rrl-ipv6-prefix", ITEM_U32, 1, 64, "56", AT(rrl_ipv6_prefix),
     "Bits of an IPv6 address that make a network."},
    {"authd", "rrl-exempt", ITEM_NAMES, 0, 0, "", NONE,
     "Networks that are not limited, ADDRESS or NETWORK/LENGTH."},
    {"authd", "rrl-log-only", ITEM_FLAG, 0, 0, "no", AT(rrl_log_only),
     "Count and log what is over the rate, but send it."},
    {"authd", "rrl-buckets", ITEM_COUNT, 512, 1u << 27, "512k", AT(rrl_buckets),
     "Size of the table, 8 octets each; changes with a restart."},
    {"authd", "zone-counters", ITEM_FLAG, 0, 0, "no", AT(zone_counters),
     "Count answers for each zone too: some 320 octets a zone and 64 more for each worker; changes "
     "with a "
     "restart."},
    {"authd", "version", ITEM_TEXT, 0, 0, "", AT(version_text),
     "Answer to version.bind CH TXT. Empty: refused."},
    {"authd", "server-id", ITEM_TEXT, 0, 0, "", AT(server_id),
     "Name of this server, given to id.server CH TXT and to NSID (RFC 5001). Empty: neither."},
    {"authd", "user", ITEM_TEXT, 0, 0, "", AT(authd_user),
     "User to become once the sockets are bound, when started as root. Empty: stay."},
    {"authd", "group", ITEM_TEXT, 0, 0, "", AT(authd_group),
     "Group to become with it; it needs read access to the store."},

    {"syncd", "transfers-in", ITEM_U32, 1, 10000, "10", AT(transfers_in),
     "Zone transfers running at the same time."},
    {"syncd", "transfers-per-primary", ITEM_U32, 1, 10000, "2", AT(transfers_per_primary),
     "Of those, from one primary."},
    {"syncd", "guard-commands", ITEM_U32, 1, 100, "2", AT(guard_commands),
     "Guard commands running at the same time; others wait."},
    {"syncd", "guard-user", ITEM_TEXT, 0, 0, "", AT(guard_user),
     "User that guard commands run as, if syncd runs as root; its groups must have the one that "
     "the data directory belongs to. Empty: syncd's own, without privileges."},
    {"syncd", "signature-warning", ITEM_SECONDS, 0, 366 * DAY, "3d", AT(signature_warning_s),
     "So long before the signatures end of what a zone serves that is held, or has a quarantined "
     "version, the log says so."},
    {"syncd", "transfers-out", ITEM_U32, 1, 100000, "100", AT(transfers_out),
     "Connections at the same time on which secondaries transfer zones from us."},
    {"syncd", "transfers-per-client", ITEM_U32, 1, 100000, "10", AT(transfers_per_client),
     "Of those, from one address."},
    {"syncd", "probe-timeout", ITEM_MS, 100, 60000, "2s", AT(probe_timeout_ms),
     "Time for an answer to a SOA probe; it is sent twice by UDP, then by TCP."},
    {"syncd", "orphan-after", ITEM_SECONDS, 0, 366 * DAY, "7d", AT(orphan_after_s),
     "A zone that an autoprimary brought is an orphan once all its primaries have said for so long "
     "that they do not serve it (REFUSED, NOTAUTH); 0: never."},
    {"syncd", "orphan-remove", ITEM_SECONDS, 0, 366 * DAY, "0", AT(orphan_remove_s),
     "An orphan is removed after so long a time more; undelete brings it back. 0: never."},
    {"syncd", "probe-rate", ITEM_U32, 1, 1000000, "500", AT(probe_rate),
     "SOA probes a second, over all zones."},
    {"syncd", "probe-rate-per-primary", ITEM_U32, 0, 1000000, "0", AT(probe_rate_per_primary),
     "Of those, to one primary. 0: as many as all."},
    {"syncd", "resolvers", ITEM_NAMES, 0, 0, "", NONE,
     "Where the addresses of nameservers are asked for that `notify-ns` tells of changes, and "
     "whose "
     "names are in no zone served here: ADDRESS or ADDRESS@PORT. Empty: those of "
     "/etc/resolv.conf."},
    {"syncd", "notify-ns-port", ITEM_U32, 1, 65535, "53", AT(notify_ns_port),
     "Port at which those nameservers are told."},
    {"syncd", "transfer-idle", ITEM_MS, 1000, 3600000, "30s", AT(transfer_idle_ms),
     "A transfer that brings nothing for so long is given up."},
    {"syncd", "transfer-max", ITEM_SECONDS, 10, DAY, "2h", AT(transfer_max_s),
     "A transfer that takes longer in all is given up."},
    {"syncd", "max-zone-size", ITEM_OCTETS, 4096, UINT64_C(1) << 40, "1G", AT(max_zone_bytes),
     "Largest zone accepted from a primary, in octets of uncompressed records."},
    {"syncd", "max-zone-records", ITEM_COUNT, 2, UINT64_C(1000000000), "10M", AT(max_zone_records),
     "Most records in a zone accepted from a primary."},
    {"syncd", "max-rrset-records", ITEM_U32, 1, 65535, "5000", AT(max_rrset_records),
     "Most records in one RRset."},
    {"syncd", "max-owner-types", ITEM_U32, 1, 65535, "100", AT(max_owner_types),
     "Most types at one owner."},
    {"syncd", "change-log", ITEM_OCTETS, 1 << 16, UINT64_C(1) << 40, "256M", AT(change_log_bytes),
     "Change sets kept in the store once the journal has them."},
    {"syncd", "retention", ITEM_TEXT, 0, 0, "all", AT(retention_text),
     "How long the history keeps the content of versions. all: for ever; 90d then day: of versions "
     "that are older than 90 days the last one of each day (or week, or month) alone; 90d then "
     "day, "
     "730d then month: of still older ones fewer."},
    {"syncd", "checkpoints", ITEM_FLAG, 0, 0, "no", AT(checkpoints),
     "Once there is a key: sign checkpoints, which vouch for the whole history, and not each "
     "version. For many changes a second."},
    {"syncd", "checkpoint-commits", ITEM_U32, 1, 1000000, "1000", AT(checkpoint_commits),
     "A checkpoint after so many versions."},
    {"syncd", "checkpoint-time", ITEM_SECONDS, 1, DAY, "60s", AT(checkpoint_time_s),
     "A checkpoint at the latest so long after a version that none vouches for."},
    {"syncd", "zone-cache", ITEM_OCTETS, 0, UINT64_C(1) << 40, "128M", AT(zone_cache_bytes),
     "Zones kept in memory whose primaries send increments, so that the next one needs not the "
     "whole "
     "zone from the store."},
    {"syncd", "threads", ITEM_U32, 1, 64, "2", AT(pool_threads),
     "Threads that check and compare transferred zones."},
    {"syncd", "socket-group", ITEM_TEXT, 0, 0, "", AT(socket_group),
     "Group that may use the control socket. Empty: only the daemon's user and root."},

    {"api", "listen", ITEM_NAMES, 0, 0, "", NONE,
     "Where syncd's control surface listens by TLS, beside its Unix socket: ADDRESS or "
     "ADDRESS@PORT "
     "(8443). Empty: nowhere. Each request needs a key, see api-key."},
    {"api", "tls-certificate", ITEM_TEXT, 0, 0, "", AT(api_certificate),
     "File in PEM with its certificate, and those up to the root. Read again at a reload."},
    {"api", "tls-key", ITEM_TEXT, 0, 0, "", AT(api_certificate_key),
     "File in PEM with the certificate's private key, mode 0600 or 0640."},

    {"api-key", "hash", ITEM_TEXT, 0, 0, "", NONE,
     "What `zonectl api-key` printed for the key; the key itself stands nowhere here."},
    {"api-key", "role", ITEM_TEXT, 0, 0, "read", NONE,
     "read: looks and verifies. zones: acts on zones as well (rollback, hold, release, import, "
     "refresh, quarantine). admin: everything."},
    {"api-key", "from", ITEM_NAMES, 0, 0, "", NONE,
     "Networks that its requests come from. Empty: any."},

    {"key", "algorithm", ITEM_TEXT, 0, 0, "hmac-sha256", NONE,
     "hmac-sha224, -sha256, -sha384, -sha512; hmac-sha1 and hmac-md5 if a peer has no better."},
    {"key", "secret-file", ITEM_TEXT, 0, 0, "", NONE,
     "File with the secret in base64; mode 0600 or 0640. Only syncd opens it."},

    {"client", "names", ITEM_NAMES, 0, 0, "", NONE,
     "Who shows a certificate for one of these names to authd, and tls-client-ca vouches for it. A "
     "certificate's names are its DNS names (subjectAltName), or without any the common name of "
     "its "
     "subject."},
    {"client", "pins", ITEM_NAMES, 0, 0, "", NONE,
     "Or who shows a certificate, whoever made it, with one of these public keys: SHA-256 of the "
     "SubjectPublicKeyInfo, in base64."},

    {"primary", "address", ITEM_TEXT, 0, 0, "", NONE,
     "ADDRESS or ADDRESS@PORT of the primary; without a port 53, by TLS 853."},
    {"primary", "source", ITEM_TEXT, 0, 0, "", NONE,
     "Our address for probes and transfers. Empty: the system's choice."},
    {"primary", "key", ITEM_TEXT, 0, 0, "", NONE,
     "TSIG key for probes and transfers; its NOTIFYs must be signed with it too."},
    {"primary", "client", ITEM_TEXT, 0, 0, "", NONE,
     "Client by name: its NOTIFYs must come by TLS and show this certificate."},
    {"primary", "tls", ITEM_FLAG, 0, 0, "no", NONE,
     "Reach it by TLS alone (RFC 9103): TLS 1.3, ALPN dot, never anything else. It is known by "
     "tls-hostname, or tls-pins, or both."},
    {"primary", "tls-hostname", ITEM_TEXT, 0, 0, "", NONE,
     "Name, or address, that its certificate must be for, in force and vouched for by tls-ca."},
    {"primary", "tls-ca", ITEM_TEXT, 0, 0, "", NONE,
     "Certificates of the authorities that may vouch for it, in PEM. Empty: the system's. SIGHUP "
     "reads it again."},
    {"primary", "tls-pins", ITEM_NAMES, 0, 0, "", NONE,
     "Public keys, one of which it must have: SHA-256 of the SubjectPublicKeyInfo, in base64. "
     "Without tls-hostname that is enough, whoever made the certificate and when it ends."},
    {"primary", "tls-certificate", ITEM_TEXT, 0, 0, "", NONE,
     "Our certificate for it, and what follows to the root, in PEM. Empty: none is shown."},
    {"primary", "tls-key", ITEM_TEXT, 0, 0, "", NONE,
     "Its private key, in PEM, without a password; mode 0600 or 0640."},
    {"primary", "ixfr", ITEM_FLAG, 0, 0, "yes", NONE,
     "Ask for increments (RFC 1995); no: always for whole zones."},
    {"primary", "ixfr-udp", ITEM_FLAG, 0, 0, "no", NONE,
     "Ask for them by UDP first, and by TCP only if the answer does not fit into a datagram, or "
     "does not come. It spares a small change the connection. Without a key, who can guess port "
     "and ID of a question can forge a change: give the primary one."},

    {"secondary", "address", ITEM_TEXT, 0, 0, "", NONE,
     "ADDRESS or ADDRESS@PORT that is told of changes (NOTIFY), and may transfer from any port."},
    {"secondary", "source", ITEM_TEXT, 0, 0, "", NONE,
     "Our address for NOTIFYs. Empty: the system's choice."},
    {"secondary", "key", ITEM_TEXT, 0, 0, "", NONE,
     "TSIG key: signs NOTIFYs to it, and its transfers must be signed with it."},
    {"secondary", "client", ITEM_TEXT, 0, 0, "", NONE,
     "Client by name: its transfers must come by TLS and show this certificate."},
    {"secondary", "tls", ITEM_FLAG, 0, 0, "no", NONE, "Its transfers must come by TLS."},
    {"secondary", "notify", ITEM_FLAG, 0, 0, "yes", NONE, "Tell it of changes."},

    {"autoprimary", "primaries", ITEM_NAMES, 0, 0, "", NONE,
     "Primaries whose NOTIFY for an unknown zone makes the zone appear here, signed with their "
     "key."},
    {"autoprimary", "nameservers", ITEM_NAMES, 0, 0, "", NONE,
     "One of these must be among the NS records that the primary has for the zone: our own names."},
    {"autoprimary", "suffixes", ITEM_NAMES, 0, 0, "", NONE,
     "Only zones at or below one of these. Empty: any."},
    {"autoprimary", "zones-max", ITEM_U32, 0, 100000000, "10000", NONE,
     "Zones that may come from here."},
    {"autoprimary", "zones-per-hour", ITEM_U32, 1, 100000000, "3600", NONE,
     "New zones in an hour."},
    ZONE_ITEMS("autoprimary"),

    {"update-policy", "keys", ITEM_NAMES, 0, 0, "", NONE,
     "Who signs with one of these TSIG keys may change what follows, in zones that name this "
     "policy."},
    {"update-policy", "from", ITEM_NAMES, 0, 0, "", NONE,
     "Only from these networks, ADDRESS or ADDRESS/BITS. A policy has keys, clients or networks, "
     "or "
     "several of them: then all must be right."},
    {"update-policy", "clients", ITEM_NAMES, 0, 0, "", NONE,
     "Only from who shows the certificate of one of these clients, by TLS."},
    {"update-policy", "tls", ITEM_FLAG, 0, 0, "no", NONE, "Only by TLS."},
    {"update-policy", "names", ITEM_NAMES, 0, 0, "", NONE,
     "Only these owners, written as in the zone; \"*.x\": all below x. Empty: all."},
    {"update-policy", "types", ITEM_NAMES, 0, 0, "", NONE,
     "Only these types. Empty: all but SOA, NS, RRSIG, NSEC, NSEC3."},

    {"template", "primaries", ITEM_NAMES, 0, 0, "", NONE, "Primaries by name."},
    ZONE_ITEMS("template"),

    {"catalog", "primaries", ITEM_NAMES, 0, 0, "", NONE,
     "Primaries of the catalog zone (RFC 9432), and of its zones unless `members` says otherwise."},
    {"catalog", "members", ITEM_TEXT, 0, 0, "", NONE,
     "Template of its zones. Empty: they are as this section says."},
    {"catalog", "groups", ITEM_NAMES, 0, 0, "", NONE,
     "Templates for groups, \"GROUP=TEMPLATE\": a zone gets the first one that it has a group "
     "for."},
    {"catalog", "unknown-group", ITEM_TEXT, 0, 0, "hold", NONE,
     "A zone whose groups are all unknown: hold (it is not provisioned, and shown by `zonectl "
     "catalog show`) or ignore (it is as zones without a group are). Where no groups are "
     "configured, they are ignored."},
    {"catalog", "account", ITEM_TEXT, 0, 0, "", NONE, "Account of its zones."},
    {"catalog", "suffixes", ITEM_NAMES, 0, 0, "", NONE,
     "Only zones at or below one of these. Empty: any."},
    {"catalog", "zones-max", ITEM_U32, 0, 100000000, "1000000", NONE,
     "Zones that may come from here."},
    {"catalog", "removals-free", ITEM_U32, 0, 100000000, "10", NONE,
     "So many zones may always be removed in an hour, if others stay."},
    {"catalog", "removals-percent", ITEM_U32, 0, 100, "10", NONE,
     "More than those, and more than so many per cent of the catalog's zones, wait until `zonectl "
     "catalog approve` says that they may go."},
    ZONE_ITEMS("catalog"),

    TRANSFER_ITEMS("producer"),
    {"producer", "coo-wait", ITEM_SECONDS, 1, DAY, "10s", NONE,
     "A zone that comes from another catalog of ours is listed here only so long after that one "
     "has "
     "told where it goes, since some consumers must hear that first."},
    {"producer", "coo-time", ITEM_SECONDS, 1, 366 * DAY, "7d", NONE,
     "A zone that moves to another catalog of ours stays listed here for so long, with a word of "
     "where it went, so that consumers hand it over."},

    {"directory", "account", ITEM_TEXT, 0, 0, "", NONE, "Account of its zones."},
    {"directory", "serial", ITEM_TEXT, 0, 0, "keep", NONE,
     "When a file changes: keep (its serial, which must be newer than ours), increment (its serial "
     "if that is newer, otherwise ours and one) or date (YYYYMMDDnn, UTC, unless its serial is "
     "newer)."},
    {"directory", "remove", ITEM_FLAG, 0, 0, "no", NONE,
     "Remove a zone when its file vanishes; its history is kept. no: it stays, and a warning is "
     "shown."},
    {"directory", "settle", ITEM_MS, 10, 600000, "500ms", NONE,
     "A file is read when nobody has written to it for so long."},
    {"directory", "interval", ITEM_SECONDS, 1, DAY, "5m", NONE,
     "All files are looked at so often, in case the system did not tell of a change."},
    TRANSFER_ITEMS("directory"),
    {"directory", "catalog", ITEM_TEXT, 0, 0, "", NONE,
     "The producer section whose catalog zone lists its zones."},
    {"directory", "catalog-group", ITEM_TEXT, 0, 0, "", NONE,
     "Their group in that catalog (RFC 9432 4.3.2)."},

    {"remote", "url", ITEM_TEXT, 0, 0, "", NONE,
     "A bare repository that the history is pushed to: ssh://[USER@]HOST[:PORT]/PATH, "
     "[USER@]HOST:PATH, https://HOST/PATH, or a path from the root on. Never with a password."},
    {"remote", "ssh-key", ITEM_TEXT, 0, 0, "", NONE,
     "File with the private key for ssh, without a passphrase. Empty: the user's own keys."},
    {"remote", "known-hosts", ITEM_TEXT, 0, 0, "", NONE,
     "File with the keys of ssh servers, beside /etc/ssh/ssh_known_hosts. An unknown server is "
     "refused."},
    {"remote", "credentials", ITEM_TEXT, 0, 0, "", NONE,
     "For https: file with a line https://USER:PASSWORD@HOST, as git-credential-store(1) has it."},
    {"remote", "user", ITEM_TEXT, 0, 0, "", NONE,
     "User that git runs as, if syncd runs as root; it must be able to read the journal. Empty: "
     "syncd's own, without privileges."},
    {"remote", "interval", ITEM_SECONDS, 1, DAY, "5s", NONE,
     "What is new is pushed so long after the last push, at the earliest."},
    {"remote", "retry-max", ITEM_SECONDS, 1, DAY, "10m", NONE,
     "After a failure it waits for the interval, then twice as long each time, up to this."},
    {"remote", "time-limit", ITEM_SECONDS, 1, DAY, "10m", NONE,
     "A push that takes longer is ended, and tried again."},

    {"zone", "update", ITEM_NAMES, 0, 0, "", NONE,
     "Policies by which a zone of our own may be changed by UPDATE (RFC 2136). Empty: by nobody."},
    {"zone", "primaries", ITEM_NAMES, 0, 0, "", NONE, "Primaries by name, in order of preference."},
    ZONE_ITEMS("zone"),
};

const struct config_item *config_items(size_t *n)
{
    *n = sizeof(items) / sizeof(items[0]);
    return items;
}

const struct config_item *config_item_find(const char *section, const char *name)
{
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        /* libconfuse names the top level "root" too. */
        if (strcmp(items[i].section, section) == 0 && strcmp(items[i].name, name) == 0)
            return &items[i];
    }
    return NULL;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit count_units[] = {
    {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit octet_units[] = {
    {"", 1}, {"k", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}, {NULL, 0}};
static const struct unit ms_units[] = {{"ms", 1},      {"s", 1000},        {"m", 60000},
                                       {"h", 3600000}, {"d", 1000u * DAY}, {NULL, 0}};
static const struct unit second_units[] = {{"", 1},    {"s", 1},       {"m", 60}, {"h", 3600},
                                           {"d", DAY}, {"w", 7 * DAY}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static enum err parse_number(uint64_t *out, const struct config_item *item, const char *text,
                             const struct unit *units, const char *example, struct errinfo *e)
{
    const char *p = text;
    uint64_t v = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return err_set(ERR_FORMAT, e, "'%s' is too large", text);
    }
    while (p != text && units->suffix && strcmp(units->suffix, p) != 0)
        units++;
    if (p == text || !units->suffix)
        return err_set(ERR_FORMAT, e, "'%s' should be %s", text, example);
    if (__builtin_mul_overflow(v, units->factor, &v) || v < item->min || v > item->max)
        return err_set(ERR_FORMAT, e, "'%s' is outside %llu to %llu%s", text,
                       (unsigned long long)item->min, (unsigned long long)item->max,
                       item->kind == ITEM_MS        ? " ms"
                       : item->kind == ITEM_SECONDS ? " s"
                                                    : "");
    *out = v;
    return OK;
}

enum err config_value_parse(union config_value *out, const struct config_item *item,
                            const char *text, struct errinfo *e)
{
    switch (item->kind) {
    case ITEM_TEXT:
    case ITEM_NAMES:
    case ITEM_ADDRESS:
        return OK;
    case ITEM_FLAG:
        out->flag = strcmp(text, "yes") == 0;
        if (out->flag || strcmp(text, "no") == 0)
            return OK;
        return err_set(ERR_FORMAT, e, "'%s' should be yes or no", text);
    case ITEM_U32:
        return parse_number(&out->number, item, text, no_units, "a number", e);
    case ITEM_COUNT:
        return parse_number(&out->number, item, text, count_units, "a number such as 10M", e);
    case ITEM_OCTETS:
        return parse_number(&out->number, item, text, octet_units, "a size such as 100M", e);
    case ITEM_MS:
        return parse_number(&out->number, item, text, ms_units,
                            "a time with its unit, such as 500ms or 10s", e);
    case ITEM_SECONDS:
        return parse_number(&out->number, item, text, second_units,
                            "a time such as 30s, 5m, 2h or 7d", e);
    case ITEM_LOG_LEVEL:
        if (log_level_from_text(&out->level, text))
            return OK;
        return err_set(ERR_FORMAT, e, "'%s' should be error, warning, info or debug", text);
    case ITEM_LOG_FORMAT:
        if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
            return err_set(ERR_FORMAT, e, "'%s' should be text or json", text);
        out->format = text[0] == 'j' ? LOG_JSON : LOG_TEXT;
        return OK;
    }
    return OK;
}

void config_help(struct buf *out)
{
    const char *section = "";

    buf_str(out, "| item | default | meaning |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        if (strcmp(section, items[i].section) != 0) {
            section = items[i].section;
            buf_printf(out, "| **%s** | | |\n",
                       strcmp(section, "root") == 0 ? "(top level)" : section);
        }
        buf_printf(out, "| `%s` | `%s` | %s |\n", items[i].name, items[i].def, items[i].help);
    }
}
