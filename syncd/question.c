#include "syncd/question.h"

#include "lib/base/bytes.h"

#define BLOCK 128u
#define OPTION_HEAD 4u
#define EXPIRE_OCTETS OPTION_HEAD

static size_t write_once(uint8_t *buf, size_t cap, const struct question *q,
                         const struct edns_reply *opt, struct tsig *t, struct wall now)
{
    struct msg_query_spec spec = q->query;
    size_t len;

    spec.opt = q->plain ? NULL : opt;
    len = msg_build_query(buf, cap, &spec);
    if (len && q->key && !tsig_sign_request(t, q->key, buf, &len, cap, now))
        return 0;
    return len;
}

size_t question_write(uint8_t *buf, size_t cap, const struct question *q, struct tsig *t,
                      struct wall now)
{
    uint8_t options[EXPIRE_OCTETS + OPTION_HEAD + BLOCK] = {0, OPTION_EXPIRE, 0, 0,
                                                            0, OPTION_PADDING};
    struct edns_reply opt = {
        .udp_size = EDNS_UDP_DEFAULT, .options = options, .options_len = EXPIRE_OCTETS};
    size_t len = write_once(buf, cap, q, &opt, t, now);
    size_t beyond = (len + OPTION_HEAD) % BLOCK;
    size_t padding = beyond ? BLOCK - beyond : 0;

    if (!len || q->plain || !q->padded)
        return len;
    options[EXPIRE_OCTETS + 3] = (uint8_t)padding;
    opt.options_len = (uint16_t)(EXPIRE_OCTETS + OPTION_HEAD + padding);
    return write_once(buf, cap, q, &opt, t, now);
}
