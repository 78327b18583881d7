#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/config.h"

static char path[] = "/tmp/zl-config-XXXXXX";

static const char good[] = "node = \"n1\"\n"
                           "data-dir = \"/d\"\n"
                           "log { level = debug format = json }\n"
                           "authd { listen = {\"127.0.0.1@5300\", \"::1@5300\"} tcp-idle = 5s\n"
                           "  listen-tls = {\"127.0.0.1\", \"::1@5353\"} tls-certificate = \"/c\"\n"
                           "  tls-key = \"/k\" proxy-from = {\"10.0.0.0/8\", \"::1\"}\n"
                           "  rrl-rate = 7 rrl-exempt = {\"192.0.2.0/24\"} rrl-log-only = yes\n"
                           "  cookie-secret-file = \"/s\" }\n"
                           "syncd { max-zone-size = 3M max-zone-records = 2k }\n"
                           "key \"k.example.\" { secret-file = \"/x\" }\n"
                           "primary \"p\" { address = \"127.0.0.1@5301\" key = \"k.example.\" }\n"
                           "primary \"q\" { address = \"2001:db8::1\" }\n"
                           "zone \"example.org\" { primaries = {\"q\", \"p\"}\n"
                           "  refresh-min = 2m notify-keys = {\"k.example.\"} }\n";

static void put_file(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void a_good_file_is_read(void **state)
{
    struct config *c = NULL;
    struct errinfo e = {{0}};

    (void)state;
    put_file(good);
    assert_int_equal(config_load(&c, path, &e), OK);
    assert_string_equal(c->node, "n1");
    assert_string_equal(c->data_dir, "/d");
    assert_string_equal(c->run_dir, "/run/zoneledger");
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_int_equal(c->log_format, LOG_JSON);
    assert_int_equal(c->listen_count, 2);
    assert_int_equal(c->listen[1].family, 6);
    assert_int_equal(c->listen[1].port, 5300);
    assert_int_equal(c->listen_tls_count, 2);
    assert_int_equal(c->listen_tls[0].port, 853);
    assert_int_equal(c->listen_tls[1].port, 5353);
    assert_string_equal(c->tls_certificate, "/c");
    assert_string_equal(c->tls_key, "/k");
    assert_int_equal(c->proxy_from_count, 2);
    assert_true(c->rrl); /* on unless somebody says no */
    assert_int_equal(c->rrl_rate, 7);
    assert_int_equal(c->rrl_negative_rate, 200);
    assert_int_equal(c->rrl_slip, 2);
    assert_int_equal(c->rrl_ipv4_prefix, 24);
    assert_int_equal(c->rrl_ipv6_prefix, 56);
    assert_int_equal(c->rrl_buckets, 512000);
    assert_true(c->rrl_log_only);
    assert_int_equal(c->rrl_exempt_count, 1);
    assert_int_equal(c->rrl_exempt[0].bits, 24);
    assert_false(c->zone_counters);
    assert_true(c->cookies);
    assert_string_equal(c->cookie_secret_file, "/s");
    assert_int_equal(c->proxy_from[0].bits, 8);
    assert_int_equal(c->proxy_from[1].bits, 128);
    assert_int_equal(c->tcp_idle_ms, 5000);
    assert_int_equal(c->udp_payload, 1232);
    assert_int_equal(c->max_zone_bytes, 3u << 20);
    assert_int_equal(c->max_zone_records, 2000);
    assert_int_equal(c->primaries[0].key, 0);
    assert_int_equal(c->primaries[1].key, -1);
    assert_int_equal(c->primaries[1].address.port, 53);
    assert_int_equal(c->zones[0].primaries[0], 1);
    assert_int_equal(c->zones[0].primaries[1], 0);
    assert_int_equal(c->zones[0].refresh_min_s, 120);
    assert_int_equal(c->zones[0].notify_keys[0], 0);
    config_unref(config_ref(c));
    config_unref(c);
}

struct bad {
    const char *text;
    int line;
    const char *says;
};

static const struct bad bads[] = {
    {"nod = \"x\"\n", 1, "nod"},
    {"\nlog { levl = debug }\n", 2, "levl"},
    {"log { level = loud }\n", 1, "'loud' should be error, warning, info or debug"},
    {"primary \"p\" { address = \"192.0.2.1\" ixfr = perhaps }\n", 1,
     "ixfr: 'perhaps' should be yes or no"},
    {"log { format = xml }\n", 1, "'xml' should be text or json"},
    {"\n\nauthd { tcp-idle = 5x }\n", 3, "tcp-idle: '5x' should be a time with its unit"},
    {"authd { tcp-idle = 5 }\n", 1, "tcp-idle"},
    {"authd { udp-payload = 100 }\n", 1, "'100' is outside 512 to 4096"},
    {"authd { workers = -1 }\n", 1, "workers"},
    {"authd {\ncookies = some }\n", 2, "cookies: 'some' should be yes or no"},
    {"authd { workers = two }\n", 1, "'two' should be a number"},
    {"authd { listen = {\"localhost\"} }\n", 1, "'localhost' is not an IP address"},
    {"authd { listen = {\"127.0.0.1@99999\"} }\n", 1, "no valid port"},
    {"authd { listen = {\"127.0.0.1\", \"127.0.0.1@53\"} }\n", 1, "stands there twice"},
    {"authd { listen-tls = {\"::1\"} }\n", 1, "listen-tls: needs tls-certificate and tls-key"},
    {"authd { listen-tls = {\"::1\"} tls-key = \"/k\" }\n", 1, "needs tls-certificate and tls-key"},
    {"authd { listen-tls = {\"::1@53\"} }\n", 1, "port 53 is for DNS without TLS"},
    {"authd { listen-tls = {\"::1\", \"::1@853\"} }\n", 1, "stands there twice"},
    {"authd { listen = {\"::1@853\"} listen-tls = {\"::1\"} }\n", 1, "stands in listen too"},
    {"authd { proxy-from = {\"192.0.2.1/24\"} }\n", 1, "proxy-from: '192.0.2.1/24' has bits set"},
    {"authd { proxy-from = {\"balancer\"} }\n", 1, "'balancer' is not a network"},
    {"syncd { max-zone-size = 99999999999999999999 }\n", 1, "too large"},
    {"key \"k\" { }\n", 1, "needs a secret-file"},
    {"primary \"p\" { }\n", 1, "needs an address"},
    {"primary \"p\" { address = \"::1\" source = \"127.0.0.1\" }\n", 1, "different families"},
    {"primary \"p\" { address = \"::1\" key = \"nokey\" }\n", 1, "there is no key 'nokey'"},
    {"primary \"p\" { address = \"::1\" }\nprimary \"p\" { address = \"::1\" }\n", 2, "duplicate"},
    {"zone \"z\" { }\n", 1, "needs primaries"},
    {"zone \"z\" { primaries = {\"nobody\"} }\n", 1, "there is no primary 'nobody'"},
    {"primary \"p\" { address = \"::1\" }\nzone \"z\" { primaries = {\"p\"} retry-min = 2h "
     "retry-max = 1h }\n",
     2, "a minimum is above its maximum"},
    {"zone \"z\" { catalog = \"c\" }\n", 1, "there is no producer with this name"},
    {"producer \"c\" { }\nzone \"z\" { catalog-group = \"g\" }\n", 2, "needs a catalog"},
    {"producer \"c\" { secondaries = {\"nobody\"} }\n", 1, "there is no secondary 'nobody'"},
    {"producer \"c\" {\n coo-time = 0 }\n", 2, "outside 1 to"},
    {"directory \"zones\" { }\n", 1, "its name is the path from the root on"},
    {"primary p { address = \"::1\" }\nzone a { primaries = {p} }\nzone b { primaries = {p} }\n"
     "zone a { primaries = {p} }\n",
     4, "zone 'a': stands there twice"},
    {"primary p { address = \"::1\" }\nzone a { primaries = {p} }\nzone b { primaries = {p} oops "
     "}\n",
     3, "oops"},
    {"directory \"/z\" { }\ndirectory \"/z/\" { }\n", 2, "stands there twice"},
    {"directory \"/z\" { serial = up }\n", 1, "serial should be keep, increment or date"},
    {"directory \"/z\" {\n\n settle = 1ms }\n", 3, "outside 10 to"},
    {"directory \"/z\" { secondaries = {\"nobody\"} }\n", 1, "there is no secondary 'nobody'"},
    {"directory \"/z\" { catalog = \"c\" }\n", 1, "there is no producer with this name"},
    {"zone \"z\" {\n", 2, ""},
    {"log { level = \"debug\n", 2, ""},
    {"log = debug\n", 1, ""},
    {"primary \"p\" { address = \"::1\" tls = yes }\n", 1, "needs tls-hostname or tls-pins"},
    {"primary \"p\" { address = \"::1\" ixfr-udp = yes tls = yes tls-hostname = x }\n", 1,
     "ixfr-udp goes with ixfr"},
    {"primary \"p\" { address = \"::1\" ixfr-udp = yes ixfr = no }\n", 1, "ixfr-udp goes with"},
    {"primary \"p\" { address = \"::1\" tls-ca = \"/x\" }\n", 1, "need tls = yes"},
    {"primary \"p\" { address = \"::1\" tls = yes tls-pins = {\"AAAA\"} }\n", 1,
     "a pin is the SHA-256"},
    {"primary \"p\" { address = \"::1\" tls = yes tls-ca = \"/x\" tls-pins = "
     "{\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} }\n",
     1, "tls-ca needs tls-hostname"},
    {"primary \"p\" { address = \"::1\" tls = yes tls-hostname = x tls-key = \"/x\" }\n", 1,
     "need each other"},
    {"primary \"p\" { address = \"::1@53\" tls = yes tls-hostname = x }\n", 1,
     "port 53 is for DNS without"},
    {"authd { tls-clients = some }\n", 1, "tls-clients is no, accept or demand"},
    {"authd { tls-clients = accept }\n", 1, "tls-clients needs listen-tls"},
    {"authd { tls-client-ca = \"/x\" }\n", 1, "tls-client-ca needs tls-clients"},
    {"client \"c\" { pins = {\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} }\n", 1,
     "client 'c': needs tls-clients = accept"},
    {"authd { listen-tls = {\"::1\"} tls-certificate = \"/c\" tls-key = \"/k\" tls-clients = "
     "accept }\nclient \"c\" { }\n",
     2, "needs names or pins"},
    {"authd { listen-tls = {\"::1\"} tls-certificate = \"/c\" tls-key = \"/k\" tls-clients = "
     "accept }\nclient \"c\" { names = {x} }\n",
     2, "names need tls-client-ca"},
    {"authd { listen-tls = {\"::1\"} tls-certificate = \"/c\" tls-key = \"/k\" tls-clients = "
     "accept }\nclient \"c\" { pins = {\"x\"} }\n",
     2, "a pin is the SHA-256"},
    {"secondary \"s\" { address = \"::1\" client = nobody }\n", 1, "there is no client 'nobody'"},
    {"zone \"z\" { transfer-clients = {nobody} }\n", 1, "there is no client 'nobody'"},
    {"zone \"z\" { transfer-from = {\"::1\"} transfer-tls = perhaps }\n", 1,
     "transfer-tls is no, yes or certificate"},
    {"zone \"z\" { transfer-from = {\"::1\"} transfer-tls = certificate }\n", 1,
     "needs tls-clients = accept"},
    {"update-policy \"u\" { tls = yes }\n", 1, "needs keys, clients or from"},
};

static void each_mistake_is_named_with_file_and_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        struct config *c = NULL;
        struct errinfo e = {{0}};
        char where[64];

        put_file(bads[i].text);
        assert_int_not_equal(config_load(&c, path, &e), OK);
        (void)snprintf(where, sizeof(where), "%s:%d: ", path, bads[i].line);
        if (!strstr(e.text, where) || !strstr(e.text, bads[i].says))
            fail_msg("case %zu: '%s' should have '%s' and '%s'", i, e.text, where, bads[i].says);
    }
}

/* Its zone stands behind the others, and zones find it by its name in any case. */
static void zones_name_the_catalog_that_lists_them(void **state)
{
    struct config *c = NULL;
    struct errinfo e = {{0}};

    (void)state;
    put_file("key \"k\" { secret-file = \"/x\" }\n"
             "producer \"cat.test\" { transfer-keys = {\"k\"} coo-time = 2h }\n"
             "zone \"a.test\" { catalog = \"CAT.test\" catalog-group = \"gold\" }\n"
             "zone \"b.test\" { transfer-keys = {\"k\"} }\n");
    assert_int_equal(config_load(&c, path, &e), OK);
    assert_int_equal(c->producer_count, 1);
    assert_int_equal(c->producers[0].coo_s, 7200);
    assert_int_equal(c->zone_count, 3);
    assert_ptr_equal(c->zones[0].member_of, &c->producers[0]);
    assert_string_equal(c->zones[0].catalog_group, "gold");
    assert_null(c->zones[1].member_of);
    assert_string_equal(c->zones[1].catalog_group, "");
    assert_string_equal(c->zones[2].name, "cat.test");
    assert_ptr_equal(c->zones[2].producer, &c->producers[0]);
    assert_int_equal(c->zones[2].transfer_key_count, 1);
    config_unref(c);
}

static void tls_is_read(void **state)
{
    static const uint8_t pin[] = {2};
    struct config *c = NULL;
    struct errinfo e = {{0}};

    (void)state;
    put_file(
        "authd { listen-tls = {\"::1\"} tls-certificate = \"/c\" tls-key = \"/k\"\n"
        "  tls-clients = demand tls-client-ca = \"/ca\" }\n"
        "client \"c\" { names = {\"a.test\", \"b.test\"} }\n"
        "client \"d\" { pins = {\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} }\n"
        "primary \"p\" { address = \"::1\" tls = yes tls-hostname = \"p.test\" client = \"d\" }\n"
        "primary \"q\" { address = \"::1\" }\n"
        "secondary \"s\" { address = \"::1\" client = \"c\" tls = yes }\n"
        "zone \"z\" { primaries = {\"p\"} notify-clients = {\"d\"} transfer-clients = {\"c\", "
        "\"d\"}\n  transfer-from-tls = {\"::1\"} transfer-tls = certificate }\n");
    assert_int_equal(config_load(&c, path, &e), OK);
    assert_int_equal(c->tls_clients, CONFIG_CLIENTS_DEMANDED);
    assert_string_equal(c->clients[0].names[1], "b.test");
    assert_memory_equal(c->clients[1].pins[0].sha256, pin, sizeof(pin));
    assert_true(c->primaries[0].tls.on);
    assert_int_equal(c->primaries[0].address.port, 853);
    assert_string_equal(c->primaries[0].tls.hostname, "p.test");
    assert_ptr_equal(c->primaries[0].client, &c->clients[1]);
    assert_false(c->primaries[1].tls.on);
    assert_int_equal(c->primaries[1].address.port, 53);
    assert_null(c->primaries[1].client);
    assert_ptr_equal(c->secondaries[0].client, &c->clients[0]);
    assert_true(c->secondaries[0].tls);
    assert_int_equal(c->zones[0].transfer_client_count, 2);
    assert_int_equal(c->zones[0].notify_clients[0], 1);
    assert_int_equal(c->zones[0].transfer_from_tls_count, 1);
    assert_int_equal(c->zones[0].transfer_tls, CONFIG_TLS_CERTIFICATE);
    config_unref(c);
}

static void a_file_belongs_to_the_directory_in_which_it_lies(void **state)
{
    struct config *c = NULL;
    struct errinfo e = {{0}};

    (void)state;
    put_file("key \"k\" { secret-file = \"/x\" }\n"
             "directory \"/srv/zones//\" { serial = date remove = yes settle = 2s interval = 1h\n"
             " account = \"own\" transfer-keys = {\"k\"} }\n"
             "directory \"/srv/zones/more\" { }\ndirectory \"/\" { }\n");
    assert_int_equal(config_load(&c, path, &e), OK);
    assert_int_equal(c->directory_count, 3);
    assert_string_equal(c->directories[0].path, "/srv/zones");
    assert_string_equal(c->directories[0].account, "own");
    assert_int_equal(c->directories[0].serial, CONFIG_SERIAL_DATE);
    assert_true(c->directories[0].remove);
    assert_int_equal(c->directories[0].settle_ms, 2000);
    assert_int_equal(c->directories[0].interval_s, 3600);
    assert_int_equal(c->directories[0].zone.transfer_key_count, 1);
    assert_int_equal(c->directories[1].serial, CONFIG_SERIAL_KEEP);
    assert_false(c->directories[1].remove);
    assert_int_equal(c->directories[1].settle_ms, 500);
    assert_ptr_equal(config_directory_of(c, "/srv/zones/a.zone"), &c->directories[0]);
    assert_ptr_equal(config_directory_of(c, "/srv/zones/more/a.zone"), &c->directories[1]);
    assert_ptr_equal(config_directory_of(c, "/a.zone"), &c->directories[2]);
    assert_null(config_directory_of(c, "/srv/zones/less/a.zone"));
    assert_null(config_directory_of(c, "/srv/zone/a.zone"));
    assert_null(config_directory_of(c, ""));
    config_unref(c);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct config *c = NULL;
    struct errinfo e = {{0}};

    (void)state;
    assert_int_equal(config_load(&c, "/nowhere/zl.conf", &e), ERR_IO);
    assert_string_equal(e.text, "/nowhere/zl.conf: No such file or directory");
}

static void the_reference_in_docs_is_the_table(void **state)
{
    struct buf want = BUF_INIT;
    char got[65536] = "";
    FILE *f = fopen("docs/zoneledger.conf.md", "r");
    const char *table;

    (void)state;
    if (!f)
        skip(); /* not run from the top of the tree */
    got[fread(got, 1, sizeof(got) - 1, f)] = 0;
    (void)fclose(f);
    config_help(&want);
    table = strstr(got, "| item |");
    assert_non_null(table);
    assert_string_equal(table, buf_cstr(&want));
    buf_free(&want);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_is_read),
        cmocka_unit_test(each_mistake_is_named_with_file_and_line),
        cmocka_unit_test(zones_name_the_catalog_that_lists_them),
        cmocka_unit_test(tls_is_read),
        cmocka_unit_test(a_file_belongs_to_the_directory_in_which_it_lies),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(the_reference_in_docs_is_the_table),
    };

    return cmocka_run_group_tests(tests, make_file, drop_file);
}
