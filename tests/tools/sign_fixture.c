#include "tests/tools/sign_fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define RSA_BITS 2048
#define HALF_MAX 48

static void must(bool ok)
{
    if (!ok) {
        (void)fprintf(stderr, "sign_fixture: failed\n");
        abort();
    }
}

static size_t half_of(uint8_t algorithm)
{
    return algorithm == 13 ? 32 : algorithm == 14 ? 48 : 0;
}

/* ---- Keys ---- */

static EVP_PKEY *new_pair(uint8_t algorithm, uint8_t seed)
{
    uint8_t secret[32];

    switch (algorithm) {
    case 13:
        return EVP_EC_gen("P-256");
    case 14:
        return EVP_EC_gen("P-384");
    case 15:
        memset(secret, seed, sizeof(secret));
        return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    case 16:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    default:
        return EVP_RSA_gen(RSA_BITS);
    }
}

static void put_number(struct buf *out, EVP_PKEY *pair, const char *name, bool with_length)
{
    BIGNUM *n = NULL;
    size_t len;

    must(EVP_PKEY_get_bn_param(pair, name, &n) == 1);
    len = (size_t)BN_num_bytes(n);
    if (with_length)
        buf_u8(out, (uint8_t)len);
    must(BN_bn2bin(n, buf_space(out, len)) == (int)len);
    BN_free(n);
}

static void put_public(struct buf *out, EVP_PKEY *pair, uint8_t algorithm)
{
    uint8_t octets[128];
    size_t n = sizeof(octets);

    if (algorithm <= 10) {
        put_number(out, pair, OSSL_PKEY_PARAM_RSA_E, true);
        put_number(out, pair, OSSL_PKEY_PARAM_RSA_N, false);
        return;
    }
    must(EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, octets, n, &n) == 1);
    if (half_of(algorithm))
        buf_put(out, octets + 1, n - 1); /* without the octet that says it is not compressed */
    else
        buf_put(out, octets, n);
}

void sign_key_init(struct sign_key *k, uint8_t algorithm, uint16_t flags, uint8_t seed)
{
    *k = (struct sign_key){.pair = new_pair(algorithm, seed), .algorithm = algorithm};
    must(k->pair != NULL);
    buf_u16(&k->dnskey, flags);
    buf_u8(&k->dnskey, 3);
    buf_u8(&k->dnskey, algorithm);
    put_public(&k->dnskey, k->pair, algorithm);
    k->tag = dnskey_tag(k->dnskey.data, k->dnskey.len);
}

void sign_key_set(struct sign_key *k, uint8_t algorithm, uint16_t flags)
{
    put_u16(k->dnskey.data, flags);
    k->dnskey.data[3] = algorithm;
    k->algorithm = algorithm;
    k->tag = dnskey_tag(k->dnskey.data, k->dnskey.len);
}

void sign_key_done(struct sign_key *k)
{
    EVP_PKEY_free(k->pair);
    buf_free(&k->dnskey);
}

/* ---- Signatures ---- */

static const EVP_MD *digest_of(const struct sign_key *k)
{
    if (EVP_PKEY_is_a(k->pair, "EC"))
        return EVP_PKEY_get_bits(k->pair) == 256 ? EVP_sha256() : EVP_sha384();
    if (!EVP_PKEY_is_a(k->pair, "RSA"))
        return NULL;
    return k->algorithm == 8 ? EVP_sha256() : k->algorithm == 10 ? EVP_sha512() : EVP_sha1();
}

/* The two numbers bare (RFC 6605 4). */
static void put_ecdsa(struct buf *out, const uint8_t *asn1, size_t len, size_t half)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &asn1, (long)len);

    must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), buf_space(out, half), (int)half) > 0 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(sig), buf_space(out, half), (int)half) > 0);
    ECDSA_SIG_free(sig);
}

void sign_rrset(struct buf *out, const struct sign_key *k, const struct sign_spec *s,
                const uint8_t *apex, const uint8_t *owner, const struct rrset *set)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct buf data = BUF_INIT;
    uint8_t octets[1024];
    size_t n = sizeof(octets);
    struct rrsig sig;

    buf_u16(out, set->type);
    buf_u8(out, k->algorithm);
    buf_u8(out, (uint8_t)(name_labels(owner) - (name_is_wildcard(owner) ? 1 : 0)));
    buf_u32(out, set->ttl);
    buf_u32(out, s->expiration);
    buf_u32(out, s->inception);
    buf_u16(out, k->tag);
    buf_put(out, apex, name_len(apex));
    must(rrsig_read(&sig, out->data, out->len) &&
         dnssec_signed_data(&data, &sig, owner, set->rdatas, set->rdatas_len));
    must(EVP_DigestSignInit(ctx, NULL, digest_of(k), NULL, k->pair) == 1 &&
         EVP_DigestSign(ctx, octets, &n, data.data, data.len) == 1);
    if (EVP_PKEY_is_a(k->pair, "EC"))
        put_ecdsa(out, octets, n, EVP_PKEY_get_bits(k->pair) == 256 ? 32 : HALF_MAX);
    else
        buf_put(out, octets, n);
    EVP_MD_CTX_free(ctx);
    buf_free(&data);
}

/* ---- Zones ---- */

static void add(struct zone_builder *b, const uint8_t *owner, uint16_t type, uint32_t ttl,
                const struct buf *rdata)
{
    struct rr rr = {.owner = owner,
                    .rdata = rdata->data,
                    .rdata_len = (uint16_t)rdata->len,
                    .ttl = ttl,
                    .type = type,
                    .rclass = CLASS_IN};
    struct errinfo e = {{0}};

    must(zone_builder_add(b, &rr, &e) == OK);
}

static struct zone_builder *builder_of(const struct zone *z)
{
    struct zone_builder *b = zone_builder_new(zone_apex(z), NULL);
    struct zone_rr_iter it;
    struct errinfo e = {{0}};
    struct rr rr;

    zone_rr_iter_init(&it, z);
    while (zone_rr_next(&it, &rr))
        must(zone_builder_add(b, &rr, &e) == OK);
    return b;
}

static struct zone *finish(struct zone_builder *b)
{
    struct errinfo e = {{0}};
    struct zone *z = NULL;

    must(zone_builder_finish(&z, b, NULL, &e) == OK);
    zone_builder_free(b);
    return z;
}

static void put_params(struct buf *out, const struct sign_spec *s, bool in_chain)
{
    buf_u8(out, 1);
    buf_u8(out, in_chain && s->opt_out ? NSEC3_OPT_OUT : 0);
    buf_u16(out, s->iterations);
    buf_u8(out, 2);
    buf_u16(out, 0xabcd);
}

static struct zone *with_keys(const struct zone *plain, const struct sign_spec *s)
{
    struct zone_builder *b = builder_of(plain);
    struct buf params = BUF_INIT;

    for (size_t i = 0; i < s->key_count - s->hidden; i++)
        add(b, zone_apex(plain), RR_DNSKEY, 3600, &s->keys[i].dnskey);
    put_params(&params, s, false);
    if (s->nsec3)
        add(b, zone_apex(plain), RR_NSEC3PARAM, 0, &params);
    buf_free(&params);
    return finish(b);
}

/* A name that is denied or proven. */
struct link {
    uint8_t name[NAME_MAX_OCTETS];
    uint8_t hash[NSEC3_HASH_OCTETS];
    bool is_cut, is_empty, is_insecure;
    struct node node;
};

struct links {
    struct link *list;
    size_t n, cap;
};

static bool has(const struct node *n, uint16_t type)
{
    struct rrset set;

    return node_rrset(n, type, &set);
}

static bool is_listed(const struct links *l, const uint8_t *name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (name_eq(l->list[i].name, name))
            return true;
    }
    return false;
}

static struct link *new_link(struct links *l, const uint8_t *name)
{
    l->list = xgrow(l->list, &l->cap, l->n + 1, sizeof(*l->list));
    l->list[l->n] = (struct link){.is_cut = false};
    (void)name_copy(l->list[l->n].name, name);
    return &l->list[l->n++];
}

/* All names that there are, in canonical order; for NSEC3 those in between at the end. */
static void collect(struct links *l, const struct zone *z, const struct sign_spec *s)
{
    uint8_t owner[NAME_MAX_OCTETS], cut[NAME_MAX_OCTETS];
    bool in_cut = false;
    struct zone_iter it;
    struct node n;
    size_t own;

    zone_iter_init(&it, z);
    while (zone_next(&it, &n)) {
        struct link *x;

        (void)node_owner(owner, &n, zone_apex(z));
        if (in_cut && name_within(owner, cut))
            continue;
        in_cut = n.rel_len > 0 && has(&n, RR_NS);
        (void)name_copy(cut, owner);
        x = new_link(l, owner);
        x->node = n;
        x->is_cut = in_cut;
        x->is_insecure = in_cut && !has(&n, RR_DS);
    }
    own = l->n;
    for (size_t i = 0; s->nsec3 && i < own; i++) {
        const uint8_t *name = l->list[i].name;
        uint8_t parent[NAME_MAX_OCTETS];

        if (s->opt_out && l->list[i].is_insecure)
            continue;
        (void)name_copy(parent, name);
        while (!name_eq(parent, zone_apex(z))) {
            (void)name_copy(parent, name_parent(parent));
            if (!is_listed(l, parent))
                new_link(l, parent)->is_empty = true;
        }
    }
}

static void put_types(struct buf *out, const struct link *x, bool nsec)
{
    uint8_t windows[256][32] = {{0}};

    for (uint32_t i = 0; !x->is_empty && i < x->node.rrsets; i++) {
        struct rrset set;

        node_rrset_at(&x->node, i, &set);
        if (!x->is_cut || set.type == RR_NS || set.type == RR_DS)
            windows[set.type >> 8][(set.type & 0xff) / 8] |= (uint8_t)(0x80 >> set.type % 8);
    }
    if (nsec)
        windows[0][RR_NSEC / 8] |= 0x80 >> RR_NSEC % 8;
    if (nsec || (!x->is_empty && !x->is_insecure))
        windows[0][RR_RRSIG / 8] |= 0x80 >> RR_RRSIG % 8;
    for (unsigned w = 0; w < 256; w++) {
        unsigned len = 32;

        while (len > 0 && windows[w][len - 1] == 0)
            len--;
        if (len == 0)
            continue;
        buf_u8(out, (uint8_t)w);
        buf_u8(out, (uint8_t)len);
        buf_put(out, windows[w], len);
    }
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash,
                  NSEC3_HASH_OCTETS);
}

static void add_nsecs(struct zone_builder *b, const struct zone *z, const struct sign_spec *s)
{
    struct links l = {NULL, 0, 0};
    struct sign_spec plain = *s;

    plain.nsec3 = false;
    collect(&l, z, &plain);
    for (size_t i = 0; i < l.n; i++) {
        const uint8_t *next = l.list[i + 1 < l.n ? i + 1 : 0].name;
        struct buf rdata = BUF_INIT;

        buf_put(&rdata, next, name_len(next));
        put_types(&rdata, &l.list[i], true);
        if (!s->chain || s->chain(s->ctx, l.list[i].name, &rdata))
            add(b, l.list[i].name, RR_NSEC, 300, &rdata);
        buf_free(&rdata);
    }
    free(l.list);
}

static void add_nsec3s(struct zone_builder *b, const struct zone *z, const struct sign_spec *s)
{
    static const uint8_t salt[] = {0xab, 0xcd};
    struct nsec3_params p = {salt, s->iterations, 2};
    struct links l = {NULL, 0, 0};
    size_t kept = 0;

    collect(&l, z, s);
    for (size_t i = 0; i < l.n; i++) {
        if (s->opt_out && l.list[i].is_insecure)
            continue;
        l.list[kept] = l.list[i];
        nsec3_hash(l.list[kept].hash, &p, l.list[kept].name);
        kept++;
    }
    qsort(l.list, kept, sizeof(*l.list), by_hash);
    for (size_t i = 0; i < kept; i++) {
        uint8_t owner[NAME_MAX_OCTETS] = {NSEC3_LABEL_OCTETS};
        struct buf rdata = BUF_INIT;

        nsec3_label(owner + 1, l.list[i].hash);
        (void)name_copy(owner + 1 + NSEC3_LABEL_OCTETS, zone_apex(z));
        put_params(&rdata, s, true);
        buf_u8(&rdata, NSEC3_HASH_OCTETS);
        buf_put(&rdata, l.list[i + 1 < kept ? i + 1 : 0].hash, NSEC3_HASH_OCTETS);
        put_types(&rdata, &l.list[i], false);
        if (!s->chain || s->chain(s->ctx, l.list[i].name, &rdata))
            add(b, owner, RR_NSEC3, 300, &rdata);
        buf_free(&rdata);
    }
    free(l.list);
}

static struct zone *with_chains(const struct zone *z, const struct sign_spec *s)
{
    struct zone_builder *b = builder_of(z);

    if (s->nsec)
        add_nsecs(b, z, s);
    if (s->nsec3)
        add_nsec3s(b, z, s);
    return finish(b);
}

static void sign_node(struct zone_builder *b, const struct zone *z, const struct node *n,
                      const uint8_t *owner, const struct sign_spec *s)
{
    bool is_cut = n->rel_len > 0 && has(n, RR_NS);

    for (uint32_t i = 0; i < n->rrsets; i++) {
        struct rrset set;

        node_rrset_at(n, i, &set);
        if (is_cut && set.type != RR_DS && set.type != RR_NSEC)
            continue;
        for (size_t k = 0; k < s->key_count; k++) {
            struct buf rdata = BUF_INIT;

            if (s->split_keys && (k == 0) != (set.type == RR_DNSKEY))
                continue;
            sign_rrset(&rdata, &s->keys[k], s, zone_apex(z), owner, &set);
            add(b, owner, RR_RRSIG, set.ttl, &rdata);
            buf_free(&rdata);
        }
    }
}

struct zone *zone_signed(const struct zone *plain, const struct sign_spec *s)
{
    struct zone *keyed = with_keys(plain, s), *chained = with_chains(keyed, s);
    struct zone_builder *b = builder_of(chained);
    uint8_t owner[NAME_MAX_OCTETS], cut[NAME_MAX_OCTETS];
    bool in_cut = false;
    struct zone_iter it;
    struct node n;

    zone_iter_init(&it, chained);
    while (zone_next(&it, &n)) {
        (void)node_owner(owner, &n, zone_apex(chained));
        if (in_cut && name_within(owner, cut))
            continue;
        in_cut = n.rel_len > 0 && has(&n, RR_NS);
        (void)name_copy(cut, owner);
        sign_node(b, chained, &n, owner, s);
    }
    zone_unref(keyed);
    zone_unref(chained);
    return finish(b);
}
