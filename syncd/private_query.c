#include "syncd/private_query.h"

#include "syncd/access.h"
#include "syncd/tsig_query.h"

/* The deepest zone that the name is in, as far as the configuration knows. */
static const struct config_zone *section_of(const struct private_query_env *env,
                                            const uint8_t *name)
{
    const struct config_zone *z = env->section(env->ctx, name);

    while (!z && !name_is_root(name)) {
        name = name_parent(name);
        z = env->section(env->ctx, name);
    }
    return z;
}

bool private_query(const struct private_query_env *env, const struct ho_frame *m, struct buf *reply)
{
    struct tls_identity identity;
    struct access_client who = {
        .source = m->source, .transport = m->transport, .key = -1, .identity = &identity};
    uint32_t udp_payload = env->config->udp_payload;
    const struct config_zone *z;
    struct tsig_rr rr;
    struct query q;

    if (query_parse(&q, m->wire, m->wire_len) != QUERY_OK || q.opcode != OPCODE_QUERY ||
        q.qtype == RR_IXFR)
        return false;
    ho_identity(&identity, m);
    z = section_of(env, q.qname);
    if (q.tsig && !(z && (z->producer || z->catalog)))
        return false;
    /* Whether it really signed is looked at below, before anything is said. */
    if (q.tsig && tsig_read(&rr, m->wire, m->wire_len, q.tsig))
        (void)keyring_find(env->keys, rr.key_name, &who.key);
    if (access_may(env->config, z, ACCESS_TRANSFER, &who, NULL, NULL) == OK)
        tsig_query_answer(env->keys, m, udp_payload, env->now, reply);
    else
        tsig_query_refuse(env->keys, m, RCODE_REFUSED, udp_payload, env->now, reply);
    return true;
}
